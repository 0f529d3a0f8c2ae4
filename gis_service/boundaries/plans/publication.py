"""The last stretch of a plan: checked, weighed, handed in, published in one transaction.

Errors stop it; a warning needs a reason. What will move is counted by the same code that moves it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.access.permissions import PLAN
from gis_service.boundaries.editing.checks import Finding
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans import work as plan_work
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.queries import Plan
from gis_service.boundaries.publication.publishing import (
    Difference,
    Grid,
    Published,
    WantedGrid,
    find_difference,
    find_earliest_day,
    find_heirs,
    find_land_moved,
    find_moves,
    incident_ids_of,
    make_provisional_ids,
    publish,
)
from gis_service.boundaries.publication.queries import count_open_incidents, find_newest_version
from gis_service.errors import ConflictError, InputError, Place
from gis_service.messages import Language, text

PLURAL = {
    "household": "households",
    "building": "buildings",
    "premises": "premises",
    "hazard": "hazards",
    "incident": "incidents",
}


@contextmanager
def open_draft(
    connection: sa.Connection, draft_cache: DraftCache, plan_id: int
) -> Iterator[tuple[Plan, DraftState]]:
    """
    Give a plan with its draft, on the newest version where that is possible.

    Parameters
    ----------
    connection
        An open transaction.
    desk
        The drafts of this process.
    plan_id
        Which plan.

    Yields
    ------
    plan, held
        The row and the draft.
    """
    plan, _ = plan_work.rebase(connection, draft_cache, plan_queries.find_plan(connection, plan_id))
    edits = plan_queries.read_edits_done(connection, plan_id)
    with draft_cache.open(connection, plan_id, plan.base, edits) as state:
        yield plan, state


def check_draft(state: DraftState, language: Language) -> dict[str, Any]:
    """
    Check a draft.

    Parameters
    ----------
    held
        The draft.
    language
        The reader's.

    Returns
    -------
    dict
        How many ``errors`` and ``warnings``, the ``findings``, and as ``information`` what was
        wrong before the plan and stays so.
    """
    broken = plan_work.check_whole(state)
    before, places = state.out_before
    return {
        "errors": sum(finding.severity == "error" for finding in broken),
        "warnings": sum(finding.severity == "warning" for finding in broken),
        "findings": plan_work.describe_findings(broken, language, state.names),
        "information": [
            {
                "rule": "household_out",
                "n": before,
                "text": text("boundaries.household_out_before", language, n=before),
                "place": plan_work.as_geojson(places),
            }
        ]
        if before
        else [],
    }


def compare_draft(state: DraftState) -> Difference:
    """Work out what a draft changes in all."""
    base, draft = state.base, state.draft
    faces = draft.faces(sorted(state.touched | state.renoded))
    remaining = set(draft.keys)
    retired = [key for key in base.tessellation.keys if key not in remaining]
    created = {key: parent for key, parent in draft.parents.items() if key not in base.grids}
    pieces = find_land_moved(base, faces, retired)
    sources = {new: base.grids[old] for old, new, _ in sorted(pieces, key=lambda one: one[2])}
    grids: dict[str, Grid] = {
        key: one for key, one in base.grids.items() if one.rank < base.lowest or key in remaining
    }
    for key, parent in created.items():
        source = sources.get(key)
        grids[key] = WantedGrid(
            base.lowest,
            parent,
            state.names.get(key, key),
            urban_rural_class=None if source is None else source.urban_rural_class,
            admin_unit_id=None if source is None else source.admin_unit_id,
        )
    return find_difference(
        base, grids, draft.tessellation(), faces, find_heirs(pieces, created, retired)
    )


def measure_impact(
    connection: sa.Connection, plan: Plan, state: DraftState, day: date | None = None
) -> dict[str, Any]:
    """
    Tell what publication would move.

    Parameters
    ----------
    connection
        An open transaction.
    plan
        The plan.
    held
        Its draft.
    on
        From this day on; the first possible one where None.

    Returns
    -------
    dict
        Counts by kind, households from grid to grid, grids that need an officer.
    """
    newest = find_newest_version(connection, plan.scheme)
    first = find_earliest_day(connection, newest.effective_day)
    redraw = compare_draft(state)
    moves = find_moves(connection, redraw)
    names = state.names
    new_keys = {new_id: key for key, new_id in make_provisional_ids(redraw).items()}
    return {
        "on": (day or first).isoformat(),
        "earliest_day": first.isoformat(),
        "possible": day is None or day >= first,
        "moved": {
            **{
                PLURAL[kind_moves.kind]: len(kind_moves.object_ids)
                for kind_moves in moves
                if kind_moves.kind != "incident"
            },
            "incidents": count_open_incidents(connection, incident_ids_of(moves)),
        },
        "households": _count_flows(moves, names, new_keys),
        "grids": {
            "changed": len(redraw.land_changed),
            "created": [{"key": key, "name": names.get(key, key)} for key in redraw.begun],
            "retired": [{"key": key, "name": names.get(key, key)} for key in redraw.retired],
        },
        "officers_to_appoint": [
            {"key": key, "name": names.get(key, key)}
            for key in _grids_without_officer(redraw, state.base.officers)
        ],
    }


def count_moved(published: Published) -> dict[str, int]:
    """
    Count what a publication moved, in the words and by the rule of :func:`measure_impact`.

    Parameters
    ----------
    published
        A redraw that was published or taken back.

    Returns
    -------
    dict
        Numbers by kind; of the incidents those that somebody still works on.
    """
    moved = {PLURAL[kind]: n for kind, n in published.moved.items() if kind != "incident"}
    return {**moved, "incidents": published.open_incidents}


def _grids_without_officer(redraw: Difference, officers: Collection[str]) -> list[str]:
    continuing = sorted(redraw.land_changed - set(redraw.begun))
    return [*redraw.begun, *(key for key in continuing if key not in officers)]


def _count_flows(
    moves: Sequence[Any], names: Mapping[str, str], new_keys: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Count households from grid to grid, the most first."""
    household_moves = next((row for row in moves if row.kind == "household"), None)
    if household_moves is None or not len(household_moves.object_ids):
        return []
    pairs, counts = np.unique(
        np.column_stack([household_moves.before, household_moves.after]), axis=0, return_counts=True
    )

    def key_of(grid_id: int) -> str:
        return new_keys.get(grid_id, str(grid_id))

    rows = [
        {
            "from": key_of(a),
            "from_name": names.get(key_of(a), key_of(a)),
            "to": key_of(b),
            "to_name": names.get(key_of(b), key_of(b)),
            "households": n,
        }
        for (a, b), n in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: -int(row["households"]))


