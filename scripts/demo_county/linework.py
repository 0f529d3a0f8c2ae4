"""The demo county's boundaries: cells become grids of two versions, edges become natural lines.

Version 2 is the land as it is; version 1 is how it was a year before: in one village some cells
belonged to the grid next door, in another one grid was still two. Also the fire scheme, other
polygons made of the same lines.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from scripts.demo_county import fractal, hierarchy, ways
from scripts.demo_county import geography as geo
from scripts.demo_county import placenames as names
from scripts.demo_county.boundaries import GRID_COLUMNS, Boundaries
from scripts.demo_county.cells import REDRAWN_CENTRE, Cells, make_cells
from scripts.demo_county.geography import Bools, Floats, Ints

BASE_COUNT = 1094
RINGS = (
    ("汀城工业园", "Tingcheng Industrial Park", (5200.0, 3300.0)),
    ("双渡物流园", "Shuangdu Logistics Park", (-9900.0, 4600.0)),
    ("白鹭食品产业园", "Bailu Food Park", (12800.0, -5200.0)),
)
DEDICATED = (
    ("汀兰县第一中学", "Tinglan No. 1 Middle School", (2300.0, -300.0)),
    ("汀兰县第二中学", "Tinglan No. 2 Middle School", (700.0, -1900.0)),
    ("汀兰广场商城", "Tinglan Plaza Mall", (1700.0, -1200.0)),
    ("汀城职业学校", "Tingcheng Vocational School", (2600.0, -1900.0)),
    ("汀兰建材市场", "Tinglan Building Market", (600.0, 500.0)),
    ("望湖镇中学", "Wanghu Middle School", (4200.0, 13600.0)),
    ("柳堰镇中学", "Liuyan Middle School", (10100.0, 6500.0)),
    ("石埠镇农贸市场", "Shibu Produce Market", (-5600.0, -13500.0)),
    ("沙洲镇商贸城", "Shazhou Trade Centre", (4100.0, -15000.0)),
)
PAIR_PLACE = (-9300.0, 8900.0)
SCHEME = {
    "name": "基础网格",
    "name_en": "Base grids",
    "levels": [
        {"rank": 1, "label": "大网格", "label_en": "Town grid", "admin_level": "town"},
        {"rank": 2, "label": "中网格", "label_en": "Middle grid", "admin_level": "village"},
        {"rank": 3, "label": "基础网格", "label_en": "Base grid", "admin_level": None},
    ],
    "code_layout": [6, 3, 3, 3],
    "size_rule": {"urban": [200, 300], "rural": [80, 300]},
}
COUNTY = {"code": geo.COUNTY_CODE, "name": geo.COUNTY_NAME, "name_en": "Tinglan County"}


@dataclass
class _Plan:
    """Base grids on the way: the cells of each village's grids in each version."""

    villages: list[set[int]]
    town: list[int]
    urban: list[bool]
    groups: dict[int, list[list[set[int]]]]  # version -> village -> cells of each grid
    pair: int  # village in which version 1 has one grid more


def make_boundaries(seed: int) -> Boundaries:
    """
    Make the boundaries of the demo county.

    Parameters
    ----------
    seed
        The same seed gives the same county.

    Returns
    -------
    Boundaries
        Two versions; 1,094 base grids in the second.
    """
    rng = np.random.default_rng(seed)
    cells = make_cells(rng)
    start, stop = cells.nodes[cells.edges[:, 0]], cells.nodes[cells.edges[:, 1]]
    length = np.hypot(*(stop - start).T)
    wet = ways.along_rivers(start, stop)
    rim = np.asarray(~cells.inside[cells.sides].all(axis=1), dtype=bool)
    roads = ways.main_roads(cells.nodes, cells.edges, length, wet, rim)
    main = np.zeros(len(cells.edges), dtype=bool)
    for _, way in roads:
        main[way] = True
    barred = wet | (main & ~rim)
    plan = _plan(cells, barred, wet)
    kinds = _kinds(cells, length, wet, main, rim, plan, rng)
    lines = _lines(cells, wet, main, kinds, roads, rng)
    return _assemble(cells, plan, kinds, lines, rng)


