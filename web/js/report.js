// The form of a new incident: what it is and one line, all else is known from the place.

import { get, newKey, post } from "./api.js";
import { h } from "./dom.js";
import { offered } from "./offers.js";
import { row } from "./parts.js";
import { show, state } from "./state.js";
import { distance, moment, nameOf, number, t } from "./texts.js";

/** @import { Point } from "../types/page.js" */
/** @typedef {{kind: string, name: string, name_en: string, keywords: string[]}} Kind */

const DRAFT = "dispatch-draft";
/** @type {Promise<Kind[]> | null} */
let kinds = null;

const draft = () => JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
/** @param {object} values */
const keep = (values) => sessionStorage.setItem(DRAFT, JSON.stringify(values));

/** The kinds of incident, fetched once. */
export async function incidentKinds() {
  kinds ??= get("/api/incidents/kinds").catch((error) => {
    kinds = null;
    throw error;
  });
  return kinds;
}

/**
 * Put the form into its slot; Enter sends it.
 *
 * @param {{endReport: (isSent?: boolean) => void}} desk
 * @param {HTMLElement} slot
 * @param {Point} place
 */
export function incidentForm(desk, slot, place) {
  const kept = draft();
  const choice = h("select", { id: "report-kind", name: "kind" });
  const words = h("input", {
    id: "report-text",
    name: "text",
    type: "text",
    maxlength: 500,
    required: true,
    value: kept.text ?? "",
    placeholder: t("report_text_hint"),
    autocomplete: "off",
  });
  const name = h("input", {
    id: "report-name",
    name: "reporter_name",
    type: "text",
    maxlength: 80,
    value: kept.reporter_name ?? "",
    autocomplete: "off",
  });
  const telephone = h("input", {
    id: "report-phone",
    name: "reporter_phone",
    type: "tel",
    maxlength: 40,
    value: kept.reporter_phone ?? "",
    autocomplete: "off",
  });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const alike = h("div", { id: "report-alike" });
  const values = () => ({
    kind: choice.value,
    text: words.value,
    reporter_name: name.value,
    reporter_phone: telephone.value,
  });
  // One key for one report: sending it twice, by hand or by the network, makes one incident.
  const key = newKey();

  let kindsKnown = Promise.resolve();

  /** @param {any} error */
  function complain(error) {
    fault.textContent = error.message;
    fault.hidden = false;
    /** @type {HTMLElement | null} */ (form.querySelector(`[name="${error.problem?.field}"]`))?.focus();
  }

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    fault.hidden = true;
    try {
      await kindsKnown; // who types fast is not made to wait, only the report is
      const made = await post(
        "/api/incidents",
        {
          ...values(),
          channel: "page",
          lon: place.lon,
          lat: place.lat,
          address: place.name && place.of !== "place" ? place.name : "",
        },
        { "Idempotency-Key": key },
      );
      sessionStorage.removeItem(DRAFT);
      desk.endReport(true);
      show({ point: `incident:${made.incident_id}`, grid: "", view: "" });
    } catch (error) {
      complain(error);
    }
  }

  const offerAlike = async () => {
    if (!choice.value) return;
    try {
      const duplicates = await get("/api/incidents/duplicates", { lon: place.lon, lat: place.lat, kind: choice.value });
      alike.replaceChildren(
        ...(duplicates.length
          ? [
              h("p", { class: "tag care" }, t("report_alike", { n: number(duplicates.length) })),
              h(
                "ul",
                { class: "rows" },
                duplicates.map(({ incident, distance_m }) =>
                  row(() => show({ point: `incident:${incident.incident_id}`, grid: "", view: "" }), incident.text, {
                    note: moment(incident.reported_at),
                    figure: distance(distance_m),
                  }),
                ),
              ),
            ]
          : []),
      );
    } catch {
      alike.replaceChildren(); // an offer: without it the report still goes
    }
  };

  const form = h(
    "form",
    {
      class: "report",
      id: "report",
      onsubmit: send,
      oninput: () => keep(choice.dataset.chosen ? values() : { ...values(), kind: undefined }),
    },
    h("label", {}, t("report_kind"), choice),
    h("label", {}, t("report_text"), words),
    h(
      "details",
      { open: Boolean(kept.reporter_name || kept.reporter_phone) },
      h("summary", {}, t("report_who")),
      h("label", {}, t("report_name"), name),
      h("label", {}, t("report_phone"), telephone),
    ),
    alike,
    fault,
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { type: "submit", class: "button primary", id: "report-send" },
        t("report_send"),
        h("kbd", { "aria-hidden": "true" }, "Enter"),
      ),
      h("button", { type: "button", class: "button", onclick: () => desk.endReport() }, t("cancel")),
    ),
  );
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    desk.endReport();
  });
  slot.replaceChildren(form);
  words.focus();
  kindsKnown = incidentKinds().then((known) => {
    const guess = () =>
      known.find((kind) => [kind.name, ...kind.keywords].some((word) => words.value.includes(word)))?.kind ?? "";
    words.addEventListener("input", () => {
      // What is typed says the kind, until somebody chooses it.
      if (choice.dataset.chosen || !guess() || choice.value === guess()) return;
      choice.value = guess();
      offerAlike();
    });
    if (kept.kind) choice.dataset.chosen = "true";
    choice.replaceChildren(
      ...known.map((kind) =>
        h("option", { value: kind.kind, selected: kind.kind === (kept.kind ?? (guess() || "other")) }, nameOf(kind)),
      ),
    );
  });
  kindsKnown.then(offerAlike, complain);
  choice.addEventListener("change", () => {
    choice.dataset.chosen = "true";
    keep(values());
    offerAlike();
  });
}

/** Whether this actor may report. */
export const mayReport = () => offered("report_incident") && !state.at;
