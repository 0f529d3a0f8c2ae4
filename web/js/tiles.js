// Reads vector tiles: the bytes of one tile in, its layers out, in the tile's own units.

import { ApiError } from "./api.js";
import { t } from "./texts.js";

/** @import { Box } from "../types/page.js" */
/**
 * @typedef {object} Feature
 * @property {number | undefined} id
 * @property {Record<string, string | number | boolean>} properties
 * @property {number[][]} lines rings of an area, or lines: x, y, x, y …
 * @property {Box} box
 */
/** @typedef {{extent: number, features: Feature[]}} Part */

const words = new TextDecoder();

/** The fields of a message in the wire format of protocol buffers. */
class Message {
  /**
   * @param {Uint8Array} bytes
   * @param {number} [at]
   * @param {number} [end]
   */
  constructor(bytes, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset);
    this.at = at;
    this.end = end;
  }

  /** @returns {number} exact up to 2^53 */
  varint() {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  /** The bytes of a field that has a length, as a message of its own. */
  message() {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    return new Message(this.bytes, start, this.at);
  }

  text() {
    const { at, end } = this.message();
    return words.decode(this.bytes.subarray(at, end));
  }

  /** @param {number} size */
  fixed(size) {
    this.at += size;
    return size === 4 ? this.view.getFloat32(this.at - 4, true) : this.view.getFloat64(this.at - 8, true);
  }

  /** @param {number} wire the kind of a field that is not wanted */
  skip(wire) {
    if (wire === 0) this.varint();
    else if (wire === 1) this.at += 8;
    else if (wire === 5) this.at += 4;
    else this.message();
  }

  /** @param {Record<number, () => void>} fields what to do with each; the others are left out */
  each(fields) {
    while (this.at < this.end) {
      const key = this.varint();
      const read = fields[Math.floor(key / 8)];
      if (read) read();
      else this.skip(key % 8);
    }
  }

  /** Numbers that follow one another without keys. */
  numbers() {
    const packed = this.message();
    const numbers = [];
    while (packed.at < packed.end) numbers.push(packed.varint());
    return numbers;
  }
}

/** @param {number} value */
const signed = (value) => (value % 2 ? -(value + 1) / 2 : value / 2);

/** @param {Message} message */
function readValue(message) {
  /** @type {string | number | boolean} */
  let value = "";
  message.each({
    1: () => (value = message.text()),
    2: () => (value = message.fixed(4)),
    3: () => (value = message.fixed(8)),
    4: () => (value = message.varint()),
    5: () => (value = message.varint()),
    6: () => (value = signed(message.varint())),
    7: () => (value = message.varint() === 1),
  });
  return value;
}

/**
 * Lines of a feature from its commands: move, draw, close.
 *
 * @param {number[]} commands
 * @returns {{lines: number[][], box: Box}}
 */
function linesOf(commands) {
  /** @type {number[][]} */
  const lines = [];
  /** @type {Box} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  let [x, y] = [0, 0];
  for (let i = 0; i < commands.length;) {
    const command = commands[i] % 8;
    const count = Math.floor(commands[i] / 8);
    i += 1;
    if (command === 7) continue; // an area is closed anyway
    for (let n = 0; n < count; n += 1, i += 2) {
      x += signed(commands[i]);
      y += signed(commands[i + 1]);
      if (command === 1) lines.push([]);
      lines[lines.length - 1].push(x, y);
      if (x < box[0]) box[0] = x;
      if (y < box[1]) box[1] = y;
      if (x > box[2]) box[2] = x;
      if (y > box[3]) box[3] = y;
    }
  }
  return { lines, box };
}

/**
 * The layers of a tile by name.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Record<string, Part>}
 */
export function decode(buffer) {
  /** @type {Record<string, Part>} */
  const parts = {};
  const tile = new Message(new Uint8Array(buffer));
  tile.each({
    3: () => {
      const layer = tile.message();
      let name = "";
      let extent = 4096;
      /** @type {string[]} */
      const keys = [];
      /** @type {(string | number | boolean)[]} */
      const values = [];
      /** @type {Message[]} */
      const features = [];
      layer.each({
        1: () => (name = layer.text()),
        2: () => features.push(layer.message()),
        3: () => keys.push(layer.text()),
        4: () => values.push(readValue(layer.message())),
        5: () => (extent = layer.varint()),
      });
      parts[name] = { extent, features: features.map((feature) => readFeature(feature, keys, values)) };
    },
  });
  return parts;
}

/**
 * @param {Message} feature
 * @param {string[]} keys
 * @param {(string | number | boolean)[]} values
 * @returns {Feature}
 */
function readFeature(feature, keys, values) {
  /** @type {number | undefined} */
  let id;
  /** @type {number[]} */
  let tags = [];
  /** @type {number[]} */
  let commands = [];
  feature.each({
    1: () => (id = feature.varint()),
    2: () => (tags = feature.numbers()),
    4: () => (commands = feature.numbers()),
  });
  /** @type {Feature["properties"]} */
  const properties = {};
  for (let i = 0; i < tags.length; i += 2) properties[keys[tags[i]]] = values[tags[i + 1]];
  return { id, properties, ...linesOf(commands) };
}

/**
 * Whether a point lies in an area of a tile.
 *
 * @param {Feature} feature
 * @param {number} x
 * @param {number} y
 */
export function isInside({ lines, box }, x, y) {
  if (x < box[0] || y < box[1] || x > box[2] || y > box[3]) return false;
  let isIn = false;
  for (const ring of lines) {
    for (let i = 0, before = ring.length - 2; i < ring.length; before = i, i += 2) {
      const [x0, y0, x1, y1] = [ring[before], ring[before + 1], ring[i], ring[i + 1]];
      if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) isIn = !isIn;
    }
  }
  return isIn;
}

/**
 * Fetch and read one tile; nothing lies in an empty one.
 *
 * @param {string} address
 * @param {AbortSignal} signal
 */
export async function fetchTile(address, signal) {
  let response;
  try {
    response = await fetch(address, { signal });
  } catch (error) {
    throw error instanceof TypeError ? new ApiError(0, t("error_server_gone")) : error;
  }
  if (!response.ok) throw new ApiError(response.status, t("error_status", { status: response.status }));
  return decode(await response.arrayBuffer());
}