def _plan(cells: Cells, barred: Bools, wet: Bools) -> _Plan:
    near = hierarchy.graph_of(cells, np.where(wet, 3.0, np.where(barred, 1.25, 1.0)))
    town = hierarchy.towns_of(cells, near)
    villages, of_town, urban = hierarchy.villages_of(cells, near, town)
    stray, giver, taker = hierarchy.exclave(near, villages, urban, of_town, cells.seeds)
    villages[giver] = villages[giver] - {stray}
    area = hierarchy.cell_areas(cells)
    pairs = hierarchy.barred_pairs(cells, barred)
    count = hierarchy.grid_counts([len(v) for v in villages], urban, BASE_COUNT - len(RINGS))
    pair = hierarchy.village_near(villages, cells.seeds, PAIR_PLACE)
    redrawn = hierarchy.village_near(villages, cells.seeds, REDRAWN_CENTRE)
    now, before = [], []
    for number, (cellset, n) in enumerate(zip(villages, count, strict=True)):
        groups = hierarchy.gather(cellset, n, near, area, pairs)
        old = [set(group) for group in groups]
        if number == pair:
            old = hierarchy.gather(cellset, n + 1, near, area, pairs)
        if number == redrawn:
            for cell, here, there in hierarchy.swaps(groups, near, pairs, 4):
                old[here].discard(cell)
                old[there].add(cell)
        if number == taker:
            xy = cells.seeds[stray]
            gap = [min(float(np.hypot(*(cells.seeds[c] - xy))) for c in group) for group in groups]
            owner = int(np.argmin(gap))
            groups[owner].add(stray)
            old[owner].add(stray)
        now.append(groups)
        before.append(old)
    return _Plan(villages, of_town, urban, {1: before, 2: now}, pair)


def _grid_of(plan: _Plan, version: int, size: int) -> Ints:
    """Say in which grid each cell is."""
    flat = [group for groups in plan.groups[version] for group in groups]
    return hierarchy.as_labels(flat, size)


def _kinds(
    cells: Cells, length: Floats, wet: Bools, main: Bools, rim: Bools, plan: _Plan,
    rng: np.random.Generator,
) -> Any:  # fmt: skip
    """Streets: in towns, along main roads, and country roads that reach every grid."""
    now = _grid_of(plan, 2, len(cells.seeds))
    left, right = now[cells.sides[:, 0]], now[cells.sides[:, 1]]
    arc = left != right
    lattice = (cells.town[cells.sides] >= 0).all(axis=1) & ~rim & ~wet
    some = (cells.town[cells.sides] >= 0).any(axis=1) & ~rim & ~wet
    street = (main | lattice | some) & ~wet
    dry_node = np.ones(len(cells.nodes), dtype=bool)
    dry_node[np.unique(cells.edges[wet])] = False
    usable = arc & ~rim & ~wet & dry_node[cells.edges].all(axis=1)
    near = ways.neighbours(len(cells.nodes), cells.edges)
    near = [[(o, e) for o, e in row if usable[e]] for row in near]
    cost = length * np.exp(0.25 * rng.normal(0, 1, len(length)))
    on_road = set(np.unique(cells.edges[street & arc]).tolist())
    goals: dict[int, set[int]] = {}
    for edge in np.flatnonzero(arc & ~wet):
        for side in (left[edge], right[edge]):
            if side >= 0:
                goals.setdefault(int(side), set()).update(cells.edges[edge].tolist())
    order = sorted(goals, key=lambda g: (-len(goals[g]), g))
    for grid in order:
        ends = goals[grid]
        if ends & on_road:
            continue
        way = ways.cheapest(near, cost, sorted(ends), on_road)
        street[way] = True
        on_road |= set(cells.edges[way].ravel().tolist())
    rural = arc & ~some & ~main & ~rim & ~wet
    wanted = int(0.45 * rural.sum())
    for edge in rng.permutation(np.flatnonzero(rural & usable & ~street)):
        if (street & rural).sum() >= wanted:
            break
        a, b = cells.edges[edge].tolist()
        if a in on_road and b in on_road:
            street[edge] = True
    return np.where(wet, "water", np.where(street, "street", "other"))


