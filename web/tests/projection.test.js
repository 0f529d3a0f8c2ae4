import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedEdges } from "../js/borders.js";
import { prepare, project, touch, unproject } from "../js/projection.js";

const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-12, `${a} is not ${b}`);

test("the middle of the world is the middle of the square", () => {
  near(project(0, 0)[0], 0.5);
  near(project(0, 0)[1], 0.5);
});

test("the edges of the world are the edges of the square, north above", () => {
  near(project(-180, 0)[0], 0);
  near(project(180, 0)[0], 1);
  assert.ok(Math.abs(project(0, 85.0511287798066)[1]) < 1e-9);
  assert.ok(project(0, 30)[1] < project(0, 20)[1]);
});

test("back again is where it began", () => {
  for (const [lon, lat] of [
    [112.9, 28.7],
    [-70, -33],
    [0, 84],
  ]) {
    // prettier-ignore
    const [x, y] = project(lon, lat);
    const [backLon, backLat] = unproject(x, y);
    assert.ok(Math.abs(backLon - lon) < 1e-9 && Math.abs(backLat - lat) < 1e-9);
  }
});

test("features of every kind become flat lines with the box around them", () => {
  const geometries = [
    { type: "LineString", coordinates: [[0, 0], [90, 0]] }, // prettier-ignore
    { type: "MultiPolygon", coordinates: [[[[0, 0], [90, 0], [0, 45], [0, 0]]], [[[1, 1], [2, 1], [1, 2], [1, 1]]]] }, // prettier-ignore
    { type: "Point", coordinates: [0, 0] },
    null,
  ];
  const found = prepare({ features: geometries.map((geometry, i) => ({ geometry, properties: { i } })) });
  assert.deepEqual(found.map(({ lines }) => lines.length), [1, 2, 0, 0]); // prettier-ignore
  assert.deepEqual([...found[0].lines[0]], [0.5, 0.5, 0.75, 0.5]);
  assert.deepEqual(found[0].box, [0.5, 0.5, 0.75, 0.5]);
  assert.equal(found[3].properties.i, 3);
});

test("boxes touch where they share an edge", () => {
  assert.equal(touch([0, 0, 1, 1], [1, 1, 2, 2]), true);
  assert.equal(touch([0, 0, 1, 1], [1.1, 0, 2, 1]), false);
  assert.equal(touch([0, 0, 1, 1], [0, 1.1, 1, 2]), false);
});

// Four base grids, 1 2 in village 10 and 3 4 in village 20:
//   3 4
//   1 2
const cell = (id, x, y) => ({
  properties: { grid_id: id },
  geometry: { type: "Polygon", coordinates: [[[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]]] }, // prettier-ignore
});
const CELLS = [cell(1, 0, 0), cell(2, 1, 0), cell(3, 0, 1), cell(4, 1, 1)];
const VILLAGE = { 1: 10, 2: 10, 3: 20, 4: 20 };
const edges = sharedEdges(CELLS, (id) => [VILLAGE[id], id]);

test("every edge is there once", () => {
  const segments = edges.reduce((sum, { line }) => sum + line.length / 2 - 1, 0);
  assert.equal(segments, 12);
});

test("an edge has the level that it separates", () => {
  const lengthOf = (level) =>
    edges.filter((edge) => edge.level === level).reduce((sum, { line }) => sum + line.length / 2 - 1, 0);
  assert.deepEqual([lengthOf(0), lengthOf(1), lengthOf(2)], [8, 2, 2]);
});
