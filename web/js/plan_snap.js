// Streets, water and borders to snap to: fetched for what is in view, searched on the screen.

import { get, isStale } from "./api.js";
import { settled, token } from "./dom.js";
import { boxText, nearestOnSegment } from "./plan_geometry.js";

/** @import { Position } from "../types/page.js" */
/** @typedef {{latlng: L.LatLng, line?: Position[], at?: number}} Snapped at counts the vertices of the line */

const REACH_PX = 12;
const VERTEX_PX = 9;
const FROM_ZOOM = 14;

export class Snapper {
  /**
   * @param {L.Map} map
   * @param {string} pane of the map
   * @param {(error: Error) => void} onError
   */
  constructor(map, pane, onError) {
    this.map = map;
    this.onError = onError;
    /** @type {string | number | null} */
    this.plan = null;
    /** @type {AbortController | null} */
    this.abort = null;
    /** @type {{line: Position[], kind: string}[]} */
    this.lines = [];
    this.isOn = true;
    this.isTurned = false; // as long as Alt is held
    this.street = L.polyline([], {
      pane,
      interactive: false,
      weight: 3,
      opacity: 0.55,
      dashArray: "1 6",
      lineCap: "round",
    });
    this.ring = L.circleMarker([0, 0], { pane, radius: 8, weight: 2, fill: false, interactive: false });
    map.on(
      "moveend",
      settled(200, () => this.load()),
    );
  }

  toggle() {
    this.isOn = !this.isOn;
  }

  /**
   * Turn it round, or back.
   *
   * @param {boolean} isTurned
   */
  turn(isTurned) {
    this.isTurned = isTurned;
  }

  get isActive() {
    return this.isOn !== this.isTurned;
  }

  /**
   * Fetch the lines of the plan in view.
   *
   * @param {string | number | null} [plan]
   */
  async load(plan = this.plan) {
    this.plan = plan;
    if (!plan || this.map.getZoom() < FROM_ZOOM) {
      this.lines = [];
      return;
    }
    const box = this.map.getBounds().pad(0.1);
    this.abort?.abort();
    this.abort = new AbortController();
    try {
      const bbox = boxText([box.getWest(), box.getSouth(), box.getEast(), box.getNorth()]);
      const { features } = await get(`/api/plans/${plan}/snap`, { bbox }, this.abort.signal);
      this.lines = features.flatMap((/** @type {any} */ { geometry, properties }) =>
        (geometry.type === "LineString"
          ? [geometry.coordinates]
          : geometry.type === "Point"
            ? []
            : geometry.coordinates.flat(geometry.type === "MultiPolygon" ? 1 : 0)
        ).map((/** @type {Position[]} */ line) => ({ line, kind: properties.kind ?? "" })),
      );
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  }

  /**
   * Where a place goes: {latlng, line, at} on the nearest line, or itself. A vertex comes first.
   *
   * @param {L.LatLng} latlng
   * @param {boolean} [isShown]
   * @returns {Snapped}
   */
  snap(latlng, isShown = true) {
    this.hide();
    if (!this.isActive) return { latlng };
    const here = this.map.latLngToLayerPoint(latlng);
    const span = this.map.layerPointToLatLng(here.add(L.point(REACH_PX, REACH_PX)));
    const [dLat, dLon] = [Math.abs(span.lat - latlng.lat), Math.abs(span.lng - latlng.lng)];
    /** @type {(Required<Snapped> & {away: number}) | null} */
    let best = null;
    for (const { line } of this.lines) {
      for (let i = 1; i < line.length; i++) {
        const [[ax, ay], [bx, by]] = [line[i - 1], line[i]];
        if (
          Math.min(ax, bx) > latlng.lng + dLon ||
          Math.max(ax, bx) < latlng.lng - dLon ||
          Math.min(ay, by) > latlng.lat + dLat ||
          Math.max(ay, by) < latlng.lat - dLat
        )
          continue;
        const ends = [L.latLng(ay, ax), L.latLng(by, bx)].map((end) => this.map.latLngToLayerPoint(end));
        for (const [j, end] of ends.entries()) {
          const away = end.distanceTo(here) - VERTEX_PX; // a vertex is worth a small detour
          if (away < REACH_PX - VERTEX_PX && (!best || away < best.away))
            best = { away, latlng: j ? L.latLng(by, bx) : L.latLng(ay, ax), line, at: i - 1 + j };
        }
        const on = nearestOnSegment(here, ends[0], ends[1]);
        const away = Math.hypot(on.x - here.x, on.y - here.y);
        if (away < REACH_PX && (!best || away < best.away)) {
          best = {
            away,
            latlng: L.latLng(ay + on.share * (by - ay), ax + on.share * (bx - ax)),
            line,
            at: i - 1 + on.share,
          };
        }
      }
    }
    if (best && isShown) {
      this.ring
        .setStyle({ color: token("accent") })
        .setLatLng(best.latlng)
        .addTo(this.map);
      this.street
        .setStyle({ color: token("accent") })
        .setLatLngs(best.line.map(([lon, lat]) => L.latLng(lat, lon)))
        .addTo(this.map);
    }
    return best ?? { latlng };
  }

  /**
   * What lies between two places on the same line, so that a stroke follows its bends.
   *
   * @param {Snapped | null | undefined} from
   * @param {Snapped | null | undefined} to
   * @returns {Position[]}
   */
  between(from, to) {
    if (from?.at === undefined || to?.at === undefined || !from.line || from.line !== to.line) return [];
    const [low, high] = [Math.min(from.at, to.at), Math.max(from.at, to.at)];
    const inner = from.line.slice(Math.floor(low) + 1, Math.ceil(high));
    return from.at <= to.at ? inner : inner.reverse();
  }

  hide() {
    this.ring.remove();
    this.street.remove();
  }

  clear() {
    this.plan = null;
    this.abort?.abort();
    this.hide();
  }
}
