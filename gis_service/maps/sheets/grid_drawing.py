"""The map on the sheet of a grid: land, roads, houses, borders, places and their names, as SVG.

Takes what :mod:`gis_service.maps.sheets.grid_sheet` read and gives one picture whose unit is the
millimetre of the printed page. Draws no person: households are not among what it takes.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import shapely

from gis_service.geodesy import GeometryArray
from gis_service.maps.sheets.drawing import (
    Board,
    Label,
    MapFrame,
    clip,
    draw_path,
    place_along,
    place_inside,
    scale_bar_m,
    text_width,
    write_path_data,
)

PAPER, WATER, GREEN, BUILT = "#f6f3ec", "#c6dde9", "#dfe8d3", "#efe9dd"
BUILDING, BUILDING_EDGE = "#ddd5c6", "#c3b8a2"
CASING, INK, MUTED, ACCENT = "#bfb08f", "#1f2933", "#5b6770", "#1b5e9b"
WATER_INK, PATH_INK, BORDER = "#3f7391", "#a89878", "#8a949c"

BUILDINGS_TO: Final = 20_000
"""Beyond this scale a house is a speck, and is left out."""


@dataclass(frozen=True)
class RoadStyle:
    """How a group of road classes is drawn."""

    group: str
    classes: frozenset[str]
    # The least on paper, millimetres.
    width: float
    # On the ground; drawn so wide where the scale allows.
    width_m: float
    fill: str
    # Beyond this scale it is left out.
    to_scale: float


ROAD_STYLES: Final = (
    RoadStyle(
        "path",
        frozenset({"path", "footway", "cycleway", "steps"}),
        0.22,
        1.2,
        PATH_INK,
        8_000,
    ),
    RoadStyle("street", frozenset({"service", "track"}), 0.5, 3.5, "#ffffff", 15_000),
    RoadStyle(
        "street",
        frozenset({"unclassified", "residential", "living_street", "pedestrian"}),
        0.85,
        6,
        "#ffffff",
        50_000,
    ),
    RoadStyle("main", frozenset({"tertiary"}), 1.15, 8, "#fdf6df", 120_000),
    RoadStyle("main", frozenset({"primary", "secondary"}), 1.5, 12, "#fbe6a8", 1e9),
    RoadStyle("motorway", frozenset({"motorway", "trunk"}), 1.9, 18, "#f4c38f", 1e9),
)
"""From below to above."""

SIGN_COLOURS: Final = {
    "fire_station": "#b3261e",
    "mini_fire_station": "#b3261e",
    "water_source": "#2b6f9e",
    "police_room": "#24478f",
    "service_centre": "#1b5e9b",
    "clinic": "#2e7d5b",
    "school": "#8a5a12",
    "bank": "#5b6770",
    "grocery": "#5b6770",
}
"""Kinds of facilities by their weight: the first take their places first."""

KINDS_TO: Final = {
    "grocery": 12_000,
    "bank": 12_000,
    "water_source": 20_000,
    "clinic": 60_000,
    "school": 60_000,
    "mini_fire_station": 60_000,
}
"""Beyond this scale a kind is left out; the others always stand."""


@dataclass(frozen=True)
class NamedShape:
    """Something with a name and a shape, lon and lat."""

    name: str
    shape: Any


@dataclass(frozen=True)
class Road:
    """A stretch of road."""

    road_class: str
    name: str
    shape: Any


@dataclass(frozen=True)
class DrawnPlace:
    """A facility."""

    kind: str
    name: str
    shape: Any


@dataclass(frozen=True)
class Surroundings:
    """
    What lies in the frame, in lon and lat.

    Attributes
    ----------
    grid
        The polygon that the sheet is of.
    neighbours, children
        Grids beside it on its level, and below it.
    land
        Shapes by ``water``, ``green`` and ``built``.
    """

    grid: Any
    neighbours: list[NamedShape] = field(default_factory=list)
    children: list[NamedShape] = field(default_factory=list)
    land: dict[str, list[Any]] = field(default_factory=dict)
    waters: list[NamedShape] = field(default_factory=list)
    roads: list[Road] = field(default_factory=list)
    buildings: list[Any] = field(default_factory=list)
    places: list[DrawnPlace] = field(default_factory=list)


@dataclass(frozen=True)
class Drawing:
    """The finished picture."""

    svg: str
    # What the legend has to explain: ``child``, ``building``, groups of roads, ``water`` …
    shown: frozenset[str]
    # Kinds of facilities drawn.
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class DrawingTexts:
    """Texts inside the picture, in the reader's language."""

    north: str
    bar: Callable[[float], str]
    sign: Callable[[str], str]


