// Records entered by hand: choose a kind, find one or begin a new one, fill in the form, save, undo.

import { get, newKey, send } from "./api.js";
import { FormField } from "./entry_fields.js";
import { e, eOr, wordOf } from "./entry_texts.js";
import { at, h, isNarrow, settled } from "./dom.js";
import { offered } from "./offers.js";
import { trouble } from "./parts.js";
import { placeOfPoint, show, state } from "./state.js";
import { config, coordinates, day } from "./texts.js";

const PAUSE_MS = 200;
const LAYER_OF = { facility: "facilities", hazard: "hazards" };

const draftName = (kind, id) => `gis-entry:${config.actor.actor_id}:${kind}:${id}`;

export class Entry {
  /** Parts: map, sheet, points, grids, ground, flyTo({lon, lat}). */
  constructor(parts) {
    Object.assign(this, parts);
    this.kinds = null;
    this.shown = "";
    this.q = "";
    addEventListener("keydown", (event) => this.onKey(event), true);
    this.toast = h("div", { id: "saved", role: "status", "aria-live": "polite", hidden: true });
    at("stage").append(this.toast);
  }

  // --- the panel ---------------------------------------------------------------------------------

  fill(title, ...children) {
    at("panel").dataset.kind = "entry";
    at("panel-body").replaceChildren(
      h(
        "header",
        { class: "panel-head" },
        h("div", {}, title),
        h(
          "button",
          {
            type: "button",
            class: "close",
            "aria-label": e("close"),
            title: e("close"),
            onclick: () => this.leave("", true),
          },
          "×",
        ),
      ),
      ...children.flat().filter(Boolean),
    );
    at("panel-body").scrollTop = 0;
    at("said").textContent = at("panel-body").querySelector("h2")?.textContent ?? "";
  }

  /** Draw what the state asks for; a form that stands already is left alone. */
  async show(signal) {
    const wish = state.entry;
    if (this.shown === wish && this.form && at("panel").dataset.kind === "entry" && this.form.isConnected) return;
    this.end();
    this.shown = wish;
    this.kinds ??= await get("/api/entry", {}, signal);
    signal.throwIfAborted();
    const [name, id] = wish.split(":");
    const kind = this.kinds.kinds.find((one) => one.kind === name);
    if (!kind) this.showKinds();
    else if (!id) await this.showList(kind, signal);
    else await this.showForm(kind, id, signal);
    if (isNarrow()) this.sheet.atLeast(id ? "full" : "peek");
  }

  /** Take away what a form has put on the map. */
  end() {
    for (const field of this.fields ?? []) field.remove();
    this.fields = null;
    this.form = null;
    this.shown = "";
  }

