"""Administrative units from a list or a file of polygons, each with the list that it comes from.

Published lists disagree about codes: a unit of another list is the same only where code **and**
name agree. What disagrees is reported row by row and never joined by code alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import InputError
from gis_service.grids.versions import today
from gis_service.ingest.kinds import queries
from gis_service.ingest.kinds.grid_rows import read_fields
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.options import OPTIONS
from gis_service.ingest.readers.columns import FileField
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows

FIELDS: Final = (
    FileField(
        "key",
        ("code", "代码", "区划代码", "行政区划代码", "统计用区划代码", "统计代码", "adcode",
         "xzqdm", "id"),
    ),
    FileField("full_code", ("ext_id", "完整代码")),
    FileField("name", ("名称", "mc", "xzqmc", "区划名称", "行政区划名称", "行政区名称")),
    FileField("full_name", ("ext_name", "全称")),
    FileField("parent", ("parent_code", "上级代码", "上级", "areacode", "pid", "county")),
    FileField("urban_rural_class", ("城乡分类", "城乡分类代码", "城乡代码")),
    FileField("source_list", ("来源", "名录", "source")),
    FileField("valid_from", ("生效日期", "起始日期", "开始日期"), form="day"),
)  # fmt: skip

LEVELS: Final = ("county", "town", "village")
_PARENT_DIGITS: Final = {"county": 0, "town": 6, "village": 9}
_NAME_DIGITS: Final = {"county": 4, "town": 6, "village": 9}
_CLASS: Final = re.compile(r"[12][12][0-3]")
_LIST_COLUMN: Final = re.compile(r"(.+?)[_\s-]?(?:code|代码)(?:\d+)?", re.IGNORECASE)
_ENDINGS: Final = ("街道办事处", "办事处", "街道", "镇", "乡", "县", "区", "市", "村", "社区")
_AREAS: Final = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
_MOST_NOTES: Final = 200


@dataclass(frozen=True)
class Conflict:
    """Two lists that disagree about a unit."""

    # ``other_code``: the same name has another code; ``other_name``: the same code has another
    # name.
    kind: str
    row: int
    level: str
    code: str
    name: str
    source_list: str
    other_code: str
    other_name: str
    other_list: str

    def note(self) -> Note:
        """
        Say it.

        Returns
        -------
        Note
            With the row of the file.
        """
        return Note(f"units_file.{self.kind}", dict(vars(self)))


@dataclass
class _UnitRows:
    """Units of a file in one form, and what was left out."""

    units: pd.DataFrame
    refusals: list[Refusal] = field(default_factory=list)
    above: int = 0
    outside: int = 0


def find_level(code: str) -> tuple[str, str] | None:
    """Tell the level of a unit by its code, and the code in its shortest form."""
    # GB/T 2260, GB/T 10114 and the statistical office's lists have 2, 4, 6, 9 or 12 digits; zeros
    # at the end stand for nothing below.
    if not code.isdigit() or not code.isascii() or len(code) not in (2, 4, 6, 9, 12):
        return None
    parts = [code[:2], code[2:4], code[4:6], code[6:9], code[9:12]]
    while len(parts) > 1 and not parts[-1].strip("0"):
        parts.pop()
    level = ("province", "prefecture", "county", "town", "village")[len(parts) - 1]
    return level, "".join(parts)


def is_same_name(first: str, second: str) -> bool:
    """Tell whether two lists mean the same name."""
    short, long = sorted((_normalise_name(first), _normalise_name(second)), key=len)
    return long == short or (long.startswith(short) and long[len(short) :] in _ENDINGS)


def _normalise_name(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).replace(" ", "")
    return text.replace("街道办事处", "街道")


def _name_stem(name: str) -> str:
    text = _normalise_name(name)
    for ending in _ENDINGS:
        if text.endswith(ending) and len(text) > len(ending) + 1:
            return text.removesuffix(ending)
    return text


# --- the file ----------------------------------------------------------------------------------


def read_unit_rows(table: MatchedTable, options: ImportOptions) -> _UnitRows:
    """Bring a list into one form."""
    units = read_fields(FIELDS, table)
    units["row"] = np.asarray(table.rows, dtype=np.int64)
    units["geometry"] = pd.Series(_geometry_list(table), dtype=object)
    units["name"] = units["full_name"].where(units["full_name"].notna(), units["name"])
    if units["name"].isna().all() and len(units):
        raise InputError("units_file.no_names", file=table.file.name)
    columns = _find_list_columns(table)
    if "key" in table.frame:
        full_codes = units["full_code"]
        units["code"] = full_codes.where(full_codes.notna(), units["key"])
        units["source_list"] = units["source_list"].where(
            units["source_list"].notna(),
            options.extra.get("source_list") or Path(table.file.name).stem,
        )
    elif len(columns) > 1:
        units = _stack_lists(units, table, columns)
    else:
        raise InputError("units_file.no_codes", file=table.file.name)
    return _with_levels(units, table, options)


def _geometry_list(table: MatchedTable) -> list[Any]:
    if table.geometry is None:
        return [None] * len(table.rows)
    return list(table.geometry)


def _find_list_columns(table: MatchedTable) -> dict[str, str]:
    """Find the columns that each hold the codes of one list: the list's name by column."""
    list_of_column = {}
    for column in table.file.frame.columns:
        match = _LIST_COLUMN.fullmatch(str(column))
        if match is not None:
            list_of_column[str(column)] = match[1]
    return list_of_column


