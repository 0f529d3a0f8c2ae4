"""A publication: the difference between the newest version of a scheme and the wanted one.

Whether the wanted version came from a file, from a plan, or is an earlier one that is put back, the
same function writes what is different, in the caller's transaction: grids that begin, end, or are
said or drawn otherwise, their codes and posts, the arcs between them, and where everything lies.
Nothing else writes grids. Back-dating is refused, except that the first version of a scheme may
take over boundaries that were in force before the service was.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service import access, grid_code
from gis_service.access import Actor
from gis_service.boundaries.linework.tessellation import (
    CRUMB_M2,
    OUTSIDE,
    Tessellation,
    build_faces,
    is_other_land,
    measure_land_m2,
)
from gis_service.boundaries.publication.queries import (
    BaseGrid,
    Boundaries,
    count_open_incidents,
    lock_scheme,
    read_codes,
)
from gis_service.boundaries.publication.writing import (
    end_duties,
    insert_codes,
    insert_grids,
    insert_successors,
    insert_version,
    replace_rows,
    write_counts,
)
from gis_service.errors import ConflictError
from gis_service.geodesy import area_m2
from gis_service.grids import assignment
from gis_service.grids.versions import Version, read_versions, today
from gis_service.store import tables as t


@dataclass(frozen=True)
class WantedGrid:
    """A grid as it is to be; without ``grid_id`` it is made, without ``code`` it is numbered."""

    rank: int
    parent: str | None
    name: str
    code: str | None = None
    urban_rural_class: str | None = None
    admin_unit_id: int | None = None
    grid_id: int | None = None
    kind: str = "ordinary"


Grid = BaseGrid | WantedGrid


@dataclass(frozen=True)
class Difference:
    """What is different in the version that is wanted; see :func:`find_difference`."""

    # The newest version.
    base: Boundaries
    # Every grid of every level that is wanted, by key; the base goes by the same keys.
    grids: Mapping[str, Grid]
    # The linework of the base grids.
    tessellation: Tessellation
    # Land of every base grid with another polygon than before, new ones included.
    faces: Mapping[str, Any]
    # Old grid and the one that took land over from it, where one of both begins or ends.
    successors: Sequence[tuple[str, str]]

    @cached_property
    def begun(self) -> list[str]:
        """Grids that are not in the newest version."""
        return [key for key in self.grids if key not in self.base.grids]

    @cached_property
    def retired(self) -> list[str]:
        """Grids that end."""
        return [key for key in self.base.grids if key not in self.grids]

    @cached_property
    def reworded(self) -> set[str]:
        """Grids with another name, code, class, parent or unit."""
        before, after = self.base.grids, self.grids
        return {
            key
            for key in before.keys() & after.keys()
            if words_of(before[key]) != words_of(after[key])
        }

    @cached_property
    def land_changed(self) -> set[str]:
        """Base grids that begin or have other land, by more than a vertex."""
        return find_other_land(self.base, self.faces)

    @cached_property
    def changed(self) -> set[str]:
        """Grids that begin, are said otherwise, or, of the base ones, have other land."""
        return {*self.begun, *self.reworded, *self.land_changed}

    @cached_property
    def upper_faces(self) -> dict[str, Any]:
        """Land of every grid above with another polygon than before, new ones included."""
        linework = self.tessellation
        upper_faces: dict[str, Any] = {}
        touched = {*self.faces, *self.begun, *self.retired, *self.reworded}
        ancestor: list[str | None] = list(linework.keys)
        for rank in range(self.lowest - 1, 0, -1):
            ancestor = [self.grids[key].parent if key else None for key in ancestor]
            for grids in (self.base.grids, self.grids):
                touched |= {grids[key].parent or "" for key in touched & grids.keys()}
            names = sorted(k for k in touched & self.grids.keys() if self.grids[k].rank == rank)
            position = {name: index for index, name in enumerate(names)}
            owner = np.array(
                [*(position.get(key or "", OUTSIDE) for key in ancestor), OUTSIDE], dtype=np.int64
            )
            left, right = owner[linework.left], owner[linework.right]
            is_border = left != right
            if is_border.any():
                faces = build_faces(
                    linework.arcs[is_border], left[is_border], right[is_border], names
                )
                upper_faces.update(zip(names, faces, strict=True))
        return find_other_polygons(self.base, upper_faces)

    @property
    def lowest(self) -> int:
        """Rank of the base grids."""
        return max(grid.rank for grid in self.grids.values())

    @property
    def around(self) -> set[str]:
        """Changed base grids and those that touch them before or after, be it in a corner."""
        changed = {*self.faces, *self.retired}
        before = _find_touching(self.base.tessellation, changed)
        remaining = set(self.tessellation.keys)
        return {*self.faces, *_find_touching(self.tessellation, changed), *(before & remaining)}


def find_earliest_day(connection: sa.Connection, newest: date) -> date:
    """Say from when on the next version can hold."""
    return max(today(connection), newest + timedelta(days=1))


def find_difference(
    base: Boundaries,
    grids: Mapping[str, Grid],
    tessellation: Tessellation,
    faces: Mapping[str, Any],
    successors: Sequence[tuple[str, str]],
) -> Difference:
    """Compare the version that is wanted with the newest one."""
    return Difference(base, grids, tessellation, find_other_polygons(base, faces), successors)


def find_other_polygons(base: Boundaries, faces: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out polygons that are what they were."""
    shapes = shapely.normalize(np.fromiter(faces.values(), dtype=object, count=len(faces)))
    compared = zip(faces, shapes, shapely.to_wkb(shapes), strict=True)
    grids = base.grids
    return {key: face for key, face, wkb in compared if key not in grids or grids[key].wkb != wkb}


