"""The locator that a serving process keeps: today's version of each scheme, checked every second.

The store is asked which version is in force at least once a second, so that a publication and the
turn of a day are noticed; other days are answered from the store.
"""

import threading
import time
from dataclasses import dataclass
from typing import Final

from gis_service.access import SYSTEM
from gis_service.grids.locator import Locator
from gis_service.grids.versions import Version, in_force, polygons
from gis_service.store.engine import Store

_CHECK_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class Serving:
    """A locator and the version it answers for."""

    version: Version
    locator: Locator


class LocatorCache:
    """
    Locators by scheme, shared by the threads of one process.

    Parameters
    ----------
    store
        The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Serving]] = {}

    def current(self, scheme: str = "base", *, anew: bool = False) -> Serving:
        """
        Give the locator of the version in force now.

        Parameters
        ----------
        scheme
            Code of the scheme.
        anew
            Compare with the store in any case.

        Returns
        -------
        Serving
            At most a second behind the store.

        Raises
        ------
        NotFoundError
            Nothing is published yet.
        """
        held = self._held.get(scheme)
        if not anew and held is not None and time.monotonic() - held[0] < _CHECK_EVERY_S:
            return held[1]
        with self._lock, self._store.transaction(SYSTEM) as connection:
            version = in_force(connection, scheme)
            held = self._held.get(scheme)
            if held is not None and held[1].version == version:
                serving = held[1]
            else:
                ids, shapes = polygons(connection, version.scheme_id, version.effective_day)
                serving = Serving(version, Locator(ids, shapes))
            self._held[scheme] = (time.monotonic(), serving)
        return serving
