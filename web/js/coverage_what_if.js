// What if: stations dragged, added, taken away, roads closed and drawn; the figures follow.

import { get, isStale, send } from "./api.js";
import { beforeAfter, changeTable, gainedLost, shareRow, toneOf } from "./coverage_parts.js";
import { c, dotted, minutes, points, semicolons, signed } from "./coverage_texts.js";
import { Work } from "./coverage_work.js";
import { at, h, isNarrow, keepingFocus, settled } from "./dom.js";
import { kindName } from "./figures.js";
import { commandOf } from "./keys.js";
import { heading, tag } from "./parts.js";
import { show, state } from "./state.js";
import { coordinates, nameOf, number, percent, placeIn } from "./texts.js";

const TOOLS = ["drag", "add", "remove", "close", "road"];
const ROAD_CLASSES = ["primary", "secondary", "tertiary", "unclassified", "residential", "track", "path"];
const PROBLEMS = ["max_cover", "p_median", "p_centre", "set_cover"];
const CANDIDATES = ["road_nodes", "facilities"];
const MOST_CHANGES = 50;
const MOST_SITES = 10;

export class WhatIf {
  constructor(mode) {
    this.mode = mode;
    this.tool = "drag";
    this.line = [];
    this.answer = null;
    this.kind = "";
    this.roadClass = "tertiary";
    this.sites = null;
    this.work = new Work("coverage_sites", "sites", () => this.drawSites());
    this.askSoon = settled(120, (changes) => this.ask(changes));
  }

  /** The changes, as the URL holds them: a link shows another person the same, back takes one away. */
  get changes() {
    try {
      const found = JSON.parse(state.changes || "[]");
      return Array.isArray(found) ? found : [];
    } catch {
      return [];
    }
  }

  set(changes) {
    show({ changes: changes.length ? JSON.stringify(changes) : "" });
  }

  add(change) {
    if (this.changes.length >= MOST_CHANGES) this.say(c("too_many_changes", { n: MOST_CHANGES }));
    else this.set([...this.changes, change]);
  }

  undo(index = this.changes.length - 1) {
    this.set(this.changes.filter((_, i) => i !== index));
  }

  // --- coming and going ---------------------------------------------------------------------------------

  async render(signal) {
    const { mode } = this;
    if (!mode.run || mode.run.summary.status === "no_roads") {
      mode.panel.fill(
        "coverage",
        [h("p", { class: "eyebrow" }, c("mode")), h("h2", {}, mode.title)],
        mode.head(),
        mode.tabs(),
        h("div", { id: "cover-run" }, mode.runLine()),
        mode.run ? mode.missing("no_roads") : mode.firstStep(),
      );
      return;
    }
    this.isOn = true;
    if (!mode.standard.kinds.includes(this.kind)) this.kind = mode.standard.kinds[0];
    const question = `${mode.standard.code} ${mode.scenario.code}`;
    const isNew = this.question !== question;
    if (isNew) this.answer = this.sites = null;
    this.question = question;
    mode.panel.fill(
      "coverage",
      [h("p", { class: "eyebrow" }, c("part_what-if")), h("h2", {}, mode.title)],
      mode.head(),
      mode.tabs(),
      h("div", { id: "what-if-tools" }),
      h("p", { id: "what-if-said", class: "quiet", role: "status" }),
      h("div", { id: "what-if-figures", "aria-live": "polite" }),
      h("div", { id: "what-if-changes" }),
      this.byHand(),
      h("section", { id: "where-next" }),
    );
    signal.throwIfAborted();
    this.drawTools();
    this.drawSites();
    if (this.sites) this.mode.canvas.showSites(this.sites.sites, (site) => this.takeOver([site]));
    else if (isNew)
      this.work
        .resume(true)
        .then((job) => this.found(job))
        .catch(mode.onError);
    this.follow();
    mode.panel.focusIfAsked();
  }

