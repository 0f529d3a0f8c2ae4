// The coverage mode: who is reached in time, who is not; the report mode shows the same to print.

import { get, isStale } from "./api.js";
import { Comparison } from "./coverage_compare.js";
import { bandColour, bandMinutes, mapFigures, withAfter } from "./coverage_figures.js";
import { showGrid, showHome } from "./coverage_grid.js";
import { CoverageMap } from "./coverage_map.js";
import { MOST_SPOTS, countyBlock, kindRows, othersTable, spotRows, spotsText, townRows } from "./coverage_parts.js";
import { showReport } from "./coverage_report.js";
import { c, cOr, dotted, semicolons } from "./coverage_texts.js";
import { WhatIf } from "./coverage_what_if.js";
import { Work } from "./coverage_work.js";
import { h, keepingFocus } from "./dom.js";
import { mapNow } from "./map_modes.js";
import { offered } from "./offers.js";
import { colourFor } from "./palette.js";
import { heading, tag, trouble } from "./parts.js";
import { show, state } from "./state.js";
import { moment, nameOf, t } from "./texts.js";

const PARTS = ["", "what-if", "compare"];
const COUNTED = ["households", "people", "care_households", "buildings", "premises", "hazards"];

/** Whether this actor may start runs and ask "what if". */
export const mayMeasure = () => offered("measure");

export class CoverageMode {
  constructor(map, parts) {
    Object.assign(this, parts); // panel, grids, ground, legend, homes, fly, flyTo, baseLevel, onError, onDrawn
    this.map = map;
    this.kept = new Map();
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
    this.legend.lend({ menu: () => this.fillMenu(), extra: () => this.legendRows() });
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

  /** Fetch once; asked again after a run or when it failed. */
  keep(name, path, query = {}) {
    const key = `${name} ${path} ${JSON.stringify(query)}`;
    if (!this.kept.has(key)) {
      const answer = get(path, query);
      answer.catch(() => this.kept.delete(key));
      this.kept.set(key, answer);
    }
    return this.kept.get(key);
  }

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
    return this.standard.limit_minutes?.value ?? this.standard.limit_minutes;
  }

