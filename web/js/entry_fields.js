// One field of a form: its label, its control, its value, what is wrong with it.

import { fieldHint, wordOf } from "./entry_texts.js";
import { h } from "./dom.js";
import { e } from "./entry_texts.js";
import { Pick } from "./entry_pick.js";
import { PlaceField } from "./entry_place.js";
import { field, sayFault } from "./parts.js";

/** @typedef {any} Spec of a field, as the server describes it */
/** @typedef {{map: L.Map, sheet: any, near?: () => any, onChange: (choice?: any) => void, describedBy: string}} Context */
/**
 * @typedef {object} Control
 * @property {any} element
 * @property {() => any} get
 * @property {(value: any, title?: string) => void} set
 * @property {() => void} [remove]
 * @property {() => void} [focus]
 * @property {(isOff: boolean) => void} [disable]
 * @property {PlaceField} [place]
 * @property {Pick} [pick]
 */

/**
 * @param {unknown} one
 * @param {unknown} other
 */
const isSame = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/**
 * Make the control of a field: {element, get, set, remove, focus}.
 *
 * @param {Spec} spec
 * @param {string} id
 * @param {string} kind
 * @param {Context} context
 * @returns {Control}
 */
function controlOf(spec, id, kind, { map, sheet, near, onChange, describedBy }) {
  const common = { id, "aria-describedby": describedBy, "aria-required": spec.required ? "true" : null };
  /**
   * @param {HTMLInputElement | HTMLTextAreaElement} element
   * @param {() => any} [read]
   * @returns {Control}
   */
  const plain = (element, read = () => element.value) => ({
    element,
    get: read,
    set: (value) => (element.value = value ?? ""),
  });
  const listen = { oninput: onChange };
  if (spec.type === "point") {
    const place = new PlaceField(map, id, { onChange, sheet, describedBy });
    return {
      element: place.element,
      get: () => place.value,
      set: (value) => place.set(value),
      remove: () => place.remove(),
      focus: () => place.typed.focus(),
      place,
    };
  }
  if (spec.refers) {
    const pick = new Pick(spec.type, id, { onChange: (answer) => onChange(answer), near, describedBy });
    return {
      element: pick.element,
      get: () => pick.value,
      set: (value, title = "") => pick.choose(value ? { id: value, title } : null),
      focus: () => pick.input.focus(),
      pick,
    };
  }
  if (spec.type === "choice") {
    const option = (/** @type {string} */ word) =>
      h("option", { value: word }, wordOf(spec.name === "kind" ? "kind" : `${spec.name}`, word));
    const select = h(
      "select",
      { ...common, onchange: onChange },
      spec.required ? [] : h("option", { value: "" }, "–"),
      spec.choices.map(option),
    );
    return {
      element: select,
      get: () => select.value,
      set: (value) => {
        // A word that came with a file may stay.
        if (value && !spec.choices.includes(value) && ![...select.options].some((known) => known.value === value))
          select.append(option(value));
        select.value = value ?? "";
        if (select.selectedIndex < 0) select.selectedIndex = 0;
      },
    };
  }
  if (spec.type === "choices") {
    /** @type {Map<string, HTMLInputElement>} */
    const boxes = new Map();
    const box = (/** @type {string} */ word) => {
      const input = h("input", { type: "checkbox", value: word, onchange: onChange });
      boxes.set(word, input);
      return h("label", { class: "check" }, input, h("span", {}, wordOf(spec.name, word)));
    };
    const element = h(
      "div",
      { class: "checks", role: "group", id, tabindex: "-1", "aria-describedby": describedBy },
      spec.choices.map(box),
    );
    return {
      element,
      get: () => [...boxes].filter(([, input]) => input.checked).map(([word]) => word),
      set: (value) => {
        const words = Array.isArray(value) ? value : [];
        for (const word of words) if (!boxes.has(word)) element.append(box(word));
        for (const [word, input] of boxes) input.checked = words.includes(word);
      },
      disable: (isOff) => [...boxes.values()].forEach((input) => (input.disabled = isOff)),
    };
  }
  if (spec.type === "flag") {
    const input = h("input", { ...common, type: "checkbox", onchange: onChange });
    return { element: input, get: () => input.checked, set: (value) => (input.checked = Boolean(value)) };
  }
  if (spec.type === "long") return plain(h("textarea", { ...common, rows: "3", ...listen }));
  if (spec.type === "day") {
    const input = h("input", { ...common, type: "date", min: "1900-01-01", max: "2199-12-31", ...listen });
    return plain(input, () => input.value || null);
  }
  if (spec.type === "whole" || spec.type === "number") {
    const input = h("input", {
      ...common,
      type: "text",
      inputmode: spec.type === "whole" ? "numeric" : "decimal",
      autocomplete: "off",
      ...listen,
    });
    // What is not a number is sent as it is: the server says what is wrong with it.
    return plain(input, () =>
      input.value.trim() === "" ? null : Number.isFinite(Number(input.value)) ? Number(input.value) : input.value,
    );
  }
  return plain(h("input", { ...common, type: spec.type === "phone" ? "tel" : "text", autocomplete: "off", ...listen }));
}

