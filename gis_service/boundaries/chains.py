"""Sums of borders with their direction: what two neighbours share cancels, what is left is rim.

Vertices are counted in steps of the lattice, so that equal means equal. The rim of a set of valid
polygons is the county's border exactly where every place lies in one of them and none in two.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework import PER_DEGREE
from gis_service.geodesy import GeometryArray

IntArray = npt.NDArray[np.int64]


_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


@dataclass(frozen=True)
class Chain:
    """
    Border segments with direction and owner.

    Attributes
    ----------
    lo, hi
        The lower and the higher end of each segment as (x, y) pairs, shape (n, 2).
    sign
        How often it is run through from the lower end to the higher one, less the other way.
    owner
        Whose border it is.
    """

    lo: IntArray
    hi: IntArray
    sign: IntArray
    owner: IntArray

    def reduced(self, owner: IntArray) -> "Chain":
        """
        Add up what belongs to one owner.

        Parameters
        ----------
        owner
            For each present owner the new one.

        Returns
        -------
        Chain
            Without the segments that cancel.
        """
        mine = owner[self.owner]
        lo, hi = _packed(self.lo, self.hi)
        # sorted by a mixture, compared by the numbers: two that mix alike could only be told apart
        # wrongly, never be taken for one
        mixed = lo.astype(np.uint64) * _MIX[0] + hi.astype(np.uint64) * _MIX[1]
        order = np.argsort(mixed + mine.astype(np.uint64) * _MIX[2])
        a, b, c = lo[order], hi[order], mine[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1]) | (c[1:] != c[:-1])
        start = np.flatnonzero(first)
        total = np.add.reduceat(self.sign[order], start) if len(start) else self.sign[:0]
        kept = order[start[total != 0]]
        return Chain(self.lo[kept], self.hi[kept], total[total != 0], mine[kept])

    def owned(self, owner: IntArray) -> "Chain":
        """
        Give borders to other owners without adding up.

        Parameters
        ----------
        owner
            For each present owner the new one.

        Returns
        -------
        Chain
            The same segments.
        """
        return Chain(self.lo, self.hi, self.sign, owner[self.owner])

    def differing(self, other: "Chain") -> list[int]:
        """
        Tell whose borders differ.

        Parameters
        ----------
        other
            The same owners.

        Returns
        -------
        list of int
            Owners, sorted.
        """
        both = _joined(self, other, -1)
        every = np.arange(int(both.owner.max(initial=-1)) + 1)
        owners: list[int] = np.unique(both.reduced(every).owner).tolist()
        return owners

    def undirected_difference(self, other: "Chain") -> "Chain":
        """
        Find segments that only one of two has.

        Parameters
        ----------
        other
            Whatever its owners and directions.

        Returns
        -------
        Chain
            Of one owner.
        """
        one = Chain(self.lo, self.hi, np.ones(len(self.lo), np.int64), np.zeros_like(self.owner))
        two = Chain(
            other.lo, other.hi, np.ones(len(other.lo), np.int64), np.zeros_like(other.owner)
        )
        return _joined(one, two, -1).reduced(np.zeros(1, dtype=np.int64))

    def lines(self) -> GeometryArray:
        """
        Give the segments as lines.

        Returns
        -------
        array of LineString
            Lon, lat in degrees.
        """
        ends = np.stack([self.lo, self.hi], axis=1) / PER_DEGREE
        return np.asarray(shapely.linestrings(ends), dtype=object)


def _packed(lo: IntArray, hi: IntArray) -> tuple[IntArray, IntArray]:
    """Make one number of each place: equal numbers are equal places."""
    if not len(lo):
        return lo[:, 0], hi[:, 0]
    x, y = (lo[:, 0], hi[:, 0]), (lo[:, 1], hi[:, 1])
    west, south = min(map(np.min, x)), min(map(np.min, y))
    width, height = int(max(map(np.max, x)) - west + 1), int(max(map(np.max, y)) - south + 1)
    if width * height >= 2**62:  # more than a province
        _, number = np.unique(np.concatenate([lo, hi]), axis=0, return_inverse=True)
        return number[: len(lo)], number[len(lo) :]
    return (x[0] - west) * height + (y[0] - south), (x[1] - west) * height + (y[1] - south)


def _joined(one: Chain, other: Chain, factor: int) -> Chain:
    return Chain(
        np.concatenate([one.lo, other.lo]),
        np.concatenate([one.hi, other.hi]),
        np.concatenate([one.sign, factor * other.sign]),
        np.concatenate([one.owner, other.owner]),
    )


def of_polygons(polygons: GeometryArray) -> Chain:
    """
    Take the borders of polygons with the land on the left.

    Parameters
    ----------
    polygons
        (Multi)Polygons in lon, lat; each is an owner.

    Returns
    -------
    Chain
        Every segment, not added up.
    """
    parts, owner = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(shapely.orient_polygons(parts), return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    return _directed(xy, ring, owner[part])


def of_lines(lines: GeometryArray) -> Chain:
    """
    Take lines as borders of one owner.

    Parameters
    ----------
    lines
        LineStrings in lon, lat.

    Returns
    -------
    Chain
        Every segment.
    """
    xy, line = shapely.get_coordinates(lines, return_index=True)
    return _directed(xy, line, np.zeros(len(lines), dtype=np.int64))


def of_arcs(arcs: GeometryArray, left: IntArray, right: IntArray) -> Chain:
    """
    Take arcs as borders of the owners beside them.

    Parameters
    ----------
    arcs
        LineStrings in lon, lat.
    left, right
        Owners; below 0 for none that counts.

    Returns
    -------
    Chain
        Every segment for each of its owners.
    """
    ours, theirs = np.flatnonzero(left >= 0), np.flatnonzero(right >= 0)
    xy, line = shapely.get_coordinates(arcs[ours], return_index=True)
    one = _directed(xy, line, left[ours])
    xy, line = shapely.get_coordinates(arcs[theirs], return_index=True)
    return _joined(one, _directed(xy, line, right[theirs]), -1)


def _directed(xy: npt.NDArray[np.float64], line: IntArray, owner: IntArray) -> Chain:
    steps = np.rint(xy * PER_DEGREE).astype(np.int64)
    same = line[1:] == line[:-1]
    a, b = steps[:-1][same], steps[1:][same]
    up = (a[:, 0] < b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] < b[:, 1]))
    lo, hi = np.where(up[:, None], a, b), np.where(up[:, None], b, a)
    return Chain(lo, hi, np.where(up, 1, -1), owner[line[1:][same]])
