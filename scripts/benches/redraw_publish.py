"""Publishing a redraw of the demo county: one village drawn anew, and every household moved.

The peer stores the same version and places everything by SQL: ``UPDATE … FROM`` with the polygon
that holds the point and ``IS DISTINCT FROM`` over all rows, history written too: a row closed and
a row opened for each object. Both work in a transaction that is thrown away, and what is read of
it object by object is compared.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from unittest import mock

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.boundaries.plans.base import Base
from gis_service.boundaries.plans.completing import complete_edit
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.proposals import Scope, propose
from gis_service.boundaries.plans.publication import compare_draft
from gis_service.boundaries.plans.queries import StoredEdit
from gis_service.boundaries.publication.publishing import (
    Difference,
    Grid,
    WantedGrid,
    find_difference,
    find_earliest_day,
    publish,
)
from gis_service.boundaries.publication.queries import find_newest_version
from gis_service.grids import assignment
from gis_service.grids.versions import Version
from gis_service.store import Store
from scripts.benches.context import COUNTY, Context
from scripts.benches.framework import Limit, Row, Side, compare

ALL_LIMIT_S: Final = 5.0
PEER: Final = "PostGIS: UPDATE … FROM … ST_Intersects over all rows, IS DISTINCT FROM, history too"

_NOW: Final = """
    CREATE TEMPORARY TABLE now_grid ON COMMIT DROP AS
    SELECT grid_id, geom FROM grid_state
    WHERE scheme_id = :scheme AND rank = :rank AND valid @> CAST(:day AS date)
"""
_OWN: Final = """
    SELECT '{kind}' AS kind, {kind}_id AS id, min(now.grid_id) AS grid_id, count(*) AS n
    FROM now_grid AS now JOIN {kind} ON ST_Intersects(now.geom, {kind}.point)
    GROUP BY {kind}_id
"""
_PLACED: Final = """
    CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
    SELECT own.kind, own.id,
           CASE WHEN own.kind = 'household' THEN coalesce(house.grid_id, own.grid_id)
                ELSE own.grid_id END AS grid_id,
           CASE WHEN own.kind = 'household' AND house.grid_id IS NOT NULL THEN 'by_building'
                WHEN own.n > 1 THEN 'border_tie' ELSE 'within' END AS method
    FROM own
    LEFT JOIN household ON own.kind = 'household' AND household.household_id = own.id
    LEFT JOIN own AS house ON house.kind = 'building' AND house.id = household.building_id
"""
_KINDS: Final = ("building", "household", "premises", "hazard", "incident")
_BEFORE: Final = """
    CREATE TEMPORARY TABLE moved ON COMMIT DROP AS
    SELECT placed.* FROM placed
    LEFT JOIN assignment AS held
      ON held.scheme_id = :scheme AND held.object_kind = placed.kind
     AND held.object_id = placed.id AND upper_inf(held.valid)
    WHERE held.grid_id IS DISTINCT FROM placed.grid_id
"""
_COHORTS: Final = """
    WITH named AS (
        SELECT DISTINCT grid_id, nextval(pg_get_serial_sequence('cohort', 'cohort_id')) AS cohort_id
        FROM (SELECT DISTINCT grid_id FROM moved) AS goal
    ), made AS (
        INSERT INTO cohort (cohort_id, scheme_id)
        SELECT cohort_id, :scheme FROM named RETURNING cohort_id
    )
    INSERT INTO cohort_grid (cohort_id, scheme_id, grid_id, valid)
    SELECT cohort_id, :scheme, grid_id, daterange(NULL, NULL) FROM named JOIN made USING (cohort_id)
"""
_CLOSE: Final = """
    UPDATE membership SET valid = daterange(lower(valid), CAST(:day AS date))
    FROM moved
    WHERE membership.scheme_id = :scheme AND membership.object_kind = moved.kind
      AND membership.object_id = moved.id AND upper_inf(membership.valid)
