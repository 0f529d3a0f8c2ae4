import assert from "node:assert/strict";
import { test } from "node:test";
import { RANK, isOver, largestRoom, place } from "../js/placement.js";

/** Place claims given as [name, order, forms, isFixed]; the form that each got. */
function placed(claims, blocked) {
  const forms = {};
  place(
    claims.map(([name, order, boxes, isFixed]) => ({
      order,
      forms: boxes,
      isFixed,
      take: (form) => (forms[name] = form),
    })),
    blocked,
  );
  return forms;
}

const HERE = [0, 0, 40, 20];
const BESIDE = [50, 0, 90, 20];
const SMALL = [0, 0, 10, 10];

test("who comes first stands, the other goes without", () => {
  assert.deepEqual(placed([["village", 14, [HERE]], ["town", 11, [HERE]]]), { town: 0, village: -1 }); // prettier-ignore
});

test("what is dragged comes before everything", () => {
  const orders = Object.values(RANK);
  assert.equal(Math.min(...orders), RANK.dragged);
  assert.equal(Math.max(...orders), RANK.name);
});

test("a second form is taken where the first does not fit", () => {
  const forms = placed([
    ["mark", RANK.mark, [HERE, BESIDE]],
    ["handle", RANK.handle, [SMALL], true],
  ]);
  assert.deepEqual(forms, { handle: 0, mark: 1 });
});

test("what is fixed stands in its least form, and others keep out of its way", () => {
  const forms = placed([
    ["pin", RANK.pin, [SMALL], true],
    ["point", RANK.point, [HERE, SMALL], true],
    ["name", RANK.name, [[5, 5, 45, 25]]],
  ]);
  assert.deepEqual(forms, { pin: 0, point: 1, name: -1 });
});

test("nothing is written under a bar", () => {
  assert.deepEqual(placed([["name", RANK.name, [HERE, BESIDE]]], [[0, 0, 45, 900]]), { name: 1 });
});

test("the largest room is beside the panel and above the legend", () => {
  const view = [0, 0, 1000, 800];
  const bar = [14, 14, 986, 58];
  const panel = [626, 72, 986, 786];
  const low = [14, 700, 266, 786];
  const high = [14, 300, 266, 786];
  assert.deepEqual(largestRoom(view, []), view);
  assert.deepEqual(largestRoom(view, [bar, panel, low]), [0, 58, 626, 700]);
  assert.deepEqual(largestRoom(view, [bar, panel, high]), [266, 58, 626, 800]);
  for (const box of [bar, panel, high]) assert.ok(!isOver(largestRoom(view, [bar, panel, high]), box));
});

test("a sheet that covers all leaves the view as it is", () => {
  assert.deepEqual(largestRoom([0, 0, 300, 500], [[0, 0, 300, 500]]), [0, 0, 300, 500]);
});
