"""Does a file lie where it should? Too few points in the county or on buildings hold it back.

Read in the wrong system, a file is 100 to 700 m off and nothing fails: only the company of other
things shows it. The answer names the system that would fit; the sender decides.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis_service.coordinate_systems import CoordinateSystem, Fit, find_best_fit, to_cgcs2000
from gis_service.errors import HeldBackError, NotFoundError
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import find_version_in_force, read_polygons
from gis_service.ingest.kinds import queries
from gis_service.ingest.kinds.kind import MatchedTable
from gis_service.settings import import_settings

Floats = npt.NDArray[np.float64]

_SAMPLE: Final = 400
_FEWEST_BUILDINGS: Final = 20
_CLEARLY: Final = 0.2
_DEGREE_M: Final = 111_320.0


def hold_back_shifted(
    connection: sa.Connection,
    table: MatchedTable,
    rows: npt.NDArray[np.int64],
    *,
    on_buildings: bool,
    building_ids: npt.NDArray[np.object_] | None = None,
) -> None:
    """Refuse a file whose points do not lie among what is in the store."""
    system = table.file.crs
    x, y = (axis[rows] for axis in table.raw_xy)
    placed = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if system is None or len(placed) == 0:
        return
    sample = placed[np.linspace(0, len(placed) - 1, min(_SAMPLE, len(placed))).astype(int)]
    x, y = x[sample], y[sample]
    locator = _read_locator(connection)
    if locator is not None:
        _check_inside_county(table, system, locator, x, y)
    if on_buildings:
        own_buildings = None if building_ids is None else building_ids[sample]
        _check_on_buildings(connection, table, system, (x, y), own_buildings)


def _check_inside_county(
    table: MatchedTable, system: CoordinateSystem, locator: Locator, x: Floats, y: Floats
) -> None:
    def share_inside(lon: Floats, lat: Floats) -> float:
        is_finite = np.isfinite(lon) & np.isfinite(lat)
        grid_ids = locator.locate(
            np.where(is_finite, lon, 0.0), np.where(is_finite, lat, 0.0)
        ).grid_id
        return float(np.mean(is_finite & (grid_ids != NO_GRID)))

    share = share_inside(*to_cgcs2000(system, x, y))
    least = import_settings().inside_share
    if share < least:
        fit = find_best_fit(x, y, share_inside, system)
        raise _held_back_error("ingest.outside_county", table, system, share, fit, least)


def _check_on_buildings(
    connection: sa.Connection,
    table: MatchedTable,
    system: CoordinateSystem,
    xy: tuple[Floats, Floats],
    own_buildings: npt.NDArray[np.object_] | None,
) -> None:
    if queries.count_buildings(connection, _FEWEST_BUILDINGS) < _FEWEST_BUILDINGS:
        return

    def share_on_building(lon: Floats, lat: Floats) -> float:
        return _share_on_buildings(connection, lon, lat, own_buildings)

    share = share_on_building(*to_cgcs2000(system, *xy))
    least = import_settings().building_share
    if share >= least:
        return
    fit = find_best_fit(*xy, share_on_building, system)
    if fit.share >= share + _CLEARLY:
        raise _held_back_error("ingest.off_buildings", table, system, share, fit, least)


def _held_back_error(
    key: str,
    table: MatchedTable,
    system: CoordinateSystem,
    share: float,
    fit: Fit,
    least: float,
) -> HeldBackError:
    better = fit.share > share and fit.share >= least
    values: dict[str, Any] = {
        "file": table.file.name,
        "crs": system.code,
        "percent": round(100 * share),
        "least": round(100 * least),
    }
    if not better:
        return HeldBackError(f"{key}_nothing_fits", **values)
    values |= {"fits": fit.system.code, "fits_percent": round(100 * fit.share)}
    return HeldBackError(f"{key}_swapped" if fit.swapped else key, **values)


def _read_locator(connection: sa.Connection) -> Locator | None:
    try:
        version = find_version_in_force(connection)
    except NotFoundError:  # a store without boundaries has no inside
        return None
    return Locator(*read_polygons(connection, version.scheme_id, version.effective_day))


def _share_on_buildings(
    connection: sa.Connection,
    lon: Floats,
    lat: Floats,
    own_buildings: npt.NDArray[np.object_] | None,
) -> float:
    """Find which share of places lies on a building, of its own if it has one."""
    is_on_globe = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    if not is_on_globe.any():
        return 0.0
    building_ids = (
        [None] * int(is_on_globe.sum())
        if own_buildings is None
        else _whole_numbers(own_buildings[is_on_globe])
    )
    within = import_settings().building_m / _DEGREE_M
    count = queries.count_on_buildings(
        connection, lon[is_on_globe], lat[is_on_globe], building_ids, within
    )
    return float(count) / len(lon)


def _whole_numbers(values: npt.NDArray[np.object_]) -> list[int | None]:
    return [None if value is None else int(value) for value in values.tolist()]
