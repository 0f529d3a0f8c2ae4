"""Small towns for Hypothesis: tilings with every flaw that a file of grids was seen with.

A town is files as a county would hand them in, and what must become of them. Everything is drawn
from named choices, so that a town that fails shrinks to the choice that breaks it.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import shapely
import shapely.affinity
from hypothesis import strategies as st

ORIGINS: Final = {
    "hunan": (113.0, 28.0),
    "santiago": (-70.3, -33.4),
    "both sides of greenwich": (-0.01, 51.5),
    "both sides of the equator": (30.0, -0.01),
    "up to 180": (180.0, -17.0),
    "from -180": (-180.0, 65.0),
    "across 180": (180.0, 65.0),
}
HARMLESS: Final = (
    "repeated vertex", "spike", "shared edge", "two-point ring", "hole of two points", "heights",
    "turned", "extra vertices", "collection", "open ring",
)  # fmt: skip
"""Flaws of one grid that leave no doubt of its land."""
TOLD: Final = {
    "repeated vertex": "duplicate_vertex", "spike": "spike", "shared edge": "shared_edge",
    "two-point ring": "spike", "hole of two points": "spike", "collection": "spike",
}  # fmt: skip
"""The repair that a harmless flaw is listed as; the others need none."""
HARMFUL: Final = (
    "gap", "overlap", "bow tie", "no geometry", "empty geometry", "point", "code twice", "no code",
    "lake", "one grid across the ocean",
)  # fmt: skip
"""Faults for which the file must be refused."""
NAMES: Final = (
    "甲村", "", None, "长" * 300, "<b>x</b><script>alert(1)</script>", "a'b\"c;--", "{name} %s",
    "Ñuñoa é", "名\t\n称", "👩‍🌾🚒", "  ", "null", 42, "&amp;",
)  # fmt: skip
CODES: Final = (
    lambda n: f"43062410100{n:04d}",
    lambda n: n + 1,
    lambda n: 2**63 - 1 - n,
    lambda n: -(2**63) + n,  # GDAL reads it as a number with a fraction
    lambda n: f"格/{n}#?&",
    lambda n: f"{n}" + "x" * 100,
    lambda n: f"<i>{n}</i>",
)
_INEXACT: Final = 3
PARENTS: Final[tuple[Callable[[int], dict[str, Any]], ...]] = (
    lambda _n: {},
    lambda _n: {"parent": {"adcode": 430600}},
    lambda n: {"parent": f"p{n % 2}"},
    lambda n: {"上级名称": f"<u>村{n % 2}</u>"},
    lambda _n: {"parent": {"level": "city"}},
    lambda _n: {"extra": {"a": [1, 2, {"b": None}]}},
)
FORMS: Final = ("geojson", "lines", "byte order mark", "gbk", "csv")
ROADS: Final = ("none", "empty", "streets", "short", "one-way loop", "ferry", "island", "odd")
PLACES: Final = ("none", "empty", "inside", "on borders", "outside", "everywhere")
STATIONS: Final = ("none", "empty", "all kinds", "fire only", "far away")


@dataclass(frozen=True)
class Town:
    """
    Files and what must become of them.

    Attributes
    ----------
    choices
        What was drawn, by name, to say it of one that fails.
    files
        Suffix and content by kind.
    allow_holes
        Whether the grids are handed in with that option.
    land
        Of all grids, lon, lat.
    grids
        How many the file has.
    is_good
        Whether the grids must be taken.
    repairs
        Which are to be told.
    features
        How many rows each file has.
    """

    choices: dict[str, Any]
    files: dict[str, tuple[str, bytes]]
    land: Any
    grids: int
    is_good: bool
    repairs: frozenset[str]
    allow_holes: bool = False
    features: dict[str, int] = field(default_factory=dict)


@dataclass
class _Grid:
    shape: Any
    said: dict[str, Any]
    geometry: Any = None  # as it is written, where that is not the shape


def _tiling(
    random: np.random.Generator, origin: tuple[float, float], choices: dict[str, Any]
) -> Any:
    """Cells between shared corners, some of them moved: lon, lat, rounded as files are."""
    columns, rows, side = choices["columns"], choices["rows"], choices["side"]
    corners = np.stack(np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0)), axis=-1)
    corners[1:-1, 1:-1] += random.uniform(-0.3, 0.3, corners[1:-1, 1:-1].shape)
    corners = np.round(corners * side + np.array(origin), choices["decimals"])
    cells = []
    for j in range(rows):
        for i in range(columns):
            ring = [corners[j, i], corners[j, i + 1], corners[j + 1, i + 1], corners[j + 1, i]]
            cells.append(shapely.Polygon(ring))
    return cells


def _flawed(shape: Any, flaw: str, step: float) -> Any:
    """Write a polygon as GeoJSON with a flaw that leaves its land as it is."""
    shell = [list(point) for point in shape.exterior.coords]
    holes = [[list(point) for point in ring.coords] for ring in shape.interiors]
    x, y = shape.representative_point().coords[0]
    thin = [[x, y], [x + step, y + step], [x, y], [x, y]]
    land = {"type": "Polygon", "coordinates": [shell, *holes]}
    if flaw == "two-point ring":
        return {"type": "MultiPolygon", "coordinates": [[shell, *holes], [thin]]}
    if flaw == "extra vertices":
        return shapely.geometry.mapping(shapely.segmentize(shape, step))
    if flaw == "collection":
        line = {"type": "LineString", "coordinates": thin[:2]}
        return {"type": "GeometryCollection", "geometries": [land, line]}
    if flaw == "shared edge":
        return _halves(shape, x)
    rings = {
        "repeated vertex": [[shell[0], *shell], *holes],
        "spike": [[*shell[:2], [x, y], *shell[1:]], *holes],
        "hole of two points": [shell, *holes, thin],
        "heights": [[[*point, 35.5] for point in ring] for ring in (shell, *holes)],
        "turned": [ring[::-1] for ring in (shell, *holes)],
        "open ring": [shell[:-1], *holes],
    }
    return {"type": "Polygon", "coordinates": rings[flaw]}


def _halves(shape: Any, x: float) -> Any:
    west, south, east, north = shape.bounds
    halves = [
        shapely.intersection(shape, shapely.box(*sides))
        for sides in ((west, south, x, north), (x, south, east, north))
    ]
    if all(half.geom_type == "Polygon" for half in halves):
        return shapely.geometry.mapping(shapely.MultiPolygon(halves))
    return None


def _harm(grids: list[_Grid], fault: str, step: float) -> None:
    """Break one grid so that the file cannot be taken."""
    first = grids[0]
    west, south, east, north = first.shape.bounds
    bow = [[west, south], [east, north], [east, south], [west, north], [west, south]]
    written = {
        "bow tie": {"type": "Polygon", "coordinates": [bow]},
        "no geometry": "null",
        "empty geometry": {"type": "Polygon", "coordinates": []},
        "point": {"type": "Point", "coordinates": [west, south]},
    }
    if fault in written:
        first.geometry = written[fault]
    elif fault == "gap":
        hole = shapely.buffer(first.shape.representative_point(), step)
        first.geometry = shapely.geometry.mapping(shapely.difference(first.shape, hole))
    elif fault == "lake":
        lake = shapely.buffer(first.shape.representative_point(), step * 2)
        first.shape = shapely.difference(first.shape, lake)
    else:
        _add_one_too_many(grids, fault, step)


def _add_one_too_many(grids: list[_Grid], fault: str, step: float) -> None:
    first = grids[0]
    beside = shapely.affinity.translate(first.shape, 0, 1.0)
    if fault == "overlap":
        grids.append(_Grid(shapely.buffer(first.shape, step), {**first.said, "code": "again"}))
    elif fault == "code twice":
        grids.append(_Grid(beside, dict(first.said)))
    elif fault == "no code":
        grids.append(_Grid(beside, {**first.said, "code": None}))
    elif fault == "one grid across the ocean":
        aside = -60 if first.shape.bounds[0] > 0 else 60
        away = shapely.affinity.translate(first.shape, aside, 0)
        grids.append(_Grid(away, {**first.said, "code": "away"}))


def _written(rows: list[tuple[Any, dict[str, Any]]], form: str) -> tuple[str, bytes]:
    """Write rows of a geometry as GeoJSON and properties in one of the forms."""
    features = [
        {"type": "Feature", "properties": said, "geometry": geometry} for geometry, said in rows
    ]
    if form == "csv":
        names = list(dict.fromkeys(name for _, said in rows for name in said))
        target = io.StringIO(newline="")
        out = csv.writer(target)
        out.writerow([*names, "wkt"])
        for geometry, said in rows:
            wkt = "" if geometry is None else shapely.geometry.shape(geometry).wkt
            cells = [
                json.dumps(value) if isinstance(value, dict) else value
                for value in (said.get(name) for name in names)
            ]
            out.writerow([*cells, wkt])
        return "csv", target.getvalue().encode()
    if form == "lines":
        return "geojson", "\n".join(json.dumps(one) for one in features).encode()
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    if form == "gbk":
        return "geojson", text.encode("gb18030")
    mark = b"\xef\xbb\xbf" if form == "byte order mark" else b""
    return "geojson", mark + text.encode()


def _streets(
    random: np.random.Generator, cells: list[Any], kind: str
) -> list[tuple[Any, dict[str, Any]]]:
    """Streets along the borders of the cells, or something that is hardly a network."""
    lines: list[tuple[Any, dict[str, Any]]] = []

    def street(points: Any, **said: Any) -> None:
        coordinates = [[float(x), float(y)] for x, y in points]
        lines.append(({"type": "LineString", "coordinates": coordinates}, said))

    for cell in cells:
        ring = np.array(cell.exterior.coords)
        if kind == "one-way loop":
            street(ring, highway="residential", oneway="yes")
        elif kind == "ferry":
            street(ring[:3], highway="ferry")
            street(ring[2:], highway="tertiary")
        elif kind == "short":
            street([ring[0], ring[0] + (ring[1] - ring[0]) * 1e-2], highway="residential")
        elif kind == "island":
            middle = ring[:-1].mean(axis=0)
            street(middle + (ring - middle) * 0.5, highway="residential")
        elif kind == "odd":
            street(
                [ring[0], ring[0], ring[1]], highway=random.choice(["国道", "motorway", "lane?"])
            )
            street([ring[0], ring[0]], highway="path")
            street(ring, highway="", name="<b>路</b>", maxspeed="-5", bridge="yes", layer="x")
        else:
            street(ring, highway="secondary", name="环城路")
    return lines


def _points(
    random: np.random.Generator, cells: list[Any], kind: str, most: int
) -> list[tuple[float, float]]:
    """Places inside cells, exactly on their corners and edges, and outside all."""
    inside = [cell.representative_point().coords[0] for cell in cells]
    borders = [point for cell in cells for point in cell.exterior.coords]
    west, south, _, _ = shapely.total_bounds(cells)
    outside = [(float(max(west - 0.001, -180.0)), float(south - 0.001 * n)) for n in (1, 2)]
    found = {"inside": inside, "on borders": borders, "outside": outside + inside}.get(
        kind, inside + borders + outside
    )
    return [found[at] for at in random.permutation(len(found))[:most]]


def _table(names: list[str], rows: list[list[Any]]) -> tuple[str, bytes]:
    target = io.StringIO(newline="")
    out = csv.writer(target)
    out.writerow(names)
    out.writerows(rows)
    return "csv", target.getvalue().encode()


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Draw a town."""
    choices: dict[str, Any] = {
        "origin": draw(st.sampled_from(list(ORIGINS))),
        "columns": draw(st.integers(1, 4)),
        "rows": draw(st.integers(1, 3)),
        "side": draw(st.sampled_from([0.01, 0.003, 0.02])),
        "decimals": draw(st.sampled_from([6, 9, 7])),
        "flaws": draw(st.lists(st.sampled_from(HARMLESS), max_size=3, unique=True)),
        "fault": draw(st.sampled_from([None] * 50 + list(HARMFUL))),
        "enclave": draw(st.booleans()),
        "lake allowed": draw(st.booleans()),
        "joined": draw(st.booleans()),
        "code": draw(st.integers(0, len(CODES) - 1)),
        "parent": draw(st.integers(0, len(PARENTS) - 1)),
        "names": draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)),
        "form": draw(st.sampled_from(FORMS)),
        "roads": draw(st.sampled_from(ROADS)),
        "buildings": draw(st.sampled_from(PLACES)),
        "homes": draw(st.sampled_from(PLACES)),
        "stations": draw(st.sampled_from(STATIONS)),
        "seed": draw(st.integers(0, 2**16)),
    }
    return make_town(choices)


