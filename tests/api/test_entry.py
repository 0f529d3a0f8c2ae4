"""Records entered by hand over HTTP: added, changed, ended, undone; what is refused and why."""

import itertools
import json
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.records import list_entered
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.support import SIDE, SOUTH, WEST

As = Callable[[str], dict[str, str]]
NEXT_DAY = itertools.count(3, 10)


def place(key: str, crs: str = "cgcs2000", east: float = 0.0) -> dict[str, object]:
    lon, lat = middle(key)
    return {"lon": lon + east, "lat": lat, "crs": crs}


def send(
    client: TestClient,
    method: str,
    path: str,
    values: dict[str, Any] | None = None,
    *,
    version: str = "",
    key: str = "",
    headers: dict[str, str] | None = None,
) -> Any:
    sent = {"Idempotency-Key": key or str(uuid.uuid4()), **(headers or {})}
    if version:
        sent["If-Match"] = f'"{version}"'
    body = None if values is None else {"values": values}
    return client.request(method, f"/api/entry/{path}", json=body, headers=sent)


def added(client: TestClient, kind: str, values: dict[str, Any], **options: Any) -> Any:
    answer = send(client, "POST", kind, values, **options)
    assert answer.status_code == 201, answer.text
    return answer.json()


def changed(client: TestClient, record: Any, values: dict[str, Any], **options: Any) -> Any:
    path = f"{record['kind']}/{record['id']}"
    return send(client, "PATCH", path, values, version=record["version"], **options)


def today(store: Store) -> date:
    with store.transaction(SYSTEM) as connection:
        day = connection.scalar(sa.select(sa.func.gis_today()))
    assert isinstance(day, date)
    return day


def history(store: Store, kind: str, record_id: int) -> list[tuple[int | None, bool, bool]]:
    """Grid, whether it begins today, whether it is open; by day."""
    a = t.assignment.c
    query = (
        sa.select(
            a.grid_id,
            sa.func.lower(a.valid) == sa.func.gis_today(),
            sa.func.upper_inf(a.valid),
        )
        .where(a.object_kind == kind, a.object_id == record_id)
        .order_by(sa.func.lower(a.valid))
    )
    with store.transaction(SYSTEM) as connection:
        return [tuple(row) for row in connection.execute(query)]


def events(store: Store, kind: str, record_id: int) -> list[Any]:
    query = (
        sa.select(t.event)
        .where(t.event.c.object_kind == kind, t.event.c.object_id == str(record_id))
        .order_by(t.event.c.event_id)
    )
    with store.transaction(SYSTEM) as connection:
        return list(connection.execute(query))


HOUSE = {"kind": "residential", "storeys": 3, "address": "东街12号"}
HOME = {"street": "东街", "house_number": "9号", "people": 2, "head_name": "李四",
        "phone": "13911112222", "care_tags": ["lives_alone"]}  # fmt: skip


def hazard_on(day: date) -> dict[str, Any]:
    return {
        "kind": "wiring",
        "grade": "ordinary",
        "status": "found",
        "found_on": day.isoformat(),
        "due_on": (day + timedelta(days=7)).isoformat(),
        "note": "线路老化",
    }


def sample(kind: str, store: Store, client: TestClient, county: SmallCounty) -> dict[str, Any]:
    day = today(store)
    if kind in ("leave", "duty"):
        officer = {"name": "周九", "phone": "13600000000", "first_day": day.isoformat()}
        who = added(client, "officer", officer)["record"]["id"]
        first = (day + timedelta(days=next(NEXT_DAY))).isoformat()
        if kind == "leave":
            return {"officer": who, "first_day": first, "last_day": first}
        return {
            "officer": who,
            "grid": county.grid_ids["g20"],
            "first_day": first,
            "last_day": first,
        }
    samples: dict[str, dict[str, Any]] = {
        "officer": {"name": "吴十", "phone": "13600000001", "first_day": day.isoformat()},
        "facility": {"kind": "clinic", "name": "西街卫生室", "point": place("g01")},
        "building": {**HOUSE, "point": place("g01")},
        "household": {**HOME, "point": place("g01")},
        "premises": {"kind": "shop", "name": "福来百货店", "grade": "B", "point": place("g01")},
        "hazard": {**hazard_on(day), "point": place("g01")},
    }
    return samples[kind]


