// The tools of a planner. Each turns hands or keys into one edit and asks the mode to try it.

import { isStale } from "./api.js";
import { h } from "./dom.js";
import {
  bearing,
  borderPoints,
  boxOf,
  boxText,
  isInside,
  isSameLine,
  nearestOnSegment,
  positionsOf,
  spotOf,
} from "./plan_geometry.js";
import { field } from "./parts.js";
import { Stroke } from "./plan_stroke.js";
import { both, p } from "./plan_texts.js";
import { number } from "./texts.js";

/** @import { Children } from "./dom.js" */
/** @import { PlanMode } from "./plan.js" */
/** @import { Edit } from "./plan_draft.js" */
/** @import { Edge, Land, Line } from "./plan_geometry.js" */
/** @import { Position } from "../types/page.js" */
/** @typedef {{geometry: GeoJSON.Point | Land, properties: {building_id: number, households: number}}} Building */
/**
 * @typedef {object} Tool what the mode asks of the tool in the hand; the rest only where the tool has it
 * @property {PlanMode} mode
 * @property {() => Children} controls in the panel
 * @property {() => boolean} back one step back; false where there is none
 * @property {(edit: any) => boolean} restore take up an edit of this tool that was not saved
 * @property {() => void} end
 * @property {(latlng: L.LatLng) => boolean | void} [click] false where it had no use for it
 * @property {(latlng: L.LatLng) => string | null} [hover] what a click would do
 * @property {() => [string, string] | null} [title]
 * @property {() => void} [shown] draw on the map what it works on
 * @property {Stroke | null} [stroke]
 * @property {Edge | null} [edge] in the hand
 * @property {Line | null} [ghost] the line as it was
 */

const EDGE_REACH_PX = 16;
const HANDLES_PX = 120; // a shorter edge has no room for a handle between its ends
const START_POINTS = 16;
const LASSO_STEP_PX = 4;
const SAME_LINE_M = 0.2; // nearer to what was than this is no change

/** @param {Line} line */
const longest = ({ type, coordinates }) =>
  type === "LineString" ? coordinates : coordinates.reduce((a, b) => (a.length >= b.length ? a : b));
/** @type {(positions: number[][]) => GeoJSON.LineString} */
const lineOf = (positions) => ({ type: "LineString", coordinates: positions });
/** @type {(positions: number[][]) => GeoJSON.Polygon} */
const ringOf = (positions) => ({ type: "Polygon", coordinates: [[...positions, positions[0]]] });

/**
 * Both sides of an edge by name.
 *
 * @param {PlanMode} mode
 * @param {Edge} edge
 */
const sides = (mode, { properties: { left, right } }) => both(mode.nameOf(left), mode.nameOf(right));

/**
 * A choice of one grid.
 *
 * @param {PlanMode} mode
 * @param {string} id
 * @param {string} label
 * @param {string[]} keys
 * @param {string} value
 * @param {(key: string) => void} onchange
 */
function gridChoice(mode, id, label, keys, value, onchange) {
  return field(
    label,
    h(
      "select",
      { id, onchange: (event) => onchange(event.target.value) },
      h("option", { value: "" }, p("choose")),
      keys.map((key) =>
        h(
          "option",
          { value: key, selected: key === value },
          `${mode.nameOf(key)} · ${p("households_n", { n: number(mode.householdsOf(key) ?? 0) })}`,
        ),
      ),
    ),
  );
}

/**
 * Positions typed by hand: one place a line, longitude and latitude.
 *
 * @param {string} id
 * @param {number} least how many places
 * @param {(positions: number[][]) => void} take
 */
function typed(id, least, take) {
  const box = h("textarea", {
    id,
    rows: 3,
    spellcheck: "false",
    placeholder: "112.90123, 28.70456\n112.90345, 28.70567",
  });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const apply = () => {
    const rows = box.value
      .trim()
      .split(/\n+/)
      .map((row) =>
        row
          .trim()
          .split(/[\s,，;；]+/)
          .map(Number),
      );
    const isGood =
      rows.length >= least &&
      rows.every(([lon, lat, more]) => more === undefined && Math.abs(lon) <= 180 && Math.abs(lat) <= 90);
    fault.hidden = isGood;
    fault.textContent = p("typed_wrong", { least });
    if (isGood) take(rows);
  };
  return h(
    "details",
    { class: "typed" },
    h("summary", {}, p("typed")),
    field(p("typed_hint"), box),
    fault,
    h("button", { type: "button", class: "button", onclick: apply }, p("typed_apply")),
  );
}

