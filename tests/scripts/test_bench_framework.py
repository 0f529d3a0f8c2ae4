"""The bench's own arithmetic: who runs when, what is on the clock, what a row says."""

import json
import math
import os
from collections.abc import Callable

import numpy as np
import pytest

from scripts.benches import framework
from scripts.benches.__main__ import names
from scripts.benches.framework import Limit, Row, Side, compare, growth, percentile, plain, row
from scripts.benches.processes import in_child, one_core
from tests.scripts.works import affinity, filled


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the whole suite has loaded is not swept before every run of a drawn work."""
    monkeypatch.setattr("scripts.benches.framework.gc.collect", lambda: 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only goes on when it is told to."""
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("scripts.benches.framework.time.perf_counter", lambda: now[0])
    return wait


def test_both_sides_run_in_turn_after_one_run_that_does_not_count(
    clock: Callable[[float], None],
) -> None:
    order: list[str] = []

    def work(name: str, first: float, later: float) -> Callable[[], str]:
        def run() -> str:
            clock(later if name in order else first)
            order.append(name)
            return "answer"

        return run

    measured = compare(
        "w", plain(work("ours", 9, 1)), "p", plain(work("theirs", 9, 3)), agree=str.__eq__, pairs=5
    )
    assert order[:2] == ["ours", "theirs"]
    assert order[2:] == ["ours", "theirs", "theirs", "ours"] * 2 + ["ours", "theirs"]
    assert (measured.ours_s, measured.peer_s, measured.ratio) == (1, 3, 3)
    assert measured.equal is True


def test_what_is_prepared_read_and_cleaned_is_off_the_clock(clock: Callable[[float], None]) -> None:
    cleaned: list[str] = []

    def prepare() -> str:
        clock(100)
        return "given"

    def work(given: str) -> str:
        clock(2)
        return given.upper()

    def clean(given: str) -> None:
        clock(100)
        cleaned.append(given)

    def read(given: str, answer: str) -> str:
        clock(100)
        assert not cleaned
        return given + answer

    assert Side(work, prepare, clean).run_and_read(read) == (2, "givenGIVEN")
    assert Side(work, prepare, clean).run() == 2
    assert cleaned == ["given", "given"]


def test_a_run_that_fails_is_cleaned_up_too() -> None:
    cleaned: list[int] = []

    def fail(_: int) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        Side(fail, lambda: 7, cleaned.append).run()
    assert cleaned == [7]


def test_a_side_that_takes_long_runs_once(clock: Callable[[float], None]) -> None:
    runs = {"ours": 0, "theirs": 0}

    def work(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            runs[name] += 1
            clock(seconds)

        return run

    measured = compare("w", plain(work("ours", 2)), "p", plain(work("theirs", 30)), agree=None)
    assert runs == {"ours": 6, "theirs": 1}
    assert (measured.peer_s, measured.ratio, measured.equal) == (30, 15, False)


def test_answers_that_differ_or_are_not_compared_are_not_equal() -> None:
    one, two = plain(lambda: np.arange(3)), plain(lambda: np.arange(3)[::-1])
    assert not compare("w", one, "p", two, agree=np.array_equal).equal
    assert compare("w", one, "p", one, agree=np.array_equal).equal is True
    assert not compare("w", one, "p", one, agree=None).equal


def test_the_ratio_is_the_median_of_the_pairs_not_of_the_sides() -> None:
    measured = row("w", [1, 2, 10], "p", [5, 2, 20], equal=True)
    assert (measured.ours_s, measured.peer_s) == (2, 5)
    assert measured.ratio == 2
    assert measured.ratio_range == (1, 5)


def test_times_that_make_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError):
        row("w", [1, 2], "p", [1], equal=False)
    with pytest.raises(ValueError, match="nothing"):
        row("w", [], "p", [], equal=False)


def test_growth_is_one_where_time_grows_with_the_area(clock: Callable[[float], None]) -> None:
    small, large = plain(lambda: clock(1.0)), plain(lambda: clock(20.0))
    measured = growth("w", small, large, 10, target=0.8)
    assert measured.ratio == pytest.approx(0.5)
    assert measured.ratio_range == pytest.approx((0.5, 0.5))
    assert (measured.ours_s, measured.peer_s) == (20, 10)
    assert not measured.reached


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.99, 99), (0.991, 100), (1, 100), (0.001, 1)]
)
def test_a_percentile_is_one_of_the_samples(share: float, value: float) -> None:
    assert percentile(range(100, 0, -1), share) == value


@pytest.mark.parametrize(("samples", "share"), [([], 0.5), ([1.0], 0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_refused(samples: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(samples, share)


def test_a_row_is_json_with_its_names_and_four_figures() -> None:
    one = Row(
        "w", 0.123456, "p", 1.5, 12.34567, (10.0, 15.00001), 10.0, equal=True,
        limits=[Limit("p99, ms", 3.14159, 5)],
    )  # fmt: skip
    assert json.loads(json.dumps(one.as_dict())) == {
        "work": "w",
        "ours_s": 0.1235,
        "peer": "p",
        "peer_s": 1.5,
        "ratio": 12.35,
        "ratio_range": [10.0, 15.0],
        "target": 10.0,
        "equal": True,
        "limits": [{"name": "p99, ms", "value": 3.142, "limit": 5}],
    }


def test_a_number_that_json_does_not_know_becomes_null() -> None:
    assert Row("w", math.inf, "p", math.nan, None).as_dict()["ours_s"] is None


def test_a_row_reaches_its_target_only_within_its_limits() -> None:
    assert Row("w", 1, "p", 9, 9, target=9).reached
    assert not Row("w", 1, "p", 9, 8.9, target=9).reached
    assert not Row("w", 1, "p", 9, 9, target=9, limits=[Limit("MB", 65, 64)]).reached
    assert Row("w", 1, "p", 9, 9, limits=[Limit("MB", 65)]).reached


def test_the_table_shows_every_row_and_limit() -> None:
    rows = [
        Row("short", 0.01, "peer", 2.0, 200, (150, 250), 10, equal=True),
        Row("missed", 1.0, "peer", 2.0, 2, (1, 3), 10, limits=[Limit("tile, kB", 412.0, 300)]),
    ]
    lines = framework.table(rows).splitlines()
    assert len(lines) == 4
    assert "10 ms" in lines[1]
    assert "yes" in lines[1]
    assert "missed" in lines[2]
    assert lines[2].endswith("← missed")
    assert lines[3].strip() == "tile, kB: 412 (limit 300)"


def test_a_child_tells_the_memory_its_work_needed_and_not_ours() -> None:
    ballast = np.ones(300_000_000, dtype=np.uint8)
    measured = in_child(filled, 80)
    assert measured.value == 80_000_000
    assert 79 < measured.grown_mb < 120
    assert measured.peak_mb < ballast.nbytes / 1e6
    assert measured.seconds > 0


def test_a_child_can_be_kept_on_one_core() -> None:
    assert len(in_child(affinity, one_core=True).value) == 1


def test_one_core_is_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_every_module_beside_the_framework_is_a_bench() -> None:
    assert "assign" in names()
    assert not {"framework", "context", "processes", "__main__"} & set(names())
