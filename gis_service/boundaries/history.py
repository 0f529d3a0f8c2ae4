"""The past of a scheme: every version, what changed between two of them, and taking one back.

A withdrawal is a new version: the grids that the withdrawn one touched are again what they were
before it, with the same codes. Nothing that was in force is ever rewritten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service import access
from gis_service.access import Actor, visible
from gis_service.access.permissions import PLAN, READ_PLANS
from gis_service.boundaries import plan_life
from gis_service.boundaries.plan_base import (
    Base,
    BaseGrid,
    read_bare_base,
    read_grids,
    read_linework,
)
from gis_service.boundaries.plans import Published, lock_scheme, publish
from gis_service.boundaries.publishing import Redraw, land_moved, publish_redraw, reopen_duties
from gis_service.boundaries.tessellation import OUTSIDE, Tessellation, land_changed
from gis_service.errors import ConflictError, NotFoundError
from gis_service.grids.members import assigned
from gis_service.grids.versions import Version, today, versions
from gis_service.store import tables as t


@dataclass(frozen=True)
class ChangedGrid:
    """A grid that is another one in the second version; None where it was not there."""

    key: str
    what: str
    before: BaseGrid | None
    after: BaseGrid | None


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side."""

    a: Version
    b: Version
    grids: list[ChangedGrid]
    moved: list[dict[str, Any]]

    @property
    def households_moved(self) -> int:
        """Households that lie in another grid."""
        return sum(int(one["households"]) for one in self.moved)


def find_version(connection: sa.Connection, version_id: int) -> Version:
    """
    Find a version.

    Parameters
    ----------
    connection
        An open transaction.
    version_id
        Which.

    Returns
    -------
    Version
        With its scheme.

    Raises
    ------
    NotFoundError
        There is no such version.
    """
    row = connection.execute(
        sa.select(t.grid_version, t.grid_scheme.c.code)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == t.grid_version.c.scheme_id)
        .where(t.grid_version.c.version_id == version_id)
    ).first()
    if row is None:
        raise NotFoundError("boundaries.no_version", version=version_id)
    return Version(row.version_id, row.scheme_id, row.code, row.effective_day, row.title)


def list_versions(connection: sa.Connection, actor: Actor, scheme: str) -> list[dict[str, Any]]:
    """
    List the versions of a scheme, the newest first, with who decided and why.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks: reasons, plans and reviews are for those who may read plans.
    scheme
        Its code.

    Returns
    -------
    list of dict
        With the plan that it came from, its reviews, and which version took it back.
    """
    reads = READ_PLANS.allows(actor)
    row, who, plan, back = t.grid_version.c, t.actor.c, t.plan.c, t.version_withdrawal
    taken_back = back.alias("taken_back")
    rows = connection.execute(
        sa.select(
            t.grid_version,
            who.name,
            who.name_en,
            plan.plan_id,
            back.c.withdraws_id,
            taken_back.c.version_id.label("withdrawn_by"),
        )
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == row.scheme_id)
        .join(t.actor, who.actor_id == row.published_by)
        .outerjoin(t.plan, plan.version_id == row.version_id)
        .outerjoin(back, back.c.version_id == row.version_id)
        .outerjoin(taken_back, taken_back.c.withdraws_id == row.version_id)
        .where(t.grid_scheme.c.code == scheme)
        .order_by(row.effective_day.desc())
    ).all()
    first = earliest_day(connection, rows[0].effective_day) if rows else today(connection)
    return [
        {
            "version_id": one.version_id,
            "effective_day": one.effective_day.isoformat(),
            "published_at": one.published_at.isoformat(),
            "published_by": {
                "actor_id": one.published_by, "name": one.name, "name_en": one.name_en,
            },
            "title": one.title,
            "reason": one.reason if reads else "",
            "counts": one.counts,
            "plan_id": one.plan_id if reads else None,
            "reviews": (
                plan_life.discussion(connection, one.plan_id)[0] if reads and one.plan_id else []
            ),
            "withdraws": one.withdraws_id,
            "withdrawn_by": one.withdrawn_by,
            "earliest_day": first.isoformat(),
        }
        for one in rows
    ]  # fmt: skip


