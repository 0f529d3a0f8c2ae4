"""Names that are HTML and formulas, in every page, sheet, report and file that shows them."""

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

import openpyxl
import pytest
import sqlalchemy as sa

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.coverage.areas.service import AreaService
from gis_service.maps.page.one_file import render_map
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient

HTML: Final = "</script></style></title><img src=x onerror=alert(1)><script>alert(1)</script>\"'&"
NAME: Final = f"=1+1{HTML}"
NAMED: Final = (
    t.grid_state.c.name, t.grid_scheme.c.name, t.grid_scheme.c.name_en, t.grid_level.c.label,
    t.grid_level.c.label_en, t.facility.c.name, t.facility.c.address, t.land_cover.c.name,
    t.officer.c.name, t.incident.c.text, t.incident.c.address, t.actor.c.name, t.actor.c.name_en,
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(
    store: Store, small_county: SmallCounty, owner_engine: sa.Engine
) -> Iterator[TestClient]:
    """The drawn county, in which somebody has named everything so."""
    with owner_engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL gis.scope = 'county'"))
        for column in NAMED:
            connection.execute(sa.update(column.table).values({column: NAME + column}))
    app = create_app(store, loopback_only=True)
    with TestClient(
        app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 50000)
    ) as client:
        yield client


class Tags(HTMLParser):
    """What a browser would make of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.pictures: set[str] = set()
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a start tag brings."""
        self.attributes |= {name for name, _ in attrs}
        self._in_script = tag == "script"
        if tag == "img":
            self.pictures |= {value or "" for name, value in attrs if name == "src"}

    def handle_endtag(self, tag: str) -> None:
        """Leave a script."""
        self._in_script &= tag != "script"

    def handle_data(self, data: str) -> None:
        """Keep what runs."""
        if self._in_script:
            self.scripts.append(data)


def check_document(document: str) -> None:
    tags = Tags(document)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert "x" not in tags.pictures
    assert "alert(1)" not in tags.scripts
    for script in tags.scripts:
        assert "</" not in re.sub(r"</(?!script|style|title)", "", script)
    assert "<img src=x" not in document


def run_report(client: TestClient, store: Store, form: str) -> Any:
    wish = {"standard": "service-15", "format": form, "language": "zh-CN"}
    job = client.post("/api/reports/coverage", json=wish)
    assert job.status_code == 202, job.text
    jobs.perform(store, job.json()["job_id"])
    told = client.get(f"/api/reports/coverage/files/{job.json()['job_id']}")
    assert told.status_code == 200, told.text
    return told


@pytest.fixture(scope="module")
def measured(hostile: TestClient, store: Store) -> TestClient:
    """A run that the report is about."""
    wish = {"standard": "service-15", "scenario": "normal"}
    job = hostile.post("/api/coverage/runs", json=wish).json()["job_id"]
    jobs.perform(store, job)
    return hostile


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_page_shows_names_and_runs_none(hostile: TestClient, language: str) -> None:
    page = hostile.get(f"/?lang={language}")
    assert page.status_code == 200
    assert "=1+1" in page.text  # the names are there
    check_document(page.text)


@pytest.mark.parametrize("key", ["town", "m0", "g00"])
def test_a_printed_sheet_shows_names_and_runs_none(
    hostile: TestClient, small_county: SmallCounty, key: str
) -> None:
    sheet = hostile.get(f"/api/grids/{small_county.grid_ids[key]}/sheet?format=html")
    assert sheet.status_code == 200, sheet.text
    assert "=1+1" in sheet.text
    check_document(sheet.text)


def test_the_map_as_one_file_shows_names_and_runs_none(store: Store, hostile: TestClient) -> None:
    with store.transaction(SYSTEM) as connection:
        document = render_map(connection, SYSTEM, "en", AreaService(Snapshot()))
    assert "=1+1" in document
    check_document(document)


def test_a_report_shows_names_and_runs_none(measured: TestClient, store: Store) -> None:
    told = run_report(measured, store, "html")
    assert "=1+1" in told.text
    check_document(told.text)


def test_a_workbook_of_a_report_holds_no_formula(measured: TestClient, store: Store) -> None:
    told = run_report(measured, store, "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(told.content))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert [cell for cell in cells if str(cell.value).startswith("'=1+1")]
    assert not [cell for cell in cells if str(cell.value)[:1] in set("=@\t\r")]


def test_refused_rows_of_a_file_hold_no_formula(hostile: TestClient, store: Store) -> None:
    lines = f'编号,名称,类型,经度,纬度\n"=2+2","@SUM(A1){HTML[:9]}",nothing,1,1\n+3,\t=1,-x,a,b\n'
    sent = hostile.post("/api/imports/uploads", files={"file": ("=1.csv", lines.encode())})
    asked = {"upload": sent.json()["token"], "kind": "facilities", "crs": "cgcs2000"}
    job = hostile.post("/api/imports", json={**asked, "dry_run": True}).json()["job_id"]
    jobs.perform(store, job)
    told = hostile.get(f"/api/imports/uploads/{sent.json()['token']}/refusals.csv")
    check_table(told.content)


def test_a_file_of_places_comes_back_without_formulas(hostile: TestClient) -> None:
    lines = "=id,经度,纬度\n=1+1,112.905,28.705\n@SUM(A1),112.915,28.715\n-cmd,999,999\n"
    told = hostile.post(
        "/api/assign?crs=cgcs2000", content=lines.encode(), headers={"content-type": "text/csv"}
    )
    assert told.status_code == 200, told.text
    assert "=1+1" in told.text
    check_table(told.content)


def test_the_record_as_a_table_holds_no_formula(
    hostile: TestClient, store: Store, small_county: SmallCounty
) -> None:
    with store.transaction(SYSTEM) as connection:
        auditor = connection.scalar(
            sa.insert(t.actor)
            .values(name=NAME, name_en=NAME, role="auditor", is_demo=True)
            .returning(t.actor.c.actor_id)
        )
    headers = {"X-Gis-Actor": str(auditor)}
    assert hostile.get("/api/record", headers=headers).status_code == 200  # it is recorded
    told = hostile.get("/api/record.csv", headers=headers)
    assert told.status_code == 200, told.text
    assert "=1+1" in told.text
    check_table(told.content)


def check_table(content: bytes) -> None:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len(rows) > 1
    for row in rows:
        for cell in row:
            number = re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", cell)
            assert number or cell[:1] not in set("=+-@\t\r"), cell


def test_json_is_no_document(hostile: TestClient, small_county: SmallCounty) -> None:
    for path in (f"/api/grids/{small_county.grid_ids['g00']}", "/api/layers/facilities"):
        told = hostile.get(path)
        assert "=1+1" in json.dumps(told.json(), ensure_ascii=False)
        assert told.headers["content-type"].startswith(("application/json", "application/geo+json"))
        assert told.headers["x-content-type-options"] == "nosniff"
