"""Requests that a page of somebody else's makes a browser send: refused at every door."""

from itertools import product

import pytest

from tests.api.conftest import TestClient
from tests.security.doors import SAFE, Door, list_doors

DOORS = list_doors()
DATA = [door for door in DOORS if door.path.startswith("/api")]
CHANGES = [door for door in DOORS if door.method not in SAFE]
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},  # another port, or another name of this domain
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:8001"},
    {"Origin": "https://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:8000.evil.example"},
]
STRANGE_HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example:8000",
    "",
    "[::1",
    "localhost@evil.example",
]
SPOOFS = [
    {"X-Forwarded-Host": "127.0.0.1:8000"},
    {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=127.0.0.1;host=127.0.0.1:8000;proto=http"},
    {"X-Original-URL": "/health"},
    {"X-HTTP-Method-Override": "GET"},
]


def test_all_doors_are_there() -> None:
    assert len(DATA) > 100
    assert {"/", "/sign-in", "/trust", "/health", "/api/live", "/vendor/{name}"} <= {
        door.path for door in DOORS
    }


@pytest.mark.parametrize("door", DATA, ids=lambda door: door.name)
def test_no_foreign_page_asks_for_data(client: TestClient, door: Door) -> None:
    for headers in FOREIGN:
        answer = client.request(door.method, door.address, headers=headers)
        assert answer.status_code == 403, headers
        assert answer.headers["content-type"] == "application/problem+json"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("door", CHANGES, ids=lambda door: door.name)
def test_no_foreign_page_changes_anything_whatever_it_says_of_itself(
    client: TestClient, door: Door
) -> None:
    for headers, spoof in product(FOREIGN, SPOOFS):
        answer = client.request(door.method, door.address, headers={**headers, **spoof})
        assert answer.status_code == 403, (headers, spoof)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_no_door_answers_under_a_strange_name(client: TestClient, door: Door) -> None:
    for host, spoof in product(STRANGE_HOSTS, [{}, *SPOOFS]):
        answer = client.request(door.method, door.address, headers={"Host": host, **spoof})
        assert answer.status_code == 421, (host, spoof)


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site"])
def test_a_header_that_decides_is_told_once(client: TestClient, name: str) -> None:
    ours = {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "none"}
    headers = [*ours.items(), (name, "evil.example")]
    assert client.get("/api/actors", headers=headers).status_code == 400


def test_pages_may_be_linked_to(client: TestClient) -> None:
    navigation = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for path in ("/", "/sign-in"):
        assert client.get(path, headers=navigation).status_code == 200


def test_a_typed_address_is_nobody_elses(client: TestClient) -> None:
    typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/api/schemes", headers=typed).status_code == 200


def test_other_systems_read_open311_without_a_browser(client: TestClient) -> None:
    assert client.get("/open311/discovery.json").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/trust", "/health", "/api/schemes", "/static/js/main.js", "/none"]
)
def test_every_answer_keeps_others_out(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    if headers["content-type"].startswith("text/html") or path.startswith("/api"):
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] in {"no-store", "private, no-cache"}, path
