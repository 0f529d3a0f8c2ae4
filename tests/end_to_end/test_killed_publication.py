"""A publication that is killed leaves the old version or the new one, never a mixture."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor
from gis_service.boundaries.history.changes import withdraw_version
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans import work as plan_work
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.boundaries.plans.publication import open_draft, submit_plan
from gis_service.grids.assignment import assign_new
from gis_service.store import Store
from gis_service.store import tables as t
from tests.conftest import ROOT, DatabaseServer
from tests.support import SIDE, SOUTH, WEST, add_buildings, add_households, publish_nine

KILLS = 20
DAY_ONE = date(2030, 1, 1)
COUNTED = (
    t.grid_version, t.grid, t.grid_code, t.grid_state, t.linework_arc, t.grid_successor,
    t.assignment, t.plan_review, t.event,
)  # fmt: skip


@pytest.fixture(scope="module")
def grid_ids(store: Store) -> dict[str, int]:
    """The drawn county with 900 households in 300 buildings."""
    chance = random.Random(20)
    places = [
        (WEST + chance.uniform(0.01, 2.99) * SIDE, SOUTH + chance.uniform(0.01, 2.99) * SIDE)
        for _ in range(300)
    ]
    with store.transaction(SYSTEM) as connection:
        ids = publish_nine(connection).grid_ids
        add_buildings(connection, places)
        keys: list[str | None] = [f"b{i % 300}" for i in range(900)]
        add_households(connection, [places[i % 300] for i in range(900)], keys)
        assign_new(connection)
    return ids


def approved_plan(store: Store, edit: dict[str, Any], number: int) -> int:
    """A plan that only waits to be published."""
    desk = DraftCache()
    with store.transaction(SYSTEM) as connection:
        other = connection.scalar(
            sa.insert(t.actor)
            .values(name=f"审批{number}", name_en="Reviewer", role="planner")
            .returning(t.actor.c.actor_id)
        )
        plan_id = plan_life.create_plan(connection, SYSTEM, "base", f"方案{number}", "")
        plan = plan_life.open_for_edit(connection, SYSTEM, plan_id, 1)
        plan_work.do_edit(connection, desk, SYSTEM, plan, edit, "en")
        with open_draft(connection, desk, plan_id) as (_, held):
            reasons = {plan_work.finding_id(one): "because" for one in plan_work.check_whole(held)}
        submit_plan(connection, desk, SYSTEM, plan_id, reasons)
        assert other is not None
        reviewer = Actor(other, "审批", "Reviewer", "planner")
        plan_life.decide(
            connection, reviewer, plan_queries.find_plan(connection, plan_id), "approved"
        )
    return plan_id


def state(store: Store, plan_id: int) -> dict[str, Any]:
    """All that a publication writes, counted; with the day's copies and the plan."""
    with store.transaction(SYSTEM) as connection:
        found: dict[str, Any] = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in COUNTED
        }
        closed = sa.select(sa.func.count()).where(~sa.func.upper_inf(t.assignment.c.valid))
        found["closed"] = connection.scalar(closed)
        found["plan"] = plan_queries.find_plan(connection, plan_id).status
    return found


class Publisher:
    """The process whose children publish."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "tests.end_to_end.publishing_process", url]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def publish(self, plan_id: int, day: date, kill_after_s: float | None) -> float:
        """Publish, or kill the child; tell how long it lived."""
        assert self._process.stdin is not None
        begun = time.monotonic()
        self._process.stdin.write(f"{plan_id} {day.isoformat()}\n")
        self._process.stdin.flush()
        lines = [self._line()]
        if kill_after_s is not None:
            child = int(lines[0]) if lines[0] != "done" else int(self._line())
            time.sleep(kill_after_s)
            with suppress(ProcessLookupError):  # it was quicker, and is done
                os.kill(child, signal.SIGKILL)
        while lines[-1] != "ended":
            lines.append(self._line())
        assert kill_after_s is not None or "done" in lines
        return time.monotonic() - begun

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def publisher(database_server: DatabaseServer, database: str) -> Iterator[Publisher]:
    url = database_server.url("gis_service", database).render_as_string(hide_password=False)
    made = Publisher(url)
    yield made
    made.close()


def settled(store: Store, plan_id: int, database: str) -> dict[str, Any]:
    """The state once the server has noticed that its client is gone."""
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = :name"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    for _ in range(200):
        with store.transaction(SYSTEM) as connection:
            if not connection.scalar(others, {"name": database}):
                break
        time.sleep(0.02)
    return state(store, plan_id)


@pytest.mark.timeout(240)
def test_twenty_kills(
    store: Store,
    publisher: Publisher,
    database: str,
    grid_ids: dict[str, int],
) -> None:
    chance = random.Random(9)
    edit: dict[str, Any] = {
        "kind": "split", "grid": str(grid_ids["g11"]), "keeps": "larger",
        "line": {
            "type": "LineString",
            "coordinates": [
                [WEST + 1.4 * SIDE, SOUTH + 0.9 * SIDE], [WEST + 1.4 * SIDE, SOUTH + 2.1 * SIDE],
            ],
        },
    }  # fmt: skip
    plan_id, number = approved_plan(store, edit, 0), 0
    day = DAY_ONE
    old = state(store, plan_id)
    took = publisher.publish(plan_id, day, None)
    step = state(store, plan_id)
    grown = {name: step[name] - old[name] for name in step if name != "plan"}
    assert grown["grid_version"] == 1
    assert grown["closed"] > 0
    outcomes = set()
    for _ in range(KILLS):
        if state(store, plan_id)["plan"] != "approved":
            day += timedelta(days=1)
            _back(store, day)
            number += 1
            plan_id = approved_plan(store, edit, number)
            day += timedelta(days=1)
        before = state(store, plan_id)
        publisher.publish(plan_id, day, chance.uniform(0, 1.1 * took))
        after = settled(store, plan_id, database)
        if after == before:
            outcomes.add("old")
            continue
        outcomes.add("new")
        assert after["plan"] == "published"
        assert {n: after[n] - before[n] for n in after if n != "plan"} == grown
    assert "old" in outcomes


def _back(store: Store, day: date) -> None:
    with store.transaction(SYSTEM) as connection:
        newest = connection.scalar(sa.select(sa.func.max(t.grid_version.c.version_id)))
        assert newest is not None
        withdraw_version(connection, SYSTEM, newest, day, "again")
