// Grids that somebody answers for: their names, and a search to choose them by.

import { get } from "./api.js";
import { a } from "./account_texts.js";
import { h, settled } from "./dom.js";
import { t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {{grid_id: number, name: string, code: string}} Named */

const PAUSE_MS = 200;
const MOST = 12;
const AT_ONCE = 200;

/** @type {Map<number, Named>} */
const known = new Map();

/**
 * Learn the names of grids; those that are not there today are named by their number.
 *
 * @param {number[]} ids
 */
export async function learnNames(ids) {
  const unknown = [...new Set(ids)].filter((id) => !known.has(id));
  for (let i = 0; i < unknown.length; i += AT_ONCE) {
    const some = unknown.slice(i, i + AT_ONCE);
    const areas = await get("/api/areas", { ids: some.join(",") });
    for (const area of areas) known.set(area.grid_id, area);
  }
}

/**
 * @param {number} id
 * @returns {Named}
 */
export const namedGrid = (id) => known.get(id) ?? { grid_id: id, name: String(id), code: "" };

/**
 * A field in which grids of any level are searched and chosen.
 *
 * @param {string} of what the ids begin with
 * @param {number[]} chosen at first
 */
export function areaPicker(of, chosen) {
  const ids = new Set(chosen);
  const chips = h("ul", { class: "chips" });
  const answers = h("ul", { class: "rows found", id: `${of}-area-answers` });
  const note = h("p", { class: "quiet", role: "status" });
  const search = h("input", {
    type: "search",
    id: `${of}-area-search`,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: a("areas_find"),
    "aria-label": a("areas_find"),
    oninput: () => find(),
    onkeydown: (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      answers.querySelector("button")?.click();
    },
  });
  /** @type {string[]} */
  let schemes = [];

  function drawChips() {
    chips.replaceChildren(
      ...[...ids].map((id) => {
        const { name } = namedGrid(id);
        const drop = () => {
          ids.delete(id);
          drawChips();
          search.focus();
        };
        return h(
          "li",
          {},
          name,
          h("button", { type: "button", class: "close", "aria-label": a("area_remove", { name }), onclick: drop }, "×"),
        );
      }),
    );
  }

  const find = settled(PAUSE_MS, async () => {
    const q = search.value.trim();
    answers.replaceChildren();
    note.textContent = "";
    if (!q) return;
    try {
      if (!schemes.length) schemes = (await get("/api/schemes")).map(({ code }) => code);
      const pages = await Promise.all(schemes.map((scheme) => get("/api/grids", { q, scheme, limit: MOST })));
      if (q !== search.value.trim()) return;
      const grids = pages.flatMap(({ items }) => items).filter(({ grid_id }) => !ids.has(grid_id));
      grids.sort((first, second) => first.rank - second.rank);
      note.textContent = grids.length ? "" : a("areas_none");
      answers.replaceChildren(
        ...grids.slice(0, MOST).map((grid) => {
          const take = () => {
            known.set(grid.grid_id, grid);
            ids.add(grid.grid_id);
            search.value = "";
            answers.replaceChildren();
            drawChips();
            search.focus();
          };
          return h(
            "li",
            {},
            h("button", { type: "button", onclick: take }, h("span", {}, grid.name, h("small", {}, grid.code))),
          );
        }),
      );
    } catch (error) {
      note.textContent = error.message || t("error_unknown");
    }
  });

  learnNames(chosen).then(drawChips, (error) => (note.textContent = error.message));
  drawChips();
  return { element: h("div", { class: "area-picker" }, chips, search, note, answers), chosen: () => [...ids] };
}
