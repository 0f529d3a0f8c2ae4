"""GerryChain's ReCom on one problem, JSON in and out: run by the Python of its own environment.

Imports nothing of ours. The answer is the best that the chain met: most districts inside the rule,
of those the shortest border.
"""

import json
import random
import sys
from functools import partial

import networkx as nx
from gerrychain import Graph, MarkovChain, Partition, accept, updaters
from gerrychain.proposals import recom

asked = json.load(sys.stdin)
plain: "nx.Graph[int]" = nx.Graph()
for atom, households in enumerate(asked["population"]):
    plain.add_node(atom, households=households)
for (first, second), metres in zip(asked["edges"], asked["metres"], strict=True):
    plain.add_edge(first, second, metres=metres)
low, high, districts = asked["low"], asked["high"], asked["districts"]
mean = sum(asked["population"]) / districts
tolerance = max(min(high / mean - 1, 1 - low / mean), 0.01)


def weigh(owner: dict[int, int]) -> tuple[int, float]:
    """Tell how many districts are outside the rule, and the metres of border."""
    load = dict.fromkeys(range(districts), 0)
    for place, district in owner.items():
        load[district] += asked["population"][place]
    outside = sum(not low <= households <= high for households in load.values())
    ends = zip(asked["edges"], asked["metres"], strict=True)
    return outside, sum(metres for (a, b), metres in ends if owner[a] != owner[b])


random.seed(0)
graph = Graph.from_networkx(plain)
first = Partition.from_random_assignment(
    graph, districts, tolerance, "households",
    updaters={"households": updaters.Tally("households")},
)  # fmt: skip
chain = MarkovChain(
    partial(recom, pop_col="households", pop_target=mean, epsilon=tolerance),
    [], accept.always_accept, first, asked["steps"],
)  # fmt: skip
best, best_weight = None, None
for state in chain:
    numbers = {part: place for place, part in enumerate(sorted(state.parts))}
    owner = {atom: numbers[state.assignment[atom]] for atom in range(len(asked["population"]))}
    weight = weigh(owner)
    if best_weight is None or weight < best_weight:
        best, best_weight = owner, weight
assert best is not None
json.dump([best[atom] for atom in range(len(best))], sys.stdout)
