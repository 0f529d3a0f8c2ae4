// The plan mode: a village's shared edges under the hand, live load on both sides, nothing lost.

import { isStale } from "./api.js";
import { outlineOf } from "./backdrop.js";
import { at, h, settled, token } from "./dom.js";
import { commandOf } from "./keys.js";
import { listenLive } from "./live.js";
import { PlanBar } from "./plan_bar.js";
import { Comparison } from "./plan_compare.js";
import { Draft, keptStroke } from "./plan_draft.js";
import { draftFigures } from "./plan_legend.js";
import { boxOf, boxText, joined, labelPoint, positionsOf } from "./plan_geometry.js";
import { mayPlan, showPlans, showVersion } from "./plan_list.js";
import { PlanMap } from "./plan_map.js";
import { actorName } from "./plan_parts.js";
import { isProposing } from "./plan_scope.js";
import { Snapper } from "./plan_snap.js";
import { p } from "./plan_texts.js";
import { TOOLS } from "./plan_tools.js";
import { Work } from "./plan_work.js";
import { show, state } from "./state.js";

/** @import { Children } from "./dom.js" */
/** @import { Grids } from "./grids.js" */
/** @import { Box } from "../types/page.js" */
/** @import { Edit } from "./plan_draft.js" */
/** @import { Edge, Land } from "./plan_geometry.js" */
/** @import { Change, Face, Faces } from "./plan_map.js" */
/** @import { Tool } from "./plan_tools.js" */
/**
 * @typedef {object} Panel what the mode needs of the panel
 * @property {HTMLElement} body
 * @property {AbortController} abort
 * @property {{find: (point: string) => Promise<any>}} points
 * @property {(place: any) => void} flyTo
 * @property {(kind: string, title: Children, ...children: Children[]) => void} fill
 * @property {() => void} update
 * @property {() => void} focusIfAsked
 */
/**
 * @typedef {object} Around what the mode is given of the page
 * @property {Panel} panel
 * @property {Grids} grids
 * @property {{set: (state: {isPlan: boolean}) => void}} ground
 * @property {(bounds: L.LatLngBounds, maxZoom: number) => void} fly
 * @property {(error: Error) => void} onError
 * @property {() => void} onPublished
 * @property {() => void} onDrawn
 * @property {(figures: import("../types/page.js").Figures | null) => void} onCounted the figures of the legend
 */

const FACES_FROM = 13;
const OUTWARD = 1.02;
const TYPED = "input:not([type=checkbox], [type=range]), select, textarea";
const MOST_OUTLINES = 80;

/** @param {Box} box */
const boundsOf = ([west, south, east, north]) => L.latLngBounds([south, west], [north, east]);

export class PlanMode {
  /**
   * @param {L.Map} map
   * @param {Around} around
   */
  constructor(map, { panel, grids, ground, fly, onError, onPublished, onDrawn, onCounted }) {
    this.map = map;
    this.panel = panel;
    this.grids = grids;
    this.ground = ground;
    this.fly = fly;
    this.onError = onError;
    this.onPublished = onPublished;
    this.onDrawn = onDrawn;
    this.onCounted = onCounted;
    this.toolName = "move";
    /** @type {Tool | null} */
    this.tool = null;
    /** @type {Draft | null} the plan at hand */
    this.opened = null;
    /** @type {PlanMap | null} what the mode draws, between enter() and leave() */
    this.drawing = null;
    /** @type {string | null} */
    this.villageShown = null;
    /** @type {Edge[]} */
    this.edges = [];
    /** @type {Map<string, Promise<any>>} */
    this.edgesOf = new Map();
    /** @type {Change | null} what the edit in the hand would do */
    this.change = null;
    /** @type {Error | null} */
    this.tryError = null;
    /** @type {import("./plan_draft.js").KeptStroke | null} a stroke to take up again */
    this.resume = null;
    /** @type {L.LatLngBounds | null} where faces were fetched */
    this.loaded = null;
    this.isFar = false;
    this.isSkipping = false;
    this.hoverFrame = 0;
    this.hoveredVillage = "";
    /** @type {AbortController | null} */
    this.facesAbort = null;
    this.stopKeys = new AbortController();
    this.stopLive = () => {};
    this.bar = new PlanBar(this);
    this.work = new Work(this);
    this.comparison = new Comparison(this);
    /** @type {import("./plan_propose.js").Proposals | null} once somebody asked for one */
    this.proposals = null;
    this.snapper = new Snapper(map, "plan-work", onError);
    this.lasso = L.polyline([], {
      pane: "plan-work",
      interactive: false,
      weight: 2,
      dashArray: "4 4",
      className: "plan-lasso-line",
    });
    this.follow = settled(180, () => this.loadFaces().catch((error) => isStale(error) || onError(error)));
  }

