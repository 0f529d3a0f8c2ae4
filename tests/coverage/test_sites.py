"""Best next sites of a drawn county: what is chosen is what trying every candidate finds."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from gis_service.access import SYSTEM
from gis_service.coverage.siting.sites import SiteRequest, Sites, choose_sites
from gis_service.coverage.siting.what_if import AddStation, Prepared, measure_changes
from gis_service.coverage.siting.what_if_answers import measure_county
from gis_service.errors import InputError
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from tests.coverage.drawn_county import BOOK, NODES
from tests.coverage.drawn_roads import at_m

NODE_PLACES = [at_m(*place) for place in NODES.values()]


@pytest.fixture
def prepared(county: Store) -> Prepared:
    with county.transaction(SYSTEM) as connection:
        return measure_county(Snapshot(), connection, SYSTEM, "fire-20", "normal", BOOK).prepared


def tried(prepared: Prepared, number: int, good: Callable[[dict[str, Any]], Any]) -> Any:
    """The best figure of any choice of so many nodes, each choice measured."""
    return max(
        good(
            measure_changes(
                prepared, [AddStation("fire_station", lon, lat) for lon, lat in chosen]
            ).after
        )
        for chosen in combinations(NODE_PLACES, number)
    )


def reached(figures: dict[str, Any]) -> tuple[int, float]:
    """More reached is better, then the shorter longest time."""
    return -figures["unreachable"], -figures["worst_minutes"]


@pytest.mark.parametrize("add", [1, 2])
def test_most_are_covered(prepared: Prepared, add: int) -> None:
    answer = choose_sites(prepared, SiteRequest("max_cover", add))
    assert answer.optimum_proved
    assert answer.gap == 0.0
    assert len(answer.sites) == add
    assert answer.before["covered"] < answer.after["covered"]
    assert answer.after["covered"] == tried(prepared, add, lambda figures: figures["covered"])
    gains = [site.gain_households for site in answer.sites]
    assert sum(gains) == answer.after["covered"] - answer.before["covered"]
    assert gains == sorted(gains, reverse=True)


def test_the_longest_time_is_the_shortest_possible(prepared: Prepared) -> None:
    answer = choose_sites(prepared, SiteRequest("p_centre", 1))
    assert answer.optimum_proved
    assert answer.aggregated
    assert reached(answer.after) == pytest.approx(tried(prepared, 1, reached), abs=1e-6)


def test_the_fewest_sites_reach_a_share(prepared: Prepared) -> None:
    everyone = tried(prepared, 2, lambda figures: figures["covered"])
    one_only = tried(prepared, 1, lambda figures: figures["covered"])
    assert one_only < everyone
    n = prepared.summary["n"]
    assert len(_set_cover(prepared, one_only / n).sites) == 1
    answer = _set_cover(prepared, everyone / n)
    assert len(answer.sites) == 2
    assert answer.after["covered"] >= everyone


def _set_cover(prepared: Prepared, share: float) -> Sites:
    return choose_sites(prepared, SiteRequest("set_cover", target_share=share))


def test_the_sum_of_times_falls_most(prepared: Prepared) -> None:
    answer = choose_sites(prepared, SiteRequest("p_median", 1))
    assert answer.optimum_proved
    assert answer.bound == pytest.approx(answer.objective)
    assert (answer.sites[0].lon, answer.sites[0].lat) in [
        pytest.approx(site) for site in NODE_PLACES
    ]


def test_only_drawn_places_are_looked_at(prepared: Prepared) -> None:
    places = (at_m(12000, 10), at_m(300, 10))
    answer = choose_sites(prepared, SiteRequest("max_cover", 1, candidates="places", places=places))
    assert answer.candidates == 2
    assert (answer.sites[0].lon, answer.sites[0].lat) == pytest.approx(places[0])


@pytest.mark.parametrize(
    ("site_request", "key"),
    [
        (SiteRequest(kind="bank"), "coverage.kind_not_in_standard"),
        (SiteRequest(candidates="places"), "coverage.sites_no_candidates"),
        (
            SiteRequest(candidates="places", places=(at_m(0, 90_000),)),
            "coverage.sites_no_candidates",
        ),
        (SiteRequest("set_cover", target_share=1.0), "coverage.sites_too_much"),
        (SiteRequest("max_cover", 50), "coverage.sites_number"),
    ],
)
def test_what_cannot_be_is_said(prepared: Prepared, site_request: SiteRequest, key: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_sites(prepared, site_request)
    assert caught.value.key == key
