// The bar over the map: which plan, how it is saved, undo, snapping, before and after, and short notes.

import { at, h, keepingFocus } from "./dom.js";
import { tag } from "./parts.js";
import { mayPlan } from "./plan_list.js";
import { statusTag } from "./plan_parts.js";
import { isProposing, proposeStep } from "./plan_scope.js";
import { p } from "./plan_texts.js";
import { show } from "./state.js";
import { number } from "./texts.js";

/** @import { PlanMode } from "./plan.js" */

const NOTE_MS = 6000;
const OFFER_MS = 15_000;

/**
 * @param {string} id
 * @param {import("./dom.js").Children} text
 * @param {() => unknown} onclick
 * @param {import("../types/page.js").Attributes} [more]
 */
const button = (id, text, onclick, more = {}) => h("button", { type: "button", id, onclick, ...more }, text);

export class PlanBar {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    this.element = h("div", { id: "plan-bar", role: "toolbar", "aria-label": p("mode") });
  }

  draw() {
    const { mode } = this;
    const { draft } = mode;
    const { plan } = draft;
    const isHeld = mode.isPending && draft.state === "saved";
    const mayChange = mayPlan() && draft.isOpen;
    const canUndo = (plan.can_undo && draft.isOpen) || (mode.tool?.stroke?.past.length ?? 0) > 0;
    const isComparing = mode.comparison.isOn;
    const children = [
      h(
        "div",
        { class: "chip" },
        button("plan-back", "‹", () => show({ plan: "", village: "", step: "" }), {
          "aria-label": p("back_plans"),
          title: p("back_plans"),
        }),
        h("b", {}, plan.title),
        plan.status === "draft"
          ? tag(
              `${p("status_draft")} · ${p(`state_${isHeld ? "held" : draft.state}`)}`,
              draft.state === "saved" && !isHeld ? "good" : "care",
            )
          : statusTag(plan.status),
        h(
          "span",
          { class: "quiet", data: { changes: plan.edits.length } },
          p("changes_n", { n: number(plan.edits.length) }),
        ),
      ),
      mayChange &&
        h(
          "div",
          { class: "group" },
          button("plan-undo", ["↶", h("span", {}, p("undo"))], () => mode.step("undo"), {
            disabled: !canUndo,
            title: `${p("undo")} · Ctrl+Z`,
          }),
          button("plan-redo", ["↷", h("span", {}, p("redo"))], () => mode.step("redo"), {
            disabled: !plan.can_redo || mode.isPending,
            title: `${p("redo")} · Ctrl+Shift+Z`,
          }),
        ),
      mayChange &&
        h(
          "div",
          { class: "group" },
          button(
            "plan-propose-any",
            p("propose"),
            () => show({ step: proposeStep(mode.village ? "village" : "county") }),
            {
              "aria-pressed": String(isProposing()),
            },
          ),
        ),
      mayChange &&
        !isProposing() &&
        h(
          "div",
          { class: "group" },
          button(
            "plan-snap",
            p("snap"),
            () => {
              mode.snapper.toggle();
              this.draw();
            },
            { "aria-pressed": String(mode.snapper.isOn), title: p("snap_hint") },
          ),
        ),
      h(
        "div",
        { class: "group" },
        button(
          "plan-compare",
          `${p("compare")} ⇄`,
          () => (isComparing ? mode.comparison.stop() : mode.comparison.start().catch(mode.onError)),
          { "aria-pressed": String(isComparing), title: p("compare_hint") },
        ),
      ),
      this.element.querySelector(".plan-note"),
    ];
    keepingFocus(() => this.element.replaceChildren(...children.filter((child) => child instanceof Node)));
  }

  /**
   * Say something for a while.
   *
   * @param {string} text
   * @param {{text: string, act: () => void}} [offer] what can be done about it
   */
  note(text, offer) {
    at("said").textContent = text;
    const box = h("p", { class: "plan-note", role: "status" }, text);
    const act = () => {
      box.remove();
      offer?.act();
    };
    if (offer)
      box.append(h("button", { type: "button", class: "link", id: "plan-note-act", onclick: act }, offer.text));
    this.element.querySelector(".plan-note")?.remove();
    this.element.append(box);
    setTimeout(() => box.remove(), offer ? OFFER_MS : NOTE_MS);
  }
}
