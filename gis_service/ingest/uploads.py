"""Files that somebody handed in over the page, kept until they are taken in or forgotten.

A file lies in the data folder under a name drawn by lot; the sender's name of it is only ever
text beside it. Each belongs to the actor who sent it.
"""

import json
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from gis_service.access import Actor
from gis_service.errors import InputError, NotFoundError, Place, TooLargeError
from gis_service.settings import import_settings, service_folder

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_SUFFIX: Final = re.compile(r"(\.(geo)?json)?\.[a-z0-9]{1,8}", re.IGNORECASE)
_MB: Final = 1024 * 1024
_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Upload:
    """A file that was handed in."""

    # Names it; drawn by lot.
    token: str
    # As its sender calls it, without folders.
    name: str
    # Bytes.
    size: int
    # Who sent it.
    actor_id: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return _folder() / self.token


def _folder() -> Path:
    return service_folder("uploads")


def clean_name(name: str) -> str:
    """Take the folders and what cannot be shown off a sender's file name."""
    base = PureWindowsPath(PurePosixPath(name).name).name
    printable = "".join(character for character in base if character.isprintable()).strip(". ")
    suffix = "".join(PurePosixPath(printable).suffixes[-2:])
    suffix_kept = suffix if _SUFFIX.fullmatch(suffix) else PurePosixPath(printable).suffix[:9]
    stem = printable[: len(printable) - len(suffix_kept)] if suffix_kept else printable
    return f"{stem[: 120 - len(suffix_kept)]}{suffix_kept}" or "file"


def keep_upload(actor: Actor, name: str, parts: Iterable[bytes]) -> Upload:
    """
    Keep a file that is being handed in.

    Parameters
    ----------
    actor
        Who sends it.
    name
        The sender's name of it.
    parts
        Its bytes, in pieces.

    Returns
    -------
    Upload
        As it lies now.

    Raises
    ------
    TooLargeError
        It is larger than the setting ``GIS_IMPORT_MAX_FILE_MB``.
    InputError
        There is nothing in it.
    """
    forget_old_uploads()
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    path = folder / token
    try:
        size = _write_parts(path, parts, import_settings().max_file_mb)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    upload = Upload(token, clean_name(name), size, actor.actor_id)
    (folder / f"{token}.json").write_text(json.dumps(asdict(upload)), "utf-8")
    return upload


def _write_parts(path: Path, parts: Iterable[bytes], most_mb: int) -> int:
    size = 0
    with path.open("xb") as file:
        for part in parts:
            size += len(part)
            if size > most_mb * _MB:
                raise TooLargeError("imports.too_large", most_mb=most_mb)
            file.write(part)
    if size == 0:
        raise InputError("imports.empty_file", place=Place(field="file"))
    return size


def find_upload(actor: Actor, token: str, *, taken_in: bool = False) -> Upload:
    """
    Find a file that an actor handed in.

    Parameters
    ----------
    actor
        Who asks.
    token
        As :func:`keep_upload` gave it.
    taken_in
        It may have been taken in and thrown away since.

    Returns
    -------
    Upload
        As it lies.

    Raises
    ------
    NotFoundError
        There is none of that name, or it is somebody else's, or it was forgotten.
    """
    description = _folder() / f"{token}.json"
    if not _TOKEN.fullmatch(token) or not description.is_file():
        raise NotFoundError("imports.no_upload")
    upload = Upload(**json.loads(description.read_text("utf-8")))
    is_there = taken_in or upload.path.is_file()
    if upload.actor_id != actor.actor_id or not is_there:
        raise NotFoundError("imports.no_upload")
    return upload


def forget_upload(upload: Upload) -> None:
    """
    Throw a file away.

    Parameters
    ----------
    upload
        Which.
    """
    for file in _folder().glob(f"{upload.token}*"):
        file.unlink(missing_ok=True)


def forget_old_uploads() -> None:
    """Throw away what nobody took in for so long as the setting says."""
    oldest = time.time() - import_settings().keep_days * _DAY_S
    for file in _folder().glob("*"):
        if file.is_file() and file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)
