"""What a request may hold: UTF-8 without NUL, JSON of bounded depth, numbers that fit 64 bits.

Looked at once for every request, before any endpoint: PostgreSQL cannot hold NUL, nothing can write
half a surrogate pair, and what recurses over JSON must not be made to recurse without end.
"""

import math
from collections.abc import Mapping
from email.message import Message
from typing import Any, Final
from urllib.parse import unquote_plus, unquote_to_bytes

from pydantic_core import from_json
from starlette.datastructures import Headers

from gis_service.errors import InputError, Place

BIGGEST: Final = 2**63 - 1
"""The largest whole number that is taken anywhere."""

_FORM: Final = "application/x-www-form-urlencoded"
_IN_UTF_8: Final = frozenset({_FORM, "multipart/form-data"})


def check_address(raw_path: bytes, query: bytes) -> None:
    """Refuse an address whose percent-encoding is not UTF-8, or that holds NUL."""
    _check_encoding(raw_path, "path")
    if b"%" not in query and query.isascii():
        return
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        field = unquote_plus(name.decode("latin-1"), errors="replace").replace("\0", "")[:60]
        _check_encoding(name, field)
        _check_encoding(value, field)


def _check_encoding(data: bytes, field: str) -> None:
    try:
        text = unquote_to_bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("api.not_utf8", place=Place(field=field), field=field) from error
    check_text(text, field)


def check_headers(headers: Headers) -> None:
    """Refuse NUL in a header or cookie, and a form in another encoding than UTF-8."""
    for name, value in headers.raw:
        if b"\0" in value:
            field = name.decode("latin-1")
            raise InputError("api.bad_text", place=Place(field=field), field=field)
    stated = headers.get("content-type", "")
    if "charset" not in stated.casefold():
        return
    media, charset = media_type(stated), _charset(stated)
    if (media in _IN_UTF_8 or is_json(media)) and charset not in {"utf-8", "utf8", "us-ascii"}:
        raise InputError("api.not_utf8", place=Place(field="content-type"), field="content-type")


def media_type(content_type: str) -> str:
    """Take the kind of content out of a header."""
    return content_type.partition(";")[0].strip().casefold()


def is_json(media: str) -> bool:
    """Tell whether a kind of content is JSON."""
    main, _, sub = media.partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


def _charset(content_type: str) -> str:
    header = Message()
    header["content-type"] = content_type
    return str(header.get_param("charset", "utf-8")).casefold()


def check_text(text: str, field: str) -> None:
    """Refuse a text that cannot be stored."""
    if "\0" in text or not (text.isascii() or _is_unicode(text)):
        raise InputError("api.bad_text", place=Place(field=field), field=field)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_json(body: bytes) -> Any:
    """Read JSON strictly."""
    try:
        return from_json(body.removeprefix(b"\xef\xbb\xbf"), allow_inf_nan=False)
    except ValueError as error:
        problem = str(error)[:100]
        raise InputError("api.bad_json", place=Place(field="body"), problem=problem) from error


def check_values(value: Any, field: str = "body") -> None:
    """Refuse texts with NUL, and numbers that no column holds, at any depth."""
    waiting: list[tuple[str, Any]] = [(field, value)]
    while waiting:
        where, item = waiting.pop()
        inside = "" if where == field else f"{where[:200]}."
        if isinstance(item, Mapping):
            for name, member in item.items():
                check_text(name, where)
                if not _is_plain(member):
                    waiting.append((f"{inside}{name}", member))
        elif isinstance(item, list):
            waiting += [
                (f"{inside}{i}", member) for i, member in enumerate(item) if not _is_plain(member)
            ]
        elif isinstance(item, str):
            check_text(item, where)
        elif not _is_plain(item):
            raise InputError("api.bad_number", place=Place(field=where), field=where)


def _is_plain(value: Any) -> bool:
    """Tell at once what most values are: ASCII, or a number that fits."""
    if isinstance(value, str):
        return value.isascii() and "\0" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and -BIGGEST <= value <= BIGGEST)
