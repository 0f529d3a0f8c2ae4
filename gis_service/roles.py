"""The roles that an actor can have; what each may do stands in ``access/permissions.py``."""

from typing import Final, Literal, get_args

Role = Literal[
    "administrator",
    "county_office",
    "planner",
    "dispatcher",
    "analyst",
    "town_office",
    "village_head",
    "grid_officer",
    "auditor",
    "display",
    "visitor",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)

LOCAL_ROLES: Final[frozenset[Role]] = frozenset({"town_office", "village_head", "grid_officer"})
"""They answer for areas of their own, never for the whole county."""
