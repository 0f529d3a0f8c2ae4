"""Everybody can use the page: axe-core in every mode, targets for a finger, a focus never lost."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.access.actor import find_actor
from gis_service.boundaries.plans import life as plan_life
from gis_service.messages import WEB_DIR
from gis_service.store import Store
from tests.api.conftest import SmallCounty, middle
from tests.browser.conftest import DESK, PHONE, Look, Watched, looking

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("small_county")]

LEAST_TARGET_PX = 44
AXE = (WEB_DIR / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """async (only) => {
  const runOnly = only && { runOnly: { type: "rule", values: only } };
  const options = { resultTypes: ["violations"], ...runOnly };
  const { violations } = await axe.run(document, options);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, any }) =>
    `${id}: ${target.join(" ")} ${any.map(({ message }) => message).join("; ")}`));
}"""
# What may be pressed; symbols on the map are made larger for a finger by what lies around them.
SMALL_TARGETS = """(least) => [...document.querySelectorAll(
  "button, a[href], select, summary, textarea, " +
  "label:has(input[type=checkbox], input[type=radio]), " +
  "input:not([type=checkbox], [type=radio], [type=range], [type=hidden], [type=file])")]
  .filter((target) => target.checkVisibility({ checkVisibilityCSS: true }))
  .filter((target) => !target.closest(".skip, .unseen, .plan-swiper"))
  .map((target) => [target, target.getBoundingClientRect()])
  .filter(([, { width, height }]) => width > 0 && Math.min(width, height) < least - 0.5)
  .map(([target, { width, height }]) =>
    `${target.outerHTML.slice(0, 90)} is ${Math.round(width)} by ${Math.round(height)}`)"""


@pytest.fixture(scope="module")
def stops(store: Store, small_county: SmallCounty) -> dict[str, tuple[str, str]]:
    """Every view of the page: the part of its address, and what is there once it is drawn."""
    wanted = {"standard": "fire-20", "scenario": "normal"}
    jobs.perform(store, jobs.submit(store, SYSTEM, "coverage_run", wanted))
    with store.transaction(SYSTEM) as connection:
        author = find_actor(connection, small_county.actors["county_office"])
        plan = plan_life.create_plan(connection, author, "base", "调整", "")
    lon, lat = middle("g11")
    grids = small_county.grid_ids
    village = f"plan={plan}&village={grids['m1']}"
    return {
        "map": ("", "#panel .tiles"),
        "grid": (f"grid={grids['g00']}&layers=%2Bservices", "#panel .officer"),
        "list": ("view=list", "#list-sort"),
        "keys": ("view=keys", "#panel .keys"),
        "enter": ("view=enter", "#panel h2"),
        "records": ("view=enter&entry=household", "#panel .finder"),
        "form": ("view=enter&entry=facility:new", "#panel form"),
        "home": ("view=enter&entry=household:new", "#panel form .pick"),
        "duty": ("view=enter&entry=duty:new", "#panel form [type=date]"),
        "import": ("view=import", "#import-file"),
        "board": ("mode=dispatch", "#board"),
        "place": (f"mode=dispatch&point=place:{lon:.6f},{lat:.6f}", "#arrivals:not([aria-busy])"),
        "plans": ("mode=plan", ".new-plan"),
        "draft": (f"mode=plan&{village}", ".plan-grids li"),
        "proposals": (f"mode=plan&{village}&step=propose", ".answers"),
        "path": (f"mode=plan&{village}&step=publish", ".path"),
        "coverage": ("mode=coverage", ".county-share"),
        "bands": ("mode=coverage&fill=bands&areas=spots,stations,districts", ".county-share"),
        "reached grid": (f"mode=coverage&grid={grids['g00']}", "#panel .code"),
        "what if": ("mode=coverage&part=what-if", "#what-if-tools"),
        "comparison": ("mode=coverage&part=compare", "#panel .tabs"),
        "report": ("mode=report", "#panel h2"),
    }


@pytest.fixture(scope="module")
def shared_look(browser: Browser, home: str) -> Iterator[Look]:
    """Pages that the tests of this module share: what they have loaded once they keep."""
    with looking(browser, home) as make:
        yield make


@pytest.fixture(scope="module")
def desk(shared_look: Look) -> Watched:
    """A page at a desk, open on the map."""
    watched = shared_look(DESK, reduced_motion="reduce")
    watched.open()
    return watched


@pytest.fixture(scope="module")
def phone(shared_look: Look) -> Watched:
    """A page on a phone, open on the map."""
    watched = shared_look(PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    watched.open()
    return watched


def go(page: Page, query: str, sign: str) -> None:
    """Let the page show another address without loading it again."""
    page.evaluate(
        "(query) => { const { lang } = document.documentElement;"
        " history.pushState(null, '', `?lang=${lang}&${query}`);"
        " dispatchEvent(new PopStateEvent('popstate')); }",
        query,
    )
    expect(page.locator(sign).first).to_be_visible()


def axe(page: Page, *rules: str) -> list[str]:
    """What axe-core finds wrong with what is shown."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[str] = page.evaluate(RUN_AXE, list(rules) or None)
    return found


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_axe_finds_no_violation_by_day_and_by_night(
    request: pytest.FixtureRequest, stops: dict[str, tuple[str, str]], size: str, language: str
) -> None:
    watched: Watched = request.getfixturevalue(size)
    page = watched.open(f"?lang={language}")
    wrong: dict[str, Any] = {}
    for name, (query, sign) in stops.items():
        go(page, query, sign)
        wrong[name] = axe(page)
        page.emulate_media(color_scheme="dark")
        wrong[f"{name}, dark"] = axe(page, "color-contrast")
        page.emulate_media(color_scheme="light")
        if size == "phone":
            wrong[f"{name}, small"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET_PX)
    assert {name: what for name, what in wrong.items() if what} == {}
    watched.settle()


