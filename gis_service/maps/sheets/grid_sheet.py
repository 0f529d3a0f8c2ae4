"""The printed sheet of a grid (区域图, 公示牌), and all grids of a town in one booklet.

Reads what stands on it, lays it out and writes one HTML document, from which
:mod:`gis_service.maps.sheets.printing` makes PDF and PNG. Officers are read as the actor may see
them; households are counted, never drawn, and small cells are hidden as in everything that leaves.
"""

import calendar
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gis_service import __version__
from gis_service.access import Actor, record
from gis_service.access.permissions import SEE
from gis_service.errors import NotFoundError
from gis_service.geodesy import GeometryArray
from gis_service.grids.reading import SchemeKey, find_scheme, on_day
from gis_service.grids.versions import today
from gis_service.maps.figures.classes import hide_small
from gis_service.maps.figures.figures import figures
from gis_service.maps.page.grid_map import templates
from gis_service.maps.sheets import printing
from gis_service.maps.sheets.drawing import Bbox, MapFrame, fit
from gis_service.maps.sheets.grid_drawing import (
    BUILDINGS_TO,
    Drawing,
    DrawingTexts,
    DrawnPlace,
    NamedShape,
    Road,
    Surroundings,
    draw,
    wanted_roads,
)
from gis_service.maps.sheets.legend_samples import legend_samples
from gis_service.maps.sheets.sheet import GridSheet, county, grid_sheet
from gis_service.messages import Language, text
from gis_service.store import tables as t
from gis_service.store.tables import SRID

Format = Literal["html", "pdf", "png"]
Paper = Literal["A4", "A3"]

PAPERS: Final[dict[Paper, tuple[float, float]]] = {"A4": (210, 297), "A3": (297, 420)}
_TYPE: Final[dict[Paper, float]] = {"A4": 1.0, "A3": 1.35}
_INDEX_ROWS: Final = 42
_STANDARDS: Final = ("service-15", "fire-20")


@dataclass(frozen=True)
class SheetOptions:
    """
    How a sheet is to look.

    Attributes
    ----------
    public
        For a board in the street: without the line 内部使用 and without who is on leave. Officers
        stand there with their phones, that is what the board is for.
    maker
        Who answers for the map; empty is the county.
    approval
        The 审图号; empty leaves its box free.
    at
        The day; None is today.
    """

    paper: Paper = "A4"
    language: Language = "zh-CN"
    public: bool = False
    maker: str = ""
    approval: str = ""
    at: date | None = None


