"""Roads from lines and graphs: joined where they meet, and the network becomes the active one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.coordinate_systems import parse_crs
from gis_service.coverage.county.queries import read_network
from gis_service.errors import HeldBackError, InputError
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import HandlerResult, ImportOptions, ImportOutcome
from gis_service.ingest.kinds.road_noding import NodedRoads, node_roads
from gis_service.ingest.kinds.roads_file import read_attributes, read_road_class, take_roads
from gis_service.ingest.readers.graphml import read_graphml
from gis_service.store import Store
from gis_service.store import tables as t
from tests.ingest.matched import matched
from tests.support import SOUTH, WEST, publish_nine

EAST_M, NORTH_M = metres_per_degree(SOUTH)


def line(*xy: tuple[float, float]) -> shapely.LineString:
    """A line by metres from the drawn county's corner."""
    return shapely.LineString([(WEST + x / EAST_M, SOUTH + y / NORTH_M) for x, y in xy])


def noded(
    *lines: shapely.LineString, layers: Sequence[int] | None = None, snap_m: float = 1.0,
    cross: bool = False,
) -> NodedRoads:  # fmt: skip
    return node_roads(lines, layers or [0] * len(lines), snap_m, cross=cross)


def pieces(roads: NodedRoads) -> list[int]:
    """How many edges each line became."""
    return [int(n) for n in np.bincount(roads.line)]


# --- where lines meet --------------------------------------------------------------------------


def test_ends_that_lie_together_are_one_node() -> None:
    roads = noded(line((0, 0), (100, 0)), line((100.4, 0), (200, 0)))
    assert (len(roads.nodes), len(roads.geometry), roads.joined) == (3, 2, 1)
    assert roads.target[0] == roads.source[1]
    assert roads.geometry[0].coords[-1] == roads.geometry[1].coords[0]


def test_ends_farther_apart_stay_apart() -> None:
    roads = noded(line((0, 0), (100, 0)), line((101.5, 0), (200, 0)))
    assert (len(roads.nodes), roads.joined) == (4, 0)


def test_a_road_that_ends_on_another_cuts_it_there() -> None:
    roads = noded(line((0, 0), (100, 0)), line((50, 0.6), (50, 100)))
    assert pieces(roads) == [2, 1]
    assert roads.joined == 1
    assert len(roads.nodes) == 4
    assert set(roads.source[2:]) <= {roads.target[0]}


def test_a_common_vertex_is_a_crossing_and_its_absence_is_not() -> None:
    shared = noded(line((0, 0), (50, 0), (100, 0)), line((50, -50), (50, 0), (50, 50)))
    assert pieces(shared) == [2, 2]
    assert len(shared.crossings) == 0
    apart = noded(line((0, 0), (100, 0)), line((50, -50), (50, 50)))
    assert pieces(apart) == [1, 1]
    assert apart.crossing_lines.tolist() == [[0, 1]]
    np.testing.assert_allclose(apart.crossings[0], line((50, 0), (60, 0)).coords[0], atol=2e-9)


def test_a_crossing_without_a_vertex_is_joined_on_request_only_on_one_layer() -> None:
    ways = line((0, 0), (100, 0)), line((50, -50), (50, 50))
    assert pieces(noded(*ways, cross=True)) == [2, 2]
    over = noded(*ways, layers=[0, 1], cross=True)
    assert pieces(over) == [1, 1]
    assert len(over.crossings) == 0


def test_a_bridge_meets_the_ground_at_its_ends_only() -> None:
    ground = line((0, 0), (50, 0), (100, 0))
    over = line((50, -50), (50, 0), (50, 50))
    assert pieces(noded(ground, over, layers=[0, 1])) == [1, 1]
    ramp = line((50, 0), (50, 80))
    assert pieces(noded(ground, ramp, layers=[0, 1])) == [2, 1]
    below = line((50, -50), (50, -0.5))
    assert pieces(noded(ground, below, layers=[1, 0])) == [1, 1]


def test_a_ring_and_a_line_too_short_to_be_one() -> None:
    roads = noded(
        line((0, 0), (50, 0), (50, 50), (0, 0)), line((0, 0), (0.3, 0)), line((0, 0), (-50, 0))
    )
    assert roads.lost == [1]
    assert sorted(roads.line.tolist()) == [0, 2]
    assert roads.source[0] == roads.target[0]


# --- what a road is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "class_"),
    [("高速公路", "motorway"), ("国道", "trunk"), ("乡道", "tertiary"), ("primary_link", "primary"),
     ("track_grade3", "track"), ("Residential", "residential"), (None, "unclassified"),
     ("河流", None)],
)  # fmt: skip
def test_classes_in_chinese_and_english(said: str | None, class_: str | None) -> None:
    assert read_road_class(said) == class_


