"""CSV and GeoJSON: wrong encodings, formulas, names of HTML, numbers and nesting without end."""

import codecs
import json
import math
from collections.abc import Callable
from random import Random

from scripts.hostile_files import valid
from scripts.hostile_files.case import CASES, Case, Make, hostile

_MB = 1024 * 1024


def _csv(name: str) -> Callable[[Make], Make]:
    """List a maker twice: handed in, and located."""

    def listed(make: Make) -> Make:
        CASES.append(Case(f"CSV with {name}", "import", "a.csv", make, crs="cgcs2000"))
        CASES.append(Case(f"CSV to locate with {name}", "assign", "a.csv", make, crs="cgcs2000"))
        return make

    return listed


def _rows(*rows: str, head: str = "key,name,lon,lat") -> bytes:
    return "\n".join([head, *rows]).encode(errors="surrogatepass")


@_csv("a quote that is never closed, 5 MB long")
def _open_quote(_: Random) -> bytes:
    return _rows('b1,"' + "a,b\n" * (5 * _MB // 4))


@_csv("NUL in the middle")
def _nul(_: Random) -> bytes:
    return _rows("b1,a\x00b,112.91,28.71", "b2,c,112.92,28.71")


@_csv("lone surrogates")
def _surrogates(_: Random) -> bytes:
    return _rows("b1,\ud800\udfff\ud800,112.91,28.71")


@_csv("UTF-16 of an odd number of bytes")
def _odd_utf_16(_: Random) -> bytes:
    return codecs.BOM_UTF16_LE + valid.csv_file().decode().encode("utf-16-le")[:-1]


@_csv("UTF-32")
def _utf_32(_: Random) -> bytes:
    return valid.csv_file().decode().encode("utf-32")


@_csv("UTF-8 and GBK in turn")
def _two_encodings(_: Random) -> bytes:
    return b"\n".join(
        line.decode().encode("gbk" if number % 2 else "utf-8")
        for number, line in enumerate(valid.csv_file().splitlines())
    )


@_csv("100,000 columns")
def _many_columns(_: Random) -> bytes:
    return _rows(",".join(["1"] * 100_000), head=",".join(f"c{i}" for i in range(100_000)))


@_csv("a single line of 10 MB")
def _one_line(_: Random) -> bytes:
    return b"lon,lat," + b"x" * (10 * _MB)


@_csv("2 MB of commas")
def _commas(_: Random) -> bytes:
    return _rows("," * (2 * _MB))


@_csv("a million empty lines")
def _empty_lines(_: Random) -> bytes:
    return _rows("\n" * 1_000_000 + "b1,a,112.91,28.71")


@_csv("formulas in every cell")
def _formulas(_: Random) -> bytes:
    signs = ("=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", '"\t=1"', '"\r=1"')
    return _rows(*(f"{sign},{sign},{sign},28.71" for sign in signs))


@_csv("HTML in its names and cells")
def _html(_: Random) -> bytes:
    bad = "<img src=x onerror=alert(1)>"
    return _rows(f"{bad},{bad},112.91,28.71", head=f"key,{bad},lon,lat")


@_csv("numbers of 400 digits")
def _long_numbers(_: Random) -> bytes:
    return _rows("b1,a," + "9" * 400 + ",28.71", "b2,b,112.91,-" + "9" * 400)


@_csv("NaN and infinity")
def _no_numbers(_: Random) -> bytes:
    return _rows("b1,a,NaN,28.71", "b2,b,inf,-inf", "b3,c,1e999,1e-999", "b4,d,0x1p3,28")


@_csv("old line ends alone")
def _old_ends(_: Random) -> bytes:
    return valid.csv_file().replace(b"\n", b"\r")


@_csv("one column twice")
def _twice(_: Random) -> bytes:
    return _rows("b1,a,1,2,112.91,28.71", head="key,name,lon,lon,lat,lat")


@_csv("nothing but a byte order mark")
def _only_a_mark(_: Random) -> bytes:
    return codecs.BOM_UTF8


@_csv("random bytes")
def _random_bytes(random: Random) -> bytes:
    return random.randbytes(200_000)


@hostile("CSV with WKT of 50,000 brackets", "import", "a.csv", crs="cgcs2000")
def _deep_wkt(_: Random) -> bytes:
    return _rows(f'b1,"{"GEOMETRYCOLLECTION(" * 50_000}"', head="key,wkt")


@hostile("CSV called a picture", "import", "a.png", crs="cgcs2000")
def _wrong_suffix(_: Random) -> bytes:
    return valid.csv_file()


@hostile("CSV whose name climbs and holds NUL", "import", "../../etc/a\x01.csv", crs="cgcs2000")
def _climbing_name(_: Random) -> bytes:
    return valid.csv_file()


# --- GeoJSON -----------------------------------------------------------------------------------


def _geojson(name: str) -> Callable[[Make], Make]:
    """List a maker twice: handed in, and located."""

    def listed(make: Make) -> Make:
        CASES.append(Case(f"GeoJSON with {name}", "import", "a.geojson", make, crs="cgcs2000"))
        CASES.append(
            Case(f"GeoJSON to locate with {name}", "assign", "a.geojson", make, crs="cgcs2000")
        )
        return make

    return listed


def _feature(geometry: str, properties: str = '{"key": "b1"}') -> str:
    return f'{{"type": "Feature", "properties": {properties}, "geometry": {geometry}}}'


def _collection(*features: str) -> bytes:
    inside = ",".join(features)
    return f'{{"type": "FeatureCollection", "features": [{inside}]}}'.encode()


_POINT = '{"type": "Point", "coordinates": [112.91, 28.71]}'


@_geojson("brackets 100,000 deep")
def _deep_arrays(_: Random) -> bytes:
    inside = "[" * 100_000 + "]" * 100_000
    return _collection(_feature(f'{{"type": "Polygon", "coordinates": {inside}}}'))


@_geojson("objects 100,000 deep")
def _deep_objects(_: Random) -> bytes:
    return _collection(_feature(_POINT, '{"a":' * 100_000 + "1" + "}" * 100_000))


@_geojson("collections of shapes 5,000 deep")
def _deep_shapes(_: Random) -> bytes:
    inside = '{"type": "GeometryCollection", "geometries": [' * 5_000 + _POINT + "]}" * 5_000
    return _collection(_feature(inside))


@_geojson("coordinates that are no numbers")
def _no_numbers_in_points(_: Random) -> bytes:
    given = ("NaN", "1e999", "-" + "9" * 400, "null", '"a"', "true", "{}")
    return _collection(
        *(_feature(f'{{"type": "Point", "coordinates": [{one}, {one}]}}') for one in given)
    )


@_geojson("whole numbers of 400 digits")
def _long_properties(_: Random) -> bytes:
    return _collection(_feature(_POINT, f'{{"key": "b1", "storeys": {"9" * 400}}}'))


@_geojson("lone surrogates and NUL")
def _surrogates_in_names(_: Random) -> bytes:
    return _collection(_feature(_POINT, r'{"key": "\ud800", "\udfff": "\u0000"}'))


@_geojson("3,000 features of a column each")
def _column_explosion(_: Random) -> bytes:
    return _collection(*(_feature(_POINT, f'{{"key{i}": "{i}"}}') for i in range(3000)))


@_geojson("one name 100,000 times")
def _same_name(_: Random) -> bytes:
    return _collection(_feature(_POINT, "{" + ",".join(['"a": 1'] * 100_000) + "}"))


@_geojson("features that are no features")
def _no_features(_: Random) -> bytes:
    return _collection("null", "1", '"a"', "[]", "{}", '{"type": "Feature"}')


@_geojson("HTML in its names")
def _html_names(_: Random) -> bytes:
    bad = json.dumps("<svg onload=alert(1)>")
    return _collection(_feature(_POINT, f'{{"key": {bad}, {bad}: {bad}}}'))


@_geojson("a system in brackets without end")
def _deep_system(_: Random) -> bytes:
    return b'{"type": "FeatureCollection", "crs": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001


@_geojson("Latin letters as bytes")
def _latin(_: Random) -> bytes:
    return _collection(_feature(_POINT, '{"key": "é"}')).decode().encode("latin-1")


def _star(x: float, y: float, corners: int, random: Random) -> str:
    """Draw a ring that crosses itself at every side."""
    turns = [random.random() * math.tau for _ in range(corners)]
    ring = [[x + 0.01 * math.cos(turn), y + 0.01 * math.sin(turn)] for turn in turns]
    return json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


@hostile("GeoJSON with a tangled polygon of 20,000 corners", "import", "a.geojson", crs="cgcs2000")
def _tangled_building(random: Random) -> bytes:
    return _collection(_feature(_star(112.915, 28.715, 20_000, random)))


@hostile("GeoJSON with rings of one and two points", "import", "a.geojson", crs="cgcs2000")
def _short_rings(_: Random) -> bytes:
    return _collection(
        _feature('{"type": "Polygon", "coordinates": [[[112.91, 28.71]]]}'),
        _feature('{"type": "Polygon", "coordinates": [[[112.91, 28.71], [112.92, 28.71]]]}'),
        _feature('{"type": "LineString", "coordinates": []}'),
    )


@hostile("tangled grids of 2 MB", "import", "g.geojson", kind="grids", crs="cgcs2000")
def _tangled_grids(random: Random) -> bytes:
    grids = [
        _feature(
            _star(112.905 + 0.001 * i, 28.715, 450, random),
            json.dumps({"code": f"9901011010{i:02d}", "name": f"格{i}"}, ensure_ascii=False),
        )
        for i in range(100)
    ]
    return _collection(*grids)


@hostile("ten thousand grids on one spot", "import", "g.geojson", kind="grids", crs="cgcs2000")
def _stacked_grids(_: Random) -> bytes:
    ring = [[112.9, 28.7], [112.91, 28.7], [112.91, 28.71], [112.9, 28.71], [112.9, 28.7]]
    shape = json.dumps({"type": "Polygon", "coordinates": [ring]})
    return _collection(
        *(_feature(shape, f'{{"code": "99{i:07d}", "name": "g{i}"}}') for i in range(10_000))
    )
