"""Zips and gzips that are more than they look, or less."""

import gzip
import io
import struct
import zipfile
import zlib
from random import Random

from scripts.hostile_files import valid
from scripts.hostile_files.case import hostile

_MB = 1024 * 1024


def _zeros(mb: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(_MB)) for _ in range(mb)]
    return b"".join([*parts, packer.flush()])


@hostile("a gzip of 300 MB of zeros", "import", "a.geojson.gz")
def _gzip_bomb(_: Random) -> bytes:
    return _zeros(300)


@hostile("a gzip in a gzip in a gzip", "import", "a.geojson.gz")
def _gzip_thrice(_: Random) -> bytes:
    return gzip.compress(gzip.compress(_zeros(100)))


@hostile("a gzip with something behind it", "import", "a.geojson.gz")
def _gzip_and_more(random: Random) -> bytes:
    return gzip.compress(valid.geojson()) + random.randbytes(10_000)


@hostile("a gzip whose checksum is wrong", "import", "a.geojson.gz")
def _gzip_wrong(_: Random) -> bytes:
    data = bytearray(gzip.compress(valid.geojson()))
    data[-6] ^= 0xFF
    return bytes(data)


@hostile("a zip whose .dbf is 200 MB of zeros", "import", "a.zip")
def _zip_bomb(_: Random) -> bytes:
    return valid.zipped(
        {f"a{s}": data for s, data in valid.shapefile().items()} | {"a.dbf": bytes(200 * _MB)}
    )


@hostile("a zip that says its members are small", "import", "a.zip")
def _zip_lies(_: Random) -> bytes:
    data = valid.zipped(
        {f"a{s}": one for s, one in valid.shapefile().items()} | {"a.dbf": bytes(60 * _MB)}
    )
    return data.replace(struct.pack("<I", 60 * _MB), struct.pack("<I", 100))


@hostile("a zip with a thousand names for one member", "import", "a.zip")
def _zip_overlaps(_: Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", bytes(10 * _MB))
        first = archive.infolist()[0]
        for number in range(1000):
            other = zipfile.ZipInfo(f"{number}.dbf")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(other, name, getattr(first, name))
            archive.filelist.append(other)
    return out.getvalue()


@hostile("a zip whose .shp is a link to /etc/passwd", "import", "a.zip")
def _zip_link(_: Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("a.shp")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        for suffix in (".shx", ".dbf"):
            archive.writestr(f"a{suffix}", valid.shapefile()[suffix])
    return out.getvalue()


@hostile("a zip with names that climb out of the folder", "import", "a.zip")
def _zip_climbs(_: Random) -> bytes:
    return valid.zipped(
        {f"../../../../tmp/hostile{s}": data for s, data in valid.shapefile().items()}
    )


@hostile("a zip of zips", "import", "a.zip")
def _zip_of_zips(_: Random) -> bytes:
    inner = valid.shapefile_zip()
    for _level in range(20):
        inner = valid.zipped({"inner.zip": inner})
    return inner


@hostile("a zip with 60,000 empty members", "import", "a.zip")
def _zip_many(_: Random) -> bytes:
    return valid.zipped({f"{number}.txt": b"" for number in range(60_000)})


@hostile("a zip with a password", "import", "a.zip")
def _zip_password(_: Random) -> bytes:
    data = bytearray(valid.shapefile_zip())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + at] |= 1
            start = data.find(mark, start + 4)
    return bytes(data)


@hostile("a zip with HTML in the names", "import", "<img src=x onerror=alert(1)>.zip")
def _zip_html(_: Random) -> bytes:
    return valid.zipped(
        {f"<script>alert({n})</script>{s}": d for n in (1, 2) for s, d in valid.shapefile().items()}
    )


@hostile("a zip that is only a directory of itself", "import", "a.zip")
def _zip_directory(_: Random) -> bytes:
    return b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 0xFFFFFFF0, 0, 0)


@hostile("random bytes called a zip", "import", "a.zip")
def _zip_random(random: Random) -> bytes:
    return b"PK\x03\x04" + random.randbytes(50_000)
