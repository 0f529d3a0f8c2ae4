// Plane geometry of lines on the screen and rings on the land. Nothing here draws or fetches.

/** @import { Box, Pixel, Position } from "../types/page.js" */
/** @typedef {GeoJSON.Polygon | GeoJSON.MultiPolygon} Land */
/** @typedef {GeoJSON.LineString | GeoJSON.MultiLineString} Line */
/** @typedef {{geometry: Line, properties: {left: string, right: string}}} Edge */

/**
 * @param {Pixel} a
 * @param {Pixel} b
 */
const gap = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/**
 * The place on a segment that is nearest to a point, as {x, y, share}.
 *
 * @param {Pixel} point
 * @param {Pixel} a
 * @param {Pixel} b
 * @returns {Pixel & {share: number}}
 */
export function nearestOnSegment(point, a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = dx * dx + dy * dy;
  const share = length ? Math.min(1, Math.max(0, ((point.x - a.x) * dx + (point.y - a.y) * dy) / length)) : 0;
  return { x: a.x + share * dx, y: a.y + share * dy, share };
}

/**
 * The indices of a line that carry its form: no other strays further than the tolerance.
 *
 * @param {Pixel[]} line
 * @param {number} tolerance
 */
export function carriers(line, tolerance) {
  const kept = new Set([0, line.length - 1]);
  /** @type {(from: number, to: number) => void} */
  const look = (from, to) => {
    let worst = tolerance;
    let at = -1;
    for (let i = from + 1; i < to; i++) {
      const away = gap(line[i], nearestOnSegment(line[i], line[from], line[to]));
      if (away > worst) [worst, at] = [away, i];
    }
    if (at < 0) return;
    kept.add(at);
    look(from, at);
    look(at, to);
  };
  look(0, line.length - 1);
  return kept;
}

/**
 * How far along a line each of its points lies.
 *
 * @param {Pixel[]} line
 */
export function lengths(line) {
  const along = [0];
  for (let i = 1; i < line.length; i++) along.push(along[i - 1] + gap(line[i - 1], line[i]));
  return along;
}

/**
 * @param {Land} geometry
 * @returns {number[][][]}
 */
const rings = (geometry) => (geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat());

/**
 * Whether a place lies inside a GeoJSON polygon: an odd number of edges to the east.
 *
 * @param {number[]} place
 * @param {Land} geometry
 */
export function isInside([lon, lat], geometry) {
  let isIn = false;
  for (const ring of rings(geometry)) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [ax, ay] = ring[i];
      const [bx, by] = ring[j];
      if (ay > lat !== by > lat && lon < ((bx - ax) * (lat - ay)) / (by - ay) + ax) isIn = !isIn;
    }
  }
  return isIn;
}

/**
 * Runs of border between the same two grids as one edge, the longest line that they make.
 *
 * @param {Edge[]} features
 */
export function joined(features) {
  /** @type {Map<string, {left: string, right: string, runs: number[][][]}>} */
  const pairs = new Map();
  for (const {
    geometry,
    properties: { left, right },
  } of features) {
    const pair = [left, right].sort().join(" ");
    const runs = geometry.type === "LineString" ? [geometry.coordinates] : geometry.coordinates;
    const known = pairs.get(pair) ?? { left, right, runs: [] };
    known.runs.push(...runs.map((run) => (left === known.left ? run : [...run].reverse())));
    pairs.set(pair, known);
  }
  return [...pairs.values()].map(({ left, right, runs }) => {
    /** @type {number[][][]} */
    const chains = [];
    while (runs.length) {
      let chain = runs.pop() ?? [];
      for (let i = 0; i < runs.length; i++) {
        const isAfter = same(chain[chain.length - 1], runs[i][0]);
        if (!isAfter && !same(runs[i][runs[i].length - 1], chain[0])) continue;
        const [next] = runs.splice(i, 1);
        chain = isAfter ? [...chain, ...next.slice(1)] : [...next, ...chain.slice(1)];
        i = -1;
      }
      chains.push(chain);
    }
    return {
      properties: { left, right },
      geometry: /** @type {Line} */ ({ type: "MultiLineString", coordinates: chains }),
    };
  });
}

/**
 * @param {number[]} a
 * @param {number[]} b
 */
const same = (a, b) => Math.abs(a[0] - b[0]) < 1e-10 && Math.abs(a[1] - b[1]) < 1e-10;

const ROWS = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8];
const CLEARLY_WIDER = 1.3;

/**
 * A place inside a polygon to write its name: in the middle of its widest stretch, half way up unless another height has much more room.
 *
 * @param {Land} geometry
 * @returns {Position}
 */
export function labelPoint(geometry) {
  const [, south, , north] = boxOf(positionsOf(geometry));
  const stretches = ROWS.map((share) => widest(geometry, south + share * (north - south)));
  const best = stretches.reduce((a, b) => (b.wide > a.wide * CLEARLY_WIDER ? b : a));
  return [best.lon, best.lat];
}

/**
 * The widest stretch of a polygon at a latitude: its middle and its width in degrees.
 *
 * @param {Land} geometry
 * @param {number} lat
 */
function widest(geometry, lat) {
  const [west, , east] = boxOf(positionsOf(geometry));
  const crossings = rings(geometry)
    .flatMap((ring) =>
      ring.slice(1).flatMap(([bx, by], i) => {
        const [ax, ay] = ring[i];
        return ay > lat !== by > lat ? [ax + ((bx - ax) * (lat - ay)) / (by - ay)] : [];
      }),
    )
    .sort((a, b) => a - b);
  let best = { lon: (west + east) / 2, lat, wide: 0 };
  for (let i = 0; i + 1 < crossings.length; i += 2) {
    const wide = crossings[i + 1] - crossings[i];
    if (wide > best.wide) best = { lon: crossings[i] + wide / 2, lat, wide };
  }
  return best;
}

