// Files handed in: choose, try without writing, look at what would happen, import, see what was refused.

import { ApiError, get, send, proof } from "./api.js";
import { at, h, isNarrow } from "./dom.js";
import { follow } from "./jobs.js";
import { offered } from "./offers.js";
import { field, heading, sayFault, tag, tiles, trouble } from "./parts.js";
import { show, state } from "./state.js";
import { config, isEnglish, listed, moment, nameOf, number, percent, t, textsOf } from "./texts.js";

const SYSTEMS = ["cgcs2000", "wgs84", "gcj02", "bd09"];
const ENCODINGS = ["utf-8", "gb18030"];
const SHOWN = 50;
const PAST = 8;
const MB = 1024 * 1024;
const KEPT = () => `gis-import:${config.actor.actor_id}`;

const { say: i, sayOr: iOr } = textsOf("imports");

const OPTIONS = { crs: "crs", encoding: "encoding", layer: "layer", key: "key", column: "columns", set: "more" };

/** What the server says of a file names options of a command; here the same are fields. */
function inWordsOfThePage(text) {
  return text.replace(/( ?)--(crs|encoding|layer|key|column|set)\b( ?)/g, (_, before, name, after) =>
    isEnglish ? `${before}“${i(OPTIONS[name])}”${after}` : `“${i(OPTIONS[name])}”`,
  );
}

const kindTitle = (kind) => iOr(`kind_${kind}`, kind);
const sizeText = (bytes) => (bytes < MB / 10 ? `${number(Math.ceil(bytes / 1024))} kB` : `${number(bytes / MB, 1)} MB`);
const csvOf = (path) => `${path}?lang=${config.language}`;

