import assert from "node:assert/strict";
import { test } from "node:test";
import { open, textsIn } from "./page.js";

open({ language: "en" });
const texts = await import("../js/texts.js");

test("days are written as English writes them", () => {
  assert.equal(texts.day("2026-03-01"), "1 Mar 2026");
  assert.equal(texts.moment("2026-02-28T17:30:00Z"), "1 Mar 2026, 01:30");
});

test("names are English where there are some", () => {
  assert.equal(texts.nameOf({ name: "东街", name_en: "East Street" }), "East Street");
  assert.equal(texts.nameOf({ name: "东街", name_en: "" }), "东街");
  assert.equal(texts.listed(["a", "b"]), "a, b");
});

test("both languages have the same texts with the same placeholders", () => {
  const [zh, en] = [textsIn("zh-CN"), textsIn("en")];
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  const holes = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
  for (const [key, text] of Object.entries(zh)) assert.deepEqual(holes(text), holes(en[key]), key);
});
