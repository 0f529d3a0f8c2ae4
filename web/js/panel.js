// The panel: overview, the sheet of a grid or point, the list beside the map, the keys.

import { get, isStale } from "./api.js";
import { e } from "./entry_texts.js";
import { at, h, isNarrow, parts } from "./dom.js";
import { STANDARDS, figureText, isMeasured, isShare, kindName, themeName } from "./figures.js";
import { offered } from "./offers.js";
import {
  chainLine,
  codeLine,
  coverageBlock,
  heading,
  levelLine,
  line,
  officerCard,
  phone,
  row,
  tag,
  tiles,
  trouble,
} from "./parts.js";
import { COMMANDS } from "./keys.js";
import { symbol, symbolKind } from "./symbols.js";
import { shownLayers, themeNow } from "./map_modes.js";
import { show, state } from "./state.js";
import { config, coordinates, day, moment, nameOf, number, t, tOr, textsOf } from "./texts.js";

/** @import { Children } from "./dom.js" */
/** @import { Screens } from "./late.js" */
/** @import { Command } from "./keys.js" */
/** @import { Shape } from "../types/answers.js" */
/** @import { Figures, Point } from "../types/page.js" */
/** @typedef {Shape<"GridSheet">} GridSheet */
/** @typedef {Shape<"LocatedPlace">} LocatedPlace */
/** @typedef {import("./grids.js").Grid} Grid */
/**
 * @typedef {object} Parts
 * @property {import("./grids.js").Grids} grids
 * @property {import("./points.js").Points} points
 * @property {(place: {lon: number, lat: number}) => void} flyTo
 * @property {() => Shape<"Scheme">} scheme
 * @property {ReturnType<typeof import("./sheet.js").wireSheet>} sheet
 * @property {Screens} screens
 * @property {(overview: Shape<"Overview">) => void} onOverview
 */

const WORST = 5;
const MOST_POINTS_LISTED = 200;
const ENTERED = new Set(["place", "facility", "hazard"]);

/** @param {number | string} id */
const pick = (id) => show({ grid: id, point: "", view: "" });

/** @param {string} theme */
const choose = (theme) => show({ theme });

/**
 * @param {string} id
 * @param {string} paper
 */
const sheetAddress = (id, paper) =>
  `/api/grids/${encodeURIComponent(id)}/sheet?${new URLSearchParams({ format: "pdf", paper, lang: config.language, ...(state.at && { at: state.at }) })}`;

export class Panel {
  /** @param {Parts} parts */
  constructor({ grids, points, flyTo, scheme, sheet, screens, onOverview }) {
    this.grids = grids;
    this.points = points;
    this.flyTo = flyTo;
    this.scheme = scheme;
    this.sheet = sheet;
    this.screens = screens;
    this.onOverview = onOverview;
    this.body = at("panel-body");
    /** @type {"name" | "up" | "down"} */
    this.sort = "name";
    this.wantsFocus = false;
    this.mayFly = false;
    this.abort = new AbortController();
  }

  /**
   * Put the new content in, with a way to close it.
   *
   * @param {string} kind of content
   * @param {Children} title
   * @param {...any} children as h() takes them
   */
  fill(kind, title, ...children) {
    const closable = kind !== "overview";
    const hadFocus = this.body.contains(document.activeElement);
    at("panel").dataset.kind = kind;
    this.body.replaceChildren(
      h(
        "header",
        { class: "panel-head" },
        h("div", {}, title),
        closable &&
          h(
            "button",
            {
              type: "button",
              class: "close",
              "aria-label": t("close"),
              title: t("close_hint"),
              onclick: () =>
                state.mode === "plan" && !state.view
                  ? this.screens.plan.now?.back()
                  : show({ grid: "", point: "", view: "" }),
            },
            "×",
          ),
      ),
      ...parts(children),
    );
    this.body.scrollTop = 0;
    // What had the focus is gone: the next Tab begins in the panel, not at the top of the page.
    if (hadFocus) at("panel").focus({ preventScroll: true });
    // Those who do not see the panel hear what is in it now.
    at("said").textContent = this.body.querySelector("h2")?.textContent ?? "";
  }

