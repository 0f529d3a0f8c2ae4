"""Packed files, opened with care: nothing is unpacked before it is known how much there is.

Members are written under names of our own, never under theirs, and only those that are needed.
What grows beyond the settings is refused while it is read.
"""

import gzip
import shutil
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from gis_service.errors import InputError
from gis_service.settings import import_settings

SHAPEFILE_PARTS: Final = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_MB: Final = 1024 * 1024
_SMALL: Final = 10 * _MB
_CHUNK: Final = 1024 * 1024


def open_zip(path: Path, file: str) -> zipfile.ZipFile:
    """Open a zip whose members together stay within the limits."""
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise InputError("ingest.zip_broken", file=file) from error
    limits = import_settings()
    unpacked = sum(member.file_size for member in members)
    ratio = max((m.file_size / max(m.compress_size, 1) for m in members), default=0.0)
    if unpacked > limits.max_unpacked_mb * _MB or (unpacked > _SMALL and ratio > limits.max_ratio):
        archive.close()
        raise InputError(
            "ingest.zip_bomb", file=file, mb=-(-unpacked // _MB), ratio=round(ratio),
            max_mb=limits.max_unpacked_mb, max_ratio=limits.max_ratio,
        )  # fmt: skip
    if any(member.flag_bits & 1 for member in members):
        archive.close()
        raise InputError("ingest.zip_encrypted", file=file)
    return archive


def unpack_shapefile(path: Path, file: str, into: Path) -> Path:
    """Take the one shapefile out of a zip."""
    with open_zip(path, file) as archive:
        files = [member for member in archive.infolist() if not member.is_dir()]
        member_of = {_read_member_name(member).casefold(): member for member in files}
        shapes = [name for name in member_of if name.endswith(".shp") and "__macosx" not in name]
        if len(shapes) != 1:
            names = ", ".join(sorted(_read_member_name(member_of[shape]) for shape in shapes)[:5])
            key = "ingest.zip_several_shapefiles" if shapes else "ingest.zip_no_shapefile"
            raise InputError(key, file=file, found=names)
        stem = shapes[0].removesuffix(".shp")
        for suffix in SHAPEFILE_PARTS:
            member = member_of.get(stem + suffix)
            if member is not None:
                _unpack_member(archive, member, into / f"data{suffix}", file)
    return into / "data.shp"


def _read_member_name(member: zipfile.ZipInfo) -> str:
    """Read a name that Windows wrote in GBK without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    with suppress(UnicodeEncodeError, UnicodeDecodeError):
        return member.filename.encode("cp437").decode("gb18030")
    return member.filename


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, file: str) -> None:
    try:
        with archive.open(member) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError("ingest.zip_broken", file=file) from error


def unpack_gzip(path: Path, file: str, into: Path) -> Path:
    """Unpack a ``.gz`` as far as the limits allow."""
    limits = import_settings()
    limit = limits.max_unpacked_mb * _MB
    packed = max(path.stat().st_size, 1)
    unpacked = 0
    target = into / "data"
    try:
        with gzip.open(path) as source, target.open("wb") as unpacked_file:
            while chunk := source.read(_CHUNK):
                unpacked += len(chunk)
                if unpacked > limit or (unpacked > _SMALL and unpacked / packed > limits.max_ratio):
                    raise InputError(
                        "ingest.zip_bomb", file=file, mb=-(-unpacked // _MB),
                        ratio=round(unpacked / packed), max_mb=limits.max_unpacked_mb,
                        max_ratio=limits.max_ratio,
                    )  # fmt: skip
                unpacked_file.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError("ingest.zip_broken", file=file) from error
    return target
