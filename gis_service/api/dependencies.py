"""What routers ask for by type: the store, who asks, the language, the page, a box, a day.

Parsers live here so that routers stay thin; every bound on a parameter is one of these types.
"""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final, Generic, Literal, TypeVar

import sqlalchemy as sa
from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from gis_service.access import Actor
from gis_service.api.authentication import Authenticator, Caller
from gis_service.api.problems import language_of
from gis_service.api.request_checks import BIGGEST
from gis_service.errors import InputError, Place
from gis_service.messages import Language
from gis_service.store import Store

MOST_ROWS: Final = 500

_Unwritten = Literal[
    "int_parsing", "float_parsing", "bool_parsing", "date_parsing", "datetime_parsing"
]
Item = TypeVar("Item")


def _written(form: str, otherwise: _Unwritten) -> BeforeValidator:
    """Take a text of one form only: pydantic by itself also takes 1_0, yes, and 0 for 1970."""
    pattern = re.compile(form, re.ASCII)

    def check(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            context = {"error": "another form"} if otherwise.startswith("date") else None
            raise PydanticKnownError(otherwise, context)
        return value

    return BeforeValidator(check)


WHOLE: Final = _written(r"-?\d{1,19}", "int_parsing")
NUMBER: Final = _written(r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", "float_parsing")
FLAG: Final = _written("true|false", "bool_parsing")
"""Behind ``Query`` or ``Path``: the parameter is written as JSON writes it."""

Day = Annotated[date, Field(strict=False), _written(r"\d{4}-\d\d-\d\d", "date_parsing")]
Moment = Annotated[
    datetime,
    Field(strict=False),
    _written(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:\d\d)?", "datetime_parsing"),
]


class RequestBody(BaseModel):
    """What is sent to us as JSON: of the types that its schema names, and no member more."""

    model_config = ConfigDict(extra="forbid", strict=True)


async def get_store(request: Request) -> Store:
    """Give the store that the app was made with."""
    store: Store = request.app.state.store
    return store


StoreDep = Annotated[Store, Depends(get_store)]


async def get_caller(request: Request) -> Caller:
    """Find who asks, and by what that is known."""
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.identify(request)


CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_actor(caller: CallerDep) -> Actor:
    """Find who asks."""
    return caller.actor


ActorDep = Annotated[Actor, Depends(get_actor)]


ConnectionDep = Annotated[sa.Connection, "given by api.routing.Router"]
"""A transaction in the name of who asks, for the time of the endpoint and in its own thread."""

RecordingDep = Annotated[sa.Connection, "the same, and a GET may record in it who looked"]


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
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of the page."), WHOLE] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="Rows before it."), WHOLE] = 0,
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


def make_page(rows_and_total: tuple[list[Item], int], paging: Paging) -> Page[Item]:
    """Shape a page."""
    items, total = rows_and_total
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
    Day | None,
    Query(description="As of this day; today in Asia/Shanghai where it is left out."),
]
SchemeCode = Annotated[
    str, Query(max_length=100, description="Code of the scheme; base is the base scheme.")
]
Words = Annotated[str, Query(max_length=200, description="What is looked for.")]
Name = Annotated[str | None, Query(max_length=100)]
IdPath = Annotated[int, Path(ge=1, le=BIGGEST), WHOLE]
IdQuery = Annotated[int | None, Query(ge=1, le=BIGGEST), WHOLE]
Rank = Annotated[int, Query(ge=1, le=20, description="Level; 1 is the top."), WHOLE]
RankOrNone = Annotated[
    int | None, Query(ge=1, le=20, description="Only this level; 1 is the top."), WHOLE
]
Zoom = Annotated[int, Query(ge=0, le=22, description="Zoom of the map."), WHOLE]
TilePart = Annotated[
    int,
    Path(le=BIGGEST, description="Of the Web Mercator pyramid; y counts from the north."),
    WHOLE,
]
Days = Annotated[int | None, Query(ge=1, le=36_500, description="Within so many days."), WHOLE]
