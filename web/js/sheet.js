// On a phone the panel is a sheet: dragged between a strip, a third, and nearly all of the screen.

import { at, isNarrow } from "./dom.js";

/** @type {("strip" | "peek" | "full")[]} */
const ORDER = ["strip", "peek", "full"];

/** Wire the sheet; returns {set, atLeast}. */
export function wireSheet() {
  const panel = at("panel");
  const heights = () => ({ strip: 52, peek: Math.round(innerHeight / 3) - 56, full: innerHeight - 228 });
  /** @type {"strip" | "peek" | "full"} */
  let stop = "peek";
  /** @param {"strip" | "peek" | "full"} name */
  const set = (name) => {
    stop = name;
    panel.dataset.stop = name;
    panel.style.height = "";
  };
  /** @type {{y: number, height: number, moved: boolean} | null} */
  let from = null;
  panel.addEventListener("pointerdown", (event) => {
    const on = /** @type {Element} */ (event.target);
    if (!isNarrow() || on.closest("button, a, select, input")) return;
    if (!on.closest("#grip, .panel-head")) return;
    from = { y: event.clientY, height: panel.offsetHeight, moved: false };
    panel.setPointerCapture(event.pointerId);
  });
  panel.addEventListener("pointermove", (event) => {
    if (!from) return;
    from.moved ||= Math.abs(event.clientY - from.y) > 6;
    const limit = heights();
    const height = Math.min(Math.max(from.height + from.y - event.clientY, limit.strip), limit.full);
    panel.classList.add("dragging");
    panel.style.height = `${height}px`;
  });
  const release = () => {
    if (!from) return;
    panel.classList.remove("dragging");
    const limit = heights();
    const height = panel.offsetHeight;
    const nearest = ORDER.reduce((a, b) => (Math.abs(limit[a] - height) <= Math.abs(limit[b] - height) ? a : b));
    // A tap on the grip goes one step up, from the top back down.
    set(from.moved ? nearest : stop === "full" ? "peek" : ORDER[ORDER.indexOf(stop) + 1]);
    from = null;
  };
  panel.addEventListener("pointerup", release);
  panel.addEventListener("pointercancel", release);
  set("peek");
  return {
    set,
    atLeast: (/** @type {"strip" | "peek" | "full"} */ name) => ORDER.indexOf(stop) < ORDER.indexOf(name) && set(name),
  };
}