def road_classes_at(scale: float) -> list[str]:
    """Say which roads are drawn at a scale."""
    return sorted(
        name for style in ROAD_STYLES if scale <= style.to_scale for name in style.classes
    )


def draw(
    surroundings: Surroundings, frame: MapFrame, texts: DrawingTexts, type_mm: float = 2.2
) -> Drawing:
    """
    Draw the map of one grid.

    Parameters
    ----------
    surroundings
        What lies there.
    frame
        Where and at which scale.
    texts
        Texts.
    type_mm
        Height of the smallest type.

    Returns
    -------
    Drawing
        The picture, and what its legend must say.
    """
    pen = Pen(frame, texts, type_mm)
    grid = frame.to_paper(surroundings.grid)
    pen.draw_land(surroundings.land)
    pen.draw_buildings(surroundings.buildings)
    lines = pen.draw_roads(surroundings.roads)
    pen.draw_borders(grid, surroundings)
    pen.draw_corner_signs()
    pen.draw_places(surroundings.places, grid)
    pen.draw_names(grid, surroundings, lines)
    return pen.finish()


_LINE: Final[dict[str, float | str]] = {
    "fill": "none",
    "stroke_linejoin": "round",
    "stroke_linecap": "butt",
}


class Pen:
    """One picture in the making: layers from below, then symbols and names that keep apart."""

    def __init__(self, frame: MapFrame, texts: DrawingTexts, type_mm: float) -> None:
        self.frame, self.words, self.type_mm = frame, texts, type_mm
        self.layers: list[str] = []
        self.marks: list[str] = []  # symbols and names, over everything
        self.board = Board(shapely.box(1, 1, frame.width_mm - 1, frame.height_mm - 1))
        self.shown: set[str] = set()
        self.kinds: list[str] = []
        self.standing: dict[str, list[shapely.Point]] = {}  # where names of streets stand
        self.k = type_mm / 2.2

    def _on_paper(self, shapes: Iterable[Any]) -> GeometryArray:
        array = np.array([*shapes, None], dtype=object)[:-1]  # None: never an array of arrays
        return clip(self.frame.to_paper(array), self.frame.paper)

    def draw_land(self, land: dict[str, list[Any]]) -> None:
        """Fill the ground."""
        for kind, colour in (("built", BUILT), ("green", GREEN), ("water", WATER)):
            shapes = self._on_paper(land.get(kind, []))
            if len(shapes):
                self.layers.append(draw_path(shapes, fill=colour, fill_rule="evenodd"))
                self.shown.add(kind)

    def draw_buildings(self, buildings: list[Any]) -> None:
        """Draw the houses."""
        shapes = self._on_paper(buildings)
        if len(shapes) and self.frame.scale <= BUILDINGS_TO:
            self.layers.append(
                draw_path(shapes, fill=BUILDING, stroke=BUILDING_EDGE, stroke_width=0.08)
            )
            self.shown.add("building")

    def draw_roads(self, roads: list[Road]) -> list[tuple[int, str, Any]]:
        """Draw the roads, all casings below all fills; give their named lines for the lettering."""
        thin = self.k * max(0.45, min(1.0, (12_000 / self.frame.scale) ** 0.35))
        casings, fills = [], []
        named_lines: list[tuple[int, str, Any]] = []
        for order, style in enumerate(ROAD_STYLES):
            mine = [road for road in roads if road.road_class in style.classes]
            if self.frame.scale > style.to_scale or not mine:
                continue
            width = max(style.width * thin, style.width_m * 1000 / self.frame.scale)
            shapes = self._on_paper(road.shape for road in mine)
            if len(shapes) == 0:
                continue
            self.shown.add(style.group)
            lines = {**_LINE, "stroke_linecap": "round"}
            if style.group == "path":
                fills.append(
                    draw_path(
                        shapes, **lines, stroke=style.fill, stroke_width=f"{width:.2f}",
                        stroke_dasharray="0.9 0.6",
                    )
                )  # fmt: skip
            else:
                casing = f"{width + 0.26 * self.k:.2f}"
                casings.append(draw_path(shapes, **lines, stroke=CASING, stroke_width=casing))
                fills.append(
                    draw_path(shapes, **lines, stroke=style.fill, stroke_width=f"{width:.2f}")
                )
            named_lines += self._merge_named(order, mine)
        self.layers += casings + fills
        return named_lines

    def _merge_named(self, order: int, roads: list[Road]) -> list[tuple[int, str, Any]]:
        by_name: dict[str, list[Any]] = {}
        for road in roads:
            if road.name:
                by_name.setdefault(road.name, []).append(road.shape)
        lines = []
        for name, shapes in sorted(by_name.items()):
            pieces = self._on_paper(shapes)
            if len(pieces):
                merged = shapely.line_merge(shapely.union_all(pieces))
                lines += [(order, name, line) for line in shapely.get_parts(merged)]
        return lines

    def draw_borders(self, grid: Any, surroundings: Surroundings) -> None:
        """Let the neighbours step back, draw every border, the grid's own above all."""
        frame = shapely.box(-3, -3, self.frame.width_mm + 3, self.frame.height_mm + 3)
        around = write_path_data([frame, grid])
        self.layers.append(
            f'<path d="{around}" fill="#ffffff" fill-opacity="0.5" fill-rule="evenodd"/>'
        )
        own_border = shapely.boundary(grid).buffer(0.02)
        for name, shapes, colour, width in (
            ("neighbour", surroundings.neighbours, BORDER, 0.3),
            ("child", surroundings.children, ACCENT, 0.32),
        ):
            edges = shapely.boundary(self._on_paper(neighbour.shape for neighbour in shapes))
            if len(edges):  # as one network, so that no dash falls into its neighbour's gap
                lines = shapely.line_merge(shapely.union_all(edges).difference(own_border))
                thick = f"{width * self.k:.2f}"
                self.layers.append(
                    draw_path(
                        [lines],
                        **_LINE,
                        stroke=colour,
                        stroke_width=thick,
                        stroke_dasharray="2 0.9",
                    )
                )
                self.shown.add(name)
        wide = f"{2.6 * self.k:.2f}"
        self.layers.append(
            draw_path([grid], **_LINE, stroke=ACCENT, stroke_width=wide, stroke_opacity=0.22)
        )
        self.layers.append(draw_path([grid], **_LINE, stroke=ACCENT, stroke_width=0.7 * self.k))

    def draw_corner_signs(self) -> None:
        """Draw the scale bar and the arrow to the north, and keep their places free."""
        k, frame = self.k, self.frame
        metres = scale_bar_m(frame.scale, 42 * k)
        length = metres * 1000 / frame.scale
        labels = [self.words.bar(metres * share) for share in (0, 0.5, 1)]
        x, y = 5 * k, frame.height_mm - 5.5 * k
        right = text_width(labels[2], 2.3 * k) / 2
        width, height = length + 3.2 * k + right, 9.5 * k
        plate = shapely.box(
            x - 3.2 * k, y - 6.2 * k, x - 3.2 * k + width + 3 * k, y - 6.2 * k + height
        )
        self.marks.append(draw_path([plate], fill="#ffffff", fill_opacity=0.86))
        self.board.take(plate)
        for part in range(4):
            fill = INK if part % 2 == 0 else "#ffffff"
            cell = shapely.box(x + part * length / 4, y, x + (part + 1) * length / 4, y + 1.3 * k)
            self.marks.append(draw_path([cell], fill=fill, stroke=INK, stroke_width=0.15))
        for share, word in zip((0, 0.5, 1), labels, strict=True):
            self.marks.append(
                f'<text x="{x + share * length:.2f}" y="{y - 1.3 * k:.2f}" font-size="{2.3 * k:g}" '
                f'text-anchor="middle" fill="{INK}">{word}</text>'
            )
        self._draw_north(frame.width_mm - 8 * k, 8.5 * k)

    def _draw_north(self, x: float, y: float) -> None:
        k = self.k
        plate = shapely.Point(x, y).buffer(6.2 * k)
        self.marks.append(draw_path([plate], fill="#ffffff", fill_opacity=0.86))
        self.board.take(plate)
        tip, foot = y - 2.6 * k, y + 4.4 * k
        left = shapely.Polygon([(x, tip), (x - 2.1 * k, foot), (x, foot - 1.6 * k)])
        right = shapely.Polygon([(x, tip), (x + 2.1 * k, foot), (x, foot - 1.6 * k)])
        self.marks.append(draw_path([left], fill=INK, stroke=INK, stroke_width=0.15))
        self.marks.append(draw_path([right], fill="#ffffff", stroke=INK, stroke_width=0.15))
        self.marks.append(
            f'<text x="{x:.2f}" y="{y - 3.1 * k:.2f}" font-size="{2.7 * k:g}" font-weight="700" '
            f'text-anchor="middle" fill="{INK}">{self.words.north}</text>'
        )

    def draw_places(self, places: list[DrawnPlace], grid: Any) -> None:
        """Draw facilities, those of the grid first, with their names where there is room."""
        radius = 1.75 * self.k
        drawn_places: list[tuple[DrawnPlace, Any, bool]] = []
        weight = {kind: number for number, kind in enumerate(SIGN_COLOURS)}
        spots = [
            (place, self.frame.to_paper(place.shape))
            for place in places
            if self.frame.scale <= KINDS_TO.get(place.kind, np.inf)
        ]
        ordered = sorted(
            ((place, spot, bool(grid.contains(spot))) for place, spot in spots),
            key=lambda item: (
                not item[2],
                weight[item[0].kind],
                item[0].name,
                item[1].x,
                item[1].y,
            ),
        )
        for place, spot, mine in ordered:
            disc = spot.buffer(radius + 0.3)
            if not self.board.is_free(disc):
                continue
            self.board.take(disc)
            drawn_places.append((place, spot, mine))
            opacity = 1 if mine else 0.55
            sign = self.words.sign(place.kind)
            self.marks.append(
                f'<g opacity="{opacity}">'
                f'<circle cx="{spot.x:.2f}" cy="{spot.y:.2f}" r="{radius:g}" '
                f'fill="{SIGN_COLOURS[place.kind]}" stroke="#ffffff" stroke-width="0.3"/>'
                f'<text x="{spot.x:.2f}" y="{spot.y + 0.36 * 2.2 * self.k:.2f}" '
                f'font-size="{2.2 * self.k:g}" font-weight="700" text-anchor="middle" '
                f'fill="#ffffff">{sign}</text></g>'
            )
        self.kinds = [
            kind for kind in SIGN_COLOURS if any(p.kind == kind for p, _, _ in drawn_places)
        ]
        self._name_places([(p, s) for p, s, mine in drawn_places if mine], radius, grid.boundary)

    def _name_places(self, places: list[tuple[DrawnPlace, Any]], radius: float, edge: Any) -> None:
        """Name facilities beside their symbols, off the grid's border where that can be."""
        size = 2.1 * self.k
        for place, spot in places:
            reach = text_width(place.name, size) / 2 + radius + 0.6
            drop = radius + size * 0.85
            spots = ((reach, 0.0), (-reach, 0.0), (0.0, drop), (0.0, -drop))
            labels = [Label(place.name, spot.x + dx, spot.y + dy, size) for dx, dy in spots]
            labels.sort(key=lambda label: label.box(0).intersects(edge))
            label = self.board.place_first(labels, 0.15)
            if label:
                self.marks.append(label.svg(fill=SIGN_COLOURS[place.kind]))

    def draw_names(
        self, grid: Any, surroundings: Surroundings, lines: list[tuple[int, str, Any]]
    ) -> None:
        """Write names: grids below, streets of the grid, neighbours, other streets, waters."""
        k = self.k
        for child in surroundings.children:
            self._name_shape(child, 2.9 * k, {"fill": ACCENT, "font_weight": "700"})
        home = grid.buffer(1.2 * k)  # with the streets along the border
        at_home = [line for line in lines if home.intersects(line[2])]
        self._name_streets(at_home, grid, home, 2.15 * k, INK)
        for neighbour in surroundings.neighbours:
            self._name_shape(neighbour, 2.7 * k, {"fill": MUTED}, outside=grid)
        around = self.frame.paper.difference(home)
        self._name_streets(lines, grid, around, 1.95 * k, MUTED)
        for water in surroundings.waters:
            self._name_shape(water, 2.2 * k, {"fill": WATER_INK, "font_style": "italic"})

    def _name_shape(
        self, named: NamedShape, size: float, style: dict[str, float | str], outside: Any = None
    ) -> None:
        window = shapely.box(2, 2, self.frame.width_mm - 2, self.frame.height_mm - 2)
        shape = shapely.make_valid(self.frame.to_paper(named.shape)).intersection(window)
        if outside is not None:
            shape = shape.difference(outside)
        label = self.board.place_first(place_inside(shape, named.name, size))
        if label:
            self.marks.append(label.svg(**style))

    def _name_streets(
        self, lines: list[tuple[int, str, Any]], grid: Any, window: Any, size: float, colour: str
    ) -> None:
        """Greater and longer streets first, a name again only a good way from where it stands."""
        standing = self.standing
        edge = shapely.boundary(grid).buffer(0.5 * self.k)
        shapely.prepare(edge)
        parts = [
            (order, name, part)
            for order, name, line in lines
            for part in shapely.get_parts(line.intersection(window))
            if part.geom_type == "LineString"
        ]
        for order, name, line in sorted(
            parts, key=lambda part: (-part[0], -part[2].length, part[1])
        ):
            tall = size * (1 + 0.07 * min(order, 4))
            for label in _beside(place_along(line, name, tall)):
                spot = shapely.Point(label.x, label.y)
                if any(spot.distance(point) < 70 * self.k for point in standing.get(name, [])):
                    continue
                if not edge.intersects(label.box(0)) and self.board.place(label, 0.3):
                    standing.setdefault(name, []).append(spot)
                    self.marks.append(label.svg(fill=colour))
                    break

    def finish(self) -> Drawing:
        """Put the picture together."""
        width, height = self.frame.width_mm, self.frame.height_mm
        body = "\n".join(layer for layer in (*self.layers, *self.marks) if layer)
        size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
            "font-family=\"'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif\">\n"
            f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>\n{body}\n'
            f'<rect x="0.2" y="0.2" width="{width - 0.4:g}" height="{height - 0.4:g}" fill="none" '
            f'stroke="{INK}" stroke-width="0.4"/>\n</svg>'
        )
        return Drawing(svg, frozenset(self.shown), tuple(self.kinds))


def _beside(labels: list[Label]) -> Iterable[Label]:
    """Offer each place on a line, then above and below it, where a border runs along the line."""
    for label in labels:
        turn = math.radians(label.angle)
        yield label
        for off in (-1.15 * label.size, 1.15 * label.size):
            yield replace(label, x=label.x - off * math.sin(turn), y=label.y + off * math.cos(turn))
