"""The files that the page may load: our own, and those of npm packages under ``/vendor``.

Everything a browser gets from a library is listed here; nothing else of ``web/node_modules`` is
ever served. An address carries a hash of what is served, so that a browser may keep it for ever:
a library's and a style's that of its own file, a script of ours that of all our scripts, because
it names the others relative to itself.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gis_service.errors import NotFoundError, SetupError
from gis_service.messages import WEB_DIR

VENDOR_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "leaflet.js": "leaflet/dist/leaflet.js",
        "leaflet.css": "leaflet/dist/leaflet.css",
        "leaflet.markercluster.js": "leaflet.markercluster/dist/leaflet.markercluster.js",
        "MarkerCluster.css": "leaflet.markercluster/dist/MarkerCluster.css",
        "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
        "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
        "maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
        "leaflet-maplibre-gl.mjs": "@maplibre/maplibre-gl-leaflet/dist/leaflet-maplibre-gl.mjs",
        "pmtiles.js": "pmtiles/dist/pmtiles.js",
    }
)
"""Name under ``/vendor`` to path in ``web/node_modules``."""


LIBRARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "maplibre-gl": "maplibre-gl.mjs",
        "leaflet-maplibre-gl": "leaflet-maplibre-gl.mjs",
    }
)
"""Name by which a script of ours imports a library, to its name under ``/vendor``."""

LATE_FILES: Final = ("maplibre-gl.css", "pmtiles.js")
"""What a script of ours adds to the document when it is needed, by name under ``/vendor``."""

_STATIC_IMPORT: Final = re.compile(r'^(?:import|\} from)\b[^;]*?"\./([\w.]+)";$', re.MULTILINE)


def file_hash(file: Path) -> str:
    """Name the content of a file."""
    about = file.stat()
    return _hash(file, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=512)
def _hash(file: Path, _mtime_ns: int, _size: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def compress_file(file: Path) -> bytes:
    """
    Compress a file once.

    Parameters
    ----------
    file
        A file that exists.

    Returns
    -------
    bytes
        By gzip.
    """
    about = file.stat()
    return _compress(file, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=64)
def _compress(file: Path, _mtime_ns: int, _size: int) -> bytes:
    return gzip.compress(file.read_bytes(), 6, mtime=0)


def static_address(folder: str, name: str) -> str:
    """Say where one of our own files is, in its present content."""
    return f"/static/{folder}/{name}?v={file_hash(WEB_DIR / folder / name)}"


def scripts_hash() -> str:
    """
    Name the present content of all our scripts.

    Returns
    -------
    str
        Twelve signs; when any script changes, others.
    """
    files = sorted((WEB_DIR / "js").glob("*.js"))
    content = " ".join(f"{file.name} {file_hash(file)}" for file in files)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def script_address(name: str) -> str:
    """Say where a script of ours is, in its present content."""
    return f"/static/js/{scripts_hash()}/{name}"


def with_imports(name: str) -> list[str]:
    """List a script and all that it imports at once, not when it is needed."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        script = waiting.pop()
        if script not in reached:
            reached.add(script)
            waiting += _STATIC_IMPORT.findall((WEB_DIR / "js" / script).read_text("utf-8"))
    return sorted(reached)


def vendor_address(name: str) -> str:
    """Say where the file of a library is, in its present content."""
    file = WEB_DIR / "node_modules" / VENDOR_FILES[name]
    return f"/vendor/{name}?v={file_hash(file)}" if file.is_file() else f"/vendor/{name}"


def import_map() -> dict[str, dict[str, str]]:
    """Tell a browser which file a script means when it imports one."""
    libraries = {name: vendor_address(file) for name, file in LIBRARIES.items()}
    return {"imports": {"leaflet": script_address("leaflet.js"), **libraries}}


def vendor_file(name: str) -> Path:
    """
    Find the file of a library.

    Parameters
    ----------
    name
        As in the page, such as ``leaflet.js``.

    Returns
    -------
    pathlib.Path
        A file that exists.

    Raises
    ------
    NotFoundError
        The page uses no such file.
    SetupError
        The npm packages are not installed.
    """
    path = VENDOR_FILES.get(name)
    if path is None:
        raise NotFoundError("map.no_vendor_file", name=name)
    file = WEB_DIR / "node_modules" / path
    if not file.is_file():
        raise SetupError("map.vendor_not_installed", name=name)
    return file