  async update() {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      if (!config.county && !config.schemes.length) this.showEmpty();
      else if (state.view === "keys") this.showKeys();
      else if (state.view === "list") await this.showList(signal);
      else if (state.view === "enter") await (await this.screen("entry", signal)).show(signal);
      else if (state.view === "import") await (await this.screen("imports", signal)).show(signal);
      else if (state.mode === "plan") await (await this.screen("plan", signal)).render(signal);
      else if (["coverage", "report"].includes(state.mode))
        await (await this.screen("coverage", signal)).render(signal);
      else if (state.mode === "dispatch" && !state.grid) await (await this.screen("dispatch", signal)).render(signal);
      else if (state.grid) await this.showGrid(state.grid, signal);
      else if (state.point) await this.showPoint(state.point, signal);
      else await this.showOverview(signal);
      at("panel").classList.remove("waiting");
    } catch (error) {
      if (isStale(error)) return;
      at("panel").classList.remove("waiting");
      this.fill(
        "trouble",
        h("h2", {}, t("trouble")),
        trouble(error.message, () => this.update()),
      );
    }
  }

  /**
   * A screen with modules of its own, once they are there.
   *
   * @template {keyof Screens} Name
   * @param {Name} name
   * @param {AbortSignal} signal
   * @returns {Promise<NonNullable<Screens[Name]["now"]>>}
   */
  async screen(name, signal) {
    const screen = await this.screens[name].open();
    signal.throwIfAborted();
    return /** @type {any} */ (screen);
  }

  /** Whoever opens it next by a key gets the focus into it. */
  askFocus() {
    this.wantsFocus = true;
  }

  /** From now on what is shown may also move the map. */
  allowFlying() {
    this.mayFly = true;
  }

  showEmpty() {
    this.fill(
      "overview",
      h("h2", {}, t("empty_title")),
      h("p", {}, t("empty_text")),
      h("pre", {}, "scripts/run"),
      h("p", { class: "quiet" }, t("empty_more")),
    );
  }

  showKeys() {
    const rows = (/** @type {Command["room"]} */ room, /** @type {typeof t} */ say) =>
      h(
        "dl",
        { class: "keys" },
        COMMANDS.filter((command) => command.room === room).map(({ keys, text }) =>
          h(
            "div",
            {},
            h(
              "dt",
              {},
              keys.map((key) => h("kbd", {}, key)),
            ),
            h("dd", {}, say(text)),
          ),
        ),
      );
    const ofMode = (/** @type {"plan" | "cover"} */ room) => [
      heading(textsOf(room).say("mode")),
      rows(room, textsOf(room).say),
    ];
    this.fill(
      "keys",
      h("h2", {}, t("keys")),
      rows(undefined, t),
      ofMode("plan"),
      ofMode("cover"),
      h("p", { class: "quiet" }, t("about", { version: config.version })),
    );
  }

  /** @param {AbortSignal} signal */
  async showOverview(signal) {
    const scheme = this.scheme();
    const { areas } = config.actor;
    const [overview, own, worst] = await Promise.all([
      get("/api/overview", { scheme: scheme.code }, signal),
      areas && import("./own_area.js").then(({ ownWork }) => ownWork(this.points, signal)),
      get(
        "/api/layers/figures",
        {
          scheme: scheme.code,
          rank: worstRank(scheme),
          theme: isShare(themeNow()) ? themeNow() : STANDARDS[0],
          at: state.at,
        },
        signal,
      ),
      this.grids.newest(),
    ]);
    signal.throwIfAborted();
    this.onOverview(overview);
    const { counts, coverage } = overview;
    this.fill(
      "overview",
      [
        h("p", { class: "eyebrow" }, areas ? t("own_area") : t("overview")),
        h("h2", {}, areas ? ownTitle(areas) : countyTitle(overview)),
        h("p", { class: "quiet" }, t("data_of", { day: day(overview.data_day) })),
      ],
      tiles([
        [t("households"), number(counts.households)],
        [t("people"), number(counts.people)],
        [t("buildings"), number(counts.buildings)],
        [t("hazards_open"), number(counts.hazards)],
        [t("incidents_open"), number(counts.incidents)],
        [t("premises"), number(counts.premises)],
      ]),
      own,
      (counts.outside ?? 0) > 0 && h("p", {}, tag(t("outside_count", { n: number(counts.outside) }), "care")),
      STANDARDS.filter((standard) => !areas || coverage?.[standard]).map((standard) =>
        coverage?.[standard]
          ? coverageBlock(standard, coverage[standard], choose)
          : h("section", { class: "standard" }, h("p", { class: "quiet" }, t("no_run", { what: themeName(standard) }))),
      ),
      !areas && this.worstTowns(worst),
    );
  }

  /** @param {Figures} figures of the towns */
  worstTowns(figures) {
    if (!isMeasured(figures)) return null;
    const towns = Object.entries(figures.values)
      .flatMap(([id, value]) => (value !== null && this.grids.grid(id) ? { id, value } : []))
      .sort((a, b) => a.value - b.value)
      .slice(0, WORST);
    if (towns.length < 2) return null;
    return [
      heading(t("worst_first"), themeName(figures.theme)),
      h(
        "ul",
        { class: "rows" },
        towns.map(({ id, value }) =>
          row(() => pick(id), this.grids.grid(id).name, {
            figure: figureText(figures.theme, value),
            title: t("fly_there"),
          }),
        ),
      ),
    ];
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async showGrid(id, signal) {
    const sheet = await get(`/api/grids/${encodeURIComponent(id)}`, { at: state.at }, signal);
    signal.throwIfAborted();
    // Search finds grids of every scheme; the map follows to the one that this grid belongs to.
    if (sheet.scheme && sheet.scheme !== state.scheme) show({ scheme: sheet.scheme });
    this.fill(
      "grid",
      [h("p", { class: "eyebrow" }, levelLine(sheet)), h("h2", {}, sheet.name), codeLine(sheet)],
      sheet.chain.length > 1 && chainLine(sheet, pick),
      officersOf(sheet),
      countsOf(sheet),
      STANDARDS.filter((standard) => sheet.coverage?.[standard]).map((standard) =>
        coverageBlock(standard, sheet.coverage[standard], choose),
      ),
      offered("enter") &&
        h(
          "p",
          {},
          h(
            "button",
            { type: "button", class: "button", onclick: () => show({ view: "enter", entry: "" }) },
            e("add_here"),
          ),
        ),
      h(
        "p",
        { class: "prints" },
        ["A4", "A3"].map((paper) =>
          h(
            "a",
            { class: "button", href: sheetAddress(id, paper), target: "_blank", rel: "noopener" },
            t("print_sheet", { paper }),
          ),
        ),
      ),
      sheet.version &&
        h(
          "p",
          { class: "quiet foot" },
          t("boundary_of", { day: day(sheet.version.effective_day), title: sheet.version.title }),
        ),
    );
    this.focusIfAsked();
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async showPoint(id, signal) {
    const point = await this.points.find(id);
    if (!point) {
      this.fill("trouble", h("h2", {}, t("trouble")), trouble(t("no_such_point")));
      return;
    }
    if (this.mayFly) this.flyTo(point);
    const located = await get("/api/locate", { lon: point.lon, lat: point.lat, scheme: state.scheme }, signal);
    signal.throwIfAborted();
    this.fill(
      "point",
      [
        h("p", { class: "eyebrow" }, tOr(`of_${point.of}`, "")),
        h(
          "h2",
          {},
          point.of !== "place" && symbol(symbolKind(point.of, point), 24),
          point.name || kindName(point.kind),
        ),
        point.name && point.kind && h("p", { class: "quiet" }, kindName(point.kind)),
      ],
      h(
        "div",
        { class: "lines" },
        point.address && line(t("address"), point.address),
        point.grade && line(t("grade"), t(`grade_${point.grade}`), point.grade === "major" ? "wrong" : ""),
        point.status && line(t("status"), tOr(`status_${point.status}`, point.status)),
        point.due_on && line(t("due"), day(point.due_on), point.overdue ? "wrong" : ""),
        point.reported_at && line(t("reported"), moment(point.reported_at)),
        point.of !== "place" && line(t("coordinates"), coordinates(point)),
      ),
      point.overdue && tag(t("overdue"), "wrong"),
      point.phone && phone(point.phone),
      offered("enter") &&
        ENTERED.has(point.of) &&
        h(
          "p",
          {},
          h(
            "button",
            {
              type: "button",
              class: "button",
              onclick: () => show({ view: "enter", entry: point.of === "place" ? "" : point.id }),
            },
            e(point.of === "place" ? "add_at" : "change"),
          ),
        ),
      gridOf(located),
    );
  }

  /** @param {AbortSignal} signal */
  async showList(signal) {
    await Promise.all([this.grids.newest(), this.grids.themed]);
    signal.throwIfAborted();
    const own = this.grids.ofRank(this.grids.baseRank).filter(({ grid_id }) => this.grids.isOwn(grid_id));
    const slot = h("div", {}, this.gridLists());
    const sorter = h(
      "select",
      {
        id: "list-sort",
        onchange: (event) => {
          this.sort = event.target.value;
          slot.replaceChildren(...this.gridLists());
        },
      },
      ["name", "up", "down"].map((order) =>
        h("option", { value: order, selected: order === this.sort }, t(`sort_${order}`)),
      ),
    );
    this.fill(
      "list",
      [h("h2", {}, t("list")), h("p", { class: "quiet" }, this.grids.themeTitle())],
      own.length > 0 && [heading(t("own_area")), this.gridRows(own.sort(byCode))],
      h("label", { class: "sorter" }, t("sort"), sorter),
      slot,
      await this.pointLists(signal),
    );
    this.focusIfAsked();
  }

  /** @param {Grid} grid */
  figureOf(grid) {
    return this.grids.figures?.values[grid.grid_id] ?? null;
  }

  /**
   * Grids in the order that the reader chose.
   *
   * @param {Grid[]} grids
   */
  sorted(grids) {
    // What has no figure comes last in both orders.
    const sign = this.sort === "down" ? -1 : 1;
    const rank = (/** @type {Grid} */ grid) => sign * (this.figureOf(grid) ?? sign * Infinity);
    const byFigure = (/** @type {Grid} */ a, /** @type {Grid} */ b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b));
    return [...grids].sort((a, b) => (this.sort === "name" ? 0 : byFigure(a, b)) || byCode(a, b));
  }

  /**
   * @param {Grid[]} grids
   * @param {Children} [first] a row above
   */
  gridRows(grids, first) {
    const { figures } = this.grids;
    return h(
      "ul",
      { class: "rows" },
      first,
      grids.map((grid) =>
        row(() => pick(grid.grid_id), grid.name, {
          note: grid.code,
          figure: figures && figureText(figures.theme, this.figureOf(grid)),
          "aria-pressed": String(grid.grid_id) === state.grid ? "true" : null,
        }),
      ),
    );
  }

  /** Every base grid, by town; where there is no level above, in one list. */
  gridLists() {
    const grids = this.grids.ofRank(this.grids.baseRank);
    /** @type {Map<number, Grid[]>} */
    const groups = new Map();
    for (const grid of grids) {
      const [top] = this.grids.chain(grid.grid_id);
      groups.set(top, [...(groups.get(top) ?? []), grid]);
    }
    if (groups.size === grids.length) return [this.gridRows(this.sorted(grids))];
    return [...groups]
      .map(([id, members]) => ({ top: this.grids.grid(id), members }))
      .sort((a, b) => byCode(a.top, b.top))
      .map(({ top, members }) => this.townOf(top, members));
  }

  /**
   * @param {Grid} top
   * @param {Grid[]} members
   */
  townOf(top, members) {
    const details = h(
      "details",
      { class: "town" },
      h("summary", {}, h("span", {}, top.name), h("small", {}, t("grids_n", { n: number(members.length) }))),
    );
    // Rows are made when a town is opened: a thousand buttons would slow every update.
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const whole = row(() => pick(top.grid_id), t("whole_of", { name: top.name }), { figure: t("open") });
      details.append(this.gridRows(this.sorted(members), whole));
    });
    return details;
  }

  /**
   * The points of the layers that are on, as lists.
   *
   * @param {AbortSignal} signal
   */
  async pointLists(signal) {
    const shown = [...shownLayers()].filter((key) => this.points.isLayer(key));
    const lists = await Promise.all(shown.map((key) => this.points.pointsOf(key)));
    signal.throwIfAborted();
    return lists.map((points, i) =>
      h(
        "details",
        { class: "town" },
        h("summary", {}, h("span", {}, t(`layer_${shown[i]}`)), h("small", {}, number(points.length))),
        h(
          "ul",
          { class: "rows" },
          points.slice(0, MOST_POINTS_LISTED).map((point) =>
            row(() => show({ point: point.id, grid: "", view: "" }), point.name || kindName(point.kind), {
              note: point.name ? kindName(point.kind) : tOr(`status_${point.status}`, ""),
              figure: point.overdue && tag(t("overdue"), "wrong"),
            }),
          ),
        ),
        points.length > MOST_POINTS_LISTED &&
          h("p", { class: "quiet" }, t("first_of", { n: number(MOST_POINTS_LISTED), total: number(points.length) })),
      ),
    );
  }

  /** Move the focus into the panel when a key, not the pointer, opened it. */
  focusIfAsked() {
    if (this.wantsFocus) at("panel").focus({ preventScroll: true });
    this.wantsFocus = false;
    if (isNarrow()) this.sheet.atLeast("peek");
  }
}

