"""Files of records with a key: buildings, households, premises and whatever else has one.

Rows are validated, copied beside the table and merged in a few statements: the same key
updates, what is the same is not touched. What is new or has moved is placed in the grids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import InputError, Place
from gis_service.grids import assignment
from gis_service.grids.versions import keep_boundaries, today
from gis_service.ingest.kinds import queries
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.shifted import hold_back_shifted
from gis_service.ingest.readers.columns import COORDINATES, column_needed_error
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.ingest.readers.values import as_object_array, make_new_values, read_values
from gis_service.ingest.writing.checks import list_file_fields, validate_records
from gis_service.ingest.writing.queries import read_reference_ids
from gis_service.ingest.writing.validating import Validator
from gis_service.records import RECORDS, Field, Record

_POINT: Final = shapely.GeometryType.POINT


def make_keyed_kind(record: Record) -> ImportKind:
    """Make the kind of file that brings records with a key."""

    def handle(
        connection: sa.Connection,
        actor: Actor,
        table: MatchedTable,
        options: ImportOptions,
        progress: Progress,
    ) -> HandlerResult:
        return take_objects(connection, actor, record, table, options, progress)

    return ImportKind(
        record.plural, list_file_fields(record), handle,
        personal=record.personal, called=record.called, about=record.about,
    )  # fmt: skip


def take_objects(
    connection: sa.Connection,
    actor: Actor,
    record: Record,
    table: MatchedTable,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """Take the rows of a file into a table; hold it back where it looks shifted."""
    stored = queries.read_records(connection, actor, record, set(table.frame.columns))
    frame, refusals, notes, kept_rows = _fill_from_store(connection, record, table, stored)
    progress(0.15, "ingest.step_checking")
    validator = validate_records(record, frame, read_reference_ids(connection, actor, record))
    _keep_references(record, table, validator, stored)
    _refuse_without_column(record, table, [*refusals, *validator.refusals])
    refusals += [
        table.in_file_terms(_in_file_rows(refusal, kept_rows)) for refusal in validator.refusals
    ]
    rows = kept_rows[validator.good]
    if not options.accept_shift:
        building_ids = validator.columns.get("building_id")
        hold_back_shifted(
            connection, table, rows,
            on_buildings=building_ids is not None,
            building_ids=None if building_ids is None else building_ids[validator.good],
        )  # fmt: skip
    progress(0.3, "ingest.step_writing")
    result = _merge_rows(connection, record, validator, stored)
    result.refusals, result.notes = refusals, notes + result.notes
    if options.replace:
        keys_in_file = {str(key).strip() for key in table.frame["key"].dropna()}
        _remove_unnamed(connection, record, table, stored, keys_in_file, result)
    progress(1.0, "ingest.step_placing")
    return result


def _refuse_without_column(
    record: Record, table: MatchedTable, refusals: Sequence[Refusal]
) -> None:
    """Say a column that every row would need once, for the file."""
    if not refusals or len(refusals) < len(table.frame):
        return
    refused_fields = {refusal.field for refusal in refusals}
    missing_fields = [field for field in list_file_fields(record) if field.name not in table.frame]
    if table.geometry is None and not _references_in(record, table.frame):
        missing_fields += COORDINATES
    for field in missing_fields:
        if refused_fields == {field.name}:
            columns = " / ".join(str(name) for name in table.file.frame.columns) or "—"
            raise column_needed_error(field, columns)


def _references_in(record: Record, frame: pd.DataFrame) -> list[Field]:
    """List the references that a file has a column for."""
    return [reference for reference in record.references if reference.heading in frame]


def _in_file_rows(refusal: Refusal, kept_rows: Any) -> Refusal:
    return replace(
        refusal, row=None if refusal.row is None else int(kept_rows[refusal.row - 1]) + 1
    )


# --- what the file says ------------------------------------------------------------------------


def _fill_from_store(
    connection: sa.Connection, record: Record, table: MatchedTable, stored: pd.DataFrame
) -> tuple[pd.DataFrame, list[Refusal], list[Note], Any]:
    """Make the frame that is validated; what the file leaves out is as it is stored."""
    count = len(table.frame)
    fields = list_file_fields(record)
    read = {
        field.name: read_values(field, table.frame[field.name].to_numpy(dtype=object))
        for field in fields
        if field.name in table.frame
    }
    keys = read["key"]
    stored_rows = stored.reindex([key if key is not None else "" for key in keys])
    is_stored = ~pd.isna(stored_rows["id"].to_numpy())
    frame: dict[str, Any] = {}
    notes: list[Note] = []
    for field in fields:
        if field.name in read:
            frame[field.name] = read[field.name]
            continue
        frame[field.name] = make_new_values(field, count)
        if field.name in stored_rows:
            frame[field.name][is_stored] = stored_rows[field.name].to_numpy(dtype=object)[is_stored]
    if record.name == "household" and "people" not in read and not is_stored.all():
        notes.append(Note("ingest.people_unknown", {"n": int((~is_stored).sum())}))
    if "valid_from" in frame and "valid_from" not in read:
        is_missing = pd.isna(frame["valid_from"])
        frame["valid_from"][is_missing] = today(connection)
    # an empty cell has the value of a new row, where a number or a word is always needed
    for field in fields:
        if field.name in read and field.default not in (None, ""):
            frame[field.name][pd.isna(frame[field.name])] = field.default
    refusals, bad = _fill_places(connection, record, table, stored_rows, frame, notes)
    kept_rows = np.flatnonzero(~bad)
    checked = pd.DataFrame({name: frame[name][kept_rows] for name in record.headings})
    return checked, refusals, notes, kept_rows


def _fill_places(
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
    has_shape = ~shapely.is_missing(shapes)
    refusals, is_bad = _refuse_crossing(table, shapes, has_shape)
    areas = has_shape & ~is_bad & (shapely.get_type_id(shapes) != _POINT)
    points = np.full(count, None, dtype=object)
    points[has_shape & ~is_bad & ~areas] = shapes[has_shape & ~is_bad & ~areas]
    points[areas] = shapely.point_on_surface(shapes[areas])
    lon, lat = shapely.get_x(points), shapely.get_y(points)
    if next(record.of_type("area"), None):
        keeps_point = areas & _has_stored_point(shapes, stored)
        lon[keeps_point], lat[keeps_point] = (
            pd.to_numeric(stored[name]).to_numpy(dtype=float)[keeps_point]
            for name in ("lon", "lat")
        )
        frame["footprint"] = _make_footprints(shapes, areas, stored)
    elif areas.any():
        notes.append(Note("ingest.areas_as_points", {"n": int(areas.sum())}))
    without_shape = ~has_shape
    if record.place and without_shape.any():
        stored_lon = pd.to_numeric(stored["lon"], errors="coerce").to_numpy(dtype=float)
        stored_lat = pd.to_numeric(stored["lat"], errors="coerce").to_numpy(dtype=float)
        lon, lat = (
            np.where(without_shape, stored_lon, lon),
            np.where(without_shape, stored_lat, lat),
        )
        for reference in _references_in(record, table.frame):
            _follow_reference(connection, reference, frame, stored, without_shape, lon, lat)
    placeless = np.isnan(lon) & ~is_bad
    if record.place and record.place.required:
        for index in np.flatnonzero(placeless).tolist():
            refusals.append(table.make_refusal(index, "ingest.row_no_place", "lon"))
        is_bad = is_bad | placeless
    frame["lon"], frame["lat"] = _none_for_nan(lon), _none_for_nan(lat)
    return refusals, is_bad


def _none_for_nan(numbers: Any) -> Any:
    array = np.asarray(numbers, dtype=object)
    array[np.isnan(numbers)] = None
    return array


def _refuse_crossing(table: MatchedTable, shapes: Any, has_shape: Any) -> tuple[list[Refusal], Any]:
    """Refuse areas that cross themselves, and say where."""
    is_bad = has_shape & ~shapely.is_valid(shapes) & ~shapely.is_empty(shapes)
    refusals = []
    for index in np.flatnonzero(is_bad).tolist():
        reason = shapely.is_valid_reason(shapes[index])
        what, _, position = reason.partition("[")
        lon, _, lat = position.rstrip("]").partition(" ")
        key = "ingest.row_crosses" if "intersection" in what.lower() else "ingest.row_invalid_at"
        place = {"lon": f"{float(lon):.6f}", "lat": f"{float(lat):.6f}"} if lat else {}
        refusals.append(
            table.make_refusal(
                index, key if lat else "ingest.row_invalid_shape", "geometry", **place
            )
        )
    return refusals, is_bad


def _has_stored_point(shapes: Any, stored: pd.DataFrame) -> Any:
    """Tell where an outline holds the point that the building has: it need not move then."""
    lon, lat = (pd.to_numeric(stored[name]).to_numpy(dtype=float) for name in ("lon", "lat"))
    has_point = np.isfinite(lon)
    is_inside = np.zeros(len(shapes), dtype=bool)
    is_inside[has_point] = shapely.covers(
        shapes[has_point], shapely.points(lon[has_point], lat[has_point])
    )
    return is_inside


def _make_footprints(shapes: Any, areas: Any, stored: pd.DataFrame) -> Any:
    """Take the file's outlines; a row without one keeps what is stored."""
    stored_wkb = np.array(
        [None if value is None or value != value else bytes(value)  # noqa: PLR0124
         for value in stored["footprint"]],
        dtype=object,
    )  # fmt: skip
    stored_areas = np.asarray(shapely.from_wkb(stored_wkb), dtype=object)
    return np.where(areas, shapes, stored_areas)


