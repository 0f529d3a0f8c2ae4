"""A file of places comes back row by row as it was, with its grids; odd rows with their reason."""

import csv
import io
import json
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000
from gis_service.errors import InputError
from gis_service.geodesy import distance_m
from gis_service.grids.answers.sources import assign_file
from gis_service.grids.batch import csv_files
from gis_service.grids.batch.csv_blocks import NUMBER, read_numbers, scan_rows
from gis_service.grids.batch.files import answer_file
from gis_service.grids.batch.rows import Options, Reject, Source, Tally
from gis_service.grids.locator.locator import Locator
from gis_service.ingest.kinds.gpkg_assign import assign_geopackage
from gis_service.ingest.readers.columns import find_coordinates

CGCS = CoordinateSystem("cgcs2000")
ADDED = "grid_code,grid_name,grid_method,nearest_code,nearest_m,refused"


@pytest.fixture(scope="module")
def source() -> Source:
    """Two squares side by side; the name of the second one needs quotes."""
    boxes = [shapely.box(112.9, 28.7, 112.91, 28.71), shapely.box(112.91, 28.7, 112.92, 28.71)]
    return Source(
        "base", "", Locator([1, 2], boxes), {1: ("001", "东街"), 2: ("002", "西街, 南")}, {}
    )


def options(**given: Any) -> Options:
    return Options(**{"crs": CGCS, "find_columns": find_coordinates, "language": "en", **given})


@pytest.fixture
def answer(tmp_path: Path, source: Source) -> Callable[..., tuple[bytes, Tally, list[Reject]]]:
    def ask(data: bytes, kind: str = "csv", **given: Any) -> tuple[bytes, Tally, list[Reject]]:
        file = tmp_path / "given"
        file.write_bytes(data)
        rejects: list[Reject] = []
        tally = Tally(rejected=rejects.append)
        out = b"".join(answer_file(file, kind, [source], options(**given), tally))
        return out, tally, rejects

    return ask


Ask = Callable[..., tuple[bytes, Tally, list[Reject]]]


def test_rows_keep_their_bytes_and_order(answer: Ask) -> None:
    data = (
        b"id,lon,lat,note\n"
        b'7,112.905,28.705,"a ""b"", c"\n'
        b" 8 ,112.9150,+28.7050,x\r\n"
        b"9,112.91,28.705,\n"
        b"10,113,28.705,last"
    )
    out, tally, rejects = answer(data)
    lines = out.decode().split("\n")
    assert lines[0] == f"id,lon,lat,note,{ADDED}"
    assert lines[1] == '7,112.905,28.705,"a ""b"", c",001,东街,within,,,'
    assert lines[2] == ' 8 ,112.9150,+28.7050,x,002,"西街, 南",within,,,\r'
    assert lines[3] == "9,112.91,28.705,,001,东街,border_tie,,,"
    assert lines[4].startswith("10,113,28.705,last,,,outside,002,78")
    assert (tally.rows, tally.within, tally.ties, tally.outside) == (4, 3, 1, 1)
    assert rejects == []


def test_refused_rows_stay_with_their_reason_and_are_listed(answer: Ask) -> None:
    data = (
        b"lon,lat,name\n112.905,28.705,ok\nx,28.7,a\n,,b\n112.905\n28.705,112.905,c\n"
        b"112.905,28.705,d,e\n112.905,1_0,f\nnan,28.7,g\n\n112.905,28.705,end\n"
    )
    out, tally, rejects = answer(data)
    assert [reject.row for reject in rejects] == [2, 3, 4, 5, 6, 7, 8]
    lines = out.decode().split("\n")
    assert lines[9] == ""  # the empty line is still there
    assert lines[10] == "112.905,28.705,end,001,东街,within,,,"
    short = next(csv.reader([lines[4]]))
    assert short[:3] == ["112.905", "", ""]
    assert "number of fields" in short[-1]
    assert "Earth" in lines[5]
    assert tally.as_dict() | {"suggestion": None} == {
        "rows": 9, "within": 2, "border_ties": 0, "outside": 0, "refused": 7, "suggestion": None,
    }  # fmt: skip


