"""The real app on a free loopback port, with the drawn county in it, and pages that are watched."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, small_county

__all__ = ["SmallCounty", "small_county"]

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
READY = "html[data-ready]"
expect.set_options(timeout=20_000)  # a machine that runs other tests beside is slow


@dataclass
class Watched:
    """A page with everything that went wrong on it."""

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def open(self, query: str = "?lang=zh-CN", *, ready: bool = True) -> Page:
        """Go to the page and wait until its map stands."""
        self.page.goto(f"{self.home}/{query}")
        if ready:
            self.page.wait_for_selector(READY, state="attached")
        return self.page

    def forgive(self, status: int) -> None:
        """Take away that the browser says aloud what the server refused, which was meant."""
        said = f"status of {status} "
        assert any(said in complaint for complaint in self.complaints)
        self.complaints[:] = [one for one in self.complaints if said not in one]


@pytest.fixture(scope="module")
def home(store: Store) -> Iterator[str]:
    """The address of the running app."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(store, loopback_only=True),
            log_level="error",
            access_log=False,
            lifespan="off",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def look(browser: Browser, home: str) -> Iterator[Callable[..., Watched]]:
    """Open watched pages; at the end nothing may have complained and nothing may have left home."""
    contexts, opened = [], []

    def make(size: dict[str, int] = DESK, **options: object) -> Watched:
        context = browser.new_context(viewport=size, locale="zh-CN", **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        watched = Watched(page, home)
        page.on("request", lambda request: watched.addresses.append(request.url))
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: watched.complaints.append(said.text) if said.type == "error" else None,
        )
        opened.append(watched)
        return watched

    yield make
    for context in contexts:
        context.close()
    assert [complaint for watched in opened for complaint in watched.complaints] == []
    assert [
        address
        for watched in opened
        for address in watched.addresses
        if not address.startswith((home, "data:"))
    ] == []


@pytest.fixture(scope="module")
def county_page_ready(store: Store, small_county: SmallCounty) -> SmallCounty:
    """The drawn county, checked to be there."""
    with store.transaction(SYSTEM) as connection:
        assert connection.execute(t.grid.select()).first() is not None
    return small_county
