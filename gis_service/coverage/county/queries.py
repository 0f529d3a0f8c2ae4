"""What a coverage run reads from the store: roads, facilities, grids, and who stands where.

The one module of this room that reads the inputs of a run. Households and hazards are read
through :func:`gis_service.access.visible`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.measuring.measurement import Facilities
from gis_service.coverage.measuring.notes import NotedStation
from gis_service.coverage.measuring.statistics import NO_GRID, POPULATIONS, Hierarchy
from gis_service.coverage.network.graph import IntArray, RoadNetwork
from gis_service.coverage.network.places import Places, Standing, gather_places
from gis_service.errors import ConflictError, NotAllowedError
from gis_service.grids.reading import find_scheme, find_version_on, on_day
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays
from gis_service.store.engine import keep_roads

Columns = Mapping[str, npt.NDArray[Any]]

_OBJECTS: Final = ("household", "building", "premises", "hazard")


@dataclass(frozen=True)
class County:
    """What does not hang on the standard: grids, facilities, and who stands where."""

    # Of the boundaries in force today.
    version_id: int
    hierarchy: Hierarchy
    facilities: Facilities
    # Every point once.
    places: Places
    # All households by id, and the index of each one's place.
    household_id: IntArray
    household_place: IntArray
    # Digests of ``boundaries``, ``households``, ``buildings``, ``premises`` and ``hazards``.
    inputs: Mapping[str, str]


def check_whole_county(actor: Actor) -> None:
    """Refuse whoever does not see every household."""
    if not visible(actor, t.household).compare(sa.true()):
        raise NotAllowedError("coverage.whole_county_only", actor=actor.name)


def read_county(connection: sa.Connection, actor: Actor) -> County:
    """Read grids, facilities and all that stands in the county."""
    check_whole_county(actor)
    scheme = find_scheme(connection, "base")
    version = find_version_on(connection, scheme.scheme_id, None)
    if version is None:
        raise ConflictError("coverage.no_boundaries")
    state = t.grid_state.c
    grids = _read_by_id(
        connection,
        sa.select(
            state.grid_id,
            state.rank,
            sa.func.coalesce(state.parent_grid_id, NO_GRID).label("parent"),
        ).where(state.scheme_id == scheme.scheme_id, on_day(state.valid, None)),
    )
    rows = {name: _read_objects(connection, actor, name) for name in _OBJECTS}
    places, where = gather_places(
        {name: _as_standing(name, columns) for name, columns in rows.items()}, POPULATIONS
    )
    hierarchy = Hierarchy(**grids)
    return County(
        version_id=version[0].version_id,
        hierarchy=hierarchy,
        facilities=read_facilities(connection),
        places=places,
        household_id=rows["household"]["id"],
        household_place=where["household"],
        inputs={
            "boundaries": fingerprints.digest_boundaries(hierarchy),
            **{
                _PLURAL[name]: fingerprints.digest_columns(columns)
                for name, columns in rows.items()
            },
        },
    )


def read_facilities(connection: sa.Connection) -> Facilities:
    """Read every facility of the county and around it."""
    facility = t.facility.c
    return Facilities(
        **_read_by_id(
            connection,
            sa.select(
                facility.facility_id,
                facility.kind,
                *_lon_lat(facility.point),
                facility.turnout_minutes,
            ),
        )
    )


def read_stations(connection: sa.Connection, kinds: Sequence[str]) -> dict[int, NotedStation]:
    """Read what is said of facilities: their names, and how far outside the county they stand."""
    facility, state = t.facility.c, t.grid_state.c
    scheme = find_scheme(connection, "base")
    top = sa.select(sa.func.min(t.grid_level.c.rank)).where(
        t.grid_level.c.scheme_id == scheme.scheme_id
    )
    towns = (
        (state.scheme_id == scheme.scheme_id)
        & (state.rank == top.scalar_subquery())
        & on_day(state.valid, None)
    )
    within = sa.exists().where(towns, sa.func.ST_Covers(state.geom, facility.point))
    metres = (
        sa.select(
            sa.func.min(sa.func.ST_Distance(_geography(state.geom), _geography(facility.point)))
        )
        .where(towns)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(
            facility.facility_id,
            facility.name,
            sa.case((within, 0.0), else_=metres).label("metres"),
        ).where(facility.kind.in_(kinds))
    )
    return {row.facility_id: NotedStation(row.name, float(row.metres or 0.0)) for row in rows}


def read_names_in_force(connection: sa.Connection) -> dict[int, tuple[str, str]]:
    """Read code and name of every grid in force today, by id."""
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.code, state.name).where(on_day(state.valid, None))
    )
    return {row.grid_id: (row.code, row.name) for row in rows}


_PLURAL: Final[Mapping[str, str]] = {
    "household": "households",
    "building": "buildings",
    "premises": "premises",
    "hazard": "hazards",
}


def _read_objects(connection: sa.Connection, actor: Actor, name: str) -> Columns:
    """Read where the objects of a kind stand, and what of them is counted."""
    home, hazard = t.household.c, t.hazard.c
    table = t.metadata.tables[name]
    rules_by_name: dict[str, tuple[sa.ColumnElement[bool], tuple[sa.ColumnElement[Any], ...]]] = {
        "household": (
            visible(actor, t.household),
            (home.people, (sa.func.cardinality(home.care_tags) > 0).label("care")),
        ),
        "hazard": (visible(actor, t.hazard) & (hazard.status != "closed"), ()),
    }
    condition, counted = rules_by_name.get(name, (sa.true(), ()))
    return _read_by_id(
        connection,
        sa.select(
            table.c[f"{name}_id"].label("id"),
            sa.func.coalesce(table.c.base_grid_id, NO_GRID).label("base_grid"),
            *_lon_lat(table.c.point),
            *counted,
        ).where(condition),
    )


def _as_standing(name: str, rows: Columns) -> Standing:
    single = np.ones(len(rows["id"]), np.int64)
    counts = {_PLURAL[name]: single}
    if name == "household":
        counts |= {"people": rows["people"], "care_households": rows["care"].astype(np.int64)}
    return Standing(rows["lon"], rows["lat"], rows["base_grid"], counts)


def _lon_lat(point: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[float], ...]:
    return (
        sa.type_coerce(sa.func.ST_X(point), sa.Double).label("lon"),
        sa.type_coerce(sa.func.ST_Y(point), sa.Double).label("lat"),
    )


def _geography(geometry: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.geography(geometry)


def _read_by_id(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, npt.NDArray[Any]]:
    """Read rows in the order of the first column, so that the same county is read the same."""
    arrays = read_arrays(connection, query)
    order = np.argsort(next(iter(arrays.values())), kind="stable")
    return {name: array[order] for name, array in arrays.items()}


def read_network(connection: sa.Connection) -> tuple[int | None, RoadNetwork]:
    """Read the active road network."""
    keep_roads(connection)
    network_id = connection.scalar(
        sa.select(t.road_network.c.network_id).where(t.road_network.c.active)
    )
    node, edge = t.road_node.c, t.road_edge.c
    nodes = read_arrays(
        connection,
        sa.select(node.node_id, *_lon_lat(node.point)).where(node.network_id == network_id),
    )
    edges = read_arrays(
        connection,
        sa.select(
            edge.edge_id,
            edge.source_node,
            edge.target_node,
            edge.road_class,
            edge.oneway,
            edge.maxspeed_kmh,
            edge.bridge,
            edge.tunnel,
            edge.dual_carriageway,
            edge.foot,
            edge.motor,
            edge.length_m,
            edge.geom.label("geometry"),
        ).where(edge.network_id == network_id),
    )
    turn = t.road_turn.c
    turns = read_arrays(
        connection,
        sa.select(turn.kind, turn.from_edge, turn.via_node, turn.to_edge).where(
            turn.network_id == network_id, turn.why_not.is_(None)
        ),
    )
    frames = (pd.DataFrame(columns) for columns in (nodes, edges, turns))
    return network_id, RoadNetwork.from_frames(*frames)
