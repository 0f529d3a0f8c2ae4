// What the page shows, held in its URL: a link shows another person the same, back goes back.

import { config } from "./texts.js";

const DEFAULT_LAYERS = "roads,buildings,names";
const FIELDS = ["mode", "scheme", "at", "theme", "grid", "point", "view", "entry", "layers", "base", "plan", "village", "step", "standard", "scenario", "part", "run", "against", "kind", "fill", "areas", "changes"];
const listeners = new Set();

function fresh() {
  const base = config.schemes.find((scheme) => scheme.is_base) ?? config.schemes[0];
  return {
    mode: "",
    scheme: base?.code ?? "base",
    at: "",
    theme: "households",
    grid: "",
    point: "",
    view: "",
    entry: "",
    layers: DEFAULT_LAYERS,
    base: "",
    plan: "",
    village: "",
    step: "",
    standard: "",
    scenario: "",
    part: "",
    run: "",
    against: "",
    kind: "",
    fill: "",
    areas: "spots,stations",
    changes: "",
    place: "",
  };
}

function read() {
  const query = new URLSearchParams(location.search);
  const found = fresh();
  for (const field of FIELDS) if (query.has(field)) found[field] = query.get(field);
  found.place = location.hash.slice(1);
  return found;
}

export const state = read();

function address() {
  const query = new URLSearchParams();
  const usual = fresh();
  for (const field of FIELDS) if (state[field] !== usual[field]) query.set(field, state[field]);
  query.set("lang", config.language);
  return `${location.pathname}?${query}${state.place ? `#${state.place}` : ""}`;
}

function tell(changed) {
  for (const listener of listeners) listener(changed);
}

/** Call fn(set of changed fields) after each change. */
export const onChange = (fn) => listeners.add(fn);

/** Change what is shown; a new entry in the history unless it is only about the place. */
export function show(changes) {
  const changed = new Set();
  for (const [field, value] of Object.entries(changes)) {
    const text = String(value ?? "");
    if (state[field] !== text) {
      state[field] = text;
      changed.add(field);
    }
  }
  if (!changed.size) return;
  if (changed.size === 1 && changed.has("place")) history.replaceState(null, "", address());
  else history.pushState(null, "", address());
  tell(changed);
}

/** The address of the same view in another language. */
export function addressIn(language) {
  const url = new URL(address(), location.href);
  url.searchParams.set("lang", language);
  return url.href;
}

addEventListener("popstate", () => {
  const found = read();
  const changed = new Set();
  for (const field of [...FIELDS, "place"]) {
    if (state[field] !== found[field]) changed.add(field);
    state[field] = found[field];
  }
  if (changed.size) tell(changed);
});

/** The keys of the layers that are on. */
export const shownLayers = () => new Set(state.layers.split(",").filter(Boolean));

/** The place in the URL as {lat, lon, zoom}, or null. */
export function placeOfUrl() {
  const [zoom, lat, lon] = state.place.split("/").map(Number);
  return [zoom, lat, lon].every(Number.isFinite) && state.place ? { zoom, lat, lon } : null;
}
