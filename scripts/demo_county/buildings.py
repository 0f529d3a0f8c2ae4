"""The buildings of the demo county: footprints beside roads, each whole inside one base grid.

Candidates stand along both sides of the roads in rows; those in water, on a border or on a road go
first, then those that stand in a better one's way. Each grid takes as many of the rest, best first,
as its households need. Everything is measured in the demo's plane metres.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from scripts.demo_county import geography as geo
from scripts.demo_county import people_names as names
from scripts.demo_county.geography import Bools, Floats, Ints

HOUSEHOLDS: Final = 200_000
TOWER_NAME: Final = "汀城·江景大厦"
TOWER_HOUSEHOLDS: Final = 200
TOWER_STOREYS: Final = 30
_MOST_IN_A_HOUSE: Final = 4

KINDS: Final = ("residential", "apartment", "shop", "shed", "school", "factory", "office")
HOUSE, APARTMENT, SHOP, SHED, SCHOOL, FACTORY, OFFICE = range(7)
# Frontage and depth in metres, from and to.
_SIZE: Final = np.array(
    [
        [[9, 14], [8, 12]],
        [[30, 56], [11, 15]],
        [[8, 16], [9, 14]],
        [[5, 9], [4, 7]],
        [[34, 60], [12, 18]],
        [[30, 62], [18, 34]],
        [[18, 36], [12, 18]],
    ],
    dtype=np.float64,
)
_NO_HOUSES: Final = (
    "motorway", "trunk", "ferry", "steps", "footway", "cycleway", "pedestrian", "path",
)  # fmt: skip
_CLEAR_M: Final = {"motorway": 26.0, "trunk": 13.0, "primary": 7.5, "secondary": 5.5}
_CLEAR_ELSE_M: Final = 3.0
_OVERLAP_M: Final = 0.8


@dataclass
class Built:
    """
    The buildings and what the other parts need of them, one row each.

    ``xy`` (n, 2) centres and ``front`` (n, 2) points of the road before them, metres; ``face``,
    ``edge`` row numbers in the faces and the road edges; ``along`` metres on the edge; ``left`` of
    it; ``row`` 0 at the road; ``kind`` index of :data:`KINDS`; ``households`` how many live there.
    """

    frame: pd.DataFrame
    xy: Floats
    front: Floats
    face: Ints
    edge: Ints
    along: Floats
    left: Bools
    row: Ints
    kind: Ints
    households: Ints


@dataclass
class _Slots:
    """Candidates: see :class:`Built`; ``size`` (n, 2) frontage and depth, ``angle`` of the road."""

    xy: Floats
    front: Floats
    face: Ints
    edge: Ints
    along: Floats
    left: Bools
    row: Ints
    kind: Ints
    size: Floats
    angle: Floats
    merit: Floats

    def where(self, keep: Bools | Ints) -> "_Slots":
        return _Slots(**{name: values[keep] for name, values in vars(self).items()})


def in_metres(geometries: npt.ArrayLike) -> npt.NDArray[np.object_]:
    """
    Move geometries from degrees into the demo's plane.

    Parameters
    ----------
    geometries
        Shapely geometries, lon and lat.

    Returns
    -------
    numpy.ndarray
        The same in metres.
    """
    values = np.asarray(geometries, dtype=object)
    return np.asarray(shapely.transform(values, geo.to_metres), dtype=object)


def face_of(xy: Floats, outlines: npt.NDArray[np.object_]) -> Ints:
    """
    Find the face each point lies in.

    Parameters
    ----------
    xy
        Shape (n, 2).
    outlines
        Polygons in the same plane.

    Returns
    -------
    numpy.ndarray
        Row numbers of the faces, -1 outside.
    """
    face, point = _points_tree(xy).query(outlines, predicate="contains")
    found = np.full(len(xy), -1, dtype=np.int64)
    found[point[::-1]] = face[::-1]
    return found


def _points_tree(xy: Floats) -> shapely.STRtree:
    return shapely.STRtree(np.asarray(shapely.points(xy), dtype=object))


def households_wanted(faces: pd.DataFrame, rng: np.random.Generator) -> Ints:
    """
    Decide how many households live in each base grid.

    Parameters
    ----------
    faces
        Base grids with ``kind`` and ``urban``.
    rng
        Where chance comes from.

    Returns
    -------
    numpy.ndarray
        Whole numbers: mostly of the right size, some too small, some too big, few far too big.
    """
    count = len(faces)
    urban = faces["urban"].to_numpy(dtype=bool)
    wanted = np.where(
        urban,
        np.clip(rng.normal(247, 28, count), 202, 298),
        np.clip(rng.normal(166, 52, count), 82, 296),
    )
    draw = rng.random(count)
    small, big, huge = draw < 0.08, (draw >= 0.08) & (draw < 0.16), draw >= 0.994
    wanted[small] = np.where(urban, rng.uniform(90, 195, count), rng.uniform(24, 78, count))[small]
    wanted[big] = np.where(urban, rng.uniform(305, 430, count), rng.uniform(305, 390, count))[big]
    wanted[huge] = rng.uniform(560, 900, int(huge.sum()))
    dedicated = (faces["kind"] == "dedicated").to_numpy()
    few = np.where(rng.random(count) < 0.3, rng.uniform(6, 50, count), 0)
    ordinary = ~dedicated & ~small & ~big & ~huge & ~urban
    rest = HOUSEHOLDS - wanted[~ordinary & ~dedicated].sum() - few[dedicated].sum()
    if ordinary.any():
        wanted[ordinary] *= np.clip(rest / wanted[ordinary].sum(), 0.6, 1.3)
    return np.asarray(np.where(dedicated, few, wanted).round(), dtype=np.int64)


def make_buildings(
    faces: pd.DataFrame,
    road_edges: pd.DataFrame,
    water: shapely.Geometry,
    rng: np.random.Generator,
) -> Built:
    """
    Place the buildings of the county.

    Parameters
    ----------
    faces
        Base grids in force: ``kind``, ``urban``, ``geometry`` (degrees).
    road_edges
        As in ``frames.COLUMNS``.
    water
        Where nothing stands, degrees.
    rng
        Where chance comes from.

    Returns
    -------
    Built
        Sorted by grid; ``frame`` has the columns of ``buildings``, addresses still empty.
    """
    outlines = in_metres(faces["geometry"].to_numpy())
    lines = in_metres(road_edges["geometry"].to_numpy())
    wet = in_metres(shapely.get_parts(water))
    urban = faces["urban"].to_numpy(dtype=bool)
    dedicated = (faces["kind"] == "dedicated").to_numpy()
    wanted = households_wanted(faces, rng)
    slots = _candidates(lines, road_edges, outlines, urban, rng)
    slots = _settled(slots, outlines, dedicated, rng)
    room = _room(slots, urban, rng)
    order = np.lexsort((slots.merit, slots.face))
    slots, room = slots.where(order), room[order]
    many = np.where(urban[slots.face], 400, np.clip(2.2 * wanted[slots.face], 120, 600))
    keep = _rank(slots.face) < many
    slots, room = slots.where(keep), room[keep]
    keep = _on_its_land(slots, outlines, wet)
    slots, room = slots.where(keep), room[keep]
    keep = _stands_free(slots, lines, road_edges, outlines, wet)
    slots, room = slots.where(keep), room[keep]
    keep = _in_nobodys_way(slots)
    slots, room = slots.where(keep), room[keep]
    tower = _tower(slots, room, faces, wanted)
    keep, households = _chosen(slots, room, wanted, dedicated, tower)
    slots, households = slots.where(keep), households[keep]
    tower = int(keep[:tower].sum()) if tower >= 0 else -1
    return _built(slots, households, faces, tower, rng)


def _rank(group: Ints) -> Ints:
    """Count the rows within each group of sorted group numbers, from 0."""
    start = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    length = np.diff(np.concatenate([start, [len(group)]]))
    return np.asarray(np.arange(len(group)) - np.repeat(start, length), dtype=np.int64)


def _candidates(
    lines: npt.NDArray[np.object_],
    road_edges: pd.DataFrame,
    outlines: npt.NDArray[np.object_],
    urban: Bools,
    rng: np.random.Generator,
) -> _Slots:
    """Slots in rows along both sides of each road that may have houses."""
    allowed = ~road_edges["road_class"].isin(_NO_HOUSES).to_numpy()
    for flag in ("bridge", "tunnel"):
        allowed &= ~road_edges[flag].fillna(value=False).to_numpy(dtype=bool)
    length = shapely.length(lines)
    middle = shapely.STRtree(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    in_town = np.zeros(len(lines), dtype=bool)
    in_town[middle.query(outlines[urban], predicate="dwithin", distance=15.0)[1]] = True
    step = np.where(in_town, 15.0, 22.0)
    number = np.where(allowed & (length > 24), (length - 12) // step, 0).astype(np.int64)
    edge = np.repeat(np.arange(len(lines)), number)
    along = 6 + step[edge] * (_rank(edge) + 0.5) + rng.uniform(-0.35, 0.35, len(edge)) * step[edge]
    front = shapely.get_coordinates(shapely.line_interpolate_point(lines[edge], along))
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(lines[edge], along + 4))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(lines[edge], along - 4))
    angle = np.arctan2(*(ahead - behind).T[::-1])
    clear = _clear_m(road_edges)
    rows = np.where(in_town, 4, 2)
    parts = []
    for turn in range(4):
        for side in (True, False):
            here = rows[edge] > turn
            if turn:
                here &= in_town[edge] | (rng.random(len(edge)) < 0.7)
            picked = np.flatnonzero(here)
            parts.append((picked, np.full(len(picked), turn), np.full(len(picked), side)))
    slot = np.concatenate([part[0] for part in parts])
    row = np.concatenate([part[1] for part in parts])
    left = np.concatenate([part[2] for part in parts])
    town = in_town[edge[slot]]
    pitch = np.where(town, 23.0, rng.uniform(20, 34, len(slot)))
    setback = np.where(town, rng.uniform(2, 5, len(slot)), rng.uniform(4, 16, len(slot)))
    out = clear[edge[slot]] + setback + row * pitch
    way = angle[slot]
    normal = np.column_stack([-np.sin(way), np.cos(way)]) * np.where(left, 1.0, -1.0)[:, None]
    return _Slots(
        xy=front[slot] + normal * out[:, None],
        front=front[slot],
        face=np.full(len(slot), -1, dtype=np.int64),
        edge=edge[slot],
        along=along[slot],
        left=left,
        row=row,
        kind=_kinds(town, row, rng),
        size=np.zeros((len(slot), 2)),
        angle=way + np.where(town, 0, rng.normal(0, 0.06, len(slot))),
        merit=_merit(front[slot], town, row, rng),
    )


def _clear_m(road_edges: pd.DataFrame) -> Floats:
    """How far from a road's middle nothing stands, metres."""
    return np.asarray(
        road_edges["road_class"].map(_CLEAR_M).fillna(_CLEAR_ELSE_M), dtype=np.float64
    )


