// One incident: where it stands, what was done, what may be done now.

import { get, post, sendFile } from "./api.js";
import { urgency } from "./board.js";
import { h } from "./dom.js";
import { offered } from "./offers.js";
import { heading, line, phone, tag } from "./parts.js";
import { show } from "./state.js";
import { symbol } from "./symbols.js";
import { kindName } from "./figures.js";
import { day, isEnglish, moment, number, t, tOr } from "./texts.js";

const REASONS = ["call_back", "visit", "emergency", "correction"];
const STATES = ["reported", "accepted", "dispatched", "handled", "verified", "closed"];

/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"Incident">} Incident */
/** @typedef {Incident["allowed"][number]} Move */
/** @typedef {{note: string, photos: string[], where: object | null, department?: string, duplicate_of?: number}} Filled */

/**
 * Fill the panel with an incident.
 *
 * @param {any} desk
 * @param {string} id
 * @param {AbortSignal} signal
 */
export async function showIncident(desk, id, signal) {
  const incident = await get(`/api/incidents/${encodeURIComponent(id)}`, {}, signal);
  signal.throwIfAborted();
  desk.standAt({ of: "incident", lon: incident.lon, lat: incident.lat, name: incident.address });
  if (desk.panel.mayFly) desk.flyTo?.(incident);
  desk.routes.mark(incident, "incident", incident.text || incident.key);
  desk.grids.select(incident.base_grid_id ?? "");
  const again = () => showIncident(desk, id, desk.panel.abort.signal);
  desk.panel.fill(
    "incident",
    [
      h("p", { class: "eyebrow" }, `${t("of_incident")} ${incident.key}`),
      h("h2", {}, symbol("incident", 24), kindName(incident.kind)),
      h("p", {}, incident.text),
      h(
        "p",
        { class: "tags" },
        tag(tOr(`status_${incident.status}`, incident.status)),
        ...urgency(incident),
        tag(tOr(`tier_${incident.tier}`, incident.tier)),
        incident.department && tag(incident.department),
      ),
    ],
    progress(incident.status),
    h(
      "div",
      { class: "lines" },
      incident.address && line(t("address"), incident.address),
      incident.grid_name &&
        h(
          "div",
          { class: "line" },
          h("span", {}, t("responsible_grid")),
          h(
            "button",
            {
              type: "button",
              class: "link",
              onclick: () => show({ grid: incident.base_grid_id, point: "", mode: "" }),
            },
            incident.grid_name,
          ),
        ),
      line(t("reported"), moment(incident.reported_at)),
      incident.due_on &&
        line(
          t("due"),
          day(incident.due_on) + (incident.due_provisional ? ` ${t("incident_provisional")}` : ""),
          incident.overdue ? "wrong" : "",
        ),
      incident.returns > 0 && line(t("incident_returns"), number(incident.returns), incident.flagged ? "wrong" : ""),
      (incident.reporter_name || incident.reporter_phone) && reporter(incident),
    ),
    incident.officer &&
      h(
        "div",
        { class: "officers" },
        h(
          "div",
          { class: "officer" },
          h(
            "div",
            { class: "who" },
            h("b", {}, `${t("post", { post: incident.officer.post })} ${incident.officer.name}`),
            h("small", {}, t("incident_answers")),
          ),
          phone(incident.officer.phone),
        ),
      ),
    incident.allowed.length > 0 && moves(incident, again),
    steps(incident.steps, incident.incident_id),
    h(
      "button",
      { type: "button", class: "button", onclick: () => show({ point: `place:${incident.lon},${incident.lat}` }) },
      t("dispatch_first_there"),
    ),
  );
  desk.panel.focusIfAsked();
}

/**
 * Who reported, masked; in clear with a reason, which is written down.
 *
 * @param {Incident} incident
 */
function reporter(incident) {
  const slot = h("b", {}, [incident.reporter_name, incident.reporter_phone].filter(Boolean).join(" "));
  if (!offered("reveal_reporter")) return h("div", { class: "line" }, h("span", {}, t("incident_reporter")), slot);
  const reveal = async (/** @type {any} */ event) => {
    const reason = event.target.value;
    if (!reason) return;
    try {
      const clear = await post(`/api/incidents/${incident.incident_id}/reporter`, { reason });
      slot.replaceChildren(clear.name, " ", clear.phone ? phone(clear.phone) : "");
    } catch (error) {
      slot.replaceChildren(error.message);
    }
  };
  return h(
    "div",
    { class: "line" },
    h("span", {}, t("incident_reporter")),
    slot,
    h(
      "select",
      { "aria-label": t("reveal"), title: t("reveal"), onchange: reveal },
      h("option", { value: "" }, t("reveal")),
      REASONS.map((reason) => h("option", { value: reason }, t(`reason_${reason}`))),
    ),
  );
}

/**
 * Where this device is, if its owner lets it say so.
 *
 * @returns {Promise<object | null>}
 */
const ownPlace = () =>
  new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lon: coords.longitude, lat: coords.latitude, crs: "wgs84" }),
      () => resolve(null),
      { timeout: 5000, enableHighAccuracy: true },
    );
  });

/**
 * The way from report to close, with where it stands.
 *
 * @param {string} status
 */
function progress(status) {
  const reached = STATES.indexOf(status === "returned" ? "accepted" : status);
  return h(
    "ol",
    { class: "progress", "aria-label": t("incident_progress") },
    STATES.map((name, i) =>
      h(
        "li",
        { class: i <= reached ? "done" : "", "aria-current": i === reached ? "step" : null },
        tOr(`status_${name}`, name),
      ),
    ),
  );
}

