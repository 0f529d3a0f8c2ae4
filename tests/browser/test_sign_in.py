"""Signing in: by password, by a one-time link, by a choice where all are made up; and again."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from gis_service.access import SYSTEM
from gis_service.access.actor import mark_made_up
from gis_service.access.links import make_first_link, make_link
from gis_service.store import Store
from gis_service.store import tables as t
from tests.browser.conftest import PHONE, Look, Running, SmallCounty, looking
from tests.people import PASSWORD, forget_people, make_person

NEW_PASSWORD = "a long walk by the river"
WORDS = {
    "zh-CN": ("访客", "虚构", "会话已结束", "管理员"),
    "en": ("Visitor", "made up", "Your session has ended", "administrator"),
}
languages = pytest.mark.parametrize("language", list(WORDS))


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


def type_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Fill the form to sign in, and send it."""
    page.fill("#asked-login", login)
    page.fill("#asked-password", password)
    page.click(".credentials [type=submit]")


@languages
def test_one_signs_in_comes_back_and_signs_out(
    browser: Browser, real: Running, store: Store, language: str
) -> None:
    login, _ = make_person(store, "planner")
    with looking(browser, real.home) as look:
        watched = look()
        page = watched.open(f"?lang={language}&theme=people")
        expect(page.locator("#session > summary")).to_have_text(WORDS[language][0])
        page.click("#session > summary")
        page.click("#session #sign-in")
        expect(page.locator("#asked-login")).to_be_focused()
        assert page.get_attribute("#asked-login", "autocomplete") == "username"
        assert page.get_attribute("#asked-password", "autocomplete") == "current-password"
        type_in(page, login, "wrong, and long enough")
        expect(page.locator(".credentials > .fault")).to_contain_text(WORDS[language][3])
        assert page.input_value("#asked-login") == login
        watched.forgive(403)
        page.click(".show-password")
        assert page.get_attribute("#asked-password", "type") == "text"
        type_in(page, login)
        expect(page.locator("#session > summary")).to_have_text("李四")
        assert "theme=people" in page.url
        page.click("#session > summary")
        page.click("#sign-out")
        expect(page.locator("#session > summary")).to_have_text(WORDS[language][0])


@pytest.mark.parametrize("next_page", ["//other.example/", "/\\other.example", "https://x.example"])
def test_one_never_comes_back_to_another_site(
    browser: Browser, real: Running, store: Store, next_page: str
) -> None:
    login, _ = make_person(store, "planner")
    with looking(browser, real.home) as look:
        page = look().page
        page.goto(f"{real.home}/sign-in?lang=en&next={next_page}")
        type_in(page, login)
        page.wait_for_url(f"{real.home}/?lang=en*")


@languages
def test_a_link_chooses_a_password_once_and_is_not_left_in_the_address(
    browser: Browser, real: Running, store: Store, language: str
) -> None:
    _, actor_id = make_person(store, "planner")
    with store.transaction(SYSTEM) as connection:
        token = make_link(connection, SYSTEM, actor_id)
    with looking(browser, real.home) as look:
        watched = look(PHONE)
        page = watched.page
        page.goto(f"{real.home}/sign-in?lang={language}#{token}")
        expect(page.locator("#asked-login")).to_have_count(0)
        assert token not in page.url
        assert page.get_attribute("#asked-password", "autocomplete") == "new-password"
        page.fill("#asked-password", NEW_PASSWORD)
        page.click(".credentials [type=submit]")
        expect(page.locator("#session > summary")).to_have_text("李四")
        page.goto(f"{real.home}/sign-in?lang={language}#{token}")
        page.reload()  # an address that differs by its hash only loads nothing
        page.goto(f"{real.home}/account?lang={language}")
        page.goto(f"{real.home}/sign-in?lang={language}#{token}")
        page.fill("#asked-password", NEW_PASSWORD)
        page.click(".credentials [type=submit]")
        expect(page.locator(".credentials > .fault")).to_be_visible()
        watched.forgive(403)


