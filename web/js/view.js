// What of the map is not covered: fits and flights know the bars, the panel and the legend.

import { at, isCalm, isNarrow } from "./dom.js";
import { largestRoom } from "./placement.js";

/** @import { Box } from "../types/page.js" */

const GAP = 16;
const CLOSE_M = 600; // what is shown around a place
const LEAST_PX = 120; // less room than this is none: the whole map is used
const LEGEND_FIRST = { desk: [252, 320], phone: [200, 42] }; // until it is drawn
const BARS = ["#search", "#choices > *", "#legend", "#strip", "#zoom", "#panel", "#plan-bar > *", "#notice"];

export class View {
  /** @param {L.Map} map */
  constructor(map) {
    this.map = map;
  }

  /**
   * The box of an element in pixels of the map, or nothing where it is not seen.
   *
   * @param {Element | null} element
   * @returns {Box[]}
   */
  boxOf(element) {
    if (!element?.getClientRects().length) return [];
    const origin = this.map.getContainer().getBoundingClientRect();
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [[left - origin.left, top - origin.top, right - origin.left, bottom - origin.top]];
  }

  /** Boxes of everything that lies over the map. */
  bars() {
    return [...document.querySelectorAll(BARS.join(","))].flatMap((element) => this.boxOf(element));
  }

  /** The part of the map to look at, with a gap around; before the legend is drawn, room for it is kept. */
  room() {
    const { x: width, y: height } = this.map.getSize();
    const blocked = [at("bar"), document.getElementById("plan-bar")].flatMap((element) => this.boxOf(element));
    for (const box of this.boxOf(at("panel"))) {
      // At the side it may grow to the bottom at any time.
      if (!isNarrow()) box[3] = height;
      blocked.push(box);
    }
    for (const [left, top, right, bottom] of this.boxOf(at("legend"))) {
      const [wide, high] = at("legend").childElementCount ? [0, 0] : LEGEND_FIRST[isNarrow() ? "phone" : "desk"];
      blocked.push([left, Math.min(top, bottom - high), Math.max(right, left + wide), bottom]);
    }
    /** @type {Box} */
    const all = [0, 0, width, height];
    const [left, top, right, bottom] = largestRoom(all, blocked);
    const isSmall = right - left < LEAST_PX || bottom - top < LEAST_PX;
    return isSmall ? all : [left + GAP, top + GAP, right - GAP, bottom - GAP];
  }

  /** What bars, panel and legend take from the map, as Leaflet wants it. */
  insets() {
    const { x: width, y: height } = this.map.getSize();
    const [left, top, right, bottom] = this.room();
    return {
      paddingTopLeft: L.point(left, top),
      paddingBottomRight: L.point(width - right, height - bottom),
    };
  }

  /**
   * Whether bounds lie wholly in the part that is not covered.
   *
   * @param {L.LatLngBounds} bounds
   */
  isSeen(bounds) {
    const [left, top, right, bottom] = this.room();
    const corners = [bounds.getNorthWest(), bounds.getSouthEast()];
    const [first, last] = corners.map((corner) => this.map.latLngToContainerPoint(corner));
    return first.x >= left && first.y >= top && last.x <= right && last.y <= bottom;
  }

  /**
   * Show bounds at once, or by a short flight where that is wanted.
   *
   * @param {L.LatLngBounds} bounds
   * @param {boolean} [isAnimated]
   */
  fit(bounds, isAnimated = false) {
    this.map.fitBounds(bounds, { ...this.insets(), animate: isAnimated && !isCalm() });
  }

  /**
   * Fly to bounds.
   *
   * @param {L.LatLngBounds} bounds
   * @param {number} maxZoom
   */
  fly(bounds, maxZoom) {
    this.map.flyToBounds(bounds, { ...this.insets(), maxZoom, duration: isCalm() ? 0.001 : 0.6 });
  }

  /**
   * Fly to a place.
   *
   * @param {{lon: number, lat: number}} place
   */
  flyTo({ lon, lat }) {
    this.fly(L.latLng(lat, lon).toBounds(CLOSE_M), 16);
  }
}
