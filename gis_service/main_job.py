"""The main job, end to end: everything assigned, both standards measured, the map written.

Each step keeps what is there and fresh, so that a second run takes seconds; the measuring is a job
in the queue like any other.
"""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM
from gis_service.access.actor import ensure_demo_actors, is_made_up
from gis_service.boundaries.plans import proposal_job as _proposal_job  # noqa: F401 (adds work)
from gis_service.coverage.runs import runs
from gis_service.coverage.runs.staleness import find_stale_parts
from gis_service.coverage.siting import job as _sites_job  # noqa: F401 (adds work to the queue)
from gis_service.coverage.standards.book import standard_book
from gis_service.errors import GisError, NotFoundError
from gis_service.grids import assignment
from gis_service.grids.versions import find_lowest_rank, find_version_in_force, is_due
from gis_service.ingest import importing as _importing  # noqa: F401 (adds work to the queue)
from gis_service.ingest.writing.past_imports import region_notes
from gis_service.maps.page.one_file import is_fresh, write_map
from gis_service.maps.tiles import shapes
from gis_service.messages import Language, text
from gis_service.reports import report_job as _report_job  # noqa: F401 (adds work to the queue)
from gis_service.search.entries import refresh as refresh_search
from gis_service.snapshot import Snapshot
from gis_service.store import tables as t
from gis_service.store.engine import Store

Say = Callable[[str], None]
_log = logging.getLogger(__name__)
_LEVEL_NAMES: Final = {1: ["base"], 2: ["top", "base"], 3: ["top", "middle", "base"]}


class JobFailedError(GisError):
    """
    A job that the main job waits for did not end well.

    Parameters
    ----------
    standard
        What was to be measured.
    state
        How the job ended.
    """

    kind = "job-failed"

    def __init__(self, standard: str, state: job_queries.JobState) -> None:
        self.state = state
        super().__init__("jobs.failed", kind=standard, reason=state.error_in("en") or state.status)

    def say(self, language: Language) -> str:
        """Put the job's own error into the reader's language too."""
        reason = self.state.error_in(language) or self.state.status
        return text(self.key, language, **{**self.values, "reason": reason})


def assign_and_apply_due(store: Store) -> dict[str, dict[str, int]]:
    """
    Assign what has no grid yet, and take over what is due by the calendar.

    Parameters
    ----------
    store
        With boundaries published.

    Returns
    -------
    dict
        What was assigned just now, by kind of object, for the base scheme.
    """
    with store.transaction(SYSTEM) as connection:
        version = find_version_in_force(connection)
        report = assignment.assign_new(connection)
        if is_due(connection):
            assignment.apply_due(connection)
        if is_made_up(connection):
            ensure_demo_actors(connection, _find_demo_areas(connection, version.scheme_id))
    return report.counts


def _find_demo_areas(connection: sa.Connection, scheme_id: int) -> dict[str, int]:
    """Pick the grid of each local role of the demo: the busiest base grid and what it lies in."""
    grid_id = _find_busiest_grid(connection, scheme_id)
    areas = {} if grid_id is None else {"grid_officer": grid_id}
    role_of_level = {"village": "village_head", "town": "town_office"}
    state, level = t.grid_state, t.grid_level
    while grid_id is not None:
        parent_id, admin_level = connection.execute(
            sa.select(state.c.parent_grid_id, level.c.admin_level)
            .join(level, (level.c.scheme_id == state.c.scheme_id) & (level.c.rank == state.c.rank))
            .where(state.c.grid_id == grid_id, state.c.valid.op("@>")(sa.func.gis_today()))
        ).one()
        if admin_level in role_of_level:
            areas[role_of_level[admin_level]] = grid_id
        grid_id = parent_id
    return areas


def _find_busiest_grid(connection: sa.Connection, scheme_id: int) -> int | None:
    """Pick the base grid with the most households, where the demo's grid officer works."""
    rank = find_lowest_rank(connection, scheme_id)
    state = t.grid_state
    query = (
        sa.select(state.c.grid_id)
        .outerjoin(
            t.assignment,
            (t.assignment.c.grid_id == state.c.grid_id)
            & (t.assignment.c.object_kind == "household")
            & t.assignment.c.valid.op("@>")(sa.func.gis_today()),
        )
        .where(
            state.c.scheme_id == scheme_id,
            state.c.rank == rank,
            state.c.valid.op("@>")(sa.func.gis_today()),
        )
        .group_by(state.c.grid_id)
        .order_by(sa.func.count(t.assignment.c.object_id).desc(), state.c.grid_id)
        .limit(1)
    )
    grid_id: int | None = connection.execute(query).scalar_one_or_none()
    return grid_id


