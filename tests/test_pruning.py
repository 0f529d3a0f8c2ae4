"""What is no longer needed goes after its time; the newest, the running and the past stay."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from procrastinate import PsycopgConnector

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.boundaries.plans.base import read_data_state
from gis_service.coverage.runs.households import (
    count_changed_households,
    find_blind_spots,
    list_unreached,
)
from gis_service.coverage.runs.reading import find_run, read_named_figures
from gis_service.errors import ConflictError
from gis_service.ingest import uploads
from gis_service.maps.tiles.tile_sets import find_tile_set
from gis_service.pruning import prune
from gis_service.settings import import_settings, keeping_settings
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.engine import libpq_address
from gis_service.store.tiles import count_changes
from tests.support import publish_nine


async def prune_queue(store: Store) -> None:
    """What a worker does every ten minutes."""
    app = jobs._make_app(store, PsycopgConnector(conninfo=libpq_address(store.url)))
    async with app.open_async():
        await jobs._prune(app, store)


@pytest.fixture(scope="module")
def county(store: Store) -> Store:
    """The drawn county, published."""
    with store.transaction(SYSTEM) as connection:
        publish_nine(connection)
    return store


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings that a test may set otherwise, and that are read anew."""
    keeping_settings.cache_clear()
    import_settings.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    keeping_settings.cache_clear()
    import_settings.cache_clear()


def ago(days: float) -> sa.ColumnElement[Any]:
    return sa.func.now() - timedelta(days=days)


def ids(store: Store, column: sa.Column[Any]) -> set[Any]:
    with store.transaction(SYSTEM) as connection:
        return set(connection.execute(sa.select(column)).scalars())


def made_job(connection: sa.Connection, status: str, days: float) -> int:
    job_id = connection.scalar(
        sa.insert(t.job)
        .values(
            kind="x",
            actor_id=1,
            arguments={},
            status=status,
            created_at=ago(days),
            finished_at=ago(days) if status in ("done", "failed", "cancelled") else None,
        )
        .returning(t.job.c.job_id)
    )
    assert job_id is not None
    return int(job_id)


def made_run(
    connection: sa.Connection, days: float, job_id: int | None, scenario: str = "normal"
) -> int:
    run_id = connection.scalar(
        sa.insert(t.coverage_run)
        .values(
            standard="fire-20",
            scenario=scenario,
            version_id=sa.select(sa.func.max(t.grid_version.c.version_id)).scalar_subquery(),
            job_id=job_id,
            actor_id=1,
            kinds=["fire_station"],
            parameters={},
            fingerprint=uuid.uuid4().hex,
            software_version="0",
            finished_at=ago(days),
        )
        .returning(t.coverage_run.c.run_id)
    )
    assert run_id is not None
    connection.execute(
        sa.insert(t.coverage_household).values(
            run_id=run_id, household_id=1, status=1, minutes=30.0, kind_status=[1],
            kind_minutes=[30.0], kind_facility=[1],
        )
    )  # fmt: skip
    connection.execute(
        sa.insert(t.coverage_figure).values(
            run_id=run_id, rank=0, grid_id=0, kind="", of="households", n=1, covered=0, too_far=1,
            unreachable=0, off_network=0,
        )
    )  # fmt: skip
    return int(run_id)


