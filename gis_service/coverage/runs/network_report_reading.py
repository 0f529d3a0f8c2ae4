"""The report on the active road network: read from the store what it looks at."""

from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coverage.county.queries import read_county, read_network
from gis_service.coverage.network.graph import apply_profile
from gis_service.coverage.runs import queries
from gis_service.coverage.runs.network_report import (
    NetworkReport,
    ReportRules,
    TurnCounts,
    find_faults,
)
from gis_service.coverage.standards.book import Profile, standard_book


def read_report(
    connection: sa.Connection, actor: Actor, profile: Profile, rules: ReportRules
) -> NetworkReport:
    """
    Look for faults in the active network.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Must see every household of the county.
    profile
        Whose roads.
    rules
        What counts as a fault.

    Returns
    -------
    NetworkReport
        Of a network without roads where the county has none.

    Raises
    ------
    NotAllowedError
        The actor sees a part of the county only.
    """
    county = read_county(connection, actor)
    network_id, network = read_network(connection)
    book = standard_book()
    homes = np.unique(county.household_place)
    report = find_faults(
        apply_profile(network, profile, book.scenarios["normal"], book.place),
        queries.read_border(connection),
        queries.read_water(connection),
        county.places.lon[homes],
        county.places.lat[homes],
        rules,
    )
    reasons = queries.count_turns(connection, network_id)
    turns = TurnCounts(
        reasons.get(None, 0),
        {str(reason): count for reason, count in reasons.items() if reason is not None},
        queries.count_barriers(connection, network_id),
    )
    return replace(report, turns=turns)
