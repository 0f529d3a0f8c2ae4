"""The county that a process keeps ready for "what if", read again when anything of it changes.

Checked against the store's counts of changes at every question, which takes a millisecond.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from gis_service import __version__
from gis_service.access import Actor
from gis_service.coverage import fingerprints
from gis_service.coverage.county_reading import (
    County,
    read_county,
    read_network,
    whole_county_only,
)
from gis_service.coverage.network import RoadNetwork
from gis_service.coverage.staleness import changes_now
from gis_service.coverage.standards import StandardBook, parameters_of, standard_book
from gis_service.coverage.summary import Figures
from gis_service.coverage.what_if import Change, GridChange, Prepared, WhatIf, prepare, what_if
from gis_service.grids.reading import on_day
from gis_service.store import tables as t

_MOST: Final = 4
"""Prepared standards at a time; each holds some tens of megabytes."""


@dataclass(frozen=True)
class NamedChange:
    """A grid's figures without and with the changes, with its name."""

    grid_id: int
    code: str
    name: str
    before: Figures
    after: Figures


@dataclass(frozen=True)
class Answer:
    """What would be, with the names of the grids."""

    what_if: WhatIf
    towns: tuple[NamedChange, ...]
    grids: tuple[NamedChange, ...]


@dataclass(frozen=True)
class _Held:
    changes: dict[str, Any]
    network_id: int | None
    network: RoadNetwork
    county: County
    names: dict[int, tuple[str, str]]


class WhatIfDesk:
    """
    Prepared counties by standard and scenario, shared by the threads of one process.

    Parameters
    ----------
    book
        The standards; without it those in force.
    """

    def __init__(self, book: StandardBook | None = None) -> None:
        self._book = book
        self.lock = threading.Lock()
        self._held: _Held | None = None
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()

    def ask(
        self,
        connection: sa.Connection,
        actor: Actor,
        standard: str,
        scenario: str,
        changes: Sequence[Change],
    ) -> Answer:
        """
        Say what would be.

        Parameters
        ----------
        connection
            An open transaction.
        actor
            Must see every household of the county.
        standard, scenario
            Their codes.
        changes
            What is otherwise; none prepares the county for the questions to come.

        Returns
        -------
        Answer
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
        whole_county_only(actor)
        prepared, names = self.prepared(connection, actor, standard, scenario)
        found = what_if(prepared, changes)
        return Answer(found, _named(found.towns, names), _named(found.grids, names))

    def prepared(
        self, connection: sa.Connection, actor: Actor, standard: str, scenario: str
    ) -> tuple[Prepared, dict[int, tuple[str, str]]]:
        """
        Give the county measured as it is now.

        Parameters
        ----------
        connection
            An open transaction.
        actor
            Must see every household of the county.
        standard, scenario
            Their codes.

        Returns
        -------
        prepared, names
            The county, and code and name of its grids by id.

        Raises
        ------
        NotAllowedError
            The actor sees a part of the county only.
        NotFoundError
            There is no such standard or scenario.
        """
        book = self._book or standard_book()
        key = repr(parameters_of(book, standard, scenario)) + standard
        with self.lock:
            changes = changes_now(connection)
            if self._held is None or self._held.changes != changes:
                network_id, network = read_network(connection)
                county = read_county(connection, actor)
                self._held = _Held(changes, network_id, network, county, _names(connection))
                self._prepared.clear()
            held = self._held
            if key not in self._prepared:
                self._prepared[key] = prepare(
                    held.network,
                    book,
                    standard,
                    scenario,
                    held.county.facilities,
                    held.county.places,
                    held.county.hierarchy,
                )
            self._prepared.move_to_end(key)
            while len(self._prepared) > _MOST:
                self._prepared.popitem(last=False)
            return self._prepared[key], held.names

    def inputs(self, standard: str, scenario: str) -> dict[str, Any]:
        """
        Tell what the county that was given last stands on.

        Parameters
        ----------
        standard, scenario
            Their codes.

        Returns
        -------
        dict
            As a run keeps it: ``digests`` by part, and the ``counts`` of changes. Empty where
            nothing was prepared yet.
        """
        book = self._book or standard_book()
        with self.lock:
            held = self._held
        if held is None:
            return {}
        county = held.county
        digests = fingerprints.of_inputs(
            __version__,
            parameters_of(book, standard, scenario),
            held.network,
            county.facilities,
            book.standard(standard).kinds,
            county.inputs,
        )
        return {"digests": digests, "counts": held.changes}


def _names(connection: sa.Connection) -> dict[int, tuple[str, str]]:
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.code, state.name).where(on_day(state.valid, None))
    )
    return {row.grid_id: (row.code, row.name) for row in rows}


def _named(
    found: Sequence[GridChange], names: dict[int, tuple[str, str]]
) -> tuple[NamedChange, ...]:
    return tuple(
        NamedChange(one.grid_id, *names.get(one.grid_id, ("", "")), one.before, one.after)
        for one in found
    )
