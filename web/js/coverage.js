// The coverage mode: who is reached in time, who is not; the report mode shows the same to print.

import { get, isStale } from "./api.js";
import { Comparison } from "./coverage_compare.js";
import { bandMinutes, mapFigures, withAfter } from "./coverage_figures.js";
import { showGrid, showHome } from "./coverage_grid.js";
import { fillMenu, legendRows, shownAreas } from "./coverage_legend.js";
import { CoverageMap } from "./coverage_map.js";
import { runLine, showFigures } from "./coverage_overview.js";
import { MOST_SPOTS, mayMeasure } from "./coverage_parts.js";
import { showReport } from "./coverage_report.js";
import { c, dotted } from "./coverage_texts.js";
import { WhatIf } from "./coverage_what_if.js";
import { Work } from "./coverage_work.js";
import { h, keepingFocus } from "./dom.js";
import { mapNow } from "./map_modes.js";
import { show, state } from "./state.js";
import { nameOf, t } from "./texts.js";

/** @import { Place, Spot, Station } from "./coverage_map.js" */
/** @import { Answer, Shape } from "../types/answers.js" */
/** @import { Figures } from "../types/page.js" */
/** @import { Field } from "./state.js" */
/** @typedef {Shape<"RunAnswer">} Run */
/** @typedef {Shape<"GridFiguresAnswer">[]} Rows */
/**
 * @typedef {object} Parts
 * @property {import("./panel.js").Panel} panel
 * @property {import("./grids.js").Grids} grids
 * @property {import("./backdrop.js").Backdrop} ground
 * @property {import("./legend.js").Legend} legend
 * @property {import("./homes.js").Homes} homes
 * @property {import("./view.js").View["fly"]} fly
 * @property {import("./view.js").View["flyTo"]} flyTo
 * @property {() => Shape<"Scheme">["levels"][number]} baseLevel
 * @property {(error: Error) => void} onError
 * @property {() => void} onDrawn
 */

const PARTS = ["", "what-if", "compare"];

export class CoverageMode {
  /**
   * @param {L.Map} map
   * @param {Parts} parts
   */
  constructor(map, { panel, grids, ground, legend, homes, fly, flyTo, baseLevel, onError, onDrawn }) {
    this.map = map;
    this.panel = panel;
    this.grids = grids;
    this.ground = ground;
    this.legend = legend;
    this.homes = homes;
    this.fly = fly;
    this.flyTo = flyTo;
    this.baseLevel = baseLevel;
    this.onError = onError;
    this.onDrawn = onDrawn;
    /** @type {CoverageMap | null} while the mode is open */
    this.canvas = null;
    /** @type {Map<string, Promise<any>>} answers, by what they are of and what was asked */
    this.kept = new Map();
    /** @type {Shape<"StandardAnswer">[]} none until they were fetched */
    this.standards = [];
    /** @type {Shape<"ScenarioAnswer">[]} */
    this.scenarios = [];
    /** @type {Shape<"RunListed">[]} */
    this.runs = [];
    /** @type {Run | null} */
    this.run = null;
    /** @type {Rows} of the uppermost level */
    this.towns = [];
    /** @type {Rows} of the base level */
    this.rows = [];
    /** @type {Station[]} */
    this.stations = [];
    /** @type {Figures | null} */
    this.figures = null;
    this.kind = "";
    this.stopKeys = new AbortController();
    this.whatIf = new WhatIf(this);
    this.comparison = new Comparison(this);
    this.work = new Work("coverage_run", "cover", () => this.drawRunLine());
  }

  // --- coming and going -----------------------------------------------------------------------------

  enter() {
    if (this.canvas) return;
    this.canvas = new CoverageMap(this.map, {
      onStation: (station, place, isFinal) => this.onStation(station, place, isFinal),
      onCrowded: () => {
        this.drawLegend();
        this.whatIf.drawTools();
      },
    });
    this.legend.lend({ menu: () => fillMenu(this), extra: () => legendRows(this) });
    document.body.classList.add("covering");
    this.stopKeys = new AbortController();
    document.addEventListener("keydown", (event) => this.whatIf.onKey(event), {
      signal: this.stopKeys.signal,
      capture: true,
    });
    if (mayMeasure())
      this.work
        .resume()
        .then((job) => this.measured(job))
        .catch(this.onError);
  }

