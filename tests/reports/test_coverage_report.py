"""A coverage report: what it states, what it hides, the same bytes for the same run."""

import hashlib
import io
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pypdfium2
import pytest
import shapely
import sqlalchemy as sa
from defusedxml.ElementTree import fromstring

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM, Actor
from gis_service.coverage.areas.answers import AreaBand, NamedDistrict, NamedPiece
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.measuring.statistics import COUNTY_GRID
from gis_service.coverage.measuring.summary import Figures
from gis_service.coverage.runs import runs
from gis_service.coverage.standards.book import translate_source
from gis_service.coverage.travel.travel_time import STATUS_NAMES
from gis_service.errors import InputError, NotAllowedError, NotFoundError
from gis_service.messages import LANGUAGES, Language, all_texts, text
from gis_service.reports import report_job
from gis_service.reports.coverage import (
    FORMATS,
    CoverageReport,
    Format,
    ReportOptions,
    parse_formats,
    read_report,
)
from gis_service.reports.document import Document
from gis_service.reports.geopackage import write_geopackage
from gis_service.reports.hiding import ReportGrid, _grid_line, by_fives
from gis_service.reports.page_file import write_page
from gis_service.reports.reading import band_limits
from gis_service.reports.workbook import write_workbook
from gis_service.reports.writing import Writer
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty, TestClient, client, small_county

__all__ = ["client", "small_county"]

AREAS = AreaService(Snapshot())
VISITOR = Actor(0, "访客", "Visitor", "visitor")
TOTAL = sum(HOUSEHOLDS_PER_GRID.values()) + 1
AGAIN = """
import hashlib, sys
import sqlalchemy as sa
from gis_service.access import SYSTEM
from gis_service.coverage.areas.service import AreaService
from gis_service.reports.coverage import ReportOptions, read_report
from gis_service.snapshot import Snapshot
from gis_service.store import Store

store = Store(sa.make_url(sys.argv[1]))
with store.transaction(SYSTEM) as connection:
    options = ReportOptions("service-15", run_id=int(sys.argv[2]))
    report = read_report(connection, SYSTEM, options, AreaService(Snapshot()))
for form in sys.argv[3:]:
    print(hashlib.sha256(report.write_body(form)).hexdigest())
store.close()
"""


@pytest.fixture(scope="module")
def run_id(store: Store, small_county: SmallCounty) -> int:
    assert small_county.grid_ids
    return int(runs.measure(store, SYSTEM, "service-15")["run_id"])


@pytest.fixture(scope="module")
def connection(store: Store, run_id: int) -> Iterator[sa.Connection]:
    assert run_id
    with store.transaction(SYSTEM) as connection:
        yield connection


@pytest.fixture(scope="module", params=LANGUAGES)
def report(chinese: CoverageReport, request: pytest.FixtureRequest) -> CoverageReport:
    """The same facts in each language: read once."""
    language: Language = request.param
    facts, ground = chinese.document.facts, chinese.document.ground
    if language == chinese.document.writer.language:
        return chinese
    return CoverageReport(Document(facts, ground, Writer(facts, language)))


@pytest.fixture(scope="module")
def chinese(connection: sa.Connection) -> CoverageReport:
    return read_report(connection, SYSTEM, ReportOptions("service-15"), AREAS)


@pytest.fixture(scope="module")
def bodies(chinese: CoverageReport) -> dict[Format, bytes]:
    return {form: chinese.write_body(form) for form in FORMATS}


