import assert from "node:assert/strict";
import { test } from "node:test";
import { open, plainLeaflet } from "./page.js";

open();
const { map } = plainLeaflet(); // 1 pixel is 0.0001°
const { Snapper } = await import("../js/plan_snap.js");

// A street to the east with a bend in its middle.
const STREET = [[0, 0], [0.01, 0], [0.01, 0.01]]; // prettier-ignore

function snapper() {
  const made = new Snapper(map, "plan", assert.fail);
  made.lines = [{ line: STREET, kind: "road" }];
  return made;
}

test("what is near a line goes onto it", () => {
  const found = snapper().snap({ lat: 0.0005, lng: 0.004 });
  assert.deepEqual(found.latlng, { lat: 0, lng: 0.004 });
  assert.ok(Math.abs(found.at - 0.4) < 1e-9);
});

test("what is far from every line stays", () => {
  const here = { lat: 0.005, lng: 0.004 };
  assert.deepEqual(snapper().snap(here), { latlng: here });
});

test("a vertex comes before the line beside it", () => {
  const found = snapper().snap({ lat: 0.0001, lng: 0.0098 });
  assert.deepEqual(found.latlng, { lat: 0, lng: 0.01 });
  assert.equal(found.at, 1);
});

test("nothing snaps while it is switched off, or as long as Alt is held", () => {
  const here = { lat: 0.0005, lng: 0.004 };
  const off = snapper();
  off.isOn = false;
  assert.equal(off.snap(here).line, undefined);
  const held = snapper();
  held.isTurned = true;
  assert.equal(held.snap(here).line, undefined);
  held.isOn = false; // Alt turns it, whichever way it stands
  assert.equal(held.snap(here).line, STREET);
});

test("between two places of a street lie its bends, in the order of the stroke", () => {
  const made = snapper();
  const [from, to] = [{ lat: 0, lng: 0.004 }, { lat: 0.006, lng: 0.01 }].map((place) => made.snap(place)); // prettier-ignore
  assert.deepEqual(made.between(from, to), [[0.01, 0]]);
  assert.deepEqual(made.between(to, from), [[0.01, 0]]);
  assert.deepEqual(made.between(from, from), []);
});

test("between two streets, or a street and nothing, lies nothing", () => {
  const made = snapper();
  const on = made.snap({ lat: 0, lng: 0.004 });
  assert.deepEqual(made.between(on, { ...on, line: [[9, 9], [8, 8]] }), []); // prettier-ignore
  assert.deepEqual(made.between(null, on), []);
  assert.deepEqual(made.between(on, { latlng: { lat: 1, lng: 1 } }), []);
});
