"""What a process keeps of the boundaries in force: the index of each scheme, and its grids' names.

Made again when something is published or a day begins that brings others; other days are answered
from the store.
"""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from gis_service.grids.answers.border_roads import BorderRoads, read_border_roads
from gis_service.grids.answers.directory import VersionDates, find_version_dates, read_grid_rows
from gis_service.grids.locator.locator import Locator
from gis_service.grids.reading import SchemeKey, find_scheme
from gis_service.grids.versions import Version, read_polygons
from gis_service.snapshot import Snapshot, SnapshotPart
from gis_service.store.tiles import DAY

BOUNDARIES: Final = SnapshotPart(
    "boundaries in force, by scheme",
    ("grid", "grid_level", "grid_scheme", "grid_state", "grid_version", DAY),
    most=8,
)
BORDER_ROADS: Final = SnapshotPart(
    "roads along them", ("road_edge", "road_network"), needs=(BOUNDARIES,), most=8
)


@dataclass(frozen=True)
class Serving:
    """The version of a scheme that is in force, and a locator that answers for it."""

    scheme: SchemeKey
    version: Version
    dates: VersionDates
    locator: Locator
    # Name, parent and extent of its grids, by id.
    rows: dict[int, Any]


def get_serving(snapshot: Snapshot, connection: sa.Connection, scheme: str = "base") -> Serving:
    """Give the boundaries that are in force now."""

    def make() -> Serving:
        key = find_scheme(connection, scheme)
        version, dates = find_version_dates(connection, key)
        ids, shapes = read_polygons(connection, version.scheme_id, version.effective_day)
        rows = read_grid_rows(connection, key, dates)
        return Serving(key, version, dates, Locator(ids, shapes), rows)

    return snapshot.get(connection, BOUNDARIES, make, scheme)


def get_border_roads(
    snapshot: Snapshot, connection: sa.Connection, version: Version
) -> BorderRoads:
    """Give the roads that run along the borders of a version in force."""
    return snapshot.get(
        connection, BORDER_ROADS, lambda: read_border_roads(connection, version), version
    )
