"""Layers of the map as finished GeoJSON text: grids, roads, land, buildings, points, names.

Texts are put together by column, coordinates have six decimals (0.1 m). Points of hazards and
incidents come through :mod:`gis_service.incidents.reading`; households never travel in a layer.
"""

import gzip
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import NotFoundError
from gis_service.geodesy import GeometryArray
from gis_service.grids.reading import SchemeKey, find_version_on
from gis_service.incidents.reading import IncidentFilter, list_hazards, list_incidents
from gis_service.maps.page import queries
from gis_service.maps.page.queries import DECIMALS, Bbox
from gis_service.store.tables import ROAD_CLASSES

Detail = Literal["low", "mid", "full", "index"]

TOLERANCE_DEGREES: Final[dict[Detail, float]] = {
    "low": 5e-4,
    "mid": 1e-4,
    "full": 0.0,
    "index": 0.0,
}
"""About 50 m and 10 m: below a pixel at zoom 11 and 13. An index has no borders at all."""

MOST_ROADS: Final = 30_000
MOST_BUILDINGS: Final = 5_000
MOST_POINTS: Final = 20_000
BUILDINGS_FROM_ZOOM: Final = 15

_ROADS_FROM_ZOOM: Final[tuple[tuple[int, tuple[str, ...]], ...]] = (
    (0, ("motorway", "trunk", "primary", "secondary")),
    (12, ("tertiary", "ferry")),
    (13, ("unclassified", "residential")),
    (14, ("living_street", "track")),
    (15, ROAD_CLASSES),
)
_PLACE_RANK: Final = {"county": 1, "town": 2, "village": 3}


class GridLayerCache:
    """
    Finished layers of grids, the ones last asked for.

    Parameters
    ----------
    most
        How many are kept.
    """

    def __init__(self, most: int = 24) -> None:
        self._most = most
        self._layers: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        connection: sa.Connection,
        scheme: SchemeKey,
        rank: int,
        at: date | None,
        detail: Detail,
    ) -> bytes:
        """
        Give the grids of one level on a day.

        Parameters
        ----------
        connection
            An open transaction.
        scheme
            Which scheme.
        rank
            Which level.
        at
            The day; None is today.
        detail
            How finely the borders are drawn.

        Returns
        -------
        bytes
            GeoJSON by gzip, made anew only when the version, the level or the detail is new.
        """
        tag = name_content(connection, scheme, rank, at, detail)
        with self._lock:
            if tag in self._layers:
                self._layers.move_to_end(tag)
                return self._layers[tag]
        text = draw_grids(connection, scheme, rank, at, detail)
        layer = gzip.compress(text.encode(), 6, mtime=0)
        with self._lock:
            self._layers[tag] = layer
            while len(self._layers) > self._most:
                self._layers.popitem(last=False)
        return layer


def name_content(
    connection: sa.Connection, scheme: SchemeKey, rank: int, at: date | None, detail: Detail
) -> str:
    """
    Name the content of a layer of grids without making it.

    Parameters
    ----------
    connection
        An open transaction.
    scheme, rank, at, detail
        As for :func:`draw_grids`.

    Returns
    -------
    str
        Another one whenever the version in force is another one.
    """
    version = find_version_on(connection, scheme.scheme_id, at)
    name = f"{version[0].version_id}@{version[1].timestamp():.0f}" if version else "none"
    return f"grids-{scheme.code}-{rank}-{name}-{detail}"


