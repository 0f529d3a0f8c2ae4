"""Files handed in on the page: tried, matched by hand, put right, refused rows shown."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.coordinate_systems import from_cgcs2000, parse_crs
from gis_service.ingest import uploads
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import middle
from tests.browser.conftest import DESK, PHONE, SmallCounty, Watched

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("county_page_ready")]

Look = Callable[..., Watched]
SAID = {
    "zh-CN": {"crs": "坐标系", "use": "改用", "refused": "第 5 行", "done": "已导入"},
    "en": {"crs": "coordinate system", "use": "Try again", "refused": "row 5", "done": "Imported"},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_folder", lambda: tmp_path / "uploads")


def shops(path: Path, crs: str, header: str = "编号,店名,类别,等级,经度,纬度") -> Path:
    lines = [header]
    for number, key in enumerate(("g20", "g21", "g22")):
        lon, lat = (float(value) for value in from_cgcs2000(parse_crs(crs), *middle(key)))
        lines.append(f"{path.stem}{number},福来{number}号店,商铺,B,{lon:.7f},{lat:.7f}")
    lines.append(f"{path.stem}9,坏店,商铺,Z,112.9,28.7")
    path.write_bytes("\n".join(lines).encode("gb18030"))
    return path


def doing(page: Page, store: Store, act: Callable[[], Any]) -> None:
    """Click, and do the job that this asks for."""
    with page.expect_response(
        lambda answer: (
            answer.request.method == "POST" and answer.url.split("?")[0].endswith("/api/imports")
        )
    ) as got:
        act()
    jobs.perform(store, got.value.json()["job_id"])


def try_it(page: Page, store: Store) -> None:
    doing(page, store, lambda: page.locator(".import-form [type=submit]").click())


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_shifted_file_is_put_right_tried_and_taken_in(
    look: Look, store: Store, tmp_path: Path, language: str, size: dict[str, int]
) -> None:
    said = SAID[language]
    name = f"{language[:2]}{size['width']}"
    page = look(size).open(f"?lang={language}&view=import")
    page.select_option("#import-kind", "premises")
    page.set_input_files("#import-file", shops(tmp_path / f"{name}.csv", "gcj02"))
    expect(page.locator(".dropped")).to_contain_text(f"{name}.csv")

    try_it(page, store)
    expect(page.locator("#import-crs-fault")).to_contain_text(said["crs"])
    page.select_option("#import-crs", "wgs84")
    try_it(page, store)
    fix = page.locator(".import-result .filled")
    expect(fix).to_contain_text(said["use"])
    doing(page, store, fix.click)
    expect(page.locator(".refused")).to_contain_text(said["refused"])
    with store.transaction(SYSTEM) as connection:
        mine = t.premises.c.key.like(f"{name}%")
        count = sa.select(sa.func.count()).select_from(t.premises).where(mine)
        assert connection.scalar(count) == 0

    page.reload()
    expect(page.locator("#import-go")).to_contain_text("3")
    doing(page, store, page.locator("#import-go").click)
    expect(page.locator(".import-result h3").first).to_contain_text(said["done"])
    with page.expect_download() as got:
        page.locator(".import-result a.button").click()
    assert "坏店" in Path(got.value.path()).read_text("utf-8-sig")
    expect(page.locator(".past")).to_contain_text(f"{name}.csv")
    with store.transaction(SYSTEM) as connection:
        assert connection.scalar(count) == 3


def test_a_column_that_is_not_recognised_is_chosen(
    look: Look, store: Store, tmp_path: Path
) -> None:
    page = look().open("?lang=zh-CN&view=import")
    page.select_option("#import-kind", "premises")
    file = shops(tmp_path / "cols.csv", "wgs84", "甲列,店名,类别,等级,经度,纬度")
    page.set_input_files("#import-file", file)
    expect(page.locator(".dropped")).to_contain_text("cols.csv")
    page.select_option("#import-crs", "wgs84")
    try_it(page, store)
    expect(page.locator(".import-result .trouble")).to_contain_text("编号")
    page.select_option("#column-of-key", "甲列")
    doing(page, store, page.locator(".matching .button").click)
    expect(page.locator("#import-go")).to_contain_text("3")


def test_what_is_missing_is_said_before_anything_is_sent(look: Look) -> None:
    page = look().open("?lang=en&view=import")
    page.locator(".import-form [type=submit]").click()
    expect(page.locator("#import-kind-fault")).to_be_visible()
    page.select_option("#import-kind", "buildings")
    page.locator(".import-form [type=submit]").click()
    expect(page.locator("#import-file-fault")).to_be_visible()


def test_a_waiting_import_is_stopped(look: Look, store: Store, tmp_path: Path) -> None:
    page = look().open("?lang=zh-CN&view=import")
    page.select_option("#import-kind", "premises")
    page.set_input_files("#import-file", shops(tmp_path / "stop.csv", "wgs84"))
    expect(page.locator(".dropped")).to_contain_text("stop.csv")
    page.select_option("#import-crs", "wgs84")
    page.locator(".import-form [type=submit]").click()
    page.locator(".running .button").click()
    expect(page.locator(".import-result")).to_contain_text("什么都没有写入")


def test_grids_show_options_of_their_own(look: Look) -> None:
    page = look().open("?lang=en&view=import")
    page.select_option("#import-kind", "grids")
    expect(page.locator(".extras .field")).not_to_have_count(0)
    expect(page.locator("#import-extra-scheme")).to_be_visible()


def test_those_who_may_not_are_told(look: Look, small_county: SmallCounty) -> None:
    watched = look(extra_http_headers={"X-Gis-Actor": str(small_county.actors["grid_officer"])})
    page = watched.open("?lang=zh-CN&view=import")
    expect(page.locator("#panel-body")).to_contain_text(re.compile("只有县网格办和规划员"))
