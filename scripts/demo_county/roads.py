"""Roads of the demo county: border streets, bridges, a motorway, streets and lanes inside the grids.

Every street arc of the boundaries is a road with exactly its vertices. No road but the few bridges
meets a river; nothing but ramps meets the motorway.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree
from scripts.demo_county import geography as geo
from scripts.demo_county import land, placenames, ways
from scripts.demo_county.boundaries import Boundaries, Version
from scripts.demo_county.geography import Floats
from scripts.demo_county.lanes import Plot, blocks, lanes

MOTORWAY_NAME = "兰汀高速"
CARRIAGEWAY_M = 14.0
CORRIDOR_M = 45.0
MAXSPEED = {"motorway": 120, "trunk": 80, "primary": 60}


@dataclass
class Line:
    """A road line in metres; it is cut at its own ``cuts`` and wherever another line ends on it."""

    xy: Floats
    road_class: str
    name: str | None = None
    oneway: int = 0
    bridge: bool = False
    dual: bool = False
    over: bool = False  # crosses something without meeting it: never cut inside
    extra: dict[str, Any] = field(default_factory=dict)


def key_of(xy: Floats) -> list[tuple[int, int]]:
    """
    Name points by their degrees, in steps of 1e-7.

    Parameters
    ----------
    xy
        Shape (n, 2), metres.

    Returns
    -------
    list of (int, int)
        Equal for equal places.
    """
    whole = np.round(geo.to_lonlat(xy) * 1e7).astype(np.int64)
    return [(int(a), int(b)) for a, b in whole]


def make_roads(
    boundaries: Boundaries, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Make the road network.

    Parameters
    ----------
    boundaries
        Of the base scheme; roads follow its second version.
    rng
        Where chance comes from.

    Returns
    -------
    road_nodes, road_edges
        Columns of the frames of these names.
    """
    lines, _ = make_lines(boundaries, rng)
    return _frames(lines, rng)


def make_lines(boundaries: Boundaries, rng: np.random.Generator) -> tuple[list[Line], Any]:
    """
    Make all road lines before they are cut at their junctions.

    Parameters
    ----------
    boundaries
        Of the base scheme.
    rng
        Where chance comes from.

    Returns
    -------
    tuple
        Lines, and the water of the rivers (metres).
    """
    version = boundaries.version(2)
    arcs = [geo.to_metres(shapely.get_coordinates(arc)) for arc in version.arcs]
    river = shapely.union_all(land.river_polygons())
    shapely.prepare(river)
    motorway = geo.smooth_curve(geo.MOTORWAY, 60.0)
    motorway = motorway[np.abs(motorway).max(axis=1) < 21_500]
    corridor = shapely.LineString(motorway).buffer(CORRIDOR_M, cap_style="flat")
    shapely.prepare(corridor)
    lines = _border_roads(version, arcs, river, corridor)
    fast, ramps = _motorway(motorway, lines, river)
    lines += fast
    closed = shapely.union_all([river.buffer(14), corridor, *ramps])
    lines += _local(version, arcs, lines, closed, rng)
    lines += _isolated(rng, closed, lines)
    return lines, river


def _main_arcs(
    version: Version, arcs: list[Floats]
) -> tuple[dict[int, int], list[list[tuple[int, int]]]]:
    """Which link an arc belongs to; each link's arcs in order with their direction."""
    ends: dict[tuple[int, int], int] = {}
    edges, places = [], []
    for xy in arcs:
        pair = []
        for key, place in zip(key_of(xy[[0, -1]]), xy[[0, -1]], strict=True):
            if key not in ends:
                ends[key] = len(ends)
                places.append(place)
            pair.append(ends[key])
        edges.append(pair)
    nodes, pairs = np.array(places), np.array(edges)
    length = np.array([np.hypot(*np.diff(xy, axis=0).T).sum() for xy in arcs])
    wet = version.kinds == "water"
    rim = (version.left < 0) | (version.right < 0)
    length = np.where(version.kinds == "other", 4 * length, length)
    link_of: dict[int, int] = {}
    ordered = []
    for number, way in ways.main_roads(nodes, pairs, length, wet, rim):
        for arc in way:
            old = link_of.get(arc)
            if old is None or _rank(number) < _rank(old):
                link_of[arc] = number
        at, steps = None, []
        for i, arc in enumerate(way):
            a, b = edges[arc]
            if at is None:
                later = edges[way[i + 1]] if i + 1 < len(way) else [b]
                at = a if b in later else b
            forward = at == a
            steps.append((arc, 1 if forward else -1))
            at = b if forward else a
        ordered.append(steps)
    return link_of, ordered