def _kinds(town: Bools, row: Ints, rng: np.random.Generator) -> Ints:
    """Draw what stands in each slot."""
    shares = np.array(
        [
            #  house apart. shop  shed school factory office
            [0.34, 0.14, 0.43, 0.03, 0.005, 0.012, 0.033],  # town, at the street
            [0.60, 0.27, 0.02, 0.06, 0.010, 0.030, 0.02],  # town, behind
            [0.94, 0.002, 0.025, 0.028, 0.001, 0.003, 0.001],  # country
        ]
    )
    setting = np.where(town, np.where(row == 0, 0, 1), 2)
    steps = np.cumsum(shares, axis=1)
    draw = rng.random(len(row))[:, None] * steps[setting, -1:]
    return np.asarray((draw > steps[setting]).sum(axis=1).clip(0, 6), dtype=np.int64)


def _merit(xy: Floats, town: Bools, row: Ints, rng: np.random.Generator) -> Floats:
    """Say where building begins: low first; hamlets in the country, streets in town."""
    x, y = xy.T
    hamlets = (
        np.sin(x / 210 + 2.1 * np.sin(y / 470))
        + np.cos(y / 230 + 1.7 * np.cos(x / 430))
        + 0.6 * np.sin((x + y) / 120)
    )
    chance = rng.random(len(row))
    return np.asarray(
        np.where(town, 0.9 * chance + 0.17 * row, 1.1 * chance + 0.22 * row - 0.55 * hamlets)
    )


