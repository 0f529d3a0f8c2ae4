// How the map's ground looks: one list of layers in the style language of MapLibre. With WebGL MapLibre draws
// it, without it light.js does, from the same tiles.

import { token } from "./dom.js";

const BUILDINGS_FROM = 14; // zooms of this list are MapLibre's, one less than Leaflet's
const NAMES = ["water", "green", "built", "building", "road", "road-casing", "road-minor", "border", "paper"];

// Width in pixels at zoom 13, and whether a class is drawn with a casing. At which zoom one appears the tiles say.
/** @type {Record<string, [width: number, isCased: boolean]>} */
const ROADS = {
  ferry: [1.4, false],
  path: [0.8, false],
  footway: [0.8, false],
  cycleway: [0.8, false],
  steps: [0.8, false],
  track: [0.9, false],
  pedestrian: [1.4, true],
  service: [1.3, true],
  living_street: [1.8, true],
  residential: [2, true],
  unclassified: [2.2, true],
  tertiary: [3, true],
  secondary: [4.2, true],
  primary: [5.2, true],
  trunk: [6, true],
  motorway: [6.4, true],
};

// First zoom and width at zoom 11 of a border, by level: county, town, village, base.
const BORDER_FROM = [7, 7, 10, 12];
const BORDER_WIDTH = [2.2, 1.7, 1.1, 0.7];
const BORDER_OPACITY = [0.85, 0.8, 0.75, 0.65];

/** @typedef {any} Expression of MapLibre's style language */
/** @typedef {Record<string, Expression>} Values */
/**
 * @typedef {object} StyleLayer
 * @property {string} id
 * @property {"fill" | "line"} type
 * @property {"ground" | "county"} source
 * @property {string} source-layer
 * @property {number} [minzoom]
 * @property {Expression} [filter]
 * @property {Values} [layout]
 * @property {Values} paint
 */
/**
 * @typedef {object} Look what the map is to look like now
 * @property {Record<string, string>} palette
 * @property {string[]} shades of the classes
 * @property {boolean} isThemed fills say something, so the land steps back
 * @property {boolean} isFast the graphics smooth edges
 * @property {boolean} hasFigures
 * @property {boolean} hasBase a map of others lies below
 * @property {boolean} hasRoads
 * @property {boolean} hasBuildings
 * @property {boolean} isPlan a draft brings fills and borders of its own
 * @property {number} ranks levels of the scheme
 */

/** Colours of the ground, read from page.css for light or dark surroundings. */
export const groundColours = () => Object.fromEntries(NAMES.map((name) => [name, token(name)]));

/** Widths by class that grow by 1.32 a zoom. */
function roadWidth(extra = 0) {
  const byClass = (/** @type {number} */ scale, /** @type {number} */ least) => [
    "match",
    ["get", "road_class"],
    ...Object.entries(ROADS).flatMap(([name, [width]]) => [name, Math.max(width * scale, least) + extra]),
    least + extra,
  ];
  const stops = [7, 10, 11, 13, 15, 18].flatMap((zoom) => [zoom, byClass(1.32 ** (zoom - 13), zoom < 11 ? 1.1 : 0.7)]);
  return ["interpolate", ["exponential", 1.32], ["zoom"], ...stops];
}

const CASED = Object.keys(ROADS).filter((name) => ROADS[name][1]);
const ROAD_ORDER = ["match", ["get", "road_class"], ...Object.keys(ROADS).flatMap((name, place) => [name, place]), 0];
const isCased = ["in", ["get", "road_class"], ["literal", CASED]];
const isOpen = ["!", ["has", "tunnel"]];

/**
 * @param {string} id
 * @param {"ground" | "county"} source
 * @param {string} part
 * @param {Omit<StyleLayer, "id" | "type" | "source" | "source-layer">} rest
 * @returns {StyleLayer}
 */
const line = (id, source, part, rest) => ({ id, type: "line", source, "source-layer": part, ...rest });

/** @type {typeof line} */
const fill = (id, source, part, rest) => ({ id, type: "fill", source, "source-layer": part, ...rest });

/**
 * What a border of each level looks like: a scheme with fewer levels ends with the finest.
 *
 * @param {number} level
 * @param {number} ranks
 */
