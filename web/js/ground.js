// The quiet background from the county's own data: land, streets, buildings, borders, on canvas.

import { get, isStale } from "./api.js";
import { token } from "./dom.js";
import { prepare, touch, unproject } from "./projection.js";

const TILE = 512;
const WHOLE_COUNTY_BELOW = 12;
const BUILDINGS_FROM = 15;
const CELLS_KEPT = 160;

// Width in pixels at zoom 14, the zoom a class appears at, and whether it is drawn with a casing.
export const ROADS = {
  ferry: [1.4, 11, false],
  path: [0.8, 15, false],
  footway: [0.8, 15, false],
  cycleway: [0.8, 15, false],
  steps: [0.8, 16, false],
  track: [0.9, 14, false],
  pedestrian: [1.4, 15, true],
  service: [1.3, 15, true],
  living_street: [1.8, 14, true],
  residential: [2, 13, true],
  unclassified: [2.2, 13, true],
  tertiary: [3, 12, true],
  secondary: [4.2, 8, true],
  primary: [5.2, 8, true],
  trunk: [6, 8, true],
  motorway: [6.4, 8, true],
};
const ROAD_ORDER = Object.keys(ROADS);

const roadWidth = (roadClass, zoom) => Math.max(ROADS[roadClass][0] * 1.32 ** (zoom - 14), zoom < 12 ? 1.1 : 0.7);

// First zoom and width at zoom 12 of a border, by level: county, town, village, base.
export const BORDER_FROM = [8, 8, 11, 13];
export const BORDER_WIDTH = [2.2, 1.7, 1.1, 0.7];

function trace(context, lines, scale, left, top) {
  for (const line of lines) {
    context.moveTo(line[0] * scale - left, line[1] * scale - top);
    for (let i = 2; i < line.length; i += 2) {
      context.lineTo(line[i] * scale - left, line[i + 1] * scale - top);
    }
  }
}

/** Colours of the ground, read from page.css for light or dark surroundings. */
export const colours = () =>
  Object.fromEntries(
    ["water", "green", "built", "building", "road", "road-casing", "road-minor", "ink", "border"].map((name) => [
      name,
      token(name),
    ]),
  );

/** A layer of canvas tiles, with what it draws kept in fixed cells. */
export class Ground {
  constructor(map, onError) {
    this.map = map;
    this.onError = onError;
    this.land = [];
    this.edges = [];
    this.cells = new Map();
    this.tiles = new Set();
    this.ranks = 3;
    this.isThemed = true;
    this.hasRoads = true;
    this.hasBuildings = true;
    this.hasBase = false;
    this.isPlan = false;
    this.palette = colours();
    const ground = this;
    const Tiles = L.GridLayer.extend({
      createTile(coordinates) {
        const ratio = Math.min(devicePixelRatio || 1, 2);
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = TILE * ratio;
        canvas.ratio = ratio;
        canvas.place = { ...coordinates, x: coordinates.x, y: coordinates.y, z: coordinates.z };
        ground.tiles.add(canvas);
        ground.draw(canvas);
        return canvas;
      },
    });
    this.layer = new Tiles({
      tileSize: TILE,
      pane: "ground",
      updateWhenZooming: false,
      keepBuffer: 1,
      minZoom: 1,
      maxZoom: 19,
    });
    this.layer.on("tileunload", ({ tile }) => {
      this.tiles.delete(tile);
      this.dropStale();
    });
    this.layer.addTo(map);
  }

  async loadLand() {
    this.land = prepare(await get("/api/layers/land"));
    this.redraw();
  }

