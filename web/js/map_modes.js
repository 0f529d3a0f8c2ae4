// What the map speaks of in each mode: layers that are on, what fills may stand for, and what the legend lists.
// Every mode asks here; the address holds only what somebody chose differently.

import { STANDARDS } from "./figures.js";
import { state } from "./state.js";

/** @typedef {"" | "dispatch" | "plan" | "coverage" | "report"} Mode */
/**
 * @typedef {object} MapOfMode
 * @property {string[]} layers that are on unless somebody switched them off
 * @property {string[]} themes that fills may stand for, the usual one first; STANDARDS stand for their kinds, too
 * @property {string[]} fills of a run instead, where the mode colours the map by one
 * @property {string[]} areas of a run that may be drawn above
 */

const GROUND = ["roads", "buildings", "names"];

/** What a colour of the map may stand for while a run is shown. */
export const RUN_FILLS = ["share", "median", "worst", "bands", "none"];
const RUN_AREAS = ["spots", "stations", "districts"];

/** @type {Record<Mode, MapOfMode>} */
export const MODES = {
  "": {
    layers: GROUND,
    themes: ["households", "people", "hazards", "incidents", ...STANDARDS, "none"],
    fills: [],
    areas: [],
  },
  // Who is called and who comes, over a quiet ground.
  dispatch: {
    layers: [...GROUND, "incidents", "rescue"],
    themes: ["none", "hazards", "incidents"],
    fills: [],
    areas: [],
  },
  // Loads, of what is published and of the draft alike.
  plan: { layers: GROUND, themes: ["households"], fills: [], areas: [] },
  coverage: { layers: GROUND, themes: [], fills: RUN_FILLS, areas: RUN_AREAS },
  report: { layers: GROUND, themes: [], fills: RUN_FILLS, areas: RUN_AREAS },
};

export const mapNow = () => MODES[/** @type {Mode} */ (state.mode)];

/** The theme that colours the map now: the one chosen where this mode has it, else the mode's own. */
export function themeNow() {
  const { themes } = mapNow();
  return themes.includes(state.theme.split(":")[0]) ? state.theme : (themes[0] ?? "none");
}

/**
 * The keys of the layers that are on: those of the mode with what was switched on or off, as "+hazards,-names";
 * a list without signs names them all.
 */
export function shownLayers() {
  const entries = state.layers.split(",").filter(Boolean);
  if (entries.length && entries.every((entry) => !/^[+-]/.test(entry))) return new Set(entries);
  const keys = new Set(mapNow().layers);
  for (const entry of entries) {
    if (entry.startsWith("-")) keys.delete(entry.slice(1));
    else keys.add(entry.slice(1));
  }
  return keys;
}

/**
 * What the address says of the layers when these are on.
 *
 * @param {string[]} keys
 */
export function layersInAddress(keys) {
  const usual = mapNow().layers;
  const added = keys.filter((key) => !usual.includes(key)).map((key) => `+${key}`);
  const removed = usual.filter((key) => !keys.includes(key)).map((key) => `-${key}`);
  // What was switched off in another mode stays so there.
  const kept = state.layers
    .split(",")
    .filter((entry) => entry.startsWith("-") && ![...usual, ...keys].includes(entry.slice(1)));
  return [...added, ...removed, ...kept].join(",");
}
