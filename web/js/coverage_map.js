// What the coverage mode draws: time bands, districts, blind spots, stations, changes, the swipe.

import { bandColour } from "./coverage_figures.js";
import { c, dotted } from "./coverage_texts.js";
import { at, h, token } from "./dom.js";
import { AREA_OPACITY, SWIPE_OPACITY, colourFor } from "./palette.js";
import { marker } from "./symbols.js";
import { config, number, percent } from "./texts.js";

const PANES = { "cover-areas": 365, "cover-lines": 425, "cover-work": 610 };
const MOST_STATIONS = 150;
const LEAST_PX = 9; // a smaller outline is only a speck
const REACHED_PX = 96; // seen this large there is nothing to fly to: clicks are for what lies in it
const REACHED_ZOOM = 16;
const STEP = 0.02; // of the map's width, for a press of an arrow

/** @typedef {{lon: number, lat: number}} Place */
/** @import { Shape } from "../types/answers.js" */
/** @import { Figures, Position } from "../types/page.js" */
/** @typedef {Shape<"BlindSpot">} Spot */
/** @typedef {Shape<"SiteAnswer">} Site */
/**
 * @typedef {object} Station a facility, or one that a change would add
 * @property {number | string} id
 * @property {number} [facility_id]
 * @property {number} [index] of the change that adds it
 * @property {string} kind
 * @property {string} name
 * @property {number} lon
 * @property {number} lat
 */
/**
 * @typedef {{kind: "move_station", facility_id: number} & Place
 *   | {kind: "add_station", facility_kind: string, name?: string} & Place
 *   | {kind: "remove_station", facility_id: number}
 *   | {kind: "close_road"} & Place
 *   | {kind: "add_road", line: Position[], road_class: string}} Change of a what-if, as the server takes it
 */

/**
 * @param {number[][]} line
 * @returns {L.LatLngTuple[]}
 */
const latlngs = (line) => line.map(([lon, lat]) => [lat, lon]);

/**
 * A round sign of our own: a number, a cross.
 *
 * @param {string} text
 * @param {string} kind
 */
const sign = (text, kind) =>
  L.divIcon({ html: /** @type {any} */ (h("b", {}, text)), className: `cover-sign ${kind}`, iconSize: [28, 28] });

export class CoverageMap {
  /**
   * @param {L.Map} map
   * @param {{onStation: (station: Station, place: Place | null, isFinal: boolean) => void, onCrowded: () => void}} parts
   */
  constructor(map, { onStation, onCrowded }) {
    this.map = map;
    this.onStation = onStation;
    this.onCrowded = onCrowded;
    this.isCrowded = false;
    for (const [name, index] of Object.entries(PANES)) {
      const pane = map.getPane(name) ?? map.createPane(name);
      pane.style.zIndex = String(index);
    }
    /** @type {HTMLElement} */ (map.getPane("cover-areas")).style.pointerEvents = "none";
    // By SVG: a canvas, even an empty one, would take every click from the grids below.
    this.lineSvg = L.svg({ pane: "cover-lines", padding: 0.4 });
    this.workSvg = L.svg({ pane: "cover-work", padding: 0.6 });
    this.areas = L.layerGroup().addTo(map);
    this.lines = L.layerGroup().addTo(map);
    this.spots = L.layerGroup().addTo(map);
    this.work = L.layerGroup().addTo(map);
    this.signs = L.layerGroup().addTo(map);
    this.stations = L.layerGroup().addTo(map);
    /** @type {Station[]} */
    this.known = [];
    /** @type {Spot[]} */
    this.knownSpots = [];
    /** @type {(spot: Spot) => void} */
    this.onSpot = () => {};
    /** @type {number | null} */
    this.spotsZoom = null;
    this.isDraggable = false;
    this.isDragging = false;
    /** @type {L.Renderer | null} */
    this.areaCanvas = null;
    /** @type {L.Layer | null} */
    this.draft = null;
    /** @type {L.Layer | null} */
    this.home = null;
    /** @type {HTMLElement | null} */
    this.handle = null;
    /** @type {{pane: HTMLElement, layer: L.Layer}[]} */
    this.sides = [];
    this.share = 0.5;
    this.clip = () => this.clipSides();
    this.redraw = () => {
      this.drawStations();
      this.drawSpots();
    };
    map.on("moveend", this.redraw);
  }

