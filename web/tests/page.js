// A page without a browser: what our modules ask of it when they are imported. Each file of tests is a
// process of its own, so open() comes first and the modules are imported after it.

import { readFileSync, readdirSync } from "node:fs";

const WEB = new URL("../", import.meta.url);

/** The texts of a language, as the server embeds them. */
export function textsIn(language) {
  const folder = new URL(`messages/${language}/`, WEB);
  const rooms = readdirSync(folder).flatMap((file) => {
    const texts = JSON.parse(readFileSync(new URL(file, folder), "utf-8"));
    return Object.entries(texts).map(([key, text]) => [`${file.replace(".json", "")}.${key}`, text]);
  });
  return Object.fromEntries(rooms);
}

/** Begin a page; what is given stands in place of the usual. */
export function open({ language = "zh-CN", address = "/", may = [], tokens = {} } = {}) {
  const config = {
    language,
    languages: ["zh-CN", "en"],
    actor: { actor_id: 1, name: "测试", name_en: "Test", role: "", areas: null, may },
    county: { name: "示范县", name_en: "Demo", code: "430000", bbox: [112.7, 28.5, 113.1, 28.9] },
    schemes: [
      { code: "fire", name: "消防", is_base: false, levels: [], versions: [] },
      { code: "base", name: "基础", is_base: true, levels: [], versions: [] },
    ],
    today: "2026-03-01",
    version: "test",
    base_maps: [],
    late_scripts: {},
    late_files: {},
    texts: textsIn(language),
  };
  const elements = { "page-config": { textContent: JSON.stringify(config) } };
  const listeners = {};
  const visited = [];
  const go = (way) => (_state, _title, to) => {
    visited.push([way, to]);
    globalThis.location = new URL(to, globalThis.location.href);
  };
  const stored = new Map();
  const globals = {
    document: {
      getElementById: (id) => (elements[id] ??= { hidden: true }),
      documentElement: {},
      activeElement: null,
    },
    getComputedStyle: () => ({ getPropertyValue: (name) => tokens[name.slice(2)] ?? "" }),
    location: new URL(address, "http://map.test"),
    history: { pushState: go("push"), replaceState: go("replace") },
    addEventListener: (name, fn) => (listeners[name] = fn),
    localStorage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => stored.set(key, value),
      removeItem: (key) => stored.delete(key),
    },
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
  return { config, elements, listeners, visited, stored };
}

/** Leaflet as far as strokes and snapping use it: a plane of so many pixels for each degree. */
export function plainLeaflet(pixelsPerDegree = 10_000) {
  const point = (x, y) => ({
    x,
    y,
    add: (other) => point(x + (other.x ?? other[0]), y + (other.y ?? other[1])),
    divideBy: (n) => point(x / n, y / n),
    distanceTo: (other) => Math.hypot(x - other.x, y - other.y),
  });
  const latLng = (lat, lng) => ({ lat, lng });
  const classes = { add() {}, remove() {} };
  const layer = (from) => {
    let latlng = from;
    const told = {};
    const element = { listeners: {}, setAttribute() {}, focus() {} };
    element.addEventListener = (name, fn) => (element.listeners[name] = fn);
    const made = {
      told,
      on: (name, fn) => {
        told[name] = fn;
        return made;
      },
      getElement: () => element,
      getLatLng: () => latlng,
      setLatLng: (to) => {
        latlng = Array.isArray(to) ? latLng(...to) : to;
        return made;
      },
    };
    for (const name of ["addTo", "remove", "setStyle", "setLatLngs", "bringToBack", "clearLayers"])
      made[name] = () => made;
    return made;
  };
  const markers = [];
  globalThis.L = {
    latLng,
    point,
    polyline: () => layer(),
    circleMarker: () => layer(),
    layerGroup: () => layer(),
    divIcon: () => ({}),
    marker: (place) => {
      markers.push(layer(Array.isArray(place) ? latLng(...place) : place));
      return markers.at(-1);
    },
    DomEvent: { stop() {}, stopPropagation() {} },
  };
  const map = {
    on() {},
    off() {},
    getZoom: () => 16,
    getContainer: () => ({ classList: classes }),
    getPane: () => ({ children: [] }),
    latLngToLayerPoint: (at) => {
      const [lat, lng] = Array.isArray(at) ? at : [at.lat, at.lng];
      return point(lng * pixelsPerDegree, -lat * pixelsPerDegree);
    },
    layerPointToLatLng: ({ x, y }) => latLng(-y / pixelsPerDegree, x / pixelsPerDegree),
  };
  return { map, markers };
}
