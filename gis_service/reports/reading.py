"""Reading what a report says: a stored run, what it was measured on, and what has changed since.

Everything is read once, in one transaction; nothing is asked of the store after it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np
import shapely
import shapely.geometry
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.coverage.areas.answers import AreaBand, NamedDistrict
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.measuring.disclosure import SMALLEST, choose_hidden_entries
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
from gis_service.errors import InputError, NotAllowedError, NotFoundError, Place
from gis_service.geodesy import GeometryArray
from gis_service.grids.reading import VersionRow, find_scheme
from gis_service.ingest.writing.past_imports import region_notes
from gis_service.maps.sheets.sheet import find_county
from gis_service.reports import queries
from gis_service.reports.facts import (
    CHINA,
    OUTSIDE,
    Before,
    Bin,
    BlindPlace,
    Facts,
    FigureLine,
    LevelFigures,
    MapGround,
    Network,
    StationFacts,
)
from gis_service.reports.hiding import ReportGrid, by_fives, hide_small_cells, join_small_bins
from gis_service.store import tables as t

_SERVICE_LIMIT: Final = 15.0
_OF_BANDS: Final = frozenset({"network", "facilities", "settings", "software"})
_MOST_NAMES: Final = 40
_ROAD_CLASSES: Final = ("motorway", "trunk", "primary", "secondary", "tertiary")


def choose_run(
    connection: sa.Connection, standard: str, scenario: str = "normal", run_id: int | None = None
) -> Run:
    """Find the run that a report is about."""
    if run_id is not None:
        return find_run(connection, run_id)
    run = find_latest_run(connection, standard, scenario)
    if run is None:
        raise NotFoundError("reports.not_measured", standard=standard, scenario=scenario)
    return run


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
    version = VersionRow(*queries.read_version(connection, run.version_id))
    levels = _read_levels(connection)
    place = find_county(connection)
    lines, others = _read_lines(connection, run, levels, version.effective_day, place.name)
    stale = find_stale_parts(areas.snapshot, connection, run, standard_book())
    places, small_places = _read_blind_places(connection, actor, run)
    return Facts(
        county=place.name,
        county_code=place.code,
        run=run,
        network=_read_network(connection, run.network_id),
        version=version,
        data_day=run.finished_at.astimezone(CHINA).date(),
        levels=levels,
        lines=lines,
        others=others,
        before=_read_before(connection, run, before, place.name) if before else None,
        blind_places=places,
        small_places=small_places,
        stale=stale,
        bands=_draw_bands(connection, areas, run, stale) if with_bands else (),
        districts=_draw_districts(connection, areas, run, stale),
        stations=_read_stations(connection, run),
        minutes=_read_minutes(
            connection,
            run,
            float(run.parameters["standard"]["limit_minutes"]["value"]),
            lines[RULE][0],
        ),
        shapes=_read_shapes(connection, version.effective_day),
        region_notes=tuple(region_notes(connection)),
    )


def _draw_bands(
    connection: sa.Connection, areas: AreaService, run: Run, stale: Sequence[str]
) -> tuple[AreaBand, ...]:
    if not _is_drawable(run, stale):
        return ()
    limit = float(run.parameters["standard"]["limit_minutes"]["value"])
    bands, _ = areas.draw_bands(connection, run.standard, run.scenario, band_limits(limit))
    return tuple(band for band in bands if not band.geometry.is_empty)


def _draw_districts(
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


def _read_before(connection: sa.Connection, run: Run, before: Run, county_name: str) -> Before:
    if before.standard != run.standard:
        raise InputError(
            "reports.compared_other",
            place=Place(field="compare"),
            a=run.standard,
            b=before.standard,
        )
    levels = _read_levels(connection)
    version = queries.read_version(connection, before.version_id)
    lines, _ = _read_lines(connection, before, levels, version.effective_day, county_name)
    digests = [side.inputs.get("digests", {}) for side in (before, run)]
    scenario = ("scenario",) if before.scenario != run.scenario else ()
    return Before(
        run=before,
        day=before.finished_at.astimezone(CHINA).date(),
        lines={
            line.grid_id: line
            for line in lines[RULE]
            if line.rank <= levels[1].rank and line.grid_id != OUTSIDE
        },
        differs=(*scenario, *find_changed_parts(*digests)),
    )


def _read_levels(connection: sa.Connection) -> tuple[LevelFigures, ...]:
    rows = queries.read_levels(connection, find_scheme(connection, "base").scheme_id)
    return (LevelFigures(COUNTY_RANK, "全县", "County"), *(LevelFigures(*row) for row in rows))


def _read_grids(connection: sa.Connection, day: date) -> dict[int, ReportGrid]:
    rows = queries.read_grids(connection, find_scheme(connection, "base").scheme_id, day)
    return {
        row.grid_id: ReportGrid(row.code, row.name, row.rank, row.parent_grid_id or COUNTY_GRID)
        for row in rows
    }


def _read_shapes(
    connection: sa.Connection, day: date
) -> dict[int, tuple[tuple[int, ...], GeometryArray]]:
    rows = queries.read_grid_shapes(connection, find_scheme(connection, "base").scheme_id, day)
    shapes_by_rank = {}
    for rank in sorted({row.rank for row in rows}):
        of_rank = [row for row in rows if row.rank == rank]
        wkb = np.array([bytes(row.wkb) for row in of_rank], dtype=object)
        shapes = np.asarray(shapely.from_wkb(wkb), dtype=object)
        shapes_by_rank[rank] = tuple(row.grid_id for row in of_rank), shapes
    return shapes_by_rank


def _read_network(connection: sa.Connection, network_id: int | None) -> Network | None:
    row = queries.read_network(connection, network_id)
    return None if row is None else Network(*row)


def _read_stations(connection: sa.Connection, run: Run) -> tuple[StationFacts, ...]:
    nearest_to = queries.count_nearest(connection, run.run_id, len(run.kinds))
    rows = queries.read_stations(connection, run.kinds)
    order = {kind: place for place, kind in enumerate(run.kinds)}
    stations = sorted(
        (
            StationFacts(
                facility_id=row.facility_id,
                kind=row.kind,
                name=row.name,
                lon=row.lon,
                lat=row.lat,
                turnout_minutes=row.turnout_minutes,
                households=nearest_to.get(row.facility_id, 0),
            )
            for row in rows
        ),
        key=lambda station: (
            order[station.kind], -(station.households or 0), station.facility_id,
        ),
    )  # fmt: skip
    shown: list[StationFacts] = []
    for kind in run.kinds:
        of_kind = [station for station in stations if station.kind == kind]
        masks = choose_hidden_entries([station.households or 0 for station in of_kind])
        shown += [
            replace(station, households=None) if mask else station
            for station, mask in zip(of_kind, masks, strict=True)
        ]
    return tuple(shown)


def _read_blind_places(
    connection: sa.Connection, actor: Actor, run: Run
) -> tuple[tuple[BlindPlace, ...], int]:
    """Leave out where a few households are alone: their place would be their address."""
    spots = find_blind_spots(connection, actor, run.run_id)
    places = tuple(
        BlindPlace(
            name=_without_repetition(spot.name),
            households=by_fives(spot.households),
            people=by_fives(spot.people) if spot.people else None,
            worst_minutes=spot.worst_minutes,
            reason=spot.reason,
            lon=spot.lon,
            lat=spot.lat,
            shape=shapely.geometry.shape(spot.geometry),
        )
        for spot in spots
        if spot.households >= SMALLEST
    )
    return places, len(spots) - len(places)


def _without_repetition(name: str) -> str:
    """Leave out the village where the grid's name begins with it: 东村 东村二组."""
    village, _, grid = name.partition(" ")
    return grid if grid.startswith(village) else name