def earliest_day(connection: sa.Connection, newest: date) -> date:
    """
    Say from when on the next version can hold.

    Parameters
    ----------
    connection
        An open transaction.
    newest
        Day of the newest version.

    Returns
    -------
    date
        Today, or the day after the newest version's.
    """
    return max(today(connection), newest + timedelta(days=1))


def compare(connection: sa.Connection, actor: Actor, a: int, b: int) -> Comparison:
    """
    Tell what is different in a second version.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; households are counted for those who see all of them.
    a, b
        The versions, of one scheme.

    Returns
    -------
    Comparison
        Grids with other land, name, code or parent, and households by old and new grid.

    Raises
    ------
    ConflictError
        They belong to different schemes.
    """
    first, second = find_version(connection, a), find_version(connection, b)
    if first.scheme_id != second.scheme_id:
        raise ConflictError("boundaries.other_scheme")
    before = read_grids(connection, first.scheme_id, first.effective_day)
    after = read_grids(connection, second.scheme_id, second.effective_day)
    grids = _changed(before, after)
    moved = _households_moved(connection, actor, first, second, before | after)
    return Comparison(first, second, grids, moved)


def _changed(before: dict[str, BaseGrid], after: dict[str, BaseGrid]) -> list[ChangedGrid]:
    found = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None:
            if old.state_id == new.state_id:
                continue
            words = (old.name, old.code, old.parent) != (new.name, new.code, new.parent)
            land = land_changed(old.wkb, new.wkb)
            if not words and not land:
                continue
            found.append(ChangedGrid(key, "land" if land else "words", old, new))
        else:
            found.append(ChangedGrid(key, "new" if old is None else "ended", old, new))
    return found


def _households_moved(
    connection: sa.Connection,
    actor: Actor,
    first: Version,
    second: Version,
    grids: Mapping[str, BaseGrid],
) -> list[dict[str, Any]]:
    if not READ_PLANS.allows(actor):
        return []
    old, new = (
        assigned(
            "household", version.scheme_id, sa.literal(version.effective_day, sa.Date)
        ).subquery()
        for version in (first, second)
    )
    n, people = sa.func.count(), sa.func.sum(t.household.c.people)
    rows = connection.execute(
        sa.select(old.c.grid_id, new.c.grid_id, n, people)
        .join(new, new.c.object_id == old.c.object_id)
        .join(t.household, t.household.c.household_id == old.c.object_id)
        .where(
            visible(actor, t.household),
            old.c.grid_id.is_distinct_from(new.c.grid_id),
        )
        .group_by(old.c.grid_id, new.c.grid_id)
        .order_by(n.desc(), old.c.grid_id, new.c.grid_id)
    )

    def named(grid_id: int | None) -> tuple[str | None, str, str]:
        known = grids.get(str(grid_id))
        return (None, "", "") if known is None else (known.key, known.name, known.code)

    found = []
    for from_id, to_id, households, persons in rows:
        (a, a_name, a_code), (b, b_name, b_code) = named(from_id), named(to_id)
        found.append(
            {
                "from": a, "from_name": a_name, "from_code": a_code,
                "to": b, "to_name": b_name, "to_code": b_code,
                "households": households, "people": int(persons),
            }
        )  # fmt: skip
    return found


