import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

open();
const { state } = await import("../js/state.js");
const { MODES, layersInAddress, shownLayers, themeNow } = await import("../js/map_modes.js");

/** What is on the map of a mode at an address. */
function shown(mode, { layers = "", theme = "households" } = {}) {
  Object.assign(state, { mode, layers, theme });
  return { layers: [...shownLayers()], theme: themeNow() };
}

test("each mode has a map of its own", () => {
  assert.deepEqual(shown("").layers, ["roads", "buildings", "names"]);
  assert.ok(shown("dispatch").layers.includes("incidents"));
  assert.equal(shown("dispatch").theme, "none");
  assert.equal(shown("plan", { theme: "people" }).theme, "households");
  assert.equal(shown("coverage").theme, "none");
});

test("a theme that was chosen holds where the mode has it", () => {
  assert.equal(shown("", { theme: "fire-20:fire_station" }).theme, "fire-20:fire_station");
  assert.equal(shown("dispatch", { theme: "hazards" }).theme, "hazards");
  assert.equal(shown("dispatch", { theme: "people" }).theme, "none");
});

test("a layer switched on goes along, one switched off stays so in its mode", () => {
  shown("dispatch");
  const layers = layersInAddress(["roads", "names", "rescue", "hazards"]);
  assert.equal(layers, "+hazards,-buildings,-incidents");
  assert.deepEqual(shown("", { layers }).layers, ["roads", "names", "hazards"]);
  assert.equal(layersInAddress(["roads", "names"]), "-buildings,-incidents");
  assert.deepEqual(shown("dispatch", { layers }).layers, ["roads", "names", "rescue", "hazards"]);
});

test("what is on is what the address says when it is read again", () => {
  const some = ["roads", "buildings", "names", "rescue", "services", "hazards", "incidents"];
  for (const mode of Object.keys(MODES)) {
    for (let bits = 0; bits < 2 ** some.length; bits += 1) {
      const keys = some.filter((_, place) => bits & (2 ** place));
      shown(mode);
      assert.deepEqual(shown(mode, { layers: layersInAddress(keys) }).layers.sort(), [...keys].sort());
    }
  }
});

test("a list without signs names them all", () => {
  assert.deepEqual(shown("dispatch", { layers: "roads,hazards" }).layers, ["roads", "hazards"]);
});