def _follow_reference(
    connection: sa.Connection,
    reference: Field,
    frame: dict[str, Any],
    stored: pd.DataFrame,
    without_shape: Any,
    lon: Any,
    lat: Any,
) -> None:
    """Put a row without a place where its building (or its premises) is, if that is new to it."""
    kind = RECORDS[reference.type]
    if kind.place is None:
        return
    places = queries.read_place_of_each(connection, kind)
    stored_ids = stored[reference.stored].to_numpy(dtype=object)
    for index in np.flatnonzero(without_shape).tolist():
        place = places.get(frame[reference.heading][index])
        if place is not None and (np.isnan(lon[index]) or place[0] != stored_ids[index]):
            _, lon[index], lat[index] = place


def _keep_references(
    record: Record, table: MatchedTable, validator: Validator, stored: pd.DataFrame
) -> None:
    """Where the file has no column for it, a row stays with its building."""
    for reference in record.references:
        if reference.heading not in table.frame:
            stored_ids = (
                stored[reference.stored]
                .reindex(list(validator.columns["key"]))
                .to_numpy(dtype=object)
            )
            validator.columns[reference.stored] = np.where(pd.isna(stored_ids), None, stored_ids)


# --- what is written ---------------------------------------------------------------------------


def _merge_rows(
    connection: sa.Connection, record: Record, validator: Validator, stored: pd.DataFrame
) -> HandlerResult:
    """Insert what is new, update what is another now, leave the rest alone."""
    values = {name: validator.get_good_values(column) for name, column in record.columns.items()}
    count = len(values["key"])
    if count == 0:
        return HandlerResult()
    if record.placed:
        keep_boundaries(connection)
    is_new = ~np.isin(values["key"].astype(str), stored.index.to_numpy(dtype=str))
    if record.placed:
        values["base_grid_id"] = _find_base_grids(connection, record, values, is_new)
    merged = queries.merge_records(connection, record, values)
    written = merged.inserted + merged.changed
    result = HandlerResult(new=merged.inserted, changed=merged.changed, same=count - written)
    result.taken = {record.table: written}
    if record.placed:
        _write_history(connection, record, result, merged.moved)
    return result


