"""Before and after: two stored runs side by side, and a what-if against the run it foretells."""

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coverage.runs import runs
from gis_service.coverage.runs.comparing import make_comparison
from gis_service.coverage.siting.what_if import AddStation, CloseRoad, MoveStation
from gis_service.coverage.siting.what_if_answers import answer_what_if
from gis_service.errors import InputError, NotAllowedError
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from tests.coverage.drawn_county import BOOK, EAST, EAST_OFFICER, VISITOR, WEST, open_facility
from tests.coverage.drawn_roads import at_m


def summary(run: dict[str, object]) -> dict[str, object]:
    # a run that is stored also tells who lies inside the grids, which no change of roads moves
    left_out = {"run_id", "standard", "scenario", "fingerprint", "notes", "inside"}
    return {name: value for name, value in run.items() if name not in left_out}


def test_a_station_in_the_east_gains_the_east(county: Store) -> None:
    a = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        open_facility(connection, "fire_station", 20000)
    b = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        comparison = make_comparison(connection, SYSTEM, a, b)
        back = make_comparison(connection, SYSTEM, b, a)
    assert (comparison.gained, comparison.lost, comparison.only_in_one) == (1, 0, 0)
    assert (comparison.comparable, comparison.differs) == (True, ("facilities",))
    share = pytest.approx(1 / 7)
    assert comparison.county["households"]["delta"] == {"n": 0, "covered": 1, "share": share}
    assert comparison.county["people"]["delta"]["covered"] == 3
    east = next(grid for grid in comparison.grids if grid.grid_id == EAST)
    assert (east.covered, east.gained, east.lost) == (1, 1, 0)
    assert (back.gained, back.lost) == (0, 1)


def test_who_came_in_between_counts_as_neither(county: Store) -> None:
    a = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.household).where(t.household.c.household_id == 2))
    b = runs.measure(county, SYSTEM, "fire-20", "night", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        comparison = make_comparison(connection, SYSTEM, a, b)
    assert (comparison.gained, comparison.lost, comparison.only_in_one) == (0, 0, 1)
    assert comparison.differs == ("scenario", "settings", "households")
    west = next(grid for grid in comparison.grids if grid.grid_id == WEST)
    assert (west.covered, west.gained, west.lost) == (-1, 0, 0)


def test_two_standards_are_not_compared(county: Store) -> None:
    a = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    b = runs.measure(county, SYSTEM, "fire-5", book=BOOK)["run_id"]
    message = r"fire-20.*fire-5.*one standard"
    with county.transaction(SYSTEM) as connection, pytest.raises(InputError, match=message):
        make_comparison(connection, SYSTEM, a, b)


@pytest.mark.parametrize("actor", [EAST_OFFICER, VISITOR])
def test_who_sees_a_part_may_not_compare_the_whole(county: Store, actor: object) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection, pytest.raises(NotAllowedError):
        make_comparison(connection, actor, run_id, run_id)  # type: ignore[arg-type]


def test_a_what_if_foretells_the_run(county: Store) -> None:
    snapshot = Snapshot()
    lon, lat = at_m(20000, 0)
    with county.transaction(SYSTEM) as connection:
        station = connection.scalar(sa.select(t.facility.c.facility_id))
        assert station is not None
        move = MoveStation(station, lon, lat)
        answer = answer_what_if(
            snapshot, connection, SYSTEM, "fire-20", "normal", [move], BOOK
        ).what_if
        connection.execute(
            sa.update(t.facility).values(point=sa.func.ST_SetSRID(sa.func.ST_Point(lon, lat), 4490))
        )
    assert answer.before != answer.after
    assert answer.after == summary(runs.measure(county, SYSTEM, "fire-20", book=BOOK))
    with county.transaction(SYSTEM) as connection:
        now = answer_what_if(snapshot, connection, SYSTEM, "fire-20", "normal", [], BOOK)
        assert now.what_if.before == answer.after  # it was seen that the store has changed
        close = CloseRoad((2,))
        closed = answer_what_if(
            snapshot, connection, SYSTEM, "fire-20", "normal", [close], BOOK
        ).what_if
        connection.execute(sa.delete(t.road_edge).where(t.road_edge.c.edge_id == 2))
    assert closed.lost > 0
    assert closed.after == summary(runs.measure(county, SYSTEM, "fire-20", book=BOOK))


def test_a_what_if_names_the_grids(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        add = AddStation("fire_station", *at_m(20000, 0))
        answer = answer_what_if(Snapshot(), connection, SYSTEM, "fire-20", "normal", [add], BOOK)
        with pytest.raises(NotAllowedError):
            answer_what_if(Snapshot(), connection, EAST_OFFICER, "fire-20", "normal", [], BOOK)
    assert [(grid.name, grid.after.covered - grid.before.covered) for grid in answer.towns] == [
        ("镇", 1)
    ]
    assert [grid.name for grid in answer.grids] == ["东"]
