// The words of the plan mode: texts of the room "plan".

import { config, number } from "./texts.js";

/** The text of the room if there is one, else the fallback. */
export function pOr(key, fallback, values = {}) {
  const template = config.texts[`plan.${key}`];
  return template === undefined ? fallback : template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Say one thing of the room; a missing text shows its key. */
export const p = (key, values = {}) => pOr(key, key, values);

/** A difference with its sign, with the true minus. */
export const signed = (value, digits = 0) => (value > 0 ? "+" : value < 0 ? "−" : "±") + number(Math.abs(value), digits);

/** Names joined as a sentence joins two. */
export const both = (a, b) => `${a} ↔ ${b}`;

/** Parts of a sentence with the stop between them that the language uses. */
export const dotted = (parts) => parts.filter(Boolean).join(" · ");
