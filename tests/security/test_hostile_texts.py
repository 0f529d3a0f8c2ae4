r"""Texts that mean something to HTML, to a spreadsheet or to SQL are only texts, wherever they go.

Everything is asked twice: of the database as it is, and of the same database with
``standard_conforming_strings`` off, where a backslash begins an escape in every literal.
"""

import uuid
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient, middle
from tests.security.doors import app_without_data, fill

TEXTS: Final = (
    "=1+1", "@SUM(A1)", "+1+1", "-cmd|' /C calc'!A0", "\t=1", "\r=1",
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\"'><b>粗</b>&amp;",
    "'; DROP TABLE household; --", "\\'; DELETE FROM household; --", "\\", "a\\'b", "'", "''", "%s",
    "%(a)s", ":a", "{0}", "{{7*7}}", "${7*7}", "\\x00", "\\u0041", "$$", "E'\\n'", "/* */", "_%\\",
    "a\u202eb", "\u200f", "𠮷", "x\ny",
)  # fmt: skip
LON, LAT = middle("g00")
DOCUMENT = app_without_data().openapi()


@pytest.fixture(scope="module")
def escaping(store: Store, small_county: SmallCounty) -> Iterator[TestClient]:
    """The same database, seen by connections that take a backslash for an escape."""
    options = {"options": "-c standard_conforming_strings=off -c escape_string_warning=off"}
    other = Store(store.url.update_query_dict(options))
    with other.transaction(SYSTEM) as connection:
        assert connection.scalar(sa.text("SHOW standard_conforming_strings")) == "off"
    app = create_app(other, loopback_only=True)
    with TestClient(
        app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 50000)
    ) as client:
        yield client
    other.close()


@pytest.fixture(params=["standard", "escaping"])
def either(request: pytest.FixtureRequest, client: TestClient, escaping: TestClient) -> TestClient:
    return client if request.param == "standard" else escaping


def send(client: TestClient, method: str, path: str, body: Any, **headers: str) -> Any:
    headers = {"Idempotency-Key": uuid.uuid4().hex, **headers}
    return client.request(method, path, json=body, headers=headers)


def count(store: Store) -> int:
    with store.transaction(SYSTEM) as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(t.household)) or 0)


# --- in and out again -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_comes_back_as_it_was_sent(either: TestClient, text: str) -> None:
    report = {"kind": "dispute", "lon": LON, "lat": LAT, "text": text, "address": text}
    made = send(either, "POST", "/api/incidents", {**report, "reporter_name": text})
    assert made.status_code == 201, made.text
    path = f"/api/incidents/{made.json()['incident_id']}"
    again = either.get(path).json()
    assert {again["text"], again["address"]} <= {text, text.strip()}
    plan = {"scheme": "base", "title": f"x{text}", "reason": text}
    made = send(either, "POST", "/api/plans", plan)
    assert made.status_code == 201, made.text
    path = f"/api/plans/{made.json()['plan_id']}"
    assert send(either, "POST", f"{path}/comments", {"text": f"x{text}"}).status_code == 200
    again = either.get(path).json()
    assert again["title"] == f"x{text}".strip()
    assert f"x{text}".strip() in [one["text"] for one in again["comments"]]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_record_by_hand_holds_what_was_written(either: TestClient, text: str) -> None:
    values = {
        "street": text, "house_number": text, "head_name": text, "people": 1,
        "point": {"lon": LON, "lat": LAT, "crs": "cgcs2000"},
    }  # fmt: skip
    made = send(either, "POST", "/api/entry/household", {"values": values})
    if made.status_code == 422:  # a line cannot hold what breaks it
        assert made.json()["field"].rpartition(".")[2] in values
        assert text != text.strip() or not text.isprintable()
        return
    assert made.status_code == 201, made.text
    record = made.json()["record"]
    shown = send(either, "POST", f"/api/entry/household/{record['id']}/reveal", {"reason": "visit"})
    assert shown.json()["values"]["street"] == text.strip()
    assert shown.json()["values"]["head_name"] == text.strip()
    found = either.get("/api/entry/household", params={"q": text, "limit": 50})
    assert found.status_code in {200, 422}


def text_queries() -> Iterator[tuple[str, str]]:
    """Every query and path parameter that takes a text, by GET."""
    for path, methods in DOCUMENT["paths"].items():
        for one in methods.get("get", {}).get("parameters", ()):
            schema = one["schema"]
            kinds = {
                schema.get("type"),
                *(any_of.get("type") for any_of in schema.get("anyOf", ())),
            }
            if "string" in kinds and one["name"] != "lang":
                yield path, one["name"]


@pytest.mark.parametrize(("path", "name"), list(text_queries()))
def test_no_question_is_understood_as_sql(
    client: TestClient, escaping: TestClient, store: Store, path: str, name: str
) -> None:
    before = count(store)
    needed = {"lon": LON, "lat": LAT, "kind": "dispute", "rank": 3, "standard": "service-15"}
    parameters = DOCUMENT["paths"][path]["get"].get("parameters", ())
    common = {
        one["name"]: needed[one["name"]]
        for one in parameters
        if one["in"] == "query" and one.get("required") and one["name"] in needed
    }
    for text in TEXTS:
        if f"{{{name}}}" in path:
            address, query = fill(path, {name: quote(text, safe="")}), common
        else:
            address, query = fill(path, {}), {**common, name: text}
        answers = [one.get(address, params=query) for one in (client, escaping)]
        assert answers[0].status_code == answers[1].status_code < 500, (text, answers[1].text)
        if "json" in answers[0].headers.get("content-type", ""):
            assert answers[0].json() == answers[1].json(), text
    assert count(store) == before
