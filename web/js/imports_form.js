// The form of an import: kind, file, coordinate system, and what else can be said of a file.

import { at, h, parts } from "./dom.js";
import { i, iOr, sizeText } from "./imports_texts.js";
import { field } from "./parts.js";
import { number } from "./texts.js";

/** @import { Imports } from "./imports.js" */

const SYSTEMS = ["cgcs2000", "wgs84", "gcj02", "bd09"];
const ENCODINGS = ["utf-8", "gb18030"];
const DAYS = ["effective", "valid_from"]; // options of kinds that are days

/**
 * @param {string} name
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
const entry = (name, label, control, hint) => field(label, control, { id: `import-${name}`, name, hint });

/**
 * @param {string} name
 * @param {string[][]} options word and text of each
 * @param {string} value
 * @param {(value: string) => void} onChange
 */
const select = (name, options, value, onChange) =>
  h(
    "select",
    {
      id: `import-${name}`,
      "aria-describedby": `import-${name}-fault`,
      onchange: (event) => onChange(event.target.value),
    },
    options.map(([word, text]) => h("option", { value: word, selected: word === value }, text)),
  );

/**
 * @param {string} name
 * @param {string} value
 * @param {(value: string) => void} onChange
 * @param {string} [type]
 */
const textInput = (name, value, onChange, type = "text") =>
  h("input", {
    type,
    id: `import-${name}`,
    value,
    autocomplete: "off",
    spellcheck: "false",
    onchange: (event) => onChange(event.target.value.trim()),
  });

/**
 * What kind of records the file has.
 *
 * @param {Imports} imports
 */
function kindField(imports) {
  const { asked, kind, known } = imports;
  const options = known.kinds.map(({ name, title }) => [name, title]);
  const choose = (/** @type {string} */ name) => {
    imports.keep({ kind: name, columns: {}, key: "", extra: {} });
    imports.clearResult();
    imports.drawForm();
    at("import-kind")?.focus();
  };
  return entry("kind", i("kind"), select("kind", [["", i("choose")], ...options], asked.kind, choose), kind?.about);
}

/**
 * The file, chosen or dropped.
 *
 * @param {Imports} imports
 */
function fileField(imports) {
  const take = (/** @type {FileList | null | undefined} */ files) => files?.[0] && imports.upload(files[0]);
  /** @type {HTMLInputElement} */
  const input = h("input", {
    type: "file",
    id: "import-file",
    class: "unseen",
    accept: (imports.kind?.suffixes ?? []).join(",") || null,
    onchange: () => take(input.files),
  });
  /** @type {HTMLElement} */
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
        take(event.dataTransfer.files);
      },
    },
    input,
    imports.fileLine,
    h("small", {}, i("formats", { mb: number(imports.known.max_file_mb) })),
  );
  return entry("file", i("file"), drop);
}

/**
 * The coordinate system: one that is common here, or another by its number.
 *
 * @param {Imports} imports
 */
function systemField(imports) {
  const { crs } = imports.asked;
  const isOther = crs !== "" && !SYSTEMS.includes(crs);
  const epsg = h("input", {
    type: "text",
    id: "import-epsg",
    value: isOther && crs !== "other" ? crs : "",
    placeholder: i("crs_epsg"),
    "aria-label": i("crs_other"),
    hidden: !isOther,
    oninput: (event) => imports.keep({ crs: event.target.value.trim() || "other" }),
  });
  const common = SYSTEMS.map((code) => [code, i(`crs_${code}`)]);
  const systems = select(
    "crs",
    [["", i("crs_none")], ...common, ["other", i("crs_other")]],
    isOther ? "other" : crs,
    (value) => {
      imports.keep({ crs: value, accept: false });
      epsg.hidden = value !== "other";
      if (!epsg.hidden) epsg.focus();
    },
  );
  return entry("crs", i("crs"), h("div", { class: "place-typed" }, systems, epsg), i("crs_hint"));
}

/**
 * Options that only this kind has.
 *
 * @param {Imports} imports
 */
function extraFields(imports) {
  const { asked, kind } = imports;
  const extras = Object.entries(kind?.extra ?? {});
  if (!extras.length) return null;
  return h(
    "fieldset",
    { class: "extras" },
    h("legend", {}, i("options_of")),
    extras.map(([name, about]) => {
      const keep = (/** @type {string} */ value) => imports.keep({ extra: { ...asked.extra, [name]: value } });
      const type = DAYS.includes(name) ? "date" : "text";
      const input = textInput(`extra-${name}`, asked.extra[name] ?? "", keep, type);
      return entry(`extra-${name}`, iOr(`option_${name}`, name), input, about);
    }),
  );
}

/**
 * What need not be said of most files.
 *
 * @param {Imports} imports
 */
function moreFields(imports) {
  const { asked } = imports;
  const encodings = ENCODINGS.map((name) => [name, name.toUpperCase()]);
  const replace = {
    type: "checkbox",
    checked: asked.replace,
    onchange: (/** @type {any} */ event) => imports.keep({ replace: event.target.checked }),
  };
  return h(
    "details",
    { class: "more" },
    h("summary", {}, i("more")),
    entry(
      "layer",
      i("layer"),
      textInput("layer", asked.layer, (layer) => imports.keep({ layer })),
    ),
    entry(
      "encoding",
      i("encoding"),
      select("encoding", [["", i("encoding_auto")], ...encodings], asked.encoding, (encoding) =>
        imports.keep({ encoding }),
      ),
    ),
    h("label", { class: "check" }, h("input", replace), h("span", {}, i("replace"))),
    h("p", { class: "hint" }, i("replace_hint")),
  );
}

/**
 * The fields and buttons of the form.
 *
 * @param {Imports} imports
 */
export const formFields = (imports) =>
  parts([
    kindField(imports),
    fileField(imports),
    systemField(imports),
    extraFields(imports),
    moreFields(imports),
    h(
      "div",
      { class: "saving" },
      imports.trier,
      h("button", { type: "button", class: "button", onclick: () => imports.startOver() }, i("start_over")),
    ),
  ]);

/**
 * What is said of the file that was handed in.
 *
 * @param {{upload: string, name: string, size: number}} asked
 */
export const fileText = ({ upload, name, size }) => (upload ? i("kept", { name, size: sizeText(size) }) : i("drop"));
