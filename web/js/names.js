// Names on the map: bigger places first, none on another, a halo in the colour of the paper.

import { token } from "./dom.js";
import { figureText } from "./figures.js";
import { RANK, place } from "./placement.js";
import { streetNames } from "./street_names.js";
import { isEnglish } from "./texts.js";

/** @import { Box, Figures } from "../types/page.js" */
/** @import { Claim } from "./placement.js" */
/** @import { Street, StreetName } from "./street_names.js" */
/** @typedef {[text: string, pixels: number, weight: number]} Line */
/** @typedef {{lat: number, lon: number, lines: Line[], order: number, isChosen?: boolean, isMovable?: boolean}} Name */
/** @typedef {{geometry: {coordinates: number[]}, properties: Record<string, any>}} Place */
/** @typedef {{grid_id: number, rank: number, name: string, label: number[], figure?: number, order?: number}} NamedGrid */
/**
 * @typedef {object} Sources
 * @property {() => NamedGrid[]} grids
 * @property {() => Figures | null} figures
 * @property {() => number | null} selected
 * @property {() => Street[]} streets
 * @property {() => Claim[]} marks
 * @property {() => Box[]} blocked
 */

const FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const MARGIN = 0.2;
const LEADING = 3;
const BESIDE = 14; // how far a great place's name may stand from its place
const GRIDS_FROM = 14;
const FIGURE_PX = 11; // in the weaker ink
const STREETS_FROM = 15;
const STREET_ORDER = 30; // after grids and places
/** @type {[pixels: number, weight: number]} */
const STREET_TYPE = [12, 400];
const STEEP = Math.PI / 3.6;
const CHINESE = /^[\u4e00-\u9fff]+$/;
const SINGLE_LEVEL_FROM = 10;
/** @type {Record<string, [size: number, weight: number, first: number, last: number]>} */
const SIZES = { county: [15, 600, 8, 9], town: [14, 600, 9, 16], village: [12, 500, 12, 17] };

export class Names {
  /**
   * What is written is asked for each time: grids, figures, selected, streets; marks that claim room, too, and what
   * is blocked.
   *
   * @param {L.Map} map
   * @param {L.LayerGroup} group
   * @param {Sources} sources
   */
  constructor(map, group, sources) {
    this.map = map;
    this.grids = sources.grids;
    this.figures = sources.figures;
    this.selected = sources.selected;
    this.streets = sources.streets;
    this.marks = sources.marks;
    this.blocked = sources.blocked;
    this.frame = 0;
    this.inks = ["", ""];
    /** @type {Place[]} */
    this.places = [];
    this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-hide names");
    const names = this;
    const Canvas = L.Layer.extend({
      onAdd() {
        this.getPane("names").append(names.canvas);
        names.draw();
      },
      onRemove() {
        names.canvas.remove();
      },
      getEvents: () => ({ moveend: () => names.refresh(), zoomend: () => names.draw(), resize: () => names.draw() }),
    });
    group.addLayer(new /** @type {any} */ (Canvas)({ pane: "names" }));
  }

  /**
   * Write these places too: GeoJSON features.
   *
   * @param {Place[]} places
   */
  setPlaces(places) {
    this.places = places;
    this.refresh();
  }

  /** Lay the names out again soon. */
  refresh() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  wanted() {
    const zoom = Math.round(this.map.getZoom());
    /** @type {Name[]} */
    const wanted = [];
    const grids = this.grids();
    const from = grids[0]?.rank === 1 ? SINGLE_LEVEL_FROM : GRIDS_FROM;
    for (const { geometry, properties } of this.places) {
      const [size, weight, first, last] = SIZES[properties.level] ?? SIZES.village;
      if (zoom < first || zoom > last) continue;
      const text = (isEnglish && properties.name_en) || properties.name;
      const [lon, lat] = geometry.coordinates;
      wanted.push({
        lat,
        lon,
        lines: [[text, size + (zoom > 12 ? 1 : 0), weight]],
        order: properties.rank ?? 9,
        isMovable: properties.level !== "village",
      });
    }
    if (zoom >= from) {
      const figures = this.figures();
      const seen = this.map.getBounds().pad(MARGIN);
      for (const grid of grids) {
        const [lon, lat] = grid.label;
        if (!seen.contains([lat, lon])) continue; // a thousand numbers take their time to write
        /** @type {Line[]} */
        const lines = [[grid.name, 13, 500]];
        const value = grid.figure ?? figures?.values[grid.grid_id];
        if (value !== null && value !== undefined) {
          lines.push([figureText(figures?.theme ?? "households", value), FIGURE_PX, 400]);
        }
        const isChosen = grid.grid_id === this.selected();
        const order = isChosen ? 0 : (grid.order ?? 20);
        wanted.push({ lat, lon, lines, order, isChosen });
      }
    }
    return wanted;
  }

