"""The last stretch of a plan: checked, weighed, handed in, published in one transaction.

Errors stop it; a warning needs a reason. What will move is counted by the same code that moves it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.access.permissions import PLAN
from gis_service.boundaries.editing.checks import Finding
from gis_service.boundaries.editing.partition import propose
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import work as plan_work
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.life import Plan
from gis_service.boundaries.publication.publishing import (
    Difference,
    Grid,
    Published,
    WantedGrid,
    difference,
    earliest_day,
    heirs,
    impact_of,
    land_moved,
    open_incidents,
    provisional_ids,
    publish,
)
from gis_service.boundaries.publication.reading import newest_version
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
def drafted(
    connection: sa.Connection, desk: DraftCache, plan_id: int
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
    plan, _ = plan_work.rebased(connection, desk, plan_life.find(connection, plan_id))
    edits = plan_life.edits_done(connection, plan_id)
    with desk.open(connection, plan_id, plan.base, edits) as held:
        yield plan, held


def checks(held: DraftState, language: Language) -> dict[str, Any]:
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
    found = plan_work.all_findings(held)
    before, places = held.out_before
    return {
        "errors": sum(one.severity == "error" for one in found),
        "warnings": sum(one.severity == "warning" for one in found),
        "findings": plan_work.findings(found, language, held.names),
        "information": [
            {
                "rule": "household_out",
                "n": before,
                "text": text("boundaries.household_out_before", language, n=before),
                "place": plan_work.geojson(places),
            }
        ]
        if before
        else [],
    }


def redraw_of(held: DraftState) -> Difference:
    """Work out what a draft changes in all."""
    base, draft = held.base, held.draft
    faces = draft.faces(sorted(held.touched | held.renoded))
    there = set(draft.keys)
    retired = [key for key in base.tessellation.keys if key not in there]
    created = {key: above for key, above in draft.parents.items() if key not in base.grids}
    pieces = land_moved(base, faces, retired)
    sources = {new: base.grids[old] for old, new, _ in sorted(pieces, key=lambda one: one[2])}
    grids: dict[str, Grid] = {
        key: one for key, one in base.grids.items() if one.rank < base.lowest or key in there
    }
    for key, above in created.items():
        source = sources.get(key)
        grids[key] = WantedGrid(
            base.lowest,
            above,
            held.names.get(key, key),
            urban_rural_class=None if source is None else source.urban_rural_class,
            admin_unit_id=None if source is None else source.admin_unit_id,
        )
    return difference(base, grids, draft.tessellation(), faces, heirs(pieces, created, retired))


def impact(
    connection: sa.Connection, plan: Plan, held: DraftState, on: date | None = None
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
    newest = newest_version(connection, plan.scheme)
    first = earliest_day(connection, newest.effective_day)
    redraw = redraw_of(held)
    moves = impact_of(connection, redraw)
    names = held.names
    made = {new_id: key for key, new_id in provisional_ids(redraw).items()}
    return {
        "on": (on or first).isoformat(),
        "earliest_day": first.isoformat(),
        "possible": on is None or on >= first,
        "moved": {
            **{PLURAL[one.kind]: len(one.object_ids) for one in moves if one.kind != "incident"},
            "incidents": open_incidents(connection, moves),
        },
        "households": _flows(moves, names, made),
        "grids": {
            "changed": len(redraw.land_changed),
            "created": [{"key": key, "name": names.get(key, key)} for key in redraw.begun],
            "retired": [{"key": key, "name": names.get(key, key)} for key in redraw.retired],
        },
        "officers_to_appoint": [
            {"key": key, "name": names.get(key, key)}
            for key in _without_officer(redraw, held.base.officers)
        ],
    }


def moved_by(published: Published) -> dict[str, int]:
    """
    Count what a publication moved, in the words and by the rule of :func:`impact`.

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


def _without_officer(redraw: Difference, officers: Collection[str]) -> list[str]:
    kept = sorted(redraw.land_changed - set(redraw.begun))
    return [*redraw.begun, *(key for key in kept if key not in officers)]


