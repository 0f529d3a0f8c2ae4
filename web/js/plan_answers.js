// Proposed answers side by side: what each costs, beside today and beside the least possible. Nothing is fetched here.

import { h } from "./dom.js";
import { heading } from "./parts.js";
import { p, pOr } from "./plan_texts.js";
import { number, percent } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"OfficerCosts">} OfficerCosts households that a grid gains and loses */
/** @typedef {Shape<"CostsAnswer">} Costs */
/** @typedef {{type: string, features: {geometry: import("./plan_geometry.js").Land, properties: Shape<"ProposedFace">}[]}} AnswerFaces */
/** @typedef {{name: string, costs: Costs, faces: AnswerFaces, edit: import("./plan_draft.js").Edit}} Answer */
/** @typedef {Shape<"BoundsAnswer">} Bounds the least that any answer can do with */
/** @typedef {{text: string, place: GeoJSON.Geometry | null}} Told */
/** @typedef {{proposal_id: number | null, scope: object, today: Costs, bounds: Bounds, told: Told[], answers: Answer[]}} Proposal */

/**
 * @typedef {object} Figure
 * @property {string} name of the text
 * @property {(costs: Costs) => number | null} value
 * @property {(value: number | null, costs: Costs) => string} text
 * @property {1 | -1} [better] whether more or less is better; what moves has no today to be compared with
 * @property {(bounds: Bounds) => number | null} [least]
 */

/** @param {number | null} value */
const count = (value) => number(value);
/** @param {number | null} value */
const kilometres = (value) => (value === null ? "–" : `${number(value / 1000, 1)} km`);

/** @type {Figure[]} */
const FIGURES = [
  {
    name: "inside",
    value: ({ inside }) => inside,
    text: (value, { of }) => `${number(value)} / ${number(of)}`,
    better: 1,
  },
  { name: "grids_changed", value: (costs) => costs.grids_changed, text: count },
  { name: "households_moved", value: (costs) => costs.households_moved, text: count, least: ({ moves }) => moves },
  { name: "people_moved", value: (costs) => costs.people_moved, text: count },
  { name: "officers", value: ({ officers }) => officers.filter(({ officer }) => officer).length, text: count },
  { name: "buildings_cut", value: (costs) => costs.buildings_cut, text: count },
  { name: "along_streets", value: (costs) => costs.along_streets, text: (value) => percent(value, 0), better: 1 },
  {
    name: "border",
    value: (costs) => costs.border_m,
    text: kilometres,
    better: -1,
    least: ({ border_m: most }) => most,
  },
  { name: "new_border", value: (costs) => costs.new_border_m, text: kilometres },
  { name: "compactness", value: (costs) => costs.compactness, text: (value) => number(value, 2), better: 1 },
];

/**
 * What an answer is called.
 *
 * @param {string} name
 */
export const answerName = (name) => pOr(`answer_${name}`, name);

/**
 * Every figure as a row: today's, each answer's with how it compares, and the least possible.
 *
 * @param {Pick<Proposal, "today" | "bounds">} proposal
 * @param {Answer[]} answers
 */
export function figureRows({ today, bounds }, answers) {
  return FIGURES.map(({ name, value, text, better, least }) => {
    const now = better ? value(today) : null;
    const bound = least ? least(bounds) : undefined;
    return {
      name,
      today: better ? text(now, today) : "–",
      least: bound === undefined ? "" : bound === null ? p("no_bound") : text(bound, today),
      values: answers.map(({ costs }) => {
        const is = value(costs);
        const change = is !== null && now !== null ? is - now : 0;
        const written = text(Math.abs(change), today).split(" / ")[0];
        const isSame = change === 0 || written === text(0, today).split(" / ")[0];
        return {
          text: text(is, costs),
          change: isSame ? "" : `${change > 0 ? "+" : "−"}${written}`,
          tone: isSame ? "" : change * (better ?? 1) > 0 ? "better" : "worse",
          isLeast: typeof bound === "number" && is !== null && is <= bound,
        };
      }),
    };
  });
}

