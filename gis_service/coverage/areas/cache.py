"""What was drawn once and is kept on disk: cells around streets, and answers as they are sent.

A file is named by the digest of all that its content hangs on, so an old one is never wrong, only
unused; the oldest go when there are too many bytes. Losing the folder costs time and nothing else.
"""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis_service.settings import keeping_settings

MOST_ANSWERS: Final = 64
"""In memory, the largest about half a megabyte, compressed."""
_MB: Final = 1_000_000
_log = logging.getLogger(__name__)


def digest_parts(*parts: object) -> str:
    """Digest what a file hangs on; the digest is its name."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class AreaCache:
    """Answers in memory and on disk, cells on disk; shared by threads and processes."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def find_answer(self, name: str) -> bytes | None:
        """Find an answer, in memory or on disk."""
        with self._lock:
            if name in self._answers:
                self._answers.move_to_end(name)
                return self._answers[name]
        path = self._path(f"{name}.json.gz")
        try:
            packed = path.read_bytes() if path else None
        except FileNotFoundError:
            return None
        if packed is not None:
            self._remember(name, packed)
        return packed

    def keep_answer(self, name: str, packed: bytes, *, on_disk: bool = True) -> None:
        """Keep an answer."""
        self._remember(name, packed)
        if on_disk:
            self._write(f"{name}.json.gz", packed)

    def find_arrays(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Find arrays."""
        path = self._path(f"{name}.npz")
        if path is None or not path.exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def keep_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep arrays."""
        self._write(f"{name}.npz", arrays)

    def _remember(self, name: str, packed: bytes) -> None:
        with self._lock:
            self._answers[name] = packed
            self._answers.move_to_end(name)
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)

    def _path(self, name: str) -> Path | None:
        return self._folder / name if self._folder is not None else None

    def _write(self, name: str, content: bytes | Mapping[str, npt.NDArray[Any]]) -> None:
        """Write beside and rename, so that nobody reads half a file."""
        path = self._path(name)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
                if isinstance(content, bytes):
                    part.write(content)
                else:
                    np.savez(part, allow_pickle=False, **content)
            Path(part.name).replace(path)
            self._delete_oldest(path.parent)
        except OSError:  # a full or read-only disk: drawn again next time
            _log.warning("areas are not kept", exc_info=True)

    @staticmethod
    def _delete_oldest(folder: Path) -> None:
        """Delete the oldest files until the others are no more than the setting allows."""
        bytes_left = keeping_settings().areas_mb * _MB
        files = [(path, path.stat()) for path in folder.iterdir() if path.is_file()]
        for path, stat in sorted(files, key=lambda file: file[1].st_mtime, reverse=True):
            bytes_left -= stat.st_size
            if bytes_left < 0:
                path.unlink(missing_ok=True)
