"""What the county's figures would be with a station moved, a road closed or a road added.

The county stands ready in memory and is measured again by the same functions as a run, but only as
far as a change reaches: a station that moves leaves every house on its road. Nothing here reads
the store, and nothing is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from gis_service.coverage.measuring.measurement import (
    Facilities,
    Measured,
    MeasuringSetup,
    measure_standard,
    prepare_setup,
)
from gis_service.coverage.measuring.statistics import (
    COUNTY_RANK,
    HOUSEHOLDS,
    RULE,
    Hierarchy,
    count_figures,
)
from gis_service.coverage.measuring.summary import Figures, as_figures, summarise
from gis_service.coverage.network.changed_roads import add_road, close_roads, find_road_at
from gis_service.coverage.network.graph import (
    TIE_M,
    IntArray,
    ProfileNetwork,
    RoadNetwork,
    Snapped,
    Snapper,
    apply_profile,
)
from gis_service.coverage.network.places import Places
from gis_service.coverage.standards.book import Scenario, Standard, StandardBook
from gis_service.coverage.travel.travel_time import COVERED, build_graph
from gis_service.errors import InputError, Place


@dataclass(frozen=True)
class MoveStation:
    """A facility stands elsewhere; degrees."""

    facility_id: int
    lon: float
    lat: float


@dataclass(frozen=True)
class AddStation:
    """A facility more; degrees. Its turnout is the standard's."""

    facility_kind: str
    lon: float
    lat: float


@dataclass(frozen=True)
class RemoveStation:
    """A facility less."""

    facility_id: int


@dataclass(frozen=True)
class CloseRoad:
    """Roads that nobody may use: by their ids, or the one at a point; degrees."""

    edge_ids: tuple[int, ...] = ()
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True)
class AddRoad:
    """A road more, both ways; vertices (lon, lat) in degrees."""

    line: tuple[tuple[float, float], ...]
    road_class: str


Change = MoveStation | AddStation | RemoveStation | CloseRoad | AddRoad
Note = Literal["off_network", "not_in_standard"]


@dataclass(frozen=True)
class Prepared:
    """A county measured against one standard, with all that another measurement needs."""

    network: RoadNetwork
    book: StandardBook
    standard: Standard
    scenario: Scenario
    hierarchy: Hierarchy
    facilities: Facilities
    places: Places
    # The network as the profile sees it, and the places on it.
    setup: MeasuringSetup
    # As they are without a change.
    measured: Measured
    table: pd.DataFrame
    summary: dict[str, Any]


@dataclass(frozen=True)
class GridEffect:
    """The figures of one grid without and with the changes, of households by the rule."""

    grid_id: int
    before: Figures
    after: Figures


@dataclass(frozen=True)
class WhatIf:
    """What would be."""

    # The county's figures in the form of :func:`gis_service.coverage.measuring.summary.summarise`.
    before: dict[str, Any]
    after: dict[str, Any]
    # All grids of the highest level.
    towns: tuple[GridEffect, ...]
    # The grids of the lowest level whose figures are other ones.
    grids: tuple[GridEffect, ...]
    # Households that would be covered and are not, and the other way round.
    gained: int
    lost: int
    # Ids of the roads that were closed.
    closed: tuple[int, ...]
    # What a reader should know of a change, by its place in the list.
    notes: tuple[tuple[int, Note], ...]
    measured: Measured
    network: RoadNetwork
    facilities: Facilities


def prepare_county(
    network: RoadNetwork,
    book: StandardBook,
    standard_code: str,
    scenario_code: str,
    facilities: Facilities,
    places: Places,
    hierarchy: Hierarchy,
) -> Prepared:
    """Measure a county and keep all that another measurement needs."""
    standard, scenario = book.standard(standard_code), book.scenario(scenario_code)
    setup = prepare_setup(network, book, standard, scenario, places.lon, places.lat)
    measured = measure_standard(setup, book, standard, facilities)
    table = count_figures(hierarchy, places.base_grid, measured.list_outcomes(), places.weights)
    return Prepared(
        network=network,
        book=book,
        standard=standard,
        scenario=scenario,
        hierarchy=hierarchy,
        facilities=facilities,
        places=places,
        setup=setup,
        measured=measured,
        table=table,
        summary=summarise(table, measured),
    )