CHANGES: dict[str, dict[str, Any]] = {
    "officer": {"phone": "13600000009"},
    "leave": {"last_day": None},
    "duty": {"last_day": None},
    "facility": {"name": "西街新卫生室"},
    "building": {"storeys": 4},
    "household": {"people": 5},
    "premises": {"grade": "A"},
    "hazard": {"grade": "major"},
}


@pytest.mark.parametrize("kind", list(list_entered()))
def test_each_kind_is_added_read_listed_changed_and_the_change_taken_back(
    client: TestClient, store: Store, small_county: SmallCounty, kind: str
) -> None:
    values = sample(kind, store, client, small_county)
    record = added(client, kind, values)["record"]
    read = client.get(f"/api/entry/{kind}/{record['id']}")
    assert read.json() == record
    assert read.headers["etag"] == f'"{record["version"]}"'
    listed = client.get(f"/api/entry/{kind}?limit=1").json()["items"]
    assert [row["id"] for row in listed] == [record["id"]]

    change = dict(CHANGES[kind])
    if "last_day" in change:
        day = date.fromisoformat(values["first_day"]) + timedelta(days=1)
        change["last_day"] = day.isoformat()
    answer = changed(client, record, change)
    assert answer.status_code == 200, answer.text
    after = answer.json()["record"]
    assert after["version"] != record["version"]
    assert {name: after["values"][name] for name in change} == change

    back = client.post(f"/api/entry/undo/{answer.json()['change_id']}")
    assert back.status_code == 200, back.text
    assert back.json()["record"]["values"] == record["values"]
    actions = [event.action for event in events(store, kind, record["id"]) if event.action != "see"]
    assert actions == ["add", "change", "undo"]


@pytest.mark.parametrize("kind", [name for name, kind in list_entered().items() if kind.removable])
def test_what_was_taken_out_comes_back_as_it_was(
    client: TestClient, store: Store, small_county: SmallCounty, kind: str
) -> None:
    record = added(client, kind, sample(kind, store, client, small_county))["record"]
    before = history(store, kind, record["id"])
    path = f"{kind}/{record['id']}"
    answer = send(client, "DELETE", path, version=record["version"])
    assert answer.status_code == 200, answer.text
    assert client.get(f"/api/entry/{path}").status_code == 404
    assert not any(is_open for _, _, is_open in history(store, kind, record["id"]))
    back = client.post(f"/api/entry/undo/{answer.json()['change_id']}").json()["record"]
    assert back["values"] == record["values"]
    assert history(store, kind, record["id"]) == before


# --- placing -----------------------------------------------------------------------------------


