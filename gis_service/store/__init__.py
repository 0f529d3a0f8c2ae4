"""PostGIS: the cluster of our own, the engine, the tables, and all SQL that is text."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from gis_service.settings import store_settings
from gis_service.store.cluster import Cluster
from gis_service.store.engine import Store
from gis_service.store.migrate import MigrationState, upgrade

__all__ = ["MigrationState", "Store", "open_store", "upgrade"]


@contextmanager
def open_store(*, migrate: bool = True, watch: bool = False) -> Iterator[Store]:
    """
    Open the store by the settings, starting the private cluster where no database is named.

    Parameters
    ----------
    migrate
        Bring the database to this release first.
    watch
        Start the private cluster again if its process dies while the store is open.

    Yields
    ------
    Store
        Connected as the role that owns nothing.
    """
    settings = store_settings()
    with ExitStack() as stack:
        if settings.database_url:
            admin = sa.make_url(settings.database_owner_url or settings.database_url)
            service = sa.make_url(settings.database_url)
        else:
            cluster = stack.enter_context(Cluster.for_settings())
            admin, service = cluster.url("gis_admin"), cluster.url("gis_service")
            if watch:
                stack.enter_context(cluster.watch())
        if migrate:
            upgrade(admin)
        store = Store(service)
        stack.callback(store.close)
        yield store