def band_limits(limit: float) -> tuple[float, ...]:
    """Choose the minutes at which bands end, as the page does: whole ones, the limit last."""
    if limit == _SERVICE_LIMIT:
        return (5.0, 10.0, limit)
    inner = {float(max(1, int(part + 0.5))) for part in (limit / 4, limit / 2)}
    return (*sorted(minutes for minutes in inner if minutes < limit), limit)


def _read_minutes(
    connection: sa.Connection, run: Run, limit: float, whole: FigureLine
) -> tuple[Bin, ...]:
    """Count households by minutes in tenths of the limit, up to twice the limit."""
    if whole.covered is None or whole.too_far is None:
        return ()
    step = limit / 10
    counts = queries.count_by_minutes(connection, run.run_id, limit)
    return tuple(
        Bin(
            round(step * first, 3),
            None if last == 20 else round(step * (last + 1), 3),
            int(counts[first : last + 1].sum()),
        )
        for part in (range(10), range(10, 21))
        for first, last in join_small_bins(counts, part)
    )


def _read_lines(
    connection: sa.Connection,
    run: Run,
    levels: Sequence[LevelFigures],
    day: date,
    county_name: str,
) -> tuple[dict[str, list[FigureLine]], dict[str, list[FigureLine]]]:
    """Give the lines by kind of facility, and those by the rule of what else was counted."""
    kinds = (RULE, *run.kinds) if len(run.kinds) > 1 else (RULE,)

    def read(kind: str, of: str) -> dict[int, Figures]:
        by_grid: dict[int, Figures] = {}
        for level in levels:
            by_grid |= sorted(
                read_figures_by_grid(connection, run.run_id, level.rank, kind, of).items()
            )
        return by_grid

    figures = {(kind, HOUSEHOLDS): read(kind, HOUSEHOLDS) for kind in kinds}
    for of in POPULATIONS:
        if of != HOUSEHOLDS and (by_grid := read(RULE, of))[COUNTY_GRID].n:
            figures[RULE, of] = by_grid
    return hide_small_cells(figures, _read_grids(connection, day), county_name)


def read_map_ground(connection: sa.Connection, day: date) -> MapGround:
    """Read what the county's map shows beneath its figures."""
    names = queries.read_grid_names(connection, find_scheme(connection, "base").scheme_id, day)
    by_rank = Counter(row.rank for row in names)
    few = [rank for rank, count in by_rank.items() if count <= _MOST_NAMES]
    named_rank = max(few, key=lambda rank: (by_rank[rank], -rank), default=1)
    return MapGround(
        water=[shapely.from_wkb(wkb) for wkb in queries.read_water(connection)],
        roads=[
            (row.road_class, row.name, shapely.from_wkb(bytes(row.wkb)))
            for row in queries.read_roads(connection, _ROAD_CLASSES)
        ],
        places=[(row.name, row.lon, row.lat) for row in names if row.rank == named_rank],
    )
