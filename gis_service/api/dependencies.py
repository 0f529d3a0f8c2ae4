"""What routers ask for by type: the store, who asks, the language, the page, a box, a day.

Parsers live here so that routers stay thin; every bound on a parameter is one of these types.
"""

import math
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, Generic, Literal, TypeVar

import sqlalchemy as sa
from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel

from gis_service.access import Actor
from gis_service.access.actor import demo_actors, find_actor
from gis_service.api.guard import from_this_machine
from gis_service.api.problems import language_of
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.messages import Language
from gis_service.store import Store

ACTOR_COOKIE: Final = "gis_actor"
ACTOR_HEADER: Final = "x-gis-actor"
VISITOR: Final = Actor(0, "访客", "Visitor", "visitor")
"""Anyone without a name: sees the map, no person and no trouble."""

MOST_ROWS: Final = 500
_BIGGEST_ID: Final = 2**63 - 1

Item = TypeVar("Item")


def without_nul(value: str) -> str:
    """
    Refuse the one sign that PostgreSQL cannot hold.

    Parameters
    ----------
    value
        A text.

    Returns
    -------
    str
        The same.
    """
    if "\x00" in value:
        message = "a text cannot hold the sign NUL"
        raise ValueError(message)
    return value


async def get_store(request: Request) -> Store:
    """Give the store that the app was made with."""
    store: Store = request.app.state.store
    return store


StoreDep = Annotated[Store, Depends(get_store)]


def may_choose_actor(request: Request) -> bool:
    """
    Tell whether a demo actor may be picked: bound to loopback, and asked from loopback.

    Parameters
    ----------
    request
        Who asks.

    Returns
    -------
    bool
        False wherever somebody else could reach the server.
    """
    return bool(request.app.state.loopback_only) and from_this_machine(request)


def get_actor(request: Request, store: StoreDep) -> Actor:
    """Find who asks: the demo actor picked, the first one, or a visitor."""
    if not may_choose_actor(request):
        return VISITOR
    with store.transaction(VISITOR) as connection:
        offered = demo_actors(connection)
    return picked_actor(request, offered)


def picked_actor(request: Request, offered: list[Actor]) -> Actor:
    """
    Find the demo actor that a request names.

    Parameters
    ----------
    request
        Whose header or cookie says who asks.
    offered
        The demo actors there are.

    Returns
    -------
    Actor
        The one named, else the first one, else a visitor.

    Raises
    ------
    NotFoundError
        The header names somebody who is not offered.
    """
    wish = request.headers.get(ACTOR_HEADER) or request.cookies.get(ACTOR_COOKIE)
    for actor in offered:
        if wish == str(actor.actor_id):
            return actor
    if request.headers.get(ACTOR_HEADER):
        raise NotFoundError("access.no_actor", actor=_shown(wish))
    return offered[0] if offered else VISITOR


def _shown(wish: str | None) -> str:
    return (wish or "")[:20]


def choose_actor(connection: sa.Connection, actor_id: int) -> Actor:
    """
    Find a demo actor by its id.

    Parameters
    ----------
    connection
        An open transaction.
    actor_id
        Whose.

    Returns
    -------
    Actor
        One that the menu offers.

    Raises
    ------
    NotFoundError
        It is not offered.
    """
    actor = find_actor(connection, actor_id)
    if actor not in demo_actors(connection):
        raise NotFoundError("access.no_actor", actor=actor_id)
    return actor


ActorDep = Annotated[Actor, Depends(get_actor)]


ConnectionDep = Annotated[sa.Connection, "given by api.routing.Router"]
"""A transaction in the name of who asks, for the time of the endpoint and in its own thread."""


async def get_language(
    request: Request,
    lang: Annotated[
        Literal["zh-CN", "en"] | None, Query(description="The language of texts and errors.")
    ] = None,
) -> Language:
    """Choose the language of the answer."""
    return lang or language_of(request)


LanguageDep = Annotated[Language, Depends(get_language)]


@dataclass(frozen=True)
class Paging:
    """Which part of a list is asked for."""

    limit: int
    offset: int


async def get_paging(
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of the page.")] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="Rows before it.")] = 0,
) -> Paging:
    """Read the page asked for."""
    return Paging(limit, offset)


PagingDep = Annotated[Paging, Depends(get_paging)]


class Page(BaseModel, Generic[Item]):
    """A part of a list, with the number of all."""

    items: list[Item]
    total: int
    limit: int
    offset: int


def page_of(found: tuple[list[Item], int], paging: Paging) -> Page[Item]:
    """
    Shape a page.

    Parameters
    ----------
    found
        The rows and the number of all.
    paging
        Which part was asked for.

    Returns
    -------
    Page
        Both together.
    """
    items, total = found
    return Page(items=items, total=total, limit=paging.limit, offset=paging.offset)


async def get_bbox(
    bbox: Annotated[
        str | None,
        Query(
            max_length=200,
            description="west,south,east,north in degrees.",
            examples=["112.85,28.65,112.95,28.75"],
        ),
    ] = None,
) -> tuple[float, float, float, float] | None:
    """Read a box on the map."""
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError as error:
        raise InputError("api.bad_bbox", place=Place(field="bbox")) from error
    numbers = (west, south, east, north)
    fits = -180 <= west < east <= 180 and -90 <= south < north <= 90
    if not (all(math.isfinite(number) for number in numbers) and fits):
        raise InputError("api.bad_bbox", place=Place(field="bbox"))
    return numbers


BboxDep = Annotated[tuple[float, float, float, float] | None, Depends(get_bbox)]

At = Annotated[
    date | None,
    Query(description="As of this day; today in Asia/Shanghai where it is left out."),
]
SchemeCode = Annotated[
    str,
    Query(max_length=100, description="Code of the scheme; base is the base scheme."),
    AfterValidator(without_nul),
]
Words = Annotated[
    str, Query(max_length=200, description="What is looked for."), AfterValidator(without_nul)
]
Name = Annotated[str | None, Query(max_length=100), AfterValidator(lambda v: v and without_nul(v))]
IdPath = Annotated[int, Path(ge=1, le=_BIGGEST_ID)]
IdQuery = Annotated[int | None, Query(ge=1, le=_BIGGEST_ID)]
Rank = Annotated[int, Query(ge=1, le=20, description="Level; 1 is the top.")]
RankOrNone = Annotated[int | None, Query(ge=1, le=20, description="Only this level; 1 is the top.")]
Zoom = Annotated[int, Query(ge=0, le=22, description="Zoom of the map.")]
Days = Annotated[int | None, Query(ge=1, le=36_500, description="Within so many days.")]
Lon = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[112.9])]
Lat = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[28.7])]
