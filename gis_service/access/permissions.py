"""Who may enter, change and import what: one table, read by every door.

Areas come on top: whoever answers for some grids only may enter what lies in these. The reasons
stand in docs/decisions/0006-who-enters-what.md.
"""

from collections.abc import Mapping
from typing import Final

from gis_service.access.actor import Actor
from gis_service.errors import NotAllowedError

ENTERS: Final[Mapping[str, frozenset[str]]] = {
    "officer": frozenset({"county_office"}),
    "leave": frozenset({"county_office", "dispatcher"}),
    "duty": frozenset({"county_office", "planner"}),
    "facility": frozenset({"county_office", "planner"}),
    "household": frozenset({"county_office", "grid_officer"}),
    "building": frozenset({"county_office", "planner", "grid_officer"}),
    "premises": frozenset({"county_office", "planner", "grid_officer"}),
    "hazard": frozenset({"county_office", "dispatcher", "grid_officer"}),
}
"""Roles by kind of record; an analyst reads figures and a visitor the map, neither writes."""

IMPORTS: Final = frozenset({"county_office", "planner"})
"""Roles that may hand in files: a file reaches over the whole county."""

LOCATES_FILES: Final = frozenset(
    {"county_office", "planner", "analyst", "dispatcher", "grid_officer"}
)
"""Roles that may have a whole file of places located; it goes back to whoever sent it."""

REVEALS: Final = frozenset({"county_office", "grid_officer"})
"""Roles that may see who lives in a household, after giving a reason that is written down."""

REASONS: Final = ("visit", "emergency", "correction", "request")
"""Why somebody looks; chosen, never typed, so that no personal data gets into the record."""


def may_enter(actor: Actor, kind: str) -> bool:
    """
    Tell whether an actor may add and change records of a kind.

    Parameters
    ----------
    actor
        Who asks.
    kind
        One of :data:`ENTERS`.

    Returns
    -------
    bool
        By role; the areas are looked at where the place is known.
    """
    return actor.role in ENTERS[kind]


def require_entering(actor: Actor, kind: str) -> None:
    """
    Refuse an actor who may not enter a kind of record.

    Parameters
    ----------
    actor
        Who asks.
    kind
        One of :data:`ENTERS`.

    Raises
    ------
    NotAllowedError
        The role may not.
    """
    if not may_enter(actor, kind):
        raise NotAllowedError("access.may_not_enter")


def may_import(actor: Actor) -> bool:
    """
    Tell whether an actor may hand in files.

    Parameters
    ----------
    actor
        Who asks.

    Returns
    -------
    bool
        By role, and only for the whole county.
    """
    return actor.role in IMPORTS and actor.areas is None


def require_importing(actor: Actor) -> None:
    """
    Refuse an actor who may not hand in files.

    Parameters
    ----------
    actor
        Who asks.

    Raises
    ------
    NotAllowedError
        The role may not, or it answers for a part of the county only.
    """
    if not may_import(actor):
        raise NotAllowedError("access.may_not_import")


def require_locating_files(actor: Actor) -> None:
    """
    Refuse an actor who may not have whole files located.

    Parameters
    ----------
    actor
        Who asks.

    Raises
    ------
    NotAllowedError
        The role may not.
    """
    if actor.role not in LOCATES_FILES:
        raise NotAllowedError("access.may_not_locate_files")


def require_revealing(actor: Actor) -> None:
    """
    Refuse an actor who may not see who lives in a household.

    Parameters
    ----------
    actor
        Who asks.

    Raises
    ------
    NotAllowedError
        The role may not.
    """
    if actor.role not in REVEALS:
        raise NotAllowedError("access.may_not_reveal")