@dataclass(frozen=True)
class Box:
    """A place on the page, millimetres from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def css(self) -> str:
        """The place as a style."""
        return f"left:{self.x:g}mm;top:{self.y:g}mm;width:{self.width:g}mm;height:{self.height:g}mm"


@dataclass(frozen=True)
class Layout:
    """Where the parts of a sheet stand."""

    name: Literal["portrait", "landscape"]
    head: Box
    map: Box
    info: Box
    foot: Box
    columns: tuple[float, float, float]
    gap: float


@dataclass(frozen=True)
class PrintedFile:
    """A finished file."""

    body: bytes
    media_type: str


def layouts(paper: Paper) -> tuple[Layout, Layout]:
    """Lay a sheet out, upright and across."""
    short, long = PAPERS[paper]
    k = _TYPE[paper]
    margin, head, foot, gap = 10.0, 17 * k, 12.5 * k, 3 * k

    def rows(width: float, height: float) -> tuple[Box, Box, float, float]:
        inner = width - 2 * margin
        top = margin + head + gap
        bottom = height - margin - foot
        return (
            Box(margin, margin, inner, head),
            Box(margin, bottom, inner, foot),
            top,
            bottom - gap - top,
        )

    first, last, top, high = rows(short, long)
    inner, panel = short - 2 * margin, 52 * k
    column_gap = 5 * k
    left = (inner - 2 * column_gap) * 0.33
    middle = (inner - 2 * column_gap) * 0.31
    upright = Layout(
        "portrait", first,
        Box(margin, top, inner, high - panel - gap),
        Box(margin, top + high - panel, inner, panel),
        last, (left, middle, inner - 2 * column_gap - left - middle), column_gap,
    )  # fmt: skip
    first, last, top, high = rows(long, short)
    inner, panel = long - 2 * margin, 68 * k
    across = Layout(
        "landscape", first,
        Box(margin, top, inner - panel - gap, high),
        Box(margin + inner - panel, top, panel, high),
        last, (panel, panel, panel), 0,
    )  # fmt: skip
    return upright, across


def find_grid(connection: sa.Connection, wanted: str, at: date | None = None) -> int:
    """
    Find the grid that a person names.

    Parameters
    ----------
    connection
        An open transaction.
    wanted
        A code of any scheme, also in the groups in which it is read aloud, or a grid's id.
    at
        The day; None is today.

    Returns
    -------
    int
        Its id; a code of the base scheme goes before others.

    Raises
    ------
    NotFoundError
        There is none on that day.
    """
    code = re.sub(r"[\s\-·]", "", wanted)
    state, scheme = t.grid_state.c, t.grid_scheme.c
    same: Any = sa.func.replace(state.code, "-", "") == code
    if code.isdigit() and len(code) < 12:
        same = sa.or_(same, state.grid_id == int(code))
    found = connection.scalar(
        sa.select(state.grid_id)
        .join(t.grid_scheme, scheme.scheme_id == state.scheme_id)
        .where(same, on_day(state.valid, at))
        .order_by(state.code != code, scheme.is_base.desc(), state.grid_id)
        .limit(1)
    )
    if found is None:
        raise NotFoundError("sheet.no_grid", grid=wanted)
    return int(found)


def find_town(connection: sa.Connection, wanted: str, at: date | None = None) -> int:
    """
    Find the grid of a town.

    Parameters
    ----------
    connection
        An open transaction.
    wanted
        The code or id of a grid that has grids below it, or the code of an administrative town.
    at
        The day; None is today.

    Returns
    -------
    int
        The highest grid of that town.

    Raises
    ------
    NotFoundError
        There is none on that day.
    """
    state, unit = t.grid_state.c, t.admin_unit.c
    code = re.sub(r"[\s\-·]", "", wanted)
    below = sa.select(state.parent_grid_id).where(on_day(state.valid, at))
    of_unit = sa.select(unit.admin_unit_id).where(unit.code == code, unit.level == "town")
    found = connection.scalar(
        sa.select(state.grid_id)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == state.scheme_id)
        .where(
            t.grid_scheme.c.is_base,
            sa.or_(
                state.code == code,
                state.admin_unit_id.in_(of_unit),
                state.grid_id == (int(code) if code.isdigit() and len(code) < 9 else -1),
            ),
            state.grid_id.in_(below),
            on_day(state.valid, at),
        )
        .order_by(state.rank, state.grid_id)
        .limit(1)
    )
    if found is None:
        raise NotFoundError("sheet.no_town", town=wanted)
    return int(found)


def print_grid(
    connection: sa.Connection,
    actor: Actor,
    grid_id: int,
    form: Format,
    options: SheetOptions | None = None,
) -> PrintedFile:
    """
    Print the sheet of one grid.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; officers and figures stand on it as far as the actor sees them.
    grid_id
        Of any level and scheme.
    form
        ``html`` stands for itself too: styles and map inside, nothing linked.
    options
        How it is to look.

    Returns
    -------
    PrintedFile
        The same bytes for the same data, day and options.
    """
    return printed(write_sheet(connection, actor, grid_id, form, options), form)


def write_sheet(
    connection: sa.Connection,
    actor: Actor,
    grid_id: int,
    form: Format,
    options: SheetOptions | None = None,
) -> str:
    """
    Write the sheet of one grid as an HTML document, which needs no connection to be printed.

    Parameters
    ----------
    connection, actor, grid_id, form, options
        As for :func:`print_grid`; the form is what the record says.

    Returns
    -------
    str
        It stands for itself: styles and map inside, nothing linked.
    """
    book = _Book(connection, actor, options or SheetOptions())
    document = book.document([book.sheet(grid_id)])
    book.record(grid_id, form)
    return document


def printed(document: str, form: Format) -> PrintedFile:
    """
    Print a sheet that was written.

    Parameters
    ----------
    document
        Of :func:`write_sheet`.
    form
        ``html`` is the document as it is.

    Returns
    -------
    PrintedFile
        The same bytes for the same document.
    """
    if form == "html":
        return PrintedFile(document.encode(), "text/html; charset=utf-8")
    paper = printing.pdf(document)
    if form == "pdf":
        return PrintedFile(paper, "application/pdf")
    return PrintedFile(printing.png(paper), "image/png")


def print_town(
    connection: sa.Connection,
    actor: Actor,
    grid_id: int,
    options: SheetOptions | None = None,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _name: None,
) -> PrintedFile:
    """
    Print the sheets of a grid and of every grid below it as one PDF with cover and contents.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    grid_id
        Of a town, or of any grid that has grids below it.
    options
        As for one grid.
    progress
        Told after each sheet: how many are drawn, of how many, its name.

    Returns
    -------
    PrintedFile
        A PDF.
    """
    book = _Book(connection, actor, options or SheetOptions())
    tree = book.tree(grid_id)
    book.record(grid_id, "booklet")
    before = 1 + -(-len(tree) // _INDEX_ROWS)
    sheets = []
    for number, row in enumerate(tree, start=1):
        sheets.append(replace(book.sheet(row.grid_id), page=before + number))
        progress(number, len(tree), row.name)
    rows = [
        IndexRow(row.grid_id, row.name, sheet.code, row.rank - tree[0].rank,
                 sheet.households, sheet.page or 0)
        for row, sheet in zip(tree, sheets, strict=True)
    ]  # fmt: skip
    index = [rows[at : at + _INDEX_ROWS] for at in range(0, len(rows), _INDEX_ROWS)]
    cover = Cover(len(rows), sheets[0].version, index)
    title = text("sheet.cover_title", book.options.language, name=tree[0].name)
    return PrintedFile(printing.pdf(book.document(sheets, cover, title)), "application/pdf")


# --- what stands on the paper ------------------------------------------------------------------


@dataclass(frozen=True)
class OfficerLine:
    """One officer as printed."""

    role: str
    post: str
    name: str
    phone: str
    away: bool


@dataclass(frozen=True)
class SheetPage:
    """Everything that the document needs of one sheet, in the reader's language."""

    grid_id: int
    layout: Layout
    title: str
    chain: str
    level: str
    code: str
    svg: str
    scale: str
    officers: list[OfficerLine]
    no_officers: str
    figures: list[tuple[str, str]]
    hidden: bool
    households: str
    legend: list[tuple[str, str]]
    version: str
    page: int | None = None