def make_town(choices: dict[str, Any]) -> Town:
    """Make the town of some choices; the same ones give the same bytes."""
    random = np.random.default_rng(choices["seed"])
    origin = ORIGINS[choices["origin"]]
    if choices["origin"] == "up to 180":
        origin = (180 - choices["columns"] * choices["side"], origin[1])
    elif choices["origin"] == "across 180":
        origin = (180 - choices["columns"] * choices["side"] / 2, origin[1])
    step = choices["side"] / 20
    cells = _tiling(random, origin, choices)
    grids, repairs, land = _grids(random, cells, choices, step)
    across = choices["origin"] == "across 180"
    if across:
        for grid in grids:
            grid.shape = shapely.transform(grid.shape, lambda xy: np.where(xy > 180, xy - 360, xy))
    form = choices["form"]
    if form == "csv" and {"collection", "open ring"} & set(choices["flaws"]):
        form = "geojson"
    rows = [(_geometry(grid), grid.said) for grid in grids]
    files = {"grids": _written(rows, form)}
    features = {"grids": len(rows)}
    lake_allowed = choices["fault"] == "lake" and choices["lake allowed"]
    if not across:
        _add_the_rest(random, cells, choices, files, features)
    return Town(
        choices=choices,
        files=files,
        land=land,
        grids=len(rows),
        is_good=(choices["fault"] is None or lake_allowed)
        and not across
        and (choices["code"] != _INEXACT or form == "csv"),
        repairs=repairs if choices["fault"] is None else frozenset(),
        allow_holes=lake_allowed,
        features=features,
    )