  leave() {
    if (!this.canvas) return;
    this.whatIf.end();
    this.comparison.end();
    this.canvas.remove();
    this.canvas = null;
    this.stopKeys.abort();
    this.legend.lend(null);
    document.body.classList.remove("covering");
  }

  /**
   * Fetch once; asked again after a run or when it failed.
   *
   * @template {string} Path
   * @param {string} name by which it is forgotten
   * @param {Path} path
   * @param {import("./api.js").Parameters} [query]
   * @returns {Promise<Answer<Path, "get">>}
   */
  keep(name, path, query = {}) {
    const key = `${name} ${path} ${JSON.stringify(query)}`;
    const kept = this.kept.get(key);
    if (kept) return kept;
    const answer = get(path, query);
    answer.catch(() => this.kept.delete(key));
    this.kept.set(key, answer);
    return answer;
  }

  /** @param {...string} names */
  forget(...names) {
    for (const key of [...this.kept.keys()])
      if (names.some((name) => key.startsWith(`${name} `))) this.kept.delete(key);
  }

  get standard() {
    return (
      this.standards.find(({ code }) => code === state.standard) ??
      this.standards.find(({ code }) => code === "fire-20") ??
      this.standards[0]
    );
  }

  get scenario() {
    return (
      this.scenarios.find(({ code }) => code === state.scenario) ??
      this.scenarios.find(({ code }) => code === "normal") ??
      this.scenarios[0]
    );
  }

  get limit() {
    return this.standard.limit_minutes.value;
  }

  get target() {
    return this.standard.target_share.value;
  }

  /** What can be shown: bands are of one run, so not under a swipe. */
  get fills() {
    const { fills } = mapNow();
    return this.part === "compare" && state.mode !== "report" ? fills.filter((fill) => fill !== "bands") : fills;
  }

  get fill() {
    return this.fills.includes(state.fill) ? state.fill : "share";
  }

  get part() {
    return PARTS.includes(state.part) ? state.part : "";
  }

  /** The name of the standard, and of the kind looked at. */
  get title() {
    return nameOf(this.standard);
  }

  /**
   * Everything known of the chosen standard and scenario.
   *
   * @param {AbortSignal} signal
   */
  async load(signal) {
    [this.standards, this.scenarios] = await Promise.all([
      this.keep("book", "/api/coverage/standards"),
      this.keep("book", "/api/coverage/scenarios"),
    ]);
    const { items } = await this.keep("runs", "/api/coverage/runs", { standard: this.standard.code, limit: 100 });
    signal.throwIfAborted();
    this.runs = items;
    const listed =
      items.find((run) => String(run.run_id) === state.run) ?? items.find((run) => run.scenario === this.scenario.code);
    const facilities = await this.keep("facilities", "/api/layers/facilities");
    this.stations = this.stationsIn(facilities);
    if (!listed) {
      this.run = null;
      this.rows = [];
      return;
    }
    await this.grids.ready;
    const levels = this.grids.levels;
    const kind = this.standard.kinds.includes(state.kind) && this.standard.kinds.length > 1 ? state.kind : "";
    const figures = (/** @type {number} */ rank) =>
      this.keep("rows", `/api/coverage/runs/${listed.run_id}/figures`, { rank, kind });
    const [run, towns, rows] = await Promise.all([
      this.keep("run", `/api/coverage/runs/${listed.run_id}`),
      figures(levels[0].rank),
      figures(levels[levels.length - 1].rank),
    ]);
    signal.throwIfAborted();
    this.run = run;
    this.towns = towns;
    this.rows = rows;
    this.kind = kind;
  }

  /**
   * The facilities that the standard counts.
   *
   * @param {Shape<"Layer">} facilities
   * @returns {Station[]}
   */
  stationsIn({ features }) {
    return features
      .filter(({ properties }) => this.standard.kinds.includes(properties.kind))
      .map(({ geometry, properties: { facility_id, kind, name } }) => {
        const [lon, lat] = geometry?.coordinates ?? [];
        return { id: facility_id, facility_id, kind, name: name || t(`kind_${kind}`), lon, lat };
      });
  }