  /**
   * What a name claims of the map: the chosen grid's and great places' may also stand beside their place.
   *
   * @param {Name} name
   * @param {CanvasRenderingContext2D} context
   * @param {L.Point} size
   * @returns {Claim | null}
   */
  claimOf(name, context, size) {
    const { x, y } = this.map.latLngToContainerPoint([name.lat, name.lon]);
    const margin = size.multiplyBy(MARGIN);
    if (x < -margin.x || y < -margin.y || x > size.x + margin.x || y > size.y + margin.y) return null;
    const height = name.lines.reduce((sum, [, pixels]) => sum + pixels + LEADING, 0);
    const width = name.lines.reduce((most, [text, pixels, weight]) => {
      context.font = `${weight} ${pixels}px ${FONT}`;
      return Math.max(most, context.measureText(text).width);
    }, 0);
    const [across, up] = [width / 2 + BESIDE, height / 2 + BESIDE];
    const shifts =
      name.isMovable || name.isChosen
        ? [
            [0, 0],
            [0, up],
            [0, -up],
            [across, 0],
            [-across, 0],
          ]
        : [[0, 0]];
    return {
      order: name.isChosen ? RANK.chosen : RANK.name + name.order,
      forms: shifts.map(([right, down]) => [
        x + right - width / 2 - 5,
        y + down - height / 2 - 2,
        x + right + width / 2 + 5,
        y + down + height / 2 + 2,
      ]),
      take: (form) => form >= 0 && this.write(name, context, x + shifts[form][0], y + shifts[form][1] - height / 2),
    };
  }

  /**
   * Write the lines of a name, centred below a point of the map.
   *
   * @param {Pick<Name, "lines">} name
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} top
   */
  write({ lines }, context, x, top) {
    let y = top;
    lines.forEach(([text, pixels, weight]) => {
      y += (pixels + LEADING) / 2;
      context.font = `${weight} ${pixels}px ${FONT}`;
      context.lineWidth = 3.5;
      context.strokeText(text, x, y);
      context.fillStyle = this.inks[pixels > FIGURE_PX ? 0 : 1];
      context.fillText(text, x, y);
      y += (pixels + LEADING) / 2;
    });
  }

  /**
   * Names of streets, each along its street.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {L.Point} size
   */
  streetClaims(context, size) {
    if (this.map.getZoom() < STREETS_FROM) return [];
    const [pixels, weight] = STREET_TYPE;
    context.font = `${weight} ${pixels}px ${FONT}`;
    const names = streetNames(this.streets(), size, (name) => context.measureText(name).width + 2 * LEADING);
    return names.map((street) => this.streetClaim(street, context));
  }

  /**
   * @param {StreetName} street
   * @param {CanvasRenderingContext2D} context
   * @returns {Claim}
   */
  streetClaim({ name, x, y, angle, width, order }, context) {
    const [pixels, weight] = STREET_TYPE;
    const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
    const [across, up] = [(width * cos + pixels * sin) / 2, (width * sin + pixels * cos) / 2];
    // On a steep street Chinese is written from above, character below character.
    const isColumn = Math.abs(angle) > STEEP && CHINESE.test(name);
    /** @type {Line[]} */
    const lines = (isColumn ? [...name] : [name]).map((text) => [text, pixels, weight]);
    const write = () => {
      context.save();
      context.translate(x, y);
      context.rotate(isColumn ? angle - (Math.sign(angle) * Math.PI) / 2 : angle);
      this.write({ lines }, context, 0, -(lines.length * (pixels + LEADING)) / 2);
      context.restore();
    };
    return {
      order: RANK.name + STREET_ORDER + order,
      forms: [[x - across, y - up, x + across, y + up]],
      take: (form) => form >= 0 && write(),
    };
  }

  draw() {
    const size = this.map.getSize();
    const pad = L.point(Math.round(size.x * MARGIN), Math.round(size.y * MARGIN));
    const full = size.add(pad.multiplyBy(2));
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const context = this.canvas.getContext("2d");
    /** @type {Claim[]} */
    let names = [];
    if (context && this.canvas.isConnected) {
      this.canvas.width = full.x * ratio;
      this.canvas.height = full.y * ratio;
      this.canvas.style.width = `${full.x}px`;
      this.canvas.style.height = `${full.y}px`;
      L.DomUtil.setPosition(this.canvas, this.map.containerPointToLayerPoint(pad.multiplyBy(-1)));
      context.scale(ratio, ratio);
      context.translate(pad.x, pad.y);
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      context.strokeStyle = token("halo");
      this.inks = [token("ink"), token("muted")];
      names = this.wanted().flatMap((name) => this.claimOf(name, context, size) ?? []);
      names.push(...this.streetClaims(context, size));
    }
    // Marks are placed also where no names are wanted.
    place([...this.marks(), ...names], this.blocked());
  }
}
