"""The page in a real browser: opens, answers clicks and keys, speaks both languages, stays home."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.api.conftest import SmallCounty, middle
from tests.browser.conftest import DESK, PHONE, Watched

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("small_county")]

Look = Callable[..., Watched]


def place(key: str, zoom: int = 13) -> str:
    """The part of an address that centres the map on a base grid."""
    lon, lat = middle(key)
    return f"#{zoom}/{lat:.5f}/{lon:.5f}"


def click_middle(page: Page) -> None:
    """Click the middle of the map, where the address put a grid."""
    box = page.locator("#grid_map_page").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_the_overview_shows_the_countys_figures(look: Look) -> None:
    page = look().open()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("969")
    expect(panel).to_contain_text("1 户不在任何网格内")
    assert page.title() == "网格地图"


def test_folium_made_the_map_and_leaflet_is_ours(look: Look) -> None:
    page = look().open()
    assert page.evaluate("grid_map_page instanceof L.Map")
    assert page.evaluate("Object.keys(grid_map_page.pageLayers).length") == 7
    scripts = page.evaluate(
        "[...document.scripts].map((script) => script.getAttribute('src')?.split('?')[0])"
    )
    assert "/vendor/leaflet.js" in scripts


def test_clicking_a_grid_shows_its_code_and_whom_to_call(look: Look) -> None:
    page = look().open("?lang=zh-CN" + place("g00"))
    click_middle(page)
    panel = page.locator("#panel")
    expect(panel.locator("h2")).to_have_text("格g00")
    expect(panel.locator(".code")).to_contain_text("990101101 · ")
    expect(panel.locator(".officer").first).to_contain_text("A岗 钱二")
    expect(panel.locator(".officer").nth(1)).to_contain_text("B岗 赵一")
    expect(panel.locator("a.phone").first).to_have_attribute("href", "tel:13700000000")
    assert "grid=" in page.url


def test_the_chain_leads_upwards_and_back_goes_back(look: Look) -> None:
    page = look().open("?lang=zh-CN" + place("g11"))
    click_middle(page)
    heading = page.locator("#panel h2")
    expect(heading).to_have_text("格g11")
    page.locator(".chain button", has_text="东镇").click()
    expect(heading).to_have_text("东镇")
    page.go_back()
    expect(heading).to_have_text("格g11")


def test_a_link_shows_another_person_the_same(look: Look, small_county: SmallCounty) -> None:
    first = look().open("?lang=zh-CN" + place("g11"))
    click_middle(first)
    expect(first.locator("#panel h2")).to_have_text("格g11")
    first.locator("#theme").select_option("people")
    expect(first).to_have_url(re.compile("theme=people"))
    address = first.url
    second = look()
    second.page.goto(address)
    expect(second.page.locator("#panel h2")).to_have_text("格g11")
    expect(second.page.locator("#theme")).to_have_value("people")
    assert str(small_county.grid_ids["g11"]) in address
    zoom = second.page.evaluate("grid_map_page.getZoom()")
    assert zoom == 13


def test_another_theme_changes_the_legend_but_fetches_no_geometry(look: Look) -> None:
    watched = look()
    page = watched.open()
    legend = page.locator("#legend")
    expect(legend).to_contain_text("规模适度")
    counts = legend.locator(".classes b").all_inner_texts()
    assert sum(int(count) for count in counts) == 9
    before = sum("/layers/grids" in address for address in watched.addresses)
    page.locator("#theme").select_option("hazards")
    expect(legend).to_contain_text("未销号的隐患")
    expect(legend).not_to_contain_text("规模适度")
    assert sum("/layers/grids" in address for address in watched.addresses) == before


def test_the_focus_stays_where_keys_put_it(look: Look) -> None:
    page = look().open()
    page.locator("#theme").focus()
    page.locator("#theme").select_option("people")
    expect(page.locator("#legend")).to_contain_text("网格内的人数")
    expect(page.locator("#theme")).to_be_focused()


def test_a_standard_that_was_not_measured_says_so(look: Look) -> None:
    page = look().open("?lang=zh-CN&theme=fire-20")
    expect(page.locator("#legend")).to_contain_text("还没有测算")


def test_english_is_complete(look: Look) -> None:
    page = look().open()
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#panel")).to_contain_text("County overview")
    expect(page.locator("#legend")).to_contain_text("Households per grid")
    page.locator("#open-keys").click()
    expect(page.locator("#panel h2")).to_have_text("Keys")
    missing = page.evaluate(
        "[...document.querySelectorAll('button, label, dt, dd, h2, h3, p')]"
        ".map((one) => one.textContent).filter((text) => /page\\.|\\{\\w+\\}/.test(text))"
    )
    assert missing == []


def test_search_by_keys_alone(look: Look) -> None:
    page = look().open()
    page.keyboard.press("/")
    expect(page.locator("#search-text")).to_be_focused()
    page.keyboard.type("格g22")
    expect(page.locator("#search-answers [role=option]").first).to_contain_text("格g22")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("格g22")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_contain_text("全县概况")


def test_coordinates_are_located(look: Look) -> None:
    page = look().open()
    lon, lat = middle("g21")
    page.locator("#search-text").fill(f"{lon}, {lat}")
    page.locator("#search-answers [role=option]").first.click()
    expect(page.locator("#panel")).to_contain_text("格g21")
    expect(page.locator(".pin")).to_have_count(1)


def test_nothing_found_says_what_to_try(look: Look) -> None:
    page = look().open()
    page.locator("#search-text").fill("没有这个地方")
    expect(page.locator("#search-answers")).to_contain_text("没有找到")


def test_the_list_beside_the_map_does_what_the_map_does(look: Look) -> None:
    page = look().open()
    page.keyboard.press("l")
    page.locator("details.town summary").click()
    page.locator("#list-sort").select_option("down")
    page.locator("details.town summary").click()
    row = page.locator("details.town .rows button").nth(1)
    expect(row).to_contain_text("格g21")
    row.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("格g21")


def test_question_mark_lists_the_keys_and_escape_leaves(look: Look) -> None:
    page = look().open()
    page.keyboard.press("?")
    expect(page.locator("#panel h2")).to_have_text("按键")
    expect(page.locator("#panel .keys kbd", has_text="Ctrl+Shift+Z")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_contain_text("全县概况")


@pytest.mark.parametrize(
    ("key", "button"), [("2", "mode-dispatch"), ("4", "mode-coverage"), ("l", "open-list")]
)
def test_a_key_does_what_its_button_does(look: Look, key: str, button: str) -> None:
    by_key, by_button = look().open(), look().open()
    by_key.keyboard.press(key)
    by_button.locator(f"#{button}").click()
    for page in (by_key, by_button):
        page.wait_for_function("location.search.includes('=')")
        expect(page.locator("#panel h2").first).to_be_visible()
    assert by_key.url.partition("#")[0] == by_button.url.partition("#")[0]


def test_scripts_of_a_mode_come_when_it_is_opened(look: Look) -> None:
    watched = look()
    page = watched.open()

    def scripts() -> set[str]:
        return {one.rpartition("/")[2] for one in watched.addresses if "/static/js/" in one}

    assert "main.js" in scripts()
    late = {"plan.js", "coverage.js", "dispatch.js", "entry.js", "imports.js"}
    assert scripts() & late == set()
    page.locator("#mode-coverage").hover()  # the hint
    page.wait_for_selector("link[rel=modulepreload][href$='/coverage.js']", state="attached")
    page.locator("#mode-coverage").click()
    page.locator("#cover-run").wait_for()
    assert scripts() & late == {"coverage.js"}


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("&at=2026-02-30", "日期不存在"),
        ("#15/28.7/212.9", "位置不存在"),
        ("&point=place:212.9,28.7", "地点不存在"),
        ("&mode=dance", "无法识别"),
    ],
)
def test_a_link_that_cannot_be_opens_on_the_usual_and_says_so(
    look: Look, link: str, said: str
) -> None:
    page = look().open(f"?lang=zh-CN{link}")
    expect(page.locator("#notice")).to_contain_text(said)
    expect(page.locator("#panel")).to_contain_text("全县概况")


def test_points_appear_with_their_layer(look: Look) -> None:
    page = look().open("?lang=zh-CN" + place("g00", 15))
    page.locator("#legend .layers summary").click()
    page.locator("#legend .layers label", has_text="服务点").click()
    pin = page.locator(".point").first
    expect(pin).to_be_visible()
    assert "services" in page.url
    pin.click()
    expect(page.locator("#panel h2")).to_contain_text("东街卫生室")
    expect(page.locator("#panel")).to_contain_text("责任网格")


def test_points_are_listed_beside_the_map_too(look: Look) -> None:
    page = look().open("?lang=zh-CN&view=list&layers=roads,hazards")
    page.locator("details.town summary", has_text="隐患").click()
    rows = page.locator("details.town[open] .rows button")
    expect(rows).to_have_count(3)
    rows.first.click()
    expect(page.locator("#panel")).to_contain_text("整改期限")


def test_a_visitor_is_told_what_is_not_shown(look: Look, small_county: SmallCounty) -> None:
    watched = look()
    watched.page.set_extra_http_headers({"X-Gis-Actor": str(small_county.actors["visitor"])})
    page = watched.open(f"?lang=zh-CN&grid={small_county.grid_ids['g00']}")
    expect(page.locator("#panel")).to_contain_text("看不到网格员")
    expect(page.locator("#panel")).not_to_contain_text("钱二")


def test_yesterdays_boundaries_can_be_asked_for(look: Look) -> None:
    page = look().open()
    page.locator("#day-choice summary").click()
    page.locator("#day-choice .rows button").first.click()
    assert "at=2024-07-01" in page.url
    expect(page.locator("#day-choice summary")).to_contain_text("2024年7月1日")


def test_an_unknown_grid_is_said_in_words(look: Look) -> None:
    watched = look()
    page = watched.open("?lang=zh-CN&grid=999999")
    expect(page.locator("#panel .trouble")).to_be_visible()
    expect(page.locator("#panel .trouble button")).to_be_visible()
    watched.complaints.clear()  # the browser itself logs the 404


def test_on_a_phone_the_map_keeps_two_thirds(look: Look) -> None:
    page = look(PHONE, has_touch=True).open("?lang=zh-CN" + place("g00"))
    rail = page.locator("#rail").bounding_box()
    panel = page.locator("#panel").bounding_box()
    assert rail is not None
    assert panel is not None
    assert rail["y"] > PHONE["height"] - 70
    assert panel["y"] >= PHONE["height"] * 0.66
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.touchscreen.tap(PHONE["width"] / 2, (PHONE["height"] - 56) / 2)
    expect(page.locator("#panel h2")).to_have_text("格g00")
    page.locator("#grip").click()
    expect(page.locator("#panel")).to_have_attribute("data-stop", "full")


def test_touch_targets_are_large_enough(look: Look) -> None:
    page = look(PHONE, has_touch=True, is_mobile=True).open()
    heights = page.evaluate(
        "[...document.querySelectorAll('#rail button, #choices > *, #search')]"
        ".filter((one) => one.getClientRects().length)"
        ".map((one) => one.getBoundingClientRect().height)"
    )
    assert len(heights) > 8
    assert min(heights) >= 44


def test_a_night_shift_gets_a_dark_page(look: Look) -> None:
    page = look(color_scheme="dark").open()
    ink, surface = page.evaluate(
        "['color', 'backgroundColor'].map((name) =>"
        " getComputedStyle(document.getElementById('panel'))[name])"
    )
    assert brightness(ink) > brightness(surface) + 100


def brightness(colour: str) -> float:
    """The mean of red, green and blue."""
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3


MAP_AND_BARS = """() => {
  const config = JSON.parse(document.getElementById("page-config").textContent);
  const [west, south, east, north] = config.county.bbox;
  const map = grid_map_page;
  const origin = map.getContainer().getBoundingClientRect();
  const first = map.latLngToContainerPoint([north, west]);
  const last = map.latLngToContainerPoint([south, east]);
  const box = (id) => {
    const { left, top, right, bottom } = document.getElementById(id).getBoundingClientRect();
    return [left, top, right, bottom];
  };
  const [x, y] = [origin.left, origin.top];
  return {
    county: [first.x + x, first.y + y, last.x + x, last.y + y],
    map: [origin.left, origin.top, origin.right, origin.bottom],
    bar: box("bar"), panel: box("panel"), legend: box("legend"),
  };
}"""


@pytest.mark.parametrize("size", [DESK, {"width": 1920, "height": 1080}, PHONE])
@pytest.mark.parametrize("mode", ["", "coverage"])
def test_the_county_opens_as_large_as_bars_panel_and_legend_leave_room(
    look: Look, size: dict[str, int], mode: str
) -> None:
    page = look(size).open(f"?lang=zh-CN&mode={mode}")
    boxes = page.evaluate(MAP_AND_BARS)
    left, top, right, bottom = boxes["county"]
    for name in ("bar", "panel", "legend"):
        west, north, east, south = boxes[name]
        assert right <= west or left >= east or bottom <= north or top >= south, name
    if size is PHONE:
        room = (boxes["map"][2], boxes["legend"][1] - boxes["bar"][3])
    else:
        room = (boxes["panel"][0] - boxes["legend"][2], boxes["map"][3] - boxes["bar"][3])
    assert max((right - left) / room[0], (bottom - top) / room[1]) > 0.7
