"""Routers whose endpoints get their connection late: in the thread that uses it, and no sooner.

A connection that is taken by a dependency is held while its endpoint waits for a thread; when all
threads wait for connections, nobody is answered any more. So an endpoint that asks for a
``ConnectionDep`` is wrapped: its thread opens the transaction, calls it, and ends the transaction.
Where the method is GET, the database refuses every change in it; whoever has to record that
personal data was looked at asks for a ``RecordingDep``. What takes long and needs no connection is
returned as :class:`Afterwards`.
"""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from gis_service.api.dependencies import ActorDep, ConnectionDep, RecordingDep, StoreDep
from gis_service.snapshot import Snapshot, SnapshotPart


@dataclass(frozen=True)
class Afterwards:
    """What is left to do for an answer once its connection has been returned, such as drawing."""

    work: Callable[[], Any]


First = Callable[[Request, dict[str, Any]], AbstractContextManager[Any]]
"""Takes the request and the endpoint's arguments; what it gives is held around the connection."""


class ServiceRouter(APIRouter):
    """
    A router that opens a transaction in the endpoint's own thread, in the name of who asks.

    Parameters
    ----------
    first
        What an endpoint with a connection waits for before it takes one, such as a lock of ours or
        a network that is being read: whoever waits holds no connection.
    **options
        Of FastAPI's router.
    """

    def __init__(self, *, first: First | None = None, **options: Any) -> None:
        self._first = first
        super().__init__(**options)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add an endpoint; one that asks for a connection is wrapped, one of GET only reads."""
        reads = options.get("methods") == ["GET"]
        wrapped = _wrap_in_transaction(endpoint, self._first, reads=reads)
        super().add_api_route(path, wrapped, **options)


def wait_until_made(*parts: SnapshotPart) -> First:
    """Wait until nobody makes some parts of the snapshot, one after the other."""

    def wait(request: Request, _: dict[str, Any]) -> AbstractContextManager[None]:
        snapshot: Snapshot = request.app.state.snapshot
        return snapshot.wait_until_free(*parts)

    return wait


def _wrap_in_transaction(
    endpoint: Callable[..., Any], first: First | None, *, reads: bool
) -> Callable[..., Any]:
    signature = inspect.signature(endpoint)
    parameters = signature.parameters
    kind = parameters["connection"].annotation if "connection" in parameters else None
    if kind not in (ConnectionDep, RecordingDep):
        return endpoint
    assert not inspect.iscoroutinefunction(endpoint), "a connection would be used in the event loop"
    needed = {
        name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        for name, annotation in (("request", Request), ("store", StoreDep), ("actor", ActorDep))
    }
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if name != "connection"
    ]

    @functools.wraps(endpoint)
    def run(**arguments: Any) -> Any:
        store, actor, request = (arguments[name] for name in ("store", "actor", "request"))
        passed = {name: arguments[name] for name in parameters if name != "connection"}
        before = first(request, arguments) if first else nullcontext()
        with before:  # the endpoint is the whole transaction: after a deadlock it is called again
            answer = store.run(
                actor,
                lambda connection: endpoint(**passed, connection=connection),
                read_only=reads and kind == ConnectionDep,
                durable=not reads,  # who looked need not wait for the disk
            )
        return answer.work() if isinstance(answer, Afterwards) else answer

    ours = [parameter for name, parameter in needed.items() if name not in parameters]
    run.__signature__ = signature.replace(parameters=[*own, *ours])  # type: ignore[attr-defined]
    return run
