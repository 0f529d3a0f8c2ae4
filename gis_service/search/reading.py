"""Searching: what a person types, forgiven, against the entries and the house numbers.

An answer is as good as the best way in which it meets the text: the same name, its beginning, a
part of name and surroundings, its pinyin or initials, or three-letter pieces of the pinyin in
common, which forgives a wrong character. Officers are found by those who may see them, and a house
number that no building has by those who are told where a household lives.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.households import knows_address
from gis_service.access.visibility import grids_below
from gis_service.coordinate_systems import parse_crs, to_cgcs2000
from gis_service.errors import InputError
from gis_service.grids.reading import SchemeKey, SearchHit, find_grid_at
from gis_service.pasted_coordinates import Bounds, Pasted, read_pasted
from gis_service.search.wording import Address, in_parts, is_spelt, normal, pinyin
from gis_service.store import tables as t

ALIKE: Final = 0.45
"""Share of common pinyin pieces from which a name is offered; below it the noise begins."""

_FORGIVE: Final = sa.select(
    sa.func.set_config("pg_trgm.word_similarity_threshold", str(ALIKE), True)  # noqa: FBT003
)
_COUNTIES: Final = sa.select(t.admin_unit.c.name).where(t.admin_unit.c.level == "county").distinct()
_SYSTEMS: Final = ("cgcs2000", "gcj02", "bd09")
_NO_PLACE: Final = ("coordinates.pasted_nothing", "coordinates.pasted_count")
_COORDINATES: Final = re.compile(
    r"[\d\s.,，。、;；|°º˚′＇'‘’´`分″“”＂\"秒度+\-−–—=&:：()（）东西南北经纬nsewlatong０-９．]+",
    re.IGNORECASE,
)
"""What coordinates are written with; any other character makes a name of it."""

_CODE: Final = re.compile(r"[\d\s]{6,30}")
_STREETS: Final = 12
_THE_VERY_HOUSE: Final = 0.08
_LONGEST: Final = 80


@dataclass(frozen=True)
class _Street:
    words: str
    score: float
    name: str
    lon: float
    lat: float


def search(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, q: str, limit: int = 20
) -> list[SearchHit]:
    """
    Find a place by what a person would type.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks: officers, and house numbers that only a household has, are found by those who
        may see them.
    scheme
        Whose grids are looked for.
    q
        Coordinates, or what :func:`by_name` takes.
    limit
        At most this many answers.

    Returns
    -------
    list of SearchHit
        A place once for each coordinate system it may be in (``detail`` is the system), or
        names, the best first.

    Raises
    ------
    InputError
        The text is of coordinates, and can be read in two ways or in none.
    """
    plain = unicodedata.normalize("NFKC", q).strip()
    if not _COORDINATES.fullmatch(plain) and "://" not in q:
        return by_name(connection, actor, scheme, q, limit)
    try:
        pasted = read_pasted(q, _bounds(connection, scheme))
    except InputError as error:
        if error.key in _NO_PLACE:  # a code or a number of a house
            return by_name(connection, actor, scheme, q, limit)
        raise
    return _in_each_system(connection, scheme, pasted)


def _bounds(connection: sa.Connection, scheme: SchemeKey) -> Bounds | None:
    state = t.grid_state.c
    box = sa.select(sa.func.ST_Extent(state.geom).label("box")).where(
        state.scheme_id == scheme.scheme_id,
        state.rank == 1,
        state.valid.op("@>")(sa.func.gis_today()),
    )
    held = box.subquery()
    sides = [
        getattr(sa.func, f"ST_{side}")(held.c.box) for side in ("XMin", "YMin", "XMax", "YMax")
    ]
    west, south, east, north = connection.execute(sa.select(*sides)).one()
    return None if west is None else (west, south, east, north)


def _in_each_system(
    connection: sa.Connection, scheme: SchemeKey, pasted: Pasted
) -> list[SearchHit]:
    """Offer the place in every system in which numbers are passed round, never guessing one."""
    systems = sorted(_SYSTEMS, key=lambda code: code != (pasted.system or _SYSTEMS[0]))
    found: list[SearchHit] = []
    for code in systems:
        lon, lat = (
            float(degrees) for degrees in to_cgcs2000(parse_crs(code), pasted.lon, pasted.lat)
        )
        if any((one.lon, one.lat) == (lon, lat) for one in found):
            continue  # outside China the systems are one
        name = f"{pasted.lon:.6f}, {pasted.lat:.6f}"
        grid_id = find_grid_at(connection, lon, lat, scheme.code)
        found.append(SearchHit("coordinates", None, name, code, lon, lat, grid_id))
    return found


def by_name(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, q: str, limit: int = 20
) -> list[SearchHit]:
    """Find places by name, address, grid code or officer."""
    wish = normal(q)[:_LONGEST]
    if not wish:
        return []
    if _CODE.fullmatch(q.strip()):
        coded = _grids_coded(connection, scheme, wish, limit)
        if coded:
            return coded
    connection.execute(_FORGIVE)
    wish = _without_county(connection, wish)
    address = in_parts(wish)
    scored: list[tuple[float, SearchHit]] = []
    for forgiving in (False, True):  # forgiving costs ten times as much, and is seldom needed
        scored = _named(connection, actor, scheme, wish, limit, forgiving=forgiving)
        if address.street and address.number is not None:
            scored += _houses(connection, actor, address, limit, forgiving=forgiving)
        if scored:
            break
    scored.sort(key=lambda pair: -pair[0])
    return [found for _, found in scored[:limit]]


def _without_county(connection: sa.Connection, wish: str) -> str:
    """Leave out the county before a place in it: all places are."""
    for name in connection.scalars(_COUNTIES):
        before = normal(name)
        if wish.startswith(before) and wish != before:
            return wish.removeprefix(before)
    return wish


def _words(wish: str, limit: int) -> dict[str, Any]:
    """Give what the queries about a text are asked with."""
    sound = pinyin(wish)
    typed = wish if is_spelt(wish) else sound
    return {"wish": wish, "sound": sound.replace(" ", ""), "typed": typed, "most": limit}


_WISH, _SOUND, _TYPED = (sa.bindparam(name, type_=sa.Text) for name in ("wish", "sound", "typed"))
_MOST: Final = sa.bindparam("most", type_=sa.Integer)


def _score(
    *, spelt: bool, forgiving: bool
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[float]]:
    """Say which entries meet the text, and how well, from 0 to 1."""
    entry = t.search_entry.c
    steps: list[tuple[Any, Any]] = [
        (entry.named == _WISH, 1.0),
        (entry.words == _WISH, 0.99),
        (entry.named.startswith(_WISH), 0.92),
        (entry.words.contains(_WISH), 0.84),
    ]
    if spelt:
        steps += [
            (entry.spelt == _WISH, 0.97),
            (entry.initials == _WISH, 0.9),
            (entry.spelt.startswith(_WISH), 0.88),
            (entry.initials.startswith(_WISH), 0.8),
            (entry.joined.contains(_WISH), 0.78),
        ]
    else:
        # A wrong character with the right sound is the commonest slip.
        steps.append((entry.spelt == _SOUND, 0.9))
    sounding = entry.joined if spelt else entry.syllables
    conditions = [when for when, _ in steps]
    if forgiving:
        conditions.append(_TYPED.op("<%")(sounding))
    sounds = sa.func.word_similarity(_TYPED, sounding)
    looks = sa.func.similarity(_WISH, entry.named)
    # A shorter name is the more exact answer among those that only contain the text.
    brevity = 1.0 / (1.0 + sa.func.length(entry.words))
    score = sa.case(*steps, else_=0.45 * sounds + 0.35 * looks)
    return sa.or_(*conditions), score + 0.05 * entry.weight + 0.1 * brevity


def _named(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    wish: str,
    limit: int,
    *,
    forgiving: bool,
) -> list[tuple[float, SearchHit]]:
    query = _named_query(actor, spelt=is_spelt(wish), forgiving=forgiving)
    rows = connection.execute(query, _words(wish, limit) | {"scheme_id": scheme.scheme_id})
    return [
        (
            row.score,
            SearchHit(row.kind, row.object_id, row.name, row.detail, row.lon, row.lat, row.grid_id),
        )
        for row in rows
    ]


@lru_cache(maxsize=64)
def _named_query(actor: Actor, *, spelt: bool, forgiving: bool) -> sa.Select[Any]:
    entry = t.search_entry.c
    condition, score = _score(spelt=spelt, forgiving=forgiving)
    seen = sa.select(t.officer.c.officer_id).where(visible(actor, t.officer))
    return (
        sa.select(
            entry.kind,
            entry.object_id,
            entry.name,
            entry.detail,
            entry.grid_id,
            sa.func.ST_X(entry.point).label("lon"),
            sa.func.ST_Y(entry.point).label("lat"),
            score.label("score"),
        )
        .where(
            condition,
            entry.kind != "street",
            sa.or_(entry.scheme_id.is_(None), entry.scheme_id == sa.bindparam("scheme_id")),
            sa.or_(entry.kind != "officer", entry.object_id.in_(seen)),
        )
        .order_by(sa.desc("score"), entry.name, entry.detail)
        .limit(_MOST)
    )


def _told(actor: Actor) -> sa.ColumnElement[bool]:
    """Say which house numbers are told: those of buildings to all, of a household by the rule."""
    house = t.search_house.c
    of_building = house.building_id.is_not(None)
    if not knows_address(actor, "help"):
        return of_building
    if actor.areas is None:
        return sa.true()
    grid_id = sa.func.gis_grid_at(house.point, "base")
    return sa.or_(of_building, grid_id.in_(grids_below(actor.areas)))


def _houses(
    connection: sa.Connection, actor: Actor, address: Address, limit: int, *, forgiving: bool
) -> list[tuple[float, SearchHit]]:
    """Find the street as a name, then the number in it, the nearest ones, and the street."""
    streets = _streets(connection, address.street, forgiving=forgiving)
    if not streets:
        return []
    house, building = t.search_house.c, t.building.c
    apart = sa.func.abs(house.number - address.number)
    other_group = (
        sa.literal(0.0)
        if address.group is None
        else sa.case((house.group_number.is_not_distinct_from(address.group), 0.0), else_=0.2)
    )
    of_street = sa.case({street.words: street.score for street in streets}, value=house.street)
    beside = sa.case((apart == 0, -_THE_VERY_HOUSE), else_=sa.func.least(0.3, 0.15 + 0.01 * apart))
    score = of_street - other_group - beside
    rows = connection.execute(
        sa.select(
            house.building_id,
            house.address,
            building.base_grid_id,
            sa.func.ST_X(house.point).label("lon"),
            sa.func.ST_Y(house.point).label("lat"),
            score.label("score"),
        )
        .outerjoin(t.building, building.building_id == house.building_id)
        .where(house.street.in_([street.words for street in streets]), apart <= 10, _told(actor))
        .order_by(sa.desc("score"), house.address)
        .limit(limit)
    )
    found = [
        (
            row.score,
            SearchHit(
                "house", row.building_id, row.address, "", row.lon, row.lat, row.base_grid_id
            ),
        )
        for row in rows
    ]
    # Without the very number the street itself is a better answer than a far house.
    return found + [
        (street.score - 0.25, SearchHit("street", None, street.name, "", street.lon, street.lat))
        for street in streets[:3]
    ]


def _streets(connection: sa.Connection, wish: str, *, forgiving: bool) -> Sequence[_Street]:
    """Streets and villages that have house numbers, the best first."""
    query = _streets_query(spelt=is_spelt(wish), forgiving=forgiving)
    return [
        _Street(row.words, row.score, row.name, row.lon, row.lat)
        for row in connection.execute(query, _words(wish, _STREETS))
    ]


@cache
def _streets_query(*, spelt: bool, forgiving: bool) -> sa.Select[Any]:
    entry = t.search_entry.c
    condition, score = _score(spelt=spelt, forgiving=forgiving)
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


def _grids_coded(
    connection: sa.Connection, scheme: SchemeKey, digits: str, limit: int
) -> list[SearchHit]:
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(
            state.grid_id,
            state.name,
            state.code,
            sa.func.ST_X(state.label_point).label("lon"),
            sa.func.ST_Y(state.label_point).label("lat"),
        )
        .where(
            state.scheme_id == scheme.scheme_id,
            state.valid.op("@>")(sa.func.gis_today()),
            state.code.like(f"{digits}%"),
        )
        .order_by(state.rank, state.code)
        .limit(limit)
    )
    return [
        SearchHit("grid", row.grid_id, row.name, row.code, row.lon, row.lat, row.grid_id)
        for row in rows
    ]
