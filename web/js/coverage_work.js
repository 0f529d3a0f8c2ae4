// Work of the server, watched: how far it is, a way to stop it, and what came of it.

import { get, send } from "./api.js";
import { c } from "./coverage_texts.js";
import { h } from "./dom.js";
import { follow, hasEnded } from "./jobs.js";
import { percent, t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"JobAnswer">} Job */

export class Work {
  /**
   * @param {string} kind of its jobs
   * @param {string} id how ids of what is drawn begin
   * @param {() => void} draw
   */
  constructor(kind, id, draw) {
    this.kind = kind;
    this.id = id;
    this.draw = draw;
    /** @type {Partial<Job> | null} */
    this.job = null;
    this.problem = "";
    this.isFault = false;
    this.wantsStop = false;
  }

  /**
   * Ask for it; its job when it is done, or null: then the problem says why.
   *
   * @param {string} path
   * @param {object} body
   */
  async start(path, body) {
    this.problem = "";
    this.wantsStop = false;
    this.job = { progress: 0 };
    this.draw();
    return this.told(async () => {
      const { job_id } = await send("POST", path, body);
      this.job = { ...this.job, job_id };
      if (this.wantsStop) await this.stop();
      return this.watch(job_id);
    });
  }

  /**
   * What was started before the page was opened anew is watched on; else the last that was done, where that is asked for.
   *
   * @param {boolean} [wantsDone]
   */
  async resume(wantsDone = false) {
    if (this.job) return null;
    const { items } = await get("/api/jobs", { limit: 50 });
    const last = items.find(
      (job) => job.kind === this.kind && (!hasEnded(job) || (wantsDone && job.status === "done")),
    );
    if (!last || this.job) return null;
    return last.status === "done" ? last : this.told(() => this.watch(last.job_id));
  }

  /** Say no more why the last one came to nothing. */
  forget() {
    this.problem = "";
  }

  /**
   * @template Told
   * @param {() => Promise<Told>} does
   */
  async told(does) {
    try {
      return await does();
    } catch (error) {
      this.job = null;
      this.problem = error.message;
      this.isFault = true;
      this.draw();
      return null;
    }
  }

  /** @param {number} jobId */
  async watch(jobId) {
    const ended = await follow(`/api/jobs/${jobId}`, (job) => {
      this.job = hasEnded(job) ? null : job;
      if (job.status === "failed") this.problem = job.error ?? t("error_unknown");
      if (job.status === "cancelled") this.problem = c("stopped");
      this.isFault = job.status !== "cancelled"; // who stops it is told so, and nothing is wrong
      this.draw();
    });
    return ended.status === "done" ? ended : null;
  }

  async stop() {
    this.wantsStop = true; // also where the server has not yet said which job it is
    if (this.job?.job_id) await send("POST", `/api/jobs/${this.job.job_id}/cancel`);
  }

  /** Its progress and a button that stops it; or why it came to nothing. */
  line() {
    if (!this.job)
      return this.problem
        ? h("p", this.isFault ? { class: "fault", role: "alert" } : { class: "quiet", role: "status" }, this.problem)
        : null;
    const { progress, step_text } = this.job;
    return h(
      "div",
      { class: "run-line", id: `${this.id}-progress` },
      h("progress", { max: "1", value: String(progress), "aria-label": c("measuring") }),
      h("p", { role: "status" }, h("b", {}, percent(progress, 0)), ` ${step_text || c("waiting")}`),
      h(
        "button",
        { type: "button", class: "button", id: `${this.id}-stop`, onclick: () => this.told(() => this.stop()) },
        c("stop"),
      ),
    );
  }
}
