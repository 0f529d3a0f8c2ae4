"""The printed sheet of a grid (区域图, 公示牌), and all grids of a town in one booklet.

Reads what stands on it, lays it out and writes one HTML document, from which
:mod:`gis_service.maps.sheets.printing` makes PDF and PNG. Officers are read as the actor may see
them; households are counted, never drawn, and small cells are hidden as in everything that leaves.
"""

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal

import sqlalchemy as sa

from gis_service import __version__
from gis_service.access import Actor, record
from gis_service.access.permissions import SEE
from gis_service.errors import NotFoundError
from gis_service.grids.reading import SchemeKey, find_scheme
from gis_service.grids.versions import today
from gis_service.maps.figures.classes import hide_small
from gis_service.maps.figures.figures import compute_figures
from gis_service.maps.page.grid_map import templates
from gis_service.maps.sheets import printing, queries
from gis_service.maps.sheets.drawing import MapFrame, fit
from gis_service.maps.sheets.grid_drawing import Drawing, DrawingTexts, draw
from gis_service.maps.sheets.layout import PAPERS, TYPE_SCALE, Layout, Paper, layouts
from gis_service.maps.sheets.legend_samples import legend_samples
from gis_service.maps.sheets.sheet import GridSheet, find_county, read_grid_sheet
from gis_service.messages import Language, text

Format = Literal["html", "pdf", "png"]

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
class PrintedFile:
    """A finished file."""

    body: bytes
    media_type: str


def find_grid(connection: sa.Connection, words: str, at: date | None = None) -> int:
    """
    Find the grid that a person names.

    Parameters
    ----------
    connection
        An open transaction.
    words
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
    grid_id = queries.find_grid_id(connection, words, at)
    if grid_id is None:
        raise NotFoundError("sheet.no_grid", grid=words)
    return grid_id


def find_town(connection: sa.Connection, words: str, at: date | None = None) -> int:
    """
    Find the grid of a town.

    Parameters
    ----------
    connection
        An open transaction.
    words
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
    grid_id = queries.find_town_grid_id(connection, words, at)
    if grid_id is None:
        raise NotFoundError("sheet.no_town", town=words)
    return grid_id


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
    return print_document(write_sheet(connection, actor, grid_id, form, options), form)


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
    booklet = _Booklet(connection, actor, options or SheetOptions())
    document = booklet.write_document([booklet.write_page(grid_id)])
    booklet.record(grid_id, form)
    return document


