"""Over TLS: a browser signs in by password, a program asks by its key."""

from playwright.sync_api import Browser, expect

from gis_service.store import Store
from tests.api.test_tls import certificate, port
from tests.browser.conftest import SmallCounty, looking, small_county
from tests.people import PASSWORD, add_key, make_person

__all__ = ["certificate", "port", "small_county"]


def test_a_browser_signs_in_by_password_and_a_program_asks_by_key(
    browser: Browser, store: Store, small_county: SmallCounty, port: int
) -> None:
    home = f"https://127.0.0.1:{port}"
    login, _ = make_person(store, "grid_officer", (small_county.grid_ids["g00"],))
    with looking(browser, home) as look:
        watched = look(ignore_https_errors=True)  # whom a browser trusts is tested in test_tls
        page = watched.page
        page.goto(f"{home}/sign-in?lang=zh-CN")
        page.fill("#asked-login", login)
        page.fill("#asked-password", PASSWORD)
        page.click(".credentials [type=submit]")
        page.wait_for_selector("html[data-ready]", state="attached")
        expect(page.locator("#panel .tiles dd").first).to_have_text("1")
        (cookie,) = (one for one in page.context.cookies() if "session" in one["name"])
        assert cookie["name"] == "__Host-gis_session"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        page.context.clear_cookies()
        add_key(store, "gis_letters-of-a-test", "dispatcher", scope="read")
        answer = page.context.request.get(
            f"{home}/api/incidents", headers={"Authorization": "Bearer gis_letters-of-a-test"}
        )
        assert answer.status == 200
        assert answer.json()["total"] == 4
