// Dispatch: a place is clicked, pasted or typed; whose it is, whom to call, who gets there first.

import { get, isStale } from "./api.js";
import { incidentForm, mayReport } from "./report.js";
import { showBoard } from "./board.js";
import { showIncident } from "./incident.js";
import { at, h, parts } from "./dom.js";
import { offered } from "./offers.js";
import { chainLine, codeLine, heading, officerCard, phone, tag, trouble } from "./parts.js";
import { Routes } from "./route.js";
import { state } from "./state.js";
import { symbol } from "./symbols.js";
import { kindName } from "./figures.js";
import { coordinates, distance, listed, number, t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"LocatedPlace">} Located */
/** @typedef {Shape<"Arrivals">} Arrivals */
/** @typedef {Arrivals["arrivals"][number]} Arrival */
/** @typedef {any} Place with lon and lat, and what it is a place of */
/**
 * @typedef {object} Parts
 * @property {import("./panel.js").Panel} panel
 * @property {import("./grids.js").Grids} grids
 * @property {ReturnType<typeof import("./sheet.js").wireSheet>} sheet
 * @property {() => L.FitBoundsOptions} insets
 * @property {(grid: number) => void} pick
 * @property {(place: {lon: number, lat: number}) => void} flyTo
 * @property {(error: Error) => void} onError
 */

const FIRST = 4;
const NEAR_M = 5000;

export class Dispatch {
  /**
   * @param {L.Map} map
   * @param {Parts} parts
   */
  constructor(map, { panel, grids, sheet, insets, pick, flyTo, onError }) {
    this.map = map;
    this.panel = panel;
    this.grids = grids;
    this.sheet = sheet;
    this.insets = insets;
    this.pick = pick;
    this.flyTo = flyTo;
    this.onError = onError;
    this.routes = new Routes(map);
    /** @type {Place | null} */
    this.place = null;
    this.isReporting = false;
    /** @type {(() => void) | null} */
    this.endBoard = null;
  }

  /** Leave the mode: nothing of it stays on the map. */
  leave() {
    this.routes.clear();
    this.stopBoard();
    this.place = null;
    this.isReporting = false;
  }

  /** The board, where it stands, follows no more. */
  stopBoard() {
    this.endBoard?.();
    this.endBoard = null;
  }

  /**
   * Reports are of this place now.
   *
   * @param {Place} place
   */
  standAt(place) {
    this.place = place;
  }

  /**
   * Show what the state asks for in the panel.
   *
   * @param {AbortSignal} signal
   */
  async render(signal) {
    this.stopBoard();
    this.routes.clear();
    if (state.point.startsWith("incident:")) return showIncident(this, state.point.slice(9), signal);
    if (!state.point) {
      this.place = null;
      this.endBoard = await showBoard(this, signal);
      return undefined;
    }
    const point = await this.panel.points.find(state.point);
    if (!point) {
      this.panel.fill("trouble", h("h2", {}, t("trouble")), trouble(t("no_such_point")));
      return undefined;
    }
    return this.showPlace(point, signal);
  }

  /**
   * @param {Place} place
   * @param {AbortSignal} signal
   */
  async showPlace(place, signal) {
    const asked = { lon: place.lon, lat: place.lat, scheme: state.scheme, at: state.at };
    const located = await get("/api/locate", asked, signal);
    signal.throwIfAborted();
    this.place = { ...place, located };
    const named = located.grid ?? (isNear(located) ? located.nearest : null);
    this.grids.select(named?.grid_id ?? "");
    const form = h("div", { id: "report-slot" });
    const arrivals = h(
      "section",
      { id: "arrivals", "aria-busy": "true" },
      heading(t("dispatch_first_there")),
      h("p", { class: "quiet" }, t("busy")),
    );
    this.panel.fill(
      "dispatch",
      [
        h("p", { class: "eyebrow" }, place.name || coordinates(place)),
        h("h2", {}, located.grid?.name ?? t("dispatch_no_grid")),
      ],
      ...this.whose(located),
      form,
      arrivals,
    );
    this.panel.focusIfAsked();
    if (this.isReporting) this.startReport();
    await this.showArrivals(place, arrivals, signal);
  }

