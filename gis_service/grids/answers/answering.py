"""Answers for many places at once, from what a serving process holds in memory.

Index, directory and border roads of a version are kept together, compared with the store every
second; a grid's part of the answer is written once and then only copied.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.grids.answers import queries
from gis_service.grids.answers.border_roads import BorderRoads, read_border_roads
from gis_service.grids.answers.directory import (
    Directory,
    find_version_dates,
    read_directory,
)
from gis_service.grids.answers.locating import (
    ON_BORDER_M,
    SchemeAnswer,
    answer_from_store,
    choose_first_call,
    find_border_road,
    make_answer,
    read_roads_around,
)
from gis_service.grids.answers.placing import (
    FloatArray,
    PlacesFound,
    find_borders_near,
    find_by_index,
    find_in_store,
)
from gis_service.grids.answers.serving import (
    BORDER_ROADS,
    BOUNDARIES,
    get_border_roads,
    get_serving,
)
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.reading import SchemeKey
from gis_service.grids.versions import Version, read_polygons, today
from gis_service.settings import number_settings
from gis_service.snapshot import Snapshot, SnapshotPart
from gis_service.store import Store
from gis_service.store.tiles import DAY

_CHECK_EVERY_S: Final = 1.0
_FEW: Final = 200
"""So many places of another day are asked of the store; for more an index is built."""
DIRECTORIES: Final = SnapshotPart(
    "who answers for which grid, by sight",
    ("grid_duty", "leave", "officer", DAY),
    needs=(BOUNDARIES,),
    most=100,
)
OTHER_DAYS: Final = SnapshotPart(
    "boundaries of other days",
    ("grid_state", "grid_version", "road_edge", "road_network"),
    most=3,
    quiet_s=900.0,
)


@dataclass(frozen=True)
class SchemeAnswers:
    """
    All that is needed to answer for one version of one scheme.

    Attributes
    ----------
    locator
        None where the store is asked instead.
    """

    version: Version
    locator: Locator | None
    directory: Directory
    roads: BorderRoads | None


class AnswerService:
    """
    What a serving process answers from at once, for every scheme and every sight.

    Parameters
    ----------
    store
        The store.
    snapshot
        Of the process.
    """

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._fresh: dict[tuple[Any, ...], tuple[float, SchemeAnswers]] = {}

    def fresh(self, actor: Actor, scheme: str) -> SchemeAnswers | None:
        """Give what is held for today without asking the store, if that may be."""
        checked = self._fresh.get((scheme, actor.role, actor.areas))
        if checked is None or time.monotonic() - checked[0] >= _CHECK_EVERY_S:
            return None
        return checked[1]

    def current(self, actor: Actor, scheme: str, *, anew: bool = False) -> SchemeAnswers:
        """
        Give what answers for today, at most a second behind the store.

        Parameters
        ----------
        actor
            Who asks.
        scheme
            A scheme's code; ``base`` always means the base scheme.
        anew
            Compare with the store in any case.

        Returns
        -------
        SchemeAnswers
            With the index.

        Raises
        ------
        NotFoundError
            There is no such scheme, or nothing is published.
        """
        fresh = None if anew else self.fresh(actor, scheme)
        if fresh is not None:
            return fresh
        with (
            self._snapshot.wait_until_free(BOUNDARIES, BORDER_ROADS, DIRECTORIES),
            self._store.transaction(actor) as connection,
        ):
            return self._compared(connection, actor, scheme)

    def _compared(self, connection: sa.Connection, actor: Actor, scheme: str) -> SchemeAnswers:
        began = time.monotonic()
        in_force = get_serving(self._snapshot, connection, scheme)

        def make() -> Directory:
            day = today(connection)
            officers = queries.read_officers_on(connection, actor, in_force.scheme, day)
            return Directory(in_force.scheme, in_force.dates, day, in_force.rows, officers)

        sight = (actor.role, actor.areas)
        directory = self._snapshot.get(connection, DIRECTORIES, make, (in_force.version, *sight))
        roads = get_border_roads(self._snapshot, connection, in_force.version)
        ready = SchemeAnswers(in_force.version, in_force.locator, directory, roads)
        # What is no longer fresh goes: it would keep an index alive that nobody asks.
        still_fresh = {
            key: checked
            for key, checked in self._fresh.items()
            if began - checked[0] < _CHECK_EVERY_S
        }
        self._fresh = {**still_fresh, (scheme, *sight): (began, ready)}
        return ready

    def on_day(
        self,
        connection: sa.Connection,
        actor: Actor,
        scheme: SchemeKey,
        day: date,
        lon: FloatArray,
        lat: FloatArray,
    ) -> tuple[SchemeAnswers, PlacesFound]:
        """
        Ask about places on any day.

        Parameters
        ----------
        connection
            An open transaction.
        actor
            Who asks.
        scheme
            Which scheme.
        day
            Whose boundaries and officers.
        lon, lat
            CGCS2000 degrees.

        Returns
        -------
        ready, findings
            The version of that day, and what was found.

        Raises
        ------
        NotFoundError
            No version holds on that day.
        """
        version, dates = find_version_dates(connection, scheme, day)
        locator: Locator | None = None
        roads: BorderRoads | None = None
        if len(lon) > _FEW:
            locator, roads = self._index_of(connection, version)
            findings = find_by_index(locator, lon, lat)
        else:
            findings = find_in_store(connection, version, lon, lat)
            if len(lon):
                nearest = int(np.argmin(findings.distance_m))
                if len(lon) == 1:
                    metres = float(findings.distance_m[0])
                    roads = read_roads_around(
                        connection, version, lon[nearest], lat[nearest], metres
                    )
                elif findings.distance_m[nearest] <= number_settings().border_road_m + 1.0:
                    roads = self._index_of(connection, version)[1]
        grids = np.unique(np.concatenate((findings.grid_id, findings.beyond))).tolist()
        directory = read_directory(connection, actor, scheme, dates, day, only=grids)
        return SchemeAnswers(version, locator, directory, roads), findings

    def _index_of(self, connection: sa.Connection, version: Version) -> tuple[Locator, BorderRoads]:
        def make() -> tuple[Locator, BorderRoads]:
            shapes = read_polygons(connection, version.scheme_id, version.effective_day)
            return Locator(*shapes), read_border_roads(connection, version)

        return self._snapshot.get(connection, OTHER_DAYS, make, version)

    def answer(
        self,
        connection: sa.Connection,
        actor: Actor,
        scheme: SchemeKey,
        lon: float,
        lat: float,
        day: date,
    ) -> SchemeAnswer:
        """
        Answer for one place: today from memory, another day from the store.

        Parameters
        ----------
        connection
            An open transaction.
        actor
            Who asks.
        scheme
            Which scheme.
        lon, lat
            CGCS2000 degrees.
        day
            Whose boundaries and officers.

        Returns
        -------
        SchemeAnswer
            For a person.

        Raises
        ------
        NotFoundError
            No version holds on that day.
        """
        if day != today(connection):
            return answer_from_store(connection, actor, scheme, lon, lat, day)
        ready = self.fresh(actor, scheme.code) or self._compared(connection, actor, scheme.code)
        assert ready.locator is not None
        findings = find_by_index(ready.locator, lon, lat)
        return make_answer(ready.directory, ready.roads, findings, 0, lon, lat)


# --- many places, as JSON ----------------------------------------------------------------------


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def render_grid(directory: Directory, grid_id: int) -> bytes:
    """Write a grid's part of an answer: its card, and whom to ring first."""
    rendered = directory.rendered.get(grid_id)
    if rendered is None:
        card = directory.card(grid_id)
        call = choose_first_call(card)
        parts = {**asdict(card), "call": None if call is None else asdict(call)}
        rendered = directory.rendered[grid_id] = _to_json(parts).encode()
    return rendered


