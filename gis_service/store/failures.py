"""What the database or the disk says went wrong, as errors of ours, and never a value of a row.

PostgreSQL puts the row that broke a constraint into DETAIL, the row of a COPY into CONTEXT and the
text that is no number into the message itself. None of that may reach a log or an answer.
"""

import errno
import traceback
from collections.abc import Mapping
from typing import Final

import psycopg
import psycopg2
import sqlalchemy as sa

from gis_service.errors import (
    DeadlockError,
    DiskFullError,
    GisError,
    LockTimeoutError,
    OutageError,
    QueryCancelledError,
    ServerLostError,
)

_OUTAGES: Final[Mapping[str, type[OutageError]]] = {
    "57014": QueryCancelledError,  # query_canceled
    "55P03": LockTimeoutError,  # lock_not_available
    "40P01": DeadlockError,  # deadlock_detected
    "40001": DeadlockError,  # serialization_failure
    "53100": DiskFullError,  # disk_full
}
_LOST_CLASSES: Final = ("08", "53", "57", "58")
"""Connection, resources, operator and system: the server cannot go on, whoever asked for what."""
_WORDS_WITHOUT_VALUES: Final = (*_LOST_CLASSES, "23", "25", "40", "42", "54", "55")
"""Classes of SQLSTATE whose first line names tables, columns and constraints, but no value."""
_OURS: Final = "COPY from stdin failed"
"""Said with 57014 where our own code broke while it wrote rows, and then with its words."""
_DRIVER_ERRORS: Final = (psycopg2.Error, psycopg.Error)
_GONE: Final = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
UNREACHABLE: Final = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What SQLAlchemy raises where the database does not answer."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


def find_outage(error: BaseException) -> OutageError | None:
    """
    Find which of our outages an error of a driver or of the system is.

    Parameters
    ----------
    error
        Anything; what it was raised from is looked at too.

    Returns
    -------
    OutageError or None
        Not yet raised; None where it is none of them.
    """
    if isinstance(error, OutageError):
        return error
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return DiskFullError(describe_error(error))
    driver = getattr(error, "orig", None) or error
    if isinstance(driver, _DRIVER_ERRORS):
        code = sqlstate(driver)
        if code and (driver.diag.message_primary or "").startswith(_OURS):
            return None
        outage = _OUTAGES.get(code or "")
        if outage is None and (code[:2] in _LOST_CLASSES if code else isinstance(driver, _GONE)):
            outage = ServerLostError
        return None if outage is None else outage(describe_error(driver))
    return None if error.__cause__ is None else find_outage(error.__cause__)


def sqlstate(error: BaseException) -> str | None:
    """Read the five characters by which PostgreSQL names an error."""
    code: str | None = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
    return code


def describe_error(error: BaseException) -> str:
    """
    Say for the log what an error is, without a value that somebody handed in.

    Parameters
    ----------
    error
        Anything.

    Returns
    -------
    str
        Its class; with SQLSTATE and cause, the system's words, or the message key of an error of
        ours.
    """
    driver = getattr(error, "orig", None) or error
    name = type(driver).__name__
    if isinstance(driver, _DRIVER_ERRORS):
        return f"{name}: {_describe_without_values(driver)}"
    if isinstance(error, OutageError):
        return f"{name}: {error.cause}"
    if isinstance(error, GisError):
        return f"{name}: {error.key}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name}: {errno.errorcode.get(error.errno, error.errno)}"
    return name


def _describe_without_values(error: psycopg2.Error | psycopg.Error) -> str:
    """Say SQLSTATE and cause; names of tables and constraints, never what stands in them."""
    code = sqlstate(error)
    if code is None:
        return " ".join(str(error).split())  # of the client library: it has seen no row
    diag = error.diag
    message = (diag.message_primary or "") if code[:2] in _WORDS_WITHOUT_VALUES else ""
    message = _OURS if message.startswith(_OURS) else message
    names = [
        f"{name} {value}"
        for name, value in (
            ("table", diag.table_name),
            ("column", diag.column_name),
            ("constraint", diag.constraint_name),
        )
        if value
    ]
    return ", ".join(filter(None, [f"SQLSTATE {code}", message, *names]))


def remove_values(error: psycopg2.Error) -> None:
    """Take out of an error's own words what the server quoted from the rows."""
    if sqlstate(error) is not None:
        error.args = (_describe_without_values(error),)


def clean_errors(engine: sa.Engine) -> None:
    """Let no error of an engine hold a value of a row in its words."""

    @sa.event.listens_for(engine, "handle_error")
    def clean(context: sa.engine.ExceptionContext) -> None:
        driver, wrapped = context.original_exception, context.sqlalchemy_exception
        if isinstance(driver, psycopg2.Error):
            remove_values(driver)
            if wrapped is not None:
                wrapped.args = (describe_error(driver),)


def traceback_without_values(error: BaseException) -> str:
    """
    Write where an error came from: files, lines and classes, but no words that may hold values.

    Parameters
    ----------
    error
        Anything; its causes come first, as Python writes them.

    Returns
    -------
    str
        Lines.
    """
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        nested = [traceback_without_values(part) for part in getattr(current, "exceptions", ())]
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append("\n".join([f"{frames}{describe_error(current)}", *nested]))
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "\n\nwhich led to:\n\n".join(reversed(parts))