/** Send a file and tell how much of it is sent; fetch cannot. */
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
  constructor({ sheet, points }) {
    Object.assign(this, { sheet, points });
    this.asked = {
      upload: "",
      name: "",
      size: 0,
      kind: "",
      crs: "",
      layer: "",
      encoding: "",
      key: "",
      columns: {},
      replace: false,
      extra: {},
      job: 0,
      dry: true,
    };
    const kept = sessionStorage.getItem(KEPT());
    if (kept) Object.assign(this.asked, JSON.parse(kept));
    addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || state.view !== "import" || event.target.closest?.("#bar")) return;
        event.stopImmediatePropagation();
        show({ view: "enter", entry: "" });
      },
      true,
    );
  }

  keep(changes = {}) {
    Object.assign(this.asked, changes);
    sessionStorage.setItem(KEPT(), JSON.stringify(this.asked));
  }

  fill(...children) {
    at("panel").dataset.kind = "import";
    at("panel-body").replaceChildren(
      h(
        "header",
        { class: "panel-head" },
        h(
          "div",
          {},
          h(
            "button",
            { type: "button", class: "link back", onclick: () => show({ view: "enter", entry: "" }) },
            `‹ ${i("back")}`,
          ),
          h("h2", {}, i("title")),
        ),
        h(
          "button",
          {
            type: "button",
            class: "close",
            "aria-label": t("close"),
            title: t("close"),
            onclick: () => show({ view: "" }),
          },
          "×",
        ),
      ),
      ...children.flat().filter(Boolean),
    );
    at("said").textContent = i("title");
  }

  async show(signal) {
    if (at("panel").dataset.kind === "import" && this.form?.isConnected) return;
    if (!offered("import")) {
      this.fill(h("p", {}, i("none_may")));
      return;
    }
    this.known ??= await get("/api/imports/kinds", {}, signal);
    signal.throwIfAborted();
    this.result = h("div", { class: "import-result", "aria-live": "polite" });
    this.past = h("section", {});
    this.form = h("form", {
      class: "import-form entry-form",
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        this.begin(true);
      },
    });
    this.fill(h("p", { class: "quiet" }, i("intro")), this.form, this.result, this.past);
    this.drawForm();
    if (isNarrow()) this.sheet.atLeast("full");
    this.showPast().catch((error) => this.past.replaceChildren(trouble(error.message)));
    if (this.asked.job) this.follow(this.asked.job);
  }

  get kind() {
    return this.known.kinds.find((one) => one.name === this.asked.kind);
  }

  // --- what is asked -----------------------------------------------------------------------------

  drawForm() {
    const { asked, kind } = this;
    const entry = (name, label, control, hint) => field(label, control, { id: `import-${name}`, name, hint });
    const select = (id, options, value, onchange) =>
      h(
        "select",
        { id: `import-${id}`, "aria-describedby": `import-${id}-fault`, onchange },
        options.map(([word, text]) => h("option", { value: word, selected: word === value }, text)),
      );
    const isOther = asked.crs && !SYSTEMS.includes(asked.crs);
    const epsg = h("input", {
      type: "text",
      id: "import-epsg",
      value: isOther && asked.crs !== "other" ? asked.crs : "",
      placeholder: i("crs_epsg"),
      "aria-label": i("crs_other"),
      hidden: !isOther,
      oninput: (event) => this.keep({ crs: event.target.value.trim() || "other" }),
    });
    const systems = select(
      "crs",
      [["", i("crs_none")], ...SYSTEMS.map((one) => [one, i(`crs_${one}`)]), ["other", i("crs_other")]],
      isOther ? "other" : asked.crs,
      (event) => {
        this.keep({ crs: event.target.value, accept: false });
        epsg.hidden = event.target.value !== "other";
        if (!epsg.hidden) epsg.focus();
      },
    );
    const text = (name, value, onchange, type = "text") =>
      h("input", { type, id: `import-${name}`, value, autocomplete: "off", spellcheck: "false", onchange });
    this.said = h("div", { class: "dropped" });
    const input = h("input", {
      type: "file",
      id: "import-file",
      class: "unseen",
      accept: (kind?.suffixes ?? []).join(",") || null,
      onchange: () => input.files[0] && this.hand(input.files[0]),
    });
    const drop = h(
      "label",
      {
        class: "drop",
        for: "import-file",
        ondragover: (event) => {
          event.preventDefault();
          drop.classList.add("over");
        },
        ondragleave: () => drop.classList.remove("over"),
        ondrop: (event) => {
          event.preventDefault();
          drop.classList.remove("over");
          if (event.dataTransfer.files[0]) this.hand(event.dataTransfer.files[0]);
        },
      },
      input,
      this.said,
      h("small", {}, i("formats", { mb: number(this.known.max_file_mb) })),
    );
    const extras = Object.entries(kind?.extra ?? {});
    this.trier = h("button", { type: "submit", class: "button filled" }, i("try"));
    this.form.replaceChildren(
      ...[
        entry(
          "kind",
          i("kind"),
          select(
            "kind",
            [["", i("choose")], ...this.known.kinds.map((one) => [one.name, one.title])],
            asked.kind,
            (event) => {
              this.keep({ kind: event.target.value, columns: {}, key: "", extra: {} });
              this.outcome = null;
              this.result.replaceChildren();
              this.drawForm();
              at("import-kind").focus();
            },
          ),
          kind?.about,
        ),
        entry("file", i("file"), drop),
        entry("crs", i("crs"), h("div", { class: "place-typed" }, systems, epsg), i("crs_hint")),
        extras.length > 0 &&
          h(
            "fieldset",
            { class: "extras" },
            h("legend", {}, i("options_of")),
            extras.map(([name, about]) => {
              const label = iOr(`option_${name}`, name);
              const isDay = name === "effective" || name === "valid_from";
              return entry(
                `extra-${name}`,
                label,
                text(
                  `extra-${name}`,
                  asked.extra[name] ?? "",
                  (event) => this.keep({ extra: { ...asked.extra, [name]: event.target.value.trim() } }),
                  isDay ? "date" : "text",
                ),
                about,
              );
            }),
          ),
        h(
          "details",
          { class: "more" },
          h("summary", {}, i("more")),
          entry(
            "layer",
            i("layer"),
            text("layer", asked.layer, (event) => this.keep({ layer: event.target.value.trim() })),
          ),
          entry(
            "encoding",
            i("encoding"),
            select(
              "encoding",
              [["", i("encoding_auto")], ...ENCODINGS.map((one) => [one, one.toUpperCase()])],
              asked.encoding,
              (event) => this.keep({ encoding: event.target.value }),
            ),
          ),
          h(
            "label",
            { class: "check" },
            h("input", {
              type: "checkbox",
              checked: asked.replace,
              onchange: (event) => this.keep({ replace: event.target.checked }),
            }),
            h("span", {}, i("replace")),
          ),
          h("p", { class: "hint" }, i("replace_hint")),
        ),
        h(
          "div",
          { class: "saving" },
          this.trier,
          h("button", { type: "button", class: "button", onclick: () => this.startOver() }, i("start_over")),
        ),
      ].filter(Boolean),
    );
    this.sayFile();
  }

  sayFile(text) {
    const { upload, name, size } = this.asked;
    this.said.replaceChildren(text ?? (upload ? i("kept", { name, size: sizeText(size) }) : i("drop")));
  }

  fault(name, text) {
    const place = at(`import-${name}-fault`)?.closest(".field");
    if (!place) return false;
    sayFault(place, text);
    if (text) at(`import-${name}`)?.focus();
    return true;
  }

  async hand(file) {
    this.sending?.abort();
    this.sending = new AbortController();
    const { signal } = this.sending;
    this.fault("file", "");
    this.outcome = null;
    this.result.replaceChildren();
    if (file.size > this.known.max_file_mb * MB) {
      this.fault("file", i("too_large", { most_mb: number(this.known.max_file_mb) }));
      return;
    }
    const bar = h("progress", { max: "1", value: "0" });
    try {
      const kept = await sendFile(
        file,
        (share) => {
          bar.value = share;
          this.said.replaceChildren(h("span", {}, i("sending", { percent: number(share * 100) })), bar);
        },
        signal,
      );
      this.keep({ upload: kept.token, name: kept.name, size: kept.size, columns: {}, key: "", job: 0, accept: false });
      this.sayFile();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.keep({ upload: "" });
      this.sayFile();
      this.fault("file", error.message);
    }
  }

  startOver() {
    if (this.asked.upload)
      send("DELETE", `/api/imports/uploads/${this.asked.upload}`).catch((error) => console.info(error.message));
    this.stop();
    this.outcome = null;
    this.keep({ upload: "", name: "", size: 0, columns: {}, key: "", job: 0, replace: false });
    this.result.replaceChildren();
    this.drawForm();
    at("import-file").focus();
  }

  // --- the job -----------------------------------------------------------------------------------

  async begin(isDry, changes = {}) {
    const { asked } = this;
    for (const name of ["kind", "file", "crs"]) this.fault(name, "");
    if (!asked.kind) {
      this.fault("kind", i("need_kind"));
      return;
    }
    if (!asked.upload) {
      this.fault("file", i("need_file"));
      return;
    }
    const { upload, kind, layer, encoding, key, columns, replace, extra } = asked;
    const crs = asked.crs === "other" ? "" : asked.crs;
    this.trier.disabled = true;
    try {
      const { job_id: job } = await send("POST", "/api/imports", {
        upload,
        kind,
        crs: crs || null,
        dry_run: isDry,
        layer: layer || null,
        encoding: encoding || null,
        key: key || null,
        columns,
        replace,
        extra,
        accept_shift: Boolean(asked.accept),
        ...changes,
      });
      this.keep({ job, dry: isDry });
      await this.follow(job);
    } catch (error) {
      const { field: name, detail } = error.problem ?? {};
      if (!(name && this.fault(name === "upload" ? "file" : name, detail)))
        this.result.replaceChildren(trouble(error.message));
      if (error.status === 404) this.keep({ upload: "" });
    } finally {
      this.trier.disabled = false;
    }
  }

  stop() {
    this.following?.abort();
  }

  /** Look at the job until it has ended. */
  async follow(job) {
    this.stop();
    this.following = new AbortController();
    const bar = h("progress", { max: "1", value: "0", "aria-label": i("title") });
    const said = h("p", { class: "quiet", role: "status" }, i("waiting"));
    const stop = h(
      "button",
      {
        type: "button",
        class: "button",
        onclick: () => send("POST", `/api/jobs/${job}/cancel`).catch((error) => (said.textContent = error.message)),
      },
      i("cancel"),
    );
    this.result.replaceChildren(h("div", { class: "running" }, said, bar, stop));
    this.result.scrollIntoView({ block: "nearest" });
    const { signal } = this.following;
    let found;
    try {
      found = await follow(
        `/api/imports/jobs/${job}`,
        ({ status, step_text, progress }) => {
          if (status === "running") said.textContent = `${step_text || i("waiting")} ${percent(progress, 0)}`;
          bar.value = progress;
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 404) this.keep({ job: 0 });
      this.result.replaceChildren(trouble(error.message, () => this.follow(job)));
      return;
    }
    if (!signal.aborted) this.ended(found);
  }

  ended(job) {
    if (job.status === "cancelled") {
      this.keep({ job: 0 });
      this.result.replaceChildren(h("p", { class: "note" }, i("cancelled")));
    } else if (job.status === "failed") this.failed(job);
    else this.succeeded(job.result);
    this.result.scrollIntoView({ block: "start" });
  }

  /** The file as a whole could not be taken: why, and what can be done with one click. */
  failed(job) {
    const { problem, values } = job;
    if (/crs_(missing|unreadable)/.test(problem)) {
      this.result.replaceChildren();
      this.fault("crs", i("state_crs"));
      return;
    }
    const buttons = [];
    const again = (changes) => {
      this.keep(changes);
      this.drawForm();
      this.begin(true);
    };
    const system = (code) => iOr(`crs_${code}`, code);
    const isShifted = /(outside_county|off_buildings)/.test(problem);
    const isSwapped = /_swapped$/.test(problem);
    if (isShifted && values.fits && !isSwapped)
      buttons.push(
        h(
          "button",
          { type: "button", class: "button filled", onclick: () => again({ crs: values.fits, accept: false }) },
          i("use_system", { system: system(values.fits) }),
        ),
      );
    if (isShifted)
      buttons.push(
        h("button", { type: "button", class: "button", onclick: () => again({ accept: true }) }, i("take_anyway")),
      );
    let said = inWordsOfThePage(job.error);
    if (isShifted) {
      said = [
        i(/off_buildings/.test(problem) ? "shifted_buildings" : "shifted_county", {
          crs: system(values.crs),
          percent: values.percent,
          least: values.least,
        }),
        values.fits
          ? i(isSwapped ? "shifted_swap" : "shifted_fits", { fits: system(values.fits), percent: values.fits_percent })
          : i("shifted_nothing"),
      ].join("");
    } else if (/column_(needed|ambiguous)$/.test(problem))
      said = i("match_column", {
        field:
          this.kind?.fields.find((one) => one.name === values.field)?.title ??
          iOr(`field_${values.field}`, values.field),
      });
    const names = values.columns?.split(" / ").filter(Boolean);
    this.result.replaceChildren(
      h(
        "div",
        { class: "trouble", role: "alert" },
        h("p", {}, said),
        h("p", { class: "quiet" }, i("failed")),
        buttons.length > 0 && h("div", { class: "buttons" }, buttons),
      ),
      names?.length ? this.matching(names.map((file) => ({ file, field: null }))) : "",
    );
  }

  succeeded(outcome) {
    const { dry } = this.asked;
    const isDone = !outcome.dry_run;
    this.outcome = outcome;
    const changes = outcome.new + outcome.changed + outcome.removed;
    const refusals = csvOf(`/api/imports/uploads/${this.asked.upload}/refusals.csv`);
    const values = { new: number(outcome.new), changed: number(outcome.changed), removed: number(outcome.removed) };
    this.result.replaceChildren(
      ...[
        heading(i(isDone ? "done" : "tried"), outcome.crs ? iOr(`crs_${outcome.crs}`, outcome.crs) : ""),
        tiles(
          [
            [i("new"), number(outcome.new)],
            [i("changed"), number(outcome.changed)],
            [i("same"), number(outcome.same)],
            outcome.removed > 0 && [i("removed"), number(outcome.removed), "wrong"],
            [i("refused"), number(outcome.refused_count), outcome.refused_count ? "care" : ""],
            [i("rows"), number(outcome.rows)],
          ].filter(Boolean),
        ),
        outcome.notes.length > 0 &&
          h(
            "ul",
            { class: "import-notes" },
            outcome.notes.map((note) => h("li", {}, note)),
          ),
        !isDone &&
          (changes
            ? h(
                "p",
                {},
                h(
                  "button",
                  { type: "button", class: "button filled", id: "import-go", onclick: () => this.begin(false) },
                  i(outcome.removed ? "go_remove" : "go_n", values),
                ),
              )
            : h("p", { class: "note" }, i("nothing_to_do"))),
        outcome.refused_count > 0 &&
          h(
            "section",
            {},
            heading(
              i("refused_rows"),
              outcome.refused_count > SHOWN
                ? i("refused_first", { n: SHOWN, total: number(outcome.refused_count) })
                : "",
            ),
            h(
              "ul",
              { class: "refused" },
              outcome.refused
                .slice(0, SHOWN)
                .map((one) =>
                  h(
                    "li",
                    {},
                    h(
                      "b",
                      {},
                      listed([one.row && i("refused_row", { row: one.row }), one.feature, one.field].filter(Boolean)),
                    ),
                    h("span", {}, one.reason),
                  ),
                ),
            ),
            h("p", {}, h("a", { class: "button", href: refusals, download: "refused.csv" }, i("download"))),
          ),
        !isDone && this.matching(outcome.columns),
      ].filter(Boolean),
    );
    if (isDone && !dry) {
      // The file is in: the form is ready for the next one, what became of this one stays to be read.
      this.keep({ upload: "", name: "", size: 0, columns: {}, key: "", job: 0 });
      this.drawForm();
      this.points.forget("facilities", "hazards", "incidents");
      this.showPast().catch((error) => this.past.replaceChildren(trouble(error.message)));
    }
  }

  /** Which column of the file is what; a choice changed is used by the next trial. */
  matching(columns) {
    const { kind, asked } = this;
    const files = columns.map((one) => one.file).filter(Boolean);
    const of = new Map(columns.filter((one) => one.field && one.file).map((one) => [one.field, one.file]));
    const fields = [
      ...kind.fields,
      ...(kind.geometry === "none" ? [] : ["lon", "lat"].map((name) => ({ name, title: i(`field_${name}`) }))),
    ];
    const unused = columns.filter((one) => one.file && !one.field).map((one) => one.file);
    const row = ({ name, title, needed }) => {
      const chosen = asked.columns[name] ?? of.get(name) ?? "";
      const select = h(
        "select",
        {
          id: `column-${name}`,
          onchange: () => {
            const changed = { ...asked.columns };
            if (select.value) changed[name] = select.value;
            else delete changed[name];
            this.keep({ columns: changed });
          },
        },
        h("option", { value: "" }, i("by_name")),
        files.map((file) => h("option", { value: file, selected: file === chosen }, file)),
      );
      return h(
        "div",
        { class: "match" },
        h("label", { for: `column-${name}` }, title, needed && !chosen && tag(i("needed"), "care")),
        select,
      );
    };
    const key =
      kind.has_key &&
      h(
        "div",
        { class: "match" },
        h("label", { for: "column-of-key" }, i("key")),
        h(
          "select",
          { id: "column-of-key", onchange: (event) => this.keep({ key: event.target.value }) },
          h("option", { value: "" }, i("key_auto")),
          files.map((file) => h("option", { value: file, selected: file === (asked.key || this.outcome?.key) }, file)),
        ),
      );
    return h(
      "details",
      { class: "matching", open: !this.outcome || unused.length > 0 },
      h("summary", {}, i("columns")),
      h("p", { class: "quiet" }, i("columns_hint")),
      key,
      fields.filter(({ name }) => !(kind.has_key && name === "key")).map(row),
      unused.length > 0 && h("p", { class: "quiet" }, i("columns_unused", { names: listed(unused) })),
      h("p", {}, h("button", { type: "button", class: "button", onclick: () => this.begin(true) }, i("try_again"))),
    );
  }

  // --- what went in before -----------------------------------------------------------------------

  async showPast(offset = 0) {
    const { items, total } = await get("/api/imports", { limit: PAST, offset });
    const row = (one) =>
      h(
        "li",
        {},
        h(
          "span",
          {},
          h("b", {}, one.source_name),
          h(
            "small",
            {},
            [kindTitle(one.kind), moment(one.finished_at), nameOf({ name: one.actor_name, name_en: one.actor_name_en })]
              .filter(Boolean)
              .join(" · "),
          ),
        ),
        one.refused > 0 &&
          h(
            "a",
            {
              class: "link",
              href: csvOf(`/api/imports/${one.import_id}/refusals.csv`),
              download: `import-${one.import_id}.csv`,
            },
            i("past_refused", { n: number(one.refused) }),
          ),
      );
    if (!offset)
      this.past.replaceChildren(
        heading(i("past")),
        total ? h("ul", { class: "past" }) : h("p", { class: "quiet" }, i("past_none")),
      );
    this.past.querySelector(".past")?.append(...items.map(row));
    this.past.querySelector(".more-past")?.remove();
    if (offset + items.length < total)
      this.past.append(
        h(
          "button",
          { type: "button", class: "button more-past", onclick: () => this.showPast(offset + items.length) },
          i("past_more"),
        ),
      );
  }
}
