"""Names are compared in one spelling, by sound, and addresses by their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_service.search.wording import (
    Address,
    as_initials,
    as_pinyin,
    is_spelt,
    normalise,
    split_address,
)


@pytest.mark.parametrize(
    ("typed", "compared"),
    [
        ("东街　二格", "东街二格"),
        ("ＡＢ路１２号", "ab路12号"),
        ("十六组一百四十一号", "16组141号"),
        ("三组二十号", "3组20号"),
        ("东街三格", "东街三格"),
        ("hekoucun 16zu 141hao", "hekoucun16组141号"),
        ("湘江·豪庭（一期）", "湘江豪庭一期"),
        ("", ""),
    ],
)
def test_one_spelling(typed: str, compared: str) -> None:
    assert normalise(typed) == compared


@given(st.text(max_size=30))
def test_the_one_spelling_is_its_own(text: str) -> None:
    once = normalise(text)
    assert "%" not in once
    assert "_" not in once
    assert normalise(once) == once or not once.isascii()


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("汀城街道河口村16组141号", Address("汀城街道河口村", 16, 141)),
        ("901国道12号", Address("901国道", None, 12)),
        ("石埠镇石荷公路85号2单元302", Address("石埠镇石荷公路", None, 85)),
        ("望湖镇", Address("望湖镇")),
        ("学府路12", Address("学府路", None, 12)),
        ("12号", Address("", None, 12)),
        ("幸福小区3栋", Address("幸福小区", None, 3)),
    ],
)
def test_an_address_in_parts(address: str, parts: Address) -> None:
    assert split_address(normalise(address)) == parts


def test_sound_and_initials() -> None:
    assert as_pinyin("河口村") == "he kou cun"
    assert as_initials("东街2格") == "dj2g"
    assert is_spelt("djeg")
    assert not is_spelt("东街")
    assert not is_spelt("990101")
