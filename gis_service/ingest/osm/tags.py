"""What OpenStreetMap's tags mean in our words: road class, one-way, speed, kinds, address.

Pure: tags in, values out. The meanings follow the OpenStreetMap wiki's pages of the keys named in
each function; where the wiki leaves a choice, the docstring says which one is taken.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

Tags = Mapping[str, str]

_ROAD_CLASS: Final[dict[str, str]] = {
    **{
        name: name
        for name in (
            "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified",
            "residential", "living_street", "service", "track", "path", "footway", "cycleway",
            "steps", "pedestrian",
        )
    },
    **{f"{name}_link": name for name in ("motorway", "trunk", "primary", "secondary", "tertiary")},
    "bridleway": "path",
    "road": "unclassified",
    "minor": "unclassified",
    "byway": "track",
}  # fmt: skip
_ON_FOOT_ONLY: Final = frozenset({"path", "footway", "cycleway", "steps", "pedestrian"})
_YES: Final = frozenset(
    {"yes", "designated", "official", "permissive", "destination", "private", "delivery",
     "customers", "residents", "permit"}
)  # fmt: skip
_NO: Final = frozenset({"no", "none", "use_sidepath"})

_ZONE_KMH: Final[dict[str, float | None]] = {
    "urban": 50.0,
    "rural": 80.0,
    "trunk": 100.0,
    "motorway": 120.0,
    "living_street": 6.0,
    "bicycle_road": 30.0,
    "walk": 6.0,
    # by country, where it differs
    "at:rural": 100.0,
    "at:trunk": 100.0,
    "at:motorway": 130.0,
    "de:rural": 100.0,
    "de:motorway": None,
    "fr:motorway": 130.0,
    "cn:rural": 70.0,
    "gb:nsl_single": 60 * 1.609344,
    "gb:nsl_dual": 70 * 1.609344,
    "gb:motorway": 70 * 1.609344,
}
_SPEED: Final = re.compile(r"^(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph|knots)?$")
_UNIT_KMH: Final = {None: 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852}
_FASTEST_KMH: Final = 200.0

_FACILITY: Final[dict[tuple[str, str], str]] = {
    ("amenity", "fire_station"): "fire_station",
    ("amenity", "police"): "police_room",
    ("amenity", "clinic"): "clinic",
    ("amenity", "doctors"): "clinic",
    ("amenity", "hospital"): "clinic",
    ("amenity", "school"): "school",
    ("amenity", "bank"): "bank",
    ("amenity", "townhall"): "service_centre",
    ("amenity", "community_centre"): "service_centre",
    ("shop", "supermarket"): "grocery",
    ("shop", "convenience"): "grocery",
    ("emergency", "fire_hydrant"): "water_source",
    ("emergency", "water_tank"): "water_source",
    ("emergency", "fire_water_pond"): "water_source",
    ("emergency", "suction_point"): "water_source",
}
_LAND: Final[dict[tuple[str, str], str]] = {
    ("natural", "water"): "water",
    ("waterway", "riverbank"): "water",
    ("landuse", "reservoir"): "water",
    ("landuse", "basin"): "water",
    **{
        ("landuse", value): "green"
        for value in (
            "forest", "grass", "meadow", "orchard", "vineyard", "recreation_ground",
            "village_green", "cemetery", "allotments",
        )
    },
    ("natural", "wood"): "green",
    ("natural", "scrub"): "green",
    ("natural", "grassland"): "green",
    ("leisure", "park"): "green",
    ("leisure", "garden"): "green",
    ("leisure", "golf_course"): "green",
    **{
        ("landuse", value): "built"
        for value in ("residential", "commercial", "industrial", "retail")
    },
}  # fmt: skip
_HOMES: Final = frozenset(
    {"apartments", "bungalow", "cabin", "detached", "dormitory", "farm", "house", "hut",
     "residential", "semidetached_house", "terrace"}
)  # fmt: skip
_MOST_STOREYS: Final = 200
_STOPS_WHEELS: Final = frozenset(
    {"block", "bollard", "cycle_barrier", "debris", "full-height_turnstile", "horse_stile",
     "jersey_barrier", "kissing_gate", "log", "motorcycle_barrier", "planter", "stile", "turnstile"}
)  # fmt: skip
"""Other barriers (gates, toll booths, cattle grids) open for whoever may pass."""


def find_road_class(tags: Tags) -> str | None:
    """Name the class of a road or ferry: one of ``tables.ROAD_CLASSES``."""
    # A link road has its main road's; None is what nobody travels yet, any more, or at all.
    highway = tags.get("highway")
    if highway is not None:
        return _ROAD_CLASS.get(highway)
    return "ferry" if tags.get("route") == "ferry" else None


def read_oneway(tags: Tags, class_: str) -> int:
    """Say which way vehicles may go: 1 along the line, -1 against it, 0 both."""
    # Motorways and roundabouts are one-way unless they say otherwise; a reversible lane counts as
    # both, since it is at one time or another.
    value = tags.get("oneway", "")
    if value in {"yes", "true", "1"}:
        return 1
    if value in {"-1", "reverse"}:
        return -1
    if value in {"no", "false", "0", "reversible", "alternating"}:
        return 0
    return int(class_ == "motorway" or is_roundabout(tags))


def is_roundabout(tags: Tags) -> bool:
    """Tell a roundabout."""
    return tags.get("junction") in {"roundabout", "circular"}


def is_dual_carriageway(tags: Tags, class_: str, direction: int) -> bool:
    """Tell a carriageway that no engine ever drives against."""
    return direction != 0 and (
        class_ in {"motorway", "trunk"} or tags.get("dual_carriageway") == "yes"
    )


def read_maxspeed_kmh(tags: Tags) -> float | None:
    """Read the speed limit, of several values the lowest; None where nothing up to 200 is said."""
    value = tags.get("maxspeed")
    if value is None:
        sides = [tags[key] for key in ("maxspeed:forward", "maxspeed:backward") if key in tags]
        value = ";".join(sides) or tags.get("zone:maxspeed", "")
    speeds = [_speed(part) for part in re.split(r"[;|]", value)]
    return min((speed for speed in speeds if speed is not None), default=None)


def _speed(text: str) -> float | None:
    text = text.strip().lower()
    match = _SPEED.match(text)
    if match:
        speed: float | None = float(match[1]) * _UNIT_KMH[match[2]]
    elif text in _ZONE_KMH:
        speed = _ZONE_KMH[text]
    else:
        zone = text.partition(":")[2]
        number = re.fullmatch(r"(?:zone:?)?(\d+)", zone)
        speed = float(number[1]) if number else _ZONE_KMH.get(zone)
    return speed if speed is not None and 0 < speed <= _FASTEST_KMH else None


def stops_motors(tags: Tags) -> bool:
    """Say whether no motor vehicle passes a point of a road."""
    kind = tags.get("barrier")
    if kind is None or kind == "no":
        return False
    permission = next(
        (tags[key] for key in ("emergency", "motor_vehicle", "vehicle", "access") if key in tags),
        None,
    )
    if permission is not None:
        return permission in _NO or (permission == "private" and kind in _STOPS_WHEELS)
    return kind in _STOPS_WHEELS


def allows_motor(tags: Tags, class_: str) -> bool:
    """Say whether an engine may drive here."""
    if class_ == "steps":
        return False
    specific = _find_first(tags, ("emergency", "motorcar", "motor_vehicle", "vehicle"))
    if class_ in _ON_FOOT_ONLY:
        return specific in _YES
    return (specific or tags.get("access")) not in _NO


def allows_foot(tags: Tags, class_: str) -> bool:
    """Say whether one may walk here."""
    foot = tags.get("foot")
    if foot is not None:
        return foot not in _NO
    if class_ == "motorway" or tags.get("motorroad") == "yes":
        return False
    return tags.get("access") not in _NO


def says_yes(tags: Tags, key: str) -> bool:
    """Read a flag that may also hold a kind (``bridge=viaduct``)."""
    return tags.get(key, "no") not in {"no", "false", "0", ""}


def find_facility_kind(tags: Tags) -> str | None:
    """Name the kind of service point or water source: one of ``tables.FACILITY_KINDS``."""
    return _look_up(tags, _FACILITY, ("amenity", "shop", "emergency"))


def find_land_kind(tags: Tags) -> str | None:
    """Name the kind of land for the map's background."""
    return _look_up(tags, _LAND, ("natural", "waterway", "leisure", "landuse"))


