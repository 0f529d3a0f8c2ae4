// What stands in the panel for those who answer for some grids: what waits there, and the grids with their homes.

import { get } from "./api.js";
import { h } from "./dom.js";
import { kindName } from "./figures.js";
import { offered } from "./offers.js";
import { heading, row, tag } from "./parts.js";
import { show } from "./state.js";
import { config, day, number, t } from "./texts.js";

/** @import { Point } from "../types/page.js" */

const MOST = 5;

/**
 * A list of what waits, or that nothing does.
 *
 * @param {string} title
 * @param {number} total
 * @param {HTMLLIElement[]} rows
 * @param {string} nothing
 */
const waiting = (title, total, rows, nothing) => [
  heading(title, total > rows.length ? t("first_of", { n: number(rows.length), total: number(total) }) : number(total)),
  rows.length ? h("ul", { class: "rows" }, rows) : h("p", { class: "quiet" }, nothing),
];

/** @param {AbortSignal} signal */
async function incidents(signal) {
  const { items, total } = await get("/api/incidents", { status: "open", limit: MOST }, signal);
  const rows = items.map((incident) =>
    row(
      () => show({ mode: "dispatch", point: `incident:${incident.incident_id}`, grid: "", view: "" }),
      incident.text || kindName(incident.kind),
      {
        note: [incident.grid_name, incident.due_on && t("incident_due", { day: day(incident.due_on) })]
          .filter(Boolean)
          .join(" · "),
        figure: incident.overdue && tag(t("overdue"), "wrong"),
        sign: "incident",
      },
    ),
  );
  return waiting(t("incidents_open"), total, rows, t("own_no_incident"));
}

/** @param {import("./points.js").Points} points */
async function hazards(points) {
  const all = (await points.pointsOf("hazards")).sort((a, b) => (a.due_on ?? "9").localeCompare(b.due_on ?? "9"));
  const rows = all.slice(0, MOST).map((hazard) =>
    row(() => show({ point: hazard.id, grid: "", view: "" }), kindName(hazard.kind), {
      note: [t(`grade_${hazard.grade}`), hazard.due_on && t("incident_due", { day: day(hazard.due_on) })]
        .filter(Boolean)
        .join(" · "),
      figure: hazard.overdue && tag(t("overdue"), "wrong"),
      sign: hazard.grade === "major" ? "hazard_major" : "hazard",
    }),
  );
  return waiting(t("own_hazards"), all.length, rows, t("own_no_hazard"));
}

/**
 * What waits in one's own area, the pressing first, and the way to its homes.
 *
 * @param {import("./points.js").Points} points
 * @param {AbortSignal} signal
 */
export async function ownWork(points, signal) {
  const [waits, dangers] = await Promise.all([
    offered("incidents") ? incidents(signal) : [],
    offered("hazards") ? hazards(points) : [],
  ]);
  return [
    ...waits,
    ...dangers,
    heading(t("own_grids")),
    h(
      "ul",
      { class: "rows" },
      (config.actor.areas ?? []).map((area) =>
        row(() => show({ grid: String(area.grid_id), point: "", view: "" }), area.name, {
          note: area.code,
          figure: t("open"),
        }),
      ),
    ),
  ];
}
