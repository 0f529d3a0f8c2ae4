"""Bodies: bounded in size and time before the app is entered, and well formed wherever they go."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from gis_service.access import SYSTEM
from gis_service.api import body_limit
from gis_service.errors import TooLargeError
from gis_service.incidents.rules import rule_book
from gis_service.settings import ServerSettings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty

PROBLEM = "application/problem+json"
PIECE = b" " * 65_536
MB = 1024 * 1024


class Behind:
    """What lies behind the limit: remembers when it was entered, and reads what it is given."""

    def __init__(self) -> None:
        self.taken_before: int | None = None
        self.got = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.taken_before = scope["sender"].taken
        more = True
        while more:
            message = await receive()
            self.got += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


class Sender:
    """A client that sends pieces in chunks, then ends, breaks off or falls silent."""

    def __init__(self, pieces: Iterator[bytes], then: str = "end") -> None:
        self.pieces = pieces
        self.then = then
        self.taken = 0
        self.taken_at_answer: int | None = None
        self.answer: list[Message] = []

    async def receive(self) -> Message:
        piece = next(self.pieces, None)
        if piece is not None:
            self.taken += 1
            return {"type": "http.request", "body": piece, "more_body": True}
        if self.then == "silence":
            await asyncio.Event().wait()
        if self.then == "break":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if self.taken_at_answer is None:
            self.taken_at_answer = self.taken
        self.answer.append(message)

    @property
    def status(self) -> int:
        return int(self.answer[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.answer[0]["headers"])

    def scope(self, path: str, **headers: str) -> Scope:
        raw = {"transfer-encoding": "chunked", **headers}
        return {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in raw.items()],
            "sender": self,
        }

    def knock(self, behind: Behind, path: str = "/api/plans", **headers: str) -> None:
        app = body_limit.BodyLimit(behind)
        asyncio.run(app(self.scope(path, **headers), self.receive, self.send))


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "_LINGER_S", 0.0)


def test_a_small_body_is_read_before_the_app_is_entered() -> None:
    behind, sender = Behind(), Sender(iter([PIECE] * 15))
    sender.knock(behind)
    assert (behind.taken_before, behind.got, sender.status) == (15, PIECE * 15, 200)


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large() -> None:
    behind, sender = Behind(), Sender(iter([PIECE] * 1600))
    sender.knock(behind)
    assert (sender.status, behind.taken_before) == (413, None)
    assert sender.taken_at_answer == 17
    assert sender.headers[b"content-type"] == PROBLEM.encode()
    assert sender.headers[b"connection"] == b"close"


def test_a_stated_length_is_refused_unread() -> None:
    behind, sender = Behind(), Sender(iter([PIECE] * 1600))
    sender.knock(behind, content_length=str(MB + 1))
    assert (sender.status, sender.taken_at_answer, behind.taken_before) == (413, 0, None)


@pytest.mark.parametrize("path", ["/api/locate", "/api/incidents/import"])
def test_a_long_list_is_read_whole_before_the_app_is_entered(path: str) -> None:
    behind, sender = Behind(), Sender(iter([PIECE] * 40))
    sender.knock(behind, path)
    assert (behind.taken_before, behind.got, sender.status) == (40, PIECE * 40, 200)


def test_so_many_long_lists_are_in_memory_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "_LISTS_AT_ONCE", 1)
    monkeypatch.setattr(body_limit, "server_settings", lambda: ServerSettings(request_wait_s=0.001))
    entered, may_go = asyncio.Event(), asyncio.Event()

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await may_go.wait()
        await Behind()(scope, receive, send)

    async def both() -> tuple[int, int, int]:
        app = body_limit.BodyLimit(behind)
        senders = [Sender(iter([PIECE] * 20)) for _ in range(3)]
        first = asyncio.create_task(
            app(senders[0].scope("/api/locate"), senders[0].receive, senders[0].send)
        )
        await entered.wait()
        await app(senders[1].scope("/api/locate"), senders[1].receive, senders[1].send)
        may_go.set()
        await first
        await app(senders[2].scope("/api/locate"), senders[2].receive, senders[2].send)
        return senders[0].status, senders[1].status, senders[2].status

    assert asyncio.run(both()) == (200, 503, 200)


@pytest.mark.parametrize("path", ["/api/imports/uploads", "/api/assign", "/api/incidents/7/photos"])
def test_where_files_may_be_sent_the_rest_streams(path: str) -> None:
    behind, sender = Behind(), Sender(iter([PIECE] * 40))
    sender.knock(behind, path)
    assert (sender.status, behind.got) == (200, PIECE * 40)
    assert behind.taken_before is not None
    assert MB < behind.taken_before * len(PIECE) <= MB + len(PIECE)


def test_the_rest_is_counted_too() -> None:
    behind, sender = Behind(), Sender(iter([PIECE] * 1600))
    with pytest.raises(TooLargeError):  # the app's own table answers it
        sender.knock(behind, "/api/incidents/7/photos")
    most = rule_book().photos.most_bytes.value
    assert sender.taken == most // len(PIECE) + 1


def test_pieces_of_one_byte_are_kept_as_one() -> None:
    behind, sender = Behind(), Sender(iter([b"x"] * 1000))
    sender.knock(behind)
    assert (behind.got, sender.status) == (b"x" * 1000, 200)


def test_who_falls_silent_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = ServerSettings(body_timeout_s=0.001, body_min_kb_s=1e9)
    monkeypatch.setattr(body_limit, "server_settings", lambda: quick)
    behind, sender = Behind(), Sender(iter([b"{"]), then="silence")
    sender.knock(behind)
    assert (sender.status, behind.taken_before) == (408, None)
    assert sender.headers[b"content-type"] == PROBLEM.encode()
    assert sender.headers[b"connection"] == b"close"


def test_who_breaks_off_is_not_taken_at_his_half_word() -> None:
    behind, sender = Behind(), Sender(iter([b'{"a":1}']), then="break")
    sender.knock(behind)
    assert (behind.taken_before, sender.answer) == (None, [])


def test_who_breaks_off_a_file_is_no_error_of_ours() -> None:
    async def behind(scope: Scope, receive: Receive, _send: Send) -> None:
        await Request(scope, receive).body()

    sender = Sender(iter([PIECE] * 40), then="break")
    asyncio.run(
        body_limit.BodyLimit(behind)(sender.scope("/api/assign"), sender.receive, sender.send)
    )
    assert sender.answer == []


def test_what_is_too_large_is_a_problem_over_http(client: TestClient) -> None:
    answer = client.post("/api/plans?lang=en", content=b" " * (MB + 1))
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
    assert "1 MB" in answer.json()["detail"]
    streamed = client.post("/api/locate?lang=en", content=b" " * (body_limit.LIST_BYTES + 1))
    assert (streamed.status_code, streamed.headers["content-type"]) == (413, PROBLEM)


# --- well formed ---------------------------------------------------------------------------------

HOSTILE = {
    "NUL": b'{"text": "a\\u0000b", "values": {"name": "\\u0000"}}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "lone surrogate": b'{"text": "\\ud800", "crs": "\\udc00"}',
    "swapped surrogates": b'{"text": "\\udc00\\ud800"}',
    "surrogate in bytes": b'{"text": "\xed\xa0\x80"}',
    "400 digits": b'{"rev": ' + b"9" * 400 + b"}",
    "5000 digits": b'{"rev": ' + b"9" * 5000 + b"}",
    "beyond 64 bits": b'{"rev": 9223372036854775808}',
    "1e999": b'{"lon": 1e999}',
    "NaN": b'{"lon": NaN}',
    "Infinity": b'{"lon": -Infinity}',
    "lists without end": b"[" * 100_000,
    "objects without end": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no UTF-8": b'{"text": "\xff"}',
    "UTF-16": '{"text": "a"}'.encode("utf-16"),
    "no JSON": b"{",
}


def _operations(client: TestClient) -> list[tuple[str, str]]:
    """Every operation that takes JSON; parameters are filled with what may be anything."""
    described = client.get("/api/openapi.json").json()["paths"]
    found = [
        (method.upper(), path)
        for path, methods in described.items()
        for method, operation in methods.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    fills = {"{kind}": "building", "{decision}": "approve", "{day}": "2026-01-01", "{token}": "x"}
    for name, value in fills.items():
        found = [(method, path.replace(name, value)) for method, path in found]
    return [(method, _filled(path, "1")) for method, path in found]


def _filled(path: str, value: str) -> str:
    return "/".join(value if part[:1] == "{" else part for part in path.split("/"))


@pytest.mark.parametrize("what", HOSTILE)
def test_no_hostile_json_gets_beyond_422(client: TestClient, what: str) -> None:
    operations = _operations(client)
    assert len(operations) > 25
    headers = {"content-type": "application/json", "idempotency-key": "x", "if-match": "1"}
    for method, path in operations:
        answer = client.request(method, path, content=HOSTILE[what], headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), path
        assert "field" in answer.json(), path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/plans", rb'{"title": "a\u0000b"}'),
        ("PUT", "/api/working-days/2026-01-01", rb'{"is_working": true, "reason": "\u0000"}'),
        ("POST", "/api/imports", rb'{"upload": "\u0000", "kind": "buildings", "dry_run": true}'),
        ("POST", "/api/reports/coverage", rb'{"standard": "\u0000"}'),
        ("POST", "/api/locate", rb'{"points": [[112.9, 28.7]], "scheme": "\ud800"}'),
        ("POST", "/api/locate", rb'{"points": [[112.9, 28.7]], "crs": "\ud800"}'),
        ("POST", "/api/entry/building", rb'{"values": {"name": "\ud800"}}'),
        ("POST", "/api/incidents", rb'{"kind": "\ud800", "lon": 112.9, "lat": 28.7}'),
        ("POST", "/api/incidents/import", rb'{"items": [{"kind": "\ud800", "lon": 1, "lat": 2}]}'),
        ("POST", "/api/plans/1/preview", rb'{"rev": 1, "edit": {"kind": "\ud800"}}'),
    ],
)
def test_texts_that_cannot_be_stored_are_refused_where_they_would_have_been(
    client: TestClient, method: str, path: str, body: bytes
) -> None:
    headers = {"content-type": "application/json", "idempotency-key": "x"}
    answer = client.request(method, path, content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)


def test_depth_that_is_taken_breaks_nothing(client: TestClient) -> None:
    deep: Any = 1
    for _ in range(190):
        deep = {"a": deep}
    for method, path in _operations(client):
        headers = {"idempotency-key": "deep", "if-match": "1"}
        body = {"values": deep, "details": deep, "edit": deep, "text": deep}
        answer = client.request(method, path, json=body, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.text)


def test_the_member_that_is_wrong_is_named(client: TestClient) -> None:
    body = b'{"rev": 1, "edit": {"line": [[1, 2], [3, 1e999]]}}'
    headers = {"content-type": "application/json"}
    answer = client.post("/api/plans/1/preview", content=body, headers=headers)
    assert answer.json()["field"] == "edit.line.1.1"


def test_ids_of_many_places_are_looked_at_too(client: TestClient) -> None:
    for one in (b'"\\ud800"', b'"\\u0000"', b"9" * 400, b"[" * 1000 + b"]" * 1000):
        body = b'{"points": [{"id": %b, "lon": 112.9, "lat": 28.7}]}' % one
        assert client.post("/api/locate", content=body).status_code == 422


@pytest.mark.parametrize("sign", ["%00", "%FF", "%ED%A0%80", "%C0%80"])
def test_no_hostile_address_gets_beyond_422(client: TestClient, sign: str) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    gets = [path for path, methods in described.items() if "get" in methods]
    assert len(gets) > 60
    for path in gets:
        filled = _filled(path, "1")
        answer = client.get(f"{filled}?lang=en&scheme=a{sign}&q={sign}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), path
        assert answer.json()["field"] == "scheme"
        if "{" in path:
            filled = _filled(path, f"1{sign}")
            assert client.get(filled).status_code == 422, filled


def test_numbers_of_400_digits_in_an_address_are_refused(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    long, seen = "9" * 400, 0
    for path, methods in described.items():
        for one in methods.get("get", {}).get("parameters", []):
            kinds = {s.get("type") for s in (one["schema"], *one["schema"].get("anyOf", ()))}
            if kinds & {"integer", "number"} and one["in"] == "query":
                filled = _filled(path, "1")
                answer = client.get(f"{filled}?{one['name']}={long}")
                assert 400 <= answer.status_code < 500, (path, one["name"])
                seen += 1
        filled = _filled(path, long)
        if "{" in path and "get" in methods:
            answer = client.get(filled)
            assert 400 <= answer.status_code < 500, filled
    assert seen > 30


def test_forms_names_of_files_and_headers_are_looked_at(client: TestClient) -> None:
    files = {"file": ("a\0b.csv", b"a\n1\n")}
    name = client.post("/api/imports/uploads", files=files)
    assert name.status_code in {201, 422}
    if name.status_code == 201:
        assert "\0" not in name.json()["name"]
    part = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="+2AA-.csv"\r\n\r\n'
        b"a\n1\n\r\n--x--\r\n"
    )
    for charset in ("utf-7", "unicode_escape", "punycode", "undefined"):
        kind = f"multipart/form-data; boundary=x; charset={charset}"
        for path in ("/api/imports/uploads", "/api/assign"):
            answer = client.post(path, content=part, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["field"]) == (422, "content-type")
    answer = client.get("/api/schemes", headers={"cookie": "gis_lang=a\0b"})
    assert (answer.status_code, answer.json()["field"]) == (422, "cookie")


# --- strict types --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["0", "1e3", "1767225600", "2026-1-1", "2026-01-01T00:00:00", " "])
def test_a_day_is_written_as_a_day(client: TestClient, at: str) -> None:
    answer = client.get("/api/grids", params={"at": at})
    assert (answer.status_code, answer.json()["field"]) == (422, "at")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/grids", "limit=1_0"),
        ("/api/grids", "limit=%2B5"),
        ("/api/grids", "limit=5.0"),
        ("/api/grids", "limit=%EF%BC%95"),
        ("/api/incidents", "mine=yes"),
        ("/api/incidents", "flagged=1"),
        ("/api/locate", "lon=1_1.5&lat=2"),
    ],
)
def test_parameters_are_written_as_the_schema_says(
    client: TestClient, path: str, query: str
) -> None:
    assert client.get(f"{path}?{query}").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/actors/current", {"actor_id": "2"}),
        ("PUT", "/api/working-days/2026-01-01", {"is_working": 1}),
        ("POST", "/api/versions/1/withdraw", {"effective_day": 0, "reason": "x"}),
        ("POST", "/api/plans/1/publish", {"effective_day": 1767225600}),
        ("POST", "/api/imports", {"upload": "x", "kind": "buildings", "dry_run": "yes"}),
        ("POST", "/api/incidents", {"kind": "noise", "lon": "112.9", "lat": 28.7}),
        ("POST", "/api/incidents", {"kind": "noise", "lon": 112.9, "lat": 28.7, "reported_at": 0}),
    ],
)
def test_bodies_are_of_the_types_that_the_schema_names(
    client: TestClient, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == 422, answer.text


# --- the contract --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/incidents/import", "POST"),
        ("POST", "/api/plans/1/faces", "GET"),
        ("POST", "/api/plans/1/checks", "GET"),
        ("POST", "/api/entry/place", "GET"),
        ("DELETE", "/api/entry/undo/1", "POST"),
        ("PATCH", "/api/entry/undo/1", "POST"),
    ],
)
def test_a_wrong_method_is_405_whatever_a_parameter_would_match(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert set(allowed.split(", ")) <= set(answer.headers["allow"].split(", "))


def test_every_operation_describes_its_problems(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method, operation in methods.items():
            said = operation["responses"]
            assert PROBLEM in said["4XX"]["content"], (method, path)
            assert "422" not in said, (method, path)


def test_every_number_of_the_address_has_bounds(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    for path, methods in described.items():
        for operation in methods.values():
            for one in operation.get("parameters", []):
                for kind in (one["schema"], *one["schema"].get("anyOf", ())):
                    assert kind.get("type") != "integer" or "maximum" in kind, (path, one["name"])


def test_counts_of_a_past_import_are_an_object_where_it_has_none(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    office = small_county.actors["county_office"]
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.insert(t.import_record).values(
                kind="buildings", source_name="a.csv", sha256="0" * 64, crs="cgcs2000",
                actor_id=office, taken={"building": 1}, refused=0, refusals=[], details={},
            )
        )  # fmt: skip
    (past,) = client.get("/api/imports").json()["items"]
    assert (past["counts"], past["taken"]) == ({}, {"building": 1})
