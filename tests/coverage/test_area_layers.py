"""Bands and districts as Folium layers: the page's own ground, and words that stay words."""

import json

import folium
import pytest
import shapely

from gis_service.access import SYSTEM
from gis_service.coverage.areas.answers import AreaBand, NamedDistrict, NamedPiece
from gis_service.coverage.areas.service import AreaService, choose_usual_limits
from gis_service.coverage.runs import runs
from gis_service.maps.page.area_layers import (
    band_colours,
    draw_band_layer,
    draw_district_layer,
    draw_measured_areas,
)
from gis_service.messages import LANGUAGES, Language
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from tests.coverage.drawn_county import BOOK


def test_what_is_not_measured_has_no_layer(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        assert draw_measured_areas(connection, AreaService(Snapshot()), "en") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_bands_and_districts_are_those_of_the_page(county: Store, language: Language) -> None:
    """The same ground, to what the simpler borders leave out."""
    areas = AreaService(Snapshot())
    runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    with county.transaction(SYSTEM) as connection:
        bands, districts = draw_measured_areas(connection, areas, language)
        drawn, _ = areas.draw_bands(connection, "fire-20", "normal", choose_usual_limits(20.0))
        drawn_districts = areas.draw_districts(connection, "fire-20", "normal")
    assert bands.name != districts.name
    area = shapely.from_geojson(json.dumps(bands.layer.data))
    assert area.area == pytest.approx(sum(band.geometry.area for band in drawn), rel=0.05)
    assert [colour for colour, _ in bands.legend] == list(band_colours(3))
    shown = [feature["properties"] for feature in districts.layer.data["features"]]
    assert len(shown) == len(drawn_districts)
    assert {district["colour"] for district in shown} == {colour for colour, _ in districts.legend}
    assert all("km²" in district["area"] for district in shown)
    assert not any("cover." in words for district in shown for words in district.values())


def test_words_of_the_data_are_never_a_part_of_the_document() -> None:
    area = shapely.box(113.0, 28.0, 113.1, 28.1)
    crossing = {"kind": "river", "name": "<b>River</b>", "beyond_km2": 1.0}
    piece = NamedPiece("<i>village</i>", 0.5, 113.0, 28.0, area)
    district = NamedDistrict(
        7, "<script>alert(1)</script>", "一级", 120.0, 7.0, True, (crossing,), (piece,), area
    )  # fmt: skip
    (feature,) = draw_district_layer("x", [district], "en").data["features"]
    assert not any("<" in words for words in feature["properties"].values())
    assert "&lt;i&gt;village" in feature["properties"]["more"]
    assert "7 km²" in feature["properties"]["more"]


def test_bands_and_districts_without_ground_are_layers_without_words() -> None:
    nowhere = AreaBand(0.0, 5.0, shapely.MultiPolygon())
    bands = draw_band_layer("bands", [nowhere], ["0–5"], band_colours(1))
    districts = draw_district_layer("districts", [], "en")
    leaflet = folium.Map()
    for layer in (bands, districts):
        layer.add_to(leaflet)
        assert layer.data["features"] == []
    leaflet.get_root().render()


def test_ground_that_rounding_made_a_spike_of_is_drawn_without_it() -> None:
    corners = [(0, 0), (4, 0), (4, 4), (2, 4), (2, 6), (2, 4), (0, 4)]
    spiked = shapely.Polygon([(x / 1000, y / 1000) for x, y in corners])
    band = AreaBand(0.0, 5.0, shapely.MultiPolygon([spiked]))
    (feature,) = draw_band_layer("bands", [band], ["0–5"], band_colours(1)).data["features"]
    drawn = shapely.geometry.shape(feature["geometry"])
    assert drawn.is_valid
    assert drawn.bounds == (0.0, 0.0, 0.004, 0.004)
