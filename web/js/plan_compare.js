// Before and after: the published borders left of a line that is moved, the draft right of it.

import { outlineOf } from "./backdrop.js";
import { at, h, isNarrow } from "./dom.js";
import { p } from "./plan_texts.js";
import { state } from "./state.js";

/** @import { PlanMode } from "./plan.js" */
/** @import { Face } from "./plan_map.js" */

export class Comparison {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    this.isOn = false;
    /** @type {HTMLElement | null} */
    this.swiper = null;
  }

  /** Show the draft alone. */
  stop() {
    const { mode } = this;
    this.isOn = false;
    this.swiper?.remove();
    this.swiper = null;
    mode.drawing?.swipe(null);
    mode.drawing?.before.clearLayers();
    mode.drawing?.bordersBefore.clearLayers();
    if (mode.opened) mode.bar.draw();
  }

  /** Show both sides of the line. */
  async start() {
    const { mode } = this;
    this.stop();
    this.isOn = true;
    if (!mode.isPending) mode.canvas.edges.clearLayers();
    mode.bar.draw();
    const before = await this.facesBefore();
    if (!this.isOn || !mode.drawing) return;
    mode.canvas.showBefore(before);
    const width = mode.map.getSize().x;
    const free = width - (isNarrow() ? 0 : at("panel").offsetWidth);
    const range = h("input", {
      type: "range",
      id: "plan-swipe",
      min: 0,
      max: 100,
      value: Math.round((free / 2 / width) * 100),
      "aria-label": p("swipe"),
      oninput: () => put(),
    });
    const swiper = h(
      "div",
      { class: "plan-swiper" },
      h("i", { "aria-hidden": "true" }),
      h("span", { class: "was" }, p("before")),
      h("span", { class: "is" }, p("after")),
      range,
    );
    const put = () => {
      mode.canvas.swipe(Number(range.value) / 100);
      swiper.style.setProperty("--at", `${range.value}%`);
    };
    this.swiper = swiper;
    mode.map.getContainer().after(swiper);
    put();
  }

  /**
   * The faces in view as they were published: changed ones are fetched with every vertex.
   *
   * @returns {Promise<Pick<Face, "geometry" | "properties">[]>}
   */
  async facesBefore() {
    const { grids, canvas } = this.mode;
    const now = [...canvas.faces.values()];
    const same = now.filter(({ properties }) => !properties.changed);
    const villages = new Set(
      now.filter(({ properties }) => properties.changed).map(({ properties }) => String(properties.parent)),
    );
    const known = new Set(same.map(({ properties }) => properties.key));
    const wanted = grids
      .ofRank(grids.baseRank)
      .filter(
        (grid) =>
          !known.has(String(grid.grid_id)) &&
          (villages.has(String(grid.parent_grid_id)) || canvas.faces.has(String(grid.grid_id))),
      );
    const outlines = await Promise.all(wanted.map((grid) => outlineOf(grid.grid_id, state.at)));
    const changed = wanted.map((grid, i) => ({
      geometry: outlines[i],
      properties: {
        key: String(grid.grid_id),
        parent: String(grid.parent_grid_id),
        name: grid.name,
        households: grids.figures?.values[grid.grid_id] ?? undefined,
      },
    }));
    return [...same, ...changed];
  }
}
