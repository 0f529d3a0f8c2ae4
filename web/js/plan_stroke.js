// A line or ring under the hand: handles that mouse, touch and keys move, with its own way back.

import { token } from "./dom.js";
import { carriers, lengths } from "./plan_geometry.js";
import { p } from "./plan_texts.js";

/** @import { Snapped, Snapper } from "./plan_snap.js" */
/** @typedef {{lon: number, lat: number, soft: boolean}} Vertex a soft one has no handle and follows those beside it */

const STEP_PX = { plain: 2, far: 12 };
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CARRIER_PX = 5;
const ROOM_PX = 44; // between two handles, so that a finger finds one

/**
 * @param {{lon: number, lat: number}} vertex
 * @returns {[number, number]}
 */
const place = ({ lon, lat }) => [lat, lon];

export class Stroke {
  /**
   * positions [[lon, lat]…]; isClosed makes a ring; isDetailed gives handles to what carries the form only.
   *
   * @param {L.Map} map
   * @param {{pane: string, snapper: Snapper, isClosed?: boolean, isDetailed?: boolean, onChange: (stroke: Stroke) => void}} how
   */
  constructor(map, { pane, snapper, isClosed = false, isDetailed = false, onChange }) {
    this.map = map;
    this.pane = pane;
    this.snapper = snapper;
    this.isClosed = isClosed;
    this.isDetailed = isDetailed;
    this.onChange = onChange;
    /** @type {Vertex[]} */
    this.points = [];
    /** @type {Vertex[][]} */
    this.past = [];
    this.kind = "";
    /** @type {Snapped | null} */
    this.last = null;
    /** @type {Map<number, HTMLElement>} */
    this.icons = new Map();
    this.line = L.polyline([], { pane, interactive: false, lineJoin: "round" }).addTo(map);
    this.casing = L.polyline([], { pane, interactive: false, lineJoin: "round" }).addTo(map);
    this.casing.bringToBack();
    this.handles = L.layerGroup().addTo(map);
    this.redraw = () => {
      this.choose();
      this.draw();
    };
    map.on("zoomend", this.redraw);
  }

  get positions() {
    return this.points.map(({ lon, lat }) => [lon, lat]);
  }

  /** @param {number[][]} positions */
  set(positions) {
    this.points = positions.map(([lon, lat]) => ({ lon, lat, soft: this.isDetailed }));
    this.redraw();
  }

  /** Which points of a detailed line get handles at this zoom: ends, and what carries its form. */
  choose() {
    if (!this.isDetailed || this.points.length < 2) return;
    const pixels = this.points.map((point) => this.map.latLngToLayerPoint(place(point)));
    const kept = carriers(pixels, CARRIER_PX);
    const along = lengths(pixels);
    const last = pixels.length - 1;
    let before = -Infinity;
    this.points.forEach((point, i) => {
      const hasRoom = along[i] - before >= ROOM_PX && along[last] - along[i] >= ROOM_PX;
      point.soft = !(i === 0 || i === last || (kept.has(i) && hasRoom));
      if (!point.soft) before = along[i];
    });
  }

  draw() {
    const path = this.outline();
    this.casing.setLatLngs(path).setStyle({ color: token("surface"), weight: 8, opacity: 0.9 });
    this.line.setLatLngs(path).setStyle({ color: token("accent"), weight: 4, opacity: 1 });
    const shown = /** @type {HTMLElement} */ (this.map.getPane(this.pane)).children;
    const focused = [...shown].findIndex((icon) => icon === document.activeElement);
    this.handles.clearLayers();
    this.icons = new Map();
    const hard = this.points.flatMap((point, i) => (point.soft ? [] : [i]));
    hard.forEach((i, n) => this.addHandle(i, n + 1, hard.length));
    hard.forEach((i, n) =>
      this.addMiddle(i, hard[n + 1] ?? (this.isClosed && hard.length > 2 ? this.points.length + hard[0] : -1)),
    );
    if (focused >= 0) /** @type {HTMLElement | undefined} */ (shown[focused])?.focus?.({ preventScroll: true });
  }

  /**
   * The handle of one point.
   *
   * @param {number} i
   * @param {number} n counted from 1
   * @param {number} of how many there are
   */
  addHandle(i, n, of) {
    const isEnd = !this.isClosed && (i === 0 || i === this.points.length - 1);
    const handle = L.marker(place(this.points[i]), {
      pane: this.pane,
      draggable: true,
      autoPan: true,
      keyboard: true,
      icon: L.divIcon({ className: `plan-handle${isEnd ? " end" : ""}`, iconSize: [28, 28] }),
    }).addTo(this.handles);
    const icon = /** @type {HTMLElement} */ (handle.getElement());
    icon.setAttribute("aria-label", p("handle", { n, of }));
    icon.setAttribute("title", p("handle_hint"));
    handle.on("click", L.DomEvent.stopPropagation);
    this.wireDrag(handle, () => i);
    handle.on("contextmenu", (event) => {
      L.DomEvent.stop(event);
      this.remove(i);
    });
    icon.addEventListener("keydown", (event) => this.onKey(event, i));
    this.icons.set(i, icon);
  }

