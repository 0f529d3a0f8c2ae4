"""What a coverage report says, as values: figures with the small cells hidden, and how they came.

The one module of this room that meets the store. What leaves here may leave the house: no household
and no address is in it, and what :mod:`gis_service.coverage.measuring.disclosure` hides is None.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import shapely
import shapely.geometry
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.coverage.areas.answers import AreaBand, NamedDistrict
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.measuring.disclosure import (
    NO_PARENT,
    SMALLEST,
    Counts,
    choose_hidden,
    choose_hidden_entries,
)
from gis_service.coverage.measuring.fingerprints import find_changed_parts
from gis_service.coverage.measuring.statistics import (
    COUNTY_GRID,
    COUNTY_RANK,
    HOUSEHOLDS,
    POPULATIONS,
    RULE,
)
from gis_service.coverage.runs.runs import (
    Figures,
    Run,
    find_blind_spots,
    find_latest_run,
    find_run,
    read_figures_by_grid,
)
from gis_service.coverage.runs.staleness import find_stale_parts
from gis_service.coverage.standards.book import standard_book
from gis_service.coverage.travel.travel_time import COVERED, STATUS_NAMES, TOO_FAR
from gis_service.errors import InputError, NotAllowedError, NotFoundError, Place
from gis_service.geodesy import GeometryArray
from gis_service.grids.reading import VersionRow, find_scheme, on_day
from gis_service.ingest.readers.frames import Note
from gis_service.ingest.writing.past_imports import region_notes
from gis_service.maps.figures.classes import PERCENT_BREAKS, class_of
from gis_service.maps.sheets.sheet import county
from gis_service.store import tables as t

CHINA: Final = ZoneInfo("Asia/Shanghai")
OUTSIDE: Final = -1
"""The ``grid_id`` of the row for households that lie in no grid."""
_OF_PERSONS: Final = frozenset({"people", "care_households"})
_BESIDE_HOUSEHOLDS: Final = frozenset({"buildings"})
_SERVICE_LIMIT: Final = 15.0
_OF_BANDS: Final = frozenset({"network", "facilities", "settings", "software"})
_LEFT_OUT: Final = tuple(range(COVERED + 1, len(STATUS_NAMES)))
_MOST_NAMES: Final = 40
_ROAD_CLASSES: Final = ("motorway", "trunk", "primary", "secondary", "tertiary")


@dataclass(frozen=True)
class LevelFigures:
    """A tier of the base scheme; rank 0 is the county."""

    rank: int
    label: str
    label_en: str


@dataclass(frozen=True)
class FigureLine:
    """The figures of one grid, as far as they may be told; what is hidden is None."""

    grid_id: int
    code: str
    name: str
    # Of the grid above.
    parent_name: str
    rank: int
    # Households; ``covered + too_far + unreachable + off_network = n``.
    n: int | None
    covered: int | None
    too_far: int | None
    unreachable: int | None
    off_network: int | None
    # ``covered / n``; None also where nobody lives.
    share: float | None
    # Place of the share among :data:`gis_service.maps.figures.classes.PERCENT_BREAKS`. Told also
    # where the share is hidden, if one household more or less would not change it.
    share_class: int | None
    # Whether anything of this line is hidden.
    hidden: bool
    status: str
    # Of those whom some facility reaches; None for fewer than five of them.
    median_minutes: float | None
    p90_minutes: float | None
    worst_minutes: float | None

    @property
    def left_out(self) -> int | None:
        """Households that are not covered; None where it would tell a hidden number."""
        if self.n is None or self.covered is None:
            return None
        return self.n - self.covered


@dataclass(frozen=True)
class StationFacts:
    """
    A facility of a kind that the standard names.

    Attributes
    ----------
    turnout_minutes
        Its own; None where the standard's counts.
    households
        Whose nearest of its kind it is; None where it would tell a small number.
    """

    facility_id: int
    kind: str
    name: str
    lon: float
    lat: float
    turnout_minutes: float | None
    households: int | None


@dataclass(frozen=True)
class Bin:
    """Households by minutes, ``from_minutes`` inclusive to ``to_minutes`` exclusive."""

    from_minutes: float
    # None: all that take longer.
    to_minutes: float | None
    households: int


@dataclass(frozen=True)
class BlindPlace:
    """A place of at least five households that are not covered."""

    name: str
    # To the nearest five, so that no hidden cell can be told from a place that lies in one grid;
    # people are None where they are not known.
    households: int
    people: int | None
    worst_minutes: float | None
    # The most frequent one: ``too_far``, ``unreachable`` or ``off_network``.
    reason: str
    lon: float
    lat: float
    # Its outline, lon and lat.
    shape: Any


@dataclass(frozen=True)
class Network:
    """The roads that were driven on."""

    name: str
    source: str
    data_day: date | None
    clipped: bool


@dataclass(frozen=True)
class Before:
    """Another run of the same standard, as far as its figures may be told."""

    run: Run
    day: date
    # By the rule, of the county and the highest level, by grid id.
    lines: Mapping[int, FigureLine]
    # What the two were measured on differently, of ``coverage.fingerprints.PARTS``, and
    # ``scenario``.
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Everything a report says, in no language yet."""

    county: str
    county_code: str
    run: Run
    network: Network | None
    version: VersionRow
    # The day of the run, in Asia/Shanghai.
    data_day: date
    # County first.
    levels: tuple[LevelFigures, ...]
    # By kind of facility, ``""`` for the rule over kinds: all grids, each after its parent.
    lines: Mapping[str, Sequence[FigureLine]]
    # Lines of what else was counted by the rule: people, care households, buildings, premises,
    # hazards; where there are any.
    others: Mapping[str, Sequence[FigureLine]]
    stations: tuple[StationFacts, ...]
    # Places that are not covered, the largest first; and how many more there are of 1–4 households,
    # which are not told apart.
    blind_places: tuple[BlindPlace, ...]
    small_places: int
    # What has changed since the run, of ``coverage.fingerprints.PARTS``.
    stale: tuple[str, ...]
    minutes: tuple[Bin, ...]
    # Another run to compare with.
    before: "Before | None"
    # Ground by minutes, to the limit; none where roads, facilities or settings are no longer those
    # of the run, because bands are drawn on what is there now.
    bands: tuple[AreaBand, ...]
    # The ground that each station serves, where stations drive out; under the same condition. That
    # of nobody comes last and has no facility.
    districts: tuple[NamedDistrict, ...]
    # By rank: grid ids with their polygons, lon and lat.
    shapes: Mapping[int, tuple[tuple[int, ...], GeometryArray]]
    # What the reader of the region's file noted, where the county came as one file.
    region_notes: tuple[Note, ...] = ()

    def of_rank(self, rank: int, kind: str = RULE) -> list[FigureLine]:
        """Take the lines of one level."""
        return [one for one in self.lines[kind] if one.rank == rank and one.grid_id != OUTSIDE]

    @property
    def standard(self) -> Mapping[str, Any]:
        """The standard's settings as the run was measured by, whatever they are today."""
        settings: Mapping[str, Any] = self.run.parameters["standard"]
        return settings

    @property
    def limit_minutes(self) -> float:
        """Who is reached within it is covered."""
        return float(self.standard["limit_minutes"]["value"])

    @property
    def target_share(self) -> float:
        """The share that the standard aims at, from 0 to 1."""
        return float(self.standard["target_share"]["value"])

    @property
    def whole(self) -> FigureLine:
        """The county's figures by the standard's rule."""
        return self.of_rank(COUNTY_RANK)[0]

    @property
    def outside(self) -> FigureLine | None:
        """Households that lie in no grid, if there are any."""
        return next((one for one in self.lines[RULE] if one.grid_id == OUTSIDE), None)

    @property
    def base_rank(self) -> int:
        """The lowest level."""
        return max(level.rank for level in self.levels)


