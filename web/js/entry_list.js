// The records of a kind as a list: search, only those of a grid, begin a new one.

import { get, isStale } from "./api.js";
import { h, isNarrow, settled } from "./dom.js";
import { e, eOr, wordOf } from "./entry_texts.js";
import { state } from "./state.js";
import { day } from "./texts.js";

/** @import { Entry, FormOfKind } from "./entry.js" */
/** @import { Shape } from "../types/answers.js" */

const PAUSE_MS = 200;

/** What the last list was asked for; it is there again when one comes back to it. */
const asked = { text: "", isInGrid: false };

/** Ask for all next time. */
export function forgetSearch() {
  asked.text = "";
}

/**
 * Show the records of a kind, with a search and a way to begin a new one.
 *
 * @param {Entry} entry
 * @param {FormOfKind} kind
 * @param {AbortSignal} signal
 */
export async function showList(entry, kind, signal) {
  const list = h("ul", { class: "rows records" });
  const more = h("button", { type: "button", class: "button", hidden: true }, e("more"));
  const note = h("p", { class: "quiet", role: "status" });
  const search = h("input", {
    type: "search",
    id: "entry-search",
    value: asked.text,
    placeholder: eOr(`search_${kind.name}`, ""),
    "aria-label": e("search"),
    autocomplete: "off",
    spellcheck: "false",
  });
  const grid = kind.placed || kind.name === "duty" ? entry.grids.grid(state.grid) : undefined;
  const inGrid = h("input", { type: "checkbox", checked: asked.isInGrid });
  /** @type {number | null} */
  let next = null;
  /** @type {AbortController | null} */
  let listing = null;
  const load = async (/** @type {boolean} */ isMore) => {
    listing?.abort();
    listing = new AbortController();
    const query = {
      q: search.value.trim(),
      after: isMore ? next : null,
      grid_id: grid && inGrid.checked ? state.grid : null,
    };
    const rows = await get(`/api/entry/${kind.kind}`, query, listing.signal);
    next = rows.next;
    if (!isMore) list.replaceChildren();
    list.append(...rows.items.map((record) => rowOf(entry, kind.kind, record)));
    more.hidden = next === null;
    note.textContent = list.children.length ? "" : e(query.q || query.grid_id ? "nothing_found" : "nothing_yet");
  };
  const reload = (isMore = false) =>
    load(isMore).catch((error) => {
      if (!isStale(error)) note.textContent = error.message;
    });
  const searchSoon = settled(PAUSE_MS, () => {
    asked.text = search.value;
    reload();
  });
  search.addEventListener("input", () => searchSoon());
  inGrid.addEventListener("change", () => {
    asked.isInGrid = inGrid.checked;
    reload();
  });
  more.addEventListener("click", () => reload(true));
  const begin = {
    type: "button",
    class: "button filled",
    id: "entry-new",
    onclick: () => entry.go(`${kind.name}:new`),
  };
  entry.fill(
    [entry.backTo("", e("title")), h("h2", {}, kind.title)],
    h("p", {}, h("button", begin, eOr(`new_${kind.name}`, e("new")))),
    h(
      "div",
      { class: "finder" },
      search,
      grid && h("label", { class: "check" }, inGrid, h("span", {}, e("only_in", { name: grid.name }))),
    ),
    list,
    note,
    more,
  );
  await load(false);
  signal.throwIfAborted();
  if (!isNarrow()) search.focus({ preventScroll: true });
}

/**
 * @param {Entry} entry
 * @param {string} kind
 * @param {Shape<"Listed">} record
 */
function rowOf(entry, kind, { id, title, detail, word, grid_name, first_day, last_day }) {
  const isDuty = kind === "duty";
  const kindWord = word && (isDuty ? e(`word_duty_${word}`) : wordOf("kind", word));
  const small = [
    title && kindWord,
    kind === "hazard" ? wordOf("status", detail) : detail !== title && detail,
    !isDuty && grid_name,
    first_day && `${day(first_day)} – ${last_day ? day(last_day) : e("open_end")}`,
  ]
    .filter(Boolean)
    .join(" · ");
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", onclick: () => entry.go(`${kind}:${id}`) },
      h("span", {}, title || kindWord || detail, small && h("small", {}, small)),
      h("b", { "aria-hidden": "true" }, "›"),
    ),
  );
}