def test_a_new_building_is_placed_from_the_beginning(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    record = added(client, "building", {**HOUSE, "point": place("g01")})["record"]
    assert record["grid"]["grid_id"] == small_county.grid_ids["g01"]
    assert history(store, "building", record["id"]) == [(small_county.grid_ids["g01"], False, True)]


def test_a_moved_building_takes_its_households_along_and_the_past_stays(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    old, new = small_county.grid_ids["g01"], small_county.grid_ids["g02"]
    house = added(client, "building", {**HOUSE, "point": place("g01")})["record"]
    point = {**HOME, "building": house["id"]}
    homes = [
        added(client, "household", {**point, "point": place("g01", east=east)})["record"]
        for east in (0.0, 0.0001)
    ]
    assert {home["named"]["building"] for home in homes} == {"东街12号"}

    answer = changed(client, house, {"point": place("g02")})
    assert answer.json()["record"]["grid"]["grid_id"] == new
    moved = [(old, False, False), (new, True, True)]
    assert history(store, "building", house["id"]) == moved
    for home, east in zip(homes, (0.0, 0.0001), strict=True):
        assert history(store, "household", home["id"]) == moved
        now = client.get(f"/api/entry/household/{home['id']}").json()
        assert now["grid"]["grid_id"] == new
        assert now["values"]["point"]["lon"] == pytest.approx(place("g02", east=east)["lon"])

    client.post(f"/api/entry/undo/{answer.json()['change_id']}")
    assert history(store, "building", house["id"]) == [(old, False, True)]
    assert history(store, "household", homes[1]["id"]) == [(old, False, True)]
    path = f"building/{house['id']}"
    version = client.get(f"/api/entry/{path}").json()["version"]
    refused = send(client, "DELETE", path, version=version)
    assert refused.status_code == 409
    assert "户" in refused.json()["detail"]


def test_a_household_follows_its_building_and_not_its_own_point(
    client: TestClient, small_county: SmallCounty
) -> None:
    house = added(client, "building", {**HOUSE, "point": place("g01")})["record"]
    home = {**HOME, "building": house["id"], "point": place("g02")}
    record = added(client, "household", home)["record"]
    assert record["grid"]["grid_id"] == small_county.grid_ids["g01"]
    alone = changed(client, record, {"building": None}).json()["record"]
    assert alone["grid"]["grid_id"] == small_county.grid_ids["g02"]


def test_a_place_on_a_border_goes_to_the_lowest_id(
    client: TestClient, small_county: SmallCounty
) -> None:
    corner = {"lon": round(WEST + SIDE, 9), "lat": round(SOUTH + SIDE, 9), "crs": "wgs84"}
    record = added(client, "building", {**HOUSE, "point": corner})["record"]
    around = [small_county.grid_ids[key] for key in ("g00", "g10", "g01", "g11")]
    assert record["grid"]["grid_id"] == min(around)


def test_a_place_of_another_system_is_brought_to_cgcs2000(client: TestClient) -> None:
    record = added(client, "building", {**HOUSE, "point": place("g11", "gcj02")})["record"]
    lon, lat = middle("g11")
    point = record["values"]["point"]
    assert point["crs"] == "cgcs2000"
    assert 0.003 < lon - point["lon"] < 0.008
    assert 0.001 < abs(lat - point["lat"]) < 0.006


def test_a_typed_place_is_shown_where_it_will_lie(client: TestClient) -> None:
    lon, lat = middle("g11")
    record = added(client, "building", {**HOUSE, "point": place("g11", "bd09")})["record"]
    shown = client.get(f"/api/entry/place?lon={lon}&lat={lat}&crs=bd09").json()
    assert shown == {name: record["values"]["point"][name] for name in ("lon", "lat")}
    assert client.get(f"/api/entry/place?lon={lon}&lat={lat}&crs=mars").status_code == 422
    assert client.get("/api/entry/place?lon=999&lat=1&crs=wgs84").status_code == 422


def test_a_place_just_outside_belongs_to_no_grid_and_a_far_one_is_refused(
    client: TestClient,
) -> None:
    near = {**place("g00"), "lon": WEST - 0.001}
    assert added(client, "building", {**HOUSE, "point": near})["record"]["grid"] is None
    swapped = {"lon": 28.7, "lat": 89.0, "crs": "cgcs2000"}
    answer = send(client, "POST", "building", {**HOUSE, "point": swapped})
    assert answer.status_code == 422
    assert answer.json()["field"] == "point"


THERE = {**HOUSE, "point": place("g00")}
AT_HOME = {**HOME, "point": place("g00")}
PUB = {"kind": "pub", "name": "x", "point": place("g00")}
MAN = {"name": "x", "phone": "12345"}
FOUND = {**hazard_on(date(2026, 3, 9)), "point": place("g00")}


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "fields"),
    [
        ("facility", {"kind": "clinic", "name": " "}, "name point"),
        ("facility", {**PUB, "turnout_minutes": -1}, "kind turnout_minutes"),
        ("building", {**THERE, "storeys": 2.5}, "storeys"),
        ("building", {**HOUSE, "storeys": 300, "point": {"lon": 1, "lat": 2}}, "point storeys"),
        ("building", {**HOUSE, "point": {"lon": 999, "lat": 2, "crs": "wgs84"}}, "point"),
        ("building", {**HOUSE, "point": {"lon": 112, "lat": 28, "crs": "mars"}}, "point"),
        ("building", {**THERE, "colour": "red"}, "colour"),
        ("household", {**AT_HOME, "phone": "call me"}, "phone"),
        ("household", {**AT_HOME, "care_tags": ["rich"]}, "care_tags"),
        ("household", {**AT_HOME, "building": 999999}, "building"),
        ("household", {**AT_HOME, "street": "a\x01b"}, "street"),
        ("officer", {"name": "x" * 61, "first_day": "2026-02-30"}, "name phone first_day"),
        ("officer", {**MAN, "first_day": "2026-02-02", "last_day": "2026-02-01"}, "last_day"),
        ("hazard", {**FOUND, "due_on": "2026-03-08", "status": "closed"}, "due_on closed_on"),
        ("hazard", {**FOUND, "closed_on": "2026-03-10"}, "closed_on"),
    ],
)  # fmt: skip
def test_every_wrong_field_is_named_in_the_readers_language(
    client: TestClient, kind: str, values: dict[str, Any], fields: str
) -> None:
    said = {}
    for language in ("zh-CN", "en"):
        answer = send(client, "POST", f"{kind}?lang={language}", values)
        assert answer.status_code == 422, answer.text
        problem = answer.json()
        wrong = [one["field"] for one in problem["errors"]]
        assert wrong == fields.split()
        assert problem["field"] == wrong[0]
        assert problem["detail"] == problem["errors"][0]["detail"]
        said[language] = problem["detail"]
    assert said["zh-CN"] != said["en"]


