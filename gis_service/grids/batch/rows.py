"""A whole file of places: each row with its grid behind it, in order, a block at a time.

What the sender wrote stays as it was; a row that cannot be placed stays too, with the reason, and
is listed besides. However long the file is, only a block of it is held.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from gis_service.coordinate_systems import (
    CoordinateSystem,
    Fit,
    find_best_fit,
    parse_crs,
    to_cgcs2000,
)
from gis_service.errors import InputError, Place
from gis_service.geodesy import FloatArray
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.messages import Language, text
from gis_service.sheet_cells import safe_cell

IntArray = npt.NDArray[np.int64]

FIELDS: Final = ("grid_code", "grid_name", "grid_method", "nearest_code", "nearest_m")
REFUSED: Final = "refused"
"""What is added to a row: the first five for each scheme, the reason once."""

Reason = Literal[
    "row_no_number",
    "row_no_coordinates",
    "row_not_on_earth",
    "row_fields",
    "row_crs_unknown",
    "row_crs_differs",
    "row_no_point",
    "row_no_json",
]


@dataclass(frozen=True)
class Source:
    """
    The index of one scheme, and how its grids are called.

    Attributes
    ----------
    prefix
        Before the names of its fields; empty for the only or the base scheme.
    names
        Code and name by grid id.
    version
        Which version of the boundaries it is, for the record.
    """

    scheme: str
    prefix: str
    locator: Locator
    names: dict[int, tuple[str, str]]
    version: dict[str, object]


@dataclass(frozen=True)
class Options:
    """
    How a file is to be read.

    Attributes
    ----------
    crs
        Of all coordinates; None where ``crs_column`` says it row by row, or the file itself.
    lon_column, lat_column, crs_column
        Names of columns; longitude and latitude are looked for where they are None.
    encoding
        Of a CSV; found out where None: UTF-8 or GB18030.
    find_columns
        Takes the names of the columns and those stated (``lon``, ``lat``), gives which column is
        which.
    language
        In which reasons are told.
    """

    crs: CoordinateSystem | None
    lon_column: str | None = None
    lat_column: str | None = None
    crs_column: str | None = None
    encoding: str | None = None
    find_columns: Callable[[Sequence[str], dict[str, str]], dict[str, str]] | None = None
    language: Language = "zh-CN"

    def stated(self) -> dict[str, str]:
        """Name the columns that were stated."""
        stated = {"lon": self.lon_column, "lat": self.lat_column}
        return {ours: column for ours, column in stated.items() if column is not None}


@dataclass(frozen=True)
class Reject:
    """A row without an answer, as the sender counts rows (the first one after the header is 1)."""

    row: int
    field: str
    reason: str


@dataclass
class Tally:
    """
    What was done so far.

    Attributes
    ----------
    rows, within, ties, outside, refused
        Counts; ``within`` holds the ties.
    suggestion
        Another reading of the coordinates, where the stated one puts most rows outside and that
        one would not.
    """

    rows: int = 0
    within: int = 0
    ties: int = 0
    outside: int = 0
    refused: int = 0
    suggestion: Fit | None = None
    rejected: Callable[[Reject], None] = field(default=lambda _reject: None, repr=False)

    def as_dict(self) -> dict[str, object]:
        """
        Give the counts for programs.

        Returns
        -------
        dict
            With the suggestion as ``crs``, ``swapped``, ``share``.
        """
        fit = self.suggestion
        return {
            "rows": self.rows,
            "within": self.within,
            "border_ties": self.ties,
            "outside": self.outside,
            "refused": self.refused,
            "suggestion": None
            if fit is None
            else {"crs": fit.system.code, "swapped": fit.swapped, "share": round(fit.share, 4)},
        }


@dataclass(frozen=True)
class BlockAnswer:
    """
    The answers of one scheme for a block.

    Attributes
    ----------
    grid_id
        ``NO_GRID`` outside and where a row was refused.
    tie
        The lowest id decided.
    nearest_id, nearest_m
        Of the rows outside; ``NO_GRID`` and NaN elsewhere.
    """

    grid_id: IntArray
    tie: npt.NDArray[np.bool_]
    nearest_id: IntArray
    nearest_m: FloatArray


def place_block(
    sources: Sequence[Source],
    options: Options,
    x: FloatArray,
    y: FloatArray,
    refused: dict[int, tuple[str, Reason]],
    tally: Tally,
    systems: Sequence[str] | None = None,
) -> list[BlockAnswer]:
    """Answer for the rows of a block."""
    lon, lat = _to_degrees(options, x, y, systems, refused)
    with np.errstate(invalid="ignore"):
        nowhere = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    lon[nowhere] = lat[nowhere] = np.nan
    for row in np.flatnonzero(nowhere).tolist():
        refused.setdefault(row, ("", "row_not_on_earth"))
    answers = [_locate_block(source.locator, lon, lat, ~nowhere) for source in sources]
    first = answers[0]
    if tally.rows == 0 and options.crs is not None:
        tally.suggestion = _suggest_reading(sources[0].locator, options.crs, x, y, first)
    _add_counts(tally, first, len(x), len(refused))
    return answers


def _to_degrees(
    options: Options,
    x: FloatArray,
    y: FloatArray,
    systems: Sequence[str] | None,
    refused: dict[int, tuple[str, Reason]],
) -> tuple[FloatArray, FloatArray]:
    if systems is None:
        assert options.crs is not None
        return to_cgcs2000(options.crs, x, y)
    lon, lat = np.full(len(x), np.nan), np.full(len(x), np.nan)
    words = np.asarray(systems, dtype=object)
    for word in set(systems):
        rows = np.flatnonzero(words == word)
        reason: Reason | None = None
        try:
            system = parse_crs(word) if word.strip() else options.crs
        except InputError:
            system = None
        if system is None:
            reason = "row_crs_unknown"
        elif options.crs is not None and not _is_same_system(system, options.crs):
            reason = "row_crs_differs"
        if system is None or reason is not None:
            for row in rows.tolist():
                refused[row] = (word[:60], reason or "row_crs_unknown")
            continue
        lon[rows], lat[rows] = to_cgcs2000(system, x[rows], y[rows])
    return lon, lat


def _is_same_system(first: CoordinateSystem, second: CoordinateSystem) -> bool:
    alike = {"cgcs2000", "wgs84"}
    return first == second or {first.code, second.code} <= alike


def _locate_block(
    locator: Locator, lon: FloatArray, lat: FloatArray, placed: npt.NDArray[np.bool_]
) -> BlockAnswer:
    located = locator.locate(lon, lat)
    nearest_id = np.full(len(lon), NO_GRID, dtype=np.int64)
    nearest_m = np.full(len(lon), np.nan)
    outside = np.flatnonzero((located.grid_id == NO_GRID) & placed)
    if len(outside):
        nearest = locator.borders_near(
            lon[outside], lat[outside], located.grid_id[outside], exact=False
        )
        nearest_id[outside], nearest_m[outside] = nearest.grid_id, nearest.distance_m
    return BlockAnswer(located.grid_id, located.tie, nearest_id, nearest_m)


def _suggest_reading(
    locator: Locator, stated: CoordinateSystem, x: FloatArray, y: FloatArray, first: BlockAnswer
) -> Fit | None:
    """Ask for another reading where the first block falls mostly outside."""
    is_given = np.isfinite(x) & np.isfinite(y)
    if not is_given.any() or (first.grid_id[is_given] != NO_GRID).mean() >= 0.5:
        return None
    sample = np.flatnonzero(is_given)[:1000]

    def fits(lon: FloatArray, lat: FloatArray) -> float:
        return float((locator.locate(lon, lat).grid_id != NO_GRID).mean())

    fit = find_best_fit(x[sample], y[sample], fits, stated)
    return fit if fit.share >= 0.5 and (fit.swapped or fit.system != stated) else None


def _add_counts(tally: Tally, first: BlockAnswer, rows: int, refused: int) -> None:
    within = int((first.grid_id != NO_GRID).sum())
    tally.rows += rows
    tally.within += within
    tally.ties += int(first.tie.sum())
    tally.refused += refused
    tally.outside += rows - within - refused


def describe_refusal(options: Options, given: str, reason: Reason) -> str:
    """Tell why a row has no answer."""
    return text(f"locate.{reason}", options.language, given=given)


def answer_rows(
    sources: Sequence[Source],
    options: Options,
    xy: FloatArray,
    refused: dict[int, tuple[str, Reason]],
    tally: Tally,
    systems: Sequence[str] | None,
) -> list[list[Any]]:
    """
    Place a block of rows and give what is added to each.

    Parameters
    ----------
    sources, options, tally
        As for :func:`assigned`.
    xy
        (n, 2): as the file has them, NaN where there is none.
    refused
        What was found and why there is no answer, by row; what cannot be placed is added.
    systems
        The coordinate system of each row, where the file names it row by row.

    Returns
    -------
    list of list
        Values in the order of :func:`name_fields`.
    """
    before = tally.rows
    x, y = xy[:, 0].copy(), xy[:, 1].copy()
    answers = place_block(sources, options, x, y, refused, tally, systems)
    rows = []
    for index in range(len(xy)):
        reason = None
        if index in refused:
            reason = describe_refusal(options, *refused[index])
            tally.rejected(Reject(before + index + 1, refused[index][0], reason))
        rows.append([*list_values(sources, answers, index), reason])
    return rows


def name_fields(sources: Sequence[Source], file_names: Sequence[str]) -> list[str]:
    """
    Name the fields that are added, none of them one that the file has.

    Parameters
    ----------
    sources
        The schemes.
    taken
        The file's own names.

    Returns
    -------
    list of str
        Five a scheme and the reason; with a number behind where the file has that name.
    """
    names = [f"{source.prefix}{name}" for source in sources for name in FIELDS]
    used = {name.strip().casefold() for name in file_names}
    named: list[str] = []
    for name in [*names, REFUSED]:
        new, number = name, 2
        while new.casefold() in used:
            new, number = f"{name}_{number}", number + 1
        used.add(new.casefold())
        named.append(new)
    return named


def list_values(sources: Sequence[Source], answers: Sequence[BlockAnswer], row: int) -> list[Any]:
    """Give the values that are added to one row, but for the reason."""
    values: list[Any] = []
    for source, answer in zip(sources, answers, strict=True):
        grid, nearest = int(answer.grid_id[row]), int(answer.nearest_id[row])
        if grid != NO_GRID:
            method = "border_tie" if answer.tie[row] else "within"
            values += [*source.names[grid], method, None, None]
        elif np.isnan(answer.nearest_m[row]):
            values += [None] * len(FIELDS)
        else:
            code = source.names[nearest][0] if nearest != NO_GRID else None
            metres = float(answer.nearest_m[row])
            rounded = round(metres, 1) if np.isfinite(metres) else None
            values += [None, None, "outside", code, rounded]
    return values


def require_crs(options: Options) -> None:
    """
    Refuse a file whose coordinate system nobody states.

    Parameters
    ----------
    options
        As given.

    Raises
    ------
    InputError
        Neither the sender nor a column says it.
    """
    if options.crs is None and options.crs_column is None:
        raise InputError("locate.crs_needed", place=Place(field="crs"))


class RejectList:
    """The refused rows as a CSV of their own: row, field, reason."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._file.write("\ufeffrow,given,reason\r\n".encode())

    def add(self, reject: Reject) -> None:
        """
        Write one row.

        Parameters
        ----------
        reject
            Which row, and why.
        """
        given, reason = (quote(safe_cell(value)) for value in (reject.field, reject.reason))
        line = f"{reject.row},{given},{reason}\r\n"
        self._file.write(line.encode())


def quote(value: str, delimiter: str = ",") -> str:
    """Write a text as a field of a CSV."""
    if any(sign in value for sign in (delimiter, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value
