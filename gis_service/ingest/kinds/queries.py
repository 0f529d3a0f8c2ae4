"""What the kinds of file ask of the store, and what they write there row by row.

The only module of this wing that builds statements; bulk copies go through ``store.bulk``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.permissions import SEE
from gis_service.geodesy import GeometryArray
from gis_service.ingest.readers.values import as_object_array
from gis_service.records import Record
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from gis_service.store.tables import SRID, table_of

Floats = npt.NDArray[np.float64]

EDGE_COLUMNS: Final = (
    "edge_id", "source_node", "target_node", "road_class", "name", "oneway", "maxspeed_kmh",
    "bridge", "tunnel", "foot", "motor",
)  # fmt: skip


def _key_column(table: sa.Table) -> sa.Column[Any]:
    return next(iter(table.primary_key))


def _is_one_of(column: sa.Column[Any], ids: Sequence[int]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.literal(ids, sa.ARRAY(sa.BigInteger)))


def _shapes_from_wkb(wkb: Sequence[Any]) -> GeometryArray:
    return np.asarray(shapely.from_wkb([bytes(value) for value in wkb]), dtype=object)


# --- records -----------------------------------------------------------------------------------


def read_records(
    connection: sa.Connection, actor: Actor, record: Record, columns_in_file: Collection[str]
) -> pd.DataFrame:
    """Read the rows that are there, by key, with what the file leaves out."""
    table = table_of(record)
    columns: list[Any] = [_key_column(table).label("id")]
    for name, frame_column in record.columns.items():
        if frame_column == "point":
            point = table.c[name]
            columns += [sa.func.ST_X(point).label("lon"), sa.func.ST_Y(point).label("lat")]
        elif name in columns_in_file and name != "key":
            continue
        elif name == "valid":
            columns += [
                sa.func.lower(table.c.valid).label("valid_from"),
                sa.func.upper(table.c.valid).label("valid_to"),
            ]
        elif name == "footprint":
            columns.append(sa.func.ST_AsBinary(table.c.footprint).label("footprint"))
        else:
            columns.append(table.c[name])
    query = sa.select(*columns).order_by(_key_column(table))
    if table.name in SEE:
        query = query.where(visible(actor, table))
    rows = connection.execute(query).all()
    names = [column.name for column in columns]
    frame = pd.DataFrame(
        {
            name: as_object_array(values)
            for name, values in zip(names, zip(*rows, strict=True), strict=True)
        }
        if rows
        else {name: pd.Series(dtype=object) for name in names}
    )
    return frame.set_index("key", drop=False)


def read_place_of_each(
    connection: sa.Connection, record: Record
) -> dict[str, tuple[int, float | None, float | None]]:
    """Read id, longitude and latitude of the records of a kind, by key."""
    assert record.place is not None
    table = table_of(record)
    point = table.c[record.place.stored]
    rows = connection.execute(
        sa.select(table.c.key, _key_column(table), sa.func.ST_X(point), sa.func.ST_Y(point))
    )
    return {key: (row_id, lon, lat) for key, row_id, lon, lat in rows}


def read_building_grids(connection: sa.Connection) -> dict[int, int | None]:
    """Read today's base grid of every building."""
    building = t.building.c
    rows = connection.execute(sa.select(building.building_id, building.base_grid_id)).all()
    return dict(rows)


@dataclass(frozen=True)
class MergedRows:
    """How many rows a merge wrote, and the ids of those whose place is another one now."""

    inserted: int
    changed: int
    moved: list[int]