@pytest.mark.parametrize("size", [7, 40, 100_000])
def test_blocks_of_any_size_give_the_same(
    answer: Ask, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    rows = [f'{i},{112.9 + i / 5000:.6f},28.705,"多\n行 {i}"' for i in range(60)]
    data = ("id,lon,lat,文\r\n" + "\r\n".join(rows) + "\r\n").encode()
    whole, tally, _ = answer(data)
    first_block = csv_files.BLOCK
    reads = iter([first_block])  # the header is found in a block of the usual size

    class Small(csv_files._PlainStream):
        def read(self, wanted: int) -> bytes:
            return super().read(next(reads, size))

    monkeypatch.setattr(csv_files, "_PlainStream", Small)
    small, again, _ = answer(data)
    assert small == whole
    assert again.as_dict() == tally.as_dict()
    table = pd.read_csv(io.BytesIO(whole), dtype=str)
    assert table["id"].tolist() == [str(i) for i in range(60)]
    assert table["文"][3] == "多\n行 3"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_keeps_its_encoding(answer: Ask, encoding: str) -> None:
    text = "编号\t经度\t纬度\t名称\n1\t112.905\t28.705\t龘\n"
    out, tally, _ = answer(text.encode(encoding))
    assert tally.within == 1
    lines = out.decode(encoding).split("\n")
    assert lines[1] == "1\t112.905\t28.705\t龘\t001\t东街\twithin\t\t\t"


def test_rows_may_name_their_system(answer: Ask) -> None:
    rows = ["x,y,sys"]
    for code in ("gcj02", "bd09", "EPSG:4547", "wgs84"):
        x, y = from_cgcs2000(CoordinateSystem(code), 112.905, 28.705)
        rows.append(f"{float(x)!r},{float(y)!r},{code}")
    rows += ["112.905,28.705,mars", "112.905,28.705,"]
    out, tally, rejects = answer(
        "\n".join(rows).encode(), crs=None, crs_column="sys", lon_column="x", lat_column="y"
    )
    assert tally.within == 4
    assert [(reject.row, reject.field) for reject in rejects] == [(5, "mars"), (6, "")]
    assert out.count(b"within") == 4


def test_a_row_that_contradicts_the_file_is_refused(answer: Ask) -> None:
    data = b"lon,lat,sys\n112.905,28.705,wgs84\n112.905,28.705,bd09\n"
    _, tally, rejects = answer(data, crs=CGCS, crs_column="sys")
    assert tally.within == 1
    assert "bd09" in rejects[0].reason


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"crs": None}, "locate.crs_needed"),
        ({"lon_column": "nowhere"}, "locate.no_column"),
        ({"encoding": "martian"}, "locate.encoding_unknown"),
    ],
)
def test_what_is_missing_is_said(answer: Ask, given: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        answer(b"lon,lat\n112.905,28.705\n", **given)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "locate.no_header"),
        (b"a,b\n1,2\n", "locate.no_coordinates"),
        (b"lon,lat\n\x00\x00\n", "locate.not_text"),
    ],
)
def test_what_is_no_csv_of_places_is_refused(answer: Ask, data: bytes, key: str) -> None:
    with pytest.raises(InputError) as caught:
        answer(data)
    assert caught.value.key == key


def test_a_name_that_the_file_has_is_not_taken_twice(answer: Ask) -> None:
    out, _, _ = answer(b"lon,lat,grid_code\n112.905,28.705,mine\n")
    names = out.decode().split("\n")[0].split(",")
    assert names[2:4] == ["grid_code", "grid_code_2"]


def test_swapped_columns_are_noticed(answer: Ask) -> None:
    _, tally, _ = answer(b"lon,lat\n28.705,112.905\n28.706,112.905\n")
    assert tally.suggestion is not None
    assert tally.suggestion.swapped


