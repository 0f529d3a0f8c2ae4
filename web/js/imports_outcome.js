// What came of an import or of its trial: counts, refused rows, which column is what, why a file was not taken.

import { h, parts } from "./dom.js";
import { csvAddress, i, inWordsOfThePage, iOr, systemName } from "./imports_texts.js";
import { heading, tag, tiles } from "./parts.js";
import { listed, number } from "./texts.js";

/** @import { Imports } from "./imports.js" */
/** @import { Shape } from "../types/answers.js" */
/**
 * @typedef {object} Column of a file, a field of a kind, or both where they belong together
 * @property {string | null} file
 * @property {string | null} field
 */
/**
 * @typedef {object} Outcome
 * @property {boolean} dry_run
 * @property {number} new
 * @property {number} changed
 * @property {number} same
 * @property {number} removed
 * @property {number} rows
 * @property {number} refused_count
 * @property {{row?: number, feature?: string, field?: string, reason: string}[]} refused
 * @property {string[]} notes
 * @property {string | null} crs
 * @property {string | null} key
 * @property {Column[]} columns
 */

const SHOWN = 50;

/**
 * The file as a whole could not be taken: why, and what can be done with one click.
 *
 * @param {Imports} imports
 * @param {Shape<"ImportJob">} job
 */
export function failedParts(imports, { problem, values = {}, error }) {
  const code = problem ?? "";
  const isShifted = /(outside_county|off_buildings)/.test(code);
  const isSwapped = code.endsWith("_swapped");
  const retry = (/** @type {Partial<Imports["asked"]>} */ changes) => {
    imports.keep(changes);
    imports.drawForm();
    imports.begin(true);
  };
  const useOther = {
    type: "button",
    class: "button filled",
    onclick: () => retry({ crs: values.fits, accept: false }),
  };
  const takeAnyway = { type: "button", class: "button", onclick: () => retry({ accept: true }) };
  const columns = (values.columns ?? "").split(" / ").filter(Boolean);
  return parts([
    h(
      "div",
      { class: "trouble", role: "alert" },
      h("p", {}, isShifted ? shiftedText(code, values, isSwapped) : failedText(imports, code, values, error)),
      h("p", { class: "quiet" }, i("failed")),
      isShifted &&
        h(
          "div",
          { class: "buttons" },
          values.fits && !isSwapped && h("button", useOther, i("use_system", { system: systemName(values.fits) })),
          h("button", takeAnyway, i("take_anyway")),
        ),
    ),
    columns.length > 0 &&
      matching(
        imports,
        columns.map((/** @type {string} */ file) => ({ file, field: null })),
      ),
  ]);
}

/**
 * Most places lie elsewhere than they should: by how much, and in which system they would fit.
 *
 * @param {string} problem
 * @param {Record<string, any>} values
 * @param {boolean} isSwapped
 */
function shiftedText(problem, { crs, percent, least, fits, fits_percent }, isSwapped) {
  const where = i(problem.includes("off_buildings") ? "shifted_buildings" : "shifted_county", {
    crs: systemName(crs),
    percent,
    least,
  });
  if (!fits) return where + i("shifted_nothing");
  return where + i(isSwapped ? "shifted_swap" : "shifted_fits", { fits: systemName(fits), percent: fits_percent });
}

/**
 * @param {Imports} imports
 * @param {string} problem
 * @param {Record<string, any>} values
 * @param {string | null} error
 */
function failedText({ kind }, problem, values, error) {
  if (!/column_(needed|ambiguous)$/.test(problem)) return inWordsOfThePage(error ?? "");
  const title = kind?.fields.find(({ name }) => name === values.field)?.title;
  return i("match_column", { field: title ?? iOr(`field_${values.field}`, values.field) });
}

/**
 * What was imported, or what would be.
 *
 * @param {Imports} imports
 * @param {Outcome} outcome
 */
export function succeededParts(imports, outcome) {
  const isDone = !outcome.dry_run;
  return parts([
    heading(i(isDone ? "done" : "tried"), outcome.crs ? systemName(outcome.crs) : ""),
    tiles([
      [i("new"), number(outcome.new)],
      [i("changed"), number(outcome.changed)],
      [i("same"), number(outcome.same)],
      ...(outcome.removed > 0 ? [[i("removed"), number(outcome.removed), "wrong"]] : []),
      [i("refused"), number(outcome.refused_count), outcome.refused_count ? "care" : ""],
      [i("rows"), number(outcome.rows)],
    ]),
    outcome.notes.length > 0 &&
      h(
        "ul",
        { class: "import-notes" },
        outcome.notes.map((note) => h("li", {}, note)),
      ),
    !isDone && goOn(imports, outcome),
    outcome.refused_count > 0 && refusedRows(outcome, imports.asked.upload),
    !isDone && matching(imports, outcome.columns),
  ]);
}