def withdraw(
    connection: sa.Connection, actor: Actor, version_id: int, effective_day: date, reason: str
) -> Published:
    """
    Take a version back: from a day on everything is again as before it.

    Parameters
    ----------
    connection
        The transaction in which all of it stands or falls.
    actor
        Who takes it back.
    version_id
        Which version.
    effective_day
        Today or later, and after the newest version.
    reason
        Why.

    Returns
    -------
    Published
        The new version.

    Raises
    ------
    ConflictError
        It is the first version, it was taken back already, or later versions touch its grids.
    """
    PLAN.require(actor)
    target = find_version(connection, version_id)
    lock_scheme(connection, target.scheme)
    known = versions(connection, target.scheme)
    place = [one.version_id for one in known].index(version_id)
    if place == 0:
        raise ConflictError("boundaries.first_version")
    back = t.version_withdrawal.c
    if connection.scalar(sa.select(back.version_id).where(back.withdraws_id == version_id)):
        raise ConflictError("boundaries.withdrawn_already")
    before, newest = known[place - 1], known[-1]
    grids = _restored_grids(connection, before, target, newest)
    linework = _restored_linework(connection, before, target, newest, grids)
    title = f"撤回：{target.title}" if target.title else "撤回"
    base = read_bare_base(connection, newest)
    if _same_words(base.grids, grids):
        redraw = _taken_back(base, grids, linework)
        published = publish_redraw(connection, actor, redraw, effective_day, title, reason)
    else:
        published = _published_whole(
            connection, actor, target, grids, linework, effective_day, title, reason
        )
    again = [one.grid_id for key, one in grids.items() if key not in base.grids]
    duties = reopen_duties(connection, version_id, again, effective_day)
    connection.execute(
        sa.insert(t.version_withdrawal).values(
            version_id=published.version.version_id, withdraws_id=version_id
        )
    )
    _plan_withdrawn(connection, actor, version_id, reason)
    after = {
        "by": published.version.version_id,
        "effective_day": effective_day.isoformat(),
        "reopened_duties": duties,
    }
    access.record(connection, actor, "withdraw", "grid_version", version_id, after=after)
    return replace(published, reopened_duties=duties)


def _same_words(now: Mapping[str, BaseGrid], then: Mapping[str, BaseGrid]) -> bool:
    """Tell whether only land and base grids differ: no upper grid, name, code or parent."""
    lowest = max(one.rank for one in now.values())
    either = {*now, *then}
    upper = [key for key in either if (now.get(key) or then[key]).rank < lowest]
    shared = now.keys() & then.keys()
    return set(upper) <= shared and all(_words(now[key]) == _words(then[key]) for key in shared)


def _taken_back(base: Base, then: Mapping[str, BaseGrid], linework: Tessellation) -> Redraw:
    """Put the grids as they are to be beside those of the newest version."""
    now = base.grids
    lowest = base.lowest
    parents = {key: str(one.parent) for key, one in then.items() if one.rank == lowest}
    faces = {
        key: shapely.from_wkb(then[key].wkb)
        for key in parents
        if key not in now or then[key].wkb != now[key].wkb
    }
    retired = tuple(key for key in base.tessellation.keys if key not in parents)
    reopened = {key: then[key] for key in parents if key not in now}
    pieces = land_moved(base, faces, retired)
    moved = frozenset(key for old, new, _ in pieces for key in (old, new))
    successors = tuple(
        (old, new) for old, new, _ in pieces if old in retired or new in reopened
    )  # fmt: skip
    return Redraw(
        base, linework, parents, faces, moved, {}, retired, {}, {}, {}, successors, reopened
    )


def _published_whole(
    connection: sa.Connection,
    actor: Actor,
    target: Version,
    grids: Mapping[str, BaseGrid],
    linework: Tessellation,
    effective_day: date,
    title: str,
    reason: str,
) -> Published:
    """Publish all grids of all levels, where a file had brought other villages or names."""
    drafts = pd.DataFrame(
        [
            {
                "key": one.key,
                "rank": one.rank,
                "name": one.name,
                "parent": one.parent,
                "code": one.code,
                "urban_rural_class": one.urban_rural_class,
                "admin_code": None,
                "admin_unit_id": one.admin_unit_id,
            }
            for one in grids.values()
        ]
    ).astype(object)
    return publish(
        connection,
        actor,
        target.scheme,
        linework,
        drafts,
        effective_day,
        title,
        reason=reason,
        known={key: one.grid_id for key, one in grids.items()},
    )


def _words(one: BaseGrid) -> tuple[object, ...]:
    words = (one.rank, one.parent, one.code, one.name)
    return (*words, one.urban_rural_class, one.admin_unit_id)


