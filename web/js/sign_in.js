// Signs in by the token behind the # of the printed link, which never travels in an address.

const form = /** @type {HTMLFormElement} */ (document.getElementById("sign-in"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("token"));
const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const language = document.documentElement.lang;

/** @param {string} token */
async function signIn(token) {
  said.textContent = form.dataset.wait ?? "";
  let response;
  try {
    response = await fetch(`/api/session?lang=${language}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
  } catch {
    said.textContent = form.dataset.gone ?? "";
    return;
  }
  if (response.ok) location.replace(`/?lang=${language}`);
  else said.textContent = form.dataset.wrong ?? "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(input.value.trim().replace(/^.*#/, ""));
});

const token = location.hash.slice(1);
if (token) {
  history.replaceState(null, "", location.pathname + location.search); // not left in the history
  signIn(token);
}
