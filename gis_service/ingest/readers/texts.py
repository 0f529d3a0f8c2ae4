"""Which encoding the texts of a file are in: UTF-8 and GB18030 distinguished, wrong ones refused.

Bytes that do not fit are never replaced by question marks: what cannot be read is an error that
names the place and what would fit.
"""

import codecs
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from gis_service.errors import InputError, Place

UTF_8: Final = "UTF-8"
CHINESE: Final = "GB18030"
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 BOM"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_KNOWN_NAMES: Final = {
    "936": CHINESE, "cp936": CHINESE, "ansi936": CHINESE, "gbk": CHINESE, "gb2312": CHINESE,
    "gb18030": CHINESE, "euccn": CHINESE, "65001": UTF_8, "utf8": UTF_8, "utf8sig": UTF_8,
    "utf8bom": UTF_8,
}  # fmt: skip
_LOST: Final = ("\ufffd", "锟斤拷", "烫烫")
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_GARBLED_SHARE: Final = 0.2
_CHUNK: Final = 1024 * 1024


def find_encoding(name: str) -> str | None:
    """Bring the name of an encoding to ours."""
    letters = "".join(character for character in name.casefold() if character.isalnum())
    if letters in _KNOWN_NAMES:
        return _KNOWN_NAMES[letters]
    try:
        codec = codecs.lookup(name.strip())
    except LookupError:
        return None
    is_text = codec._is_text_encoding and codec.incrementaldecoder is not None  # noqa: SLF001
    return codec.name if is_text else None


def check_stated_encoding(name: str | None) -> str | None:
    """Check what the sender states."""
    if name is None:
        return None
    encoding = find_encoding(name)
    if encoding is None:
        raise InputError("ingest.encoding_unknown", encoding=name[:40])
    return encoding


@dataclass(frozen=True)
class TextEncoding:
    """How the bytes of a file are read as text."""

    name: str
    # Python's, which leaves a byte order mark out.
    codec: str

    def open(self, path: Path) -> TextIO:
        """
        Open a text that is known to be in this encoding.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        file object
            Line ends as they are.
        """
        return path.open(encoding=self.codec, newline="")

    def copy_as_utf_8(self, path: Path, to: Path) -> Path:
        """Write a copy of a text in UTF-8, piece by piece."""
        with self.open(path) as source, to.open("w", encoding="utf-8", newline="") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        return to


def detect_encoding(path: Path, stated: str | None, file: str) -> TextEncoding:
    """Find out the encoding of a whole text, reading it piece by piece."""
    stated_codec = check_stated_encoding(stated)
    with path.open("rb") as source:
        head = source.read(4)
    for mark, codec, name in _BOMS:
        if head.startswith(mark):
            if stated_codec not in (None, UTF_8, "utf-16"):
                raise InputError("ingest.encoding_wrong", file=file, stated=stated, fits=name)
            return _require_encoding(path, codec, name, file)
    first_high_line = _find_first_high_line(path, file)
    if stated_codec is None:
        if _find_bad_line(path, UTF_8) is None:
            return TextEncoding(UTF_8, UTF_8)
        return _require_encoding(path, CHINESE, CHINESE, file)
    fitting = next(
        (codec_name for codec_name in (UTF_8, CHINESE) if _find_bad_line(path, codec_name) is None),
        "?",
    )
    line = _find_bad_line(path, stated_codec)
    if line is None and stated_codec == CHINESE and fitting == UTF_8:
        line = first_high_line
    if line is not None:
        raise InputError(
            "ingest.encoding_wrong", place=Place(row=line), file=file, stated=stated, fits=fitting
        )
    return TextEncoding(stated_codec, stated_codec)


def _read_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(_CHUNK):
            yield piece


def _find_first_high_line(path: Path, file: str) -> int | None:
    """Find the line of the first byte that is not ASCII; refuse what holds a NUL."""
    line, first_line = 1, None
    for piece in _read_pieces(path):
        if b"\x00" in piece:
            raise InputError("ingest.not_text", file=file)
        if first_line is None:
            if not piece.isascii():
                position = next(position for position, byte in enumerate(piece) if byte > 127)
                first_line = line + piece[:position].count(b"\n")
            line += piece.count(b"\n")
    return first_line


def _find_bad_line(path: Path, codec: str) -> int | None:
    """Find the line of the first bytes that do not fit."""
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    try:
        for piece in _read_pieces(path):
            decoder.decode(piece)
            line += piece.count(b"\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return line + error.object[: error.start].count(b"\n")
    return None


def _require_encoding(path: Path, codec: str, name: str, file: str) -> TextEncoding:
    line = _find_bad_line(path, codec)
    if line is not None:
        raise InputError("ingest.encoding_unreadable", place=Place(row=line), file=file)
    return TextEncoding(name, codec)


def decode_cell(cell: bytes, encoding: str) -> str | None:
    """Read a text of fixed width, whose last sign may be cut in half."""
    stripped = cell.rstrip(b" \x00")
    try:
        return stripped.decode(encoding).strip()
    except UnicodeDecodeError as error:
        cut = len(stripped) - error.start <= 3 and error.end >= len(stripped) - 1
        if not cut or len(stripped) < len(cell) - 3:
            return None
        return stripped[: error.start].decode(encoding).strip()


def detect_cell_encodings(cells: Sequence[bytes]) -> list[str]:
    """Tell which encodings fit all texts of fixed width."""
    return [
        encoding
        for encoding in (UTF_8, CHINESE)
        if all(decode_cell(cell, encoding) is not None for cell in cells)
    ]


def find_garbling(texts: Iterable[str]) -> str | None:
    """Recognise texts that somebody read in the wrong encoding and saved again."""
    non_ascii = [text for text in texts if not text.isascii()]
    for name, check in (("lost", _is_lost), ("utf8", _was_utf8), ("gbk", _was_chinese)):
        if sum(check(text) for text in non_ascii) > _GARBLED_SHARE * len(non_ascii):
            return name
    return None


def _is_lost(text: str) -> bool:
    return any(mark in text for mark in _LOST)


def _was_utf8(text: str) -> bool:
    raw = text.encode(CHINESE, "ignore")
    decoded = raw.decode(UTF_8, "ignore")
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in decoded)
    return chinese >= 2 and len(decoded.encode(UTF_8)) >= 0.8 * len(raw)


def _was_chinese(text: str) -> bool:
    """Look for pairs of high bytes, as common signs are; a letter with an accent stands alone."""
    try:
        high_runs = _HIGH.findall(text.encode("cp1252"))
        decoded = b"".join(high_runs).decode(CHINESE)
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in decoded)
    return chinese >= 2 and all(len(run) % 2 == 0 for run in high_runs)