def words(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return re.sub(r"\s", "", text)


def everything(bodies: dict[Format, bytes], folder: Path) -> dict[str, str]:
    """What can be read in each file."""
    book = openpyxl.load_workbook(io.BytesIO(bodies["xlsx"]))
    cells = (str(cell) for sheet in book for row in sheet.iter_rows(values_only=True)
             for cell in row)  # fmt: skip
    file = folder / "report.gpkg"
    file.write_bytes(bodies["gpkg"])
    with closing(sqlite3.connect(file)) as database:
        rows = "\n".join(database.iterdump())
    return {"pdf": words(bodies["pdf"]), "html": bodies["html"].decode(), "xlsx": " ".join(cells),
            "gpkg": rows}  # fmt: skip


def test_the_same_run_gives_the_same_bytes_in_another_process(
    store: Store, run_id: int, bodies: dict[Format, bytes]
) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    process = subprocess.run(
        [sys.executable, "-c", AGAIN, url, str(run_id), *FORMATS],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        check=True,
        capture_output=True,
        text=True,
    )
    again = dict(zip(FORMATS, process.stdout.split(), strict=True))
    assert again == {form: hashlib.sha256(body).hexdigest() for form, body in bodies.items()}


def test_every_format_states_what_the_figures_stand_on(
    chinese: CoverageReport, bodies: dict[Format, bytes], tmp_path: Path
) -> None:
    run = chinese.run
    for form, said in everything(bodies, tmp_path).items():
        plain = re.sub(r"\s", "", said)
        for expected in (
            "15分钟服务圈", "service-15", "平常", "步行", "第一版", "2024年7月1日起施行",
            "EPSG:4490", run.software_version, "门到路按步行4公里/时计入", run.fingerprint,
            "GB50180-2018", "路网", "数据日期",
        ):  # fmt: skip
            assert expected in plain, (form, expected)


def test_nobody_stands_in_any_format(bodies: dict[Format, bytes], tmp_path: Path) -> None:
    for form, said in everything(bodies, tmp_path).items():
        for personal in ("王小明", "13812345678", "东街0号", "lives_alone", "张三", "赵一"):
            assert personal not in said, (form, personal)


def test_a_grid_of_one_household_is_not_told_and_nothing_gives_it_away(
    chinese: CoverageReport, small_county: SmallCounty
) -> None:
    facts = chinese.document.facts
    lines = {one.grid_id: one for rank in (1, 2, 3) for one in facts.of_rank(rank)}
    small = lines[small_county.grid_ids["g00"]]
    assert small.n is small.share is small.median_minutes is None
    assert lines[small_county.grid_ids["g21"]].n == 500
    # One household lies in no grid: with the town's number it could be told from the county's.
    assert facts.whole.n == TOTAL
    assert facts.outside is not None
    assert facts.outside.n is lines[small_county.grid_ids["town"]].n is None


@pytest.mark.parametrize(
    ("hidden", "is_timed"), [((), True), ((0, 1), False), ((1, 2), False), ((2, 3), True)]
)
def test_minutes_tell_no_category_that_is_hidden(
    *, hidden: tuple[int, ...], is_timed: bool
) -> None:
    # A worst time within the limit would say that nobody of the grid is too far.
    figure = Figures("households", 68, 68, 0, 0, 0, 1.0, "ok", 11.2, 15.7, 16.1)
    mask = [place in hidden for place in range(4)]
    grids = {COUNTY_GRID: ReportGrid("", "县", 0, COUNTY_GRID)}
    line = _grid_line(COUNTY_GRID, grids, figure, hide_n=False, hide_cells=mask)
    minutes = (line.median_minutes, line.p90_minutes, line.worst_minutes)
    assert minutes == ((11.2, 15.7, 16.1) if is_timed else (None, None, None))
    assert (line.share is None) == (0 in hidden)


def test_what_is_hidden_is_in_no_file(
    bodies: dict[Format, bytes], tmp_path: Path, small_county: SmallCounty
) -> None:
    file = tmp_path / "report.gpkg"
    file.write_bytes(bodies["gpkg"])
    grids = gpd.read_file(file, layer="grids_3").set_index("grid_id")
    assert grids.crs.to_epsg() == 4490
    with (
        closing(sqlite3.connect(file)) as database,
        database,
    ):  # a newer GeoPackage makes QGIS 3.22 warn
        assert database.execute("PRAGMA user_version").fetchone() == (10300,)
    hidden = grids.loc[small_county.grid_ids["g00"]]
    for column in ("n", "share", "median_minutes", "people_n"):
        assert pd.isna(hidden[column]), column
    for column in STATUS_NAMES:  # where the county has none of it, the grid has none either
        assert pd.isna(hidden[column]) or hidden[column] == 0, column
    assert any(pd.isna(hidden[column]) for column in STATUS_NAMES)
    book = openpyxl.load_workbook(io.BytesIO(bodies["xlsx"]))
    rows = [row for row in book["基础网格"].iter_rows(values_only=True) if row[1] == "格g00"]
    assert [cell for cell in rows[0][3:] if cell is not None and cell != 0] == []


def test_the_workbook_has_numbers_and_frozen_heads(bodies: dict[Format, bytes]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(bodies["xlsx"]))
    sheet = book["基础网格"]
    assert sheet.freeze_panes == "A2"
    row = next(row for row in sheet.iter_rows() if row[1].value == "格g21")
    assert row[3].value == 500
    assert row[3].number_format == "#,##0"
    assert isinstance(row[8].value, (int, float))
    assert row[8].number_format == "0.0%"
    assert {"概要", "各类设施", "设施", "时间分布", "计算依据"} <= set(book.sheetnames)
    whole = {row[0]: row[1] for row in book["概要"].iter_rows(values_only=True) if row}
    assert whole["户数"] == TOTAL


def test_the_page_asks_nobody_for_anything(bodies: dict[Format, bytes]) -> None:
    written = bodies["html"].decode()
    assert not re.search(r"<script[^>]*\ssrc=|<link\b|@import", written)
    assert not re.search(r"""url\(\s*["']?https?:""", written)
    assert "leaflet" in written
    assert not re.search(r"_[0-9a-f]{32}\b", re.sub(r"_0{20}\d{12}", "", written))


def test_the_contents_of_the_page_leave_no_number_empty(chinese: CoverageReport) -> None:
    written = write_page(chinese.document)
    # The map stands above them: hidden with its number, not only its words.
    assert written.count('<li hidden><a href="#coverage-map">') == 1
    assert '<li><a href="#coverage-map">' not in written


def test_it_speaks_the_readers_language_throughout(report: CoverageReport) -> None:
    language = report.document.writer.language
    page = report.document.html()
    assert f'<html lang="{language}">' in page
    assert not re.search(r">\s*(reports|page|sheet|coverage)\.\w+", page)
    known = set(all_texts(language))
    unnamed = [one.name for one in report.document.writer.settings() if "_" in one.name]
    assert unnamed == []
    assert "reports.title" in known


def test_every_page_but_the_cover_is_numbered(bodies: dict[Format, bytes]) -> None:
    document = pypdfium2.PdfDocument(bodies["pdf"])
    pages = [re.sub(r"\s", "", page.get_textpage().get_text_range()) for page in document]
    document.close()
    assert len(pages) > 4
    assert "页，共" not in pages[0]
    for number, said in enumerate(pages[1:], start=2):
        assert f"第{number}页，共{len(pages)}页" in said


def test_the_report_is_for_those_who_see_the_whole_county(connection: sa.Connection) -> None:
    with pytest.raises(NotAllowedError):
        read_report(connection, VISITOR, ReportOptions("service-15"), AREAS)


def test_a_standard_that_was_never_measured_says_so(connection: sa.Connection) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_report(
            connection,
            SYSTEM,
            ReportOptions("fire-20", scenario="emergency_privilege"),
            AREAS,
        )
    assert "emergency_privilege" in caught.value.say("zh-CN")


def test_two_runs_of_a_standard_are_compared(store: Store, run_id: int) -> None:
    later = int(runs.measure(store, SYSTEM, "service-15", "emergency_privilege")["run_id"])
    wish = ReportOptions("service-15", run_id=later, language="en", compare=run_id)
    with store.transaction(SYSTEM) as connection:
        report = read_report(connection, SYSTEM, wish, AREAS, with_bands=False)
    before = report.document.facts.before
    assert before is not None
    assert before.differs[0] == "scenario"
    assert "settings" in before.differs
    rows = report.document.compared_rows()
    assert rows[0][1] == rows[0][2]  # on foot one-way counts in neither
    assert rows[0][3] == "0"
    assert f"Compared with run {run_id}" in report.document.parts
    assert "Compared" in openpyxl.load_workbook(io.BytesIO(report.write_body("xlsx"))).sheetnames


def test_qgis_opens_the_geopackage_coloured(bodies: dict[Format, bytes], tmp_path: Path) -> None:
    file = tmp_path / "report.gpkg"
    file.write_bytes(bodies["gpkg"])
    shown = [str(name) for name, kind in pyogrio.list_layers(file) if kind is not None]
    styles = gpd.read_file(file, layer="layer_styles").set_index("f_table_name")
    assert sorted(styles.index) == sorted(shown)
    assert set(styles["useAsDefault"]) == {True}
    assert set(styles["f_table_schema"]) == {""}  # QGIS asks for exactly this
    for name in shown:
        style = fromstring(styles.loc[name, "styleQML"])
        rules, symbols = style.findall(".//rule"), style.findall(".//symbol")
        assert [one.get("symbol") for one in rules] == [one.get("name") for one in symbols]
        columns = set(gpd.read_file(file, layer=name, rows=1).columns)
        asked = {
            word for rule in rules for word in re.findall(r'"(\w+)"', rule.get("filter") or "")
        }
        assert asked <= columns, name
    assert len(fromstring(styles.loc["grids_3", "styleQML"]).findall(".//rule")) == 6


@pytest.mark.parametrize(
    ("limit", "ends"),
    [(20, (5, 10, 20)), (15, (5, 10, 15)), (10, (3, 5, 10)), (5, (1, 3, 5)), (1, (1,))],
)
def test_bands_end_at_whole_minutes(limit: float, ends: tuple[float, ...]) -> None:
    assert band_limits(float(limit)) == ends


def test_the_bands_can_be_switched_on_in_the_page(chinese: CoverageReport) -> None:
    near, far = shapely.box(112.9, 28.7, 112.91, 28.71), shapely.box(112.91, 28.7, 112.92, 28.71)
    facts = replace(
        chinese.document.facts, bands=(AreaBand(0.0, 7.5, near), AreaBand(7.5, 15.0, far))
    )
    writer = replace(chinese.document.writer, facts=facts)
    written = write_page(Document(facts, chinese.document.ground, writer))
    assert "0–7.5 分钟" in written
    assert written.count("112.91, 28.7]") > write_page(chinese.document).count("112.91, 28.7]")


def test_districts_are_told_with_what_is_wrong_with_them(
    report: CoverageReport, tmp_path: Path
) -> None:
    square = shapely.MultiPolygon([shapely.box(112, 28, 112.1, 28.1)])
    piece = NamedPiece("东村", 1.25, 112.05, 28.05, square)
    crossing = {"kind": "river", "name": "", "beyond_km2": 3.04}
    nobody = NamedDistrict(None, "", "", 900.0, None, False, (), (), square)
    why = ("the word itself",)
    first = NamedDistrict(7, "一站", "first", 7.5, 7.0, True, (crossing,), (piece,), square, why)
    fits = NamedDistrict(8, "二站", "first", 6.5, 7.0, False, (), (), square, why)
    facts = replace(report.document.facts, districts=(fits, first, nobody))
    writer = replace(report.document.writer, facts=facts)
    document = Document(facts, report.document.ground, writer)
    rows = document.district_rows()
    assert [row[0] for row in rows[:2]] == ["一站", "二站"]
    assert rows[0][1:3] == ["7.5", "7"]
    assert rows[0][3] != rows[1][3]
    assert "3.0" in rows[0][4]
    assert "东村" in rows[0][5]
    assert rows[2][2:] == ["", "", "", ""]  # nobody's ground has no limit
    town = NamedDistrict(9, "镇站", "town", 99.0, None, False, (), (), square)
    assert [writer.verdict(one) for one in (town, nobody)] == [
        writer.say("district_no_limit"),
        "",
    ]
    assert writer.limits() == [
        writer.say(
            "district_limit_of",
            limit="7",
            stations=2,
            source=translate_source(*why, writer.language),
        )
    ]
    assert f'<p class="muted">{writer.limits()[0]}</p>' in document.parts
    assert 'href="#districts"' in document.parts
    book = openpyxl.load_workbook(io.BytesIO(write_workbook(facts, writer)))
    listed = [row[0] for row in book[writer.say("section_districts")].iter_rows(values_only=True)]
    assert listed[1:] == ["二站", "一站", writer.say("district_nobody")]
    file = tmp_path / "districts.gpkg"
    file.write_bytes(write_geopackage(facts, writer))
    assert list(gpd.read_file(file, layer="districts")["too_large"]) == [False, True, False]


def test_the_first_pages_are_shown_as_they_are_printed(
    chinese: CoverageReport, bodies: dict[Format, bytes]
) -> None:
    pages, pictures = chinese.draw_pictures(2, 40)
    document = pypdfium2.PdfDocument(bodies["pdf"])
    assert pages == len(document)
    document.close()
    assert [one[:8] for one in pictures] == [b"\x89PNG\r\n\x1a\n"] * 2


def test_runs_of_two_standards_are_not_compared(store: Store, run_id: int) -> None:
    other = int(runs.measure(store, SYSTEM, "fire-20")["run_id"])
    with store.transaction(SYSTEM) as connection, pytest.raises(InputError) as caught:
        read_report(
            connection,
            SYSTEM,
            ReportOptions("service-15", run_id=run_id, compare=other),
            AREAS,
        )
    assert "fire-20" in caught.value.say("en")


@pytest.mark.parametrize("given", ["docx", "pdf,doc", "", " , "])
def test_an_unknown_format_is_refused(given: str) -> None:
    with pytest.raises(InputError):
        parse_formats(given)


def test_formats_are_taken_once_in_order() -> None:
    assert parse_formats("xlsx, PDF,xlsx") == ["xlsx", "pdf"]


@pytest.mark.parametrize(("number", "told"), [(5, 5), (7, 5), (8, 10), (12, 10), (1263, 1265)])
def test_places_are_told_to_the_nearest_five(number: int, told: int) -> None:
    assert by_fives(number) == told


@pytest.mark.usefixtures("run_id")
def test_it_is_handed_out_over_http(client: TestClient, small_county: SmallCounty) -> None:
    headers = {"x-gis-actor": str(small_county.actors["county_office"])}
    where = "/api/reports/coverage?standard=service-15&format=xlsx&language=en"
    answer = client.get(where, headers=headers)
    assert answer.status_code == 200
    assert re.search(
        r'filename="coverage-service-15-\d+-en\.xlsx"', answer.headers["content-disposition"]
    )
    assert openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames[0] == "Summary"
    officer = {"x-gis-actor": str(small_county.actors["grid_officer"])}
    assert client.get(where, headers=officer).status_code == 403
    assert client.get(where.replace("xlsx", "doc"), headers=headers).status_code == 422


def test_it_is_written_by_a_job_and_kept(
    store: Store, client: TestClient, small_county: SmallCounty, run_id: int
) -> None:
    headers = {"x-gis-actor": str(small_county.actors["county_office"])}
    asked = {"standard": "service-15", "format": "xlsx", "language": "en"}
    answer = client.post("/api/reports/coverage", json=asked, headers=headers)
    assert answer.status_code == 202
    job_id = answer.json()["job_id"]
    file = f"/api/reports/coverage/files/{job_id}"
    assert client.get(file, headers=headers).status_code == 404
    told: list[tuple[float, str]] = []
    wish: dict[str, Any] = {
        "standard": "service-15", "scenario": "normal", "run_id": None, "compare": None,
        "form": "xlsx", "language": "en",
    }  # fmt: skip
    by_hand = report_job.report_as_job(
        store, SYSTEM, wish, lambda share, step: told.append((share, step))
    )
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert all(text(step, language) != step for _, step in told for language in LANGUAGES)
    jobs.perform(store, job_id)
    taken = client.get(file, headers=headers)
    assert taken.status_code == 200
    assert hashlib.sha256(taken.content).hexdigest() == by_hand["sha256"]  # the same bytes
    assert by_hand["run_id"] == run_id
    assert re.search(
        r'filename="coverage-service-15-\d+-en\.xlsx"', taken.headers["content-disposition"]
    )
    other = {"x-gis-actor": str(small_county.actors["grid_officer"])}
    assert client.get(file, headers=other).status_code == 404
    for path in report_job.report_folder().iterdir():
        assert path.suffix != ".part"
        path.unlink()
    gone = client.get(file, headers=headers)
    assert gone.status_code == 404
    assert gone.json()["detail"]


def test_a_report_that_cannot_be_starts_no_job(
    client: TestClient, small_county: SmallCounty
) -> None:
    for role, asked, status in (
        ("grid_officer", {"standard": "service-15"}, 403),
        ("county_office", {"standard": "service-5"}, 404),
        ("county_office", {"standard": "service-15", "format": "doc"}, 422),
    ):
        headers = {"x-gis-actor": str(small_county.actors[role])}
        answer = client.post("/api/reports/coverage", json=asked, headers=headers)
        assert answer.status_code == status


def test_a_cancelled_report_leaves_no_file(
    store: Store, run_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"standard": "service-15", "run_id": run_id, "form": "xlsx", "language": "en"}
    monkeypatch.setattr(report_job, "report_folder", lambda: tmp_path / "reports")
    job_id = jobs.submit(store, SYSTEM, report_job.KIND, wish)
    body = CoverageReport.write_body

    def write_and_be_cancelled(report: CoverageReport, form: Any) -> bytes:
        jobs.cancel(store, SYSTEM, job_id)
        return body(report, form)

    monkeypatch.setattr(CoverageReport, "write_body", write_and_be_cancelled)
    jobs.perform(store, job_id)
    with store.transaction(SYSTEM) as connection:
        assert job_queries.find_job(connection, job_id).status == "cancelled"
    assert not (tmp_path / "reports").exists()


def test_a_share_is_never_rounded_to_all_or_none(chinese: CoverageReport) -> None:
    percent = chinese.document.writer.percent
    said = [percent(share) for share in (0, 17 / 200_011, 0.001, 0.99999, 1)]
    assert said == ["0.0%", "<0.1%", "0.1%", "99.9%", "100.0%"]
