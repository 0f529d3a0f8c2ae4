// Keys of other systems: made, shown once, ended.

import { get, post, send } from "./api.js";
import { a, aOr, areasText, roleName } from "./account_texts.js";
import { h } from "./dom.js";
import { learnNames, namedGrid } from "./people_areas.js";
import { ROLES, confirmed, roleAndAreas, sayWhere } from "./people_form.js";
import { field, sayFault, trouble } from "./parts.js";
import { notify, onError } from "./plain.js";
import { secretBox } from "./secret.js";
import { listed, moment } from "./texts.js";

const SCOPES = ["locate", "assign", "tiles", "read", "report", "open311"];
const DAYS = 365;
const ROLES_OF_KEYS = ROLES.filter(({ has_keys }) => has_keys);

/** Draw the keys and the form that makes one. */
export function keysSection() {
  const list = h("ul", { class: "rows people", id: "keys" });
  const secret = h("div", {});
  const draw = async () => {
    try {
      const keys = (await get("/api/keys")).filter((/** @type {any} */ key) => !key.ended_at);
      await learnNames(keys.flatMap((/** @type {any} */ key) => key.areas ?? []));
      list.replaceChildren(...(keys.length ? keys.map(keyRow) : [h("li", { class: "quiet" }, a("keys_none"))]));
    } catch (error) {
      list.replaceChildren(trouble(error.message, draw));
    }
  };
  const keyRow = (/** @type {any} */ key) => {
    const end = async () => {
      if (!(await confirmed(a("key_end_ask", { name: key.name })))) return;
      try {
        await send("DELETE", `/api/keys/${key.key_id}`);
        notify(a("key_ended", { name: key.name }));
        await draw();
      } catch (error) {
        onError(error);
      }
    };
    const facts = [
      `${key.hint}…`,
      roleName(key.role),
      areasText(key.areas?.map(namedGrid) ?? null),
      listed(key.scopes.map((/** @type {string} */ scope) => aOr(`scope_${scope}`, scope))),
      a("key_until", { at: moment(key.expires_at) }),
      key.used_at ? a("key_used", { at: moment(key.used_at) }) : a("key_unused"),
    ];
    return h(
      "li",
      { class: "person" },
      h("div", {}, h("b", {}, key.name), h("small", {}, facts.join(" · "))),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", class: "button wrong", onclick: end }, a("key_end")),
      ),
    );
  };
  draw();
  return h(
    "section",
    {},
    h("h2", {}, a("keys_title")),
    h("p", { class: "quiet" }, a("keys_lead")),
    secret,
    list,
    h("details", { class: "fold", id: "new-key" }, h("summary", {}, a("key_make")), keyForm(secret, draw)),
  );
}

/**
 * @param {HTMLElement} secret where the new key is shown
 * @param {() => Promise<void>} onMade
 */
function keyForm(secret, onMade) {
  const name = h("input", { id: "key-name", name: "name", type: "text", required: true, maxlength: 100, autocomplete: "off" }); // prettier-ignore
  const days = h("input", {
    id: "key-days",
    name: "days",
    type: "number",
    min: 1,
    max: 1100,
    value: DAYS,
    required: true,
  });
  const scopes = SCOPES.map((scope) => {
    const box = h("input", { type: "checkbox", value: scope, id: `scope-${scope}` });
    return { box, element: h("label", { class: "check" }, box, aOr(`scope_${scope}`, scope)) };
  });
  const choice = roleAndAreas("key", ROLES_OF_KEYS[0]?.name ?? "", [], ROLES_OF_KEYS);
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const form = h(
    "form",
    {
      class: "entry-form",
      onsubmit: async (event) => {
        event.preventDefault();
        form.querySelectorAll(".field").forEach((place) => sayFault(place, ""));
        fault.hidden = true;
        const chosen = scopes.filter(({ box }) => box.checked).map(({ box }) => box.value);
        const body = { name: name.value.trim(), role: choice.role(), areas: choice.areas(), scopes: chosen, days: Number(days.value) }; // prettier-ignore
        try {
          const made = await post("/api/keys", body);
          secret.replaceChildren(secretBox(a("key_once", { name: made.name }), made.key ?? ""));
          name.value = "";
          /** @type {HTMLDetailsElement} */ (form.parentElement).open = false;
          secret.scrollIntoView({ block: "nearest" });
          await onMade();
        } catch (error) {
          if (sayWhere(form, error)) return;
          fault.hidden = false;
          fault.textContent = error.message;
        }
      },
    },
    field(a("key_name"), name, { name: "name" }),
    field(a("key_scopes"), h("div", { class: "checks" }, scopes.map(({ element }) => element)), { id: "key-scopes", name: "scopes", isGroup: true }), // prettier-ignore
    choice.elements,
    field(a("key_days"), days, { name: "days" }),
    fault,
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "submit", class: "button filled", id: "key-make" }, a("key_make")),
    ),
  );
  return form;
}
