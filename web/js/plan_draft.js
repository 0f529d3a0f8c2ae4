// One plan as this page knows it: its state, what is tried out, what is saved, what is not yet.

import { ApiError, get, isStale, send } from "./api.js";
import { config } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"PlanAnswer">} Plan */
/** @typedef {{kind: string, [more: string]: any}} Edit */
/** @typedef {{edit: Edit, context?: {village?: string, tool?: string}, rev: number, at: string}} KeptStroke */
/** @typedef {"saved" | "saving" | "waiting" | "conflict" | "refused"} Saving */

const KEPT = "gis-plan-stroke:";
const TOO_LONG_MS = 400;
const AGAIN_MS = 3000;

/**
 * The stroke that this browser has not been able to save; null without one.
 *
 * @param {string} id
 * @returns {KeptStroke | null}
 */
export function keptStroke(id) {
  try {
    return JSON.parse(localStorage.getItem(KEPT + id) ?? "null");
  } catch {
    return null; // storage is switched off, or holds what is not ours
  }
}

/**
 * @param {string} id
 * @param {KeptStroke | null} stroke
 */
function keepStroke(id, stroke) {
  try {
    if (stroke) localStorage.setItem(KEPT + id, JSON.stringify(stroke));
    else localStorage.removeItem(KEPT + id);
  } catch {
    // Storage is switched off: the stroke lives as long as the page.
  }
}

/**
 * Whether what is stored says all that was sent; the server may have added to it.
 *
 * @type {(stored: any, sent: any) => boolean}
 */
const says = (stored, sent) =>
  sent !== null && typeof sent === "object"
    ? stored !== null && typeof stored === "object" && Object.keys(sent).every((key) => says(stored[key], sent[key]))
    : stored === sent;

export class Draft {
  /**
   * onChange(change, why) after each saved edit; onTry(change | null, error) after each preview.
   *
   * @param {string} id
   * @param {{onChange: (change: any, why: string) => void | Promise<void>, onTry: (change: any, error: Error | null) => void, onState: (state: Saving) => void}} told
   */
  constructor(id, { onChange, onTry, onState }) {
    this.id = id;
    this.onChange = onChange;
    this.onTry = onTry;
    this.onState = onState;
    /** The plan as the server has it; once it is loaded. */
    this.plan = /** @type {Plan} */ (/** @type {unknown} */ (null));
    /** @type {Saving} */
    this.state = "saved";
    /** @type {Record<string, any> | null} what the state has to say */
    this.more = null;
    /** @type {Edit | null} what is being tried */
    this.edit = null;
    /** @type {Edit | null} what the next preview asks for */
    this.wanted = null;
    /** @type {AbortController | null} */
    this.flying = null;
    this.since = 0;
    /** @type {number | undefined} */
    this.again = undefined;
  }

  get rev() {
    return this.plan.rev;
  }

  get isOpen() {
    return this.plan?.status === "draft";
  }

  path(rest = "") {
    return `/api/plans/${this.id}${rest}`;
  }

  /**
   * @param {string} rest
   * @param {import("./api.js").Parameters} [parameters]
   * @param {AbortSignal} [signal]
   */
  ask(rest, parameters, signal) {
    return get(this.path(rest), parameters, signal);
  }

  /**
   * @param {string} rest
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   */
  act(rest, body = {}, signal) {
    return send("POST", this.path(rest), body, {}, signal);
  }

  /** @param {AbortSignal} [signal] */
  async load(signal) {
    this.plan = await get(this.path(), {}, signal);
    return this.plan;
  }

  // --- trying out: one question at a time, always the latest ------------------------------------

  /**
   * @param {Edit} edit
   * @param {KeptStroke["context"]} [context]
   */
  try(edit, context) {
    keepStroke(this.id, { edit, context, rev: this.rev, at: new Date().toISOString() });
    this.wanted = edit;
    this.edit = edit;
    if (this.flying) {
      if (performance.now() - this.since > TOO_LONG_MS) this.flying.abort();
      return;
    }
    this.fly();
  }

