"""OpenStreetMap and GraphML that go in circles, and shapefiles that lie about their counts."""

import gzip
import struct
from collections.abc import Callable
from random import Random

from scripts.hostile_files import valid
from scripts.hostile_files.case import CASES, Case, Make, hostile

_MB = 1024 * 1024
_LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 20}">' for i in range(9))
    + "]>"
)


def _osm(name: str, file: str = "a.osm") -> Callable[[Make], Make]:
    return hostile(f"OpenStreetMap with {name}", "read", file)


def _with(more: str, head: str = '<?xml version="1.0"?>') -> bytes:
    text = valid.osm().decode().replace('<?xml version="1.0"?>', head)
    return text.replace("</osm>", f"{more}</osm>").encode()


def _relation(number: int, members: str) -> str:
    return (
        f'<relation id="{number}" version="1">{members}<tag k="type" v="boundary"/>'
        '<tag k="boundary" v="administrative"/><tag k="admin_level" v="8"/>'
        f'<tag k="name" v="村{number}"/></relation>'
    )


@_osm("a relation that is its own member")
def _own_member(_: Random) -> bytes:
    return _with(_relation(9, '<member type="relation" ref="9" role="outer"/>'))


@_osm("relations in a circle of a thousand")
def _circle(_: Random) -> bytes:
    return _with(
        "".join(
            _relation(10 + i, f'<member type="relation" ref="{10 + (i + 1) % 1000}" role="outer"/>')
            for i in range(1000)
        )
    )


@_osm("one way 100,000 times in a boundary")
def _same_member(_: Random) -> bytes:
    return _with(_relation(9, '<member type="way" ref="1" role="outer"/>' * 100_000))


@_osm("a way of 200,000 corners on two nodes")
def _long_way(_: Random) -> bytes:
    refs = '<nd ref="1"/><nd ref="3"/>' * 100_000
    return _with(f'<way id="9" version="1">{refs}<tag k="highway" v="primary"/></way>')


@_osm("a tangled boundary")
def _tangled(random: Random) -> bytes:
    nodes = "".join(
        f'<node id="{100 + i}" version="1" lon="{112.9 + random.random() / 10}"'
        f' lat="{28.7 + random.random() / 10}"/>'
        for i in range(1000)
    )
    refs = "".join(f'<nd ref="{100 + i % 1000}"/>' for i in range(1001))
    way = f'<way id="9" version="1">{refs}</way>'
    text = valid.osm().decode().replace('<way id="1"', f'{nodes}<way id="1"', 1)
    text = text.replace("<relation", f"{way}<relation", 1)
    more = _relation(9, '<member type="way" ref="9" role="outer"/>')
    return text.replace("</osm>", f"{more}</osm>").encode()


@_osm("entities that grow")
def _laughs(_: Random) -> bytes:
    return _with(
        '<way id="9" version="1"><nd ref="1"/><nd ref="3"/><tag k="name" v="&j;"/></way>',
        f'<?xml version="1.0"?>{_LAUGHS}',
    )


@_osm("XML 200,000 deep")
def _deep(_: Random) -> bytes:
    return _with("<a>" * 200_000 + "</a>" * 200_000)


@_osm("coordinates beyond the globe")
def _beyond(_: Random) -> bytes:
    return valid.osm().replace(b'lon="112.9"', b'lon="1e400"')


@_osm("numbers of 400 digits")
def _long_numbers(_: Random) -> bytes:
    return valid.osm().replace(b'ref="7"', b'ref="' + b"9" * 400 + b'"')


@_osm("no end of zeros", "a.osm.gz")
def _gzip_bomb(_: Random) -> bytes:
    return gzip.compress(bytes(300 * _MB))


@_osm("random bytes", "a.pbf")
def _random_pbf(random: Random) -> bytes:
    return random.randbytes(100_000)


@_osm("a header of 2 GB", "a.pbf")
def _long_header(_: Random) -> bytes:
    return struct.pack(">I", 0x7FFFFFF0) + bytes(1000)


@_osm("a block that says it has 2 GB", "a.pbf")
def _long_block(_: Random) -> bytes:
    header = b"\x0a\x09OSMHeader\x18" + b"\xf0\xff\xff\xff\x07"
    return struct.pack(">I", len(header)) + header + bytes(1000)


# --- GraphML -----------------------------------------------------------------------------------


def _graph(name: str) -> Callable[[Make], Make]:
    return hostile(f"GraphML with {name}", "import", "a.graphml", kind="roads")


