"""What the county's figures would be, asked of the county that a process keeps measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from gis_service import __version__
from gis_service.access import Actor
from gis_service.coverage.county import parts as county
from gis_service.coverage.county.parts import COUNTY, ROADS
from gis_service.coverage.county.queries import check_whole_county, read_names_in_force
from gis_service.coverage.measuring import fingerprints
from gis_service.coverage.measuring.summary import Figures
from gis_service.coverage.runs.staleness import read_change_counts
from gis_service.coverage.siting.what_if import (
    Change,
    GridEffect,
    Prepared,
    WhatIf,
    measure_changes,
    prepare_county,
)
from gis_service.coverage.standards.book import StandardBook, collect_parameters, standard_book
from gis_service.snapshot import Snapshot, SnapshotPart

MEASURED: Final = SnapshotPart("county measured", needs=(ROADS, COUNTY), most=4, quiet_s=900.0)
"""By standard and scenario; each holds some tens of megabytes."""


@dataclass(frozen=True)
class NamedChange:
    """A grid's figures without and with the changes, with its name."""

    grid_id: int
    code: str
    name: str
    before: Figures
    after: Figures


@dataclass(frozen=True)
class MeasuredCounty:
    """The county against one standard."""

    prepared: Prepared
    # Code and name of its grids by id.
    names: dict[int, tuple[str, str]]
    # What it stands on, as a run keeps it: ``digests`` by part, and the ``counts`` of changes.
    inputs: dict[str, Any]


@dataclass(frozen=True)
class WhatIfResult:
    """What would be, with the names of the grids."""

    what_if: WhatIf
    towns: tuple[NamedChange, ...]
    grids: tuple[NamedChange, ...]


def answer_what_if(
    snapshot: Snapshot,
    connection: sa.Connection,
    actor: Actor,
    standard: str,
    scenario: str,
    changes: Sequence[Change],
    book: StandardBook | None = None,
) -> WhatIfResult:
    """
    Say what would be.

    Parameters
    ----------
    snapshot
        Of the process.
    connection
        An open transaction.
    actor
        Must see every household of the county.
    standard, scenario
        Their codes.
    changes
        What is otherwise; none prepares the county for the questions to come.
    book
        The standards; without it those in force.

    Returns
    -------
    WhatIfResult
        As a run after these changes would say.

    Raises
    ------
    NotAllowedError
        The actor sees a part of the county only.
    NotFoundError
        There is no such standard or scenario.
    InputError
        A change names what is not there.
    """
    measured = measure_county(snapshot, connection, actor, standard, scenario, book)
    result = measure_changes(measured.prepared, changes)
    names = measured.names
    return WhatIfResult(
        result, _name_effects(result.towns, names), _name_effects(result.grids, names)
    )


def measure_county(
    snapshot: Snapshot,
    connection: sa.Connection,
    actor: Actor,
    standard: str,
    scenario: str,
    book: StandardBook | None = None,
) -> MeasuredCounty:
    """
    Give the county measured as it is now.

    Parameters
    ----------
    snapshot
        Of the process.
    connection
        An open transaction.
    actor
        Must see every household of the county.
    standard, scenario
        Their codes.
    book
        The standards; without it those in force.

    Returns
    -------
    MeasuredCounty
        Shared: to be read only.

    Raises
    ------
    NotAllowedError
        The actor sees a part of the county only.
    NotFoundError
        There is no such standard or scenario.
    """
    check_whole_county(actor)
    book = book or standard_book()
    parameters = collect_parameters(book, standard, scenario)

    def make() -> MeasuredCounty:
        changes = read_change_counts(connection)
        roads = county.get_roads(snapshot, connection)
        whole = county.get_county(snapshot, connection)
        prepared = prepare_county(
            roads.network,
            book,
            standard,
            scenario,
            whole.facilities,
            whole.places,
            whole.hierarchy,
        )
        digests = fingerprints.digest_inputs(
            __version__,
            parameters,
            roads.digest,
            whole.facilities,
            prepared.standard.kinds,
            whole.inputs,
        )
        inputs = {"digests": digests, "counts": changes}
        return MeasuredCounty(prepared, read_names_in_force(connection), inputs)

    return snapshot.get(connection, MEASURED, make, repr(parameters) + standard)


def _name_effects(
    effects: Sequence[GridEffect], names: dict[int, tuple[str, str]]
) -> tuple[NamedChange, ...]:
    return tuple(
        NamedChange(
            effect.grid_id, *names.get(effect.grid_id, ("", "")), effect.before, effect.after
        )
        for effect in effects
    )