def _lines(
    cells: Cells, wet: Bools, main: Bools, kinds: Any, roads: ways.Links, rng: np.random.Generator
) -> Floats:
    base = np.zeros((len(cells.edges), 2**fractal.DEPTH + 1))
    middle = cells.nodes[cells.edges].mean(axis=1)
    nearest = np.full(len(middle), np.inf)
    for _, _, control in geo.RIVERS:
        curve = geo.smooth_curve(control, ways.STEP_M)
        distance, _ = cKDTree(curve).query(middle)
        mine = wet & (distance < nearest)
        nearest = np.where(mine, distance, nearest)
        base[mine] = fractal.towards(cells, mine, curve, 80.0)
    for number, way in roads:
        curve = geo.road_curve(geo.TOWN_LINKS[number], ways.STEP_M)
        distance, _ = cKDTree(curve).query(middle)
        mine = np.zeros(len(middle), dtype=bool)
        mine[way] = True
        mine &= ~wet & (distance < 60)
        base[mine] = fractal.towards(cells, mine, curve, 120.0)
    lattice = (cells.town[cells.sides] >= 0).all(axis=1)
    amplitude = np.where(kinds == "street", 0.5, 1.0)
    amplitude = np.where(main, 0.13, amplitude)
    amplitude = np.where(wet, 0.35, amplitude)
    amplitude = np.where(lattice, 0.08, amplitude)
    return fractal.winding(cells, amplitude, base, rng)


