// Two runs side by side: a swipe over the map, and the differences as a table.

import { get, isStale } from "./api.js";
import { mapFigures } from "./coverage_figures.js";
import { beforeAfter, changeTable, gainedLost, more, panelTitle, shareRow, toneOf } from "./coverage_parts.js";
import { c, dotted, semicolons, signed } from "./coverage_texts.js";
import { h } from "./dom.js";
import { heading, row, tag, trouble } from "./parts.js";
import { show, state } from "./state.js";
import { moment, number, percent } from "./texts.js";

/** @import { CoverageMode } from "./coverage.js" */
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"RunListed">} Run */
/** @typedef {Shape<"GridFiguresAnswer">[]} Rows */

const OF = ["households", "people", "care_households", "buildings", "premises", "hazards"];

export class Comparison {
  /**
   * @param {CoverageMode} mode
   */
  constructor(mode) {
    this.mode = mode;
    this.isOn = false;
    /** @type {any} */
    this.legend = null;
    /** @type {{a: Run, b: Run, ofA: Rows, ofB: Rows, shapes: any} | null} */
    this.shown = null;
  }

  /**
   * @param {Run} run
   */
  label(run) {
    return dotted([this.mode.scenarioName(run.scenario), percent(run.summary.share), moment(run.finished_at)]);
  }

  /**
   * @param {string} id
   * @param {Run[]} runs
   * @param {Run} chosen
   * @param {string} field
   */
  menu(id, runs, chosen, field) {
    return h(
      "label",
      {},
      c(id),
      h(
        "select",
        { id, onchange: (event) => show({ [field]: event.target.value }) },
        runs.map((run) =>
          h(
            "option",
            { value: run.run_id, selected: run.run_id === chosen.run_id },
            `#${run.run_id} · ${this.label(run)}`,
          ),
        ),
      ),
    );
  }

  /**
   * @param {AbortSignal} signal
   */
  async render(signal) {
    const { mode } = this;
    const { runs } = mode;
    const fill = (/** @type {any[]} */ ...children) =>
      mode.panel.fill(
        "coverage",
        panelTitle(c("part_compare"), mode.title),
        mode.head(false),
        mode.tabs(),
        ...children,
      );
    if (runs.length < 2) {
      this.end();
      fill(
        h(
          "div",
          { class: "first-step" },
          h("p", {}, c("empty_compare")),
          h("button", { type: "button", class: "button", onclick: () => show({ part: "" }) }, c("empty_compare_do")),
        ),
      );
      return;
    }
    // The newest against the one before it, unless others are named; the list has the newest first.
    const b = runs.find((run) => String(run.run_id) === state.run) ?? runs[0];
    const others = runs.filter((run) => run.run_id !== b.run_id);
    const a =
      others.find((run) => String(run.run_id) === state.against) ??
      others.find((run) => run.run_id < b.run_id) ??
      others[0];
    const chosen = h(
      "div",
      { class: "cover-choice both" },
      this.menu(
        "run_a",
        runs.filter((run) => run.run_id !== b.run_id),
        a,
        "against",
      ),
      this.menu("run_b", runs, b, "run"),
      h(
        "button",
        { type: "button", class: "button", id: "swap", onclick: () => show({ run: a.run_id, against: b.run_id }) },
        c("swap"),
      ),
    );
    const rank = mode.grids.baseRank;
    const rows = (/** @type {Run} */ run) =>
      mode.keep("rows", `/api/coverage/runs/${run.run_id}/figures`, { rank, kind: mode.kind ?? "" });
    const [compared, ofA, ofB, shapes] = await Promise.all([
      get("/api/coverage/compare", { a: a.run_id, b: b.run_id }, signal).catch((error) =>
        isStale(error) ? Promise.reject(error) : error.message,
      ),
      rows(a),
      rows(b),
      mode.keep("shapes", "/api/layers/grids", { scheme: state.scheme, rank, at: state.at, detail: "mid" }),
    ]);
    signal.throwIfAborted();
    this.shown = { a, b, ofA, ofB, shapes };
    this.isOn = true;
    this.repaint();
    fill(
      chosen,
      h("p", { class: "quiet" }, c("swipe_how")),
      typeof compared === "string" ? trouble(compared) : this.table(compared),
    );
    mode.panel.focusIfAsked();
  }

