// One variable at a time: its classes, colours and words. Nothing here draws.

import { token } from "./dom.js";
import { number, percent, t, tOr } from "./texts.js";

/** @import { Figures } from "../types/page.js" */

export const STANDARDS = ["fire-20", "service-15"];

/**
 * Whether figures of this status say something about travel; else the legend says why not.
 *
 * @param {{status: string}} figures
 */
export const isMeasured = (figures) => figures.status === "ok" || figures.status === "no_facility";

/**
 * Whether a theme is a share of households.
 *
 * @param {string} theme
 */
export const isShare = (theme) => theme === "share" || STANDARDS.includes(theme.split(":")[0]);

/**
 * What a theme is called.
 *
 * @param {string} theme
 */
export function themeName(theme) {
  const [standard, kind] = theme.split(":");
  const name = tOr(`theme_${standard}`, standard);
  return kind ? `${name} · ${kindName(kind)}` : name;
}

/**
 * What a kind of facility, hazard or incident is called.
 *
 * @param {string} kind
 */
export const kindName = (kind) => tOr(`kind_${kind}`, kind);

/**
 * A figure of a theme with its unit; shares come as percentages.
 *
 * @param {string} theme
 * @param {number | null | undefined} value
 */
export function figureText(theme, value) {
  if (value === null || value === undefined) return t("no_figure");
  if (isShare(theme)) return percent(value / 100);
  return t(`figure_${theme}`, { n: number(value) });
}

/**
 * The class a grid falls into, or -1.
 *
 * @param {Figures} figures
 * @param {number | string} id
 */
export const classOf = (figures, id) => figures.class_of[id] ?? -1;

/** @param {string} colour as #rrggbb */
function toHsl(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
  const high = Math.max(r, g, b);
  const low = Math.min(r, g, b);
  const light = (high + low) / 2;
  const spread = high - low;
  if (!spread) return [0, 0, light];
  const saturation = spread / (1 - Math.abs(2 * light - 1));
  let hue;
  if (high === r) hue = ((g - b) / spread + 6) % 6;
  else if (high === g) hue = (b - r) / spread + 2;
  else hue = (r - g) / spread + 4;
  return [hue * 60, saturation, light];
}

const STRENGTH = 0.6;

/**
 * A class colour for the surroundings: softened by the paper; at night lightness turns round.
 *
 * @param {string} colour as #rrggbb
 */
export function colourFor(colour) {
  if (token("surroundings") !== "dark") {
    /** @type {(i: number, paper: number) => number} */
    const mixed = (i, paper) => Math.round(STRENGTH * parseInt(colour.slice(i, i + 2), 16) + (1 - STRENGTH) * paper);
    return `rgb(${mixed(1, 246)} ${mixed(3, 243)} ${mixed(5, 236)})`;
  }
  const [hue, saturation, light] = toHsl(colour);
  const dimmed = 0.17 + (0.97 - light) * 0.62;
  return `hsl(${hue.toFixed(0)} ${Math.min(saturation * 62, 60).toFixed(0)}% ${(dimmed * 100).toFixed(0)}%)`;
}
