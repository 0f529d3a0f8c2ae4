// What the page shows, held in its URL: a link shows another person the same, back goes back.

import { config } from "./texts.js";

/** @typedef {keyof typeof FIELDS} Field */
/** @typedef {Record<Field, string>} State */

const OVERLAYS = /^[+-]?[a-z_-]*(,[+-]?[a-z_-]+)*$/;
const NUMBER = /^\d*$/;

const usualScheme = (config.schemes.find((scheme) => scheme.is_base) ?? config.schemes[0])?.code ?? "base";

/** @param {string} text as YYYY-MM-DD */
function isDay(text) {
  const day = new Date(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(day.valueOf()) && day.toISOString().startsWith(text);
}

/** @param {number[]} place longitude, latitude */
const isOnEarth = ([lon, lat]) => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;

/** @param {string} text as "zoom/lat/lon" */
function numbersOf(text) {
  const numbers = text.split("/").map(Number);
  return numbers.length === 3 && numbers.every(Number.isFinite) && isOnEarth([numbers[2], numbers[1]]) ? numbers : null;
}

/** @param {string} point as "place:lon,lat" or "kind:number" */
function isPoint(point) {
  return point.startsWith("place:") ? placeOfPoint(point) !== null : /^[a-z_]+:[\w-]+$/.test(point);
}

/** @param {string[]} words */
const oneOf =
  (...words) =>
  (/** @type {string} */ text) =>
    words.includes(text);

const anything = () => true;

/**
 * Every field of the address: what it holds where the address does not name it, and what it may hold.
 *
 * @satisfies {Record<string, {usual: string, allows: (text: string) => boolean}>}
 */
const FIELDS = {
  mode: { usual: "", allows: oneOf("dispatch", "plan", "coverage", "report") },
  scheme: { usual: usualScheme, allows: (code) => config.schemes.some((scheme) => scheme.code === code) },
  at: { usual: "", allows: isDay },
  theme: { usual: "households", allows: anything }, // the server says what is wrong with it
  grid: { usual: "", allows: (id) => NUMBER.test(id) },
  point: { usual: "", allows: isPoint },
  view: { usual: "", allows: oneOf("keys", "list", "enter", "import") },
  entry: { usual: "", allows: anything },
  layers: { usual: "", allows: (keys) => OVERLAYS.test(keys) }, // as map_modes.js writes and reads it
  base: { usual: "", allows: anything },
  plan: { usual: "", allows: (id) => NUMBER.test(id) },
  village: { usual: "", allows: anything },
  step: { usual: "", allows: anything },
  standard: { usual: "", allows: anything },
  scenario: { usual: "", allows: anything },
  part: { usual: "", allows: oneOf("what-if", "compare") },
  run: { usual: "", allows: (id) => NUMBER.test(id) },
  against: { usual: "", allows: (id) => NUMBER.test(id) },
  kind: { usual: "", allows: anything },
  fill: { usual: "", allows: anything },
  areas: { usual: "spots,stations", allows: (keys) => OVERLAYS.test(keys) },
  changes: { usual: "", allows: anything },
  place: { usual: "", allows: (text) => numbersOf(text) !== null },
};

const NAMES = /** @type {Field[]} */ (Object.keys(FIELDS));

/** @type {Set<(changed: Set<Field>) => void>} */
const listeners = new Set();

/** Read the address; what it may not hold is taken as not said, and named in `refused`. */
function read() {
  const query = new URLSearchParams(location.search);
  const fields = /** @type {State} */ ({});
  refused.clear();
  for (const name of NAMES) {
    const text = name === "place" ? location.hash.slice(1) : query.get(name);
    const isGood = text === null || text === "" || FIELDS[name].allows(text);
    if (!isGood) refused.add(name);
    fields[name] = isGood && text !== null ? text : FIELDS[name].usual;
  }
  return fields;
}

/**
 * Fields of the address that held what they may not.
 *
 * @type {Set<Field>}
 */
export const refused = new Set();

export const state = read();

function address() {
  const query = new URLSearchParams();
  for (const name of NAMES) if (name !== "place" && state[name] !== FIELDS[name].usual) query.set(name, state[name]);
  query.set("lang", config.language);
  return `${location.pathname}?${query}${state.place ? `#${state.place}` : ""}`;
}

/** @param {Set<Field>} changed */
function tell(changed) {
  for (const listener of listeners) listener(changed);
}

/**
 * Call fn(set of changed fields) after each change.
 *
 * @param {(changed: Set<Field>) => void} fn
 */
export const onChange = (fn) => listeners.add(fn);

/**
 * Change what is shown; a new entry in the history unless it is only about the place.
 *
 * @param {Partial<Record<Field, string | number | null>>} changes
 */
export function show(changes) {
  /** @type {Set<Field>} */
  const changed = new Set();
  for (const [field, value] of Object.entries(changes)) {
    const name = /** @type {Field} */ (field);
    const text = String(value ?? "");
    if (state[name] !== text) {
      state[name] = text;
      changed.add(name);
    }
  }
  if (!changed.size) return;
  if (changed.size === 1 && changed.has("place")) history.replaceState(null, "", address());
  else history.pushState(null, "", address());
  tell(changed);
}

/**
 * The address of the same view in another language.
 *
 * @param {string} language
 */
export function addressIn(language) {
  const url = new URL(address(), location.href);
  url.searchParams.set("lang", language);
  return url.href;
}

addEventListener("popstate", () => {
  const fields = read();
  const changed = new Set(NAMES.filter((name) => state[name] !== fields[name]));
  Object.assign(state, fields);
  if (changed.size || refused.size) tell(changed);
});

/** The place in the URL as {lat, lon, zoom}, or null. */
export function placeOfUrl() {
  const numbers = numbersOf(state.place);
  return numbers && { zoom: numbers[0], lat: numbers[1], lon: numbers[2] };
}

/**
 * The place that a point "place:lon,lat" is; null where it is another kind of point.
 *
 * @param {string} point
 */
export function placeOfPoint(point) {
  const match = /^place:(-?[\d.]+),(-?[\d.]+)$/.exec(point);
  const [lon, lat] = match ? [Number(match[1]), Number(match[2])] : [];
  if (lon === undefined || lat === undefined || !isOnEarth([lon, lat])) return null;
  return Number.isFinite(lon) && Number.isFinite(lat) ? { lon, lat } : null;
}
