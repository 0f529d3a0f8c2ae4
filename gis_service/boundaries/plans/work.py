"""What planners do with a draft: try, edit, undo, look, check, weigh what will move.

Answers are plain dictionaries for a page or a program. Edits are completed here, with the key and
the name of a new grid and the land of buildings handed over, so that they can be done again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.boundaries.editing.balance import Load
from gis_service.boundaries.editing.checks import Finding, build_levels, check, check_levels
from gis_service.boundaries.editing.edits import EditResult
from gis_service.boundaries.linework.tessellation import is_other_land
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans import writing
from gis_service.boundaries.plans.completing import MOST_BUILDINGS, complete_edit
from gis_service.boundaries.plans.drafts import DraftCache, DraftState, names_of_new_grids
from gis_service.boundaries.plans.life import OPEN
from gis_service.boundaries.plans.queries import Plan, StoredEdit
from gis_service.boundaries.publication.queries import find_newest_version, read_grids, read_names
from gis_service.errors import GisError, InputError, Place
from gis_service.grids.versions import Version
from gis_service.messages import Language, text

Box = tuple[float, float, float, float]


# --- reading -----------------------------------------------------------------------------------


def read_plan(
    connection: sa.Connection, draft_cache: DraftCache, plan_id: int, language: Language
) -> dict[str, Any]:
    """
    Tell all about a plan.

    Parameters
    ----------
    connection
        An open transaction.
    desk
        The drafts of this process.
    plan_id
        Which.
    language
        The reader's.

    Returns
    -------
    dict
        Status, revision, edits in force, reviews, comments and conflicts with later versions.
    """
    plan, conflicts = rebase(connection, draft_cache, plan_queries.find_plan(connection, plan_id))
    rows = plan_queries.read_edit_rows(connection, plan_id)
    done = [row for row in rows if row["state"] == "done"]
    reviews, comments = plan_queries.read_discussion(connection, plan_id)
    names: dict[str, str] = {}
    if done or conflicts:
        names = read_names(connection, plan.scheme_id, plan.base.effective_day)
        for row in done:
            names |= names_of_new_grids(row["edit"])
    return {
        "plan_id": plan.plan_id,
        "scheme": plan.scheme,
        "title": plan.title,
        "reason": plan.reason,
        "status": plan.status,
        "base_version": plan.base.version_id,
        "base_day": plan.base.effective_day.isoformat(),
        "version_id": plan.version_id,
        "rev": plan.rev,
        "created_at": plan.created_at.isoformat(),
        "author": plan_queries.read_author(connection, plan),
        "edits": [
            {
                **row,
                "edit": _without_land(row["edit"]),
                "summary": summarize_edit(row["edit"], names, language),
            }
            for row in done
        ],
        "can_undo": plan.status == "draft" and bool(done),
        "can_redo": plan.status == "draft" and len(done) < len(rows),
        "reasons": plan.reasons,
        "reviews": reviews,
        "comments": comments,
        "conflicts": [_describe_conflict(row, names, language) for row in conflicts],
        "size_rule": plan_queries.read_scheme(connection, plan.scheme_id).size_rule,
    }  # fmt: skip


def _without_land(edit: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the regions of a redraw: megabytes, which the faces tell anyhow."""
    return {name: value for name, value in edit.items() if name != "regions"}


def summarize_edit(edit: Mapping[str, Any], names: Mapping[str, str], language: Language) -> str:
    """Say an edit in a few words."""

    def name_of(key: object) -> str:
        return names.get(str(key), str(key))

    kind = edit["kind"]
    grids = [name_of(key) for key in edit.get("grids", ()) if str(key) != str(edit.get("into"))]
    return text(
        f"boundaries.did_{kind}",
        language,
        grid=name_of(edit.get("grid", "")),
        grids=", ".join(grids),
        into=name_of(edit.get("into", "")),
        left=name_of(edit.get("left", "")),
        right=name_of(edit.get("right", "")),
        to=name_of(edit.get("to", "")),
        new=name_of(edit.get("key", "")),
        n=len(edit.get("buildings") or edit.get("grids", ())),
        made=len(edit.get("names", ())),
    )


# --- following later versions ------------------------------------------------------------------


