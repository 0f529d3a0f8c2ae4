// The words of the plan mode: texts of the room "plan".

import { textsOf } from "./texts.js";

export const { say: p, sayOr: pOr } = textsOf("plan");

/**
 * Names joined as a sentence joins two.
 *
 * @param {string} a
 * @param {string} b
 */
export const both = (a, b) => `${a} ↔ ${b}`;
