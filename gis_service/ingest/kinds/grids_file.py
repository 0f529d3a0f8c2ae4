"""Grids from a file: noded against each other, then published like every other boundary.

A file may hold the lowest level alone or several levels; upper levels are dissolved from the
lowest, and an upper polygon of the file is only compared. Grids keep their identity by their code.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.boundaries.linework.far_parts import refuse_apart
from gis_service.boundaries.linework.noding import NodingFinding, NodingReport
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.boundaries.publication.grid_table import DRAFT_COLUMNS, compare_table
from gis_service.boundaries.publication.publishing import publish
from gis_service.boundaries.publication.writing import SchemeLevel, ensure_scheme
from gis_service.errors import InputError, Place
from gis_service.geodesy import area_m2
from gis_service.grids.assignment import assign_new
from gis_service.grids.versions import today
from gis_service.ingest.kinds.grid_rows import FIELDS, check_rows, read_rows
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.off_lines import hold_back_beside
from gis_service.ingest.kinds.options import OPTIONS
from gis_service.ingest.kinds.shifted import hold_back_shifted
from gis_service.ingest.readers.columns import plain
from gis_service.ingest.readers.frames import Note
from gis_service.messages import Language
from gis_service.settings import number_settings
from gis_service.store import tables as t

_TIERS: Final = {
    "county": 1, "district": 1, "县": 1, "区县": 1, "县区": 1, "县级": 1,
    "town": 2, "top": 2, "大网格": 2, "一级网格": 2, "一级": 2, "镇": 2, "乡镇": 2, "街道": 2,
    "village": 3, "middle": 3, "中网格": 3, "二级网格": 3, "二级": 3, "村": 3, "社区": 3,
    "base": 4, "基础网格": 4, "小网格": 4, "三级网格": 4, "三级": 4, "网格": 4, "grid": 4,
    "微网格": 5, "四级网格": 5, "四级": 5,
}  # fmt: skip
_LABELS: Final = (("大网格", "Top grid"), ("中网格", "Middle grid"), ("基础网格", "Base grid"))
_CODE_LAYOUT: Final = (6, 3, 3, 3)
_SIZE_RULE: Final = {"urban": (200, 300), "rural": (80, 300)}
_SAID: Final = 50
_BY_NAME: Final = "name:"
_ON_BORDER_M: Final = 5.0
_SAME_ARC_DEGREES: Final = 2e-9


class FlawedGridsError(InputError):
    """
    Grids that do not tile, with every place.

    Parameters
    ----------
    key
        The message about the first place.
    report
        What was found.
    place
        Row and grid of the first place.
    **values
        What fills the message.
    """

    def __init__(
        self, key: str, /, report: NodingReport, place: Place, **values: str | float | None
    ) -> None:
        super().__init__(key, place=place, **values)
        self.report = report

    def details(self, language: Language) -> dict[str, object]:
        """
        Tell every place.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``counts`` by kind and ``places`` as GeoJSON with grids, area and width.
        """
        places = [finding.as_dict() for finding in self.report.errors]
        return {**super().details(language), "counts": self.report.counts(), "places": places}


@dataclass(frozen=True)
class _StoredScheme:
    """The scheme as the store holds it: its levels, its open states, and who has which code."""

    scheme_id: int | None
    levels: dict[int, Any]
    states: pd.DataFrame
    identities: dict[str, int]

    @property
    def lowest(self) -> int:
        return max(self.levels, default=0)


# --- the file ----------------------------------------------------------------------------------


# --- levels ------------------------------------------------------------------------------------


def ranks_of(
    said: Sequence[str | None], levels: Mapping[int, Any], stated: str | None = None
) -> list[int]:
    """Find the rank of each row."""
    texts = [stated or one for one in said]
    distinct = list(dict.fromkeys(text for text in texts if text is not None))
    if levels:
        known = {str(rank): rank for rank in levels}
        for rank, level in levels.items():
            for name in (level.label, level.label_en, level.admin_level):
                known.setdefault(plain(name or str(rank)), rank)
        if (
            len(distinct) <= 1
            and stated is None
            and plain(distinct[0] if distinct else "") not in known
        ):
            return [max(levels)] * len(texts)
        allowed = [f"{rank} {level.label}" for rank, level in levels.items()]
    else:
        known = {plain(text): int(text) for text in distinct if text.isdigit()}
        known = known or {plain(text): tier for text, tier in _TIERS.items()}
        if len(distinct) <= 1:
            return [1] * len(texts)
        allowed = ["1", "2", "3", *_TIERS]
    unknown = [text for text in texts if text is None or plain(text) not in known]
    if unknown:
        raise InputError(
            "grids_file.level_unknown", place=Place(field="level"), level=unknown[0] or "—",
            known=" / ".join(allowed),
        )  # fmt: skip
    ranks = [known[plain(text)] for text in texts if text is not None]
    if levels:
        return ranks
    order = {tier: place for place, tier in enumerate(sorted(set(ranks)), start=1)}
    return [order[rank] for rank in ranks]


def _new_levels(count: int, stated: str | None) -> list[SchemeLevel]:
    labels = [text.strip() for text in (stated or "").replace("，", ",").split(",") if text.strip()]
    if labels and len(labels) != count:
        raise InputError("grids_file.levels_differ", stated=len(labels), found=count)
    if labels:
        return [SchemeLevel(rank, label, label) for rank, label in enumerate(labels, start=1)]
    if count > len(_LABELS):
        raise InputError("grids_file.levels_needed", found=count)
    named = _LABELS[len(_LABELS) - count :]
    return [SchemeLevel(rank, *pair) for rank, pair in enumerate(named, start=1)]


# --- the store ---------------------------------------------------------------------------------


def _held(connection: sa.Connection, scheme: str) -> _StoredScheme:
    row = connection.execute(
        sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.code == scheme)
    ).first()
    columns = [
        "key", "grid_id", "rank", "name", "parent_grid_id", "kind", "urban_rural_class",
        "admin_code", "wkb",
    ]  # fmt: skip
    if row is None:
        return _StoredScheme(None, {}, pd.DataFrame(columns=columns, dtype=object), {})
    scheme_id = int(row.scheme_id)
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
    return _StoredScheme(scheme_id, {one.rank: one for one in levels}, states, dict(codes.all()))


def _hold_back(
    connection: sa.Connection, held: _StoredScheme, table: MatchedTable, given: pd.DataFrame
) -> None:
    """Refuse another county's grids, and borders that in another system lie on the known ones."""
    if len(held.states) and not given["key"].isin(list(held.identities)).any():
        rows = np.flatnonzero(given["geometry"].notna())
        hold_back_shifted(connection, table, rows, on_buildings=False)
    arc = t.linework_arc
    known = connection.execute(
        sa.select(sa.func.ST_AsBinary(arc.c.geom)).where(
            arc.c.scheme_id == held.scheme_id, sa.func.upper_inf(arc.c.valid)
        )
    ).scalars()
    old = np.asarray(shapely.from_wkb([bytes(wkb) for wkb in known]), dtype=object)
    shapes = given["geometry"].to_numpy()
    drawn = shapes[shapely.get_dimensions(shapes) == 2]
    if not len(old) or not len(drawn) or table.file.crs is None:
        return
    rings = shapely.get_rings(shapely.get_parts(shapely.get_parts(drawn)))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    ends = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    sides = np.asarray(shapely.linestrings(ends), dtype=object)
    sides = sides[shapely.length(sides) > 0]
    if len(sides):
        hold_back_beside(
            "grids_file.off_the_borders", table.file.name, table.file.crs, sides, old, _ON_BORDER_M
        )