  /**
   * @param {Run} run
   * @returns {Promise<Spot[]>}
   */
  spotsOf(run) {
    // Who may not see households is told so where the list would stand.
    return this.keep("spots", `/api/coverage/runs/${run.run_id}/blind-spots`, { limit: MOST_SPOTS }).catch((error) =>
      error.status === 403 ? [] : Promise.reject(error),
    );
  }

  // --- the panel --------------------------------------------------------------------------------------

  /** @param {AbortSignal} signal */
  async render(signal) {
    this.enter();
    await this.load(signal);
    if (this.part !== "what-if" || state.mode === "report") this.whatIf.end();
    if (this.part !== "compare" || state.mode === "report") this.comparison.end();
    this.canvas?.showHome();
    this.paint().catch(this.onError); // bands may take a while: the panel does not wait for them
    if (state.mode === "report") return showReport(this, signal);
    if (this.part === "what-if") return this.whatIf.render(signal);
    if (this.part === "compare") return this.comparison.render(signal);
    const { run } = this;
    if (state.point.startsWith("home:") && run) return showHome(this, run, state.point.slice(5), signal);
    if (state.grid && run) return showGrid(this, run, state.grid, signal);
    return showFigures(this, signal);
  }

  /** Standard and scenario as menus, then the parts of the mode. */
  head(hasScenario = true) {
    /**
     * @param {"standard" | "scenario"} field
     * @param {(import("../types/page.js").Named & {code: string})[]} items
     * @param {{code: string}} chosen
     */
    const menu = (field, items, chosen) =>
      h(
        "label",
        {},
        h("span", {}, c(field)),
        h(
          "select",
          {
            id: `cover-${field}`,
            onchange: (event) => {
              this.work.forget(); // it was of what is now left
              show({ [field]: event.target.value, run: "", kind: "", against: "", changes: "" });
            },
          },
          items.map((item) => h("option", { value: item.code, selected: item.code === chosen.code }, nameOf(item))),
        ),
      );
    return h(
      "div",
      { class: hasScenario ? "cover-choice" : "cover-choice one" },
      menu("standard", this.standards, this.standard),
      hasScenario && menu("scenario", this.scenarios, this.scenario),
    );
  }