def _ring(cells: Cells, cell: int, radius: float, rng: np.random.Generator) -> Floats:
    """Draw a closed line around a seed that stays well within its cell."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    turn = rng.uniform(0, np.pi)
    c, s = np.abs(np.cos(angle - turn)), np.abs(np.sin(angle - turn))
    square = 1 / (c**5 + (1.25 * s) ** 5) ** 0.2
    reach = radius * square * (1 + 0.02 * rng.normal(0, 1, len(angle)))
    ring = cells.seeds[cell] + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.concatenate([ring, ring[:1]])


def _ring_cells(cells: Cells) -> list[tuple[int, float]]:
    start, stop = cells.nodes[cells.edges[:, 0]], cells.nodes[cells.edges[:, 1]]
    room = np.full(len(cells.seeds), np.inf)
    for side in (0, 1):
        seed = cells.seeds[cells.sides[:, side]]
        gap = shapely.distance(
            shapely.points(seed), shapely.linestrings(np.stack([start, stop], axis=1))
        )
        np.minimum.at(room, cells.sides[:, side], gap)
    room[~cells.inside | (cells.town >= 0)] = 0
    result = []
    for _, _, place in RINGS:
        gap = np.hypot(*(cells.seeds - place).T)
        good = (gap < 3000) & (room > 0.9 * room[gap < 3000].max())
        cell = int(np.argmin(np.where(good, gap, np.inf)))
        result.append((cell, float(min(0.45 * room[cell], 260.0))))
        room[cell] = 0
    return result


def _assemble(
    cells: Cells, plan: _Plan, kinds: Any, lines: Floats, rng: np.random.Generator
) -> Boundaries:
    rows, key_of = _grids(cells, plan)
    sides: dict[int, tuple[list[str | None], list[str | None]]] = {}
    label = {}
    for version in (1, 2):
        label[version] = _grid_of(plan, version, len(cells.seeds))
        keys: list[str | None] = [*key_of[version], None]  # position -1 is the outside
        sides[version] = (
            [keys[i] for i in label[version][cells.sides[:, 0]]],
            [keys[i] for i in label[version][cells.sides[:, 1]]],
        )
    used = np.array(
        [any(sides[v][0][i] != sides[v][1][i] for v in (1, 2)) for i in range(len(cells.edges))]
    )
    index = np.flatnonzero(used)
    arcs = [geo.to_lonlat(lines[i]) for i in index]
    kept_kinds = [str(kinds[i]) for i in index]
    kept = {v: ([sides[v][0][i] for i in index], [sides[v][1][i] for i in index]) for v in (1, 2)}
    for number, (cell, radius) in enumerate(_ring_cells(cells)):
        arcs.append(geo.to_lonlat(_ring(cells, cell, radius, rng)))
        kept_kinds.append("street")
        for version in (1, 2):
            around = key_of[version][label[version][cell]]
            kept[version][0].append(f"g{BASE_COUNT - len(RINGS) + number + 1:04d}")
            kept[version][1].append(around)
        ring_row = next(
            r for r in rows if r["key"] == f"g{BASE_COUNT - len(RINGS) + number + 1:04d}"
        )
        beside = next(r for r in rows if r["key"] == key_of[2][label[2][cell]])
        ring_row["parent"], ring_row["urban_rural_class"] = (
            beside["parent"],
            beside["urban_rural_class"],
        )
    objects = np.empty(len(arcs), dtype=object)
    objects[:] = [shapely.LineString(xy) for xy in arcs]
    grids = pd.DataFrame(rows, columns=list(GRID_COLUMNS), dtype=object)
    old = [key for key in key_of[1] if key not in set(key_of[2])]
    new = [key for key in key_of[2] if key not in set(key_of[1])]
    successors = [{"old": key, "new": new[0], "version": 2} for key in old]
    return Boundaries(objects, kept_kinds, kept, grids, successors, SCHEME, COUNTY)


def _grids(cells: Cells, plan: _Plan) -> tuple[list[dict[str, Any]], dict[int, list[str]]]:
    """Name all grids; return their rows and, for each version, the keys in the order of groups."""
    rows = []
    for number, town in enumerate(geo.TOWNS):
        code = geo.COUNTY_CODE + town.code
        kind = "111" if number == 0 else "121"
        rows.append(
            _row(f"t{number + 1:02d}", town.name, town.name_en, 1, None, kind, code, [1, 2])
        )
    keys: dict[int, list[str]] = {1: [], 2: []}
    base_rows = []
    counters = dict.fromkeys(itertools.product(range(len(geo.TOWNS)), (True, False)), 0)
    next_key = 0
    extra = BASE_COUNT
    for v, urban in enumerate(plan.urban):
        where = plan.town[v]
        k = counters[where, urban]
        counters[where, urban] += 1
        pool = names.COMMUNITIES if urban else names.VILLAGES
        stem, stem_en = pool[k if urban and where == 0 else (k * 5 + where * 11) % len(pool)]
        name = stem + ("社区" if urban else "村")
        kind = _class_of(where, urban=urban)
        code = f"{geo.COUNTY_CODE}{geo.TOWNS[where].code}{(1 if urban else 201) + k:03d}"
        middle = f"m{v + 1:03d}"
        english = f"{stem_en} {'Community' if urban else 'Village'}"
        rows.append(_row(middle, name, english, 2, f"t{where + 1:02d}", kind, code, [1, 2]))
        now, before = plan.groups[2][v], plan.groups[1][v]
        taken = []
        for i, group in enumerate(now):
            next_key += 1
            same = v != plan.pair or group in before
            key = f"g{next_key:04d}" if same else f"g{extra + 3:04d}"
            label = _base_name(stem, stem_en, i + 1, urban=urban)
            base_rows.append(_row(key, *label, 3, middle, kind, None, [1, 2] if same else [2]))
            keys[2].append(key)
            taken.append(key)
        if v != plan.pair:
            keys[1].extend(taken)
            continue
        fresh = 0
        for group in before:
            if group in now:
                keys[1].append(taken[now.index(group)])
                continue
            fresh += 1
            key = f"g{extra + fresh:04d}"
            label = _base_name(stem, stem_en, len(now) + fresh, urban=urban)
            base_rows.append(_row(key, *label, 3, middle, kind, None, [1]))
            keys[1].append(key)
    for number, (name, english, _) in enumerate(RINGS):
        key = f"g{next_key + number + 1:04d}"
        base_rows.append(_row(key, name, english, 3, None, "220", None, [1, 2], "dedicated"))
    _dedicate(cells, plan, keys[2], base_rows)
    return rows + sorted(base_rows, key=lambda row: str(row["key"])), keys


def _dedicate(cells: Cells, plan: _Plan, keys: list[str], rows: list[dict[str, Any]]) -> None:
    flat = [group for groups in plan.groups[2] for group in groups]
    by_key = {row["key"]: row for row in rows}
    taken: set[int] = set()
    for name, english, place in DEDICATED:
        gap = [
            min(float(np.hypot(*(cells.seeds[c] - place))) for c in group)
            if i not in taken and len(group) == 1
            else np.inf
            for i, group in enumerate(flat)
        ]
        grid = int(np.argmin(gap))
        taken.add(grid)
        by_key[keys[grid]] |= {"name": name, "name_en": english, "kind": "dedicated"}


def _row(
    key: str, name: str, name_en: str, rank: int, parent: str | None, kind: str, code: str | None,
    versions: list[int], grid_kind: str = "ordinary",
) -> dict[str, Any]:  # fmt: skip
    return {
        "key": key, "name": name, "name_en": name_en, "rank": rank, "parent": parent,
        "kind": grid_kind, "urban_rural_class": kind, "code": code, "admin_code": code,
        "versions": versions,
    }  # fmt: skip


def _class_of(town: int, *, urban: bool) -> str:
    if not urban:
        return "220"
    return "111" if town == 0 else "210" if geo.TOWNS[town].name.endswith("乡") else "121"


def _base_name(stem: str, stem_en: str, n: int, *, urban: bool) -> tuple[str, str]:
    if urban:
        return f"{stem}{names.numeral(n)}格", f"{stem_en} Grid {n}"
    return f"{stem}村{names.numeral(n)}组", f"{stem_en} Village Group {n}"


def make_fire(boundaries: Boundaries) -> Boundaries:
    """
    Make the fire safety scheme: the same land divided otherwise.

    Parameters
    ----------
    boundaries
        Of the base scheme; its second version is taken.

    Returns
    -------
    Boundaries
        One version: 6 districts, 60 safety grids.
    """
    version = boundaries.version(2)
    inner = (version.left >= 0) & (version.right >= 0)
    size = len(version.keys)
    middle = np.zeros((size, 2))
    weight = np.zeros(size)
    for side in (version.left, version.right):
        for arc, grid in zip(version.arcs, side.tolist(), strict=True):
            if grid >= 0:
                middle[grid] += np.asarray(arc.centroid.coords[0])
                weight[grid] += 1
    seeds = geo.to_metres(middle / weight[:, None])
    near: hierarchy.Graph = {i: {} for i in range(size)}
    wet = version.kinds == "water"
    for a, b, w in zip(
        version.left[inner].tolist(),
        version.right[inner].tolist(),
        wet[inner].tolist(),
        strict=True,
    ):
        gap = max(60.0, float(np.hypot(*(seeds[a] - seeds[b])))) * (2.5 if w else 1.0)
        near[a][b] = near[b][a] = gap
    pool = Cells(
        seeds,
        np.zeros(0, int),
        np.zeros(0, bool),
        seeds,
        np.zeros((0, 2), int),
        np.zeros((0, 2), int),
    )
    districts = hierarchy.split(near, set(range(size)), 6, pool)
    rows: list[dict[str, Any]] = []
    key_of = [""] * size
    number = 0
    for d, members in enumerate(districts):
        top = f"d{d + 1}"
        rows.append(
            _row(
                top,
                f"消防{names.numeral(d + 1)}片区",
                f"Fire District {d + 1}",
                1,
                None,
                "",
                None,
                [1],
            )
        )
        for part in hierarchy.split(near, members, 10, pool):
            number += 1
            key = f"f{number:02d}"
            name = f"安全网格{number:02d}"
            rows.append(_row(key, name, f"Safety Grid {number:02d}", 2, top, "", None, [1]))
            for grid in part:
                key_of[grid] = key
    for row in rows:
        row["urban_rural_class"] = None
    keys: list[str | None] = [*key_of, None]
    left, right = ([keys[i] for i in side] for side in (version.left, version.right))
    kept = [i for i in range(len(left)) if left[i] != right[i]]
    scheme = {
        "name": "消防安全网格",
        "name_en": "Fire safety grids",
        "levels": [
            {"rank": 1, "label": "消防片区", "label_en": "Fire district", "admin_level": None},
            {"rank": 2, "label": "安全网格", "label_en": "Safety grid", "admin_level": None},
        ],
        "code_layout": [6, 2, 3],
        "size_rule": {},
    }
    return Boundaries(
        version.arcs[kept],
        version.kinds[kept].tolist(),
        {1: ([left[i] for i in kept], [right[i] for i in kept])},
        pd.DataFrame(rows, columns=list(GRID_COLUMNS), dtype=object),
        [],
        scheme,
        boundaries.county,
    )
