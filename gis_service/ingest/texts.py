"""Which encoding the texts of a file are in: UTF-8 and GB18030 told apart, wrong ones refused.

Bytes that do not fit are never replaced by question marks: what cannot be read is an error that
names the place and what would fit.
"""

import codecs
import re
from collections.abc import Iterable, Sequence
from typing import Final

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


def known_encoding(name: str) -> str | None:
    """
    Bring the name of an encoding to ours.

    Parameters
    ----------
    name
        As stated by the sender or by a ``.cpg``.

    Returns
    -------
    str or None
        ``UTF-8``, ``GB18030`` for the whole family of GBK, another codec of Python; None where it
        is unknown.
    """
    plain = "".join(sign for sign in name.casefold() if sign.isalnum())
    if plain in _SAME:
        return _SAME[plain]
    try:
        codec = codecs.lookup(name.strip())
    except LookupError:
        return None
    return codec.name if codec._is_text_encoding else None  # noqa: SLF001


def stated_encoding(name: str | None) -> str | None:
    """
    Check what the sender states.

    Parameters
    ----------
    name
        The name, or nothing.

    Returns
    -------
    str or None
        As :func:`known_encoding`.

    Raises
    ------
    InputError
        There is no such encoding.
    """
    if name is None:
        return None
    known = known_encoding(name)
    if known is None:
        raise InputError("ingest.encoding_unknown", encoding=name[:40])
    return known


def decode(data: bytes, stated: str | None, file: str) -> tuple[str, str]:
    """
    Read a whole text.

    Parameters
    ----------
    data
        The file's bytes.
    stated
        What the sender states; None finds it out.
    file
        The file's name, for errors.

    Returns
    -------
    text, encoding
        Without the byte order mark.

    Raises
    ------
    InputError
        The bytes are no text, or not in the stated encoding.
    """
    wanted = stated_encoding(stated)
    for mark, codec, name in _BOMS:
        if data.startswith(mark):
            if wanted not in (None, UTF_8, "utf-16"):
                raise InputError("ingest.encoding_wrong", file=file, stated=stated, fits=name)
            return _strict(data, codec, file), name
    if b"\x00" in data:
        raise InputError("ingest.not_text", file=file)
    if wanted is None:
        if _fits(data, UTF_8):
            return data.decode(UTF_8), UTF_8
        return _strict(data, CHINESE, file), CHINESE
    fits = next((one for one in (UTF_8, CHINESE) if _fits(data, one)), "?")
    if not _fits(data, wanted) or (wanted == CHINESE and fits == UTF_8 and not data.isascii()):
        line = data[: _first_bad(data, wanted)].count(b"\n") + 1
        raise InputError(
            "ingest.encoding_wrong", place=Place(row=line), file=file, stated=stated, fits=fits
        )
    return data.decode(wanted), wanted


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _first_bad(data: bytes, encoding: str) -> int:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return next((at for at, byte in enumerate(data) if byte > 127), 0)


def _strict(data: bytes, codec: str, file: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError("ingest.encoding_unreadable", place=Place(row=line), file=file) from error


def decode_cell(cell: bytes, encoding: str) -> str | None:
    """
    Read a text of fixed width, whose last sign may be cut in half.

    Parameters
    ----------
    cell
        The bytes, padded by spaces or NUL.
    encoding
        A codec.

    Returns
    -------
    str or None
        Without the half sign; None where the bytes are not in that encoding.
    """
    bare = cell.rstrip(b" \x00")
    try:
        return bare.decode(encoding).strip()
    except UnicodeDecodeError as error:
        cut = len(bare) - error.start <= 3 and error.end >= len(bare) - 1
        if not cut or len(bare) < len(cell) - 3:
            return None
        return bare[: error.start].decode(encoding).strip()


def encoding_of_cells(cells: Sequence[bytes]) -> list[str]:
    """
    Tell which encodings fit all texts of fixed width.

    Parameters
    ----------
    cells
        Each different text once.

    Returns
    -------
    list of str
        Of UTF-8 and GB18030 those that fit, the likelier one first.
    """
    return [
        encoding
        for encoding in (UTF_8, CHINESE)
        if all(decode_cell(cell, encoding) is not None for cell in cells)
    ]


def garbled(texts: Iterable[str]) -> str | None:
    """
    Recognise texts that somebody read in the wrong encoding and saved again.

    Parameters
    ----------
    texts
        Values of a file; those of pure ASCII tell nothing.

    Returns
    -------
    str or None
        ``lost`` where signs were replaced, ``utf8`` where UTF-8 was read as GBK, ``gbk`` where GBK
        was read as Latin; None where too few texts look so.
    """
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