def choose_run(
    connection: sa.Connection, standard: str, scenario: str = "normal", run_id: int | None = None
) -> Run:
    """Find the run that a report is about."""
    if run_id is not None:
        return find_run(connection, run_id)
    found = find_latest_run(connection, standard, scenario)
    if found is None:
        raise NotFoundError("reports.not_measured", standard=standard, scenario=scenario)
    return found


def read_facts(
    connection: sa.Connection,
    actor: Actor,
    run: Run,
    areas: AreaService,
    before: Run | None = None,
    *,
    with_bands: bool = True,
) -> Facts:
    """Read what a report on one run says."""
    if not visible(actor, t.household).compare(sa.true()):
        raise NotAllowedError("reports.whole_county_only", actor=actor.name)
    version = _version(connection, run.version_id)
    levels = _levels(connection)
    grids = _grids(connection, version.effective_day)
    place = county(connection)
    lines, others = _lines(connection, run, levels, grids, place.name)
    stale = find_stale_parts(areas.snapshot, connection, run, standard_book())
    places, small_places = _blind_places(connection, actor, run)
    return Facts(
        county=place.name,
        county_code=place.code,
        run=run,
        network=_network(connection, run.network_id),
        version=version,
        data_day=run.finished_at.astimezone(CHINA).date(),
        levels=levels,
        lines=lines,
        others=others,
        before=_before(connection, run, before, place.name) if before else None,
        blind_places=places,
        small_places=small_places,
        stale=stale,
        bands=_bands(connection, areas, run, stale) if with_bands else (),
        districts=_districts(connection, areas, run, stale),
        stations=_stations(connection, run),
        minutes=_minutes(
            connection,
            run,
            float(run.parameters["standard"]["limit_minutes"]["value"]),
            lines[RULE][0],
        ),
        shapes=_shapes(connection, version.effective_day),
        region_notes=tuple(region_notes(connection)),
    )


