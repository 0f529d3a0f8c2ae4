"""Compile the search before anybody waits for it: some seconds, once a machine."""

import numpy as np

from gis_service.boundaries.proposals.graph import DistrictGraph
from gis_service.boundaries.proposals.search import partition


def compile_all() -> None:
    """Call each function once with the kinds of numbers it will meet; later calls are quick."""
    ring = np.stack([np.arange(4), np.roll(np.arange(4), -1)], axis=1)
    graph = DistrictGraph(np.ones(4, dtype=np.int64), ring, np.ones(4))
    partition(graph, 2, 2, 2, effort=0.0)


if __name__ == "__main__":
    compile_all()
