// The costs of proposed answers: beside today, and beside the least possible.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

open();
const { figureRows } = await import("../js/plan_answers.js");

const COSTS = {
  grids_changed: 0,
  households_moved: 0,
  people_moved: 0,
  officers: [],
  buildings_cut: 0,
  along_streets: 0.88,
  border_m: 9500,
  new_border_m: 0,
  inside: 5,
  of: 8,
  compactness: 0.41,
};
const BOUNDS = { moves: 612, border_m: null };

/** A row of the figures for one answer that costs this. */
function rowOf(name, costs, bounds = BOUNDS) {
  const answers = [{ name: "least_change", costs: { ...COSTS, ...costs }, faces: { features: [] }, edit: {} }];
  const row = figureRows({ today: COSTS, bounds }, answers).find((figure) => figure.name === name);
  return { ...row, value: row.values[0] };
}

test("more grids inside the rule is better", () => {
  const { today, value } = rowOf("inside", { inside: 8 });
  assert.deepEqual([today, value.text, value.change, value.tone], ["5 / 8", "8 / 8", "+3", "better"]);
});

test("fewer is worse, and says so by its sign", () => {
  const { value } = rowOf("inside", { inside: 4 });
  assert.deepEqual([value.change, value.tone], ["−1", "worse"]);
});

test("a shorter border is better", () => {
  assert.deepEqual(rowOf("border", { border_m: 9373 }).value.tone, "better");
  assert.deepEqual(rowOf("border", { border_m: 9823 }).value.change, "+0.3 km");
});

test("what cannot be told apart as it is written is no change", () => {
  assert.equal(rowOf("compactness", { compactness: 0.412 }).value.change, "");
});

test("moves stand beside the least possible, and are marked where they are it", () => {
  assert.equal(rowOf("households_moved", { households_moved: 612 }).least, "612");
  assert.ok(rowOf("households_moved", { households_moved: 612 }).value.isLeast);
  assert.ok(!rowOf("households_moved", { households_moved: 613 }).value.isLeast);
});

test("where nothing is proven it says so", () => {
  assert.equal(rowOf("border", {}).least, "无下界");
  assert.equal(rowOf("border", {}, { moves: 0, border_m: 9000 }).least, "9 km");
});

test("an answer without new borders has no share along streets", () => {
  const { value } = rowOf("along_streets", { along_streets: null });
  assert.deepEqual([value.text, value.change], ["–", ""]);
});
