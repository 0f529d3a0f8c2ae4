// The panel of a village at work: tools, what the hand does to both sides, the village's grids, what to do next.

import { h, isNarrow, keepingFocus, parts } from "./dom.js";
import { heading } from "./parts.js";
import { mayPlan, villageList } from "./plan_list.js";
import { changeRows, conflictParts, gridRows, loadBars, ruleRows, statusTag } from "./plan_parts.js";
import { proposeStep } from "./plan_scope.js";
import { p } from "./plan_texts.js";
import { TOOLS, TOOL_OF } from "./plan_tools.js";
import { show, state } from "./state.js";
import { moment, number } from "./texts.js";

/** @import { PlanMode } from "./plan.js" */

const LISTED_EDITS = 6;

export class Work {
  /** @param {PlanMode} mode */
  constructor(mode) {
    this.mode = mode;
    /** @type {HTMLElement | null} what follows the hand */
    this.slot = null;
    /** @type {HTMLElement | null} */
    this.actions = null;
  }

  async show() {
    const { resume } = this.mode;
    if (resume && this.mode.village === resume.context?.village && this.mode.draft.isOpen) {
      this.mode.resume = null;
      this.mode.pickTool(TOOL_OF[resume.edit.kind] ?? this.mode.toolName);
      if (this.mode.tool?.restore(resume.edit)) this.mode.bar.note(p("resumed", { at: moment(resume.at) }));
      else this.mode.draft.drop();
    } else if (!this.mode.tool || this.mode.tool.mode !== this.mode) this.mode.pickTool(this.mode.toolName);
    else this.redraw();
    this.mode.panel.focusIfAsked();
  }

  redraw() {
    if (state.step || !this.mode.opened) return;
    keepingFocus(() => {
      const scroll = this.mode.panel.body.scrollTop;
      this.drawPanel();
      this.mode.panel.body.scrollTop = scroll;
    });
  }

  drawPanel() {
    const { plan } = this.mode.draft;
    const isFree = !this.mode.isPending;
    if (!this.mode.village) {
      this.mode.panel.fill(
        "plan",
        [
          h("p", { class: "eyebrow" }, plan.title),
          h("h2", {}, p("pick_village")),
          h("p", { class: "quiet" }, p("pick_village_how")),
        ],
        this.closedNote(),
        villageList(this.mode),
        this.changesPart(),
      );
      return;
    }
    const [eyebrow, title] = this.mode.tool?.title?.() ?? [
      this.mode.nameOf(String(this.mode.grids.grid(this.mode.village)?.parent_grid_id ?? "")),
      this.mode.nameOf(this.mode.village),
    ];
    this.slot = h("div", { id: "plan-slot", "aria-live": "polite" });
    this.actions = h("div", { class: "plan-actions" });
    this.mode.panel.fill(
      "plan",
      [h("p", { class: "eyebrow" }, eyebrow), h("h2", {}, title)],
      this.closedNote(),
      this.mode.tool && !(this.mode.isPending && isNarrow()) && this.toolTabs(),
      this.slot,
      this.mode.tool?.controls(),
      isFree &&
        !this.mode.tool?.edge && [
          heading(p("grids_here"), p("grids_n", { n: number(this.mode.keys.length) })),
          gridRows(
            this.mode.facesHere,
            this.mode.targetOf,
            (key) => this.mode.show(this.mode.canvas.faces.get(key)?.geometry),
            this.mode.tool && ((key) => show({ step: proposeStep("grid", key) })),
          ),
          this.mode.tool &&
            h(
              "div",
              { class: "buttons" },
              h(
                "button",
                {
                  type: "button",
                  class: "button",
                  id: "plan-propose",
                  onclick: () => show({ step: proposeStep("village") }),
                },
                p("propose"),
              ),
            ),
          ...this.changesPart(),
        ],
      this.actions,
    );
    this.drawSlot();
    this.mode.drawState();
  }