def test_flags_and_directions_as_different_files_write_them() -> None:
    said = {"oneway": "F", "bridge": "T", "tunnel": "F", "maxspeed": "60"}
    geofabrik = read_attributes(said, "primary")
    assert (geofabrik["oneway"], geofabrik["bridge"], geofabrik["tunnel"]) == (1, True, False)
    assert (geofabrik["layer"], geofabrik["maxspeed_kmh"]) == (1, 60.0)
    assert read_attributes({"oneway": "双向"}, "motorway")["oneway"] == 0
    assert read_attributes({"oneway": "反向"}, "primary")["oneway"] == -1
    assert read_attributes({}, "motorway")["oneway"] == 1
    assert read_attributes({"隧道": None, "tunnel": "是"}, "primary")["layer"] == -1


# --- into the store ----------------------------------------------------------------------------


@pytest.fixture
def connection(store: Store) -> Any:
    """A transaction that is taken back after the test."""
    with store.transaction(SYSTEM) as connection:
        savepoint = connection.begin_nested()
        yield connection
        savepoint.rollback()


def take(
    connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, accept_shift: bool = False,
    **extra: str,
) -> HandlerResult:  # fmt: skip
    options = ImportOptions(extra=extra, accept_shift=accept_shift)
    return take_roads(connection, SYSTEM, matched(rows, "roads.gpkg"), options, lambda *_: None)


ROADS: list[dict[str, Any]] = [
    {"highway": "县道", "name": "一路", "geometry": line((0, 0), (500, 0))},
    {"highway": "村道", "name": None, "geometry": line((250, 0.4), (250, 300))},
    {"highway": "residential", "name": "三巷", "oneway": "yes", "geometry":
        shapely.MultiLineString([line((0, 0), (0, 100)), line((0, 100), (0, 200))])},
]  # fmt: skip


def active(connection: sa.Connection) -> list[Any]:
    edge, network = t.road_edge, t.road_network
    query = (
        sa.select(edge)
        .join(network, network.c.network_id == edge.c.network_id)
        .where(network.c.active)
        .order_by(edge.c.edge_id)
    )
    return list(connection.execute(query).all())


def test_roads_become_the_active_network_and_twice_is_once(connection: sa.Connection) -> None:
    applied = take(connection, ROADS)
    assert (applied.new, applied.refusals) == (5, [])
    edges = active(connection)
    assert [edge.road_class for edge in edges] == [
        "secondary", "secondary", "unclassified", "residential", "residential",
    ]  # fmt: skip
    assert edges[0].length_m == pytest.approx(250, rel=1e-3)
    assert len({edge.edge_id for edge in edges}) == 5
    again = take(connection, ROADS)
    assert (again.new, again.same) == (0, 5)
    networks = sa.select(sa.func.count()).select_from(t.road_network)
    assert connection.execute(networks).scalar_one() == 1
    renamed = [{**ROADS[0], "name": "新路"}, *ROADS[1:]]
    assert take(connection, renamed).new == 5
    assert connection.execute(networks).scalar_one() == 2
    assert active(connection)[0].name == "新路"


def test_rows_that_are_no_roads_are_listed_and_the_rest_goes_in(connection: sa.Connection) -> None:
    odd: list[dict[str, Any]] = [
        {"highway": "河流", "geometry": line((0, 0), (1, 1))},
        {"highway": "县道", "geometry": shapely.Point(WEST, SOUTH)},
        {"highway": "县道", "geometry": None},
        {"highway": "construction", "geometry": line((0, 0), (9, 9))},
    ]
    applied = take(connection, [*ROADS, *odd])
    assert [(one.row, one.key) for one in applied.refusals] == [
        (4, "ingest.row_unknown_word"), (5, "roads_file.row_no_line"), (6, "ingest.row_empty"),
    ]  # fmt: skip
    assert applied.new == 5
    assert "roads_file.closed" in [note.key for note in applied.notes]


