// The short path out of a plan: what is wrong, who must agree, from when, what will move, publish.

import { get } from "./api.js";
import { h, parts, settled } from "./dom.js";
import { field, heading, tiles } from "./parts.js";
import { actorName, changeRows, reviewLine, ruleRows, statusTag } from "./plan_parts.js";
import { p, pOr } from "./plan_texts.js";
import { mayPlan } from "./plan_list.js";
import { show, state } from "./state.js";
import { config, day, moment, number } from "./texts.js";

/** @import { Children } from "./dom.js" */
/** @import { PlanMode } from "./plan.js" */
/** @import { Shape } from "../types/answers.js" */
/** @typedef {Shape<"FindingAnswer">} Finding */

const MOVES = ["households", "buildings", "premises", "hazards", "incidents"];
const REASONS = "gis-plan-reasons:";

/**
 * @param {string} id
 * @returns {Record<string, string>}
 */
function kept(id) {
  try {
    return JSON.parse(sessionStorage.getItem(REASONS + id) ?? "{}");
  } catch {
    return {}; // storage is switched off
  }
}

/**
 * A step of the path: its number or a tick, and what is to be done in it.
 *
 * @param {number} n
 * @param {string} name
 * @param {boolean} isDone
 * @param {...Children} children
 */
const step = (n, name, isDone, ...children) =>
  h(
    "li",
    { class: isDone ? "done" : "", "data-step": name },
    h("h3", {}, h("i", { "aria-hidden": "true" }, isDone ? "✓" : n), p(`path_${name}`)),
    ...children,
  );

/**
 * Show the whole path; what can be done now is open, the rest says what it waits for.
 *
 * @param {PlanMode} mode
 * @param {AbortSignal} signal
 */
