// The map's ground on canvas, where nothing draws WebGL: the same tiles and the same style as MapLibre's.

import { isStale } from "./api.js";
import { evaluate } from "./expression.js";
import { groundColours, layersFor } from "./style.js";
import { fetchTile, isInside } from "./tiles.js";

/** @import { Box, Figures } from "../types/page.js" */
/** @import { StyleLayer } from "./style.js" */
/** @import { Feature, Part } from "./tiles.js" */
/** @typedef {{tiles: string[], maxzoom: number, bounds?: number[] | null}} Description */
/** @typedef {{x: number, y: number, z: number}} Place of a tile */
/** @typedef {HTMLCanvasElement & {ratio: number, place: Place}} Canvas */
/** @typedef {{parts: Record<string, Part>, waiting: Set<Canvas>, abort: AbortController, isThere: boolean}} Kept */
/** @typedef {"ground" | "county"} Source */

const TILE = 512;
const KEPT = 96;
const MARGIN = 16; // pixels by which what is drawn may reach over its own box

export class Light {
  /**
   * @param {L.Map} map
   * @param {{ground: Description, onError: (error: Error) => void, onDrawn: () => void}} parts
   */
  constructor(map, { ground, onError, onDrawn }) {
    this.map = map;
    this.onError = onError;
    this.onDrawn = onDrawn;
    /** @type {Partial<Record<Source, Description>>} */
    this.sources = { ground };
    /** @type {Map<string, Kept>} */
    this.kept = new Map();
    /** @type {Set<Canvas>} */
    this.canvases = new Set();
    /** @type {(() => void)[]} */
    this.whenDrawn = [];
    /** @type {Figures | null} */
    this.figures = null;
    this.frame = 0;
    this.look = {
      palette: groundColours(),
      /** @type {string[]} */
      shades: [],
      isThemed: true,
      isFast: true,
      hasFigures: false,
      hasBase: false,
      hasRoads: true,
      hasBuildings: true,
      isPlan: false,
      ranks: 3,
    };
    const light = this;
    const Tiles = L.GridLayer.extend({
      createTile(/** @type {Place} */ { x, y, z }) {
        const canvas = /** @type {Canvas} */ (document.createElement("canvas"));
        // Between two whole zooms tiles are drawn larger than they are.
        const ratio = Math.min(devicePixelRatio || 1, 2) * Math.max(map.getZoomScale(map.getZoom(), z), 1);
        canvas.ratio = Math.ceil(TILE * ratio) / TILE;
        canvas.width = canvas.height = TILE * canvas.ratio;
        canvas.place = { x, y, z: z - 1 }; // tiles of 512 pixels: one zoom less than Leaflet's
        light.canvases.add(canvas);
        light.draw(canvas);
        return canvas;
      },
    });
    this.layer = new /** @type {any} */ (Tiles)({
      tileSize: TILE,
      pane: "ground",
      updateWhenZooming: false,
      keepBuffer: 1,
      minZoom: 1,
      maxZoom: 19,
    });
    this.layer.on("tileunload", (/** @type {{tile: Canvas}} */ { tile }) => {
      this.canvases.delete(tile);
      this.dropStale();
    });
    this.layer.addTo(map);
  }

  /**
   * Show the grids of a scheme on the day that its tiles describe.
   *
   * @param {{levels: object[]}} scheme
   * @param {Description} description
   */
  async showGrids(scheme, description) {
    this.sources.county = description;
    this.look.ranks = scheme.levels.length;
    this.redraw();
  }

  /** @param {Description} ground as it is now */
  readGround(ground) {
    this.sources.ground = ground;
    this.redraw();
  }

  /**
   * @param {Figures | null} figures
   * @param {string[]} shades
   */
  showFigures(figures, shades) {
    this.figures = figures;
    Object.assign(this.look, { shades, hasFigures: Boolean(figures) });
    this.redraw();
  }

  /** @param {object} changes */
  set(changes) {
    Object.assign(this.look, changes);
    this.redraw();
  }