  showKinds() {
    const { kinds } = this.kinds;
    if (!kinds.length) {
      this.fill(h("h2", {}, e("title")), h("p", {}, e("none_may")));
      return;
    }
    this.fill(
      [h("h2", {}, e("title")), h("p", { class: "quiet" }, e("intro"))],
      h(
        "ul",
        { class: "rows kinds" },
        kinds.map(({ kind, title }) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", onclick: () => this.go(kind) },
              h("span", {}, title, h("small", {}, eOr(`about_${kind}`, ""))),
              h("b", { "aria-hidden": "true" }, "›"),
            ),
          ),
        ),
      ),
      offered("import") &&
        h(
          "p",
          {},
          h(
            "button",
            { type: "button", class: "button", onclick: () => show({ view: "import", entry: "" }) },
            e("import_instead"),
          ),
        ),
    );
  }

  go(entry) {
    show({ view: "enter", entry });
  }

  // --- the list ----------------------------------------------------------------------------------

  async showList(kind, signal) {
    const name = kind.kind;
    const hasGrids = kind.placed || name === "duty";
    const list = h("ul", { class: "rows records" });
    const more = h("button", { type: "button", class: "button", hidden: true }, e("more"));
    const said = h("p", { class: "quiet", role: "status" });
    const gridName = state.grid && this.grids.grid(state.grid)?.name;
    const inGrid = h("input", { type: "checkbox", checked: Boolean(this.inGrid) });
    const search = h("input", {
      type: "search",
      id: "entry-search",
      value: this.q,
      placeholder: eOr(`search_${name}`, ""),
      "aria-label": e("search"),
      autocomplete: "off",
      spellcheck: "false",
    });
    let after = null;
    const load = async (isMore) => {
      this.listing?.abort();
      this.listing = new AbortController();
      const { signal: mine } = this.listing;
      const ask = {
        q: search.value.trim(),
        after: isMore ? after : null,
        grid_id: hasGrids && inGrid.checked && gridName ? state.grid : null,
      };
      const { items, next } = await get(`/api/entry/${name}`, ask, mine);
      after = next;
      if (!isMore) list.replaceChildren();
      list.append(...items.map((row) => this.rowOf(name, row)));
      more.hidden = next === null;
      said.textContent = list.children.length ? "" : e(ask.q || ask.grid_id ? "nothing_found" : "nothing_yet");
    };
    const again = (isMore) =>
      load(isMore).catch((error) => error.name !== "AbortError" && (said.textContent = error.message));
    search.addEventListener(
      "input",
      settled(PAUSE_MS, () => {
        this.q = search.value;
        again(false);
      }),
    );
    inGrid.addEventListener("change", () => {
      this.inGrid = inGrid.checked;
      again(false);
    });
    more.addEventListener("click", () => again(true));
    this.fill(
      [this.backTo("", e("title")), h("h2", {}, kind.title)],
      h(
        "p",
        {},
        h(
          "button",
          { type: "button", class: "button filled", id: "entry-new", onclick: () => this.go(`${name}:new`) },
          eOr(`new_${name}`, e("new")),
        ),
      ),
      h(
        "div",
        { class: "finder" },
        search,
        hasGrids && gridName && h("label", { class: "check" }, inGrid, h("span", {}, e("only_in", { name: gridName }))),
      ),
      list,
      said,
      more,
    );
    await load(false);
    signal.throwIfAborted();
    if (!isNarrow()) (this.wantsFocus ? at("entry-new") : search).focus({ preventScroll: true });
  }

  backTo(entry, text) {
    return h("button", { type: "button", class: "link back", onclick: () => this.leave(entry) }, `‹ ${text}`);
  }

  rowOf(kind, row) {
    const days = row.first_day && `${day(row.first_day)} – ${row.last_day ? day(row.last_day) : e("open_end")}`;
    const word = row.word && (kind === "duty" ? e(`word_duty_${row.word}`) : wordOf("kind", row.word));
    const detail = kind === "hazard" ? wordOf("status", row.detail) : row.detail !== row.title && row.detail;
    const small = [word && row.title ? word : "", detail, kind === "duty" ? "" : row.grid_name, days]
      .filter(Boolean)
      .join(" · ");
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", onclick: () => this.go(`${kind}:${row.id}`) },
        h("span", {}, row.title || word || row.detail, small && h("small", {}, small)),
        h("b", { "aria-hidden": "true" }, "›"),
      ),
    );
  }

  // --- the form ----------------------------------------------------------------------------------

  async showForm(kind, id, signal) {
    const isNew = id === "new";
    const record = isNew ? null : await get(`/api/entry/${kind.kind}/${encodeURIComponent(id)}`, {}, signal);
    signal.throwIfAborted();
    this.kind = kind;
    this.id = id;
    this.requestKey = newKey();
    this.notes = h("div", { class: "notes" });
    const near = () => this.fields?.find((field) => field.control.place)?.value ?? null;
    this.fields = kind.fields.map(
      (spec) =>
        new FormField(spec, kind.kind, {
          map: this.map,
          sheet: this.sheet,
          near,
          onChange: (field, answer) => this.changed(field, answer),
        }),
    );
    this.saver = h("button", { type: "submit", class: "button filled" }, e("save"));
    this.form = h(
      "form",
      {
        class: "entry-form",
        novalidate: true,
        onsubmit: (event) => {
          event.preventDefault();
          this.save();
        },
      },
      this.notes,
      this.fields.map((field) => field.element),
      h(
        "div",
        { class: "saving" },
        this.saver,
        h("button", { type: "button", class: "button", onclick: () => this.leave(kind.kind) }, e("cancel")),
        !isNew &&
          kind.removable &&
          h("button", { type: "button", class: "button wrong", onclick: () => this.askRemoval() }, e("remove")),
      ),
    );
    this.fill(
      [this.backTo(kind.kind, kind.title), h("h2", {}, eOr(`${isNew ? "new" : "change"}_${kind.kind}`, kind.title))],
      this.form,
    );
    this.load(record);
    await this.prefill(isNew);
    this.restoreDraft();
    const place = this.fields.find((field) => field.control.place);
    if (place?.value && !isNew) this.flyTo(place.value);
    // A new record that needs a place begins with pointing at it.
    if (isNew && place?.spec.required && !place.value && !isNarrow()) place.control.place.pointing(true);
    if (!isNarrow()) this.fields.find((field) => !field.control.place && !this.isFixed(field))?.focus();
    at("panel-body").scrollTop = 0;
  }

  isFixed = (field) => this.record && field.spec.fixed;

  /** Put a record into the form; what is typed already can be kept. */
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
    this.showNotes();
  }

  showNotes() {
    const { record } = this;
    const reasons = this.kinds.reasons;
    const reason = h(
      "select",
      { "aria-label": e("reveal_why") },
      h("option", { value: "" }, e("reveal_why")),
      reasons.map((one) => h("option", { value: one }, e(`reason_${one}`))),
    );
    const look = h(
      "button",
      { type: "button", class: "button", disabled: true, onclick: () => this.reveal(reason.value) },
      e("reveal"),
    );
    reason.addEventListener("change", () => (look.disabled = !reason.value));
    this.notes.replaceChildren(
      ...[
        record?.grid && h("p", { class: "quiet" }, e("now_in", { name: record.grid.name })),
        record?.may.reveal &&
          h("div", { class: "reveal" }, h("p", {}, e("hidden")), h("div", { class: "place-typed" }, reason, look)),
      ].filter(Boolean),
    );
  }

  /** What the map knows already: the selected grid, the point that was clicked. */
  async prefill(isNew) {
    if (!isNew) return;
    const field = (name) => this.fields.find((one) => one.spec.name === name);
    const today = config.today;
    for (const name of ["first_day", "found_on"]) if (field(name)) field(name).restore({ value: today });
    if (state.grid && field("grid")) {
      const grid = this.grids.grid(state.grid);
      if (grid) field("grid").restore({ value: Number(state.grid), title: grid.name });
    }
    const place = placeOfPoint(state.point);
    if (place && field("point")) field("point").restore({ value: { ...place, crs: "cgcs2000" } });
    this.prefilled = JSON.stringify(this.fields.map((one) => one.value));
  }

  get dirty() {
    return this.fields.filter((field) => field.isDirty);
  }

  get isDirty() {
    if (!this.form || !this.fields) return false;
    if (!this.record)
      return this.prefilled !== undefined && JSON.stringify(this.fields.map((one) => one.value)) !== this.prefilled;
    return this.dirty.length > 0;
  }

  changed(field, answer) {
    if (field?.control.pick && answer?.lon !== undefined && answer?.lon !== null) {
      // A household lives where its building stands, unless it was pointed elsewhere.
      const place = this.fields.find((one) => one.control.place);
      if (place && !place.value) place.control.set({ lon: answer.lon, lat: answer.lat, crs: "cgcs2000" });
    }
    this.keepDraft();
  }

  keepDraft() {
    const name = draftName(this.kind.kind, this.id);
    if (!this.isDirty) {
      sessionStorage.removeItem(name);
      return;
    }
    const values = Object.fromEntries(
      (this.record ? this.dirty : this.fields).map((field) => [field.spec.name, field.draft]),
    );
    sessionStorage.setItem(
      name,
      JSON.stringify({ values, version: this.record?.version, requestKey: this.requestKey }),
    );
  }

  restoreDraft() {
    const found = sessionStorage.getItem(draftName(this.kind.kind, this.id));
    if (!found) return;
    const draft = JSON.parse(found);
    this.requestKey = draft.requestKey;
    for (const field of this.fields) {
      if (field.spec.name in draft.values && !this.isFixed(field)) field.restore(draft.values[field.spec.name]);
    }
    if (!this.isDirty) return;
    this.notes.append(
      h(
        "div",
        { class: "note" },
        h("p", {}, e("draft_back")),
        h("button", { type: "button", class: "link", onclick: () => this.discard() }, e("draft_drop")),
      ),
    );
  }

  /** Begin the same form anew, without what was typed. */
  discard() {
    sessionStorage.removeItem(draftName(this.kind.kind, this.id));
    const wish = this.shown;
    this.end();
    this.redraw(wish);
  }

  redraw(wish) {
    this.shown = "";
    const abort = new AbortController();
    if (state.entry === wish) this.show(abort.signal).catch((error) => this.fail(error));
    else this.go(wish);
  }

  fail(error) {
    this.fill(
      h("h2", {}, e("title")),
      trouble(error.message, () => this.redraw(state.entry)),
    );
  }

  // --- saving ------------------------------------------------------------------------------------

  async save() {
    if (this.isSaving) return;
    const { kind, record } = this;
    const sent = record ? this.dirty : this.fields;
    if (record && !sent.length) {
      this.go(kind.kind);
      return;
    }
    const values = Object.fromEntries(sent.map((field) => [field.spec.name, field.value]));
    this.fields.forEach((field) => field.say(""));
    this.notes.querySelector(".trouble")?.remove();
    this.isSaving = true;
    this.saver.disabled = true;
    this.saver.textContent = e("is_saving");
    const headers = { "Idempotency-Key": this.requestKey };
    if (record) headers["If-Match"] = `"${record.version}"`;
    try {
      const path = `/api/entry/${kind.kind}${record ? `/${record.id}` : ""}`;
      const saved = await send(record ? "PATCH" : "POST", path, { values }, headers);
      this.saved(saved, sent);
    } catch (error) {
      this.refused(error);
    } finally {
      this.isSaving = false;
      this.saver.disabled = false;
      this.saver.textContent = e("save");
    }
  }

  saved(saved, sent) {
    const { kind } = this;
    this.requestKey = newKey();
    if (saved.repeated && saved.record) {
      // It had been saved although the answer was lost; what was typed since is not.
      sessionStorage.removeItem(draftName(kind.kind, this.id));
      this.id = String(saved.record.id);
      this.load(
        saved.record,
        sent.filter((field) => !field.spec.fixed),
      );
      if (this.isDirty) {
        this.notes.append(h("div", { class: "note", role: "alert" }, e("saved_before")));
        return;
      }
    }
    sessionStorage.removeItem(draftName(kind.kind, this.id));
    this.forget(kind.kind);
    this.offerUndo(saved, e(`saved_${this.record ? "change" : "new"}`, { what: kind.title }));
    this.end();
    this.q = "";
    this.go(kind.kind);
  }

  refused(error) {
    const { problem } = error;
    const faults = problem?.errors ?? (problem?.field ? [{ field: problem.field, detail: problem.detail }] : []);
    let first = null;
    for (const { field: name, detail } of faults) {
      const field = this.fields.find((one) => one.spec.name === name);
      field?.say(detail);
      first ??= field;
    }
    if (error.status === 412) this.showConflict(problem);
    else if (first) first.focus();
    if (first && faults.length > 1) this.complain(e("faults_n", { n: faults.length }));
    else if (!first && error.status !== 412) this.complain(error.message);
  }

  /** What the map shows of a kind is asked for anew. */
  forget(kind) {
    if (kind === "building") this.ground.forgetBuildings().catch((error) => this.say(error.message));
    else this.points.forget(LAYER_OF[kind]);
  }

  complain(text) {
    this.notes.querySelector(".trouble")?.remove();
    const said = trouble(text);
    this.notes.prepend(said);
    if (!this.fields.some((field) => field.element.classList.contains("wrong")))
      said.scrollIntoView({ block: "nearest" });
  }

  /** Somebody was quicker: show both, let the reader choose, overwrite nothing unseen. */
  showConflict({ current, detail }) {
    const mine = this.dirty;
    const before = this.record.values;
    const isSame = (one, two) => JSON.stringify(one) === JSON.stringify(two);
    const theirs = this.fields.filter((field) => !isSame(before[field.spec.name], current.values[field.spec.name]));
    const both = mine.filter((field) => theirs.includes(field));
    this.load(current, mine);
    this.requestKey = newKey();
    const text = (field, value, title) =>
      title ||
      (value === null || value === ""
        ? "–"
        : typeof value === "boolean"
          ? e(value ? "yes" : "no")
          : Array.isArray(value)
            ? value.map((word) => wordOf(field.spec.name, word)).join("、")
            : typeof value === "object"
              ? coordinates(value, 6)
              : field.spec.choices.length
                ? wordOf(field.spec.name, value)
                : String(value));
    const choice = (field) => {
      const { name } = field.spec;
      const draft = field.draft;
      const pick = (isMine) =>
        isMine ? field.restore(draft) : field.show(current.values[name], current.named[name] ?? "");
      return h(
        "fieldset",
        {},
        h("legend", {}, field.spec.title),
        [true, false].map((isMine) =>
          h(
            "label",
            { class: "check" },
            h("input", { type: "radio", name: `conflict-${name}`, checked: isMine, onchange: () => pick(isMine) }),
            h(
              "span",
              {},
              e(isMine ? "conflict_mine" : "conflict_theirs"),
              " ",
              h(
                "b",
                {},
                isMine ? text(field, draft.value, draft.title) : text(field, current.values[name], current.named[name]),
              ),
            ),
          ),
        ),
      );
    };
    const others = theirs.filter((field) => !both.includes(field));
    this.notes.prepend(
      h(
        "div",
        { class: "trouble", role: "alert" },
        h("p", {}, detail),
        both.map(choice),
        others.length > 0 &&
          h(
            "p",
            { class: "quiet" },
            e("conflict_others", { fields: others.map((field) => field.spec.title).join("、") }),
          ),
      ),
    );
    this.notes.scrollIntoView({ block: "start" });
  }

  askRemoval() {
    this.confirm(e(`remove_sure`, { what: this.kind.title }), e("remove"), async () => {
      const { kind, record } = this;
      try {
        const saved = await send("DELETE", `/api/entry/${kind.kind}/${record.id}`, undefined, {
          "Idempotency-Key": this.requestKey,
          "If-Match": `"${record.version}"`,
        });
        sessionStorage.removeItem(draftName(kind.kind, this.id));
        this.forget(kind.kind);
        this.offerUndo(saved, e("removed", { what: kind.title }));
        this.end();
        this.go(kind.kind);
      } catch (error) {
        this.requestKey = newKey();
        if (error.status === 412) this.showConflict(error.problem);
        else this.complain(error.message);
        this.notes.scrollIntoView({ block: "start" });
      }
    });
  }

  /** Ask before something is lost; the safe answer has the focus. */
  confirm(question, yes, onYes) {
    this.form.querySelector(".confirm")?.remove();
    const close = () => box.remove();
    const no = h("button", { type: "button", class: "button", onclick: close }, e("keep_on"));
    const box = h(
      "div",
      { class: "confirm", role: "alertdialog", "aria-label": question },
      h("p", {}, question),
      h(
        "div",
        { class: "buttons" },
        no,
        h(
          "button",
          {
            type: "button",
            class: "button wrong",
            onclick: () => {
              close();
              onYes();
            },
          },
          yes,
        ),
      ),
    );
    this.form.append(box);
    box.scrollIntoView({ block: "nearest" });
    no.focus();
  }

  async reveal(reason) {
    try {
      const record = await send("POST", `/api/entry/${this.kind.kind}/${this.record.id}/reveal`, { reason });
      this.load(record, this.dirty);
    } catch (error) {
      this.complain(error.message);
    }
  }

  offerUndo(saved, text) {
    clearInterval(this.ticking);
    let left = saved.undo_s;
    const close = () => {
      clearInterval(this.ticking);
      this.toast.hidden = true;
    };
    const button = h(
      "button",
      {
        type: "button",
        class: "link",
        onclick: async () => {
          close();
          try {
            await send("POST", `/api/entry/undo/${saved.change_id}`);
            this.say(e("undone"));
            for (const kind of ["facility", "hazard", "building"]) this.forget(kind);
            if (state.view === "enter" && !this.form) this.redraw(state.entry);
          } catch (error) {
            this.say(error.message);
          }
        },
      },
      e("undo"),
    );
    const rest = h("small", {}, e("undo_left", { s: left }));
    this.toast.replaceChildren(h("span", {}, text));
    if (saved.change_id)
      this.toast.replaceChildren(
        h("span", {}, text),
        button,
        rest,
        h("button", { type: "button", class: "close", "aria-label": e("close"), onclick: close }, "×"),
      );
    this.toast.hidden = false;
    this.ticking = setInterval(() => {
      left -= 1;
      rest.textContent = e("undo_left", { s: left });
      if (left <= 0) close();
    }, 1000);
  }

  say(text) {
    clearInterval(this.ticking);
    this.toast.replaceChildren(h("span", {}, text));
    this.toast.hidden = false;
    this.ticking = setTimeout(() => (this.toast.hidden = true), 5000);
  }

  // --- going back --------------------------------------------------------------------------------

  /** Leave for another part; asks first when something typed is not saved. */
  leave(entry, isClosing = false) {
    const away = () => {
      if (this.kind) sessionStorage.removeItem(draftName(this.kind.kind, this.id));
      this.end();
      show(isClosing ? { view: "", entry: "" } : { view: "enter", entry });
    };
    if (this.isDirty) this.confirm(e("leave_sure"), e("leave_yes"), away);
    else away();
  }

  onKey(event) {
    if (event.key !== "Escape" || state.view !== "enter" || event.target.closest?.("#bar")) return;
    if (event.target.closest?.(".pick")?.querySelector("[role=listbox]:not([hidden])")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const asking = this.form?.querySelector(".confirm");
    const place = this.fields?.find((field) => field.control.place?.isPointing);
    if (asking) asking.remove();
    else if (this.form?.isConnected) {
      place?.control.place.pointing(false);
      this.leave(this.kind.kind);
    } else if (state.entry) this.leave("");
    else this.leave("", true);
  }
}
