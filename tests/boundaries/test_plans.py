"""What a publication writes, keeps and refuses."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.linework.tessellation import Tessellation, from_polygons
from gis_service.boundaries.publication.grid_table import publish_table as publish
from gis_service.boundaries.publication.publishing import Published
from gis_service.errors import ConflictError, InputError, NotFoundError
from gis_service.grids import assignment
from gis_service.grids.versions import find_version_in_force, is_due, read_polygons, today
from gis_service.store import tables as t
from gis_service.store.engine import Store
from tests.support import (
    FIRST_DAY,
    SIDE,
    SOUTH,
    WEST,
    add_buildings,
    add_households,
    cell,
    make_scheme,
    nine,
    publish_nine,
    thrown_away,
)


@pytest.fixture
def connection(store: Store) -> Iterator[sa.Connection]:
    """A transaction that is thrown away."""
    with thrown_away(store) as connection:
        yield connection


@pytest.fixture
def first(connection: sa.Connection) -> Published:
    return publish_nine(connection)


def redrawn() -> tuple[Tessellation, pd.DataFrame]:
    """g00 gives its eastern half to g10; g21 and g22 become one."""
    _, drafts = nine()
    x, y = WEST, SOUTH
    land = {f"g{c}{r}": cell(c, r) for r in range(3) for c in range(3)}
    land["g00"] = shapely.box(x, y, x + SIDE / 2, y + SIDE)
    land["g10"] = shapely.box(x + SIDE / 2, y, x + 2 * SIDE, y + SIDE)
    land["g21"] = shapely.box(x + 2 * SIDE, y + SIDE, x + 3 * SIDE, y + 3 * SIDE)
    del land["g22"]
    tessellation, _ = from_polygons(list(land), list(land.values()))
    return tessellation, drafts[drafts["key"] != "g22"]


def test_levels_tile_each_other(connection: sa.Connection, first: Published) -> None:
    scheme_id = first.version.scheme_id
    _, top = read_polygons(connection, scheme_id, FIRST_DAY, 1)
    _, base = read_polygons(connection, scheme_id, FIRST_DAY, 3)
    assert len(base) == 9
    assert shapely.coverage_is_valid(shapely.get_parts(base))
    assert shapely.symmetric_difference(top[0], shapely.union_all(base)).area == 0


def test_codes_run_from_west_to_east_below_the_parent(
    connection: sa.Connection, first: Published
) -> None:
    rows = connection.execute(
        sa.select(t.grid_state.c.name, t.grid_state.c.code).where(t.grid_state.c.rank == 3)
    )
    codes = dict(map(tuple, rows))
    assert codes["格g00"] == codes["格g10"][:-1] + "1"
    assert codes["格g10"].endswith("002")
    assert {len(code) for code in codes.values()} == {15}
    assert len(set(codes.values())) == 9


def test_before_the_first_day_nothing_is_in_force(
    connection: sa.Connection, first: Published
) -> None:
    with pytest.raises(NotFoundError):
        find_version_in_force(connection, "base", FIRST_DAY - timedelta(days=1))
    assert find_version_in_force(connection).version_id == first.version.version_id


def test_a_redraw_moves_what_lies_on_the_land_and_keeps_the_history(
    connection: sa.Connection, first: Published
) -> None:
    stays, moves = (WEST + 0.2 * SIDE, SOUTH + 0.5 * SIDE), (WEST + 0.8 * SIDE, SOUTH + 0.5 * SIDE)
    add_buildings(connection, [stays, moves])
    add_households(connection, [moves, stays], ["b1", None])
    assignment.assign_new(connection)
    tessellation, drafts = redrawn()
    day = today(connection)
    second = publish(
        connection, SYSTEM, "base", tessellation, drafts, day, "第二版",
        known=first.grid_ids, successors=[("g22", "g21")],
    )  # fmt: skip
    assert second.moved == {
        "building": 1,
        "household": 1,
        "premises": 0,
        "hazard": 0,
        "incident": 0,
    }
    assert second.retired == 1
    rows = connection.execute(
        sa.select(t.assignment.c.grid_id, t.assignment.c.valid)
        .join(t.building, t.building.c.building_id == t.assignment.c.object_id)
        .where(t.assignment.c.object_kind == "building", t.building.c.key == "b1")
        .order_by(sa.func.lower(t.assignment.c.valid))
    ).all()
    g00, g10 = first.grid_ids["g00"], first.grid_ids["g10"]
    assert [(row.grid_id, row.valid.lower, row.valid.upper) for row in rows] == [
        (g00, FIRST_DAY, day),
        (g10, day, None),
    ]
    on_row = connection.execute(
        sa.select(t.household.c.base_grid_id).where(t.household.c.key == "h0")
    ).scalar_one()
    assert on_row == g10


def test_a_coming_version_does_not_rehome_anyone_today(
    connection: sa.Connection, first: Published
) -> None:
    add_buildings(connection, [(WEST + 0.8 * SIDE, SOUTH + 0.5 * SIDE)])
    assignment.assign_new(connection)
    tessellation, drafts = redrawn()
    coming = today(connection) + timedelta(days=9)
    publish(connection, SYSTEM, "base", tessellation, drafts, coming, "下月", known=first.grid_ids)
    row = sa.select(t.building.c.base_grid_id)
    assert connection.execute(row).scalar_one() == first.grid_ids["g00"]
    assert not is_due(connection)
    connection.execute(sa.select(sa.func.set_config("gis.today", coming.isoformat(), True)))
    assert is_due(connection)
    assignment.apply_due(connection)
    assert connection.execute(row).scalar_one() == first.grid_ids["g10"]


def test_what_is_reported_outside_is_outside_today_not_under_a_coming_version(
    connection: sa.Connection, first: Published
) -> None:
    everywhere, drafts = nine()
    fewer = {
        key: face
        for key, face in zip(everywhere.keys, everywhere.faces(), strict=True)
        if key != "g22"
    }
    tessellation, _ = from_polygons(list(fewer), list(fewer.values()))
    coming = today(connection) + timedelta(days=9)
    without = drafts[drafts["key"] != "g22"]
    publish(connection, SYSTEM, "base", tessellation, without, coming, "x", known=first.grid_ids)
    add_buildings(connection, [(WEST + 2.5 * SIDE, SOUTH + 2.5 * SIDE)])
    report = assignment.assign_new(connection)
    assert report.counts["building"]["outside"] == 0
    assert report.outside == []
    rows = sa.select(t.assignment.c.grid_id).order_by(sa.func.lower(t.assignment.c.valid))
    assert connection.execute(rows).scalars().all() == [first.grid_ids["g22"], None]


def test_what_a_version_leaves_without_a_grid_lies_outside_until_another_takes_it_in(
    connection: sa.Connection, first: Published
) -> None:
    add_buildings(connection, [(WEST + 2.5 * SIDE, SOUTH + 2.5 * SIDE), (WEST, SOUTH)])
    assignment.assign_new(connection)
    everywhere, drafts = nine()
    fewer = [f"g{c}{r}" for r in range(3) for c in range(3) if (c, r) != (2, 2)]
    tessellation, _ = from_polygons(fewer, [cell(int(key[1]), int(key[2])) for key in fewer])
    without = drafts[drafts["key"] != "g22"]
    a = t.assignment.c
    found = []
    for days, (linework, table) in enumerate([(tessellation, without), (everywhere, drafts)]):
        day = today(connection) + timedelta(days=days)
        done = publish(
            connection, SYSTEM, "base", linework, table, day, "x", known=first.grid_ids
        )  # fmt: skip
        assert done.moved["building"] == 1
        rows = connection.execute(
            sa.select(a.grid_id, a.nearest_grid_id, a.distance_m)
            .where(a.valid.op("@>")(sa.literal(day, sa.Date)))
            .order_by(a.object_id)
        )
        found.append([tuple(row) for row in rows])
    ids = first.grid_ids
    half = SIDE / 2 * 97_700  # metres of a degree of longitude there
    assert found[0] == [(None, ids["g12"], pytest.approx(half, rel=0.01)), (ids["g00"], None, None)]
    assert found[1] == [(ids["g22"], None, None), (ids["g00"], None, None)]
    copies = sa.select(t.building.c.base_grid_id).order_by(t.building.c.building_id)
    assert connection.execute(copies).scalars().all() == [None, ids["g00"]]


def test_a_neighbour_that_only_gained_a_vertex_is_not_reported_as_changed(
    connection: sa.Connection, first: Published
) -> None:
    tessellation, drafts = redrawn()
    second = publish(
        connection, SYSTEM, "base", tessellation, drafts, today(connection), "第二版",
        known=first.grid_ids,
    )  # fmt: skip
    # g00, g10, g21 and the two villages that g21 now leaves or enlarges
    assert second.changed == 5
    scheme_id = second.version.scheme_id
    _, base = read_polygons(connection, scheme_id, today(connection), 3)
    assert shapely.coverage_is_valid(shapely.get_parts(base))


@pytest.mark.parametrize(
    ("days", "key"), [(-1, "boundaries.back_dated"), (None, "boundaries.later_version")]
)
def test_history_is_not_rewritten(
    connection: sa.Connection, first: Published, days: int | None, key: str
) -> None:
    if days is None:
        connection.execute(sa.select(sa.func.set_config("gis.today", FIRST_DAY.isoformat(), True)))
    tessellation, drafts = nine()
    with pytest.raises(ConflictError) as caught:
        publish(
            connection, SYSTEM, "base", tessellation, drafts,
            today(connection) + timedelta(days=days or 0), "zu spät", known=first.grid_ids,
        )  # fmt: skip
    assert caught.value.key == key


def test_a_retired_code_never_means_another_grid(
    connection: sa.Connection, first: Published
) -> None:
    retired = connection.execute(
        sa.select(t.grid_state.c.code).where(t.grid_state.c.grid_id == first.grid_ids["g22"])
    ).scalar_one()
    tessellation, drafts = redrawn()
    publish(
        connection, SYSTEM, "base", tessellation, drafts, today(connection), "第二版",
        known=first.grid_ids,
    )  # fmt: skip
    with pytest.raises(sa.exc.IntegrityError):
        connection.execute(
            sa.insert(t.grid_code).values(
                scheme_id=first.version.scheme_id, code=retired, grid_id=first.grid_ids["g00"]
            )
        )


def test_a_grid_keeps_the_code_it_goes_by_not_one_it_once_had(
    connection: sa.Connection, first: Published
) -> None:
    state = t.grid_state.c
    here = sa.select(state.code).where(state.grid_id == first.grid_ids["g00"])
    given = connection.execute(here).scalar_one()[:-3] + "000"
    tessellation, drafts = nine()
    recoded = drafts.assign(code=[given if key == "g00" else None for key in drafts["key"]])
    for days, table in enumerate((recoded, drafts)):
        day = today(connection) + timedelta(days=days)
        publish(connection, SYSTEM, "base", tessellation, table, day, "x", known=first.grid_ids)
    assert connection.execute(here.order_by(sa.func.lower(state.valid).desc())).scalar() == given


def test_an_unknown_scheme_is_named(connection: sa.Connection) -> None:
    tessellation, drafts = nine()
    with pytest.raises(NotFoundError) as caught:
        publish(connection, SYSTEM, "police", tessellation, drafts, date(2024, 1, 1), "x")
    assert caught.value.values == {"scheme": "police"}  # noqa: PD011 (an error's values)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda d: pd.concat([d, d.tail(1)]), "boundaries.key_twice"),
        (lambda d: d[d["key"] != "g22"], "boundaries.drafts_differ"),
        (lambda d: d.assign(parent=d["parent"].replace("m0", "g11")), "boundaries.wrong_parent"),
    ],
)
def test_drafts_that_do_not_fit_are_refused(
    connection: sa.Connection, change: Callable[[pd.DataFrame], pd.DataFrame], key: str
) -> None:
    make_scheme(connection)
    tessellation, drafts = nine()
    with pytest.raises(InputError) as caught:
        publish(connection, SYSTEM, "base", tessellation, change(drafts), FIRST_DAY, "x")
    assert caught.value.key == key


def test_an_identity_of_another_level_is_refused(
    connection: sa.Connection, first: Published
) -> None:
    tessellation, drafts = nine()
    wrong = {**first.grid_ids, "g00": first.grid_ids["town"]}
    with pytest.raises(InputError) as caught:
        publish(
            connection, SYSTEM, "base", tessellation, drafts, today(connection), "x", known=wrong
        )
    assert caught.value.key == "boundaries.wrong_identity"
    assert caught.value.place.feature == "g00"


def test_a_new_admin_unit_alone_opens_a_new_state(
    connection: sa.Connection, first: Published
) -> None:
    connection.execute(
        sa.insert(t.admin_unit).values(
            code="990101101001", name="村", level="village", source_list="x", valid="[2024-01-01,)"
        )
    )
    tessellation, drafts = nine()
    second = publish(
        connection, SYSTEM, "base", tessellation,
        drafts.assign(admin_code=drafts["key"].map({"m0": "990101101001"})),
        today(connection), "第二版", known=first.grid_ids,
    )  # fmt: skip
    assert second.changed == 1


def test_the_service_role_can_neither_change_nor_remove_an_event(
    connection: sa.Connection, first: Published
) -> None:
    assert connection.execute(sa.select(sa.func.count()).select_from(t.event)).scalar_one() == 1
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        connection.execute(sa.delete(t.event))


def test_every_assignment_equals_what_the_database_says(
    connection: sa.Connection, first: Published
) -> None:
    random = np.random.default_rng(7)
    corners = [(WEST + c * SIDE, SOUTH + r * SIDE) for c in range(4) for r in range(4)]
    xy = random.random((500, 2)) * SIDE * 3.4 + (WEST - 0.2 * SIDE, SOUTH - 0.2 * SIDE)
    add_buildings(connection, [*corners, *map(tuple, xy.tolist())])
    report = assignment.assign_new(connection)
    differing = connection.execute(
        sa.select(sa.func.count()).where(
            t.building.c.base_grid_id.is_distinct_from(sa.func.gis_grid_at(t.building.c.point))
        )
    ).scalar_one()
    assert differing == 0
    assert report.counts["building"]["tie"] >= 4
    outside = report.counts["building"]["outside"]
    assert outside == len(report.outside) > 0
    assert all(0 < one.distance_m < 0.3 * SIDE * 120_000 for one in report.outside)
