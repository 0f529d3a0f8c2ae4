"""Publishing: a tessellation becomes a version, in one transaction, from a day on.

The first boundaries of a county, an imported file and a planner's redraw all go through
:func:`publish`; nothing else writes grids. Back-dating is refused, except that the first version
of a scheme may take over boundaries that were in force before the service was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service import access, grid_code
from gis_service.access import Actor
from gis_service.boundaries.tessellation import Tessellation, land_changed
from gis_service.errors import ConflictError, InputError, NotFoundError, Place
from gis_service.geodesy import GeometryArray, area_m2
from gis_service.grids import assignment
from gis_service.grids.versions import Version, is_due, today
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows

DRAFT_COLUMNS: Final = (
    "key", "rank", "name", "kind", "parent", "code", "urban_rural_class", "admin_code",
)  # fmt: skip
"""A row for every grid of every level; ``parent`` is a key, ``code`` None asks for one."""


@dataclass(frozen=True)
class Level:
    """A tier of a scheme."""

    rank: int
    label: str
    label_en: str
    admin_level: str | None = None
    tessellates: bool = True


@dataclass(frozen=True)
class Published:
    """
    What a publication did.

    Attributes
    ----------
    grid_ids
        The identity of every grid, by key.
    changed, retired
        Grids whose land, name, code or parent is another one; grids that ended. A neighbour that
        only gained a vertex is not counted.
    moved
        Objects that changed their grid, by kind.
    reopened_duties
        Posts that are held again, where a version is taken back.
    open_incidents
        Of the incidents that moved, those somebody still works on; None where all grids were
        published anew.
    """

    version: Version
    grid_ids: dict[str, int]
    changed: int
    retired: int
    moved: dict[str, int]
    reopened_duties: int = 0
    open_incidents: int | None = None


def ensure_scheme(
    connection: sa.Connection,
    code: str,
    name: str,
    name_en: str,
    levels: Sequence[Level],
    *,
    code_layout: Sequence[int],
    size_rule: Mapping[str, Sequence[int]],
) -> int:
    """
    Make a scheme with its levels, or find it.

    Parameters
    ----------
    connection
        An open transaction.
    code
        ``base`` is the scheme whose grid stands on every row.
    name, name_en
        What people call it.
    levels
        Its tiers, rank 1 on top.
    code_layout
        Digits of each part of a code.
    size_rule
        Households of a lowest grid by ``urban`` and ``rural``: [least, most].

    Returns
    -------
    int
        The scheme's id.
    """
    found = connection.execute(
        sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.code == code)
    ).scalar_one_or_none()
    if found is not None:
        return int(found)
    scheme_id = connection.execute(
        sa.insert(t.grid_scheme)
        .values(
            code=code,
            name=name,
            name_en=name_en,
            is_base=code == "base",
            code_layout=list(code_layout),
            size_rule={key: list(value) for key, value in size_rule.items()},
        )
        .returning(t.grid_scheme.c.scheme_id)
    ).scalar_one()
    connection.execute(
        sa.insert(t.grid_level),
        [
            {
                "scheme_id": scheme_id,
                "rank": level.rank,
                "label": level.label,
                "label_en": level.label_en,
                "admin_level": level.admin_level,
                "tessellates": level.tessellates,
            }
            for level in levels
        ],
    )
    return int(scheme_id)


def publish(
    connection: sa.Connection,
    actor: Actor,
    scheme: str,
    tessellation: Tessellation,
    drafts: pd.DataFrame,
    effective_day: date,
    title: str,
    *,
    reason: str = "",
    known: Mapping[str, int] | None = None,
    successors: Sequence[tuple[str, str]] = (),
) -> Published:
    """
    Make a tessellation the version of a scheme from a day on.

    Parameters
    ----------
    connection
        The transaction in which all of it stands or falls.
    actor
        Who publishes.
    scheme
        Code of the scheme.
    tessellation
        The base grids' linework.
    drafts
        Every grid of every level, :data:`DRAFT_COLUMNS`; the base ones are the tessellation's.
        A column ``admin_unit_id`` more says which unit each is, whatever its code.
    effective_day
        Today or later; the first version of a scheme may be earlier.
    title, reason
        What it is called and why it is made.
    known
        Identity of the grids that exist already, by key; all others are new.
    successors
        Pairs of keys: the old grid, and the one that took over land from it.

    Returns
    -------
    Published
        Identities and counts.

    Raises
    ------
    NotFoundError
        There is no such scheme.
    ConflictError
        The day lies in the past, or a version of that day or a later one exists.
    InputError
        The drafts and the tessellation do not belong together, or the faces are no coverage.
    """
    scheme_row = lock_scheme(connection, scheme)
    first = refuse_day(connection, scheme_row.scheme_id, effective_day)
    table = _checked_drafts(drafts, tessellation)
    shapes = _all_faces(tessellation, table)
    grid_ids = _identities(connection, scheme_row.scheme_id, table, dict(known or {}))
    table = table.assign(
        grid_id=[grid_ids[key] for key in table["key"]],
        parent_id=pd.Series(
            [None if parent is None else grid_ids[parent] for parent in table["parent"]],
            dtype=object,
        ),
        geometry=shapes,
    )
    if "admin_unit_id" in drafts:
        given = dict(zip(drafts["key"], drafts["admin_unit_id"], strict=True))
        named = [given[key] for key in table["key"]]
    else:
        units = _admin_units(connection, effective_day)
        named = [
            _unit_of(units.get(code, {}), name)
            for code, name in zip(table["admin_code"], table["name"], strict=True)
        ]
    table["admin_unit_id"] = pd.Series(named, dtype=object)
    table["code"] = _codes(connection, scheme_row, table)
    changed, retired = _write_states(connection, scheme_row.scheme_id, table, effective_day)
    _write_arcs(connection, scheme_row.scheme_id, tessellation, grid_ids, effective_day)
    version = open_version(
        connection, actor, scheme_row.scheme_id, scheme, effective_day, title, reason
    )
    version_id = version.version_id
    _write_successors(connection, version_id, successors, {**dict(known or {}), **grid_ids})
    moved: dict[str, int] = {}
    if not first:
        grid = t.grid.c
        before = connection.execute(
            sa.select(grid.grid_id).where(grid.scheme_id == version.scheme_id)
        ).scalars()
        base = table[table["rank"] == table["rank"].max()]
        moves = assignment.moves_near(
            connection, version.scheme_id, list(before), base["grid_id"].tolist(),
            base["geometry"].to_numpy(), effective_day,
        )  # fmt: skip
        assignment.write(connection, version.scheme_id, moves, effective_day.toordinal())
        moved = {one.kind: len(one.object_ids) for one in moves}
    published = Published(version, grid_ids, changed, retired, moved)
    counts = {"grids": len(table), "changed": changed, "retired": retired, "moved": moved}
    connection.execute(
        sa.update(t.grid_version)
        .values(counts=counts)
        .where(t.grid_version.c.version_id == version_id)
    )
    after = {"scheme": scheme, "effective_day": effective_day.isoformat(), **counts}
    access.record(connection, actor, "publish", "grid_version", version_id, after=after)
    return published


def open_version(
    connection: sa.Connection,
    actor: Actor,
    scheme_id: int,
    scheme: str,
    effective_day: date,
    title: str,
    reason: str,
) -> Version:
    """
    Write the row of a new version; older ones whose day has come are taken over before.

    Parameters
    ----------
    connection
        The transaction that publishes.
    actor
        Who publishes.
    scheme_id, scheme
        The scheme and its code.
    effective_day
        From when on it holds.
    title, reason
        What it is called and why it is made.

    Returns
    -------
    Version
        The newest one of its scheme.
    """
    if is_due(connection):
        assignment.apply_due(connection)
    in_force = effective_day <= today(connection)
    version_id = connection.execute(
        sa.insert(t.grid_version)
        .values(
            scheme_id=scheme_id,
            effective_day=effective_day,
            published_by=actor.actor_id,
            title=title,
            reason=reason,
            applied_at=sa.func.now() if in_force else None,
        )
        .returning(t.grid_version.c.version_id)
    ).scalar_one()
    return Version(version_id, scheme_id, scheme, effective_day, title)


def lock_scheme(connection: sa.Connection, scheme: str) -> Any:
    """
    Take a scheme for a publication; the next one waits.

    Parameters
    ----------
    connection
        The transaction that publishes.
    scheme
        Its code.

    Returns
    -------
    row
        Of the scheme.

    Raises
    ------
    NotFoundError
        There is no such scheme.
    """
    row = connection.execute(
        sa.select(t.grid_scheme).where(t.grid_scheme.c.code == scheme).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("grids.no_scheme", scheme=scheme)
    return row


def refuse_day(connection: sa.Connection, scheme_id: int, effective_day: date) -> bool:
    """
    Refuse a day that would rewrite history; tell whether this is the scheme's first version.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme.
    effective_day
        From when on the next version is to hold.

    Returns
    -------
    bool
        True for the first version.

    Raises
    ------
    ConflictError
        The day lies in the past, or a version of that day or a later one exists.
    """
    newest = connection.execute(
        sa.select(sa.func.max(t.grid_version.c.effective_day)).where(
            t.grid_version.c.scheme_id == scheme_id
        )
    ).scalar_one()
    if newest is None:
        return True
    if effective_day < today(connection):
        raise ConflictError("boundaries.back_dated", day=effective_day.isoformat())
    if effective_day <= newest:
        raise ConflictError(
            "boundaries.later_version", day=effective_day.isoformat(), newest=newest.isoformat()
        )
    return False


def _checked_drafts(drafts: pd.DataFrame, tessellation: Tessellation) -> pd.DataFrame:
    table = drafts.reindex(columns=list(DRAFT_COLUMNS)).astype(object)
    table = table.where(table.notna(), None).sort_values("rank", kind="stable")
    table = table.reset_index(drop=True)
    keys = table["key"].tolist()
    twice = table["key"][table["key"].duplicated()]
    if len(twice):
        raise InputError("boundaries.key_twice", place=Place(feature=str(twice.iloc[0])))
    rank_of = dict(zip(keys, table["rank"], strict=True))
    for row in table.itertuples():
        top = row.rank == 1
        if top != (row.parent is None) or (not top and rank_of.get(row.parent) != row.rank - 1):
            raise InputError(
                "boundaries.wrong_parent", place=Place(feature=str(row.key)), parent=row.parent
            )
    lowest = max(rank_of.values(), default=0)
    base = {key for key, rank in rank_of.items() if rank == lowest}
    if base != set(tessellation.keys):
        odd = min(base ^ set(tessellation.keys))
        raise InputError("boundaries.drafts_differ", place=Place(feature=str(odd)))
    return table


def _all_faces(tessellation: Tessellation, table: pd.DataFrame) -> GeometryArray:
    """Build the polygons of every level from the same arcs, in the order of the table."""
    base = tessellation.faces()
    flat = shapely.get_parts(base)
    if not shapely.coverage_is_valid(flat):
        edges = shapely.coverage_invalid_edges(flat)
        bad = edges[~shapely.is_empty(edges)]
        lon, lat = shapely.get_coordinates(bad)[0]
        raise InputError(
            "boundaries.no_coverage", place=Place(feature=f"{lon:.6f}, {lat:.6f}"), n=len(bad)
        )
    parent_of = dict(zip(table["key"], table["parent"], strict=True))
    shape_of = dict(zip(tessellation.keys, base, strict=True))
    ancestor = {key: key for key in tessellation.keys}
    for rank in range(int(table["rank"].max()) - 1, 0, -1):
        ancestor = {key: parent_of[above] for key, above in ancestor.items()}
        keys = table["key"][table["rank"] == rank].tolist()
        position = {key: index for index, key in enumerate(keys)}
        parents = np.array([position[ancestor[key]] for key in tessellation.keys], dtype=np.int64)
        faces, *_ = tessellation.dissolved(parents, keys)
        shape_of.update(zip(keys, faces, strict=True))
    ordered = np.array([shape_of[key] for key in table["key"]], dtype=object)
    return np.asarray(shapely.normalize(ordered), dtype=object)


def _identities(
    connection: sa.Connection, scheme_id: int, table: pd.DataFrame, known: dict[str, int]
) -> dict[str, int]:
    _check_known(connection, scheme_id, table, known)
    new = table[~table["key"].isin(list(known))]
    if len(new):
        rows = [
            {"scheme_id": scheme_id, "rank": int(rank), "kind": kind or "ordinary"}
            for rank, kind in zip(new["rank"], new["kind"], strict=True)
        ]
        made = connection.execute(
            sa.insert(t.grid).returning(t.grid.c.grid_id, sort_by_parameter_order=True), rows
        )
        known = known | dict(zip(new["key"], made.scalars(), strict=True))
    return {key: known[key] for key in table["key"]}


def _check_known(
    connection: sa.Connection, scheme_id: int, table: pd.DataFrame, known: dict[str, int]
) -> None:
    """Refuse an identity that is not a grid of this scheme, level and kind."""
    held = {
        row.grid_id: (row.rank, row.kind)
        for row in connection.execute(sa.select(t.grid).where(t.grid.c.scheme_id == scheme_id))
    }
    for row in table.itertuples():
        if row.key not in known:
            continue
        rank, kind = held.get(known[row.key], (None, None))
        if rank != row.rank or (row.kind is not None and kind != row.kind):
            raise InputError("boundaries.wrong_identity", place=Place(feature=str(row.key)))


def _codes(connection: sa.Connection, scheme: Any, table: pd.DataFrame) -> list[str]:
    """Keep the codes that are given or held, and number the rest by the scheme's rule."""
    taken = dict(
        connection.execute(
            sa.select(t.grid_code.c.code, t.grid_code.c.grid_id)
            .where(t.grid_code.c.scheme_id == scheme.scheme_id)
            .order_by(t.grid_code.c.code)
        ).all()
    )
    held = {grid_id: code for code, grid_id in taken.items()} | _codes_in_force(
        connection, scheme.scheme_id
    )
    code_of: dict[int, str] = {}
    for _, level in table.groupby("rank", sort=True):
        for row in level.itertuples():
            given = row.code or held.get(row.grid_id)
            if given is not None:
                code_of[row.grid_id] = str(given)
        missing = level[~level["grid_id"].isin(list(code_of))]
        for parent_id, group in missing.groupby("parent_id", dropna=False):
            prefix = "" if pd.isna(parent_id) else code_of[int(parent_id)]
            digits = digits_after(prefix, scheme.code_layout)
            _number(group, prefix, digits, {*taken, *code_of.values()}, code_of)
    codes = [code_of[grid_id] for grid_id in table["grid_id"]]
    clash = [
        (key, code)
        for key, code, grid_id in zip(table["key"], codes, table["grid_id"], strict=True)
        if taken.get(code, grid_id) != grid_id
    ]
    doubled = table["key"][pd.Series(codes).duplicated().to_numpy()].tolist()
    if clash or doubled:
        key = clash[0][0] if clash else doubled[0]
        raise InputError("boundaries.code_taken", place=Place(feature=str(key), field="code"))
    new = [
        {"scheme_id": scheme.scheme_id, "code": code, "grid_id": grid_id}
        for code, grid_id in zip(codes, table["grid_id"], strict=True)
        if code not in taken
    ]
    if new:
        connection.execute(sa.insert(t.grid_code), new)
    return codes


