"""One hostile file or body: how it is made, and which way it goes in."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

Route = Literal["import", "assign", "read", "http"]
"""Handed in over the page and tried by a worker; located; read as a region; sent as it is."""

Make = Callable[[Random], bytes]


@dataclass(frozen=True)
class Case:
    """
    What is sent.

    Attributes
    ----------
    name
        For the list; says what is wrong with it.
    route
        Which way it goes in.
    file
        The sender's name of it; of a body the address that it is sent to.
    make
        Its bytes; of a body the whole request.
    kind
        As what a file is handed in.
    crs
        What the sender states.
    valid
        True where it is right and must be taken.
    """

    name: str
    route: Route
    file: str
    make: Make
    kind: str = "buildings"
    crs: str | None = None
    valid: bool = False


CASES: Final[list[Case]] = []


def hostile(
    name: str, route: Route, file: str, *, kind: str = "buildings", crs: str | None = None
) -> Callable[[Make], Make]:
    """
    Put a maker on the list.

    Parameters
    ----------
    name, route, file, kind, crs
        As in :class:`Case`.

    Returns
    -------
    callable
        Leaves the maker as it is.
    """

    def listed(make: Make) -> Make:
        CASES.append(Case(name, route, file, make, kind, crs))
        return make

    return listed
