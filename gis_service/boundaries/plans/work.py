"""What planners do with a draft: try, edit, undo, look, check, weigh what will move.

Answers are plain dictionaries for a page or a program. Edits are completed here, with the key and
the name of a new grid and the land of buildings handed over, so that they can be done again.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.boundaries.editing.balance import Load
from gis_service.boundaries.editing.checks import Finding, check, check_levels, levels_of
from gis_service.boundaries.editing.edits import EditResult
from gis_service.boundaries.editing.handing_over import region_of
from gis_service.boundaries.linework.tessellation import land_changed
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans.drafts import DraftCache, DraftState, StoredEdit
from gis_service.boundaries.plans.life import OPEN, Plan
from gis_service.boundaries.publication.reading import newest_version, read_grids, read_names
from gis_service.errors import GisError, InputError, Place
from gis_service.grids.versions import Version
from gis_service.messages import Language, text
from gis_service.store import tables as t

MOST_BUILDINGS: Final = 5000
_NUMBERED: Final = re.compile(r"^(.*?)(\d+)(\D*)$")
Box = tuple[float, float, float, float]


# --- reading -----------------------------------------------------------------------------------


def read_plan(
    connection: sa.Connection, desk: DraftCache, plan_id: int, language: Language
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
    plan, conflicts = rebased(connection, desk, plan_life.find(connection, plan_id))
    rows = plan_life.edit_rows(connection, plan_id)
    done = [one for one in rows if one["state"] == "done"]
    reviews, comments = plan_life.discussion(connection, plan_id)
    names: dict[str, str] = {}
    if done or conflicts:
        names = read_names(connection, plan.scheme_id, plan.base.effective_day)
        names |= _new_names(one["edit"] for one in done)
    author = connection.execute(
        sa.select(t.actor).where(t.actor.c.actor_id == plan.author_id)
    ).one()
    size_rule = connection.scalar(
        sa.select(t.grid_scheme.c.size_rule).where(t.grid_scheme.c.scheme_id == plan.scheme_id)
    )
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
        "author": {
            "actor_id": author.actor_id, "name": author.name, "name_en": author.name_en,
        },
        "edits": [
            {**one, "summary": summary(one["edit"], names, language)} for one in done
        ],
        "can_undo": plan.status == "draft" and bool(done),
        "can_redo": plan.status == "draft" and len(done) < len(rows),
        "reasons": plan.reasons,
        "reviews": reviews,
        "comments": comments,
        "conflicts": [_said_conflict(one, names, language) for one in conflicts],
        "size_rule": size_rule,
    }  # fmt: skip


def _new_names(edits: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(e["key"]): str(e.get("name") or e["key"]) for e in edits if "key" in e}


def summary(edit: Mapping[str, Any], names: Mapping[str, str], language: Language) -> str:
    """
    Say an edit in a few words.

    Parameters
    ----------
    edit
        As it is stored.
    names
        What grids are called.
    language
        The reader's.

    Returns
    -------
    str
        Such as “A split, B made”.
    """

    def called(key: object) -> str:
        return names.get(str(key), str(key))

    kind = edit["kind"]
    grids = [called(key) for key in edit.get("grids", ()) if str(key) != str(edit.get("into"))]
    return text(
        f"boundaries.did_{kind}",
        language,
        grid=called(edit.get("grid", "")),
        grids=", ".join(grids),
        into=called(edit.get("into", "")),
        left=called(edit.get("left", "")),
        right=called(edit.get("right", "")),
        to=called(edit.get("to", "")),
        new=called(edit.get("key", "")),
        n=len(edit.get("buildings", ())),
    )


# --- following later versions ------------------------------------------------------------------


def rebased(
    connection: sa.Connection, desk: DraftCache, plan: Plan
) -> tuple[Plan, list[dict[str, Any]]]:
    """Show a plan on the newest version where both touch different grids; nothing is stored."""
    if plan.status not in OPEN:
        return plan, []
    newest = newest_version(connection, plan.scheme)
    if newest.version_id == plan.base.version_id:
        return plan, []
    row = t.plan_edit.c
    touched: set[str] = set()
    for keys in connection.execute(
        sa.select(row.touched).where(row.plan_id == plan.plan_id, row.state == "done")
    ).scalars():
        touched.update(keys)
    conflicts = _both_changed(connection, plan, newest, touched)
    edits = plan_life.edits_done(connection, plan.plan_id)
    if not conflicts and edits:
        try:
            with desk.open(connection, plan.plan_id, newest, edits):
                pass
        except GisError as error:
            conflicts = [{"key": None, "error": error, "theirs": None, "ours": None}]
    if conflicts:
        return plan, _with_ours(connection, desk, plan, edits, conflicts)
    return replace(plan, base=newest), []


def put_on_newest(
    connection: sa.Connection, desk: DraftCache, plan: Plan
) -> tuple[Plan, list[dict[str, Any]]]:
    """Put a plan on the newest version for good, before anything else is changed in it."""
    moved, conflicts = rebased(connection, desk, plan)
    if moved.base != plan.base:
        connection.execute(
            sa.update(t.plan)
            .where(t.plan.c.plan_id == plan.plan_id)
            .values(base_version_id=moved.base.version_id)
        )
    return moved, conflicts


def _both_changed(
    connection: sa.Connection, plan: Plan, newest: Version, touched: set[str]
) -> list[dict[str, Any]]:
    before = read_grids(connection, plan.scheme_id, plan.base.effective_day)
    after = read_grids(connection, plan.scheme_id, newest.effective_day)
    found: list[dict[str, Any]] = []
    for key in sorted(touched & before.keys()):
        if key not in after:
            found.append({"key": key, "error": None, "theirs": None, "ours": None})
            continue
        if land_changed(before[key].wkb, after[key].wkb):
            theirs = shapely.from_wkb(after[key].wkb)
            found.append({"key": key, "error": None, "theirs": theirs, "ours": None})
    return found


def _with_ours(
    connection: sa.Connection,
    desk: DraftCache,
    plan: Plan,
    edits: Sequence[StoredEdit],
    conflicts: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    with desk.open(connection, plan.plan_id, plan.base, edits) as held:
        faces = held.draft.faces([one["key"] for one in conflicts if one["key"]])
    return [{**one, "ours": faces.get(one["key"])} for one in conflicts]


def _said_conflict(
    conflict: Mapping[str, Any], names: Mapping[str, str], language: Language
) -> dict[str, Any]:
    key, error = conflict["key"], conflict["error"]
    said = (
        error.say(language)
        if error is not None
        else text("boundaries.plan_conflict", language, grid=names.get(key, key))
    )
    place = conflict["theirs"] if conflict["theirs"] is not None else conflict["ours"]
    return {
        "grids": [] if key is None else [key],
        "keys": [] if key is None else [key],
        "text": said,
        "place": geojson(place),
        "theirs": geojson(conflict["theirs"]),
        "ours": geojson(conflict["ours"]),
    }


# --- editing -----------------------------------------------------------------------------------


def preview(
    connection: sa.Connection,
    desk: DraftCache,
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
    plan, _ = rebased(connection, desk, plan)
    done = plan_life.edits_done(connection, plan.plan_id)
    with desk.open(connection, plan.plan_id, plan.base, done) as held:
        one = StoredEdit(0, completed(held, edit))
        change = held.apply(one)
        try:
            return told(held, change, held.before, plan.rev, one.edit, language)
        finally:
            held.undo()


def do(
    connection: sa.Connection,
    desk: DraftCache,
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
    plan, _ = put_on_newest(connection, desk, plan)
    done = plan_life.edits_done(connection, plan.plan_id)
    with desk.open(connection, plan.plan_id, plan.base, done) as held:
        one = StoredEdit(plan_life.next_seq(connection, plan.plan_id), completed(held, edit))
        change = held.apply(one)
        rev = plan_life.add_edit(connection, actor, plan, one, change.touched)
        return told(held, change, held.before, rev, one.edit, language)


def step(
    connection: sa.Connection,
    desk: DraftCache,
    actor: Actor,
    plan: Plan,
    way: str,
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
    plan, _ = put_on_newest(connection, desk, plan)
    done = plan_life.edits_done(connection, plan.plan_id)
    one = plan_life.last_edit(connection, plan.plan_id, way)
    with desk.open(connection, plan.plan_id, plan.base, done) as held:
        change = held.undo() if way == "undo" else held.apply(one)
        rev = plan_life.mark_edit(connection, actor, plan, one, way)
        return told(held, change, held.before, rev, one.edit, language)


def completed(held: DraftState, edit: Mapping[str, Any]) -> dict[str, Any]:
    """Write into an edit what is needed to do it again just so."""
    made = dict(edit)
    kind = made.get("kind")
    if kind in ("split", "draw"):
        made["key"] = _free_key(held)
        made["name"] = str(made.get("name") or "").strip()[:100] or _new_name(held, made)
    if kind == "hand_over_buildings":
        made["region"] = geojson(_land_of_buildings(held, made))
    return made


def _free_key(held: DraftState) -> str:
    """Give new grids a number; one that was undone may come again, since its edit is gone."""
    used = {str(edit["key"]) for edit in held.edits if "key" in edit}
    number = 1
    while f"new-{number}" in used:
        number += 1
    return f"new-{number}"


def _new_name(held: DraftState, edit: Mapping[str, Any]) -> str:
    """Count on from the names of the village's grids."""
    source = str(edit.get("grid", ""))
    names = held.names
    found = _NUMBERED.match(names.get(source, ""))
    if found is None:
        return f"{names.get(source, '')}新{_free_key(held)[4:]}"
    begin, _, end = found.groups()
    parent = held.draft.parents.get(source)
    siblings = [names.get(key, "") for key, above in held.draft.parents.items() if above == parent]
    matches = [_NUMBERED.match(name) for name in siblings]
    numbers = [int(m[2]) for m in matches if m and m[1] == begin and m[3] == end]
    return f"{begin}{max(numbers, default=0) + 1}{end}"