def find_other_land(base: Boundaries, faces: Mapping[str, Any]) -> set[str]:
    """Name the grids that have other land, by more than a vertex."""
    grids = base.grids
    return {
        key
        for key, face in faces.items()
        if key not in grids or is_other_land(grids[key].wkb, shapely.to_wkb(face))
    }


def words_of(grid: Grid) -> tuple[object, ...]:
    """Tell what is said of a grid, without its land."""
    words = (grid.rank, grid.parent, grid.code, grid.name)
    return (*words, grid.urban_rural_class, grid.admin_unit_id)


def _find_touching(linework: Tessellation, keys: AbstractSet[str]) -> set[str]:
    """Name grids at an end of any border of some grids; where borders meet every grid has one."""
    is_changed = np.array([key in keys for key in linework.keys] + [False])
    is_border = is_changed[linework.left] | is_changed[linework.right]
    ends = [shapely.get_coordinates(shapely.get_point(linework.arcs, place)) for place in (0, -1)]
    nodes = [pair[:, 0] + 1j * pair[:, 1] for pair in ends]
    meeting = np.unique(np.concatenate([node[is_border] for node in nodes]))
    beside = np.isin(nodes[0], meeting) | np.isin(nodes[1], meeting)
    beside_grids = {*linework.left[beside].tolist(), *linework.right[beside].tolist()} - {OUTSIDE}
    return {linework.keys[index] for index in beside_grids}


def find_land_moved(
    base: Boundaries, faces: Mapping[str, Any], retired: Collection[str]
) -> list[tuple[str, str, float]]:
    """Compare before and after."""
    old_keys = [key for key in (*faces, *retired) if key in base.grids]
    if not old_keys:
        return []
    old = shapely.from_wkb([base.grids[key].wkb for key in old_keys])
    tree = shapely.STRtree(old)
    pieces = []
    for key, face in faces.items():
        for index in np.sort(tree.query(face, predicate="intersects")).tolist():
            if old_keys[index] == key:
                continue
            common = shapely.intersection(old[index], face)
            area = measure_land_m2(common) if common.area > 0 else 0.0
            if area > CRUMB_M2:
                pieces.append((old_keys[index], key, area))
    return pieces


def find_heirs(
    pieces: Sequence[tuple[str, str, float]], begun: Collection[str], retired: Collection[str]
) -> list[tuple[str, str]]:
    """Tell whose land went to whom, where one of both begins or ends."""
    begun, retired = set(begun), set(retired)
    return [(old, new) for old, new, _ in pieces if old in retired or new in begun]


def find_moves(connection: sa.Connection, changes: Difference) -> list[assignment.Moves]:
    """Find what a publication would move; nothing is written."""
    return _find_moves(connection, changes, make_provisional_ids(changes))


def make_provisional_ids(changes: Difference) -> dict[str, int]:
    """Give new grids ids for a look ahead."""
    top = max((grid.grid_id for grid in changes.base.grids.values()), default=0) + 1
    return {key: top + number for number, key in enumerate(_keys_without_id(changes))}


def incident_ids_of(moves: Sequence[assignment.Moves]) -> list[int]:
    """Name the incidents among what moves."""
    for kind_moves in moves:
        if kind_moves.kind == "incident":
            ids: list[int] = kind_moves.object_ids.tolist()
            return ids
    return []


@dataclass(frozen=True)
class Published:
    """What a publication did."""

    version: Version
    # The identity of every new grid, by key.
    grid_ids: dict[str, int]
    # Grids that begin, whose land, name, code or parent is another one; grids that ended. A
    # neighbour that only gained a vertex is not counted.
    changed: int
    retired: int
    # Objects that changed their grid, by kind; empty for the first version.
    moved: dict[str, int]
    # Of the incidents that moved, those somebody still works on.
    open_incidents: int
    # Posts that are held again, where a version is taken back.
    reopened_duties: int = 0


