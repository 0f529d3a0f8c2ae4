"""Grids from a file: noded against each other, then published like every other boundary.

A file may hold the lowest level alone or several levels; upper levels are dissolved from the
lowest, and an upper polygon of the file is only compared. Grids keep their identity by their code.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
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
from gis_service.ingest.kinds import queries
from gis_service.ingest.kinds.grid_rows import FIELDS, node_rows, read_rows
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.off_lines import hold_back_off_lines
from gis_service.ingest.kinds.options import OPTIONS
from gis_service.ingest.kinds.queries import StoredScheme
from gis_service.ingest.kinds.shifted import hold_back_shifted
from gis_service.ingest.readers.columns import normalise_name
from gis_service.ingest.readers.frames import Note
from gis_service.messages import Language
from gis_service.settings import number_settings

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
_MOST_NOTES: Final = 50
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


# --- levels ------------------------------------------------------------------------------------


def find_ranks(
    level_texts: Sequence[str | None], levels: Mapping[int, Any], stated_level: str | None = None
) -> list[int]:
    """Find the rank of each row."""
    texts = [stated_level or text for text in level_texts]
    distinct = list(dict.fromkeys(text for text in texts if text is not None))
    if levels:
        known = {str(rank): rank for rank in levels}
        for rank, level in levels.items():
            for name in (level.label, level.label_en, level.admin_level):
                known.setdefault(normalise_name(name or str(rank)), rank)
        if (
            len(distinct) <= 1
            and stated_level is None
            and normalise_name(distinct[0] if distinct else "") not in known
        ):
            return [max(levels)] * len(texts)
        allowed = [f"{rank} {level.label}" for rank, level in levels.items()]
    else:
        known = {normalise_name(text): int(text) for text in distinct if text.isdigit()}
        known = known or {normalise_name(text): tier for text, tier in _TIERS.items()}
        if len(distinct) <= 1:
            return [1] * len(texts)
        allowed = ["1", "2", "3", *_TIERS]
    unknown = [text for text in texts if text is None or normalise_name(text) not in known]
    if unknown:
        raise InputError(
            "grids_file.level_unknown", place=Place(field="level"), level=unknown[0] or "—",
            known=" / ".join(allowed),
        )  # fmt: skip
    ranks = [known[normalise_name(text)] for text in texts if text is not None]
    if levels:
        return ranks
    order = {tier: position for position, tier in enumerate(sorted(set(ranks)), start=1)}
    return [order[rank] for rank in ranks]


def _default_levels(count: int, stated: str | None) -> list[SchemeLevel]:
    labels = [text.strip() for text in (stated or "").replace("，", ",").split(",") if text.strip()]
    if labels and len(labels) != count:
        raise InputError("grids_file.levels_differ", stated=len(labels), found=count)
    if labels:
        return [SchemeLevel(rank, label, label) for rank, label in enumerate(labels, start=1)]
    if count > len(_LABELS):
        raise InputError("grids_file.levels_needed", found=count)
    default_labels = _LABELS[len(_LABELS) - count :]
    return [SchemeLevel(rank, *pair) for rank, pair in enumerate(default_labels, start=1)]


# --- what the store holds ----------------------------------------------------------------------


def _hold_back_misplaced(
    connection: sa.Connection,
    stored_scheme: StoredScheme,
    table: MatchedTable,
    file_rows: pd.DataFrame,
) -> None:
    """Refuse another county's grids, and borders that in another system lie on the known ones."""
    if (
        len(stored_scheme.states)
        and not file_rows["key"].isin(list(stored_scheme.identities)).any()
    ):
        rows = np.flatnonzero(file_rows["geometry"].notna())
        hold_back_shifted(connection, table, rows, on_buildings=False)
    stored_borders = queries.read_arcs(connection, stored_scheme.scheme_id)
    shapes = file_rows["geometry"].to_numpy()
    areas = shapes[shapely.get_dimensions(shapes) == 2]
    if not len(stored_borders) or not len(areas) or table.file.crs is None:
        return
    rings = shapely.get_rings(shapely.get_parts(shapely.get_parts(areas)))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same_ring = ring[1:] == ring[:-1]
    ends = np.stack([xy[:-1][same_ring], xy[1:][same_ring]], axis=1)
    sides = np.asarray(shapely.linestrings(ends), dtype=object)
    sides = sides[shapely.length(sides) > 0]
    if len(sides):
        hold_back_off_lines(
            "grids_file.off_the_borders", table.file.name, table.file.crs, sides, stored_borders,
            _ON_BORDER_M,
        )  # fmt: skip


