"""Roads that run along a border: what happens on one concerns the grids on both sides.

A road runs along a border where it stays within 1 m of it for 90 % of its length; a piece of
border that was drawn along a street (``kind`` of the linework) is such a road too.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.geodesy import in_metres, local_metres
from gis_service.grids.answers import queries
from gis_service.grids.versions import Version

ALONG_M: Final = 1.0
ALONG_SHARE: Final = 0.9


@dataclass(frozen=True)
class BorderRoad:
    """A road along a border, and how far a place is from its centre line."""

    name: str
    distance_m: float


class BorderRoads:
    """The border roads of one version of one scheme."""

    def __init__(self, names: list[str], lines: npt.NDArray[np.object_]) -> None:
        self._names = names
        self._lon0, self._lat0 = _middle(lines)
        self._lines = in_metres(lines, self._lon0, self._lat0) if len(lines) else lines
        self._tree = shapely.STRtree(self._lines)

    def __len__(self) -> int:
        """How many."""
        return len(self._names)

    def at(self, lon: float, lat: float, within_m: float) -> BorderRoad | None:
        """
        Find the border road that a place lies on.

        Parameters
        ----------
        lon, lat
            Degrees.
        within_m
            How far from the centre line a place is still on the road.

        Returns
        -------
        BorderRoad or None
            The nearest; of equally near ones one with a name.
        """
        if not self._names:
            return None
        x, y = local_metres(self._lon0, self._lat0)[0](lon, lat)
        point = shapely.Point(float(x), float(y))
        near = self._tree.query(point, predicate="dwithin", distance=within_m)
        if len(near) == 0:
            return None
        metres = shapely.distance(point, self._lines[near])
        order = sorted(
            range(len(near)),
            key=lambda i: (round(float(metres[i]), 2), not self._names[near[i]], near[i]),
        )
        return BorderRoad(self._names[near[order[0]]], float(metres[order[0]]))


def _middle(lines: npt.NDArray[np.object_]) -> tuple[float, float]:
    if len(lines) == 0:
        return 0.0, 0.0
    west, south, east, north = shapely.total_bounds(lines)
    return round((west + east) / 2, 1), round((south + north) / 2, 1)


def find_along(
    roads: npt.NDArray[np.object_], borders: npt.NDArray[np.object_]
) -> npt.NDArray[np.bool_]:
    """Tell which roads run along a border."""
    along = np.zeros(len(roads), dtype=bool)
    if len(roads) == 0 or len(borders) == 0:
        return along
    lon0, lat0 = _middle(roads)
    lines = in_metres(roads, lon0, lat0)
    edges = in_metres(borders, lon0, lat0)
    road, border = shapely.STRtree(edges).query(lines, predicate="dwithin", distance=ALONG_M)
    belts = np.empty(len(edges), dtype=object)
    used = np.unique(border)
    belts[used] = shapely.buffer(edges[used], ALONG_M)
    alone = shapely.length(shapely.intersection(lines[road], belts[border]))
    needed = ALONG_SHARE * shapely.length(lines)
    at_least, at_most = np.zeros(len(roads)), np.zeros(len(roads))
    np.maximum.at(at_least, road, alone)
    np.add.at(at_most, road, alone)  # belts overlap where they meet
    along[:] = at_least >= needed
    for index in np.flatnonzero(~along & (at_most >= needed)):
        belt = shapely.union_all(belts[border[road == index]])
        along[index] = shapely.length(shapely.intersection(lines[index], belt)) >= needed[index]
    along &= needed > 0
    return along


def read_border_roads(
    connection: sa.Connection,
    version: Version,
    around: tuple[float, float, float] | None = None,
) -> BorderRoads:
    """Read the border roads of a version."""
    return _choose_border_roads(*queries.read_roads_and_arcs(connection, version, around))


def _choose_border_roads(roads: list[Any] | Any, arcs: list[Any] | Any) -> BorderRoads:
    lines, borders = _lines_of(roads), _lines_of(arcs)
    along = find_along(lines, borders)
    street = np.array([row.kind == "street" for row in arcs], dtype=bool)
    names = [row.name for row, is_along in zip(roads, along, strict=True) if is_along]
    names += [""] * int(street.sum())
    return BorderRoads(names, np.concatenate((lines[along], borders[street])))


def _lines_of(rows: Any) -> npt.NDArray[np.object_]:
    return np.asarray(shapely.from_wkb([bytes(row.wkb) for row in rows]), dtype=object)
