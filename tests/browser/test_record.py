"""The auditor's page: the newest first, filters in the address, details, by keys and on a phone."""

import pytest
from playwright.sync_api import expect

from gis_service.access import SYSTEM, record
from gis_service.store import Store
from tests.browser.conftest import DESK, PHONE, Look, SmallCounty, Watched

MANY = 120


@pytest.fixture(scope="module")
def written(store: Store, small_county: SmallCounty) -> None:
    """A record of some length."""
    del small_county
    with store.transaction(SYSTEM) as connection:
        for number in range(MANY):
            record(connection, SYSTEM, "reveal", "household", number, after={"reason": "visit"})
        record(
            connection, SYSTEM, "change", "account", 7, before={"role": "planner"},
            after={"role": "analyst"},
        )  # fmt: skip


def open_record(watched: Watched, county: SmallCounty, query: str = "lang=zh-CN") -> None:
    """Open the page as an auditor."""
    value = str(county.actors["auditor"])
    watched.page.context.add_cookies([{"name": "gis_actor", "value": value, "url": watched.home}])
    watched.page.goto(f"{watched.home}/record?{query}")


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_what_was_done_is_found_and_read(
    look: Look, small_county: SmallCounty, size: dict[str, int]
) -> None:
    watched = look(size)
    open_record(watched, small_county)
    page = watched.page
    rows = page.locator("#record li")
    expect(rows.first).to_be_visible()
    if size is PHONE:
        page.click("#record-filters > summary")
    page.fill("#filter-object_kind", "account")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    assert "object_kind=account" in page.url
    rows.locator("summary").focus()
    page.keyboard.press("Enter")
    details = page.locator(".record-details")
    expect(details).to_contain_text("planner")
    expect(details).to_contain_text("analyst")
    assert "object_kind=account" in (page.get_attribute("#record-export", "href") or "")
    with page.expect_download() as download:
        page.click("#record-export")
    text = download.value.path().read_text("utf-8-sig")
    assert "planner" in text
    # A link shows another auditor the same.
    page.reload()
    expect(rows).to_have_count(1)
    page.click("#record-clear")
    expect(rows).not_to_have_count(1)


@pytest.mark.usefixtures("written")
def test_the_record_is_walked_by_keys_and_goes_on_by_itself(
    look: Look, small_county: SmallCounty
) -> None:
    watched = look()
    open_record(watched, small_county, "lang=en&action=reveal")
    page = watched.page
    rows = page.locator("#record li")
    expect(rows.first).to_be_visible()
    numbers = page.locator("#record li").evaluate_all("rows => rows.map(r => +r.dataset.event)")
    assert numbers == sorted(numbers, reverse=True)
    page.locator("#record summary").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#record summary").nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#record details[open]")).to_have_count(1)
    for _ in range(4):
        page.keyboard.press("End")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(300)
    expect(rows).to_have_count(MANY)
    expect(page.locator("#record-more")).to_be_hidden()


def test_nothing_that_fits_says_what_to_do(look: Look, small_county: SmallCounty) -> None:
    watched = look()
    open_record(watched, small_county, "lang=en&action=never")
    expect(watched.page.locator("[role=status]", has_text="Take a filter away")).to_be_visible()
