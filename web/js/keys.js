// The keys: every one also has a button, and `?` lists them.

import { at } from "./dom.js";
import { show, state } from "./state.js";
import { config } from "./texts.js";

const PAN_PX = 120;
const PAN = { ArrowLeft: [-PAN_PX, 0], ArrowRight: [PAN_PX, 0], ArrowUp: [0, -PAN_PX], ArrowDown: [0, PAN_PX] };

/** Wire the keys of the whole page. */
export function wireKeys(map, { showAll, focusPanel, report }) {
  const back = () => {
    const choice = document.querySelector("details.choice[open]");
    if (choice) choice.open = false;
    else if (state.view) show({ view: "" });
    else show({ grid: "", point: "" });
  };
  const actions = {
    "/": () => {
      at("search-text").focus();
      at("search-text").select();
    },
    1: () => show({ mode: "", view: "", grid: "", point: "" }),
    2: () => show({ mode: "dispatch", view: "", grid: "" }),
    3: () => config.schemes.length && show({ mode: "plan", view: "", grid: "", point: "", theme: "households" }),
    4: () => config.schemes.length && show({ mode: "coverage", view: "", grid: "", point: "" }),
    5: () => config.schemes.length && show({ mode: "report", view: "", grid: "", point: "" }),
    n: report,
    N: report,
    l: () => focusPanel("list"),
    L: () => focusPanel("list"),
    e: () => (config.actor.enters || config.actor.imports) && focusPanel("enter"),
    E: () => (config.actor.enters || config.actor.imports) && focusPanel("enter"),
    0: showAll,
    "?": () => focusPanel("keys"),
    "+": () => map.zoomIn(),
    "=": () => map.zoomIn(),
    "-": () => map.zoomOut(),
    Escape: back,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target.closest?.("input, select, textarea");
    if (isTyping && event.key !== "Escape") return;
    if (event.key in PAN && !event.target.closest?.("#panel, #legend")) {
      event.preventDefault();
      map.panBy(PAN[event.key]);
    } else if (actions[event.key]) {
      event.preventDefault();
      actions[event.key]();
    }
  });
}
