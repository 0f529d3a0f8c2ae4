"""Files of records with a key: buildings, households, premises and whatever else has one.

Rows are checked at the door, copied beside the table and merged in a few statements: the same key
updates, what is the same is not touched. What is new or has moved is placed in the grids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.permissions import SEE
from gis_service.errors import InputError, Place
from gis_service.grids import assignment
from gis_service.grids.versions import keep_boundaries
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.shifted import hold_back_shifted
from gis_service.ingest.readers.columns import COORDINATES, column_needed
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.ingest.readers.values import new_values, objects, read_values
from gis_service.ingest.writing.checks import check, file_fields
from gis_service.ingest.writing.references import ids_by_key
from gis_service.ingest.writing.validating import Validator
from gis_service.records import RECORDS, Field, Record
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from gis_service.store.tables import table_of

_POINT: Final = shapely.GeometryType.POINT


def kind_of(record: Record) -> ImportKind:
    """
    Make the kind of file that brings records with a key.

    Parameters
    ----------
    record
        The kind.

    Returns
    -------
    ImportKind
        For the list of kinds.
    """

    def handle(
        connection: sa.Connection,
        actor: Actor,
        table: MatchedTable,
        options: ImportOptions,
        progress: Progress,
    ) -> HandlerResult:
        return take(connection, actor, record, table, options, progress)

    return ImportKind(
        record.plural, file_fields(record), handle,
        personal=record.personal, called=record.called, about=record.about,
    )  # fmt: skip


def take(
    connection: sa.Connection,
    actor: Actor,
    record: Record,
    table: MatchedTable,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """
    Take the rows of a file into a table.

    Parameters
    ----------
    connection
        The file's transaction.
    actor
        Who imports.
    record
        The kind.
    table
        The file.
    options
        The sender's.
    progress
        Told the share of this part.

    Returns
    -------
    HandlerResult
        What was written and what was refused.

    Raises
    ------
    HeldBackError
        The file looks shifted.
    """
    known = _stored(connection, actor, record, set(table.frame.columns))
    frame, refusals, notes, at = _frame(connection, record, table, known)
    progress(0.15, "ingest.step_checking")
    door = check(record, frame, ids_by_key(connection, actor, record))
    _keep_references(record, table, door, known)
    _refuse_without_column(record, table, [*refusals, *door.refusals])
    refusals += [table.back(_moved_to(one, at)) for one in door.refusals]
    rows = at[door.good]
    if not options.accept_shift:
        housed = door.columns.get("building_id")
        hold_back_shifted(
            connection, table, rows,
            on_buildings=housed is not None,
            building_ids=None if housed is None else housed[door.good],
        )  # fmt: skip
    progress(0.3, "ingest.step_writing")
    applied = _merge(connection, record, door, known)
    applied.refusals, applied.notes = refusals, notes + applied.notes
    if options.replace:
        named = {str(key).strip() for key in table.frame["key"].dropna()}
        _remove(connection, record, table, known, named, applied)
    progress(1.0, "ingest.step_placing")
    return applied


def _refuse_without_column(record: Record, table: MatchedTable, refused: Sequence[Refusal]) -> None:
    """Say a column that every row would need once, for the file."""
    if not refused or len(refused) < len(table.frame):
        return
    fields_refused = {one.field for one in refused}
    lacking = [one for one in file_fields(record) if one.name not in table.frame]
    if table.geometry is None and not _referring(record, table.frame):
        lacking += COORDINATES
    for one in lacking:
        if fields_refused == {one.name}:
            columns = " / ".join(str(name) for name in table.file.frame.columns) or "—"
            raise column_needed(one, columns)


def _referring(record: Record, frame: pd.DataFrame) -> list[Field]:
    """List the references that a file has a column for."""
    return [one for one in record.references if one.heading in frame]


def _moved_to(refusal: Refusal, at: Any) -> Refusal:
    return replace(refusal, row=None if refusal.row is None else int(at[refusal.row - 1]) + 1)


# --- what is there already ---------------------------------------------------------------------


def _stored(
    connection: sa.Connection, actor: Actor, record: Record, given: set[str]
) -> pd.DataFrame:
    """Read the rows that are there, by key, with what the file leaves out."""
    table = table_of(record)
    columns: list[Any] = [_identity(table).label("id")]
    for name, inside in record.columns.items():
        if inside == "point":
            place = table.c[name]
            columns += [sa.func.ST_X(place).label("lon"), sa.func.ST_Y(place).label("lat")]
        elif name in given and name != "key":
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
    query = sa.select(*columns).order_by(_identity(table))
    if table.name in SEE:
        query = query.where(visible(actor, table))
    rows = connection.execute(query).all()
    names = [column.name for column in columns]
    frame = pd.DataFrame(
        {name: objects(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
        if rows
        else {name: pd.Series(dtype=object) for name in names}
    )
    return frame.set_index("key", drop=False)


def _identity(table: sa.Table) -> sa.Column[Any]:
    return next(iter(table.primary_key))


# --- what the file says ------------------------------------------------------------------------


def _frame(
    connection: sa.Connection, record: Record, table: MatchedTable, known: pd.DataFrame
) -> tuple[pd.DataFrame, list[Refusal], list[Note], Any]:
    """Make the frame that the door checks; what the file leaves out is as it is stored."""
    count = len(table.frame)
    columns = file_fields(record)
    read = {
        one.name: read_values(one, table.frame[one.name].to_numpy(dtype=object))
        for one in columns
        if one.name in table.frame
    }
    keys = read["key"]
    stored = known.reindex([key if key is not None else "" for key in keys])
    there = ~pd.isna(stored["id"].to_numpy())
    frame: dict[str, Any] = {}
    notes: list[Note] = []
    for one in columns:
        if one.name in read:
            frame[one.name] = read[one.name]
            continue
        frame[one.name] = new_values(one, count)
        if one.name in stored:
            frame[one.name][there] = stored[one.name].to_numpy(dtype=object)[there]
    if record.name == "household" and "people" not in read and not there.all():
        notes.append(Note("ingest.people_unknown", {"n": int((~there).sum())}))
    if "valid_from" in frame and "valid_from" not in read:
        new = pd.isna(frame["valid_from"])
        frame["valid_from"][new] = connection.execute(sa.select(sa.func.gis_today())).scalar_one()
    # an empty cell has the value of a new row, where a number or a word is always needed
    for one in columns:
        if one.name in read and one.default not in (None, ""):
            frame[one.name][pd.isna(frame[one.name])] = one.default
    refusals, bad = _geometry(connection, record, table, stored, frame, notes)
    at = np.flatnonzero(~bad)
    made = pd.DataFrame({name: frame[name][at] for name in record.headings})
    return made, refusals, notes, at


def _geometry(
    connection: sa.Connection,
    record: Record,
    table: MatchedTable,
    stored: pd.DataFrame,
    frame: dict[str, Any],
    notes: list[Note],
) -> tuple[list[Refusal], Any]:
    """Give every row its point: its own, its building's, or the one it has."""
    count = len(table.frame)
    shapes = table.geometry if table.geometry is not None else np.full(count, None, dtype=object)
    own = ~shapely.is_missing(shapes)
    refusals, bad = _crossing(table, shapes, own)
    areas = own & ~bad & (shapely.get_type_id(shapes) != _POINT)
    points = np.full(count, None, dtype=object)
    points[own & ~bad & ~areas] = shapes[own & ~bad & ~areas]
    points[areas] = shapely.point_on_surface(shapes[areas])
    lon, lat = shapely.get_x(points), shapely.get_y(points)
    if next(record.of_type("area"), None):
        stays = areas & _holds(shapes, stored)
        lon[stays], lat[stays] = (
            pd.to_numeric(stored[name]).to_numpy(dtype=float)[stays] for name in ("lon", "lat")
        )
        frame["footprint"] = _footprints(shapes, areas, stored)
    elif areas.any():
        notes.append(Note("ingest.areas_as_points", {"n": int(areas.sum())}))
    lacking = ~own
    if record.place and lacking.any():
        held_lon = pd.to_numeric(stored["lon"], errors="coerce").to_numpy(dtype=float)
        held_lat = pd.to_numeric(stored["lat"], errors="coerce").to_numpy(dtype=float)
        lon, lat = np.where(lacking, held_lon, lon), np.where(lacking, held_lat, lat)
        for reference in _referring(record, table.frame):
            _follow(connection, reference, frame, stored, lacking, lon, lat)
    placeless = np.isnan(lon) & ~bad
    if record.place and record.place.required:
        for index in np.flatnonzero(placeless).tolist():
            refusals.append(table.refusal(index, "ingest.row_no_place", "lon"))
        bad = bad | placeless
    frame["lon"], frame["lat"] = _optional(lon), _optional(lat)
    return refusals, bad


