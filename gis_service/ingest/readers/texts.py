"""Which encoding the texts of a file are in: UTF-8 and GB18030 told apart, wrong ones refused.

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
_SAME: Final = {
    "936": CHINESE, "cp936": CHINESE, "ansi936": CHINESE, "gbk": CHINESE, "gb2312": CHINESE,
    "gb18030": CHINESE, "euccn": CHINESE, "65001": UTF_8, "utf8": UTF_8, "utf8sig": UTF_8,
    "utf8bom": UTF_8,
}  # fmt: skip
_LOST: Final = ("\ufffd", "锟斤拷", "烫烫")
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_GARBLED_SHARE: Final = 0.2
_CHUNK: Final = 1024 * 1024


def known_encoding(name: str) -> str | None:
    """Bring the name of an encoding to ours."""
    plain = "".join(sign for sign in name.casefold() if sign.isalnum())
    if plain in _SAME:
        return _SAME[plain]
    try:
        codec = codecs.lookup(name.strip())
    except LookupError:
        return None
    is_text = codec._is_text_encoding and codec.incrementaldecoder is not None  # noqa: SLF001
    return codec.name if is_text else None


def stated_encoding(name: str | None) -> str | None:
    """Check what the sender states."""
    if name is None:
        return None
    known = known_encoding(name)
    if known is None:
        raise InputError("ingest.encoding_unknown", encoding=name[:40])
    return known


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
        """Write a text anew, piece by piece."""
        with self.open(path) as source, to.open("w", encoding="utf-8", newline="") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        return to


def encoding_of(path: Path, stated: str | None, file: str) -> TextEncoding:
    """Find out the encoding of a whole text, reading it piece by piece."""
    wanted = stated_encoding(stated)
    with path.open("rb") as source:
        head = source.read(4)
    for mark, codec, name in _BOMS:
        if head.startswith(mark):
            if wanted not in (None, UTF_8, "utf-16"):
                raise InputError("ingest.encoding_wrong", file=file, stated=stated, fits=name)
            return _strict(path, codec, name, file)
    first_sign = _first_sign(path, file)
    if wanted is None:
        if _bad_line(path, UTF_8) is None:
            return TextEncoding(UTF_8, UTF_8)
        return _strict(path, CHINESE, CHINESE, file)
    fits = next((one for one in (UTF_8, CHINESE) if _bad_line(path, one) is None), "?")
    line = _bad_line(path, wanted)
    if line is None and wanted == CHINESE and fits == UTF_8:
        line = first_sign
    if line is not None:
        raise InputError(
            "ingest.encoding_wrong", place=Place(row=line), file=file, stated=stated, fits=fits
        )
    return TextEncoding(wanted, wanted)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(_CHUNK):
            yield piece


def _first_sign(path: Path, file: str) -> int | None:
    """Find the line of the first byte that is not ASCII; refuse what holds a NUL."""
    line, found = 1, None
    for piece in _pieces(path):
        if b"\x00" in piece:
            raise InputError("ingest.not_text", file=file)
        if found is None:
            if not piece.isascii():
                at = next(at for at, byte in enumerate(piece) if byte > 127)
                found = line + piece[:at].count(b"\n")
            line += piece.count(b"\n")
    return found


def _bad_line(path: Path, codec: str) -> int | None:
    """Find the line of the first bytes that do not fit."""
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    try:
        for piece in _pieces(path):
            decoder.decode(piece)
            line += piece.count(b"\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return line + error.object[: error.start].count(b"\n")
    return None


def _strict(path: Path, codec: str, name: str, file: str) -> TextEncoding:
    line = _bad_line(path, codec)
    if line is not None:
        raise InputError("ingest.encoding_unreadable", place=Place(row=line), file=file)
    return TextEncoding(name, codec)


def decode_cell(cell: bytes, encoding: str) -> str | None:
    """Read a text of fixed width, whose last sign may be cut in half."""
    bare = cell.rstrip(b" \x00")
    try:
        return bare.decode(encoding).strip()
    except UnicodeDecodeError as error:
        cut = len(bare) - error.start <= 3 and error.end >= len(bare) - 1
        if not cut or len(bare) < len(cell) - 3:
            return None
        return bare[: error.start].decode(encoding).strip()


def encoding_of_cells(cells: Sequence[bytes]) -> list[str]:
    """Tell which encodings fit all texts of fixed width."""
    return [
        encoding
        for encoding in (UTF_8, CHINESE)
        if all(decode_cell(cell, encoding) is not None for cell in cells)
    ]


def garbled(texts: Iterable[str]) -> str | None:
    """Recognise texts that somebody read in the wrong encoding and saved again."""
    telling = [one for one in texts if not one.isascii()]
    for name, looks in (("lost", _is_lost), ("utf8", _was_utf8), ("gbk", _was_chinese)):
        if sum(looks(one) for one in telling) > _GARBLED_SHARE * len(telling):
            return name
    return None


def _is_lost(text: str) -> bool:
    return any(sign in text for sign in _LOST)


def _was_utf8(text: str) -> bool:
    raw = text.encode(CHINESE, "ignore")
    back = raw.decode(UTF_8, "ignore")
    chinese = sum("\u4e00" <= sign <= "\u9fff" for sign in back)
    return chinese >= 2 and len(back.encode(UTF_8)) >= 0.8 * len(raw)


def _was_chinese(text: str) -> bool:
    """Look for pairs of high bytes, as common signs are; a letter with an accent stands alone."""
    try:
        high = _HIGH.findall(text.encode("cp1252"))
        back = b"".join(high).decode(CHINESE)
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
    signs = sum("\u4e00" <= sign <= "\u9fff" for sign in back)
    return signs >= 2 and all(len(run) % 2 == 0 for run in high)
