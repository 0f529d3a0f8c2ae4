"""Whether what was typed fits the fields of a kind of record, and how a form is described.

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
from gis_service.records.wording import find_field_name, find_text

Values = dict[str, Any]

EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2199, 12, 31)
_BIGGEST_ID: Final = 2**63 - 1
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()\-]{3,23}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def initial_value(field: Field) -> Any:
    """Say what the form begins with."""
    return field.default if field.form_default is None else field.form_default


def describe_form(kind: Record, language: Language) -> dict[str, Any]:
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
        "title": find_text(f"entry.kind_{kind.name}", kind.called, language),
        "placed": kind.placed,
        "removable": kind.removable,
        "fields": [
            {
                "name": field.name,
                "title": find_field_name(kind, field, language),
                "type": field.type,
                "refers": field.refers,
                "required": field.required or field.asked,
                "least": field.least,
                "most": field.most,
                "choices": field.choices,
                "fixed": field.fixed,
                "personal": field.personal,
                "masked": bool(field.mask),
                "default": initial_value(field),
            }
            for field in kind.form_fields
        ],
    }


def describe_values(kind: Record) -> dict[str, Any]:
    """
    Describe what may be sent as the values of a kind of record.

    Parameters
    ----------
    kind
        The kind.

    Returns
    -------
    dict
        JSON schema of an object with the form's fields; null and blank are nothing.
    """
    return {
        "type": "object",
        "title": kind.name,
        "description": kind.called[1],
        "additionalProperties": False,
        "properties": {
            field.name: {"anyOf": [_describe_value(field), {"type": "null"}]}
            for field in kind.form_fields
        },
    }


def _describe_value(field: Field) -> dict[str, Any]:
    choice = {"type": "string"} if field.open else {"enum": list(field.choices)}
    bounds = {"minimum": field.least, "maximum": field.most}
    number = {name: bound for name, bound in bounds.items() if bound is not None}
    text = {"type": "string"} if field.most is None else {"type": "string", "maxLength": field.most}
    by_type: dict[str, dict[str, Any]] = {
        "text": text,
        "long": text,
        "phone": {"type": "string", "pattern": f"^({_PHONE.pattern})?$"},
        "choice": choice,
        "choices": {"type": "array", "items": choice},
        "whole": {"type": "integer", **number},
        "number": {"type": "number", **number},
        "day": {"type": "string", "format": "date"},
        "flag": {"type": "boolean"},
        "point": {
            "type": "object",
            "required": ["lon", "lat", "crs"],
            "additionalProperties": False,
            "properties": {
                "lon": {"type": "number"},
                "lat": {"type": "number"},
                "crs": {"type": "string"},
            },
        },
    }
    return by_type.get(field.type, {"type": "integer", "minimum": 1, "maximum": _BIGGEST_ID})


def read_fields(
    kind: Record, sent: Mapping[str, object], before: Mapping[str, object] | None
) -> Values:
    """
    Read what was typed, and refuse all that does not fit at once.

    Parameters
    ----------
    kind
        Of the record.
    sent
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
        for name in sent
        if name not in {field.name for field in kind.form_fields}
    ]
    values: Values = {}
    for field in kind.form_fields:
        if field.name not in sent and before is not None:
            continue
        raw = sent.get(field.name, initial_value(field))
        if before is not None and field.fixed and not _is_same(raw, before[field.name]):
            faults.append(Fault(field.name, "entry.fixed"))
            continue
        stored = None if before is None else before[field.name]
        read = _read_value(field, raw, stored)
        if isinstance(read, Fault):
            faults.append(read)
        else:
            values[field.name] = read
    if not faults:
        faults = _check_across(kind, {**(before or {}), **values})
    if faults:
        raise FieldsError(faults)
    return values


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
    read = _read_point(Field("point", "point"), {"lon": x, "lat": y, "crs": crs}, None)
    if isinstance(read, Fault):
        raise FieldsError([read])
    return read[0], read[1]


def _is_same(raw: object, before: object) -> bool:
    text = before.isoformat() if isinstance(before, date) else before
    return (raw or None) == (text or None)


# --- one field ---------------------------------------------------------------------------------


