"""How QGIS colours the layers of a report's GeoPackage: its table ``layer_styles``.

The same classes and colours as on paper. Layers in, text out; draws nothing and reads no store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

import pandas as pd

from gis_service.maps.figures.classes import PERCENT_BREAKS
from gis_service.maps.sheets.grid_drawing import SIGN_COLOURS
from gis_service.reports.county_map import HIDDEN_FILL, LATE
from gis_service.reports.document import BAND_COLOURS, COLOURS
from gis_service.reports.facts import Facts
from gis_service.reports.writing import Writer

_THIN: Final = "#8a949c"
_DISTRICT: Final = "#1b5e9b"


@dataclass(frozen=True)
class Rule:
    """A class of a layer."""

    label: str
    # Expression of QGIS; empty is every feature.
    where: str
    # Colour; empty is an outline without fill.
    fill: str
    line: str
    line_mm: float = 0.1
    # Of the whole symbol, 0 to 1.
    opacity: float = 1.0
    is_point: bool = False


def layer_styles(layers: Sequence[str], facts: Facts, writer: Writer) -> pd.DataFrame:
    """Write the styles of layers."""
    written = [(name, _qml(_rules(name, facts, writer))) for name in layers]
    return pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": [name for name, _ in written],
            "f_geometry_column": "geom",
            "styleName": [name for name, _ in written],
            "styleQML": [style for _, style in written],
            "styleSLD": "",
            "useAsDefault": True,
            "description": writer.title(),
            "owner": "",
            "ui": "",
            "update_time": pd.Timestamp(facts.data_day),
        }
    )


def _rules(layer: str, facts: Facts, writer: Writer) -> list[Rule]:
    match layer:
        case "bands":
            return [
                Rule(
                    writer.say("band", low=f"{band.from_minutes:g}", high=f"{band.to_minutes:g}"),
                    f'"to_minutes" = {band.to_minutes!r}',
                    colour,
                    "",
                )
                for colour, band in zip(BAND_COLOURS, facts.bands, strict=False)
            ]
        case "blind_places":
            return [Rule(writer.say("layer_blind"), "", LATE, LATE, 0.3, 0.45)]
        case "districts":
            return [
                Rule(writer.say("district_fits"), 'NOT "too_large"', "", _DISTRICT, 0.5),
                Rule(writer.say("district_too_large"), '"too_large"', "", LATE, 0.5),
            ]
        case "stations":
            return [
                Rule(
                    writer.kind(kind), f"\"kind\" = '{kind}'", SIGN_COLOURS.get(kind, LATE),
                    "#ffffff", is_point=True,
                )
                for kind in facts.run.kinds
            ]  # fmt: skip
    edges = [0.0, *PERCENT_BREAKS, 100.0]
    classes = [
        Rule(f"{low:g}–{high:g} %", f'"share_class" = {place}', colour, _THIN)
        for place, (colour, low, high) in enumerate(
            zip(COLOURS, edges[:-1], edges[1:], strict=True)
        )
    ]
    return [*classes, Rule(writer.say("style_hidden"), "ELSE", HIDDEN_FILL, _THIN)]


def _qml(rules: Sequence[Rule]) -> str:
    lines = "".join(
        f'<rule key="r{place}" symbol="{place}" label={quoteattr(rule.label)}'
        + (f" filter={quoteattr(rule.where)}" if rule.where else "")
        + "/>"
        for place, rule in enumerate(rules)
    )
    symbols = "".join(_symbol(place, rule) for place, rule in enumerate(rules))
    return (
        '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM">'
        '<qgis version="3.28" styleCategories="Symbology"><renderer-v2 type="RuleRenderer" '
        f'symbollevels="0"><rules key="all">{lines}</rules><symbols>{symbols}</symbols>'
        "</renderer-v2></qgis>"
    )


def _symbol(place: int, rule: Rule) -> str:
    kind, layer = ("marker", "SimpleMarker") if rule.is_point else ("fill", "SimpleFill")
    options = {
        "color": _rgba(rule.fill),
        "style": "solid" if rule.fill else "no",
        "outline_color": _rgba(rule.line),
        "outline_style": "solid" if rule.line else "no",
        "outline_width": f"{rule.line_mm:g}",
        "outline_width_unit": "MM",
    }
    if rule.is_point:
        options = {**options, "name": "circle", "size": "3", "size_unit": "MM"}
    written = "".join(
        f'<Option name="{name}" type="QString" value="{value}"/>' for name, value in options.items()
    )
    return (
        f'<symbol name="{place}" type="{kind}" alpha="{rule.opacity:g}" clip_to_extent="1" '
        f'force_rhr="0"><layer class="{layer}" enabled="1" locked="0" pass="0">'
        f'<Option type="Map">{written}</Option></layer></symbol>'
    )


def _rgba(colour: str) -> str:
    if not colour:
        return "0,0,0,0"
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"{red},{green},{blue},255"
