"""A run in the store: whole or not at all, for those who may, with figures that add up.

The county: a main road of 20 km from west to east, the fire station at its western end, an island
with a road of its own, and a house in the hills.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs, main_job
from gis_service.access import SYSTEM, Actor
from gis_service.coverage.measuring.statistics import count_figures
from gis_service.coverage.runs import runs
from gis_service.coverage.travel.travel_time import STATUS_NAMES
from gis_service.errors import InputError, NotAllowedError, NotFoundError
from gis_service.geodesy import distance_m
from gis_service.rule_files import Sourced
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.coverage.drawn_county import (
    BOOK,
    EAST,
    EAST_OFFICER,
    MIDDLE,
    TOWN,
    VISITOR,
    WEST,
    open_facility,
    point,
)
from tests.coverage.drawn_roads import at_m


def counts(figures: runs.Figures | Mapping[str, Any]) -> list[int]:
    entry = figures if isinstance(figures, Mapping) else vars(figures)
    return [entry[name] for name in ("n", *STATUS_NAMES)]


def statuses(store: Store, run_id: int) -> dict[int, str]:
    result = t.coverage_household.c
    with store.transaction(SYSTEM) as connection:
        rows = connection.execute(
            sa.select(result.household_id, result.status).where(result.run_id == run_id)
        )
        return {row.household_id: STATUS_NAMES[row.status] for row in rows}


def test_every_household_gets_one_answer(county: Store) -> None:
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert statuses(county, run["run_id"]) == {
        1: "covered",
        2: "covered",
        3: "covered",
        4: "too_far",
        5: "unreachable",
        6: "off_network",
        7: "covered",
    }


def test_minutes_are_turnout_and_road_and_the_way_off_it(county: Store) -> None:
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    with county.transaction(SYSTEM) as connection:
        row = connection.execute(
            sa.select(t.coverage_household).where(
                t.coverage_household.c.run_id == run["run_id"],
                t.coverage_household.c.household_id == 4,
            )
        ).one()
        station = connection.scalar(sa.select(t.facility.c.facility_id))
    (lon, lat), (lon_0, lat_0) = at_m(19500, 20), at_m(0, 0)
    road_m = float(distance_m(lon_0, lat_0, lon, lat_0))
    off_road_m = float(distance_m(lon, lat_0, lon, lat))
    expected = 1.0 + road_m * 0.06 / 50 + off_road_m * 0.06 / 4
    # The road is straight in degrees in four pieces of 5 km: they bulge by 0.3 m in the plane.
    assert row.minutes == pytest.approx(expected, abs=0.006)
    assert row.kind_facility == [station]
    assert row.kind_minutes == [row.minutes]


def test_figures_by_level_add_up_and_the_outside_counts_in_the_county(county: Store) -> None:
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    with county.transaction(SYSTEM) as connection:
        by_rank = [runs.read_figures_by_grid(connection, run["run_id"], rank) for rank in range(4)]
        of_town = runs.read_grid_figures(connection, 1, TOWN)
        of_county = runs.read_county_figures(connection)
    assert {grid_id: counts(figures) for grid_id, figures in by_rank[3].items()} == {
        WEST: [3, 2, 0, 1, 0],
        EAST: [3, 1, 1, 0, 1],
    }
    assert counts(by_rank[1][TOWN]) == counts(by_rank[2][MIDDLE]) == [6, 3, 1, 1, 1]
    assert counts(by_rank[0][0]) == [7, 4, 1, 1, 1]
    assert counts(of_town["fire-20"]) == [6, 3, 1, 1, 1]
    entry = of_county["fire-20"]
    assert counts(entry) == counts(entry["kinds"]["fire_station"]) == [7, 4, 1, 1, 1]
    assert (entry["of"], entry["status"], entry["share"]) == ("households", "ok", 4 / 7)


def test_the_rule_over_kinds_asks_for_four_of_six(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        for kind, x_m in (
            ("clinic", 4000),
            ("school", 4100),
            ("bank", 4200),
            ("grocery", 12000),
            ("police_room", 4300),
        ):
            open_facility(connection, kind, x_m)
    run = runs.measure(county, SYSTEM, "service-15", book=BOOK)
    answer = statuses(county, run["run_id"])
    assert (answer[1], answer[3], answer[6]) == ("covered", "too_far", "off_network")
    assert run["kinds"]["grocery"]["covered"] == 1
    assert run["kinds"]["service_centre"]["status"] == "no_facility"
    assert run["status"] == "ok"
    assert counts(run["kinds"]["service_centre"]) == [7, 0, 0, 6, 1]


def test_without_a_facility_the_share_is_nought_and_says_why(county: Store) -> None:
    run = runs.measure(county, SYSTEM, "service-15", book=BOOK)
    assert (run["share"], run["status"]) == (0.0, "no_facility")
    assert counts(run) == [7, 0, 0, 6, 1]


def test_without_roads_everybody_is_off_the_network_and_the_run_stands(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.road_network))
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert (run["share"], run["status"]) == (0.0, "no_roads")
    assert counts(run) == [7, 0, 0, 0, 7]
    with county.transaction(SYSTEM) as connection:
        latest = runs.find_latest_run(connection, "fire-20")
    assert latest is not None
    assert latest.network_id is None


def test_without_households_there_is_no_share(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.household))
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert (run["n"], run["share"], run["status"]) == (0, None, "no_households")


@pytest.mark.parametrize("actor", [EAST_OFFICER, VISITOR])
def test_who_sees_a_part_of_the_county_may_not_measure_it(county: Store, actor: Actor) -> None:
    with pytest.raises(NotAllowedError):
        runs.measure(county, actor, "fire-20", book=BOOK)


def test_a_run_that_breaks_off_leaves_nothing(county: Store) -> None:
    def stop(_share: float, step: str) -> None:
        if step == "coverage.step_writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.measure(county, SYSTEM, "fire-20", progress=stop, book=BOOK)
    with county.transaction(SYSTEM) as connection:
        assert runs.find_latest_run(connection, "fire-20") is None
        assert not connection.scalar(sa.select(sa.func.count()).select_from(t.coverage_household))


def test_progress_rises_to_one_in_steps_that_have_a_text(county: Store) -> None:
    steps: list[tuple[float, str]] = []
    runs.measure(county, SYSTEM, "fire-20", progress=lambda *step: steps.append(step), book=BOOK)
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len({step for _, step in steps}) == 5


def test_a_run_is_work_for_the_queue(county: Store) -> None:
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})
    jobs.perform(county, job_id)
    with county.transaction(SYSTEM) as connection:
        state = job_queries.find_job(connection, job_id)
        latest = runs.find_latest_run(connection, "fire-20")
    assert latest is not None
    assert state.status == "done"
    assert state.result is not None
    assert (state.result["run_id"], state.result["n"]) == (latest.run_id, 7)


@pytest.mark.parametrize(
    "arguments", [{}, {"standard": 20}, {"standard": "fire-20", "scenario": 1}]
)
def test_work_without_its_arguments_is_refused(county: Store, arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        runs.measure_as_job(county, SYSTEM, arguments, lambda _share, _step: None)


def test_the_unreached_are_listed_with_the_reason(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        rows, total = runs.list_unreached(connection, SYSTEM, run_id)
        assert total == 3
        assert [(row.household_id, row.status) for row in rows] == [
            (5, "unreachable"),
            (6, "off_network"),
            (4, "too_far"),
        ]
        assert (rows[2].address, rows[2].grid_name) == ("主街4号", "东")
        assert rows[2].kinds["fire_station"]["status"] == "too_far"
        assert rows[0].minutes is None

        within, total = runs.list_unreached(connection, SYSTEM, run_id, grid_id=MIDDLE, limit=1)
        assert (len(within), total) == (1, 3)
        west, _ = runs.list_unreached(connection, SYSTEM, run_id, grid_id=WEST)
        assert [row.household_id for row in west] == [5]
        late, _ = runs.list_unreached(connection, SYSTEM, run_id, reason="too_far")
        assert [row.household_id for row in late] == [4]
        with pytest.raises(InputError):
            runs.list_unreached(connection, SYSTEM, run_id, reason="covered")


def test_who_answers_for_the_east_sees_the_unreached_of_the_east(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(EAST_OFFICER) as connection:
        rows, total = runs.list_unreached(connection, EAST_OFFICER, run_id)
        assert ([row.household_id for row in rows], total) == ([6, 4], 2)
    with county.transaction(VISITOR) as connection:
        assert runs.list_unreached(connection, VISITOR, run_id) == ([], 0)


def test_the_fingerprint_tells_what_the_figures_depend_on(county: Store) -> None:
    first = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    again = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert first["fingerprint"] == again["fingerprint"]
    with county.transaction(SYSTEM) as connection:
        open_facility(connection, "fire_station", 20000)
    moved = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert moved["fingerprint"] != first["fingerprint"]
    assert moved["covered"] == first["covered"] + 1
    with county.transaction(SYSTEM) as connection:
        latest = runs.find_latest_run(connection, "fire-20")
        listed, total = runs.list_runs(connection, "fire-20", limit=2)
    assert latest is not None
    assert latest.run_id == moved["run_id"]
    assert ([run.run_id for run in listed], total) == ([moved["run_id"], again["run_id"]], 3)


def test_the_main_job_measures_again_when_a_number_was_changed(
    county: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    result: list[str] = []
    monkeypatch.setattr(main_job, "standard_book", lambda: BOOK)
    main_job.measure(county, result.append)
    wanted = [code for code, standard in BOOK.standards.items() if standard.in_main_job]
    assert result == [f"Measured {code}." for code in wanted]
    main_job.measure(county, result.append)
    assert len(result) == len(wanted)
    slower = BOOK.profiles["fire_engine"].model_copy(
        update={"obeys_maxspeed": Sourced(value=True, source="a county's own")}
    )
    changed = BOOK.model_copy(update={"profiles": {**BOOK.profiles, "fire_engine": slower}})
    for module in (main_job, runs):
        monkeypatch.setattr(module, "standard_book", lambda: changed)
    main_job.measure(county, result.append)
    assert result[len(wanted) :] == ["Measured fire-20."]


def test_what_is_not_there_is_said(county: Store) -> None:
    with pytest.raises(NotFoundError):
        runs.measure(county, SYSTEM, "fire-7", book=BOOK)
    with pytest.raises(NotFoundError):
        runs.measure(county, SYSTEM, "fire-20", "monsoon", book=BOOK)
    with county.transaction(SYSTEM) as connection:
        assert runs.read_county_figures(connection) == {}
        with pytest.raises(NotFoundError):
            runs.read_figures_by_grid(connection, 999, 1)


def test_the_run_is_written_into_the_record(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        event = connection.execute(
            sa.select(t.event).where(t.event.c.object_id == str(run_id))
        ).one()
    assert (event.action, event.object_kind, event.actor_id) == ("run", "coverage_run", 1)
    assert event.after["n"] == 7


def test_figures_of_everything_add_up_at_every_level(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.household)
            .where(t.household.c.household_id.in_([3, 4]))
            .values(care_tags=["lives_alone"])
        )
        furnish(connection)
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    expected = {
        "households": [7, 4, 1, 1, 1],
        "people": [21, 12, 3, 3, 3],
        "care_households": [2, 1, 1, 0, 0],
        "buildings": [2, 1, 1, 0, 0],
        "premises": [1, 0, 1, 0, 0],
        "hazards": [1, 1, 0, 0, 0],  # the closed one is none
    }
    with county.transaction(SYSTEM) as connection:
        run = runs.find_run(connection, run_id)
        for of, numbers in expected.items():
            (whole,) = runs.read_named_figures(connection, run, 0, of)
            assert counts(whole) == numbers, of
            assert (whole.of, whole.name) == (of, "")
            for rank in (1, 2, 3):
                rows = runs.read_named_figures(connection, run, rank, of)
                assert len(rows) == (2 if rank == 3 else 1)
                for row in rows:
                    assert sum(counts(row)[1:]) == row.n
                outside = 1 if of == "households" else 3 if of == "people" else 0
                assert sum(row.n for row in rows) == whole.n - outside, (of, rank)
        figures = run.summary["others"]["people"]
        assert counts(figures) == counts(figures["kinds"]["fire_station"]) == expected["people"]
        with pytest.raises(InputError):
            runs.read_named_figures(connection, run, 1, "dogs")
        with pytest.raises(NotFoundError):
            runs.read_named_figures(connection, run, 1, "people", "clinic")


def furnish(connection: sa.Connection) -> None:
    """Two buildings where households 1 and 4 live, a shop in one, two hazards in the other."""
    where = {1: point(4000, 20), 4: point(19500, 20)}
    copy_rows(
        connection,
        t.building,
        {
            "building_id": list(where),
            "key": ["b1", "b4"],
            "base_grid_id": [WEST, EAST],
            "point": np.array(list(where.values()), dtype=object),
        },
    )
    shop = {"key": ["p"], "name": ["店"], "kind": ["shop"], "grade": ["C"]}
    copy_rows(
        connection,
        t.premises,
        {**shop, "base_grid_id": [EAST], "point": np.array([where[4]], dtype=object)},
    )
    day = connection.scalar(sa.select(sa.func.gis_today()))
    copy_rows(
        connection,
        t.hazard,
        {
            "key": ["open", "closed"],
            "kind": ["fire"] * 2,
            "grade": ["ordinary"] * 2,
            "status": ["found", "closed"],
            "found_on": [day] * 2,
            "due_on": [day] * 2,
            "closed_on": [None, day],
            "base_grid_id": [WEST] * 2,
            "point": np.array([where[1]] * 2, dtype=object),
        },
    )


def test_a_cancelled_run_leaves_nothing(county: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while it counts: it ends at its next step, before anything stays."""
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})

    def count_and_be_cancelled(*given: Any) -> Any:
        jobs.cancel(county, SYSTEM, job_id)
        return count_figures(*given)

    monkeypatch.setattr(runs, "count_figures", count_and_be_cancelled)
    jobs.perform(county, job_id)
    with county.transaction(SYSTEM) as connection:
        assert job_queries.find_job(connection, job_id).status == "cancelled"
        assert runs.find_latest_run(connection, "fire-20") is None
        for table in (t.coverage_household, t.coverage_figure):
            assert not connection.scalar(sa.select(sa.func.count()).select_from(table))


def test_a_run_whose_worker_died_is_done_by_the_next_one(
    county: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})
    monkeypatch.setattr(runs, "write_run", die)
    with pytest.raises(KeyboardInterrupt):
        jobs.perform(county, job_id)
    monkeypatch.undo()
    with county.transaction(SYSTEM) as connection:
        assert job_queries.find_job(connection, job_id).status == "running"
        assert runs.find_latest_run(connection, "fire-20") is None
    jobs.perform(county, job_id)
    with county.transaction(SYSTEM) as connection:
        assert job_queries.find_job(connection, job_id).status == "done"
        assert runs.list_runs(connection, "fire-20")[1] == 1


def die(*_given: Any) -> int:
    raise KeyboardInterrupt


def test_the_parts_of_fifteen_minutes_count(county: Store) -> None:
    """4 minutes of driving are left, so that the sum and the city rule say the same."""
    city = runs.measure(county, SYSTEM, "fire-5", book=BOOK)
    overall = runs.measure(county, SYSTEM, "overall-15", book=BOOK)
    assert counts(city) == counts(overall)
    assert overall["worst_minutes"] == pytest.approx(city["worst_minutes"] + 10.0, abs=0.002)