export class FormField {
  /**
   * @param {Spec} spec
   * @param {string} kind
   * @param {any} context
   */
  constructor(spec, kind, context) {
    this.spec = spec;
    /** @type {any} */
    this.base = null;
    /** @type {string | null} */
    this.masked = null;
    this.isTouched = false;
    const id = `field-${spec.name}`;
    const hint = fieldHint(kind, spec.name);
    this.control = controlOf(spec, id, kind, {
      ...context,
      onChange: (/** @type {any} */ answer) => {
        this.say("");
        this.isTouched = true;
        context.onChange(this, answer);
      },
      describedBy: `${id}-hint ${id}-fault`,
    });
    const title = [spec.title, spec.required && h("i", { "aria-hidden": "true", title: e("required") }, " *")];
    this.element = field(title, this.control.element, {
      id,
      name: spec.name,
      kind: spec.type,
      hint,
      isGroup: spec.type === "choices",
    });
  }

  /**
   * Show the value of a record; base is what a change is told from.
   *
   * @param {any} value
   * @param {string} [title]
   * @param {string | null} [masked]
   */
  show(value, title = "", masked = null) {
    this.base = value ?? null;
    this.masked = masked;
    this.isTouched = false;
    const input = this.control.element;
    if (masked !== null) {
      this.control.set(Array.isArray(this.spec.choices) && this.spec.choices.length ? [] : "");
      this.control.disable?.(true);
      if ("placeholder" in input) input.placeholder = e("masked", { value: masked });
      return;
    }
    this.control.disable?.(false);
    if ("placeholder" in input && !this.control.pick && !this.control.place) input.placeholder = "";
    this.control.set(value, title);
    // As the control reads it: an empty text and nothing are the same to it.
    this.base = this.control.get();
  }

  get value() {
    return this.control.get();
  }

  /** Whether there is something to save. */
  get isDirty() {
    if (this.masked !== null) return this.isTouched && !isSame(this.value, "") && !isSame(this.value, []);
    return !isSame(this.value, this.base);
  }

  /**
   * Put back what was typed before.
   *
   * @param {{value: any, title?: string}} draft
   */
  restore({ value, title }) {
    this.control.set(value, title);
    this.isTouched = true;
  }

  /** What a draft keeps. */
  get draft() {
    return { value: this.value, title: this.control.pick?.title };
  }

  /**
   * Say what is wrong, beside the field.
   *
   * @param {string} text
   */
  say(text) {
    sayFault(this.element, text);
    const control = this.control.pick?.input ?? this.control.place?.typed ?? this.control.element;
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }

  fix() {
    const control = this.control.element;
    if (this.control.pick) {
      this.control.pick.input.disabled = true;
      this.control.pick.clear.hidden = true;
    } else control.disabled = true;
  }

  focus() {
    (this.control.focus ?? (() => this.control.element.focus()))();
    this.element.scrollIntoView({ block: "nearest" });
  }

  remove() {
    this.control.remove?.();
  }
}
