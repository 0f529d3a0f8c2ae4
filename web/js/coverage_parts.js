// The pieces of the coverage panel: figures large, towns, blind spots. None fetches anything.

import { c, dotted, minutes, points, signed } from "./coverage_texts.js";
import { h } from "./dom.js";
import { kindName } from "./figures.js";
import { offered } from "./offers.js";
import { coverageBar, heading, row, tag } from "./parts.js";
import { symbol } from "./symbols.js";
import { number, percent, t } from "./texts.js";

/** @import { Children } from "./dom.js" */
/** @import { Shape } from "../types/answers.js" */
/** @import { Shares } from "./parts.js" */
/** @typedef {Shape<"GridFiguresAnswer">} Town */
/** @typedef {Shape<"BlindSpot">} Spot */

const FIRST = 6;
const MOST_TOWNS = 8;
const OTHERS_CHANGED = ["people", "care_households", "premises"];
export const MOST_SPOTS = 300;

/** Whether this actor may start runs and ask "what if". */
export const mayMeasure = () => offered("measure");

/**
 * The head of a panel of the mode.
 *
 * @param {string} above in small
 * @param {string} title
 */
export const panelTitle = (above, title) => [h("p", { class: "eyebrow" }, above), h("h2", {}, title)];

/**
 * The county's share in large, of how many, against the target.
 *
 * @param {Shares} summary
 * @param {{limit: number, target: number | null | undefined}} standard
 */
export function countyBlock(summary, { limit, target }) {
  const isGood = summary.share !== null && summary.share >= (target ?? 0);
  return h(
    "section",
    { class: "county-share" },
    h(
      "p",
      { class: "big" },
      h("b", {}, percent(summary.share)),
      h(
        "span",
        {},
        summary.n === undefined || summary.n === null
          ? ""
          : c("reached_of", { covered: number(summary.covered), n: number(summary.n), limit: number(limit) }),
      ),
    ),
    target !== undefined &&
      target !== null &&
      h(
        "p",
        {},
        tag(c(isGood ? "target_met" : "target_missed", { target: percent(target) }), isGood ? "good" : "care"),
      ),
    summary.n !== undefined && summary.n !== null && coverageBar(summary),
    summary.median_minutes !== null &&
      summary.median_minutes !== undefined &&
      h(
        "dl",
        { class: "tiles" },
        ["median", "p90", "worst"].map((key) =>
          h(
            "div",
            {},
            h("dt", {}, c(`minutes_${key}`)),
            h("dd", {}, number(summary[`${key}_minutes`], 1), h("small", {}, ` ${c("unit_minutes")}`)),
          ),
        ),
      ),
  );
}

/**
 * Every kind of service by itself; a click colours the map by it.
 *
 * @param {[kind: string, figures: Shares][]} kinds
 * @param {string} chosen
 * @param {(kind: string) => void} onPick
 */
export const kindRows = (kinds, chosen, onPick) =>
  h(
    "div",
    { class: "standard" },
    kinds.map(([kind, of]) =>
      h(
        "button",
        { type: "button", class: "kind", "aria-pressed": String(kind === chosen), onclick: () => onPick(kind) },
        symbol(kind, 18),
        h("span", {}, kindName(kind)),
        of.status === "no_facility" ? tag(t("no_facility_short"), "care") : h("b", {}, percent(of.share)),
        of.n > 0 && coverageBar(of, false),
      ),
    ),
  );

/**
 * People, care households, buildings, premises, hazards.
 *
 * @param {[of: string, figures: Shares][]} others
 */
export const othersTable = (others) =>
  h(
    "table",
    { class: "figures" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["counted", "all", "reached", "share"].map((name) => h("th", { scope: "col" }, c(`col_${name}`))),
      ),
    ),
    h(
      "tbody",
      {},
      others.map(([of, figures]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, c(`of_${of}`)),
          h("td", {}, number(figures.n)),
          h("td", {}, number(figures.covered)),
          h("td", {}, h("b", {}, percent(figures.share))),
        ),
      ),
    ),
  );

/**
 * The first of a list, the others behind a word.
 *
 * @param {HTMLElement[]} rows
 * @param {number} [first]
 */
export function more(rows, first = FIRST) {
  const list = (/** @type {HTMLElement[]} */ some) => h("ul", { class: "rows" }, some);
  if (rows.length <= first + 1) return list(rows);
  return [
    list(rows.slice(0, first)),
    h(
      "details",
      { class: "more" },
      h("summary", {}, c("more_n", { n: number(rows.length - first) })),
      list(rows.slice(first)),
    ),
  ];
}

/**
 * Towns, the worst first, each with a bar against the target.
 *
 * @param {Town[]} towns
 * @param {number} target
 * @param {(id: number) => void} onPick
 */
export function townRows(towns, target, onPick) {
  const known = towns
    .flatMap(({ share, ...town }) => (share === null ? [] : { ...town, share }))
    .sort((a, b) => a.share - b.share);
  return more(
    known.map((town) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "town-row", title: t("fly_there"), onclick: () => onPick(town.grid_id) },
          h(
            "span",
            {},
            town.name,
            town.n !== null && h("small", {}, c("left_out", { n: number(town.n - (town.covered ?? 0)) })),
          ),
          h(
            "i",
            { class: "meter", "aria-hidden": "true" },
            h("i", { class: town.share >= target ? "good" : "care", style: { width: `${town.share * 100}%` } }),
            h("i", { class: "goal", style: { left: `${target * 100}%` } }),
          ),
          h("b", {}, percent(town.share)),
        ),
      ),
    ),
  );
}

