import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { open, plainLeaflet } from "./page.js";

open();
const { map, markers } = plainLeaflet();
const { Stroke } = await import("../js/plan_stroke.js");

const snapper = { snap: (latlng) => ({ latlng }), between: () => [], hide() {} };
const LINE = [[0, 0], [0.01, 0], [0.02, 0]]; // prettier-ignore
let told = 0;

function stroke(positions = LINE, how = {}) {
  const made = new Stroke(map, { pane: "plan", snapper, onChange: () => (told += 1), ...how });
  made.set(positions);
  return made;
}

beforeEach(() => {
  told = 0;
  markers.length = 0;
});

test("positions come back as they were set", () => {
  assert.deepEqual(stroke().positions, LINE);
});

test("a handle that is moved takes the soft places along in proportion", () => {
  const made = stroke();
  made.points[1].soft = true;
  made.move(2, { lat: 0.01, lng: 0.02 });
  assert.deepEqual(made.positions, [[0, 0], [0.01, 0.005], [0.02, 0.01]]); // prettier-ignore
});

test("a handle does not move its neighbour that has a handle of its own", () => {
  const made = stroke();
  made.move(2, { lat: 0.01, lng: 0.02 });
  assert.deepEqual(made.positions[1], [0.01, 0]);
});

test("of a detailed line only ends and what carries its form get handles", () => {
  const made = stroke([[0, 0], [0.005, 0.00505], [0.01, 0.01], [0.02, 0]], { isDetailed: true }); // prettier-ignore
  assert.deepEqual(made.points.map(({ soft }) => soft), [false, true, false, false]); // prettier-ignore
});

test("a place added at the end can be taken back", () => {
  const made = stroke();
  made.add({ lat: 0.03, lng: 0.03 });
  assert.equal(made.positions.length, 4);
  assert.equal(made.back(), true);
  assert.deepEqual(made.positions, LINE);
  assert.equal(made.back(), false);
  assert.equal(told, 2);
});

test("the last place of a stroke is not removed, nor an end of an edge", () => {
  const short = stroke([[0, 0]]);
  short.remove(0);
  assert.equal(short.positions.length, 1);
  const edge = stroke([[0, 0], [0.01, 0.01], [0.02, 0]], { isDetailed: true }); // prettier-ignore
  edge.remove(0);
  assert.equal(edge.positions.length, 3);
  edge.remove(1);
  assert.equal(edge.positions.length, 2);
});

test("arrows move a handle by pixels, with Shift further, and count as one step back", () => {
  const made = stroke();
  const key = (more) => made.onKey({ key: "ArrowRight", ...more }, 1);
  key({});
  key({});
  assert.ok(Math.abs(made.positions[1][0] - 0.0104) < 1e-9);
  key({ shiftKey: true });
  assert.ok(Math.abs(made.positions[1][0] - 0.0116) < 1e-9);
  assert.equal(made.past.length, 1);
  made.back();
  assert.deepEqual(made.positions, LINE);
});

test("Ctrl with a key is left to the page", () => {
  const made = stroke();
  made.onKey({ key: "ArrowRight", ctrlKey: true }, 1);
  assert.deepEqual(made.positions, LINE);
});

test("a ring closes once it has three places", () => {
  const ring = stroke(LINE.slice(0, 2), { isClosed: true });
  assert.equal(ring.outline().length, 2);
  ring.set([...LINE, [0.01, 0.01]]);
  assert.deepEqual(ring.outline().at(-1), ring.outline()[0]);
});

test("dragging a handle says so at every step, and is one step back", () => {
  const made = stroke();
  const [first] = markers;
  first.told.dragstart();
  first.setLatLng({ lat: -0.01, lng: 0 });
  first.told.drag();
  first.told.drag();
  first.told.dragend();
  assert.equal(told, 3);
  assert.deepEqual(made.positions[0], [0, -0.01]);
  made.back();
  assert.deepEqual(made.positions, LINE);
});