const lookOf = (level, ranks) => (level > 0 && level === ranks ? 3 : Math.min(level, 2));

/**
 * One layer for all borders: which levels are drawn at a zoom, how wide and how strong.
 *
 * @param {Look} look
 */
function borderLayer({ palette, ranks, isPlan }) {
  const levels = Array.from({ length: ranks + 1 }, (_, level) => level);
  const by = (/** @type {number[]} */ values) => [
    "match",
    ["get", "level"],
    ...levels.flatMap((level) => [level, values[lookOf(level, ranks)]]),
    0,
  ];
  const from = levels.map((level) => (ranks > 1 ? BORDER_FROM[lookOf(level, ranks)] : 0));
  const wide = (/** @type {number} */ scale) => by(BORDER_WIDTH.map((width) => width * scale));
  return line("borders", "county", "borders", {
    filter: ["<=", ["match", ["get", "level"], ...levels.flatMap((level) => [level, from[level]]), 0], ["zoom"]],
    layout: {
      "line-cap": "round",
      "line-join": "round",
      "line-sort-key": ["-", 0, ["get", "level"]],
      visibility: isPlan ? "none" : "visible",
    },
    paint: {
      "line-color": palette.border,
      "line-opacity": by(BORDER_OPACITY),
      "line-width": ["interpolate", ["linear"], ["zoom"], 10, wide(0.8), 11, wide(1), 16, wide(1.76)],
    },
  });
}

/**
 * The layers of the map, bottom first; few, because each costs a pass over every tile.
 *
 * @param {Look} look
 * @returns {StyleLayer[]}
 */
export function layersFor(look) {
  const { palette, shades, isThemed, isFast, hasFigures, hasBase, hasRoads, hasBuildings, isPlan } = look;
  const shown = (/** @type {boolean} */ is) => ({ visibility: is ? "visible" : "none" });
  const weak = isThemed ? 0.1 : 1;
  const byKind = (/** @type {any} */ built, /** @type {any} */ green, /** @type {any} */ water) => [
    "match",
    ["get", "kind"],
    "built",
    built,
    "green",
    green,
    water,
  ];
  const classColour = shades.length
    ? [
        "match",
        ["coalesce", ["feature-state", "class"], -1],
        ...shades.flatMap((shade, place) => [place, shade]),
        palette.paper,
      ]
    : palette.paper;
  return [
    fill("fills", "county", "grids", {
      paint: {
        "fill-antialias": false,
        "fill-color": classColour,
        "fill-opacity": hasFigures && !isPlan ? (hasBase ? 0.55 : 1) : 0,
      },
    }),
    fill("land", "ground", "land", {
      layout: { "fill-sort-key": byKind(0, 1, 2), ...shown(!hasBase) },
      paint: {
        "fill-antialias": isFast,
        "fill-color": byKind(palette.built, palette.green, palette.water),
        "fill-opacity": byKind(weak, weak, 0.92),
      },
    }),
    fill("buildings", "ground", "buildings", {
      minzoom: BUILDINGS_FROM,
      layout: shown(hasBuildings && !hasBase),
      paint: {
        "fill-antialias": isFast,
        "fill-color": palette.building,
        "fill-opacity": ["step", ["zoom"], 0.85, 15, 1],
      },
    }),
    line("casing", "ground", "roads", {
      filter: ["all", isOpen, isCased],
      layout: { "line-join": "round", "line-sort-key": ROAD_ORDER, ...shown(hasRoads && !hasBase) },
      paint: { "line-color": palette["road-casing"], "line-width": roadWidth(1.6) },
    }),
    line("lanes", "ground", "roads", {
      filter: ["all", isOpen, ["!", isCased]],
      layout: shown(hasRoads && !hasBase),
      paint: { "line-color": palette["road-minor"], "line-width": roadWidth(), "line-dasharray": [4, 3] },
    }),
    line("roads", "ground", "roads", {
      filter: ["all", isOpen, isCased],
      layout: {
        "line-cap": "round",
        "line-join": "round",
        "line-sort-key": ROAD_ORDER,
        ...shown(hasRoads && !hasBase),
      },
      paint: { "line-color": palette.road, "line-width": roadWidth() },
    }),
    borderLayer(look),
  ];
}
