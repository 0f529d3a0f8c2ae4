"""What plans read: their rows, edits, reviews and comments, and what stands on the land.

Only numbers of people and houses leave here, never a person; so they are read in the system's name.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from geoalchemy2 import Geometry

from gis_service.access import SYSTEM, visible
from gis_service.errors import ConflictError, InputError, NotFoundError
from gis_service.geodesy import GeometryArray
from gis_service.grids.versions import Version
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays
from gis_service.store.engine import whole_county

Arrays = Mapping[str, npt.NDArray[Any]]
FOOTPATHS: Final = ("path", "footway", "cycleway", "steps", "ferry")
"""What bounds no block by itself, though a border may follow it."""


@dataclass(frozen=True)
class StoredEdit:
    """One edit as it stands in the store."""

    seq: int
    edit: dict[str, Any]

    @property
    def mark(self) -> str:
        """Tell whether it is the same as another one."""
        text = json.dumps([self.seq, self.edit], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """A plan's row with its scheme and the version that it is drawn on."""

    plan_id: int
    scheme_id: int
    scheme: str
    title: str
    reason: str
    status: str
    rev: int
    author_id: int
    created_at: Any
    reasons: dict[str, str]
    version_id: int | None
    base: Version


def find_plan(connection: sa.Connection, plan_id: int, *, lock: bool = False) -> Plan:
    """
    Read a plan's row.

    Parameters
    ----------
    connection
        An open transaction.
    plan_id
        Which.
    lock
        Hold it to the end of the transaction.

    Returns
    -------
    Plan
        As it stands.

    Raises
    ------
    NotFoundError
        There is no such plan.
    """
    query = sa.select(t.plan).where(t.plan.c.plan_id == plan_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("boundaries.no_plan", plan=plan_id)
    version = connection.execute(
        sa.select(t.grid_version, t.grid_scheme.c.code)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == t.grid_version.c.scheme_id)
        .where(t.grid_version.c.version_id == row.base_version_id)
    ).one()
    return Plan(
        row.plan_id,
        row.scheme_id,
        version.code,
        row.title,
        row.reason,
        row.status,
        row.rev,
        row.author_id,
        row.created_at,
        row.reasons,
        row.version_id,
        Version(
            version.version_id,
            version.scheme_id,
            version.code,
            version.effective_day,
            version.title,
        ),
    )


def read_edits_done(connection: sa.Connection, plan_id: int) -> list[StoredEdit]:
    """Read the edits of which a draft is made."""
    stored = t.plan_edit.c
    query = sa.select(stored.seq, stored.edit).where(
        stored.plan_id == plan_id, stored.state == "done"
    )
    return [StoredEdit(seq, edit) for seq, edit in connection.execute(query.order_by(stored.seq))]


def read_edit_rows(connection: sa.Connection, plan_id: int, since: int = 0) -> list[dict[str, Any]]:
    """List edits with who made them."""
    stored, actor = t.plan_edit.c, t.actor.c
    query = (
        sa.select(t.plan_edit, actor.name, actor.name_en)
        .join(t.actor, actor.actor_id == stored.actor_id)
        .where(stored.plan_id == plan_id, stored.rev > since, stored.state != "dropped")
    )
    return [
        {
            "seq": row.seq,
            "edit": row.edit,
            "actor": {"actor_id": row.actor_id, "name": row.name, "name_en": row.name_en},
            "at": row.at.isoformat(),
            "state": row.state,
        }
        for row in connection.execute(query.order_by(stored.seq))
    ]


def count_next_seq(connection: sa.Connection, plan_id: int) -> int:
    """Give the number of the next edit."""
    stored = t.plan_edit.c
    last = connection.scalar(sa.select(sa.func.max(stored.seq)).where(stored.plan_id == plan_id))
    return int(last or 0) + 1


def find_last_edit(connection: sa.Connection, plan_id: int, direction: str) -> StoredEdit:
    """Find the edit that is undone or done again next."""
    stored = t.plan_edit.c
    state, order = ("done", stored.seq.desc()) if direction == "undo" else ("undone", stored.seq)
    row = connection.execute(
        sa.select(stored.seq, stored.edit)
        .where(stored.plan_id == plan_id, stored.state == state)
        .order_by(order)
        .limit(1)
    ).first()
    if row is None:
        raise InputError(f"boundaries.nothing_to_{direction}")
    return StoredEdit(row.seq, row.edit)


def read_touched(connection: sa.Connection, plan_id: int) -> set[str]:
    """Read which grids the edits of a plan touch."""
    stored = t.plan_edit.c
    query = sa.select(stored.touched).where(stored.plan_id == plan_id, stored.state == "done")
    return {key for keys in connection.execute(query).scalars() for key in keys}


def read_editors(connection: sa.Connection, plan_id: int) -> set[int]:
    """Tell who has had a hand in a plan: drawn in it, taken an edit back or done it again."""
    event = t.event.c
    query = (
        sa.select(event.actor_id)
        .distinct()
        .where(
            event.object_kind == "plan",
            event.object_id == str(plan_id),
            event.action.in_(("edit", "undo", "redo")),
        )
    )
    with whole_county(connection):
        return set(connection.scalars(query))


