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


def plain(name: str) -> str:
    """Bring a column's name to the form in which names are compared."""
    narrow = unicodedata.normalize("NFKC", name).casefold()
    bare = _FILLERS.sub("", _BRACKETS.sub("", narrow))
    return bare or _FILLERS.sub("", narrow)


def match_columns(
    names: Sequence[str],
    fields: Sequence[FileField],
    stated: Mapping[str, str],
    *,
    also_key: str | None = None,
) -> list[MatchedColumn]:
    """Find our field of each column."""
    found = {ours: _stated_column(names, fields, ours, said) for ours, said in stated.items()}
    taken = {column for ours, column in found.items() if ours != also_key}
    for one in fields:
        if one.name in found:
            continue
        known = {plain(one.name), *(plain(name) for name in one.names)}
        fitting = [name for name in names if name not in taken and plain(name) in known]
        exact = [name for name in fitting if plain(name) == plain(one.name)]
        fitting = exact if len(exact) == 1 else fitting  # our own word goes before any other
        if len(fitting) > 1:
            raise InputError(
                "ingest.column_ambiguous", field=one.name, columns=" / ".join(fitting),
                first=fitting[0],
            )  # fmt: skip
        if fitting:
            found[one.name] = fitting[0]
            taken.add(fitting[0])
    missing = [one for one in fields if one.needed and one.name not in found]
    if missing:
        raise column_needed(missing[0], " / ".join(names) or "—")
    matched = []
    for name in names:
        ours: list[str | None] = [one.name for one in fields if found.get(one.name) == name]
        matched += [MatchedColumn(name, one) for one in ours or [None]]
    return matched + [MatchedColumn(None, one.name) for one in fields if one.name not in found]


def column_needed(one: FileField, columns: str) -> InputError:
    """Say that a file lacks a column without which none of its rows can be taken."""
    known = " / ".join((one.name, *one.names)[:_SHOWN])
    place = Place(field=one.name)
    return InputError(
        "ingest.column_needed", place=place, field=one.name, known=known, columns=columns
    )


def _stated_column(names: Sequence[str], fields: Sequence[FileField], ours: str, said: str) -> str:
    if ours not in {one.name for one in fields}:
        raise InputError(
            "ingest.field_unknown", field=ours, known=" / ".join(one.name for one in fields)
        )
    fitting = [name for name in names if name == said]
    fitting = fitting or [name for name in names if plain(name) == plain(said)]
    if len(fitting) != 1:
        raise InputError(
            "ingest.column_absent", column=said, field=ours, columns=" / ".join(names) or "—"
        )
    return fitting[0]


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
    wanted = {one.name for one in COORDINATES}
    mine = {ours: column for ours, column in stated.items() if ours in wanted}
    others = [name for name in names if name not in set(stated.values()) - set(mine.values())]
    found = {
        one.field: one.file
        for one in match_columns(others, COORDINATES, mine)
        if one.file is not None and one.field is not None
    }
    if "wkt" in found and ("wkt" in mine or not {"lon", "lat"} <= set(found)):
        return {"wkt": found["wkt"]}
    found.pop("wkt", None)
    if len(found) == 1:
        there = next(iter(found))
        raise InputError(
            "ingest.half_a_coordinate", column=found[there],
            missing="lat" if there == "lon" else "lon",
        )  # fmt: skip
    return found
