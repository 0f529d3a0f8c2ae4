"""A place is found by what people type: names, pinyin, slips, numbers; and only by who may."""

from datetime import date

import pytest
import shapely
import sqlalchemy as sa

from gis_service import geodesy
from gis_service.access import SYSTEM, Actor
from gis_service.errors import InputError
from gis_service.grids.reading import SearchHit, find_scheme
from gis_service.search.entries import refresh
from gis_service.search.reading import search
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.support import SIDE, SOUTH, WEST, publish_nine

HERE = shapely.Point(WEST + SIDE / 2, SOUTH + SIDE / 2)


@pytest.fixture(scope="module")
def county(store: Store) -> Store:
    """The drawn county with houses, premises, facilities and an officer."""
    with store.transaction(SYSTEM) as connection:
        grid_ids = publish_nine(connection).grid_ids
        connection.execute(
            sa.insert(t.admin_unit),
            [
                {"code": "990101", "name": "汀兰县", "level": "county", "source_list": "s",
                 "valid": "[2024-01-01,)", "geom": None},
                {"code": "990101101201", "name": "河口村", "level": "village", "source_list": "s",
                 "valid": "[2024-01-01,)", "geom": None},
            ],
        )  # fmt: skip
        addresses = [f"东镇河口村{group}组{n}号" for group in (3, 16) for n in (1, 2, 141)]
        copy_rows(
            connection,
            t.building,
            {
                "key": [f"b{i}" for i in range(len(addresses) + 1)],
                "name": ["丽景公寓1栋", *[""] * len(addresses)],
                "address": ["东镇中山路7号", *addresses],
                "point": [HERE] * (len(addresses) + 1),
            },
        )
        copy_rows(
            connection,
            t.household,
            {
                "key": ["h1"],
                "street": ["东镇西塘村"],
                "house_number": ["5号"],
                "group_number": [2],
                "head_name": ["王小明"],
                "phone": ["13812345678"],
                "people": [3],
                "care_tags": [[]],
                "point": [HERE],
            },
        )
        copy_rows(
            connection,
            t.premises,
            {
                "key": ["p1"],
                "name": ["宏达五金店"],
                "kind": ["shop"],
                "grade": ["C"],
                "point": [HERE],
            },
        )
        copy_rows(
            connection,
            t.facility,
            {
                "key": ["f1", "f2"],
                "kind": ["police_room", "fire_station"],
                "name": ["东镇派出所", "东镇消防站"],
                "address": ["东镇中山路1号", "东镇中山路2号"],
                "point": [HERE, HERE],
            },
        )
        copy_rows(
            connection,
            t.officer,
            {
                "key": ["o1"],
                "name": ["赵一鸣"],
                "phone": ["13700000000"],
                "valid": [(date(2024, 7, 1), None)],
            },
        )
        officer_id = connection.scalar(
            sa.select(sa.func.max(sa.column("officer_id"))).select_from(sa.table("officer"))
        )
        connection.execute(
            sa.insert(t.grid_duty).values(
                officer_id=officer_id, grid_id=grid_ids["g00"], role="officer", post="A",
                valid="[2024-07-01,)",
            )
        )  # fmt: skip
    assert refresh(store) > 0
    return store


def find(store: Store, q: str, actor: Actor = SYSTEM) -> list[SearchHit]:
    with store.transaction(actor) as connection:
        return search(connection, actor, find_scheme(connection, "base"), q, 8)


