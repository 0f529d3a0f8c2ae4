"""Roads of the demo county: border streets, bridges, a motorway, streets and lanes.

Every street arc of the boundaries is a road with exactly its vertices. No road but the few bridges
meets a river; nothing but ramps meets the motorway.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from scripts.demo_county import geography as geo
from scripts.demo_county import land, placenames, ways
from scripts.demo_county.boundaries import Boundaries, Version
from scripts.demo_county.geography import Floats, Ints
from scripts.demo_county.lanes import Plot, blocks, lanes

MOTORWAY_NAME = "兰汀高速"
CARRIAGEWAY_M = 14.0
CORRIDOR_M = 45.0
_LAT_STEPS = 2**32
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


def key_of(xy: Floats) -> Ints:
    """
    Name points by their degrees, in steps of 1e-7.

    Parameters
    ----------
    xy
        Shape (n, 2), metres.

    Returns
    -------
    numpy.ndarray
        One whole number a point, equal for equal places.
    """
    whole = np.round(geo.to_lonlat(xy) * 1e7).astype(np.int64)
    return np.asarray(whole[:, 0] * _LAT_STEPS + whole[:, 1], dtype=np.int64)


def _lonlat_of(keys: Ints) -> Floats:
    """Turn names of points back into degrees."""
    return np.column_stack([keys // _LAT_STEPS, keys % _LAT_STEPS]) / 1e7


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
    nodes, edges = _frames(lines)
    _widen_footways(edges)
    return nodes, edges


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
    lines += _local(arcs, lines, closed, rng)
    lines += _isolated(rng, closed, lines)
    return lines, river


def _main_arcs(
    version: Version, arcs: list[Floats]
) -> tuple[dict[int, int], list[list[tuple[int, int]]]]:
    """Which link an arc belongs to; each link's arcs in order with their direction."""
    tips = np.concatenate([xy[[0, -1]] for xy in arcs])
    number, _ = pd.factorize(key_of(tips))
    pairs = number.reshape(-1, 2)
    edges = pairs.tolist()
    nodes = np.empty((number.max() + 1, 2))
    nodes[number[::-1]] = tips[::-1]
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
    road_class: str
    name: str | None
    taken = [arc for arc in sorted(streets | set(link_of)) if version.kinds[arc] != "water"]
    wet_of, crosses_of = _at_river([arcs[arc] for arc in taken], river)
    for arc, wet, crosses in zip(taken, wet_of, crosses_of, strict=True):
        xy = arcs[arc]
        link = link_of.get(arc)
        if link is not None:
            road_class, name = geo.TOWN_LINKS[link][2], geo.TOWN_LINKS[link][3]
        else:
            road_class, name = kind[arc]
        runs = _runs(~wet, ~crosses)
        dry[arc] = runs
        for a, b in runs:
            lines += _over_motorway(xy[a : b + 1], road_class, name, corridor)
    done: set[tuple[int, int]] = set()
    for number, steps in enumerate(ordered):
        lines += _bridges(number, steps, arcs, dry, river, version, done)
    return lines


def _at_river(rows: list[Floats], river: Any) -> tuple[list[Any], list[Any]]:
    """Which vertices of each row are near the river, and which of its segments meet it."""
    size = [len(xy) for xy in rows]
    every, stops = np.concatenate(rows), np.cumsum(size)[:-1]
    near = shapely.STRtree(shapely.get_parts(river)).query(
        shapely.linestrings(
            every, indices=np.repeat(np.arange(len(rows)), [len(xy) for xy in rows])
        ),
        predicate="dwithin",
        distance=12.0,
    )[0]
    close = np.zeros(len(rows), dtype=bool)
    close[near] = True
    close = np.repeat(close, [len(xy) for xy in rows])
    wet = np.zeros(len(every), dtype=bool)
    wet[close] = shapely.dwithin(shapely.points(every[close]), river, 10.0)
    first = np.flatnonzero(close[:-1])
    meets = np.zeros(len(every), dtype=bool)
    meets[first] = shapely.intersects(
        river, shapely.linestrings(np.stack([every[first], every[first + 1]], axis=1))
    )
    return np.split(wet, stops), [row[:-1] for row in np.split(meets, stops)]


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
        for a, b in pairwise(cuts)
        if b > a
    ]


