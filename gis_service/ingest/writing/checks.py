"""What a row of each kind of record must be: the same checks for a region, a file and all else."""

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd
import shapely

from gis_service.ingest.readers.columns import FileField
from gis_service.ingest.writing.validating import Validator
from gis_service.records import Field, Record

AREAS: Final = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)

References = Mapping[str, Mapping[str, int]]
"""Ids by key of the rows that others point to, by their kind."""

_TEXTS: Final = ("text", "long", "phone")
_FORMS: Final = {"choice": "word", "choices": "tags"}


def file_fields(record: Record) -> tuple[FileField, ...]:
    """
    List the columns that a file of records may have.

    Parameters
    ----------
    record
        The kind.

    Returns
    -------
    tuple of FileField
        The key first.
    """
    return tuple(
        FileField(
            one.heading,
            one.names,
            "text" if one.refers or one.type in _TEXTS else _FORMS.get(one.type, one.type),
            needed=one.needed,
            default="" if one.type in _TEXTS else one.default,
            words={said: word for word, names in one.words.items() for said in names},
        )
        for one in record.file_fields
    )


def check(record: Record, frame: pd.DataFrame, ids: References) -> Validator:
    """
    Check rows.

    Parameters
    ----------
    record
        Their kind.
    frame
        The columns of ``record.headings``.
    ids
        Of the rows that are there, by the kinds that these refer to.

    Returns
    -------
    Validator
        The rows and what was refused of them.
    """
    door = Validator(record.plural, frame, record.row_name, record.headings)
    for one in record.fields:
        if one.refers:
            door.refers(one.heading, ids[one.type], one.stored, optional=not one.required)
        elif one.name == "first_day":
            door.ranges()
        elif one.name != "last_day":
            _CHECKS[one.type](door, one)
    for first, second in record.ordered:
        door.ordered(first, second)
    for name, other, value in record.only_when:
        door.present_iff(name, door.columns[other] == value, other)
    if record.has_key:
        door.unique("key")
    return door


def _texts(door: Validator, one: Field) -> None:
    door.texts(one.name, required=one.required or one.needed, most=one.most)


def _choice(door: Validator, one: Field) -> None:
    if one.open:
        _texts(door, one)
    else:
        door.one_of(one.name, one.choices)


def _numbers(door: Validator, one: Field) -> None:
    assert one.least is not None
    assert one.most is not None
    whole = one.type == "whole"
    door.numbers(one.name, one.least, one.most, whole=whole, optional=not one.required)


_CHECKS: Final[Mapping[str, Callable[[Validator, Field], None]]] = {
    **dict.fromkeys(_TEXTS, _texts),
    "choice": _choice,
    "choices": lambda door, one: door.tags(one.name),
    "whole": _numbers,
    "number": _numbers,
    "flag": lambda door, one: door.flags(one.name),
    "day": lambda door, one: door.days(one.name, optional=not one.required),
    "moment": lambda door, one: door.moments(one.name, optional=not one.required),
    "point": lambda door, one: door.points(optional=not one.required),
    "area": lambda door, one: door.geometries(one.name, AREAS, optional=True),
}
