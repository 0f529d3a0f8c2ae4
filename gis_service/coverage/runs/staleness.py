"""Whether a stored run still is what would be measured now, and if not, what has changed.

First the counts of changes that triggers keep are compared, which takes a millisecond; only what
was touched since is read again and its digest compared, so that a change taken back is none.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import sqlalchemy as sa

from gis_service import __version__
from gis_service.coverage.county import parts as county
from gis_service.coverage.county.parts import COUNTY, ROADS
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.standards.book import StandardBook, parameters_of
from gis_service.errors import ConflictError, NotFoundError
from gis_service.snapshot import Snapshot, SnapshotPart, state_of

RUN: Final = SnapshotPart("a run", needs=(ROADS, COUNTY))


class Measured(Protocol):
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


def changes_now(connection: sa.Connection) -> dict[str, int]:
    """Tell how often what a run stands on has changed so far, and which day it is."""
    return dict(state_of(connection, RUN))


def stale_because(
    snapshot: Snapshot, connection: sa.Connection, run: Measured, book: StandardBook
) -> tuple[str, ...]:
    """
    Name what has changed since a run was measured.

    Parameters
    ----------
    snapshot
        Of the process.
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
    touched = {name for name, count in changes.items() if then.get(name) != count}
    if touched.intersection(ROADS.stands_on):
        now["network"] = county.roads(snapshot, connection).digest
    if touched.difference(ROADS.stands_on):
        now |= _of_county(snapshot, connection, run.kinds)
    return fingerprints.changed(before, now)


def _of_county(
    snapshot: Snapshot, connection: sa.Connection, kinds: tuple[str, ...]
) -> dict[str, str]:
    try:
        found = county.county(snapshot, connection)
    except ConflictError:  # no boundaries in force any more: then they have changed
        return {"boundaries": ""}
    return {**found.inputs, "facilities": fingerprints.of_facilities(found.facilities, kinds)}


def _settings(run: Measured, book: StandardBook) -> str:
    try:
        parameters = parameters_of(book, run.standard, run.scenario)
    except NotFoundError:  # the county has taken the standard or the scenario out of its file
        return ""
    return fingerprints.of_settings(parameters)
