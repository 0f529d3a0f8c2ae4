// A pick list with search, by mouse or by keys: an officer, a grid, a building, premises.

import { get, isStale } from "./api.js";
import { e, wordOf } from "./entry_texts.js";
import { h, settled } from "./dom.js";
import { listed } from "./texts.js";

const PAUSE_MS = 180;
const SHOWN = 12;
let number = 0;

/** @typedef {{id: number, title: string, detail?: string, [more: string]: any}} Choice */
/** @typedef {{lon: number, lat: number}} Place */

/**
 * What each kind of record is asked for with, and how an answer reads.
 *
 * @param {string} kind
 * @param {string} q
 * @param {Place | null} near
 * @param {AbortSignal} signal
 * @returns {Promise<Choice[]>}
 */
async function ask(kind, q, near, signal) {
  if (kind === "grid") {
    const { items } = await get("/api/grids", { q, limit: SHOWN }, signal);
    return items.map((grid) => ({ id: grid.grid_id, title: grid.name, detail: grid.code }));
  }
  const place = near && !q ? { near_lon: near.lon, near_lat: near.lat } : {};
  const { items } = await get(`/api/entry/${kind}`, { q, limit: SHOWN, ...place }, signal);
  return items.map((record) => ({
    ...record,
    detail: listed([
      ...new Set(
        [
          record.detail === record.title ? "" : record.detail,
          record.word ? wordOf("kind", record.word) : "",
          record.grid_name ?? "",
        ].filter(Boolean),
      ),
    ]),
  }));
}

export class Pick {
  /**
   * near() gives a place whose surroundings come first, or null.
   *
   * @param {string} kind
   * @param {string} id
   * @param {{onChange: (choice: Choice | null) => void, near?: () => Place | null, describedBy?: string}} more
   */
  constructor(kind, id, { onChange, near = () => null, describedBy }) {
    this.kind = kind;
    this.onChange = onChange;
    this.near = near;
    /** @type {number | null} */
    this.value = null;
    this.title = "";
    /** @type {Choice[]} */
    this.answers = [];
    this.marked = -1;
    this.listId = `pick-${(number += 1)}`;
    this.input = h("input", {
      type: "text",
      id,
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-expanded": "false",
      "aria-controls": this.listId,
      "aria-autocomplete": "list",
      "aria-describedby": describedBy,
      placeholder: e(`pick_${kind}`),
    });
    this.list = h("ul", { id: this.listId, role: "listbox", hidden: true });
    this.clear = h(
      "button",
      {
        type: "button",
        class: "pick-clear",
        "aria-label": e("pick_clear"),
        title: e("pick_clear"),
        hidden: true,
        onclick: () => this.choose(null, true),
      },
      "×",
    );
    this.element = h("div", { class: "pick" }, this.input, this.clear, this.list);
    const search = settled(PAUSE_MS, () => this.search());
    this.input.addEventListener("input", () => search());
    this.input.addEventListener("focus", () => this.value === null && this.search());
    this.input.addEventListener("blur", () => this.close(true));
    this.input.addEventListener("keydown", (event) => this.onKey(event));
  }

  async search() {
    this.abort?.abort();
    this.abort = new AbortController();
    const q = this.title === this.input.value ? "" : this.input.value.trim();
    try {
      this.answers = await ask(this.kind, q, this.near(), this.abort.signal);
    } catch (error) {
      if (!isStale(error)) this.note(error.message);
      return;
    }
    if (document.activeElement !== this.input) return;
    if (!this.answers.length) {
      this.note(e(q ? "pick_nothing" : "pick_empty"));
      return;
    }
    this.open(
      this.answers.map((answer, i) =>
        h(
          "li",
          {
            id: `${this.listId}-${i}`,
            role: "option",
            onmousedown: (/** @type {Event} */ event) => event.preventDefault(),
            onclick: () => this.choose(answer, true),
          },
          h("b", {}, answer.title),
          answer.detail && h("small", {}, answer.detail),
        ),
      ),
    );
    this.mark(0);
  }

  /** @param {string} text */
  note(text) {
    this.answers = [];
    this.open([h("li", { class: "note", role: "option", "aria-disabled": "true" }, text)]);
  }

  /** @param {HTMLElement[]} rows */
  open(rows) {
    this.list.replaceChildren(...rows);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
  }

  close(isLeaving = false) {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    // What was typed and not chosen is no choice.
    if (isLeaving && this.value !== null) this.input.value = this.title;
    else if (isLeaving) this.input.value = "";
  }

  /** @param {number} index */
  mark(index) {
    this.marked = index;
    [...this.list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === index)));
    this.input.setAttribute("aria-activedescendant", this.list.children[index].id);
    this.list.children[index].scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) this.search();
      else if (this.answers.length)
        this.mark((this.marked + (event.key === "ArrowDown" ? 1 : -1) + this.answers.length) % this.answers.length);
    } else if (event.key === "Enter" && !this.list.hidden) {
      event.preventDefault();
      if (this.answers[this.marked]) this.choose(this.answers[this.marked], true);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.close();
    }
  }

  /**
   * Take a choice; null is none.
   *
   * @param {Choice | null} answer
   * @param {boolean} [isByHand]
   */
  choose(answer, isByHand = false) {
    this.value = answer?.id ?? null;
    this.title = answer?.title ?? "";
    this.input.value = this.title;
    this.clear.hidden = this.value === null;
    this.close();
    if (isByHand) this.onChange(answer);
  }
}
