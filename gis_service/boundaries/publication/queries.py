"""What a publication reads: boundaries of a version, codes, schemes, duties that were closed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis_service.access import SYSTEM, visible
from gis_service.boundaries.linework.tessellation import Arc, Tessellation
from gis_service.errors import NotFoundError
from gis_service.grids.versions import Version, read_versions
from gis_service.store import tables as t
from gis_service.store.engine import whole_county

DUTIES_ENDED: Final = "end_duties"
"""The event that says which posts a version closed."""


@dataclass(frozen=True)
class BaseGrid:
    """A grid of any level as it is in a version."""

    key: str
    grid_id: int
    state_id: int
    rank: int
    parent: str | None
    code: str
    name: str
    urban_rural_class: str | None
    admin_unit_id: int | None
    wkb: bytes = field(repr=False)


@dataclass(frozen=True)
class Boundaries:
    """The boundaries of a version."""

    version: Version
    # Every grid of every level by key.
    grids: dict[str, BaseGrid]
    # The linework, and the row of each arc.
    tessellation: Tessellation
    arc_ids: npt.NDArray[np.int64]

    @cached_property
    def lowest(self) -> int:
        """Rank of the base grids."""
        return max((grid.rank for grid in self.grids.values()), default=0)

    @cached_property
    def parents(self) -> dict[str, str]:
        """Parent of each base grid."""
        return {key: str(self.grids[key].parent) for key in self.tessellation.keys}

    @cached_property
    def upper(self) -> list[dict[str, str]]:
        """From each village its town, and so on up."""
        return [
            {
                key: str(grid.parent)
                for key, grid in self.grids.items()
                if grid.rank == rank and grid.parent is not None
            }
            for rank in range(self.lowest - 1, 1, -1)
        ]

    @cached_property
    def faces(self) -> dict[str, Any]:
        """Land of each base grid."""
        return dict(zip(self.tessellation.keys, self.tessellation.faces(), strict=True))


def find_newest_version(connection: sa.Connection, scheme: str) -> Version:
    """Find the version that a new plan is drawn on."""
    published = read_versions(connection, scheme)
    if not published:
        raise NotFoundError("grids.no_scheme", scheme=scheme)
    return published[-1]


def read_boundaries(
    connection: sa.Connection, version: Version, names: Mapping[int, str] | None = None
) -> Boundaries:
    """Read the grids and the linework of a version."""
    grids = read_grids(connection, version.scheme_id, version.effective_day, names)
    lowest = max((grid.rank for grid in grids.values()), default=0)
    key_of = {grid.grid_id: grid.key for grid in grids.values() if grid.rank == lowest}
    arc = t.linework_arc.c
    rows = connection.execute(
        sa.select(
            arc.arc_id, sa.func.ST_AsBinary(arc.geom).label("wkb"), arc.kind, arc.left_grid_id,
            arc.right_grid_id,
        )
        .where(
            arc.scheme_id == version.scheme_id,
            arc.valid.op("@>")(sa.literal(version.effective_day, sa.Date)),
        )
        .order_by(arc.arc_id)
    ).all()  # fmt: skip
    arcs: list[Arc] = [
        (bytes(wkb), kind, key_of.get(left), key_of.get(right))
        for _, wkb, kind, left, right in rows
    ]
    tessellation = Tessellation.of_arcs(list(key_of.values()), arcs)
    arc_ids = np.array([row.arc_id for row in rows], dtype=np.int64)
    return Boundaries(version, grids, tessellation, arc_ids)


def read_grids(
    connection: sa.Connection, scheme_id: int, day: date, names: Mapping[int, str] | None = None
) -> dict[str, BaseGrid]:
    """Read the grids of every level as they are on a day."""

    def key(grid_id: int) -> str:
        return str(grid_id) if names is None else names.get(grid_id, f"grid {grid_id}")

    state = t.grid_state.c
    rows = connection.execute(
        sa.select(
            state.grid_id, state.state_id, state.rank, state.parent_grid_id, state.code,
            state.name, state.urban_rural_class, state.admin_unit_id,
            sa.func.ST_AsBinary(state.geom).label("wkb"),
        )
        .where(
            state.scheme_id == scheme_id,
            state.valid.op("@>")(sa.literal(day, sa.Date)),
        )
        .order_by(state.rank, state.grid_id)
    )  # fmt: skip
    return {
        key(row.grid_id): BaseGrid(
            key(row.grid_id),
            row.grid_id,
            row.state_id,
            row.rank,
            None if row.parent_grid_id is None else key(row.parent_grid_id),
            row.code,
            row.name,
            row.urban_rural_class,
            row.admin_unit_id,
            bytes(row.wkb),
        )
        for row in rows
    }


def read_names(connection: sa.Connection, scheme_id: int, day: date) -> dict[str, str]:
    """Read what the grids of every level are called on a day, without their land."""
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.name).where(
            state.scheme_id == scheme_id, state.valid.op("@>")(sa.literal(day, sa.Date))
        )
    )
    return {str(row.grid_id): row.name for row in rows}


def lock_scheme(connection: sa.Connection, scheme: str) -> Any:
    """Read a scheme's row and keep it for a publication; the next one waits."""
    row = connection.execute(
        sa.select(t.grid_scheme).where(t.grid_scheme.c.code == scheme).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("grids.no_scheme", scheme=scheme)
    return row


def read_codes(connection: sa.Connection, scheme_id: int) -> dict[str, int]:
    """Read every code that a grid of a scheme has or had, and whose it is."""
    code = t.grid_code.c
    query = sa.select(code.code, code.grid_id).where(code.scheme_id == scheme_id)
    return dict(connection.execute(query.order_by(code.code)).all())


def read_identities(connection: sa.Connection, scheme_id: int) -> dict[int, tuple[int, str]]:
    """Read the rank and the kind of every grid that a scheme ever had, by id."""
    rows = connection.execute(sa.select(t.grid).where(t.grid.c.scheme_id == scheme_id))
    return {row.grid_id: (row.rank, row.kind) for row in rows}


def read_admin_units(connection: sa.Connection, day: date) -> dict[str, dict[str, int]]:
    """Units in force by code, then by name: lists give one code to different units."""
    unit = t.admin_unit
    query = (
        sa.select(unit.c.code, unit.c.name, unit.c.admin_unit_id)
        .where(unit.c.valid.op("@>")(sa.literal(day, sa.Date)))
        .order_by(unit.c.admin_unit_id.desc())
    )
    units: dict[str, dict[str, int]] = {}
    for code, name, unit_id in connection.execute(query):
        units.setdefault(code, {})[name] = unit_id
    return units


def count_open_incidents(connection: sa.Connection, incident_ids: Sequence[int]) -> int:
    """Count the incidents that somebody still works on."""
    if not incident_ids:
        return 0
    incident = t.incident.c
    query = sa.select(sa.func.count()).where(
        visible(SYSTEM, t.incident),
        incident.incident_id.in_(incident_ids),
        incident.status != "closed",
    )
    return int(connection.scalar(query) or 0)


def read_closed_duties(connection: sa.Connection, version_id: int) -> list[dict[str, Any]]:
    """Read the posts that a version closed, as its event has noted them."""
    event = t.event.c
    query = sa.select(event.before).where(
        event.object_kind == "grid_version",
        event.object_id == str(version_id),
        event.action == DUTIES_ENDED,
    )
    with whole_county(connection):
        noted = connection.scalars(query).all()
    return [duty for before in noted for duty in before["duties"]]


def find_in_office(connection: sa.Connection, officer_ids: Collection[int], day: date) -> set[int]:
    """Find the officers who are in office on a day."""
    officer = t.officer.c
    query = sa.select(officer.officer_id).where(
        visible(SYSTEM, t.officer),
        officer.officer_id.in_(officer_ids),
        officer.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)),
    )
    return set(connection.execute(query).scalars())