def _stack_lists(
    units: pd.DataFrame, table: MatchedTable, columns: Mapping[str, str]
) -> pd.DataFrame:
    is_row = np.isin(table.file.rows, table.rows)
    lists = []
    for column, name in columns.items():
        codes = table.file.frame.loc[is_row, column].reset_index(drop=True)
        texts = [None if pd.isna(code) else str(code).strip() for code in codes]
        lists.append(units.assign(code=pd.Series(texts, dtype=object), source_list=name))
    return pd.concat(lists, ignore_index=True)


def _with_levels(units: pd.DataFrame, table: MatchedTable, options: ImportOptions) -> _UnitRows:
    """Find level and short code of each row; leave out what is above a county or elsewhere."""
    within = options.extra.get("within") or ""
    units_read = _UnitRows(units)
    seen: dict[tuple[str, str], str] = {}
    index_of = {row: index for index, row in enumerate(np.asarray(table.rows).tolist())}
    kept: list[tuple[int, str, str]] = []
    levels_and_codes = [find_level(str(code)) or (None, "") for code in units["code"]]
    divided = {code[:4] for level, code in levels_and_codes if level == "county"}
    for index, unit in enumerate(units.itertuples()):
        level, code = levels_and_codes[index]
        if level == "prefecture" and divided and code not in divided and len(str(unit.code)) > 4:
            level, code = "county", f"{code}00"  # a city without counties: 东莞, 中山, 儋州
        if level is not None and level not in LEVELS:
            units_read.above += 1
        elif not code.startswith(within) and level is not None:
            units_read.outside += 1
        else:
            fault = _find_fault(unit, level) or _find_repeat(unit, code, seen)
            if fault is None and level is not None:
                kept.append((index, level, code))
            elif fault is not None:
                units_read.refusals.append(table.make_refusal(index_of[int(unit.row)], *fault))
    places, levels, codes = zip(*kept, strict=True) if kept else ((), (), ())
    units = units.loc[list(places)].reset_index(drop=True)
    units["level"], units["code"] = pd.Series(levels, dtype=object), pd.Series(codes, dtype=object)
    units_read.units = units
    return units_read


def _find_fault(unit: Any, level: str | None) -> tuple[str, str] | None:
    if level is None:
        return "units_file.bad_code", "key"
    if not isinstance(unit.name, str) or "\x00" in unit.name:
        return "ingest.row_empty", "name"
    if unit.urban_rural_class and not _CLASS.fullmatch(str(unit.urban_rural_class)):
        return "units_file.bad_class", "urban_rural_class"
    if unit.valid_from is not None and not isinstance(unit.valid_from, date):
        return "ingest.row_bad_day", "valid_from"
    shape = unit.geometry
    if shape is None:
        return None
    if shapely.get_type_id(shape) not in _AREAS or shape.is_empty:
        return "ingest.row_wrong_shape", "geometry"
    return None if shapely.is_valid(shape) else ("ingest.row_invalid_shape", "geometry")


def _find_repeat(unit: Any, code: str, seen: dict[tuple[str, str], str]) -> tuple[str, str] | None:
    """Refuse a code that stands in an earlier row of the same list."""
    earlier_name = seen.get((unit.source_list, code))
    if earlier_name is None:
        seen[unit.source_list, code] = unit.name
        return None
    return ("ingest.row_repeated" if earlier_name == unit.name else "units_file.code_of_two"), "key"


