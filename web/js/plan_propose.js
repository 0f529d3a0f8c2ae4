// Grids drawn by themselves: asked for a grid, a village, a town or the county, compared, refined, taken in one step.

import { isStale, send } from "./api.js";
import { h, keepingFocus, parts, settled } from "./dom.js";
import { follow } from "./jobs.js";
import { field, trouble } from "./parts.js";
import { drawAnswer } from "./plan_answer_map.js";
import { answerName, answersTable, officerRows, toldRows } from "./plan_answers.js";
import { boxOf, boxText, positionsOf } from "./plan_geometry.js";
import { mayPlan } from "./plan_list.js";
import { isProposing, proposeStep } from "./plan_scope.js";
import { p } from "./plan_texts.js";
import { show, state } from "./state.js";
import { number, percent } from "./texts.js";

/** @import { PlanMode } from "./plan.js" */
/** @import { Answer, Proposal } from "./plan_answers.js" */
/** @import { ScopeKind } from "./plan_scope.js" */
/** @import { Change, Faces } from "./plan_map.js" */
/** @typedef {{change: number, balance: number, shape: number}} Weights 0…100 */
/** @typedef {{answer: Answer, told: Proposal["told"], weights: Weights}} Refined */

const SEED = 0; // the same start each time: only what was asked for moves
const REFINED = "refined";
const BY_JOB = ["town", "county"];
const AGAIN_MS = 600;
const KEPT = "gis-plan-proposal:";
/** @type {(keyof Weights)[]} */
const WEIGHTS = ["change", "balance", "shape"];
/** @type {Record<string, Weights>} */
const WEIGHTS_OF = {
  least_change: { change: 100, balance: 10, shape: 20 },
  balance: { change: 10, balance: 100, shape: 20 },
  shape: { change: 10, balance: 10, shape: 100 },
};

