"""Sums of borders with their direction: what two neighbours share cancels, what is left is rim.

Vertices are counted in steps of the lattice, so that equal means equal. The rim of a set of valid
polygons is the county's border exactly where every place lies in one of them and none in two.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.lines import PER_DEGREE
from gis_service.geodesy import GeometryArray

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


@dataclass(frozen=True)
class LocalFrame:
    """
    How a place becomes one number.

    Attributes
    ----------
    west, south
        The corner, in steps of the lattice.
    factor
        What a step east counts. Up to some 3° by 3° every place has its own number; in wider land
        two places share one with a chance of 1 in 10¹⁹.
    """

    west: int
    south: int
    factor: int

    @classmethod
    def around(cls, *geometries: GeometryArray) -> "LocalFrame":
        """
        Make a frame that holds geometries.

        Parameters
        ----------
        *geometries
            Lon, lat in degrees.

        Returns
        -------
        LocalFrame
            For chains that are to be compared.
        """
        bounds = np.array([shapely.total_bounds(geometry) for geometry in geometries])
        bounds = np.nan_to_num(bounds)
        west, south = (np.floor(bounds[:, :2].min(axis=0) * PER_DEGREE) - 1).astype(int).tolist()
        east, north = (np.ceil(bounds[:, 2:].max(axis=0) * PER_DEGREE) + 1).astype(int).tolist()
        height = north - south + 1
        fits = (east - west + 1) * height < 2**64
        return cls(west, south, height if fits else int(_MIX[0]))

    def number(self, xy: FloatArray) -> Keys:
        """
        Give places numbers.

        Parameters
        ----------
        xy
            Lon, lat, shape (n, 2).

        Returns
        -------
        array of uint64
            Equal where the places are.
        """
        x = np.rint(xy[:, 0] * PER_DEGREE).astype(np.int64) - self.west
        y = np.rint(xy[:, 1] * PER_DEGREE).astype(np.int64) - self.south
        return x.astype(np.uint64) * np.uint64(self.factor) + y.astype(np.uint64)


@dataclass(frozen=True)
class Chain:
    """Border segments with direction and owner."""

    # Vertices, lon, lat.
    xy: FloatArray
    # Each segment's first vertex; its second one follows.
    at: IntArray
    # Numbers of the two ends, the lower one first.
    lo: Keys
    hi: Keys
    # How often it is run through from the lower end to the higher one, less the other way.
    sign: IntArray
    # Whose border it is.
    owner: IntArray

    def reduced(self, owner: IntArray) -> "Chain":
        """Add up what belongs to one owner."""
        owners = owner[self.owner]
        # sorted by a mixture, compared by the numbers: two that mix alike could only be told apart
        # wrongly, never be taken for one
        mixed = self.lo * _MIX[0] + self.hi * _MIX[1] + owners.astype(np.uint64) * _MIX[2]
        order = np.argsort(mixed)
        a, b, c = self.lo[order], self.hi[order], owners[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1]) | (c[1:] != c[:-1])
        start = np.flatnonzero(first)
        total = np.add.reduceat(self.sign[order], start) if len(start) else self.sign[:0]
        is_left = total != 0
        remaining = order[start[is_left]]
        return Chain(
            self.xy,
            self.at[remaining],
            a[start[is_left]],
            b[start[is_left]],
            total[is_left],
            owners[remaining],
        )

    def owned(self, owner: IntArray) -> "Chain":
        """Give borders to other owners without adding up."""
        return Chain(self.xy, self.at, self.lo, self.hi, self.sign, owner[self.owner])

    def differing(self, other: "Chain") -> list[int]:
        """Tell whose borders differ."""
        difference = _subtract(self, other)
        every = np.arange(int(difference.owner.max(initial=-1)) + 1)
        owners: list[int] = np.unique(difference.reduced(every).owner).tolist()
        return owners

    def undirected_difference(self, other: "Chain") -> "Chain":
        """Find segments that only one of two has."""
        return _subtract(_without_direction(self), _without_direction(other)).reduced(
            np.zeros(1, dtype=np.int64)
        )

    def lines(self) -> GeometryArray:
        """
        Give the segments as lines.

        Returns
        -------
        array of LineString
            Lon, lat in degrees.
        """
        ends = np.stack([self.xy[self.at], self.xy[self.at + 1]], axis=1)
        return np.asarray(shapely.linestrings(ends), dtype=object)


def _without_direction(chain: Chain) -> Chain:
    ones, none = np.ones(len(chain.lo), np.int64), np.zeros(len(chain.lo), np.int64)
    return Chain(chain.xy, chain.at, chain.lo, chain.hi, ones, none)


def _subtract(chain: Chain, less: Chain) -> Chain:
    return Chain(
        np.concatenate([chain.xy, less.xy]),
        np.concatenate([chain.at, less.at + len(chain.xy)]),
        np.concatenate([chain.lo, less.lo]),
        np.concatenate([chain.hi, less.hi]),
        np.concatenate([chain.sign, -less.sign]),
        np.concatenate([chain.owner, less.owner]),
    )


def of_polygons(polygons: GeometryArray, frame: LocalFrame) -> Chain:
    """Take the borders of polygons with the land on the left."""
    parts, owner = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(shapely.orient_polygons(parts), return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    return _make_chain(xy, ring, owner[part], frame)


def of_lines(lines: GeometryArray, frame: LocalFrame) -> Chain:
    """Take lines as borders of one owner."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    return _make_chain(xy, line, np.zeros(len(lines), dtype=np.int64), frame)


def of_arcs(arcs: GeometryArray, left: IntArray, right: IntArray, frame: LocalFrame) -> Chain:
    """Take arcs as borders of the owners beside them."""
    ours, theirs = np.flatnonzero(left >= 0), np.flatnonzero(right >= 0)
    xy, line = shapely.get_coordinates(arcs[ours], return_index=True)
    one = _make_chain(xy, line, left[ours], frame)
    xy, line = shapely.get_coordinates(arcs[theirs], return_index=True)
    return _subtract(one, _make_chain(xy, line, right[theirs], frame))


def _make_chain(xy: FloatArray, line: IntArray, owner: IntArray, frame: LocalFrame) -> Chain:
    number = frame.number(xy)
    at = np.flatnonzero(line[1:] == line[:-1])
    a, b = number[at], number[at + 1]
    sign = np.where(a < b, 1, -1)
    return Chain(xy, at, np.minimum(a, b), np.maximum(a, b), sign, owner[line[at]])