def _bands(
    connection: sa.Connection, areas: AreaService, run: Run, stale: Sequence[str]
) -> tuple[AreaBand, ...]:
    if not _is_drawable(run, stale):
        return ()
    limit = float(run.parameters["standard"]["limit_minutes"]["value"])
    drawn, _ = areas.draw_bands(connection, run.standard, run.scenario, band_limits(limit))
    return tuple(one for one in drawn if not one.geometry.is_empty)


def _districts(
    connection: sa.Connection, areas: AreaService, run: Run, stale: Sequence[str]
) -> tuple[NamedDistrict, ...]:
    drives_out = run.parameters["standard"]["direction"] == "from_facility"
    first = run.kinds[0]
    if not drives_out or not run.summary["facilities"].get(first) or not _is_drawable(run, stale):
        return ()
    return tuple(areas.draw_districts(connection, run.standard, run.scenario, first))


def _is_drawable(run: Run, stale: Sequence[str]) -> bool:
    has_stations = run.network_id is not None and any(run.summary["facilities"].values())
    return has_stations and not _OF_BANDS & set(stale)


def _before(connection: sa.Connection, run: Run, before: Run, county_name: str) -> Before:
    if before.standard != run.standard:
        raise InputError(
            "reports.compared_other",
            place=Place(field="compare"),
            a=run.standard,
            b=before.standard,
        )
    levels = _levels(connection)
    grids = _grids(connection, _version(connection, before.version_id).effective_day)
    lines, _ = _lines(connection, before, levels, grids, county_name)
    digests = [one.inputs.get("digests", {}) for one in (before, run)]
    scenario = ("scenario",) if before.scenario != run.scenario else ()
    return Before(
        run=before,
        day=before.finished_at.astimezone(CHINA).date(),
        lines={
            one.grid_id: one
            for one in lines[RULE]
            if one.rank <= levels[1].rank and one.grid_id != OUTSIDE
        },
        differs=(*scenario, *find_changed_parts(*digests)),
    )


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    code: str
    name: str
    rank: int
    parent: int


def _version(connection: sa.Connection, version_id: int) -> VersionRow:
    version = t.grid_version.c
    row = connection.execute(
        sa.select(version.version_id, version.effective_day, version.title).where(
            version.version_id == version_id
        )
    ).one()
    return VersionRow(*row)


def _levels(connection: sa.Connection) -> tuple[LevelFigures, ...]:
    scheme, level = find_scheme(connection, "base"), t.grid_level.c
    rows = connection.execute(
        sa.select(level.rank, level.label, level.label_en)
        .where(level.scheme_id == scheme.scheme_id)
        .order_by(level.rank)
    )
    return (LevelFigures(COUNTY_RANK, "全县", "County"), *(LevelFigures(*row) for row in rows))


def _grids(connection: sa.Connection, day: date) -> dict[int, _Grid]:
    scheme, state = find_scheme(connection, "base"), t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.code, state.name, state.rank, state.parent_grid_id).where(
            state.scheme_id == scheme.scheme_id, on_day(state.valid, day)
        )
    )
    return {
        row.grid_id: _Grid(row.code, row.name, row.rank, row.parent_grid_id or COUNTY_GRID)
        for row in rows
    }