  tabs() {
    return h(
      "div",
      { class: "tabs", role: "group", "aria-label": c("parts") },
      PARTS.filter((part) => part === "" || mayMeasure()).map((part) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(part === this.part),
            id: `part-${part || "figures"}`,
            onclick: () => show({ part, grid: "", point: "" }),
          },
          c(`part_${part || "figures"}`),
        ),
      ),
    );
  }

  /** @param {string} code */
  scenarioName(code) {
    return nameOf(this.scenarios.find((scenario) => scenario.code === code) ?? { name: code });
  }

  // --- a run as a job -----------------------------------------------------------------------------------

  drawRunLine() {
    const slot = document.getElementById("cover-run");
    if (slot) keepingFocus(() => slot.replaceChildren(runLine(this) ?? ""));
  }

  async start() {
    this.measured(
      await this.work.start("/api/coverage/runs", { standard: this.standard.code, scenario: this.scenario.code }),
    );
  }

  /** @param {object | null} job that is done */
  measured(job) {
    this.forget("runs", "run");
    if (!job || !this.canvas) return;
    if (state.run) show({ run: "" });
    else this.panel.update();
  }

  // --- the map -------------------------------------------------------------------------------------------

  /** Colour the map by what is chosen. */
  async paint() {
    if (!this.canvas || !this.standards.length) return;
    const { run, fill } = this;
    const isSwipe = this.part === "compare" && state.mode !== "report";
    const { answer } = this.whatIf;
    const rows = this.part === "what-if" && answer ? withAfter(this.rows, answer.grids) : this.rows;
    this.figures = run && !["bands", "none"].includes(fill) ? mapFigures(rows, this.about(run, fill)) : null;
    if (isSwipe) this.figures = this.comparison.legend; // none while there are not two runs
    this.grids.showFigures(isSwipe ? null : this.figures);
    this.ground.set({ isThemed: Boolean(run) && fill !== "none" });
    this.drawLegend();
    this.onDrawn();
    const areas = shownAreas();
    if (this.part !== "what-if" || state.mode === "report")
      this.canvas.showStations(areas.has("stations") ? this.stations : [], false);
    await Promise.all([
      this.paintBands(fill === "bands" && !isSwipe),
      this.paintDistricts(areas.has("districts")),
      run && areas.has("spots") && this.hasLayer("spots")
        ? this.spotsOf(run).then((spots) => this.canvas?.showSpots(spots, (spot) => this.flyToSpot(spot)))
        : this.canvas.showSpots([]),
    ]).catch((error) => isStale(error) || this.onError(error));
  }

  /**
   * What the legend says of a run.
   *
   * @param {Pick<Run, "scenario" | "summary" | "finished_at">} run
   * @param {string} fill
   */
  about(run, fill) {
    const name = this.kind ? `${this.title} · ${t(`kind_${this.kind}`)}` : this.title;
    return {
      fill,
      name,
      limit: this.limit,
      status: run.summary.status,
      day: run.finished_at,
      of: dotted([
        name,
        c(fill === "share" ? "of_share" : "of_minutes", { scenario: this.scenarioName(run.scenario) }),
      ]),
    };
  }

  /** @param {boolean} isShown */
  async paintBands(isShown) {
    const steps = bandMinutes(this.limit);
    const bands = isShown
      ? await this.keep("areas", "/api/coverage/areas", {
          standard: this.standard.code,
          scenario: this.scenario.code,
          minutes: steps.join(","),
        })
      : null;
    this.canvas?.showBands(bands, steps);
  }

  /** @param {boolean} isShown */
  async paintDistricts(isShown) {
    const districts = isShown
      ? await this.keep("districts", "/api/coverage/districts", {
          standard: this.standard.code,
          scenario: this.scenario.code,
          kind: this.kind,
        })
      : null;
    this.canvas?.showDistricts(districts);
  }

  drawLegend() {
    this.legend.update(this.figures, this.baseLevel());
  }

  /**
   * Whether a layer can be chosen: two runs have no blind spots in common, changes have others, and what is
   * dragged is there.
   *
   * @param {string} key
   */
  hasLayer(key) {
    const part = state.mode === "report" ? "" : this.part;
    if (key === "spots") return part !== "compare" && !(part === "what-if" && this.whatIf.changes.length);
    return key !== "stations" || part !== "what-if";
  }

  /** @param {Spot} spot */
  flyToSpot(spot) {
    const [west, south, east, north] = spot.bbox;
    this.fly(L.latLngBounds([south, west], [north, east]).pad(0.4), 16);
    show({ areas: [...shownAreas().add("spots")].join(",") });
  }

  /**
   * The mouse over the map; true where a tool says what a click would do.
   *
   * @param {L.LatLng} latlng
   */
  hover(latlng) {
    return this.whatIf.hover(latlng);
  }

  /**
   * A click on the map; true where it was meant for a tool.
   *
   * @param {L.LatLng} latlng
   */
  click(latlng) {
    if (this.part === "what-if" && state.mode === "coverage") return this.whatIf.click(latlng);
    const home = this.part === "" && state.mode === "coverage" ? this.homes.near(latlng) : null;
    if (home) show({ point: `home:${home.household_id}` });
    return Boolean(home);
  }

  /**
   * @param {Station} station
   * @param {Place | null} place where it was dragged to; null where it was clicked
   * @param {boolean} isFinal
   */
  onStation(station, place, isFinal) {
    if (this.part === "what-if" && state.mode === "coverage") this.whatIf.onStation(station, place, isFinal);
    else if (!place) this.flyTo(station);
  }

  /**
   * What the state says anew without the panel being built again.
   *
   * @param {Set<Field>} changed
   */
  follow(changed) {
    if (!this.standards.length) return;
    if (changed.has("changes")) this.whatIf.follow();
    if (changed.has("areas") || changed.has("fill")) {
      this.paint().catch(this.onError);
      this.comparison.repaint();
    }
  }
}
