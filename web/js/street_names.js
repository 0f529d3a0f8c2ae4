// Where the names of streets stand along them. Pixels of the map in, pixels out; names.js writes them.

/** @import { Pixel } from "../types/page.js" */
/** @typedef {{name: string, road_class: string, points: Pixel[]}} Street a piece of a street, as a tile has it */
/** @typedef {{name: string, x: number, y: number, angle: number, width: number, order: number}} StreetName */

const STEP_PX = 16; // between the places that are tried
const REPEAT_PX = 360; // the same name does not stand nearer to itself
const STRAIGHT = 0.985; // chord of the stretch below a name, as a share of its length
const GREATER = ["motorway", "trunk", "primary", "secondary", "tertiary"];

/** @param {Pixel} point */
const keyOf = ({ x, y }) => `${Math.round(x * 2)} ${Math.round(y * 2)}`;

/**
 * Whether a piece may be seen: it does not lie all on one side of the view.
 *
 * @param {Pixel[]} points
 * @param {Pixel} view
 */
const isInView = (points, view) =>
  points.some(({ x }) => x >= 0) &&
  points.some(({ y }) => y >= 0) &&
  points.some(({ x }) => x <= view.x) &&
  points.some(({ y }) => y <= view.y);

/**
 * Pieces that end where others begin, as long lines: roads are cut at every junction.
 *
 * @param {Pixel[][]} pieces of one name
 * @returns {Pixel[][]}
 */
export function joinPieces(pieces) {
  /** @type {Map<string, Pixel[][]>} */
  const byEnd = new Map();
  for (const piece of pieces) {
    for (const key of [keyOf(piece[0]), keyOf(piece[piece.length - 1])]) {
      byEnd.set(key, [...(byEnd.get(key) ?? []), piece]);
    }
  }
  const left = new Set(pieces);
  const grow = (/** @type {Pixel[]} */ line) => {
    for (;;) {
      const key = keyOf(line[line.length - 1]);
      const next = byEnd.get(key)?.find((piece) => left.has(piece));
      if (!next) return line;
      left.delete(next);
      line.push(...(keyOf(next[0]) === key ? next : [...next].reverse()).slice(1));
    }
  };
  /** @type {Pixel[][]} */
  const lines = [];
  for (const piece of pieces) if (left.delete(piece)) lines.push(grow(grow([...piece]).reverse()));
  return lines;
}

/**
 * The places along a line where a name would lie on a straight stretch that is in view.
 *
 * @param {Pixel[]} line
 * @param {number} width of the name
 * @param {Pixel} view width and height of the map
 */
export function placesAlong(line, width, view) {
  const far = [0];
  for (let i = 1; i < line.length; i += 1)
    far.push(far[i - 1] + Math.hypot(line[i].x - line[i - 1].x, line[i].y - line[i - 1].y));
  const length = far[far.length - 1];
  /** Goes along the line and never back. */
  const walker = () => {
    let i = 1;
    return (/** @type {number} */ at) => {
      while (i < far.length - 1 && far[i] < at) i += 1;
      const share = (at - far[i - 1]) / (far[i] - far[i - 1] || 1);
      return {
        x: line[i - 1].x + share * (line[i].x - line[i - 1].x),
        y: line[i - 1].y + share * (line[i].y - line[i - 1].y),
      };
    };
  };
  const [start, end] = [walker(), walker()];
  const places = [];
  for (let at = width / 2; at <= length - width / 2; at += STEP_PX) {
    const [a, b] = [start(at - width / 2), end(at + width / 2)];
    const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    if (x < 0 || y < 0 || x > view.x || y > view.y) continue;
    if (Math.hypot(b.x - a.x, b.y - a.y) < STRAIGHT * width) continue;
    const angle = Math.atan2(b.y - a.y, b.x - a.x);
    // Never upside down: a name is read from the left, on a steep street from above.
    const turned = angle > Math.PI / 2 ? angle - Math.PI : angle <= -Math.PI / 2 ? angle + Math.PI : angle;
    places.push({ x, y, angle: turned });
  }
  return places;
}

/**
 * Names of streets with their places, those of greater streets first; near to one another none twice.
 *
 * @param {Street[]} streets
 * @param {Pixel} view width and height of the map
 * @param {(name: string) => number} widthOf in pixels
 * @returns {StreetName[]}
 */
export function streetNames(streets, view, widthOf) {
  /** @type {Map<string, Street[]>} */
  const byName = new Map();
  for (const street of streets) {
    if (!isInView(street.points, view)) continue;
    const pieces = byName.get(street.name);
    if (pieces) pieces.push(street);
    else byName.set(street.name, [street]);
  }
  return [...byName]
    .flatMap(([name, pieces]) => {
      const width = widthOf(name);
      const ranks = pieces.map(({ road_class }) => GREATER.indexOf(road_class)).filter((rank) => rank >= 0);
      const order = Math.min(GREATER.length, ...ranks);
      /** @type {StreetName[]} */
      const names = [];
      for (const line of joinPieces(pieces.map(({ points }) => points))) {
        const places = placesAlong(line, width, view);
        const middle = places.length / 2;
        const fromMiddle = places
          .map((place, i) => ({ place, off: Math.abs(i + 0.5 - middle) }))
          .sort((a, b) => a.off - b.off);
        for (const { place } of fromMiddle) {
          const isNear = names.some(({ x, y }) => Math.hypot(x - place.x, y - place.y) < REPEAT_PX);
          if (!isNear) names.push({ name, width, order, ...place });
        }
      }
      return names;
    })
    .sort((a, b) => a.order - b.order);
}
