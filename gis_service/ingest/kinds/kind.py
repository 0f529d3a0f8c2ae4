"""What an import is made of: the sender's options, a file matched to our fields, what became of it.

Each kind of file brings a handler of this form; ``ingest.importing`` holds the list of kinds and
does everything that is the same for all of them. Nothing here touches a file or the store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gis_service.coordinate_systems import CoordinateSystem, parse_crs
from gis_service.errors import InputError, Place
from gis_service.ingest.readers.columns import FileField, MatchedColumn
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.messages import Language

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gis_service.access import Actor

Progress = Callable[[float, str], None]
"""Takes the share that is done (0 to 1) and the message key of the step."""


@dataclass(frozen=True)
class ImportOptions:
    """
    What the sender says about a file.

    Attributes
    ----------
    crs
        The coordinate system, where the sender states one.
    layer
        Of a file with several.
    encoding
        Of the texts; found out where None.
    key
        The file's column that names a row.
    columns
        The file's column by our field, before any matching by name.
    replace
        What the file does not name is removed.
    dry_run
        Everything is done and rolled back.
    accept_shift
        A file that looks shifted is taken all the same.
    original_name
        What the sender calls the file, where it lies under another name here.
    extra
        Options of one kind only, as :attr:`ImportKind.extra` lists them.
    """

    crs: CoordinateSystem | None = None
    layer: str | None = None
    encoding: str | None = None
    key: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False
    dry_run: bool = False
    accept_shift: bool = False
    original_name: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Put the options into JSON, for a job."""
        options = asdict(self)
        return options | {"crs": None if self.crs is None else self.crs.code}

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "ImportOptions":
        """
        Read what :meth:`as_json` wrote.

        Parameters
        ----------
        options
            The options; what is missing has its default.

        Returns
        -------
        ImportOptions
            As they were.

        Raises
        ------
        InputError
            The coordinate system is not known.
        """
        crs = options.get("crs")
        return cls(**{**options, "crs": None if crs is None else parse_crs(crs)})

    def is_on(self, name: str) -> bool:
        """Tell whether an option of :attr:`extra` says yes."""
        return self.extra.get(name) in ("yes", "true", "1", "on")

    def day(self, name: str) -> date | None:
        """Read a day of :attr:`extra`; None where nothing is said."""
        stated = self.extra.get(name)
        if not stated:
            return None
        try:
            return date.fromisoformat(stated)
        except ValueError as error:
            raise InputError("grids_file.bad_day", place=Place(field=name), day=stated) from error

    def metres(self, name: str, default: float, most: float, error_key: str) -> float:
        """Read a distance of :attr:`extra`, from 0 to so many metres."""
        stated = self.extra.get(name)
        if not stated:
            return default
        try:
            value = float(stated)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise InputError(error_key, place=Place(field=name))
        return value


@dataclass(frozen=True)
class MatchedTable:
    """A file whose columns are known by our names."""

    # One column a matched field, values as they were read; one row a row of the file that could be
    # read. The index is 0 … n-1.
    frame: pd.DataFrame
    # Shapely geometries in CGCS2000, one a row, None where a row has none; None where the file has
    # none at all.
    geometry: Any
    # The number of each row as the sender sees it.
    rows: Any
    # One point a row as the file has it, before CGCS2000; NaN where there is none.
    raw_xy: Any
    # Every column of the file, with our field where it has one.
    columns: Sequence[MatchedColumn]
    # The file's column that names a row; None where the kind needs none.
    key: str | None
    # The file as it was read, with all its columns and rows.
    file: FileTable

    def make_refusal(self, index: int, key: str, field_name: str, **values: object) -> Refusal:
        """Refuse a row of :attr:`frame` in the sender's terms; values hold no personal data."""
        feature = str(self.frame["key"].iloc[index]) if "key" in self.frame else None
        place = Place(int(self.rows[index]), feature, self.name_in_file(field_name))
        return Refusal.because(key, place, **values)

    def name_in_file(self, field_name: str) -> str:
        """Find the file's column of one of our fields; our own name where the file has none."""
        columns = [
            column.file for column in self.columns if column.field == field_name and column.file
        ]
        return columns[0] if columns else self.file.coordinates.get(field_name, field_name)

    def in_file_terms(self, refusal: Refusal) -> Refusal:
        """Say a refusal of the validator in the sender's own rows and columns."""
        row = None if refusal.row is None else int(self.rows[refusal.row - 1])
        field_name = None if refusal.field is None else self.name_in_file(refusal.field)
        return replace(refusal, row=row, field=field_name)


