"""What a field and a kind of record are made of; each kind has a module of its own beside this one.

The file import, the form, the API, the columns that are copied, the masks, the roles that may
write and the tables of the data guide are derived from these. Nothing here reads the store.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from gis_service.roles import Role

Mask = Literal["", "name", "phone", "whole"]
"""What is left of a hidden value: the family name, the ends of a number, or nothing."""

_PLAIN_TYPES: Final = frozenset(
    {"text", "long", "phone", "choice", "choices", "whole", "number", "flag", "day", "moment",
     "point", "area"}
)  # fmt: skip
_IN_FILES: Final = {"first_day": "valid_from", "last_day": "valid_to"}


@dataclass(frozen=True)
class Field:
    """
    One field of a kind of record.

    Attributes
    ----------
    name
        Ours, in the form and the API.
    type
        ``text``, ``long``, ``phone``, ``choice``, ``choices``, ``whole``, ``number``, ``flag``,
        ``day``, ``moment``, ``point``, ``area`` (files only), or the kind of record that the field
        refers to. ``first_day`` and ``last_day`` together are the column ``valid``.
    names
        What counties call it; case, spaces, brackets with a unit and full width do not matter.
    required
        No record without it.
    asked
        The form insists on it; a file may lack it.
    needed
        A file without the column is not taken at all.
    least, most
        Bounds of a number, both allowed; ``most`` also the characters of a text.
    words
        What counties write, by the word that is stored.
    open
        A file may bring other words; the form offers those listed and lets others stay.
    default
        What a file's new row has where nothing is said.
    form_default
        What the form begins with, where that is not the default.
    fixed
        May be given when the record is added and not changed by hand afterwards.
    personal
        Never in the record of events in clear.
    mask
        How it is hidden from the reader until revealed with a reason.
    column
        Of the table, where it is called otherwise.
    """

    name: str
    type: str
    names: tuple[str, ...] = ()
    required: bool = False
    asked: bool = False
    needed: bool = False
    least: float | None = None
    most: float | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    open: bool = False
    default: Any = None
    form_default: Any = None
    fixed: bool = False
    personal: bool = False
    mask: Mask = ""
    column: str = ""

    @property
    def refers(self) -> bool:
        """Whether it holds another record; its type is the kind of that record then."""
        return self.type not in _PLAIN_TYPES

    @property
    def choices(self) -> tuple[str, ...]:
        """The words to choose from."""
        return tuple(self.words)

    @property
    def heading(self) -> str:
        """Ours in files: others are named by their keys, days are a half-open range."""
        return f"{self.name}_key" if self.refers else _IN_FILES.get(self.name, self.name)

    @property
    def stored(self) -> str:
        """The column of the table."""
        if self.name in _IN_FILES:
            return "valid"
        return self.column or (f"{self.name}_id" if self.refers else self.name)


@dataclass(frozen=True)
class Record:
    """
    One kind of record.

    Attributes
    ----------
    name
        In the form, the API and the record of events.
    table
        Of the store.
    plural
        Of its files.
    called
        In Chinese and in English.
    about
        What a file of them holds, in both languages.
    fields
        In the order of the form; files begin with the key.
    writers
        Roles that enter it by hand; none where nobody does.
    placed
        Whether it belongs to the grid in which its place lies.
    follows
        The reference whose grid it takes instead.
    removable
        Whether it can be deleted; what has days is ended instead, what has states is closed.
    title, detail, word
        What a list shows: the first field that is not empty, one more, a word of a fixed list.
    ordered
        Pairs of days or moments of which the second is never before the first.
    only_when
        A field that is there exactly when another one has a value: both names and the value.
    apart
        Fields that together are held by one record on any day.
    import_order, form_order
        Where it stands among the kinds: of files after all that it refers to.
    """

    name: str
    table: str
    plural: str
    called: tuple[str, str]
    about: tuple[str, str]
    fields: tuple[Field, ...]
    writers: frozenset[Role] = frozenset()
    placed: bool = False
    follows: str = ""
    removable: bool = False
    title: tuple[str, ...] = ("name",)
    detail: str = ""
    word: str = ""
    ordered: tuple[tuple[str, str], ...] = ()
    only_when: tuple[tuple[str, str, str], ...] = ()
    apart: tuple[tuple[str, ...], ...] = ()
    import_order: int = 99
    form_order: int = 99

    def field(self, name: str) -> Field:
        """
        Give one field.

        Parameters
        ----------
        name
            Its name.

        Returns
        -------
        Field
            The field.
        """
        return next(field for field in self.fields if field.name == name)

    def of_type(self, *types: str) -> Iterator[Field]:
        """
        Give the fields of some types.

        Parameters
        ----------
        *types
            Of :attr:`Field.type`.

        Returns
        -------
        iterator of Field
            In their order.
        """
        return (field for field in self.fields if field.type in types)

    @cached_property
    def has_key(self) -> bool:
        """Whether a key of the county names it; else its references do, with the first day."""
        return any(field.name == "key" for field in self.fields)

    @cached_property
    def dated(self) -> bool:
        """Whether it has a first and a last day."""
        return any(field.name == "first_day" for field in self.fields)

    @cached_property
    def place(self) -> Field | None:
        """Where it lies."""
        return next(self.of_type("point"), None)

    @cached_property
    def references(self) -> tuple[Field, ...]:
        """The fields that hold other records."""
        return tuple(field for field in self.fields if field.refers)

    @cached_property
    def form_fields(self) -> tuple[Field, ...]:
        """What the form asks for."""
        return tuple(field for field in self.fields if field.type != "area")

    @cached_property
    def file_fields(self) -> tuple[Field, ...]:
        """What a file has columns for, the key first; places and outlines are its geometry."""
        columns = [field for field in self.fields if field.type not in ("point", "area")]
        return tuple(sorted(columns, key=lambda field: field.name != "key"))

    @cached_property
    def headings(self) -> tuple[str, ...]:
        """The columns of its frame: shapes are shapely geometries or None, points lon and lat."""
        places = ("lon", "lat") if self.place else ()
        areas = (field.name for field in self.of_type("area"))
        return (*(field.heading for field in self.file_fields), *places, *areas)

    @cached_property
    def row_name(self) -> str:
        """The heading that names a row in a refusal."""
        return "key" if self.has_key else self.references[-1].heading

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of the table that a file fills, with the checked column of each."""
        return {
            field.stored: "point" if field.type == "point" else field.stored
            for field in self.fields
        }

    @cached_property
    def personal(self) -> bool:
        """Whether what names its rows may name people."""
        return not self.has_key or self.field("key").personal