def _stored_as_rows(states: pd.DataFrame) -> pd.DataFrame:
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


def _filled_from_store(
    rows: pd.DataFrame, stored_scheme: StoredScheme, *, replace: bool
) -> pd.DataFrame:
    """Fill what the file does not say from the store; keep the grids that it does not name."""
    stored = _stored_as_rows(stored_scheme.states)
    by_code = stored.set_index("key")
    for column in ("name", "parent", "urban_rural_class", "admin_code"):
        stored_values = rows["key"].map(by_code[column].to_dict())
        if column == "parent":  # one that is named stays only where it is still that one
            stored_parent_names = stored_values.map(by_code["name"].to_dict())
            stored_values = stored_values.where(
                rows["parent_name"].isna() | (stored_parent_names == rows["parent_name"])
            )
        rows[column] = rows[column].where(rows[column].notna(), stored_values)
    rows["admin_code"] = rows["admin_code"].where(rows["admin_code"].notna(), rows["key"])
    rows["name"] = rows["name"].where(rows["name"].notna(), rows["key"])
    lowest = stored["rank"] == stored_scheme.lowest
    missing = stored[~stored["key"].isin(rows["key"]) & ~(lowest & replace)]
    rows["stored"], missing = False, missing.assign(stored=True)
    all_rows = pd.concat([rows, missing], ignore_index=True) if len(missing) else rows
    all_rows = all_rows.astype(object)
    all_rows["code"] = all_rows["key"]
    return all_rows.where(all_rows.notna(), None)


def _with_parents(rows: pd.DataFrame, lowest: int) -> pd.DataFrame:
    """Name the parent of every grid; make upper grids that only their children name."""
    rank_of = dict(zip(rows["key"], rows["rank"], strict=True))
    rows = _with_parents_by_name(rows)
    upper_grids: dict[str, dict[str, Any]] = {}
    for row in rows[(rows["rank"] > 1) & rows["parent"].notna()].itertuples():
        if row.parent not in rank_of and row.parent not in upper_grids:
            code = None if row.parent.startswith(_BY_NAME) else row.parent
            upper_grids[row.parent] = {
                "key": row.parent, "rank": row.rank - 1, "name": row.parent_name or row.parent,
                "admin_code": code, "code": code, "stored": False,
            }  # fmt: skip
    if upper_grids:
        rows = pd.concat([rows, pd.DataFrame(list(upper_grids.values()))], ignore_index=True)
        rows = rows.astype(object).where(rows.notna(), None)
    for rank in range(2, lowest + 1):
        orphans = rows.index[(rows["rank"] == rank) & rows["parent"].isna()]
        above = rows[rows["rank"] == rank - 1]
        rows.loc[orphans, "parent"] = _find_upper_grids(rows.loc[orphans], above)
    for rank in range(lowest - 1, 0, -1):  # an upper grid without children is no more
        parents = set(rows.loc[rows["rank"] == rank + 1, "parent"])
        rows = rows[(rows["rank"] != rank) | rows["key"].isin(parents)]
    return rows.reset_index(drop=True)


def _with_parents_by_name(rows: pd.DataFrame) -> pd.DataFrame:
    """Find the parent of a grid that says its name only; an unknown one gets a code later."""
    upper = rows.drop_duplicates(["rank", "name"], keep=False).set_index(["rank", "name"])["key"]
    nameless = rows["parent"].isna() & rows["parent_name"].notna() & (rows["rank"] > 1)
    for index in rows.index[nameless]:
        name = rows.loc[index, "parent_name"]
        place = (rows.loc[index, "rank"] - 1, name)
        rows.loc[index, "parent"] = upper.get(place, f"{_BY_NAME}{name}")
    return rows


