"""Files of every kind: the same rows come out, in CGCS2000, and what was found out is told."""

import gzip
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely

from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000, parse_crs
from gis_service.errors import InputError
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.readers.files import read_table

WGS84 = CoordinateSystem("wgs84")
NAMES = ["东风楼", "和平里二栋", "镇政府"]
LON, LAT = np.array([112.9, 112.91, 112.92]), np.array([28.7, 28.71, 28.72])


def frame(system: str = "EPSG:4490") -> gpd.GeoDataFrame:
    """Three buildings of 0.001°."""
    shapes = [shapely.box(x, y, x + 0.001, y + 0.001) for x, y in zip(LON, LAT, strict=True)]
    made = gpd.GeoDataFrame({"编号": ["1", "2", "3"], "名称": NAMES}, geometry=shapes, crs=4490)
    return made.to_crs(system)


def write_shapefile(
    folder: Path, encoding: str, *, cpg: bool, prj: bool, name: str = "房屋"
) -> Path:
    path = folder / f"{name}.shp"
    frame().to_file(path, encoding=encoding)
    if not cpg:
        path.with_suffix(".cpg").unlink()
    if not prj:
        path.with_suffix(".prj").unlink()
    return path


def assert_three(table: FileTable) -> None:
    """The rows of :func:`frame`, in CGCS2000."""
    assert table.frame["名称"].tolist() == NAMES
    assert table.rows.tolist() == [1, 2, 3]
    corners = np.array([shape.bounds[:2] for shape in table.geometry])
    assert np.abs(corners - np.column_stack([LON, LAT])).max() < 1e-8
    assert not table.refusals


def test_a_geopackage_names_its_system_itself(tmp_path: Path) -> None:
    frame("EPSG:4547").to_file(tmp_path / "房屋.gpkg", layer="房屋")
    table = read_table(tmp_path / "房屋.gpkg", crs=None)
    assert_three(table)
    assert (table.crs, table.layer) == (CoordinateSystem("EPSG:4547"), "房屋")


def test_of_several_layers_one_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    frame().to_file(path, layer="新")
    frame().head(1).to_file(path, layer="旧")
    with pytest.raises(InputError) as error:
        read_table(path, crs=None)
    assert error.value.key == "ingest.several_layers"
    assert {"新", "旧"} <= set(str(error.value.values["known"]).split(" / "))
    assert_three(read_table(path, crs=None, layer="新"))


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
@pytest.mark.parametrize("cpg", [True, False])
def test_texts_of_a_shapefile_are_read_in_their_encoding(
    tmp_path: Path, encoding: str, *, cpg: bool
) -> None:
    path = write_shapefile(tmp_path, encoding, cpg=cpg, prj=True)
    table = read_table(path, crs=None)
    assert_three(table)
    assert table.encoding == {"UTF-8": "UTF-8", "GBK": "GB18030"}[encoding]
    assert [note.key for note in table.notes] == ([] if cpg else ["ingest.encoding_found"])


def test_a_cpg_that_is_wrong_is_told_and_not_believed(tmp_path: Path) -> None:
    path = write_shapefile(tmp_path, "GBK", cpg=True, prj=True)
    path.with_suffix(".cpg").write_text("UTF-8")
    table = read_table(path, crs=None)
    assert_three(table)
    assert [note.key for note in table.notes] == ["ingest.cpg_wrong"]


def test_a_shapefile_without_prj_needs_a_stated_system(tmp_path: Path) -> None:
    path = write_shapefile(tmp_path, "UTF-8", cpg=True, prj=False)
    with pytest.raises(InputError) as error:
        read_table(path, crs=None)
    assert error.value.key == "ingest.crs_missing"
    assert "--crs" in str(error.value)
    assert "gcj02" in str(error.value)
    assert_three(read_table(path, crs=WGS84))


def test_a_name_cut_in_half_by_its_field_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    made = frame()
    made["名称"] = ["很长的名字" * 30, "短", "也短"]
    with warnings.catch_warnings():  # of the writer, which cuts the name
        warnings.simplefilter("ignore")
        made.to_file(tmp_path / "长.shp", encoding="UTF-8")
    table = read_table(tmp_path / "长.shp", crs=None)
    assert table.frame["名称"][0].startswith("很长的名字很长")
    assert "\ufffd" not in table.frame["名称"][0]


def test_a_zip_holds_one_shapefile_with_a_chinese_name(tmp_path: Path) -> None:
    path = write_shapefile(tmp_path, "GBK", cpg=False, prj=True)
    packed = tmp_path / "房屋.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for part in path.parent.glob("房屋.*"):
            if part.suffix != ".zip":
                archive.write(part, f"资料/{part.name}")
    assert_three(read_table(packed, crs=None))


def test_geojson_says_nothing_unless_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    text = frame().set_crs(4326, allow_override=True).to_json(drop_id=True)
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as error:
        read_table(path, crs=None)
    assert error.value.key == "ingest.crs_missing_geojson"
    assert_three(read_table(path, crs=WGS84))
    named = '{"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}},'
    path.write_text(text.replace("{", named, 1), "utf-8")
    table = read_table(path, crs=None)
    assert_three(table)
    assert table.crs == CoordinateSystem("cgcs2000")


