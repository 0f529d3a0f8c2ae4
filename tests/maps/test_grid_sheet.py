"""The printed sheet: what stands on it, true to scale, on the right paper, the same every time."""

import io
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pypdfium2
import pytest
import shapely
import sqlalchemy as sa
from PIL import Image

from gis_service.access import SYSTEM, Actor
from gis_service.errors import NotFoundError
from gis_service.geodesy import distance_m
from gis_service.maps.sheets import printing
from gis_service.maps.sheets.grid_drawing import road_classes_at
from gis_service.maps.sheets.grid_sheet import (
    SheetOptions,
    find_grid,
    find_town,
    print_grid,
    print_town,
)
from gis_service.maps.sheets.layout import PAPERS, Box, Paper, layouts
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, small_county

__all__ = ["small_county"]

VISITOR = Actor(0, "访客", "Visitor", "visitor")
POINTS_PER_MM = 72 / 25.4


@pytest.fixture(scope="module")
def connection(store: Store, small_county: SmallCounty) -> Iterator[sa.Connection]:
    with store.transaction(SYSTEM) as connection:
        yield connection


def words(body: bytes) -> str:
    """Everything that can be read on a PDF's pages, without spaces."""
    document = pypdfium2.PdfDocument(body)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return re.sub(r"\s", "", text)


def page_sizes(body: bytes) -> list[tuple[int, int]]:
    document = pypdfium2.PdfDocument(body)
    sizes = [tuple(round(side / POINTS_PER_MM) for side in page.get_size()) for page in document]
    document.close()
    return sizes


def html(connection: sa.Connection, grid_id: int, actor: Actor = SYSTEM, **options: object) -> str:
    chosen = SheetOptions(**options)  # type: ignore[arg-type]
    return print_grid(connection, actor, grid_id, "html", chosen).body.decode()


