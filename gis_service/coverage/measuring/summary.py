"""Counts as figures: with their share, their status, and the county's put together.

Nothing here reads the store.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from gis_service.coverage.measuring.measurement import NO_HOUSEHOLDS, Measured
from gis_service.coverage.measuring.statistics import (
    COUNTY_RANK,
    HOUSEHOLDS,
    POPULATIONS,
    RULE,
)
from gis_service.coverage.travel.travel_time import STATUS_NAMES


@dataclass(frozen=True)
class Figures:
    """
    How many of a grid are reached, for one kind or for the rule over kinds.

    Attributes
    ----------
    of
        What ``n`` counts.
    share
        ``covered / n``; None where n is 0.
    status
        ``ok``, or why the figure does not measure travel: ``no_facility``, ``no_roads``,
        ``no_households``.
    median_minutes, p90_minutes, worst_minutes
        Of those whom some facility reaches at all; None where there are none.
    """

    of: str
    n: int
    covered: int
    too_far: int
    unreachable: int
    off_network: int
    share: float | None
    status: str
    median_minutes: float | None
    p90_minutes: float | None
    worst_minutes: float | None


def as_figures(row: Mapping[Any, Any], status: str, of: str | None = None) -> Figures:
    """Make figures of a row of the table of figures."""
    n, covered = int(row["n"]), int(row["covered"])
    return Figures(
        of=of or str(row["of"]),
        n=n,
        covered=covered,
        too_far=int(row["too_far"]),
        unreachable=int(row["unreachable"]),
        off_network=int(row["off_network"]),
        share=covered / n if n else None,
        status=status if n else NO_HOUSEHOLDS,
        median_minutes=_round_known(row.get("median_minutes")),
        p90_minutes=_round_known(row.get("p90_minutes")),
        worst_minutes=_round_known(row.get("worst_minutes")),
    )


def _round_known(minutes: float | None) -> float | None:
    return None if minutes is None or math.isnan(minutes) else round(float(minutes), 3)


def summarise(table: pd.DataFrame, measured: Measured) -> dict[str, Any]:
    """Pick the county's figures out of the table of all."""
    of_county = table[table["rank"] == COUNTY_RANK].to_dict("records")
    entry = {
        (row["of"], row["kind"]): asdict(as_figures(row, measured.status_of(row["kind"])))
        for row in of_county
    }

    def figures_of(of: str) -> dict[str, Any]:
        return {**entry[of, RULE], "kinds": {kind: entry[of, kind] for kind in measured.kinds}}

    return {
        **figures_of(HOUSEHOLDS),
        "facilities": measured.facility_count,
        "facilities_off_network": measured.facility_off_network,
        "others": {of: figures_of(of) for of in POPULATIONS[1:] if (of, RULE) in entry},
    }


def count_inside(table: pd.DataFrame) -> dict[str, Any] | None:
    """Count the households that lie in some grid, by the rule over kinds."""
    households = table[(table["of"] == HOUSEHOLDS) & (table["kind"] == RULE)]
    county = households[households["rank"] == COUNTY_RANK]
    grids = households[households["rank"] > COUNTY_RANK]
    top = grids[grids["rank"] == grids["rank"].min()]
    counts = {name: int(top[name].sum()) for name in ("n", *STATUS_NAMES)}
    if counts["n"] == int(county["n"].sum()):
        return None
    return {**counts, "share": counts["covered"] / counts["n"] if counts["n"] else None}
