"""The page over an empty store: it teaches the first step and shows nothing dead."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched

pytestmark = pytest.mark.browser


def test_an_empty_store_tells_how_to_load_a_county(look: Callable[..., Watched]) -> None:
    page = look().open(ready=False)
    expect(page.locator("#panel")).to_contain_text("scripts/run")
    expect(page.locator("#legend")).to_be_hidden()
    page.goto(page.url.replace("zh-CN", "en"))
    expect(page.locator("#panel")).to_contain_text("No county is loaded yet")
