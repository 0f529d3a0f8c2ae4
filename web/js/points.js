// Facilities, hazards and incidents as symbols, fetched when their layer is first switched on.

import { get } from "./api.js";
import { kindName } from "./figures.js";
import { clusterIcon, marker } from "./symbols.js";
import { coordinates, t } from "./texts.js";
import { placeOfPoint } from "./state.js";

/** @import { Point } from "../types/page.js" */
/** @typedef {{path: string, of: string, query?: import("./api.js").Parameters, keep: (point: Point) => boolean}} Source */

const RESCUE = new Set(["fire_station", "mini_fire_station", "water_source"]);

/** @type {Record<string, Source>} */
const SOURCES = {
  rescue: { path: "facilities", of: "facility", keep: (point) => RESCUE.has(point.kind) },
  services: { path: "facilities", of: "facility", keep: (point) => !RESCUE.has(point.kind) },
  hazards: { path: "hazards", of: "hazard", query: { status: "open" }, keep: () => true },
  incidents: { path: "incidents", of: "incident", query: { status: "open" }, keep: () => true },
};

/**
 * @param {string} of
 * @param {Point} point
 */
function symbolKind(of, point) {
  if (of === "hazard") return point.grade === "major" ? "hazard_major" : "hazard";
  return of === "incident" ? "incident" : point.kind;
}

export class Points {
  /**
   * @param {Window["grid_map_page"]} map
   * @param {{onPick: (id: string) => void, onError: (error: Error) => void, onShown: () => void}} told
   */
  constructor(map, { onPick, onError, onShown }) {
    this.onShown = onShown;
    this.cluster = map.pointCluster;
    this.shown = new Set();
    this.onPick = onPick;
    this.onError = onError;
    this.fetched = new Map();
    this.markers = new Map();
    this.known = new Map();
    map.clusterIcon = clusterIcon;
  }

  /**
   * @param {string} path
   * @param {import("./api.js").Parameters} [query]
   */
  fetch(path, query) {
    if (!this.fetched.has(path)) {
      const answer = get(`/api/layers/${path}`, query);
      answer.catch(() => this.fetched.delete(path));
      this.fetched.set(path, answer);
    }
    return this.fetched.get(path);
  }

  /**
   * Show or hide the points of a layer, if it is a layer of points.
   *
   * @param {string} key
   * @param {boolean} isShown
   */
  async toggle(key, isShown) {
    if (!(key in SOURCES) || this.shown.has(key) === isShown) return;
    if (!isShown) {
      this.shown.delete(key);
      this.cluster.removeLayers(this.markers.get(key) ?? []);
      this.onShown();
      return;
    }
    this.shown.add(key);
    try {
      const markers = await this.markersOf(key);
      if (this.shown.has(key)) this.cluster.addLayers(markers);
      this.onShown();
    } catch (error) {
      this.shown.delete(key);
      this.onError(error);
    }
  }

  /** How many of each kind of symbol the layers that are on have, in the order of the layers. */
  kindsShown() {
    /** @type {Map<string, number>} */
    const kinds = new Map();
    for (const key of Object.keys(SOURCES)) {
      if (!this.shown.has(key)) continue;
      for (const { options } of this.markers.get(key) ?? []) {
        kinds.set(options.symbolKind, (kinds.get(options.symbolKind) ?? 0) + 1);
      }
    }
    return kinds;
  }

  /** @param {string} key */
  async markersOf(key) {
    const source = SOURCES[key];
    const collection = await this.fetch(source.path, source.query);
    if (this.markers.has(key)) return this.markers.get(key);
    const markers = [];
    for (const { geometry, properties } of collection.features) {
      if (!source.keep(properties)) continue;
      const [lon, lat] = geometry.coordinates;
      const point = { of: source.of, ...properties, lon, lat };
      point.id = `${source.of}:${properties[`${source.of}_id`]}`;
      this.known.set(point.id, point);
      const title = t("hover_point", { name: point.name || kindName(point.kind) });
      const pin = marker([lat, lon], symbolKind(source.of, point), title);
      markers.push(pin.on("click", () => this.onPick(point.id)));
    }
    this.markers.set(key, markers);
    return markers;
  }

  /**
   * Fetch points of these anew: something was entered or taken out.
   *
   * @param {...(string | undefined)} paths
   */
  forget(...paths) {
    for (const [key, source] of Object.entries(SOURCES)) {
      if (!paths.includes(source.path)) continue;
      this.fetched.delete(source.path);
      this.cluster.removeLayers(this.markers.get(key) ?? []);
      this.markers.delete(key);
      if (!this.shown.delete(key)) continue;
      this.toggle(key, true);
    }
  }

  /**
   * Whether a layer is one of points.
   *
   * @param {string} key
   */
  isLayer = (key) => key in SOURCES;

  /**
   * The points of a layer.
   *
   * @param {string} key
   */
  async pointsOf(key) {
    await this.markersOf(key);
    return [...this.known.values()].filter((point) => SOURCES[key].of === point.of && SOURCES[key].keep(point));
  }

  /**
   * A place, or a point by "kind:number", fetched if need be; null if there is no such one.
   *
   * @param {string} id
   * @returns {Promise<Point | null>}
   */
  async find(id) {
    const place = placeOfPoint(id);
    if (place) return { ...place, of: "place", kind: "", id, name: coordinates(place) };
    const of = id.split(":")[0];
    for (const [key, source] of Object.entries(SOURCES)) if (source.of === of) await this.markersOf(key);
    return this.known.get(id) ?? null;
  }
}
