// The words of the coverage and report modes: texts of the room "cover".

import { isEnglish, number, textsOf } from "./texts.js";

export const { say: c, sayOr: cOr } = textsOf("cover");

/**
 * A difference with its sign, with the true minus.
 *
 * @param {number} value
 */
export const signed = (value, digits = 0) =>
  (value > 0 ? "+" : value < 0 ? "−" : "±") + number(Math.abs(value), digits);

/**
 * Minutes with their unit.
 *
 * @param {number | null | undefined} value
 */
export const minutes = (value) => (value === null || value === undefined ? "–" : c("minutes", { n: number(value, 1) }));

/**
 * A difference of two shares in percentage points.
 *
 * @param {number | null | undefined} before
 * @param {number | null | undefined} after
 */
export const points = (before, after) =>
  before === null || after === null || before === undefined || after === undefined
    ? "–"
    : c("points", { n: signed((after - before) * 100, Math.abs(after - before) < 0.001 ? 2 : 1) });

/**
 * Parts of a sentence with a dot between them; what is empty is left out.
 *
 * @param {(string | false | null | undefined)[]} parts
 */
export const dotted = (parts) => parts.filter(Boolean).join(" · ");

/**
 * Parts joined as a sentence joins conditions.
 *
 * @param {string[]} parts
 */
export const semicolons = (parts) => parts.join(isEnglish ? "; " : "；");
