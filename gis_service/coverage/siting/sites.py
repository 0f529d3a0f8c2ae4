"""The best next sites of a county: candidates, times to them, the solved problem, what is gained.

The problem is solved on network times with the stations there are kept; the figures before and
after, and the gain of each site, are measured again as any coverage is. Pure: no store.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from gis_service import geodesy
from gis_service.coverage.measuring.statistics import HOUSEHOLDS
from gis_service.coverage.network.graph import FloatArray, IntArray, Snapped
from gis_service.coverage.siting import maximal_cover as siting
from gis_service.coverage.siting.what_if import AddStation, Prepared, measure_changes
from gis_service.coverage.standards.book import Standard
from gis_service.coverage.travel.travel_time import measure_rows
from gis_service.errors import InputError, Place

Problem = Literal["max_cover", "set_cover", "p_median", "p_centre"]
Candidates = Literal["facilities", "road_nodes", "places"]

MOST_CANDIDATES: Final = {"max_cover": 400, "set_cover": 400, "p_median": 100, "p_centre": 100}
"""So many are looked at; road nodes and facilities are thinned to that, evenly over the county."""

TIME_LIMIT_S: Final = 30.0
_TIMES_END: Final = 0.6
_SOLVED: Final = 0.9


@dataclass(frozen=True)
class SiteRequest:
    """
    What is asked.

    Attributes
    ----------
    add
        How many sites; for ``set_cover`` not needed.
    target_share
        Of the households, for ``set_cover``; None takes the standard's own.
    kind
        Of the new stations; None takes the standard's first.
    places
        Candidates drawn: lon, lat in degrees.
    """

    problem: Problem = "max_cover"
    add: int = 1
    target_share: float | None = None
    candidates: Candidates = "road_nodes"
    kind: str | None = None
    places: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Site:
    """A chosen site; its kind covers ``gain_households`` more than with those before it."""

    lon: float
    lat: float
    facility_id: int | None
    gain_households: int


@dataclass(frozen=True)
class Sites:
    """The answer."""

    problem: Problem
    kind: str
    # The largest gain first, each on top of those before it.
    sites: tuple[Site, ...]
    # The county's figures, measured.
    before: dict[str, Any]
    after: dict[str, Any]
    # Of the solved problem: share of the objective by which a better choice among these candidates
    # could still be better.
    objective: float
    bound: float
    gap: float
    optimum_proved: bool
    candidates: int
    # Whether demand was put together by base grid for the solver; the figures never are.
    aggregated: bool
    seconds: float


def choose_sites(
    prepared: Prepared,
    request: SiteRequest,
    progress: Callable[[float, str], None] = lambda _share, _step: None,
) -> Sites:
    """
    Choose where the next stations should stand.

    Parameters
    ----------
    prepared
        The county as it is.
    request
        What is asked.
    progress
        Told the share done, 0 to 1, and the message key of the step.

    Returns
    -------
    Sites
        Chosen, proven and measured.

    Raises
    ------
    InputError
        The kind is not one of the standard's, there is no candidate on a road, or no choice of
        them can do what is asked.
    """
    began = time.perf_counter()
    kind = choose_kind(prepared.standard, request)
    column = prepared.standard.kinds.index(kind)
    lon, lat, facility_id = _find_candidates(prepared, request, kind)
    stations = prepared.setup.snapper.snap(lon, lat, prepared.book.place.snap_cap_m.value)
    on_road = stations.edge >= 0
    lon, lat, facility_id = lon[on_road], lat[on_road], facility_id[on_road]
    if len(lon) == 0:
        raise InputError("coverage.sites_no_candidates", place=Place(field="candidates"))
    weights = prepared.places.weights[HOUSEHOLDS].astype(float)
    demand = np.flatnonzero((weights > 0) & (prepared.setup.places.edge >= 0))
    now = prepared.measured.kind_minutes[demand, column]
    limit = prepared.standard.limit_minutes.value
    is_cover = request.problem in {"max_cover", "set_cover"}
    if is_cover:
        demand, kept = demand[now > limit], weights[demand[now <= limit]].sum()
        now = prepared.measured.kind_minutes[demand, column]
    times = _measure_times(
        prepared, stations.take(on_road), demand, limit if is_cover else np.inf, progress
    )
    progress(_TIMES_END, "coverage.step_solving")
    if is_cover:
        solved = _solve_cover(request, times, weights, demand, kept, prepared, limit)
    else:
        solved = _solve_by_grid(request, times, weights, demand, now, prepared)
    progress(_SOLVED, "coverage.step_measuring")
    chosen = [site - 1 for site in solved.new_sites]
    sites, after = _measure_one_by_one(
        prepared,
        kind,
        _order_by_gain(chosen, times, now, weights[demand], limit),
        lon,
        lat,
        facility_id,
    )
    return Sites(
        problem=request.problem,
        kind=kind,
        sites=sites,
        before=prepared.summary,
        after=after,
        objective=solved.objective,
        bound=solved.bound,
        gap=solved.gap,
        optimum_proved=solved.is_optimal and solved.gap == 0.0,
        candidates=len(lon),
        aggregated=not is_cover,
        seconds=round(time.perf_counter() - began, 2),
    )


def choose_kind(standard: Standard, request: SiteRequest) -> str:
    """Choose what the new stations are: the kind asked for, or the standard's first."""
    if request.kind is None:
        return standard.kinds[0]
    if request.kind not in standard.kinds:
        raise InputError(
            "coverage.kind_not_in_standard",
            place=Place(field="kind"),
            kind=request.kind,
            known=", ".join(standard.kinds),
        )
    return request.kind