"""
_OPEN: Final = """
    INSERT INTO membership (scheme_id, object_kind, object_id, valid, cohort_id, method)
    SELECT :scheme, kind, id, daterange(CAST(:day AS date), NULL), cohort.cohort_id, method
    FROM moved
    JOIN (SELECT grid_id, max(cohort_id) AS cohort_id FROM cohort_grid
          WHERE valid = daterange(NULL, NULL) GROUP BY grid_id) AS cohort USING (grid_id)
"""
_COPY: Final = """
    UPDATE {kind} SET base_grid_id = placed.grid_id FROM placed
    WHERE placed.kind = '{kind}' AND placed.id = {kind}.{kind}_id
      AND {kind}.base_grid_id IS DISTINCT FROM placed.grid_id
"""
_DIGEST: Final = """
    SELECT object_kind, count(*), sum(object_id),
           sum(hashtext(valid::text || method || object_id)::bigint)
    FROM assignment WHERE scheme_id = :scheme GROUP BY object_kind ORDER BY object_kind
"""
_CODES: Final = """
    SELECT object_kind, sum(hashtext(coalesce(s.code, '') || ':' || object_id)::bigint)
    FROM assignment a LEFT JOIN LATERAL (
        SELECT code FROM grid_state s WHERE s.grid_id = a.grid_id ORDER BY state_id DESC LIMIT 1
    ) AS s ON true
    WHERE scheme_id = :scheme GROUP BY object_kind ORDER BY object_kind
"""
_ROWS: Final = """
    SELECT sum(hashtext(coalesce(s.code, '') || ':' || {kind}_id)::bigint)
    FROM {kind} r LEFT JOIN LATERAL (
        SELECT code FROM grid_state s WHERE s.grid_id = r.base_grid_id
        ORDER BY state_id DESC LIMIT 1
    ) AS s ON true