/**
 * After a trial: the button that imports.
 *
 * @param {Imports} imports
 * @param {Outcome} outcome
 */
function goOn(imports, outcome) {
  if (!(outcome.new + outcome.changed + outcome.removed)) return h("p", { class: "note" }, i("nothing_to_do"));
  const counts = { new: number(outcome.new), changed: number(outcome.changed), removed: number(outcome.removed) };
  const go = { type: "button", class: "button filled", id: "import-go", onclick: () => imports.begin(false) };
  return h("p", {}, h("button", go, i(outcome.removed ? "go_remove" : "go_n", counts)));
}

/**
 * @param {Outcome} outcome
 * @param {string} upload
 */
function refusedRows({ refused, refused_count: count }, upload) {
  const shownOf = count > SHOWN ? i("refused_first", { n: SHOWN, total: number(count) }) : "";
  return h(
    "section",
    {},
    heading(i("refused_rows"), shownOf),
    h(
      "ul",
      { class: "refused" },
      refused.slice(0, SHOWN).map(({ row, feature, field, reason }) => {
        const where = [row ? i("refused_row", { row }) : "", feature ?? "", field ?? ""].filter(Boolean);
        return h("li", {}, h("b", {}, listed(where)), h("span", {}, reason));
      }),
    ),
    h(
      "p",
      {},
      h(
        "a",
        {
          class: "button",
          href: csvAddress(`/api/imports/uploads/${upload}/refusals.csv`),
          download: "refused.csv",
        },
        i("download"),
      ),
    ),
  );
}

/**
 * Which column of the file is what; a choice changed is used by the next trial.
 *
 * @param {Imports} imports
 * @param {Column[]} columns
 */
function matching(imports, columns) {
  const { kind, asked, outcome } = imports;
  if (!kind) return null;
  const files = columns.flatMap(({ file }) => file ?? []);
  const unused = columns.flatMap(({ file, field }) => (file && !field ? file : []));
  const matched = new Map(columns.map(({ file, field }) => [field, file]));
  /**
   * @param {string} id
   * @param {string} usual
   * @param {string} chosen
   * @param {(file: string) => void} onPick
   */
  const menu = (id, usual, chosen, onPick) =>
    h(
      "select",
      { id, onchange: (event) => onPick(event.target.value) },
      h("option", { value: "" }, usual),
      files.map((file) => h("option", { value: file, selected: file === chosen }, file)),
    );
  const fieldRow = (/** @type {{name: string, title: string, needed?: boolean}} */ { name, title, needed }) => {
    const chosen = asked.columns[name] ?? matched.get(name) ?? "";
    const pick = (/** @type {string} */ file) => {
      const others = Object.entries(imports.asked.columns).filter(([other]) => other !== name);
      imports.keep({ columns: Object.fromEntries(file ? [...others, [name, file]] : others) });
    };
    const label = h("label", { for: `column-${name}` }, title, needed && !chosen && tag(i("needed"), "care"));
    return h("div", { class: "match" }, label, menu(`column-${name}`, i("by_name"), chosen, pick));
  };
  const places = kind.geometry === "none" ? [] : ["lon", "lat"].map((name) => ({ name, title: i(`field_${name}`) }));
  const key = asked.key || outcome?.key || "";
  return h(
    "details",
    { class: "matching", open: !outcome || unused.length > 0 },
    h("summary", {}, i("columns")),
    h("p", { class: "quiet" }, i("columns_hint")),
    kind.has_key &&
      h(
        "div",
        { class: "match" },
        h("label", { for: "column-of-key" }, i("key")),
        menu("column-of-key", i("key_auto"), key, (file) => imports.keep({ key: file })),
      ),
    [...kind.fields, ...places].filter(({ name }) => !(kind.has_key && name === "key")).map(fieldRow),
    unused.length > 0 && h("p", { class: "quiet" }, i("columns_unused", { names: listed(unused) })),
    h("p", {}, h("button", { type: "button", class: "button", onclick: () => imports.begin(true) }, i("try_again"))),
  );
}
