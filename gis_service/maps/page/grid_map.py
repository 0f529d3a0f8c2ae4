"""The page: the HTML document that Folium makes for the 网格地图.

Folium builds the map, its panes, its layers and the control that switches them; every script and
style comes from this server. Data never travels in the document: the scripts of ``web/js`` fetch
it from ``/api``.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import folium
import jinja2
from branca.element import Figure, MacroElement
from folium.map import CustomPane, Layer, LayerControl
from folium.plugins import MarkerCluster
from folium.template import tojavascript

from gis_service import __version__
from gis_service.maps.page.cartography import (
    CLICKABLE_PANES,
    LAYERS,
    MAX_ZOOM,
    MIN_ZOOM,
    PANES,
    Bbox,
    LayerSpec,
    centre,
)
from gis_service.maps.page.vendor import (
    LATE_FILES,
    import_map,
    script_address,
    static_address,
    vendor_address,
    with_imports,
)
from gis_service.messages import LANGUAGES, WEB_DIR, Language, all_texts

TEXT_ROOMS: Final = ("page.", "accounts.", "roles.", "entry.", "imports.", "plan.", "cover.")
LATE_SCRIPTS: Final = (
    "dispatch",
    "plan",
    "plan_propose",
    "plan_publish",
    "coverage",
    "entry",
    "imports",
    "own_area",
    "who",
    "session",
)
"""The first script of each part that comes with its scripts when somebody first wants it."""

INLINE_SCRIPT: Final = re.compile(r'<script(?: type="importmap")?>(.*?)</script>', re.DOTALL)

templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(WEB_DIR / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters["tojavascript"] = tojavascript


@dataclass(frozen=True)
class PageContext:
    """
    What the document itself must know; all else is fetched.

    Attributes
    ----------
    language
        The reader's.
    actor
        ``{actor_id, name, name_en, role, may}`` of who asks.
    county
        ``{name, name_en, code, bbox}`` (degrees: west, south, east, north); None while no county
        is loaded.
    schemes
        As ``GET /api/schemes`` answers.
    today
        The day in Asia/Shanghai.
    base_maps
        As ``GET /api/base`` answers.
    """

    language: Language
    actor: Mapping[str, Any]
    county: Mapping[str, Any] | None = None
    schemes: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    today: date = field(default_factory=date.today)
    base_maps: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


class PageFigure(Figure):
    """The document around the map: language, title, styles, modules, and the shell of the page."""

    _template = templates.get_template("document.html")

    def __init__(self, context: PageContext) -> None:
        texts = all_texts(context.language)
        super().__init__(title=texts["page.title"])
        self.language = context.language
        imports = import_map()
        self.import_map = imports
        self.main = script_address("main.js")
        first = with_imports("main.js")
        self.modules = [script_address(name) for name in first]
        self.styles = [
            static_address("css", file.name) for file in sorted((WEB_DIR / "css").glob("*.css"))
        ]
        self.texts = {key: value for key, value in texts.items() if key.startswith(TEXT_ROOMS)}
        self.config = {
            "language": context.language,
            "languages": LANGUAGES,
            "actor": dict(context.actor),
            "county": None if context.county is None else dict(context.county),
            "schemes": [dict(scheme) for scheme in context.schemes],
            "today": context.today.isoformat(),
            "version": __version__,
            "base_maps": [dict(base_map) for base_map in context.base_maps],
            "late_scripts": {
                part: [
                    script_address(name) for name in with_imports(f"{part}.js") if name not in first
                ]
                for part in LATE_SCRIPTS
            },
            "late_files": {name: vendor_address(name) for name in LATE_FILES},
            "texts": self.texts,
        }


class GridMap(folium.Map):
    """A Folium map whose every script and style comes from this server."""

    _template = templates.get_template("map.html")

    def __init__(self, bbox: Bbox | None) -> None:
        super().__init__(
            location=centre(bbox),
            tiles=None,
            zoom_start=11,
            zoom_control=False,
            prefer_canvas=True,
            attribution_control=False,
            wheel_px_per_zoom_level=90,
            # What is fitted fills the room that is free; a whole step could leave half of it empty.
            zoom_snap=0.25,
            # Where drawing is slow a fade ends after Leaflet has looked for tiles to remove, and
            # those of the zoom before stay under the map for good.
            fade_animation=False,
            world_copy_jump=False,
        )
        # Folium hands these two to its own tiles only; here there are none.
        self.options |= {"min_zoom": MIN_ZOOM, "max_zoom": MAX_ZOOM}
        self._name = "grid_map"
        self._id = "page"
        self.default_js = [("leaflet", vendor_address("leaflet.js"))]
        self.default_css = [("leaflet_css", vendor_address("leaflet.css"))]
        self.bbox = bbox


class LayerGroup(Layer):
    """An empty group that a script of the page draws into."""

    _template = templates.get_template("layer_group.html")

    def __init__(self, spec: LayerSpec, title: str) -> None:
        super().__init__(name=title, overlay=True, control=True, show=spec.shown)
        self._name = "layer"
        self._id = spec.key
        self.pane = spec.pane


class PointCluster(MarkerCluster):
    """Where symbols gather when they would overlap; the plugin is served from here."""

    # One cluster holds the points of every layer, so that what lies close is counted together.

    def __init__(self) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            control=False,
            icon_create_function="(cluster) => grid_map_page.clusterIcon(cluster)",
            options={
                "maxClusterRadius": 44,
                "showCoverageOnHover": False,
                "clusterPane": "points",
                "spiderLegPolylineOptions": {"pane": "selection", "weight": 1},
            },
        )
        self._name = "points"
        self._id = "cluster"
        self.default_js = [("markerclusterjs", vendor_address("leaflet.markercluster.js"))]
        self.default_css = [("markerclustercss", vendor_address("MarkerCluster.css"))]


class Pane(CustomPane):
    """A pane of the map, under its own name."""

    def __init__(self, name: str) -> None:
        super().__init__(name, z_index=PANES[name], pointer_events=name in CLICKABLE_PANES)
        self._id = name


class LayerSwitch(LayerControl):
    """The control that switches layers; the page shows it inside the legend."""

    def __init__(self) -> None:
        super().__init__(position="bottomleft", collapsed=False)
        self._id = "page"


class LayerRegister(MacroElement):
    """Hands the layers to the page's scripts by their keys."""

    _template = templates.get_template("layer_register.html")

    def __init__(self, layers: Mapping[str, str], cluster: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "register"
        self._id = "page"
        self.layers = dict(layers)
        self.cluster = cluster


def build_map(context: PageContext) -> GridMap:
    """Build the map with its panes, layers and the control that switches them."""
    texts = all_texts(context.language)
    bbox = None if context.county is None else context.county.get("bbox")
    page_map = GridMap(None if bbox is None else (bbox[0], bbox[1], bbox[2], bbox[3]))
    page_map.add_to(PageFigure(context))
    for name in PANES:
        Pane(name).add_to(page_map)
    variables: dict[str, str] = {}
    for spec in LAYERS:
        layer = LayerGroup(spec, texts[f"page.layer_{spec.key}"])
        layer.add_to(page_map)
        variables[spec.key] = layer.get_name()
    cluster = PointCluster()
    cluster.add_to(page_map)
    LayerRegister(variables, cluster.get_name()).add_to(page_map)
    LayerSwitch().add_to(page_map)
    return page_map


def render_page(context: PageContext) -> str:
    """
    Render the document of ``GET /``.

    Parameters
    ----------
    context
        What the page opens with.

    Returns
    -------
    str
        HTML; the same for the same context.
    """
    return str(build_map(context).get_root().render())


def content_policy(document: str) -> str:
    """
    Say what the document may load: from this server only, and the one script Folium writes.

    Parameters
    ----------
    document
        As ``render_page`` returned it.

    Returns
    -------
    str
        The value of the header ``Content-Security-Policy``.
    """
    digests = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in INLINE_SCRIPT.findall(document)
    ]
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
