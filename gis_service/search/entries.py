"""What can be found, rebuilt from the tables when they change.

Triggers note which kinds are out of date; :func:`refresh` rebuilds those in one transaction, so
that who searches meanwhile sees the old entries. No household, and no name of one, becomes an
entry: only its street and number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.access.households import ROUGH_DECIMALS
from gis_service.search import queries
from gis_service.search.wording import as_initials, as_pinyin, normalise, split_address
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from gis_service.store.engine import Store

_WEIGHTS: Final[Mapping[str, float]] = {
    "county": 1.0,
    "town": 0.95,
    "village": 0.9,
    "grid": 0.85,
    "road": 0.8,
    "facility": 0.75,
    "building": 0.7,
    "officer": 0.7,
    "premises": 0.65,
    "group": 0.6,
    "street": 0.5,
}
"""Which of two equally good answers stands first."""


_Houses = dict[tuple[str, int | None, int], tuple[str, int | None, bytes]]
"""By street, group and number: the address as written, the building and the place."""


@dataclass(frozen=True)
class _Entry:
    kind: str
    object_id: int | None
    name: str
    around: str
    point: bytes
    grid_id: int | None = None
    scheme_id: int | None = None
    detail: str | None = None


def refresh(store: Store) -> int:
    """
    Rebuild out-of-date entries.

    Parameters
    ----------
    store
        The store.

    Returns
    -------
    int
        How many kinds were rebuilt; 0 where nothing had changed, which takes one short query.
    """
    with store.transaction(SYSTEM) as connection:
        if not queries.has_changes(connection):
            return 0
        kinds = queries.take_changes(connection)
        for kind in sorted(kinds):
            _MAKERS[kind](connection)
    if kinds:
        for cached in (normalise, as_pinyin, as_initials):  # every name of the county
            cached.cache_clear()
    return len(kinds)


def _replace_entries(connection: sa.Connection, entries: list[_Entry], *kinds: str) -> None:
    queries.delete_entries(connection, kinds)
    names = [normalise(entry.name) for entry in entries]
    words = [normalise(entry.around) + name for entry, name in zip(entries, names, strict=True)]
    syllables = [as_pinyin(word) for word in words]
    copy_rows(
        connection,
        t.search_person if kinds == ("officer",) else t.search_entry,
        {
            "kind": [entry.kind for entry in entries],
            "object_id": [entry.object_id for entry in entries],
            "scheme_id": [entry.scheme_id for entry in entries],
            "name": [entry.name for entry in entries],
            "detail": [entry.around if entry.detail is None else entry.detail for entry in entries],
            "named": names,
            "words": words,
            "syllables": syllables,
            "joined": [spelt.replace(" ", "") for spelt in syllables],
            "spelt": [as_pinyin(name).replace(" ", "") for name in names],
            "initials": [as_initials(name) for name in names],
            "weight": [_WEIGHTS[entry.kind] for entry in entries],
            "grid_id": [entry.grid_id for entry in entries],
            "point": _read_points([entry.point for entry in entries]),
        },
    )


def _read_points(binary: list[bytes]) -> Any:
    return shapely.from_wkb(np.array(binary, dtype=object))


def _make_units(connection: sa.Connection) -> None:
    entries = [
        _Entry(row.level, row.admin_unit_id, row.name, row.around or "", row.point)
        for row in queries.read_units(connection)
    ]
    _replace_entries(connection, entries, "county", "town", "village")


def _make_grids(connection: sa.Connection) -> None:
    entries = [
        _Entry(
            "grid",
            row.grid_id,
            row.name,
            row.around or "",
            row.point,
            row.grid_id,
            row.scheme_id,
            row.code,
        )
        for row in queries.read_grids(connection)
    ]
    _replace_entries(connection, entries, "grid")


def _make_roads(connection: sa.Connection) -> None:
    entries = [
        _Entry("road", None, row.name, row.around or "", row.point)
        for row in queries.read_roads(connection)
    ]
    _replace_entries(connection, entries, "road")


def _make_buildings(connection: sa.Connection) -> None:
    entries = [
        _Entry("building", row.building_id, row.name, row.address, row.point, row.base_grid_id)
        for row in queries.read_buildings(connection)
    ]
    _replace_entries(connection, entries, "building")


def _make_premises(connection: sa.Connection) -> None:
    entries = [
        _Entry(
            "premises",
            row.premises_id,
            row.name,
            row.address or "",
            row.point,
            row.base_grid_id,
        )
        for row in queries.read_premises(connection)
    ]
    _replace_entries(connection, entries, "premises")


def _make_facilities(connection: sa.Connection) -> None:
    entries = [
        _Entry("facility", row.facility_id, row.name, row.address, row.point)
        for row in queries.read_facilities(connection)
    ]
    _replace_entries(connection, entries, "facility")


def _make_officers(connection: sa.Connection) -> None:
    """Make entries of officers; who may read them is asked when reading."""
    entries = [
        _Entry("officer", row.officer_id, row.name, row.around, row.point, row.grid_id)
        for row in queries.read_officers(connection)
    ]
    _replace_entries(connection, entries, "officer")


def _make_houses(connection: sa.Connection) -> None:
    """Make house numbers of buildings, then those that only households have; streets and groups."""
    houses: _Houses = {}
    for row in queries.read_building_addresses(connection):
        _add_house(houses, row.address, row)
    for row in queries.read_household_addresses(connection):
        group = "" if row.group_number is None else f"{row.group_number}组"
        _add_house(houses, f"{row.street}{group}{row.house_number}", row)
    queries.delete_houses(connection)
    keys, values = list(houses), list(houses.values())
    copy_rows(
        connection,
        t.search_house,
        {
            "street": [street for street, _, _ in keys],
            "group_number": [group for _, group, _ in keys],
            "number": [number for _, _, number in keys],
            "address": [address for address, _, _ in values],
            "building_id": [building_id for _, building_id, _ in values],
            "point": _read_points([point for _, _, point in values]),
        },
    )
    _replace_entries(connection, _make_groups(houses), "group", "street")


def _add_house(houses: _Houses, address: str, row: Any) -> None:
    """Add a house unless its number is there already."""
    parts = split_address(normalise(address))
    if parts.street and parts.number is not None:
        key = (parts.street, parts.group, parts.number)
        houses.setdefault(key, (address, row.building_id, row.point))


def _make_groups(houses: _Houses) -> list[_Entry]:
    """List streets and villages by which house numbers are found, and villagers' groups in them."""
    members: dict[tuple[str, int | None], list[tuple[int, str, bytes]]] = {}
    for (street, group, number), (address, building_id, point) in houses.items():
        shown_point = _round_point(point) if building_id is None else point
        members.setdefault((street, None), []).append((number, address, shown_point))
        if group is not None:
            members.setdefault((street, group), []).append((number, address, shown_point))
    entries = []
    for (street, group), group_houses in members.items():
        _, address, point = sorted(group_houses)[len(group_houses) // 2]  # the number in the middle
        beginning = street if group is None else f"{street}{group}组"
        kind = "street" if group is None else "group"
        entries.append(_Entry(kind, group, _as_written(address, beginning), "", point))
    return entries


def _round_point(point: bytes) -> bytes:
    """Move a household's place so far that the street, which all find, does not tell its house."""
    exact = shapely.get_coordinates(shapely.from_wkb(point))
    return bytes(shapely.to_wkb(shapely.Point(exact[0].round(ROUGH_DECIMALS))))


def _as_written(address: str, beginning: str) -> str:
    """Find the beginning of an address as it is written, by how it is compared."""
    ends = range(len(beginning), len(address) + 1)
    fitting = (address[:end] for end in ends if normalise(address[:end]) == beginning)
    return next(fitting, beginning)


_MAKERS: Final[Mapping[str, Callable[[sa.Connection], None]]] = {
    "unit": _make_units,
    "grid": _make_grids,
    "road": _make_roads,
    "building": _make_buildings,
    "premises": _make_premises,
    "facility": _make_facilities,
    "officer": _make_officers,
    "houses": _make_houses,
}