def _codes_in_force(connection: sa.Connection, scheme_id: int) -> dict[int, str]:
    """Of the codes that a grid ever had, the one it goes by now."""
    state = t.grid_state.c
    query = sa.select(state.grid_id, state.code).where(
        state.scheme_id == scheme_id, sa.func.upper_inf(state.valid)
    )
    return dict(connection.execute(query).all())


def digits_after(prefix: str, layout: Sequence[int]) -> int:
    """
    Tell how many digits the next part of a code has.

    Parameters
    ----------
    prefix
        The parent's code.
    layout
        Digits of each part.

    Returns
    -------
    int
        Three where the layout says no more.
    """
    used = 0
    for size in layout:
        if used >= len(prefix):
            return size
        used += size
    return 3


def _number(
    group: pd.DataFrame, prefix: str, digits: int, taken: set[str], code_of: dict[int, str]
) -> None:
    points = shapely.centroid(group["geometry"].to_numpy())
    order = grid_code.first_numbering(shapely.get_x(points), shapely.get_y(points))
    for _, grid_id in sorted(zip(order.tolist(), group["grid_id"], strict=True)):
        code = grid_code.next_free(taken, prefix, digits)
        taken.add(code)
        code_of[grid_id] = code


def _write_states(
    connection: sa.Connection, scheme_id: int, table: pd.DataFrame, effective_day: date
) -> tuple[int, int]:
    """Close the rows that end or change, open the new ones; unchanged rows stay as they are."""
    s = t.grid_state
    rows = connection.execute(
        sa.select(
            s.c.state_id, s.c.grid_id, s.c.code, s.c.name, s.c.parent_grid_id,
            s.c.urban_rural_class, s.c.admin_unit_id, sa.func.ST_AsBinary(s.c.geom).label("wkb"),
        ).where(s.c.scheme_id == scheme_id, sa.func.upper_inf(s.c.valid))
    ).all()  # fmt: skip
    held = {row.grid_id: row for row in rows}
    wkb = shapely.to_wkb(table["geometry"].to_numpy())
    ended = [held[grid_id].state_id for grid_id in set(held) - set(table["grid_id"])]
    keep: list[bool] = []
    changed = 0
    for row, binary in zip(table.itertuples(), wkb, strict=True):
        before = held.get(row.grid_id)
        said = (row.code, row.name, row.parent_id, row.urban_rural_class, row.admin_unit_id)
        if before is None:
            keep.append(False)
            changed += 1
            continue
        same_words = said == (
            before.code, before.name, before.parent_grid_id, before.urban_rural_class,
            before.admin_unit_id,
        )  # fmt: skip
        keep.append(same_words and bytes(before.wkb) == binary)
        if not same_words or land_changed(bytes(before.wkb), binary):
            changed += 1
        if not keep[-1]:
            ended.append(before.state_id)
    retired = len(set(held) - set(table["grid_id"]))
    close_rows(connection, s, s.c.state_id, ended, effective_day)
    new = table[~np.array(keep, dtype=bool)]
    if len(new):
        open_states(connection, scheme_id, new, effective_day)
    return changed, retired


