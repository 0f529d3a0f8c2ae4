"""Where the next stations should stand: four exact site problems on network times.

Each is a mixed-integer program solved by HiGHS, with the proven bound beside the answer, so that
the gap to the best possible is known and printed. Times and weights in, chosen candidates out;
nothing here knows of the store, of maps, or of what a weight counts.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy  # whose optimize is read when it is used: 30 MB
import scipy.sparse as sp

from gis_service.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TIME_LIMIT_S: Final = 60.0
_ROUNDING: Final = 1e-9
"""A gap, or a part of a share, below this is the solver's rounding."""
_WHOLE: Final = 1e-6
"""So far a bound on a number of sites may lie above a whole number and still mean that one."""


@dataclass(frozen=True)
class Siting:
    """Chosen sites, and how good they are proven to be."""

    # Indices of candidates, the kept ones included, in ascending order.
    sites: list[int]
    # Those that were not there before.
    new_sites: list[int]
    # Of the chosen sites: number of sites, weight covered, weighted sum of times, or the longest
    # time.
    objective: float
    # No choice of sites can be better than this.
    bound: float
    # ``|objective - bound| / |objective|``; 0 is proven best.
    gap: float
    # Weight within the limit (where there is one) and the weight of all demand.
    covered_weight: float
    weight: float
    # Rows of the demand that no candidate reaches at all.
    left_out: IntArray
    # Whether the solver proved it within its time.
    is_optimal: bool


@dataclass(frozen=True)
class _Problem:
    """Demand by candidates, checked; infinite is unreachable."""

    times: FloatArray
    weights: FloatArray
    existing: IntArray

    @property
    def candidates(self) -> int:
        return int(self.times.shape[1])

    @property
    def left_out(self) -> IntArray:
        return np.flatnonzero(~np.isfinite(self.times).any(axis=1))

    def as_siting(
        self, chosen: npt.NDArray[np.bool_], solved: Any, objective: float, limit: float | None
    ) -> Siting:
        sites = np.flatnonzero(chosen)
        covered = np.zeros(len(self.weights), dtype=bool)
        if limit is not None and len(sites):
            covered = self.times[:, sites].min(axis=1) <= limit
        bound = abs(float(solved.mip_dual_bound))
        gap = abs(objective - bound) / abs(objective) if objective else 0.0
        return Siting(
            sites=sites.tolist(),
            new_sites=np.setdiff1d(sites, self.existing).tolist(),
            objective=objective,
            bound=bound,
            gap=0.0 if gap < _ROUNDING else gap,
            covered_weight=float(self.weights[covered].sum()),
            weight=float(self.weights.sum()),
            left_out=self.left_out,
            is_optimal=bool(solved.status == 0),
        )