def render_answers(
    ready: SchemeAnswers,
    findings: PlacesFound,
    lon: FloatArray,
    lat: FloatArray,
    ids: Sequence[object] | None,
    *,
    full: bool,
) -> bytes:
    """
    Write the answers of one scheme for many places.

    Parameters
    ----------
    ready
        What answers.
    findings
        Of the places.
    lon, lat
        CGCS2000 degrees.
    ids
        What the sender calls each place; None where it has no names for them.
    full
        With distances, border roads and, once each, the grids that are named; otherwise codes.

    Returns
    -------
    bytes
        JSON: ``scheme``, ``day``, ``version``, ``answers`` in the order of the places, and
        ``grids`` by id.
    """
    directory, roads = ready.directory, ready.roads
    near_m, road_m = number_settings().near_border_m, number_settings().border_road_m + 1.0
    columns = zip(
        lon.tolist(),
        lat.tolist(),
        findings.grid_id.tolist(),
        findings.tie.tolist(),
        findings.beyond.tolist(),
        findings.distance_m.tolist(),
        strict=True,
    )
    named_grids: dict[int, None] = {}
    answers: list[str] = []
    for index, (x, y, grid, tie, beyond, metres) in enumerate(columns):
        name = "" if ids is None else f'"id":{_to_json(ids[index])},'
        outside = grid == NO_GRID
        if outside:
            members = '"method":"outside","outside":true,"grid_id":null,"code":null'
        else:
            method = "border_tie" if tie else "within"
            members = (
                f'"method":"{method}","outside":false,"grid_id":{grid},'
                f'"code":{directory.quoted_code(grid)}'
            )
            named_grids[grid] = None
        if full or outside:
            across = "null" if beyond == NO_GRID else str(beyond)
            distance = "null" if metres == float("inf") else f"{metres:.3f}"
            members += f',"nearest":{across},"distance_m":{distance}'
            if beyond != NO_GRID:
                named_grids[beyond] = None
        if full:
            road = None
            if metres <= road_m and not outside and beyond != NO_GRID:
                road = find_border_road(roads, metres, x, y)
            on, near = metres <= ON_BORDER_M, metres <= near_m
            members += (
                f',"on_border":{"true" if on else "false"},'
                f'"near_border":{"true" if near else "false"},'
                f'"border_road":{"null" if road is None else _to_json(asdict(road))}'
            )
        answers.append(f'{{{name}"lon":{x!r},"lat":{y!r},{members}}}')
    head = _render_head(directory)
    grids = b""
    if full:
        grids = b',"grids":{%b}' % b",".join(
            b'"%d":%b' % (grid, render_grid(directory, grid)) for grid in named_grids
        )
    return b'{%b,"answers":[%b]%b}' % (head, ",".join(answers).encode(), grids)


