"""The analyst's day: a run with its progress, what if by hand and by keys, a swipe, a report."""

import json
import re
from collections.abc import Callable
from urllib.parse import quote
from zipfile import is_zipfile

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.browser.conftest import DESK, PHONE, Watched

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("small_county", "measured")]

Look = Callable[..., Watched]

WHOLE = "#13/{1}/{0}".format(*middle("g11"))
STILL = """() => new Promise((done) => {
  let before = "", same = 0;
  const look = () => {
    const now = `${grid_map_page.getCenter()} ${grid_map_page.getZoom()}`;
    same = now === before ? same + 1 : 0;
    before = now;
    if (same < 10) requestAnimationFrame(look); else done();
  };
  look();
})"""
SAID = {
    "zh-CN": {"first": "还没有测算", "stop": "已停止", "stale": "结果已过时", "share": "7%"},
    "en": {"first": "has not been measured", "stop": "Stopped", "stale": "Out of date"},
}


@pytest.fixture(scope="module")
def measured(store: Store, small_county: SmallCounty) -> None:
    """The rescue circle, measured twice: the station stands far from every road."""
    assert small_county.grid_ids
    for scenario in ("normal", "rush_hour"):
        wish = {"standard": "fire-20", "scenario": scenario}
        jobs.perform(store, jobs.submit(store, SYSTEM, "coverage_run", wish))


def station_of(store: Store) -> int:
    """The one fire station."""
    facility = t.facility.c
    with store.transaction(SYSTEM) as connection:
        found = connection.scalar(
            sa.select(facility.facility_id).where(facility.key == "fire_station")
        )
    assert isinstance(found, int)
    return found


def moved_to(store: Store, key: str) -> str:
    """The part of an address that moves the station into the middle of a grid."""
    lon, lat = middle(key)
    change = {"kind": "move_station", "facility_id": station_of(store), "lon": lon, "lat": lat}
    return "&changes=" + quote(json.dumps([change]))