/**
 * The moves that are allowed now, as buttons; one that needs words opens a form.
 *
 * @param {Incident} incident
 * @param {() => Promise<unknown>} again
 */
function moves(incident, again) {
  const slot = h("div", { id: "move-slot" });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const open = (/** @type {Move} */ move) => {
    fault.hidden = true;
    slot.replaceChildren(
      moveForm(
        move,
        incident,
        async (filled) => {
          fault.hidden = true;
          try {
            await post(`/api/incidents/${incident.incident_id}/steps`, {
              move: move.move,
              version: incident.version,
              ...filled,
            });
            await again();
          } catch (error) {
            fault.textContent = error.message;
            fault.hidden = false;
            if (error.status === 409)
              fault.append(" ", h("button", { type: "button", class: "link", onclick: again }, t("incident_reload")));
          }
        },
        () => slot.replaceChildren(),
      ),
    );
    /** @type {HTMLElement | null} */ (slot.querySelector("input, textarea, button"))?.focus();
  };
  return [
    heading(t("incident_moves")),
    h(
      "div",
      { class: "buttons", id: "moves" },
      incident.allowed.map((move, i) =>
        h(
          "button",
          {
            type: "button",
            class: i === 0 ? "button primary" : "button",
            "data-move": move.move,
            onclick: () => open(move),
          },
          t(`move_${move.move}`),
        ),
      ),
    ),
    slot,
    fault,
  ];
}

/**
 * @param {Move} move
 * @param {Incident} incident
 * @param {(filled: Filled) => Promise<void>} onSend
 * @param {() => void} onCancel
 */
function moveForm(move, incident, onSend, onCancel) {
  const note = h("textarea", {
    name: "note",
    rows: 2,
    maxlength: 2000,
    required: move.needs_note,
    "aria-label": t("incident_note"),
    placeholder: t(move.needs_note ? "incident_note_needed" : "incident_note_may"),
  });
  const department =
    move.needs_department &&
    h("input", {
      name: "department",
      required: true,
      maxlength: 80,
      "aria-label": t("incident_department"),
      placeholder: t("incident_department"),
    });
  const other =
    move.needs_duplicate &&
    h("input", {
      name: "duplicate_of",
      type: "number",
      required: true,
      min: 1,
      "aria-label": t("incident_duplicate_of"),
      placeholder: t("incident_duplicate_of"),
    });
  const file = h("input", {
    type: "file",
    accept: "image/jpeg,image/png,image/webp",
    multiple: true,
    "aria-label": t("incident_photo"),
  });
  const here = h("input", { type: "checkbox", name: "here" });
  const status = h("p", { class: "quiet", role: "status" });
  const submit = async (/** @type {SubmitEvent & {currentTarget: HTMLFormElement}} */ event) => {
    event.preventDefault();
    const button = /** @type {HTMLButtonElement} */ (event.currentTarget.querySelector("[type=submit]"));
    button.disabled = true;
    try {
      /** @type {string[]} */
      const photos = [];
      for (const picture of file.files ?? []) {
        status.textContent = t("incident_photo_sending", { name: picture.name });
        const kept = await sendFile(`/api/incidents/${incident.incident_id}/photos`, picture);
        photos.push(kept.photo);
      }
      const where = here.checked ? await ownPlace() : null;
      await onSend({
        note: note.value,
        photos,
        where,
        ...(department ? { department: department.value } : {}),
        ...(other ? { duplicate_of: Number(other.value) } : {}),
      });
    } catch (error) {
      status.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  };
  const form = h(
    "form",
    { class: "report", onsubmit: submit },
    h("b", {}, t(`move_${move.move}`)),
    department,
    other,
    note,
    h("label", { class: "file" }, t("incident_photo"), file),
    "geolocation" in navigator && h("label", { class: "check" }, here, t("incident_where")),
    status,
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { type: "submit", class: "button primary", id: "move-send" },
        t("incident_do", { move: t(`move_${move.move}`) }),
      ),
      h("button", { type: "button", class: "button", onclick: onCancel }, t("cancel")),
    ),
  );
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) form.requestSubmit();
    if (event.key !== "Escape") return;
    event.stopPropagation();
    onCancel();
  });
  return form;
}

/**
 * @param {Incident["steps"]} stepsDone
 * @param {number} incidentId
 */
const steps = (stepsDone, incidentId) => [
  heading(t("incident_steps")),
  h(
    "ol",
    { class: "steps", reversed: true },
    [...stepsDone].reverse().map((step) =>
      h(
        "li",
        {},
        h("b", {}, t(`move_${step.move}`)),
        " ",
        step.to_state !== step.from_state && tag(tOr(`status_${step.to_state}`, step.to_state)),
        step.late && tag(t("incident_late"), "wrong"),
        h(
          "small",
          {},
          [
            moment(step.at),
            (isEnglish && step.actor_en) || step.actor,
            step.officer && `→ ${step.officer.name}`,
            step.department,
          ]
            .filter(Boolean)
            .join(" · "),
        ),
        step.note && h("p", {}, step.note),
        step.photos.length > 0 &&
          h(
            "div",
            { class: "photos" },
            step.photos.map((photo) => {
              const address = `/api/incidents/${incidentId}/photos/${encodeURIComponent(photo)}`;
              return h(
                "a",
                { href: address, target: "_blank", rel: "noopener" },
                h("img", {
                  src: address,
                  alt: t("incident_photo_of", { move: t(`move_${step.move}`) }),
                  loading: "lazy",
                }),
              );
            }),
          ),
      ),
    ),
  ),
];
