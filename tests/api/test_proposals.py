"""Proposals over HTTP: asked for, looked at, taken in one step, and taken back in one."""

from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.grids.assignment import assign_new
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient
from tests.api.test_plans import Planner
from tests.support import SIDE, SOUTH, WEST, add_households


@pytest.fixture(scope="module")
def author(client: TestClient, store: Store, small_county: SmallCounty) -> Planner:
    """Somebody who plans where grid g00 has 500 homes, g10 and g01 have 150 each."""
    numbers = {"g00": 500, "g10": 150, "g01": 150}
    places = [
        (WEST + (int(key[1]) + x) * SIDE, SOUTH + (int(key[2]) + y) * SIDE)
        for key, n in numbers.items()
        for x, y in np.random.default_rng(5).uniform(0.05, 0.95, (n, 2)).tolist()
    ]
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.membership))
        connection.execute(sa.delete(t.household))
        add_households(connection, places)
        assign_new(connection)
    return Planner(client, small_county.actors["county_office"])


@pytest.fixture
def plan(author: Planner) -> dict[str, Any]:
    return dict(author.post("/api/plans", 201, title="重划"))


def faces_of(author: Planner, plan_id: int) -> dict[str, Any]:
    faces = author.get(f"/api/plans/{plan_id}/faces")["features"]
    return {face["properties"]["key"]: face for face in faces}


def test_a_grid_is_divided_and_taken_in_one_step(
    author: Planner, plan: dict[str, Any], small_county: SmallCounty
) -> None:
    path, grid = f"/api/plans/{plan['plan_id']}", str(small_county.grid_ids["g00"])
    before = faces_of(author, plan["plan_id"])
    found = author.post(f"{path}/propose", scope={"grid": grid})
    assert found["scope"] == {"grid": grid}
    assert (found["today"]["inside"], found["today"]["of"]) == (0, 1)
    assert found["bounds"]["moves"] == 200
    assert [answer["name"] for answer in found["answers"]] == ["least_change", "balance", "shape"]
    assert author.post(f"{path}/propose", scope={"grid": grid}) == found
    for answer in found["answers"]:
        costs, faces = answer["costs"], answer["faces"]["features"]
        assert costs["inside"] == costs["of"] == len(faces)
        assert costs["households_moved"] == 500 - next(
            face["properties"]["households"] for face in faces if not face["properties"]["is_new"]
        )
        assert costs["people_moved"] == 3 * costs["households_moved"] >= 600
        assert costs["officers"][0]["loses"] == costs["households_moved"]
        assert costs["officers"][0]["officer"]
        assert answer["edit"]["grids"] == [grid]
    least = found["answers"][0]
    assert least["costs"]["households_moved"] <= 210
    taken = author.post(f"{path}/edits", rev=plan["rev"], edit=least["edit"])
    now = faces_of(author, plan["plan_id"])
    for face in least["faces"]["features"]:
        wanted, drawn = face["properties"], now[face["properties"]["key"]]["properties"]
        assert (wanted["name"], wanted["households"]) == (drawn["name"], drawn["households"])
    for key in before.keys() - {grid}:
        land = (shapely.geometry.shape(faces[key]["geometry"]) for faces in (before, now))
        assert shapely.equals(*land)
        assert not now[key]["properties"]["changed"]
    author.post(f"{path}/undo", rev=taken["rev"])
    assert faces_of(author, plan["plan_id"]) == before


