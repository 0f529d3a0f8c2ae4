// The coverage mode's first panel: a run's figures, when it was, and what is missing where there is none.

import {
  countyBlock,
  kindRows,
  mayMeasure,
  othersTable,
  panelTitle,
  spotRows,
  spotsText,
  townRows,
} from "./coverage_parts.js";
import { c, semicolons } from "./coverage_texts.js";
import { h } from "./dom.js";
import { offered } from "./offers.js";
import { heading, tag } from "./parts.js";
import { show, state } from "./state.js";
import { moment, nameOf } from "./texts.js";

/** @import { CoverageMode, Run } from "./coverage.js" */
/** @import { Spot } from "./coverage_map.js" */

const COUNTED = ["people", "care_households", "buildings", "premises", "hazards"];

/**
 * Show the county's figures, the worst towns and the blind spots.
 *
 * @param {CoverageMode} mode
 * @param {AbortSignal} signal
 */
export async function showFigures(mode, signal) {
  const { run } = mode;
  const spots = run ? await mode.spotsOf(run) : [];
  signal.throwIfAborted();
  mode.panel.fill(
    "coverage",
    panelTitle(c("mode"), mode.title),
    mode.head(),
    mode.tabs(),
    h("div", { id: "cover-run" }, runLine(mode)),
    run ? figuresOf(mode, run, spots) : firstStep(mode),
  );
  mode.panel.focusIfAsked();
}

/**
 * @param {CoverageMode} mode
 * @param {Run} run
 * @param {Spot[]} spots
 */
function figuresOf(mode, run, spots) {
  const { summary } = run;
  if (["no_roads", "no_households"].includes(summary.status)) return missing(mode, summary.status);
  /** @type {[kind: string, figures: Record<string, any>][]} */
  const kinds = Object.entries(summary.kinds ?? {});
  /** @type {[of: string, figures: Record<string, any>][]} */
  const others = COUNTED.filter((of) => summary.others?.[of]).map((of) => [of, summary.others[of]]);
  const notes = [...run.notes, ...run.region_notes];
  return [
    summary.status === "no_facility" && missing(mode, "no_facility"),
    notes.length > 0 &&
      h(
        "ul",
        { class: "run-notes" },
        notes.map(({ text }) => h("li", {}, text)),
      ),
    countyBlock(summary, { limit: mode.limit, target: mode.target }),
    kinds.length > 1 && [
      heading(c("by_kind"), ruleText(mode)),
      kindRows(kinds, state.kind, (kind) => show({ kind: state.kind === kind ? "" : kind })),
    ],
    others.length > 0 && [heading(c("others")), othersTable(others)],
    mode.towns.length > 1 && [
      heading(c("worst_first"), c("of_households")),
      townRows(mode.towns, mode.target, (id) => show({ grid: id, point: "" })),
    ],
    heading(c("spots"), spotsText(spots)),
    spots.length
      ? spotRows(spots, (spot) => mode.flyToSpot(spot))
      : h("p", { class: "quiet" }, c(mayMeasure() ? "spots_none" : "spots_hidden")),
    h(
      "p",
      { class: "quiet foot" },
      semicolons([
        c("state_network", { n: run.network_id ?? "–" }),
        c("state_run", { n: run.run_id }),
        c("state_software", { version: run.software_version }),
      ]),
    ),
  ];
}

/** @param {CoverageMode} mode */
function ruleText({ standard }) {
  const rule = standard.rule.value;
  return typeof rule === "number" ? c("rule_n", { n: rule, of: standard.kinds.length }) : c(`rule_${rule}`);
}

/** @type {Record<string, "import" | "enter">} */
const WHERE_TO_BRING = { no_roads: "import", no_facility: "enter", no_households: "import" };

/**
 * What is missing, and where to bring it.
 *
 * @param {CoverageMode} mode
 * @param {string} what
 */
export function missing(mode, what) {
  const view = WHERE_TO_BRING[what];
  return h(
    "div",
    { class: "first-step" },
    h("p", {}, c(`empty_${what}`, { what: mode.title })),
    offered(view) &&
      h("button", { type: "button", class: "button", onclick: () => show({ view }) }, c(`empty_${what}_do`)),
  );
}

/**
 * No run yet: say what a run is, and how to start the first.
 *
 * @param {CoverageMode} mode
 */
export const firstStep = (mode) => [
  mode.stations.length === 0 && missing(mode, "no_facility"),
  h(
    "div",
    { class: "first-step" },
    h("p", {}, c("empty_no_run", { what: mode.title, scenario: nameOf(mode.scenario) })),
    h(
      "ol",
      {},
      ["empty_step_1", "empty_step_2", "empty_step_3"].map((step) => h("li", {}, c(step))),
    ),
    !mayMeasure() && h("p", { class: "quiet" }, c("may_not")),
  ),
];

/**
 * When the run was, whether it still holds, and a way to measure anew or to stop that.
 *
 * @param {CoverageMode} mode
 */
export function runLine(mode) {
  const { run, work } = mode;
  if (work.job) return work.line();
  const start = (/** @type {string} */ text, /** @type {string} */ look) =>
    mayMeasure() && h("button", { type: "button", class: look, id: "cover-start", onclick: () => mode.start() }, text);
  if (!run) return h("div", { class: "run-line" }, start(c("start"), "button primary"), work.line());
  const because = semicolons(run.stale_texts);
  return h(
    "div",
    { class: "run-line" },
    h(
      "div",
      { class: "run-when" },
      h("p", { class: "quiet" }, c("run_of", { moment: moment(run.finished_at) })),
      !run.is_stale && start(c("again"), "link"),
    ),
    run.is_stale && h("p", {}, tag(c("stale"), "care"), because && ` ${because}`),
    run.scenario !== mode.scenario.code &&
      h("p", {}, tag(c("other_scenario", { name: mode.scenarioName(run.scenario) }), "care")),
    run.is_stale && start(c("again"), "button primary"),
    work.line(),
  );
}
