// The choices at the top right: scheme, day, language, who asks.

import { at, h, isNarrow, keepingFocus } from "./dom.js";
import { addressIn, onChange, show, state } from "./state.js";
import { config, day, isEnglish, nameOf, t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */

function schemeChoice() {
  return h(
    "select",
    {
      id: "scheme",
      "aria-label": t("scheme"),
      title: t("scheme"),
      onchange: (event) => show({ scheme: event.target.value, grid: "" }),
    },
    config.schemes.map((scheme) =>
      h("option", { value: scheme.code, selected: scheme.code === state.scheme }, nameOf(scheme)),
    ),
  );
}

/** @param {() => Shape<"Scheme">} scheme */
function dayChoice(scheme) {
  /** @param {string} value */
  const choose = (value) => {
    show({ at: value === config.today ? "" : value });
    // The choices are drawn anew when the day is another.
    const drawn = /** @type {HTMLDetailsElement} */ (at("day-choice"));
    drawn.open = false;
    drawn.querySelector("summary")?.focus();
  };
  const input = h("input", {
    type: "date",
    id: "day",
    value: state.at || config.today,
    onchange: (event) => event.target.value && choose(event.target.value),
  });
  // A phone has no room for the day that everybody knows.
  const today = isNarrow() ? t("today_short") : t("today", { day: day(config.today) });
  const versions = [...(scheme()?.versions ?? [])].sort((a, b) => b.effective_day.localeCompare(a.effective_day));
  const box = h(
    "details",
    { class: "choice", id: "day-choice" },
    h("summary", { title: t("as_of") }, state.at ? day(state.at) : today),
    h(
      "div",
      { class: "popover" },
      h("label", {}, t("as_of"), input),
      state.at &&
        h("button", { type: "button", class: "button", onclick: () => choose(config.today) }, t("back_to_today")),
      versions.length > 0 && h("p", { class: "quiet" }, t("versions")),
      h(
        "ul",
        { class: "rows" },
        versions.map((version) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", onclick: () => choose(version.effective_day) },
              h("span", {}, day(version.effective_day), h("small", {}, version.title)),
            ),
          ),
        ),
      ),
    ),
  );
  return box;
}

/** @param {(language: string) => string} address of this page in a language */
export function languageChoice(address) {
  const other = isEnglish ? "zh-CN" : "en";
  return h(
    "a",
    {
      class: "choice",
      id: "language",
      role: "button",
      href: address(other),
      lang: other,
      "aria-label": `中 / EN: ${t("other_language")}`, // what is read begins with what is seen
      title: t("other_language"),
    },
    h("span", { class: isEnglish ? "" : "now" }, "中"),
    " / ",
    h("span", { class: isEnglish ? "now" : "" }, "EN"),
  );
}

/** @param {(error: Error) => void} onError */
export function whoChoice(onError) {
  const slot = h("div", { class: "popover" });
  const fill = () => import("./who.js").then(({ fillWho }) => fillWho(slot, onError)).catch(onError);
  return h(
    "details",
    { class: "choice", id: "session", ontoggle: () => !slot.hasChildNodes() && fill() },
    h("summary", { title: t("who") }, nameOf(config.actor)),
    slot,
  );
}

/** Says for good that nobody here is real. */
const madeUpNote = () =>
  h(
    "details",
    { class: "choice", id: "made-up" },
    h("summary", { title: t("made_up_note") }, t("made_up")),
    h("div", { class: "popover" }, h("p", {}, t("made_up_note"))),
  );

/**
 * Draw the choices, and again when what they say has changed.
 *
 * @param {() => Shape<"Scheme">} scheme
 * @param {(error: Error) => void} onError
 */
export function wireChoices(scheme, onError) {
  const draw = () => {
    const kept = ["made-up", "session"].flatMap((id) => at(id) ?? []);
    at("choices").replaceChildren(
      ...(config.schemes.length > 1 ? [schemeChoice()] : []),
      ...(config.schemes.length ? [dayChoice(scheme)] : []),
      languageChoice(addressIn),
      ...kept,
    );
  };
  draw();
  onChange((changed) => {
    if (changed.has("at") || changed.has("scheme")) keepingFocus(draw);
    else /** @type {HTMLAnchorElement} */ (at("language")).href = addressIn(isEnglish ? "zh-CN" : "en");
  });
  document.addEventListener("click", (event) => {
    for (const box of at("choices").querySelectorAll("details")) {
      if (!box.contains(/** @type {Node} */ (event.target))) box.open = false;
    }
  });
  at("choices").append(...(config.actor.made_up ? [madeUpNote()] : []), whoChoice(onError));
}