  get village() {
    return state.village;
  }

  get isPending() {
    return Boolean(this.opened?.edit);
  }

  /** The plan at hand; only where one is open. */
  get draft() {
    return /** @type {Draft} */ (this.opened);
  }

  /** What the mode draws; only between enter() and leave(). */
  get canvas() {
    return /** @type {PlanMap} */ (this.drawing);
  }

  // --- what is known of the draft -------------------------------------------------------------------

  /** @type {(key: string) => string} */
  nameOf = (key) => this.drawing?.faces.get(key)?.properties.name || this.grids.grid(key)?.name || key;

  /** The draft's grids as the map writes their names; null while the published ones are shown. */
  labels() {
    if (!this.drawing || !this.opened || this.isFar || !this.drawing.faces.size) return null;
    return [...this.canvas.faces.values()]
      .filter(({ properties }) => !this.canvas.labelled.has(properties.key))
      .map((face) => ({
        grid_id: Number(face.properties.key),
        rank: this.grids.baseRank,
        name: this.nameOf(face.properties.key),
        figure: face.properties.households,
        ...(String(face.properties.parent) === this.village && { order: 0 }),
        label:
          (face.properties.changed ? null : this.grids.grid(face.properties.key)?.label) ??
          (face.label ??= labelPoint(face.geometry)),
      }));
  }

  /** @type {(key: string) => number | undefined} */
  householdsOf = (key) => this.canvas.faces.get(key)?.properties.households;

  /** @type {(key: string) => import("./plan_map.js").Target} */
  targetOf = (key) =>
    this.canvas.faces.get(key)?.properties.target ??
    this.canvas.targets.get(key) ??
    [...this.canvas.targets.values()][0];

  get facesHere() {
    return [...this.canvas.faces.values()]
      .filter(({ properties }) => String(properties.parent) === this.village)
      .sort(
        (a, b) =>
          String(a.properties.code ?? "~").localeCompare(String(b.properties.code ?? "~")) ||
          a.properties.name.localeCompare(b.properties.name),
      );
  }

  /** Keys of the village's grids. */
  get keys() {
    return this.facesHere.map(({ properties }) => properties.key);
  }

  /** Keys of the village's grids, then of those around it. */
  keysAround() {
    const box = boxOf(
      this.facesHere.flatMap((face) => [
        [face.box[0], face.box[1]],
        [face.box[2], face.box[3]],
      ]),
    );
    const near = [...this.canvas.faces.values()].filter(
      ({ box: b }) => b[0] <= box[2] && b[2] >= box[0] && b[1] <= box[3] && b[3] >= box[1],
    );
    return [...new Set([...this.keys, ...near.map(({ properties }) => properties.key)])];
  }

  /**
   * The name of what lies beyond a point of a grid's border.
   *
   * @param {number[]} place
   * @param {string} own
   * @param {number[]} centre
   */
  neighbourAt(place, own, centre) {
    const [lng, lat] = place.map((value, axis) => centre[axis] + (value - centre[axis]) * OUTWARD);
    const key = this.canvas.keyAt({ lat, lng });
    return key && key !== own ? this.nameOf(key) : "";
  }