def _read_value(field: Field, raw: object, before: object) -> Any:
    """Read one value, or say what is wrong with it."""
    if isinstance(raw, str):
        raw = raw.strip()
    if raw is None or raw in ("", []):
        if field.required or field.asked:
            return Fault(field.name, "entry.empty")
        return _NOTHING.get(field.type)
    return _READERS.get(field.type, _read_reference)(field, raw, before)


_NOTHING: Final[Mapping[str, object]] = {
    "text": "", "long": "", "phone": "", "choices": [], "flag": False,
}  # fmt: skip


def _read_text(field: Field, raw: object, _: object) -> Any:
    if not isinstance(raw, str):
        return Fault(field.name, "entry.not_a_text")
    lines = raw.replace("\r\n", "\n").replace("\n", " ") if field.type == "long" else raw
    if _CONTROL.search(lines):
        return Fault(field.name, "entry.bad_signs")
    if field.most is not None and len(raw) > field.most:
        return Fault(field.name, "entry.too_long", {"most": int(field.most), "n": len(raw)})
    return raw


def _read_phone(field: Field, raw: object, _: object) -> Any:
    fits = isinstance(raw, str) and _PHONE.fullmatch(raw)
    return raw if fits else Fault(field.name, "entry.bad_phone")


def _read_choice(field: Field, raw: object, before: object) -> Any:
    is_kept = field.open and raw == before and isinstance(raw, str)
    if raw in field.choices or is_kept:
        return raw
    return Fault(field.name, "entry.no_choice")


def _read_choices(field: Field, raw: object, before: object) -> Any:
    allowed = {*field.choices, *(before if isinstance(before, list) else ())}
    if not isinstance(raw, list) or any(not isinstance(choice, str) for choice in raw):
        return Fault(field.name, "entry.no_choice")
    if not allowed.issuperset(raw):
        return Fault(field.name, "entry.no_choice")
    return list(dict.fromkeys(raw))


def _read_number(field: Field, raw: object, _: object) -> Any:
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


def _read_day(field: Field, raw: object, _: object) -> Any:
    try:
        day = date.fromisoformat(raw) if isinstance(raw, str) and len(raw) == 10 else None
    except ValueError:
        day = None
    if day is None:
        return Fault(field.name, "entry.bad_day")
    if not EARLIEST <= day <= LATEST:
        return Fault(field.name, "entry.far_day")
    return day


def _read_flag(field: Field, raw: object, _: object) -> Any:
    return raw if isinstance(raw, bool) else Fault(field.name, "entry.no_choice")


def _read_point(field: Field, raw: object, _: object) -> Any:
    parts = raw if isinstance(raw, Mapping) else {}
    x, y, crs = parts.get("lon"), parts.get("lat"), parts.get("crs")
    numbers = [
        axis for axis in (x, y) if isinstance(axis, int | float) and not isinstance(axis, bool)
    ]
    if len(numbers) != 2 or not parts.keys() <= {"lon", "lat", "crs"}:
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


def _read_reference(field: Field, raw: object, _: object) -> Any:
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= _BIGGEST_ID:
        return raw
    return Fault(field.name, "entry.no_such_choice")


_READERS: Final[Mapping[str, Callable[[Field, object, object], Any]]] = {
    "text": _read_text,
    "long": _read_text,
    "phone": _read_phone,
    "choice": _read_choice,
    "choices": _read_choices,
    "whole": _read_number,
    "number": _read_number,
    "day": _read_day,
    "flag": _read_flag,
    "point": _read_point,
}


# --- fields against each other -----------------------------------------------------------------


def _check_across(kind: Record, values: Values) -> list[Fault]:
    pairs = (("first_day", "last_day"), *kind.ordered) if kind.dated else kind.ordered
    faults = []
    for first, second in pairs:
        if values[first] and values[second] and values[second] < values[first]:
            first_field = {"message": f"entry.field_{first}", "values": {}}
            faults.append(Fault(second, "entry.out_of_order", {"first": first_field}))
    for name, other, value in kind.only_when:
        if values[other] == value and not values[name]:
            faults.append(Fault(name, "entry.closed_needs_day"))
        if values[other] != value and values[name]:
            faults.append(Fault(name, "entry.day_needs_closed"))
    return faults
