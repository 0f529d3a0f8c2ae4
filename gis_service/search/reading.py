"""Searching: what a person types, forgiven, against the entries and the house numbers.

An answer is as good as the best way in which it meets the text: the same name, its beginning, a
part of name and surroundings, its pinyin or initials, or three-letter pieces of the pinyin in
common, which forgives a wrong character. Officers are found by those who may see them, and a house
number that no building has by those who are told where a household lives.
"""

import re
import unicodedata
from typing import Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.coordinate_systems import parse_crs, to_cgcs2000
from gis_service.errors import InputError
from gis_service.grids.reading import SchemeKey, SearchHit, find_grid_at
from gis_service.pasted_coordinates import Pasted, read_pasted
from gis_service.search import queries
from gis_service.search.wording import Address, normalise, split_address

_SYSTEMS: Final = ("cgcs2000", "gcj02", "bd09")
_NO_PLACE: Final = ("coordinates.pasted_nothing", "coordinates.pasted_count")
_COORDINATES: Final = re.compile(
    r"[\d\s.,，。、;；|°º˚′＇'‘’´`分″“”＂\"秒度+\-−–—=&:：()（）东西南北经纬nsewlatong０-９．]+",
    re.IGNORECASE,
)
"""What coordinates are written with; any other character makes a name of it."""

_CODE: Final = re.compile(r"[\d\s]{6,30}")
_STREETS: Final = 12
_LONGEST: Final = 80


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
        Coordinates, or what :func:`find_by_name` takes.
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
    text = unicodedata.normalize("NFKC", q).strip()
    if not _COORDINATES.fullmatch(text) and "://" not in q:
        return find_by_name(connection, actor, scheme, q, limit)
    try:
        pasted = read_pasted(q, queries.read_bounds(connection, scheme.scheme_id))
    except InputError as error:
        if error.key in _NO_PLACE:  # a code or a number of a house
            return find_by_name(connection, actor, scheme, q, limit)
        raise
    return _read_in_each_system(connection, scheme, pasted)


def _read_in_each_system(
    connection: sa.Connection, scheme: SchemeKey, pasted: Pasted
) -> list[SearchHit]:
    """Offer the place in every system in which numbers are passed round, never guessing one."""
    systems = sorted(_SYSTEMS, key=lambda code: code != (pasted.system or _SYSTEMS[0]))
    hits: list[SearchHit] = []
    for code in systems:
        lon, lat = (
            float(degrees) for degrees in to_cgcs2000(parse_crs(code), pasted.lon, pasted.lat)
        )
        if any((hit.lon, hit.lat) == (lon, lat) for hit in hits):
            continue  # outside China the systems are one
        name = f"{pasted.lon:.6f}, {pasted.lat:.6f}"
        grid_id = find_grid_at(connection, lon, lat, scheme.code)
        hits.append(SearchHit("coordinates", None, name, code, lon, lat, grid_id))
    return hits


def find_by_name(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, q: str, limit: int = 20
) -> list[SearchHit]:
    """Find places by name, address, grid code or officer."""
    text = normalise(q)[:_LONGEST]
    if not text:
        return []
    if _CODE.fullmatch(q.strip()):
        rows = queries.find_grids_by_code(connection, scheme.scheme_id, text, limit)
        if rows:
            return [
                SearchHit("grid", row.grid_id, row.name, row.code, row.lon, row.lat, row.grid_id)
                for row in rows
            ]
    queries.set_threshold(connection)
    text = _without_county(connection, text)
    address = split_address(text)
    scored: list[tuple[float, SearchHit]] = []
    for forgiving in (False, True):  # forgiving costs ten times as much, and is seldom needed
        scored = [
            (
                row.score,
                SearchHit(
                    row.kind, row.object_id, row.name, row.detail, row.lon, row.lat, row.grid_id
                ),
            )
            for row in queries.find_entries(
                connection, actor, scheme.scheme_id, text, limit, forgiving=forgiving
            )
        ]
        if address.street and address.number is not None:
            scored += _find_houses(connection, actor, address, limit, forgiving=forgiving)
        if scored:
            break
    scored.sort(key=lambda pair: -pair[0])
    hits = [hit for _, hit in scored[:limit]]
    homes = sum(hit.kind == "house" and hit.id is None for hit in hits)  # of no building
    if homes:
        after = {"q": text, "rows": homes}
        record(connection, actor, "search", "household", after=after, personal=["q"])
    return hits


def _without_county(connection: sa.Connection, text: str) -> str:
    """Leave out the county before a place in it: all places are."""
    for name in queries.read_county_names(connection):
        county = normalise(name)
        if text.startswith(county) and text != county:
            return text.removeprefix(county)
    return text


def _find_houses(
    connection: sa.Connection, actor: Actor, address: Address, limit: int, *, forgiving: bool
) -> list[tuple[float, SearchHit]]:
    """Find the street as a name, then the number in it, the nearest ones, and the street."""
    streets = queries.find_streets(connection, address.street, _STREETS, forgiving=forgiving)
    if not streets:
        return []
    street_scores = {street.words: street.score for street in streets}
    hits = [
        (
            row.score,
            SearchHit(
                "house", row.building_id, row.address, "", row.lon, row.lat, row.base_grid_id
            ),
        )
        for row in queries.find_houses(connection, actor, address, street_scores, limit)
    ]
    # Without the very number the street itself is a better answer than a far house.
    return hits + [
        (street.score - 0.25, SearchHit("street", None, street.name, "", street.lon, street.lat))
        for street in streets[:3]
    ]
