// The pieces the panel is made of. Each returns an element; none fetches anything.

import { h } from "./dom.js";
import { kindName } from "./figures.js";
import { symbol } from "./symbols.js";
import { isEnglish, labelOf, number, percent, t, tOr } from "./texts.js";

/** @import { Children } from "./dom.js" */
/** @import { Shape } from "../types/answers.js" */
/** @import { Point } from "../types/page.js" */
/** @typedef {Record<string, any>} Shares covered, too_far, unreachable, off_network of n households */

const CATEGORIES = ["covered", "too_far", "unreachable", "off_network"];

/**
 * A heading of a section inside the panel.
 *
 * @param {string} text
 * @param {string | false} [note]
 */
export const heading = (text, note = "") => h("h3", {}, text, note && h("small", {}, note));

/**
 * A line of a name and a figure.
 *
 * @param {string} name
 * @param {Children} value
 * @param {string} [tone]
 */
export const line = (name, value, tone = "") =>
  h("div", { class: `line ${tone}` }, h("span", {}, name), h("b", {}, value));

/**
 * Four or so figures in a row.
 *
 * @param {(string | Children)[][]} entries name, figure and tone of each
 */
export const tiles = (entries) =>
  h(
    "dl",
    { class: "tiles" },
    entries.map(([name, value, tone = ""]) => h("div", { class: tone }, h("dt", {}, name), h("dd", {}, value))),
  );

/**
 * The code in groups that can be read aloud.
 *
 * @param {{code: string, code_groups?: string[] | null}} grid
 */
export function codeLine(grid) {
  const groups = grid.code_groups?.length ? grid.code_groups : [grid.code];
  return h("p", { class: "code", "aria-label": groups.join(" ") }, groups.join(" · "));
}

/**
 * The chain from the county down, each a button.
 *
 * @param {{grid_id: number, chain: {grid_id: number, name: string}[]}} grid
 * @param {(id: number) => void} onPick
 */
export const chainLine = (grid, onPick) =>
  h(
    "nav",
    { class: "chain", "aria-label": t("chain") },
    grid.chain.map((step, i) => [
      i > 0 && h("span", { "aria-hidden": "true" }, "›"),
      step.grid_id === grid.grid_id
        ? h("span", { "aria-current": "true" }, step.name)
        : h("button", { type: "button", class: "link", onclick: () => onPick(step.grid_id) }, step.name),
    ]),
  );

/**
 * A small word in a coloured field.
 *
 * @param {string} text
 * @param {string} [tone]
 */
export const tag = (text, tone = "") => h("span", { class: `tag ${tone}` }, text);

/**
 * Eleven digits in the groups in which they are said; others as they are.
 *
 * @param {string} text
 */
const spoken = (text) => text.replace(/^(\d{3})(\d{4})(\d{4})$/, "$1 $2 $3");

/**
 * A telephone number that dials.
 *
 * @param {string} text
 */
export const phone = (text) =>
  h(
    "a",
    { class: "phone", href: `tel:${text.replace(/[^\d+]/g, "")}`, "aria-label": t("dial", { phone: spoken(text) }) },
    spoken(text),
  );

/**
 * One officer: post, name, telephone.
 *
 * @param {any} officer
 */
export function officerCard(officer) {
  const post = officer.role === "head" ? t("head") : t("post", { post: officer.post });
  const kind =
    officer.role === "head" ? t("post", { post: officer.post }) : t(officer.full_time ? "full_time" : "part_time");
  return h(
    "div",
    { class: "officer" },
    h(
      "div",
      { class: "who" },
      h("b", {}, `${post} ${officer.name}`),
      h("small", {}, kind, officer.on_leave ? tag(t("on_leave"), "care") : h("span", {}, ` · ${t("on_duty")}`)),
    ),
    officer.phone && phone(officer.phone),
  );
}

/**
 * The four answers of coverage as one thin bar that adds up.
 *
 * @param {Shares} figures
 * @param {boolean} [isLabelled]
 */
export function coverageBar(figures, isLabelled = true) {
  if (figures.n === null) return h("p", { class: "quiet" }, t(figures.share === null ? "hidden_small" : "share_only"));
  if (figures.n === 0) return h("p", { class: "quiet" }, t("none_live_here"));
  /** @param {string} name */
  const share = (name) => figures[name] / figures.n;
  const inWords = CATEGORIES.map((name) => `${t(`cover_${name}`)} ${number(figures[name])}`).join(
    isEnglish ? ", " : "，",
  );
  return h(
    "div",
    { class: "cover" },
    h(
      "div",
      { class: "stack", role: "img", "aria-label": inWords },
      CATEGORIES.map(
        (name) =>
          figures[name] > 0 && h("i", { class: name, style: { flexGrow: String(Math.max(share(name), 0.006)) } }),
      ),
    ),
    isLabelled &&
      h(
        "ul",
        { class: "adds-up" },
        CATEGORIES.map((name) =>
          h("li", {}, h("i", { class: name }), t(`cover_${name}`), h("b", {}, number(figures[name]))),
        ),
      ),
  );
}

