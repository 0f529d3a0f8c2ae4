"""The planner's day: an edge dragged with live load, cuts, mergers, review, publication, back."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from playwright.sync_api import Locator, Page, expect

from gis_service.access import SYSTEM
from gis_service.messages import WEB_DIR, all_texts
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty, middle
from tests.browser.conftest import PHONE, Watched
from tests.support import SIDE, SOUTH, WEST

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("small_county", "planner")]

Look = Callable[..., Watched]
LANGUAGES = ["zh-CN", "en"]
KEY_STEPS = 6
HOMES_PER_SIDE = 18
OUTSIDE = f"h{sum(HOUSEHOLDS_PER_GRID.values())}"


def _spread_out(connection: sa.Connection) -> None:
    """Homes all over the southern village: land is parted between houses."""
    steps = [(i + 0.5) / HOMES_PER_SIDE for i in range(HOMES_PER_SIDE)]
    places = [(WEST + 3 * SIDE * x, SOUTH + SIDE * y) for x in steps for y in steps]
    homes: dict[str, Any] = {
        "key": [f"spread{i}" for i in range(len(places))],
        "street": ["南街"] * len(places),
        "house_number": [f"{i}号" for i in range(len(places))],
        "head_name": ["李四"] * len(places),
        "phone": ["13812345678"] * len(places),
        "people": [3] * len(places),
        "care_tags": [[]] * len(places),
        "point": np.array([shapely.Point(place) for place in places], dtype=object),
    }
    copy_rows(connection, t.household, homes)


@pytest.fixture(scope="module")
def planner(store: Store, small_county: SmallCounty) -> int:
    """A second person who may plan: nobody agrees to a plan of their own."""
    assert small_county.grid_ids
    with store.transaction(SYSTEM) as connection:
        # A household outside every grid would stop every publication.
        connection.execute(sa.delete(t.household).where(t.household.c.key == OUTSIDE))
        _spread_out(connection)
        row = {"name": "规划员", "name_en": "Planner", "role": "planner", "is_demo": True}
        made = sa.insert(t.actor).values(row).returning(t.actor.c.actor_id)
        return int(connection.execute(made).scalar_one())


def begin(watched: Watched, title: str, language: str = "zh-CN") -> Page:
    """Open the mode by its key and begin a plan."""
    page = watched.open(f"?lang={language}")
    page.keyboard.press("3")
    title_box = page.locator("#plan-title")
    title_box.or_(page.locator("#plans")).first.wait_for()
    if not title_box.is_visible():
        page.locator(".new-plan summary").click()
    title_box.fill(title)
    page.locator("#plan-begin").click()
    expect(page.locator("#plan-bar .chip")).to_contain_text(title)
    return page


def choose_village(page: Page, name: str = "村1") -> None:
    """Take a village from the list."""
    page.locator("#plan-villages button", has_text=name).click()
    expect(page.locator("#panel h2")).to_have_text(name)
    expect(page.locator(".plan-grids li").first).to_be_visible()


def tool(page: Page, name: str) -> None:
    """Take a tool."""
    page.locator(f"#tool-{name}").click()
    expect(page.locator(f"#tool-{name}")).to_have_attribute("aria-pressed", "true")


def take_edge(page: Page, one: str, other: str) -> Locator:
    """Take a shared edge from the list; its handle half way."""
    if not page.locator("#plan-edges").is_visible():
        page.locator("#edges-details summary").click()
    page.locator("#plan-edges button", has_text=one).filter(has_text=other).click()
    return page.locator(".plan-handle.middle").first


def save(page: Page, changes: int) -> None:
    """Save what is in the hand and wait until the plan has so many changes."""
    expect(page.locator("#plan-slot .load").first).to_be_visible()
    page.locator("#plan-save").click()
    has_changes(page, changes)


def has_changes(page: Page, changes: int) -> None:
    """The bar over the map counts the changes."""
    count = page.locator("#plan-bar [data-changes]")
    expect(count).to_have_attribute("data-changes", str(changes))


def dissolve(page: Page, grid: str) -> None:
    """The shortest edit: one choice and a save."""
    tool(page, "dissolve")
    option = page.locator("#dissolve-grid option", has_text=grid)
    page.locator("#dissolve-grid").select_option(option.get_attribute("value"))


def as_actor(page: Page, name: str) -> None:
    """Work as somebody else."""
    with page.expect_navigation():
        page.locator("#actor").select_option(label=name)
    page.wait_for_selector("html[data-ready]", state="attached")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_empty_mode_teaches_the_first_step(look: Look, language: str) -> None:
    page = look().open(f"?mode=plan&lang={language}")
    expect(page.locator(".how-steps li")).to_have_count(4)
    expect(page.locator("#plan-title")).to_be_visible()
    expect(page.locator("#mode-plan")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dragged_edge_shows_the_load_of_both_sides(look: Look, language: str) -> None:
    page = begin(look(), f"拖动 {language}", language)
    choose_village(page)
    handle = take_edge(page, "格g01", "格g11").bounding_box()
    assert handle is not None
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    width = page.evaluate(f"""
        grid_map_page.latLngToContainerPoint([{SOUTH}, {WEST + SIDE}]).x
        - grid_map_page.latLngToContainerPoint([{SOUTH}, {WEST}]).x""")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + width * 0.4, y, steps=4)
    page.mouse.move(x + width * 0.8, y, steps=4)
    left = page.locator(".load", has_text="格g01")
    expect(left).to_contain_text("90 → 400")
    expect(page.locator(".load", has_text="格g11")).to_contain_text("310 → 0")
    expect(page.locator("[data-rule=size]")).to_be_visible()
    page.mouse.up()
    save(page, 1)
    expect(page.locator(".plan-grids .load", has_text="格g01")).to_contain_text("400")
    assert "mode=plan" in page.url
    assert "plan=" in page.url


def test_an_edge_is_moved_by_keys_alone(look: Look) -> None:
    page = begin(look(), "按键")
    choose_village(page)
    take_edge(page, "格g11", "格g21").press("ArrowRight")
    for _ in range(KEY_STEPS):
        page.locator(".plan-handle:focus").press("Shift+ArrowRight")
    expect(page.locator("#plan-slot .load")).to_have_count(2)
    page.keyboard.press("Control+z")
    expect(page.locator("#plan-slot")).to_be_empty()
    page.locator(".plan-handle.middle").first.press("ArrowRight")
    for _ in range(KEY_STEPS):
        page.locator(".plan-handle:focus").press("Shift+ArrowRight")
    expect(page.locator("#plan-slot .load")).to_have_count(2)
    page.keyboard.press("Enter")
    has_changes(page, 1)
    page.keyboard.press("Control+z")
    has_changes(page, 0)
    page.keyboard.press("Control+Shift+z")
    has_changes(page, 1)


def test_a_cut_by_border_points_and_a_merger(look: Look) -> None:
    page = begin(look(), "切分与合并")
    choose_village(page)
    tool(page, "cut")
    option = page.locator("#cut-grid option", has_text="格g21")
    page.locator("#cut-grid").select_option(option.get_attribute("value"))
    page.locator("details.typed summary").first.click()
    page.locator("#cut-from").select_option(index=3)
    page.locator("#cut-to").select_option(index=11)
    expect(page.locator("#plan-slot .load")).to_have_count(2)
    save(page, 1)
    expect(page.locator(".plan-grids li")).to_have_count(4)
    tool(page, "merge")
    for name in ("格g01", "格g11"):
        page.locator(".checks label", has_text=name).click()
    expect(page.locator("#plan-slot .load", has_text="格g11")).to_contain_text("310 → 400")
    save(page, 2)
    expect(page.locator(".plan-grids li")).to_have_count(3)


def test_land_is_handed_over_by_a_lasso(look: Look) -> None:
    page = begin(look(), "划转")
    choose_village(page)
    tool(page, "give")
    page.locator("#give-land").click()
    option = page.locator("#give-to option", has_text="格g21")
    page.locator("#give-to").select_option(option.get_attribute("value"))
    lon, lat = middle("g11")
    corners = [(-0.2, -0.2), (0.7, -0.2), (0.7, 0.2), (-0.2, 0.2), (-0.2, -0.15)]
    places = [
        page.evaluate(f"""(() => {{
        const at = grid_map_page.latLngToContainerPoint([{lat + dy * SIDE}, {lon + dx * SIDE}]);
        const box = grid_map_page.getContainer().getBoundingClientRect();
        return [at.x + box.x, at.y + box.y];
    }})()""")
        for dx, dy in corners
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    expect(page.locator("#plan-slot .load", has_text="格g21")).to_contain_text("500 → 810")
    save(page, 1)


def test_undo_works_after_a_reload(look: Look) -> None:
    page = begin(look(), "隔日撤销")
    choose_village(page)
    dissolve(page, "格g21")
    save(page, 1)
    expect(page.locator(".plan-grids li")).to_have_count(2)
    page.reload()
    expect(page.locator(".plan-grids li")).to_have_count(2)
    has_changes(page, 1)
    page.keyboard.press("Control+z")
    expect(page.locator(".plan-grids li")).to_have_count(3)
    has_changes(page, 0)
    page.locator("#plan-redo").click()
    has_changes(page, 1)


def test_a_stroke_survives_a_server_and_a_browser_that_die(look: Look) -> None:
    watched = look()
    page = begin(watched, "断网")
    choose_village(page)
    dissolve(page, "格g01")
    expect(page.locator("#plan-slot .load").first).to_be_visible()
    page.route("**/api/plans/*/edits*", lambda route: route.abort())
    page.locator("#plan-save").click()
    expect(page.locator(".plan-actions .fault")).to_be_visible()
    page.reload()
    expect(page.locator("#plan-slot .load").first).to_be_visible()
    expect(page.locator("#tool-dissolve")).to_have_attribute("aria-pressed", "true")
    page.unroute("**/api/plans/*/edits*")
    save(page, 1)
    watched.complaints[:] = [one for one in watched.complaints if "ERR_FAILED" not in one]


def test_two_planners_see_each_other_and_lose_nothing(look: Look) -> None:
    watched = look()
    first = begin(watched, "两人同改")
    choose_village(first)
    second = look().open(first.url[first.url.index("?") :])
    expect(second.locator(".plan-grids li")).to_have_count(3)
    expect(second.locator("#plan-bar.alive")).to_be_visible()
    dissolve(first, "格g01")
    save(first, 1)
    has_changes(second, 1)
    expect(second.locator(".plan-grids li")).to_have_count(2)


def test_who_saves_second_is_shown_the_first_and_takes_it_over(look: Look) -> None:
    first = begin(look(), "同时保存")
    choose_village(first)
    watched = look()
    second = watched.page
    second.route("**/api/live", lambda route: route.abort())
    watched.open(first.url[first.url.index("?") :])
    expect(second.locator(".plan-grids li")).to_have_count(3)
    dissolve(second, "格g21")
    expect(second.locator("#plan-slot .load").first).to_be_visible()
    tool(first, "merge")
    for name in ("格g01", "格g11"):
        first.locator(".checks label", has_text=name).click()
    save(first, 1)
    second.locator("#plan-save").click()
    expect(second.locator(".conflict li")).to_have_count(1)
    second.locator("#plan-on-top").click()
    has_changes(second, 2)
    has_changes(first, 2)
    watched.forgive(409)
    watched.complaints[:] = [one for one in watched.complaints if "ERR_FAILED" not in one]


def test_the_path_to_publication_and_back(look: Look) -> None:
    page = begin(look(), "发布")
    choose_village(page, "村2")
    dissolve(page, "格g22")
    save(page, 1)
    page.locator("#plan-path").click()
    expect(page.locator(".path > li")).to_have_count(5)
    for box in page.locator(".warnings input").all():
        box.fill("两格人口都少")
    page.locator("#plan-submit").click()
    expect(page.locator("#panel")).to_contain_text("审核中")
    expect(page.locator("#plan-approve")).to_have_count(0)
    as_actor(page, "规划员")
    page.locator("#plan-approve").click()
    expect(page.locator("[data-step=agree].done")).to_be_visible()
    expect(page.locator("#impact .tiles")).to_be_visible()
    page.locator("#plan-publish").click()
    expect(page.locator("#panel h2")).to_have_text("已发布")
    page.locator("#see-version").click()
    expect(page.locator("#comparison")).to_contain_text("变动网格")
    page.locator("#withdraw summary").click()
    page.locator("#withdraw-reason").fill("群众有意见")
    page.locator("#withdraw-send").click()
    expect(page.locator("#versions li")).to_have_count(3)


def test_answers_stand_side_by_side(look: Look) -> None:
    page = begin(look(), "比选")
    choose_village(page, "村0")
    page.locator("#plan-propose").click()
    # Three where they differ: a land without streets has fewer ways to part it.
    expect(page.locator(".answers li").nth(1)).to_be_visible()
    page.locator(".answers .look").nth(1).click()
    expect(page.locator(".answers .look").nth(1)).to_have_attribute("aria-pressed", "true")
    page.locator("#answer-0").click()
    count = page.locator("#plan-bar [data-changes]")
    expect(count).not_to_have_attribute("data-changes", "0")


def test_before_and_after_are_swiped(look: Look) -> None:
    page = begin(look(), "对比")
    choose_village(page)
    dissolve(page, "格g21")
    save(page, 1)
    page.locator("#plan-compare").click()
    swipe = page.locator("#plan-swipe")
    expect(swipe).to_be_visible()
    clip = "grid_map_page.getPane('plan-faces').style.clipPath"
    first = page.evaluate(clip)
    swipe.press("ArrowRight")
    assert page.evaluate(clip) != first
    page.locator("#plan-compare").click()
    expect(swipe).to_have_count(0)
    assert page.evaluate(clip) == ""


def test_planning_on_a_phone(look: Look) -> None:
    page = begin(look(PHONE, has_touch=True), "手机")
    choose_village(page)
    take_edge(page, "格g01", "格g11").press("ArrowRight")
    page.locator(".plan-handle:focus").press("Shift+ArrowRight")
    button = page.locator("#plan-save").bounding_box()
    assert button is not None
    assert button["height"] >= 44
    save(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_mode_exists(language: str) -> None:
    said = {
        key
        for file in (WEB_DIR / "js").glob("plan*.js")
        for key in re.findall(r'\bp\("([a-z0-9_]+)"', file.read_text("utf-8"))
    }
    assert len(said) > 100
    assert {key for key in said if f"plan.{key}" not in all_texts(language)} == set()
