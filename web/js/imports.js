// Files handed in: choose, try without writing, look at what would happen, import, see what was refused.

import { ApiError, get, send, proof } from "./api.js";
import { at, h, isNarrow, parts } from "./dom.js";
import { fileText, formFields } from "./imports_form.js";
import { failedParts, succeededParts } from "./imports_outcome.js";
import { bytesOf, csvAddress, i, kindTitle } from "./imports_texts.js";
import { follow } from "./jobs.js";
import { offered } from "./offers.js";
import { heading, sayFault, trouble } from "./parts.js";
import { show, state } from "./state.js";
import { config, moment, nameOf, number, percent, t } from "./texts.js";

/** @import { Outcome } from "./imports_outcome.js" */
/** @import { Shape } from "../types/answers.js" */

const PAST = 8;
const KEPT = `gis-import:${config.actor.actor_id}`;

/** What is asked of the server; it is kept while the browser's tab is open. */
const NOTHING_ASKED = {
  upload: "",
  name: "",
  size: 0,
  kind: "",
  crs: "",
  layer: "",
  encoding: "",
  key: "",
  columns: /** @type {Record<string, string>} */ ({}),
  replace: false,
  accept: false,
  extra: /** @type {Record<string, string>} */ ({}),
  job: 0,
};

/** Of those, what belongs to one file. */
const NO_FILE = { upload: "", name: "", size: 0, columns: {}, key: "", job: 0 };

/**
 * Send a file and tell how much of it is sent; fetch cannot.
 *
 * @param {File} file
 * @param {(share: number) => void} onShare
 * @param {AbortSignal} signal
 * @returns {Promise<Shape<"UploadAnswer">>}
 */
