import assert from "node:assert/strict";
import { test } from "node:test";
import * as geometry from "../js/plan_geometry.js";

const SQUARE = { type: "Polygon", coordinates: [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]] }; // prettier-ignore
const HOLE = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]; // prettier-ignore
const RING = { type: "Polygon", coordinates: [...SQUARE.coordinates, HOLE] };
const ISLANDS = { type: "MultiPolygon", coordinates: [SQUARE.coordinates, [HOLE.map(([x, y]) => [x + 9, y])]] };

test("the nearest place of a segment is its foot, or its nearer end", () => {
  const [a, b] = [{ x: 0, y: 0 }, { x: 10, y: 0 }]; // prettier-ignore
  assert.deepEqual(geometry.nearestOnSegment({ x: 3, y: 4 }, a, b), { x: 3, y: 0, share: 0.3 });
  assert.deepEqual(geometry.nearestOnSegment({ x: -2, y: 1 }, a, b), { x: 0, y: 0, share: 0 });
  assert.deepEqual(geometry.nearestOnSegment({ x: 12, y: 1 }, a, b), { x: 10, y: 0, share: 1 });
});

test("a segment without length has its one place", () => {
  const a = { x: 2, y: 2 };
  assert.deepEqual(geometry.nearestOnSegment({ x: 5, y: 6 }, a, a), { x: 2, y: 2, share: 0 });
});

test("what carries a line is its ends and what strays further than the tolerance", () => {
  const line = [[0, 0], [5, 0.5], [10, 0], [10, 8], [10, 10]].map(([x, y]) => ({ x, y })); // prettier-ignore
  assert.deepEqual([...geometry.carriers(line, 1)].sort(), [0, 2, 4]);
  assert.deepEqual([...geometry.carriers(line, 0.1)].sort(), [0, 1, 2, 4]);
});

test("lengths add up along a line", () => {
  assert.deepEqual(geometry.lengths([{ x: 0, y: 0 }, { x: 3, y: 4 }, { x: 3, y: 10 }]), [0, 5, 11]); // prettier-ignore
});

test("inside is inside: not in a hole, in any part", () => {
  assert.equal(geometry.isInside([2, 2], SQUARE), true);
  assert.equal(geometry.isInside([5, 2], SQUARE), false);
  assert.equal(geometry.isInside([2, 2], RING), false);
  assert.equal(geometry.isInside([0.5, 2], RING), true);
  assert.equal(geometry.isInside([11, 2], ISLANDS), true);
});

test("runs between the same two grids become one line, whichever way they were drawn", () => {
  const run = (left, right, coordinates) => ({
    geometry: { type: "LineString", coordinates },
    properties: { left, right },
  });
  const found = geometry.joined([
    run("a", "b", [[0, 0], [1, 0]]), // prettier-ignore
    run("b", "a", [[2, 0], [1, 0]]), // prettier-ignore
    run("a", "c", [[5, 5], [6, 6]]), // prettier-ignore
  ]);
  assert.equal(found.length, 2);
  assert.deepEqual(found[0].geometry.coordinates, [[[0, 0], [1, 0], [2, 0]]]); // prettier-ignore
  assert.deepEqual(found[0].properties, { left: "a", right: "b" });
});

test("runs that do not touch stay apart", () => {
  const part = (coordinates) => ({
    geometry: { type: "LineString", coordinates },
    properties: { left: "a", right: "b" },
  });
  const [edge] = geometry.joined([part([[0, 0], [1, 0]]), part([[3, 0], [4, 0]])]); // prettier-ignore
  assert.equal(edge.geometry.coordinates.length, 2);
});

test("a name stands inside its polygon, also where the middle does not", () => {
  const horseshoe = { type: "Polygon", coordinates: [[[0, 0], [10, 0], [10, 10], [8, 10], [8, 2], [2, 2], [2, 10], [0, 10], [0, 0]]] }; // prettier-ignore
  for (const shape of [SQUARE, RING, horseshoe, ISLANDS])
    assert.ok(geometry.isInside(geometry.labelPoint(shape), shape));
  assert.deepEqual(geometry.labelPoint(SQUARE), [2, 2]);
});

