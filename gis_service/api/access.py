"""Who may be picked until sign-in exists: a menu of demo actors, on loopback only."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gis_service.access.actor import demo_actors
from gis_service.api import examples
from gis_service.api.dependencies import (
    ACTOR_COOKIE,
    VISITOR,
    ActorDep,
    RequestBody,
    StoreDep,
    choose_actor,
    may_choose_actor,
)
from gis_service.api.wellformed import BIGGEST
from gis_service.errors import NotAllowedError

router = APIRouter(prefix="/api/actors", tags=["access"])


class ActorAnswer(BaseModel):
    """Someone who may ask."""

    model_config = ConfigDict(from_attributes=True)

    actor_id: int
    name: str
    name_en: str
    role: str


class ActorChoice(RequestBody):
    """Whose eyes to look through."""

    model_config = ConfigDict(json_schema_extra={"example": {"actor_id": 2}})

    actor_id: Annotated[int, Field(ge=1, le=BIGGEST)]


@router.get("", response_model=list[ActorAnswer], responses=examples.ok([examples.ACTOR]))
def list_actors(request: Request, store: StoreDep) -> object:
    """List the actors of the menu; away from loopback there is only the visitor."""
    if not may_choose_actor(request):
        return [VISITOR]
    with store.transaction(VISITOR) as connection:
        return demo_actors(connection) or [VISITOR]


@router.get("/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def current_actor(actor: ActorDep) -> object:
    """Tell as whom this request runs."""
    return actor


@router.post("/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def choose(choice: ActorChoice, request: Request, response: Response, store: StoreDep) -> object:
    """Pick a demo actor; a cookie remembers it."""
    if not may_choose_actor(request):
        raise NotAllowedError("api.no_choice_of_actor")
    with store.transaction(VISITOR) as connection:
        actor = choose_actor(connection, choice.actor_id)
    response.set_cookie(
        ACTOR_COOKIE, str(actor.actor_id), httponly=True, samesite="strict", max_age=30 * 86400
    )
    return actor