def _find_candidates(
    prepared: Prepared, request: SiteRequest, kind: str
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Give lon, lat and facility (-1 where it is none) of what may become a station."""
    most = MOST_CANDIDATES[request.problem]
    if request.candidates == "places":
        drawn = np.array(request.places, dtype=float).reshape(-1, 2)
        return drawn[:, 0], drawn[:, 1], np.full(len(drawn), -1, np.int64)
    if request.candidates == "facilities":
        facilities = prepared.facilities
        others = np.flatnonzero(facilities.kind != kind)
        others = others[_thin_out(facilities.lon[others], facilities.lat[others], most)]
        return facilities.lon[others], facilities.lat[others], facilities.facility_id[others]
    network, profiled = prepared.network, prepared.setup.profiled
    slow = np.isin(network.road_class, ("track", "service", "footway", "path", "steps"))
    at = np.flatnonzero(profiled.snappable & ~slow)
    nodes = np.unique(np.concatenate((network.source[at], network.target[at])))
    nodes = nodes[_thin_out(network.lon[nodes], network.lat[nodes], most)]
    return network.lon[nodes], network.lat[nodes], np.full(len(nodes), -1, np.int64)


def _thin_out(lon: FloatArray, lat: FloatArray, most: int) -> IntArray:
    """Keep the one nearest to the middle of each square, the squares as small as ``most`` lets."""
    if len(lon) <= most:
        return np.arange(len(lon))
    to_xy, _ = geodesy.local_metres(
        round(float(np.median(lon)), 2), round(float(np.median(lat)), 2)
    )
    x, y = to_xy(lon, lat)
    side_m = 100.0
    while True:
        across, up = np.floor(x / side_m), np.floor(y / side_m)
        off_m = np.hypot(x - (across + 0.5) * side_m, y - (up + 0.5) * side_m)
        order = np.lexsort((off_m, up, across))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(across[order]) != 0) | (np.diff(up[order]) != 0)
        if first.sum() <= most:
            return np.sort(order[first])
        side_m *= 1.1


def _measure_times(
    prepared: Prepared,
    stations: Snapped,
    demand: IntArray,
    limit: float,
    progress: Callable[[float, str], None],
) -> FloatArray:
    """Give minutes from (or to) each candidate, demand x candidates; as a household's are."""
    setup, standard = prepared.setup, prepared.standard
    places = setup.places.take(demand)
    by_edge = np.argsort(places.edge, kind="stable")  # neighbours lie together in memory
    rows = measure_rows(
        setup.profiled,
        places.take(by_edge),
        stations,
        standard.direction,
        limit,
        turnout_minutes=standard.turnout_minutes.value + standard.fixed_minutes,
        off_road_minutes_per_m=prepared.book.place.off_road_minutes_per_m,
        graph=setup.graph,
    )
    times = np.empty((len(demand), len(stations)))
    for number, row in enumerate(rows):
        progress(_TIMES_END * number / len(stations), "coverage.step_candidates")
        times[by_edge, number] = row
    return times


def _solve_cover(
    request: SiteRequest,
    times: FloatArray,
    weights: FloatArray,
    demand: IntArray,
    kept: float,
    prepared: Prepared,
    limit: float,
) -> siting.Siting:
    """Cover with what stands as the first candidate: one row more stands for all it covers."""
    matrix = np.full((len(demand) + 1, times.shape[1] + 1), np.inf)
    matrix[1:, 1:] = times
    matrix[0, 0] = 0.0
    heavy = np.concatenate(([kept], weights[demand]))
    if request.problem == "max_cover":
        return siting.max_cover(
            matrix, limit, request.add, weights=heavy, existing=[0], time_limit_s=TIME_LIMIT_S
        )
    standard_share = prepared.standard.target_share.value
    target = standard_share if request.target_share is None else request.target_share
    # Households off the network count among all of whom a share is to be covered.
    share = target * weights.sum() / max(heavy.sum(), 1.0)
    if share > 1.0:
        possible = heavy[(matrix <= limit).any(axis=1)].sum() / max(weights.sum(), 1.0)
        raise InputError("coverage.sites_too_much", share=target, possible=possible)
    return siting.set_cover(
        matrix, limit, weights=heavy, share=share, existing=[0], time_limit_s=TIME_LIMIT_S
    )


def _solve_by_grid(
    request: SiteRequest,
    times: FloatArray,
    weights: FloatArray,
    demand: IntArray,
    now: FloatArray,
    prepared: Prepared,
) -> siting.Siting:
    """Put households together by base grid: their mean time, or for the centre their longest."""
    everything = np.column_stack((now, times))
    reachable = np.isfinite(everything).any(axis=1)
    everything, heavy = everything[reachable], weights[demand][reachable]
    # A grid on both sides of a water has two parts, or nobody would reach the whole of it.
    _, side = np.unique(np.packbits(np.isfinite(everything), axis=1), axis=0, return_inverse=True)
    grid = prepared.places.base_grid[demand][reachable]
    part = pd.MultiIndex.from_arrays([grid, side.ravel()]).factorize()[0]
    total = np.bincount(part, weights=heavy)
    frame = pd.DataFrame(everything)
    if request.problem == "p_centre":
        matrix = frame.groupby(part).max().to_numpy(copy=True)
    else:
        matrix = frame.mul(heavy, axis=0).groupby(part).sum().to_numpy() / total[:, None]
    # What is not quicker than a station that stands is never used.
    matrix[:, 1:] = np.where(matrix[:, 1:] < matrix[:, :1], matrix[:, 1:], np.inf)
    if request.problem == "p_centre":
        return siting.p_centre(matrix, request.add, existing=[0], time_limit_s=TIME_LIMIT_S)
    return siting.p_median(
        matrix, request.add, weights=total, existing=[0], time_limit_s=TIME_LIMIT_S
    )


def _order_by_gain(
    chosen: list[int], times: FloatArray, now: FloatArray, weights: FloatArray, limit: float
) -> list[int]:
    """Put the site that covers most first, then the one that adds most to it, and so on."""
    left, order, best = list(chosen), list[int](), now.copy()
    while left:
        gains = [float(weights[(best > limit) & (times[:, site] <= limit)].sum()) for site in left]
        site = left.pop(int(np.argmax(gains)))
        best = np.minimum(best, times[:, site])
        order.append(site)
    return order


def _measure_one_by_one(
    prepared: Prepared,
    kind: str,
    order: Sequence[int],
    lon: FloatArray,
    lat: FloatArray,
    facility_id: IntArray,
) -> tuple[tuple[Site, ...], dict[str, Any]]:
    """Measure the county with the first site, with the first two, and so on."""
    sites: list[Site] = []
    changes: list[AddStation] = []
    figures = prepared.summary
    for site in order:
        changes.append(AddStation(kind, float(lon[site]), float(lat[site])))
        after = measure_changes(prepared, changes).after
        sites.append(
            Site(
                lon=float(lon[site]),
                lat=float(lat[site]),
                facility_id=int(facility_id[site]) if facility_id[site] >= 0 else None,
                gain_households=_count_covered(after, kind) - _count_covered(figures, kind),
            )
        )
        figures = after
    return tuple(sites), figures


def _count_covered(figures: dict[str, Any], kind: str) -> int:
    """Households that a kind covers; the rule over all kinds may ask for others as well."""
    return int(figures["kinds"][kind]["covered"])
