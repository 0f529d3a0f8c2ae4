"""What searching asks of the store: places that become entries, and entries that fit a text.

The only module of this room that builds statements. No name of a household is read, only its street
and number.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from gis_service.access import SYSTEM, Actor, visible
from gis_service.access.households import knows_address
from gis_service.access.visibility import grids_below
from gis_service.pasted_coordinates import Bounds
from gis_service.search.wording import Address, as_pinyin, is_spelt
from gis_service.store import tables as t

ALIKE: Final = 0.45
"""Share of common pinyin pieces from which a name is offered; below it the noise begins."""

_LOCK: Final = 0x6769735F73656172
_VERY_HOUSE_BONUS: Final = 0.08

Rows = Sequence[Any]


def _wkb(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    return sa.type_coerce(sa.func.ST_AsBinary(column), sa.LargeBinary)


def _holds_today(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return column.op("@>")(sa.func.gis_today())


# --- what can be found -------------------------------------------------------------------------


def has_changes(connection: sa.Connection) -> bool:
    """Tell whether any kind of entry is out of date."""
    return bool(connection.scalar(sa.select(sa.exists().select_from(t.search_change))))


def take_changes(connection: sa.Connection) -> set[str]:
    """Take the kinds that are out of date off the list; none while another worker is at it."""
    if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
        return set()
    change = t.search_change
    rows = connection.execute(sa.delete(change).returning(change.c.kind)).all()
    return {row.kind for row in rows}


def delete_entries(connection: sa.Connection, kinds: Sequence[str]) -> None:
    """Delete the entries of some kinds."""
    for table in (t.search_entry, t.search_person):
        connection.execute(sa.delete(table).where(table.c.kind.in_(kinds)))


def delete_houses(connection: sa.Connection) -> None:
    """Delete all house numbers."""
    connection.execute(sa.delete(t.search_house))


def read_units(connection: sa.Connection) -> Rows:
    """Read county, towns and villages: where their shape lies, or else their grids."""
    unit, state = t.admin_unit.c, t.grid_state.c
    parent = t.admin_unit.alias()
    grid_points = (
        sa.select(
            state.admin_unit_id,
            sa.func.ST_Centroid(sa.func.ST_Collect(state.label_point)).label("point"),
        )
        .where(_holds_today(state.valid))
        .group_by(state.admin_unit_id)
        .subquery()
    )
    county_point = (
        sa.select(sa.func.ST_Centroid(sa.func.ST_Collect(state.label_point)))
        .where(_holds_today(state.valid), unit.level == "county")
        .correlate(t.admin_unit)
        .scalar_subquery()
    )
    point = sa.func.coalesce(
        sa.func.ST_PointOnSurface(unit.geom), grid_points.c.point, county_point
    )
    return connection.execute(
        sa.select(
            unit.admin_unit_id,
            unit.level,
            unit.name,
            parent.c.name.label("around"),
            _wkb(point).label("point"),
        )
        .outerjoin(parent, parent.c.admin_unit_id == unit.parent_id)
        .outerjoin(grid_points, grid_points.c.admin_unit_id == unit.admin_unit_id)
        .where(_holds_today(unit.valid), point.is_not(None))
    ).all()


def read_grids(connection: sa.Connection) -> Rows:
    """Read the grids of today, with the grid above."""
    state = t.grid_state.c
    parent = t.grid_state.alias()
    return connection.execute(
        sa.select(
            state.grid_id,
            state.scheme_id,
            state.name,
            state.code,
            parent.c.name.label("around"),
            _wkb(state.label_point).label("point"),
        )
        .outerjoin(
            parent, (parent.c.grid_id == state.parent_grid_id) & _holds_today(parent.c.valid)
        )
        .where(_holds_today(state.valid))
    ).all()


def read_roads(connection: sa.Connection) -> Rows:
    """Read a road for each name and top grid: two towns may each have a 人民路."""
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
        .where(t.grid_scheme.c.is_base, state.rank == 1, _holds_today(state.valid))
        .subquery()
    )
    return connection.execute(
        sa.select(middles.c.name, town.c.name.label("around"), _wkb(middles.c.point).label("point"))
        .outerjoin(town, sa.func.ST_Intersects(town.c.geom, middles.c.point))
        .ext(distinct_on(middles.c.name, town.c.name))
        .order_by(middles.c.name, town.c.name, middles.c.length_m.desc())
    ).all()


def read_buildings(connection: sa.Connection) -> Rows:
    """Read the buildings that have a name."""
    building = t.building.c
    return connection.execute(
        sa.select(
            building.building_id,
            building.name,
            building.address,
            building.base_grid_id,
            _wkb(building.point).label("point"),
        ).where(building.name != "")
    ).all()


def read_premises(connection: sa.Connection) -> Rows:
    """Read premises, with the address of their building."""
    premises, building = t.premises.c, t.building.c
    return connection.execute(
        sa.select(
            premises.premises_id,
            premises.name,
            building.address,
            premises.base_grid_id,
            _wkb(premises.point).label("point"),
        ).outerjoin(t.building, building.building_id == premises.building_id)
    ).all()


def read_facilities(connection: sa.Connection) -> Rows:
    """Read facilities."""
    facility = t.facility.c
    return connection.execute(
        sa.select(
            facility.facility_id,
            facility.name,
            facility.address,
            _wkb(facility.point).label("point"),
        )
    ).all()


def read_officers(connection: sa.Connection) -> Rows:
    """Read the officers on duty today, at the first of their grids."""
    officer, duty, state = t.officer.c, t.grid_duty.c, t.grid_state.c
    return connection.execute(
        sa.select(
            officer.officer_id,
            officer.name,
            state.grid_id,
            state.name.label("around"),
            _wkb(state.label_point).label("point"),
        )
        .join(t.grid_duty, (duty.officer_id == officer.officer_id) & _holds_today(duty.valid))
        .join(t.grid_state, (state.grid_id == duty.grid_id) & _holds_today(state.valid))
        .where(_holds_today(officer.valid), visible(SYSTEM, t.officer))
        .ext(distinct_on(officer.officer_id))
        .order_by(officer.officer_id, duty.role.desc(), duty.post, state.code)
    ).all()


def read_building_addresses(connection: sa.Connection) -> Rows:
    """Read the addresses of buildings."""
    building = t.building.c
    return connection.execute(
        sa.select(
            building.address, building.building_id, _wkb(building.point).label("point")
        ).where(building.address != "")
    ).all()


def read_household_addresses(connection: sa.Connection) -> Rows:
    """Read the addresses of households, those in buildings first."""
    household = t.household.c
    without_building = household.building_id.is_(None)
    return connection.execute(
        sa.select(
            household.street,
            household.house_number,
            household.group_number,
            sa.func.min(household.building_id).label("building_id"),
            _wkb(sa.func.min(household.point)).label("point"),
        )
        .where(household.street != "", visible(SYSTEM, t.household))
        .group_by(
            household.street, household.house_number, household.group_number, without_building
        )
        .order_by(without_building)
    ).all()


# --- where and how is searched -----------------------------------------------------------------


def read_bounds(connection: sa.Connection, scheme_id: int) -> Bounds | None:
    """Read west, south, east and north of a scheme; None without any grid."""
    state = t.grid_state.c
    box = (
        sa.select(sa.func.ST_Extent(state.geom).label("box"))
        .where(state.scheme_id == scheme_id, state.rank == 1, _holds_today(state.valid))
        .subquery()
    )
    sides = [getattr(sa.func, f"ST_{side}")(box.c.box) for side in ("XMin", "YMin", "XMax", "YMax")]
    west, south, east, north = connection.execute(sa.select(*sides)).one()
    return None if west is None else (west, south, east, north)


def read_county_names(connection: sa.Connection) -> Sequence[str]:
    """Read the names of counties."""
    unit = t.admin_unit.c
    return connection.scalars(sa.select(unit.name).where(unit.level == "county").distinct()).all()


def set_threshold(connection: sa.Connection) -> None:
    """Let pinyin pieces count as alike from :data:`ALIKE` on, in this transaction."""
    setting = "pg_trgm.word_similarity_threshold"
    connection.execute(sa.select(sa.func.set_config(setting, str(ALIKE), True)))  # noqa: FBT003


# --- the entries that fit a text ---------------------------------------------------------------


def _bind_text(text: str, limit: int) -> dict[str, Any]:
    """Make the values of the queries about a text."""
    sound = as_pinyin(text)
    typed = text if is_spelt(text) else sound
    return {"text": text, "sound": sound.replace(" ", ""), "typed": typed, "most": limit}


_TEXT, _SOUND, _TYPED = (sa.bindparam(name, type_=sa.Text) for name in ("text", "sound", "typed"))
_MOST: Final = sa.bindparam("most", type_=sa.Integer)


def _score_entries(
    table: sa.Table, *, spelt: bool, forgiving: bool
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[float]]:
    """Say which entries meet the text, and how well, from 0 to 1."""
    entry = table.c
    steps: list[tuple[Any, Any]] = [
        (entry.named == _TEXT, 1.0),
        (entry.words == _TEXT, 0.99),
        (entry.named.startswith(_TEXT), 0.92),
        (entry.words.contains(_TEXT), 0.84),
    ]
    if spelt:
        steps += [
            (entry.spelt == _TEXT, 0.97),
            (entry.initials == _TEXT, 0.9),
            (entry.spelt.startswith(_TEXT), 0.88),
            (entry.initials.startswith(_TEXT), 0.8),
            (entry.joined.contains(_TEXT), 0.78),
        ]
    else:
        # A wrong character with the right sound is the commonest slip.
        steps.append((entry.spelt == _SOUND, 0.9))
    sound_column = entry.joined if spelt else entry.syllables
    conditions = [condition for condition, _ in steps]
    if forgiving:
        conditions.append(_TYPED.op("<%")(sound_column))
    sound_likeness = sa.func.word_similarity(_TYPED, sound_column)
    name_likeness = sa.func.similarity(_TEXT, entry.named)
    # A shorter name is the more exact answer among those that only contain the text.
    brevity = 1.0 / (1.0 + sa.func.length(entry.words))
    score = sa.case(*steps, else_=0.45 * sound_likeness + 0.35 * name_likeness)
    return sa.or_(*conditions), score + 0.05 * entry.weight + 0.1 * brevity


def find_entries(
    connection: sa.Connection,
    actor: Actor,
    scheme_id: int,
    text: str,
    limit: int,
    *,
    forgiving: bool,
) -> Rows:
    """Find entries but streets that fit a text, the best first."""
    query = _entries_query(actor, spelt=is_spelt(text), forgiving=forgiving)
    return connection.execute(query, _bind_text(text, limit) | {"scheme_id": scheme_id}).all()


@lru_cache(maxsize=64)
def _entries_query(actor: Actor, *, spelt: bool, forgiving: bool) -> sa.Select[Any]:
    found = sa.union_all(
        _found_entries(t.search_entry, spelt=spelt, forgiving=forgiving),
        _found_entries(t.search_person, spelt=spelt, forgiving=forgiving).where(
            visible(actor, t.search_person)
        ),
    ).subquery()
    return (
        sa.select(found).order_by(sa.desc(found.c.score), found.c.name, found.c.detail).limit(_MOST)
    )


def _found_entries(table: sa.Table, *, spelt: bool, forgiving: bool) -> sa.Select[Any]:
    entry = table.c
    condition, score = _score_entries(table, spelt=spelt, forgiving=forgiving)
    return sa.select(
        entry.kind,
        entry.object_id,
        entry.name,
        entry.detail,
        entry.grid_id,
        sa.func.ST_X(entry.point).label("lon"),
        sa.func.ST_Y(entry.point).label("lat"),
        score.label("score"),
    ).where(
        condition,
        entry.kind != "street",
        sa.or_(entry.scheme_id.is_(None), entry.scheme_id == sa.bindparam("scheme_id")),
    )


def find_streets(connection: sa.Connection, text: str, limit: int, *, forgiving: bool) -> Rows:
    """Find streets and villages that have house numbers, the best first."""
    query = _streets_query(spelt=is_spelt(text), forgiving=forgiving)
    return connection.execute(query, _bind_text(text, limit)).all()


@cache
def _streets_query(*, spelt: bool, forgiving: bool) -> sa.Select[Any]:
    entry = t.search_entry.c
    condition, score = _score_entries(t.search_entry, spelt=spelt, forgiving=forgiving)
    return (
        sa.select(
            entry.words,
            entry.name,
            score.label("score"),
            sa.func.ST_X(entry.point).label("lon"),
            sa.func.ST_Y(entry.point).label("lat"),
        )
        .where(condition, entry.kind == "street")
        .order_by(sa.desc("score"), entry.words)
        .limit(_MOST)
    )


def _may_be_shown(actor: Actor) -> sa.ColumnElement[bool]:
    """Say which house numbers are shown: of buildings to all, of households by the rule."""
    house = t.search_house.c
    of_building = house.building_id.is_not(None)
    if not knows_address(actor, "help"):
        return of_building
    if actor.areas is None:
        return sa.true()
    grid_id = sa.func.gis_grid_at(house.point, "base")
    return sa.or_(of_building, grid_id.in_(grids_below(actor.areas)))


def find_houses(
    connection: sa.Connection,
    actor: Actor,
    address: Address,
    street_scores: dict[str, float],
    limit: int,
) -> Rows:
    """Find the number of an address in some streets, and the nearest ones."""
    house, building = t.search_house.c, t.building.c
    difference = sa.func.abs(house.number - address.number)
    other_group = (
        sa.literal(0.0)
        if address.group is None
        else sa.case((house.group_number.is_not_distinct_from(address.group), 0.0), else_=0.2)
    )
    street_score = sa.case(street_scores, value=house.street)
    other_number = sa.case(
        (difference == 0, -_VERY_HOUSE_BONUS), else_=sa.func.least(0.3, 0.15 + 0.01 * difference)
    )
    score = street_score - other_group - other_number
    return connection.execute(
        sa.select(
            house.building_id,
            house.address,
            building.base_grid_id,
            sa.func.ST_X(house.point).label("lon"),
            sa.func.ST_Y(house.point).label("lat"),
            score.label("score"),
        )
        .outerjoin(t.building, building.building_id == house.building_id)
        .where(house.street.in_(list(street_scores)), difference <= 10, _may_be_shown(actor))
        .order_by(sa.desc("score"), house.address)
        .limit(limit)
    ).all()


def find_grids_by_code(connection: sa.Connection, scheme_id: int, digits: str, limit: int) -> Rows:
    """Find the grids of a scheme whose code begins with some digits."""
    state = t.grid_state.c
    return connection.execute(
        sa.select(
            state.grid_id,
            state.name,
            state.code,
            sa.func.ST_X(state.label_point).label("lon"),
            sa.func.ST_Y(state.label_point).label("lat"),
        )
        .where(
            state.scheme_id == scheme_id,
            _holds_today(state.valid),
            state.code.like(f"{digits}%"),
        )
        .order_by(state.rank, state.code)
        .limit(limit)
    ).all()
