// Work of the server, looked at until it has ended.

import { get } from "./api.js";

const ENDED = ["done", "failed", "cancelled"];
const AGAIN_MS = 500;

/** @param {{status: string}} job */
export const hasEnded = ({ status }) => ENDED.includes(status);

/** @param {AbortSignal | undefined} signal */
const pause = (signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, AGAIN_MS);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

/**
 * Look at a job until it has ended.
 *
 * @template {string} Path
 * @param {Path} path of the job
 * @param {(job: import("../types/answers.js").Answer<Path, "get">) => void} onLook told of it each time, the last too
 * @param {AbortSignal} [signal] ends the looking, not the job
 */
export async function follow(path, onLook, signal) {
  for (;;) {
    const job = await get(path, {}, signal);
    onLook(job);
    if (hasEnded(/** @type {any} */ (job))) return job;
    await pause(signal);
  }
}