def _render_head(directory: Directory) -> bytes:
    rendered = directory.rendered.get(NO_GRID)
    if rendered is None:
        parts = {
            "scheme": directory.scheme.code,
            "scheme_name": directory.scheme.name,
            "day": directory.day,
            "version": asdict(directory.version),
        }
        rendered = directory.rendered[NO_GRID] = _to_json(parts)[1:-1].encode()
    return rendered


def find_places(locator: Locator, lon: FloatArray, lat: FloatArray, *, full: bool) -> PlacesFound:
    """
    Ask the index, and the borders only where the answer tells of them.

    Parameters
    ----------
    locator
        The index.
    lon, lat
        CGCS2000 degrees.
    full
        Whether every answer tells of its border; else only those outside do.

    Returns
    -------
    PlacesFound
        For the answers.
    """
    if full:
        return find_by_index(locator, lon, lat)
    located = locator.locate(lon, lat)
    beyond = np.full(len(lon), NO_GRID, dtype=np.int64)
    metres = np.full(len(lon), np.inf)
    outside = np.flatnonzero(located.grid_id == NO_GRID)
    if len(outside):
        beyond[outside], metres[outside] = find_borders_near(
            locator, lon[outside], lat[outside], located.grid_id[outside]
        )
    return PlacesFound(located.grid_id, located.tie, beyond, metres)
