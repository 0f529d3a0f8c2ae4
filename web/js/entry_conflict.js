// Somebody was quicker: what both wrote in a record, side by side, so that nothing is overwritten unseen.

import { h } from "./dom.js";
import { e, wordOf } from "./entry_texts.js";
import { coordinates, listed } from "./texts.js";

/** @import { FormField } from "./entry_fields.js" */
/** @import { Shape } from "../types/answers.js" */

/**
 * @param {unknown} a
 * @param {unknown} b
 */
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * The value of a field in words.
 *
 * @param {FormField} field
 * @param {any} value
 * @param {string} [title] of the record that it refers to
 */
function valueText({ spec }, value, title) {
  if (title) return title;
  if (value === null || value === "") return "–";
  if (typeof value === "boolean") return e(value ? "yes" : "no");
  if (Array.isArray(value)) return listed(value.map((word) => wordOf(spec.name, word)));
  if (typeof value === "object") return coordinates(value, 6);
  return spec.choices.length ? wordOf(spec.name, value) : String(value);
}

/**
 * The choice between one's own value of a field and theirs.
 *
 * @param {FormField} field that holds one's own
 * @param {Shape<"RecordShown">} current
 */
function choiceOf(field, current) {
  const { name, title } = field.spec;
  const { draft } = field;
  const theirs = current.values[name];
  const option = (/** @type {boolean} */ isMine) => {
    const take = () => (isMine ? field.restore(draft) : field.show(theirs, current.named[name] ?? ""));
    const text = isMine ? valueText(field, draft.value, draft.title) : valueText(field, theirs, current.named[name]);
    return h(
      "label",
      { class: "check" },
      h("input", { type: "radio", name: `conflict-${name}`, checked: isMine, onchange: take }),
      h("span", {}, e(isMine ? "conflict_mine" : "conflict_theirs"), " ", h("b", {}, text)),
    );
  };
  return h("fieldset", {}, h("legend", {}, title), option(true), option(false));
}

/**
 * What was changed by both, to choose from, and what was changed by the others alone.
 *
 * @param {Shape<"RecordShown">} before as this form was opened with
 * @param {Shape<"RecordShown">} current
 * @param {FormField[]} fields as the form shows them now
 * @param {FormField[]} mine those that were changed here
 * @param {string} detail as the server says it
 */
export function conflictNote(before, current, fields, mine, detail) {
  const theirs = fields.filter(({ spec: { name } }) => !isSame(before.values[name], current.values[name]));
  const others = theirs.filter((field) => !mine.includes(field)).map((field) => field.spec.title);
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h("p", {}, detail),
    theirs.filter((field) => mine.includes(field)).map((field) => choiceOf(field, current)),
    others.length > 0 && h("p", { class: "quiet" }, e("conflict_others", { fields: listed(others) })),
  );
}
