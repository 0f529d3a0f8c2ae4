// "Where next?": the server chooses sites for new stations; each can be taken over as a change.

import { get } from "./api.js";
import { c, points, semicolons, signed } from "./coverage_texts.js";
import { Work } from "./coverage_work.js";
import { at, h, keepingFocus, parts } from "./dom.js";
import { heading, tag } from "./parts.js";
import { coordinates, nameOf, number, percent } from "./texts.js";

/** @import { WhatIf } from "./coverage_what_if.js" */
/** @import { Change } from "./coverage_map.js" */
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"SiteAnswer">} Site */

const PROBLEMS = ["max_cover", "p_median", "p_centre", "set_cover"];
const CANDIDATES = ["road_nodes", "facilities"];
const MOST_SITES = 10;
const MOST_NAME = 100;

export class Sites {
  /** @param {WhatIf} whatIf */
  constructor(whatIf) {
    this.whatIf = whatIf;
    /** @type {Shape<"SitesAnswer"> | null} */
    this.answer = null;
    this.problem = "max_cover";
    this.candidates = "road_nodes";
    this.add = 1;
    this.share = 0.95;
    this.work = new Work("coverage_sites", "sites", () => this.draw());
  }

  /** What was chosen is of another question. */
  forget() {
    this.answer = null;
  }

  /** Show what was chosen last, where it answers today's question. */
  async resume() {
    await this.take(await this.work.resume(true));
  }

  draw() {
    const slot = at("where-next");
    if (!slot) return;
    keepingFocus(() =>
      slot.replaceChildren(
        heading(c("where_next")),
        h("p", { class: "quiet" }, c("where_next_how")),
        this.form(),
        h("div", { id: "sites-answer", "aria-live": "polite" }, parts(this.answerParts())),
      ),
    );
    this.whatIf.mode.canvas?.showSites(this.answer?.sites ?? [], (site) => this.takeOver([site]));
  }

  form() {
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.ask();
    };
    return h(
      "form",
      { class: "report sites-form", onsubmit },
      this.menu("sites_problem", PROBLEMS, this.problem, (problem) => (this.problem = problem)),
      this.problem === "set_cover"
        ? numberField("sites-share", c("sites_share"), 100, Math.round(this.share * 100), (n) => (this.share = n / 100))
        : numberField("sites-add", c("sites_add"), MOST_SITES, this.add, (n) => (this.add = n)),
      this.menu("sites_candidates", CANDIDATES, this.candidates, (candidates) => (this.candidates = candidates)),
      h(
        "button",
        { type: "submit", class: "button primary", id: "sites-ask", disabled: Boolean(this.work.job) },
        c("sites_ask"),
      ),
    );
  }

  /**
   * @param {string} id
   * @param {string[]} items
   * @param {string} chosen
   * @param {(item: string) => void} onPick
   */
  menu(id, items, chosen, onPick) {
    const onchange = (/** @type {any} */ event) => {
      onPick(event.target.value);
      this.draw();
    };
    return h(
      "label",
      {},
      c(id),
      h(
        "select",
        { id, onchange },
        items.map((item) => h("option", { value: item, selected: item === chosen }, c(`${id}_${item}`))),
      ),
    );
  }

  answerParts() {
    if (this.work.job || this.work.problem) return this.work.line();
    const { answer } = this;
    if (!answer) return null;
    if (!answer.sites.length) return h("p", {}, c("sites_none"));
    const { before, after, sites } = answer;
    return [
      answer.is_stale && h("p", {}, tag(c("stale"), "care"), ` ${semicolons(answer.stale_texts)}`),
      after.share !== null &&
        h(
          "p",
          { class: "big" },
          h("b", {}, percent(after.share)),
          h(
            "span",
            {},
            c("was", { share: percent(before.share) }),
            h("em", { class: "up" }, points(before.share, after.share)),
          ),
        ),
      h(
        "ol",
        { class: "rows sites" },
        sites.map((site, i) => this.siteRow(site, i)),
      ),
      sites.length > 1 &&
        h(
          "button",
          { type: "button", class: "button", id: "take-all", onclick: () => this.takeOver(sites) },
          c("take_all"),
        ),
      h(
        "p",
        { class: "quiet" },
        answer.optimum_proved ? c("optimum_proved") : c("optimum_gap", { gap: percent(answer.gap) }),
        answer.seconds > 0 && ` ${c("seconds_n", { n: number(answer.seconds, 1) })}`,
      ),
    ];
  }

  /**
   * @param {Site} site
   * @param {number} i
   */
  siteRow(site, i) {
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", onclick: () => this.whatIf.mode.flyTo(site) },
        h("i", { class: "cover-sign site" }, number(i + 1)),
        h(
          "span",
          { class: "wide" },
          nameOf(site) || coordinates(site),
          h("small", {}, c("gain_n", { n: signed(site.gain_households) })),
        ),
      ),
      h(
        "button",
        { type: "button", class: "button", id: `take-${i}`, onclick: () => this.takeOver([site]) },
        c("take_over"),
      ),
    );
  }

  /**
   * Make changes of sites that are not among the changes yet.
   *
   * @param {Site[]} sites
   */
  takeOver(sites) {
    const { changes } = this.whatIf;
    const isTaken = (/** @type {Site} */ { lon, lat }) =>
      changes.some((change) => change.kind === "add_station" && change.lon === lon && change.lat === lat);
    const facility_kind = this.answer?.kind || this.whatIf.kind;
    /** @type {Change[]} */
    const added = sites
      .filter((site) => !isTaken(site))
      .map(({ lon, lat, name }) => ({
        kind: "add_station",
        facility_kind,
        lon,
        lat,
        ...(name && { name: name.slice(0, MOST_NAME) }),
      }));
    this.whatIf.set([...changes, ...added]);
  }

  async ask() {
    const { standard, scenario } = this.whatIf.mode;
    const { problem, candidates, share, add } = this;
    const amount = problem === "set_cover" ? { target_share: share } : { add };
    const body = { standard: standard.code, scenario: scenario.code, problem, candidates, ...amount };
    await this.take(await this.work.start("/api/coverage/sites", body));
  }

  /**
   * Show what a job has chosen, where it is of what is looked at.
   *
   * @param {{job_id: number} | null} job
   */
  async take(job) {
    if (!job) return;
    const answer = await get(`/api/coverage/sites/${job.job_id}`);
    if (`${answer.standard} ${answer.scenario}` !== this.whatIf.question) return;
    this.answer = answer;
    if (this.whatIf.isOn) this.draw();
  }
}

/**
 * @param {string} id
 * @param {string} label
 * @param {number} max
 * @param {number} value
 * @param {(value: number) => void} onInput
 */
const numberField = (id, label, max, value, onInput) =>
  h(
    "label",
    {},
    label,
    h("input", { id, type: "number", min: 1, max, value, oninput: (event) => onInput(Number(event.target.value)) }),
  );
