// The form of one record: filled in, kept as a draft, saved, removed; what others changed meanwhile is shown.

import { get, newKey, send } from "./api.js";
import { at, h, isNarrow, parts } from "./dom.js";
import { conflictNote } from "./entry_conflict.js";
import { FormField } from "./entry_fields.js";
import { e, eOr } from "./entry_texts.js";
import { trouble } from "./parts.js";
import { placeOfPoint, state } from "./state.js";
import { config } from "./texts.js";

/** @import { ApiError } from "./api.js" */
/** @import { Entry, FormOfKind } from "./entry.js" */
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"RecordShown">} Stored a record as the server has it */

export class RecordForm {
  /**
   * @param {Entry} entry
   * @param {FormOfKind} kind
   * @param {string} id of the record, or "new"
   * @param {string[]} reasons for which hidden values may be looked at
   */
  constructor(entry, kind, id, reasons) {
    this.entry = entry;
    this.kind = kind;
    this.id = id;
    this.reasons = reasons;
    /** @type {Stored | null} */
    this.record = null;
    this.requestKey = newKey();
    /** @type {string | undefined} what a new record begins with */
    this.prefilled = undefined;
    this.isSaving = false;
    this.notes = h("div", { class: "notes" });
    const near = () => this.placeField()?.value ?? null;
    const onChange = (/** @type {FormField} */ field, /** @type {any} */ answer) => this.changed(field, answer);
    this.fields = kind.fields.map(
      (spec) => new FormField(spec, kind.kind, { map: entry.map, sheet: entry.sheet, near, onChange }),
    );
    this.saver = h("button", { type: "submit", class: "button filled" }, e("save"));
    this.element = this.make();
  }

