"""Does a file lie where it should? Too few points in the county or on buildings hold it back.

Read in the wrong system, a file is 100 to 700 m off and nothing fails: only the company of other
things shows it. The answer names the system that would fit; the sender decides.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis_service.coordinate_systems import CoordinateSystem, Fit, best_fit, to_cgcs2000
from gis_service.errors import HeldBackError, NotFoundError
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import find_version_in_force, read_polygons
from gis_service.ingest.kinds.kind import MatchedTable
from gis_service.settings import import_settings
from gis_service.store import tables as t
from gis_service.store.tables import SRID

Floats = npt.NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]

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
    there = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if system is None or len(there) == 0:
        return
    chosen = there[np.linspace(0, len(there) - 1, min(_SAMPLE, len(there))).astype(int)]
    x, y = x[chosen], y[chosen]
    locator = _county(connection)
    if locator is not None:
        _check_inside(table, system, locator, x, y)
    if on_buildings:
        own = None if building_ids is None else building_ids[chosen]
        _check_on_buildings(connection, table, system, (x, y), own)


def _check_inside(
    table: MatchedTable, system: CoordinateSystem, locator: Locator, x: Floats, y: Floats
) -> None:
    def inside(lon: Floats, lat: Floats) -> float:
        known = np.isfinite(lon) & np.isfinite(lat)
        found = locator.locate(np.where(known, lon, 0.0), np.where(known, lat, 0.0)).grid_id
        return float(np.mean(known & (found != NO_GRID)))

    share = inside(*to_cgcs2000(system, x, y))
    least = import_settings().inside_share
    if share < least:
        fit = best_fit(x, y, inside, system)
        raise _held_back("ingest.outside_county", table, system, share, fit, least)


def _check_on_buildings(
    connection: sa.Connection,
    table: MatchedTable,
    system: CoordinateSystem,
    xy: tuple[Floats, Floats],
    own: npt.NDArray[np.object_] | None,
) -> None:
    if _buildings(connection) < _FEWEST_BUILDINGS:
        return

    def on_building(lon: Floats, lat: Floats) -> float:
        return _share_on_buildings(connection, lon, lat, own)

    share = on_building(*to_cgcs2000(system, *xy))
    least = import_settings().building_share
    if share >= least:
        return
    fit = best_fit(*xy, on_building, system)
    if fit.share >= share + _CLEARLY:
        raise _held_back("ingest.off_buildings", table, system, share, fit, least)


def _held_back(
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


def _county(connection: sa.Connection) -> Locator | None:
    try:
        version = find_version_in_force(connection)
    except NotFoundError:  # a store without boundaries has no inside
        return None
    return Locator(*read_polygons(connection, version.scheme_id, version.effective_day))


def _buildings(connection: sa.Connection) -> int:
    first = sa.select(t.building.c.building_id).limit(_FEWEST_BUILDINGS).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(first)).scalar_one())


def _share_on_buildings(
    connection: sa.Connection, lon: Floats, lat: Floats, own: npt.NDArray[np.object_] | None
) -> float:
    """Ask which share of places lies on a building, of its own if it has one."""
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    if not known.any():
        return 0.0
    numbers, ids = sa.ARRAY(sa.Double), sa.ARRAY(sa.BigInteger)
    of = [None] * int(known.sum()) if own is None else _whole(own[known])
    places = (
        sa.func.unnest(
            sa.literal(lon[known].tolist(), numbers),
            sa.literal(lat[known].tolist(), numbers),
            sa.literal(of, ids),
        )
        .table_valued(
            sa.column("lon", sa.Double),
            sa.column("lat", sa.Double),
            sa.column("own", sa.BigInteger),
            name="place",
        )
        .render_derived()
    )
    point: Any = sa.func.ST_SetSRID(sa.func.ST_MakePoint(places.c.lon, places.c.lat), SRID)
    within = import_settings().building_m / _DEGREE_M
    building = t.building.c
    near = sa.or_(
        sa.func.ST_DWithin(building.footprint, point, within),
        sa.func.ST_DWithin(building.point, point, within),
    )
    either = sa.or_(places.c.own.is_(None), building.building_id == places.c.own)
    query = sa.select(sa.func.count()).select_from(places).where(sa.exists().where(near, either))
    return float(connection.execute(query).scalar_one()) / len(lon)


def _whole(values: npt.NDArray[np.object_]) -> list[int | None]:
    return [None if value is None else int(value) for value in values.tolist()]
