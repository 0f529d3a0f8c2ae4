"""Which figures of a report may be told: small cells are hidden, and whatever gives them away.

Pure: exact figures in, lines out in which a hidden number is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gis_service.coverage.measuring.disclosure import NO_PARENT, SMALLEST, Counts, choose_hidden
from gis_service.coverage.measuring.statistics import COUNTY_GRID, COUNTY_RANK, HOUSEHOLDS, RULE
from gis_service.coverage.runs.runs import Figures
from gis_service.coverage.travel.travel_time import COVERED, STATUS_NAMES
from gis_service.maps.figures.classes import PERCENT_BREAKS, class_of
from gis_service.reports.facts import OUTSIDE, FigureLine

_OF_PERSONS: Final = frozenset({"people", "care_households"})
_BESIDE_HOUSEHOLDS: Final = frozenset({"buildings"})
_LEFT_OUT: Final = tuple(range(COVERED + 1, len(STATUS_NAMES)))


@dataclass(frozen=True)
class ReportGrid:
    """A grid as its line names it; the parent of a grid of the top level is the county."""

    code: str
    name: str
    rank: int
    parent: int


FiguresOf = Mapping[tuple[str, str], Mapping[int, Figures]]
"""By kind of facility and what is counted: figures by grid, the county and each parent first."""


def hide_small_cells(
    figures: FiguresOf, grids: Mapping[int, ReportGrid], county_name: str
) -> tuple[dict[str, list[FigureLine]], dict[str, list[FigureLine]]]:
    """Give the lines by kind of facility, and those by the rule of what else was counted."""
    ids = [COUNTY_GRID, *(grid for grid in figures[RULE, HOUSEHOLDS] if grid != COUNTY_GRID)]
    place_of = {grid: place for place, grid in enumerate(ids)}
    parent = [NO_PARENT, *(place_of[grids[grid].parent] for grid in ids[1:])]
    tables = {
        key: np.array([_categories(by_grid[grid]) for grid in ids], dtype=np.int64)
        for key, by_grid in figures.items()
    }
    full_parent, tables, outside = _add_residues(parent, tables)
    masks = _hide_cells(full_parent, tables)
    known_grids = {COUNTY_GRID: ReportGrid("", county_name, COUNTY_RANK, COUNTY_GRID), **grids}
    lines: dict[tuple[str, str], list[FigureLine]] = {}
    for key, by_grid in figures.items():
        lines[key] = [
            _grid_line(grid, known_grids, by_grid[grid], masks[key][0][place], masks[key][1][place])
            for place, grid in enumerate(ids)
        ]
        if outside is not None:
            n_mask, cell_mask = masks[key]
            rest = tables[key][outside].tolist()
            lines[key].append(_outside_line(rest, bool(n_mask[outside]), cell_mask[outside]))
    by_kind = {kind: lines[kind, HOUSEHOLDS] for kind, of in figures if of == HOUSEHOLDS}
    return by_kind, {of: of_lines for (_, of), of_lines in lines.items() if of != HOUSEHOLDS}


def _hide_cells(parent: list[int], tables: Mapping[tuple[str, str], Any]) -> dict[Any, Any]:
    """Hide small cells of households, and with them those of people."""
    # Buildings are nobody's data, but where each has one household their number tells the other
    # one: they are hidden where households are, and nowhere else.
    above = np.array(parent)
    kinds = {kind: table for (kind, of), table in tables.items() if of == HOUSEHOLDS}
    households = choose_hidden(Counts(above, kinds), together=_LEFT_OUT)
    masks = {(kind, HOUSEHOLDS): (households.n, cells) for kind, cells in households.cells.items()}
    for (kind, of), table in tables.items():
        if of in _OF_PERSONS:
            counts = Counts(above, {RULE: table})
            mask = choose_hidden(
                counts, with_n=households.n, with_cells=households.cells, together=_LEFT_OUT
            )
            masks[kind, of] = (mask.n, mask.cells[RULE])
        elif of in _BESIDE_HOUSEHOLDS:
            counts = Counts(above, {RULE: table})
            mask = choose_hidden(
                counts, with_n=households.n, with_cells=households.cells, smallest=1
            )
            masks[kind, of] = (mask.n, mask.cells[RULE])
        elif of != HOUSEHOLDS:
            masks[kind, of] = (np.zeros(len(table), dtype=bool), np.zeros(table.shape, dtype=bool))
    return masks


def _categories(figure: Figures) -> tuple[int, ...]:
    return tuple(getattr(figure, name) for name in STATUS_NAMES)


def _add_residues(
    parent: list[int], tables: Mapping[tuple[str, str], Any]
) -> tuple[list[int], dict[tuple[str, str], Any], int | None]:
    """Add a row below every grid whose parts do not make it up: who lies in no grid below it."""
    # A residue is no line of the report, but a reader could subtract it: it is hidden like one.
    # That of the county is one; its place is told.
    full_parent = [*parent]
    rows = {key: [table] for key, table in tables.items()}
    outside = None
    above = np.array(parent[1:])
    for place in sorted({above_it for above_it in parent if above_it != NO_PARENT}):
        residues = {
            key: table[place] - table[1:][above == place].sum(axis=0)
            for key, table in tables.items()
        }
        if any(rest.any() for rest in residues.values()):
            outside = len(full_parent) if place == 0 else outside
            full_parent.append(place)
            for key, rest in residues.items():
                rows[key].append(rest[None, :])
    return full_parent, {key: np.concatenate(parts) for key, parts in rows.items()}, outside


def _grid_line(
    grid_id: int, grids: Mapping[int, ReportGrid], figure: Figures, hide_n: Any, hide_cells: Any
) -> FigureLine:
    grid = grids[grid_id]
    categories = _hide(_categories(figure), hide_cells)
    n = None if hide_n else figure.n
    # Minutes are of those who are reached at all. Where parts of these are hidden they are too: a
    # worst time within the limit says that nobody is too far, which gives a sibling's number away.
    enough = figure.covered + figure.too_far >= SMALLEST
    timed = n is not None and enough and None not in (categories["covered"], categories["too_far"])
    return FigureLine(
        grid_id=grid_id,
        code=grid.code,
        name=grid.name,
        parent_name=grids[grid.parent].name if grid_id != COUNTY_GRID else "",
        rank=grid.rank,
        n=n,
        **categories,
        share=figure.share if n is not None and categories["covered"] is not None else None,
        share_class=_share_class(figure, n),
        hidden=n is None or None in categories.values(),
        status=figure.status,
        median_minutes=figure.median_minutes if timed else None,
        p90_minutes=figure.p90_minutes if timed else None,
        worst_minutes=figure.worst_minutes if timed else None,
    )


def _hide(counts: Sequence[int], mask: Any) -> dict[str, int | None]:
    return {
        name: None if hide_it else int(value)
        for name, value, hide_it in zip(STATUS_NAMES, counts, mask, strict=True)
    }


def _share_class(figure: Figures, n: int | None) -> int | None:
    """Find the class of a share, where one household more or less would have the same."""
    if n is None or n == 0:
        return None
    around = {
        class_of(100 * min(max(covered, 0), n) / n, PERCENT_BREAKS)
        for covered in (figure.covered - 1, figure.covered, figure.covered + 1)
    }
    return around.pop() if len(around) == 1 else None


def _outside_line(counts: Sequence[int], hide_n: bool, hide_cells: Any) -> FigureLine:  # noqa: FBT001
    categories = _hide(counts, hide_cells)
    n = None if hide_n else sum(counts)
    covered = categories["covered"]
    return FigureLine(
        grid_id=OUTSIDE,
        code="",
        name="",
        parent_name="",
        rank=COUNTY_RANK,
        n=n,
        **categories,
        share=covered / n if n and covered is not None else None,
        share_class=None,
        hidden=n is None or None in categories.values(),
        status="ok",
        median_minutes=None,
        p90_minutes=None,
        worst_minutes=None,
    )


def by_fives(number: int) -> int:
    """Round to the nearest five."""
    return max(5, 5 * ((number + 2) // 5))


def join_small_bins(counts: Any, part: range) -> list[tuple[int, int]]:
    """Join neighbours until no bin holds 1–4 households; on one side of the limit only."""
    runs: list[tuple[int, int]] = []
    for place in part:
        runs.append((place, place))
        while len(runs) > 1 and _is_small(counts, runs[-2]):
            (first, _), (_, last) = runs[-2:]
            runs[-2:] = [(first, last)]
    while len(runs) > 1 and _is_small(counts, runs[-1]):
        (first, _), (_, last) = runs[-2:]
        runs[-2:] = [(first, last)]
    return runs


def _is_small(counts: Any, run: tuple[int, int]) -> bool:
    return 0 < int(counts[run[0] : run[1] + 1].sum()) < SMALLEST
