"""What a plan begins with: the linework of a version, its grids, and what stands on the land.

Read once for every version and state of the data, shared by all plans on it. Only numbers leave
here, never a person; so it is read in the system's name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from geoalchemy2 import Geometry

from gis_service.access import SYSTEM, visible
from gis_service.boundaries.editing.balance import Units
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.publication.reading import Boundaries, read_boundaries
from gis_service.geodesy import GeometryArray
from gis_service.grids.versions import Version
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays
from gis_service.store.tiles import counts

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
    # Buildings: outline, or point where there is none, and id.
    footprints: PackedShapes
    building_ids: npt.NDArray[np.int64]
    building_households: npt.NDArray[np.int64]
    # Grids with an officer of post A.
    officers: frozenset[str]


def read_data_state(connection: sa.Connection) -> tuple[Any, ...]:
    """Name the state of what a base is read from."""
    return tuple(counts(connection, READ).values())


def read_base(connection: sa.Connection, version: Version) -> Base:
    """Read a version with all that plans need to know of the land."""
    scheme = connection.execute(
        sa.select(t.grid_scheme).where(t.grid_scheme.c.scheme_id == version.scheme_id)
    ).one()
    drawn = read_boundaries(connection, version)
    houses = _read_houses(connection)
    streets, water = _read_streets(connection), _read_banks(connection)
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
        PackedShapes(houses.shapes),
        houses.ids,
        houses.counts[:, 0].astype(np.int64),
        _read_grids_with_officer(connection),
    )


def _count_units(connection: sa.Connection, houses: "_Houses") -> Units:
    """Count by building what moves with it; everything else stands alone."""
    parts = [
        _homes_in_buildings(houses),
        _read_homes_without_building(connection),
        _read_premises(connection),
        _read_hazards(connection),
        _read_incidents(connection),
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


def _read_houses(connection: sa.Connection) -> _Houses:
    home, house = t.household.c, t.building.c
    shape = sa.type_coerce(sa.func.coalesce(house.footprint, house.point), Geometry("GEOMETRY"))
    rows = read_arrays(
        connection,
        sa.select(
            house.building_id.label("id"),
            sa.type_coerce(sa.func.ST_X(house.point), sa.Double).label("lon"),
            sa.type_coerce(sa.func.ST_Y(house.point), sa.Double).label("lat"),
            shape.label("shape"),
        ),
    )
    order = np.argsort(rows["id"])
    ids = rows["id"][order]
    homes = read_arrays(
        connection,
        sa.select(home.building_id.label("id"), *_household_counts())
        .where(visible(SYSTEM, t.household), home.building_id.is_not(None))
        .group_by(home.building_id),
    )
    counts = np.zeros((len(ids), 3))
    counts[np.searchsorted(ids, homes["id"])] = _stack_counts(homes)
    xy = np.column_stack([rows["lon"], rows["lat"]])[order]
    return _Houses(ids, xy, rows["shape"][order], counts)


def _household_counts() -> list[sa.ColumnElement[Any]]:
    home = t.household.c
    care = sa.func.count().filter(sa.func.cardinality(home.care_tags) > 0)
    return [
        sa.type_coerce(sa.func.count(), sa.BigInteger).label("n"),
        sa.type_coerce(sa.func.sum(home.people), sa.BigInteger).label("people"),
        sa.type_coerce(care, sa.BigInteger).label("care"),
    ]


def _stack_counts(rows: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    return np.column_stack([rows["n"], rows["people"], rows["care"]]).astype(float)


def _homes_in_buildings(houses: _Houses) -> _PlacedCounts:
    """Take the buildings with households; those that share a place are one."""
    lived = houses.counts[:, 0] > 0
    return _sum_by_place(houses.xy[lived], houses.counts[lived])


def _read_homes_without_building(connection: sa.Connection) -> _PlacedCounts:
    home = t.household.c
    rows = read_arrays(
        connection,
        _select_places(home.household_id, home.point)
        .add_columns(home.people, (sa.func.cardinality(home.care_tags) > 0).label("care"))
        .where(visible(SYSTEM, t.household), home.building_id.is_(None)),
    )
    rows["n"] = np.ones(len(rows["id"]), dtype=np.int64)
    return _sum_by_place(np.column_stack([rows["lon"], rows["lat"]]), _stack_counts(rows))


def _sum_by_place(xy: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> _PlacedCounts:
    order = np.lexsort((xy[:, 1], xy[:, 0]))
    xy, counts = xy[order], counts[order]
    first = np.ones(len(xy), dtype=bool)
    first[1:] = (xy[1:] != xy[:-1]).any(axis=1)
    begins = np.flatnonzero(first)
    summed = np.add.reduceat(counts, begins) if len(begins) else counts
    return xy[begins], np.hstack([summed, np.zeros((len(begins), 3))])


def _select_places(identity: sa.ColumnElement[int], point: sa.ColumnElement[Any]) -> sa.Select[Any]:
    lon, lat = (
        sa.type_coerce(measure(point), sa.Double) for measure in (sa.func.ST_X, sa.func.ST_Y)
    )
    return sa.select(identity.label("id"), lon.label("lon"), lat.label("lat"))


def _read_single_units(
    connection: sa.Connection, query: sa.Select[Any], column: int, share: float = 1
) -> _PlacedCounts:
    """Take what stands alone, by id: its place, and a count in one column."""
    rows = read_arrays(connection, query)
    order = np.argsort(rows["id"])
    counts = np.zeros((len(order), 6))
    counts[:, column] = share
    return np.column_stack([rows["lon"], rows["lat"]])[order], counts


def _read_premises(connection: sa.Connection) -> _PlacedCounts:
    return _read_single_units(
        connection, _select_places(t.premises.c.premises_id, t.premises.c.point), 3
    )


def _read_hazards(connection: sa.Connection) -> _PlacedCounts:
    hazard = t.hazard.c
    query = _select_places(hazard.hazard_id, hazard.point).where(
        visible(SYSTEM, t.hazard), hazard.status != "closed"
    )
    return _read_single_units(connection, query, 4)


def _read_incidents(connection: sa.Connection) -> _PlacedCounts:
    incident = t.incident.c
    year = sa.func.now() - sa.func.make_interval(1)
    query = _select_places(incident.incident_id, incident.point).where(
        visible(SYSTEM, t.incident), incident.reported_at > year
    )
    return _read_single_units(connection, query, 5, 1 / _MONTHS)


def _read_streets(connection: sa.Connection) -> GeometryArray:
    edge, network = t.road_edge.c, t.road_network.c
    rows = read_arrays(
        connection,
        sa.select(edge.edge_id, edge.geom)
        .join(t.road_network, network.network_id == edge.network_id)
        .where(network.active),
    )
    return np.asarray(rows["geom"][np.argsort(rows["edge_id"])], dtype=object)


def _read_banks(connection: sa.Connection) -> GeometryArray:
    """Read the banks of all water, outlines as lines."""
    cover = t.land_cover.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(cover.geom)).where(cover.kind == "water").order_by(cover.key)
    )
    rings = shapely.get_rings(shapely.get_parts(shapely.from_wkb([bytes(row[0]) for row in rows])))
    banks = np.empty(len(rings), dtype=object)
    banks[:] = [shapely.LineString(ring.coords) for ring in rings]
    return banks


def _read_grids_with_officer(connection: sa.Connection) -> frozenset[str]:
    duty = t.grid_duty.c
    rows = connection.execute(
        sa.select(duty.grid_id).where(
            duty.role == "officer",
            duty.post == "A",
            duty.valid.op("@>")(sa.func.gis_today()),
        )
    )
    return frozenset(str(row[0]) for row in rows)