def _shapes(
    connection: sa.Connection, day: date
) -> dict[int, tuple[tuple[int, ...], GeometryArray]]:
    scheme, state = find_scheme(connection, "base"), t.grid_state.c
    rows = connection.execute(
        sa.select(state.rank, state.grid_id, sa.func.ST_AsBinary(state.geom).label("wkb"))
        .where(state.scheme_id == scheme.scheme_id, on_day(state.valid, day))
        .order_by(state.rank, state.grid_id)
    ).all()
    found = {}
    for rank in sorted({row.rank for row in rows}):
        mine = [row for row in rows if row.rank == rank]
        wkb = np.array([bytes(row.wkb) for row in mine], dtype=object)
        shapes = np.asarray(shapely.from_wkb(wkb), dtype=object)
        found[rank] = tuple(row.grid_id for row in mine), shapes
    return found


def _network(connection: sa.Connection, network_id: int | None) -> Network | None:
    network = t.road_network.c
    row = connection.execute(
        sa.select(network.name, network.source, network.data_day, network.clipped).where(
            network.network_id == network_id
        )
    ).first()
    return None if row is None else Network(*row)


def _stations(connection: sa.Connection, run: Run) -> tuple[StationFacts, ...]:
    served = _served(connection, run)
    facility = t.facility.c
    rows = connection.execute(
        sa.select(
            facility.facility_id,
            facility.kind,
            facility.name,
            sa.type_coerce(sa.func.ST_X(facility.point), sa.Double).label("lon"),
            sa.type_coerce(sa.func.ST_Y(facility.point), sa.Double).label("lat"),
            facility.turnout_minutes,
        ).where(facility.kind.in_(run.kinds))
    )
    order = {kind: place for place, kind in enumerate(run.kinds)}
    stations = sorted(
        (StationFacts(*row, households=served.get(row.facility_id, 0)) for row in rows),
        key=lambda one: (order[one.kind], -(one.households or 0), one.facility_id),
    )
    told: list[StationFacts] = []
    for kind in run.kinds:
        mine = [one for one in stations if one.kind == kind]
        masks = choose_hidden_entries([one.households or 0 for one in mine])
        told += [
            replace(one, households=None) if mask else one
            for one, mask in zip(mine, masks, strict=True)
        ]
    return tuple(told)


def _blind_places(
    connection: sa.Connection, actor: Actor, run: Run
) -> tuple[tuple[BlindPlace, ...], int]:
    """Leave out where a few households are alone: their place would be their address."""
    found = find_blind_spots(connection, actor, run.run_id)
    told = tuple(
        BlindPlace(
            name=_once(one.name),
            households=by_fives(one.households),
            people=by_fives(one.people) if one.people else None,
            worst_minutes=one.worst_minutes,
            reason=one.reason,
            lon=one.lon,
            lat=one.lat,
            shape=shapely.geometry.shape(one.geometry),
        )
        for one in found
        if one.households >= SMALLEST
    )
    return told, len(found) - len(told)


def _once(name: str) -> str:
    """Leave out the village where the grid's name begins with it: 东村 东村二组."""
    village, _, grid = name.partition(" ")
    return grid if grid.startswith(village) else name


def band_limits(limit: float) -> tuple[float, ...]:
    """Choose the minutes at which bands end, as the page does: whole ones, the limit last."""
    if limit == _SERVICE_LIMIT:
        return (5.0, 10.0, limit)
    inner = {float(max(1, int(part + 0.5))) for part in (limit / 4, limit / 2)}
    return (*sorted(minutes for minutes in inner if minutes < limit), limit)


