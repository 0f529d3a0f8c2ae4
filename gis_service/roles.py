"""The roles that an actor can have; what each may do stands in ``access/permissions.py``."""

from typing import Final, Literal, get_args

Role = Literal["county_office", "planner", "dispatcher", "analyst", "grid_officer", "visitor"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