def _optional(numbers: Any) -> Any:
    array = np.asarray(numbers, dtype=object)
    array[np.isnan(numbers)] = None
    return array


def _crossing(table: MatchedTable, shapes: Any, own: Any) -> tuple[list[Refusal], Any]:
    """Refuse areas that cross themselves, and say where."""
    bad = own & ~shapely.is_valid(shapes) & ~shapely.is_empty(shapes)
    refusals = []
    for index in np.flatnonzero(bad).tolist():
        reason = shapely.is_valid_reason(shapes[index])
        what, _, where = reason.partition("[")
        lon, _, lat = where.rstrip("]").partition(" ")
        key = "ingest.row_crosses" if "intersection" in what.lower() else "ingest.row_invalid_at"
        place = {"lon": f"{float(lon):.6f}", "lat": f"{float(lat):.6f}"} if lat else {}
        refusals.append(
            table.refusal(index, key if lat else "ingest.row_invalid_shape", "geometry", **place)
        )
    return refusals, bad


def _holds(shapes: Any, stored: pd.DataFrame) -> Any:
    """Tell where an outline holds the point that the building has: it need not move then."""
    lon, lat = (pd.to_numeric(stored[name]).to_numpy(dtype=float) for name in ("lon", "lat"))
    known = np.isfinite(lon)
    holds = np.zeros(len(shapes), dtype=bool)
    holds[known] = shapely.covers(shapes[known], shapely.points(lon[known], lat[known]))
    return holds


