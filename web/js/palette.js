// The colours of fills. tests/palette.test.js holds them to what they must be: never water's colour, and told
// apart by every eye, in grey print, by day and by night.

import { token } from "./dom.js";

/** Shares of households: ColorBrewer's YlGnBu, as the server has it. */
export const SHARES = ["#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494"];

/** Far too few, too few, right, too many, far too many; each with a lightness of its own, as in figures/classes.py. */
export const AROUND_TARGET = ["#6b4a9b", "#b3a2d0", "#efe9d2", "#eebd80", "#c8682c"];

/** Minutes under half of a limit, under all of it, under twice, over: what is well is not the colour of "right". */
export const AROUND_LIMIT = [0, 1, 3, 4].map((place) => AROUND_TARGET[place]);

/** Bands of time, the nearest first: the darker of ColorBrewer's Purples. */
export const BANDS = ["#54278f", "#756bb1", "#9e9ac8"];

/** How strong areas of a run are: streets shine through. */
export const AREA_OPACITY = 0.7;
export const SWIPE_OPACITY = 0.88;

const SOFTENED = 0.6;
const PAPER = [246, 243, 236];
const NIGHT = { darkest: 27, span: 0.5, chroma: 0.85, mostChroma: 40 };
const WHITE = [0.9505, 1, 1.089];

/** @param {string} colour as #rrggbb */
const rgbOf = (colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));

/**
 * CIE Lab of red, green, blue 0…255.
 *
 * @param {number[]} rgb
 */
function labOf(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const [x, y, z] = [
    0.4124 * r + 0.3576 * g + 0.1805 * b,
    0.2126 * r + 0.7152 * g + 0.0722 * b,
    0.0193 * r + 0.1192 * g + 0.9505 * b,
  ].map((value, i) => {
    const share = value / WHITE[i];
    return share > 0.008856 ? Math.cbrt(share) : 7.787 * share + 16 / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/**
 * Red, green, blue 0…255 of CIE Lab; what a screen cannot show is cut off.
 *
 * @param {number[]} lab
 */
function fromLab([l, a, b]) {
  const middle = (l + 16) / 116;
  const [x, y, z] = [middle + a / 500, middle, middle - b / 200].map(
    (value, i) => WHITE[i] * (value > 0.2069 ? value ** 3 : (value - 16 / 116) / 7.787),
  );
  return [
    3.2406 * x - 1.5372 * y - 0.4986 * z,
    -0.9689 * x + 1.8758 * y + 0.0415 * z,
    0.0557 * x - 0.204 * y + 1.057 * z,
  ].map((value) => {
    const light = Math.min(Math.max(value, 0), 1);
    return 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
  });
}

/**
 * A colour of a class for the surroundings: softened by the paper; at night light and dark change places.
 *
 * @param {string} colour as #rrggbb
 */
export function colourFor(colour) {
  let rgb = rgbOf(colour);
  if (token("surroundings") === "dark") {
    const [l, a, b] = labOf(rgb);
    const calmed = Math.min(NIGHT.chroma, NIGHT.mostChroma / (Math.hypot(a, b) || 1));
    rgb = fromLab([NIGHT.darkest + (100 - l) * NIGHT.span, a * calmed, b * calmed]);
  } else rgb = rgb.map((value, i) => SOFTENED * value + (1 - SOFTENED) * PAPER[i]);
  return `rgb(${rgb.map(Math.round).join(" ")})`;
}
