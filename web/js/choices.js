// The choices at the top right: scheme, day, language, who asks.

import { get, post, send } from "./api.js";
import { at, h, keepingFocus } from "./dom.js";
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
  const versions = [...(scheme()?.versions ?? [])].sort((a, b) => b.effective_day.localeCompare(a.effective_day));
  const box = h(
    "details",
    { class: "choice", id: "day-choice" },
    h("summary", { title: t("as_of") }, state.at ? day(state.at) : t("today", { day: day(config.today) })),
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

function languageChoice() {
  const other = isEnglish ? "zh-CN" : "en";
  return h(
    "a",
    {
      class: "choice",
      id: "language",
      role: "button",
      href: addressIn(other),
      lang: other,
      "aria-label": `中 / EN: ${t("other_language")}`, // what is read begins with what is seen
      title: t("other_language"),
    },
    h("span", { class: isEnglish ? "" : "now" }, "中"),
    " / ",
    h("span", { class: isEnglish ? "now" : "" }, "EN"),
  );
}

/**
 * Made-up people: whoever opens the page picks one, and the page says so.
 *
 * @param {(error: Error) => void} onError
 */
async function demoChoice(onError) {
  const actors = await get("/api/actors");
  return h(
    "select",
    {
      id: "actor",
      "aria-label": t("who"),
      title: t("who"),
      onchange: async (event) => {
        try {
          await post("/api/actors/current", { actor_id: Number(event.target.value) });
          location.reload();
        } catch (error) {
          onError(error);
        }
      },
    },
    actors.map((actor) =>
      h("option", { value: actor.actor_id, selected: actor.actor_id === config.actor.actor_id }, nameOf(actor)),
    ),
  );
}

/**
 * Real people: the administrator, who may sign out, or the visitor, who may sign in.
 *
 * @param {(error: Error) => void} onError
 */
function session(onError) {
  const signOut = async () => {
    try {
      await send("DELETE", "/api/session");
      location.reload();
    } catch (error) {
      onError(error);
    }
  };
  const { actor } = config;
  return h(
    "details",
    { class: "choice", id: "session" },
    h("summary", { title: t("who") }, nameOf(actor)),
    h(
      "div",
      { class: "popover" },
      h("p", {}, t(actor.signed_in ? "signed_in" : "not_signed_in")),
      actor.signed_in
        ? h("button", { type: "button", class: "button", id: "sign-out", onclick: signOut }, t("sign_out"))
        : h("a", { class: "button", id: "sign-in", href: `/sign-in?lang=${config.language}` }, t("sign_in")),
    ),
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
export async function wireChoices(scheme, onError) {
  const draw = () => {
    const kept = ["made-up", "actor", "session"].flatMap((id) => at(id) ?? []);
    at("choices").replaceChildren(
      ...(config.schemes.length > 1 ? [schemeChoice()] : []),
      ...(config.schemes.length ? [dayChoice(scheme)] : []),
      languageChoice(),
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
  try {
    at("choices").append(...(config.actor.made_up ? [madeUpNote(), await demoChoice(onError)] : [session(onError)]));
  } catch (error) {
    onError(error);
  }
}