/**
 * The answers as a table whose heads choose one; on a narrow page each column becomes a card.
 *
 * @param {Proposal} proposal
 * @param {Answer[]} answers
 * @param {string} chosen name of the answer
 * @param {(name: string) => void} onChoose
 */
export function answersTable(proposal, answers, chosen, onChoose) {
  const rows = figureRows(proposal, answers);
  const last = answers.length + 1;
  // A card is a column: its cells keep together by their order.
  /**
   * @param {number} column
   * @param {number} row
   */
  const order = (column, row) => ({ order: String(column * 100 + row) });
  /** @param {boolean} isChosen */
  const chosenClass = (isChosen) => (isChosen ? "chosen" : "");
  return h(
    "fieldset",
    { class: "answers", role: "radiogroup" },
    h("legend", { class: "unseen" }, p("answers")),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td", { class: "corner" }),
          h("th", { scope: "col", class: "today", style: order(0, 0) }, p("today")),
          answers.map(({ name }, i) =>
            h(
              "th",
              { scope: "col", class: chosenClass(name === chosen), style: order(i + 1, 0) },
              h(
                "label",
                {},
                h("input", {
                  type: "radio",
                  name: "answer",
                  id: `answer-${name}`,
                  value: name,
                  checked: name === chosen,
                  onchange: () => onChoose(name),
                }),
                h("span", {}, answerName(name)),
              ),
            ),
          ),
          h("th", { scope: "col", class: "least", style: order(last, 0) }, p("least_possible")),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(({ name, today, least, values }, row) => {
          const label = p(`cost_${name}`);
          return h(
            "tr",
            { "data-figure": name },
            h("th", { scope: "row" }, label),
            h("td", { class: "today", "data-label": label, style: order(0, row + 1) }, today),
            values.map(({ text, change, tone, isLeast }, i) =>
              h(
                "td",
                {
                  class: chosenClass(answers[i].name === chosen),
                  "data-label": label,
                  "data-answer": answers[i].name,
                  style: order(i + 1, row + 1),
                },
                h("b", {}, text),
                change &&
                  h(
                    "small",
                    { class: tone },
                    h("i", { "aria-hidden": "true" }, tone === "better" ? "✓ " : "! "),
                    change,
                    h("span", { class: "unseen" }, ` ${p(`change_${tone}`)}`),
                  ),
                isLeast && h("small", { class: "better" }, h("i", { "aria-hidden": "true" }, "✓ "), p("is_least")),
              ),
            ),
            h("td", { class: `least${least ? "" : " none"}`, "data-label": label, style: order(last, row + 1) }, least),
          );
        }),
      ),
    ),
  );
}

/**
 * The officers whose households become more or fewer.
 *
 * @param {OfficerCosts[]} officers
 */
export function officerRows(officers) {
  if (!officers.length) return null;
  return h(
    "details",
    { class: "officer-costs" },
    h("summary", {}, p("officers_n", { n: number(officers.length) })),
    h(
      "ul",
      { class: "plain" },
      officers.map(({ name, officer, gains, loses }) =>
        h(
          "li",
          {},
          h("span", {}, name, !officer && h("small", {}, ` ${p("without_officer")}`)),
          h("b", {}, [gains > 0 && `+${number(gains)}`, loses > 0 && `−${number(loses)}`].filter(Boolean).join(" · ")),
        ),
      ),
    ),
  );
}

/**
 * What could not be done as it should be, each with the way there.
 *
 * @param {Told[]} told
 * @param {(told: Told) => void} onPlace
 */
export function toldRows(told, onPlace) {
  if (!told.length) return null;
  return h(
    "section",
    { class: "told" },
    heading(p("told")),
    h(
      "ul",
      { class: "plain" },
      told.map((sentence) =>
        h(
          "li",
          {},
          h("span", {}, sentence.text),
          sentence.place &&
            h("button", { type: "button", class: "link", onclick: () => onPlace(sentence) }, p("fly_there")),
        ),
      ),
    ),
  );
}