/** What every drawing tool shares: a stroke that clicks lengthen and the mode puts away. */
class Drawing {
  /**
   * @param {PlanMode} mode
   * @param {boolean} isClosed
   */
  constructor(mode, isClosed) {
    this.mode = mode;
    this.stroke = new Stroke(mode.map, {
      pane: "plan-handles",
      snapper: mode.snapper,
      isClosed,
      onChange: () => this.changed(),
    });
    this.least = isClosed ? 3 : 2;
  }

  get positions() {
    return this.stroke.positions;
  }

  /**
   * @param {L.LatLng} latlng
   * @returns {boolean | void}
   */
  click(latlng) {
    this.stroke.add(latlng);
  }

  /** @param {number[][]} positions */
  draw(positions) {
    this.stroke.remember();
    this.stroke.set(positions);
    this.changed();
  }

  back() {
    return this.stroke.back();
  }

  /**
   * The edit that the stroke stands for.
   *
   * @returns {Edit | null}
   */
  edit() {
    return null;
  }

  /** @returns {void | Promise<void>} */
  changed() {
    const edit = this.positions.length >= this.least ? this.edit() : null;
    if (edit) this.mode.try(edit);
    else this.mode.untry();
  }

  end() {
    this.stroke.destroy();
  }
}

// --- move a shared edge ----------------------------------------------------------------------------

export class MoveEdge {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    /** @type {Edge | null} */
    this.edge = null;
    /** @type {GeoJSON.LineString | null} */
    this.was = null;
    /** @type {Stroke | null} */
    this.stroke = null;
    this.isListed = false;
  }

  shown() {
    this.mode.canvas.showEdges(this.mode.edges, this.edge);
  }

  controls() {
    const { mode } = this;
    if (this.edge) return [];
    /** @param {Edge} edge */
    const row = (edge) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            onclick: () => this.choose(edge, true),
            onmouseenter: () => mode.canvas.showEdges(mode.edges, edge),
            onfocus: () => mode.canvas.showEdges(mode.edges, edge),
          },
          h("span", {}, sides(mode, edge)),
        ),
      );
    return [
      h("p", { class: "quiet" }, p("edge_how")),
      h(
        "details",
        { id: "edges-details", open: this.isListed, ontoggle: (event) => (this.isListed = event.target.open) },
        h("summary", {}, p("edges_n", { n: number(mode.edges.length) })),
        h("ul", { class: "rows", id: "plan-edges" }, mode.edges.map(row)),
      ),
    ];
  }

  /** @returns {[string, string] | null} */
  title() {
    return this.edge && [p("edge_moving"), sides(this.mode, this.edge)];
  }

  /**
   * The edge under the mouse or the finger.
   *
   * @param {L.LatLng} latlng
   */
  nearest(latlng) {
    const { map, edges } = this.mode;
    const here = map.latLngToLayerPoint(latlng);
    /** @type {{away: number, edge: Edge} | null} */
    let best = null;
    for (const edge of edges) {
      for (const line of edge.geometry.type === "LineString"
        ? [edge.geometry.coordinates]
        : edge.geometry.coordinates) {
        const pixels = line.map(([lon, lat]) => map.latLngToLayerPoint([lat, lon]));
        for (let i = 1; i < pixels.length; i++) {
          const on = nearestOnSegment(here, pixels[i - 1], pixels[i]);
          const away = Math.hypot(on.x - here.x, on.y - here.y);
          if (away < (best?.away ?? EDGE_REACH_PX)) best = { away, edge };
        }
      }
    }
    return best?.edge ?? null;
  }

  /** @param {L.LatLng} latlng */
  hover(latlng) {
    if (this.edge) return ""; // it is in the hand already
    const edge = this.nearest(latlng);
    this.mode.canvas.showEdges(this.mode.edges, edge);
    return edge ? p("hover_edge", { names: sides(this.mode, edge) }) : null;
  }

  /** @param {L.LatLng} latlng */
  click(latlng) {
    if (this.mode.isPending) return true;
    const edge = this.nearest(latlng);
    if (!edge) return false;
    this.choose(edge);
    return true;
  }

  /**
   * Take an edge into the hand.
   *
   * @param {Edge} edge
   * @param {boolean} [isByKey]
   */
  choose(edge, isByKey = false) {
    this.stroke?.destroy();
    this.edge = edge;
    this.was = lineOf(longest(edge.geometry));
    this.stroke = new Stroke(this.mode.map, {
      pane: "plan-handles",
      snapper: this.mode.snapper,
      isDetailed: true,
      onChange: () => this.changed(),
    });
    this.stroke.set(this.was.coordinates);
    this.mode.show(this.was, { isSeen: !isByKey, least: HANDLES_PX });
    this.mode.redraw();
    this.shown();
    if (isByKey) this.stroke.focus();
  }

  get ghost() {
    return this.was;
  }

  changed() {
    if (!this.edge || !this.stroke || !this.was) return;
    const { left, right } = this.edge.properties;
    const { positions } = this.stroke;
    if (!this.stroke.past.length || isSameLine(positions, this.was.coordinates, SAME_LINE_M)) this.mode.untry();
    else this.mode.try({ kind: "move_edge", left, right, line: lineOf(positions) });
  }

  /** @param {{left: string, right: string, line: GeoJSON.LineString}} edit */
  restore({ left, right, line }) {
    const edge = this.mode.edges.find(({ properties }) => properties.left === left && properties.right === right);
    if (!edge) return false;
    this.choose(edge);
    this.stroke?.remember();
    this.stroke?.set(line.coordinates);
    this.changed();
    return true;
  }

  back() {
    return this.stroke?.back() ?? false;
  }

  end() {
    this.stroke?.destroy();
    this.stroke = null;
    this.edge = null;
    this.was = null;
  }
}

