// Gives the map that Folium made its working mode: what is shown follows the URL, and nothing else.

import { get, isStale } from "./api.js";
import { Backdrop } from "./backdrop.js";
import { BaseMaps } from "./basemaps.js";
import { wireChoices } from "./choices.js";
import { at, settled } from "./dom.js";
import { STANDARDS, isMeasured } from "./figures.js";
import { Grids } from "./grids.js";
import { Homes } from "./homes.js";
import { wireKeys } from "./keys.js";
import { late } from "./late.js";
import { Legend } from "./legend.js";
import { layersInAddress, shownLayers, themeNow } from "./map_modes.js";
import { marksOf } from "./marks.js";
import { Names } from "./names.js";
import { offered } from "./offers.js";
import { Panel } from "./panel.js";
import { Points } from "./points.js";
import { wireSearch } from "./search.js";
import { wireSheet } from "./sheet.js";
import { onChange, placeOfPoint, placeOfUrl, refused, show, state } from "./state.js";
import { config, coordinates, day, t, takeSchemes } from "./texts.js";
import { View } from "./view.js";

/** @import { Shape } from "../types/answers.js" */
/** @import { Box } from "../types/page.js" */
/** @import { Screens } from "./late.js" */
/** @import { Field } from "./state.js" */

const map = window.grid_map_page;
const layers = map.pageLayers;
const scheme = () => config.schemes.find((known) => known.code === state.scheme) ?? config.schemes[0];
const baseLevel = () => scheme().levels.reduce((a, b) => (a.rank > b.rank ? a : b));
const hasCounty = config.schemes.length > 0;

let noticeTimer = 0;
let hoverFrame = 0;

/**
 * Say for a while what went wrong and what to do.
 *
 * @param {Error} error
 */
function onError(error) {
  if (!isStale(error)) notify(error.message);
}

