import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { open } from "./page.js";

const { elements } = open({ language: "en" });
const api = await import("../js/api.js");

let asked;
let answer;
globalThis.fetch = async (path, options) => {
  asked.push([path, options]);
  if (answer instanceof Error) throw answer;
  return answer;
};
const good = (body, status = 200) => ({ ok: true, status, json: async () => body });
const bad = (status, json) => ({ ok: false, status, json });

beforeEach(() => {
  asked = [];
  answer = good({ n: 1 });
});

test("parameters that say nothing are left out, zero and false are not", async () => {
  await api.get("/api/x", { a: "", b: null, c: undefined, d: 0, e: false });
  assert.equal(asked[0][0], "/api/x?d=0&e=false&lang=en");
});

test("a body goes as JSON, and none goes without saying so", async () => {
  await api.send("PATCH", "/api/x", { a: 1 }, { "If-Match": '"3"' });
  await api.send("DELETE", "/api/x");
  assert.deepEqual(asked[0][1].headers, { "Content-Type": "application/json", "If-Match": '"3"' });
  assert.equal(asked[0][1].body, '{"a":1}');
  assert.deepEqual(asked[1][1].headers, {});
  assert.equal(asked[1][1].body, undefined);
});

test("no content is null", async () => {
  answer = good(undefined, 204);
  assert.equal(await api.post("/api/x", {}), null);
});

test("a problem is told in the server's words, with all it said", async () => {
  answer = bad(422, async () => ({ detail: "no such day", field: "at" }));
  await assert.rejects(api.get("/api/x"), {
    message: "no such day",
    status: 422,
    problem: { detail: "no such day", field: "at" },
  });
});

test("a problem without words is told by its number", async () => {
  answer = bad(502, async () => JSON.parse("<html>"));
  await assert.rejects(api.get("/api/x"), (error) => error.status === 502 && /502/.test(error.message));
});

test("where no answer comes the way is said to be lost", async () => {
  answer = new TypeError("fetch failed");
  await assert.rejects(api.get("/api/x"), { status: 0 });
});

test("what we no longer want is no error of ours", async () => {
  answer = new DOMException("", "AbortError");
  await assert.rejects(api.get("/api/x"), (error) => api.isStale(error));
  assert.equal(api.isStale(new Error("other")), false);
  assert.equal(api.isStale("AbortError"), false);
});

test("only what takes longer than a blink is said to be busy", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let finish;
  answer = new Promise((resolve) => {
    finish = () => resolve(good({}));
  });
  const going = api.get("/api/x");
  assert.equal(elements.busy.hidden, true);
  mock.timers.tick(130);
  assert.equal(elements.busy.hidden, false);
  finish();
  await going;
  assert.equal(elements.busy.hidden, true);
  mock.timers.reset();
});

test("a key is another each time", () => {
  assert.notEqual(api.newKey(), api.newKey());
  assert.match(api.newKey(), /^[0-9a-f-]{32,36}$/);
});
