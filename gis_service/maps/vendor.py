"""The files of npm packages that the page may load, by the name they have under ``/vendor``.

Everything a browser gets from a library is listed here; nothing else of ``web/node_modules`` is
ever served.
"""

from collections.abc import Mapping
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
    }
)
"""Name under ``/vendor`` to path in ``web/node_modules``."""


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
