// The households of the chosen grid, at street zoom, for those who may see them.

import { get, isStale } from "./api.js";
import { at, h, token } from "./dom.js";
import { may, number, t } from "./texts.js";

const FROM_ZOOM = 16;
const MOST = 500;

export class Homes {
  constructor(map, onError) {
    this.map = map;
    this.onError = onError;
    this.grid = "";
    this.drawnOf = "";
    this.canvas = L.canvas({ pane: "homes", padding: 0.3 });
    this.group = L.layerGroup().addTo(map);
    map.on("zoomend", () => this.draw());
  }

  /** Show the households of a grid, of any level; none while none is chosen. Rough places are counted and not drawn. */
  show(grid) {
    this.grid = grid;
    this.draw();
  }

  wanted() {
    if (!may("see_households")) return "";
    return this.map.getZoom() >= FROM_ZOOM ? this.grid : "";
  }

  /** The household drawn within some pixels of a place, or null. */
  near(latlng, within = 9) {
    const here = this.map.latLngToContainerPoint(latlng);
    const far = (dot) => this.map.latLngToContainerPoint(dot.getLatLng()).distanceTo(here);
    const nearest = this.group.getLayers().reduce((best, dot) => (best && far(best) <= far(dot) ? best : dot), null);
    return nearest && far(nearest) <= within ? nearest.home : null;
  }

  async draw() {
    const grid = this.wanted();
    if (grid === this.drawnOf) return;
    this.drawnOf = grid;
    this.abort?.abort();
    this.group.clearLayers();
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
    dot.home = home;
    this.group.addLayer(dot);
  }
}
