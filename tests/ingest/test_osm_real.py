"""Real regions: counts, areas against a computation of our own, and cut downloads."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import osmium
import pyproj
import pytest
import shapely

from gis_service.errors import InputError
from gis_service.geodesy import area_m2
from gis_service.ingest.osm.reading import OsmRegion, read_osm
from gis_service.ingest.readers.frames import COLUMNS
from gis_service.store import tables

pytestmark = pytest.mark.real_data

LonLat = tuple[float, float]
MUNICIPALITIES = 11


@pytest.fixture(scope="module")
def roads(real_data: Path) -> Path:
    return real_data / "roads"


@pytest.fixture(scope="module")
def liechtenstein(roads: Path) -> OsmRegion:
    return read_osm(roads / "liechtenstein-2015.osm.pbf")


# --- areas, by another way ---------------------------------------------------------------------


def rings_of_relations(path: Path) -> dict[int, list[tuple[str, list[LonLat]]]]:
    """Join the member ways of level-8 relations end to end, role by role; only whole ones."""
    members: dict[int, list[tuple[int, str]]] = {}
    for relation in osmium.FileProcessor(str(path), osmium.osm.RELATION):
        assert isinstance(relation, osmium.osm.Relation)
        tags = relation.tags
        if tags.get("boundary") == "administrative" and tags.get("admin_level") == "8":
            ways = [(m.ref, m.role) for m in relation.members if m.type == "w"]
            members[relation.id] = ways
    wanted = {ref for ways in members.values() for ref, _ in ways}
    lines: dict[int, list[tuple[int, LonLat]]] = {}
    kinds = osmium.osm.NODE | osmium.osm.WAY
    for way in osmium.FileProcessor(str(path), kinds).with_locations():
        if isinstance(way, osmium.osm.Way) and way.id in wanted:
            lines[way.id] = [(n.ref, (n.location.lon, n.location.lat)) for n in way.nodes]
    return {
        relation: list(joined(ways, lines))
        for relation, ways in members.items()
        if ways and all(ref in lines for ref, _ in ways)
    }


def joined(
    ways: list[tuple[int, str]], lines: dict[int, list[tuple[int, LonLat]]]
) -> Iterator[tuple[str, list[LonLat]]]:
    for role in ("outer", "inner"):
        open_lines = [
            lines[ref] for ref, own in ways if ("inner" if own == "inner" else "outer") == role
        ]
        while open_lines:
            ring = open_lines.pop()
            while ring[0][0] != ring[-1][0]:
                end = ring[-1][0]
                found = next(line for line in open_lines if end in {line[0][0], line[-1][0]})
                open_lines.remove(found)
                ring = ring + (found if found[0][0] == end else found[::-1])[1:]
            yield role, [place for _, place in ring]


def ring_km2(ring: list[LonLat]) -> float:
    lon, lat = zip(*ring, strict=True)
    return abs(pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0]) / 1e6


def test_the_municipalities_have_the_area_of_their_relations(
    roads: Path, liechtenstein: OsmRegion
) -> None:
    expected: dict[str, float] = defaultdict(float)
    parts: dict[str, int] = defaultdict(int)
    for relation, rings in rings_of_relations(roads / "liechtenstein-2015.osm.pbf").items():
        for role, ring in rings:
            expected[f"r{relation}"] += ring_km2(ring) * (1 if role == "outer" else -1)
            parts[f"r{relation}"] += role == "outer"
    grids = liechtenstein.grid_polygons
    base = grids[grids["rank"] == grids["rank"].max()]
    assert len(base) == len(expected) == MUNICIPALITIES
    areas = area_m2(base["geometry"].to_numpy()) / 1e6
    for key, area, shape in zip(base["key"], areas, base["geometry"], strict=True):
        assert area == pytest.approx(expected[key], abs=0.001)
        assert len(shapely.get_parts(shape)) == parts[key]
    assert areas.sum() == pytest.approx(sum(expected.values()), abs=0.001)
    assert max(parts.values()) == 7, "Vaduz lies in seven pieces"
    for rank in (1, 2):
        above = area_m2(grids.loc[grids["rank"] == rank, "geometry"].to_numpy()) / 1e6
        assert above.sum() == pytest.approx(areas.sum(), abs=0.001)


def test_no_two_municipalities_share_land_and_every_vertex_is_on_the_lattice(
    liechtenstein: OsmRegion,
) -> None:
    grids = liechtenstein.grid_polygons
    shapes = grids.loc[grids["rank"] == grids["rank"].max(), "geometry"].to_numpy()
    assert shapely.coverage_is_valid(shapes)
    xy = shapely.get_coordinates(shapes)
    assert (xy == np.round(xy * 1e7) / 1e7).all()


# --- counts ------------------------------------------------------------------------------------


def test_liechtenstein(liechtenstein: OsmRegion) -> None:
    region = liechtenstein
    assert region.name == "Liechtenstein"
    assert str(region.data_day) == "2015-07-27"
    assert list(region.levels["admin_level"]) == ["2", "6", "8"]
    assert list(region.grid_polygons.groupby("rank").size()) == [1, 2, 11]
    kinds = region.frames.facilities["kind"].value_counts()
    assert kinds["fire_station"] == 6
    assert len(region.frames.buildings) == len(region.frames.households) == 8993
    assert len(region.frames.road_edges) == 7907
    turns = region.frames.road_turns
    barriers = turns["kind"] == "no_motor_passage"
    assert turns[barriers]["via_node"].nunique() == 33
    assert turns[~barriers]["why_not"].fillna("applied").tolist().count("applied") == 2
    cut = [refusal for refusal in region.refusals if refusal.key == "ingest.osm_unit_cut"]
    assert len(cut) == 22, "the neighbours, cut off at the edge of the extract"


def test_andorra_keeps_the_parishes_that_are_whole(roads: Path) -> None:
    region = read_osm(roads / "andorra-2013.osm.pbf")
    assert len(region.grid_polygons) == 6
    canillo = next(one for one in region.refusals if one.feature == "r2804754")
    assert canillo.key == "ingest.osm_unit_cut"
    assert "fire_station" not in set(region.frames.facilities["kind"])
    whole = shapely.union_all(region.grid_polygons["geometry"].to_numpy())
    assert area_m2(whole)[0] == pytest.approx(
        area_m2(region.grid_polygons["geometry"].to_numpy()).sum()
    )
    assert whole.is_valid


def test_krems_is_one_grid(roads: Path) -> None:
    region = read_osm(roads / "krems.osm.gz")
    (grid,) = region.grid_polygons.itertuples()
    assert grid.name == region.name == "krems"
    kinds = region.frames.facilities["kind"].value_counts()
    assert (kinds["fire_station"], kinds["school"]) == (1, 9)
    assert len(region.frames.buildings) == 1195
    houses = shapely.points(region.frames.buildings["lon"], region.frames.buildings["lat"])
    assert shapely.contains(grid.geometry, houses).all()


@pytest.mark.parametrize("name", ["liechtenstein-2015.osm.pbf", "krems.osm.gz"])
def test_frames_hold_together(roads: Path, name: str) -> None:
    frames = read_osm(roads / name).frames
    for table in ("road_nodes", "road_edges", "buildings", "households", "facilities"):
        frame = getattr(frames, table)
        assert tuple(frame.columns) == COLUMNS[table]
        assert frame.iloc[:, 0].is_unique
    nodes, edges = frames.road_nodes.set_index("node_id"), frames.road_edges
    for column, end in (("source_node", 0), ("target_node", -1)):
        tips = shapely.get_coordinates(shapely.get_point(edges["geometry"].to_numpy(), end))
        assert (tips == nodes.loc[edges[column], ["lon", "lat"]].to_numpy()).all()
    assert set(edges["road_class"]) <= set(tables.ROAD_CLASSES)
    assert set(edges["oneway"]) <= {-1, 0, 1}
    assert edges["edge_id"].max() < 2**63
    ends = edges[["source_node", "target_node"]].to_numpy().ravel()
    assert set(ends.tolist()) == set(nodes.index), "a node without an edge is no node"
    places = shapely.points(frames.buildings["lon"], frames.buildings["lat"])
    assert shapely.intersects(frames.buildings["footprint"].to_numpy(), places).all()


# --- cut downloads -----------------------------------------------------------------------------


def block_ends(data: bytes) -> list[int]:
    """Find where each block of a .pbf ends, by the varint after the tag of BlobHeader field 3."""
    ends: list[int] = []
    at = 0
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        header = data[at + 4 : at + 4 + length]
        number = header[header.rindex(b"\x18") + 1 :]
        size = sum((byte & 127) << (7 * place) for place, byte in enumerate(number))
        at += 4 + length + size
        ends.append(at)
    return ends


def outcome(data: bytes, folder: Path) -> str | OsmRegion:
    path = folder / "cut.osm.pbf"
    path.write_bytes(data)
    try:
        return read_osm(path)
    except InputError as error:
        return error.key


def test_a_cut_pbf_is_found_unless_it_ends_between_blocks(roads: Path, tmp_path: Path) -> None:
    data = (roads / "liechtenstein-2015.osm.pbf").read_bytes()
    ends = block_ends(data)
    assert ends[-1] == len(data)
    inside = [2, 100, ends[0] + 1, ends[0] + 3, ends[0] + 60, ends[-2] + 2, len(data) - 1]
    for cut in inside:
        assert outcome(data[:cut], tmp_path) == "ingest.osm_cut", cut
    for end in (ends[0], ends[3]):
        assert outcome(data[:end], tmp_path) == "ingest.osm_no_ways"
    # ways, but the block with the relations is gone: a valid file, so it is only said
    shorter = outcome(data[: ends[-2]], tmp_path)
    assert isinstance(shorter, OsmRegion)
    assert "ingest.osm_no_relations" in {note.key for note in shorter.notes}
