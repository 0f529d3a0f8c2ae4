"""Service areas as Folium layers: bands of minutes along the streets, and station districts.

Both are switched on by the reader. They hold streets and stations only, nobody's household.
"""

import gzip
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import folium
import shapely
import shapely.geometry
import sqlalchemy as sa

from gis_service.coverage.areas.answers import AreaBand, NamedDistrict
from gis_service.coverage.areas.service import AreaService, choose_usual_limits
from gis_service.coverage.areas.shapes import drop_specks, make_valid_area
from gis_service.coverage.runs.reading import Run, find_latest_run
from gis_service.coverage.standards.book import Standard, standard_book
from gis_service.maps.figures.classes import SEQUENTIAL
from gis_service.messages import Language, text

BAND_COLOURS: Final = SEQUENTIAL["Purples"][4:0:-1]
"""The nearer, the darker."""
_FITS, _TOO_LARGE, _NOBODY = "#1b5e9b", "#9a5b00", "#5b6770"
_SIMPLE_DEGREES: Final = 3e-4
"""What is left out of borders: triangles smaller than its square, 30 m; and as small specks."""
_DECIMALS: Final = 5


@dataclass(frozen=True)
class AreaLayer:
    """What a map shows of a measured standard besides its figures."""

    # For the control that switches the layer.
    name: str
    # Not shown at first.
    layer: folium.GeoJson
    # Colour and words of each line.
    legend: tuple[tuple[str, str], ...]


def draw_measured_areas(
    connection: sa.Connection, areas: AreaService, language: Language
) -> list[AreaLayer]:
    """Draw the bands of every standard that is measured, and the districts of who drives out."""
    layers = []
    for code, standard in standard_book().standards.items():
        run = find_latest_run(connection, code)
        if run is None or run.network_id is None or not any(run.summary["facilities"].values()):
            continue
        name = standard.name if language == "zh-CN" else standard.name_en
        layers.append(_draw_bands(connection, areas, standard, run, name, language))
        if standard.direction == "from_facility":
            layers.append(_draw_districts(connection, areas, run, name, language))
    return layers


def _draw_bands(
    connection: sa.Connection,
    areas: AreaService,
    standard: Standard,
    run: Run,
    name: str,
    language: Language,
) -> AreaLayer:
    limits = choose_usual_limits(standard.limit_minutes.value)
    packed = areas.answer_bands(connection, run.standard, run.scenario, limits)()
    features = json.loads(gzip.decompress(packed))["features"]
    bands = [
        AreaBand(
            feature["properties"]["from_minutes"],
            feature["properties"]["to_minutes"],
            shapely.geometry.shape(feature["geometry"]),
        )
        for feature in features
    ]
    labels, colours = label_bands(bands, language), band_colours(len(bands))
    title = f"{name} · {text('cover.fill_bands', language)}"
    return AreaLayer(
        title,
        draw_band_layer(title, bands, labels, colours),
        tuple(zip(colours, labels, strict=True)),
    )


def _draw_districts(
    connection: sa.Connection, areas: AreaService, run: Run, name: str, language: Language
) -> AreaLayer:
    districts = areas.draw_districts(connection, run.standard, run.scenario, run.kinds[0])
    title = f"{name} · {text('cover.layer_districts', language)}"
    lines = (
        (_FITS, "district_fits"),
        (_TOO_LARGE, "district_too_large"),
        (_NOBODY, "district_nobody"),
    )
    used_colours = {_district_colour(district) for district in districts}
    legend = tuple(
        (colour, text(f"cover.{key}", language)) for colour, key in lines if colour in used_colours
    )
    return AreaLayer(title, draw_district_layer(title, districts, language), legend)


def band_colours(count: int) -> tuple[str, ...]:
    """Choose colours of bands."""
    colours = BAND_COLOURS[1:] if count < len(BAND_COLOURS) else BAND_COLOURS
    return tuple(colours[min(place, len(colours) - 1)] for place in range(count))


def label_bands(bands: Sequence[AreaBand], language: Language) -> list[str]:
    """Say which minutes each band holds."""
    return [
        text(
            "cover.band",
            language,
            **{"from": f"{band.from_minutes:g}", "to": f"{band.to_minutes:g}"},
        )
        for band in bands
    ]


