"""A stored run says whether it still is what would be measured now, and what has changed."""

import numpy as np
import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coverage.runs import runs, staleness
from gis_service.coverage.runs.staleness import find_stale_parts
from gis_service.rule_files import Sourced
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from tests.coverage.drawn_county import BOOK, EAST, open_facility, point


def because(store: Store, run_id: int, snapshot: Snapshot | None = None) -> tuple[str, ...]:
    with store.transaction(SYSTEM) as connection:
        run = runs.find_run(connection, run_id)
        return find_stale_parts(snapshot or Snapshot(), connection, run, BOOK)


def test_a_fresh_run_is_not_stale(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    assert because(county, run_id) == ()


def test_what_has_changed_is_named(county: Store) -> None:
    snapshot = Snapshot()
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    home, edge = t.household, t.road_edge
    changes = {
        "households": sa.update(home).where(home.c.household_id == 3).values(people=4),
        "network": sa.update(edge).where(edge.c.edge_id == 2).values(oneway=1),
    }
    parts = set()
    for part, change in changes.items():
        with county.transaction(SYSTEM) as connection:
            connection.execute(change)
        parts.add(part)
        assert set(because(county, run_id, snapshot)) == parts
    with county.transaction(SYSTEM) as connection:
        open_facility(connection, "fire_station", 20000)
    assert set(because(county, run_id, snapshot)) == parts | {"facilities"}


def test_a_facility_that_the_standard_does_not_name_makes_nothing_stale(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        open_facility(connection, "clinic", 20000)
    assert because(county, run_id) == ()


def test_a_change_taken_back_is_none(county: Store) -> None:
    snapshot = Snapshot()
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    home = t.household
    for place, expected in ((point(11900, 20), ("households",)), (point(12000, 20), ())):
        moved = np.array([place], dtype=object)[0]
        with county.transaction(SYSTEM) as connection:
            connection.execute(
                sa.update(home)
                .where(home.c.household_id == 3)
                .values(point=sa.func.ST_GeomFromText(moved.wkt, 4490))
            )
        assert because(county, run_id, snapshot) == expected


def test_other_boundaries_make_it_stale(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.household).where(t.household.c.household_id == 7).values(base_grid_id=EAST)
        )
    assert because(county, run_id) == ("households",)


def test_another_number_and_another_release_make_it_stale(
    county: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    later = Sourced(value=25.0, source="a county's own")
    fire = BOOK.standard("fire-20").model_copy(update={"limit_minutes": later})
    changed = BOOK.model_copy(update={"standards": {**BOOK.standards, "fire-20": fire}})
    without = {code: standard for code, standard in BOOK.standards.items() if code != "fire-20"}
    none = BOOK.model_copy(update={"standards": without})
    with county.transaction(SYSTEM) as connection:
        run = runs.find_run(connection, run_id)
        assert find_stale_parts(Snapshot(), connection, run, changed) == ("settings",)
        assert find_stale_parts(Snapshot(), connection, run, none) == ("settings",)
    monkeypatch.setattr(staleness, "__version__", "99.0")
    assert because(county, run_id) == ("software",)
