"""Files handed in over HTTP: kept, tried, taken in, refused rows given back; who may, how large."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.coordinate_systems import from_cgcs2000, parse_crs
from gis_service.ingest import importing, uploads
from gis_service.settings import ImportSettings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import middle

As = Callable[[str], dict[str, str]]
GRIDS = ("g00", "g10", "g01", "g11", "g22")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "uploads"
    monkeypatch.setattr(uploads, "_folder", lambda: place)
    return place


def table(name: str, crs: str = "cgcs2000", bad: str = "", grids: tuple[str, ...] = GRIDS) -> bytes:
    """Facilities as a county writes them; ``bad`` adds a row that cannot be taken."""
    lines = ["编号,名称,类型,经度,纬度"]
    for number, key in enumerate(grids):
        lon, lat = (float(value) for value in from_cgcs2000(parse_crs(crs), *middle(key)))
        lines.append(f"{name}{number},{name}卫生室{number},clinic,{lon:.7f},{lat:.7f}")
    if bad:
        lines.append(bad)
    return "\n".join(lines).encode()


def handed_in(client: TestClient, content: bytes, name: str = "设施.csv", **options: Any) -> Any:
    return client.post("/api/imports/uploads", files={"file": (name, content)}, **options)


def run(client: TestClient, store: Store, token: str, **asked: Any) -> Any:
    body = {"upload": token, "kind": "facilities", "dry_run": True, **asked}
    answer = client.post("/api/imports", json=body)
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job_id"]
    jobs.perform(store, job_id)
    return client.get(f"/api/imports/jobs/{job_id}").json()


def facilities(store: Store, name: str) -> int:
    query = sa.select(sa.func.count()).where(t.facility.c.key.like(f"{name}%"))
    with store.transaction(SYSTEM) as connection:
        return int(connection.scalar(query.select_from(t.facility)) or 0)


def test_a_file_is_tried_then_taken_in_and_then_changes_nothing(
    client: TestClient, store: Store, folder: Path
) -> None:
    content = table("A")
    token = handed_in(client, content).json()["token"]
    tried = run(client, store, token, crs="cgcs2000")
    assert tried["status"] == "done", tried
    assert (tried["result"]["new"], tried["result"]["refused_count"]) == (5, 0)
    assert tried["result"]["import_id"] is None
    matched = {one["field"]: one["file"] for one in tried["result"]["columns"]}
    assert (matched["name"], matched["key"], matched["lon"]) == ("名称", "编号", "经度")
    assert facilities(store, "A") == 0

    done = run(client, store, token, crs="cgcs2000", dry_run=False)
    assert done["result"]["new"] == facilities(store, "A") == 5
    assert not (folder / token).exists()
    past = client.get("/api/imports").json()["items"][0]
    assert (past["kind"], past["source_name"], past["counts"]["new"]) == (
        "facilities",
        "设施.csv",
        5,
    )

    again = handed_in(client, content).json()["token"]
    same = run(client, store, again, crs="cgcs2000")["result"]
    assert (same["new"], same["changed"], same["same"]) == (0, 0, 5)


def test_rows_that_cannot_be_taken_are_listed_and_given_back(
    client: TestClient, store: Store
) -> None:
    token = handed_in(client, table("B", bad="B9,某室,pub,112.9,28.7")).json()["token"]
    done = run(client, store, token, crs="cgcs2000", dry_run=False)
    (refused,) = done["result"]["refused"]
    assert (refused["row"], refused["field"]) == (7, "类型")
    assert facilities(store, "B") == 5
    path = f"/api/imports/uploads/{token}/refusals.csv"
    answer = client.get(path)
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[1][:2] == ["7", "B9"]
    past = f"/api/imports/{done['result']['import_id']}/refusals.csv"
    said = {
        lang: client.get(f"{past}?lang={lang}").content.decode("utf-8-sig")
        for lang in ("zh-CN", "en")
    }
    assert "类型" in said["zh-CN"]
    assert said["zh-CN"] != said["en"]


def test_results_speak_the_readers_language(client: TestClient, store: Store) -> None:
    token = handed_in(client, table("C", bad="C9,某室,clinic,999,28.7")).json()["token"]
    job_id = run(client, store, token, crs="cgcs2000")["job_id"]
    chinese, english = (
        client.get(f"/api/imports/jobs/{job_id}?lang={lang}").json()["result"]["refused"][0]
        for lang in ("zh-CN", "en")
    )
    assert chinese["reason"] != english["reason"]
    assert "in_english" not in client.get(f"/api/imports/jobs/{job_id}").json()["result"]


def test_a_file_without_a_system_is_held_back_until_one_is_stated(
    client: TestClient, store: Store
) -> None:
    token = handed_in(client, table("D")).json()["token"]
    failed = run(client, store, token)
    assert failed["status"] == "failed"
    assert failed["problem"]
    assert "crs" in failed["error"]


def test_a_shifted_file_names_the_system_that_fits(client: TestClient, store: Store) -> None:
    content = table("E", crs="gcj02", grids=("g20", "g21", "g22"))
    token = handed_in(client, content).json()["token"]
    failed = run(client, store, token, crs="wgs84")
    assert failed["status"] == "failed"
    assert failed["values"]["fits"] in {"gcj02", "bd09"}
    assert facilities(store, "E") == 0
    assert run(client, store, token, crs="gcj02")["result"]["new"] == 3
    taken = run(client, store, token, crs="wgs84", accept_shift=True)
    assert taken["result"]["new"] == 3


def test_columns_can_be_matched_by_hand(client: TestClient, store: Store) -> None:
    content = table("F").replace("编号,名称".encode(), "甲,牌子".encode())
    token = handed_in(client, content).json()["token"]
    failed = run(client, store, token, crs="cgcs2000")
    assert failed["status"] == "failed"
    assert "牌子" in failed["values"]["columns"]
    tried = run(client, store, token, crs="cgcs2000", key="甲", columns={"name": "牌子"})
    assert tried["result"]["new"] == 5
    matched = {one["field"]: one["file"] for one in tried["result"]["columns"]}
    assert (matched["key"], matched["name"]) == ("甲", "牌子")


def test_what_is_asked_wrongly_is_said_beside_its_field(client: TestClient) -> None:
    token = handed_in(client, table("G")).json()["token"]
    asked = {"upload": token, "kind": "facilities", "dry_run": True}
    wrong = client.post("/api/imports", json={**asked, "crs": "mars"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "crs")
    assert client.post("/api/imports", json={**asked, "kind": "dragons"}).status_code == 404
    for name in ("0" * 32, "../../etc/passwd", ""):
        assert client.post("/api/imports", json={**asked, "upload": name}).status_code == 404


# --- the file itself ---------------------------------------------------------------------------


def test_an_upload_lies_under_a_name_of_ours_and_is_thrown_away_on_request(
    client: TestClient, folder: Path
) -> None:
    kept = handed_in(client, b"a,b\n1,2\n", "../../x/..\\evil.csv").json()
    assert kept["name"] == "evil.csv"
    assert {file.name for file in folder.iterdir()} == {kept["token"], f"{kept['token']}.json"}
    path = f"/api/imports/uploads/{kept['token']}"
    assert client.get(path).json() == kept
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert list(folder.iterdir()) == []


def test_a_file_that_is_too_large_or_empty_is_refused_and_leaves_nothing(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ImportSettings(max_file_mb=1)
    monkeypatch.setattr(uploads, "import_settings", lambda: small)
    monkeypatch.setattr("gis_service.api.body_limit.import_settings", lambda: small)
    too_large = handed_in(client, b"x" * (1024 * 1024 + 1))
    assert too_large.status_code == 413
    assert "1 MB" in too_large.json()["detail"]
    said = handed_in(client, b"x" * (3 * 1024 * 1024))
    assert said.status_code == 413
    empty = handed_in(client, b"")
    assert (empty.status_code, empty.json()["field"]) == (422, "file")
    assert client.post("/api/imports/uploads", data={"other": "x"}).status_code == 422
    assert [file for file in folder.glob("*") if file.is_file()] == []


def test_old_uploads_are_forgotten(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = handed_in(client, b"a\n1\n").json()["token"]
    monkeypatch.setattr(uploads, "import_settings", lambda: ImportSettings(keep_days=0))
    uploads.forget_old_uploads()
    assert not (folder / token).exists()


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("房屋.csv", "房屋.csv"),
        ("a/b/c.geojson.gz", "c.geojson.gz"),
        ("C:\\data\\地块.SHP", "地块.SHP"),
        ("", "file"),
        ("..", "file"),
        ("x" * 300 + ".gpkg", "x" * 115 + ".gpkg"),
    ],
)
def test_a_senders_name_is_only_ever_a_name(given: str, plain: str) -> None:
    assert uploads.clean_name(given) == plain


# --- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["analyst", "grid_officer", "visitor"])
def test_only_the_county_office_and_planners_hand_in_files(
    client: TestClient, as_actor: As, role: str
) -> None:
    headers = as_actor(role)
    assert client.get("/api/imports", headers=headers).status_code == 403
    assert client.get("/api/imports/kinds", headers=headers).status_code == 403
    assert handed_in(client, b"a\n1\n", headers=headers).status_code == 403
    body = {"upload": "0" * 32, "kind": "facilities", "dry_run": True}
    assert client.post("/api/imports", json=body, headers=headers).status_code == 403


def test_somebody_elses_upload_is_not_found(client: TestClient, store: Store, as_actor: As) -> None:
    token = handed_in(client, table("H")).json()["token"]
    with store.transaction(SYSTEM) as connection:
        other = connection.scalar(
            sa.insert(t.actor)
            .values(name="规划员", name_en="planner", role="planner", is_demo=True)
            .returning(t.actor.c.actor_id)
        )
    headers = {"X-Gis-Actor": str(other)}
    assert client.get(f"/api/imports/uploads/{token}", headers=headers).status_code == 404
    assert client.get(f"/api/imports/uploads/{token}").status_code == 200


def test_every_kind_is_offered_with_its_fields(client: TestClient) -> None:
    kinds = client.get("/api/imports/kinds?lang=en").json()["kinds"]
    assert {kind["name"] for kind in kinds} == set(importing.list_kinds())
    for kind in kinds:
        assert not kind["title"].startswith("imports.")
        assert not any(about.split(".")[0] == about.lower() for about in kind["extra"].values())
