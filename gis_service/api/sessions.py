"""Signing in and out, one's own sessions and password."""

from datetime import datetime
from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gis_service.access import sessions, signing_in
from gis_service.access.links import follow_link
from gis_service.api import examples
from gis_service.api.access import ActorAnswer, authenticator_of, remember
from gis_service.api.authentication import may_offer_session, origin_of, session_cookie
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    IdPath,
    RequestBody,
    StoreDep,
)
from gis_service.api.routing import ServiceRouter
from gis_service.settings import access_settings

router = ServiceRouter(prefix="/api", tags=["access"])

Password = Annotated[str, Field(min_length=1, max_length=400)]
Login = Annotated[str, Field(min_length=1, max_length=100)]


class SignIn(RequestBody):
    """Who signs in, and by what."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"login": "wang.xm", "password": "correct horse"}}
    )

    login: Login
    password: Password


class LinkUse(RequestBody):
    """What a one-time link holds and the password chosen; login and name for the first account."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"token": "invitation-Qm9…", "password": "correct horse"}}
    )

    token: Annotated[str, Field(min_length=1, max_length=200)]
    password: Password
    login: Login | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class PasswordChange(RequestBody):
    """The password as it was, and as it will be."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"old_password": "correct horse", "new_password": "battery staple"}
        }
    )

    old_password: Password
    new_password: Password


class SessionAnswer(BaseModel):
    """A session of one's own."""

    model_config = ConfigDict(from_attributes=True)

    session_id: int
    began_at: datetime
    seen_at: datetime
    address: str
    user_agent: str
    current: bool


@router.post("/session", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def sign_in(body: SignIn, request: Request, response: Response, store: StoreDep) -> object:
    """Sign in by login and password; a cookie remembers it."""
    may_offer_session(request)
    agent = request.headers.get("user-agent", "")
    actor, name = signing_in.sign_in(store, body.login, body.password, origin_of(request), agent)
    _begin(request, response, store, name)
    return actor


@router.post("/session/link", response_model=ActorAnswer, responses=examples.ok(examples.ACTOR))
def sign_in_by_link(body: LinkUse, request: Request, response: Response, store: StoreDep) -> object:
    """Choose a password by a one-time link, and sign in; the first one makes the administrator."""
    may_offer_session(request)
    first = None if body.login is None else (body.login, body.name or body.login)
    agent = request.headers.get("user-agent", "")
    actor, name = follow_link(store, body.token, body.password, first, origin_of(request), agent)
    _begin(request, response, store, name)
    return actor


def _begin(request: Request, response: Response, store: StoreDep, name: str) -> None:
    """Give a browser its session; the one it had ends, whoever's it was."""
    cookie = session_cookie(request)
    before = request.cookies.get(cookie)
    if before:
        sessions.end_session_of(store, before, origin_of(request))
        authenticator_of(request).forget_session(request)
    remember(request, response, cookie, name, round(access_settings().session_hours * 3600))


@router.delete("/session", status_code=204)
def sign_out(request: Request, store: StoreDep, actor: ActorDep) -> None:
    """End the session; without one nothing happens."""
    if actor.origin.session_id is None:
        return
    with store.transaction(actor) as connection:
        sessions.end_session(connection, actor, actor.origin.session_id)
    authenticator_of(request).forget_session(request)
    request.state.forget_cookie = session_cookie(request)


@router.get(
    "/sessions", response_model=list[SessionAnswer], responses=examples.ok([examples.SESSION])
)
def list_sessions(connection: ConnectionDep, actor: ActorDep) -> object:
    """List where one is signed in."""
    return sessions.list_sessions(connection, actor)


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(connection: ConnectionDep, actor: ActorDep, session_id: IdPath) -> None:
    """End a session of one's own."""
    sessions.end_session(connection, actor, session_id)


@router.post("/password", status_code=204)
def change_password(body: PasswordChange, store: StoreDep, actor: ActorDep) -> None:
    """Choose another password; all other sessions end."""
    signing_in.change_password(store, actor, body.old_password, body.new_password)
