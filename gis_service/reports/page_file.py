"""The report as one page: a Folium map that can be zoomed, and below it the same parts as on paper.

It links nothing and opens from a disk without a network. No household is in it.
"""

import json
import re
from typing import Any, Final

import folium
import numpy as np
import shapely
from branca.element import Element

from gis_service.maps.page.area_layers import draw_band_layer, draw_district_layer
from gis_service.maps.page.one_file import FileMap, escape, with_library
from gis_service.maps.sheets.grid_drawing import SIGN_COLOURS
from gis_service.messages import WEB_DIR
from gis_service.reports.document import Document, colour_of, legend_of
from gis_service.reports.facts import MapGround

_LATE: Final = "#b3261e"
_DECIMALS: Final = 5
_SIMPLE_DEGREES: Final = 1e-4
_RANDOM_NAME: Final = re.compile(r"(?<=_)[0-9a-f]{32}(?![0-9a-f])")
_MAP_ENTRY: Final = '<li><a href="#coverage-map">'
_STYLE: Final = """
html, body { height: auto; background: #fff; }
body { display: flex; flex-direction: column; }
.report-head, .report { max-width: 1080px; width: 100%; margin: 0 auto; box-sizing: border-box;
  padding: 16px 20px; font: 15px/1.55 system-ui, "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; color: #1f2933; font-variant-numeric: tabular-nums; }
.report-head { order: 0; } .folium-map { order: 1; position: relative !important;
  height: 68vh !important; width: 100% !important; flex: none; left: 0 !important;
  top: 0 !important; border-block: 1px solid #d8dee3; }
.report-key { order: 2; } .report { order: 3; }
.report-head h1 { font-size: 26px; line-height: 1.25; margin: 0; }
.report-head p { margin: 4px 0; color: #5b6770; }
.report-head b { font-size: 30px; color: #1b5e9b; margin-right: 8px; }
.report-key { max-width: 1080px; margin: 0 auto; padding: 8px 20px; width: 100%;
  box-sizing: border-box; }
.report section { margin-bottom: 36px; overflow-x: auto; }
.report h2 { font-size: 20px; } .report h3 { font-size: 16px; }
.report table { font-size: 13.5px; } .report .muted, .report .legend { font-size: 13px; }
.report .lead { font-size: 16px; } .report svg { height: auto; }
.report .contents { padding: 0 0 0 28px; columns: 2; } .report #summary h2 { display: none; }
.report .tiles b { font-size: 24px; } .report .tiles span { font-size: 13px; }
.report .contents a { color: #1b5e9b; } .report .chart { max-width: 900px; }
.report .chart svg, .report #blind > svg { width: 100%; max-width: 900px; }
.leaflet-bottom.leaflet-left { left: 0; right: auto; }
.leaflet-control-layers-toggle { background-image: url("data:image/svg+xml,%3Csvg \
xmlns='http://www.w3.org/2000/svg' viewBox='0 0 26 26'%3E%3Cpath d='M13 3 2 9l11 6 11-6zM2 14l11 \
6 11-6M2 19l11 6 11-6' fill='none' stroke='%231f2933' stroke-width='2'/%3E%3C/svg%3E") \
!important; }
@media screen { #coverage-map { display: none; } }
@media (max-width: 700px) { .report .tiles td { display: inline-block; width: 44%; }
  .report .contents { columns: 1; } .folium-map { height: 60vh !important; } }
@media print { .folium-map, .report-key { display: none; } }
"""


def write_page(document: Document) -> str:
    """Write the page."""
    leaflet = FileMap(tiles=None, control_scale=True, prefer_canvas=True, attribution_control=False)
    with_library(leaflet)
    root: Any = leaflet.get_root()
    style = _STYLE + (WEB_DIR / "templates" / "coverage_report.css").read_text("utf-8")
    writer, facts = document.writer, document.facts
    title = escape(f"{writer.title()} — {facts.county}")
    root.header.add_child(Element(f"<title>{title}</title><style>{style}</style>"), name="z_style")
    _draw_ground(leaflet, document.ground)
    _draw_grids(leaflet, document)
    _draw_areas(leaflet, document)
    _draw_upper_borders(leaflet, document)
    _draw_blind_places(leaflet, document)
    _draw_stations(leaflet, document)
    folium.LayerControl(collapsed=True).add_to(leaflet)
    if facts.shapes:
        _, tops = facts.shapes[min(facts.shapes)]
        west, south, east, north = (float(edge) for edge in shapely.total_bounds(tops))
        leaflet.fit_bounds([(south, west), (north, east)])
    root.html.add_child(Element(_write_head(document)))
    root.html.add_child(Element(_write_key(document)))
    # The map stands above the contents, which name what comes below.
    parts = document.parts.replace(_MAP_ENTRY, _MAP_ENTRY.replace("<li>", "<li hidden>"))
    # The parts are finished: what they say is never a template.
    root.html.add_child(Element("{% raw %}" + parts + "{% endraw %}"))
    return without_random_names(
        str(root.render()).replace("<html>", f'<html lang="{writer.language}">', 1)
    )


