// The list of what a what-if changes: what each is, what the server noted of it, and ways to take it back.

import { c } from "./coverage_texts.js";
import { h } from "./dom.js";
import { kindName } from "./figures.js";
import { heading, tag } from "./parts.js";
import { coordinates, number } from "./texts.js";

/** @import { WhatIf } from "./coverage_what_if.js" */
/** @import { Change } from "./coverage_map.js" */

/**
 * A change in words.
 *
 * @param {WhatIf} whatIf
 * @param {Change} change
 */
function changeText({ mode }, change) {
  if (change.kind === "add_road")
    return c("change_add_road", { kind: c(`road_${change.road_class}`), n: change.line.length });
  const isOfStation = "facility_id" in change;
  const station = isOfStation && mode.stations.find(({ facility_id }) => facility_id === change.facility_id);
  const place = "lon" in change ? coordinates(change) : "";
  return c(`change_${change.kind}`, {
    name: station ? station.name : "",
    where: ("name" in change && change.name) || place,
    kind: change.kind === "add_station" ? kindName(change.facility_kind) : "",
  });
}

/**
 * Show where on the map a change is.
 *
 * @param {WhatIf} whatIf
 * @param {Change} change
 */
function lookAt({ mode }, change) {
  if (change.kind === "add_road") mode.fly(L.latLngBounds(change.line.map(([lon, lat]) => [lat, lon])).pad(0.5), 16);
  else if ("lon" in change) mode.flyTo(change);
  else {
    const station = mode.stations.find(({ facility_id }) => facility_id === change.facility_id);
    if (station) mode.flyTo(station);
  }
}

/**
 * The changes as a list.
 *
 * @param {WhatIf} whatIf
 */
export function changeList(whatIf) {
  const { changes, answer } = whatIf;
  const notes = new Map(answer?.notes.map((note) => [note.change, note.text]));
  const undo = (/** @type {number} */ i, /** @type {string} */ text) =>
    h(
      "button",
      {
        type: "button",
        class: "close",
        id: `undo-${i}`,
        "aria-label": c("undo_this", { what: text }),
        title: c("undo"),
        onclick: () => whatIf.undo(i),
      },
      "×",
    );
  const rows = changes.map((change, i) => {
    const text = changeText(whatIf, change);
    const note = notes.get(i);
    const look = { type: "button", class: "link", onclick: () => lookAt(whatIf, change) };
    return h("li", {}, h("button", look, text), note && tag(note, "care"), undo(i, text));
  });
  return [
    heading(c("changes"), rows.length > 0 && number(rows.length)),
    rows.length ? h("ol", { class: "changes" }, rows) : h("p", { class: "quiet" }, c("changes_none")),
    rows.length > 0 &&
      h(
        "div",
        { class: "buttons" },
        h(
          "button",
          { type: "button", class: "button", id: "undo-last", onclick: () => whatIf.undo() },
          c("undo_last"),
          h("kbd", { "aria-hidden": "true" }, "Ctrl Z"),
        ),
        h("button", { type: "button", class: "button", id: "undo-all", onclick: () => whatIf.set([]) }, c("undo_all")),
      ),
  ];
}