@dataclass(frozen=True)
class IndexRow:
    """One line of the contents."""

    grid_id: int
    name: str
    code: str
    depth: int
    households: str
    page: int


@dataclass(frozen=True)
class Cover:
    """The first page of a booklet, and its contents by pages."""

    count: int
    version: str
    index: list[list[IndexRow]]


@dataclass
class _Book:
    """Sheets of one reader, day and manner; what they share is read once."""

    connection: sa.Connection
    actor: Actor
    options: SheetOptions
    _hidden: dict[tuple[str, int], set[int]] = field(default_factory=dict)

    def record(self, grid_id: int, form: str) -> None:
        """Write down who took officers' names and phones out of the house; a visitor sees none."""
        if not SEE["officer"].allows(self.actor):
            return
        options = self.options
        what = {"format": form, "paper": options.paper, "public": options.public}
        record(self.connection, self.actor, "print", "grid", grid_id, after=what)

    def say(self, key: str, **values: object) -> str:
        """Say a text of this room in the reader's language."""
        return text(f"sheet.{key}", self.options.language, **values)

    def day(self, day: date) -> str:
        """Write a date as people of the language do."""
        english = self.options.language == "en"
        month = calendar.month_name[day.month] if english else day.month
        return self.say("date", year=day.year, month=month, day=day.day)

    @cached_property
    def made_on(self) -> date:
        """The day of the sheet."""
        return self.options.at or today(self.connection)

    @cached_property
    def maker(self) -> str:
        """Who answers for the map."""
        return self.options.maker or county(self.connection).name

    @cached_property
    def layouts(self) -> tuple[Layout, Layout]:
        """Of this paper."""
        return layouts(self.options.paper)

    def document(
        self, sheets: Sequence[SheetPage], cover: Cover | None = None, title: str = ""
    ) -> str:
        """Write the document."""
        short, long = PAPERS[self.options.paper]
        template = templates.get_template("grid_sheet.html")
        return template.render(
            language=self.options.language,
            title=title or sheets[0].title,
            sheets=sheets,
            cover=cover,
            pages=[("portrait", short, long), ("landscape", long, short)],
            k=_TYPE[self.options.paper],
            say=self.say,
            day=self.made_on.isoformat(),
            made_on=self.day(self.made_on),
            maker=self.maker,
            approval=self.options.approval,
            internal=not self.options.public,
            software=__version__,
        )

    def sheet(self, grid_id: int) -> SheetPage:
        """Read and draw one sheet."""
        at = self.options.at
        facts = grid_sheet(self.connection, self.actor, grid_id, at)
        layout, frame = self._placed(facts)
        drawn = self._drawn(facts, frame)
        version = facts.version
        households = self._households(facts)
        return SheetPage(
            grid_id=grid_id,
            layout=layout,
            title=self.say("title", name=facts.name),
            chain=" › ".join([self._county, *(one.name for one in facts.chain)]),
            level=facts.level.label if self.options.language == "zh-CN" else facts.level.label_en,
            code=" ".join(facts.code_groups),
            svg=drawn.svg,
            scale=self.say("scale", scale=f"{frame.scale:,.0f}"),
            officers=self._officers(facts),
            no_officers=self._no_officers(facts),
            figures=self._figures(facts, households),
            hidden=households == self.say("small"),
            households=households,
            legend=self._legend(drawn),
            version=self.say("version", title=version.title, day=self.day(version.effective_day))
            if version
            else self.say("no_version"),
        )

    @cached_property
    def _county(self) -> str:
        return county(self.connection).name

    def _placed(self, facts: GridSheet) -> tuple[Layout, MapFrame]:
        """Take the layout on which the grid is shown larger; upright where both show it alike."""
        fitted = [
            (layout, fit(facts.bbox, layout.map.width, layout.map.height))
            for layout in self.layouts
        ]
        return min(fitted, key=lambda one: one[1].scale)

    def _drawn(self, facts: GridSheet, frame: MapFrame) -> Drawing:
        ground = read_ground(self.connection, facts, frame, self.options.at)
        words = DrawingTexts(
            north=self.say("north"),
            bar=self._bar,
            sign=lambda kind: self.say(f"sign_{kind}"),
        )
        return draw(ground, frame, words, 2.2 * _TYPE[self.options.paper])

    def _bar(self, metres: float) -> str:
        if metres == 0:
            return "0"
        if metres >= 1000:
            return self.say("kilometres", n=f"{metres / 1000:g}")
        return self.say("metres", n=f"{metres:g}")

    def _officers(self, facts: GridSheet) -> list[OfficerLine]:
        instead = [] if facts.stand_in is None or self.options.public else [facts.stand_in]
        return [
            OfficerLine(
                self.say(f"role_{one.role}"),
                self.say(f"post_{one.post}"),
                one.name,
                _phone(one.phone),
                one.on_leave and not self.options.public,
            )
            for one in (*facts.officers, *instead)
        ]

    def _no_officers(self, facts: GridSheet) -> str:
        if facts.officers:
            return ""
        return self.say("no_officer" if SEE["officer"].allows(self.actor) else "officers_hidden")

    def _is_small(self, facts: GridSheet) -> bool:
        key = (facts.scheme, facts.rank)
        if key not in self._hidden:
            scheme = find_scheme(self.connection, facts.scheme)
            self._hidden[key] = self._hidden_of(scheme, facts.rank)
        return facts.grid_id in self._hidden[key]

    def _hidden_of(self, scheme: SchemeKey, rank: int) -> set[int]:
        state = t.grid_state.c
        shown = figures(
            self.connection, self.actor, scheme, rank=rank, theme="households",
            at=self.options.at, language=self.options.language,
        )  # fmt: skip
        sizes = {grid: int(value) for grid, value in shown.values.items() if value is not None}
        rows = self.connection.execute(
            sa.select(state.grid_id, state.parent_grid_id).where(
                state.scheme_id == scheme.scheme_id,
                state.rank == rank,
                on_day(state.valid, self.options.at),
            )
        )
        return hide_small(sizes, {row.grid_id: row.parent_grid_id for row in rows})

    def _households(self, facts: GridSheet) -> str:
        number = facts.counts.households
        if number is None:
            return self.say("unknown")
        if self._is_small(facts):
            return self.say("small")
        return self.say("count_households", n=f"{number:,}")

    def _figures(self, facts: GridSheet, households: str) -> list[tuple[str, str]]:
        hidden = households in {self.say("small"), self.say("unknown")}
        km2 = facts.area_km2
        lines = [
            ("area", self.say("km2", n=f"{km2:,.3f}" if km2 < 1 else f"{km2:,.2f}")),
            ("households", households),
        ]
        counted: dict[str, int | None] = {
            "people": None if hidden else facts.counts.people,
            "buildings": facts.counts.buildings,
            "premises": facts.counts.premises,
        }
        below = self._below(facts.grid_id)
        if below:
            counted["children"] = below
        lines += [
            (name, self.say("unknown") if n is None else self.say(f"count_{name}", n=f"{n:,}"))
            for name, n in counted.items()
        ]
        for standard in _STANDARDS:
            share = facts.coverage[standard].share if standard in facts.coverage else None
            if share is not None and not hidden:
                lines.append((standard, f"{share:.0%}"))
        return [(self.say(name), value) for name, value in lines]

    def _below(self, grid_id: int) -> int:
        state = t.grid_state.c
        return int(
            self.connection.execute(
                sa.select(sa.func.count()).where(
                    state.parent_grid_id == grid_id, on_day(state.valid, self.options.at)
                )
            ).scalar_one()
        )

    def _legend(self, drawn: Drawing) -> list[tuple[str, str]]:
        language = self.options.language
        return [
            (
                sample,
                text(f"page.kind_{name}", language) if is_kind else self.say(f"legend_{name}"),
            )
            for name, is_kind, sample in legend_samples(
                drawn, lambda kind: self.say(f"sign_{kind}"), _TYPE[self.options.paper]
            )
        ]

    def tree(self, grid_id: int) -> list[Any]:
        """List a grid and all below it, each above its own, by code."""
        state = t.grid_state.c
        columns = (state.grid_id, state.name, state.code, state.rank)
        day = self.options.at
        start = sa.select(*columns, postgresql.array([state.code]).label("path"))
        top = start.where(state.grid_id == grid_id, on_day(state.valid, day)).cte(
            "tree", recursive=True
        )
        below = sa.select(
            *columns, sa.func.array_append(top.c.path, state.code).label("path")
        ).where(state.parent_grid_id == top.c.grid_id, on_day(state.valid, day))
        tree = top.union_all(below)
        rows = self.connection.execute(sa.select(tree).order_by(tree.c.path)).all()
        if not rows:
            raise NotFoundError("grids.no_grid", grid=grid_id)
        return list(rows)