  remove() {
    this.map.off("moveend", this.redraw);
    this.endSwipe();
    this.showHome();
    for (const group of [this.areas, this.lines, this.spots, this.work, this.signs, this.stations]) group.remove();
  }

  /**
   * Time bands as areas along the streets; what is not reached stays paper-coloured.
   *
   * @param {any} collection
   * @param {number[]} steps
   */
  showBands(collection, steps) {
    this.areas.clearLayers();
    if (!collection) return;
    const canvas = (this.areaCanvas ??= L.canvas({ pane: "cover-areas", padding: 0.3 }));
    const bands = [...collection.features].sort((a, b) => b.properties.to_minutes - a.properties.to_minutes);
    for (const band of bands) {
      const colour = colourFor(bandColour(Math.max(steps.indexOf(band.properties.to_minutes), 0), steps.length));
      L.geoJSON(band, {
        pane: "cover-areas",
        renderer: canvas,
        interactive: false,
        style: {
          stroke: true,
          weight: 0.6,
          color: colour,
          fillColor: colour,
          fillOpacity: AREA_OPACITY,
          opacity: AREA_OPACITY,
        },
      }).addTo(this.areas);
    }
  }

  /**
   * Whose each street is: outlines, and a caring colour for a district over its limit.
   *
   * @param {any} collection
   */
  showDistricts(collection) {
    this.lines.clearLayers();
    for (const district of collection?.features ?? []) {
      const { facility_id, name, area_km2, limit_km2, limit_sources, too_large, detached, crosses } =
        district.properties;
      const layer = L.geoJSON(district, {
        pane: "cover-lines",
        renderer: this.lineSvg,
        interactive: true,
        style: {
          fill: true,
          fillOpacity: 0.001,
          color: token(too_large ? "care-fill" : "accent"),
          weight: 2,
          dashArray: too_large ? "7 5" : undefined,
        },
      });
      layer.bindTooltip(
        h(
          "div",
          {},
          h("b", {}, name || c("district_nobody")),
          h(
            "small",
            {},
            dotted([
              c("district_area", { n: number(area_km2, 1) }),
              facility_id &&
                (limit_km2
                  ? c(too_large ? "district_over" : "district_within", { n: number(limit_km2, 0) })
                  : c("district_no_limit")),
              crosses?.length &&
                c("district_crosses", {
                  barriers: crosses
                    .map((/** @type {any} */ one) =>
                      c("district_barrier", {
                        name: one.name || c(`barrier_${one.kind}`),
                        n: number(one.beyond_km2, 1),
                      }),
                    )
                    .join(c("list_comma")),
                }),
              detached?.length && c("district_detached", { n: number(detached.length) }),
            ]),
          ),
          limit_sources?.[config.language].map((/** @type {string} */ source) => h("small", {}, source)),
        ),
        { className: "tip wide", sticky: true },
      );
      layer.addTo(this.lines);
    }
  }

  /**
   * Blind spots: outlined in the colour of what is wrong, and named.
   *
   * @param {Spot[]} spots
   * @param {(spot: Spot) => void} [onPick]
   */
  showSpots(spots, onPick = () => {}) {
    this.knownSpots = spots;
    this.onSpot = onPick;
    this.spotsZoom = null;
    this.drawSpots();
  }

