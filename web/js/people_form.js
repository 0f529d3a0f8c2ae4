// A person who may sign in: added or changed in a dialog; what is wrong stands beside its field.

import { post, send } from "./api.js";
import { a, roleDoes, roleName } from "./account_texts.js";
import { h } from "./dom.js";
import { areaPicker } from "./people_areas.js";
import { field, sayFault } from "./parts.js";
import { config } from "./texts.js";

/** @typedef {import("./people.js").Account} Account */

/** What somebody may be, as the server names it. */
export const ROLES = config.roles ?? [];

/**
 * A choice of a role, with what it does, and of the areas that go with it.
 *
 * @param {string} of what the ids begin with
 * @param {string} role
 * @param {number[]} areas
 * @param {typeof ROLES} [roles] to choose from
 */
export function roleAndAreas(of, role, areas, roles = ROLES) {
  const does = h("p", { class: "hint" });
  const needed = h("p", { class: "hint" });
  const picker = areaPicker(of, areas);
  const select = h(
    "select",
    { id: `${of}-role`, name: "role", onchange: () => draw() },
    roles.map(({ name }) => h("option", { value: name, selected: name === role }, roleName(name))),
  );
  const areaField = field(a("areas"), picker.element, { id: `${of}-areas`, name: "areas", isGroup: true });
  areaField.append(needed);
  const chosen = () => roles.find(({ name }) => name === select.value);
  const draw = () => {
    does.textContent = roleDoes(select.value);
    areaField.hidden = chosen()?.areas === "none";
    needed.textContent = a(chosen()?.areas === "needed" ? "areas_needed" : "areas_may");
  };
  draw();
  const roleField = field(a("people_role"), select, { name: "role" });
  roleField.append(does);
  return {
    elements: [roleField, areaField],
    role: () => select.value,
    areas: () => {
      const ids = chosen()?.areas === "none" ? [] : picker.chosen();
      return ids.length ? ids : null;
    },
  };
}

/**
 * Say beside its field what the server found wrong; true where there is such a field.
 *
 * @param {HTMLElement} form
 * @param {any} error
 */
export function sayWhere(form, error) {
  const name = error.problem?.field;
  const at = name && form.querySelector(`[data-field="${CSS.escape(String(name).split(".")[0])}"]`);
  if (!at) return false;
  sayFault(at, error.message);
  at.querySelector("input, select")?.focus();
  return true;
}

/**
 * Open the form; gives the account as it is then, or null where it was closed.
 *
 * @param {Account | null} account null for a new one
 * @returns {Promise<Account | null>}
 */
export function openForm(account) {
  return new Promise((done) => {
    const input = (/** @type {string} */ name, /** @type {string} */ value, more = {}) =>
      h("input", { id: `person-${name}`, name, type: "text", value, maxlength: 100, autocomplete: "off", ...more });
    const login = input("login", account?.login ?? "", { required: true, autocapitalize: "none", spellcheck: "false", disabled: Boolean(account) }); // prettier-ignore
    const name = input("name", account?.name ?? "", { required: true });
    const nameEn = input("name_en", account?.name_en ?? "");
    const choice = roleAndAreas(
      "person",
      account?.role ?? ROLES.find(({ areas }) => areas === "needed")?.name ?? "",
      account?.areas ?? [],
    );
    const fault = h("p", { class: "fault", role: "alert", hidden: true });
    const save = h("button", { type: "submit", class: "button filled" }, a("people_save"));
    const dialog = h("dialog", { class: "person", id: "person", "aria-labelledby": "person-title" });
    const close = (/** @type {Account | null} */ saved) => {
      dialog.close();
      dialog.remove();
      done(saved);
    };
    const form = h(
      "form",
      {
        class: "entry-form",
        onsubmit: async (event) => {
          event.preventDefault();
          form.querySelectorAll(".field").forEach((place) => sayFault(place, ""));
          fault.hidden = true;
          save.disabled = true;
          const values = { name: name.value.trim(), name_en: nameEn.value.trim(), role: choice.role(), areas: choice.areas() }; // prettier-ignore
          try {
            if (account) close(await send("PATCH", `/api/accounts/${account.actor_id}`, values));
            else close(await post("/api/accounts", { ...values, login: login.value.trim() }));
          } catch (error) {
            save.disabled = false;
            if (sayWhere(form, error)) return;
            fault.hidden = false;
            fault.textContent = error.message;
          }
        },
      },
      field(a("login"), login, { name: "login", hint: a("login_hint") }),
      field(a("name"), name, { name: "name" }),
      field(a("name_en"), nameEn, { name: "name_en" }),
      choice.elements,
      fault,
      h(
        "div",
        { class: "buttons" },
        save,
        h("button", { type: "button", class: "button", onclick: () => close(null) }, a("people_cancel")),
      ),
    );
    dialog.append(h("h2", { id: "person-title" }, account ? account.name : a("people_add")), form);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close(null);
    });
    document.body.append(dialog);
    dialog.showModal();
    (account ? name : login).focus();
  });
}

/**
 * Ask before something ends; true where it is meant.
 *
 * @param {string} question
 * @returns {Promise<boolean>}
 */
export function confirmed(question) {
  return new Promise((done) => {
    const dialog = h("dialog", { class: "person", id: "confirm", "aria-label": question });
    const close = (/** @type {boolean} */ isMeant) => {
      dialog.close();
      dialog.remove();
      done(isMeant);
    };
    dialog.append(
      h("p", {}, question),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", class: "button wrong", id: "confirm-yes", onclick: () => close(true) }, a("people_end_yes")), // prettier-ignore
        h("button", { type: "button", class: "button", onclick: () => close(false) }, a("people_cancel")),
      ),
    );
    dialog.addEventListener("cancel", () => close(false));
    document.body.append(dialog);
    dialog.showModal();
  });
}
