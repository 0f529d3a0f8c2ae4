"""Sessions and keys in the wrong hands: forged, stale, stolen, fixed; keys at another door."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.access.actor import mark_made_up
from gis_service.access.keys import find_scope
from gis_service.access.permissions import READ_RECORD
from gis_service.api import create_app
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient
from tests.people import HERE, PASSWORD, act_as_page, add_key, make_person, sign_in

COOKIE = "gis_session"


@pytest.fixture(scope="module")
def real_people(store: Store, small_county: SmallCounty) -> Iterator[SmallCounty]:
    """The drawn county, whose people are taken for real."""
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.made_up))
    yield small_county
    with store.transaction(SYSTEM) as connection:
        mark_made_up(connection)


@pytest.fixture
def browser_of(store: Store, real_people: SmallCounty) -> Iterator[Any]:
    """Browsers, each with cookies of its own, on two server processes' worth of apps."""
    clients: list[TestClient] = []

    def make() -> TestClient:
        app = create_app(store, loopback_only=True)
        client = TestClient(app, HERE, client=("127.0.0.1", 50000))
        client.__enter__()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


def who(client: TestClient) -> str:
    role: str = client.get("/api/me").json()["actor"]["role"]
    return role


def is_deleted(headers: Any) -> bool:
    cookie = headers.get("set-cookie", "")
    return cookie.startswith(f'{COOKIE}=""') and "Max-Age=0" in cookie


def expire(store: Store, actor_id: int, **values: object) -> None:
    with store.transaction(SYSTEM) as connection:
        query = sa.update(t.session).where(t.session.c.actor_id == actor_id)
        connection.execute(query.values(**values))


# --- sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("forged", ["1", "admin", "Q" * 43, "\x00", "' OR 1=1 --", "a" * 3000])
def test_a_forged_session_is_nobodys(browser_of: Any, forged: str) -> None:
    client = browser_of()
    cookie = {"Cookie": f"{COOKIE}={forged}"}
    answer = client.get("/api/me", headers=cookie)
    if answer.status_code == 200:
        assert not answer.json()["signed_in"]
        assert is_deleted(answer.headers)
    else:
        assert answer.status_code == 422  # a NUL
    changed = client.post("/api/password?lang=en", headers=cookie, json={})
    assert changed.status_code in (401, 422)


def test_a_dead_session_changes_nothing_and_is_told_what_to_do(
    store: Store, browser_of: Any
) -> None:
    client = browser_of()
    login, actor_id = make_person(store, "county_office")
    sign_in(client, login)
    expire(store, actor_id, ended_at=sa.func.now())
    client.app.state.revalidating.forget(next(iter(client.app.state.revalidating._values)))
    other = browser_of()
    other.cookies.set(COOKIE, client.cookies[COOKIE])
    refused = other.put("/api/working-days/2027-01-02?lang=en", json={"works": True})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "Sign in again" in refused.json()["detail"]
    assert is_deleted(refused.headers)


@pytest.mark.parametrize(
    "values",
    [
        {"ends_at": sa.func.now() - timedelta(seconds=1)},
        {"seen_at": sa.func.now() - timedelta(minutes=61)},
        {"ended_at": sa.func.now()},
    ],
)
def test_a_session_ends_by_the_clock_and_unused(
    store: Store, browser_of: Any, values: dict[str, object]
) -> None:
    login, actor_id = make_person(store, "analyst")
    client = browser_of()
    sign_in(client, login)
    assert who(client) == "analyst"
    expire(store, actor_id, **values)
    other = browser_of()  # another process, which has heard of none of it
    other.cookies.set(COOKIE, client.cookies[COOKIE])
    assert who(other) == "visitor"


def test_use_keeps_a_session_and_is_written_at_most_once_a_minute(
    store: Store, browser_of: Any
) -> None:
    login, actor_id = make_person(store, "analyst")
    client = browser_of()
    sign_in(client, login)

    def seen_at() -> Any:
        with store.transaction(SYSTEM) as connection:
            query = sa.select(sa.func.max(t.session.c.seen_at))
            return connection.scalar(query.where(t.session.c.actor_id == actor_id))

    before = seen_at()
    assert who(client) == "analyst"
    assert seen_at() == before
    expire(store, actor_id, seen_at=sa.func.now() - timedelta(minutes=2))
    other = browser_of()
    other.cookies.set(COOKIE, client.cookies[COOKIE])
    assert who(other) == "analyst"
    assert seen_at() > before


