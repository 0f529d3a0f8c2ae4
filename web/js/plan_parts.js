// The pieces of the plan panel: bars that move with the hand, rules, changes. None fetches anything.

import { h } from "./dom.js";
import { heading, tag } from "./parts.js";
import { p, pOr } from "./plan_texts.js";
import { listed, moment, nameOf, number } from "./texts.js";

const MOVED = ["households", "people", "buildings", "care_households", "premises", "hazards", "incidents_month"];
const MOST_BARS = 8;
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"FindingAnswer">} Finding */
/** @typedef {Shape<"EditAnswer">} Edit */
/** @typedef {[least: number, most: number] | null | undefined} Target */
/** @typedef {Record<string, any> | null} Load what a grid carries, by what is counted */
/** @typedef {{name?: string, key: string, before?: Load, now?: Load, target?: Target, is_new?: boolean}} LoadOfGrid */
/** @typedef {{properties: {key: string, households?: number, [more: string]: any}}} Face */

/** @type {Record<string, string>} */
const TONE = {
  draft: "good",
  in_review: "care",
  approved: "good",
  published: "",
  withdrawn: "",
  discarded: "",
  conflict: "wrong",
};

/**
 * The state of a plan as a small word.
 *
 * @param {string} status
 */
export const statusTag = (status) => tag(p(`status_${status}`), TONE[status] ?? "");

/**
 * One bar: what the grid carries, where it was, and the green stretch that the rule wants.
 *
 * @param {LoadOfGrid} grid
 * @param {number} most at the end of the scale
 */
function bar({ name, key, before, now, target, is_new: isNew }, most) {
  const was = before?.households ?? null;
  const is = now?.households ?? 0;
  const share = (/** @type {number} */ value) => `${Math.min(100, (value / most) * 100).toFixed(2)}%`;
  const isRight = !target || (is >= target[0] && is <= target[1]);
  const figures = { name: name || key, now: number(is), was: number(was ?? is) };
  const inWords = target
    ? p("bar_said", { ...figures, low: number(target[0]), high: number(target[1]) })
    : p("bar_said_plain", figures);
  return h(
    "div",
    { class: "load", "data-key": key },
    h(
      "div",
      {},
      h("b", {}, name || key, isNew && tag(p("new_mark"), "good")),
      h(
        "span",
        {},
        was !== null && was !== is && `${number(was)} → `,
        h("b", {}, number(is)),
        ` ${p("unit_households")}`,
      ),
    ),
    h(
      "div",
      { class: "gauge", role: "img", "aria-label": inWords },
      target &&
        h("i", {
          class: "target",
          style: { left: share(target[0]), width: `calc(${share(target[1])} - ${share(target[0])})` },
        }),
      h("i", { class: `now${isRight ? "" : " off"}`, style: { width: share(is) } }),
      was !== null && h("i", { class: "was", style: { left: share(was) } }),
    ),
  );
}

/**
 * Both sides of an edit as bars on one scale, the rule, and what moves with the line.
 *
 * @param {LoadOfGrid[]} grids
 */
export function loadBars(grids) {
  const shown = grids.slice(0, MOST_BARS);
  const most = Math.max(
    1,
    ...shown.flatMap(({ before, now, target }) => [
      before?.households ?? 0,
      now?.households ?? 0,
      (target?.[1] ?? 0) * 1.34,
    ]),
  );
  const rules = [
    ...new Set(shown.flatMap(({ target }) => (target ? [target.map((limit) => number(limit)).join("–")] : []))),
  ];
  return h(
    "div",
    { class: "loads" },
    shown.map((grid) => bar(grid, most)),
    h("p", { class: "quiet" }, rules.length > 0 && p("rule_note", { rule: listed(rules) }), movedText(grids)),
  );
}

/**
 * What moves with the line, of all kinds that are counted.
 *
 * @param {LoadOfGrid[]} grids
 */
function movedText(grids) {
  const parts = MOVED.flatMap((kind) => {
    const gained = grids.reduce(
      (sum, { before, now }) => sum + Math.max(0, (now?.[kind] ?? 0) - (before?.[kind] ?? 0)),
      0,
    );
    return gained >= 0.5 ? [p(`moved_${kind}`, { n: number(Math.round(gained)) })] : [];
  });
  return parts.length ? ` ${p("moved", { what: parts.join(" · ") })}` : ` ${p("moved_nothing")}`;
}