def _settled(
    slots: _Slots,
    outlines: npt.NDArray[np.object_],
    dedicated: Bools,
    rng: np.random.Generator,
) -> _Slots:
    """Find the grid of each slot, give it its size, and drop what is outside."""
    slots.face = face_of(slots.xy, outlines)
    slots = slots.where(slots.face >= 0)
    special = dedicated[slots.face]
    kinds = np.array([FACTORY, OFFICE, SCHOOL, SHED, APARTMENT])
    drawn = kinds[rng.choice(5, int(special.sum()), p=[0.3, 0.2, 0.2, 0.15, 0.15])]
    slots.kind[special] = drawn
    low, high = _SIZE[slots.kind, :, 0], _SIZE[slots.kind, :, 1]
    slots.size = low + rng.random(low.shape) * (high - low)
    turn = slots.angle
    normal = np.column_stack([-np.sin(turn), np.cos(turn)])
    normal *= np.where(slots.left, 1.0, -1.0)[:, None]
    slots.xy += normal * slots.size[:, 1:] / 2
    return slots


def _on_its_land(
    slots: _Slots, outlines: npt.NDArray[np.object_], wet: npt.NDArray[np.object_]
) -> Bools:
    """Which centres lie in the grid of the road point before them, and not in water."""
    tree = _points_tree(slots.xy)
    at_home = np.zeros(len(slots.kind), dtype=bool)
    face, point = tree.query(outlines, predicate="contains")
    at_home[point[slots.face[point] == face]] = True
    at_home[tree.query(wet, predicate="intersects")[1]] = False
    return at_home


