"""Grids drawn by themselves: asked for, compared, refined, taken in one step and taken back."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, expect

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.grids.assignment import assign_new
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.api.conftest import SmallCounty, middle
from tests.browser.conftest import PHONE, Look, Watched, looking
from tests.browser.test_plan import Plans, at, has_changes, work_on
from tests.support import SIDE

pytestmark = pytest.mark.browser

HOMES = {"g02": 22, "g22": 7, "g00": 10, "g10": 10, "g20": 5}
"""Homes along each side of a grid: in the north far too many and too few, in the south enough."""


def _homes(key: str, per_side: int) -> list[tuple[float, float]]:
    lon, lat = middle(key)
    steps = [((i + 0.5) / per_side - 0.5) * SIDE for i in range(per_side)]
    return [(lon + x, lat + y) for x in steps for y in steps]


@pytest.fixture(scope="module", autouse=True)
def crowded(store: Store, small_county: SmallCounty) -> None:
    """In the north a grid with too many homes, one with too few, a school between them."""
    places = [place for key, per_side in HOMES.items() for place in _homes(key, per_side)]
    homes: dict[str, Any] = {
        "key": [f"crowd{i}" for i in range(len(places))],
        "street": ["北街"] * len(places),
        "house_number": [f"{i}号" for i in range(len(places))],
        "head_name": ["李四"] * len(places),
        "phone": ["13812345678"] * len(places),
        "people": [3] * len(places),
        "care_tags": [[]] * len(places),
        "point": np.array([shapely.Point(place) for place in places], dtype=object),
    }
    school = t.grid.c.grid_id == small_county.grid_ids["g12"]
    with store.transaction(SYSTEM) as connection:
        copy_rows(connection, t.household, homes)
        connection.execute(sa.update(t.grid).where(school).values(kind="dedicated"))
        assign_new(connection)


@pytest.fixture(scope="module")
def shared_desk(browser: Browser, home: str) -> Iterator[Watched]:
    """A browser for most tests: what it has loaded once it keeps."""
    with looking(browser, home) as make:
        yield make(reduced_motion="reduce")


@pytest.fixture
def desk(shared_desk: Watched) -> Iterator[Watched]:
    """The browser; left without a complaint."""
    yield shared_desk
    shared_desk.page.goto("about:blank")
    shared_desk.page.unroute_all()
    shared_desk.settle()


@pytest.fixture(scope="module")
def plans(store: Store, small_county: SmallCounty) -> Plans:
    """Plans of the county's office."""
    return Plans(store, small_county)


def answers(page: Page) -> Locator:
    """The heads of the answers, once they are there."""
    heads = page.locator(".answers input[type=radio]")
    expect(heads.first).to_be_visible()
    return heads


def propose(watched: Watched, address: str) -> Page:
    """Ask for the village at hand."""
    page = work_on(watched, address)
    page.locator("#plan-propose").click()
    answers(page)
    return page


def figure(page: Page, name: str, answer: str) -> str:
    """A figure of an answer as it is written."""
    return page.locator(f"[data-figure={name}] [data-answer={answer}] b").inner_text()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_three_answers_stand_beside_today(desk: Watched, plans: Plans, language: str) -> None:
    page = propose(desk, plans.address("比选", "m2", language))
    expect(answers(page)).to_have_count(3)
    expect(page.locator("[data-figure=inside] .today")).to_have_text("0 / 2")
    assert figure(page, "inside", "least_change") == "2 / 3"
    assert figure(page, "buildings_cut", "least_change") == "0"
    assert int(page.locator("[data-figure=households_moved] .least").inner_text()) >= 184
    expect(page.locator("[data-figure=inside] .better").first).to_contain_text("+2")
    # What changes hands is hatched, but for what its grid has today.
    expect(page.locator("#plan-answer-definitions mask")).to_have_count(1)
    expect(page.locator(".plan-label span", has_text="484 →")).to_have_count(1)


def test_answers_are_switched_by_arrows(desk: Watched, plans: Plans) -> None:
    page = propose(desk, plans.address("切换", "m2"))
    page.locator("#answer-least_change").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#answer-balance")).to_be_checked()
    expect(page.locator("#answer-balance")).to_be_focused()
    expect(page.locator("#propose-take")).to_contain_text("户数均衡")
    expect(page.locator("th.chosen")).to_contain_text("户数均衡")


def test_an_answer_is_taken_and_taken_back_in_one_step(desk: Watched, plans: Plans) -> None:
    page = propose(desk, plans.address("选用", "m2"))
    page.locator("#propose-take").click()
    has_changes(page, 1)
    expect(page.locator(".plan-grids li")).to_have_count(4)
    count = page.locator("#legend .classes li", has_text="超过上限一半以上").locator("b")
    expect(count).to_have_text("1")
    page.locator("#plan-note-act").click()
    has_changes(page, 0)
    expect(page.locator(".plan-grids li")).to_have_count(3)
    expect(count).to_have_text("2")
    page.keyboard.press("Control+Shift+Z")
    has_changes(page, 1)
    page.keyboard.press("Control+z")
    has_changes(page, 0)


