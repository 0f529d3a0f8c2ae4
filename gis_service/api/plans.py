"""Plans over HTTP: begin, try, edit, undo, look, check, discuss, decide, publish."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field

from gis_service import job_queries, jobs
from gis_service.access import Actor
from gis_service.access.permissions import PLAN, READ_PLANS, Permission
from gis_service.api import examples
from gis_service.api import plan_answers as answers
from gis_service.api import plan_examples as shown
from gis_service.api.dependencies import (
    ActorDep,
    BboxDep,
    ConnectionDep,
    Day,
    IdPath,
    LanguageDep,
    Name,
    RequestBody,
    SchemeCode,
    StoreDep,
)
from gis_service.api.routing import ServiceRouter
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import proposal_job
from gis_service.boundaries.plans import proposals as plan_proposals
from gis_service.boundaries.plans import publication as plan_publication
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans import work as plan_work
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.work import Box
from gis_service.boundaries.proposals.answers import Weights
from gis_service.errors import InputError, Place
from gis_service.messages import Language


def _drafts(request: Request) -> DraftCache:
    drafts: DraftCache = request.app.state.drafts
    return drafts


def _wait_turn(request: Request, _: dict[str, Any]) -> AbstractContextManager[None]:
    """Wait for a plan that others work on before a connection is taken."""
    plan_id = request.path_params.get("plan_id")
    return nullcontext() if plan_id is None else _drafts(request).turn(int(plan_id))


router = ServiceRouter(prefix="/api/plans", tags=["plans"], first=_wait_turn)


@dataclass(frozen=True)
class _PlanContext:
    """Which plan is asked about, by whom and in which language."""

    drafts: DraftCache
    actor: Actor
    language: Language
    plan_id: int

    @contextmanager
    def open_draft(
        self, connection: ConnectionDep, permission: Permission = READ_PLANS
    ) -> Iterator[tuple[plan_queries.Plan, DraftState]]:
        """Give its row and its draft to whoever may see it."""
        permission.require(self.actor)
        with plan_publication.open_draft(connection, self.drafts, self.plan_id) as plan_and_draft:
            yield plan_and_draft

    def answer(self, connection: ConnectionDep, status: int = 200) -> JSONResponse:
        """Tell all about it."""
        plan = plan_work.read_plan(connection, self.drafts, self.plan_id, self.language)
        return JSONResponse(plan, status)


async def _context(
    request: Request, actor: ActorDep, language: LanguageDep, plan_id: IdPath
) -> _PlanContext:
    return _PlanContext(_drafts(request), actor, language, plan_id)


async def _box(bbox: BboxDep) -> Box:
    """Refuse to look at the whole county at once."""
    if bbox is None:
        raise InputError("api.bad_bbox", place=Place(field="bbox"))
    return bbox


ContextDep = Annotated[_PlanContext, Depends(_context)]
BoxDep = Annotated[Box, Depends(_box)]
Words = Annotated[str, Field(max_length=2000)]
GridKey = Annotated[str, Field(max_length=40)]


class NewPlan(RequestBody):
    """What a plan is called and why it is made."""

    scheme: Annotated[str, Field(max_length=100)] = "base"
    title: Annotated[str, Field(max_length=200)]
    reason: Words = ""


class EditRequest(RequestBody):
    """An edit on the revision that the planner saw."""

    rev: Annotated[int, Field(ge=1, le=2**31 - 1)]
    edit: dict[str, Any]


class RevisionRequest(RequestBody):
    """The revision that the planner saw."""

    rev: Annotated[int, Field(ge=1, le=2**31 - 1)]


class CommentRequest(RequestBody):
    """What is said."""

    text: Words = ""


class SubmitRequest(RequestBody):
    """Why each warning is accepted, by its id."""

    warnings: dict[str, Annotated[str, Field(max_length=1000)]] = Field(default_factory=dict)


class PublishRequest(RequestBody):
    """From when on it holds, and why warnings are accepted."""

    effective_day: Day
    reasons: dict[str, Annotated[str, Field(max_length=1000)]] = Field(default_factory=dict)


class ScopeRequest(RequestBody):
    """One of a grid, a village, a town, or the county; a grid also into how many."""

    grid: GridKey | None = None
    village: GridKey | None = None
    town: GridKey | None = None
    county: bool = False
    pieces: Annotated[int | None, Field(ge=1, le=200)] = None


Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class WeightsRequest(RequestBody):
    """What an answer puts first, each from 0 to 100."""

    change: Weight = 0
    balance: Weight = 0
    shape: Weight = 0


class ProposeRequest(RequestBody):
    """What is to be drawn anew, what stays, and by which weights."""

    model_config = ConfigDict(json_schema_extra={"example": {"scope": {"village": "41"}}})

    scope: ScopeRequest
    locked: Annotated[tuple[GridKey, ...], Field(max_length=2000, strict=False)] = ()
    weights: WeightsRequest | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


@router.get("", responses=examples.ok(shown.PLANS), response_model=list[answers.PlanListed])
def list_plans(
    connection: ConnectionDep, actor: ActorDep, scheme: SchemeCode = "base"
) -> JSONResponse:
    """List the plans of a scheme, the newest first."""
    READ_PLANS.require(actor)
    return JSONResponse(plan_queries.list_plans(connection, scheme))


@router.post("", status_code=201, response_model=answers.PlanAnswer)
def create_plan(
    request: Request,
    new_plan: NewPlan,
    connection: ConnectionDep,
    actor: ActorDep,
    language: LanguageDep,
) -> JSONResponse:
    """Begin a plan on the newest version."""
    plan_id = plan_life.create_plan(
        connection, actor, new_plan.scheme, new_plan.title, new_plan.reason
    )
    return _PlanContext(_drafts(request), actor, language, plan_id).answer(connection, 201)


@router.get("/stage", responses=examples.ok(shown.STAGE), response_model=answers.StageAnswer)
async def read_stage(request: Request) -> JSONResponse:
    """Tell how far the first opening of a plan is: waiting, reading, counting, ready."""
    return JSONResponse({"stage": _drafts(request).stage})


@router.get("/{plan_id}", responses=examples.ok(shown.PLAN), response_model=answers.PlanAnswer)
def read_plan(connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Tell a plan's state, its edits, and what was said and decided."""
    READ_PLANS.require(context.actor)
    return context.answer(connection)