def _land_of_buildings(held: DraftState, edit: Mapping[str, Any]) -> Any:
    base, to = held.base, str(edit.get("to"))
    wanted = np.unique(np.array([int(one) for one in edit.get("buildings", ())], dtype=np.int64))
    position = np.searchsorted(base.building_ids, wanted).clip(
        max=max(len(base.building_ids) - 1, 0)
    )
    known = position[base.building_ids[position] == wanted] if len(base.building_ids) else position
    if not len(known) or len(wanted) > MOST_BUILDINGS:
        raise InputError("boundaries.no_buildings", place=Place(field="buildings"))
    if to not in held.draft.faces([to]):
        raise InputError("boundaries.no_such_grid", place=Place(field="to"), grid=to)
    places = shapely.point_on_surface(base.footprints[known])
    losing = {
        key
        for place in places
        for key, face in held.draft.faces(held.draft.within(*place.bounds)).items()
        if shapely.intersects(face, place)
    }
    around = {to, *losing, *(near for key in losing for near in held.draft.neighbours(key))}
    faces = held.draft.faces(sorted(around))
    box = shapely.box(*shapely.total_bounds(np.array(list(faces.values()), dtype=object)))
    near = np.unique(np.concatenate([base.footprints.query(np.array([box]))[1], known]))
    return region_of(np.isin(near, known), base.footprints[near], faces, to)