def test_nothing_of_a_refused_record_stays(client: TestClient, store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        count = sa.select(sa.func.count()).select_from(t.building)
        before = connection.scalar(count)
        far = {"lon": 100.0, "lat": 20.0, "crs": "cgcs2000"}
        assert send(client, "POST", "building", {**HOUSE, "point": far}).status_code == 422
        assert connection.scalar(count) == before


def test_the_same_number_twice_is_refused(client: TestClient) -> None:
    record = {"kind": "clinic", "name": "x", "point": place("g00"), "key": "clinic"}
    answer = send(client, "POST", "facility", record)
    assert (answer.status_code, answer.json()["field"]) == (422, "key")


def test_an_unknown_kind_and_a_record_that_is_gone_are_not_found(client: TestClient) -> None:
    assert client.get("/api/entry/dragon").status_code == 404
    assert client.get("/api/entry/building/999999").status_code == 404
    assert send(client, "PATCH", "building/999999", {}, version="1").status_code == 404


# --- two at once -------------------------------------------------------------------------------


def test_nobodys_change_is_overwritten_unseen(client: TestClient) -> None:
    record = added(client, "building", {**HOUSE, "point": place("g00")})["record"]
    first = changed(client, record, {"storeys": 5})
    second = changed(client, record, {"storeys": 7})
    assert second.status_code == 412
    problem = second.json()
    assert problem["current"] == first.json()["record"]
    assert problem["sent"] == {"storeys": 7}
    third = changed(client, problem["current"], {"storeys": 7})
    assert third.json()["record"]["values"]["storeys"] == 7


def test_a_change_must_name_the_version_it_saw(client: TestClient) -> None:
    record = added(client, "building", {**HOUSE, "point": place("g00")})["record"]
    for version in ("", "*"):
        answer = send(client, "PATCH", f"building/{record['id']}", {"storeys": 2}, version=version)
        assert answer.status_code == 422


def test_a_request_sent_twice_is_done_once(client: TestClient, store: Store) -> None:
    values, key = {**HOUSE, "point": place("g00")}, str(uuid.uuid4())
    first = send(client, "POST", "building", values, key=key)
    second = send(client, "POST", "building", values, key=key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["record"] == first.json()["record"]
    record = first.json()["record"]
    assert len(events(store, "building", record["id"])) == 1
    again = [changed(client, record, {"storeys": 9}, key=key + "x") for _ in range(2)]
    assert [answer.status_code for answer in again] == [200, 200]
    assert again[1].json()["repeated"]


def test_a_change_that_changes_nothing_is_not_recorded(client: TestClient, store: Store) -> None:
    record = added(client, "building", {**HOUSE, "point": place("g00")})["record"]
    answer = changed(client, record, {"storeys": 3}).json()
    assert answer["record"]["version"] == record["version"]
    assert answer["change_id"] is None
    assert len(events(store, "building", record["id"])) == 1


# --- taking back -------------------------------------------------------------------------------


def test_what_was_added_by_mistake_goes_without_a_trace_in_the_grid(
    client: TestClient, store: Store
) -> None:
    answer = added(client, "hazard", {**hazard_on(today(store)), "point": place("g00")})
    back = client.post(f"/api/entry/undo/{answer['change_id']}")
    assert back.json()["record"] is None
    assert history(store, "hazard", answer["record"]["id"]) == []
    assert client.post(f"/api/entry/undo/{answer['change_id']}").status_code == 409


def test_a_change_is_not_taken_back_by_another_nor_late_nor_over_a_later_one(
    client: TestClient, store: Store, as_actor: As
) -> None:
    record = added(client, "building", {**HOUSE, "point": place("g00")})["record"]
    first = changed(client, record, {"storeys": 5}).json()
    path = f"/api/entry/undo/{first['change_id']}"
    assert client.post(path, headers=as_actor("grid_officer")).status_code == 404
    second = changed(client, first["record"], {"storeys": 6}).json()
    assert client.post(path).status_code == 409
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.entry_change)
            .where(t.entry_change.c.change_id == second["change_id"])
            .values(at=sa.func.now() - timedelta(seconds=61))
        )
    assert client.post(f"/api/entry/undo/{second['change_id']}").status_code == 409


