// The grids: their geometry and figures, fetched apart, so that another theme only restyles.

import { get, isStale } from "./api.js";
import { outlineOf } from "./backdrop.js";
import { h, token } from "./dom.js";
import { figureText, themeName } from "./figures.js";
import { colourFor } from "./palette.js";
import { config, t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @import { Figures } from "../types/page.js" */
/** @typedef {any} Grid as the list of grids has it, with its geometry once it was outlined */
/**
 * @typedef {object} Parts
 * @property {(id: number, latlng?: L.LatLng) => void} onPick
 * @property {(id: number, latlng: L.LatLng) => boolean | undefined} hoverInstead a mode says what a click does
 * @property {(error: Error) => void} onError
 * @property {import("./backdrop.js").Backdrop} backdrop
 */

/** @type {L.LatLngTuple[]} */
const REST_OF_WORLD = [
  [-85, -179],
  [-85, 179],
  [85, 179],
  [85, -179],
];

/**
 * Rings of a GeoJSON polygon as Leaflet wants them.
 *
 * @param {GeoJSON.Polygon | GeoJSON.MultiPolygon} geometry
 * @returns {L.LatLngTuple[][]}
 */
const outerRings = (geometry) =>
  (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates).map((part) =>
    part[0].map(([lon, lat]) => /** @type {L.LatLngTuple} */ ([lat, lon])),
  );

export class Grids {
  /**
   * @param {L.Map} map
   * @param {Parts} parts
   */
  constructor(map, { onPick, onError, backdrop, hoverInstead }) {
    this.map = map;
    this.backdrop = backdrop;
    this.onPick = onPick;
    this.hoverInstead = hoverInstead;
    this.onError = onError;
    /** @type {Map<number, Grid>} */
    this.byId = new Map();
    /** @type {Shape<"Scheme">["levels"]} */
    this.levels = [];
    /** @type {Figures | null} */
    this.figures = null;
    /** @type {number | null} */
    this.selected = null;
    /** @type {string[]} */
    this.shades = [];
    this.day = "";
    this.wanted = "";
    /** @type {Promise<void>} */
    this.loading = Promise.resolve();
    this.ready = this.loading;
    /** @type {Promise<(GeoJSON.Polygon | GeoJSON.MultiPolygon)[]> | undefined} */
    this.ownRings = undefined;
    /** @type {Promise<boolean>} */
    this.themed = Promise.resolve(false);
    this.svg = L.svg({ pane: "selection", padding: 0.6 });
    this.outline = L.layerGroup([], { pane: "selection" }).addTo(map);
    this.tip = L.tooltip({ className: "tip", direction: "top", offset: [0, -10], pane: "tooltipPane" });
  }

  get baseRank() {
    return Math.max(...this.levels.map((level) => level.rank));
  }

  /**
   * @param {number | string | null} id
   */
  grid(id) {
    return this.byId.get(Number(id));
  }

  /**
   * The grids of one level.
   *
   * @param {number} rank
   */
  ofRank(rank) {
    return [...this.byId.values()].filter((grid) => grid.rank === rank);
  }

  /**
   * Ids from the top level down to the grid itself.
   *
   * @param {number | string | null} id
   */
  chain = (id) => {
    /** @type {number[]} */
    const ids = [];
    for (let grid = this.grid(id); grid; grid = this.grid(grid.parent_grid_id)) ids.unshift(grid.grid_id);
    return ids;
  };

  /**
   * Whether a grid lies in what one answers for; none does for those who answer for the whole county.
   *
   * @param {number | null | undefined} id
   */
  isOwn = (id) => this.chain(id ?? null).some((step) => config.actor.areas?.some(({ grid_id }) => grid_id === step));

  /**
   * Fetch the grids of every level, once for each scheme and day; tiles draw them.
   *
   * @param {Shape<"Scheme">} scheme
   * @param {string} at
   */
  load(scheme, at) {
    this.ready = this.begin(scheme, at);
    return this.ready;
  }

  /**
   * @param {Shape<"Scheme">} scheme
   * @param {string} at
   * @returns {Promise<void>}
   */
  begin(scheme, at) {
    const wanted = `${scheme.code}/${at}`;
    if (this.wanted === wanted) return this.loading;
    this.wanted = wanted;
    this.day = at;
    this.loading = this.fetchLevels(scheme, at);
    return this.loading.catch((error) => {
      if (!isStale(error)) this.wanted = "";
      throw error;
    });
  }

  /**
   * @param {Shape<"Scheme">} scheme
   * @param {string} at
   */
  async fetchLevels(scheme, at) {
    this.abort?.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    const levels = [...scheme.levels].sort((a, b) => a.rank - b.rank);
    const [fetched] = await Promise.all([
      Promise.all(
        levels.map(({ rank }) => get("/api/layers/grids", { scheme: scheme.code, rank, at, detail: "index" }, signal)),
      ),
      this.backdrop.showGrids(scheme, at),
    ]);
    this.levels = levels;
    this.byId.clear();
    for (const { features } of fetched) {
      for (const { properties, geometry } of features) this.byId.set(properties.grid_id, { ...properties, geometry });
    }
    this.select(this.selected);
  }

  /**
   * The base grid under a place of the map, or null.
   *
   * @param {L.LatLng} latlng
   */
  under(latlng) {
    const id = this.backdrop.gridAt(latlng);
    return this.grid(id) ? id : null;
  }

  /**
   * Say what a click would do, wherever the mouse is.
   *
   * @param {L.LatLng} latlng
   */
  hoverAt(latlng) {
    const id = this.under(latlng);
    if (id) this.hover(id, latlng);
    else this.tip.remove();
    this.map.getContainer().classList.toggle("over-grid", Boolean(id));
  }

  /** Wait for the grids that were asked for last: what was asked before is given up. */
  async newest() {
    for (;;) {
      const waited = this.ready;
      try {
        await waited;
        return;
      } catch (error) {
        if (!isStale(error) || waited === this.ready) throw error;
      }
    }
  }

  /**
   * @param {number} id
   * @param {L.LatLng} latlng
   */
  hover(id, latlng) {
    const grid = this.grid(id);
    if (!grid || this.hoverInstead(id, latlng)) return;
    const value = this.figures?.values[id];
    const figure = this.figures ? figureText(this.figures.theme, value) : "";
    const action = this.selected === id ? t("hover_selected") : t("hover_open");
    this.tip
      .setContent(h("div", {}, h("b", {}, grid.name), figure ? ` ${figure}` : "", h("small", {}, action)))
      .setLatLng(latlng);
    if (!this.map.hasLayer(this.tip)) this.tip.addTo(this.map);
  }

  /**
   * Colour the map by figures of a mode; by none where there are none.
   *
   * @param {Figures | null} figures
   */
  showFigures(figures) {
    this.figures = figures;
    this.restyle();
  }

  /** What was fetched may be old: the next load fetches anew. */
  forget() {
    this.wanted = "";
  }

  restyle() {
    this.shades = this.figures?.classes.map((entry) => colourFor(entry.colour)) ?? [];
    this.backdrop.showFigures(this.figures, this.shades);
  }

  /**
   * Fetch the figures of a theme for the base grids and colour the map by them.
   *
   * @param {Shape<"Scheme">} scheme
   * @param {string} theme
   * @param {string} at
   */
  showTheme(scheme, theme, at) {
    this.themed = this.fetchTheme(scheme, theme, at);
    return this.themed;
  }

  /**
   * @param {Shape<"Scheme">} scheme
   * @param {string} theme
   * @param {string} at
   */
  async fetchTheme(scheme, theme, at) {
    this.themeAbort?.abort();
    this.themeAbort = new AbortController();
    if (theme === "none") {
      this.figures = null;
    } else {
      const rank = Math.max(...scheme.levels.map((level) => level.rank));
      const query = { scheme: scheme.code, rank, theme, at };
      try {
        this.figures = await get("/api/layers/figures", query, this.themeAbort.signal);
      } catch (error) {
        if (isStale(error)) return false;
        this.figures = null;
        this.restyle();
        throw error;
      }
    }
    this.restyle();
    return true;
  }

  /**
   * Outline a grid and let the rest step back.
   *
   * @param {number | string | null} id
   */
  async select(id) {
    this.selected = id ? Number(id) : null;
    const grid = this.grid(this.selected);
    if (grid && !grid.geometry) {
      try {
        grid.geometry = await outlineOf(grid.grid_id, this.day);
      } catch (error) {
        this.onError(error);
      }
      if (this.selected !== grid.grid_id) return;
    }
    this.outline.clearLayers();
    if (grid?.geometry) this.outlineRings(outerRings(grid.geometry), { veil: 0.32, weight: 3, tint: 0.08 });
    else if (!this.selected) await this.outlineOwn();
  }

  /** Border what one answers for, and let the rest step back a little. */
  async outlineOwn() {
    const areas = config.actor.areas ?? [];
    if (!areas.length) return;
    this.ownRings ??= Promise.all(areas.map(({ grid_id }) => outlineOf(grid_id, "")));
    try {
      const rings = (await this.ownRings).flatMap(outerRings);
      if (this.selected) return;
      this.outline.clearLayers();
      this.outlineRings(rings, { veil: 0.2, weight: 2, tint: 0 });
    } catch (error) {
      this.ownRings = undefined;
      this.onError(error);
    }
  }

  /**
   * @param {L.LatLngTuple[][]} rings
   * @param {{veil: number, weight: number, tint: number}} look opacities, and the width of the line in pixels
   */
  outlineRings(rings, { veil: veilOpacity, weight, tint: tintOpacity }) {
    /** @type {L.PolylineOptions} */
    const plain = { renderer: this.svg, pane: "selection", interactive: false };
    /** @type {L.PolylineOptions} */
    const veil = { ...plain, stroke: false, fillColor: token("veil"), fillOpacity: veilOpacity, fillRule: "evenodd" };
    L.polygon([[REST_OF_WORLD, ...rings]], veil).addTo(this.outline);
    /** @type {L.PolylineOptions} */
    const edge = { ...plain, fill: false, lineJoin: "round" };
    L.polygon(rings, { ...edge, color: token("surface"), weight: weight + 4, opacity: 0.95 }).addTo(this.outline);
    const tint = { fill: tintOpacity > 0, fillColor: token("accent"), fillOpacity: tintOpacity };
    L.polygon(rings, { ...edge, ...tint, color: token("accent"), weight }).addTo(this.outline);
  }

  /**
   * Bounds of a grid, or null.
   *
   * @param {number | string} id
   */
  boundsOf(id) {
    const grid = this.grid(id);
    if (!grid) return null;
    if (!grid.bbox) return L.latLngBounds(outerRings(grid.geometry).flat());
    const [west, south, east, north] = grid.bbox;
    return L.latLngBounds([south, west], [north, east]);
  }

  themeTitle() {
    return this.figures ? (this.figures.title ?? themeName(this.figures.theme)) : t("theme_none");
  }
}
