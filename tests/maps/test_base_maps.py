"""Base maps: off by default, checked at the start, fetched from one fixed place within limits."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gis_service.api import create_app
from gis_service.errors import SetupError
from gis_service.maps.page.base_maps import BaseMaps, check_archive, check_template, fill
from gis_service.settings import BaseMapSettings
from gis_service.store import Store
from tests.api.conftest import TestClient

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
KEY = "a-secret-key"


@dataclass
class Upstream:
    """A tile server on loopback, and what it was asked."""

    address: str
    asked: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Answer by zoom: 0–9 a picture, 10 refused, 11 text, 12 too much, 13 late, 14 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            found.headers = dict(self.headers)
            zoom = next((z for z in range(10, 15) if f"/{z}/" in self.path), 0)
            status, kind, body = {
                10: (403, "image/png", PNG),
                11: (200, "text/html", b"<p>no</p>"),
                12: (200, "image/png", PNG * 4000),
                14: (302, "image/png", b""),
            }.get(zoom, (200, "image/png", PNG))
            if zoom == 13:
                late.wait(30)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if zoom == 14:
                self.send_header("Location", "/9/0/0.png")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:
                found.asked.append("gone")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    late = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Upstream(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    late.set()
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


@pytest.fixture
def client_of(store: Store) -> Iterator[Callable[..., TestClient]]:
    """Make clients of an app with base maps."""
    opened: list[TestClient] = []

    def make(tianditu_host: str = "http://127.0.0.1:9", **settings: Any) -> TestClient:
        app = create_app(store, loopback_only=True)
        wanted = BaseMapSettings(base_map_max_kb=16, **{"base_map_timeout_s": 30.0, **settings})
        app.state.base_maps = BaseMaps(wanted, tianditu_host)
        client = TestClient(
            app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 5)
        )
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def archive(folder: Path, tile_type: int = 2, version: int = 3) -> Path:
    """The head of a PMTiles archive and some bytes."""
    file = folder / "county.pmtiles"
    head = bytearray(127)
    head[:8] = b"PMTiles" + bytes([version])
    head[99] = tile_type
    file.write_bytes(bytes(head) + bytes(range(256)) * 8)
    return file


def test_none_is_offered_by_default(client_of: Callable[..., TestClient]) -> None:
    client = client_of()
    assert client.get("/api/base").json() == []
    for path in ("county/1/0/0", "tianditu/vec/1/0/0", "county.pmtiles"):
        answer = client.get(f"/api/base/{path}")
        assert answer.status_code == 404
        assert "GIS_TIANDITU_KEY" in answer.json()["detail"]


def test_a_tile_is_fetched_by_way_of_this_server(
    client_of: Callable[..., TestClient], upstream: Upstream
) -> None:
    client = client_of(base_map_url=f"{upstream.address}/xyz/{{z}}/{{x}}/{{y}}.png?s=1")
    answer = client.get("/api/base/county/9/416/213", headers={"Cookie": "gis_actor=3"})
    assert answer.status_code == 200
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert "max-age" in answer.headers["cache-control"]
    assert upstream.asked[-1] == "/xyz/9/416/213.png?s=1"
    assert "cookie" not in {name.lower() for name in upstream.headers}


def test_the_key_goes_to_the_fixed_host_and_nowhere_else(
    client_of: Callable[..., TestClient], upstream: Upstream
) -> None:
    client = client_of(upstream.address, tianditu_key=SecretStr(KEY))
    answer = client.get("/api/base/tianditu/vec/9/416/213")
    assert answer.status_code == 200
    assert upstream.asked[-1].startswith("/vec_w/wmts?")
    assert "TILEMATRIX=9&TILEROW=213&TILECOL=416" in upstream.asked[-1]
    assert upstream.asked[-1].endswith(f"tk={KEY}")
    page = client.get("/?lang=en").text
    assert KEY not in page + client.get("/api/base").text + answer.text
    assert "tianditu_img" in page


@pytest.mark.parametrize(
    "path",
    [
        "tianditu/secret/9/1/1",
        "tianditu/vec/19/1/1",
        "tianditu/vec/3/8/0",
        "tianditu/vec/3/0/-1",
        "county/1/0/0",
    ],
)
def test_what_is_not_on_the_list_is_not_asked_for(
    client_of: Callable[..., TestClient], upstream: Upstream, path: str
) -> None:
    client = client_of(upstream.address, tianditu_key=SecretStr(KEY))
    before = len(upstream.asked)
    assert client.get(f"/api/base/{path}").status_code == 404
    assert len(upstream.asked) == before


@pytest.mark.parametrize("path", ["vec/a/1/1", "vec/1/1/http:%2F%2Felsewhere", "..%2Fx/1/1/1"])
def test_only_whole_numbers_are_places(client_of: Callable[..., TestClient], path: str) -> None:
    client = client_of(tianditu_key=SecretStr(KEY))
    assert client.get(f"/api/base/tianditu/{path}").status_code in {404, 422}


@pytest.mark.parametrize(
    ("zoom", "says"), [(10, "403"), (11, "图片"), (12, "16 kB"), (13, "0.5 秒"), (14, "302")]
)
def test_a_failure_there_is_told_as_one_there(
    client_of: Callable[..., TestClient], upstream: Upstream, zoom: int, says: str
) -> None:
    client = client_of(
        base_map_url=f"{upstream.address}/{{z}}/{{x}}/{{y}}.png?tk={KEY}",
        base_map_timeout_s=0.5 if zoom == 13 else 30.0,
    )
    answer = client.get(f"/api/base/county/{zoom}/1/1?lang=zh-CN")
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert says in answer.json()["detail"]
    assert KEY not in answer.text


def test_a_server_that_is_not_there_is_said(client_of: Callable[..., TestClient]) -> None:
    client = client_of(base_map_url="http://127.0.0.1:9/{z}/{x}/{y}.png")
    assert client.get("/api/base/county/3/1/1").status_code == 502


def test_an_archive_is_given_in_parts(client_of: Callable[..., TestClient], tmp_path: Path) -> None:
    file = archive(tmp_path)
    client = client_of(base_map_url=str(file))
    answer = client.get("/api/base/county.pmtiles", headers={"Range": "bytes=0-6"})
    assert answer.status_code == 206
    assert answer.content == b"PMTiles"
    whole = client.get("/api/base/county.pmtiles", headers={"Range": "bytes=0-2000"})
    assert whole.content == file.read_bytes()[:2001]
    assert client.get("/api/base").json()[0]["archive"] == "/api/base/county.pmtiles"


@pytest.mark.parametrize(
    "template",
    [
        "file:///etc/passwd?{z}{x}{y}",
        "ftp://host/{z}/{x}/{y}",
        "http:///{z}/{x}/{y}",
        "http://{z}.host/{x}/{y}",
        "http://host/{z}/{x}",
        "http://host/{z}/{x}/{y}/{key}",
    ],
)
def test_a_wrong_address_is_refused_at_the_start(template: str) -> None:
    with pytest.raises(SetupError):
        BaseMaps(BaseMapSettings(base_map_url=template))


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("http://h/{z}/{x}/{y}.png", "http://h/3/5/1.png"),
        ("http://h/{z}/{x}/{-y}.png", "http://h/3/5/6.png"),
        ("http://h/w?M={TileMatrix}&C={TileCol}&R={TileRow}", "http://h/w?M=3&C=5&R=1"),
    ],
)
def test_xyz_tms_and_wmts_are_understood(template: str, address: str) -> None:
    assert fill(check_template(template), 3, 5, 1) == address


@pytest.mark.parametrize(("tile_type", "version"), [(1, 3), (0, 3), (2, 2)])
def test_an_archive_without_pictures_is_refused(
    tmp_path: Path, tile_type: int, version: int
) -> None:
    with pytest.raises(SetupError):
        check_archive(archive(tmp_path, tile_type, version))
    with pytest.raises(SetupError):
        check_archive(tmp_path / "missing.pmtiles")
