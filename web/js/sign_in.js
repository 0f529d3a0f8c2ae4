// Signs in by login and password, or chooses a password by what stands behind the # of a one-time
// link, which never travels in an address.

const form = /** @type {HTMLFormElement} */ (document.getElementById("sign-in"));
const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const language = document.documentElement.lang;

const token = location.hash.slice(1);
if (token) history.replaceState(null, "", location.pathname + location.search); // not left in the history

/** @param {string} id */
const typed = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id)).value;

async function signIn() {
  const login = typed("login").trim();
  const password = typed("password");
  const path = token ? "/api/session/link" : "/api/session";
  const first = token.startsWith("first-") ? { login } : {};
  const body = token ? { token, password, ...first } : { login, password };
  said.textContent = form.dataset.wait ?? "";
  try {
    const response = await fetch(`${path}?lang=${language}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) location.replace(`/?lang=${language}`);
    else said.textContent = (await response.json()).detail;
  } catch {
    said.textContent = form.dataset.gone ?? "";
  }
}

if (token) said.textContent = form.dataset.link ?? "";
form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn();
});
