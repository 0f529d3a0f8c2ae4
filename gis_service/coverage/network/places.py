"""Who and what stands where: every point of the county once, with how many of what stand there.

Two hundred households share the point of one tower block, and so do the block itself and its
shops: a time is measured once for them all. Arrays in, arrays out; nothing here reads the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gis_service.coverage.network.graph import FloatArray, IntArray


@dataclass(frozen=True)
class Standing:
    """Objects of one kind."""

    # Degrees, CGCS2000.
    lon: FloatArray
    lat: FloatArray
    # Grid id of each, ``statistics.NO_GRID`` outside every grid.
    base_grid: IntArray
    # By population how many each stands for: a household is one household and some people.
    counts: Mapping[str, IntArray]


@dataclass(frozen=True)
class Places:
    """Points that differ in position or in grid."""

    # Degrees, CGCS2000.
    lon: FloatArray
    lat: FloatArray
    # Grid id of each.
    base_grid: IntArray
    # By population how many stand at each place.
    weights: Mapping[str, IntArray]

    def __len__(self) -> int:
        """How many places."""
        return len(self.lon)


def gather_places(
    kinds: Mapping[str, Standing], populations: tuple[str, ...]
) -> tuple[Places, dict[str, IntArray]]:
    """Put all objects onto the places where they stand."""
    standing = list(kinds.values())
    lon = np.concatenate([objects.lon for objects in standing])
    lat = np.concatenate([objects.lat for objects in standing])
    base_grid = np.concatenate([objects.base_grid for objects in standing])
    place, first = _number_rows(lon, lat, base_grid)
    ends = np.cumsum([len(objects.lon) for objects in standing])
    where = dict(zip(kinds, np.split(place, ends[:-1]), strict=True))
    weights = {name: np.zeros(len(first), np.int64) for name in populations}
    for kind, objects in kinds.items():
        for name, count in objects.counts.items():
            added = np.bincount(where[kind], weights=count, minlength=len(first))
            weights[name] += added.astype(np.int64)
    return Places(lon[first], lat[first], base_grid[first], weights), where


def _number_rows(
    lon: FloatArray, lat: FloatArray, base_grid: IntArray
) -> tuple[IntArray, IntArray]:
    """Give equal rows one number, in the order in which each is first met."""
    number = np.zeros(len(lon), np.int64)
    for values in (lon, lat, base_grid):
        code, known = pd.factorize(values)
        number = pd.factorize(number * max(len(known), 1) + code)[0]
    _, first = np.unique(number, return_index=True)
    return number.astype(np.int64), first.astype(np.int64)
