"""The map as one file: Folium's document with its libraries and data inside, for a disk or a mail.

It needs no server and no network. What leaves the house this way holds no household, grids of few
households show no figure, and where trouble is stands only to about 100 m.
"""

import base64
import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import folium
import numpy as np
import shapely
import shapely.geometry
import sqlalchemy as sa
from branca.element import Element

from gis_service import __version__
from gis_service.access import Actor
from gis_service.coverage.areas.service import AreaService, find_area_folder
from gis_service.coverage.standards.book import standard_book
from gis_service.geodesy import GeometryArray
from gis_service.grids.answers.queries import read_parents
from gis_service.grids.reading import SchemeKey, find_scheme
from gis_service.grids.versions import find_version_in_force, today
from gis_service.maps.figures.classes import hide_small
from gis_service.maps.figures.figures import MapFigures, compute_figures
from gis_service.maps.page import layers, queries
from gis_service.maps.page.answer_cache import FIGURES, state_of
from gis_service.maps.page.area_layers import AreaLayer, draw_measured_areas
from gis_service.maps.page.vendor import vendor_file
from gis_service.messages import WEB_DIR, Language, text
from gis_service.snapshot import Snapshot, SnapshotPart
from gis_service.store.engine import Store

MAP: Final = SnapshotPart("the map in one file", ("land_cover", "road_edge"), needs=(FIGURES,))
_COUNTED: Final = ("households", "people", "hazards", "incidents")
_OF_PLACES: Final = frozenset({"hazards", "incidents"})
"""Themes that count no households; all others say nothing of grids with few."""
_ALWAYS: Final = frozenset({"fire-20", "service-15"})
"""Standards that are offered before they are measured, too."""
_ROAD_ZOOM: Final = 12
_PAPER, _WATER, _GREEN, _CASING, _INK = "#f6f3ec", "#c6dde9", "#e3ead8", "#d8cdb6", "#1f2933"
_LAND: Final = {"water": _WATER, "green": _GREEN, "built": "#eee8dc"}
_RESCUE: Final = frozenset({"fire_station", "mini_fire_station", "water_source"})
_COLOURS: Final = {"fire_station": "#b3261e", "mini_fire_station": "#d9744a", "water_source": _INK}
_TROUBLE_DECIMALS: Final = 3
_STEP: Final = 2e-6
"""About 0.2 m: how finely houses are drawn."""
_STYLE: Final = """
html, body, .folium-map { height: 100%; margin: 0; background: #f6f3ec; }
body, .leaflet-container { font: 14px/1.4 system-ui, "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; color: #1f2933; }
.leaflet-container { background: #f6f3ec; }
.leaflet-left .leaflet-control-scale { margin-left: 50px; }
.leaflet-control-scale-line:not(:first-child) { display: none; }
.leaflet-bottom.leaflet-left { left: auto; right: 12px; }
.leaflet-tooltip { width: max-content; max-width: 300px; white-space: normal; }
.gis-note { position: fixed; z-index: 900; left: 12px; bottom: 12px; max-width: 320px;
  max-height: 60vh; overflow: auto; padding: 12px;
  background: #fff; border-radius: 10px; box-shadow: 0 2px 10px rgb(31 41 51 / .18); }
.gis-note h1 { font-size: 16px; margin: 0 0 4px; } .gis-note p { margin: 0; color: #5b6770; }
.gis-note table { border-spacing: 0 2px; font-variant-numeric: tabular-nums; }
.gis-note td:last-child { text-align: right; padding-left: 12px; }
.gis-note i { display: inline-block; width: 22px; height: 12px; border: 1px solid #d8dee3; }
.gis-note h2 { font-size: 14px; margin: 8px 0 2px; }
.gis-name { position: absolute; transform: translate(-50%, -50%); white-space: nowrap;
  font-size: 12px; color: #1f2933; text-shadow: 0 0 3px #fff, 0 0 3px #fff, 0 0 3px #fff; }
.gis-name-town { font-size: 14px; font-weight: 600; } .gis-name-county { display: none; }
.folium-map:not(.gis-near) .gis-name-village { display: none; }
@media (max-width: 700px) { .gis-note { max-width: 60vw; max-height: 34vh; } }
"""
_NAMES_FROM_ZOOM: Final = 13