/**
 * @param {Grid} a
 * @param {Grid} b
 */
const byCode = (a, b) => a.code.localeCompare(b.code);

/** @param {GridSheet} sheet */
function officersOf({ officers, stand_in }) {
  if (!officers.length && !stand_in)
    return h("p", { class: "quiet" }, t(offered("officers") ? "no_officer" : "officers_hidden"));
  // The A officer first, then the B officer; who heads the level comes after those who walk the grid.
  const place = (/** @type {Shape<"OfficerOnDuty">} */ { role, post }) => (role === "head" ? "1" : "0") + post;
  return [
    h("div", { class: "officers" }, [...officers].sort((a, b) => place(a).localeCompare(place(b))).map(officerCard)),
    stand_in &&
      h("p", { class: "first-call" }, h("small", {}, t("stand_in")), h("b", {}, stand_in.name), phone(stand_in.phone)),
  ];
}

/** @param {GridSheet} sheet */
const countsOf = ({ counts, area_km2 }) =>
  counts && [
    tiles([
      [t("households"), number(counts.households)],
      [t("people"), number(counts.people)],
      [t("area"), [number(area_km2, area_km2 < 10 ? 2 : 1), h("small", {}, " km²")]],
    ]),
    h(
      "div",
      { class: "lines" },
      line(t("buildings"), number(counts.buildings)),
      line(t("premises"), number(counts.premises)),
      line(t("care_households"), number(counts.care_households)),
      line(
        t("hazards_open"),
        counts.hazards_major
          ? t("of_which_major", { n: number(counts.hazards_open), major: number(counts.hazards_major) })
          : number(counts.hazards_open),
        counts.hazards_major ? "wrong" : "",
      ),
      line(t("incidents_open"), number(counts.incidents_open)),
      line(t("incidents_month"), number(counts.incidents_month)),
    ),
  ];