# --- lists against each other ------------------------------------------------------------------


def find_conflicts(units: pd.DataFrame, known: pd.DataFrame) -> list[Conflict]:
    """Compare units with those of other lists."""
    conflicts: list[Conflict] = []
    names = ["code", "name", "level", "source_list"]
    known_units = known[names]
    for _, group in units.groupby("source_list", sort=False):
        others = known_units[known_units["source_list"] != group["source_list"].iloc[0]]
        if len(others):
            conflicts += _find_other_names(group, others)
            conflicts += _find_other_codes(group, others)
        known_units = pd.concat([known_units, group[names]], ignore_index=True).drop_duplicates()
    return sorted(conflicts, key=lambda conflict: (conflict.row, conflict.kind))


def _find_other_names(group: pd.DataFrame, others: pd.DataFrame) -> Iterable[Conflict]:
    pairs = group.merge(others, on=["code", "level"], suffixes=("", "_other"))
    for pair in pairs[pairs["name"] != pairs["name_other"]].itertuples():
        if not is_same_name(pair.name, pair.name_other):
            yield _conflict_of("other_name", pair, pair.code)


def _find_other_codes(group: pd.DataFrame, others: pd.DataFrame) -> Iterable[Conflict]:
    pairs = _with_stems(group).merge(
        _with_stems(others), on=["stem", "above", "level"], suffixes=("", "_other")
    )
    for pair in pairs[pairs["code"] != pairs["code_other"]].itertuples():
        if is_same_name(pair.name, pair.name_other):
            yield _conflict_of("other_code", pair, pair.code_other)


def _with_stems(units: pd.DataFrame) -> pd.DataFrame:
    upper_codes = [
        code[: _NAME_DIGITS[level]]
        for code, level in zip(units["code"], units["level"], strict=True)
    ]
    return units.assign(stem=[_name_stem(name) for name in units["name"]], above=upper_codes)


def _conflict_of(kind: str, pair: Any, other_code: str) -> Conflict:
    return Conflict(
        kind, int(pair.row), pair.level, pair.code, pair.name, pair.source_list, other_code,
        pair.name_other, pair.source_list_other,
    )  # fmt: skip


# --- the store ---------------------------------------------------------------------------------


class _Parents:
    """Finds the unit above by code: in the same list first, else in another where all agree."""

    def __init__(self, stored: pd.DataFrame) -> None:
        self._mine: dict[tuple[str, str], int] = {}
        self._any: dict[str, dict[str, int]] = {}
        for unit in stored.itertuples():
            self.add(unit.source_list, unit.code, unit.name, unit.admin_unit_id)

    def add(self, source_list: str, code: str, name: str, unit_id: int) -> None:
        self._mine[source_list, code] = unit_id
        self._any.setdefault(code, {}).setdefault(name, unit_id)

    def find(self, source_list: str, level: str, code: str) -> int | None:
        upper_code = code[: _PARENT_DIGITS[level]]
        own = self._mine.get((source_list, upper_code))
        if own is not None or not upper_code:
            return own
        others = self._any.get(upper_code, {})
        return next(iter(others.values())) if len(others) == 1 else None


