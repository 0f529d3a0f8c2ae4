"""Records as those who enter them see them: lists to pick from, one record with its form's values.

Reads only, always through ``access.visible`` or the areas. Who lives in a household is masked;
:func:`reveal` shows it once, with a reason that is recorded.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import masked as hide
from gis_service.access.permissions import REASONS, REVEAL_HOUSEHOLD, entering
from gis_service.entry.fields import Values
from gis_service.entry.rows import grid_of, identity, place_of, point, read_columns, seen, values_of
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.members import NO_INDEX, select_objects_in
from gis_service.grids.reading import like_pattern, on_day
from gis_service.records import RECORDS, Record, entered, referred
from gis_service.store import tables as t
from gis_service.store.tables import table_of

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


def kind_of(name: str) -> Record:
    """
    Find a kind of record.

    Parameters
    ----------
    name
        Such as ``officer``.

    Returns
    -------
    Record
        With its fields.

    Raises
    ------
    NotFoundError
        There is no such kind.
    """
    known = entered()
    if name not in known:
        raise NotFoundError("entry.no_kind", kinds=", ".join(known))
    return known[name]


def kinds_for(actor: Actor) -> list[Record]:
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
    return [kind for kind in entered().values() if entering(kind.name).allows(actor)]


# --- lists -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shown:
    """How a kind is shown in a list: expressions over its table and what is joined."""

    title: sa.ColumnElement[Any]
    detail: sa.ColumnElement[Any]
    word: sa.ColumnElement[Any]
    searched: tuple[sa.ColumnElement[Any], ...]
    joined: tuple[tuple[sa.FromClause, sa.ColumnElement[bool]], ...] = ()


def _address() -> sa.ColumnElement[Any]:
    home = t.household.c
    group = sa.case((home.group_number > 0, sa.func.concat(" ", home.group_number, "组")), else_="")
    room = sa.case((home.room != "", sa.func.concat(" ", home.room)), else_="")
    return sa.func.concat(home.street, home.house_number, group, room)


def _shown(kind: Record) -> _Shown:
    table, nothing = table_of(kind), sa.literal("")
    if kind.name == "household":
        stars = sa.func.left(table.c.head_name, 1)
        return _Shown(_address(), stars, nothing, (_address(), table.c.key))
    if not kind.has_key:  # what has no key of its own is named by its officer
        o = t.officer.c
        with_officer = ((t.officer, o.officer_id == table.c.officer_id),)
        words = [table.c[one.stored] for one in kind.of_type("choice")]
        if grid_of(kind) is None:
            return _Shown(o.name, o.phone, nothing, (o.name, o.phone), with_officer)
        searched = (o.name, _GRID.name, _GRID.code)
        grid, word = sa.func.coalesce(_GRID.name, ""), sa.func.concat_ws("_", *words)
        return _Shown(o.name, grid, word, searched, with_officer)
    names = dict.fromkeys((*kind.title, *filter(None, (kind.detail,)), "key"))
    return _Shown(
        title=sa.func.coalesce(*(sa.func.nullif(table.c[one], "") for one in kind.title), ""),
        detail=table.c[kind.detail] if kind.detail else nothing,
        word=table.c[kind.word] if kind.word else nothing,
        searched=tuple(table.c[one] for one in names if kind.field(one).type != "choice"),
    )


_GRID: Final = t.grid_state.c


def listing(
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
    kind = kind_of(kind_name)
    if kind_name not in referred() or not kinds_for(actor):
        entering(kind_name).require(actor)
    shown, table = _shown(kind), table_of(kind)
    key, place, grid = identity(kind), place_of(kind), grid_of(kind)
    days = kind.dated
    source: Any = table
    for other, condition in shown.joined:
        source = source.join(other, condition)
    if grid is not None:
        source = source.outerjoin(t.grid_state, (_GRID.grid_id == grid) & on_day(_GRID.valid, None))
    query = (
        sa.select(
            key.label("id"),
            shown.title.label("title"),
            shown.detail.label("detail"),
            shown.word.label("word"),
            (sa.null() if place is None else sa.func.ST_X(place)).label("lon"),
            (sa.null() if place is None else sa.func.ST_Y(place)).label("lat"),
            (sa.null() if grid is None else _GRID.name).label("grid_name"),
            (sa.func.lower(table.c.valid) if days else sa.null()).label("first_day"),
            (sa.func.upper(table.c.valid) - 1 if days else sa.null()).label("last_day"),
        )
        .select_from(source)
        .where(seen(actor, kind))
    )
    for word in q.split():
        query = query.where(sa.or_(*(one.ilike(like_pattern(word)) for one in shown.searched)))
    if grid_id is not None and grid is not None:
        query = query.where(_in_grid(kind, key, grid, grid_id))
    if near is not None and place is not None:
        by_distance = query.order_by(place.op("<->")(point(*near)), key).limit(limit)
        return [_listed(kind_name, row) for row in connection.execute(by_distance)], None
    if after is not None:
        query = query.where(key < after)
    rows = connection.execute(query.order_by(key.desc()).limit(limit + 1)).all()
    more = rows[limit - 1].id if len(rows) > limit else None
    return [_listed(kind_name, row) for row in rows[:limit]], more


def _in_grid(
    kind: Record, key: sa.ColumnElement[Any], grid: sa.Column[Any], grid_id: int
) -> sa.ColumnElement[bool]:
    if table_of(kind) not in NO_INDEX:
        return grid == grid_id
    return key.in_(select_objects_in(kind.name, sa.literal([grid_id], sa.ARRAY(sa.BigInteger))))


def _listed(kind: str, row: Any) -> Listed:
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


def read(
    connection: sa.Connection, actor: Actor, kind_name: str, record_id: int, *, clear: bool = False
) -> RecordShown:
    """
    Read one record.

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
    clear
        Without masks, for :func:`reveal`.

    Returns
    -------
    RecordShown
        Masked where personal values of a household stand in it.

    Raises
    ------
    NotFoundError
        It is not there, or lies where the actor sees nothing.
    """
    kind = kind_of(kind_name)
    entering(kind_name).require(actor)
    row = find_row(connection, actor, kind, record_id)
    values = values_of(kind, row)
    masked = [] if clear else [one.name for one in kind.fields if one.mask]
    return RecordShown(
        kind=kind.name,
        id=row.record_id,
        version=row.version,
        values=_json(kind, values, masked),
        masked=masked,
        named=_names(connection, kind, values),
        grid=_grid_shown(connection, row.base_grid_id) if kind.placed else None,
        may={
            "change": True,
            "remove": kind.removable,
            "reveal": bool(masked) and REVEAL_HOUSEHOLD.allows(actor),
        },
    )


def find_row(
    connection: sa.Connection, actor: Actor, kind: Record, record_id: int, *, lock: bool = False
) -> Any:
    """Find the row of a record that an actor may see."""
    query = sa.select(*read_columns(kind)).where(identity(kind) == record_id, seen(actor, kind))
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("entry.no_record")
    return row


def reveal(
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
    found = read(connection, actor, kind_name, record_id, clear=True)
    hidden = [one.name for one in kind_of(kind_name).fields if one.mask]
    record(
        connection,
        actor,
        "reveal",
        kind_name,
        record_id,
        after={"reason": reason, "fields": hidden},
    )
    return found


def _json(kind: Record, values: Values, masked: list[str]) -> Values:
    told: Values = {}
    for one in kind.form_fields:
        value = values[one.name]
        if one.name in masked:
            value = hide(kind.name, one.name, value)
        elif one.type == "point" and value is not None:
            value = {"lon": value[0], "lat": value[1], "crs": CRS}
        elif isinstance(value, date):
            value = value.isoformat()
        told[one.name] = value
    return told


def _names(connection: sa.Connection, kind: Record, values: Values) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in kind.references:
        if values[one.name] is not None:
            found[one.name] = _name(connection, one.type, values[one.name])
    return found


def _name(connection: sa.Connection, kind: str, record_id: int) -> str:
    """Name a record that another one, which the actor sees, refers to."""
    if kind == "grid":
        newest = sa.select(_GRID.name).where(_GRID.grid_id == record_id)
        return str(connection.scalar(newest.order_by(sa.func.lower(_GRID.valid).desc())) or "")
    query = sa.select(_shown(RECORDS[kind]).title).where(identity(RECORDS[kind]) == record_id)
    return str(connection.scalar(query) or "")


def _grid_shown(connection: sa.Connection, grid_id: int | None) -> GridShown | None:
    row = connection.execute(
        sa.select(_GRID.grid_id, _GRID.name, _GRID.code).where(
            _GRID.grid_id == grid_id, on_day(_GRID.valid, None)
        )
    ).first()
    return None if row is None else GridShown(row.grid_id, row.name, row.code)