def _rank(link: int) -> int:
    return ("trunk", "primary", "secondary").index(geo.TOWN_LINKS[link][2])


def _border_roads(version: Version, arcs: list[Floats], river: Any, corridor: Any) -> list[Line]:
    link_of, ordered = _main_arcs(version, arcs)
    streets = {int(i) for i in np.flatnonzero(version.kinds == "street")}
    kind = {arc: _street_class(arcs[arc]) for arc in streets}
    lines: list[Line] = []
    dry = {}
    for arc in sorted(streets | set(link_of)):
        if version.kinds[arc] == "water":
            continue
        xy = arcs[arc]
        wet = shapely.dwithin(shapely.points(xy), river, 10.0)
        crosses = shapely.intersects(
            river, shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
        )
        link = link_of.get(arc)
        if link is not None:
            road_class, name = geo.TOWN_LINKS[link][2], geo.TOWN_LINKS[link][3]
        else:
            road_class, name = kind[arc]
        runs = _runs(~wet, ~crosses)
        dry[arc] = runs
        for a, b in runs:
            lines += _over_motorway(xy[a : b + 1], road_class, name, corridor)
    done: set[tuple[tuple[int, int], tuple[int, int]]] = set()
    for number, steps in enumerate(ordered):
        lines += _bridges(number, steps, arcs, dry, river, version, done)
    return lines


def _runs(dry: Any, joined: Any) -> list[tuple[int, int]]:
    """Stretches of vertices that are dry and joined by dry segments."""
    runs, start = [], None
    for i in range(len(dry)):
        if dry[i] and start is None:
            start = i
        if start is not None and (i == len(dry) - 1 or not dry[i + 1] or not joined[i]):
            if i > start:
                runs.append((start, i))
            start = None
    return runs


def _over_motorway(xy: Floats, road_class: str, name: str | None, corridor: Any) -> list[Line]:
    """Cut a road into the parts before, over and after the motorway."""
    hit = shapely.intersects(corridor, shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1)))
    if not hit.any():
        return [Line(xy, road_class, name)]
    cuts = [0, *(np.flatnonzero(np.diff(hit.astype(int))) + 1).tolist(), len(xy) - 1]
    return [
        Line(xy[a : b + 1], road_class, name, bridge=bool(hit[a]), over=bool(hit[a]))
        for a, b in zip(cuts[:-1], cuts[1:], strict=True)
        if b > a
    ]


def _bridges(
    number: int, steps: list[tuple[int, int]], arcs: list[Floats],
    dry: dict[int, list[tuple[int, int]]], river: Any, version: Version,
    done: set[tuple[tuple[int, int], tuple[int, int]]],
) -> list[Line]:  # fmt: skip
    """Join the banks wherever a main road meets water."""
    path: list[tuple[Floats, bool]] = []  # vertices of the whole road, each with whether it is dry
    for arc, sign in steps:
        flags = np.zeros(len(arcs[arc]), dtype=bool)
        for a, b in dry.get(arc, []):
            flags[a : b + 1] = True
        if version.kinds[arc] == "water":
            flags[:] = False
        xy = arcs[arc][::sign]
        path += list(zip(xy, flags[::sign].tolist(), strict=True))
    lines = []
    last: Floats | None = None
    gap = False
    for point, fine in path:
        if not fine:
            gap = last is not None
            continue
        if gap and last is not None and np.hypot(*(point - last)) > 1:
            pair = np.stack([last, point])
            names = tuple(sorted(key_of(pair)))
            if names not in done and river.intersects(shapely.LineString(pair)):
                done.add((names[0], names[1]))
                t = np.linspace(0, 1, 5)[:, None]
                _, _, road_class, name = geo.TOWN_LINKS[number]
                lines.append(
                    Line(last + t * (point - last), road_class, name, bridge=True, over=True)
                )
        gap, last = False, point
    return lines


