"""Administrative units from a list or a file of polygons, each with the list that it comes from.

Published lists disagree about codes: a unit of another list is the same only where code **and**
name agree. What disagrees is told row by row and never joined by code alone.
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
from gis_service.errors import InputError, Place
from gis_service.grids.versions import today
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
_SAID: Final = 200


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
class _Read:
    """Units of a file in one form, and what was left out."""

    units: pd.DataFrame
    refusals: list[Refusal] = field(default_factory=list)
    above: int = 0
    outside: int = 0


def level_of(code: str) -> tuple[str, str] | None:
    """
    Tell the level of a unit by its code.

    Parameters
    ----------
    code
        2, 4, 6, 9 or 12 digits (GB/T 2260, GB/T 10114 and the statistical office's lists); zeros
        at the end stand for nothing below.

    Returns
    -------
    tuple or None
        ``province``, ``prefecture``, ``county``, ``town`` or ``village``, and the code in its
        shortest form; None where it is no such code.
    """
    if not code.isdigit() or not code.isascii() or len(code) not in (2, 4, 6, 9, 12):
        return None
    parts = [code[:2], code[2:4], code[4:6], code[6:9], code[9:12]]
    while len(parts) > 1 and not parts[-1].strip("0"):
        parts.pop()
    level = ("province", "prefecture", "county", "town", "village")[len(parts) - 1]
    return level, "".join(parts)


def same_name(one: str, other: str) -> bool:
    """Tell whether two lists mean the same name."""
    short, long = sorted((_narrow(one), _narrow(other)), key=len)
    return long == short or (long.startswith(short) and long[len(short) :] in _ENDINGS)


def _narrow(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).replace(" ", "")
    return text.replace("街道办事处", "街道")


def _stem(name: str) -> str:
    text = _narrow(name)
    for ending in _ENDINGS:
        if text.endswith(ending) and len(text) > len(ending) + 1:
            return text.removesuffix(ending)
    return text


# --- the file ----------------------------------------------------------------------------------


def read_units(table: MatchedTable, options: ImportOptions) -> _Read:
    """Bring a list into one form."""
    given = read_fields(FIELDS, table)
    given["row"] = np.asarray(table.rows, dtype=np.int64)
    given["geometry"] = pd.Series(_shapes(table), dtype=object)
    given["name"] = given["full_name"].where(given["full_name"].notna(), given["name"])
    if given["name"].isna().all() and len(given):
        raise InputError("units_file.no_names", file=table.file.name)
    columns = _list_columns(table)
    if "key" in table.frame:
        full = given["full_code"]
        given["code"] = full.where(full.notna(), given["key"])
        given["source_list"] = given["source_list"].where(
            given["source_list"].notna(),
            options.extra.get("source_list") or Path(table.file.name).stem,
        )
    elif len(columns) > 1:
        given = _side_by_side(given, table, columns)
    else:
        raise InputError("units_file.no_codes", file=table.file.name)
    return _checked(given, table, options)


def _shapes(table: MatchedTable) -> list[Any]:
    if table.geometry is None:
        return [None] * len(table.rows)
    return list(table.geometry)


def _list_columns(table: MatchedTable) -> dict[str, str]:
    """Find the columns that each hold the codes of one list: the list's name by column."""
    found = {}
    for column in table.file.frame.columns:
        match = _LIST_COLUMN.fullmatch(str(column))
        if match is not None:
            found[str(column)] = match[1]
    return found


def _side_by_side(
    given: pd.DataFrame, table: MatchedTable, columns: Mapping[str, str]
) -> pd.DataFrame:
    mine = np.isin(table.file.rows, table.rows)
    lists = []
    for column, name in columns.items():
        codes = table.file.frame.loc[mine, column].reset_index(drop=True)
        texts = [None if pd.isna(code) else str(code).strip() for code in codes]
        lists.append(given.assign(code=pd.Series(texts, dtype=object), source_list=name))
    return pd.concat(lists, ignore_index=True)


def _checked(given: pd.DataFrame, table: MatchedTable, options: ImportOptions) -> _Read:
    """Find level and short code of each row; leave out what is above a county or elsewhere."""
    within = options.extra.get("within") or ""
    read = _Read(given)
    seen: dict[tuple[str, str], str] = {}
    of_row = {row: index for index, row in enumerate(np.asarray(table.rows).tolist())}
    good: list[tuple[int, str, str]] = []
    found = [level_of(str(code)) or (None, "") for code in given["code"]]
    divided = {code[:4] for level, code in found if level == "county"}
    for index, unit in enumerate(given.itertuples()):
        level, code = found[index]
        if level == "prefecture" and divided and code not in divided and len(str(unit.code)) > 4:
            level, code = "county", f"{code}00"  # a city without counties: 东莞, 中山, 儋州
        if level is not None and level not in LEVELS:
            read.above += 1
        elif not code.startswith(within) and level is not None:
            read.outside += 1
        else:
            bad = _wrong(unit, level) or _repeated(unit, code, seen)
            if bad is None and level is not None:
                good.append((index, level, code))
            elif bad is not None:
                read.refusals.append(table.refusal(of_row[int(unit.row)], *bad))
    places, levels, codes = zip(*good, strict=True) if good else ((), (), ())
    units = given.loc[list(places)].reset_index(drop=True)
    units["level"], units["code"] = pd.Series(levels, dtype=object), pd.Series(codes, dtype=object)
    read.units = units
    return read


def _wrong(unit: Any, level: str | None) -> tuple[str, str] | None:
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


def _repeated(unit: Any, code: str, seen: dict[tuple[str, str], str]) -> tuple[str, str] | None:
    """Refuse a code that stands in an earlier row of the same list."""
    before = seen.get((unit.source_list, code))
    if before is None:
        seen[unit.source_list, code] = unit.name
        return None
    return ("ingest.row_repeated" if before == unit.name else "units_file.code_of_two"), "key"


# --- lists against each other ------------------------------------------------------------------


def find_conflicts(units: pd.DataFrame, known: pd.DataFrame) -> list[Conflict]:
    """Compare units with those of other lists."""
    found: list[Conflict] = []
    names = ["code", "name", "level", "source_list"]
    before = known[names]
    for _, group in units.groupby("source_list", sort=False):
        others = before[before["source_list"] != group["source_list"].iloc[0]]
        if len(others):
            found += _by_code(group, others)
            found += _by_name(group, others)
        before = pd.concat([before, group[names]], ignore_index=True).drop_duplicates()
    return sorted(found, key=lambda one: (one.row, one.kind))


def _by_code(group: pd.DataFrame, others: pd.DataFrame) -> Iterable[Conflict]:
    pairs = group.merge(others, on=["code", "level"], suffixes=("", "_other"))
    for pair in pairs[pairs["name"] != pairs["name_other"]].itertuples():
        if not same_name(pair.name, pair.name_other):
            yield _conflict("other_name", pair, pair.code)


def _by_name(group: pd.DataFrame, others: pd.DataFrame) -> Iterable[Conflict]:
    pairs = _stemmed(group).merge(
        _stemmed(others), on=["stem", "above", "level"], suffixes=("", "_other")
    )
    for pair in pairs[pairs["code"] != pairs["code_other"]].itertuples():
        if same_name(pair.name, pair.name_other):
            yield _conflict("other_code", pair, pair.code_other)


def _stemmed(units: pd.DataFrame) -> pd.DataFrame:
    above = [
        code[: _NAME_DIGITS[level]]
        for code, level in zip(units["code"], units["level"], strict=True)
    ]
    return units.assign(stem=[_stem(name) for name in units["name"]], above=above)


def _conflict(kind: str, pair: Any, other_code: str) -> Conflict:
    return Conflict(
        kind, int(pair.row), pair.level, pair.code, pair.name, pair.source_list, other_code,
        pair.name_other, pair.source_list_other,
    )  # fmt: skip


# --- the store ---------------------------------------------------------------------------------


def _held(connection: sa.Connection) -> pd.DataFrame:
    unit = t.admin_unit.c
    query = sa.select(
        unit.admin_unit_id, unit.code, unit.name, unit.level, unit.source_list, unit.parent_id,
        unit.urban_rural_class, sa.func.ST_AsBinary(unit.geom).label("wkb"),
        sa.func.lower(unit.valid).label("since"),
    ).where(sa.func.upper_inf(unit.valid)).order_by(unit.admin_unit_id)  # fmt: skip
    result = connection.execute(query)
    return pd.DataFrame(result.all(), columns=list(result.keys()), dtype=object)


class _Parents:
    """Finds the unit above by code: in the same list first, else in another where all agree."""

    def __init__(self, held: pd.DataFrame) -> None:
        self._mine: dict[tuple[str, str], int] = {}
        self._any: dict[str, dict[str, int]] = {}
        for unit in held.itertuples():
            self.add(unit.source_list, unit.code, unit.name, unit.admin_unit_id)

    def add(self, source_list: str, code: str, name: str, unit_id: int) -> None:
        self._mine[source_list, code] = unit_id
        self._any.setdefault(code, {}).setdefault(name, unit_id)

    def of(self, source_list: str, level: str, code: str) -> int | None:
        above = code[: _PARENT_DIGITS[level]]
        mine = self._mine.get((source_list, above))
        if mine is not None or not above:
            return mine
        others = self._any.get(above, {})
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
    default_day = _day(options.extra.get("valid_from")) or today(connection)
    read = read_units(table, options)
    held = _held(connection)
    applied = HandlerResult(refusals=read.refusals)
    conflicts = find_conflicts(read.units, held)
    applied.notes = _notes(read, conflicts)
    applied.details = {"conflicts": [dict(vars(one)) for one in conflicts]}
    progress(0.3, "units_file.step_writing")
    ids = {(unit.source_list, unit.level, unit.code): unit for unit in held.itertuples(index=False)}
    parents = _Parents(held)
    for level in LEVELS:
        units = read.units[read.units["level"] == level]
        new, changes = [], []
        for unit in units.itertuples(index=False):
            parent = parents.of(unit.source_list, level, unit.code)
            before = ids.get((unit.source_list, level, unit.code))
            if before is None:
                new.append((unit, parent))
            else:
                changes.append(_change(before, unit, parent))
        _insert(connection, level, new, default_day, parents)
        real = [change for change in changes if change is not None]
        _update(connection, real)
        applied.new += len(new)
        applied.changed += len(real)
        applied.same += len(changes) - len(real)
        progress(0.4 + 0.2 * LEVELS.index(level), "units_file.step_writing")
    if options.replace:
        applied.removed = _end(connection, held, read.units, options, today(connection))
    applied.taken = {"admin_unit": applied.new + applied.changed}
    return applied


def _insert(
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
    unit = t.admin_unit.c
    lists = sorted({one.source_list for one, _ in new})
    rows = connection.execute(
        sa.select(unit.source_list, unit.code, unit.name, unit.admin_unit_id).where(
            unit.level == level, unit.source_list.in_(lists), sa.func.upper_inf(unit.valid)
        )
    )
    for row in rows:
        parents.add(*row)


def _change(before: Any, unit: Any, parent: int | None) -> dict[str, Any] | None:
    """Tell what is new about a unit; what the file does not say stays."""
    shape = unit.geometry
    wkb = None
    if shape is not None:
        multi = shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape])
        wkb = shapely.to_wkb(multi)
        wkb = None if before.wkb is not None and bytes(before.wkb) == wkb else wkb
    after = {
        "name": unit.name,
        "parent_id": before.parent_id if parent is None else parent,
        "urban_rural_class": unit.urban_rural_class or before.urban_rural_class,
    }
    if wkb is None and all(getattr(before, name) == value for name, value in after.items()):
        return None
    return {"unit_id": before.admin_unit_id, "wkb": wkb, **after}


