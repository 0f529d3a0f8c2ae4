// Web Mercator on the unit square, and features held ready for drawing.

/** @import { Box, Position } from "../types/page.js" */
/** @typedef {{lines: Float64Array[], box: Box, properties: Record<string, any>}} Prepared */

/**
 * lon, lat in degrees to x, y in 0…1 (y downwards).
 *
 * @param {number} lon
 * @param {number} lat
 * @returns {[number, number]}
 */
export function project(lon, lat) {
  const sine = Math.sin((lat * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

/**
 * x, y in 0…1 to lon, lat in degrees.
 *
 * @param {number} x
 * @param {number} y
 * @returns {Position}
 */
export function unproject(x, y) {
  return [(x - 0.5) * 360, (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI];
}

/**
 * @param {number[][]} coordinates
 * @param {Box} box grown by what the line covers
 */
function line(coordinates, box) {
  const flat = new Float64Array(coordinates.length * 2);
  coordinates.forEach(([lon, lat], i) => {
    const [x, y] = project(lon, lat);
    flat[2 * i] = x;
    flat[2 * i + 1] = y;
    if (x < box[0]) box[0] = x;
    if (y < box[1]) box[1] = y;
    if (x > box[2]) box[2] = x;
    if (y > box[3]) box[3] = y;
  });
  return flat;
}

/**
 * @param {GeoJSON.Geometry | null} geometry
 * @returns {number[][][]}
 */
function lines(geometry) {
  if (!geometry) return [];
  if (geometry.type === "LineString") return [geometry.coordinates];
  if (geometry.type === "MultiLineString" || geometry.type === "Polygon") return geometry.coordinates;
  if (geometry.type === "MultiPolygon") return geometry.coordinates.flat();
  return [];
}

/**
 * GeoJSON features to {lines: [Float64Array], box, properties}.
 *
 * @param {{features: {geometry: GeoJSON.Geometry | null, properties: any}[]}} collection
 * @returns {Prepared[]}
 */
export function prepare(collection) {
  return collection.features.map((feature) => {
    /** @type {Box} */
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    return {
      lines: lines(feature.geometry).map((coordinates) => line(coordinates, box)),
      box,
      properties: feature.properties,
    };
  });
}

/**
 * Whether two boxes [x0, y0, x1, y1] touch.
 *
 * @param {Box} a
 * @param {Box} b
 */
export const touch = (a, b) => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];
