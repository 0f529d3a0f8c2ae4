"""The linework of the demo county: its counts, its coverage, and that it can be made again."""

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.ingest.readers.frames import CountyFrames
from scripts.demo_county.boundaries import Boundaries, Version
from tests.demo_county.conftest import BASE_FILE

ROOT = Path(__file__).resolve().parents[2]


def land(version: Version) -> np.ndarray:
    return Tessellation(
        version.keys, version.arcs, version.kinds, version.left, version.right
    ).faces()


@pytest.mark.parametrize(("number", "base"), [(1, 1095), (2, 1094)])
def test_each_version_has_its_grids(boundaries: Boundaries, number: int, base: int) -> None:
    ranks = boundaries.version(number).grids["rank"].value_counts().to_dict()
    assert ranks == {1: 15, 2: 138, 3: base}


@pytest.mark.parametrize("number", [1, 2])
def test_each_version_covers_the_county_once(boundaries: Boundaries, number: int) -> None:
    version = boundaries.version(number)
    faces = land(version)
    assert shapely.is_valid(faces).all()
    assert shapely.coverage_is_valid(faces)
    rim = (version.left < 0) | (version.right < 0)
    outlines = shapely.get_parts(shapely.polygonize(version.arcs[rim]))
    assert len(outlines) == 1
    whole = shapely.union_all(faces)
    assert whole.area == pytest.approx(shapely.area(faces).sum(), rel=1e-12)
    assert whole.area == pytest.approx(outlines[0].area, rel=1e-12)


def test_both_versions_have_the_same_outline(boundaries: Boundaries) -> None:
    first, second = (shapely.union_all(land(boundaries.version(n))) for n in (1, 2))
    assert first.equals(second)


def test_one_grid_has_two_parts_and_some_have_a_hole(boundaries: Boundaries) -> None:
    faces = land(boundaries.version(2))
    parts, owner = shapely.get_parts(faces, return_index=True)
    assert sorted(np.bincount(owner))[-2:] == [1, 2]
    rings, part = shapely.get_rings(parts, return_index=True)
    holes = shapely.polygons(rings[1:][part[1:] == part[:-1]])
    assert len(holes) >= 1
    hole, face = shapely.STRtree(faces).query(holes, predicate="intersects")
    filled = np.bincount(
        hole, shapely.area(shapely.intersection(holes[hole], faces[face])), len(holes)
    )
    assert filled == pytest.approx(shapely.area(holes), rel=1e-9)


def test_every_grid_below_the_towns_has_a_parent_one_rank_up(boundaries: Boundaries) -> None:
    grids = boundaries.version(2).grids
    dedicated = grids[grids["kind"] == "dedicated"]
    assert len(dedicated) == 12
    assert dedicated["name"].is_unique
    rank_of = grids.set_index("key")["rank"]
    below = grids[grids["rank"] > 1]
    assert (below["parent"].map(rank_of).to_numpy() == below["rank"].to_numpy() - 1).all()
    assert grids.loc[grids["rank"] == 1, "parent"].isna().all()


def test_successors_name_grids_of_both_versions(boundaries: Boundaries) -> None:
    before, now = (set(boundaries.version(n).keys) for n in (1, 2))
    assert {row["old"] for row in boundaries.successors} == before - now
    assert {row["new"] for row in boundaries.successors} <= now


def test_every_town_and_village_is_an_administrative_unit(county: CountyFrames) -> None:
    units = county.admin_units
    assert units["code"].is_unique
    assert units["level"].value_counts().to_dict() == {"county": 1, "town": 15, "village": 138}


def test_the_files_can_be_made_again_byte_for_byte(tmp_path: Path) -> None:
    program = ROOT / "scripts" / "make_demo_county"
    subprocess.run([sys.executable, str(program), str(tmp_path)], check=True, capture_output=True)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["demo_county.geojson.gz", "demo_fire.geojson.gz"]
    for name in made:
        committed = (BASE_FILE.parent / name).read_bytes()
        assert len(committed) <= 2 * 1024**2
        fresh = (tmp_path / name).read_bytes()
        # Python 3.13 names no system in gzip's header; what is packed is the same
        assert (
            hashlib.sha256(gzip.decompress(fresh)).digest()
            == hashlib.sha256(gzip.decompress(committed)).digest()
        ), name
