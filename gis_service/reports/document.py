"""The report as one HTML document for paper: cover, contents, figures, maps, tables, assumptions.

:mod:`gis_service.maps.sheets.printing` makes a PDF of it; the page that opens from disk shows the
same parts below its map. Takes facts and words, reads nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import shapely

from gis_service.coverage.areas.answers import NamedDistrict
from gis_service.coverage.measuring.statistics import RULE
from gis_service.coverage.travel.travel_time import STATUS_NAMES
from gis_service.geodesy import GeometryArray
from gis_service.maps.figures.classes import PERCENT_BREAKS, SEQUENTIAL
from gis_service.maps.page.grid_map import templates
from gis_service.maps.sheets.grid_drawing import PAPER, DrawingTexts
from gis_service.messages import text
from gis_service.reports import charts
from gis_service.reports.county_map import (
    HIDDEN_FILL,
    LATE,
    Bubble,
    CountyMap,
    Fill,
    MapContent,
    Sign,
    draw,
    find_extent,
    simplify_for_paper,
)
from gis_service.reports.facts import Facts, FigureLine, MapGround
from gis_service.reports.writing import Writer, compare_grids, order_worst_first

COLOURS: Final = SEQUENTIAL["YlGnBu"]
BAND_COLOURS: Final = SEQUENTIAL["Purples"][3:0:-1]
_SIMPLE_DEGREES: Final = 1e-4
_WIDTH_MM: Final = 174.0
_MAP_MM: Final = 196.0
_COVER_MAP_MM: Final = 118.0
_MOST_BLIND: Final = 40
_MOST_STATIONS: Final = 90
_MOST_LABELS: Final = 12
_MOST_BARS: Final = 32
_MOST_BASE_ROWS: Final = 60


@dataclass(frozen=True)
class LegendLine:
    """A class of the map: its colour, its words, how many grids are in it."""

    colour: str
    label: str
    count: str


@dataclass(frozen=True)
class PrintedTable:
    """
    The lines of one level as words.

    Attributes
    ----------
    rows
        Name, parent, households, four categories, share, three times; and the share as a number.
    """

    key: str
    title: str
    with_parent: bool
    rows: list[tuple[list[str], float | None]]
    chart: str


@dataclass(frozen=True)
class Document:
    """The parts of a report in one language."""

    facts: Facts
    # Under the maps.
    ground: MapGround
    writer: Writer

    def html(self) -> str:
        """
        Write the document for paper.

        Returns
        -------
        str
            Complete, with its styles and pictures inside.
        """
        return str(self._render("coverage_report.html"))

    @cached_property
    def parts(self) -> str:
        """The same parts for a page that has a head of its own: HTML sections."""
        return str(self._render("coverage_report_parts.html"))

    def _render(self, template: str) -> str:
        writer, facts = self.writer, self.facts
        return templates.get_template(template).render(
            language=writer.language,
            w=writer,
            say=writer.say,
            facts=facts,
            whole=facts.whole,
            title=writer.title(),
            day=facts.data_day.isoformat(),
            tiles=self.tiles(),
            document=self,
            stale=bool(facts.stale),
            minutes_head=[writer.say(f"{name}_minutes") for name in ("median", "p90", "worst")],
            categories=STATUS_NAMES,
        )

    # --- figures --------------------------------------------------------------------------------

    def tiles(self) -> list[tuple[str, str]]:
        """
        Give the county's figures in large.

        Returns
        -------
        list of tuple
            Number and what it is.
        """
        whole, writer = self.facts.whole, self.writer
        numbers = {
            "n": writer.count(whole.n),
            "covered": writer.count(whole.covered),
            "left_out": writer.count(whole.left_out),
            "median": writer.minutes(whole.median_minutes),
            "p90": writer.minutes(whole.p90_minutes),
        }
        return [(number, writer.say(f"tile_{name}")) for name, number in numbers.items()]

    def whole_chart(self) -> str:
        """Draw the county's households by category."""
        whole, writer = self.facts.whole, self.writer
        values = [getattr(whole, name) for name in STATUS_NAMES]
        if not whole.n or None in values:
            return ""
        parts = [
            charts.BarPart(
                writer.say(name), f"{value:,}  ({writer.percent(value / whole.n)})", value / whole.n
            )
            for name, value in zip(STATUS_NAMES, values, strict=True)
            if value or name == "covered"
        ]
        return charts.whole_bar(parts, _WIDTH_MM, writer.say("chart_whole"))

    def minutes_chart(self) -> str:
        """Draw how many take how long."""
        writer, limit = self.writer, self.facts.limit_minutes
        bins, n = self.facts.minutes, self.facts.whole.n
        if not n or not any(bin_.households for bin_ in bins):
            return ""
        step = limit / 10
        columns = [
            charts.Column(
                bin_.from_minutes,
                bin_.to_minutes if bin_.to_minutes is not None else max(bin_.from_minutes + step,
                                                                      2 * limit + step),
                bin_.households / n,
                bin_.from_minutes >= limit,
            )
            for bin_ in bins
        ]  # fmt: skip
        texts = (
            writer.say("chart_up"),
            writer.say("chart_along"),
            writer.say("chart_limit", minutes=writer.limit()),
            writer.say("chart_minutes"),
        )
        return charts.columns(columns, _WIDTH_MM, 50, limit, texts)

    def kind_rows(self) -> list[list[str]]:
        """List what each kind of facility gives the county."""
        facts, writer = self.facts, self.writer
        rows = []
        for kind, lines in facts.lines.items():
            if kind == RULE:
                continue
            line = lines[0]
            rows.append(
                [
                    writer.kind(kind),
                    writer.count(facts.run.summary["facilities"][kind]),
                    writer.count(line.covered),
                    writer.share(line),
                    *self._times(line),
                ]
            )
        return rows

    def kind_chart(self) -> str:
        """Draw the county's share by kind of facility."""
        rows = [
            charts.Bar(self.writer.kind(kind), lines[0].share, self.writer.share(lines[0]))
            for kind, lines in self.facts.lines.items()
            if kind != RULE
        ]
        return self._bars(rows, self.writer.say("section_kinds"))

    def _bars(self, rows: list[charts.Bar], title: str) -> str:
        target = self.writer.say("chart_target", target=self.writer.target())
        return charts.bars(rows, _WIDTH_MM, self.facts.target_share, target, title)

    def _times(self, line: FigureLine) -> list[str]:
        if line.n == 0:
            return ["", "", ""]
        return [
            self.writer.minutes(minutes)
            for minutes in (line.median_minutes, line.p90_minutes, line.worst_minutes)
        ]

    @cached_property
    def tables(self) -> list[PrintedTable]:
        """The levels below the county: all of the upper ones, the worst of the lowest."""
        facts, writer = self.facts, self.writer
        tables = []
        for level in facts.levels[1:]:
            lines = facts.of_rank(level.rank)
            if level.rank == facts.base_rank and len(lines) > _MOST_BASE_ROWS:
                continue
            worst = order_worst_first(lines)
            bars = [
                charts.Bar(line.name, line.share, writer.share(line))
                for line in worst
                if line.share is not None
            ]
            name = writer.level(level)
            name = name.lower() if writer.language == "en" else name
            title = writer.say("section_levels", level=name)
            chart = writer.say("chart_levels", level=name)
            tables.append(
                PrintedTable(
                    key=f"level-{level.rank}",
                    title=title,
                    with_parent=level.rank > facts.levels[1].rank,
                    rows=[(self._row(line), line.share) for line in worst],
                    chart=self._bars(bars, chart) if 1 < len(bars) <= _MOST_BARS else "",
                )
            )
        return tables

    def _row(self, line: FigureLine) -> list[str]:
        writer = self.writer
        return [
            line.name,
            line.parent_name,
            writer.count(line.n),
            *(writer.count(getattr(line, name)) for name in STATUS_NAMES),
            writer.share(line),
            *self._times(line),
        ]

    def other_rows(self) -> list[list[str]]:
        """List what else was counted by the same rule."""
        writer = self.writer
        rows = []
        for of, lines in self.facts.others.items():
            line = lines[0]
            cells = [writer.count(number) for number in (line.n, line.covered, line.left_out)]
            rows.append([writer.say(f"of_{of}"), *cells, writer.share(line)])
        return rows

    def compared_rows(self) -> list[list[str]]:
        """Put this run beside another one."""
        writer, rows = self.writer, []
        for grid in compare_grids(self.facts):
            covered = [writer.count(number) for number in grid.covered]
            shares = [
                writer.say("hidden_sign") if share is None else writer.percent(share)
                for share in grid.share
            ]
            points = [None if share is None else 100 * share for share in grid.share]
            by_count = _difference(grid.covered, ",d")
            by_share = _difference((points[0], points[1]), ".1f")
            rows.append([grid.name, *covered, by_count, *shares, by_share])
        return rows

    def blind_rows(self) -> list[list[str]]:
        """List the places that are not covered."""
        writer = self.writer
        return [
            [
                place.name,
                writer.say("blind_about", n=f"{place.households:,}"),
                writer.say("blind_about", n=f"{place.people:,}") if place.people else "",
                "" if place.worst_minutes is None else writer.minutes(place.worst_minutes),
                writer.say(place.reason),
            ]
            for place in self.facts.blind_places[:_MOST_BLIND]
        ]

    def district_rows(self) -> list[list[str]]:
        """List the districts of the stations, the largest first."""
        writer = self.writer
        return [
            [
                writer.station_of(district),
                f"{district.area_km2:,.1f}",
                "" if district.limit_km2 is None else f"{district.limit_km2:g}",
                writer.verdict(district),
                writer.crossings(district),
                writer.enclaves(district),
            ]
            for district in sorted(self.facts.districts, key=_by_area)
        ]

    @property
    def circles(self) -> int:
        """How many places have a circle on the map."""
        return min(_MOST_BLIND, len(self.facts.blind_places))

    def station_rows(self) -> list[list[str]]:
        """List the facilities; of many only those that are nearest to most."""
        writer = self.writer
        return [
            [
                writer.kind(station.kind),
                station.name or writer.kind(station.kind),
                f"{station.turnout_minutes:g}"
                if station.turnout_minutes is not None
                else writer.say("turnout_standard"),
                writer.count(station.households),
            ]
            for kind in self.facts.run.kinds
            for station in [station for station in self.facts.stations if station.kind == kind][
                : self.stations_listed
            ]
        ]

    @property
    def stations_listed(self) -> int:
        """How many facilities of a kind are listed on paper."""
        most = len(self.facts.stations)
        return most if most <= _MOST_STATIONS else _MOST_STATIONS // len(self.facts.run.kinds)

    # --- maps -----------------------------------------------------------------------------------

    @cached_property
    def _shapes(self) -> Mapping[int, tuple[tuple[int, ...], GeometryArray]]:
        return {
            rank: (ids, simplify_for_paper(shapes))
            for rank, (ids, shapes) in self.facts.shapes.items()
        }

    @cached_property
    def _words(self) -> DrawingTexts:
        def bar(metres: float) -> str:
            key, n = ("kilometres", metres / 1000) if metres >= 1000 else ("metres", metres)
            return "0" if metres == 0 else text(f"sheet.{key}", self.writer.language, n=f"{n:g}")

        def sign(kind: str) -> str:
            return text(f"sheet.sign_{kind}", self.writer.language)

        return DrawingTexts(text("sheet.north", self.writer.language), bar, sign)

    def _borders(self) -> dict[float, GeometryArray]:
        ranks = sorted(self._shapes)
        widths = dict(zip(reversed(ranks), (0.12, 0.28, 0.55), strict=False))
        return {widths[rank]: self._shapes[rank][1] for rank in ranks if rank in widths}

    def _fills(self, rank: int) -> list[Fill]:
        lines = {line.grid_id: line for line in self.facts.of_rank(rank)}
        by_colour: dict[str, list[Any]] = {}
        for grid_id, shape in zip(*self._shapes[rank], strict=True):
            by_colour.setdefault(colour_of(lines.get(grid_id)), []).append(shape)
        return [Fill(colour, shapes) for colour, shapes in sorted(by_colour.items())]

    def _drawn(self, content: MapContent, height: float) -> CountyMap:
        _, tops = self._shapes[min(self._shapes)]
        return draw(content, find_extent(tops), _WIDTH_MM, height, self._words)

    def cover_map(self) -> str:
        """Draw the county by towns for the cover, without names."""
        if not self._shapes:
            return ""
        rank = self.facts.base_rank
        borders = dict(sorted(self._borders().items())[1:])
        content = MapContent(fills=self._fills(rank), water=self.ground.water, borders=borders)
        _, tops = self._shapes[min(self._shapes)]
        size = (_WIDTH_MM, _COVER_MAP_MM)
        return draw(content, find_extent(tops), *size, self._words, picture=True).svg

    def share_map(self) -> CountyMap | None:
        """Draw the share of every base grid."""
        if not self._shapes:
            return None
        content = MapContent(
            fills=self._fills(self.facts.base_rank),
            water=self.ground.water,
            roads=self.ground.roads,
            borders=self._borders(),
            signs=self._signs(),
            names=self.ground.places,
        )
        return self._drawn(content, _MAP_MM)

    def band_map(self) -> CountyMap | None:
        """Draw the ground by minutes; what is not reached stays paper."""
        if not self.facts.bands or not self._shapes:
            return None
        colours = [line.colour for line in self.band_legend()]
        content = MapContent(
            fills=[
                Fill(colour, [shapely.simplify(band.geometry, _SIMPLE_DEGREES)])
                for colour, band in zip(colours, self.facts.bands, strict=True)
            ],
            water=self.ground.water,
            roads=self.ground.roads,
            borders=dict(sorted(self._borders().items())[-2:]),
            signs=self._signs(),
            names=self.ground.places,
        )
        return self._drawn(content, _MAP_MM)

    def band_legend(self) -> list[LegendLine]:
        """Explain the bands."""
        return [
            LegendLine(
                colour,
                self.writer.say("band", low=f"{band.from_minutes:g}", high=f"{band.to_minutes:g}"),
                "",
            )
            for colour, band in zip(BAND_COLOURS, self.facts.bands, strict=False)
        ]

    def blind_map(self) -> CountyMap | None:
        """Draw where those not covered live, as circles by number."""
        places = self.facts.blind_places
        if not places or not self._shapes:
            return None
        bubbles = [
            Bubble(spot.lon, spot.lat, float(spot.households),
                   f"{spot.households:,}" if place < _MOST_LABELS else "")
            for place, spot in enumerate(places[:_MOST_BLIND])
        ]  # fmt: skip
        content = MapContent(
            fills=[Fill(PAPER, list(self._shapes[min(self._shapes)][1]))],
            water=self.ground.water,
            roads=self.ground.roads,
            borders=dict(sorted(self._borders().items())[-2:]),
            lines=[Fill(LATE, [place.shape for place in places])],
            bubbles=bubbles,
            signs=self._signs(),
            names=self.ground.places,
        )
        return self._drawn(content, _MAP_MM)

    def _signs(self) -> list[Sign]:
        return [
            Sign(station.kind, station.name, station.lon, station.lat)
            for station in self.facts.stations
        ]

    def sign_legend(self) -> list[tuple[str, str]]:
        """Explain the symbols of the maps."""
        many = len(self.facts.stations) > 60
        return [
            (
                charts.sign_sample(kind, "" if many else self._words.sign(kind)),
                self.writer.kind(kind),
            )
            for kind in self.facts.run.kinds
            if any(station.kind == kind for station in self.facts.stations)
        ]

    def legend(self) -> list[LegendLine]:
        """
        Explain the classes of the map of shares.

        Returns
        -------
        list of LegendLine
            Every base grid is in one of them.
        """
        return legend_of(self.facts, self.writer)

    def map_title(self) -> str:
        """State the variable of the map, its unit and of what it is."""
        level = self.writer.level_of(self.facts.base_rank)
        return self.writer.say("map_title", level=level, minutes=self.writer.limit())

    def map_caption(self, county_map: CountyMap) -> str:
        """State day, version, datum and scale below a map."""
        writer = self.writer
        return writer.say(
            "map_caption",
            day=writer.day(self.facts.data_day),
            version=writer.version(),
            scale=f"{county_map.scale:,.0f}",
        )


