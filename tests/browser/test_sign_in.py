"""Signing in: by a link or a password, with help where it is wrong; made-up people say so."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from gis_service.access import SYSTEM
from gis_service.access.accounts import NewAccount, make_account
from gis_service.access.actor import mark_made_up
from gis_service.access.links import make_link
from gis_service.store import Store
from gis_service.store import tables as t
from tests.browser.conftest import PHONE, Look, Running, SmallCounty, looking
from tests.people import PASSWORD, make_person

WORDS = {
    "zh-CN": ("访客", "密码不正确", "虚构"),
    "en": ("Visitor", "is wrong", "made up"),
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
def test_a_link_lets_one_choose_a_password_and_is_not_left_in_the_address(
    browser: Browser, real: Running, store: Store, language: str
) -> None:
    visitor, *_ = WORDS[language]
    with store.transaction(SYSTEM) as connection:
        new = NewAccount(login=f"new.{language.lower()}", name="李四", role="county_office")
        actor_id = make_account(connection, SYSTEM, new).actor_id
        token = make_link(connection, SYSTEM, actor_id)
    with looking(browser, real.home) as look:
        watched = look()
        page = watched.open(f"?lang={language}")
        expect(page.locator("#session > summary")).to_have_text(visitor)
        expect(page.locator("#made-up, #actor")).to_have_count(0)
        page.goto(f"{real.home}/sign-in?lang={language}#{token}")
        page.fill("#login", new.login)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        expect(page.locator("#session > summary")).to_have_text("李四")
        assert token not in page.url
        page.go_back()
        assert token not in page.url
        page.goto(f"{real.home}/?lang={language}")
        page.click("#session > summary")
        page.click("#sign-out")
        expect(page.locator("#session > summary")).to_have_text(visitor)


@pytest.mark.parametrize("language", list(WORDS))
def test_a_wrong_password_is_answered_with_what_to_do(
    browser: Browser, real: Running, store: Store, language: str
) -> None:
    _, wrong, _ = WORDS[language]
    login, _ = make_person(store, "county_office")
    with looking(browser, real.home) as look:
        watched = look(PHONE)
        page = watched.page
        page.goto(f"{real.home}/sign-in?lang={language}")
        page.fill("#login", login)
        page.fill("#password", "not this one")
        page.click("button[type=submit]")
        expect(page.locator("#said")).to_contain_text(wrong)
        watched.forgive(403)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        expect(page.locator("#session > summary")).to_have_text("李四")


@pytest.mark.parametrize("language", list(WORDS))
def test_made_up_people_are_said_to_be_made_up(look: Look, language: str) -> None:
    watched = look()
    page = watched.open(f"?lang={language}")
    expect(page.locator("#actor")).to_be_visible()
    page.click("#made-up > summary")
    expect(page.locator("#made-up .popover")).to_contain_text(WORDS[language][2])
