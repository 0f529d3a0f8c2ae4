"""The specification of records fits the tables, and the data guide says what it says."""

import pytest
import sqlalchemy as sa

from gis_service.messages import Language
from gis_service.records import RECORDS, Field, Record, list_referred
from gis_service.store import tables as t
from scripts.data_guide import GUIDES, guide

FIELDS = [
    pytest.param(record, one, id=f"{record.name}-{one.name}")
    for record in RECORDS.values()
    for one in record.fields
]


@pytest.mark.parametrize(("record", "one"), FIELDS)
def test_every_field_has_its_column(record: Record, one: Field) -> None:
    column = t.table_of(record).c[one.stored]
    if one.required and one.name != "last_day":
        assert not column.nullable
    if one.type in ("whole", "number"):
        assert one.least is not None
        assert one.most is not None
        assert not isinstance(column.type, sa.SmallInteger) or one.most <= 32767
    if one.type in ("text", "long", "phone"):
        assert one.most is not None


@pytest.mark.parametrize(("record", "one"), FIELDS)
def test_no_word_of_a_county_means_two_of_ours(record: Record, one: Field) -> None:
    said = [name for names in one.words.values() for name in names]
    assert len(said) == len(set(said))
    assert one.default is None or not one.words or one.default in one.choices


def test_kinds_come_after_those_that_they_refer_to() -> None:
    names = list(RECORDS)
    for record in RECORDS.values():
        for one in record.references:
            assert one.type == "grid" or names.index(one.type) < names.index(record.name)
    assert list_referred() <= {*names, "grid"}


def test_a_record_names_only_fields_that_it_has() -> None:
    for record in RECORDS.values():
        named = {*record.title} if record.has_key and record.name != "household" else set()
        named |= {name for name in (record.detail, record.word, record.follows) if name}
        named |= {name for pair in record.ordered for name in pair}
        named |= {name for names in record.apart for name in names}
        named |= {one for name, other, _ in record.only_when for one in (name, other)}
        assert named <= {one.name for one in record.fields}, record.name


@pytest.mark.parametrize("language", GUIDES)
def test_the_guide_is_what_the_specification_says(language: Language) -> None:
    text = GUIDES[language].read_text("utf-8")
    assert guide(text, language) == text, "run: .venv/bin/python -m scripts.data_guide"
