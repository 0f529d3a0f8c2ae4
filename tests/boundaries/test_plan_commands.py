"""``gis-service plan`` at a terminal: plans shown, published, taken back, and who comes late."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from gis_service.access import SYSTEM, Actor
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans import work as plan_work
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.boundaries.plans.publication import open_draft, publish_plan, submit_plan
from gis_service.commands import plans as commands
from gis_service.errors import ConflictError, NotAllowedError
from gis_service.grids.assignment import assign_new
from gis_service.grids.versions import today
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import SIDE, SOUTH, WEST, add_households, publish_nine


@pytest.fixture(scope="module")
def grid_ids(store: Store) -> dict[str, int]:
    with store.transaction(SYSTEM) as connection:
        ids = publish_nine(connection).grid_ids
        add_households(connection, [(WEST + 1.2 * SIDE, SOUTH + 1.5 * SIDE)] * 7)
        assign_new(connection)
    return ids


@pytest.fixture(autouse=True)
def _this_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened() -> Iterator[Store]:
        yield store

    monkeypatch.setattr("gis_service.store.open_store", opened)


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(commands.plan_app, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def cut(grid_id: int, column: float, row: int) -> dict[str, Any]:
    x, y = WEST + column * SIDE, SOUTH + row * SIDE
    line = [[x, y - SIDE / 10], [x, y + 1.1 * SIDE]]
    return {
        "kind": "split", "grid": str(grid_id), "keeps": "larger",
        "line": {"type": "LineString", "coordinates": line},
    }  # fmt: skip


def approved(connection: sa.Connection, edit: dict[str, Any], title: str) -> int:
    draft_cache = DraftCache()
    plan_id = plan_life.create_plan(connection, SYSTEM, "base", title, "")
    plan = plan_life.open_for_edit(connection, SYSTEM, plan_id, 1)
    plan_work.do_edit(connection, draft_cache, SYSTEM, plan, edit, "en")
    with open_draft(connection, draft_cache, plan_id) as (_, state):
        reasons = {
            plan_work.finding_id(finding): "because" for finding in plan_work.check_whole(state)
        }
    submit_plan(connection, draft_cache, SYSTEM, plan_id, reasons)
    other = connection.execute(
        sa.insert(t.actor)
        .values(name=f"审批{plan_id}", name_en="Reviewer", role="planner")
        .returning(t.actor.c.actor_id)
    ).scalar_one()
    reviewer = Actor(other, "审批", "Reviewer", "planner")
    plan_life.decide(connection, reviewer, plan_queries.find_plan(connection, plan_id), "approved")
    return plan_id


def test_a_plan_is_shown_published_and_taken_back(store: Store, grid_ids: dict[str, int]) -> None:
    with store.transaction(SYSTEM) as connection:
        plan_id = approved(connection, cut(grid_ids["g11"], 1.4, 1), "东拆")
        clash = approved(connection, cut(grid_ids["g11"], 1.6, 1), "同一格")
        beside = approved(connection, cut(grid_ids["g20"], 2.4, 0), "另一格")
        day = today(connection)
    shown = run("show", str(plan_id))
    assert shown["checks"]["errors"] == 0
    assert shown["impact"]["moved"]["households"] == 7
    done = run("publish", str(plan_id), "--from", day.isoformat())
    assert done["moved"]["households"] == 7
    listed = run("list", "--json")
    assert [plan["status"] for plan in listed["plans"]] == [
        "approved",
        "approved",
        "published",
    ]
    later = day + timedelta(days=1)
    with store.transaction(SYSTEM) as connection, pytest.raises(ConflictError) as caught:
        publish_plan(connection, DraftCache(), SYSTEM, clash, later, {})
    assert caught.value.key == "boundaries.plan_conflicts"
    rebased = run("publish", str(beside), "--from", later.isoformat())
    assert rebased["changed"] == 2
    version, last = str(done["version_id"]), (day + timedelta(days=2)).isoformat()
    back = run("withdraw", version, "--from", last, "--reason", "弄错")
    assert (back["changed"], back["retired"], back["moved"]["households"]) == (1, 1, 7)


def test_a_day_that_is_past_is_told(store: Store, grid_ids: dict[str, int]) -> None:
    with store.transaction(SYSTEM) as connection:
        plan_id = approved(connection, cut(grid_ids["g02"], 0.4, 2), "过去")
    told = CliRunner().invoke(
        commands.plan_app, ["publish", str(plan_id), "--from", date(2020, 1, 1).isoformat()]
    )
    assert told.exit_code != 0
    with store.transaction(SYSTEM) as connection:
        assert plan_queries.find_plan(connection, plan_id).status == "approved"


DRAWER = Actor(-1, "管理员", "Administrator", "county_office")
"""A row of the table from before there were accounts."""


def test_the_administrators_plan_is_approved_by_a_second_person_with_a_shell(
    store: Store, grid_ids: dict[str, int]
) -> None:
    draft_cache = DraftCache()
    with store.transaction(DRAWER) as connection:
        plan_id = plan_life.create_plan(connection, DRAWER, "base", "管理员的规划", "")
        plan = plan_life.open_for_edit(connection, DRAWER, plan_id, 1)
        plan_work.do_edit(connection, draft_cache, DRAWER, plan, cut(grid_ids["g00"], 0.5, 0), "en")
        with open_draft(connection, draft_cache, plan_id) as (_, state):
            reasons = {
                plan_work.finding_id(finding): "because" for finding in plan_work.check_whole(state)
            }
        submit_plan(connection, draft_cache, DRAWER, plan_id, reasons)
        found = plan_queries.find_plan(connection, plan_id)
        with pytest.raises(NotAllowedError):
            plan_life.decide(connection, DRAWER, found, "approved")
    assert run("approve", str(plan_id)) == {"plan_id": plan_id, "status": "approved"}
