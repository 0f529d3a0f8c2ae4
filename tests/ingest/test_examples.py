"""The example files of the data guide go in, in the guide's order, and again without a change."""

import re
from pathlib import Path

import pytest

from gis_service.access import SYSTEM
from gis_service.coordinate_systems import parse_crs
from gis_service.ingest.importing import import_file, list_kinds
from gis_service.ingest.kinds.kind import ImportOptions, ImportOutcome
from gis_service.store import Store

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GUIDES = [ROOT / "docs" / "data-guide.md", ROOT / "docs" / "data-guide.zh-CN.md"]
ORDER = {
    "admin_units": 4, "grids": 7, "buildings": 4, "households": 5, "premises": 2, "facilities": 3,
    "hazards": 2, "incidents": 2, "officers": 3, "duties": 5, "leaves": 1, "roads": 5,
}  # fmt: skip
"""Kinds in the order in which a county hands them in, with the rows of the example."""

WITH_FILES = {kind for kind in ORDER if any(EXAMPLES.glob(f"{kind}.*"))}


def take(store: Store, kind: str) -> ImportOutcome:
    (file,) = EXAMPLES.glob(f"{kind}.*")
    extra = {"source_list": "example"} if kind == "admin_units" else {}
    options = ImportOptions(crs=parse_crs("cgcs2000"), extra=extra)
    return import_file(store, SYSTEM, kind, file, options)


def test_there_is_an_example_of_every_kind() -> None:
    assert WITH_FILES == set(ORDER) == set(list_kinds())


def test_every_example_goes_in_whole_and_a_second_time_changes_nothing(store: Store) -> None:
    for kind, rows in ORDER.items():
        outcome = take(store, kind)
        assert not outcome.refusals, (kind, outcome.refusals)
        assert outcome.rows == rows, kind
        assert outcome.new, kind
    for kind in ORDER:
        again = take(store, kind)
        assert (again.new, again.changed, again.removed) == (0, 0, 0), kind


@pytest.mark.parametrize("guide", GUIDES, ids=lambda file: file.name)
def test_the_guide_names_every_kind_every_field_and_every_example(guide: Path) -> None:
    told = guide.read_text("utf-8")
    for name, kind in list_kinds().items():
        section = re.search(rf"^## [^\n]*`{name}`.*?(?=^## |\Z)", told, re.MULTILINE | re.DOTALL)
        assert section, name
        for field in kind.fields:
            assert f"`{field.name}`" in section[0], (name, field.name)
        for file in EXAMPLES.glob(f"{name}.*"):
            assert f"examples/{file.name}" in section[0]
