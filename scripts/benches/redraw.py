"""Redrawing the demo county: one edit with its checks and loads, loads while dragging, validation.

Peers do what any planner could do with the same polygons: recompute everything with shapely and
``geopandas.sjoin``, count by a PostGIS query on the changed polygons, validate by a self-join and
``ST_Union`` in PostGIS. What is loaded once when a plan is opened stands outside the clock, on both
sides.
"""

import importlib
import importlib.util
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.editing import checks
from gis_service.boundaries.editing.balance import Loads, Units
from gis_service.boundaries.editing.edits import Draft, EditResult
from gis_service.boundaries.editing.rules import redraw_rules
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.errors import InputError
from gis_service.geodesy import GeometryArray
from gis_service.grids.versions import find_lowest_rank, find_version_in_force
from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row, compare, percentile, plain, row

EDITS: Final = 60
PEER_EDITS: Final = 5
EDIT_LIMIT_MS: Final = 100.0
DRAG_LIMIT_MS: Final = 60.0
VALIDATE_LIMIT_S: Final = 0.5
PUBLISH: Final = "scripts.benches.redraw_publish"

_ARCS: Final = """
    SELECT ST_AsBinary(geom), kind, left_grid_id, right_grid_id FROM linework_arc
    WHERE scheme_id = :scheme AND valid @> CAST(:day AS date) ORDER BY arc_id
"""
_GRIDS: Final = """
    SELECT grid_id, parent_grid_id, rank, urban_rural_class FROM grid_state
    WHERE scheme_id = :scheme AND valid @> CAST(:day AS date) ORDER BY grid_id
"""
_HOUSES: Final = """
    SELECT ST_X(b.point), ST_Y(b.point), count(h.household_id), coalesce(sum(h.people), 0),
           count(*) FILTER (WHERE h.care_tags <> '{}'),
           (SELECT count(*) FROM premises p WHERE p.building_id = b.building_id)
    FROM building b LEFT JOIN household h USING (building_id) GROUP BY b.building_id
    ORDER BY b.building_id
"""
_ALONE: Final = """
    SELECT ST_X(point), ST_Y(point), 1, people, (care_tags <> '{}')::int, 0, 0, 0.0
    FROM household WHERE building_id IS NULL
    UNION ALL SELECT ST_X(point), ST_Y(point), 0, 0, 0, 1, 0, 0.0
    FROM premises WHERE building_id IS NULL
    UNION ALL SELECT ST_X(point), ST_Y(point), 0, 0, 0, 0, 1, 0.0
    FROM hazard WHERE status <> 'closed'
    UNION ALL SELECT ST_X(point), ST_Y(point), 0, 0, 0, 0, 0, 1.0 / 24 FROM incident
"""
_HOMES: Final = """
    SELECT ST_X(p), ST_Y(p) FROM (
        SELECT coalesce(b.point, h.point) AS p FROM household h LEFT JOIN building b
        USING (building_id)) AS placed
"""
_COUNT: Final = """
    WITH changed AS (
        SELECT k, ST_SetSRID(ST_GeomFromWKB(w), 4490) AS g
        FROM unnest(CAST(:keys AS text[]), CAST(:shapes AS bytea[])) AS t (k, w)
    )
    SELECT k,
        (SELECT count(*) FROM building b JOIN household USING (building_id)
            WHERE ST_Intersects(g, b.point))
        + (SELECT count(*) FROM household h
            WHERE building_id IS NULL AND ST_Intersects(g, h.point)),
        (SELECT count(*) FROM premises p WHERE ST_Intersects(g, p.point)),
        (SELECT count(*) FROM hazard z WHERE status <> 'closed' AND ST_Intersects(g, z.point)),
        (SELECT count(*) FROM incident i WHERE ST_Intersects(g, i.point))
    FROM changed ORDER BY k
"""
_VALIDATE: Final = (
    """
    SELECT count(*) FROM grid_state a JOIN grid_state b
        ON a.rank = b.rank AND a.grid_id < b.grid_id AND a.geom && b.geom
        AND ST_Relate(a.geom, b.geom, 'T********')
    WHERE a.scheme_id = :scheme AND b.scheme_id = :scheme
      AND a.valid @> CAST(:day AS date) AND b.valid @> CAST(:day AS date)
    """,
    """
    SELECT count(*) FROM grid_state parent JOIN LATERAL (
        SELECT ST_Union(child.geom) AS g FROM grid_state child
        WHERE child.parent_grid_id = parent.grid_id AND child.valid @> CAST(:day AS date)
    ) AS below ON true
    WHERE parent.scheme_id = :scheme AND parent.valid @> CAST(:day AS date)
      AND parent.rank < :rank AND NOT ST_Equals(below.g, parent.geom)
    """,
    """
    SELECT CASE WHEN ST_Equals(
        (SELECT ST_Union(geom) FROM grid_state
            WHERE rank = :rank AND scheme_id = :scheme AND valid @> CAST(:day AS date)),
        ST_SetSRID(ST_GeomFromWKB(:county), 4490)) THEN 0 ELSE 1 END
    """,
    """
    SELECT count(*) FROM grid_state
    WHERE scheme_id = :scheme AND valid @> CAST(:day AS date) AND NOT ST_IsValid(geom)
    """,
)


