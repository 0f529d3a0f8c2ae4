// What is shown once: a link or a key, with a button that copies it.

import { a } from "./account_texts.js";
import { h } from "./dom.js";

/**
 * Copy a text; false where the browser lets nobody, as over plain HTTP.
 *
 * @param {HTMLInputElement} input that holds it
 */
async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    input.select(); // then the usual keys copy it
    return false;
  }
}

/**
 * A box with what is shown once.
 *
 * @param {string} lead
 * @param {string} text
 */
export function secretBox(lead, text) {
  const input = h("input", { type: "text", readonly: true, value: text, class: "secret-text", "aria-label": lead });
  const button = h(
    "button",
    {
      type: "button",
      class: "button filled",
      onclick: async () => {
        if (await copy(input)) button.textContent = a("copied");
      },
    },
    a("copy"),
  );
  return h(
    "div",
    { class: "secret", role: "status" },
    h("p", {}, lead),
    h("div", { class: "secret-line" }, input, button),
  );
}