test("a point is its own spot, land has one inside", () => {
  assert.deepEqual(geometry.spotOf({ type: "Point", coordinates: [1, 2] }), [1, 2]);
  assert.deepEqual(geometry.spotOf(SQUARE), [2, 2]);
});

test("a box holds all positions, and nothing holds no box", () => {
  assert.deepEqual(geometry.boxOf([[1, 5], [3, 2]]), [1, 2, 3, 5]); // prettier-ignore
  assert.equal(Number.isFinite(geometry.boxOf([])[0]), false);
});

test("positions of every kind of geometry come in one row", () => {
  const a = [1, 2];
  const b = [3, 4];
  const kinds = [
    [{ type: "Point", coordinates: a }, 1],
    [{ type: "MultiPoint", coordinates: [a, b] }, 2],
    [{ type: "LineString", coordinates: [a, b] }, 2],
    [{ type: "MultiLineString", coordinates: [[a, b], [b]] }, 3],
    [SQUARE, 5],
    [ISLANDS, 10],
  ];
  for (const [shape, count] of kinds) {
    const found = geometry.positionsOf(shape);
    assert.equal(found.length, count, shape.type);
    assert.ok(found.every((position) => position.length === 2 && position.every(Number.isFinite)));
  }
  const all = { type: "GeometryCollection", geometries: kinds.map(([shape]) => shape) };
  assert.equal(geometry.positionsOf(all).length, 23);
});

test("points to cut from lie evenly along the border of the largest part", () => {
  const found = geometry.borderPoints(SQUARE, 4);
  assert.equal(found.length, 4);
  for (const [x, y] of found) assert.ok(x < 1e-9 || y < 1e-9 || Math.abs(x - 4) < 1e-9 || Math.abs(y - 4) < 1e-9);
});

test("a bearing is one of eight", () => {
  const from = [112, 28];
  const ways = {
    n: [0, 1],
    ne: [1.13, 1],
    e: [1, 0],
    se: [1.13, -1],
    s: [0, -1],
    sw: [-1.13, -1],
    w: [-1, 0],
    nw: [-1.13, 1],
  };
  for (const [said, [x, y]] of Object.entries(ways)) {
    assert.equal(geometry.bearing(from, [from[0] + x / 100, from[1] + y / 100]), said);
  }
});

test("a line is the same with more vertices, and another when it strays", () => {
  const line = [[112, 28], [112.01, 28]]; // prettier-ignore
  assert.equal(geometry.isSameLine(line, [[112, 28], [112.004, 28], [112.01, 28]], 1), true); // prettier-ignore
  assert.equal(geometry.isSameLine(line, [[112, 28], [112.004, 28.0001], [112.01, 28]], 1), false); // prettier-ignore
  assert.equal(geometry.isSameLine(line, [[112, 28], [112.005, 28]], 1), false); // prettier-ignore
});

test("the stretches of a border that run through other land", () => {
  const east = { type: "Polygon", coordinates: [[[4, 0], [8, 0], [8, 4], [4, 4], [4, 0]]] }; // prettier-ignore
  const landAt = ([x, y]) => [SQUARE, east].find((land) => geometry.isInside([x, y], land));
  const grown = { type: "Polygon", coordinates: [[[0, 0], [4, 0], [6, 0], [6, 2], [4, 2], [4, 4], [0, 4], [0, 0]]] }; // prettier-ignore
  assert.deepEqual(geometry.stretchesThrough(grown, landAt), [[[6, 0], [6, 2], [4, 2]]]); // prettier-ignore
  assert.deepEqual(geometry.stretchesThrough(SQUARE, landAt), []);
});
