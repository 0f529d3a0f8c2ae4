"""Points that a careless locator gets wrong, made from the very edges of the polygons.

Used by the differential tests and by ``scripts/bench locate``.
"""

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.geodesy import Geometries

Floats = npt.NDArray[np.float64]
Points = tuple[Floats, Floats]


def hard_points(polygons: Geometries, per_kind: int, seed: int = 0) -> dict[str, Points]:
    """
    Make points of every kind that is hard to judge.

    Parameters
    ----------
    polygons
        Shapely polygons, lon, lat.
    per_kind
        How many edges or vertices are drawn for a kind; all where there are fewer.
    seed
        Of the draw.

    Returns
    -------
    dict
        Longitudes and latitudes by kind.
    """
    random = np.random.default_rng(seed)
    land = np.asarray(polygons, dtype=object)
    rings = shapely.get_rings(shapely.get_parts(land))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    pairs = np.flatnonzero(ring[1:] == ring[:-1])
    drawn = random.permutation(pairs)[:per_kind]
    one, other = xy[drawn], xy[drawn + 1]
    share = random.random((len(drawn), 1))
    beside = one + share * (other - one)  # rounded: beside a slanted edge, mostly
    lean = np.abs(other - one).min(axis=1) == 0
    exact = np.where(lean[:, None], beside, (one + other) / 2)
    exact[lean & (one[:, 0] == other[:, 0]), 0] = one[lean & (one[:, 0] == other[:, 0]), 0]
    exact[lean & (one[:, 1] == other[:, 1]), 1] = one[lean & (one[:, 1] == other[:, 1]), 1]
    outer = shapely.get_coordinates(shapely.boundary(shapely.coverage_union_all(land)))
    along = outer[random.permutation(len(outer) - 1)[:per_kind]]
    west, south, east, north = shapely.total_bounds(land)
    corners = np.array([[west, south], [west, north], [east, south], [east, north]])
    strange = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300, 0.0, 180.0, -90.0]
    odd = np.array([(a, b) for a in [*strange, west] for b in [*strange, south]])
    kinds = {
        "vertices": one,
        "on shared edges": exact,
        "rounded beside slanted edges": beside,
        "county border": along,
        "corners of the box": corners,
        "no numbers, infinite, far away": odd,
        "swapped axes": np.vstack([one[:, ::-1], beside[:, ::-1]])[:per_kind],
    }
    for name, base in (("vertices", one), ("beside edges", beside), ("border", along)):
        for axis, side in ((0, -np.inf), (0, np.inf), (1, -np.inf), (1, np.inf)):
            moved = base.copy()
            moved[:, axis] = np.nextafter(moved[:, axis], side)
            kinds[f"{name}, 1 ulp {'-+'[side > 0]}{'xy'[axis]}"] = moved
            moved = base.copy()
            moved[:, axis] += np.copysign(1e-9, side)
            kinds[f"{name}, 1e-9° {'-+'[side > 0]}{'xy'[axis]}"] = moved
    return {
        kind: (np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1]))
        for kind, at in kinds.items()
    }


def all_hard_points(polygons: Geometries, per_kind: int, seed: int = 0) -> Points:
    """
    Make the same points as one array.

    Parameters
    ----------
    polygons, per_kind, seed
        As for :func:`hard_points`.

    Returns
    -------
    lon, lat
        All kinds, one after the other.
    """
    lon, lat = zip(*hard_points(polygons, per_kind, seed).values(), strict=True)
    return np.concatenate(lon), np.concatenate(lat)
