"""An incident's life: its steps never shrink, its state is that of the last one, nobody cheats."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis_service.access import SYSTEM, Actor
from gis_service.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from gis_service.incidents import intake, life_cycle, reporting, working_days
from gis_service.incidents.clocks import clock_of
from gis_service.incidents.following import (
    find_duplicates,
    find_incident,
    read_allowed_moves,
    reveal_reporter,
)
from gis_service.incidents.life_cycle import MoveRefusedError, StepRequest
from gis_service.incidents.reading import IncidentFilter, list_incidents
from gis_service.incidents.reporting import NewIncident
from gis_service.incidents.rules import rule_book
from gis_service.store import Store
from gis_service.store import tables as t
from tests.incidents.conftest import ANALYST, DISPATCHER, middle
from tests.support import SIDE, SOUTH, WEST, thrown_away

MOVES = sorted({move.move for move in rule_book().moves})
EVERYTHING: dict[str, Any] = {"note": "说明", "department": "环卫所"}


@pytest.fixture
def connection(store: Store, grid_ids: dict[str, int]) -> Iterator[sa.Connection]:
    """A transaction that is thrown away."""
    with thrown_away(store) as connection:
        yield connection


def draft(grid: str = "g00", **other: Any) -> NewIncident:
    lon, lat = middle(grid)
    return NewIncident(**{"kind": "rubbish", "lon": lon, "lat": lat, "text": "垃圾桶满溢", **other})


def report(connection: sa.Connection, grid: str = "g00", **other: Any) -> int:
    return reporting.report_incident(connection, DISPATCHER, draft(grid, **other))


def go(connection: sa.Connection, incident_id: int, *moves: str, actor: Actor = DISPATCHER) -> None:
    for name in moves:
        life_cycle.take_step(connection, actor, incident_id, StepRequest(name, **EVERYTHING))


def replay(connection: sa.Connection, day: date) -> None:
    """Let the store take another day for today, inside this transaction only."""
    connection.execute(sa.select(sa.func.set_config("gis.today", day.isoformat(), True)))


def steps(connection: sa.Connection, incident_id: int) -> list[Any]:
    step = t.incident_step
    return list(
        connection.execute(
            sa.select(step).where(step.c.incident_id == incident_id).order_by(step.c.seq)
        )
    )


def row(connection: sa.Connection, incident_id: int) -> Any:
    return connection.execute(
        sa.select(t.incident).where(t.incident.c.incident_id == incident_id)
    ).one()


# --- report --------------------------------------------------------------------------------------


def test_a_report_is_placed_and_given_to_the_officer_of_the_grid(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> None:
    found = find_incident(connection, DISPATCHER, report(connection, reporter_name="王小明"))
    assert (found.base_grid_id, found.status, found.tier) == (
        grid_ids["g00"],
        "reported",
        "village",
    )
    assert found.officer is not None
    assert (found.officer.name, found.officer.post) == ("赵一", "A")
    assert found.reporter_name == "王**"
    (step,) = found.steps
    assert (step.seq, step.move, step.to_state, step.due_on) == (
        1,
        "report",
        "reported",
        found.due_on,
    )


def test_while_a_is_on_leave_it_goes_to_b_and_back_when_it_is_sent_out_again(
    connection: sa.Connection,
) -> None:
    away = date(2026, 3, 2)
    officer = connection.scalar(sa.select(t.officer.c.officer_id).where(t.officer.c.key == "赵一"))
    connection.execute(
        sa.insert(t.leave).values(officer_id=officer, valid=f"[{away},{away + timedelta(days=2)})")
    )
    replay(connection, away)
    incident_id = report(connection, reported_at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    go(connection, incident_id, "accept", "dispatch")
    replay(connection, away + timedelta(days=2))
    go(connection, incident_id, "reassign")
    posts = [step.officer_post for step in steps(connection, incident_id)]
    assert posts == ["B", "B", "B", "A"]


def test_outside_every_grid_nobody_is_named_and_the_nearest_grid_is_noted(
    connection: sa.Connection,
) -> None:
    incident_id = report(connection, lon=WEST - SIDE, lat=SOUTH)
    assert row(connection, incident_id).base_grid_id is None
    assert row(connection, incident_id).officer_id is None
    noted = connection.execute(
        sa.select(t.assignment.c.method, t.assignment.c.nearest_grid_id).where(
            t.assignment.c.object_kind == "incident", t.assignment.c.object_id == incident_id
        )
    ).one()
    assert noted.method == "outside"
    assert noted.nearest_grid_id is not None


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"kind": "ufo"}, "incidents.no_kind"),
        ({"lon": 28.7, "lat": 112.9}, "incidents.swapped"),
        ({"lon": 500.0}, "incidents.not_a_place"),
        ({"lon": float("nan")}, "incidents.not_a_place"),
        ({"text": "长" * 4001}, "incidents.too_long"),
        ({"text": "a\x00b"}, "incidents.bad_signs"),
        ({"reported_at": datetime.fromisoformat("2026-03-01")}, "incidents.no_offset"),
        ({"reported_at": datetime(2999, 3, 1, tzinfo=UTC)}, "incidents.not_yet"),
        ({"reported_at": datetime(1999, 3, 1, tzinfo=UTC)}, "incidents.not_yet"),
        ({"media_url": "javascript:alert(1)"}, "incidents.bad_url"),
        ({"details": {"depth": "knee"}}, "incidents.no_attribute"),
        ({"kind": "flood", "details": {"depth": "sea"}}, "incidents.no_choice"),
        ({"kind": "flood", "details": {"depth": 7}}, "incidents.bad_answer"),
    ],
)
def test_a_report_that_cannot_be_is_refused(
    connection: sa.Connection, wrong: dict[str, Any], key: str
) -> None:
    with pytest.raises(InputError) as refused:
        report(connection, **wrong)
    assert refused.value.key == key
    assert refused.value.place.field


def test_an_officer_reports_in_the_own_grids_only(
    connection: sa.Connection, officer_in: Actor
) -> None:
    assert reporting.report_incident(connection, officer_in, draft("g00"))
    with pytest.raises(NotAllowedError):
        reporting.report_incident(connection, officer_in, draft("g11"))
    with pytest.raises(NotAllowedError):
        reporting.report_incident(connection, ANALYST, draft("g00"))


# --- moves ---------------------------------------------------------------------------------------


def test_a_life_with_a_return_is_kept_step_by_step(connection: sa.Connection) -> None:
    incident_id = report(connection)
    go(
        connection,
        incident_id,
        "accept",
        "dispatch",
        "handle",
        "return",
        "handle",
        "verify",
        "close",
    )
    states = [step.to_state for step in steps(connection, incident_id)]
    assert states[:4] == ["reported", "accepted", "dispatched", "handled"]
    assert states[4:] == ["returned", "handled", "verified", "closed"]
    found = row(connection, incident_id)
    assert (found.status, found.version, found.returns) == ("closed", 8, 1)
    assert found.closed_at >= found.reported_at
    actions = connection.execute(
        sa.select(t.event.c.action)
        .where(t.event.c.object_kind == "incident", t.event.c.object_id == str(incident_id))
        .order_by(t.event.c.event_id)
    ).scalars()
    assert list(actions)[:3] == ["report", "accept", "dispatch"]


def test_from_where_and_with_which_words_is_kept(connection: sa.Connection) -> None:
    incident_id = report(connection)
    lon, lat = middle("g10")
    life_cycle.take_step(
        connection, DISPATCHER, incident_id, StepRequest("note", note="已到场", lon=lon, lat=lat)
    )
    step = find_incident(connection, DISPATCHER, incident_id).steps[-1]
    assert (step.note, step.lon, step.lat, step.to_state) == ("已到场", lon, lat, "reported")


def test_what_the_state_does_not_allow_is_refused_with_what_it_allows(
    connection: sa.Connection,
) -> None:
    incident_id = report(connection)
    with pytest.raises(MoveRefusedError) as refused:
        go(connection, incident_id, "verify")
    told = refused.value.details("zh-CN")
    assert told["state"] == "reported"
    assert told["allowed"] == ["accept", "pass_up", "close_on_spot", "close_as_duplicate", "note"]
    assert "受理" in refused.value.say("zh-CN")
    assert len(steps(connection, incident_id)) == 1


def test_what_the_role_does_not_do_is_refused_too(
    connection: sa.Connection, officer_in: Actor
) -> None:
    incident_id = report(connection)
    with pytest.raises(MoveRefusedError) as refused:
        go(connection, incident_id, "accept", actor=officer_in)
    assert refused.value.allowed == ["close_on_spot", "note"]
    with pytest.raises(MoveRefusedError) as refused:
        go(connection, incident_id, "note", actor=ANALYST)
    assert refused.value.allowed == []


def test_an_incident_out_of_sight_is_not_there(
    connection: sa.Connection, officer_in: Actor
) -> None:
    incident_id = report(connection, "g11")
    for ask in (find_incident, read_allowed_moves):
        with pytest.raises(NotFoundError):
            ask(connection, officer_in, incident_id)
    with pytest.raises(NotFoundError):
        go(connection, incident_id, "note", actor=officer_in)


@pytest.mark.parametrize(
    ("moves", "wish", "key"),
    [
        ((), StepRequest("fly"), "incidents.no_move"),
        (("accept", "dispatch"), StepRequest("handle"), "incidents.note_needed"),
        (("accept",), StepRequest("hand_over", note="x"), "incidents.department_needed"),
        ((), StepRequest("close_as_duplicate"), "incidents.duplicate_needed"),
        ((), StepRequest("close_as_duplicate", duplicate_of=999_999), "incidents.no_duplicate"),
        ((), StepRequest("accept", duplicate_of=1), "incidents.duplicate_needed"),
        ((), StepRequest("note"), "incidents.note_needed"),
        ((), StepRequest("note", note="长" * 4001), "incidents.too_long"),
        ((), StepRequest("note", note="a\x00"), "incidents.bad_signs"),
        ((), StepRequest("accept", lon=112.9), "incidents.half_a_place"),
        ((), StepRequest("accept", lon=28.7, lat=112.9), "incidents.swapped"),
        ((), StepRequest("accept", photos=("a" * 64,)), "incidents.unknown_photo"),
        ((), StepRequest("accept", photos=("a" * 64,) * 10), "incidents.too_many_photos"),
    ],
)
def test_a_move_that_lacks_something_says_what(
    connection: sa.Connection, moves: tuple[str, ...], wish: StepRequest, key: str
) -> None:
    incident_id = report(connection)
    go(connection, incident_id, *moves)
    with pytest.raises(InputError) as refused:
        life_cycle.take_step(connection, DISPATCHER, incident_id, wish)
    assert refused.value.key == key


def test_upward_it_begins_anew_with_the_clock_of_the_tier(connection: sa.Connection) -> None:
    incident_id = report(connection, reported_at=datetime(2026, 3, 2, 4, tzinfo=UTC))
    go(connection, incident_id, "pass_up")
    town = find_incident(connection, DISPATCHER, incident_id)
    assert (town.status, town.tier, town.officer) == ("reported", "town", None)
    assert town.steps[-1].late  # 2 March is long ago: upward within one working day
    go(connection, incident_id, "pass_up")
    county = find_incident(connection, DISPATCHER, incident_id)
    assert (county.tier, county.pass_up_by) == ("county", None)
    assert county.steps[-1].late is False
    assert "pass_up" not in {one.move for one in county.allowed}
    assert town.due_on is not None
    assert county.due_on is not None
    assert county.due_on > town.due_on


def test_a_department_is_of_the_town_at_least(connection: sa.Connection) -> None:
    incident_id = report(connection)
    go(connection, incident_id, "accept", "hand_over")
    found = find_incident(connection, DISPATCHER, incident_id)
    assert (found.status, found.tier, found.department) == ("dispatched", "town", "环卫所")


def test_a_small_thing_is_closed_on_the_spot_in_one_step(
    connection: sa.Connection, officer_in: Actor
) -> None:
    incident_id = report(connection)
    go(connection, incident_id, "close_on_spot", actor=officer_in)
    assert [step.to_state for step in steps(connection, incident_id)] == ["reported", "closed"]
    fire = report(connection, kind="fire")
    with pytest.raises(MoveRefusedError):
        go(connection, fire, "close_on_spot", actor=officer_in)


def test_a_duplicate_names_the_other_one(connection: sa.Connection) -> None:
    first, second = report(connection), report(connection)
    (likely,) = [
        one
        for one in find_duplicates(
            connection, DISPATCHER, "rubbish", *middle("g00"), besides=second
        )
        if one.incident.incident_id == first
    ]
    assert likely.distance_m == 0
    with pytest.raises(InputError):
        life_cycle.take_step(
            connection, DISPATCHER, second, StepRequest("close_as_duplicate", duplicate_of=second)
        )
    life_cycle.take_step(
        connection, DISPATCHER, second, StepRequest("close_as_duplicate", duplicate_of=first)
    )
    assert steps(connection, second)[-1].duplicate_of == first


def test_another_kind_another_place_another_time_is_no_duplicate(
    connection: sa.Connection, officer_in: Actor
) -> None:
    report(connection, "g22", kind="burst_pipe")
    here = middle("g22")
    far = (here[0] + 0.005, here[1])
    old = datetime.now(UTC) - timedelta(days=5)
    assert len(find_duplicates(connection, DISPATCHER, "burst_pipe", *here)) == 1
    assert find_duplicates(connection, DISPATCHER, "flood", *here) == []
    assert find_duplicates(connection, DISPATCHER, "burst_pipe", *far) == []
    assert find_duplicates(connection, DISPATCHER, "burst_pipe", *here, old) == []
    assert find_duplicates(connection, officer_in, "burst_pipe", *here) == []


# --- deadlines -----------------------------------------------------------------------------------


def due_ids(connection: sa.Connection, due: str, actor: Actor = DISPATCHER) -> list[int]:
    rows, total = list_incidents(connection, actor, IncidentFilter(due=due), limit=500)
    assert total == len(rows)
    return [one.incident_id for one in rows]


def test_overdue_and_soon_follow_the_day(connection: sa.Connection) -> None:
    monday = report(connection, reported_at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    tuesday = report(connection, reported_at=datetime(2026, 3, 3, 1, tzinfo=UTC))
    handled = report(connection, reported_at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    go(connection, handled, "accept", "dispatch", "handle")
    seen = []
    for day in (3, 4, 5, 6, 9):
        replay(connection, date(2026, 3, day))
        mine = {monday: "monday", tuesday: "tuesday", handled: "handled"}
        seen.append([[mine[i] for i in due_ids(connection, d) if i in mine]
                     for d in ("overdue", "soon")])  # fmt: skip
    assert seen == [
        [[], []],
        [[], ["monday"]],
        [[], ["monday", "tuesday"]],
        [["monday"], ["tuesday"]],
        [["monday", "tuesday"], []],
    ]


def test_an_edit_of_the_calendar_moves_every_deadline_at_once(connection: sa.Connection) -> None:
    incident_id = report(connection, reported_at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    replay(connection, date(2026, 3, 6))
    assert incident_id in due_ids(connection, "overdue")
    working_days.set_day(connection, SYSTEM, date(2026, 3, 4), is_working=False, reason="停电")
    assert incident_id not in due_ids(connection, "overdue")
    assert incident_id in due_ids(connection, "soon")
    working_days.clear_day(connection, SYSTEM, date(2026, 3, 4))
    assert incident_id in due_ids(connection, "overdue")


def test_a_deadline_in_a_year_to_come_is_provisional(connection: sa.Connection) -> None:
    """Asked of the clock itself, since nothing is reported in a year to come."""
    since = datetime(2026, 12, 30, 2, tzinfo=UTC)
    book = rule_book()
    calendar = working_days.read_calendar(connection)
    assert clock_of(book, calendar, "rubbish", "village", since).due.provisional
    working_days.set_year(connection, SYSTEM, 2027, complete=True)
    calendar = working_days.read_calendar(connection)
    assert not clock_of(book, calendar, "rubbish", "village", since).due.provisional


def test_what_nobody_sends_out_should_go_upward_in_a_day(connection: sa.Connection) -> None:
    incident_id = report(connection, reported_at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    replay(connection, date(2026, 3, 4))
    assert incident_id in due_ids(connection, "pass_up")
    go(connection, incident_id, "accept", "dispatch")
    assert incident_id not in due_ids(connection, "pass_up")


def test_only_the_county_office_edits_the_calendar(connection: sa.Connection) -> None:
    day = date(2026, 3, 4)
    with pytest.raises(NotAllowedError):
        working_days.set_day(connection, DISPATCHER, day, is_working=False, reason="")
    with pytest.raises(NotFoundError):
        working_days.clear_day(connection, SYSTEM, day)
    with pytest.raises(InputError):
        working_days.set_year(connection, SYSTEM, 9999, complete=True)
    with pytest.raises(InputError):
        working_days.list_days(connection, day, date(2028, 1, 1))
    (listed,) = working_days.list_days(connection, day, day)
    assert (listed.is_working, listed.source) == (True, "published")


def test_more_than_three_returns_are_flagged(connection: sa.Connection) -> None:
    incident_id = report(connection)
    go(connection, incident_id, "accept")
    flags = []
    for _ in range(4):
        go(connection, incident_id, "return", "accept")
        flags.append(find_incident(connection, DISPATCHER, incident_id).flagged)
    assert flags == [False, False, False, True]
    rows, _ = list_incidents(connection, DISPATCHER, IncidentFilter(flagged=True), limit=10)
    assert [one.incident_id for one in rows] == [incident_id]


# --- nobody rewrites -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        sa.update(t.incident_step).values(note="x"),
        sa.delete(t.incident_step),
        sa.text("TRUNCATE incident_step"),
        sa.delete(t.incident_photo),
    ],
)
def test_a_step_is_never_rewritten(
    owner_engine: sa.Engine, store: Store, grid_ids: dict[str, int], change: Any
) -> None:
    with store.transaction(DISPATCHER) as connection:
        incident_id = report(connection)
        connection.execute(
            sa.insert(t.incident_photo).values(
                incident_id=incident_id, sha256="0" * 64, width=1, height=1, bytes=1, actor_id=1
            )
        )
    for engine in (owner_engine, store.engine):  # not even by who owns the table
        with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError):
            connection.execute(change)


def test_whoever_writes_a_row_writes_a_step(connection: sa.Connection) -> None:
    """Imports and hands in the database included."""
    incident_id = connection.scalar(
        sa.insert(t.incident)
        .values(
            key="from-elsewhere",
            kind="noise",
            status="dispatched",
            reported_at=sa.func.now(),
            point=f"SRID=4490;POINT({WEST} {SOUTH})",
        )
        .returning(t.incident.c.incident_id)
    )
    assert incident_id is not None
    mine = t.incident.c.incident_id == incident_id
    connection.execute(sa.update(t.incident).where(mine).values(text="x"))
    connection.execute(sa.update(t.incident).where(mine).values(status="returned"))
    told = [
        (one.seq, one.move, one.from_state, one.to_state) for one in steps(connection, incident_id)
    ]
    assert told == [(1, "import", None, "dispatched"), (2, "import", "dispatched", "returned")]
    assert row(connection, incident_id).version == 2
    go(connection, incident_id, "handle")
    assert steps(connection, incident_id)[-1].seq == 3


def outcome(
    connection: sa.Connection, actor: Actor, incident_id: int, wish: StepRequest
) -> str | set[str]:
    """What became of a wish: done, something lacking, or what is allowed instead."""
    try:
        life_cycle.take_step(connection, actor, incident_id, wish)
    except MoveRefusedError as refused:
        return set(refused.allowed)
    except InputError:
        return "lacking"
    return "done"


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    kind=st.sampled_from(["rubbish", "fire"]),
    walk=st.lists(st.tuples(st.sampled_from(MOVES), st.booleans(), st.booleans()), max_size=12),
)
def test_a_walk_never_loses_a_step_and_ends_in_the_state_of_the_last(
    connection: sa.Connection,
    officer_in: Actor,
    kind: str,
    walk: list[tuple[str, bool, bool]],
) -> None:
    book = rule_book()
    incident_id = report(connection, kind=kind)
    before = steps(connection, incident_id)
    for name, by_officer, says in walk:
        actor = officer_in if by_officer else DISPATCHER
        now = row(connection, incident_id)
        may = {one.move for one in book.allowed(now.status, now.tier, actor.role, kind)}
        wish = StepRequest(name, **(EVERYTHING if says else {}))
        assert outcome(connection, actor, incident_id, wish) in (
            ("done", "lacking") if name in may else (may,)
        )
        after = steps(connection, incident_id)
        assert after[: len(before)] == before
        assert len(after) - len(before) in (0, 1)
        assert [one.from_state for one in after[1:]] == [one.to_state for one in after[:-1]]
        assert [one.seq for one in after] == list(range(1, len(after) + 1))
        assert [one.at for one in after] == sorted(one.at for one in after)
        found = row(connection, incident_id)
        last = after[-1]
        assert (found.status, found.version, found.tier) == (last.to_state, last.seq, last.tier)
        assert found.returns == sum(one.move == "return" for one in after)
        assert (found.closed_at is not None) == (found.status == "closed")
        before = after


# --- two at once ---------------------------------------------------------------------------------


def test_of_two_clerks_at_once_the_second_is_told_the_new_state(
    store: Store, grid_ids: dict[str, int]
) -> None:
    with store.transaction(DISPATCHER) as connection:
        incident_id = report(connection)
    outcome: list[object] = []

    def second() -> None:
        try:
            with store.transaction(DISPATCHER) as connection:
                life_cycle.take_step(connection, DISPATCHER, incident_id, StepRequest("accept"))
            outcome.append("accepted twice")
        except MoveRefusedError as refused:
            outcome.append((refused.state, refused.version))

    thread = threading.Thread(target=second)
    with store.transaction(DISPATCHER) as connection:
        life_cycle.take_step(
            connection, DISPATCHER, incident_id, StepRequest("accept", expected_version=1)
        )
        thread.start()
        while not _waits(store):
            assert thread.is_alive()
    thread.join()
    assert outcome == [("accepted", 2)]
    with store.transaction(DISPATCHER) as connection:
        assert len(steps(connection, incident_id)) == 2


def _waits(store: Store) -> bool:
    """Whether somebody waits for a row."""
    with store.engine.connect() as connection:
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.scalar(waiting))


@pytest.mark.parametrize("seen", [{"expected_version": 1}, {"expected_state": "reported"}])
def test_who_saw_an_older_state_is_told(connection: sa.Connection, seen: dict[str, Any]) -> None:
    incident_id = report(connection)
    go(connection, incident_id, "accept")
    with pytest.raises(MoveRefusedError) as refused:
        life_cycle.take_step(connection, DISPATCHER, incident_id, StepRequest("dispatch", **seen))
    assert refused.value.key == "incidents.changed_meanwhile"
    assert (refused.value.state, refused.value.version) == ("accepted", 2)


# --- on the way in -------------------------------------------------------------------------------


def test_the_same_request_makes_one_incident(connection: sa.Connection) -> None:
    made: list[int] = []

    def make() -> int:
        made.append(report(connection))
        return made[-1]

    first = intake.make_once(connection, DISPATCHER, "k1", {"a": 1}, make)
    again = intake.make_once(connection, DISPATCHER, "k1", {"a": 1}, make)
    assert (first, again) == ((made[0], True), (made[0], False))
    assert len(made) == 1
    with pytest.raises(ConflictError):
        intake.make_once(connection, DISPATCHER, "k1", {"a": 2}, make)
    with pytest.raises(InputError):
        intake.make_once(connection, DISPATCHER, "", {}, make)
    assert intake.make_once(connection, DISPATCHER, None, {}, make)[1]


def test_a_report_that_waits_is_placed_by_a_person(
    connection: sa.Connection, officer_in: Actor
) -> None:
    token = intake.keep_waiting(
        connection, SYSTEM, draft(channel="open311", reporter_name="王小明")
    )
    (waits,) = intake.list_waiting(connection, DISPATCHER, 10)
    assert (waits.token, waits.reporter_name) == (token, "王**")
    assert intake.list_waiting(connection, officer_in, 10) == []
    with pytest.raises(NotAllowedError):
        intake.place_waiting(connection, officer_in, token, *middle("g00"))
    with pytest.raises(NotFoundError):
        intake.place_waiting(connection, DISPATCHER, "no such token", *middle("g00"))
    assert intake.find_incident_of_token(connection, token) is None
    incident_id = intake.place_waiting(connection, DISPATCHER, token, *middle("g11"))
    assert intake.place_waiting(connection, DISPATCHER, token, *middle("g00")) == incident_id
    assert intake.find_incident_of_token(connection, token) == incident_id
    assert intake.list_waiting(connection, DISPATCHER, 10) == []


@pytest.mark.parametrize("number", [3, 30])
def test_a_list_goes_in_but_for_what_is_wrong_with_it(
    connection: sa.Connection, grid_ids: dict[str, int], officer_in: Actor, number: int
) -> None:
    """A few are placed one by one, many by an index of the whole county: the same comes out."""
    drafts = [draft("g11", key=f"w{n}", channel="import") for n in range(number)]
    drafts.insert(1, draft(kind="ufo"))
    done = reporting.report_many(connection, DISPATCHER, drafts)
    assert len(done.incident_ids) == number
    assert [(one.row, one.error.key) for one in done.refused] == [(2, "incidents.no_kind")]
    rows = [row(connection, one) for one in done.incident_ids]
    assert {one.base_grid_id for one in rows} == {grid_ids["g11"]}
    assert {one.officer_post for one in rows} == {"A"}
    assert all(len(steps(connection, one)) == 1 for one in done.incident_ids)
    again = reporting.report_many(connection, DISPATCHER, [*drafts, draft("g22", key="new")])
    assert (again.known, len(again.incident_ids), len(again.refused)) == (number, 1, 1)
    with pytest.raises(NotAllowedError):
        reporting.report_many(connection, officer_in, drafts)


def test_a_number_is_given_once(connection: sa.Connection) -> None:
    report(connection, key="2026-001")
    with pytest.raises(ConflictError):
        report(connection, key="2026-001")
    done = reporting.report_many(connection, DISPATCHER, [draft(key="twice"), draft(key="twice")])
    assert (len(done.incident_ids), len(done.refused)) == (1, 1)


# --- lists and persons ---------------------------------------------------------------------------


def test_a_list_is_narrowed_by_what_one_looks_for(
    connection: sa.Connection, grid_ids: dict[str, int], officer_in: Actor
) -> None:
    one = report(connection, "g01", text="路灯 100% 不亮", kind="road_damage")
    two = report(connection, "g21", address="东街12号", kind="flood")
    go(connection, two, "accept")

    def found(actor: Actor = DISPATCHER, **wanted: Any) -> set[int]:
        rows, _ = list_incidents(connection, actor, IncidentFilter(**wanted), limit=500)
        return {one, two} & {listed.incident_id for listed in rows}

    assert found() == {one, two}
    assert found(kind="flood") == {two}
    assert found(status="reported") == {one}
    assert found(grid_id=grid_ids["town"]) == {one, two}
    assert found(grid_id=grid_ids["g01"]) == {one}
    assert found(q="100%") == {one}
    assert found(q="东街12") == {two}
    assert found(q="%") == {one}
    assert found(tier="county") == set()
    assert found(actor=officer_in) == set()
    assert found(mine=True) == {one, two}
    assert found(actor=Actor(77, "", "", "dispatcher"), mine=True) == set()
    with pytest.raises(InputError):
        found(status="lost")


def test_who_reported_is_told_with_a_reason_that_is_written_down(
    connection: sa.Connection, officer_in: Actor
) -> None:
    incident_id = report(connection, reporter_name="王小明", reporter_phone="13812345678")
    told = reveal_reporter(connection, officer_in, incident_id, "call_back")
    assert (told.name, told.phone) == ("王小明", "13812345678")
    event = connection.execute(
        sa.select(t.event).order_by(t.event.c.event_id.desc()).limit(1)
    ).one()
    assert (event.action, event.after) == ("reveal", {"reason": "call_back"})
    with pytest.raises(NotAllowedError):
        reveal_reporter(connection, ANALYST, incident_id, "call_back")
    with pytest.raises(InputError):
        reveal_reporter(connection, DISPATCHER, incident_id, "nosy")
    with pytest.raises(NotFoundError):
        reveal_reporter(connection, officer_in, report(connection, "g11"), "visit")