@dataclass
class Opened:
    """A plan as the service holds it in memory after it was opened."""

    base: Tessellation
    parents: dict[str, str]
    upper: dict[str, str]
    classes: dict[str, str | None]
    units: Units
    roads: GeometryArray
    footprints: GeometryArray
    homes: npt.NDArray[np.float64]
    which: dict[str, Any]
    size_rule: dict[str, Any]
    draft: Draft = field(init=False)
    loads: Loads = field(init=False)
    context: checks.Context = field(init=False)

    def __post_init__(self) -> None:
        self.draft = Draft(self.base, self.parents)
        self.loads = Loads.place(
            self.draft.faces(), self.units, PackedShapes(self.roads), redraw_rules().load,
            size_rule=self.size_rule, classes=self.classes,
        )  # fmt: skip
        self.context = checks.Context(
            checks.BaseLand(self.base, self.parents), loads=self.loads,
            footprints=PackedShapes(self.footprints), streets=PackedShapes(self.roads),
            upper=[self.upper],
        )  # fmt: skip
        land = self.context.land
        land.outline, land.villages, land.faces  # noqa: B018


def run(context: Context) -> list[Row]:
    """
    Measure.

    Parameters
    ----------
    context
        Its surroundings.

    Returns
    -------
    list of Row
        ``edit``, ``drag``, ``validate``, and those of ``publish`` where they are there.
    """
    context.print_versions("geopandas")
    rows: list[Row] = []
    if any(context.wants(name) for name in ("edit", "drag", "validate")):
        store = context.county_store
        context.print_server_version(store)
        with context.peer_store.transaction(SYSTEM) as connection:
            opened = _opened(connection)
            _warm_up(opened)
            if context.wants("edit"):
                rows.append(_edit_row(opened))
            if context.wants("drag"):
                rows.append(_drag_row(opened, connection, context))
            if context.wants("validate"):
                rows.append(_validate_row(opened, connection, context))
    if context.wants("publish") and importlib.util.find_spec(PUBLISH) is not None:
        rows += importlib.import_module(PUBLISH).run(context)
    return rows


def _opened(connection: sa.Connection) -> Opened:
    version = find_version_in_force(connection)
    rank = find_lowest_rank(connection, version.scheme_id)
    values = {"scheme": version.scheme_id, "day": version.effective_day, "rank": rank}
    grids = connection.execute(sa.text(_GRIDS), values).all()
    parent = {str(g): str(p) for g, p, _, _ in grids if p is not None}
    keys = tuple(str(g) for g, _, r, _ in grids if r == rank)
    place: dict[int | None, int] = {int(key): index for index, key in enumerate(keys)}
    place[None] = -1
    arcs = connection.execute(sa.text(_ARCS), values).all()
    base = Tessellation(
        keys,
        np.asarray(shapely.from_wkb([bytes(arc[0]) for arc in arcs]), dtype=object),
        np.array([arc[1] for arc in arcs]),
        np.array([place[arc[2]] for arc in arcs]),
        np.array([place[arc[3]] for arc in arcs]),
    )
    houses = _numbers(connection, _HOUSES)
    alone = _numbers(connection, _ALONE)
    both = np.concatenate([np.hstack([houses, np.zeros((len(houses), 2))]), alone])
    size_rule = connection.execute(
        sa.text("SELECT size_rule FROM grid_scheme WHERE scheme_id = :scheme"), values
    ).scalar_one()
    base_parents = {key: parent[key] for key in keys}
    return Opened(
        base,
        base_parents,
        {village: parent[village] for village in sorted(set(base_parents.values()))},
        {str(g): c for g, _, _, c in grids},
        Units(both[:, 0], both[:, 1], both[:, 2:]),
        _shapes(connection, "SELECT ST_AsBinary(geom) FROM road_edge ORDER BY edge_id"),
        _shapes(
            connection,
            "SELECT ST_AsBinary(footprint) FROM building WHERE footprint IS NOT NULL "
            "ORDER BY building_id",
        ),
        _numbers(connection, _HOMES),
        values,
        size_rule,
    )


def _numbers(connection: sa.Connection, statement: str) -> npt.NDArray[np.float64]:
    rows = connection.execute(sa.text(statement)).all()
    return np.array([tuple(row) for row in rows], dtype=float)  # a row by itself is slow to read


