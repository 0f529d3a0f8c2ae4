"""Statements of this room that read: incidents and hazards, what is near a place, working days.

Rows as the database gives them, always as far as the actor may see them. What they mean, and every
message, is said by the modules that call.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor, visible
from gis_service.access.visibility import grids_below
from gis_service.grids.reading import on_day
from gis_service.store import tables as t
from gis_service.store.engine import in_whole_county
from gis_service.store.tables import SRID

Box = tuple[float, float, float, float]
Conditions = Sequence[sa.ColumnElement[bool]]
Rows = Sequence[Any]

OPEN: Final = "open"


def read_now(connection: sa.Connection) -> datetime:
    """Ask the database when this transaction began."""
    moment: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
    return moment


def read_clock(connection: sa.Connection) -> datetime:
    """Ask the database for the time; unlike ``now()`` it goes on while one waits for a lock."""
    moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return moment


def _lon_lat(point: Any) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    return sa.func.ST_X(point).label("lon"), sa.func.ST_Y(point).label("lat")


def _in_box(point: Any, box: Box) -> sa.ColumnElement[bool]:
    envelope = sa.func.ST_MakeEnvelope(*box, SRID)
    overlaps: sa.ColumnElement[bool] = point.op("&&", is_comparison=True)(envelope)
    return overlaps


def _is_in_box(
    table: sa.Table, box: Box, care_tags: Sequence[str] | None = None
) -> sa.ColumnElement[bool]:
    """Ask by ids for what lies in a box: under rules by rows the spatial index is not used."""
    tags = sa.cast(care_tags, sa.ARRAY(sa.Text))
    ids = sa.select(sa.func.gis_ids_in_box(table.name, *box, tags)).scalar_subquery()
    key: sa.ColumnElement[int] = table.c[f"{table.name}_id"]
    return key == sa.any_(sa.cast(ids, sa.ARRAY(sa.BigInteger)))


# --- who could come, and what is near ----------------------------------------------------------


def read_facilities(connection: sa.Connection, kinds: Sequence[str]) -> Rows:
    """Read the facilities of some kinds."""
    facility = t.facility.c
    return connection.execute(
        sa.select(
            facility.kind,
            facility.facility_id.label("id"),
            facility.name,
            facility.phone,
            facility.turnout_minutes,
            *_lon_lat(facility.point),
        )
        .where(facility.kind.in_(kinds))
        .order_by(facility.facility_id)
    ).all()


def read_officers_at_work(connection: sa.Connection, actor: Actor) -> Rows:
    """Read the officers who serve a grid today, are not on leave, and have a duty post."""
    officer, duty, leave = t.officer.c, t.grid_duty.c, t.leave.c
    serves = sa.exists().where(duty.officer_id == officer.officer_id, on_day(duty.valid, None))
    away = sa.exists().where(leave.officer_id == officer.officer_id, on_day(leave.valid, None))
    return connection.execute(
        sa.select(
            officer.officer_id.label("id"),
            officer.name,
            officer.phone,
            *_lon_lat(officer.duty_post),
        )
        .where(
            officer.duty_post.is_not(None),
            on_day(officer.valid, None),
            serves,
            ~away,
            visible(actor, t.officer),
        )
        .order_by(officer.officer_id)
    ).all()


def read_hazards_in_box(connection: sa.Connection, actor: Actor, box: Box) -> Rows:
    """Read the hazards that are not closed."""
    hazard = t.hazard.c
    return connection.execute(
        sa.select(
            hazard.kind,
            hazard.hazard_id.label("id"),
            sa.literal("").label("name"),
            hazard.grade,
            *_lon_lat(hazard.point),
        ).where(hazard.status != "closed", visible(actor, t.hazard), _is_in_box(t.hazard, box))
    ).all()


def read_water_sources_in_box(connection: sa.Connection, box: Box) -> Rows:
    """Read where fire engines find water."""
    facility = t.facility.c
    return connection.execute(
        sa.select(
            facility.kind,
            facility.facility_id.label("id"),
            facility.name,
            facility.grade,
            *_lon_lat(facility.point),
        ).where(facility.kind == "water_source", _in_box(facility.point, box))
    ).all()


def read_premises_in_box(connection: sa.Connection, actor: Actor, box: Box) -> Rows:
    """Read shops, factories and the like."""
    premises = t.premises.c
    return connection.execute(
        sa.select(
            premises.kind,
            premises.premises_id.label("id"),
            premises.name,
            premises.grade,
            *_lon_lat(premises.point),
        ).where(visible(actor, t.premises), _is_in_box(t.premises, box))
    ).all()


def sees_households(actor: Actor) -> bool:
    """Tell whether an actor may see any household at all."""
    return not visible(actor, t.household).compare(sa.false())


def read_households_in_box(
    connection: sa.Connection, actor: Actor, box: Box, care_tags: Sequence[str]
) -> Rows:
    """Read the households that carry one of the tags, with the parts of their address."""
    home = t.household.c
    return connection.execute(
        sa.select(
            sa.literal("household").label("kind"),
            home.household_id.label("id"),
            home.street,
            home.house_number,
            home.group_number,
            home.room,
            *_lon_lat(home.point),
        ).where(
            visible(actor, t.household),
            _is_in_box(t.household, box, list(care_tags)),
        )
    ).all()


# --- lists -------------------------------------------------------------------------------------


def _has_status(column: Any, status: str) -> sa.ColumnElement[bool]:
    """``open`` is every status but closed."""
    condition: sa.ColumnElement[bool] = column != "closed" if status == OPEN else column == status
    return condition


def read_hazards(
    connection: sa.Connection,
    actor: Actor,
    *,
    status: str | None,
    grid_id: int | None,
    limit: int,
    offset: int,
) -> tuple[Rows, int]:
    """Read a page of hazards, the one that is due first on top, and count all of them."""
    hazard, state = t.hazard.c, t.grid_state.c
    conditions = [visible(actor, t.hazard)]
    if status is not None:
        conditions.append(_has_status(hazard.status, status))
    if grid_id is not None:
        conditions.append(hazard.base_grid_id.in_(grids_below((grid_id,))))
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.hazard).where(*conditions))
    overdue = (
        (hazard.due_on < sa.func.gis_today())
        & hazard.rectified_on.is_(None)
        & (hazard.status != "closed")
    )
    rows = connection.execute(
        sa.select(
            t.hazard,
            overdue.label("overdue"),
            state.name.label("grid_name"),
            *_lon_lat(hazard.point),
        )
        .outerjoin(t.grid_state, (state.grid_id == hazard.base_grid_id) & on_day(state.valid, None))
        .where(*conditions)
        .order_by(hazard.due_on, hazard.hazard_id)
        .limit(limit)
        .offset(offset)
    ).all()
    return rows, total or 0


def incident_conditions(
    *,
    status: str | None = None,
    kind: str | None = None,
    tier: str | None = None,
    incident_id: int | None = None,
    days: int | None = None,
    grid_id: int | None = None,
    more_returns_than: int | None = None,
    q: str | None = None,
    touched_by: int | None = None,
) -> Conditions:
    """Put the conditions of a list together; what is None does not matter."""
    incident = t.incident.c
    conditions: list[sa.ColumnElement[bool]] = []
    if status is not None:
        conditions.append(_has_status(incident.status, status))
    if days is not None:
        reported_on = sa.cast(sa.func.timezone("Asia/Shanghai", incident.reported_at), sa.Date)
        conditions.append(reported_on > sa.func.gis_today() - days)
    if grid_id is not None:
        conditions.append(incident.base_grid_id.in_(grids_below((grid_id,))))
    for column, value in (
        (incident.kind, kind),
        (incident.tier, tier),
        (incident.incident_id, incident_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if more_returns_than is not None:
        conditions.append(incident.returns > more_returns_than)
    if q:
        texts = (incident.text, incident.address, incident.key)
        conditions.append(sa.or_(*(column.icontains(q, autoescape=True) for column in texts)))
    if touched_by is not None:
        conditions.append(incident.incident_id.in_(_touched_by(touched_by)))
    return conditions


def _touched_by(actor_id: int) -> sa.Select[tuple[int]]:
    step = t.incident_step.c
    return sa.select(step.incident_id).where(step.actor_id == actor_id)


def count_incidents(connection: sa.Connection, actor: Actor, conditions: Conditions) -> int:
    """Count the incidents in sight."""
    query = sa.select(sa.func.count()).select_from(t.incident)
    return connection.scalar(query.where(visible(actor, t.incident), *conditions)) or 0


def read_running_clocks(
    connection: sa.Connection, actor: Actor, conditions: Conditions, statuses: Iterable[str]
) -> Rows:
    """Read what deadlines are counted by, of all incidents in some states."""
    incident = t.incident.c
    return connection.execute(
        sa.select(
            incident.incident_id,
            incident.kind,
            incident.status,
            incident.tier,
            incident.clock_from,
            incident.reported_at,
        ).where(visible(actor, t.incident), incident.status.in_(statuses), *conditions)
    ).all()


_LISTED_COLUMNS: Final = tuple(column for column in t.incident.c if column.name != "point")


def read_incidents(
    connection: sa.Connection,
    actor: Actor,
    conditions: Conditions,
    *,
    limit: int,
    offset: int,
) -> Rows:
    """Read a page of incidents, the newest first."""
    incident, state = t.incident.c, t.grid_state.c
    return connection.execute(
        sa.select(*_LISTED_COLUMNS, state.name.label("grid_name"), *_lon_lat(incident.point))
        .outerjoin(
            t.grid_state, (state.grid_id == incident.base_grid_id) & on_day(state.valid, None)
        )
        .where(*conditions, visible(actor, t.incident))
        .order_by(incident.reported_at.desc(), incident.incident_id)
        .limit(limit)
        .offset(offset)
    ).all()


def with_ids(incident_ids: Sequence[int]) -> Conditions:
    """Only these incidents."""
    return [t.incident.c.incident_id.in_(incident_ids)]


# --- one incident ------------------------------------------------------------------------------


def read_details(connection: sa.Connection, actor: Actor, incident_id: int) -> Any:
    """Read of one incident what no list shows."""
    incident = t.incident.c
    return connection.execute(
        sa.select(
            incident.reporter_name,
            incident.reporter_phone,
            incident.media_url,
            incident.details,
            incident.officer_id,
            incident.officer_post,
        ).where(incident.incident_id == incident_id, visible(actor, t.incident))
    ).one()


def read_steps(connection: sa.Connection, incident_id: int) -> Rows:
    """Read the steps of an incident that the caller has found in sight, in their order."""
    step, actor = t.incident_step.c, t.actor.c
    return connection.execute(
        sa.select(
            t.incident_step,
            actor.name.label("actor"),
            actor.name_en.label("actor_en"),
            *_lon_lat(step.place),
        )
        .outerjoin(t.actor, actor.actor_id == step.actor_id)
        .where(step.incident_id == incident_id)
        .order_by(step.seq)
    ).all()


def read_officers(connection: sa.Connection, actor: Actor, ids: Iterable[int]) -> Rows:
    """Read names and phones of some officers."""
    officer = t.officer.c
    return connection.execute(
        sa.select(officer.officer_id, officer.name, officer.phone).where(
            officer.officer_id.in_(ids), visible(actor, t.officer)
        )
    ).all()


def read_reporter(connection: sa.Connection, actor: Actor, incident_id: int) -> Any | None:
    """Read name, phone and email of who reported, in clear."""
    incident = t.incident.c
    return connection.execute(
        sa.select(incident.reporter_name, incident.reporter_phone, incident.reporter_email).where(
            incident.incident_id == incident_id, visible(actor, t.incident)
        )
    ).first()


def read_candidates(
    connection: sa.Connection,
    actor: Actor,
    kind: str,
    box: Box,
    span: tuple[datetime, datetime],
    *,
    besides: int | None,
    limit: int,
) -> Rows:
    """Read id, place and time of incidents of a kind, the newest first."""
    incident = t.incident.c
    return connection.execute(
        sa.select(
            incident.incident_id,
            sa.func.ST_X(incident.point),
            sa.func.ST_Y(incident.point),
            incident.reported_at,
        )
        .where(
            visible(actor, t.incident),
            incident.kind == kind,
            incident.reported_at.between(*span),
            _is_in_box(t.incident, box),
            incident.incident_id.is_distinct_from(besides),
        )
        .order_by(incident.reported_at.desc())
        .limit(limit)
    ).all()


def has_photo(connection: sa.Connection, actor: Actor, incident_id: int, sha256: str) -> bool:
    """
    Tell whether an incident in the actor's sight has a photo.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    incident_id, sha256
        Which.

    Returns
    -------
    bool
        False as well where the actor does not see the incident.
    """
    photo = t.incident_photo.c
    row = connection.execute(
        sa.select(photo.sha256)
        .join(t.incident, t.incident.c.incident_id == photo.incident_id)
        .where(
            photo.incident_id == incident_id,
            photo.sha256 == sha256,
            visible(actor, t.incident),
        )
    ).first()
    return row is not None


def read_photo_hashes(connection: sa.Connection, incident_id: int) -> frozenset[str]:
    """Read which photos an incident has that the caller has found in sight."""
    photo = t.incident_photo.c
    rows = connection.execute(sa.select(photo.sha256).where(photo.incident_id == incident_id))
    return frozenset(rows.scalars())


def is_another_in_sight(
    connection: sa.Connection, actor: Actor, incident_id: int, other_id: int
) -> bool:
    """Tell whether an id is that of an incident in sight, and not this one's own."""
    incident = t.incident.c
    row = connection.scalar(
        sa.select(incident.incident_id).where(
            incident.incident_id == other_id,
            incident.incident_id != incident_id,
            visible(actor, t.incident),
        )
    )
    return row is not None