def by_fives(number: int) -> int:
    """Round to the nearest five."""
    return max(5, 5 * ((number + 2) // 5))


def _served(connection: sa.Connection, run: Run) -> dict[int, int]:
    """Count the households whose nearest of its kind a facility is."""
    result = t.coverage_household.c
    counts: dict[int, int] = {}
    for place in range(1, len(run.kinds) + 1):
        nearest = result.kind_facility[place]
        rows = connection.execute(
            sa.select(nearest, sa.func.count())
            .where(result.run_id == run.run_id, nearest.is_not(None))
            .group_by(nearest)
        )
        counts |= {int(facility_id): int(count) for facility_id, count in rows}
    return counts


def _minutes(
    connection: sa.Connection, run: Run, limit: float, whole: FigureLine
) -> tuple[Bin, ...]:
    """Count households by minutes in tenths of the limit, up to twice the limit."""
    if whole.covered is None or whole.too_far is None:
        return ()
    result = t.coverage_household.c
    late = sa.case((result.status == COVERED, 0), else_=1)
    step = limit / 10
    slot = sa.func.least(sa.func.floor(result.minutes / step), 20)
    place = sa.case((late == 0, sa.func.least(slot, 9)), else_=sa.func.greatest(slot, 10))
    rows = connection.execute(
        sa.select(place.label("place"), sa.func.count().label("households"))
        .where(result.run_id == run.run_id, result.status.in_((COVERED, TOO_FAR)))
        .group_by(place)
    )
    counts = np.zeros(21, dtype=np.int64)
    for row in rows:
        counts[int(row.place)] = row.households
    return tuple(
        Bin(
            round(step * first, 3),
            None if last == 20 else round(step * (last + 1), 3),
            int(counts[first : last + 1].sum()),
        )
        for part in (range(10), range(10, 21))
        for first, last in _joined(counts, part)
    )


def _joined(counts: Any, part: range) -> list[tuple[int, int]]:
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


# --- figures, and what of them is hidden ----------------------------------------------------------


def _lines(
    connection: sa.Connection,
    run: Run,
    levels: Sequence[LevelFigures],
    grids: Mapping[int, _Grid],
    county_name: str,
) -> tuple[dict[str, list[FigureLine]], dict[str, list[FigureLine]]]:
    """Give the lines by kind of facility, and those by the rule of what else was counted."""
    ranks = [level.rank for level in levels]
    kinds = (RULE, *run.kinds) if len(run.kinds) > 1 else (RULE,)

    def read(kind: str, of: str) -> dict[int, Figures]:
        found: dict[int, Figures] = {}
        for rank in ranks:
            found |= sorted(read_figures_by_grid(connection, run.run_id, rank, kind, of).items())
        return found

    figures = {(kind, HOUSEHOLDS): read(kind, HOUSEHOLDS) for kind in kinds}
    for of in POPULATIONS:
        if of != HOUSEHOLDS and (found := read(RULE, of))[COUNTY_GRID].n:
            figures[RULE, of] = found
    ids = [COUNTY_GRID, *(one for one in figures[RULE, HOUSEHOLDS] if one != COUNTY_GRID)]
    place_of = {grid: place for place, grid in enumerate(ids)}
    parent = [NO_PARENT, *(place_of[grids[one].parent] for one in ids[1:])]
    tables = {
        key: np.array([_categories(found[one]) for one in ids], dtype=np.int64)
        for key, found in figures.items()
    }
    full_parent, tables, outside = _complete(parent, tables)
    masks = _masks(full_parent, tables)
    named = {COUNTY_GRID: _Grid("", county_name, COUNTY_RANK, COUNTY_GRID), **grids}
    lines: dict[tuple[str, str], list[FigureLine]] = {}
    for key, found in figures.items():
        lines[key] = [
            _line(one, named, found[one], masks[key][0][place], masks[key][1][place])
            for place, one in enumerate(ids)
        ]
        if outside is not None:
            n_mask, cell_mask = masks[key]
            rest = tables[key][outside].tolist()
            lines[key].append(_outside(rest, bool(n_mask[outside]), cell_mask[outside]))
    by_kind = {kind: lines[kind, HOUSEHOLDS] for kind in kinds}
    return by_kind, {of: found for (_, of), found in lines.items() if of != HOUSEHOLDS}


def _masks(parent: list[int], tables: Mapping[tuple[str, str], Any]) -> dict[Any, Any]:
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


def _complete(
    parent: list[int], tables: Mapping[tuple[str, str], Any]
) -> tuple[list[int], dict[tuple[str, str], Any], int | None]:
    """Add a row below every grid whose parts do not make it up: who lies in no grid below it."""
    # A residue is no line of the report, but a reader could subtract it: it is hidden like one.
    # That of the county is one; its place is told.
    full_parent = [*parent]
    rows = {key: [table] for key, table in tables.items()}
    outside = None
    above = np.array(parent[1:])
    for place in sorted({one for one in parent if one != NO_PARENT}):
        left = {
            key: table[place] - table[1:][above == place].sum(axis=0)
            for key, table in tables.items()
        }
        if any(rest.any() for rest in left.values()):
            outside = len(full_parent) if place == 0 else outside
            full_parent.append(place)
            for key, rest in left.items():
                rows[key].append(rest[None, :])
    return full_parent, {key: np.concatenate(parts) for key, parts in rows.items()}, outside


def _line(
    grid_id: int, grids: Mapping[int, _Grid], figure: Figures, hide_n: Any, hide_cells: Any
) -> FigureLine:
    grid = grids[grid_id]
    told = _told(_categories(figure), hide_cells)
    n = None if hide_n else figure.n
    # Minutes are of those who are reached at all. Where parts of these are hidden they are too: a
    # worst time within the limit says that nobody is too far, which gives a sibling's number away.
    enough = figure.covered + figure.too_far >= SMALLEST
    timed = n is not None and enough and None not in (told["covered"], told["too_far"])
    return FigureLine(
        grid_id=grid_id,
        code=grid.code,
        name=grid.name,
        parent_name=grids[grid.parent].name if grid_id != COUNTY_GRID else "",
        rank=grid.rank,
        n=n,
        **told,
        share=figure.share if n is not None and told["covered"] is not None else None,
        share_class=_share_class(figure, n),
        hidden=n is None or None in told.values(),
        status=figure.status,
        median_minutes=figure.median_minutes if timed else None,
        p90_minutes=figure.p90_minutes if timed else None,
        worst_minutes=figure.worst_minutes if timed else None,
    )


def _told(categories: Sequence[int], mask: Any) -> dict[str, int | None]:
    return {
        name: None if hide_it else int(value)
        for name, value, hide_it in zip(STATUS_NAMES, categories, mask, strict=True)
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


def _outside(categories: Sequence[int], hide_n: bool, hide_cells: Any) -> FigureLine:  # noqa: FBT001
    told = _told(categories, hide_cells)
    n = None if hide_n else sum(categories)
    covered = told["covered"]
    return FigureLine(
        grid_id=OUTSIDE,
        code="",
        name="",
        parent_name="",
        rank=COUNTY_RANK,
        n=n,
        **told,
        share=covered / n if n and covered is not None else None,
        share_class=None,
        hidden=n is None or None in told.values(),
        status="ok",
        median_minutes=None,
        p90_minutes=None,
        worst_minutes=None,
    )


# --- the ground of the maps -----------------------------------------------------------------------


@dataclass(frozen=True)
class MapGround:
    """What lies under a map of the county: shapes in lon and lat, and names."""

    water: list[Any]
    roads: list[tuple[str, str, Any]]
    places: list[tuple[str, float, float]]


def read_ground(connection: sa.Connection, day: date) -> MapGround:
    """Read what the county's map shows beneath its figures."""
    land, edge, unit = t.land_cover.c, t.road_edge.c, t.admin_unit.c
    water = connection.execute(
        sa.select(sa.func.ST_AsBinary(land.geom).label("wkb"))
        .where(land.kind == "water")
        .order_by(land.land_cover_id)
    )
    roads = connection.execute(
        sa.select(edge.road_class, edge.name, sa.func.ST_AsBinary(edge.geom).label("wkb"))
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(t.road_network.c.active, edge.road_class.in_(_ROAD_CLASSES))
        .order_by(edge.edge_id)
    )
    scheme, state = find_scheme(connection, "base"), t.grid_state.c
    named = connection.execute(
        sa.select(
            state.rank,
            sa.func.coalesce(unit.name, state.name).label("name"),
            sa.type_coerce(sa.func.ST_X(state.label_point), sa.Double).label("lon"),
            sa.type_coerce(sa.func.ST_Y(state.label_point), sa.Double).label("lat"),
        )
        .outerjoin_from(
            t.grid_state, t.admin_unit, t.admin_unit.c.admin_unit_id == state.admin_unit_id
        )
        .where(state.scheme_id == scheme.scheme_id, on_day(state.valid, day))
        .order_by(state.grid_id)
    ).all()
    by_rank = Counter(row.rank for row in named)
    few = [rank for rank, count in by_rank.items() if count <= _MOST_NAMES]
    shown = max(few, key=lambda rank: (by_rank[rank], -rank), default=1)
    return MapGround(
        water=[shapely.from_wkb(bytes(row.wkb)) for row in water],
        roads=[(row.road_class, row.name, shapely.from_wkb(bytes(row.wkb))) for row in roads],
        places=[(row.name, row.lon, row.lat) for row in named if row.rank == shown],
    )
