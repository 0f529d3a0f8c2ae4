"""Notices of the database (``LISTEN``/``NOTIFY``) as they come, on a connection of its own.

A notice is the fast path only: it is lost while nobody listens, so whoever listens reads the tables
as well.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import psycopg
import sqlalchemy as sa
from psycopg import sql

from gis_service.store.engine import libpq_address

CHANNELS: Final = ("gis_incident", "gis_version", "gis_plan")
LOST: Final = (TimeoutError, psycopg.Error, sa.exc.SQLAlchemyError)
"""Errors of a database that does not answer for a while, whichever driver says so."""


@dataclass(frozen=True)
class Notice:
    """What the database told; without a channel nothing came in the time that was waited."""

    channel: str | None
    payload: str = ""


async def listen(url: sa.URL, wait_s: float) -> AsyncIterator[Notice]:
    """
    Listen until the caller stops asking.

    Parameters
    ----------
    url
        Of the database.
    wait_s
        After so long without a notice an empty one is given.

    Yields
    ------
    Notice
        The first one is empty: from then on nothing is missed.

    Raises
    ------
    psycopg.OperationalError
        The connection is lost.
    """
    connection = await psycopg.AsyncConnection.connect(libpq_address(url), autocommit=True)
    async with connection:
        for channel in CHANNELS:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield Notice(None)
        while True:
            came = False
            async for notify in connection.notifies(timeout=wait_s, stop_after=1):
                came = True
                yield Notice(notify.channel, notify.payload)
            if not came:
                yield Notice(None)
