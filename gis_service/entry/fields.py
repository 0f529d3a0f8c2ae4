"""Which fields each kind of record has, and whether what was typed fits them.

One definition for the API, its checks and the forms of the page. Nothing here reads the store:
references are only checked for their form. Days are whole days in Asia/Shanghai, the last one
counted in; places name their coordinate system.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, Literal

from gis_service.coordinate_systems import parse_crs, to_cgcs2000
from gis_service.entry.faults import Fault, FieldsError
from gis_service.errors import InputError
from gis_service.store.tables import FACILITY_KINDS, HAZARD_STATES

FieldType = Literal[
    "text", "long", "phone", "choice", "choices", "whole", "number", "day", "flag", "point",
    "officer", "grid", "building", "premises",
]  # fmt: skip
Values = dict[str, Any]

BUILDING_KINDS: Final = ("residential", "apartment", "shop", "shed", "school", "factory", "office")
PREMISES_KINDS: Final = (
    "shop", "restaurant", "nine_small", "factory", "warehouse", "school", "gas_station",
    "key_fire_unit",
)  # fmt: skip
HAZARD_KINDS: Final = (
    "blocked_exit", "wiring", "extinguisher", "gas", "charging", "structure", "storage", "other",
)  # fmt: skip
CARE_TAGS: Final = (
    "lives_alone", "disabled", "left_behind_child", "elderly", "high_mountain", "low_income",
)  # fmt: skip
REFERENCES: Final = ("officer", "grid", "building", "premises")
EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2199, 12, 31)
_BIGGEST_ID: Final = 2**63 - 1
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()\-]{3,23}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Field:
    """
    One field of a record.

    Attributes
    ----------
    most, least
        Signs of a text, or bounds of a number.
    choices
        Words to choose from. A word that a record already has may stay.
    fixed
        May be given when the record is added and not changed afterwards.
    personal
        Never in the record of events in clear.
    masked
        Hidden from the reader until revealed with a reason.
    """

    name: str
    type: FieldType
    required: bool = False
    most: float | None = None
    least: float | None = None
    choices: tuple[str, ...] = ()
    fixed: bool = False
    personal: bool = False
    masked: bool = False
    default: Any = None


@dataclass(frozen=True)
class Kind:
    """
    A kind of record.

    Attributes
    ----------
    placed
        Whether the record belongs to the grid in which its place lies.
    removable
        Whether it can be taken out; what has days is ended instead, what has states is closed.
    """

    name: str
    fields: tuple[Field, ...]
    placed: bool = False
    removable: bool = False

    def field(self, name: str) -> Field:
        """Give one field by its name."""
        return next(one for one in self.fields if one.name == name)

    def as_dict(self) -> dict[str, object]:
        """Tell all of it to a page."""
        return {**asdict(self), "kind": self.name}


_KEY: Final = Field("key", "text", most=60, fixed=True)
_DAYS: Final = (Field("first_day", "day", required=True), Field("last_day", "day"))
_PLACE: Final = Field("point", "point", required=True)

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "officer",
            (
                Field("name", "text", required=True, most=60, personal=True),
                Field("phone", "phone", required=True, personal=True),
                Field("full_time", "flag", default=True),
                Field("point", "point"),
                *_DAYS,
                _KEY,
            ),
        ),
        Kind(
            "leave",
            (
                Field("officer", "officer", required=True, fixed=True),
                Field("first_day", "day", required=True),
                Field("last_day", "day", required=True),
            ),
            removable=True,
        ),
        Kind(
            "duty",
            (
                Field("officer", "officer", required=True, fixed=True),
                Field("grid", "grid", required=True, fixed=True),
                Field(
                    "role",
                    "choice",
                    required=True,
                    choices=("officer", "head"),
                    fixed=True,
                    default="officer",
                ),
                Field("post", "choice", required=True, choices=("A", "B"), fixed=True, default="A"),
                *_DAYS,
            ),
            removable=True,
        ),
        Kind(
            "facility",
            (
                Field("kind", "choice", required=True, choices=FACILITY_KINDS),
                Field("name", "text", required=True, most=120),
                _PLACE,
                Field("address", "text", most=200),
                Field("phone", "phone"),
                Field("grade", "text", most=40),
                Field("turnout_minutes", "number", least=0, most=120),
                _KEY,
            ),
            removable=True,
        ),
        Kind(
            "building",
            (
                _PLACE,
                Field(
                    "kind",
                    "choice",
                    required=True,
                    choices=BUILDING_KINDS,
                    default="residential",
                ),
                Field("name", "text", most=120),
                Field("address", "text", most=200),
                Field("storeys", "whole", required=True, least=1, most=200, default=1),
                _KEY,
            ),
            placed=True,
            removable=True,
        ),
        Kind(
            "household",
            (
                Field("building", "building", personal=True),
                Field("point", "point", required=True, personal=True),
                Field("street", "text", most=120, personal=True),
                Field("house_number", "text", most=40, personal=True),
                Field("group_number", "whole", least=0, most=999, personal=True),
                Field("room", "text", most=40, personal=True),
                Field("people", "whole", required=True, least=0, most=99, default=1),
                Field("head_name", "text", most=60, personal=True, masked=True),
                Field("phone", "phone", personal=True, masked=True),
                Field("care_tags", "choices", choices=CARE_TAGS, personal=True, masked=True),
                _KEY,
            ),
            placed=True,
            removable=True,
        ),
        Kind(
            "premises",
            (
                Field("kind", "choice", required=True, choices=PREMISES_KINDS),
                Field("name", "text", required=True, most=120),
                Field("grade", "choice", required=True, choices=("A", "B", "C", "D"), default="C"),
                _PLACE,
                Field("building", "building"),
                Field("responsible_name", "text", most=60, personal=True),
                Field("phone", "phone", personal=True),
                _KEY,
            ),
            placed=True,
            removable=True,
        ),
        Kind(
            "hazard",
            (
                Field("kind", "choice", required=True, choices=HAZARD_KINDS),
                Field(
                    "grade",
                    "choice",
                    required=True,
                    choices=("ordinary", "major"),
                    default="ordinary",
                ),
                Field("status", "choice", required=True, choices=HAZARD_STATES, default="found"),
                _PLACE,
                Field("premises", "premises"),
                Field("note", "long", most=1000, personal=True),
                Field("found_on", "day", required=True, fixed=True),
                Field("due_on", "day", required=True),
                Field("rectified_on", "day"),
                Field("closed_on", "day"),
                _KEY,
            ),
            placed=True,
        ),
    )
}


def check(kind: Kind, given: Mapping[str, object], before: Mapping[str, object] | None) -> Values:
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
        Fault(name, "entry.no_field") for name in given if name not in {f.name for f in kind.fields}
    ]
    found: Values = {}
    for field in kind.fields:
        if field.name not in given and before is not None:
            continue
        raw = given.get(field.name, field.default)
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
        if field.required:
            return Fault(field.name, "entry.empty")
        return _NOTHING.get(field.type)
    return _READERS[field.type](field, raw, before)


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
    if raw in field.choices or (raw == before and isinstance(raw, str)):
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
    **dict.fromkeys(REFERENCES, _reference),
}


# --- fields against each other -----------------------------------------------------------------


def _across(kind: Kind, whole: Values) -> list[Fault]:
    if kind.name == "hazard":
        return _hazard(whole)
    first, last = whole.get("first_day"), whole.get("last_day")
    if first and last and last < first:
        return [Fault("last_day", "entry.ends_before_it_begins")]
    return []


def _hazard(whole: Values) -> list[Fault]:
    faults = []
    if whole["due_on"] < whole["found_on"]:
        faults.append(Fault("due_on", "entry.due_before_found"))
    if whole["rectified_on"] and whole["rectified_on"] < whole["found_on"]:
        faults.append(Fault("rectified_on", "entry.rectified_before_found"))
    if whole["status"] == "closed" and not whole["closed_on"]:
        faults.append(Fault("closed_on", "entry.closed_needs_day"))
    if whole["status"] != "closed" and whole["closed_on"]:
        faults.append(Fault("closed_on", "entry.day_needs_closed"))
    if whole["closed_on"] and whole["closed_on"] < whole["found_on"]:
        faults.append(Fault("closed_on", "entry.closed_before_found"))
    return faults
