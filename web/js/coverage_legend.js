// What the coverage mode adds to the legend: the menu of fills, the time bands, the layers of a run.

import { bandColour, bandMinutes } from "./coverage_figures.js";
import { c } from "./coverage_texts.js";
import { h, parts } from "./dom.js";
import { mapNow } from "./map_modes.js";
import { colourFor } from "./palette.js";
import { show, state } from "./state.js";
import { t } from "./texts.js";

/** @import { CoverageMode } from "./coverage.js" */

/** The layers of a run that are on. */
export const shownAreas = () => new Set(state.areas.split(",").filter(Boolean));

/** @param {CoverageMode} mode */
export const fillMenu = (mode) =>
  h(
    "select",
    { id: "theme", "aria-label": t("theme"), onchange: (event) => show({ fill: event.target.value }) },
    mode.fills.map((fill) =>
      h("option", { value: fill, selected: fill === mode.fill }, fill === "none" ? t("theme_none") : c(`fill_${fill}`)),
    ),
  );

/**
 * @param {CoverageMode} mode
 * @returns {import("./dom.js").Children}
 */
export const legendRows = (mode) =>
  parts(
    mode.standards.length > 0 && [
      !mode.figures && mode.fill !== "bands" && !mode.run && h("p", { class: "quiet" }, c("legend_no_run")),
      mode.fill === "bands" && bandRows(mode),
      h(
        "div",
        { class: "cover-layers" },
        mapNow()
          .areas.filter((key) => mode.hasLayer(key))
          .map(layerSwitch),
      ),
      mode.canvas?.isCrowded && h("p", { class: "quiet", id: "stations-crowded" }, c("stations_crowded")),
    ],
  );

/** @param {CoverageMode} mode */
function bandRows({ limit, title }) {
  const steps = bandMinutes(limit);
  return [
    h("p", { class: "quiet" }, c("bands_of", { name: title })),
    h(
      "ul",
      { class: "classes" },
      steps.map((to, i) =>
        h(
          "li",
          {},
          h("i", { style: { backgroundColor: colourFor(bandColour(i, steps.length)) } }),
          h("span", {}, c("band", { from: i ? steps[i - 1] : 0, to })),
        ),
      ),
      h("li", {}, h("i", { class: "empty" }), h("span", {}, c("band_beyond", { n: limit }))),
    ),
  ];
}

/** @param {string} key of the layer */
function layerSwitch(key) {
  const areas = shownAreas();
  const toggle = () => {
    if (!areas.delete(key)) areas.add(key);
    show({ areas: [...areas].join(",") });
  };
  return h(
    "label",
    {},
    h("input", { type: "checkbox", id: `areas-${key}`, checked: areas.has(key), onchange: toggle }),
    h("i", { class: `key-${key}` }),
    c(`layer_${key}`),
  );
}
