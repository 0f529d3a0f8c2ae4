"""Frames go into the store: checked at the door, copied in bulk, recorded.

A region replaces the one that was there as a whole, in the caller's one transaction: what fails
leaves the store as it was. Rows are placed in today's grids on their way in; the history is the
assignment's. Grids are not written here but published.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service import geodesy
from gis_service.access import Actor, record
from gis_service.grids.assignment import Placement
from gis_service.ingest.readers.frames import CountyFrames, Note, Refusal
from gis_service.ingest.writing.checks import AREAS, References, check
from gis_service.ingest.writing.validating import Validator
from gis_service.records import RECORDS, Record, referred
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from gis_service.store.engine import lock_roads
from gis_service.store.tables import table_of

LISTED_REFUSALS: Final = 1000
"""As many refusals stand in the import record; their number is always the whole."""

_LINES: Final = (shapely.GeometryType.LINESTRING,)
_BIGGEST: Final = 2**63 - 1
_FASTEST_KMH: Final = 300.0
_END_DEGREES: Final = 1e-6
_LEVELS: Final = ("county", "town", "village")
_CLASSES: Final = tuple(f"{a}{b}{c}" for a in "12" for b in "12" for c in "0123")


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

    @classmethod
    def of_file(cls, path: Path, kind: str, crs: str = "EPSG:4326") -> "ImportSource":
        """Describe a file."""
        with path.open("rb") as file:
            return cls(path.name, hashlib.file_digest(file, "sha256").hexdigest(), crs, kind)


@dataclass(frozen=True)
class RowsWritten:
    """What one table took: the rows, what was refused, and the new ids by key."""

    rows: int
    refusals: list[Refusal]
    ids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RoadsWritten:
    """What the network took; without any edge there is no network and the id is None."""

    network_id: int | None
    nodes: int
    edges: int
    refusals: list[Refusal]
    turns: int = 0


@dataclass(frozen=True)
class ImportResult:
    """What an import did."""

    # Row of ``import_record``.
    import_id: int
    # Rows by table: written now, and taken away for them.
    taken: dict[str, int]
    replaced: dict[str, int]
    # The active network; None where the region has no road.
    network_id: int | None
    # What did not go in, and what else is to be said.
    refusals: list[Refusal]
    notes: list[Note]


def write_frames(
    connection: sa.Connection,
    actor: Actor,
    frames: CountyFrames,
    *,
    grid_ids: Mapping[str, int] | None,
    source: ImportSource,
    data_day: date | None = None,
    clipped: bool = False,
    refused_before: Sequence[Refusal] = (),
    notes: Sequence[Note] = (),
    details: Mapping[str, Any] | None = None,
    replace: bool = True,
) -> ImportResult:
    """Write a region."""
    replaced = clear_region(connection) if replace else {}
    roads = write_roads(
        connection, frames.road_nodes, frames.road_edges, source.name, source.kind, data_day,
        clipped=clipped, turns=frames.road_turns,
    )  # fmt: skip
    written = {"admin_unit": write_admin_units(connection, frames.admin_units)}
    placement = Placement(connection)
    ids: dict[str, Mapping[str, int]] = {"grid": grid_ids or {}}
    for kind in RECORDS.values():
        frame = getattr(frames, kind.plural, None)
        if frame is not None:
            one = write_records(connection, kind, frame, ids, placement)
            written[kind.table], ids[kind.name] = one, one.ids
    written["land_cover"] = write_land_cover(connection, frames.land_cover)
    taken = {"road_node": roads.nodes, "road_edge": roads.edges, "road_turn": roads.turns}
    taken |= {name: one.rows for name, one in written.items()}
    refusals = [*refused_before, *roads.refusals]
    refusals += [refusal for one in written.values() for refusal in one.refusals]
    said = [*notes]
    if replaced:
        counts = ", ".join(f"{name} {count}" for name, count in replaced.items())
        said.append(Note("ingest.replaced", {"counts": counts}))
    kept = {**(details or {}), "notes": [asdict(one) for one in said]}
    import_id = _record_import(connection, actor, source, taken, replaced, refusals, kept)
    return ImportResult(import_id, taken, replaced, roads.network_id, refusals, said)


def clear_region(connection: sa.Connection) -> dict[str, int]:
    """Take away everything of a region but its grids."""
    # Grids, their codes and versions stay, since a code never means another grid; so do the admin
    # units that grids refer to, the events and the import records.
    lock_roads(connection)
    records = [table_of(record) for record in reversed(RECORDS.values())]
    # children before parents, so that no row is left without what it points to
    tables = (
        t.coverage_run, t.membership, *records, t.land_cover, t.road_turn, t.road_edge,
        t.road_node, t.road_network,
    )  # fmt: skip
    counts = {table.name: connection.execute(sa.delete(table)).rowcount for table in tables}
    counts["admin_unit"] = _clear_admin_units(connection)
    return {name: count for name, count in counts.items() if count}


def _clear_admin_units(connection: sa.Connection) -> int:
    used = sa.union(
        sa.select(t.grid_state.c.admin_unit_id).where(t.grid_state.c.admin_unit_id.is_not(None)),
        sa.select(t.admin_unit_successor.c.old_id),
        sa.select(t.admin_unit_successor.c.new_id),
    ).subquery()
    child = t.admin_unit.alias()
    total = 0
    while True:
        has_child = sa.exists().where(child.c.parent_id == t.admin_unit.c.admin_unit_id)
        unused = t.admin_unit.c.admin_unit_id.not_in(sa.select(used.c.admin_unit_id))
        count = connection.execute(sa.delete(t.admin_unit).where(unused, ~has_child)).rowcount
        if not count:
            return total
        total += count


def _record_import(
    connection: sa.Connection,
    actor: Actor,
    source: ImportSource,
    taken: Mapping[str, int],
    replaced: Mapping[str, int],
    refusals: Sequence[Refusal],
    details: Mapping[str, Any],
) -> int:
    listed = [
        {
            "row": refusal.row,
            "feature": refusal.feature,
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
    import_id = connection.execute(insert.returning(t.import_record.c.import_id)).scalar_one()
    after = {"source": source.name, "sha256": source.sha256, "taken": dict(taken)}
    record(
        connection, actor, "import", "region", import_id,
        before={"taken": dict(replaced)}, after=after | {"refused": len(refusals)},
    )  # fmt: skip
    return int(import_id)


# --- roads -------------------------------------------------------------------------------------


def write_roads(
    connection: sa.Connection,
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    name: str,
    source: str,
    data_day: date | None = None,
    *,
    clipped: bool = False,
    turns: pd.DataFrame | None = None,
) -> RoadsWritten:
    """Write a road network and make it the active one."""
    places = Validator("road_nodes", nodes, "node_id")
    places.numbers("node_id", -_BIGGEST, _BIGGEST)
    places.points()
    places.unique("node_id")
    points = dict(zip(places.take("node_id").tolist(), places.take("point"), strict=True))
    lines = _checked_edges(edges, points)
    network = t.road_network
    lock_roads(connection)
    connection.execute(sa.update(network).where(network.c.active).values(active=False))
    refusals = places.refusals + lines.refusals
    if not lines.good.any():
        return RoadsWritten(None, 0, 0, refusals)
    insert = sa.insert(network).values(
        name=name, source=source, data_day=data_day, clipped=clipped, active=True
    )
    network_id = int(connection.execute(insert.returning(network.c.network_id)).scalar_one())
    node_rows = copy_rows(
        connection,
        t.road_node,
        {
            "network_id": np.full(len(points), network_id),
            "node_id": places.take("node_id"),
            "point": places.take("point"),
        },
    )
    same = (
        "edge_id", "source_node", "target_node", "road_class", "name", "oneway", "maxspeed_kmh",
        "bridge", "tunnel", "dual_carriageway", "roundabout", "foot", "motor", "length_m",
    )  # fmt: skip
    columns = {column: lines.take(column) for column in same}
    columns["geom"] = lines.take("geometry")
    columns["network_id"] = np.full(int(lines.good.sum()), network_id)
    edge_rows = copy_rows(connection, t.road_edge, columns)
    turn_rows = 0
    if turns is not None and len(turns):
        _write_turns(connection, network_id, turns, lines.take("edge_id"))
        turn_rows = len(turns)
    return RoadsWritten(network_id, node_rows, edge_rows, refusals, turn_rows)


def _write_turns(
    connection: sa.Connection, network_id: int, turns: pd.DataFrame, edge_ids: Any
) -> None:
    known = turns["from_edge"].isin(edge_ids) & turns["to_edge"].isin(edge_ids)
    whole = turns["from_edge"].notna()
    why_not = turns["why_not"].mask(whole & ~known, "not_here")
    numbers = {
        name: [None if pd.isna(value) else int(value) for value in turns[name]]
        for name in ("relation_id", "from_edge", "via_node", "to_edge")
    }
    rows = {
        "network_id": [network_id] * len(turns),
        "turn_number": list(range(1, len(turns) + 1)),
        "kind": turns["kind"].tolist(),
        "why_not": [None if pd.isna(value) else value for value in why_not],
        **numbers,
    }
    names = list(rows)
    connection.execute(
        sa.insert(t.road_turn),
        [dict(zip(names, row, strict=True)) for row in zip(*rows.values(), strict=True)],
    )


def _checked_edges(edges: pd.DataFrame, points: Mapping[int, Any]) -> Validator:
    door = Validator("road_edges", edges, "edge_id")
    for column in ("edge_id", "source_node", "target_node"):
        door.numbers(column, -_BIGGEST, _BIGGEST)
    door.one_of("road_class", t.ROAD_CLASSES)
    door.texts("name")
    door.numbers("oneway", -1, 1)
    door.numbers("maxspeed_kmh", 1e-3, _FASTEST_KMH, whole=False, optional=True)
    door.flags("bridge", "tunnel", "dual_carriageway", "roundabout", "foot", "motor")
    door.geometries("geometry", _LINES)
    door.unique("edge_id")
    known = list(points)
    for column, end in (("source_node", 0), ("target_node", -1)):
        ids = door.columns[column]
        door.refuse(~np.isin(ids, known), "ingest.row_unknown_key", column)
        own = np.array([points.get(node) for node in ids.tolist()], dtype=object)
        tip = shapely.get_point(door.columns["geometry"], end)
        apart = ~(shapely.distance(own, tip) <= _END_DEGREES)
        door.refuse(apart, "ingest.row_wrong_ends", column)
    # only lines that are lines have a length
    lines = np.where(door.good, door.columns["geometry"], np.array(None, dtype=object))
    door.columns["length_m"] = geodesy.length_m(lines)
    door.refuse(~(door.columns["length_m"] > 0), "ingest.row_no_length", "geometry")
    return door


# --- land --------------------------------------------------------------------------------------


def write_admin_units(connection: sa.Connection, frame: pd.DataFrame) -> RowsWritten:
    """Write administrative units, parents first."""
    door = Validator("admin_units", frame, "code")
    door.texts("code", "name", "source_list", required=True)
    door.texts("parent_code", "urban_rural_class")
    door.one_of("level", _LEVELS)
    door.one_of("urban_rural_class", ("", *_CLASSES))
    door.geometries("geometry", AREAS, optional=True)
    door.ranges()
    door.apart(("code", "source_list", "level"))
    ids: dict[str, int] = {}
    rows = 0
    for level in _LEVELS:
        here = door.good & (door.columns["level"] == level)
        door.refuse(
            here & (door.columns["parent_code"] != "") & ~np.isin(
                door.columns["parent_code"].astype(str), list(ids)
            ),
            "ingest.row_unknown_key",
            "parent_code",
        )  # fmt: skip
        parents = dict(ids)
        for index in np.flatnonzero(here & door.good).tolist():
            row = {name: column[index] for name, column in door.columns.items()}
            ids[row["code"]] = _put_admin_unit(connection, row, parents.get(row["parent_code"]))
            rows += 1
    return RowsWritten(rows, door.refusals, ids)


def _put_admin_unit(
    connection: sa.Connection, row: Mapping[str, Any], parent_id: int | None
) -> int:
    unit = t.admin_unit
    low, high = row["valid"]
    area = row["geometry"]
    if isinstance(area, shapely.Polygon):
        area = shapely.MultiPolygon([area])
    valid = sa.func.daterange(sa.cast(low, sa.Date), sa.cast(high, sa.Date))
    values = {
        "name": row["name"],
        "parent_id": parent_id,
        "urban_rural_class": row["urban_rural_class"] or None,
        "valid": valid,
        "geom": None if area is None else sa.func.ST_GeomFromWKB(shapely.to_wkb(area), t.SRID),
    }
    same = {name: row[name] for name in ("code", "source_list", "level")}
    found = connection.execute(
        sa.select(unit.c.admin_unit_id)
        .filter_by(**same)
        .where(unit.c.valid.op("&&")(valid))
        .order_by(unit.c.admin_unit_id)
    ).scalars()
    unit_id = next(iter(found.all()), None)
    if unit_id is None:
        insert = sa.insert(unit).values(**same, **values)
        return int(connection.execute(insert.returning(unit.c.admin_unit_id)).scalar_one())
    update = sa.update(unit).where(unit.c.admin_unit_id == unit_id)
    connection.execute(update.values(**values))
    return int(unit_id)


def write_land_cover(connection: sa.Connection, frame: pd.DataFrame) -> RowsWritten:
    """Write water, green and built-up land."""
    door = Validator("land_cover", frame)
    door.texts("key", required=True)
    door.texts("name")
    door.one_of("kind", ("water", "green", "built"))
    door.geometries("geometry", AREAS)
    door.unique("key")
    columns = {name: door.take(name) for name in ("key", "kind", "name")}
    columns["geom"] = door.take("geometry")
    return RowsWritten(copy_rows(connection, t.land_cover, columns), door.refusals)


# --- records -----------------------------------------------------------------------------------


def write_records(
    connection: sa.Connection,
    record: Record,
    frame: pd.DataFrame,
    ids: References,
    placement: Placement | None = None,
) -> RowsWritten:
    """
    Write records of one kind.

    Parameters
    ----------
    connection
        An open transaction.
    record
        The kind.
    frame
        Its rows; of several that may not meet on one day the one that began earlier is taken.
    ids
        Id by key of what they refer to, by kind.
    placement
        Finds the base grid of each row on its way in; without it the assignment does later.

    Returns
    -------
    RowsWritten
        Ids by key where others may refer to them.
    """
    door = check(record, frame, ids)
    if record.apart:
        door.apart(*(tuple(record.field(one).stored for one in own) for own in record.apart))
    table = table_of(record)
    columns = {name: door.take(inside) for name, inside in record.columns.items()}
    if placement is not None and record.placed:
        follows = columns[record.field(record.follows).stored] if record.follows else None
        columns["base_grid_id"] = placement.grids(columns["point"], follows)
    rows = copy_rows(connection, table, columns)
    if record.name not in referred():
        return RowsWritten(rows, door.refusals)
    found = dict(connection.execute(sa.select(table.c.key, next(iter(table.primary_key)))).all())
    if placement is not None and table is t.building:
        placement.remember([found[key] for key in columns["key"]], columns["base_grid_id"])
    return RowsWritten(rows, door.refusals, found)