def close_rows(
    connection: sa.Connection, table: sa.Table, identity: Any, ids: list[int], day: date
) -> None:
    """
    End dated rows on a day.

    Parameters
    ----------
    connection
        An open transaction.
    table
        With a column ``valid``.
    identity
        Its key column.
    ids
        Which rows.
    day
        The first day on which they do not hold.
    """
    if not ids:
        return
    until = sa.cast(
        sa.func.daterange(sa.func.lower(table.c.valid), sa.literal(day, sa.Date)), DATERANGE
    )
    connection.execute(sa.update(table).values(valid=until).where(identity.in_(ids)))


def open_states(
    connection: sa.Connection, scheme_id: int, new: pd.DataFrame, effective_day: date
) -> None:
    """
    Write states of grids that hold from a day on.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme.
    new
        Columns ``grid_id``, ``rank``, ``parent_id``, ``admin_unit_id``, ``code``, ``name``,
        ``urban_rural_class`` and ``geometry`` (normalized MultiPolygons in lon, lat).
    effective_day
        The first day.
    """
    shapes = new["geometry"].to_numpy()
    inside = shapely.centroid(shapes)
    off = ~shapely.contains_properly(shapes, inside)
    inside[off] = shapely.point_on_surface(shapes[off])
    copy_rows(
        connection,
        t.grid_state,
        {
            "grid_id": new["grid_id"].tolist(),
            "scheme_id": [scheme_id] * len(new),
            "rank": new["rank"].tolist(),
            "parent_grid_id": new["parent_id"].tolist(),
            "admin_unit_id": new["admin_unit_id"].tolist(),
            "code": new["code"].tolist(),
            "name": new["name"].tolist(),
            "urban_rural_class": new["urban_rural_class"].tolist(),
            "area_m2": area_m2(shapes),
            "valid": [(effective_day, None)] * len(new),
            "geom": shapes,
            "label_point": inside,
        },
    )


