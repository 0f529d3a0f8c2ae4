// Forms that take a login or a password: what is typed can be shown, and waiting is counted down.

import { a } from "./account_texts.js";
import { h } from "./dom.js";
import { field } from "./parts.js";
import { number } from "./texts.js";

/**
 * @typedef {object} Asked
 * @property {string} name under which its value is handed on
 * @property {string} label
 * @property {string} autocomplete as password managers know it
 * @property {string} [hint]
 * @property {string} [value]
 * @property {boolean} [isOptional]
 */

/** @param {HTMLInputElement} input */
function shownOnDemand(input) {
  const button = h(
    "button",
    {
      type: "button",
      class: "show-password",
      "aria-pressed": "false",
      onclick: () => {
        const isShown = input.type === "text";
        input.type = isShown ? "password" : "text";
        button.textContent = a(isShown ? "show_password" : "hide_password");
        button.setAttribute("aria-pressed", String(!isShown));
      },
    },
    a("show_password"),
  );
  return h("div", { class: "password" }, input, button);
}

/** @param {Asked} asked */
function fieldOf({ name, label, autocomplete, hint = "", value = "", isOptional = false }) {
  const isPassword = autocomplete.endsWith("-password");
  const input = h("input", {
    id: `asked-${name}`,
    name,
    type: isPassword ? "password" : "text",
    autocomplete,
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: isPassword ? 400 : 100,
    required: !isOptional,
    value,
    "aria-describedby": hint ? `asked-${name}-hint` : null,
  });
  return field(label, isPassword ? shownOnDemand(input) : input, { id: input.id, hint });
}

/**
 * Make a form; onSend gets what was typed, and what it throws is said above the button.
 *
 * @param {Asked[]} asked
 * @param {string} action text of the button
 * @param {(values: Record<string, string>) => Promise<unknown>} onSend
 */
export function credentialsForm(asked, action, onSend) {
  const faultLine = h("p", { class: "fault", role: "alert", hidden: true });
  const button = h("button", { type: "submit", class: "button filled" }, action);
  let timer = 0;
  let isWaiting = false;

  /** @param {string} text */
  const say = (text) => {
    faultLine.textContent = text;
    faultLine.hidden = !text;
  };

  /** @param {number} until moment in milliseconds */
  function countDown(until) {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    button.disabled = isWaiting = seconds > 0;
    say(seconds > 0 ? a("wait_n", { n: number(seconds) }) : a("try_now"));
    if (seconds > 0) timer = setTimeout(() => countDown(until), 1000);
    else button.focus();
  }

  const form = h(
    "form",
    {
      class: "credentials",
      onsubmit: async (event) => {
        event.preventDefault();
        clearTimeout(timer);
        say("");
        button.disabled = true;
        button.textContent = a("signing_in");
        try {
          const values = [...form.querySelectorAll("input")].map(({ name, value }) => [name, value]);
          await onSend(Object.fromEntries(values));
        } catch (error) {
          const seconds = Number(error.problem?.retry_after ?? 0);
          if (seconds) countDown(Date.now() + seconds * 1000);
          else say(error.message);
        } finally {
          button.textContent = action;
          button.disabled = isWaiting;
        }
      },
    },
    asked.map(fieldOf),
    faultLine,
    h("div", { class: "buttons" }, button),
  );
  return form;
}

/** @type {Asked} */
export const LOGIN = { name: "login", label: a("login"), autocomplete: "username" };

/** @type {Asked} */
export const PASSWORD = { name: "password", label: a("password"), autocomplete: "current-password" };

/** @type {Asked} */
export const NEW_PASSWORD = {
  name: "password",
  label: a("new_password"),
  autocomplete: "new-password",
  hint: a("password_hint"),
};