def _as_rows(states: pd.DataFrame) -> pd.DataFrame:
    """Bring grids that the store holds into the form of a file's rows."""
    code_of = dict(zip(states["grid_id"], states["key"], strict=True))
    rows = states[["key", "rank", "name", "kind", "urban_rural_class", "admin_code"]].copy()
    parents = [code_of.get(parent) for parent in states["parent_grid_id"]]
    rows["parent"] = pd.Series(parents, index=rows.index, dtype=object)
    shapes = shapely.from_wkb([bytes(wkb) for wkb in states["wkb"]])
    rows["geometry"] = pd.Series(list(shapes), index=rows.index, dtype=object)
    rows["row"] = None
    return rows


# --- what is to be published -------------------------------------------------------------------


def _with_the_rest(rows: pd.DataFrame, held: _StoredScheme, *, replace: bool) -> pd.DataFrame:
    """Fill what the file does not say from the store; keep the grids that it does not name."""
    stored = _as_rows(held.states)
    known = stored.set_index("key")
    for column in ("name", "parent", "urban_rural_class", "admin_code"):
        before = rows["key"].map(known[column].to_dict())
        if column == "parent":  # one that is named stays only where it is still that one
            named = before.map(known["name"].to_dict())
            before = before.where(rows["parent_name"].isna() | (named == rows["parent_name"]))
        rows[column] = rows[column].where(rows[column].notna(), before)
    rows["admin_code"] = rows["admin_code"].where(rows["admin_code"].notna(), rows["key"])
    rows["name"] = rows["name"].where(rows["name"].notna(), rows["key"])
    lowest = stored["rank"] == held.lowest
    missing = stored[~stored["key"].isin(rows["key"]) & ~(lowest & replace)]
    rows["stored"], missing = False, missing.assign(stored=True)
    whole = pd.concat([rows, missing], ignore_index=True) if len(missing) else rows
    whole = whole.astype(object)
    whole["code"] = whole["key"]
    return whole.where(whole.notna(), None)