  end() {
    if (!this.isOn) return;
    this.isOn = false;
    this.abort?.abort();
    this.setTool("drag");
    this.mode.canvas?.showChanges([], []);
    this.mode.canvas?.showSites([]);
  }

  /** The list of changes is another one: draw it, and ask. */
  follow() {
    if (!this.isOn || !at("what-if-changes")) return;
    this.drawMap();
    this.drawChanges();
    this.drawFigures();
    this.askSoon(this.changes);
  }

  /** All stations as the changes leave them. */
  stationsNow() {
    const found = new Map(this.mode.stations.map((one) => [one.facility_id, { ...one, id: one.facility_id }]));
    this.changes.forEach((change, index) => {
      if (change.kind === "remove_station") found.delete(change.facility_id);
      else if (change.kind === "move_station" && found.has(change.facility_id))
        Object.assign(found.get(change.facility_id), { lon: change.lon, lat: change.lat });
      else if (change.kind === "add_station")
        found.set(`new-${index}`, {
          id: `new-${index}`,
          index,
          kind: change.facility_kind,
          name: change.name || c("new_station", { kind: kindName(change.facility_kind) }),
          lon: change.lon,
          lat: change.lat,
        });
    });
    return [...found.values()];
  }

  drawMap() {
    this.mode.canvas.showStations(this.stationsNow(), true);
    this.mode.canvas.showChanges(this.changes, this.mode.stations);
  }

  // --- the server's answer --------------------------------------------------------------------------------