def read_known_keys(connection: sa.Connection, keys: Sequence[str]) -> frozenset[str]:
    """Read which of some senders' numbers are taken."""
    rows = connection.execute(
        sa.select(t.incident.c.key).where(t.incident.c.key.in_(keys), visible(SYSTEM, t.incident))
    )
    return frozenset(rows.scalars())


def read_grid_and_time(
    connection: sa.Connection, actor: Actor, incident_id: int
) -> tuple[int | None, datetime] | None:
    """Read in which base grid an incident lies and when it was reported; None out of sight."""
    incident = t.incident.c
    row = connection.execute(
        sa.select(incident.base_grid_id, incident.reported_at).where(
            incident.incident_id == incident_id, visible(actor, t.incident)
        )
    ).first()
    return None if row is None else (row.base_grid_id, row.reported_at)


# --- reports on their way in -------------------------------------------------------------------


def read_waiting_reports(connection: sa.Connection, limit: int) -> Rows:
    """Read the reports that wait for their place, the oldest first."""
    intake = t.incident_intake.c
    return connection.execute(
        sa.select(t.incident_intake)
        .where(intake.incident_id.is_(None))
        .order_by(intake.at, intake.token)
        .limit(limit)
    ).all()


def read_incident_of_token(connection: sa.Connection, token: str) -> Any | None:
    """Read which incident a token leads to; the row holds None while the report waits."""
    intake = t.incident_intake.c
    return connection.execute(sa.select(intake.incident_id).where(intake.token == token)).first()


