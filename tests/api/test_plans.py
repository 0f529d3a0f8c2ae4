"""A plan over HTTP: drawn by one, judged by another, published, compared and taken back."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient
from tests.support import SIDE, SOUTH, WEST

X, Y = WEST, SOUTH


def cut(grid: int, x: float, y: float) -> dict[str, Any]:
    """A cut from south to north through one square."""
    line = [[x, y - SIDE / 10], [x, y + SIDE * 1.1]]
    return {
        "kind": "split", "grid": str(grid), "keeps": "larger",
        "line": {"type": "LineString", "coordinates": line},
    }  # fmt: skip


class Planner:
    """Someone who asks in a role."""

    def __init__(self, client: TestClient, actor_id: int) -> None:
        self.client, self.headers = client, {"x-gis-actor": str(actor_id)}

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = self.client.post(path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(path, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def author(client: TestClient, small_county: SmallCounty) -> Planner:
    return Planner(client, small_county.actors["county_office"])


@pytest.fixture(scope="module")
def other(client: TestClient, store: Store, small_county: SmallCounty) -> Planner:
    del small_county
    with store.transaction(SYSTEM) as connection:
        actor_id = connection.scalar(
            sa.insert(t.actor)
            .values(name="规划员", name_en="Planner", role="planner", is_demo=True)
            .returning(t.actor.c.actor_id)
        )
    assert actor_id is not None
    return Planner(client, actor_id)


@pytest.fixture
def today(store: Store) -> date:
    with store.transaction(SYSTEM) as connection:
        day = connection.scalar(sa.select(sa.func.gis_today()))
    assert isinstance(day, date)
    return day


def written(store: Store, plan_id: int) -> tuple[str, int, int]:
    """Who wrote a plan's row last (a transaction), its base and its revision."""
    plan = t.plan.c
    columns = (sa.cast(sa.literal_column("plan.xmin"), sa.Text), plan.base_version_id, plan.rev)
    with store.transaction(SYSTEM) as connection:
        row = connection.execute(sa.select(*columns).where(plan.plan_id == plan_id)).one()
    return row[0], row[1], row[2]


def follow_newest_version(store: Store, reader: Planner, plan_id: int, version_id: int) -> None:
    """A plan beside a later version is shown on that one; an edit writes it, and no GET."""
    stored = written(store, plan_id)
    for part in ("/faces", "/checks", "/impact"):
        reader.get(f"/api/plans/{plan_id}{part}")
    plan = reader.get(f"/api/plans/{plan_id}")
    assert (plan["base_version"], plan["conflicts"]) == (version_id, [])
    assert written(store, plan_id) == stored
    assert stored[1] != version_id
    change = reader.post(f"/api/plans/{plan_id}/undo", rev=plan["rev"])
    assert written(store, plan_id)[1:] == (version_id, change["rev"])


def approved(author: Planner, other: Planner, edits: list[dict[str, Any]], title: str) -> int:
    plan = author.post("/api/plans", 201, title=title)
    path = f"/api/plans/{plan['plan_id']}"
    rev = plan["rev"]
    for edit in edits:
        rev = author.post(f"{path}/edits", rev=rev, edit=edit)["rev"]
    reasons = {one["id"]: "因为" for one in author.get(f"{path}/checks")["findings"]}
    author.post(f"{path}/submit", warnings=reasons)
    other.post(f"{path}/approve")
    return int(plan["plan_id"])


def test_an_edit_is_tried_done_undone_and_done_again(
    author: Planner, small_county: SmallCounty
) -> None:
    grid = small_county.grid_ids["g11"]
    plan = author.post("/api/plans", 201, title="试划", reason="人多")
    path = f"/api/plans/{plan['plan_id']}"
    edit = cut(grid, X + 1.3 * SIDE, Y + SIDE)
    tried = author.post(f"{path}/preview", rev=plan["rev"], edit=edit)
    assert author.get(path)["edits"] == []
    done = author.post(f"{path}/edits", rev=plan["rev"], edit=edit)
    assert done["grids"] == tried["grids"]
    assert {one["key"]: one["now"]["households"] for one in done["grids"]} == {
        str(grid): 310, "new-1": 0,
    }  # fmt: skip
    assert done["rev"] == plan["rev"] + 1
    told = author.get(path)
    assert (told["can_undo"], told["can_redo"], len(told["edits"])) == (True, False, 1)
    assert author.get(f"{path}/edges?grid={grid}")["features"]
    village = done["grids"][0]["parent"]
    assert len(author.get(f"{path}/faces?village={village}")["features"]) == 4
    undone = author.post(f"{path}/undo", rev=told["rev"])
    assert undone["retired"] == ["new-1"]
    assert len(author.get(f"{path}/faces?village={village}")["features"]) == 3
    again = author.post(f"{path}/redo", rev=undone["rev"])
    assert [one["now"] for one in again["grids"]] == [one["now"] for one in done["grids"]]
    author.post(f"{path}/discard")


