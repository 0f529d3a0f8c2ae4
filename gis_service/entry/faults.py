"""What can be wrong with a record that somebody typed: every field at once, or another's change.

Errors of the one tree, with what a page needs beside the sentence: each field's own fault, the
row that stands in the way, the record as it is now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gis_service.errors import ConflictError, InputError, Place
from gis_service.messages import Language, text


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field: a message and what fills it; never the value itself."""

    name: str
    key: str
    values: Mapping[str, object] = field(default_factory=dict)


class FieldsError(InputError):
    """
    Fields cannot be taken as they were typed.

    Parameters
    ----------
    faults
        All that were found, the first one first; at least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(first.key, place=Place(field=first.name), **first.values)
        self.faults = tuple(faults)

    def details(self, language: Language) -> dict[str, object]:
        """
        List every field that is wrong.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``errors``: ``field`` and ``detail`` of each.
        """
        return {
            "errors": [
                {"field": fault.name, "detail": text(fault.key, language, **fault.values)}
                for fault in self.faults
            ]
        }


class InTheWayError(ConflictError):
    """
    Another row stands in the way.

    Parameters
    ----------
    key
        The message key.
    name
        The field that meets the other row.
    other
        Kind, id and days of the other row.
    **values
        What fills the message.
    """

    def __init__(
        self, key: str, /, name: str, other: Mapping[str, object], **values: object
    ) -> None:
        super().__init__(key, place=Place(field=name), **values)
        self.other = dict(other)

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """
        Name the other row.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``other``.
        """
        return {"other": self.other}


class StaleError(ConflictError):
    """
    Somebody changed the record in between; nothing was overwritten.

    Parameters
    ----------
    current
        The record as it is now, as its reader may see it.
    sent
        What was to be written.
    """

    status = 412

    def __init__(self, current: Mapping[str, object], sent: Mapping[str, object]) -> None:
        super().__init__("entry.changed_meanwhile")
        self.current = dict(current)
        self.sent = dict(sent)

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """
        Give both versions.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``current`` and ``sent``.
        """
        return {"current": self.current, "sent": self.sent}