# --- Open311 -----------------------------------------------------------------------------------


@in_whole_county
def read_service_requests(
    connection: sa.Connection,
    actor: Actor | None,
    *,
    ids: Sequence[int] | None,
    codes: Sequence[str] | None,
    is_closed: bool | None,
    span: tuple[datetime, datetime],
    limit: int,
) -> Rows:
    """Read incidents as service requests; whoever has no key reads what came in by Open311."""
    incident, step = t.incident.c, t.incident_step.c
    conditions = [visible(actor or SYSTEM, t.incident)]
    if ids is not None:
        conditions.append(incident.incident_id.in_(ids))
    else:
        conditions.append(incident.reported_at.between(*span))
        if codes is not None:
            conditions.append(incident.kind.in_(codes))
        if is_closed is not None:
            closed = incident.status == "closed"
            conditions.append(closed if is_closed else ~closed)
    if actor is None:
        conditions.append(incident.channel == "open311")
    changed = (
        sa.select(step.at)
        .where(step.incident_id == incident.incident_id, step.seq == incident.version)
        .scalar_subquery()
    )
    return connection.execute(
        sa.select(
            t.incident,
            sa.func.coalesce(changed, incident.reported_at).label("changed_at"),
            *_lon_lat(incident.point),
        )
        .where(*conditions)
        .order_by(incident.reported_at.desc(), incident.incident_id)
        .limit(limit)
    ).all()


