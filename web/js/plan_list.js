// All plans and all versions: begin one, take one up, compare two versions, withdraw one.

import { get, send } from "./api.js";
import { h, parts, settled } from "./dom.js";
import { offered } from "./offers.js";
import { field, heading, line, tag, tiles } from "./parts.js";
import { actorName, reviewLine, statusTag } from "./plan_parts.js";
import { p } from "./plan_texts.js";
import { show, state } from "./state.js";
import { config, day, isEnglish, number, shortDay } from "./texts.js";

const NEW_PLAN = "gis-plan-new";
const MOST_MOVES = 40;
export const mayPlan = () => offered("plan");

/** @import { PlanMode } from "./plan.js" */
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"PlanListed">} Plan */
/** @typedef {Shape<"VersionListed">} Version */

/**
 * @param {(error: Error) => void} onError
 */
function newPlanForm(onError) {
  const kept = JSON.parse(sessionStorage.getItem(NEW_PLAN) ?? "{}");
  const title = h("input", {
    id: "plan-title",
    name: "title",
    type: "text",
    required: true,
    maxlength: 120,
    value: kept.title ?? "",
    placeholder: p("new_title_hint"),
    autocomplete: "off",
  });
  const reason = h(
    "textarea",
    { id: "plan-reason", name: "reason", rows: 2, maxlength: 1000, placeholder: p("new_reason_hint") },
    kept.reason ?? "",
  );
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const keep = () => sessionStorage.setItem(NEW_PLAN, JSON.stringify({ title: title.value, reason: reason.value }));
  return h(
    "form",
    {
      class: "entry-form",
      id: "plan-new",
      oninput: keep,
      onsubmit: async (event) => {
        event.preventDefault();
        fault.hidden = true;
        try {
          const plan = await send("POST", "/api/plans", {
            scheme: state.scheme,
            title: title.value.trim(),
            reason: reason.value.trim(),
          });
          sessionStorage.removeItem(NEW_PLAN);
          show({ plan: plan.plan_id, village: "", step: "" });
        } catch (error) {
          fault.textContent = error.message;
          fault.hidden = false;
          if (error.status === 0) onError(error);
        }
      },
    },
    field(p("new_title"), title),
    field(p("new_reason"), reason),
    fault,
    h("button", { type: "submit", class: "button filled", id: "plan-begin" }, p("new_begin")),
  );
}

/**
 * @param {Plan} plan
 */
function planRow(plan) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", "data-plan": plan.plan_id, onclick: () => show({ plan: plan.plan_id, village: "", step: "" }) },
      h(
        "span",
        {},
        plan.title,
        h(
          "small",
          {},
          [p("changes_n", { n: number(plan.edit_count) }), actorName(plan.author)].filter(Boolean).join(" · "),
        ),
      ),
      statusTag(plan.status),
    ),
  );
}

/**
 * Show every plan, and how to begin one.
 *
 * @param {PlanMode} mode
 * @param {AbortSignal} signal
 */
export async function showPlans(mode, signal) {
  const [all, versions] = await Promise.all([
    offered("plans") ? get("/api/plans", { scheme: state.scheme }, signal) : [],
    get("/api/versions", { scheme: state.scheme }, signal),
  ]);
  signal.throwIfAborted();
  const open = all.filter(({ status }) => ["draft", "in_review", "approved"].includes(status));
  const done = all.filter((plan) => !open.includes(plan));
  const form = mayPlan() && newPlanForm(mode.onError);
  mode.panel.fill(
    "plans",
    [h("p", { class: "eyebrow" }, p("mode")), h("h2", {}, p("plans"))],
    !all.length && [
      h("p", {}, p("empty_first")),
      h(
        "ol",
        { class: "how-steps" },
        ["begin", "village", "edit", "publish"].map((step) => h("li", {}, p(`how_${step}`))),
      ),
    ],
    open.length > 0 && h("ul", { class: "rows", id: "plans" }, open.map(planRow)),
    mayPlan()
      ? all.length
        ? h("details", { class: "new-plan", open: !open.length }, h("summary", {}, p("new")), form)
        : form
      : h("p", { class: "quiet" }, p("may_not")),
    done.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, p("plans_done", { n: number(done.length) })),
        h("ul", { class: "rows" }, done.map(planRow)),
      ),
    heading(p("history")),
    h("p", { class: "quiet" }, p("history_how")),
    h(
      "ul",
      { class: "rows", id: "versions" },
      versions
        .sort((a, b) => b.effective_day.localeCompare(a.effective_day))
        .map((version) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                "data-version": version.version_id,
                onclick: () => show({ step: `version:${version.version_id}` }),
              },
              h(
                "span",
                {},
                version.title || p("version_plain"),
                h(
                  "small",
                  {},
                  [day(version.effective_day), actorName(version.published_by)].filter(Boolean).join(" · "),
                ),
              ),
              version.withdrawn_by
                ? tag(p("status_withdrawn"))
                : version.effective_day > config.today && tag(p("from_later"), "care"),
            ),
          ),
        ),
    ),
  );
  mode.panel.focusIfAsked();
}

/**
 * What a version changed against another, and the way back.
 *
 * @param {PlanMode} mode
 * @param {string} id
 * @param {AbortSignal} signal
 */