def test_the_first_link_makes_the_administrator(
    browser: Browser, real: Running, store: Store
) -> None:
    with store.transaction(SYSTEM) as connection:
        forget_people(connection)
        token = make_first_link(connection)
    assert token is not None
    with looking(browser, real.home) as look:
        page = look().page
        page.goto(f"{real.home}/sign-in?lang=zh-CN#{token}")
        page.fill("#asked-name", "何管")
        page.fill("#asked-login", "he.guan")
        page.fill("#asked-password", NEW_PASSWORD)
        page.click(".credentials [type=submit]")
        page.wait_for_url("**/people?lang=zh-CN")
        expect(page.locator("#session > summary")).to_have_text("何管")
        expect(page.locator("#people-empty")).to_be_visible()


def test_waiting_after_wrong_passwords_is_counted_down(
    browser: Browser, real: Running, store: Store
) -> None:
    login, _ = make_person(store, "planner")
    with looking(browser, real.home) as look:
        watched = look()
        page = watched.page
        page.goto(f"{real.home}/sign-in?lang=en")
        page.route(
            "**/api/session?*",
            lambda route: route.fulfill(
                status=429, headers={"Retry-After": "2"}, json={"detail": "Too often."}
            ),
        )
        type_in(page, login)
        expect(page.locator(".credentials [type=submit]")).to_be_disabled()
        expect(page.locator(".credentials > .fault")).to_contain_text("in 2 s")
        expect(page.locator(".credentials [type=submit]")).to_be_enabled()
        expect(page.locator(".credentials > .fault")).to_contain_text("now")
        watched.forgive(429)


@languages
def test_what_was_typed_is_kept_when_the_session_ends(
    browser: Browser, real: Running, store: Store, language: str
) -> None:
    login, actor_id = make_person(store, "county_office")
    with looking(browser, real.home) as look:
        watched = look()
        page = watched.page
        page.goto(f"{real.home}/sign-in?lang={language}")
        type_in(page, login)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.goto(f"{real.home}/?lang={language}&mode=plan")
        page.wait_for_selector("#plan-title", state="attached")
        page.evaluate("document.querySelector('details.new-plan')?.setAttribute('open', '')")
        page.fill("#plan-title", "河东调整")
        with store.transaction(SYSTEM) as connection:
            connection.execute(
                sa.update(t.session)
                .where(t.session.c.actor_id == actor_id)
                .values(ended_at=sa.func.now())
            )
        page.wait_for_timeout(1100)  # each process asks the store again within a second
        page.click(".new-plan [type=submit], form:has(#plan-title) [type=submit]")
        dialog = page.locator("#session-ended")
        expect(dialog.locator("h2")).to_have_text(WORDS[language][2])
        assert dialog.locator("#asked-login").input_value() == login
        assert page.input_value("#plan-title") == "河东调整"
        dialog.locator("#asked-password").fill(PASSWORD)
        dialog.locator("[type=submit]").click()
        expect(dialog).to_have_count(0)
        # The request that was refused has gone through: the plan is open.
        expect(page.locator("#panel")).to_contain_text("河东调整")
        watched.forgive(401)


@languages
def test_made_up_people_are_said_to_be_made_up_and_picked_from_cards(
    look: Look, small_county: SmallCounty, language: str
) -> None:
    watched = look()
    page = watched.open(f"?lang={language}")
    page.click("#made-up > summary")
    expect(page.locator("#made-up .popover")).to_contain_text(WORDS[language][1])
    page.click("#session > summary")
    expect(page.locator("#demo-actors button")).to_have_count(len(small_county.actors))
    page.click(f"#demo-actors [data-actor='{small_county.actors['visitor']}']")
    expect(page.locator("#session > summary")).to_have_text("visitor")  # so they are called
    page.goto(f"{watched.home}/sign-in?lang={language}")
    expect(page.locator(".card")).to_have_count(len(small_county.actors))
    page.click(".card[data-role=grid_officer]")
    page.wait_for_selector("html[data-ready]", state="attached")
    config = page.evaluate("JSON.parse(document.getElementById('page-config').text).actor")
    assert config["role"] == "grid_officer"


@languages
def test_without_a_script_the_page_says_what_it_is_for(
    browser: Browser, real: Running, language: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{real.home}/sign-in?lang={language}")
    expect(page.locator(".lead")).to_contain_text(WORDS[language][3])
    expect(page.locator("noscript p")).to_be_visible()
    context.close()