@router.post("/{plan_id}/preview", response_model=answers.ChangeAnswer)
def preview(body: EditRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Tell what an edit would do; nothing is stored."""
    PLAN.require(context.actor)
    plan = plan_queries.find_plan(connection, context.plan_id)
    return JSONResponse(
        plan_work.preview_edit(
            connection, context.drafts, plan, body.rev, body.edit, context.language
        )
    )


@router.post("/{plan_id}/edits", response_model=answers.ChangeAnswer)
def edit(body: EditRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Do an edit; 409 with what others did where the revision is not the last one."""
    plan = plan_life.open_for_edit(connection, context.actor, context.plan_id, body.rev)
    return JSONResponse(
        plan_work.do_edit(
            connection, context.drafts, context.actor, plan, body.edit, context.language
        )
    )


@router.post("/{plan_id}/undo", response_model=answers.ChangeAnswer)
def undo(body: RevisionRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Take back the last edit."""
    return _undo_or_redo(body, connection, context, "undo")


@router.post("/{plan_id}/redo", response_model=answers.ChangeAnswer)
def redo(body: RevisionRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Do again what was undone."""
    return _undo_or_redo(body, connection, context, "redo")


def _undo_or_redo(
    body: RevisionRequest, connection: ConnectionDep, context: _PlanContext, way: str
) -> JSONResponse:
    plan = plan_life.open_for_edit(connection, context.actor, context.plan_id, body.rev)
    return JSONResponse(
        plan_work.undo_or_redo(
            connection, context.drafts, context.actor, plan, way, context.language
        )
    )


@router.get(
    "/{plan_id}/faces",
    responses=examples.ok({**shown.FACES, "retired": []}),
    response_model=answers.DraftFaces,
)
def read_faces(
    connection: ConnectionDep,
    context: ContextDep,
    bbox: BboxDep,
    village: Name = None,
    changed: Annotated[bool, Query(description="Only those that the draft changes.")] = False,
) -> JSONResponse:
    """Give base grids as drafted: of a village, in a box, or those that the draft changes."""
    with context.open_draft(connection) as (_, draft):
        return JSONResponse(plan_work.list_faces(draft, village, bbox, only_changed=changed))


@router.get("/{plan_id}/edges", responses=examples.ok(shown.EDGES), response_model=answers.Edges)
def read_edges(
    connection: ConnectionDep, context: ContextDep, grid: Name = None, parent: Name = None
) -> JSONResponse:
    """Give the runs of border around a grid, or around all of a village."""
    READ_PLANS.require(context.actor)
    if grid is None and parent is None:
        raise InputError("boundaries.grid_or_parent", place=Place(field="grid"))
    with context.open_draft(connection) as (_, draft):
        return JSONResponse(plan_work.list_edges(draft, grid, parent))


@router.get("/{plan_id}/snap", responses=examples.ok(shown.SNAP), response_model=answers.SnapLines)
def read_snap_lines(connection: ConnectionDep, context: ContextDep, bbox: BoxDep) -> JSONResponse:
    """Give streets, water and borders in a box, for a drawn line to follow."""
    with context.open_draft(connection, PLAN) as (_, draft):
        return JSONResponse(plan_work.list_snap_lines(draft, bbox))


@router.get(
    "/{plan_id}/buildings",
    responses=examples.ok(shown.BUILDINGS),
    response_model=answers.Buildings,
)
def read_buildings(connection: ConnectionDep, context: ContextDep, bbox: BoxDep) -> JSONResponse:
    """Give the buildings in a box with the number of their households."""
    with context.open_draft(connection, PLAN) as (_, draft):
        return JSONResponse(plan_work.list_buildings(draft, bbox))


@router.get(
    "/{plan_id}/checks",
    responses=examples.ok(shown.CHECKS),
    response_model=answers.ChecksAnswer,
)
def read_checks(connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Check the whole draft: errors stop publication, warnings need a reason."""
    with context.open_draft(connection) as (_, draft):
        return JSONResponse(plan_publication.check_draft(draft, context.language))


@router.get(
    "/{plan_id}/impact",
    responses=examples.ok(shown.IMPACT),
    response_model=answers.ImpactAnswer,
)
def read_impact(
    connection: ConnectionDep,
    context: ContextDep,
    on: Annotated[Day | None, Query(description="From this day on; today if not told.")] = None,
) -> JSONResponse:
    """Tell what publication would move, and which grids need an officer."""
    with context.open_draft(connection) as (plan, draft):
        return JSONResponse(plan_publication.measure_impact(connection, plan, draft, on))


@router.post(
    "/{plan_id}/propose",
    response_model=answers.ProposalAnswer,
    responses={
        **examples.ok(shown.PROPOSAL),
        202: {"model": answers.ProposalAccepted, "description": "A job works it out."},
    },
)
def propose(body: ProposeRequest, store: StoreDep, context: ContextDep) -> JSONResponse:
    """Propose how to draw grids anew: a grid or a village at once, more than that by a job."""
    PLAN.require(context.actor)
    scope = plan_proposals.Scope.of(body.scope.model_dump())
    weights = None if body.weights is None else Weights(**body.weights.model_dump())
    with context.drafts.turn(context.plan_id):  # no connection is held while answers are searched
        with (
            store.transaction(context.actor) as connection,
            context.open_draft(connection, PLAN) as (_, draft),
        ):
            plan_proposals.find_villages(draft, scope, body.locked)
        if scope.kind in ("grid", "village"):
            answer = plan_proposals.propose(
                draft, scope, locked=body.locked, weights=weights, seed=body.seed
            )
            return JSONResponse(plan_proposals.say(answer, context.language))
    arguments = proposal_job.write_arguments(
        context.plan_id, scope, body.locked, weights, body.seed
    )
    job_id = jobs.submit(store, context.actor, proposal_job.KIND, arguments)
    return JSONResponse({"job_id": job_id}, 202)


@router.get(
    "/{plan_id}/proposals/{job_id}",
    responses=examples.ok(shown.PROPOSAL),
    response_model=answers.ProposalAnswer,
)
def read_proposal(connection: ConnectionDep, context: ContextDep, job_id: IdPath) -> JSONResponse:
    """Give what a job has proposed for a town or the county."""
    PLAN.require(context.actor)
    job_queries.find_visible_job(connection, context.actor, job_id)
    answer = plan_queries.read_proposal(connection, context.plan_id, job_id)
    return JSONResponse(plan_proposals.say(answer, context.language))


@router.post("/{plan_id}/comments", response_model=answers.PlanAnswer)
def comment(body: CommentRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Say something about a plan."""
    plan_life.add_comment(connection, context.actor, context.plan_id, body.text)
    return context.answer(connection)


@router.post("/{plan_id}/submit", response_model=answers.PlanAnswer)
def submit(body: SubmitRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Hand a plan in for review; every warning needs a reason."""
    plan_publication.submit_plan(
        connection, context.drafts, context.actor, context.plan_id, body.warnings
    )
    return context.answer(connection)


@router.post("/{plan_id}/publish", response_model=answers.PublishedAnswer)
def publish(body: PublishRequest, connection: ConnectionDep, context: ContextDep) -> JSONResponse:
    """Make an approved plan the next version, in one transaction."""
    return JSONResponse(
        plan_publication.publish_plan(
            connection,
            context.drafts,
            context.actor,
            context.plan_id,
            body.effective_day,
            body.reasons,
        )
    )


@router.post("/{plan_id}/{decision}", response_model=answers.PlanAnswer)
def decide(
    body: CommentRequest,
    connection: ConnectionDep,
    context: ContextDep,
    decision: Literal["approve", "reject", "discard"],
) -> JSONResponse:
    """Approve a plan, send it back with a text, or discard it."""
    READ_PLANS.require(context.actor)  # before it is told whether there is such a plan
    plan = plan_queries.find_plan(connection, context.plan_id, lock=True)
    name = {"approve": "approved", "reject": "rejected", "discard": "discarded"}[decision]
    plan_life.decide(connection, context.actor, plan, name, words=body.text)
    return context.answer(connection)
