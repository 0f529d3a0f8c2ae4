"""Which row a file means: by its key, an officer also by name, a grid by code or name."""

from collections.abc import Iterable

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.permissions import SEE
from gis_service.records import RECORDS, Record
from gis_service.store import tables as t
from gis_service.store.tables import table_of


def ids_by_key(
    connection: sa.Connection, actor: Actor, record: Record
) -> dict[str, dict[str, int]]:
    """Read the ids of what records refer to."""
    return {one.type: _ids(connection, actor, one.type) for one in record.references}


def _ids(connection: sa.Connection, actor: Actor, kind: str) -> dict[str, int]:
    if kind == "grid":
        return _grids(connection)
    table = table_of(RECORDS[kind])
    named = table.c.name if kind == "officer" else table.c.key
    query = sa.select(table.c.key, named, next(iter(table.primary_key)))
    if table.name in SEE:
        query = query.where(visible(actor, table))
    rows = connection.execute(query).all()
    return _by_name((name, identity) for _, name, identity in rows) | {
        key: identity for key, _, identity in rows
    }


def _grids(connection: sa.Connection) -> dict[str, int]:
    """Name grids of every scheme by the codes they ever had, the base scheme's going first."""
    state, scheme = t.grid_state.c, t.grid_scheme.c
    named = connection.execute(
        sa.select(state.name, state.grid_id)
        .join(t.grid_scheme, scheme.scheme_id == state.scheme_id)
        .where(scheme.is_base, state.valid.op("@>")(sa.func.gis_today()))
    ).all()
    codes = connection.execute(
        sa.select(t.grid_code.c.code, t.grid_code.c.grid_id)
        .join(t.grid_scheme, scheme.scheme_id == t.grid_code.c.scheme_id)
        .order_by(scheme.is_base, scheme.scheme_id.desc())
    ).all()
    return _by_name((row.name, row.grid_id) for row in named) | {
        row.code: row.grid_id for row in codes
    }


def _by_name(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int | None] = {}
    for name, identity in pairs:
        found[name] = None if name in found else identity
    return {name: identity for name, identity in found.items() if identity is not None}
