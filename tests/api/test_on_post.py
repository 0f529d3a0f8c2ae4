"""Who is rung for a grid is one answer everywhere, also while A and B are both away."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from gis_service.access import SYSTEM
from gis_service.cli import app
from gis_service.grids.answers.on_post import find_first_at_work
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.people import add_key


@dataclass(frozen=True)
class Post:
    """Somebody in a post."""

    role: str
    post: str
    on_leave: bool = False


A, B = Post("officer", "A"), Post("officer", "B")
AWAY_A, AWAY_B = Post("officer", "A", on_leave=True), Post("officer", "B", on_leave=True)
HEAD, AWAY_HEAD = Post("head", "A"), Post("head", "A", on_leave=True)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([[HEAD, A, B]], (0, "post_a", A)),
        ([[HEAD, AWAY_A, B]], (0, "a_on_leave", B)),
        ([[HEAD, B]], (0, "post_b", B)),
        ([[HEAD, AWAY_A, AWAY_B]], (0, "head", HEAD)),
        ([[AWAY_A, AWAY_B], [AWAY_HEAD, A], [HEAD]], (2, "head", HEAD)),
        ([[AWAY_A], [A, B]], None),
        ([], None),
    ],
)
def test_a_then_b_then_the_next_head_upward(steps: list[list[Post]], expected: Any) -> None:
    assert find_first_at_work(steps) == expected


@pytest.fixture(scope="module")
def all_away(store: Store, client: TestClient, small_county: SmallCounty) -> Iterator[str]:
    """Nobody of g00 is at work today; its village has a head."""
    del client
    day = sa.func.gis_today()
    valid = sa.func.daterange(day, day + 1)
    with store.transaction(SYSTEM) as connection:
        village = connection.scalar(
            sa.select(t.grid_state.c.parent_grid_id).where(
                t.grid_state.c.grid_id == small_county.grid_ids["g00"],
                t.grid_state.c.valid.op("@>")(day),
            )
        )
        head = connection.scalar(
            sa.insert(t.officer)
            .values(key="head", name="李村长", phone="13500000000", valid="[2024-07-01,)")
            .returning(t.officer.c.officer_id)
        )
        duty = {"grid_id": village, "role": "head", "post": "A", "valid": "[2024-07-01,)"}
        connection.execute(sa.insert(t.grid_duty).values(officer_id=head, **duty))
        own = connection.execute(
            sa.select(t.grid_duty.c.officer_id).where(
                t.grid_duty.c.grid_id == small_county.grid_ids["g00"],
                t.grid_duty.c.valid.op("@>")(day),
            )
        ).scalars()
        for officer_id in set(own):
            connection.execute(sa.insert(t.leave).values(officer_id=officer_id, valid=valid))
    yield "李村长"
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.leave).where(sa.func.lower(t.leave.c.valid) == day))


def test_both_away_is_one_answer_everywhere(
    client: TestClient, small_county: SmallCounty, all_away: str
) -> None:
    lon, lat = middle("g00")
    grid_id = small_county.grid_ids["g00"]

    one = client.get(f"/api/locate?lon={lon}&lat={lat}&crs=cgcs2000&at=2024-07-02").json()
    assert one["call"]["because"] == "post_a"  # that day they were at work
    one = client.get(f"/api/locate?lon={lon}&lat={lat}&crs=cgcs2000").json()
    call = one["call"]
    assert (call["officer"]["name"], call["because"]) == (all_away, "head")

    places = {"crs": "cgcs2000", "points": [[lon, lat]], "detail": "full"}
    many = client.post("/api/locate", json=places).json()
    assert all_away in str(many)

    sheet = client.get(f"/api/grids/{grid_id}").json()
    assert sheet["stand_in"]["name"] == all_away
    assert all(officer["on_leave"] for officer in sheet["officers"])
    printed = f"/api/grids/{grid_id}/sheet?format=html"
    assert all_away in client.get(printed).text
    assert all_away not in client.get(f"{printed}&public=true").text

    report = {"kind": "dispute", "lon": lon, "lat": lat, "crs": "cgcs2000", "text": "楼道争吵"}
    made = client.post("/api/incidents", json=report).json()
    path = f"/api/incidents/{made['incident_id']}"
    assert client.get(path).json()["officer"]["name"] == all_away
    for move in ("accept", "dispatch"):  # chosen anew when it is sent out
        assert client.post(f"{path}/steps", json={"move": move}).status_code == 200
        assert client.get(path).json()["officer"]["name"] == all_away


def test_a_hotline_and_a_terminal_have_the_same_answer(
    client: TestClient,
    store: Store,
    small_county: SmallCounty,
    all_away: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lon, lat = middle("g00")
    add_key(store, "hotline", "county_office")
    form = {"api_key": "hotline", "service_code": "rubbish", "lat": lat, "long": lon}
    told = client.post("/open311/v2/requests.json", data=form).json()
    incident = client.get(f"/api/incidents/{told[0]['service_request_id']}").json()
    assert incident["officer"]["name"] == all_away

    monkeypatch.setattr("gis_service.store.open_store", lambda **_: nullcontext(store))
    said = CliRunner().invoke(app, ["locate", f"{lon},{lat}", "--crs", "cgcs2000", "--json"])
    call = json.loads(said.stdout)["call"]
    assert (call["officer"]["name"], call["because"]) == (all_away, "head")
