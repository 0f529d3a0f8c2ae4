"""PostGIS: the cluster of our own, the engine, the tables, and all SQL that is text."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gis_service.settings import server_settings, store_settings
from gis_service.store.account import Account, find_server_account
from gis_service.store.cluster import DATABASE, Cluster
from gis_service.store.engine import Store, store_url
from gis_service.store.migrate import MigrationState, require_newest, upgrade

__all__ = [
    "MigrationState",
    "Store",
    "find_database",
    "find_service_account",
    "open_store",
    "upgrade",
]


def find_service_account() -> Account | None:
    """
    Tell which account the service runs as when root starts it: the private database's.

    Returns
    -------
    Account or None
        None for everybody but root.
    """
    if store_settings().database_url:
        return find_server_account()
    return Cluster.for_settings().find_account()


def find_database(*names: str) -> str | None:
    """
    Find the first of some databases that the private cluster holds.

    Parameters
    ----------
    *names
        The one that is wanted most first.

    Returns
    -------
    str or None
        Always None with a server of one's own, whose URL says which database to use.
    """
    if store_settings().database_url:
        return None
    with Cluster.for_settings() as cluster:
        return next((name for name in names if cluster.has_database(name)), None)


@contextmanager
def open_store(
    *, migrate: bool = True, watch: bool = False, database: str | None = None
) -> Iterator[Store]:
    """
    Open the store by the settings, starting the private cluster where no database is named.

    Parameters
    ----------
    migrate
        Bring the database to this release first; without the owner's login, refuse one that is not.
    watch
        Start the private cluster again if its process dies while the store is open.
    database
        A database of its own in the private cluster, for a region beside the county; with a server
        of one's own its URL says which database, and this is ignored.

    Yields
    ------
    Store
        Connected as the role that owns nothing.
    """
    settings = store_settings()
    with ExitStack() as stack:
        if settings.database_url:
            service = store_url(settings.database_url)
            owners = settings.database_owner_url
            if migrate and owners:
                upgrade(store_url(owners))
        else:
            cluster = stack.enter_context(Cluster.for_settings())
            name = database or DATABASE
            service = cluster.url("gis_service", name)
            if migrate:
                if database is not None:
                    cluster.ensure_database(database)
                upgrade(cluster.url("gis_admin", name))
            if watch:
                stack.enter_context(cluster.watch())
        store = Store(service, connections=server_settings().connections)
        stack.callback(store.close)
        if migrate:
            require_newest(store)
        yield store
