"""The road network that a serving process holds, as every profile sees it, ready for routes.

Read again when another network becomes the active one.
"""

import threading
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import sqlalchemy as sa

from gis_service.coverage.network import ProfileNetwork, RoadNetwork, for_profile
from gis_service.coverage.routes import Router
from gis_service.coverage.runs import read_network
from gis_service.coverage.standards import StandardBook, standard_book
from gis_service.store import tables as t

WALKED_METRES: Final = "walked_metres"
"""Instead of a profile: what may be walked, measured in metres instead of minutes."""


@dataclass(frozen=True)
class _Held:
    network_id: int | None
    network: RoadNetwork
    routers: dict[tuple[str, str], Router]


class RoadsDesk:
    """
    Routers by profile and scenario over the active network.

    Parameters
    ----------
    book
        The standards; without it those in force.
    """

    def __init__(self, book: StandardBook | None = None) -> None:
        self._book = book
        self.lock = threading.Lock()
        self._held: _Held | None = None

    @property
    def book(self) -> StandardBook:
        """The standards."""
        return self._book or standard_book()

    def router(
        self, connection: sa.Connection, profile: str, scenario: str = "normal"
    ) -> Router | None:
        """
        Give the router of a profile over the network that is active now.

        Parameters
        ----------
        connection
            An open transaction.
        profile
            Its code, or :data:`WALKED_METRES`.
        scenario
            Its code.

        Returns
        -------
        Router or None
            None where the county has no roads.

        Raises
        ------
        NotFoundError
            There is no such scenario.
        """
        self.book.scenario(scenario)
        active = connection.scalar(
            sa.select(t.road_network.c.network_id).where(t.road_network.c.active)
        )
        with self.lock:
            if self._held is None or self._held.network_id != active:
                self._held = _Held(*read_network(connection), {})
            held = self._held
            if held.network.edge_count == 0:
                return None
            key = (profile, scenario)
            if key not in held.routers:
                held.routers[key] = self._made(held.network, profile, scenario)
            return held.routers[key]

    def _made(self, network: RoadNetwork, profile: str, scenario: str) -> Router:
        book = self.book
        if profile == WALKED_METRES:
            walked = for_profile(
                network, book.profiles["walk"], book.scenario("normal"), book.place
            )
            return Router(_in_metres(walked), book.place)
        profiled = for_profile(network, book.profiles[profile], book.scenario(scenario), book.place)
        return Router(profiled, book.place)


def _in_metres(profiled: ProfileNetwork) -> ProfileNetwork:
    """Keep what may be used, and count metres where there were minutes."""
    metres = profiled.network.length_m
    return replace(
        profiled,
        minutes_along=np.where(np.isfinite(profiled.minutes_along), metres, np.inf),
        minutes_against=np.where(np.isfinite(profiled.minutes_against), metres, np.inf),
    )
