"""Answers: grids as of a day, layers with tags, figures with legends, pages, health, problems."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.maps.page.vendor import script_address
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty, middle
from tests.support import SIDE, SOUTH, WEST


def get(client: TestClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- grids ----------------------------------------------------------------------------------------


def test_schemes_have_levels_and_versions(client: TestClient) -> None:
    (scheme,) = get(client, "/api/schemes")
    assert scheme["is_base"]
    assert [level["count"] for level in scheme["levels"]] == [1, 3, 9]
    assert scheme["versions"][0]["effective_day"] == "2024-07-01"


def test_a_list_is_cut_into_pages_that_add_up(client: TestClient) -> None:
    pages = [get(client, f"/api/grids?rank=3&limit=4&offset={offset}") for offset in (0, 4, 8)]
    assert {page["total"] for page in pages} == {9}
    ids = [row["grid_id"] for page in pages for row in page["items"]]
    assert len(ids) == len(set(ids)) == 9


def test_grids_are_found_by_name_and_by_code(client: TestClient) -> None:
    assert get(client, "/api/grids?q=g11")["total"] == 1
    (row,) = get(client, "/api/grids?q=g11")["items"]
    assert get(client, f"/api/grids?q={row['code'][:9]} {row['code'][9:]}")["items"] == [row]
    assert get(client, "/api/grids?q=%25")["total"] == 0


def test_a_sheet_shows_chain_code_and_version(
    client: TestClient, small_county: SmallCounty
) -> None:
    sheet = get(client, f"/api/grids/{small_county.grid_ids['g11']}")
    assert [one["name"] for one in sheet["chain"]] == ["东镇", "村1", "格g11"]
    assert "".join(sheet["code_groups"]) == sheet["code"]
    assert sheet["version"]["title"] == "第一版"
    assert sheet["counts"]["households"] == HOUSEHOLDS_PER_GRID["g11"]
    assert sheet["counts"]["care_households"] == 31
    assert sheet["counts"]["hazards_open"] == 1
    assert (sheet["counts"]["incidents_open"], sheet["counts"]["incidents_month"]) == (1, 1)


def test_officers_and_leave_are_of_the_day(client: TestClient, small_county: SmallCounty) -> None:
    path = f"/api/grids/{small_county.grid_ids['g00']}?at="
    then = get(client, path + "2025-01-01")["officers"]
    assert [(one["post"], one["name"]) for one in then] == [("A", "赵一")]
    away = get(client, path + "2025-08-15")["officers"]
    assert [(one["post"], one["on_leave"]) for one in away] == [("A", True), ("B", False)]
    back = get(client, path + "2025-09-01")["officers"]
    assert not any(one["on_leave"] for one in back)


def test_before_the_first_version_there_is_no_grid(
    client: TestClient, small_county: SmallCounty
) -> None:
    day = "?at=2024-06-30"
    assert client.get(f"/api/grids/{small_county.grid_ids['g00']}{day}").status_code == 404
    assert get(client, f"/api/grids{day}")["total"] == 0
    assert get(client, f"/api/layers/grids{day}&rank=3")["features"] == []


def test_figures_of_a_past_day_come_from_the_history(client: TestClient) -> None:
    path = "/api/layers/figures?rank=3&theme=households"
    now, then = get(client, path), get(client, path + "&at=2026-01-01")
    assert now["values"] == then["values"]


def test_a_place_has_one_grid_and_a_distance_to_its_border(
    client: TestClient, small_county: SmallCounty
) -> None:
    lon, lat = middle("g11")
    found = get(client, f"/api/locate?lon={lon}&lat={lat}")
    assert found["grid"]["grid_id"] == small_county.grid_ids["g11"]
    assert not found["outside"]
    assert found["distance_m"] == pytest.approx(488.6, abs=1)
    assert not found["on_border"]


def test_a_place_on_a_border_belongs_to_the_lowest_id_and_says_so(
    client: TestClient, small_county: SmallCounty
) -> None:
    found = get(client, f"/api/locate?lon={WEST + SIDE:.9f}&lat={SOUTH + SIDE:.9f}")
    ids = [small_county.grid_ids[key] for key in ("g00", "g10", "g01", "g11")]
    assert found["grid"]["grid_id"] == min(ids)
    assert found["on_border"]
    assert found["near_border"]
    assert found["distance_m"] == pytest.approx(0, abs=0.001)


def test_a_place_outside_names_the_nearest_grid_and_gets_none(
    client: TestClient, small_county: SmallCounty
) -> None:
    found = get(client, f"/api/locate?lon={WEST - 0.01}&lat={SOUTH + SIDE / 2}")
    assert found["outside"]
    assert found["grid"] is None
    assert found["nearest"]["grid_id"] == small_county.grid_ids["g00"]
    assert found["distance_m"] == pytest.approx(977, abs=1)


def test_an_unknown_system_is_refused(client: TestClient) -> None:
    answer = client.get("/api/locate?lon=112.9&lat=28.7&crs=mars")
    assert answer.status_code == 422
    assert answer.json()["field"] == "crs"


@pytest.mark.parametrize("q", ["112.905,28.705", "112.905 28.705", "28.705，112.905"])
def test_pasted_coordinates_are_found(
    client: TestClient, small_county: SmallCounty, q: str
) -> None:
    found = client.get("/api/search", params={"q": q}).json()[0]
    assert found["kind"] == "coordinates"
    assert found["grid_id"] == small_county.grid_ids["g00"]
    assert (found["lon"], found["lat"]) == (112.905, 28.705)


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/layers/grids?rank=3",
        "/api/layers/roads",
        "/api/layers/land",
        "/api/layers/facilities",
        "/api/layers/hazards",
        "/api/layers/incidents",
        "/api/layers/places",
        "/api/layers/buildings?bbox=112.9,28.7,113,28.8&zoom=16",
    ],
)
def test_who_holds_a_layer_is_not_sent_it_again(client: TestClient, path: str) -> None:
    first = client.get(path)
    assert first.headers["content-type"] == "application/geo+json"
    assert first.json()["type"] == "FeatureCollection"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_grids_come_with_and_without_compression(client: TestClient) -> None:
    packed = client.get("/api/layers/grids?rank=3", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/api/layers/grids?rank=3", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert len(plain.json()["features"]) == 9


def test_levels_and_details_have_tags_of_their_own(client: TestClient) -> None:
    tags = {
        client.get(f"/api/layers/grids?rank={rank}&detail={detail}").headers["etag"]
        for rank in (1, 2, 3)
        for detail in ("low", "mid", "full")
    }
    assert len(tags) == 9


def test_an_unknown_level_is_not_found(client: TestClient) -> None:
    assert client.get("/api/layers/grids?rank=7").status_code == 404
    assert client.get("/api/layers/figures?rank=7&theme=people").status_code == 404


def test_roads_show_by_zoom_and_box(client: TestClient) -> None:
    def classes(query: str) -> list[str]:
        layer = get(client, f"/api/layers/roads{query}")
        return [one["properties"]["road_class"] for one in layer["features"]]

    assert classes("") == ["primary"]
    assert classes("?zoom=18") == ["primary"]
    assert classes("?zoom=16&bbox=112.8,28.6,113,28.9") == ["primary", "residential"]
    assert classes("?zoom=16&bbox=112.924,28.70,112.93,28.71") == ["residential"]


def test_buildings_wait_for_a_near_map(client: TestClient) -> None:
    box = "bbox=112.9,28.7,112.95,28.75"
    assert get(client, f"/api/layers/buildings?{box}&zoom=14")["features"] == []
    assert get(client, "/api/layers/buildings?zoom=16")["features"] == []
    assert len(get(client, f"/api/layers/buildings?{box}&zoom=15")["features"]) == 1


def test_an_overdue_hazard_says_so(client: TestClient) -> None:
    layer = get(client, "/api/layers/hazards?status=open")
    told = {one["id"]: one["properties"]["overdue"] for one in layer["features"]}
    assert len(told) == 3
    assert sorted(told.values()) == [False, False, True]


# --- figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["households", "people", "hazards", "incidents", "fire-20"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_legend_counts_every_grid_with_a_value(
    client: TestClient, theme: str, rank: int, language: str
) -> None:
    told = get(client, f"/api/layers/figures?rank={rank}&theme={theme}&lang={language}")
    values = [value for value in told["values"].values() if value is not None]
    assert sum(line["count"] for line in told["classes"]) == len(values)
    assert len(told["classes"]) <= 5
    assert told["unit"]
    assert "api." not in json.dumps(told)


def test_load_is_shown_around_the_size_rule(client: TestClient, small_county: SmallCounty) -> None:
    told = get(client, "/api/layers/figures?rank=3&theme=households")
    place = {key: told["class_of"][str(small_county.grid_ids[key])] for key in HOUSEHOLDS_PER_GRID}
    assert place == {"g00": 0, "g10": 0, "g20": 1, "g01": 2, "g11": 3, "g21": 4}


def test_a_standard_that_was_never_measured_says_so(client: TestClient) -> None:
    told = get(client, "/api/layers/figures?rank=3&theme=service-15:clinic")
    assert told["status"] == "no_run"
    assert set(told["values"].values()) == {None}


def test_an_unknown_theme_names_the_known_ones(client: TestClient) -> None:
    for theme in ("wealth", "fire-20:bank", "service-16"):
        answer = client.get(f"/api/layers/figures?rank=3&theme={theme}&lang=en")
        assert answer.status_code == 422
        assert answer.json()["field"] == "theme"
        assert "fire-20" in answer.json()["detail"]


# --- problems -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/nothing", 404, None),
        ("/api/grids/999999", 404, None),
        ("/api/grids/x", 422, "grid_id"),
        ("/api/grids/0", 422, "grid_id"),
        ("/api/grids?limit=501", 422, "limit"),
        ("/api/grids?at=yesterday", 422, "at"),
        ("/api/grids?q=%00", 422, "q"),
        ("/api/locate?lon=nan&lat=1", 422, "lon"),
        ("/api/locate?lat=1", 422, "lon"),
        ("/api/layers/roads?bbox=1,2,3", 422, "bbox"),
        ("/api/layers/roads?bbox=3,2,1,4", 422, "bbox"),
        ("/api/hazards?status=lost", 422, "status"),
        ("/api/schemes?lang=fr", 200, None),
        ("/api/layers/figures?rank=3&theme=people&lang=fr", 422, "lang"),
        ("/api/jobs/7", 404, None),
        ("/api/coverage/runs/7/unreached", 404, None),
    ],
)
def test_what_is_wrong_is_said_where_it_is(
    client: TestClient, path: str, status: int, field: str | None
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    if status == 200:
        return
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == status
    assert told["instance"] == path.partition("?")[0]
    assert told["type"].startswith("urn:gis-service:problem:")
    assert told.get("field") == field
    assert not told["detail"].startswith("api.")
    assert not told["title"].startswith("api.")


@pytest.mark.parametrize(
    ("query", "headers", "cookie", "word"),
    [
        ("", {}, None, "网格"),
        ("?lang=en", {"Accept-Language": "zh-CN"}, None, "grid"),
        ("", {"Accept-Language": "en-GB,en;q=0.9"}, None, "grid"),
        ("", {"Accept-Language": "fr"}, None, "网格"),
        ("", {"Accept-Language": "zh"}, "en", "grid"),
    ],
)
def test_a_problem_is_said_in_the_language_asked(
    client: TestClient, query: str, headers: dict[str, str], cookie: str | None, word: str
) -> None:
    sent = {**headers, **({"Cookie": f"gis_lang={cookie}"} if cookie else {})}
    assert word in client.get(f"/api/grids/999999{query}", headers=sent).json()["detail"]


def test_a_body_that_is_none_is_a_problem(client: TestClient) -> None:
    for body in (b"{", b"[]", b'{"actor_id": "x"}', b'{"actor_id": 1, "more": 2}'):
        answer = client.post(
            "/api/actors/current", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, body
        assert answer.headers["content-type"] == "application/problem+json"


def test_what_breaks_inside_is_not_told(store: Store, small_county: SmallCounty) -> None:
    app = create_app(store, loopback_only=True)

    @app.get("/api/broken")
    def broken() -> None:
        message = "secret /path password"
        raise RuntimeError(message)

    with TestClient(
        app, "http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 1)
    ) as client:
        answer = client.get("/api/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


# --- health, page, files --------------------------------------------------------------------------


def test_health_is_good_and_names_what_is_in_force(client: TestClient) -> None:
    told = get(client, "/health")
    assert told["status"] == "ok"
    assert told["migration"]["current"] == told["migration"]["head"]
    assert told["boundaries"][0]["effective_day"] == "2024-07-01"
    assert told["jobs"] == {"stuck": 0}


def test_a_stuck_job_is_not_healthy(
    store: Store, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis_service.api.health._LOOK_EVERY_S", 0)
    with store.transaction(SYSTEM) as connection:
        job_id = connection.scalar(
            sa.insert(t.job)
            .values(
                kind="coverage_run",
                actor_id=SYSTEM.actor_id,
                arguments={},
                status="running",
                heartbeat_at=sa.func.now() - timedelta(minutes=5),
            )
            .returning(t.job.c.job_id)
        )
    try:
        answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.json()["jobs"] == {"stuck": 1}
        assert get(client, f"/api/jobs/{job_id}")["status"] == "running"
        assert get(client, "/api/jobs")["total"] == 1
    finally:
        with store.transaction(SYSTEM) as connection:
            connection.execute(sa.delete(t.job).where(t.job.c.job_id == job_id))


def test_without_a_database_health_fails_and_tells_no_address() -> None:
    lost = Store("postgresql+psycopg2://nobody:hunter2@127.0.0.1:1/nowhere", pooled=False)
    app = create_app(lost, loopback_only=True)
    with TestClient(
        app, "http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 1)
    ) as client:
        for path in ("/health", "/api/schemes"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert not [word for word in ("nobody", "hunter2", "nowhere") if word in answer.text]


def test_the_page_opens_and_may_load_from_here_only(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "网格地图" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/templates/document.html",
        "/static/js/../templates/document.html",
        "/static/js/%2e%2e/templates/document.html",
        "/static/package.json",
        "/static/js/",
        "/vendor/package.json",
        "/vendor/..%2f..%2fpyproject.toml",
        "/docs",
        "/redoc",
    ],
)
def test_no_other_file_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_versioned_file_is_kept_for_ever(client: TestClient) -> None:
    path = "/static/messages/en/api.json"
    asked = client.get(path)
    assert asked.status_code == 200
    assert asked.headers["cache-control"] == "no-cache"
    assert "immutable" in client.get(f"{path}?v=1").headers["cache-control"]


def test_a_script_is_kept_for_ever_by_the_hash_of_all(client: TestClient) -> None:
    for address, kept in (
        (script_address("main.js"), "immutable"),
        ("/static/js/main.js", "no-cache"),
        ("/static/js/0123456789ab/main.js", "no-cache"),  # of a page opened before an update
    ):
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/javascript")
        assert kept in answer.headers["cache-control"]


def test_a_library_the_browser_holds_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/vendor/leaflet.css")
    if first.status_code == 503:
        pytest.skip("the npm packages are not installed")
    again = client.get("/vendor/leaflet.css", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_answers_about_people_are_not_kept(client: TestClient) -> None:
    for path in ("/api/households", "/api/search?q=王"):
        assert client.get(path).headers["cache-control"] == "no-store"
    # Sums by grid may be held by their reader's own browser, which asks each time if they stand.
    figures = client.get("/api/layers/figures?rank=3&theme=people")
    assert figures.headers["cache-control"] == "private, no-cache"


def test_every_good_answer_is_described_by_a_model(client: TestClient) -> None:
    described = get(client, "/api/openapi.json")["paths"]
    routes = [
        (f"{method.upper()} {path}", route)
        for path, methods in described.items()
        for method, route in methods.items()
    ]
    assert len(routes) > 100
    for name, route in routes:
        good = {code: said for code, said in route["responses"].items() if code.startswith("2")}
        assert good, name
        for code, said in good.items():
            if code != "204":
                assert said.get("content"), name
                assert all(media.get("schema") for media in said["content"].values()), name


def test_the_description_has_examples_everywhere(client: TestClient) -> None:
    described = get(client, "/api/openapi.json")
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            good = route["responses"].get("200", {}).get("content", {})
            if path.startswith("/api") and method == "get":
                assert any("example" in media for media in good.values()), path