def take_units(
    connection: sa.Connection,
    actor: Actor,
    table: MatchedTable,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """Write the units of a file."""
    del actor
    default_day = options.day("valid_from") or today(connection)
    units_read = read_unit_rows(table, options)
    stored = queries.read_units(connection)
    result = HandlerResult(refusals=units_read.refusals)
    conflicts = find_conflicts(units_read.units, stored)
    result.notes = _notes_about_units(units_read, conflicts)
    result.details = {"conflicts": [dict(vars(conflict)) for conflict in conflicts]}
    progress(0.3, "units_file.step_writing")
    ids = {
        (unit.source_list, unit.level, unit.code): unit for unit in stored.itertuples(index=False)
    }
    parents = _Parents(stored)
    for level in LEVELS:
        units = units_read.units[units_read.units["level"] == level]
        new, changes = [], []
        for unit in units.itertuples(index=False):
            parent = parents.find(unit.source_list, level, unit.code)
            stored_unit = ids.get((unit.source_list, level, unit.code))
            if stored_unit is None:
                new.append((unit, parent))
            else:
                changes.append(_changes_of(stored_unit, unit, parent))
        _insert_units(connection, level, new, default_day, parents)
        needed = [change for change in changes if change is not None]
        queries.update_units(connection, needed)
        result.new += len(new)
        result.changed += len(needed)
        result.same += len(changes) - len(needed)
        progress(0.4 + 0.2 * LEVELS.index(level), "units_file.step_writing")
    if options.replace:
        result.removed = _end_unnamed_units(
            connection, stored, units_read.units, options, today(connection)
        )
    result.taken = {"admin_unit": result.new + result.changed}
    return result


def _insert_units(
    connection: sa.Connection,
    level: str,
    new: list[tuple[Any, int | None]],
    day: date,
    parents: _Parents,
) -> None:
    if not new:
        return
    shapes = np.empty(len(new), dtype=object)
    shapes[:] = [unit.geometry for unit, _ in new]
    copy_rows(
        connection,
        t.admin_unit,
        {
            "code": [unit.code for unit, _ in new],
            "name": [unit.name for unit, _ in new],
            "level": [level] * len(new),
            "parent_id": [parent for _, parent in new],
            "source_list": [unit.source_list for unit, _ in new],
            "urban_rural_class": [unit.urban_rural_class for unit, _ in new],
            "valid": [(unit.valid_from or day, None) for unit, _ in new],
            "geom": shapes,
        },
    )
    lists = sorted({unit.source_list for unit, _ in new})
    for row in queries.read_unit_ids(connection, level, lists):
        parents.add(*row)


def _changes_of(stored: Any, unit: Any, parent: int | None) -> dict[str, Any] | None:
    """Tell what is new about a unit; what the file does not say stays."""
    shape = unit.geometry
    wkb = None
    if shape is not None:
        multi = shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape])
        wkb = shapely.to_wkb(multi)
        wkb = None if stored.wkb is not None and bytes(stored.wkb) == wkb else wkb
    after = {
        "name": unit.name,
        "parent_id": stored.parent_id if parent is None else parent,
        "urban_rural_class": unit.urban_rural_class or stored.urban_rural_class,
    }
    if wkb is None and all(getattr(stored, name) == value for name, value in after.items()):
        return None
    return {"unit_id": stored.admin_unit_id, "wkb": wkb, **after}


def _end_unnamed_units(
    connection: sa.Connection,
    stored: pd.DataFrame,
    units: pd.DataFrame,
    options: ImportOptions,
    day: date,
) -> int:
    """End the units of the file's lists that it does not name; today is their first day without."""
    named_in_file = set(zip(units["source_list"], units["level"], units["code"], strict=True))
    within = options.extra.get("within") or ""
    lists, levels = set(units["source_list"]), set(units["level"])
    leftover = [
        unit
        for unit in stored.itertuples(index=False)
        if unit.source_list in lists
        and unit.level in levels
        and unit.code.startswith(within)
        and (unit.source_list, unit.level, unit.code) not in named_in_file
    ]
    ended = [unit.admin_unit_id for unit in leftover if unit.since < day]
    if ended:
        queries.end_units(connection, ended, day)
    for level in reversed(LEVELS):  # what began today has never been
        begun_today = [
            unit.admin_unit_id for unit in leftover if unit.since >= day and unit.level == level
        ]
        if begun_today:
            queries.delete_unused_units(connection, begun_today)
    return len(leftover)


def _notes_about_units(units_read: _UnitRows, conflicts: list[Conflict]) -> list[Note]:
    notes = []
    if units_read.above:
        notes.append(Note("units_file.above_county", {"n": units_read.above}))
    if units_read.outside:
        notes.append(Note("units_file.outside", {"n": units_read.outside}))
    for kind in ("other_code", "other_name"):
        of_kind = [conflict for conflict in conflicts if conflict.kind == kind]
        if of_kind:
            by_county = pd.Series([conflict.code[:6] for conflict in of_kind]).value_counts(
                sort=False
            )
            counties = ", ".join(f"{code} {n}" for code, n in by_county.items())
            notes.append(
                Note(f"units_file.{kind}_count", {"n": len(of_kind), "counties": counties})
            )
    notes += [conflict.note() for conflict in conflicts[:_MOST_NOTES]]
    if len(conflicts) > _MOST_NOTES:
        notes.append(Note("units_file.more_conflicts", {"n": len(conflicts) - _MOST_NOTES}))
    return notes


KIND: Final = ImportKind(
    name="admin_units",
    fields=FIELDS,
    handle=take_units,
    geometry="optional",
    extra=OPTIONS["admin_units"],
)
