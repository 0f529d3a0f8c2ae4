// The words of the coverage and report modes: texts of the room "cover".

import { config, isEnglish, number } from "./texts.js";

/** The text of the room if there is one, else the fallback. */
export function cOr(key, fallback, values = {}) {
  const template = config.texts[`cover.${key}`];
  return template === undefined ? fallback : template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Say one thing of the room; a missing text shows its key. */
export const c = (key, values = {}) => cOr(key, key, values);

/** A difference with its sign, with the true minus. */
export const signed = (value, digits = 0) => (value > 0 ? "+" : value < 0 ? "−" : "±") + number(Math.abs(value), digits);

/** Minutes with their unit. */
export const minutes = (value) => (value === null || value === undefined ? "–" : c("minutes", { n: number(value, 1) }));

/** A difference of two shares in percentage points. */
export const points = (before, after) =>
  before === null || after === null || before === undefined || after === undefined ? "–" : c("points", { n: signed((after - before) * 100, Math.abs(after - before) < 0.001 ? 2 : 1) });

/** Parts of a sentence with the stop between them that the language uses. */
export const dotted = (parts) => parts.filter(Boolean).join(" · ");

/** The word that stands for a place nobody named. */
export const placeText = ({ lon, lat }) => `${lon.toFixed(5)}, ${lat.toFixed(5)}`;

/** Two numbers as somebody typed them: lon, lat; or lat, lon where only that can be meant. Null if neither. */
export function placeOf(text) {
  const found = text.trim().split(/[\s,，;；]+/).map(Number);
  if (found.length !== 2 || !found.every(Number.isFinite)) return null;
  const [lon, lat] = Math.abs(found[1]) > 90 ? [found[1], found[0]] : found;
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? { lon, lat } : null;
}

/** Parts joined as a sentence joins conditions. */
export const semicolons = (parts) => parts.join(isEnglish ? "; " : "；");
