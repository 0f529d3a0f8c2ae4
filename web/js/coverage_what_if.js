// What if: stations dragged, added, taken away, roads closed and drawn; the figures follow.

import { isStale, send } from "./api.js";
import { byHand } from "./coverage_by_hand.js";
import { changeList } from "./coverage_change_list.js";
import { changedFigures, panelTitle } from "./coverage_parts.js";
import { firstStep, missing, runLine } from "./coverage_overview.js";
import { Sites } from "./coverage_sites.js";
import { c, dotted, signed } from "./coverage_texts.js";
import { at, h, isNarrow, keepingFocus, parts, settled } from "./dom.js";
import { kindName } from "./figures.js";
import { commandOf } from "./keys.js";
import { show, state } from "./state.js";
import { coordinates, percent } from "./texts.js";

/** @import { CoverageMode } from "./coverage.js" */
/** @import { Change, Place, Station } from "./coverage_map.js" */
/** @import { Shape } from "../types/answers.js" */
/** @import { Position } from "../types/page.js" */

const TOOLS = ["drag", "add", "remove", "close", "road"];
const AIMING = ["add", "close", "road"];
const ROAD_CLASSES = ["primary", "secondary", "tertiary", "unclassified", "residential", "track", "path"];
const MOST_CHANGES = 50;

export class WhatIf {
  /** @param {CoverageMode} mode */
  constructor(mode) {
    this.mode = mode;
    this.isOn = false;
    this.tool = "drag";
    /** @type {Position[]} the road that is being drawn */
    this.line = [];
    /** @type {Shape<"WhatIfAnswer"> | null} */
    this.answer = null;
    this.problem = "";
    this.kind = "";
    this.roadClass = "tertiary";
    this.question = "";
    /** @type {AbortController | null} */
    this.abort = null;
    this.sites = new Sites(this);
    this.askSoon = settled(120, (/** @type {Change[]} */ changes) => this.ask(changes));
  }

  /**
   * The changes, as the URL holds them: a link shows another person the same, back takes one away.
   *
   * @returns {Change[]}
   */
  get changes() {
    try {
      const changes = JSON.parse(state.changes || "[]");
      return Array.isArray(changes) ? changes : [];
    } catch {
      return [];
    }
  }

  /** @param {Change[]} changes */
  set(changes) {
    show({ changes: changes.length ? JSON.stringify(changes.slice(0, MOST_CHANGES)) : "" });
  }

  /** @param {Change} change */
  add(change) {
    if (this.changes.length >= MOST_CHANGES) this.say(c("too_many_changes", { n: MOST_CHANGES }));
    else this.set([...this.changes, change]);
  }

  undo(index = this.changes.length - 1) {
    this.set(this.changes.filter((_, i) => i !== index));
  }

  // --- coming and going ---------------------------------------------------------------------------------

  /** @param {AbortSignal} signal */
  async render(signal) {
    const { mode } = this;
    if (!mode.run || mode.run.summary.status === "no_roads") {
      mode.panel.fill(
        "coverage",
        panelTitle(c("mode"), mode.title),
        mode.head(),
        mode.tabs(),
        h("div", { id: "cover-run" }, runLine(mode)),
        mode.run ? missing(mode, "no_roads") : firstStep(mode),
      );
      return;
    }
    this.isOn = true;
    if (!mode.standard.kinds.includes(this.kind)) this.kind = mode.standard.kinds[0];
    const question = `${mode.standard.code} ${mode.scenario.code}`;
    const isNew = this.question !== question;
    if (isNew) {
      this.answer = null;
      this.sites.forget();
    }
    this.question = question;
    mode.panel.fill(
      "coverage",
      panelTitle(c("part_what-if"), mode.title),
      mode.head(),
      mode.tabs(),
      h("div", { id: "what-if-tools" }),
      h("p", { id: "what-if-said", class: "quiet", role: "status" }),
      h("div", { id: "what-if-figures", "aria-live": "polite" }),
      h("div", { id: "what-if-changes" }),
      byHand(this),
      h("section", { id: "where-next" }),
    );
    signal.throwIfAborted();
    this.drawTools();
    this.sites.draw();
    if (isNew) this.sites.resume().catch(mode.onError);
    this.follow();
    mode.panel.focusIfAsked();
  }

  end() {
    if (!this.isOn) return;
    this.isOn = false;
    this.abort?.abort();
    this.setTool("drag");
    this.mode.canvas?.showChanges([], []);
    this.mode.canvas?.showSites([], () => {});
  }

  /** The list of changes is another one: draw it, and ask. */
  follow() {
    if (!this.isOn || !at("what-if-changes")) return;
    this.drawMap();
    this.drawChanges();
    this.drawFigures();
    this.askSoon(this.changes);
  }