def _by_area(district: NamedDistrict) -> tuple[bool, float, int]:
    """Put the ground that nobody serves last."""
    return district.facility_id is None, -district.area_km2, district.facility_id or 0


def _difference(pair: tuple[float | None, float | None], form: str) -> str:
    before, now = pair
    if before is None or now is None:
        return ""
    difference = round(now - before, 1) if form.endswith("f") else now - before
    return f"{difference:+{form}}" if difference else "0"


def colour_of(line: FigureLine | None) -> str:
    """Choose the fill of a grid."""
    if line is None or line.n == 0:
        return PAPER
    return HIDDEN_FILL if line.share_class is None else COLOURS[line.share_class]


def legend_of(facts: Facts, writer: Writer) -> list[LegendLine]:
    """Explain the classes of a map of shares by base grid."""
    lines = facts.of_rank(facts.base_rank)
    colours = [colour_of(line) for line in lines]
    edges = [0.0, *PERCENT_BREAKS, 100.0]
    classes = [
        (colour, f"{low:g}–{high:g} %" if number else f"< {high:g} %")
        for number, (colour, low, high) in enumerate(
            zip(COLOURS, edges[:-1], edges[1:], strict=True)
        )
    ]
    others = [(HIDDEN_FILL, writer.say("map_hidden")), (PAPER, writer.say("map_empty"))]
    return [
        LegendLine(colour, label, writer.say("map_count", n=f"{colours.count(colour):,}"))
        for place, (colour, label) in enumerate([*classes, *others])
        if place < len(classes) or colour in colours
    ]