def rebase(
    connection: sa.Connection, draft_cache: DraftCache, plan: Plan
) -> tuple[Plan, list[dict[str, Any]]]:
    """Show a plan on the newest version where both touch different grids; nothing is stored."""
    if plan.status not in OPEN:
        return plan, []
    newest = find_newest_version(connection, plan.scheme)
    if newest.version_id == plan.base.version_id:
        return plan, []
    touched = plan_queries.read_touched(connection, plan.plan_id)
    conflicts = _find_conflicts(connection, plan, newest, touched)
    edits = plan_queries.read_edits_done(connection, plan.plan_id)
    if not conflicts and edits:
        try:
            with draft_cache.open(connection, plan.plan_id, newest, edits):
                pass
        except GisError as error:
            conflicts = [{"key": None, "error": error, "theirs": None, "ours": None}]
    if conflicts:
        return plan, _add_our_land(connection, draft_cache, plan, edits, conflicts)
    return replace(plan, base=newest), []


def put_on_newest(
    connection: sa.Connection, draft_cache: DraftCache, plan: Plan
) -> tuple[Plan, list[dict[str, Any]]]:
    """Put a plan on the newest version for good, before anything else is changed in it."""
    moved, conflicts = rebase(connection, draft_cache, plan)
    if moved.base != plan.base:
        writing.write_base(connection, plan.plan_id, moved.base.version_id)
    return moved, conflicts


def _find_conflicts(
    connection: sa.Connection, plan: Plan, newest: Version, touched: set[str]
) -> list[dict[str, Any]]:
    before = read_grids(connection, plan.scheme_id, plan.base.effective_day)
    after = read_grids(connection, plan.scheme_id, newest.effective_day)
    conflicts: list[dict[str, Any]] = []
    for key in sorted(touched & before.keys()):
        if key not in after:
            conflicts.append({"key": key, "error": None, "theirs": None, "ours": None})
            continue
        if is_other_land(before[key].wkb, after[key].wkb):
            theirs = shapely.from_wkb(after[key].wkb)
            conflicts.append({"key": key, "error": None, "theirs": theirs, "ours": None})
    return conflicts


