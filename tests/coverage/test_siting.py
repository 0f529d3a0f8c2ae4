"""Best sites: the true optima of the San Francisco case, and of random cases by trying them all."""

import csv
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.coverage.siting import maximal_cover as siting
from gis_service.errors import InputError


@pytest.fixture(scope="module")
def san_francisco(real_data: Path) -> tuple[np.ndarray, np.ndarray, list[str], dict[str, Any]]:
    """16 candidates × 205 tracts: distances in metres, people, site names, the true optima."""
    folder = real_data / "reference/spopt_SF"
    with (folder / "SF_network_distance_candidateStore_16_censusTract_205_new.csv").open() as file:
        rows = list(csv.DictReader(file))
    sites = sorted({row["name"] for row in rows})
    tracts = sorted({row["DestinationName"] for row in rows})
    distances = np.full((len(tracts), len(sites)), np.inf)
    people = np.zeros(len(tracts))
    for row in rows:
        at = tracts.index(row["DestinationName"])
        distances[at, sites.index(row["name"])] = float(row["distance"])
        people[at] = float(row["demand"])
    truth = json.loads((folder / "recomputed_by_enumeration.json").read_text())
    return distances, people, sites, truth


def test_the_true_optima_of_san_francisco(
    san_francisco: tuple[np.ndarray, np.ndarray, list[str], dict[str, Any]],
) -> None:
    distances, people, sites, truth = san_francisco
    cover = siting.set_cover(distances, 5000)
    assert cover.objective == truth["LSCP_5000m_min_facilities"]
    most = siting.max_cover(distances, 5000, 4, weights=people)
    assert most.objective == truth["MCLP_p4_5000m_covered_population"]
    assert sorted(sites[at] for at in most.sites) == truth["MCLP_p4_sites"]
    median = siting.p_median(distances, 4, weights=people)
    assert median.objective == pytest.approx(truth["PMedian_p4_objective"], rel=1e-12)
    assert sorted(sites[at] for at in median.sites) == truth["PMedian_p4_sites"]
    centre = siting.p_centre(distances, 4)
    assert centre.objective == pytest.approx(truth["PCenter_p4_objective"], rel=1e-12)
    for solution in (cover, most, median, centre):
        assert solution.is_optimal
        assert solution.gap == 0.0


cases = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def draw(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    times = random.integers(1, 30, (random.integers(3, 12), random.integers(2, 7))).astype(float)
    times[random.random(times.shape) < 0.2] = np.inf
    return times, random.integers(0, 9, len(times)).astype(float)


def choices(candidates: int, number: int, existing: list[int]) -> list[list[int]]:
    free = [at for at in range(candidates) if at not in existing]
    return [[*existing, *more] for more in itertools.combinations(free, number)]


@settings(max_examples=40, deadline=None)
@given(cases, st.booleans())
def test_no_choice_is_better(random: np.random.Generator, keeps_one: bool) -> None:
    times, weights = draw(random)
    existing = [0] if keeps_one else []
    add = int(random.integers(1, times.shape[1] - len(existing) + 1))
    all_choices = choices(times.shape[1], add, existing)
    nearest = [times[:, chosen].min(axis=1) for chosen in all_choices]

    most = siting.max_cover(times, 12, add, weights=weights, existing=existing)
    assert most.objective == max(weights[near <= 12].sum() for near in nearest)
    assert set(existing) <= set(most.sites)
    assert len(most.new_sites) == add

    seen = np.isfinite(times).any(axis=1)
    sums = [(near[seen] * weights[seen]).sum() for near in nearest if np.isfinite(near[seen]).all()]
    if sums:
        median = siting.p_median(times, add, weights=weights, existing=existing)
        assert median.objective == pytest.approx(min(sums))
        centre = siting.p_centre(times, add, existing=existing)
        assert centre.objective == min(near[seen].max() for near in nearest)
        assert centre.left_out.tolist() == np.flatnonzero(~seen).tolist()


@settings(max_examples=30, deadline=None)
@given(cases)
def test_no_fewer_sites_are_enough(random: np.random.Generator) -> None:
    times, weights = draw(random)
    share = float(random.random())
    possible = weights[(times <= 15).any(axis=1)].sum()
    if possible < share * weights.sum():
        with pytest.raises(InputError):
            siting.set_cover(times, 15, weights=weights, share=share)
        return
    solution = siting.set_cover(times, 15, weights=weights, share=share)
    assert solution.covered_weight >= share * weights.sum() * (1 - 1e-8)
    fewer = choices(times.shape[1], max(len(solution.sites) - 1, 0), [])
    for chosen in fewer:
        near = times[:, chosen].min(axis=1) if chosen else np.full(len(times), np.inf)
        assert weights[near <= 15].sum() < share * weights.sum() or not solution.sites


def test_a_time_that_is_not_proven_too_short_stays_possible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the solver stopped below 8 minutes the centre is told with what is known."""
    times = np.array([[5.0, 8.0], [8.0, 5.0], [1.0, 9.0]])
    exact = siting.set_cover

    def stopped(matrix: Any, limit: float, **asked: Any) -> siting.Siting:
        solution = exact(matrix, limit, **asked)
        if limit >= 8:
            return solution
        return replace(solution, sites=[0, 1], bound=0.5, is_optimal=False)

    assert siting.p_centre(times, 1).bound == 8
    monkeypatch.setattr(siting, "set_cover", stopped)
    solution = siting.p_centre(times, 1)
    assert (solution.objective, solution.bound, solution.is_optimal) == (8, 5, False)
    assert solution.gap == pytest.approx(3 / 8)


@pytest.mark.parametrize(
    ("times", "add"), [([[1.0, 2.0]], 3), ([[1.0]], 0), ([], 1), ([[-1.0]], 1), ([[1.0, 2.0]], -1)]
)
def test_what_makes_no_sense_is_told(times: list[list[float]], add: int) -> None:
    with pytest.raises(InputError):
        siting.max_cover(times, 5, add)


def test_many_alike_are_one(
    san_francisco: tuple[np.ndarray, np.ndarray, list[str], dict[str, Any]],
) -> None:
    distances, people, _, truth = san_francisco
    many = np.repeat(distances, 50, axis=0)
    solution = siting.max_cover(many, 5000, 4, weights=np.repeat(people / 50, 50))
    assert solution.objective == pytest.approx(truth["MCLP_p4_5000m_covered_population"])
