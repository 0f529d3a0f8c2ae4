"""What an answer says: chain, officers, border, border road, version and day, other readings."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor
from gis_service.boundaries.publication.grid_table import publish_table as publish
from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000
from gis_service.errors import NotFoundError
from gis_service.grids.answers import locating
from gis_service.grids.answers.answering import AnswerService
from gis_service.grids.answers.border_roads import BorderRoads, find_along
from gis_service.grids.answers.locating import UnreadableError, locate
from gis_service.grids.answers.placing import find_by_index, find_in_store
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import find_version_in_force, read_polygons, today
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.support import SIDE, SOUTH, WEST, nine, publish_nine

CGCS = CoordinateSystem("cgcs2000")
VISITOR = Actor(0, "访客", "Visitor", "visitor")
FIRST, LATER = date(2024, 7, 1), date(2025, 7, 1)
METRE = 1 / 111_000


def middle(key: str) -> tuple[float, float]:
    return WEST + (int(key[1]) + 0.5) * SIDE, SOUTH + (int(key[2]) + 0.5) * SIDE


@pytest.fixture(scope="module")
def grids(store: Store) -> dict[str, int]:
    """Two versions; in the second, g00 gave its north to g01. Officers, a leave, a border road."""
    with store.transaction(SYSTEM) as connection:
        first = publish_nine(connection)
        # Back-dating is refused, so the later version is dated on by hand.
        connection.execute(sa.text("SELECT set_config('gis.today', '2025-06-01', true)"))
        tessellation, drafts = nine()
        publish(
            connection, SYSTEM, "base", tessellation,
            drafts.assign(name=drafts["name"] + "新"), LATER, "第二版", known=first.grid_ids,
        )  # fmt: skip
    with store.transaction(SYSTEM) as connection:
        _officers(connection, first.grid_ids)
        _roads(connection)
    return first.grid_ids


def _officers(connection: sa.Connection, grids: dict[str, int]) -> None:
    people = [("o1", "赵一"), ("o2", "钱二"), ("o3", "孙三"), ("o4", "李四")]
    ids = connection.execute(
        sa.insert(t.officer).returning(t.officer.c.officer_id, sort_by_parameter_order=True),
        [
            {"key": key, "name": name, "phone": "13700000000", "valid": f"[{FIRST},)"}
            for key, name in people
        ],
    ).scalars()
    one, two, three, four = ids
    duties = [
        (one, "g11", "officer", "A", f"[{FIRST},{LATER})"),
        (two, "g11", "officer", "A", f"[{LATER},)"),
        (three, "g11", "officer", "B", f"[{FIRST},)"),
        (four, "m1", "head", "A", f"[{FIRST},)"),
        (one, "g21", "officer", "A", f"[{LATER},)"),
    ]
    connection.execute(
        sa.insert(t.grid_duty),
        [
            {"officer_id": who, "grid_id": grids[key], "role": role, "post": post, "valid": valid}
            for who, key, role, post, valid in duties
        ],
    )
    connection.execute(
        sa.insert(t.leave),
        [
            {"officer_id": two, "valid": "[2025-08-01,2025-09-01)"},
            {"officer_id": three, "valid": "[2025-08-15,2025-09-01)"},
        ],
    )


def _roads(connection: sa.Connection) -> None:
    """A road along the border of g11 and g21, and one across it."""
    border = WEST + 2 * SIDE
    lines = [
        shapely.LineString([(border, SOUTH + 1.1 * SIDE), (border, SOUTH + 1.9 * SIDE)]),
        shapely.LineString([middle("g10"), middle("g20")]),
    ]
    network = connection.scalar(
        sa.insert(t.road_network)
        .values(name="路网", source="test", active=True)
        .returning(t.road_network.c.network_id)
    )
    ends = [point for line in lines for point in line.coords]
    copy_rows(
        connection, t.road_node,
        {
            "network_id": [network] * 4,
            "node_id": [1, 2, 3, 4],
            "point": np.array([shapely.Point(end) for end in ends], dtype=object),
        },
    )  # fmt: skip
    copy_rows(
        connection, t.road_edge,
        {
            "network_id": [network] * 2,
            "edge_id": [1, 2],
            "source_node": [1, 3],
            "target_node": [2, 4],
            "road_class": ["residential"] * 2,
            "name": ["界路", "横路"],
            "length_m": [890.0, 976.0],
            "geom": np.array(lines, dtype=object),
        },
    )  # fmt: skip


@pytest.fixture
def connection(store: Store, grids: dict[str, int]) -> Iterator[sa.Connection]:
    with store.transaction(SYSTEM) as connection:
        yield connection


def test_the_chain_runs_from_the_top_to_the_grid_and_names_who_answers(
    connection: sa.Connection, grids: dict[str, int]
) -> None:
    located = locate(connection, SYSTEM, CGCS, *middle("g11"))
    assert located.grid is not None
    assert [step.grid_id for step in located.grid.chain] == [
        grids["town"], grids["m1"], grids["g11"],
    ]  # fmt: skip
    assert [one.name for one in located.grid.chain[1].officers] == ["李四"]
    assert [(one.post, one.name) for one in located.grid.officers] == [("A", "钱二"), ("B", "孙三")]
    assert located.method == "within"
    assert located.version.effective_day == LATER
    assert located.version.until is None


def test_a_past_day_answers_by_its_boundaries_and_officers(connection: sa.Connection) -> None:
    located = locate(connection, SYSTEM, CGCS, *middle("g11"), at=date(2025, 3, 1))
    assert located.grid is not None
    assert located.grid.name == "格g11"
    assert located.version.effective_day == FIRST
    assert located.version.until == LATER
    assert located.day == date(2025, 3, 1)
    assert located.grid.officers[0].name == "赵一"


def test_a_day_before_the_first_version_says_which_that_is(connection: sa.Connection) -> None:
    with pytest.raises(NotFoundError, match="2024-07-01"):
        locate(connection, SYSTEM, CGCS, *middle("g11"), at=date(2024, 6, 30))


def test_a_coming_day_answers_by_what_is_published_for_it(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.text("SELECT set_config('gis.today', '2024-12-01', true)"))
        located = locate(connection, SYSTEM, CGCS, *middle("g11"), at=date(2025, 9, 9))
        now = locate(connection, SYSTEM, CGCS, *middle("g11"))
    assert located.grid is not None
    assert located.grid.name == "格g11新"
    assert now.grid is not None
    assert now.grid.name == "格g11"


@pytest.mark.parametrize(
    ("day", "because", "name"),
    [
        (date(2025, 7, 5), "post_a", "钱二"),
        (date(2025, 8, 5), "a_on_leave", "孙三"),
        (date(2025, 8, 20), "head", "李四"),
    ],
)
def test_whoever_is_at_work_is_called_first(
    connection: sa.Connection, day: date, because: str, name: str
) -> None:
    located = locate(connection, SYSTEM, CGCS, *middle("g11"), at=day)
    assert located.call is not None
    assert (located.call.because, located.call.officer.name) == (because, name)


def test_a_visitor_sees_no_officer(connection: sa.Connection) -> None:
    located = locate(connection, VISITOR, CGCS, *middle("g11"))
    assert located.grid is not None
    assert located.call is None
    assert not any(step.officers for step in located.grid.chain)


def test_a_place_on_a_shared_edge_says_that_the_lowest_id_decided(
    connection: sa.Connection, grids: dict[str, int]
) -> None:
    located = locate(connection, SYSTEM, CGCS, round(WEST + SIDE, 9), SOUTH + SIDE / 2)
    assert located.grid is not None
    assert located.grid.grid_id == min(grids["g00"], grids["g10"])
    assert located.method == "border_tie"
    assert located.on_border
    assert located.nearest is not None
    assert located.nearest.grid_id == max(grids["g00"], grids["g10"])


def test_near_the_border_the_grid_across_is_named_with_its_distance(
    connection: sa.Connection, grids: dict[str, int]
) -> None:
    lat = SOUTH + SIDE / 2
    located = locate(connection, SYSTEM, CGCS, WEST + SIDE - 5 * METRE, lat)
    assert located.near_border
    assert not located.on_border
    assert located.distance_m == pytest.approx(5 * 0.878, abs=0.03)  # cos(28.7°)
    assert located.nearest is not None
    assert located.nearest.grid_id == grids["g10"]


def test_at_the_edge_of_the_county_nothing_lies_across(connection: sa.Connection) -> None:
    located = locate(connection, SYSTEM, CGCS, WEST + METRE, SOUTH + SIDE / 2)
    assert located.near_border
    assert located.nearest is None


def test_on_a_road_along_the_border_both_sides_are_told(connection: sa.Connection) -> None:
    place = WEST + 2 * SIDE - 3 * METRE, SOUTH + 1.5 * SIDE
    located = locate(connection, SYSTEM, CGCS, *place)
    assert located.border_road is not None
    assert located.border_road.name == "界路"
    assert located.border_road.distance_m == pytest.approx(2.63, abs=0.05)
    assert located.nearest is not None
    assert [one.name for one in located.nearest.officers] == ["赵一"]


def test_a_road_across_the_border_is_no_border_road(connection: sa.Connection) -> None:
    located = locate(connection, SYSTEM, CGCS, WEST + 2 * SIDE - METRE, SOUTH + 0.5 * SIDE)
    assert located.near_border
    assert located.border_road is None


@pytest.mark.parametrize(
    ("offset_m", "share", "along"), [(0.5, 1.0, True), (1.5, 1.0, False), (0.0, 0.85, False)]
)
def test_a_road_runs_along_within_a_metre_for_nine_tenths(
    offset_m: float, share: float, along: bool
) -> None:
    border = shapely.LineString([(0, 0), (0.01, 0)])
    off = offset_m * METRE
    road = shapely.LineString(
        [(0, off), (0.01 * share, off)]
        + ([(0.01 * share, 0.01 * (1 - share))] if share < 1 else [])
    )
    located = find_along(np.array([road], dtype=object), np.array([border], dtype=object))
    assert located.tolist() == [along]


def test_a_road_along_several_borders_is_covered_by_them_together() -> None:
    borders = [shapely.LineString([(x / 100, 0), ((x + 1) / 100, 0)]) for x in range(3)]
    road = shapely.LineString([(0, 0), (0.03, 0)])
    located = find_along(np.array([road], dtype=object), np.array(borders, dtype=object))
    assert located.tolist() == [True]


def test_no_border_road_answers_nowhere() -> None:
    assert BorderRoads([], np.zeros(0, dtype=object)).at(112.9, 28.7, 10) is None


def test_a_place_in_the_sea_is_outside_with_the_nearest_grid(
    connection: sa.Connection, grids: dict[str, int]
) -> None:
    located = locate(connection, SYSTEM, CGCS, 122.5, 28.7)
    assert located.outside
    assert located.grid is None
    assert located.nearest is not None
    assert located.nearest.grid_id in {grids["g20"], grids["g21"], grids["g22"]}
    assert located.distance_m == pytest.approx(935_000, rel=0.01)


@pytest.mark.parametrize("code", ["gcj02", "bd09", "EPSG:4547"])
def test_coordinates_of_other_systems_mean_the_same_place(
    connection: sa.Connection, grids: dict[str, int], code: str
) -> None:
    system = CoordinateSystem(code)
    x, y = (float(value) for value in from_cgcs2000(system, *middle("g11")))
    located = locate(connection, SYSTEM, system, x, y)
    assert located.grid is not None
    assert located.grid.grid_id == grids["g11"]
    assert (located.lon, located.lat) == pytest.approx(middle("g11"), abs=1e-7)
    assert located.given.crs == code


def test_swapped_coordinates_are_refused_with_the_right_ones(connection: sa.Connection) -> None:
    lon, lat = middle("g11")
    with pytest.raises(UnreadableError) as caught:
        locate(connection, SYSTEM, CGCS, lat, lon)
    (one,) = caught.value.suggestions
    assert one.swapped
    assert (one.lon, one.lat) == pytest.approx((lon, lat))
    assert "经纬度" in str(caught.value.details("zh-CN")["suggestions"])


def test_plane_coordinates_read_as_degrees_name_their_zone(connection: sa.Connection) -> None:
    x, y = (float(v) for v in from_cgcs2000(CoordinateSystem("EPSG:4547"), *middle("g11")))
    with pytest.raises(UnreadableError) as caught:
        locate(connection, SYSTEM, CGCS, x, y)
    assert caught.value.suggestions[0].crs == "EPSG:4547"


def test_coordinates_that_fit_nowhere_are_refused_without_a_guess(
    connection: sa.Connection,
) -> None:
    with pytest.raises(UnreadableError) as caught:
        locate(connection, SYSTEM, CGCS, 1e12, 5.0)
    assert caught.value.suggestions == []


def test_every_scheme_answers_where_all_are_asked(
    connection: sa.Connection, grids: dict[str, int]
) -> None:
    located = locate(connection, SYSTEM, CGCS, *middle("g11"), scheme=locating.ALL)
    assert located.schemes is not None
    assert list(located.schemes) == ["base"]
    assert located.schemes["base"].grid == located.grid


def test_index_and_store_find_the_same(store: Store, grids: dict[str, int]) -> None:
    rng = np.random.default_rng(7)
    lon = WEST + SIDE * rng.uniform(-1, 4, 60)
    lat = SOUTH + SIDE * rng.uniform(-1, 4, 60)
    lon[:4] = np.round(WEST + SIDE * np.arange(4), 9)  # vertices
    lat[:4] = np.round(SOUTH + SIDE * np.arange(4), 9)
    with store.transaction(SYSTEM) as connection:
        version = find_version_in_force(connection)
        locator = Locator(*read_polygons(connection, version.scheme_id, version.effective_day))
        stored = find_in_store(connection, version, lon, lat)
    indexed = find_by_index(locator, lon, lat)
    assert indexed.grid_id.tolist() == stored.grid_id.tolist()
    assert indexed.tie.tolist() == stored.tie.tolist()
    assert indexed.distance_m == pytest.approx(stored.distance_m, abs=1e-6)
    clear = stored.distance_m > 1  # at a vertex several grids lie across
    assert indexed.beyond[clear].tolist() == stored.beyond[clear].tolist()
    assert (stored.grid_id == NO_GRID).sum() > 10


def test_the_desk_answers_as_the_store_does(store: Store, grids: dict[str, int]) -> None:
    service = AnswerService(store, Snapshot())
    ready = service.current(SYSTEM, "base")
    assert service.fresh(SYSTEM, "base") is ready
    place = WEST + 2 * SIDE - 3 * METRE, SOUTH + 1.5 * SIDE
    with store.transaction(SYSTEM) as connection:
        key = locating.find_schemes(connection, "base")[0]
        day = today(connection)
        now = service.answer(connection, SYSTEM, key, *place, day)
        assert now == locating.answer_from_store(connection, SYSTEM, key, *place, day)


def test_a_leave_is_noticed_by_the_roll_within_a_second(
    store: Store, grids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis_service.grids.answers.answering._CHECK_EVERY_S", 0.0)
    service = AnswerService(store, Snapshot())
    before = service.current(SYSTEM, "base").directory
    assert service.current(SYSTEM, "base").directory is before
    assert not before.officers_of(grids["g21"])[0].on_leave
    with store.transaction(SYSTEM) as connection:
        officer = t.officer.c
        who = connection.scalar(sa.select(officer.officer_id).where(officer.key == "o1"))
        day = today(connection)
        leave = sa.insert(t.leave).values(officer_id=who, valid=f"[{day},)")
        connection.execute(leave)
    after = service.current(SYSTEM, "base").directory
    assert after.officers_of(grids["g21"])[0].on_leave
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.leave).where(t.leave.c.officer_id == who))
    assert not service.current(SYSTEM, "base").directory.officers_of(grids["g21"])[0].on_leave