# --- telling -----------------------------------------------------------------------------------


def told(
    held: DraftState,
    change: EditResult,
    before: Mapping[str, Load],
    rev: int,
    edit: Mapping[str, Any],
    language: Language,
) -> dict[str, Any]:
    """
    Tell a change with figures, faces, edges and broken rules.

    Parameters
    ----------
    held
        The draft after it.
    change
        What was done.
    before
        Figures before it.
    rev
        The plan's revision.
    edit
        As it is stored.
    language
        The reader's.

    Returns
    -------
    dict
        For the page.
    """
    there = [key for key in change.touched if key in change.after]
    now = held.loads.of(there)
    found = check(held.draft, held.context, there)
    names = held.names
    return {
        "rev": rev,
        "edit": edit,
        "grids": [_grid(held, key, before.get(key), now[key], names) for key in there],
        "faces": _faces(held, [*there, *change.renoded], names),
        "retired": list(change.retired),
        "edges": _edges(held, there),
        "moved_area_m2": round(change.moved_area, 1),
        "violations": findings(found, language, names),
    }


def findings(
    found: Iterable[Finding], language: Language, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Tell broken rules, each with an id by which a reason is given."""
    return [
        {"id": finding_id(one), **one.as_dict(language, names), "place": geojson(one.place)}
        for one in found
    ]


def finding_id(one: Finding) -> str:
    """Name a broken rule, so that a reason can be given for it."""
    return f"{one.rule}:{'+'.join(one.keys)}"


def _grid(
    held: DraftState, key: str, before: Load | None, now: Load, names: Mapping[str, str]
) -> dict[str, Any]:
    known = held.base.grids.get(key)
    parent = held.draft.parents[key]
    return {
        "key": key,
        "name": names.get(key, key),
        "code": known.code if known else "",
        "village": names.get(parent, parent),
        "parent": parent,
        "is_new": known is None,
        "before": None if before is None else before.as_dict(),
        "now": now.as_dict(),
        "target": now.target,
        "deviation": now.deviation,
    }


def geojson(geometry: Any) -> Any:
    """Write a geometry as GeoJSON, every digit kept."""
    return None if geometry is None else json.loads(shapely.to_geojson(geometry))


def collection(features: Iterable[tuple[Any, Mapping[str, Any]]]) -> dict[str, Any]:
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
            {"type": "Feature", "geometry": geojson(geometry), "properties": dict(properties)}
            for geometry, properties in features
        ],
    }


def _faces(held: DraftState, keys: Sequence[str], names: Mapping[str, str]) -> dict[str, Any]:
    loads, parents = held.loads, held.draft.parents
    changed = held.touched
    return collection(
        (
            face,
            {
                "key": key,
                "name": names.get(key, key),
                "code": held.base.grids[key].code if key in held.base.grids else "",
                "parent": parents[key],
                "households": loads.households_of(key),
                "target": loads.target(loads.class_of(key)),
                "changed": key in changed,
                "is_new": key not in held.base.grids,
            },
        )
        for key, face in held.draft.faces(keys).items()
    )


def _edges(held: DraftState, keys: Sequence[str]) -> dict[str, Any]:
    return collection(
        (
            one.line,
            {"left": one.left, "right": one.right, "kind": one.kind, "drawn": one.drawn},
        )
        for one in held.draft.edges(keys)
    )


def faces(held: DraftState, village: str | None, box: Box | None) -> dict[str, Any]:
    """
    Give base grids as drafted.

    Parameters
    ----------
    held
        The draft.
    village
        Those of this parent.
    box
        Those that a box may touch: west, south, east, north in degrees.

    Returns
    -------
    dict
        FeatureCollection; all grids where neither is given.
    """
    keys = list(held.draft.within(*box)) if box else list(held.draft.keys)
    if village is not None:
        parents = held.draft.parents
        keys = [key for key in keys if parents[key] == village]
    return _faces(held, keys, held.names)


def edges(held: DraftState, grid: str | None, parent: str | None) -> dict[str, Any]:
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
    parents = held.draft.parents
    keys = [
        key for key in parents if key == grid or (parent is not None and parents[key] == parent)
    ]
    return _edges(held, keys)


def snap_lines(held: DraftState, box: Box) -> dict[str, Any]:
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
    base = held.base
    area = shapely.box(*box)
    near = np.sort(base.lines.query(np.array([area]), "intersects")[1])
    kinds = np.where(near < base.street_count, "street", "water").tolist()
    lines = [(line, {"kind": kind}) for line, kind in zip(base.lines[near], kinds, strict=True)]
    borders = [
        (one.line, {"kind": "border"})
        for one in held.draft.edges(held.draft.within(*box))
        if area.intersects(one.line)
    ]
    return collection([*lines, *borders])


def buildings(held: DraftState, box: Box) -> dict[str, Any]:
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
    base = held.base
    near = np.sort(base.footprints.query(np.array([shapely.box(*box)]))[1])[:MOST_BUILDINGS]
    return collection(
        (
            base.footprints[i],
            {
                "building_id": int(base.building_ids[i]),
                "households": int(base.building_households[i]),
            },
        )
        for i in near.tolist()
    )


def all_findings(held: DraftState) -> list[Finding]:
    """Look at the whole tiling, and at every rule where the plan changes something."""
    draft = held.draft
    there = set(draft.keys)
    mine = sorted(key for key in held.touched if key in there)
    found = check(draft, held.context, mine) if mine else []
    known = {(one.rule, one.keys) for one in found}
    whole = check_levels(*levels_of(draft, held.context), rules=held.context.rules)
    return found + [one for one in whole if (one.rule, one.keys) not in known]
