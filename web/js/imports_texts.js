// The words of the imports: texts of the room "imports", names of kinds and systems, sizes.

import { config, isEnglish, number, textsOf } from "./texts.js";

export const { say: i, sayOr: iOr } = textsOf("imports");

const MB = 1024 * 1024;

/** @type {Record<string, string>} */
const OPTIONS = { crs: "crs", encoding: "encoding", layer: "layer", key: "key", column: "columns", set: "more" };

/**
 * What the server says of a file names options of a command; here the same are fields.
 *
 * @param {string} text
 */
export function inWordsOfThePage(text) {
  return text.replace(/( ?)--(crs|encoding|layer|key|column|set)\b( ?)/g, (_, before, name, after) =>
    isEnglish ? `${before}“${i(OPTIONS[name])}”${after}` : `“${i(OPTIONS[name])}”`,
  );
}

/** @param {string} kind */
export const kindTitle = (kind) => iOr(`kind_${kind}`, kind);

/** @param {string} code of a coordinate system */
export const systemName = (code) => iOr(`crs_${code}`, code);

/** @param {number} bytes */
export const sizeText = (bytes) =>
  bytes < MB / 10 ? `${number(Math.ceil(bytes / 1024))} kB` : `${number(bytes / MB, 1)} MB`;

/** @param {number} megabytes */
export const bytesOf = (megabytes) => megabytes * MB;

/** @param {string} path of a table of refused rows */
export const csvAddress = (path) => `${path}?lang=${config.language}`;
