"""Drawing on paper: ground to millimetres at a true scale, paths, and labels that keep apart.

Geometries and texts in, pieces of SVG out, whose unit is the millimetre of the printed page.
Knows neither the store nor what a thing means.
"""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.ops import substring

from gis_service.geodesy import GeometryArray, local_metres

SCALES: Final = tuple(
    step * 10**power
    for power in range(2, 7)
    for step in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5, 8)
    if step * 10**power >= 500
)
"""Denominators that a reader can reckon with."""

_DECIMALS: Final = 2
_HALO_MM: Final = 0.55

Bbox = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class MapFrame:
    """
    A window of paper onto the ground.

    Attributes
    ----------
    lon0, lat0
        The ground in its middle, degrees.
    scale
        So many metres on the ground are one metre on paper.
    width_mm, height_mm
        Of the paper.
    """

    lon0: float
    lat0: float
    scale: float
    width_mm: float
    height_mm: float

    def to_paper(self, geometries: Any) -> Any:
        """
        Put geometries on the paper.

        Parameters
        ----------
        geometries
            Lon, lat; one or an array.

        Returns
        -------
        same shape as the input
            Millimetres from the upper left corner, y downward.
        """
        to_xy, _ = local_metres(self.lon0, self.lat0)
        per_metre = 1000 / self.scale

        def project(lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            x, y = to_xy(lonlat[:, 0], lonlat[:, 1])
            return np.column_stack(
                (self.width_mm / 2 + x * per_metre, self.height_mm / 2 - y * per_metre)
            )

        return shapely.transform(geometries, project)

    def to_ground(self, x_mm: float, y_mm: float) -> Point:
        """Find the ground under a point of the paper."""
        _, to_lonlat = local_metres(self.lon0, self.lat0)
        metres = self.scale / 1000
        lon, lat = to_lonlat(
            (x_mm - self.width_mm / 2) * metres, (self.height_mm / 2 - y_mm) * metres
        )
        return float(lon), float(lat)

    @cached_property
    def bbox(self) -> Bbox:
        """What of the ground is seen: west, south, east, north in degrees."""
        width, height = self.width_mm, self.height_mm
        corners = [self.to_ground(x, y) for x in (0, width / 2, width) for y in (0, height)]
        lons, lats = zip(*corners, strict=True)
        return min(lons), min(lats), max(lons), max(lats)

    @property
    def paper(self) -> shapely.Polygon:
        """The window itself, in millimetres."""
        return shapely.box(0, 0, self.width_mm, self.height_mm)


def fit(bbox: Bbox, width_mm: float, height_mm: float, border: float = 0.07) -> MapFrame:
    """
    Choose the largest round scale at which a piece of ground fits the paper.

    Parameters
    ----------
    bbox
        West, south, east, north in degrees.
    width_mm, height_mm
        Of the paper.
    border
        Share of the paper that stays free on each side.

    Returns
    -------
    MapFrame
        With the ground in its middle.
    """
    west, south, east, north = bbox
    lon0, lat0 = (west + east) / 2, (south + north) / 2
    to_xy, _ = local_metres(lon0, lat0)
    x, y = to_xy([west, east, west, east], [south, south, north, north])
    free = 1 - 2 * border
    needed = max(
        2 * float(np.abs(x).max()) * 1000 / (width_mm * free),
        2 * float(np.abs(y).max()) * 1000 / (height_mm * free),
    )
    scale = next((candidate for candidate in SCALES if candidate >= needed), needed)
    return MapFrame(lon0, lat0, scale, width_mm, height_mm)


def scale_bar_m(scale: float, most_mm: float) -> float:
    """Choose the length of a scale bar: 1, 2 or 5 times a power of ten."""
    most_m = most_mm * scale / 1000
    power = 10 ** math.floor(math.log10(most_m))
    return max(float(step * power) for step in (1, 2, 5) if step * power <= most_m)


# --- shapes ------------------------------------------------------------------------------------


def write_path_data(geometries: Iterable[Any]) -> str:
    """Write lines and polygons as one SVG path."""
    parts: list[str] = []
    for geometry in geometries:
        for part in shapely.get_parts(geometry):
            if part.geom_type == "Polygon":
                parts.append(_run(shapely.get_coordinates(part.exterior), closed=True))
                parts += [_run(shapely.get_coordinates(r), closed=True) for r in part.interiors]
            elif part.geom_type in {"LineString", "LinearRing"}:
                parts.append(_run(shapely.get_coordinates(part), closed=False))
    return "".join(parts)


def _run(coordinates: npt.NDArray[np.float64], *, closed: bool) -> str:
    if len(coordinates) == 0:
        return ""
    rounded = np.round(coordinates, _DECIMALS) + 0.0
    keep = np.append(True, np.any(rounded[1:] != rounded[:-1], axis=1))
    points = rounded[keep]
    if closed and len(points) > 1:
        points = points[:-1]
    if len(points) < (3 if closed else 2):
        return ""
    text = "L".join(f"{x:g} {y:g}" for x, y in points.tolist())
    return f"M{text}{'Z' if closed else ''}"


def draw_path(geometries: Iterable[Any], **attributes: float | str) -> str:
    """
    Draw lines and polygons in one manner.

    Parameters
    ----------
    geometries
        In millimetres.
    **attributes
        Of SVG; ``_`` in a name stands for ``-``.

    Returns
    -------
    str
        A path element, or nothing where there is nothing to see.
    """
    data = write_path_data(geometries)
    return f'<path d="{data}"{_attributes(attributes)}/>' if data else ""


def _attributes(attributes: dict[str, float | str]) -> str:
    return "".join(
        f' {name.replace("_", "-")}="{html.escape(str(value))}"'
        for name, value in attributes.items()
    )


def clip(geometries: GeometryArray, window: shapely.Polygon) -> GeometryArray:
    """
    Cut what lies beyond the paper's edge away.

    Parameters
    ----------
    geometries
        In millimetres.
    window
        Upright rectangle; a little more is kept, so that no cut edge is drawn inside.

    Returns
    -------
    array of geometries
        Those of which something is left.
    """
    west, south, east, north = shapely.bounds(window).tolist()
    cut = shapely.clip_by_rect(geometries, west - 3, south - 3, east + 3, north + 3)
    visible = np.asarray(cut, dtype=object)
    return visible[~shapely.is_empty(visible)]


# --- labels ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Label:
    """
    A text that found its place.

    Attributes
    ----------
    x, y
        Its middle, millimetres.
    size
        Height of the type, millimetres.
    angle
        Degrees clockwise.
    """

    text: str
    x: float
    y: float
    size: float
    angle: float = 0.0

    def box(self, margin: float) -> shapely.Polygon:
        """
        Outline the paper it needs.

        Parameters
        ----------
        margin
            Millimetres around it.

        Returns
        -------
        shapely.Polygon
            A rectangle that turns with the text.
        """
        half = text_width(self.text, self.size) / 2 + margin
        rise = self.size * 0.62 + margin
        turn = math.radians(self.angle)
        cos, sin = math.cos(turn), math.sin(turn)
        corners = ((-half, -rise), (half, -rise), (half, rise), (-half, rise))
        return shapely.Polygon(
            [(self.x + a * cos - b * sin, self.y + a * sin + b * cos) for a, b in corners]
        )

    def svg(self, **attributes: float | str) -> str:
        """
        Draw it with a halo.

        Parameters
        ----------
        **attributes
            As for :func:`draw_path`.

        Returns
        -------
        str
            Text elements.
        """
        words = html.escape(self.text)
        place = (
            f'transform="translate({self.x:.2f} {self.y:.2f}) rotate({self.angle:.1f})" '
            f'y="{0.36 * self.size:.2f}" font-size="{self.size:g}" text-anchor="middle"'
        )
        halo = {
            **attributes,
            "fill": "#ffffff",
            "stroke": "#ffffff",
            "stroke_width": _HALO_MM,
            "stroke_linejoin": "round",
        }
        return (
            f"<text {place}{_attributes(halo)} "
            f'aria-hidden="true">{words}</text>'
            f"<text {place}{_attributes(attributes)}>{words}</text>"
        )


def text_width(text: str, size: float) -> float:
    """
    Estimate how wide a text is.

    Parameters
    ----------
    text
        Chinese, Latin or mixed.
    size
        Height of the type.

    Returns
    -------
    float
        In the unit of the size; a full square for a Chinese character.
    """
    return size * sum(1.0 if ord(sign) > 0x2E7F else 0.58 for sign in text)


@dataclass
class Board:
    """Where texts and symbols stand already, so that none comes upon another."""

    # What lies beyond it has no place.
    window: shapely.Polygon
    _taken: list[shapely.Polygon] = field(default_factory=list)

    def take(self, shape: shapely.Polygon) -> None:
        """
        Keep a place free.

        Parameters
        ----------
        shape
            In millimetres.
        """
        shapely.prepare(shape)
        self._taken.append(shape)

    def is_free(self, shape: shapely.Polygon) -> bool:
        """Tell whether a place lies in the window and on nothing else."""
        return bool(self.window.contains(shape)) and not any(
            taken.intersects(shape) for taken in self._taken
        )

    def place(self, label: Label, margin: float = 0.5) -> bool:
        """
        Take the place of a label if it is free.

        Parameters
        ----------
        label
            Where it would stand.
        margin
            Millimetres around it that stay free too.

        Returns
        -------
        bool
            Whether it stands there now.
        """
        shape = label.box(margin)
        if not self.is_free(shape):
            return False
        self.take(shape)
        return True

    def place_first(self, labels: Iterable[Label], margin: float = 0.5) -> Label | None:
        """
        Take the first free place of several.

        Parameters
        ----------
        labels
            The same text at several places, the best first.
        margin
            As for :meth:`place`.

        Returns
        -------
        Label or None
            The one that stands.
        """
        return next((label for label in labels if self.place(label, margin)), None)


def place_along(line: shapely.LineString, text: str, size: float) -> list[Label]:
    """Find stretches of a line straight enough to carry a text."""
    width = text_width(text, size) * 1.1
    candidates: list[tuple[float, float, Label]] = []
    steps = int((line.length - width) // (width / 2)) + 1 if line.length >= width else 0
    for step in range(min(steps, 60)):
        start = step * width / 2
        stretch = substring(line, start, start + width)
        ends = shapely.get_coordinates(stretch)[[0, -1]]
        chord = shapely.LineString(ends)
        off = float(shapely.hausdorff_distance(stretch, chord))
        if chord.length < 0.9 * width or off > 0.4 * size:
            continue
        (x0, y0), (x1, y1) = ends.tolist()
        angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
        if angle > 90 or angle <= -90:
            angle += 180 if angle <= -90 else -180
        middle = abs(start + width / 2 - line.length / 2)
        label = Label(text, (x0 + x1) / 2, (y0 + y1) / 2, size, angle)
        candidates.append((round(off / size, 1), middle, label))
    return [label for _, _, label in sorted(candidates, key=lambda candidate: candidate[:2])]


def place_inside(polygon: Any, text: str, size: float) -> list[Label]:
    """Find places for a text inside a polygon."""
    parts: Sequence[Any] = [p for p in shapely.get_parts(polygon) if p.geom_type == "Polygon"]
    if not parts:
        return []
    largest = max(parts, key=lambda part: part.area)
    if largest.area < size * size * 2:
        return []
    circle = shapely.maximum_inscribed_circle(largest, tolerance=size / 4)
    (x, y), _ = shapely.get_coordinates(circle)[[0, -1]].tolist()
    steps = (0, size, -size, 2 * size, -2 * size)
    labels = [Label(text, x + dx, y + dy, size) for dy in steps for dx in steps]
    return [label for label in labels if largest.contains(shapely.Point(label.x, label.y))]