def _find_upper_grids(orphans: pd.DataFrame, above: pd.DataFrame) -> list[str | None]:
    """Find the upper grid in which each grid lies."""
    if not len(orphans):
        return []
    drawn_uppers = above[above["geometry"].notna()]
    parents: list[str | None] = [None] * len(orphans)
    if len(above) == 1:
        parents = [above["key"].iloc[0]] * len(orphans)
    elif len(drawn_uppers):
        inner_points = shapely.point_on_surface(orphans["geometry"].to_numpy())
        tree = shapely.STRtree(drawn_uppers["geometry"].to_numpy())
        for child, parent in zip(*tree.query(inner_points, predicate="intersects"), strict=True):
            parents[child] = drawn_uppers["key"].iloc[parent]
    if None in parents:
        orphan = orphans.iloc[parents.index(None)]
        raise InputError(
            "grids_file.no_parent", place=Place(orphan["row"], orphan["key"], "parent"),
            n=parents.count(None),
        )  # fmt: skip
    return parents


def _all_have_parents(rows: pd.DataFrame) -> bool:
    return bool((rows["parent"].notna() | rows["parent_name"].notna()).all())


def _refuse_flaws(report: NodingReport, file: str, rows: pd.DataFrame) -> None:
    if not report.errors:
        return
    order = ("tangled", "empty", "invalid", "key_twice", "overlap", "gap", "no_land")
    first = min(report.errors, key=lambda finding: (order.index(finding.kind), -finding.width_m))
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


def _with_stored_kinds(
    connection: sa.Connection, stored_scheme: StoredScheme, tessellation: Tessellation
) -> Tessellation:
    """Keep what the store knows of each arc: along a street, along water."""
    arcs, stored_kinds = queries.read_arcs_of_a_kind(connection, stored_scheme.scheme_id)
    if not len(arcs):
        return tessellation
    middles = shapely.line_interpolate_point(tessellation.arcs, 0.5, normalized=True)
    new_index, stored_index = shapely.STRtree(arcs).query(
        middles, predicate="dwithin", distance=_SAME_ARC_DEGREES
    )
    kinds = tessellation.kinds.astype("U10")
    kinds[new_index] = np.array(stored_kinds)[stored_index]
    return dataclasses.replace(tessellation, kinds=kinds)


