"""Incidents over HTTP: one life from report to close, who may what, photos, lists, the calendar."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from gis_service.api.body_limit import LIST_BYTES
from gis_service.coordinate_systems import from_cgcs2000, parse_crs
from gis_service.incidents.rules import rule_book
from gis_service.settings import store_settings
from tests.api.conftest import SmallCounty, middle

As = Callable[[str], dict[str, str]]
LON, LAT = middle("g00")
PROBLEM = "application/problem+json"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own."""
    monkeypatch.setattr(store_settings(), "data_dir", tmp_path)
    return tmp_path


def body(**other: Any) -> dict[str, Any]:
    return {"kind": "rubbish", "lon": LON, "lat": LAT, "text": "垃圾桶满溢", **other}


def report(client: TestClient, headers: dict[str, str] | None = None, **other: Any) -> Any:
    answer = client.post("/api/incidents", json=body(**other), headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def step(client: TestClient, incident_id: int, move: str, **other: Any) -> Any:
    return client.post(f"/api/incidents/{incident_id}/steps", json={"move": move, **other})


def picture(size: tuple[int, int] = (64, 48)) -> bytes:
    image = Image.new("RGB", size, "red")
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


def send_photo(
    client: TestClient, incident_id: int, raw: bytes, media: str = "image/jpeg", **headers: str
) -> Any:
    return client.post(
        f"/api/incidents/{incident_id}/photos",
        content=raw,
        headers={"Content-Type": media, **headers},
    )


def test_a_life_from_report_to_close_with_a_return_and_a_photo(client: TestClient) -> None:
    made = report(client, reporter_name="王小明", reporter_phone="13812345678", channel="page")
    number = made["incident_id"]
    assert (made["status"], made["version"], made["reporter_name"]) == ("reported", 1, "王**")
    for move, more in (("accept", {}), ("dispatch", {}), ("handle", {"note": "清走了"})):
        moved = step(client, number, move, **more).json()
    assert moved["status"] == "handled"
    assert "return" in {one["move"] for one in moved["allowed"]}
    assert step(client, number, "return", note="没有清完").json()["status"] == "returned"
    photo = send_photo(client, number, picture()).json()["photo"]
    handled = step(
        client, number, "handle", note="这次清完了", photos=[photo],
        where={"lon": LON, "lat": LAT},
    )  # fmt: skip
    assert handled.json()["version"] == 6
    for move in ("verify", "close"):
        assert step(client, number, move).status_code == 200
    found = client.get(f"/api/incidents/{number}").json()
    assert [one["to_state"] for one in found["steps"]] == [
        "reported", "accepted", "dispatched", "handled", "returned", "handled", "verified", "closed"
    ]  # fmt: skip
    kept = found["steps"][5]
    assert (kept["photos"], kept["lon"], kept["lat"]) == ([photo], LON, LAT)
    assert (found["returns"], found["due_on"]) == (1, None)
    assert found["closed_at"]


def test_what_is_not_allowed_is_a_conflict_that_names_what_is(client: TestClient) -> None:
    number = report(client)["incident_id"]
    refused = step(client, number, "verify")
    assert (refused.status_code, refused.headers["content-type"]) == (409, PROBLEM)
    told = refused.json()
    assert told["allowed"] == ["accept", "pass_up", "close_on_spot", "close_as_duplicate", "note"]
    assert (told["state"], told["version"]) == ("reported", 1)
    assert "受理" in told["detail"]
    step(client, number, "accept")
    late = step(client, number, "accept", version=1)
    assert (late.status_code, late.json()["state"], late.json()["version"]) == (409, "accepted", 2)


def test_the_same_request_sent_twice_makes_one_incident(client: TestClient) -> None:
    headers = {"Idempotency-Key": "4711"}
    first = client.post("/api/incidents", json=body(), headers=headers)
    again = client.post("/api/incidents", json=body(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["incident_id"] == again.json()["incident_id"]
    assert first.headers["location"] == again.headers["location"]
    other = client.post("/api/incidents", json=body(text="另一件"), headers=headers)
    assert other.status_code == 409


def test_coordinates_of_another_system_are_put_where_they_belong(client: TestClient) -> None:
    x, y = from_cgcs2000(parse_crs("gcj02"), [LON], [LAT])
    made = report(client, lon=float(x[0]), lat=float(y[0]), crs="gcj02")
    assert (made["lon"], made["lat"]) == (
        pytest.approx(LON, abs=1e-7),
        pytest.approx(LAT, abs=1e-7),
    )
    unknown = client.post("/api/incidents", json=body(crs="mars"))
    assert unknown.status_code == 422


def test_a_small_thing_is_closed_as_it_is_reported(client: TestClient) -> None:
    made = report(client, on_spot=True, note="当场清走")
    assert [one["move"] for one in made["steps"]] == ["report", "close_on_spot"]
    assert made["status"] == "closed"
    total = client.get("/api/incidents?limit=1").json()["total"]
    refused = client.post("/api/incidents", json=body(kind="fire", on_spot=True, note="x"))
    assert refused.status_code == 409
    assert client.get("/api/incidents?limit=1").json()["total"] == total, "half a report stayed"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "ufo"}, "kind"),
        ({"lon": LAT, "lat": LON}, "lat"),
        ({"lon": "east"}, "lon"),
        ({"colour": "red"}, "colour"),
        ({"reported_at": "2026-03-01T08:00:00"}, "reported_at"),
        ({"details": {"depth": "knee"}}, "attribute[depth]"),
    ],
)
def test_a_bad_report_names_the_field(
    client: TestClient, wrong: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/incidents", json=body(**wrong))
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["field"] == field


def test_roles_do_what_is_theirs(client: TestClient, as_actor: As) -> None:
    officer = as_actor("grid_officer")
    number = report(client, officer)["incident_id"]
    allowed = client.get(f"/api/incidents/{number}/allowed", headers=officer).json()["allowed"]
    assert [one["move"] for one in allowed] == ["close_on_spot", "note"]
    lon, lat = middle("g11")
    far = client.post("/api/incidents", json=body(lon=lon, lat=lat), headers=officer)
    assert far.status_code == 403
    other = report(client, lon=lon, lat=lat)["incident_id"]
    for path in (f"/api/incidents/{other}", f"/api/incidents/{other}/allowed"):
        assert client.get(path, headers=officer).status_code == 404
        assert client.get(path, headers=as_actor("visitor")).status_code == 404
    for role in ("visitor", "analyst"):
        refused = client.post("/api/incidents", json=body(), headers=as_actor(role))
        assert refused.status_code == 403
    only = client.post(
        f"/api/incidents/{number}/steps", json={"move": "note", "note": "x"},
        headers=as_actor("analyst"),
    )  # fmt: skip
    assert (only.status_code, only.json()["allowed"]) == (409, [])


def test_who_reported_is_asked_for_with_a_reason(client: TestClient, as_actor: As) -> None:
    number = report(client, reporter_name="王小明", reporter_phone="13812345678")["incident_id"]
    path = f"/api/incidents/{number}/reporter"
    told = client.post(path, json={"reason": "call_back"})
    assert told.json() == {"name": "王小明", "phone": "13812345678", "email": ""}
    assert client.post(path, json={"reason": "nosy"}).status_code == 422
    refused = client.post(path, json={"reason": "visit"}, headers=as_actor("analyst"))
    assert refused.status_code == 403


# --- lists ---------------------------------------------------------------------------------------


def listed(client: TestClient, query: str, **headers: str) -> list[Any]:
    answer = client.get(f"/api/incidents?limit=500&{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def test_overdue_incidents_come_by_their_last_day(client: TestClient) -> None:
    """The county has an incident dispatched a hundred days ago, and one of five hundred."""
    found = listed(client, "due=overdue")
    days = [one["due_on"] for one in found]
    assert days == sorted(days)
    assert len(found) >= 2
    assert all(one["overdue"] for one in found)
    assert not [one for one in listed(client, "due=soon") if one["overdue"]]
    assert {one["status"] for one in listed(client, "due=pass_up")} <= {"reported", "accepted"}


def test_a_list_is_of_a_grid_of_any_level(client: TestClient, small_county: SmallCounty) -> None:
    town = small_county.grid_ids["town"]
    middle_one = small_county.grid_ids["m0"]
    everything = {one["incident_id"] for one in listed(client, f"grid_id={town}")}
    row = {one["incident_id"] for one in listed(client, f"grid_id={middle_one}")}
    assert row < everything


def test_the_board_shows_what_it_needs(client: TestClient) -> None:
    made = report(client, address="东街12号")
    (found,) = [one for one in listed(client, "status=open&q=东街12") if
                one["incident_id"] == made["incident_id"]]  # fmt: skip
    assert found["due_on"] >= made["reported_at"][:10]
    assert (found["tier"], found["version"], found["flagged"]) == ("village", 1, False)
    assert "reporter_name" not in found


def test_kinds_and_likely_duplicates_are_offered(client: TestClient) -> None:
    kinds = client.get("/api/incidents/kinds").json()
    assert [one["kind"] for one in kinds] == list(rule_book().kinds)
    made = report(client, kind="lost_person")
    query = f"kind=lost_person&lon={LON + 0.0005}&lat={LAT}"
    (likely,) = client.get(f"/api/incidents/duplicates?{query}").json()
    assert likely["incident"]["incident_id"] == made["incident_id"]
    assert 40 < likely["distance_m"] < 60
    path = f"/api/incidents/duplicates?{query}&besides={made['incident_id']}"
    assert client.get(path).json() == []


def test_a_list_goes_in_but_for_what_is_wrong_with_it(client: TestClient, as_actor: As) -> None:
    items = [body(key="n1"), body(kind="ufo"), body(crs="mars"), body(key="n2"), body(key="n1")]
    answer = client.post("/api/incidents/import", json={"items": items})
    told = answer.json()
    assert (len(told["new"]), told["known"]) == (2, 0)
    assert [one["row"] for one in told["refused"]] == [2, 3, 5]
    assert told["refused"][0]["field"] == "kind"
    again = client.post("/api/incidents/import", json={"items": items}).json()
    assert (again["new"], again["known"]) == ([], 3)
    bodies: list[Any] = [{"items": []}, {"items": [{"kind": "noise"}]}, [], {"list": items}]
    for wrong in bodies:
        bad = client.post("/api/incidents/import", json=wrong)
        assert (bad.status_code, bad.headers["content-type"]) == (422, PROBLEM)
    large = client.post("/api/incidents/import", content=b" " * (LIST_BYTES + 1))
    assert (large.status_code, large.headers["content-type"]) == (413, PROBLEM)
    refused = client.post(
        "/api/incidents/import", json={"items": items[:1]}, headers=as_actor("grid_officer")
    )
    assert refused.status_code == 403


# --- photos --------------------------------------------------------------------------------------


def test_a_photo_is_served_to_those_who_see_the_incident(
    client: TestClient, as_actor: As, data_dir: Path
) -> None:
    lon, lat = middle("g11")
    number = report(client, lon=lon, lat=lat)["incident_id"]
    answer = send_photo(client, number, picture((4000, 3000)))
    assert answer.status_code == 201
    assert (answer.json()["width"], answer.json()["height"]) == (2048, 1536)
    photo = answer.json()["photo"]
    path = f"/api/incidents/{number}/photos/{photo}"
    served = client.get(path)
    assert served.headers["content-type"] == "image/jpeg"
    assert b"SecretCamera" not in served.content
    assert client.get(f"{path}.jpg").content == served.content
    for role in ("grid_officer", "visitor"):
        assert client.get(path, headers=as_actor(role)).status_code == 404
    other = report(client)["incident_id"]
    assert client.get(f"/api/incidents/{other}/photos/{photo}").status_code == 404
    assert step(client, other, "note", photos=[photo]).status_code == 422
    assert [file.stem for file in (data_dir / "photos").rglob("*.jpg")] == [photo]


def test_a_photo_that_cannot_be_taken_is_refused(
    client: TestClient, as_actor: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = report(client)["incident_id"]
    assert send_photo(client, number, b"<svg/>").status_code == 422
    assert send_photo(client, number, picture(), "image/svg+xml").status_code == 422
    assert send_photo(client, 999_999, picture()).status_code == 404
    visitor = as_actor("visitor")
    assert send_photo(client, number, picture(), **visitor).status_code == 404
    analyst = as_actor("analyst")
    assert send_photo(client, number, picture(), **analyst).status_code == 409
    small = rule_book().photos.most_bytes.model_copy(update={"value": 100})
    photos = rule_book().photos.model_copy(update={"most_bytes": small})
    book = rule_book().model_copy(update={"photos": photos})
    monkeypatch.setattr("gis_service.api.body_limit.rule_book", lambda: book)
    large = send_photo(client, number, picture())
    assert (large.status_code, large.headers["content-type"]) == (413, PROBLEM)


@pytest.mark.parametrize("name", ["..%2f..%2fsecret", "0" * 64, "a" * 63 + "%01", "x"])
def test_no_other_file_is_served(client: TestClient, name: str) -> None:
    number = report(client)["incident_id"]
    assert client.get(f"/api/incidents/{number}/photos/{name}").status_code == 404


# --- the calendar --------------------------------------------------------------------------------


def test_the_county_office_edits_the_working_days(client: TestClient, as_actor: As) -> None:
    path = "/api/working-days/2027-01-01"
    own = {"is_working": False, "reason": "元旦"}
    assert client.put(path, json=own, headers=as_actor("analyst")).status_code == 403
    (day,) = client.put(path, json=own).json()
    assert day == {"day": "2027-01-01", "is_working": False, "source": "county", "reason": "元旦"}
    days = client.get("/api/working-days?from=2026-12-31&to=2027-01-02").json()
    assert [one["source"] for one in days] == ["published", "county", "weekdays"]
    (day,) = client.delete(path).json()
    assert (day["is_working"], day["source"]) == (True, "weekdays")
    assert client.delete(path).status_code == 404
    told = client.put("/api/working-years/2027", json={"complete": True}).json()
    assert told == {"year": 2027, "complete": True}
    (day,) = client.get("/api/working-days?from=2027-01-04&to=2027-01-04").json()
    assert day["source"] == "published"
    client.put("/api/working-years/2027", json={"complete": False})
    assert client.get("/api/working-days?from=2026-01-01&to=2028-01-01").status_code == 422