def measure(store: Store, say: Say, language: Language = "en") -> None:
    """
    Measure the standards that are not measured yet, or whose boundaries, data or numbers are newer.

    Parameters
    ----------
    store
        With everything assigned.
    say
        Takes a line for each thing done.
    language
        Of the messages.

    Raises
    ------
    JobFailedError
        A run failed; the message is the job's own.
    """
    for code, job_id in submit_stale(store).items():
        state = jobs.wait_for(store, job_id)
        if state.status != "done":
            raise JobFailedError(code, state)
        say(text("cli.measured", language, standard=code))


def submit_stale(store: Store) -> dict[str, int]:
    """
    Submit a run of every standard of the main job whose figures are not those of today's state.

    Parameters
    ----------
    store
        With everything assigned.

    Returns
    -------
    dict
        The job's id by standard.
    """
    book, snapshot = standard_book(), Snapshot()
    stale_codes = []
    with store.transaction(SYSTEM) as connection:
        for code in (code for code, standard in book.standards.items() if standard.in_main_job):
            run = runs.find_latest_run(connection, code)
            if run is None or find_stale_parts(snapshot, connection, run, book):
                stale_codes.append(code)
    return {
        code: jobs.submit(store, SYSTEM, "coverage_run", {"standard": code}) for code in stale_codes
    }


def summarise(store: Store, language: Language) -> dict[str, Any]:
    """
    Say in figures what the store holds.

    Parameters
    ----------
    store
        After the main job.
    language
        Of the notes.

    Returns
    -------
    dict
        ``grids`` by top, middle and base where there are three levels, ``levels``,
        ``households``, ``assigned_share``, ``coverage``, and ``notes`` on the region's file.
    """
    with store.transaction(SYSTEM) as connection:
        levels = _count_levels(connection)
        households, housed = connection.execute(
            sa.select(sa.func.count(), sa.func.count(t.household.c.base_grid_id)).select_from(
                t.household
            )
        ).one()
        coverage = runs.read_county_figures(connection)
        notes = region_notes(connection)
    counts = [level["count"] for level in levels]
    names = _LEVEL_NAMES.get(len(counts)) or [f"rank_{i + 1}" for i in range(len(counts))]
    return {
        "grids": dict(zip(names, counts, strict=True)),
        "levels": levels,
        "households": households,
        "assigned_share": housed / households if households else None,
        "coverage": coverage,
        "notes": [
            {"note": note.key, "values": dict(note.values), "text": note.say(language)}
            for note in notes
        ],
    }


def _count_levels(connection: sa.Connection) -> list[dict[str, Any]]:
    state, level = t.grid_state, t.grid_level
    query = (
        sa.select(level.c.rank, level.c.label, level.c.label_en, sa.func.count(state.c.grid_id))
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == level.c.scheme_id)
        .outerjoin(
            state,
            (state.c.scheme_id == level.c.scheme_id)
            & (state.c.rank == level.c.rank)
            & state.c.valid.op("@>")(sa.func.gis_today()),
        )
        .where(t.grid_scheme.c.is_base)
        .group_by(level.c.rank, level.c.label, level.c.label_en)
        .order_by(level.c.rank)
    )
    return [
        {"label": label, "label_en": label_en, "count": count}
        for _, label, label_en, count in connection.execute(query)
    ]


def main_job(
    store: Store,
    map_file: Path,
    say: Say,
    language: Language = "zh-CN",
    message_language: Language = "en",
) -> Mapping[str, Any]:
    """
    Do all of it.

    Parameters
    ----------
    store
        With a county loaded.
    map_file
        Where the map is written.
    say
        Takes a line for what takes its time.
    language
        Of the map and of the notes.
    message_language
        Of what ``say`` is given.

    Returns
    -------
    mapping
        :func:`summarise`, ``map`` and ``seconds``; where the map could not be drawn ``map`` is None
        and ``map_error`` says why.

    Raises
    ------
    NotFoundError
        No county is loaded.
    """
    began = time.monotonic()
    try:
        assign_and_apply_due(store)
    except NotFoundError as error:
        raise NotFoundError("grids.no_county") from error
    refresh_search(store)
    with store.transaction(SYSTEM) as connection:
        shapes.prepare_shapes(connection)
    measure(store, say, message_language)
    map_error = _refresh_map(store, map_file, language, say, message_language)
    result = {**summarise(store, language), "map": None if map_error else str(map_file)}
    if map_error:
        result["map_error"] = map_error
    return {**result, "seconds": round(time.monotonic() - began, 1)}


def _refresh_map(
    store: Store, map_file: Path, language: Language, say: Say, message_language: Language
) -> str | None:
    """Write the map where it is not fresh; one that cannot be drawn stops nothing else."""
    if is_fresh(store, SYSTEM, map_file, language):
        return None
    try:
        write_map(store, SYSTEM, map_file, language)
    except Exception as error:  # noqa: BLE001 (figures and page need no map; whatever it was is said)
        _log.debug("the map could not be drawn", exc_info=error)
        reason = error.say(message_language) if isinstance(error, GisError) else repr(error)
        say(text("cli.told_no_map", message_language, reason=reason))
        return reason
    say(text("cli.map_written", message_language))
    return None
