"""Whoever is refused is told who could, in both languages."""

import re
from typing import Final

import pytest

from gis_service.access.permissions import NAMED
from gis_service.messages import LANGUAGES, Language, text

WHO: Final[dict[Language, str]] = {
    "en": "county office|planner|dispatcher|officer|administrator|auditor|staff",
    "zh-CN": "县网格办|县级|规划员|调度|网格员|管理员|审计员|工作人员",
}
BY_PLACE: Final = (
    "boundaries.own_plan",
    "entry.not_your_grid",
    "incidents.may_not_import",
    "incidents.may_not_report",
    "incidents.not_your_grid",
    "reports.whole_county_only",
)
"""What is refused by the place, or since one made it oneself."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_names_who_could(language: Language) -> None:
    keys = {one.refusal for one in NAMED.values() if one.refusal} | set(BY_PLACE)
    assert len(keys) > 12
    said = {key: text(key, language, actor="某") for key in keys}
    assert {key: one for key, one in said.items() if not re.search(WHO[language], one)} == {}