// --- cut one in two --------------------------------------------------------------------------------

export class Cut extends Drawing {
  /** @param {PlanMode} mode */
  constructor(mode) {
    super(mode, false);
    this.grid = "";
    this.keeps = "larger";
    /** Which of the points of the border the cut begins and ends at. */
    this.ends = { from: "", to: "" };
  }

  controls() {
    const { mode } = this;
    const starts = this.grid ? this.starts() : [];
    /** @param {"from" | "to"} name */
    const end = (name) =>
      field(
        p(`cut_${name}`),
        h(
          "select",
          {
            id: `cut-${name}`,
            onchange: (event) => {
              this.ends[name] = event.target.value;
              this.join();
            },
          },
          h("option", { value: "" }, p("choose")),
          starts.map(({ text }, i) => h("option", { value: i, selected: this.ends[name] === String(i) }, text)),
        ),
      );
    return [
      h("p", { class: "quiet" }, p("cut_how")),
      gridChoice(mode, "cut-grid", p("cut_grid"), mode.keys, this.grid, (key) => {
        this.grid = key;
        this.ends = { from: "", to: "" };
        mode.redraw();
        this.changed();
      }),
      this.grid &&
        h(
          "details",
          { class: "typed", open: Boolean(this.ends.from || this.ends.to) },
          h("summary", {}, p("cut_points")),
          h("div", { class: "two" }, end("from"), end("to")),
        ),
      typed("cut-typed", 2, (rows) => this.draw(rows)),
    ];
  }

  /** Points of the grid's border, each with where it lies and what is beyond. */
  starts() {
    const face = this.mode.canvas.faces.get(this.grid);
    if (!face) return [];
    const { geometry, properties } = face;
    const box = boxOf(positionsOf(geometry));
    /** @type {Position} */
    const centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    return borderPoints(geometry, START_POINTS).map((place, i) => {
      const beside = this.mode.neighbourAt(place, properties.key, centre);
      return { place, text: `${i + 1} · ${p(`way_${bearing(centre, place)}`)}${beside ? ` · ${beside}` : ""}` };
    });
  }