def _find_base_grids(
    connection: sa.Connection, record: Record, values: Mapping[str, Any], is_new: Any
) -> list[int | None]:
    """Find today's grid of new rows, so that they are written once."""
    grids = np.full(len(is_new), None, dtype=object)
    if is_new.any():
        placement = assignment.Placement(connection)
        follows = None
        if record.follows:
            building_grids = queries.read_building_grids(connection)
            placement.remember(list(building_grids), list(building_grids.values()))
            follows = values["building_id"][is_new].tolist()
        grids[is_new] = as_object_array(placement.grids(values["point"][is_new], follows))
    return list(grids)


def _write_history(
    connection: sa.Connection, record: Record, result: HandlerResult, moved: Sequence[int]
) -> None:
    """Write the history of what is new and of what has moved, in every scheme."""
    kind = record.table
    outside = faults = 0
    if result.new or moved:  # what moves may have no history yet either
        report = assignment.assign_new(connection, (kind,))
        outside, faults = len(report.outside), len(report.faults)
    rehomed = assignment.place_again(connection, kind, moved)
    for table, count in rehomed.items():
        if count:
            result.notes.append(Note(f"ingest.rehomed_{table}", {"n": count}))
    if outside:
        result.notes.append(Note("ingest.outside", {"n": outside}))
    if faults:
        result.notes.append(Note("ingest.elsewhere_than_building", {"n": faults}))


# --- what is removed ----------------------------------------------------------------------------


def _remove_unnamed(
    connection: sa.Connection,
    record: Record,
    table: MatchedTable,
    stored: pd.DataFrame,
    keys_in_file: set[str],
    result: HandlerResult,
) -> None:
    """Remove what the file does not name; what others refer to stays and is listed."""
    if not keys_in_file:
        raise InputError("ingest.replace_by_nothing", file=table.file.name)
    leftover = stored[~stored["key"].isin(keys_in_file)]
    if leftover.empty:
        return
    ids = leftover["id"].astype(int).tolist()
    referrer_of = queries.find_referrers(connection, record, ids)
    for key, identity in zip(leftover["key"], ids, strict=True):
        if identity in referrer_of:
            refusal = Refusal.because(
                f"ingest.still_held_{record.table}", Place(feature=key), by=referrer_of[identity]
            )
            result.refusals.append(refusal)
    removable = [row_id for row_id in ids if row_id not in referrer_of]
    if record.placed:
        assignment.end_history(connection, record.table, removable)
    result.removed = queries.delete_records(connection, record, removable)