def _update(connection: sa.Connection, changes: list[dict[str, Any]]) -> None:
    unit = t.admin_unit
    words = sa.update(unit).where(unit.c.admin_unit_id == sa.bindparam("unit_id"))
    for shaped in (False, True):
        rows = [change for change in changes if (change["wkb"] is not None) == shaped]
        values: dict[str, Any] = {
            name: sa.bindparam(f"new_{name}") for name in ("name", "parent_id", "urban_rural_class")
        }
        if shaped:
            values["geom"] = sa.func.ST_GeomFromWKB(sa.bindparam("wkb"), t.SRID)
        if rows:
            kept = ("unit_id", "wkb") if shaped else ("unit_id",)
            bound = [
                {(name if name in kept else f"new_{name}"): value for name, value in row.items()}
                for row in rows
            ]
            connection.execute(words.values(**values), bound)


def _end(
    connection: sa.Connection,
    held: pd.DataFrame,
    units: pd.DataFrame,
    options: ImportOptions,
    day: date,
) -> int:
    """End the units of the file's lists that it does not name; today is their first day without."""
    named = set(zip(units["source_list"], units["level"], units["code"], strict=True))
    within = options.extra.get("within") or ""
    lists, levels = set(units["source_list"]), set(units["level"])
    gone = [
        unit
        for unit in held.itertuples(index=False)
        if unit.source_list in lists
        and unit.level in levels
        and unit.code.startswith(within)
        and (unit.source_list, unit.level, unit.code) not in named
    ]
    unit = t.admin_unit
    older = [one.admin_unit_id for one in gone if one.since < day]
    if older:
        valid = sa.func.daterange(sa.func.lower(unit.c.valid), sa.cast(day, sa.Date))
        connection.execute(
            sa.update(unit).values(valid=valid).where(unit.c.admin_unit_id.in_(older))
        )
    for level in reversed(LEVELS):  # what began today has never been
        fresh = [one.admin_unit_id for one in gone if one.since >= day and one.level == level]
        if fresh:
            child = unit.alias()
            used = sa.exists().where(t.grid_state.c.admin_unit_id == unit.c.admin_unit_id)
            has_child = sa.exists().where(child.c.parent_id == unit.c.admin_unit_id)
            connection.execute(
                sa.delete(unit).where(unit.c.admin_unit_id.in_(fresh), ~used, ~has_child)
            )
    return len(gone)


def _day(said: str | None) -> date | None:
    if not said:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        place = Place(field="valid_from")
        raise InputError("grids_file.bad_day", place=place, day=said) from error


def _notes(read: _Read, conflicts: list[Conflict]) -> list[Note]:
    notes = []
    if read.above:
        notes.append(Note("units_file.above_county", {"n": read.above}))
    if read.outside:
        notes.append(Note("units_file.outside", {"n": read.outside}))
    for kind in ("other_code", "other_name"):
        mine = [one for one in conflicts if one.kind == kind]
        if mine:
            by_county = pd.Series([one.code[:6] for one in mine]).value_counts(sort=False)
            counties = ", ".join(f"{code} {n}" for code, n in by_county.items())
            notes.append(Note(f"units_file.{kind}_count", {"n": len(mine), "counties": counties}))
    notes += [one.note() for one in conflicts[:_SAID]]
    if len(conflicts) > _SAID:
        notes.append(Note("units_file.more_conflicts", {"n": len(conflicts) - _SAID}))
    return notes


KIND: Final = ImportKind(
    name="admin_units",
    fields=FIELDS,
    handle=take_units,
    geometry="optional",
    extra=OPTIONS["admin_units"],
)
