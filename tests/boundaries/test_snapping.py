"""A drawn line is pulled to what it nearly follows, and left alone elsewhere."""

from typing import Any

import numpy as np
import shapely

from gis_service.boundaries.linework.lines import PER_DEGREE, to_lattice
from gis_service.boundaries.linework.snapping import snap_rings
from gis_service.geodesy import on_lattice
from tests.boundaries.test_edits import at, line

METRE = 1 / 390  # of a grid's width


def snap(drawn: Any, targets: list[Any], tolerance_m: float) -> shapely.LineString:
    lines = [to_lattice(target) for target in targets]
    return shapely.LineString(snap_rings([to_lattice(drawn)], lines, tolerance_m)[0] / PER_DEGREE)


def test_vertices_go_to_vertices_before_edges() -> None:
    road = line((1, 1), (2, 1.5), (3, 1))
    drawn = line((2 + METRE, 1.5 - METRE), (2.4, 2.6))
    snapped = snap(drawn, [road], 3)
    assert snapped.coords[0] == tuple(np.round(at(2, 1.5), 9))
    assert snapped.coords[1] == on_lattice(drawn).coords[1]


def test_a_vertex_beside_an_edge_goes_onto_it() -> None:
    road = line((1, 1), (3, 1.7))
    snapped = snap(line((2, 1.35 + METRE), (2, 3)), [road], 3)
    assert road.distance(shapely.Point(snapped.coords[0])) < 1e-9
    assert snapped.coords[-1] == tuple(np.round(at(2, 3), 9))


def test_a_line_takes_up_the_bends_that_it_passes_by() -> None:
    road = line((1, 1), (2, 1 + METRE), (3, 1 - METRE), (4, 1))
    snapped = snap(line((1, 1 + METRE), (4, 1 - METRE)), [road], 3)
    assert snapped.equals(on_lattice(road))


def test_what_is_farther_away_does_not_pull() -> None:
    road = line((1, 1), (4, 1))
    drawn = line((1, 1 + 5 * METRE), (4, 1 + 5 * METRE))
    assert snap(drawn, [road], 3).equals(on_lattice(drawn))


def test_parcels_pull_by_their_outline() -> None:
    parcel = shapely.Polygon([at(1, 1), at(2, 1), at(2, 2), at(1, 2)])
    drawn = line((1 - METRE, 1 + METRE), (2 + METRE, 1 - METRE), (2 - METRE, 2 + METRE))
    assert snap(drawn, [parcel], 3).equals(on_lattice(line((1, 1), (2, 1), (2, 2))))


def test_nothing_to_follow_leaves_the_line_on_the_lattice() -> None:
    drawn = line((1.1, 1.2), (2.3, 2.4))
    assert snap(drawn, [], 3).equals(on_lattice(drawn))