def test_geojson_may_be_packed_and_in_gbk(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    text = frame().to_json(drop_id=True, ensure_ascii=False)
    path.write_bytes(gzip.compress(text.encode("gb18030")))
    table = read_table(path, crs=WGS84)
    assert_three(table)
    assert table.encoding == "GB18030"


def test_points_of_gcj02_are_brought_home(tmp_path: Path) -> None:
    lon, lat = from_cgcs2000(CoordinateSystem("gcj02"), LON, LAT)
    lines = [
        "名称,经度,纬度",
        *(f"{n},{x!r},{y!r}" for n, x, y in zip(NAMES, lon.tolist(), lat.tolist(), strict=True)),
    ]
    (tmp_path / "点.csv").write_text("\n".join(lines), "utf-8")
    table = read_table(tmp_path / "点.csv", crs=CoordinateSystem("gcj02"))
    assert np.abs(shapely.get_x(table.geometry) - LON).max() < 1e-8
    assert np.abs(shapely.get_y(table.geometry) - LAT).max() < 1e-8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_are_read_whatever_wrote_them(tmp_path: Path, encoding: str, separator: str) -> None:
    lines = [["编号", "名称", "lon", "lat"]]
    lines += [
        [str(i), n, str(x), str(y)] for i, n, x, y in zip("123", NAMES, LON, LAT, strict=True)
    ]
    text = "\r\n".join(separator.join(line) for line in lines)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    table = read_table(tmp_path / "a.csv", crs=WGS84)
    assert table.frame["名称"].tolist() == NAMES
    assert table.rows.tolist() == [2, 3, 4]  # as a spreadsheet shows them
    assert table.coordinates == {"lon": "lon", "lat": "lat"}
    assert shapely.get_x(table.geometry).tolist() == LON.tolist()


def test_quotes_hold_separators_and_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('编号,说明\n1,"甲,乙\n丙"\n\n2,丁\n', "utf-8")
    table = read_table(tmp_path / "a.csv", crs=None)
    assert table.frame["说明"].tolist() == ["甲,乙\n丙", "丁"]
    assert table.geometry is None
    assert table.crs is None


def test_a_workbook_keeps_numbers_and_days(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["编号", "名称", "经度", "纬度"])
    for row in zip((1, 2, 3), NAMES, LON.tolist(), LAT.tolist(), strict=True):
        sheet.append(list(row))
    book.create_sheet("空表")
    book.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx", crs=WGS84)
    assert table.frame["编号"].tolist() == [1, 2, 3]
    assert table.rows.tolist() == [2, 3, 4]
    assert shapely.get_y(table.geometry).tolist() == LAT.tolist()


def test_wkt_and_degrees_with_minutes_are_places(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text('编号;wkt\n1;"POINT (112.9 28.7)"\n', "utf-8")
    assert read_table(tmp_path / "w.csv", crs=WGS84).geometry[0] == shapely.Point(112.9, 28.7)
    (tmp_path / "d.csv").write_text("编号,经度,纬度\n1,112°54′00″,北纬28度42分\n", "utf-8")
    place = read_table(tmp_path / "d.csv", crs=WGS84).geometry[0]
    assert (round(place.x, 9), round(place.y, 9)) == (112.9, 28.7)


def test_a_stated_system_that_the_file_contradicts_is_an_error(tmp_path: Path) -> None:
    frame("EPSG:4547").to_file(tmp_path / "a.gpkg")
    with pytest.raises(InputError) as error:
        read_table(tmp_path / "a.gpkg", crs=WGS84)
    assert error.value.key == "ingest.crs_differs"
    assert error.value.values["own"] == "EPSG:4547"


def test_gcj02_is_believed_where_the_file_says_wgs84(tmp_path: Path) -> None:
    frame("EPSG:4326").to_file(tmp_path / "a.gpkg")
    table = read_table(tmp_path / "a.gpkg", crs=CoordinateSystem("gcj02"))
    assert [note.key for note in table.notes] == ["ingest.crs_stated_instead"]
    moved = table.geometry[0].centroid.distance(frame().geometry[0].centroid)
    assert 0.001 < moved < 0.01


@pytest.mark.real_data
def test_the_real_shapefiles_are_refused_without_a_system_and_taken_with_it(
    real_data: Path,
) -> None:
    files = sorted((real_data / "boundaries/shapefile_gcj02_no_prj").glob("*.shp"))
    assert len(files) == 3
    for file in files:
        with pytest.raises(InputError) as error:
            read_table(file, crs=None)
        assert error.value.key == "ingest.crs_missing"
        table = read_table(file, crs=parse_crs("gcj02"))
        assert set(table.frame["ctname"]) == {file.stem}
        assert table.encoding == "UTF-8"
        assert shapely.is_valid(table.geometry).all()


@pytest.mark.real_data
def test_the_real_geojson_and_code_lists_are_read(real_data: Path) -> None:
    outline = read_table(
        real_data / "boundaries/xiangyin_430624_gcj02.geojson", crs=parse_crs("gcj02")
    )
    assert outline.frame["name"].tolist() == ["湘阴县"]
    streets = read_table(real_data / "codes/modood_2023_streets.csv", crs=None)
    assert len(streets.frame) == 41_352
    assert streets.geometry is None


def test_a_shapefile_of_capital_suffixes_is_one_too(tmp_path: Path) -> None:
    path = write_shapefile(tmp_path, "GBK", cpg=True, prj=True, name="small")
    for part in list(tmp_path.glob("small.*")):
        shutil.move(part, part.with_suffix(part.suffix.upper()))
    table: Any = read_table(path.with_suffix(".SHP"), crs=WGS84)
    assert_three(table)