def _with_parents(rows: pd.DataFrame, lowest: int) -> pd.DataFrame:
    """Name the parent of every grid; make upper grids that only their children name."""
    named = dict(zip(rows["key"], rows["rank"], strict=True))
    rows = _with_named_parents(rows)
    made: dict[str, dict[str, Any]] = {}
    for row in rows[(rows["rank"] > 1) & rows["parent"].notna()].itertuples():
        if row.parent not in named and row.parent not in made:
            code = None if row.parent.startswith(_BY_NAME) else row.parent
            made[row.parent] = {
                "key": row.parent, "rank": row.rank - 1, "name": row.parent_name or row.parent,
                "admin_code": code, "code": code, "stored": False,
            }  # fmt: skip
    if made:
        rows = pd.concat([rows, pd.DataFrame(list(made.values()))], ignore_index=True)
        rows = rows.astype(object).where(rows.notna(), None)
    for rank in range(2, lowest + 1):
        orphans = rows.index[(rows["rank"] == rank) & rows["parent"].isna()]
        above = rows[rows["rank"] == rank - 1]
        rows.loc[orphans, "parent"] = _located(rows.loc[orphans], above)
    for rank in range(lowest - 1, 0, -1):  # an upper grid without children is no more
        parents = set(rows.loc[rows["rank"] == rank + 1, "parent"])
        rows = rows[(rows["rank"] != rank) | rows["key"].isin(parents)]
    return rows.reset_index(drop=True)


def _with_named_parents(rows: pd.DataFrame) -> pd.DataFrame:
    """Find the parent of a grid that says its name only; an unknown one gets a code later."""
    upper = rows.drop_duplicates(["rank", "name"], keep=False).set_index(["rank", "name"])["key"]
    nameless = rows["parent"].isna() & rows["parent_name"].notna() & (rows["rank"] > 1)
    for index in rows.index[nameless]:
        name = rows.loc[index, "parent_name"]
        place = (rows.loc[index, "rank"] - 1, name)
        rows.loc[index, "parent"] = upper.get(place, f"{_BY_NAME}{name}")
    return rows


def _located(orphans: pd.DataFrame, above: pd.DataFrame) -> list[str | None]:
    """Find the upper grid in which each grid lies."""
    if not len(orphans):
        return []
    drawn = above[above["geometry"].notna()]
    parents: list[str | None] = [None] * len(orphans)
    if len(above) == 1:
        parents = [above["key"].iloc[0]] * len(orphans)
    elif len(drawn):
        inside = shapely.point_on_surface(orphans["geometry"].to_numpy())
        tree = shapely.STRtree(drawn["geometry"].to_numpy())
        for child, parent in zip(*tree.query(inside, predicate="intersects"), strict=True):
            parents[child] = drawn["key"].iloc[parent]
    if None in parents:
        lost = orphans.iloc[parents.index(None)]
        raise InputError(
            "grids_file.no_parent", place=Place(lost["row"], lost["key"], "parent"),
            n=parents.count(None),
        )  # fmt: skip
    return parents


def _all_have_parents(given: pd.DataFrame) -> bool:
    return bool((given["parent"].notna() | given["parent_name"].notna()).all())


