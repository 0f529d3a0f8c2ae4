// The whole county by WebGL: land, streets, buildings, grids and their borders from vector tiles.

import { maplibreGL } from "leaflet-maplibre-gl";
import { get } from "./api.js";
import { token } from "./dom.js";
import { BORDER_FROM, BORDER_WIDTH, ROADS, colours } from "./ground.js";
import { config } from "./texts.js";

const ADAPTER_ZOOM = 1; // tiles of 512 pixels: MapLibre counts one less than Leaflet
const BUILDINGS_FROM = 14;
const START = { version: 8, sources: {}, layers: [] };

/** Widths by class that grow by 1.32 a zoom, as the light layers draw them. */
function roadWidth(extra = 0) {
  const byClass = (scale, least) => [
    "match",
    ["get", "road_class"],
    ...Object.entries(ROADS).flatMap(([name, [width]]) => [name, Math.max(width * scale, least) + extra]),
    least + extra,
  ];
  const stops = [7, 10, 11, 13, 15, 18].flatMap((zoom) => [zoom, byClass(1.32 ** (zoom - 13), zoom < 11 ? 1.1 : 0.7)]);
  return ["interpolate", ["exponential", 1.32], ["zoom"], ...stops];
}

const CASED = Object.keys(ROADS).filter((name) => ROADS[name][2]);
const ROAD_ORDER = ["match", ["get", "road_class"], ...Object.keys(ROADS).flatMap((name, place) => [name, place]), 0];
const isCased = ["in", ["get", "road_class"], ["literal", CASED]];
const isOpen = ["!", ["has", "tunnel"]];

const line = (id, source, part, rest) => ({ id, type: "line", source, "source-layer": part, ...rest });
const fill = (id, source, part, rest) => ({ id, type: "fill", source, "source-layer": part, ...rest });

/** What a border of each level looks like: a scheme with fewer levels ends with the finest. */
const styleOf = (level, ranks) => (level > 0 && level === ranks ? 3 : Math.min(level, 2));

/** One layer for all borders: which levels are drawn at a zoom, how wide and how strong. */
function borderLayer(palette, ranks, isPlan) {
  const levels = Array.from({ length: ranks + 1 }, (_, level) => level);
  const by = (values) => [
    "match",
    ["get", "level"],
    ...levels.flatMap((level) => [level, values[styleOf(level, ranks)]]),
    0,
  ];
  const from = levels.map((level) => (ranks > 1 ? BORDER_FROM[styleOf(level, ranks)] - ADAPTER_ZOOM : 0));
  const wide = (scale) => by(BORDER_WIDTH.map((width) => width * scale));
  return line("borders", "county", "borders", {
    filter: ["<=", ["match", ["get", "level"], ...levels.flatMap((level) => [level, from[level]]), 0], ["zoom"]],
    // A draft brings borders of its own.
    layout: {
      "line-cap": "round",
      "line-join": "round",
      "line-sort-key": ["-", 0, ["get", "level"]],
      visibility: isPlan ? "none" : "visible",
    },
    paint: {
      "line-color": palette.border,
      "line-opacity": by([0.85, 0.8, 0.75, 0.65]),
      "line-width": ["interpolate", ["linear"], ["zoom"], 10, wide(0.8), 11, wide(1), 16, wide(1.76)],
    },
  });
}

/** The layers of the map, bottom first; few, because each costs a pass over every tile. */
function layersFor({ palette, shades, isThemed, isFast, hasFigures, hasBase, hasRoads, hasBuildings, isPlan, ranks }) {
  const shown = (is) => ({ visibility: is ? "visible" : "none" });
  const weak = isThemed ? 0.1 : 1;
  const byKind = (built, green, water) => ["match", ["get", "kind"], "built", built, "green", green, water];
  const classColour = shades.length
    ? [
        "match",
        ["coalesce", ["feature-state", "class"], -1],
        ...shades.flatMap((shade, place) => [place, shade]),
        palette.paper,
      ]
    : palette.paper;
  return [
    fill("fills", "county", "grids", {
      paint: {
        "fill-antialias": false,
        "fill-color": classColour,
        "fill-opacity": hasFigures && !isPlan ? (hasBase ? 0.55 : 1) : 0,
      },
    }),
    fill("land", "ground", "land", {
      layout: { "fill-sort-key": byKind(0, 1, 2), ...shown(!hasBase) },
      paint: {
        "fill-antialias": isFast,
        "fill-color": byKind(palette.built, palette.green, palette.water),
        "fill-opacity": byKind(weak, weak, 0.92),
      },
    }),
    fill("buildings", "ground", "buildings", {
      minzoom: BUILDINGS_FROM,
      layout: shown(hasBuildings && !hasBase),
      paint: {
        "fill-antialias": isFast,
        "fill-color": palette.building,
        "fill-opacity": ["step", ["zoom"], 0.85, 15, 1],
      },
    }),
    line("casing", "ground", "roads", {
      filter: ["all", isOpen, isCased],
      layout: { "line-join": "round", "line-sort-key": ROAD_ORDER, ...shown(hasRoads && !hasBase) },
      paint: { "line-color": palette["road-casing"], "line-width": roadWidth(1.6) },
    }),
    line("lanes", "ground", "roads", {
      filter: ["all", isOpen, ["!", isCased]],
      layout: shown(hasRoads && !hasBase),
      paint: { "line-color": palette["road-minor"], "line-width": roadWidth(), "line-dasharray": [4, 3] },
    }),
    line("roads", "ground", "roads", {
      filter: ["all", isOpen, isCased],
      layout: {
        "line-cap": "round",
        "line-join": "round",
        "line-sort-key": ROAD_ORDER,
        ...shown(hasRoads && !hasBase),
      },
      paint: { "line-color": palette.road, "line-width": roadWidth() },
    }),
    borderLayer(palette, ranks, isPlan),
  ];
}

