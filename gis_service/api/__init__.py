"""The door over HTTP: routers that parse, ask one function of a room, and shape the answer."""

from gis_service.api.app import create_app

__all__ = ["create_app"]
