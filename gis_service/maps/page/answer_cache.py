"""Figures that were counted before, kept until the data they stand on change.

What is kept belongs to a question, and a question names who may see what: the role's kind and the
areas stand in it. Nothing here counts anything.
"""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import sqlalchemy as sa

from gis_service import __version__, snapshot
from gis_service.access import Actor
from gis_service.coverage.standards.book import standard_book
from gis_service.maps.page import queries
from gis_service.snapshot import SnapshotPart
from gis_service.store import Store
from gis_service.store.engine import NOBODY, whole_county
from gis_service.store.tiles import DAY

FIGURES: Final = SnapshotPart(
    "figures",
    (
        "admin_unit",
        "assignment",
        "building",
        "coverage_run",
        "facility",
        "grid_level",
        "grid_scheme",
        "grid_state",
        "grid_version",
        "hazard",
        "household",
        "import_record",
        "incident",
        "premises",
        "road_network",
        DAY,
    ),
)
"""They are kept by question, in the store too; the part says what they depend on."""


@dataclass(frozen=True)
class CachedAnswer:
    """
    What was counted.

    Attributes
    ----------
    packed
        JSON by gzip.
    tag
        Names question and state; equal tags are equal answers.
    unkept
        Question and state of an answer that :func:`store_answer` has still to write into the store.
    """

    packed: bytes
    tag: str
    unkept: tuple[str, str] | None = None


class AnswerCache:
    """
    The answers last given.

    Parameters
    ----------
    most
        How many are kept in memory; the store keeps those of the present state and day.
    """

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._answers: OrderedDict[str, CachedAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, tag: str) -> CachedAnswer | None:
        """
        Look an answer up.

        Parameters
        ----------
        tag
            Its name.

        Returns
        -------
        CachedAnswer or None
            None where it is not held.
        """
        with self._lock:
            return self._answers.get(tag)

    def keep(self, answer: CachedAnswer) -> None:
        """Hold an answer."""
        with self._lock:
            self._answers[answer.tag] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)


def state_of(connection: sa.Connection, part: SnapshotPart = FIGURES) -> str:
    """Name the state of all that figures stand on: data, day, standards and release."""
    data_state = snapshot.read_state(connection, part)
    return hashlib.sha256(
        f"{__version__}/{data_state}/{_standards_as_text()}".encode()
    ).hexdigest()[:24]


@cache
def _standards_as_text() -> str:
    return repr(standard_book())


def question_of(kind: str, actor: Actor, *parts: object) -> str:
    """
    Name a question by what is asked and by whom.

    Parameters
    ----------
    kind
        ``figures``, ``overview`` …
    actor
        Who asks; two actors of one role and the same areas see the same.
    *parts
        What is asked for.

    Returns
    -------
    str
        The name.
    """
    areas = "all" if actor.areas is None else ",".join(str(area) for area in sorted(actor.areas))
    return "/".join([kind, actor.role, areas, *(str(part) for part in parts)])


def find_answer(
    connection: sa.Connection,
    cache: AnswerCache,
    question: str,
    make: Callable[[], bytes],
    *,
    in_store: bool = True,
) -> CachedAnswer:
    """
    Give an answer: held, kept in the store, or made now; nothing is written.

    Parameters
    ----------
    connection
        An open transaction.
    cache
        Of this process.
    question
        As :func:`question_of` names it.
    make
        Writes the JSON.
    in_store
        Also for other processes; only where there are not more questions than a page can ask.

    Returns
    -------
    CachedAnswer
        Of the state of the data as it is now.
    """
    state = state_of(connection)
    tag = hashlib.sha256(f"{question} {state}".encode()).hexdigest()[:24]
    cached = cache.find(tag)
    if cached is None:
        with whole_county(connection):  # the question says who may see what
            packed = queries.read_answer(connection, question, state) if in_store else None
            cached = CachedAnswer(packed or gzip.compress(make(), 6, mtime=0), tag)
        cache.keep(cached)
        if in_store and packed is None:
            return replace(cached, unkept=(question, state))
    return cached


def store_answer(store: Store, answer: CachedAnswer) -> None:
    """
    Write an answer down for other processes; the first of a new state removes the others.

    Parameters
    ----------
    store
        The store.
    answer
        One with ``unkept``; anything else is kept already.
    """
    if answer.unkept is None:
        return
    question, state = answer.unkept
    with store.transaction(NOBODY) as connection, whole_county(connection):
        queries.write_answer(connection, question, state, answer.packed)


def matches_etag(if_none_match: str | None, tag: str) -> bool:
    """
    Tell whether a client already has what a tag names.

    Parameters
    ----------
    if_none_match
        Its header ``If-None-Match``.
    tag
        With its quotes.

    Returns
    -------
    bool
        Weak or strong makes no difference here.
    """
    names = {name.strip().removeprefix("W/") for name in (if_none_match or "").split(",")}
    return tag.removeprefix("W/") in names or "*" in names
