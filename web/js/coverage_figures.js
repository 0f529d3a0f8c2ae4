// Figures of a run as the map is coloured by: classes, colours, words. Nothing here draws or fetches.

import { c } from "./coverage_texts.js";
import { AROUND_LIMIT, BANDS, SHARES } from "./palette.js";
import { number } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @import { Figures } from "../types/page.js" */
/** @typedef {Shape<"GridFiguresAnswer">} Row */

const SHARE_BREAKS = [20, 40, 60, 80];

/**
 * @param {number} value
 * @param {number[]} breaks
 */
const classAt = (value, breaks) => breaks.filter((limit) => value >= limit).length;

/**
 * @param {Record<string, number | null>} values
 * @param {number[]} breaks
 * @param {string[]} colours
 * @param {string[]} labels
 */
function classed(values, breaks, colours, labels) {
  /** @type {Record<string, number>} */
  const class_of = {};
  const counts = colours.map(() => 0);
  for (const [id, value] of Object.entries(values)) {
    if (value === null) continue;
    class_of[id] = classAt(value, breaks);
    counts[class_of[id]] += 1;
  }
  return { class_of, classes: colours.map((colour, i) => ({ colour, label: labels[i], count: counts[i] })) };
}

/**
 * Breaks that belong to the time limit: half of it, all of it, twice.
 *
 * @param {number} limit
 */
export const minuteBreaks = (limit) => [limit / 2, limit, limit * 2];

/**
 * The steps of the time bands: rising minutes that end with the limit.
 *
 * @param {number} limit
 */
export function bandMinutes(limit) {
  if (limit === 15) return [5, 10, 15];
  return [...new Set([limit / 4, limit / 2, limit].map((step) => Math.max(1, Math.round(step))))];
}

/**
 * The colour of a time band: the nearer, the darker.
 *
 * @param {number} place
 * @param {number} bands how many
 */
export const bandColour = (place, bands) => BANDS[Math.min(place + (bands < 3 ? 1 : 0), BANDS.length - 1)];

/**
 * Which column of a run's rows a fill shows.
 *
 * @type {Record<string, "share" | "median_minutes" | "worst_minutes">}
 */
const COLUMN = { share: "share", median: "median_minutes", worst: "worst_minutes" };

/**
 * Make of a run's rows what the map and its legend show.
 *
 * @param {Row[]} rows as GET …/figures answers
 * @param {{fill: string, name: string, limit: number, status: string, day: string, of: string}} about
 * @returns {Figures}
 */
export function mapFigures(rows, { fill, name, limit, status, day, of }) {
  const isShare = fill === "share";
  const values = Object.fromEntries(
    rows.map((row) => {
      const value = row[COLUMN[fill]];
      return [row.grid_id, value === null || value === undefined ? null : isShare ? value * 100 : value];
    }),
  );
  const breaks = isShare ? SHARE_BREAKS : minuteBreaks(limit);
  const limits = breaks.map((value) => number(value, 1));
  const unit = isShare ? "%" : "";
  const labels = [
    c(isShare ? "under_percent" : "under_minutes", { n: limits[0] }),
    ...limits.slice(1).map((value, i) => `${limits[i]}–${value}${unit && ` ${unit}`}`),
    c(isShare ? "from_percent" : "from_minutes", { n: limits.at(-1) }),
  ];
  return {
    theme: isShare ? "share" : "minutes",
    title: `${name} · ${c(`fill_${fill}`)}`,
    short: c(`fill_${fill}`),
    status,
    unit: isShare ? "%" : c("unit_minutes"),
    day,
    of,
    values,
    ...classed(values, breaks, isShare ? SHARES : AROUND_LIMIT, labels),
  };
}

/**
 * Rows with those of a what-if in the places of the old ones.
 *
 * @param {Row[]} rows
 * @param {Record<string, any>[]} changed the grids of a what-if's answer
 */
export function withAfter(rows, changed) {
  const after = new Map(changed.map((grid) => [grid.grid_id, grid.after]));
  return rows.map((row) => (after.has(row.grid_id) ? { ...row, ...after.get(row.grid_id) } : row));
}
