"""Records as those who enter them see them: lists to pick from, one record with its form's values.

Reads only, always through ``access.visible`` or the areas. Who lives in a household is masked;
:func:`reveal_record` shows it once, with a reason. Who looked at households is recorded.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import mask_value as hide
from gis_service.access.permissions import REASONS, REVEAL_HOUSEHOLD, entering
from gis_service.entry import queries
from gis_service.entry.fields import Values
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.records import Record, list_entered, list_referred

CRS: Final = "cgcs2000"


@dataclass(frozen=True)
class Listed:
    """
    A record in a list.

    Attributes
    ----------
    word
        A word of a fixed list that the page says in the reader's language: kind, state, post.
    """

    id: int
    title: str
    detail: str
    word: str
    lon: float | None
    lat: float | None
    grid_name: str | None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class GridShown:
    """The grid in which a record lies today."""

    grid_id: int
    name: str
    code: str


@dataclass(frozen=True)
class RecordShown:
    """
    One record as its form shows it.

    Attributes
    ----------
    version
        Of the row; a change names it, so that nobody's change is overwritten unseen.
    values
        By field; places with their coordinate system.
    masked
        Fields whose values are hidden.
    named
        What the records are called that this one refers to, by field.
    may
        ``change``, ``remove``, ``reveal``: what the reader may do with it.
    """

    kind: str
    id: int
    version: str
    values: Values
    masked: list[str]
    named: dict[str, str]
    grid: GridShown | None
    may: dict[str, bool] = field(default_factory=dict)


def find_kind(name: str) -> Record:
    """Find a kind of record that is entered by hand."""
    known = list_entered()
    if name not in known:
        raise NotFoundError("entry.no_kind", kinds=", ".join(known))
    return known[name]


def list_kinds_for(actor: Actor) -> list[Record]:
    """
    List the kinds that an actor may enter.

    Parameters
    ----------
    actor
        Who asks.

    Returns
    -------
    list of Record
        None for those who only read.
    """
    return [kind for kind in list_entered().values() if entering(kind.name).allows(actor)]


# --- lists -------------------------------------------------------------------------------------


def list_records(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    *,
    q: str = "",
    grid_id: int | None = None,
    near: tuple[float, float] | None = None,
    after: int | None = None,
    limit: int = 30,
) -> tuple[list[Listed], int | None]:
    """
    List records, the newest first or the nearest first.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    kind_name
        Kind of the records.
    q
        Part of a name, an address, a number; households are not found by who lives in them.
    grid_id
        Only in this grid.
    near
        A place, lon and lat in CGCS2000 degrees: the nearest first, one page only.
    after
        Where the page before ended.
    limit
        Rows of the page.

    Returns
    -------
    rows, next
        The page, and where the next one begins; None at the end.
    """
    kind = find_kind(kind_name)
    if kind_name not in list_referred() or not list_kinds_for(actor):
        entering(kind_name).require(actor)
    is_near = near is not None and kind.place is not None  # the nearest have one page only
    rows = queries.read_list(
        connection, actor, kind, words=q.split(), grid_id=grid_id, near=near if is_near else None,
        after=None if is_near else after, limit=limit if is_near else limit + 1,
    )  # fmt: skip
    next_page = rows[limit - 1].id if len(rows) > limit else None
    if kind_name == "household" and rows:
        question = {"q": " ".join(q.split()), "near": near, "grid_id": grid_id, "before": after}
        told = {**question, "rows": len(rows[:limit])}
        record(connection, actor, "list", kind_name, after=told, personal=["q", "near"])
    return [_as_listed(kind_name, row) for row in rows[:limit]], next_page


def _as_listed(kind: str, row: Any) -> Listed:
    detail = f"{row.detail}**" if kind == "household" and row.detail else row.detail
    return Listed(
        row.id,
        row.title,
        detail,
        row.word,
        row.lon,
        row.lat,
        row.grid_name,
        row.first_day,
        row.last_day,
    )


# --- one record --------------------------------------------------------------------------------


def read_record(
    connection: sa.Connection, actor: Actor, kind_name: str, record_id: int, *, clear: bool = False
) -> RecordShown:
    """Read one record, masked where personal values of a household stand in it."""
    kind = find_kind(kind_name)
    entering(kind_name).require(actor)
    row = find_visible_row(connection, actor, kind, record_id)
    values = queries.read_values(kind, row)
    masked = [] if clear else [field.name for field in kind.fields if field.mask]
    return RecordShown(
        kind=kind.name,
        id=row.record_id,
        version=row.version,
        values=_as_json(kind, values, masked),
        masked=masked,
        named=_name_references(connection, kind, values),
        grid=_show_grid(connection, row.base_grid_id) if kind.placed else None,
        may={
            "change": True,
            "remove": kind.removable,
            "reveal": bool(masked) and REVEAL_HOUSEHOLD.allows(actor),
        },
    )


def show_record(
    connection: sa.Connection, actor: Actor, kind_name: str, record_id: int
) -> RecordShown:
    """
    Read one record for its form; of a household it is recorded who looked.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    kind_name
        Its kind.
    record_id
        Which.

    Returns
    -------
    RecordShown
        Masked where personal values of a household stand in it.

    Raises
    ------
    NotFoundError
        It is not there, or lies where the actor sees nothing.
    """
    shown = read_record(connection, actor, kind_name, record_id)
    if kind_name == "household":
        record(connection, actor, "see", kind_name, record_id)
    return shown


def find_visible_row(
    connection: sa.Connection, actor: Actor, kind: Record, record_id: int, *, lock: bool = False
) -> Any:
    """Find the row of a record that an actor may see."""
    row = queries.find_row(connection, actor, kind, record_id, lock=lock)
    if row is None:
        raise NotFoundError("entry.no_record")
    return row


def reveal_record(
    connection: sa.Connection, actor: Actor, kind_name: str, record_id: int, reason: str
) -> RecordShown:
    """
    Show what is hidden, and write down who looked and why.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    kind_name
        Kind of the record.
    record_id
        Which.
    reason
        One of ``permissions.REASONS``.

    Returns
    -------
    RecordShown
        With its values in clear.

    Raises
    ------
    InputError
        Without a known reason.
    """
    REVEAL_HOUSEHOLD.require(actor)
    if reason not in REASONS:
        raise InputError("entry.no_reason", place=Place(field="reason"), known=", ".join(REASONS))
    visible_record = read_record(connection, actor, kind_name, record_id, clear=True)
    hidden = [field.name for field in find_kind(kind_name).fields if field.mask]
    record(
        connection,
        actor,
        "reveal",
        kind_name,
        record_id,
        after={"reason": reason, "fields": hidden},
    )
    return visible_record


def _as_json(kind: Record, values: Values, masked: list[str]) -> Values:
    json_values: Values = {}
    for form_field in kind.form_fields:
        value = values[form_field.name]
        if form_field.name in masked:
            value = hide(kind.name, form_field.name, value)
        elif form_field.type == "point" and value is not None:
            value = {"lon": value[0], "lat": value[1], "crs": CRS}
        elif isinstance(value, date):
            value = value.isoformat()
        json_values[form_field.name] = value
    return json_values


def _name_references(connection: sa.Connection, kind: Record, values: Values) -> dict[str, str]:
    return {
        field.name: queries.read_title(connection, field.type, values[field.name])
        for field in kind.references
        if values[field.name] is not None
    }


def _show_grid(connection: sa.Connection, grid_id: int | None) -> GridShown | None:
    row = queries.read_grid(connection, grid_id)
    return None if row is None else GridShown(row.grid_id, row.name, row.code)