def _shapes(connection: sa.Connection, statement: str) -> GeometryArray:
    rows = connection.execute(sa.text(statement)).scalars()
    return np.asarray(shapely.from_wkb([bytes(one) for one in rows]), dtype=object)


def _warm_up(opened: Opened) -> None:
    for change in _edits(opened, random.Random(0), 3):
        _checked(opened, change)
    while opened.draft.changes:
        opened.loads.apply(opened.draft.undo())


# --- one edit ------------------------------------------------------------------------------------


def _edit_of(draft: Draft, chance: random.Random) -> dict[str, Any]:
    """Draw what planners draw: a cut, a moved edge, a piece handed over, a merge."""
    key = chance.choice(draft.keys)
    face = draft.faces([key])[key]
    other = chance.choice(draft.neighbours(key))
    west, south, east, north = face.bounds
    middle = ((west + east) / 2, (south + north) / 2)
    kind = chance.choice(["split", "move_edge", "give", "merge"])
    if kind == "split":
        line = shapely.LineString([(west - 1e-3, middle[1]), middle, (east + 1e-3, middle[1])])
        return {"kind": kind, "grid": key, "line": line}
    if kind == "merge":
        return {"kind": kind, "grids": [key, other], "into": other}
    edge = max(
        (e for e in draft.edges([key]) if {e.left, e.right} == {key, other}),
        key=lambda e: e.line.length,
    ).line
    if kind == "give":
        return {"kind": kind, "region": _bump(edge), "to": other}
    line = shapely.LineString([edge.coords[0], _bent(edge, middle, 0.3), edge.coords[-1]])
    return {"kind": kind, "left": key, "right": other, "line": line}


def _bump(edge: Any) -> Any:
    centre = edge.interpolate(0.5, normalized=True)
    return centre.buffer(max(edge.length * 0.3, 2e-4), quad_segs=8)


def _bent(edge: Any, towards: tuple[float, float], share: float) -> tuple[float, float]:
    x, y = edge.interpolate(0.5, normalized=True).coords[0]
    return x + share * (towards[0] - x), y + share * (towards[1] - y)


def _edits(opened: Opened, chance: random.Random, count: int) -> Iterator[EditResult]:
    done = 0
    while done < count:
        try:
            change = opened.draft.apply(_edit_of(opened.draft, chance))
        except InputError:
            continue
        opened.loads.apply(change)
        done += 1
        yield change


def _checked(opened: Opened, change: EditResult) -> tuple[list[checks.Finding], dict[str, Any]]:
    remaining = [key for key in (*change.touched, *change.renoded) if key in change.after]
    findings = checks.check(opened.draft, opened.context, remaining)
    return findings, opened.loads.of(remaining)


def _edit_row(opened: Opened) -> Row:
    chance = random.Random(1)
    ours: list[float] = []
    theirs: list[float] = []
    equal = True
    while len(ours) < EDITS:
        edit = _edit_of(opened.draft, chance)
        began = time.perf_counter()
        try:
            change = opened.draft.apply(edit)
        except InputError:
            continue
        opened.loads.apply(change)
        _checked(opened, change)
        ours.append(time.perf_counter() - began)
        if len(ours) % (EDITS // PEER_EDITS) == 0:
            faces = opened.draft.faces()
            began = time.perf_counter()
            counts = _recomputed(faces, opened.homes)
            theirs.append(time.perf_counter() - began)
            ours_by_key = {key: load.households for key, load in opened.loads.of().items()}
            equal &= counts == {key: n for key, n in ours_by_key.items() if n}
    _all_undone(opened)
    p95 = percentile(ours, 0.95)
    return row(
        f"one edit with checks and load, p95 of {EDITS}",
        [p95] * len(theirs),
        "recomputing it all: coverage_is_valid, union_all, geopandas.sjoin",
        theirs,
        equal=equal,
        target=20,
        limits=[
            Limit("p95 of an edit on the server, ms", 1000 * p95, EDIT_LIMIT_MS),
            Limit("median of an edit, ms", 1000 * percentile(ours, 0.5)),
        ],
    )


def _recomputed(faces: Mapping[str, Any], homes: npt.NDArray[np.float64]) -> dict[str, int]:
    frame = gpd.GeoDataFrame({"key": list(faces)}, geometry=list(faces.values()), crs=4490)
    shapely.coverage_is_valid(frame.geometry.to_numpy())
    shapely.union_all(frame.geometry.to_numpy())
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(homes[:, 0], homes[:, 1]), crs=4490)
    joined = gpd.sjoin(points, frame, predicate="intersects")
    rank = pd.Series({key: (not key.isdigit(), index) for index, key in enumerate(faces)})
    joined = joined.assign(rank=joined["key"].map(rank)).sort_values("rank", kind="stable")
    first = joined[~joined.index.duplicated()]
    return {str(key): int(n) for key, n in first["key"].value_counts().items()}


