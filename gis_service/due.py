"""What a worker looks for every second: search entries to rebuild, boundaries whose day has come.

A worker that has nothing to do holds little: what the work needs is read when there is some.
"""

from gis_service.access import SYSTEM
from gis_service.grids.versions import is_due
from gis_service.memory import release_free
from gis_service.search.entries import refresh
from gis_service.store.engine import Store


def apply_what_is_due(store: Store) -> None:
    """
    Take over boundaries whose day has come and have the coverage measured; renew the search.

    Of several workers that try at once only the one that marks the version submits.

    Parameters
    ----------
    store
        The store.
    """
    if refresh(store):
        release_free()
    with store.transaction(SYSTEM) as connection:
        if not is_due(connection):
            return
    from gis_service import main_job  # noqa: PLC0415 (all of the program)
    from gis_service.grids.assignment import apply_due  # noqa: PLC0415 (as above)

    with store.transaction(SYSTEM) as connection:
        changed = apply_due(connection)
    if changed["grid_version"]:
        main_job.submit_stale(store)
