"""A region out of an OpenStreetMap file: grids, roads, buildings, facilities, land.

What the file does not know is not made up, but for one household in each building; whatever is
left out is refused with its reason or counted in a note. Nothing is written anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import shapely

from gis_service.errors import InputError, Place
from gis_service.ingest.osm import roads as osm_roads
from gis_service.ingest.osm import tags as osm_tags
from gis_service.ingest.osm import units as osm_units
from gis_service.ingest.osm.extent import check_extent
from gis_service.ingest.osm.scan import Node, Relation, Scan, Way, find_present_ways, scan_file
from gis_service.ingest.readers.frames import COLUMNS, CountyFrames, Note, Refusal

_DECIMALS: Final = 9
_KIND_READERS: Final[dict[str, Callable[[osm_tags.Tags], str | None]]] = {
    "building": osm_tags.find_building_kind,
    "facility": osm_tags.find_facility_kind,
    "land": osm_tags.find_land_kind,
}


@dataclass(frozen=True)
class OsmRegion:
    """What a file gives."""

    # Of the one top grid, else of the file.
    name: str
    # Admin units, roads, buildings, households, facilities, land cover; CGCS2000 lon, lat.
    frames: CountyFrames
    # key, name, rank (1 = top), parent_key (None at the top), geometry, code; the deepest rank is
    # the base.
    grid_polygons: pd.DataFrame
    # rank, label, label_en, admin_level (OpenStreetMap's number as text, or None).
    levels: pd.DataFrame
    # What could not be taken, and what else the sender should know.
    refusals: list[Refusal]
    notes: list[Note]
    # State of the data (UTC day), where the file tells it.
    data_day: date | None
    # Always True: an extract ends somewhere, and the roads beyond its edge are not in it.
    clipped: bool = True


@dataclass(frozen=True)
class _Shape:
    """A polygon with its tags."""

    key: str
    tags: dict[str, str]
    area: Any
    # What it is, by share of :data:`_KIND_READERS`; without what a relation says of it already.
    kinds: dict[str, str]
    # The outer ways of a relation.
    members: frozenset[int] = frozenset()


@dataclass
class _Remarks:
    """What is said about the file on the way through it."""

    refusals: list[Refusal] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def refuse(self, key: str, feature: str, **values: object) -> None:
        """Refuse one feature."""
        self.refusals.append(Refusal.because(key, Place(feature=feature), **values))

    def note(self, key: str, n: int, **values: object) -> None:
        """Note a count unless it is 0."""
        if n:
            self.notes.append(Note(key, {"n": n, **values}))


def read_osm(path: Path | str, *, whole_file: bool = False) -> OsmRegion:
    """Read a region; without administrative relations one grid is made around all of it."""
    # ``whole_file``: where homes lie in no whole unit, a grid is made of the rest of the file.
    path = Path(path)
    scanned = scan_file(path)
    remarks = _Remarks()
    shapes = _make_shapes(scanned, remarks)
    roads = osm_roads.build_roads(scanned.ways, scanned.turns, _find_stops(scanned.nodes))
    buildings = _make_buildings(shapes)
    tiers = _make_tiers(path, scanned, roads.edges, buildings, remarks, whole_file=whole_file)
    remarks.refusals += roads.refusals + tiers.refusals
    remarks.notes += roads.notes + tiers.notes
    if scanned.sorted_first:
        remarks.notes.append(Note("ingest.osm_sorted", {"file": path.name}))
    if not scanned.any_relation:
        remarks.notes.append(Note("ingest.osm_no_relations", {"file": path.name}))
    remarks.note("ingest.osm_households_assumed", len(buildings))
    remarks.note("ingest.osm_kindergartens", _count_kindergartens(scanned))
    frames = CountyFrames(
        admin_units=tiers.admin_units,
        road_nodes=roads.nodes,
        road_edges=roads.edges,
        road_turns=roads.turns,
        buildings=buildings.drop(columns="tags"),
        households=_make_households(buildings),
        facilities=_make_facilities(scanned.nodes, shapes, remarks),
        land_cover=_make_land_cover(shapes),
    )
    name = _name_region(tiers.grid_polygons, _home_places(buildings)) or _file_stem(path)
    return OsmRegion(
        name, frames, tiers.grid_polygons, tiers.levels, remarks.refusals, remarks.notes,
        scanned.data_day,
    )  # fmt: skip


def _find_stops(nodes: list[Node]) -> set[int]:
    return {node.id for node in nodes if osm_tags.stops_motors(node.tags)}


def _name_region(grids: pd.DataFrame, homes: osm_units.FloatArray) -> str:
    """Name a region after its one top grid, unless most of the homes lie elsewhere."""
    top = grids[grids["rank"] == 1]
    if len(top) != 1:
        return ""
    share = osm_units.lies_within(top["geometry"].iloc[0], homes).mean() if len(homes) else 1
    return str(top["name"].iloc[0]) if share > 0.5 else ""


def _home_places(buildings: pd.DataFrame) -> osm_units.FloatArray:
    return np.asarray(buildings[["lon", "lat"]], dtype=float)


def _count_kindergartens(scanned: Scan) -> int:
    """Count what is drawn as a kindergarten: no school, and no kind of facility here."""
    elements: list[Node | Way | Relation] = [
        *scanned.nodes,
        *scanned.ways,
        *scanned.relations.values(),
    ]
    return sum(element.tags.get("amenity") == "kindergarten" for element in elements)


def _file_stem(path: Path) -> str:
    return path.name.partition(".")[0]


# --- grids -------------------------------------------------------------------------------------


def _make_tiers(
    path: Path,
    scanned: Scan,
    edges: pd.DataFrame,
    buildings: pd.DataFrame,
    remarks: _Remarks,
    *,
    whole_file: bool,
) -> osm_units.Tiers:
    relations = [relation for relation in scanned.relations.values() if osm_units.is_unit(relation)]
    without_area = [relation for relation in relations if relation.id not in scanned.areas]
    missing_ways = {way for relation in without_area for way in relation.member_ways}
    present = find_present_ways(path, missing_ways)
    remarks.refusals += [osm_units.refuse_unit(relation, present) for relation in without_area]
    units = [
        osm_units.Unit(
            f"r{relation.id}",
            relation.tags.get("name", f"r{relation.id}"),
            int(relation.tags["admin_level"]),
            shapely.from_wkb(scanned.areas[relation.id]),
        )
        for relation in relations
        if relation.id in scanned.areas
    ]
    homes = _home_places(buildings)
    roads = edges.loc[edges["road_class"] != "ferry", "geometry"]
    outlines = shapely.get_coordinates([*roads, *buildings["footprint"]])
    if not units:
        if not len(outlines):
            raise InputError("ingest.osm_nothing", file=path.name)
        check_extent(path.name, outlines)
        return osm_units.make_hull_tier(_file_stem(path), outlines)
    tiers = osm_units.build_tiers(units, scanned.data_day or _today(), homes)
    grids = tiers.grid_polygons
    land = shapely.union_all(grids.loc[grids["rank"] == 1, "geometry"].to_numpy())
    check_extent(path.name, np.concatenate([homes, shapely.get_coordinates(land)]))
    outside = int((~osm_units.lies_within(land, homes)).sum())
    if not outside:
        return tiers
    share = osm_units.round_percent(outside / len(homes))
    key = "ingest.osm_rest_grid" if whole_file else "ingest.osm_homes_outside"
    values = {"n": outside, "homes": len(homes), "percent": share, "units": len(without_area)}
    remarks.notes.append(Note(key, values | {"name": osm_units.REST_NAME}))
    return osm_units.add_rest(tiers, outlines) if whole_file else tiers


def _today() -> date:
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


# --- shapes ------------------------------------------------------------------------------------


def _find_kinds(tags: osm_tags.Tags) -> dict[str, str]:
    kinds = {share: kind(tags) for share, kind in _KIND_READERS.items()}
    return {share: kind for share, kind in kinds.items() if kind is not None}


def _make_shapes(scanned: Scan, remarks: _Remarks) -> list[_Shape]:
    """Make polygons of closed ways and of relations, each thing once."""
    related = _make_relation_shapes(scanned, remarks)
    drawn_by_relation = {
        (way, share) for shape in related for way in shape.members for share in shape.kinds
    }
    rings: list[tuple[Way, dict[str, str]]] = []
    land_left_out = 0
    for way in scanned.ways:
        kinds = {
            share: kind
            for share, kind in _find_kinds(way.tags).items()
            if (way.id, share) not in drawn_by_relation
        }
        if not kinds:
            continue
        if way.closed and None not in way.lonlat:
            rings.append((way, kinds))
        elif kinds.keys() & {"building", "facility"}:
            missing = way.lonlat.count(None)
            key = "ingest.osm_nodes_missing" if missing else "ingest.osm_outline_open"
            remarks.refuse(key, f"w{way.id}", missing=missing)
        else:
            land_left_out += 1
    remarks.note("ingest.osm_land_left_out", land_left_out)
    return _repair_shapes([*related, *_make_ring_shapes(rings)], remarks)


def _make_relation_shapes(scanned: Scan, remarks: _Remarks) -> list[_Shape]:
    shapes = []
    land_left_out = 0
    for relation in scanned.relations.values():
        kinds = _find_kinds(relation.tags)
        if not kinds:
            continue
        if relation.id in scanned.areas:
            outer = frozenset(
                ref for kind, ref, role in relation.members if kind == "w" and role != "inner"
            )
            area = shapely.from_wkb(scanned.areas[relation.id])
            shapes.append(_Shape(f"r{relation.id}", relation.tags, area, kinds, outer))
        elif kinds.keys() & {"building", "facility"}:
            remarks.refuse("ingest.osm_area_open", f"r{relation.id}")
        else:
            land_left_out += 1
    remarks.note("ingest.osm_land_relations_left_out", land_left_out)
    return shapes


def _make_ring_shapes(rings: list[tuple[Way, dict[str, str]]]) -> list[_Shape]:
    if not rings:
        return []
    ways = [way for way, _ in rings]
    owner = np.repeat(np.arange(len(ways)), [len(way.refs) for way in ways])
    xy = np.array([place for way in ways for place in way.lonlat], dtype=np.float64)
    polygons: Any = shapely.polygons(shapely.linearrings(xy, indices=owner))
    return [
        _Shape(f"w{way.id}", way.tags, area, kinds)
        for (way, kinds), area in zip(rings, polygons, strict=True)
    ]


def _repair_shapes(shapes: list[_Shape], remarks: _Remarks) -> list[_Shape]:
    """Repair outlines that cross themselves; refuse what holds no surface then."""
    valid = shapely.is_valid(np.array([shape.area for shape in shapes], dtype=object))
    repaired_shapes: list[_Shape] = []
    repaired_count = 0
    for shape, good in zip(shapes, valid, strict=True):
        if good:
            repaired_shapes.append(shape)
            continue
        parts = shapely.get_parts(shapely.make_valid(shape.area, method="structure"))
        faces = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
        if len(faces) == 0 or shapely.area(faces).sum() == 0:
            remarks.refuse("ingest.osm_no_surface", shape.key)
            continue
        repaired_count += 1
        area = faces[0] if len(faces) == 1 else shapely.multipolygons(faces)
        repaired_shapes.append(replace(shape, area=area))
    remarks.note("ingest.osm_repaired", repaired_count)
    return repaired_shapes


def _surface_points(areas: Any) -> tuple[Any, Any]:
    points = shapely.point_on_surface(np.asarray(areas, dtype=object))
    return shapely.get_x(points).round(_DECIMALS), shapely.get_y(points).round(_DECIMALS)


# --- what stands on the land -------------------------------------------------------------------


def _make_buildings(shapes: list[_Shape]) -> pd.DataFrame:
    """Make the frame ``buildings`` and keep the tags beside it."""
    rows = [
        {
            "key": shape.key,
            "name": shape.tags.get("name") or shape.tags.get("addr:housename") or "",
            "address": osm_tags.read_address(shape.tags),
            "kind": kind,
            "storeys": osm_tags.read_storeys(shape.tags),
            "footprint": shape.area,
            "tags": shape.tags,
        }
        for shape in shapes
        if (kind := shape.kinds.get("building")) is not None
    ]
    frame = pd.DataFrame(rows, columns=[*COLUMNS["buildings"], "tags"])
    frame["lon"], frame["lat"] = _surface_points(frame["footprint"])
    return frame


def _make_households(buildings: pd.DataFrame) -> pd.DataFrame:
    """One household a building; how many people it has is not known, so 0."""
    tags = list(buildings["tags"])
    frame = pd.DataFrame(
        {
            "key": buildings["key"],
            "building_key": buildings["key"],
            "street": [osm_tags.read_street(building_tags) for building_tags in tags],
            "house_number": [building_tags.get("addr:housenumber", "") for building_tags in tags],
            "group_number": None,
            "room": "",
            "head_name": "",
            "phone": "",
            "people": 0,
            "care_tags": [[] for _ in tags],
            "lon": buildings["lon"],
            "lat": buildings["lat"],
        }
    )
    return frame[list(COLUMNS["households"])]


def _make_facilities(nodes: list[Node], shapes: list[_Shape], remarks: _Remarks) -> pd.DataFrame:
    """Take points and areas, but what lies in an area of its own kind and name only once."""
    areas = [(shape, kind) for shape in shapes if (kind := shape.kinds.get("facility"))]
    lons, lats = _surface_points([shape.area for shape, _ in areas])
    rows = [
        _make_facility(shape.key, kind, shape.tags, lon, lat)
        for (shape, kind), lon, lat in zip(areas, lons.tolist(), lats.tolist(), strict=True)
    ]
    for node in nodes:
        kind = osm_tags.find_facility_kind(node.tags)
        if kind is not None:
            rows.append(_make_facility(f"n{node.id}", kind, node.tags, node.lon, node.lat))
    frame = pd.DataFrame(rows, columns=list(COLUMNS["facilities"]))
    duplicates = _find_duplicates(frame, [shape.area for shape, _ in areas])
    remarks.note("ingest.osm_facilities_doubled", len(duplicates))
    return frame.drop(index=list(duplicates)).reset_index(drop=True)


def _make_facility(
    key: str, kind: str, tags: osm_tags.Tags, lon: float, lat: float
) -> dict[str, object]:
    return {
        "key": key,
        "kind": kind,
        "name": tags.get("name") or tags.get("operator") or "",
        "address": osm_tags.read_address(tags),
        "phone": tags.get("phone") or tags.get("contact:phone") or "",
        "grade": "",
        "lon": lon,
        "lat": lat,
    }


def _find_duplicates(frame: pd.DataFrame, areas: list[Any]) -> set[int]:
    """Find rows that repeat another."""
    # ``grounds`` are the areas of the first rows. A row repeats the area that holds its point, if
    # both are of one kind and have one name or one of them has none; an area that lies in another
    # goes, of two that lie in each other the later.
    if not areas:
        return set()
    points = shapely.points(frame["lon"].to_numpy(float), frame["lat"].to_numpy(float))
    contained, holder = shapely.STRtree(areas).query(points, predicate="intersects")
    sizes = shapely.area(np.array(areas, dtype=object))
    kinds, names = frame["kind"].tolist(), frame["name"].tolist()
    duplicates: set[int] = set()
    for row, container in zip(contained.tolist(), holder.tolist(), strict=True):
        if row == container or kinds[row] != kinds[container]:
            continue
        if names[row] != names[container] and names[row] and names[container]:
            continue
        if row >= len(areas) or (sizes[row], -row) < (sizes[container], -container):
            duplicates.add(row)
    return duplicates


def _make_land_cover(shapes: list[_Shape]) -> pd.DataFrame:
    rows = [
        (shape.key, kind, shape.tags.get("name", ""), shape.area)
        for shape in shapes
        if (kind := shape.kinds.get("land")) is not None
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["land_cover"]))
