"""Files of objects with a key: buildings, households, premises and whatever else has one.

Rows are checked at the door, copied beside the table and merged in a few statements: the same key
updates, what is the same is not touched. What is new or has moved is placed in the grids.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.errors import InputError, Place
from gis_service.grids import assignment
from gis_service.grids.versions import keep_boundaries
from gis_service.ingest import checks, fields
from gis_service.ingest.columns import COORDINATES, Field, column_needed
from gis_service.ingest.door import Door
from gis_service.ingest.frames import COLUMNS, Note, Refusal
from gis_service.ingest.kinds import (
    Applied,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.shifted import hold_back_shifted
from gis_service.ingest.values import read_values
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows

_SENSITIVE: Final = ("household", "officer", "incident", "hazard")
_POINT: Final = shapely.GeometryType.POINT


@dataclass(frozen=True)
class Objects:
    """
    One table of objects.

    Attributes
    ----------
    name
        Of the kind, and of its frame.
    columns
        Columns of the table that a file writes; where the door calls them otherwise, by its name.
    refers
        Our field, the table it points to by key, and the column that holds the id.
    placed
        Whether the rows belong to grids.
    place
        The column of the point.
    """

    name: str
    table: sa.Table
    fields: tuple[Field, ...]
    check: Callable[[pd.DataFrame, Mapping[str, int]], Door]
    columns: Mapping[str, str]
    refers: tuple[str, sa.Table, str] | None = None
    placed: bool = True
    place: str = "point"
    personal: bool = False

    @property
    def identity(self) -> sa.Column[int]:
        """The primary key."""
        return self.table.c[f"{self.table.name}_id"]


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


BUILDINGS: Final = Objects(
    "buildings", t.building, fields.BUILDINGS, lambda frame, _: checks.buildings(frame),
    _same("key", "name", "address", "kind", "storeys", "footprint", "point"),
)  # fmt: skip
HOUSEHOLDS: Final = Objects(
    "households", t.household, fields.HOUSEHOLDS, checks.households,
    _same("key", "building_id", "street", "house_number", "group_number", "room", "head_name",
          "phone", "people", "care_tags", "point"),
    ("building_key", t.building, "building_id"), personal=True,
)  # fmt: skip
PREMISES: Final = Objects(
    "premises", t.premises, fields.PREMISES, checks.premises,
    _same("key", "name", "kind", "grade", "responsible_name", "phone", "building_id", "point"),
    ("building_key", t.building, "building_id"),
)  # fmt: skip
FACILITIES: Final = Objects(
    "facilities", t.facility, fields.FACILITIES, lambda frame, _: checks.facilities(frame),
    _same("key", "kind", "name", "address", "phone", "grade", "turnout_minutes", "point"),
    placed=False,
)  # fmt: skip
HAZARDS: Final = Objects(
    "hazards", t.hazard, fields.HAZARDS, checks.hazards,
    _same("key", "kind", "grade", "status", "note", "premises_id", "found_on", "due_on",
          "rectified_on", "closed_on", "point"),
    ("premises_key", t.premises, "premises_id"),
)  # fmt: skip
INCIDENTS: Final = Objects(
    "incidents", t.incident, fields.INCIDENTS, lambda frame, _: checks.incidents(frame),
    _same("key", "kind", "status", "text", "reported_at", "closed_at", "reporter_name",
          "reporter_phone", "point"),
    personal=True,
)  # fmt: skip
OFFICERS: Final = Objects(
    "officers", t.officer, fields.OFFICERS, lambda frame, _: checks.officers(frame),
    _same("key", "name", "phone", "full_time", "valid") | {"duty_post": "point"},
    placed=False, place="duty_post", personal=True,
)  # fmt: skip


def kind_of(objects: Objects) -> ImportKind:
    """
    Make the kind of file that fills a table.

    Parameters
    ----------
    objects
        The table.

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
    ) -> Applied:
        return take(connection, actor, objects, table, options, progress)

    return ImportKind(objects.name, objects.fields, handle, personal=objects.personal)