class FileMap(folium.Map):
    """A Folium map that links nothing: its library stands in the document itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.default_js = []
        self.default_css = []


def write_map(store: Store, actor: Actor, file: Path, language: Language = "zh-CN") -> int:
    """
    Write the map of the base scheme as it stands today.

    Parameters
    ----------
    store
        The store.
    actor
        Who asks.
    file
        Where; its folder is made. An older file is replaced only by a finished one.
    language
        Of titles and legends.

    Returns
    -------
    int
        Bytes written.
    """
    with store.transaction(actor) as connection:
        areas = AreaService(Snapshot(), find_area_folder())
        document = render_map(connection, actor, language, areas).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_bytes(document)
    draft.replace(file)
    return len(document)


def is_fresh(store: Store, actor: Actor, file: Path, language: Language) -> bool:
    """
    Tell whether a map is what would be written now.

    Parameters
    ----------
    store
        The store.
    actor
        Who asks.
    file
        As :func:`write_map` left it, if it is there.
    language
        Of titles and legends.

    Returns
    -------
    bool
        False where anything that it shows has changed, for another release, and on another day.
    """
    if not file.exists():
        return False
    with file.open(encoding="utf-8") as text_file:
        head = text_file.read(200)
    with store.transaction(actor) as connection:
        state = state_of(connection, MAP)
    return f'lang="{language}" data-state="{state}"' in head


def render_map(
    connection: sa.Connection, actor: Actor, language: Language, areas: AreaService
) -> str:
    """Render the document."""
    scheme = find_scheme(connection, "base")
    ranks = queries.read_ranks(connection, scheme.scheme_id)
    base = json.loads(layers.draw_grids(connection, scheme, ranks[-1], None, "mid"))
    chosen = _count_themes(connection, actor, scheme, ranks[-1], language)
    hidden = _find_hidden(base["features"], chosen["households"])
    answers = {
        theme: _classify_grids(
            base["features"], map_figures, set() if theme in _OF_PLACES else hidden, language
        )
        for theme, map_figures in chosen.items()
    }
    document = FileMap(
        tiles=None, control_scale=True, prefer_canvas=True, attribution_control=False
    )
    with_library(document)
    for theme in chosen:
        name = _theme_name(theme, language)
        folium.FeatureGroup(name=name, overlay=False, show=theme == "households").add_to(document)
    _draw_land(connection, document, language)
    grids = _draw_grids(base, answers, chosen["households"], language)
    grids.add_to(document)
    _draw_roads(connection, document, _find_extent(base), language)
    houses = folium.FeatureGroup(name=text("page.layer_buildings", language))
    houses.add_to(document)
    area_layers = draw_measured_areas(connection, areas, language)
    for area in area_layers:
        area.layer.add_to(document)
    for lines, weight in zip(
        _join_borders(connection, scheme, base, ranks), (1.4, 2.6), strict=False
    ):
        style = {"color": "#5b6770", "weight": weight, "fill": False, "interactive": False}
        folium.GeoJson(lines, control=False, style_function=lambda _, style=style: style).add_to(
            document
        )
    _draw_names(connection, document, language)
    _draw_facilities(connection, document, language)
    _draw_trouble(connection, actor, document, language)
    folium.LayerControl(collapsed=False).add_to(document)
    document.fit_bounds(_find_extent(base))
    level = _level_label(connection, scheme, ranks[-1], language)
    _write_legend(connection, document, chosen, answers, level, area_layers, language)
    _add_scripts(connection, document, grids, houses, chosen)
    rendered = str(document.get_root().render())
    state = state_of(connection, MAP)
    return rendered.replace("<html>", f'<html lang="{language}" data-state="{state}">', 1)


def with_library(document: FileMap) -> None:
    """
    Put Leaflet and the page's styles into the document.

    Parameters
    ----------
    document
        Not rendered yet.
    """
    root: Any = document.get_root()
    style = vendor_file("leaflet.css").read_text("utf-8") + _STYLE
    script = vendor_file("leaflet.js").read_text("utf-8").replace("</script", r"<\/script")
    root.header.add_child(Element(f"<style>{style}</style>"), name="a_style")
    root.header.add_child(Element(f"<script>{script}</script>"), name="a_library")


def _count_themes(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, rank: int, language: Language
) -> dict[str, MapFigures]:
    measured = standard_book().standards  # a county may have left one out of its own file
    by_theme = {
        theme: compute_figures(
            connection, actor, scheme, rank=rank, theme=theme, at=None, language=language
        )
        for theme in (*_COUNTED, *measured)
    }
    return {
        theme: map_figures
        for theme, map_figures in by_theme.items()
        if map_figures.status != "no_run" or theme in _ALWAYS
    }


def _theme_name(theme: str, language: Language) -> str:
    standard = standard_book().standards.get(theme)
    if standard is None:
        return text(f"page.theme_{theme}", language)
    return standard.name if language == "zh-CN" else standard.name_en


def _find_hidden(features: Sequence[Mapping[str, Any]], households: MapFigures) -> set[int]:
    sizes = {grid: int(value) for grid, value in households.values.items() if value is not None}
    parent_of = {
        feature["properties"]["grid_id"]: feature["properties"]["parent_grid_id"]
        for feature in features
    }
    return hide_small(sizes, parent_of)


def _classify_grids(
    features: Sequence[Mapping[str, Any]],
    map_figures: MapFigures,
    hidden: set[int],
    language: Language,
) -> list[tuple[int, str]]:
    """Give class and figure of every grid; class -1 is paper: no figure, or no rule for it."""
    answers = []
    for feature in features:
        grid_id = feature["properties"]["grid_id"]
        place = None if grid_id in hidden else map_figures.class_of.get(grid_id)
        value = None if grid_id in hidden else map_figures.values.get(grid_id)
        figure = (
            text("page.no_figure", language) if value is None else _figure(value, map_figures.unit)
        )
        answers.append((-1 if place is None else place, figure))
    return answers


def _figure(value: float, unit: str) -> str:
    return f"{value:.1f}%" if unit == "%" else f"{value:,.4g} {unit}"


def _draw_grids(
    base: Mapping[str, Any],
    answers: Mapping[str, list[tuple[int, str]]],
    first: MapFigures,
    language: Language,
) -> folium.GeoJson:
    """Draw the grids once, with what every theme says of them."""
    colours = [figure_class.colour for figure_class in first.classes]
    features = []
    for number, feature in enumerate(base["features"]):
        properties = {
            "name": html.escape(feature["properties"]["name"]),
            "code": html.escape(feature["properties"]["code"] or ""),
            "said": [of_theme[number] for of_theme in answers.values()],
            "value": answers["households"][number][1],
        }
        features.append(
            {"type": "Feature", "geometry": feature["geometry"], "properties": properties}
        )
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        name=text("map.layer_grids", language),
        control=False,
        style_function=lambda feature: {
            "fillColor": ([*colours, _PAPER])[feature["properties"]["said"][0][0]],
            "fillOpacity": 0.72,
            "color": "#8a949c",
            "weight": 0.6,
        },
        tooltip=folium.GeoJsonTooltip(["name", "code", "value"], labels=False),
    )


def _find_extent(collection: Mapping[str, Any]) -> list[tuple[float, float]]:
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in collection["features"]]
    west, south, east, north = shapely.total_bounds(shapes)
    return [(float(south), float(west)), (float(north), float(east))]


def _join_borders(
    connection: sa.Connection, scheme: SchemeKey, base: Mapping[str, Any], ranks: Sequence[int]
) -> list[dict[str, Any]]:
    """
    Draw the borders of the upper levels, the lowest of them first, out of the base grids' own.

    So they lie exactly on each other, however far they were simplified.
    """
    above = read_parents(connection, scheme, None)
    owner = [int(feature["properties"]["grid_id"]) for feature in base["features"]]
    shapes = np.array(
        [shapely.geometry.shape(feature["geometry"]) for feature in base["features"]], object
    )
    borders = []
    for _ in ranks[:-1]:
        owner = [above.get(grid) or 0 for grid in owner]
        whole = [
            shapely.coverage_union_all(shapes[np.array(owner) == above_id])
            for above_id in sorted(set(owner))
        ]
        lines = shapely.line_merge(shapely.union_all(shapely.boundary(np.array(whole, object))))
        borders.append(json.loads(shapely.to_geojson(lines)))
    return borders


def _draw_land(connection: sa.Connection, document: FileMap, language: Language) -> None:
    land = json.loads(layers.draw_land(connection))
    folium.GeoJson(
        land,
        name=text("map.layer_land", language),
        style_function=lambda feature: {
            "fillColor": _LAND[feature["properties"]["kind"]],
            "fillOpacity": 1,
            "stroke": False,
            "interactive": False,
        },
    ).add_to(document)


def _draw_roads(
    connection: sa.Connection,
    document: FileMap,
    extent: list[tuple[float, float]],
    language: Language,
) -> None:
    (south, west), (north, east) = extent
    roads = json.loads(layers.draw_roads(connection, (west, south, east, north), _ROAD_ZOOM))
    if roads["features"]:
        folium.GeoJson(
            roads,
            name=text("page.layer_roads", language),
            style_function=lambda _: {"color": _CASING, "weight": 2, "interactive": False},
        ).add_to(document)


def _draw_facilities(connection: sa.Connection, document: FileMap, language: Language) -> None:
    features = json.loads(layers.draw_facilities(connection))["features"]
    for key, rescue in (("rescue", True), ("services", False)):
        points = [
            {**feature, "properties": _label_facility(feature["properties"], language)}
            for feature in features
            if (feature["properties"]["kind"] in _RESCUE) == rescue
        ]
        _draw_points(document, key, points, language)


def _label_facility(properties: Mapping[str, Any], language: Language) -> dict[str, str]:
    kind = text(f"page.kind_{properties['kind']}", language)
    name = properties.get("name") or kind
    return {
        "said": html.escape(name if kind in name else f"{name}（{kind}）"),
        "colour": _COLOURS.get(properties["kind"], "#1b5e9b"),
    }


def _draw_trouble(
    connection: sa.Connection, actor: Actor, document: FileMap, language: Language
) -> None:
    """Draw open hazards and incidents, so roughly that no house can be told."""
    layers_drawn = (
        ("hazards", layers.draw_hazards(connection, actor, "open"), "#b7791f"),
        ("incidents", layers.draw_incidents(connection, actor, "open", None), "#7a3e9d"),
    )
    for key, layer, colour in layers_drawn:
        features = []
        for feature in json.loads(layer)["features"]:
            lon, lat = (
                round(value, _TROUBLE_DECIMALS) for value in feature["geometry"]["coordinates"]
            )
            kind = text(f"page.kind_{feature['properties']['kind']}", language)
            place = {"type": "Point", "coordinates": [lon, lat]}
            properties = {"said": kind, "colour": colour}
            features.append({"type": "Feature", "geometry": place, "properties": properties})
        _draw_points(document, key, features, language)


def _draw_points(
    document: FileMap, key: str, features: Sequence[Mapping[str, Any]], language: Language
) -> None:
    if not features:
        return
    folium.GeoJson(
        {"type": "FeatureCollection", "features": list(features)},
        name=text(f"page.layer_{key}", language),
        show=False,
        marker=folium.CircleMarker(radius=5, weight=1.5, color="#ffffff", fill_opacity=0.95),
        style_function=lambda feature: {"fillColor": feature["properties"]["colour"]},
        tooltip=folium.GeoJsonTooltip(["said"], labels=False),
    ).add_to(document)


def _draw_names(connection: sa.Connection, document: FileMap, language: Language) -> None:
    group = folium.FeatureGroup(name=text("page.layer_names", language))
    for feature in json.loads(layers.draw_place_names(connection))["features"]:
        lon, lat = feature["geometry"]["coordinates"]
        level, name = feature["properties"]["level"], escape(feature["properties"]["name"])
        icon = folium.DivIcon(
            html=f'<span class="gis-name gis-name-{level}">{name}</span>', icon_size=(0, 0),
            class_name="gis-names",
        )  # fmt: skip
        folium.Marker((lat, lon), icon=icon, interactive=False).add_to(group)
    group.add_to(document)


def _level_label(
    connection: sa.Connection, scheme: SchemeKey, rank: int, language: Language
) -> str:
    row = queries.read_level_labels(connection, scheme.scheme_id, rank)
    return str(row.label if language == "zh-CN" else row.label_en)


def _write_legend(
    connection: sa.Connection,
    document: FileMap,
    chosen: Mapping[str, MapFigures],
    answers: Mapping[str, list[tuple[int, str]]],
    level: str,
    areas: Sequence[AreaLayer],
    language: Language,
) -> None:
    """Write the legend of every theme as the page does: unit, level, day, classes, of what."""
    version = find_version_in_force(connection)
    parts = [
        f"<h1>{escape(text('map.file_title', language))}</h1>",
        "<p>"
        + escape(
            text(
                "map.file_note",
                language,
                day=today(connection).isoformat(),
                version=f"{version.effective_day.isoformat()} {version.title}",
                software=__version__,
            )
        )
        + "</p>",
    ]
    for theme, map_figures in chosen.items():
        name = _theme_name(theme, language)
        hidden = "" if theme == "households" else " hidden"
        by_level = text("page.by_level", language, level=level)
        subtitle = f"{map_figures.unit} · {by_level} · {map_figures.day.isoformat()}"
        if map_figures.status == "ok":
            rows = _class_rows(map_figures, answers[theme], language)
            body = f"<table>{rows}</table><p>{escape(map_figures.of)}</p>"
        else:
            body = f"<p>{escape(text(f'page.{map_figures.status}', language, what=name))}</p>"
        parts.append(
            f'<section data-name="{escape(name)}"{hidden}><h2>{escape(name)}</h2>'
            f"<p>{escape(subtitle)}</p>{body}</section>"
        )
    parts += [
        f'<div class="gis-key" data-name="{escape(area.name)}" hidden><h2>{escape(area.name)}</h2>'
        f"<table>{_write_rows([(*line, None) for line in area.legend])}</table></div>"
        for area in areas
    ]
    root: Any = document.get_root()
    root.html.add_child(Element(f'<div class="gis-note">{"".join(parts)}</div>'))


def _class_rows(
    map_figures: MapFigures, answers: Sequence[tuple[int, str]], language: Language
) -> str:
    """Write a line for each class, and for the grids that belong to none."""
    unknown = text("page.no_figure", language)
    counts = Counter(place for place, _ in answers)
    without = sum(place < 0 and figure == unknown for place, figure in answers)
    unruled = counts[-1] - without
    lines = [
        (figure_class.colour, figure_class.label, counts[at])
        for at, figure_class in enumerate(map_figures.classes)
    ]
    if unruled:
        lines.append((_PAPER, text("page.no_rule", language), unruled))
    if without:
        lines.append((_PAPER, unknown, without))
    return _write_rows(lines)


def _write_rows(lines: Iterable[tuple[str, str, int | None]]) -> str:
    return "".join(
        f'<tr><td><i style="background:{colour}"></i></td><td>{escape(label)}</td>'
        f"<td>{'' if count is None else f'{count:,}'}</td></tr>"
        for colour, label, count in lines
    )


# --- what the file does by itself --------------------------------------------------------------


def _add_scripts(
    connection: sa.Connection,
    document: FileMap,
    grids: folium.GeoJson,
    houses: folium.FeatureGroup,
    chosen: Mapping[str, MapFigures],
) -> None:
    """Let the grids and the legend follow the theme, and draw the houses from zoom 15."""
    colours = [
        [figure_class.colour for figure_class in map_figures.classes]
        for map_figures in chosen.values()
    ]
    values = {
        "MAP": document.get_name(),
        "GRIDS": grids.get_name(),
        "HOUSES": houses.get_name(),
        "COLOURS": json.dumps(colours),
        "PAPER": json.dumps(_PAPER),
        "NEAR": str(_NAMES_FROM_ZOOM),
        "PACKED": json.dumps(pack_houses(_read_footprints(connection))),
        "STEP": f"{_STEP:g}",
        "FROM_ZOOM": str(layers.BUILDINGS_FROM_ZOOM),
    }
    script = (WEB_DIR / "templates" / "one_file.js").read_text("utf-8")
    for name, value in values.items():
        script = script.replace(f"__{name}__", value)
    root: Any = document.get_root()
    # A raw block: what the data says is never a template.
    root.script.add_child(Element(f"{{% raw %}}{script}{{% endraw %}}"))


def _read_footprints(connection: sa.Connection) -> GeometryArray:
    wkb = [bytes(outline) for outline in queries.read_footprints(connection)]
    return np.asarray(shapely.from_wkb(np.array(wkb, object)), object)


def pack_houses(footprints: GeometryArray) -> str:
    """Pack outlines: of each the number of corners, then steps of 2e-6 degrees as varints."""
    packed = bytearray()
    last = np.zeros(2, dtype=np.int64)
    for polygon in shapely.get_parts(footprints):
        corners = np.round(shapely.get_coordinates(polygon.exterior)[:-1] / _STEP).astype(np.int64)
        steps = np.diff(corners, axis=0, prepend=last[None])
        last = corners[-1]
        for value in (len(corners), *((steps << 1) ^ (steps >> 63)).ravel().tolist()):
            rest = value
            while rest > 127:
                packed.append(rest & 127 | 128)
                rest >>= 7
            packed.append(rest)
    return base64.b64encode(bytes(packed)).decode()


def escape(value: str) -> str:
    """
    Write a text so that neither HTML nor Folium's templates read more into them.

    Parameters
    ----------
    value
        As it is.

    Returns
    -------
    str
        For the text of an element.
    """
    # Element renders its text as a Jinja template; braces in a name must stay braces.
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("{", "&#123;").replace("}", "&#125;")