def _drafts(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[list(DRAFT_COLUMNS)]
    return table.assign(parent=table["parent"].where(table["rank"] > 1, None))


# --- notes -------------------------------------------------------------------------------------


def _notes_about_noding(report: NodingReport) -> list[Note]:
    notes = [_note_of("repaired", finding) for finding in report.repairs[:_MOST_NOTES]]
    if len(report.repairs) > _MOST_NOTES:
        notes.append(Note("grids_file.more_repairs", {"n": len(report.repairs) - _MOST_NOTES}))
    return notes + [_note_of("warned", finding) for finding in report.warnings[:_MOST_NOTES]]


def _note_of(how: str, finding: NodingFinding) -> Note:
    lon, lat = finding.lonlat or (0.0, 0.0)
    return Note(
        f"grids_file.{how}_{finding.kind}",
        {
            "grids": " / ".join(finding.keys), "n": finding.count, "lon": lon, "lat": lat,
            "width_m": f"{finding.width_m:.2f}", "area_m2": f"{finding.area_m2:,.1f}",
        },
    )  # fmt: skip


def compare_upper_grids(
    uppers: pd.DataFrame, dissolved: Mapping[str, Any], tolerance_m: float
) -> list[NodingFinding]:
    """Compare the upper grids that a file draws with those that its base grids make."""
    findings = []
    for row in uppers.itertuples():
        if row.geometry is None or row.key not in dissolved:
            continue
        drawn = shapely.make_valid(row.geometry)
        difference = shapely.symmetric_difference(drawn, dissolved[row.key], grid_size=1e-9)
        lat = float(shapely.centroid(drawn).y)
        half = tolerance_m / 2 / (111_320 * float(np.cos(np.radians(lat))))
        visible = shapely.buffer(shapely.buffer(difference, -half), half)
        if not visible.is_empty:
            findings.append(
                NodingFinding("upper", (row.key,), float(area_m2(visible)[0]), tolerance_m, visible)
            )
    return findings


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
    tolerance_m = options.metres(
        "tolerance_m", number_settings().boundary_tolerance_m, 5, "grids_file.bad_tolerance"
    )
    day = options.day("effective") or today(connection)
    stored_scheme = queries.read_scheme(connection, scheme)
    file_rows = read_rows(table)
    if not options.accept_shift:
        _hold_back_misplaced(connection, stored_scheme, table, file_rows)
    file_rows["rank"] = find_ranks(
        file_rows["level"].tolist(), stored_scheme.levels, extra.get("level")
    )
    if (
        stored_scheme.scheme_id is None
        and file_rows["rank"].max() == 1
        and _all_have_parents(file_rows)
    ):
        file_rows["rank"] += 1  # its parents are the level above
    lowest = stored_scheme.lowest or int(file_rows["rank"].max())
    if lowest not in set(file_rows["rank"]):
        raise InputError("grids_file.no_lowest", level=stored_scheme.levels[lowest].label)
    rows = _filled_from_store(file_rows.copy(), stored_scheme, replace=options.replace)
    rows = _with_parents(rows, lowest)
    base = rows[rows["rank"] == lowest].reset_index(drop=True)
    refuse_apart(base["key"].tolist(), base["geometry"].to_numpy())
    progress(0.1, "grids_file.step_noding")
    report = node_rows(base, tolerance_m, allow_holes=options.is_on("allow_holes"))
    _refuse_flaws(report, table.file.name, base)
    assert report.tessellation is not None
    tessellation = _with_stored_kinds(connection, stored_scheme, report.tessellation)
    progress(0.5, "grids_file.step_publishing")
    parent_of = dict(zip(rows["key"], rows["parent"].where(rows["rank"] > 1, None), strict=True))
    shapes = dict(zip(tessellation.keys, tessellation.faces(), strict=True))
    if stored_scheme.scheme_id is None:
        ensure_scheme(
            connection, scheme, *_scheme_name(scheme), _default_levels(lowest, extra.get("levels")),
            code_layout=_CODE_LAYOUT, size_rule=_SIZE_RULE,
        )  # fmt: skip
    codes = set(rows["key"])
    identities = {
        code: grid_id for code, grid_id in stored_scheme.identities.items() if code in codes
    }
    changes = compare_table(connection, scheme, tessellation, _drafts(rows), day, identities)
    new, changed = set(changes.begun), changes.changed - set(changes.begun)
    result = HandlerResult(notes=_notes_about_noding(report), details=_details_of(report))
    uppers = file_rows[file_rows["rank"] < lowest]
    dissolved = _dissolve(uppers["key"], parent_of, shapes)
    result.notes += [
        _note_of("warned", finding)
        for finding in compare_upper_grids(uppers, dissolved, max(tolerance_m, 1.0))
    ]
    codes_in_file = set(file_rows["key"])
    result.new, result.changed = len(new & codes_in_file), len(changed & codes_in_file)
    result.same, result.removed = len(codes_in_file - changes.changed), len(changes.retired)
    if not (changes.changed or changes.retired):
        return result
    published = publish(
        connection, actor, changes, day, extra.get("title") or table.file.name, table.file.name,
        count_upper=True,
    )  # fmt: skip
    if not len(stored_scheme.states):
        assign_new(connection)
    result.taken = {"grid_state": len(changes.changed)}
    result.details |= {
        "version_id": published.version.version_id,
        "effective": day.isoformat(),
        "scheme": scheme,
        "moved": published.moved,
    }
    progress(1.0, "grids_file.step_publishing")
    return result


def _scheme_name(code: str) -> tuple[str, str]:
    return ("基础网格", "Base grids") if code == "base" else (code, code)


def _dissolve(
    uppers: Iterable[str], parent_of: Mapping[str, str | None], shapes: Mapping[str, Any]
) -> dict[str, Any]:
    """Put the base grids of each upper grid together."""
    members: dict[str, list[Any]] = {key: [] for key in uppers}
    for key, shape in shapes.items():
        upper = parent_of.get(key)
        while upper is not None:
            if upper in members:
                members[upper].append(shape)
            upper = parent_of.get(upper)
    return {
        key: shapely.coverage_union_all(shapely.get_parts(np.array(parts, dtype=object)))
        for key, parts in members.items()
        if parts
    }


def _details_of(report: NodingReport) -> dict[str, Any]:
    def without_geometry(findings: Iterable[NodingFinding]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in finding.as_dict().items() if name != "geometry"}
            for finding in findings
        ]

    return {
        "tolerance_m": report.tolerance_m,
        "boundaries": report.counts(),
        "repairs": without_geometry(report.repairs),
        "warnings": without_geometry(report.warnings),
    }


KIND: Final = ImportKind(
    name="grids", fields=FIELDS, handle=take_grids, geometry="required", extra=OPTIONS["grids"]
)