def test_the_row_as_it_was_is_forgotten_when_the_time_is_over(
    client: TestClient, store: Store
) -> None:
    record = added(client, "household", {**HOME, "point": place("g00")})["record"]
    change_id = changed(client, record, {"people": 4}).json()["change_id"]
    of = t.entry_change.c
    kept = sa.select(of.before).where(of.change_id == change_id)
    with store.transaction(SYSTEM) as connection:
        assert (connection.scalar(kept) or {})["head_name"] == "李四"
        connection.execute(
            sa.update(t.entry_change)
            .where(of.change_id == change_id)
            .values(at=sa.func.now() - timedelta(seconds=61))
        )
    added(client, "building", {**HOUSE, "point": place("g00")})
    with store.transaction(SYSTEM) as connection:
        assert connection.scalar(kept) is None


# --- officers, duties, leaves ------------------------------------------------------------------


def officer_of(client: TestClient, store: Store, name: str = "郑五") -> int:
    first = today(store).isoformat()
    values = {"name": name, "phone": "13600000005", "first_day": first}
    return int(added(client, "officer", values)["record"]["id"])


def test_leaves_of_one_officer_do_not_overlap(client: TestClient, store: Store) -> None:
    who, day = officer_of(client, store), today(store)
    days = [(day + timedelta(days=n)).isoformat() for n in range(8)]
    first = {"officer": who, "first_day": days[1], "last_day": days[3]}
    other = added(client, "leave", first)["record"]
    answer = send(client, "POST", "leave", {**first, "first_day": days[3], "last_day": days[5]})
    assert answer.status_code == 409
    assert answer.json()["other"]["id"] == other["id"]
    assert days[1] in answer.json()["detail"]
    added(client, "leave", {**first, "first_day": days[4], "last_day": days[5]})
    longer = changed(client, other, {"last_day": days[4]})
    assert longer.status_code == 409


