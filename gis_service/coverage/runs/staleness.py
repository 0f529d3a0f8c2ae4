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
from gis_service.coverage.standards.book import StandardBook, collect_parameters
from gis_service.errors import ConflictError, NotFoundError
from gis_service.snapshot import Snapshot, SnapshotPart, read_state

RUN: Final = SnapshotPart("a run", needs=(ROADS, COUNTY))


class MeasuredResult(Protocol):
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


def read_change_counts(connection: sa.Connection) -> dict[str, int]:
    """Tell how often what a run stands on has changed so far, and which day it is."""
    return dict(read_state(connection, RUN))


def find_stale_parts(
    snapshot: Snapshot, connection: sa.Connection, run: MeasuredResult, book: StandardBook
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
    now = {**before, "software": __version__, "settings": _digest_settings(run, book)}
    changes = read_change_counts(connection)
    touched = {name for name, count in changes.items() if then.get(name) != count}
    if touched.intersection(ROADS.stands_on):
        now["network"] = county.get_roads(snapshot, connection).digest
    if touched.difference(ROADS.stands_on):
        now |= _digest_county(snapshot, connection, run.kinds)
    return fingerprints.find_changed_parts(before, now)


def _digest_county(
    snapshot: Snapshot, connection: sa.Connection, kinds: tuple[str, ...]
) -> dict[str, str]:
    try:
        whole = county.get_county(snapshot, connection)
    except ConflictError:  # no boundaries in force any more: then they have changed
        return {"boundaries": ""}
    return {**whole.inputs, "facilities": fingerprints.digest_facilities(whole.facilities, kinds)}


def _digest_settings(run: MeasuredResult, book: StandardBook) -> str:
    try:
        parameters = collect_parameters(book, run.standard, run.scenario)
    except NotFoundError:  # the county has taken the standard or the scenario out of its file
        return ""
    return fingerprints.digest_settings(parameters)
