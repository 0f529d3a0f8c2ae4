"""Plans over HTTP: begin, try, edit, undo, look, check, discuss, decide, publish."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field

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
)
from gis_service.api.routing import ServiceRouter
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import publication as plan_publication
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans import work as plan_work
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.work import Box
from gis_service.errors import InputError, Place
from gis_service.messages import Language


def _desk(request: Request) -> DraftCache:
    desk: DraftCache = request.app.state.drafts
    return desk


def _turn(request: Request, _: dict[str, Any]) -> AbstractContextManager[None]:
    """Wait for a plan that others work on before a connection is taken."""
    plan_id = request.path_params.get("plan_id")
    return nullcontext() if plan_id is None else _desk(request).turn(int(plan_id))


router = ServiceRouter(prefix="/api/plans", tags=["plans"], first=_turn)


@dataclass(frozen=True)
class _ProposalRequest:
    """Which plan is asked about, by whom and in which language."""

    desk: DraftCache
    actor: Actor
    language: Language
    plan_id: int

    @contextmanager
    def drafted(
        self, connection: ConnectionDep, permission: Permission = READ_PLANS
    ) -> Iterator[tuple[plan_queries.Plan, DraftState]]:
        """Give its row and its draft to whoever may see it."""
        permission.require(self.actor)
        with plan_publication.open_draft(connection, self.desk, self.plan_id) as found:
            yield found

    def told(self, connection: ConnectionDep, status: int = 200) -> JSONResponse:
        """Tell all about it."""
        found = plan_work.read_plan(connection, self.desk, self.plan_id, self.language)
        return JSONResponse(found, status)


async def _asked(
    request: Request, actor: ActorDep, language: LanguageDep, plan_id: IdPath
) -> _ProposalRequest:
    return _ProposalRequest(_desk(request), actor, language, plan_id)


async def _box(bbox: BboxDep) -> Box:
    """Refuse to look at the whole county at once."""
    if bbox is None:
        raise InputError("api.bad_bbox", place=Place(field="bbox"))
    return bbox


AskedDep = Annotated[_ProposalRequest, Depends(_asked)]
BoxDep = Annotated[Box, Depends(_box)]
Words = Annotated[str, Field(max_length=2000)]


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


class ProposeRequest(RequestBody):
    """Which grids are to be drawn anew, and into how many."""

    parent: Annotated[str | None, Field(max_length=40)] = None
    grids: Annotated[tuple[str, ...], Field(max_length=200, strict=False)] = ()
    pieces: Annotated[int | None, Field(ge=1, le=200)] = None


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
    wish: NewPlan,
    connection: ConnectionDep,
    actor: ActorDep,
    language: LanguageDep,
) -> JSONResponse:
    """Begin a plan on the newest version."""
    plan_id = plan_life.create_plan(connection, actor, wish.scheme, wish.title, wish.reason)
    return _ProposalRequest(_desk(request), actor, language, plan_id).told(connection, 201)


@router.get("/stage", responses=examples.ok(shown.STAGE), response_model=answers.StageAnswer)
async def read_stage(request: Request) -> JSONResponse:
    """Tell how far the first opening of a plan is: waiting, reading, counting, ready."""
    return JSONResponse({"stage": _desk(request).stage})


@router.get("/{plan_id}", responses=examples.ok(shown.PLAN), response_model=answers.PlanAnswer)
def read_plan(connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Tell a plan's state, its edits, and what was said and decided."""
    READ_PLANS.require(asked.actor)
    return asked.told(connection)


