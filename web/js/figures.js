// One variable at a time: its classes, colours and words. Nothing here draws.

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