  /** Take the colours again, after the surroundings went dark or light. */
  recolour() {
    this.set({ palette: groundColours() });
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.canvases.forEach((canvas) => this.draw(canvas));
      this.tellDrawn();
    });
  }

  /** Resolve once all that is in view is drawn. */
  drawn() {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      this.whenDrawn.push(resolve);
      this.tellDrawn();
    });
  }

  tellDrawn() {
    if (this.frame || ![...this.kept.values()].every(({ isThere }) => isThere)) return;
    this.onDrawn();
    this.whenDrawn.splice(0).forEach((resolve) => resolve());
  }

  remove() {
    for (const { abort } of this.kept.values()) abort.abort();
    this.layer.remove();
  }

  // --- tiles --------------------------------------------------------------------------------------

  /**
   * The tile of a source that holds a place, and how many times larger it is drawn.
   *
   * @param {Description} source
   * @param {Place} place
   */
  tileOf(source, { x, y, z }) {
    const shift = Math.max(z - source.maxzoom, 0);
    return { place: { x: x >> shift, y: y >> shift, z: z - shift }, factor: 2 ** shift };
  }

  /**
   * What a tile of a source holds, or nothing yet; one not seen before is fetched.
   *
   * @param {Source} name
   * @param {Place} place of the canvas
   * @param {Canvas} [canvas] that waits for it
   */
  partsOf(name, place, canvas) {
    const source = this.sources[name];
    if (!source) return null;
    const { x, y, z } = this.tileOf(source, place).place;
    const side = 2 ** z;
    if (x < 0 || y < 0 || x >= side || y >= side) return null;
    const address = source.tiles[0].replace("{z}", String(z)).replace("{x}", String(x)).replace("{y}", String(y));
    let kept = this.kept.get(address);
    if (kept) {
      if (canvas) kept.waiting.add(canvas);
      this.kept.delete(address); // the last asked for stands last
      this.kept.set(address, kept);
      return kept.parts;
    }
    if (!canvas) return null;
    kept = { parts: {}, waiting: new Set([canvas]), abort: new AbortController(), isThere: false };
    this.kept.set(address, kept);
    this.fetch(address, kept);
    return kept.parts;
  }

  /**
   * @param {string} address
   * @param {Kept} kept
   */
  async fetch(address, kept) {
    try {
      kept.parts = await fetchTile(address, kept.abort.signal);
      kept.isThere = true;
      for (const canvas of kept.waiting) if (this.canvases.has(canvas)) this.draw(canvas);
    } catch (error) {
      this.kept.delete(address);
      if (!isStale(error)) this.onError(error);
    }
    this.tellDrawn();
  }

  /** Stop fetching what no canvas waits for, and forget the oldest tiles. */
  dropStale() {
    for (const [address, kept] of this.kept) {
      for (const canvas of kept.waiting) if (!this.canvases.has(canvas)) kept.waiting.delete(canvas);
      if (kept.waiting.size) continue;
      if (!kept.isThere) kept.abort.abort();
      if (!kept.isThere || this.kept.size > KEPT) this.kept.delete(address);
    }
    this.tellDrawn();
  }

  /**
   * The id of the base grid that is drawn at a place, or null.
   *
   * @param {L.LatLng} latlng
   */
  gridAt(latlng) {
    const source = this.sources.county;
    if (!source) return null;
    const zoom = Math.round(this.map.getZoom());
    const { x, y } = this.map.project(latlng, zoom).divideBy(TILE);
    const place = { x: Math.floor(x), y: Math.floor(y), z: zoom - 1 };
    const grids = this.partsOf("county", place)?.grids;
    if (!grids) return null;
    const { place: tile, factor } = this.tileOf(source, place);
    const [px, py] = [(x / factor - tile.x) * grids.extent, (y / factor - tile.y) * grids.extent];
    return grids.features.find((feature) => isInside(feature, px, py))?.id ?? null;
  }

  /**
   * The streets with a name that are drawn now, in pieces.
   *
   * @returns {import("./street_names.js").Street[]}
   */
  streets() {
    const source = this.sources.ground;
    if (!source || !this.look.hasRoads || this.look.hasBase) return [];
    const zoom = this.map.getZoom();
    const { min } = this.map.getPixelBounds();
    if (!min) return [];
    /** @type {Map<string, import("./street_names.js").Street[]>} */
    const byTile = new Map();
    for (const canvas of this.canvases) {
      const { x, y, z } = this.tileOf(source, canvas.place).place;
      const key = `${z} ${x} ${y}`;
      const roads = this.partsOf("ground", canvas.place)?.roads;
      if (!roads || canvas.place.z !== Math.round(zoom) - 1 || byTile.has(key)) continue;
      const side = TILE * 2 ** (zoom - 1 - z);
      const scale = side / roads.extent;
      const pixels = (/** @type {number[]} */ line) =>
        Array.from({ length: line.length / 2 }, (_, i) => ({
          x: x * side + line[2 * i] * scale - min.x,
          y: y * side + line[2 * i + 1] * scale - min.y,
        }));
      const named = roads.features.filter(({ properties }) => properties.name);
      byTile.set(
        key,
        named.flatMap(({ lines, properties: { name, road_class } }) =>
          lines.map((line) => ({ name: String(name), road_class: String(road_class), points: pixels(line) })),
        ),
      );
    }
    return [...byTile.values()].flat();
  }

  // --- drawing ------------------------------------------------------------------------------------

  /** @param {Canvas} canvas */
  draw(canvas) {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.setTransform(canvas.ratio, 0, 0, canvas.ratio, 0, 0);
    context.clearRect(0, 0, TILE, TILE);
    for (const layer of layersFor(this.look)) {
      const parts = this.partsOf(layer.source, canvas.place, canvas);
      const part = parts?.[layer["source-layer"]];
      if (!part || layer.layout?.visibility === "none" || canvas.place.z < (layer.minzoom ?? 0)) continue;
      this.drawLayer(context, layer, part, canvas.place);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {StyleLayer} layer
   * @param {Part} part
   * @param {Place} place
   */
  drawLayer(context, layer, part, place) {
    const source = this.sources[layer.source];
    if (!source) return;
    const { place: tile, factor } = this.tileOf(source, place);
    const scale = (TILE * factor) / part.extent;
    const [left, top] = [(place.x - tile.x * factor) * TILE, (place.y - tile.y * factor) * TILE];
    /** @type {Box} */
    const view = [
      (left - MARGIN) / scale,
      (top - MARGIN) / scale,
      (left + TILE + MARGIN) / scale,
      (top + TILE + MARGIN) / scale,
    ];
    for (const [look, features] of this.groups(layer, part, place.z, view)) {
      context.beginPath();
      for (const { lines } of features) {
        for (const points of lines) {
          context.moveTo(points[0] * scale - left, points[1] * scale - top);
          for (let i = 2; i < points.length; i += 2)
            context.lineTo(points[i] * scale - left, points[i + 1] * scale - top);
          if (layer.type === "fill") context.closePath();
        }
      }
      paint(context, layer, JSON.parse(look));
    }
  }

  /**
   * Features of a layer that are in view, those that look the same together, in the order of their sort key.
   *
   * @param {StyleLayer} layer
   * @param {Part} part
   * @param {number} zoom
   * @param {Box} view
   * @returns {Map<string, Feature[]>}
   */
  groups({ type, source, filter, layout = {}, paint: values }, part, zoom, view) {
    /** @type {{order: number, look: string, feature: Feature}[]} */
    const seen = [];
    for (const feature of part.features) {
      const { box, id, properties } = feature;
      if (box[0] > view[2] || box[1] > view[3] || box[2] < view[0] || box[3] < view[1]) continue;
      const state = source === "county" && id !== undefined ? { class: this.figures?.class_of[id] ?? null } : {};
      const given = { zoom, properties, state };
      if (filter && !evaluate(filter, given)) continue;
      const look = [`${type}-color`, `${type}-opacity`, `${type}-width`].map((name) => evaluate(values[name], given));
      seen.push({ order: evaluate(layout[`${type}-sort-key`], given) ?? 0, look: JSON.stringify(look), feature });
    }
    seen.sort((a, b) => a.order - b.order);
    /** @type {Map<string, Feature[]>} */
    const groups = new Map();
    for (const { look, feature } of seen) {
      const group = groups.get(look);
      if (group) group.push(feature);
      else groups.set(look, [feature]);
    }
    return groups;
  }
}

/**
 * Paint the path as a layer says.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {StyleLayer} layer
 * @param {[colour: string, opacity: number | undefined, width: number]} look
 */
function paint(context, { type, layout = {}, paint: values }, [colour, opacity, width]) {
  context.globalAlpha = opacity ?? 1;
  if (context.globalAlpha === 0) return;
  if (type === "fill") {
    context.fillStyle = colour;
    context.fill("evenodd");
    if (values["fill-antialias"] === false) {
      // A stroke of the same colour closes the hairline that canvas leaves between neighbours.
      context.lineWidth = 0.8;
      context.strokeStyle = colour;
      context.stroke();
    }
  } else {
    context.lineCap = layout["line-cap"] ?? "butt";
    context.lineJoin = layout["line-join"] ?? "miter";
    context.setLineDash((values["line-dasharray"] ?? []).map((/** @type {number} */ part) => part * width));
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
    context.setLineDash([]);
  }
  context.globalAlpha = 1;
}
