"""A redraw published and taken back: land, codes, homes and officers as they were before."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from gis_service.access import SYSTEM
from gis_service.boundaries.history import changes as history
from gis_service.boundaries.linework.tessellation import from_polygons
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans import queries as plan_queries
from gis_service.boundaries.plans.completing import complete_edit
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.boundaries.plans.publication import (
    check_draft,
    compare_draft,
    count_moved,
    measure_impact,
)
from gis_service.boundaries.plans.queries import StoredEdit
from gis_service.boundaries.publication.grid_table import publish_table
from gis_service.boundaries.publication.publishing import Published
from gis_service.boundaries.publication.publishing import publish as publish_redraw
from gis_service.boundaries.publication.queries import find_newest_version, lock_scheme
from gis_service.errors import ConflictError, InputError
from gis_service.grids.assignment import assign_new
from gis_service.grids.versions import today
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import (
    SIDE,
    SOUTH,
    WEST,
    add_buildings,
    add_households,
    cell,
    nine,
    publish_nine,
    thrown_away,
)

OFFICERS = ("A", "B")


@pytest.fixture(scope="module")
def grid_ids(store: Store) -> dict[str, int]:
    """Nine grids with a building in each, two officers for each, and one home beyond the county."""
    middle = [(WEST + (i % 3 + 0.5) * SIDE, SOUTH + (i // 3 + 0.5) * SIDE) for i in range(9)]
    with store.transaction(SYSTEM) as connection:
        ids = publish_nine(connection).grid_ids
        add_buildings(connection, middle)
        keys: list[str | None] = [f"b{i % 9}" for i in range(90)]
        places = [middle[i % 9] for i in range(90)]
        add_households(connection, [*places, (WEST - SIDE, SOUTH)], [*keys, None])
        assign_new(connection)
        known = Range(date(2024, 7, 1), None)
        for post in OFFICERS:
            connection.execute(
                sa.insert(t.officer).values(
                    key=f"o{post}", name=f"员{post}", phone="13800000000", valid=known
                )
            )
        officers = list(connection.execute(sa.select(t.officer.c.officer_id)).scalars())
        connection.execute(
            sa.insert(t.grid_duty),
            [
                {"officer_id": officer, "grid_id": ids[f"g{column}{row}"], "role": "officer",
                 "post": post, "valid": known}
                for column in range(3) for row in range(3)
                for officer, post in zip(officers, OFFICERS, strict=True)
            ],
        )  # fmt: skip
    return ids


@pytest.fixture
def connection(store: Store, grid_ids: dict[str, int]) -> Iterator[sa.Connection]:
    """A transaction that is thrown away."""
    del grid_ids
    with thrown_away(store) as connection:
        yield connection


@pytest.fixture
def day(connection: sa.Connection) -> date:
    return today(connection)


def publish(connection: sa.Connection, edits: list[dict[str, Any]], day: date) -> Published:
    """Publish edits on the newest version."""
    stored = [StoredEdit(number, edit) for number, edit in enumerate(edits, 1)]
    version = find_newest_version(connection, "base")
    with DraftCache().open(connection, 1, version, stored) as state:
        return publish_redraw(connection, SYSTEM, compare_draft(state), day, "改", "因为")


def merge(ids: dict[str, int], gone: str, into: str) -> dict[str, Any]:
    keys = [str(ids[gone]), str(ids[into])]
    return {"kind": "merge", "grids": keys, "into": keys[1]}


def split(ids: dict[str, int], key: str) -> dict[str, Any]:
    x = WEST + (int(key[1]) + 0.4) * SIDE
    y = SOUTH + int(key[2]) * SIDE
    line = [[x, y - SIDE / 10], [x, y + SIDE * 1.1]]
    return {
        "kind": "split", "grid": str(ids[key]), "keeps": "larger", "key": "new-1", "name": "新格",
        "line": {"type": "LineString", "coordinates": line},
    }  # fmt: skip


def in_force(connection: sa.Connection, day: date) -> dict[str, list[Any]]:
    """All that holds on a day, without the keys of the rows."""
    found: dict[str, list[Any]] = {}
    s, a, d, arc = t.grid_state.c, t.assignment.c, t.grid_duty.c, t.linework_arc.c
    for name, columns, valid in (
        ("states", (s.grid_id, s.code, s.name, s.parent_grid_id, s.geom), s.valid),
        ("arcs", (arc.kind, arc.left_grid_id, arc.right_grid_id, arc.geom), arc.valid),
        ("homes", (a.object_kind, a.object_id, a.grid_id, a.method), a.valid),
        ("duties", (d.grid_id, d.role, d.post, d.officer_id), d.valid),
    ):
        there = valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date))
        rows = connection.execute(sa.select(*columns).where(there))
        found[name] = sorted([str(value) for value in row] for row in rows)
    return found


def test_a_version_taken_back_leaves_everything_as_before_officers_too(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    before = in_force(connection, day)
    published = publish(
        connection, [merge(grid_ids, "g11", "g12"), split(grid_ids, "g20")], day
    )  # fmt: skip
    made = published.grid_ids["new-1"]
    changed = in_force(connection, day)
    assert [row[0] for row in changed["duties"]].count(str(grid_ids["g11"])) == 0
    assert changed["homes"] != before["homes"]
    later = day + timedelta(days=1)
    back = history.withdraw_version(connection, SYSTEM, published.version.version_id, later, "弄错")
    assert (back.changed, back.retired, back.reopened_duties) == (3, 1, 2)
    assert back.moved["household"] == published.moved["household"]
    assert in_force(connection, later) == before
    assert in_force(connection, day) == changed
    codes = sa.select(t.grid_code.c.code).where(t.grid_code.c.grid_id == made)
    assert connection.scalar(codes) is not None


def test_taking_back_stores_what_a_table_of_all_grids_as_they_were_stores(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    published = publish(
        connection, [merge(grid_ids, "g11", "g12"), split(grid_ids, "g20")], day
    )  # fmt: skip
    version_id, later = published.version.version_id, day + timedelta(days=1)
    found = []
    for by_table in (False, True):
        point = connection.begin_nested()
        if by_table:
            tessellation, drafts = nine()
            publish_table(
                connection, SYSTEM, "base", tessellation, drafts, later, "撤回", known=grid_ids
            )
        else:
            history.withdraw_version(connection, SYSTEM, version_id, later, "弄错")
        found.append(in_force(connection, later))
        point.rollback()
    for what in ("states", "arcs", "homes"):
        assert found[0][what] == found[1][what]


def test_a_table_that_ends_a_grid_closes_its_posts_until_it_is_taken_back(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    before = in_force(connection, day)
    _, drafts = nine()
    land = {f"g{column}{row}": cell(column, row) for column in range(3) for row in range(3)}
    land["g21"] = shapely.box(WEST + 2 * SIDE, SOUTH + SIDE, WEST + 3 * SIDE, SOUTH + 3 * SIDE)
    del land["g22"]
    tessellation, _ = from_polygons(list(land), list(land.values()))
    published = publish_table(
        connection, SYSTEM, "base", tessellation, drafts[drafts["key"] != "g22"], day, "表",
        known=grid_ids,
    )  # fmt: skip
    assert published.retired == 1
    assert published.moved["household"] == 10
    ended = str(grid_ids["g22"])
    assert ended not in [row[0] for row in in_force(connection, day)["duties"]]
    later = day + timedelta(days=1)
    back = history.withdraw_version(connection, SYSTEM, published.version.version_id, later, "弄错")
    assert back.reopened_duties == 2
    assert in_force(connection, later) == before


def test_a_code_stands_for_one_grid_for_ever(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    code = t.grid_code.c
    merged = connection.scalar(sa.select(code.code).where(code.grid_id == grid_ids["g12"]))
    publish(connection, [merge(grid_ids, "g11", "g12")], day)
    tessellation, drafts = nine()
    for taken in (
        merged,
        connection.scalar(sa.select(code.code).where(code.grid_id == grid_ids["g20"])),
    ):
        drafts.loc[drafts["key"] == "g00", "code"] = taken
        with pytest.raises(InputError) as error:
            publish_table(
                connection, SYSTEM, "base", tessellation, drafts, day + timedelta(days=1), "表",
                known=grid_ids,
            )  # fmt: skip
        assert error.value.key == "boundaries.code_taken"


def test_posts_go_back_to_who_is_still_there_and_for_as_long_as_was_meant(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    duty, grid_id = t.grid_duty, grid_ids["g11"]
    until = day + timedelta(days=30)
    first, second = (
        connection.execute(sa.select(t.officer.c.officer_id).order_by(t.officer.c.key))
        .scalars()
        .all()
    )
    connection.execute(
        sa.update(duty)
        .where(duty.c.grid_id == grid_id, duty.c.officer_id == first)
        .values(valid=Range(date(2024, 7, 1), until))
    )
    published = publish(connection, [merge(grid_ids, "g11", "g12")], day)
    connection.execute(
        sa.update(t.officer)
        .where(t.officer.c.officer_id == second)
        .values(valid=Range(date(2024, 7, 1), day))
    )
    later = day + timedelta(days=2)
    back = history.withdraw_version(connection, SYSTEM, published.version.version_id, later, "弄错")
    assert back.reopened_duties == 1
    rows = connection.execute(
        sa.select(duty.c.officer_id, duty.c.valid).where(
            duty.c.grid_id == grid_id, sa.func.lower(duty.c.valid) >= day
        )
    ).all()
    assert [(row.officer_id, row.valid.lower, row.valid.upper) for row in rows] == [
        (first, later, until)
    ]


def test_a_version_is_not_taken_back_over_later_ones_on_its_grids(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    days = [day + timedelta(days=n) for n in range(4)]
    first = publish(connection, [merge(grid_ids, "g11", "g12")], days[0]).version.version_id
    cut = split(grid_ids, "g12")
    cut["line"]["coordinates"][0][1] -= SIDE
    second = publish(connection, [cut], days[1]).version.version_id
    with pytest.raises(ConflictError) as caught:
        history.withdraw_version(connection, SYSTEM, first, days[2], "弄错")
    assert caught.value.key == "boundaries.touched_later"
    history.withdraw_version(connection, SYSTEM, second, days[2], "先撤后一个")
    history.withdraw_version(connection, SYSTEM, first, days[3], "再撤前一个")
    assert in_force(connection, days[3])["homes"] == in_force(connection, date(2025, 1, 1))["homes"]


def test_a_later_version_elsewhere_does_not_stand_in_the_way(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    days = [day + timedelta(days=n) for n in range(3)]
    first = publish(connection, [merge(grid_ids, "g00", "g01")], days[0]).version.version_id
    publish(connection, [split(grid_ids, "g22")], days[1])
    before = in_force(connection, days[0] - timedelta(days=1))["states"]
    history.withdraw_version(connection, SYSTEM, first, days[2], "弄错")
    now = {row[0]: row for row in in_force(connection, days[2])["states"]}
    mine = {str(grid_ids[key]) for key in ("g00", "g01", "m0")}
    assert [now[row[0]] for row in before if row[0] in mine] == [
        row for row in before if row[0] in mine
    ]
    assert len(now) == len(before) + 1


def test_a_day_that_is_past_is_refused(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    with pytest.raises(ConflictError) as caught:
        publish(connection, [merge(grid_ids, "g11", "g12")], day - timedelta(days=1))
    assert caught.value.key == "boundaries.back_dated"


def test_publishing_on_a_version_that_is_no_longer_the_newest_is_refused(
    connection: sa.Connection, grid_ids: dict[str, int], day: date
) -> None:
    version = find_newest_version(connection, "base")
    with DraftCache().open(
        connection, 1, version, [StoredEdit(1, split(grid_ids, "g20"))]
    ) as state:
        redraw = compare_draft(state)
    publish(connection, [merge(grid_ids, "g11", "g12")], day)
    lock_scheme(connection, "base")
    with pytest.raises(ConflictError) as caught:
        publish_redraw(connection, SYSTEM, redraw, day + timedelta(days=1), "晚", "")
    assert caught.value.key == "boundaries.base_is_old"


def test_a_home_that_lay_outside_before_is_told_and_is_no_fault_of_the_plan(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> None:
    edits = [StoredEdit(1, split(grid_ids, "g20"))]
    with DraftCache().open(connection, 1, find_newest_version(connection, "base"), edits) as state:
        answer = check_draft(state, "en")
    assert answer["errors"] == 0
    assert [(one["rule"], one["n"]) for one in answer["information"]] == [("household_out", 1)]
    assert answer["information"][0]["place"]["type"] == "MultiPoint"


# --- what is told before is what is done ---------------------------------------------------------


def square(column: float, row: float, size: float) -> dict[str, Any]:
    """A square given in steps of the drawn county."""
    corners = [(0, 0), (size, 0), (size, size), (0, size), (0, 0)]
    ring = [[WEST + (column + x) * SIDE, SOUTH + (row + y) * SIDE] for x, y in corners]
    return {"type": "Polygon", "coordinates": [ring]}


def bent_edge() -> dict[str, Any]:
    """The border between the middle and its eastern neighbour, led around the middle's houses."""
    places = [(2, 1), (1.3, 1.2), (1.3, 1.8), (2, 2)]
    line = [[WEST + x * SIDE, SOUTH + y * SIDE] for x, y in places]
    return {"type": "LineString", "coordinates": line}


