"""A county's own rules: one way to lay them over the product's, whatever the file is about."""

from pathlib import Path
from typing import Any

import pytest

from gis_service.boundaries.editing import rules as redraw
from gis_service.coverage.standards import book as standards
from gis_service.errors import InputError
from gis_service.incidents import rules as incidents
from gis_service.rule_files import Sourced, Table, read_rules

BOOKS: dict[str, tuple[type[Table], Path]] = {
    "redraw": (redraw.RedrawRules, redraw.DEFAULTS),
    "standards": (standards.StandardBook, standards.DEFAULTS),
    "incidents": (incidents.RuleBook, incidents.DEFAULTS),
}


class Speeds(Table):
    by_class: dict[str, Sourced[float]]
    kinds: tuple[str, ...]


class Shape(Table):
    limit: Sourced[float]
    ways: dict[str, Speeds]


PRODUCT = """
limit = { value = 5, source = "the law" }
[ways.foot]
kinds = ["shop", "bank"]
by_class.path = { value = 4, source = "measured" }
by_class.steps = { value = 2, source = "half" }
"""


def laid_over(folder: Path, county: str, product: str = PRODUCT) -> dict[str, Any]:
    defaults, own = folder / "product.toml", folder / "county.toml"
    defaults.write_text(product, "utf-8")
    own.write_text(county, "utf-8")
    return read_rules(Shape, defaults, own, "GIS_OWN_FILE").model_dump()


@pytest.mark.parametrize("name", BOOKS)
def test_what_the_product_says_stands_with_its_source(name: str) -> None:
    shape, defaults = BOOKS[name]
    assert read_rules(shape, defaults, None, "GIS_OWN_FILE")


@pytest.mark.parametrize("name", BOOKS)
def test_a_number_of_the_product_s_without_a_source_is_refused(name: str, tmp_path: Path) -> None:
    shape, defaults = BOOKS[name]
    bare = tmp_path / "bare.toml"
    text = defaults.read_text("utf-8")
    key, _, rest = next(
        line for line in text.splitlines() if "{ value = " in line and line[0] != "#"
    ).partition(" = { value = ")
    number = rest.split(", source")[0]
    bare.write_text(text.replace(f"{key} = {{ value = {rest}", f"{key} = {number}", 1), "utf-8")
    with pytest.raises(InputError, match=key):
        read_rules(shape, bare, None, "GIS_OWN_FILE")


def test_tables_are_laid_over_each_other_at_any_depth(tmp_path: Path) -> None:
    steps = {"value": 1.5, "source": "county.toml"}
    told = laid_over(tmp_path, "[ways.foot.by_class]\nsteps = 1.5\nferry = 6\n")
    assert told["limit"] == {"value": 5, "source": "the law"}
    assert told["ways"]["foot"]["by_class"] == {
        "path": {"value": 4, "source": "measured"},
        "steps": steps,
        "ferry": {"value": 6, "source": "county.toml"},
    }


def test_a_table_that_is_new_takes_numbers_alone_too(tmp_path: Path) -> None:
    told = laid_over(tmp_path, "[ways.boat]\nkinds = []\nby_class.river = 9\n")
    assert told["ways"]["boat"]["by_class"]["river"] == {"value": 9, "source": "county.toml"}
    assert "foot" in told["ways"]


def test_a_list_is_replaced_whole(tmp_path: Path) -> None:
    assert laid_over(tmp_path, "[ways.foot]\nkinds = ['school']\n")["ways"]["foot"]["kinds"] == (
        "school",
    )


def test_a_source_of_the_product_never_stands_beside_a_county_s_number(tmp_path: Path) -> None:
    own = {"value": 7, "source": "plan 2026"}
    assert laid_over(tmp_path, "limit = { value = 7, source = 'plan 2026' }")["limit"] == own
    with pytest.raises(InputError, match=r"limit\.source"):
        laid_over(tmp_path, "limit = { value = 7 }")


@pytest.mark.parametrize("wrong", ["limit = 'far'", "limt = 3", "ways = 3", "limit = ["])
def test_what_cannot_be_is_refused_with_the_file_s_name(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(InputError, match=r"county\.toml") as refused:
        laid_over(tmp_path, wrong)
    assert refused.value.key in ("rules.wrong", "rules.unreadable")
