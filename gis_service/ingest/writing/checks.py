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


def list_file_fields(record: Record) -> tuple[FileField, ...]:
    """List the columns that a file of records may have, the key first."""
    return tuple(
        FileField(
            field.heading,
            field.names,
            "text" if field.refers or field.type in _TEXTS else _FORMS.get(field.type, field.type),
            needed=field.needed,
            default="" if field.type in _TEXTS else field.default,
            words={alias: word for word, names in field.words.items() for alias in names},
        )
        for field in record.file_fields
    )


def validate_records(record: Record, frame: pd.DataFrame, ids: References) -> Validator:
    """Validate rows with the columns of ``record.headings``."""
    validator = Validator(record.plural, frame, record.row_name, record.headings)
    for field in record.fields:
        if field.refers:
            validator.resolve_keys(
                field.heading, ids[field.type], field.stored, optional=not field.required
            )
        elif field.name == "first_day":
            validator.check_valid_days()
        elif field.name != "last_day":
            _CHECKS[field.type](validator, field)
    for first, second in record.ordered:
        validator.check_order(first, second)
    for name, other, value in record.only_when:
        validator.check_present_iff(name, validator.columns[other] == value, other)
    if record.has_key:
        validator.check_unique("key")
    return validator


def _check_texts(validator: Validator, field: Field) -> None:
    validator.check_texts(field.name, required=field.required or field.needed, most=field.most)


def _check_choice(validator: Validator, field: Field) -> None:
    if field.open:
        _check_texts(validator, field)
    else:
        validator.check_one_of(field.name, field.choices)


def _check_numbers(validator: Validator, field: Field) -> None:
    assert field.least is not None
    assert field.most is not None
    whole = field.type == "whole"
    validator.check_numbers(
        field.name, field.least, field.most, whole=whole, optional=not field.required
    )


_CHECKS: Final[Mapping[str, Callable[[Validator, Field], None]]] = {
    **dict.fromkeys(_TEXTS, _check_texts),
    "choice": _check_choice,
    "choices": lambda validator, field: validator.check_tags(field.name),
    "whole": _check_numbers,
    "number": _check_numbers,
    "flag": lambda validator, field: validator.check_flags(field.name),
    "day": lambda validator, field: validator.check_days(field.name, optional=not field.required),
    "moment": lambda validator, field: validator.check_moments(
        field.name, optional=not field.required
    ),
    "point": lambda validator, field: validator.check_points(optional=not field.required),
    "area": lambda validator, field: validator.check_geometries(field.name, AREAS, optional=True),
}