def print_document(document: str, form: Format) -> PrintedFile:
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
    paper = printing.print_pdf(document)
    if form == "pdf":
        return PrintedFile(paper, "application/pdf")
    return PrintedFile(printing.print_png(paper), "image/png")


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
    booklet = _Booklet(connection, actor, options or SheetOptions())
    tree = booklet.read_tree(grid_id)
    booklet.record(grid_id, "booklet")
    before = 1 + -(-len(tree) // _INDEX_ROWS)
    sheets = []
    for number, row in enumerate(tree, start=1):
        sheets.append(replace(booklet.write_page(row.grid_id), page=before + number))
        progress(number, len(tree), row.name)
    rows = [
        IndexRow(row.grid_id, row.name, sheet.code, row.rank - tree[0].rank,
                 sheet.households, sheet.page or 0)
        for row, sheet in zip(tree, sheets, strict=True)
    ]  # fmt: skip
    index = [rows[at : at + _INDEX_ROWS] for at in range(0, len(rows), _INDEX_ROWS)]
    cover = Cover(len(rows), sheets[0].version, index)
    title = text("sheet.cover_title", booklet.options.language, name=tree[0].name)
    return PrintedFile(
        printing.print_pdf(booklet.write_document(sheets, cover, title)), "application/pdf"
    )


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
class _Booklet:
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
        after = {"format": form, "paper": options.paper, "public": options.public}
        record(self.connection, self.actor, "print", "grid", grid_id, after=after)

    def say(self, key: str, **values: object) -> str:
        """Say a text of this room in the reader's language."""
        return text(f"sheet.{key}", self.options.language, **values)

    def day(self, day: date) -> str:
        """Write a date as people of the language do."""
        english = self.options.language == "en"
        month = calendar.month_name[day.month] if english else day.month
        return self.say("date", year=day.year, month=month, day=day.day)

    @cached_property
    def sheet_day(self) -> date:
        """The day of the sheet."""
        return self.options.at or today(self.connection)

    @cached_property
    def maker(self) -> str:
        """Who answers for the map."""
        return self.options.maker or find_county(self.connection).name

    @cached_property
    def layouts(self) -> tuple[Layout, Layout]:
        """Of this paper."""
        return layouts(self.options.paper)

    def write_document(
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
            k=TYPE_SCALE[self.options.paper],
            say=self.say,
            day=self.sheet_day.isoformat(),
            made_on=self.day(self.sheet_day),
            maker=self.maker,
            approval=self.options.approval,
            internal=not self.options.public,
            software=__version__,
        )

    def write_page(self, grid_id: int) -> SheetPage:
        """Read and draw one sheet."""
        at = self.options.at
        facts = read_grid_sheet(self.connection, self.actor, grid_id, at)
        layout, frame = self._choose_layout(facts)
        drawing = self._draw(facts, frame)
        version = facts.version
        households = self._households(facts)
        return SheetPage(
            grid_id=grid_id,
            layout=layout,
            title=self.say("title", name=facts.name),
            chain=" › ".join([self._county, *(grid.name for grid in facts.chain)]),
            level=facts.level.label if self.options.language == "zh-CN" else facts.level.label_en,
            code=" ".join(facts.code_groups),
            svg=drawing.svg,
            scale=self.say("scale", scale=f"{frame.scale:,.0f}"),
            officers=self._officer_lines(facts),
            no_officers=self._no_officers(facts),
            figures=self._figure_lines(facts, households),
            hidden=households == self.say("small"),
            households=households,
            legend=self._legend_lines(drawing),
            version=self.say("version", title=version.title, day=self.day(version.effective_day))
            if version
            else self.say("no_version"),
        )

    @cached_property
    def _county(self) -> str:
        return find_county(self.connection).name

    def _choose_layout(self, facts: GridSheet) -> tuple[Layout, MapFrame]:
        """Take the layout on which the grid is shown larger; upright where both show it alike."""
        fitted = [
            (layout, fit(facts.bbox, layout.map.width, layout.map.height))
            for layout in self.layouts
        ]
        return min(fitted, key=lambda choice: choice[1].scale)

    def _draw(self, facts: GridSheet, frame: MapFrame) -> Drawing:
        surroundings = queries.read_surroundings(
            self.connection, facts.grid_id, facts.rank, frame, self.options.at
        )
        texts = DrawingTexts(
            north=self.say("north"),
            bar=self._say_distance,
            sign=lambda kind: self.say(f"sign_{kind}"),
        )
        return draw(surroundings, frame, texts, 2.2 * TYPE_SCALE[self.options.paper])

    def _say_distance(self, metres: float) -> str:
        if metres == 0:
            return "0"
        if metres >= 1000:
            return self.say("kilometres", n=f"{metres / 1000:g}")
        return self.say("metres", n=f"{metres:g}")

    def _officer_lines(self, facts: GridSheet) -> list[OfficerLine]:
        stand_in = [] if facts.stand_in is None or self.options.public else [facts.stand_in]
        return [
            OfficerLine(
                self.say(f"role_{officer.role}"),
                self.say(f"post_{officer.post}"),
                officer.name,
                _group_phone(officer.phone),
                officer.on_leave and not self.options.public,
            )
            for officer in (*facts.officers, *stand_in)
        ]

    def _no_officers(self, facts: GridSheet) -> str:
        if facts.officers:
            return ""
        return self.say("no_officer" if SEE["officer"].allows(self.actor) else "officers_hidden")

    def _is_small(self, facts: GridSheet) -> bool:
        key = (facts.scheme, facts.rank)
        if key not in self._hidden:
            scheme = find_scheme(self.connection, facts.scheme)
            self._hidden[key] = self._find_hidden(scheme, facts.rank)
        return facts.grid_id in self._hidden[key]

    def _find_hidden(self, scheme: SchemeKey, rank: int) -> set[int]:
        households = compute_figures(
            self.connection, self.actor, scheme, rank=rank, theme="households",
            at=self.options.at, language=self.options.language,
        )  # fmt: skip
        sizes = {grid: int(value) for grid, value in households.values.items() if value is not None}
        parent_of = queries.read_parents_of_level(
            self.connection, scheme.scheme_id, rank, self.options.at
        )
        return hide_small(sizes, parent_of)

    def _households(self, facts: GridSheet) -> str:
        number = facts.counts.households
        if number is None:
            return self.say("unknown")
        if self._is_small(facts):
            return self.say("small")
        return self.say("count_households", n=f"{number:,}")

    def _figure_lines(self, facts: GridSheet, households: str) -> list[tuple[str, str]]:
        hidden = households in {self.say("small"), self.say("unknown")}
        km2 = facts.area_km2
        lines = [
            ("area", self.say("km2", n=f"{km2:,.3f}" if km2 < 1 else f"{km2:,.2f}")),
            ("households", households),
        ]
        counts: dict[str, int | None] = {
            "people": None if hidden else facts.counts.people,
            "buildings": facts.counts.buildings,
            "premises": facts.counts.premises,
        }
        children = queries.count_children(self.connection, facts.grid_id, self.options.at)
        if children:
            counts["children"] = children
        lines += [
            (name, self.say("unknown") if n is None else self.say(f"count_{name}", n=f"{n:,}"))
            for name, n in counts.items()
        ]
        for standard in _STANDARDS:
            share = facts.coverage[standard].share if standard in facts.coverage else None
            if share is not None and not hidden:
                lines.append((standard, f"{share:.0%}"))
        return [(self.say(name), value) for name, value in lines]

    def _legend_lines(self, drawing: Drawing) -> list[tuple[str, str]]:
        language = self.options.language
        return [
            (
                sample,
                text(f"page.kind_{name}", language) if is_kind else self.say(f"legend_{name}"),
            )
            for name, is_kind, sample in legend_samples(
                drawing, lambda kind: self.say(f"sign_{kind}"), TYPE_SCALE[self.options.paper]
            )
        ]

    def read_tree(self, grid_id: int) -> list[Any]:
        """List a grid and all below it, each above its own, by code."""
        tree = queries.read_tree(self.connection, grid_id, self.options.at)
        if not tree:
            raise NotFoundError("grids.no_grid", grid=grid_id)
        return list(tree)


def _group_phone(number: str) -> str:
    """Group a number as it is read aloud: 138 0013 8000."""
    if re.fullmatch(r"1\d{10}", number):
        return f"{number[:3]} {number[3:7]} {number[7:]}"
    return number
