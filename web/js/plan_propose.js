// Three answers for a village side by side, with their figures; one of them can be taken.

import { h } from "./dom.js";
import { field } from "./parts.js";
import { answerCard } from "./plan_parts.js";
import { p } from "./plan_texts.js";
import { show } from "./state.js";

/** @import { PlanMode } from "./plan.js" */
/** @typedef {any} Answer one way to part the village, as POST …/propose answers */

/**
 * Ask for answers, show them as cards and on the map.
 *
 * @param {PlanMode} mode
 * @param {AbortSignal} signal
 */
export async function showAnswers(mode, signal) {
  const { draft, village } = mode;
  const pieces = h("input", {
    id: "propose-pieces",
    type: "number",
    min: 1,
    max: 60,
    inputmode: "numeric",
    placeholder: p("propose_auto"),
  });
  const slot = h("section", { id: "answers", "aria-busy": "true" });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  let chosen = 0;

  /** @param {Answer[]} answers */
  function draw(answers) {
    /** @param {number} i */
    const look = (i) => {
      chosen = i;
      mode.canvas.showAnswer(answers[i].faces);
      draw(answers);
    };
    slot.replaceChildren(
      h(
        "ol",
        { class: "answers" },
        answers.map((answer, i) =>
          answerCard(answer, i, { isChosen: i === chosen, onLook: () => look(i), onTake: () => take(answer) }),
        ),
      ),
    );
  }

  /** @param {Answer} answer */
  async function take(answer) {
    fault.hidden = true;
    for (const edit of answer.edits) {
      // Each is an edit of its own, so that one can be undone alone.
      if (await draft.save(edit)) continue;
      fault.textContent = p("propose_stopped");
      fault.hidden = false;
      return;
    }
    show({ step: "" });
  }

  async function ask() {
    slot.setAttribute("aria-busy", "true");
    slot.replaceChildren(h("p", { class: "quiet" }, p("propose_busy")));
    fault.hidden = true;
    try {
      const found = await draft.act(
        "/propose",
        { parent: village, ...(pieces.value && { pieces: Number(pieces.value) }) },
        signal,
      );
      const answers = Array.isArray(found) ? found : found.answers;
      chosen = 0;
      if (answers.length) mode.canvas.showAnswer(answers[0].faces);
      draw(answers);
    } catch (error) {
      if (error.name === "AbortError") return;
      slot.replaceChildren();
      fault.textContent = error.message;
      fault.hidden = false;
    }
    slot.removeAttribute("aria-busy");
  }

  mode.panel.fill(
    "plan-propose",
    [
      h("button", { type: "button", class: "link back", onclick: () => show({ step: "" }) }, p("back_plan")),
      h("h2", {}, p("propose_for", { name: mode.nameOf(village) })),
      h("p", { class: "quiet" }, p("propose_how")),
    ],
    h(
      "form",
      {
        class: "propose-form",
        onsubmit: (event) => {
          event.preventDefault();
          ask();
        },
      },
      field(p("propose_pieces"), pieces),
      h("button", { type: "submit", class: "button" }, p("propose_again")),
    ),
    fault,
    slot,
  );
  mode.panel.focusIfAsked();
  await ask();
}
