// Facilities, hazards and incidents as symbols, fetched when their layer is first switched on.

import { get } from "./api.js";
import { kindName } from "./figures.js";
import { clusterIcon, marker, symbolKind } from "./symbols.js";
import { coordinates, t } from "./texts.js";
import { placeOfPoint } from "./state.js";

/** @import { Shape } from "../types/answers.js" */
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

export class Points {
  /**
   * @param {Window["grid_map_page"]} map
   * @param {{onPick: (id: string) => void, onError: (error: Error) => void, onShown: () => void}} told
   */
  constructor(map, { onPick, onError, onShown }) {
    this.onShown = onShown;
    this.cluster = map.pointCluster;
    /** @type {Set<string>} keys of layers that are on */
    this.shown = new Set();
    this.onPick = onPick;
    this.onError = onError;
    /** @type {Map<string, Promise<Shape<"Layer">>>} */
    this.fetched = new Map();
    /** @type {Map<string, L.Marker[]>} */
    this.markers = new Map();
    /** @type {Map<string, Point>} */
    this.known = new Map();
    map.clusterIcon = clusterIcon;
  }

  /**
   * @param {string} path
   * @param {import("./api.js").Parameters} [query]
   */
  fetch(path, query) {
    const fetched = this.fetched.get(path);
    if (fetched) return fetched;
    /** @type {Promise<Shape<"Layer">>} */
    const answer = get(`/api/layers/${path}`, query);
    answer.catch(() => this.fetched.delete(path));
    this.fetched.set(path, answer);
    return answer;
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
        const { symbolKind: kind = "" } = options;
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
    }
    return kinds;
  }

  /** @param {string} key */
  async markersOf(key) {
    const source = SOURCES[key];
    const { features } = await this.fetch(source.path, source.query);
    const known = this.markers.get(key);
    if (known) return known;
    const markers = [];
    for (const { geometry, properties } of features) {
      const [lon, lat] = geometry?.coordinates ?? [];
      const id = `${source.of}:${properties[`${source.of}_id`]}`;
      const point = /** @type {Point} */ ({ of: source.of, ...properties, id, lon, lat });
      if (!source.keep(point)) continue;
      this.known.set(id, point);
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
