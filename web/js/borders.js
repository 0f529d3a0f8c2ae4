// The shared edges of the grids, each once, with the level it separates. Nothing here draws.

import { project } from "./projection.js";

/**
 * @param {number[]} a
 * @param {number[]} b
 */
const key = (a, b) => {
  const p = `${a[0].toFixed(7)},${a[1].toFixed(7)}`;
  const q = `${b[0].toFixed(7)},${b[1].toFixed(7)}`;
  return p < q ? `${p} ${q}` : `${q} ${p}`;
};

/** @param {GeoJSON.Polygon | GeoJSON.MultiPolygon} geometry */
function rings(geometry) {
  if (geometry.type === "Polygon") return geometry.coordinates;
  return geometry.coordinates.flat();
}

/**
 * Find the lines between neighbours.
 *
 * @param {GeoJSON.Feature<GeoJSON.Polygon | GeoJSON.MultiPolygon, any>[]} features base grids, a valid coverage
 * @param {(id: number) => number[]} ancestors grid_id → ids from the top level down to itself
 * @returns {{level: number, line: Float64Array}[]} level 0 is the outer edge, 1 between top grids, and so on
 */
export function sharedEdges(features, ancestors) {
  /** @type {Map<string, number[]>} */
  const sides = new Map();
  for (const feature of features) {
    const id = feature.properties.grid_id;
    for (const ring of rings(feature.geometry)) {
      for (let i = 1; i < ring.length; i++) {
        const edge = key(ring[i - 1], ring[i]);
        const owners = sides.get(edge);
        if (owners) owners.push(id);
        else sides.set(edge, [id]);
      }
    }
  }
  /** @type {(a: number, b: number | undefined) => number} */
  const level = (a, b) => {
    if (b === undefined) return 0;
    const chainA = ancestors(a);
    const chainB = ancestors(b);
    for (let i = 0; i < chainA.length; i++) if (chainA[i] !== chainB[i]) return i + 1;
    return chainA.length;
  };
  /** @type {{level: number, line: Float64Array}[]} */
  const pieces = [];
  for (const feature of features) {
    const id = feature.properties.grid_id;
    for (const ring of rings(feature.geometry)) {
      /** @type {number | null} */
      let current = null;
      /** @type {number[]} */
      let points = [];
      const finish = () => {
        if (points.length > 2) pieces.push({ level: current ?? 0, line: Float64Array.from(points) });
        points = [];
        current = null;
      };
      /** @type {number | undefined} */
      let neighbour;
      for (let i = 1; i < ring.length; i++) {
        const owners = sides.get(key(ring[i - 1], ring[i])) ?? [];
        const other = owners.find((owner) => owner !== id);
        if (other !== undefined && other < id) {
          finish();
          continue;
        }
        if (current === null || other !== neighbour) {
          finish();
          neighbour = other;
          current = level(id, other);
          points.push(...project(ring[i - 1][0], ring[i - 1][1]));
        }
        points.push(...project(ring[i][0], ring[i][1]));
      }
      finish();
    }
  }
  return pieces;
}
