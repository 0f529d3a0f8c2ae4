// The ground's style and its tiles, as light.js reads them where there is no WebGL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

open();
const { evaluate } = await import("../js/expression.js");
const { layersFor } = await import("../js/style.js");
const { decode, isInside } = await import("../js/tiles.js");

const at = (zoom, properties = {}, state = {}) => ({ zoom, properties, state });
const LOOK = {
  palette: { water: "#c6dde9", green: "#dfe8d3", built: "#ece5d9", border: "#5c6a76", paper: "#f6f3ec" },
  shades: ["one", "two"],
  isThemed: false,
  isFast: true,
  hasFigures: true,
  hasBase: false,
  hasRoads: true,
  hasBuildings: true,
  isPlan: false,
  ranks: 3,
};
const layer = (id, changes = {}) => layersFor({ ...LOOK, ...changes }).find((one) => one.id === id);

test("expressions are worked out as MapLibre works them out", () => {
  const steps = ["interpolate", ["linear"], ["zoom"], 10, 1, 12, 3];
  assert.deepEqual([9, 10, 11, 12, 13].map((zoom) => evaluate(steps, at(zoom))), [1, 1, 2, 3, 3]); // prettier-ignore
  const grows = ["interpolate", ["exponential", 2], ["zoom"], 0, 0, 2, 3];
  assert.equal(evaluate(grows, at(1)), 1);
  assert.equal(evaluate(["step", ["zoom"], "a", 15, "b"], at(14)), "a");
  assert.equal(evaluate(["step", ["zoom"], "a", 15, "b"], at(15)), "b");
  assert.equal(evaluate(["match", ["get", "kind"], "x", 1, "y", 2, 0], at(9, { kind: "y" })), 2);
  assert.equal(evaluate(["all", ["!", ["has", "tunnel"]], ["in", ["get", "c"], ["literal", ["p"]]]], at(9, { c: "p" })), true); // prettier-ignore
  assert.throws(() => evaluate(["heatmap"], at(9)), /heatmap/);
});

test("a grid has the colour of its class, paper without one", () => {
  const colour = layer("fills").paint["fill-color"];
  assert.deepEqual([0, 1, null].map((place) => evaluate(colour, at(9, {}, { class: place }))), ["one", "two", "#f6f3ec"]); // prettier-ignore
});

test("borders come by their level, a draft brings its own", () => {
  const { filter, layout } = layer("borders");
  const shown = (zoom) => [0, 1, 2, 3].filter((level) => evaluate(filter, at(zoom, { level })));
  assert.deepEqual([7, 10, 12].map(shown), [[0, 1], [0, 1, 2], [0, 1, 2, 3]]); // prettier-ignore
  assert.equal(layout.visibility, "visible");
  assert.equal(layer("borders", { isPlan: true }).layout.visibility, "none");
});

test("every value of every layer can be worked out at every zoom", () => {
  const samples = [{ kind: "green" }, { road_class: "primary" }, { road_class: "path", tunnel: true }, { level: 2 }];
  for (const { paint, layout = {}, filter } of layersFor(LOOK)) {
    for (const value of [...Object.values(paint), ...Object.values(layout), filter]) {
      for (const properties of samples)
        for (let zoom = 6; zoom < 19; zoom += 1) assert.doesNotThrow(() => evaluate(value, at(zoom, properties)));
    }
  }
});

// --- tiles -------------------------------------------------------------------------------------------

const varint = (value) => (value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]);
const field = (number, wire, bytes) => [...varint(number * 8 + wire), ...bytes];
const block = (number, bytes) => field(number, 2, [...varint(bytes.length), ...bytes]);
const text = (number, words) => block(number, [...new TextEncoder().encode(words)]);
const zigzag = (value) => (value < 0 ? -value * 2 - 1 : value * 2);
const square = (x, y, side) =>
  [9, zigzag(x), zigzag(y), 26, zigzag(side), 0, 0, zigzag(side), zigzag(-side), 0, 15].flatMap(varint);

/** A tile with one layer of a square with a hole, of 300 and a name. */
function tile() {
  // The hole begins where the square's last corner was: there, and 5 to the right, 95 up.
  const hole = [9, zigzag(5), zigzag(-5), 26, zigzag(2), 0, 0, zigzag(2), zigzag(-2), 0, 15].flatMap(varint);
  const feature = [
    ...field(1, 0, varint(300)),
    ...block(2, [0, 0, 1, 1]),
    ...field(3, 0, [3]),
    ...block(4, [...square(10, 20, 10), ...hole]),
  ];
  const layerBytes = [
    ...field(15, 0, [2]),
    ...text(1, "grids"),
    ...block(2, feature),
    ...text(3, "name"),
    ...text(3, "rank"),
    ...block(4, text(1, "东街一格")),
    ...block(4, field(4, 0, varint(1000))),
    ...field(5, 0, varint(4096)),
  ];
  return new Uint8Array(block(3, layerBytes)).buffer;
}

test("a tile's layers, numbers, names and lines are read", () => {
  const { grids } = decode(tile());
  assert.equal(grids.extent, 4096);
  const [feature] = grids.features;
  assert.equal(feature.id, 300);
  assert.deepEqual(feature.properties, { name: "东街一格", rank: 1000 });
  assert.deepEqual(feature.lines[0], [10, 20, 20, 20, 20, 30, 10, 30]);
  assert.deepEqual(feature.box, [10, 20, 20, 30]);
  assert.deepEqual(decode(new ArrayBuffer(0)), {});
});

test("a place is inside an area, not in its hole", () => {
  const [feature] = decode(tile()).grids.features;
  assert.deepEqual(feature.lines[1], [15, 25, 17, 25, 17, 27, 15, 27]);
  assert.equal(isInside(feature, 12, 22), true);
  assert.equal(isInside(feature, 16, 26), false);
  assert.equal(isInside(feature, 9, 22), false);
});
