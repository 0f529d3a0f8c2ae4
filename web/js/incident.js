// One incident: where it stands, what was done, what may be done now.

import { get, post, sendFile } from "./api.js";
import { urgency } from "./board.js";
import { h } from "./dom.js";
import { heading, line, phone, tag } from "./parts.js";
import { show } from "./state.js";
import { symbol } from "./symbols.js";
import { kindName } from "./figures.js";
import { day, isEnglish, may, moment, number, t, tOr } from "./texts.js";

const REASONS = ["call_back", "visit", "emergency", "correction"];
const STATES = ["reported", "accepted", "dispatched", "handled", "verified", "closed"];

/** Fill the panel with an incident. */
export async function showIncident(desk, id, signal) {
  const found = await get(`/api/incidents/${encodeURIComponent(id)}`, {}, signal);
  signal.throwIfAborted();
  const row = found;
  desk.standAt({ of: "incident", lon: row.lon, lat: row.lat, name: row.address });
  if (desk.panel.mayFly) desk.flyTo?.(row);
  desk.routes.mark(row, "incident", row.text || row.key);
  desk.grids.select(row.base_grid_id ?? "");
  const again = () => showIncident(desk, id, desk.panel.abort.signal);
  desk.panel.fill(
    "incident",
    [
      h("p", { class: "eyebrow" }, `${t("of_incident")} ${row.key}`),
      h("h2", {}, symbol("incident", 24), kindName(row.kind)),
      h("p", {}, row.text),
      h(
        "p",
        { class: "tags" },
        tag(tOr(`status_${row.status}`, row.status)),
        ...urgency(row),
        tag(tOr(`tier_${row.tier}`, row.tier)),
        row.department && tag(row.department),
      ),
    ],
    progress(row.status),
    h(
      "div",
      { class: "lines" },
      row.address && line(t("address"), row.address),
      row.grid_name &&
        h(
          "div",
          { class: "line" },
          h("span", {}, t("responsible_grid")),
          h(
            "button",
            { type: "button", class: "link", onclick: () => show({ grid: row.base_grid_id, point: "", mode: "" }) },
            row.grid_name,
          ),
        ),
      line(t("reported"), moment(row.reported_at)),
      row.due_on &&
        line(
          t("due"),
          day(row.due_on) + (row.due_provisional ? ` ${t("incident_provisional")}` : ""),
          row.overdue ? "wrong" : "",
        ),
      row.returns > 0 && line(t("incident_returns"), number(row.returns), row.flagged ? "wrong" : ""),
      (found.reporter_name || found.reporter_phone) && reporter(found, row),
    ),
    found.officer &&
      h(
        "div",
        { class: "officers" },
        h(
          "div",
          { class: "officer" },
          h(
            "div",
            { class: "who" },
            h("b", {}, `${t("post", { post: found.officer.post })} ${found.officer.name}`),
            h("small", {}, t("incident_answers")),
          ),
          phone(found.officer.phone),
        ),
      ),
    found.allowed.length > 0 && moves(found, row, again),
    steps(found.steps, row.incident_id),
    h(
      "button",
      { type: "button", class: "button", onclick: () => show({ point: `place:${row.lon},${row.lat}` }) },
      t("dispatch_first_there"),
    ),
  );
  desk.panel.focusIfAsked();
}

/** Who reported, masked; in clear with a reason, which is written down. */
function reporter(found, row) {
  const slot = h("b", {}, [found.reporter_name, found.reporter_phone].filter(Boolean).join(" "));
  if (!may("reveal_reporter")) return h("div", { class: "line" }, h("span", {}, t("incident_reporter")), slot);
  const reveal = async (event) => {
    const reason = event.target.value;
    if (!reason) return;
    try {
      const clear = await post(`/api/incidents/${row.incident_id}/reporter`, { reason });
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

/** Where this device is, if its owner lets it say so. */
const ownPlace = () =>
  new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lon: coords.longitude, lat: coords.latitude, crs: "wgs84" }),
      () => resolve(null),
      { timeout: 5000, enableHighAccuracy: true },
    );
  });

/** The way from report to close, with where it stands. */
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

/** The moves that are allowed now, as buttons; one that needs words opens a form. */
function moves(found, row, again) {
  const slot = h("div", { id: "move-slot" });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const open = (move) => {
    fault.hidden = true;
    slot.replaceChildren(
      moveForm(
        move,
        found,
        row,
        async (wish) => {
          fault.hidden = true;
          try {
            await post(`/api/incidents/${row.incident_id}/steps`, { move: move.move, version: row.version, ...wish });
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
    slot.querySelector("input, textarea, button")?.focus();
  };
  return [
    heading(t("incident_moves")),
    h(
      "div",
      { class: "buttons", id: "moves" },
      found.allowed.map((move, i) =>
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

function moveForm(move, found, row, onSend, onCancel) {
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
  const said = h("p", { class: "quiet", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const photos = [];
      for (const one of file.files) {
        said.textContent = t("incident_photo_sending", { name: one.name });
        const kept = await sendFile(`/api/incidents/${row.incident_id}/photos`, one);
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
      said.textContent = error.message;
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
    said,
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

const steps = (found, incidentId) => [
  heading(t("incident_steps")),
  h(
    "ol",
    { class: "steps", reversed: true },
    [...found].reverse().map((step) =>
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