def find_building_kind(tags: Tags) -> str | None:
    """Name the kind of building."""
    value = tags.get("building", "no").strip()
    if value in {"", "no"}:
        return None
    if value == "yes":
        return "unknown"
    return "residential" if value in _HOMES else value


def read_storeys(tags: Tags) -> int:
    """Read the number of storeys, 1 to 200, half a storey counted up; 1 where it is not said."""
    try:
        value = float(tags.get("building:levels", "1").replace(",", "."))
    except ValueError:
        return 1
    if not math.isfinite(value):
        return 1
    return min(max(math.ceil(value), 1), _MOST_STOREYS)


def read_street(tags: Tags) -> str:
    """Read the street, or the hamlet where streets have no name; empty where unknown."""
    return tags.get("addr:street") or tags.get("addr:place") or ""


def read_address(tags: Tags) -> str:
    """Put the address into one line; empty where unknown."""
    if "addr:full" in tags:
        return tags["addr:full"]
    near = f"{read_street(tags)} {tags.get('addr:housenumber', '')}".strip()
    far = f"{tags.get('addr:postcode', '')} {tags.get('addr:city', '')}".strip()
    return ", ".join(part for part in (near, far) if part)


def _find_first(tags: Tags, keys: tuple[str, ...]) -> str | None:
    return next((tags[key] for key in keys if key in tags), None)


def _look_up(tags: Tags, table: Mapping[tuple[str, str], str], keys: tuple[str, ...]) -> str | None:
    kinds = (table.get((key, tags[key])) for key in keys if key in tags)
    return next((kind for kind in kinds if kind is not None), None)
