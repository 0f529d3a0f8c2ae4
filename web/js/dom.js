// Small helpers for building the page. Text always goes in as text, never as HTML.

/** @import { Attributes, Shell } from "../types/page.js" */
/** @typedef {string | number | Node | false | null | undefined} Child */
/** @typedef {Child | Child[] | Child[][] | Child[][][]} Children */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {HTMLElement | SVGElement} Made
 * @param {Made} element
 * @param {Attributes} attributes
 * @param {Children[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of /** @type {Child[]} */ (children.flat(3))) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/**
 * Make an HTML element: tag, attributes (on… listeners, style, data), children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Children} children
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Make an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Children} children
 */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * What of some children is there, in one list.
 *
 * @param {any} children as h() takes them
 * @returns {(string | Node)[]}
 */
export const parts = (children) =>
  /** @type {Child[]} */ ([children].flat(4)).flatMap((child) =>
    child === undefined || child === null || child === false ? [] : [typeof child === "number" ? String(child) : child],
  );

/**
 * Find an element by its id; those of the shell are always there.
 *
 * @template {string} Id
 * @param {Id} id
 * @returns {Id extends keyof Shell ? Shell[Id] : HTMLElement | null}
 */
export const at = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * Draw a part anew, and give the focus back to the control that had it.
 *
 * @param {() => void} draw
 */
export function keepingFocus(draw) {
  const id = document.activeElement?.id;
  draw();
  if (id && document.activeElement?.id !== id) document.getElementById(id)?.focus({ preventScroll: true });
}

/** Whether the page has the narrow layout, with the sheet at the bottom. */
export const isNarrow = () =>
  matchMedia("(max-width: 760px) and (min-height: 501px), (max-width: 760px) and (orientation: portrait)").matches;

/** Whether a phone lies on its side: little height, so nothing opens by itself. */
export const isFlat = () => matchMedia("(max-height: 500px) and (orientation: landscape)").matches;

/** Whether the reader asked for less motion. */
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Read a design token of page.css.
 *
 * @param {string} name
 */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * Call fn once the calls have stopped for some milliseconds.
 *
 * @template {any[]} Values
 * @param {number} milliseconds
 * @param {(...values: Values) => void} fn
 * @returns {(...values: Values) => void}
 */
export function settled(milliseconds, fn) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...values), milliseconds);
  };
}