def test_numbers_of_a_column_are_those_of_float() -> None:
    rng = random.Random(1)
    texts = [repr(rng.uniform(-180, 180)) for _ in range(20_000)]
    for _ in range(20_000):
        digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 19)))
        cut = rng.randint(0, len(digits))
        texts.append(rng.choice(["", "-", "+"]) + digits[:cut] + "." + digits[cut:])
    for _ in range(3000):  # as near as can be to the middle of two doubles
        one = rng.uniform(1, 200)
        middle = (Decimal(one) + Decimal(float(np.nextafter(one, 300)))) / 2
        texts.append(str(middle)[:20])
    data = np.frombuffer("\n".join(texts).encode(), dtype=np.uint8)
    rows, used = scan_rows(data, ord(","), np.array([0]), is_last=True)
    assert used == len(data)
    values, kinds = read_numbers(data, rows.first[:, 0], rows.last[:, 0])
    read = kinds == NUMBER
    assert read.mean() > 0.9
    expected = np.array([float(text) for text in texts])
    assert (values[read] == expected[read]).all()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.text(alphabet='ab,";\n 东', max_size=5), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_rows_are_told_apart_as_the_csv_module_does(table: list[list[str]], line_end: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=line_end).writerows(table)
    data = out.getvalue().encode()
    block = np.frombuffer(data, dtype=np.uint8)
    rows, used = scan_rows(block, ord(","), np.array([0, 1]), is_last=True)
    assert used == len(data)
    assert rows.fields.tolist() == [2] * len(table)
    for row, fields in enumerate(table):
        answered = [data[rows.first[row, c] : rows.last[row, c]].decode() for c in (0, 1)]
        assert next(csv.reader(io.StringIO(",".join(answered), newline=""))) == fields


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ("1.129e2", "28.7", (112.9, 28.7)),
        ("１１２．９", "２８．７", (112.9, 28.7)),
        ("112°54′", "28°42′", (112.9, 28.7)),
        ("28.7N", "112.9E", None),
        ("1e400", "2", None),
        ("0x10", "2", None),
    ],
)
def test_odd_numbers(first: str, second: str, place: tuple[float, float] | None) -> None:
    assert csv_files.read_pair(first, second) == (place and pytest.approx(place))


def feature(lon: Any, lat: Any, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": 5,
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": properties,
    }


def test_lines_of_json_keep_members_and_order(answer: Ask) -> None:
    lines = [
        json.dumps(feature(112.905, 28.705, 名="东")),
        '{"lon": 112.915, "lat": "28.705", "n": 1}',
        "not json",
        json.dumps({**feature(0, 0), "geometry": None}),
        json.dumps(feature("x", 1)),
        '{"经度": 113.0, "纬度": 28.705}',
    ]
    out, tally, rejects = answer("\n".join(lines).encode(), "ndjson")
    answered = [json.loads(line) for line in out.decode().splitlines()]
    assert answered[0]["id"] == 5
    assert answered[0]["properties"]["名"] == "东"
    assert answered[0]["properties"]["grid_code"] == "001"
    assert (answered[1]["n"], answered[1]["grid_code"]) == (1, "002")
    assert answered[2]["line"] == "not json"
    assert answered[5]["grid_method"] == "outside"
    assert [reject.row for reject in rejects] == [3, 4, 5]
    assert tally.rows == 6


