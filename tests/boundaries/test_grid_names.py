"""New grids are named as the village counts."""

import pytest

from gis_service.boundaries.editing.grid_names import find_new_name, read_numeral, write_numeral


def test_numerals_are_read_as_they_are_written() -> None:
    written = [write_numeral(number) for number in range(1000)]
    assert written[:12] == [
        "零",
        "一",
        "二",
        "三",
        "四",
        "五",
        "六",
        "七",
        "八",
        "九",
        "十",
        "十一",
    ]
    assert [written[n] for n in (20, 21, 100, 105, 110, 111, 234)] == [
        "二十", "二十一", "一百", "一百零五", "一百一十", "一百一十一", "二百三十四",
    ]  # fmt: skip
    assert [read_numeral(name) for name in written] == list(range(1000))
    assert read_numeral("一百〇五") == 105
    assert read_numeral("042") == 42
    assert [read_numeral(name) for name in ("二一", "十十", "百", "一十一")] == [None] * 4


@pytest.mark.parametrize(
    ("source", "siblings", "taken", "name"),
    [
        ("河口村五组", ["河口村一组", "河口村五组", "河口村四组"], [], "河口村六组"),
        ("河口村五组", ["河口村一组", "河口村五组"], ["河口村十组"], "河口村十一组"),
        ("第3网格", ["第3网格", "第1网格"], [], "第4网格"),
        ("第九网格", ["第九网格"], ["第十网格"], "第十一网格"),
        ("东风12号", ["东风9号"], ["东风13号", "东风14号"], "东风15号"),
        ("三里桥", ["三里桥", "河口村一组", "河口村二组"], [], "河口村三组"),
        ("实验小学", ["新城社区1网格", "实验小学"], [], "新城社区2网格"),
        ("A区2网格", ["A区1网格", "A区2网格", "B区1网格", "B区2网格", "B区3网格"], [], "A区3网格"),
        ("村部", ["村部", "街上"], [], None),
        ("三里桥", ["三里桥"], [], None),
        ("", [], [], None),
    ],
)  # fmt: skip
def test_the_next_name_follows_the_pattern(
    source: str, siblings: list[str], taken: list[str], name: str | None
) -> None:
    assert find_new_name(source, siblings, taken) == name