def take(
    connection: sa.Connection,
    actor: Actor,
    objects: Objects,
    table: MatchedTable,
    options: ImportOptions,
    progress: Progress,
) -> Applied:
    """
    Take the rows of a file into a table.

    Parameters
    ----------
    connection
        The file's transaction.
    actor
        Who imports.
    objects
        The table.
    table
        The file.
    options
        The sender's.
    progress
        Told the share of this part.

    Returns
    -------
    Applied
        What was written and what was refused.

    Raises
    ------
    HeldBackError
        The file looks shifted.
    """
    known = _stored(connection, actor, objects, set(table.frame.columns))
    frame, refusals, notes, at = _frame(connection, objects, table, known)
    progress(0.15, "ingest.step_checking")
    ids = _ids_by_key(connection, objects.refers[1]) if objects.refers else {}
    door = objects.check(frame, ids)
    _keep_reference(objects, table, door, known)
    _refuse_without_column(objects, table, [*refusals, *door.refusals])
    refusals += [table.back(_moved_to(one, at)) for one in door.refusals]
    rows = at[door.good]
    if not options.accept_shift:
        housed = door.columns.get("building_id")
        hold_back_shifted(
            connection, table, rows,
            on_buildings=objects.table in (t.household, t.premises),
            building_ids=None if housed is None else housed[door.good],
        )  # fmt: skip
    progress(0.3, "ingest.step_writing")
    applied = _merge(connection, objects, door, known)
    applied.refusals, applied.notes = refusals, notes + applied.notes
    if options.replace:
        named = {str(key).strip() for key in table.frame["key"].dropna()}
        _remove(connection, objects, table, known, named, applied)
    progress(1.0, "ingest.step_placing")
    return applied


def _refuse_without_column(
    objects: Objects, table: MatchedTable, refused: Sequence[Refusal]
) -> None:
    """Say a column that every row would need once, for the file."""
    if not refused or len(refused) < len(table.frame):
        return
    fields_refused = {one.field for one in refused}
    lacking = [one for one in objects.fields if one.name not in table.frame]
    if table.geometry is None and (objects.refers is None or objects.refers[0] not in table.frame):
        lacking += COORDINATES
    for one in lacking:
        if fields_refused == {one.name}:
            columns = " / ".join(str(name) for name in table.file.frame.columns) or "—"
            raise column_needed(one, columns)


def _moved_to(refusal: Refusal, at: Any) -> Refusal:
    return replace(refusal, row=None if refusal.row is None else int(at[refusal.row - 1]) + 1)


# --- what is there already ---------------------------------------------------------------------


def _stored(
    connection: sa.Connection, actor: Actor, objects: Objects, given: set[str]
) -> pd.DataFrame:
    """Read the rows that are there, by key, with what the file leaves out."""
    table = objects.table
    place = table.c[objects.place]
    columns: list[Any] = [
        objects.identity.label("id"),
        sa.func.ST_X(place).label("lon"),
        sa.func.ST_Y(place).label("lat"),
    ]
    for name in objects.columns:
        if name == objects.place or (name in given and name != "key"):
            continue
        if name == "valid":
            columns += [
                sa.func.lower(table.c.valid).label("valid_from"),
                sa.func.upper(table.c.valid).label("valid_to"),
            ]
        elif name == "footprint":
            columns.append(sa.func.ST_AsBinary(table.c.footprint).label("footprint"))
        else:
            columns.append(table.c[name])
    query = sa.select(*columns).order_by(objects.identity)
    if table.name in _SENSITIVE:
        query = query.where(visible(actor, table))
    rows = connection.execute(query).all()
    names = [column.name for column in columns]
    frame = pd.DataFrame(
        {
            name: _objects(values)
            for name, values in zip(names, zip(*rows, strict=True), strict=True)
        }
        if rows
        else {name: pd.Series(dtype=object) for name in names}
    )
    return frame.set_index("key", drop=False)


def _ids_by_key(connection: sa.Connection, table: sa.Table) -> dict[str, int]:
    identity = table.c[f"{table.name}_id"]
    rows = connection.execute(sa.select(table.c.key, identity))
    return {row.key: row[1] for row in rows}


