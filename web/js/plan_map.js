// The draft on the map: its faces coloured around the target, its borders, what moves, what is wrong.

import { sharedEdges } from "./borders.js";
import { h, token } from "./dom.js";
import { AROUND_TARGET, colourFor } from "./palette.js";
import { boxOf, isInside, labelPoint, positionsOf, spotOf } from "./plan_geometry.js";
import { p } from "./plan_texts.js";
import { unproject } from "./projection.js";
import { number } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @import { Box, Position } from "../types/page.js" */
/** @import { Edge, Land, Line } from "./plan_geometry.js" */
/** @typedef {[least: number, most: number] | null | undefined} Target households of a grid */
/**
 * @typedef {object} FaceProperties what a drafted grid is, as the server told it in this or that answer
 * @property {string} key
 * @property {string} name
 * @property {string} parent
 * @property {string} [code]
 * @property {number} [households]
 * @property {Target} [target]
 * @property {boolean} [changed]
 * @property {boolean} [is_new]
 */
/** @typedef {{geometry: Land, properties: FaceProperties, box: Box, label?: Position}} Face */
/** @typedef {{features: Omit<Face, "box">[]}} Faces */
/** @typedef {Pick<Shape<"FindingAnswer">, "rule" | "severity" | "keys" | "text"> & {place: any}} Finding */
/** @typedef {{name?: string, key: string, before?: Record<string, any> | null, now?: Record<string, any> | null, target?: Target, code?: string}} GridLoad */
/** @typedef {Shape<"ChangeAnswer">} Change */

const WIDTH = [2.4, 2, 1.7, 0.9];
/** @type {Record<string, number>} */
const PANES = {
  "plan-before": 351,
  "plan-faces": 352,
  "plan-lines-before": 409,
  "plan-lines": 410,
  "plan-work": 425,
  "plan-signs": 615,
  "plan-handles": 640,
};
const CLICKABLE = new Set(["plan-signs", "plan-handles"]);

/** @type {(line: number[][]) => L.LatLngTuple[]} */
const flip = (line) => line.map(([lon, lat]) => [lat, lon]);
/**
 * Rings of a polygon as Leaflet wants them: parts, each with its rings.
 *
 * @param {Land} geometry
 */
export const shape = (geometry) =>
  (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates).map((part) => part.map(flip));
/** @param {Line} geometry */
const lines = (geometry) =>
  geometry.type === "LineString" ? [flip(geometry.coordinates)] : geometry.coordinates.map(flip);

/**
 * Whether a rule speaks of a grid as a whole, and not of a stretch of border.
 *
 * @param {Finding} finding
 */
const isOfWhole = ({ rule, keys }) => ["size", "thin", "no_officer", "hole"].includes(rule) && keys?.length === 1;

/**
 * Where households stand against their target: 0 far too few … 4 far too many, -1 unknown.
 *
 * @param {number | undefined} households
 * @param {Target} target
 */
export function sizeClass(households, target) {
  if (!target || households === undefined) return -1;
  const [low, high] = target;
  if (households < low) return households < low / 2 ? 0 : 1;
  if (households > high) return households > high * 1.5 ? 4 : 3;
  return 2;
}

export class PlanMap {
  /**
   * chainOf(parent) gives the grids from the county down, classOf(key) the class among the published figures.
   *
   * @param {L.Map} map
   * @param {{chainOf: (parent: string) => (number | string)[], classOf: (key: string) => number, onSign: (finding: Finding) => void, onDrawn: () => void}} more
   */
  constructor(map, { chainOf, classOf, onSign, onDrawn }) {
    this.map = map;
    this.chainOf = chainOf;
    this.classOf = classOf;
    this.onSign = onSign;
    this.onDrawn = onDrawn;
    for (const [name, order] of Object.entries(PANES)) {
      const pane = map.getPane(name) ?? map.createPane(name);
      pane.style.zIndex = String(order);
      pane.style.pointerEvents = CLICKABLE.has(name) ? "" : "none";
    }
    /** @type {Map<string, Face>} */
    this.faces = new Map();
    /** @type {Map<string, Target>} */
    this.targets = new Map();
    /** @type {Set<string>} */
    this.labelled = new Set();
    const group = () => L.layerGroup().addTo(map);
    this.before = group();
    this.fills = group();
    this.borders = group();
    this.bordersBefore = group();
    this.edges = group();
    this.work = group();
    this.signs = group();
    this.canvas = L.canvas({ pane: "plan-faces", padding: 0.3 });
    this.canvasBefore = L.canvas({ pane: "plan-before", padding: 0.3 });
    this.svg = L.svg({ pane: "plan-work", padding: 0.5 }); // which can hatch
    this.clip = () => this.swipeAt !== null && this.applySwipe();
    /** @type {number | null} */
    this.swipeAt = null;
    this.isQuiet = false;
    map.on("move zoomend resize", this.clip);
  }