def _room(slots: _Slots, urban: Bools, rng: np.random.Generator) -> Ints:
    """How many households a building has room for."""
    count = len(slots.kind)
    town = urban[slots.face]
    house = np.searchsorted([0.64, 0.92, 0.985], rng.random(count)) + 1
    shop = np.where(town, rng.integers(1, 4, count), rng.integers(1, 3, count))
    flats = np.where(
        town,
        rng.integers(4, 12, count) * rng.integers(2, 5, count),
        rng.integers(3, 6, count) * 2,
    ).clip(6, 48)
    by_kind = np.zeros((count, len(KINDS)), dtype=np.int64)
    by_kind[:, HOUSE], by_kind[:, SHOP], by_kind[:, APARTMENT] = house, shop, flats
    return np.asarray(by_kind[np.arange(count), slots.kind], dtype=np.int64)


def _tower(slots: _Slots, room: Ints, faces: pd.DataFrame, wanted: Ints) -> int:
    """Choose the one very high block, near the county seat, and fill it; -1 where none can be."""
    seat = geo.TOWNS[0]
    fits = faces["urban"].to_numpy(dtype=bool) & (faces["kind"] == "ordinary").to_numpy()
    able = np.flatnonzero((slots.kind == APARTMENT) & fits[slots.face] & (room >= 16))
    if not len(able):
        return -1
    away = np.hypot(slots.xy[able, 0] - seat.x + 250, slots.xy[able, 1] - seat.y - 260)
    slot = int(able[away.argmin()])
    wanted[slots.face[slot]] = max(wanted[slots.face[slot]], TOWER_HOUSEHOLDS + 64)
    room[slot] = TOWER_HOUSEHOLDS
    return slot