  join() {
    const starts = this.starts();
    const [from, to] = [this.ends.from, this.ends.to].map((index) => (index ? starts[Number(index)].place : null));
    if (from && to && this.ends.from !== this.ends.to) this.draw([from, to]);
  }

  /** The grid that most of the line lies in, unless one was chosen. */
  cutKey() {
    if (this.grid) return this.grid;
    /** @type {Map<string, number>} */
    const counts = new Map();
    const line = this.positions;
    for (let i = 1; i < line.length; i++) {
      for (const share of [0.2, 0.5, 0.8]) {
        const [lng, lat] = line[i].map((value, axis) => line[i - 1][axis] + share * (value - line[i - 1][axis]));
        const key = this.mode.canvas.keyAt({ lat, lng });
        if (key) counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
  }

  /** @override */
  edit() {
    const grid = this.cutKey();
    return grid ? { kind: "split", grid, line: lineOf(this.positions), keeps: this.keeps } : null;
  }

  /** @param {{grid: string, line: GeoJSON.LineString}} edit */
  restore({ grid, line }) {
    this.grid = grid;
    this.draw(line.coordinates);
    return true;
  }
}

// --- merge, dissolve -------------------------------------------------------------------------------

export class Merge {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    /** @type {string[]} */
    this.grids = [];
    this.chosenInto = "";
  }

  /** Where all goes: as chosen, else into the one with most households. */
  get into() {
    if (this.grids.includes(this.chosenInto)) return this.chosenInto;
    return [...this.grids].sort((a, b) => (this.mode.householdsOf(b) ?? 0) - (this.mode.householdsOf(a) ?? 0))[0] ?? "";
  }

  controls() {
    const { mode } = this;
    /** @param {string} key */
    const box = (key) =>
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          id: `merge-${key}`,
          checked: this.grids.includes(key),
          onchange: () => this.toggle(key),
        }),
        h("span", {}, mode.nameOf(key)),
        h("b", {}, p("households_n", { n: number(mode.householdsOf(key) ?? 0) })),
      );
    return [
      h("p", { class: "quiet" }, p("merge_how")),
      h(
        "fieldset",
        { class: "checks plan-checks" },
        h("legend", { class: "unseen" }, p("tool_merge")),
        mode.keys.concat(this.grids.filter((key) => !mode.keys.includes(key))).map(box),
      ),
      this.grids.length > 1 &&
        gridChoice(mode, "merge-into", p("merge_into"), this.grids, this.into, (key) => {
          this.chosenInto = key;
          this.changed();
        }),
    ];
  }

  /** @param {L.LatLng} latlng */
  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (key) this.toggle(key);
    return Boolean(key);
  }

  /** @param {string} key */
  toggle(key) {
    this.grids = this.grids.includes(key) ? this.grids.filter((ticked) => ticked !== key) : [...this.grids, key];
    this.mode.redraw();
    this.changed();
  }

  changed() {
    if (this.grids.length > 1) this.mode.try({ kind: "merge", grids: this.grids, into: this.into });
    else this.mode.untry(this.grids);
  }

  /** @param {{grids: string[], into: string}} edit */
  restore({ grids, into }) {
    this.grids = grids;
    this.chosenInto = into;
    this.mode.redraw();
    this.changed();
    return true;
  }

  back() {
    const last = this.grids.at(-1);
    if (last !== undefined) this.toggle(last);
    return last !== undefined;
  }

  end() {}
}

export class Dissolve {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    this.grid = "";
  }

  controls() {
    return [
      h("p", { class: "quiet" }, p("dissolve_how")),
      gridChoice(this.mode, "dissolve-grid", p("dissolve_grid"), this.mode.keys, this.grid, (key) => this.take(key)),
    ];
  }

  /** @param {L.LatLng} latlng */
  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (key) this.take(key);
    return Boolean(key);
  }

  /** @param {string} grid */
  take(grid) {
    this.grid = grid;
    this.mode.redraw();
    if (grid) this.mode.try({ kind: "dissolve", grid });
    else this.mode.untry();
  }

  /** @param {{grid: string}} edit */
  restore({ grid }) {
    this.take(grid);
    return true;
  }

  back() {
    if (!this.grid) return false;
    this.take("");
    return true;
  }

  end() {}
}

