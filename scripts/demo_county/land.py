"""Water, hills and built-up land of the demo county."""

from typing import Any

import numpy as np
import pandas as pd
import shapely
from scripts.demo_county import geography as geo
from scripts.demo_county import placenames
from scripts.demo_county.geography import Floats


def river_polygons() -> list[Any]:
    """
    Make the water of the rivers, from beyond one side of the county to beyond the other.

    Returns
    -------
    list of Polygon
        In the order of ``RIVERS``, metres.
    """
    result = []
    for _, (first, last), control in geo.RIVERS:
        curve = geo.smooth_curve(control, 40.0)
        curve = curve[np.abs(curve).max(axis=1) < 23_000]
        half = np.linspace(first, last, len(curve))
        half = half * (1 + 0.10 * np.sin(np.arange(len(curve)) / 9.0))
        parts = [
            shapely.LineString(curve[i : i + 6]).buffer(float(half[i]), quad_segs=6)
            for i in range(0, len(curve) - 5, 5)
        ]
        result.append(shapely.union_all(parts).simplify(1.0))
    return result


def blob(x: float, y: float, radius: float, rng: np.random.Generator, wild: float = 0.16) -> Any:
    """
    Draw an irregular round shape.

    Parameters
    ----------
    x, y, radius
        Metres.
    rng
        Where chance comes from.
    wild
        How irregular.

    Returns
    -------
    Polygon
        Valid, metres.
    """
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = np.ones(48)
    for k in range(1, 7):
        reach += wild / k**0.8 * rng.normal() * np.cos(k * angle + rng.uniform(0, 6.28))
    reach = radius * np.clip(reach, 0.35, 1.9)
    stretch, turn = rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)
    u, v = reach * np.cos(angle), stretch * reach * np.sin(angle)
    c, s = np.cos(turn), np.sin(turn)
    return shapely.Polygon(np.column_stack([x + u * c - v * s, y + u * s + v * c]))


def make_land(roads: list[Floats], blocks: list[Floats], rng: np.random.Generator) -> pd.DataFrame:
    """
    Make the land cover.

    Parameters
    ----------
    roads
        All road lines, metres; ponds keep off them.
    blocks
        Lines of the streets of towns, metres.
    rng
        Where chance comes from.

    Returns
    -------
    pandas.DataFrame
        Columns of the frame ``land_cover``.
    """
    rivers = river_polygons()
    rows: list[tuple[str, str, Any]] = [
        ("water", name, shape) for (name, _, _), shape in zip(geo.RIVERS, rivers, strict=True)
    ]
    lines = np.array([shapely.LineString(xy) for xy in roads], dtype=object)
    tree = shapely.STRtree(lines)
    water = shapely.union_all(rivers)
    ponds: list[Any] = []
    towns = np.array([(t.x, t.y, t.radius_m) for t in geo.TOWNS])
    for _ in range(6000):
        if len(ponds) >= 80:
            break
        x, y = rng.uniform(-19_000, 19_000, 2)
        radius = float(np.clip(rng.lognormal(4.3, 0.55), 35, 420))
        if len(ponds) < 9:
            radius = float(rng.uniform(260, 480))
        shape = blob(x, y, radius, rng)
        if not geo.inside_outline(np.array([[x, y]]) * 1.05)[0]:
            continue
        if (np.hypot(towns[:, 0] - x, towns[:, 1] - y) < towns[:, 2] + 2 * radius).any():
            continue
        if len(tree.query(shape.buffer(12), predicate="intersects")) or shape.intersects(water):
            if len(ponds) >= 9:
                continue
            near = lines[tree.query(shape.buffer(12), predicate="intersects")]
            free = shapely.difference(shape, shapely.union_all(shapely.buffer(near, 15)))
            free = max(
                shapely.get_parts(free.difference(water.buffer(30))),
                key=lambda p: p.area,
                default=None,
            )
            if free is None or free.area < 40_000:
                continue
            shape = free.buffer(-8).buffer(8)
        if any(shape.distance(other) < 40 for other in ponds) or shape.is_empty:
            continue
        ponds.append(shape)
    for n, shape in enumerate(ponds):
        rows.append(("water", placenames.LAKES[n] if n < len(placenames.LAKES) else "", shape))
    streets = np.array([shapely.LineString(xy) for xy in blocks], dtype=object)
    towns_land = (
        shapely.union_all(shapely.buffer(streets, 130.0, quad_segs=2)).buffer(-88).simplify(6)
    )
    built = [
        shapely.intersection(towns_land, shapely.Point(t.x, t.y).buffer(1.6 * t.radius_m))
        for t in geo.TOWNS
    ]
    hills = 0
    for _ in range(900):
        if hills >= 34:
            break
        x, y = rng.uniform(-18_500, 18_500, 2)
        radius = float(rng.uniform(450, 1500))
        if not geo.inside_outline(np.array([[x, y]]) * 1.06)[0]:
            continue
        if (np.hypot(towns[:, 0] - x, towns[:, 1] - y) < towns[:, 2] + 1.3 * radius + 300).any():
            continue
        shape = blob(x, y, radius, rng, 0.2).difference(water.buffer(80))
        rows.append(
            ("green", placenames.HILLS[hills] if hills < len(placenames.HILLS) else "", shape)
        )
        hills += 1
    rows += [
        ("built", t.name, shape.difference(water))
        for t, shape in zip(geo.TOWNS, built, strict=True)
    ]
    shapes = np.array([shapely.transform(row[2], geo.to_lonlat) for row in rows], dtype=object)
    shapes = shapely.make_valid(shapes)
    return pd.DataFrame(
        {
            "key": [f"L{n + 1:04d}" for n in range(len(rows))],
            "kind": [row[0] for row in rows],
            "name": [row[1] for row in rows],
            "geometry": shapes,
        }
    )
