"""Minutes on real roads beside pgRouting: every node reached, to a hundredth of a second."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 (it is a class)
from psycopg2.extras import execute_values

from gis_service.coverage.network.graph import (
    FloatArray,
    IntArray,
    ProfileNetwork,
    RoadNetwork,
    apply_profile,
)
from gis_service.coverage.standards.book import Direction, read_standards
from gis_service.coverage.travel.travel_time import build_graph
from gis_service.ingest.osm.reading import read_osm
from tests.conftest import DatabaseServer
from tests.coverage.drawn_roads import nearest_of_nodes
from tests.coverage.real_roads import futian_network

BOOK = read_standards()
STATIONS = 8
HUNDREDTH_OF_A_SECOND = 0.01


@pytest.fixture(scope="module")
def pgrouting(database_server: DatabaseServer, database: str) -> Iterator[Cursor]:
    """This module's database with pgRouting; where the system has none the tests say so."""
    with closing(database_server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgrouting'")
        if cursor.fetchone() == (0,):
            pytest.skip("this system has no pgRouting (package postgresql-VERSION-pgrouting)")
        cursor.execute("CREATE EXTENSION pgrouting CASCADE")
        yield cursor


@pytest.fixture(scope="module")
def liechtenstein(real_data: Path) -> RoadNetwork:
    frames = read_osm(real_data / "roads/liechtenstein-2015.osm.pbf").frames
    return RoadNetwork.from_frames(frames.road_nodes, frames.road_edges)


@pytest.fixture(scope="module")
def futian(real_data: Path) -> RoadNetwork:
    return futian_network(real_data)


@pytest.mark.real_data
@pytest.mark.parametrize("region", ["liechtenstein", "futian"])
@pytest.mark.parametrize(
    ("profile", "direction"),
    [("fire_engine", "from_facility"), ("car", "to_facility"), ("walk", "to_facility")],
)
def test_every_node_takes_the_same_time(
    pgrouting: Cursor,
    region: str,
    profile: str,
    direction: Direction,
    request: pytest.FixtureRequest,
) -> None:
    network: RoadNetwork = request.getfixturevalue(region)
    roads = apply_profile(network, BOOK.profiles[profile], BOOK.scenario("normal"), BOOK.place)
    if direction == "to_facility":
        roads = roads.reversed()
    stations = np.random.default_rng(3).choice(network.node_count, STATIONS, replace=False)
    ours = 60 * nearest_of_nodes(build_graph(roads), stations)[0]
    theirs = _seconds_by_pgrouting(pgrouting, roads, stations)
    reached = np.isfinite(theirs)
    assert reached.sum() > 1000
    assert (np.isfinite(ours) == reached).all()
    assert np.abs(ours[reached] - theirs[reached]).max() < HUNDREDTH_OF_A_SECOND


def _seconds_by_pgrouting(cursor: Cursor, roads: ProfileNetwork, stations: IntArray) -> FloatArray:
    """Ask for each station by itself and take the least: no shortcut that could be shared."""
    network = roads.network
    cursor.execute("DROP TABLE IF EXISTS arc")
    cursor.execute(
        "CREATE TEMPORARY TABLE arc (id bigint, source bigint, target bigint,"
        " cost float8, reverse_cost float8)"
    )
    both_ways = (
        np.where(np.isfinite(minutes), minutes * 60, -1.0).tolist()
        for minutes in (roads.minutes_along, roads.minutes_against)
    )
    rows = zip(
        range(network.edge_count), network.source.tolist(), network.target.tolist(), *both_ways,
        strict=True,
    )  # fmt: skip
    execute_values(cursor, "INSERT INTO arc VALUES %s", list(rows), page_size=5000)
    cursor.execute(
        "SELECT node, min(agg_cost) FROM pgr_drivingDistance("
        "'SELECT id, source, target, cost, reverse_cost FROM arc', %s, 1e9) GROUP BY node",
        (stations.tolist(),),
    )
    seconds = np.full(network.node_count, np.inf)
    seconds[stations] = 0.0
    for node, least in cursor.fetchall():
        seconds[node] = least
    return seconds
