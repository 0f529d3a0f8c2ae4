"""Whether a stored run still is what would be measured now, and if not, what has changed.

First the counts of changes that triggers keep are compared, which takes a millisecond; only what
was touched since is read again and its digest compared, so that a change taken back is none.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

import sqlalchemy as sa

from gis_service import __version__
from gis_service.access import SYSTEM
from gis_service.coverage import fingerprints
from gis_service.coverage.county_reading import read_county, read_network
from gis_service.coverage.measurement import Facilities
from gis_service.coverage.standards import StandardBook, parameters_of
from gis_service.errors import ConflictError, NotFoundError
from gis_service.grids.versions import today
from gis_service.store.tiles import counts

_ROADS: Final = ("road_edge", "road_network", "road_turn")
_COUNTY: Final = (
    "assignment",
    "building",
    "facility",
    "grid_state",
    "grid_version",
    "hazard",
    "household",
    "premises",
)
DAY: Final = "day"
"""Beside the counts: boundaries may come into force by the calendar alone."""


class Stands(Protocol):
    """What was worked out on the county as it was: a run, or the choice of sites."""

    @property
    def standard(self) -> str:
        """Its code."""

    @property
    def scenario(self) -> str:
        """Its code."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of facilities."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """``digests`` by part, and the ``counts`` of changes then."""


def changes_now(connection: sa.Connection) -> dict[str, Any]:
    """
    Tell how often what a run stands on has changed so far, and which day it is.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    dict
        JSON; equal as long as nothing was touched.
    """
    day = str(today(connection))
    return {**counts(connection, (*_ROADS, *_COUNTY)), DAY: day}


class Digests:
    """
    Digests of the present state, each kept until what it is of is touched again.

    One serves a process; it holds no rows.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._roads: tuple[object, str] | None = None
        self._county: tuple[object, Mapping[str, str], Facilities] | None = None

    def stale_because(
        self, connection: sa.Connection, run: Stands, book: StandardBook
    ) -> tuple[str, ...]:
        """
        Name what has changed since a run was measured.

        Parameters
        ----------
        connection
            An open transaction.
        run
            Which, or what else was worked out as one is.
        book
            The standards in force.

        Returns
        -------
        tuple of str
            Of ``fingerprints.PARTS``; empty for a run that still stands.
        """
        before: dict[str, str] = run.inputs.get("digests", {})
        then: dict[str, Any] = run.inputs.get("counts", {})
        now = {**before, "software": __version__, "settings": _settings(run, book)}
        changes = changes_now(connection)
        with self.lock:
            if any(then.get(name) != changes[name] for name in _ROADS):
                now["network"] = self._of_roads(connection, changes)
            if any(then.get(name) != changes[name] for name in (*_COUNTY, DAY)):
                now |= self._of_county(connection, changes, run.kinds)
        return fingerprints.changed(before, now)

    def _of_roads(self, connection: sa.Connection, changes: Mapping[str, Any]) -> str:
        state = tuple(changes[name] for name in _ROADS)
        if self._roads is None or self._roads[0] != state:
            self._roads = (state, fingerprints.of_network(read_network(connection)[1]))
        return self._roads[1]

    def _of_county(
        self, connection: sa.Connection, changes: Mapping[str, Any], kinds: tuple[str, ...]
    ) -> dict[str, str]:
        state = tuple(changes[name] for name in (*_COUNTY, DAY))
        if self._county is None or self._county[0] != state:
            try:
                county = read_county(connection, SYSTEM)
            except ConflictError:  # no boundaries in force any more: then they have changed
                return {"boundaries": ""}
            self._county = (state, county.inputs, county.facilities)
        _, inputs, facilities = self._county
        return {**inputs, "facilities": fingerprints.of_facilities(facilities, kinds)}


def _settings(run: Stands, book: StandardBook) -> str:
    try:
        parameters = parameters_of(book, run.standard, run.scenario)
    except NotFoundError:  # the county has taken the standard or the scenario out of its file
        return ""
    return fingerprints.of_settings(parameters)
