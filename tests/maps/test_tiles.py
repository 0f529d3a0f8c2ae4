"""Vector tiles: what is in them, that neighbours never part, and that they follow the data."""

import gzip
import math
from datetime import date

import numpy as np
import pyogrio.raw
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.errors import NotFoundError
from gis_service.maps.tiles import cutting, shapes, tile_sets, tiles
from gis_service.maps.tiles.tile_sets import TileSet
from gis_service.maps.tiles.tiles import TileCache
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store import tiles as sql
from gis_service.store.bulk import copy_rows
from tests.api.conftest import SmallCounty, middle, small_county

__all__ = ["SmallCounty", "small_county"]
pytestmark = pytest.mark.usefixtures("small_county")

EXTENT = 4096
Place = tuple[int, int, int]


def place(key: str, z: int) -> Place:
    """The tile in which the middle of a base grid lies."""
    lon, lat = middle(key)
    north = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return z, int((lon + 180) / 360 * 2**z), int(north * 2**z)


def cut(store: Store, layer: str, where: Place, rank: int | None = None) -> bytes:
    """A tile as it is drawn from."""
    with store.transaction(SYSTEM) as connection:
        return cutting.cut_tile(
            connection, tile_sets.find_tile_set(connection, layer, rank=rank), *where
        )


def read(body: bytes, layer: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Decode by GDAL: fields by name (``mvt_id`` is the feature's id), and geometries."""
    meta, _, wkb, fields = pyogrio.raw.read(body, layer=layer)
    return dict(zip(meta["fields"], fields, strict=True)), shapely.from_wkb(wkb)


def content(store: Store, layer: str) -> str:
    with store.transaction(SYSTEM) as connection:
        return tile_sets.find_tile_set(connection, layer).content


def test_grids_carry_id_code_and_name(store: Store, small_county: SmallCounty) -> None:
    fields, _ = read(cut(store, "grids", place("g11", 12)), "grids")
    assert set(fields["mvt_id"]) == {
        grid_id for key, grid_id in small_county.grid_ids.items() if key.startswith("g")
    }
    assert "格g11" in fields["name"]
    assert set(fields["rank"]) == {3}


def test_every_level_can_be_had(store: Store) -> None:
    for rank, number in ((1, 1), (2, 3), (3, 9)):
        fields, _ = read(cut(store, "grids", place("g11", 11), rank=rank), "grids")
        assert len(fields["mvt_id"]) == number


@pytest.mark.parametrize("z", [9, 11, 12, 13, 16])
def test_neighbours_never_part_in_a_tile(store: Store, z: int) -> None:
    _, shapes = read(cut(store, "grids", place("g11", z)), "grids")
    whole = shapely.union_all(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(whole.area, rel=1e-9)
    assert not any(len(part.interiors) for part in shapely.get_parts(whole))


def test_a_tile_within_the_county_is_covered_to_its_rim(store: Store) -> None:
    _, shapes = read(cut(store, "grids", place("g11", 16)), "grids")
    assert shapely.union_all(shapes).covers(shapely.box(0, 0, EXTENT, EXTENT))


def test_borders_say_what_they_divide(store: Store) -> None:
    fields, _ = read(cut(store, "borders", place("g11", 11)), "borders")
    assert sorted(fields["level"]) == [0, 2, 3]
    upper, _ = read(cut(store, "borders", place("g11", 11), rank=2), "borders")
    assert sorted(upper["level"]) == [0, 2]


def test_small_roads_come_later_than_great_ones(store: Store) -> None:
    far, _ = read(cut(store, "roads", place("g10", 9)), "roads")
    near, _ = read(cut(store, "roads", place("g10", 14)), "roads")
    assert set(far["road_class"]) == {"primary"}
    assert set(near["road_class"]) == {"primary", "residential"}
    assert set(near["mvt_id"]) == {1, 2}


def test_buildings_come_late(store: Store) -> None:
    assert cut(store, "buildings", place("g00", 12)) == b""
    fields, shapes = read(cut(store, "buildings", place("g00", 16)), "buildings")
    assert len(fields["mvt_id"]) == 1
    assert shapes[0].area > 0
    block, _ = read(cut(store, "buildings", place("g00", 13)), "buildings")
    assert set(block["block"]) == {1}


def test_a_ground_tile_holds_all_its_layers(store: Store) -> None:
    body = cut(store, "ground", place("g00", 14))
    layers = {name for name, _ in pyogrio.list_layers(body)}
    assert layers == {"land", "roads", "buildings"}


def test_nothing_there_is_an_empty_tile(store: Store) -> None:
    for layer in tile_sets.LAYERS:
        assert cut(store, layer, (10, 0, 0)) == b""


@pytest.mark.parametrize("where", [(-1, 0, 0), (17, 0, 0), (3, 8, 0), (3, 0, -1), (0, 2**70, 0)])
def test_a_place_that_no_map_has_is_refused(where: Place) -> None:
    with pytest.raises(NotFoundError):
        tiles.check_place(*where)


def test_an_unknown_layer_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(NotFoundError, match="ground"):
        cut(store, "households", (1, 0, 0))


def test_no_statement_reads_people_or_trouble() -> None:
    for statement in sql.STATEMENTS.values():
        words = set(str(statement).replace(",", " ").split())
        assert not words & {"household", "officer", "hazard", "incident", "grid_duty"}


def test_the_state_follows_what_is_drawn_and_nothing_else(store: Store) -> None:
    before = content(store, "ground")
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.household).values(people=4))
        connection.execute(sa.update(t.building).values(base_grid_id=None))
    assert content(store, "ground") == before
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.building).values(storeys=3))
    after = content(store, "buildings")
    assert content(store, "ground") != before
    assert content(store, "roads") == content(store, "roads")
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.road_network).values(name="新路网"))
    assert content(store, "buildings") == after


