"""The dispatcher's day: three ways to a place, an incident from report to close, a live board."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.api.conftest import SmallCounty, middle
from tests.browser.conftest import PHONE, Watched
from tests.browser.test_page import place

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("small_county")]

Look = Callable[..., Watched]

LANGUAGES = ["zh-CN", "en"]


def click_beside(page: Page) -> None:
    """Click in the grid that the address put in the middle, beside the symbols that stand there."""
    box = page.locator("#grid_map_page").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2 - 80, box["y"] + box["height"] / 2 + 40)


def search_for(page: Page, text: str) -> None:
    """Type into the search box and wait for answers."""
    page.keyboard.press("/")
    page.locator("#search-text").fill(text)
    expect(page.locator("#search-answers [role=option]").first).to_be_visible()


def do(page: Page, move: str, note: str = "") -> None:
    """Choose a move, say what it needs, and wait until it is done."""
    page.locator(f"#moves [data-move={move}]").click()
    if note:
        page.locator("#move-slot textarea").fill(note)
    version = page.locator(".steps li").count()
    page.locator("#move-send").click()
    expect(page.locator(".steps li")).to_have_count(version + 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_click_tells_whose_it_is(look: Look, language: str) -> None:
    page = look().open(f"?mode=dispatch&lang={language}" + place("g00", 15))
    expect(page.locator("#board")).to_be_visible()
    click_beside(page)
    panel = page.locator("#panel")
    expect(panel.locator("h2").first).to_have_text("格g00")
    expect(panel.locator(".first-call")).to_contain_text("钱二")
    expect(panel.locator(".first-call a")).to_have_attribute("href", "tel:13700000000")
    expect(panel.locator(".chain")).to_contain_text("村0")
    expect(panel.locator(".officer").nth(1)).to_contain_text("赵一")


@pytest.mark.parametrize("language", LANGUAGES)
def test_pasted_coordinates_ask_for_their_system(look: Look, language: str) -> None:
    page = look().open(f"?mode=dispatch&lang={language}")
    lon, lat = middle("g11")
    search_for(page, f"{lat:.6f}，{lon:.6f}")
    answers = page.locator("#search-answers [role=option]")
    expect(answers).to_have_count(3)
    expect(answers.nth(0)).to_contain_text("CGCS2000")
    expect(answers.nth(1)).to_contain_text("GCJ-02")
    expect(answers.nth(2)).to_contain_text("BD-09")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2").first).to_have_text("格g11")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_address_is_typed(look: Look, language: str) -> None:
    page = look().open(f"?mode=dispatch&lang={language}")
    search_for(page, "dongjie 5hao")
    expect(page.locator("#search-answers [role=option]").first).to_contain_text("东街5号")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2").first).to_have_text(re.compile("格g"))
    assert "point=place" in page.url


def test_text_that_can_be_read_in_two_ways_is_told(look: Look) -> None:
    watched = look()
    page = watched.open("?mode=dispatch&lang=zh-CN")
    search_for(page, "12.5, 45.25")
    expect(page.locator("#search-answers")).to_contain_text("请注明方向")
    watched.forgive(422)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_incident_from_report_to_close_with_a_return(look: Look, language: str) -> None:
    page = look().open(f"?mode=dispatch&lang={language}" + place("g11", 15))
    expect(page.locator("#board")).to_be_visible()
    click_beside(page)
    expect(page.locator("#panel h2").first).to_have_text("格g11")
    page.keyboard.press("n")
    expect(page.locator("#report-text")).to_be_focused()
    page.locator("#report-kind").select_option("rubbish")
    page.locator("#report-text").fill(f"东街口垃圾成堆 {language}")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_contain_text("东街口垃圾成堆")
    expect(page.locator("#panel .officer")).to_contain_text("孙三")
    do(page, "accept")
    do(page, "dispatch")
    do(page, "handle", "已清运")
    do(page, "return", "照片看不清")
    do(page, "handle", "重新拍照")
    do(page, "verify")
    do(page, "close")
    expect(page.locator(".steps li")).to_have_count(8)
    expect(page.locator(".progress [aria-current]")).to_have_text(
        "已办结" if language == "zh-CN" else "closed"
    )
    expect(page.locator("#moves [data-move=accept]")).to_have_count(0)


def test_a_stale_view_is_told_and_loses_nothing(look: Look) -> None:
    watched = look()
    page = watched.open("?mode=dispatch&lang=zh-CN" + place("g01", 15))
    expect(page.locator("#board")).to_be_visible()
    click_beside(page)
    expect(page.locator("#panel h2").first).to_have_text("格g01")
    page.keyboard.press("n")
    page.locator("#report-text").fill("两人同办")
    page.keyboard.press("Enter")
    expect(page.locator("#moves")).to_be_visible()
    other = watched.page.context.new_page()
    other.goto(page.url)
    other.locator("#moves [data-move=accept]").click()
    other.locator("#move-send").click()
    expect(other.locator(".steps li")).to_have_count(2)
    page.locator("#moves [data-move=pass_up]").click()
    page.locator("#move-slot textarea").fill("本村办不了")
    page.locator("#move-send").click()
    expect(page.locator("#panel .fault")).to_be_visible()
    expect(page.locator("#move-slot textarea")).to_have_value("本村办不了")
    watched.forgive(409)


def test_the_board_is_alive(look: Look) -> None:
    watched = look()
    page = watched.open("?mode=dispatch&lang=zh-CN")
    expect(page.locator(".live.on")).to_be_visible()
    before = page.locator("#board li").count()
    other = look().open("?mode=dispatch&lang=zh-CN" + place("g20", 15))
    expect(other.locator("#board")).to_be_visible()
    click_beside(other)
    expect(other.locator("#report-start")).to_be_visible()
    other.keyboard.press("n")
    other.locator("#report-text").fill("井盖丢失")
    other.keyboard.press("Enter")
    expect(other.locator("#moves")).to_be_visible()
    expect(page.locator("#board li")).to_have_count(before + 1)
    expect(page.locator("#board")).to_contain_text("井盖丢失")


def test_what_was_typed_survives_a_reload(look: Look) -> None:
    page = look().open("?mode=dispatch&lang=zh-CN" + place("g11", 15))
    expect(page.locator("#board")).to_be_visible()
    click_beside(page)
    expect(page.locator("#report-start")).to_be_visible()
    page.keyboard.press("n")
    page.locator("#report-text").fill("半句话")
    page.reload()
    expect(page.locator("#report-start")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("#report-text")).to_have_value("半句话")
    page.keyboard.press("Escape")
    expect(page.locator("#report")).to_have_count(0)
    expect(page.locator("#panel h2").first).to_have_text("格g11")


def test_dispatch_on_a_phone(look: Look, small_county: SmallCounty) -> None:
    page = look(PHONE, has_touch=True).open("?mode=dispatch&lang=zh-CN" + place("g11", 15))
    expect(page.locator("#board")).to_be_attached()
    box = page.locator("#grid_map_page").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2 - 80, box["y"] + box["height"] / 2 + 40)
    expect(page.locator("#panel h2").first).to_have_text("格g11")
    report = page.locator("#report-start").bounding_box()
    assert report is not None
    assert report["height"] >= 36
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert small_county.grid_ids["g11"] > 0


def test_who_gets_there_first_is_told_with_the_way(look: Look) -> None:
    page = look().open("?mode=dispatch&lang=zh-CN" + place("g00", 15))
    expect(page.locator("#board")).to_be_visible()
    click_beside(page)
    expect(page.locator("#arrivals:not([aria-busy])")).to_be_visible()
    expect(page.locator("#arrivals")).to_contain_text("谁先到")
    expect(page.locator("#arrivals")).to_contain_text("附近")
    # The outline of the grid often runs along the same road: the way lies above it.
    above = "pane => Number(getComputedStyle(document.querySelector(pane)).zIndex)"
    way, outline = (
        page.evaluate(above, f".leaflet-{name}-pane") for name in ("route", "selection")
    )
    assert way > outline


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh-CN", ["不在任何网格内", "最近的网格是", "km"]),
        ("en", ["Outside every grid", "Nearest: ", "km away"]),
    ],
)
def test_a_place_in_the_sea_is_nobodys(look: Look, language: str, said: list[str]) -> None:
    page = look().open(f"?mode=dispatch&lang={language}&point=place:122.5,28#12/28/122.5")
    expect(page.locator("#panel h2").first).to_have_text(said[0])
    for words in said[1:]:
        expect(page.locator("#panel .tag").first).to_contain_text(words)
    expect(page.locator("#panel .officer")).to_have_count(0)


def test_a_file_is_located_as_a_whole(look: Look, tmp_path: Path) -> None:
    page = look().open("?mode=dispatch&lang=zh-CN")
    lon, lat = middle("g11")
    file = tmp_path / "places.csv"
    file.write_text(f"name,lon,lat\nhere,{lon},{lat}\n", encoding="utf-8")
    page.locator("#bulk > summary").click()
    page.locator("#bulk-file").set_input_files(file)
    page.locator("#bulk-crs").select_option("cgcs2000")
    page.locator("#bulk-send").click()
    with page.expect_download() as download:
        page.locator("#bulk-result").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert text.splitlines()[1].startswith(f"here,{lon},{lat},")
    assert "格g11" in text


def test_the_words_of_a_report_say_its_kind(look: Look) -> None:
    page = look().open("?mode=dispatch&lang=zh-CN" + place("g00", 15))
    expect(page.locator("#board")).to_be_visible()
    click_beside(page)
    expect(page.locator("#report-start")).to_be_visible()
    page.keyboard.press("n")
    page.locator("#report-text").fill("厨房起火，有浓烟")
    expect(page.locator("#report-kind")).to_have_value("fire")
