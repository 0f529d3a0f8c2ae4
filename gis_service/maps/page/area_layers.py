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

BAND_COLOURS: Final = SEQUENTIAL["Blues"][4:0:-1]
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


def measured_areas(
    connection: sa.Connection, areas: AreaService, language: Language
) -> list[AreaLayer]:
    """Draw the bands of every standard that is measured, and the districts of who drives out."""
    found = []
    for code, standard in standard_book().standards.items():
        run = find_latest_run(connection, code)
        if run is None or run.network_id is None or not any(run.summary["facilities"].values()):
            continue
        name = standard.name if language == "zh-CN" else standard.name_en
        found.append(_bands_of(connection, areas, standard, run, name, language))
        if standard.direction == "from_facility":
            found.append(_districts_of(connection, areas, run, name, language))
    return found


def _bands_of(
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
            one["properties"]["from_minutes"],
            one["properties"]["to_minutes"],
            shapely.geometry.shape(one["geometry"]),
        )
        for one in features
    ]
    words, colours = band_words(bands, language), band_colours(len(bands))
    title = f"{name} · {text('cover.fill_bands', language)}"
    return AreaLayer(
        title, band_layer(title, bands, words, colours), tuple(zip(colours, words, strict=True))
    )


def _districts_of(
    connection: sa.Connection, areas: AreaService, run: Run, name: str, language: Language
) -> AreaLayer:
    found = areas.draw_districts(connection, run.standard, run.scenario, run.kinds[0])
    title = f"{name} · {text('cover.layer_districts', language)}"
    lines = (
        (_FITS, "district_fits"),
        (_TOO_LARGE, "district_too_large"),
        (_NOBODY, "district_nobody"),
    )
    drawn = {_district_colour(one) for one in found}
    legend = tuple(
        (colour, text(f"cover.{key}", language)) for colour, key in lines if colour in drawn
    )
    return AreaLayer(title, district_layer(title, found, language), legend)


def band_colours(count: int) -> tuple[str, ...]:
    """Choose colours of bands."""
    shown = BAND_COLOURS[1:] if count < len(BAND_COLOURS) else BAND_COLOURS
    return tuple(shown[min(place, len(shown) - 1)] for place in range(count))


def band_words(bands: Sequence[AreaBand], language: Language) -> list[str]:
    """Say which minutes each band holds."""
    return [
        text(
            "cover.band", language, **{"from": f"{one.from_minutes:g}", "to": f"{one.to_minutes:g}"}
        )
        for one in bands
    ]


def band_layer(
    name: str, bands: Sequence[AreaBand], words: Sequence[str], colours: Sequence[str]
) -> folium.GeoJson:
    """
    Draw bands.

    Parameters
    ----------
    name
        Of the layer, for the control that switches it.
    bands
        Of one run, which do not overlap.
    words, colours
        Of each.

    Returns
    -------
    folium.GeoJson
        To be added to a map; not shown at first.
    """
    simple = _simple([one.geometry for one in bands])
    features = [
        _feature(shape, {"said": said, "colour": colour})
        for shape, said, colour in zip(simple, words, colours, strict=True)
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
        tooltip=_tooltip(features, ["said"]),
    )


def district_layer(name: str, found: Sequence[NamedDistrict], language: Language) -> folium.GeoJson:
    """
    Draw the districts of stations, and name the pieces that lie apart from their station's own.

    Parameters
    ----------
    name
        Of the layer, for the control that switches it.
    found
        The districts.
    language
        Of the words.

    Returns
    -------
    folium.GeoJson
        To be added to a map; not shown at first.
    """
    simple = _simple([one.geometry for one in found])
    features = [
        _feature(shape, {**_district_words(one, language), "colour": _district_colour(one)})
        for shape, one in zip(simple, found, strict=True)
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
        tooltip=_tooltip(features, ["name", "area", "more"]),
    )


def _tooltip(features: Sequence[Any], fields: list[str]) -> folium.GeoJsonTooltip | None:
    """Show fields of what is pointed at; Folium takes none of a layer without features."""
    return folium.GeoJsonTooltip(fields, labels=False) if features else None


def _district_words(one: NamedDistrict, language: Language) -> dict[str, str]:
    def say(key: str, **values: object) -> str:
        return text(f"cover.{key}", language, **values)

    more = []
    if one.facility_id is not None:
        key = "district_over" if one.too_large else "district_within"
        no_limit = one.limit_km2 is None
        more.append(say("district_no_limit") if no_limit else say(key, n=f"{one.limit_km2:g}"))
    comma = say("list_comma")
    if one.crosses:
        barriers = [
            say(
                "district_barrier",
                name=crossing["name"] or say(f"barrier_{crossing['kind']}"),
                n=f"{crossing['beyond_km2']:.1f}",
            )
            for crossing in one.crosses
        ]
        more.append(say("district_crosses", barriers=comma.join(barriers)))
    if one.detached:
        pieces = comma.join(
            say("district_piece", name=piece.name, n=f"{piece.area_km2:.1f}")
            for piece in one.detached
        )
        more.append(say("district_pieces", pieces=pieces))
    return {
        "name": html.escape(one.name) or say("district_nobody"),
        "area": say("district_area", n=f"{one.area_km2:,.1f}"),
        "more": html.escape(" · ".join(more)),
    }


def _district_colour(one: NamedDistrict) -> str:
    if one.facility_id is None:
        return _NOBODY
    return _TOO_LARGE if one.too_large else _FITS


def _simple(shapes: Sequence[Any]) -> list[Any]:
    """Leave out what shows nowhere, of all together: neighbours keep the border they share."""
    # Where the ground is a metre wide, rounding has made a spike of it, which is no polygon.
    light = shapely.coverage_simplify([make_valid_area(one) for one in shapes], _SIMPLE_DEGREES)
    return [drop_specks(one, _SIMPLE_DEGREES * _SIMPLE_DEGREES) for one in light]


def _feature(shape: Any, properties: Mapping[str, str]) -> dict[str, Any]:
    rounded = shapely.transform(shape, lambda xy: xy.round(_DECIMALS))
    return {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(rounded),
        "properties": dict(properties),
    }
