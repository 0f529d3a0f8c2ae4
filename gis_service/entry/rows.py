"""Fields of a record and columns of its table, one into the other; who may see which row.

Also the whole row as texts, exact for every type, so that a change can be taken back. Nothing is
read or written here.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service.access import Actor, sees_grid, visible
from gis_service.access.permissions import SEE
from gis_service.access.visibility import grids_below
from gis_service.entry.fields import Values
from gis_service.records import Record
from gis_service.store import tables as t
from gis_service.store.tables import SRID, table_of

Condition = sa.ColumnElement[bool]

_VERSION: Final = "xmin"  # PostgreSQL's own: another one after every change of the row


def identity(kind: Record) -> sa.Column[Any]:
    """Give the column of a kind's ids."""
    return next(iter(table_of(kind).primary_key))


def place_of(kind: Record) -> sa.Column[Any] | None:
    """Give the column of a kind's place, if it has one."""
    return None if kind.place is None else table_of(kind).c[kind.place.stored]


def grid_of(kind: Record) -> sa.Column[Any] | None:
    """Give the column of the grid that a kind belongs to, if there is one."""
    if kind.placed:
        return table_of(kind).c.base_grid_id
    return next((table_of(kind).c[one.stored] for one in kind.of_type("grid")), None)


def seen(actor: Actor, kind: Record) -> Condition:
    """Say which rows of a kind an actor may see and change."""
    table, grid = table_of(kind), grid_of(kind)
    if table.name in SEE:
        return visible(actor, table)
    if grid is not None:
        return sees_grid(actor, t.hazard if kind.placed else t.officer, grid)
    for one in kind.of_type("officer"):
        served = sa.select(t.officer.c.officer_id).where(visible(actor, t.officer))
        return table.c[one.stored].in_(served)
    if actor.areas is None:
        return sa.true()
    place = place_of(kind)
    if place is None:
        return sa.false()
    grid_id: Condition = sa.func.gis_grid_at(place, "base")
    return grid_id.in_(grids_below(actor.areas))


def read_columns(kind: Record) -> list[sa.ColumnElement[Any]]:
    """List what a query must select for :func:`values_of`."""
    table = table_of(kind)
    columns: list[sa.ColumnElement[Any]] = [
        identity(kind).label("record_id"),
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


def values_of(kind: Record, row: Any) -> Values:
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


def columns_of(kind: Record, values: Mapping[str, Any], before: Mapping[str, Any]) -> Values:
    """Turn fields that change into columns."""
    columns: Values = {}
    for field in kind.form_fields:
        if field.name not in values:
            continue
        value = values[field.name]
        if field.type == "point":
            columns[field.stored] = None if value is None else point(*value)
        elif field.name in ("first_day", "last_day"):
            days = {**before, **values}
            columns["valid"] = days_range(days["first_day"], days["last_day"])
        elif field.name == "key":
            if value:
                columns["key"] = value
        else:
            columns[field.stored] = value
    return columns


def point(lon: float, lat: float) -> sa.ColumnElement[Any]:
    """Make a point of CGCS2000 degrees."""
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)


def days_range(first: date, last: date | None) -> sa.ColumnElement[Any]:
    """Make a half-open range of days; the last day is in it, None leaves it open."""
    end = sa.null() if last is None else sa.literal(last + timedelta(days=1), sa.Date)
    return sa.cast(sa.func.daterange(sa.literal(first, sa.Date), end), DATERANGE)


# --- the whole row, to take a change back ------------------------------------------------------


def text_columns(kind: Record) -> list[sa.ColumnElement[Any]]:
    """List every column of a table as text."""
    return [sa.cast(_plain(column), sa.Text).label(column.name) for column in table_of(kind).c]


def _plain(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    # the geometry type would wrap the column in ST_AsEWKB when it is selected
    return sa.type_coerce(column, sa.Text) if isinstance(column.type, Geometry) else column


def columns_of_texts(kind: Record, texts: Mapping[str, str | None]) -> Values:
    """Turn a row of texts back into columns."""
    table = table_of(kind)
    return {
        name: sa.cast(sa.literal(value, sa.Text), table.c[name].type)
        for name, value in texts.items()
    }
