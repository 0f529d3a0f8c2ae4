"""What can be found, made anew from the tables when they change.

Triggers note which kinds are out of date; :func:`refresh` makes those anew in one transaction, so
that who searches meanwhile sees the old entries. No household, and no name of one, becomes an
entry: only its street and number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from gis_service.access import SYSTEM, visible
from gis_service.access.households import ROUGH_DECIMALS
from gis_service.search.wording import in_parts, initials, normal, pinyin
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
class _Row:
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
    Make out-of-date entries anew.

    Parameters
    ----------
    store
        The store.

    Returns
    -------
    int
        How many kinds were made anew; 0 where nothing had changed, which takes one short query.
    """
    change = t.search_change
    with store.transaction(SYSTEM) as connection:
        if not connection.scalar(sa.select(sa.exists().select_from(change))):
            return 0
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
            return 0  # another worker is at it
        kinds = {
            row.kind for row in connection.execute(sa.delete(change).returning(change.c.kind)).all()
        }
        for kind in sorted(kinds):
            _MAKERS[kind](connection)
    for kept in (normal, pinyin, initials):  # every name of the county
        kept.cache_clear()
    return len(kinds)


_LOCK: Final = 0x6769735F73656172


def _replace(connection: sa.Connection, rows: list[_Row], *kinds: str) -> None:
    entry = t.search_entry
    connection.execute(sa.delete(entry).where(entry.c.kind.in_(kinds)))
    named = [normal(row.name) for row in rows]
    words = [normal(row.around) + name for row, name in zip(rows, named, strict=True)]
    syllables = [pinyin(word) for word in words]
    copy_rows(
        connection,
        entry,
        {
            "kind": [row.kind for row in rows],
            "object_id": [row.object_id for row in rows],
            "scheme_id": [row.scheme_id for row in rows],
            "name": [row.name for row in rows],
            "detail": [row.around if row.detail is None else row.detail for row in rows],
            "named": named,
            "words": words,
            "syllables": syllables,
            "joined": [spelt.replace(" ", "") for spelt in syllables],
            "spelt": [pinyin(name).replace(" ", "") for name in named],
            "initials": [initials(name) for name in named],
            "weight": [_WEIGHTS[row.kind] for row in rows],
            "grid_id": [row.grid_id for row in rows],
            "point": _points([row.point for row in rows]),
        },
    )


def _points(binary: list[bytes]) -> Any:
    return shapely.from_wkb(np.array(binary, dtype=object))


