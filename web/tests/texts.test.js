import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

const { config } = open();
const texts = await import("../js/texts.js");
const { number, percent, t, tOr, textsOf } = texts;

test("a text is filled in; what is not given stays to be seen", () => {
  config.texts["page.test"] = texts.config.texts["page.test"] = "{n} of {all}, {n}";
  assert.equal(t("test", { n: 3, all: 5 }), "3 of 5, 3");
  assert.equal(t("test", { n: 0 }), "0 of {all}, 0");
  assert.equal(t("test", { n: null }), "{n} of {all}, {n}");
});

test("a missing text shows its key, or its fallback", () => {
  assert.equal(t("no_such_text"), "no_such_text");
  assert.equal(tOr("no_such_text", "fallback"), "fallback");
  assert.equal(tOr("close", "fallback"), texts.config.texts["page.close"]);
});

test("every room of texts speaks for itself", () => {
  const plan = textsOf("plan");
  assert.equal(plan.say("mode"), texts.config.texts["plan.mode"]);
  assert.notEqual(plan.say("mode"), "mode");
  assert.equal(plan.sayOr("no_such_text", null), null);
});

test("numbers have separators, and a dash where there is none", () => {
  assert.equal(number(1234567), "1,234,567");
  assert.equal(number(1.25, 1), "1.3");
  assert.equal(number(0), "0");
  assert.equal(number(null), "–");
  assert.equal(number(undefined), "–");
});

test("a percentage is never rounded up to all", () => {
  assert.equal(percent(0.99999), "99.9%");
  assert.equal(percent(1), "100%");
  assert.equal(percent(0.1234), "12.3%");
  assert.equal(percent(0.999, 0), "99%");
  assert.equal(percent(0.427, 0), "43%");
  assert.equal(percent(null), "–");
});

test("days and moments are those of the county, wherever the browser is", () => {
  assert.equal(texts.day("2026-03-01"), "2026年3月1日");
  assert.equal(texts.shortDay("2026-03-01"), "2026/3/1");
  assert.equal(texts.moment("2026-02-28T17:30:00Z"), "2026/3/1 01:30");
  assert.equal(texts.day(null), "–");
});

test("distances are metres, far ones kilometres; a place is longitude first", () => {
  assert.equal(texts.distance(1234.4), "1,234 m");
  assert.equal(texts.distance(12_345), "12 km");
  assert.equal(texts.coordinates({ lon: 112.9, lat: 28.7 }), "112.90000, 28.70000");
  assert.equal(texts.coordinates({ lon: 112.9, lat: 28.7 }, 2), "112.90, 28.70");
});

test("two typed numbers are a place, whichever comes first", () => {
  assert.deepEqual(texts.placeIn("112.9, 28.7"), { lon: 112.9, lat: 28.7 });
  assert.deepEqual(texts.placeIn(" 28.7；112.9 "), { lon: 112.9, lat: 28.7 });
  assert.deepEqual(texts.placeIn("E112.9° N28.7°"), { lon: 112.9, lat: 28.7 });
  assert.deepEqual(texts.placeIn("-70.5 -33.4"), { lon: -70.5, lat: -33.4 });
  for (const text of ["", "112.9", "a b", "200, 28", "28, 200", "112.9 28.7 3"])
    assert.equal(texts.placeIn(text), null);
});

test("names are those of the reader's language where there are some", () => {
  assert.equal(texts.nameOf({ name: "东街", name_en: "East Street" }), "东街");
  assert.equal(texts.nameOf({}), "");
  assert.equal(texts.labelOf({ label: "村", label_en: "Village" }), "村");
  assert.equal(texts.listed(["一", "二"]), "一、二");
});
