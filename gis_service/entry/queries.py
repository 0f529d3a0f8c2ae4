"""What is read and written of one record or a list of them: the only statements of this room.

Also fields and columns, one into the other, who may see which row, and the whole row as texts,
exact for every type, so that a change can be undone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service.access import Actor, sees_grid, visible
from gis_service.access.permissions import SEE
from gis_service.access.visibility import grids_below
from gis_service.entry.fields import Values
from gis_service.grids.membership.queries import NO_INDEX, select_objects_in
from gis_service.grids.reading import like_pattern, on_day
from gis_service.records import RECORDS, Record
from gis_service.store import tables as t
from gis_service.store.engine import in_whole_county
from gis_service.store.tables import SRID, table_of

Condition = sa.ColumnElement[bool]

_VERSION: Final = "xmin"  # PostgreSQL's own: another one after every change of the row


def key_column(kind: Record) -> sa.Column[Any]:
    """Give the column of a kind's ids."""
    return next(iter(table_of(kind).primary_key))


def place_column(kind: Record) -> sa.Column[Any] | None:
    """Give the column of a kind's place, if it has one."""
    return None if kind.place is None else table_of(kind).c[kind.place.stored]


def grid_column(kind: Record) -> sa.Column[Any] | None:
    """Give the column of the grid that a kind belongs to, if there is one."""
    if kind.placed:
        return table_of(kind).c.base_grid_id
    return next((table_of(kind).c[field.stored] for field in kind.of_type("grid")), None)


def is_visible(actor: Actor, kind: Record) -> Condition:
    """Say which rows of a kind an actor may see and change."""
    table, grid = table_of(kind), grid_column(kind)
    if grid is not None and not kind.placed:
        return sees_grid(actor, table, grid)
    if table.name in SEE:
        return visible(actor, table)
    if grid is not None:
        return sees_grid(actor, t.hazard, grid)
    if actor.areas is None:
        return sa.true()
    place = place_column(kind)
    if place is None:
        return sa.false()
    grid_id: Condition = sa.func.gis_grid_at(place, "base")
    return grid_id.in_(grids_below(actor.areas))


def _form_columns(kind: Record) -> list[sa.ColumnElement[Any]]:
    """List what a query must select for :func:`read_values`."""
    table = table_of(kind)
    columns: list[sa.ColumnElement[Any]] = [
        key_column(kind).label("record_id"),
        sa.cast(sa.column(_VERSION, _selectable=table), sa.Text).label("version"),
    ]
    for field in kind.form_fields:
        if field.type == "point":
            place = table.c[field.stored]
            columns += [sa.func.ST_X(place).label("lon"), sa.func.ST_Y(place).label("lat")]
        elif field.name == "first_day":
            columns.append(sa.func.lower(table.c.valid).label("first_day"))
        elif field.name == "last_day":
            columns.append((sa.func.upper(table.c.valid) - 1).label("last_day"))
        else:
            columns.append(table.c[field.stored].label(field.name))
    if kind.placed:
        columns.append(table.c.base_grid_id)
    return columns


def read_values(kind: Record, row: Any) -> Values:
    """Read the fields out of a row."""
    values: Values = {}
    for field in kind.form_fields:
        if field.type == "point":
            values[field.name] = None if row.lon is None else (row.lon, row.lat)
        elif field.type == "choices":
            values[field.name] = list(getattr(row, field.name))
        else:
            values[field.name] = getattr(row, field.name)
    return values


def make_columns(kind: Record, values: Mapping[str, Any], before: Mapping[str, Any]) -> Values:
    """Turn fields that change into columns."""
    columns: Values = {}
    for field in kind.form_fields:
        if field.name not in values:
            continue
        value = values[field.name]
        if field.type == "point":
            columns[field.stored] = None if value is None else make_point(*value)
        elif field.name in ("first_day", "last_day"):
            days = {**before, **values}
            columns["valid"] = _make_range(days["first_day"], days["last_day"])
        elif field.name == "key":
            if value:
                columns["key"] = value
        else:
            columns[field.stored] = value
    return columns


def make_point(lon: float, lat: float) -> sa.ColumnElement[Any]:
    """Make a point of CGCS2000 degrees."""
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)


def _make_range(first: date, last: date | None) -> sa.ColumnElement[Any]:
    """Make a half-open range of days; the last day is in it, None leaves it open."""
    end = sa.null() if last is None else sa.literal(last + timedelta(days=1), sa.Date)
    return sa.cast(sa.func.daterange(sa.literal(first, sa.Date), end), DATERANGE)


# --- the whole row, to undo a change ----------------------------------------------------------


def _text_columns(kind: Record) -> list[sa.ColumnElement[Any]]:
    """List every column of a table as text."""
    return [
        sa.cast(_without_ewkb(column), sa.Text).label(column.name) for column in table_of(kind).c
    ]


