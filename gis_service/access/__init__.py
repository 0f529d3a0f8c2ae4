"""Who asks, what they may see, and the record of what they did."""

from gis_service.access.actor import SYSTEM, Actor
from gis_service.access.audit import record
from gis_service.access.visibility import sees_grid, visible

__all__ = ["SYSTEM", "Actor", "record", "sees_grid", "visible"]