  repaint() {
    const { mode, shown } = this;
    if (!this.isOn || !shown || !mode.canvas) return;
    if (mode.fill === "none") {
      mode.canvas.endSwipe();
      return;
    }
    const side = (/** @type {Run} */ run, /** @type {Rows} */ rows, /** @type {string} */ name) => ({
      ...mapFigures(rows, mode.about(run, mode.fill)),
      short: `${name} · #${run.run_id} ${mode.scenarioName(run.scenario)}`,
    });
    const sides = [side(shown.a, shown.ofA, c("side_a")), side(shown.b, shown.ofB, c("side_b"))];
    this.legend = { ...sides[1], short: c(`fill_${mode.fill}`), of: c("legend_right", { of: sides[1].of }) };
    mode.paint().catch(mode.onError);
    mode.canvas.showSwipe(shown.shapes, sides);
  }

  end() {
    if (!this.isOn) return;
    this.isOn = false;
    this.legend = null;
    this.mode.canvas?.endSwipe();
  }

  /**
   * @param {Shape<"RunComparisonAnswer">} compared
   */
  table(compared) {
    const heads = ["col_counted", "side_a", "side_b", "col_change"].map((key) => c(key));
    const { county } = compared;
    const side = (/** @type {any} */ figures) => (figures ? { share: figures.share } : undefined);
    const grids = compared.grids.filter((grid) => grid.gained || grid.lost || grid.covered);
    return [
      compared.differs.length
        ? h(
            "p",
            { class: "differs" },
            c("differs"),
            ...compared.differs.map((part) => tag(c(`differs_${part}`), "care")),
          )
        : h("p", { class: "quiet" }, c("differs_nothing")),
      gainedLost(compared.gained, compared.lost),
      compared.only_in_one > 0 && h("p", { class: "quiet" }, c("only_in_one", { n: number(compared.only_in_one) })),
      changeTable(
        heads,
        OF.filter((of) => county[of]).flatMap((of) => {
          const { a, b } = county[of];
          const name = c(`of_${of}`);
          return [shareRow(name, side(a), side(b))];
        }),
      ),
      county.households &&
        changeTable(
          [c("of_households"), c("side_a"), c("side_b"), c("col_change")],
          ["n", "covered"].map((key) =>
            beforeAfter(
              c(key === "n" ? "col_all" : "col_reached"),
              number(county.households.a?.[key]),
              number(county.households.b?.[key]),
              signed((county.households.b?.[key] ?? 0) - (county.households.a?.[key] ?? 0)),
              key === "n" ? "" : toneOf((county.households.b?.[key] ?? 0) - (county.households.a?.[key] ?? 0)),
            ),
          ),
        ),
      grids.length > 0 && [
        heading(c("grids_changed"), number(grids.length)),
        more(
          grids.map((grid) =>
            row(() => this.look(grid), grid.name || grid.code, {
              note: semicolons(
                [
                  grid.gained && c("gained", { n: number(grid.gained) }),
                  grid.lost && c("lost", { n: number(grid.lost) }),
                ].filter(Boolean),
              ),
              figure: h("b", { class: toneOf(grid.covered) }, signed(grid.covered)),
            }),
          ),
        ),
      ],
    ];
  }

  /**
   * @param {{[figure: string]: any}} grid
   */
  look(grid) {
    const bounds = this.mode.grids.boundsOf(grid.grid_id);
    if (bounds) this.mode.fly(bounds.pad(0.6), 15);
  }
}
