// Names on the map: bigger places first, none on another, a halo in the colour of the paper.

import { token } from "./dom.js";
import { figureText } from "./figures.js";
import { isEnglish } from "./texts.js";

const FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const MARGIN = 0.2;
const GRIDS_FROM = 14;
const SINGLE_LEVEL_FROM = 10;
const SIZES = { county: [15, 600, 8, 9], town: [14, 600, 9, 16], village: [12, 500, 12, 17] };

export class Names {
  /** What is written is asked for each time: grids, figures, selected, and boxes that stay free. */
  constructor(map, group, { grids, figures, selected, obstacles }) {
    Object.assign(this, { map, grids, figures, selected, obstacles });
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
    group.addLayer(new Canvas({ pane: "names" }));
  }

  /** Write these places too: GeoJSON features. */
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
    const wanted = [];
    const grids = this.grids();
    const from = grids[0]?.rank === 1 ? SINGLE_LEVEL_FROM : GRIDS_FROM;
    for (const { geometry, properties } of this.places) {
      const [size, weight, first, last] = SIZES[properties.level] ?? SIZES.village;
      if (zoom < first || zoom > last) continue;
      const text = (isEnglish && properties.name_en) || properties.name;
      const [lon, lat] = geometry.coordinates;
      wanted.push({ lat, lon, lines: [[text, size + (zoom > 12 ? 1 : 0), weight]], order: properties.rank ?? 9 });
    }
    if (zoom >= from) {
      const figures = this.figures();
      for (const grid of grids) {
        const lines = [[grid.name, 13, 500]];
        const value = grid.figure ?? figures?.values[grid.grid_id];
        if (value !== null && value !== undefined) {
          lines.push([figureText(figures.theme, value), 11, 400]);
        }
        const order = grid.grid_id === this.selected() ? -1 : (grid.order ?? 20);
        wanted.push({ lat: grid.label[1], lon: grid.label[0], lines, order });
      }
    }
    return wanted.sort((a, b) => a.order - b.order);
  }

  /** Where symbols stand now: smaller names give way to them. */
  symbolBoxes() {
    const shift = L.DomUtil.getPosition(this.canvas);
    return [...this.map.getPane("points").children].map((icon) => {
      const { x, y } = L.DomUtil.getPosition(icon).subtract(shift);
      const half = icon.classList.contains("cluster") ? 15 : 9;
      return [x - half, y - half, x + half, y + half];
    });
  }

  draw() {
    if (!this.canvas.isConnected) return;
    const size = this.map.getSize();
    const pad = L.point(Math.round(size.x * MARGIN), Math.round(size.y * MARGIN));
    const full = size.add(pad.multiplyBy(2));
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = full.x * ratio;
    this.canvas.height = full.y * ratio;
    this.canvas.style.width = `${full.x}px`;
    this.canvas.style.height = `${full.y}px`;
    L.DomUtil.setPosition(this.canvas, this.map.containerPointToLayerPoint(pad.multiplyBy(-1)));
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.strokeStyle = token("halo");
    const taken = this.obstacles().map((box) => box.map((value, i) => value + (i % 2 ? pad.y : pad.x)));
    const symbols = this.symbolBoxes();
    for (const name of this.wanted()) {
      const point = this.map.latLngToContainerPoint([name.lat, name.lon]).add(pad);
      if (point.x < 0 || point.y < 0 || point.x > full.x || point.y > full.y) continue;
      const height = name.lines.reduce((sum, [, pixels]) => sum + pixels + 3, 0);
      let width = 0;
      for (const [text, pixels, weight] of name.lines) {
        context.font = `${weight} ${pixels}px ${FONT}`;
        width = Math.max(width, context.measureText(text).width);
      }
      const box = [
        point.x - width / 2 - 5,
        point.y - height / 2 - 2,
        point.x + width / 2 + 5,
        point.y + height / 2 + 2,
      ];
      const hits = (other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3];
      if (taken.some(hits)) continue;
      if (name.order > 1 && symbols.some(hits)) continue;
      taken.push(box);
      let y = point.y - height / 2;
      name.lines.forEach(([text, pixels, weight], row) => {
        y += (pixels + 3) / 2;
        context.font = `${weight} ${pixels}px ${FONT}`;
        context.lineWidth = 3.5;
        context.strokeText(text, point.x, y);
        context.fillStyle = token(row === 0 ? "ink" : "muted");
        context.fillText(text, point.x, y);
        y += (pixels + 3) / 2;
      });
    }
  }
}
