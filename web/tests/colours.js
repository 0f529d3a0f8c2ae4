// How colours look: CIE Lab, the difference CIEDE2000, and what eyes with each of the three kinds of colour
// blindness see (Machado, Oliveira and Fernandes 2009, severity 1.0).

/** Red, green, blue 0…255 of "#rrggbb", "rgb(r g b)". */
export function rgbOf(colour) {
  if (colour.startsWith("#")) return [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
  const numbers = colour.match(/[\d.]+/g).map(Number);
  if (!colour.startsWith("rgb") || numbers.length !== 3) throw new Error(`not a plain colour: ${colour}`);
  return numbers;
}

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, factor, i) => sum + factor * vector[i], 0));

const TO_XYZ = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const WHITE = [0.95047, 1, 1.08883];

/** Eyes by name; each takes and gives linear red, green, blue. */
export const EYES = {
  all: (light) => light,
  "no red": (light) =>
    times([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]], light), // prettier-ignore
  "no green": (light) =>
    times([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]], light), // prettier-ignore
  "no blue": (light) =>
    times([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]], light), // prettier-ignore
  "grey print": (light) => Array(3).fill(times(TO_XYZ, light)[1]),
};

/** CIE Lab of a colour as such eyes see it. */
export function labOf(colour, eyes = EYES.all) {
  const light = eyes(rgbOf(colour).map((value) => linear(value / 255))).map((value) => Math.min(Math.max(value, 0), 1));
  const [x, y, z] = times(TO_XYZ, light).map((value, i) => {
    const share = value / WHITE[i];
    return share > (6 / 29) ** 3 ? Math.cbrt(share) : share / (3 * (6 / 29) ** 2) + 4 / 29;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const degrees = (radians) => (radians * 180) / Math.PI;
const radians = (angle) => (angle * Math.PI) / 180;
const hueOf = (a, b) => (a || b ? (degrees(Math.atan2(b, a)) + 360) % 360 : 0);

/** CIEDE2000 of two colours in Lab (Sharma, Wu and Dalal 2005). */
export function deltaE([l1, a1, b1], [l2, a2, b2]) {
  const chroma = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const g = 0.5 * (1 - Math.sqrt(chroma ** 7 / (chroma ** 7 + 25 ** 7)));
  const [p1, p2] = [a1 * (1 + g), a2 * (1 + g)];
  const [c1, c2] = [Math.hypot(p1, b1), Math.hypot(p2, b2)];
  const [h1, h2] = [hueOf(p1, b1), hueOf(p2, b2)];
  const isGrey = c1 * c2 === 0;
  let turn = h2 - h1;
  if (isGrey) turn = 0;
  else if (turn > 180) turn -= 360;
  else if (turn < -180) turn += 360;
  const dL = l2 - l1;
  const dC = c2 - c1;
  const dH = 2 * Math.sqrt(c1 * c2) * Math.sin(radians(turn / 2));
  const l = (l1 + l2) / 2;
  const c = (c1 + c2) / 2;
  let h = h1 + h2;
  if (!isGrey) h = Math.abs(h1 - h2) <= 180 ? h / 2 : (h + (h < 360 ? 360 : -360)) / 2;
  const t =
    1 -
    0.17 * Math.cos(radians(h - 30)) +
    0.24 * Math.cos(radians(2 * h)) +
    0.32 * Math.cos(radians(3 * h + 6)) -
    0.2 * Math.cos(radians(4 * h - 63));
  const sL = 1 + (0.015 * (l - 50) ** 2) / Math.sqrt(20 + (l - 50) ** 2);
  const sC = 1 + 0.045 * c;
  const sH = 1 + 0.015 * c * t;
  const rotation =
    -2 * Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7)) * Math.sin(radians(60 * Math.exp(-(((h - 275) / 25) ** 2))));
  return Math.sqrt((dL / sL) ** 2 + (dC / sC) ** 2 + (dH / sH) ** 2 + rotation * (dC / sC) * (dH / sH));
}

/** How different two colours look to such eyes. */
export const difference = (one, other, eyes = EYES.all) => deltaE(labOf(one, eyes), labOf(other, eyes));
