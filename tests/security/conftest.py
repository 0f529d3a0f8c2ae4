"""The drawn county and its client, and every door of the app: what is tested here holds for all."""

from tests.api.conftest import as_actor, client, small_county

__all__ = ["as_actor", "client", "small_county"]
