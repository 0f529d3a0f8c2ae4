// The colours of fills against those of the ground: by day, by night, for every eye, in grey print.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EYES, deltaE, difference, rgbOf } from "./colours.js";
import { open } from "./page.js";

const tokens = {};
open({ tokens });
const palette = await import("../js/palette.js");

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf-8");

/** The tokens of page.css by day and by night. */
function ground() {
  const [day, night] = read("../css/page.css").match(/:root \{[^}]+\}/g);
  const tokensIn = (block) => Object.fromEntries([...block.matchAll(/--([\w-]+): (#\w{6});/g)].map(([, ...of]) => of));
  return { light: tokensIn(day), dark: { ...tokensIn(day), ...tokensIn(night) } };
}

/** The schemes that the server colours classes by, light to dark or around a target. */
function schemesOfServer() {
  const text = read("../../gis_service/maps/figures/classes.py");
  const found = [...text.matchAll(/"?(\w+)"?(?:: Final = |: )\(((?:"#\w{6}"(?:, )?)+)\)/g)];
  return Object.fromEntries(found.map(([, name, list]) => [name, list.match(/#\w{6}/g)]));
}

/** A colour laid over another. */
function over(colour, opacity, below) {
  const under = rgbOf(below);
  return `rgb(${rgbOf(colour).map((value, i) => opacity * value + (1 - opacity) * under[i]).join(" ")})`; // prettier-ignore
}

const GROUND = ground();
const SERVER = schemesOfServer();
const SCHEMES = {
  ...SERVER,
  AROUND_LIMIT: palette.AROUND_LIMIT,
  BANDS: palette.BANDS,
};

/** Every fill as it is drawn: name, colours, and the ground below. */
function* drawn() {
  for (const [surroundings, { paper, water }] of Object.entries(GROUND)) {
    tokens.surroundings = surroundings;
    for (const [name, colours] of Object.entries(SCHEMES)) {
      const classes = colours.map(palette.colourFor);
      yield { name: `${name}, ${surroundings}`, classes, paper, water };
      const opacities = { BANDS: [palette.AREA_OPACITY], YlGnBu: [palette.SWIPE_OPACITY] }[name] ?? [];
      for (const opacity of opacities) {
        const laid = classes.map((colour) => over(colour, opacity, paper));
        yield { name: `${name} at ${opacity}, ${surroundings}`, classes: laid, paper, water };
      }
    }
  }
}

test("the server's schemes are read, and the page's are the same", () => {
  assert.deepEqual(Object.keys(SERVER).sort(), ["AROUND_TARGET", "Purples", "YlGnBu", "YlOrBr"]);
  assert.deepEqual(palette.SHARES, SERVER.YlGnBu);
  assert.deepEqual(palette.AROUND_TARGET, SERVER.AROUND_TARGET);
  assert.deepEqual(palette.BANDS, SERVER.Purples.slice(2).reverse());
});

test("differences are those of CIEDE2000's own table", () => {
  for (const [one, other, expected] of [
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644],
    [[22.7233, 20.0904, -46.694], [23.0331, 14.973, -42.5619], 2.0373],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
  ]) assert.ok(Math.abs(deltaE(one, other) - expected) < 1e-4); // prettier-ignore
});

test("no fill is close to water", () => {
  for (const { name, classes, water } of drawn())
    for (const colour of classes) assert.ok(difference(colour, water) >= 9, `${name}: ${colour} is like water`);
});

test("every class stands out from the paper, which says that there is no figure", () => {
  for (const { name, classes, paper } of drawn())
    for (const colour of classes) assert.ok(difference(colour, paper) >= 3.9, `${name}: ${colour} is like paper`);
});

for (const [eyes, seen] of Object.entries(EYES)) {
  test(`classes can be told apart: ${eyes}`, () => {
    const least = eyes === "all" ? 6 : eyes === "grey print" ? 3.5 : 4.5;
    for (const { name, classes } of drawn()) {
      classes.forEach((colour, i) => {
        for (const other of classes.slice(0, i)) {
          const apart = difference(colour, other, seen);
          assert.ok(apart >= least, `${name}: ${colour} and ${other} differ by ${apart.toFixed(1)}`);
        }
      });
    }
  });
}

test("by day a colour is softened by the paper, by night light and dark change places", () => {
  tokens.surroundings = "light";
  assert.equal(palette.colourFor("#000000"), "rgb(98 97 94)");
  tokens.surroundings = "dark";
  const light = (colour) => rgbOf(palette.colourFor(colour)).reduce((sum, value) => sum + value);
  assert.ok(light("#ffffff") < light("#000000"));
  const [red, green, blue] = rgbOf(palette.colourFor("#ff0000"));
  assert.ok(red > green && red > blue);
});