  /**
   * A small handle half way to the next one: drawn away, it becomes a point.
   *
   * @param {number} i
   * @param {number} j
   */
  addMiddle(i, j) {
    if (j < 0) return;
    const next = this.points[j % this.points.length];
    const [a, b] = [this.map.latLngToLayerPoint(place(this.points[i])), this.map.latLngToLayerPoint(place(next))];
    if (a.distanceTo(b) < ROOM_PX) return;
    const soft = j - i > 1 ? Math.floor((i + j) / 2) : -1;
    const at = soft >= 0 ? place(this.points[soft]) : this.map.layerPointToLatLng(a.add(b).divideBy(2));
    const handle = L.marker(at, {
      pane: this.pane,
      draggable: true,
      keyboard: true,
      icon: L.divIcon({ className: "plan-handle middle", iconSize: [28, 28] }),
    }).addTo(this.handles);
    const icon = /** @type {HTMLElement} */ (handle.getElement());
    icon.setAttribute("aria-label", p("handle_middle"));
    icon.setAttribute("title", p("handle_middle"));
    let made = -1;
    const make = () => {
      const { lat, lng } = handle.getLatLng();
      if (soft < 0) this.points.splice(i + 1, 0, { lon: lng, lat, soft: false });
      made = soft < 0 ? i + 1 : soft;
      this.points[made].soft = false;
      return made;
    };
    handle.on("click", L.DomEvent.stopPropagation);
    this.wireDrag(handle, () => (made < 0 ? make() : made));
    icon.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && !(event.key in ARROWS)) return;
      L.DomEvent.stop(event);
      this.remember(`key ${soft < 0 ? i + 1 : soft}`);
      const index = make();
      this.draw();
      this.icons.get(index)?.focus();
      if (event.key in ARROWS) this.onKey(event, index);
      else this.onChange(this);
    });
  }

  /**
   * @param {L.Marker} handle
   * @param {() => number} index
   */
  wireDrag(handle, index) {
    /** @type {{i: number, from: Vertex[]}} */
    let grabbed = { i: 0, from: [] };
    handle.on("dragstart", () => {
      this.remember();
      const i = index();
      grabbed = { i, from: this.points.map((point) => ({ ...point })) };
      this.map.getContainer().classList.add("plan-dragging");
    });
    handle.on("drag", () => {
      this.move(grabbed.i, this.snapper.snap(handle.getLatLng()).latlng, grabbed.from);
      handle.setLatLng(place(this.points[grabbed.i]));
      this.line.setLatLngs(this.outline());
      this.casing.setLatLngs(this.outline());
      this.onChange(this);
    });
    handle.on("dragend", () => {
      this.snapper.hide();
      this.map.getContainer().classList.remove("plan-dragging");
      this.draw();
      this.onChange(this);
    });
  }

  outline() {
    const path = this.points.map(place);
    if (this.isClosed && path.length > 2) path.push(path[0]);
    return path;
  }

  /**
   * Bring a point to a place; what lies between it and the next handles follows in proportion.
   *
   * @param {number} i
   * @param {{lat: number, lng: number}} place
   * @param {Vertex[]} [from]
   */
  move(i, { lat, lng }, from = this.points.map((point) => ({ ...point }))) {
    const [dLat, dLon] = [lat - from[i].lat, lng - from[i].lon];
    const along = lengths(from.map(({ lon, lat: y }) => ({ x: lon, y })));
    for (const step of [-1, 1]) {
      let end = i + step;
      while (from[end]?.soft) end += step;
      if (!from[end]) continue;
      for (let j = i + step; j !== end; j += step) {
        const share = (along[j] - along[end]) / (along[i] - along[end]);
        Object.assign(this.points[j], { lat: from[j].lat + share * dLat, lon: from[j].lon + share * dLon });
      }
    }
    Object.assign(this.points[i], { lat, lon: lng });
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} i
   */
  onKey(event, i) {
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      L.DomEvent.stop(event);
      this.remove(i);
    } else if (event.key in ARROWS) {
      L.DomEvent.stop(event);
      this.remember(`key ${i}`);
      const [x, y] = ARROWS[event.key].map((way) => way * (event.shiftKey ? STEP_PX.far : STEP_PX.plain));
      const pixel = this.map.latLngToLayerPoint(place(this.points[i])).add([x, y]);
      this.move(i, this.map.layerPointToLatLng(pixel));
      this.draw();
      this.icons.get(i)?.focus();
      this.onChange(this);
    }
  }

  /**
   * Add a place at the end; where it and the last lie on one street, the street is followed.
   *
   * @param {L.LatLng} latlng
   */
  add(latlng) {
    this.remember();
    const snapped = this.snapper.snap(latlng, false);
    for (const [lon, lat] of this.snapper.between(this.last, snapped)) this.points.push({ lon, lat, soft: true });
    this.points.push({ lon: snapped.latlng.lng, lat: snapped.latlng.lat, soft: false });
    this.last = snapped;
    this.draw();
    this.onChange(this);
  }

  /** @param {number} i */
  remove(i) {
    if (this.points.filter(({ soft }) => !soft).length <= (this.isDetailed ? 2 : 1)) return;
    if (this.isDetailed && (i === 0 || i === this.points.length - 1)) return;
    this.remember();
    this.points.splice(i, 1);
    this.last = null;
    this.draw();
    this.icons.get([...this.icons.keys()].find((index) => index >= i) ?? 0)?.focus();
    this.onChange(this);
  }

  /**
   * Keep the present form for the way back; moves by the same key in a row are one.
   *
   * @param {string} [kind]
   */
  remember(kind = "") {
    if (kind && kind === this.kind) return;
    this.kind = kind;
    this.past.push(this.points.map((point) => ({ ...point })));
  }

  /** One step back; false where there is none. */
  back() {
    const before = this.past.pop();
    if (!before) return false;
    this.kind = "";
    this.last = null;
    this.points = before;
    this.draw();
    this.onChange(this);
    return true;
  }

  focus() {
    this.icons?.values().next().value?.focus();
  }

  destroy() {
    this.map.off("zoomend", this.redraw);
    this.map.getContainer().classList.remove("plan-dragging");
    for (const layer of [this.line, this.casing, this.handles]) layer.remove();
    this.snapper.hide();
  }
}