export async function showPath(mode, signal) {
  const { draft } = mode;
  const [checks, versions] = await Promise.all([
    draft.ask("/checks", {}, signal),
    get("/api/versions", { scheme: state.scheme }, signal),
    draft.load(signal),
  ]);
  const earliest = versions[0]?.earliest_day ?? config.today;
  signal.throwIfAborted();
  const { plan } = draft;
  /** @type {Finding[]} */
  const findings = checks.findings ?? [];
  const errors = findings.filter(({ severity }) => severity === "error");
  const warnings = findings.filter(({ severity }) => severity === "warning");
  /** @type {Record<string, string>} */
  const reasons = { ...kept(draft.id), ...plan.reasons };
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const isMine = plan.author && (plan.author.actor_id ?? plan.author) === config.actor.actor_id;
  const edited = (plan.edits ?? []).some((/** @type {any} */ { actor }) => actor?.actor_id === config.actor.actor_id);
  const missing = () => warnings.filter(({ id }) => !(reasons[id] ?? "").trim());

  /**
   * @param {string} rest
   * @param {object | (() => object)} [body]
   */
  const act = (rest, body) => async () => {
    fault.hidden = true;
    try {
      const answer = await draft.act(rest, typeof body === "function" ? body() : body);
      if (rest === "/publish") await published(mode, answer);
      else {
        await draft.load();
        await mode.render(mode.panel.abort.signal);
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      fault.textContent = error.message;
      fault.hidden = false;
      fault.scrollIntoView({ block: "nearest" });
    }
  };
  /**
   * @param {string} id
   * @param {string} text
   * @param {() => unknown} onclick
   * @param {string} [tone]
   */
  const button = (id, text, onclick, tone = "") =>
    h("button", { type: "button", class: `button ${tone}`, id, onclick }, text);

  const wrong = step(
    1,
    "wrong",
    !errors.length && (plan.status !== "draft" || !missing().length),
    (checks.information ?? []).map((/** @type {any} */ note) =>
      h(
        "p",
        { class: "quiet" },
        h("button", { type: "button", class: "link", onclick: () => mode.showPlace(note) }, note.text),
      ),
    ),
    (errors.length > 0 || !warnings.length) && ruleRows(errors, (error) => mode.showPlace(error)),
    errors.length > 0 && h("p", { class: "quiet" }, p("errors_first")),
    warnings.length > 0 &&
      plan.status !== "draft" &&
      h(
        "ul",
        { class: "warnings" },
        warnings.map((warning) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", class: "link", onclick: () => mode.showPlace(warning) },
              h("b", {}, pOr(`rule_${warning.rule}`, warning.rule)),
              ` ${warning.text}`,
            ),
            reasons[warning.id] && h("p", {}, reasons[warning.id]),
          ),
        ),
      ),
    warnings.length > 0 &&
      plan.status === "draft" && [
        h("p", { class: "quiet" }, p("warnings_reason", { n: number(warnings.length) })),
        h(
          "ul",
          { class: "warnings" },
          warnings.map((warning) =>
            h(
              "li",
              {},
              h(
                "button",
                { type: "button", class: "link", onclick: () => mode.showPlace(warning) },
                h("b", {}, pOr(`rule_${warning.rule}`, warning.rule)),
                ` ${warning.text}`,
              ),
              h("input", {
                type: "text",
                "aria-label": p("reason_for", { rule: pOr(`rule_${warning.rule}`, warning.rule) }),
                placeholder: p("reason"),
                maxlength: 300,
                value: reasons[warning.id] ?? "",
                oninput: (event) => {
                  reasons[warning.id] = event.target.value;
                  sessionStorage.setItem(REASONS + draft.id, JSON.stringify(reasons));
                  allow();
                },
              }),
            ),
          ),
          warnings.length > 1 &&
            h(
              "li",
              {},
              button("reason-all", p("reason_same"), () => {
                const first = warnings.map(({ id }) => reasons[id] ?? "").find((reason) => reason.trim()) ?? "";
                for (const { id } of warnings) reasons[id] ||= first;
                wrong.querySelectorAll(".warnings input").forEach((input, i) => {
                  /** @type {HTMLInputElement} */ (input).value = reasons[warnings[i].id];
                });
                allow();
              }),
            ),
        ),
      ],
  );

  const submit = button(
    "plan-submit",
    p("submit"),
    act("/submit", () => ({ warnings: Object.fromEntries(warnings.map(({ id }) => [id, reasons[id]])) })),
    "filled",
  );
  const allow = () => (submit.disabled = errors.length > 0 || missing().length > 0 || !plan.edits?.length);
  allow();

  const rejection = h("input", {
    id: "reject-text",
    type: "text",
    maxlength: 500,
    placeholder: p("reject_hint"),
    "aria-label": p("reject_hint"),
    autocomplete: "off",
  });
  const agree = step(
    2,
    "agree",
    ["approved", "published"].includes(plan.status),
    (plan.reviews ?? []).map(reviewLine),
    plan.status === "draft" && [h("p", { class: "quiet" }, p("agree_how")), mayPlan() && submit],
    plan.status === "in_review" &&
      (isMine || !mayPlan()
        ? h("p", { class: "quiet" }, p("agree_other"))
        : [
            edited
              ? h("p", { class: "quiet" }, p("agree_unedited"))
              : h("div", { class: "buttons" }, button("plan-approve", p("approve"), act("/approve"), "filled")),
            rejection,
            h(
              "div",
              { class: "buttons" },
              button(
                "plan-reject",
                p("reject"),
                act("/reject", () => ({ text: rejection.value.trim() })),
              ),
            ),
          ]),
  );

  const from = h("input", {
    id: "publish-day",
    type: "date",
    min: earliest,
    value: earliest,
    required: true,
    onchange: () => weigh(),
  });
  const impactSlot = h("div", { id: "impact", "aria-busy": "true" });
  const weigh = settled(50, async () => {
    impactSlot.setAttribute("aria-busy", "true");
    try {
      impactSlot.replaceChildren(...parts(impactParts(await draft.ask("/impact", { on: from.value }, signal))));
    } catch (error) {
      if (error.name === "AbortError") return;
      impactSlot.replaceChildren(h("p", { class: "fault" }, error.message));
    }
    impactSlot.removeAttribute("aria-busy");
  });
  const isReady = plan.status === "approved";
  const isDone = ["published", "withdrawn", "discarded"].includes(plan.status);

  mode.canvas.showFindings(findings);
  mode.panel.fill(
    "plan-path",
    [
      h("button", { type: "button", class: "link back", onclick: () => show({ step: "" }) }, p("back_plan")),
      h("h2", {}, plan.title),
      h(
        "p",
        {},
        statusTag(plan.status),
        h("span", { class: "quiet" }, ` ${p("changes_n", { n: number(plan.edits?.length ?? 0) })}`),
      ),
    ],
    (plan.conflicts ?? []).length > 0 &&
      h(
        "section",
        { class: "conflict", role: "alert" },
        heading(p("base_conflict")),
        plan.conflicts.map((/** @type {any} */ conflict) =>
          h(
            "p",
            {},
            h("button", { type: "button", class: "link", onclick: () => mode.showPlace(conflict) }, conflict.text),
          ),
        ),
      ),
    h(
      "ol",
      { class: "path" },
      wrong,
      agree,
      step(3, "when", plan.status === "published", !isDone && field(p("from_day"), from)),
      step(4, "moves", plan.status === "published", !isDone && impactSlot),
      step(
        5,
        "publish",
        plan.status === "published",
        isReady && mayPlan()
          ? button(
              "plan-publish",
              p("publish"),
              act("/publish", () => ({ effective_day: from.value, reasons })),
              "filled",
            )
          : !isDone && h("p", { class: "quiet" }, p("publish_waits")),
      ),
    ),
    fault,
    comments(mode, act),
    ["draft", "in_review", "approved"].includes(plan.status) &&
      mayPlan() &&
      h(
        "details",
        {},
        h("summary", {}, p("discard")),
        h("p", { class: "quiet" }, p("discard_how")),
        button(
          "plan-discard",
          p("discard_send"),
          async () => {
            await act("/discard")();
            show({ plan: "", step: "", village: "" });
          },
          "wrong",
        ),
      ),
    heading(p("changes")),
    changeRows(plan.edits),
  );
  mode.panel.focusIfAsked();
  if (!isDone) weigh();
}

