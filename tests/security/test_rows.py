"""The rules by rows: the same asked of ``visible`` and of PostgreSQL, as the service's role."""

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor, visible
from gis_service.access.permissions import SEE, STAFF
from gis_service.coverage.county.parts import get_county
from gis_service.grids.answers.tallies import count_county
from gis_service.grids.assignment import assign_new
from gis_service.grids.reading import find_scheme
from gis_service.maps.page.answer_cache import AnswerCache, find_answer, question_of
from gis_service.roles import LOCAL_ROLES, ROLES
from gis_service.search.entries import refresh
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers, copy_rows
from gis_service.store.engine import whole_county
from tests.support import SIDE, SOUTH, WEST, publish_nine

TABLES = sorted(t.WITH_ROW_RULES)
OWN, OTHER = "m0", "m2"
AREAS = ("own", "other", "none", "county")
BY_AREA = sorted(
    {
        "cohort_grid", "coverage_household", "grid_duty", "hazard", "household", "incident",
        "incident_photo", "incident_step", "leave", "membership", "officer", "premises",
        "search_house", "search_person",
    }
)  # fmt: skip
PLACES = [(column, row) for row in (0, 1, 2) for column in (0, 1, 2)]
SHA256 = "0" * 63


def _points() -> np.ndarray[Any, Any]:
    return np.array(
        [
            shapely.Point(WEST + (column + 0.4) * SIDE, SOUTH + (row + 0.4) * SIDE)
            for column, row in PLACES
        ],
        dtype=object,
    )


def _write_people_and_trouble(connection: sa.Connection) -> None:
    n = len(PLACES)
    keys = [f"g{column}{row}" for column, row in PLACES]
    day = date(2025, 3, 1)
    shared: dict[str, Any] = {"key": keys, "point": _points()}
    copy_rows(
        connection,
        t.household,
        {
            **shared,
            "people": [2] * n,
            "street": [f"东镇河口村{row}组" for _, row in PLACES],
            "house_number": [f"{i + 1}号" for i in range(n)],
            "head_name": ["王小明"] * n,
        },
    )
    copy_rows(
        connection,
        t.premises,
        {**shared, "name": ["五金店"] * n, "kind": ["shop"] * n, "grade": ["C"] * n},
    )
    copy_rows(
        connection,
        t.hazard,
        {
            **shared, "kind": ["fire_exit_blocked"] * n, "grade": ["major"] * n,
            "status": ["found"] * n, "found_on": [day] * n, "due_on": [day] * n,
        },
    )  # fmt: skip
    copy_rows(
        connection,
        t.incident,
        {**shared, "kind": ["dispute"] * n, "reported_at": [datetime(2025, 3, 1, tzinfo=UTC)] * n},
    )
    assign_new(connection)


def _write_officers(connection: sa.Connection, grid_ids: dict[str, int]) -> None:
    n = len(PLACES)
    valid = [(date(2024, 7, 1), None)] * n
    copy_rows(
        connection,
        t.officer,
        {
            "key": [f"o{i}" for i in range(n)], "name": ["赵一"] * n, "phone": ["1"] * n,
            "valid": valid,
        },
    )  # fmt: skip
    ids = connection.scalars(sa.select(t.officer.c.officer_id)).all()
    copy_rows(
        connection,
        t.grid_duty,
        {
            "officer_id": ids,
            "grid_id": [grid_ids[f"g{column}{row}"] for column, row in PLACES],
            "role": ["officer"] * n,
            "post": ["A"] * n,
            "valid": valid,
        },
    )
    copy_rows(connection, t.leave, {"officer_id": ids, "valid": valid})


def _write_work(connection: sa.Connection, actor_ids: list[int]) -> None:
    for incident_id in connection.scalars(sa.select(t.incident.c.incident_id)).all():
        connection.execute(
            sa.insert(t.incident_photo).values(
                incident_id=incident_id, sha256=f"{SHA256}1", width=1, height=1, bytes=1, actor_id=1
            )
        )
    version = connection.scalar(sa.select(t.grid_version.c.version_id))
    run_id = connection.scalar(
        sa.insert(t.coverage_run)
        .values(
            standard="fire-20", version_id=version, actor_id=1, kinds=["fire_station"],
            parameters={}, fingerprint="", software_version="",
        )
        .returning(t.coverage_run.c.run_id)
    )  # fmt: skip
    households = np.array(connection.scalars(sa.select(t.household.c.household_id)).all())
    n = len(households)
    copy_numbers(
        connection,
        t.coverage_household,
        {
            "run_id": np.full(n, run_id), "household_id": households, "status": np.zeros(n),
            "minutes": np.ones(n), "kind_status": np.zeros((n, 1)),
            "kind_minutes": np.ones((n, 1)), "kind_facility": np.ones((n, 1)),
        },
    )  # fmt: skip
    connection.execute(
        sa.insert(t.incident_intake), [{"token": "a", "actor_id": actor_ids[0], "draft": {}}]
    )
    connection.execute(
        sa.insert(t.import_record).values(
            kind="household", source_name="", sha256="", crs="", actor_id=1, taken={}, refused=0,
            refusals=[],
        )
    )  # fmt: skip
    connection.execute(sa.insert(t.answer).values(question="q", content="c", body=b""))
    for actor_id in actor_ids:
        connection.execute(sa.insert(t.job).values(kind="k", actor_id=actor_id, arguments={}))
        connection.execute(
            sa.insert(t.entry_change).values(
                actor_id=actor_id, request_key="r", action="add", object_kind="household",
                object_id=1,
            )
        )  # fmt: skip


