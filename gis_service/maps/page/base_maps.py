"""Maps of others under our own: 天地图, or one of the county's network; none unless a setting says.

A browser asks this server only. What this server asks is put together from a setting and from
whole numbers, never from text of a reader; the key stays here and is in no message.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from gis_service.errors import NotFoundError, SetupError, UpstreamError
from gis_service.settings import BaseMapSettings

TIANDITU_HOST: Final = "https://t0.tianditu.gov.cn"
TIANDITU_LAYERS: Final = ("vec", "cva", "img", "cia", "ter", "cta")
"""Streets, images and terrain, each with its writing; in Web Mercator (``_w``)."""

TIANDITU_MAX_ZOOM: Final = 18
IMAGES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
COUNTY: Final = "county"
TIANDITU: Final = "tianditu"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_NAMES: Final = {
    "z": "z",
    "x": "x",
    "y": "y",
    "-y": "-y",
    "TileMatrix": "z",
    "TileCol": "x",
    "TileRow": "y",
}
_RASTER: Final = {2: "png", 3: "jpeg", 4: "webp"}
_PMTILES_HEADER: Final = 127


@dataclass(frozen=True)
class BaseMap:
    """A base map as the page offers it."""

    # Its name in the URL of the page.
    key: str
    # What it is called; empty: the page says it in words.
    name: str
    # Whose it is.
    attribution: str
    # Its nearest zoom; above it tiles are drawn larger.
    max_zoom: int
    # Addresses on this server with ``{z}``, ``{x}``, ``{y}``, the lowest first.
    tiles: tuple[str, ...] = ()
    # Address of a PMTiles archive on this server instead.
    archive: str = ""


@dataclass(frozen=True)
class Picture:
    """A tile of another server."""

    body: bytes
    kind: str


def check_template(template: str) -> str:
    """Read the address of a tile server."""
    parts = urlsplit(template)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SetupError("map.base_not_http")
    if "{" in parts.netloc:
        raise SetupError("map.base_host_varies")
    placeholders = _PLACEHOLDER.findall(template)
    unknown = sorted(set(placeholders) - set(_NAMES))
    if unknown:
        raise SetupError("map.base_unknown_placeholder", name=unknown[0][:40])
    meant = {_NAMES[name].removeprefix("-") for name in placeholders}
    missing = [name for name in ("z", "x", "y") if name not in meant]
    if missing:
        raise SetupError("map.base_lacks_placeholder", name="{" + missing[0] + "}")
    return template


def fill(template: str, z: int, x: int, y: int) -> str:
    """
    Put a place into the address of a tile server.

    Parameters
    ----------
    template
        As :func:`check_template` took it.
    z, x, y
        Whole numbers of the Web Mercator pyramid.

    Returns
    -------
    str
        An address.
    """
    values = {"z": z, "x": x, "y": y, "-y": 2**z - 1 - y}
    return _PLACEHOLDER.sub(lambda match: str(values[_NAMES[match[1]]]), template)


def check_archive(file: Path) -> Path:
    """Look at the first bytes of a PMTiles archive."""
    if not file.is_file():
        raise SetupError("map.base_no_file", file=file.name)
    with file.open("rb") as opened:
        head = opened.read(_PMTILES_HEADER)
    if len(head) < _PMTILES_HEADER or head[:7] != b"PMTiles" or head[7] != 3:
        raise SetupError("map.base_no_archive", file=file.name)
    if head[99] not in _RASTER:
        raise SetupError("map.base_no_pictures", file=file.name)
    return file


class BaseMaps:
    """
    The base maps of the settings, checked.

    Parameters
    ----------
    settings
        As read from the environment.
    tianditu_host
        Where 天地图 answers; only tests have another.

    Raises
    ------
    SetupError
        A setting cannot be right.
    """

    def __init__(self, settings: BaseMapSettings, tianditu_host: str = TIANDITU_HOST) -> None:
        self._settings = settings
        self._host = tianditu_host
        self.template = ""
        self.archive: Path | None = None
        url = (settings.base_map_url or "").strip()
        if url.lower().endswith(".pmtiles") and "://" not in url:
            self.archive = check_archive(Path(url).expanduser())
        elif url:
            self.template = check_template(url)

    def offered(self) -> list[BaseMap]:
        """
        List what a reader may choose.

        Returns
        -------
        list of BaseMap
            Empty unless a setting names one.
        """
        base_maps = []
        if self.template or self.archive:
            tiles: tuple[str, ...] = () if self.archive else ("/api/base/county/{z}/{x}/{y}",)
            base_maps.append(
                BaseMap(
                    COUNTY,
                    self._settings.base_map_name,
                    self._settings.base_map_attribution,
                    self._settings.base_map_max_zoom,
                    tiles,
                    "/api/base/county.pmtiles" if self.archive else "",
                )
            )
        if self._settings.tianditu_key is not None:
            for layer, writing in (("vec", "cva"), ("img", "cia"), ("ter", "cta")):
                tiles = tuple(
                    f"/api/base/tianditu/{name}/{{z}}/{{x}}/{{y}}" for name in (layer, writing)
                )
                base_maps.append(
                    BaseMap(f"{TIANDITU}_{layer}", "", "天地图", TIANDITU_MAX_ZOOM, tiles)
                )
        return base_maps

    def address(self, source: str, layer: str, z: int, x: int, y: int) -> str:
        """
        Say where a tile is fetched from.

        Parameters
        ----------
        source
            ``county`` or ``tianditu``.
        layer
            Of 天地图: one of ``TIANDITU_LAYERS``.
        z, x, y
            Whole numbers of the Web Mercator pyramid.

        Returns
        -------
        str
            An address that holds the key: never to be shown or written down.

        Raises
        ------
        NotFoundError
            The base map is not configured, or has no such layer or place.
        """
        key = self._settings.tianditu_key
        if source == TIANDITU and key is not None:
            highest = TIANDITU_MAX_ZOOM
            if layer not in TIANDITU_LAYERS:
                raise NotFoundError(
                    "map.base_no_layer", layer=layer[:40], known=", ".join(TIANDITU_LAYERS)
                )
        elif source == COUNTY and self.template:
            highest = self._settings.base_map_max_zoom
        else:
            raise NotFoundError("map.base_not_configured")
        if not 0 <= z <= highest:
            raise NotFoundError("tiles.no_zoom", zoom=z, highest=highest)
        if not (0 <= x < 2**z and 0 <= y < 2**z):
            raise NotFoundError("tiles.no_place", zoom=z, x=x, y=y, last=2**z - 1)
        if source == COUNTY or key is None:
            return fill(self.template, z, x, y)
        return (
            f"{self._host}/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}"
            "&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles"
            f"&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key.get_secret_value()}"
        )

    async def picture(self, client: httpx.AsyncClient, address: str) -> Picture:
        """
        Fetch a tile.

        Parameters
        ----------
        client
            As :func:`client` makes it.
        address
            As :meth:`address` gave it.

        Returns
        -------
        Picture
            An image of at most ``base_map_max_kb``.

        Raises
        ------
        UpstreamError
            No answer in time, another answer than an image, or too large a one.
        """
        most = self._settings.base_map_max_kb * 1000
        try:
            async with (
                asyncio.timeout(self._settings.base_map_timeout_s),
                client.stream("GET", address) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise UpstreamError("map.base_refused", status=answer.status_code)
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind not in IMAGES:
                    raise UpstreamError("map.base_no_image")
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > most:
                        raise UpstreamError("map.base_too_large", most=most // 1000)
        except (httpx.TimeoutException, TimeoutError) as error:
            seconds = f"{self._settings.base_map_timeout_s:g}"
            raise UpstreamError("map.base_too_slow", seconds=seconds) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError("map.base_unreachable") from error
        return Picture(bytes(body), kind)


def client(settings: BaseMapSettings) -> httpx.AsyncClient:
    """
    Make the client that asks other servers.

    Parameters
    ----------
    settings
        For the limit in time.

    Returns
    -------
    httpx.AsyncClient
        Follows no redirect, so that no answer leads elsewhere, and takes no proxy, cookie or
        password from the surroundings.
    """
    return httpx.AsyncClient(
        timeout=settings.base_map_timeout_s,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
        headers={"User-Agent": "gis_service"},
    )
