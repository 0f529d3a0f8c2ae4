// The households of the chosen grid, at street zoom, for those who may see them.

import { get, isStale } from "./api.js";
import { at, h, token } from "./dom.js";
import { offered } from "./offers.js";
import { number, t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"HouseholdRow">} Home */

const FROM_ZOOM = 16;
const MOST = 500;

export class Homes {
  /**
   * @param {L.Map} map
   * @param {(error: Error) => void} onError
   */
  constructor(map, onError) {
    this.map = map;
    this.onError = onError;
    /** @type {AbortController | null} */
    this.abort = null;
    /** @type {Map<L.CircleMarker, Home>} */
    this.drawn = new Map();
    this.grid = "";
    this.drawnOf = "";
    this.canvas = L.canvas({ pane: "homes", padding: 0.3 });
    this.group = L.layerGroup().addTo(map);
    map.on("zoomend", () => this.draw());
  }

  /**
   * Show the households of a grid, of any level; none while none is chosen. Rough places are counted and not drawn.
   *
   * @param {string} grid
   */
  show(grid) {
    this.grid = grid;
    this.draw();
  }

  wanted() {
    if (!offered("homes")) return "";
    return this.map.getZoom() >= FROM_ZOOM ? this.grid : "";
  }

  /**
   * The household drawn within some pixels of a place, or null.
   *
   * @param {L.LatLngExpression} latlng
   * @param {number} [within] pixels
   * @returns {Home | null}
   */
  near(latlng, within = 9) {
    const here = this.map.latLngToContainerPoint(latlng);
    let nearest = null;
    let least = within;
    for (const [dot, home] of this.drawn) {
      const far = this.map.latLngToContainerPoint(dot.getLatLng()).distanceTo(here);
      if (far <= least) [nearest, least] = [home, far];
    }
    return nearest;
  }

  async draw() {
    const grid = this.wanted();
    if (grid === this.drawnOf) return;
    this.drawnOf = grid;
    this.abort?.abort();
    this.group.clearLayers();
    this.drawn.clear();
    at("homes").hidden = true;
    if (!grid) return;
    this.abort = new AbortController();
    try {
      const { items, total } = await get("/api/households", { grid_id: grid, limit: MOST }, this.abort.signal);
      if (grid !== this.drawnOf) return;
      for (const home of items.filter(({ exact }) => exact)) this.add(home);
      at("homes").textContent =
        total > items.length
          ? t("homes_some", { shown: number(items.length), total: number(total) })
          : t("homes_all", { total: number(total) });
      at("homes").hidden = total === 0;
    } catch (error) {
      this.drawnOf = "";
      if (!isStale(error)) this.onError(error);
    }
  }

  /** @param {Home} home */
  add(home) {
    const { lon, lat, address, people } = home;
    const dot = L.circleMarker([lat, lon], {
      renderer: this.canvas,
      pane: "homes",
      radius: 3.5,
      weight: 1.2,
      color: token("surface"),
      fillColor: token("accent"),
      fillOpacity: 0.9,
      bubblingMouseEvents: true,
    });
    dot.bindTooltip(h("div", {}, h("b", {}, address), h("small", {}, t("homes_people", { count: number(people) }))), {
      className: "tip",
      direction: "top",
    });
    this.drawn.set(dot, home);
    this.group.addLayer(dot);
  }
}