def draw_grids(
    connection: sa.Connection, scheme: SchemeKey, rank: int, at: date | None, detail: Detail
) -> str:
    """Draw the grids of one level on a day."""
    is_index = detail == "index"
    tessellates = queries.read_tessellates(connection, scheme.scheme_id, rank)
    if tessellates is None:
        raise NotFoundError("grids.no_level", scheme=scheme.code, rank=rank)
    # An index needs no vertex, only how far a grid reaches.
    rows = queries.read_grids(connection, scheme.scheme_id, rank, at, boxes_only=is_index)
    shapes = shapely.from_wkb(np.array([bytes(row.wkb) for row in rows], dtype=object))
    boxes = np.round(shapely.bounds(shapes), DECIMALS).tolist() if is_index else None
    geometries: Iterable[str] = (
        ["null"] * len(rows)
        if boxes is not None
        else shapely.to_geojson(simplify_together(shapes, detail, tessellates=tessellates))
    )
    properties = [
        {
            "grid_id": row.grid_id,
            "code": row.code,
            "name": row.name,
            "kind": row.kind,
            "parent_grid_id": row.parent_grid_id,
            "rank": row.rank,
            "area_km2": round(row.area_m2 / 1e6, 6),
            "label": [round(row.lon, DECIMALS), round(row.lat, DECIMALS)],
            **({} if boxes is None else {"bbox": boxes[place]}),
        }
        for place, row in enumerate(rows)
    ]
    return write_features(geometries, properties, [row.grid_id for row in rows])


def draw_grid(connection: sa.Connection, grid_id: int, at: date | None) -> str:
    """
    Draw one grid with every vertex.

    Parameters
    ----------
    connection
        An open transaction.
    grid_id
        Of any scheme and level.
    at
        The day; None is today.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of one MultiPolygon.

    Raises
    ------
    NotFoundError
        There is no such grid on that day.
    """
    shape = queries.read_outline(connection, grid_id, at)
    if shape is None:
        raise NotFoundError("grids.no_grid", grid=grid_id)
    return write_features([shape], [{"grid_id": grid_id}], [grid_id])


def simplify_together(shapes: GeometryArray, detail: Detail, *, tessellates: bool) -> GeometryArray:
    """Simplify polygons as one coverage and round them for drawing."""
    tolerance = TOLERANCE_DEGREES[detail]
    if tolerance and tessellates and len(shapes):
        shapes = shapely.coverage_simplify(shapes, tolerance)
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, DECIMALS))
    single = shapely.get_type_id(rounded) == shapely.GeometryType.POLYGON
    rounded[single] = shapely.multipolygons(rounded[single], indices=np.arange(single.sum()))
    return np.asarray(rounded, dtype=object)


def write_features(
    geometries: Iterable[str],
    properties: Iterable[dict[str, Any]],
    ids: Iterable[int] | None = None,
    *,
    truncated: bool = False,
) -> str:
    """Put features together from finished geometries."""
    encode = json.JSONEncoder(
        ensure_ascii=False, separators=(",", ":"), default=_day_as_text
    ).encode
    ids_written = (f'"id":{value},' for value in ids) if ids is not None else iter(lambda: "", None)
    features = ",".join(
        f'{{"type":"Feature",{written}"geometry":{shape},"properties":{encode(values)}}}'
        for written, shape, values in zip(ids_written, geometries, properties, strict=False)
    )
    more = ',"truncated":true' if truncated else ""
    return f'{{"type":"FeatureCollection","features":[{features}]{more}}}'


def _day_as_text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _write_points(lons: Iterable[float], lats: Iterable[float]) -> list[str]:
    return [
        f'{{"type":"Point","coordinates":[{lon:.6f},{lat:.6f}]}}'
        for lon, lat in zip(lons, lats, strict=True)
    ]


def road_classes(zoom: int) -> list[str]:
    """Say which roads are drawn at a zoom."""
    return [
        name
        for name in ROAD_CLASSES
        if any(zoom >= from_zoom and name in names for from_zoom, names in _ROADS_FROM_ZOOM)
    ]


def draw_roads(connection: sa.Connection, bbox: Bbox | None, zoom: int) -> str:
    """
    Draw the roads of the network in use.

    Parameters
    ----------
    connection
        An open transaction.
    bbox
        West, south, east, north; None is the whole county, and then what zoom 11 shows at most.
    zoom
        Decides the classes and how far lines are simplified (half a pixel).

    Returns
    -------
    str
        A GeoJSON FeatureCollection of LineStrings, greater roads first.
    """
    drawn_zoom = zoom if bbox is not None else min(zoom, 11)
    half_pixel = 0.5 * 360 / 256 / 2**drawn_zoom
    rows = queries.read_roads(
        connection, bbox, road_classes(drawn_zoom), half_pixel, limit=MOST_ROADS + 1
    )
    names = ("road_class", "name", "bridge", "tunnel", "oneway")
    return _draw_rows(rows, names, most=MOST_ROADS)