def _without_ewkb(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    # the geometry type would wrap the column in ST_AsEWKB when it is selected
    return sa.type_coerce(column, sa.Text) if isinstance(column.type, Geometry) else column


def _columns_of_texts(kind: Record, texts: Mapping[str, str | None]) -> Values:
    """Turn a row of texts back into columns."""
    table = table_of(kind)
    return {
        name: sa.cast(sa.literal(value, sa.Text), table.c[name].type)
        for name, value in texts.items()
    }


# --- lists -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _ListColumns:
    """How a kind is shown in a list: expressions over its table and what is joined."""

    title: sa.ColumnElement[Any]
    detail: sa.ColumnElement[Any]
    word: sa.ColumnElement[Any]
    searched: tuple[sa.ColumnElement[Any], ...]
    joined: tuple[tuple[sa.FromClause, sa.ColumnElement[bool]], ...] = ()


_GRID: Final = t.grid_state.c


def _household_address() -> sa.ColumnElement[Any]:
    home = t.household.c
    group = sa.case((home.group_number > 0, sa.func.concat(" ", home.group_number, "组")), else_="")
    room = sa.case((home.room != "", sa.func.concat(" ", home.room)), else_="")
    return sa.func.concat(home.street, home.house_number, group, room)


def _list_columns(kind: Record) -> _ListColumns:
    table, empty = table_of(kind), sa.literal("")
    if kind.name == "household":
        family_name = sa.func.left(table.c.head_name, 1)
        address = _household_address()
        return _ListColumns(address, family_name, empty, (address, table.c.key))
    if not kind.has_key:  # what has no key of its own is named by its officer
        officer = t.officer.c
        with_officer = ((t.officer, officer.officer_id == table.c.officer_id),)
        words = [table.c[field.stored] for field in kind.of_type("choice")]
        if grid_column(kind) is None:
            name_or_phone = (officer.name, officer.phone)
            return _ListColumns(officer.name, officer.phone, empty, name_or_phone, with_officer)
        searched = (officer.name, _GRID.name, _GRID.code)
        grid_name, word = sa.func.coalesce(_GRID.name, ""), sa.func.concat_ws("_", *words)
        return _ListColumns(officer.name, grid_name, word, searched, with_officer)
    names = dict.fromkeys((*kind.title, *filter(None, (kind.detail,)), "key"))
    return _ListColumns(
        title=sa.func.coalesce(*(sa.func.nullif(table.c[name], "") for name in kind.title), ""),
        detail=table.c[kind.detail] if kind.detail else empty,
        word=table.c[kind.word] if kind.word else empty,
        searched=tuple(table.c[name] for name in names if kind.field(name).type != "choice"),
    )


def read_list(
    connection: sa.Connection,
    actor: Actor,
    kind: Record,
    *,
    words: Sequence[str],
    grid_id: int | None,
    near: tuple[float, float] | None,
    after: int | None,
    limit: int,
) -> Sequence[Any]:
    """Read records in sight with these words, the newest first or the nearest."""
    columns, table = _list_columns(kind), table_of(kind)
    key, place, grid = key_column(kind), place_column(kind), grid_column(kind)
    source: Any = table
    for other, condition in columns.joined:
        source = source.join(other, condition)
    if grid is not None:
        source = source.outerjoin(t.grid_state, (_GRID.grid_id == grid) & on_day(_GRID.valid, None))
    query = (
        sa.select(
            key.label("id"),
            columns.title.label("title"),
            columns.detail.label("detail"),
            columns.word.label("word"),
            (sa.null() if place is None else sa.func.ST_X(place)).label("lon"),
            (sa.null() if place is None else sa.func.ST_Y(place)).label("lat"),
            (sa.null() if grid is None else _GRID.name).label("grid_name"),
            (sa.func.lower(table.c.valid) if kind.dated else sa.null()).label("first_day"),
            (sa.func.upper(table.c.valid) - 1 if kind.dated else sa.null()).label("last_day"),
        )
        .select_from(source)
        .where(is_visible(actor, kind))
        .limit(limit)
    )
    for word in words:
        query = query.where(
            sa.or_(*(column.ilike(like_pattern(word)) for column in columns.searched))
        )
    if grid_id is not None and grid is not None:
        query = query.where(_lies_in_grid(kind, key, grid, grid_id))
    elif actor.areas is not None and table is t.household:
        query = query.where(key.in_(select_objects_in(kind.name, grids_below(actor.areas))))
    if near is not None and place is not None:
        query = query.order_by(place.op("<->")(make_point(*near)), key)
    else:
        query = query.order_by(key.desc())
        if after is not None:
            query = query.where(key < after)
    return connection.execute(query).all()


def _lies_in_grid(
    kind: Record, key: sa.ColumnElement[Any], grid: sa.Column[Any], grid_id: int
) -> sa.ColumnElement[bool]:
    if table_of(kind) not in NO_INDEX:
        return grid == grid_id
    return key.in_(select_objects_in(kind.name, sa.literal([grid_id], sa.ARRAY(sa.BigInteger))))


# --- one record --------------------------------------------------------------------------------


def select_form(kind: Record) -> sa.Select[Any]:
    """Select what :func:`read_values` reads; who asks adds which rows, and ``is_visible``."""
    return sa.select(*_form_columns(kind))


def find_row(
    connection: sa.Connection, actor: Actor, kind: Record, record_id: int, *, lock: bool = False
) -> Any:
    """Find the row of a record that an actor may see; None where there is none."""
    query = select_form(kind).where(key_column(kind) == record_id, is_visible(actor, kind))
    return connection.execute(query.with_for_update() if lock else query).first()


def is_in_sight(connection: sa.Connection, actor: Actor, kind: Record, record_id: int) -> bool:
    """Tell whether an actor sees a record."""
    condition = (key_column(kind) == record_id) & is_visible(actor, kind)
    return bool(connection.scalar(sa.select(sa.exists().where(condition))))


def has_grid(connection: sa.Connection, grid_id: int) -> bool:
    """Tell whether a grid is there today or later."""
    state = t.grid_state.c
    last_day = sa.func.coalesce(sa.func.upper(state.valid), sa.func.gis_today() + 1)
    condition = (state.grid_id == grid_id) & (last_day > sa.func.gis_today())
    return bool(connection.scalar(sa.select(sa.exists().where(condition))))


@in_whole_county
def read_title(connection: sa.Connection, kind: str, record_id: int) -> str:
    """Name a record that another one, which the actor sees, refers to."""
    if kind == "grid":
        newest = sa.select(_GRID.name).where(_GRID.grid_id == record_id)
        return str(connection.scalar(newest.order_by(sa.func.lower(_GRID.valid).desc())) or "")
    record = RECORDS[kind]
    query = sa.select(_list_columns(record).title).where(key_column(record) == record_id)
    return str(connection.scalar(query) or "")


def read_grid(connection: sa.Connection, grid_id: int | None) -> Any:
    """Read id, name and code of a grid as it is today; None where it is none."""
    return connection.execute(
        sa.select(_GRID.grid_id, _GRID.name, _GRID.code).where(
            _GRID.grid_id == grid_id, on_day(_GRID.valid, None)
        )
    ).first()


def read_snapshot(connection: sa.Connection, kind: Record, record_id: int) -> dict[str, str | None]:
    """Read a row that was found through :func:`find_row` as texts, exactly."""
    query = sa.select(*_text_columns(kind)).where(key_column(kind) == record_id)
    return dict(connection.execute(query).mappings().one())


def insert_record(connection: sa.Connection, kind: Record, columns: Values) -> int:
    """Insert a record; tell its id."""
    insert = sa.insert(table_of(kind)).values(columns).returning(key_column(kind))
    return int(connection.execute(insert).scalar_one())


def update_record(connection: sa.Connection, kind: Record, record_id: int, columns: Values) -> None:
    """Write columns of a record."""
    update = sa.update(table_of(kind)).where(key_column(kind) == record_id)
    connection.execute(update.values(columns))


def delete_record(connection: sa.Connection, kind: Record, record_id: int) -> None:
    """Delete a record."""
    connection.execute(sa.delete(table_of(kind)).where(key_column(kind) == record_id))


def restore_record(
    connection: sa.Connection, kind: Record, record_id: int, snapshot: Mapping[str, str | None]
) -> None:
    """Write a record as it was, but for its grid."""
    columns = _columns_of_texts(kind, snapshot)
    columns.pop("base_grid_id", None)
    columns.pop(key_column(kind).name)
    update_record(connection, kind, record_id, columns)


def reinsert_record(
    connection: sa.Connection, kind: Record, snapshot: Mapping[str, str | None]
) -> None:
    """Insert a record that was deleted, as it was."""
    connection.execute(sa.insert(table_of(kind)).values(_columns_of_texts(kind, snapshot)))


def delete_history(connection: sa.Connection, kind: Record, record_id: int) -> None:
    """Delete to which grids a record belonged."""
    membership = t.membership.c
    is_own = (membership.object_kind == kind.name) & (membership.object_id == record_id)
    connection.execute(sa.delete(t.membership).where(is_own))


def shift_footprint(
    old: tuple[float, float], new: tuple[float, float]
) -> dict[str, sa.ColumnElement[Any]]:
    """Make the column of a building's outline that moves as its point does."""
    shape = sa.func.ST_Translate(t.building.c.footprint, new[0] - old[0], new[1] - old[1])
    return {"footprint": shape}


def move_households(
    connection: sa.Connection, building_id: int, old: tuple[float, float], new: tuple[float, float]
) -> None:
    """Move the households of a building along, each by as much; those at its point, exactly."""
    home = t.household.c
    at_point = sa.func.ST_Equals(home.point, make_point(*old))
    moved = sa.func.ST_Translate(home.point, new[0] - old[0], new[1] - old[1])
    connection.execute(
        sa.update(t.household)
        .where(home.building_id == building_id)
        .values(point=sa.case((at_point, make_point(*new)), else_=moved))
    )


def read_grid_distance_m(connection: sa.Connection, kind: Record, record_id: int) -> float | None:
    """Read how far a record lies from its base grid."""
    assignment = t.assignment.c
    return connection.scalar(
        sa.select(assignment.distance_m)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == assignment.scheme_id)
        .where(
            t.grid_scheme.c.is_base,
            assignment.object_kind == kind.name,
            assignment.object_id == record_id,
            assignment.valid.op("@>")(sa.func.gis_today()),
        )
    )


