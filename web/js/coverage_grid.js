// One grid, or one household, in a run: minutes, the stations that serve it, who is left out.

import { get } from "./api.js";
import { kindRows, more } from "./coverage_parts.js";
import { c, dotted, minutes } from "./coverage_texts.js";
import { h } from "./dom.js";
import { kindName } from "./figures.js";
import { coverageBar, heading, line, row, tag } from "./parts.js";
import { show } from "./state.js";
import { number, percent } from "./texts.js";

/** @import { CoverageMode, Run } from "./coverage.js" */
/** @import { Shape } from "../types/answers.js" */

const MOST_HOMES = 100;

const back = () =>
  h(
    "p",
    {},
    h("button", { type: "button", class: "link", onclick: () => show({ grid: "", point: "" }) }, `‹ ${c("back")}`),
  );

/**
 * Households of a grid that are not reached; nothing for who may not see them.
 *
 * @param {Run} run
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function leftOut(run, id, signal) {
  try {
    return await get(`/api/coverage/runs/${run.run_id}/unreached`, { grid_id: id, limit: MOST_HOMES }, signal);
  } catch (error) {
    if (error.status === 403) return { items: /** @type {Shape<"Unreached">[]} */ ([]), total: 0 };
    throw error;
  }
}

/**
 * The sheet of a grid in the run.
 *
 * @param {CoverageMode} mode
 * @param {Run} run
 * @param {string} id
 * @param {AbortSignal} signal
 */
export async function showGrid(mode, run, id, signal) {
  const [grid, homes] = await Promise.all([
    get(`/api/coverage/runs/${run.run_id}/grids/${id}`, {}, signal),
    leftOut(run, id, signal),
  ]);
  signal.throwIfAborted();
  const kinds = Object.entries(grid.kinds);
  mode.panel.fill(
    "cover-grid",
    [h("p", { class: "eyebrow" }, mode.title), h("h2", {}, grid.name), h("p", { class: "code" }, grid.code)],
    back(),
    h(
      "p",
      { class: "big" },
      h("b", {}, percent(grid.share)),
      h(
        "span",
        {},
        grid.n === null
          ? ""
          : c("reached_of", { covered: number(grid.covered), n: number(grid.n), limit: number(mode.limit) }),
      ),
    ),
    coverageBar(grid),
    grid.median_minutes !== null &&
      h(
        "div",
        { class: "lines" },
        /** @type {("median" | "p90" | "worst")[]} */ (["median", "p90", "worst"]).map((key) =>
          line(
            c(`minutes_${key}`),
            minutes(grid[`${key}_minutes`]),
            (grid[`${key}_minutes`] ?? 0) > mode.limit ? "wrong" : "",
          ),
        ),
      ),
    kinds.length > 1 && [heading(c("by_kind")), kindRows(kinds, "", (/** @type {string} */ kind) => show({ kind }))],
    grid.stations.length > 0 && [
      heading(c("served_by"), c("served_by_note")),
      more(
        grid.stations.map((station) =>
          row(() => mode.flyTo(station), station.name || kindName(station.kind), {
            sign: station.kind,
            note: c("households_n", { n: number(station.households) }),
            figure: minutes(station.median_minutes),
          }),
        ),
      ),
    ],
    homes.total > 0 && [
      heading(c("homes_left_out"), number(homes.total)),
      more(
        homes.items.map((home) =>
          row(() => show({ point: `home:${home.household_id}` }), home.address, {
            note: c(`reason_${home.status}`),
            figure: minutes(home.minutes),
          }),
        ),
      ),
    ],
  );
  mode.panel.focusIfAsked();
}

/**
 * One household: by which station it is reached, and how soon.
 *
 * @param {CoverageMode} mode
 * @param {Run} run
 * @param {string} id
 * @param {AbortSignal} signal
 */
export async function showHome(mode, run, id, signal) {
  const home = await get(`/api/coverage/runs/${run.run_id}/households/${id}`, {}, signal);
  signal.throwIfAborted();
  mode.panel.fill(
    "cover-grid",
    [h("p", { class: "eyebrow" }, dotted([mode.title, home.grid_name])), h("h2", {}, home.address)],
    back(),
    h(
      "p",
      { class: "big" },
      h("b", {}, minutes(home.minutes)),
      h("span", {}, tag(c(`status_${home.status}`), home.status === "covered" ? "good" : "care")),
    ),
    heading(c("served_by")),
    h(
      "ul",
      { class: "rows" },
      Object.entries(home.kinds).map(([kind, reached]) => {
        const station = mode.stations.find(({ id: station_id }) => station_id === reached.facility_id);
        return row(() => station && mode.flyTo(station), station?.name ?? "–", {
          sign: kind,
          note: kindName(kind),
          figure: minutes(reached.minutes),
          disabled: !station,
        });
      }),
    ),
  );
  mode.canvas?.showHome(home);
  if (!mode.map.getBounds().contains([home.lat, home.lon])) mode.flyTo(home);
  mode.panel.focusIfAsked();
}