/** @param {string} text */
function notify(text) {
  at("notice").textContent = text;
  at("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (at("notice").hidden = true), 9000);
}

/** Say which part of the address could not be shown. */
function sayRefused() {
  if (!refused.size) return;
  const field = /** @type {Field[]} */ (["at", "place", "point"]).find((name) => refused.has(name));
  notify(t(field ? `link_wrong_${field}` : "link_wrong"));
}

// --- the place ---------------------------------------------------------------------------------

/** @param {Box} box */
const boundsOf = ([west, south, east, north]) => L.latLngBounds([south, west], [north, east]);

/** The whole county; null where its place is not known. */
const countyBounds = () => (config.county?.bbox ? boundsOf(config.county.bbox) : null);

/** What one answers for, or the whole county. */
function homeBounds() {
  const [first, ...others] = (config.actor.areas ?? []).map(({ bbox }) => boundsOf(bbox));
  return first ? others.reduce((all, bounds) => all.extend(bounds), first) : countyBounds();
}

const mapView = new View(map);
const insets = () => mapView.insets();
function showAll() {
  const bounds = countyBounds();
  if (bounds) mapView.fit(bounds, true);
}
/** @type {View["fly"]} */
const fly = (bounds, maxZoom) => mapView.fly(bounds, maxZoom);
/** @type {View["flyTo"]} */
const flyTo = (place) => mapView.flyTo(place);

function rememberPlace() {
  const { lat, lng } = map.getCenter();
  show({ place: `${map.getZoom()}/${lat.toFixed(5)}/${lng.toFixed(5)}` });
}

const openedAt = placeOfUrl();

/** Look where the URL says, or at what one answers for, before anything is drawn. */
function lookFirst() {
  if (openedAt) {
    map.setView([openedAt.lat, openedAt.lon], openedAt.zoom, { animate: false });
    return;
  }
  const bounds = homeBounds();
  if (bounds) mapView.fit(bounds);
}

// --- what comes with its modules, when somebody first wants it ---------------------------------

/** @type {Screens} */
const screens = {
  dispatch: late(
    "dispatch",
    () => import("./dispatch.js"),
    ({ Dispatch }) => {
      const pick = (/** @type {number} */ grid) => show({ mode: "", grid, point: "", view: "" });
      return new Dispatch(map, { panel, grids, sheet, insets, pick, flyTo, onError });
    },
  ),
  plan: late(
    "plan",
    () => import("./plan.js"),
    ({ PlanMode }) =>
      new PlanMode(map, {
        panel,
        grids,
        ground,
        fly,
        onError,
        onDrawn: () => names.refresh(),
        onCounted: (figures) => legend.update(figures, baseLevel()),
        onPublished: () => takePublished().catch(onError),
      }),
  ),
  coverage: late(
    "coverage",
    () => import("./coverage.js"),
    ({ CoverageMode }) =>
      new CoverageMode(map, {
        panel,
        grids,
        ground,
        legend,
        homes,
        fly,
        flyTo,
        baseLevel,
        onError,
        onDrawn: () => names.refresh(),
      }),
  ),
  entry: late(
    "entry",
    () => import("./entry.js"),
    ({ Entry }) => new Entry({ map, sheet, points, grids, ground, flyTo }),
  ),
  imports: late(
    "imports",
    () => import("./imports.js"),
    ({ Imports }) => new Imports({ sheet, points }),
  ),
};

// --- the parts ---------------------------------------------------------------------------------

// Before the first look: the map keeps clear of the sheet, and of the choices that lie over it on a phone.
const sheet = wireSheet();
wireChoices(scheme, onError);
lookFirst();
const isCovering = () => state.mode === "coverage" || state.mode === "report";
let pickedOnMap = false;
const ground = new Backdrop(map, { onError, onDrawn: () => names.refresh() });
const points = new Points(map, {
  onPick: (point) => show({ point, grid: "", view: "" }),
  onError,
  onShown: () => {
    names.refresh();
    legend.showSymbols(points.kindsShown());
  },
});
const grids = new Grids(map, {
  onPick: (grid, latlng) => {
    if (state.mode === "plan" && latlng) {
      screens.plan.now?.click(latlng, grid);
      return;
    }
    if (state.mode === "dispatch" && latlng) {
      choosePlace(latlng);
      return;
    }
    if (isCovering() && latlng && screens.coverage.now?.click(latlng)) return;
    // Who clicks on the map sees the place already; only other ways of choosing move the map.
    pickedOnMap = true;
    show({ grid, point: "", view: "" });
    pickedOnMap = false;
  },
  hoverInstead: (id, latlng) => {
    if (state.mode === "plan") screens.plan.now?.hover(id, latlng);
    return state.mode === "plan" ? Boolean(screens.plan.now) : isCovering() && screens.coverage.now?.hover(latlng);
  },
  onError,
  backdrop: ground,
});
const names = new Names(map, /** @type {L.LayerGroup} */ (layers.names), {
  grids: () =>
    (state.mode === "plan" ? screens.plan.now?.labels() : null) ??
    (grids.levels.length ? grids.ofRank(grids.baseRank) : []),
  figures: () => grids.figures,
  selected: () => grids.selected,
  streets: () => ground.streets(),
  marks: () => marksOf(map),
  blocked: () => mapView.bars(),
});
const homes = new Homes(map, onError);
const control = /** @type {HTMLElement} */ (document.querySelector(".leaflet-control-layers"));
const legend = new Legend(control);
const panel = new Panel({ grids, points, flyTo, scheme, sheet, screens, onOverview: takeKinds });
const baseMaps = new BaseMaps(map, control.querySelector("section") ?? control, {
  onChange: (hasBase) => showBase(hasBase),
  onError,
});
const pin = L.layerGroup().addTo(map);

/** Boundaries were published: what is drawn and listed may be old. */
async function takePublished() {
  takeSchemes(await get("/api/schemes"));
  grids.forget();
  applyVersion();
  await applyGeometry();
  await applyTheme();
}

/**
 * The place of a call: clicked on the map.
 *
 * @param {L.LatLng} place
 */
function choosePlace({ lng, lat }) {
  pickedOnMap = true;
  show({ point: `place:${lng.toFixed(6)},${lat.toFixed(6)}`, grid: "", view: "" });
  pickedOnMap = false;
}

// --- what is shown follows the state -----------------------------------------------------------

function applyLayers() {
  const wanted = shownLayers();
  for (const [key, layer] of Object.entries(layers)) {
    if (wanted.has(key) && !map.hasLayer(layer)) map.addLayer(layer);
    if (!wanted.has(key) && map.hasLayer(layer)) map.removeLayer(layer);
    points.toggle(key, wanted.has(key));
  }
  ground.set({ hasRoads: wanted.has("roads"), hasBuildings: wanted.has("buildings") });
}

function rememberLayers() {
  const keys = Object.keys(layers).filter((key) => map.hasLayer(layers[key]));
  show({ layers: layersInAddress(keys) });
}

/**
 * Above a map of others our own ground steps back, and the figures let it shine through.
 *
 * @param {boolean} hasBase
 */
function showBase(hasBase) {
  ground.set({ hasBase });
}

async function applyGeometry() {
  try {
    await grids.load(scheme(), state.at);
    names.refresh();
  } catch (error) {
    onError(error);
  }
}

async function applyTheme() {
  // There the figures of a run colour the map.
  if (isCovering()) {
    await screens.coverage.now?.paint();
    return;
  }
  try {
    if (!(await grids.showTheme(scheme(), themeNow(), state.at))) return;
    legend.update(grids.figures, baseLevel());
    await screens.plan.now?.count();
  } catch (error) {
    legend.update(null, baseLevel(), error.message);
  }
  ground.set({ isThemed: grids.figures !== null && isMeasured(grids.figures) });
  names.refresh();
}

/** @param {boolean} isFirst whether the page has only just been opened */
async function applySelection(isFirst) {
  grids.select(state.grid);
  homes.show(state.grid);
  names.refresh();
  pin.clearLayers();
  const place = placeOfPoint(state.point);
  if (place) {
    L.marker([place.lat, place.lon], {
      icon: L.divIcon({ className: "pin", iconSize: [22, 22] }),
      pane: "points",
      interactive: false,
      keyboard: false,
    }).addTo(pin);
  }
  // A link that names a place is looked at there; one that names only a grid goes to the grid.
  if (!state.grid || (isFirst && openedAt) || pickedOnMap) return;
  const bounds = grids.boundsOf(state.grid);
  const isSmall = bounds && isFirst && map.getBoundsZoom(bounds) > map.getZoom() + 2;
  if (bounds && (isSmall || !mapView.isSeen(bounds))) fly(bounds.pad(0.6), 15);
}

function applyVersion() {
  const asOf = state.at || config.today;
  const inForce = (scheme().versions ?? []).filter((version) => version.effective_day <= asOf);
  const [newest] = inForce.sort((a, b) => b.effective_day.localeCompare(a.effective_day));
  at("version").textContent = newest ? t("boundary_version", { day: day(newest.effective_day) }) : "";
  at("version").title = newest?.title ?? "";
}

/** @type {(keyof import("../types/page.js").Shell & `mode-${string}`)[]} */
const MODE_BUTTONS = ["mode-map", "mode-dispatch", "mode-plan", "mode-coverage", "mode-report"];

function markRail() {
  const isOther = ["enter", "import", "list"].includes(state.view);
  for (const id of MODE_BUTTONS) {
    if (id === `mode-${state.mode || "map"}` && !isOther) at(id).setAttribute("aria-current", "page");
    else at(id).removeAttribute("aria-current");
  }
  at("open-enter").setAttribute("aria-pressed", String(state.view === "enter" || state.view === "import"));
  at("open-list").setAttribute("aria-pressed", String(state.view === "list"));
  at("open-keys").setAttribute("aria-pressed", String(state.view === "keys"));
}

onChange(async (changed) => {
  sayRefused();
  const has = (/** @type {Field[]} */ ...fields) => fields.some((field) => changed.has(field));
  if (changed.size === 1 && changed.has("place")) return;
  if (has("layers", "mode")) applyLayers();
  if (changed.has("base")) baseMaps.apply();
  if (has("view", "mode")) markRail();
  if (has("mode", "point") && !(state.mode === "dispatch" && state.point)) screens.dispatch.now?.leave();
  if (has("mode") && state.mode !== "plan") screens.plan.now?.leave();
  if (has("mode") && !isCovering()) screens.coverage.now?.leave();
  if (has("changes", "areas", "fill")) screens.coverage.now?.follow(changed);
  if (!hasCounty) {
    panel.update();
    return;
  }
  if (has("scheme", "at")) {
    applyVersion();
    await applyGeometry();
  }
  if (has("grid", "point")) applySelection(false);
  if (has("theme", "scheme", "at") || (has("mode") && !isCovering())) await applyTheme();
  if (
    has(
      "mode",
      "grid",
      "point",
      "view",
      "entry",
      "scheme",
      "at",
      "plan",
      "village",
      "step",
      "standard",
      "scenario",
      "part",
      "run",
      "against",
      "kind",
    ) ||
    (has("theme") && !state.grid && !state.point)
  )
    panel.update();
});

addEventListener("popstate", () => {
  const place = placeOfUrl();
  if (place) map.setView([place.lat, place.lon], place.zoom, { animate: false });
});

// --- the focus ---------------------------------------------------------------------------------

/**
 * Buttons of the rail by the view that they open.
 *
 * @type {Record<string, string>}
 */
const OPENERS = { list: "open-list", enter: "open-enter", import: "open-enter", keys: "open-keys" };
const isSheetOpen = () => Boolean(state.view || state.grid || state.point);
let wasSheetOpen = isSheetOpen();
/** @type {Element | null} */
let opener = null;

/** Remember who opened a sheet, and give the focus back when it is closed, unless it has gone elsewhere since. */
function keepFocus() {
  const isOpen = isSheetOpen();
  if (isOpen === wasSheetOpen) return;
  wasSheetOpen = isOpen;
  const { activeElement } = document;
  const isInPanel = at("panel").contains(activeElement);
  if (isOpen) {
    if (isInPanel) opener = at("panel");
    else opener = activeElement === document.body ? at(OPENERS[state.view] ?? "") : activeElement;
    return;
  }
  if (!isInPanel && activeElement !== document.body) return;
  const isThere = opener?.isConnected && opener.getClientRects().length > 0;
  (isThere && opener instanceof HTMLElement ? opener : map.getContainer()).focus({ preventScroll: true });
}

onChange(keepFocus);

// --- the shell ---------------------------------------------------------------------------------

/**
 * Open a view of the panel and put the focus into it, or close the one that is open.
 *
 * @param {string} view
 */
function toggleView(view) {
  if (state.view === view) {
    show({ view: "" });
    return;
  }
  panel.askFocus();
  show({ view });
  at("panel").focus({ preventScroll: true });
}

/**
 * Go to a mode of the county.
 *
 * @param {string} mode
 * @param {Partial<Record<Field, string>>} again what it forgets when it is chosen once more
 */
const goTo = (mode, again) =>
  hasCounty && show({ mode, view: "", grid: "", point: "", ...(state.mode === mode && again) });

/** One step out of what is open. */
function stepBack() {
  const choice = /** @type {HTMLDetailsElement | null} */ (document.querySelector("details.choice[open]"));
  if (choice) {
    choice.open = false;
    choice.querySelector("summary")?.focus();
    return;
  }
  if (state.view) show({ view: "" });
  else show({ grid: "", point: "" });
}

const PAN_PX = 120;
/** @type {Record<string, [number, number]>} */
const PAN = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const mayEnter = () => offered("enter") || offered("import");

/**
 * What keys and buttons do, by the names of keys.js.
 *
 * @type {Record<string, (event: Event) => void>}
 */
const actions = {
  search: () => {
    at("search-text").focus();
    at("search-text").select();
  },
  map: () => show({ mode: "", view: "", grid: "", point: "" }),
  dispatch: () => offered("dispatch") && show({ mode: "dispatch", view: "", grid: "", point: "" }),
  plan: () => offered("plans") && goTo("plan", { plan: "", village: "", step: "" }),
  coverage: () => goTo("coverage", { part: "" }),
  report: () => offered("county_report") && goTo("report", { part: "" }),
  incident: () => state.mode === "dispatch" && screens.dispatch.now?.startReport(),
  list: () => toggleView("list"),
  enter: () => mayEnter() && toggleView("enter"),
  keys: () => toggleView("keys"),
  all: showAll,
  pan: (event) => {
    const [x, y] = PAN[/** @type {KeyboardEvent} */ (event).key];
    map.panBy([x * PAN_PX, y * PAN_PX]);
  },
  // To the next whole zoom, also from what a fit has left between two.
  zoomIn: () => map.setZoom(Math.floor(map.getZoom()) + 1),
  zoomOut: () => map.setZoom(Math.ceil(map.getZoom()) - 1),
  back: stepBack,
};

/**
 * Which screen a button of the rail opens.
 *
 * @type {[button: HTMLElement, screen: Screens[keyof Screens]][]}
 */
const OPENS = [
  [at("mode-dispatch"), screens.dispatch],
  [at("mode-plan"), screens.plan],
  [at("mode-coverage"), screens.coverage],
  [at("mode-report"), screens.coverage],
  [at("open-enter"), screens.entry],
];

/** Leaflet's own question, which its types leave out. */
const isBeingDragged = () => /** @type {any} */ (map.dragging).moving();

function wireShell() {
  at("mode-dispatch").hidden = !offered("dispatch");
  at("mode-plan").hidden = !hasCounty || !offered("plans");
  at("mode-coverage").hidden = !hasCounty;
  at("mode-report").hidden = !hasCounty || !offered("county_report");
  at("open-enter").hidden = !mayEnter();
  // Whoever points at a button will likely press it: its scripts are on their way by then.
  for (const [button, screen] of OPENS) {
    for (const sign of ["pointerenter", "focus"]) button.addEventListener(sign, screen.prepare, { once: true });
  }
  map.getContainer().setAttribute("role", "region");
  map.getContainer().setAttribute("aria-label", t("map_label"));
  at("scale-slot").append(document.querySelector(".leaflet-control-scale") ?? "");
  map.on(
    "mousemove",
    ({ latlng }) => (at("coordinates").textContent = `${coordinates({ lon: latlng.lng, lat: latlng.lat })} CGCS2000`),
  );
  map.on("click", ({ latlng }) => {
    const id = state.mode === "dispatch" ? null : grids.under(latlng);
    if (state.mode === "dispatch") choosePlace(latlng);
    else if (state.mode === "plan") screens.plan.now?.click(latlng, id ?? 0);
    else if (isCovering() && screens.coverage.now?.click(latlng)) return;
    else if (id) grids.onPick(id);
    else show({ grid: "", point: "" });
  });
  map.on("mousemove", ({ latlng }) => {
    cancelAnimationFrame(hoverFrame);
    if (!isBeingDragged()) hoverFrame = requestAnimationFrame(() => grids.hoverAt(latlng));
  });
  map.on("mouseout", () => grids.tip.remove());
  map.on("overlayadd overlayremove", rememberLayers);
  map.on("moveend", settled(250, rememberPlace));
  // Names keep clear of what lies over the map, which grows and shrinks with what is in it.
  const over = new ResizeObserver(() => names.refresh());
  for (const element of [at("panel"), at("legend")]) over.observe(element);
  // Outlines of the focused map are for those who use keys.
  document.addEventListener("keydown", () => document.documentElement.classList.add("by-keys"), true);
  document.addEventListener("pointerdown", () => document.documentElement.classList.remove("by-keys"), true);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    ground.recolour();
    screens.plan.now?.recolour();
    names.refresh();
    if (hasCounty) applyTheme().then(() => grids.select(state.grid));
  });
}

