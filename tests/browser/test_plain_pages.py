"""Everybody can use the pages without a map: axe-core by day and by night, targets for a finger."""

from typing import Any

import pytest
from playwright.sync_api import expect

from gis_service.store import Store
from tests.browser.conftest import DESK, PHONE, Look, SmallCounty
from tests.browser.test_accessibility import LEAST_TARGET_PX, SMALL_TARGETS, axe
from tests.people import PASSWORD, make_person

PAGES = {
    "sign-in": ".card",
    "account": "#sessions li",
    "people": "#people li",
    "record": "#record li",
    "trust": "#content .button",
}


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_no_violation_on_pages_without_a_map(
    look: Look, store: Store, small_county: SmallCounty, size: dict[str, int], language: str
) -> None:
    del small_county
    wrong: dict[str, Any] = {}
    touch = {"has_touch": True, "is_mobile": True} if size is PHONE else {}
    for role, names in (
        ("administrator", ("sign-in", "account", "people", "trust")),
        ("auditor", ("record",)),
    ):
        login, _ = make_person(store, role)
        watched = look(size, reduced_motion="reduce", **touch)
        page = watched.page
        page.goto(f"{watched.home}/sign-in?lang={language}")
        page.fill("#asked-login", login)
        page.fill("#asked-password", PASSWORD)
        page.click(".credentials [type=submit]")
        page.wait_for_selector("body:not(.sign_in) #session")
        for name in names:
            page.goto(f"{watched.home}/{name}?lang={language}")
            expect(page.locator(PAGES[name]).first).to_be_visible()
            if name == "people":
                page.click("#add-person")
            if name == "account":
                page.click("#session > summary")
            if name == "trust":
                watched.forgive(
                    404
                )  # a service without an authority of its own has nothing to trust
            wrong[name] = axe(page)
            page.emulate_media(color_scheme="dark")
            wrong[f"{name}, dark"] = axe(page, "color-contrast")
            page.emulate_media(color_scheme="light")
            if size is PHONE:
                wrong[f"{name}, small"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET_PX)
    assert {name: what for name, what in wrong.items() if what} == {}
