// The map's ground by WebGL: MapLibre inside Leaflet's map, with the style of style.js.

import { maplibreGL } from "leaflet-maplibre-gl";
import { groundColours, layersFor } from "./style.js";
import { config } from "./texts.js";

/** @import { Figures } from "../types/page.js" */
/** @typedef {{tiles: string[], minzoom: number, maxzoom: number, bounds?: number[] | null}} Description */

/** @type {any} */
const START = { version: 8, sources: {}, layers: [] };

/** @param {Description} description */
const address = (description) => description.tiles.map((path) => location.origin + path);

function styleSheet() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = config.late_files["maplibre-gl.css"];
  document.head.append(link);
}

/** The map by WebGL, inside Leaflet's. */
export class Vector {
  /**
   * @param {L.Map} map
   * @param {{kind: string, ground: Description, onLost: () => void, onError: (error: Error) => void, onDrawn: () => void}} parts
   */
  constructor(map, { kind, ground, onLost, onError, onDrawn }) {
    this.map = map;
    const isFast = kind === "hardware";
    styleSheet();
    /** @type {Figures | null} */
    this.figures = null;
    this.look = {
      palette: groundColours(),
      /** @type {string[]} */
      shades: [],
      isThemed: true,
      isFast,
      hasFigures: false,
      hasBase: false,
      hasRoads: true,
      hasBuildings: true,
      isPlan: false,
      ranks: 3,
    };
    this.layer = /** @type {any} */ (maplibreGL)({
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
    this.gl.on("error", (/** @type {{error: Error}} */ { error }) => onError(error));
    this.gl.on("idle", onDrawn);
    this.ground = ground;
    this.loaded = new Promise((resolve) => {
      this.gl.once("load", resolve);
    });
  }

  /**
   * Show the grids of a scheme on the day that its tiles describe.
   *
   * @param {{levels: object[]}} scheme
   * @param {Description} description
   */
  async showGrids(scheme, description) {
    await this.loaded;
    this.look.ranks = scheme.levels.length;
    const county = this.gl.getSource("county");
    if (county) {
      this.gl.removeFeatureState({ source: "county", sourceLayer: "grids" });
      county.setTiles(address(description));
    } else {
      const source = (/** @type {Description} */ of) => ({
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

  /** @param {Description} ground as it is now */
  readGround(ground) {
    this.ground = ground;
    this.gl.getSource("ground")?.setTiles(address(ground));
  }

  /** Bring the drawn layers to what is wanted; what did not change costs nothing. */
  apply() {
    if (!this.gl.getSource("county")) return;
    const wanted = layersFor(this.look);
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

  /**
   * Colour the grids by the classes of the figures.
   *
   * @param {Figures | null} figures
   * @param {string[]} shades
   */
  showFigures(figures, shades) {
    this.figures = figures;
    Object.assign(this.look, { shades, hasFigures: Boolean(figures) });
    this.apply();
    this.paint();
  }

  paint() {
    if (!this.figures || !this.gl.getSource("county")) return;
    for (const [id, place] of Object.entries(this.figures.class_of)) {
      this.gl.setFeatureState({ source: "county", sourceLayer: "grids", id: Number(id) }, { class: place ?? -1 });
    }
  }

  /** @param {object} changes */
  set(changes) {
    Object.assign(this.look, changes);
    this.apply();
  }

  /** Take the colours again, after the surroundings went dark or light. */
  recolour() {
    this.set({ palette: groundColours() });
  }

  /**
   * The id of the base grid that is drawn at a place, or null.
   *
   * @param {L.LatLng} latlng
   */
  gridAt({ lat, lng }) {
    if (!this.gl.getLayer("fills")) return null;
    const [grid] = this.gl.queryRenderedFeatures(this.gl.project([lng, lat]), { layers: ["fills"] });
    return grid?.id ?? null;
  }

  /**
   * The streets with a name that are drawn now, in pieces.
   *
   * @returns {import("./street_names.js").Street[]}
   */
  streets() {
    if (!this.look.hasRoads || this.look.hasBase || !this.gl.getSource("ground")) return [];
    /** @type {{geometry: GeoJSON.LineString | GeoJSON.MultiLineString, properties: Record<string, string>}[]} */
    const roads = this.gl.querySourceFeatures("ground", { sourceLayer: "roads", filter: ["has", "name"] });
    return roads.flatMap(({ geometry, properties: { name, road_class } }) =>
      (geometry.type === "LineString" ? [geometry.coordinates] : geometry.coordinates).map((line) => ({
        name,
        road_class,
        points: line.map(([lon, lat]) => this.map.latLngToContainerPoint([lat, lon])),
      })),
    );
  }

  /** Resolve once everything in view is drawn. */
  drawn() {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
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