@pytest.mark.parametrize("piece", [1, 17, 1_000_000])
def test_a_collection_keeps_what_stands_around_the_features(
    answer: Ask, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr("gis_service.grids.batch.feature_files._READ", piece)
    given = {
        "type": "FeatureCollection",
        "name": "点",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}},
        "features": [feature(112.905, 28.705, a=[1, {"b": None}]), feature(112.915, 28.705), 5],
        "after": 12,
    }
    data = json.dumps(given, ensure_ascii=False, indent=1).encode()
    out, tally, _ = answer(data, "geojson", crs=None)
    answered = json.loads(out)
    assert {**answered, "features": 0} == {**given, "features": 0}
    assert list(answered) == list(given)
    assert answered["features"][0]["properties"]["a"] == [1, {"b": None}]
    assert answered["features"][1]["properties"]["grid_name"] == "西街, 南"
    assert "refused" in answered["features"][2]
    assert tally.refused == 1


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"features":5}', b'{"features":[{]}', b'{"features":[]', b"\xff"]
)
def test_what_is_no_collection_is_refused(answer: Ask, data: bytes) -> None:
    with pytest.raises(InputError):
        answer(data, "geojson")


@pytest.fixture
def geopackage(tmp_path: Path) -> Path:
    file = tmp_path / "places.gpkg"
    points = [shapely.Point(112.905, 28.705), None, shapely.Point(112.915, 28.705)]
    pyogrio.raw.write(
        file,
        shapely.to_wkb(np.array(points, dtype=object)),
        [np.array(["a", "b", "c"], dtype=object)],
        np.array(["name"]),
        layer="places",
        driver="GPKG",
        geometry_type="Point",
        crs="EPSG:4490",
    )
    return file


def test_a_geopackage_gains_columns(geopackage: Path, tmp_path: Path, source: Source) -> None:
    rejects: list[Reject] = []
    out, tally = tmp_path / "out.gpkg", Tally(rejected=rejects.append)
    assign_geopackage(geopackage, out, [source], options(crs=None), tally)
    _, _, _, columns = pyogrio.raw.read(out, layer="places")
    meta = pyogrio.read_info(out, layer="places")
    table = dict(zip(meta["fields"].tolist(), [c.tolist() for c in columns], strict=True))
    assert table["name"] == ["a", "b", "c"]
    assert table["grid_code"] == ["001", None, "002"]
    assert rejects[0].row == 2
    with closing(sqlite3.connect(geopackage)) as untouched, untouched:
        names = [row[1] for row in untouched.execute('PRAGMA table_info("places")')]
    assert "grid_code" not in names


def test_what_is_no_geopackage_is_refused(tmp_path: Path, source: Source) -> None:
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"no database" * 100)
    with pytest.raises(InputError) as caught:
        assign_geopackage(bad, tmp_path / "out.gpkg", [source], options(), Tally())
    assert caught.value.key == "ingest.not_a_gpkg"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, source: Source) -> None:
    file, out, rejects = (tmp_path / name for name in ("in.csv", "out.csv", "bad.csv"))
    file.write_bytes(b"lon,lat\n112.905,28.705\n1,x\n")
    result = assign_file(file, out, [source], options(), rejects)
    assert result["refused"] == 1
    assert rejects.read_text("utf-8-sig").splitlines()[1].startswith('2,"1, x",')
    out.write_bytes(b"before")
    file.write_bytes(b"nothing\n1\n")
    with pytest.raises(InputError):
        assign_file(file, out, [source], options(), rejects)
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "in.csv", "out.csv"]
    with pytest.raises(InputError, match="another format"):
        assign_file(file, tmp_path / "out.gpkg", [source], options(), rejects)


@pytest.mark.parametrize(
    ("degrees", "said"), [(0.00001, r"[01]\.\d"), (0.005, r"\d{3}\.\d"), (0.2, r"\d{5}\.\d")]
)
def test_how_far_a_row_lies_outside_is_written_in_full(
    answer: Ask, degrees: float, said: str
) -> None:
    lon = 112.92 + degrees
    out, _, _ = answer(f"lon,lat\n{lon!r},28.705\n".encode())
    *_, code, metres, refused = out.decode().splitlines()[1].split(",")
    assert (code, refused) == ("002", "")
    assert re.fullmatch(said, metres)
    assert float(metres) == pytest.approx(float(distance_m(112.92, 28.705, lon, 28.705)), abs=0.06)


def test_every_metre_near_a_thousand_is_written_with_its_noughts(answer: Ask) -> None:
    """Kilometres and metres are two pieces: 1,000.0 m must not become 10.0, nor 1,049.9 1,49.9."""
    lons = (112.92 + np.arange(1000, 1100) / 97_700).tolist()
    out, _, _ = answer("\n".join(["lon,lat", *(f"{lon!r},28.705" for lon in lons)]).encode())
    metres = [float(line.split(",")[-2]) for line in out.decode().splitlines()[1:]]
    n = len(lons)
    exact = distance_m(np.full(n, 112.92), np.full(n, 28.705), lons, np.full(n, 28.705))
    assert np.abs(np.array(metres) - exact).max() < 0.06
    assert min(metres) < 1001
    assert max(metres) > 1049
