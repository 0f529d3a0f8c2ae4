// The reader's language: texts, numbers, days, codes. What the server embedded is read here once.

/** @import { Config, Named } from "../types/page.js" */

/** @type {Config} */
export const config = JSON.parse(document.getElementById("page-config")?.textContent ?? "");

/**
 * Boundaries were published: the schemes as they are now.
 *
 * @param {Config["schemes"]} schemes
 */
export function takeSchemes(schemes) {
  config.schemes = schemes;
}

const locale = config.language;
export const isEnglish = locale === "en";

/** @typedef {Record<string, string | number | null | undefined>} Values */

/**
 * The texts of one room of the messages, such as "page" or "plan".
 *
 * @param {string} room
 */
export function textsOf(room) {
  /**
   * The text if there is one, else the fallback; {placeholders} are filled from values.
   *
   * @template Fallback
   * @param {string} key
   * @param {Fallback} fallback
   * @param {Values} [values]
   * @returns {string | Fallback}
   */
  const sayOr = (key, fallback, values = {}) => {
    const template = config.texts[`${room}.${key}`];
    if (template === undefined) return fallback;
    return template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
  /**
   * Say one thing; a missing text shows its key.
   *
   * @param {string} key
   * @param {Values} [values]
   */
  const say = (key, values) => sayOr(key, key, values);
  return { say, sayOr };
}

/** The words that every mode uses. */
export const { say: t, sayOr: tOr } = textsOf("page");

/**
 * Pick the name in the reader's language.
 *
 * @param {Named} thing
 */
export const nameOf = (thing) => (isEnglish && thing.name_en) || thing.name || "";

/**
 * Pick the label of a level in the reader's language.
 *
 * @param {{label?: string | null, label_en?: string | null}} level
 */
export const labelOf = (level) => (isEnglish && level.label_en) || level.label || "";

/**
 * A number with thousands separators.
 *
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export const number = (value, digits = 0) =>
  value === null || value === undefined ? "–" : value.toLocaleString(locale, { maximumFractionDigits: digits });

/**
 * A share 0…1 as a percentage; never rounded up to 100 %.
 *
 * @param {number | null | undefined} share
 * @param {number} [digits]
 */
export function percent(share, digits = 1) {
  if (share === null || share === undefined) return "–";
  const most = 100 - 10 ** -digits;
  const value = share < 1 ? Math.min(share * 100, most) : share * 100;
  return `${number(value, digits)}%`;
}

/** @param {string} iso */
const asDate = (iso) => new Date(iso.length === 10 ? `${iso}T12:00:00+08:00` : iso);

/**
 * A day as people of this language write it.
 *
 * @param {string | null | undefined} iso
 */
export const day = (iso) =>
  iso
    ? asDate(iso).toLocaleDateString(locale === "en" ? "en-GB" : locale, {
        year: "numeric",
        month: isEnglish ? "short" : "long",
        day: "numeric",
        timeZone: "Asia/Shanghai",
      })
    : "–";

/**
 * A day in few characters, for lists.
 *
 * @param {string} iso
 */
export const shortDay = (iso) =>
  asDate(iso).toLocaleDateString(locale === "en" ? "en-GB" : locale, {
    year: "numeric",
    month: isEnglish ? "short" : "numeric",
    day: "numeric",
    timeZone: "Asia/Shanghai",
  });

/**
 * A moment, to the minute.
 *
 * @param {string} iso
 */
export const moment = (iso) =>
  asDate(iso).toLocaleString(locale === "en" ? "en-GB" : locale, {
    year: "numeric",
    month: isEnglish ? "short" : "numeric",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "Asia/Shanghai",
  });

/**
 * A distance: metres, from ten kilometres on kilometres.
 *
 * @param {number} metres
 */
export const distance = (metres) => (metres < 10_000 ? `${number(metres)} m` : `${number(metres / 1000)} km`);

/**
 * A place as longitude, latitude.
 *
 * @param {{lon: number, lat: number}} place
 * @param {number} [digits]
 */
export const coordinates = ({ lon, lat }, digits = 5) => `${lon.toFixed(digits)}, ${lat.toFixed(digits)}`;

/**
 * The place in what was typed or pasted: two numbers, longitude first unless only the other can be meant.
 *
 * @param {string} text
 * @returns {{lon: number, lat: number} | null} null where there are not two, or they are no place
 */
export function placeIn(text) {
  const degrees = text.match(/-?\d+(?:\.\d+)?/g)?.map(Number) ?? [];
  const [lon, lat] = Math.abs(degrees[0]) <= 90 && Math.abs(degrees[1]) > 90 ? [degrees[1], degrees[0]] : degrees;
  return degrees.length === 2 && Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? { lon, lat } : null;
}

/**
 * A list as a sentence would say it.
 *
 * @param {string[]} items
 */
export const listed = (items) => items.join(isEnglish ? ", " : "、");