def read_discussion(
    connection: sa.Connection, plan_id: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read who said and decided what."""
    said: list[list[dict[str, Any]]] = []
    for table, names in ((t.plan_review, ("decision", "text", "rev")), (t.plan_comment, ("text",))):
        rows = connection.execute(
            sa.select(table, t.actor.c.name, t.actor.c.name_en)
            .join(t.actor, t.actor.c.actor_id == table.c.actor_id)
            .where(table.c.plan_id == plan_id)
            .order_by(table.c.at, *table.primary_key)
        )
        said.append(
            [
                {
                    "actor": {
                        "actor_id": row.actor_id, "name": row.name, "name_en": row.name_en,
                    },
                    "at": row.at.isoformat(),
                    **{name: getattr(row, name) for name in names},
                }
                for row in rows
            ]
        )  # fmt: skip
    return said[0], said[1]


def list_plans(connection: sa.Connection, scheme: str) -> list[dict[str, Any]]:
    """
    List the plans of a scheme, the newest first.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Its code.

    Returns
    -------
    list of dict
        Without their edits.
    """
    plan, row, actor = t.plan.c, t.plan_edit.c, t.actor.c
    counted = (
        sa.select(sa.func.count())
        .where(row.plan_id == plan.plan_id, row.state == "done")
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(t.plan, counted.label("edit_count"), actor.name, actor.name_en)
        .join(t.actor, actor.actor_id == plan.author_id)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == plan.scheme_id)
        .where(t.grid_scheme.c.code == scheme)
        .order_by(plan.plan_id.desc())
    )
    return [
        {
            "plan_id": line.plan_id,
            "title": line.title,
            "reason": line.reason,
            "status": line.status,
            "rev": line.rev,
            "edit_count": line.edit_count,
            "author": {"actor_id": line.author_id, "name": line.name, "name_en": line.name_en},
            "created_at": line.created_at.isoformat(),
            "base_version": line.base_version_id,
            "version_id": line.version_id,
        }
        for line in rows
    ]


def read_author(connection: sa.Connection, plan: Plan) -> dict[str, Any]:
    """Read who began a plan."""
    author = connection.execute(
        sa.select(t.actor).where(t.actor.c.actor_id == plan.author_id)
    ).one()
    return {"actor_id": author.actor_id, "name": author.name, "name_en": author.name_en}


def read_scheme(connection: sa.Connection, scheme_id: int) -> Any:
    """Read a scheme's row."""
    return connection.execute(
        sa.select(t.grid_scheme).where(t.grid_scheme.c.scheme_id == scheme_id)
    ).one()


# --- what stands on the land ---------------------------------------------------------------------


def read_buildings(connection: sa.Connection) -> Arrays:
    """Read every building by id: place, and footprint or point."""
    house = t.building.c
    shape = sa.type_coerce(sa.func.coalesce(house.footprint, house.point), Geometry("GEOMETRY"))
    query = _select_places(house.building_id, house.point).add_columns(shape.label("shape"))
    return _by_id(read_arrays(connection, query))


def count_households_in_buildings(connection: sa.Connection) -> Arrays:
    """Count households, people and care households of each building that has any."""
    home = t.household.c
    care = sa.func.count().filter(sa.func.cardinality(home.care_tags) > 0)
    return read_arrays(
        connection,
        sa.select(
            home.building_id.label("id"),
            sa.type_coerce(sa.func.count(), sa.BigInteger).label("n"),
            sa.type_coerce(sa.func.sum(home.people), sa.BigInteger).label("people"),
            sa.type_coerce(care, sa.BigInteger).label("care"),
        )
        .where(visible(SYSTEM, t.household), home.building_id.is_not(None))
        .group_by(home.building_id),
    )


def read_homes_without_building(connection: sa.Connection) -> Arrays:
    """Read place, people and care of each household that stands in no building."""
    home = t.household.c
    return read_arrays(
        connection,
        _select_places(home.household_id, home.point)
        .add_columns(home.people, (sa.func.cardinality(home.care_tags) > 0).label("care"))
        .where(visible(SYSTEM, t.household), home.building_id.is_(None)),
    )


def read_premises(connection: sa.Connection) -> Arrays:
    """Read the places of premises, by id."""
    premises = t.premises.c
    return _by_id(read_arrays(connection, _select_places(premises.premises_id, premises.point)))


def read_open_hazards(connection: sa.Connection) -> Arrays:
    """Read the places of hazards that are not closed, by id."""
    hazard = t.hazard.c
    query = _select_places(hazard.hazard_id, hazard.point).where(
        visible(SYSTEM, t.hazard), hazard.status != "closed"
    )
    return _by_id(read_arrays(connection, query))


def read_incidents_of_a_year(connection: sa.Connection) -> Arrays:
    """Read the places of incidents that were reported within a year, by id."""
    incident = t.incident.c
    year = sa.func.now() - sa.func.make_interval(1)
    query = _select_places(incident.incident_id, incident.point).where(
        visible(SYSTEM, t.incident), incident.reported_at > year
    )
    return _by_id(read_arrays(connection, query))


def _by_id(rows: Arrays) -> Arrays:
    order = np.argsort(rows["id"])
    return {name: column[order] for name, column in rows.items()}


def _select_places(identity: sa.ColumnElement[int], point: sa.ColumnElement[Any]) -> sa.Select[Any]:
    lon, lat = (
        sa.type_coerce(measure(point), sa.Double) for measure in (sa.func.ST_X, sa.func.ST_Y)
    )
    return sa.select(identity.label("id"), lon.label("lon"), lat.label("lat"))


def read_streets(connection: sa.Connection) -> tuple[GeometryArray, npt.NDArray[np.bool_]]:
    """Read the streets of the active network, by id, and which of them are footpaths."""
    edge, network = t.road_edge.c, t.road_network.c
    on_foot = edge.road_class.in_(FOOTPATHS)
    rows = read_arrays(
        connection,
        sa.select(edge.edge_id, edge.geom, on_foot.label("on_foot"))
        .join(t.road_network, network.network_id == edge.network_id)
        .where(network.active),
    )
    order = np.argsort(rows["edge_id"])
    return np.asarray(rows["geom"][order], dtype=object), rows["on_foot"][order].astype(bool)


def read_outlines(connection: sa.Connection, kinds: Sequence[str]) -> GeometryArray:
    """Read where land of some kinds of cover ends, outlines as lines: the banks of all water."""
    cover = t.land_cover.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(cover.geom)).where(cover.kind.in_(kinds)).order_by(cover.key)
    )
    rings = shapely.get_rings(shapely.get_parts(shapely.from_wkb([bytes(row[0]) for row in rows])))
    lines = np.empty(len(rings), dtype=object)
    lines[:] = [shapely.LineString(ring.coords) for ring in rings]
    return lines


