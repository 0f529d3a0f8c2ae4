// The words of the forms: texts of the room "entry", names of fields and of what can be chosen.

import { textsOf, tOr } from "./texts.js";

export const { say: e, sayOr: eOr } = textsOf("entry");

/**
 * What helps to fill a field in, if there is something to say.
 *
 * @param {string} kind
 * @param {string} name
 */
export const fieldHint = (kind, name) => eOr(`hint_${kind}_${name}`, eOr(`hint_${name}`, ""));

/**
 * A word that can be chosen, as its reader says it.
 *
 * @param {string} field
 * @param {string} word
 */
export const wordOf = (field, word) =>
  eOr(
    `word_${field}_${word}`,
    tOr(field === "status" ? `status_${word}` : field === "grade" ? `grade_${word}` : `kind_${word}`, word),
  );
