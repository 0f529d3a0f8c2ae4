"""What a plan begins with: the linework of a version, its grids, and what stands on the land.

Read once for every version and state of the data, shared by all plans on it. Only numbers leave
here, never a person; so it is read in the system's name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis_service.boundaries.editing.balance import COUNTS, Units
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.plans import queries
from gis_service.boundaries.plans.queries import Arrays
from gis_service.boundaries.publication.queries import Boundaries, read_boundaries
from gis_service.geodesy import GeometryArray
from gis_service.grids.versions import Version
from gis_service.store.tiles import count_changes

READ: Final = (
    "household", "building", "premises", "hazard", "incident", "road_network", "land_cover",
    "grid_duty",
)  # fmt: skip
"""Tables whose change makes a base out of date."""
_MONTHS: Final = 12


@dataclass(frozen=True)
class Base(Boundaries):
    """A version as plans are drawn on it."""

    several_parts: bool
    size_rule: Mapping[str, Sequence[int]]
    # What is counted.
    units: Units
    # Lines that a border may follow: streets, which are walked, and after them water.
    lines: PackedShapes
    street_count: int
    # Which of them are for walking alone: they cut only what nothing else cuts.
    footpaths: npt.NDArray[np.bool_]
    # Where green and built land ends: seen on the ground, though no street.
    cover_edges: PackedShapes
    # Buildings: outline, or point where there is none, and id.
    footprints: PackedShapes
    building_ids: npt.NDArray[np.int64]
    building_households: npt.NDArray[np.int64]
    # Grids with an officer of post A.
    officers: frozenset[str]
    # Names that the base grids of each village have or had, by the village's key.
    past_names: Mapping[str, frozenset[str]]
    # Grids of a school, a park, a mall: no proposal touches them.
    dedicated: frozenset[str]


def read_data_state(connection: sa.Connection) -> tuple[Any, ...]:
    """Name the state of what a base is read from."""
    return tuple(count_changes(connection, READ).values())


def read_base(connection: sa.Connection, version: Version) -> Base:
    """Read a version with all that plans need to know of the land."""
    scheme = queries.read_scheme(connection, version.scheme_id)
    drawn = read_boundaries(connection, version)
    houses = _count_houses(connection)
    streets, on_foot = queries.read_streets(connection)
    water = queries.read_outlines(connection, ("water",))
    return Base(
        version,
        drawn.grids,
        drawn.tessellation,
        drawn.arc_ids,
        scheme.several_parts,
        scheme.size_rule,
        _count_units(connection, houses),
        PackedShapes(np.concatenate([streets, water])),
        len(streets),
        np.concatenate([on_foot, np.zeros(len(water), dtype=bool)]),
        PackedShapes(queries.read_outlines(connection, ("green", "built"))),
        PackedShapes(houses.shapes),
        houses.ids,
        houses.counts[:, 0].astype(np.int64),
        queries.read_grids_with_officer(connection),
        queries.read_past_names(connection, version.scheme_id, drawn.lowest),
        queries.read_dedicated_grids(connection, version.scheme_id),
    )


def _count_units(connection: sa.Connection, houses: "_Houses") -> Units:
    """Count by building what moves with it; everything else stands alone."""
    parts = [
        _homes_in_buildings(houses),
        _count_homes_alone(connection),
        _count_singly(queries.read_premises(connection), COUNTS.index("premises")),
        _count_singly(queries.read_open_hazards(connection), COUNTS.index("hazards")),
        _count_singly(
            queries.read_incidents_of_a_year(connection),
            COUNTS.index("incidents_month"),
            1 / _MONTHS,
        ),
    ]
    xy = np.concatenate([part[0] for part in parts])
    counts = np.concatenate([part[1] for part in parts])
    return Units(xy[:, 0], xy[:, 1], counts)


_PlacedCounts = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class _Houses:
    """Buildings by id: place, outline, and how many households, people and care households."""

    ids: npt.NDArray[np.int64]
    xy: npt.NDArray[np.float64]
    shapes: GeometryArray
    counts: npt.NDArray[np.float64]


def _count_houses(connection: sa.Connection) -> _Houses:
    rows = queries.read_buildings(connection)
    homes = queries.count_households_in_buildings(connection)
    counts = np.zeros((len(rows["id"]), 3))
    counts[np.searchsorted(rows["id"], homes["id"])] = _stack_counts(homes)
    return _Houses(rows["id"], np.column_stack([rows["lon"], rows["lat"]]), rows["shape"], counts)


def _stack_counts(rows: Arrays) -> npt.NDArray[np.float64]:
    return np.column_stack([rows["n"], rows["people"], rows["care"]]).astype(float)


def _homes_in_buildings(houses: _Houses) -> _PlacedCounts:
    """Take the buildings with households; those that share a place are one."""
    lived = houses.counts[:, 0] > 0
    return _sum_by_place(houses.xy[lived], houses.counts[lived])


def _sum_by_place(xy: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> _PlacedCounts:
    order = np.lexsort((xy[:, 1], xy[:, 0]))
    xy, counts = xy[order], counts[order]
    first = np.ones(len(xy), dtype=bool)
    first[1:] = (xy[1:] != xy[:-1]).any(axis=1)
    begins = np.flatnonzero(first)
    summed = np.add.reduceat(counts, begins) if len(begins) else counts
    return xy[begins], np.hstack([summed, np.zeros((len(begins), 3))])


def _count_homes_alone(connection: sa.Connection) -> _PlacedCounts:
    """Take households without a building; those that share a place are one."""
    rows = dict(queries.read_homes_without_building(connection))
    rows["n"] = np.ones(len(rows["id"]), dtype=np.int64)
    return _sum_by_place(np.column_stack([rows["lon"], rows["lat"]]), _stack_counts(rows))


def _count_singly(rows: Arrays, column: int, share: float = 1) -> _PlacedCounts:
    """Take what stands alone: its place, and a count in one column."""
    counts = np.zeros((len(rows["id"]), len(COUNTS)))
    counts[:, column] = share
    return np.column_stack([rows["lon"], rows["lat"]]), counts
