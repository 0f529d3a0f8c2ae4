// Where the names of streets stand along them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { joinPieces, placesAlong, streetNames } from "../js/street_names.js";

const VIEW = { x: 1000, y: 600 };
const line = (...places) => places.map(([x, y]) => ({ x, y }));
const street = (name, points, road_class = "residential") => ({ name, road_class, points });
const narrow = () => 60;

test("pieces that are cut at junctions are one street", () => {
  const pieces = [line([100, 50], [150, 50]), line([50, 50], [100, 50]), line([200, 50], [150, 50])];
  const joined = joinPieces(pieces);
  assert.equal(joined.length, 1);
  assert.deepEqual(
    joined[0].map(({ x }) => x).sort((a, b) => a - b),
    [50, 100, 150, 200],
  );
});

test("pieces that touch nothing stay apart", () => {
  assert.equal(joinPieces([line([0, 0], [50, 0]), line([0, 40], [50, 40])]).length, 2);
});

test("a piece that ends where it begins is taken once", () => {
  assert.equal(joinPieces([line([0, 0], [50, 0], [50, 50], [0, 0])]).length, 1);
});

test("a street shorter than its name has no place for it", () => {
  assert.deepEqual(placesAlong(line([10, 10], [60, 10]), 60, VIEW), []);
});

test("a name lies on a straight stretch, not round a corner", () => {
  const places = placesAlong(line([100, 100], [200, 100], [200, 200]), 60, VIEW);
  assert.ok(places.length > 0);
  for (const { x, y } of places) assert.ok(x <= 171 || y >= 129, `${x} ${y}`);
});

test("no name stands upside down", () => {
  for (const turn of [0, 1, 2, 3, 4, 5, 6]) {
    const end = [500 + 200 * Math.cos(turn), 300 + 200 * Math.sin(turn)];
    const [{ angle }] = placesAlong(line([500, 300], end), 60, VIEW);
    assert.ok(angle > -Math.PI / 2 - 1e-9 && angle <= Math.PI / 2 + 1e-9, `${turn}: ${angle}`);
  }
});

test("what is out of view has no name", () => {
  assert.deepEqual(streetNames([street("东街", line([-300, 50], [-20, 50]))], VIEW, narrow), []);
});

test("a long street has its name again, but not near to itself", () => {
  const names = streetNames([street("东街", line([0, 50], [1000, 50]))], VIEW, narrow);
  assert.ok(names.length >= 2);
  const xs = names.map(({ x }) => x).sort((a, b) => a - b);
  xs.slice(1).forEach((x, i) => assert.ok(x - xs[i] >= 360));
});

test("both carriageways of a street share one name", () => {
  const names = streetNames(
    [street("东街", line([0, 50], [300, 50])), street("东街", line([0, 62], [300, 62]))],
    VIEW,
    narrow,
  );
  assert.equal(names.length, 1);
});

test("names of greater streets come first", () => {
  const streets = [street("小巷", line([0, 50], [200, 50])), street("国道", line([0, 90], [200, 90]), "primary")];
  assert.deepEqual(
    streetNames(streets, VIEW, narrow).map(({ name }) => name),
    ["国道", "小巷"],
  );
});