  /** Those large enough to be seen at this zoom. */
  drawSpots() {
    const zoom = this.map.getZoom();
    if (this.spotsZoom === zoom) return;
    this.spotsZoom = zoom;
    this.spots.clearLayers();
    const size = (/** @type {number[]} */ [west, south, east, north]) => {
      const a = this.map.project([south, west], zoom);
      return a.distanceTo(this.map.project([north, east], zoom)) / Math.SQRT2;
    };
    const onPick = this.onSpot;
    for (const spot of this.knownSpots ?? []) {
      if (spot.bbox && size(spot.bbox) < LEAST_PX) continue;
      const tip = h(
        "div",
        {},
        h("b", {}, spot.name),
        ` ${c("households_n", { n: number(spot.households) })}`,
        h("small", {}, c(`reason_${spot.reason}`)),
      );
      const interactive = zoom < REACHED_ZOOM && !(spot.bbox && size(spot.bbox) > REACHED_PX);
      const shape = spot.geometry
        ? L.geoJSON(/** @type {GeoJSON.Geometry} */ (spot.geometry), {
            interactive,
            pane: "cover-lines",
            renderer: this.lineSvg,
            style: {
              color: token("wrong"),
              weight: zoom < 12 ? 1.2 : 2,
              fillColor: token("wrong"),
              fillOpacity: 0.12,
              dashArray: zoom < 12 ? undefined : "4 3",
            },
          })
        : L.circleMarker([spot.lat, spot.lon], {
            interactive,
            pane: "cover-lines",
            renderer: this.lineSvg,
            radius: 9,
            color: token("wrong"),
            weight: 2,
            fillOpacity: 0.14,
          });
      if (interactive) shape.bindTooltip(tip, { className: "tip", direction: "top", sticky: true });
      shape.on("click", (event) => {
        if (this.map.getContainer().classList.contains("aiming")) return; // a tool takes the place under it
        L.DomEvent.stopPropagation(event);
        onPick(spot);
      });
      shape.addTo(this.spots);
    }
  }

  /**
   * The stations: [{id, kind, name, lon, lat, isNew, was}], draggable where somebody tries things out.
   *
   * @param {Station[]} stations
   * @param {boolean} isDraggable
   */
  showStations(stations, isDraggable) {
    this.known = stations;
    this.isDraggable = isDraggable;
    this.drawStations();
  }

  drawStations() {
    if (this.isDragging) return;
    this.stations.clearLayers();
    const bounds = this.map.getBounds().pad(0.05);
    const seen =
      this.known.length <= MOST_STATIONS
        ? this.known
        : this.known.filter(({ lon, lat }) => bounds.contains([lat, lon]));
    const wasCrowded = this.isCrowded;
    this.isCrowded = seen.length > MOST_STATIONS; // too many to tell apart: nearer by they appear
    if (this.isCrowded !== wasCrowded) this.onCrowded();
    if (this.isCrowded) return;
    for (const station of seen) this.addStation(station);
  }

  /**
   * @param {Station} station
   */
  addStation(station) {
    const title = this.isDraggable ? c("drag_station", { name: station.name }) : station.name;
    const pin = marker([station.lat, station.lon], station.kind, title);
    pin.options.draggable = this.isDraggable;
    pin.options.autoPan = true;
    pin.options.pane = "cover-work";
    /** @type {any} */ (pin.options.icon).options.className += this.isDraggable ? " cover-station" : "";
    const moved = (/** @type {any} */ event, /** @type {boolean} */ isFinal) => {
      const { lat, lng } = event.target.getLatLng();
      this.onStation(station, { lon: Number(lng.toFixed(6)), lat: Number(lat.toFixed(6)) }, isFinal);
    };
    pin.on("dragstart", () => (this.isDragging = true));
    pin.on("drag", (event) => moved(event, false));
    pin.on("dragend", (event) => {
      this.isDragging = false;
      moved(event, true);
    });
    pin.on("click", (event) => {
      L.DomEvent.stopPropagation(event);
      this.onStation(station, null, true);
    });
    this.stations.addLayer(pin);
  }

