// The reader's language: texts, numbers, days, codes. What the server embedded is read here once.

export const config = JSON.parse(document.getElementById("page-config").textContent);

const locale = config.language;
export const isEnglish = locale === "en";

/** Say one thing; {placeholders} are filled from values. A missing text shows its key. */
export function t(key, values = {}) {
  const template = config.texts[`page.${key}`] ?? key;
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The text if there is one, else the fallback. */
export const tOr = (key, fallback) => config.texts[`page.${key}`] ?? fallback;

/** Pick the name in the reader's language. */
export const nameOf = (thing) => (isEnglish && thing.name_en) || thing.name || "";

/** Pick the label of a level in the reader's language. */
export const labelOf = (level) => (isEnglish && level.label_en) || level.label || "";

/** A number with thousands separators. */
export const number = (value, digits = 0) =>
  value === null || value === undefined
    ? "–"
    : value.toLocaleString(locale, { maximumFractionDigits: digits });

/** A share 0…1 as a percentage; never rounded up to 100 %. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  let value = share * 100;
  if (value < 100 && value > 99.9) value = 99.9;
  return `${value.toLocaleString(locale, { maximumFractionDigits: 1 })}%`;
}

const asDate = (iso) => new Date(iso.length === 10 ? `${iso}T12:00:00+08:00` : iso);

/** A day as people of this language write it. */
export const day = (iso) =>
  iso
    ? asDate(iso).toLocaleDateString(locale === "en" ? "en-GB" : locale, {
        year: "numeric",
        month: isEnglish ? "short" : "long",
        day: "numeric",
        timeZone: "Asia/Shanghai",
      })
    : "–";

/** A day in few characters, for lists. */
export const shortDay = (iso) =>
  asDate(iso).toLocaleDateString(locale === "en" ? "en-GB" : locale, { year: "numeric", month: isEnglish ? "short" : "numeric", day: "numeric", timeZone: "Asia/Shanghai" });

/** A moment, to the minute. */
export const moment = (iso) =>
  asDate(iso).toLocaleString(locale === "en" ? "en-GB" : locale, {
    year: "numeric",
    month: isEnglish ? "short" : "numeric",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "Asia/Shanghai",
  });

/** A list as a sentence would say it. */
export const listed = (items) => items.join(isEnglish ? ", " : "、");