def test_a_post_is_held_by_one_officer_at_a_time(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    one, two, day = officer_of(client, store, "甲"), officer_of(client, store, "乙"), today(store)
    first, later = day.isoformat(), (day + timedelta(days=10)).isoformat()
    duty = {"officer": one, "grid": small_county.grid_ids["g21"], "post": "A", "first_day": first}
    held = added(client, "duty", duty)["record"]
    assert held["named"] == {"officer": "甲", "grid": "格g21"}
    taken = send(client, "POST", "duty", {**duty, "officer": two})
    assert (taken.status_code, taken.json()["field"]) == (409, "post")
    assert taken.json()["other"]["id"] == held["id"]
    doubled = send(client, "POST", "duty", {**duty, "post": "B"})
    assert doubled.status_code == 409
    ended = changed(client, held, {"last_day": (day + timedelta(days=9)).isoformat()})
    assert ended.status_code == 200
    added(client, "duty", {**duty, "officer": two, "first_day": later})


def test_the_past_of_a_duty_is_not_rewritten(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    day = today(store)
    yesterday = (day - timedelta(days=1)).isoformat()
    duty = {
        "officer": officer_of(client, store),
        "grid": small_county.grid_ids["g12"],
        "first_day": yesterday,
    }
    refused = send(client, "POST", "duty", duty)
    assert (refused.status_code, refused.json()["field"]) == (422, "first_day")
    (row,) = client.get("/api/entry/duty?q=孙三").json()["items"]
    record = client.get(f"/api/entry/duty/{row['id']}").json()
    for values, field in (
        ({"first_day": day.isoformat()}, "first_day"),
        ({"last_day": (day - timedelta(days=5)).isoformat()}, "last_day"),
        ({"post": "B"}, "post"),
    ):
        answer = changed(client, record, values)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    begun = send(client, "DELETE", f"duty/{row['id']}", version=record["version"])
    assert begun.status_code == 409
    assert changed(client, record, {"last_day": day.isoformat()}).status_code == 200


def test_an_officer_ends_after_the_duties(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    who, day = officer_of(client, store), today(store)
    duty = {"officer": who, "grid": small_county.grid_ids["g02"], "first_day": day.isoformat()}
    held = added(client, "duty", duty)["record"]
    record = client.get(f"/api/entry/officer/{who}").json()
    last = {"last_day": (day + timedelta(days=5)).isoformat()}
    refused = changed(client, record, last)
    assert refused.status_code == 409
    assert "格g02" in refused.json()["detail"]
    assert changed(client, held, last).status_code == 200
    assert changed(client, record, last).status_code == 200


# --- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["analyst", "visitor"])
@pytest.mark.parametrize("kind", list(list_entered()))
def test_an_analyst_and_a_visitor_enter_nothing(
    client: TestClient, as_actor: As, role: str, kind: str
) -> None:
    headers = as_actor(role)
    assert client.get("/api/entry", headers=headers).json()["kinds"] == []
    assert client.get(f"/api/entry/{kind}", headers=headers).status_code == 403
    assert client.get(f"/api/entry/{kind}/1", headers=headers).status_code == 403
    assert send(client, "POST", kind, {}, headers=headers).status_code == 403
    change = send(client, "PATCH", f"{kind}/1", {}, version="1", headers=headers)
    assert change.status_code == 403
    assert send(client, "DELETE", f"{kind}/1", version="1", headers=headers).status_code == 403


def test_a_grid_officer_enters_in_the_own_grid_only(client: TestClient, as_actor: As) -> None:
    headers = as_actor("grid_officer")
    own = added(client, "building", {**HOUSE, "point": place("g00")}, headers=headers)["record"]
    other = send(client, "POST", "building", {**HOUSE, "point": place("g11")}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (403, "point")
    away = changed(client, own, {"point": place("g11")}, headers=headers)
    assert away.status_code == 403
    foreign = added(client, "building", {**HOUSE, "point": place("g11")})["record"]
    assert client.get(f"/api/entry/building/{foreign['id']}", headers=headers).status_code == 404
    ids = {row["id"] for row in client.get("/api/entry/building", headers=headers).json()["items"]}
    assert own["id"] in ids
    assert foreign["id"] not in ids
    kinds = {one["kind"] for one in client.get("/api/entry", headers=headers).json()["kinds"]}
    assert kinds == {"household", "building", "premises", "hazard"}


# --- personal data -----------------------------------------------------------------------------


def test_who_lives_in_a_household_is_hidden_until_a_reason_is_given(
    client: TestClient, store: Store
) -> None:
    record = added(client, "household", {**HOME, "point": place("g00")})["record"]
    assert record["masked"] == ["head_name", "phone", "care_tags"]
    assert record["values"]["head_name"] == "李*"
    assert "11112222" not in json.dumps(record)
    assert "lives_alone" not in json.dumps(record)
    listed = client.get("/api/entry/household?q=东街9号").json()["items"]
    assert "李四" not in json.dumps(listed, ensure_ascii=False)
    assert client.get("/api/entry/household?q=李四").json()["items"] == []

    path = f"/api/entry/household/{record['id']}/reveal"
    assert client.post(path, json={"reason": "curious"}).status_code == 422
    shown = client.post(path, json={"reason": "visit"}).json()
    assert shown["masked"] == []
    assert shown["values"]["head_name"] == "李四"
    assert shown["values"]["care_tags"] == ["lives_alone"]
    looked = events(store, "household", record["id"])[-1]
    assert (looked.action, looked.after["reason"]) == ("reveal", "visit")


def test_a_hidden_value_that_is_not_typed_anew_stays(client: TestClient) -> None:
    record = added(client, "household", {**HOME, "point": place("g00")})["record"]
    changed(client, record, {"people": 7})
    path = f"/api/entry/household/{record['id']}/reveal"
    shown = client.post(path, json={"reason": "correction"}).json()
    assert (shown["values"]["head_name"], shown["values"]["people"]) == ("李四", 7)


def test_no_personal_value_stands_in_the_record_of_events(client: TestClient, store: Store) -> None:
    first = today(store).isoformat()
    officer = {"name": "冯某某", "phone": "13655554444", "first_day": first}
    who = added(client, "officer", officer)["record"]
    changed(client, who, {"phone": "13655553333"})
    home = added(client, "household", {**HOME, "point": place("g00")})["record"]
    changed(client, home, {"head_name": "赵某某", "point": place("g00", east=0.0001)})
    told = [
        (event.before, event.after)
        for kind, one in (("officer", who), ("household", home))
        for event in events(store, kind, one["id"])
    ]
    assert len(told) == 4
    said = json.dumps(told, ensure_ascii=False)
    for secret in ("某某", "1365555", "李四", "1391111", "东街", "lives_alone", "112.9"):
        assert secret not in said
    before, after = told[1]
    assert before["phone"] == told[0][1]["phone"]  # the same value of the same officer
    assert before["phone"] != after["phone"]
    assert all(value.startswith("digest:") for value in (before["phone"], after["phone"]))


# --- finding -----------------------------------------------------------------------------------


def test_lists_go_on_where_the_page_before_ended(client: TestClient) -> None:
    for number in range(4):
        values = {"kind": "bank", "name": f"翻页银行{number}", "point": place("g00")}
        added(client, "facility", values)
    first = client.get("/api/entry/facility?q=翻页&limit=3").json()
    rest = client.get(f"/api/entry/facility?q=翻页&limit=3&after={first['next']}").json()
    names = [row["title"] for row in first["items"] + rest["items"]]
    assert names == [f"翻页银行{number}" for number in (3, 2, 1, 0)]
    assert rest["next"] is None


def test_buildings_are_found_by_what_is_near(client: TestClient) -> None:
    for number, east in enumerate((0.0002, 0.0, 0.0001)):
        point = place("g20", east=east)
        added(client, "building", {**HOUSE, "name": f"近{number}", "point": point})
    lon, lat = middle("g20")
    query = f"near_lon={lon}&near_lat={lat}&limit=3"
    found = client.get(f"/api/entry/building?{query}").json()["items"]
    assert [row["title"] for row in found] == ["近1", "近2", "近0"]


def test_a_list_can_be_of_one_grid(client: TestClient, small_county: SmallCounty) -> None:
    added(
        client, "premises", {"kind": "shop", "name": "格内店", "grade": "C", "point": place("g22")}
    )
    rows = client.get(f"/api/entry/premises?grid_id={small_county.grid_ids['g22']}").json()["items"]
    assert {row["grid_name"] for row in rows} == {"格g22"}


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("head_name", "李四", "李五"),
        ("phone", "13911112222", "13911113333"),
        ("care_tags", ["lives_alone"], ["disabled"]),
    ],
)
def test_an_answer_does_not_tell_whether_a_hidden_value_was_guessed(
    client: TestClient, store: Store, field: str, right: object, wrong: object
) -> None:
    def answered(guess: object) -> tuple[Any, ...]:
        home = {**HOME, "head_name": "李四", "phone": "13911112222", "care_tags": ["lives_alone"]}
        record = added(client, "household", {**home, "point": place("g00")})["record"]
        answer = changed(client, record, {field: guess})
        told = answer.json()
        return (
            answer.status_code,
            told["change_id"] is None,
            told["repeated"],
            told["record"]["version"] == record["version"],
            answer.headers["etag"] == f'"{record["version"]}"',
            set(events(store, "household", record["id"])[-1].after),
        )

    assert answered(right) == answered(wrong)


@pytest.mark.parametrize("kind", ["facility", "duty"])
def test_a_planner_of_some_grids_enters_nothing_beside_them(
    client: TestClient, store: Store, small_county: SmallCounty, kind: str
) -> None:
    own = added(client, kind, sample(kind, store, client, small_county))["record"]
    other = "g21" if kind == "facility" else "g22"
    with store.transaction(SYSTEM) as connection:
        actor_id = connection.scalar(
            sa.insert(t.actor)
            .values(
                name="镇规划员",
                name_en="Planner",
                role="planner",
                is_demo=True,
                areas=[small_county.grid_ids[other]],
            )
            .returning(t.actor.c.actor_id)
        )
    headers = {"X-Gis-Actor": str(actor_id)}
    # Somebody else's is not there, neither to be read nor to be changed nor taken out.
    assert client.get(f"/api/entry/{kind}/{own['id']}", headers=headers).status_code == 404
    assert changed(client, own, CHANGES[kind], headers=headers).status_code == 404
    path = f"{kind}/{own['id']}"
    gone = send(client, "DELETE", path, version=own["version"], headers=headers)
    assert gone.status_code == 404
    listed = client.get(f"/api/entry/{kind}?limit=100", headers=headers).json()["items"]
    assert own["id"] not in {row["id"] for row in listed}
    # A new one is placed in the own grids only, and none moves out of them.
    beside = sample(kind, store, client, small_county)
    if kind == "duty":  # of an officer whom the planner sees, in a grid beside
        served = {**beside, "grid": small_county.grid_ids[other], "first_day": str(today(store))}
        added(client, kind, {**served, "last_day": None, "post": "B"})
    refused = send(client, "POST", kind, beside, headers=headers)
    assert refused.status_code == 403, refused.text
    if kind == "facility":
        mine = {"kind": "clinic", "name": "南街卫生室", "point": place(other)}
        record = added(client, kind, mine, headers=headers)["record"]
        moved = changed(client, record, {"point": place("g01")}, headers=headers)
        assert moved.status_code == 403
        assert client.get(f"/api/entry/{kind}/{record['id']}").json() == record