@_graph("entities that grow")
def _graph_laughs(_: Random) -> bytes:
    text = (
        valid.graphml().decode().replace('<?xml version="1.0"?>', f'<?xml version="1.0"?>{_LAUGHS}')
    )
    return text.replace("primary", "&j;").encode()


@_graph("XML 200,000 deep")
def _graph_deep(_: Random) -> bytes:
    return valid.graphml().replace(b"</graph>", b"<a>" * 200_000 + b"</a>" * 200_000 + b"</graph>")


@_graph("coordinates beyond all numbers")
def _graph_beyond(_: Random) -> bytes:
    return valid.graphml().replace(b'"x">112.9<', b'"x">1e999<')


@_graph("values that Python would run")
def _graph_runs(_: Random) -> bytes:
    return valid.graphml().replace(b"primary", b"[__import__('os').system('id')]")


@_graph("a list of 100,000 brackets as a value")
def _graph_brackets(_: Random) -> bytes:
    return valid.graphml().replace(b"primary", b"[" * 100_000 + b"]" * 100_000)


@_graph("edges of nodes that are not there")
def _graph_nowhere(_: Random) -> bytes:
    return valid.graphml().replace(b'target="1"', b'target="99"')


# --- shapefile ---------------------------------------------------------------------------------


def _shp(name: str, change: Callable[[dict[str, bytearray], Random], None]) -> None:
    def make(random: Random) -> bytes:
        parts = {suffix: bytearray(data) for suffix, data in valid.shapefile().items()}
        change(parts, random)
        return valid.zipped({f"a{suffix}": bytes(data) for suffix, data in parts.items()})

    CASES.append(Case(f"shapefile with {name}", "import", "a.zip", make))


def _put(suffix: str, at: int, form: str, *values: int) -> Callable[..., None]:
    def change(parts: dict[str, bytearray], _: Random) -> None:
        struct.pack_into(form, parts[suffix], at, *values)

    return change


def _polygon(parts: dict[str, bytearray], counts: tuple[int, int]) -> None:
    """Make the first record a polygon that says it has so many parts and points."""
    struct.pack_into("<i", parts[".shp"], 32, 5)
    body = struct.pack("<i4dii", 5, 112.9, 28.7, 112.91, 28.71, *counts) + bytes(60)
    record = struct.pack(">ii", 1, len(body) // 2) + body
    parts[".shp"][100:] = record
    struct.pack_into(">i", parts[".shp"], 24, len(parts[".shp"]) // 2)
    parts[".shx"][100:] = struct.pack(">ii", 50, len(body) // 2)
    struct.pack_into(">i", parts[".shx"], 24, len(parts[".shx"]) // 2)


_shp("4 billion records in its table", _put(".dbf", 4, "<I", 0xFFFFFFFF))
_shp("rows of no width", _put(".dbf", 10, "<H", 0))
_shp("a table that begins behind its end", _put(".dbf", 8, "<H", 0xFFFF))
_shp("a field of 255 bytes that is not there", _put(".dbf", 48, "<B", 255))
_shp("a length of 2 GB", _put(".shp", 24, ">i", 0x3FFFFFFF))
_shp("a kind of shape that is not known", _put(".shp", 32, "<i", 77))
_shp("an index that points behind the end", _put(".shx", 100, ">i", 0x3FFFFFFF))
_shp("an index that points to itself", _put(".shx", 104, ">i", 0x7FFFFFFF))
_shp("2 billion points in a polygon", lambda parts, _: _polygon(parts, (1, 0x7FFFFFFF)))
_shp("2 billion parts in a polygon", lambda parts, _: _polygon(parts, (0x7FFFFFFF, 4)))
_shp("less than no points in a polygon", lambda parts, _: _polygon(parts, (-1, -1)))


def _no_prj(parts: dict[str, bytearray], _: Random) -> None:
    parts[".prj"][:] = b"PROJCS[" * 100_000


def _no_cpg(parts: dict[str, bytearray], random: Random) -> None:
    parts[".cpg"][:] = random.randbytes(1000)


def _random_table(parts: dict[str, bytearray], random: Random) -> None:
    parts[".dbf"][200:] = random.randbytes(len(parts[".dbf"]) - 200)


_shp("a system in 100,000 brackets", _no_prj)
_shp("an encoding of random bytes", _no_cpg)
_shp("a table of random bytes", _random_table)
