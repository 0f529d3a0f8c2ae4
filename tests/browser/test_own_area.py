"""Whoever answers for some grids opens on them, with their figures; nobody is offered too much."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from gis_service.access.actor import Actor
from gis_service.access.permissions import NAMED
from gis_service.api.offers import list_offers
from gis_service.messages import WEB_DIR
from gis_service.roles import LOCAL_ROLES, ROLES
from tests.browser.conftest import DESK, PHONE, Look, SmallCounty, Watched

OFFERED = """async (people) => {
  const { OFFERS, offered } = await import(
    document.querySelector('script[src*="/main.js"]').src.replace("main.js", "offers.js"));
  return Object.fromEntries(Object.keys(OFFERS).map((part) =>
    [part, people.filter((actor) => offered(part, actor)).map(({ role }) => role).sort()]));
}"""

STAFF = {
    "analyst", "county_office", "dispatcher", "grid_officer", "planner", "town_office",
    "village_head",
}  # fmt: skip
LOCAL = {"grid_officer", "town_office", "village_head"}
OFFICE = {"county_office", "planner"}
WHOM: dict[str, set[str]] = {
    "dispatch": STAFF,
    "report_incident": LOCAL | {"county_office", "dispatcher"},
    "reveal_reporter": LOCAL | {"county_office", "dispatcher"},
    "incidents": STAFF,
    "hazards": STAFF,
    "homes": STAFF,
    "officers": STAFF,
    "every_officer": STAFF - LOCAL,
    "locate_files": STAFF,
    "plans": OFFICE | {"analyst", "dispatcher"},
    "plan": OFFICE,
    "measure": OFFICE | {"analyst"},
    "county_report": STAFF - LOCAL,
    "enter": LOCAL | OFFICE | {"dispatcher"},
    "import": OFFICE,
    "people": {"administrator"},
    "record": {"auditor"},
}


def become(watched: Watched, small_county: SmallCounty, role: str) -> None:
    """Look through the eyes of a demo actor."""
    value = str(small_county.actors[role])
    watched.page.context.add_cookies([{"name": "gis_actor", "value": value, "url": watched.home}])


@pytest.mark.usefixtures("small_county")
def test_each_role_is_offered_what_the_server_allows_it(look: Look) -> None:
    page = look().open()
    area: list[Any] = [{"grid_id": 1}]
    people = [
        {
            "role": role,
            "areas": area if role in LOCAL_ROLES else None,
            "may": list_offers(Actor(9, "某", "N", role, (1,) if role in LOCAL_ROLES else None)),
        }
        for role in ROLES
    ]
    offered = page.evaluate(OFFERED, people)
    assert {part: set(roles) for part, roles in offered.items()} == WHOM


def test_offers_name_permissions_that_there_are() -> None:
    text = Path(WEB_DIR / "js" / "offers.js").read_text("utf-8")
    needs = {
        name
        for names in re.findall(r"needs: \[(.*?)\]", text, re.DOTALL)
        for name in re.findall(r'"(\w+)"', names)
    }
    assert len(needs) > 10
    assert needs <= {*NAMED, "report_incident"}


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_an_officer_opens_on_the_own_grid_with_its_figures(
    look: Look, small_county: SmallCounty, size: dict[str, int], language: str
) -> None:
    watched = look(size)
    become(watched, small_county, "grid_officer")
    page = watched.open(f"?lang={language}")
    name = page.evaluate("JSON.parse(document.getElementById('page-config').text).actor.areas[0]")
    expect(page.locator("#panel h2")).to_have_text(name["name"])
    # One home with three people, one open hazard and one open incident, and one building.
    assert page.locator("#panel .tiles dd").all_inner_texts() == ["1", "3", "1", "1", "1", "0"]
    expect(page.locator("#panel .rows").first.locator("li")).to_have_count(1)
    west, south, east, north = name["bbox"]
    inside = page.evaluate(
        "([w, s, e, n]) => { const box = grid_map_page.getBounds();"
        " return box.contains([[s, w], [n, e]]) && box.getEast() - box.getWest() < 8 * (e - w); }",
        [west, south, east, north],
    )
    assert inside
    # Their border is drawn, and what is outside steps back.
    expect(page.locator(".leaflet-selection-pane path")).to_have_count(3)
    for hidden in ("mode-plan", "mode-report"):
        expect(page.locator(f"#{hidden}")).to_be_hidden()
    expect(page.locator("#mode-dispatch")).to_be_visible()
    page.locator("#panel .rows").last.locator("button").click()
    expect(page.locator("#panel")).to_have_attribute("data-kind", "grid")
    page.go_back()
    expect(page.locator("#panel")).to_have_attribute("data-kind", "overview")


def test_an_address_that_says_a_place_is_looked_at_there(
    look: Look, small_county: SmallCounty
) -> None:
    watched = look()
    become(watched, small_county, "grid_officer")
    page = watched.open("?lang=zh-CN#13/28.60000/112.80000")
    assert page.evaluate("grid_map_page.getZoom()") == 13


def test_a_visitor_is_offered_no_trouble_and_no_forms(
    look: Look, small_county: SmallCounty
) -> None:
    watched = look()
    become(watched, small_county, "visitor")
    page = watched.open()
    for hidden in ("mode-dispatch", "mode-plan", "mode-report", "open-enter"):
        expect(page.locator(f"#{hidden}")).to_be_hidden()
    page.keyboard.press("3")
    expect(page.locator("#panel")).to_have_attribute("data-kind", "overview")
