"""How a bench measures: our work and a peer's in turn, their answers compared, a row of figures.

Nothing here knows a store or a county: times and answers in, rows out. What is measured, and what
was prepared outside the clock, each bench says in its own module.
"""

import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Generic, TypeVar

PAIRS: Final = 5
LONG_S: Final = 20.0
"""A work that takes longer than this is run once; five times would tell little more."""

P = TypeVar("P")
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Limit:
    """
    Something that may not be exceeded.

    Attributes
    ----------
    name
        With its unit: ``peak memory, MB``.
    value
        As measured.
    limit
        What it may be; None is told only.
    """

    name: str
    value: float
    limit: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the value is within the limit."""
        return self.limit is None or self.value <= self.limit


@dataclass(frozen=True)
class Row:
    """
    One measured work beside one peer.

    Attributes
    ----------
    work
        What was done.
    ours_s, peer_s
        Median seconds; None where there was nothing to measure.
    peer
        Who else did it.
    ratio
        The peer's time by ours, the median over the pairs: larger is better for us.
    ratio_range
        The lowest and the highest ratio of a pair.
    target
        What the ratio should reach; None where nothing is asked.
    equal
        True only where both answers were compared and agree.
    limits
        Megabytes, percentiles and the like.
    """

    work: str
    ours_s: float | None
    peer: str
    peer_s: float | None
    ratio: float | None
    ratio_range: tuple[float, float] | None = None
    target: float | None = None
    equal: bool = False
    limits: list[Limit] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """
        Give the row as JSON takes it, numbers rounded to four figures.

        Returns
        -------
        dict
            By the names of the attributes.
        """
        return {name: _rounded(value) for name, value in asdict(self).items()}

    @property
    def reached(self) -> bool:
        """Whether the target and every limit are kept."""
        enough = self.target is None or (self.ratio is not None and self.ratio >= self.target)
        return enough and all(limit.kept for limit in self.limits)


@dataclass(frozen=True)
class Side(Generic[P, A]):
    """
    One of the two that are measured.

    Attributes
    ----------
    work
        What the clock sees; takes what ``prepare`` made and gives the answer.
    prepare
        Run before each run, outside the clock.
    clean
        Run after each run, outside the clock, with what ``prepare`` made.
    """

    work: Callable[[P], A]
    prepare: Callable[[], P]
    clean: Callable[[P], None] | None = None

    def run(self) -> float:
        """
        Run it once.

        Returns
        -------
        float
            Seconds of the work alone.
        """
        return self.run_and_read(lambda _given, _answer: None)[0]

    def run_and_read(self, read: Callable[[P, A], B]) -> tuple[float, B]:
        """
        Run it once and look at what it gave or wrote, before it is cleaned away.

        Parameters
        ----------
        read
            Takes what ``prepare`` made and what ``work`` gave; outside the clock.

        Returns
        -------
        seconds, what was read
            The seconds are of the work alone.
        """
        given = self.prepare()
        try:
            gc.collect()
            began = time.perf_counter()
            answer = self.work(given)
            seconds = time.perf_counter() - began
            return seconds, read(given, answer)
        finally:
            if self.clean is not None:
                self.clean(given)


def plain(work: Callable[[], A]) -> Side[None, A]:
    """
    Make a side that needs no preparation.

    Parameters
    ----------
    work
        What the clock sees.

    Returns
    -------
    Side
        With nothing prepared.
    """
    return Side(lambda _: work(), lambda: None)


def the_answer(_given: object, answer: A) -> A:
    """
    Read a side by what its work returned.

    Parameters
    ----------
    answer
        As the work gave it.

    Returns
    -------
    object
        The same.
    """
    return answer


def compare(
    work: str,
    ours: Side[Any, Any],
    peer: str,
    theirs: Side[Any, Any],
    *,
    agree: Callable[[Any, Any], bool] | None,
    read: Callable[[Any, Any], Any] = the_answer,
    target: float | None = None,
    limits: Iterable[Limit] = (),
    pairs: int = PAIRS,
    long_s: float = LONG_S,
) -> Row:
    """
    Measure our work and the peer's in turn, and compare their answers.

    Each side runs once first, unmeasured, so that neither pays for cold caches and compilers; then
    the pairs, the side that begins changing from pair to pair. A side whose first run takes longer
    than ``long_s`` is not run again: that run is its time.

    Parameters
    ----------
    work
        What is done.
    ours, theirs
        The two sides.
    peer
        Who the other is, with what it does.
    agree
        Tells whether two answers say the same; None where they cannot be compared.
    read
        Finds the answer of a run outside the clock, as for :meth:`Side.run_and_read`.
    target
        For the ratio.
    limits
        To be told with the row.
    pairs
        How many pairs of runs.
    long_s
        Seconds.

    Returns
    -------
    Row
        With the medians.
    """
    print(f"{work} … {peer}", file=sys.stderr, flush=True)
    first_ours, our_answer = ours.run_and_read(read)
    first_theirs, their_answer = theirs.run_and_read(read)
    equal = agree is not None and bool(agree(our_answer, their_answer))
    del our_answer, their_answer
    our_times, their_times = _Times(first_ours, long_s), _Times(first_theirs, long_s)
    for pair in range(pairs):
        turns: list[tuple[_Times, Side[Any, Any]]] = [(our_times, ours), (their_times, theirs)]
        for times, one in turns if pair % 2 == 0 else reversed(turns):
            if not times.once:
                times.measured.append(one.run())
    return row(
        work, our_times.all(pairs), peer, their_times.all(pairs),
        equal=equal, target=target, limits=limits,
    )  # fmt: skip


class _Times:
    """The measured seconds of one side."""

    def __init__(self, first: float, long_s: float) -> None:
        self.first = first
        self.once = first > long_s
        self.measured: list[float] = []

    def all(self, pairs: int) -> list[float]:
        return [self.first] * pairs if self.once else self.measured


def row(
    work: str,
    ours_s: Sequence[float],
    peer: str,
    peer_s: Sequence[float],
    *,
    equal: bool,
    target: float | None = None,
    limits: Iterable[Limit] = (),
) -> Row:
    """
    Make a row of times that were measured in pairs.

    Parameters
    ----------
    work
        What is done.
    ours_s, peer_s
        Seconds, pair by pair.
    peer
        Who the other is.
    equal
        Whether the answers were compared and agree.
    target
        For the ratio.
    limits
        To be told with the row.

    Returns
    -------
    Row
        With medians and the range of the ratios.

    Raises
    ------
    ValueError
        The two have not as many times, or none.
    """
    ratios = [theirs / ours for ours, theirs in zip(ours_s, peer_s, strict=True)]
    if not ratios:
        raise ValueError("nothing was measured")
    return Row(
        work,
        statistics.median(ours_s),
        peer,
        statistics.median(peer_s),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        target,
        equal,
        list(limits),
    )


def growth(
    work: str,
    small: Side[Any, Any],
    large: Side[Any, Any],
    factor: float,
    *,
    target: float | None = None,
    limits: Iterable[Limit] = (),
    pairs: int = PAIRS,
) -> Row:
    """
    Measure how a work of ours grows: the same density on an area ``factor`` times as large.

    The peer is our own time on the small area, times the factor; so the ratio is 1 where the time
    grows with the area, below 1 where it grows faster, and larger is better.

    Parameters
    ----------
    work
        What is done.
    small, large
        The same work on both areas.
    factor
        How many times larger.
    target
        For the ratio.
    limits
        To be told with the row.
    pairs
        How many pairs.

    Returns
    -------
    Row
        ``equal`` is False: two areas have two answers.
    """
    measured = compare(work, large, "itself on a smaller area", small, agree=None, pairs=pairs)
    low, high = measured.ratio_range or (math.nan, math.nan)
    return Row(
        work,
        measured.ours_s,
        f"itself on 1/{factor:g} of the area, × {factor:g}",
        None if measured.peer_s is None else measured.peer_s * factor,
        None if measured.ratio is None else measured.ratio * factor,
        (low * factor, high * factor),
        target,
        equal=False,
        limits=list(limits),
    )


def told(work: str, limits: Iterable[Limit], *, equal: bool = False) -> Row:
    """
    Make a row that has limits and no peer.

    Parameters
    ----------
    work
        What was measured.
    limits
        The figures.
    equal
        Whether answers were compared and agree.

    Returns
    -------
    Row
        Without times.
    """
    return Row(work, None, "", None, None, equal=equal, limits=list(limits))


def percentile(samples: Iterable[float], share: float) -> float:
    """
    Find the value that a share of the samples does not exceed.

    Parameters
    ----------
    samples
        Such as seconds.
    share
        0.99 for the p99.

    Returns
    -------
    float
        The nearest rank: always one of the samples.

    Raises
    ------
    ValueError
        There is no sample, or the share is none.
    """
    ordered = sorted(samples)
    if not ordered or not 0 < share <= 1:
        raise ValueError("a percentile needs samples, and a share above 0 and up to 1")
    # 0.99 × 100 is a little above 99: rounding first keeps the rank where it belongs
    return ordered[math.ceil(round(share * len(ordered), 9)) - 1]


def table(rows: Sequence[Row]) -> str:
    """
    Write rows for people.

    Parameters
    ----------
    rows
        The rows.

    Returns
    -------
    str
        Lines; a work's limits stand below it.
    """
    head = ("work", "ours", "peer's", "ratio", "range", "target", "equal", "peer")
    cells = [
        (
            one.work,
            _seconds(one.ours_s),
            _seconds(one.peer_s),
            "" if one.ratio is None else f"{one.ratio:.3g}",
            "" if one.ratio_range is None else "{:.3g}–{:.3g}".format(*one.ratio_range),
            "" if one.target is None else f"≥ {one.target:g}",
            "yes" if one.equal else "no" if one.peer else "",
            one.peer,
        )
        for one in rows
    ]
    widths = [max(len(line[i]) for line in (head, *cells)) for i in range(len(head))]
    lines = [_line(head, widths)]
    for one, line in zip(rows, cells, strict=True):
        lines.append(_line(line, widths) + ("" if one.reached else "   ← missed"))
        for limit in one.limits:
            most = "" if limit.limit is None else f" (limit {limit.limit:,.6g})"
            lines.append(f"    {limit.name}: {limit.value:,.4g}{most}")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.ljust(width) if place in {0, len(cells) - 1} else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return value
