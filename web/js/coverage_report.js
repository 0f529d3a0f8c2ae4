// The report mode: what is seen is what is printed; choose the form and take the file.

import { c, semicolons } from "./coverage_texts.js";
import { get } from "./api.js";
import { spotsText } from "./coverage_parts.js";
import { Work } from "./coverage_work.js";
import { at, h, keepingFocus } from "./dom.js";
import { heading, tag } from "./parts.js";
import { show } from "./state.js";
import { config, moment, nameOf, number, percent } from "./texts.js";

/** @import { CoverageMode, Run } from "./coverage.js" */

const FORMS = ["pdf", "xlsx", "html", "gpkg"];
const chosen = { form: "pdf", language: config.language };

const work = new Work("coverage_report", "report", () => draw());
let draw = () => {};

/**
 * Hand the file to the reader, and leave a link to it.
 *
 * @param {any} job
 * @param {boolean} takesIt
 */
function hand(job, takesIt) {
  const slot = at("report-said");
  if (!job || !slot) return;
  const link = h(
    "a",
    { href: `/api/reports/coverage/files/${job.job_id}`, download: job.result.name, id: "report-file" },
    job.result.name,
  );
  slot.replaceChildren(
    h(
      "p",
      {},
      tag(c("report_done"), "good"),
      " ",
      link,
      ` ${c("report_size", { kb: number(job.result.size / 1000) })}`,
    ),
  );
  if (takesIt) link.click();
}

/**
 * Pictures of the printed pages, in their place; a page is seen large on a click.
 *
 * @param {CoverageMode} mode
 * @param {Run} run
 * @param {HTMLElement} slot
 * @param {AbortSignal} signal
 */
async function showPages(mode, run, slot, signal) {
  const closing = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // it closes the picture, not the mode
    large.close();
  };
  /** @type {HTMLDialogElement} */
  const large = h("dialog", {
    class: "report-large",
    "aria-label": c("report_page_large"),
    onclick: () => large.close(),
    onkeydown: closing,
  });
  slot.replaceChildren(h("progress", {}), h("p", { class: "quiet" }, c("report_pages_making")));
  try {
    const asked = {
      standard: mode.standard.code,
      scenario: run.scenario,
      run_id: run.run_id,
      language: chosen.language,
    };
    const { pages, pictures } = await get("/api/reports/coverage/pages", asked, signal);
    if (signal.aborted) return;
    const enlarge = (/** @type {string} */ picture, /** @type {string} */ caption) => {
      large.replaceChildren(
        h("img", { src: picture, alt: caption }),
        h("button", { type: "button", class: "button" }, c("report_page_close")),
      );
      large.showModal();
    };
    slot.replaceChildren(
      h(
        "ol",
        { class: "report-pages" },
        pictures.map((picture, place) => {
          const caption = c("report_page", { n: number(place + 1), all: number(pages) });
          return h(
            "li",
            {},
            h(
              "button",
              { type: "button", onclick: () => enlarge(picture, caption) },
              h("img", { src: picture, alt: caption }),
            ),
            h("small", { class: "quiet" }, caption),
          );
        }),
      ),
      ...(pages > pictures.length
        ? [h("p", { class: "quiet" }, c("report_pages_more", { n: number(pages - pictures.length) }))]
        : []),
      large,
    );
  } catch (error) {
    if (!signal.aborted) slot.replaceChildren(h("p", { class: "fault", role: "alert" }, error.message));
  }
}

/**
 * The report as it will be printed, and the choice of its form.
 *
 * @param {CoverageMode} mode
 * @param {AbortSignal} signal
 */
