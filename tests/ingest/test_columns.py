"""Names of columns: what is matched, what is not, and what is asked."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from gis_service.errors import InputError
from gis_service.ingest.importing import list_kinds
from gis_service.ingest.readers.columns import (
    FileField,
    find_coordinates,
    match_columns,
    normalise_name,
)
from gis_service.ingest.readers.values import ZONE, read_values
from gis_service.ingest.writing.checks import list_file_fields
from gis_service.records import RECORDS

BUILDINGS = list_file_fields(RECORDS["building"])
HOUSEHOLDS = list_file_fields(RECORDS["household"])
(CARE_WORDS,) = (one.words for one in HOUSEHOLDS if one.name == "care_tags")


def matched(names: list[str], known: tuple[FileField, ...], **stated: str) -> dict[str, str]:
    return {
        one.field: one.file
        for one in match_columns(names, known, stated)
        if one.field is not None and one.file is not None
    }


@pytest.mark.parametrize(
    "name",
    ["户主姓名", " 户主姓名 ", "户主　姓名", "户主姓名（必填）", "户主姓名(必填)*", "HEAD_NAME",
     "Head Name", "ｈｅａｄ＿ｎａｍｅ", "head-name"],
)  # fmt: skip
def test_writing_does_not_matter(name: str) -> None:
    found = matched(["户编号", name], HOUSEHOLDS)
    assert found == {"key": "户编号", "head_name": name}


def test_every_field_knows_its_own_name() -> None:
    for kind in list_kinds().values():
        names = [one.name for one in kind.fields]
        assert matched(names, kind.fields) == {name: name for name in names}, kind.name


def test_no_name_stands_for_two_fields_of_a_kind() -> None:
    for kind in list_kinds().values():
        names = [
            normalise_name(n)
            for one in kind.fields
            for n in {normalise_name(m) for m in (one.name, *one.names)}
        ]
        assert len(names) == len(set(names)), kind.name


def test_columns_of_nobody_are_kept_as_unused() -> None:
    columns = match_columns(["编号", "备注一"], BUILDINGS, {})
    assert [(one.file, one.field) for one in columns[:2]] == [("编号", "key"), ("备注一", None)]
    assert (None, "storeys") in [(one.file, one.field) for one in columns]


def test_two_columns_for_one_field_are_asked_about() -> None:
    with pytest.raises(InputError) as error:
        matched(["户编号", "电话", "手机号"], HOUSEHOLDS)
    assert error.value.key == "ingest.column_ambiguous"
    assert "--column phone=电话" in str(error.value)
    found = matched(["户编号", "电话", "手机号"], HOUSEHOLDS, phone="手机号")
    assert found["phone"] == "手机号"


def test_our_own_word_goes_before_any_other() -> None:
    assert matched(["id", "key"], BUILDINGS)["key"] == "key"


def test_a_stated_column_may_have_any_name() -> None:
    found = matched(["代号", "电话"], HOUSEHOLDS, key="代号")
    assert found == {"key": "代号", "phone": "电话"}


@pytest.mark.parametrize(
    ("names", "stated", "key"),
    [
        (["电话"], {}, "ingest.column_needed"),
        (["编号"], {"phone": "电话"}, "ingest.column_absent"),
        (["编号"], {"colour": "编号"}, "ingest.field_unknown"),
    ],
)
def test_what_cannot_be_matched_is_an_error(
    names: list[str], stated: dict[str, str], key: str
) -> None:
    with pytest.raises(InputError) as error:
        matched(names, HOUSEHOLDS, **stated)
    assert error.value.key == key


@pytest.mark.parametrize(
    ("names", "stated", "found"),
    [
        (["经度", "纬度"], {}, {"lon": "经度", "lat": "纬度"}),
        (["X", "Y"], {}, {"lon": "X", "lat": "Y"}),
        (["经度(°)", "纬度(°)"], {}, {"lon": "经度(°)", "lat": "纬度(°)"}),
        (["WKT", "名称"], {}, {"wkt": "WKT"}),
        (["a", "b"], {"lon": "a", "lat": "b"}, {"lon": "a", "lat": "b"}),
        (["名称"], {}, {}),
    ],
)
def test_coordinates_are_found(
    names: list[str], stated: dict[str, str], found: dict[str, str]
) -> None:
    assert find_coordinates(names, stated) == found


def test_half_a_coordinate_is_asked_about() -> None:
    with pytest.raises(InputError) as error:
        find_coordinates(["经度", "名称"], {})
    assert error.value.key == "ingest.half_a_coordinate"
    assert error.value.values["missing"] == "lat"


@pytest.mark.parametrize(
    ("form", "said", "read"),
    [
        ("text", " 甲 ", "甲"),
        ("text", 13800000000.0, "13800000000"),
        ("text", "", None),
        ("whole", "１２", 12.0),
        ("whole", "1,234", 1234.0),
        ("whole", "三", "三"),
        ("whole", "无", None),
        ("flag", "专职", True),
        ("flag", "否", False),
        ("flag", 1.0, True),
        ("flag", "也许", "也许"),
        ("day", "2026年3月1日", date(2026, 3, 1)),
        ("day", "2026/3/1", date(2026, 3, 1)),
        ("day", "20260301", date(2026, 3, 1)),
        ("day", 20260301.0, date(2026, 3, 1)),
        ("day", "2026-03-01 00:00:00", date(2026, 3, 1)),
        ("day", datetime(2026, 3, 1), date(2026, 3, 1)),  # noqa: DTZ001
        ("day", "2026-02-30", "2026-02-30"),
        ("day", "三月一日", "三月一日"),
        ("moment", "2026-03-01 08:30", datetime(2026, 3, 1, 8, 30, tzinfo=ZONE)),
        ("moment", "2026-03-01T00:30:00Z", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
        ("moment", "2026年3月1日 8时30分", datetime(2026, 3, 1, 8, 30, tzinfo=ZONE)),
        ("moment", "2026-03-01 25:00", "2026-03-01 25:00"),
        ("tags", "独居、残疾人;独居", ["lives_alone", "disabled"]),
        ("tags", "无", []),
        ("tags", None, []),
        ("tags", "新词", ["新词"]),
        ("word", "低保", "low_income"),
        ("word", "low_income", "low_income"),
    ],
)
def test_values_are_read_and_never_made_up(form: str, said: Any, read: Any) -> None:
    field = FileField("x", (), form, words=CARE_WORDS)
    values = np.empty(1, dtype=object)
    values[0] = said
    assert read_values(field, values).tolist() == [read]


def test_lists_of_equal_cells_are_not_one_list() -> None:
    field = FileField("x", (), "tags")
    values = np.array(["a", "a"], dtype=object)
    first, second = read_values(field, values)
    first.append("b")
    assert second == ["a"]
