"""What an import asks of the store and writes there row by row; bulk copies go through the store.

The only module of this wing that builds statements.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import shapely
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.permissions import SEE
from gis_service.ingest.readers.frames import Refusal
from gis_service.records import RECORDS, Record
from gis_service.store import tables as t
from gis_service.store.engine import lock_roads
from gis_service.store.tables import table_of

LISTED_REFUSALS: Final = 1000
"""As many refusals stand in the import record; their number is always the whole."""
REGIONS: Final = ("osm", "demo")
"""Kinds of import that bring a whole region."""


# --- the import record -------------------------------------------------------------------------


@dataclass(frozen=True)
class ImportSource:
    """Where rows come from."""

    # File name without its folder, or what made the rows.
    name: str
    # Of the file.
    sha256: str
    # What its coordinates were before they became CGCS2000.
    crs: str
    # Kind of import: ``osm``, ``demo`` …
    kind: str
    # State of its roads, where it is known.
    data_day: date | None = None
    # True where the roads go on beyond the file.
    clipped: bool = False

    @classmethod
    def of_file(cls, path: Path, kind: str, crs: str = "EPSG:4326") -> "ImportSource":
        """Describe a file."""
        with path.open("rb") as file:
            return cls(path.name, hashlib.file_digest(file, "sha256").hexdigest(), crs, kind)


def insert_import(
    connection: sa.Connection,
    actor: Actor,
    source: ImportSource,
    taken: Mapping[str, int],
    refusals: Sequence[Refusal],
    details: Mapping[str, Any],
    *,
    personal: bool = False,
) -> int:
    """Write the import record; where rows are personal, not which they were."""
    listed = [
        {
            "row": refusal.row,
            "feature": None if personal else refusal.feature,
            "field": refusal.field,
            "reason": refusal.reason,
            "key": refusal.key,
            "values": dict(refusal.values),
        }
        for refusal in refusals[:LISTED_REFUSALS]
    ]
    insert = sa.insert(t.import_record).values(
        kind=source.kind,
        source_name=source.name,
        sha256=source.sha256,
        crs=source.crs,
        actor_id=actor.actor_id,
        taken=dict(taken),
        refused=len(refusals),
        refusals=listed,
        details=dict(details),
    )
    return int(connection.execute(insert.returning(t.import_record.c.import_id)).scalar_one())


def read_imports(connection: sa.Connection, limit: int, offset: int) -> tuple[Sequence[Any], int]:
    """Read a page of past imports, the newest first, and how many there are in all."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.import_record)) or 0
    imports = t.import_record.c
    rows = connection.execute(
        sa.select(
            imports.import_id,
            imports.kind,
            imports.source_name,
            imports.crs,
            t.actor.c.name,
            t.actor.c.name_en,
            imports.finished_at,
            sa.func.coalesce(imports.details["counts"], sa.literal({}, imports.details.type)),
            imports.taken,
            imports.refused,
        )
        .join(t.actor, t.actor.c.actor_id == imports.actor_id)
        .order_by(imports.import_id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    return rows, total


def read_region_imports(connection: sa.Connection) -> Sequence[Any]:
    """Read name, SHA-256 and details of the files that brought a region."""
    imports = t.import_record.c
    return connection.execute(
        sa.select(imports.source_name, imports.sha256, imports.details).where(
            imports.kind.in_(REGIONS)
        )
    ).all()


def read_region_note_values(connection: sa.Connection) -> Sequence[Mapping[str, Any]]:
    """Read what was noted of the last file that brought a region."""
    imports = t.import_record.c
    notes = connection.scalar(
        sa.select(imports.details["notes"])
        .where(imports.kind.in_(REGIONS))
        .order_by(imports.import_id.desc())
        .limit(1)
    )
    return notes or ()


def read_refusals(connection: sa.Connection, import_id: int) -> Sequence[Mapping[str, Any]] | None:
    """Read what an import refused; None where there is no such import."""
    imports = t.import_record.c
    return connection.scalar(sa.select(imports.refusals).where(imports.import_id == import_id))


# --- what rows refer to ------------------------------------------------------------------------


def read_ids_by_key(connection: sa.Connection, record: Record) -> dict[str, int]:
    """Read the ids of all records of a kind."""
    table = table_of(record)
    rows = connection.execute(sa.select(table.c.key, next(iter(table.primary_key))))
    return dict(rows.all())


def read_reference_ids(
    connection: sa.Connection, actor: Actor, record: Record
) -> dict[str, dict[str, int]]:
    """Read the ids of what records refer to, by kind: by key, an officer also by a unique name."""
    return {
        reference.type: _read_grid_ids(connection)
        if reference.type == "grid"
        else _read_ids_in_sight(connection, actor, reference.type)
        for reference in record.references
    }


def _read_ids_in_sight(connection: sa.Connection, actor: Actor, kind: str) -> dict[str, int]:
    table = table_of(RECORDS[kind])
    name_column = table.c.name if kind == "officer" else table.c.key
    query = sa.select(table.c.key, name_column, next(iter(table.primary_key)))
    if table.name in SEE:
        query = query.where(visible(actor, table))
    rows = connection.execute(query).all()
    return _by_unique_name((name, row_id) for _, name, row_id in rows) | {
        key: row_id for key, _, row_id in rows
    }


def _read_grid_ids(connection: sa.Connection) -> dict[str, int]:
    """Read grids of every scheme by the codes they ever had, the base scheme's going first."""
    state, scheme = t.grid_state.c, t.grid_scheme.c
    names = connection.execute(
        sa.select(state.name, state.grid_id)
        .join(t.grid_scheme, scheme.scheme_id == state.scheme_id)
        .where(scheme.is_base, state.valid.op("@>")(sa.func.gis_today()))
    ).all()
    codes = connection.execute(
        sa.select(t.grid_code.c.code, t.grid_code.c.grid_id)
        .join(t.grid_scheme, scheme.scheme_id == t.grid_code.c.scheme_id)
        .order_by(scheme.is_base, scheme.scheme_id.desc())
    ).all()
    return _by_unique_name((row.name, row.grid_id) for row in names) | {
        row.code: row.grid_id for row in codes
    }


def _by_unique_name(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    ids: dict[str, int | None] = {}
    for name, row_id in pairs:
        ids[name] = None if name in ids else row_id
    return {name: row_id for name, row_id in ids.items() if row_id is not None}


# --- roads -------------------------------------------------------------------------------------


def deactivate_networks(connection: sa.Connection) -> None:
    """Wait for whoever changes roads, then leave no network active."""
    network = t.road_network
    lock_roads(connection)
    connection.execute(sa.update(network).where(network.c.active).values(active=False))


def insert_network(
    connection: sa.Connection, name: str, source: str, data_day: date | None, *, clipped: bool
) -> int:
    """Write an active network; tell its id."""
    network = t.road_network
    insert = sa.insert(network).values(
        name=name, source=source, data_day=data_day, clipped=clipped, active=True
    )
    return int(connection.execute(insert.returning(network.c.network_id)).scalar_one())


def insert_turns(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write turns of a network."""
    connection.execute(sa.insert(t.road_turn), rows)


# --- administrative units ----------------------------------------------------------------------


def put_admin_unit(connection: sa.Connection, row: Mapping[str, Any], parent_id: int | None) -> int:
    """Update the unit of this list, level and code that is valid then, or insert it."""
    unit = t.admin_unit
    first_day, last_day = row["valid"]
    area = row["geometry"]
    if isinstance(area, shapely.Polygon):
        area = shapely.MultiPolygon([area])
    valid = sa.func.daterange(sa.cast(first_day, sa.Date), sa.cast(last_day, sa.Date))
    values = {
        "name": row["name"],
        "parent_id": parent_id,
        "urban_rural_class": row["urban_rural_class"] or None,
        "valid": valid,
        "geom": None if area is None else sa.func.ST_GeomFromWKB(shapely.to_wkb(area), t.SRID),
    }
    identity = {name: row[name] for name in ("code", "source_list", "level")}
    unit_id = connection.execute(
        sa.select(unit.c.admin_unit_id)
        .filter_by(**identity)
        .where(unit.c.valid.op("&&")(valid))
        .order_by(unit.c.admin_unit_id)
    ).scalar()
    if unit_id is None:
        insert = sa.insert(unit).values(**identity, **values)
        return int(connection.execute(insert.returning(unit.c.admin_unit_id)).scalar_one())
    update = sa.update(unit).where(unit.c.admin_unit_id == unit_id)
    connection.execute(update.values(**values))
    return int(unit_id)
