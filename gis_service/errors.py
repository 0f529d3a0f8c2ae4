"""What can go wrong: one tree, each class with its HTTP status and its exit code.

An error carries a message key and values, so that it is said in the reader's language, and the
place (row, feature, field). It never carries personal data.
"""

from dataclasses import asdict, dataclass
from typing import ClassVar

from gis_service.messages import Language, text


@dataclass(frozen=True)
class Place:
    """Where in the input something is wrong."""

    row: int | None = None
    feature: str | None = None
    field: str | None = None

    def as_dict(self) -> dict[str, object]:
        """
        Name only what is known.

        Returns
        -------
        dict
            The known ones of ``row``, ``feature``, ``field``.
        """
        return {name: value for name, value in asdict(self).items() if value is not None}


class GisError(Exception):
    """
    The root: something that we can name.

    Parameters
    ----------
    key
        The message key; ``web/messages/*/*.json`` says it in words.
    place
        Where in the input.
    **values
        What fills the message's placeholders.
    """

    kind: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retry_after_s: int | None = None

    def __init__(self, key: str, /, *, place: Place | None = None, **values: object) -> None:
        self.key = key
        self.values = values
        self.place = place or Place()
        super().__init__(text(key, "en", **values))

    def say(self, language: Language) -> str:
        """
        Put the error into words.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        str
            What is wrong, where, and what would be right.
        """
        return text(self.key, language, **self.values)

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """
        Tell more than one sentence holds, for a page that shows it where it belongs.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            Members to add to the problem; none unless a class of its own says so.
        """
        return {}


class InputError(GisError):
    """What was handed in cannot be taken as it is."""

    kind = "bad-input"
    status = 422
    exit_code = 2


class NotFoundError(GisError):
    """What was asked for is not there."""

    kind = "not-found"
    status = 404
    exit_code = 3


class NotAllowedError(GisError):
    """The actor may not do or see this."""

    kind = "not-allowed"
    status = 403
    exit_code = 4


class SignInNeededError(GisError):
    """Whoever asks is not signed in any more, or has a key that does not hold."""

    kind = "sign-in-needed"
    status = 401
    exit_code = 4


class TooManyTriesError(GisError):
    """
    It was wrong too often; the next try is looked at later.

    Parameters
    ----------
    retry_after_s
        How many seconds are left to wait.
    """

    kind = "too-many-tries"
    status = 429
    exit_code = 4

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("access.too_many_tries", seconds=retry_after_s)


class ConflictError(GisError):
    """The state does not allow this now."""

    kind = "conflict"
    status = 409
    exit_code = 5


class TooLargeError(GisError):
    """More was handed in at once than is taken."""

    kind = "too-large"
    status = 413
    exit_code = 2


class TooSlowError(GisError):
    """What was handed in did not come in its time."""

    kind = "too-slow"
    status = 408
    exit_code = 2


class StoreError(GisError):
    """The database is absent, too old, or not ours."""

    kind = "store"
    status = 503
    exit_code = 6


class BusyError(GisError):
    """More is asked at once than the service can take: come again in a moment."""

    kind = "busy"
    status = 503
    exit_code = 6
    retry_after_s = 2


class OutageError(StoreError):
    """
    The database or the disk could not do it now.

    What is said to the reader names nothing of ours; the cause is for the log.

    Parameters
    ----------
    cause
        With its SQLSTATE; never a value of a row.
    """

    message: ClassVar[str]

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(self.message)


class QueryCancelledError(OutageError):
    """A question took longer than its kind of work may."""

    kind = "query-cancelled"
    status = 504
    exit_code = 9
    message = "store.query_cancelled"


class LockTimeoutError(OutageError):
    """Somebody else held for too long what was to be changed."""

    kind = "lock-timeout"
    exit_code = 10
    message = "store.lock_timeout"
    retry_after_s = 5


class DeadlockError(OutageError):
    """Two changes stood in each other's way; this one was rolled back and may be tried again."""

    kind = "deadlock"
    exit_code = 11
    message = "store.deadlock"
    retry_after_s = 1


class DiskFullError(OutageError):
    """There is no room left, on the database's disk or on ours."""

    kind = "disk-full"
    status = 507
    exit_code = 12
    message = "store.disk_full"


class ServerLostError(OutageError):
    """The database does not answer, or went away in the middle."""

    kind = "server-lost"
    message = "store.server_lost"
    retry_after_s = 5


class SetupError(GisError):
    """Something this machine lacks."""

    kind = "setup"
    status = 503
    exit_code = 7


class HeldBackError(GisError):
    """A file that looks shifted: nothing was written, and it may be taken all the same."""

    kind = "held-back"
    status = 409
    exit_code = 8


class UpstreamError(GisError):
    """A server that we ask for others did not answer as it should."""

    kind = "upstream"
    status = 502
    exit_code = 8