  villages() {
    const above = this.grids.baseRank - 1;
    const changed = new Set(
      [...this.canvas.faces.values()]
        .filter(({ properties }) => properties.changed)
        .map(({ properties }) => String(properties.parent)),
    );
    return this.grids
      .ofRank(above)
      .map((grid) => ({
        key: String(grid.grid_id),
        name: grid.name,
        code: grid.code,
        above: this.nameOf(String(grid.parent_grid_id ?? "")),
        isChanged: changed.has(String(grid.grid_id)),
      }))
      .sort((a, b) => Number(b.isChanged) - Number(a.isChanged) || a.code.localeCompare(b.code));
  }

  // --- coming and going -------------------------------------------------------------------------------

  enter() {
    if (this.drawing) return;
    const { map } = this;
    this.drawing = new PlanMap(map, {
      chainOf: (parent) => (this.grids.grid(parent) ? this.grids.chain(Number(parent)) : [parent]),
      classOf: (key) => (this.grids.figures?.theme === "households" ? this.grids.figures.class_of[key] : null) ?? -1,
      onSign: (finding) => this.showPlace(finding),
      onDrawn: this.onDrawn,
    });
    this.lasso.addTo(map);
    at("bar").after(this.bar.element);
    document.body.classList.add("planning");
    map.on("moveend", this.follow);
    map.doubleClickZoom.disable();
    this.stopKeys = new AbortController();
    document.addEventListener("keydown", (event) => this.onKey(event), { signal: this.stopKeys.signal, capture: true });
    document.addEventListener("keyup", (event) => event.key === "Alt" && this.turnSnap(false), {
      signal: this.stopKeys.signal,
    });
    addEventListener(
      "beforeunload",
      (event) => ["saving", "waiting"].includes(this.opened?.state ?? "") && event.preventDefault(),
      { signal: this.stopKeys.signal },
    );
    this.stopLive = listenLive(
      ({ type, data }) => (type === "plan" ? this.heard(data) : type === "version" && this.publishedNew()),
      (isOn) => this.bar.element.classList.toggle("alive", isOn),
    );
  }

  /** Take the colours again, after the surroundings went dark or light. */
  recolour() {
    if (this.opened && !this.isFar) this.drawing?.draw();
  }

  leave() {
    if (!this.drawing) return;
    this.dropTool();
    this.stopLive();
    this.stopKeys.abort();
    this.bar.element.remove();
    document.body.classList.remove("planning", "in-plan", "proposing");
    this.map.off("moveend", this.follow);
    this.map.doubleClickZoom.enable();
    this.lasso.remove();
    this.snapper.clear();
    this.comparison.stop();
    this.drawing.clear();
    this.drawing = null;
    this.opened = null;
    this.edgesOf.clear();
    this.ground.set({ isPlan: false });
  }

  /**
   * Show in the panel what the state asks for.
   *
   * @param {AbortSignal} signal
   */
  async render(signal) {
    this.enter();
    await this.grids.newest();
    signal.throwIfAborted();
    if (state.grid || state.point) {
      await this.goTo(signal);
      return;
    }
    if (!state.plan) {
      this.closePlan();
      if (state.step.startsWith("version:")) await showVersion(this, state.step.slice(8), signal);
      else await showPlans(this, signal);
      return;
    }
    if (this.opened?.id !== state.plan) await this.openPlan(state.plan, signal);
    signal.throwIfAborted();
    if (this.villageShown !== this.village) await this.openVillage(signal);
    signal.throwIfAborted();
    this.bar.draw();
    document.body.classList.toggle("proposing", isProposing());
    if (state.step === "publish") {
      this.dropTool();
      const { showPath } = await import("./plan_publish.js");
      await showPath(this, signal);
    } else if (isProposing()) {
      this.dropTool();
      const { Proposals } = await import("./plan_propose.js");
      this.proposals ??= new Proposals(this);
      signal.throwIfAborted();
      await this.proposals.render(signal);
    } else await this.work.show();
  }