  /**
   * Take faces as drafted: fresh ones replace the old, retired ones go.
   *
   * @param {Faces} collection
   * @param {string[]} [retired]
   */
  take(collection, retired = []) {
    for (const key of retired) this.faces.delete(key);
    for (const face of collection.features) {
      const { key } = face.properties;
      const box = boxOf(positionsOf(face.geometry));
      this.faces.set(key, { ...face, box, properties: { ...this.faces.get(key)?.properties, ...face.properties } });
    }
  }

  forget() {
    this.faces.clear();
    this.targets.clear();
  }

  /**
   * Remember the figures of grids as the server told them.
   *
   * @param {GridLoad[]} grids
   */
  takeFigures(grids) {
    for (const { key, now, target, name, code } of grids) {
      if (target) this.targets.set(key, target);
      const face = this.faces.get(key);
      if (face)
        Object.assign(face.properties, {
          households: now?.households ?? face.properties.households,
          ...(name && { name }),
          ...(code && { code }),
        });
    }
  }

  /**
   * The key of the face at a place, or null.
   *
   * @param {{lat: number, lng: number}} place
   */
  keyAt({ lat, lng }) {
    for (const [key, { geometry, box }] of this.faces) {
      if (lng >= box[0] && lng <= box[2] && lat >= box[1] && lat <= box[3] && isInside([lng, lat], geometry))
        return key;
    }
    return null;
  }

  /** @param {Pick<Face, "properties">} face */
  styleOf({ properties }) {
    const target = properties.target ?? this.targets.get(properties.key);
    const place = target ? sizeClass(properties.households, target) : this.classOf(properties.key);
    const colour = place < 0 || this.isQuiet ? token("paper") : colourFor(AROUND_TARGET[place]);
    return { stroke: true, weight: 0.8, color: colour, fillColor: colour, fillOpacity: 1, interactive: false };
  }

  /** Draw faces and the borders between them. */
  draw(isBorders = true) {
    this.fills.clearLayers();
    for (const face of this.faces.values()) {
      L.polygon(shape(face.geometry), { ...this.styleOf(face), renderer: this.canvas, pane: "plan-faces" }).addTo(
        this.fills,
      );
    }
    this.onDrawn();
    if (isBorders) this.drawBorders([...this.faces.values()], this.borders, "plan-lines");
  }

  /**
   * Draw the borders between faces, thicker between those of other villages and towns.
   *
   * @param {Pick<Face, "geometry" | "properties">[]} faces
   * @param {L.LayerGroup} group
   * @param {string} pane
   */
  drawBorders(faces, group, pane) {
    group.clearLayers();
    /** @type {GeoJSON.Feature<Land, {grid_id: number}>[]} */
    const numbered = faces.map(({ geometry }, i) => ({ type: "Feature", geometry, properties: { grid_id: i } }));
    /** @param {number} i */
    const chain = (i) => [...this.chainOf(faces[i].properties.parent).map(Number), -1 - i]; // no grid has such a number
    /** @type {Map<number, L.LatLngTuple[][]>} */
    const byLevel = new Map();
    for (const { level, line } of sharedEdges(numbered, chain)) {
      /** @type {L.LatLngTuple[]} */
      const path = [];
      for (let i = 0; i < line.length; i += 2) {
        const [lon, lat] = unproject(line[i], line[i + 1]);
        path.push([lat, lon]);
      }
      byLevel.set(level, [...(byLevel.get(level) ?? []), path]);
    }
    const base = Math.max(0, ...byLevel.keys());
    for (const [level, paths] of byLevel) {
      L.polyline(paths, {
        pane,
        interactive: false,
        color: token("border"),
        weight: WIDTH[level === base && level > 0 ? 3 : Math.min(level, 2)],
        opacity: 0.8,
      }).addTo(group);
    }
  }

