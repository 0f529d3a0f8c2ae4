// What stands on the map as an element of its own: pins, points, stations, handles, labels and signs of a draft.
// One table says how much room each takes and who comes first; placement.js gives the room.

import { RANK } from "./placement.js";

/** @import { Box } from "../types/page.js" */
/** @import { Claim } from "./placement.js" */

/**
 * Marks that are always there, by the pane they stand in: the room they take around their place.
 *
 * @type {{pane: string, icons: string, order: number, box: Box}[]}
 */
const STANDING = [
  { pane: "plan-handles", icons: ".plan-handle", order: RANK.handle, box: [-9, -9, 9, 9] },
  { pane: "points", icons: ".pin", order: RANK.pin, box: [-13, -26, 13, 10] },
  { pane: "cover-work", icons: ".cover-sign", order: RANK.mark, box: [-14, -14, 14, 14] },
  { pane: "cover-work", icons: ".point", order: RANK.station, box: [-11, -11, 11, 11] },
  { pane: "points", icons: ".cluster", order: RANK.point, box: [-17, -17, 17, 17] },
  { pane: "points", icons: ".point", order: RANK.point, box: [-11, -11, 11, 11] },
];
const WORDS = RANK.draft + 0.5;

/**
 * What the marks on the map claim of its room.
 *
 * @param {L.Map} map
 * @returns {Claim[]}
 */
export function marksOf(map) {
  return [...standing(map), ...labelsAndSigns(map)];
}

/**
 * @param {L.Map} map
 * @param {string} pane
 * @param {string} icons
 */
const iconsIn = (map, pane, icons) =>
  /** @type {HTMLElement[]} */ ([...(map.getPane(pane)?.querySelectorAll(`:scope > ${icons}`) ?? [])]);

/** @param {L.Map} map */
function standing(map) {
  const isDragging = map.getContainer().classList.contains("plan-dragging");
  return STANDING.flatMap(({ pane, icons, order, box }) =>
    iconsIn(map, pane, icons).map((icon) => {
      const { x, y } = map.layerPointToContainerPoint(L.DomUtil.getPosition(icon));
      const isDragged =
        icon.classList.contains("leaflet-drag-target") || (isDragging && document.activeElement === icon);
      return {
        order: isDragged ? RANK.dragged : order,
        isFixed: true,
        forms: [/** @type {Box} */ ([x + box[0], y + box[1], x + box[2], y + box[3]])],
      };
    }),
  );
}

/**
 * Labels of a draft stay only where they lie on nothing; the mark of a rule always stands, its words only beside it.
 *
 * @param {L.Map} map
 * @returns {Claim[]}
 */
function labelsAndSigns(map) {
  const icons = iconsIn(map, "plan-signs", "*");
  for (const icon of icons) icon.classList.remove("bare");
  const origin = map.getContainer().getBoundingClientRect();
  /** @param {Element} element @returns {Box} */
  const boxOf = (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [left - origin.left, top - origin.top, right - origin.left, bottom - origin.top];
  };
  return icons.flatMap((icon) => {
    const content = icon.firstElementChild;
    if (!content) return [];
    const take = (/** @type {number} */ form) => icon.classList.toggle("bare", form < 0);
    const whole = boxOf(content);
    const dot = icon.classList.contains("plan-sign") ? icon.querySelector("i") : null;
    if (!dot) return [{ order: RANK.draft, forms: [whole], take }];
    const mark = boxOf(dot);
    const order = icon.classList.contains("error") ? 0 : 0.1; // what forbids comes before what only warns
    return [
      { order: RANK.mark + order, forms: [mark], isFixed: true },
      { order: WORDS + order, forms: [[mark[2], whole[1], whole[2], whole[3]]], take },
    ];
  });
}