def _wkb(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    return sa.type_coerce(sa.func.ST_AsBinary(column), sa.LargeBinary)


def _today(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return column.op("@>")(sa.func.gis_today())


def _units(connection: sa.Connection) -> None:
    """County, towns and villages: where their shape lies, or else the grids that belong to them."""
    unit, state = t.admin_unit.c, t.grid_state.c
    parent = t.admin_unit.alias()
    of_grids = (
        sa.select(
            state.admin_unit_id,
            sa.func.ST_Centroid(sa.func.ST_Collect(state.label_point)).label("point"),
        )
        .where(_today(state.valid))
        .group_by(state.admin_unit_id)
        .subquery()
    )
    of_county = (
        sa.select(sa.func.ST_Centroid(sa.func.ST_Collect(state.label_point)))
        .where(_today(state.valid), unit.level == "county")
        .correlate(t.admin_unit)
        .scalar_subquery()
    )
    point = sa.func.coalesce(sa.func.ST_PointOnSurface(unit.geom), of_grids.c.point, of_county)
    rows = connection.execute(
        sa.select(
            unit.admin_unit_id,
            unit.level,
            unit.name,
            parent.c.name.label("around"),
            _wkb(point).label("point"),
        )
        .outerjoin(parent, parent.c.admin_unit_id == unit.parent_id)
        .outerjoin(of_grids, of_grids.c.admin_unit_id == unit.admin_unit_id)
        .where(_today(unit.valid), point.is_not(None))
    )
    found = [
        _Row(row.level, row.admin_unit_id, row.name, row.around or "", row.point) for row in rows
    ]
    _replace(connection, found, "county", "town", "village")


def _grids(connection: sa.Connection) -> None:
    state = t.grid_state.c
    parent = t.grid_state.alias()
    rows = connection.execute(
        sa.select(
            state.grid_id,
            state.scheme_id,
            state.name,
            state.code,
            parent.c.name.label("around"),
            _wkb(state.label_point).label("point"),
        )
        .outerjoin(parent, (parent.c.grid_id == state.parent_grid_id) & _today(parent.c.valid))
        .where(_today(state.valid))
    )
    found = [
        _Row(
            "grid",
            row.grid_id,
            row.name,
            row.around or "",
            row.point,
            row.grid_id,
            row.scheme_id,
            row.code,
        )
        for row in rows
    ]
    _replace(connection, found, "grid")


def _roads(connection: sa.Connection) -> None:
    """One entry a name and top grid: two towns may each have a 人民路."""
    edge, state = t.road_edge.c, t.grid_state.c
    middle = sa.func.ST_LineInterpolatePoint(edge.geom, 0.5)
    middles = (
        sa.select(edge.name, edge.length_m, middle.label("point"))
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(t.road_network.c.active, edge.name != "")
        .subquery()
    )
    town = (
        sa.select(state.name, state.geom)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == state.scheme_id)
        .where(t.grid_scheme.c.is_base, state.rank == 1, _today(state.valid))
        .subquery()
    )
    rows = connection.execute(
        sa.select(middles.c.name, town.c.name.label("around"), _wkb(middles.c.point).label("point"))
        .outerjoin(town, sa.func.ST_Intersects(town.c.geom, middles.c.point))
        .ext(distinct_on(middles.c.name, town.c.name))
        .order_by(middles.c.name, town.c.name, middles.c.length_m.desc())
    )
    found = [_Row("road", None, row.name, row.around or "", row.point) for row in rows]
    _replace(connection, found, "road")


def _buildings(connection: sa.Connection) -> None:
    building = t.building.c
    rows = connection.execute(
        sa.select(
            building.building_id,
            building.name,
            building.address,
            building.base_grid_id,
            _wkb(building.point).label("point"),
        ).where(building.name != "")
    )
    found = [
        _Row("building", row.building_id, row.name, row.address, row.point, row.base_grid_id)
        for row in rows
    ]
    _replace(connection, found, "building")


def _premises(connection: sa.Connection) -> None:
    premises, building = t.premises.c, t.building.c
    rows = connection.execute(
        sa.select(
            premises.premises_id,
            premises.name,
            building.address,
            premises.base_grid_id,
            _wkb(premises.point).label("point"),
        ).outerjoin(t.building, building.building_id == premises.building_id)
    )
    found = [
        _Row("premises", row.premises_id, row.name, row.address or "", row.point, row.base_grid_id)
        for row in rows
    ]
    _replace(connection, found, "premises")


def _facilities(connection: sa.Connection) -> None:
    facility = t.facility.c
    rows = connection.execute(
        sa.select(
            facility.facility_id,
            facility.name,
            facility.address,
            _wkb(facility.point).label("point"),
        )
    )
    found = [_Row("facility", row.facility_id, row.name, row.address, row.point) for row in rows]
    _replace(connection, found, "facility")


def _officers(connection: sa.Connection) -> None:
    """Those on duty today, at the first of their grids; who may read them is asked when reading."""
    officer, duty, state = t.officer.c, t.grid_duty.c, t.grid_state.c
    rows = connection.execute(
        sa.select(
            officer.officer_id,
            officer.name,
            state.grid_id,
            state.name.label("around"),
            _wkb(state.label_point).label("point"),
        )
        .join(t.grid_duty, (duty.officer_id == officer.officer_id) & _today(duty.valid))
        .join(t.grid_state, (state.grid_id == duty.grid_id) & _today(state.valid))
        .where(_today(officer.valid), visible(SYSTEM, t.officer))
        .ext(distinct_on(officer.officer_id))
        .order_by(officer.officer_id, duty.role.desc(), duty.post, state.code)
    )
    found = [
        _Row("officer", row.officer_id, row.name, row.around, row.point, row.grid_id)
        for row in rows
    ]
    _replace(connection, found, "officer")


def _houses(connection: sa.Connection) -> None:
    """House numbers of buildings, then those that only households have; streets and groups."""
    building, household = t.building.c, t.household.c
    of_buildings = connection.execute(
        sa.select(
            building.address, building.building_id, _wkb(building.point).label("point")
        ).where(building.address != "")
    )
    houses: _Houses = {}
    for row in of_buildings:
        at = in_parts(normal(row.address))
        if at.street and at.number is not None:
            key = (at.street, at.group, at.number)
            houses.setdefault(key, (row.address, row.building_id, row.point))
    without = household.building_id.is_(None)
    of_households = connection.execute(
        sa.select(
            household.street,
            household.house_number,
            household.group_number,
            sa.func.min(household.building_id).label("building_id"),
            _wkb(sa.func.min(household.point)).label("point"),
        )
        .where(household.street != "", visible(SYSTEM, t.household))
        .group_by(household.street, household.house_number, household.group_number, without)
        .order_by(without)
    )
    for row in of_households:
        group = "" if row.group_number is None else f"{row.group_number}组"
        address = f"{row.street}{group}{row.house_number}"
        at = in_parts(normal(address))
        if at.street and at.number is not None:
            key = (at.street, at.group, at.number)
            houses.setdefault(key, (address, row.building_id, row.point))
    connection.execute(sa.delete(t.search_house))
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
            "point": _points([point for _, _, point in values]),
        },
    )
    _replace(connection, _groups(houses), "group", "street")


def _groups(houses: _Houses) -> list[_Row]:
    """Streets and villages by which house numbers are found, and villagers' groups in them."""
    members: dict[tuple[str, int | None], list[tuple[int, str, bytes]]] = {}
    for (street, group, number), (address, building_id, point) in houses.items():
        shown = _rough(point) if building_id is None else point
        members.setdefault((street, None), []).append((number, address, shown))
        if group is not None:
            members.setdefault((street, group), []).append((number, address, shown))
    rows = []
    for (street, group), found in members.items():
        _, address, point = sorted(found)[len(found) // 2]  # the number in the middle
        kept = street if group is None else f"{street}{group}组"
        kind = "street" if group is None else "group"
        rows.append(_Row(kind, group, _as_written(address, kept), "", point))
    return rows


def _rough(point: bytes) -> bytes:
    """Move a household's place so far that the street, which all find, does not tell its house."""
    exact = shapely.get_coordinates(shapely.from_wkb(point))
    return bytes(shapely.to_wkb(shapely.Point(exact[0].round(ROUGH_DECIMALS))))


def _as_written(address: str, kept: str) -> str:
    """Give the beginning of an address that compares as is wanted, as it is written."""
    ends = range(len(kept), len(address) + 1)
    return next((address[:end] for end in ends if normal(address[:end]) == kept), kept)


_MAKERS: Final[Mapping[str, Callable[[sa.Connection], None]]] = {
    "unit": _units,
    "grid": _grids,
    "road": _roads,
    "building": _buildings,
    "premises": _premises,
    "facility": _facilities,
    "officer": _officers,
    "houses": _houses,
}