def _check_problem(
    times: npt.ArrayLike, weights: npt.ArrayLike | None, existing: Sequence[int]
) -> _Problem:
    matrix = np.array(times, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError("coverage.sites_no_matrix")
    matrix[np.isnan(matrix)] = np.inf
    if (matrix < 0).any():
        raise InputError("coverage.sites_negative", field="times")
    given = np.ones(len(matrix)) if weights is None else np.array(weights, dtype=np.float64)
    if given.shape != (len(matrix),) or not np.isfinite(given).all() or (given < 0).any():
        raise InputError("coverage.sites_weights", n=len(matrix))
    kept = np.unique(np.array(list(existing), dtype=np.int64))
    if len(kept) and not (kept[0] >= 0 and kept[-1] < matrix.shape[1]):
        raise InputError("coverage.sites_existing", n=matrix.shape[1])
    return _Problem(matrix, given, kept)


def _check_number(problem: _Problem, add: int) -> int:
    room = problem.candidates - len(problem.existing)
    number = len(problem.existing) + add
    if not 0 <= add <= room or number == 0:
        raise InputError("coverage.sites_number", n=add, most=room)
    return number


def _solve(
    problem: _Problem,
    cost_of_a_site: float,
    cost_of_the_rest: FloatArray,
    constraints: list[Any],
    time_limit_s: float,
    number: int | None = None,
) -> tuple[npt.NDArray[np.bool_], Any]:
    """Solve for the sites, which are whole and come first, and for all else, which lies in 0..1."""
    sites, rest = problem.candidates, len(cost_of_the_rest)
    of_sites = np.concatenate((np.ones(sites), np.zeros(rest)))
    if number is not None:
        exactly = scipy.optimize.LinearConstraint(sp.csr_array(of_sites[None, :]), number, number)
        constraints = [*constraints, exactly]
    least = np.zeros(sites + rest)
    least[problem.existing] = 1.0  # what stands stays
    solved = scipy.optimize.milp(
        np.concatenate((np.full(sites, cost_of_a_site), cost_of_the_rest)),
        constraints=constraints,
        integrality=of_sites.astype(np.int64),
        bounds=scipy.optimize.Bounds(least, 1.0),
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
    )
    if solved.x is None:
        raise InputError("coverage.sites_no_answer", seconds=round(time_limit_s))
    return solved.x[:sites] > 0.5, solved


def _merge_demand(reaches: npt.NDArray[np.bool_], weights: FloatArray) -> tuple[Any, FloatArray]:
    """Merge demand that the same candidates reach: many households are few patterns."""
    # Returned are that each is covered only if a site that reaches it is chosen, and the weights.
    packed = np.packbits(reaches, axis=1)
    _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    merged = np.bincount(which.ravel(), weights=weights, minlength=len(first))
    kept = reaches[first].any(axis=1)
    cover = sp.csr_array(reaches[first][kept].astype(np.float64))
    covered = sp.eye_array(cover.shape[0])
    only_if_reached = sp.hstack([-cover, covered], format="csr")
    covering = scipy.optimize.LinearConstraint(only_if_reached, -np.inf, 0.0)
    return covering, merged[kept].astype(np.float64)


def set_cover(
    times: npt.ArrayLike,
    limit: float,
    *,
    weights: npt.ArrayLike | None = None,
    share: float = 1.0,
    existing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Siting:
    """Choose the fewest sites that bring a share of the demand within a limit."""
    # Minimise Σ y_j so that z_i ≤ Σ_{j: t_ij ≤ limit} y_j and Σ w_i z_i ≥ share · Σ w_i, with y
    # binary and 0 ≤ z ≤ 1 (Toregas et al. 1971 for share = 1).
    problem = _check_problem(times, weights, existing)
    reaches = problem.times <= limit
    total = problem.weights.sum()
    possible = problem.weights[reaches.any(axis=1)].sum()
    if not 0.0 <= share <= 1.0:
        raise InputError("coverage.sites_share")
    wanted = share * total * (1 - _ROUNDING)
    if possible < wanted:
        raise InputError("coverage.sites_too_much", share=share, possible=possible / total)
    only_if_reached, weight_of = _merge_demand(reaches, problem.weights)
    of_demand = np.concatenate((np.zeros(problem.candidates), weight_of))
    enough = scipy.optimize.LinearConstraint(sp.csr_array(of_demand[None, :]), wanted, np.inf)
    chosen, solved = _solve(
        problem, 1.0, np.zeros(len(weight_of)), [only_if_reached, enough], time_limit_s
    )
    return problem.as_siting(chosen, solved, float(chosen.sum()), limit)


def max_cover(
    times: npt.ArrayLike,
    limit: float,
    add: int,
    *,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Siting:
    """Choose sites that bring the most weight within a limit."""
    # Maximise Σ w_i z_i so that z_i ≤ Σ_{j: t_ij ≤ limit} y_j and Σ y_j = number of sites (Church
    # and ReVelle 1974).
    problem = _check_problem(times, weights, existing)
    number = _check_number(problem, add)
    only_if_reached, weight_of = _merge_demand(problem.times <= limit, problem.weights)
    chosen, solved = _solve(problem, 0.0, -weight_of, [only_if_reached], time_limit_s, number)
    nearest = problem.times[:, chosen].min(axis=1)
    return problem.as_siting(chosen, solved, float(problem.weights[nearest <= limit].sum()), limit)


def p_median(
    times: npt.ArrayLike,
    add: int,
    *,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Siting:
    """Choose sites with the least weighted sum of times to the nearest one."""
    # Minimise Σ w_i t_ij x_ij so that Σ_j x_ij = 1, x_ij ≤ y_j and Σ y_j = number of sites (ReVelle
    # and Swain 1970).
    problem = _check_problem(times, weights, existing)
    number = _check_number(problem, add)
    reachable = np.isfinite(problem.times).any(axis=1)
    matrix = problem.times[reachable]
    row, column = np.nonzero(np.isfinite(matrix))
    pairs, demand, sites = len(row), len(matrix), problem.candidates
    cost = matrix[row, column] * problem.weights[reachable][row]
    order = np.arange(pairs)
    one_each = sp.csr_array((np.ones(pairs), (row, sites + order)), shape=(demand, sites + pairs))
    only_open = sp.csr_array(
        (
            np.concatenate((np.ones(pairs), -np.ones(pairs))),
            (np.concatenate((order, order)), np.concatenate((sites + order, column))),
        ),
        shape=(pairs, sites + pairs),
    )
    chosen, solved = _solve(
        problem,
        0.0,
        cost,
        [
            scipy.optimize.LinearConstraint(one_each, 1.0, 1.0),
            scipy.optimize.LinearConstraint(only_open, -np.inf, 0.0),
        ],
        time_limit_s,
        number,
    )
    nearest = matrix[:, chosen].min(axis=1)
    total = float((nearest * problem.weights[reachable]).sum())
    return problem.as_siting(chosen, solved, total, None)


def p_centre(
    times: npt.ArrayLike,
    add: int,
    *,
    existing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Siting:
    """Choose sites whose longest time to anybody is the shortest possible."""
    # The answer is one of the times themselves, so they are halved: for each the fewest sites that
    # cover everybody are found exactly (Minieka 1970). A time is below the answer when more sites
    # are proven to be needed for it.
    problem = _check_problem(times, None, existing)
    number = _check_number(problem, add)
    reachable = np.isfinite(problem.times).any(axis=1)
    matrix = problem.times[reachable]
    # Even with a station at every candidate it takes so long.
    steps = np.unique(matrix[np.isfinite(matrix)])
    steps = steps[steps >= matrix.min(axis=1).max(initial=0.0)]
    tried: dict[int, Siting] = {}

    def is_enough(step: int) -> bool:
        tried[step] = set_cover(
            matrix, float(steps[step]), existing=existing, time_limit_s=time_limit_s
        )
        return len(tried[step].sites) <= number

    best = bisect_left(range(len(steps)), True, key=is_enough)  # noqa: FBT003 (the value sought)
    proven = [step for step in tried if math.ceil(tried[step].bound - _WHOLE) > number]
    lowest = max(proven, default=-1) + 1
    if best == len(steps):
        if lowest < len(steps):  # the time was too short to find or to exclude them
            raise InputError("coverage.sites_no_answer", seconds=round(time_limit_s))
        raise InputError("coverage.sites_too_few", n=number)
    fewest = tried[best]
    objective = float(matrix[:, fewest.sites].min(axis=1).max())
    bound = float(steps[lowest])
    return Siting(
        sites=fewest.sites,
        new_sites=fewest.new_sites,
        objective=objective,
        bound=bound,
        gap=(objective - bound) / objective if objective else 0.0,
        covered_weight=fewest.covered_weight,
        weight=float(len(problem.times)),
        left_out=problem.left_out,
        is_optimal=lowest == best,
    )