def _make_actors(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> dict[tuple[str, str], Actor]:
    areas = {
        "own": (grid_ids[OWN],), "other": (grid_ids[OTHER],), "none": (), "county": None,
    }  # fmt: skip
    actors: dict[tuple[str, str], Actor] = {}
    for role, name in product(ROLES, AREAS):
        actor_id = connection.scalar(
            sa.insert(t.actor)
            .values(name=role, name_en=role, role=role, areas=areas[name])
            .returning(t.actor.c.actor_id)
        )
        actors[role, name] = Actor(actor_id or 0, role, role, role, areas[name])
    return actors


@pytest.fixture(scope="module")
def actors(store: Store) -> dict[tuple[str, str], Actor]:
    """Something of everything in each of nine grids; an actor of each role and area."""
    with store.transaction(SYSTEM) as connection:
        grid_ids = publish_nine(connection).grid_ids
        actors = _make_actors(connection, grid_ids)
        _write_people_and_trouble(connection)
        _write_officers(connection, grid_ids)
        with whole_county(connection):
            _write_work(connection, [actor.actor_id for actor in actors.values()])
    refresh(store)
    return actors


def _rows(connection: sa.Connection, table: sa.Table, *conditions: Any) -> set[tuple[Any, ...]]:
    return {
        tuple(str(value) for value in row)
        for row in connection.execute(sa.select(*table.primary_key).where(*conditions))
    }


def _all_rows(store: Store, table: sa.Table, *conditions: Any) -> set[tuple[Any, ...]]:
    with store.transaction(SYSTEM) as connection, whole_county(connection):
        return _rows(connection, table, *conditions)


@pytest.fixture
def nameless(store: Store) -> Iterator[sa.Connection]:
    """The service's role, in nobody's name."""
    with store.engine.connect() as connection:
        yield connection


# --- the same rule twice -------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("role", ROLES)
def test_the_database_and_visible_show_the_same_rows(
    store: Store, actors: dict[tuple[str, str], Actor], role: str, name: str
) -> None:
    table = t.metadata.tables[name]
    for area in AREAS:
        actor = actors[role, area]
        with store.transaction(actor) as connection:
            shown = _rows(connection, table)
        assert shown == _all_rows(store, table, visible(actor, table)), area


@pytest.mark.parametrize("name", BY_AREA)
def test_whoever_has_areas_sees_these_alone(
    store: Store, actors: dict[tuple[str, str], Actor], name: str
) -> None:
    table = t.metadata.tables[name]
    everything = _all_rows(store, table)
    for role in LOCAL_ROLES:
        shown = {}
        for area in AREAS:
            with store.transaction(actors[role, area]) as connection:
                shown[area] = _rows(connection, table)
        assert shown["own"]
        assert shown["other"]
        assert not shown["own"] & shown["other"]
        assert not shown["none"]
        assert shown["county"] == everything
        assert len(everything) == 3 * len(shown["own"])  # a third of the county each


@pytest.mark.parametrize("name", TABLES)
def test_whoever_works_with_no_people_sees_none(
    store: Store, actors: dict[tuple[str, str], Actor], name: str
) -> None:
    table = t.metadata.tables[name]
    assert _all_rows(store, table)
    for role, area in product(sorted(set(ROLES) - STAFF), AREAS):
        with store.transaction(actors[role, area]) as connection:
            shown = _rows(connection, table)
        own = 1 if name in ("entry_change", "job") else 0
        assert len(shown) == own, (role, area)


def test_every_table_with_rules_has_a_permission_and_the_other_way_round() -> None:
    assert set(SEE) == t.WITH_ROW_RULES


@pytest.mark.parametrize("area", AREAS)
def test_the_view_of_assignments_shows_what_its_table_shows(
    store: Store, actors: dict[tuple[str, str], Actor], area: str
) -> None:
    for role in ROLES:
        with store.transaction(actors[role, area]) as connection:
            counts = [
                connection.scalar(sa.select(sa.func.count()).select_from(source))
                for source in (t.membership, t.assignment)
            ]
        assert counts[0] == counts[1], role


# --- in nobody's name ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_without_an_actor_nothing_is_seen(
    nameless: sa.Connection, actors: dict[tuple[str, str], Actor], name: str
) -> None:
    del actors
    table = t.metadata.tables[name]
    assert _rows(nameless, table) == set()
    # the scope without a name is none either
    nameless.execute(sa.select(sa.func.set_config("gis.scope", "county", True)))
    assert _rows(nameless, table) == set()
    nameless.execute(sa.select(sa.func.set_config("gis.actor_areas", "county", True)))
    nameless.execute(sa.select(sa.func.set_config("gis.actor_role", "planner", True)))
    assert _rows(nameless, table) == set()


