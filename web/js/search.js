// The search box: places by name, pinyin or number, codes, coordinates; by mouse or by keys alone.

import { get, isStale } from "./api.js";
import { at, h, settled } from "./dom.js";
import { show, state } from "./state.js";
import { t, tOr } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"SearchHit">} Hit */

const PAUSE_MS = 160;

/**
 * Wire the box; flyTo({lon, lat}) shows a place.
 *
 * @param {{flyTo: (place: Hit) => void, isOwn: (grid: number | null | undefined) => boolean, onPicked: () => void}} parts
 */
export function wireSearch({ flyTo, isOwn, onPicked }) {
  const box = at("search-text");
  const list = at("search-answers");
  /** @type {Hit[]} */
  let answers = [];
  let marked = -1;
  /** @type {AbortController | undefined} */
  let abort;

  const close = () => {
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  /** @param {...Node} rows */
  const open = (...rows) => {
    list.replaceChildren(...rows);
    list.hidden = false;
    box.setAttribute("aria-expanded", "true");
  };
  /** @param {number} index */
  const mark = (index) => {
    marked = index;
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === index)));
    const row = list.children[index];
    if (!row) return;
    box.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
  };
  /** @param {Hit} answer */
  const take = (answer) => {
    close();
    box.value = answer.name || answer.detail;
    box.blur();
    onPicked();
    if (answer.kind === "grid" || answer.kind === "officer") show({ grid: answer.grid_id, point: "", view: "" });
    else if (answer.kind === "facility") show({ point: `facility:${answer.id}`, grid: "", view: "" });
    else show({ point: `place:${answer.lon},${answer.lat}`, grid: "", view: "" });
    if (!["grid", "officer", "facility"].includes(answer.kind)) flyTo(answer);
  };
  /** @param {string} text */
  const note = (text) => open(h("li", { class: "note", role: "option", "aria-disabled": "true" }, text));

  const ask = settled(PAUSE_MS, async () => {
    const wish = box.value.trim();
    abort?.abort();
    if (!wish) return close();
    abort = new AbortController();
    try {
      answers = await get("/api/search", { q: wish, scheme: state.scheme }, abort.signal);
      // What lies where one answers for comes first; else they are as good as they were.
      answers.sort((a, b) => Number(isOwn(b.grid_id)) - Number(isOwn(a.grid_id)));
    } catch (error) {
      if (!isStale(error)) note(error.message);
      return undefined;
    }
    if (!answers.length) return note(t("search_nothing", { text: wish }));
    open(
      ...answers.map((answer, i) =>
        h(
          "li",
          {
            id: `answer-${i}`,
            role: "option",
            onmousedown: (/** @type {Event} */ event) => event.preventDefault(),
            onclick: () => take(answer),
          },
          h(
            "span",
            {},
            h("b", {}, answer.name || answer.detail),
            h("small", {}, answer.name ? tOr(`crs_${answer.detail}`, answer.detail) : ""),
          ),
          h("em", {}, tOr(`of_${answer.kind}`, answer.kind)),
        ),
      ),
    );
    mark(0);
    return undefined;
  });

  box.addEventListener("input", () => {
    answers = [];
    ask();
  });
  box.addEventListener("focus", () => box.value.trim() && ask());
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (answers.length) mark((marked + step + answers.length) % answers.length);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      abort?.abort(); // a late answer would open the list again
      if (list.hidden) box.blur();
      close();
    }
  });
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (answers[marked]) take(answers[marked]);
    else ask();
  });
}
