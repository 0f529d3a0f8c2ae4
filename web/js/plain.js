// The frame of a page without a map: who one is, the other language, what went wrong.

import { languageChoice, whoChoice } from "./choices.js";
import { at } from "./dom.js";
import { config } from "./texts.js";

const NOTICE_MS = 9000;
let timer = 0;

/**
 * Say something for a while.
 *
 * @param {string} text
 */
export function notify(text) {
  at("notice").textContent = text;
  at("notice").hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (at("notice").hidden = true), NOTICE_MS);
}

/** @param {Error} error */
export const onError = (error) => notify(error.message);

/**
 * This page in another language, with all else that its address says.
 *
 * @param {string} language
 */
function addressIn(language) {
  const url = new URL(location.href);
  url.searchParams.set("lang", language);
  return url.href;
}

/** Draw the frame; what the page is about goes into what is given back. */
export function openPage() {
  at("choices").append(languageChoice(addressIn), whoChoice(onError));
  document.addEventListener("click", (event) => {
    for (const box of at("choices").querySelectorAll("details")) {
      if (!box.contains(/** @type {Node} */ (event.target))) box.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const box of at("choices").querySelectorAll("details")) box.open = false;
  });
  if (config.actor.signed_in) import("./session.js").then(({ watchSession }) => watchSession());
  return /** @type {HTMLElement} */ (document.getElementById("content"));
}