@dataclass
class HandlerResult:
    """What a handler wrote."""

    # Rows of the file (removed: of the store).
    new: int = 0
    changed: int = 0
    same: int = 0
    removed: int = 0
    # Rows that did not go in.
    refusals: list[Refusal] = field(default_factory=list)
    # What else the sender should know.
    notes: list[Note] = field(default_factory=list)
    # Rows written by table, for the import record.
    taken: dict[str, int] = field(default_factory=dict)
    # What this kind alone has to tell; JSON.
    details: dict[str, Any] = field(default_factory=dict)
    # True writes the import down even where no row of the file is new or changed.
    record: bool = False


Handler = Callable[["sa.Connection", "Actor", MatchedTable, ImportOptions, Progress], HandlerResult]
"""
Checks the rows of a file and writes them, inside the transaction of the whole file.

It raises a :class:`~gis_service.errors.GisError` where the file as a whole cannot be taken; rows
that cannot are returned as refusals. ``dry_run`` is not its business: the transaction is rolled
back by the caller. It must not commit, and tells progress from 0 to 1 of its own part.
"""


@dataclass(frozen=True)
class FileForm:
    """What the columns of a kind of file are matched to; as :class:`ImportKind` has it."""

    name: str
    fields: tuple[FileField, ...]
    # Our field that names a row; None where several fields do together.
    default_key: str | None = "key"
    # ``none``, ``optional`` or ``required``: what becomes of a file without any coordinate.
    geometry: str = "optional"


@dataclass(frozen=True)
class ImportKind:
    """
    One kind of file.

    Attributes
    ----------
    name
        As on the command line: ``buildings``, ``grids`` …
    fields
        The columns that are known.
    handle
        Writes the rows.
    default_key
        Our field that names a row; None where several fields do together.
    geometry
        ``none``, ``optional`` or ``required``: what becomes of a file without any coordinate.
    personal
        True keeps the keys of rows out of every record: they may name people.
    extra
        Options that only this kind knows: message key of the explanation by name.
    read
        Reads files of suffixes that
        :func:`~gis_service.ingest.sandbox.client.read_table_in_child` does not know.
    suffixes
        Of :attr:`read`, in small letters with the dot.
    called, about
        In Chinese and English, where the message files have no words for it.
    """

    name: str
    fields: tuple[FileField, ...]
    handle: Handler
    default_key: str | None = "key"
    geometry: str = "optional"
    personal: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Path, ImportOptions], FileTable] | None = None
    suffixes: tuple[str, ...] = ()
    called: tuple[str, str] = ("", "")
    about: tuple[str, str] = ("", "")

    @property
    def form(self) -> FileForm:
        """
        Say what its files are matched to.

        Returns
        -------
        FileForm
            Without what works on the rows.
        """
        return FileForm(self.name, self.fields, self.default_key, self.geometry)


@dataclass(frozen=True)
class ImportOutcome:
    """
    What became of a file.

    Attributes
    ----------
    import_id
        Row of ``import_record``; None after a dry run, and where nothing changed.
    rows
        Rows of the file.
    """

    kind: str
    file: str
    sha256: str
    crs: str | None
    encoding: str | None
    layer: str | None
    columns: Sequence[MatchedColumn]
    key: str | None
    rows: int
    new: int
    changed: int
    same: int
    removed: int
    refusals: Sequence[Refusal]
    notes: Sequence[Note]
    dry_run: bool
    import_id: int | None
    details: Mapping[str, Any]
    personal: bool

    def as_dict(self, language: Language = "zh-CN", *, most: int = 1000) -> dict[str, Any]:
        """
        Put it into JSON.

        Parameters
        ----------
        language
            Of reasons and notes.
        most
            As many refusals are listed; their number is always the whole.

        Returns
        -------
        dict
            ``refused`` lists row, feature, field and reason; the feature is left out where it may
            name a person.
        """
        return {
            "kind": self.kind,
            "file": self.file,
            "sha256": self.sha256,
            "crs": self.crs,
            "encoding": self.encoding,
            "layer": self.layer,
            "columns": [{"file": column.file, "field": column.field} for column in self.columns],
            "key": self.key,
            "rows": self.rows,
            "new": self.new,
            "changed": self.changed,
            "same": self.same,
            "removed": self.removed,
            "refused_count": len(self.refusals),
            "refused": [
                {
                    "row": refusal.row,
                    "feature": None if self.personal else refusal.feature,
                    "field": refusal.field,
                    "reason": refusal.say(language),
                }
                for refusal in self.refusals[:most]
            ],
            "notes": [note.say(language) for note in self.notes],
            "dry_run": self.dry_run,
            "import_id": self.import_id,
            **self.details,
        }
