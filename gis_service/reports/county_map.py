"""Maps of the county on paper: one variable as fill, stations, names, scale bar and north arrow.

Shapes and classes in, SVG out, in millimetres of the printed page. Knows neither the store nor what
is counted, and draws no person.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import shapely

from gis_service.geodesy import GeometryArray
from gis_service.maps.sheets.drawing import Bbox, Label, MapFrame, draw_path, fit
from gis_service.maps.sheets.grid_drawing import (
    ACCENT,
    BORDER,
    INK,
    SIGN_COLOURS,
    DrawingTexts,
    Pen,
    Road,
)

HIDDEN_FILL: Final = "#d5d9dd"
"""Of a grid whose figure is hidden; one without figure stays paper."""
LATE: Final = "#b3261e"
_TYPE_MM: Final = 2.2
_SIMPLE_DEGREES: Final = 1e-4


@dataclass(frozen=True)
class Sign:
    """A facility on the map."""

    kind: str
    name: str
    lon: float
    lat: float


@dataclass(frozen=True)
class Bubble:
    """A number at a place, drawn as a circle of its size."""

    lon: float
    lat: float
    # Its area is in proportion.
    value: float
    # What stands in it.
    label: str


@dataclass(frozen=True)
class Fill:
    """Polygons of one colour."""

    colour: str
    shapes: Sequence[Any]


@dataclass(frozen=True)
class MapContent:
    """What a map shows, lon and lat, from below to above."""

    fills: Sequence[Fill] = ()
    water: Sequence[Any] = ()
    roads: Sequence[tuple[str, str, Any]] = ()
    # Polygons by the width of their borders in millimetres.
    borders: Mapping[float, GeometryArray] = field(default_factory=dict)
    lines: Sequence[Fill] = ()
    bubbles: Sequence[Bubble] = ()
    signs: Sequence[Sign] = ()
    # Name, lon, lat.
    names: Sequence[tuple[str, float, float]] = ()


@dataclass(frozen=True)
class CountyMap:
    """A finished map."""

    svg: str
    scale: float


def find_extent(shapes: GeometryArray) -> Bbox:
    """Find the box around polygons."""
    west, south, east, north = (float(edge) for edge in shapely.total_bounds(shapes))
    return west, south, east, north


def draw(
    content: MapContent,
    bbox: Bbox,
    width_mm: float,
    height_mm: float,
    texts: DrawingTexts,
    *,
    picture: bool = False,
) -> CountyMap:
    """
    Draw a map.

    Parameters
    ----------
    content
        What it shows.
    bbox
        Of the ground to be seen, degrees.
    width_mm, height_mm
        Of the paper.
    texts
        Texts of the scale bar and the signs.
    picture
        Fill the paper at any scale, without scale bar and north arrow.

    Returns
    -------
    CountyMap
        With its scale as a denominator.
    """
    frame = fit(bbox, width_mm, height_mm, border=0.035)
    if picture:
        frame = fill_frame(bbox, frame)
    pen = Pen(frame, texts, _TYPE_MM)
    for fill in content.fills:
        shapes = _on_paper(frame, fill.shapes)
        pen.layers.append(draw_path(shapes, fill=fill.colour, fill_rule="evenodd"))
    pen.draw_land({"water": list(content.water)})
    pen.draw_roads([Road(road_class, "", shape) for road_class, _, shape in content.roads])
    for line in content.lines:
        pen.layers.append(
            draw_path(
                _on_paper(frame, line.shapes), fill=line.colour, fill_opacity=0.35,
                stroke=line.colour, stroke_width=0.3,
            )
        )  # fmt: skip
    for width, shapes in sorted(content.borders.items()):
        pen.layers.append(_draw_borders(frame, shapes, width))
    if not picture:
        pen.draw_corner_signs()
    _draw_bubbles(pen, content.bubbles)
    _draw_signs(pen, content.signs)
    _draw_names(pen, content.names)
    return CountyMap(pen.finish().svg, frame.scale)


def fill_frame(bbox: Bbox, frame: MapFrame, border: float = 0.03) -> MapFrame:
    """Let a piece of ground fill a frame as far as it can, at whatever scale."""
    corners = shapely.bounds(frame.to_paper(shapely.box(*bbox)))
    free = 1 - 2 * border
    grows = min(
        frame.width_mm * free / (corners[2] - corners[0]),
        frame.height_mm * free / (corners[3] - corners[1]),
    )
    return replace(frame, scale=frame.scale / float(grows))


def simplify_for_paper(shapes: GeometryArray) -> GeometryArray:
    """Leave out vertices that paper cannot show."""
    return np.asarray(shapely.coverage_simplify(shapes, _SIMPLE_DEGREES), dtype=object)


def _on_paper(frame: MapFrame, shapes: Sequence[Any]) -> GeometryArray:
    array = np.array([*shapes, None], dtype=object)[:-1]  # None: never an array of arrays
    return np.asarray(frame.to_paper(array), dtype=object)


def _draw_borders(frame: MapFrame, shapes: GeometryArray, width: float) -> str:
    lines = shapely.union_all(shapely.boundary(np.asarray(shapes, dtype=object)))
    merged = frame.to_paper(shapely.line_merge(lines))
    return draw_path(
        [merged], fill="none", stroke=BORDER if width < 0.3 else INK, stroke_width=f"{width:g}",
        stroke_linejoin="round", stroke_opacity="0.85",
    )  # fmt: skip


def _draw_bubbles(pen: Pen, bubbles: Sequence[Bubble]) -> None:
    """Draw the largest first, so that none hides a smaller one."""
    if not bubbles:
        return
    most = max(bubble.value for bubble in bubbles)
    for bubble in sorted(bubbles, key=lambda item: (-item.value, item.lon, item.lat)):
        spot = pen.frame.to_paper(shapely.Point(bubble.lon, bubble.lat))
        radius = max(1.0, 6.5 * (bubble.value / most) ** 0.5)
        pen.marks.append(
            f'<circle cx="{spot.x:.2f}" cy="{spot.y:.2f}" r="{radius:.2f}" fill="{LATE}" '
            f'fill-opacity="0.32" stroke="{LATE}" stroke-width="0.3"/>'
        )
        pen.board.take(spot.buffer(min(radius, 2.2)))
        if bubble.label and radius >= 1.6:
            pen.marks.append(
                f'<text x="{spot.x:.2f}" y="{spot.y + 0.8:.2f}" font-size="2.3" '
                f'font-weight="700" text-anchor="middle" fill="{INK}">'
                f"{html.escape(bubble.label)}</text>"
            )


def _draw_signs(pen: Pen, signs: Sequence[Sign]) -> None:
    """Draw facilities; where they are many, small and without a sign in them."""
    radius = 1.9 if len(signs) <= 60 else 0.75
    for sign in signs:
        spot = pen.frame.to_paper(shapely.Point(sign.lon, sign.lat))
        colour = SIGN_COLOURS.get(sign.kind, ACCENT)
        circle = (
            f'<circle cx="{spot.x:.2f}" cy="{spot.y:.2f}" r="{radius:g}" fill="{colour}" '
            'stroke="#ffffff" stroke-width="0.3"/>'
        )
        if radius < 1:
            pen.marks.append(circle)
            continue
        pen.board.take(spot.buffer(radius + 0.2))
        pen.marks.append(
            f'{circle}<text x="{spot.x:.2f}" y="{spot.y + 0.8:.2f}" font-size="2.2" '
            f'font-weight="700" text-anchor="middle" fill="#ffffff">'
            f"{html.escape(pen.words.sign(sign.kind))}</text>"
        )


def _draw_names(pen: Pen, names: Sequence[tuple[str, float, float]]) -> None:
    """Write the names of towns where there is room beside or above their middle."""
    size = 3.0
    for name, lon, lat in names:
        spot = pen.frame.to_paper(shapely.Point(lon, lat))
        steps = ((0, 0), (0, -4), (0, 4), (-7, 0), (7, 0), (-6, -5), (6, 5), (0, -8), (0, 8))
        labels = [Label(name, spot.x + dx, spot.y + dy, size) for dx, dy in steps]
        label = pen.board.place_first(labels, 0.4)
        if label is not None:
            pen.marks.append(label.svg(fill=INK, font_weight="700"))