export async function showReport(mode, signal) {
  const { run } = mode;
  const head = [h("p", { class: "eyebrow" }, c("report_mode")), h("h2", {}, c("report_title", { what: mode.title }))];
  if (!run) {
    mode.panel.fill(
      "coverage",
      head,
      mode.head(),
      h(
        "div",
        { class: "first-step" },
        h("p", {}, c("empty_report", { what: mode.title })),
        h(
          "button",
          {
            type: "button",
            class: "button primary",
            id: "report-first",
            onclick: () => show({ mode: "coverage", part: "" }),
          },
          c("empty_report_do"),
        ),
      ),
    );
    return;
  }
  /**
   * @param {string} name
   * @param {string[]} items
   * @param {(item: string) => string} text
   * @param {(item: string) => boolean} isOn
   * @param {(item: string) => void} onPick
   */
  const group = (name, items, text, isOn, onPick) =>
    h(
      "fieldset",
      { class: "choices-row" },
      h("legend", {}, c(name)),
      items.map((item) =>
        h(
          "label",
          {},
          h("input", { type: "radio", name, value: item, checked: isOn(item), onchange: () => onPick(item) }),
          h("span", {}, text(item)),
        ),
      ),
    );
  const spots = await mode.spotsOf(run);
  signal.throwIfAborted();
  const pages = h("div", { id: "report-pages", "aria-live": "polite" });
  let pagesAsked = new AbortController();
  signal.addEventListener("abort", () => pagesAsked.abort());
  const askPages = () => {
    pagesAsked.abort();
    pagesAsked = new AbortController();
    showPages(mode, run, pages, pagesAsked.signal);
  };
  const pickLanguage = (/** @type {string} */ language) => {
    chosen.language = language;
    askPages();
  };
  const status = h("div", { id: "report-said", role: "status" });
  const ask = () =>
    work.start("/api/reports/coverage", {
      standard: mode.standard.code,
      scenario: run.scenario,
      run_id: run.run_id,
      format: chosen.form,
      language: chosen.language,
    });
  const button = h(
    "button",
    { type: "button", class: "button primary", id: "report-take", onclick: async () => hand(await ask(), true) },
    c("report_take"),
  );
  draw = () => {
    button.disabled = Boolean(work.job);
    keepingFocus(() => status.replaceChildren(work.line() ?? ""));
  };
  const { summary } = run;
  const worst = mode.towns
    .filter((/** @type {any} */ { share }) => share !== null)
    .sort((/** @type {any} */ a, /** @type {any} */ b) => a.share - b.share)
    .slice(0, 5);
  mode.panel.fill(
    "coverage",
    head,
    mode.head(),
    group(
      "report_format",
      FORMS,
      (form) => c(`format_${form}`),
      (form) => form === chosen.form,
      (form) => (chosen.form = form),
    ),
    group(
      "report_language",
      config.languages,
      (language) => c(`language_${language}`),
      (language) => language === chosen.language,
      pickLanguage,
    ),
    h("div", { class: "buttons" }, button),
    status,
    run.is_stale && h("p", {}, tag(c("stale"), "care"), " ", semicolons(run.stale_texts ?? [])),
    heading(c("report_contents"), c("report_contents_note")),
    h(
      "article",
      { class: "report-page" },
      h("p", { class: "quiet" }, nameOf(config.county ?? {})),
      h("h4", {}, mode.title),
      h(
        "p",
        { class: "big" },
        h("b", {}, percent(summary.share)),
        h(
          "span",
          {},
          summary.n
            ? c("reached_of", { covered: number(summary.covered), n: number(summary.n), limit: number(mode.limit) })
            : "",
        ),
      ),
      h(
        "ul",
        { class: "rows" },
        worst.map((/** @type {any} */ town) =>
          h("li", { class: "line" }, h("span", {}, town.name), h("b", {}, percent(town.share))),
        ),
      ),
      spots.length > 0 && h("p", {}, h("b", {}, c("spots")), ` ${spotsText(spots)}`),
      h(
        "p",
        { class: "quiet" },
        semicolons([
          mode.scenarioName(run.scenario),
          c("run_of", { moment: moment(run.finished_at) }),
          c("state_network", { n: run.network_id ?? "–" }),
          c("state_run", { n: run.run_id }),
        ]),
      ),
    ),
    pages,
    h("p", { class: "quiet" }, c("report_hidden")),
  );
  draw();
  work
    .resume()
    .then((job) => hand(job, false))
    .catch(mode.onError);
  askPages();
  mode.panel.focusIfAsked();
}
