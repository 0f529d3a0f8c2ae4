"""Who sees what: an actor of one grid sees one grid, a visitor no person; strangers stay out."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM, Actor
from gis_service.access.actor import ensure_demo_actors, mark_made_up
from gis_service.access.links import make_first_link
from gis_service.api import create_app
from gis_service.api.guard import host_name, is_loopback
from gis_service.errors import NotAllowedError
from gis_service.maps.sheets import sheet
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty, middle
from tests.people import PASSWORD, act_as_page, forget_people, make_person, sign_in

As = Callable[[str], dict[str, str]]
LISTS = ("/api/households", "/api/incidents", "/api/hazards")
POINTS = ("/api/layers/incidents", "/api/layers/hazards")
TOTAL = sum(HOUSEHOLDS_PER_GRID.values()) + 1
OWN = {"/api/households": 1, "/api/incidents": 1, "/api/hazards": 1}


def other_client(store: Store, address: str, *, loopback_only: bool) -> TestClient:
    app = create_app(store, loopback_only=loopback_only)
    return TestClient(
        app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=(address, 50000)
    )


def test_the_county_office_sees_all(client: TestClient) -> None:
    assert client.get("/api/households").json()["total"] == TOTAL
    assert client.get("/api/incidents").json()["total"] == 4
    assert client.get("/api/hazards").json()["total"] == 4


@pytest.mark.parametrize("path", LISTS)
def test_a_grid_officer_sees_the_own_grid_only(
    client: TestClient, small_county: SmallCounty, as_actor: As, path: str
) -> None:
    answer = client.get(path, headers=as_actor("grid_officer")).json()
    assert answer["total"] == OWN[path]
    assert {row["base_grid_id"] for row in answer["items"]} == {small_county.grid_ids["g00"]}


@pytest.mark.parametrize("path", LISTS)
def test_a_grid_officer_cannot_ask_for_another_grid(
    client: TestClient, small_county: SmallCounty, as_actor: As, path: str
) -> None:
    other = small_county.grid_ids["g11"]
    answer = client.get(f"{path}?grid_id={other}", headers=as_actor("grid_officer")).json()
    assert answer == {"items": [], "total": 0, "limit": 50, "offset": 0}


@pytest.mark.parametrize("path", LISTS)
def test_a_visitor_sees_nobody(client: TestClient, as_actor: As, path: str) -> None:
    assert client.get(path, headers=as_actor("visitor")).json()["total"] == 0


@pytest.mark.parametrize("path", POINTS)
def test_points_on_the_map_follow_the_same_rule(
    client: TestClient, as_actor: As, path: str
) -> None:
    number = {
        role: len(client.get(path, headers=as_actor(role)).json()["features"])
        for role in ("county_office", "grid_officer", "visitor")
    }
    assert number == {"county_office": 4, "grid_officer": 1, "visitor": 0}


@pytest.mark.parametrize("theme", ["households", "people", "hazards", "incidents"])
def test_figures_of_a_theme_are_told_for_grids_in_sight_only(
    client: TestClient, small_county: SmallCounty, as_actor: As, theme: str
) -> None:
    path = f"/api/layers/figures?rank=3&theme={theme}"
    values = client.get(path, headers=as_actor("grid_officer")).json()["values"]
    own = str(small_county.grid_ids["g00"])
    assert values.pop(own) is not None
    assert set(values.values()) == {None}
    assert set(client.get(path, headers=as_actor("visitor")).json()["values"].values()) == {None}


def test_an_upper_grid_has_no_figure_for_one_who_sees_a_part_of_it(
    client: TestClient, as_actor: As
) -> None:
    path = "/api/layers/figures?rank=1&theme=households"
    values = client.get(path, headers=as_actor("grid_officer")).json()["values"]
    assert set(values.values()) == {None}


def test_a_sheet_counts_what_its_reader_sees(
    client: TestClient, small_county: SmallCounty, as_actor: As
) -> None:
    def sheet(role: str, key: str) -> Any:
        path = f"/api/grids/{small_county.grid_ids[key]}"
        return client.get(path, headers=as_actor(role)).json()

    assert sheet("county_office", "town")["counts"]["households"] == TOTAL - 1
    own = sheet("grid_officer", "g00")
    assert own["counts"]["households"] == 1
    assert [officer["name"] for officer in own["officers"]] == ["钱二", "赵一"]
    other = sheet("grid_officer", "g11")
    assert other["counts"]["households"] is None
    assert other["counts"]["hazards_open"] is None
    assert other["officers"] == []
    assert sheet("visitor", "g00")["officers"] == []
    assert sheet("visitor", "g00")["counts"]["people"] is None


def test_the_overview_counts_what_its_reader_sees(client: TestClient, as_actor: As) -> None:
    told = {
        role: client.get("/api/overview", headers=as_actor(role)).json()["counts"]
        for role in ("county_office", "grid_officer", "visitor")
    }
    assert told["county_office"]["households"] == TOTAL
    assert told["county_office"]["outside"] == 1
    assert told["grid_officer"]["households"] == 1
    assert told["visitor"]["households"] is None
    assert told["visitor"]["outside"] is None
    assert told["visitor"]["buildings"] == 1


def test_the_overview_is_of_the_areas_of_whoever_has_some(
    client: TestClient, store: Store, small_county: SmallCounty, as_actor: As
) -> None:
    grids = small_county.grid_ids

    def told(*areas: str) -> sheet.Overview:
        ids = tuple(grids[area] for area in areas)
        with store.transaction(SYSTEM) as connection:
            return sheet.read_overview(connection, Actor(9, "某", "N", "grid_officer", ids), "base")

    other = told("g11")
    assert [area.grid_id for area in other.areas or []] == [grids["g11"]]
    assert vars(other.counts) == {
        "households": 310,
        "people": 930,
        "buildings": 0,  # the county's only one stands in another grid
        "premises": 0,
        "hazards": 1,
        "incidents": 1,
        "outside": None,
    }
    # A grid within another area of the same person is counted once.
    twice = told("town", "g11")
    assert twice.counts.households == TOTAL - 1
    assert twice.counts.buildings == 1
    assert twice.coverage == {}
    assert len(twice.areas or []) == 2
    own = client.get("/api/overview", headers=as_actor("grid_officer")).json()
    assert [area["grid_id"] for area in own["areas"]] == [grids["g00"]]
    assert client.get("/api/overview").json()["areas"] is None


def test_officers_are_found_by_those_who_may_see_them(client: TestClient, as_actor: As) -> None:
    def names(role: str, q: str) -> list[str]:
        found = client.get(f"/api/search?q={q}", headers=as_actor(role)).json()
        return [one["name"] for one in found if one["kind"] == "officer"]

    assert names("county_office", "孙三") == ["孙三"]
    assert names("grid_officer", "孙三") == []
    assert names("grid_officer", "钱") == ["钱二"]
    assert names("visitor", "孙三") == []


def test_names_and_phones_are_masked_and_tags_stay_away(client: TestClient) -> None:
    row = client.get("/api/households?limit=1").json()["items"][0]
    assert row["head_name"] == "王**"
    assert row["phone"] == "138******78"
    assert "care_tags" not in row
    everything = client.get("/api/incidents").text + client.get("/api/layers/incidents").text
    assert "张三" not in everything
    assert "13987654321" not in everything


# --- who may pick an actor ------------------------------------------------------------------------


def test_a_picked_actor_is_remembered(store: Store, small_county: SmallCounty) -> None:
    with other_client(store, "127.0.0.1", loopback_only=True) as own:
        assert own.get("/api/actors/current").json()["role"] == "county_office"
        chosen = own.post(
            "/api/actors/current", json={"actor_id": small_county.actors["grid_officer"]}
        )
        assert chosen.status_code == 200
        assert "HttpOnly" in chosen.headers["set-cookie"]
        assert "samesite=strict" in chosen.headers["set-cookie"].lower()
        assert own.get("/api/actors/current").json()["role"] == "grid_officer"
        assert own.get("/api/households").json()["total"] == 1


def test_only_demo_actors_are_offered(client: TestClient) -> None:
    assert client.post("/api/actors/current", json={"actor_id": 1}).status_code == 404
    assert client.get("/api/households", headers={"X-Gis-Actor": "1"}).status_code == 404


ANYWHERE: list[tuple[str, bool, dict[str, str]]] = [
    ("127.0.0.1", True, {}),
    ("192.168.1.7", False, {}),
    ("127.0.0.1", True, {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}),
    ("127.0.0.1", False, {"Forwarded": "for=127.0.0.1"}),
]


@pytest.mark.parametrize(("address", "loopback_only", "headers"), ANYWHERE)
def test_made_up_people_may_be_picked_from_everywhere(
    store: Store,
    small_county: SmallCounty,
    address: str,
    loopback_only: bool,
    headers: dict[str, str],
) -> None:
    with other_client(store, address, loopback_only=loopback_only) as anybody:
        body = {"actor_id": small_county.actors["grid_officer"]}
        assert anybody.post("/api/actors/current", json=body, headers=headers).status_code == 200
        assert anybody.get("/api/households", headers=headers).json()["total"] == 1


# --- real people: a visitor, or the administrator -------------------------------------------------


@pytest.fixture
def real_people(store: Store, small_county: SmallCounty) -> Iterator[SmallCounty]:
    """The same county without the mark that its people are made up."""
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.made_up))
    yield small_county
    with store.transaction(SYSTEM) as connection:
        mark_made_up(connection)


@pytest.fixture
def own(store: Store, real_people: SmallCounty) -> Iterator[TestClient]:
    """A browser on the machine itself."""
    with other_client(store, "127.0.0.1", loopback_only=True) as client:
        yield client


@pytest.mark.parametrize(("address", "loopback_only", "headers"), ANYWHERE)
def test_real_people_are_seen_by_nobody_for_an_address_or_a_header(
    store: Store,
    real_people: SmallCounty,
    as_actor: As,
    address: str,
    loopback_only: bool,
    headers: dict[str, str],
) -> None:
    asked = {**headers, **as_actor("county_office")}
    with other_client(store, address, loopback_only=loopback_only) as stranger:
        stranger.cookies.set("gis_actor", str(real_people.actors["county_office"]))
        assert stranger.get("/api/households", headers=asked).json()["total"] == 0
        assert [one["role"] for one in stranger.get("/api/actors", headers=asked).json()] == [
            "visitor"
        ]
        body = {"actor_id": real_people.actors["county_office"]}
        refused = stranger.post("/api/actors/current", json=body, headers=headers)
        assert refused.status_code == 403
        place = {"point": [112.5, 28.5], "crs": "cgcs2000"}
        answer = stranger.post("/api/locate", json=place, headers=asked).text
        assert "赵一" not in answer


def test_an_account_sees_by_its_role_once_it_has_signed_in(store: Store, own: TestClient) -> None:
    login, actor_id = make_person(store, "county_office")
    assert own.get("/api/actors/current").json()["role"] == "visitor"
    told = own.post("/api/session", json={"login": login.upper(), "password": PASSWORD})
    assert told.status_code == 200
    cookie = told.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie  # over plain http a browser would not send it back
    assert "max-age=43200" in cookie
    assert own.get("/api/actors/current").json() == {
        "actor_id": actor_id, "name": "李四", "name_en": "李四", "role": "county_office",
    }  # fmt: skip
    assert own.get("/api/households").json()["total"] == TOTAL
    act_as_page(own)
    assert own.delete("/api/session").status_code == 204
    assert own.get("/api/households").json()["total"] == 0


def test_an_account_of_one_grid_sees_what_is_its_own(
    store: Store, own: TestClient, real_people: SmallCounty
) -> None:
    grid_id = real_people.grid_ids["g00"]
    sign_in(own, make_person(store, "grid_officer", (grid_id,))[0])
    for path in LISTS:
        assert own.get(path).json()["total"] == OWN[path]
    me = own.get("/api/me").json()
    assert me["signed_in"]
    assert not me["is_demo"]
    (area,) = me["areas"]
    assert (area["grid_id"], area["rank"]) == (grid_id, 3)
    west, south, east, north = area["bbox"]
    lon, lat = middle("g00")
    assert west < lon < east
    assert south < lat < north
    assert "see_household" in me["may"]
    assert "manage_accounts" not in me["may"]


def test_the_first_link_makes_the_administrator_once(store: Store, own: TestClient) -> None:
    with store.transaction(SYSTEM) as connection:
        forget_people(connection)
        stale, token = make_first_link(connection), make_first_link(connection)
    body = {"token": token, "login": "admin", "name": "管理员", "password": PASSWORD}
    assert own.post("/api/session/link", json={**body, "token": stale}).status_code == 403
    weak = own.post("/api/session/link", json={**body, "password": "12345678"})
    assert weak.json()["field"] == "password"
    told = own.post("/api/session/link", json=body)
    assert told.json()["role"] == "administrator"
    assert own.get("/api/households").json()["total"] == 0  # who manages accounts sees nobody
    assert own.get("/api/accounts").json()[0]["login"] == "admin"
    again = own.post("/api/session/link?lang=en", json=body)
    assert again.status_code == 403
    assert "gis-service user link" in again.json()["detail"]
    with store.transaction(SYSTEM) as connection:
        assert make_first_link(connection) is None


def test_a_copied_cookie_is_worth_nothing_after_signing_out(store: Store, own: TestClient) -> None:
    sign_in(own, make_person(store, "county_office")[0])
    copied = own.cookies["gis_session"]
    own.delete("/api/session")
    own.cookies.set("gis_session", copied)
    assert own.get("/api/actors/current").json()["role"] == "visitor"


def test_a_foreign_page_cannot_sign_in(store: Store, own: TestClient) -> None:
    foreign = {"Origin": "http://evil.example"}
    body = {"login": make_person(store, "county_office")[0], "password": PASSWORD}
    assert own.post("/api/session", json=body, headers=foreign).status_code == 403


def test_a_password_is_not_taken_over_a_line_that_others_read(
    store: Store, real_people: SmallCounty
) -> None:
    body = {"login": make_person(store, "county_office")[0], "password": PASSWORD}
    with other_client(store, "192.168.1.7", loopback_only=False) as far:
        refused = far.post("/api/session?lang=en", json=body)
        assert refused.status_code == 403
        assert "https" in refused.json()["detail"]
        assert "set-cookie" not in refused.headers


def test_signed_in_among_made_up_people_is_who_one_is(
    store: Store, small_county: SmallCounty, as_actor: As
) -> None:
    with other_client(store, "127.0.0.1", loopback_only=True) as client:
        assert client.get("/api/me").json()["is_demo"]
        sign_in(client, make_person(store, "auditor")[0])
        asked = client.get("/api/me", headers=as_actor("county_office")).json()
        assert asked["actor"]["role"] == "auditor"
        assert not asked["is_demo"]


def test_demo_actors_are_made_in_a_store_of_made_up_people_only(
    store: Store, real_people: SmallCounty
) -> None:
    with store.transaction(SYSTEM) as connection:
        with pytest.raises(NotAllowedError) as caught:
            ensure_demo_actors(connection, {})
        assert caught.value.key == "access.not_made_up"


def test_the_sign_in_page_holds_no_secret_and_leaves_no_trace(own: TestClient) -> None:
    for language, word in (("zh-CN", "登录"), ("en", "Sign in")):
        page = own.get(f"/sign-in?lang={language}")
        assert word in page.text
        assert page.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in page.headers["content-security-policy"]


# --- names and origins ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""]
)
def test_a_strange_host_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/api/actors", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_our_own_names_are_taken(client: TestClient, host: str) -> None:
    assert client.get("/api/actors", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_page_changes_nothing(
    client: TestClient, small_county: SmallCounty, headers: dict[str, str]
) -> None:
    body = {"actor_id": small_county.actors["analyst"]}
    answer = client.post("/api/actors/current", json=body, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_our_own_page_changes_things(client: TestClient, small_county: SmallCounty) -> None:
    headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    body = {"actor_id": small_county.actors["county_office"]}
    assert client.post("/api/actors/current", json=body, headers=headers).status_code == 200
    client.cookies.clear()


def test_nothing_is_shared_with_other_origins(client: TestClient) -> None:
    answer = client.get("/api/actors", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_told_from_everywhere(name: str, expected: bool) -> None:
    assert is_loopback(name) is expected


def test_a_host_header_that_is_none_has_no_name() -> None:
    assert host_name("[::1") == ""
    assert host_name("[::1]:8000") == "::1"