def test_a_sheet_says_what_the_grid_is_and_who_answers_for_it(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    options = SheetOptions(approval="湘S（2026）001号", maker="县网格中心")
    printed = print_grid(connection, SYSTEM, small_county.grid_ids["g00"], "pdf", options)
    said = words(printed.body)
    for expected in (
        "内部使用", "图例", "CGCS2000", "审图号：湘S（2026）001号", "编制单位：县网格中心",
        "钱二", "赵一", "A岗", "B岗", "13700000000", "东街卫生室", "边界版本", "北",
    ):  # fmt: skip
        assert expected in said, expected


def test_a_sheet_for_the_street_has_no_internal_line_and_no_leave(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    grid_id = small_county.grid_ids["g00"]
    away = date(2025, 8, 15)
    inner = html(connection, grid_id, at=away)
    public = html(connection, grid_id, at=away, public=True)
    assert "内部使用" in inner
    assert "今日休假" in inner
    assert "内部使用" not in public
    assert "今日休假" not in public
    assert "钱二" in public


def test_it_speaks_english_where_asked(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    said = html(connection, small_county.grid_ids["g11"], language="en", at=date(2026, 3, 9))
    for expected in ("For internal use", "Key figures", "9 March 2026", "Map approval no."):
        assert expected in said
    assert not re.search(r">(sheet|page)\.\w+", said)  # a text that is missing shows its key


def test_a_visitor_reads_no_officer_and_no_figure_of_people(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    said = html(connection, small_county.grid_ids["g11"], VISITOR)
    assert "孙三" not in said
    assert "13700000000" not in said
    assert "310" not in said
    assert "当前身份无权查看" in said


def test_no_household_stands_on_it(connection: sa.Connection, small_county: SmallCounty) -> None:
    said = html(connection, small_county.grid_ids["g11"])
    assert "310 户" in said
    for personal in ("王小明", "13812345678", "东街0号", "lives_alone", "张三", "楼道堆物"):
        assert personal not in said


def test_a_grid_of_few_households_and_one_sibling_show_no_number(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    small = html(connection, small_county.grid_ids["g00"])  # 1 household
    assert "不足 5 户" in small
    assert "1 户" not in small
    assert "3 人" not in small


def test_the_scale_bar_measures_what_it_says(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    said = html(connection, small_county.grid_ids["g11"])
    cells = re.findall(r'<path d="M([^"]+)Z" fill="#(?:1f2933|ffffff)" stroke="#1f2933"', said)[:4]
    xs = [float(pair.split()[0]) for cell in cells for pair in cell.split("L")]
    length_mm = max(xs) - min(xs)
    scale = float(re.search(r"1∶([\d,]+)", said)[1].replace(",", ""))  # type: ignore[index]
    told_m = float(re.findall(r">(\d+) 米<", said)[-1])
    assert length_mm * scale / 1000 == pytest.approx(told_m, rel=2e-3)


def test_the_border_on_paper_is_as_long_as_on_the_ground(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    grid_id = small_county.grid_ids["g11"]
    said = html(connection, grid_id)
    scale = float(re.search(r"1∶([\d,]+)", said)[1].replace(",", ""))  # type: ignore[index]
    outline = re.search(r'<path d="M([^"]+)Z" fill="none"[^>]*stroke="#1b5e9b"', said)
    assert outline
    xs = [float(pair.split()[0]) for pair in outline[1].split("L")]
    state = t.grid_state.c
    wkb = connection.scalar(
        sa.select(sa.func.ST_AsBinary(state.geom)).where(
            state.grid_id == grid_id, sa.func.upper_inf(state.valid)
        )
    )
    assert wkb
    west, south, east, north = shapely.from_wkb(bytes(wkb)).bounds
    middle = (south + north) / 2
    ground = float(distance_m(west, middle, east, middle))
    assert (max(xs) - min(xs)) * scale / 1000 == pytest.approx(ground, rel=2e-3)


@pytest.mark.parametrize("paper", ["A4", "A3"])
def test_the_paper_is_the_one_asked_for(
    connection: sa.Connection, small_county: SmallCounty, paper: Paper
) -> None:
    printed = print_grid(
        connection, SYSTEM, small_county.grid_ids["g11"], "pdf", SheetOptions(paper=paper)
    )
    (size,) = page_sizes(printed.body)
    assert sorted(size) == list(PAPERS[paper])


def test_the_same_input_gives_the_same_bytes(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    grid_id = small_county.grid_ids["g11"]
    first, second = (print_grid(connection, SYSTEM, grid_id, "pdf").body for _ in range(2))
    assert first == second
    assert printing.print_png(first, dots_per_inch=50) == printing.print_png(
        second, dots_per_inch=50
    )


def test_the_page_stands_for_itself(connection: sa.Connection, small_county: SmallCounty) -> None:
    said = html(connection, small_county.grid_ids["g11"])
    addresses = set(re.findall(r"https?://[^\"'\s<]+", said))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<link|<img|@import|url\(", said)


def test_the_picture_is_the_page_at_200_dots_an_inch(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    printed = print_grid(connection, SYSTEM, small_county.grid_ids["g11"], "png")
    picture = Image.open(io.BytesIO(printed.body))
    assert sorted(picture.size) == [1654, 2339]
    assert len(set(picture.convert("L").resize((40, 40)).get_flattened_data())) > 5


def test_a_booklet_has_a_cover_contents_and_every_grid_of_the_town(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    top = connection.scalar(
        sa.select(t.grid_state.c.grid_id).where(
            t.grid_state.c.rank == 1, sa.func.upper_inf(t.grid_state.c.valid)
        )
    )
    assert top is not None
    told: list[tuple[int, int, str]] = []
    booklet = print_town(connection, SYSTEM, top, progress=lambda *what: told.append(what)).body
    total = told[-1][1]
    assert [done for done, _, _ in told] == list(range(1, total + 1))
    assert len(page_sizes(booklet)) == 2 + total
    said = words(booklet)
    assert f"共{total}个网格" in said
    assert "目录" in said
    assert f"第{2 + total}页" in said


def test_a_grid_is_found_by_code_in_groups_or_not_and_by_id(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    grid_id = small_county.grid_ids["g11"]
    code = connection.scalar(
        sa.select(t.grid_state.c.code).where(
            t.grid_state.c.grid_id == grid_id, sa.func.upper_inf(t.grid_state.c.valid)
        )
    )
    assert code
    assert find_grid(connection, code) == grid_id
    assert find_grid(connection, f"{code[:6]} {code[6:9]}-{code[9:]}") == grid_id
    assert find_grid(connection, str(grid_id)) == grid_id


@pytest.mark.parametrize("wanted", ["990101999999999", "东街", "999999999", "'; drop table grid"])
def test_a_grid_that_is_not_there_is_told(connection: sa.Connection, wanted: str) -> None:
    with pytest.raises(NotFoundError, match="no grid"):
        find_grid(connection, wanted)
    with pytest.raises(NotFoundError, match="no town"):
        find_town(connection, wanted)


def test_printing_is_written_down_without_names(
    connection: sa.Connection, small_county: SmallCounty
) -> None:
    grid_id = small_county.grid_ids["g22"]
    html(connection, grid_id, public=True)
    event = t.event.c
    after = connection.scalar(
        sa.select(event.after).where(event.action == "print", event.object_id == str(grid_id))
    )
    assert after == {"format": "html", "paper": "A4", "public": True}


@pytest.mark.parametrize("paper", ["A4", "A3"])
def test_no_part_of_a_sheet_lies_on_another_or_off_the_paper(paper: Paper) -> None:
    short, long = PAPERS[paper]
    for layout, width, height in zip(layouts(paper), (short, long), (long, short), strict=True):
        boxes = [_shape(box) for box in (layout.head, layout.map, layout.info, layout.foot)]
        sheet = shapely.box(0, 0, width, height).buffer(-9.9)
        assert all(sheet.contains(box) for box in boxes)
        overlap = sum(a.intersection(b).area for i, a in enumerate(boxes) for b in boxes[i + 1 :])
        assert overlap == pytest.approx(0)
        assert boxes[1].area > 0.4 * width * height


def _shape(box: Box) -> shapely.Polygon:
    return shapely.box(box.x, box.y, box.x + box.width, box.y + box.height)


def test_small_roads_are_left_out_at_small_scales() -> None:
    assert "footway" in road_classes_at(2_000)
    assert "footway" not in road_classes_at(10_000)
    assert road_classes_at(1_000_000) == ["motorway", "primary", "secondary", "trunk"]


def test_nothing_that_is_printed_may_ask_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stands for itself"):
        printing.refuse((tmp_path / "secret").as_uri())
