"""Layers as text: valid GeoJSON, neighbours that never part, classes of roads by zoom."""

import json
from itertools import pairwise

import numpy as np
import pytest
import shapely

from gis_service.maps.page.layers import Detail, road_classes, simplify_together, write_features
from gis_service.store import tables as t


def wavy_pair() -> np.ndarray:
    """Two neighbours with a border of 400 vertices between them."""
    lat = np.linspace(28.7, 28.8, 400)
    border = np.column_stack([112.9 + 2e-5 * np.sin(lat * 9e3), lat])
    west = [(112.8, 28.7), *border, (112.8, 28.8)]
    east = [(113.0, 28.8), *border[::-1], (113.0, 28.7)]
    return np.array([shapely.Polygon(west), shapely.Polygon(east)], dtype=object)


@pytest.mark.parametrize("detail", ["low", "mid", "full"])
def test_neighbours_never_part(detail: Detail) -> None:
    drawn = simplify_together(wavy_pair(), detail, tessellates=True)
    assert shapely.coverage_is_valid(shapely.get_parts(drawn))
    assert all(shape.geom_type == "MultiPolygon" for shape in drawn)


def test_coarser_is_shorter() -> None:
    details: tuple[Detail, ...] = ("low", "mid", "full")
    number = [
        int(
            shapely.get_num_coordinates(
                simplify_together(wavy_pair(), detail, tessellates=True)
            ).sum()
        )
        for detail in details
    ]
    assert number[0] <= number[1] < number[2]


def test_a_level_that_is_no_coverage_is_drawn_in_full() -> None:
    drawn = simplify_together(wavy_pair(), "low", tessellates=False)
    assert (
        shapely.get_num_coordinates(drawn).sum() == shapely.get_num_coordinates(wavy_pair()).sum()
    )


def test_no_shapes_make_no_features() -> None:
    assert len(simplify_together(np.array([], dtype=object), "low", tessellates=True)) == 0


def test_text_of_any_kind_survives() -> None:
    name = '"东街", \\ \n </script> 😀'
    point = '{"type":"Point","coordinates":[1,2]}'
    text = write_features([point], [{"name": name}], [7], truncated=True)
    read = json.loads(text)
    assert read["features"][0]["properties"]["name"] == name
    assert read["features"][0]["id"] == 7
    assert read["truncated"] is True


def test_a_nearer_map_shows_more_roads_until_it_shows_all() -> None:
    shown = [set(road_classes(zoom)) for zoom in range(20)]
    assert all(far <= near for far, near in pairwise(shown))
    assert "tertiary" not in shown[11]
    assert "secondary" in shown[8]
    assert shown[15] == set(t.ROAD_CLASSES)
