"""GeoJSON as the description of the API has it: what collections of features hold.

These models describe answers that are written elsewhere; nothing is checked against them when it
is sent.
"""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

Properties = TypeVar("Properties")


class Geometry(BaseModel):
    """A shape in CGCS2000 degrees, longitude first; a GeometryCollection has ``geometries``."""

    type: Literal[
        "Point",
        "LineString",
        "Polygon",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
        "GeometryCollection",
    ]
    coordinates: list[Any] = []
    geometries: list[Any] = []


class Feature(BaseModel, Generic[Properties]):
    """A shape and what it is; without a shape where only the properties were asked for."""

    type: Literal["Feature"]
    id: int | None = None
    geometry: Geometry | None
    properties: Properties


class FeatureCollection(BaseModel, Generic[Properties]):
    """Features of one kind."""

    type: Literal["FeatureCollection"]
    features: list[Feature[Properties]]


class Layer(FeatureCollection[dict[str, Any]]):
    """A layer of the map; ``truncated`` where there was more than is drawn."""

    truncated: bool = False
