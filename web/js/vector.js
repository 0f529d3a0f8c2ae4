// The whole county by WebGL: land, streets, buildings, grids and their borders from vector tiles.

import { get } from "./api.js";
import { token } from "./dom.js";
import { BORDER_FROM, BORDER_WIDTH, ROADS, colours } from "./ground.js";

const ADAPTER_ZOOM = 1; // tiles of 512 pixels: MapLibre counts one less than Leaflet
const BUILDINGS_FROM = 14;
const START = { version: 8, sources: {}, layers: [] };

/** Widths by class that grow by 1.32 a zoom, as the light layers draw them. */
function roadWidth(extra = 0) {
  const byClass = (scale, least) => [
    "match", ["get", "road_class"],
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

/** The layers of the map, bottom first. */
function layersFor({ palette, shades, isThemed, hasFigures, hasRoads, hasBuildings, ranks }) {
  const shown = (is) => ({ visibility: is ? "visible" : "none" });
  const land = (kind, opacity) => fill(kind, "ground", "land", { filter: ["==", ["get", "kind"], kind], paint: { "fill-color": palette[kind], "fill-opacity": opacity } });
  const weak = isThemed ? 0.1 : 1;
  const classColour = shades.length
    ? ["match", ["coalesce", ["feature-state", "class"], -1], ...shades.flatMap((shade, place) => [place, shade]), palette.paper]
    : palette.paper;
  const borders = [];
  for (let level = ranks; level >= 0; level--) {
    const style = level > 0 && level === ranks ? 3 : Math.min(level, 2);
    const width = BORDER_WIDTH[style];
    borders.push(line(`border-${level}`, "county", "borders", {
      filter: ["==", ["get", "level"], level],
      minzoom: ranks > 1 ? BORDER_FROM[style] - ADAPTER_ZOOM : 0,
      layout: { "line-cap": "round", "line-join": "round" },
      paint: {
        "line-color": palette.border,
        "line-opacity": [0.85, 0.8, 0.75, 0.65][style],
        "line-width": ["interpolate", ["linear"], ["zoom"], 10, width * 0.8, 11, width, 16, width * 1.76],
      },
    }));
  }
  return [
    fill("fills", "county", "grids", { paint: { "fill-antialias": false, "fill-color": classColour, "fill-opacity": hasFigures ? 1 : 0 } }),
    land("built", weak), land("green", weak), land("water", 0.92),
    fill("buildings", "ground", "buildings", { minzoom: BUILDINGS_FROM, layout: shown(hasBuildings), paint: { "fill-color": palette.building, "fill-opacity": ["step", ["zoom"], 0.85, 15, 1] } }),
    line("casing", "ground", "roads", {
      filter: ["all", isOpen, isCased],
      layout: { "line-join": "round", "line-sort-key": ROAD_ORDER, ...shown(hasRoads) },
      paint: { "line-color": palette["road-casing"], "line-width": roadWidth(1.6) },
    }),
    line("lanes", "ground", "roads", {
      filter: ["all", isOpen, ["!", isCased]],
      layout: shown(hasRoads),
      paint: { "line-color": palette["road-minor"], "line-width": roadWidth(), "line-dasharray": [4, 3] },
    }),
    line("roads", "ground", "roads", {
      filter: ["all", isOpen, isCased],
      layout: { "line-cap": "round", "line-join": "round", "line-sort-key": ROAD_ORDER, ...shown(hasRoads) },
      paint: { "line-color": palette.road, "line-width": roadWidth() },
    }),
    ...borders,
  ];
}

/** Whether this browser draws by WebGL 2. */
export function canDraw() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

const address = (description) => description.tiles.map((path) => location.origin + path);

function styleSheet() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = import.meta.resolve("maplibre-gl.css");
  document.head.append(link);
}

/** The map by WebGL, inside Leaflet's. */
export class Vector {
  static async open(map, { onLost, onError }) {
    styleSheet();
    const [{ maplibreGL }, ground] = await Promise.all([import("leaflet-maplibre-gl"), get("/api/tiles/ground.json")]);
    return new Vector(map, maplibreGL, ground, { onLost, onError });
  }

  constructor(map, maplibreGL, ground, { onLost, onError }) {
    this.map = map;
    this.palette = { ...colours(), paper: token("paper") };
    this.shades = [];
    this.figures = null;
    this.isThemed = true;
    this.hasRoads = true;
    this.hasBuildings = true;
    this.ranks = 3;
    this.layer = maplibreGL({
      style: START,
      pane: "ground",
      interactive: false,
      fadeDuration: 0,
      renderWorldCopies: false,
      validateStyle: false,
      padding: 0.08,
      pixelRatio: Math.min(devicePixelRatio || 1, 2),
      canvasContextAttributes: { antialias: true },
    }).addTo(map);
    this.gl = this.layer.getMaplibreMap();
    const canvas = this.gl.getCanvas();
    canvas.tabIndex = -1;
    canvas.setAttribute("aria-hidden", "true");
    canvas.addEventListener("webglcontextlost", () => onLost());
    this.gl.on("error", ({ error }) => onError(error));
    this.ground = ground;
    this.loaded = new Promise((resolve) => this.gl.once("load", resolve));
  }

  /** Show the grids of a scheme on a day. */
  async showGrids(scheme, at) {
    const rank = Math.max(...scheme.levels.map((level) => level.rank));
    const description = await get("/api/tiles/county.json", { scheme: scheme.code, rank, at });
    await this.loaded;
    this.ranks = scheme.levels.length;
    const county = this.gl.getSource("county");
    if (county) {
      this.gl.removeFeatureState({ source: "county", sourceLayer: "grids" });
      county.setTiles(address(description));
    } else {
      const source = (of) => ({ type: "vector", tiles: address(of), minzoom: of.minzoom, maxzoom: of.maxzoom, ...(of.bounds ? { bounds: of.bounds } : {}) });
      this.gl.addSource("ground", source(this.ground));
      this.gl.addSource("county", source(description));
    }
    this.apply();
    this.paint();
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
      const look = () => (this.gl.areTilesLoaded() ? resolve() : this.gl.once("render", look));
      this.gl.once("render", look);
      this.gl.triggerRepaint();
    });
  }

  remove() {
    this.layer.remove();
  }
}