  async fly() {
    while (this.wanted) {
      const edit = this.wanted;
      this.wanted = null;
      this.flying = new AbortController();
      this.since = performance.now();
      try {
        const change = await this.act("/preview", { rev: this.rev, edit }, this.flying.signal);
        if (this.edit) this.onTry(change, null);
      } catch (error) {
        if (!isStale(error) && this.edit && !this.wanted) this.onTry(null, error);
      }
    }
    this.flying = null;
  }

  /** This page tries it no more; the browser keeps the stroke. */
  letGo() {
    this.edit = null;
  }

  /** Ask no more: an answer for the revision before the next would come as a conflict. */
  still() {
    this.wanted = null;
    this.flying?.abort();
  }

  /** Forget what is being tried. */
  drop() {
    this.edit = null;
    this.still();
    clearTimeout(this.again);
    keepStroke(this.id, null);
    this.say("saved");
  }

  /**
   * @param {Saving} state
   * @param {Record<string, any> | null} [more]
   */
  say(state, more = null) {
    this.state = state;
    this.more = more;
    this.onState(state);
  }

  // --- saving -------------------------------------------------------------------------------------

  /**
   * Save an edit; where the way to the server is lost it is kept and sent again by itself.
   *
   * @param {Edit | null} [edit]
   */
  async save(edit = this.edit) {
    if (!edit || this.state === "saving") return false;
    this.still();
    this.say("saving");
    try {
      const change = await this.act("/edits", { rev: this.rev, edit });
      await this.taken(change, "edit");
      return true;
    } catch (error) {
      return this.notSaved(edit, error);
    }
  }

  /**
   * @param {Edit} edit
   * @param {Error} error
   */
  async notSaved(edit, error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 409 && !error.problem.edits) {
      await this.refresh(); // it is closed: what may be done with it now is another thing
      this.say("refused", { message: error.message });
      return false;
    }
    if (error.status === 409) {
      const since = error.problem.edits;
      // The answer to our own edit got lost on its way: it is there already.
      if (
        since.some(
          (/** @type {Shape<"EditAnswer">} */ stored) =>
            says(stored.edit, edit) && stored.state === "done" && stored.actor.actor_id === config.actor.actor_id,
        )
      ) {
        await this.refresh();
        this.drop();
        return true;
      }
      this.say("conflict", { edit, since, message: error.message });
      return false;
    }
    if (error.status === 0 || error.status >= 502) {
      this.say("waiting", { message: error.message });
      clearTimeout(this.again);
      this.again = setTimeout(() => {
        this.state = "waiting";
        this.save(edit);
      }, AGAIN_MS);
      return false;
    }
    this.say("refused", { message: error.message });
    return false;
  }

  /**
   * Take over what the other did, then save ours on top of it.
   *
   * @param {Edit} edit
   */
  async saveOnTop(edit) {
    await this.refresh();
    return this.save(edit);
  }

  /**
   * @param {any} change
   * @param {string} why
   */
  async taken(change, why) {
    this.edit = null;
    clearTimeout(this.again);
    keepStroke(this.id, null);
    await this.load();
    this.state = "saved";
    await this.onChange(change, why);
    this.say("saved");
  }

  /** Someone else went on: take the plan as it is now. */
  async refresh() {
    await this.load();
    await this.onChange(null, "other");
  }

  /** @param {"undo" | "redo"} way */
  async step(way) {
    if (!this.plan[`can_${way}`]) return;
    this.still();
    this.say("saving");
    try {
      await this.taken(await this.act(`/${way}`, { rev: this.rev }), way);
    } catch (error) {
      if (error.status === 409) {
        await this.refresh();
        this.say("saved");
      } else this.say("refused", { message: error.message });
      throw error;
    }
  }
}