def _all_undone(opened: Opened) -> None:
    while opened.draft.changes:
        opened.loads.apply(opened.draft.undo())


# --- dragging ------------------------------------------------------------------------------------


def _drag_row(opened: Opened, connection: sa.Connection, context: Context) -> Row:
    """
    Drag edges, as the service previews each stroke: done, weighed, checked and taken back.

    Both sides count on the polygons that the stroke has changed; ours counts patrol kilometres
    too. Working the polygons out, checking and taking back stand in the limit.
    """
    chance = random.Random(2)
    draft, loads = opened.draft, opened.loads
    whole: list[float] = []
    ours: list[float] = []
    theirs: list[float] = []
    equal = True
    loads.of()  # roads are measured when a plan is opened
    while len(ours) < EDITS:
        key = chance.choice(draft.keys)
        other = chance.choice(draft.neighbours(key))
        edge = max(
            (e for e in draft.edges([key]) if {e.left, e.right} == {key, other}),
            key=lambda e: e.line.length,
        ).line
        west, south, east, north = draft.faces([key])[key].bounds
        for share in (0.1, 0.2, 0.3):  # one stroke of the mouse
            bent = _bent(edge, ((west + east) / 2, (south + north) / 2), share)
            line = shapely.LineString([edge.coords[0], bent, edge.coords[-1]])
            edit = {"kind": "move_edge", "left": key, "right": other, "line": line}
            began = time.perf_counter()
            try:
                change = draft.apply(edit)
            except InputError:
                break
            done = time.perf_counter()
            loads.of(change.touched)
            loads.apply(change)
            ours_by_key = loads.of(change.touched)
            ours.append(time.perf_counter() - done)
            checks.check(draft, opened.context, change.touched)
            loads.apply(draft.undo())
            whole.append(time.perf_counter() - began)
            faces = {key: change.after[key] for key in change.touched}
            began = time.perf_counter()
            values = {"keys": list(faces), "shapes": [shapely.to_wkb(f) for f in faces.values()]}
            counted = connection.execute(sa.text(_COUNT), values).all()
            theirs.append(time.perf_counter() - began)
            equal &= _near(counted, ours_by_key)
    context.print_plan(connection, "the peer's count", _COUNT, values)
    p95, peer = percentile(ours, 0.95), percentile(theirs, 0.95)
    return row(
        f"load figures while dragging, p95 of {len(ours)}",
        [p95],
        "the same counts by PostGIS on the changed polygons",
        [peer],
        equal=equal,
        target=10,
        limits=[
            Limit("median, ms", 1000 * percentile(ours, 0.5)),
            Limit(
                "p95 of a whole preview on the server, ms",
                1000 * percentile(whole, 0.95),
                DRAG_LIMIT_MS,
            ),
            Limit("the peer's median, ms", 1000 * percentile(theirs, 0.5)),
        ],
    )


def _near(counted: Any, ours_by_key: Mapping[str, Any]) -> bool:
    """Compare households, hazards; a point on a border counts twice for the peer."""
    theirs = {key: (homes, hazards) for key, homes, _, hazards, _ in counted}
    return all(
        abs(theirs[key][0] - load.households) <= 2 and abs(theirs[key][1] - load.hazards) <= 1
        for key, load in ours_by_key.items()
    )


# --- validation ----------------------------------------------------------------------------------


def _validate_row(opened: Opened, connection: sa.Connection, context: Context) -> Row:
    county = shapely.union_all(opened.base.faces())
    given = {**opened.which, "county": shapely.to_wkb(county)}

    def ours() -> int:
        faces, steps, outline = checks.build_levels(opened.draft, opened.context)
        return len(checks.check_levels(faces, steps, outline))

    def theirs() -> int:
        findings = (connection.execute(sa.text(one), given).scalar_one() for one in _VALIDATE)
        return sum(findings)

    context.print_plan(connection, "the peer's self-join", _VALIDATE[0], given)
    measured = compare(
        f"full validation of {len(opened.base.keys):,} grids, all levels",
        plain(ours),
        "PostGIS: self-join by GiST, ST_Union of children and of the county, ST_IsValid",
        plain(theirs),
        agree=lambda one, other: one == other == 0,
        target=10,
    )
    vertices = int(shapely.get_num_coordinates(opened.base.faces()).sum())
    limit = Limit("seconds", measured.ours_s or 0.0, VALIDATE_LIMIT_S)
    return Row(
        measured.work, measured.ours_s, measured.peer, measured.peer_s, measured.ratio,
        measured.ratio_range, measured.target, measured.equal,
        [limit, Limit("vertices of base grids", vertices)],
    )  # fmt: skip


__all__ = ["run"]
