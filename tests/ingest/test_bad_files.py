"""Bad files, one for each way a file goes wrong: a clear error, and the store as it was."""

import json
import sqlite3
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000
from gis_service.errors import GisError
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import ImportOptions
from gis_service.ingest.readers.files import read_table
from gis_service.messages import LANGUAGES
from gis_service.settings import ImportSettings, import_settings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import SIDE, SOUTH, WEST, cell, publish_nine

WGS84 = CoordinateSystem("wgs84")
X, Y = WEST + SIDE / 2, SOUTH + SIDE / 2


@pytest.fixture(scope="module", autouse=True)
def county(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        publish_nine(connection)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set limits as the environment does."""

    def put(**values: int) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"GIS_IMPORT_{name.upper()}", str(value))
        import_settings.cache_clear()

    yield put
    import_settings.cache_clear()


def state(store: Store) -> list[Any]:
    """What a file could have changed."""
    with store.transaction(SYSTEM) as connection:
        return [
            connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (t.building, t.membership, t.import_record, t.event)
        ]


def refused(
    store: Store, path: Path, crs: CoordinateSystem | None = WGS84, **more: Any
) -> GisError:
    """The error of a file that is refused as a whole, said in both languages."""
    before = state(store)
    with pytest.raises(GisError) as error:
        import_file(store, SYSTEM, "buildings", path, ImportOptions(crs=crs, **more))
    assert state(store) == before
    for language in LANGUAGES:
        said = error.value.say(language)
        assert "{" not in said
        assert not said.startswith("ingest.")
    return error.value


def csv(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(("编号,名称,经度,纬度", *rows)).encode(encoding))
    return path


def test_an_empty_file(store: Store, tmp_path: Path) -> None:
    for name in ("a.csv", "a.gpkg", "a.xlsx", "a.shp", "a.zip", "a.geojson"):
        (tmp_path / name).write_bytes(b"")
        assert refused(store, tmp_path / name).key == "ingest.file_empty"


def test_a_header_and_nothing_else(store: Store, tmp_path: Path) -> None:
    assert refused(store, csv(tmp_path / "a.csv")).key == "ingest.no_rows"
    (tmp_path / "b.csv").write_text("\n\n \n", "utf-8")
    assert refused(store, tmp_path / "b.csv").key in ("ingest.no_rows", "ingest.column_needed")


def test_a_file_that_is_not_there_or_of_no_known_kind(store: Store, tmp_path: Path) -> None:
    assert refused(store, tmp_path / "none.csv").key == "ingest.file_missing"
    (tmp_path / "a.docx").write_bytes(b"x")
    assert refused(store, tmp_path / "a.docx").key == "ingest.suffix_unknown"


def make_gpkg(path: Path, count: int = 300) -> Path:
    shapes = [cell(index % 3, index // 3 % 3) for index in range(count)]
    keys = [f"k{index}" for index in range(count)]
    gpd.GeoDataFrame({"编号": keys}, geometry=shapes, crs=4490).to_file(path)
    return path


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_geopackage(store: Store, tmp_path: Path, kept: float) -> None:
    path = make_gpkg(tmp_path / "a.gpkg")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert refused(store, path, None).key == "ingest.gpkg_broken"


def test_a_geopackage_that_is_something_else(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"<OGRVRTDataSource></OGRVRTDataSource>")
    assert refused(store, tmp_path / "a.gpkg").key == "ingest.not_a_gpkg"
    with closing(sqlite3.connect(tmp_path / "b.gpkg")) as database, database:
        database.execute("CREATE TABLE x (y)")
    database.close()
    assert refused(store, tmp_path / "b.gpkg").key == "ingest.gpkg_broken"


def test_geojson_that_ends_in_the_middle_or_is_none(store: Store, tmp_path: Path) -> None:
    feature = {
        "type": "Feature",
        "properties": {"编号": "1"},
        "geometry": {"type": "Point", "coordinates": [X, Y]},
    }
    text = json.dumps({"type": "FeatureCollection", "features": [feature] * 50})
    path = tmp_path / "a.geojson"
    path.write_text(text[:-30], "utf-8")
    assert refused(store, path).key == "ingest.geojson_cut"
    path.write_text(text[: text.index("}}") + 1], "utf-8")  # ends like one
    assert refused(store, path).key in ("ingest.geojson_broken", "ingest.no_rows")
    path.write_text("[1, 2]", "utf-8")
    assert refused(store, path).key == "ingest.not_geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}', "utf-8")
    assert refused(store, path).key in ("ingest.no_rows", "ingest.geojson_broken")


def test_the_wrong_system(store: Store, tmp_path: Path) -> None:
    degrees = csv(tmp_path / "degrees.csv", f"1,a,{X},{Y}")
    assert refused(store, degrees, CoordinateSystem("EPSG:4547")).key == (
        "ingest.degrees_not_metres"
    )
    east, north = from_cgcs2000(CoordinateSystem("EPSG:4547"), X, Y)
    metres = csv(tmp_path / "metres.csv", f"1,a,{float(east)},{float(north)}")
    assert refused(store, metres).key == "ingest.metres_not_degrees"
    zone = refused(store, metres, CoordinateSystem("EPSG:4546"))  # a zone too far to the west
    assert zone.key == "ingest.outside_county"
    assert zone.values["fits"] == "EPSG:4547"
    assert refused(store, degrees, None).key == "ingest.crs_missing"


def test_swapped_longitude_and_latitude(store: Store, tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", f"1,a,{Y},{X}", f"2,b,{Y},{X}")
    assert refused(store, path).key == "ingest.swapped"


def test_swapped_easting_and_northing(store: Store, tmp_path: Path) -> None:
    east, north = (float(one) for one in from_cgcs2000(CoordinateSystem("EPSG:4547"), X, Y))
    path = csv(tmp_path / "a.csv", f"1,a,{north},{east}", f"2,b,{north + 50},{east}")
    error = refused(store, path, CoordinateSystem("EPSG:4547"))
    assert error.key == "ingest.outside_county_swapped"


def test_gbk_read_as_utf_8(store: Store, tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", f"1,东风楼,{X},{Y}", encoding="gb18030")
    error = refused(store, path, encoding="utf-8")
    assert error.key == "ingest.encoding_wrong"
    assert error.values["fits"] == "GB18030"
    other = csv(tmp_path / "b.csv", f"1,东风楼,{X},{Y}")
    assert refused(store, other, encoding="gbk").values["fits"] == "UTF-8"
    assert refused(store, other, encoding="klingon").key == "ingest.encoding_unknown"


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda text: text.encode().decode("gb18030", "replace"), "ingest.garbled_utf8"),
        (lambda text: text.encode("gb18030").decode("cp1252", "replace"), "ingest.garbled"),
        (lambda text: text.encode("gb18030").decode("utf-8", "replace"), "ingest.garbled_lost"),
    ],
)
def test_texts_that_were_spoilt_before(
    store: Store, tmp_path: Path, spoil: Callable[[str], str], key: str
) -> None:
    name = spoil("和平里二栋东风楼")
    path = csv(tmp_path / "a.csv", f"1,{name},{X},{Y}", f"2,{name},{X},{Y}")
    assert refused(store, path).key.startswith(key)


def test_a_shapefile_stated_in_the_wrong_encoding(store: Store, tmp_path: Path) -> None:
    made = gpd.GeoDataFrame({"编号": ["甲一", "乙二"]}, geometry=[cell(0, 0), cell(1, 0)], crs=4490)
    made.to_file(tmp_path / "a.shp", encoding="GBK")
    error = refused(store, tmp_path / "a.shp", None, encoding="utf-8")
    assert (error.key, error.values["fits"]) == ("ingest.encoding_wrong", "GB18030")


def test_a_shapefile_without_its_parts_or_cut_off(store: Store, tmp_path: Path) -> None:
    keys = [str(index) for index in range(50)]
    made = gpd.GeoDataFrame({"编号": keys}, geometry=[cell(0, 0)] * 50, crs=4490)
    made.to_file(tmp_path / "a.shp")
    data = (tmp_path / "a.dbf").read_bytes()
    (tmp_path / "a.dbf").write_bytes(data[:200])
    assert refused(store, tmp_path / "a.shp", None).key == "ingest.shp_cut"
    (tmp_path / "a.dbf").unlink()
    assert refused(store, tmp_path / "a.shp", None).key == "ingest.shp_part_missing"
    (tmp_path / "a.dbf").write_bytes(data)
    shapes = (tmp_path / "a.shp").read_bytes()
    (tmp_path / "a.shp").write_bytes(shapes[: len(shapes) // 2])
    assert refused(store, tmp_path / "a.shp", None).key == "ingest.shp_cut"


def test_numbers_that_are_none(store: Store, tmp_path: Path) -> None:
    path = csv(
        tmp_path / "a.csv", f"1,a,NaN,{Y}", f"2,b,inf,{Y}", f"3,c,{X},-Infinity", f"4,d,{X},{Y}"
    )
    outcome = import_file(store, SYSTEM, "buildings", path, ImportOptions(crs=WGS84, dry_run=True))
    assert outcome.new == 1
    assert [(one.row, one.field) for one in outcome.refusals] == [
        (2, "经度"),
        (3, "经度"),
        (4, "纬度"),
    ]


def test_shapes_with_numbers_that_are_none(store: Store, tmp_path: Path) -> None:
    with np.errstate(invalid="ignore"):
        shape = shapely.Polygon([(X, Y), (X + 1e-3, Y), (np.nan, np.nan), (X, Y)])
    shapes = [shape, cell(0, 0)]
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"编号": ["1", "2"]}, geometry=shapes, crs=4490).to_file(path)
    outcome = import_file(store, SYSTEM, "buildings", path, ImportOptions(dry_run=True))
    assert outcome.new == 1
    assert [(one.row, one.key) for one in outcome.refusals] == [(1, "ingest.row_not_finite")]


def test_a_polygon_that_crosses_itself_names_the_place(store: Store, tmp_path: Path) -> None:
    bow = shapely.Polygon([(X, Y), (X + 2e-3, Y + 2e-3), (X + 2e-3, Y), (X, Y + 2e-3)])
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"编号": ["蝶", "方"]}, geometry=[bow, cell(0, 0)], crs=4490).to_file(path)
    outcome = import_file(store, SYSTEM, "buildings", path, ImportOptions(dry_run=True))
    assert outcome.new == 1
    (refusal,) = outcome.refusals
    assert (refusal.row, refusal.feature, refusal.key) == (1, "蝶", "ingest.row_crosses")
    assert f"{X + 1e-3:.6f}" in refusal.reason


def test_a_column_or_a_key_that_is_there_twice(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"编号,名称,名称,经度,纬度\n1,a,b,{X},{Y}\n", "utf-8")
    error = refused(store, path)
    assert (error.key, error.values["columns"]) == ("ingest.column_twice", "名称")


def test_a_table_without_places_where_places_are_needed(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("编号,名称\n1,a\n", "utf-8")
    error = refused(store, path)
    assert (error.key, error.values["field"]) == ("ingest.column_needed", "lon")


def test_a_workbook_with_formulas_names_the_cell(store: Store, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["编号", "名称", "经度", "纬度"])
    for row in range(2, 500):
        sheet.append([row, "a" * 40, X, Y])
    sheet["B321"] = '=CONCATENATE("a","b")'
    book.save(tmp_path / "a.xlsx")
    error = refused(store, tmp_path / "a.xlsx")
    assert (error.key, error.values["cell"], error.place.row) == (
        "ingest.xlsx_formula",
        "B321",
        321,
    )


def test_a_workbook_that_is_none(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0 an old .xls")
    assert refused(store, tmp_path / "a.xlsx").key == "ingest.zip_broken"
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("x.txt", "nothing")
    assert refused(store, tmp_path / "b.xlsx").key == "ingest.xlsx_broken"


def make_bomb(path: Path, name: str, megabytes: int = 80) -> Path:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as out,
    ):
        for _ in range(megabytes):
            out.write(bytes(1024 * 1024))
    return path


@pytest.mark.parametrize(
    ("file", "member"), [("a.zip", "a.shp"), ("a.xlsx", "xl/worksheets/sheet1.xml")]
)
def test_a_zip_bomb_is_not_unpacked(store: Store, tmp_path: Path, file: str, member: str) -> None:
    path = make_bomb(tmp_path / file, member)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    error = refused(store, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.key == "ingest.zip_bomb"
    assert error.values["mb"] == 80
    assert peak < 20_000_000


def test_a_gzip_bomb_is_left_as_soon_as_it_grows(store: Store, tmp_path: Path) -> None:
    import gzip

    with gzip.open(tmp_path / "a.geojson.gz", "wb") as out:
        for _ in range(40):
            out.write(b" " * 1024 * 1024)
    error = refused(store, tmp_path / "a.geojson.gz")
    assert error.key == "ingest.zip_bomb"
    assert int(str(error.values["mb"])) <= 12


def test_a_zip_leads_nowhere_outside(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside.shp"
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for suffix in (".shp", ".shx", ".dbf"):
            archive.writestr(f"../outside{suffix}", b"nothing at all")
    assert refused(store, path).key == "ingest.not_a_shapefile"
    assert not outside.exists()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", b"x")
    assert refused(store, path).key == "ingest.zip_no_shapefile"


def write_points_shp(path: Path, parts: int, each: int) -> None:
    """A shapefile of sparse polygons, whose body is not written: its size says enough."""
    content = 44 + 4 + 16 * each
    size = 100 + parts * (8 + content)
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, size // 2)
    box = struct.pack("<2i8d", 1000, 5, X, Y, X + 1, Y + 1, 0, 0, 0, 0)
    with path.open("wb") as out:
        out.write(head + box)
        out.truncate(size)
    path.with_suffix(".shx").write_bytes(head + box)
    path.with_suffix(".dbf").write_bytes(bytes(40))


def test_ten_million_vertices_are_refused_before_they_are_read(
    store: Store, tmp_path: Path
) -> None:
    write_points_shp(tmp_path / "big.shp", 10, 1_000_000)
    ring = ",".join(["[112.9,28.7]"] * 100_000)
    with (tmp_path / "big.geojson").open("w") as out:
        out.write('{"type":"FeatureCollection","features":[')
        feature = '{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[['
        out.write(",".join([f"{feature}{ring}]]}}}}"] * 100))
        out.write("]}")
    make_gpkg(tmp_path / "big.gpkg", 1)
    with closing(sqlite3.connect(tmp_path / "big.gpkg")) as database, database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE big SET geom = zeroblob(160000000)")
    database.close()
    tracemalloc.start()
    for name in ("big.shp", "big.geojson", "big.gpkg"):
        error = refused(store, tmp_path / name)
        assert error.key == "ingest.too_many_vertices", name
        assert int(str(error.values["n"])) >= 9_999_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000
    for file in tmp_path.iterdir():
        file.unlink()


def test_limits_are_settings(store: Store, tmp_path: Path, limits: Callable[..., None]) -> None:
    assert ImportSettings().max_vertices < 10_000_000
    path = make_gpkg(tmp_path / "a.gpkg", 30)
    limits(max_vertices=100)
    assert refused(store, path, None).key == "ingest.too_many_vertices"
    limits(max_vertices=10_000, max_rows=20)
    assert refused(store, path, None).key == "ingest.too_many_rows"
    limits(max_rows=30)
    assert len(read_table(path, crs=None).frame) == 30


def test_wkt_with_too_many_vertices(
    store: Store, tmp_path: Path, limits: Callable[..., None]
) -> None:
    wkt = shapely.to_wkt(shapely.Point(X, Y).buffer(1e-3, quad_segs=64))
    (tmp_path / "a.csv").write_text(f'编号;wkt\n1;"{wkt}"\n', "utf-8")
    limits(max_vertices=100)
    assert refused(store, tmp_path / "a.csv").key == "ingest.too_many_vertices"
