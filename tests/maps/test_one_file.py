"""The map as one file: the page's themes and layers, a legend that adds up, nobody's household."""

import base64
import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
import shapely

from gis_service.access import SYSTEM
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.standards.book import standard_book
from gis_service.maps.page.cartography import LAYERS
from gis_service.maps.page.one_file import pack_houses, render_map
from gis_service.messages import LANGUAGES, Language, text
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from tests.api.conftest import SmallCounty, small_county

__all__ = ["small_county"]

NINE = 9


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


@pytest.fixture(scope="module")
def document(store: Store, small_county: SmallCounty, language: Language) -> Iterator[str]:
    with store.transaction(SYSTEM) as connection:
        yield render_map(connection, SYSTEM, language, AreaService(Snapshot()))


def test_it_asks_nobody_for_anything(document: str) -> None:
    assert not re.search(r"<script[^>]*\ssrc=|<link\b|@import", document)
    assert not re.search(r"""url\(\s*["']?https?:""", document)
    assert not re.search(r"__[A-Z]+__", document), "a name of the script was not filled in"


def test_it_has_the_layers_and_themes_of_the_page(document: str, language: Language) -> None:
    drawn = {layer.key for layer in LAYERS}
    for key in drawn & {"roads", "buildings", "names", "rescue", "services", "hazards"}:
        said = text(f"page.layer_{key}", language)
        written = (said, json.dumps(said)[1:-1], said.replace("&", r"\u0026"))
        assert any(one in document for one in written), key
    standards = standard_book().standards
    names = [
        text(f"page.theme_{theme}", language)
        for theme in ("households", "people", "hazards", "incidents")
    ]
    names += [
        standards[code].name if language == "zh-CN" else standards[code].name_en
        for code in ("fire-20", "service-15")
    ]
    for name in names:
        assert f'data-name="{name}"' in document
    assert not re.search(r"\b(page|cover|map)\.[a-z]+_", document), "a text is missing"


def test_every_legend_accounts_for_every_grid(document: str, language: Language) -> None:
    sections = re.findall(r"<section data-name=.*?</section>", document, re.DOTALL)
    assert len(sections) >= 6
    counted = 0
    for section in sections:
        rows = re.findall(r"<td>([\d,]+)</td></tr>", section)
        if rows:
            counted += 1
            assert sum(int(row.replace(",", "")) for row in rows) == NINE, section
    assert counted >= 4
    assert text("page.no_figure", language) in sections[0]  # the grid of one household is hidden


def test_no_person_stands_in_it(document: str) -> None:
    for personal in ("王小明", "13812345678", "张三", "楼道堆物", "赵一", "13700000000"):
        assert personal not in document


def test_grids_of_few_households_show_no_figure(document: str, language: Language) -> None:
    features = re.findall(r'"code": "[^"]*".*?"said": (\[\[.*?\]\])', document)
    assert len(features) == NINE
    households = [json.loads(one)[0] for one in features]
    hidden = text("page.no_figure", language)
    assert sum(figure == hidden for _, figure in households) == 2  # one household, and a sibling
    assert not any(re.match(r"[1-4]\b", figure) for _, figure in households)


def test_houses_are_packed_and_come_out_again() -> None:
    rng = np.random.default_rng(7)
    corners = rng.uniform((112.9, 28.7), (112.91, 28.71), (50, 2))
    houses = np.array([shapely.box(x, y, x + 2e-4, y + 1e-4) for x, y in corners], dtype=object)
    packed = base64.b64decode(pack_houses(houses))
    found = unpacked(packed)
    assert len(found) == 50
    for house, outline in zip(houses, found, strict=True):
        assert shapely.hausdorff_distance(house.exterior, outline.exterior) < 2e-6
    assert len(packed) < 30 * 50


def unpacked(packed: bytes) -> list[shapely.Polygon]:
    """Unpack as the page's script does."""
    values, value, shift = [], 0, 0
    for byte in packed:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    houses, at, here = [], 0, np.zeros(2, dtype=np.int64)
    while at < len(values):
        count = values[at]
        steps = np.array(values[at + 1 : at + 1 + 2 * count], dtype=np.int64).reshape(-1, 2)
        places = here + np.cumsum((steps >> 1) ^ -(steps & 1), axis=0)
        here = places[-1]
        houses.append(shapely.Polygon(places * 2e-6))
        at += 1 + 2 * count
    return houses
