"""What a page is told of who opens it: the name, the areas, and what it may offer them."""

from typing import Any

import sqlalchemy as sa
from fastapi.encoders import jsonable_encoder

from gis_service.access import Actor
from gis_service.access.actor import is_made_up
from gis_service.access.permissions import list_allowed
from gis_service.api.authentication import Caller
from gis_service.grids import reading
from gis_service.incidents.rules import rule_book


def list_offers(actor: Actor) -> list[str]:
    """Name what an actor may do and see; the server asks again at every endpoint."""
    reports = actor.role in rule_book().reports.roles
    return [*list_allowed(actor), *(["report_incident"] if reports else [])]


def describe_caller(connection: sa.Connection, caller: Caller) -> dict[str, Any]:
    """Tell a page who opens it."""
    actor = caller.actor
    return {
        "actor_id": actor.actor_id,
        "name": actor.name,
        "name_en": actor.name_en,
        "role": actor.role,
        "areas": jsonable_encoder(reading.list_areas(connection, actor.areas)),
        "may": list_offers(actor),
        "signed_in": caller.session_id is not None,
        "login": caller.login,
        "token": caller.token,
        "made_up": is_made_up(connection),
    }
