"""The document of the page: made by Folium, complete, from this server only, safe with any name."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import folium
import pytest

from gis_service.errors import NotFoundError
from gis_service.maps.page.cartography import LAYERS, NOWHERE, PANES, centre
from gis_service.maps.page.grid_map import (
    LATE_SCRIPTS,
    TEXT_ROOMS,
    PageContext,
    build_map,
    content_policy,
    render_page,
)
from gis_service.maps.page.plain_page import PLAIN_PAGES
from gis_service.maps.page.vendor import (
    LATE_FILES,
    VENDOR_FILES,
    compress_file,
    file_hash,
    import_map,
    script_address,
    scripts_hash,
    vendor_file,
    with_imports,
)
from gis_service.messages import LANGUAGES, WEB_DIR, Language, all_texts

LINKED = re.compile(r"""(?:src|href)=["']([^"']+)["']""")
CONFIG = re.compile(r'<script type="application/json" id="page-config">(.*?)</script>', re.DOTALL)


def context(language: Language = "zh-CN", name: str = "云溪县") -> PageContext:
    """A county of one scheme, seen by the county office."""
    return PageContext(
        language=language,
        actor={
            "actor_id": 2,
            "name": "县网格办",
            "name_en": "County office",
            "role": "county_office",
        },
        county={
            "name": name,
            "name_en": name,
            "code": "990101",
            "bbox": [112.7, 28.5, 113.1, 28.9],
        },
        schemes=[{"code": "base", "name": "基础网格", "levels": [], "versions": []}],
        today=date(2026, 3, 1),
    )


def config_of(document: str) -> dict[str, Any]:
    """What the document hands to the scripts."""
    found = CONFIG.search(document)
    assert found is not None
    config: dict[str, Any] = json.loads(found.group(1))
    return config


def test_it_is_a_folium_map_with_our_panes_layers_and_switch() -> None:
    page = build_map(context())
    assert isinstance(page, folium.Map)
    document = render_page(context())
    for pane in PANES:
        assert f'createPane(\n                "{pane}")' in document
    for layer in LAYERS:
        assert f"layer_{layer.key} = L.layerGroup" in document
        assert all_texts("zh-CN")[f"page.layer_{layer.key}"] in document or "\\u" in document
    assert "L.control.layers(" in document
    assert "L.markerClusterGroup(" in document


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_linked_from_elsewhere(language: Language) -> None:
    document = render_page(context(language))
    linked = LINKED.findall(document)
    assert linked
    assert [
        address for address in linked if not address.startswith(("/vendor/", "/static/", "#"))
    ] == []
    assert "http://" not in document
    assert "https://" not in document


def test_every_library_file_is_allowed_and_there() -> None:
    document = render_page(context())
    imports = import_map()["imports"]
    linked = {name for name in LINKED.findall(document) if name.startswith("/vendor/")}
    late = config_of(document)["late_files"]
    assert set(late) == set(LATE_FILES)
    linked |= set(late.values())
    imported = {name for name in imports.values() if name.startswith("/vendor/")}
    # MapLibre finds its worker by itself, beside the file it was loaded from.
    worker = "maplibre-gl-worker.mjs"
    served = {name.partition("?")[0] for name in linked | imported} | {f"/vendor/{worker}"}
    assert served == {f"/vendor/{name}" for name in VENDOR_FILES}
    assert all("?v=" in name for name in linked | imported)
    assert json.dumps(imports)[1:-1].split(", ")[0] in document


def test_an_address_changes_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "one.js"
    file.write_text("1", "utf-8")
    first = file_hash(file)
    file.write_text("22", "utf-8")
    assert file_hash(file) != first
    assert gzip.decompress(compress_file(file)) == b"22"


def test_no_other_library_file_is_served() -> None:
    with pytest.raises(NotFoundError):
        vendor_file("../package.json")


def test_the_same_context_gives_the_same_document() -> None:
    assert render_page(context()) == render_page(context())


def test_the_policy_allows_the_one_inline_script_and_nothing_from_elsewhere() -> None:
    document = render_page(context())
    scripts = re.findall(r"<script>(.*?)</script>", document, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = content_policy(document)
    assert f"'sha256-{digest}'" in policy
    (imports,) = re.findall(r'<script type="importmap">(.*?)</script>', document, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "worker-src 'self'" in policy
    assert "blob:" not in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "<style" not in document
    assert "style=" not in document


@pytest.mark.parametrize("name", ["{{ 7 * 7 }}{% for %}", "</script><b>", "\"\\'", "Ä 😀"])
def test_a_name_is_only_ever_text(name: str) -> None:
    document = render_page(context(name=name))
    assert config_of(document)["county"]["name"] == name
    assert "</script><b>" not in document


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_document_speaks_the_readers_language(language: Language) -> None:
    document = render_page(context(language))
    assert f'<html lang="{language}">' in document
    texts = config_of(document)["texts"]
    assert texts["page.title"] == all_texts(language)["page.title"]
    assert set(texts) == {key for key in all_texts(language) if key.startswith(TEXT_ROOMS)}


def test_without_a_county_the_document_still_stands() -> None:
    empty = PageContext(language="en", actor={"actor_id": 2}, today=date(2026, 3, 1))
    document = render_page(empty)
    assert config_of(document)["county"] is None
    assert "fitBounds" not in document


def test_tiles_of_the_zoom_before_do_not_stay() -> None:
    # Leaflet takes them away for certain only where tiles do not fade in.
    assert '"fadeAnimation": false' in render_page(context("en"))


def weight(names: Iterable[str]) -> int:
    """What scripts weigh on the wire, in bytes."""
    return sum(len(gzip.compress((WEB_DIR / "js" / name).read_bytes())) for name in names)


def test_the_first_view_stays_light() -> None:
    # What draws the ground comes by itself: WebGL where there is hardware for it, else canvas.
    assert weight({*with_imports("main.js"), *with_imports("vector.js")}) < 70_000
    assert weight({*with_imports("main.js"), *with_imports("light.js")}) < 75_000
    linked = LINKED.findall(render_page(context()))
    scripts = {name for name in linked if name.startswith("/static/js/")}
    assert scripts == {script_address(name) for name in with_imports("main.js")}


@pytest.mark.parametrize("part", LATE_SCRIPTS)
def test_a_part_comes_with_its_own_scripts_only(part: str) -> None:
    first = with_imports("main.js")
    own = set(with_imports(f"{part}.js")) - set(first)
    assert f"{part}.js" in own
    assert weight(own) < 50_000
    late = config_of(render_page(context()))["late_scripts"]
    assert set(late[part]) == {script_address(name) for name in own}


def test_every_script_is_of_the_first_view_or_of_a_part() -> None:
    roots = ["main", *LATE_SCRIPTS, "vector", "light", "leaflet", *PLAIN_PAGES]
    reached = {name for root in roots for name in with_imports(f"{root}.js")}
    assert reached == {file.name for file in (WEB_DIR / "js").glob("*.js")}


def test_the_address_of_a_script_changes_with_any_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "js").mkdir()
    monkeypatch.setattr("gis_service.maps.page.vendor.WEB_DIR", tmp_path)
    seen = {scripts_hash()}
    for name, text in (("one.js", "1"), ("two.js", "2"), ("one.js", "33")):
        (tmp_path / "js" / name).write_text(text, "utf-8")
        seen.add(scripts_hash())
    assert len(seen) == 4
    assert script_address("one.js") == f"/static/js/{scripts_hash()}/one.js"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_the_scripts_say_exists(language: Language) -> None:
    said = {
        key
        for file in (WEB_DIR / "js").glob("*.js")
        for key in re.findall(r'\bt\("([a-z0-9_-]+)"', file.read_text("utf-8"))
    }
    assert len(said) > 50
    assert {key for key in said if f"page.{key}" not in all_texts(language)} == set()


def test_the_middle_of_a_box_is_lat_lon() -> None:
    assert centre((112.7, 28.5, 113.1, 28.9)) == (28.7, 112.9)
    assert centre(None) == NOWHERE
