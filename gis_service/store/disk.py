"""Whether there is room on the disks that are ours: of the data folder and the database."""

import shutil
from pathlib import Path

import sqlalchemy as sa

from gis_service.settings import store_settings


def has_room(url: sa.URL) -> bool:
    """
    Look whether the disks of ours have the room that the settings ask for.

    Parameters
    ----------
    url
        Of the database; where it is on a server of somebody's own, its disk is not looked at.

    Returns
    -------
    bool
        False where one has less than ``disk_free_mb``.
    """
    settings = store_settings()
    places = [settings.data_dir]
    socket = url.query.get("host")
    if settings.database_url is None and isinstance(socket, str) and socket.startswith("/"):
        places.append(Path(socket))  # beside the data of the private cluster
    needed_bytes = settings.disk_free_mb * 1_000_000
    return all(shutil.disk_usage(place).free >= needed_bytes for place in places if place.exists())