def merge_records(
    connection: sa.Connection, record: Record, values: Mapping[str, Any]
) -> MergedRows:
    """Insert what is new, update what is another now, leave the rest alone."""
    table = table_of(record)
    incoming = _incoming_table(record)
    incoming.create(connection)
    copy_rows(connection, incoming, {"n": np.arange(len(values["key"])), **values})
    same_key = table.c.key == incoming.c.key
    moved = _read_moved(connection, record, incoming)
    other_columns = [name for name in record.columns if name != "key"]
    changed = connection.execute(
        sa.update(table)
        .values({name: incoming.c[name] for name in other_columns})
        .where(
            same_key,
            sa.or_(*(table.c[name].is_distinct_from(incoming.c[name]) for name in other_columns)),
        )
    ).rowcount
    names = [column.name for column in incoming.c if column.name != "n"]
    new_rows = (
        sa.select(*(incoming.c[name] for name in names))
        .where(~sa.exists().where(same_key))
        .order_by(incoming.c.n)
    )
    inserted = connection.execute(sa.insert(table).from_select(names, new_rows)).rowcount
    incoming.drop(connection)
    return MergedRows(inserted, changed, moved)


def _incoming_table(record: Record) -> sa.Table:
    """Describe a temporary table with the columns that are written."""
    stored_columns = table_of(record).c
    columns = [
        sa.Column(name, stored_columns[name].type, nullable=True)
        for name in (*record.columns, *(("base_grid_id",) if record.placed else ()))
    ]
    return sa.Table(
        f"incoming_{record.table}", sa.MetaData(), sa.Column("n", sa.Integer), *columns,
        prefixes=["TEMPORARY"], postgresql_on_commit="DROP",
    )  # fmt: skip


def _read_moved(connection: sa.Connection, record: Record, incoming: sa.Table) -> list[int]:
    """Name the stored rows whose place, or whose building, is another one in the file."""
    if not record.placed:
        return []
    table = table_of(record)
    differences = [table.c.point.is_distinct_from(incoming.c.point)]
    if record.follows:
        differences.append(table.c.building_id.is_distinct_from(incoming.c.building_id))
    query = sa.select(_key_column(table)).where(table.c.key == incoming.c.key, sa.or_(*differences))
    return list(connection.execute(query).scalars())


def find_referrers(connection: sa.Connection, record: Record, ids: Sequence[int]) -> dict[int, str]:
    """Find which of some rows others refer to and would not go with, and the table of these."""
    referrers: dict[int, str] = {}
    for referrer, column in _referring_columns(table_of(record)):
        query = sa.select(column).where(_is_one_of(column, ids))
        for row_id in connection.execute(query.distinct()).scalars():
            referrers.setdefault(row_id, referrer.name)
    return referrers


def _referring_columns(table: sa.Table) -> list[tuple[sa.Table, sa.Column[Any]]]:
    return [
        (referrer, key.parent)
        for referrer in t.metadata.sorted_tables
        for key in referrer.foreign_keys
        if key.column.table is table and key.ondelete is None
    ]


def delete_records(connection: sa.Connection, record: Record, ids: Sequence[int]) -> int:
    """Delete rows by their ids; tell how many there were."""
    table = table_of(record)
    statement = sa.delete(table).where(_is_one_of(_key_column(table), ids))
    return connection.execute(statement).rowcount


def read_postings(
    connection: sa.Connection, record: Record, identity: Sequence[str]
) -> list[dict[str, Any]]:
    """Read the rows of a kind without a key: ``id``, the identity, ``valid`` as a pair of days."""
    table = table_of(record)
    query = sa.select(
        _key_column(table).label("id"),
        *(table.c[name] for name in identity),
        sa.func.lower(table.c.valid).label("low"),
        sa.func.upper(table.c.valid).label("high"),
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row["valid"] = (row.pop("low"), row.pop("high"))
    return rows


# --- buildings ---------------------------------------------------------------------------------


def count_buildings(connection: sa.Connection, most: int) -> int:
    """Count the buildings, up to a number."""
    first = sa.select(t.building.c.building_id).limit(most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(first)).scalar_one())


