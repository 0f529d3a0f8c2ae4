"""Who is told where a household lives: one rule for every route, and the masks of the others.

A list, a search, a card and an export ask here before an address or a point of a household leaves.
Which households an actor sees at all says ``access.visible``; the reasons stand in
docs/decisions/0013-who-is-told-an-address.md. Nothing here reads the store.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gis_service.access.actor import Actor
from gis_service.access.permissions import KNOW_ADDRESSES, Need
from gis_service.records import RECORDS

HIDDEN: Final = "***"
ROUGH_DECIMALS: Final = 3
"""Of degrees, about 100 m: a place for a map, from which no house can be told."""


@dataclass(frozen=True)
class Home:
    """Where a household lives, as far as its reader may know."""

    address: str
    lon: float
    lat: float
    # False: the address ends with the street, and the place is right to about 100 m.
    exact: bool


def knows_address(actor: Actor, need: Need = "records") -> bool:
    """
    Tell whether an actor is told addresses and points of the households in sight.

    Parameters
    ----------
    actor
        Who asks.
    need
        What for.

    Returns
    -------
    bool
        By role.
    """
    return KNOW_ADDRESSES[need].allows(actor)


def find_home(actor: Actor, row: Any, need: Need = "records") -> Home:
    """
    Say where a household lives.

    Parameters
    ----------
    actor
        Who asks; must see the household.
    row
        With ``street``, ``house_number``, ``group_number``, ``room``, ``lon`` and ``lat``.
    need
        What for.

    Returns
    -------
    Home
        In clear or masked, by the role.
    """
    if knows_address(actor, need):
        return Home(write_address(row), row.lon, row.lat, exact=True)
    lon, lat = (round(degrees, ROUGH_DECIMALS) for degrees in (row.lon, row.lat))
    return Home(f"{row.street}{HIDDEN}", lon, lat, exact=False)


def write_address(row: Any) -> str:
    """
    Write a household's address in one line.

    Parameters
    ----------
    row
        With ``street``, ``house_number``, ``group_number`` and ``room``.

    Returns
    -------
    str
        Such as ``东街12号 3组 502``.
    """
    group = f"{row.group_number}组" if row.group_number else ""
    parts = (f"{row.street}{row.house_number}", group, row.room)
    return " ".join(part for part in parts if part)


def mask_value(kind: str, field: str, value: Any) -> str:
    """
    Hide a value as its kind of record says.

    Parameters
    ----------
    kind
        One of ``records.RECORDS``.
    field
        One of its fields that has a mask.
    value
        In clear.

    Returns
    -------
    str
        What may be told.
    """
    return _MASKS[RECORDS[kind].field(field).mask](value)


def mask_name(name: str) -> str:
    """Leave the family name."""
    return name[:1] + "*" * (len(name) - 1)


def mask_phone(phone: str) -> str:
    """Leave what does not reach anybody."""
    if len(phone) < 8:
        return "*" * len(phone)
    return phone[:3] + "*" * (len(phone) - 5) + phone[-2:]


_MASKS: Final[Mapping[str, Callable[[Any], str]]] = {
    "name": mask_name,
    "phone": mask_phone,
    "whole": lambda _: HIDDEN,
}