def _bridges(
    number: int, steps: list[tuple[int, int]], arcs: list[Floats],
    dry: dict[int, list[tuple[int, int]]], river: Any, version: Version,
    done: set[tuple[int, int]],
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
            first, second = sorted(key_of(pair).tolist())
            if (first, second) not in done and river.intersects(shapely.LineString(pair)):
                done.add((first, second))
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
        for a, b in pairwise(cuts):
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
                for i, j in pairwise(inner)
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
            near, place = tree.query(line.xy)
            gap, index = np.asarray(near), np.asarray(place)
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
    arcs: list[Floats], lines: list[Line], closed: Any, rng: np.random.Generator
) -> list[Line]:
    doors = _doors(lines)
    faces = _faces(arcs)
    hits = shapely.STRtree(faces).query(closed, predicate="intersects")
    touched = set(hits.tolist())
    result: list[Line] = []
    for number, face in enumerate(faces):
        parts = [face]
        if number in touched:
            parts = [p for p in shapely.get_parts(face.difference(closed)) if p.area > 6000]
        for part in parts:
            plot, town = _plot(part, doors)
            if plot.urban:
                made = blocks(plot, 56.0)
            else:
                made = lanes(plot, int(np.clip(part.area / 30_000, 6, 30)), rng)
            for line, road_class in made:
                way = int(road_class == "residential" and town == 0 and rng.random() < 0.09)
                result.append(Line(line, road_class, oneway=way))
    return result


def _doors(lines: list[Line]) -> Ints:
    """Name, in order, the vertices of roads where a lane may begin."""
    roads = [line for line in lines if line.road_class != "motorway"]
    size = np.array([len(line.xy) for line in roads])
    keys = key_of(np.concatenate([line.xy for line in roads]))
    tip = np.zeros(len(keys), dtype=bool)
    tip[np.cumsum(size) - 1] = tip[np.cumsum(size) - size] = True
    over = np.repeat([line.over for line in roads], size)
    return np.setdiff1d(keys[~over | tip], keys[over & ~tip])


def _plot(part: Any, doors: Ints) -> tuple[Plot, int | None]:
    """Prepare a face, and say in which town it lies if any."""
    xy, of = shapely.get_coordinates(shapely.get_rings(part), return_index=True)
    keys = key_of(xy)
    place = np.searchsorted(doors, keys).clip(max=len(doors) - 1)
    on_road = doors[place] == keys
    town = _town_at(np.asarray(part.centroid.coords[0]), part.area)
    angle = 0.0 if town is None else geo.TOWNS[town].angle
    return Plot(part, xy[on_road], np.minimum(of[on_road], 1), angle, town is not None), town


def _town_at(place: Floats, area: float) -> int | None:
    for n, town in enumerate(geo.TOWNS):
        if np.hypot(*(place - (town.x, town.y))) < 1.2 * town.radius_m and area < 330_000:
            return n
    return None


def _faces(arcs: list[Floats]) -> list[Any]:
    return list(shapely.get_parts(shapely.polygonize(_linestrings(arcs))))


def _linestrings(rows: list[Floats]) -> Any:
    """Make all lines at once."""
    owner = np.repeat(np.arange(len(rows)), [len(xy) for xy in rows])
    return shapely.linestrings(np.concatenate(rows), indices=owner)


def _isolated(rng: np.random.Generator, closed: Any, lines: list[Line]) -> list[Line]:
    """Lay a few lanes that hang on nothing."""
    tree = shapely.STRtree(_linestrings([line.xy for line in lines]))
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


