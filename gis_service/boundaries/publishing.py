"""A redraw becomes a version: only what it changed is written, in the caller's transaction.

The outcome is what :func:`gis_service.boundaries.plans.publish` would store for the whole
tessellation: identities, codes, states, arcs, successors, assignments; duties of grids that end are
closed, those of all others go on. What is closed is written down, so that it can be opened again.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE, Range
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gis_service import access, grid_code
from gis_service.access import SYSTEM, Actor, visible
from gis_service.boundaries.plan_base import Base, BaseGrid
from gis_service.boundaries.plan_desk import Held
from gis_service.boundaries.plans import (
    Published,
    close_rows,
    digits_after,
    lock_scheme,
    open_states,
    open_version,
    refuse_day,
)
from gis_service.boundaries.tessellation import (
    CRUMB_M2,
    OUTSIDE,
    Tessellation,
    build_faces,
    land_m2,
)
from gis_service.errors import ConflictError
from gis_service.grids import assignment
from gis_service.grids.versions import versions
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows

ENDED: Final = "end_duties"
"""The event that says which posts a version closed."""


@dataclass(frozen=True)
class Redraw:
    """
    What a draft changes, with keys of the draft.

    Attributes
    ----------
    faces
        Land of every grid with another polygon than before, created ones included.
    land_changed
        Of these whose land differs by more than a vertex.
    created
        Parent of each new grid.
    retired
        Grids that end.
    names, classes, units
        Of new grids: name, urban–rural class and administrative unit.
    successors
        Old grid and the one that took land over from it, where one of both begins or ends.
    reopened
        Grids that had ended and are again what they were.
    """

    base: Base
    tessellation: Tessellation
    parents: Mapping[str, str]
    faces: Mapping[str, Any]
    land_changed: frozenset[str]
    created: Mapping[str, str]
    retired: tuple[str, ...]
    names: Mapping[str, str]
    classes: Mapping[str, str | None]
    units: Mapping[str, int | None]
    successors: tuple[tuple[str, str], ...]
    reopened: Mapping[str, BaseGrid] = field(default_factory=dict)

    @property
    def around(self) -> set[str]:
        """Changed grids and those that touch them before or after, be it in a corner."""
        changed = {*self.faces, *self.retired}
        before = _touching(self.base.tessellation, changed)
        there = set(self.tessellation.keys)
        return {*self.faces, *_touching(self.tessellation, changed), *(before & there)}


def _touching(linework: Tessellation, keys: AbstractSet[str]) -> set[str]:
    """Name grids at an end of any border of some grids; where borders meet every grid has one."""
    known = np.array([key in keys for key in linework.keys] + [False])
    mine = known[linework.left] | known[linework.right]
    ends = [shapely.get_coordinates(shapely.get_point(linework.arcs, place)) for place in (0, -1)]
    nodes = [pair[:, 0] + 1j * pair[:, 1] for pair in ends]
    meeting = np.unique(np.concatenate([node[mine] for node in nodes]))
    beside = np.isin(nodes[0], meeting) | np.isin(nodes[1], meeting)
    found = {*linework.left[beside].tolist(), *linework.right[beside].tolist()} - {OUTSIDE}
    return {linework.keys[index] for index in found}


def redraw_of(held: Held) -> Redraw:
    """
    Work out what a draft changes in all.

    Parameters
    ----------
    held
        The draft.

    Returns
    -------
    Redraw
        What was changed and changed back is not in it.
    """
    base, draft = held.base, held.draft
    there = set(draft.keys)
    asked = held.touched | held.renoded
    now = draft.faces(sorted(asked))
    faces = {key: face for key, face in now.items() if _other(base, key, face)}
    created = {key: above for key, above in draft.parents.items() if key not in base.grids}
    retired = tuple(key for key in base.tessellation.keys if key not in there)
    pieces = land_moved(base, faces, retired)
    names = held.names
    sources = {new: old for old, new, _ in sorted(pieces, key=lambda one: one[2])}
    origin = {key: base.grids[sources[key]] for key in created if key in sources}
    moved = {key for old, new, _ in pieces for key in (old, new)}
    return Redraw(
        base,
        draft.tessellation(),
        draft.parents,
        faces,
        frozenset(moved),
        created,
        retired,
        {key: names.get(key, key) for key in created},
        {key: one.urban_rural_class for key, one in origin.items()},
        {key: one.admin_unit_id for key, one in origin.items()},
        tuple(
            (old, new) for old, new, _ in pieces if old in retired or new in created
        ),
    )  # fmt: skip


def _other(base: Base, key: str, face: Any) -> bool:
    if key not in base.grids:
        return True
    return bool(shapely.to_wkb(shapely.normalize(face)) != base.grids[key].wkb)


def land_moved(
    base: Base, faces: Mapping[str, Any], retired: Sequence[str]
) -> list[tuple[str, str, float]]:
    """
    Compare before and after.

    Parameters
    ----------
    base
        The version before.
    faces
        Land of the grids with another polygon, lon, lat.
    retired
        Grids that end.

    Returns
    -------
    list of tuple
        Whose land it was, whose it is, and how much, m².
    """
    old_keys = [key for key in (*faces, *retired) if key in base.grids]
    old = np.array([base.faces[key] for key in old_keys], dtype=object)
    if not len(old):
        return []
    tree = shapely.STRtree(old)
    found = []
    for key, face in faces.items():
        for index in np.sort(tree.query(face, predicate="intersects")).tolist():
            if old_keys[index] == key:
                continue
            common = shapely.intersection(old[index], face)
            area = land_m2(common) if common.area > 0 else 0.0
            if area > CRUMB_M2:
                found.append((old_keys[index], key, area))
    return found


def impact_of(connection: sa.Connection, redraw: Redraw) -> list[assignment.Moves]:
    """
    Find what a redraw would move; nothing is written.

    Parameters
    ----------
    connection
        An open transaction.
    redraw
        What is changed.

    Returns
    -------
    list of Moves
        By kind of object; new grids have the next ids after the base version's.
    """
    return _moves(connection, redraw, provisional_ids(redraw))


def open_incidents(connection: sa.Connection, moves: Sequence[assignment.Moves]) -> int:
    """
    Count the incidents that move and that somebody still works on.

    Parameters
    ----------
    connection
        An open transaction.
    moves
        What moves.

    Returns
    -------
    int
        How many are not closed.
    """
    ids = [one.object_ids.tolist() for one in moves if one.kind == "incident"]
    if not ids or not ids[0]:
        return 0
    incident = t.incident.c
    query = sa.select(sa.func.count()).where(
        visible(SYSTEM, t.incident), incident.incident_id.in_(ids[0]), incident.status != "closed"
    )
    return int(connection.scalar(query) or 0)


def provisional_ids(redraw: Redraw) -> dict[str, int]:
    """
    Give new grids ids for a look ahead.

    Parameters
    ----------
    redraw
        What is changed.

    Returns
    -------
    dict
        Ids after the base version's, by key.
    """
    top = max(int(key) for key in redraw.base.grids) + 1
    return {key: top + number for number, key in enumerate(redraw.created)}


def _moves(
    connection: sa.Connection, redraw: Redraw, made: Mapping[str, int], day: date | None = None
) -> list[assignment.Moves]:
    around = sorted(redraw.around)
    ids = [made[key] if key in made else int(key) for key in around]
    unchanged = redraw.base.faces
    faces = np.empty(len(around), dtype=object)
    faces[:] = [redraw.faces[key] if key in redraw.faces else unchanged[key] for key in around]
    changed = [int(key) for key in {*around, *redraw.retired} if key in redraw.base.grids]
    return assignment.moves_near(
        connection,
        redraw.base.version.scheme_id,
        changed,
        ids,
        faces,
        day,
    )


def publish_redraw(
    connection: sa.Connection,
    actor: Actor,
    redraw: Redraw,
    effective_day: date,
    title: str,
    reason: str,
) -> Published:
    """
    Make a redraw the newest version of its scheme.

    Parameters
    ----------
    connection
        The transaction in which all of it stands or falls.
    actor
        Who publishes.
    redraw
        What is changed.
    effective_day
        Today or later, and after the newest version.
    title, reason
        What it is called and why it is made.

    Returns
    -------
    Published
        Identities of the new grids, and counts.

    Raises
    ------
    ConflictError
        The day is past or taken, or another version came in between.
    """
    base = redraw.base
    scheme_id = base.version.scheme_id
    lock_scheme(connection, base.version.scheme)
    if versions(connection, base.version.scheme)[-1].version_id != base.version.version_id:
        raise ConflictError("boundaries.base_is_old", plan=title)
    refuse_day(connection, scheme_id, effective_day)
    made = _identities(connection, redraw)
    fresh = dict(made)
    made |= {key: one.grid_id for key, one in redraw.reopened.items()}
    codes = _codes(connection, redraw, made)
    _write_arcs(connection, redraw, made, effective_day)
    upper = _upper_faces(redraw)
    _write_states(connection, redraw, made, codes, upper, effective_day)
    version = open_version(
        connection, actor, scheme_id, base.version.scheme, effective_day, title, reason
    )
    version_id = version.version_id
    _write_successors(connection, redraw, made, version_id)
    ended = _end_duties(connection, [int(key) for key in redraw.retired], effective_day)
    if ended:
        access.record(
            connection, actor, ENDED, "grid_version", version_id, before={"duties": ended}
        )
    moves = _moves(connection, redraw, made, effective_day)
    assignment.write(connection, scheme_id, moves, effective_day.toordinal())
    moved = {one.kind: len(one.object_ids) for one in moves}
    still_open = open_incidents(connection, moves)
    begun = {*redraw.created, *redraw.reopened}
    changed = len((redraw.land_changed - set(redraw.retired)) | begun)
    counts = {
        "grids": len(base.grids) + len(begun) - len(redraw.retired),
        "changed": changed,
        "retired": len(redraw.retired),
        "moved": moved,
        "open_incidents": still_open,
    }
    connection.execute(
        sa.update(t.grid_version)
        .values(counts=counts)
        .where(t.grid_version.c.version_id == version_id)
    )
    after = {"scheme": version.scheme, "effective_day": effective_day.isoformat(), **counts}
    access.record(connection, actor, "publish", "grid_version", version_id, after=after)
    return Published(version, fresh, changed, len(redraw.retired), moved, open_incidents=still_open)


def _identities(connection: sa.Connection, redraw: Redraw) -> dict[str, int]:
    if not redraw.created:
        return {}
    row = {"scheme_id": redraw.base.version.scheme_id, "rank": redraw.base.lowest}
    made = connection.execute(
        sa.insert(t.grid).returning(t.grid.c.grid_id, sort_by_parameter_order=True),
        [row | {"kind": "ordinary"} for _ in redraw.created],
    )
    return dict(zip(redraw.created, made.scalars(), strict=True))


def _codes(connection: sa.Connection, redraw: Redraw, made: Mapping[str, int]) -> dict[str, str]:
    """Give new grids codes below their parent, from west to east; a retired code stays taken."""
    scheme_id = redraw.base.version.scheme_id
    codes: dict[str, str] = {}
    for parent in sorted(set(redraw.created.values())):
        prefix = redraw.base.grids[parent].code
        given = t.grid_code.c
        taken = set(
            connection.execute(
                sa.select(given.code).where(
                    given.scheme_id == scheme_id, given.code.startswith(prefix, autoescape=True)
                )
            ).scalars()
        )
        keys = [key for key, above in redraw.created.items() if above == parent]
        points = shapely.centroid(np.array([redraw.faces[key] for key in keys], dtype=object))
        order = grid_code.first_numbering(shapely.get_x(points), shapely.get_y(points))
        for _, key in sorted(zip(order.tolist(), keys, strict=True)):
            code = grid_code.next_free(taken, prefix, digits_after(prefix, redraw.base.code_layout))
            taken.add(code)
            codes[key] = code
    if codes:
        connection.execute(
            sa.insert(t.grid_code),
            [
                {"scheme_id": scheme_id, "code": code, "grid_id": made[key]}
                for key, code in codes.items()
            ],
        )
    return codes


def _write_arcs(
    connection: sa.Connection, redraw: Redraw, made: Mapping[str, int], day: date
) -> None:
    base, linework = redraw.base, redraw.tessellation

    def rows_of(tessellation: Tessellation) -> list[tuple[bytes, str, int, int]]:
        ids = [made[key] if key in made else int(key) for key in tessellation.keys] + [-1]
        sides = np.array(ids, dtype=np.int64)
        return list(
            zip(
                shapely.to_wkb(tessellation.arcs).tolist(), tessellation.kinds.tolist(),
                sides[tessellation.left].tolist(), sides[tessellation.right].tolist(), strict=True,
            )
        )  # fmt: skip

    new = {row: index for index, row in enumerate(rows_of(linework))}
    old = rows_of(base.tessellation)
    ended = [
        arc_id
        for arc_id, row in zip(base.arc_ids.tolist(), old, strict=True)
        if new.pop(row, None) is None
    ]
    close_rows(connection, t.linework_arc, t.linework_arc.c.arc_id, ended, day)
    rows = sorted(new.items(), key=lambda item: item[1])
    copy_rows(
        connection,
        t.linework_arc,
        {
            "scheme_id": [base.version.scheme_id] * len(rows),
            "kind": [row[1] for row, _ in rows],
            "left_grid_id": [None if row[2] < 0 else row[2] for row, _ in rows],
            "right_grid_id": [None if row[3] < 0 else row[3] for row, _ in rows],
            "valid": [(day, None)] * len(rows),
            "geom": linework.arcs[[index for _, index in rows]],
        },
    )


def _upper_faces(redraw: Redraw) -> dict[str, Any]:
    """Build the land of every parent, and of those above, that may have another border."""
    linework = redraw.tessellation
    ancestor = dict(redraw.parents)
    changed = {*redraw.faces, *redraw.retired}
    above = {redraw.parents.get(key) or redraw.base.parents[key] for key in changed}
    found: dict[str, Any] = {}
    for step in [None, *redraw.base.upper]:
        if step is not None:
            ancestor = {key: step[one] for key, one in ancestor.items()}
            above = {step[one] for one in above}
        names = sorted(above)
        position = {name: index for index, name in enumerate(names)}
        owner = np.array(
            [*(position.get(ancestor[key], OUTSIDE) for key in linework.keys), OUTSIDE],
            dtype=np.int64,
        )
        left, right = owner[linework.left], owner[linework.right]
        kept = left != right
        if kept.any():
            faces = build_faces(linework.arcs[kept], left[kept], right[kept], names)
            found.update(zip(names, faces, strict=True))
    return {key: face for key, face in found.items() if _other(redraw.base, key, face)}


def _write_states(
    connection: sa.Connection,
    redraw: Redraw,
    made: Mapping[str, int],
    codes: Mapping[str, str],
    upper: Mapping[str, Any],
    day: date,
) -> None:
    grids = redraw.base.grids
    other = [key for key in (*redraw.faces, *upper) if key in grids]
    ended = [grids[key].state_id for key in (*other, *redraw.retired)]
    close_rows(connection, t.grid_state, t.grid_state.c.state_id, ended, day)
    faces = {**redraw.faces, **upper}
    said = {**{key: grids[key] for key in other}, **redraw.reopened}
    lowest = redraw.base.lowest
    rows = [
        {
            "grid_id": one.grid_id,
            "rank": one.rank,
            "parent_id": _id_or_none(one.parent),
            "admin_unit_id": one.admin_unit_id,
            "code": one.code,
            "name": one.name,
            "urban_rural_class": one.urban_rural_class,
            "geometry": faces[key],
        }
        for key, one in said.items()
    ] + [
        {
            "grid_id": made[key],
            "rank": lowest,
            "parent_id": int(parent),
            "admin_unit_id": redraw.units.get(key),
            "code": codes[key],
            "name": redraw.names[key],
            "urban_rural_class": redraw.classes.get(key),
            "geometry": faces[key],
        }
        for key, parent in redraw.created.items()
    ]
    if rows:
        table = pd.DataFrame(rows).astype(object)
        table = table.where(table.notna(), None)
        table["geometry"] = shapely.normalize(table["geometry"].to_numpy())
        open_states(connection, redraw.base.version.scheme_id, table, day)


def _id_or_none(key: str | None) -> int | None:
    return None if key is None else int(key)


def _write_successors(
    connection: sa.Connection, redraw: Redraw, made: Mapping[str, int], version_id: int
) -> None:
    if not redraw.successors:
        return
    old = [int(one) for one, _ in redraw.successors]
    new = [made[one] if one in made else int(one) for _, one in redraw.successors]
    rows = sa.select(
        sa.func.unnest(sa.literal(old, sa.ARRAY(sa.BigInteger))),
        sa.func.unnest(sa.literal(new, sa.ARRAY(sa.BigInteger))),
        sa.literal(version_id, sa.BigInteger),
    )
    names = ["old_grid_id", "new_grid_id", "version_id"]
    connection.execute(
        pg_insert(t.grid_successor).from_select(names, rows).on_conflict_do_nothing()
    )


def _end_duties(
    connection: sa.Connection, grid_ids: Sequence[int], day: date
) -> list[dict[str, Any]]:
    """
    Close the posts of grids that end; a post that would have begun later falls away.

    What they were is given back as JSON: only ids and days.
    """
    if not grid_ids:
        return []
    duty = t.grid_duty
    mine = sa.and_(
        duty.c.grid_id.in_(grid_ids),
        sa.or_(sa.func.upper_inf(duty.c.valid), sa.func.upper(duty.c.valid) > day),
    )
    low, high = sa.func.lower(duty.c.valid), sa.func.upper(duty.c.valid)
    rows = connection.execute(
        sa.select(duty, low.label("low"), high.label("high")).where(mine).order_by(duty.c.duty_id)
    ).all()
    connection.execute(sa.delete(duty).where(mine, low >= day))
    until = sa.cast(sa.func.daterange(low, day), DATERANGE)
    connection.execute(sa.update(duty).values(valid=until).where(mine))
    return [
        {
            "officer_id": row.officer_id,
            "grid_id": row.grid_id,
            "role": row.role,
            "post": row.post,
            "from": row.low.isoformat(),
            "until": None if row.high is None else row.high.isoformat(),
        }
        for row in rows
    ]


def reopen_duties(
    connection: sa.Connection, version_id: int, grid_ids: Sequence[int], day: date
) -> int:
    """
    Give posts that a version closed back to those who held them.

    Parameters
    ----------
    connection
        The transaction that takes the version back.
    version_id
        Which version closed them.
    grid_ids
        Grids that are there again.
    day
        From this day on; a post that was to end is held as long as it was meant to be.

    Returns
    -------
    int
        How many. Left out are officers who have left meanwhile, and posts that are taken.
    """
    event, officer = t.event.c, t.officer.c
    told = connection.execute(
        sa.select(event.before).where(
            event.object_kind == "grid_version",
            event.object_id == str(version_id),
            event.action == ENDED,
        )
    ).scalars()
    ended = [one for before in told for one in before["duties"] if one["grid_id"] in set(grid_ids)]
    if not ended:
        return 0
    here = set(
        connection.execute(
            sa.select(officer.officer_id).where(
                visible(SYSTEM, t.officer),
                officer.officer_id.in_({one["officer_id"] for one in ended}),
                officer.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)),
            )
        ).scalars()
    )
    rows = []
    for one in ended:
        begin = max(day, date.fromisoformat(one["from"]))
        end = None if one["until"] is None else date.fromisoformat(one["until"])
        if one["officer_id"] in here and (end is None or begin < end):
            names = ("officer_id", "grid_id", "role", "post")
            rows.append({name: one[name] for name in names} | {"valid": Range(begin, end)})
    if not rows:
        return 0
    written = connection.execute(
        pg_insert(t.grid_duty).on_conflict_do_nothing().returning(t.grid_duty.c.duty_id), rows
    )
    return len(written.all())