def strip(west: float, east: float) -> dict[str, Any]:
    """Land of the middle row between two columns."""
    return shapely.geometry.mapping(
        shapely.box(WEST + west * SIDE, SOUTH + SIDE, WEST + east * SIDE, SOUTH + 2 * SIDE)
    )


REDRAWS = (
    "split", "merge", "move_edge", "give", "hand_over_buildings", "draw", "dissolve", "redraw",
)  # fmt: skip


def redraw(kind: str, ids: dict[str, int], house: int) -> dict[str, Any]:
    """One edit of each kind that moves what stands in the middle."""
    middle, east = str(ids["g11"]), str(ids["g21"])
    edits: dict[str, dict[str, Any]] = {
        "split": {**split(ids, "g11"), "keeps": "left"},
        "merge": merge(ids, "g11", "g21"),
        "move_edge": {"kind": "move_edge", "left": middle, "right": east, "line": bent_edge()},
        "give": {"kind": "give", "to": east, "region": square(1.3, 1.3, 0.7)},
        "hand_over_buildings": {"kind": kind, "buildings": [house], "to": east},
        "draw": {"kind": "draw", "key": "new-1", "name": "新", "region": square(1.3, 1.3, 0.4)},
        "dissolve": {"kind": "dissolve", "grid": middle},
        "redraw": {
            "kind": "redraw",
            "grids": [middle, east],
            "regions": {middle: strip(1, 1.3), "new-7": strip(1.3, 2.2), east: strip(2.2, 3)},
        },
    }
    return edits[kind]


