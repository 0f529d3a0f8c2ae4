"""The real app on a free loopback port, with the drawn county in it, and pages that are watched."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, small_county

__all__ = ["SmallCounty", "small_county"]

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
READY = "html[data-ready]"
expect.set_options(timeout=60_000)  # a machine that runs other tests beside is slow


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

    def forgive_lost_way(self) -> None:
        """Take away that the browser says aloud that the server was away, which was meant."""
        signs = ("ERR_FAILED", "ERR_CONNECTION", "ERR_INTERNET", "ERR_EMPTY", "ERR_INCOMPLETE")
        self.complaints[:] = [
            one for one in self.complaints if not any(sign in one for sign in signs)
        ]

    def settle(self) -> None:
        """Nothing may have complained, and nothing may have left home; then begin anew."""
        complaints, addresses = self.complaints[:], self.addresses[:]
        self.complaints.clear()
        self.addresses.clear()
        assert complaints == []
        assert [one for one in addresses if not one.startswith((self.home, "data:"))] == []


class Running:
    """The app on a loopback port, in a thread; it can die and come back at the same address."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.port = 0
        self.start()

    @property
    def home(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start an app that remembers nothing of the one before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.app = create_app(self.store, loopback_only=True)
        config = uvicorn.Config(
            self.app,
            log_level="error",
            access_log=False,
            lifespan="off",
        )
        self.server = uvicorn.Server(config)
        arguments = {"sockets": [listener]}
        self.thread = threading.Thread(target=self.server.run, kwargs=arguments, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.server.started

    def die(self) -> None:
        """End at once: no answer that is under way is finished."""
        self.server.force_exit = self.server.should_exit = True
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()


@pytest.fixture(scope="module")
def home(store: Store) -> Iterator[str]:
    """The address of the running app."""
    running = Running(store)
    yield running.home
    running.server.should_exit = True
    running.thread.join(timeout=20)


Look = Callable[..., Watched]


@contextmanager
def looking(browser: Browser, home: str) -> Iterator[Look]:
    """Open watched pages; at the end nothing may have complained and nothing may have left home."""
    contexts: list[BrowserContext] = []
    opened: list[Watched] = []

    def make(size: dict[str, int] = DESK, **options: object) -> Watched:
        context = browser.new_context(viewport=size, locale="zh-CN", **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
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
    for watched in opened:
        watched.settle()


@pytest.fixture
def look(browser: Browser, home: str) -> Iterator[Look]:
    """Pages of one test, each with a browser of its own."""
    with looking(browser, home) as make:
        yield make


@pytest.fixture(scope="module")
def county_page_ready(store: Store, small_county: SmallCounty) -> SmallCounty:
    """The drawn county, checked to be there."""
    with store.transaction(SYSTEM) as connection:
        assert connection.execute(t.grid.select()).first() is not None
    return small_county