def read_building_place(connection: sa.Connection, key: str) -> tuple[float, float] | None:
    """Read longitude and latitude of the building with a key."""
    building = t.building.c
    row = connection.execute(
        sa.select(sa.func.ST_X(building.point), sa.func.ST_Y(building.point)).where(
            building.key == key
        )
    ).first()
    return None if row is None else (row[0], row[1])


# --- working days ------------------------------------------------------------------------------


def read_day_overrides(connection: sa.Connection) -> dict[date, bool]:
    """Read the days that the county counts otherwise, and whether they are worked."""
    override = t.working_day_override.c
    rows = connection.execute(sa.select(override.day, override.is_working))
    return {row.day: row.is_working for row in rows}


def read_complete_years(connection: sa.Connection) -> frozenset[int]:
    """Read the years whose holidays the county has entered whole."""
    return frozenset(connection.execute(sa.select(t.working_year.c.year)).scalars())


def read_day_reasons(connection: sa.Connection, first: date, last: date) -> dict[date, str]:
    """Read why days are counted otherwise."""
    override = t.working_day_override.c
    rows = connection.execute(
        sa.select(override.day, override.reason).where(override.day.between(first, last))
    )
    return {row.day: row.reason for row in rows}


def read_day_override(connection: sa.Connection, day: date) -> bool | None:
    """Read whether the county counts a day as worked; None where it has said nothing."""
    override = t.working_day_override.c
    is_working: bool | None = connection.execute(
        sa.select(override.is_working).where(override.day == day)
    ).scalar()
    return is_working


