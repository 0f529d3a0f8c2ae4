"""One standard measured on one network: from roads, facilities and places to times and statuses.

Puts network, travel time and rule together in memory, so that a stored run, a what-if and a
partition of a province all compute the same. Nothing here reads or writes the store.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gis_service.coverage.measuring.statistics import RULE, KindOutcome
from gis_service.coverage.network.graph import (
    FloatArray,
    IntArray,
    ProfileNetwork,
    RoadNetwork,
    Snapped,
    Snapper,
    apply_profile,
)
from gis_service.coverage.standards.book import Scenario, Standard, StandardBook
from gis_service.coverage.travel.travel_time import (
    Graph,
    StatusArray,
    apply_rule,
    build_graph,
    find_nearest_facility,
    judge_status,
)

OK: Final = "ok"
NO_HOUSEHOLDS: Final = "no_households"
NO_ROADS: Final = "no_roads"
NO_FACILITY: Final = "no_facility"


@dataclass(frozen=True)
class Facilities:
    """What can be reached."""

    # The store's ids.
    facility_id: IntArray
    # One of ``tables.FACILITY_KINDS``.
    kind: npt.NDArray[np.str_]
    # Degrees.
    lon: FloatArray
    lat: FloatArray
    # A station's own; NaN where the standard's counts.
    turnout_minutes: FloatArray


@dataclass(frozen=True)
class Measured:
    """A standard's answer for every place."""

    # In the order of the columns below.
    kinds: tuple[str, ...]
    # Where the places meet the network.
    snapped: Snapped
    # By the standard's rule over kinds.
    status: StatusArray
    minutes: FloatArray
    # Places x kinds; the facility's id, -1 where none arrives.
    kind_status: StatusArray
    kind_minutes: FloatArray
    kind_facility: IntArray
    # By kind: how many there are, and how many of them no road leads to.
    facility_count: dict[str, int]
    facility_off_network: dict[str, int]
    # Whether there is any road on which somebody could set out.
    has_roads: bool
    # How many kinds the rule asks for.
    kinds_needed: int

    def list_outcomes(self) -> list[KindOutcome]:
        """Hand over to the figures: the rule first, then kind by kind."""
        by_kind = [
            KindOutcome(kind, self.kind_status[:, column], self.kind_minutes[:, column])
            for column, kind in enumerate(self.kinds)
        ]
        return [KindOutcome(RULE, self.status, self.minutes), *by_kind]

    def status_of(self, kind: str) -> str:
        """Say whether the figures of a kind measure travel, or why they do not."""
        # ``no_facility`` is none of this kind, or for the rule fewer kinds with a facility than it
        # asks for, so that 0 % says nothing of roads.
        if len(self.minutes) == 0:
            return NO_HOUSEHOLDS
        if not self.has_roads:
            return NO_ROADS
        if kind == RULE:
            present = sum(count > 0 for count in self.facility_count.values())
            return OK if present >= self.kinds_needed else NO_FACILITY
        return OK if self.facility_count[kind] else NO_FACILITY


@dataclass(frozen=True)
class MeasuringSetup:
    """
    What stays when a facility moves: the network as the profile sees it, and the places on it.

    Attributes
    ----------
    profiled
        The network as the standard's profile sees it.
    graph
        Its arcs in the direction in which the standard is run.
    snapper
        Its doors, ready to be asked for the facilities.
    places
        Where the places meet it.
    """

    profiled: ProfileNetwork
    graph: Graph
    snapper: Snapper
    places: Snapped


def prepare_setup(
    network: RoadNetwork,
    book: StandardBook,
    standard: Standard,
    scenario: Scenario,
    lon: FloatArray,
    lat: FloatArray,
) -> MeasuringSetup:
    """Make a network ready for a standard, and find where places meet it."""
    profiled = apply_profile(network, book.profiles[standard.profile], scenario, book.place)
    snapper = Snapper(profiled)
    places = snapper.snap(lon, lat, book.place.snap_cap_m.value)
    return MeasuringSetup(
        profiled, build_graph(_in_direction_of(profiled, standard)), snapper, places
    )


def measure_standard(
    setup: MeasuringSetup,
    book: StandardBook,
    standard: Standard,
    facilities: Facilities,
    *,
    before: Measured | None = None,
    kinds: Collection[str] | None = None,
    progress: Callable[[float, str], None] = lambda _share, _step: None,
) -> Measured:
    """Measure every place of a setup against one standard."""
    rules, profiled, places = book.place, setup.profiled, setup.places
    sites = setup.snapper.snap(facilities.lon, facilities.lat, rules.snap_cap_m.value)
    shape = (len(places), len(standard.kinds))
    minutes = np.full(shape, np.inf) if before is None else before.kind_minutes.copy()
    served_by = np.full(shape, -1, np.int64) if before is None else before.kind_facility.copy()
    status = np.zeros(shape, np.int8) if before is None else before.kind_status.copy()
    for column, kind in enumerate(standard.kinds):
        progress(column / len(standard.kinds), "coverage.step_measuring")
        if before is not None and kinds is not None and kind not in kinds:
            continue
        of_kind = np.flatnonzero(facilities.kind == kind)
        times = find_nearest_facility(
            profiled,
            places,
            sites.take(of_kind),
            standard.direction,
            turnout_minutes=minutes_before_moving(facilities, of_kind, standard),
            off_road_minutes_per_m=rules.off_road_minutes_per_m,
            graph=setup.graph,
        )
        minutes[:, column] = times.minutes
        served_by[:, column] = np.where(
            times.facility >= 0,
            facilities.facility_id[of_kind[times.facility]] if len(of_kind) else -1,
            -1,
        )
        status[:, column] = judge_status(times.minutes, places, standard.limit_minutes.value)
    rule_minutes = apply_rule(minutes, standard.kinds_needed)
    return Measured(
        kinds=standard.kinds,
        snapped=places,
        status=judge_status(rule_minutes, places, standard.limit_minutes.value),
        minutes=rule_minutes,
        kind_status=status,
        kind_minutes=minutes,
        kind_facility=served_by,
        facility_count={kind: int((facilities.kind == kind).sum()) for kind in standard.kinds},
        facility_off_network={
            kind: int(((facilities.kind == kind) & (sites.edge < 0)).sum())
            for kind in standard.kinds
        },
        has_roads=bool(profiled.snappable.any()),
        kinds_needed=standard.kinds_needed,
    )


def _in_direction_of(profiled: ProfileNetwork, standard: Standard) -> ProfileNetwork:
    return profiled.reversed() if standard.direction == "to_facility" else profiled


def minutes_before_moving(
    facilities: Facilities, of_kind: IntArray, standard: Standard
) -> FloatArray:
    """Take a station's own turnout before the standard's; a resident has none."""
    own = facilities.turnout_minutes[of_kind]
    if standard.direction == "to_facility":
        own = np.full(len(of_kind), np.nan)
    turnout = np.where(np.isnan(own), standard.turnout_minutes.value, own)
    return turnout + standard.fixed_minutes