def without_random_names(page: str) -> str:
    """Give numbers for names that Folium draws by lot."""
    numbers: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return numbers.setdefault(match.group(), f"{len(numbers) + 1:032d}")

    return _RANDOM_NAME.sub(numbered, page)


def _write_head(document: Document) -> str:
    writer, whole = document.writer, document.facts.whole
    lead = (
        f"<b>{escape(writer.percent(whole.share))}</b>"
        + escape(writer.say("cover_share", minutes=writer.limit()))
        if whole.share is not None
        else escape(writer.say("cover_none"))
    )
    facts = " · ".join(escape(value) for _, value in writer.heads()[:6])
    return (
        f'<header class="report-head"><h1>{escape(writer.title())}</h1>'
        f"<p>{escape(document.facts.county)}</p><p>{lead} · "
        f"{escape(writer.say('cover_target', target=writer.target()))}</p><p>{facts}</p></header>"
    )


def _write_key(document: Document) -> str:
    writer = document.writer
    lines = "".join(
        f'<span><i style="background:{line.colour}"></i>{escape(line.label)} '
        f"<small>{escape(line.count)}</small></span>"
        for line in legend_of(document.facts, writer)
    )
    signs = "".join(
        f"<span>{sample}{escape(name)}</span>" for sample, name in document.sign_legend()
    )
    return (
        f'<div class="report report-key"><p class="maptitle">{escape(document.map_title())}</p>'
        f'<p class="legend">{lines}{signs}</p>'
        f'<p class="muted">{escape(writer.say("open_map"))}</p></div>'
    )


def _features(shapes: Any, properties: list[dict[str, Any]]) -> dict[str, Any]:
    rounded = shapely.transform(
        np.asarray(shapes, dtype=object), lambda xy: np.round(xy, _DECIMALS)
    )
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": json.loads(shape), "properties": values}
            for shape, values in zip(shapely.to_geojson(rounded), properties, strict=True)
        ],
    }


def _draw_ground(leaflet: FileMap, ground: MapGround) -> None:
    if ground.water:
        water = shapely.simplify(np.array(ground.water, dtype=object), _SIMPLE_DEGREES)
        _draw_quiet_layer(
            leaflet, water, {"fillColor": "#c6dde9", "fillOpacity": 1, "stroke": False}
        )
    if ground.roads:
        lines = np.array([shape for _, _, shape in ground.roads], dtype=object)
        merged = shapely.line_merge(shapely.union_all(lines))
        roads = np.array([shapely.simplify(merged, _SIMPLE_DEGREES)], dtype=object)
        _draw_quiet_layer(leaflet, roads, {"color": "#bfb08f", "weight": 1.6, "fill": False})


def _draw_quiet_layer(leaflet: FileMap, shapes: Any, style: dict[str, Any]) -> None:
    """Draw what is no answer: it takes no click and has no switch."""
    layer = _features(shapes, [{}] * len(shapes))
    style = {**style, "interactive": False}
    folium.GeoJson(layer, control=False, style_function=lambda _: style).add_to(leaflet)


