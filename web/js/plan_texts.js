// The words of the plan mode: texts of the room "plan".

import { config } from "./texts.js";

/** The text of the room if there is one, else the fallback. */
export function pOr(key, fallback, values = {}) {
  const template = config.texts[`plan.${key}`];
  return template === undefined ? fallback : template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Say one thing of the room; a missing text shows its key. */
export const p = (key, values = {}) => pOr(key, key, values);

/** Names joined as a sentence joins two. */
export const both = (a, b) => `${a} ↔ ${b}`;