def test_jobs_go_when_they_ended_long_ago_and_no_run_names_them(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        gone = {made_job(connection, state, 91) for state in ("done", "failed", "cancelled")}
        stay = {made_job(connection, state, 89) for state in ("done", "failed", "cancelled")}
        stay |= {made_job(connection, state, 400) for state in ("waiting", "running")}
        named = made_job(connection, "done", 400)
        made_run(connection, 400, named, "of a job")
    prune(county)
    left = ids(county, t.job.c.job_id)
    assert not gone & left
    assert stay | {named} <= left


def test_old_runs_keep_their_figures_and_the_newest_its_households(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        old, newest = made_run(connection, 200, None), made_run(connection, 100, None)
        other = made_run(connection, 300, None, "emergency")
        young = [made_run(connection, days, None, "young") for days in (89, 1)]
    prune(county)
    assert ids(county, t.coverage_household.c.run_id) >= {newest, other, *young}
    assert old not in ids(county, t.coverage_household.c.run_id)
    with county.transaction(SYSTEM) as connection:
        assert read_named_figures(connection, find_run(connection, old), 0)
        for asked in (
            lambda: list_unreached(connection, SYSTEM, old),
            lambda: find_blind_spots(connection, SYSTEM, old),
            lambda: count_changed_households(connection, SYSTEM, old, newest),
        ):
            with pytest.raises(ConflictError) as refused:
                asked()
            assert refused.value.key == "coverage.households_not_kept"
        assert (
            list_unreached(connection, SYSTEM, newest)[1] == 0
        )  # its household is not in the table


def test_the_counts_of_changes_stay_when_the_changes_go(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        for days, number in ((30, 5), (8, 7), (6, 11)):
            for n in range(number):
                connection.execute(
                    sa.insert(t.data_change).values(
                        name="facility", at=ago(days), xid=10_000_000 + days * 100 + n
                    )
                )
        before, state = (
            count_changes(connection, ("facility", "household")),
            read_data_state(connection),
        )
        rows = sa.select(sa.func.count()).select_from(t.data_change)
        held = connection.scalar(rows)
    prune(county)
    with county.transaction(SYSTEM) as connection:
        assert count_changes(connection, ("facility", "household")) == before
        assert read_data_state(connection) == state
        assert connection.scalar(rows) == (held or 0) - 12
    prune(county)
    with county.transaction(SYSTEM) as connection:
        assert count_changes(connection, ("facility", "household")) == before


@pytest.mark.parametrize("undo_s", [60, 600])
def test_a_row_before_a_change_is_emptied_though_nobody_changes_anything(
    county: Store, settings: pytest.MonkeyPatch, undo_s: int
) -> None:
    settings.setenv("GIS_KEEP_UNDO_S", str(undo_s))

    def made(connection: sa.Connection, seconds: float) -> int:
        change_id = connection.scalar(
            sa.insert(t.entry_change)
            .values(
                at=ago(seconds / 86_400),
                actor_id=1,
                request_key=uuid.uuid4().hex,
                action="change",
                object_kind="household",
                object_id=1,
                before={"head_name": "王小明"},
            )
            .returning(t.entry_change.c.change_id)
        )
        assert change_id is not None
        return int(change_id)

    with county.transaction(SYSTEM) as connection:
        fresh, over, forgotten = (made(connection, seconds) for seconds in (1, undo_s + 30, 90_000))
    prune(county)
    with county.transaction(SYSTEM) as connection:
        c = t.entry_change.c
        rows = connection.execute(sa.select(c.change_id, c.before.is_not(None).label("held")))
        found = {row.change_id: row.held for row in rows}
    assert found[fresh]
    assert not found[over]
    assert forgotten not in found


def test_keys_of_requests_go_after_their_time(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        for key, days in (("old", 31), ("young", 29)):
            connection.execute(
                sa.insert(t.incident_request).values(
                    actor_id=1, key=key, body_sha256="0", at=ago(days)
                )
            )
    prune(county)
    assert ids(county, t.incident_request.c.key) == {"young"}


def test_uploads_go_though_nobody_hands_in_another(
    county: Store, settings: pytest.MonkeyPatch
) -> None:
    upload = uploads.keep_upload(SYSTEM, "a.csv", [b"x"])
    prune(county)
    assert upload.path.exists()
    settings.setenv("GIS_IMPORT_KEEP_DAYS", "0")
    import_settings.cache_clear()
    prune(county)
    assert not upload.path.exists()


def test_tiles_beyond_their_size_go_those_of_other_days_first(
    county: Store, settings: pytest.MonkeyPatch
) -> None:
    with county.transaction(SYSTEM) as connection:
        content = find_tile_set(connection, "grids", scheme="base").content
        sets = {("grids.3", content): 600, ("grids.3", "1-1-0-0"): 600, ("ground", "1-7"): 300}
        for (layer, state), size in sets.items():
            connection.execute(
                sa.insert(t.tile).values(
                    layer=layer, content=state, z=1, x=0, y=0, body=b"x" * size
                )
            )

    def kept(most: str) -> set[tuple[str, str]]:
        settings.setenv("GIS_KEEP_TILES_MB", most)
        keeping_settings.cache_clear()
        prune(county)
        with county.transaction(SYSTEM) as connection:
            return {
                (row.layer, row.content)
                for row in connection.execute(sa.select(t.tile.c.layer, t.tile.c.content))
            }

    assert kept("0.002") == set(sets)
    assert kept("0.001") == {("grids.3", content), ("ground", "1-7")}
    assert kept("0.0005") == set()


def test_the_worker_prunes_its_queue_and_what_is_registered(
    county: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Store] = []
    monkeypatch.setattr(jobs, "_REGULAR", [done.append])
    queue = sa.table("procrastinate_jobs", sa.column("id"), sa.column("status"))
    event = sa.table("procrastinate_events", sa.column("job_id"))
    over = sa.cast(queue.c.status, sa.Text).in_(("succeeded", "failed"))
    with county.transaction(SYSTEM) as connection:
        job_id = made_job(connection, "done", 0)
    jobs._enqueue(county, job_id)
    jobs.run_worker(county, wait=False)
    with county.transaction(SYSTEM) as connection:
        # as if all of it had happened four days ago
        connection.exec_driver_sql("UPDATE procrastinate_events SET at = at - interval '4 days'")
        ended = set(connection.execute(sa.select(queue.c.id).where(over)).scalars())
    assert ended
    done.clear()
    asyncio.run(prune_queue(county))
    with county.transaction(SYSTEM) as connection:
        # what the worker has not begun, such as its own next look, stays
        assert not ended & set(connection.execute(sa.select(queue.c.id)).scalars())
        assert not ended & set(connection.execute(sa.select(event.c.job_id)).scalars())
    assert [one.url for one in done] == [county.url]