def _phone(number: str) -> str:
    """Group a number as it is read aloud: 138 0013 8000."""
    if re.fullmatch(r"1\d{10}", number):
        return f"{number[:3]} {number[3:7]} {number[7:]}"
    return number


# --- what lies in the frame --------------------------------------------------------------------


def read_ground(
    connection: sa.Connection, facts: GridSheet, frame: MapFrame, at: date | None = None
) -> Surroundings:
    """
    Read what the map of a grid shows.

    Parameters
    ----------
    connection
        An open transaction.
    facts
        Which grid.
    frame
        What of the ground is seen; its scale decides what is left out.
    at
        The day; None is today. Roads, houses and places are as they are known now.

    Returns
    -------
    Surroundings
        No person and no household is in it.
    """
    state = t.grid_state.c
    row = connection.execute(
        sa.select(state.scheme_id, sa.func.ST_AsBinary(state.geom).label("wkb")).where(
            state.grid_id == facts.grid_id, on_day(state.valid, at)
        )
    ).one()
    level = (state.scheme_id == row.scheme_id, state.rank == facts.rank)
    land = _land(connection, frame.bbox)
    return Surroundings(
        grid=shapely.from_wkb(bytes(row.wkb)),
        neighbours=_grids(connection, frame.bbox, at, *level, state.grid_id != facts.grid_id),
        children=_grids(connection, frame.bbox, at, state.parent_grid_id == facts.grid_id),
        land={kind: [shape for one, _, shape in land if one == kind] for kind, _, _ in land},
        waters=[NamedShape(name, shape) for kind, name, shape in land if kind == "water" and name],
        roads=_roads(connection, frame),
        buildings=_buildings(connection, frame.bbox) if frame.scale <= BUILDINGS_TO else [],
        places=_places(connection, frame.bbox),
    )


