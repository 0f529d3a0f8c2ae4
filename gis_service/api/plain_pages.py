"""The pages without a map; what they show they ask of ``/api``, which says who may."""

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse

from gis_service.access.actor import list_demo_actors
from gis_service.access.permissions import (
    ROLES_OF_ACCOUNTS,
    ROLES_OF_KEYS,
    WHOLE_COUNTY_ROLES,
)
from gis_service.api.dependencies import CallerDep, ConnectionDep, LanguageDep
from gis_service.api.offers import describe_caller
from gis_service.api.routing import ServiceRouter
from gis_service.grids import reading
from gis_service.maps.page.grid_map import content_policy
from gis_service.maps.page.plain_page import PLAIN_PAGES, render_plain_page
from gis_service.roles import LOCAL_ROLES, Role

router = ServiceRouter(include_in_schema=False)


def _list_roles() -> list[dict[str, object]]:
    """Say what somebody may be, and whether areas go with it."""

    def areas(role: Role) -> str:
        if role in LOCAL_ROLES:
            return "needed"
        return "none" if role in WHOLE_COUNTY_ROLES else "may"

    return [
        {"name": role, "areas": areas(role), "has_keys": role in ROLES_OF_KEYS}
        for role in ROLES_OF_ACCOUNTS
    ]


def read_plain_page(
    request: Request, connection: ConnectionDep, caller: CallerDep, language: LanguageDep
) -> HTMLResponse:
    """Give a page; the token of a link to sign in stays behind its # and in no log."""
    name = request.url.path[1:].replace("-", "_")
    demo = [
        {
            "actor_id": one.actor_id,
            "name": one.name,
            "name_en": one.name_en,
            "role": one.role,
            "areas": reading.list_areas(connection, one.areas),
        }
        for one in (list_demo_actors(connection) if name == "sign_in" else [])
    ]
    document = render_plain_page(
        name,
        language,
        describe_caller(connection, caller),
        demo_actors=jsonable_encoder(demo),
        roles=_list_roles() if name == "people" else [],
    )
    headers = {
        "Content-Security-Policy": content_policy(document),
        "Cache-Control": "no-store",
        "Content-Language": language,
    }
    return HTMLResponse(document, headers=headers)


for _page in PLAIN_PAGES:
    router.get(f"/{_page.replace('_', '-')}", response_class=HTMLResponse)(read_plain_page)