  /**
   * Whose grid it is: name and code in large, tags, officers, the chain.
   *
   * @param {Located} located
   */
  whose(located) {
    const grid = located.grid ?? located.nearest;
    if (!grid) return [];
    const across = located.grid ? located.nearest : null;
    return [
      located.grid && codeLine(grid),
      located.outside &&
        h("p", {}, tag(t("dispatch_outside", { name: grid.name, far: distance(located.distance_m ?? 0) }), "care")),
      located.on_border && h("p", {}, tag(t("on_border"), "care")),
      !located.outside &&
        !located.on_border &&
        located.near_border &&
        across &&
        h("p", {}, tag(t("dispatch_near_border", { m: number(located.distance_m), name: across.name }), "care")),
      located.border_road &&
        h("p", {}, tag(t("dispatch_border_road", { name: located.border_road.name || t("road") }), "care")),
      located.call && firstCall(located.call),
      (located.grid || isNear(located)) && officers(located),
      "chain" in grid && grid.chain.length > 1 && chainLine(grid, this.pick),
      mayReport() &&
        h(
          "button",
          { type: "button", class: "button primary", id: "report-start", onclick: () => this.startReport() },
          t("dispatch_report"),
          h("kbd", { "aria-hidden": "true" }, "N"),
        ),
    ];
  }

  /** Open the form of an incident at the place that is shown. */
  startReport() {
    if (!mayReport()) return;
    if (!this.place) {
      at("said").textContent = t("dispatch_place_first");
      this.onError(new Error(t("dispatch_place_first")));
      at("search-text").focus();
      return;
    }
    this.isReporting = true;
    this.sheet.atLeast("full");
    at("report-start")?.setAttribute("hidden", "");
    incidentForm(this, /** @type {HTMLElement} */ (at("report-slot")), this.place);
  }

  /** The form goes; after a report was sent another page follows. */
  endReport(isSent = false) {
    this.isReporting = false;
    if (isSent) return;
    at("report-slot")?.replaceChildren();
    at("report-start")?.removeAttribute("hidden");
    at("report-start")?.focus();
  }

  /**
   * @param {Place} place
   * @param {HTMLElement} slot
   * @param {AbortSignal} signal
   */
  async showArrivals(place, slot, signal) {
    let answer;
    try {
      answer = await get("/api/arrivals", { lon: place.lon, lat: place.lat }, signal);
    } catch (error) {
      if (!isStale(error))
        slot.replaceChildren(
          heading(t("dispatch_first_there")),
          trouble(error.message, () => this.showArrivals(place, slot, signal)),
        );
      slot.removeAttribute("aria-busy");
      return;
    }
    if (signal.aborted) return;
    slot.removeAttribute("aria-busy");
    const draw = (/** @type {Arrival} */ { route, kind, name }) =>
      this.routes.draw({ geometry: /** @type {GeoJSON.LineString | null} */ (route), kind, name });
    const drawWhole = (/** @type {Arrival} */ arrival) => {
      draw(arrival);
      if (arrival.route) this.routes.look(this.insets());
    };
    slot.replaceChildren(...parts(arrivalParts(answer, drawWhole)));
    const first = firstWithRoute(answer);
    if (first) draw(first);
  }
}

// --- parts ---------------------------------------------------------------------------------------

/**
 * A place outside every grid concerns the officers of the nearest one only where they could go.
 *
 * @param {Located} located
 */
const isNear = (located) => located.outside && (located.distance_m ?? Infinity) < NEAR_M;

/**
 * @param {Located} located
 */
function officers(located) {
  const named = (located.grid ?? located.nearest)?.officers ?? [];
  if (!named.length) return h("p", { class: "quiet" }, t(offered("every_officer") ? "no_officer" : "officers_hidden"));
  return h("div", { class: "officers" }, named.map(officerCard));
}

