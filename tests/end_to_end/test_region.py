"""A real region from its file to its figures, and files that are no region."""

from pathlib import Path
from typing import Any

import osmium
import pyproj
import pytest
import shapely
import sqlalchemy as sa

from gis_service import main_job
from gis_service.access import SYSTEM
from gis_service.errors import ConflictError
from gis_service.geodesy import area_m2
from gis_service.grids.versions import find_version_in_force, read_polygons
from gis_service.ingest.region import import_region
from gis_service.store import tables as t
from gis_service.store.engine import Store

LIECHTENSTEIN = "roads/liechtenstein-2015.osm.pbf"
ANDORRA = "roads/andorra-2013.osm.pbf"


def nothing(_line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def region(store: Store, real_data: Path) -> Store:
    import_region(store, SYSTEM, real_data / LIECHTENSTEIN)
    return store


@pytest.fixture(scope="module")
def summary(region: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    file = tmp_path_factory.mktemp("map") / "map.html"
    result = dict(main_job.main_job(region, file, nothing))
    result["document"] = file.read_text("utf-8")
    return result


def ring_area_m2(coordinates: list[tuple[float, float]]) -> float:
    lon, lat = zip(*coordinates, strict=True)
    return abs(pyproj.Geod(ellps="GRS80").polygon_area_perimeter(lon, lat)[0])


def areas_by_relation(file: Path) -> dict[str, float]:
    """
    Areas of the municipalities by another way: rings put together from the relations' ways.

    Nothing of the package is used; a ring is walked from way to way by their end nodes.
    """
    relations: dict[str, list[tuple[int, str]]] = {}
    ways: dict[int, list[tuple[int, float, float]]] = {}
    thing: Any
    for thing in osmium.FileProcessor(str(file)).with_locations():
        tags = thing.tags
        if thing.is_relation():
            if tags.get("boundary") == "administrative" and tags.get("admin_level") == "8":
                relations[tags["name"]] = [(m.ref, m.role) for m in thing.members if m.type == "w"]
        elif thing.is_way():
            ways[thing.id] = [(n.ref, n.lon, n.lat) for n in thing.nodes if n.location.valid()]
    areas: dict[str, float] = {}
    for name, members in relations.items():
        if any(ref not in ways for ref, _ in members):
            continue  # a neighbour abroad, cut off at the edge of the file
        total = 0.0
        for role, sign in (("outer", 1), ("", 1), ("inner", -1)):
            pieces = [ways[ref] for ref, its_role in members if its_role == role]
            while pieces:
                ring = list(pieces.pop())
                while ring[0][0] != ring[-1][0]:
                    index = next(
                        i for i, piece in enumerate(pieces)
                        if ring[-1][0] in (piece[0][0], piece[-1][0])
                    )  # fmt: skip
                    piece = pieces.pop(index)
                    ring += (piece if piece[0][0] == ring[-1][0] else piece[::-1])[1:]
                total += sign * ring_area_m2([(lon, lat) for _, lon, lat in ring])
        areas[name] = total
    return areas


@pytest.mark.real_data
def test_municipalities_have_the_area_that_their_relations_have(
    region: Store, real_data: Path
) -> None:
    expected = areas_by_relation(real_data / LIECHTENSTEIN)
    with region.transaction(SYSTEM) as connection:
        version = find_version_in_force(connection)
        rank = connection.execute(sa.select(sa.func.max(t.grid_level.c.rank))).scalar_one()
        stored = {
            row.name: row.area_m2
            for row in connection.execute(
                sa.select(t.grid_state.c.name, t.grid_state.c.area_m2).where(
                    t.grid_state.c.rank == rank
                )
            )
        }
        _, shapes = read_polygons(connection, version.scheme_id, version.effective_day)
    assert len(stored) == len(expected) == 11
    assert set(stored) == set(expected)
    for name, area in stored.items():
        assert area == pytest.approx(expected[name], abs=1000), name
    assert sum(stored.values()) == pytest.approx(sum(expected.values()), abs=1000)
    union = float(area_m2(shapely.union_all(shapes))[0])
    assert union == pytest.approx(sum(stored.values()), abs=1)
    assert max(len(shape.geoms) for shape in shapes) > 1


@pytest.mark.real_data
def test_the_main_job_gives_figures_that_add_up(summary: dict[str, object]) -> None:
    coverage = summary["coverage"]
    assert isinstance(coverage, dict)
    assert set(coverage) >= {"service-15", "fire-20"}
    for code in ("service-15", "fire-20"):
        figures = coverage[code]
        parts = [figures[key] for key in ("covered", "too_far", "unreachable", "off_network")]
        assert sum(parts) == figures["n"] == summary["households"]
        assert 0 < figures["share"] < 1
    assert coverage["fire-20"]["facilities"] == {"fire_station": 6}


@pytest.mark.real_data
def test_the_map_links_nothing_outside_itself(summary: dict[str, object]) -> None:
    document = str(summary["document"])
    assert "<script src=" not in document
    assert "<link" not in document
    assert "Vaduz" in document


@pytest.mark.real_data
def test_every_row_equals_the_database_rule(region: Store, summary: dict[str, object]) -> None:
    with region.transaction(SYSTEM) as connection:
        for kind in t.OBJECT_KINDS:
            table = t.metadata.tables[kind]
            if kind == "household":
                continue  # follows its building; its own point is tested through the building
            differing = connection.execute(
                sa.select(sa.func.count()).where(
                    table.c.base_grid_id.is_distinct_from(sa.func.gis_grid_at(table.c.point))
                )
            ).scalar_one()
            assert differing == 0, kind


@pytest.mark.real_data
def test_the_same_file_again_changes_nothing_and_another_is_refused(
    region: Store, real_data: Path
) -> None:
    assert import_region(region, SYSTEM, real_data / LIECHTENSTEIN) is None
    with pytest.raises(ConflictError) as caught:
        import_region(region, SYSTEM, real_data / ANDORRA)
    assert caught.value.key == "ingest.store_taken"
