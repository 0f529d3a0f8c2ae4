// What if, without a mouse: a form that adds, moves and removes stations and closes roads at typed coordinates.

import { c } from "./coverage_texts.js";
import { h } from "./dom.js";
import { kindName } from "./figures.js";
import { coordinates, placeIn } from "./texts.js";

/** @import { WhatIf } from "./coverage_what_if.js" */

/**
 * The form; what it says becomes a change.
 *
 * @param {WhatIf} whatIf
 */
export function byHand(whatIf) {
  const place = h("input", {
    id: "hand-place",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "112.90000, 28.70000",
    "aria-describedby": "hand-fault",
  });
  const stations = whatIf.stationsNow().sort((a, b) => a.name.localeCompare(b.name));
  const station = h(
    "select",
    { id: "hand-station" },
    stations.map(({ id, name }) => h("option", { value: id }, name)),
  );
  const kind = h(
    "select",
    { id: "hand-kind" },
    whatIf.mode.standard.kinds.map((name) => h("option", { value: name }, kindName(name))),
  );
  const fault = h("p", { id: "hand-fault", class: "fault", role: "alert", hidden: true });
  const what = h(
    "select",
    { id: "hand-what" },
    ["add", "move", "remove", "close"].map((name) => h("option", { value: name }, c(`hand_${name}`))),
  );
  const rows = {
    station: h("label", {}, c("hand_which"), station),
    kind: h("label", {}, c("hand_kind"), kind),
    place: h("label", {}, c("hand_place"), place),
  };
  const showRows = () => {
    rows.station.hidden = !["move", "remove"].includes(what.value);
    rows.kind.hidden = what.value !== "add";
    rows.place.hidden = what.value === "remove";
  };
  what.addEventListener("change", showRows);
  showRows();
  const apply = (/** @type {Event} */ event) => {
    event.preventDefault();
    const chosen = whatIf.stationsNow().find(({ id }) => String(id) === station.value);
    const typed = placeIn(place.value);
    fault.hidden = what.value === "remove" || Boolean(typed);
    if (what.value === "remove") {
      if (chosen) whatIf.set(whatIf.without(chosen));
    } else if (!typed) {
      fault.textContent = c("hand_no_place");
      place.focus();
    } else if (what.value === "add") whatIf.add({ kind: "add_station", facility_kind: kind.value, ...typed });
    else if (what.value === "close") whatIf.add({ kind: "close_road", ...typed });
    else if (chosen) whatIf.set(whatIf.moved(chosen, typed));
  };
  const typeMiddle = () => {
    const { lat, lng } = whatIf.mode.map.getCenter();
    place.value = coordinates({ lon: lng, lat });
  };
  return h(
    "details",
    { class: "by-hand" },
    h("summary", {}, c("by_hand")),
    h(
      "form",
      { class: "report", id: "hand-form", onsubmit: apply },
      h("label", {}, c("hand_do"), what),
      rows.station,
      rows.kind,
      rows.place,
      fault,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "submit", class: "button primary", id: "hand-apply" }, c("hand_apply")),
        h("button", { type: "button", class: "button", onclick: typeMiddle }, c("hand_middle")),
      ),
    ),
  );
}
