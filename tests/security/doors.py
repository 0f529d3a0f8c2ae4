"""Every door of the app, read from its routes: a new one is tested without being named anywhere."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from gis_service.api import create_app
from gis_service.store import Store

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SAMPLES: Final = {
    "form": "json", "layer": "grids", "kind": "household", "day": "2026-05-01",
    "decision": "approve", "sha256": "0" * 64, "token": "0" * 32, "name": "households.csv",
}  # fmt: skip
"""For parameters of a path that are no number."""


class Door(NamedTuple):
    """A method of a path."""

    method: str
    path: str

    @property
    def address(self) -> str:
        """The path with something for each parameter."""
        return fill(self.path, {})

    @property
    def name(self) -> str:
        """How a test is called."""
        return f"{self.method} {self.path}"


def fill(path: str, values: dict[str, Any]) -> str:
    """Put values into a path; samples where none are given."""
    return re.sub(
        r"\{(\w+)(:\w+)?\}",
        lambda found: str(values.get(found[1], SAMPLES.get(found[1], 1))),
        path,
    )


@cache
def app_without_data() -> FastAPI:
    """Make an app that is looked at and never asked."""
    return create_app(Store(sa.make_url("postgresql://nobody@/nothing")), loopback_only=True)


def list_doors() -> list[Door]:
    """List the doors of the app: its API, its pages, its files."""
    return sorted(_walk(app_without_data().routes))


def _walk(routes: Iterable[object]) -> set[Door]:
    doors = set()
    for route in routes:
        if isinstance(route, APIRoute | Route):
            doors |= {Door(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
        elif isinstance(route, Mount):
            doors.add(Door("GET", f"{route.path}/any"))
        else:
            doors |= _walk(route.original_router.routes)  # type: ignore[attr-defined]  # FastAPI's
    return doors
