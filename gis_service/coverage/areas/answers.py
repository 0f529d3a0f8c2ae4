"""Bands and districts as they are sent: GeoJSON as text, and the pieces of a tile.

Shapes in, text out; degrees, rounded to about a metre where a border is no truer than that. Reads
neither the store nor the network.
"""

import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from gis_service.coverage.areas.shapes import drop_specks
from gis_service.coverage.standards.book import translate_source
from gis_service.messages import LANGUAGES

_DECIMALS: Final = 5
"""Of a degree: about a metre, well within any tolerance of a drawn border."""
_TILE_PIXELS: Final = 512
_FINEST_ZOOM: Final = 14
"""From there on a border is drawn with all the vertices that it is sent with."""
_MARGIN: Final = 1 / 64
"""Of a tile's width, drawn beyond its edge so that no seam is seen."""


@dataclass(frozen=True)
class AreaBand:
    """A band of minutes; lon, lat."""

    from_minutes: float
    to_minutes: float
    geometry: Any


@dataclass(frozen=True)
class NamedPiece:
    """A detached piece with the name of where it lies; lon, lat of a point in it."""

    name: str
    area_km2: float
    lon: float
    lat: float
    geometry: Any


@dataclass(frozen=True)
class NamedDistrict:
    """A district with its station's name; nobody's ground has no facility."""

    facility_id: int | None
    name: str
    grade: str
    area_km2: float
    limit_km2: float | None
    too_large: bool
    crosses: tuple[dict[str, Any], ...]
    detached: tuple[NamedPiece, ...]
    geometry: Any
    limit_sources: tuple[str, ...] = ()
    """Where the limit comes from and why it is this one; as they stand in the table."""


def geometry_as_geojson(shape: Any) -> str:
    """Write a geometry for sending."""
    return str(shapely.to_geojson(shapely.transform(shape, lambda xy: np.round(xy, _DECIMALS))))


def bands_as_geojson(bands: Sequence[AreaBand], tolerance_minutes: float) -> str:
    """Write bands."""
    features = [
        _as_feature(
            {"from_minutes": band.from_minutes, "to_minutes": band.to_minutes}, band.geometry
        )
        for band in bands
    ]
    return _as_collection(features, tolerance_minutes=round(tolerance_minutes, 3))


def districts_as_geojson(districts: Sequence[NamedDistrict]) -> str:
    """Write districts."""
    features = [
        _as_feature(
            {
                "facility_id": district.facility_id,
                "name": district.name,
                "grade": district.grade,
                "area_km2": round(district.area_km2, 3),
                "limit_km2": district.limit_km2,
                "limit_sources": {
                    language: [
                        translate_source(source, language) for source in district.limit_sources
                    ]
                    for language in LANGUAGES
                },
                "too_large": district.too_large,
                "crosses": [
                    {**crossing, "beyond_km2": round(crossing["beyond_km2"], 3)}
                    for crossing in district.crosses
                ],
                "detached": [_piece_properties(piece) for piece in district.detached],
            },
            district.geometry,
        )
        for district in districts
    ]
    return _as_collection(features, not_checked=["railway"])


def enclaves_as_geojson(districts: Sequence[NamedDistrict]) -> str:
    """Write the pieces of districts that lie apart from their station's own."""
    pieces = [(district, piece) for district in districts for piece in district.detached]
    pieces.sort(key=lambda pair: -pair[1].area_km2)
    features = [
        _as_feature(
            {
                **_piece_properties(piece),
                "facility_id": district.facility_id,
                "facility_name": district.name,
            },
            piece.geometry,
        )
        for district, piece in pieces
    ]
    return _as_collection(features)


def _piece_properties(piece: NamedPiece) -> dict[str, Any]:
    return {
        "name": piece.name,
        "area_km2": round(piece.area_km2, 3),
        "lon": round(piece.lon, 6),
        "lat": round(piece.lat, 6),
    }


def _as_feature(properties: dict[str, Any], geometry: Any) -> str:
    written = json.dumps(properties, ensure_ascii=False)
    return f'{{"type":"Feature","properties":{written},"geometry":{geometry_as_geojson(geometry)}}}'


def _as_collection(features: Sequence[str], **more: Any) -> str:
    others = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in more.items())
    return f'{{"type":"FeatureCollection","features":[{",".join(features)}]{others}}}'


@dataclass(frozen=True)
class BandPiece:
    """What a tile shows of one polygon of a band; lon, lat."""

    from_minutes: float
    to_minutes: float
    geometry: Any


class BandTree:
    """The polygons of bands, ready to be cut into tiles."""

    def __init__(self, collection: bytes) -> None:
        features = json.loads(collection)["features"]
        self._shapes: Any = shapely.from_geojson(
            [json.dumps(feature["geometry"]) for feature in features]
        )
        self._limits = [
            (feature["properties"]["from_minutes"], feature["properties"]["to_minutes"])
            for feature in features
        ]
        self._lock = threading.Lock()
        self._of_zoom: dict[int, tuple[Any, Any, shapely.STRtree]] = {}

    def cut_out(self, zoom: int, box: tuple[float, float, float, float]) -> list[BandPiece]:
        """Cut out a box in degrees, no finer than a zoom shows: one piece a band."""
        zoom = min(zoom, _FINEST_ZOOM)
        with self._lock:
            if zoom not in self._of_zoom:
                self._of_zoom[zoom] = self._generalise_for(zoom)
            parts, band, tree = self._of_zoom[zoom]
        hit = np.sort(tree.query(shapely.box(*box)))
        cut = shapely.clip_by_rect(parts[hit], *box)
        cut_band = band[hit]
        return [
            BandPiece(
                self._limits[at][0],
                self._limits[at][1],
                shapely.GeometryCollection(list(cut[cut_band == at])),
            )
            for at in np.unique(cut_band[~shapely.is_empty(cut)])
        ]

    def _generalise_for(self, zoom: int) -> tuple[Any, Any, shapely.STRtree]:
        """Leave out what is smaller than half a pixel; parts, the band of each, and an index."""
        pixel = 360 / 2**zoom / _TILE_PIXELS
        shapes = np.array([drop_specks(shape, (pixel / 2) ** 2) for shape in self._shapes])
        if len(shapes):  # which also parts rings that touch themselves after rounding
            shapes = shapely.coverage_simplify(shapes, pixel / 2)
        parts, band = shapely.get_parts(shapes, return_index=True)
        return parts, band, shapely.STRtree(parts)


def find_tile_bounds(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """Find the box of a tile and a little more."""

    def lat(row: float) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / 2**z))))

    def lon(column: float) -> float:
        return float(column / 2**z * 360 - 180)

    return lon(x - _MARGIN), lat(y + 1 + _MARGIN), lon(x + 1 + _MARGIN), lat(y - _MARGIN)