def _footprints(shapes: Any, areas: Any, stored: pd.DataFrame) -> Any:
    """Take the file's outlines; a row without one keeps what is stored."""
    kept = np.array(
        [None if value is None or value != value else bytes(value)  # noqa: PLR0124
         for value in stored["footprint"]],
        dtype=object,
    )  # fmt: skip
    held = np.asarray(shapely.from_wkb(kept), dtype=object)
    return np.where(areas, shapes, held)


def _follow(
    connection: sa.Connection,
    reference: Field,
    frame: dict[str, Any],
    stored: pd.DataFrame,
    lacking: Any,
    lon: Any,
    lat: Any,
) -> None:
    """Put a row without a place where its building (or its premises) is, if that is new to it."""
    kind = RECORDS[reference.type]
    if kind.place is None:
        return
    target = table_of(kind)
    point = target.c[kind.place.stored]
    found = connection.execute(
        sa.select(target.c.key, _identity(target), sa.func.ST_X(point), sa.func.ST_Y(point))
    )
    places = {key: (identity, x, y) for key, identity, x, y in found}
    before = stored[reference.stored].to_numpy(dtype=object)
    for index in np.flatnonzero(lacking).tolist():
        place = places.get(frame[reference.heading][index])
        if place is not None and (np.isnan(lon[index]) or place[0] != before[index]):
            _, lon[index], lat[index] = place


def _keep_references(
    record: Record, table: MatchedTable, door: Validator, known: pd.DataFrame
) -> None:
    """Where the file has no column for it, a row stays with its building."""
    for one in record.references:
        if one.heading not in table.frame:
            held = known[one.stored].reindex(list(door.columns["key"])).to_numpy(dtype=object)
            door.columns[one.stored] = np.where(pd.isna(held), None, held)


# --- what is written ---------------------------------------------------------------------------


def _beside(record: Record) -> sa.Table:
    """Describe a temporary table with the columns that are written."""
    own = table_of(record).c
    columns = [
        sa.Column(name, own[name].type, nullable=True)
        for name in (*record.columns, *(("base_grid_id",) if record.placed else ()))
    ]
    return sa.Table(
        f"incoming_{record.table}", sa.MetaData(), sa.Column("n", sa.Integer), *columns,
        prefixes=["TEMPORARY"], postgresql_on_commit="DROP",
    )  # fmt: skip


def _merge(
    connection: sa.Connection, record: Record, door: Validator, known: pd.DataFrame
) -> HandlerResult:
    """Insert what is new, update what is another now, leave the rest alone."""
    values = {name: door.take(inside) for name, inside in record.columns.items()}
    count = len(values["key"])
    if count == 0:
        return HandlerResult()
    if record.placed:
        keep_boundaries(connection)
    incoming = _beside(record)
    incoming.create(connection)
    new = ~np.isin(values["key"].astype(str), known.index.to_numpy(dtype=str))
    if record.placed:
        values["base_grid_id"] = _base_grids(connection, record, values, new)
    copy_rows(connection, incoming, {"n": np.arange(count), **values})
    table = table_of(record)
    same_key = table.c.key == incoming.c.key
    moved = _moved(connection, record, incoming)
    rest = [name for name in record.columns if name != "key"]
    changed = connection.execute(
        sa.update(table)
        .values({name: incoming.c[name] for name in rest})
        .where(
            same_key,
            sa.or_(*(table.c[name].is_distinct_from(incoming.c[name]) for name in rest)),
        )
    ).rowcount
    names = [column.name for column in incoming.c if column.name != "n"]
    fresh = (
        sa.select(*(incoming.c[name] for name in names))
        .where(~sa.exists().where(same_key))
        .order_by(incoming.c.n)
    )
    inserted = connection.execute(sa.insert(table).from_select(names, fresh)).rowcount
    incoming.drop(connection)
    applied = HandlerResult(new=inserted, changed=changed, same=count - inserted - changed)
    applied.taken = {table.name: inserted + changed}
    if record.placed:
        _place(connection, record, applied, moved)
    return applied


