"""Works for a process of its own, in a module that is quickly imported there."""

import os

import numpy as np


def filled(megabytes: int) -> int:
    """Fill memory and give it back."""
    return int(np.ones(megabytes * 1_000_000, dtype=np.uint8).sum())


def affinity() -> set[int]:
    """Tell where this process may run."""
    return os.sched_getaffinity(0)
