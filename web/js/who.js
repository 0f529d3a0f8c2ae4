// Who one is: name, role and areas, the way to one's own pages, and out; in a made-up store, whom one may be.

import { get, post, send } from "./api.js";
import { a, areasText, here, pageOf, roleDoes, roleName } from "./account_texts.js";
import { h } from "./dom.js";
import { offered } from "./offers.js";
import { config, nameOf } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */

const link = (/** @type {string} */ path, /** @type {string} */ id, /** @type {string} */ text, query = {}) =>
  h("li", {}, h("a", { href: pageOf(path, query), id, class: "menu-item" }, text));

/**
 * The demo actors, each a button that makes one of them.
 *
 * @param {Shape<"ActorAnswer">[]} actors
 * @param {(error: Error) => void} onError
 */
const demoActors = (actors, onError) =>
  actors.map((actor) => {
    const choose = async () => {
      try {
        await post("/api/actors/current", { actor_id: actor.actor_id });
        location.assign(pageOf("/", { first: "1" }));
      } catch (error) {
        onError(error);
      }
    };
    const isNow = actor.actor_id === config.actor.actor_id;
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "menu-item", "data-actor": actor.actor_id, "aria-pressed": String(isNow), onclick: choose }, // prettier-ignore
        nameOf(actor),
        h("small", {}, roleName(actor.role)),
      ),
    );
  });

/**
 * Fill the menu.
 *
 * @param {HTMLElement} slot
 * @param {(error: Error) => void} onError
 */
export async function fillWho(slot, onError) {
  const { actor } = config;
  const signOut = async () => {
    try {
      await send("DELETE", "/api/session");
      location.assign(pageOf("/", { first: "1" }));
    } catch (error) {
      onError(error);
    }
  };
  const others = h("ul", { class: "menu", id: "demo-actors" });
  slot.replaceChildren(
    h("p", { class: "who-name" }, h("b", {}, nameOf(actor)), h("small", {}, roleName(actor.role))),
    h("p", { class: "quiet" }, roleDoes(actor.role)),
    h("p", { class: "quiet", id: "who-areas" }, actor.may.length ? `${a("areas")}: ${areasText(actor.areas)}` : ""),
    h(
      "ul",
      { class: "menu" },
      [
        location.pathname !== "/" && link("/", "to-map", a("menu_map"), { mode: "" }),
        actor.signed_in && link("/account", "to-account", a("menu_account")),
        offered("people") && link("/people", "to-people", a("menu_people")),
        offered("record") && link("/record", "to-record", a("menu_record")),
        !actor.signed_in && link("/sign-in", "sign-in", a("sign_in"), { next: here() }),
        actor.signed_in &&
          h("li", {}, h("button", { type: "button", class: "menu-item", id: "sign-out", onclick: signOut }, a("sign_out"))), // prettier-ignore
      ].filter((item) => item instanceof Node),
    ),
    others,
  );
  if (!actor.made_up || actor.signed_in) return;
  try {
    const actors = await get("/api/actors");
    others.replaceChildren(h("li", { class: "quiet" }, a("menu_other")), ...demoActors(actors, onError));
  } catch (error) {
    onError(error);
  }
}
