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
from gis_service.ingest.readers.frames import COLUMNS, Note, Refusal, make_empty

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

_LABELS_BY_COUNT: Final = {1: (2,), 2: (0, 2), 3: (0, 1, 2)}
_TIER_LABELS: Final = (("大网格", "Top grid"), ("中网格", "Middle grid"), ("基础网格", "Base grid"))
_ADMIN_LEVELS: Final = {1: ("town",), 2: ("county", "town"), 3: ("county", "town", "village")}
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


def refuse_unit(relation: Relation, present: set[int]) -> Refusal:
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


def build_tiers(units: Iterable[Unit], valid_from: date, homes: FloatArray) -> Tiers:
    """Choose the grids."""
    by_level, refusals = _without_overlaps(units)
    area_of_level = {
        level: shapely.union_all([unit.area for unit in level_units])
        for level, level_units in by_level.items()
    }
    base_level, notes = _choose_base_level(area_of_level, homes)
    tiers = [by_level[base_level]]
    parents: list[dict[str, str]] = []
    for level in sorted((level for level in by_level if level < base_level), reverse=True):
        if len(tiers) == 3:
            break
        parent_of = _find_parents(tiers[0], by_level[level])
        if parent_of is None:
            notes.append(Note("ingest.osm_level_unused", {"level": level}))
        elif len(set(parent_of.values())) < len(parent_of):
            used = set(parent_of.values())
            tiers.insert(0, [unit for unit in by_level[level] if unit.key in used])
            parents.insert(0, parent_of)
    parents.insert(0, {})
    return Tiers(
        _make_grids(tiers, parents),
        _make_levels(tiers),
        _make_admin_units(tiers, parents, valid_from),
        notes,
        refusals,
    )


def _without_overlaps(units: Iterable[Unit]) -> tuple[dict[int, list[Unit]], list[Refusal]]:
    """Keep of two units of one level that share land the one with the lower key."""
    by_level: dict[int, list[Unit]] = {}
    refusals: list[Refusal] = []
    for unit in sorted(units, key=lambda unit: (unit.level, int(unit.key[1:]))):
        level_units = by_level.setdefault(unit.level, [])
        other = next(
            (old for old in level_units if _shared_m2(old.area, unit.area) > OVERLAP_M2), None
        )
        if other is None:
            level_units.append(unit)
        else:
            place = Place(feature=unit.key)
            refusals.append(
                Refusal.because(
                    "ingest.osm_unit_overlaps", place, name=unit.name, other=other.key,
                    other_name=other.name,
                )
            )  # fmt: skip
    return by_level, refusals


def _shared_m2(first: Any, second: Any) -> float:
    if not shapely.intersects(first, second):
        return 0.0
    return float(area_m2(_keep_polygons(shapely.intersection(first, second)))[0])


def _keep_polygons(geometry: Any) -> Any:
    parts = shapely.get_parts(geometry)
    faces = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return shapely.multipolygons(faces)


def _choose_base_level(
    area_of_level: Mapping[int, Any], homes: FloatArray
) -> tuple[int, list[Note]]:
    total = float(area_m2(shapely.union_all(list(area_of_level.values())))[0])
    land_share = {level: float(area_m2(area)[0]) / total for level, area in area_of_level.items()}
    home_share = (
        {level: float(lies_within(area, homes).mean()) for level, area in area_of_level.items()}
        if len(homes)
        else land_share
    )
    whole_levels = [level for level, share in land_share.items() if share >= WHOLE_SHARE]
    base_level = (
        max(whole_levels)
        if whole_levels
        else max(home_share, key=lambda level: (home_share[level], level))
    )
    key = "ingest.osm_level_partial_homes" if len(homes) else "ingest.osm_level_partial"
    notes = [
        Note(
            key,
            {
                "level": level,
                "percent": round_percent(land_share[level]),
                "homes": round_percent(home_share[level]),
            },
        )
        for level in sorted(land_share)
        if level > base_level or (level == base_level and not whole_levels)
    ]
    return base_level, notes