def _refuse_flaws(report: NodingReport, file: str, rows: pd.DataFrame) -> None:
    if not report.errors:
        return
    order = ("tangled", "empty", "invalid", "key_twice", "overlap", "gap", "no_land")
    first = min(report.errors, key=lambda one: (order.index(one.kind), -one.width_m))
    counts = {kind: n for kind, n in report.counts()["errors"].items() if n}
    lon, lat = first.lonlat or (None, None)
    row = rows["row"][rows["key"] == first.keys[0]].iloc[0] if first.keys else None
    place = Place(None if row is None else int(row), " / ".join(first.keys) or None, "geometry")
    raise FlawedGridsError(
        f"grids_file.{first.kind}", report, place=place, file=file, grids=" / ".join(first.keys),
        width_m=f"{first.width_m:.2f}", area_m2=f"{first.area_m2:,.1f}", lon=lon, lat=lat,
        tolerance_m=f"{report.tolerance_m:g}", n=first.count,
        counts=", ".join(f"{kind} {n}" for kind, n in counts.items()),
    )  # fmt: skip


def _with_kinds(connection: sa.Connection, held: _StoredScheme, mesh: Tessellation) -> Tessellation:
    """Keep what the store knows of each arc: along a street, along water."""
    arc = t.linework_arc
    old = connection.execute(
        sa.select(sa.func.ST_AsBinary(arc.c.geom), arc.c.kind).where(
            arc.c.scheme_id == held.scheme_id, sa.func.upper_inf(arc.c.valid),
            arc.c.kind != "other",
        )
    ).all()  # fmt: skip
    if not old:
        return mesh
    tree = shapely.STRtree(shapely.from_wkb([bytes(wkb) for wkb, _ in old]))
    middle = shapely.line_interpolate_point(mesh.arcs, 0.5, normalized=True)
    new, known = tree.query(middle, predicate="dwithin", distance=_SAME_ARC_DEGREES)
    kinds = mesh.kinds.astype("U10")
    kinds[new] = np.array([kind for _, kind in old])[known]
    return dataclasses.replace(mesh, kinds=kinds)


