"""Keys of other systems over HTTP, for administrators: list, make (shown once), end."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gis_service.access import keys
from gis_service.access.permissions import MANAGE_ACCOUNTS
from gis_service.api import examples
from gis_service.api.accounts import Areas, Text
from gis_service.api.dependencies import ActorDep, ConnectionDep, IdPath, RequestBody
from gis_service.api.routing import ServiceRouter
from gis_service.roles import Role

router = ServiceRouter(prefix="/api/keys", tags=["access"])


class KeyRequest(RequestBody):
    """For which system, as whom, for which doors, and for how many days."""

    model_config = ConfigDict(json_schema_extra={"example": examples.NEW_KEY})

    name: Text
    role: Role
    scopes: Annotated[list[keys.Scope], Field(min_length=1, max_length=20)]
    areas: Areas | None = None
    days: Annotated[int, Field(ge=1, le=keys.LONGEST_DAYS)] = 365


class KeyAnswer(BaseModel):
    """A key; itself it is told once, when it is made."""

    model_config = ConfigDict(from_attributes=True)

    key_id: int
    hint: str
    name: str
    role: str
    scopes: list[str]
    areas: list[int] | None
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    ended_at: datetime | None
    key: str | None = None


@router.get("", response_model=list[KeyAnswer], responses=examples.ok([examples.KEY]))
def list_keys(connection: ConnectionDep, actor: ActorDep) -> object:
    """List every key, also those that have ended."""
    MANAGE_ACCOUNTS.require(actor)
    return keys.list_keys(connection)


@router.post("", status_code=201, responses=examples.ok(examples.KEY, status=201))
def make_key(body: KeyRequest, connection: ConnectionDep, actor: ActorDep) -> KeyAnswer:
    """Make a key; the answer is the only time that it is told."""
    MANAGE_ACCOUNTS.require(actor)
    areas = None if body.areas is None else tuple(body.areas)
    new = keys.NewKey(body.name, body.role, tuple(body.scopes), areas, body.days)
    made, key = keys.make_key(connection, actor, new)
    return KeyAnswer.model_validate(made).model_copy(update={"key": key})


@router.delete("/{key_id}", status_code=204)
def end_key(connection: ConnectionDep, actor: ActorDep, key_id: IdPath) -> None:
    """End a key; whoever uses it is refused within a second."""
    MANAGE_ACCOUNTS.require(actor)
    keys.end_key(connection, actor, key_id)