async function loadBackground() {
  try {
    const places = await get("/api/layers/places");
    names.setPlaces(places.features);
  } catch (error) {
    onError(error);
  }
}

/**
 * Learn from the overview which kinds of facility can be chosen as a theme.
 *
 * @param {Shape<"Overview">} overview
 */
function takeKinds(overview) {
  legend.offer(
    Object.fromEntries(
      STANDARDS.map((standard) => [standard, Object.keys(overview.coverage?.[standard]?.kinds ?? {})]),
    ),
  );
}

async function start() {
  sayRefused();
  wireShell();
  wireKeys(actions);
  wireSearch({ flyTo, isOwn: grids.isOwn, onPicked: () => panel.askFocus() });
  markRail();
  if (!hasCounty) {
    at("foot").hidden = true;
    panel.update();
    return;
  }
  applyLayers();
  applyVersion();
  const geometry = applyGeometry();
  const theme = applyTheme();
  loadBackground();
  panel.update();
  if (state.grid || state.point || state.view) get("/api/overview", { scheme: state.scheme }).then(takeKinds, onError);
  await Promise.all([geometry, theme]);
  grids.restyle();
  applySelection(true);
  panel.allowFlying();
  await ground.drawn();
  performance.mark("map-useful");
  document.documentElement.dataset.ready = "true";
}

start();