  make() {
    const { kind, entry } = this;
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.save();
    };
    return h(
      "form",
      { class: "entry-form", novalidate: true, onsubmit },
      this.notes,
      this.fields.map((field) => field.element),
      h(
        "div",
        { class: "saving" },
        this.saver,
        h("button", { type: "button", class: "button", onclick: () => entry.leave(kind.kind) }, e("cancel")),
        this.id !== "new" &&
          kind.removable &&
          h("button", { type: "button", class: "button wrong", onclick: () => this.askRemoval() }, e("remove")),
      ),
    );
  }

  /**
   * Fetch the record, and show the form.
   *
   * @param {AbortSignal} signal
   */
  async show(signal) {
    const { kind, entry } = this;
    const isNew = this.id === "new";
    const record = isNew ? null : await get(`/api/entry/${kind.kind}/${encodeURIComponent(this.id)}`, {}, signal);
    signal.throwIfAborted();
    entry.fill(
      [entry.backTo(kind.kind, kind.title), h("h2", {}, eOr(`${isNew ? "new" : "change"}_${kind.kind}`, kind.title))],
      this.element,
    );
    this.load(record);
    if (isNew) this.prefill();
    this.restoreDraft();
    const place = this.placeField();
    if (place?.value && !isNew) entry.flyTo(place.value);
    // A new record that needs a place begins with pointing at it.
    if (isNew && place?.spec.required && !place.value && !isNarrow()) place.control.place?.pointing(true);
    if (!isNarrow()) this.fields.find((field) => !field.control.place && !this.isFixed(field))?.focus();
    at("panel-body").scrollTop = 0;
  }

  /** Take away what the form has put on the map. */
  end() {
    for (const field of this.fields) field.remove();
  }

  // --- its fields --------------------------------------------------------------------------------

  /** @param {string} name */
  field(name) {
    return this.fields.find((field) => field.spec.name === name);
  }

  placeField() {
    return this.fields.find((field) => field.control.place);
  }

  /** @param {FormField} field */
  isFixed(field) {
    return this.record !== null && field.spec.fixed;
  }

  get changedFields() {
    return this.fields.filter((field) => field.isDirty);
  }

  valuesText() {
    return JSON.stringify(this.fields.map((field) => field.value));
  }

  /** Whether something typed is not saved. */
  get isDirty() {
    if (!this.element.isConnected) return false;
    if (this.record) return this.changedFields.length > 0;
    return this.prefilled !== undefined && this.valuesText() !== this.prefilled;
  }

  /**
   * Put a record into the form; what is typed already can be kept.
   *
   * @param {Stored | null} record
   * @param {FormField[]} [keeping]
   */
  load(record, keeping = []) {
    this.record = record;
    for (const field of this.fields) {
      const { name } = field.spec;
      const draft = keeping.includes(field) ? field.draft : null;
      const value = record ? record.values[name] : field.spec.default;
      field.show(value, record?.named[name] ?? "", record?.masked.includes(name) ? value : null);
      if (record && field.spec.fixed) field.fix();
      if (draft) field.restore(draft);
    }
    this.notes.replaceChildren(
      ...parts([
        record?.grid && h("p", { class: "quiet" }, e("now_in", { name: record.grid.name })),
        record?.may?.reveal && this.revealing(),
      ]),
    );
  }

  /** A way to see what is hidden, for a reason. */
  revealing() {
    const reason = h(
      "select",
      { "aria-label": e("reveal_why") },
      h("option", { value: "" }, e("reveal_why")),
      this.reasons.map((name) => h("option", { value: name }, e(`reason_${name}`))),
    );
    const look = h(
      "button",
      { type: "button", class: "button", disabled: true, onclick: () => this.reveal(reason.value) },
      e("reveal"),
    );
    reason.addEventListener("change", () => (look.disabled = !reason.value));
    return h("div", { class: "reveal" }, h("p", {}, e("hidden")), h("div", { class: "place-typed" }, reason, look));
  }

  /** @param {string} reason */
  async reveal(reason) {
    try {
      const record = await send("POST", `/api/entry/${this.kind.kind}/${this.id}/reveal`, { reason });
      this.load(record, this.changedFields);
    } catch (error) {
      this.complain(error.message);
    }
  }

  /** What the map knows already: the selected grid, the point that was clicked. */
  prefill() {
    for (const name of ["first_day", "found_on"]) this.field(name)?.restore({ value: config.today });
    const grid = this.entry.grids.grid(state.grid);
    if (grid) this.field("grid")?.restore({ value: grid.grid_id, title: grid.name });
    const place = placeOfPoint(state.point);
    if (place) this.field("point")?.restore({ value: { ...place, crs: "cgcs2000" } });
    this.prefilled = this.valuesText();
  }

  /**
   * @param {FormField} field
   * @param {any} answer what was picked
   */
  changed(field, answer) {
    if (field.control.pick && typeof answer?.lon === "number") {
      // A household lives where its building stands, unless it was pointed elsewhere.
      const place = this.placeField();
      if (place && !place.value) place.control.set({ lon: answer.lon, lat: answer.lat, crs: "cgcs2000" });
    }
    this.keepDraft();
  }

  // --- its draft ---------------------------------------------------------------------------------

  get draftName() {
    return `gis-entry:${config.actor.actor_id}:${this.kind.kind}:${this.id}`;
  }

  forgetDraft() {
    sessionStorage.removeItem(this.draftName);
  }

  keepDraft() {
    if (!this.isDirty) {
      this.forgetDraft();
      return;
    }
    const fields = this.record ? this.changedFields : this.fields;
    const values = Object.fromEntries(fields.map((field) => [field.spec.name, field.draft]));
    const draft = { values, version: this.record?.version, requestKey: this.requestKey };
    sessionStorage.setItem(this.draftName, JSON.stringify(draft));
  }

  restoreDraft() {
    const kept = sessionStorage.getItem(this.draftName);
    if (!kept) return;
    const draft = JSON.parse(kept);
    this.requestKey = draft.requestKey;
    for (const field of this.fields) {
      if (field.spec.name in draft.values && !this.isFixed(field)) field.restore(draft.values[field.spec.name]);
    }
    if (!this.isDirty) return;
    const discard = () => {
      this.forgetDraft();
      this.entry.restart();
    };
    this.notes.append(
      h(
        "div",
        { class: "note" },
        h("p", {}, e("draft_back")),
        h("button", { type: "button", class: "link", onclick: discard }, e("draft_drop")),
      ),
    );
  }

  // --- saving ------------------------------------------------------------------------------------

  async save() {
    if (this.isSaving) return;
    const { kind, record } = this;
    const sent = record ? this.changedFields : this.fields;
    if (record && !sent.length) {
      this.entry.go(kind.kind);
      return;
    }
    const values = Object.fromEntries(sent.map((field) => [field.spec.name, field.value]));
    this.fields.forEach((field) => field.say(""));
    this.notes.querySelector(".trouble")?.remove();
    this.isSaving = true;
    this.saver.disabled = true;
    this.saver.textContent = e("is_saving");
    const key = { "Idempotency-Key": this.requestKey };
    try {
      const saved = record
        ? await send("PATCH", `/api/entry/${kind.kind}/${record.id}`, { values }, { ...key, ...ifMatch(record) })
        : await send("POST", `/api/entry/${kind.kind}`, { values }, key);
      this.takeSaved(saved, sent);
    } catch (error) {
      this.sayRefused(error);
    } finally {
      this.isSaving = false;
      this.saver.disabled = false;
      this.saver.textContent = e("save");
    }
  }

  /**
   * @param {Shape<"SavedAnswer">} saved
   * @param {FormField[]} sent
   */
  takeSaved(saved, sent) {
    this.requestKey = newKey();
    this.forgetDraft();
    const text = e(`saved_${this.record ? "change" : "new"}`, { what: this.kind.title });
    if (saved.repeated && saved.record) {
      // It had been saved although the answer was lost; what was typed since is not.
      this.id = String(saved.record.id);
      const open = sent.filter((field) => !field.spec.fixed);
      this.load(saved.record, open);
      if (this.isDirty) {
        this.notes.append(h("div", { class: "note", role: "alert" }, e("saved_before")));
        return;
      }
    }
    this.entry.finish(this.kind, saved, text);
  }

  /** @param {ApiError} error */
  sayRefused({ status, problem, message }) {
    if (status === 412) {
      this.showConflict(problem);
      return;
    }
    const { errors, field, detail } = problem ?? {};
    /** @type {{field: string, detail: string}[]} */
    const faults = errors ?? (field ? [{ field, detail }] : []);
    const faulty = faults.flatMap((fault) => {
      const named = this.field(fault.field);
      named?.say(fault.detail);
      return named ?? [];
    });
    if (!faulty.length) this.complain(message);
    else {
      faulty[0].focus();
      if (faults.length > 1) this.complain(e("faults_n", { n: faults.length }));
    }
  }

  /** @param {string} text */
  complain(text) {
    this.notes.querySelector(".trouble")?.remove();
    const note = trouble(text);
    this.notes.prepend(note);
    const isSaidAtField = this.fields.some((field) => field.element.classList.contains("wrong"));
    if (!isSaidAtField) note.scrollIntoView({ block: "nearest" });
  }

  /**
   * Somebody was quicker: show both, let the reader choose, overwrite nothing unseen.
   *
   * @param {Record<string, any>} problem with the record as it is now
   */
  showConflict({ current, detail }) {
    const before = this.record ?? current;
    const mine = this.changedFields;
    this.load(current, mine);
    this.requestKey = newKey();
    this.notes.prepend(conflictNote(before, current, this.fields, mine, detail));
    this.notes.scrollIntoView({ block: "start" });
  }

  askRemoval() {
    this.confirm(e("remove_sure", { what: this.kind.title }), e("remove"), () => this.remove());
  }

  async remove() {
    const { kind, record, requestKey } = this;
    if (!record) return;
    const headers = { "Idempotency-Key": requestKey, ...ifMatch(record) };
    try {
      const saved = await send("DELETE", `/api/entry/${kind.kind}/${record.id}`, undefined, headers);
      this.forgetDraft();
      this.entry.finish(kind, saved, e("removed", { what: kind.title }));
    } catch (error) {
      this.requestKey = newKey();
      if (error.status === 412) this.showConflict(error.problem);
      else this.complain(error.message);
      this.notes.scrollIntoView({ block: "start" });
    }
  }

  // --- asking before something is lost -----------------------------------------------------------

  /** The question that is asked, if one is. */
  get asking() {
    return this.element.querySelector(".confirm");
  }

  /**
   * Ask before something is lost; the safe answer has the focus.
   *
   * @param {string} question
   * @param {string} yes
   * @param {() => void} onYes
   */
  confirm(question, yes, onYes) {
    this.asking?.remove();
    const no = h("button", { type: "button", class: "button", onclick: () => box.remove() }, e("keep_on"));
    const agree = () => {
      box.remove();
      onYes();
    };
    /** @type {HTMLElement} */
    const box = h(
      "div",
      { class: "confirm", role: "alertdialog", "aria-label": question },
      h("p", {}, question),
      h("div", { class: "buttons" }, no, h("button", { type: "button", class: "button wrong", onclick: agree }, yes)),
    );
    this.element.append(box);
    box.scrollIntoView({ block: "nearest" });
    no.focus();
  }
}

/** @param {Stored} record */
const ifMatch = (record) => ({ "If-Match": `"${record.version}"` });