/**
 * Whose grid a place lies in, and how sure that is.
 *
 * @param {LocatedPlace} located
 */
function gridOf({ grid, nearest, outside, on_border, near_border, distance_m }) {
  const responsible = grid ?? nearest;
  return [
    heading(t(outside ? "nearest_grid" : "responsible_grid")),
    outside && h("p", {}, tag(t("outside", { m: number(distance_m) }), "care")),
    on_border && h("p", {}, tag(t("on_border"), "care")),
    !on_border &&
      near_border &&
      nearest &&
      h("p", {}, tag(t("near_border", { m: number(distance_m), name: nearest.name }), "care")),
    responsible &&
      h(
        "ul",
        { class: "rows" },
        row(() => pick(responsible.grid_id), responsible.name, { figure: t("open") }),
      ),
  ];
}

/**
 * What one answers for, in words.
 *
 * @param {Shape<"Area">[]} areas
 */
const ownTitle = (areas) => (areas.length === 1 ? areas[0].name : t("own_areas_n", { n: number(areas.length) }));

/** @param {Shape<"Overview">} overview */
const countyTitle = ({ county, boundaries }) => (county.code ? nameOf(county) : (boundaries?.title ?? nameOf(county)));

/**
 * The uppermost level with something to compare.
 *
 * @param {Shape<"Scheme">} scheme
 */
function worstRank(scheme) {
  const levels = [...scheme.levels].sort((a, b) => a.rank - b.rank);
  return (levels.find((level) => level.count > 1) ?? levels[0]).rank;
}