/**
 * @param {Shape<"ImpactAnswer">} impact
 */
function impactParts(impact) {
  const { moved, officers_to_appoint: posts } = impact;
  return [
    tiles(MOVES.filter((kind) => moved[kind] !== undefined).map((kind) => [p(`impact_${kind}`), number(moved[kind])])),
    posts.length > 0 && [
      h("p", {}, h("b", {}, p("officers_missing", { n: number(posts.length) }))),
      h(
        "ul",
        { class: "plain" },
        posts.map(({ name, key }) => h("li", {}, name || key)),
      ),
    ],
  ];
}

/**
 * @param {PlanMode} mode
 * @param {(rest: string, body?: object) => () => Promise<void>} act
 */
function comments(mode, act) {
  const { plan } = mode.draft;
  const text = h("textarea", { id: "comment-text", rows: 2, maxlength: 1000, "aria-label": p("comment") });
  return h(
    "details",
    { open: (plan.comments ?? []).length > 0 },
    h("summary", {}, p("comments_n", { n: number(plan.comments?.length ?? 0) })),
    (plan.comments ?? []).map((/** @type {any} */ comment) =>
      h(
        "p",
        {},
        h("b", {}, actorName(comment.actor)),
        ` ${comment.text} `,
        h("small", { class: "quiet" }, comment.at ? moment(comment.at) : ""),
      ),
    ),
    h("div", { class: "field" }, text),
    h(
      "button",
      {
        type: "button",
        class: "button",
        id: "comment-send",
        onclick: () => text.value.trim() && act("/comments", { text: text.value.trim() })(),
      },
      p("comment_send"),
    ),
  );
}

/**
 * @param {PlanMode} mode
 * @param {Shape<"PublishedAnswer">} answer
 */
async function published(mode, answer) {
  sessionStorage.removeItem(REASONS + mode.draft.id);
  await mode.draft.load();
  mode.publishedNew();
  const { moved, version_id: versionId, effective_day: effective } = answer;
  mode.panel.fill(
    "plan-published",
    [h("p", { class: "eyebrow" }, mode.draft.plan.title), h("h2", {}, p("published"))],
    h("p", {}, p("published_from", { day: effective ? day(effective) : "" })),
    tiles(
      MOVES.filter((kind) => typeof moved[kind] === "number").map((kind) => [p(`impact_${kind}`), number(moved[kind])]),
    ),
    h("p", { class: "quiet" }, p("published_back")),
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        {
          type: "button",
          class: "button filled",
          id: "see-version",
          onclick: () => show({ plan: "", village: "", step: versionId ? `version:${versionId}` : "" }),
        },
        p("see_version"),
      ),
      h(
        "button",
        { type: "button", class: "button", onclick: () => show({ plan: "", village: "", step: "" }) },
        p("plans"),
      ),
    ),
  );
}
