"""The rules as data: what stands in the file, and what a county lays over it."""

from pathlib import Path

import pytest

from gis_service.errors import InputError
from gis_service.incidents.rules import CLOCK_RUNS, read_rules, tier_above
from gis_service.messages import all_texts
from gis_service.roles import ROLES
from gis_service.store.tables import INCIDENT_STATES, INCIDENT_TIERS

BOOK = read_rules()


def county(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(("tier", "days"), [("village", 3), ("town", 5)])
def test_the_tiers_have_the_days_of_the_plans(tier: str, days: int) -> None:
    assert BOOK.working_days("rubbish", tier) == days
    assert BOOK.deadlines.pass_up_working_days.value == 1
    assert BOOK.deadlines.flagged_above_returns.value == 3


def test_a_kind_may_have_days_of_its_own() -> None:
    assert BOOK.working_days("fire", "village") == 1
    assert BOOK.working_days("fire", "town") == BOOK.working_days("unknown", "town") == 5


def test_every_state_can_be_left_but_a_closed_one() -> None:
    for state in INCIDENT_STATES:
        onward = {
            move.to
            for tier in INCIDENT_TIERS
            for role in ROLES
            for move in BOOK.allowed(state, tier, role, "rubbish")
        } - {None, state}
        assert bool(onward) is (state != "closed"), state


@pytest.mark.parametrize("role", ["planner", "analyst", "visitor"])
def test_who_only_reads_does_nothing(role: str) -> None:
    assert not [s for s in INCIDENT_STATES if BOOK.allowed(s, "village", role, "rubbish")]


def test_an_officer_does_not_verify_the_own_work() -> None:
    assert "verify" not in {m.move for m in BOOK.allowed("handled", "village", "grid_officer", "x")}


def test_a_danger_is_not_closed_on_the_spot() -> None:
    def moves(kind: str) -> set[str]:
        return {move.move for move in BOOK.allowed("reported", "village", "grid_officer", kind)}

    assert "close_on_spot" in moves("rubbish")
    assert "close_on_spot" not in moves("fire")


def test_every_move_and_state_has_a_name_in_both_languages() -> None:
    texts = all_texts("zh-CN")
    names = {f"incidents.move_{one.move}" for one in BOOK.moves}
    names |= {f"incidents.state_{state}" for state in INCIDENT_STATES}
    names |= {f"incidents.tier_{tier}" for tier in INCIDENT_TIERS}
    assert names <= set(texts)


def test_the_clock_runs_until_somebody_has_handled_it() -> None:
    assert set(INCIDENT_STATES) - CLOCK_RUNS == {"handled", "verified", "closed"}


def test_above_the_village_is_the_town_and_above_it_the_county() -> None:
    assert (tier_above("village"), tier_above("town")) == ("town", "county")


def test_a_county_says_only_what_differs_and_is_the_source_of_it(tmp_path: Path) -> None:
    own = read_rules(
        county(
            tmp_path,
            "[deadlines.working_days]\nvillage = 2\n"
            "[kinds.fire.working_days]\ntown = 1\n"
            "[kinds.gas]\nname = '燃气'\nname_en = 'Gas'\ngroup = 'a'\ngroup_en = 'b'\n"
            "on_spot = false\n",
        )
    )
    assert own.working_days("rubbish", "village") == 2
    assert own.deadlines.working_days["village"].source == "own.toml"
    assert (own.working_days("fire", "town"), own.working_days("fire", "village")) == (1, 1)
    assert own.kinds["gas"].on_spot.value is False
    assert own.working_days("rubbish", "town") == 5


@pytest.mark.parametrize(
    "text",
    [
        "[deadlines.working_days]\nvillage = -1",
        "[deadlines.working_days]\nhamlet = 3",
        "[duplicates]\nradius_m = inf",
        "[kinds.fire]\ncolour = 'red'",
        "[[moves]]\nmove = 'fly'\nfrom = ['nowhere']\nroles = ['dispatcher']",
        "[kinds.fire]\nattributes = [{code = 'a', datatype = 'text', values = [{key = 'b'}]}]",
        "not toml",
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as refused:
        read_rules(county(tmp_path, text))
    assert "own.toml" in refused.value.say("zh-CN")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_rules(tmp_path / "none.toml")
