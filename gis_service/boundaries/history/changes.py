"""The past of a scheme: every version, what changed between two of them, and taking one back.

A withdrawal is a new version: the grids that the withdrawn one touched are again what they were
before it, with the same codes. Nothing that was in force is ever rewritten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import shapely
import sqlalchemy as sa

from gis_service import access
from gis_service.access import Actor, visible
from gis_service.access.permissions import PLAN, READ_PLANS
from gis_service.boundaries.linework.tessellation import Arc, Tessellation, is_other_land
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.publication.publishing import (
    Published,
    find_difference,
    find_earliest_day,
    find_heirs,
    find_land_moved,
    publish,
    words_of,
)
from gis_service.boundaries.publication.queries import (
    BaseGrid,
    Boundaries,
    lock_scheme,
    read_boundaries,
    read_grids,
)
from gis_service.boundaries.publication.writing import reopen_duties
from gis_service.errors import ConflictError, NotFoundError
from gis_service.grids.membership.queries import select_assigned
from gis_service.grids.versions import Version, read_versions, today
from gis_service.store import tables as t


@dataclass(frozen=True)
class ChangedGrid:
    """A grid that is another one in the second version; None where it was not there."""

    key: str
    what: str
    before: BaseGrid | None
    after: BaseGrid | None

    @property
    def face(self) -> shapely.Geometry | None:
        """Its land: the new one, or the old one of a grid that ended."""
        grid = self.after or self.before
        return shapely.from_wkb(grid.wkb) if grid is not None else None


@dataclass(frozen=True)
class VersionComparison:
    """Two versions side by side."""

    a: Version
    b: Version
    grids: list[ChangedGrid]
    moved: list[dict[str, Any]]

    @property
    def households_moved(self) -> int:
        """Households that lie in another grid."""
        return sum(int(flow["households"]) for flow in self.moved)


def find_version(connection: sa.Connection, version_id: int) -> Version:
    """Find a version."""
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
    version, actor_columns, plan, back = t.grid_version.c, t.actor.c, t.plan.c, t.version_withdrawal
    taken_back = back.alias("taken_back")
    rows = connection.execute(
        sa.select(
            t.grid_version,
            actor_columns.name,
            actor_columns.name_en,
            plan.plan_id,
            back.c.withdraws_id,
            taken_back.c.version_id.label("withdrawn_by"),
        )
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == version.scheme_id)
        .join(t.actor, actor_columns.actor_id == version.published_by)
        .outerjoin(t.plan, plan.version_id == version.version_id)
        .outerjoin(back, back.c.version_id == version.version_id)
        .outerjoin(taken_back, taken_back.c.withdraws_id == version.version_id)
        .where(t.grid_scheme.c.code == scheme)
        .order_by(version.effective_day.desc())
    ).all()
    first = find_earliest_day(connection, rows[0].effective_day) if rows else today(connection)
    return [
        {
            "version_id": row.version_id,
            "effective_day": row.effective_day.isoformat(),
            "published_at": row.published_at.isoformat(),
            "published_by": {
                "actor_id": row.published_by, "name": row.name, "name_en": row.name_en,
            },
            "title": row.title,
            "reason": row.reason if reads else "",
            "counts": row.counts,
            "plan_id": row.plan_id if reads else None,
            "reviews": (
                plan_queries.read_discussion(connection, row.plan_id)[0]
                if reads and row.plan_id
                else []
            ),
            "withdraws": row.withdraws_id,
            "withdrawn_by": row.withdrawn_by,
            "earliest_day": first.isoformat(),
        }
        for row in rows
    ]  # fmt: skip


def compare_versions(connection: sa.Connection, actor: Actor, a: int, b: int) -> VersionComparison:
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
    VersionComparison
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
    grids = _find_changed(before, after)
    moved = _count_households_moved(connection, actor, first, second, before | after)
    return VersionComparison(first, second, grids, moved)


def _find_changed(before: dict[str, BaseGrid], after: dict[str, BaseGrid]) -> list[ChangedGrid]:
    changed = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None:
            if old.state_id == new.state_id:
                continue
            is_reworded = (old.name, old.code, old.parent) != (new.name, new.code, new.parent)
            has_other_land = is_other_land(old.wkb, new.wkb)
            if not is_reworded and not has_other_land:
                continue
            changed.append(ChangedGrid(key, "land" if has_other_land else "words", old, new))
        else:
            changed.append(ChangedGrid(key, "new" if old is None else "ended", old, new))
    return changed


def _count_households_moved(
    connection: sa.Connection,
    actor: Actor,
    first: Version,
    second: Version,
    grids: Mapping[str, BaseGrid],
) -> list[dict[str, Any]]:
    if not READ_PLANS.allows(actor):
        return []
    old, new = (
        select_assigned(
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

    def describe(grid_id: int | None) -> tuple[str | None, str, str]:
        grid = grids.get(str(grid_id))
        return (None, "", "") if grid is None else (grid.key, grid.name, grid.code)

    flows = []
    for from_id, to_id, households, persons in rows:
        (a, a_name, a_code), (b, b_name, b_code) = describe(from_id), describe(to_id)
        flows.append(
            {
                "from": a, "from_name": a_name, "from_code": a_code,
                "to": b, "to_name": b_name, "to_code": b_code,
                "households": households, "people": int(persons),
            }
        )  # fmt: skip
    return flows


def withdraw_version(
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
    all_versions = read_versions(connection, target.scheme)
    position = [version.version_id for version in all_versions].index(version_id)
    if position == 0:
        raise ConflictError("boundaries.first_version")
    withdrawal = t.version_withdrawal.c
    if connection.scalar(
        sa.select(withdrawal.version_id).where(withdrawal.withdraws_id == version_id)
    ):
        raise ConflictError("boundaries.withdrawn_already")
    before, withdrawn, newest = (
        read_boundaries(connection, version)
        for version in (all_versions[position - 1], target, all_versions[-1])
    )
    grids = _restore_grids(before, withdrawn, newest)
    linework = _restore_linework(before, withdrawn, newest, grids)
    faces = {
        key: shapely.from_wkb(grids[key].wkb)
        for key in linework.keys
        if key not in newest.grids or grids[key].wkb != newest.grids[key].wkb
    }
    again = grids.keys() - newest.grids.keys()
    retired = [key for key in newest.tessellation.keys if key not in grids]
    successors = find_heirs(find_land_moved(newest, faces, retired), again, retired)
    title = f"撤回：{target.title}" if target.title else "撤回"
    published = publish(
        connection,
        actor,
        find_difference(newest, grids, linework, faces, successors),
        effective_day,
        title,
        reason,
    )
    duties = reopen_duties(
        connection, version_id, [grids[key].grid_id for key in again], effective_day
    )
    connection.execute(
        sa.insert(t.version_withdrawal).values(
            version_id=published.version.version_id, withdraws_id=version_id
        )
    )
    _withdraw_plan(connection, actor, version_id, reason)
    after = {
        "by": published.version.version_id,
        "effective_day": effective_day.isoformat(),
        "reopened_duties": duties,
    }
    access.record(connection, actor, "withdraw", "grid_version", version_id, after=after)
    return replace(published, reopened_duties=duties)


def _differs(grid: BaseGrid | None, other: BaseGrid | None) -> bool:
    """Compare what is said of a grid, not its rows: one that was taken back is the same again."""
    if grid is None or other is None:
        return grid is not other
    if grid.state_id == other.state_id:
        return False
    return grid.wkb != other.wkb or words_of(grid) != words_of(other)


def _restore_grids(
    before: Boundaries, target: Boundaries, newest: Boundaries
) -> dict[str, BaseGrid]:
    """Give the grids of the newest version with those of the target as they were before it."""
    old_grids, target_grids, newest_grids = before.grids, target.grids, newest.grids
    result = dict(newest_grids)
    touched_later = []
    for key in {**old_grids, **target_grids}:
        if not _differs(old_grids.get(key), target_grids.get(key)):
            continue
        grid = target_grids.get(key) or old_grids[key]
        if grid.rank == target.lowest and _differs(target_grids.get(key), newest_grids.get(key)):
            touched_later.append(grid.name)
        elif key in old_grids:
            result[key] = old_grids[key]
        else:
            result.pop(key, None)
    if touched_later:
        raise ConflictError("boundaries.touched_later", grids=", ".join(sorted(touched_later)[:10]))
    return result


def _restore_linework(
    before: Boundaries, target: Boundaries, newest: Boundaries, grids: Mapping[str, BaseGrid]
) -> Tessellation:
    """Take the target's arcs out of the newest linework and put those before it back in."""
    order: dict[Arc, int] = {}
    arc_sets = []
    for version in (before, target, newest):
        arcs = version.tessellation.named_arcs()
        order = {**dict(zip(arcs, version.arc_ids.tolist(), strict=True)), **order}
        arc_sets.append(set(arcs))
    old_arcs, target_arcs, newest_arcs = arc_sets
    if not (target_arcs - old_arcs) <= newest_arcs:
        raise ConflictError("boundaries.touched_later", grids="-")
    restored = sorted(
        (newest_arcs - (target_arcs - old_arcs)) | (old_arcs - target_arcs), key=order.__getitem__
    )
    keys = [grid.key for grid in grids.values() if grid.rank == target.lowest]
    return Tessellation.of_arcs(keys, restored)


def _withdraw_plan(connection: sa.Connection, actor: Actor, version_id: int, reason: str) -> None:
    plan_id = connection.scalar(
        sa.select(t.plan.c.plan_id).where(
            t.plan.c.version_id == version_id, t.plan.c.status == "published"
        )
    )
    if plan_id is not None:
        plan = plan_queries.find_plan(connection, plan_id, lock=True)
        plan_life.decide(connection, actor, plan, "withdrawn", words=reason)
