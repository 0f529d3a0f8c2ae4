"""Who asks, until there are accounts: a demo actor of made-up people, or the administrator."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from gis_service.access.actor import ADMINISTRATOR
from gis_service.api import examples
from gis_service.api.authentication import ACTOR_COOKIE, SESSION_COOKIE, Authenticator
from gis_service.api.dependencies import ActorDep, LanguageDep, RequestBody
from gis_service.api.request_checks import BIGGEST
from gis_service.errors import NotAllowedError
from gis_service.maps.page.grid_map import content_policy, render_sign_in
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
def list_actors(request: Request, actor: ActorDep) -> object:
    """List whom one may be: the demo actors of made-up people, else only who one is."""
    return _authenticator(request).list_demo_actors() or [actor]


@router.get("/actors/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def current_actor(actor: ActorDep) -> object:
    """Tell as whom this request runs."""
    return actor


@router.post("/actors/current", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def choose(choice: ActorChoice, request: Request, response: Response) -> object:
    """Pick a demo actor; a cookie remembers it."""
    actor = _authenticator(request).find_demo_actor(choice.actor_id)
    _remember(request, response, ACTOR_COOKIE, str(actor.actor_id), 30 * 86400)
    return actor


@router.post("/session", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def sign_in(credentials: SignIn, request: Request, response: Response) -> object:
    """Sign in as the administrator by the token printed at the start; a cookie remembers it."""
    name = _authenticator(request).sessions.begin(credentials.token)
    if name is None:
        raise NotAllowedError("access.wrong_token")
    lasts = int(server_settings().session_hours * 3600)
    _remember(request, response, SESSION_COOKIE, name, lasts)
    return ADMINISTRATOR


@router.delete("/session", status_code=204)
def sign_out(request: Request, response: Response) -> None:
    """End the session; without one nothing happens."""
    _authenticator(request).sign_out(request)
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


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


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
