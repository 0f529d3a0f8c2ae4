"""Which column of a file is which field of ours: matched by names in Chinese and English.

Nothing is guessed from values. A name that fits two columns is an error that says how to state
which is meant; what was matched is shown before anything is written.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gis_service.errors import InputError, Place

_BRACKETS: Final = re.compile(r"[(\[{【（].*?[)\]}】）]")
_FILLERS: Final = re.compile(r"[\s_\-·.:*/]+")
_SHOWN: Final = 6


@dataclass(frozen=True)
class FileField:
    """
    One column that a kind of file may have.

    Attributes
    ----------
    name
        Ours.
    names
        What else senders call it; case, spaces, brackets with a unit and full width do not matter.
    form
        How values are read: ``text``, ``whole``, ``number``, ``flag``, ``day``, ``moment``,
        ``tags`` or ``word``.
    needed
        Without this column the file is not taken.
    default
        The value of a new row where the file has no such column.
    words
        Our word by what senders write; for ``word`` and ``tags``.
    """

    name: str
    names: tuple[str, ...] = ()
    form: str = "text"
    needed: bool = False
    default: object = None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchedColumn:
    """A column of the file and our field."""

    # As the file names it; None where a field has no column.
    file: str | None
    # Ours; None where the column is not used.
    field: str | None


COORDINATES: Final = (
    FileField(
        "lon",
        ("lng", "long", "longitude", "x", "经度", "东经", "x坐标", "坐标x", "point_x", "coord_x",
         "pointx", "经度坐标", "横坐标"),
    ),
    FileField(
        "lat",
        ("latitude", "y", "纬度", "北纬", "y坐标", "坐标y", "point_y", "coord_y", "pointy",
         "纬度坐标", "纵坐标"),
    ),
    FileField("wkt", ("geometry", "geom", "the_geom", "几何", "图形", "坐标串")),
)  # fmt: skip
"""Where a point or a shape stands in a table; every kind of file may have them."""


def normalise_name(name: str) -> str:
    """Bring a column's name to the form in which names are compared."""
    normalised = unicodedata.normalize("NFKC", name).casefold()
    without_fillers = _FILLERS.sub("", _BRACKETS.sub("", normalised))
    return without_fillers or _FILLERS.sub("", normalised)


def match_columns(
    names: Sequence[str],
    fields: Sequence[FileField],
    stated: Mapping[str, str],
    *,
    also_key: str | None = None,
) -> list[MatchedColumn]:
    """Find our field of each column."""
    column_of = {
        field_name: _stated_column(names, fields, field_name, column)
        for field_name, column in stated.items()
    }
    used_columns = {used for field_name, used in column_of.items() if field_name != also_key}
    for file_field in fields:
        if file_field.name in column_of:
            continue
        known_names = {
            normalise_name(file_field.name),
            *(normalise_name(name) for name in file_field.names),
        }
        candidates = [
            name
            for name in names
            if name not in used_columns and normalise_name(name) in known_names
        ]
        exact = [
            name for name in candidates if normalise_name(name) == normalise_name(file_field.name)
        ]
        candidates = exact if len(exact) == 1 else candidates  # our own word goes before any other
        if len(candidates) > 1:
            raise InputError(
                "ingest.column_ambiguous", field=file_field.name, columns=" / ".join(candidates),
                first=candidates[0],
            )  # fmt: skip
        if candidates:
            column_of[file_field.name] = candidates[0]
            used_columns.add(candidates[0])
    missing = [
        file_field
        for file_field in fields
        if file_field.needed and file_field.name not in column_of
    ]
    if missing:
        raise column_needed_error(missing[0], " / ".join(names) or "—")
    matched = []
    for name in names:
        field_names: list[str | None] = [
            file_field.name for file_field in fields if column_of.get(file_field.name) == name
        ]
        matched += [MatchedColumn(name, field_name) for field_name in field_names or [None]]
    return matched + [
        MatchedColumn(None, file_field.name)
        for file_field in fields
        if file_field.name not in column_of
    ]


def column_needed_error(field: FileField, columns: str) -> InputError:
    """Say that a file lacks a column without which none of its rows can be taken."""
    known_names = " / ".join((field.name, *field.names)[:_SHOWN])
    place = Place(field=field.name)
    return InputError(
        "ingest.column_needed", place=place, field=field.name, known=known_names, columns=columns
    )


def _stated_column(
    names: Sequence[str], fields: Sequence[FileField], field_name: str, column: str
) -> str:
    if field_name not in {field.name for field in fields}:
        raise InputError(
            "ingest.field_unknown",
            field=field_name,
            known=" / ".join(field.name for field in fields),
        )
    candidates = [name for name in names if name == column]
    candidates = candidates or [
        name for name in names if normalise_name(name) == normalise_name(column)
    ]
    if len(candidates) != 1:
        raise InputError(
            "ingest.column_absent",
            column=column,
            field=field_name,
            columns=" / ".join(names) or "—",
        )
    return candidates[0]


def find_coordinates(names: Sequence[str], stated: Mapping[str, str]) -> dict[str, str]:
    """
    Find the columns in which the place of a row stands.

    Parameters
    ----------
    names
        The file's columns.
    stated
        The file's column by our field, of which only ``lon``, ``lat`` and ``wkt`` matter here.

    Returns
    -------
    dict
        ``lon`` and ``lat``, or ``wkt``, or nothing: the file's column by our field.

    Raises
    ------
    InputError
        One of longitude and latitude is there without the other, or two columns fit.
    """
    coordinate_fields = {field.name for field in COORDINATES}
    stated_coordinates = {
        field_name: column
        for field_name, column in stated.items()
        if field_name in coordinate_fields
    }
    others = [
        name
        for name in names
        if name not in set(stated.values()) - set(stated_coordinates.values())
    ]
    column_of = {
        matched.field: matched.file
        for matched in match_columns(others, COORDINATES, stated_coordinates)
        if matched.file is not None and matched.field is not None
    }
    if "wkt" in column_of and ("wkt" in stated_coordinates or not {"lon", "lat"} <= set(column_of)):
        return {"wkt": column_of["wkt"]}
    column_of.pop("wkt", None)
    if len(column_of) == 1:
        field_name = next(iter(column_of))
        raise InputError(
            "ingest.half_a_coordinate", column=column_of[field_name],
            missing="lat" if field_name == "lon" else "lon",
        )  # fmt: skip
    return column_of
