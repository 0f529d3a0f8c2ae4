"""One append-only record of who did what to what, before and after."""

from collections.abc import Mapping

import sqlalchemy as sa

from gis_service.access.actor import Actor
from gis_service.store import tables as t


def record(
    connection: sa.Connection,
    actor: Actor,
    action: str,
    object_kind: str,
    object_id: object = None,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """
    Append one event inside the caller's transaction.

    Parameters
    ----------
    connection
        The transaction that also does the thing, so that both stand or fall.
    actor
        Who.
    action
        A verb: ``publish``, ``import``, ``run``.
    object_kind
        A table or a capability.
    object_id
        Which one, where there is one.
    before, after
        What it was and is; never personal data in clear.
    """
    connection.execute(
        sa.insert(t.event).values(
            actor_id=actor.actor_id,
            actor_role=actor.role,
            action=action,
            object_kind=object_kind,
            object_id=None if object_id is None else str(object_id),
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )
