"""The map as one file: Folium's document with its libraries and data inside, for a disk or a mail.

It needs no server and no network. What leaves the house this way holds no household, and grids of
few households show no figure.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import folium
import shapely
import shapely.geometry
import sqlalchemy as sa
from branca.element import Element

from gis_service import __version__
from gis_service.access import Actor
from gis_service.coverage.standards import standard_book
from gis_service.grids.reading import SchemeKey, find_scheme
from gis_service.grids.versions import in_force, today
from gis_service.maps import layers
from gis_service.maps.classes import hide_small
from gis_service.maps.figures import Figures, figures
from gis_service.maps.vendor import vendor_file
from gis_service.messages import Language, text
from gis_service.store import tables as t
from gis_service.store.engine import Store

_THEMES: Final = ("households", "fire-20", "service-15")
_ROAD_ZOOM: Final = 12
_PAPER, _WATER, _GREEN, _CASING, _INK = "#f6f3ec", "#c6dde9", "#e3ead8", "#d8cdb6", "#1f2933"
_LAND: Final = {"water": _WATER, "green": _GREEN, "built": "#eee8dc"}
_STYLE: Final = """
html, body, .folium-map { height: 100%; margin: 0; background: #f6f3ec; }
body, .leaflet-container { font: 14px/1.4 system-ui, "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; color: #1f2933; }
.leaflet-container { background: #f6f3ec; }
.leaflet-left .leaflet-control-scale { margin-left: 50px; }
.leaflet-bottom.leaflet-left { left: auto; right: 12px; }
.gis-note { position: fixed; z-index: 900; left: 12px; bottom: 12px; max-width: 320px;
  padding: 12px;
  background: #fff; border-radius: 10px; box-shadow: 0 2px 10px rgb(31 41 51 / .18); }
.gis-note h1 { font-size: 16px; margin: 0 0 4px; } .gis-note p { margin: 0; color: #5b6770; }
.gis-note table { border-spacing: 0 2px; font-variant-numeric: tabular-nums; }
.gis-note td:last-child { text-align: right; padding-left: 12px; }
.gis-note i { display: inline-block; width: 22px; height: 12px; border: 1px solid #d8dee3; }
.gis-note h2 { font-size: 14px; margin: 8px 0 2px; }
"""


_FOLLOW: Final = """
addEventListener("load", () => MAP.on("baselayerchange", (change) => {
  for (const one of document.querySelectorAll(".gis-note section"))
    one.hidden = one.dataset.name !== change.name.trim();
}));
"""
"""The legend follows the theme that is chosen."""


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
        document = render_map(connection, actor, language).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_bytes(document)
    draft.replace(file)
    return len(document)


def render_map(connection: sa.Connection, actor: Actor, language: Language) -> str:
    """
    Render the document.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    language
        Of titles and legends.

    Returns
    -------
    str
        HTML.
    """
    scheme = find_scheme(connection, "base")
    ranks = list(
        connection.execute(
            sa.select(t.grid_level.c.rank)
            .where(t.grid_level.c.scheme_id == scheme.scheme_id)
            .order_by(t.grid_level.c.rank)
        ).scalars()
    )
    base = json.loads(layers.grid_layer(connection, scheme, ranks[-1], None, "mid"))
    chosen = _themes(connection, actor, scheme, ranks[-1], language)
    hidden = _hidden(base["features"], chosen["households"])
    document = FileMap(
        tiles=None, control_scale=True, prefer_canvas=True, attribution_control=False
    )
    _with_library(document)
    _background(connection, document, language)
    for theme, shown in chosen.items():
        group = folium.FeatureGroup(
            name=text(f"map.theme_{theme}", language), overlay=False, show=theme == "households"
        )
        _fill(base, shown, hidden, language).add_to(group)
        group.add_to(document)
    for rank, weight in zip(reversed(ranks[:-1]), (1.4, 2.6), strict=False):
        shapes = json.loads(layers.grid_layer(connection, scheme, rank, None, "mid"))
        style = {"color": "#5b6770", "weight": weight, "fill": False, "interactive": False}
        folium.GeoJson(
            _bare(shapes), control=False, style_function=lambda _, style=style: style
        ).add_to(document)
    _facilities(connection, document, language)
    folium.LayerControl(collapsed=False).add_to(document)
    document.fit_bounds(_extent(base))
    _note(connection, document, chosen, language)
    return str(document.get_root().render())


def _with_library(document: FileMap) -> None:
    root: Any = document.get_root()
    style = vendor_file("leaflet.css").read_text("utf-8") + _STYLE
    script = vendor_file("leaflet.js").read_text("utf-8").replace("</script", r"<\/script")
    root.header.add_child(Element(f"<style>{style}</style>"), name="a_style")
    root.header.add_child(Element(f"<script>{script}</script>"), name="a_library")


def _themes(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, rank: int, language: Language
) -> dict[str, Figures]:
    measured = standard_book().standards  # a county may have left one out of its own file
    return {
        theme: figures(
            connection, actor, scheme, rank=rank, theme=theme, at=None, language=language
        )
        for theme in _THEMES
        if theme == "households" or theme in measured
    }


def _hidden(features: Sequence[Mapping[str, Any]], households: Figures) -> set[int]:
    sizes = {grid: int(value) for grid, value in households.values.items() if value is not None}
    parent_of = {
        feature["properties"]["grid_id"]: feature["properties"]["parent_grid_id"]
        for feature in features
    }
    return hide_small(sizes, parent_of)


def _fill(
    base: Mapping[str, Any], shown: Figures, hidden: set[int], language: Language
) -> folium.GeoJson:
    features = []
    for feature in base["features"]:
        grid_id = feature["properties"]["grid_id"]
        place = None if grid_id in hidden else shown.class_of.get(grid_id)
        value = None if grid_id in hidden else shown.values.get(grid_id)
        said = text("map.no_figure", language) if value is None else f"{value:,.4g} {shown.unit}"
        properties = {
            "name": feature["properties"]["name"],
            "code": feature["properties"]["code"],
            "value": said,
            "fill": _PAPER if place is None else shown.classes[place].colour,
        }
        features.append({**feature, "properties": properties})
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        style_function=lambda feature: {
            "fillColor": feature["properties"]["fill"],
            "fillOpacity": 0.72,
            "color": "#8a949c",
            "weight": 0.6,
        },
        tooltip=folium.GeoJsonTooltip(["name", "code", "value"], labels=False),
    )


def _extent(collection: Mapping[str, Any]) -> list[tuple[float, float]]:
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in collection["features"]]
    west, south, east, north = shapely.total_bounds(shapes)
    return [(float(south), float(west)), (float(north), float(east))]


def _bare(collection: Mapping[str, Any]) -> dict[str, Any]:
    features = [{**feature, "properties": {}} for feature in collection["features"]]
    return {"type": "FeatureCollection", "features": features}


def _background(connection: sa.Connection, document: FileMap, language: Language) -> None:
    land = json.loads(layers.land_layer(connection))
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
    roads = json.loads(layers.road_layer(connection, None, _ROAD_ZOOM))
    if roads["features"]:
        folium.GeoJson(
            roads,
            name=text("map.layer_roads", language),
            style_function=lambda _: {"color": _CASING, "weight": 2, "interactive": False},
        ).add_to(document)


def _facilities(connection: sa.Connection, document: FileMap, language: Language) -> None:
    collection = json.loads(layers.facility_layer(connection))
    group = folium.FeatureGroup(name=text("map.layer_fire", language))
    for feature in collection["features"]:
        if feature["properties"]["kind"] != "fire_station":
            continue
        lon, lat = feature["geometry"]["coordinates"]
        folium.CircleMarker(
            (lat, lon),
            radius=7,
            color="#ffffff",
            weight=2,
            fill_color="#b3261e",
            fill_opacity=1,
            tooltip=feature["properties"]["name"],
        ).add_to(group)
    group.add_to(document)


def _note(
    connection: sa.Connection, document: FileMap, chosen: Mapping[str, Figures], language: Language
) -> None:
    version = in_force(connection)
    parts = [
        f"<h1>{_safe(text('map.file_title', language))}</h1>",
        "<p>"
        + _safe(
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
    for theme, shown in chosen.items():
        rows = "".join(
            f'<tr><td><i style="background:{one.colour}"></i></td><td>{_safe(one.label)}</td>'
            f"<td>{one.count:,}</td></tr>"
            for one in shown.classes
        )
        name = text(f"map.theme_{theme}", language)
        hidden = "" if theme == "households" else " hidden"
        title = f"<h2>{_safe(f'{name} · {shown.unit}')}</h2>"
        parts.append(
            f'<section data-name="{_safe(name)}"{hidden}>{title}<table>{rows}</table></section>'
        )
    root: Any = document.get_root()
    root.html.add_child(Element(f'<div class="gis-note">{"".join(parts)}</div>'))
    root.script.add_child(Element(_FOLLOW.replace("MAP", document.get_name())))


def _safe(words: str) -> str:
    # Element renders its text as a Jinja template; braces in a name must stay braces.
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("{", "&#123;").replace("}", "&#125;")