export class Proposals {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    this.pieces = "";
    /** @type {Set<string>} grids that stay as they are */
    this.locked = new Set();
    this.areLocksOpen = false;
    this.areSlidersOpen = false;
    /** @type {Weights} where the sliders stand */
    this.weights = WEIGHTS_OF.least_change;
    this.asked = "";
    /** @type {Proposal | null} */
    this.proposal = null;
    /** @type {Refined[]} the newest last */
    this.refined = [];
    this.chosen = "";
    this.isChanged = false;
    /** @type {AbortController | null} */
    this.asking = null;
    /** @type {HTMLElement | null} */
    this.locks = null;
    /** @type {HTMLElement | null} */
    this.slot = null;
    /** @type {HTMLElement | null} */
    this.sliders = null;
    /** @type {HTMLElement | null} */
    this.actions = null;
    this.askSoon = settled(AGAIN_MS, () => this.askAgain());
    this.refineSoon = settled(AGAIN_MS, () => this.refine());
  }

  /** What was asked for another draft or another scope is no answer to this one. */
  forget() {
    this.asking?.abort();
    this.proposal = null;
    this.refined = [];
    this.chosen = "";
    this.isChanged = false;
  }

  // --- what is asked ------------------------------------------------------------------------------

  get scope() {
    const [, kind = "village", key = ""] = state.step.split(":");
    return { kind: /** @type {ScopeKind} */ (kind), key: key || this.mode.village };
  }

  get isByJob() {
    return BY_JOB.includes(this.scope.kind);
  }

  /** @param {{weights: Weights}} [more] */
  question(more) {
    const { kind, key } = this.scope;
    const pieces = kind === "grid" && this.pieces ? { pieces: Number(this.pieces) } : {};
    return {
      scope: kind === "county" ? { county: true } : { [kind]: key, ...pieces },
      locked: kind === "grid" ? [] : [...this.locked],
      seed: SEED,
      ...more,
    };
  }

  /** The town of the village at hand, or of the scope. */
  get town() {
    const { grids, village } = this.mode;
    const { kind, key } = this.scope;
    return kind === "town" ? key : String(grids.grid(village)?.parent_grid_id ?? "");
  }

  /** @param {string} key */
  isDedicated(key) {
    return this.mode.grids.grid(key)?.kind === "dedicated";
  }

  /** @param {string} key of a grid; false where it lies outside of what is asked for */
  isInScope(key) {
    const { kind, key: scope } = this.scope;
    const village = this.mode.canvas.faces.get(key)?.properties.parent ?? "";
    return (
      kind === "county" || [key, village, String(this.mode.grids.grid(village)?.parent_grid_id ?? "")].includes(scope)
    );
  }

  // --- the panel ----------------------------------------------------------------------------------

  /**
   * Show what is known, and ask where nothing is.
   *
   * @param {AbortSignal} signal
   */
  async render(signal) {
    const { draft, panel } = this.mode;
    const asked = [draft.id, draft.rev, this.mode.village, state.step].join(" ");
    if (this.asked !== asked) this.forget();
    this.asked = asked;
    signal.addEventListener("abort", () => this.asking?.abort());
    this.locks = h("div", {});
    this.slot = h("section", { id: "answers", "aria-live": "polite" });
    this.sliders = h("div", {});
    this.actions = h("div", { class: "plan-actions" });
    const { kind, key } = this.scope;
    panel.fill(
      "plan-propose",
      [
        h("button", { type: "button", class: "link back", onclick: () => show({ step: "" }) }, p("back_plan")),
        h("h2", {}, p("propose_for", { name: kind === "county" ? p("scope_county") : this.mode.nameOf(key) })),
        h("p", { class: "quiet" }, p("propose_how")),
      ],
      this.scopeForm(),
      this.locks,
      this.slot,
      this.sliders,
      this.actions,
    );
    this.drawLocks();
    panel.focusIfAsked();
    if (this.proposal) this.draw();
    else if (!mayPlan() || !draft.isOpen) this.slot.replaceChildren(h("p", { class: "quiet" }, p("may_not")));
    else if (!this.isByJob) await this.work(() => this.ask());
    else if (this.jobKept()) await this.work(() => this.followJob(this.jobKept()));
    else this.offer();
  }

  scopeForm() {
    const { mode } = this;
    const { kind, key } = this.scope;
    /**
     * @param {ScopeKind} of
     * @param {string} to
     * @param {string} text
     */
    const option = (of, to, text) =>
      h("option", { value: proposeStep(of, to), selected: of === kind && (of === "county" || to === key) }, text);
    const choice = h(
      "select",
      { id: "propose-scope", onchange: (event) => show({ step: event.target.value }) },
      mode.village && option("village", mode.village, p("scope_village", { name: mode.nameOf(mode.village) })),
      this.town && option("town", this.town, p("scope_town", { name: mode.nameOf(this.town) })),
      option("county", "", p("scope_county")),
      mode.village &&
        h(
          "optgroup",
          { label: p("scope_grid") },
          mode.facesHere
            .filter(({ properties }) => !this.isDedicated(properties.key))
            .map(({ properties }) =>
              option(
                "grid",
                properties.key,
                `${mode.nameOf(properties.key)} · ${p("households_n", { n: number(properties.households ?? 0) })}`,
              ),
            ),
        ),
    );
    const pieces = h("input", {
      id: "propose-pieces",
      type: "number",
      min: 2,
      max: 40,
      inputmode: "numeric",
      value: this.pieces,
      placeholder: p("propose_auto"),
      oninput: () => {
        this.pieces = pieces.value;
        this.askSoon();
      },
    });
    return h(
      "div",
      { class: "propose-form" },
      field(p("propose_scope"), choice),
      kind === "grid" && field(p("propose_pieces"), pieces),
    );
  }

  /** What stays as it is: ticked in the list, or by a click on the map. */
  drawLocks() {
    const { mode } = this;
    const { kind } = this.scope;
    if (kind === "grid") {
      this.locks?.replaceChildren(h("p", { class: "quiet" }, p("locks_of_grid")));
      return;
    }
    const keys = kind === "village" ? mode.keys : [...this.locked];
    const count = keys.filter((key) => this.locked.has(key) || this.isDedicated(key)).length;
    /** @param {string} key */
    const row = (key) =>
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          id: `lock-${key}`,
          checked: this.locked.has(key) || this.isDedicated(key),
          disabled: this.isDedicated(key),
          onchange: () => this.lock(key),
        }),
        h("span", {}, mode.nameOf(key), this.isDedicated(key) && h("small", {}, ` ${p("lock_dedicated")}`)),
      );
    keepingFocus(() =>
      this.locks?.replaceChildren(
        h(
          "details",
          { class: "typed", open: this.areLocksOpen },
          h("summary", { onclick: () => (this.areLocksOpen = !this.areLocksOpen) }, p("locks_n", { n: number(count) })),
          h("p", { class: "quiet" }, p(kind === "village" ? "locks_how" : "locks_how_far")),
          h("fieldset", { class: "checks plan-checks" }, h("legend", { class: "unseen" }, p("locks")), keys.map(row)),
        ),
      ),
    );
  }

  /** @param {string} key kept as it is from now on, or no more */
  lock(key) {
    if (!this.locked.delete(key)) this.locked.add(key);
    this.drawLocks();
    this.drawMap();
    this.askSoon();
  }

  /** @param {L.LatLng} latlng */
  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (!key || this.scope.kind === "grid" || !this.isInScope(key)) return;
    if (this.isDedicated(key)) this.mode.bar.note(p("lock_why", { name: this.mode.nameOf(key) }));
    else this.lock(key);
  }

  /**
   * What a click would do.
   *
   * @param {L.LatLng} latlng
   */
  hover(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (!key || this.scope.kind === "grid" || !this.isInScope(key)) return "";
    const name = this.mode.nameOf(key);
    if (this.isDedicated(key)) return p("lock_why", { name });
    return p(this.locked.has(key) ? "hover_unlock" : "hover_lock", { name });
  }

  // --- asking -------------------------------------------------------------------------------------

  /** @param {...import("./dom.js").Children} children in the place of the answers */
  say(...children) {
    this.slot?.replaceChildren(...parts(children));
    this.sliders?.replaceChildren();
    this.actions?.replaceChildren();
  }

  /** @param {string} [note] why there is no answer yet */
  offer(note = p("propose_long")) {
    this.say(
      h("p", { role: "status" }, note),
      h(
        "button",
        {
          type: "button",
          class: "button filled",
          id: "propose-begin",
          onclick: () => this.work(() => this.ask()),
        },
        p("propose_begin"),
      ),
    );
  }

  /**
   * Ask the server; what was asked before is wanted no more.
   *
   * @param {{weights: Weights}} [more]
   * @returns {Promise<Proposal | null>} null where it was stopped
   */
  async ask(more) {
    this.asking?.abort();
    this.asking = new AbortController();
    const answer = await this.mode.draft.act("/propose", this.question(more), this.asking.signal);
    return answer.job_id ? this.followJob(String(answer.job_id)) : answer;
  }

  /**
   * Show what comes of it, and what is wrong where it cannot be had.
   *
   * @param {() => Promise<Proposal | null>} asking
   */
  async work(asking) {
    const { slot } = this;
    slot?.setAttribute("aria-busy", "true");
    if (!this.proposal) this.say(h("p", { class: "quiet", role: "status" }, p("propose_busy")));
    try {
      const proposal = await asking();
      if (proposal) {
        await this.loadToday(proposal);
        this.show(proposal);
      } else this.offer(p("propose_stopped"));
    } catch (error) {
      if (isStale(error)) return;
      this.forget();
      this.mode.canvas.clearWork();
      this.say(trouble(error.message, () => this.work(() => this.ask())));
    } finally {
      slot?.removeAttribute("aria-busy");
    }
  }

  /** Other locks or another number of pieces: asked at once where it is quick, by a button where it takes long. */
  askAgain() {
    if (!isProposing() || !this.mode.opened) return;
    if (!this.isByJob) this.work(() => this.ask());
    else if (this.proposal) {
      this.isChanged = true;
      this.drawActions();
    }
  }

  /** The job that this question already has, after the page was loaded again. */
  jobKept() {
    const [asked, job] = (sessionStorage.getItem(KEPT) ?? "").split("|");
    return asked === this.asked ? job : "";
  }

  /**
   * @param {string} job
   * @returns {Promise<Proposal | null>} null where it was stopped
   */
  async followJob(job) {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const bar = h("progress", { max: 1, value: 0, "aria-label": p("propose") });
    const text = h("p", { class: "quiet", role: "status" }, p("propose_waiting"));
    const stop = () => send("POST", `/api/jobs/${job}/cancel`).catch((error) => (text.textContent = error.message));
    sessionStorage.setItem(KEPT, `${this.asked}|${job}`);
    this.say(
      h(
        "div",
        { class: "running" },
        text,
        bar,
        h("button", { type: "button", class: "button", id: "propose-stop", onclick: stop }, p("propose_stop")),
      ),
    );
    const { status, error } = await follow(
      `/api/jobs/${job}`,
      ({ status: now, step_text: step, progress }) => {
        if (now === "running") text.textContent = `${step || p("propose_running")} ${percent(progress, 0)}`;
        bar.value = progress;
      },
      signal,
    );
    if (status === "done") return this.mode.draft.ask(`/proposals/${job}`, {}, signal);
    sessionStorage.removeItem(KEPT);
    if (status === "failed") throw new Error(error ?? p("propose_failed"));
    return null;
  }

  // --- the answers ----------------------------------------------------------------------------------

  get answers() {
    const newest = this.refined.at(-1);
    return [...(this.proposal?.answers ?? []), ...(newest ? [newest.answer] : [])];
  }

  get answer() {
    return this.answers.find(({ name }) => name === this.chosen) ?? null;
  }

  /**
   * Have today's land of what a town's or the county's answers change; a village's is there.
   *
   * @param {Proposal} proposal
   */
  async loadToday({ answers }) {
    const positions = answers.flatMap(({ faces }) => faces.features.flatMap(({ geometry }) => positionsOf(geometry)));
    if (!this.isByJob || !positions.length) return;
    this.mode.canvas.take(await this.mode.draft.ask("/faces", { bbox: boxText(boxOf(positions)) }));
  }

  /** @param {Proposal} proposal */
  show(proposal) {
    const [first] = proposal.answers;
    if (first?.name === REFINED) this.refined.push({ answer: first, told: proposal.told, weights: this.weights });
    else {
      this.proposal = proposal;
      this.refined = [];
      this.isChanged = false;
      const changed = proposal.answers.flatMap(({ faces }) => faces.features);
      this.mode.showLand(this.scope.kind === "village" ? this.mode.facesHere : changed);
    }
    if (first?.name === REFINED || !this.answer) this.chosen = first?.name ?? "";
    this.draw();
  }

  draw() {
    const { proposal, answer } = this;
    if (!proposal) return;
    const { today } = proposal;
    const told = this.chosen === REFINED ? (this.refined.at(-1)?.told ?? []) : proposal.told;
    keepingFocus(() =>
      this.slot?.replaceChildren(
        ...parts([
          today.inside === today.of && h("p", { class: "kept" }, h("i", { "aria-hidden": "true" }, "✓"), p("all_fit")),
          answersTable(proposal, this.answers, this.chosen, (name) => this.choose(name)),
          h("p", { class: "quiet" }, p("answer_key")),
          answer && officerRows(answer.costs.officers),
          toldRows(told, (sentence) => this.mode.showPlace(sentence)),
        ]),
      ),
    );
    this.drawSliders();
    this.drawActions();
    this.drawMap();
  }

  /** @param {string} name of an answer */
  choose(name) {
    this.chosen = name;
    this.draw();
  }

  drawMap() {
    if (this.answer) drawAnswer(this.mode.canvas, this.answer, this.locked);
  }

  // --- refining -------------------------------------------------------------------------------------

  drawSliders() {
    const newest = this.refined.at(-1);
    this.weights = this.chosen === REFINED && newest ? newest.weights : WEIGHTS_OF[this.chosen];
    /** @param {keyof Weights} name */
    const slider = (name) => {
      const input = h("input", {
        type: "range",
        id: `weight-${name}`,
        min: 0,
        max: 100,
        step: 5,
        value: this.weights[name],
        oninput: () => {
          this.weights = { ...this.weights, [name]: Number(input.value) };
          if (!this.isByJob) this.refineSoon();
        },
      });
      return field(p(`weight_${name}`), input);
    };
    /**
     * @param {string} id
     * @param {string} text
     * @param {() => void} onclick
     */
    const button = (id, text, onclick) => h("button", { type: "button", class: "button", id, onclick }, text);
    keepingFocus(() =>
      this.sliders?.replaceChildren(
        h(
          "details",
          {
            class: "typed refine",
            open: this.areSlidersOpen,
          },
          h(
            "summary",
            { id: "refine", onclick: () => (this.areSlidersOpen = !this.areSlidersOpen) },
            this.chosen === REFINED ? p("refine_on") : p("refine", { name: answerName(this.chosen) }),
          ),
          h("p", { class: "quiet" }, p("refine_how")),
          WEIGHTS.map(slider),
          h(
            "div",
            { class: "buttons" },
            this.isByJob && button("refine-go", p("refine_go"), () => this.refine()),
            this.refined.length > 1 && button("refine-back", p("refine_back"), () => this.unrefine()),
          ),
        ),
      ),
    );
  }

  /** Ask with other weights; what was there stays beside it. */
  async refine() {
    if (!this.proposal || !isProposing()) return;
    const { weights } = this;
    await this.work(() => this.ask({ weights }));
  }

  unrefine() {
    this.refined.pop();
    this.draw();
  }

  // --- taking ---------------------------------------------------------------------------------------

  drawActions() {
    const { answer } = this;
    const { draft } = this.mode;
    const isEmpty = !answer?.faces.features.length;
    keepingFocus(() =>
      this.actions?.replaceChildren(
        ...parts([
          draft.state === "conflict" && this.mode.work.conflictPart(),
          ["refused", "waiting"].includes(draft.state) &&
            h(
              "p",
              { class: "fault", role: "alert" },
              draft.more?.message,
              draft.state === "waiting" && ` ${p("waiting")}`,
            ),
          this.isChanged && h("p", { class: "quiet", role: "status" }, p("propose_changed")),
          this.isChanged &&
            h(
              "button",
              { type: "button", class: "button", id: "propose-again", onclick: () => this.work(() => this.ask()) },
              p("propose_again"),
            ),
          answer &&
            h(
              "button",
              {
                type: "button",
                class: "button filled",
                id: "propose-take",
                disabled: isEmpty || draft.state === "saving",
                onclick: () => draft.save(answer.edit),
              },
              draft.state === "saving"
                ? p("saving")
                : isEmpty
                  ? p("take_nothing")
                  : p("take", { name: answerName(answer.name) }),
            ),
        ]),
      ),
    );
  }

  /**
   * An answer is in the draft: show it there, with the way back.
   *
   * @param {Change} change
   */
  taken(change) {
    this.forget();
    show({ step: "" });
    this.mode.showLand(/** @type {Faces} */ (change.faces).features);
    this.mode.bar.note(p("taken", { n: number(change.grids.length) }), {
      text: p("undo"),
      act: () => this.mode.step("undo"),
    });
  }
}