def _draw_grids(leaflet: FileMap, document: Document) -> None:
    facts, writer = document.facts, document.writer
    if facts.base_rank not in facts.shapes:
        return
    ids, shapes = facts.shapes[facts.base_rank]
    simple = shapely.coverage_simplify(shapes, _SIMPLE_DEGREES)
    lines = {line.grid_id: line for line in facts.of_rank(facts.base_rank)}
    properties = []
    for grid in ids:
        line = lines.get(grid)
        properties.append(
            {
                "name": escape(line.name) if line else "",
                "parent": escape(line.parent_name) if line else "",
                "households": writer.count(line.n) if line else "",
                "share": (writer.share(line) or writer.say("map_empty")) if line else "",
                "left_out": writer.count(line.left_out) if line else "",
                "median": writer.minutes(line.median_minutes) if line and line.n else "",
                "colour": colour_of(line),
            }
        )
    fields = ["name", "parent", "households", "share", "left_out", "median"]
    labels = [
        writer.say(key)
        for key in ("name", "parent", "households", "share", "left_out", "tile_median")
    ]
    folium.GeoJson(
        _features(simple, properties),
        name=writer.say("layer_grids"),
        style_function=lambda feature: {
            "fillColor": feature["properties"]["colour"],
            "fillOpacity": 0.75,
            "color": "#8a949c",
            "weight": 0.5,
        },
        tooltip=folium.GeoJsonTooltip(["name", "share"], labels=False),
        popup=folium.GeoJsonPopup(fields, labels),
    ).add_to(leaflet)


def _draw_areas(leaflet: FileMap, document: Document) -> None:
    """Draw bands of minutes and districts, to be switched on: one variable at a time."""
    writer, facts = document.writer, document.facts
    if facts.bands:
        lines = document.band_legend()
        labels, colours = [line.label for line in lines], [line.colour for line in lines]
        draw_band_layer(writer.say("section_bands"), facts.bands, labels, colours).add_to(leaflet)
    if facts.districts:
        name = writer.say("section_districts")
        draw_district_layer(name, facts.districts, writer.language).add_to(leaflet)


def _draw_upper_borders(leaflet: FileMap, document: Document) -> None:
    facts = document.facts
    for rank, weight in zip(sorted(facts.shapes)[:-1], (2.4, 1.2), strict=False):
        _, shapes = facts.shapes[rank]
        lines = shapely.line_merge(shapely.union_all(shapely.boundary(shapes)))
        simple = np.array([shapely.simplify(lines, _SIMPLE_DEGREES)], dtype=object)
        _draw_quiet_layer(leaflet, simple, {"color": "#1f2933", "weight": weight, "fill": False})


def _draw_blind_places(leaflet: FileMap, document: Document) -> None:
    writer, places = document.writer, document.facts.blind_places
    if not places:
        return
    features = _features(
        [place.shape for place in places],
        [
            {
                "name": escape(place.name),
                "households": writer.say("blind_about", n=f"{place.households:,}"),
                "worst": "" if place.worst_minutes is None else writer.minutes(place.worst_minutes),
                "reason": writer.say(place.reason),
            }
            for place in places
        ],
    )
    folium.GeoJson(
        features,
        name=writer.say("layer_blind"),
        style_function=lambda _: {
            "color": _LATE, "weight": 1.2, "fillColor": _LATE, "fillOpacity": 0.18,
        },
        tooltip=folium.GeoJsonTooltip(["name", "households"], labels=False),
        popup=folium.GeoJsonPopup(
            ["name", "households", "worst", "reason"],
            [writer.say(key) for key in ("name", "households", "worst_of_place", "reason")],
        ),
    ).add_to(leaflet)  # fmt: skip


def _draw_stations(leaflet: FileMap, document: Document) -> None:
    writer, stations = document.writer, document.facts.stations
    if not stations:
        return
    features = _features(
        shapely.points([[station.lon, station.lat] for station in stations]),
        [
            {
                "said": escape(station.name or writer.kind(station.kind)),
                "kind": writer.kind(station.kind),
                "households": writer.count(station.households),
                "colour": SIGN_COLOURS.get(station.kind, _LATE),
            }
            for station in stations
        ],
    )
    folium.GeoJson(
        features,
        name=writer.say("layer_stations"),
        marker=folium.CircleMarker(
            radius=6, weight=1.5, color="#ffffff", fill=True, fill_opacity=1
        ),
        style_function=lambda feature: {
            "fill": True,
            "fillColor": feature["properties"]["colour"],
            "fillOpacity": 1,
        },
        tooltip=folium.GeoJsonTooltip(["said", "kind"], labels=False),
        popup=folium.GeoJsonPopup(
            ["said", "kind", "households"],
            [writer.say("station"), writer.say("kind"), writer.say("served")],
        ),
    ).add_to(leaflet)