def count_on_buildings(
    connection: sa.Connection,
    lon: Floats,
    lat: Floats,
    own_buildings: Sequence[int | None],
    within_degrees: float,
) -> int:
    """Count the places that lie on a building, on its own one where it has one."""
    numbers, ids = sa.ARRAY(sa.Double), sa.ARRAY(sa.BigInteger)
    places = (
        sa.func.unnest(
            sa.literal(lon.tolist(), numbers),
            sa.literal(lat.tolist(), numbers),
            sa.literal(own_buildings, ids),
        )
        .table_valued(
            sa.column("lon", sa.Double),
            sa.column("lat", sa.Double),
            sa.column("own", sa.BigInteger),
            name="place",
        )
        .render_derived()
    )
    point: Any = sa.func.ST_SetSRID(sa.func.ST_MakePoint(places.c.lon, places.c.lat), SRID)
    building = t.building.c
    near = sa.or_(
        sa.func.ST_DWithin(building.footprint, point, within_degrees),
        sa.func.ST_DWithin(building.point, point, within_degrees),
    )
    own_or_any = sa.or_(places.c.own.is_(None), building.building_id == places.c.own)
    query = (
        sa.select(sa.func.count()).select_from(places).where(sa.exists().where(near, own_or_any))
    )
    return int(connection.execute(query).scalar_one())


# --- grids -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredScheme:
    """The scheme as the store holds it: its levels, its open states, and who has which code."""

    scheme_id: int | None
    levels: dict[int, Any]
    states: pd.DataFrame
    identities: dict[str, int]

    @property
    def lowest(self) -> int:
        """Rank of the base grids."""
        return max(self.levels, default=0)


def read_scheme(connection: sa.Connection, scheme: str) -> StoredScheme:
    """Read a scheme by its code; one that is not there has no level and no state."""
    scheme_id = connection.execute(
        sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.code == scheme)
    ).scalar()
    columns = [
        "key", "grid_id", "rank", "name", "parent_grid_id", "kind", "urban_rural_class",
        "admin_code", "wkb",
    ]  # fmt: skip
    if scheme_id is None:
        return StoredScheme(None, {}, pd.DataFrame(columns=columns, dtype=object), {})
    level = t.grid_level
    levels = connection.execute(
        sa.select(level).where(level.c.scheme_id == scheme_id).order_by(level.c.rank)
    ).all()
    state, unit = t.grid_state.c, t.admin_unit
    query = (
        sa.select(
            state.code, state.grid_id, state.rank, state.name, state.parent_grid_id,
            t.grid.c.kind, state.urban_rural_class, unit.c.code,
            sa.func.ST_AsBinary(state.geom),
        )
        .join_from(t.grid_state, t.grid, t.grid.c.grid_id == state.grid_id)
        .join(unit, unit.c.admin_unit_id == state.admin_unit_id, isouter=True)
        .where(state.scheme_id == scheme_id, sa.func.upper_inf(state.valid))
        .order_by(state.grid_id)
    )  # fmt: skip
    states = pd.DataFrame(connection.execute(query).all(), columns=columns, dtype=object)
    codes = connection.execute(
        sa.select(t.grid_code.c.code, t.grid_code.c.grid_id).where(
            t.grid_code.c.scheme_id == scheme_id
        )
    )
    return StoredScheme(
        int(scheme_id), {row.rank: row for row in levels}, states, dict(codes.all())
    )


def read_arcs(connection: sa.Connection, scheme_id: int | None) -> GeometryArray:
    """Read the borders of a scheme as they stand."""
    arc = t.linework_arc.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(arc.geom)).where(
            arc.scheme_id == scheme_id, sa.func.upper_inf(arc.valid)
        )
    ).scalars()
    return _shapes_from_wkb(rows.all())


def read_arcs_of_a_kind(
    connection: sa.Connection, scheme_id: int | None
) -> tuple[GeometryArray, list[str]]:
    """Read the borders that run along something, and along what."""
    arc = t.linework_arc.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(arc.geom), arc.kind).where(
            arc.scheme_id == scheme_id, sa.func.upper_inf(arc.valid), arc.kind != "other"
        )
    ).all()
    return _shapes_from_wkb([wkb for wkb, _ in rows]), [kind for _, kind in rows]


# --- roads -------------------------------------------------------------------------------------


