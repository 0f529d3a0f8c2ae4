// Records entered by hand: choose a kind, find one or begin a new one, fill in the form, save, undo.

import { get } from "./api.js";
import { RecordForm } from "./entry_form.js";
import { forgetSearch, showList } from "./entry_list.js";
import { e, eOr } from "./entry_texts.js";
import { Toast } from "./entry_toast.js";
import { at, h, isNarrow, parts } from "./dom.js";
import { offered } from "./offers.js";
import { trouble } from "./parts.js";
import { show, state } from "./state.js";

/** @import { Children } from "./dom.js" */
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"FormAnswer">} FormOfKind */
/**
 * @typedef {object} Parts
 * @property {L.Map} map
 * @property {ReturnType<typeof import("./sheet.js").wireSheet>} sheet
 * @property {import("./points.js").Points} points
 * @property {import("./grids.js").Grids} grids
 * @property {import("./backdrop.js").Backdrop} ground
 * @property {import("./view.js").View["flyTo"]} flyTo
 */

/** @type {Record<string, string>} */
const LAYER_OF = { facility: "facilities", hazard: "hazards" };

export class Entry {
  /** @param {Parts} given */
  constructor({ map, sheet, points, grids, ground, flyTo }) {
    this.map = map;
    this.sheet = sheet;
    this.points = points;
    this.grids = grids;
    this.ground = ground;
    this.flyTo = flyTo;
    /** @type {Shape<"Kinds"> | null} */
    this.known = null;
    /** @type {RecordForm | null} that is open */
    this.form = null;
    this.shown = "";
    this.toast = new Toast(() => this.showUndone());
    addEventListener("keydown", (event) => this.onKey(event), true);
    at("stage").append(this.toast.element);
  }

  // --- the panel ---------------------------------------------------------------------------------

  /**
   * @param {Children} title
   * @param {...any} children as h() takes them
   */
  fill(title, ...children) {
    const close = {
      type: "button",
      class: "close",
      "aria-label": e("close"),
      title: e("close"),
      onclick: () => this.leave("", true),
    };
    at("panel").dataset.kind = "entry";
    at("panel-body").replaceChildren(
      h("header", { class: "panel-head" }, h("div", {}, title), h("button", close, "×")),
      ...parts(children),
    );
    at("panel-body").scrollTop = 0;
    at("said").textContent = at("panel-body").querySelector("h2")?.textContent ?? "";
  }

  /**
   * Draw what the state asks for; a form that stands already is left alone.
   *
   * @param {AbortSignal} signal
   */
  async show(signal) {
    const { entry } = state;
    if (this.shown === entry && at("panel").dataset.kind === "entry" && this.form?.element.isConnected) return;
    this.end();
    this.shown = entry;
    this.known ??= await get("/api/entry", {}, signal);
    signal.throwIfAborted();
    const [name, id] = entry.split(":");
    const kind = this.known.kinds.find((known) => known.kind === name);
    if (!kind) this.showKinds(this.known.kinds);
    else if (!id) await showList(this, kind, signal);
    else {
      this.form = new RecordForm(this, kind, id, this.known.reasons);
      await this.form.show(signal);
    }
    if (isNarrow()) this.sheet.atLeast(id ? "full" : "peek");
  }

  /** Close the form that is open, if one is. */
  end() {
    this.form?.end();
    this.form = null;
    this.shown = "";
  }

  /** @param {FormOfKind[]} kinds */
  showKinds(kinds) {
    if (!kinds.length) {
      this.fill(h("h2", {}, e("title")), h("p", {}, e("none_may")));
      return;
    }
    const kindRow = (/** @type {FormOfKind} */ { kind, title }) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", onclick: () => this.go(kind) },
          h("span", {}, title, h("small", {}, eOr(`about_${kind}`, ""))),
          h("b", { "aria-hidden": "true" }, "›"),
        ),
      );
    const toImports = { type: "button", class: "button", onclick: () => show({ view: "import", entry: "" }) };
    this.fill(
      [h("h2", {}, e("title")), h("p", { class: "quiet" }, e("intro"))],
      h("ul", { class: "rows kinds" }, kinds.map(kindRow)),
      offered("import") && h("p", {}, h("button", toImports, e("import_instead"))),
    );
  }

  /** @param {string} entry a kind, or a record as "kind:id" */
  go(entry) {
    show({ view: "enter", entry });
  }

  /**
   * @param {string} entry
   * @param {string} text
   */
  backTo(entry, text) {
    return h("button", { type: "button", class: "link back", onclick: () => this.leave(entry) }, `‹ ${text}`);
  }

  /** Begin what is open anew, without what was typed. */
  restart() {
    const entry = this.shown;
    this.end();
    this.redraw(entry);
  }

  /** @param {string} entry */
  redraw(entry) {
    this.shown = "";
    if (state.entry === entry) this.show(new AbortController().signal).catch((error) => this.showTrouble(error));
    else this.go(entry);
  }

  /** @param {Error} error */
  showTrouble(error) {
    this.fill(
      h("h2", {}, e("title")),
      trouble(error.message, () => this.redraw(state.entry)),
    );
  }

  // --- what was done -----------------------------------------------------------------------------

  /**
   * A record was saved or removed: say so, offer to undo it, and go back to the list.
   *
   * @param {FormOfKind} kind
   * @param {Shape<"SavedAnswer">} saved
   * @param {string} text
   */
  finish({ kind }, saved, text) {
    this.forget(kind);
    this.toast.offerUndo(saved, text);
    this.end();
    forgetSearch();
    this.go(kind);
  }

  showUndone() {
    for (const kind of ["facility", "hazard", "building"]) this.forget(kind);
    if (state.view === "enter" && !this.form) this.redraw(state.entry);
  }

  /**
   * What the map shows of a kind is asked for anew.
   *
   * @param {string} kind
   */
  forget(kind) {
    if (kind === "building") this.ground.forgetBuildings().catch((error) => this.toast.say(error.message));
    else this.points.forget(LAYER_OF[kind]);
  }

  // --- going back --------------------------------------------------------------------------------

  /**
   * Leave for another part; asks first when something typed is not saved.
   *
   * @param {string} entry
   * @param {boolean} [isClosing]
   */
  leave(entry, isClosing = false) {
    const { form } = this;
    const away = () => {
      form?.forgetDraft();
      this.end();
      show(isClosing ? { view: "", entry: "" } : { view: "enter", entry });
    };
    if (form?.isDirty) form.confirm(e("leave_sure"), e("leave_yes"), away);
    else away();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const on = /** @type {Element} */ (event.target);
    if (event.key !== "Escape" || state.view !== "enter" || on.closest?.("#bar")) return;
    if (on.closest?.(".pick")?.querySelector("[role=listbox]:not([hidden])")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { form } = this;
    if (form?.asking) form.asking.remove();
    else if (form?.element.isConnected) {
      form.fields.find((field) => field.control.place?.isPointing)?.control.place?.pointing(false);
      this.leave(form.kind.kind);
    } else if (state.entry) this.leave("");
    else this.leave("", true);
  }
}
