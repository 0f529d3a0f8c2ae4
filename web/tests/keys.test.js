import assert from "node:assert/strict";
import { test } from "node:test";
import { open, textsIn } from "./page.js";

open();
class Element {
  constructor(inside = "") {
    this.inside = inside;
  }
  closest(places) {
    return places.split(", ").includes(this.inside) ? this : null;
  }
}
globalThis.Element = Element;
const wired = {};
const clicks = {};
globalThis.document.addEventListener = (name, fn) => (wired[name] = fn);
globalThis.document.getElementById = (id) => ({ addEventListener: (_name, fn) => (clicks[id] = fn) });
const { COMMANDS, commandOf, wireKeys } = await import("../js/keys.js");

const done = [];
const names = new Set(COMMANDS.filter(({ room }) => !room).map(({ name }) => name));
wireKeys(Object.fromEntries([...names].map((name) => [name, () => done.push(name)])));

/** Press a key; what was done, and whether the browser keeps its own meaning of it. */
function press(key, { inside = "", ...more } = {}) {
  done.length = 0;
  let isLeft = true;
  wired.keydown({ key, target: new Element(inside), preventDefault: () => (isLeft = false), ...more });
  return [...done, isLeft ? "left" : "taken"];
}

test("a letter counts in either case, a sign whether it needs Shift or not", () => {
  assert.deepEqual(press("n"), ["incident", "taken"]);
  assert.deepEqual(press("N", { shiftKey: true }), ["incident", "taken"]);
  assert.deepEqual(press("?", { shiftKey: true }), ["keys", "taken"]);
  assert.deepEqual(press("="), ["zoomIn", "taken"]);
});

test("Ctrl and Alt with a key of the page are the browser's", () => {
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }])
    assert.deepEqual(press("n", more), ["left"]);
});

test("who types is left alone, but for Escape", () => {
  assert.deepEqual(press("n", { inside: "input" }), ["left"]);
  assert.deepEqual(press("/", { inside: "textarea" }), ["left"]);
  assert.deepEqual(press("Escape", { inside: "input" }), ["back", "taken"]);
});

test("arrows move the map, not where there is a list to walk", () => {
  assert.deepEqual(press("ArrowLeft"), ["pan", "taken"]);
  assert.deepEqual(press("ArrowLeft", { inside: "#panel" }), ["left"]);
});

test("keys that mean nothing are left", () => {
  for (const key of ["x", "Enter", "F5", "Tab", " "]) assert.deepEqual(press(key), ["left"]);
});

test("a button does what its key does", () => {
  for (const { name, button, room } of COMMANDS) {
    if (!button || room) continue;
    done.length = 0;
    clicks[button]();
    assert.deepEqual(done, [name]);
  }
  assert.ok(Object.keys(clicks).length >= 10);
});

test("a mode has keys of its own", () => {
  const key = (name, more = {}) => ({ key: name, ...more });
  assert.equal(commandOf(key("z", { ctrlKey: true }), "plan"), "undo");
  assert.equal(commandOf(key("Z", { metaKey: true, shiftKey: true }), "plan"), "redo");
  assert.equal(commandOf(key("y", { ctrlKey: true }), "plan"), "redo");
  assert.equal(commandOf(key("z", { ctrlKey: true })), undefined);
  assert.equal(commandOf(key("Enter"), "cover"), "endRoad");
});

test("no key means two things in one place, and every command has its words", () => {
  const places = COMMANDS.flatMap(({ keys, room }) => keys.map((key) => `${room ?? ""} ${key}`));
  assert.equal(new Set(places).size, places.length);
  for (const language of ["zh-CN", "en"]) {
    const texts = textsIn(language);
    for (const { text, room = "page" } of COMMANDS) assert.ok(texts[`${room}.${text}`], `${room}.${text}`);
  }
});