# --- duties and leaves -------------------------------------------------------------------------


def find_grids_served_after(
    connection: sa.Connection, officer_id: int | None, day: date
) -> list[str]:
    """Find the grids that an officer serves after a day, by name."""
    duty, state = t.grid_duty.c, t.grid_state.c
    end = sa.func.coalesce(sa.func.upper(duty.valid), date(9999, 12, 31))
    names = connection.execute(
        sa.select(state.name)
        .distinct()
        .join(t.grid_duty, duty.grid_id == state.grid_id)
        .where(
            duty.officer_id == officer_id,
            end > day + timedelta(1),
            state.valid.op("@>")(sa.func.gis_today()),
        )
        .order_by(state.name)
    ).scalars()
    return list(names)


def find_overlapping(
    connection: sa.Connection,
    kind: Record,
    values: Mapping[str, Any],
    same: Sequence[str],
    record_id: int | None,
) -> Any:
    """Find another row with the same fields whose days meet the new ones."""
    table = table_of(kind)
    conditions = [table.c[kind.field(name).stored] == values[name] for name in same]
    if record_id is not None:
        conditions.append(key_column(kind) != record_id)
    days = _make_range(values["first_day"], values["last_day"])
    return connection.execute(
        sa.select(
            key_column(kind).label("id"),
            sa.func.lower(table.c.valid).label("first_day"),
            (sa.func.upper(table.c.valid) - 1).label("last_day"),
            table.c.officer_id,
        )
        .where(*conditions, table.c.valid.op("&&")(days))
        .order_by(sa.func.lower(table.c.valid))
    ).first()