def _flows(
    moves: Sequence[Any], names: Mapping[str, str], made: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Count households from grid to grid, the most first."""
    homes = next((one for one in moves if one.kind == "household"), None)
    if homes is None or not len(homes.object_ids):
        return []
    pairs, counts = np.unique(
        np.column_stack([homes.before, homes.after]), axis=0, return_counts=True
    )

    def key_of(grid_id: int) -> str:
        return made.get(grid_id, str(grid_id))

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
    return sorted(rows, key=lambda one: -int(one["households"]))


def proposals(
    held: DraftState,
    parent: str | None,
    grids: Sequence[str],
    pieces: int | None,
    language: Language,
) -> list[dict[str, Any]]:
    """
    Propose ways to draw grids anew.

    Parameters
    ----------
    held
        The draft; it stays as it is.
    parent
        A village: all of its grids.
    grids
        Or these grids.
    pieces
        Into how many; by the size rule where None.
    language
        The reader's.

    Returns
    -------
    list of dict
        ``name``, ``figures``, ``faces`` and ``edits`` of each answer.

    Raises
    ------
    InputError
        No grid was named.
    """
    del language
    above = held.draft.parents
    keys = [key for key in above if above[key] == parent] if parent else list(grids)
    unknown = [key for key in keys if key not in above]
    if not keys or unknown:
        raise InputError("boundaries.grid_or_parent", place=Place(field="grids"))
    found = propose(held.draft, keys, held.loads, held.base.lines, pieces=pieces)
    xy, households, _ = held.loads.inside(keys)
    return [
        {
            "name": one.name,
            "figures": one.figures,
            "faces": plan_work.collection(
                (
                    face,
                    {
                        "key": key,
                        "name": held.name_of(key),
                        "households": int(households[shapely.contains_xy(face, xy)].sum()),
                    },
                )
                for key, face in one.faces.items()
            ),
            "edits": one.edits,
        }
        for one in found
    ]


def submit(
    connection: sa.Connection,
    desk: DraftCache,
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
    plan_work.put_on_newest(connection, desk, plan_life.find(connection, plan_id, lock=True))
    with drafted(connection, desk, plan_id) as (plan, held):
        if not held.edits:
            raise InputError("boundaries.plan_empty")
        _require_right(held, {**plan.reasons, **reasons})
        plan_life.decide(connection, actor, plan, "submitted", reasons=_said(reasons))


def _said(reasons: Mapping[str, str]) -> dict[str, str]:
    return {key: words.strip() for key, words in reasons.items() if words and words.strip()}


def _require_right(held: DraftState, reasons: Mapping[str, str]) -> list[Finding]:
    found = plan_work.all_findings(held)
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise InputError(
            "boundaries.plan_has_errors", n=len(errors), first=errors[0].text("zh-CN", held.names)
        )
    said = _said(reasons)
    missing = [one for one in found if plan_work.finding_id(one) not in said]
    if missing:
        raise InputError(
            "boundaries.reason_missing",
            place=Place(field=plan_work.finding_id(missing[0])),
            n=len(missing),
        )
    return found


def publish_plan(
    connection: sa.Connection,
    desk: DraftCache,
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
    plan = plan_life.find(connection, plan_id, lock=True)
    if plan.status != "approved":
        raise plan_life.ClosedPlanError("boundaries.step_not_now", plan.status, plan.version_id)
    plan, conflicts = plan_work.put_on_newest(connection, desk, plan)
    if conflicts:
        raise ConflictError("boundaries.plan_conflicts", n=len(conflicts))
    edits = plan_life.edits_done(connection, plan_id)
    with desk.open(connection, plan_id, plan.base, edits) as held:
        _require_right(held, {**plan.reasons, **reasons})
        redraw = redraw_of(held)
        if not redraw.faces and not redraw.retired:
            raise InputError("boundaries.plan_empty")
        published = publish(connection, actor, redraw, effective_day, plan.title, plan.reason)
        names, officers = held.names, held.base.officers
    version_id = published.version.version_id
    plan_life.decide(
        connection, actor, plan, "published", version_id=version_id, reasons=_said(reasons)
    )
    return {
        "plan_id": plan_id,
        "version_id": version_id,
        "effective_day": effective_day.isoformat(),
        "grid_ids": published.grid_ids,
        "changed": published.changed,
        "retired": published.retired,
        "moved": moved_by(published),
        "officers_to_appoint": [
            {"key": key, "name": names.get(key, key)} for key in _without_officer(redraw, officers)
        ],
    }