def submit_plan(
    connection: sa.Connection,
    draft_cache: DraftCache,
    actor: Actor,
    plan_id: int,
    reasons: Mapping[str, str],
) -> None:
    """
    Hand a plan in for review.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    desk
        The drafts of this process.
    actor
        Who hands in.
    plan_id
        Which plan.
    reasons
        Why each warning is accepted, by its id.

    Raises
    ------
    InputError
        Nothing was drawn, a rule is broken, or a reason is missing.
    """
    PLAN.require(actor)
    plan_work.put_on_newest(
        connection, draft_cache, plan_queries.find_plan(connection, plan_id, lock=True)
    )
    with open_draft(connection, draft_cache, plan_id) as (plan, state):
        if not state.edits:
            raise InputError("boundaries.plan_empty")
        _check_rules(state, {**plan.reasons, **reasons})
        plan_life.decide(connection, actor, plan, "submitted", reasons=_strip_reasons(reasons))


def _strip_reasons(reasons: Mapping[str, str]) -> dict[str, str]:
    return {key: words.strip() for key, words in reasons.items() if words and words.strip()}


def _check_rules(state: DraftState, reasons: Mapping[str, str]) -> list[Finding]:
    broken = plan_work.check_whole(state)
    errors = [finding for finding in broken if finding.severity == "error"]
    if errors:
        raise InputError(
            "boundaries.plan_has_errors", n=len(errors), first=errors[0].text("zh-CN", state.names)
        )
    given_reasons = _strip_reasons(reasons)
    missing = [finding for finding in broken if plan_work.finding_id(finding) not in given_reasons]
    if missing:
        raise InputError(
            "boundaries.reason_missing",
            place=Place(field=plan_work.finding_id(missing[0])),
            n=len(missing),
        )
    return broken


def publish_plan(
    connection: sa.Connection,
    draft_cache: DraftCache,
    actor: Actor,
    plan_id: int,
    effective_day: date,
    reasons: Mapping[str, str],
) -> dict[str, Any]:
    """
    Make an approved plan the next version.

    Parameters
    ----------
    connection
        The transaction in which all of it stands or falls.
    desk
        The drafts of this process.
    actor
        Who publishes.
    plan_id
        Which plan.
    effective_day
        From when on it holds.
    reasons
        Why warnings are accepted that came up since the plan was handed in.

    Returns
    -------
    dict
        The version and what was moved.

    Raises
    ------
    ConflictError
        A later version touches the same grids.
    """
    PLAN.require(actor)
    plan = plan_queries.find_plan(connection, plan_id, lock=True)
    if plan.status != "approved":
        raise plan_life.ClosedPlanError("boundaries.step_not_now", plan.status, plan.version_id)
    plan, conflicts = plan_work.put_on_newest(connection, draft_cache, plan)
    if conflicts:
        raise ConflictError("boundaries.plan_conflicts", n=len(conflicts))
    edits = plan_queries.read_edits_done(connection, plan_id)
    with draft_cache.open(connection, plan_id, plan.base, edits) as state:
        _check_rules(state, {**plan.reasons, **reasons})
        redraw = compare_draft(state)
        if not redraw.faces and not redraw.retired:
            raise InputError("boundaries.plan_empty")
        published = publish(connection, actor, redraw, effective_day, plan.title, plan.reason)
        names, officers = state.names, state.base.officers
    version_id = published.version.version_id
    plan_life.decide(
        connection, actor, plan, "published", version_id=version_id, reasons=_strip_reasons(reasons)
    )
    return {
        "plan_id": plan_id,
        "version_id": version_id,
        "effective_day": effective_day.isoformat(),
        "grid_ids": published.grid_ids,
        "changed": published.changed,
        "retired": published.retired,
        "moved": count_moved(published),
        "officers_to_appoint": [
            {"key": key, "name": names.get(key, key)}
            for key in _grids_without_officer(redraw, officers)
        ],
    }
