"""Rows of a table as reports: names of columns, kinds by name, times of China."""

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from gis_service.errors import InputError
from gis_service.incidents.lists import read_rows
from gis_service.incidents.rules import rule_book


def one(**columns: object) -> Any:
    """The draft or the error that one row gives."""
    said = {name: [value] for name, value in columns.items()}
    reading = read_rows(rule_book(), said, [2], [112.9], [28.7])
    found: list[Any] = [*reading.drafts, *reading.refused]
    assert [row for row, _ in found] == [2]
    return found[0][1]


def test_columns_are_known_by_their_chinese_and_english_names() -> None:
    chinese = one(事件类别="垃圾堆放", 内容="桶满", 地址="东街", 联系电话=13812345678.0, 编号="7")
    english = one(kind="Rubbish", Text="桶满", address="东街", phone="13812345678", key=7)
    assert chinese == english
    assert (chinese.kind, chinese.reporter_phone, chinese.key) == (
        "rubbish",
        "13812345678",
        "7",
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-03-01 08:12", datetime(2026, 3, 1, 0, 12, tzinfo=UTC)),
        ("2026/03/01 08:12", datetime(2026, 3, 1, 0, 12, tzinfo=UTC)),
        ("2026-03-01T08:12:00Z", datetime(2026, 3, 1, 8, 12, tzinfo=UTC)),
        (pd.Timestamp("2026-03-01 08:12"), datetime(2026, 3, 1, 0, 12, tzinfo=UTC)),
        (date(2026, 3, 1), datetime(2026, 2, 28, 16, tzinfo=UTC)),
        (None, None),
        (float("nan"), None),
        ("", None),
    ],
)
def test_a_time_without_an_offset_is_of_china(said: object, expected: datetime | None) -> None:
    found = one(kind="noise", time=said)
    assert found.reported_at == expected


def test_a_time_that_is_none_is_told_by_its_row() -> None:
    error = one(kind="noise", time="gestern")
    assert isinstance(error, InputError)
    assert error.place.field == "reported_at"


def test_a_table_without_kinds_is_refused() -> None:
    with pytest.raises(InputError):
        one(text="x")
