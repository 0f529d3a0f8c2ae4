// The board: open incidents beside the map, the pressing ones first, alive.

import { get } from "./api.js";
import { bulkForm } from "./bulk.js";
import { h, settled } from "./dom.js";
import { listenLive } from "./live.js";
import { offered } from "./offers.js";
import { tag } from "./parts.js";
import { show, state } from "./state.js";
import { kindName } from "./figures.js";
import { moment, number, shortDay, t, tOr } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"IncidentRow">} Row */

/** @type {Record<string, import("./api.js").Parameters>} */
const TABS = {
  open: { status: "open" },
  overdue: { status: "open", due: "overdue" },
  soon: { status: "open", due: "soon" },
  flagged: { status: "open", flagged: true },
  mine: { status: "open", mine: true },
};
const AT_ONCE = 50;
let tab = "open";
let q = "";

/**
 * What stands beside an incident in a list: how pressing it is.
 *
 * @param {Pick<Row, "overdue" | "soon" | "flagged" | "returns">} row
 */
export const urgency = (row) =>
  [
    row.overdue && tag(t("overdue"), "wrong"),
    !row.overdue && row.soon && tag(t("incident_soon"), "care"),
    row.flagged && tag(t("incident_flagged", { n: number(row.returns) }), "wrong"),
  ].filter(Boolean);

/** @param {Row} row */
const rowOf = (row) =>
  h(
    "li",
    { "data-incident": row.incident_id },
    h(
      "button",
      { type: "button", onclick: () => show({ point: `incident:${row.incident_id}`, grid: "", view: "" }) },
      h(
        "span",
        {},
        h("b", {}, kindName(row.kind)),
        " ",
        row.text || row.address,
        h(
          "small",
          {},
          [row.grid_name, moment(row.reported_at), row.due_on && t("incident_due", { day: shortDay(row.due_on) })]
            .filter(Boolean)
            .join(" · "),
        ),
      ),
      h("span", { class: "tags" }, tag(tOr(`status_${row.status}`, row.status)), ...urgency(row)),
    ),
  );

/**
 * Draw the board into the panel and keep it up to date; returns what ends that.
 *
 * @param {{panel: any, onError: (error: Error) => void}} desk
 * @param {AbortSignal} signal
 */
export async function showBoard(desk, signal) {
  const list = h("ul", { class: "rows board", id: "board" });
  const count = h("p", { class: "quiet", role: "status" });
  const live = h("span", { class: "live", title: t("live_waiting") });
  const more = h(
    "button",
    { type: "button", class: "button", hidden: true, onclick: () => load(list.children.length) },
    t("more"),
  );
  let total = 0;

  async function load(offset = 0) {
    const page = await get("/api/incidents", { ...TABS[tab], q, limit: AT_ONCE, offset }, signal);
    if (signal.aborted) return;
    total = page.total;
    const rows = page.items.map(rowOf);
    if (offset) list.append(...rows);
    else list.replaceChildren(...rows);
    count.textContent = t(total ? "board_count" : !offered("incidents") ? "board_hidden" : `board_none_${tab}`, {
      n: number(total),
    });
    more.hidden = list.children.length >= total;
  }

  /** @param {number} offset */
  const again = (offset) => load(offset).catch((error) => error.name !== "AbortError" && desk.onError(error));
  const reload = settled(400, () => again(0));
  const tabs = h(
    "div",
    { class: "tabs", role: "group", "aria-label": t("board") },
    Object.keys(TABS).map((name) =>
      h(
        "button",
        {
          type: "button",
          id: `board-${name}`,
          "aria-pressed": String(name === tab),
          onclick: (event) => {
            tab = name;
            for (const tabButton of tabs.children)
              tabButton.setAttribute("aria-pressed", String(tabButton === event.currentTarget));
            again(0);
          },
        },
        t(`board_${name}`),
      ),
    ),
  );
  const filter = h("input", {
    id: "board-q",
    type: "search",
    value: q,
    "aria-label": t("board_filter"),
    placeholder: t("board_filter"),
    oninput: (event) => {
      q = event.target.value.trim();
      reload();
    },
  });
  await load();
  signal.throwIfAborted();
  desk.panel.fill(
    "board",
    [
      h("p", { class: "eyebrow" }, t("dispatch"), live),
      h("h2", {}, t("board")),
      h("p", { class: "quiet how" }, t("dispatch_how")),
    ],
    tabs,
    filter,
    count,
    list,
    more,
    offered("locate_files") && bulkForm(() => state.scheme),
  );
  desk.panel.focusIfAsked();
  const stop = listenLive(
    ({ type }) => type === "incident" && reload(),
    (isConnected) => {
      live.classList.toggle("on", isConnected);
      live.title = t(isConnected ? "live_on" : "live_waiting");
    },
  );
  return stop;
}
