"""The inner loop of the figures: one pass over places in the order of their minutes, compiled.

Plain numbers in flat arrays, nothing of grids or people.
"""

# ruff: noqa: C901
# Loops in flat arrays are what the compiler makes fast.

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]


@compiled
def count_by_status(group: Longs, status: Bytes, weight: Longs, counts: Longs) -> None:
    """
    Add every place's weights up by group and status.

    Parameters
    ----------
    group
        Of each place; one below 0 is in no group.
    status
        Of each place.
    weight
        Places x populations.
    counts
        Groups x populations x statuses; what is counted is added to it.
    """
    for place in range(len(group)):
        at = group[place]
        if at >= 0:
            for of in range(weight.shape[1]):
                counts[at, of, status[place]] += weight[place, of]


@compiled
def pick_ranks(
    group: Longs, rising: Longs, minutes: Floats, weight: Longs, ranks: Longs, picked: Floats
) -> None:
    """
    Find the minutes that stand at given ranks of each group, every place counted by its weight.

    Parameters
    ----------
    group
        Of each place; one below 0 is in no group.
    rising
        Places in the order of their minutes.
    minutes
        Of each place.
    weight
        Places x populations.
    ranks
        Groups x populations x wanted: from 0, below 0 for none.
    picked
        Groups x populations x wanted: the minutes are written here.
    """
    columns = ranks.shape[2]
    seen = np.zeros((ranks.shape[0], ranks.shape[1]), dtype=np.int64)
    # The lowest rank that is still to come: only a place that holds it is looked at closely.
    coming = np.full((ranks.shape[0], ranks.shape[1]), np.iinfo(np.int64).max, dtype=np.int64)
    for at in range(ranks.shape[0]):
        for of in range(ranks.shape[1]):
            for column in range(columns):
                if 0 <= ranks[at, of, column] < coming[at, of]:
                    coming[at, of] = ranks[at, of, column]
    for place in rising:
        at = group[place]
        if at < 0:
            continue
        for of in range(weight.shape[1]):
            before = seen[at, of]
            after = before + weight[place, of]
            seen[at, of] = after
            if after > coming[at, of]:
                following = np.iinfo(np.int64).max
                for column in range(columns):
                    rank = ranks[at, of, column]
                    if before <= rank < after:
                        picked[at, of, column] = minutes[place]
                    elif after <= rank < following:
                        following = rank
                coming[at, of] = following