  /**
   * Light up the shared edges of a village: what can be dragged.
   *
   * @param {Edge[]} features
   * @param {Edge | null} [chosen]
   */
  showEdges(features, chosen = null) {
    this.edges.clearLayers();
    for (const feature of features) {
      const isChosen = feature === chosen;
      const style = {
        pane: "plan-work",
        interactive: false,
        color: token("accent"),
        weight: isChosen ? 5 : chosen ? 2 : 3,
        opacity: isChosen ? 1 : chosen ? 0.4 : 0.75,
      };
      L.polyline(lines(feature.geometry), style).addTo(this.edges);
    }
  }

  /**
   * Outline grids that are being worked on.
   *
   * @param {Iterable<string>} keys
   * @param {string} [tone]
   */
  outline(keys, tone = "ink") {
    for (const key of keys) {
      const face = this.faces.get(key);
      if (face)
        L.polygon(shape(face.geometry), {
          pane: "plan-work",
          interactive: false,
          fill: false,
          color: token(tone),
          weight: 2.4,
        }).addTo(this.work);
    }
  }

  /**
   * Lay a region out softly, in the colour of the selection.
   *
   * @param {Land} geometry
   * @param {string} [tone]
   * @param {number} [opacity]
   */
  tint(geometry, tone = "accent", opacity = 0.16) {
    L.polygon(shape(geometry), {
      pane: "plan-work",
      interactive: false,
      stroke: false,
      fillColor: token(tone),
      fillOpacity: opacity,
    }).addTo(this.work);
  }

  /**
   * The line as it was, thin and dashed.
   *
   * @param {Line} geometry
   */
  ghost(geometry) {
    L.polyline(lines(geometry), {
      pane: "plan-work",
      interactive: false,
      color: token("muted"),
      weight: 1.6,
      dashArray: "3 4",
    }).addTo(this.work);
  }

  /**
   * Buildings as dots, larger where they are chosen.
   *
   * @param {{geometry: GeoJSON.Point | Land, properties: {building_id: number}}[]} features
   * @param {Set<number>} chosen
   */
  dots(features, chosen) {
    for (const { geometry, properties } of features) {
      const [lon, lat] = spotOf(geometry);
      const isIn = chosen.has(properties.building_id);
      L.circleMarker([lat, lon], {
        pane: "plan-work",
        interactive: false,
        radius: isIn ? 5 : 3,
        weight: 1.2,
        color: token("surface"),
        fillColor: token(isIn ? "accent" : "muted"),
        fillOpacity: isIn ? 1 : 0.6,
      }).addTo(this.work);
    }
  }

  /**
   * What an edit would do: new faces over the old ones, with households before → now.
   *
   * @param {Change | null} change
   */
  preview(change) {
    this.clearLabels();
    this.work.clearLayers();
    if (!change) return;
    const figures = new Map(change.grids.map((grid) => [grid.key, grid]));
    for (const { geometry, properties } of /** @type {Faces} */ (change.faces).features) {
      const grid = figures.get(properties.key);
      if (!grid) continue;
      const place = sizeClass(grid.now?.households, grid.target);
      L.polygon(shape(geometry), {
        pane: "plan-work",
        interactive: false,
        color: token("ink"),
        weight: 1.6,
        fillColor: place < 0 ? token("paper") : colourFor(AROUND_TARGET[place]),
        fillOpacity: place === 2 ? 0.15 : 0.5,
      }).addTo(this.work);
      this.label(
        geometry,
        grid,
        change.violations.filter((finding) => isOfWhole(finding) && finding.keys[0] === grid.key),
      );
    }
    this.warn(change.violations.filter((finding) => !(isOfWhole(finding) && this.labelled.has(finding.keys[0]))));
    this.onDrawn();
  }

  clearLabels() {
    this.signs.clearLayers();
    this.labelled.clear();
    this.onDrawn();
  }

