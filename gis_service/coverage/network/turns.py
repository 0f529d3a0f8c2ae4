"""Turn restrictions: what is forbidden where, and the junctions that are split because of it.

A junction with a restriction gets for each street end one node where it is arrived at and one from
which it is left, and the allowed turns between them as arcs without time. All other junctions stay
as they are, so that a network without restrictions costs nothing. Nothing here reads the store.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class TurnInputs(Protocol):
    """What is needed of a network."""

    @property
    def node_id(self) -> IntArray:
        """Ids of the nodes, rising."""

    @property
    def edge_id(self) -> IntArray:
        """Ids of the edges."""

    @property
    def source(self) -> IntArray:
        """Index of the node where each edge begins."""

    @property
    def target(self) -> IntArray:
        """Index of the node where each edge ends."""


@dataclass(frozen=True)
class TurnRules:
    """Restrictions by id."""

    # Whoever comes from this edge must not (or may only) turn into that one at the node.
    from_edge: IntArray
    via_node: IntArray
    to_edge: IntArray
    # True for "only this way", False for "not this way".
    only: BoolArray

    def __len__(self) -> int:
        """How many restrictions."""
        return len(self.from_edge)

    @classmethod
    def none(cls) -> Self:
        """Restrict nothing."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, nothing, np.zeros(0, bool))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Take what can be applied."""
        if "why_not" in frame:
            frame = frame[frame["why_not"].isna()]
        frame = frame.sort_values(["via_node", "from_edge", "to_edge", "kind"])
        return cls(
            frame["from_edge"].to_numpy(np.int64),
            frame["via_node"].to_numpy(np.int64),
            frame["to_edge"].to_numpy(np.int64),
            frame["kind"].str.startswith("only_").to_numpy(bool),
        )

    def follow_cut(self, edge: int, node: int, piece: int) -> Self:
        """Follow an edge that was cut: what was said of it at a node is said of a piece."""
        here = self.via_node == node
        return replace(
            self,
            from_edge=np.where(here & (self.from_edge == edge), piece, self.from_edge),
            to_edge=np.where(here & (self.to_edge == edge), piece, self.to_edge),
        )


@dataclass(frozen=True)
class Turns:
    """The graph's nodes beside those of the network."""

    # Of the graph; the network's own nodes come first.
    node_count: int
    # By edge, the node from which it is entered at either end.
    leaving_source: IntArray
    leaving_target: IntArray
    # By edge, the node that it leads to at either end.
    arriving_source: IntArray
    arriving_target: IntArray
    # The allowed turns, without time.
    tail: IntArray
    head: IntArray
    # Of each street end at a split junction: the network's node and its two nodes in the graph.
    junction: IntArray
    arriving: IntArray
    leaving: IntArray

    def reversed(self) -> "Turns":
        """Turn every way round."""
        return Turns(
            self.node_count,
            self.arriving_source,
            self.arriving_target,
            self.leaving_source,
            self.leaving_target,
            self.head,
            self.tail,
            self.junction,
            self.leaving,
            self.arriving,
        )


def split_junctions(roads: TurnInputs, rules: TurnRules, usable: BoolArray) -> Turns | None:
    """Split the junctions where a turn is restricted."""
    # Turning round at a junction is allowed unless a restriction forbids it; "only" forbids
    # everything else, turning round as well. A restriction that names an edge or a node that is no
    # longer there, or that do not meet, says nothing; nor does an "only" whose way is closed.
    forbidden = _find_forbidden(roads, rules, usable)
    if not forbidden:
        return None
    count, nodes = len(roads.edge_id), len(roads.node_id)
    split = np.zeros(nodes, bool)
    split[[node for node, _, _ in forbidden]] = True
    ends = np.concatenate((roads.source, roads.target))
    at = np.flatnonzero(split[ends])
    at = at[np.argsort(ends[at], kind="stable")]
    arriving, leaving = ends.copy(), ends.copy()
    arriving[at] = nodes + 2 * np.arange(len(at))
    leaving[at] = arriving[at] + 1
    tail: list[int] = []
    head: list[int] = []
    bounds = np.flatnonzero(np.diff(ends[at], prepend=-1, append=-1))
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        node = int(ends[at[low]])
        for first in at[low:high].tolist():
            for second in at[low:high].tolist():
                if (node, first % count, second % count) not in forbidden:
                    tail.append(int(arriving[first]))
                    head.append(int(leaving[second]))
    return Turns(
        nodes + 2 * len(at),
        leaving[:count],
        leaving[count:],
        arriving[:count],
        arriving[count:],
        np.array(tail, np.int64),
        np.array(head, np.int64),
        ends[at],
        arriving[at],
        leaving[at],
    )


def _find_forbidden(
    roads: TurnInputs, rules: TurnRules, usable: BoolArray
) -> set[tuple[int, int, int]]:
    """List node, edge from and edge to (by index) that must not follow each other."""
    if len(rules) == 0:
        return set()
    edge_of = {int(number): index for index, number in enumerate(roads.edge_id.tolist())}
    node_of = dict(zip(roads.node_id.tolist(), range(len(roads.node_id)), strict=True))
    forbidden: set[tuple[int, int, int]] = set()
    for from_id, via_id, to_id, only in zip(
        rules.from_edge.tolist(), rules.via_node.tolist(), rules.to_edge.tolist(),
        rules.only.tolist(), strict=True,
    ):  # fmt: skip
        node, first, second = node_of.get(via_id), edge_of.get(from_id), edge_of.get(to_id)
        if node is None or first is None or second is None:
            continue
        if any(node not in (roads.source[edge], roads.target[edge]) for edge in (first, second)):
            continue
        if not only:
            forbidden.add((node, first, second))
        elif usable[second]:
            edges_there = np.flatnonzero((roads.source == node) | (roads.target == node))
            forbidden |= {(node, first, edge) for edge in edges_there.tolist() if edge != second}
    return forbidden
