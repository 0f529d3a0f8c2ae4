// The session has ended while one works: says so, and lets sign in again without losing what was typed.

import { ApiError } from "./api.js";
import { a, here, pageOf } from "./account_texts.js";
import { LOGIN, PASSWORD, credentialsForm } from "./credentials.js";
import { h } from "./dom.js";
import { config, nameOf, t } from "./texts.js";

/** @type {Promise<boolean> | null} */
let asking = null;

/** Who asks now, asked past api.js, which would come back here. */
async function findMe() {
  const response = await fetch(`/api/me?lang=${config.language}`);
  return response.ok ? response.json() : null;
}

/**
 * Take the session as it is now: true where it is the same person's.
 *
 * @param {any} me
 */
function take(me) {
  if (!me?.signed_in || me.actor.actor_id !== config.actor.actor_id) return false;
  config.actor.token = me.token;
  return true;
}

/** Ask for the password past api.js, too, or for a session begun in another tab; false where it was put off. */
function signInAgain() {
  return new Promise((/** @type {(isBack: boolean) => void} */ done) => {
    const faultLine = h("p", { class: "fault", role: "alert", hidden: true });
    const dialog = h("dialog", { class: "again", id: "session-ended", "aria-labelledby": "session-ended-title" });
    const end = (/** @type {boolean} */ isBack) => {
      dialog.remove();
      done(isBack);
    };
    const look = async () => {
      const me = await findMe();
      if (take(me)) {
        end(true);
        return;
      }
      faultLine.hidden = false;
      faultLine.textContent = me?.signed_in ? a("ended_other_person", { name: nameOf(me.actor) }) : a("ended_not_yet");
    };
    const form = credentialsForm(
      [{ ...LOGIN, value: config.actor.login ?? "" }, PASSWORD],
      a("sign_in"),
      async (typed) => {
        const response = await fetch(`/api/session?lang=${config.language}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ login: typed.login.trim(), password: typed.password }),
        });
        if (response.ok) {
          await look();
          return;
        }
        const problem = await response.json().catch(() => ({}));
        problem.retry_after = response.headers.get("Retry-After");
        throw new ApiError(response.status, problem.detail ?? t("error_unknown"), problem);
      },
    );
    dialog.append(
      h("h2", { id: "session-ended-title" }, a("ended_title")),
      h("p", {}, a("ended_text")),
      form,
      faultLine,
      h(
        "div",
        { class: "buttons" },
        h("a", { class: "button", href: pageOf("/sign-in", { next: here() }), target: "_blank" }, a("ended_other_tab")),
        h("button", { type: "button", class: "button", onclick: look }, a("ended_there")),
        h(
          "button",
          { type: "button", class: "button", id: "session-later", onclick: () => end(false) },
          a("ended_close"),
        ),
      ),
    );
    dialog.addEventListener("cancel", () => end(false));
    document.body.append(dialog);
    dialog.showModal();
    /** @type {HTMLInputElement | null} */ (
      dialog.querySelector(config.actor.login ? "[type=password]" : "input")
    )?.focus();
  });
}

/**
 * Find out why a request was refused: true where it may be sent again, since one is signed in (again).
 */
export async function recover() {
  const before = config.actor.token;
  const me = await findMe();
  if (take(me)) return config.actor.token !== before;
  asking ??= signInAgain().finally(() => (asking = null));
  return asking;
}

/** Look whether the session still holds when the page is seen again. */
export function watchSession() {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && config.actor.signed_in) recover().catch(() => {}); // no way to the server: later
  });
}