def _rectangles(slots: _Slots, margin_m: float) -> npt.NDArray[np.object_]:
    """Draw the footprints without wings, a margin wider on each side."""
    half = slots.size / 2 + margin_m
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return _drawn(slots, corner[None] * half[:, None])


def _drawn(slots: _Slots, local: Floats) -> npt.NDArray[np.object_]:
    cos, sin = np.cos(slots.angle)[:, None], np.sin(slots.angle)[:, None]
    x = slots.xy[:, :1] + local[..., 0] * cos - local[..., 1] * sin
    y = slots.xy[:, 1:] + local[..., 0] * sin + local[..., 1] * cos
    return np.asarray(shapely.polygons(np.stack([x, y], axis=-1)), dtype=object)


def _footprints(slots: _Slots) -> npt.NDArray[np.object_]:
    """Draw the footprints; some houses have a wing and so the shape of an L."""
    shapes = _rectangles(slots, 0.0)
    winged = np.flatnonzero((slots.merit * 7919) % 1 < 0.22)
    part = slots.where(winged)
    w, d = part.size.T / 2
    cut = (part.merit * 104729) % 0.6 - 0.3
    inner = np.stack([w * cut, d * cut / 2], axis=-1)
    local = np.stack(
        [
            np.stack([-w, -d], -1),
            np.stack([w, -d], -1),
            np.stack([w, inner[:, 1]], -1),
            inner,
            np.stack([inner[:, 0], d], -1),
            np.stack([-w, d], -1),
        ],
        axis=1,
    )
    shapes[winged] = _drawn(part, local)
    return shapes


def _segments(geometries: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.object_], Ints]:
    """Cut lines or outlines into pieces of two points; with the row number of each."""
    lines = np.where(
        np.isin(shapely.get_type_id(geometries), (3, 6)), shapely.boundary(geometries), geometries
    )
    pieces, owner = shapely.get_parts(lines, return_index=True)
    xy, line = shapely.get_coordinates(pieces, return_index=True)
    same = line[1:] == line[:-1]
    ends = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    return np.asarray(shapely.linestrings(ends)), owner[line[1:][same]]


def _stands_free(
    slots: _Slots,
    lines: npt.NDArray[np.object_],
    road_edges: pd.DataFrame,
    outlines: npt.NDArray[np.object_],
    wet: npt.NDArray[np.object_],
) -> Bools:
    """Which footprints keep off borders, roads and shores."""
    tree = shapely.STRtree(_rectangles(slots, 0.0))
    keep = np.ones(len(slots.kind), dtype=bool)
    borders, _ = _segments(outlines)
    keep[tree.query(borders, predicate="dwithin", distance=1.0)[1]] = False
    ways, owner = _segments(lines)
    through = ~road_edges["tunnel"].fillna(value=False).to_numpy(dtype=bool)[owner]
    near = _clear_m(road_edges)[owner[through]]
    keep[tree.query(ways[through], predicate="dwithin", distance=near)[1]] = False
    shores, _ = _segments(wet)
    keep[tree.query(shores, predicate="dwithin", distance=4.0)[1]] = False
    return keep


def _in_nobodys_way(slots: _Slots) -> Bools:
    """Of footprints that overlap keep the better one; blocks of flats come before the rest."""
    tree = shapely.STRtree(_rectangles(slots, _OVERLAP_M))
    one, other = tree.query(tree.geometries, predicate="intersects")
    first = slots.merit - 0.6 * (slots.kind == APARTMENT)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    worse = place[other] > place[one]
    one, other = one[worse], other[worse]
    by_place = np.argsort(place[one], kind="stable")
    alive = [True] * len(first)
    for a, b in zip(one[by_place].tolist(), other[by_place].tolist(), strict=True):
        if alive[a]:
            alive[b] = False
    return np.asarray(alive)


