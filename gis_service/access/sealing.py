"""What a worker does for the record by the clock: it seals, and leaves the head elsewhere."""

import logging
import os
from typing import Final

from gis_service.access import audit
from gis_service.access.actor import SYSTEM
from gis_service.settings import audit_settings, keeping_settings
from gis_service.store import Store

_AT_ONCE: Final = 5000
_log = logging.getLogger(__name__)


def seal(store: Store) -> int:
    """
    Take all committed events into the chain; of several that do it at once one goes on at a time.

    Parameters
    ----------
    store
        The store.

    Returns
    -------
    int
        How many.
    """
    with store.transaction(SYSTEM, read_only=True) as connection:
        if not audit.has_unsealed(connection):
            return 0
    total = 0
    while True:
        with store.transaction(SYSTEM) as connection:
            sealed, head = audit.seal_events(connection, _AT_ONCE)
        if head is not None and sealed:
            _leave_head(head)
        total += sealed
        if sealed < _AT_ONCE:
            return total


def _leave_head(head: audit.Head) -> None:
    """Append the head to the file elsewhere; where that fails, the next one is as good."""
    path = audit_settings().head_file
    if path is None:
        return
    line = f"{head.number}:{head.hash} {head.at.isoformat()}\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(file, line.encode())
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        _log.error("the head of the record could not be left in GIS_AUDIT_HEAD_FILE: %s", error)


def prune_record(store: Store) -> int:
    """
    Remove sealed events that are older than the setting says.

    Parameters
    ----------
    store
        The store.

    Returns
    -------
    int
        How many; the rest of many goes the next time.
    """
    with store.transaction(SYSTEM) as connection:
        return audit.prune_events(connection, keeping_settings().record_days, _AT_ONCE)
