"""Drafts that a process keeps ready, made of what the store holds and of nothing else.

A draft is its plan's edits done again on the base version. It is brought up to the stored edits at
every question, so another process may have gone on, and a process that dies takes nothing along.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

import numpy as np
import sqlalchemy as sa

from gis_service.boundaries.editing.balance import Load, Loads
from gis_service.boundaries.editing.checks import BaseLand, Context
from gis_service.boundaries.editing.edits import Draft, EditResult
from gis_service.boundaries.editing.rules import redraw_rules
from gis_service.boundaries.plans.base import Base, read_base, read_data_state
from gis_service.boundaries.plans.queries import StoredEdit
from gis_service.boundaries.publication.queries import find_newest_version
from gis_service.grids.versions import Version

_MOST_BASES: Final = 2
_MOST_DRAFTS: Final = 12
_KEPT_S: Final = 900.0
"""Figures may be so old while people go on entering; drawing goes on meanwhile."""
_UNUSED_S: Final = 3600.0


Stage = Literal["waiting", "reading", "counting", "ready"]
"""What is being made for the first plan on a version: the land read, then what is on it counted."""


@dataclass
class DraftState:
    """
    A draft with its figures and what it is judged against.

    Attributes
    ----------
    before
        Figures of the grids that the last change touched, as they were.
    """

    base: Base
    draft: Draft
    loads: Loads
    context: Context
    marks: list[str] = field(default_factory=list)
    edits: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, Load] = field(default_factory=dict)

    def bring_to(self, stored_edits: Sequence[StoredEdit]) -> None:
        """Undo and do edits until the draft is what the store says."""
        marks = [stored.mark for stored in stored_edits]
        common = 0
        while common < min(len(marks), len(self.marks)) and marks[common] == self.marks[common]:
            common += 1
        while len(self.marks) > common:
            self.undo()
        for stored in stored_edits[common:]:
            self.apply(stored)

    def apply(self, stored: StoredEdit) -> EditResult:
        """
        Do an edit here; the store is written by the caller.

        Parameters
        ----------
        one
            The edit.

        Returns
        -------
        EditResult
            What it did.
        """
        change = self.draft.apply(stored.edit)
        self.before = self.loads.of(change.touched)
        self.loads.apply(change)
        self.marks.append(stored.mark)
        self.edits.append(stored.edit)
        return change

    def undo(self) -> EditResult:
        """Take the last edit back here."""
        change = self.draft.undo()
        self.before = self.loads.of(change.touched)
        self.loads.apply(change)
        self.marks.pop()
        self.edits.pop()
        return change

    @property
    def out_before(self) -> tuple[int, Any]:
        """Households that lie in no grid of the base version: how many, and where."""
        outside_base, outside = self.context.out_before, self.loads.outside
        return self.loads.households_outside(np.setdiff1d(outside, outside_base))

    def name_of(self, key: str) -> str:
        """Tell what a grid is called in this draft."""
        if key in self.base.grids:
            return self.base.grids[key].name
        given = (names_of_new_grids(edit) for edit in reversed(self.edits))
        return next((names[key] for names in given if key in names), key)

    @property
    def names(self) -> dict[str, str]:
        """Names of new grids, and of all others."""
        names = {key: grid.name for key, grid in self.base.grids.items()}
        for edit in self.edits:
            names |= names_of_new_grids(edit)
        return names

    @property
    def touched(self) -> set[str]:
        """Grids whose land is another one after all edits, or that began or ended."""
        return {key for change in self.draft.changes for key in change.touched}

    @property
    def renoded(self) -> set[str]:
        """Neighbours that gained or lost a vertex."""
        return {key for change in self.draft.changes for key in change.renoded}


def names_of_new_grids(edit: Mapping[str, Any]) -> dict[str, str]:
    """Tell what the grids are called that a completed edit makes; the key where one has no name."""
    named = edit.get("names") or ({edit["key"]: edit.get("name")} if "key" in edit else {})
    return {str(key): str(name or key) for key, name in named.items()}


@dataclass
class _BaseData:
    base: Base
    loads: Loads
    context: Context
    state: tuple[Any, ...]
    at: float


class DraftCache:
    """The drafts of one process, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._bases: OrderedDict[int, _BaseData] = OrderedDict()
        self._drafts: OrderedDict[tuple[int, int], DraftState] = OrderedDict()
        self._stage: Stage = "waiting"
        self._used = time.monotonic()

    @property
    def stage(self) -> Stage:
        """How far the first opening of a plan is: asked without waiting for it."""
        return self._stage

    def forget_unused(self) -> None:
        """Let go of bases and drafts when nobody has worked on a plan for an hour."""
        with self._lock:
            if time.monotonic() - self._used > _UNUSED_S:
                self._bases.clear()
                self._drafts.clear()
                self._stage = "waiting"

    def prepare(self, connection: sa.Connection, scheme: str) -> None:
        """
        Make what the first plan on the newest version needs, before anybody opens one.

        Parameters
        ----------
        connection
            An open transaction.
        scheme
            Its code.

        Raises
        ------
        NotFoundError
            Nothing was published yet.
        """
        version = find_newest_version(connection, scheme)
        with self._lock:
            base_data = self._base_data(connection, version)
        loads = base_data.loads.copy()
        loads.of()  # measures every road; drafts are made of the figures as they were meanwhile
        with self._lock:
            base_data.loads = loads

    @contextmanager
    def turn(self, plan_id: int) -> Iterator[None]:
        """
        Wait until nobody else works on a plan, and until the land of the first one is read.

        Taken before a connection, so that whoever waits holds none; the thread that has a turn may
        take it again.

        Parameters
        ----------
        plan_id
            Which plan.

        Yields
        ------
        None
            The turn.
        """
        with self._lock:
            turn = self._turns.setdefault(plan_id, threading.RLock())
        with turn:
            yield

    @contextmanager
    def open(
        self,
        connection: sa.Connection,
        plan_id: int,
        version: Version,
        edits: Sequence[StoredEdit],
    ) -> Iterator[DraftState]:
        """
        Give a plan's draft as the store has it; nobody else works on it meanwhile.

        Parameters
        ----------
        connection
            An open transaction.
        plan_id
            Which plan.
        version
            What it is drawn on.
        edits
            Those that are done, in order.

        Yields
        ------
        DraftState
            The draft.
        """
        with self.turn(plan_id):
            state = self._find_draft(connection, plan_id, version)
            try:
                state.bring_to(edits)
                yield state
            except BaseException:
                self._forget(plan_id, version, state)
                raise

    def base(self, connection: sa.Connection, version: Version) -> Base:
        """Give a version as plans are drawn on it."""
        with self._lock:
            return self._base_data(connection, version).base

    def _forget(self, plan_id: int, version: Version, state: DraftState) -> None:
        """Drop a draft that an error may have left half way; it is made anew from the store."""
        with self._lock:
            if state.draft.changes and self._drafts.get((plan_id, version.version_id)) is state:
                consistent = len(state.marks) == len(state.draft.changes)
                if not consistent:
                    del self._drafts[plan_id, version.version_id]

    def _find_draft(self, connection: sa.Connection, plan_id: int, version: Version) -> DraftState:
        key = (plan_id, version.version_id)
        with self._lock:
            base_data = self._base_data(connection, version)
            state = self._drafts.get(key)
            if state is None or state.base is not base_data.base:
                loads = base_data.loads.copy()
                state = DraftState(
                    base_data.base,
                    Draft(base_data.base.tessellation, base_data.base.parents),
                    loads,
                    replace(base_data.context, loads=loads),
                )
                self._drafts[key] = state
            self._drafts.move_to_end(key)
            while len(self._drafts) > _MOST_DRAFTS:
                self._drafts.popitem(last=False)
            return state

    def _base_data(self, connection: sa.Connection, version: Version) -> _BaseData:
        self._used = time.monotonic()
        data_state = read_data_state(connection)
        base_data = self._bases.get(version.version_id)
        is_old = base_data is not None and time.monotonic() - base_data.at > _KEPT_S
        if base_data is None or (is_old and base_data.state != data_state):
            base_data = self._make_base_data(connection, version, data_state)
            self._bases[version.version_id] = base_data
        self._bases.move_to_end(version.version_id)
        while len(self._bases) > _MOST_BASES:
            self._bases.popitem(last=False)
        return base_data

    def _make_base_data(
        self, connection: sa.Connection, version: Version, data_state: tuple[Any, ...]
    ) -> _BaseData:
        try:
            self._stage = "reading"
            base = read_base(connection, version)
            self._stage = "counting"
            loads = _weigh(base)
            base_data = _BaseData(
                base, loads, _make_context(base, loads), data_state, time.monotonic()
            )
        except BaseException:
            self._stage = "waiting"
            raise
        self._stage = "ready"
        return base_data


def _weigh(base: Base) -> Loads:
    return Loads.place(
        base.faces,
        base.units,
        base.lines,
        redraw_rules().load,
        street_count=base.street_count,
        size_rule=base.size_rule,
        classes={key: base.grids[key].urban_rural_class for key in base.tessellation.keys},
    )


def _make_context(base: Base, loads: Loads) -> Context:
    return Context(
        BaseLand(base.tessellation, base.parents),
        several_parts=base.several_parts,
        loads=loads,
        out_before=loads.outside,
        footprints=base.footprints,
        streets=base.lines,
        officers=base.officers,
        upper=base.upper,
    )
