"""Administrative relations become tiers of grids: which level is whole, and what lies above it.

Only relations count: a closed way that also carries admin tags repeats a piece of one. Pure: areas
in, frames out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely

from gis_service.errors import Place
from gis_service.geodesy import area_m2, local_metres, on_lattice
from gis_service.ingest.osm.scan import Relation
from gis_service.ingest.readers.frames import COLUMNS, Note, Refusal, empty

SOURCE_LIST: Final = "OpenStreetMap"
WHOLE_SHARE: Final = 0.999
"""A level is whole when it covers this share of all land that any level covers; a unit lies in
another when this share of it does."""
OVERLAP_M2: Final = 1.0
HULL_BUFFER_M: Final = 100.0
REST: Final = "rest"
"""Key of the grid of what lies in no whole unit; above it ``rest-1``, ``rest-2`` by rank."""
REST_NAME: Final = "其余 · Rest"

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_LABELS: Final = {1: (2,), 2: (0, 2), 3: (0, 1, 2)}
_LABEL: Final = (("大网格", "Top grid"), ("中网格", "Middle grid"), ("基础网格", "Base grid"))
_ADMIN: Final = {1: ("town",), 2: ("county", "town"), 3: ("county", "town", "village")}
_GRID_COLUMNS: Final = ("key", "name", "rank", "parent_key", "geometry", "code")
_LEVEL_COLUMNS: Final = ("rank", "label", "label_en", "admin_level")


@dataclass(frozen=True)
class Unit:
    """An administrative relation whose area could be put together."""

    key: str
    name: str
    level: int
    area: Any


@dataclass(frozen=True)
class Tiers:
    """The grids of a region from the top down, and what is to be said about them."""

    grid_polygons: pd.DataFrame
    levels: pd.DataFrame
    admin_units: pd.DataFrame
    notes: list[Note]
    refusals: list[Refusal]


def is_unit(relation: Relation) -> bool:
    """Tell an administrative unit."""
    tags = relation.tags
    return tags.get("boundary") == "administrative" and tags.get("admin_level", "").isdigit()


def refuse(relation: Relation, present: set[int]) -> Refusal:
    """Say why a unit has no area."""
    ways = relation.member_ways
    missing = sum(way not in present for way in ways)
    if not ways:
        key = "ingest.osm_unit_empty"
    else:
        key = "ingest.osm_unit_cut" if missing else "ingest.osm_unit_open"
    place = Place(feature=f"r{relation.id}")
    name = relation.tags.get("name", "")
    level = relation.tags["admin_level"]
    return Refusal.because(key, place, name=name, level=level, missing=missing, ways=len(ways))


def build(units: Iterable[Unit], valid_from: date, homes: FloatArray) -> Tiers:
    """Choose the grids."""
    by_level, refusals = _without_overlaps(units)
    covered = {level: shapely.union_all([u.area for u in us]) for level, us in by_level.items()}
    base_level, notes = _base_level(covered, homes)
    tiers = [by_level[base_level]]
    parents: list[dict[str, str]] = []
    for level in sorted((level for level in by_level if level < base_level), reverse=True):
        if len(tiers) == 3:
            break
        above = _parents(tiers[0], by_level[level])
        if above is None:
            notes.append(Note("ingest.osm_level_unused", {"level": level}))
        elif len(set(above.values())) < len(above):
            used = set(above.values())
            tiers.insert(0, [unit for unit in by_level[level] if unit.key in used])
            parents.insert(0, above)
    parents.insert(0, {})
    return Tiers(
        _grid_frame(tiers, parents), _level_frame(tiers), _admin_frame(tiers, parents, valid_from),
        notes, refusals,
    )  # fmt: skip


def _without_overlaps(units: Iterable[Unit]) -> tuple[dict[int, list[Unit]], list[Refusal]]:
    """Keep of two units of one level that share land the one with the lower key."""
    by_level: dict[int, list[Unit]] = {}
    refusals: list[Refusal] = []
    for unit in sorted(units, key=lambda unit: (unit.level, int(unit.key[1:]))):
        kept = by_level.setdefault(unit.level, [])
        other = next((old for old in kept if _shared_m2(old.area, unit.area) > OVERLAP_M2), None)
        if other is None:
            kept.append(unit)
        else:
            place = Place(feature=unit.key)
            refusals.append(
                Refusal.because(
                    "ingest.osm_unit_overlaps", place, name=unit.name, other=other.key,
                    other_name=other.name,
                )
            )  # fmt: skip
    return by_level, refusals


def _shared_m2(one: Any, other: Any) -> float:
    if not shapely.intersects(one, other):
        return 0.0
    return float(area_m2(_polygons(shapely.intersection(one, other)))[0])


def _polygons(geometry: Any) -> Any:
    parts = shapely.get_parts(geometry)
    faces = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return shapely.multipolygons(faces)


def _base_level(covered: Mapping[int, Any], homes: FloatArray) -> tuple[int, list[Note]]:
    total = float(area_m2(shapely.union_all(list(covered.values())))[0])
    land = {level: float(area_m2(area)[0]) / total for level, area in covered.items()}
    held = (
        {level: float(within(area, homes).mean()) for level, area in covered.items()}
        if len(homes)
        else land
    )
    whole = [level for level, part in land.items() if part >= WHOLE_SHARE]
    base = max(whole) if whole else max(held, key=lambda level: (held[level], level))
    key = "ingest.osm_level_partial_homes" if len(homes) else "ingest.osm_level_partial"
    notes = [
        Note(key, {"level": level, "percent": percent(land[level]), "homes": percent(held[level])})
        for level in sorted(land)
        if level > base or (level == base and not whole)
    ]
    return base, notes


def within(area: Any, lonlat: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """
    Tell which places lie in an area.

    Parameters
    ----------
    area
        Of one or several parts, whose border belongs to it.
    lonlat
        (n, 2) degrees.

    Returns
    -------
    array of bool
        One a place.
    """
    shapely.prepare(area)
    return np.asarray(shapely.intersects_xy(area, lonlat[:, 0], lonlat[:, 1]), dtype=bool)


def percent(share: float) -> float:
    """
    Write a share so that a few are never none and not quite all never all.

    Parameters
    ----------
    share
        0 to 1.

    Returns
    -------
    float
        Per cent with one decimal; 0.1 and 99.9 next to the ends.
    """
    rounded = round(100 * share, 1)
    return min(max(rounded, 0.1), 99.9) if 0 < share < 1 else rounded


def _parents(children: list[Unit], above: list[Unit]) -> dict[str, str] | None:
    """Find the one unit above each child; None where a child lies in none."""
    areas = np.array([unit.area for unit in above], dtype=object)
    found: dict[str, str] = {}
    for child in children:
        shared = [_shared_m2(area, child.area) for area in areas]
        best = int(np.argmax(shared))
        if shared[best] < WHOLE_SHARE * float(area_m2(child.area)[0]):
            return None
        found[child.key] = above[best].key
    return found


def _objects(rows: list[Any], columns: tuple[str, ...]) -> pd.DataFrame:
    """Keep None as None: a text column would turn it into NaN."""
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    return frame.astype({"rank": np.int64}) if "rank" in columns else frame


def _grid_frame(tiers: list[list[Unit]], parents: list[dict[str, str]]) -> pd.DataFrame:
    areas = {unit.key: unit.area for unit in tiers[-1]}
    for above in reversed(parents[1:]):
        for parent in sorted(set(above.values())):
            children = [areas[child] for child, own in above.items() if own == parent]
            areas[parent] = shapely.union_all(children)
    rows = [
        (unit.key, unit.name, rank, parents[rank - 1].get(unit.key), areas[unit.key], unit.key)
        for rank, tier in enumerate(tiers, start=1)
        for unit in tier
    ]
    return _objects(rows, _GRID_COLUMNS)


def _level_frame(tiers: list[list[Unit]]) -> pd.DataFrame:
    labels = [_LABEL[index] for index in _LABELS[len(tiers)]]
    rows = [
        (rank, label, label_en, str(tier[0].level))
        for rank, (tier, (label, label_en)) in enumerate(zip(tiers, labels, strict=True), start=1)
    ]
    return _objects(rows, _LEVEL_COLUMNS)


def _admin_frame(
    tiers: list[list[Unit]], parents: list[dict[str, str]], valid_from: date
) -> pd.DataFrame:
    rows = [
        (
            unit.key, unit.name, level, parents[index].get(unit.key), SOURCE_LIST, None,
            valid_from, None, unit.area,
        )
        for index, (tier, level) in enumerate(zip(tiers, _ADMIN[len(tiers)], strict=True))
        for unit in tier
    ]  # fmt: skip
    return _objects(rows, COLUMNS["admin_units"])


def from_hull(name: str, lonlat: FloatArray) -> Tiers:
    """Make the one grid of a file without any administrative area."""
    area = _hull(lonlat)
    label, label_en = _LABEL[2]
    return Tiers(
        _objects([("extent", name, 1, None, area, "extent")], _GRID_COLUMNS),
        _objects([(1, label, label_en, None)], _LEVEL_COLUMNS),
        empty("admin_units"),
        [Note("ingest.osm_no_units", {"name": name, "metres": round(HULL_BUFFER_M)})],
        [],
    )


def _hull(lonlat: FloatArray) -> Any:
    """Draw the convex hull of places, wider by :data:`HULL_BUFFER_M`."""
    to_xy, to_lonlat = local_metres(*(float(value) for value in lonlat.mean(axis=0).round(3)))
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack(to_xy(*lonlat.T))))
    wider = shapely.buffer(hull, HULL_BUFFER_M, quad_segs=4)
    return on_lattice(
        shapely.transform(wider, lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1])))
    )


def with_rest(tiers: Tiers, lonlat: FloatArray) -> Tiers:
    """Make one more grid, on each tier, of what lies in no whole unit."""
    grids = tiers.grid_polygons
    deepest = int(grids["rank"].max())
    units = shapely.union_all(grids.loc[grids["rank"] == deepest, "geometry"].to_numpy())
    around = _hull(np.concatenate([lonlat, shapely.get_coordinates(units)]))
    rest = _polygons(shapely.difference(around, units))
    keys = [REST if rank == deepest else f"{REST}-{rank}" for rank in range(1, deepest + 1)]
    rows = [
        (key, REST_NAME, rank, keys[rank - 2] if rank > 1 else None, rest, key)
        for rank, key in enumerate(keys, start=1)
    ]
    both = pd.concat([grids, _objects(rows, _GRID_COLUMNS)], ignore_index=True)
    return replace(tiers, grid_polygons=both)