  /** Why nothing can be changed, if so. */
  closedNote() {
    const { plan } = this.mode.draft;
    if (!mayPlan()) return h("p", { class: "quiet" }, p("may_not"));
    return (
      plan.status !== "draft" &&
      h("p", { class: "quiet" }, statusTag(plan.status), ` ${p("closed", { status: p(`status_${plan.status}`) })}`)
    );
  }

  toolTabs() {
    return h(
      "div",
      { class: "tabs plan-tools", role: "group", "aria-label": p("tools") },
      Object.keys(TOOLS).map((name) =>
        h(
          "button",
          {
            type: "button",
            id: `tool-${name}`,
            title: p(`tool_${name}_hint`),
            "aria-pressed": String(name === this.mode.toolName),
            onclick: () => {
              if (this.mode.isPending) this.mode.draft.drop();
              this.mode.pickTool(name);
            },
          },
          p(`tool_${name}`),
        ),
      ),
    );
  }

  changesPart() {
    const edits = this.mode.draft.plan.edits;
    return [heading(p("changes"), p("changes_n", { n: number(edits.length) })), changeRows(edits.slice(-LISTED_EDITS))];
  }

  /** The part that follows the hand: bars, rules, what went wrong. */
  drawSlot() {
    if (!this.slot) return;
    const { change, tryError } = this.mode;
    /** @type {HTMLElement[]} */
    const children = [];
    if (tryError) children.push(h("p", { class: "fault", role: "alert" }, tryError.message));
    if (change && this.mode.isPending)
      children.push(
        loadBars(change.grids),
        heading(p("checks")),
        ruleRows(change.violations, (finding) => this.mode.showPlace(finding), true),
      );
    else if (this.mode.isPending && !tryError) children.push(h("p", { class: "quiet" }, p("trying")));
    this.slot.replaceChildren(...children);
    this.drawActions();
  }

  drawActions() {
    const { draft } = this.mode;
    const main = h(
      "button",
      {
        type: "button",
        class: "button filled",
        id: "plan-save",
        disabled: Boolean(this.mode.tryError) || draft.state === "saving",
        onclick: () => this.mode.save(),
      },
      p(draft.state === "saving" ? "saving" : "save"),
      h("kbd", { "aria-hidden": "true" }, "Enter"),
    );
    const isHeld = this.mode.isPending || (this.mode.tool?.stroke?.points.length ?? 0) > 0;
    keepingFocus(() =>
      this.actions?.replaceChildren(
        ...parts([
          draft.state === "conflict"
            ? this.conflictPart()
            : draft.state === "refused" || draft.state === "waiting"
              ? h(
                  "p",
                  { class: "fault", role: "alert" },
                  draft.more?.message,
                  draft.state === "waiting" && ` ${p("waiting")}`,
                )
              : null,
          this.mode.isPending && main,
          isHeld &&
            h(
              "button",
              { type: "button", class: "button", id: "plan-discard-stroke", onclick: () => this.mode.discard() },
              p("drop"),
              h("kbd", { "aria-hidden": "true" }, "Esc"),
            ),
          !isHeld &&
            draft.plan.edits?.length > 0 &&
            h(
              "button",
              {
                type: "button",
                class: "button filled wide",
                id: "plan-path",
                onclick: () => show({ step: "publish" }),
              },
              p(draft.isOpen ? "to_path" : "to_path_closed"),
            ),
        ]),
      ),
    );
  }

  conflictPart() {
    const more = /** @type {any} */ (this.mode.draft.more);
    return conflictParts(more, {
      onTop: () => this.mode.draft.saveOnTop(more.edit).catch(this.mode.onError),
      drop: async () => {
        this.mode.draft.drop();
        this.mode.tool?.end();
        this.mode.tool = null;
        await this.mode.draft.refresh().catch(this.mode.onError);
      },
    });
  }
}
