"""The actor under whose name every request, command and job runs.

Somebody with an account or a key has an actor with role and areas. A store whose people are made up
offers a few demo actors to everybody; whoever is nobody is the visitor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import sqlalchemy as sa

from gis_service.errors import NotAllowedError, NotFoundError
from gis_service.roles import LOCAL_ROLES, Role
from gis_service.store import tables as t


@dataclass(frozen=True)
class Origin:
    """Where a request comes from, for the record: nothing is decided by it."""

    session_id: int | None = None
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class Actor:
    """
    Someone who asks.

    Attributes
    ----------
    actor_id
        Row of the ``actor`` table.
    role
        One of ``roles.ROLES``.
    areas
        Grid ids of any level; None is the whole county.
    origin
        Where the request comes from; actors that differ in nothing else are equal.
    """

    actor_id: int
    name: str
    name_en: str
    role: str
    areas: tuple[int, ...] | None = None
    origin: Origin = field(default=Origin(), compare=False)

    def at(self, origin: Origin) -> Self:
        """
        Give the same actor, asking from somewhere.

        Parameters
        ----------
        origin
            Where the request comes from.

        Returns
        -------
        Actor
            Equal to this one.
        """
        return replace(self, origin=origin)


SYSTEM: Final = Actor(1, "系统", "System", "county_office")
"""Commands run on the machine itself; row 1 of the table, written by the first migration."""

VISITOR: Final = Actor(0, "访客", "Visitor", "visitor")
"""Anyone without a name: sees the map, no person and no trouble."""


def find_actor(connection: sa.Connection, actor_id: int) -> Actor:
    """
    Read one actor.

    Parameters
    ----------
    connection
        An open transaction.
    actor_id
        Whose.

    Returns
    -------
    Actor
        The row as it stands.

    Raises
    ------
    NotFoundError
        There is no such actor.
    """
    row = connection.execute(sa.select(t.actor).where(t.actor.c.actor_id == actor_id)).first()
    if row is None:
        raise NotFoundError("access.no_actor", actor=actor_id)
    return actor_of(row)


def is_made_up(connection: sa.Connection) -> bool:
    """
    Tell whether all people of the store are made up.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    bool
        True where the loader of the demo county has marked it.
    """
    return bool(connection.execute(sa.select(sa.exists(sa.select(t.made_up)))).scalar_one())


def mark_made_up(connection: sa.Connection) -> None:
    """Mark the store as one of made-up people; only for loaders that make all of them up."""
    connection.execute(sa.insert(t.made_up))


def list_demo_actors(connection: sa.Connection) -> list[Actor]:
    """
    List the actors the page's menu offers in a store of made-up people.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of Actor
        In the order they were made; none where the people are real.
    """
    made_up = sa.exists(sa.select(t.made_up))
    query = sa.select(t.actor).where(t.actor.c.is_demo, made_up).order_by(t.actor.c.actor_id)
    return [actor_of(row) for row in connection.execute(query)]


_DEMO: Final[tuple[tuple[str, str, Role], ...]] = (
    ("县网格办", "County office", "county_office"),
    ("规划员", "Planner", "planner"),
    ("调度员", "Dispatcher", "dispatcher"),
    ("分析员", "Analyst", "analyst"),
    ("网格员", "Grid officer", "grid_officer"),
    ("访客", "Visitor", "visitor"),
    ("镇街网格办", "Town office", "town_office"),
    ("村网格长", "Village head", "village_head"),
    ("指挥大屏", "Wall screen", "display"),
    ("审计员", "Auditor", "auditor"),
    ("系统管理员", "Administrator", "administrator"),
)


def ensure_demo_actors(connection: sa.Connection, areas: Mapping[str, int]) -> None:
    """
    Write the few actors that stand in for people in a store of made-up ones, where they lack.

    Parameters
    ----------
    connection
        An open transaction.
    areas
        The one grid that each local role answers for; a role that is not in it is left out.

    Raises
    ------
    NotAllowedError
        The store is not marked as made up.
    """
    if not is_made_up(connection):
        raise NotAllowedError("access.not_made_up")
    known = {actor.role for actor in list_demo_actors(connection)}
    rows = [
        {
            "name": name,
            "name_en": name_en,
            "role": role,
            "is_demo": True,
            "areas": [areas[role]] if role in LOCAL_ROLES else None,
        }
        for name, name_en, role in _DEMO
        if role not in known and (role not in LOCAL_ROLES or role in areas)
    ]
    if rows:
        connection.execute(sa.insert(t.actor), rows)


def actor_of(row: sa.Row[Any]) -> Actor:
    """Make an actor of the columns of its row."""
    areas = None if row.areas is None else tuple(row.areas)
    return Actor(row.actor_id, row.name, row.name_en, row.role, areas)