  /**
   * What a what-if changes: ways of moved stations, crosses on closed roads, new roads.
   *
   * @param {Change[]} changes
   * @param {Station[]} stations
   */
  showChanges(changes, stations) {
    this.work.clearLayers();
    const stroke = { pane: "cover-work", renderer: this.workSvg, interactive: false, color: token("accent") };
    changes.forEach((change, i) => {
      if (change.kind === "move_station") {
        const from = stations.find(({ facility_id }) => facility_id === change.facility_id);
        if (from)
          L.polyline(
            [
              [from.lat, from.lon],
              [change.lat, change.lon],
            ],
            { ...stroke, weight: 2, dashArray: "5 5" },
          ).addTo(this.work);
      } else if (change.kind === "remove_station") {
        const gone = stations.find(({ facility_id }) => facility_id === change.facility_id);
        if (gone)
          L.marker([gone.lat, gone.lon], {
            icon: sign("×", "gone"),
            pane: "cover-work",
            interactive: false,
            keyboard: false,
          }).addTo(this.work);
      } else if (change.kind === "close_road") {
        L.marker([change.lat, change.lon], {
          icon: sign("×", "closed"),
          pane: "cover-work",
          interactive: false,
          keyboard: false,
          title: String(i + 1),
        }).addTo(this.work);
      } else if (change.kind === "add_road") {
        this.road(change.line).forEach((line) => line.addTo(this.work));
      }
    });
  }

  /**
   * A road that does not exist: casing and core.
   *
   * @param {number[][]} line
   * @param {boolean} [isDraft]
   */
  road(line, isDraft = false) {
    /** @type {L.PolylineOptions} */
    const base = {
      pane: "cover-work",
      renderer: this.workSvg,
      interactive: false,
      lineCap: "round",
      lineJoin: "round",
    };
    return [
      L.polyline(latlngs(line), { ...base, color: token("surface"), weight: 9 }),
      L.polyline(latlngs(line), { ...base, color: token("accent"), weight: 5, dashArray: isDraft ? "2 9" : undefined }),
    ];
  }

  /**
   * The road under the hand.
   *
   * @param {number[][]} line
   */
  showDraft(line) {
    this.draft?.remove();
    this.draft = line.length
      ? L.layerGroup([
          ...this.road(line, true),
          ...line.map(([lon, lat]) =>
            L.circleMarker([lat, lon], {
              pane: "cover-work",
              renderer: this.workSvg,
              interactive: false,
              radius: 4,
              weight: 2,
              color: token("accent"),
              fillColor: token("surface"),
              fillOpacity: 1,
            }),
          ),
        ]).addTo(this.map)
      : null;
  }

  /**
   * Numbered answers to "where next?".
   *
   * @param {Site[]} sites
   * @param {(site: Site) => void} onPick
   */
  showSites(sites, onPick) {
    this.signs.clearLayers();
    sites.forEach((site, i) =>
      L.marker([site.lat, site.lon], {
        icon: sign(number(i + 1), "site"),
        pane: "cover-work",
        title: c("take_site", { n: i + 1 }),
        keyboard: false,
      })
        .on("click", (event) => {
          L.DomEvent.stopPropagation(event);
          onPick(site);
        })
        .addTo(this.signs),
    );
  }

  /**
   * The household that is looked at, or none.
   *
   * @param {Place} [home]
   */
  showHome(home) {
    this.home?.remove();
    this.home = home
      ? L.circleMarker([home.lat, home.lon], {
          pane: "cover-work",
          renderer: this.workSvg,
          interactive: false,
          className: "cover-home",
          radius: 9,
          weight: 4,
          color: token("accent"),
          fillColor: token("surface"),
          fillOpacity: 1,
        }).addTo(this.map)
      : null;
  }

  // --- two runs side by side ----------------------------------------------------------------------