/**
 * One standard: its share, of how many, the bar, and each kind of service.
 *
 * @param {string} standard
 * @param {Shares} figures
 * @param {(theme: string) => void} onTheme
 */
export function coverageBlock(standard, figures, onTheme) {
  const kinds = Object.entries(figures.kinds ?? {});
  /** @param {string} theme */
  const choose = (theme) => () => onTheme(theme);
  return h(
    "section",
    { class: "standard" },
    h(
      "button",
      { type: "button", class: "headline", onclick: choose(standard), title: t("show_theme") },
      h(
        "span",
        {},
        tOr(`theme_${standard}`, standard),
        h("small", {}, figures.n === null ? t("of_households_plain") : t("of_households", { n: number(figures.n) })),
      ),
      h("b", {}, percent(figures.share)),
    ),
    coverageBar(figures),
    figures.median_minutes !== null &&
      figures.median_minutes !== undefined &&
      h(
        "p",
        { class: "quiet" },
        t("minutes_line", { median: number(figures.median_minutes, 1), p90: number(figures.p90_minutes, 1) }),
      ),
    kinds.length > 1 &&
      h(
        "details",
        {},
        h("summary", {}, t("by_kind", { n: kinds.length })),
        kinds.map(([kind, of]) =>
          h(
            "button",
            { type: "button", class: "kind", onclick: choose(`${standard}:${kind}`) },
            symbol(kind, 18),
            h("span", {}, kindName(kind)),
            of.status === "no_facility" ? tag(t("no_facility_short"), "care") : h("b", {}, percent(of.share)),
            of.n > 0 && coverageBar(of, false),
          ),
        ),
      ),
  );
}

/**
 * The name of a level with its grids' kind.
 *
 * @param {{level?: object | null, kind?: string | null}} grid
 */
export const levelLine = (grid) =>
  [labelOf(grid.level ?? {}), grid.kind === "dedicated" ? t("dedicated") : ""].filter(Boolean).join(" · ");

/**
 * A row of a list that leads to what it names: to its place on the map, to its sheet.
 *
 * Beside the name stand a note below it, a figure (text or an element) and the sign of a kind; what else is
 * given goes into the button.
 *
 * @param {() => void} onPick
 * @param {string} name
 * @param {{note?: string, figure?: string | Node | false | null, sign?: string, [attribute: string]: any}} [more]
 */
export const row = (onPick, name, { note = "", figure = "", sign = "", ...attributes } = {}) =>
  h(
    "li",
    {},
    h(
      "button",
      { type: "button", onclick: onPick, ...attributes },
      sign && symbol(sign, 20),
      h("span", { class: sign && "wide" }, name, note && h("small", {}, note)),
      figure && (figure instanceof Node ? figure : h("b", {}, figure)),
    ),
  );

/**
 * A field of a form: what it is called, its control, what helps to fill it in, and room for what is wrong.
 *
 * A group of controls has no one control that a label could name; a flag stands before its label.
 *
 * @param {import("./dom.js").Children} label
 * @param {HTMLElement} control
 * @param {{id?: string, name?: string, kind?: string, hint?: string, isGroup?: boolean}} [more]
 */
export function field(label, control, { id = control.id, name = id, kind = "", hint = "", isGroup = false } = {}) {
  const title = h(isGroup ? "span" : "label", { for: !isGroup && id, class: "name" }, label);
  return h(
    "div",
    { class: `field ${kind}`, data: { field: name } },
    kind === "flag" ? h("div", { class: "flagged" }, control, title) : [title, control],
    h("p", { class: "hint", id: `${id}-hint`, hidden: !hint }, hint),
    h("p", { class: "fault", id: `${id}-fault`, hidden: true }),
  );
}

/**
 * Say beside a field what is wrong with it; nothing is wrong where there is no text.
 *
 * @param {Element} element
 * @param {string} text
 */
export function sayFault(element, text) {
  const fault = /** @type {HTMLElement} */ (element.querySelector(".fault"));
  fault.textContent = text;
  fault.hidden = !text;
  element.classList.toggle("wrong", Boolean(text));
}

/**
 * What stands where something could not be shown, with what to do.
 *
 * @param {string} message
 * @param {() => void} [onAgain]
 */
export const trouble = (message, onAgain) =>
  h(
    "div",
    { class: "trouble", role: "alert" },
    h("p", {}, message),
    onAgain && h("button", { type: "button", class: "button", onclick: onAgain }, t("try_again")),
  );
