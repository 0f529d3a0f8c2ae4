"""An administrator's day: add, import a list, change, end, keys; and one's own account."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from tests.browser.conftest import DESK, PHONE, Look, SmallCounty, Watched, looking
from tests.people import PASSWORD, forget_people, make_person

pytestmark = pytest.mark.usefixtures("small_county")


@pytest.fixture
def nobody(store: Store, small_county: SmallCounty) -> None:
    """A store without accounts."""
    del small_county
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.api_key))
        forget_people(connection)


@pytest.fixture
def administrator(store: Store, nobody: None, look: Look) -> Watched:
    """The people's page, open at a desk, as the only one with an account."""
    del nobody
    login, _ = make_person(store, "administrator")
    watched = look(DESK)
    sign_in(watched, login)
    return watched


def sign_in(watched: Watched, login: str, path: str = "/people") -> Page:
    """Sign in by password, and go on to a page."""
    page = watched.page
    page.goto(f"{watched.home}/sign-in?lang=zh-CN&next={path}")
    page.fill("#asked-login", login)
    page.fill("#asked-password", PASSWORD)
    page.click(".credentials [type=submit]")
    page.wait_for_url(f"{watched.home}{path}*")
    expect(page.locator("#session")).to_be_visible()
    return page


def test_the_first_step_is_taught_and_a_person_is_added(administrator: Watched) -> None:
    page = administrator.page
    expect(page.locator("#people-empty")).to_be_visible()
    page.click("#add-person")
    page.fill("#person-login", "wang.xm")
    page.fill("#person-name", "王小明")
    page.click("#person [type=submit]")
    # A grid officer answers for grids: the fault stands beside them, and nothing typed is lost.
    expect(page.locator("#person [data-field=areas] .fault")).to_be_visible()
    assert page.input_value("#person-name") == "王小明"
    page.fill("#person-area-search", "g11")
    page.locator("#person-area-answers button").first.click()
    expect(page.locator("#person .chips li")).to_contain_text("g11")
    page.click("#person [type=submit]")
    expect(page.locator("#people [data-login='wang.xm']")).to_contain_text("g11")
    expect(page.locator("#people-empty")).to_be_hidden()
    link = page.input_value(".secret-text")
    assert "/sign-in#invitation-" in link
    administrator.forgive(422)
    # The link is shown once.
    page.reload()
    expect(page.locator("#people [data-login='wang.xm']")).to_be_visible()
    expect(page.locator(".secret-text")).to_have_count(0)
    page.click("[data-login='wang.xm'] [data-do=people_new_link]")
    expect(page.locator(".secret-text")).not_to_have_value(link)


def test_people_are_found_changed_and_ended(store: Store, administrator: Watched) -> None:
    make_person(store, "planner", login="zhao.yi")
    make_person(store, "dispatcher", login="qian.er")
    page = administrator.page
    page.reload()
    page.fill("#people-search", "ZHAO")
    expect(page.locator("#people li")).to_have_count(1)
    page.fill("#people-search", "")
    page.select_option("#people-role", "dispatcher")
    expect(page.locator("#people li")).to_have_count(1)
    page.click("[data-login='qian.er'] [data-do=people_change]")
    page.fill("#person-name", "钱二")
    page.select_option("#person-role", "analyst")
    page.click("#person [type=submit]")
    page.select_option("#people-role", "")
    expect(page.locator("[data-login='qian.er']")).to_contain_text("钱二")
    expect(page.locator("[data-login='qian.er']")).to_contain_text("分析员")
    page.click("[data-login='zhao.yi'] [data-do=people_end]")
    page.locator("#confirm .button").last.click()
    expect(page.locator("#confirm")).to_have_count(0)
    expect(page.locator("[data-login='zhao.yi']")).to_be_visible()
    page.click("[data-login='zhao.yi'] [data-do=people_end]")
    page.click("#confirm-yes")
    expect(page.locator("[data-login='zhao.yi']")).to_have_count(0)
    page.select_option("#people-state", "ended")
    expect(page.locator("[data-login='zhao.yi']")).to_be_visible()