def _in(bbox: Bbox, column: Any) -> sa.ColumnElement[bool]:
    box = sa.func.ST_MakeEnvelope(*bbox, SRID)
    seen: sa.ColumnElement[bool] = column.op("&&", is_comparison=True)(box)
    return seen


def _shapes(rows: Iterable[Any]) -> GeometryArray:
    return np.asarray(
        shapely.from_wkb(np.array([bytes(row.wkb) for row in rows], dtype=object)), dtype=object
    )


def _grids(
    connection: sa.Connection, bbox: Bbox, at: date | None, *conditions: Any
) -> list[NamedShape]:
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.name, sa.func.ST_AsBinary(state.geom).label("wkb"))
        .where(*conditions, on_day(state.valid, at), _in(bbox, state.geom))
        .order_by(state.code)
    ).all()
    return [NamedShape(row.name, shape) for row, shape in zip(rows, _shapes(rows), strict=True)]


def _land(connection: sa.Connection, bbox: Bbox) -> list[tuple[str, str, Any]]:
    land = t.land_cover.c
    rows = connection.execute(
        sa.select(land.kind, land.name, sa.func.ST_AsBinary(land.geom).label("wkb"))
        .where(_in(bbox, land.geom))
        .order_by(land.land_cover_id)
    ).all()
    return [(row.kind, row.name, shape) for row, shape in zip(rows, _shapes(rows), strict=True)]