def _base_grids(
    connection: sa.Connection, record: Record, values: Mapping[str, Any], new: Any
) -> list[int | None]:
    """Find today's grid of new rows, so that they are written once."""
    grids = np.full(len(new), None, dtype=object)
    if new.any():
        placement = assignment.Placement(connection)
        follows = None
        if record.follows:
            building = t.building.c
            held = connection.execute(sa.select(building.building_id, building.base_grid_id)).all()
            placement.remember([row[0] for row in held], [row[1] for row in held])
            follows = values["building_id"][new].tolist()
        grids[new] = objects(placement.grids(values["point"][new], follows))
    return list(grids)


def _moved(connection: sa.Connection, record: Record, incoming: sa.Table) -> list[int]:
    """Name the stored rows whose place, or whose building, is another one in the file."""
    if not record.placed:
        return []
    table = table_of(record)
    other = [table.c.point.is_distinct_from(incoming.c.point)]
    if record.follows:
        other.append(table.c.building_id.is_distinct_from(incoming.c.building_id))
    query = sa.select(_identity(table)).where(table.c.key == incoming.c.key, sa.or_(*other))
    return list(connection.execute(query).scalars())


def _place(
    connection: sa.Connection, record: Record, applied: HandlerResult, moved: Sequence[int]
) -> None:
    """Write the history of what is new and of what has moved, in every scheme."""
    kind = record.table
    outside = faults = 0
    if applied.new or moved:  # what moves may have no history yet either
        report = assignment.assign_new(connection, (kind,))
        outside, faults = len(report.outside), len(report.faults)
    rehomed = assignment.place_again(connection, kind, moved)
    for table, count in rehomed.items():
        if count:
            applied.notes.append(Note(f"ingest.rehomed_{table}", {"n": count}))
    if outside:
        applied.notes.append(Note("ingest.outside", {"n": outside}))
    if faults:
        applied.notes.append(Note("ingest.elsewhere_than_building", {"n": faults}))


# --- what is taken away ------------------------------------------------------------------------


def _remove(
    connection: sa.Connection,
    record: Record,
    table: MatchedTable,
    known: pd.DataFrame,
    named: set[str],
    applied: HandlerResult,
) -> None:
    """Take away what the file does not name; what others hold on to stays and is listed."""
    if not named:
        raise InputError("ingest.replace_by_nothing", file=table.file.name)
    gone = known[~known["key"].isin(named)]
    if gone.empty:
        return
    ids = gone["id"].astype(int).tolist()
    held: dict[int, str] = {}
    for other, column in _pointing_at(table_of(record)):
        query = sa.select(column).where(column == sa.any_(sa.literal(ids, sa.ARRAY(sa.BigInteger))))
        for one in connection.execute(query.distinct()).scalars():
            held.setdefault(one, other.name)
    for key, identity in zip(gone["key"], ids, strict=True):
        if identity in held:
            refusal = Refusal.because(
                f"ingest.still_held_{record.table}", Place(feature=key), by=held[identity]
            )
            applied.refusals.append(refusal)
    free = [one for one in ids if one not in held]
    if record.placed:
        assignment.end_history(connection, record.table, free)
    stored = table_of(record)
    mine = _identity(stored) == sa.any_(sa.literal(free, sa.ARRAY(sa.BigInteger)))
    applied.removed = connection.execute(sa.delete(stored).where(mine)).rowcount


def _pointing_at(table: sa.Table) -> list[tuple[sa.Table, sa.Column[Any]]]:
    """List what refers to a table and would not go with it."""
    return [
        (other, key.parent)
        for other in t.metadata.sorted_tables
        for key in other.foreign_keys
        if key.column.table is table and key.ondelete is None
    ]
