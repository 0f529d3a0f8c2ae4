"""Records entered by hand on the page: pointed at, refused, saved, taken back; by keys alone."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, Request, expect

from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from tests.browser.conftest import DESK, PHONE, SmallCounty, Watched

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("county_page_ready")]

Look = Callable[..., Watched]
WORDS = {
    "zh-CN": {"new": "新增房屋", "range": "应在 1 到 200 之间", "undo": "撤销", "draft": "已恢复"},
    "en": {"new": "New building", "range": "between 1 and 200", "undo": "Undo", "draft": "is back"},
}


def enter(
    watched: Watched, entry: str, language: str = "zh-CN", place: str = "14/28.715/112.915"
) -> Page:
    page = watched.open(f"?lang={language}&view=enter&entry={entry}#{place}")
    page.wait_for_selector(".entry-form" if ":" in entry else ".records, .kinds", state="attached")
    return page


def newest(store: Store, table: sa.Table) -> sa.Row[tuple[object, ...]] | None:
    identity = next(iter(table.primary_key.columns))
    with store.transaction(SYSTEM) as connection:
        return connection.execute(sa.select(table).order_by(identity.desc()).limit(1)).first()


def is_of_buildings(request: Request) -> bool:
    """Whether the map asks for its buildings anew, by layers or by vector tiles."""
    return "/api/layers/buildings" in request.url or "/api/tiles/ground.json" in request.url


def point_at_the_middle(page: Page) -> None:
    box = page.locator("#map_page, .folium-map").first.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3)


def the_sheet_has_come_to_rest(page: Page) -> None:
    """Wait until the sheet lies below the place to point at: it slides for a moment."""
    page.wait_for_function(
        """() => {
          const top = document.getElementById("panel").getBoundingClientRect().top;
          const isStill = document.getElementById("panel").getAnimations().length === 0;
          return isStill && top > innerHeight * 0.4;
        }"""
    )


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_building_is_pointed_at_refused_mended_saved_and_taken_back(
    look: Look, store: Store, language: str, size: dict[str, int]
) -> None:
    words = WORDS[language]
    watched = look(size, has_touch=size is PHONE)
    page = enter(watched, "building:new", language, "16/28.715/112.915")
    expect(page.locator("#panel h2")).to_have_text(words["new"])
    if size is PHONE:
        page.locator(".place .button").first.click()
        the_sheet_has_come_to_rest(page)
    point_at_the_middle(page)
    expect(page.locator(".place-said b")).to_have_text(re.compile("格g"))
    if size is PHONE:
        page.locator(".place .filled").click()
    page.fill("#field-address", "东街 99 号")
    page.fill("#field-storeys", "500")
    page.locator("button[type=submit]").click()
    expect(page.locator("#field-storeys-fault")).to_contain_text(words["range"])
    expect(page.locator("#field-storeys")).to_be_focused()

    page.reload()
    expect(page.locator(".note")).to_contain_text(words["draft"])
    expect(page.locator("#field-address")).to_have_value("东街 99 号")
    expect(page.locator(".place-said b")).to_be_visible()
    page.fill("#field-storeys", "5")
    with page.expect_request(is_of_buildings):
        page.locator("button[type=submit]").click()
    expect(page.locator("#saved")).to_be_visible()
    saved = newest(store, t.building)
    assert saved is not None
    assert (saved.address, saved.storeys) == ("东街 99 号", 5)
    assert saved.base_grid_id is not None
    expect(page.locator(".records")).to_contain_text("东街 99 号")

    with page.expect_request(is_of_buildings):
        page.locator("#saved .link").click()
    expect(page.locator(".records")).not_to_contain_text("东街 99 号")
    after = newest(store, t.building)
    assert after is not None
    assert after.building_id != saved.building_id
    expect(page.locator("#saved")).to_be_visible()
    watched.forgive(422)


def test_a_record_is_changed_by_keys_alone(look: Look, store: Store) -> None:
    page = enter(look(), "facility")
    page.locator("#entry-search").focus()
    page.keyboard.type("卫生室")
    expect(page.locator(".records li")).to_have_count(1)
    page.locator(".records button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#field-name")).to_have_value("东街卫生室")
    page.locator("#field-point").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("112.915, 28.716")
    page.keyboard.press("Enter")
    expect(page.locator(".place-said b")).to_have_text("格g11")
    page.locator("#field-name").focus()
    page.keyboard.press("End")
    page.keyboard.type("(迁)")
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_be_visible()
    with store.transaction(SYSTEM) as connection:
        query = sa.select(
            t.facility.c.name, sa.func.ST_X(t.facility.c.point), sa.func.ST_Y(t.facility.c.point)
        ).where(t.facility.c.key == "clinic")
        assert tuple(connection.execute(query).one()) == ("东街卫生室(迁)", 112.915, 28.716)


def test_an_officer_a_duty_and_a_leave_are_given_by_pick_lists(look: Look, store: Store) -> None:
    page = enter(look(), "officer:new")
    page.fill("#field-name", "魏十二")
    page.fill("#field-phone", "13811110000")
    page.locator("button[type=submit]").click()
    expect(page.locator("#saved")).to_be_visible()
    page.goto(page.url.replace("entry=officer", "entry=duty%3Anew"))
    page.locator("#field-officer").fill("魏十")
    page.locator(".pick li", has_text="魏十二").click()
    page.locator("#field-grid").fill("g20")
    page.locator("[data-field=grid] .pick li", has_text="格g20").click()
    page.locator("button[type=submit]").click()
    expect(page.locator(".records")).to_contain_text("魏十二")
    duty = newest(store, t.grid_duty)
    assert duty is not None
    assert (duty.role, duty.post) == ("officer", "A")


def test_a_post_that_is_taken_is_said_beside_the_field(
    look: Look, small_county: SmallCounty
) -> None:
    watched = look()
    page = enter(watched, "duty:new", "en")
    page.locator("#field-officer").fill("赵一")
    page.locator(".pick li", has_text="赵一").click()
    page.locator("#field-grid").fill("g11")
    page.locator("[data-field=grid] .pick li", has_text="格g11").click()
    page.locator("button[type=submit]").click()
    expect(page.locator("#field-post-fault")).to_contain_text("Somebody holds this post")
    watched.forgive(409)


def test_a_household_stays_hidden_until_a_reason_is_given(look: Look, store: Store) -> None:
    page = enter(look(), "household")
    page.locator(".records button").first.click()
    name = page.locator("#field-head_name")
    expect(name).to_have_value("")
    expect(name).to_have_attribute("placeholder", re.compile(r"\*"))
    page.locator(".reveal select").select_option("visit")
    page.locator(".reveal .button").click()
    expect(name).not_to_have_value("")
    expect(name).not_to_have_value(re.compile(r"\*"))
    with store.transaction(SYSTEM) as connection:
        event = connection.execute(
            sa.select(t.event).order_by(t.event.c.event_id.desc()).limit(1)
        ).one()
    assert (event.action, event.after["reason"]) == ("reveal", "visit")


def test_what_somebody_else_changed_meanwhile_is_shown_and_not_overwritten(
    look: Look, store: Store
) -> None:
    watched = look()
    page = enter(watched, "premises:new")
    page.fill("#field-name", "同心百货店")
    page.fill("#field-point", "112.915, 28.716")
    page.locator("#field-point").press("Enter")
    expect(page.locator(".place-said b")).to_be_visible()
    page.locator("button[type=submit]").click()
    page.locator(".records button", has_text="同心百货店").click()
    page.fill("#field-name", "同心超市")
    saved = newest(store, t.premises)
    assert saved is not None
    mine = t.premises.c.premises_id == saved.premises_id
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.premises).where(mine).values(name="同心大药房", grade="A"))
    page.locator("button[type=submit]").click()
    conflict = page.locator(".notes .trouble")
    expect(conflict).to_contain_text("同心大药房")
    expect(page.locator("#field-name")).to_have_value("同心超市")
    expect(page.locator("#field-grade")).to_have_value("A")
    page.locator("button[type=submit]").click()
    expect(page.locator(".records")).to_contain_text("同心超市")
    with store.transaction(SYSTEM) as connection:
        row = connection.execute(sa.select(t.premises).where(mine)).one()
    assert (row.name, row.grade) == ("同心超市", "A")
    watched.forgive(412)


def test_escape_asks_before_it_loses_anything_and_backs_out_step_by_step(look: Look) -> None:
    page = enter(look(), "officer:new")
    page.fill("#field-name", "半截")
    page.keyboard.press("Escape")
    expect(page.locator(".confirm")).to_be_visible()
    expect(page.locator(".confirm .button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".confirm")).to_have_count(0)
    expect(page.locator("#field-name")).to_have_value("半截")
    page.keyboard.press("Escape")
    page.locator(".confirm .wrong").click()
    expect(page.locator("#entry-new")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".kinds")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_have_attribute("data-kind", "overview")


def test_a_grid_offers_to_enter_there(look: Look, small_county: SmallCounty) -> None:
    page = look().open(f"?lang=zh-CN&grid={small_county.grid_ids['g12']}")
    page.locator("#panel .button", has_text="登记到此网格").click()
    page.locator(".kinds button", has_text="任职").click()
    page.locator("#entry-new").click()
    expect(page.locator("#field-grid")).to_have_value("格g12")


def test_those_who_may_not_enter_are_not_offered_to(look: Look, small_county: SmallCounty) -> None:
    watched = look(extra_http_headers={"X-Gis-Actor": str(small_county.actors["analyst"])})
    page = watched.open()
    expect(page.locator("#open-enter")).to_be_hidden()
