"""What is no longer needed goes: old jobs, counts, minutes of old runs, keys, tiles beyond a size.

A worker does it every ten minutes, one of several at a time; how much stays say the settings
``GIS_KEEP_…`` (docs/operator.md). What history needs is never touched: versions, assignments,
incidents with their steps, figures of runs. The record of events goes by its own function only.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.access.queries import delete_old
from gis_service.access.sealing import prune_record
from gis_service.jobs import regularly
from gis_service.settings import keeping_settings
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.tiles import fold_counts

_MB = 1_000_000


@regularly
def prune(store: Store) -> None:
    """
    Take out what is no longer needed, each kind in a transaction of its own.

    Parameters
    ----------
    store
        The store.
    """
    # A worker that has nothing to do holds little: this is read when it is used.
    from gis_service.entry.writing import forget_old_changes  # noqa: PLC0415
    from gis_service.ingest import uploads  # noqa: PLC0415
    from gis_service.maps.tiles.tiles import forget_tiles  # noqa: PLC0415

    keep = keeping_settings()
    steps: tuple[Callable[[sa.Connection], object], ...] = (
        forget_old_changes,
        lambda connection: fold_counts(connection, keep.change_days),
        lambda connection: _delete_jobs(connection, keep.job_days),
        lambda connection: _delete_old_minutes(connection, keep.run_days),
        lambda connection: _delete_request_keys(connection, keep.request_days),
        lambda connection: forget_tiles(connection, round(keep.tiles_mb * _MB)),
        _delete_old_sessions,
    )
    for step in steps:
        with store.transaction(SYSTEM) as connection:
            step(connection)
    prune_record(store)
    uploads.forget_old_uploads()


def _before(days: float) -> sa.ColumnElement[datetime]:
    return sa.func.now() - timedelta(days=days)


def _delete_jobs(connection: sa.Connection, days: float) -> None:
    """Take out jobs that have ended; those that a run names stay with it."""
    job = t.job.c
    is_named = sa.exists().where(t.coverage_run.c.job_id == job.job_id)
    connection.execute(sa.delete(t.job).where(job.finished_at < _before(days), ~is_named))


def _delete_old_minutes(connection: sa.Connection, days: float) -> None:
    """Take out each household's minutes of runs that are not the newest of their kind."""
    run = t.coverage_run.c
    newer = t.coverage_run.alias("newer")
    is_surpassed = sa.exists().where(
        newer.c.standard == run.standard,
        newer.c.scenario == run.scenario,
        newer.c.run_id > run.run_id,
    )
    old_runs = sa.select(run.run_id).where(run.finished_at < _before(days), is_surpassed)
    connection.execute(
        sa.delete(t.coverage_household).where(t.coverage_household.c.run_id.in_(old_runs))
    )


def _delete_old_sessions(connection: sa.Connection) -> None:
    """Take out what signing in leaves; from where somebody has signed in is known for a while."""
    delete_old(connection, {"session": _before(90), "link": _before(30), "failure": _before(1)})


def _delete_request_keys(connection: sa.Connection, days: float) -> None:
    request = t.incident_request.c
    connection.execute(sa.delete(t.incident_request).where(request.at < _before(days)))
