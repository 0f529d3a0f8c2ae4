import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { open } from "./page.js";

open();
const { follow, hasEnded } = await import("../js/jobs.js");

let answers;
let asked;
globalThis.fetch = async (path) => {
  asked.push(path);
  const answer = answers.shift();
  if (answer instanceof Error) throw answer;
  return { ok: true, status: 200, json: async () => answer };
};
const settle = () => new Promise(setImmediate);

beforeEach(() => {
  asked = [];
});

test("a job is looked at until it has ended, and told of each time", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  answers = [{ status: "waiting" }, { status: "running", progress: 0.5 }, { status: "done", result: 7 }];
  const seen = [];
  const ended = follow("/api/jobs/3", ({ status }) => seen.push(status));
  for (let i = 0; i < 3; i++) {
    await settle();
    mock.timers.tick(500);
  }
  assert.deepEqual(await ended, { status: "done", result: 7 });
  assert.deepEqual(seen, ["waiting", "running", "done"]);
  mock.timers.reset();
});

test("one that failed or was stopped has ended too", () => {
  assert.deepEqual(["waiting", "running", "done", "failed", "cancelled"].map((status) => hasEnded({ status })), [false, false, true, true, true]); // prettier-ignore
});

test("who looks no more asks no more", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  answers = [{ status: "running" }, { status: "running" }];
  const looking = new AbortController();
  const ended = follow("/api/jobs/3", () => {}, looking.signal);
  await settle();
  looking.abort();
  await assert.rejects(ended, { name: "AbortError" });
  mock.timers.tick(5000);
  await settle();
  assert.equal(asked.length, 1);
  mock.timers.reset();
});

test("where the way is lost it says so", async () => {
  answers = [new TypeError("fetch failed")];
  await assert.rejects(
    follow("/api/jobs/3", () => {}),
    { status: 0 },
  );
});