/**
 * How many blind spots are listed, and who lives there.
 *
 * @param {Spot[]} spots
 */
export const spotsText = (spots) =>
  spots.length
    ? c(spots.length < MOST_SPOTS ? "spots_n" : "spots_largest", {
        n: number(spots.length),
        households: number(spots.reduce((sum, spot) => sum + spot.households, 0)),
      })
    : "";

/**
 * Blind spots, the largest first; each flies there.
 *
 * @param {Spot[]} spots
 * @param {(spot: Spot) => void} onPick
 */
export const spotRows = (spots, onPick) =>
  more(
    spots.map((spot) =>
      row(() => onPick(spot), spot.name, {
        class: "spot",
        title: t("fly_there"),
        note: dotted([
          c(`reason_${spot.reason}`),
          spot.worst_minutes !== null && c("up_to", { minutes: minutes(spot.worst_minutes) }),
        ]),
        figure: h(
          "b",
          {},
          c("households_n", { n: number(spot.households) }),
          h("small", {}, c("people_n", { n: number(spot.people) })),
        ),
      }),
    ),
    8,
  );

/**
 * A figure before and after, with what is between them.
 *
 * @param {string} name
 * @param {string} before
 * @param {string} after
 * @param {Children} change
 * @param {string} [tone]
 */
export function beforeAfter(name, before, after, change, tone = "") {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name),
    h("td", {}, before),
    h("td", {}, h("b", {}, after)),
    h("td", { class: tone }, change),
  );
}

/**
 * The tone of a difference: more is good here.
 *
 * @param {number} difference
 */
export const toneOf = (difference) => (difference > 1e-9 ? "up" : difference < -1e-9 ? "down" : "");

/**
 * A table of figures before and after.
 *
 * @param {string[]} heads
 * @param {Children} rows
 */
export const changeTable = (heads, rows) =>
  h(
    "table",
    { class: "figures" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((head) => h("th", { scope: "col" }, head)),
      ),
    ),
    h("tbody", {}, rows),
  );

/**
 * One line of share and minutes of two states.
 *
 * @param {string} name
 * @param {Shares | undefined} before
 * @param {Shares | undefined} after
 */
export const shareRow = (name, before, after) =>
  beforeAfter(
    name,
    percent(before?.share),
    percent(after?.share),
    points(before?.share, after?.share),
    toneOf((after?.share ?? 0) - (before?.share ?? 0)),
  );

/**
 * Households gained and lost as one sentence.
 *
 * @param {number} gained
 * @param {number} lost
 */
export const gainedLost = (gained, lost) =>
  h(
    "p",
    { class: "gained" },
    h("span", { class: "up" }, c("gained", { n: number(gained) })),
    h("span", { class: "down" }, c("lost", { n: number(lost) })),
    h("b", {}, c("net", { n: signed(gained - lost) })),
  );

/**
 * The table of what changes leave of the county's figures.
 *
 * @param {Shape<"WhatIfAnswer">} answer
 */
function countyChanges({ before, after }) {
  const others = OTHERS_CHANGED.filter((of) => after.others?.[of]);
  const counted = [
    { name: c("of_households"), a: before.covered, b: after.covered },
    ...others.map((of) => ({ name: c(`of_${of}`), a: before.others[of].covered, b: after.others[of].covered })),
  ];
  const slower = (after.median_minutes ?? 0) - (before.median_minutes ?? 0);
  return changeTable(
    [c("col_counted"), c("col_before"), c("col_after"), c("col_change")],
    [
      ...counted.map(({ name, a, b }) => beforeAfter(name, number(a), number(b), signed(b - a), toneOf(b - a))),
      beforeAfter(
        c("minutes_median"),
        minutes(before.median_minutes),
        minutes(after.median_minutes),
        signed(slower, 1),
        toneOf(-slower),
      ),
    ],
  );
}

/**
 * What changes would bring: the county's share in large, who gains and loses, the towns that change most.
 *
 * @param {Shape<"WhatIfAnswer">} answer
 */
export function changedFigures(answer) {
  const { before, after } = answer;
  const gain = (/** @type {Shares} */ town) => town.after.covered - town.before.covered;
  const towns = answer.towns
    .filter((town) => gain(town) || town.before.n !== town.after.n)
    .sort((a, b) => Math.abs(gain(b)) - Math.abs(gain(a)));
  return [
    h(
      "p",
      { class: "big" },
      h("b", { id: "what-if-share" }, percent(after.share)),
      h(
        "span",
        {},
        c("was", { share: percent(before.share) }),
        h("em", { class: toneOf((after.share ?? 0) - (before.share ?? 0)) }, points(before.share, after.share)),
      ),
    ),
    gainedLost(answer.gained, answer.lost),
    countyChanges(answer),
    towns.length > 0 && [
      heading(c("towns_changed")),
      changeTable(
        [c("col_town"), c("col_before"), c("col_after"), c("col_change")],
        towns.slice(0, MOST_TOWNS).map((town) => shareRow(town.name, town.before, town.after)),
      ),
    ],
    h(
      "p",
      { class: "quiet" },
      c("answered_in", { seconds: number(answer.seconds, 2), grids: number(answer.grids.length) }),
    ),
  ];
}