  async ask(changes) {
    this.abort?.abort();
    if (!this.isOn) return;
    this.abort = new AbortController();
    const { mode } = this;
    at("what-if-figures")?.setAttribute("aria-busy", "true");
    try {
      const wish = { standard: mode.standard.code, scenario: mode.scenario.code, changes };
      this.answer = await send("POST", "/api/coverage/what-if", wish, {}, this.abort.signal);
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
    const { answer } = this;
    if (this.problem) {
      slot.replaceChildren(h("p", { class: "fault", role: "alert" }, this.problem));
      return;
    }
    if (!answer) {
      slot.replaceChildren(h("p", { class: "quiet" }, c("preparing")));
      return;
    }
    const { before, after } = answer;
    // The first lines of a phone's sheet are all that is seen of it beside the map.
    if (isNarrow() && this.changes.length)
      this.say(
        dotted([
          percent(after.share),
          c("was", { share: percent(before.share) }),
          c("net", { n: signed(answer.gained - answer.lost) }),
        ]),
      );
    const pp = (after.share ?? 0) - (before.share ?? 0);
    const towns = answer.towns
      .filter((town) => town.before.covered !== town.after.covered || town.before.n !== town.after.n)
      .sort((a, b) => Math.abs(b.after.covered - b.before.covered) - Math.abs(a.after.covered - a.before.covered));
    const others = Object.keys(after.others ?? {}).filter((of) =>
      ["people", "care_households", "premises"].includes(of),
    );
    keepingFocus(() =>
      slot.replaceChildren(
        h(
          "p",
          { class: "big" },
          h("b", { id: "what-if-share" }, percent(after.share)),
          h(
            "span",
            {},
            c("was", { share: percent(before.share) }),
            h("em", { class: toneOf(pp) }, points(before.share, after.share)),
          ),
        ),
        gainedLost(answer.gained, answer.lost),
        changeTable(
          [c("col_counted"), c("col_before"), c("col_after"), c("col_change")],
          [
            beforeAfter(
              c("of_households"),
              number(before.covered),
              number(after.covered),
              signed(after.covered - before.covered),
              toneOf(after.covered - before.covered),
            ),
            ...others
              .map((of) => [of, before.others[of], after.others[of]])
              .map(([of, a, b]) =>
                beforeAfter(
                  c(`of_${of}`),
                  number(a.covered),
                  number(b.covered),
                  signed(b.covered - a.covered),
                  toneOf(b.covered - a.covered),
                ),
              ),
            beforeAfter(
              c("minutes_median"),
              minutes(before.median_minutes),
              minutes(after.median_minutes),
              signed((after.median_minutes ?? 0) - (before.median_minutes ?? 0), 1),
              toneOf((before.median_minutes ?? 0) - (after.median_minutes ?? 0)),
            ),
          ],
        ),
        ...(towns.length
          ? [
              heading(c("towns_changed")),
              changeTable(
                [c("col_town"), c("col_before"), c("col_after"), c("col_change")],
                towns.slice(0, 8).map((town) => shareRow(town.name, town.before, town.after)),
              ),
            ]
          : []),
        h(
          "p",
          { class: "quiet" },
          c("answered_in", { seconds: number(answer.seconds, 2), grids: number(answer.grids.length) }),
        ),
      ),
    );
  }

  // --- the list of changes ----------------------------------------------------------------------------------

  changeText(change) {
    const name = this.mode.stations.find((one) => one.facility_id === change.facility_id)?.name ?? "";
    const where = change.name || (change.lon === undefined ? "" : coordinates(change));
    if (change.kind === "add_road")
      return c("change_add_road", { kind: c(`road_${change.road_class}`), n: change.line.length });
    return c(`change_${change.kind}`, {
      name,
      where,
      kind: change.facility_kind ? kindName(change.facility_kind) : "",
    });
  }

  drawChanges() {
    const slot = at("what-if-changes");
    if (!slot) return;
    const { changes } = this;
    const notes = new Map((this.answer?.notes ?? []).map((one) => [one.change, one.text]));
    keepingFocus(() =>
      slot.replaceChildren(
        heading(c("changes"), changes.length ? number(changes.length) : ""),
        changes.length
          ? h(
              "ol",
              { class: "changes" },
              changes.map((change, i) =>
                h(
                  "li",
                  {},
                  h(
                    "button",
                    { type: "button", class: "link", onclick: () => this.lookAt(change) },
                    this.changeText(change),
                  ),
                  notes.has(i) && tag(notes.get(i), "care"),
                  h(
                    "button",
                    {
                      type: "button",
                      class: "close",
                      id: `undo-${i}`,
                      "aria-label": c("undo_this", { what: this.changeText(change) }),
                      title: c("undo"),
                      onclick: () => this.undo(i),
                    },
                    "×",
                  ),
                ),
              ),
            )
          : h("p", { class: "quiet" }, c("changes_none")),
        changes.length
          ? h(
              "div",
              { class: "buttons" },
              h(
                "button",
                { type: "button", class: "button", id: "undo-last", onclick: () => this.undo() },
                c("undo_last"),
                h("kbd", { "aria-hidden": "true" }, "Ctrl Z"),
              ),
              h(
                "button",
                { type: "button", class: "button", id: "undo-all", onclick: () => this.set([]) },
                c("undo_all"),
              ),
            )
          : "",
      ),
    );
  }

  lookAt(change) {
    if (change.line) this.mode.fly(L.latLngBounds(change.line.map(([lon, lat]) => [lat, lon])).pad(0.5), 16);
    else
      this.mode.flyTo(
        change.lon === undefined ? this.mode.stations.find((one) => one.facility_id === change.facility_id) : change,
      );
  }

  // --- the tools on the map -------------------------------------------------------------------------------------

  say(text) {
    const slot = at("what-if-said");
    if (slot) slot.textContent = text;
  }

  setTool(tool) {
    this.tool = tool;
    this.line = [];
    this.mode.canvas?.showDraft([]);
    this.mode.map.getContainer().classList.toggle("aiming", ["add", "close", "road"].includes(tool));
    if (tool === "road") this.mode.map.doubleClickZoom.disable();
    else this.mode.map.doubleClickZoom.enable();
    this.drawTools();
  }

  drawTools() {
    const slot = at("what-if-tools");
    if (!slot) return;
    const menu = (id, items, chosen, name, onPick) =>
      h(
        "select",
        { id, "aria-label": c(id), onchange: (event) => onPick(event.target.value) },
        items.map((item) => h("option", { value: item, selected: item === chosen }, name(item))),
      );
    const { kinds } = this.mode.standard;
    keepingFocus(() =>
      slot.replaceChildren(
        h(
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
        ),
        this.tool === "add" && kinds.length > 1
          ? menu("tool-kind", kinds, this.kind, kindName, (kind) => (this.kind = kind))
          : "",
        this.tool === "road"
          ? menu(
              "tool-class",
              ROAD_CLASSES,
              this.roadClass,
              (name) => c(`road_${name}`),
              (name) => (this.roadClass = name),
            )
          : "",
        this.line.length
          ? h(
              "div",
              { class: "buttons" },
              h(
                "button",
                {
                  type: "button",
                  class: "button primary",
                  id: "road-done",
                  disabled: this.line.length < 2,
                  onclick: () => this.endRoad(),
                },
                c("road_done"),
              ),
              h(
                "button",
                { type: "button", class: "button", id: "road-back", onclick: () => this.takeVertexBack() },
                c("road_back"),
              ),
            )
          : "",
      ),
    );
    this.say(
      c(
        ["drag", "remove"].includes(this.tool) && this.mode.canvas?.isCrowded ? "stations_crowded" : `how_${this.tool}`,
      ),
    );
  }

  click({ lng, lat }) {
    const place = { lon: Number(lng.toFixed(6)), lat: Number(lat.toFixed(6)) };
    if (this.tool === "add") this.add({ kind: "add_station", facility_kind: this.kind, ...place });
    else if (this.tool === "close") this.add({ kind: "close_road", ...place });
    else if (this.tool === "road") {
      this.line.push([place.lon, place.lat]);
      this.mode.canvas.showDraft(this.line);
      this.drawTools();
    }
    return true; // in this part a click never chooses a grid
  }

  hover(latlng) {
    if (!this.isOn) return false;
    if (!["add", "close", "road"].includes(this.tool)) return false;
    const { tip, map } = this.mode.grids;
    tip.setContent(h("div", {}, c(`hover_${this.tool}`, { kind: kindName(this.kind) }))).setLatLng(latlng);
    if (!map.hasLayer(tip)) tip.addTo(map);
    return true;
  }

  endRoad() {
    if (this.line.length < 2) return;
    const change = { kind: "add_road", line: this.line, road_class: this.roadClass };
    this.setTool("road");
    this.add(change);
  }

  takeVertexBack() {
    this.line.pop();
    this.mode.canvas.showDraft(this.line);
    this.drawTools();
  }

  onKey(event) {
    if (!this.isOn || event.target.closest?.("input, select, textarea")) return;
    const commands = {
      undo: () => (this.line.length ? this.takeVertexBack() : this.undo()),
      back: (this.line.length || this.tool !== "drag") && (() => this.setTool("drag")),
      endRoad: this.line.length > 1 && !event.target.closest("button, a") && (() => this.endRoad()),
      vertexBack: this.line.length > 0 && (() => this.takeVertexBack()),
    };
    const does = commands[commandOf(event, "cover")];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  /** The changes with a station at another place. */
  moved(station, place) {
    const { changes } = this;
    if (station.index !== undefined)
      return changes.map((change, i) => (i === station.index ? { ...change, ...place } : change));
    const found = changes.findIndex(
      (change) => change.kind === "move_station" && change.facility_id === station.facility_id,
    );
    const change = { kind: "move_station", facility_id: station.facility_id, ...place };
    return found < 0 ? [...changes, change] : changes.map((one, i) => (i === found ? change : one));
  }

  without(station) {
    if (station.index !== undefined) return this.changes.filter((_, i) => i !== station.index);
    return [
      ...this.changes.filter((change) => change.facility_id !== station.facility_id),
      { kind: "remove_station", facility_id: station.facility_id },
    ];
  }

  onStation(station, place, isFinal) {
    if (place && isFinal) this.set(this.moved(station, place));
    else if (place) this.askSoon(this.moved(station, place));
    else if (this.tool === "road" || this.tool === "close") this.click({ lng: station.lon, lat: station.lat });
    else if (this.tool === "remove") this.set(this.without(station));
    else this.say(`${station.name} · ${coordinates(station)}`);
  }

  // --- the same by keys -----------------------------------------------------------------------------------------

  byHand() {
    const place = h("input", {
      id: "hand-place",
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "112.90000, 28.70000",
      "aria-describedby": "hand-fault",
    });
    const stations = [...this.stationsNow()].sort((a, b) => a.name.localeCompare(b.name));
    const station = h(
      "select",
      { id: "hand-station" },
      stations.map((one) => h("option", { value: one.id }, one.name)),
    );
    const kind = h(
      "select",
      { id: "hand-kind" },
      this.mode.standard.kinds.map((one) => h("option", { value: one }, kindName(one))),
    );
    const fault = h("p", { id: "hand-fault", class: "fault", role: "alert", hidden: true });
    const what = h(
      "select",
      { id: "hand-what" },
      ["add", "move", "remove", "close"].map((one) => h("option", { value: one }, c(`hand_${one}`))),
    );
    const rows = {
      station: h("label", {}, c("hand_which"), station),
      kind: h("label", {}, c("hand_kind"), kind),
      place: h("label", {}, c("hand_place"), place),
    };
    const fit = () => {
      rows.station.hidden = !["move", "remove"].includes(what.value);
      rows.kind.hidden = what.value !== "add";
      rows.place.hidden = what.value === "remove";
    };
    what.addEventListener("change", fit);
    fit();
    const apply = (event) => {
      event.preventDefault();
      const chosen = this.stationsNow().find((one) => String(one.id) === station.value);
      const found = what.value === "remove" ? {} : placeIn(place.value);
      fault.hidden = Boolean(found);
      if (!found) {
        fault.textContent = c("hand_no_place");
        place.focus();
        return;
      }
      if (what.value === "add") this.add({ kind: "add_station", facility_kind: kind.value, ...found });
      else if (what.value === "close") this.add({ kind: "close_road", ...found });
      else if (chosen) this.set(what.value === "move" ? this.moved(chosen, found) : this.without(chosen));
    };
    const middle = () => {
      const { lat, lng } = this.mode.map.getCenter();
      place.value = coordinates({ lon: lng, lat });
    };
    return h(
      "details",
      { class: "by-hand" },
      h("summary", {}, c("by_hand")),
      h(
        "form",
        { class: "report", id: "hand-form", onsubmit: apply },
        h("label", {}, c("hand_do"), what),
        rows.station,
        rows.kind,
        rows.place,
        fault,
        h(
          "div",
          { class: "buttons" },
          h("button", { type: "submit", class: "button primary", id: "hand-apply" }, c("hand_apply")),
          h("button", { type: "button", class: "button", onclick: middle }, c("hand_middle")),
        ),
      ),
    );
  }

  // --- where next ---------------------------------------------------------------------------------------------------

  drawSites() {
    const slot = at("where-next");
    if (!slot) return;
    const wish = (this.wish ??= { problem: "max_cover", add: 1, candidates: "road_nodes", share: 0.95 });
    const menu = (id, items, key) =>
      h(
        "label",
        {},
        c(id),
        h(
          "select",
          {
            id,
            onchange: (event) => {
              wish[key] = event.target.value;
              this.drawSites();
            },
          },
          items.map((item) => h("option", { value: item, selected: item === wish[key] }, c(`${id}_${item}`))),
        ),
      );
    const isShare = wish.problem === "set_cover";
    const amount = isShare
      ? h(
          "label",
          {},
          c("sites_share"),
          h("input", {
            id: "sites-share",
            type: "number",
            min: 1,
            max: 100,
            step: 1,
            value: Math.round(wish.share * 100),
            oninput: (event) => (wish.share = event.target.value / 100),
          }),
        )
      : h(
          "label",
          {},
          c("sites_add"),
          h("input", {
            id: "sites-add",
            type: "number",
            min: 1,
            max: MOST_SITES,
            value: wish.add,
            oninput: (event) => (wish.add = Number(event.target.value)),
          }),
        );
    keepingFocus(() =>
      slot.replaceChildren(
        heading(c("where_next")),
        h("p", { class: "quiet" }, c("where_next_how")),
        h(
          "form",
          {
            class: "report sites-form",
            onsubmit: (event) => {
              event.preventDefault();
              this.askSites();
            },
          },
          menu("sites_problem", PROBLEMS, "problem"),
          amount,
          menu("sites_candidates", CANDIDATES, "candidates"),
          h(
            "button",
            { type: "submit", class: "button primary", id: "sites-ask", disabled: Boolean(this.work.job) },
            c("sites_ask"),
          ),
        ),
        h("div", { id: "sites-answer", "aria-live": "polite" }, this.sitesAnswer()),
      ),
    );
  }

  sitesAnswer() {
    if (this.work.job || this.work.problem) return this.work.line();
    const found = this.sites;
    if (!found) return "";
    if (!found.sites.length) return h("p", {}, c("sites_none"));
    const { before, after } = found;
    return h(
      "div",
      {},
      found.is_stale && h("p", {}, tag(c("stale"), "care"), ` ${semicolons(found.stale_texts)}`),
      after.share !== null &&
        h(
          "p",
          { class: "big" },
          h("b", {}, percent(after.share)),
          h(
            "span",
            {},
            c("was", { share: percent(before.share) }),
            h("em", { class: "up" }, points(before.share, after.share)),
          ),
        ),
      h(
        "ol",
        { class: "rows sites" },
        found.sites.map((site, i) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", onclick: () => this.mode.flyTo(site) },
              h("i", { class: "cover-sign site" }, number(i + 1)),
              h(
                "span",
                { class: "wide" },
                nameOf(site) || coordinates(site),
                h("small", {}, c("gain_n", { n: signed(site.gain_households ?? 0) })),
              ),
            ),
            h(
              "button",
              { type: "button", class: "button", id: `take-${i}`, onclick: () => this.takeOver([site]) },
              c("take_over"),
            ),
          ),
        ),
      ),
      found.sites.length > 1 &&
        h(
          "button",
          { type: "button", class: "button", id: "take-all", onclick: () => this.takeOver(found.sites) },
          c("take_all"),
        ),
      h(
        "p",
        { class: "quiet" },
        found.optimum_proved ? c("optimum_proved") : c("optimum_gap", { gap: percent(found.gap) }),
        found.seconds ? ` ${c("seconds_n", { n: number(found.seconds, 1) })}` : "",
      ),
    );
  }