def test_a_change_taken_back_leaves_the_state(store: Store) -> None:
    before = content(store, "land")
    with store.engine.connect() as connection:
        connection.execute(sa.delete(t.land_cover))
        connection.rollback()
    assert content(store, "land") == before


def test_a_tile_is_kept_until_the_data_change(store: Store) -> None:
    where = place("g22", 15)
    cache = TileCache()

    def ask() -> tuple[TileSet, bytes]:
        with store.transaction(SYSTEM) as connection:
            found = tile_sets.find_tile_set(connection, "buildings")
            packed = tiles.find_tile(connection, cache, found, *where).packed
            return found, gzip.decompress(packed) if packed else packed

    first, empty = ask()
    assert empty == b""
    lon, lat = middle("g22")
    with store.transaction(SYSTEM) as connection:
        copy_rows(
            connection,
            t.building,
            {
                "key": ["new"],
                "point": np.array([shapely.Point(lon, lat)], dtype=object),
                "footprint": np.array([shapely.box(lon, lat, lon + 2e-4, lat + 2e-4)], object),
            },
        )
    second, drawn = ask()
    assert second.content != first.content
    assert len(read(drawn, "buildings")[1]) == 1
    with store.transaction(SYSTEM) as connection:
        kept = connection.execute(
            sa.select(t.tile.c.content).where(t.tile.c.layer == "buildings").distinct()
        ).scalars()
        assert set(kept) == {second.content}


def test_a_kept_tile_is_not_cut_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    where = place("g11", 10)
    with store.transaction(SYSTEM) as connection:
        found = tile_sets.find_tile_set(connection, "county")
        first = tiles.find_tile(connection, TileCache(), found, *where)
    monkeypatch.setattr(tiles, "cut_tile", lambda *_: pytest.fail("it was kept"))
    with store.transaction(SYSTEM) as connection:
        again = tiles.find_tile(connection, TileCache(), found, *where)
    assert again == first
    assert first.packed


def test_a_crowded_tile_leaves_out_the_least(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    where = place("g02", 14)
    lon, lat = middle("g02")
    sides = np.linspace(1e-4, 2e-4, 400)
    corners = [(lon + 3e-4 * (i % 20), lat + 3e-4 * (i // 20)) for i in range(400)]
    houses = [shapely.box(x, y, x + s, y + s) for (x, y), s in zip(corners, sides, strict=True)]
    with store.transaction(SYSTEM) as connection:
        copy_rows(
            connection,
            t.building,
            {
                "key": [f"crowd{i}" for i in range(400)],
                "point": np.array([shapely.Point(corner) for corner in corners], dtype=object),
                "footprint": np.array(houses, dtype=object),
            },
        )
    whole = cut(store, "buildings", where)
    monkeypatch.setattr(cutting, "MOST_BYTES", len(whole) * 2 // 3)
    monkeypatch.setattr(cutting, "_MOST_FEATURES", 400)
    fewer = cut(store, "buildings", where)
    assert 0 < len(fewer) <= len(whole) * 2 // 3
    kept = shapely.area(read(fewer, "buildings")[1])
    assert kept.min() > np.median(shapely.area(read(whole, "buildings")[1])) * 0.8


def test_the_cache_forgets_what_was_not_asked_for_longest() -> None:
    cache = TileCache(most_bytes=1000)
    for x in range(4):
        cache.keep(("roads", "1", 3, x, 0), tiles.TileBody(b"x" * 100, str(x)))
    assert cache.find(("roads", "1", 3, 0, 0)) is None
    assert cache.find(("roads", "1", 3, 3, 0)) is not None


def test_before_the_first_version_there_is_nothing(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        found = tile_sets.find_tile_set(connection, "county", at=date(2000, 1, 1))
        assert found.content == tile_sets.NO_CONTENT
        assert cutting.cut_tile(connection, found, *place("g11", 10)) == b""


def test_shapes_are_made_once(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        shapes.prepare_shapes(connection)
        assert shapes.prepare_shapes(connection) == 0
