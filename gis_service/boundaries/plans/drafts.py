"""Drafts that a process keeps ready, made of what the store holds and of nothing else.

A draft is its plan's edits done again on the base version. It is brought up to the stored edits at
every question, so another process may have gone on, and a process that dies takes nothing along.
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

import numpy as np
import sqlalchemy as sa

from gis_service.boundaries.editing.balance import Load, Loads
from gis_service.boundaries.editing.checks import Context
from gis_service.boundaries.editing.edits import Draft, EditResult
from gis_service.boundaries.editing.rules import redraw_rules
from gis_service.boundaries.plans.base import Base, read_base, state_of_data
from gis_service.boundaries.publication.reading import newest_version
from gis_service.grids.versions import Version

_MOST_BASES: Final = 2
_MOST_DRAFTS: Final = 12
_KEPT_S: Final = 900.0
"""Figures may be so old while people go on entering; drawing goes on meanwhile."""
_UNUSED_S: Final = 3600.0


Stage = Literal["waiting", "reading", "counting", "ready"]
"""What is being made for the first plan on a version: the land read, then what is on it counted."""


@dataclass(frozen=True)
class StoredEdit:
    """One edit as it stands in the store."""

    seq: int
    edit: dict[str, Any]

    @property
    def mark(self) -> str:
        """Tell whether it is the same as another one."""
        said = json.dumps([self.seq, self.edit], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


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

    def bring_to(self, wanted: Sequence[StoredEdit]) -> None:
        """Undo and do edits until the draft is what the store says."""
        marks = [one.mark for one in wanted]
        common = 0
        while common < min(len(marks), len(self.marks)) and marks[common] == self.marks[common]:
            common += 1
        while len(self.marks) > common:
            self.undo()
        for one in wanted[common:]:
            self.apply(one)

    def apply(self, one: StoredEdit) -> EditResult:
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
        change = self.draft.apply(one.edit)
        self.before = self.loads.of(change.touched)
        self.loads.apply(change)
        self.marks.append(one.mark)
        self.edits.append(one.edit)
        return change

    def undo(self) -> EditResult:
        """
        Take the last edit back here.

        Returns
        -------
        EditResult
            What that did.
        """
        change = self.draft.undo()
        self.before = self.loads.of(change.touched)
        self.loads.apply(change)
        self.marks.pop()
        self.edits.pop()
        return change

    @property
    def out_before(self) -> tuple[int, Any]:
        """Households that lie in no grid of the base version: how many, and where."""
        every, mine = self.context.out_before, self.loads.outside
        return self.loads.households_outside(np.setdiff1d(mine, every))

    def name_of(self, key: str) -> str:
        """
        Tell what a grid is called in this draft.

        Parameters
        ----------
        key
            Of any level.

        Returns
        -------
        str
            The base version's name, or the one that its edit gave.
        """
        if key in self.base.grids:
            return self.base.grids[key].name
        names = (one.get("name") for one in reversed(self.edits) if one.get("key") == key)
        return str(next(names, None) or key)

    @property
    def names(self) -> dict[str, str]:
        """Names of new grids, and of all others."""
        made = {str(e["key"]): str(e.get("name") or e["key"]) for e in self.edits if "key" in e}
        return {key: one.name for key, one in self.base.grids.items()} | made

    @property
    def touched(self) -> set[str]:
        """Grids whose land is another one after all edits, or that began or ended."""
        return {key for change in self.draft.changes for key in change.touched}

    @property
    def renoded(self) -> set[str]:
        """Neighbours that gained or lost a vertex."""
        return {key for change in self.draft.changes for key in change.renoded}


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
        self._grounds: OrderedDict[int, _BaseData] = OrderedDict()
        self._held: OrderedDict[tuple[int, int], DraftState] = OrderedDict()
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
                self._grounds.clear()
                self._held.clear()
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
        version = newest_version(connection, scheme)
        with self._lock:
            ground = self._ground(connection, version)
        loads = ground.loads.copy()
        loads.of()  # measures every road; drafts are made of the figures as they were meanwhile
        with self._lock:
            ground.loads = loads

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
            held = self._draft(connection, plan_id, version)
            try:
                held.bring_to(edits)
                yield held
            except BaseException:
                self._forget(plan_id, version, held)
                raise

    def base(self, connection: sa.Connection, version: Version) -> Base:
        """Give a version as plans are drawn on it."""
        with self._lock:
            return self._ground(connection, version).base

    def _forget(self, plan_id: int, version: Version, held: DraftState) -> None:
        """Drop a draft that an error may have left half way; it is made anew from the store."""
        with self._lock:
            if held.draft.changes and self._held.get((plan_id, version.version_id)) is held:
                consistent = len(held.marks) == len(held.draft.changes)
                if not consistent:
                    del self._held[plan_id, version.version_id]

    def _draft(self, connection: sa.Connection, plan_id: int, version: Version) -> DraftState:
        key = (plan_id, version.version_id)
        with self._lock:
            ground = self._ground(connection, version)
            held = self._held.get(key)
            if held is None or held.base is not ground.base:
                loads = ground.loads.copy()
                held = DraftState(
                    ground.base,
                    Draft(ground.base.tessellation, ground.base.parents),
                    loads,
                    _judged(ground.context, loads),
                )
                self._held[key] = held
            self._held.move_to_end(key)
            while len(self._held) > _MOST_DRAFTS:
                self._held.popitem(last=False)
            return held

    def _ground(self, connection: sa.Connection, version: Version) -> _BaseData:
        self._used = time.monotonic()
        state = state_of_data(connection)
        ground = self._grounds.get(version.version_id)
        old = ground is not None and time.monotonic() - ground.at > _KEPT_S
        if ground is None or (old and ground.state != state):
            ground = self._made(connection, version, state)
            self._grounds[version.version_id] = ground
        self._grounds.move_to_end(version.version_id)
        while len(self._grounds) > _MOST_BASES:
            self._grounds.popitem(last=False)
        return ground

    def _made(
        self, connection: sa.Connection, version: Version, state: tuple[Any, ...]
    ) -> _BaseData:
        try:
            self._stage = "reading"
            base = read_base(connection, version)
            self._stage = "counting"
            loads = _loads(base)
            made = _BaseData(base, loads, _context(base, loads), state, time.monotonic())
        except BaseException:
            self._stage = "waiting"
            raise
        self._stage = "ready"
        return made


def _loads(base: Base) -> Loads:
    return Loads(
        base.faces,
        base.units,
        base.lines,
        redraw_rules().load,
        street_count=base.street_count,
        size_rule=base.size_rule,
        classes={key: base.grids[key].urban_rural_class for key in base.tessellation.keys},
    )


def _context(base: Base, loads: Loads) -> Context:
    return Context(
        base.tessellation,
        base.parents,
        several_parts=base.several_parts,
        size_rule=base.size_rule,
        classes={key: base.grids[key].urban_rural_class for key in base.tessellation.keys},
        loads=loads,
        out_before=loads.outside,
        footprints=base.footprints,
        streets=base.lines,
        officers=base.officers,
        codes={key: base.grids[key].code for key in base.tessellation.keys},
        upper=base.upper,
    )


def _judged(context: Context, loads: Loads) -> Context:
    """Take over what was worked out for the base; only the figures are the draft's own."""
    made = object.__new__(Context)
    made.__dict__.update(context.__dict__)
    made.__dict__["loads"] = loads
    return made