  takeOver(sites) {
    const known = this.changes;
    const fresh = sites.filter(
      (site) => !known.some((one) => one.kind === "add_station" && one.lon === site.lon && one.lat === site.lat),
    );
    this.set(
      [
        ...known,
        ...fresh.map((site) => ({
          kind: "add_station",
          facility_kind: this.sites?.kind || this.kind,
          lon: site.lon,
          lat: site.lat,
          ...(site.name && { name: site.name.slice(0, 100) }),
        })),
      ].slice(0, MOST_CHANGES),
    );
  }

  async askSites() {
    const { mode, wish } = this;
    const body = {
      standard: mode.standard.code,
      scenario: mode.scenario.code,
      problem: wish.problem,
      candidates: wish.candidates,
      ...(wish.problem === "set_cover" ? { target_share: wish.share } : { add: wish.add }),
    };
    await this.found(await this.work.start("/api/coverage/sites", body));
  }

  /** Show what a job has chosen, where it is of what is looked at. */
  async found(job) {
    if (!job) return;
    const sites = await get(`/api/coverage/sites/${job.job_id}`);
    if (`${sites.standard} ${sites.scenario}` !== this.question) return;
    this.sites = sites;
    if (!this.isOn) return;
    this.drawSites();
    this.mode.canvas.showSites(sites.sites, (site) => this.takeOver([site]));
  }
}