def _draw_rows(rows: queries.Rows, names: Sequence[str], *, id_name: str = "", most: int) -> str:
    shown = rows[:most]
    return write_features(
        [row.shape for row in shown],
        ({name: getattr(row, name) for name in names} for row in shown),
        [getattr(row, id_name) for row in shown] if id_name else None,
        truncated=len(rows) > most,
    )


def draw_land(connection: sa.Connection) -> str:
    """
    Draw water, green and built-up land.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of MultiPolygons, the largest first.
    """
    rows = queries.read_land(connection)
    return _draw_rows(rows, ("kind", "name"), most=len(rows))


def draw_buildings(connection: sa.Connection, bbox: Bbox | None, zoom: int) -> str:
    """
    Draw buildings where the map is near enough to show them.

    Parameters
    ----------
    connection
        An open transaction.
    bbox
        West, south, east, north; without it nothing is drawn.
    zoom
        Below 15 nothing is drawn.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of at most 5,000 polygons.
    """
    if bbox is None or zoom < BUILDINGS_FROM_ZOOM:
        return write_features([], [])
    rows = queries.read_buildings(connection, bbox, limit=MOST_BUILDINGS + 1)
    names = ("building_id", "name", "storeys", "kind")
    return _draw_rows(rows, names, id_name="building_id", most=MOST_BUILDINGS)


def draw_facilities(connection: sa.Connection) -> str:
    """
    Draw service points, stations and water sources.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of Points.
    """
    rows = queries.read_facilities(connection)
    names = ("facility_id", "kind", "name", "address", "phone")
    return _draw_rows(rows, names, id_name="facility_id", most=len(rows))


def draw_hazards(connection: sa.Connection, actor: Actor, status: str | None) -> str:
    """
    Draw the hazards that the actor may see.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    status
        As for :func:`gis_service.incidents.reading.list_hazards`.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of Points.
    """
    rows, total = list_hazards(connection, actor, status=status, limit=MOST_POINTS)
    names = ("hazard_id", "kind", "grade", "status", "due_on", "overdue")
    return write_features(
        _write_points((row.lon for row in rows), (row.lat for row in rows)),
        ({name: getattr(row, name) for name in names} for row in rows),
        (row.hazard_id for row in rows),
        truncated=total > len(rows),
    )


def draw_incidents(
    connection: sa.Connection, actor: Actor, status: str | None, days: int | None
) -> str:
    """
    Draw the incidents that the actor may see.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    status, days
        Of :class:`gis_service.incidents.reading.IncidentFilter`.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of Points, without texts or names.
    """
    rows, total = list_incidents(
        connection, actor, IncidentFilter(status=status, days=days), limit=MOST_POINTS
    )
    names = ("incident_id", "kind", "status", "reported_at")
    return write_features(
        _write_points((row.lon for row in rows), (row.lat for row in rows)),
        ({name: getattr(row, name) for name in names} for row in rows),
        (row.incident_id for row in rows),
        truncated=total > len(rows),
    )


def draw_place_names(connection: sa.Connection) -> str:
    """
    Give the names to write on the map: county, towns, villages.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    str
        A GeoJSON FeatureCollection of Points; ``rank`` 1 is written first, ``name_en`` is null
        because administrative lists have none.
    """
    ranked = sorted(queries.read_place_names(connection), key=lambda row: _PLACE_RANK[row.level])
    return write_features(
        [row.shape for row in ranked],
        (
            {
                "name": row.name,
                "name_en": None,
                "level": row.level,
                "rank": _PLACE_RANK[row.level],
            }
            for row in ranked
        ),
    )
