// The plan mode: a village's shared edges under the hand, live load on both sides, nothing lost.

import { isStale } from "./api.js";
import { outlineOf } from "./backdrop.js";
import { at, h, isNarrow, keepingFocus, settled, token } from "./dom.js";
import { commandOf } from "./keys.js";
import { listenLive } from "./live.js";
import { heading, tag } from "./parts.js";
import { Draft, keptStroke } from "./plan_draft.js";
import { boxOf, joined, labelPoint, positionsOf } from "./plan_geometry.js";
import { mayPlan, showPlans, showVersion, villageList } from "./plan_list.js";
import { PlanMap } from "./plan_map.js";
import { actorName, changeRows, conflictParts, gridRows, loadBars, ruleRows, statusTag } from "./plan_parts.js";
import { showAnswers } from "./plan_propose.js";
import { showPath } from "./plan_publish.js";
import { Snapper } from "./plan_snap.js";
import { p } from "./plan_texts.js";
import { TOOLS, TOOL_OF } from "./plan_tools.js";
import { show, state } from "./state.js";
import { moment, number } from "./texts.js";

const FACES_FROM = 13;
const OUTWARD = 1.02;
const LISTED_EDITS = 6;
const TYPED = "input:not([type=checkbox], [type=range]), select, textarea";
const MOST_OUTLINES = 80;

export class PlanMode {
  constructor(map, { panel, grids, ground, fly, onError, onPublished, onDrawn }) {
    Object.assign(this, { map, panel, grids, ground, fly, onError, onPublished, onDrawn });
    this.toolName = "move";
    this.tool = null;
    this.draft = null;
    this.edges = [];
    this.edgesOf = new Map();
    this.bar = h("div", { id: "plan-bar", role: "toolbar", "aria-label": p("mode") });
    this.follow = settled(180, () => this.loadFaces().catch((error) => isStale(error) || onError(error)));
  }

  get village() {
    return state.village;
  }

  get isPending() {
    return Boolean(this.draft?.edit);
  }

  // --- what is known of the draft -------------------------------------------------------------------

  nameOf = (key) => this.canvas?.faces.get(key)?.properties.name || this.grids.grid(key)?.name || key;

  /** The draft's grids as the map writes their names; null while the published ones are shown. */
  labels() {
    if (!this.canvas || !this.draft || this.isFar || !this.canvas.faces.size) return null;
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

  householdsOf = (key) => this.canvas.faces.get(key)?.properties.households;

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

  /** The name of what lies beyond a point of a grid's border. */
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
      .sort((a, b) => b.isChanged - a.isChanged || a.code.localeCompare(b.code));
  }

  // --- coming and going -------------------------------------------------------------------------------

