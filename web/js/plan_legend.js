// The figures of the legend as the draft has them: published ones, but for the grids that the draft changes.

import { sizeClass } from "./plan_map.js";

/** @import { Figures } from "../types/page.js" */
/** @import { FaceProperties } from "./plan_map.js" */

/**
 * Count the grids of each class as drafted.
 *
 * @param {Figures} published
 * @param {{properties: FaceProperties}[]} changed
 * @param {string[]} retired keys of grids that the draft ends
 * @returns {Figures}
 */
export function draftFigures(published, changed, retired) {
  const classOf = { ...published.class_of };
  const values = { ...published.values };
  for (const key of retired) {
    delete classOf[key];
    delete values[key];
  }
  for (const { properties } of changed) {
    const { key, households = 0, target } = properties;
    classOf[key] = sizeClass(households, target);
    values[key] = households;
  }
  const placed = Object.values(classOf);
  const classes = published.classes.map((entry, i) => ({
    ...entry,
    count: placed.filter((place) => place === i).length,
  }));
  return { ...published, class_of: classOf, values, classes };
}