"""


@dataclass(frozen=True)
class Work:
    """A redraw that waits to be published."""

    context: Context
    store: Store
    redraw: Difference
    version: Version


def run(context: Context) -> list[Row]:
    """
    Measure both publications.

    Parameters
    ----------
    context
        With the demo county.

    Returns
    -------
    list of Row
        One village, and the whole county.
    """
    store = context.county_store
    draft_cache = DraftCache()
    with store.transaction(SYSTEM) as connection:
        version = find_newest_version(connection, "base")
        with draft_cache.open(connection, 0, version, []) as state:
            village = redrawn_village(state)
            whole = renamed(state.base)
    return [
        measured(
            "publication: one village redrawn",
            Work(context, store, village, version),
            10.0,
            None,
        ),
        measured(
            "publication: every household changes grid",
            Work(context, store, whole, version),
            2.0,
            ALL_LIMIT_S,
        ),
    ]


def redrawn_village(state: DraftState) -> Difference:
    """
    Draw a village of about six grids anew, as the service itself proposes good shapes.

    Parameters
    ----------
    held
        A draft without edits.

    Returns
    -------
    Difference
        Of at least half of the village's grids.
    """
    parents = state.draft.parents
    counts = Counter(parents.values())
    for village in sorted(counts, key=lambda key: (abs(counts[key] - 6), key)):
        answers = propose(state, Scope("village", village))["answers"]
        edit = next(one["edit"] for one in answers if one["name"] == "shape")
        if len(edit["grids"]) >= max(counts[village] // 2, 1):
            state.apply(StoredEdit(0, complete_edit(state, edit)))
            return compare_draft(state)
    raise AssertionError


def renamed(base: Base) -> Difference:
    """
    Put a new grid in the place of every grid.

    Parameters
    ----------
    base
        The version.

    Returns
    -------
    Difference
        The same land under other identities.
    """
    new = {key: f"new-{number}" for number, key in enumerate(base.tessellation.keys, 1)}
    old = base.tessellation
    linework = Tessellation(tuple(new.values()), old.arcs, old.kinds, old.left, old.right)
    grids: dict[str, Grid] = {key: base.grids[key] for key in base.grids.keys() - new.keys()}
    for key, other in new.items():
        one = base.grids[key]
        grids[other] = WantedGrid(
            one.rank,
            one.parent,
            one.name,
            urban_rural_class=one.urban_rural_class,
            admin_unit_id=one.admin_unit_id,
        )
    faces = {new[key]: face for key, face in base.faces.items()}
    return find_difference(base, grids, linework, faces, list(new.items()))


def measured(name: str, work: Work, target: float, limit_s: float | None) -> Row:
    """
    Measure one publication against the peer.

    Parameters
    ----------
    name
        Of the row.
    work
        What is published.
    target
        For the ratio.
    limit_s
        Seconds that ours may take.

    Returns
    -------
    Row
        With whether both stored the same.
    """
    ours = Side(
        lambda given: _publish(work, given, None), lambda: _begun(work, work.store), _thrown_away
    )
    theirs = Side(
        lambda given: _publish(work, given, _placed_by_sql),
        lambda: _begun(work, work.context.peer_store),
        _thrown_away,
    )
    result = compare(
        name, ours, PEER, theirs,
        agree=lambda one, other: bool(one == other),
        read=lambda given, _: _stored(given, work.version.scheme_id),
        target=target,
        pairs=3,
    )  # fmt: skip
    if limit_s is None or result.ours_s is None:
        return result
    result.limits.append(Limit("seconds", result.ours_s, limit_s))
    return result


def _begun(work: Work, store: Store) -> sa.Connection:
    """Begin where nothing is left of what the run before wrote and took back."""
    with closing(work.context.connect(COUNTY)) as admin, admin.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return store.begin(SYSTEM)


def _thrown_away(connection: sa.Connection) -> None:
    connection.rollback()
    connection.close()


def _publish(
    work: Work,
    connection: sa.Connection,
    instead: Callable[[sa.Connection, int, Any, int], None] | None,
) -> None:
    newest = find_newest_version(connection, work.version.scheme)
    day = find_earliest_day(connection, newest.effective_day)
    if instead is None:
        publish(connection, SYSTEM, work.redraw, day, "bench", "")
        return
    with (
        mock.patch.object(assignment, "find_moves_near", return_value=[]),
        mock.patch.object(assignment, "write_moves", side_effect=instead),
    ):
        publish(connection, SYSTEM, work.redraw, day, "bench", "")


def _stored(connection: sa.Connection, scheme_id: int) -> list[Any]:
    """Read what says the same for both: identities differ, since sequences never go back."""
    values = {"scheme": scheme_id}
    found: list[Any] = [tuple(row) for row in connection.execute(sa.text(_DIGEST), values)]
    found += [tuple(row) for row in connection.execute(sa.text(_CODES), values)]
    found += [connection.scalar(sa.text(_ROWS.format(kind=kind))) for kind in _KINDS]
    return found


def _placed_by_sql(connection: sa.Connection, scheme_id: int, moves: Any, since: int) -> None:
    """Store as the peer what a version moves."""
    del moves
    day = date.fromordinal(since)
    values = {"scheme": scheme_id, "day": day, "rank": 3}
    own = " UNION ALL ".join(_OWN.format(kind=kind) for kind in _KINDS)
    making = (_NOW, f"CREATE TEMPORARY TABLE own ON COMMIT DROP AS {own}", _PLACED, _BEFORE)
    for statement, made in zip(making, ("now_grid", "own", "placed", "moved"), strict=True):
        connection.execute(sa.text(statement), values if ":" in statement else {})
        connection.execute(sa.text(f"ANALYZE {made}"))
    connection.execute(sa.text(_COHORTS), values)
    connection.execute(sa.text(_CLOSE), values)
    connection.execute(sa.text(_OPEN), values)
    if day <= connection.execute(sa.select(sa.func.gis_today())).scalar_one():
        for kind in _KINDS:
            connection.execute(sa.text(_COPY.format(kind=kind)))
