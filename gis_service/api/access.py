"""Who asks, until there are accounts: a demo actor of made-up people, or the administrator."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from gis_service.access.actor import ADMINISTRATOR, demo_actors
from gis_service.access.sessions import Sessions
from gis_service.api import examples
from gis_service.api.dependencies import (
    ACTOR_COOKIE,
    SESSION_COOKIE,
    VISITOR,
    ActorDep,
    LanguageDep,
    RequestBody,
    StoreDep,
    choose_actor,
)
from gis_service.api.wellformed import BIGGEST
from gis_service.errors import NotAllowedError
from gis_service.maps.grid_map import content_policy, render_sign_in
from gis_service.settings import server_settings

router = APIRouter(prefix="/api", tags=["access"])
pages = APIRouter(include_in_schema=False)


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


class SignIn(RequestBody):
    """What was printed when the service was started."""

    model_config = ConfigDict(json_schema_extra={"example": {"token": "printed at the start"}})

    token: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("/actors", response_model=list[ActorAnswer], responses=examples.ok([examples.ACTOR]))
def list_actors(actor: ActorDep, store: StoreDep) -> object:
    """List whom one may be: the demo actors of made-up people, else only who one is."""
    with store.transaction(VISITOR) as connection:
        return demo_actors(connection) or [actor]


@router.get("/actors/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def current_actor(actor: ActorDep) -> object:
    """Tell as whom this request runs."""
    return actor


@router.post("/actors/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def choose(choice: ActorChoice, request: Request, response: Response, store: StoreDep) -> object:
    """Pick a demo actor; a cookie remembers it."""
    with store.transaction(VISITOR) as connection:
        if not demo_actors(connection):
            raise NotAllowedError("api.no_choice_of_actor")
        actor = choose_actor(connection, choice.actor_id)
    _remember(request, response, ACTOR_COOKIE, str(actor.actor_id), 30 * 86400)
    return actor


@router.post("/session", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def sign_in(asked: SignIn, request: Request, response: Response) -> object:
    """Sign in as the administrator by the token printed at the start; a cookie remembers it."""
    name = _sessions(request).begin(asked.token)
    if name is None:
        raise NotAllowedError("access.wrong_token")
    lasts = int(server_settings().session_hours * 3600)
    _remember(request, response, SESSION_COOKIE, name, lasts)
    return ADMINISTRATOR


@router.delete("/session", status_code=204)
def sign_out(request: Request, response: Response) -> None:
    """End the session; without one nothing happens."""
    _sessions(request).end(request.cookies.get(SESSION_COOKIE))
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")


@pages.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(language: LanguageDep) -> HTMLResponse:
    """Give the page that the printed link opens; its token stays behind the # and in no log."""
    document = render_sign_in(language)
    headers = {
        "Content-Security-Policy": content_policy(document),
        "Cache-Control": "no-store",
        "Content-Language": language,
    }
    return HTMLResponse(document, headers=headers)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _remember(request: Request, response: Response, name: str, value: str, lasts: int) -> None:
    """Set a cookie that no script reads and no other site sends; over https it never leaves it."""
    response.set_cookie(
        name,
        value,
        max_age=lasts,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