def test_a_list_is_taken_wholly_or_not_at_all(
    administrator: Watched, small_county: SmallCounty
) -> None:
    page = administrator.page
    page.click("#people-list > summary")
    sample = page.get_attribute("#list-sample", "href") or ""
    assert sample.startswith("data:text/csv")
    grid = small_county.grid_ids["g11"]
    good = f"login,name,role,areas\nsun.san,孙三,grid_officer,{grid}\n"
    page.fill("#people-csv", f"{good}li.si,李四,king,\nWrong Login,周五,planner,\n")
    page.click("#list-send")
    refused = page.locator("#people-list .refused li")
    expect(refused).to_have_count(2)
    expect(refused.first).to_contain_text("role")
    expect(refused.last).to_contain_text("login")
    expect(page.locator("[data-login='sun.san']")).to_have_count(0)
    administrator.forgive(422)
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": good.encode("gb18030")}
    page.set_input_files("#people-file", file)  # type: ignore[arg-type]
    expect(page.locator("#people-csv")).to_have_value(good)
    page.click("#list-send")
    expect(page.locator("[data-login='sun.san']")).to_contain_text("孙三")
    assert "/sign-in#invitation-" in page.locator(".list-result .secret-text").input_value()


def test_a_key_is_shown_once_and_ended(administrator: Watched) -> None:
    page = administrator.page
    page.click("#new-key > summary")
    page.fill("#key-name", "12345 热线")
    page.check("#scope-open311")
    page.click("#key-make")
    key = page.locator(".secret-text").input_value()
    assert len(key) > 20
    expect(page.locator("#keys")).to_contain_text("12345 热线")
    # The key asks by itself, without a cookie.
    answer = page.context.request.get(
        f"{administrator.home}/api/me", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status == 200
    page.reload()
    expect(page.locator("#keys")).to_contain_text("12345 热线")
    assert key not in page.content()
    page.click("#keys .button.wrong")
    page.click("#confirm-yes")
    expect(page.locator("#keys")).not_to_contain_text("12345 热线")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_who_may_not_is_told_who_could(look: Look, language: str) -> None:
    watched = look()
    page = watched.page
    for path, who in (("people", ("管理员", "administrator")), ("record", ("审计员", "auditor"))):
        page.goto(f"{watched.home}/{path}?lang={language}")
        expect(page.locator(".trouble")).to_contain_text(who[language == "en"])
        watched.forgive(403)


@pytest.fixture
def two(browser: Browser, home: str, store: Store, nobody: None) -> Iterator[tuple[Page, Page]]:
    """The same person, signed in at a desk and on a phone."""
    del nobody
    login, _ = make_person(store, "planner")
    with looking(browser, home) as look:
        yield sign_in(look(DESK), login, "/account"), sign_in(look(PHONE), login, "/account")


def test_own_sessions_are_seen_and_ended(two: tuple[Page, Page]) -> None:
    desk, phone = two
    desk.reload()
    expect(desk.locator("#sessions li")).to_have_count(3)  # and that of the link
    expect(desk.locator("#sessions .tag.good")).to_have_count(1)
    desk.click("#end-others")
    expect(desk.locator("#sessions li")).to_have_count(1)
    phone.wait_for_timeout(1100)
    phone.reload()
    expect(phone.locator("#content a.button")).to_be_visible()  # to sign in


def test_the_password_is_changed(two: tuple[Page, Page]) -> None:
    desk, _ = two
    desk.fill("#asked-old_password", PASSWORD)
    desk.fill("#asked-new_password", "another long river")
    desk.click(".credentials [type=submit]")
    expect(desk.locator("#notice")).to_be_visible()
    assert desk.input_value("#asked-new_password") == ""
    expect(desk.locator("#sessions li")).to_have_count(1)