def test_without_an_actor_the_view_is_empty(
    nameless: sa.Connection, actors: dict[tuple[str, str], Actor]
) -> None:
    del actors
    assert nameless.scalar(sa.select(sa.func.count()).select_from(t.assignment)) == 0


def _insert_of(table: sa.Table, row: dict[str, Any]) -> sa.TextClause:
    names = ", ".join(column.name for column in table.c if column.computed is None)
    return sa.text(
        f"INSERT INTO {table.name} ({names})"
        f" SELECT {names} FROM jsonb_populate_record(NULL::{table.name}, :row)"
    ).bindparams(sa.bindparam("row", row, type_=sa.dialects.postgresql.JSONB))


@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_may_not_be_seen_is_not_written(
    store: Store, nameless: sa.Connection, actors: dict[tuple[str, str], Actor], name: str
) -> None:
    table = t.metadata.tables[name]
    row: dict[str, Any] = {}
    foreign = ~visible(actors["grid_officer", "own"], table)
    with store.transaction(SYSTEM) as connection, whole_county(connection):
        record = sa.func.to_jsonb(sa.literal_column(f"{table.name}.*"))
        query = sa.select(record).select_from(table).where(foreign).limit(1)
        row = connection.scalar(query) or {}
    assert row
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        nameless.execute(_insert_of(table, row))
    for one in (actors["visitor", "county"], actors["grid_officer", "own"]):
        with (
            pytest.raises(sa.exc.ProgrammingError, match="row-level security"),
            store.transaction(one) as connection,
        ):
            connection.execute(_insert_of(table, row))


def test_rows_of_others_are_neither_changed_nor_removed(
    store: Store, actors: dict[tuple[str, str], Actor]
) -> None:
    everybody = len(_all_rows(store, t.household))
    with store.transaction(actors["grid_officer", "own"]) as connection:
        changed = connection.execute(sa.update(t.household).values(head_name="")).rowcount
        removed = connection.execute(sa.delete(t.hazard)).rowcount
        connection.rollback()
    assert everybody == 9
    assert (changed, removed) == (3, 3)
    with store.transaction(actors["visitor", "county"]) as connection:
        assert connection.execute(sa.update(t.household).values(head_name="")).rowcount == 0
        connection.rollback()


# --- the whole county, and back ------------------------------------------------------------------


def test_the_whole_county_ends_with_its_block_also_after_an_error(
    store: Store, actors: dict[tuple[str, str], Actor]
) -> None:
    def count(connection: sa.Connection) -> int:
        return len(_rows(connection, t.household))

    with store.transaction(actors["visitor", "county"]) as connection:
        assert count(connection) == 0
        with whole_county(connection):
            with whole_county(connection):
                assert count(connection) == 9
            assert count(connection) == 9
        assert count(connection) == 0
        with pytest.raises(RuntimeError), whole_county(connection):
            raise RuntimeError
        assert count(connection) == 0
        with pytest.raises(sa.exc.DataError), connection.begin_nested(), whole_county(connection):
            connection.execute(sa.text("SELECT 1 / 0"))
        assert count(connection) == 0


def test_a_box_gives_numbers_and_rows_go_by_the_rules(
    store: Store, actors: dict[tuple[str, str], Actor]
) -> None:
    box = (WEST, SOUTH, WEST + 3 * SIDE, SOUTH + 3 * SIDE)
    for name in ("hazard", "household", "incident", "premises"):
        table = t.metadata.tables[name]
        ids = sa.select(sa.func.gis_ids_in_box(name, *box)).scalar_subquery()
        inside = table.c[f"{name}_id"] == sa.any_(sa.cast(ids, sa.ARRAY(sa.BigInteger)))
        for actor, seen in ((SYSTEM, 9), (actors["grid_officer", "own"], 3)):
            with store.transaction(actor) as connection:
                assert len(_rows(connection, table, inside)) == seen


# --- what all share ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["grid_officer", "visitor", "display", "auditor"])
def test_what_all_share_is_whole_whoever_asks_first(
    store: Store, actors: dict[tuple[str, str], Actor], role: str
) -> None:
    area = "own" if role in LOCAL_ROLES else "county"
    snapshot, cache = Snapshot(), AnswerCache()
    with store.transaction(actors[role, area]) as connection:
        county = get_county(snapshot, connection)
        counts = count_county(connection, actors[role, area], find_scheme(connection, "base"))
        question = question_of("test", actors[role, area])
        counted = sa.select(sa.func.count()).select_from(t.premises)
        answer = find_answer(
            connection,
            cache,
            question,
            lambda: str(connection.scalar(counted)).encode(),
            in_store=False,
        )
        assert len(_rows(connection, t.household)) == (3 if area == "own" else 0)
    assert len(county.household_id) == 9
    assert counts.premises == (3 if area == "own" else 9)
    assert gzip.decompress(answer.packed) == b"9"