# --- what has happened since -------------------------------------------------------------------


_XMIN: Final = sa.cast(
    sa.cast(sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot()), sa.Text), sa.BigInteger
)


class _Xid(sa.types.UserDefinedType[str]):
    """PostgreSQL's own number of a transaction, which comes round after four thousand million."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name the type in SQL."""
        return "xid"


_ROUND: Final = 2**32
_NEXT: Final = sa.cast(
    sa.cast(sa.func.pg_snapshot_xmax(sa.func.pg_current_snapshot()), sa.Text), sa.BigInteger
)
_WRITTEN: Final = sa.column("xmin", _Xid(), _selectable=t.incident_step)


def _committed_late(xmin: int) -> sa.ColumnElement[bool]:
    """Find steps before a mark that were committed after it was made."""
    # A step keeps the number of the transaction that made it. After a restore into a new cluster
    # those numbers are another server's: there a row must also have been written (``xmin``) no
    # earlier than the mark. A mark from before the restore is ahead of every number here, and is
    # compared with the old numbers, which it belongs to.
    number = t.incident_step.c.xid
    of_another = sa.literal(xmin, sa.BigInteger) > _NEXT
    newest = sa.case((of_another, sa.literal(2**63 - 1, sa.BigInteger)), else_=_NEXT)
    marked = sa.cast(str(xmin % _ROUND), _Xid())
    return sa.and_(
        number >= xmin,
        number < newest,
        sa.or_(of_another, sa.func.age(_WRITTEN) <= sa.func.age(marked)),
    )


def read_newest_step(connection: sa.Connection) -> tuple[int, int]:
    """Read the newest step, and the oldest transaction that still runs."""
    step_id, xmin = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(t.incident_step.c.step_id), 0), _XMIN)
    ).one()
    return step_id, xmin


def read_steps_since(connection: sa.Connection, step_id: int, xmin: int, *, limit: int) -> Rows:
    """Read the steps behind a mark, and those before it that were committed later."""
    step = t.incident_step.c
    return connection.execute(
        sa.select(
            step.step_id, step.incident_id, step.seq, step.move, step.to_state, _XMIN.label("xmin")
        )
        .where(sa.or_(step.step_id > step_id, _committed_late(xmin)))
        .order_by(step.step_id)
        .limit(limit)
    ).all()


def incidents_in_sight(
    connection: sa.Connection, actor: Actor, incident_ids: Iterable[int]
) -> frozenset[int]:
    """
    Keep the incidents that an actor may see.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who watches.
    incident_ids
        Some incidents.

    Returns
    -------
    frozenset
        Those in sight.
    """
    rows = connection.execute(
        sa.select(t.incident.c.incident_id).where(
            t.incident.c.incident_id.in_(set(incident_ids)), visible(actor, t.incident)
        )
    )
    return frozenset(rows.scalars())