export async function showVersion(mode, id, signal) {
  const versions = (await get("/api/versions", { scheme: state.scheme }, signal)).sort(
    (a, b) => b.effective_day.localeCompare(a.effective_day) || b.version_id - a.version_id,
  );
  const version = versions.find(({ version_id }) => String(version_id) === id);
  if (!version) {
    show({ step: "" });
    return;
  }
  const older = versions.filter((other) => other !== version);
  const slot = h("section", { id: "comparison", "aria-busy": "true" });
  const choice = h(
    "select",
    { id: "compare-with", onchange: () => compare() },
    older.map(({ version_id, effective_day, title }) =>
      h("option", { value: version_id }, `${shortDay(effective_day)} ${title || p("version_plain")}`),
    ),
  );
  const before = versions[versions.indexOf(version) + 1];
  if (before) choice.value = String(before.version_id);

  const compare = async () => {
    if (!choice.value) return;
    slot.setAttribute("aria-busy", "true");
    slot.replaceChildren(h("p", { class: "quiet" }, p("comparing")));
    try {
      const path = `/api/versions/${choice.value}/compare/${version.version_id}`;
      const compared = await get(path, {}, signal);
      slot.replaceChildren(...parts(comparison(mode, compared, path)));
    } catch (error) {
      if (error.name !== "AbortError") slot.replaceChildren(h("p", { class: "fault" }, error.message));
    }
    slot.removeAttribute("aria-busy");
  };

  mode.panel.fill(
    "version",
    [
      h("button", { type: "button", class: "link back", onclick: () => show({ step: "" }) }, p("back_plans")),
      h("h2", {}, version.title || p("version_plain")),
      h("p", { class: "quiet" }, p("version_from", { day: day(version.effective_day) })),
    ],
    version.reason && h("p", {}, version.reason),
    (version.reviews ?? []).map(reviewLine),
    older.length > 0 && field(p("compare_with"), choice),
    slot,
    mayPlan() && before && !version.withdrawn_by && withdrawForm(version, mode),
  );
  mode.panel.focusIfAsked();
  await compare();
}

/**
 * @param {PlanMode} mode
 * @param {Shape<"VersionComparisonAnswer">} compared
 * @param {string} path
 */
function comparison(mode, compared, path) {
  const { moved } = compared;
  const changed = compared.grids.filter(({ rank }) => rank === mode.grids.baseRank);
  mode
    .showComparison(
      compared.faces.features.filter(({ properties }) => properties.rank === mode.grids.baseRank),
      compared.a.effective_day,
    )
    .catch(mode.onError);
  /**
   * @param {string} name
   * @param {string | null} key
   */
  const nameIn = (name, key) => name || mode.nameOf(key ?? "") || p("outside");
  return [
    tiles([
      [p("grids_changed"), number(changed.length)],
      [p("households_moved"), number(compared.households_moved)],
    ]),
    moved.length > 0 && [
      heading(p("moved_table")),
      h(
        "div",
        { class: "lines" },
        moved
          .slice(0, MOST_MOVES)
          .map(({ from, from_name, to, to_name, households }) =>
            line(`${nameIn(from_name, from)} → ${nameIn(to_name, to)}`, p("households_n", { n: number(households) })),
          ),
      ),
      moved.length > MOST_MOVES &&
        h("p", { class: "quiet" }, p("moved_more", { n: number(moved.length - MOST_MOVES) })),
    ],
    h(
      "p",
      { class: "prints" },
      h("a", { class: "button", href: `${path}.gpkg?lang=${isEnglish ? "en" : "zh-CN"}`, download: "" }, "GeoPackage"),
    ),
  ];
}

/**
 * @param {Version} version
 * @param {PlanMode} mode
 */
function withdrawForm(version, mode) {
  const earliest = version.earliest_day ?? config.today;
  const from = h("input", { id: "withdraw-day", type: "date", min: earliest, value: earliest, required: true });
  const reason = h("input", {
    id: "withdraw-reason",
    type: "text",
    maxlength: 500,
    required: true,
    autocomplete: "off",
  });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  return h(
    "details",
    { id: "withdraw" },
    h("summary", {}, p("withdraw")),
    h(
      "form",
      {
        class: "entry-form",
        onsubmit: async (event) => {
          event.preventDefault();
          fault.hidden = true;
          try {
            await send("POST", `/api/versions/${version.version_id}/withdraw`, {
              effective_day: from.value,
              reason: reason.value.trim(),
            });
            mode.publishedNew();
            show({ step: "", plan: "" });
          } catch (error) {
            fault.textContent = error.message;
            fault.hidden = false;
          }
        },
      },
      h("p", { class: "quiet" }, p("withdraw_how")),
      field(p("from_day"), from),
      field(p("withdraw_reason"), reason),
      fault,
      h("button", { type: "submit", class: "button wrong", id: "withdraw-send" }, p("withdraw_send")),
    ),
  );
}

/**
 * Villages to choose from by name, those already changed first.
 *
 * @param {PlanMode} mode
 */
export function villageList(mode) {
  /** @type {{key: string, name: string, code?: string, above: string, isChanged: boolean}[]} */
  const villages = mode.villages();
  const list = h("ul", { class: "rows", id: "plan-villages" });
  const fill = (/** @type {string} */ text) => {
    const wanted = text.trim().toLowerCase();
    const matching = villages.filter(
      ({ name, code }) => !wanted || name.toLowerCase().includes(wanted) || (code ?? "").includes(wanted),
    );
    list.replaceChildren(
      ...matching.slice(0, 60).map((village) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              onmouseenter: () => mode.lightUp(village.key),
              onfocus: () => mode.lightUp(village.key),
              onclick: () => show({ village: village.key }),
            },
            h("span", {}, village.name, h("small", {}, village.above)),
            village.isChanged && tag(p("changed"), "care"),
          ),
        ),
      ),
    );
  };
  fill("");
  return [
    h("input", {
      id: "village-filter",
      class: "filter",
      type: "search",
      "aria-label": p("village_filter"),
      placeholder: p("village_filter"),
      oninput: settled(120, (event) => fill(event.target.value)),
    }),
    list,
  ];
}