def _geometry(grid: _Grid) -> Any:
    if grid.geometry is None:
        return shapely.geometry.mapping(grid.shape)
    return None if grid.geometry == "null" else grid.geometry


def _grids(
    random: np.random.Generator, cells: list[Any], choices: dict[str, Any], step: float
) -> tuple[list[_Grid], frozenset[str], Any]:
    shapes = list(cells)
    if choices["joined"] and len(shapes) > 3:  # a grid of two parts that lie apart
        shapes = [shapely.MultiPolygon([shapes[0], shapes[-1]]), *shapes[1:-1]]
    if choices["enclave"]:
        host = next(at for at, shape in enumerate(shapes) if shape.geom_type == "Polygon")
        x, y = shapes[host].representative_point().coords[0]
        inner = shapely.Polygon(
            np.round(np.array(shapely.box(x, y, x + step, y + step).exterior.coords), 9)
        )
        if shapely.contains_properly(shapes[host], inner):
            shapes[host] = shapely.Polygon(shapes[host].exterior, [inner.exterior])
            shapes.append(inner)
    code, parent = CODES[choices["code"]], PARENTS[choices["parent"]]
    names = choices["names"]
    grids = [
        _Grid(shape, {"code": code(n), "name": names[n % len(names)], **parent(n)})
        for n, shape in enumerate(shapes)
    ]
    land = shapely.union_all(shapes, grid_size=1e-9)
    told = set()
    plain = [grid for grid in grids if grid.shape.geom_type == "Polygon"]
    for grid, flaw in zip(plain[::-1], choices["flaws"], strict=False):
        grid.geometry = _flawed(grid.shape, flaw, step)
        if flaw in TOLD and grid.geometry is not None:
            told.add(TOLD[flaw])
    if choices["fault"] is not None:
        _harm(grids, choices["fault"], step)
    if choices["fault"] == "lake":
        land = shapely.union_all([grid.shape for grid in grids], grid_size=1e-9)
    del random
    return grids, frozenset(told), land


