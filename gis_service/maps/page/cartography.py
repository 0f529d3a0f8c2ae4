"""What stands on the map and in which order: panes, layers, and where the map may go.

Numbers and names only; how a thing is drawn is in ``web/js`` and ``web/css``. Nothing here reads
data or knows HTTP.
"""

from dataclasses import dataclass
from typing import Final

PANES: Final = {
    "base": 300,
    "fills": 350,
    "ground": 360,
    "selection": 420,
    "homes": 430,
    "route": 440,
    "names": 590,
    "points": 600,
}
"""Pane of the map to its z-index: fills lie under streets, so that water and roads stay legible."""

CLICKABLE_PANES: Final = frozenset({"fills", "points"})

MIN_ZOOM: Final = 8
MAX_ZOOM: Final = 19
NOWHERE: Final = (28.7, 112.9)
"""Where the empty map looks (lat, lon) while no county is loaded."""

Bbox = tuple[float, float, float, float]


@dataclass(frozen=True)
class LayerSpec:
    """A layer the reader may switch on and off."""

    # Its name in the URL and in the scripts; the message ``page.layer_<key>`` says it in words.
    key: str
    # One of ``PANES``.
    pane: str
    # Whether it is on when the page opens.
    shown: bool = True


LAYERS: Final = (
    LayerSpec("roads", "ground"),
    LayerSpec("buildings", "ground"),
    LayerSpec("names", "names"),
    LayerSpec("rescue", "points", shown=False),
    LayerSpec("services", "points", shown=False),
    LayerSpec("hazards", "points", shown=False),
    LayerSpec("incidents", "points", shown=False),
)


def centre(bbox: Bbox | None) -> tuple[float, float]:
    """Find the middle of a box in degrees: latitude first, the order Leaflet wants."""
    if bbox is None:
        return NOWHERE
    west, south, east, north = bbox
    return (round((south + north) / 2, 6), round((west + east) / 2, 6))