def _objects(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# --- what the file says ------------------------------------------------------------------------


def _frame(
    connection: sa.Connection, objects: Objects, table: MatchedTable, known: pd.DataFrame
) -> tuple[pd.DataFrame, list[Refusal], list[Note], Any]:
    """Make the frame that the door checks; what the file leaves out is as it is stored."""
    count = len(table.frame)
    read = {
        one.name: read_values(one, table.frame[one.name].to_numpy(dtype=object))
        for one in objects.fields
        if one.name in table.frame
    }
    keys = read["key"]
    stored = known.reindex([key if key is not None else "" for key in keys])
    there = ~pd.isna(stored["id"].to_numpy())
    frame: dict[str, Any] = {}
    notes: list[Note] = []
    for one in objects.fields:
        if one.name in read:
            frame[one.name] = read[one.name]
            continue
        frame[one.name] = _default(one, count)
        if one.name in stored:
            frame[one.name][there] = stored[one.name].to_numpy(dtype=object)[there]
    if objects.name == "households" and "people" not in read and not there.all():
        notes.append(Note("ingest.people_unknown", {"n": int((~there).sum())}))
    if "valid_from" in frame and "valid_from" not in read:
        new = pd.isna(frame["valid_from"])
        frame["valid_from"][new] = connection.execute(sa.select(sa.func.gis_today())).scalar_one()
    _fill_empty(objects, frame, read)
    refusals, bad = _geometry(connection, objects, table, stored, frame, notes)
    at = np.flatnonzero(~bad)
    made = pd.DataFrame({name: frame[name][at] for name in COLUMNS[objects.name]})
    return made, refusals, notes, at


def _default(one: Field, count: int) -> Any:
    array = np.empty(count, dtype=object)
    array[:] = [[]] * count if one.form == "tags" else [one.default] * count
    return array


def _fill_empty(objects: Objects, frame: dict[str, Any], read: Mapping[str, Any]) -> None:
    """Give an empty cell the value of a new row, where a number or a word is always needed."""
    for one in objects.fields:
        if one.name in read and one.default not in (None, ""):
            frame[one.name][pd.isna(frame[one.name])] = one.default


def _geometry(
    connection: sa.Connection,
    objects: Objects,
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
    if objects.table is t.building:
        stays = areas & _holds(shapes, stored)
        lon[stays], lat[stays] = (
            pd.to_numeric(stored[name]).to_numpy(dtype=float)[stays] for name in ("lon", "lat")
        )
        frame["footprint"] = _footprints(shapes, areas, stored)
    elif areas.any():
        notes.append(Note("ingest.areas_as_points", {"n": int(areas.sum())}))
    lacking = ~own
    if lacking.any():
        held_lon = pd.to_numeric(stored["lon"], errors="coerce").to_numpy(dtype=float)
        held_lat = pd.to_numeric(stored["lat"], errors="coerce").to_numpy(dtype=float)
        lon, lat = np.where(lacking, held_lon, lon), np.where(lacking, held_lat, lat)
        if objects.refers is not None:
            _follow(connection, objects, frame, stored, lacking, lon, lat)
    placeless = np.isnan(lon) & ~bad
    if objects.place == "point":
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
    objects: Objects,
    frame: dict[str, Any],
    stored: pd.DataFrame,
    lacking: Any,
    lon: Any,
    lat: Any,
) -> None:
    """Put a row without a place where its building (or its premises) is, if that is new to it."""
    assert objects.refers is not None
    field_name, target, into = objects.refers
    identity = target.c[f"{target.name}_id"]
    found = connection.execute(
        sa.select(
            target.c.key, identity, sa.func.ST_X(target.c.point), sa.func.ST_Y(target.c.point)
        )
    )
    places = {key: (identity_, x, y) for key, identity_, x, y in found}
    before = stored[into].to_numpy(dtype=object)
    for index in np.flatnonzero(lacking).tolist():
        place = places.get(frame[field_name][index]) if frame.get(field_name) is not None else None
        if place is not None and (np.isnan(lon[index]) or place[0] != before[index]):
            _, lon[index], lat[index] = place


def _keep_reference(objects: Objects, table: MatchedTable, door: Door, known: pd.DataFrame) -> None:
    """Where the file has no column for it, a row stays with its building."""
    if objects.refers is None or objects.refers[0] in table.frame:
        return
    into = objects.refers[2]
    held = known[into].reindex(list(door.columns["key"])).to_numpy(dtype=object)
    door.columns[into] = np.where(pd.isna(held), None, held)


# --- what is written ---------------------------------------------------------------------------


def _beside(objects: Objects) -> sa.Table:
    """Describe a temporary table with the columns that are written."""
    own = objects.table.c
    columns = [
        sa.Column(name, own[name].type, nullable=True)
        for name in (*objects.columns, *(("base_grid_id",) if objects.placed else ()))
    ]
    return sa.Table(
        f"incoming_{objects.table.name}", sa.MetaData(), sa.Column("n", sa.Integer), *columns,
        prefixes=["TEMPORARY"], postgresql_on_commit="DROP",
    )  # fmt: skip


def _merge(connection: sa.Connection, objects: Objects, door: Door, known: pd.DataFrame) -> Applied:
    """Insert what is new, update what is another now, leave the rest alone."""
    values = {name: door.take(inside) for name, inside in objects.columns.items()}
    count = len(values["key"])
    if count == 0:
        return Applied()
    if objects.placed:
        keep_boundaries(connection)
    incoming = _beside(objects)
    incoming.create(connection)
    new = ~np.isin(values["key"].astype(str), known.index.to_numpy(dtype=str))
    if objects.placed:
        values["base_grid_id"] = _base_grids(connection, objects, values, new)
    copy_rows(connection, incoming, {"n": np.arange(count), **values})
    table = objects.table
    same_key = table.c.key == incoming.c.key
    moved = _moved(connection, objects, incoming)
    rest = [name for name in objects.columns if name != "key"]
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
    applied = Applied(new=inserted, changed=changed, same=count - inserted - changed)
    applied.taken = {table.name: inserted + changed}
    if objects.placed:
        _place(connection, objects, applied, moved)
    return applied


def _base_grids(
    connection: sa.Connection, objects: Objects, values: Mapping[str, Any], new: Any
) -> list[int | None]:
    """Find today's grid of new rows, so that they are written once."""
    grids = np.full(len(new), None, dtype=object)
    if new.any():
        placement = assignment.Placement(connection)
        follows = None
        if objects.table is t.household:
            building = t.building.c
            held = connection.execute(sa.select(building.building_id, building.base_grid_id)).all()
            placement.remember([row[0] for row in held], [row[1] for row in held])
            follows = values["building_id"][new].tolist()
        grids[new] = _objects(placement.grids(values["point"][new], follows))
    return list(grids)


def _moved(connection: sa.Connection, objects: Objects, incoming: sa.Table) -> list[int]:
    """Name the stored rows whose place, or whose building, is another one in the file."""
    if not objects.placed:
        return []
    table = objects.table
    other = [table.c.point.is_distinct_from(incoming.c.point)]
    if objects.table is t.household:
        other.append(table.c.building_id.is_distinct_from(incoming.c.building_id))
    query = sa.select(objects.identity).where(table.c.key == incoming.c.key, sa.or_(*other))
    return list(connection.execute(query).scalars())


def _place(
    connection: sa.Connection, objects: Objects, applied: Applied, moved: Sequence[int]
) -> None:
    """Write the history of what is new and of what has moved, in every scheme."""
    kind = objects.table.name
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
    objects: Objects,
    table: MatchedTable,
    known: pd.DataFrame,
    named: set[str],
    applied: Applied,
) -> None:
    """Take away what the file does not name; what others hold on to stays and is listed."""
    if not named:
        raise InputError("ingest.replace_by_nothing", file=table.file.name)
    gone = known[~known["key"].isin(named)]
    if gone.empty:
        return
    ids = gone["id"].astype(int).tolist()
    held: dict[int, str] = {}
    for other, column in _pointing_at(objects.table):
        query = sa.select(column).where(column == sa.any_(sa.literal(ids, sa.ARRAY(sa.BigInteger))))
        for one in connection.execute(query.distinct()).scalars():
            held.setdefault(one, other.name)
    for key, identity in zip(gone["key"], ids, strict=True):
        if identity in held:
            refusal = Refusal.because(
                f"ingest.still_held_{objects.table.name}", Place(feature=key), by=held[identity]
            )
            applied.refusals.append(refusal)
    free = [one for one in ids if one not in held]
    if objects.placed:
        assignment.end_history(connection, objects.table.name, free)
    mine = objects.identity == sa.any_(sa.literal(free, sa.ARRAY(sa.BigInteger)))
    applied.removed = connection.execute(sa.delete(objects.table).where(mine)).rowcount


def _pointing_at(table: sa.Table) -> list[tuple[sa.Table, sa.Column[Any]]]:
    """List what refers to a table and would not go with it."""
    return [
        (other, key.parent)
        for other in t.metadata.sorted_tables
        for key in other.foreign_keys
        if key.column.table is table and key.ondelete is None
    ]