def _roads(connection: sa.Connection, frame: MapFrame) -> list[Road]:
    edge = t.road_edge.c
    rows = connection.execute(
        sa.select(edge.road_class, edge.name, sa.func.ST_AsBinary(edge.geom).label("wkb"))
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(
            t.road_network.c.active,
            edge.road_class.in_(wanted_roads(frame.scale)),
            _in(frame.bbox, edge.geom),
        )
        .order_by(edge.edge_id)
    ).all()
    return [
        Road(row.road_class, row.name, shape)
        for row, shape in zip(rows, _shapes(rows), strict=True)
    ]


def _buildings(connection: sa.Connection, bbox: Bbox) -> list[Any]:
    building = t.building.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(building.footprint).label("wkb"))
        .where(building.footprint.is_not(None), _in(bbox, building.footprint))
        .order_by(building.building_id)
    ).all()
    return list(_shapes(rows))


def _places(connection: sa.Connection, bbox: Bbox) -> list[DrawnPlace]:
    facility = t.facility.c
    rows = connection.execute(
        sa.select(facility.kind, facility.name, sa.func.ST_AsBinary(facility.point).label("wkb"))
        .where(_in(bbox, facility.point))
        .order_by(facility.facility_id)
    ).all()
    return [
        DrawnPlace(row.kind, row.name, shape)
        for row, shape in zip(rows, _shapes(rows), strict=True)
    ]