// --- hand over, draw new: a ring by clicks or by a lasso ---------------------------------------------

/**
 * Whether something happened on one of these places.
 *
 * @param {Event} event
 * @param {string} places
 */
const isOn = ({ target }, places) => target instanceof Element && target.closest(places) !== null;

/** A ring drawn in one movement of mouse, pen or finger; a click stays a click. */
class Lasso {
  /**
   * @param {PlanMode} mode
   * @param {(ring: number[][]) => void} onRing
   */
  constructor(mode, onRing) {
    const box = mode.map.getContainer();
    this.mode = mode;
    this.box = box;
    this.stop = new AbortController();
    const { signal } = this.stop;
    mode.map.dragging.disable();
    box.classList.add("plan-lasso");
    /** @type {PointerEvent[] | null} */
    let trail = null;
    let pointer = 0;
    /** @param {PointerEvent} event */
    const at = (event) => mode.map.mouseEventToLatLng(event);
    box.addEventListener(
      "pointerdown",
      (event) => {
        if (trail)
          trail = null; // a second finger: the map is being zoomed
        else if (event.isPrimary && event.button === 0 && !isOn(event, ".plan-handle, .leaflet-control")) {
          [trail, pointer] = [[event], event.pointerId];
        }
      },
      { signal },
    );
    box.addEventListener(
      "pointermove",
      (event) => {
        if (!trail || event.pointerId !== pointer) return;
        const last = trail[trail.length - 1];
        if (Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) < LASSO_STEP_PX) return;
        trail.push(event);
        mode.lassoLine(trail.map(at));
      },
      { signal },
    );
    /** @param {PointerEvent} event */
    const done = (event) => {
      if (!trail || event.pointerId !== pointer) return;
      const ring = trail.map(at);
      const isRing = event.type === "pointerup" && ring.length > 5;
      trail = null;
      mode.lassoLine(null);
      if (isRing) {
        mode.skipClick();
        onRing(ring.map(({ lat, lng }) => [lng, lat]));
      }
    };
    box.addEventListener("pointerup", done, { signal });
    box.addEventListener("pointercancel", done, { signal });
  }

  end() {
    this.stop.abort();
    this.mode.lassoLine(null);
    this.mode.map.dragging.enable();
    this.box.classList.remove("plan-lasso");
  }
}

class Ring extends Drawing {
  /** @param {PlanMode} mode */
  constructor(mode) {
    super(mode, true);
    this.lasso = new Lasso(mode, (ring) => this.draw(ring));
    this.stroke.isDetailed = false;
  }

  /**
   * A lasso has a point every few pixels: handles only where it turns.
   *
   * @override
   * @param {number[][]} positions
   */
  draw(positions) {
    this.stroke.isDetailed = positions.length > 12;
    super.draw(positions);
    this.stroke.isDetailed = false;
  }

  /** @param {{region?: GeoJSON.Polygon}} edit */
  restore(edit) {
    const ring = edit.region?.coordinates[0].slice(0, -1);
    if (ring) this.draw(ring);
    return Boolean(ring);
  }

  /** @override */
  end() {
    super.end();
    this.lasso.end();
  }
}

export class HandOver extends Ring {
  /** @param {PlanMode} mode */
  constructor(mode) {
    super(mode);
    this.to = "";
    this.by = "buildings";
    /** @type {Building[]} */
    this.buildings = [];
    /** @type {Set<number>} */
    this.chosen = new Set();
    this.households = 0;
  }