def _admin_units(connection: sa.Connection, day: date) -> dict[str, dict[str, int]]:
    """Units in force by code, then by name: lists give one code to different units."""
    unit = t.admin_unit
    query = (
        sa.select(unit.c.code, unit.c.name, unit.c.admin_unit_id)
        .where(unit.c.valid.op("@>")(sa.literal(day, sa.Date)))
        .order_by(unit.c.admin_unit_id.desc())
    )
    units: dict[str, dict[str, int]] = {}
    for code, name, unit_id in connection.execute(query):
        units.setdefault(code, {})[name] = unit_id
    return units


def _unit_of(named: Mapping[str, int], name: str) -> int | None:
    """Take the unit of a code; where lists disagree whose it is, the one of the grid's name."""
    return next(iter(named.values())) if len(named) == 1 else named.get(name)


def _write_arcs(
    connection: sa.Connection,
    scheme_id: int,
    tessellation: Tessellation,
    grid_ids: Mapping[str, int],
    effective_day: date,
) -> None:
    ids = np.array([grid_ids[key] for key in tessellation.keys] + [-1], dtype=np.int64)
    left, right = ids[tessellation.left], ids[tessellation.right]
    wkb = shapely.to_wkb(tessellation.arcs)
    new = {
        (binary, str(kind), a, b): index
        for index, (binary, kind, a, b) in enumerate(
            zip(wkb, tessellation.kinds, left.tolist(), right.tolist(), strict=True)
        )
    }
    arc = t.linework_arc
    rows = connection.execute(
        sa.select(
            arc.c.arc_id, sa.func.ST_AsBinary(arc.c.geom), arc.c.kind,
            sa.func.coalesce(arc.c.left_grid_id, -1), sa.func.coalesce(arc.c.right_grid_id, -1),
        ).where(arc.c.scheme_id == scheme_id, sa.func.upper_inf(arc.c.valid))
    ).all()  # fmt: skip
    ended = []
    for arc_id, binary, kind, a, b in rows:
        if new.pop((bytes(binary), kind, a, b), None) is None:
            ended.append(arc_id)
    close_rows(connection, arc, arc.c.arc_id, ended, effective_day)
    index = np.array(sorted(new.values()), dtype=np.int64)
    copy_rows(
        connection,
        arc,
        {
            "scheme_id": [scheme_id] * len(index),
            "kind": tessellation.kinds[index].tolist(),
            "left_grid_id": [None if i < 0 else i for i in left[index].tolist()],
            "right_grid_id": [None if i < 0 else i for i in right[index].tolist()],
            "valid": [(effective_day, None)] * len(index),
            "geom": tessellation.arcs[index],
        },
    )


def _write_successors(
    connection: sa.Connection,
    version_id: int,
    successors: Sequence[tuple[str, str]],
    grid_ids: Mapping[str, int],
) -> None:
    if not successors:
        return
    connection.execute(
        sa.insert(t.grid_successor),
        [
            {
                "old_grid_id": grid_ids[old],
                "new_grid_id": grid_ids[new],
                "version_id": version_id,
            }
            for old, new in successors
        ],
    )