def test_an_answer_is_refined_beside_the_others(desk: Watched, plans: Plans) -> None:
    page = propose(desk, plans.address("微调", "m2"))
    moved = figure(page, "households_moved", "least_change")
    page.locator("#refine").click()
    page.locator("#weight-balance").fill("80")
    expect(page.locator("#answer-refined")).to_be_checked()
    expect(answers(page)).to_have_count(4)
    page.locator("#weight-shape").fill("90")
    expect(page.locator("#refine-back")).to_be_visible()
    page.locator("#refine-back").click()
    expect(page.locator("#weight-balance")).to_have_value("80")
    expect(page.locator("#weight-shape")).to_have_value("20")
    page.locator("#answer-least_change").check()
    assert figure(page, "households_moved", "least_change") == moved
    page.locator("#answer-refined").check()
    page.locator("#propose-take").click()
    has_changes(page, 1)


def test_one_grid_is_divided_from_its_row(
    desk: Watched, plans: Plans, small_county: SmallCounty
) -> None:
    page = work_on(desk, plans.address("一格", "m2"))
    page.locator(".plan-grids li", has_text="格g02").locator(".plan-divide").click()
    answers(page)
    expect(page.locator("#panel h2")).to_contain_text("格g02")
    page.locator("#propose-pieces").fill("3")
    expect(page.locator("[data-figure=inside] [data-answer=least_change] b")).to_have_text("3 / 3")
    page.locator("#propose-take").click()
    has_changes(page, 1)
    expect(page.locator(".plan-grids li")).to_have_count(5)
    expect(page.locator(".plan-grids .load", has_text="格g22")).to_contain_text("49")
    assert f"village={small_county.grid_ids['m2']}" in page.url


def test_what_is_locked_stays(desk: Watched, plans: Plans, small_county: SmallCounty) -> None:
    page = propose(desk, plans.address("保留", "m2"))
    school, crowd = (page.locator(f"#lock-{small_county.grid_ids[key]}") for key in ("g12", "g02"))
    page.locator("details.typed summary").first.click()
    expect(school).to_be_disabled()
    expect(school).to_be_checked()
    page.mouse.click(*at(page, *middle("g02")))
    expect(crowd).to_be_checked()
    expect(page.locator("#propose-take")).to_be_disabled()
    page.mouse.click(*at(page, *middle("g12")))
    expect(page.locator(".plan-note")).to_contain_text("专属")
    crowd.uncheck()
    expect(page.locator("#propose-take")).to_be_enabled()


def test_where_all_grids_fit_it_says_so(desk: Watched, plans: Plans) -> None:
    page = propose(desk, plans.address("都合适", "m0"))
    expect(page.locator("#answers .kept")).to_be_visible()


def test_a_town_is_worked_out_by_a_job_that_can_be_stopped(
    desk: Watched, plans: Plans, store: Store
) -> None:
    page = work_on(desk, plans.address("全镇", "m2"))
    page.locator("#plan-propose-any").click()
    answers(page)
    town = page.locator("#propose-scope option[value^='propose:town:']")
    page.locator("#propose-scope").select_option(town.get_attribute("value"))
    page.locator("#propose-begin").click()
    expect(page.locator("#answers progress")).to_be_visible()
    page.locator("#propose-stop").click()
    expect(page.locator("#answers")).to_contain_text("已停止")
    with page.expect_response(re.compile("/propose")) as got:
        page.locator("#propose-begin").click()
    job = got.value.json()["job_id"]
    expect(page.locator("#answers progress")).to_be_visible()
    page.reload()  # the work goes on, and is found again
    expect(page.locator("#answers progress")).to_be_visible()
    jobs.perform(store, job)
    expect(answers(page)).to_have_count(3)
    page.locator("#propose-take").click()
    has_changes(page, 1)
    page.keyboard.press("Control+z")
    has_changes(page, 0)


def test_what_cannot_be_answered_says_why(desk: Watched, plans: Plans) -> None:
    page = desk.open(f"{plans.address('没有', 'm2')}&step=propose:grid:99999")
    expect(page.locator("#answers .trouble")).to_contain_text("99999")
    page.locator("#propose-scope").select_option("propose")
    answers(page)
    desk.forgive(404)


def test_answers_are_cards_on_a_phone(look: Look, plans: Plans) -> None:
    page = propose(look(PHONE, has_touch=True, is_mobile=True), plans.address("手机比选", "m2"))
    tops = [head.bounding_box()["y"] for head in answers(page).all()]  # type: ignore[index]
    assert tops == sorted(tops)
    assert min(b - a for a, b in pairwise(tops)) > 200  # each above the next
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