def test_a_file_without_roads_and_bad_options_are_said(connection: sa.Connection) -> None:
    for rows, extra, key in (
        (ROADS[:0] or [{"highway": "河流", "geometry": line((0, 0), (1, 1))}], {},
         "roads_file.no_roads"),
        (ROADS, {"snap_m": "far"}, "roads_file.bad_snap"),
        (ROADS, {"data_day": "gestern"}, "grids_file.bad_day"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            take(connection, rows, accept_shift=False, **extra)
        assert caught.value.key == key
    assert active(connection) == []


def test_roads_of_another_county_are_held_back(connection: sa.Connection) -> None:
    publish_nine(connection)
    far = [{"highway": "县道", "geometry": shapely.transform(one["geometry"], lambda xy: xy + 1)}
           for one in ROADS]  # fmt: skip
    with pytest.raises(HeldBackError):
        take(connection, far)
    assert take(connection, far, accept_shift=True).new > 0


def test_roads_read_in_the_wrong_system_are_held_back_with_the_right_one(
    store: Store, tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    starts = rng.uniform(0, 2000, (80, 2))
    lines = [line((x, y), (x + 90, y + 40)) for x, y in starts.tolist()]
    frame = geopandas.GeoDataFrame({"highway": ["县道"] * 80}, geometry=lines, crs=4490)
    file = tmp_path / "roads.gpkg"
    frame.to_file(file, driver="GPKG")

    def run(crs: str | None) -> ImportOutcome:
        system = None if crs is None else parse_crs(crs)
        return import_file(store, SYSTEM, "roads", file, ImportOptions(crs=system))

    before = run(None)
    assert before.new >= 80
    with pytest.raises(HeldBackError) as caught:
        run("gcj02")
    assert caught.value.key == "roads_file.off_the_roads"
    assert "cgcs2000" in caught.value.say("en") or "wgs84" in caught.value.say("en")
    assert run("cgcs2000").same == before.new


# --- graphs ------------------------------------------------------------------------------------

GRAPH = """<?xml version='1.0' encoding='utf-8'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="a" for="edge" attr.name="highway"/><key id="b" for="edge" attr.name="oneway"/>
<key id="c" for="edge" attr.name="osmid"/><key id="d" for="edge" attr.name="reversed"/>
<key id="x" for="node" attr.name="x"/><key id="y" for="node" attr.name="y"/>
<key id="s" for="graph" attr.name="crs"/>
<graph edgedefault="directed"><data key="s">epsg:4326</data>
<node id="1"><data key="x">112.91</data><data key="y">28.71</data></node>
<node id="2"><data key="x">112.92</data><data key="y">28.71</data></node>
<edge source="1" target="2"><data key="a">['residential', 'primary_link']</data>
<data key="b">False</data><data key="c">[7, 8]</data><data key="d">False</data></edge>
<edge source="2" target="1"><data key="a">['residential', 'primary_link']</data>
<data key="b">False</data><data key="c">[8, 7]</data><data key="d">True</data></edge>
<edge source="2" target="1"><data key="a">service</data><data key="b">True</data>
<data key="c">9</data><data key="d">False</data></edge>
</graph></graphml>"""


def test_two_directed_edges_of_one_road_are_one(tmp_path: Path) -> None:
    file = tmp_path / "net.graphml"
    file.write_text(GRAPH, encoding="utf-8")
    table = read_graphml(file, crs=None)
    rows = table.frame.to_dict("records")
    assert [(row["from"], row["to"], row["oneway"], row["highway"]) for row in rows] == [
        ("1", "2", "no", "residential"), ("2", "1", "yes", "service"),
    ]  # fmt: skip
    assert table.crs == parse_crs("EPSG:4326")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "ingest.file_empty"),
        (GRAPH[:-200], "roads_file.graph_cut"),
        (GRAPH.replace("epsg:4326", ""), "roads_file.graph_without_crs"),
        (GRAPH.replace('attr.name="x"', 'attr.name="z"'), "roads_file.graph_without_places"),
        (GRAPH.replace('target="2"', 'target="5"'), "roads_file.graph_without_places"),
        ('<!DOCTYPE g [<!ENTITY a "b">]>' + GRAPH.split("\n", 1)[1], "roads_file.graph_entities"),
        ('<graphml xmlns="http://graphml.graphdrawing.org/xmlns"/>', "roads_file.graph_empty"),
    ],
)
def test_a_bad_graph_says_what_is_wrong(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "net.graphml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_graphml(file, crs=None)
    assert caught.value.key == key


@pytest.mark.real_data
def test_a_real_street_network_of_osmnx(store: Store, real_data: Path) -> None:
    file = real_data / "roads/futian-shenzhen.graphml"
    outcome = import_file(store, SYSTEM, "roads", file, ImportOptions(accept_shift=True))
    assert (outcome.refusals, outcome.new) == ([], outcome.rows)
    assert outcome.details["nodes"] == 1751
    assert outcome.new == 1414 + 1181  # two-way ones, and one-way ones
    note = next(note for note in outcome.notes if note.key == "roads_file.graph_joined")
    assert (note.values["nodes"], note.values["edges"]) == (1751, 4009)
    again = import_file(store, SYSTEM, "roads", file, ImportOptions(accept_shift=True))
    assert (again.new, again.same) == (0, outcome.new)
    with store.transaction(SYSTEM) as connection:
        edges = active(connection)
        network_id, network = read_network(connection)
    assert network_id == outcome.details["network_id"]  # what coverage is measured on
    assert len(network.edge_id) == outcome.new
    both = sum(edge.length_m * (1 if edge.oneway else 2) for edge in edges)
    assert both / 1000 == pytest.approx(337.34, rel=2e-3)
    assert sum(edge.maxspeed_kmh is not None for edge in edges) > 10
    assert {edge.name for edge in edges} >= {"景田路", "润元路"}