/**
 * Whom to ring first, in large.
 *
 * @param {{officer: any}} call
 */
const firstCall = ({ officer }) =>
  h("p", { class: "first-call" }, h("small", {}, t("dispatch_call")), h("b", {}, officer.name), phone(officer.phone));

/**
 * The quickest first, but the first fire engine always on top: it is what cannot wait.
 *
 * @param {Arrivals} answer
 */
function arrivalsOf({ arrivals }) {
  const engine = arrivals.find(({ kind }) => kind === "fire_station");
  return engine ? [engine, ...arrivals.filter((arrival) => arrival !== engine)] : arrivals;
}

/**
 * @param {Arrivals} answer
 */
const firstWithRoute = (answer) => arrivalsOf(answer).find(({ route }) => route);

/**
 * @param {Arrivals} answer
 * @param {(arrival: Arrival) => void} onRoute
 */
function arrivalParts(answer, onRoute) {
  const all = arrivalsOf(answer);
  const arrivalRow = (/** @type {Arrival} */ arrival) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", onclick: () => onRoute(arrival), title: t("dispatch_draw_route") },
        symbol(arrival.kind, 20),
        h(
          "span",
          {},
          arrival.name,
          h(
            "small",
            {},
            listed(
              [
                kindName(arrival.kind),
                `${number(arrival.distance_m / 1000, 1)} km`,
                arrival.turnout_minutes > 0 ? t("dispatch_turnout", { n: number(arrival.turnout_minutes, 1) }) : "",
              ].filter(Boolean),
            ),
          ),
        ),
        h("b", {}, t("minutes_n", { n: number(arrival.minutes, 1) })),
      ),
      arrival.phone && phone(arrival.phone),
    );
  return [
    heading(t("dispatch_first_there")),
    answer.fire_20.status !== "no_facility" &&
      h(
        "p",
        { title: answer.fire_20.source },
        tag(
          t(answer.fire_20.kept ? "dispatch_fire_20_kept" : "dispatch_fire_20_missed", {
            n: number(answer.fire_20.limit_minutes),
          }),
          answer.fire_20.kept ? "good" : "wrong",
        ),
      ),
    answer.status !== "ok" && h("p", { class: "quiet" }, t(`dispatch_${answer.status}`)),
    all.length
      ? h("ul", { class: "rows arrivals" }, all.slice(0, FIRST).map(arrivalRow))
      : h("p", { class: "quiet" }, t("dispatch_nobody")),
    all.length > FIRST &&
      h(
        "details",
        {},
        h("summary", {}, t("dispatch_more_helpers", { n: all.length - FIRST })),
        h("ul", { class: "rows arrivals" }, all.slice(FIRST).map(arrivalRow)),
      ),
    nearParts(answer.near),
  ];
}

/**
 * @param {any} near
 */
function nearParts(near) {
  if (!near) return null;
  const groups = ["hazards", "households", "premises", "water_sources"].map((name) => [name, near[name] ?? []]);
  return [
    heading(t("dispatch_near"), near.radius_m ? t("dispatch_within", { m: number(near.radius_m) }) : ""),
    groups.map(
      ([name, things]) =>
        things.length > 0 &&
        h(
          "details",
          { class: "near", open: name === "hazards" },
          h(
            "summary",
            {},
            h("span", {}, t(`dispatch_near_${name}`)),
            h("b", {}, number(near.counts[name] ?? things.length)),
          ),
          h(
            "ul",
            { class: "rows" },
            things.map((/** @type {any} */ thing) =>
              h(
                "li",
                {},
                h(
                  "span",
                  {},
                  thing.name || kindName(thing.kind),
                  thing.grade === "major" && tag(t("grade_major"), "wrong"),
                ),
                h("small", {}, distance(thing.distance_m)),
              ),
            ),
          ),
        ),
    ),
    groups.every(([, things]) => !things.length) && h("p", { class: "quiet" }, t("dispatch_nothing_near")),
  ];
}