  enter() {
    if (this.canvas) return;
    const { map } = this;
    this.canvas = new PlanMap(map, {
      chainOf: (parent) => (this.grids.grid(parent) ? this.grids.chain(Number(parent)) : [parent]),
      classOf: (key) => (this.grids.figures?.theme === "households" ? this.grids.figures.class_of[key] : null) ?? -1,
      onSign: (found) => this.showPlace(found),
      onDrawn: this.onDrawn,
    });
    this.snapper = new Snapper(map, "plan-work", this.onError);
    this.lasso = L.polyline([], {
      pane: "plan-work",
      interactive: false,
      weight: 2,
      dashArray: "4 4",
      className: "plan-lasso-line",
    }).addTo(map);
    at("bar").after(this.bar);
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
      (event) => ["saving", "waiting"].includes(this.draft?.state) && event.preventDefault(),
      { signal: this.stopKeys.signal },
    );
    this.stopLive = listenLive(
      ({ type, data }) => (type === "plan" ? this.heard(data) : type === "version" && this.publishedNew()),
      (isOn) => this.bar.classList.toggle("alive", isOn),
    );
  }

  /** Take the colours again, after the surroundings went dark or light. */
  recolour() {
    if (this.draft && !this.isFar) this.canvas?.draw();
  }

  leave() {
    if (!this.canvas) return;
    this.dropTool();
    this.stopLive();
    this.stopKeys.abort();
    this.bar.remove();
    document.body.classList.remove("planning", "in-plan");
    this.map.off("moveend", this.follow);
    this.map.doubleClickZoom.enable();
    this.lasso.remove();
    this.snapper.clear();
    this.canvas.clear();
    this.canvas = null;
    this.draft = null;
    this.edgesOf.clear();
    this.compare("");
    this.ground.set({ isPlan: false });
  }

  /** Show in the panel what the state asks for. */
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
    if (this.draft?.id !== state.plan) await this.openPlan(state.plan, signal);
    signal.throwIfAborted();
    if (this.villageShown !== this.village) await this.openVillage(signal);
    signal.throwIfAborted();
    this.drawBar();
    if (state.step === "publish") {
      this.dropTool();
      await showPath(this, signal);
    } else if (state.step === "propose" && this.village) {
      this.dropTool();
      await showAnswers(this, signal);
    } else await this.showWork();
  }

  /** Something was chosen by search: its village is what a planner wants of it. */
  async goTo(signal) {
    let { village } = state;
    if (state.grid) {
      const above = this.grids.baseRank - 1;
      const found = this.grids.chain(state.grid).find((id) => this.grids.grid(id)?.rank === above);
      if (found && state.plan) village = String(found);
    } else {
      const point = await this.panel.points.find(state.point);
      signal.throwIfAborted();
      if (point) this.panel.flyTo(point);
    }
    show({ grid: "", point: "", village, step: "" });
  }

  closePlan() {
    if (this.draft) {
      this.dropTool();
      this.compare("");
      this.draft = null;
      this.villageShown = null;
      this.edgesOf.clear();
      this.canvas.forget();
      this.canvas.draw();
      this.ground.set({ isPlan: false });
      this.snapper.load(null);
    }
    this.canvas.clearWork();
    this.bar.replaceChildren();
    document.body.classList.remove("in-plan");
  }

  async openPlan(id, signal) {
    this.closePlan();
    const draft = new Draft(id, {
      onChange: (change, why) => this.changed(change, why),
      onTry: (change, error) => this.tried(change, error),
      onState: () => this.drawState(),
    });
    await draft.load(signal);
    this.draft = draft;
    document.body.classList.add("in-plan");
    this.villageShown = null;
    this.loaded = null;
    await this.loadFaces();
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
    const box = boxOf(faces.features.flatMap((face) => positionsOf(face.geometry)));
    const bounds = L.latLngBounds([box[1], box[0]], [box[3], box[2]]);
    const isWellSeen = this.map.getBounds().contains(bounds) && this.map.getBoundsZoom(bounds) <= this.map.getZoom();
    if (Number.isFinite(box[0]) && !isWellSeen) this.fly(bounds, 16);
    if (this.draft.isOpen) this.snapper.load(this.draft.id);
  }

  async edgesFor(village) {
    if (!this.edgesOf.has(village)) {
      const asked = this.draft.ask("/edges", { parent: village });
      this.edgesOf.set(village, asked);
      asked.catch(() => this.edgesOf.delete(village));
    }
    return joined(
      (await this.edgesOf.get(village)).features.filter(({ properties }) => properties.left && properties.right),
    );
  }

  /** Fetch the faces in view; above them the published borders step back. */
  async loadFaces(isForced = false) {
    const { draft } = this;
    if (!draft) return;
    const isNear = this.map.getZoom() >= FACES_FROM;
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
    const bbox = [wide.getWest(), wide.getSouth(), wide.getEast(), wide.getNorth()]
      .map((one) => one.toFixed(6))
      .join(",");
    const faces = await draft.ask("/faces", { bbox }, this.facesAbort.signal);
    if (this.draft !== draft) return;
    if (isForced) this.canvas.faces.clear();
    this.canvas.take(faces);
    this.loaded = wide;
    this.isFar = false;
    this.canvas.draw();
  }

  // --- the map ----------------------------------------------------------------------------------------

  /** Village under a place: of the drafted face, else of the published grid. */
  villageAt(latlng, id) {
    const key = this.canvas.keyAt(latlng);
    const parent = key ? this.canvas.faces.get(key).properties.parent : this.grids.grid(id)?.parent_grid_id;
    return parent ? String(parent) : "";
  }

  hover(id, latlng) {
    if (!this.canvas) return;
    cancelAnimationFrame(this.hoverFrame);
    this.hoverFrame = requestAnimationFrame(() => this.hovered(id, latlng));
  }

  hovered(id, latlng) {
    if (!this.draft || !this.canvas) return;
    if (this.isPending || state.step) {
      this.grids.tip.remove();
      return;
    }
    const village = this.villageAt(latlng, id);
    let said = "";
    if (this.village && village === this.village && this.tool)
      said = this.tool.hover?.(latlng) ?? p(`hover_${this.toolName}`);
    else if (village && village !== this.village && !this.tool?.stroke) {
      said = p("hover_village", { name: this.nameOf(village) });
      this.lightUp(village);
    }
    this.hoveredVillage = village;
    this.map.getContainer().classList.toggle("over-grid", Boolean(said) && this.toolName === "move");
    if (!said) {
      this.grids.tip.remove();
      return;
    }
    this.grids.tip.setContent(h("div", {}, said)).setLatLng(latlng);
    if (!this.map.hasLayer(this.grids.tip)) this.grids.tip.addTo(this.map);
  }

  /** Show which edges a village has, before it is chosen. */
  lightUp = settled(60, async (village) => {
    if (!this.draft || this.isPending) return;
    try {
      const edges = await this.edgesFor(village);
      if (
        this.canvas &&
        this.draft &&
        this.village !== village &&
        this.hoveredVillage === village &&
        !this.tool?.stroke
      )
        this.canvas.showEdges(edges);
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  });

  click(latlng, id) {
    if (this.isSkipping || !this.draft) return;
    this.grids.tip.remove();
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

  lassoLine(path) {
    this.lasso.setLatLngs(path ?? []).setStyle({ color: token("accent") });
  }

  /** Bring a geometry into view if it is not, or is smaller than so many pixels. */
  show(geometry, { isSeen = false, least = 0 } = {}) {
    if (!geometry) return;
    const box = boxOf(positionsOf(geometry));
    const bounds = L.latLngBounds([box[1], box[0]], [box[3], box[2]]);
    const [a, b] = [bounds.getSouthWest(), bounds.getNorthEast()].map((corner) => this.map.latLngToLayerPoint(corner));
    const isTiny = a.distanceTo(b) < least;
    if (isTiny || !(isSeen || this.map.getBounds().pad(-0.1).contains(bounds)))
      this.fly(bounds.pad(isTiny ? 0.4 : 0), isTiny ? 18 : 17);
  }

  showPlace({ place }) {
    if (!place) return;
    const box = boxOf(positionsOf(place));
    this.fly(L.latLngBounds([box[1], box[0]], [box[3], box[2]]).pad(0.3), 17);
  }

  showFaces(collection) {
    this.canvas.showAnswer(collection);
    const box = boxOf(collection.features.flatMap(({ geometry }) => positionsOf(geometry)));
    if (Number.isFinite(box[0])) this.fly(L.latLngBounds([box[1], box[0]], [box[3], box[2]]), 16);
  }

  /** What changed between two versions on the map, with the borders of the day before. */
  async showComparison(features, dayBefore) {
    const { canvas } = this;
    canvas.showComparison(features, []);
    const box = boxOf(features.flatMap(({ geometry }) => positionsOf(geometry)));
    if (Number.isFinite(box[0])) this.fly(L.latLngBounds([box[1], box[0]], [box[3], box[2]]), 16);
    const changed = features
      .filter(({ properties }) => ["land", "ended"].includes(properties.what))
      .slice(0, MOST_OUTLINES);
    const before = await Promise.all(
      changed.map(({ properties, geometry }) =>
        properties.what === "ended" ? geometry : outlineOf(properties.key, dayBefore),
      ),
    );
    if (this.canvas === canvas && state.step.startsWith("version:")) canvas.showComparison(features, before);
  }

  // --- trying, saving, undoing ------------------------------------------------------------------------

  try(edit) {
    const wasPending = this.isPending;
    this.draft.try(edit, { village: this.village, tool: this.toolName });
    if (!wasPending) this.redraw();
  }

  /** Nothing to try any more. */
  untry(keys = []) {
    const wasPending = this.isPending;
    this.draft.drop();
    this.change = null;
    this.tryError = null;
    this.canvas.preview(null);
    this.canvas.outline(keys);
    if (wasPending) this.redraw();
  }

  tried(change, error) {
    if (!this.canvas || !this.isPending) return;
    this.change = change ?? this.change;
    this.tryError = error;
    if (change) this.canvas.preview(change);
    if (this.tool?.ghost) this.canvas.ghost(this.tool.ghost);
    if (this.toolName !== "move") this.tool?.shown?.();
    this.drawSlot();
  }

  async save() {
    if (!this.isPending || this.tryError) return;
    await this.draft.save();
  }

  discard() {
    this.draft.drop();
    this.pickTool(this.toolName);
  }

  /** An edit was saved, undone, or came from another. */
  async changed(change, why) {
    this.change = null;
    this.tryError = null;
    this.edgesOf.clear();
    const wasHeld = why === "other" ? { edit: this.draft.edit, tool: this.toolName } : null;
    if (change) {
      this.canvas.take(change.faces, change.retired);
      this.canvas.takeFigures(change.grids);
    }
    await this.loadFaces(true);
    if (this.village) {
      this.edges = await this.edgesFor(this.village);
      this.canvas.take(await this.draft.ask("/faces", { village: this.village }));
      this.canvas.draw();
    }
    if (state.step === "propose") return;
    if (wasHeld?.edit) {
      // What is in the hand stays in it; its figures are asked for anew.
      this.draft.try(wasHeld.edit, { village: this.village, tool: wasHeld.tool });
      this.redraw();
    } else if (state.step) this.panel.update();
    else this.pickTool(this.toolName);
  }

  async heard({ plan_id: id, rev }) {
    if (!this.draft || String(id) !== String(this.draft.id)) {
      if (!state.plan && !state.step) this.panel.update();
      return;
    }
    if (this.draft.state === "saving" || rev === undefined || rev === this.draft.rev) return;
    try {
      const seen = new Set((this.draft.plan.edits ?? []).map(({ seq }) => seq));
      await this.draft.refresh();
      this.drawBar();
      const fresh = (this.draft.plan.edits ?? []).filter(({ seq }) => !seen.has(seq)).at(-1);
      this.note(
        fresh
          ? p("other_did", { who: actorName(fresh.actor), what: fresh.summary || p(`kind_${fresh.edit.kind}`) })
          : p("other_changed"),
      );
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  }

  note(text) {
    at("said").textContent = text;
    const box = h("p", { class: "plan-note", role: "status" }, text);
    this.bar.querySelector(".plan-note")?.remove();
    this.bar.append(box);
    setTimeout(() => box.remove(), 6000);
  }

  async step(way) {
    if (way === "undo" && this.tool?.back?.()) return;
    if (this.isPending || !this.draft) return;
    try {
      await this.draft.step(way);
      this.note(p(`${way}_done`));
    } catch (error) {
      if (!isStale(error)) this.onError(error);
    }
  }

  /** New boundaries are in force, or will be: what the map shows may be old. */
  publishedNew() {
    this.onPublished();
  }

  // --- the tools --------------------------------------------------------------------------------------

  dropTool() {
    this.tool?.end();
    this.tool = null;
    this.draft?.letGo();
    this.change = null;
    this.tryError = null;
    this.canvas?.clearWork();
  }

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

  turnSnap(isTurned) {
    this.snapper.turn(isTurned);
  }

  onKey(event) {
    const command = commandOf(event, "plan") ?? (commandOf(event) === "back" ? "back" : "");
    const on = (places) => event.target.closest?.(places);
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
    else this.step(command);
  }

  /** One step out: of the stroke, the step, the village, the plan, the mode. */
  back() {
    if (this.isPending || this.tool?.stroke?.points.length) this.discard();
    else if (state.step) show({ step: "" });
    else if (this.village && state.plan) show({ village: "" });
    else if (state.plan) show({ plan: "", village: "" });
    else show({ mode: "" });
  }

  // --- the panel --------------------------------------------------------------------------------------

  async showWork() {
    const { resume } = this;
    if (resume && this.village === resume.context?.village && this.draft.isOpen) {
      this.resume = null;
      this.pickTool(TOOL_OF[resume.edit.kind] ?? this.toolName);
      if (this.tool?.restore(resume.edit)) this.note(p("resumed", { at: moment(resume.at) }));
      else this.draft.drop();
    } else if (!this.tool || this.tool.mode !== this) this.pickTool(this.toolName);
    else this.redraw();
    this.panel.focusIfAsked();
  }

  redraw() {
    if (state.step || !this.draft) return;
    keepingFocus(() => {
      const scroll = this.panel.body.scrollTop;
      this.drawPanel();
      this.panel.body.scrollTop = scroll;
    });
  }

  drawPanel() {
    const { plan } = this.draft;
    const isFree = !this.isPending;
    if (!this.village) {
      this.panel.fill(
        "plan",
        [
          h("p", { class: "eyebrow" }, plan.title),
          h("h2", {}, p("pick_village")),
          h("p", { class: "quiet" }, p("pick_village_how")),
        ],
        this.closedNote(),
        villageList(this),
        this.changesPart(),
      );
      return;
    }
    const [eyebrow, title] = this.tool?.title?.() ?? [
      this.nameOf(String(this.grids.grid(this.village)?.parent_grid_id ?? "")),
      this.nameOf(this.village),
    ];
    this.slot = h("div", { id: "plan-slot", "aria-live": "polite" });
    this.actions = h("div", { class: "plan-actions" });
    this.panel.fill(
      "plan",
      [h("p", { class: "eyebrow" }, eyebrow), h("h2", {}, title)],
      this.closedNote(),
      this.tool && !(this.isPending && isNarrow()) && this.toolTabs(),
      this.slot,
      this.tool?.controls(),
      isFree &&
        !this.tool?.edge && [
          heading(p("grids_here"), p("grids_n", { n: number(this.keys.length) })),
          gridRows(this.facesHere, this.targetOf, (key) => this.show(this.canvas.faces.get(key)?.geometry)),
          this.tool &&
            h(
              "div",
              { class: "buttons" },
              h(
                "button",
                { type: "button", class: "button", id: "plan-propose", onclick: () => show({ step: "propose" }) },
                p("propose"),
              ),
            ),
          this.changesPart(),
        ],
      this.actions,
    );
    this.drawSlot();
    this.drawState();
  }

  /** Why nothing can be changed, if so. */
  closedNote() {
    const { plan } = this.draft;
    if (!mayPlan()) return h("p", { class: "quiet" }, p("may_not"));
    return (
      plan.status !== "draft" &&
      h("p", { class: "quiet" }, statusTag(plan.status), ` ${p("closed", { status: p(`status_${plan.status}`) })}`)
    );
  }

  toolTabs() {
    return h(
      "div",
      { class: "tabs plan-tools", role: "group", "aria-label": p("tools") },
      Object.keys(TOOLS).map((name) =>
        h(
          "button",
          {
            type: "button",
            id: `tool-${name}`,
            title: p(`tool_${name}_hint`),
            "aria-pressed": String(name === this.toolName),
            onclick: () => {
              if (this.isPending) this.draft.drop();
              this.pickTool(name);
            },
          },
          p(`tool_${name}`),
        ),
      ),
    );
  }

  changesPart() {
    const edits = this.draft.plan.edits ?? [];
    return [heading(p("changes"), p("changes_n", { n: number(edits.length) })), changeRows(edits.slice(-LISTED_EDITS))];
  }

  /** The part that follows the hand: bars, rules, what went wrong. */
  drawSlot() {
    if (!this.slot) return;
    const { change, tryError } = this;
    const parts = [];
    if (tryError) parts.push(h("p", { class: "fault", role: "alert" }, tryError.message));
    if (change && this.isPending)
      parts.push(
        loadBars(change.grids),
        heading(p("checks")),
        ruleRows(change.violations ?? [], (one) => this.showPlace(one), true),
      );
    else if (this.isPending && !tryError) parts.push(h("p", { class: "quiet" }, p("trying")));
    this.slot.replaceChildren(...parts);
    this.drawActions();
  }

  drawActions() {
    const { draft } = this;
    const main = h(
      "button",
      {
        type: "button",
        class: "button filled",
        id: "plan-save",
        disabled: Boolean(this.tryError) || draft.state === "saving",
        onclick: () => this.save(),
      },
      p(draft.state === "saving" ? "saving" : "save"),
      h("kbd", { "aria-hidden": "true" }, "Enter"),
    );
    const isHeld = this.isPending || this.tool?.stroke?.points.length > 0;
    keepingFocus(() =>
      this.actions?.replaceChildren(
        ...[
          draft.state === "conflict"
            ? this.conflictPart()
            : draft.state === "refused" || draft.state === "waiting"
              ? h(
                  "p",
                  { class: "fault", role: "alert" },
                  draft.more?.message,
                  draft.state === "waiting" && ` ${p("waiting")}`,
                )
              : null,
          this.isPending && main,
          isHeld &&
            h(
              "button",
              { type: "button", class: "button", id: "plan-discard-stroke", onclick: () => this.discard() },
              p("drop"),
              h("kbd", { "aria-hidden": "true" }, "Esc"),
            ),
          !isHeld &&
            draft.plan.edits?.length > 0 &&
            h(
              "button",
              {
                type: "button",
                class: "button filled wide",
                id: "plan-path",
                onclick: () => show({ step: "publish" }),
              },
              p(draft.isOpen ? "to_path" : "to_path_closed"),
            ),
        ].filter(Boolean),
      ),
    );
  }

  conflictPart() {
    const { more } = this.draft;
    return conflictParts(more, {
      onTop: () => this.draft.saveOnTop(more.edit).catch(this.onError),
      drop: async () => {
        this.draft.drop();
        this.tool?.end();
        this.tool = null;
        await this.draft.refresh().catch(this.onError);
      },
    });
  }

  // --- the bar over the map -----------------------------------------------------------------------------

  drawState() {
    if (!this.draft?.plan) return;
    this.drawBar();
    if (!state.step && this.actions) this.drawActions();
  }

  drawBar() {
    const { draft } = this;
    const { plan } = draft;
    const saved = {
      saved: "state_saved",
      saving: "state_saving",
      waiting: "state_waiting",
      conflict: "state_conflict",
      refused: "state_refused",
    }[draft.state];
    const isHeld = this.isPending && draft.state === "saved";
    const button = (id, text, onclick, more = {}) => h("button", { type: "button", id, onclick, ...more }, text);
    const sign = { undo: "↶", redo: "↷" };
    const note = this.bar.querySelector(".plan-note");
    const canUndo = (plan.can_undo && draft.isOpen) || this.tool?.stroke?.past?.length > 0;
    keepingFocus(() =>
      this.bar.replaceChildren(
        ...[
          h(
            "div",
            { class: "chip" },
            button("plan-back", "‹", () => show({ plan: "", village: "", step: "" }), {
              "aria-label": p("back_plans"),
              title: p("back_plans"),
            }),
            h("b", {}, plan.title),
            plan.status === "draft"
              ? tag(
                  `${p("status_draft")} · ${p(isHeld ? "state_held" : saved)}`,
                  draft.state === "saved" && !isHeld ? "good" : "care",
                )
              : statusTag(plan.status),
            h(
              "span",
              { class: "quiet", data: { changes: plan.edits.length } },
              p("changes_n", { n: number(plan.edits.length) }),
            ),
          ),
          mayPlan() &&
            draft.isOpen &&
            h(
              "div",
              { class: "group" },
              button("plan-undo", [sign.undo, h("span", {}, p("undo"))], () => this.step("undo"), {
                disabled: !canUndo,
                title: `${p("undo")} · Ctrl+Z`,
              }),
              button("plan-redo", [sign.redo, h("span", {}, p("redo"))], () => this.step("redo"), {
                disabled: !plan.can_redo || this.isPending,
                title: `${p("redo")} · Ctrl+Shift+Z`,
              }),
            ),
          mayPlan() &&
            draft.isOpen &&
            h(
              "div",
              { class: "group" },
              button(
                "plan-snap",
                p("snap"),
                () => {
                  this.snapper.toggle();
                  this.drawBar();
                },
                { "aria-pressed": String(this.snapper.isOn), title: p("snap_hint") },
              ),
            ),
          h(
            "div",
            { class: "group" },
            button(
              "plan-compare",
              `${p("compare")} ⇄`,
              () => this.compare(this.comparing ? "" : "swipe").catch(this.onError),
              { "aria-pressed": String(Boolean(this.comparing)), title: p("compare_hint") },
            ),
          ),
          note,
        ].filter(Boolean),
      ),
    );
  }

  // --- before and after -----------------------------------------------------------------------------------

  /** "" shows the draft, "swipe" both sides of a line that is moved. */
  async compare(how) {
    this.comparing = how;
    this.swiper?.remove();
    this.swiper = null;
    this.canvas?.swipe(null);
    this.canvas?.before.clearLayers();
    this.canvas?.bordersBefore?.clearLayers();
    if (!how || !this.canvas || !this.draft) {
      if (this.draft) this.drawBar();
      return;
    }
    if (!this.isPending) this.canvas.edges.clearLayers();
    this.drawBar();
    const before = await this.facesBefore();
    if (this.comparing !== how || !this.canvas) return;
    this.canvas.showBefore(before);
    const line = h("i", { "aria-hidden": "true" });
    const words = [h("span", { class: "was" }, p("before")), h("span", { class: "is" }, p("after"))];
    const range = h("input", {
      type: "range",
      id: "plan-swipe",
      min: 0,
      max: 100,
      value: Math.round(
        ((this.map.getSize().x - (isNarrow() ? 0 : at("panel").offsetWidth)) / 2 / this.map.getSize().x) * 100,
      ),
      "aria-label": p("swipe"),
      oninput: () => put(),
    });
    const put = () => {
      const share = Number(range.value) / 100;
      this.canvas.swipe(share);
      this.swiper.style.setProperty("--at", `${range.value}%`);
    };
    this.swiper = h("div", { class: "plan-swiper" }, line, words, range);
    this.map.getContainer().after(this.swiper);
    put();
  }

  /** The faces in view as they were published: changed ones are fetched with every vertex. */
  async facesBefore() {
    const now = [...this.canvas.faces.values()];
    const same = now.filter(({ properties }) => !properties.changed);
    const villages = new Set(
      now.filter(({ properties }) => properties.changed).map(({ properties }) => String(properties.parent)),
    );
    const known = new Set(same.map(({ properties }) => properties.key));
    const wanted = this.grids
      .ofRank(this.grids.baseRank)
      .filter(
        (grid) =>
          !known.has(String(grid.grid_id)) &&
          (villages.has(String(grid.parent_grid_id)) || this.canvas.faces.has(String(grid.grid_id))),
      );
    const outlines = await Promise.all(wanted.map((grid) => outlineOf(grid.grid_id, state.at)));
    return same.concat(
      wanted.map((grid, i) => ({
        geometry: outlines[i],
        properties: {
          key: String(grid.grid_id),
          parent: String(grid.parent_grid_id),
          name: grid.name,
          households: this.grids.figures?.values?.[grid.grid_id],
        },
      })),
    );
  }
}
