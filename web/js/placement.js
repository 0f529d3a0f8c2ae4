// Where things may stand on the map so that none covers another, nor lies under a bar or a panel. Numbers in,
// numbers out: who draws something says how much room each form of it takes, and is told which form fits.

/** @import { Box } from "../types/page.js" */

/**
 * Something that wants room on the map, in pixels of the map's container.
 *
 * @typedef {object} Claim
 * @property {number} order of those of RANK; the lower comes first
 * @property {Box[]} forms from the one that says most to the one that says least
 * @property {boolean} [isFixed] it stands there in its last form even where nothing fits
 * @property {(form: number) => void} [take] is told the number of the form, -1 for none
 */

/** Who comes first. Names of places and grids follow, by their own rank. */
export const RANK = { dragged: 0, handle: 1, pin: 2, mark: 3, station: 4, chosen: 5, draft: 6, point: 7, name: 10 };

/**
 * Whether two boxes lie on one another.
 *
 * @param {Box} a
 * @param {Box} b
 */
export const isOver = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/**
 * Give room to who comes first; where nothing of a claim fits it goes without, unless it is fixed.
 *
 * @param {Claim[]} claims
 * @param {Box[]} [blocked] bars and panels: nothing may stand under them but what is fixed
 */
export function place(claims, blocked = []) {
  /** @type {Box[]} */
  const taken = [];
  for (const claim of [...claims].sort((a, b) => a.order - b.order)) {
    const isFree = (/** @type {Box} */ box) =>
      !taken.some((other) => isOver(box, other)) && !blocked.some((other) => isOver(box, other));
    let form = claim.forms.findIndex(isFree);
    if (form < 0 && claim.isFixed) form = claim.forms.length - 1;
    if (form >= 0) taken.push(claim.forms[form]);
    claim.take?.(form);
  }
}

/**
 * The largest part of a view that bars and panels leave free.
 *
 * @param {Box} view
 * @param {Box[]} blocked
 * @returns {Box}
 */
export function largestRoom([left, top, right, bottom], blocked) {
  /** @param {number[]} edges @param {number} low @param {number} high */
  const within = (edges, low, high) => [...new Set([low, high, ...edges.filter((edge) => edge > low && edge < high)])];
  const columns = within(blocked.flatMap((box) => [box[0], box[2]]), left, right); // prettier-ignore
  const rows = within(blocked.flatMap((box) => [box[1], box[3]]), top, bottom); // prettier-ignore
  /** @type {Box} */
  let best = [left, top, right, bottom];
  let most = 0;
  for (const x0 of columns) {
    for (const x1 of columns) {
      for (const y0 of rows) {
        for (const y1 of rows) {
          const area = (x1 - x0) * (y1 - y0);
          if (x1 <= x0 || y1 <= y0 || area <= most) continue;
          /** @type {Box} */
          const room = [x0, y0, x1, y1];
          if (blocked.some((box) => isOver(room, box))) continue;
          most = area;
          best = room;
        }
      }
    }
  }
  return best;
}