/**
 * A place on a thing that is drawn as a point or as its footprint.
 *
 * @param {GeoJSON.Point | Land} geometry
 */
export const spotOf = (geometry) => (geometry.type === "Point" ? geometry.coordinates : labelPoint(geometry));

/**
 * West, south, east, north of positions.
 *
 * @param {number[][]} positions
 * @returns {Box}
 */
export function boxOf(positions) {
  /** @type {Box} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of positions) {
    box[0] = Math.min(box[0], lon);
    box[1] = Math.min(box[1], lat);
    box[2] = Math.max(box[2], lon);
    box[3] = Math.max(box[3], lat);
  }
  return box;
}

/**
 * A box as the API takes it.
 *
 * @param {number[]} box
 */
export const boxText = (box) => box.map((degrees) => degrees.toFixed(6)).join(",");

/** How deep positions lie in the coordinates of a geometry. */
const DEPTH = { LineString: 0, MultiPoint: 0, Polygon: 1, MultiLineString: 1, MultiPolygon: 2 };

/**
 * Every position of a geometry of any kind, in one row.
 *
 * @param {GeoJSON.Geometry} geometry
 * @returns {number[][]}
 */
export function positionsOf(geometry) {
  if (geometry.type === "Point") return [geometry.coordinates];
  if (geometry.type === "GeometryCollection") return geometry.geometries.flatMap(positionsOf);
  return /** @type {any[]} */ (geometry.coordinates).flat(DEPTH[geometry.type]);
}

/**
 * Where on its outer ring a polygon meets others or turns most: what a cut may start from.
 *
 * @param {Land} geometry
 * @param {number} count
 * @returns {number[][]}
 */
export function borderPoints(geometry, count) {
  const ring = (
    geometry.type === "Polygon"
      ? geometry.coordinates
      : [...geometry.coordinates].sort((a, b) => b[0].length - a[0].length)[0]
  )[0];
  const squeeze = Math.cos((ring[0][1] * Math.PI) / 180);
  const along = lengths(ring.map(([lon, lat]) => ({ x: lon * squeeze, y: lat })));
  const total = along[along.length - 1];
  return Array.from({ length: count }, (_, n) => {
    const wanted = (total * n) / count;
    const i = Math.max(
      1,
      along.findIndex((value) => value >= wanted),
    );
    const share = (wanted - along[i - 1]) / (along[i] - along[i - 1] || 1);
    return ring[i - 1].map((value, axis) => value + share * (ring[i][axis] - value));
  });
}

/**
 * Which way one place lies from another: one of eight.
 *
 * @param {number[]} from
 * @param {number[]} to
 */
export function bearing([fromLon, fromLat], [lon, lat]) {
  const angle = Math.atan2((lon - fromLon) * Math.cos((lat * Math.PI) / 180), lat - fromLat);
  return ["n", "ne", "e", "se", "s", "sw", "w", "nw"][(Math.round(angle / (Math.PI / 4)) + 8) % 8];
}

/**
 * The stretches of a polygon's border that run through other land, not along its border.
 *
 * @param {Land} geometry
 * @param {(place: number[]) => Land | undefined} landAt what lies at a place
 * @returns {number[][][]}
 */
export function stretchesThrough(geometry, landAt) {
  /** @type {number[][][]} */
  const stretches = [];
  for (const ring of rings(geometry)) {
    let isOpen = false;
    for (let i = 1; i < ring.length; i++) {
      const middle = ring[i].map((value, axis) => (value + ring[i - 1][axis]) / 2);
      const land = landAt(middle);
      const isInner = land !== undefined && !isOnBorder(middle, land);
      if (isInner && !isOpen) stretches.push([ring[i - 1]]);
      if (isInner) stretches[stretches.length - 1].push(ring[i]);
      isOpen = isInner;
    }
  }
  return stretches;
}

const ON_BORDER = 1e-5; // degrees, about a metre

/**
 * @param {number[]} place
 * @param {Land} geometry
 */
function isOnBorder([x, y], geometry) {
  /** @param {number[]} position */
  const pixel = ([lon, lat]) => ({ x: lon, y: lat });
  return rings(geometry).some((ring) =>
    ring.some(
      (end, i) => i > 0 && gap({ x, y }, nearestOnSegment({ x, y }, pixel(ring[i - 1]), pixel(end))) < ON_BORDER,
    ),
  );
}

/**
 * Whether two lines are the same but for so many metres.
 *
 * @param {number[][]} a
 * @param {number[][]} b
 * @param {number} metres
 */
export function isSameLine(a, b, metres) {
  const [[lonHere, latHere]] = a;
  const north = 111_320;
  const east = north * Math.cos((latHere * Math.PI) / 180);
  /** @type {(place: number[]) => Pixel} */
  const flat = ([lon, lat]) => ({ x: (lon - lonHere) * east, y: (lat - latHere) * north });
  /** @type {(line: Pixel[], path: Pixel[]) => boolean} */
  const isNear = (line, path) =>
    line.every((here) => path.some((end, i) => i > 0 && gap(here, nearestOnSegment(here, path[i - 1], end)) <= metres));
  return isNear(a.map(flat), b.map(flat)) && isNear(b.map(flat), a.map(flat));
}
