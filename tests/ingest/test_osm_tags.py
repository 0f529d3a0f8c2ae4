"""What tags mean: speed limits, one-way, who may use a road."""

import pytest

from gis_service.ingest.osm import tags as osm_tags
from gis_service.store import tables


@pytest.mark.parametrize(
    ("value", "kmh"),
    [
        ("50", 50.0),
        ("50 km/h", 50.0),
        ("30 mph", 48.28032),
        ("30mph", 48.28032),
        ("10 knots", 18.52),
        ("none", None),
        ("signals", None),
        ("walk", 6.0),
        ("CN:urban", 50.0),
        ("DE:rural", 100.0),
        ("CH:rural", 80.0),
        ("DE:motorway", None),
        ("DE:zone:30", 30.0),
        ("DE:zone30", 30.0),
        ("AT:30", 30.0),
        ("50;30", 30.0),
        ("80|60", 60.0),
        ("0", None),
        ("999", None),
        ("", None),
    ],
)
def test_a_speed_limit_is_read_in_every_spelling(value: str, kmh: float | None) -> None:
    assert osm_tags.read_maxspeed_kmh({"maxspeed": value}) == (
        None if kmh is None else pytest.approx(kmh)
    )


def test_the_lower_of_two_directions_counts() -> None:
    tags = {"maxspeed:forward": "70", "maxspeed:backward": "50"}
    assert osm_tags.read_maxspeed_kmh(tags) == 50
    assert osm_tags.read_maxspeed_kmh({"zone:maxspeed": "DE:30"}) == 30
    assert osm_tags.read_maxspeed_kmh({}) is None


@pytest.mark.parametrize(
    ("tags", "class_", "direction"),
    [
        ({"oneway": "yes"}, "residential", 1),
        ({"oneway": "true"}, "residential", 1),
        ({"oneway": "1"}, "residential", 1),
        ({"oneway": "-1"}, "residential", -1),
        ({"oneway": "no", "junction": "roundabout"}, "residential", 0),
        ({"oneway": "reversible"}, "primary", 0),
        ({"junction": "roundabout"}, "residential", 1),
        ({}, "motorway", 1),
        ({"oneway": "no"}, "motorway", 0),
        ({}, "trunk", 0),
    ],
)
def test_one_way(tags: dict[str, str], class_: str, direction: int) -> None:
    assert osm_tags.read_oneway(tags, class_) == direction


@pytest.mark.parametrize(
    ("tags", "class_", "foot", "motor"),
    [
        ({}, "residential", True, True),
        ({}, "motorway", False, True),
        ({"motorroad": "yes"}, "trunk", False, True),
        ({}, "footway", True, False),
        ({}, "steps", True, False),
        ({"motor_vehicle": "yes"}, "steps", True, False),
        ({"motor_vehicle": "destination"}, "pedestrian", True, True),
        ({"access": "no"}, "service", False, False),
        ({"access": "no", "foot": "yes"}, "service", True, False),
        ({"access": "no", "emergency": "yes"}, "service", False, True),
        ({"access": "private"}, "service", True, True),
        ({"motor_vehicle": "no"}, "residential", True, False),
        ({"motor_vehicle": "agricultural"}, "track", True, True),
        ({"foot": "no"}, "primary", False, True),
        ({"foot": "use_sidepath"}, "primary", False, True),
    ],
)
def test_who_may_use_a_road(tags: dict[str, str], class_: str, foot: bool, motor: bool) -> None:
    assert osm_tags.allows_foot(tags, class_) is foot
    assert osm_tags.allows_motor(tags, class_) is motor


@pytest.mark.parametrize(
    ("tags", "class_"),
    [
        ({"highway": "trunk_link"}, "trunk"),
        ({"highway": "bridleway"}, "path"),
        ({"highway": "road"}, "unclassified"),
        ({"route": "ferry"}, "ferry"),
        ({"highway": "construction"}, None),
        ({"highway": "platform", "route": "ferry"}, None),
        ({"route": "bus"}, None),
    ],
)
def test_road_class(tags: dict[str, str], class_: str | None) -> None:
    assert osm_tags.find_road_class(tags) == class_
    assert class_ is None or class_ in tables.ROAD_CLASSES


def test_an_engine_never_drives_against_a_carriageway_of_a_trunk_road() -> None:
    assert osm_tags.is_dual_carriageway({}, "trunk", 1)
    assert osm_tags.is_dual_carriageway({"dual_carriageway": "yes"}, "primary", -1)
    assert not osm_tags.is_dual_carriageway({}, "trunk", 0)
    assert not osm_tags.is_dual_carriageway({}, "residential", 1)


@pytest.mark.parametrize(
    ("value", "count"),
    [("3", 3), ("2.5", 3), ("2,5", 3), ("0", 1), ("-1", 1), ("many", 1), ("nan", 1), ("9999", 200)],
)
def test_storeys(value: str, count: int) -> None:
    assert osm_tags.read_storeys({"building:levels": value}) == count


def test_kinds() -> None:
    assert osm_tags.find_facility_kind({"amenity": "fire_station"}) == "fire_station"
    assert osm_tags.find_facility_kind({"amenity": "cafe", "shop": "convenience"}) == "grocery"
    assert osm_tags.find_facility_kind({"emergency": "fire_hydrant"}) == "water_source"
    assert osm_tags.find_facility_kind({"amenity": "cafe"}) is None
    assert osm_tags.find_building_kind({"building": "yes"}) == "unknown"
    assert osm_tags.find_building_kind({"building": "apartments"}) == "residential"
    assert osm_tags.find_building_kind({"building": "no"}) is None
    assert osm_tags.find_land_kind({"natural": "water"}) == "water"
    assert osm_tags.find_land_kind({"landuse": "forest"}) == "green"


def test_every_kind_of_facility_is_one_that_the_store_knows() -> None:
    assert set(osm_tags._FACILITY.values()) <= set(tables.FACILITY_KINDS)


def test_an_address_is_one_line_of_what_is_known() -> None:
    known = {"addr:street": "Dorf", "addr:housenumber": "12", "addr:city": "Vaduz"}
    assert osm_tags.read_address(known) == "Dorf 12, Vaduz"
    assert (
        osm_tags.read_address({"addr:full": "湘阴县某街1号", "addr:city": "x"}) == "湘阴县某街1号"
    )
    assert osm_tags.read_address({"addr:place": "Hof"}) == "Hof"
    assert osm_tags.read_address({}) == ""