def publish(
    connection: sa.Connection,
    actor: Actor,
    changes: Difference,
    effective_day: date,
    title: str,
    reason: str = "",
    *,
    count_upper: bool = False,
) -> Published:
    """
    Make the wanted version of a scheme its newest one, from a day on.

    Parameters
    ----------
    connection
        The transaction in which all of it stands or falls.
    actor
        Who publishes.
    changes
        What is different from the newest version.
    effective_day
        Today or later, and after the newest version; the first one of a scheme may be earlier.
    title, reason
        What it is called and why it is made.
    count_upper
        Grids above the base ones count as changed where only their land is another one.

    Returns
    -------
    Published
        Identities of the new grids, and counts.

    Raises
    ------
    NotFoundError
        There is no such scheme.
    ConflictError
        The day is past or taken, or another version came in between.
    """
    base = changes.base
    scheme = lock_scheme(connection, base.version.scheme)
    _check_day(connection, base.version, effective_day, title)
    new_keys = _keys_without_id(changes)
    new: list[Any] = [changes.grids[key] for key in new_keys]  # no grid of the base is among them
    new_ids = insert_grids(connection, scheme.scheme_id, [(grid.rank, grid.kind) for grid in new])
    ids_of_new = dict(zip(new_keys, new_ids, strict=True))
    ids = _ids_by_key(changes, ids_of_new)
    codes = _number_grids(connection, scheme, changes, ids)
    _write_arcs(connection, scheme.scheme_id, changes, ids, effective_day)
    _write_states(connection, scheme.scheme_id, changes, ids, codes, effective_day)
    version = insert_version(connection, actor, scheme, effective_day, title, reason)
    successors = [(ids[old], ids[new]) for old, new in changes.successors]
    insert_successors(connection, version.version_id, successors)
    ended = [base.grids[key].grid_id for key in changes.retired]
    end_duties(connection, actor, version.version_id, ended, effective_day)
    moves = _find_moves(connection, changes, ids_of_new, effective_day) if base.grids else []
    assignment.write_moves(connection, scheme.scheme_id, moves, effective_day.toordinal())
    moved = {kind_moves.kind: len(kind_moves.object_ids) for kind_moves in moves}
    upper = find_other_land(base, changes.upper_faces) if count_upper else set()
    changed, retired = len(changes.changed | upper), len(changes.retired)
    incidents = count_open_incidents(connection, incident_ids_of(moves))
    counts = {
        "grids": len(changes.grids), "changed": changed, "retired": retired, "moved": moved,
        "open_incidents": incidents,
    }  # fmt: skip
    write_counts(connection, version.version_id, counts)
    after = {"scheme": version.scheme, "effective_day": effective_day.isoformat(), **counts}
    access.record(connection, actor, "publish", "grid_version", version.version_id, after=after)
    return Published(version, ids_of_new, changed, retired, moved, incidents)


def _check_day(connection: sa.Connection, base: Version, day: date, title: str) -> None:
    """Refuse a version that is not the next one, or that would rewrite history."""
    published = read_versions(connection, base.scheme)
    if not published:
        return
    newest = published[-1]
    if newest.version_id != base.version_id:
        raise ConflictError("boundaries.base_is_old", plan=title)
    if day < today(connection):
        raise ConflictError("boundaries.back_dated", day=day.isoformat())
    if day <= newest.effective_day:
        raise ConflictError(
            "boundaries.later_version", day=day.isoformat(), newest=newest.effective_day.isoformat()
        )


def _keys_without_id(changes: Difference) -> list[str]:
    """Name the grids that have no identity yet."""
    return [key for key in changes.begun if changes.grids[key].grid_id is None]


def _ids_by_key(changes: Difference, new_ids: Mapping[str, int]) -> dict[str, int]:
    """Name the identity of every grid, those that end included."""
    ids = {key: grid.grid_id for key, grid in changes.base.grids.items()}
    ids |= {key: grid.grid_id for key, grid in changes.grids.items() if grid.grid_id is not None}
    return {**ids, **new_ids}


