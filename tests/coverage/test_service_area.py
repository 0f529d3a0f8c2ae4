"""Bands and districts: nobody inside is late, nobody outside is early, the ground is tiled."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from gis_service.coverage.areas import shapes, street_cells
from gis_service.coverage.areas.bands import draw_bands
from gis_service.coverage.areas.districts import Barrier, divide_into_districts
from gis_service.coverage.areas.shapes import generalise, make_valid_area
from gis_service.coverage.areas.station_reach import NOBODY, Reacher
from gis_service.coverage.areas.street_cells import DrawingBuffers, StreetCells
from gis_service.coverage.network.graph import ProfileNetwork, Snapped, Snapper, apply_profile
from gis_service.coverage.standards.book import read_standards
from gis_service.coverage.travel.travel_time import find_nearest_facility
from tests.coverage.drawn_roads import at_m, drawn

BOOK = read_standards()
RULES = BOOK.place
SIDE, STEP_M = 7, 600.0
LIMITS = [3.0, 6.0, 9.0]


@pytest.fixture(scope="module")
def town() -> ProfileNetwork:
    """Streets on a bent lattice, some of them one-way, some missing."""
    dice = np.random.default_rng(11)
    nodes = {
        row * SIDE + column: (
            column * STEP_M + dice.uniform(-120, 120),
            row * STEP_M + dice.uniform(-120, 120),
        )
        for row in range(SIDE)
        for column in range(SIDE)
    }
    edges: list[dict[str, object]] = [
        {
            "source_node": node,
            "target_node": other,
            "road_class": str(dice.choice(["tertiary", "residential", "track"])),
            "oneway": int(dice.choice([0, 0, 0, 1, -1])),
        }
        for node in nodes
        for other in (node + 1, node + SIDE)
        if other in nodes and (other % SIDE or other - node > 1) and dice.random() < 0.85
    ]
    network = drawn(nodes, edges)
    return apply_profile(network, BOOK.profiles["fire_engine"], BOOK.scenario("normal"), RULES)


@pytest.fixture(scope="module")
def cells(town: ProfileNetwork) -> StreetCells:
    return StreetCells(town, RULES)


@pytest.fixture(scope="module")
def stations(town: ProfileNetwork) -> Snapped:
    lonlat = np.array([at_m(700, 650), at_m(2900, 2500), at_m(620, 3010)])
    return Snapper(town).snap(lonlat[:, 0], lonlat[:, 1], RULES.snap_cap_m.value)


@pytest.fixture(scope="module")
def houses() -> np.ndarray:
    dice = np.random.default_rng(3)
    return np.array([at_m(*dice.uniform(-400, SIDE * STEP_M, 2)) for _ in range(2000)])


def test_none_inside_is_late_and_none_outside_early(
    town: ProfileNetwork, cells: StreetCells, stations: Snapped, houses: np.ndarray
) -> None:
    placed = Snapper(town).snap(houses[:, 0], houses[:, 1], RULES.snap_cap_m.value)
    points = cells.to_plane(shapely.points(houses))
    reacher = Reacher(town, "from_facility", RULES)
    reaches = list(enumerate(reacher.reach_each(stations, 1.0, max(LIMITS))))
    drawn_bands = draw_bands(cells, [*reaches], LIMITS)
    wrong = judged = 0
    for station in range(len(stations)):
        minutes = find_nearest_facility(
            town,
            placed,
            stations.take(np.array([station])),
            "from_facility",
            turnout_minutes=1.0,
            off_road_minutes_per_m=RULES.off_road_minutes_per_m,
        ).minutes
        for band in (own for own in drawn_bands if own.station == station):
            inside = shapely.covers(band.geometry, points)
            near = np.minimum(abs(minutes - band.from_minutes), abs(minutes - band.to_minutes))
            should = (minutes > band.from_minutes) & (minutes <= band.to_minutes)
            # A house between two streets may be off by a sliver where their times jump.
            wrong += int(((inside != should) & (near > cells.tolerance_minutes)).sum())
            judged += int(should.sum())
            assert band.geometry.is_valid
    assert judged > 500
    assert wrong <= judged / 1000


def test_bands_of_one_station_do_not_overlap_and_holes_are_kept(
    town: ProfileNetwork, cells: StreetCells, stations: Snapped
) -> None:
    reach = Reacher(town, "from_facility", RULES).reach_together(stations, 1.0)
    first, second, third = (band.geometry for band in draw_bands(cells, [(None, reach)], LIMITS))
    minutes = cells.find_minutes(reach)
    whole = cells.draw_area(minutes, None, LIMITS[-1])
    assert first.area + second.area + third.area == pytest.approx(whole.area, rel=1e-6)
    assert shapely.intersection(first, second).area < 1.0
    assert sum(len(part.interiors) for part in (*second.geoms, *third.geoms)) > 0


def test_nothing_is_drawn_where_no_street_leads() -> None:
    island = drawn(
        {1: (0, 0), 2: (2000, 0), 3: (0, 300), 4: (2000, 300)},
        [{"source_node": 1, "target_node": 2}, {"source_node": 3, "target_node": 4}],
    )
    profiled = apply_profile(island, BOOK.profiles["fire_engine"], BOOK.scenario("normal"), RULES)
    cells = StreetCells(profiled, RULES)
    lon, lat = at_m(1000, 0)
    station = Snapper(profiled).snap(np.array([lon]), np.array([lat]), 500.0)
    reach = Reacher(profiled, "from_facility", RULES).reach_together(station, 0.0)
    shape = cells.draw_area(cells.find_minutes(reach), None, 60.0)
    other_side = cells.to_plane(shapely.points([at_m(1000, 100), at_m(1000, 200)]))
    assert shapely.covers(shape, other_side).tolist() == [True, False]


def test_districts_tile_the_county_and_tell_what_they_cross(
    town: ProfileNetwork, cells: StreetCells, stations: Snapped
) -> None:
    reach = Reacher(town, "from_facility", RULES).reach_together(stations, 1.0)
    county = cells.to_plane(shapely.box(*at_m(-500, -500), *at_m(4500, 4500)))
    lonlat = [at_m(700, 650), at_m(2900, 2500), at_m(620, 3010)]
    places = list(cells.to_plane(shapely.points(lonlat)))
    across = shapely.LineString(
        shapely.get_coordinates(cells.to_plane(shapely.points([at_m(-900, 1), at_m(5000, 1)])))
    )
    river = Barrier("river", "芷水", across.buffer(20))
    districts = divide_into_districts(
        cells, cells.find_owners(reach), places, county, [river], BOOK.districts
    )
    assert sum(district.area_km2 for district in districts) == pytest.approx(
        county.area / 1e6, rel=1e-9
    )
    crossed = {
        district.station: [c.name for c in district.crosses]
        for district in districts
        if district.crosses
    }
    assert crossed == {1: ["芷水"]}
    for district in districts:
        if district.station != NOBODY:
            assert shapely.distance(district.geometry.geoms[0], places[district.station]) < 200


def test_area_limits_go_by_the_grade() -> None:
    assert [
        BOOK.districts.limit_km2(grade) for grade in ("一级", "second", "mini", "?", "town")
    ] == [
        7.0,
        4.0,
        2.0,
        15.0,
        None,  # a town brigade is judged by its 20 minutes
    ]
    assert "7 km2" in BOOK.districts.limit_sources("一级")[0]
    assert [len(BOOK.districts.limit_sources(grade)) for grade in ("?", "town")] == [2, 1]


def square(size: float, middle: tuple[float, float], *, hole: bool) -> np.ndarray:
    """A closed ring, tilted so that no two borders have a height in common."""
    corners = np.array([[-1, -0.9], [1, -1.1], [1.1, 1], [-0.9, 1.05]]) * size / 2 + middle
    ring = np.concatenate((corners, corners[:1]))
    return ring[::-1] if hole else ring


def drawn_from(rings: list[np.ndarray]) -> tuple[shapely.MultiPolygon, shapely.MultiPolygon]:
    """As the kernel nests the rings, and as GEOS does."""
    x, y = np.concatenate(rings).T.copy()
    ring = np.concatenate(([0], np.cumsum([len(points) for points in rings])))
    area = np.array(
        [shapely.Polygon(points).area * (1 if _turns_left(points) else -1) for points in rings]
    )
    of_band = np.zeros(len(area), dtype=np.int64)
    return (
        shapes.nest_rings(x, y, ring, area, of_band, 0),
        shapes.untangle_rings(x, y, ring, area, of_band, 0),
    )


def _turns_left(ring: np.ndarray) -> bool:
    return bool(shapely.LinearRing(ring).is_ccw)


def test_a_hole_goes_to_its_own_shell_however_deep_they_lie_in_one_another() -> None:
    """Shell, lake, island in the lake, pond on the island; a second land beside; a speck."""
    rings = [
        square(100, (0, 0), hole=False),
        square(80, (0, 1), hole=True),
        square(60, (1, 0), hole=False),
        square(20, (-3, 2), hole=True),
        square(14, (18, -4), hole=True),
        square(40, (200, 3), hole=False),
        square(10, (200, 3), hole=True),
        square(0.5, (300, 3), hole=False),
    ]
    dice = np.random.default_rng(8)
    for _ in range(20):
        order = dice.permutation(len(rings))
        quick, slow = drawn_from([rings[place] for place in order])
        assert shapely.is_valid(quick)
        assert shapely.normalize(quick) == shapely.normalize(slow)
        assert sorted(len(piece.interiors) for piece in quick.geoms) == [1, 1, 2]


def test_bands_are_nested_as_geos_nests_them(
    cells: StreetCells, town: ProfileNetwork, stations: Snapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaches = list(enumerate(Reacher(town, "from_facility", RULES).reach_each(stations, 1.0, 9.0)))
    quick = draw_bands(cells, reaches, LIMITS)
    monkeypatch.setattr(street_cells, "nest_rings", shapes.untangle_rings)
    slow = draw_bands(cells, reaches, LIMITS)
    assert sum(len(part.interiors) for band in quick for part in band.geometry.geoms) > 3
    for first, second in zip(quick, slow, strict=True):
        assert shapely.is_valid(first.geometry)
        assert shapely.normalize(first.geometry) == shapely.normalize(second.geometry)


def test_stations_alone_and_together_are_what_scipy_finds(
    town: ProfileNetwork, stations: Snapped
) -> None:
    reacher = Reacher(town, "from_facility", RULES)
    graph = reacher.graph
    size, limit = graph.node_count, 9.0
    table = csr_array((graph.minutes, graph.head, graph.indptr), shape=(size, size))
    begins = 1.0 + stations.off_road_m * RULES.off_road_minutes_per_m
    alone = []
    for station, reach in enumerate(reacher.reach_each(stations, 1.0, limit)):
        edge, fraction = stations.edge[station], stations.fraction[station]
        ways = dijkstra(table, indices=[town.network.source[edge], town.network.target[edge]])
        starts = begins[station] + np.array(
            [fraction * town.minutes_against[edge], (1.0 - fraction) * town.minutes_along[edge]]
        )
        minutes = (ways + starts[:, None]).min(axis=0)
        minutes[minutes > limit] = np.inf
        assert np.isfinite(minutes).sum() > 3
        np.testing.assert_allclose(reach.at_node, minutes, rtol=1e-12)
        assert (reach.server == np.where(np.isfinite(minutes), station, NOBODY)).all()
        alone.append(minutes)
    both = reacher.reach_together(stations, 1.0, limit)
    np.testing.assert_allclose(both.at_node, np.min(alone, axis=0), rtol=1e-12)
    nearest = np.where(np.isfinite(both.at_node), np.argmin(alone, axis=0), NOBODY)
    assert (both.server == nearest).all()


def test_what_is_reached_is_drawn_alike_with_and_without_the_rest(
    town: ProfileNetwork, cells: StreetCells, stations: Snapped
) -> None:
    """Only what a station reaches is looked at; all points of all streets give the same bands."""
    buffers = DrawingBuffers(cells)
    for reach in Reacher(town, "from_facility", RULES).reach_each(stations, 1.0, max(LIMITS)):
        rest = cells.draw_areas(cells.find_minutes(reach), sorted(LIMITS))
        for first, second in zip(
            cells.draw_reached_areas(reach, sorted(LIMITS), buffers), rest, strict=True
        ):
            assert not first.is_empty
            assert shapely.to_wkb(first) == shapely.to_wkb(second)


def test_a_long_border_finds_room(
    town: ProfileNetwork, cells: StreetCells, stations: Snapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = Reacher(town, "from_facility", RULES).reach_together(stations, 1.0, max(LIMITS))
    wanted = cells.draw_reached_areas(reach, LIMITS, DrawingBuffers(cells))
    monkeypatch.setattr(street_cells, "ROOM_FOR_VERTICES", 4)
    monkeypatch.setattr(street_cells, "ROOM_FOR_PIECES", 2)
    narrow = StreetCells(town, RULES, kept=cells.as_arrays())
    again = narrow.draw_reached_areas(reach, LIMITS, DrawingBuffers(narrow))
    assert [shapely.to_wkb(area) for area in again] == [shapely.to_wkb(area) for area in wanted]


def test_a_street_is_reached_from_a_station_on_it_before_its_ends_are(
    town: ProfileNetwork, cells: StreetCells
) -> None:
    """A few seconds do not reach a crossing, but the street around the station."""
    longest = int(np.argmax(town.network.length_m))
    middle = shapely.line_interpolate_point(town.network.geometry[longest], 0.5, normalized=True)
    station = Snapper(town).snap(np.array([middle.x]), np.array([middle.y]), 500.0)
    (reach,) = Reacher(town, "from_facility", RULES).reach_each(station, 0.0, max(LIMITS))
    assert reach.minutes.min() > 0.15
    reached = cells.find_minutes(reach) <= 0.15
    assert reached.any()
    assert (cells.edge[reached] == station.edge[0]).all()
    assert not cells.draw_reached_areas(reach, [0.15], DrawingBuffers(cells))[0].is_empty


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 9.0), st.floats(0.2, 1.0))
def test_an_area_is_the_union_of_its_parts_of_cells(
    cells: StreetCells, seed: int, limit: float, part: float
) -> None:
    """The slow definition: each cell cut by its circle, less the inner one, all put together."""
    dice = np.random.default_rng(seed)
    middle = dice.integers(len(cells))
    minutes = np.hypot(cells.x - cells.x[middle], cells.y - cells.y[middle]) / 250.0
    minutes = minutes + dice.uniform(0, 0.3, len(cells))
    above = limit * part if part < 0.9 else None
    quick = cells.draw_area(minutes, above, limit)
    slow = shapely.difference(
        _united(cells, minutes, limit),
        shapely.MultiPolygon() if above is None else _united(cells, minutes, above),
    )
    assert shapely.is_valid(quick)
    rim_m = shapely.length(slow) + shapely.length(quick)
    assert shapely.area(shapely.symmetric_difference(quick, slow)) <= cells.sagitta_m * rim_m + 1
    for piece in quick.geoms:
        assert piece.exterior.is_ccw
        assert not any(hole.is_ccw for hole in piece.interiors)


def _united(cells: StreetCells, minutes: np.ndarray, limit: float) -> shapely.Geometry:
    """Cells by GEOS, circles by a buffer."""
    least_m = street_cells.LEAST_OF_SPACING * cells.spacing_m
    radius = (limit - minutes) / RULES.off_road_minutes_per_m
    within = np.flatnonzero(radius >= least_m / 2)  # what is narrower is left out
    radius = np.minimum(np.maximum(radius[within], least_m), RULES.snap_cap_m.value)
    corners = [
        cells.cells.corner[cells.cells.start[at] : cells.cells.start[at + 1]]  # of this point
        for at in within
    ]
    cell_shapes = np.array(
        [
            shapely.Polygon(
                np.column_stack((cells.cells.corner_x[of_cell], cells.cells.corner_y[of_cell]))
            )
            for of_cell in corners
        ],
        dtype=object,
    )
    circles = shapely.buffer(shapely.points(cells.x[within], cells.y[within]), radius, quad_segs=24)
    return shapely.union_all(shapely.intersection(cell_shapes, circles))


@pytest.mark.parametrize(
    ("drawn", "area"),
    [
        ([shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)], 7.0),
        ([shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])], 2.0),
        ([shapely.Polygon([(0, 0), (2, 0), (2, 2), (2, 3), (2, 2), (0, 2)])], 4.0),
    ],
    ids=["cells that cross", "a ring that crosses itself", "a spike"],
)
def test_ground_is_valid_before_anything_is_done_with_it(
    drawn: list[shapely.Polygon], area: float
) -> None:
    valid = make_valid_area(shapely.MultiPolygon(drawn))
    assert valid.is_valid
    assert valid.area == pytest.approx(area)
    light, _ = generalise([shapely.MultiPolygon(drawn)], 0.01)
    assert light[0].is_valid
    assert light[0].area == pytest.approx(area, rel=0.01)
