"""Frames go into the store: validated, copied in bulk, recorded.

All of it is the caller's one transaction: what fails leaves the store as it was. Rows are placed in
today's grids on their way in; the history is the assignment's. Grids are not written here but
published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service import geodesy
from gis_service.access import Actor, record
from gis_service.grids.assignment import Placement
from gis_service.ingest.readers.frames import CountyFrames, Note, Refusal
from gis_service.ingest.writing import queries
from gis_service.ingest.writing.checks import AREAS, References, validate_records
from gis_service.ingest.writing.queries import ImportSource
from gis_service.ingest.writing.validating import Validator
from gis_service.records import RECORDS, Record, list_referred
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from gis_service.store.tables import table_of

_LINES: Final = (shapely.GeometryType.LINESTRING,)
_BIGGEST: Final = 2**63 - 1
_FASTEST_KMH: Final = 300.0
_END_DEGREES: Final = 1e-6
_LEVELS: Final = ("county", "town", "village")
_CLASSES: Final = tuple(f"{a}{b}{c}" for a in "12" for b in "12" for c in "0123")


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
    # Rows written, by table.
    taken: dict[str, int]
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
    refused_before: Sequence[Refusal] = (),
    notes: Sequence[Note] = (),
    details: Mapping[str, Any] | None = None,
) -> ImportResult:
    """Write a region."""
    roads = write_roads(
        connection, frames.road_nodes, frames.road_edges, source.name, source.kind,
        source.data_day, clipped=source.clipped, turns=frames.road_turns,
    )  # fmt: skip
    written = {"admin_unit": write_admin_units(connection, frames.admin_units)}
    placement = Placement(connection)
    ids: dict[str, Mapping[str, int]] = {"grid": grid_ids or {}}
    for kind in RECORDS.values():
        frame = getattr(frames, kind.plural, None)
        if frame is not None:
            rows_written = write_records(connection, kind, frame, ids, placement)
            written[kind.table], ids[kind.name] = rows_written, rows_written.ids
    written["land_cover"] = write_land_cover(connection, frames.land_cover)
    taken = {"road_node": roads.nodes, "road_edge": roads.edges, "road_turn": roads.turns}
    taken |= {name: rows_written.rows for name, rows_written in written.items()}
    refusals = [*refused_before, *roads.refusals]
    refusals += [refusal for rows_written in written.values() for refusal in rows_written.refusals]
    all_details = {**(details or {}), "notes": [asdict(note) for note in notes]}
    import_id = queries.insert_import(connection, actor, source, taken, refusals, all_details)
    after = {"source": source.name, "sha256": source.sha256, "taken": taken}
    record(
        connection, actor, "import", "region", import_id,
        before={"taken": {}}, after=after | {"refused": len(refusals)},
    )  # fmt: skip
    return ImportResult(import_id, taken, roads.network_id, refusals, list(notes))


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
    node_validator = Validator("road_nodes", nodes, "node_id")
    node_validator.check_numbers("node_id", -_BIGGEST, _BIGGEST)
    node_validator.check_points()
    node_validator.check_unique("node_id")
    points = dict(
        zip(
            node_validator.get_good_values("node_id").tolist(),
            node_validator.get_good_values("point"),
            strict=True,
        )
    )
    edge_validator = _validate_edges(edges, points)
    queries.deactivate_networks(connection)
    refusals = node_validator.refusals + edge_validator.refusals
    if not edge_validator.good.any():
        return RoadsWritten(None, 0, 0, refusals)
    network_id = queries.insert_network(connection, name, source, data_day, clipped=clipped)
    node_rows = copy_rows(
        connection,
        t.road_node,
        {
            "network_id": np.full(len(points), network_id),
            "node_id": node_validator.get_good_values("node_id"),
            "point": node_validator.get_good_values("point"),
        },
    )
    names = (
        "edge_id", "source_node", "target_node", "road_class", "name", "oneway", "maxspeed_kmh",
        "bridge", "tunnel", "dual_carriageway", "roundabout", "foot", "motor", "length_m",
    )  # fmt: skip
    columns = {column: edge_validator.get_good_values(column) for column in names}
    columns["geom"] = edge_validator.get_good_values("geometry")
    columns["network_id"] = np.full(int(edge_validator.good.sum()), network_id)
    edge_rows = copy_rows(connection, t.road_edge, columns)
    turn_rows = 0
    if turns is not None and len(turns):
        _write_turns(connection, network_id, turns, edge_validator.get_good_values("edge_id"))
        turn_rows = len(turns)
    return RoadsWritten(network_id, node_rows, edge_rows, refusals, turn_rows)


def _write_turns(
    connection: sa.Connection, network_id: int, turns: pd.DataFrame, edge_ids: Any
) -> None:
    both_known = turns["from_edge"].isin(edge_ids) & turns["to_edge"].isin(edge_ids)
    has_from_edge = turns["from_edge"].notna()
    why_not = turns["why_not"].mask(has_from_edge & ~both_known, "not_here")
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
    queries.insert_turns(
        connection,
        [dict(zip(names, row, strict=True)) for row in zip(*rows.values(), strict=True)],
    )


def _validate_edges(edges: pd.DataFrame, points: Mapping[int, Any]) -> Validator:
    validator = Validator("road_edges", edges, "edge_id")
    for column in ("edge_id", "source_node", "target_node"):
        validator.check_numbers(column, -_BIGGEST, _BIGGEST)
    validator.check_one_of("road_class", t.ROAD_CLASSES)
    validator.check_texts("name")
    validator.check_numbers("oneway", -1, 1)
    validator.check_numbers("maxspeed_kmh", 1e-3, _FASTEST_KMH, whole=False, optional=True)
    validator.check_flags("bridge", "tunnel", "dual_carriageway", "roundabout", "foot", "motor")
    validator.check_geometries("geometry", _LINES)
    validator.check_unique("edge_id")
    node_ids = list(points)
    for column, end in (("source_node", 0), ("target_node", -1)):
        ids = validator.columns[column]
        validator.refuse(~np.isin(ids, node_ids), "ingest.row_unknown_key", column)
        node_points = np.array([points.get(node) for node in ids.tolist()], dtype=object)
        line_ends = shapely.get_point(validator.columns["geometry"], end)
        is_apart = ~(shapely.distance(node_points, line_ends) <= _END_DEGREES)
        validator.refuse(is_apart, "ingest.row_wrong_ends", column)
    # only lines that are lines have a length
    lines = np.where(validator.good, validator.columns["geometry"], np.array(None, dtype=object))
    validator.columns["length_m"] = geodesy.length_m(lines)
    validator.refuse(~(validator.columns["length_m"] > 0), "ingest.row_no_length", "geometry")
    return validator


# --- land --------------------------------------------------------------------------------------


def write_admin_units(connection: sa.Connection, frame: pd.DataFrame) -> RowsWritten:
    """Write administrative units, parents first."""
    validator = Validator("admin_units", frame, "code")
    validator.check_texts("code", "name", "source_list", required=True)
    validator.check_texts("parent_code", "urban_rural_class")
    validator.check_one_of("level", _LEVELS)
    validator.check_one_of("urban_rural_class", ("", *_CLASSES))
    validator.check_geometries("geometry", AREAS, optional=True)
    validator.check_valid_days()
    validator.check_no_overlap(("code", "source_list", "level"))
    ids: dict[str, int] = {}
    rows = 0
    for level in _LEVELS:
        of_level = validator.good & (validator.columns["level"] == level)
        validator.refuse(
            of_level & (validator.columns["parent_code"] != "") & ~np.isin(
                validator.columns["parent_code"].astype(str), list(ids)
            ),
            "ingest.row_unknown_key",
            "parent_code",
        )  # fmt: skip
        parents = dict(ids)
        for index in np.flatnonzero(of_level & validator.good).tolist():
            row = {name: column[index] for name, column in validator.columns.items()}
            ids[row["code"]] = queries.put_admin_unit(
                connection, row, parents.get(row["parent_code"])
            )
            rows += 1
    return RowsWritten(rows, validator.refusals, ids)


def write_land_cover(connection: sa.Connection, frame: pd.DataFrame) -> RowsWritten:
    """Write water, green and built-up land."""
    validator = Validator("land_cover", frame)
    validator.check_texts("key", required=True)
    validator.check_texts("name")
    validator.check_one_of("kind", ("water", "green", "built"))
    validator.check_geometries("geometry", AREAS)
    validator.check_unique("key")
    columns = {name: validator.get_good_values(name) for name in ("key", "kind", "name")}
    columns["geom"] = validator.get_good_values("geometry")
    return RowsWritten(copy_rows(connection, t.land_cover, columns), validator.refusals)


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
    validator = validate_records(record, frame, ids)
    if record.apart:
        validator.check_no_overlap(
            *(tuple(record.field(name).stored for name in owner) for owner in record.apart)
        )
    table = table_of(record)
    columns = {name: validator.get_good_values(column) for name, column in record.columns.items()}
    if placement is not None and record.placed:
        follows = columns[record.field(record.follows).stored] if record.follows else None
        columns["base_grid_id"] = placement.grids(columns["point"], follows)
    rows = copy_rows(connection, table, columns)
    if record.name not in list_referred():
        return RowsWritten(rows, validator.refusals)
    ids_by_key = queries.read_ids_by_key(connection, record)
    if placement is not None and table is t.building:
        placement.remember([ids_by_key[key] for key in columns["key"]], columns["base_grid_id"])
    return RowsWritten(rows, validator.refusals, ids_by_key)
