"""What no honest client sends: bytes that are no text, JSON without end, numbers that fit nowhere,
and paths that lead out of a folder. Every door refuses it in our form, and none breaks.
"""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from gis_service.settings import ROOT, service_folder
from tests.api.conftest import TestClient
from tests.security.doors import SAFE, SAMPLES, Door, app_without_data, fill, list_doors

DOCUMENT = app_without_data().openapi()
DOORS = [door for door in list_doors() if "live" not in door.path]
CHANGES = [door for door in DOORS if door.method not in SAFE and door.path.startswith("/api")]
PARTS = [
    (door, name)
    for door in DOORS
    if door.method == "GET"
    for name in (
        *SAMPLES,
        "grid_id",
        "record_id",
        "incident_id",
        "job_id",
        "run_id",
        "plan_id",
        "z",
    )
    if f"{{{name}}}" in door.path
]
DEEP = 100_000
BODIES = {
    "NUL": b'{"%b": "a\\u0000b"}',
    "raw NUL": b'{"%b": "a\0b"}',
    "half a pair": b'{"%b": "\\ud800"}',
    "turned pair": b'{"%b": "\\udc00\\ud800"}',
    "no UTF-8": b'{"%b": "\xff\xfe"}',
    "long form": b'{"%b": "\xc0\xaf"}',
    "deep lists": b'{"%b": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"%b": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "deep and open": b"[" * DEEP,
    "not a number": b'{"%b": NaN}',
    "no end": b'{"%b": Infinity}',
    "too large a float": b'{"%b": 1e999}',
    "too large a number": b'{"%b": 1' + b"0" * 400 + b"}",
    "100,000 digits": b'{"%b": ' + b"9" * 100_000 + b"}",
    "beyond 64 bits": b'{"%b": 9223372036854775808}',
    "a number": b"7",
    "null": b"null",
    "a list": b"[]",
    "nothing": b"",
    "half": b'{"%b": ',
    "UTF-16": '{"%b": 1}'.encode("utf-16"),
}
WAYS_OUT = (
    "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cetc%5cpasswd",
    "%252e%252e%252fetc%252fpasswd", "%2fetc%2fpasswd", "....%2f%2f....%2f%2fetc%2fpasswd",
    "a%00.json", "%ff", "%c0%ae%c0%ae%2f", "~root", "C:%5cwindows", "%0d%0aSet-Cookie:%20a=b",
    "-1", "1e3", "0x10", "１２", "9" * 30, "a" * 3000,
)  # fmt: skip


def first_member(door: Door) -> str:
    """The name of a member that the body of a door has."""
    operation = DOCUMENT["paths"].get(door.path, {}).get(door.method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return "a"
    schema = content["schema"]
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return next(iter(schema.get("required") or schema["properties"]), "a")


def check_refusal(answer: Any) -> None:
    assert 400 <= answer.status_code < 500, answer.text[:500]
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert len(answer.content) < 8000
    assert "Traceback" not in answer.text
    assert "psycopg" not in answer.text


@pytest.mark.parametrize("door", CHANGES, ids=lambda door: door.name)
def test_no_body_breaks_a_door(client: TestClient, door: Door) -> None:
    takes_json = DOCUMENT["paths"].get(door.path, {}).get(door.method.lower(), {})
    takes_json = "application/json" in takes_json.get("requestBody", {}).get("content", {})
    for name, template in BODIES.items():
        body = template.replace(b"%b", first_member(door).encode())
        answer = client.request(
            door.method,
            fill(door.path, {}),
            content=body,
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": uuid.uuid4().hex,
                "If-Match": '"1"',
            },
        )
        assert answer.status_code < 500, (name, answer.text[:300])
        if takes_json and body:
            check_refusal(answer)


@pytest.mark.parametrize(("door", "name"), PARTS, ids=lambda one: getattr(one, "name", one))
def test_no_part_of_a_path_leads_out_or_breaks(client: TestClient, door: Door, name: str) -> None:
    for way in WAYS_OUT:
        answer = client.get(fill(door.path, {name: way}))
        assert answer.status_code < 500, (way, answer.text[:300])
        assert "root:" not in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "folder", ["/static/js/", "/static/css/", "/static/messages/", "/vendor/",
               "/api/examples/"]
)  # fmt: skip
def test_no_file_is_served_from_outside_its_folder(client: TestClient, folder: str) -> None:
    outside = (
        "package.json",
        "pyproject.toml",
        "templates/map.html",
        "node_modules/leaflet/LICENSE",
    )
    for steps in ("../", "../../", "../../../", "..%2f", "..%2f..%2f", "%2e%2e/", "//", "./../"):
        for name in (*outside, "etc/passwd"):
            answer = client.get(f"{folder}{steps}{name}")
            assert answer.status_code in {400, 404, 405}, (folder, steps, name)


@pytest.mark.parametrize(
    "name", ["/etc/cron.d/x.csv", "../../x.csv", "..\\..\\x.csv", "a/b/../../../x.csv", ".csv",
             "~/x.csv", "x\r\nSet-Cookie: a=b.csv", "\u202ex.csv", "a" * 300 + ".csv", "con.csv"]
)  # fmt: skip
def test_an_upload_lies_where_uploads_lie(client: TestClient, name: str) -> None:
    folder = service_folder("uploads")
    before = set(ROOT.parent.glob("*.csv"))
    sent = client.post("/api/imports/uploads", files={"file": (name, b"a,b\n1,2\n")})
    assert sent.status_code in {201, 422}, sent.text
    assert set(ROOT.parent.glob("*.csv")) == before
    if sent.status_code == 201:
        kept = sent.json()
        assert not set(kept["name"]) & set("/\\\r\n\0")
        files = [file for file in folder.rglob("*") if kept["token"] in file.as_posix()]
        assert files
        assert all(file.resolve().is_relative_to(folder.resolve()) for file in files)
    assert not Path("/etc/cron.d/x.csv").exists()


def test_a_header_cannot_be_split(client: TestClient) -> None:
    for path in ("/?lang=en%0d%0aSet-Cookie:%20a=b", "/api/search?q=%0d%0aa:%20b"):
        answer = client.get(path)
        assert "set-cookie" not in answer.headers
        assert answer.status_code < 500


def test_json_twice_the_same_member_is_one(client: TestClient) -> None:
    body = json.dumps({"actor_id": 1})[:-1] + ', "actor_id": 999999}'
    answer = client.post(
        "/api/actors/current", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 404  # the last one counts, as everywhere