  /**
   * Draw two runs, the first left of a handle, the second right.
   *
   * @param {any} collection
   * @param {any[]} sides
   */
  showSwipe(collection, sides) {
    this.endSwipe();
    const all = this.map.getContainer().getBoundingClientRect();
    const panel = at("panel").getBoundingClientRect();
    // In the middle of what a panel at the side leaves to be seen.
    this.share = panel.left > all.left + all.width / 2 ? (panel.left - all.left) / 2 / all.width : 0.5;
    this.sides = sides.map((figures, i) => {
      const name = `cover-side-${i}`;
      const pane = this.map.getPane(name) ?? this.map.createPane(name);
      pane.style.zIndex = "365";
      pane.style.pointerEvents = "none";
      const shades = figures.classes.map((/** @type {any} */ entry) => colourFor(entry.colour));
      const paper = token("paper");
      const layer = L.geoJSON(collection, {
        pane: name,
        renderer: L.canvas({ pane: name, padding: 0.25 }),
        interactive: false,
        style: (feature) => {
          const colour = shades[figures.class_of[feature?.properties.grid_id] ?? -1] ?? paper;
          return {
            stroke: true,
            weight: 0.8,
            color: colour,
            fillColor: colour,
            fillOpacity: SWIPE_OPACITY,
            opacity: SWIPE_OPACITY,
          };
        },
      }).addTo(this.map);
      return { pane, layer };
    });
    const handle = h(
      "div",
      {
        id: "swipe",
        role: "slider",
        tabindex: "0",
        "aria-label": c("swipe"),
        "aria-valuemin": "0",
        "aria-valuemax": "100",
        "aria-orientation": "horizontal",
      },
      h("span", { class: "swipe-name left" }, sides[0].short),
      h("span", { class: "swipe-name right" }, sides[1].short),
      h("i", { "aria-hidden": "true" }, "⇆"),
    );
    this.handle = handle;
    const follow = (/** @type {PointerEvent} */ event) => {
      const box = this.map.getContainer().getBoundingClientRect();
      this.setShare((event.clientX - box.left) / box.width);
    };
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      handle.onpointermove = follow;
    });
    handle.addEventListener("pointerup", () => (handle.onpointermove = null));
    handle.addEventListener("pointercancel", () => (handle.onpointermove = null));
    handle.addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: this.share - STEP,
        ArrowDown: this.share - STEP,
        ArrowRight: this.share + STEP,
        ArrowUp: this.share + STEP,
        Home: 0,
        End: 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.setShare(to);
    });
    at("bar").before(handle);
    this.map.on("move zoomend resize viewreset", this.clip);
    this.setShare(this.share);
  }

  /**
   * @param {number} share
   */
  setShare(share) {
    this.share = Math.min(Math.max(share, 0), 1);
    if (!this.handle) return;
    this.handle.style.left = `${this.share * 100}%`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.share * 100)));
    this.handle.setAttribute("aria-valuetext", percent(this.share));
    this.clipSides();
  }

  clipSides() {
    const size = this.map.getSize();
    const start = this.map.containerPointToLayerPoint([0, 0]);
    const end = this.map.containerPointToLayerPoint([size.x, size.y]);
    const middle = start.x + (end.x - start.x) * this.share;
    const box = (/** @type {number} */ left, /** @type {number} */ right) =>
      `polygon(${left}px ${start.y}px, ${right}px ${start.y}px, ${right}px ${end.y}px, ${left}px ${end.y}px)`;
    if (this.sides.length < 2) return;
    this.sides[0].pane.style.clipPath = box(start.x, middle);
    this.sides[1].pane.style.clipPath = box(middle, end.x);
  }

  endSwipe() {
    if (!this.handle) return;
    this.map.off("move zoomend resize viewreset", this.clip);
    for (const { layer } of this.sides) layer.remove();
    this.sides = [];
    this.handle.remove();
    this.handle = null;
  }
}
