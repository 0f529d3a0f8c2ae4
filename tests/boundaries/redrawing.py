"""Random edits and what must hold after each of them, shared by the drawn land and the county."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely

from gis_service.boundaries.editing.checks import Context, build_levels, check_levels
from gis_service.boundaries.editing.edits import Draft, EditResult
from gis_service.boundaries.linework import chains
from gis_service.boundaries.linework.lines import PER_DEGREE, to_lattice
from gis_service.errors import InputError
from gis_service.geodesy import area_m2

REFUSALS = {
    "boundaries.nothing_changes",
    "boundaries.nothing_left",
    "boundaries.piece_too_small",
    "boundaries.last_grid",
    "boundaries.no_sibling_beside",
    "boundaries.edge_leaves",
    "boundaries.edge_ends_free",
    "boundaries.edge_not_shared",
    "boundaries.cut_does_not_cross",
    "boundaries.cut_crosses_often",
    "boundaries.cut_along_edge",
    "boundaries.line_touches_itself",
    "boundaries.region_outside",
}


def wkb(draft: Draft) -> list[bytes]:
    linework = draft.tessellation()
    sides = [f"{a},{b}".encode() for a, b in zip(linework.left, linework.right, strict=True)]
    arcs = shapely.to_wkb(linework.arcs).tolist()
    return [b"|".join(parts) for parts in zip(arcs, sides, linework.kinds.astype("S"), strict=True)]


def random_edit(draft: Draft, chance: random.Random) -> dict[str, Any]:
    """Draw an edit somewhere, with shapes that people draw: many of them cannot be done."""
    key = chance.choice(draft.keys)
    face = draft.faces([key])[key]
    kind = chance.choices(
        ["split", "merge", "move_edge", "give", "draw", "dissolve", "redraw"], [5, 1, 4, 6, 2, 1, 3]
    )[0]
    neighbours = draft.neighbours(key)
    other = chance.choice(neighbours)
    west, south, east, north = face.bounds
    size = max(east - west, north - south)

    def near(x: float, y: float, spread: float) -> tuple[float, float]:
        return chance.gauss(x, spread * size), chance.gauss(y, spread * size)

    middle = ((west + east) / 2, (south + north) / 2)
    if kind == "split":
        a, b = near(*middle, 0.2), near(*middle, 0.2)
        far = 2 * size / max(np.hypot(a[0] - b[0], a[1] - b[1]), 1e-9)
        ends = [(a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])) for t in (-far, far)]
        path = [ends[0], a, near(*middle, 0.05), b, ends[1]]
        keeps = chance.choice(["larger", "left"])
        return {"kind": "split", "grid": key, "line": shapely.LineString(path), "keeps": keeps}
    if kind == "merge":
        return {"kind": "merge", "grids": [key, other], "into": chance.choice([key, other])}
    if kind == "dissolve":
        return {"kind": "dissolve", "grid": key}
    if kind == "redraw":
        line = shapely.LineString([near(*middle, 1.0), near(*middle, 0.1), near(*middle, 1.0)])
        return random_redraw(draft, chance, [key, other], line)
    if kind == "move_edge":
        edges = [e for e in draft.edges([key]) if {e.left, e.right} == {key, other}]
        edge = chance.choice(edges)
        line = edge.line
        first, last = chance.choice([(0.0, 1.0), (0.2, 0.7), (0.0, 0.5)])
        tips = [line.interpolate(t, normalized=True) for t in (first, last)]
        half = line.interpolate((first + last) / 2, normalized=True)
        shift = near(half.x, half.y, 0.15)
        way = [(tips[0].x, tips[0].y), shift, (tips[1].x, tips[1].y)]
        return {
            "kind": "move_edge", "left": key, "right": other, "line": shapely.LineString(way),
        }  # fmt: skip
    centre = shapely.Point(near(*middle, 0.4))
    shapes = [
        centre.buffer(size * chance.uniform(0.02, 0.5), quad_segs=chance.choice([1, 3, 16])),
        shapely.MultiPoint([centre, middle]).envelope,
        shapely.intersection(face, centre.buffer(size * chance.uniform(0.1, 0.6))),
    ]
    region = chance.choice(shapes)
    if region.geom_type not in ("Polygon", "MultiPolygon") or region.is_empty:
        region = shapes[0]
    if kind == "draw":
        return {"kind": "draw", "region": region, "name": "x"}
    return {"kind": "give", "region": region, "to": chance.choice([key, other])}


def random_redraw(
    draft: Draft, chance: random.Random, grids: list[str], line: shapely.LineString
) -> dict[str, Any]:
    """Part the land of grids by a line and give the parts to them, or to a new grid."""
    opened = draft.cut(grids, [to_lattice(line)])
    parts = shapely.transform(
        opened.cut.atoms[opened.old >= 0], lambda xy: (xy + opened.origin) / PER_DEGREE
    )
    labels = chance.choice([[*grids, "brand"], grids, grids[:1], [grids[0], "brand"]])
    regions = {}
    for label in labels[: len(parts)]:
        own = [index for index in range(len(parts)) if labels[index % len(labels)] == label]
        key = f"new-{len(draft.changes) + 1}" if label == "brand" else label
        regions[key] = shapely.union_all(parts[own])
    return {"kind": "redraw", "grids": grids, "regions": regions}


def edited(draft: Draft, chance: random.Random, count: int) -> Iterator[EditResult]:
    """Do so many edits; those that are refused leave everything as it was and do not count."""
    done = 0
    while done < count:
        before = len(draft.changes)
        edit = random_edit(draft, chance)
        try:
            draft.apply(edit)
        except InputError as refusal:
            if refusal.key not in REFUSALS:
                raise
        if len(draft.changes) > before:
            done += 1
            yield draft.changes[-1]


def assert_touched_only(draft: Draft, change: EditResult, areas: dict[str, float]) -> None:
    """
    Compare the areas of all others to 1e-9, and what the touched ones won and lost.

    In square degrees: lines are straight in lon, lat, and a vertex more on a geodesic is another
    line.
    """
    for key in change.renoded:
        assert _same_area(change.after[key].area, areas[key]), key
    before = sum(areas.get(key, 0.0) for key in change.touched)
    for key in change.touched:
        areas.pop(key, None)
        if key in change.after:
            areas[key] = float(change.after[key].area)
    now = sum(areas.get(key, 0.0) for key in change.touched)
    assert _same_area(now, before), change.touched
    assert set(areas) == set(draft.keys)


def _same_area(one: float, other: float) -> bool:
    """To 1e-9, or to 1e-16 square degrees: the area of a square millimetre."""
    return abs(one - other) <= max(1e-9 * other, 1e-16)


def assert_no_slivers(change: EditResult, smallest_m2: float) -> None:
    for key in change.touched:
        if key not in change.after:
            continue
        old = list(shapely.get_parts(change.before.get(key, shapely.MultiPolygon())))
        for part in shapely.get_parts(change.after[key]):
            if area_m2(part)[0] < smallest_m2:
                assert any(shapely.symmetric_difference(part, one).area < 1e-15 for one in old), key


def assert_whole(draft: Draft, context: Context) -> None:
    """Prove the tiling of all levels by sums, without looking at how it was made."""
    assert check_levels(*build_levels(draft, context)) == []


def assert_faces_are_the_arcs(draft: Draft) -> None:
    """Build the faces again from the linework: they are those that were kept edit by edit."""
    linework = draft.tessellation()
    kept, built = list(draft.faces().values()), linework.faces()
    frame = chains.LocalFrame.around(built)
    one = chains.of_polygons(np.array(kept, dtype=object), frame)
    assert one.differing(chains.of_polygons(built, frame)) == []
    parts = shapely.get_parts(np.array(kept, dtype=object))
    assert shapely.coverage_is_valid(parts)
