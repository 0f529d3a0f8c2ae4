// What a proposal is asked for, as the step in the address says it.

import { state } from "./state.js";

/** @typedef {"grid" | "village" | "town" | "county"} ScopeKind */

/** Whether the step in the address is about a proposal. */
export const isProposing = () => /^propose(:|$)/.test(state.step);

/**
 * The step in the address that asks for a proposal.
 *
 * @param {ScopeKind} kind
 * @param {string} [key]
 */
export const proposeStep = (kind, key = "") => (kind === "village" ? "propose" : ["propose", kind, key].join(":"));
