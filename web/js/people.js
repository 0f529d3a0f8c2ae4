// Who may sign in, as what and for which grids; for administrators.

import { get, post } from "./api.js";
import { a, areasText, roleName } from "./account_texts.js";
import { h, settled } from "./dom.js";
import { learnNames, namedGrid } from "./people_areas.js";
import { ROLES, confirmed, openForm } from "./people_form.js";
import { keysSection } from "./people_keys.js";
import { listForm } from "./people_list.js";
import { trouble } from "./parts.js";
import { notify, onError, openPage } from "./plain.js";
import { secretBox } from "./secret.js";
import { config, moment, nameOf, number } from "./texts.js";

/**
 * @typedef {object} Account
 * @property {number} actor_id
 * @property {string} login
 * @property {string} name
 * @property {string} [name_en]
 * @property {string} role
 * @property {number[] | null} areas
 * @property {boolean} has_password
 * @property {string | null} seen_at
 * @property {string | null} ended_at
 * @property {string | null} [link]
 */

const content = openPage();
/** @type {Account[]} */
let accounts = [];
const secret = h("div", { id: "new-link" });
const list = h("ul", { class: "rows people", id: "people" });
const count = h("p", { class: "quiet", role: "status" });
const empty = h("p", { class: "first-step", id: "people-empty", hidden: true }, a("people_empty"));
const search = h("input", { type: "search", id: "people-search", "aria-label": a("people_search"), placeholder: a("people_search"), oninput: settled(120, () => draw()) }); // prettier-ignore
const role = h(
  "select",
  { id: "people-role", "aria-label": a("people_role"), onchange: () => draw() },
  h("option", { value: "" }, a("people_all")),
  ROLES.map(({ name }) => h("option", { value: name }, roleName(name))),
);
const standing = h(
  "select",
  { id: "people-state", "aria-label": a("people_state"), onchange: () => draw() },
  ["open", "ended", "all"].map((name) => h("option", { value: name }, a(`people_state_${name}`))),
);

/**
 * @param {Account} account
 * @param {string | null | undefined} link
 */
function showLink(account, link) {
  secret.replaceChildren(...(link ? [secretBox(a("link_once", { name: nameOf(account) }), link)] : []));
  if (link) secret.scrollIntoView({ block: "nearest" });
}

/** @param {Account | null} account */
async function edit(account) {
  const saved = await openForm(account);
  if (!saved) return;
  notify(a("people_saved", { name: nameOf(saved) }));
  showLink(saved, saved.link);
  await load();
}

/** @param {Account} account */
async function renewLink(account) {
  try {
    const { link } = await post(`/api/accounts/${account.actor_id}/link`, {});
    showLink(account, link);
  } catch (error) {
    onError(error);
  }
}

/** @param {Account} account */
async function end(account) {
  const name = nameOf(account);
  if (!(await confirmed(a("people_end_ask", { name })))) return;
  try {
    await post(`/api/accounts/${account.actor_id}/end`, {});
    notify(a("people_ended", { name }));
    await load();
  } catch (error) {
    onError(error);
  }
}

/** @param {Account} account */
function personRow(account) {
  const button = (/** @type {string} */ key, /** @type {() => unknown} */ onclick, tone = "") =>
    h("button", { type: "button", class: `button ${tone}`, "data-do": key, onclick }, a(key));
  const facts = [
    account.login,
    areasText(account.areas?.map(namedGrid) ?? null),
    !account.has_password ? a("people_never") : account.seen_at && a("session_seen", { at: moment(account.seen_at) }),
  ];
  return h(
    "li",
    { class: `person ${account.ended_at ? "ended" : ""}`, "data-login": account.login },
    h(
      "div",
      {},
      h("b", {}, nameOf(account)),
      " ",
      h("span", { class: "tag" }, account.ended_at ? a("people_state_ended") : roleName(account.role)),
      h("small", {}, facts.filter(Boolean).join(" · ")),
    ),
    !account.ended_at &&
      h(
        "div",
        { class: "buttons" },
        button("people_change", () => edit(account)),
        button("people_new_link", () => renewLink(account)),
        account.actor_id !== config.actor.actor_id && button("people_end", () => end(account), "wrong"),
      ),
  );
}

function draw() {
  const words = search.value.trim().toLowerCase();
  const fits = accounts.filter(
    (account) =>
      (standing.value === "all" || (standing.value === "ended") === Boolean(account.ended_at)) &&
      (!role.value || account.role === role.value) &&
      [account.name, account.name_en, account.login].some((text) => text?.toLowerCase().includes(words)),
  );
  empty.hidden = accounts.some(({ actor_id }) => actor_id !== config.actor.actor_id);
  count.textContent = fits.length ? a("people_n", { n: number(fits.length) }) : a("people_none");
  list.replaceChildren(...fits.map(personRow));
}

async function load() {
  accounts = await get("/api/accounts");
  await learnNames(accounts.flatMap(({ areas }) => areas ?? []));
  draw();
}

async function begin() {
  try {
    await load();
  } catch (error) {
    content.replaceChildren(trouble(error.message, error.status === 403 ? undefined : begin));
    return;
  }
  content.replaceChildren(
    secret,
    h("div", { class: "buttons" }, h("button", { type: "button", class: "button filled", id: "add-person", onclick: () => edit(null) }, a("people_add"))), // prettier-ignore
    empty,
    h("div", { class: "filters", role: "search" }, search, role, standing),
    count,
    list,
    listForm(load),
    keysSection(),
  );
}

begin();
