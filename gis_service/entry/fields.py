"""Whether what was typed fits the fields of a kind of record, and how a form is told of them.

Nothing here reads the store: references are only checked for their form. Days are whole days in
Asia/Shanghai, the last one counted in; places name their coordinate system.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from gis_service.coordinate_systems import parse_crs, to_cgcs2000
from gis_service.entry.faults import Fault, FieldsError
from gis_service.errors import InputError
from gis_service.messages import Language
from gis_service.records import Field, Record
from gis_service.records.wording import field_name, said

Values = dict[str, Any]

EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2199, 12, 31)
_BIGGEST_ID: Final = 2**63 - 1
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()\-]{3,23}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def begins_with(field: Field) -> Any:
    """Say what the form begins with."""
    return field.default if field.form_default is None else field.form_default


def described(kind: Record, language: Language) -> dict[str, Any]:
    """
    Describe the form of a kind of record.

    Parameters
    ----------
    kind
        The kind.
    language
        Of its names.

    Returns
    -------
    dict
        JSON for the page and whoever else sends records.
    """
    return {
        "kind": kind.name,
        "name": kind.name,
        "title": said(f"entry.kind_{kind.name}", kind.called, language),
        "placed": kind.placed,
        "removable": kind.removable,
        "fields": [
            {
                "name": one.name,
                "title": field_name(kind, one, language),
                "type": one.type,
                "refers": one.refers,
                "required": one.required or one.asked,
                "least": one.least,
                "most": one.most,
                "choices": one.choices,
                "fixed": one.fixed,
                "personal": one.personal,
                "masked": bool(one.mask),
                "default": begins_with(one),
            }
            for one in kind.form_fields
        ],
    }


def check(kind: Record, given: Mapping[str, object], before: Mapping[str, object] | None) -> Values:
    """
    Read what was typed, and refuse all that does not fit at once.

    Parameters
    ----------
    kind
        Of the record.
    given
        Value by field, as JSON has them; a field that is left out stays as it is.
    before
        The record as it stands, in the same form; None for a new one.

    Returns
    -------
    dict
        The fields that were given, read: texts without blanks at their ends, ``date``, places as
        ``(lon, lat)`` in CGCS2000 degrees, references as ids, None for nothing. For a new record
        every field of the kind.

    Raises
    ------
    FieldsError
        With each field that is unknown, missing or does not fit.
    """
    faults = [
        Fault(name, "entry.no_field")
        for name in given
        if name not in {one.name for one in kind.form_fields}
    ]
    found: Values = {}
    for field in kind.form_fields:
        if field.name not in given and before is not None:
            continue
        raw = given.get(field.name, begins_with(field))
        if before is not None and field.fixed and not _same(raw, before[field.name]):
            faults.append(Fault(field.name, "entry.fixed"))
            continue
        kept = None if before is None else before[field.name]
        read = _read(field, raw, kept)
        if isinstance(read, Fault):
            faults.append(read)
        else:
            found[field.name] = read
    if not faults:
        faults = _across(kind, {**_plain(before), **found})
    if faults:
        raise FieldsError(faults)
    return found


def read_place(x: float, y: float, crs: str) -> tuple[float, float]:
    """
    Bring a typed place to CGCS2000.

    Parameters
    ----------
    x, y
        Longitude and latitude, or easting and northing, of the system.
    crs
        Its name, as ``coordinate_systems.parse_crs`` takes it.

    Returns
    -------
    lon, lat
        Degrees.

    Raises
    ------
    FieldsError
        The system is unknown, or the place lies off the globe.
    """
    read = _point(Field("point", "point"), {"lon": x, "lat": y, "crs": crs}, None)
    if isinstance(read, Fault):
        raise FieldsError([read])
    return read[0], read[1]


def _same(raw: object, before: object) -> bool:
    plain = before.isoformat() if isinstance(before, date) else before
    return (raw or None) == (plain or None)


def _plain(before: Mapping[str, object] | None) -> Values:
    return dict(before or {})


# --- one field ---------------------------------------------------------------------------------


def _read(field: Field, raw: object, before: object) -> Any:
    """Read one value, or say what is wrong with it."""
    if isinstance(raw, str):
        raw = raw.strip()
    if raw is None or raw in ("", []):
        if field.required or field.asked:
            return Fault(field.name, "entry.empty")
        return _NOTHING.get(field.type)
    return _READERS.get(field.type, _reference)(field, raw, before)


_NOTHING: Final[Mapping[str, object]] = {
    "text": "", "long": "", "phone": "", "choices": [], "flag": False,
}  # fmt: skip


def _text(field: Field, raw: object, _: object) -> Any:
    if not isinstance(raw, str):
        return Fault(field.name, "entry.not_a_text")
    lines = raw.replace("\r\n", "\n").replace("\n", " ") if field.type == "long" else raw
    if _CONTROL.search(lines):
        return Fault(field.name, "entry.bad_signs")
    if field.most is not None and len(raw) > field.most:
        return Fault(field.name, "entry.too_long", {"most": int(field.most), "n": len(raw)})
    return raw


def _phone(field: Field, raw: object, _: object) -> Any:
    fits = isinstance(raw, str) and _PHONE.fullmatch(raw)
    return raw if fits else Fault(field.name, "entry.bad_phone")


def _choice(field: Field, raw: object, before: object) -> Any:
    kept = field.open and raw == before and isinstance(raw, str)
    if raw in field.choices or kept:
        return raw
    return Fault(field.name, "entry.no_choice")


def _choices(field: Field, raw: object, before: object) -> Any:
    allowed = {*field.choices, *(before if isinstance(before, list) else ())}
    if not isinstance(raw, list) or any(not isinstance(one, str) for one in raw):
        return Fault(field.name, "entry.no_choice")
    if not allowed.issuperset(raw):
        return Fault(field.name, "entry.no_choice")
    return list(dict.fromkeys(raw))


def _number(field: Field, raw: object, _: object) -> Any:
    try:
        value = float(raw) if isinstance(raw, int | float | str) else math.nan
    except ValueError:
        value = math.nan
    if isinstance(raw, bool) or not math.isfinite(value):
        return Fault(field.name, "entry.not_a_number")
    if field.type == "whole" and value != int(value):
        return Fault(field.name, "entry.not_whole")
    least = -math.inf if field.least is None else field.least
    most = math.inf if field.most is None else field.most
    if not least <= value <= most:
        bounds = {"least": f"{least:g}", "most": f"{most:g}"}
        return Fault(field.name, "entry.out_of_range", bounds)
    return int(value) if field.type == "whole" else value


def _day(field: Field, raw: object, _: object) -> Any:
    try:
        day = date.fromisoformat(raw) if isinstance(raw, str) and len(raw) == 10 else None
    except ValueError:
        day = None
    if day is None:
        return Fault(field.name, "entry.bad_day")
    if not EARLIEST <= day <= LATEST:
        return Fault(field.name, "entry.far_day")
    return day


def _flag(field: Field, raw: object, _: object) -> Any:
    return raw if isinstance(raw, bool) else Fault(field.name, "entry.no_choice")


def _point(field: Field, raw: object, _: object) -> Any:
    parts = raw if isinstance(raw, Mapping) else {}
    x, y, crs = parts.get("lon"), parts.get("lat"), parts.get("crs")
    numbers = [one for one in (x, y) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != 2:
        return Fault(field.name, "entry.bad_place")
    if not isinstance(crs, str):
        return Fault(field.name, "entry.no_system")
    try:
        system = parse_crs(crs)
    except InputError as error:
        return Fault(field.name, error.key, error.values)
    lon, lat = (float(value) for value in to_cgcs2000(system, numbers[0], numbers[1]))
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        return Fault(field.name, "entry.bad_place")
    return lon, lat


def _reference(field: Field, raw: object, _: object) -> Any:
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= _BIGGEST_ID:
        return raw
    return Fault(field.name, "entry.no_such_choice")


_READERS: Final[Mapping[str, Callable[[Field, object, object], Any]]] = {
    "text": _text,
    "long": _text,
    "phone": _phone,
    "choice": _choice,
    "choices": _choices,
    "whole": _number,
    "number": _number,
    "day": _day,
    "flag": _flag,
    "point": _point,
}


# --- fields against each other -----------------------------------------------------------------


def _across(kind: Record, whole: Values) -> list[Fault]:
    pairs = (("first_day", "last_day"), *kind.ordered) if kind.dated else kind.ordered
    faults = []
    for first, second in pairs:
        if whole[first] and whole[second] and whole[second] < whole[first]:
            named = {"message": f"entry.field_{first}", "values": {}}
            faults.append(Fault(second, "entry.out_of_order", {"first": named}))
    for name, other, value in kind.only_when:
        if whole[other] == value and not whole[name]:
            faults.append(Fault(name, "entry.closed_needs_day"))
        if whole[other] != value and whole[name]:
            faults.append(Fault(name, "entry.day_needs_closed"))
    return faults
