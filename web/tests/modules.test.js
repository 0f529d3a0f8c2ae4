// How our modules hang together: read from their text.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../js/", import.meta.url);
const names = readdirSync(FOLDER);
const textOf = new Map(names.map((name) => [name, readFileSync(new URL(name, FOLDER), "utf-8")]));
const importsOf = (name) =>
  [...textOf.get(name).matchAll(/^(?:import|\} from|export .* from)\s[^;]*?"\.\/([\w.]+)";$/gm)].map(([, to]) => to);

test("every module that is imported is there", () => {
  for (const name of names) for (const to of importsOf(name)) assert.ok(textOf.has(to), `${name} imports ${to}`);
});

test("no module comes back to itself by what it imports", () => {
  const done = new Set();
  const walk = (name, way) => {
    assert.ok(!way.includes(name), [...way, name].join(" → "));
    if (done.has(name)) return;
    for (const to of importsOf(name)) walk(to, [...way, name]);
    done.add(name);
  };
  for (const name of names) walk(name, []);
});

test("every module is used", () => {
  const used = new Set(["main.js", "sign_in.js", "account.js", "people.js", "record.js", "leaflet.js"]); // the document and a library ask for these
  for (const text of textOf.values()) for (const [, to] of text.matchAll(/"\.\/([\w.]+)"/g)) used.add(to);
  assert.deepEqual(names.filter((name) => !used.has(name)), []); // prettier-ignore
});
