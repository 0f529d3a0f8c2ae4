"""Open311 GeoReport v2, field by field as the specification has it, in JSON and XML."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from defusedxml import ElementTree
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.incidents.open311 import as_xml
from gis_service.incidents.rules import rule_book
from gis_service.settings import incident_settings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.people import add_key

KEY = "hotline-12345"
OFFICERS_KEY = "g00-only"
SERVICE = {
    "service_code", "service_name", "description", "metadata", "type", "keywords", "group"
}  # fmt: skip
REQUEST = [
    "service_request_id", "status", "status_notes", "service_name", "service_code", "description",
    "agency_responsible", "service_notice", "requested_datetime", "updated_datetime",
    "expected_datetime", "address", "address_id", "zipcode", "lat", "long", "media_url",
]  # fmt: skip
LON, LAT = middle("g00")


@pytest.fixture(scope="module", autouse=True)
def keys(store: Store, small_county: SmallCounty) -> None:
    add_key(store, KEY, "county_office")
    add_key(store, OFFICERS_KEY, "grid_officer", (small_county.grid_ids["g00"],))


def form(**fields: object) -> dict[str, Any]:
    """A request with a key and a place unless it says otherwise."""
    given = {
        "api_key": KEY, "service_code": "rubbish", "lat": LAT, "long": LON, **fields
    }  # fmt: skip
    return {
        "content": urlencode({k: v for k, v in given.items() if v is not None}),
        "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    }


def made(client: TestClient, **fields: object) -> str:
    answer = client.post("/open311/v2/requests.json", **form(**fields))
    assert answer.status_code == 201, answer.text
    number: str = answer.json()[0]["service_request_id"]
    return number


def ask(client: TestClient, path: str, **query: str) -> Any:
    answer = client.get(f"/open311/v2/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- services ------------------------------------------------------------------------------------


def test_services_have_the_fields_of_the_specification(client: TestClient) -> None:
    listed = ask(client, "services.json")
    assert [one["service_code"] for one in listed] == list(rule_book().kinds)
    assert all(set(one) == SERVICE for one in listed)
    assert {one["type"] for one in listed} == {"realtime"}
    assert {one["service_code"] for one in listed if one["metadata"]} == {"flood"}


def test_xml_says_what_json_says(client: TestClient) -> None:
    answer = client.get("/open311/v2/services.xml")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.text.startswith('<?xml version="1.0" encoding="utf-8"?>')
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, {child.tag for child in root}) == ("services", {"service"})
    as_json = ask(client, "services.json")
    for element, one in zip(root, as_json, strict=True):
        said = {child.tag: child.text or "" for child in element}
        assert said == {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in one.items()
        }


def test_names_come_in_the_language_of_the_reader(client: TestClient) -> None:
    names = {
        language: ask(client, "services.json", lang=language)[1]["service_name"]
        for language in ("zh-CN", "en")
    }
    assert names == {"zh-CN": "垃圾堆放", "en": "Rubbish"}


def test_a_definition_tells_the_questions(client: TestClient) -> None:
    told = ask(client, "services/flood.json")
    assert told["service_code"] == "flood"
    (question,) = told["attributes"]
    assert question["datatype"] == "singlevaluelist"
    assert question["order"] == 1
    assert {"key": "knee", "name": "到膝盖"} in question["values"]
    root = ElementTree.fromstring(client.get("/open311/v2/services/flood.xml").content)
    assert root.tag == "service_definition"
    assert root.findtext("attributes/attribute/variable") == "true"
    keys = [one.text for one in root.findall("attributes/attribute/values/value/key")]
    assert keys == ["ankle", "knee", "above"]


def test_discovery_names_the_endpoint_in_both_formats(client: TestClient) -> None:
    (endpoint,) = client.get("/open311/discovery.json").json()["endpoints"]
    assert endpoint["url"] == "http://127.0.0.1:8000/open311/v2"
    root = ElementTree.fromstring(client.get("/open311/discovery.xml").content)
    specification = root.findtext("endpoints/endpoint/specification")
    assert specification == "http://wiki.open311.org/GeoReport_v2"


# --- a request -----------------------------------------------------------------------------------


def test_a_request_becomes_an_incident_in_its_grid(
    client: TestClient, small_county: SmallCounty
) -> None:
    number = made(
        client, description="桶满了\n两天", address_string="东街12号", first_name="小明",
        last_name="王", phone="13812345678", email="a@b.cn", media_url="https://a.cn/1.jpg",
    )  # fmt: skip
    incident = client.get(f"/api/incidents/{number}").json()
    assert incident["base_grid_id"] == small_county.grid_ids["g00"]
    assert (incident["channel"], incident["status"]) == ("open311", "reported")
    assert (incident["text"], incident["address"]) == ("桶满了\n两天", "东街12号")
    assert incident["reporter_name"] == "王**"
    (told,) = ask(client, f"requests/{number}.json", api_key=KEY)
    assert list(told) == REQUEST
    assert told["status"] == "open"
    assert (told["lat"], told["long"]) == (LAT, LON)
    assert told["media_url"] == "https://a.cn/1.jpg"
    assert datetime.fromisoformat(told["requested_datetime"]).tzinfo is not None
    assert datetime.fromisoformat(told["expected_datetime"]) > datetime.now(UTC)


def test_the_answer_to_a_request_is_that_of_the_specification(client: TestClient) -> None:
    answer = client.post("/open311/v2/requests.xml", **form())
    assert answer.status_code == 201
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, [one.tag for one in root]) == ("service_requests", ["request"])
    fields = ["service_request_id", "service_notice", "account_id"]
    assert [one.tag for one in root[0]] == fields


def test_who_reported_is_never_told(client: TestClient) -> None:
    made(client, first_name="Ann", last_name="Lee", phone="13800001111", email="ann@lee.cn")
    for form_of in ("json", "xml"):
        said = client.get(f"/open311/v2/requests.{form_of}", params={"api_key": KEY}).text
        assert not [word for word in ("Ann", "Lee", "13800001111", "ann@lee.cn") if word in said]


def test_answers_to_questions_are_kept(client: TestClient) -> None:
    number = made(client, service_code="flood", **{"attribute[depth]": "knee"})
    assert client.get(f"/api/incidents/{number}").json()["details"] == {"depth": "knee"}


def test_an_address_alone_gives_a_token_until_somebody_has_placed_it(client: TestClient) -> None:
    answer = client.post(
        "/open311/v2/requests.json", **form(lat=None, long=None, address_string="小学门口")
    )
    (told,) = answer.json()
    assert "service_request_id" not in told
    token = told["token"]
    waits = ask(client, f"tokens/{token}.json")
    assert waits == [{"service_request_id": None, "token": token}]
    (waiting,) = [one for one in client.get("/api/incidents/waiting").json()
                  if one["token"] == token]  # fmt: skip
    assert waiting["address"] == "小学门口"
    placed = client.post(f"/api/incidents/waiting/{token}", json={"lon": LON, "lat": LAT})
    number = str(placed.json()["incident_id"])
    again = client.post(f"/api/incidents/waiting/{token}", json={"lon": LON, "lat": LAT})
    assert str(again.json()["incident_id"]) == number
    assert ask(client, f"tokens/{token}.json") == [{"service_request_id": number, "token": token}]
    root = ElementTree.fromstring(client.get(f"/open311/v2/tokens/{token}.xml").content)
    assert root.findtext("request/service_request_id") == number


def test_an_address_id_is_a_building(client: TestClient) -> None:
    number = made(client, lat=None, long=None, address_id="house")
    incident = client.get(f"/api/incidents/{number}").json()
    assert (incident["lon"], incident["lat"]) == (LON, LAT)


# --- lists ---------------------------------------------------------------------------------------


def test_a_list_holds_the_last_ninety_days_newest_first(client: TestClient) -> None:
    """The county has one of a hundred days ago and one of five hundred."""
    listed = ask(client, "requests.json", api_key=KEY)
    moments = [datetime.fromisoformat(one["requested_datetime"]) for one in listed]
    assert moments == sorted(moments, reverse=True)
    assert min(moments) > datetime.now(UTC) - timedelta(days=91)


def test_a_list_is_narrowed_by_code_status_and_time(client: TestClient) -> None:
    made(client, service_code="noise")
    noises = ask(client, "requests.json", api_key=KEY, service_code="noise,fire")
    assert {one["service_code"] for one in noises} == {"noise"}
    closed = ask(client, "requests.json", api_key=KEY, status="closed")
    assert [one["status"] for one in closed] == ["closed"]
    assert closed[0]["expected_datetime"] is None
    old = (datetime.now(UTC) - timedelta(days=101)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = ask(client, "requests.json", api_key=KEY, start_date=old, service_code="dispute")
    assert [one["status_notes"] for one in found] == ["已派单"]  # from then on, ninety days
    assert len(ask(client, "requests.json", api_key=KEY, end_date=old)) == 0


def test_ids_override_everything_else(client: TestClient) -> None:
    one, two = made(client), made(client, service_code="noise")
    found = ask(
        client, "requests.json", api_key=KEY, status="closed",
        service_request_id=f"{one}, {two},none",
    )  # fmt: skip
    assert {row["service_request_id"] for row in found} == {one, two}


def test_a_list_ends_at_a_thousand(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gis_service.incidents.open311.MOST_REQUESTS", 2)
    assert len(ask(client, "requests.json", api_key=KEY)) == 2


# --- who may ask ---------------------------------------------------------------------------------


def test_anyone_reads_the_state_of_what_came_by_open311_and_no_more(client: TestClient) -> None:
    number = made(client, description="楼下垃圾", address_string="东街12号")
    listed = ask(client, "requests.json")
    assert {one["service_code"] for one in listed} <= {"rubbish", "noise", "flood"}
    (told,) = ask(client, f"requests/{number}.json")
    hidden = ("description", "address", "lat", "long", "media_url")
    assert {told[name] for name in hidden} == {None}
    assert told["status_notes"] == "已上报"


@pytest.mark.parametrize(("public", "status"), [("none", 404), ("full", 200)])
def test_a_county_says_how_much_anyone_may_read(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, public: str, status: int
) -> None:
    number = made(client, description="楼下垃圾")
    monkeypatch.setattr(incident_settings(), "open311_public", public)
    answer = client.get(f"/open311/v2/requests/{number}.json")
    assert answer.status_code == status
    assert ("楼下垃圾" in answer.text) == (public == "full")


def test_a_key_sees_the_areas_of_its_actor(client: TestClient) -> None:
    lon, lat = middle("g11")
    number = made(client, lat=lat, long=lon)
    path = f"/open311/v2/requests/{number}.json"
    assert client.get(path, params={"api_key": KEY}).status_code == 200
    assert client.get(path, params={"api_key": OFFICERS_KEY}).status_code == 404


def test_reporting_without_a_key_is_a_setting(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_settings(), "open311_key_required", False)
    number = made(client, api_key=None)
    with store.transaction(SYSTEM) as connection:
        step = connection.execute(
            sa.select(t.incident_step).where(t.incident_step.c.incident_id == int(number))
        ).one()
    assert (step.actor_id, step.actor_role, step.move) == (0, "visitor", "report")


# --- errors --------------------------------------------------------------------------------------


@pytest.fixture(params=["json", "xml"])
def format_of(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"api_key": None}, 403),
        ({"api_key": "wrong"}, 403),
        ({"service_code": None}, 400),
        ({"service_code": "unknown"}, 404),
        ({"lat": None}, 400),
        ({"lat": None, "long": None}, 400),
        ({"lat": "north"}, 400),
        ({"lat": "nan"}, 400),
        ({"lat": LON, "long": LAT}, 400),
        ({"lat": None, "long": None, "address_id": "nowhere"}, 400),
        ({"description": "长" * 4001}, 400),
        ({"description": "长" * 30_000}, 400),
        ({"description": "a\x00b"}, 400),
        ({"media_url": "file:///etc/passwd"}, 400),
        ({"service_code": "flood", "attribute[depth]": "sea"}, 400),
        ({"attribute[colour]": "red"}, 400),
    ],
)
def test_a_bad_request_is_told_as_the_specification_says(
    client: TestClient, format_of: str, fields: dict[str, Any], status: int
) -> None:
    answer = client.post(f"/open311/v2/requests.{format_of}", **form(**fields))
    assert answer.status_code == status
    if format_of == "json":
        (error,) = answer.json()
        assert (set(error), error["code"]) == ({"code", "description"}, status)
    else:
        root = ElementTree.fromstring(answer.content)
        assert (root.tag, root[0].tag) == ("errors", "error")
        assert root.findtext("error/code") == str(status)
        assert root.findtext("error/description")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("services/unknown.json", 404),
        ("requests/999999.json", 404),
        ("requests/none.json", 404),
        ("requests/" + "9" * 30 + ".json", 404),
        ("tokens/none.json", 404),
        ("services.csv", 404),
        ("nothing", 404),
        ("requests.json?status=lost", 400),
        ("requests.json?start_date=2026-01-01", 400),
        ("requests.json?start_date=today", 400),
        ("requests.json?start_date=2026-01-01T00:00:00Z&end_date=2026-06-01T00:00:00Z", 400),
        ("requests.json?start_date=2026-02-01T00:00:00Z&end_date=2026-01-01T00:00:00Z", 400),
        ("requests.json?api_key=wrong", 403),
    ],
)
def test_a_bad_question_is_told_too(client: TestClient, path: str, status: int) -> None:
    answer = client.get(f"/open311/v2/{path}")
    assert answer.status_code == status
    assert [error["code"] for error in answer.json()] == [status]


def test_another_jurisdiction_is_not_answered(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_settings(), "open311_jurisdiction", "county.gov.cn")
    path = "/open311/v2/services.json"
    assert client.get(path).status_code == 200
    assert client.get(path, params={"jurisdiction_id": "county.gov.cn"}).status_code == 200
    assert client.get(path, params={"jurisdiction_id": "city.gov"}).status_code == 404


def test_another_form_is_refused(client: TestClient) -> None:
    answer = client.post("/open311/v2/requests.json", json={"service_code": "noise"})
    assert answer.status_code == 400


def test_xml_holds_only_what_xml_can_hold() -> None:
    said = as_xml("errors", [{"code": 400, "description": "a<b>&\x07\ufffe"}])
    (error,) = ElementTree.fromstring(said.encode())
    assert error.findtext("description") == "a<b>&"