  /**
   * Something was chosen by search: its village is what a planner wants of it.
   *
   * @param {AbortSignal} signal
   */
  async goTo(signal) {
    let { village } = state;
    if (state.grid) {
      const above = this.grids.baseRank - 1;
      const around = this.grids.chain(state.grid).find((id) => this.grids.grid(id)?.rank === above);
      if (around && state.plan) village = String(around);
    } else {
      const point = await this.panel.points.find(state.point);
      signal.throwIfAborted();
      if (point) this.panel.flyTo(point);
    }
    show({ grid: "", point: "", village, step: "" });
  }

  closePlan() {
    if (this.opened) {
      this.dropTool();
      this.comparison.stop();
      this.opened = null;
      this.onCounted(this.grids.figures);
      this.villageShown = null;
      this.edgesOf.clear();
      this.canvas.forget();
      this.canvas.draw();
      this.ground.set({ isPlan: false });
      this.snapper.load(null);
    }
    this.canvas.clearWork();
    this.bar.element.replaceChildren();
    document.body.classList.remove("in-plan", "proposing");
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async openPlan(id, signal) {
    this.closePlan();
    const draft = new Draft(id, {
      onChange: (change, why) => this.changed(change, why),
      onTry: (change, error) => this.tried(change, error),
      onState: () => this.drawState(),
    });
    await draft.load(signal);
    this.opened = draft;
    document.body.classList.add("in-plan");
    this.villageShown = null;
    this.loaded = null;
    await Promise.all([this.loadFaces(), this.count()]);
    this.takeUp();
  }

  /** A stroke that this browser could not save before: take it up where it was. */
  takeUp() {
    const kept = keptStroke(this.draft.id);
    if (!kept || !this.draft.isOpen) return;
    this.resume = kept;
    if (kept.context?.village && kept.context.village !== state.village)
      show({ village: kept.context.village, step: "" });
  }

  /** @param {AbortSignal} signal */
  async openVillage(signal) {
    this.dropTool();
    this.villageShown = this.village;
    this.edges = [];
    if (!this.village) {
      this.canvas.clearWork();
      return;
    }
    const [faces, edges] = await Promise.all([
      this.draft.ask("/faces", { village: this.village }, signal),
      this.edgesFor(this.village),
    ]);
    if (signal.aborted) {
      this.villageShown = null;
      signal.throwIfAborted();
    }
    this.canvas.take(faces);
    this.edges = edges;
    this.canvas.draw();
    if (faces.features.length) {
      const bounds = boundsOf(boxOf(faces.features.flatMap((/** @type {Face} */ face) => positionsOf(face.geometry))));
      const isWellSeen = this.map.getBounds().contains(bounds) && this.map.getBoundsZoom(bounds) <= this.map.getZoom();
      if (!isWellSeen) this.fly(bounds, 16);
    }
    if (this.draft.isOpen) this.snapper.load(this.draft.id);
  }

  /**
   * The shared edges of a village; asked for once.
   *
   * @param {string} village
   */
  async edgesFor(village) {
    const asked = this.edgesOf.get(village) ?? this.draft.ask("/edges", { parent: village });
    this.edgesOf.set(village, asked);
    asked.catch(() => this.edgesOf.delete(village));
    const { features } = await asked;
    return joined(features.filter((/** @type {Edge} */ { properties }) => properties.left && properties.right));
  }

  /**
   * Fetch the faces in view; above them the published borders step back.
   *
   * @param {boolean} [isForced]
   */
  async loadFaces(isForced = false) {
    const { opened: draft } = this;
    if (!draft) return;
    const isNear = this.map.getZoom() >= FACES_FROM - (isProposing() ? 1 : 0);
    this.ground.set({ isPlan: isNear });
    if (!isNear) {
      this.canvas.fills.clearLayers();
      this.canvas.borders.clearLayers();
      this.isFar = true;
      return;
    }
    const view = this.map.getBounds();
    if (!isForced && this.loaded?.contains(view)) {
      if (this.isFar) this.canvas.draw();
      this.isFar = false;
      return;
    }
    this.facesAbort?.abort();
    this.facesAbort = new AbortController();
    const wide = view.pad(0.25);
    const bbox = boxText([wide.getWest(), wide.getSouth(), wide.getEast(), wide.getNorth()]);
    const faces = await draft.ask("/faces", { bbox }, this.facesAbort.signal);
    if (this.opened !== draft) return;
    if (isForced) this.canvas.faces.clear();
    this.canvas.take(faces);
    this.loaded = wide;
    this.isFar = false;
    this.canvas.draw();
  }

  /** Let the legend count the draft, where one is open. */
  async count() {
    const { opened: draft, grids } = this;
    await grids.themed;
    if (!draft || !grids.figures) return;
    const { features, retired } = await draft.ask("/faces", { changed: true });
    if (this.opened === draft && grids.figures) this.onCounted(draftFigures(grids.figures, features, retired));
  }

  // --- the map ----------------------------------------------------------------------------------------

  /**
   * Village under a place: of the drafted face, else of the published grid.
   *
   * @param {L.LatLng} latlng
   * @param {number} id
   */
  villageAt(latlng, id) {
    const face = this.canvas.faces.get(this.canvas.keyAt(latlng) ?? "");
    const parent = face ? face.properties.parent : this.grids.grid(id)?.parent_grid_id;
    return parent ? String(parent) : "";
  }

  /**
   * @param {number} id of the published grid
   * @param {L.LatLng} latlng
   */
  hover(id, latlng) {
    if (!this.drawing) return;
    cancelAnimationFrame(this.hoverFrame);
    this.hoverFrame = requestAnimationFrame(() => this.hovered(id, latlng));
  }

  /**
   * @param {number} id of the published grid
   * @param {L.LatLng} latlng
   */
  hovered(id, latlng) {
    if (!this.opened || !this.drawing) return;
    if (isProposing()) {
      this.tip(this.proposals?.hover(latlng) ?? "", latlng);
      return;
    }
    if (this.isPending || state.step) {
      this.grids.tip.remove();
      return;
    }
    const village = this.villageAt(latlng, id);
    let hint = "";
    if (this.village && village === this.village && this.tool)
      hint = this.tool.hover?.(latlng) ?? p(`hover_${this.toolName}`);
    else if (village && village !== this.village && !this.tool?.stroke) {
      hint = p("hover_village", { name: this.nameOf(village) });
      this.lightUp(village);
    }
    this.hoveredVillage = village;
    this.map.getContainer().classList.toggle("over-grid", Boolean(hint) && this.toolName === "move");
    this.tip(hint, latlng);
  }

  /**
   * Say at the mouse what a click would do.
   *
   * @param {string} hint
   * @param {L.LatLng} latlng
   */
  tip(hint, latlng) {
    const { tip } = this.grids;
    if (!hint) tip.remove();
    else
      tip
        .setContent(h("div", {}, hint))
        .setLatLng(latlng)
        .addTo(this.map);
  }

  /** Show which edges a village has, before it is chosen. */
  lightUp = settled(60, async (/** @type {string} */ village) => {
    if (!this.opened || this.isPending) return;
    try {
      const edges = await this.edgesFor(village);
      if (
        this.drawing &&
        this.opened &&
        this.village !== village &&
        this.hoveredVillage === village &&
        !this.tool?.stroke
      )
        this.drawing.showEdges(edges);
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  });

  /**
   * @param {L.LatLng} latlng
   * @param {number} id of the published grid
   */
  click(latlng, id) {
    if (this.isSkipping || !this.opened) return;
    this.grids.tip.remove();
    if (isProposing()) {
      this.proposals?.click(latlng);
      return;
    }
    if (this.village && this.tool && !state.step && this.tool.click?.(latlng) !== false) return;
    if (this.isPending || this.tool?.stroke?.points?.length) return;
    const village = this.villageAt(latlng, id);
    if (village && village !== this.village) show({ village, step: "" });
  }

  /** The click that ends a lasso is none. */
  skipClick() {
    this.isSkipping = true;
    setTimeout(() => (this.isSkipping = false), 60);
  }

  /** @param {L.LatLng[] | null} path */
  lassoLine(path) {
    this.lasso.setLatLngs(path ?? []).setStyle({ color: token("accent") });
  }

  /**
   * Bring a geometry into view if it is not, or is smaller than so many pixels.
   *
   * @param {GeoJSON.Geometry | undefined} geometry
   * @param {{isSeen?: boolean, least?: number}} [more]
   */
  show(geometry, { isSeen = false, least = 0 } = {}) {
    if (!geometry) return;
    const bounds = boundsOf(boxOf(positionsOf(geometry)));
    const [a, b] = [bounds.getSouthWest(), bounds.getNorthEast()].map((corner) => this.map.latLngToLayerPoint(corner));
    const isTiny = a.distanceTo(b) < least;
    if (isTiny || !(isSeen || this.map.getBounds().pad(-0.1).contains(bounds)))
      this.fly(bounds.pad(isTiny ? 0.4 : 0), isTiny ? 18 : 17);
  }

  /**
   * Fly to land that was changed.
   *
   * @param {{geometry: GeoJSON.Geometry}[]} features
   */
  showLand(features) {
    if (features.length) this.fly(boundsOf(boxOf(features.flatMap(({ geometry }) => positionsOf(geometry)))), 17);
  }

  /** @param {{place: GeoJSON.Geometry | null}} finding */
  showPlace({ place }) {
    if (place) this.fly(boundsOf(boxOf(positionsOf(place))).pad(0.3), 17);
  }

  /**
   * What changed between two versions on the map, with the borders of the day before.
   *
   * @param {any[]} features
   * @param {string} dayBefore
   */
  async showComparison(features, dayBefore) {
    const { canvas } = this;
    canvas.showComparison(features, []);
    this.showLand(features);
    const changed = features
      .filter(({ properties }) => ["land", "ended"].includes(properties.what))
      .slice(0, MOST_OUTLINES);
    const before = await Promise.all(
      changed.map(({ properties, geometry }) =>
        properties.what === "ended" ? geometry : outlineOf(properties.key, dayBefore),
      ),
    );
    if (this.drawing === canvas && state.step.startsWith("version:")) canvas.showComparison(features, before);
  }

  // --- trying, saving, undoing ------------------------------------------------------------------------

  /** @param {Edit} edit */
  try(edit) {
    const wasPending = this.isPending;
    this.draft.try(edit, { village: this.village, tool: this.toolName });
    if (!wasPending) this.redraw();
  }

  /**
   * Nothing to try any more.
   *
   * @param {string[]} [keys] to be outlined
   */
  untry(keys = []) {
    const wasPending = this.isPending;
    this.draft.drop();
    this.change = null;
    this.tryError = null;
    this.canvas.preview(null);
    this.canvas.outline(keys);
    if (wasPending) this.redraw();
  }

  /**
   * @param {Change | null} change
   * @param {Error | null} error
   */
  tried(change, error) {
    if (!this.drawing || !this.isPending) return;
    this.change = change ?? this.change;
    this.tryError = error;
    if (change) this.drawing.preview(change);
    if (this.tool?.ghost) this.drawing.ghost(this.tool.ghost);
    if (this.toolName !== "move") this.tool?.shown?.();
    this.work.drawSlot();
  }

  async save() {
    if (!this.isPending || this.tryError) return;
    await this.draft.save();
  }

  discard() {
    this.draft.drop();
    this.pickTool(this.toolName);
  }

  /**
   * An edit was saved, undone, or came from another.
   *
   * @param {Change | null} change
   * @param {string} why
   */
  async changed(change, why) {
    this.change = null;
    this.tryError = null;
    this.edgesOf.clear();
    const wasHeld = why === "other" ? { edit: this.draft.edit, tool: this.toolName } : null;
    if (change) {
      this.canvas.take(/** @type {Faces} */ (change.faces), change.retired);
      this.canvas.takeFigures(change.grids);
    }
    await Promise.all([this.loadFaces(true), this.count()]);
    if (this.village) {
      this.edges = await this.edgesFor(this.village);
      this.canvas.take(await this.draft.ask("/faces", { village: this.village }));
      this.canvas.draw();
    }
    if (isProposing()) {
      if (change && why === "edit") this.proposals?.taken(change);
      else this.panel.update();
      return;
    }
    if (wasHeld?.edit) {
      // What is in the hand stays in it; its figures are asked for anew.
      this.draft.try(wasHeld.edit, { village: this.village, tool: wasHeld.tool });
      this.redraw();
    } else if (state.step) this.panel.update();
    else this.pickTool(this.toolName);
  }

  /**
   * Some plan was changed, by whomever.
   *
   * @param {{plan_id?: number, rev?: number}} news
   */
  async heard({ plan_id: id, rev }) {
    const { opened: draft } = this;
    if (!draft || String(id) !== String(draft.id)) {
      if (!state.plan && !state.step) this.panel.update();
      return;
    }
    if (draft.state === "saving" || rev === undefined || rev === draft.rev) return;
    try {
      const seen = new Set(draft.plan.edits.map(({ seq }) => seq));
      await draft.refresh();
      this.bar.draw();
      const fresh = draft.plan.edits.filter(({ seq }) => !seen.has(seq)).at(-1);
      this.bar.note(
        fresh
          ? p("other_did", { who: actorName(fresh.actor), what: fresh.summary || p(`kind_${fresh.edit.kind}`) })
          : p("other_changed"),
      );
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  }

  /** @param {"undo" | "redo"} way */
  async step(way) {
    if (way === "undo" && this.tool?.back?.()) return;
    if (this.isPending || !this.opened) return;
    try {
      await this.opened.step(way);
      this.bar.note(p(`${way}_done`));
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  }

  /** New boundaries are in force, or will be: what the map shows may be old. */
  publishedNew() {
    this.onPublished();
  }

  redraw() {
    this.work.redraw();
  }

  // --- the tools --------------------------------------------------------------------------------------

  dropTool() {
    this.tool?.end();
    this.tool = null;
    this.opened?.letGo();
    this.change = null;
    this.tryError = null;
    this.drawing?.clearWork();
  }

  /** @param {string} name */
  pickTool(name) {
    this.tool?.end();
    this.canvas.clearWork();
    this.change = null;
    this.tryError = null;
    this.toolName = name;
    this.tool = this.village && this.draft.isOpen && mayPlan() ? new TOOLS[name](this) : null;
    this.redraw();
    this.tool?.shown?.();
  }

  /** @param {boolean} isTurned */
  turnSnap(isTurned) {
    this.snapper.turn(isTurned);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const command = commandOf(event, "plan") ?? (commandOf(event) === "back" ? "back" : "");
    /** @param {string} places */
    const on = (places) => event.target instanceof Element && event.target.closest(places);
    /** @type {Record<string, () => boolean>} */
    const isMeant = {
      undo: () => !on(TYPED),
      redo: () => !on(TYPED),
      save: () => this.isPending && !on("button, a, summary, input, select, textarea, .plan-handle.middle"),
      back: () => !state.view && !document.querySelector("details.choice[open]"),
    };
    if (command === "snap") this.turnSnap(true);
    if (!isMeant[command]?.()) return;
    event.preventDefault();
    event.stopPropagation();
    if (command === "save") this.save();
    else if (command === "back") this.back();
    else if (command === "undo" || command === "redo") this.step(command);
  }

  /** One step out: of the stroke, the step, the village, the plan, the mode. */
  back() {
    if (this.isPending || this.tool?.stroke?.points.length) this.discard();
    else if (state.step) show({ step: "" });
    else if (this.village && state.plan) show({ village: "" });
    else if (state.plan) show({ plan: "", village: "" });
    else show({ mode: "" });
  }

  drawState() {
    if (!this.opened?.plan) return;
    this.bar.draw();
    if (isProposing()) this.proposals?.drawActions();
    else if (!state.step) this.work.drawActions();
  }
}
