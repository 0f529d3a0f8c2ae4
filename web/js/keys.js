// Every command that has a key: one table by which keys and buttons call the same function, and which `?` shows.

import { at } from "./dom.js";

/**
 * @typedef {object} Command
 * @property {string} name
 * @property {string[]} keys as they are shown
 * @property {string} text key of what is said of it
 * @property {string} [button] id of the button of the shell that does the same
 * @property {"plan" | "cover"} [room] of the texts of the one mode in which it works
 */

/** @type {Command[]} */
export const COMMANDS = [
  { name: "search", keys: ["/"], text: "key_search" },
  { name: "map", keys: ["1"], text: "key_map", button: "mode-map" },
  { name: "dispatch", keys: ["2"], text: "key_dispatch", button: "mode-dispatch" },
  { name: "plan", keys: ["3"], text: "key_plan", button: "mode-plan" },
  { name: "coverage", keys: ["4"], text: "key_coverage", button: "mode-coverage" },
  { name: "report", keys: ["5"], text: "key_reports", button: "mode-report" },
  { name: "incident", keys: ["N"], text: "key_report" },
  { name: "list", keys: ["L"], text: "key_list", button: "open-list" },
  { name: "enter", keys: ["E"], text: "key_enter", button: "open-enter" },
  { name: "all", keys: ["0"], text: "key_all", button: "zoom-all" },
  { name: "pan", keys: ["←", "↑", "→", "↓"], text: "key_pan" },
  { name: "zoomIn", keys: ["+", "="], text: "key_zoom_in", button: "zoom-in" },
  { name: "zoomOut", keys: ["-"], text: "key_zoom_out", button: "zoom-out" },
  { name: "back", keys: ["Esc"], text: "key_escape" },
  { name: "keys", keys: ["?"], text: "key_keys", button: "open-keys" },
  { name: "undo", keys: ["Ctrl+Z"], text: "key_undo", room: "plan" },
  { name: "redo", keys: ["Ctrl+Shift+Z", "Ctrl+Y"], text: "key_redo", room: "plan" },
  { name: "save", keys: ["Enter"], text: "key_save", room: "plan" },
  { name: "snap", keys: ["Alt"], text: "key_snap", room: "plan" },
  { name: "nudge", keys: ["←", "↑", "→", "↓"], text: "key_nudge", room: "plan" },
  { name: "remove", keys: ["Delete", "Backspace"], text: "key_remove", room: "plan" },
  { name: "undo", keys: ["Ctrl+Z"], text: "key_undo", room: "cover" },
  { name: "endRoad", keys: ["Enter"], text: "key_end_road", room: "cover" },
  { name: "vertexBack", keys: ["Backspace"], text: "key_vertex_back", room: "cover" },
  { name: "back", keys: ["Esc"], text: "key_tool_back", room: "cover" },
];

/** @type {Record<string, string>} */
const SIGNS = { ArrowLeft: "←", ArrowUp: "↑", ArrowRight: "→", ArrowDown: "↓", Escape: "Esc" };

/**
 * A key as the table writes it; Shift counts with Ctrl only, since a letter or sign may need it.
 *
 * @param {KeyboardEvent} event
 */
function signOf({ key, ctrlKey, metaKey, shiftKey }) {
  const sign = SIGNS[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  if (!ctrlKey && !metaKey) return sign;
  return `Ctrl+${shiftKey ? "Shift+" : ""}${sign}`;
}

/**
 * What a key means: the name of a command, or nothing.
 *
 * @param {KeyboardEvent} event
 * @param {Command["room"]} [room]
 */
export function commandOf(event, room) {
  const sign = signOf(event);
  return COMMANDS.find((command) => command.room === room && command.keys.includes(sign))?.name;
}

/**
 * Wire the keys of the whole page and the buttons that do the same.
 *
 * @param {Record<string, (event: Event) => void>} actions by name of the command
 */
export function wireKeys(actions) {
  for (const { name, button, room } of COMMANDS) {
    if (button && !room) at(button)?.addEventListener("click", actions[name]);
  }
  document.addEventListener("keydown", (event) => {
    const on = event.target instanceof Element ? event.target : null;
    const name = event.altKey ? undefined : commandOf(event);
    if (!name || (name !== "back" && on?.closest("input, select, textarea"))) return;
    if (name === "pan" && on?.closest("#panel, #legend")) return;
    event.preventDefault();
    actions[name](event);
  });
}