def test_a_fixed_session_is_not_taken_over(store: Store, browser_of: Any) -> None:
    """Whoever puts a cookie of their own into a browser does not get its later session."""
    thief, victim = browser_of(), browser_of()
    sign_in(thief, make_person(store, "display")[0])
    fixed = thief.cookies[COOKIE]
    login, _ = make_person(store, "county_office")
    told = victim.post(
        "/api/session",
        json={"login": login, "password": PASSWORD},
        headers={"Cookie": f"{COOKIE}={fixed}"},
    )
    assert told.status_code == 200
    assert told.cookies[COOKIE] != fixed
    stranger = browser_of()
    stranger.cookies.set(COOKIE, fixed)
    assert who(stranger) == "visitor"  # the session before has ended


def test_a_new_password_ends_all_other_sessions(store: Store, browser_of: Any) -> None:
    login, _ = make_person(store, "analyst")
    own, stolen = browser_of(), browser_of()
    sign_in(own, login)
    sign_in(stolen, login)
    assert len(own.get("/api/sessions").json()) >= 2
    wrong = own.post("/api/password", json={"old_password": "no", "new_password": "stone 8 wall"})
    assert wrong.status_code == 403
    body = {"old_password": PASSWORD, "new_password": "12345678"}
    assert own.post("/api/password", json=body).json()["field"] == "new_password"
    body = {"old_password": PASSWORD, "new_password": "stone 8 wall"}
    assert own.post("/api/password", json=body).status_code == 204
    after = browser_of()
    after.cookies.set(COOKIE, stolen.cookies[COOKIE])
    assert who(after) == "visitor"
    assert who(own) == "analyst"
    again = after.post("/api/session", json={"login": login, "password": PASSWORD})
    assert again.status_code == 403


def test_ones_own_sessions_are_listed_and_ended_and_nobody_elses(
    store: Store, browser_of: Any
) -> None:
    login, _ = make_person(store, "analyst")
    here, there, other = browser_of(), browser_of(), browser_of()
    sign_in(here, login)
    sign_in(there, login)
    sign_in(other, make_person(store, "analyst")[0])
    sessions = here.get("/api/sessions").json()
    (current,) = (one["session_id"] for one in sessions if one["current"])
    (elsewhere,) = (
        one["session_id"] for one in there.get("/api/sessions").json() if one["current"]
    )
    assert current != elsewhere
    assert other.delete(f"/api/sessions/{elsewhere}").status_code == 404
    assert here.delete(f"/api/sessions/{elsewhere}").status_code == 204
    fresh = browser_of()
    fresh.cookies.set(COOKIE, there.cookies[COOKIE])
    assert who(fresh) == "visitor"
    assert who(here) == "analyst"


# --- changes from elsewhere ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": HERE},
        {"X-Gis-Token": "OURS"},
        {"Origin": HERE, "X-Gis-Token": "0" * 64},
        {"Origin": HERE, "X-Gis-Token": "\x80令"},
        {"Origin": "http://evil.example", "X-Gis-Token": "OURS"},
        {"Origin": "null", "X-Gis-Token": "OURS"},
    ],
)
def test_a_change_in_a_session_needs_our_origin_and_its_token(
    store: Store, browser_of: Any, headers: dict[str, str]
) -> None:
    client = browser_of()
    sign_in(client, make_person(store, "administrator")[0])
    token = client.headers.pop("X-Gis-Token")
    client.headers.pop("Origin")
    sent = {name: (token if value == "OURS" else value).encode() for name, value in headers.items()}
    body = {"login": "planted", "name": "某", "role": "administrator"}
    assert client.post("/api/accounts", json=body, headers=sent).status_code == 403
    assert "planted" not in client.get("/api/accounts").text


