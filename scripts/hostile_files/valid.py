"""A small right file of each kind: what is cut, bent and blown up elsewhere."""

import gzip
import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import geopandas as gpd
import openpyxl
import shapely

WEST, SOUTH, SIDE = 112.9, 28.7, 0.01
ROWS = 40


def _places() -> list[tuple[str, str, float, float]]:
    return [
        (f"b{i}", f"幸福路{i}号", WEST + SIDE * (i % 7 + 0.5) / 3, SOUTH + SIDE * (i % 5 + 0.5) / 3)
        for i in range(ROWS)
    ]


@cache
def csv_file() -> bytes:
    """Give buildings with longitude and latitude."""
    lines = ["key,name,lon,lat", *(f"{k},{n},{x:.6f},{y:.6f}" for k, n, x, y in _places())]
    return ("\n".join(lines) + "\n").encode()


@cache
def geojson() -> bytes:
    """Give buildings as points, with the member that names the system."""
    features = [
        {
            "type": "Feature",
            "properties": {"key": key, "name": name},
            "geometry": {"type": "Point", "coordinates": [x, y]},
        }
        for key, name, x, y in _places()
    ]
    crs = {"type": "name", "properties": {"name": "EPSG:4490"}}
    return json.dumps(
        {"type": "FeatureCollection", "crs": crs, "features": features}, ensure_ascii=False
    ).encode()


def _frame() -> gpd.GeoDataFrame:
    places = _places()
    return gpd.GeoDataFrame(
        {"key": [one[0] for one in places], "name": [one[1] for one in places]},
        geometry=[shapely.Point(x, y) for *_, x, y in places],
        crs=4490,
    )


@cache
def geopackage() -> bytes:
    """Give one layer of buildings as GDAL writes it: index, triggers, counts of features."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.gpkg"
        _frame().to_file(file, layer="buildings", driver="GPKG")
        return file.read_bytes()


@cache
def shapefile() -> dict[str, bytes]:
    """Give the parts of a shapefile by their suffix."""
    with tempfile.TemporaryDirectory() as folder:
        _frame().to_file(Path(folder) / "a.shp", encoding="utf-8")
        return {one.suffix: one.read_bytes() for one in Path(folder).iterdir()}


def zipped(parts: dict[str, bytes]) -> bytes:
    """Pack files by their names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


@cache
def shapefile_zip() -> bytes:
    """Give the shapefile in one zip."""
    return zipped({f"a{suffix}": data for suffix, data in shapefile().items()})


@cache
def workbook() -> bytes:
    """Give buildings on one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["key", "name", "lon", "lat"])
    for row in _places():
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@cache
def osm() -> bytes:
    """Give a road, a building and a county."""
    corners = [(0, 0), (3, 0), (3, 3), (0, 3), (1, 1), (2, 1), (2, 2), (1, 2)]
    nodes = "".join(
        f'<node id="{i + 1}" version="1" lon="{WEST + x * SIDE}" lat="{SOUTH + y * SIDE}"/>'
        for i, (x, y) in enumerate(corners)
    )

    def way(number: int, refs: list[int], tags: str) -> str:
        inside = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        return f'<way id="{number}" version="1">{inside}{tags}</way>'

    return (
        '<?xml version="1.0"?><osm version="0.6">'
        + nodes
        + way(1, [1, 2, 3, 4, 1], "")
        + way(2, [1, 5, 7, 3], '<tag k="highway" v="primary"/>')
        + way(3, [5, 6, 7, 8, 5], '<tag k="building" v="yes"/>')
        + '<relation id="1" version="1"><member type="way" ref="1" role="outer"/>'
        '<tag k="type" v="boundary"/><tag k="boundary" v="administrative"/>'
        '<tag k="admin_level" v="6"/><tag k="name" v="东县"/></relation></osm>'
    ).encode()


@cache
def osm_gz() -> bytes:
    """Give the same, packed."""
    return gzip.compress(osm())


@cache
def graphml() -> bytes:
    """Give a street network as OSMnx writes it."""
    keys = "".join(
        f'<key id="{k}" for="{of}" attr.name="{k}" attr.type="string"/>'
        for k, of in (("crs", "graph"), ("x", "node"), ("y", "node"), ("highway", "edge"))
    )
    nodes = "".join(
        f'<node id="{i}"><data key="x">{WEST + i * SIDE}</data><data key="y">{SOUTH}</data></node>'
        for i in range(4)
    )
    edges = "".join(
        f'<edge source="{i}" target="{i + 1}"><data key="highway">primary</data></edge>'
        for i in range(3)
    )
    return (
        '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        f'{keys}<graph edgedefault="directed"><data key="crs">EPSG:4326</data>{nodes}{edges}'
        "</graph></graphml>"
    ).encode()
