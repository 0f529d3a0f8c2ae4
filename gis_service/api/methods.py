"""Wrong methods: 405 with what is allowed, also where a parameter of another path would match.

``GET /api/incidents/import`` is not the incident called import: that path only takes POST.
"""

from collections.abc import Iterable
from typing import Final

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, compile_path

_METHODS: Final = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})


def make_refusals(routes: Iterable[object]) -> list[Route]:
    """Make routes that refuse methods in the name of the path that is meant."""
    allowed: dict[str, set[str]] = {}
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            allowed.setdefault(route.path, set()).update(route.methods or ())
    routes_made = []
    for path, methods in allowed.items():
        shadowed = {
            method
            for other_path, theirs in allowed.items()
            if other_path != path and compile_path(other_path)[0].match(path)
            for method in theirs - methods
        }
        if shadowed & _METHODS:
            routes_made.append(_make_refusal(path, sorted(shadowed), ", ".join(sorted(methods))))
    return routes_made


def _make_refusal(path: str, shadowed: list[str], allowed: str) -> Route:
    async def refuse(_: Request) -> Response:
        raise HTTPException(405, headers={"Allow": allowed})

    return Route(path, refuse, methods=shadowed, include_in_schema=False)
