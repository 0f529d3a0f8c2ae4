// What is offered to whom; tests/browser/test_own_area.py holds the names against the server's.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { open } from "./page.js";

open();
const { OFFERS, offered } = await import("../js/offers.js");

const AREA = { grid_id: 1, name: "一格", code: "1", rank: 4, scheme: "base", bbox: [0, 0, 1, 1] };

test("nothing is offered to those who may nothing", () => {
  for (const part of Object.keys(OFFERS)) assert.equal(offered(part, { may: [], areas: null }), false, part);
});

test("any one of the permissions that a part needs is enough", () => {
  for (const [part, { needs }] of Object.entries(OFFERS)) {
    for (const name of needs) assert.equal(offered(part, { may: [name], areas: null }), true, `${part} by ${name}`);
  }
});

test("what is about the whole county is not offered to those who answer for a part", () => {
  const own = (part) => offered(part, { may: ["see_household", "see_officer", "see_incident"], areas: [AREA] });
  assert.deepEqual(["county_report", "every_officer", "homes", "dispatch"].map(own), [false, false, true, true]);
});

test("every part is offered somewhere on the page", () => {
  const folder = new URL("../js/", import.meta.url);
  const text = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf-8")).join(""); // prettier-ignore
  const unused = Object.keys(OFFERS).filter((part) => !text.includes(`offered("${part}")`));
  assert.deepEqual(unused, []);
});
