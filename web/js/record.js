// The record, for auditors: who did and saw what, the newest first; what is chosen stands in the address.

import { get, isStale } from "./api.js";
import { a, aOr, roleName } from "./account_texts.js";
import { h, isNarrow } from "./dom.js";
import { line, trouble } from "./parts.js";
import { openPage } from "./plain.js";
import { config, moment, number } from "./texts.js";

/**
 * @typedef {object} Recorded
 * @property {number} event_id
 * @property {string} at
 * @property {number} actor_id
 * @property {string} actor_name
 * @property {string} actor_role
 * @property {number | null} session_id
 * @property {string} address
 * @property {string} request_id
 * @property {string} action
 * @property {string} object_kind
 * @property {string | null} object_id
 * @property {Record<string, unknown> | null} before
 * @property {Record<string, unknown> | null} after
 */

const AT_ONCE = 50;
const CHINA = "+08:00";
const FILTERS = /** @type {const} */ (["since", "until", "actor_id", "action", "object_kind", "object_id"]);

const content = openPage();
/** @type {number | null} */
let next = null;
/** @type {AbortController | null} */
let abort = null;
const actions = h("datalist", { id: "known-actions" });
const kinds = h("datalist", { id: "known-kinds" });
const list = h("ol", { class: "record", id: "record", onkeydown: (event) => step(event) });
const note = h("p", { class: "quiet", role: "status" });
const more = h("button", { type: "button", class: "button", id: "record-more", hidden: true, onclick: () => load(false) }, a("record_more")); // prettier-ignore
const fileLink = h("a", { class: "button", id: "record-export", download: "" }, a("record_export"));
const seal = h("p", { class: "quiet", id: "seal" });

/**
 * @param {string} name
 * @param {string} label
 * @param {Record<string, any>} [attributes]
 */
const input = (name, label, attributes = {}) =>
  h("label", {}, label, h("input", { name, id: `filter-${name}`, type: "text", autocomplete: "off", ...attributes }));

const form = h(
  "form",
  {
    class: "filters record-filters",
    role: "search",
    onsubmit: (event) => {
      event.preventDefault();
      load(true);
    },
  },
  input("since", a("record_since"), { type: "datetime-local" }),
  input("until", a("record_until"), { type: "datetime-local" }),
  input("actor_id", a("record_who"), { inputmode: "numeric", pattern: "-?[0-9]*" }),
  input("action", a("record_action"), { list: "known-actions" }),
  input("object_kind", a("record_kind"), { list: "known-kinds" }),
  input("object_id", a("record_id")),
  h("button", { type: "submit", class: "button filled" }, a("record_find")),
  h("button", { type: "button", class: "button", id: "record-clear", onclick: () => clear() }, a("record_clear")),
);

/** @param {string} name */
const control = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

/** What is asked for, as the API takes it: times are of China. */
function asked() {
  return Object.fromEntries(
    FILTERS.flatMap((name) => {
      const value = control(name).value.trim();
      if (!value) return [];
      return [[name, name === "since" || name === "until" ? `${value.slice(0, 16)}:00${CHINA}` : value]];
    }),
  );
}

function clear() {
  for (const name of FILTERS) control(name).value = "";
  load(true);
}

/** @param {Partial<Record<(typeof FILTERS)[number], string>>} filter */
function only(filter) {
  for (const [name, value] of Object.entries(filter)) control(name).value = value ?? "";
  load(true);
  control("action").focus();
}

/**
 * Before and after as lines: what is the same on both sides stands there once.
 *
 * @param {Record<string, unknown> | null} values
 */
const valueLines = (values) =>
  values && Object.keys(values).length
    ? h("div", { class: "lines" }, Object.entries(values).map(([name, value]) => line(name, typeof value === "string" ? value : JSON.stringify(value)))) // prettier-ignore
    : h("p", { class: "quiet" }, a("record_nothing"));

/** @param {Recorded} event */
function details(event) {
  const pick = (/** @type {string} */ text, /** @type {Parameters<typeof only>[0]} */ filter) =>
    h("button", { type: "button", class: "button", onclick: () => only(filter) }, `${a("record_only")}: ${text}`);
  return h(
    "div",
    { class: "record-details" },
    h(
      "div",
      { class: "both" },
      h("section", {}, h("h3", {}, a("record_before")), valueLines(event.before)),
      h("section", {}, h("h3", {}, a("record_after")), valueLines(event.after)),
    ),
    h(
      "div",
      { class: "lines" },
      line("№", number(event.event_id)),
      line(a("record_from"), event.address || "–"),
      line(a("record_session"), event.session_id === null ? "–" : String(event.session_id)),
      line(a("record_request"), event.request_id || "–"),
    ),
    h(
      "div",
      { class: "buttons" },
      pick(event.actor_name, { actor_id: String(event.actor_id) }),
      pick(event.action, { action: event.action }),
      pick(event.object_kind, { object_kind: event.object_kind }),
      event.object_id !== null &&
        pick(`${event.object_kind} ${event.object_id}`, { object_kind: event.object_kind, object_id: event.object_id }),
    ),
  );
}

