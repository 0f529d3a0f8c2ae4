"""Each rule finds what it is for, says it in both languages, and is silent where all is well."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from gis_service.boundaries.editing import checks
from gis_service.boundaries.editing.balance import Loads, Units
from gis_service.boundaries.editing.checks import (
    BaseLand,
    Context,
    Finding,
    build_levels,
    check,
    check_levels,
)
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.editing.rules import read_rules
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.errors import InputError
from gis_service.geodesy import LATTICE
from tests.boundaries.test_edits import STEP, at, box, line, parents_of, straight

__all__ = ["straight"]  # fixture
UPPER = {f"village {row}": "town" for row in range(5)}
Levels = tuple[dict[str, Any], list[dict[str, str]], np.ndarray]


@pytest.fixture(scope="module")
def context(straight: Tessellation) -> Context:
    return Context(BaseLand(straight, parents_of(straight)), upper=[UPPER], rules=read_rules())


@pytest.fixture
def draft(straight: Tessellation) -> Draft:
    return Draft(straight, parents_of(straight))


@pytest.fixture
def levels(draft: Draft, context: Context) -> Levels:
    faces, parents, outline = build_levels(draft, context)
    return faces, parents, outline


def rules_of(findings: list[Finding]) -> list[str]:
    return sorted({finding.rule for finding in findings})


def test_a_drawn_county_without_faults_has_no_finding(draft: Draft, context: Context) -> None:
    assert check(draft, context) == []
    assert check(draft, context, ["22", "23"]) == []


# --- tiling --------------------------------------------------------------------------------------


def test_a_slit_of_two_steps_is_found_with_its_place(levels: Levels) -> None:
    faces, parents, outline = levels
    x, y = at(2, 2)
    narrow = shapely.box(x + 2 * LATTICE, y, x + STEP, y + STEP)
    findings = check_levels({**faces, "22": narrow}, parents, outline)
    assert "gap" in rules_of(findings)
    gap = next(finding for finding in findings if finding.rule == "gap")
    assert gap.severity == "error"
    assert gap.place.distance(shapely.Point(x, y)) < 1e-8


def test_an_overlap_names_both_grids(levels: Levels) -> None:
    faces, parents, outline = levels
    x, y = at(2, 2)
    wide = shapely.box(x - 1e-4, y, x + STEP, y + STEP)
    findings = check_levels({**faces, "22": wide}, parents, outline)
    overlap = next(finding for finding in findings if finding.rule == "overlap")
    assert overlap.keys == ("21", "22")
    assert "22" in overlap.text("zh-CN")
    assert overlap.as_dict("en", {"22": "North"})["text"].startswith("21, North cover")


def test_a_grid_left_out_in_the_middle_is_a_gap(levels: Levels) -> None:
    faces, parents, outline = levels
    findings = check_levels({**faces, "22": faces["23"]}, parents, outline)
    assert {"gap", "overlap"} <= set(rules_of(findings))


def test_a_county_s_corner_cut_off_is_found(levels: Levels) -> None:
    faces, parents, outline = levels
    cut = shapely.Polygon([at(0, 0.5), at(0.5, 0), at(1, 0), at(1, 1), at(0, 1)])
    assert "gap" in rules_of(check_levels({**faces, "00": cut}, parents, outline))


def test_land_beyond_the_county_is_found(levels: Levels) -> None:
    faces, parents, outline = levels
    out = shapely.Polygon([at(-0.1, 0), at(1, 0), at(1, 1), at(0, 1)])
    assert "outline" in rules_of(check_levels({**faces, "00": out}, parents, outline))


def test_a_parent_that_is_not_its_children_is_found(levels: Levels) -> None:
    faces, parents, outline = levels
    findings = check_levels({**faces, "village 2": box(0, 2, 5, 1.001)}, parents, outline)
    assert [(finding.rule, finding.keys) for finding in findings if finding.rule == "level"] == [
        ("level", ("village 2",)), ("level", ("town",)),
    ]  # fmt: skip


def test_a_border_that_crosses_itself_is_found(levels: Levels) -> None:
    faces, parents, outline = levels
    bow = shapely.Polygon([at(2, 2), at(3, 3), at(3, 2), at(2, 3)])
    assert "invalid" in rules_of(check_levels({**faces, "22": bow}, parents, outline))


# --- rules a planner knows -----------------------------------------------------------------------


def test_land_across_a_village_border_needs_a_reason(draft: Draft, context: Context) -> None:
    draft.apply({"kind": "give", "region": box(2.2, 1.7, 0.5, 0.3), "to": "22"})
    findings = [
        finding
        for finding in check(draft, context, ["22", "12"])
        if finding.rule == "outside_village"
    ]
    assert [(finding.keys, finding.severity) for finding in findings] == [(("22",), "warning")]
    assert shapely.covers(box(2.2, 1.7, 0.5, 0.3).buffer(1e-8), findings[0].place)


@pytest.mark.parametrize(("allowed", "severity"), [(True, "warning"), (False, "error")])
def test_several_parts_are_an_error_only_where_the_scheme_allows_one(
    draft: Draft, context: Context, allowed: bool, severity: str
) -> None:
    draft.apply({"kind": "merge", "grids": ["22", "24"], "into": "22"})
    findings = check(draft, replace(context, several_parts=allowed), ["22"])
    assert [(finding.rule, finding.severity, finding.values["n"]) for finding in findings] == [
        ("several_parts", severity, 2)
    ]


def test_a_grid_around_another_is_told(draft: Draft, context: Context) -> None:
    draft.apply({"kind": "draw", "region": box(2.3, 2.3, 0.4, 0.4)})
    assert rules_of(check(draft, context, ["22", "new-1"])) == ["hole"]


def test_a_building_that_a_new_border_cuts_is_told(draft: Draft, context: Context) -> None:
    houses = PackedShapes(np.array([box(2.48, 2.2, 0.1, 0.1), box(2.7, 2.7, 0.1, 0.1)]))
    draft.apply({"kind": "split", "grid": "22", "line": line((2.5, 1.9), (2.5, 3.1))})
    findings = check(draft, replace(context, footprints=houses), ["22", "new-1"])
    assert [(finding.rule, finding.values["n"]) for finding in findings] == [("building_cut", 1)]
    assert findings[0].keys == ("22", "new-1")


def with_loads(
    draft: Draft, context: Context, places: list[tuple[float, float]], n: int
) -> Context:
    xy = np.array([at(*place) for place in places])
    counts = np.zeros((len(xy), 6))
    counts[:, 0] = n
    classes = dict.fromkeys(draft.keys, "220")
    units = Units(xy[:, 0], xy[:, 1], counts)
    size = {"rural": (80, 300)}
    loads = Loads.place(
        draft.faces(), units, PackedShapes(np.empty(0, dtype=object)), context.rules.load,
        size_rule=size, classes=classes,
    )  # fmt: skip
    return replace(context, loads=loads)


def test_size_is_judged_by_the_class_of_the_place(draft: Draft, context: Context) -> None:
    judged = with_loads(draft, context, [(2.5, 2.5), (3.5, 2.5), (1.5, 2.5)], 80)
    assert check(draft, judged, ["22", "23"]) == []
    findings = check(draft, with_loads(draft, context, [(2.5, 2.5)] * 4, 80), ["22", "23"])
    counted = [(finding.keys, finding.values["households"]) for finding in findings]
    assert counted == [(("22",), 320), (("23",), 0)]


def test_a_household_left_out_is_an_error(draft: Draft, context: Context) -> None:
    judged = with_loads(draft, context, [(2.5, 2.5), (9, 9)], 90)
    findings = [
        finding for finding in check(draft, judged, ["22"]) if finding.rule == "household_out"
    ]
    assert [(finding.severity, finding.values["n"]) for finding in findings] == [("error", 90)]


def test_a_strip_is_too_thin(draft: Draft, context: Context) -> None:
    draft.apply({"kind": "split", "grid": "22", "line": line((1.9, 2.02), (3.1, 2.02))})
    assert [finding.keys for finding in check(draft, context, ["22", "new-1"])] == [("new-1",)]


def test_a_new_border_off_the_streets_is_told_and_one_along_them_is_not(
    draft: Draft, context: Context
) -> None:
    judged = replace(
        context, streets=PackedShapes(np.array([line((2.5, 1.5), (2.5, 3.5))], dtype=object))
    )
    draft.apply({"kind": "split", "grid": "22", "line": line((2.501, 1.9), (2.501, 3.1))})
    assert check(draft, judged, ["22", "new-1"]) == []
    draft.undo()
    draft.apply({"kind": "split", "grid": "22", "line": line((2.3, 1.9), (2.3, 3.1))})
    findings = check(draft, judged, ["22", "new-1"])
    assert [(finding.rule, finding.values["percent"]) for finding in findings] == [
        ("not_along_streets", 100)
    ]


def test_a_grid_without_officer_is_told(draft: Draft, context: Context) -> None:
    judged = replace(context, officers=frozenset({"22"}))
    assert [finding.keys for finding in check(draft, judged, ["22", "23"])] == [("23",)]


def full(draft: Draft, context: Context) -> Context:
    """All that a grid is judged by, and nothing wrong with it."""
    middles = [(column + 0.5, row + 0.5) for column in range(5) for row in range(5)]
    borders = [line((n, 0), (n, 5)) for n in range(6)] + [line((0, n), (5, n)) for n in range(6)]
    houses = [box(x - 0.1, y - 0.1, 0.2, 0.2) for x, y in middles]
    return replace(
        with_loads(draft, context, middles, 90),
        several_parts=False,
        footprints=PackedShapes(np.array(houses)),
        streets=PackedShapes(np.array(borders, dtype=object)),
        officers=frozenset(draft.keys),
    )


def test_where_nothing_is_wrong_no_rule_complains(draft: Draft, context: Context) -> None:
    judged = full(draft, context)
    assert check(draft, judged) == []
    for key in draft.keys:
        assert check(draft, judged, [key]) == []


BROKEN: dict[str, dict[str, Any]] = {
    "outside_village": {"kind": "give", "region": box(2.2, 1.7, 0.5, 0.3), "to": "22"},
    "several_parts": {"kind": "merge", "grids": ["22", "24"], "into": "22"},
    "hole": {"kind": "draw", "region": box(2.3, 2.3, 0.4, 0.4)},
    "building_cut": {"kind": "split", "grid": "22", "line": line((2.5, 1.9), (2.5, 3.1))},
    "thin": {"kind": "split", "grid": "22", "line": line((1.9, 2.02), (3.1, 2.02))},
    "not_along_streets": {"kind": "split", "grid": "22", "line": line((2.3, 1.9), (2.3, 3.1))},
    "no_officer": {"kind": "draw", "region": box(2.1, 2.1, 0.8, 0.8)},
}


@pytest.mark.parametrize("rule", list(BROKEN))
def test_what_breaks_a_rule_is_told_with_its_place_and_a_reason(
    draft: Draft, context: Context, rule: str
) -> None:
    judged = replace(full(draft, context), loads=None)
    touched = draft.apply(BROKEN[rule]).touched
    broken = [finding for finding in check(draft, judged, touched) if finding.rule == rule]
    assert broken
    changed = shapely.union_all(list(draft.faces(touched).values())).buffer(1e-9)
    for finding in broken:
        written = finding.as_dict("zh-CN")
        assert written["place"]["type"]
        assert shapely.covers(changed, finding.place)
        assert written["text"] != finding.text("en")


def test_every_rule_speaks_both_languages(straight: Tessellation) -> None:
    values = {
        "area_m2": 1, "metres": 1, "n": 1, "households": 1, "least": 1, "most": 1, "value": 1,
        "percent": 1, "code": "1",
    }  # fmt: skip
    for rule in checks.RULES:
        finding = Finding(rule, "error", (straight.keys[0],), None, values)
        chinese, english = finding.text("zh-CN"), finding.text("en")
        assert chinese != english
        assert "rule_" not in chinese + english
        assert "{" not in chinese + english


# --- numbers of the county's own -----------------------------------------------------------------


def test_a_county_s_file_overrides_numbers_and_severities(
    tmp_path: Any, draft: Draft, context: Context
) -> None:
    file = tmp_path / "redraw.toml"
    file.write_text('[severity]\nhole = "off"\nthin = "error"\n[load]\nhazards = 9\n')
    own = read_rules(file)
    assert own.load.hazards.value == 9
    assert own.load.hazards.source == "redraw.toml"
    draft.apply({"kind": "draw", "region": box(2.3, 2.3, 0.4, 0.4)})
    assert check(draft, replace(context, rules=own), ["22", "new-1"]) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[load]\nhazards = -1\n", "rules.wrong"),
        ('[severity]\nhole = "loud"\n', "rules.wrong"),
        ("[load\n", "rules.unreadable"),
    ],
)
def test_a_county_s_file_that_cannot_be_is_refused(tmp_path: Any, text: str, key: str) -> None:
    file = tmp_path / "redraw.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_rules(file)
    assert caught.value.key == key


def every_grid(looked: checks.CheckScope) -> list[checks.Broken]:
    return [((key,), None, {}) for key in looked.keys]


def test_a_rule_of_a_county_s_own_is_one_more_entry(
    monkeypatch: pytest.MonkeyPatch, draft: Draft, context: Context
) -> None:
    monkeypatch.setitem(checks.RULES, "no_officer", every_grid)
    assert [finding.keys for finding in check(draft, context, ["22"])] == [("22",)]
