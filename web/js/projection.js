// Web Mercator on the unit square, and features held ready for drawing.

/** lon, lat in degrees to x, y in 0…1 (y downwards). */
export function project(lon, lat) {
  const sine = Math.sin((lat * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

/** x, y in 0…1 to lon, lat in degrees. */
export function unproject(x, y) {
  return [(x - 0.5) * 360, (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI];
}

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

function lines(geometry) {
  if (!geometry) return [];
  if (geometry.type === "LineString") return [geometry.coordinates];
  if (geometry.type === "MultiLineString" || geometry.type === "Polygon") return geometry.coordinates;
  if (geometry.type === "MultiPolygon") return geometry.coordinates.flat();
  return [];
}

/** GeoJSON features to {lines: [Float64Array], box, properties}. */
export function prepare(collection) {
  return collection.features.map((feature) => {
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    return {
      lines: lines(feature.geometry).map((coordinates) => line(coordinates, box)),
      box,
      properties: feature.properties,
    };
  });
}

/** Whether two boxes [x0, y0, x1, y1] touch. */
export const touch = (a, b) => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];
