"""The report on the active road network: read from the store what it looks at."""

from dataclasses import replace
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coverage.county.reading import read_county, read_network
from gis_service.coverage.network.graph import apply_profile
from gis_service.coverage.runs.network_report import (
    NetworkReport,
    ReportRules,
    TurnCounts,
    find_faults,
)
from gis_service.coverage.standards.book import Profile, standard_book
from gis_service.grids.reading import find_scheme, on_day
from gis_service.store import tables as t


def read_report(
    connection: sa.Connection, actor: Actor, profile: Profile, rules: ReportRules
) -> NetworkReport:
    """
    Look for faults in the active network.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Must see every household of the county.
    profile
        Whose roads.
    rules
        What counts as a fault.

    Returns
    -------
    NetworkReport
        Of a network without roads where the county has none.

    Raises
    ------
    NotAllowedError
        The actor sees a part of the county only.
    """
    county = read_county(connection, actor)
    network_id, network = read_network(connection)
    book = standard_book()
    homes = np.unique(county.household_place)
    found = find_faults(
        apply_profile(network, profile, book.scenarios["normal"], book.place),
        _border(connection),
        _water(connection),
        county.places.lon[homes],
        county.places.lat[homes],
        rules,
    )
    return replace(found, turns=_turns(connection, network_id))


def _turns(connection: sa.Connection, network_id: int | None) -> TurnCounts:
    turn = t.road_turn.c
    rows = connection.execute(
        sa.select(turn.why_not, sa.func.count())
        .where(turn.network_id == network_id, turn.kind != t.BARRIER_TURN)
        .group_by(turn.why_not)
        .order_by(turn.why_not)
    )
    counts: dict[str | None, int] = {row[0]: row[1] for row in rows}
    applied = counts.pop(None, 0)
    barriers = connection.scalar(
        sa.select(sa.func.count(turn.via_node.distinct())).where(
            turn.network_id == network_id, turn.kind == t.BARRIER_TURN
        )
    )
    return TurnCounts(
        applied, {str(why): count for why, count in counts.items()}, int(barriers or 0)
    )


def _border(connection: sa.Connection) -> shapely.Geometry | None:
    state = t.grid_state.c
    query = sa.select(sa.func.ST_AsBinary(state.geom)).where(
        state.scheme_id == find_scheme(connection, "base").scheme_id,
        state.rank == 1,
        on_day(state.valid, None),
    )
    return _union(connection, query)


def _water(connection: sa.Connection) -> shapely.Geometry | None:
    cover = t.land_cover.c
    return _union(
        connection, sa.select(sa.func.ST_AsBinary(cover.geom)).where(cover.kind == "water")
    )


def _union(connection: sa.Connection, query: sa.Select[Any]) -> shapely.Geometry | None:
    found = [bytes(wkb) for wkb in connection.execute(query).scalars()]
    return shapely.union_all(shapely.from_wkb(found)) if found else None