def test_a_redraw_of_several_grids_is_one_change_and_one_undo(
    author: Planner, small_county: SmallCounty
) -> None:
    middle, east = (str(small_county.grid_ids[key]) for key in ("g11", "g21"))
    plan = author.post("/api/plans", 201, title="重划")
    path = f"/api/plans/{plan['plan_id']}"

    def columns(west: float, past: float) -> dict[str, Any]:
        ring = [[west, 1], [past, 1], [past, 2], [west, 2], [west, 1]]
        places = [[X + x * SIDE, Y + y * SIDE] for x, y in ring]
        return {"type": "Polygon", "coordinates": [places]}

    regions = {middle: columns(1, 1.2), "new-1": columns(1.2, 2.5), east: columns(2.5, 3)}
    edit = {"kind": "redraw", "grids": [middle, east], "regions": regions}
    done = author.post(f"{path}/edits", rev=plan["rev"], edit=edit)
    assert [one["key"] for one in done["grids"]] == [middle, east, "new-1"]
    assert done["edit"] == {
        "kind": "redraw", "grids": [middle, east], "names": {"new-1": done["grids"][2]["name"]},
    }  # fmt: skip
    told = author.get(path)
    assert [one["edit"] for one in told["edits"]] == [done["edit"]]
    undone = author.post(f"{path}/undo", rev=done["rev"])
    assert undone["retired"] == ["new-1"]
    assert author.get(path)["edits"] == []
    again = author.post(f"{path}/redo", rev=undone["rev"])
    assert again["faces"] == done["faces"]
    author.post(f"{path}/discard")


def test_an_old_revision_is_told_what_was_done_since(
    author: Planner, other: Planner, small_county: SmallCounty
) -> None:
    plan = author.post("/api/plans", 201, title="两人")
    path = f"/api/plans/{plan['plan_id']}"
    edit = cut(small_county.grid_ids["g11"], X + 1.3 * SIDE, Y + SIDE)
    author.post(f"{path}/edits", rev=1, edit=edit)
    problem = other.post(f"{path}/edits", 409, rev=1, edit=edit)
    assert problem["rev"] == 2
    assert [one["edit"]["kind"] for one in problem["edits"]] == ["split"]
    assert problem["edits"][0]["actor"]["name"] == "county_office"
    assert len(author.get(path)["edits"]) == 1
    author.post(f"{path}/discard")
    assert author.post(f"{path}/edits", 409, rev=2, edit=edit)["plan_status"] == "discarded"