def add_trouble(connection: sa.Connection) -> None:
    """In each grid: a shop, a hazard, an incident that is open and one that is closed."""
    for i in range(9):
        x, y = WEST + (i % 3 + 0.5) * SIDE, SOUTH + (i // 3 + 0.5) * SIDE
        point = f"SRID=4490;POINT({x} {y})"
        rows: list[tuple[sa.Table, dict[str, Any]]] = [
            (t.premises, {"key": f"p{i}", "name": "店", "kind": "shop", "grade": "A"}),
            (
                t.hazard,
                {"key": f"z{i}", "kind": "fire_exit_blocked", "grade": "major",
                 "status": "found", "found_on": date(2026, 1, 1), "due_on": date(2026, 2, 1)},
            ),
            *(
                (
                    t.incident,
                    {"key": f"i{i}{status}", "kind": "dispute", "status": status, "text": "楼道",
                     "reported_at": date(2026, 1, 1),
                     "closed_at": date(2026, 1, 2) if status == "closed" else None},
                )
                for status in ("dispatched", "closed")
            ),
        ]  # fmt: skip
        for table, values in rows:
            connection.execute(sa.insert(table).values(**values, point=point))
    # a second house in the middle's corner, so that handing over the first leaves one
    corner = f"SRID=4490;POINT({WEST + 1.05 * SIDE} {SOUTH + 1.05 * SIDE})"
    connection.execute(sa.insert(t.building).values(key="corner", point=corner))
    assign_new(connection)


@pytest.mark.parametrize("kind", REDRAWS)
def test_what_is_told_of_before_is_what_publication_and_withdrawal_move(
    connection: sa.Connection, grid_ids: dict[str, int], day: date, kind: str
) -> None:
    add_trouble(connection)
    plan = plan_queries.find_plan(
        connection, plan_life.create_plan(connection, SYSTEM, "base", "改", "因为")
    )
    building = t.building.c
    house = connection.scalar(sa.select(building.building_id).where(building.key == "b4"))
    assert house is not None
    draft_cache = DraftCache()
    with draft_cache.open(connection, plan.plan_id, plan.base, []) as state:
        edit = complete_edit(state, redraw(kind, grid_ids, house))
    with draft_cache.open(connection, plan.plan_id, plan.base, [StoredEdit(1, edit)]) as state:
        answer = measure_impact(connection, plan, state)["moved"]
        done = publish_redraw(connection, SYSTEM, compare_draft(state), day, "改", "因为")
    assert done.moved["incident"] == 2 * answer["incidents"]
    assert count_moved(done) == answer
    version = done.version.version_id
    row = t.grid_version.c
    counts = connection.scalar(sa.select(row.counts).where(row.version_id == version))
    assert counts is not None
    assert counts["open_incidents"] == answer["incidents"]
    back = history.withdraw_version(connection, SYSTEM, version, day + timedelta(days=1), "弄错")
    assert count_moved(back) == answer
    houses = 2 if kind in ("merge", "dissolve") else 1
    assert answer == {
        "buildings": houses,
        "households": 10,
        "premises": 1,
        "hazards": 1,
        "incidents": 1,
    }


def test_a_base_goes_when_nobody_works_on_plans_and_comes_again(
    connection: sa.Connection, grid_ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft_cache = DraftCache()
    version = find_newest_version(connection, "base")
    base = draft_cache.base(connection, version)
    draft_cache.forget_unused()
    assert draft_cache.base(connection, version) is base
    monkeypatch.setattr("gis_service.boundaries.plans.drafts._UNUSED_S", -1.0)
    draft_cache.forget_unused()
    assert draft_cache.base(connection, version) is not base
    assert grid_ids
