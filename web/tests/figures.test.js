import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

open({ language: "en" });
const figures = await import("../js/figures.js");
const coverage = await import("../js/coverage_figures.js");
const words = await import("../js/coverage_texts.js");

test("a share is a percentage, a count has its unit, nothing is said as such", () => {
  assert.equal(figures.figureText("fire-20", 87.65), "87.7%");
  assert.equal(figures.figureText("fire-20:fire_station", 100), "100%");
  assert.match(figures.figureText("households", 1234), /1,234/);
  assert.equal(figures.figureText("households", null), figures.figureText("fire-20", undefined));
});

test("a theme with a kind is called by both", () => {
  assert.match(figures.themeName("fire-20:fire_station"), / · /);
  assert.equal(figures.isShare("service-15:clinic"), true);
  assert.equal(figures.isShare("people"), false);
});

test("a grid without a class is told apart from the first class", () => {
  const found = { class_of: { 7: 0, 8: null } };
  assert.equal(figures.classOf(found, 7), 0);
  assert.equal(figures.classOf(found, 8), -1);
  assert.equal(figures.classOf(found, 9), -1);
});

const ABOUT = { name: "Fire", limit: 20, status: "ok", day: "2026-03-01", of: "of" };
const row = (id, share, median) => ({ grid_id: id, share, median_minutes: median, worst_minutes: median });

test("shares fall into five classes that count every grid once", () => {
  const rows = [row(1, 0, 1), row(2, 0.2, 1), row(3, 0.999, 1), row(4, 1, 1), row(5, null, 1)];
  const found = coverage.mapFigures(rows, { ...ABOUT, fill: "share" });
  assert.deepEqual(found.class_of, { 1: 0, 2: 1, 3: 4, 4: 4 });
  assert.deepEqual(found.classes.map(({ count }) => count), [1, 1, 0, 0, 2]); // prettier-ignore
  assert.deepEqual(found.values[5], null);
  assert.equal(found.unit, "%");
});

test("minutes are classed around the limit: half of it, all of it, twice", () => {
  const rows = [row(1, 1, 9.9), row(2, 1, 10), row(3, 1, 20), row(4, 1, 40), row(5, 1, undefined)];
  const found = coverage.mapFigures(rows, { ...ABOUT, fill: "median" });
  assert.deepEqual(found.class_of, { 1: 0, 2: 1, 3: 2, 4: 3 });
  assert.deepEqual(coverage.minuteBreaks(20), [10, 20, 40]);
});

test("bands rise to the limit, the nearest the darkest", () => {
  assert.deepEqual(coverage.bandMinutes(20), [5, 10, 20]);
  assert.deepEqual(coverage.bandMinutes(15), [5, 10, 15]);
  assert.deepEqual(coverage.bandMinutes(2), [1, 2]);
  const colours = [0, 1, 2].map((place) => coverage.bandColour(place, 3));
  assert.equal(new Set(colours).size, 3);
});

test("a what-if puts its grids in the places of the old ones", () => {
  const rows = [row(1, 0.5, 9), row(2, 0.6, 9)];
  const after = coverage.withAfter(rows, [{ grid_id: 2, after: { share: 0.9 } }]);
  assert.deepEqual(after.map(({ share }) => share), [0.5, 0.9]); // prettier-ignore
  assert.equal(after[1].median_minutes, 9);
  assert.equal(rows[1].share, 0.6);
});

test("differences have their sign, also nothing", () => {
  assert.deepEqual([3, -3, 0].map((value) => words.signed(value)), ["+3", "−3", "±0"]); // prettier-ignore
  assert.match(words.points(0.5, 0.515), /\+1\.5/);
  assert.match(words.points(0.5, 0.5001), /\+0\.01/);
  assert.equal(words.points(null, 0.5), "–");
  assert.equal(words.minutes(null), "–");
});