def _drafts(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[list(DRAFT_COLUMNS)]
    return table.assign(parent=table["parent"].where(table["rank"] > 1, None))


# --- notes -------------------------------------------------------------------------------------


def _told(report: NodingReport) -> list[Note]:
    notes = [_note("repaired", finding) for finding in report.repairs[:_SAID]]
    if len(report.repairs) > _SAID:
        notes.append(Note("grids_file.more_repairs", {"n": len(report.repairs) - _SAID}))
    return notes + [_note("warned", finding) for finding in report.warnings[:_SAID]]


def _note(how: str, finding: NodingFinding) -> Note:
    lon, lat = finding.lonlat or (0.0, 0.0)
    return Note(
        f"grids_file.{how}_{finding.kind}",
        {
            "grids": " / ".join(finding.keys), "n": finding.count, "lon": lon, "lat": lat,
            "width_m": f"{finding.width_m:.2f}", "area_m2": f"{finding.area_m2:,.1f}",
        },
    )  # fmt: skip


def compare_uppers(
    uppers: pd.DataFrame, dissolved: Mapping[str, Any], tolerance_m: float
) -> list[NodingFinding]:
    """Compare the upper grids that a file draws with those that its base grids make."""
    found = []
    for row in uppers.itertuples():
        if row.geometry is None or row.key not in dissolved:
            continue
        drawn = shapely.make_valid(row.geometry)
        odd = shapely.symmetric_difference(drawn, dissolved[row.key], grid_size=1e-9)
        lat = float(shapely.centroid(drawn).y)
        half = tolerance_m / 2 / (111_320 * float(np.cos(np.radians(lat))))
        wide = shapely.buffer(shapely.buffer(odd, -half), half)
        if not wide.is_empty:
            found.append(
                NodingFinding("upper", (row.key,), float(area_m2(wide)[0]), tolerance_m, wide)
            )
    return found


# --- the handler -------------------------------------------------------------------------------


def take_grids(
    connection: sa.Connection,
    actor: Actor,
    table: MatchedTable,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """Publish the grids of a file as a version of a scheme."""
    extra = options.extra
    scheme = extra.get("scheme") or "base"
    tolerance_m = _tolerance(extra.get("tolerance_m"))
    day = _day(extra.get("effective")) or today(connection)
    held = _held(connection, scheme)
    given = read_rows(table)
    if not options.accept_shift:
        _hold_back(connection, held, table, given)
    given["rank"] = ranks_of(given["level"].tolist(), held.levels, extra.get("level"))
    if held.scheme_id is None and given["rank"].max() == 1 and _all_have_parents(given):
        given["rank"] += 1  # its parents are the level above
    lowest = held.lowest or int(given["rank"].max())
    if lowest not in set(given["rank"]):
        raise InputError("grids_file.no_lowest", level=held.levels[lowest].label)
    rows = _with_the_rest(given.copy(), held, replace=options.replace)
    rows = _with_parents(rows, lowest)
    base = rows[rows["rank"] == lowest].reset_index(drop=True)
    refuse_apart(base["key"].tolist(), base["geometry"].to_numpy())
    progress(0.1, "grids_file.step_noding")
    report = check_rows(base, tolerance_m, allow_holes=extra.get("allow_holes") in _YES)
    _refuse_flaws(report, table.file.name, base)
    assert report.tessellation is not None
    mesh = _with_kinds(connection, held, report.tessellation)
    progress(0.5, "grids_file.step_publishing")
    parent_of = dict(zip(rows["key"], rows["parent"].where(rows["rank"] > 1, None), strict=True))
    shapes = dict(zip(mesh.keys, mesh.faces(), strict=True))
    if held.scheme_id is None:
        ensure_scheme(
            connection, scheme, *_scheme_name(scheme), _new_levels(lowest, extra.get("levels")),
            code_layout=_CODE_LAYOUT, size_rule=_SIZE_RULE,
        )  # fmt: skip
    codes = set(rows["key"])
    known = {code: one for code, one in held.identities.items() if code in codes}
    wanted = compare_table(connection, scheme, mesh, _drafts(rows), day, known)
    new, changed = set(wanted.begun), wanted.changed - set(wanted.begun)
    applied = HandlerResult(notes=_told(report), details=_details(report))
    uppers = given[given["rank"] < lowest]
    dissolved = _dissolved(uppers["key"], parent_of, shapes)
    applied.notes += [
        _note("warned", one) for one in compare_uppers(uppers, dissolved, max(tolerance_m, 1.0))
    ]
    mine = set(given["key"])
    applied.new, applied.changed = len(new & mine), len(changed & mine)
    applied.same, applied.removed = len(mine - wanted.changed), len(wanted.retired)
    if not (wanted.changed or wanted.retired):
        return applied
    published = publish(
        connection, actor, wanted, day, extra.get("title") or table.file.name, table.file.name,
        count_upper=True,
    )  # fmt: skip
    if not len(held.states):
        assign_new(connection)
    applied.taken = {"grid_state": len(wanted.changed)}
    applied.details |= {
        "version_id": published.version.version_id,
        "effective": day.isoformat(),
        "scheme": scheme,
        "moved": published.moved,
    }
    progress(1.0, "grids_file.step_publishing")
    return applied


_YES: Final = ("yes", "true", "1", "on")


def _scheme_name(code: str) -> tuple[str, str]:
    return ("基础网格", "Base grids") if code == "base" else (code, code)


def _tolerance(said: str | None) -> float:
    if not said:
        return number_settings().boundary_tolerance_m
    try:
        value = float(said)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 5:
        raise InputError("grids_file.bad_tolerance", place=Place(field="tolerance_m"))
    return value


def _day(said: str | None) -> date | None:
    if not said:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        raise InputError("grids_file.bad_day", place=Place(field="effective"), day=said) from error


def _dissolved(
    uppers: Iterable[str], parent_of: Mapping[str, str | None], shapes: Mapping[str, Any]
) -> dict[str, Any]:
    """Put the base grids of each upper grid together."""
    members: dict[str, list[Any]] = {key: [] for key in uppers}
    for key, shape in shapes.items():
        above = parent_of.get(key)
        while above is not None:
            if above in members:
                members[above].append(shape)
            above = parent_of.get(above)
    return {
        key: shapely.coverage_union_all(shapely.get_parts(np.array(parts, dtype=object)))
        for key, parts in members.items()
        if parts
    }


def _details(report: NodingReport) -> dict[str, Any]:
    def plainly(findings: Iterable[NodingFinding]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in one.as_dict().items() if name != "geometry"}
            for one in findings
        ]

    return {
        "tolerance_m": report.tolerance_m,
        "boundaries": report.counts(),
        "repairs": plainly(report.repairs),
        "warnings": plainly(report.warnings),
    }


KIND: Final = ImportKind(
    name="grids", fields=FIELDS, handle=take_grids, geometry="required", extra=OPTIONS["grids"]
)
