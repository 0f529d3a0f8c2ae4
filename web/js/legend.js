// The legend: variable, unit, of what a percentage is, grids in each class, the date.

import { at, h, isFlat, isNarrow, keepingFocus } from "./dom.js";
import { STANDARDS, classOf, colourFor, isMeasured, themeName } from "./figures.js";
import { show, state } from "./state.js";
import { day, labelOf, number, t } from "./texts.js";

/** @import { Figures } from "../types/page.js" */
/** @typedef {{label?: string, label_en?: string}} Level */
/** @typedef {{menu: () => HTMLSelectElement, extra: () => import("./dom.js").Children}} Lent */

const PLAIN = ["households", "people", "hazards", "incidents"];

/**
 * The menu that chooses the variable.
 *
 * @param {Record<string, string[]>} kinds of facility by standard
 */
function themeMenu(kinds) {
  /**
   * @param {string} theme
   * @param {string} [text]
   */
  const option = (theme, text = themeName(theme)) =>
    h("option", { value: theme, selected: theme === state.theme }, text);
  return h(
    "select",
    { id: "theme", "aria-label": t("theme"), onchange: (event) => show({ theme: event.target.value }) },
    PLAIN.map((theme) => option(theme)),
    STANDARDS.map((standard) =>
      h(
        "optgroup",
        { label: themeName(standard) },
        option(standard),
        (kinds[standard] ?? []).map((kind) => option(`${standard}:${kind}`)),
      ),
    ),
    option("none", t("theme_none")),
  );
}

const WHY_EMPTY = ["no_facility", "no_run", "no_roads", "no_households"];

/**
 * Says where it stands: unit, level, date.
 *
 * @param {Figures} figures
 * @param {Level} level
 */
const subtitle = (figures, level) =>
  [figures.unit, t("by_level", { level: labelOf(level) }), day(figures.day)].join(" · ");

export class Legend {
  /** @param {Element} control that switches layers */
  constructor(control) {
    this.control = control;
    /** @type {Record<string, string[]>} */
    this.kinds = {};
    /** @type {Lent | null} */
    this.lent = null;
    this.layersOpen = false;
    this.isOpen = !isNarrow() && !isFlat();
  }

  /**
   * A mode brings a menu and rows of its own: {menu, extra}, functions that make them; null takes them away.
   *
   * @param {Lent | null} parts
   */
  lend(parts) {
    this.lent = parts;
  }

  /**
   * Offer the kinds of facility by standard.
   *
   * @param {Record<string, string[]>} kinds
   */
  offer(kinds) {
    this.kinds = kinds;
  }

  /**
   * Show the classes of the figures on the map; none while there are none.
   *
   * @param {Figures | null} figures
   * @param {Level} level
   * @param {string} [message]
   */
  update(figures, level, message = "") {
    /** @type {import("./dom.js").Child[]} */
    const rows = [];
    if (message) rows.push(h("p", { class: "quiet" }, message));
    if (figures && WHY_EMPTY.includes(figures.status)) {
      rows.push(h("p", {}, t(figures.status, { what: figures.title ?? themeName(figures.theme) })));
    }
    if (figures && isMeasured(figures)) {
      rows.unshift(h("p", { class: "quiet" }, subtitle(figures, level)));
      const unclassed = Object.keys(figures.values).filter((id) => classOf(figures, id) < 0);
      const without = unclassed.filter((id) => figures.values[id] === null).length;
      const hasClasses = unclassed.length < Object.keys(figures.values).length;
      const unruled = unclassed.length - without;
      rows.push(
        h(
          "ul",
          { class: "classes", "aria-label": t("classes") },
          hasClasses &&
            figures.classes.map((entry) =>
              h(
                "li",
                {},
                h("i", { style: { backgroundColor: colourFor(entry.colour) } }),
                h("span", {}, entry.label),
                h("b", {}, number(entry.count)),
              ),
            ),
          unruled > 0 &&
            h("li", {}, h("i", { class: "empty" }), h("span", {}, t("no_rule")), h("b", {}, number(unruled))),
          without > 0 &&
            h("li", {}, h("i", { class: "empty" }), h("span", {}, t("no_figure")), h("b", {}, number(without))),
        ),
      );
      rows.push(h("p", { class: "quiet" }, figures.of), h("p", { class: "quiet of-draft" }, t("counts_published")));
    }
    const layers = h(
      "details",
      {
        class: "layers",
        id: "layers-details",
        open: this.layersOpen,
        ontoggle: (event) => (this.layersOpen = event.target.open),
      },
      h("summary", {}, t("layers")),
      this.control,
    );
    const menu = this.lent?.menu() ?? themeMenu(this.kinds);
    keepingFocus(() =>
      at("legend").replaceChildren(
        h(
          "details",
          {
            id: "legend-details",
            open: this.isOpen,
            ontoggle: (event) => {
              if (event.target.id === "legend-details") this.isOpen = event.target.open;
            },
          },
          h(
            "summary",
            {},
            h("span", { class: "theme-now" }, figures?.short ?? menu.selectedOptions[0].text),
            h("span", { class: "legend-word" }, t("legend")),
          ),
          h("label", { class: "theme-choice" }, menu),
          rows,
          this.lent?.extra() ?? [],
          layers,
        ),
      ),
    );
  }
}