def _frames(lines: list[Line]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut the lines where others end on them; number nodes and edges."""
    size = np.array([len(line.xy) for line in lines])
    keys = key_of(np.concatenate([line.xy for line in lines]))
    last = np.cumsum(size) - 1
    tip = np.zeros(len(keys), dtype=bool)
    tip[last] = tip[last + 1 - size] = True
    over = np.repeat([line.over for line in lines], size)
    cut = np.flatnonzero(tip | (~over & np.isin(keys, keys[tip])))
    line_at = np.repeat(np.arange(len(lines)), size)[cut]
    inner = line_at[:-1] == line_at[1:]
    start, stop, owner = cut[:-1][inner], cut[1:][inner], line_at[:-1][inner]
    count = stop - start + 1
    same = pd.DataFrame(
        {
            "low": np.minimum(keys[start], keys[stop]),
            "high": np.maximum(keys[start], keys[stop]),
            "count": count,
            "middle": np.where(count > 2, keys[start + count // 2], 0),
        }
    )
    keep = (keys[start] != keys[stop]) | (count > 3)
    keep[keep] = ~same[keep].duplicated().to_numpy()
    start, stop, owner, count = start[keep], stop[keep], owner[keep], count[keep]
    ends, places = pd.factorize(np.stack([keys[start], keys[stop]], axis=1).ravel())
    piece = np.repeat(np.arange(len(start)), count)
    vertex = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count) + start[piece]
    edges = pd.DataFrame(
        {
            "edge_id": np.arange(1, len(start) + 1),
            "source_node": ends[::2] + 1,
            "target_node": ends[1::2] + 1,
            **_attributes([lines[i] for i in owner.tolist()]),
        }
    )
    edges["geometry"] = shapely.linestrings(_lonlat_of(keys[vertex]), indices=piece)
    lon, lat = _lonlat_of(np.asarray(places)).T
    nodes = pd.DataFrame({"node_id": np.arange(1, len(places) + 1), "lon": lon, "lat": lat})
    return nodes, edges


def _attributes(lines: list[Line]) -> dict[str, Any]:
    """Say of each edge's line what the edge takes from it."""
    limits = [MAXSPEED.get(line.road_class) if line.name else None for line in lines]
    road_class = np.array([line.road_class for line in lines], dtype=object)
    return {
        "road_class": road_class,
        "name": pd.Series([line.name for line in lines], dtype=object),
        "oneway": [line.oneway for line in lines],
        "maxspeed_kmh": pd.Series(limits, dtype=object),
        "bridge": [line.bridge for line in lines],
        "tunnel": False,
        "dual_carriageway": [line.dual for line in lines],
        "roundabout": False,
        "foot": road_class != "motorway",
        "motor": road_class != "footway",
    }


def _widen_footways(edges: pd.DataFrame) -> None:
    """Let cars onto as many footways as it takes for them to get everywhere; in place."""
    ends = edges[["source_node", "target_node"]].to_numpy()
    size = int(ends.max()) + 1
    fast = edges["motor"].to_numpy(dtype=bool)
    _, part = connected_components(
        coo_array((np.ones(fast.sum()), ends[fast].T), shape=(size, size)), directed=False
    )
    walks = np.flatnonzero(~fast)
    between = np.sort(part[ends[walks]], axis=1)
    length = shapely.length(edges["geometry"].to_numpy()[walks])
    order = np.lexsort((length, between[:, 1], between[:, 0]))
    order = order[between[order, 0] != between[order, 1]]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(between[order], axis=0) != 0).any(axis=1)
    best = order[first]
    tree = minimum_spanning_tree(
        coo_array((length[best], between[best].T), shape=(size, size)).tocsr()
    ).tocoo()
    kept = np.isin(
        between[best] @ (size, 1),
        np.stack([tree.row, tree.col], axis=1).astype(np.int64) @ (size, 1),
    )
    widened = walks[best[kept]]
    edges.loc[widened, "road_class"] = "service"
    edges.loc[widened, "motor"] = True


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
    lines = shapely.transform(edges["geometry"].to_numpy(), geo.to_metres)
    streets = edges["road_class"].to_numpy() == "living_street"
    return land.make_land(lines, lines[streets], rng)