def test_a_token_belongs_to_one_session(store: Store, browser_of: Any) -> None:
    login, _ = make_person(store, "administrator")
    one, two = browser_of(), browser_of()
    sign_in(one, login)
    sign_in(two, login)
    crossed = {"X-Gis-Token": two.headers["X-Gis-Token"]}
    assert one.post("/api/accounts/list", json={"csv": "x"}, headers=crossed).status_code == 403
    assert one.cookies[COOKIE] not in one.headers["X-Gis-Token"]


# --- rights that end or change -------------------------------------------------------------------


def test_an_ended_account_is_out_and_a_changed_one_has_its_new_rights(
    store: Store, browser_of: Any
) -> None:
    boss, person = browser_of(), browser_of()
    sign_in(boss, make_person(store, "administrator")[0])
    login, actor_id = make_person(store, "county_office")
    sign_in(person, login)
    changed = boss.patch(f"/api/accounts/{actor_id}", json={"role": "display"})
    assert changed.json()["role"] == "display"
    fresh = browser_of()
    fresh.cookies.set(COOKIE, person.cookies[COOKIE])
    assert who(fresh) == "display"
    assert boss.post(f"/api/accounts/{actor_id}/end").json()["ended_at"]
    fresh = browser_of()
    fresh.cookies.set(COOKIE, person.cookies[COOKIE])
    assert who(fresh) == "visitor"
    again = fresh.post("/api/session", json={"login": login, "password": PASSWORD})
    assert again.status_code == 403


def test_nobody_but_an_administrator_manages_accounts(store: Store, browser_of: Any) -> None:
    for role in ("county_office", "auditor", "display"):
        client = browser_of()
        _, actor_id = make_person(store, "analyst")
        sign_in(client, make_person(store, role)[0])
        new = {"login": "x.y", "name": "某", "role": "administrator"}
        key = {"name": "k", "role": "analyst", "scopes": ["read"]}
        for method, path, body in (
            ("GET", "/api/accounts", None),
            ("POST", "/api/accounts", new),
            ("PATCH", f"/api/accounts/{actor_id}", {"role": "administrator"}),
            ("POST", f"/api/accounts/{actor_id}/end", None),
            ("POST", f"/api/accounts/{actor_id}/link", None),
            ("POST", "/api/accounts/list", {"csv": "login,name,role\na.b,某,analyst"}),
            ("GET", "/api/keys", None),
            ("POST", "/api/keys", key),
            ("DELETE", "/api/keys/1", None),
        ):
            assert client.request(method, path, json=body).status_code == 403, (role, path)


@pytest.mark.parametrize(
    "more",
    [
        {"actor_id": 1},
        {"password_hash": "$argon2id$"},
        {"password": "stone 8 wall"},
        {"is_demo": True},
        {"ended_at": None},
        {"made_by": 1},
    ],
)
def test_members_that_nobody_may_set_are_refused(
    store: Store, browser_of: Any, more: dict[str, object]
) -> None:
    client = browser_of()
    login, actor_id = make_person(store, "administrator")
    sign_in(client, login)
    new = {"login": "mass", "name": "某", "role": "analyst", **more}
    assert client.post("/api/accounts", json=new).status_code == 422
    assert client.patch(f"/api/accounts/{actor_id}", json=more).status_code == 422


def test_a_refusal_is_on_record_once(store: Store, browser_of: Any) -> None:
    client = browser_of()
    login, actor_id = make_person(store, "county_office")
    sign_in(client, login)
    refused = client.get("/api/accounts")
    event = t.event.c
    with store.transaction(SYSTEM) as connection:
        query = sa.select(event.object_id, event.request_id, event.after, event.session_id)
        (row,) = connection.execute(
            query.where(event.action == "refuse", event.actor_id == actor_id)
        ).all()
    assert row.object_id == "GET /api/accounts"
    assert row.request_id == refused.headers["x-request-id"]
    assert row.after == {"reason": "access.may_not_manage_accounts"}
    assert row.session_id is not None