def lies_within(area: Any, lonlat: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell which places (n, 2) lie in an area, whose border belongs to it."""
    shapely.prepare(area)
    return np.asarray(shapely.intersects_xy(area, lonlat[:, 0], lonlat[:, 1]), dtype=bool)


def round_percent(share: float) -> float:
    """Round a share to per cent so that a few are never none and not quite all never all."""
    rounded = round(100 * share, 1)
    return min(max(rounded, 0.1), 99.9) if 0 < share < 1 else rounded


def _find_parents(children: list[Unit], candidates: list[Unit]) -> dict[str, str] | None:
    """Find the one unit above each child; None where a child lies in none."""
    areas = np.array([unit.area for unit in candidates], dtype=object)
    parent_of: dict[str, str] = {}
    for child in children:
        shared = [_shared_m2(area, child.area) for area in areas]
        best = int(np.argmax(shared))
        if shared[best] < WHOLE_SHARE * float(area_m2(child.area)[0]):
            return None
        parent_of[child.key] = candidates[best].key
    return parent_of


def _make_frame(rows: list[Any], columns: tuple[str, ...]) -> pd.DataFrame:
    """Keep None as None: a text column would turn it into NaN."""
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    return frame.astype({"rank": np.int64}) if "rank" in columns else frame


def _make_grids(tiers: list[list[Unit]], parents: list[dict[str, str]]) -> pd.DataFrame:
    areas = {unit.key: unit.area for unit in tiers[-1]}
    for parent_of in reversed(parents[1:]):
        for parent in sorted(set(parent_of.values())):
            children = [
                areas[child] for child, own_parent in parent_of.items() if own_parent == parent
            ]
            areas[parent] = shapely.union_all(children)
    rows = [
        (unit.key, unit.name, rank, parents[rank - 1].get(unit.key), areas[unit.key], unit.key)
        for rank, tier in enumerate(tiers, start=1)
        for unit in tier
    ]
    return _make_frame(rows, _GRID_COLUMNS)


def _make_levels(tiers: list[list[Unit]]) -> pd.DataFrame:
    labels = [_TIER_LABELS[index] for index in _LABELS_BY_COUNT[len(tiers)]]
    rows = [
        (rank, label, label_en, str(tier[0].level))
        for rank, (tier, (label, label_en)) in enumerate(zip(tiers, labels, strict=True), start=1)
    ]
    return _make_frame(rows, _LEVEL_COLUMNS)


def _make_admin_units(
    tiers: list[list[Unit]], parents: list[dict[str, str]], valid_from: date
) -> pd.DataFrame:
    rows = [
        (
            unit.key, unit.name, level, parents[index].get(unit.key), SOURCE_LIST, None,
            valid_from, None, unit.area,
        )
        for index, (tier, level) in enumerate(zip(tiers, _ADMIN_LEVELS[len(tiers)], strict=True))
        for unit in tier
    ]  # fmt: skip
    return _make_frame(rows, COLUMNS["admin_units"])


def make_hull_tier(name: str, lonlat: FloatArray) -> Tiers:
    """Make the one grid of a file without any administrative area."""
    area = _draw_hull(lonlat)
    label, label_en = _TIER_LABELS[2]
    return Tiers(
        _make_frame([("extent", name, 1, None, area, "extent")], _GRID_COLUMNS),
        _make_frame([(1, label, label_en, None)], _LEVEL_COLUMNS),
        make_empty("admin_units"),
        [Note("ingest.osm_no_units", {"name": name, "metres": round(HULL_BUFFER_M)})],
        [],
    )


def _draw_hull(lonlat: FloatArray) -> Any:
    """Draw the convex hull of places, wider by :data:`HULL_BUFFER_M`."""
    to_xy, to_lonlat = local_metres(*(float(value) for value in lonlat.mean(axis=0).round(3)))
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack(to_xy(*lonlat.T))))
    wider = shapely.buffer(hull, HULL_BUFFER_M, quad_segs=4)
    return on_lattice(
        shapely.transform(wider, lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1])))
    )


def add_rest(tiers: Tiers, lonlat: FloatArray) -> Tiers:
    """Make one more grid, on each tier, of what lies in no whole unit."""
    grids = tiers.grid_polygons
    deepest = int(grids["rank"].max())
    units = shapely.union_all(grids.loc[grids["rank"] == deepest, "geometry"].to_numpy())
    hull = _draw_hull(np.concatenate([lonlat, shapely.get_coordinates(units)]))
    rest = _keep_polygons(shapely.difference(hull, units))
    keys = [REST if rank == deepest else f"{REST}-{rank}" for rank in range(1, deepest + 1)]
    rows = [
        (key, REST_NAME, rank, keys[rank - 2] if rank > 1 else None, rest, key)
        for rank, key in enumerate(keys, start=1)
    ]
    with_rest_rows = pd.concat([grids, _make_frame(rows, _GRID_COLUMNS)], ignore_index=True)
    return replace(tiers, grid_polygons=with_rest_rows)