def _number_grids(
    connection: sa.Connection, scheme: Any, changes: Difference, ids: Mapping[str, int]
) -> dict[str, str]:
    """Tell every grid's code; new ones are numbered below their parent, from west to east."""
    # A code that a grid once had stays taken.
    codes = {key: group.code for key, group in changes.grids.items() if group.code is not None}
    reworded = {**dict.fromkeys(changes.begun), **dict.fromkeys(changes.reworded)}
    stored = set(read_codes(connection, scheme.scheme_id)) if reworded else set()
    taken = {*stored, *codes.values()}
    faces = {**changes.faces, **changes.upper_faces}
    below: dict[tuple[int, str | None], list[str]] = {}
    for key in changes.begun:
        if key not in codes:
            below.setdefault((changes.grids[key].rank, changes.grids[key].parent), []).append(key)
    for (_, parent), keys in sorted(below.items(), key=lambda group: group[0][0]):
        prefix = "" if parent is None else codes[parent]
        digits = count_digits(prefix, scheme.code_layout)
        used = {code for code in taken if code.startswith(prefix)}
        points = shapely.centroid(np.array([faces[key] for key in keys], dtype=object))
        order = grid_code.number_first(shapely.get_x(points), shapely.get_y(points))
        for _, key in sorted(zip(order.tolist(), keys, strict=True)):
            codes[key] = grid_code.find_next_free(used, prefix, digits)
            used.add(codes[key])
        taken |= used
    new = {codes[key]: ids[key] for key in reworded if codes[key] not in stored}
    insert_codes(connection, scheme.scheme_id, new)
    return codes


def count_digits(prefix: str, layout: Sequence[int]) -> int:
    """Tell how many digits the next part of a code has."""
    used = 0
    for size in layout:
        if used >= len(prefix):
            return size
        used += size
    return 3


def _write_arcs(
    connection: sa.Connection,
    scheme_id: int,
    changes: Difference,
    ids: Mapping[str, int],
    day: date,
) -> None:
    new = {arc: index for index, arc in enumerate(changes.tessellation.named_arcs())}
    old = zip(changes.base.tessellation.named_arcs(), changes.base.arc_ids.tolist(), strict=True)
    ended = [arc_id for arc, arc_id in old if new.pop(arc, None) is None]
    replace_rows(
        connection,
        t.linework_arc,
        ended,
        day,
        {
            "scheme_id": [scheme_id] * len(new),
            "kind": [arc[1] for arc in new],
            "left_grid_id": [None if arc[2] is None else ids[arc[2]] for arc in new],
            "right_grid_id": [None if arc[3] is None else ids[arc[3]] for arc in new],
            "geom": changes.tessellation.arcs[list(new.values())],
        },
    )


def _write_states(
    connection: sa.Connection,
    scheme_id: int,
    changes: Difference,
    ids: Mapping[str, int],
    codes: Mapping[str, str],
    day: date,
) -> None:
    """Close the rows of grids that end or are other ones, and open new ones."""
    before, faces = changes.base.grids, {**changes.faces, **changes.upper_faces}
    rewritten = {
        key: grid for key, grid in changes.grids.items() if key in {*faces, *changes.reworded}
    }
    ended = [before[key].state_id for key in (*rewritten, *changes.retired) if key in before]
    shapes = np.empty(len(rewritten), dtype=object)
    shapes[:] = [
        faces[key] if key in faces else shapely.from_wkb(before[key].wkb) for key in rewritten
    ]
    inside = shapely.centroid(shapes)
    is_off = ~shapely.contains_properly(shapes, inside)
    inside[is_off] = shapely.point_on_surface(shapes[is_off])
    grids = rewritten.values()
    replace_rows(
        connection,
        t.grid_state,
        ended,
        day,
        {
            "grid_id": [ids[key] for key in rewritten],
            "scheme_id": [scheme_id] * len(rewritten),
            "rank": [grid.rank for grid in grids],
            "parent_grid_id": [None if grid.parent is None else ids[grid.parent] for grid in grids],
            "admin_unit_id": [grid.admin_unit_id for grid in grids],
            "code": [codes[key] for key in rewritten],
            "name": [grid.name for grid in grids],
            "urban_rural_class": [grid.urban_rural_class for grid in grids],
            "area_m2": area_m2(shapes),
            "geom": shapes,
            "label_point": inside,
        },
    )


def _find_moves(
    connection: sa.Connection,
    changes: Difference,
    new_ids: Mapping[str, int],
    day: date | None = None,
) -> list[assignment.Moves]:
    """Find what lies in another grid; without a day the store does not hold the grids yet."""
    around = sorted(changes.around)
    if not around:
        return []
    ids, before = _ids_by_key(changes, new_ids), changes.base.grids
    faces = np.empty(len(around), dtype=object)
    faces[:] = [
        changes.faces[key] if key in changes.faces else shapely.from_wkb(before[key].wkb)
        for key in around
    ]
    return assignment.find_moves_near(
        connection,
        changes.base.version.scheme_id,
        [before[key].grid_id for key in {*around, *changes.retired} if key in before],
        [ids[key] for key in around],
        faces,
        day,
    )
