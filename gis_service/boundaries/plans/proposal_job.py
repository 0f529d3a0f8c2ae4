"""A town or the county drawn anew as a job: progress by village, cancel, and an answer that stays.

The answer is a row of its own and not the job's result, since it holds the land of hundreds of
grids. It goes with the job, and says of which draft it is, so that nobody takes it on another one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import shapely

from gis_service.access import Actor
from gis_service.access.permissions import PLAN
from gis_service.boundaries.plans import queries, writing
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.boundaries.plans.proposals import Scope, propose
from gis_service.boundaries.plans.publication import open_draft
from gis_service.boundaries.proposals.answers import Weights
from gis_service.jobs import Progress, complete_job, work
from gis_service.store import Store

KIND: Final = "propose"
_READ: Final = 0.1
_THREADS: Final = 2
_FOR_THE_EYE_DEGREES: Final = 3e-5
"""About three metres."""


def write_arguments(
    plan_id: int, scope: Scope, locked: tuple[str, ...], weights: Weights | None, seed: int
) -> dict[str, Any]:
    """
    Write down what a job is asked.

    Parameters
    ----------
    plan_id
        For which plan.
    scope, locked, weights, seed
        As :func:`gis_service.boundaries.plans.proposals.propose` takes them.

    Returns
    -------
    dict
        JSON.
    """
    return {
        "plan_id": plan_id,
        "scope": scope.as_dict(),
        "locked": list(locked),
        "weights": None if weights is None else asdict(weights),
        "seed": seed,
    }


@work(KIND)
def propose_as_job(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """
    Do what a job of the kind ``propose`` asks for.

    Parameters
    ----------
    store
        Where the plan is.
    actor
        Who may plan.
    arguments
        As :func:`write_arguments` writes them, and ``job_id``.
    progress
        Told the share done and the step.

    Returns
    -------
    dict
        ``plan_id`` and ``proposal_id``, which is the job's.
    """
    PLAN.require(actor)
    progress(0.0, "boundaries.step_reading")
    plan_id, job_id = int(arguments["plan_id"]), int(arguments["job_id"])
    weights = arguments["weights"]
    with (
        store.transaction(actor) as connection,
        open_draft(connection, DraftCache(), plan_id) as (plan, state),
    ):
        mark = queries.mark_draft(plan.base, queries.read_edits_done(connection, plan_id))
    answer = propose(
        state,
        Scope.of(arguments["scope"]),
        locked=arguments["locked"],
        weights=None if weights is None else Weights(**weights),
        seed=int(arguments["seed"]),
        threads=_THREADS,
        progress=lambda share: progress(_READ + (1 - _READ) * share, "boundaries.step_proposing"),
    )
    result = {"plan_id": plan_id, "proposal_id": job_id}
    answer = {**answer, "proposal_id": job_id, "answers": list(map(_lighten, answer["answers"]))}
    edits = {one["name"]: one["edit"] for one in answer["answers"]}
    for one in answer["answers"]:
        one["edit"] = {"kind": "redraw", "proposal": job_id, "answer": one["name"]}
    with store.transaction(actor) as connection:
        writing.insert_proposal(connection, job_id, plan_id, mark, answer, edits)
        complete_job(connection, job_id, result)
    return result


def _lighten(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the faces for the eye: a phone shows hundreds of them."""
    features = answer["faces"]["features"]
    if not features:
        return dict(answer)
    land = shapely.from_geojson([json.dumps(one["geometry"]) for one in features])
    light = shapely.coverage_simplify(land, _FOR_THE_EYE_DEGREES)
    drawn = [
        json.loads(shapely.to_geojson(shapely.transform(one, lambda xy: xy.round(6))))
        for one in light
    ]
    faces = [{**one, "geometry": shape} for one, shape in zip(features, drawn, strict=True)]
    return {**answer, "faces": {**answer["faces"], "features": faces}}
