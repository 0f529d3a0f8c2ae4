// The tools of a planner. Each turns hands or keys into one edit and asks the mode to try it.

import { isStale } from "./api.js";
import { h } from "./dom.js";
import {
  bearing,
  borderPoints,
  boxOf,
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

const EDGE_REACH_PX = 16;
const HANDLES_PX = 120; // a shorter edge has no room for a handle between its ends
const START_POINTS = 16;
const LASSO_STEP_PX = 4;
const SAME_LINE_M = 0.2; // nearer to what was than this is no change

const longest = ({ type, coordinates }) =>
  type === "LineString" ? coordinates : coordinates.reduce((a, b) => (a.length >= b.length ? a : b));
const lineOf = (positions) => ({ type: "LineString", coordinates: positions });
const ringOf = (positions) => ({ type: "Polygon", coordinates: [[...positions, positions[0]]] });
const names = (mode, keys) => keys.map((key) => mode.nameOf(key));

/** A choice of one grid. */
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

/** Positions typed by hand: one place a line, longitude and latitude. */
function typed(mode, id, least, take) {
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
  constructor(mode, isClosed) {
    this.mode = mode;
    this.isClosed = isClosed;
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

  click(latlng) {
    this.stroke.add(latlng);
  }

  draw(positions) {
    this.stroke.remember();
    this.stroke.set(positions);
    this.changed();
  }

  back() {
    return this.stroke.back();
  }

  changed() {
    const edit = this.positions.length >= this.least ? this.edit() : null;
    if (edit) this.mode.try(edit);
    else this.mode.untry();
  }

  focus() {
    this.stroke.focus();
  }

  end() {
    this.stroke.destroy();
  }
}

// --- move a shared edge ----------------------------------------------------------------------------

export class MoveEdge {
  constructor(mode) {
    this.mode = mode;
    this.edge = null;
  }

  shown() {
    this.mode.canvas.showEdges(this.mode.edges, this.edge);
  }

  controls() {
    const { mode } = this;
    if (this.edge) return [];
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
          h("span", {}, both(...names(mode, [edge.properties.left, edge.properties.right]))),
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

  title() {
    const { left, right } = this.edge?.properties ?? {};
    return this.edge ? [p("edge_moving"), both(...names(this.mode, [left, right]))] : null;
  }

  nearest(latlng) {
    const { map, edges } = this.mode;
    const here = map.latLngToLayerPoint(latlng);
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

  hover(latlng) {
    if (this.edge) return ""; // it is in the hand already
    const edge = this.nearest(latlng);
    this.mode.canvas.showEdges(this.mode.edges, edge);
    return edge
      ? p("hover_edge", { names: both(...names(this.mode, [edge.properties.left, edge.properties.right])) })
      : null;
  }

  click(latlng) {
    if (this.mode.isPending) return true;
    const edge = this.nearest(latlng);
    if (!edge) return false;
    this.choose(edge);
    return true;
  }

  /** Take an edge into the hand. */
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
    const { left, right } = this.edge.properties;
    const { positions } = this.stroke;
    if (!this.stroke.past.length || isSameLine(positions, this.was.coordinates, SAME_LINE_M)) this.mode.untry();
    else this.mode.try({ kind: "move_edge", left, right, line: lineOf(positions) });
  }

  restore({ left, right, line }) {
    const edge = this.mode.edges.find(({ properties }) => properties.left === left && properties.right === right);
    if (!edge) return false;
    this.choose(edge);
    this.stroke.remember();
    this.stroke.set(line.coordinates);
    this.changed();
    return true;
  }

  back() {
    return this.stroke?.back() ?? false;
  }

  focus() {
    this.stroke?.focus();
  }

  /** Put the edge down again; false where none was in the hand. */
  putDown() {
    if (!this.edge) return false;
    this.end();
    this.shown();
    return true;
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
  constructor(mode) {
    super(mode, false);
    this.grid = "";
    this.keeps = "larger";
  }

  controls() {
    const { mode } = this;
    const starts = this.grid ? this.starts() : [];
    const end = (name) =>
      field(
        p(`cut_${name}`),
        h(
          "select",
          {
            id: `cut-${name}`,
            onchange: (event) => {
              this[name] = event.target.value;
              this.join();
            },
          },
          h("option", { value: "" }, p("choose")),
          starts.map(({ text }, i) => h("option", { value: i, selected: this[name] === String(i) }, text)),
        ),
      );
    return [
      h("p", { class: "quiet" }, p("cut_how")),
      gridChoice(mode, "cut-grid", p("cut_grid"), mode.keys, this.grid, (key) => {
        Object.assign(this, { grid: key, from: "", to: "" });
        mode.redraw();
        this.changed();
      }),
      this.grid &&
        h(
          "details",
          { class: "typed", open: Boolean(this.from || this.to) },
          h("summary", {}, p("cut_points")),
          h("div", { class: "two" }, end("from"), end("to")),
        ),
      typed(mode, "cut-typed", 2, (rows) => this.draw(rows)),
    ];
  }

  starts() {
    const { geometry, properties } = this.mode.canvas.faces.get(this.grid);
    const box = boxOf(positionsOf(geometry));
    const centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    return borderPoints(geometry, START_POINTS).map((place, i) => {
      const beside = this.mode.neighbourAt(place, properties.key, centre);
      return { place, text: `${i + 1} · ${p(`way_${bearing(centre, place)}`)}${beside ? ` · ${beside}` : ""}` };
    });
  }

  join() {
    const [from, to] = [this.from, this.to].map((one) => (one ? this.starts()[Number(one)].place : null));
    if (from && to && this.from !== this.to) this.draw([from, to]);
  }

  /** The grid that most of the line lies in, unless one was chosen. */
  cutKey() {
    if (this.grid) return this.grid;
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

  edit() {
    const grid = this.cutKey();
    return grid ? { kind: "split", grid, line: lineOf(this.positions), keeps: this.keeps } : null;
  }

  restore({ grid, line }) {
    this.grid = grid;
    this.draw(line.coordinates);
    return true;
  }
}

// --- merge, dissolve -------------------------------------------------------------------------------

export class Merge {
  constructor(mode) {
    this.mode = mode;
    this.grids = [];
    this.wish = "";
  }

  /** Where all goes: as chosen, else into the one with most households. */
  get into() {
    if (this.grids.includes(this.wish)) return this.wish;
    return [...this.grids].sort((a, b) => (this.mode.householdsOf(b) ?? 0) - (this.mode.householdsOf(a) ?? 0))[0] ?? "";
  }

  controls() {
    const { mode } = this;
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
          this.wish = key;
          this.changed();
        }),
    ];
  }

  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (key) this.toggle(key);
    return Boolean(key);
  }

  toggle(key) {
    this.grids = this.grids.includes(key) ? this.grids.filter((one) => one !== key) : [...this.grids, key];
    this.mode.redraw();
    this.changed();
  }

  changed() {
    if (this.grids.length > 1) this.mode.try({ kind: "merge", grids: this.grids, into: this.into });
    else this.mode.untry(this.grids);
  }

  restore({ grids, into }) {
    Object.assign(this, { grids, wish: into });
    this.mode.redraw();
    this.changed();
    return true;
  }

  back() {
    if (!this.grids.length) return false;
    this.toggle(this.grids.at(-1));
    return true;
  }

  end() {}
}

export class Dissolve {
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

  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (key) this.take(key);
    return Boolean(key);
  }

  take(grid) {
    this.grid = grid;
    this.mode.redraw();
    if (grid) this.mode.try({ kind: "dissolve", grid });
    else this.mode.untry();
  }

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

/** A ring drawn in one movement of mouse, pen or finger; a click stays a click. */
class Lasso {
  constructor(mode, onRing) {
    const box = mode.map.getContainer();
    Object.assign(this, { mode, box, onRing });
    this.stop = new AbortController();
    const { signal } = this.stop;
    mode.map.dragging.disable();
    box.classList.add("plan-lasso");
    let trail = null;
    let pointer = 0;
    const at = (event) => mode.map.mouseEventToLatLng(event);
    box.addEventListener(
      "pointerdown",
      (event) => {
        if (trail)
          trail = null; // a second finger: the map is being zoomed
        else if (event.isPrimary && event.button === 0 && !event.target.closest(".plan-handle, .leaflet-control")) {
          [trail, pointer] = [[event], event.pointerId];
        }
      },
      { signal },
    );
    box.addEventListener(
      "pointermove",
      (event) => {
        if (!trail || event.pointerId !== pointer) return;
        const last = trail.at(-1);
        if (Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) < LASSO_STEP_PX) return;
        trail.push(event);
        mode.lassoLine(trail.map(at));
      },
      { signal },
    );
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
  constructor(mode) {
    super(mode, true);
    this.lasso = new Lasso(mode, (ring) => this.draw(ring));
    this.stroke.isDetailed = false;
  }

  /** A lasso has a point every few pixels: handles only where it turns. */
  draw(positions) {
    this.stroke.isDetailed = positions.length > 12;
    super.draw(positions);
    this.stroke.isDetailed = false;
  }

  restore(edit) {
    const ring = edit.region?.coordinates[0].slice(0, -1);
    if (ring) this.draw(ring);
    return Boolean(ring);
  }

  end() {
    super.end();
    this.lasso.end();
  }
}

export class HandOver extends Ring {
  constructor(mode) {
    super(mode);
    this.to = "";
    this.by = "buildings";
    this.found = [];
    this.chosen = new Set();
  }

  controls() {
    const { mode } = this;
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
      typed(mode, "give-typed", 3, (rows) => this.draw(rows)),
    ];
  }

  /** The first click on the map names who receives, as long as nobody does. */
  click(latlng) {
    const key = this.mode.canvas.keyAt(latlng);
    if (this.to || !key) return super.click(latlng);
    this.to = key;
    this.mode.redraw();
    this.mode.untry([key]);
    return true;
  }

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
        {
          bbox: boxOf(this.positions)
            .map((one) => one.toFixed(6))
            .join(","),
        },
        this.abort.signal,
      );
      this.found = features;
    } catch (error) {
      if (!isStale(error)) this.mode.onError(error);
      return;
    }
    const inside = this.found.filter(({ geometry }) => isInside(spotOf(geometry), ring));
    this.chosen = new Set(inside.map(({ properties }) => properties.building_id));
    this.households = inside.reduce((sum, { properties }) => sum + (properties.households ?? 0), 0);
    this.mode.redraw();
    if (this.chosen.size) this.mode.try({ kind: "hand_over_buildings", buildings: [...this.chosen], to: this.to });
    else this.mode.untry([this.to]);
  }

  /** Buildings under the lasso, drawn over what is tried. */
  shown() {
    if (this.by === "buildings" && this.chosen.size) this.mode.canvas.dots(this.found, this.chosen);
  }

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
      typed(this.mode, "draw-typed", 3, (rows) => this.draw(rows)),
    ];
  }

  edit() {
    return { kind: "draw", region: ringOf(this.positions), name: this.name || p("draw_unnamed") };
  }

  restore(edit) {
    this.name = edit.name;
    return super.restore(edit);
  }
}

/** Tool by its name; the kind of edit it makes tells which one takes a stroke up again. */
export const TOOLS = { move: MoveEdge, cut: Cut, give: HandOver, merge: Merge, draw: DrawNew, dissolve: Dissolve };
export const TOOL_OF = {
  move_edge: "move",
  split: "cut",
  give: "give",
  hand_over_buildings: "give",
  merge: "merge",
  draw: "draw",
  dissolve: "dissolve",
};
