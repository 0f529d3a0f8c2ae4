// Small helpers for building the page. Text always goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child);
  }
  return element;
}

/** Make an HTML element: tag, attributes (on… listeners, style, data), children. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Find an element of the shell by its id. */
export const at = (id) => document.getElementById(id);

/** Draw a part anew, and give the focus back to the control that had it. */
export function keepingFocus(draw) {
  const { id } = document.activeElement ?? {};
  draw();
  if (id && document.activeElement?.id !== id) at(id)?.focus({ preventScroll: true });
}

/** Whether the page has the narrow layout, with the sheet at the bottom. */
export const isNarrow = () => matchMedia("(max-width: 760px) and (min-height: 501px), (max-width: 760px) and (orientation: portrait)").matches;

/** Whether a phone lies on its side: little height, so nothing opens by itself. */
export const isFlat = () => matchMedia("(max-height: 500px) and (orientation: landscape)").matches;

/** Whether the reader asked for less motion. */
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Read a design token of page.css. */
export const token = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Call fn once the calls have stopped for some milliseconds. */
export function settled(milliseconds, fn) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...values), milliseconds);
  };
}