  /** Take the shared edges of the grids. */
  setEdges(edges, ranks) {
    this.edges = edges.map((edge) => {
      const box = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = 0; i < edge.line.length; i += 2) {
        box[0] = Math.min(box[0], edge.line[i]);
        box[1] = Math.min(box[1], edge.line[i + 1]);
        box[2] = Math.max(box[2], edge.line[i]);
        box[3] = Math.max(box[3], edge.line[i + 1]);
      }
      return { ...edge, box };
    });
    this.ranks = ranks;
    this.redraw();
  }

  set(changes) {
    Object.assign(this, changes);
    this.redraw();
  }

  /** Take the colours again, after the surroundings went dark or light. */
  recolour() {
    this.palette = colours();
    this.redraw();
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.tiles.forEach((tile) => this.draw(tile)));
  }

  /** Ask anew for one kind of what is drawn. */
  forget(kind) {
    for (const id of [...this.cells.keys()]) if (id.startsWith(`${kind}/`)) this.cells.delete(id);
    this.redraw();
  }

  roadCell({ x, y, z }) {
    if (z < WHOLE_COUNTY_BELOW) return ["roads", "county", null, { zoom: 11 }];
    const zoom = Math.min(z, 16);
    const shift = z - zoom + 1;
    return ["roads", `${zoom}`, [x >> shift, y >> shift, zoom - 1], { zoom }];
  }

  buildingCell({ x, y, z }) {
    const shift = z - BUILDINGS_FROM;
    return ["buildings", "15", [x >> shift, y >> shift, BUILDINGS_FROM], { zoom: BUILDINGS_FROM }];
  }

  /** The features of a cell, or none yet; a cell not seen before is asked for. */
  cell([kind, name, place, parameters], tile) {
    const id = place ? `${kind}/${name}/${place[0]}/${place[1]}` : `${kind}/${name}`;
    let cell = this.cells.get(id);
    if (cell) {
      cell.tiles.add(tile);
      this.cells.delete(id);
      this.cells.set(id, cell);
      return cell.features;
    }
    cell = { features: [], tiles: new Set([tile]), abort: new AbortController(), done: false };
    this.cells.set(id, cell);
    const query = { ...parameters, bbox: place ? cellBox(...place) : undefined };
    get(`/api/layers/${kind}`, query, cell.abort.signal)
      .then((collection) => {
        cell.features = prepare(collection);
        cell.done = true;
        cell.tiles.forEach((waiting) => this.tiles.has(waiting) && this.draw(waiting));
      })
      .catch((error) => {
        this.cells.delete(id);
        if (!isStale(error)) this.onError(error);
      });
    return cell.features;
  }

  /** Stop asking for what no tile waits for, and forget the oldest cells. */
  dropStale() {
    for (const [id, cell] of this.cells) {
      for (const tile of cell.tiles) if (!this.tiles.has(tile)) cell.tiles.delete(tile);
      if (cell.tiles.size) continue;
      if (!cell.done) cell.abort.abort();
      if (!cell.done || this.cells.size > CELLS_KEPT) this.cells.delete(id);
    }
  }

  draw(tile) {
    const { x, y, z } = tile.place;
    const scale = 256 * 2 ** z;
    const left = x * TILE;
    const top = y * TILE;
    const margin = 16 / scale;
    const view = [
      left / scale - margin,
      top / scale - margin,
      (left + TILE) / scale + margin,
      (top + TILE) / scale + margin,
    ];
    const context = tile.getContext("2d");
    context.setTransform(tile.ratio, 0, 0, tile.ratio, 0, 0);
    context.clearRect(0, 0, TILE, TILE);
    context.lineJoin = "round";
    const seen = (features) => features.filter((feature) => touch(feature.box, view));
    const paint = { context, scale, left, top, zoom: z };
    if (!this.hasBase) this.drawGround(paint, seen, tile);
    // A draft brings borders of its own.
    if (!this.isPlan) this.drawBorders(paint, seen(this.edges));
  }

  drawGround(paint, seen, tile) {
    const { z } = tile.place;
    this.drawLand(paint, seen(this.land));
    if (this.hasBuildings && z >= BUILDINGS_FROM) {
      this.drawBuildings(paint, seen(this.cell(this.buildingCell(tile.place), tile)));
    }
    if (this.hasRoads) this.drawRoads(paint, seen(this.cell(this.roadCell(tile.place), tile)));
  }

  drawLand({ context, scale, left, top }, features) {
    const strength = { built: this.isThemed ? 0.1 : 1, green: this.isThemed ? 0.1 : 1, water: 0.92 };
    for (const kind of ["built", "green", "water"]) {
      context.beginPath();
      for (const feature of features) {
        if (feature.properties.kind === kind) trace(context, feature.lines, scale, left, top);
      }
      context.globalAlpha = strength[kind];
      context.fillStyle = this.palette[kind];
      context.fill("evenodd");
    }
    context.globalAlpha = 1;
  }

  drawBuildings({ context, scale, left, top, zoom }, features) {
    context.beginPath();
    for (const feature of features) trace(context, feature.lines, scale, left, top);
    context.fillStyle = this.palette.building;
    context.globalAlpha = zoom < 16 ? 0.85 : 1;
    context.fill();
    context.globalAlpha = 1;
  }

  drawRoads({ context, scale, left, top, zoom }, features) {
    const byClass = new Map();
    for (const feature of features) {
      const roadClass = feature.properties.road_class;
      if (!(roadClass in ROADS) || zoom < ROADS[roadClass][1] || feature.properties.tunnel) continue;
      if (!byClass.has(roadClass)) byClass.set(roadClass, []);
      byClass.get(roadClass).push(feature);
    }
    const order = ROAD_ORDER.filter((roadClass) => byClass.has(roadClass));
    const stroke = (roadClass, width, colour, cap) => {
      context.beginPath();
      for (const feature of byClass.get(roadClass)) trace(context, feature.lines, scale, left, top);
      context.lineCap = cap;
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke();
    };
    for (const roadClass of order) {
      const width = roadWidth(roadClass, zoom);
      if (ROADS[roadClass][2] && width >= 1) {
        stroke(roadClass, width + (zoom < 12 ? 1.2 : 1.8), this.palette["road-casing"], "butt");
      }
    }
    for (const roadClass of order) {
      const isPlain = !ROADS[roadClass][2];
      if (isPlain) context.setLineDash([4, 3]);
      stroke(
        roadClass,
        roadWidth(roadClass, zoom),
        isPlain ? this.palette["road-minor"] : this.palette.road,
        isPlain ? "butt" : "round",
      );
      context.setLineDash([]);
    }
  }

  drawBorders({ context, scale, left, top, zoom }, edges) {
    const lowest = this.ranks;
    for (let level = lowest; level >= 0; level--) {
      // A scheme with fewer levels uses the finest style for its lowest one.
      const style = level > 0 && level === lowest ? 3 : Math.min(level, 2);
      if (zoom < BORDER_FROM[style] && lowest > 1) continue;
      context.beginPath();
      for (const edge of edges) {
        if (edge.level === level) trace(context, [edge.line], scale, left, top);
      }
      context.lineCap = "round";
      context.lineWidth = BORDER_WIDTH[style] * (zoom < 12 ? 0.8 : Math.min(1.12 ** (zoom - 12), 1.9));
      context.strokeStyle = this.palette.border;
      context.globalAlpha = [0.85, 0.8, 0.75, 0.65][style];
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

function cellBox(x, y, zoom) {
  const size = 2 ** (zoom - 1);
  const edge = 0.01;
  const [west, north] = unproject((x - edge) / size, (y - edge) / size);
  const [east, south] = unproject((x + 1 + edge) / size, (y + 1 + edge) / size);
  return [west, south, east, north].map((degrees) => degrees.toFixed(6)).join(",");
}
