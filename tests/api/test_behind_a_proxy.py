"""Behind a reverse proxy: no forwarded header counts unless a setting names who sends it."""

import asyncio
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gis_service.api import create_app
from gis_service.api.serve import Server, make_server
from gis_service.settings import server_settings
from gis_service.store import Store
from tests.api.conftest import SmallCounty

DOCS = Path(__file__).resolve().parents[2] / "docs/operator.md"
NAME = "map.county.example"
FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}


class Recorder:
    """Keeps what the app was told of each request: its scheme and whom it comes from."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.seen = app, list[tuple[str, str]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen.append((scope["scheme"], scope["client"][0]))
        await self.app(scope, receive, send)


@contextmanager
def running(server: Server) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(timeout=20)


Serve = Callable[..., Any]


@pytest.fixture
def serve(
    store: Store, small_county: SmallCounty, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serve]:
    """The app bound to loopback, with the setting that names a proxy or without."""

    @contextmanager
    def start(trusted: str) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        monkeypatch.setenv("GIS_TRUSTED_PROXY", trusted)
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own switch has no say
        server_settings.cache_clear()
        recorder = Recorder(create_app(store, loopback_only=True))
        with running(make_server(recorder)) as port:  # type: ignore[arg-type]
            yield port, recorder.seen

    yield start
    server_settings.cache_clear()


@contextmanager
def proxy_before(port: int) -> Iterator[int]:
    """A plain reverse proxy: passes each connection on and says for whom, like any of them."""
    said = "".join(f"{name}: {value}\r\n" for name, value in FORWARDED.items())

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        first, _, rest = head.partition("\r\n")
        forth.write(f"{first}\r\n{said}Connection: close\r\n{rest}".encode("latin-1") + body)
        writer.write(await back.read())
        await writer.drain()
        forth.close()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(pass_on, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=20)
    loop.close()


def pick(connection: HTTPConnection, actor_id: int, host: str, origin: str) -> HTTPResponse:
    """Change something as a browser does that has opened the page under a name."""
    with closing(connection):
        connection.request(
            "POST",
            "/api/actors/current",
            f'{{"actor_id": {actor_id}}}',
            {
                "Host": host,
                "Origin": origin,
                "Sec-Fetch-Site": "same-origin",
                "Content-Type": "application/json",
            },
        )
        answer = connection.getresponse()
        answer.read()
        return answer


def test_no_forwarded_header_counts_where_no_proxy_is_named(
    serve: Serve, small_county: SmallCounty
) -> None:
    analyst = small_county.actors["analyst"]
    with serve("") as (port, seen), proxy_before(port) as front:
        own = f"localhost:{port}"
        answer = pick(HTTPConnection("127.0.0.1", front), analyst, own, f"https://{own}")
        assert answer.status == 403  # to the app it is http, whatever the header says
        answer = pick(HTTPConnection("127.0.0.1", front), analyst, own, f"http://{own}")
        assert answer.status == 200
        assert "secure" not in str(answer.getheader("set-cookie")).lower()
        answer = pick(HTTPConnection("127.0.0.1", front), analyst, NAME, f"https://{NAME}")
        assert answer.status == 421
    assert set(seen) == {("http", "127.0.0.1")}


def test_a_proxy_that_is_somewhere_else_has_no_say(serve: Serve, small_county: SmallCounty) -> None:
    analyst = small_county.actors["analyst"]
    with serve("192.0.2.1") as (port, seen), proxy_before(port) as front:
        answer = pick(HTTPConnection("127.0.0.1", front), analyst, NAME, f"https://{NAME}")
        assert answer.status == 403
    assert seen == [("http", "127.0.0.1")]


def test_the_named_proxy_says_the_scheme_and_who_asks(
    serve: Serve, small_county: SmallCounty
) -> None:
    analyst = small_county.actors["analyst"]
    with serve("127.0.0.1, 192.0.2.0/24") as (port, seen), proxy_before(port) as front:
        answer = pick(HTTPConnection("127.0.0.1", front), analyst, NAME, f"https://{NAME}")
        assert answer.status == 200
        assert "; secure" in str(answer.getheader("set-cookie")).lower()
        for foreign in ("https://evil.example", f"http://{NAME}", f"https://{NAME}:8443"):
            answer = pick(HTTPConnection("127.0.0.1", front), analyst, NAME, foreign)
            assert answer.status == 403
    assert set(seen) == {("https", "203.0.113.9")}


@pytest.mark.parametrize("wrong", ["*", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_is_named_by_its_address(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIS_TRUSTED_PROXY", wrong)
    server_settings.cache_clear()
    try:
        with pytest.raises(ValueError, match="trusted_proxy"):
            server_settings()
    finally:
        server_settings.cache_clear()


# --- nginx, as the operator's guide sets it up ----------------------------------------------------


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def nginx_before(port: int, folder: Path) -> Iterator[int]:
    """Run nginx with the server block of the guide, on ports and with a certificate of the test."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    openssl = shutil.which("openssl")
    if program is None or openssl is None:
        pytest.skip("nginx or openssl is not installed")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         f"/CN={NAME}", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    front = free_port()
    found = re.search(r"```nginx\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found is not None
    block = found[1]
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{front} ssl;"),
        ("/etc/ssl/certs/map.county.example.pem", str(folder / "cert.pem")),
        ("/etc/ssl/private/map.county.example.key", str(folder / "key.pem")),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{port}"),
    ):
        assert old in block
        block = block.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{block}}}\n"
    )
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", front)) == 0:
                break
        assert process.poll() is None, (folder / "error.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield front
    process.terminate()
    process.wait(timeout=20)


def test_nginx_as_the_guide_sets_it_up(
    serve: Serve, small_county: SmallCounty, tmp_path: Path
) -> None:
    analyst = small_county.actors["analyst"]
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def browser(front: int) -> HTTPSConnection:
        return HTTPSConnection("127.0.0.1", front, context=trusting, timeout=20)

    with serve("127.0.0.1") as (port, seen), nginx_before(port, tmp_path) as front:
        host = f"{NAME}:{front}"
        answer = pick(browser(front), analyst, host, f"https://{host}")
        assert answer.status == 200
        assert "; secure" in str(answer.getheader("set-cookie")).lower()
        assert pick(browser(front), analyst, host, "https://evil.example").status == 403
    assert {scheme for scheme, _ in seen} == {"https"}
