"""Accounts over HTTP, for administrators: make, change, end, take a list, link somebody back in."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from gis_service.access import accounts
from gis_service.access.links import make_link
from gis_service.access.permissions import MANAGE_ACCOUNTS
from gis_service.api import examples
from gis_service.api.dependencies import ActorDep, ConnectionDep, IdPath, RequestBody
from gis_service.api.request_checks import BIGGEST
from gis_service.api.routing import ServiceRouter
from gis_service.roles import Role

router = ServiceRouter(prefix="/api/accounts", tags=["access"])

Text = Annotated[str, Field(max_length=100)]
GridId = Annotated[int, Field(ge=1, le=BIGGEST)]
Areas = Annotated[list[GridId], Field(min_length=1, max_length=accounts.MOST_AREAS)]
OfficerId = Annotated[int, Field(ge=1, le=BIGGEST)]


class AccountRequest(RequestBody):
    """Whom to let sign in; ``areas`` null is the whole county."""

    model_config = ConfigDict(json_schema_extra={"example": examples.NEW_ACCOUNT})

    login: Text
    name: Text
    name_en: Text = ""
    role: Role
    areas: Areas | None = None
    officer_id: OfficerId | None = None


class AccountChange(RequestBody):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"example": {"role": "dispatcher", "areas": None}})

    name: Text = ""
    name_en: Text = ""
    role: Role = "visitor"
    areas: Areas | None = None
    officer_id: OfficerId | None = None


class AccountList(RequestBody):
    """A table of accounts as text."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"csv": "login,name,role,areas\nwang.xm,王小明,grid_officer,990101102003005"}
        }
    )

    csv: Annotated[str, Field(min_length=1, max_length=160_000)]


class AccountAnswer(BaseModel):
    """An account; ``link`` is told once, where one was made."""

    model_config = ConfigDict(from_attributes=True)

    actor_id: int
    login: str
    name: str
    name_en: str
    role: str
    areas: list[int] | None
    officer_id: int | None
    has_password: bool
    made_at: datetime
    seen_at: datetime | None
    ended_at: datetime | None
    link: str | None = None


class LinkAnswer(BaseModel):
    """A one-time link."""

    link: str


@router.get("", response_model=list[AccountAnswer], responses=examples.ok([examples.ACCOUNT]))
def list_accounts(connection: ConnectionDep, actor: ActorDep) -> object:
    """List every account, also those that have ended."""
    MANAGE_ACCOUNTS.require(actor)
    return accounts.list_accounts(connection)


@router.post("", status_code=201, responses=examples.ok(examples.ACCOUNT, status=201))
def make_account(
    body: AccountRequest, request: Request, connection: ConnectionDep, actor: ActorDep
) -> AccountAnswer:
    """Make an account, and the link by which its owner chooses a password."""
    MANAGE_ACCOUNTS.require(actor)
    values = body.model_dump()
    new = accounts.NewAccount(**{**values, "areas": _areas(values["areas"])})
    account = accounts.make_account(connection, actor, new)
    return _with_link(request, connection, actor, account)


@router.patch("/{actor_id}", response_model=AccountAnswer, responses=examples.ok(examples.ACCOUNT))
def change_account(
    body: AccountChange, connection: ConnectionDep, actor: ActorDep, actor_id: IdPath
) -> object:
    """Change name, role, areas or officer; what the account may is otherwise within a second."""
    MANAGE_ACCOUNTS.require(actor)
    changes = body.model_dump(exclude_unset=True)
    return accounts.change_account(connection, actor, actor_id, changes)


@router.post(
    "/{actor_id}/end", response_model=AccountAnswer, responses=examples.ok(examples.ACCOUNT)
)
def end_account(connection: ConnectionDep, actor: ActorDep, actor_id: IdPath) -> object:
    """End an account with its sessions and streams."""
    MANAGE_ACCOUNTS.require(actor)
    return accounts.end_account(connection, actor, actor_id)


@router.post("/{actor_id}/link", responses=examples.ok({"link": examples.LINK}))
def link_account(
    request: Request, connection: ConnectionDep, actor: ActorDep, actor_id: IdPath
) -> LinkAnswer:
    """Make a link by which the owner of an account chooses another password."""
    MANAGE_ACCOUNTS.require(actor)
    accounts.require_open(connection, actor_id)
    return LinkAnswer(link=address_of_link(request, make_link(connection, actor, actor_id)))


@router.post("/list", status_code=201, responses=examples.ok([examples.ACCOUNT], status=201))
def import_accounts(
    body: AccountList, request: Request, connection: ConnectionDep, actor: ActorDep
) -> list[AccountAnswer]:
    """Take a list of accounts, all of it or nothing; an error names row and field."""
    MANAGE_ACCOUNTS.require(actor)
    made = accounts.import_accounts(connection, actor, body.csv)
    return [_with_link(request, connection, actor, account) for account in made]


def _areas(areas: list[int] | None) -> tuple[int, ...] | None:
    return None if areas is None else tuple(areas)


def _with_link(
    request: Request, connection: Any, actor: Any, account: accounts.UserAccount
) -> AccountAnswer:
    link = address_of_link(request, make_link(connection, actor, account.actor_id))
    return AccountAnswer.model_validate(account).model_copy(update={"link": link})


def address_of_link(request: Request, token: str) -> str:
    """Say a link as this administrator's browser reaches the service."""
    return f"{request.base_url}sign-in#{token}"
