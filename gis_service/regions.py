"""A region from a file lives in a database of its own, so that the county beside it is untouched.

The name comes from the file's content: the same file finds its database again.
"""

import hashlib
from pathlib import Path

from gis_service.errors import InputError


def name_region_database(path: Path, *, whole_file: bool = False) -> str:
    """
    Name the database of a region's file.

    Parameters
    ----------
    path
        The file.
    whole_file
        With a grid of the rest of the file, which is another region.

    Returns
    -------
    str
        ``gis_region_`` and the beginning of the content's SHA-256, and ``_whole``.

    Raises
    ------
    InputError
        There is no such file, or it is empty.
    """
    if not path.is_file():
        raise InputError("ingest.osm_missing", file=path.name)
    if path.stat().st_size == 0:
        raise InputError("ingest.osm_empty", file=path.name)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"gis_region_{digest[:12]}" + ("_whole" if whole_file else "")
