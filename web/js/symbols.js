// One symbol for each kind of point, readable at 20 px; a cluster shows what is inside.

import { s } from "./dom.js";
import { kindName } from "./figures.js";
import { listed, number, t } from "./texts.js";

/** @import { Point } from "../types/page.js" */
/** @typedef {[tone: string, path: string]} Sign */

// Strokes in a box of 24 × 24.
/** @type {Record<string, Sign>} */
const SYMBOLS = {
  fire_station: [
    "fire",
    "M12 4c1 3.2 4.5 5 4.5 9a4.5 4.5 0 0 1-9 0c0-2 1-3 1.8-4.2.3 1.4 1 2 1.7 2.2C10.600 8 11 6 12 4z",
  ],
  mini_fire_station: [
    "mini",
    "M12 6c.8 2.500 3.300 3.800 3.300 6.700a3.300 3.300 0 0 1-6.600 0c0-1.500.8-2.300 1.400-3.100.2 1 .7 1.500 1.200 1.600C11 9 11.200 7.500 12 6z",
  ],
  water_source: [
    "water",
    "M12 4.500c2.500 3.200 4.300 5.500 4.300 8.200a4.300 4.300 0 0 1-8.600 0c0-2.700 1.800-5 4.300-8.200z",
  ],
  service_centre: ["civic", "M5.500 11.500 12 6l6.500 5.500M7.500 10.500V18h9v-7.500M10.500 18v-4h3v4"],
  police_room: ["police", "M12 5l5.500 2v4.500c0 3.500-2.300 5.800-5.500 7-3.200-1.200-5.500-3.500-5.500-7V7z"],
  clinic: ["care", "M12 6.500v11M6.500 12h11"],
  grocery: ["trade", "M5.500 8h13l-1.300 8.500H6.800zM9 8l1.500-3M15 8l-1.500-3"],
  bank: ["trade", "M8 6l4 5.500L16 6M12 11.500V18M8.500 12h7M8.500 15h7"],
  school: ["civic", "M4.500 10 12 6.500l7.500 3.500L12 13.500zM8 12v4c2.500 1.600 5.500 1.600 8 0v-4"],
  hazard: ["care-tone", "M12 6.500v7M12 17v.1"],
  hazard_major: ["wrong", "M12 6.500v7M12 17v.1"],
  officer: [
    "care",
    "M12 6.2a2.600 2.600 0 1 1 0 5.200 2.600 2.600 0 0 1 0-5.200zM7 18c.4-3 2.300-4.600 5-4.600s4.600 1.600 5 4.600",
  ],
  incident: ["accent", "M8 19V6h8.500l-2 3.500 2 3.500H8"],
};

const solid = new Set(["fire_station", "mini_fire_station", "water_source"]);

/**
 * The tone of a kind, a class of page.css.
 *
 * @param {string} kind
 */
export const toneOf = (kind) => (SYMBOLS[kind] ?? SYMBOLS.incident)[0];

/**
 * The symbol of a kind as an SVG element, size in pixels.
 *
 * @param {string} kind
 * @param {number} [size]
 */
export function symbol(kind, size = 22) {
  const [tone, path] = SYMBOLS[kind] ?? SYMBOLS.incident;
  return s(
    "svg",
    { class: `symbol tone-${tone}`, viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" },
    kind.startsWith("hazard")
      ? s("path", { class: "plate", d: "M12 1.800 22.800 21H1.200z" })
      : s("circle", { class: "plate", cx: 12, cy: 12, r: 11 }),
    s("path", { class: solid.has(kind) ? "sign solid" : "sign", d: path }),
  );
}

/**
 * The sign of a point: of a facility its kind.
 *
 * @param {string} of what the point is one of
 * @param {Point} point
 */
export function symbolKind(of, point) {
  if (of === "hazard") return point.grade === "major" ? "hazard_major" : "hazard";
  return of === "incident" ? "incident" : point.kind;
}

/**
 * A marker for one point.
 *
 * @param {L.LatLngExpression} latlng
 * @param {string} kind
 * @param {string} [title]
 */
export function marker(latlng, kind, title) {
  const icon = L.divIcon({ html: /** @type {any} */ (symbol(kind, 24)), className: "point", iconSize: [24, 24] });
  return L.marker(latlng, { icon, pane: "points", title, alt: title, keyboard: false, symbolKind: kind });
}

/**
 * The icon of a cluster: how many, and a ring of the kinds inside.
 *
 * @param {any} cluster as leaflet.markercluster makes it
 */
export function clusterIcon(cluster) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const child of cluster.getAllChildMarkers()) {
    const { symbolKind: kind } = child.options;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const total = cluster.getChildCount();
  const radius = 15;
  const around = 2 * Math.PI * radius;
  let start = 0;
  const ring = [...counts].map(([kind, count]) => {
    const length = (count / total) * around;
    const arc = s("circle", {
      class: `arc tone-${toneOf(kind)}`,
      cx: 20,
      cy: 20,
      r: radius,
      "stroke-dasharray": `${length} ${around - length}`,
      "stroke-dashoffset": -start,
      transform: "rotate(-90 20 20)",
    });
    start += length;
    return arc;
  });
  const inside = listed([...counts].map(([kind, count]) => `${kindName(kind)} ${number(count)}`));
  const drawing = s(
    "svg",
    { viewBox: "0 0 40 40", width: 40, height: 40, role: "img" },
    s("title", {}, t("cluster", { inside })),
    s("circle", { class: "hub", cx: 20, cy: 20, r: 17.5 }),
    ring,
    s("text", { x: 20, y: 20, "text-anchor": "middle", "dominant-baseline": "central" }, number(total)),
  );
  return L.divIcon({ html: /** @type {any} */ (drawing), className: "cluster", iconSize: [40, 40] });
}
