"""One person's data: found, handed out and erased on request, wherever a kind of record has them.

What tells who somebody is, is said by the kinds of record: the fields that are masked, and those of
officers and premises that hold a name or a telephone. Rows stay, so that counts and history do; the
record keeps that something was erased, and digests of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.entry import person_queries, queries
from gis_service.errors import InputError
from gis_service.records import RECORDS, Field, Record
from gis_service.store.engine import whole_county

ERASED: Final = "已删除"
"""In place of a name that cannot be empty."""
_NAMES: Final = ("name", "head_name", "responsible_name", "reporter_name")
_KEYED: Final = ("household", "officer")


@dataclass(frozen=True)
class WhichPerson:
    """
    Whose data are meant.

    Attributes
    ----------
    phone
        As a whole; a field that holds several numbers fits too.
    name
        As a whole; alone it only finds, since others may be called so.
    household_key, officer_key
        The county's keys.
    """

    phone: str = ""
    name: str = ""
    household_key: str = ""
    officer_key: str = ""

    @property
    def is_certain(self) -> bool:
        """Whether more than a name is known."""
        return bool(self.phone or self.household_key or self.officer_key)


@dataclass(frozen=True)
class PersonalRow:
    """A row that tells of the person, with all values of its form in clear."""

    kind: str
    id: int
    values: dict[str, Any]
    fields: tuple[str, ...]


@dataclass
class PersonalData:
    """
    All that is kept of a person.

    Attributes
    ----------
    rows
        Of the kinds of record.
    waiting_reports
        Reports that wait for their place, or were placed: their drafts.
    photos
        By incident: names of files in the data folder; a person may be in the picture.
    undo_copies
        Rows as they were before a change by hand.
    events
        What the record says was done with these rows: who, when, what.
    """

    rows: list[PersonalRow] = field(default_factory=list)
    waiting_reports: list[dict[str, Any]] = field(default_factory=list)
    photos: dict[int, list[str]] = field(default_factory=dict)
    undo_copies: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of each."""
        kinds = {kind: sum(row.kind == kind for row in self.rows) for kind in RECORDS}
        rest = {
            "waiting_report": len(self.waiting_reports),
            "photo": sum(len(names) for names in self.photos.values()),
            "undo_copy": self.undo_copies,
            "event": len(self.events),
        }
        return {name: number for name, number in {**kinds, **rest}.items() if number}


def find_person(
    connection: sa.Connection, actor: Actor, which: WhichPerson, purpose: str
) -> PersonalData:
    """
    Find all that is kept of a person; that it was done is recorded.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; commands on the machine run as the system.
    which
        Whose data are meant.
    purpose
        ``find``, ``export`` or ``erase``: the verb of the event.

    Returns
    -------
    PersonalData
        In clear.

    Raises
    ------
    InputError
        Nothing is said of the person.
    """
    if not which.is_certain and not which.name:
        raise InputError("entry.nobody_named")
    found = PersonalData()
    with whole_county(connection):
        for kind in RECORDS.values():
            if list_telling_fields(kind):
                found.rows += _find_rows(connection, actor, kind, which)
        ids = [(row.kind, row.id) for row in found.rows]
        found.waiting_reports = person_queries.find_waiting_reports(connection, which.phone)
        found.photos = person_queries.find_photos(
            connection, [n for kind, n in ids if kind == "incident"]
        )
        found.undo_copies = person_queries.count_undo_copies(connection, ids)
        found.events = person_queries.read_events_about(connection, ids)
    asked = {name: value for name, value in vars(which).items() if value}
    after = {**asked, "found": found.counts}
    record(connection, actor, purpose, "person", after=after, personal=list(asked))
    return found


def erase_person(connection: sa.Connection, actor: Actor, which: WhichPerson) -> PersonalData:
    """
    Empty every field that tells who somebody is.

    Parameters
    ----------
    connection
        The transaction in which all of it happens or nothing.
    actor
        Who does it; is recorded with digests of what was there.
    which
        Whose data are meant; a name alone is not enough.

    Returns
    -------
    PersonalData
        As it was before.

    Raises
    ------
    InputError
        Only a name is given: namesakes would be erased too.
    """
    if not which.is_certain:
        raise InputError("entry.name_alone")
    found = find_person(connection, actor, which, "erase")
    with whole_county(connection):
        for row in found.rows:
            kind = RECORDS[row.kind]
            values = {one.name: _empty_value(one) for one in list_telling_fields(kind)}
            queries.update_record(connection, kind, row.id, queries.make_columns(kind, values, {}))
            before = {name: row.values[name] for name in values}
            record(connection, actor, "erase", row.kind, row.id, before=before, after=values)
        ids = [(row.kind, row.id) for row in found.rows]
        person_queries.empty_undo_copies(connection, ids)
        person_queries.empty_reporters(
            connection,
            [row.id for row in found.rows if row.kind == "incident"],
            [report["token"] for report in found.waiting_reports],
        )
    return found


def list_telling_fields(kind: Record) -> tuple[Field, ...]:
    """List the fields of a kind that tell who somebody is."""
    return tuple(
        one
        for one in kind.fields
        if one.mask or (one.personal and (one.type == "phone" or one.name in _NAMES))
    )


def _empty_value(one: Field) -> Any:
    if one.type == "choices":
        return []
    return ERASED if one.required else ""


def _find_rows(
    connection: sa.Connection, actor: Actor, kind: Record, which: WhichPerson
) -> Iterator[PersonalRow]:
    telling = list_telling_fields(kind)
    key = getattr(which, f"{kind.name}_key") if kind.name in _KEYED else ""
    wanted = {"key": key} if key else {}
    if not key and (which.phone or not which.is_certain):
        given = {"phone": which.phone, "text": which.name}
        wanted = {one.name: given[one.type] for one in telling if given.get(one.type)}
    if wanted:
        for row in person_queries.find_rows(connection, actor, kind, wanted):
            yield PersonalRow(
                kind.name,
                row.record_id,
                queries.read_values(kind, row),
                tuple(one.name for one in telling),
            )
