// Signing in: by login and password, by a one-time link, or, where all people are made up, by a choice.

import { post } from "./api.js";
import { a, areasText, pageOf, roleDoes, roleName } from "./account_texts.js";
import { LOGIN, NEW_PASSWORD, PASSWORD, credentialsForm } from "./credentials.js";
import { h } from "./dom.js";
import { onError, openPage } from "./plain.js";
import { config, nameOf } from "./texts.js";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const content = openPage();

/** Where one came from, if that is a page of ours; else the first page of who one is now. */
function goOn() {
  const first = pageOf("/", { first: "1" });
  const next = new URLSearchParams(location.search).get("next") ?? "";
  const isPath = /^\/(?![/\\])/.test(next);
  const to = isPath ? new URL(next, location.origin) : null;
  location.replace(to?.origin === location.origin ? to.href : first);
}

/** @param {string} name */
const setLead = (name) => {
  const title = document.querySelector("h1");
  const lead = document.querySelector(".lead");
  if (title) title.textContent = a(`${name}_title`);
  if (lead) lead.textContent = a(`${name}_lead`);
};

const byPassword = () =>
  credentialsForm([LOGIN, PASSWORD], a("sign_in"), async ({ login, password }) => {
    await post("/api/session", { login: login.trim(), password });
    goOn();
  });

/**
 * By a link: the first administrator says login and name, too.
 *
 * @param {string} token
 */
function byLink(token) {
  const isFirst = token.startsWith("first-");
  setLead(isFirst ? "first" : "choose");
  const who = [
    { name: "name", label: a("your_name"), autocomplete: "name" },
    { ...LOGIN, hint: a("login_hint") },
  ];
  const form = credentialsForm(isFirst ? [...who, NEW_PASSWORD] : [NEW_PASSWORD], a("begin"), async (typed) => {
    const { password, login, name } = typed;
    await post("/api/session/link", { token, password, ...(isFirst && { login: login.trim(), name: name.trim() }) });
    goOn();
  });
  return h("div", {}, form, h("p", {}, h("a", { class: "link", href: pageOf("/sign-in") }, a("link_over"))));
}

/** Whom one may be where nobody is real. */
function demoCards() {
  const actors = config.demo_actors ?? [];
  const choose = async (/** @type {number} */ id) => {
    try {
      await post("/api/actors/current", { actor_id: id });
      goOn();
    } catch (error) {
      onError(error);
    }
  };
  return h(
    "section",
    { class: "demo" },
    h("h2", {}, a("demo_title")),
    h("p", { class: "quiet" }, a("demo_lead")),
    h(
      "ul",
      { class: "cards" },
      actors.map((actor) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "card",
              "data-role": actor.role,
              title: a("demo_pick", { name: nameOf(actor) }),
              onclick: () => choose(actor.actor_id),
            },
            h("b", {}, nameOf(actor)),
            h("span", { class: "tag" }, roleName(actor.role)),
            h("span", {}, roleDoes(actor.role)),
            h("small", {}, `${a("areas")}: ${areasText(actor.areas)}`),
          ),
        ),
      ),
    ),
  );
}

/** Over plain HTTP one signs in on the machine of the service only. */
const plainHttp = () =>
  h(
    "div",
    { class: "trouble", role: "note" },
    h("h2", {}, a("plain_http_title")),
    h("p", {}, a("plain_http")),
    h("p", {}, h("a", { class: "button", href: pageOf("/trust") }, a("how_to_trust"))),
  );

const token = location.hash.slice(1);
if (token) history.replaceState(null, "", location.pathname + location.search); // not left in the history
const isOpenToAll = location.protocol === "http:" && !LOOPBACK.includes(location.hostname);
content.replaceChildren(
  ...(isOpenToAll ? [plainHttp()] : []),
  token ? byLink(token) : byPassword(),
  ...(config.demo_actors?.length && !token ? [demoCards()] : []),
  h("p", {}, h("a", { class: "link", id: "as-visitor", href: pageOf("/", { mode: "" }) }, a("as_visitor"))),
);
/** @type {HTMLInputElement | null} */ (content.querySelector("input"))?.focus();