  /**
   * Name, households before → now, and what is wrong with the grid as a whole.
   *
   * @param {Land} geometry
   * @param {GridLoad} grid
   * @param {Finding[]} [findings]
   */
  label(geometry, { name, key, before, now }, findings = []) {
    this.labelled.add(key);
    const title = /^new-\d+$/.test(name || key) ? p("new_named", { n: key.slice(4) }) : name;
    const [lon, lat] = labelPoint(geometry);
    const was = before?.households;
    const load =
      was === undefined || was === now?.households
        ? p("households_n", { n: number(now?.households ?? 0) })
        : p("households_to", { was: number(was), now: number(now?.households ?? 0) });
    this.sign([lat, lon], "plan-label", [
      h("b", {}, title),
      now?.households !== undefined && h("span", {}, load),
      ...findings.map((finding) =>
        h("small", { class: finding.severity, title: finding.text }, `! ${p(`rule_${finding.rule}`)}`),
      ),
    ]);
  }

  /**
   * All that is wrong: what is said of a grid as a whole stands with its name, the rest where it is.
   *
   * @param {Finding[]} findings
   */
  showFindings(findings) {
    this.clearLabels();
    this.work.clearLayers();
    /** @type {Map<string, Finding[]>} */
    const ofGrid = new Map();
    for (const finding of findings) {
      if (isOfWhole(finding) && this.faces.has(finding.keys[0]))
        ofGrid.set(finding.keys[0], [...(ofGrid.get(finding.keys[0]) ?? []), finding]);
    }
    for (const [key, ofThis] of ofGrid) {
      const { geometry, properties } = /** @type {Face} */ (this.faces.get(key));
      this.label(geometry, { ...properties, now: { households: properties.households } }, ofThis);
    }
    this.outline(ofGrid.keys());
    this.warn(findings.filter((finding) => !(isOfWhole(finding) && ofGrid.has(finding.keys[0]))));
  }

  /**
   * A sign where a rule is not kept.
   *
   * @param {Finding[]} violations
   */
  warn(violations) {
    for (const finding of violations) {
      if (!finding.place) continue;
      const tone = finding.severity === "error" ? "wrong" : "care-fill";
      const positions = positionsOf(finding.place);
      if (!positions.length) continue;
      if (finding.place.type.endsWith("LineString"))
        L.polyline(lines(finding.place), {
          pane: "plan-work",
          interactive: false,
          color: token(tone),
          weight: 3,
        }).addTo(this.work);
      if (finding.place.type.endsWith("Polygon"))
        L.polygon(shape(finding.place), {
          pane: "plan-work",
          interactive: false,
          color: token(tone),
          weight: 1.5,
          fillOpacity: 0.25,
        }).addTo(this.work);
      const box = boxOf(positions);
      const [lat, lon] = [(box[1] + box[3]) / 2, (box[0] + box[2]) / 2];
      this.sign(
        [lat, lon],
        `plan-sign ${finding.severity}`,
        [h("i", { "aria-hidden": "true" }, "!"), h("span", {}, p(`rule_${finding.rule}`))],
        finding,
      );
    }
    this.onDrawn();
  }

  /**
   * Words or a mark on the map; a finding is told at the mouse and can be clicked.
   *
   * @param {L.LatLngTuple} at
   * @param {string} className
   * @param {import("./dom.js").Children} children
   * @param {Finding | null} [finding]
   */
  sign(at, className, children, finding = null) {
    const icon = L.divIcon({ className, iconSize: undefined, html: h("div", {}, children) });
    const marker = L.marker(at, { pane: "plan-signs", interactive: Boolean(finding), keyboard: false, icon }).addTo(
      this.signs,
    );
    if (!finding) return;
    marker.bindTooltip(h("div", {}, finding.text), { className: "tip", direction: "top" });
    marker.on("click", (event) => {
      L.DomEvent.stopPropagation(event);
      this.onSign(finding);
    });
  }

  /** Let what a proposed answer is compared with step back. */
  startAnswer() {
    this.clearLabels();
    this.work.clearLayers();
    this.edges.clearLayers();
    this.isQuiet = true;
    this.draw(false);
  }

  /**
   * A polygon of a proposed answer.
   *
   * @param {Land} geometry
   * @param {L.PolylineOptions} style
   */
  fill(geometry, style) {
    return L.polygon(shape(geometry), { renderer: this.svg, interactive: false, ...style }).addTo(this.work);
  }

