// A proposed answer on the map: grids that stay are quiet, new borders stand out, what changes hands is hatched.

import { s, token } from "./dom.js";
import { AROUND_TARGET, colourFor } from "./palette.js";
import { stretchesThrough } from "./plan_geometry.js";
import { sizeClass } from "./plan_map.js";

/** @import { Answer } from "./plan_answers.js" */
/** @import { Land } from "./plan_geometry.js" */
/** @import { PlanMap } from "./plan_map.js" */

const EVERYWHERE = { x: "-100000", y: "-100000", width: "200000", height: "200000" };
const HATCH = "plan-hatch";
const RIGHT = 2; // class of a grid inside its rule
const DEFINITIONS = "plan-answer-definitions";

/**
 * Draw an answer over the draft.
 *
 * @param {PlanMap} canvas
 * @param {Answer} answer
 * @param {Set<string>} locked keys of grids that stay as they are
 */
export function drawAnswer(canvas, { faces: { features }, costs }, locked) {
  canvas.startAnswer();
  const definitions = hatching(canvas);
  for (const { geometry, properties } of features) {
    const place = properties.inside ? RIGHT : sizeClass(properties.households, canvas.targetOf(properties.key));
    const colour = place < 0 ? token("paper") : colourFor(AROUND_TARGET[place]);
    canvas.fill(geometry, { stroke: false, fillColor: colour, fillOpacity: 0.75 });
  }
  for (const { geometry, properties } of features) {
    const hatched = canvas.fill(geometry, { stroke: false, fillColor: `url(#${HATCH})`, fillOpacity: 1 });
    const before = canvas.faces.get(properties.key);
    if (before) leaveOut(canvas, definitions, hatched, before.geometry);
  }
  const before = costs.officers.flatMap(({ grid }) => canvas.faces.get(grid) ?? []);
  for (const { geometry } of before)
    canvas.fill(geometry, { fill: false, color: token("ink"), weight: 1.2, dashArray: "4 5" });
  for (const { geometry } of features) canvas.fill(geometry, { fill: false, color: token("ink"), weight: 1.6 });
  /** @param {number[]} place */
  const landAt = ([lng, lat]) => canvas.faces.get(canvas.keyAt({ lng, lat }) ?? "")?.geometry;
  for (const { geometry } of features) canvas.line(stretchesThrough(geometry, landAt));
  for (const key of locked) {
    const face = canvas.faces.get(key);
    if (face)
      canvas.label(face.geometry, { ...face.properties, name: `⚿ ${face.properties.name}`, now: face.properties });
  }
  for (const { geometry, properties } of features) {
    const households = canvas.faces.get(properties.key)?.properties.households;
    canvas.label(geometry, {
      ...properties,
      before: households === undefined ? null : { households },
      now: { households: properties.households },
    });
  }
  canvas.onDrawn();
}

/**
 * The pattern of the hatching, and room for what is left out of it, where the paths are drawn.
 *
 * @param {PlanMap} canvas
 */
function hatching(canvas) {
  const line = s("path", { d: "M0 8 8 0", stroke: token("accent"), "stroke-width": "1.6" });
  const pattern = s("pattern", { id: HATCH, width: "8", height: "8", patternUnits: "userSpaceOnUse" }, line);
  const definitions = s("defs", { id: DEFINITIONS }, pattern);
  document.getElementById(DEFINITIONS)?.remove();
  const path = L.polyline([], { renderer: canvas.svg }).addTo(canvas.work).getElement();
  path?.closest("svg")?.append(definitions);
  return definitions;
}

/**
 * Do not hatch what a grid has today: its path as a mask follows the map as every path does.
 *
 * @param {PlanMap} canvas
 * @param {SVGElement} definitions
 * @param {L.Path} hatched
 * @param {Land} before
 */
function leaveOut(canvas, definitions, hatched, before) {
  const id = `plan-left-out-${definitions.childElementCount}`;
  const path = canvas.fill(before, { stroke: false, fillColor: "black", fillOpacity: 1 }).getElement();
  const all = s("rect", { ...EVERYWHERE, fill: "white" });
  definitions.append(s("mask", { id, maskUnits: "userSpaceOnUse", ...EVERYWHERE }, all, path));
  hatched.getElement()?.setAttribute("mask", `url(#${id})`);
}
