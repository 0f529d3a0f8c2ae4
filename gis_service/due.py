"""What a worker looks for every second: what is to be sealed, found again, or in force from now.

A worker that has nothing to do holds little: what the work needs is read when there is some.
"""

from gis_service.access import SYSTEM
from gis_service.access.sealing import seal
from gis_service.grids.versions import is_due
from gis_service.memory import release_free
from gis_service.search.entries import refresh
from gis_service.store.engine import Store


def apply_what_is_due(store: Store) -> None:
    """
    Seal the record, renew the search, take over boundaries whose day has come and measure then.

    Of several workers that try at once only the one that marks the version submits.

    Parameters
    ----------
    store
        The store.
    """
    seal(store)
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
