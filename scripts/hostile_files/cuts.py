"""Each kind of right file, whole and cut at every tenth."""

from random import Random
from typing import Final

from scripts.hostile_files import valid
from scripts.hostile_files.case import CASES, Case, Make, Route

_KINDS: Final[tuple[tuple[str, Route, str, str, str | None, Make], ...]] = (
    ("CSV", "import", "a.csv", "buildings", "cgcs2000", lambda _: valid.csv_file()),
    ("GeoJSON", "import", "a.geojson", "buildings", None, lambda _: valid.geojson()),
    ("GeoPackage", "import", "a.gpkg", "buildings", None, lambda _: valid.geopackage()),
    ("shapefile", "import", "a.zip", "buildings", None, lambda _: valid.shapefile_zip()),
    ("XLSX", "import", "a.xlsx", "buildings", "cgcs2000", lambda _: valid.workbook()),
    ("GraphML", "import", "a.graphml", "roads", None, lambda _: valid.graphml()),
    ("OpenStreetMap", "read", "a.osm", "", None, lambda _: valid.osm()),
    ("packed OpenStreetMap", "read", "a.osm.gz", "", None, lambda _: valid.osm_gz()),
)


def _cut(make: Make, tenth: int) -> Make:
    def cut(random: Random) -> bytes:
        data = make(random)
        return data[: len(data) * tenth // 10]

    return cut


for _name, _route, _file, _kind, _crs, _make in _KINDS:
    CASES.append(Case(f"{_name}, whole", _route, _file, _make, _kind, _crs, valid=True))
    CASES.extend(
        Case(f"{_name}, cut at {tenth}/10", _route, _file, _cut(_make, tenth), _kind, _crs)
        for tenth in range(1, 10)
    )
