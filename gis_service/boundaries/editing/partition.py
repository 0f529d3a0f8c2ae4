"""Three answers to "part this land into grids of one size": by load, by shape, along streets.

The land is cut into blocks by its streets, large blocks between their buildings; blocks are shared
out so that each piece hangs together, then moved across borders as long as that makes the answer
better. The same question always gets the same answers. Nothing here knows the store.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy  # whose optimize is read when it is used: 30 MB
import shapely

from gis_service.boundaries.editing.balance import Loads
from gis_service.boundaries.editing.checks import measure_compactness
from gis_service.boundaries.editing.edits import Draft, Edit, EditResult
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import find_faces_beside
from gis_service.errors import InputError
from gis_service.geodesy import GeometryArray, on_lattice

MOST_PIECES: Final = 40
BLOCKS_PER_PIECE: Final = 10
"""A block heavier than this part of a piece is cut between its buildings."""
_TURNS: Final = 4
"""So many starts are tried for each answer."""
_SWEEPS: Final = 25
_ROUNDS: Final = 40
_ON_STREET_M: Final = 3.0

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Weights:
    """What an answer puts first."""

    # Weight of the spread of the loads.
    balance: float
    # Weight of the length of new borders.
    border: float
    # How many times a metre counts that follows no street.
    off_street: float


TASTES: Final[dict[str, Weights]] = {
    "balanced": Weights(balance=12.0, border=0.3, off_street=1.5),
    "compact": Weights(balance=3.0, border=2.0, off_street=1.0),
    "streets": Weights(balance=3.0, border=0.8, off_street=6.0),
}


@dataclass(frozen=True)
class Proposal:
    """One answer."""

    # ``balanced``, ``compact`` or ``streets``.
    name: str
    # What :meth:`Draft.apply` takes, in this order, on the draft that was asked about.
    edits: list[dict[str, Any]]
    # The land of each piece afterwards, lon, lat, by key.
    faces: Mapping[str, Any]
    # ``pieces``: households, load and compactness of each; ``spread``: the largest distance of a
    # load from their mean, as a share of it; ``compactness``: the least; ``along_streets``: share
    # of the new borders' length; ``within_size``: pieces inside the size rule.
    figures: dict[str, Any]


def propose(
    draft: Draft,
    grids: Sequence[str],
    loads: Loads,
    streets: PackedShapes,
    *,
    pieces: int | None = None,
) -> list[Proposal]:
    """Propose how to part the land of grids."""
    faces = draft.faces(grids)
    land = _join_land(faces)
    xy, households, weight = loads.units_inside(faces)
    rule = loads.target(loads.class_of(next(iter(faces))))
    count = _count_pieces(pieces, float(households.sum()), rule)
    blocks = _Blocks.of(land, xy, weight, streets, count)
    if int((blocks.weight > 0).sum()) < count:
        raise InputError(
            "boundaries.too_few_blocks", pieces=count, blocks=int((blocks.weight > 0).sum())
        )
    starts = [blocks.seeded(count, turn) for turn in range(_TURNS)]
    proposals: list[Proposal] = []
    shares: list[IntArray] = []
    for name, taste in TASTES.items():
        answers = [blocks.shared_out(start, count, taste) for start in starts]
        prices = [blocks.price(answer, count, taste) for answer in answers]
        ordered = [answers[index] for index in np.argsort(prices, kind="stable").tolist()]
        share = next((a for a in ordered if not any(_is_same_share(a, b) for b in shares)), None)
        if share is None:
            continue
        shares.append(share)
        figures = blocks.figures(share, count, households, weight, rule)
        drawn = _as_edits(draft, faces, blocks.regions(share, count))
        edits = [_edit_as_json(edit) for edit, _ in drawn]
        proposals.append(Proposal(name, edits, _land_after(drawn, faces), figures))
    return proposals


def _join_land(faces: Mapping[str, Any]) -> Any:
    if not faces:
        raise InputError("boundaries.grids_apart")
    parts = shapely.get_parts(np.array(list(faces.values()), dtype=object))
    land = shapely.coverage_union_all(parts)
    if len(faces) > 1 and shapely.get_num_geometries(land) > 1:
        raise InputError("boundaries.grids_apart")
    return land


def _count_pieces(pieces: int | None, households: float, rule: tuple[int, int] | None) -> int:
    if pieces is None:
        middle = sum(rule) / 2 if rule else 250.0
        pieces = max(2, min(MOST_PIECES, round(households / middle)))
    if not 2 <= pieces <= MOST_PIECES:
        raise InputError("boundaries.pieces_wrong", pieces=pieces, most=MOST_PIECES)
    return pieces


def _is_same_share(share: IntArray, share_before: IntArray) -> bool:
    return len(set(zip(share.tolist(), share_before.tolist(), strict=True))) == len(
        np.unique(share)
    )


# --- blocks --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Blocks:
    """Land in blocks, and which lie side by side."""

    # ``beside[i]`` gives for each neighbour the metres of shared border on streets and off them.

    faces: GeometryArray
    weight: FloatArray
    centre: FloatArray
    beside: list[dict[int, tuple[float, float]]]
    of_unit: IntArray
    scale: FloatArray
    mean_edge_m: float = field(default=1.0)

    @classmethod
    def of(
        cls, land: Any, xy: FloatArray, weight: FloatArray, streets: PackedShapes, count: int
    ) -> "_Blocks":
        scale = metres_per_degree(float(land.centroid.y))
        inner = _clip_streets(land, streets)
        lines = [shapely.boundary(land), *inner]
        faces = _polygonize(lines)
        unit = _find_blocks(faces, xy)
        sums = np.bincount(unit, weights=weight, minlength=len(faces))
        heavy = float(weight.sum()) / (count * BLOCKS_PER_PIECE)
        for block in np.flatnonzero(sums > heavy).tolist():
            inside = np.flatnonzero(unit == block)
            lines += _cut_block(faces[block], xy[inside], weight[inside], heavy)
        faces = _polygonize(lines)
        faces = faces[shapely.intersects(land, shapely.point_on_surface(faces))]
        unit = _find_blocks(faces, xy)
        sums = np.bincount(unit, weights=weight, minlength=len(faces))
        centre = shapely.get_coordinates(shapely.centroid(faces)) * scale
        beside, mean = _measure_borders(faces, inner, scale)
        return cls(faces, np.asarray(sums, dtype=float), centre, beside, unit, scale, mean)

    def seeded(self, count: int, turn: int = 0) -> IntArray:
        """Share blocks out to centres that start far apart and move to the middle of their load."""
        weight = self.weight + 1e-6 * max(self.weight.sum(), 1.0) / len(self.weight)
        middle = np.average(self.centre, axis=0, weights=weight)
        far_out = np.hypot(*(self.centre - middle).T) * (self.weight > 0)
        start = int(np.argsort(-far_out, kind="stable")[turn * len(far_out) // (2 * _TURNS)])
        centres = [self.centre[start]]
        while len(centres) < count:
            far = np.min([np.hypot(*(self.centre - c).T) for c in centres], axis=0)
            centres.append(self.centre[int(np.argmax(far * np.sqrt(weight)))])
        spots, shift = np.array(centres), np.zeros(count)
        share = np.zeros(len(weight), dtype=np.int64)
        mean = weight.sum() / count
        for _ in range(_ROUNDS):
            square = ((self.centre[:, None, :] - spots[None]) ** 2).sum(axis=2)
            share = np.argmin(square - shift, axis=1)
            loads = np.bincount(share, weights=weight, minlength=count)
            for piece in range(count):
                in_piece = share == piece
                if in_piece.any():
                    spots[piece] = np.average(
                        self.centre[in_piece], axis=0, weights=weight[in_piece]
                    )
            reach = float(np.median(square.min(axis=1))) + 1.0
            shift -= reach * 0.5 * (loads / mean - 1)
        return self._hanging_together(share, count)

    def _hanging_together(self, share: IntArray, count: int) -> IntArray:
        """Give loose parts of a piece to the piece beside them; an empty piece gets a block."""
        share = share.copy()
        for piece in range(count):
            if not (share == piece).any():
                sizes = np.bincount(share, minlength=count)
                donor = int(np.argmax(np.bincount(share, weights=self.weight, minlength=count)
                                      * (sizes > 1)))  # fmt: skip
                share[
                    int(np.flatnonzero(share == donor)[np.argmax(self.weight[share == donor])])
                ] = piece
        for _ in range(len(share)):
            loose = self._loose(share, count)
            if not loose:
                return share
            for part in loose:
                around: defaultdict[int, float] = defaultdict(float)
                for block in part:
                    for neighbour, (on, off) in self.beside[block].items():
                        if share[neighbour] != share[block]:
                            around[int(share[neighbour])] += on + off
                if around:
                    share[part] = max(around, key=lambda piece: (around[piece], -piece))
        return share

    def _loose(self, share: IntArray, count: int) -> list[list[int]]:
        loose = []
        for piece in range(count):
            parts = self._parts(set(np.flatnonzero(share == piece).tolist()))
            parts.sort(key=lambda part: (float(self.weight[part].sum()), len(part)))
            loose += parts[:-1]
        return [part for part in loose if self._has_way_out(part, share)]

    def _has_way_out(self, part: list[int], share: IntArray) -> bool:
        piece = share[part[0]]
        return any(share[neighbour] != piece for block in part for neighbour in self.beside[block])

    def _parts(self, blocks: set[int]) -> list[list[int]]:
        parts = []
        unseen = set(blocks)
        while unseen:
            waiting = [min(unseen)]
            unseen.discard(waiting[0])
            part = []
            while waiting:
                block = waiting.pop()
                part.append(block)
                for neighbour in self.beside[block]:
                    if neighbour in unseen:
                        unseen.discard(neighbour)
                        waiting.append(neighbour)
            parts.append(sorted(part))
        return parts

    def shared_out(self, share: IntArray, count: int, taste: Weights) -> IntArray:
        """Move blocks between neighbouring pieces as long as the answer gets better."""
        share = share.copy()
        loads = np.bincount(share, weights=self.weight, minlength=count)
        mean = max(float(loads.mean()), 1e-9)
        around = self.mean_edge_m

        def cost(on: float, off: float) -> float:
            return taste.border * (on + taste.off_street * off) / around

        for _ in range(_SWEEPS):
            moved = False
            for block in range(len(share)):
                piece_now = int(share[block])
                metres: defaultdict[int, float] = defaultdict(float)
                for neighbour, (on, off) in self.beside[block].items():
                    metres[int(share[neighbour])] += cost(on, off)
                best, gain = piece_now, 1e-9
                for piece in sorted(metres):
                    if piece == piece_now:
                        continue
                    w = float(self.weight[block])
                    before = (loads[piece_now] / mean - 1) ** 2 + (loads[piece] / mean - 1) ** 2
                    after = ((loads[piece_now] - w) / mean - 1) ** 2 + (
                        (loads[piece] + w) / mean - 1
                    ) ** 2
                    won = taste.balance * (before - after) + metres[piece] - metres[piece_now]
                    if won > gain:
                        best, gain = piece, won
                if best != piece_now and self._may_leave(block, piece_now, share):
                    share[block] = best
                    loads[piece_now] -= self.weight[block]
                    loads[best] += self.weight[block]
                    moved = True
            if not moved:
                break
        return share

    def price(self, share: IntArray, count: int, taste: Weights) -> float:
        """Weigh an answer by a taste: less is better."""
        loads = np.bincount(share, weights=self.weight, minlength=count)
        metres = 0.0
        for block, beside in enumerate(self.beside):
            for neighbour, (on, off) in beside.items():
                if neighbour > block and share[neighbour] != share[block]:
                    metres += on + taste.off_street * off
        spread = float(((loads / max(float(loads.mean()), 1e-9) - 1) ** 2).sum())
        return taste.balance * spread + taste.border * metres / self.mean_edge_m

    def _may_leave(self, block: int, piece: int, share: IntArray) -> bool:
        others = set(np.flatnonzero(share == piece).tolist()) - {block}
        return bool(others) and len(self._parts(others)) <= len(self._parts(others | {block}))

    def regions(self, share: IntArray, count: int) -> list[Any]:
        regions = []
        for piece in range(count):
            land = shapely.union_all(self.faces[share == piece])
            regions.append(shapely.make_valid(on_lattice(land)))
        return regions

    def figures(
        self, share: IntArray, count: int, households: FloatArray, weight: FloatArray,
        rule: tuple[int, int] | None,
    ) -> dict[str, Any]:  # fmt: skip
        piece = share[self.of_unit]
        homes = np.bincount(piece, weights=households, minlength=count)
        loads = np.bincount(piece, weights=weight, minlength=count)
        regions = np.array(self.regions(share, count), dtype=object)
        shape = measure_compactness(regions)
        on = off = 0.0
        for block, beside in enumerate(self.beside):
            for neighbour, (street, free) in beside.items():
                if neighbour > block and share[neighbour] != share[block]:
                    on, off = on + street, off + free
        mean = max(float(loads.mean()), 1e-9)
        within = [rule is None or rule[0] <= n <= rule[1] for n in homes.tolist()]
        return {
            "pieces": [
                {"households": round(n), "load": round(load, 1), "compactness": round(form, 3)}
                for n, load, form in zip(
                    homes.tolist(), loads.tolist(), shape.tolist(), strict=True
                )
            ],
            "spread": round(float(np.abs(loads / mean - 1).max()), 4),
            "compactness": round(float(shape.min()), 3),
            "along_streets": round(on / max(on + off, 1e-9), 3),
            "within_size": int(sum(within)),
        }


def _clip_streets(land: Any, streets: PackedShapes) -> list[Any]:
    if not len(streets):
        return []
    near = streets[np.sort(streets.query(np.array([land]), "intersects")[1])]
    inside = shapely.get_parts(shapely.intersection(near, land))
    return list(inside[shapely.get_dimensions(inside) == 1])


def _polygonize(lines: Sequence[Any]) -> GeometryArray:
    noded = shapely.union_all(np.array(lines, dtype=object), grid_size=1e-9)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    return np.asarray(faces, dtype=object)


def _find_blocks(faces: GeometryArray, xy: FloatArray) -> IntArray:
    """Find the block of each unit; on a street the first, outside by a hair the nearest."""
    tree = shapely.STRtree(faces)
    points = np.asarray(shapely.points(xy), dtype=object)
    place = np.full(len(xy), -1, dtype=np.int64)
    unit, face = tree.query(points, predicate="intersects")
    place[unit[::-1]] = face[::-1]
    unplaced = np.flatnonzero(place < 0)
    if len(unplaced):
        place[unplaced] = tree.query_nearest(points[unplaced], all_matches=False)[1]
    return place


def _cut_block(face: Any, xy: FloatArray, weight: FloatArray, heavy: float) -> list[Any]:
    """Draw lines between the buildings of a block that is too heavy."""
    _, first = np.unique(np.round(xy, 7), axis=0, return_index=True)
    places = xy[np.sort(first)]
    if len(places) < 2:
        return []
    groups = _halve(xy, weight, heavy)
    of_place = {tuple(p): g for p, g in zip(np.round(xy, 7).tolist(), groups.tolist(), strict=True)}
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(places), extend_to=face.envelope, ordered=True)
    )
    group = np.array([of_place[tuple(p)] for p in np.round(places, 7).tolist()])
    borders = [
        shapely.boundary(shapely.union_all(cells[group == number]))
        for number in np.unique(group).tolist()
    ]
    inside = shapely.get_parts(shapely.intersection(np.array(borders, dtype=object), face))
    return list(inside[shapely.get_dimensions(inside) == 1])


def _halve(xy: FloatArray, weight: FloatArray, heavy: float) -> IntArray:
    """Halve a crowd of units across its longer side until no part is too heavy."""
    group = np.zeros(len(xy), dtype=np.int64)
    waiting, count = [np.arange(len(xy))], 1
    while waiting:
        units = waiting.pop()
        wide = np.ptp(xy[units], axis=0)
        if len(units) < 2 or weight[units].sum() <= heavy or not wide.any():
            continue
        order = units[np.lexsort((units, xy[units, int(np.argmax(wide))]))]
        half = int(np.searchsorted(np.cumsum(weight[order]), weight[units].sum() / 2))
        half = min(max(half, 1), len(order) - 1)
        group[order[half:]] = count
        count += 1
        waiting += [order[:half], order[half:]]
    return group


def _measure_borders(
    faces: GeometryArray, streets: Sequence[Any], scale: FloatArray
) -> tuple[list[dict[int, tuple[float, float]]], float]:
    faces = shapely.orient_polygons(faces)
    lines = shapely.get_parts(shapely.node(shapely.multilinestrings(shapely.get_rings(faces))))
    xy, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    ends = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    segments = np.asarray(shapely.linestrings(ends), dtype=object)
    left, right = find_faces_beside(segments, faces)
    inner = (left != right) & (left < len(faces)) & (right < len(faces))
    flat = ends * scale
    metres = np.hypot(*(flat[:, 1] - flat[:, 0]).T)
    on = np.zeros(len(segments), dtype=bool)
    if len(streets):
        tree = shapely.STRtree(
            shapely.transform(np.array(streets, dtype=object), lambda p: p * scale)
        )
        middles = shapely.points(flat.mean(axis=1))
        on[np.unique(tree.query(middles, predicate="dwithin", distance=_ON_STREET_M)[0])] = True
    beside: list[dict[int, tuple[float, float]]] = [{} for _ in faces]
    for index in np.flatnonzero(inner).tolist():
        for face_index, beside_index in ((left[index], right[index]), (right[index], left[index])):
            street, free = beside[int(face_index)].get(int(beside_index), (0.0, 0.0))
            length = float(metres[index])
            lengths_on_and_off = (street + length, free) if on[index] else (street, free + length)
            beside[int(face_index)][int(beside_index)] = lengths_on_and_off
    lengths = [sum(pair) for neighbours in beside for pair in neighbours.values()]
    return beside, max(float(np.mean(lengths)) if lengths else 1.0, 1.0)


# --- edits ---------------------------------------------------------------------------------------


def _as_edits(
    draft: Draft, faces: Mapping[str, Any], regions: list[Any]
) -> list[tuple[Edit, EditResult]]:
    """Say pieces as edits: known grids keep the land that is most theirs, the rest is drawn."""
    keys = list(faces)
    overlap = np.array([[shapely.intersection(faces[k], r).area for r in regions] for k in keys])
    rows, columns = scipy.optimize.linear_sum_assignment(overlap, maximize=True)
    piece_of = {keys[row]: int(column) for row, column in zip(rows, columns, strict=True)}
    edits: list[dict[str, Any]] = []
    for key in keys:
        if key not in piece_of:
            into = max(piece_of, key=lambda k: (shapely.intersection(
                shapely.boundary(faces[key]), shapely.boundary(faces[k])).length, k))  # fmt: skip
            edits.append({"kind": "merge", "grids": [key, into], "into": into})
    if len(keys) > 1:
        edits += [
            {"kind": "give", "region": regions[piece], "to": key} for key, piece in piece_of.items()
        ]
    drawn = [piece for piece in range(len(regions)) if piece not in piece_of.values()]
    edits += [{"kind": "draw", "region": regions[piece]} for piece in drawn]
    try:
        return draft.tried(edits)
    except InputError:  # a grid would lose all its land on the way: begin with one grid
        merge = [{"kind": "merge", "grids": keys, "into": keys[0]}] if len(keys) > 1 else []
        first_piece = int(np.argmax(overlap[0]))
        others = [r for piece, r in enumerate(regions) if piece != first_piece]
        return draft.tried([*merge, *({"kind": "draw", "region": r} for r in others)])


def _edit_as_json(edit: Edit) -> dict[str, Any]:
    """Write an edit as it goes through the door."""
    return {
        name: _as_geojson(value) if isinstance(value, shapely.Geometry) else value
        for name, value in edit.items()
    }


def _as_geojson(geometry: Any) -> dict[str, Any]:
    return dict(shapely.geometry.mapping(geometry))


def _land_after(
    edits: Sequence[tuple[Edit, EditResult]], faces: Mapping[str, Any]
) -> dict[str, Any]:
    land = dict(faces)
    for _, change in edits:
        for key in change.retired:
            land.pop(key, None)
        land.update({key: face for key, face in change.after.items() if key in change.touched})
    return land


__all__ = ["TASTES", "Proposal", "Weights", "propose"]