# --- the log of changes ------------------------------------------------------------------------


def find_request(connection: sa.Connection, actor: Actor, request_key: str) -> Any:
    """Find the change that a request has made before; waits for one that is being made."""
    name = f"{actor.actor_id} {request_key}"
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
    return connection.execute(
        sa.select(t.entry_change).where(
            t.entry_change.c.actor_id == actor.actor_id,
            t.entry_change.c.request_key == request_key,
        )
    ).first()


def insert_change(connection: sa.Connection, **columns: Any) -> int:
    """Write a change down; tell its id."""
    if columns["before"] is None:
        columns["before"] = sa.null()
    insert = sa.insert(t.entry_change).values(**columns)
    return int(connection.execute(insert.returning(t.entry_change.c.change_id)).scalar_one())


def find_change(connection: sa.Connection, actor: Actor, change_id: int) -> Any:
    """Find a change of an actor and lock it."""
    return connection.execute(
        sa.select(t.entry_change)
        .where(t.entry_change.c.change_id == change_id, t.entry_change.c.actor_id == actor.actor_id)
        .with_for_update()
    ).first()


def is_younger(connection: sa.Connection, change: Any, age: timedelta) -> bool:
    """Tell whether a change was made less than so long ago."""
    return bool(connection.scalar(sa.select(sa.func.now() - sa.literal(change.at) <= age)))


def mark_undone(connection: sa.Connection, change_id: int) -> None:
    """Write down that a change was undone, and forget the row as it was."""
    connection.execute(
        sa.update(t.entry_change)
        .where(t.entry_change.c.change_id == change_id)
        .values(undone=True, before=sa.null())
    )


def delete_old_changes(connection: sa.Connection, undo_time: timedelta, age: timedelta) -> None:
    """Forget rows as they were after the time to undo, and changes altogether later."""
    change = t.entry_change.c
    connection.execute(sa.delete(t.entry_change).where(change.at < sa.func.now() - age))
    connection.execute(
        sa.update(t.entry_change)
        .values(before=sa.null())
        .where(change.before.is_not(None), change.at < sa.func.now() - undo_time)
    )
