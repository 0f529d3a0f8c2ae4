// What a planner drew is saved, kept where it cannot be, and sent again: the draft of a plan.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { open } from "./page.js";

const { stored } = open();
const { Draft, keptStroke } = await import("../js/plan_draft.js");

const EDIT = { kind: "move", line: [[1, 2], [3, 4]] }; // prettier-ignore
const PLAN = { plan_id: 5, rev: 3, status: "draft", edits: [], can_undo: true, can_redo: false };

let answers;
let asked;
let plan;

globalThis.fetch = async (path, options = {}) => {
  const key = `${options.method ?? "GET"} ${path.split("?")[0].replace("/api/plans/5", "")}`;
  asked.push([key, options.body && JSON.parse(options.body)]);
  const answer = answers[key]?.shift() ?? [200, plan];
  if (answer === "gone") throw new TypeError("fetch failed");
  const [status, body] = answer;
  return { ok: status < 400, status, json: async () => body };
};

async function draft() {
  const told = { changes: [], tries: [], states: [] };
  const made = new Draft("5", {
    onChange: (change, why) => void told.changes.push([change, why]),
    onTry: (change, error) => told.tries.push([change, error?.message]),
    onState: (state) => told.states.push(state),
  });
  await made.load();
  asked.length = 0;
  return { made, told };
}

const sent = (key) => asked.filter(([one]) => one === key).map(([, body]) => body);

beforeEach(() => {
  answers = {};
  asked = [];
  plan = { ...PLAN };
  stored.clear();
});

test("an edit is saved on top of the revision that was seen", async () => {
  const { made, told } = await draft();
  answers["POST /edits"] = [[200, { faces: [] }]];
  plan = { ...plan, rev: 4 };
  assert.equal(await made.save(EDIT), true);
  assert.deepEqual(sent("POST /edits"), [{ rev: 3, edit: EDIT }]);
  assert.equal(made.rev, 4);
  assert.deepEqual(told.changes, [[{ faces: [] }, "edit"]]);
  assert.deepEqual(told.states, ["saving", "saved"]);
});

test("what is tried is kept in the browser until it is saved or let go", async () => {
  const { made } = await draft();
  made.try(EDIT, { village: "9" });
  assert.deepEqual(keptStroke("5").edit, EDIT);
  assert.equal(keptStroke("5").context.village, "9");
  made.drop();
  assert.equal(keptStroke("5"), null);
  made.try(EDIT);
  await made.save();
  assert.equal(keptStroke("5"), null);
});

test("where storage holds what is not ours there is no stroke", () => {
  stored.set("gis-plan-stroke:5", "{broken");
  assert.equal(keptStroke("5"), null);
});

test("where the way is lost an edit waits, and goes by itself once the server is back", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { made, told } = await draft();
  made.try(EDIT);
  answers["POST /edits"] = ["gone", [503, {}], [200, {}]];
  assert.equal(await made.save(EDIT), false);
  assert.equal(made.state, "waiting");
  assert.deepEqual(keptStroke("5").edit, EDIT);
  mock.timers.tick(3000);
  mock.timers.reset();
  for (let i = 0; i < 50 && made.state !== "waiting"; i++) await new Promise(setImmediate);
  assert.equal(sent("POST /edits").length, 2);
  assert.equal(await made.save(EDIT), true);
  assert.deepEqual(told.states.at(-1), "saved");
  assert.equal(keptStroke("5"), null);
});

test("our own edit whose answer was lost is found again and not saved twice", async () => {
  const { made, told } = await draft();
  const stands = { edit: { ...EDIT, at: "later" }, state: "done", actor: { actor_id: 1 } };
  answers["POST /edits"] = [[409, { detail: "newer", edits: [stands] }]];
  assert.equal(await made.save(EDIT), true);
  assert.deepEqual(told.changes, [[null, "other"]]);
  assert.equal(made.state, "saved");
});

test("another planner's edit is a conflict, and nothing is overwritten unseen", async () => {
  const { made } = await draft();
  const theirs = { edit: EDIT, state: "done", actor: { actor_id: 2 } };
  answers["POST /edits"] = [[409, { detail: "newer", edits: [theirs] }]];
  assert.equal(await made.save(EDIT), false);
  assert.equal(made.state, "conflict");
  assert.deepEqual(made.more.since, [theirs]);
  plan = { ...plan, rev: 8 };
  assert.equal(await made.saveOnTop(EDIT), true);
  assert.equal(sent("POST /edits").at(-1).rev, 8);
});

test("a plan that was closed meanwhile takes nothing more", async () => {
  const { made, told } = await draft();
  answers["POST /edits"] = [[409, { detail: "closed" }]];
  assert.equal(await made.save(EDIT), false);
  assert.equal(made.state, "refused");
  assert.equal(made.more.message, "closed");
  assert.deepEqual(told.changes, [[null, "other"]]);
});

test("what the server refuses is said, and can be mended", async () => {
  const { made } = await draft();
  answers["POST /edits"] = [[422, { detail: "crosses itself" }]];
  assert.equal(await made.save(EDIT), false);
  assert.deepEqual([made.state, made.more.message], ["refused", "crosses itself"]);
  assert.equal(await made.save(EDIT), true);
});

test("nothing is saved twice at once, and nothing is nothing to save", async () => {
  const { made } = await draft();
  assert.equal(await made.save(), false);
  const both = [made.save(EDIT), made.save(EDIT)];
  assert.deepEqual(await Promise.all(both), [true, false]);
  assert.equal(sent("POST /edits").length, 1);
});

test("of many tries under way only the last is asked for next", async () => {
  const { made, told } = await draft();
  for (const n of [1, 2, 3, 4]) made.try({ kind: "move", n });
  while (made.flying) await new Promise(setImmediate);
  assert.deepEqual(sent("POST /preview").map(({ edit }) => edit.n), [1, 4]); // prettier-ignore
  assert.equal(told.tries.length, 2);
});

test("the answer to a try that was let go is not shown", async () => {
  const { made, told } = await draft();
  made.try(EDIT);
  made.drop();
  while (made.flying) await new Promise(setImmediate);
  assert.deepEqual(told.tries, []);
});

test("undo goes where the plan can, and another's edit before it only refreshes", async () => {
  const { made, told } = await draft();
  await made.step("redo"); // it cannot
  assert.deepEqual(asked, []);
  await made.step("undo");
  assert.deepEqual(sent("POST /undo"), [{ rev: 3 }]);
  answers["POST /undo"] = [[409, { detail: "newer" }]];
  await assert.rejects(made.step("undo"), { message: "newer" });
  assert.equal(made.state, "saved");
  assert.equal(told.changes.at(-1)[1], "other");
});