function sendFile(file, onShare, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/imports/uploads?lang=${config.language}`);
    for (const [name, value] of Object.entries(proof())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onload = () =>
      request.status === 201
        ? resolve(request.response)
        : reject(new ApiError(request.status, request.response?.detail ?? i("failed"), request.response ?? {}));
    request.onerror = () => reject(new ApiError(0, t("error_server_gone")));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

export class Imports {
  /** @param {{sheet: ReturnType<typeof import("./sheet.js").wireSheet>, points: import("./points.js").Points}} given */
  constructor({ sheet, points }) {
    this.sheet = sheet;
    this.points = points;
    this.asked = { ...NOTHING_ASKED, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
    /** @type {Shape<"KindsAnswer">} */
    this.known = { kinds: [], max_file_mb: 0 };
    /** @type {Outcome | null} of the last trial or import */
    this.outcome = null;
    this.sending = new AbortController();
    this.following = new AbortController();
    this.fileLine = h("div", { class: "dropped" });
    this.trier = h("button", { type: "submit", class: "button filled" }, i("try"));
    this.result = h("div", { class: "import-result", "aria-live": "polite" });
    this.past = h("section", {});
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.begin(true);
    };
    this.form = h("form", { class: "import-form entry-form", novalidate: true, onsubmit });
    addEventListener("keydown", (event) => this.onKey(event), true);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const on = /** @type {Element} */ (event.target);
    if (event.key !== "Escape" || state.view !== "import" || on.closest?.("#bar")) return;
    event.stopImmediatePropagation();
    show({ view: "enter", entry: "" });
  }

  /** @param {Partial<Imports["asked"]>} changes */
  keep(changes) {
    Object.assign(this.asked, changes);
    sessionStorage.setItem(KEPT, JSON.stringify(this.asked));
  }

  /** @param {...any} children as h() takes them */
  fill(...children) {
    const back = { type: "button", class: "link back", onclick: () => show({ view: "enter", entry: "" }) };
    const close = {
      type: "button",
      class: "close",
      "aria-label": t("close"),
      title: t("close"),
      onclick: () => show({ view: "" }),
    };
    at("panel").dataset.kind = "import";
    at("panel-body").replaceChildren(
      h(
        "header",
        { class: "panel-head" },
        h("div", {}, h("button", back, `‹ ${i("back")}`), h("h2", {}, i("title"))),
        h("button", close, "×"),
      ),
      ...parts(children),
    );
    at("said").textContent = i("title");
  }

  /** @param {AbortSignal} signal */
  async show(signal) {
    if (at("panel").dataset.kind === "import" && this.form.isConnected) return;
    if (!offered("import")) {
      this.fill(h("p", {}, i("none_may")));
      return;
    }
    if (!this.known.kinds.length) this.known = await get("/api/imports/kinds", {}, signal);
    signal.throwIfAborted();
    this.clearResult();
    this.fill(h("p", { class: "quiet" }, i("intro")), this.form, this.result, this.past);
    this.drawForm();
    if (isNarrow()) this.sheet.atLeast("full");
    this.drawPast();
    if (this.asked.job) this.follow(this.asked.job);
  }

  get kind() {
    return this.known.kinds.find(({ name }) => name === this.asked.kind);
  }

  // --- what is asked -----------------------------------------------------------------------------

  drawForm() {
    this.form.replaceChildren(...formFields(this));
    this.drawFileLine();
  }

  drawFileLine() {
    this.fileLine.replaceChildren(fileText(this.asked));
  }

  clearResult() {
    this.outcome = null;
    this.result.replaceChildren();
  }

  /**
   * Say beside a field what is wrong with it; whether there is such a field.
   *
   * @param {string} name
   * @param {string} text
   */
  fault(name, text) {
    const place = at(`import-${name}-fault`)?.closest(".field");
    if (!place) return false;
    sayFault(place, text);
    if (text) at(`import-${name}`)?.focus();
    return true;
  }

  /** @param {File} file */
  async upload(file) {
    this.sending.abort();
    this.sending = new AbortController();
    const { signal } = this.sending;
    this.fault("file", "");
    this.clearResult();
    if (file.size > bytesOf(this.known.max_file_mb)) {
      this.fault("file", i("too_large", { most_mb: number(this.known.max_file_mb) }));
      return;
    }
    const bar = h("progress", { max: "1", value: "0" });
    const showShare = (/** @type {number} */ share) => {
      bar.value = share;
      this.fileLine.replaceChildren(h("span", {}, i("sending", { percent: number(share * 100) })), bar);
    };
    try {
      const { token, name, size } = await sendFile(file, showShare, signal);
      this.keep({ ...NO_FILE, upload: token, name, size, accept: false });
      this.drawFileLine();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.keep({ upload: "" });
      this.drawFileLine();
      this.fault("file", error.message);
    }
  }

  startOver() {
    if (this.asked.upload)
      send("DELETE", `/api/imports/uploads/${this.asked.upload}`).catch((error) => console.info(error.message));
    this.following.abort();
    this.keep({ ...NO_FILE, replace: false });
    this.clearResult();
    this.drawForm();
    at("import-file")?.focus();
  }

  // --- the job -----------------------------------------------------------------------------------

  /** @param {boolean} isDry whether nothing is written yet */
  async begin(isDry) {
    const { upload, kind, crs, layer, encoding, key, columns, replace, extra, accept } = this.asked;
    for (const name of ["kind", "file", "crs"]) this.fault(name, "");
    if (!kind || !upload) {
      this.fault(kind ? "file" : "kind", i(kind ? "need_file" : "need_kind"));
      return;
    }
    this.trier.disabled = true;
    try {
      const { job_id: job } = await send("POST", "/api/imports", {
        upload,
        kind,
        crs: crs === "other" ? null : crs || null,
        dry_run: isDry,
        layer: layer || null,
        encoding: encoding || null,
        key: key || null,
        columns,
        replace,
        extra,
        accept_shift: accept,
      });
      this.keep({ job });
      await this.follow(job);
    } catch (error) {
      const { field, detail } = error.problem ?? {};
      if (!field || !this.fault(field === "upload" ? "file" : field, detail))
        this.result.replaceChildren(trouble(error.message));
      if (error.status === 404) this.keep({ upload: "" });
    } finally {
      this.trier.disabled = false;
    }
  }

  /**
   * Look at the job until it has ended.
   *
   * @param {number} jobId
   */
  async follow(jobId) {
    this.following.abort();
    this.following = new AbortController();
    const { signal } = this.following;
    const bar = h("progress", { max: "1", value: "0", "aria-label": i("title") });
    const step = h("p", { class: "quiet", role: "status" }, i("waiting"));
    const cancel = () =>
      send("POST", `/api/jobs/${jobId}/cancel`).catch((error) => {
        step.textContent = error.message;
      });
    const button = h("button", { type: "button", class: "button", onclick: cancel }, i("cancel"));
    this.result.replaceChildren(h("div", { class: "running" }, step, bar, button));
    this.result.scrollIntoView({ block: "nearest" });
    const showProgress = (/** @type {Shape<"ImportJob">} */ { status, step_text, progress }) => {
      if (status === "running") step.textContent = `${step_text || i("waiting")} ${percent(progress, 0)}`;
      bar.value = progress;
    };
    try {
      const job = await follow(`/api/imports/jobs/${jobId}`, showProgress, signal);
      if (!signal.aborted) this.showEnded(job);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 404) this.keep({ job: 0 });
      this.result.replaceChildren(trouble(error.message, () => this.follow(jobId)));
    }
  }

  /** @param {Shape<"ImportJob">} job */
  showEnded(job) {
    if (job.status === "cancelled") {
      this.keep({ job: 0 });
      this.result.replaceChildren(h("p", { class: "note" }, i("cancelled")));
    } else if (job.status !== "failed") this.showSucceeded(/** @type {Outcome} */ (job.result));
    else if (/crs_(missing|unreadable)/.test(job.problem ?? "")) {
      this.result.replaceChildren();
      this.fault("crs", i("state_crs"));
    } else this.result.replaceChildren(...failedParts(this, job));
    this.result.scrollIntoView({ block: "start" });
  }

  /** @param {Outcome} outcome */
  showSucceeded(outcome) {
    this.outcome = outcome;
    this.result.replaceChildren(...succeededParts(this, outcome));
    if (outcome.dry_run) return;
    // The file is in: the form is ready for the next one, what became of this one stays to be read.
    this.keep(NO_FILE);
    this.drawForm();
    this.points.forget("facilities", "hazards", "incidents");
    this.drawPast();
  }

  // --- what went in before -----------------------------------------------------------------------

  drawPast() {
    this.showPast(0).catch((error) => this.past.replaceChildren(trouble(error.message)));
  }

  /** @param {number} offset */
  async showPast(offset) {
    const { items, total } = await get("/api/imports", { limit: PAST, offset });
    if (!offset)
      this.past.replaceChildren(
        heading(i("past")),
        total ? h("ul", { class: "past" }) : h("p", { class: "quiet" }, i("past_none")),
      );
    this.past.querySelector(".past")?.append(...items.map(pastRow));
    this.past.querySelector(".more-past")?.remove();
    const next = offset + items.length;
    const more = { type: "button", class: "button more-past", onclick: () => this.showPast(next) };
    if (next < total) this.past.append(h("button", more, i("past_more")));
  }
}

/** @param {Shape<"PastImport">} past */
function pastRow({ import_id: id, source_name, kind, finished_at, actor_name, actor_name_en, refused }) {
  const who = nameOf({ name: actor_name, name_en: actor_name_en });
  const about = [kindTitle(kind), moment(finished_at), who].filter(Boolean).join(" · ");
  const href = csvAddress(`/api/imports/${id}/refusals.csv`);
  return h(
    "li",
    {},
    h("span", {}, h("b", {}, source_name), h("small", {}, about)),
    refused > 0 &&
      h("a", { class: "link", href, download: `import-${id}.csv` }, i("past_refused", { n: number(refused) })),
  );
}