def _street_class(xy: Floats) -> tuple[str, str | None]:
    middle = xy[len(xy) // 2]
    for n, town in enumerate(geo.TOWNS):
        off = middle - (town.x, town.y)
        if np.hypot(*off) < 1.12 * town.radius_m:
            c, s = np.cos(town.angle), np.sin(town.angle)
            u, v = off[0] * c + off[1] * s, -off[0] * s + off[1] * c
            way = xy[-1] - xy[0]
            along_u = abs(way[0] * c + way[1] * s) > abs(-way[0] * s + way[1] * c)
            row = round((v if along_u else u) / 270)
            index = (2 * row + int(along_u) + 5 * n) % len(placenames.STREETS)
            important = row % 3 == 0
            return ("tertiary" if important else "residential"), placenames.STREETS[index]
    mark = int(abs(middle[0]) * 7 + abs(middle[1]) * 3) % 10
    return ("tertiary" if mark < 3 else "unclassified"), None


def _motorway(curve: Floats, lines: list[Line], river: Any) -> tuple[list[Line], list[Any]]:
    """Two carriageways, and a diamond of ramps at main roads that cross them."""
    tangent = np.gradient(curve, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None]
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    ways_of = {1: curve - CARRIAGEWAY_M * normal, -1: (curve + CARRIAGEWAY_M * normal)}
    crossing = _crossings(curve, lines)
    joints: dict[int, list[int]] = {1: [], -1: []}
    ramps: list[Line] = []
    for at, up, down in crossing:
        for side, sign in ((down, 1), (up, -1)):
            track = ways_of[sign]
            before, after = at - 9 * sign, at + 9 * sign
            joints[sign] += [before, after]
            for joint, leaving in ((before, True), (after, False)):
                away = -sign * normal[joint]
                bulge = 0.35 * track[joint] + 0.65 * side + 40 * away
                t = np.linspace(0, 1, 9)[:, None]
                xy = (1 - t) ** 2 * track[joint] + 2 * t * (1 - t) * bulge + t**2 * side
                xy[0], xy[-1] = track[joint], side
                if not leaving:
                    xy = xy[::-1]
                ramps.append(Line(xy, "motorway", None, 1, over=True))
    result = []
    for sign, track in ways_of.items():
        step = [0, *joints[sign], *range(0, len(track), 50), len(track) - 1]
        cuts = np.unique(np.clip(step, 0, len(track) - 1)).tolist()
        for a, b in zip(cuts[:-1], cuts[1:], strict=True):
            xy = track[a : b + 1][::sign]
            wet = bool(river.intersects(shapely.LineString(xy)))
            if not wet:
                result.append(Line(xy, "motorway", MOTORWAY_NAME, 1, dual=True, over=True))
                continue
            hit = shapely.intersects(
                river, shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
            )
            inner = [0, *(np.flatnonzero(np.diff(hit.astype(int))) + 1).tolist(), len(xy) - 1]
            result += [
                Line(
                    xy[i : j + 1],
                    "motorway",
                    MOTORWAY_NAME,
                    1,
                    bridge=bool(hit[i]),
                    dual=True,
                    over=True,
                )
                for i, j in zip(inner[:-1], inner[1:], strict=True)
                if j > i
            ]
    areas = [shapely.LineString(ramp.xy).buffer(18) for ramp in ramps]
    return result + ramps, areas


def _crossings(curve: Floats, lines: list[Line]) -> list[tuple[int, Floats, Floats]]:
    """Where main roads cross: position on the curve, and a road vertex on each side of it."""
    found: list[tuple[int, Floats, Floats]] = []
    tree = cKDTree(curve)
    taken: list[int] = []
    for want in ("trunk", "primary", "secondary"):
        for line in lines:
            if line.road_class != want or not line.over:
                continue
            gap, index = tree.query(line.xy)
            if gap.min() > CORRIDOR_M + 20 or len(found) == 4:
                continue
            at = int(index[np.argmin(gap)])
            if any(abs(at - other) < 45 for other in taken) or not 15 < at < len(curve) - 15:
                continue
            points = np.concatenate([other.xy for other in lines if other.name == line.name])
            off = points - curve[at]
            tangent = curve[at + 1] - curve[at - 1]
            tangent = tangent / np.hypot(*tangent)
            height = off @ np.array([-tangent[1], tangent[0]])
            score = np.abs(np.hypot(*off.T) - 150)
            if (
                not ((height > 60) & (score < 140)).any()
                or not ((height < -60) & (score < 140)).any()
            ):
                continue
            up = points[int(np.argmin(np.where(height > 60, score, np.inf)))]
            down = points[int(np.argmin(np.where(height < -60, score, np.inf)))]
            taken.append(at)
            found.append((at, up, down))
    return found


def _local(
    version: Version, arcs: list[Floats], lines: list[Line], closed: Any, rng: np.random.Generator
) -> list[Line]:
    doors: dict[tuple[int, int], bool] = {}
    for line in lines:
        keys = key_of(line.xy)
        if line.road_class == "motorway":
            continue
        inner = keys[1:-1] if line.over else keys
        for key in inner:
            doors.setdefault(key, not line.over)
            doors[key] &= not line.over
        if line.over:
            for key in (keys[0], keys[-1]):
                doors.setdefault(key, True)
    faces = _faces(version, arcs)
    hits = shapely.STRtree(faces).query(closed, predicate="intersects")
    touched = set(hits.tolist())
    result: list[Line] = []
    for number, face in enumerate(faces):
        parts = [face]
        if number in touched:
            parts = [p for p in shapely.get_parts(face.difference(closed)) if p.area > 6000]
        for part in parts:
            rings = shapely.get_rings(part)
            xy, of = shapely.get_coordinates(rings, return_index=True)
            on_road = np.array([doors.get(key, False) for key in key_of(xy)])
            town = _town_at(np.asarray(part.centroid.coords[0]), part.area)
            ring = np.minimum(of[on_road], 1)
            plot = Plot(
                part,
                xy[on_road],
                ring,
                0.0 if town is None else geo.TOWNS[town].angle,
                town is not None,
            )
            if plot.urban:
                made = blocks(plot, 56.0)
            else:
                made = lanes(plot, int(np.clip(part.area / 30_000, 6, 30)), rng)
            for line, road_class in made:
                way = int(road_class == "residential" and town == 0 and rng.random() < 0.09)
                result.append(Line(line, road_class, oneway=way))
    return result


def _town_at(place: Floats, area: float) -> int | None:
    for n, town in enumerate(geo.TOWNS):
        if np.hypot(*(place - (town.x, town.y))) < 1.2 * town.radius_m and area < 330_000:
            return n
    return None


def _faces(version: Version, arcs: list[Floats]) -> list[Any]:
    objects = np.array([shapely.LineString(xy) for xy in arcs], dtype=object)
    return list(shapely.get_parts(shapely.polygonize(objects)))


def _isolated(rng: np.random.Generator, closed: Any, lines: list[Line]) -> list[Line]:
    """Lay a few lanes that hang on nothing."""
    tree = shapely.STRtree([shapely.LineString(line.xy) for line in lines])
    made: list[Line] = []
    for _ in range(4000):
        if len(made) >= 24:
            break
        x, y = rng.uniform(-16_000, 16_000, 2)
        if not geo.inside_outline(np.array([[x, y]]))[0]:
            continue
        turn = rng.uniform(0, np.pi)
        t = np.linspace(0, 160, 6)
        row = []
        for k in range(4):
            a = turn + 0.5 * np.pi * k
            row.append(Line(np.column_stack([x + t * np.cos(a), y + t * np.sin(a)]), "track"))
        shape = shapely.Point(x, y).buffer(180)
        if len(tree.query(shape, predicate="intersects")) or shape.intersects(closed):
            continue
        made += row
    return made


def _frames(lines: list[Line], rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut the lines where others end on them; number nodes and edges."""
    keys = [key_of(line.xy) for line in lines]
    count: dict[tuple[int, int], int] = defaultdict(int)
    for row in keys:
        count[row[0]] += 1
        count[row[-1]] += 1
    nodes: dict[tuple[int, int], int] = {}
    rows: dict[str, list[Any]] = defaultdict(list)
    shapes, seen = [], set()
    for line, row in zip(lines, keys, strict=True):
        cuts = [
            0,
            *(i for i in range(1, len(row) - 1) if not line.over and row[i] in count),
            len(row) - 1,
        ]
        for a, b in zip(cuts[:-1], cuts[1:], strict=True):
            piece = row[a : b + 1]
            same = (
                min(piece[0], piece[-1]),
                max(piece[0], piece[-1]),
                len(piece),
                piece[len(piece) // 2] if len(piece) > 2 else None,
            )
            if (piece[0] == piece[-1] and len(piece) < 4) or same in seen:
                continue
            seen.add(same)
            for name, key in (("source_node", piece[0]), ("target_node", piece[-1])):
                rows[name].append(nodes.setdefault(key, len(nodes) + 1))
            rows["road_class"].append(line.road_class)
            rows["name"].append(line.name)
            rows["oneway"].append(line.oneway)
            rows["maxspeed_kmh"].append(MAXSPEED.get(line.road_class) if line.name else None)
            rows["bridge"].append(line.bridge)
            rows["dual_carriageway"].append(line.dual)
            rows["foot"].append(line.road_class != "motorway")
            rows["motor"].append(line.road_class != "footway")
            shapes.append(shapely.LineString(np.array(piece) / 1e7))
    edges = pd.DataFrame(
        {
            "edge_id": np.arange(1, len(shapes) + 1),
            "source_node": rows["source_node"],
            "target_node": rows["target_node"],
            "road_class": rows["road_class"],
            "name": pd.Series(rows["name"], dtype=object),
            "oneway": rows["oneway"],
            "maxspeed_kmh": pd.Series(rows["maxspeed_kmh"], dtype=object),
            "bridge": rows["bridge"],
            "tunnel": False,
            "dual_carriageway": rows["dual_carriageway"],
            "roundabout": False,
            "foot": rows["foot"],
            "motor": rows["motor"],
        }
    )
    edges["geometry"] = np.array(shapes, dtype=object)
    place = np.array(list(nodes)) / 1e7
    del rng
    return (
        pd.DataFrame(
            {"node_id": np.arange(1, len(nodes) + 1), "lon": place[:, 0], "lat": place[:, 1]}
        ),
        edges,
    )


def make_land_cover(edges: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """
    Make water, hills and built-up land.

    Parameters
    ----------
    edges
        The road edges, which ponds keep off.
    rng
        Where chance comes from.

    Returns
    -------
    pandas.DataFrame
        Columns of the frame ``land_cover``.
    """
    lines = [geo.to_metres(shapely.get_coordinates(shape)) for shape in edges["geometry"]]
    streets = edges["road_class"].to_numpy() == "living_street"
    return land.make_land(lines, [lines[i] for i in np.flatnonzero(streets)], rng)