  controls() {
    const { mode } = this;
    /** @param {"buildings" | "land"} by */
    const way = (by) =>
      h(
        "button",
        {
          type: "button",
          id: `give-${by}`,
          "aria-pressed": String(this.by === by),
          onclick: () => {
            this.by = by;
            mode.redraw();
            this.changed();
          },
        },
        p(`give_${by}`),
      );
    return [
      h("p", { class: "quiet" }, p("give_how")),
      gridChoice(mode, "give-to", p("give_to"), mode.keysAround(), this.to, (key) => {
        this.to = key;
        this.changed();
      }),
      h("div", { class: "tabs", role: "group", "aria-label": p("give_what") }, way("buildings"), way("land")),
      this.by === "buildings" &&
        this.chosen.size > 0 &&
        h("p", {}, p("give_chosen", { n: number(this.chosen.size), households: number(this.households) })),
      typed("give-typed", 3, (rows) => this.draw(rows)),
    ];
  }

  /**
   * The first click on the map names who receives, as long as nobody does.
   *
   * @override
   * @param {L.LatLng} latlng
   */
  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (this.to || !key) return super.click(latlng);
    this.to = key;
    this.mode.redraw();
    this.mode.untry([key]);
    return true;
  }

  /** @override */
  async changed() {
    if (this.positions.length < 3 || !this.to) {
      this.mode.untry([this.to].filter(Boolean));
      return;
    }
    if (this.by === "land") this.mode.try({ kind: "give", region: ringOf(this.positions), to: this.to });
    else await this.pickBuildings();
  }

  async pickBuildings() {
    const ring = ringOf(this.positions);
    this.abort?.abort();
    this.abort = new AbortController();
    try {
      const { features } = await this.mode.draft.ask(
        "/buildings",
        { bbox: boxText(boxOf(this.positions)) },
        this.abort.signal,
      );
      this.buildings = features;
    } catch (error) {
      if (!isStale(error)) this.mode.onError(error);
      return;
    }
    const inside = this.buildings.filter(({ geometry }) => isInside(spotOf(geometry), ring));
    this.chosen = new Set(inside.map(({ properties }) => properties.building_id));
    this.households = inside.reduce((sum, { properties }) => sum + (properties.households ?? 0), 0);
    this.mode.redraw();
    if (this.chosen.size) this.mode.try({ kind: "hand_over_buildings", buildings: [...this.chosen], to: this.to });
    else this.mode.untry([this.to]);
  }

  /** Buildings under the lasso, drawn over what is tried. */
  shown() {
    if (this.by === "buildings" && this.chosen.size) this.mode.canvas.dots(this.buildings, this.chosen);
  }

  /**
   * @override
   * @param {any} edit of land or of buildings
   */
  restore(edit) {
    this.to = edit.to;
    if (edit.kind === "give") {
      this.by = "land";
      return super.restore(edit);
    }
    this.chosen = new Set(edit.buildings);
    this.mode.try(edit);
    return true;
  }
}

export class DrawNew extends Ring {
  /** @param {PlanMode} mode */
  constructor(mode) {
    super(mode);
    this.name = "";
  }

  controls() {
    return [
      h("p", { class: "quiet" }, p("draw_how")),
      field(
        p("draw_name"),
        h("input", {
          id: "draw-name",
          type: "text",
          maxlength: 80,
          value: this.name,
          autocomplete: "off",
          oninput: (event) => {
            this.name = event.target.value.trim();
            this.changed();
          },
        }),
      ),
      typed("draw-typed", 3, (rows) => this.draw(rows)),
    ];
  }

  /** @override */
  edit() {
    return { kind: "draw", region: ringOf(this.positions), name: this.name || p("draw_unnamed") };
  }

  /**
   * @override
   * @param {any} edit
   */
  restore(edit) {
    this.name = edit.name;
    return super.restore(edit);
  }
}

/**
 * Tool by its name; the kind of edit it makes tells which one takes a stroke up again.
 *
 * @type {Record<string, new (mode: PlanMode) => Tool>}
 */
export const TOOLS = { move: MoveEdge, cut: Cut, give: HandOver, merge: Merge, draw: DrawNew, dissolve: Dissolve };
/** @type {Record<string, string>} */
export const TOOL_OF = {
  move_edge: "move",
  split: "cut",
  give: "give",
  hand_over_buildings: "give",
  merge: "merge",
  draw: "draw",
  dissolve: "dissolve",
};