def draw_band_layer(
    name: str, bands: Sequence[AreaBand], labels: Sequence[str], colours: Sequence[str]
) -> folium.GeoJson:
    """
    Draw bands.

    Parameters
    ----------
    name
        Of the layer, for the control that switches it.
    bands
        Of one run, which do not overlap.
    labels, colours
        Of each.

    Returns
    -------
    folium.GeoJson
        To be added to a map; not shown at first.
    """
    simple = _simplify([band.geometry for band in bands])
    features = [
        _feature(shape, {"said": label, "colour": colour})
        for shape, label, colour in zip(simple, labels, colours, strict=True)
        if not shape.is_empty
    ]
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        name=name,
        show=False,
        style_function=lambda feature: {
            "fillColor": feature["properties"]["colour"],
            "fillOpacity": 0.85,
            "stroke": False,
        },
        tooltip=_make_tooltip(features, ["said"]),
    )


def draw_district_layer(
    name: str, districts: Sequence[NamedDistrict], language: Language
) -> folium.GeoJson:
    """
    Draw the districts of stations, and name the pieces that lie apart from their station's own.

    Parameters
    ----------
    name
        Of the layer, for the control that switches it.
    districts
        The districts.
    language
        Of the words.

    Returns
    -------
    folium.GeoJson
        To be added to a map; not shown at first.
    """
    simple = _simplify([district.geometry for district in districts])
    features = [
        _feature(
            shape, {**_describe_district(district, language), "colour": _district_colour(district)}
        )
        for shape, district in zip(simple, districts, strict=True)
        if not shape.is_empty
    ]
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        name=name,
        show=False,
        style_function=lambda feature: {
            "color": feature["properties"]["colour"],
            "weight": 2,
            "fillOpacity": 0.05,
            "fillColor": feature["properties"]["colour"],
        },
        tooltip=_make_tooltip(features, ["name", "area", "more"]),
    )


def _make_tooltip(features: Sequence[Any], fields: list[str]) -> folium.GeoJsonTooltip | None:
    """Show fields of what is pointed at; Folium takes none of a layer without features."""
    return folium.GeoJsonTooltip(fields, labels=False) if features else None


def _describe_district(district: NamedDistrict, language: Language) -> dict[str, str]:
    def say(key: str, **values: object) -> str:
        return text(f"cover.{key}", language, **values)

    more = []
    if district.facility_id is not None:
        key = "district_over" if district.too_large else "district_within"
        no_limit = district.limit_km2 is None
        more.append(say("district_no_limit") if no_limit else say(key, n=f"{district.limit_km2:g}"))
    comma = say("list_comma")
    if district.crosses:
        barriers = [
            say(
                "district_barrier",
                name=crossing["name"] or say(f"barrier_{crossing['kind']}"),
                n=f"{crossing['beyond_km2']:.1f}",
            )
            for crossing in district.crosses
        ]
        more.append(say("district_crosses", barriers=comma.join(barriers)))
    if district.detached:
        pieces = comma.join(
            say("district_piece", name=piece.name, n=f"{piece.area_km2:.1f}")
            for piece in district.detached
        )
        more.append(say("district_pieces", pieces=pieces))
    return {
        "name": html.escape(district.name) or say("district_nobody"),
        "area": say("district_area", n=f"{district.area_km2:,.1f}"),
        "more": html.escape(" · ".join(more)),
    }


def _district_colour(district: NamedDistrict) -> str:
    if district.facility_id is None:
        return _NOBODY
    return _TOO_LARGE if district.too_large else _FITS


def _simplify(shapes: Sequence[Any]) -> list[Any]:
    """Leave out what shows nowhere, of all together: neighbours keep the border they share."""
    # Where the ground is a metre wide, rounding has made a spike of it, which is no polygon.
    light = shapely.coverage_simplify([make_valid_area(shape) for shape in shapes], _SIMPLE_DEGREES)
    return [drop_specks(shape, _SIMPLE_DEGREES * _SIMPLE_DEGREES) for shape in light]


def _feature(shape: Any, properties: Mapping[str, str]) -> dict[str, Any]:
    rounded = shapely.transform(shape, lambda xy: xy.round(_DECIMALS))
    return {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(rounded),
        "properties": dict(properties),
    }