def _chosen(
    slots: _Slots, room: Ints, wanted: Ints, dedicated: Bools, tower: int
) -> tuple[Bools, Ints]:
    """Take buildings, best first, until a grid has its households; say how many live in each."""
    start = np.flatnonzero(_rank(slots.face) == 0)
    total = np.cumsum(room)
    before = total - room
    before -= np.repeat(before[start], np.diff(np.append(start, len(room))))
    target = wanted[slots.face]
    if tower >= 0:  # it is full, whatever its place in the order
        target = np.where(slots.face == slots.face[tower], target - room[tower], target)
        after = np.arange(len(room)) > tower
        before = before - np.where(after & (slots.face == slots.face[tower]), room[tower], 0)
    keep = np.where(dedicated[slots.face], _rank(slots.face) < 14, before < target)
    households = np.where(keep, np.minimum(room, np.maximum(target - before, 0)), 0)
    if tower >= 0:
        keep[tower], households[tower] = True, room[tower]
    missing = wanted - np.bincount(slots.face, households, len(wanted)).astype(np.int64)
    for face in np.flatnonzero(missing > 0).tolist():
        here = np.flatnonzero((slots.face == face) & (households > 0))
        here = here[here != tower]
        if len(here):
            share = np.cumsum(households[here]) * missing[face] // households[here].sum()
            households[here] += np.diff(share, prepend=0)
    return keep, np.asarray(households, dtype=np.int64)


def _built(
    slots: _Slots, households: Ints, faces: pd.DataFrame, tower: int, rng: np.random.Generator
) -> Built:
    """Put the buildings into a frame; what holds more than a house can is a block of flats."""
    full = households > _MOST_IN_A_HOUSE
    slots = replace(slots, kind=np.where(full, APARTMENT, slots.kind))
    count = len(slots.kind)
    lonlat = geo.to_lonlat(slots.xy)
    shapes = shapely.transform(_footprints(slots), geo.to_lonlat)
    inside = shapely.contains_xy(shapes, *lonlat.T)
    lonlat[~inside] = shapely.get_coordinates(shapely.point_on_surface(shapes[~inside]))
    frame = pd.DataFrame(
        {
            "key": names.numbered("B", count, 6),
            "name": _building_names(slots, faces, rng),
            "address": "",
            "kind": np.array(KINDS, dtype=object)[slots.kind],
            "storeys": _storeys(slots.kind, households, rng),
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
            "footprint": shapes,
        }
    )
    if tower >= 0:
        frame.loc[tower, ["name", "storeys"]] = [TOWER_NAME, TOWER_STOREYS]
    return Built(
        frame=frame,
        xy=geo.to_metres(lonlat),
        front=slots.front,
        face=slots.face,
        edge=slots.edge,
        along=slots.along,
        left=slots.left,
        row=slots.row,
        kind=slots.kind,
        households=households,
    )


def _storeys(kind: Ints, households: Ints, rng: np.random.Generator) -> Ints:
    low = np.array([1, 4, 2, 1, 2, 1, 3])[kind]
    high = np.array([4, 7, 5, 2, 6, 4, 10])[kind]
    drawn = rng.integers(low, high)
    by_flats = np.clip(np.ceil(households / 4), 4, 18).astype(np.int64)
    return np.asarray(np.where(kind == APARTMENT, np.maximum(drawn, by_flats), drawn))


def _building_names(slots: _Slots, faces: pd.DataFrame, rng: np.random.Generator) -> names.Texts:
    """Name blocks of flats by the estate, one estate a grid; other buildings have no name."""
    first = ("金桂", "江畔", "翠湖", "芷江", "兰亭", "锦绣", "云锦", "望岳", "滨河", "丽景", "枫林")
    second = ("花园", "小区", "家园", "雅苑", "新村", "名邸", "公寓", "华庭")
    estate = names.pick(first, len(faces), rng) + names.pick(second, len(faces), rng)
    named = np.full(len(slots.kind), "", dtype=object)
    flats = np.flatnonzero(slots.kind == APARTMENT)
    number = _rank(slots.face[flats]) + 1
    named[flats] = [
        f"{name}{block}栋"
        for name, block in zip(estate[slots.face[flats]], number.tolist(), strict=True)
    ]
    return named