def measure_changes(prepared: Prepared, changes: Sequence[Change]) -> WhatIf:
    """Measure a county again with some things changed, to the figures of a run."""
    facilities, kinds = _change_facilities(prepared, changes)
    network, closed = _change_roads(prepared, changes)
    standard, book = prepared.standard, prepared.book
    if network is prepared.network:
        named = tuple(kind for kind in standard.kinds if kind in kinds)
        measured = (
            measure_standard(
                prepared.setup, book, standard, facilities, before=prepared.measured, kinds=named
            )
            if named
            else prepared.measured
        )
    else:
        named = standard.kinds
        measured = measure_standard(_change_setup(prepared, network), book, standard, facilities)
    table = _count_after(prepared, measured, named)
    was, now = prepared.measured.status == COVERED, measured.status == COVERED
    households = prepared.places.weights[HOUSEHOLDS]
    return WhatIf(
        before=prepared.summary,
        after=summarise(_join_county_rows(prepared, table, named), measured),
        towns=_find_grid_effects(
            prepared, table, measured, int(_list_ranks(prepared)[0]), every=True
        ),
        grids=_find_grid_effects(
            prepared, table, measured, int(_list_ranks(prepared)[-1]), every=False
        ),
        gained=int(households[now & ~was].sum()),
        lost=int(households[was & ~now].sum()),
        closed=closed,
        notes=_find_change_notes(prepared, changes, facilities, measured),
        measured=measured,
        network=network,
        facilities=facilities,
    )


# --- what changes ---------------------------------------------------------------------------------


def _change_facilities(
    prepared: Prepared, changes: Sequence[Change]
) -> tuple[Facilities, set[str]]:
    """Apply what happens to facilities; the kinds that are other ones then."""
    changed, kinds = prepared.facilities, set[str]()
    for change in changes:
        if isinstance(change, AddStation):
            kinds.add(change.facility_kind)
            number = int(changed.facility_id.max()) + 1 if len(changed.facility_id) else 1
            changed = Facilities(
                facility_id=np.append(changed.facility_id, number),
                kind=np.append(changed.kind.astype("U32"), change.facility_kind),
                lon=np.append(changed.lon, change.lon),
                lat=np.append(changed.lat, change.lat),
                turnout_minutes=np.append(changed.turnout_minutes, np.nan),
            )
        elif isinstance(change, MoveStation | RemoveStation):
            index = _find_facility(changed, change.facility_id)
            kinds.add(str(changed.kind[index]))
            if isinstance(change, MoveStation):
                lon, lat = changed.lon.copy(), changed.lat.copy()
                lon[index], lat[index] = change.lon, change.lat
                changed = replace(changed, lon=lon, lat=lat)
            else:
                changed = Facilities(
                    **{name: np.delete(column, index) for name, column in vars(changed).items()}
                )
    return changed, kinds


def _find_facility(facilities: Facilities, facility_id: int) -> int:
    at = np.flatnonzero(facilities.facility_id == facility_id)
    if len(at) == 0:
        raise InputError(
            "coverage.no_facility_there", place=Place(field="facility_id"), facility=facility_id
        )
    return int(at[0])


def _change_roads(
    prepared: Prepared, changes: Sequence[Change]
) -> tuple[RoadNetwork, tuple[int, ...]]:
    network, closed = prepared.network, list[int]()
    for change in changes:
        if isinstance(change, CloseRoad):
            ids = change.edge_ids or (_find_pointed_road(prepared, network, change),)
            network = close_roads(network, ids)
            closed += ids
        elif isinstance(change, AddRoad):
            network = add_road(network, np.array(change.line, dtype=float), change.road_class)
    return network, tuple(closed)


def _find_pointed_road(prepared: Prepared, network: RoadNetwork, change: CloseRoad) -> int:
    if change.lon is None or change.lat is None:
        raise InputError("coverage.close_what", place=Place(field="changes"))
    profile = prepared.book.profiles[prepared.standard.profile]
    classes = [name for name, speed in profile.speed_kmh.items() if speed.value > 0]
    usable = np.isin(network.road_class, classes)
    usable &= network.foot if profile.means == "foot" else network.motor
    return find_road_at(network, usable, change.lon, change.lat)


def _find_change_notes(
    prepared: Prepared, changes: Sequence[Change], facilities: Facilities, measured: Measured
) -> tuple[tuple[int, Note], ...]:
    notes: list[tuple[int, Note]] = []
    more_off = {
        kind
        for kind, count in measured.facility_off_network.items()
        if count > prepared.measured.facility_off_network[kind]
    }
    for number, change in enumerate(changes):
        if isinstance(change, AddStation):
            kind = change.facility_kind
        elif isinstance(change, MoveStation | RemoveStation):
            kind = next(
                str(listed.kind[listed.facility_id == change.facility_id][0])
                for listed in (facilities, prepared.facilities)
                if change.facility_id in listed.facility_id
            )
        else:
            continue
        if kind not in prepared.standard.kinds:
            notes.append((number, "not_in_standard"))
        elif kind in more_off and not isinstance(change, RemoveStation):
            notes.append((number, "off_network"))
    return tuple(notes)


# --- only as far as a change reaches --------------------------------------------------------------


