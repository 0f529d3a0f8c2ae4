// The legend: variable, unit, of what a percentage is, grids in each class, the date.

import { at, h, isFlat, isNarrow, keepingFocus } from "./dom.js";
import { STANDARDS, classOf, isMeasured, kindName, themeName } from "./figures.js";
import { mapNow, themeNow } from "./map_modes.js";
import { colourFor } from "./palette.js";
import { show } from "./state.js";
import { symbol } from "./symbols.js";
import { day, labelOf, number, t } from "./texts.js";

/** @import { Figures } from "../types/page.js" */
/** @typedef {{label?: string, label_en?: string}} Level */
/** @typedef {{menu: () => HTMLSelectElement, extra: () => import("./dom.js").Children}} Lent */

/**
 * The menu that chooses the variable among those of the mode; where it has one only, its name.
 *
 * @param {Record<string, string[]>} kinds of facility by standard
 */
function themeMenu(kinds) {
  const { themes } = mapNow();
  if (themes.length === 1) return h("b", { class: "theme-only" }, themeName(themes[0]));
  const chosen = themeNow();
  /** @param {string} theme */
  const option = (theme) =>
    h("option", { value: theme, selected: theme === chosen }, theme === "none" ? t("theme_none") : themeName(theme));
  return h(
    "select",
    { id: "theme", "aria-label": t("theme"), onchange: (event) => show({ theme: event.target.value }) },
    themes.map((theme) =>
      STANDARDS.includes(theme)
        ? h(
            "optgroup",
            { label: themeName(theme) },
            option(theme),
            (kinds[theme] ?? []).map((kind) => option(`${theme}:${kind}`)),
          )
        : option(theme),
    ),
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

/**
 * The classes of what colours the map, with how many grids are in each.
 *
 * @param {Figures} figures
 */
function classRows(figures) {
  const unclassed = Object.keys(figures.values).filter((id) => classOf(figures, id) < 0);
  const without = unclassed.filter((id) => figures.values[id] === null).length;
  const hasClasses = unclassed.length < Object.keys(figures.values).length;
  const unruled = unclassed.length - without;
  /**
   * @param {string} text
   * @param {number} count
   * @param {string} [colour]
   */
  const classRow = (text, count, colour = "") =>
    h(
      "li",
      {},
      colour ? h("i", { style: { backgroundColor: colour } }) : h("i", { class: "empty" }),
      h("span", {}, text),
      h("b", {}, number(count)),
    );
  return h(
    "ul",
    { class: "classes", "aria-label": t("classes") },
    hasClasses && figures.classes.map(({ label, count, colour }) => classRow(label, count, colourFor(colour))),
    unruled > 0 && classRow(t("no_rule"), unruled),
    without > 0 && classRow(t("no_figure"), without),
  );
}

/**
 * The kinds of symbols that are on the map, with how many of each the county has.
 *
 * @param {Map<string, number>} kinds
 */
const symbolRows = (kinds) =>
  h(
    "ul",
    { class: "classes symbols", "aria-label": t("layers") },
    [...kinds].map(([kind, count]) =>
      h("li", {}, symbol(kind, 18), h("span", {}, kindName(kind)), h("b", {}, number(count))),
    ),
  );

export class Legend {
  /** @param {Element} control that switches layers */
  constructor(control) {
    this.control = control;
    /** @type {Record<string, string[]>} */
    this.kinds = {};
    /** @type {Lent | null} */
    this.lent = null;
    /** @type {Map<string, number>} */
    this.symbols = new Map();
    /** @type {{figures: Figures | null, level: Level, message: string} | null} */
    this.shown = null;
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
    this.draw();
  }

  /**
   * List the symbols that are on the map: how many of each kind.
   *
   * @param {Map<string, number>} kinds
   */
  showSymbols(kinds) {
    this.symbols = kinds;
    this.draw();
  }

  /**
   * Show the classes of the figures on the map; none while there are none.
   *
   * @param {Figures | null} figures
   * @param {Level} level
   * @param {string} [message]
   */
  update(figures, level, message = "") {
    this.shown = { figures, level, message };
    this.draw();
  }

  draw() {
    if (!this.shown) return; // the map is not coloured yet
    const { figures, level, message } = this.shown;
    /** @type {import("./dom.js").Child[]} */
    const rows = [];
    if (figures && isMeasured(figures)) rows.push(h("p", { class: "quiet" }, subtitle(figures, level)));
    if (message) rows.push(h("p", { class: "quiet" }, message));
    if (figures && WHY_EMPTY.includes(figures.status)) {
      rows.push(h("p", {}, t(figures.status, { what: figures.title ?? themeName(figures.theme) })));
    }
    if (figures && isMeasured(figures)) {
      rows.push(
        classRows(figures),
        h("p", { class: "quiet" }, figures.of),
        h("p", { class: "quiet of-draft" }, t("counts_draft")),
      );
    }
    if (this.symbols.size) rows.push(symbolRows(this.symbols));
    const layers = h(
      "details",
      {
        class: "layers",
        id: "layers-details",
        open: this.layersOpen,
        ontoggle: (event) => (this.layersOpen = event.target.open),
      },
      h("summary", { id: "layers-summary" }, t("layers")),
      this.control,
    );
    const menu = this.lent?.menu() ?? themeMenu(this.kinds);
    const now = menu instanceof HTMLSelectElement ? menu.selectedOptions[0]?.text : menu.textContent;
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
            { id: "legend-summary" },
            h("span", { class: "theme-now" }, figures?.short ?? now),
            h("span", { class: "legend-word" }, t("legend")),
          ),
          h("div", { class: "theme-choice" }, menu),
          rows,
          this.lent?.extra() ?? [],
          layers,
        ),
      ),
    );
  }
}
