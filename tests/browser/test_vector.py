"""The page by WebGL and by its light layers: the same answers, and nothing leaves home."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.api.conftest import SmallCounty, middle
from tests.browser.conftest import DESK, PHONE, Watched
from tests.conftest import CHROMIUM_FLAGS

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("small_county")]

Look = Callable[..., Watched]
DRAWN = "#grid_map_page .maplibregl-canvas"
SOFTWARE = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="module", params=["vector", "light"])
def browser(request: pytest.FixtureRequest, chromium: Path) -> Iterator[Browser]:
    """A Chromium that draws WebGL 2 by software, and one that has none."""
    rest = [flag for flag in CHROMIUM_FLAGS if flag != "--disable-gpu"]
    by_way = {"vector": [*rest, *SOFTWARE], "light": [*CHROMIUM_FLAGS, "--disable-3d-apis"]}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=by_way[request.param])
        yield browser
        browser.close()


def has_webgl(page: Page) -> bool:
    """Whether this browser draws WebGL 2."""
    return bool(page.evaluate("!!document.createElement('canvas').getContext('webgl2')"))


def centred(key: str, zoom: int) -> str:
    """The part of an address that centres the map on a base grid."""
    lon, lat = middle(key)
    return f"#{zoom}/{lat:.5f}/{lon:.5f}"


def click_middle(page: Page) -> None:
    box = page.locator("#grid_map_page").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


@pytest.mark.parametrize(
    ("size", "language"), [(DESK, "zh-CN"), (DESK, "en"), (PHONE, "zh-CN"), (PHONE, "en")]
)
def test_the_map_is_drawn_in_either_way(look: Look, size: dict[str, int], language: str) -> None:
    watched = look(size, has_touch=size is PHONE)
    page = watched.open(f"?draw=vector&lang={language}")
    quiet = page.locator("#drawn")
    if has_webgl(page):
        expect(page.locator(DRAWN)).to_have_count(1)
        expect(quiet).to_be_empty()
    else:
        expect(page.locator(DRAWN)).to_have_count(0)
        expect(quiet).to_contain_text("轻量图层" if language == "zh-CN" else "Light layers")
    assert any("/api/tiles/county/" in address for address in watched.addresses)
    assert any("/api/tiles/ground/" in address for address in watched.addresses)
    assert not any("/api/households" in address for address in watched.addresses)


def test_click_hover_and_selection_work_in_either_way(look: Look) -> None:
    page = look().open("?draw=vector&lang=zh-CN" + centred("g11", 13))
    box = page.locator("#grid_map_page").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 3)
    expect(page.locator(".tip")).to_contain_text("格g11")
    click_middle(page)
    expect(page.locator("#panel h2")).to_have_text("格g11")
    expect(page.locator(".leaflet-selection-pane path")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator(".leaflet-selection-pane path")).to_have_count(0)


def test_households_of_the_grid_come_at_street_zoom(look: Look, small_county: SmallCounty) -> None:
    watched = look()
    page = watched.open(
        f"?draw=vector&lang=zh-CN&grid={small_county.grid_ids['g10']}" + centred("g10", 15)
    )
    expect(page.locator("#panel h2")).to_have_text("格g10")
    assert not any("/api/households" in address for address in watched.addresses)
    page.locator("#zoom-in").click()
    expect(page.locator("#homes")).to_have_text("本格 7 户")


def test_a_visitor_gets_no_households(look: Look, small_county: SmallCounty) -> None:
    watched = look()
    watched.page.set_extra_http_headers({"X-Gis-Actor": str(small_county.actors["visitor"])})
    page = watched.open(
        f"?draw=vector&lang=zh-CN&grid={small_county.grid_ids['g10']}" + centred("g10", 16)
    )
    expect(page.locator("#panel h2")).to_have_text("格g10")
    assert not any("/api/households" in address for address in watched.addresses)


def test_a_link_may_ask_for_the_light_layers(look: Look) -> None:
    page = look().open("?lang=zh-CN&draw=light" + centred("g11", 13))
    expect(page.locator(DRAWN)).to_have_count(0)
    expect(page.locator("#drawn")).to_contain_text("按链接的要求")
    click_middle(page)
    expect(page.locator("#panel h2")).to_have_text("格g11")


def test_graphics_by_the_processor_take_the_faster_way(look: Look) -> None:
    page = look().open("?lang=zh-CN" + centred("g11", 13))
    expect(page.locator(DRAWN)).to_have_count(0)
    reason = "没有显卡加速" if has_webgl(page) else "没有 WebGL 2"
    expect(page.locator("#drawn")).to_contain_text(reason)


def test_graphics_that_go_away_leave_a_working_map(look: Look) -> None:
    page = look().open("?draw=vector&lang=zh-CN" + centred("g11", 13))
    if not has_webgl(page):  # nothing is there that could go away
        expect(page.locator(DRAWN)).to_have_count(0)
        return
    page.evaluate(
        f"document.querySelector('{DRAWN}').getContext('webgl2')"
        ".getExtension('WEBGL_lose_context').loseContext()"
    )
    expect(page.locator("#drawn")).to_contain_text("轻量图层")
    expect(page.locator(DRAWN)).to_have_count(0)
    expect(page.locator(".leaflet-ground-pane canvas.leaflet-tile").first).to_be_attached()
    click_middle(page)
    expect(page.locator("#panel h2")).to_have_text("格g11")


def test_files_are_kept_by_their_content(look: Look) -> None:
    page = look().open()
    addresses = page.evaluate(
        "['script[src]', 'link[rel=stylesheet]', 'link[rel=modulepreload]']"
        ".flatMap((wanted) => [...document.querySelectorAll(wanted)])"
        ".map((one) => one.src || one.href)"
    )
    assert addresses
    assert all(
        "?v=" in address or re.search("/static/js/[0-9a-f]{12}/", address) for address in addresses
    )


@pytest.mark.parametrize("size", [{"width": 844, "height": 390}, {"width": 667, "height": 375}])
def test_a_phone_on_its_side_keeps_its_map(look: Look, size: dict[str, int]) -> None:
    page = look(size, has_touch=True).open()
    panel = page.locator("#panel").bounding_box()
    rail = page.locator("#rail").bounding_box()
    assert panel is not None
    assert rail is not None
    assert rail["x"] + rail["width"] < 80
    assert panel["x"] > size["width"] * 0.55


@pytest.mark.parametrize("width", [360, 390, 700, 800, 1000, 1180])
def test_no_choice_is_cut_off(look: Look, width: int) -> None:
    page = look({"width": width, "height": 800}).open("?lang=en")
    expect(page.locator("#session")).to_be_visible()
    edges = page.evaluate(
        "[...document.querySelectorAll('#choices > *')]"
        ".map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right])"
    )
    assert min(left for left, _ in edges) >= 0
    assert max(right for _, right in edges) <= width
