// The legend of a plan: how many grids are in each class as drafted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

open();
const { draftFigures } = await import("../js/plan_legend.js");

const PUBLISHED = {
  classes: [0, 1, 2, 3, 4].map((place) => ({ label: String(place), count: 0 })),
  class_of: { 1: 2, 2: 4, 3: 1, 4: null },
  values: { 1: 100, 2: 900, 3: 70, 4: 12 },
};
const face = (key, households, target = [80, 300]) => ({ properties: { key, households, target } });
const countsOf = ({ classes }) => classes.map(({ count }) => count);

test("a draft without changes counts what is published", () => {
  assert.deepEqual(countsOf(draftFigures(PUBLISHED, [], [])), [0, 1, 1, 0, 1]);
});

test("changed, new and ended grids are counted as drafted", () => {
  const drafted = draftFigures(PUBLISHED, [face("2", 290), face("new-1", 310), face("new-2", 30)], ["3"]);
  assert.deepEqual(countsOf(drafted), [1, 0, 2, 1, 0]);
  assert.deepEqual(drafted.values, { 1: 100, 2: 290, 4: 12, "new-1": 310, "new-2": 30 });
});

test("a grid without a rule is in no class", () => {
  assert.deepEqual(countsOf(draftFigures(PUBLISHED, [face("2", 290, null)], [])), [0, 1, 1, 0, 0]);
});

test("what is published stays as it was", () => {
  draftFigures(PUBLISHED, [face("1", 5)], ["2"]);
  assert.deepEqual(PUBLISHED.class_of, { 1: 2, 2: 4, 3: 1, 4: null });
});