def test_who_closes_a_sheet_is_where_they_were(desk: Watched, small_county: SmallCounty) -> None:
    page = desk.open()
    for button in ("open-list", "open-keys", "open-enter"):
        for close in ("#panel .close", "Escape"):
            page.locator(f"#{button}").focus()
            page.keyboard.press("Enter")
            expect(page.locator("#panel")).to_be_focused()
            expect(page.locator("#panel .close")).to_be_visible()
            if close == "Escape":
                page.keyboard.press(close)
            else:
                page.locator(close).press("Enter")
            expect(page.locator(f"#{button}")).to_be_focused()
            expect(page.locator("#panel .tiles").first).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("l")  # by its key, from nowhere in particular
    page.locator("details.town summary").focus()
    page.keyboard.press("Enter")
    page.locator("details.town .rows button").nth(1).press("Enter")
    expect(page.locator("#panel .chain")).to_be_visible()
    expect(page.locator("#panel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#open-list")).to_be_focused()
    assert small_county.grid_ids


def test_who_closes_a_choice_is_on_its_button(desk: Watched) -> None:
    page = desk.open()
    summary = page.locator("#day-choice summary")
    summary.press("Enter")
    page.locator("#day").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#day")).to_be_hidden()
    expect(summary).to_be_focused()
    summary.press("Enter")
    page.locator("#day-choice .rows button").first.press("Enter")
    expect(page).to_have_url(re.compile("at="))
    expect(summary).to_be_focused()


def test_the_form_of_an_incident_gives_the_focus_back(desk: Watched) -> None:
    lon, lat = middle("g11")
    page = desk.open(f"?lang=zh-CN&mode=dispatch&point=place:{lon:.6f},{lat:.6f}")
    page.locator("#report-start").press("Enter")
    expect(page.locator("#report-slot textarea, #report-slot input").first).to_be_visible()
    assert page.evaluate("document.activeElement.closest('#report-slot') !== null")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement !== document.body")


@pytest.mark.parametrize("mode", ["", "dispatch", "plan", "coverage", "report"])
def test_nothing_lies_on_the_answers_of_a_search_on_a_phone(phone: Watched, mode: str) -> None:
    page = phone.open(f"?lang=zh-CN&mode={mode}")
    page.locator("#search-text").fill("格")
    answers = page.locator("#search-answers [role=option]")
    expect(answers.nth(3)).to_be_visible()
    covered = page.evaluate("""() => {
      const list = document.getElementById("search-answers");
      const { left, top, right, bottom } = list.getBoundingClientRect();
      const covered = [];
      for (let x = left + 8; x < right; x += 20)
        for (let y = top + 8; y < Math.min(bottom, innerHeight - 60); y += 20)
          if (!list.contains(document.elementFromPoint(x, y))) covered.push([x, y]);
      return covered;
    }""")
    assert covered == []
    page.locator("#search-text").press("Escape")
