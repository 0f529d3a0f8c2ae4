"""The planner's day: an edge dragged with live load, cuts, mergers, review, publication, back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, expect

from gis_service.access import SYSTEM
from gis_service.access.actor import find_actor
from gis_service.api.authentication import ACTOR_COOKIE
from gis_service.boundaries.plans import life as plan_life
from gis_service.grids.assignment import assign_new
from gis_service.messages import WEB_DIR, all_texts
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty, middle
from tests.browser.conftest import PHONE, Look, Running, Watched, looking
from tests.support import SIDE, SOUTH, WEST, add_buildings

pytestmark = pytest.mark.browser

LANGUAGES = ["zh-CN", "en"]
KEY_STEPS = 6
HOMES_PER_SIDE = 18
OUTSIDE = f"h{sum(HOUSEHOLDS_PER_GRID.values())}"


def _tower(connection: sa.Connection) -> None:
    """One house for all the households in the middle of the county, and an empty one beside it."""
    lon, lat = middle("g11")
    add_buildings(connection, [(lon, lat), (lon - SIDE / 3, lat - SIDE / 3)])
    tower = sa.select(t.building.c.building_id).where(t.building.c.key == "b0").scalar_subquery()
    place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(*middle("g11")), 4490)
    there = sa.func.ST_Equals(t.household.c.point, place)
    connection.execute(sa.update(t.household).where(there).values(building_id=tower))
    assign_new(connection)


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


@pytest.fixture(scope="module", autouse=True)
def planner(store: Store, small_county: SmallCounty) -> None:
    """A second person who may plan: nobody agrees to a plan of their own."""
    with store.transaction(SYSTEM) as connection:
        # A household outside every grid would stop every publication.
        connection.execute(sa.delete(t.household).where(t.household.c.key == OUTSIDE))
        _spread_out(connection)
        _tower(connection)
        row = {"name": "规划员", "name_en": "Planner", "role": "planner", "is_demo": True}
        made = sa.insert(t.actor).values(row).returning(t.actor.c.actor_id)
        small_county.actors["planner"] = connection.execute(made).scalar_one()


@pytest.fixture(scope="module")
def desks(browser: Browser, home: str) -> Iterator[tuple[Watched, Watched]]:
    """Two browsers for most tests: what they have loaded once they keep."""
    with looking(browser, home) as make:
        yield make(reduced_motion="reduce"), make(reduced_motion="reduce")


def _left(desk: Watched) -> Iterator[Watched]:
    yield desk
    desk.page.goto("about:blank")  # a page that is not looked at does not work on
    desk.page.unroute_all()
    desk.page.context.clear_cookies()
    desk.settle()


@pytest.fixture
def desk(desks: tuple[Watched, Watched]) -> Iterator[Watched]:
    """The first browser; left without a complaint."""
    yield from _left(desks[0])


@pytest.fixture
def other_desk(desks: tuple[Watched, Watched]) -> Iterator[Watched]:
    """The second browser, of another planner."""
    yield from _left(desks[1])


@dataclass(frozen=True)
class Plans:
    """Begins plans without asking the page for it."""

    store: Store
    county: SmallCounty

    def address(self, title: str, village: str = "m1", language: str = "zh-CN") -> str:
        """Begin a plan; the address of one of its villages."""
        with self.store.transaction(SYSTEM) as connection:
            author = find_actor(connection, self.county.actors["county_office"])
            plan = plan_life.create_plan(connection, author, "base", title, "")
        place = f"plan={plan}&village={self.county.grid_ids[village]}"
        return f"?mode=plan&{place}&layers=names&lang={language}"


@pytest.fixture(scope="module")
def plans(store: Store, small_county: SmallCounty) -> Plans:
    """Plans of the county's office."""
    return Plans(store, small_county)


def work_on(watched: Watched, address: str) -> Page:
    """Open a village of a plan and wait until its grids are listed."""
    page = watched.open(address)
    expect(page.locator(".plan-grids li").first).to_be_visible()
    return page


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
    choose(page, "#dissolve-grid", grid)