def _add_our_land(
    connection: sa.Connection,
    draft_cache: DraftCache,
    plan: Plan,
    edits: Sequence[StoredEdit],
    conflicts: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    with draft_cache.open(connection, plan.plan_id, plan.base, edits) as state:
        faces = state.draft.faces([conflict["key"] for conflict in conflicts if conflict["key"]])
    return [{**conflict, "ours": faces.get(conflict["key"])} for conflict in conflicts]


def _describe_conflict(
    conflict: Mapping[str, Any], names: Mapping[str, str], language: Language
) -> dict[str, Any]:
    key, error = conflict["key"], conflict["error"]
    sentence = (
        error.say(language)
        if error is not None
        else text("boundaries.plan_conflict", language, grid=names.get(key, key))
    )
    place = conflict["theirs"] if conflict["theirs"] is not None else conflict["ours"]
    return {
        "grids": [] if key is None else [key],
        "keys": [] if key is None else [key],
        "text": sentence,
        "place": as_geojson(place),
        "theirs": as_geojson(conflict["theirs"]),
        "ours": as_geojson(conflict["ours"]),
    }


# --- editing -----------------------------------------------------------------------------------


def preview_edit(
    connection: sa.Connection,
    draft_cache: DraftCache,
    plan: Plan,
    rev: int,
    edit: Mapping[str, Any],
    language: Language,
) -> dict[str, Any]:
    """
    Tell what an edit would do; nothing is stored.

    Parameters
    ----------
    connection
        An open transaction.
    desk
        The drafts of this process.
    plan
        As it stands.
    rev
        The revision that the editor saw.
    edit
        What is tried.
    language
        The reader's.

    Returns
    -------
    dict
        The change with figures, faces, edges and broken rules.
    """
    plan_life.check_open(connection, plan, rev)
    plan, _ = rebase(connection, draft_cache, plan)
    done = plan_queries.read_edits_done(connection, plan.plan_id)
    with draft_cache.open(connection, plan.plan_id, plan.base, done) as state:
        wanted = _by_reference(connection, plan, done, edit)
        stored = StoredEdit(0, complete_edit(state, wanted))
        change = state.apply(stored)
        try:
            return describe_change(state, change, state.before, plan.rev, stored.edit, language)
        finally:
            state.undo()


def do_edit(
    connection: sa.Connection,
    draft_cache: DraftCache,
    actor: Actor,
    plan: Plan,
    edit: Mapping[str, Any],
    language: Language,
) -> dict[str, Any]:
    """
    Do an edit and store it.

    Parameters
    ----------
    connection
        A transaction that holds the plan's row.
    desk
        The drafts of this process.
    actor
        Who edits.
    plan
        As it stands.
    edit
        What is done.
    language
        The reader's.

    Returns
    -------
    dict
        The change, with the plan's new revision.
    """
    plan, _ = put_on_newest(connection, draft_cache, plan)
    done = plan_queries.read_edits_done(connection, plan.plan_id)
    with draft_cache.open(connection, plan.plan_id, plan.base, done) as state:
        wanted = _by_reference(connection, plan, done, edit)
        stored = StoredEdit(
            plan_queries.count_next_seq(connection, plan.plan_id), complete_edit(state, wanted)
        )
        change = state.apply(stored)
        rev = plan_life.add_edit(connection, actor, plan, stored, change.touched)
        return describe_change(state, change, state.before, rev, stored.edit, language)


def undo_or_redo(
    connection: sa.Connection,
    draft_cache: DraftCache,
    actor: Actor,
    plan: Plan,
    direction: str,
    language: Language,
) -> dict[str, Any]:
    """
    Undo the last edit, or do again what was undone.

    Parameters
    ----------
    connection
        A transaction that holds the plan's row.
    desk
        The drafts of this process.
    actor
        Who does it.
    plan
        As it stands.
    way
        ``undo`` or ``redo``.
    language
        The reader's.

    Returns
    -------
    dict
        The change, with the plan's new revision.
    """
    plan, _ = put_on_newest(connection, draft_cache, plan)
    done = plan_queries.read_edits_done(connection, plan.plan_id)
    stored = plan_queries.find_last_edit(connection, plan.plan_id, direction)
    with draft_cache.open(connection, plan.plan_id, plan.base, done) as state:
        change = state.undo() if direction == "undo" else state.apply(stored)
        rev = plan_life.mark_edit(connection, actor, plan, stored, direction)
        return describe_change(state, change, state.before, rev, stored.edit, language)


def _by_reference(
    connection: sa.Connection, plan: Plan, done: Sequence[StoredEdit], edit: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Fetch the edit that an answer of a job's proposal is."""
    if edit.get("kind") != "redraw" or "proposal" not in edit:
        return edit
    proposal = edit["proposal"]
    if not isinstance(proposal, int):
        raise InputError(
            "boundaries.no_proposal", place=Place(field="proposal"),
            plan=plan.plan_id, proposal=str(proposal)[:40],
        )  # fmt: skip
    return plan_queries.read_proposed_edit(
        connection,
        plan.plan_id,
        proposal,
        str(edit.get("answer")),
        plan_queries.mark_draft(plan.base, done),
    )


# --- telling -----------------------------------------------------------------------------------


def describe_change(
    state: DraftState,
    change: EditResult,
    before: Mapping[str, Load],
    rev: int,
    edit: Mapping[str, Any],
    language: Language,
) -> dict[str, Any]:
    """Tell a change with figures, faces, edges and broken rules."""
    remaining = [key for key in change.touched if key in change.after]
    now = state.loads.of(remaining)
    broken = check(state.draft, state.context, remaining)
    names = state.names
    return {
        "rev": rev,
        "edit": _without_land(edit),
        "grids": [
            _describe_grid(state, key, before.get(key), now[key], names) for key in remaining
        ],
        "faces": _describe_faces(state, [*remaining, *change.renoded], names),
        "retired": list(change.retired),
        "edges": _describe_edges(state, remaining),
        "moved_area_m2": round(change.moved_area, 1),
        "violations": describe_findings(broken, language, names),
    }


def describe_findings(
    broken: Iterable[Finding], language: Language, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Tell broken rules, each with an id by which a reason is given."""
    return [
        {
            "id": finding_id(finding),
            **finding.as_dict(language, names),
            "place": as_geojson(finding.place),
        }
        for finding in broken
    ]


def finding_id(finding: Finding) -> str:
    """Name a broken rule, so that a reason can be given for it."""
    return f"{finding.rule}:{'+'.join(finding.keys)}"


def _describe_grid(
    state: DraftState, key: str, before: Load | None, now: Load, names: Mapping[str, str]
) -> dict[str, Any]:
    base_grid = state.base.grids.get(key)
    parent = state.draft.parents[key]
    return {
        "key": key,
        "name": names.get(key, key),
        "code": base_grid.code if base_grid else "",
        "village": names.get(parent, parent),
        "parent": parent,
        "is_new": base_grid is None,
        "before": None if before is None else before.as_dict(),
        "now": now.as_dict(),
        "target": now.target,
        "deviation": now.deviation,
    }


def as_geojson(geometry: Any) -> Any:
    """Write a geometry as GeoJSON, every digit kept."""
    return None if geometry is None else json.loads(shapely.to_geojson(geometry))


def as_collection(features: Iterable[tuple[Any, Mapping[str, Any]]]) -> dict[str, Any]:
    """
    Write geometries with their properties as GeoJSON.

    Parameters
    ----------
    features
        Geometry in lon, lat, and properties of each.

    Returns
    -------
    dict
        FeatureCollection.
    """
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": as_geojson(geometry), "properties": dict(properties)}
            for geometry, properties in features
        ],
    }


def _describe_faces(
    state: DraftState, keys: Sequence[str], names: Mapping[str, str]
) -> dict[str, Any]:
    loads, parents = state.loads, state.draft.parents
    changed = state.touched
    return as_collection(
        (
            face,
            {
                "key": key,
                "name": names.get(key, key),
                "code": state.base.grids[key].code if key in state.base.grids else "",
                "parent": parents[key],
                "households": loads.households_of(key),
                "target": loads.target(loads.class_of(key)),
                "changed": key in changed,
                "is_new": key not in state.base.grids,
            },
        )
        for key, face in state.draft.faces(keys).items()
    )


def _describe_edges(state: DraftState, keys: Sequence[str]) -> dict[str, Any]:
    return as_collection(
        (
            edge.line,
            {"left": edge.left, "right": edge.right, "kind": edge.kind, "drawn": edge.drawn},
        )
        for edge in state.draft.edges(keys)
    )


def list_faces(
    state: DraftState, village: str | None, box: Box | None, *, only_changed: bool = False
) -> dict[str, Any]:
    """
    Give base grids as drafted.

    Parameters
    ----------
    state
        The draft.
    village
        Those of this parent.
    box
        Those that a box may touch: west, south, east, north in degrees.
    only_changed
        Those that the draft changes.

    Returns
    -------
    dict
        FeatureCollection, of all grids where nothing is asked for; ``retired`` are the keys of
        grids that the draft ends.
    """
    keys = list(state.draft.within(*box)) if box else list(state.draft.keys)
    if village is not None:
        parents = state.draft.parents
        keys = [key for key in keys if parents[key] == village]
    if only_changed:
        keys = [key for key in keys if key in state.touched]
    retired = sorted(set(state.base.tessellation.keys) - set(state.draft.keys))
    return {**_describe_faces(state, keys, state.names), "retired": retired}


def list_edges(state: DraftState, grid: str | None, parent: str | None) -> dict[str, Any]:
    """
    Give the runs of border around grids.

    Parameters
    ----------
    held
        The draft.
    grid
        Around this one.
    parent
        Around all of this village.

    Returns
    -------
    dict
        FeatureCollection with ``left``, ``right`` and ``kind``.
    """
    parents = state.draft.parents
    keys = [
        key for key in parents if key == grid or (parent is not None and parents[key] == parent)
    ]
    return _describe_edges(state, keys)


def list_snap_lines(state: DraftState, box: Box) -> dict[str, Any]:
    """
    Give the lines that a drawn line may follow.

    Parameters
    ----------
    held
        The draft.
    box
        West, south, east, north in degrees.

    Returns
    -------
    dict
        FeatureCollection of streets, water and borders.
    """
    base = state.base
    area = shapely.box(*box)
    near = np.sort(base.lines.query(np.array([area]), "intersects")[1])
    kinds = np.where(near < base.street_count, "street", "water").tolist()
    lines = [(line, {"kind": kind}) for line, kind in zip(base.lines[near], kinds, strict=True)]
    borders = [
        (edge.line, {"kind": "border"})
        for edge in state.draft.edges(state.draft.within(*box))
        if area.intersects(edge.line)
    ]
    return as_collection([*lines, *borders])


def list_buildings(state: DraftState, box: Box) -> dict[str, Any]:
    """
    Give the buildings in a box: ids and numbers of households, no person.

    Parameters
    ----------
    held
        The draft.
    box
        West, south, east, north in degrees.

    Returns
    -------
    dict
        FeatureCollection of footprints, or points.
    """
    base = state.base
    near = np.sort(base.footprints.query(np.array([shapely.box(*box)]))[1])[:MOST_BUILDINGS]
    return as_collection(
        (
            base.footprints[i],
            {
                "building_id": int(base.building_ids[i]),
                "households": int(base.building_households[i]),
            },
        )
        for i in near.tolist()
    )


def check_whole(state: DraftState) -> list[Finding]:
    """Look at the whole tiling, and at every rule where the plan changes something."""
    draft = state.draft
    remaining = set(draft.keys)
    touched = sorted(key for key in state.touched if key in remaining)
    broken = check(draft, state.context, touched) if touched else []
    already = {(finding.rule, finding.keys) for finding in broken}
    of_levels = check_levels(*build_levels(draft, state.context), rules=state.context.rules)
    return broken + [
        finding for finding in of_levels if (finding.rule, finding.keys) not in already
    ]
