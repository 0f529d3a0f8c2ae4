"""Signing in: by the printed link, with help where it does not hold; made-up people say so."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from gis_service.access import SYSTEM
from gis_service.access.actor import mark_made_up
from gis_service.store import Store
from gis_service.store import tables as t
from tests.browser.conftest import PHONE, Look, Running, SmallCounty, looking

WORDS = {
    "zh-CN": ("访客", "管理员", "已失效", "虚构"),
    "en": ("Visitor", "Administrator", "does not hold", "made up"),
}


@pytest.fixture
def real(store: Store, small_county: SmallCounty) -> Iterator[Running]:
    """The app on the same county, whose people are taken for real."""
    del small_county
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.made_up))
    running = Running(store)
    yield running
    running.server.should_exit = True
    running.thread.join(timeout=20)
    with store.transaction(SYSTEM) as connection:
        mark_made_up(connection)


@pytest.mark.parametrize("language", list(WORDS))
def test_the_link_signs_in_and_is_not_left_in_the_address(
    browser: Browser, real: Running, language: str
) -> None:
    visitor, administrator, *_ = WORDS[language]
    with looking(browser, real.home) as look:
        watched = look()
        page = watched.open(f"?lang={language}")
        expect(page.locator("#session > summary")).to_have_text(visitor)
        expect(page.locator("#made-up, #actor")).to_have_count(0)
        token = real.app.state.authenticator.sessions.token
        page.goto(f"{real.home}/sign-in?lang={language}#{token}")
        expect(page.locator("#session > summary")).to_have_text(administrator)
        assert token not in page.url
        page.go_back()
        assert token not in page.url
        page.goto(f"{real.home}/?lang={language}")
        page.click("#session > summary")
        page.click("#sign-out")
        expect(page.locator("#session > summary")).to_have_text(visitor)


@pytest.mark.parametrize("language", list(WORDS))
def test_a_link_of_an_earlier_start_is_answered_with_what_to_do(
    browser: Browser, real: Running, language: str
) -> None:
    _, administrator, stale, _ = WORDS[language]
    with looking(browser, real.home) as look:
        watched = look(PHONE)
        page = watched.page
        page.goto(f"{real.home}/sign-in?lang={language}#of-yesterday")
        expect(page.locator("#said")).to_contain_text(stale)
        watched.forgive(403)
        link = f"{real.home}/sign-in#{real.app.state.authenticator.sessions.token}"
        page.fill("#token", f"  {link}\n")
        page.click("button[type=submit]")
        expect(page.locator("#session > summary")).to_have_text(administrator)


@pytest.mark.parametrize("language", list(WORDS))
def test_made_up_people_are_said_to_be_made_up(look: Look, language: str) -> None:
    watched = look()
    page = watched.open(f"?lang={language}")
    expect(page.locator("#actor")).to_be_visible()
    page.click("#made-up > summary")
    expect(page.locator("#made-up .popover")).to_contain_text(WORDS[language][3])