def test_a_village_is_put_right_and_weights_give_one_answer(
    author: Planner, plan: dict[str, Any], small_county: SmallCounty
) -> None:
    path, grid = f"/api/plans/{plan['plan_id']}", small_county.grid_ids["g00"]
    village = faces_of(author, plan["plan_id"])[str(grid)]["properties"]["parent"]
    found = author.post(f"{path}/propose", scope={"village": village})
    for answer in found["answers"]:
        assert answer["costs"]["inside"] >= found["today"]["inside"]
        assert answer["costs"]["buildings_cut"] == 0
    weights = {"change": 0, "balance": 100, "shape": 10}
    (refined,) = author.post(f"{path}/propose", scope={"village": village}, weights=weights)[
        "answers"
    ]
    assert refined["name"] == "refined"
    author.post(f"{path}/edits", rev=plan["rev"], edit=refined["edit"])
    locked = author.post(f"{path}/propose", scope={"village": village}, locked=[str(grid)])
    assert all(str(grid) not in answer["edit"]["grids"] for answer in locked["answers"])


def test_the_county_is_a_job_whose_answer_is_taken_by_its_number(
    author: Planner, plan: dict[str, Any], store: Store
) -> None:
    path = f"/api/plans/{plan['plan_id']}"
    job_id = author.post(f"{path}/propose", 202, scope={"county": True})["job_id"]
    author.get(f"{path}/proposals/{job_id}", 404)
    jobs.perform(store, job_id)
    assert author.get(f"/api/jobs/{job_id}")["result"] == {
        "plan_id": plan["plan_id"],
        "proposal_id": job_id,
    }
    found = author.get(f"{path}/proposals/{job_id}")
    assert found["proposal_id"] == job_id
    least = found["answers"][0]
    assert least["edit"] == {"kind": "redraw", "proposal": job_id, "answer": "least_change"}
    change = author.post(f"{path}/preview", rev=plan["rev"], edit=least["edit"])
    assert len(change["grids"]) > 1
    wrong = {**least["edit"], "answer": "none"}
    author.post(f"{path}/preview", 404, rev=plan["rev"], edit=wrong)
    taken = author.post(f"{path}/edits", rev=plan["rev"], edit=least["edit"])
    told = author.post(f"{path}/edits", 409, rev=taken["rev"], edit=least["edit"])
    assert str(job_id) in told["detail"]
    undone = author.post(f"{path}/undo", rev=taken["rev"])
    author.post(f"{path}/edits", rev=undone["rev"], edit=found["answers"][1]["edit"])
    other = author.post("/api/plans", 201, title="另一个")["plan_id"]
    author.get(f"/api/plans/{other}/proposals/{job_id}", 404)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"scope": {}}, 422, "scope"),
        ({"scope": {"grid": "1", "village": "2"}}, 422, "scope"),
        ({"scope": {"village": "1", "pieces": 3}}, 422, "scope.pieces"),
        ({"scope": {"grid": "1", "pieces": 41}}, 422, "scope.pieces"),
        ({"scope": {"grid": "1", "pieces": 1}}, 422, "scope.pieces"),
        ({"scope": {"grid": "999999"}}, 404, "scope.grid"),
        ({"scope": {"town": "999999"}}, 404, "scope.town"),
        ({"scope": {"county": True}, "locked": ["999999"]}, 404, "locked"),
    ],
)
def test_what_cannot_be_asked_is_said(
    author: Planner, plan: dict[str, Any], body: dict[str, Any], status: int, field: str
) -> None:
    told = author.post(f"/api/plans/{plan['plan_id']}/propose", status, **body)
    assert told["field"] == field
    assert told["detail"]


def test_what_no_answer_can_meet_is_told_with_its_place(
    client: TestClient, author: Planner, plan: dict[str, Any], small_county: SmallCounty
) -> None:
    path, grid = f"/api/plans/{plan['plan_id']}", str(small_county.grid_ids["g22"])
    body = {"scope": {"grid": grid}}
    for language, words in (("zh-CN", "不能达标"), ("en", "No division can meet the rule")):
        headers = {**author.headers, "Accept-Language": language}
        answer = client.post(f"{path}/propose", json=body, headers=headers)
        assert any(words in one["text"] and one["place"] for one in answer.json()["told"])
        assert all(one["costs"]["grids_changed"] == 0 for one in answer.json()["answers"])
