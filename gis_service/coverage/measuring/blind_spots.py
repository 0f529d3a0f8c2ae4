"""Those who are not reached, put together into places that have a name.

Houses near each other in one village are one place, whatever keeps help away from them. Arrays in,
places out; nothing here reads the store.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis_service import geodesy
from gis_service.coverage.network.graph import FloatArray, IntArray
from gis_service.coverage.travel.travel_time import STATUS_NAMES, StatusArray

CELL_M: Final = 200.0
"""Houses in one square of this side, or in squares that touch, are near each other."""
AROUND_M: Final = 60.0
"""The outline keeps this distance from the houses, so that it is one for a single house too."""
_NEXT: Final = ((0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Missed:
    """Households that are not covered."""

    # Degrees, CGCS2000.
    lon: FloatArray
    lat: FloatArray
    # ``travel_time.TOO_FAR`` and so on.
    status: StatusArray
    # NaN or inf where none arrives.
    minutes: FloatArray
    # Who lives there.
    people: IntArray
    # Their grid, and the one above it whose name they go by; -1 outside every grid.
    grid: IntArray
    village: IntArray


@dataclass(frozen=True)
class BlindSpot:
    """
    A place whose households are not reached in time.

    Attributes
    ----------
    name
        The village's; where it has several such places, with the grid's that holds most of it.
    reason
        The most frequent of ``reasons``: ``too_far``, ``unreachable`` or ``off_network``.
    reasons
        Households by reason.
    worst_minutes
        Of those whom somebody reaches at all; None where there is none.
    lon, lat
        The middle of its households, degrees.
    bbox
        West, south, east, north of the outline.
    geometry
        The outline, GeoJSON in degrees.
    """

    name: str
    households: int
    people: int
    worst_minutes: float | None
    reason: str
    reasons: dict[str, int]
    lon: float
    lat: float
    bbox: tuple[float, float, float, float]
    grid_ids: tuple[int, ...]
    village_id: int | None
    geometry: dict[str, Any]


def group_blind_spots(
    missed: Missed,
    names: Mapping[int, str],
    *,
    drawn: tuple[FloatArray, FloatArray] | None = None,
) -> list[BlindSpot]:
    """Group households that are not covered by nearness and village, the largest first."""
    # Which are near each other the exact places say. Middles and outlines are made from ``drawn``
    # (lon, lat), rounded for a reader who may not know where a household lives.
    if len(missed.lon) == 0:
        return []
    to_xy, to_lonlat = geodesy.local_metres(
        float(np.median(missed.lon)), float(np.median(missed.lat))
    )
    x, y = to_xy(missed.lon, missed.lat)
    number = _number_near(np.asarray(x), np.asarray(y), missed.village)
    order = np.argsort(number, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(number))[:-1])
    lon, lat = (missed.lon, missed.lat) if drawn is None else drawn
    drawn_x, drawn_y = (np.asarray(axis) for axis in to_xy(lon, lat))
    drawn_missed = replace(missed, lon=lon, lat=lat)
    in_village = np.bincount(np.unique(np.stack((missed.village, number)), axis=1)[0] + 1)
    spots = [
        _describe_spot(
            drawn_missed, part, names, to_lonlat, np.column_stack((drawn_x[part], drawn_y[part])),
            in_village,
        )
        for part in parts
    ]  # fmt: skip
    return sorted(spots, key=lambda spot: (-spot.households, spot.name, spot.lon, spot.lat))


def _number_near(x: FloatArray, y: FloatArray, village: IntArray) -> IntArray:
    """Give squares of one village that touch, by side or corner, one number."""
    column = np.floor((x - x.min()) / CELL_M).astype(np.int64)
    row = np.floor((y - y.min()) / CELL_M).astype(np.int64)
    wide, high = column.max() + 3, row.max() + 3
    _, of_village = np.unique(village, return_inverse=True)
    key = (of_village * wide + column + 1) * high + row + 1
    cells, cell = np.unique(key, return_inverse=True)
    ends = []
    for right, up in _NEXT:
        neighbour = cells + right * high + up
        at = np.searchsorted(cells, neighbour).clip(0, len(cells) - 1)
        touching = np.flatnonzero(cells[at] == neighbour)
        ends.append(np.stack((touching, at[touching])))
    first, second = np.concatenate(ends, axis=1)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(cells), len(cells)))
    _, component = connected_components(links.tocsr(), directed=False)
    return np.asarray(component[cell], dtype=np.int64)


def _describe_spot(
    missed: Missed,
    part: IntArray,
    names: Mapping[int, str],
    to_lonlat: geodesy.Projector,
    xy: FloatArray,
    in_village: IntArray,
) -> BlindSpot:
    hull = shapely.buffer(
        shapely.convex_hull(shapely.multipoints(np.unique(xy, axis=0))), AROUND_M, quad_segs=3
    )
    outline = shapely.transform(hull, lambda at: np.column_stack(to_lonlat(at[:, 0], at[:, 1])))
    outline = shapely.set_precision(outline, 1e-6)
    west, south, east, north = (round(float(edge), 6) for edge in shapely.bounds(outline))
    statuses = np.bincount(missed.status[part], minlength=len(STATUS_NAMES))
    minutes = missed.minutes[part]
    known = minutes[np.isfinite(minutes)]
    village = int(missed.village[part[0]])
    grids, count = np.unique(missed.grid[part], return_counts=True)
    name = names.get(village, "")
    main = names.get(int(grids[np.argmax(count)]), "")
    if village < 0 or (in_village[village + 1] > 1 and main):
        name = f"{name} {main}".strip()
    return BlindSpot(
        name=name,
        households=len(part),
        people=int(missed.people[part].sum()),
        worst_minutes=round(float(known.max()), 3) if len(known) else None,
        reason=STATUS_NAMES[int(np.argmax(statuses))],
        reasons={STATUS_NAMES[code]: int(n) for code, n in enumerate(statuses) if n},
        lon=round(float(np.median(missed.lon[part])), 6),
        lat=round(float(np.median(missed.lat[part])), 6),
        bbox=(west, south, east, north),
        grid_ids=tuple(int(grid_id) for grid_id in grids if grid_id >= 0),
        village_id=village if village >= 0 else None,
        geometry=json.loads(str(shapely.to_geojson(outline))),
    )