def test_a_plan_is_published_compared_and_taken_back(
    client: TestClient,
    author: Planner,
    other: Planner,
    small_county: SmallCounty,
    store: Store,
    today: date,
) -> None:
    ids = small_county.grid_ids
    x, y = X + SIDE, Y + SIDE
    middle = [[x + SIDE / 4, y + SIDE / 4], [x + 3 * SIDE / 4, y + SIDE / 4]]
    ring = [*middle, [x + 3 * SIDE / 4, y + SIDE], [x + SIDE / 4, y + SIDE], middle[0]]
    give = {
        "kind": "give", "to": str(ids["g12"]),
        "region": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    plan = author.post("/api/plans", 201, title="划给北边")
    path = f"/api/plans/{plan['plan_id']}"
    rev = author.post(f"{path}/edits", rev=1, edit=give)["rev"]
    beside = author.post("/api/plans", 201, title="另一处")
    aside = f"/api/plans/{beside['plan_id']}"
    author.post(f"{aside}/edits", rev=1, edit=cut(ids["g20"], X + 2.3 * SIDE, Y))
    clash = author.post("/api/plans", 201, title="同一处")
    clashing = f"/api/plans/{clash['plan_id']}"
    author.post(f"{clashing}/edits", rev=1, edit=cut(ids["g11"], X + 1.1 * SIDE, Y + SIDE))

    assert author.get(f"{path}/impact")["moved"]["households"] == 310
    author.post(f"{path}/submit", 422)
    reasons = {one["id"]: "因为" for one in author.get(f"{path}/checks")["findings"]}
    author.post(f"{path}/submit", warnings=reasons)
    author.post(f"{path}/approve", 403)
    other.post(f"{path}/reject", 422)
    other.post(f"{path}/reject", text="再想想")
    author.post(f"{path}/submit")
    other.post(f"{path}/approve")
    yesterday = (today - timedelta(days=1)).isoformat()
    author.post(f"{path}/publish", 409, effective_day=yesterday)
    done = author.post(f"{path}/publish", effective_day=today.isoformat())
    assert done["moved"]["households"] == 310
    gone = author.post(f"{path}/edits", 409, rev=rev, edit=give)
    assert gone["version_id"] == done["version_id"]
    with store.transaction(SYSTEM) as connection:
        held: dict[Any, int] = dict(
            connection.execute(
                sa.select(t.household.c.base_grid_id, sa.func.count()).group_by(
                    t.household.c.base_grid_id
                )
            ).all()
        )
    assert held[ids["g12"]] == 310
    assert ids["g11"] not in held

    follow_newest_version(store, author, beside["plan_id"], done["version_id"])
    assert [one["keys"] for one in author.get(clashing)["conflicts"]] == [[str(ids["g11"])]]

    versions = author.get("/api/versions")
    assert [one["plan_id"] for one in versions] == [plan["plan_id"], None]
    assert [one["decision"] for one in versions[0]["reviews"]] == [
        "submitted", "rejected", "submitted", "approved", "published",
    ]  # fmt: skip
    first, second = versions[1]["version_id"], done["version_id"]
    found = author.get(f"/api/versions/{first}/compare/{second}")
    assert [(one["from"], one["to"], one["households"]) for one in found["moved"]] == [
        (str(ids["g11"]), str(ids["g12"]), 310)
    ]
    file = client.get(f"/api/versions/{first}/compare/{second}.gpkg", headers=author.headers)
    assert file.content[:15] == b"SQLite format 3"

    tomorrow = (today + timedelta(days=1)).isoformat()
    back = author.post(f"/api/versions/{second}/withdraw", effective_day=tomorrow, reason="弄错")
    same = author.get(f"/api/versions/{first}/compare/{back['version_id']}")
    assert (same["grids"], same["moved"]) == ([], [])
    assert author.get(path)["status"] == "withdrawn"
    author.post(f"/api/versions/{second}/withdraw", 409, effective_day=tomorrow, reason="又")


@pytest.mark.parametrize("role", ["visitor", "grid_officer"])
def test_plans_reasons_and_reviews_are_for_their_readers(
    client: TestClient,
    author: Planner,
    other: Planner,
    small_county: SmallCounty,
    today: date,
    role: str,
) -> None:
    edit = cut(
        small_county.grid_ids["g22"], X + (2.3 if role == "visitor" else 2.6) * SIDE, Y + 2 * SIDE
    )
    plan_id = approved(author, other, [edit], f"再划{role}")
    newest = author.get("/api/versions")[0]["earliest_day"]
    day = max(today + timedelta(days=400), date.fromisoformat(newest))
    author.post(f"/api/plans/{plan_id}/publish", effective_day=day.isoformat(), reasons={})
    told = author.get("/api/versions")[0]
    assert told["plan_id"] == plan_id
    assert told["reviews"]
    outsider = Planner(client, small_county.actors[role])
    outsider.get("/api/plans", 403)
    outsider.get(f"/api/plans/{plan_id}", 403)
    outsider.get(f"/api/plans/{plan_id}/faces", 403)
    outsider.post("/api/plans", 403, title="不行")
    for version, shown in zip(
        author.get("/api/versions"), outsider.get("/api/versions"), strict=True
    ):
        hidden: dict[str, Any] = {"reason": "", "plan_id": None, "reviews": []}
        assert shown == {**version, **hidden}


def test_nobody_approves_what_they_have_edited(
    client: TestClient, author: Planner, other: Planner, store: Store, small_county: SmallCounty
) -> None:
    with store.transaction(SYSTEM) as connection:
        actor_id = connection.scalar(
            sa.insert(t.actor)
            .values(name="规划员二", name_en="Planner", role="planner", is_demo=True)
            .returning(t.actor.c.actor_id)
        )
    third = Planner(client, actor_id or 0)
    plan = author.post("/api/plans", 201, title="两人划")
    path = f"/api/plans/{plan['plan_id']}"
    edit = cut(small_county.grid_ids["g02"], X + 0.3 * SIDE, Y + 2 * SIDE)
    rev = other.post(f"{path}/edits", rev=plan["rev"], edit=edit)["rev"]
    rev = third.post(f"{path}/undo", rev=rev)["rev"]
    author.post(f"{path}/redo", rev=rev)
    reasons = {one["id"]: "因为" for one in author.get(f"{path}/checks")["findings"]}
    author.post(f"{path}/submit", warnings=reasons)
    for hand in (author, other, third):
        hand.post(f"{path}/approve", 403)
    other.post(f"{path}/reject", text="改名无据")
    author.post(f"{path}/submit", warnings=reasons)
    with store.transaction(SYSTEM) as connection:
        fresh = connection.scalar(
            sa.insert(t.actor)
            .values(name="规划员三", name_en="Planner", role="planner", is_demo=True)
            .returning(t.actor.c.actor_id)
        )
    Planner(client, fresh or 0).post(f"{path}/approve")