@router.post("/{plan_id}/preview", response_model=answers.ChangeAnswer)
def preview(wish: EditRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Tell what an edit would do; nothing is stored."""
    PLAN.require(asked.actor)
    plan = plan_queries.find_plan(connection, asked.plan_id)
    return JSONResponse(
        plan_work.preview_edit(connection, asked.desk, plan, wish.rev, wish.edit, asked.language)
    )


@router.post("/{plan_id}/edits", response_model=answers.ChangeAnswer)
def edit(wish: EditRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Do an edit; 409 with what others did where the revision is not the last one."""
    plan = plan_life.open_for_edit(connection, asked.actor, asked.plan_id, wish.rev)
    return JSONResponse(
        plan_work.do_edit(connection, asked.desk, asked.actor, plan, wish.edit, asked.language)
    )


@router.post("/{plan_id}/undo", response_model=answers.ChangeAnswer)
def undo(wish: RevisionRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Take back the last edit."""
    return _step(wish, connection, asked, "undo")


@router.post("/{plan_id}/redo", response_model=answers.ChangeAnswer)
def redo(wish: RevisionRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Do again what was undone."""
    return _step(wish, connection, asked, "redo")


def _step(
    wish: RevisionRequest, connection: ConnectionDep, asked: _ProposalRequest, way: str
) -> JSONResponse:
    plan = plan_life.open_for_edit(connection, asked.actor, asked.plan_id, wish.rev)
    return JSONResponse(
        plan_work.undo_or_redo(connection, asked.desk, asked.actor, plan, way, asked.language)
    )


@router.get("/{plan_id}/faces", responses=examples.ok(shown.FACES), response_model=answers.Faces)
def read_faces(
    connection: ConnectionDep, asked: AskedDep, bbox: BboxDep, village: Name = None
) -> JSONResponse:
    """Give base grids as drafted: of a village, or in a box."""
    with asked.drafted(connection) as (_, held):
        return JSONResponse(plan_work.list_faces(held, village, bbox))


@router.get("/{plan_id}/edges", responses=examples.ok(shown.EDGES), response_model=answers.Edges)
def read_edges(
    connection: ConnectionDep, asked: AskedDep, grid: Name = None, parent: Name = None
) -> JSONResponse:
    """Give the runs of border around a grid, or around all of a village."""
    READ_PLANS.require(asked.actor)
    if grid is None and parent is None:
        raise InputError("boundaries.grid_or_parent", place=Place(field="grid"))
    with asked.drafted(connection) as (_, held):
        return JSONResponse(plan_work.list_edges(held, grid, parent))


@router.get("/{plan_id}/snap", responses=examples.ok(shown.SNAP), response_model=answers.SnapLines)
def read_snap_lines(connection: ConnectionDep, asked: AskedDep, bbox: BoxDep) -> JSONResponse:
    """Give streets, water and borders in a box, for a drawn line to follow."""
    with asked.drafted(connection, PLAN) as (_, held):
        return JSONResponse(plan_work.list_snap_lines(held, bbox))


@router.get(
    "/{plan_id}/buildings",
    responses=examples.ok(shown.BUILDINGS),
    response_model=answers.Buildings,
)
def read_buildings(connection: ConnectionDep, asked: AskedDep, bbox: BoxDep) -> JSONResponse:
    """Give the buildings in a box with the number of their households."""
    with asked.drafted(connection, PLAN) as (_, held):
        return JSONResponse(plan_work.list_buildings(held, bbox))


@router.get(
    "/{plan_id}/checks",
    responses=examples.ok(shown.CHECKS),
    response_model=answers.ChecksAnswer,
)
def read_checks(connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Check the whole draft: errors stop publication, warnings need a reason."""
    with asked.drafted(connection) as (_, held):
        return JSONResponse(plan_publication.check_draft(held, asked.language))


@router.get(
    "/{plan_id}/impact",
    responses=examples.ok(shown.IMPACT),
    response_model=answers.ImpactAnswer,
)
def read_impact(
    connection: ConnectionDep,
    asked: AskedDep,
    on: Annotated[Day | None, Query(description="From this day on; today if not told.")] = None,
) -> JSONResponse:
    """Tell what publication would move, and which grids need an officer."""
    with asked.drafted(connection) as (plan, held):
        return JSONResponse(plan_publication.measure_impact(connection, plan, held, on))


@router.post("/{plan_id}/propose", response_model=list[answers.ProposalAnswer])
def propose(wish: ProposeRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Propose three ways to draw some grids anew; nothing is stored."""
    with asked.drafted(connection, PLAN) as (_, held):
        return JSONResponse(
            plan_publication.propose_redraws(
                held, wish.parent, wish.grids, wish.pieces, asked.language
            )
        )


@router.post("/{plan_id}/comments", response_model=answers.PlanAnswer)
def comment(wish: CommentRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Say something about a plan."""
    plan_life.add_comment(connection, asked.actor, asked.plan_id, wish.text)
    return asked.told(connection)


@router.post("/{plan_id}/submit", response_model=answers.PlanAnswer)
def submit(wish: SubmitRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Hand a plan in for review; every warning needs a reason."""
    plan_publication.submit_plan(connection, asked.desk, asked.actor, asked.plan_id, wish.warnings)
    return asked.told(connection)


@router.post("/{plan_id}/publish", response_model=answers.PublishedAnswer)
def publish(wish: PublishRequest, connection: ConnectionDep, asked: AskedDep) -> JSONResponse:
    """Make an approved plan the next version, in one transaction."""
    return JSONResponse(
        plan_publication.publish_plan(
            connection, asked.desk, asked.actor, asked.plan_id, wish.effective_day, wish.reasons
        )
    )


@router.post("/{plan_id}/{decision}", response_model=answers.PlanAnswer)
def decide(
    wish: CommentRequest,
    connection: ConnectionDep,
    asked: AskedDep,
    decision: Literal["approve", "reject", "discard"],
) -> JSONResponse:
    """Approve a plan, send it back with a text, or discard it."""
    plan = plan_queries.find_plan(connection, asked.plan_id, lock=True)
    name = {"approve": "approved", "reject": "rejected", "discard": "discarded"}[decision]
    plan_life.decide(connection, asked.actor, plan, name, words=wish.text)
    return asked.told(connection)
