"""Water, hills and built-up land of the demo county."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from scripts.demo_county import geography as geo
from scripts.demo_county import placenames

Shapes = npt.NDArray[np.object_]


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


def _near_town(x: float, y: float, margin_m: float) -> bool:
    return any(np.hypot(t.x - x, t.y - y) < t.radius_m + margin_m for t in geo.TOWNS)


def _ponds(roads: Shapes, water: Any, rng: np.random.Generator) -> list[Any]:
    """Draw ponds that keep off roads and rivers: first nine lakes, then smaller ones."""
    tree = shapely.STRtree(roads)
    ponds: list[Any] = []
    for _ in range(6000):
        if len(ponds) >= 80:
            break
        x, y = rng.uniform(-19_000, 19_000, 2)
        radius = float(np.clip(rng.lognormal(4.3, 0.55), 35, 420))
        big = len(ponds) < 9
        if big:
            radius = float(rng.uniform(260, 480))
        shape = blob(x, y, radius, rng)
        if not geo.inside_outline(np.array([[x, y]]) * 1.05)[0] or _near_town(x, y, 2 * radius):
            continue
        near = roads[tree.query(shape.buffer(12), predicate="intersects")]
        if len(near) or shape.intersects(water):
            shape = _freed(shape, near, water) if big else shapely.Polygon()
        if not shape.is_empty and all(shape.distance(other) >= 40 for other in ponds):
            ponds.append(shape)
    return ponds


def _freed(shape: Any, near: Shapes, water: Any) -> Any:
    """Take the biggest part of a lake that is free of roads and rivers; empty if it is small."""
    free = shape.difference(shapely.union_all(shapely.buffer(near, 15)))
    parts = shapely.get_parts(free.difference(water.buffer(30)))
    best = max(parts, key=shapely.area, default=shapely.Polygon())
    return best.buffer(-8).buffer(8) if best.area >= 40_000 else shapely.Polygon()


def _hills(water: Any, rng: np.random.Generator) -> list[Any]:
    hills: list[Any] = []
    for _ in range(900):
        if len(hills) >= 34:
            break
        x, y = rng.uniform(-18_500, 18_500, 2)
        radius = float(rng.uniform(450, 1500))
        if not geo.inside_outline(np.array([[x, y]]) * 1.06)[0]:
            continue
        if not _near_town(x, y, 1.3 * radius + 300):
            hills.append(blob(x, y, radius, rng, 0.2).difference(water.buffer(80)))
    return hills


def make_land(roads: Shapes, blocks: Shapes, rng: np.random.Generator) -> pd.DataFrame:
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
    water = shapely.union_all(rivers)
    rows: list[tuple[str, str, Any]] = [
        ("water", name, shape) for (name, _, _), shape in zip(geo.RIVERS, rivers, strict=True)
    ]
    for n, shape in enumerate(_ponds(roads, water, rng)):
        rows.append(("water", placenames.LAKES[n] if n < len(placenames.LAKES) else "", shape))
    towns_land = shapely.union_all(shapely.buffer(blocks, 130.0, quad_segs=2))
    towns_land = towns_land.buffer(-88).simplify(6)
    for n, shape in enumerate(_hills(water, rng)):
        rows.append(("green", placenames.HILLS[n] if n < len(placenames.HILLS) else "", shape))
    for town in geo.TOWNS:
        shape = towns_land.intersection(shapely.Point(town.x, town.y).buffer(1.6 * town.radius_m))
        rows.append(("built", town.name, shape.difference(water)))
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
