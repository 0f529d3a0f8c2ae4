"""Land across oceans is not one county: which parts lie apart is said."""

import numpy as np
import pytest
import shapely

from gis_service.boundaries.linework.far_parts import find_parts_apart, refuse_apart
from gis_service.errors import InputError


def land(lon: float, lat: float, side: float = 0.1) -> shapely.Polygon:
    return shapely.box(lon, lat, lon + side, lat + side)


def test_a_county_with_islands_is_one_country() -> None:
    shapes = [land(110, 19), land(110.1, 19), land(112, 16), shapely.MultiPolygon([land(114, 10)])]
    assert [part.places for part in find_parts_apart(shapes)] == [(0, 1, 2, 3)]


def test_land_that_spans_a_continent_without_a_gap_is_one_country() -> None:
    assert len(find_parts_apart([land(73 + 5 * n, 40, 5) for n in range(12)])) == 1


@pytest.mark.parametrize(
    ("far", "where"), [(land(2, 48), "2.05, 48.05"), (land(-179.9, 19), "-179.85, 19.05")]
)
def test_parts_across_oceans_are_named_with_their_place(far: shapely.Polygon, where: str) -> None:
    names = ["home", "island", "far"]
    with pytest.raises(InputError) as caught:
        refuse_apart(names, np.array([land(110, 19), land(112, 16), far], dtype=object))
    assert caught.value.key == "boundaries.land_apart"
    assert caught.value.place.feature == "far"
    assert "home +1 (" in str(caught.value)
    assert f"far ({where})" in str(caught.value)


def test_one_grid_of_parts_across_an_ocean_is_refused_too() -> None:
    with pytest.raises(InputError, match="2 parts"):
        refuse_apart(
            ["a"], np.array([shapely.MultiPolygon([land(110, 19), land(-60, 14)])], object)
        )


def test_a_grid_drawn_across_180_is_refused_and_not_taken_round_the_globe() -> None:
    across = shapely.box(-179.99, 65, 179.99, 65.1)
    with pytest.raises(InputError) as caught:
        refuse_apart(["home", "across"], np.array([land(170, 65), across], dtype=object))
    assert (caught.value.key, caught.value.place.feature) == (
        "boundaries.land_across_180",
        "across",
    )


def test_nothing_lies_apart_from_nothing() -> None:
    assert find_parts_apart([]) == []
    assert find_parts_apart([None, shapely.Polygon()]) == []
