// What was saved or removed, said for a while at the edge of the map, with a way to take it back.

import { send } from "./api.js";
import { h } from "./dom.js";
import { e } from "./entry_texts.js";

/** @import { Shape } from "../types/answers.js" */

const SAID_MS = 5000;

export class Toast {
  /** @param {() => void} onUndone */
  constructor(onUndone) {
    this.onUndone = onUndone;
    this.timer = 0;
    this.element = h("div", { id: "saved", role: "status", "aria-live": "polite", hidden: true });
  }

  /** @param {...Node} parts */
  show(...parts) {
    clearInterval(this.timer);
    this.element.replaceChildren(...parts);
    this.element.hidden = false;
  }

  hide() {
    clearInterval(this.timer);
    this.element.hidden = true;
  }

  /** @param {string} text */
  say(text) {
    this.show(h("span", {}, text));
    this.timer = setTimeout(() => this.hide(), SAID_MS);
  }

  /**
   * Say what was done, and count down while it can be undone.
   *
   * @param {Shape<"SavedAnswer">} saved
   * @param {string} text
   */
  offerUndo({ change_id: change, undo_s: seconds }, text) {
    if (!change) {
      this.say(text);
      return;
    }
    let left = seconds;
    const rest = h("small", {}, e("undo_left", { s: left }));
    this.show(
      h("span", {}, text),
      h("button", { type: "button", class: "link", onclick: () => this.undo(change) }, e("undo")),
      rest,
      h("button", { type: "button", class: "close", "aria-label": e("close"), onclick: () => this.hide() }, "×"),
    );
    this.timer = setInterval(() => {
      left -= 1;
      rest.textContent = e("undo_left", { s: left });
      if (left <= 0) this.hide();
    }, 1000);
  }

  /** @param {number} change */
  async undo(change) {
    this.hide();
    try {
      await send("POST", `/api/entry/undo/${change}`);
      this.say(e("undone"));
      this.onUndone();
    } catch (error) {
      this.say(error.message);
    }
  }
}
