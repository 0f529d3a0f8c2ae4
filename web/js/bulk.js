// A whole file at once: sent, answered row by row in its own format, and kept as a download.

import { ask as askServer } from "./api.js";
import { h } from "./dom.js";
import { config, number, t } from "./texts.js";

const SYSTEMS = ["cgcs2000", "wgs84", "gcj02", "bd09"];
const TAKEN = ".csv,.txt,.geojson,.json,.ndjson,.geojsonl,.gpkg";

/**
 * The form, folded away until it is needed.
 *
 * @param {() => string} scheme
 */
export function bulkForm(scheme) {
  const file = h("input", {
    type: "file",
    id: "bulk-file",
    accept: TAKEN,
    required: true,
    "aria-label": t("bulk_file"),
  });
  const crs = h(
    "select",
    { id: "bulk-crs", required: true, "aria-label": t("bulk_crs") },
    h("option", { value: "" }, t("bulk_crs_choose")),
    SYSTEMS.map((code) => h("option", { value: code }, t(`bulk_${code}`))),
  );
  const note = h("p", { class: "quiet", role: "status" });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const done = h("p", {});
  const stop = h(
    "button",
    { type: "button", class: "button", hidden: true, onclick: () => abort?.abort() },
    t("bulk_stop"),
  );
  const button = h("button", { type: "submit", class: "button primary", id: "bulk-send" }, t("bulk_send"));
  /** @type {AbortController | null} */
  let abort = null;
  /** @type {string | null} */
  let address = null;

  /** @param {Event} event */
  async function ask(event) {
    event.preventDefault();
    fault.hidden = true;
    done.replaceChildren();
    if (address) URL.revokeObjectURL(address);
    abort = new AbortController();
    stop.hidden = false;
    button.disabled = true;
    note.textContent = t("bulk_sending");
    try {
      const [chosen] = file.files ?? [];
      const body = new FormData();
      body.append("file", chosen);
      const query = new URLSearchParams({ crs: crs.value, scheme: scheme(), lang: config.language });
      const response = await askServer(`/api/assign?${query}`, { method: "POST", body, signal: abort.signal });
      if (!response.ok) {
        const problem = await response.json().catch(() => ({}));
        throw new Error(problem.detail ?? t("error_status", { status: response.status }));
      }
      const parts = [];
      let size = 0;
      for (const reader = /** @type {ReadableStream} */ (response.body).getReader(); ;) {
        const { value, done: isOver } = await reader.read();
        if (isOver) break;
        parts.push(value);
        size += value.length;
        note.textContent = t("bulk_coming", { mb: number(size / 1e6, 1) });
      }
      address = URL.createObjectURL(new Blob(parts));
      const name = chosen.name.replace(/(\.[^.]+)$/, `-${t("bulk_suffix")}$1`);
      note.textContent = response.headers.get("X-Gis-Suggestion") ?? "";
      done.append(
        h(
          "a",
          { class: "button primary", href: address, download: name, id: "bulk-result" },
          t("bulk_download", { name }),
        ),
      );
    } catch (error) {
      const isStopped = error.name === "AbortError";
      note.textContent = isStopped ? t("bulk_stopped") : "";
      fault.textContent = isStopped ? "" : error.message;
      fault.hidden = isStopped;
    } finally {
      stop.hidden = true;
      button.disabled = false;
    }
  }

  return h(
    "details",
    { id: "bulk" },
    h("summary", {}, t("bulk")),
    h(
      "form",
      { class: "report", onsubmit: ask },
      h("p", { class: "quiet" }, t("bulk_how")),
      h("label", {}, t("bulk_file"), file),
      h("label", {}, t("bulk_crs"), crs),
      fault,
      note,
      done,
      h("div", { class: "buttons" }, button, stop),
    ),
  );
}