const address = (description) => description.tiles.map((path) => location.origin + path);

function styleSheet() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = config.late_files["maplibre-gl.css"];
  document.head.append(link);
}

/** The map by WebGL, inside Leaflet's. */
export class Vector {
  static async open(map, { kind, onLost, onError }) {
    const description = get("/api/tiles/ground.json");
    return new Vector(map, await description, { kind, onLost, onError });
  }

  constructor(map, ground, { kind, onLost, onError }) {
    const isFast = kind === "hardware";
    this.isFast = isFast;
    styleSheet();
    this.map = map;
    this.palette = { ...colours(), paper: token("paper") };
    this.shades = [];
    this.figures = null;
    this.isThemed = true;
    this.hasRoads = true;
    this.hasBuildings = true;
    this.hasBase = false;
    this.isPlan = false;
    this.ranks = 3;
    this.layer = maplibreGL({
      style: START,
      pane: "ground",
      interactive: false,
      fadeDuration: 0,
      renderWorldCopies: false,
      validateStyle: false,
      padding: isFast ? 0.1 : 0.02,
      pixelRatio: isFast ? Math.min(devicePixelRatio || 1, 2) : 1,
      canvasContextAttributes: { antialias: isFast },
    }).addTo(map);
    this.gl = this.layer.getMaplibreMap();
    const canvas = this.gl.getCanvas();
    canvas.tabIndex = -1;
    canvas.setAttribute("aria-hidden", "true");
    canvas.addEventListener("webglcontextlost", () => onLost());
    this.gl.on("error", ({ error }) => onError(error));
    this.ground = ground;
    this.loaded = new Promise((resolve) => {
      this.gl.once("load", resolve);
    });
  }

  /** Show the grids of a scheme on the day that its tiles describe. */
  async showGrids(scheme, description) {
    await this.loaded;
    this.ranks = scheme.levels.length;
    const county = this.gl.getSource("county");
    if (county) {
      this.gl.removeFeatureState({ source: "county", sourceLayer: "grids" });
      county.setTiles(address(description));
    } else {
      const source = (of) => ({
        type: "vector",
        tiles: address(of),
        minzoom: of.minzoom,
        maxzoom: of.maxzoom,
        ...(of.bounds ? { bounds: of.bounds } : {}),
      });
      this.gl.addSource("ground", source(this.ground));
      this.gl.addSource("county", source(description));
    }
    this.apply();
    this.paint();
  }

  /** Read the ground again, if it has changed. */
  async readGround() {
    this.ground = await get("/api/tiles/ground.json");
    this.gl.getSource("ground")?.setTiles(address(this.ground));
  }

  /** Bring the drawn layers to what is wanted; what did not change costs nothing. */
  apply() {
    if (!this.gl.getSource("county")) return;
    const wanted = layersFor({ ...this, hasFigures: Boolean(this.figures) });
    for (const layer of wanted) {
      if (!this.gl.getLayer(layer.id)) {
        this.gl.addLayer(layer);
        continue;
      }
      if (layer.filter) this.gl.setFilter(layer.id, layer.filter);
      for (const [name, value] of Object.entries(layer.paint)) this.gl.setPaintProperty(layer.id, name, value);
      for (const [name, value] of Object.entries(layer.layout ?? {})) this.gl.setLayoutProperty(layer.id, name, value);
    }
    const names = new Set(wanted.map((layer) => layer.id));
    for (const id of this.gl.getLayersOrder()) if (!names.has(id)) this.gl.removeLayer(id);
  }

  /** Colour the grids by the classes of the figures. */
  showFigures(figures, shades) {
    this.figures = figures;
    this.shades = shades;
    this.apply();
    this.paint();
  }

  paint() {
    if (!this.figures || !this.gl.getSource("county")) return;
    for (const [id, place] of Object.entries(this.figures.class_of)) {
      this.gl.setFeatureState({ source: "county", sourceLayer: "grids", id: Number(id) }, { class: place ?? -1 });
    }
  }

  set(changes) {
    Object.assign(this, changes);
    this.apply();
  }

  /** Take the colours again, after the surroundings went dark or light. */
  recolour() {
    this.palette = { ...colours(), paper: token("paper") };
    this.apply();
  }

  /** The id of the base grid that is drawn at a place, or null. */
  gridAt({ lat, lng }) {
    if (!this.gl.getLayer("fills")) return null;
    const found = this.gl.queryRenderedFeatures(this.gl.project([lng, lat]), { layers: ["fills"] });
    return found[0]?.id ?? null;
  }

  /** Resolve once everything in view is drawn. */
  drawn() {
    return new Promise((resolve) => {
      const look = () => {
        if (this.gl.areTilesLoaded()) resolve();
        else this.gl.once("render", look);
      };
      this.gl.once("render", look);
      this.gl.triggerRepaint();
    });
  }

  remove() {
    this.layer.remove();
  }
}
