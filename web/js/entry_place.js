// The place of a record: by pointing at the map, dragging the pin, the middle of the map, or typing.

import { get, isStale } from "./api.js";
import { e } from "./entry_texts.js";
import { h, isNarrow } from "./dom.js";
import { tag } from "./parts.js";
import { coordinates, number, placeIn, t } from "./texts.js";

/** @typedef {{lon: number, lat: number, crs: string}} Place */

const SYSTEMS = ["cgcs2000", "gcj02", "bd09"];
const DIGITS = 7;

/**
 * @param {number} value
 */
const rounded = (value) => Number(value.toFixed(DIGITS));

export class PlaceField {
  /**
   * @param {L.Map} map
   * @param {string} id
   * @param {{onChange: () => void, sheet: any, describedBy?: string}} parts
   */
  constructor(map, id, { onChange, sheet, describedBy }) {
    this.map = map;
    this.onChange = onChange;
    this.sheet = sheet;
    /** @type {Place | null} */
    this.value = null;
    this.isPointing = false;
    /** @type {L.Marker | null} */
    this.pin = null;
    this.point = h(
      "button",
      { type: "button", class: "button", "aria-pressed": "false", onclick: () => this.pointing(!this.isPointing) },
      e("place_point"),
    );
    this.middle = h(
      "button",
      { type: "button", class: "button", onclick: () => this.take(map.getCenter()) },
      e("place_middle"),
    );
    this.done = h(
      "button",
      { type: "button", class: "button filled", hidden: true, onclick: () => this.finish() },
      e("place_done"),
    );
    this.typed = h("input", {
      type: "text",
      id,
      inputmode: "decimal",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "112.90000, 28.70000",
      "aria-describedby": describedBy,
    });
    this.system = h(
      "select",
      { "aria-label": e("place_system"), title: e("place_system") },
      SYSTEMS.map((system) => h("option", { value: system }, e(`system_${system}`))),
    );
    this.note = h("p", { class: "place-said", role: "status", "aria-live": "polite" });
    this.element = h(
      "div",
      { class: "place" },
      h("div", { class: "buttons" }, this.point, this.middle, this.done),
      h("div", { class: "place-typed" }, this.typed, this.system),
      this.note,
    );
    this.typed.addEventListener("change", () => this.takeTyped());
    this.system.addEventListener("change", () => this.typed.value && this.takeTyped());
    this.typed.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.takeTyped();
    });
    this.onClick = (/** @type {MouseEvent} */ event) => this.clicked(event);
    map.getContainer().addEventListener("click", this.onClick, true);
  }

  /** Take the pin and the listeners away. */
  remove() {
    this.pointing(false);
    this.pin?.remove();
    this.abort?.abort();
    this.map.getContainer().removeEventListener("click", this.onClick, true);
  }

  /**
   * While pointing, a click on the map means the place and nothing else.
   *
   * @param {boolean} isOn
   */
  pointing(isOn) {
    this.isPointing = isOn;
    this.point.setAttribute("aria-pressed", String(isOn));
    this.point.textContent = e(isOn ? "place_pointing" : "place_point");
    this.map.getContainer().classList.toggle("pointing", isOn);
    this.done.hidden = !(isOn && isNarrow());
    if (isOn && isNarrow()) {
      this.sheet.set("peek");
      this.element.scrollIntoView({ block: "start" });
    }
  }

  finish() {
    this.pointing(false);
    this.sheet.set("full");
    this.element.scrollIntoView({ block: "center" });
  }

  /**
   * @param {MouseEvent} event
   */
  clicked(event) {
    if (
      !this.isPointing ||
      /** @type {Element} */ (event.target).closest(".leaflet-control, .leaflet-marker-draggable")
    )
      return;
    event.stopPropagation();
    if (/** @type {any} */ (this.map.dragging).moved()) return;
    this.take(this.map.mouseEventToLatLng(event));
  }

  /**
   * Take a place of the map.
   *
   * @param {{lat: number, lng: number}} place
   */
  take({ lat, lng }) {
    this.set({ lon: rounded(lng), lat: rounded(lat), crs: "cgcs2000" });
    this.onChange();
  }

  async takeTyped() {
    const text = this.typed.value.trim();
    if (!text) {
      this.set(null);
      this.onChange();
      return;
    }
    const numbers = placeIn(text);
    if (!numbers) {
      this.say(e("place_unread"), "wrong");
      return;
    }
    const typed = { ...numbers, crs: this.system.value };
    try {
      const shown = typed.crs === "cgcs2000" ? typed : await get("/api/entry/place", typed);
      this.set({ lon: rounded(shown.lon), lat: rounded(shown.lat), crs: "cgcs2000" });
      this.map.panInside([shown.lat, shown.lon], { padding: [80, 80] });
    } catch (error) {
      this.say(error.message, "wrong");
      return;
    }
    this.onChange();
  }

  /**
   * Show a place {lon, lat, crs}, or none.
   *
   * @param {Place | null} value
   */
  set(value) {
    this.value = value && { lon: value.lon, lat: value.lat, crs: value.crs };
    this.system.value = "cgcs2000";
    this.typed.value = value ? coordinates(value, 6) : "";
    if (!value) {
      this.pin?.remove();
      this.pin = null;
      this.say("");
      return;
    }
    if (this.pin) this.pin.setLatLng([value.lat, value.lon]);
    else this.drop(value);
    this.locate();
  }

  /**
   * @param {Place} place
   */
  drop({ lon, lat }) {
    const icon = L.divIcon({ className: "pin pin-new", iconSize: [26, 26] });
    const pin = L.marker([lat, lon], {
      icon,
      draggable: true,
      autoPan: true,
      title: e("place_drag"),
      alt: e("place_drag"),
      zIndexOffset: 1000,
    }).addTo(this.map);
    pin.on("dragend", () => this.take(pin.getLatLng()));
    this.pin = pin;
  }

  /**
   * @param {string} text
   * @param {string} [tone]
   */
  say(text, tone = "") {
    this.note.replaceChildren(...(text ? [tone ? tag(text, tone) : text] : []));
  }

  /** Say whose grid it is, while the form is being filled in. */
  async locate() {
    this.abort?.abort();
    this.abort = new AbortController();
    if (!this.value) return;
    const { lon, lat } = this.value;
    try {
      const located = await get("/api/locate", { lon, lat, scheme: "base" }, this.abort.signal);
      if (located.outside) {
        this.say(
          located.nearest
            ? e("place_outside", { name: located.nearest.name, m: number(located.distance_m) })
            : e("place_no_grid"),
          "care",
        );
        return;
      }
      this.note.replaceChildren(
        h("span", {}, e("place_in"), " ", h("b", {}, located.grid?.name), " ", h("small", {}, located.grid?.code)),
        located.on_border
          ? tag(t("on_border"), "care")
          : located.near_border && located.nearest
            ? tag(t("near_border", { m: number(located.distance_m), name: located.nearest.name }), "care")
            : "",
      );
    } catch (error) {
      if (!isStale(error)) this.say(error.message, "care");
    }
  }
}