  /**
   * New borders of a proposed answer.
   *
   * @param {number[][][]} stretches
   */
  line(stretches) {
    const style = { renderer: this.svg, interactive: false, color: token("accent"), weight: 4 };
    L.polyline(stretches.map(flip), style).addTo(this.work);
  }

  /**
   * The rule of a grid; of one that is new, that of the others.
   *
   * @param {string} key
   */
  targetOf(key) {
    const face = this.faces.get(key) ?? [...this.faces.values()].find(({ properties }) => properties.target);
    return this.targets.get(key) ?? face?.properties.target;
  }

  /**
   * What a version changed: land as it is with its name, borders as they were as dashes, what ended by its old name.
   *
   * @param {{geometry: Land, properties: {what: string, name: string}}[]} features
   * @param {Land[]} before
   */
  showComparison(features, before) {
    this.clearWork();
    for (const {
      geometry,
      properties: { what, name },
    } of features) {
      const isEnded = what === "ended";
      if (!isEnded) {
        this.tint(geometry, "paper", 0.7);
        this.tint(geometry, what === "new" ? "good" : "accent", 0.22);
        L.polygon(shape(geometry), {
          pane: "plan-work",
          interactive: false,
          fill: false,
          color: token("ink"),
          weight: 1.6,
        }).addTo(this.work);
      }
      const [lon, lat] = labelPoint(geometry);
      this.sign([lat, lon], `plan-label ${what}`, [h("b", {}, name), h("small", {}, p(`what_${what}`))]);
    }
    for (const geometry of before)
      L.polygon(shape(geometry), {
        pane: "plan-work",
        interactive: false,
        fill: false,
        color: token("muted"),
        weight: 1.8,
        dashArray: "5 5",
      }).addTo(this.work);
    this.onDrawn();
  }

  /**
   * Draw how the land was divided before: the same faces, with the changed ones as they were.
   *
   * @param {Pick<Face, "geometry" | "properties">[]} faces
   */
  showBefore(faces) {
    this.before.clearLayers();
    for (const face of faces)
      L.polygon(shape(face.geometry), {
        ...this.styleOf(face),
        renderer: this.canvasBefore,
        pane: "plan-before",
      }).addTo(this.before);
    this.drawBorders(faces, this.bordersBefore, "plan-lines-before");
  }

  /**
   * Show the draft right of a share of the screen only; null shows it everywhere.
   *
   * @param {number | null} share
   */
  swipe(share) {
    this.swipeAt = share;
    this.applySwipe();
  }

  applySwipe() {
    const size = this.map.getSize();
    const at = this.swipeAt ?? 0;
    /**
     * @param {number} from
     * @param {number} to
     */
    const cut = (from, to) => {
      const [a, b] = [
        this.map.containerPointToLayerPoint([from, -size.y]),
        this.map.containerPointToLayerPoint([to, size.y * 2]),
      ];
      return `polygon(${a.x}px ${a.y}px, ${b.x}px ${a.y}px, ${b.x}px ${b.y}px, ${a.x}px ${b.y}px)`;
    };
    for (const name of ["plan-faces", "plan-lines", "plan-work", "plan-signs"]) {
      this.paneOf(name).style.clipPath = this.swipeAt === null ? "" : cut(size.x * at, size.x * 2);
    }
    for (const name of ["plan-before", "plan-lines-before"]) {
      this.paneOf(name).style.clipPath = this.swipeAt === null ? "" : cut(-size.x, size.x * at);
    }
  }

  /** @param {string} name */
  paneOf(name) {
    return /** @type {HTMLElement} */ (this.map.getPane(name));
  }

  clearWork() {
    if (this.isQuiet) {
      this.isQuiet = false;
      this.draw(false);
    }
    this.work.clearLayers();
    this.clearLabels();
    this.edges.clearLayers();
  }

  clear() {
    this.swipe(null);
    this.map.off("move zoomend resize", this.clip);
    for (const group of [this.before, this.bordersBefore, this.fills, this.borders, this.edges, this.work, this.signs])
      group.remove();
    this.canvas.remove();
    this.canvasBefore.remove();
    this.svg.remove();
  }
}