def read_grids_with_officer(connection: sa.Connection) -> frozenset[str]:
    """Read which grids have an officer of post A today."""
    duty = t.grid_duty.c
    rows = connection.execute(
        sa.select(duty.grid_id).where(
            duty.role == "officer",
            duty.post == "A",
            duty.valid.op("@>")(sa.func.gis_today()),
        )
    )
    return frozenset(str(row[0]) for row in rows)


def read_past_names(
    connection: sa.Connection, scheme_id: int, rank: int
) -> dict[str, frozenset[str]]:
    """Read what the grids of a level are and ever were called, by their parent's key."""
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.parent_grid_id, sa.func.array_agg(sa.distinct(state.name)))
        .where(state.scheme_id == scheme_id, state.rank == rank)
        .group_by(state.parent_grid_id)
    )
    return {str(parent): frozenset(names) for parent, names in rows}


def read_dedicated_grids(connection: sa.Connection, scheme_id: int) -> frozenset[str]:
    """Read which grids of a scheme are dedicated ones."""
    grid = t.grid.c
    rows = connection.scalars(
        sa.select(grid.grid_id).where(grid.scheme_id == scheme_id, grid.kind == "dedicated")
    )
    return frozenset(map(str, rows))


# --- proposals -----------------------------------------------------------------------------------


def mark_draft(version: Version, edits: Sequence[StoredEdit]) -> str:
    """Name a draft: the same edits on the same version have the same mark."""
    marks = [str(version.version_id), *(stored.mark for stored in edits)]
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()


def read_proposal(connection: sa.Connection, plan_id: int, job_id: int) -> dict[str, Any]:
    """
    Read what a job has proposed, for a page.

    Parameters
    ----------
    connection
        An open transaction.
    plan_id
        For which plan.
    job_id
        Of a job that is done.

    Returns
    -------
    dict
        As :func:`gis_service.boundaries.plans.proposals.propose` gives it.

    Raises
    ------
    NotFoundError
        The plan has no such proposal.
    """
    answer: dict[str, Any] = _find_proposal(connection, plan_id, job_id).answer
    return answer


def read_proposed_edit(
    connection: sa.Connection, plan_id: int, job_id: int, name: str, draft_mark: str
) -> dict[str, Any]:
    """Read the edit that an answer of a proposal is."""
    row = _find_proposal(connection, plan_id, job_id)
    edit: dict[str, Any] | None = row.edits.get(name)
    if edit is None:
        raise NotFoundError("boundaries.no_proposal", plan=plan_id, proposal=f"{job_id}/{name}")
    if row.draft_mark != draft_mark:
        raise ConflictError("boundaries.proposal_of_other_draft", proposal=job_id)
    return edit


def _find_proposal(connection: sa.Connection, plan_id: int, job_id: int) -> Any:
    stored = t.proposal.c
    row = connection.execute(
        sa.select(t.proposal).where(stored.job_id == job_id, stored.plan_id == plan_id)
    ).first()
    if row is None:
        raise NotFoundError("boundaries.no_proposal", plan=plan_id, proposal=job_id)
    return row