@pytest.mark.parametrize(
    ("typed", "kind", "name"),
    [
        ("宏达五金店", "premises", "宏达五金店"),
        ("宏达", "premises", "宏达五金店"),
        ("五金", "premises", "宏达五金店"),
        ("红达五金店", "premises", "宏达五金店"),
        ("宏达五全店", "premises", "宏达五金店"),
        ("hongda wujin", "premises", "宏达五金店"),
        ("hdwjd", "premises", "宏达五金店"),
        ("hdwj", "premises", "宏达五金店"),
        ("派出所", "facility", "东镇派出所"),
        ("东镇 消防站", "facility", "东镇消防站"),
        ("丽景公寓", "building", "丽景公寓1栋"),
        ("河口村16组141号", "house", "东镇河口村16组141号"),
        ("东镇河口村三组2号", "house", "东镇河口村3组2号"),
        ("河扣村16组141号", "house", "东镇河口村16组141号"),
        ("hekoucun 16zu 141hao", "house", "东镇河口村16组141号"),
        ("西塘村2组5号", "house", "东镇西塘村2组5号"),
        ("中山路7号", "house", "东镇中山路7号"),
        ("汀兰县东镇派出所", "facility", "东镇派出所"),
        ("990101101", "grid", "东镇"),
        ("格g11", "grid", "格g11"),
        ("赵一鸣", "officer", "赵一鸣"),
        ("zym", "officer", "赵一鸣"),
        ("112.905, 28.705", "coordinates", "112.905000, 28.705000"),
        ("28.705，112.905", "coordinates", "112.905000, 28.705000"),
        ("Ｎ28°42′18″ E112°54′18″", "coordinates", "112.905000, 28.705000"),
        ("北纬28度42分18秒 东经112度54分18秒", "coordinates", "112.905000, 28.705000"),
        (
            "https://uri.amap.com/marker?position=112.905,28.705",
            "coordinates",
            "112.905000, 28.705000",
        ),
    ],
)
def test_the_first_answer(county: Store, typed: str, kind: str, name: str) -> None:
    first = find(county, typed)[0]
    assert (first.kind, first.name) == (kind, name)


def test_a_number_that_is_not_there_offers_the_street(county: Store) -> None:
    found = find(county, "河口村16组999号")
    assert "东镇河口村" in [one.name for one in found if one.kind == "street"]
    assert all(one.kind != "house" for one in found)


def test_a_place_is_offered_in_each_system(county: Store) -> None:
    found = find(county, "112.905, 28.705")
    assert [one.detail for one in found] == ["cgcs2000", "gcj02", "bd09"]
    assert (found[0].lon, found[0].lat) == (112.905, 28.705)
    for one, metres in zip(found[1:], (700, 1300), strict=True):
        assert 100 < geodesy.distance_m(one.lon, one.lat, 112.905, 28.705) < metres
    linked = find(county, "https://uri.amap.com/marker?position=112.905,28.705")
    assert linked[0].detail == "gcj02"


def test_two_ways_to_read_are_told(county: Store) -> None:
    with pytest.raises(InputError, match="longitude"):
        find(county, "12.5, 45.25")


def test_a_house_has_a_place_and_no_person(county: Store) -> None:
    house = find(county, "西塘村2组5号")[0]
    assert (house.lon, house.lat) == (HERE.x, HERE.y)
    assert "王" not in house.name + house.detail
    assert find(county, "王小明") == []
    assert find(county, "13812345678") == []


def test_nothing_is_like_nonsense(county: Store) -> None:
    assert find(county, "没有这个地方") == []
    assert find(county, "%_\\'") == []
    assert find(county, "   ") == []


def test_officers_are_found_by_those_who_may(county: Store) -> None:
    visitor = Actor(99, "访客", "Visitor", "visitor", None)
    assert [one.kind for one in find(county, "赵一鸣", visitor)] == []


def test_what_changes_is_found_after_a_refresh(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.premises).where(t.premises.c.key == "p1").values(name="兴旺超市")
        )
    try:
        assert refresh(county) == 1
        assert find(county, "兴旺超市")[0].name == "兴旺超市"
        assert refresh(county) == 0
    finally:
        with county.transaction(SYSTEM) as connection:
            connection.execute(
                sa.update(t.premises).where(t.premises.c.key == "p1").values(name="宏达五金店")
            )
        refresh(county)


def test_a_change_of_grid_alone_is_no_change(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.building).values(base_grid_id=None))
    assert refresh(county) == 0