def _change_setup(prepared: Prepared, network: RoadNetwork) -> MeasuringSetup:
    """Make other roads ready; only houses that may meet another road now are looked at again."""
    profile = prepared.book.profiles[prepared.standard.profile]
    profiled = apply_profile(network, profile, prepared.scenario, prepared.book.place)
    old, snapped = prepared.setup.profiled, prepared.setup.places
    index, new_edges = _match_snappable(old, profiled)
    edge = np.where(snapped.edge >= 0, index[snapped.edge], -1) if len(index) else snapped.edge
    again = (snapped.edge >= 0) & (edge < 0)
    places = prepared.places
    if len(new_edges):
        again |= _find_nearer(profiled, new_edges, places, snapped, prepared)
    snapper = Snapper(profiled)
    fraction, off_road_m = snapped.fraction.copy(), snapped.off_road_m.copy()
    if again.any():
        cap_m = prepared.book.place.snap_cap_m.value
        anew = snapper.snap(places.lon[again], places.lat[again], cap_m)
        edge[again], fraction[again], off_road_m[again] = anew.edge, anew.fraction, anew.off_road_m
    run_on = profiled.reversed() if prepared.standard.direction == "to_facility" else profiled
    return MeasuringSetup(
        profiled, build_graph(run_on), snapper, Snapped(edge, fraction, off_road_m)
    )


def _match_snappable(old: ProfileNetwork, new: ProfileNetwork) -> tuple[IntArray, IntArray]:
    """Give for each old edge the new index if it still may be met; and those that are new."""
    before, after = np.flatnonzero(old.snappable), np.flatnonzero(new.snappable)
    lines = {id(line): at for at, line in zip(after, new.network.geometry[after], strict=True)}
    index = np.full(len(old.snappable), -1, np.int64)
    index[before] = [lines.get(id(line), -1) for line in old.network.geometry[before]]
    return index, np.setdiff1d(after, index[before])


def _find_nearer(
    profiled: ProfileNetwork,
    new_edges: IntArray,
    places: Places,
    snapped: Snapped,
    prepared: Prepared,
) -> Any:
    """Find the places to which a new edge is at least as near as the one they have."""
    only = replace(profiled, snappable=np.isin(np.arange(len(profiled.snappable)), new_edges))
    cap_m = prepared.book.place.snap_cap_m.value
    near = Snapper(only).snap(places.lon, places.lat, cap_m)
    return near.off_road_m <= np.minimum(snapped.off_road_m + 2 * TIE_M, cap_m)


def _count_after(prepared: Prepared, measured: Measured, kinds: tuple[str, ...]) -> pd.DataFrame:
    outcomes = [
        outcome
        for outcome in measured.list_outcomes()
        if outcome.kind == RULE or outcome.kind in kinds
    ]
    places = prepared.places
    return count_figures(prepared.hierarchy, places.base_grid, outcomes, places.weights)


def _join_county_rows(
    prepared: Prepared, table: pd.DataFrame, kinds: tuple[str, ...]
) -> pd.DataFrame:
    """Put the county's rows of what was counted again and of what was not together."""
    old = prepared.table[prepared.table["rank"] == COUNTY_RANK]
    new = table[table["rank"] == COUNTY_RANK]
    kept = old[~old["kind"].isin([RULE, *kinds])]
    return pd.concat((new.astype({"kind": str}), kept.astype({"kind": str})), ignore_index=True)


def _list_ranks(prepared: Prepared) -> IntArray:
    return np.unique(prepared.hierarchy.rank)


_COUNTED = ("n", "covered", "too_far", "unreachable", "off_network")
_TIMED = ("median_minutes", "p90_minutes", "worst_minutes")


def _find_grid_effects(
    prepared: Prepared, table: pd.DataFrame, measured: Measured, rank: int, *, every: bool
) -> tuple[GridEffect, ...]:
    before, after = (_take_rank(rows, rank) for rows in (prepared.table, table))
    counts = (before["counts"] != after["counts"]).any(axis=1)
    minutes = ~np.isclose(before["minutes"], after["minutes"], rtol=0, atol=0, equal_nan=True)
    wanted = np.full(len(counts), fill_value=True) if every else counts | minutes.any(axis=1)
    old, new = prepared.measured.status_of(RULE), measured.status_of(RULE)
    return tuple(
        GridEffect(
            int(before["grid"][row]),
            _figures_of_row(before, row, old),
            _figures_of_row(after, row, new),
        )
        for row in np.flatnonzero(wanted).tolist()
    )


def _take_rank(table: pd.DataFrame, rank: int) -> dict[str, Any]:
    rows = table[(table["rank"] == rank) & (table["of"] == HOUSEHOLDS) & (table["kind"] == RULE)]
    return {
        "grid": rows["grid_id"].to_numpy(),
        "counts": rows[list(_COUNTED)].to_numpy(),
        "minutes": rows[list(_TIMED)].to_numpy(),
    }


def _figures_of_row(rows: Mapping[str, Any], row: int, status: str) -> Figures:
    counted = dict(zip(_COUNTED, rows["counts"][row].tolist(), strict=True))
    timed = dict(zip(_TIMED, rows["minutes"][row].tolist(), strict=True))
    return as_figures(counted | timed, status, HOUSEHOLDS)