def _add_the_rest(
    random: np.random.Generator,
    cells: list[Any],
    choices: dict[str, Any],
    files: dict[str, tuple[str, bytes]],
    features: dict[str, int],
) -> None:
    """Add roads, buildings, homes and stations, each of which may be missing or empty."""
    if choices["roads"] != "none":
        streets = [] if choices["roads"] == "empty" else _streets(random, cells, choices["roads"])
        files["roads"], features["roads"] = _written(streets, "geojson"), len(streets)
    if choices["buildings"] != "none":
        empty = choices["buildings"] == "empty"
        places = [] if empty else _points(random, cells, choices["buildings"], 8)
        side = 1e-4
        houses = [
            (
                shapely.geometry.mapping(
                    shapely.box(max(x - side, -180), y, min(x + side, 180), y + side)
                ),
                {"key": f"b{n}", "name": str(random.choice(["楼", "<i>楼</i>", ""])), "storeys": n},
            )
            for n, (x, y) in enumerate(places)
        ]
        files["buildings"], features["buildings"] = _written(houses, "geojson"), len(houses)
    if choices["homes"] != "none":
        places = [] if choices["homes"] == "empty" else _points(random, cells, choices["homes"], 20)
        rows = [
            [
                f"h{n}",
                "街<b>",
                f"{n}号",
                int(random.choice([1, 3, 0, 40])),
                repr(float(x)),
                repr(float(y)),
            ]
            for n, (x, y) in enumerate(places)
        ]
        names = ["key", "street", "house_number", "people", "lon", "lat"]
        files["households"], features["households"] = _table(names, rows), len(rows)
    if choices["stations"] != "none":
        kinds = ["fire_station", "school", "clinic", "police_room", "grocery", "bank",
                 "service_centre", "water_source"]  # fmt: skip
        if choices["stations"] == "fire only":
            kinds = kinds[:1]
        places = _points(random, cells, "inside", 3)
        if choices["stations"] == "far away":
            places = [(x, y + 0.5) for x, y in places[:1]]
        rows = [
            [f"s{kind}{n}", kind, "<b>站</b>", repr(float(x)), repr(float(y))]
            for kind in kinds
            for n, (x, y) in enumerate(places)
        ]
        rows = [] if choices["stations"] == "empty" else rows
        files["facilities"] = _table(["key", "kind", "name", "lon", "lat"], rows)
        features["facilities"] = len(rows)
