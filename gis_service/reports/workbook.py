"""The numbers of a report as an Excel workbook: typed, filterable, with a sheet of assumptions.

The same facts give the same bytes: no clock and no name of a machine goes in.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from gis_service.coverage.measuring.statistics import RULE
from gis_service.coverage.travel.travel_time import STATUS_NAMES
from gis_service.reports.facts import OUTSIDE, Facts, FigureLine
from gis_service.reports.writing import Writer, compare_grids, order_worst_first
from gis_service.sheet_cells import safe_cell

Value = str | float | int | bool | None
Row = Sequence[Value]

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_HEAD_FILL: Final = PatternFill("solid", start_color="FFE4ECF3")
_COUNT, _SHARE, _MINUTES, _DEGREES = "#,##0", "0.0%", "0.0", "0.000000"
_SHEET_NAME_SIGNS: Final = 29
"""Of 31: openpyxl puts a number behind a name that another sheet has."""


def write_workbook(facts: Facts, writer: Writer) -> bytes:
    """Write the workbook."""
    book = Workbook(write_only=True)
    _add_summary(book, facts, writer)
    for level in facts.levels[1:]:
        title = writer.level(level)
        lines = order_worst_first(facts.of_rank(level.rank))
        if level.rank == facts.levels[1].rank:
            lines += [line for line in facts.lines[RULE] if line.grid_id == OUTSIDE]
        heads = [*_line_heads(writer)]
        _add_table(book, title, heads, [_line(writer, line) for line in lines])
    if len(facts.lines) > 1:
        _add_kinds(book, facts, writer)
    if facts.others:
        _add_others(book, facts, writer)
    if facts.before:
        _add_comparison(book, facts, writer)
    _add_blind_places(book, facts, writer)
    _add_stations(book, facts, writer)
    if facts.districts:
        _add_districts(book, facts, writer)
    _add_minutes(book, facts, writer)
    _add_assumptions(book, facts, writer)
    stamp = datetime(facts.data_day.year, facts.data_day.month, facts.data_day.day)  # noqa: DTZ001
    book.properties.title = f"{writer.title()} — {facts.county}"
    book.properties.creator = writer.maker or facts.county
    book.properties.created = stamp
    out = io.BytesIO()
    book.save(out)
    return remove_clock(out.getvalue(), stamp)


def remove_clock(body: bytes, stamp: datetime) -> bytes:
    """Take the clock out of an Office file."""
    out = io.BytesIO()
    moment = stamp.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with (
        zipfile.ZipFile(io.BytesIO(body)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, content)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            target.writestr(entry, content)
    return out.getvalue()


# --- sheets ---------------------------------------------------------------------------------------


def _add_sheet(book: Workbook, title: str, widths: Sequence[float], *, frozen: bool = True) -> Any:
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", title)[:_SHEET_NAME_SIGNS])
    if frozen:
        sheet.freeze_panes = "A2"
    for place, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    return sheet


def _head_cells(sheet: Any, labels: Iterable[str]) -> list[Cell]:
    cells = []
    for label in labels:
        cell = WriteOnlyCell(sheet, value=safe_cell(label))
        cell.font = Font(bold=True)
        cell.fill = _HEAD_FILL
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        cells.append(cell)
    return cells


def _row_cells(sheet: Any, values: Row, formats: Sequence[str]) -> list[Cell | None]:
    cells: list[Cell | None] = []
    for value, form in zip(values, formats, strict=True):
        if value is None:
            cells.append(None)
            continue
        cell = WriteOnlyCell(sheet, value=safe_cell(value))
        if form and not isinstance(value, str):
            cell.number_format = form
        cells.append(cell)
    return cells


def _add_table(
    book: Workbook, title: str, heads: Sequence[tuple[str, str, float]], rows: Sequence[Row]
) -> None:
    """Write a sheet with a frozen head and a filter; heads are words, format and width."""
    sheet = _add_sheet(book, title, [width for _, _, width in heads])
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(heads))}{max(2, len(rows) + 1)}"
    sheet.append(_head_cells(sheet, [label for label, _, _ in heads]))
    formats = [form for _, form, _ in heads]
    for row in rows:
        sheet.append(_row_cells(sheet, row, formats))


def _figure_heads(writer: Writer) -> list[tuple[str, str, float]]:
    unit = writer.say("minutes_group")
    return [
        (writer.say("households"), _COUNT, 11),
        *((writer.say(name), _COUNT, 11) for name in STATUS_NAMES),
        (writer.say("share"), _SHARE, 9),
        *(
            (f"{writer.say(f'{name}_minutes')} ({unit})", _MINUTES, 11)
            for name in ("median", "p90", "worst")
        ),
    ]


def _figures(line: FigureLine) -> list[Value]:
    minutes = (line.median_minutes, line.p90_minutes, line.worst_minutes)
    return [
        line.n,
        *(getattr(line, name) for name in STATUS_NAMES),
        line.share,
        *(None if value is None else round(value, 2) for value in minutes),
    ]


def _line_heads(writer: Writer) -> list[tuple[str, str, float]]:
    return [
        (writer.say("code"), "", 18),
        (writer.say("name"), "", 20),
        (writer.say("parent"), "", 16),
        *_figure_heads(writer),
    ]


def _line(writer: Writer, line: FigureLine) -> list[Value]:
    name = writer.say("outside") if line.grid_id == OUTSIDE else line.name
    return [line.code, name, line.parent_name, *_figures(line)]


def _add_summary(book: Workbook, facts: Facts, writer: Writer) -> None:
    sheet = _add_sheet(book, writer.say("sheet_summary"), (30, 90), frozen=False)
    sheet.append(_head_cells(sheet, [f"{writer.title()} — {facts.county}", ""]))
    for sentence in writer.sentences():
        sheet.append([safe_cell(sentence)])
    sheet.append([])
    formats = [form for _, form, _ in _figure_heads(writer)]
    heads = [label for label, _, _ in _figure_heads(writer)]
    for label, value, form in zip(heads, _figures(facts.whole), formats, strict=True):
        sheet.append(_row_cells(sheet, [label, value], ["", form]))
    sheet.append(
        _row_cells(sheet, [writer.say("set_target_share"), facts.target_share], ["", "0%"])
    )
    sheet.append([])
    for name, value in writer.heads():
        sheet.append(_row_cells(sheet, [name, value], ["", ""]))


def _add_kinds(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("kind"), "", 18),
        (writer.say("level"), "", 14),
        *_line_heads(writer),
    ]
    rows = [
        [writer.kind(kind), writer.level_of(line.rank), *_line(writer, line)]
        for kind, lines in facts.lines.items()
        if kind != RULE
        for line in lines
        if line.rank < facts.base_rank
    ]
    _add_table(book, writer.say("sheet_kinds"), heads, rows)


def _add_others(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("counted"), "", 16),
        (writer.say("level"), "", 14),
        (writer.say("code"), "", 18),
        (writer.say("name"), "", 20),
        (writer.say("parent"), "", 16),
        (writer.say("number"), _COUNT, 11),
        *((writer.say(name), _COUNT, 11) for name in STATUS_NAMES),
        (writer.say("share"), _SHARE, 9),
    ]
    rows = [
        [writer.say(f"of_{of}"), writer.level_of(line.rank), *_line(writer, line)[:-3]]
        for of, lines in facts.others.items()
        for line in lines
    ]
    _add_table(book, writer.say("sheet_others"), heads, rows)


def _add_comparison(book: Workbook, facts: Facts, writer: Writer) -> None:
    sides = [writer.say(key) for key in ("before", "now")]
    heads = [
        (writer.say("name"), "", 20),
        *((f"{writer.say('covered')}: {side}", _COUNT, 14) for side in sides),
        *((f"{writer.say('share')}: {side}", _SHARE, 14) for side in sides),
    ]
    rows: list[Row] = [[grid.name, *grid.covered, *grid.share] for grid in compare_grids(facts)]
    rows += [[sentence, None, None, None, None] for sentence in writer.compared_with()]
    _add_table(book, writer.say("sheet_compared"), heads, rows)


def _add_blind_places(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("name"), "", 30),
        (writer.say("blind_head", name=writer.say("households")), _COUNT, 14),
        (writer.say("blind_head", name=writer.say("people")), _COUNT, 14),
        (writer.say("worst_of_place"), _MINUTES, 14),
        (writer.say("reason"), "", 16),
        (writer.say("lon"), _DEGREES, 12),
        (writer.say("lat"), _DEGREES, 12),
    ]
    rows: list[Row] = [
        [
            place.name, place.households, place.people, place.worst_minutes,
            writer.say(place.reason), round(place.lon, 4), round(place.lat, 4),
        ]
        for place in facts.blind_places
    ]  # fmt: skip
    if facts.small_places:
        note = writer.say("blind_small", n=facts.small_places)
        rows.append([note, None, None, None, None, None, None])
    _add_table(book, writer.say("sheet_blind"), heads, rows)


def _add_stations(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("kind"), "", 18),
        (writer.say("station"), "", 30),
        (writer.say("lon"), _DEGREES, 12),
        (writer.say("lat"), _DEGREES, 12),
        (writer.say("turnout"), _MINUTES, 12),
        (writer.say("served"), _COUNT, 14),
    ]
    rows = [
        [
            writer.kind(station.kind), station.name, round(station.lon, 6), round(station.lat, 6),
            station.turnout_minutes, station.households,
        ]
        for station in facts.stations
    ]  # fmt: skip
    _add_table(book, writer.say("sheet_stations"), heads, rows)


def _add_districts(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("station"), "", 30),
        (writer.say("district_area"), "#,##0.00", 14),
        (writer.say("district_limit"), "0.##", 14),
        (writer.say("district_verdict"), "", 14),
        (writer.say("source"), "", 60),
        (writer.say("district_crosses"), "", 50),
        (writer.say("district_detached"), "", 50),
    ]
    rows: list[Row] = [
        [
            writer.station_of(district), round(district.area_km2, 3), district.limit_km2,
            writer.verdict(district) or None, writer.limit_source(district) or None,
            writer.crossings(district), writer.enclaves(district),
        ]
        for district in facts.districts
    ]  # fmt: skip
    _add_table(book, writer.say("section_districts"), heads, rows)


def _add_minutes(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("from_minutes"), "0.##", 20),
        (writer.say("to_minutes"), "0.##", 20),
        (writer.say("households"), _COUNT, 12),
    ]
    rows = [[bin_.from_minutes, bin_.to_minutes, bin_.households] for bin_ in facts.minutes]
    _add_table(book, writer.say("sheet_minutes"), heads, rows)


def _add_assumptions(book: Workbook, facts: Facts, writer: Writer) -> None:
    heads = [
        (writer.say("setting"), "", 32),
        (writer.say("value"), "", 44),
        (writer.say("source"), "", 90),
    ]
    rows: list[Row] = [[name, value, None] for name, value in writer.heads()]
    rows += [
        [
            setting.name,
            setting.text if isinstance(setting.value, bool) else setting.value,
            setting.source,
        ]
        for setting in writer.settings()
    ]
    rows += [
        [f"{writer.say('speed')}: {name}", speed, source] for name, speed, source in writer.speeds()
    ]
    if facts.network is not None:
        rows.append([writer.say("network"), facts.network.name, facts.network.source])
    rows += [[writer.say("section_left_out"), note, None] for note in writer.notes()]
    _add_table(book, writer.say("sheet_settings"), heads, rows)