def _differs(one: BaseGrid | None, other: BaseGrid | None) -> bool:
    """Compare what is said of a grid, not its rows: one that was taken back is the same again."""
    if one is None or other is None:
        return one is not other
    if one.state_id == other.state_id:
        return False
    return one.wkb != other.wkb or _words(one) != _words(other)


def _restored_grids(
    connection: sa.Connection, before: Version, target: Version, newest: Version
) -> dict[str, BaseGrid]:
    """Give the grids of the newest version with those of the target as they were before it."""
    scheme_id = target.scheme_id
    was = read_grids(connection, scheme_id, before.effective_day)
    made = read_grids(connection, scheme_id, target.effective_day)
    now = read_grids(connection, scheme_id, newest.effective_day)
    lowest = max(one.rank for one in made.values())
    touched = [key for key in {**was, **made} if _differs(was.get(key), made.get(key))]
    result = dict(now)
    later = []
    for key in touched:
        rank = (made.get(key) or was[key]).rank
        if rank == lowest and _differs(made.get(key), now.get(key)):
            later.append(key)
            continue
        if key in was:
            result[key] = was[key]
        else:
            result.pop(key, None)
    if later:
        names = [(made.get(key) or was[key]).name for key in later]
        raise ConflictError("boundaries.touched_later", grids=", ".join(sorted(names)[:10]))
    return result


def _restored_linework(
    connection: sa.Connection,
    before: Version,
    target: Version,
    newest: Version,
    grids: Mapping[str, BaseGrid],
) -> Tessellation:
    """Take the target's arcs out of the newest linework and put those before it back in."""
    lowest = max(one.rank for one in grids.values())
    keys = [one.key for one in grids.values() if one.rank == lowest]
    rows: dict[_Arc, tuple[int, Any]] = {}
    found = []
    for version in (before, target, newest):
        every = [
            one.key
            for one in read_grids(connection, version.scheme_id, version.effective_day).values()
            if one.rank == lowest
        ]
        linework, arc_ids = read_linework(connection, version, every)
        arcs = _arcs(linework)
        for arc, arc_id, line in zip(arcs, arc_ids.tolist(), linework.arcs, strict=True):
            rows.setdefault(arc, (arc_id, line))
        found.append(set(arcs))
    was, made, now = found
    if not (made - was) <= now:
        raise ConflictError("boundaries.touched_later", grids="-")
    kept = sorted((now - (made - was)) | (was - made), key=lambda arc: rows[arc][0])
    position: dict[str | None, int] = {key: index for index, key in enumerate(keys)}
    position[None] = OUTSIDE
    lines = np.empty(len(kept), dtype=object)
    lines[:] = [rows[arc][1] for arc in kept]
    return Tessellation(
        tuple(keys),
        lines,
        np.array([arc[1] for arc in kept]),
        np.array([position[arc[2]] for arc in kept], dtype=np.int64),
        np.array([position[arc[3]] for arc in kept], dtype=np.int64),
    )


_Arc = tuple[bytes, str, str | None, str | None]
"""An arc by what it is: line, kind, grids on both sides."""


def _arcs(linework: Tessellation) -> list[_Arc]:
    names = [*linework.keys, None]
    return [
        (wkb, kind, names[left], names[right])
        for wkb, kind, left, right in zip(
            shapely.to_wkb(linework.arcs).tolist(),
            linework.kinds.tolist(),
            linework.left.tolist(),
            linework.right.tolist(),
            strict=True,
        )
    ]


def _plan_withdrawn(connection: sa.Connection, actor: Actor, version_id: int, reason: str) -> None:
    plan_id = connection.scalar(
        sa.select(t.plan.c.plan_id).where(
            t.plan.c.version_id == version_id, t.plan.c.status == "published"
        )
    )
    if plan_id is not None:
        plan = plan_life.find(connection, plan_id, lock=True)
        plan_life.decide(connection, actor, plan, "withdrawn", words=reason)
