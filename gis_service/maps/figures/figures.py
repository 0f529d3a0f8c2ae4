"""One figure for every grid of a level, in classes with breaks that a person would choose.

Says what is counted, of what, in which unit, on which day, and how many grids fall in each class.
Figures of people and of trouble come through :mod:`gis_service.grids.answers.tallies`, so that
nobody reads off the map what the tables would not tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coverage.runs.runs import find_latest_run
from gis_service.coverage.standards.book import standard_book
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.answers.queries import count_by_grid, find_grids_seen, read_parents
from gis_service.grids.answers.tallies import add_up
from gis_service.grids.reading import SchemeKey, on_day
from gis_service.grids.versions import today
from gis_service.maps.figures.classes import (
    AROUND_TARGET,
    PERCENT_BREAKS,
    SEQUENTIAL,
    class_of,
    round_breaks,
    size_class,
    spread,
)
from gis_service.maps.figures.coverage_figures import shares_by_grid
from gis_service.messages import Language, text
from gis_service.store import tables as t

Status = Literal["ok", "no_facility", "no_roads", "no_households", "no_run"]
Values = dict[int, float | None]
CHINA: Final = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Counted:
    """A theme that counts rows: the table, the figure of it, and its colours."""

    table: sa.Table
    figure: str
    colours: str


COUNTED: Final[Mapping[str, Counted]] = {
    "households": Counted(t.household, "households", "Purples"),
    "people": Counted(t.household, "people", "Purples"),
    "hazards": Counted(t.hazard, "hazards_open", "YlOrBr"),
    "incidents": Counted(t.incident, "incidents_year", "YlOrBr"),
}
_DEDICATED: Final = "dedicated"
_SIZE_NAMES: Final = ("far_too_small", "too_small", "right", "too_big", "far_too_big")


@dataclass(frozen=True)
class FigureClass:
    """
    One line of the legend.

    Attributes
    ----------
    min, max
        Limits of the class, ``max`` exclusive; None where open or where they differ by grid.
    count
        Grids in it.
    """

    label: str
    min: float | None
    max: float | None
    count: int
    colour: str


@dataclass(frozen=True)
class MapFigures:
    """
    A theme over the grids of a level.

    Attributes
    ----------
    unit, of
        What a value is, and of what; in the reader's language.
    day
        The day the values hold for.
    breaks
        Lower limits of all classes but the first; empty where the limits differ by grid.
    values
        By grid id; None where there is no value or the actor may not see it.
    class_of
        Place in ``classes`` by grid id; None where there is no value.
    """

    theme: str
    scheme: str
    rank: int
    unit: str
    of: str
    day: date
    breaks: list[float]
    classes: list[FigureClass]
    values: Values
    class_of: dict[int, int | None]
    status: Status


def compute_figures(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    *,
    rank: int,
    theme: str,
    at: date | None,
    language: Language,
) -> MapFigures:
    """
    Compute a theme.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    scheme
        Which scheme.
    rank
        Which level.
    theme
        ``households``, ``people``, ``hazards``, ``incidents``, the code of a standard, or
        ``standard:kind``.
    at
        The day; None is today. Coverage is as of its newest run.
    language
        Of the labels.

    Returns
    -------
    MapFigures
        A value for every grid of the level.

    Raises
    ------
    NotFoundError
        The scheme has no such level.
    InputError
        There is no such theme.
    """
    classes = _grid_classes(connection, scheme, rank, at)
    if theme in COUNTED:
        return _count_theme(connection, actor, scheme, rank, theme, at, language, classes)
    return _measure_theme(connection, actor, scheme, rank, theme, language, classes)


def _grid_classes(
    connection: sa.Connection, scheme: SchemeKey, rank: int, at: date | None
) -> dict[int, str | None]:
    """Every grid of the level with its urban–rural class; a dedicated one has none."""
    state, level = t.grid_state.c, t.grid_level.c
    has_level = sa.exists().where(level.scheme_id == scheme.scheme_id, level.rank == rank)
    if not connection.scalar(sa.select(has_level)):
        raise NotFoundError("grids.no_level", scheme=scheme.code, rank=rank)
    rows = connection.execute(
        sa.select(state.grid_id, state.urban_rural_class, t.grid.c.kind)
        .join(t.grid, t.grid.c.grid_id == state.grid_id)
        .where(state.scheme_id == scheme.scheme_id, state.rank == rank, on_day(state.valid, at))
    )
    return {
        row.grid_id: _DEDICATED if row.kind == _DEDICATED else row.urban_rural_class for row in rows
    }


def _count_theme(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    rank: int,
    theme: str,
    at: date | None,
    language: Language,
    grid_classes: Mapping[int, str | None],
) -> MapFigures:
    counted = COUNTED[theme]
    seen_grids = find_grids_seen(connection, actor, counted.table)
    sums = add_up(
        count_by_grid(connection, actor, counted.table, scheme, at=at),
        read_parents(connection, scheme, at),
    )
    values: Values = {
        grid: float(sums.get(grid, {}).get(counted.figure, 0))
        if seen_grids is None or grid in seen_grids
        else None
        for grid in grid_classes
    }
    limits: dict[int, tuple[float, float] | None] = {}
    if theme == "households" and rank == scheme.base_rank and scheme.size_rule:
        limits = {grid: _limits(scheme.size_rule, kind) for grid, kind in grid_classes.items()}
    classes: dict[int, int | None]
    if any(limits.values()):  # without a class there is no rule to be measured by
        classes = {
            grid: None
            if value is None or (rule := limits[grid]) is None
            else size_class(int(value), *rule)
            for grid, value in values.items()
        }
        breaks: list[float] = []
        lines = _size_legend(scheme.size_rule, classes, language)
    else:
        breaks = round_breaks(value for value in values.values() if value is not None)
        classes = _find_classes(values, breaks)
        lines = _legend(values, breaks, classes, SEQUENTIAL[counted.colours])
    return MapFigures(
        theme=theme,
        scheme=scheme.code,
        rank=rank,
        unit=text(f"api.unit_{theme}", language),
        of=text(f"api.of_{theme}", language),
        day=at or today(connection),
        breaks=breaks,
        classes=lines,
        values=values,
        class_of=classes,
        status="ok",
    )


def _limits(
    rule: Mapping[str, Sequence[float]], urban_rural_class: str | None
) -> tuple[float, float] | None:
    """Urban classes begin with 1, rural ones with 2; a single rule holds for every grid of land."""
    if urban_rural_class == _DEDICATED:
        return None
    if len(rule) == 1:
        (limits,) = rule.values()
        return limits[0], limits[1]
    name = {"1": "urban", "2": "rural"}.get((urban_rural_class or " ")[0])
    return (rule[name][0], rule[name][1]) if name is not None and name in rule else None


def _size_legend(
    rule: Mapping[str, Sequence[float]], classes: Mapping[int, int | None], language: Language
) -> list[FigureClass]:
    ranges = text("api.list_comma", language).join(
        text(f"api.size_range_{name}", language, low=f"{low:,.0f}", high=f"{high:,.0f}")
        if name in {"urban", "rural"}
        else f"{low:,.0f}–{high:,.0f}"
        for name, (low, high) in sorted(rule.items(), reverse=True)
    )
    class_list = list(classes.values())
    return [
        FigureClass(
            text(f"api.size_{name}", language, ranges=ranges),
            None,
            None,
            class_list.count(place),
            colour,
        )
        for place, (name, colour) in enumerate(zip(_SIZE_NAMES, AROUND_TARGET, strict=True))
    ]


def _find_classes(values: Values, breaks: Sequence[float]) -> dict[int, int | None]:
    return {
        grid: None if value is None else class_of(value, breaks) for grid, value in values.items()
    }


def _legend(
    values: Values,
    breaks: Sequence[float],
    classes: Mapping[int, int | None],
    colours: Sequence[str],
    suffix: str = "",
) -> list[FigureClass]:
    present = [value for value in values.values() if value is not None]
    if not present:
        return []
    class_list = list(classes.values())
    limits: list[float | None] = [None, *breaks, None]
    lines = []
    for place, colour in enumerate(spread(colours, len(breaks) + 1)):
        low, high = limits[place], limits[place + 1]
        label = _label(low, high, present[0], whole=not suffix) + suffix
        lines.append(FigureClass(label, low, high, class_list.count(place), colour))
    return lines


def _label(low: float | None, high: float | None, only: float, *, whole: bool) -> str:
    if low is None:
        if high is None:
            return f"{only:,.0f}"
        return "0" if whole and high <= 1 else f"< {high:,.0f}"
    if high is None:
        return f"≥ {low:,.0f}"
    if whole and high - 1 <= low:
        return f"{low:,.0f}"
    return f"{low:,.0f}–{high - 1 if whole else high:,.0f}"


def _measure_theme(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    rank: int,
    theme: str,
    language: Language,
    grid_classes: Mapping[int, str | None],
) -> MapFigures:
    code, _, kind = theme.partition(":")
    book = standard_book()
    standard = book.standards.get(code)
    if standard is None or (kind and kind not in standard.kinds):
        known_themes = ", ".join((*COUNTED, *book.standards))
        raise InputError(
            "api.no_theme", place=Place(field="theme"), theme=theme, known=known_themes
        )
    run = find_latest_run(connection, code)
    values: Values = dict.fromkeys(grid_classes)
    status: Status = "no_run"
    if run is not None:
        shares = shares_by_grid(connection, actor, scheme, run.run_id, rank, kind)
        values |= {
            grid: None if share is None else round(100 * share, 1)
            for grid, share in shares.items()
            if grid in values
        }
        status = run.summary["kinds"][kind]["status"] if kind else run.summary["status"]
    breaks = list(PERCENT_BREAKS)
    classes = _find_classes(values, breaks)
    return MapFigures(
        theme=theme,
        scheme=scheme.code,
        rank=rank,
        unit="%",
        of=text(
            "api.of_coverage_kind" if kind else "api.of_coverage",
            language,
            standard=standard.name if language == "zh-CN" else standard.name_en,
            kind=text(f"api.facility_{kind}", language) if kind else "",
            minutes=f"{standard.limit_minutes.value:g}",
        ),
        day=run.finished_at.astimezone(CHINA).date() if run else today(connection),
        breaks=breaks,
        classes=_legend(values, breaks, classes, SEQUENTIAL["YlGnBu"], " %"),
        values=values,
        class_of=classes,
        status=status,
    )
