// One's own account: where one is signed in, and the password.

import { get, post, send } from "./api.js";
import { a, pageOf } from "./account_texts.js";
import { NEW_PASSWORD, PASSWORD, credentialsForm } from "./credentials.js";
import { h } from "./dom.js";
import { trouble } from "./parts.js";
import { notify, onError, openPage } from "./plain.js";
import { config, moment } from "./texts.js";

/** @typedef {{session_id: number, began_at: string, seen_at: string, address: string, user_agent: string, current: boolean}} Session */

const content = openPage();
const list = h("ul", { class: "rows sessions", id: "sessions" });

/** @type {[RegExp, string][]} names of browsers and systems, as they call themselves */
const KNOWN = [
  [/MicroMessenger/, "微信"],
  [/Edg\//, "Edge"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"],
];
/** @type {[RegExp, string][]} */
const SYSTEMS = [
  [/HarmonyOS|OpenHarmony/, "HarmonyOS"],
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

/** @param {string} agent */
function device(agent) {
  const parts = [KNOWN, SYSTEMS].flatMap((names) => names.find(([sign]) => sign.test(agent))?.[1] ?? []);
  return parts.join(" · ") || a("unknown_device");
}

/** @param {Session} session */
function sessionRow(session) {
  const end = async () => {
    try {
      await send("DELETE", `/api/sessions/${session.session_id}`);
      notify(a("session_ended"));
      await draw();
    } catch (error) {
      onError(error);
    }
  };
  return h(
    "li",
    { class: "session" },
    h(
      "div",
      {},
      h("b", {}, device(session.user_agent)),
      " ",
      session.current && h("span", { class: "tag good" }, a("session_this")),
      h(
        "small",
        {},
        [session.address, a("session_began", { at: moment(session.began_at) }), a("session_seen", { at: moment(session.seen_at) })].join(" · "), // prettier-ignore
      ),
    ),
    !session.current && h("button", { type: "button", class: "button", onclick: end }, a("session_end")),
  );
}

/** @type {Session[]} */
let sessions = [];
const endOthers = h(
  "button",
  {
    type: "button",
    class: "button wrong",
    id: "end-others",
    hidden: true,
    onclick: async () => {
      const others = sessions.filter(({ current }) => !current);
      try {
        for (const { session_id } of others) await send("DELETE", `/api/sessions/${session_id}`);
        notify(a("sessions_ended", { n: others.length }));
        await draw();
      } catch (error) {
        onError(error);
      }
    },
  },
  a("sessions_end_others"),
);

async function draw() {
  try {
    sessions = await get("/api/sessions");
    sessions.sort(
      (first, second) => Number(second.current) - Number(first.current) || second.seen_at.localeCompare(first.seen_at),
    );
    list.replaceChildren(...sessions.map(sessionRow));
    endOthers.hidden = sessions.length < 2;
  } catch (error) {
    list.replaceChildren(trouble(error.message, draw));
  }
}

const changed = () =>
  credentialsForm(
    [
      { ...PASSWORD, name: "old_password", label: a("old_password") },
      { ...NEW_PASSWORD, name: "new_password" },
    ],
    a("change_password"),
    async ({ old_password, new_password }) => {
      await post("/api/password", { old_password, new_password });
      notify(a("password_changed"));
      form.querySelectorAll("input").forEach((input) => (input.value = ""));
      await draw();
    },
  );
const form = changed();

if (config.actor.signed_in) {
  content.append(
    h("section", {}, h("h2", {}, a("sessions")), list, h("div", { class: "buttons" }, endOthers)),
    h("section", {}, h("h2", {}, a("change_password")), h("p", { class: "quiet" }, a("change_password_lead")), form),
  );
  draw();
} else {
  content.append(
    h("p", {}, a("account_none")),
    h("p", {}, h("a", { class: "button", href: pageOf("/sign-in", { next: "/account" }) }, a("sign_in"))),
  );
}