  /**
   * All stations as the changes leave them.
   *
   * @returns {Station[]}
   */
  stationsNow() {
    /** @type {Map<number | string, Station>} */
    const stations = new Map(this.mode.stations.map((station) => [station.id, station]));
    this.changes.forEach((change, index) => {
      if (change.kind === "remove_station") stations.delete(change.facility_id);
      else if (change.kind === "move_station") {
        const { facility_id: id, lon, lat } = change;
        const station = stations.get(id);
        if (station) stations.set(id, { ...station, lon, lat });
      } else if (change.kind === "add_station") {
        const { facility_kind: kind, lon, lat } = change;
        const name = change.name || c("new_station", { kind: kindName(kind) });
        stations.set(`new-${index}`, { id: `new-${index}`, index, kind, name, lon, lat });
      }
    });
    return [...stations.values()];
  }

  drawMap() {
    this.mode.canvas?.showStations(this.stationsNow(), true);
    this.mode.canvas?.showChanges(this.changes, this.mode.stations);
  }

  // --- the server's answer --------------------------------------------------------------------------------

  /** @param {Change[]} changes */
  async ask(changes) {
    this.abort?.abort();
    if (!this.isOn) return;
    this.abort = new AbortController();
    const { mode } = this;
    at("what-if-figures")?.setAttribute("aria-busy", "true");
    try {
      const body = { standard: mode.standard.code, scenario: mode.scenario.code, changes };
      this.answer = await send("POST", "/api/coverage/what-if", body, {}, this.abort.signal);
      this.problem = "";
    } catch (error) {
      if (isStale(error)) return;
      this.problem = error.message;
    }
    at("what-if-figures")?.removeAttribute("aria-busy");
    if (!this.isOn) return;
    this.drawFigures();
    this.drawChanges();
    mode.paint().catch(mode.onError);
  }

  drawFigures() {
    const slot = at("what-if-figures");
    if (!slot) return;
    const { answer, problem } = this;
    if (problem) slot.replaceChildren(h("p", { class: "fault", role: "alert" }, problem));
    else if (!answer) slot.replaceChildren(h("p", { class: "quiet" }, c("preparing")));
    else {
      keepingFocus(() => slot.replaceChildren(...parts(changedFigures(answer))));
      // The first lines of a phone's sheet are all that is seen of it beside the map.
      if (isNarrow() && this.changes.length) this.sayChange(answer);
    }
  }

  /** @param {Shape<"WhatIfAnswer">} answer */
  sayChange({ before, after, gained, lost }) {
    const net = c("net", { n: signed(gained - lost) });
    this.say(dotted([percent(after.share), c("was", { share: percent(before.share) }), net]));
  }

  drawChanges() {
    const slot = at("what-if-changes");
    if (slot) keepingFocus(() => slot.replaceChildren(...parts(changeList(this))));
  }

  // --- the tools on the map -------------------------------------------------------------------------------------

  /** @param {string} text */
  say(text) {
    const slot = at("what-if-said");
    if (slot) slot.textContent = text;
  }

  /** @param {string} tool of TOOLS */
  setTool(tool) {
    this.tool = tool;
    this.line = [];
    this.mode.canvas?.showDraft([]);
    this.mode.map.getContainer().classList.toggle("aiming", AIMING.includes(tool));
    if (tool === "road") this.mode.map.doubleClickZoom.disable();
    else this.mode.map.doubleClickZoom.enable();
    this.drawTools();
  }

  drawTools() {
    const slot = at("what-if-tools");
    if (!slot) return;
    keepingFocus(() => slot.replaceChildren(...parts([this.toolRow(), this.toolMenu(), this.roadButtons()])));
    const isCrowded = this.mode.canvas?.isCrowded && !AIMING.includes(this.tool);
    this.say(c(isCrowded ? "stations_crowded" : `how_${this.tool}`));
  }

  toolRow() {
    return h(
      "div",
      { class: "tool-row", role: "group", "aria-label": c("tools") },
      TOOLS.map((tool) =>
        h(
          "button",
          {
            type: "button",
            id: `tool-${tool}`,
            "aria-pressed": String(tool === this.tool),
            onclick: () => this.setTool(tool),
          },
          c(`tool_${tool}`),
        ),
      ),
    );
  }

  /** What kind of station or road the tool makes, where there is more than one. */
  toolMenu() {
    const { kinds } = this.mode.standard;
    if (this.tool === "add" && kinds.length > 1)
      return menuOf("tool-kind", kinds, this.kind, kindName, (kind) => (this.kind = kind));
    const roadName = (/** @type {string} */ name) => c(`road_${name}`);
    if (this.tool === "road")
      return menuOf("tool-class", ROAD_CLASSES, this.roadClass, roadName, (name) => (this.roadClass = name));
    return null;
  }

