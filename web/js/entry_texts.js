// The words of the forms: texts of the room "entry", names of fields and of what can be chosen.

import { config, tOr } from "./texts.js";

/** Say one thing of the room; a missing text shows its key. */
export function e(key, values = {}) {
  const template = config.texts[`entry.${key}`] ?? key;
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The same, with what to say where there is no such text. */
export const eOr = (key, fallback) => config.texts[`entry.${key}`] ?? fallback;

/** What helps to fill a field in, if there is something to say. */
export const fieldHint = (kind, name) => eOr(`hint_${kind}_${name}`, eOr(`hint_${name}`, ""));

/** A word that can be chosen, as its reader says it. */
export const wordOf = (field, word) =>
  eOr(`word_${field}_${word}`, tOr(field === "status" ? `status_${word}` : field === "grade" ? `grade_${word}` : `kind_${word}`, word));