# --- keys ----------------------------------------------------------------------------------------


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_opens_its_doors_and_no_other(
    store: Store, browser_of: Any, real_people: SmallCounty
) -> None:
    client = browser_of()
    add_key(store, "only-locate", "dispatcher", scope="locate")
    add_key(store, "only-read", "grid_officer", (real_people.grid_ids["g00"],), scope="read")
    place = "/api/locate?lon=112.5&lat=28.5&crs=cgcs2000"
    assert client.get(place, headers=bearer("only-locate")).status_code == 200
    assert client.get(place, headers=bearer("only-read")).status_code == 403
    assert client.post("/api/locate", json={}, headers=bearer("only-read")).status_code in (
        403,
        422,
    )
    assert client.get("/api/households", headers=bearer("only-locate")).status_code == 403
    seen = client.get("/api/households", headers=bearer("only-read")).json()
    assert seen["total"] == 1
    assert client.get("/api/accounts", headers=bearer("only-read")).status_code == 403
    body = {"kind": "dispute", "point": [112.5, 28.5], "crs": "cgcs2000", "text": "x"}
    assert client.post("/api/incidents", json=body, headers=bearer("only-read")).status_code == 403
    asked = client.get("/open311/v2/requests.json", params={"api_key": "only-read"})
    assert asked.status_code == 403


@pytest.mark.parametrize("key", ["", "x", "gis_" + "Q" * 43, "\x7f"])
def test_a_key_that_is_none_is_refused_not_taken_for_a_visitor(browser_of: Any, key: str) -> None:
    assert browser_of().get("/api/me", headers=bearer(key)).status_code == 401


def test_a_key_is_shown_once_used_to_the_minute_and_ended(store: Store, browser_of: Any) -> None:
    boss, system = browser_of(), browser_of()
    sign_in(boss, make_person(store, "administrator")[0])
    new = {"name": "热线", "role": "dispatcher", "scopes": ["read"], "days": 30}
    made = boss.post("/api/keys", json=new).json()
    key = made["key"]
    assert key not in boss.get("/api/keys").text
    assert made["hint"] == key[:8]
    assert system.get("/api/me", headers=bearer(key)).json()["actor"]["role"] == "dispatcher"
    (listed,) = (one for one in boss.get("/api/keys").json() if one["key_id"] == made["key_id"])
    assert listed["used_at"].endswith(":00+00:00") or ":00Z" in listed["used_at"]
    assert boss.delete(f"/api/keys/{made['key_id']}").status_code == 204
    assert browser_of().get("/api/me", headers=bearer(key)).status_code == 401
    with store.transaction(SYSTEM) as connection:
        assert key not in str(connection.execute(sa.select(t.api_key)).all())
        assert key not in str(connection.execute(sa.select(t.event)).all())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "administrator"}, "role"),
        ({"role": "grid_officer"}, "areas"),
        ({"areas": [999_999]}, "areas"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"days": 100_000}, "days"),
    ],
)
def test_a_key_that_cannot_be_is_refused_by_field(
    store: Store, browser_of: Any, change: dict[str, object], field: str
) -> None:
    client = browser_of()
    sign_in(client, make_person(store, "administrator")[0])
    new = {"name": "热线", "role": "dispatcher", "scopes": ["read"], "days": 30, **change}
    refused = client.post("/api/keys", json=new)
    assert refused.status_code == 422
    assert refused.json()["field"] == field


def test_every_door_that_changes_something_is_closed_to_keys_but_three(
    browser_of: Any,
) -> None:
    doors = {
        (method.upper(), path)
        for path, methods in browser_of().app.openapi()["paths"].items()
        for method in methods
        if method != "get" and find_scope(method.upper(), path)
    }
    assert doors >= {("POST", "/api/locate"), ("POST", "/api/assign"), ("POST", "/api/incidents")}
    others = {path for _, path in doors} - {"/api/locate", "/api/assign", "/api/incidents"}
    assert others == {"/api/incidents/{incident_id}/photos"}
    for path in ("/api/accounts", "/api/keys", "/api/sessions", "/api/keys/1"):
        assert find_scope("GET", path) is None


def test_a_session_comes_before_a_key(store: Store, browser_of: Any) -> None:
    client = browser_of()
    add_key(store, "reads-all", "county_office", scope="read")
    sign_in(client, make_person(store, "auditor")[0])
    assert who(client) in READ_RECORD.roles
    client.headers.update(bearer("reads-all"))
    assert who(client) in READ_RECORD.roles
    act_as_page(client)
