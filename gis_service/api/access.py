"""Who asks and what they may, and picking a demo actor where all people are made up."""

from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gis_service.api import examples
from gis_service.api.authentication import ACTOR_COOKIE, Authenticator
from gis_service.api.dependencies import ActorDep, CallerDep, ConnectionDep, RequestBody
from gis_service.api.offers import list_offers
from gis_service.api.request_checks import BIGGEST
from gis_service.api.routing import ServiceRouter
from gis_service.grids import reading

router = ServiceRouter(prefix="/api", tags=["access"])


class ActorAnswer(BaseModel):
    """Someone who may ask."""

    model_config = ConfigDict(from_attributes=True)

    actor_id: int
    name: str
    name_en: str
    role: str


class AreaAnswer(BaseModel):
    """A grid that somebody answers for."""

    model_config = ConfigDict(from_attributes=True)

    grid_id: int
    name: str
    code: str
    rank: int
    bbox: tuple[float, float, float, float]


class Me(BaseModel):
    """Who asks; ``areas`` is null for the whole county, ``token`` goes with every change."""

    actor: ActorAnswer
    signed_in: bool
    is_demo: bool
    login: str | None
    areas: list[AreaAnswer] | None
    may: list[str]
    token: str | None


class ActorChoice(RequestBody):
    """Whose eyes to look through."""

    model_config = ConfigDict(json_schema_extra={"example": {"actor_id": 2}})

    actor_id: Annotated[int, Field(ge=1, le=BIGGEST)]


@router.get("/me", responses=examples.ok(examples.ME))
def read_me(connection: ConnectionDep, caller: CallerDep) -> Me:
    """Tell who asks, what they may, and what they answer for."""
    areas = reading.list_areas(connection, caller.actor.areas)
    return Me(
        actor=ActorAnswer.model_validate(caller.actor),
        signed_in=caller.session_id is not None,
        is_demo=caller.is_demo,
        login=caller.login,
        areas=None if areas is None else [AreaAnswer.model_validate(area) for area in areas],
        may=list_offers(caller.actor),
        token=caller.token,
    )


@router.get("/actors", response_model=list[ActorAnswer], responses=examples.ok([examples.ACTOR]))
def list_actors(request: Request, actor: ActorDep) -> object:
    """List whom one may be: the demo actors of made-up people, else only who one is."""
    return authenticator_of(request).list_demo_actors() or [actor]


@router.get("/actors/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def current_actor(actor: ActorDep) -> object:
    """Tell as whom this request runs."""
    return actor


@router.post("/actors/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def choose(choice: ActorChoice, request: Request, response: Response) -> object:
    """Pick a demo actor; a cookie remembers it."""
    actor = authenticator_of(request).find_demo_actor(choice.actor_id)
    remember(request, response, ACTOR_COOKIE, str(actor.actor_id), 30 * 86400)
    return actor


def authenticator_of(request: Request) -> Authenticator:
    """Give the one of the app."""
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


def remember(request: Request, response: Response, name: str, value: str, lasts: int) -> None:
    """Set a cookie that no script reads and no other site sends; over https it never leaves it."""
    response.set_cookie(
        name,
        value,
        max_age=lasts,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
