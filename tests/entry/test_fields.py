"""What a form may send: read, trimmed, in bounds; what is wrong is named field by field."""

import ast
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_service.entry import faults, fields
from gis_service.entry.faults import FieldsError
from gis_service.entry.fields import read_fields
from gis_service.messages import LANGUAGES, all_texts
from gis_service.records import list_entered
from gis_service.roles import ROLES

KINDS = list_entered()
SHOP = {
    "kind": "shop",
    "name": " 福来百货店 ",
    "grade": "B",
    "point": {"lon": 112.9, "lat": 28.7, "crs": "wgs84"},
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def names_of_faults(error: FieldsError) -> list[str]:
    return [fault.name for fault in error.faults]


def test_a_new_record_has_every_field_and_no_blanks_around_texts() -> None:
    found = read_fields(KINDS["premises"], SHOP, None)
    assert set(found) == {field.name for field in KINDS["premises"].fields}
    assert found["name"] == "福来百货店"
    assert found["point"] == (112.9, 28.7)
    assert found["building"] is None
    assert found["phone"] == ""


def test_a_change_has_only_what_was_given() -> None:
    before = read_fields(KINDS["premises"], SHOP, None)
    assert read_fields(KINDS["premises"], {"grade": "A"}, before) == {"grade": "A"}


def test_a_fixed_field_may_be_sent_as_it_is_and_not_otherwise() -> None:
    before = read_fields(KINDS["premises"], {**SHOP, "key": "P-1"}, None)
    assert read_fields(KINDS["premises"], {"key": "P-1"}, before) == {"key": "P-1"}
    with pytest.raises(FieldsError) as raised:
        read_fields(KINDS["premises"], {"key": "P-2"}, before)
    assert names_of_faults(raised.value) == ["key"]


def test_a_word_that_a_record_came_with_may_stay() -> None:
    before = {**read_fields(KINDS["premises"], SHOP, None), "kind": "tea_house"}
    assert read_fields(KINDS["premises"], {"kind": "tea_house"}, before) == {"kind": "tea_house"}
    with pytest.raises(FieldsError):
        read_fields(KINDS["premises"], {"kind": "tea_house"}, {**before, "kind": "shop"})


def test_dates_are_held_against_those_that_stand_already() -> None:
    point = {"lon": 112.9, "lat": 28.7, "crs": "cgcs2000"}
    given_values = {"kind": "gas", "point": point, "found_on": "2026-03-01", "due_on": "2026-03-09"}
    before = read_fields(KINDS["hazard"], given_values, None)
    assert before["found_on"] == date(2026, 3, 1)
    with pytest.raises(FieldsError) as raised:
        read_fields(KINDS["hazard"], {"due_on": "2026-02-27"}, before)
    assert names_of_faults(raised.value) == ["due_on"]


@given(kind=st.sampled_from(sorted(KINDS)), data=st.data(), is_change=st.booleans())
def test_whatever_is_sent_is_read_or_refused(kind: str, data: Any, is_change: bool) -> None:
    names = [field.name for field in KINDS[kind].fields]
    sent = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), ANY_JSON, max_size=6))
    before = dict.fromkeys(names) | {"due_on": date(2026, 3, 1), "found_on": date(2026, 3, 1)}
    before |= {"status": "found"}
    try:
        touched = set(read_fields(KINDS[kind], sent, before if is_change else None))
    except FieldsError as error:
        touched = set(names_of_faults(error)) - set(sent)
    assert touched <= set(names)


def test_no_role_is_misspelt() -> None:
    assert set().union(*(kind.writers for kind in KINDS.values())) <= set(ROLES)


def test_every_fault_has_a_text() -> None:
    room = Path(fields.__file__).parent
    assert Path(faults.__file__).parent == room
    keys = {
        node.value
        for file in room.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("entry.")
        and not node.value.endswith("_")
    }
    assert len(keys) > 30
    for language in LANGUAGES:
        assert keys <= set(all_texts(language))
