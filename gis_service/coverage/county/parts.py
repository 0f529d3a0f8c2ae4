"""The county as a process keeps it for coverage: roads, facilities, who stands where.

Dispatch, bands, "what if", reports and the staleness of runs are all made of these parts.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coverage.county.queries import (
    County,
    read_county,
    read_facilities,
    read_network,
)
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.measuring.measurement import Facilities
from gis_service.coverage.network.graph import ProfileNetwork, RoadNetwork, apply_profile
from gis_service.coverage.standards.book import standard_book
from gis_service.coverage.travel.routes import Router
from gis_service.snapshot import Snapshot, SnapshotPart
from gis_service.store.tiles import DAY

ROADS: Final = SnapshotPart("roads", ("road_edge", "road_network", "road_node", "road_turn"))
ROUTERS: Final = SnapshotPart("routers by profile and scenario", needs=(ROADS,), most=24)
FACILITIES: Final = SnapshotPart("facilities", ("facility",))
COUNTY: Final = SnapshotPart(
    "grids, and who stands where",
    (
        "assignment",
        "building",
        "grid_level",
        "grid_scheme",
        "grid_state",
        "grid_version",
        "hazard",
        "household",
        "premises",
        DAY,
    ),
    needs=(FACILITIES,),
    quiet_s=900.0,
)

WALKED_METRES: Final = "walked_metres"
"""Instead of a profile: what may be walked, measured in metres instead of minutes."""


@dataclass(frozen=True)
class ActiveRoads:
    """The active network; None and a network without roads where there is none."""

    network_id: int | None
    network: RoadNetwork

    @cached_property
    def digest(self) -> str:
        """Of the network."""
        return fingerprints.digest_network(self.network)


def get_roads(snapshot: Snapshot, connection: sa.Connection) -> ActiveRoads:
    """Give the road network that is active now, shared by all who travel."""
    return snapshot.get(connection, ROADS, lambda: ActiveRoads(*read_network(connection)))


def get_router(
    snapshot: Snapshot, connection: sa.Connection, profile: str, scenario: str = "normal"
) -> Router | None:
    """
    Give the router of a profile over the network that is active now.

    Parameters
    ----------
    snapshot
        Of the process.
    connection
        An open transaction.
    profile
        Its code, or :data:`WALKED_METRES`.
    scenario
        Its code.

    Returns
    -------
    Router or None
        None where the county has no roads.

    Raises
    ------
    NotFoundError
        There is no such scenario.
    """
    book = standard_book()
    circumstances = book.scenario(scenario)

    def make() -> Router | None:
        network = get_roads(snapshot, connection).network
        if network.edge_count == 0:
            return None
        if profile == WALKED_METRES:
            normal = book.scenario("normal")
            walked = apply_profile(network, book.profiles["walk"], normal, book.place)
            return Router(_count_metres(walked), book.place)
        profiled = apply_profile(network, book.profiles[profile], circumstances, book.place)
        return Router(profiled, book.place)

    return snapshot.get(connection, ROUTERS, make, (profile, scenario))


def _count_metres(profiled: ProfileNetwork) -> ProfileNetwork:
    """Keep what may be used, and count metres where there were minutes."""
    metres = profiled.network.length_m
    return replace(
        profiled,
        minutes_along=np.where(np.isfinite(profiled.minutes_along), metres, np.inf),
        minutes_against=np.where(np.isfinite(profiled.minutes_against), metres, np.inf),
    )


def get_facilities(snapshot: Snapshot, connection: sa.Connection) -> Facilities:
    """Give every facility of the county and around it."""
    return snapshot.get(connection, FACILITIES, lambda: read_facilities(connection))


def get_county(snapshot: Snapshot, connection: sa.Connection) -> County:
    """Give grids, facilities and all that stands in the county."""
    # Whole, whoever asks: the caller has looked whether the actor may know it.
    return snapshot.get(connection, COUNTY, lambda: read_county(connection, SYSTEM))