def as_role(watched: Watched, county: SmallCounty, role: str) -> None:
    """Work as somebody else from the next page on."""
    cookie = {"name": ACTOR_COOKIE, "value": str(county.actors[role]), "url": watched.home}
    watched.page.context.add_cookies([cookie])  # type: ignore[list-item]


def at(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place is on the screen."""
    x, y = page.evaluate(f"""(() => {{
        const at = grid_map_page.latLngToContainerPoint([{lat}, {lon}]);
        const box = grid_map_page.getContainer().getBoundingClientRect();
        return [at.x + box.x, at.y + box.y];
    }})()""")
    return x, y


def centre(handle: Locator) -> tuple[float, float]:
    """Where a handle is on the screen."""
    box = handle.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag_edge(page: Page, columns: float) -> None:
    """Drag the edge of the left and the middle grid by so many columns, and keep it in the hand."""
    x, y = centre(take_edge(page, "格g01", "格g11"))
    width = at(page, WEST + SIDE, SOUTH)[0] - at(page, WEST, SOUTH)[0]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + width * columns / 2, y, steps=4)
    page.mouse.move(x + width * columns, y, steps=4)


def lasso(page: Page, corners: list[tuple[float, float]]) -> None:
    """Draw around a part of the middle grid in one movement; corners are in parts of its side."""
    lon, lat = middle("g11")
    places = [at(page, lon + dx * SIDE, lat + dy * SIDE) for dx, dy in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def choose(page: Page, box: str, grid: str) -> None:
    """Choose a grid by its name."""
    option = page.locator(f"{box} option", has_text=grid)
    page.locator(box).select_option(option.get_attribute("value"))


def merge(page: Page, *grids: str) -> None:
    """Tick grids to be one."""
    tool(page, "merge")
    for grid in grids:
        page.locator(".checks label", has_text=grid).click()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_empty_mode_teaches_the_first_step(desk: Watched, language: str) -> None:
    page = desk.open(f"?mode=plan&lang={language}")
    expect(page.locator(".how-steps li")).to_have_count(4)
    expect(page.locator("#plan-title")).to_be_visible()
    expect(page.locator("#mode-plan")).to_have_attribute("aria-current", "page")


def test_who_may_not_plan_is_told_who_may(desk: Watched, small_county: SmallCounty) -> None:
    as_role(desk, small_county, "analyst")
    page = desk.open("?mode=plan&lang=zh-CN")
    expect(page.locator("#panel")).to_contain_text("县网格办")
    expect(page.locator("#plan-title")).to_have_count(0)


def test_a_plan_is_begun_by_keys_alone(desk: Watched) -> None:
    page = desk.open("?lang=zh-CN")
    page.keyboard.press("3")
    page.locator("#plan-title").focus()
    page.keyboard.type("键盘开始")
    page.keyboard.press("Enter")
    expect(page.locator("#plan-bar .chip")).to_contain_text("键盘开始")
    page.locator("#village-filter").focus()
    page.keyboard.type("村1")
    expect(page.locator("#plan-villages li")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".plan-grids li")).to_have_count(3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dragged_edge_shows_the_load_of_both_sides(
    desk: Watched, plans: Plans, language: str
) -> None:
    page = work_on(desk, plans.address("拖动", language=language))
    expect(page.locator("#legend .of-draft")).to_be_visible()
    drag_edge(page, 0.8)
    expect(page.locator(".load", has_text="格g01")).to_contain_text("90 → 400")
    expect(page.locator(".load", has_text="格g11")).to_contain_text("310 → 0")
    expect(page.locator("[data-rule=size]")).to_be_visible()
    expect(page.locator(".leaflet-plan-signs-pane .plan-label")).to_have_count(2)
    page.mouse.up()
    save(page, 1)
    expect(page.locator(".plan-grids .load", has_text="格g01")).to_contain_text("400")


def test_an_edge_is_moved_by_keys_alone(desk: Watched, plans: Plans) -> None:
    page = work_on(desk, plans.address("按键"))
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


def test_a_cut_by_border_points_and_a_merger(desk: Watched, plans: Plans) -> None:
    page = work_on(desk, plans.address("切分与合并"))
    tool(page, "cut")
    choose(page, "#cut-grid", "格g21")
    page.locator("details.typed summary").first.click()
    page.locator("#cut-from").select_option(index=3)
    page.locator("#cut-to").select_option(index=11)
    expect(page.locator("#plan-slot .load")).to_have_count(2)
    save(page, 1)
    expect(page.locator(".plan-grids li")).to_have_count(4)
    merge(page, "格g01", "格g11")
    expect(page.locator("#plan-slot .load", has_text="格g11")).to_contain_text("310 → 400")
    save(page, 2)
    expect(page.locator(".plan-grids li")).to_have_count(3)


def test_a_building_and_land_are_handed_over_by_a_lasso(desk: Watched, plans: Plans) -> None:
    page = work_on(desk, plans.address("划转"))
    tool(page, "give")
    choose(page, "#give-to", "格g01")
    lasso(page, [(-0.1, -0.1), (0.1, -0.1), (0.1, 0.1), (-0.1, 0.1), (-0.1, -0.05)])
    expect(page.locator("#plan-slot .load", has_text="格g01")).to_contain_text("90 → 400")
    save(page, 1)
    page.locator("#give-land").click()
    choose(page, "#give-to", "格g21")
    lasso(page, [(-0.2, -0.2), (0.7, -0.2), (0.7, 0.2), (-0.2, 0.2), (-0.2, -0.15)])
    expect(page.locator("#plan-slot .load", has_text="格g21")).to_contain_text("500 → 810")
    save(page, 2)


def test_a_new_grid_is_drawn_by_typed_places(desk: Watched, plans: Plans) -> None:
    page = work_on(desk, plans.address("新建"))
    tool(page, "draw")
    page.locator("#draw-name").fill("开发区一格")
    lon, lat = middle("g11")
    half = 0.3 * SIDE
    ring = [(lon + x, lat + y) for x, y in ((-half, -half), (half, -half), (half, half))]
    page.locator("details.typed summary").click()
    page.locator("#draw-typed").fill("\n".join(f"{x:.6f}, {y:.6f}" for x, y in ring))
    page.locator("details.typed button").click()
    expect(page.locator("#plan-slot .load", has_text="开发区一格")).to_be_visible()
    save(page, 1)
    expect(page.locator(".plan-grids li", has_text="开发区一格")).to_be_visible()


def test_undo_works_after_a_reload(desk: Watched, plans: Plans) -> None:
    page = work_on(desk, plans.address("隔日撤销"))
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


def test_a_browser_closed_in_the_middle_of_a_drag_loses_nothing(look: Look, plans: Plans) -> None:
    watched = look(reduced_motion="reduce")
    address = plans.address("关了浏览器")
    page = work_on(watched, address)
    drag_edge(page, 0.8)
    expect(page.locator(".load", has_text="格g01")).to_contain_text("90 → 400")
    page.close()
    again = Watched(watched.page.context.new_page(), watched.home)
    page = again.open(address)
    expect(page.locator("#plan-bar .plan-note")).to_be_visible()
    expect(page.locator(".load", has_text="格g01")).to_contain_text("90 → 400")
    save(page, 1)
    assert again.complaints == []


def test_a_server_killed_in_the_middle_loses_nothing(
    browser: Browser, store: Store, plans: Plans
) -> None:
    server = Running(store)
    with looking(browser, server.home) as make:
        watched = make(reduced_motion="reduce")
        page = work_on(watched, plans.address("停了服务"))
        dissolve(page, "格g21")
        save(page, 1)
        merge(page, "格g01", "格g11")
        expect(page.locator("#plan-slot .load").first).to_contain_text("900")
        server.die()
        page.locator("#plan-save").click()
        expect(page.locator(".plan-actions .fault")).to_be_visible()
        expect(page.locator("#plan-bar .tag")).to_contain_text("等待")
        server.start()
        has_changes(page, 2)
        expect(page.locator(".plan-grids li")).to_have_count(1)
        watched.forgive_lost_way()
    server.die()


def test_two_planners_see_each_other_and_lose_nothing(
    desk: Watched, other_desk: Watched, plans: Plans, small_county: SmallCounty
) -> None:
    address = plans.address("两人同改")
    as_role(other_desk, small_county, "planner")
    first, second = work_on(desk, address), work_on(other_desk, address)
    expect(second.locator("#plan-bar.alive")).to_be_attached()
    # What the second holds in the hand stays there while the first saves.
    merge(second, "格g11", "格g21")
    expect(second.locator("#plan-slot .load", has_text="格g21")).to_contain_text("500 → 810")
    dissolve(first, "格g01")
    save(first, 1)
    has_changes(second, 1)
    expect(second.locator(".plan-note")).to_contain_text("county_office")
    expect(second.locator("#plan-slot .load", has_text="格g21")).to_contain_text("500 → 900")
    save(second, 2)
    has_changes(first, 2)
    expect(first.locator(".plan-grids li")).to_have_count(1)


def test_who_saves_second_is_shown_both_and_nothing_is_overwritten(
    desk: Watched, other_desk: Watched, plans: Plans, small_county: SmallCounty
) -> None:
    address = plans.address("同时保存")
    as_role(other_desk, small_county, "planner")
    first, second = work_on(desk, address), other_desk.page
    second.route("**/api/live", lambda route: route.abort())
    work_on(other_desk, address)
    dissolve(second, "格g21")
    expect(second.locator("#plan-slot .load").first).to_be_visible()
    merge(first, "格g01", "格g11")
    save(first, 1)
    second.locator("#plan-save").click()
    expect(second.locator(".conflict li")).to_have_count(1)
    expect(second.locator(".conflict")).to_contain_text("county_office")
    has_changes(first, 1)
    second.locator("#plan-on-top").click()
    has_changes(second, 2)
    has_changes(first, 2)
    other_desk.forgive(409)
    other_desk.forgive_lost_way()


def test_the_path_to_publication_and_back(
    desk: Watched, plans: Plans, small_county: SmallCounty
) -> None:
    page = work_on(desk, plans.address("发布", "m2"))
    dissolve(page, "格g22")
    save(page, 1)
    page.locator("#plan-path").click()
    expect(page.locator(".path > li")).to_have_count(5)
    for box in page.locator(".warnings input").all():
        box.fill("两格人口都少")
    page.locator("#plan-submit").click()
    expect(page.locator("#panel")).to_contain_text("审核中")
    expect(page.locator("#plan-approve")).to_have_count(0)
    as_role(desk, small_county, "planner")
    page.reload()
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


def test_before_and_after_are_swiped(desk: Watched, plans: Plans) -> None:
    page = work_on(desk, plans.address("对比"))
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


def test_an_edge_is_dragged_by_a_finger(look: Look, plans: Plans) -> None:
    watched = look(PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = work_on(watched, plans.address("手机"))
    x, y = centre(take_edge(page, "格g01", "格g11"))
    far = x + at(page, WEST + 0.8 * SIDE, SOUTH)[0] - at(page, WEST, SOUTH)[0]
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        told = [{"x": px, "y": py} for px, py in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    touch("touchStart", (x, y))
    for share in (0.2, 0.4, 0.6, 0.8, 1):
        touch("touchMove", (x + share * (far - x), y))
    expect(page.locator("#plan-slot .load", has_text="格g01")).to_contain_text("90 → 400")
    touch("touchEnd")
    page.wait_for_function("document.querySelector('#plan-save')?.offsetHeight >= 44")
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
