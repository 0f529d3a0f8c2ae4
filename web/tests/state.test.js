import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.js";

let count = 0;

/** The module as it is after a page was opened at an address. */
async function openedAt(address) {
  const page = open({ address });
  return { ...(await import(`../js/state.js?${(count += 1)}`)), page };
}

test("an address that names nothing opens on the usual", async () => {
  const { state, refused } = await openedAt("/?lang=zh-CN");
  assert.deepEqual([state.mode, state.scheme, state.at, state.theme], ["", "base", "", "households"]);
  assert.equal(refused.size, 0);
});

test("what an address names is shown", async () => {
  const { state, placeOfUrl } = await openedAt("/?mode=plan&at=2026-02-28&layers=roads,rescue&grid=7#14/28.7/112.9");
  assert.deepEqual([state.mode, state.at, state.grid], ["plan", "2026-02-28", "7"]);
  assert.deepEqual(placeOfUrl(), { zoom: 14, lat: 28.7, lon: 112.9 });
  assert.equal(state.layers, "roads,rescue");
});

const BAD = {
  at: ["2026-02-30", "2026-13-01", "yesterday", "2026-2-3", "20260203", "2026-02-03T00:00"],
  mode: ["dance", "constructor"],
  scheme: ["no-such-scheme"],
  grid: ["7;drop", "x"],
  point: ["place:200,28", "place:112.9,95", "place:1", "nowhere", "place:1.2.3,4"],
  view: ["everything"],
  run: ["last"],
  layers: ["<b>"],
};
for (const [field, values] of Object.entries(BAD)) {
  test(`a bad ${field} opens on the usual, and is named`, async () => {
    const { state: usual } = await openedAt("/");
    for (const value of values) {
      const { state, refused } = await openedAt(`/?${new URLSearchParams({ [field]: value })}`);
      assert.equal(state[field], usual[field], value);
      assert.deepEqual([...refused], [field], value);
    }
  });
}

test("a bad place opens on the whole county, and is named", async () => {
  for (const place of ["#14/x/112.9", "#14/28.7", "#14/128.7/12.9", "#garbage"]) {
    const { placeOfUrl, refused } = await openedAt(`/${place}`);
    assert.equal(placeOfUrl(), null);
    assert.deepEqual([...refused], ["place"], place);
  }
});

test("a change is told once, with what changed, and stands in the address", async () => {
  const { state, show, onChange, page } = await openedAt("/");
  const told = [];
  onChange((changed) => told.push([...changed]));
  show({ grid: 7, theme: "households", view: "" });
  show({ grid: 7 });
  assert.deepEqual(told, [["grid"]]);
  assert.equal(state.grid, "7");
  assert.deepEqual(page.visited, [["push", "/?grid=7&lang=zh-CN"]]);
});

test("moving the map makes no entry of the history", async () => {
  const { show, page } = await openedAt("/");
  show({ place: "14/28.70000/112.90000" });
  assert.deepEqual(page.visited, [["replace", "/?lang=zh-CN#14/28.70000/112.90000"]]);
});

test("null is nothing", async () => {
  const { state, show } = await openedAt("/?grid=7");
  show({ grid: null });
  assert.equal(state.grid, "");
});

test("back shows what the address says then", async () => {
  const { state, onChange, page } = await openedAt("/?grid=7");
  const told = [];
  onChange((changed) => told.push([...changed]));
  globalThis.location = new URL("/?mode=plan", globalThis.location);
  page.listeners.popstate();
  assert.deepEqual(told, [["mode", "grid"]]);
  assert.deepEqual([state.mode, state.grid], ["plan", ""]);
});

test("the same view in another language", async () => {
  const { addressIn } = await openedAt("/?grid=7#14/28.7/112.9");
  assert.equal(addressIn("en"), "http://map.test/?grid=7&lang=en#14/28.7/112.9");
});

test("the place of a point is read in one way", async () => {
  const { placeOfPoint } = await openedAt("/");
  assert.deepEqual(placeOfPoint("place:112.9,-28.7"), { lon: 112.9, lat: -28.7 });
  for (const other of ["facility:3", "", "place:1", "place:NaN,3", "place:181,0"])
    assert.equal(placeOfPoint(other), null);
});
