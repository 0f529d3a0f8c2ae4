// A list of people at once: pasted or from a file; nothing is taken unless every row fits.

import { post } from "./api.js";
import { a } from "./account_texts.js";
import { h } from "./dom.js";
import { field } from "./parts.js";
import { secretBox } from "./secret.js";
import { config } from "./texts.js";

const SAMPLE = [
  "login,name,role,areas",
  "zhang.wei,张伟,grid_officer,430000000000001",
  "li.na,李娜,village_head,430000000000 430000000001",
  "wang.fang,王芳,dispatcher,",
].join("\r\n");

/** A sample to fill in; spreadsheets read it as UTF-8 by its first sign. */
const sampleAddress = () => `data:text/csv;charset=utf-8,${encodeURIComponent(`\ufeff${SAMPLE}\r\n`)}`;

/**
 * The form, folded away until it is needed.
 *
 * @param {() => Promise<void>} onTaken
 */
export function listForm(onTaken) {
  const text = h("textarea", { id: "people-csv", name: "csv", rows: 6, required: true, spellcheck: "false", placeholder: SAMPLE }); // prettier-ignore
  const file = h("input", {
    type: "file",
    id: "people-file",
    accept: ".csv,.txt,text/csv",
    onchange: async () => {
      const [chosen] = file.files ?? [];
      if (chosen) text.value = await readText(chosen);
    },
  });
  const result = h("div", { class: "list-result", "aria-live": "polite" });
  const button = h("button", { type: "submit", class: "button filled", id: "list-send" }, a("list_send"));
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    button.disabled = true;
    result.replaceChildren();
    try {
      const made = await post("/api/accounts/list", { csv: text.value });
      const links = made.map((/** @type {any} */ one) => `${one.name}\t${one.login}\t${one.link}`).join("\n");
      const box = h("textarea", { readonly: true, rows: Math.min(made.length + 1, 12), "aria-label": a("list_taken", { n: made.length }) }); // prettier-ignore
      box.value = links;
      result.replaceChildren(
        h("p", { class: "done" }, a("list_taken", { n: made.length })),
        made.length === 1 ? secretBox(a("link_once", { name: made[0].name }), made[0].link ?? "") : box,
      );
      text.value = "";
      await onTaken();
    } catch (error) {
      const errors = (error.problem?.errors ?? []).filter((/** @type {any} */ one) => one.row);
      result.replaceChildren(
        h(
          "div",
          { class: "trouble", role: "alert" },
          h("p", {}, errors.length ? a("list_wrong") : error.message),
          errors.length > 0 &&
            h(
              "ol",
              { class: "refused" },
              errors.map((/** @type {any} */ one) =>
                h("li", {}, h("b", {}, a("list_row", { row: one.row, field: one.field ?? "" })), " ", one.detail),
              ),
            ),
        ),
      );
    } finally {
      button.disabled = false;
    }
  };
  return h(
    "details",
    { class: "fold", id: "people-list" },
    h("summary", {}, a("list_title")),
    h("p", { class: "quiet" }, a("list_lead")),
    h(
      "p",
      {},
      h(
        "a",
        { class: "link", href: sampleAddress(), download: `people-${config.language}.csv`, id: "list-sample" },
        a("list_sample"),
      ),
    ),
    h(
      "form",
      { class: "entry-form", onsubmit: send },
      field(a("list_file"), file),
      field(a("list_text"), text),
      h("div", { class: "buttons" }, button),
    ),
    result,
  );
}

/**
 * Text of a file as spreadsheets write it here: UTF-8, else GB 18030.
 *
 * @param {File} file
 */
async function readText(file) {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}