def read_active_edges(connection: sa.Connection) -> GeometryArray:
    """Read the lines of the active network."""
    edge, network = t.road_edge, t.road_network
    query = (
        sa.select(sa.func.ST_AsBinary(edge.c.geom))
        .join(network, network.c.network_id == edge.c.network_id)
        .where(network.c.active)
        .order_by(edge.c.edge_id)
    )
    return _shapes_from_wkb(connection.execute(query).scalars().all())


def read_active_edge_rows(connection: sa.Connection) -> set[tuple[Any, ...]]:
    """Read :data:`EDGE_COLUMNS` and the WKB of the edges of the active network."""
    edge, network = t.road_edge, t.road_network
    query = (
        sa.select(*(edge.c[name] for name in EDGE_COLUMNS), sa.func.ST_AsBinary(edge.c.geom))
        .join(network, network.c.network_id == edge.c.network_id)
        .where(network.c.active)
    )
    return {(*row[:-1], bytes(row[-1])) for row in connection.execute(query)}


# --- administrative units ----------------------------------------------------------------------


def read_units(connection: sa.Connection) -> pd.DataFrame:
    """Read the units that have not ended."""
    unit = t.admin_unit.c
    query = sa.select(
        unit.admin_unit_id, unit.code, unit.name, unit.level, unit.source_list, unit.parent_id,
        unit.urban_rural_class, sa.func.ST_AsBinary(unit.geom).label("wkb"),
        sa.func.lower(unit.valid).label("since"),
    ).where(sa.func.upper_inf(unit.valid)).order_by(unit.admin_unit_id)  # fmt: skip
    result = connection.execute(query)
    return pd.DataFrame(result.all(), columns=list(result.keys()), dtype=object)


def read_unit_ids(
    connection: sa.Connection, level: str, source_lists: Sequence[str]
) -> Sequence[Any]:
    """Read list, code, name and id of the units of a level and of some lists."""
    unit = t.admin_unit.c
    return connection.execute(
        sa.select(unit.source_list, unit.code, unit.name, unit.admin_unit_id).where(
            unit.level == level, unit.source_list.in_(source_lists), sa.func.upper_inf(unit.valid)
        )
    ).all()


def update_units(connection: sa.Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    """Write ``name``, ``parent_id``, ``urban_rural_class`` and, unless None, ``wkb`` of units."""
    unit = t.admin_unit
    statement = sa.update(unit).where(unit.c.admin_unit_id == sa.bindparam("unit_id"))
    for with_shape in (False, True):
        rows = [change for change in changes if (change["wkb"] is not None) == with_shape]
        values: dict[str, Any] = {
            name: sa.bindparam(f"new_{name}") for name in ("name", "parent_id", "urban_rural_class")
        }
        if with_shape:
            values["geom"] = sa.func.ST_GeomFromWKB(sa.bindparam("wkb"), t.SRID)
        if rows:
            own_names = ("unit_id", "wkb") if with_shape else ("unit_id",)
            bound = [
                {
                    (name if name in own_names else f"new_{name}"): value
                    for name, value in row.items()
                }
                for row in rows
            ]
            connection.execute(statement.values(**values), bound)


def end_units(connection: sa.Connection, ids: Sequence[int], day: date) -> None:
    """End units; the day is their first one without."""
    unit = t.admin_unit
    valid = sa.func.daterange(sa.func.lower(unit.c.valid), sa.cast(day, sa.Date))
    connection.execute(sa.update(unit).values(valid=valid).where(unit.c.admin_unit_id.in_(ids)))


def delete_unused_units(connection: sa.Connection, ids: Sequence[int]) -> None:
    """Delete those of some units to which neither a grid nor a lower unit belongs."""
    unit = t.admin_unit
    child = unit.alias()
    has_grid = sa.exists().where(t.grid_state.c.admin_unit_id == unit.c.admin_unit_id)
    has_child = sa.exists().where(child.c.parent_id == unit.c.admin_unit_id)
    connection.execute(sa.delete(unit).where(unit.c.admin_unit_id.in_(ids), ~has_grid, ~has_child))