  /** How a road that is begun ends. */
  roadButtons() {
    if (!this.line.length) return null;
    const end = {
      type: "button",
      class: "button primary",
      id: "road-done",
      disabled: this.line.length < 2,
      onclick: () => this.endRoad(),
    };
    const back = { type: "button", class: "button", id: "road-back", onclick: () => this.takeVertexBack() };
    return h("div", { class: "buttons" }, h("button", end, c("road_done")), h("button", back, c("road_back")));
  }

  /** @param {{lng: number, lat: number}} latlng */
  click({ lng, lat }) {
    const place = { lon: Number(lng.toFixed(6)), lat: Number(lat.toFixed(6)) };
    if (this.tool === "add") this.add({ kind: "add_station", facility_kind: this.kind, ...place });
    else if (this.tool === "close") this.add({ kind: "close_road", ...place });
    else if (this.tool === "road") {
      this.line.push([place.lon, place.lat]);
      this.mode.canvas?.showDraft(this.line);
      this.drawTools();
    }
    return true; // in this part a click never chooses a grid
  }

  /** @param {L.LatLng} latlng */
  hover(latlng) {
    if (!this.isOn) return false;
    if (!AIMING.includes(this.tool)) return false;
    const { tip, map } = this.mode.grids;
    tip.setContent(h("div", {}, c(`hover_${this.tool}`, { kind: kindName(this.kind) }))).setLatLng(latlng);
    if (!map.hasLayer(tip)) tip.addTo(map);
    return true;
  }

  endRoad() {
    if (this.line.length < 2) return;
    const { line, roadClass } = this;
    this.setTool("road");
    this.add({ kind: "add_road", line, road_class: roadClass });
  }

  takeVertexBack() {
    this.line.pop();
    this.mode.canvas?.showDraft(this.line);
    this.drawTools();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const on = /** @type {Element} */ (event.target);
    if (!this.isOn || on.closest("input, select, textarea")) return;
    const isDrawing = this.line.length > 0;
    /** @type {Record<string, (() => void) | false>} */
    const commands = {
      undo: () => (isDrawing ? this.takeVertexBack() : this.undo()),
      back: (isDrawing || this.tool !== "drag") && (() => this.setTool("drag")),
      endRoad: this.line.length > 1 && !on.closest("button, a") && (() => this.endRoad()),
      vertexBack: isDrawing && (() => this.takeVertexBack()),
    };
    const command = commands[commandOf(event, "cover") ?? ""];
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    command();
  }

  /**
   * The changes with a station at another place.
   *
   * @param {Station} station
   * @param {Place} place
   * @returns {Change[]}
   */
  moved(station, place) {
    const { changes } = this;
    if (station.index !== undefined)
      return changes.map((change, i) => (i === station.index ? { ...change, ...place } : change));
    const facilityId = Number(station.facility_id);
    const isMove = (/** @type {Change} */ change) =>
      change.kind === "move_station" && change.facility_id === facilityId;
    /** @type {Change} */
    const move = { kind: "move_station", facility_id: facilityId, ...place };
    return changes.some(isMove) ? changes.map((change) => (isMove(change) ? move : change)) : [...changes, move];
  }

  /**
   * The changes with a station gone.
   *
   * @param {Station} station
   * @returns {Change[]}
   */
  without(station) {
    if (station.index !== undefined) return this.changes.filter((_, i) => i !== station.index);
    const facilityId = Number(station.facility_id);
    const others = this.changes.filter((change) => !("facility_id" in change && change.facility_id === facilityId));
    return [...others, { kind: "remove_station", facility_id: facilityId }];
  }

  /**
   * @param {Station} station
   * @param {Place | null} place where it was dragged to; null where it was clicked
   * @param {boolean} isFinal
   */
  onStation(station, place, isFinal) {
    if (place && isFinal) this.set(this.moved(station, place));
    else if (place) this.askSoon(this.moved(station, place));
    else if (this.tool === "road" || this.tool === "close") this.click({ lng: station.lon, lat: station.lat });
    else if (this.tool === "remove") this.set(this.without(station));
    else this.say(`${station.name} · ${coordinates(station)}`);
  }
}

/**
 * @param {string} id
 * @param {string[]} items
 * @param {string} chosen
 * @param {(item: string) => string} name
 * @param {(item: string) => void} onPick
 */
const menuOf = (id, items, chosen, name, onPick) =>
  h(
    "select",
    { id, "aria-label": c(id), onchange: (event) => onPick(event.target.value) },
    items.map((item) => h("option", { value: item, selected: item === chosen }, name(item))),
  );