  get target() {
    return this.standard.target_share?.value ?? this.standard.target_share;
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

  /** Everything known of the chosen standard and scenario. */
  async load(signal) {
    [this.standards, this.scenarios] = await Promise.all([
      this.keep("book", "/api/coverage/standards"),
      this.keep("book", "/api/coverage/scenarios"),
    ]);
    const { items } = await this.keep("runs", "/api/coverage/runs", { standard: this.standard.code, limit: 100 });
    signal?.throwIfAborted();
    this.runs = items;
    const listed =
      items.find((run) => String(run.run_id) === state.run) ?? items.find((run) => run.scenario === this.scenario.code);
    const facilities = await this.keep("facilities", "/api/layers/facilities");
    this.stations = facilities.features
      .filter(({ properties }) => this.standard.kinds.includes(properties.kind))
      .map(({ geometry, properties }) => ({
        ...properties,
        name: properties.name || t(`kind_${properties.kind}`),
        lon: geometry.coordinates[0],
        lat: geometry.coordinates[1],
      }));
    if (!listed) {
      this.run = null;
      this.rows = [];
      return;
    }
    const path = `/api/coverage/runs/${listed.run_id}`;
    const ranks = this.grids.levels.length ? this.grids.levels : await this.grids.ready.then(() => this.grids.levels);
    const top = ranks[0].rank;
    const base = ranks.at(-1).rank;
    const kind = this.standard.kinds.includes(state.kind) && this.standard.kinds.length > 1 ? state.kind : "";
    const [run, towns, rows] = await Promise.all([
      this.keep("run", path),
      this.keep("rows", `${path}/figures`, { rank: top, kind }),
      this.keep("rows", `${path}/figures`, { rank: base, kind }),
      this.grids.ready,
    ]);
    signal?.throwIfAborted();
    Object.assign(this, { run, towns, rows, kind });
  }

  spotsOf(run) {
    // Who may not see households is told so where the list would stand.
    return this.keep("spots", `/api/coverage/runs/${run.run_id}/blind-spots`, { limit: MOST_SPOTS }).catch((error) =>
      error.status === 403 ? [] : Promise.reject(error),
    );
  }

  // --- the panel --------------------------------------------------------------------------------------

  async render(signal) {
    this.enter();
    await this.load(signal);
    if (this.part !== "what-if" || state.mode === "report") this.whatIf.end();
    if (this.part !== "compare" || state.mode === "report") this.comparison.end();
    this.canvas.showHome();
    this.paint().catch(this.onError); // bands may take a while: the panel does not wait for them
    if (state.mode === "report") return showReport(this, signal);
    if (this.part === "what-if") return this.whatIf.render(signal);
    if (this.part === "compare") return this.comparison.render(signal);
    if (state.point.startsWith("home:") && this.run) return showHome(this, state.point.slice(5), signal);
    if (state.grid && this.run) return showGrid(this, state.grid, signal);
    return this.showFigures(signal);
  }

  /** Standard and scenario as menus, then the parts of the mode. */
  head(hasScenario = true) {
    const menu = (id, items, chosen, field) =>
      h(
        "label",
        {},
        h("span", {}, c(id)),
        h(
          "select",
          {
            id: `cover-${id}`,
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
      menu("standard", this.standards, this.standard, "standard"),
      hasScenario && menu("scenario", this.scenarios, this.scenario, "scenario"),
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

  async showFigures(signal) {
    const { run } = this;
    const spots = run ? await this.spotsOf(run) : [];
    signal.throwIfAborted();
    this.panel.fill(
      "coverage",
      [h("p", { class: "eyebrow" }, c("mode")), h("h2", {}, this.title)],
      this.head(),
      this.tabs(),
      h("div", { id: "cover-run" }, this.runLine()),
      run ? this.figuresOf(run, spots) : this.firstStep(),
    );
    this.panel.focusIfAsked();
  }

  figuresOf(run, spots) {
    const { summary } = run;
    if (["no_roads", "no_households"].includes(summary.status)) return this.missing(summary.status);
    const kinds = Object.entries(summary.kinds ?? {});
    const others = COUNTED.slice(1)
      .filter((of) => summary.others?.[of])
      .map((of) => [of, summary.others[of]]);
    const notes = [...(run.notes ?? []), ...(run.region_notes ?? [])];
    return [
      summary.status === "no_facility" && this.missing("no_facility"),
      notes.length > 0 &&
        h(
          "ul",
          { class: "run-notes" },
          notes.map(({ text }) => h("li", {}, text)),
        ),
      countyBlock(summary, { limit: this.limit, target: this.target }),
      kinds.length > 1 && [
        heading(c("by_kind"), this.ruleText()),
        kindRows(kinds, state.kind, (kind) => show({ kind: state.kind === kind ? "" : kind })),
      ],
      others.length > 0 && [heading(c("others")), othersTable(others)],
      this.towns.length > 1 && [
        heading(c("worst_first"), c("of_households")),
        townRows(this.towns, this.target, (id) => show({ grid: id, point: "" })),
      ],
      heading(c("spots"), spotsText(spots)),
      spots.length
        ? spotRows(spots, (spot) => this.flyToSpot(spot))
        : h("p", { class: "quiet" }, c(mayMeasure() ? "spots_none" : "spots_hidden")),
      h(
        "p",
        { class: "quiet foot" },
        semicolons([
          c("state_network", { n: run.network_id ?? "–" }),
          c("state_run", { n: run.run_id }),
          c("state_software", { version: run.software_version }),
        ]),
      ),
    ];
  }

  ruleText() {
    const rule = this.standard.rule?.value ?? this.standard.rule;
    return typeof rule === "number" ? c("rule_n", { n: rule, of: this.standard.kinds.length }) : c(`rule_${rule}`);
  }

  /** What is missing, and where to bring it. */
  missing(what) {
    const leads = { no_roads: "import", no_facility: "enter", no_households: "import" };
    return h(
      "div",
      { class: "first-step" },
      h("p", {}, c(`empty_${what}`, { what: this.title })),
      offered(leads[what])
        ? h(
            "button",
            { type: "button", class: "button", onclick: () => show({ view: leads[what] }) },
            c(`empty_${what}_do`),
          )
        : null,
    );
  }

  /** No run yet: say what a run is, and start the first. */
  firstStep() {
    return [
      this.stations.length === 0 && this.missing("no_facility"),
      h(
        "div",
        { class: "first-step" },
        h("p", {}, c("empty_no_run", { what: this.title, scenario: nameOf(this.scenario) })),
        h(
          "ol",
          {},
          ["empty_step_1", "empty_step_2", "empty_step_3"].map((step) => h("li", {}, c(step))),
        ),
        !mayMeasure() && h("p", { class: "quiet" }, c("may_not")),
      ),
    ];
  }

  /** When the run was, whether it still holds, and a way to measure anew or to stop that. */
  runLine() {
    if (this.work.job) return this.work.line();
    const { run } = this;
    const button = (text, isFirst) =>
      mayMeasure() &&
      h(
        "button",
        {
          type: "button",
          class: isFirst ? "button primary" : "button",
          id: "cover-start",
          onclick: () => this.start(),
        },
        text,
      );
    if (!run) return h("div", { class: "run-line" }, button(c("start"), true), this.work.line());
    const because = run.stale_texts?.length ? semicolons(run.stale_texts) : "";
    return h(
      "div",
      { class: "run-line" },
      h(
        "div",
        { class: "run-when" },
        h("p", { class: "quiet" }, c("run_of", { moment: moment(run.finished_at) })),
        !run.is_stale &&
          mayMeasure() &&
          h("button", { type: "button", class: "link", id: "cover-start", onclick: () => this.start() }, c("again")),
      ),
      run.is_stale ? h("p", {}, tag(c("stale"), "care"), because && ` ${because}`) : null,
      run.scenario !== this.scenario.code
        ? h("p", {}, tag(c("other_scenario", { name: this.scenarioName(run.scenario) }), "care"))
        : null,
      run.is_stale && button(c("again"), true),
      this.work.line(),
    );
  }

  scenarioName(code) {
    return nameOf(this.scenarios.find((scenario) => scenario.code === code) ?? { name: code });
  }

  // --- a run as a job -----------------------------------------------------------------------------------

  drawRunLine() {
    const slot = document.getElementById("cover-run");
    if (slot) keepingFocus(() => slot.replaceChildren(this.runLine()));
  }

  async start() {
    this.measured(
      await this.work.start("/api/coverage/runs", { standard: this.standard.code, scenario: this.scenario.code }),
    );
  }

  measured(job) {
    this.forget("runs", "run");
    if (!job || !this.canvas) return;
    if (state.run) show({ run: "" });
    else this.panel.update();
  }

  // --- the map -------------------------------------------------------------------------------------------

  /** Colour the map by what is chosen. */
  async paint() {
    if (!this.canvas || !this.standards) return;
    const { run, fill } = this;
    const isSwipe = this.part === "compare" && state.mode !== "report";
    const showsGrids = run && !["bands", "none"].includes(fill);
    const rows =
      this.part === "what-if" && this.whatIf.answer ? withAfter(this.rows, this.whatIf.answer.grids) : this.rows;
    this.figures = showsGrids ? mapFigures(rows, this.about(run, fill)) : null;
    if (isSwipe && this.comparison.legend) this.figures = this.comparison.legend;
    this.grids.showFigures(isSwipe ? null : this.figures);
    this.ground.set({ isThemed: Boolean(run) && fill !== "none" });
    this.drawLegend();
    this.onDrawn();
    const areas = new Set(state.areas.split(",").filter(Boolean));
    if (this.part !== "what-if" || state.mode === "report")
      this.canvas.showStations(
        areas.has("stations") ? this.stations.map((station) => ({ ...station, id: station.facility_id })) : [],
        false,
      );
    await Promise.all([
      this.paintBands(fill === "bands" && !isSwipe),
      this.paintDistricts(areas.has("districts")),
      run && areas.has("spots") && this.hasLayer("spots")
        ? this.spotsOf(run).then((spots) => this.canvas?.showSpots(spots, (spot) => this.flyToSpot(spot)))
        : this.canvas.showSpots([]),
    ]).catch((error) => isStale(error) || this.onError(error));
  }

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

  fillMenu() {
    return h(
      "select",
      { id: "theme", "aria-label": t("theme"), onchange: (event) => show({ fill: event.target.value }) },
      this.fills.map((fill) =>
        h(
          "option",
          { value: fill, selected: fill === this.fill },
          fill === "none" ? t("theme_none") : c(`fill_${fill}`),
        ),
      ),
    );
  }

  legendRows() {
    if (!this.standards) return []; // the mode is only coming
    const areas = new Set(state.areas.split(",").filter(Boolean));
    const steps = bandMinutes(this.limit);
    const toggle = (key) => {
      if (areas.has(key)) areas.delete(key);
      else areas.add(key);
      show({ areas: [...areas].join(",") });
    };
    return [
      !this.figures && this.fill !== "bands" && !this.run && h("p", { class: "quiet" }, c("legend_no_run")),
      this.fill === "bands" && [
        h("p", { class: "quiet" }, c("bands_of", { name: this.title })),
        h(
          "ul",
          { class: "classes" },
          steps.map((to, i) =>
            h(
              "li",
              {},
              h("i", { style: { backgroundColor: colourFor(bandColour(i, steps.length)) } }),
              h("span", {}, c("band", { from: i ? steps[i - 1] : 0, to })),
            ),
          ),
          h("li", {}, h("i", { class: "empty" }), h("span", {}, c("band_beyond", { n: this.limit }))),
        ),
      ],
      h(
        "div",
        { class: "cover-layers" },
        mapNow()
          .areas.filter((key) => this.hasLayer(key))
          .map((key) =>
            h(
              "label",
              {},
              h("input", {
                type: "checkbox",
                id: `areas-${key}`,
                checked: areas.has(key),
                onchange: () => toggle(key),
              }),
              h("i", { class: `key-${key}` }),
              c(`layer_${key}`),
            ),
          ),
      ),
      this.canvas?.isCrowded && h("p", { class: "quiet", id: "stations-crowded" }, c("stations_crowded")),
    ];
  }

  /** Whether a layer can be chosen: two runs have no blind spots in common, changes have others, and what is dragged is there. */
  hasLayer(key) {
    const part = state.mode === "report" ? "" : this.part;
    if (key === "spots") return part !== "compare" && !(part === "what-if" && this.whatIf.changes.length);
    return key !== "stations" || part !== "what-if";
  }

  flyToSpot(spot) {
    const [west, south, east, north] = spot.bbox ?? [spot.lon, spot.lat, spot.lon, spot.lat];
    this.fly(L.latLngBounds([south, west], [north, east]).pad(0.4), 16);
    if (!state.areas.split(",").includes("spots"))
      show({ areas: [...state.areas.split(",").filter(Boolean), "spots"].join(",") });
  }

  /** The mouse over the map; true where a tool says what a click would do. */
  hover(latlng) {
    return this.whatIf.hover(latlng);
  }

  /** A click on the map; true where it was meant for a tool. */
  click(latlng) {
    if (this.part === "what-if" && state.mode === "coverage") return this.whatIf.click(latlng);
    const home = this.part === "" && state.mode === "coverage" && this.homes.near(latlng);
    if (home) show({ point: `home:${home.household_id}` });
    return Boolean(home);
  }

  onStation(station, place, isFinal) {
    if (this.part === "what-if" && state.mode === "coverage") this.whatIf.onStation(station, place, isFinal);
    else if (!place) this.flyTo(station);
  }

  /** What the state says anew without the panel being built again. */
  follow(changed) {
    if (!this.standards) return;
    if (changed.has("changes")) this.whatIf.follow();
    if (changed.has("areas") || changed.has("fill")) {
      this.paint().catch(this.onError);
      this.comparison.repaint();
    }
  }

  showTrouble(error, again) {
    return trouble(error.message, again);
  }

  wordOfKind = (kind) => cOr(`kind_${kind}`, t(`kind_${kind}`));
}