/**
 * What something was done to, in words where its number is one.
 *
 * @param {Recorded} event
 */
function thing(event) {
  const kind = aOr(`thing_${event.object_kind}`, event.object_kind);
  return [kind, event.object_id].filter(Boolean).join(" ");
}

/** @param {Recorded} event */
function eventRow(event) {
  /** @type {HTMLDetailsElement} */
  const box = h(
    "details",
    { ontoggle: () => box.open && box.children.length === 1 && box.append(details(event)) },
    h(
      "summary",
      {},
      h("time", { datetime: event.at }, moment(event.at)),
      h("span", { class: "by" }, event.actor_name, h("small", {}, roleName(event.actor_role))),
      h("b", {}, aOr(`did_${event.action}`, event.action)),
      h("span", {}, thing(event)),
      h("span", { class: "from quiet" }, event.address),
    ),
  );
  return h("li", { "data-event": event.event_id }, box);
}

/**
 * Up and down go from row to row.
 *
 * @param {KeyboardEvent} event
 */
function step(event) {
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const on = event.target instanceof Element ? event.target.closest("summary") : null;
  if (!way || !on) return;
  event.preventDefault();
  const all = [...list.querySelectorAll("summary")];
  const to = all[all.indexOf(on) + way];
  if (to) to.focus();
  else if (way > 0 && next !== null) load(false);
}

/** @param {Recorded[]} events */
function learn(events) {
  for (const [slot, of] of /** @type {[HTMLDataListElement, "action" | "object_kind"][]} */ ([
    [actions, "action"],
    [kinds, "object_kind"],
  ])) {
    // prettier-ignore
    const known = new Set([...slot.options].map(({ value }) => value));
    for (const value of new Set(events.map((event) => event[of]))) {
      if (!known.has(value)) slot.append(h("option", { value }));
    }
  }
}

/** @param {boolean} isNew whether from the newest on; else what follows */
async function load(isNew) {
  abort?.abort();
  abort = new AbortController();
  const filter = asked();
  const query = new URLSearchParams({ ...filter, lang: config.language });
  if (isNew) history.replaceState(null, "", `${location.pathname}?${query}`);
  fileLink.setAttribute("href", `/api/record.csv?${query}`);
  more.disabled = true;
  try {
    const page = await get("/api/record", { ...filter, limit: AT_ONCE, before_id: isNew ? null : next }, abort.signal);
    const focusOn = list.children.length;
    const hadFocus = !isNew && (document.activeElement === more || list.contains(document.activeElement));
    if (isNew) list.replaceChildren();
    list.append(...page.items.map(eventRow));
    learn(page.items);
    next = page.next;
    more.hidden = next === null;
    note.textContent = !list.children.length ? a("record_none") : next === null ? a("record_end") : a("record_keys");
    if (hadFocus) /** @type {HTMLElement | null} */ (list.children[focusOn]?.querySelector("summary"))?.focus();
  } catch (error) {
    if (isStale(error)) return;
    if (error.status === 403) {
      content.replaceChildren(trouble(error.message));
      return;
    }
    note.textContent = "";
    if (isNew)
      list.replaceChildren(
        h(
          "li",
          {},
          trouble(error.message, () => load(true)),
        ),
      );
    else note.textContent = error.message;
  } finally {
    more.disabled = false;
  }
}

async function showSeal() {
  if (!seal.isConnected) return; // who may not read the record was told so
  try {
    const state = await get("/api/record/state");
    seal.replaceChildren(
      state.head
        ? a("record_seal", {
            n: number(state.sealed_to),
            at: state.sealed_at ? moment(state.sealed_at) : "–",
            open: number(state.unsealed),
          })
        : a("record_unsealed"),
      ...(state.head ? [" ", a("record_head"), " ", h("code", { class: "head" }, state.head)] : []),
    );
  } catch (error) {
    seal.textContent = error.status === 403 ? "" : error.message;
  }
}

const query = new URLSearchParams(location.search);
for (const name of FILTERS) control(name).value = (query.get(name) ?? "").slice(0, name === "since" || name === "until" ? 16 : 100); // prettier-ignore
const filters = h("details", { class: "fold", id: "record-filters", open: !isNarrow() || Object.keys(asked()).length > 0 }, h("summary", {}, a("record_find")), form); // prettier-ignore
content.append(filters, actions, kinds, h("div", { class: "buttons" }, fileLink), seal, list, note, more);
load(true).then(showSeal);
// Whoever scrolls to the end reads on; whoever does not see the page has the button.
new IntersectionObserver(([entry]) => {
  if (entry.isIntersecting && next !== null && !more.disabled) load(false);
}, { rootMargin: "300px" }).observe(more); // prettier-ignore
