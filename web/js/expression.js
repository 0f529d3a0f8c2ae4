// Works out expressions of MapLibre's style language, as far as style.js uses it.

/** @typedef {{zoom: number, properties: Record<string, any>, state: Record<string, any>}} Given */

/**
 * How far a zoom is between two stops, from 0 to 1.
 *
 * @param {["linear"] | ["exponential", number]} how
 * @param {number} zoom
 * @param {number} low
 * @param {number} high
 */
function between([kind, base = 1], zoom, low, high) {
  if (kind === "linear" || base === 1) return (zoom - low) / (high - low);
  return (base ** (zoom - low) - 1) / (base ** (high - low) - 1);
}

/** @type {Record<string, (given: Given, parts: any[]) => any>} */
const WAYS = {
  literal: (_, [value]) => value,
  zoom: (given) => given.zoom,
  get: (given, [name]) => given.properties[name] ?? null,
  has: (given, [name]) => name in given.properties,
  "feature-state": (given, [name]) => given.state[name] ?? null,
  coalesce: (given, parts) => parts.map((part) => evaluate(part, given)).find((value) => value !== null) ?? null,
  "!": (given, [part]) => !evaluate(part, given),
  "-": (given, [a, b]) => evaluate(a, given) - evaluate(b, given),
  "<=": (given, [a, b]) => evaluate(a, given) <= evaluate(b, given),
  all: (given, parts) => parts.every((part) => evaluate(part, given)),
  in: (given, [part, list]) => evaluate(list, given).includes(evaluate(part, given)),
  match: (given, [part, ...cases]) => {
    const value = evaluate(part, given);
    for (let i = 0; i < cases.length - 1; i += 2) if (cases[i] === value) return evaluate(cases[i + 1], given);
    return evaluate(cases[cases.length - 1], given);
  },
  step: (given, [part, first, ...stops]) => {
    const value = evaluate(part, given);
    let chosen = first;
    for (let i = 0; i < stops.length; i += 2) if (value >= stops[i]) chosen = stops[i + 1];
    return evaluate(chosen, given);
  },
  interpolate: (given, [how, part, ...stops]) => {
    const value = evaluate(part, given);
    const last = stops.length - 2;
    if (value <= stops[0]) return evaluate(stops[1], given);
    if (value >= stops[last]) return evaluate(stops[last + 1], given);
    let i = 0;
    while (stops[i + 2] <= value) i += 2;
    const [a, b] = [evaluate(stops[i + 1], given), evaluate(stops[i + 3], given)];
    return a + (b - a) * between(how, value, stops[i], stops[i + 2]);
  },
};

/**
 * The value of an expression; what is no expression is its own value.
 *
 * @param {any} expression
 * @param {Given} given
 * @returns {any}
 */
export function evaluate(expression, given) {
  if (!Array.isArray(expression) || typeof expression[0] !== "string") return expression;
  const way = WAYS[expression[0]];
  if (!way) throw new Error(`no such expression: ${expression[0]}`);
  return way(given, expression.slice(1));
}
