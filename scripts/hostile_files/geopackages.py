"""GeoPackages that run something, or lie about what they hold."""

import sqlite3
import struct
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

from scripts.hostile_files import valid
from scripts.hostile_files.case import CASES, Case, Make

_FOREVER = (
    "WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)"
    " SELECT n AS fid, n AS geom, n AS key FROM forever"
)


def _with(*statements: str) -> bytes:
    """Write the right GeoPackage and run some SQL on it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.gpkg"
        file.write_bytes(valid.geopackage())
        with closing(sqlite3.connect(file)) as database:
            for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
                database.create_function(name, 1, lambda _: None)
            database.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                database.execute(statement)
            database.commit()
        return file.read_bytes()


def _both(name: str) -> Callable[[Make], Make]:
    """List a maker twice: handed in, and located."""

    def listed(make: Make) -> Make:
        CASES.append(Case(f"GeoPackage with {name}", "import", "a.gpkg", make))
        CASES.append(Case(f"GeoPackage to locate with {name}", "assign", "a.gpkg", make))
        return make

    return listed


@_both("a view without end as its layer")
def _view(_: Random) -> bytes:
    return _with(
        "DROP TABLE buildings", f"CREATE VIEW buildings AS {_FOREVER}",
    )  # fmt: skip


@_both("a view without end as its list of layers")
def _contents_view(_: Random) -> bytes:
    return _with(
        "DROP TABLE gpkg_contents",
        "CREATE VIEW gpkg_contents AS WITH RECURSIVE f(n) AS (SELECT 1 UNION ALL SELECT n FROM f)"
        " SELECT 'buildings' AS table_name, 'features' AS data_type, n AS srs_id FROM f",
    )


@_both("a view without end that nothing names")
def _other_view(_: Random) -> bytes:
    return _with(f"CREATE VIEW other AS {_FOREVER}")


@_both("a trigger of its own")
def _trigger(_: Random) -> bytes:
    return _with(
        "CREATE TRIGGER mine AFTER UPDATE ON buildings BEGIN"
        " INSERT INTO buildings (key) WITH RECURSIVE f(n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM f) SELECT n FROM f; END"
    )


@_both("a trigger of its own under the name of the index's")
def _disguised_trigger(_: Random) -> bytes:
    return _with(
        "DROP TRIGGER IF EXISTS rtree_buildings_geom_update7",
        "CREATE TRIGGER rtree_buildings_geom_update7 AFTER UPDATE ON buildings BEGIN"
        " INSERT INTO buildings (key) WITH RECURSIVE f(n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM f) SELECT n FROM f; END",
    )


@_both("a column that computes 500 MB")
def _computed(_: Random) -> bytes:
    return _with("ALTER TABLE buildings ADD COLUMN big TEXT AS (hex(zeroblob(250000000)))")


@_both("an index that computes")
def _computed_index(_: Random) -> bytes:
    return _with("CREATE INDEX mine ON buildings (abs(fid) + length(hex(zeroblob(1000000))))")


@_both("a full-text table")
def _virtual(_: Random) -> bytes:
    return _with("CREATE VIRTUAL TABLE words USING fts5(a)")


@_both("no list of layers")
def _no_contents(_: Random) -> bytes:
    return _with("DROP TABLE gpkg_contents")


@_both("shapes that say they have 4 billion points")
def _huge_counts(_: Random) -> bytes:
    wkb = b"GP\x00\x01" + struct.pack("<i", 4490) + struct.pack("<BII", 1, 2, 0xFFFFFFFF)
    return _with(f"UPDATE buildings SET geom = X'{wkb.hex()}'")


@_both("collections in collections, 50,000 deep")
def _nested(_: Random) -> bytes:
    wkb = b"GP\x00\x01" + struct.pack("<i", 4490) + struct.pack("<BII", 1, 7, 1) * 50_000
    return _with(f"UPDATE buildings SET geom = X'{wkb.hex()}' WHERE fid = 1")


@_both("a coordinate system in 100,000 brackets")
def _deep_system(_: Random) -> bytes:
    return _with(
        f"UPDATE gpkg_spatial_ref_sys SET definition = '{'PROJCS[' * 100_000}',"
        " organization = 'NONE' WHERE srs_id = 4490"
    )


@_both("1,500 columns")
def _many_columns(_: Random) -> bytes:
    more = "".join(f", c{i} TEXT" for i in range(1500))
    return _with(
        f"UPDATE sqlite_master SET sql = rtrim(sql, ')') || '{more})' WHERE name = 'buildings'"
    )


@_both("HTML and SQL in the names")
def _odd_names(_: Random) -> bytes:
    name = '<script>alert(1)</script>"; DROP TABLE household; --'
    return _with(
        f"ALTER TABLE buildings ADD COLUMN '{name}' TEXT",
        "UPDATE gpkg_contents SET identifier = '<img src=x onerror=alert(1)>'",
    )


@_both("texts that are no UTF-8")
def _no_utf_8(_: Random) -> bytes:
    return _with("UPDATE buildings SET name = CAST(X'ffc0af80' AS TEXT)")


@_both("pages that are not there")
def _no_pages(_: Random) -> bytes:
    data = bytearray(valid.geopackage())
    data[28:32] = struct.pack(">I", 0x7FFFFFFF)
    return bytes(data)


@_both("random bytes in every page")
def _random_pages(random: Random) -> bytes:
    data = bytearray(valid.geopackage())
    for _ in range(400):
        data[random.randrange(100, len(data))] = random.randrange(256)
    return bytes(data)
