// The way somebody takes to a place, drawn above the outline of the grid, which often runs along the
// same road: white casing, accent line.

import { isCalm, token } from "./dom.js";
import { marker } from "./symbols.js";

/** @import { Position } from "../types/page.js" */
/** @typedef {{geometry: GeoJSON.LineString | GeoJSON.MultiLineString | null, kind: string, name: string}} Way */

/** @param {GeoJSON.Position[]} line */
const latlngs = (line) => line.map(([lon, lat]) => L.latLng(lat, lon));

export class Routes {
  /** @param {L.Map} map */
  constructor(map) {
    this.map = map;
    this.group = L.layerGroup().addTo(map);
  }

  clear() {
    this.group.clearLayers();
  }

  /**
   * Draw one way: {geometry: GeoJSON, kind, name}.
   *
   * @param {Way} way
   */
  draw({ geometry, kind, name }) {
    this.clear();
    if (!geometry) return;
    const parts = geometry.type === "MultiLineString" ? geometry.coordinates : [geometry.coordinates];
    for (const part of parts) {
      const line = latlngs(part);
      /** @type {L.PolylineOptions} */
      const base = { pane: "route", interactive: false, lineCap: "round", lineJoin: "round" };
      L.polyline(line, { ...base, color: token("surface"), weight: 10, opacity: 1 }).addTo(this.group);
      L.polyline(line, { ...base, color: token("accent"), weight: 6, opacity: 1 }).addTo(this.group);
    }
    const [lon, lat] = parts[0][0];
    marker([lat, lon], kind, name).addTo(this.group);
  }

  /**
   * Mark a place without a way to it.
   *
   * @param {{lon: number, lat: number}} place
   * @param {string} kind
   * @param {string} name
   */
  mark({ lon, lat }, kind, name) {
    this.clear();
    marker([lat, lon], kind, name).addTo(this.group);
  }

  /**
   * Bring the whole way into view.
   *
   * @param {L.FitBoundsOptions} options
   */
  look(options) {
    const bounds = L.featureGroup(this.group.getLayers().filter((layer) => layer instanceof L.Polyline)).getBounds();
    if (bounds.isValid()) this.map.flyToBounds(bounds, { ...options, maxZoom: 16, duration: isCalm() ? 0.001 : 0.5 });
  }
}