/**
 * The grids of a village, each with a bar on one scale.
 *
 * @param {Face[]} faces
 * @param {(key: string) => Target} targetOf
 * @param {(key: string) => void} onPick
 * @param {((key: string) => void) | null} onDivide offered for a grid outside of its rule
 */
export function gridRows(faces, targetOf, onPick, onDivide) {
  const most = Math.max(
    1,
    ...faces.map(({ properties }) => Math.max(properties.households ?? 0, (targetOf(properties.key)?.[1] ?? 0) * 1.34)),
  );
  return h(
    "ul",
    { class: "rows plan-grids" },
    faces.map(({ properties }) => {
      const { key, name = key, households = 0 } = properties;
      const target = targetOf(key);
      const isMisfit = target && (households < target[0] || households > target[1]);
      return h(
        "li",
        { class: isMisfit ? "misfit" : "" },
        h(
          "button",
          { type: "button", onclick: () => onPick(key) },
          bar({ ...properties, now: { households }, target, before: null }, most),
        ),
        isMisfit &&
          onDivide &&
          h(
            "button",
            {
              type: "button",
              class: "button plan-divide",
              "aria-label": p("propose_grid", { name }),
              onclick: () => onDivide(key),
            },
            p("propose_short"),
          ),
      );
    }),
  );
}

/**
 * The rules that a planner knows: kept or not, and where not.
 *
 * @param {Finding[]} findings
 * @param {(finding: Finding) => void} onPlace
 * @param {boolean} [isShort]
 */
export function ruleRows(findings, onPlace, isShort = false) {
  /** @type {Map<string, Finding[]>} */
  const rules = new Map();
  for (const finding of findings) rules.set(finding.rule, [...(rules.get(finding.rule) ?? []), finding]);
  if (!rules.size) return h("p", { class: "kept" }, h("i", { "aria-hidden": "true" }, "✓"), p("rules_kept"));
  return h(
    "ul",
    { class: "rules" },
    [...rules].map(([rule, broken]) =>
      h(
        "li",
        { class: broken[0].severity, "data-rule": rule },
        h("i", { "aria-label": p(broken[0].severity) }, broken[0].severity === "error" ? "×" : "!"),
        h(
          "div",
          {},
          h("b", {}, pOr(`rule_${rule}`, rule), broken.length > 1 && h("small", {}, ` ${number(broken.length)}`)),
          broken
            .slice(0, isShort ? 2 : 20)
            .map((finding) =>
              h("button", { type: "button", class: "link", onclick: () => onPlace(finding) }, finding.text),
            ),
        ),
      ),
    ),
  );
}

/**
 * What was done, the newest first.
 *
 * @param {Edit[] | undefined} edits
 */
export function changeRows(edits) {
  if (!edits?.length) return h("p", { class: "quiet" }, p("no_changes"));
  return h(
    "ol",
    { class: "changes", reversed: true },
    [...edits]
      .reverse()
      .map(({ seq, summary, edit, actor, at }) =>
        h(
          "li",
          {},
          h("span", {}, h("b", {}, seq), ` ${summary || p(`kind_${edit.kind}`)}`),
          h("small", {}, [actorName(actor), at && moment(at)].filter(Boolean).join(" · ")),
        ),
      ),
  );
}

/**
 * Who did something, however the server names an actor.
 *
 * @param {string | import("../types/page.js").Named | null | undefined} actor
 */
export const actorName = (actor) => (typeof actor === "string" ? actor : actor ? nameOf(actor) : "");

/**
 * Who decided what on a plan, when and why.
 *
 * @param {Shape<"ReviewAnswer">} review
 */
export const reviewLine = (review) =>
  h(
    "p",
    {},
    h("b", {}, actorName(review.actor)),
    ` ${p(`review_${review.decision}`)}`,
    review.text && `：${review.text}`,
    h("small", { class: "quiet" }, ` ${review.at ? moment(review.at) : ""}`),
  );

/**
 * A section that says what the other planner did, and offers both ways out.
 *
 * @param {{since: Edit[], message: string}} conflict
 * @param {{onTop: () => void, drop: () => void}} ways
 */
export function conflictParts({ since, message }, { onTop, drop }) {
  return h(
    "section",
    { class: "conflict", role: "alert" },
    heading(p("conflict")),
    h("p", {}, message),
    changeRows(since),
    h("p", { class: "quiet" }, p("conflict_how")),
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "button", class: "button primary", id: "plan-on-top", onclick: onTop }, p("conflict_on_top")),
      h("button", { type: "button", class: "button", id: "plan-theirs", onclick: drop }, p("conflict_theirs")),
    ),
  );
}