def pixel(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place is on the screen, once the map has come to rest."""
    page.evaluate(STILL)
    x, y = page.evaluate(
        "([lon, lat]) => { const p = grid_map_page.latLngToContainerPoint([lat, lon]);"
        " const b = grid_map_page.getContainer().getBoundingClientRect();"
        " return [p.x + b.left, p.y + b.top]; }",
        [lon, lat],
    )
    return x, y


def started(page: Page, button: str, address: str) -> int:
    """Press a button that starts a job; the job's number."""
    with page.expect_response(
        lambda answer: answer.request.method == "POST" and address in answer.url
    ) as got:
        page.locator(button).click()
    job_id = got.value.json()["job_id"]
    assert isinstance(job_id, int)
    return job_id


@pytest.mark.parametrize(("language", "standard"), [("zh-CN", "fire-5"), ("en", "overall-15")])
def test_the_first_run_is_started_stopped_and_watched(
    look: Look, store: Store, language: str, standard: str
) -> None:
    page = look().open(f"?mode=coverage&standard={standard}&lang={language}")
    panel = page.locator("#panel")
    expect(panel).to_contain_text(SAID[language]["first"])
    page.locator("#cover-start").click()
    expect(page.locator("#cover-progress progress")).to_be_visible()
    page.locator("#cover-stop").click()
    expect(panel).to_contain_text(SAID[language]["stop"])
    expect(panel.locator(".fault")).to_have_count(0)
    job_id = started(page, "#cover-start", "/api/coverage/runs")
    page.reload()  # a run goes on while nobody looks, and is found again
    expect(page.locator("#cover-progress")).to_be_visible()
    jobs.perform(store, job_id)
    expect(page.locator(".county-share .big b")).to_have_text(re.compile(r"\d%"))
    expect(page.locator("#legend .classes li").first).to_be_visible()


def test_the_figures_lead_to_the_grid_and_to_the_blind_spot(look: Look) -> None:
    page = look().open("?mode=coverage&lang=zh-CN" + WHOLE)
    expect(page.locator(".county-share")).to_contain_text("0 / 969")
    expect(page.locator(".spot").first).to_contain_text("户")
    page.locator(".spot").first.click()
    page.mouse.click(*pixel(page, *middle("g21")))
    expect(page.locator("#panel[data-kind=cover-grid] h2")).to_have_text("格g21")
    expect(page.locator("#panel")).to_contain_text("没有按时到达的住户")
    page.locator("#panel .rows button:visible").last.click()
    expect(page.locator(".cover-home")).to_have_count(1)
    page.go_back()
    page.go_back()
    expect(page.locator(".cover-home")).to_have_count(0)
    expect(page.locator(".county-share")).to_be_visible()


def test_a_dragged_station_brings_the_figures_along(look: Look) -> None:
    page = look().open("?mode=coverage&part=what-if&lang=zh-CN" + WHOLE)
    share = page.locator("#what-if-share")
    expect(share).to_have_text("0%")
    pin = page.locator(".cover-station")
    expect(pin).to_have_count(1)
    pin.hover()
    page.mouse.down()
    page.mouse.move(*pixel(page, *middle("g11")), steps=3)
    page.mouse.move(*pixel(page, *middle("g10")), steps=3)
    page.mouse.up()
    expect(page.locator(".changes li")).to_have_count(1)
    expect(share).to_have_text("7%")
    expect(page.locator(".gained")).to_contain_text("68")
    page.reload()  # the link holds what was tried
    expect(share).to_have_text("7%")
    page.keyboard.press("Control+z")
    expect(page.locator(".changes li")).to_have_count(0)
    expect(share).to_have_text("0%")


def test_a_closed_road_costs_those_behind_it(look: Look, store: Store) -> None:
    query = "?mode=coverage&part=what-if&lang=en" + moved_to(store, "g00")
    page = look().open(query + WHOLE)
    expect(page.locator("#what-if-share")).to_have_text("7%")
    page.locator("#tool-close").click()
    (west, south), (east, _) = middle("g10"), middle("g20")
    page.mouse.click(*pixel(page, (west + east) / 2, south))
    expect(page.locator("#what-if-share")).to_have_text("0.8%")
    expect(page.locator(".cover-sign.closed")).to_have_count(1)
    page.locator("#undo-1").click()
    expect(page.locator("#what-if-share")).to_have_text("7%")


def test_the_same_by_keys_alone(look: Look) -> None:
    page = look().open("?lang=zh-CN")
    page.keyboard.press("4")
    page.locator("#part-what-if").press("Enter")
    page.locator(".by-hand summary").press("Enter")
    page.locator("#hand-place").fill("不是坐标")
    page.locator("#hand-place").press("Enter")
    expect(page.locator("#hand-fault")).to_contain_text("经度, 纬度")
    page.locator("#hand-place").fill("{}, {}".format(*middle("g00")))
    page.locator("#hand-place").press("Enter")
    expect(page.locator("#what-if-share")).to_have_text("7%")
    expect(page.locator(".changes li")).to_contain_text("添加消防站")


def test_a_road_is_drawn_to_the_station(look: Look) -> None:
    page = look().open("?mode=coverage&part=what-if&lang=zh-CN" + WHOLE)
    page.locator("#tool-road").click()
    for key in ("g20", "g21"):
        page.mouse.click(*pixel(page, *middle(key)))
    page.mouse.click(*pixel(page, *middle("g22")))  # where the station stands
    page.keyboard.press("Enter")
    expect(page.locator(".changes li")).to_have_count(1)
    expect(page.locator("#what-if-share")).not_to_have_text("0%")


def test_two_runs_are_compared_by_a_swipe(look: Look) -> None:
    page = look().open("?mode=coverage&part=compare&lang=en" + WHOLE)
    handle = page.locator("#swipe")
    panel = page.locator("#panel").bounding_box()
    assert panel is not None
    begins = int(handle.get_attribute("aria-valuenow") or "")
    # It begins in the middle of what the panel leaves of the map.
    assert begins == pytest.approx(50 * panel["x"] / DESK["width"], abs=5)
    handle.press("ArrowLeft")
    expect(handle).to_have_attribute("aria-valuenow", str(begins - 2))
    box = handle.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(500, 400, steps=3)
    page.mouse.up()
    expect(handle).not_to_have_attribute("aria-valuenow", str(begins - 2))
    # What two runs do not have in common cannot be chosen.
    expect(page.locator("#areas-spots")).to_have_count(0)
    expect(page.locator("#theme option[value=bands]")).to_have_count(0)
    clips = page.evaluate(
        "[0, 1].map((side) => grid_map_page.getPane(`cover-side-${side}`).style.clipPath)"
    )
    assert clips[0] != clips[1]
    expect(page.locator("#panel")).to_contain_text("scenario")
    expect(page.locator("#panel table.figures").first).to_contain_text("Households")
    page.locator("#part-figures").click()
    expect(handle).to_have_count(0)


def test_bands_take_the_place_of_the_shares(look: Look) -> None:
    watched = look()
    lon, lat = middle("g10")
    square = [[lon, lat], [lon + 0.005, lat], [lon + 0.005, lat + 0.005], [lon, lat]]
    band = {
        "type": "Feature",
        "properties": {"from_minutes": 0, "to_minutes": 5},
        "geometry": {"type": "Polygon", "coordinates": [square]},
    }
    answer = {"type": "FeatureCollection", "features": [band]}
    watched.page.route("**/api/coverage/areas?*", lambda route: route.fulfill(json=answer))
    station = {
        "type": "Feature",
        "properties": {"facility_id": 1, "kind": "fire_station", "name": "站"},
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
    }
    many = {"type": "FeatureCollection", "features": [station] * 151}
    watched.page.route("**/api/layers/facilities*", lambda route: route.fulfill(json=many))
    page = watched.open("?mode=coverage&lang=zh-CN" + WHOLE)
    expect(page.locator("#stations-crowded")).to_contain_text("放大")
    page.locator("#theme").select_option("bands")
    expect(page.locator("#legend")).to_contain_text("20 分钟内到不了")
    expect(page.locator("#legend .classes li")).to_have_count(4)
    expect(page.locator(".leaflet-cover-areas-pane canvas")).to_be_attached()


def test_sites_are_searched_stopped_and_found_again(look: Look, store: Store) -> None:
    wish = {"standard": "service-15", "scenario": "normal"}
    jobs.perform(store, jobs.submit(store, SYSTEM, "coverage_run", wish))
    page = look().open("?mode=coverage&part=what-if&standard=service-15&lang=zh-CN" + WHOLE)
    started(page, "#sites-ask", "/api/coverage/sites")
    expect(page.locator("#sites-progress progress")).to_be_visible()
    page.locator("#sites-stop").click()
    expect(page.locator("#sites-answer")).to_contain_text(SAID["zh-CN"]["stop"])
    job_id = started(page, "#sites-ask", "/api/coverage/sites")
    page.reload()  # it goes on while nobody looks
    expect(page.locator("#sites-progress")).to_be_visible()
    jobs.perform(store, job_id)
    expect(page.locator(".sites li")).to_have_count(1)
    expect(page.locator("#sites-ask")).to_be_enabled()
    page.reload()  # and the answer stays
    expect(page.locator(".sites li")).to_have_count(1)
    expect(page.locator("#sites-answer")).not_to_contain_text(SAID["zh-CN"]["stale"])


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_report_is_taken_away(look: Look, store: Store, language: str) -> None:
    page = look().open(f"?mode=report&lang={language}")
    expect(page.locator(".report-page")).to_contain_text("0%")
    expect(page.locator(".report-pages li")).not_to_have_count(0)
    page.locator(".report-pages button").first.click()
    expect(page.locator(".report-large img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".report-large")).to_be_hidden()
    page.locator("input[value=xlsx]").check(force=True)
    colour = "(button) => getComputedStyle(button).backgroundColor"
    before = page.locator("#report-take").evaluate(colour)
    page.locator("#report-take").hover()  # its white words stay on what they are read on
    assert page.locator("#report-take").evaluate(colour) == before
    job_id = started(page, "#report-take", "/api/reports/coverage")
    expect(page.locator("#report-progress progress")).to_be_visible()
    with page.expect_download() as got:
        jobs.perform(store, job_id)
    assert got.value.suggested_filename.endswith(".xlsx")
    assert is_zipfile(got.value.path())
    expect(page.locator("#report-said .tag")).to_be_visible()
    expect(page.locator("#report-take")).to_be_enabled()


def test_who_sees_shares_only_sees_shares_and_starts_nothing(
    look: Look, small_county: SmallCounty
) -> None:
    watched = look()
    watched.page.set_extra_http_headers({"X-Gis-Actor": str(small_county.actors["visitor"])})
    page = watched.open("?mode=coverage&lang=zh-CN")
    expect(page.locator(".county-share .big b")).to_have_text("0%")
    expect(page.locator("#cover-start")).to_have_count(0)
    expect(page.locator("#part-what-if")).to_have_count(0)
    expect(page.locator(".county-share")).not_to_contain_text("969")
    watched.complaints.clear()  # the browser itself logs that households are refused


def test_on_a_phone_the_sheet_leaves_the_map_its_room(look: Look) -> None:
    page = look(PHONE, has_touch=True, is_mobile=True, color_scheme="dark").open(
        "?mode=coverage&part=what-if&lang=en"
    )
    expect(page.locator(".cover-station")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    panel = page.locator("#panel").bounding_box()
    assert panel is not None
    assert panel["y"] >= PHONE["height"] * 0.66
    heights = page.evaluate(
        "[...document.querySelectorAll('.tool-row button, .cover-choice select, .tabs button')]"
        ".map((one) => one.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) >= 44
    expect(page.locator("#areas-stations")).to_have_count(0)
    page.evaluate("document.querySelector('#theme').value = 'bands'")
    page.locator("#theme").dispatch_event("change")
    expect(page.locator("#legend .theme-now")).to_have_text("Time along streets")
    page.locator("#tool-add").tap()
    page.touchscreen.tap(*pixel(page, *middle("g10")))
    expect(page.locator("#what-if-share")).to_have_text("7%")
    # The figure is seen without the sheet being pulled up.
    expect(page.locator("#what-if-said")).to_contain_text("7% · now 0%")


def test_nothing_is_left_without_words(look: Look) -> None:
    page = look().open("?mode=coverage&part=what-if&lang=en")
    expect(page.locator("#what-if-share")).to_be_visible()
    missing = page.evaluate(
        "[...document.querySelectorAll('#panel *, #legend *')]"
        ".filter((one) => !one.children.length).map((one) => one.textContent)"
        ".filter((text) => /cover\\.|\\{\\w+\\}|^[a-z]+(_[a-z0-9]+)+$/.test(text))"
    )
    assert missing == []


def test_a_result_that_no_longer_holds_says_why(look: Look, store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        station = t.facility.c.key == "fire_station"
        connection.execute(sa.update(t.facility).where(station).values(turnout_minutes=3))
    page = look().open("?mode=coverage&lang=zh-CN")
    expect(page.locator("#cover-run")).to_contain_text("结果已过时")
    expect(page.locator("#cover-run")).to_contain_text("设施有增减或移动")
