"""Bands of minutes that follow the streets, of many stations on all cores. Reads no store."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import shapely

from gis_service.coverage.areas.station_reach import Reach
from gis_service.coverage.areas.street_cells import DrawingBuffers, StreetCells


@dataclass(frozen=True)
class Band:
    """Ground that is reached after more than ``from_minutes`` and within ``to_minutes``."""

    # Index of the station; None for all of them together.
    station: int | None
    from_minutes: float
    to_minutes: float
    # MultiPolygon in the plane of the cells; empty where there is no such ground.
    geometry: shapely.MultiPolygon


def draw_bands(
    cells: StreetCells, reaches: Sequence[tuple[int | None, Reach]], limits: Sequence[float]
) -> list[Band]:
    """
    Draw the bands of minutes of some stations.

    Parameters
    ----------
    cells
        The ground.
    reaches
        Each with the station that the bands are to name.
    limits
        Minutes; they are put in order.

    Returns
    -------
    list of Band
        By station and rising limit: from 0 to the first, from the first to the second …; in the
        plane of the cells.
    """
    ordered = sorted(set(limits))
    workers = min(len(os.sched_getaffinity(0)), max(len(reaches), 1))
    unused: SimpleQueue[DrawingBuffers] = SimpleQueue()
    for _ in range(workers):
        unused.put(DrawingBuffers(cells))

    def draw_station(station: int | None, reach: Reach) -> list[Band]:
        buffers = unused.get()
        try:
            areas = cells.draw_reached_areas(reach, ordered, buffers)
        finally:
            unused.put(buffers)
        return [
            Band(station, above, limit, area)
            for above, limit, area in zip((0.0, *ordered), ordered, areas, strict=False)
        ]

    largest_first = sorted(range(len(reaches)), key=lambda at: -len(reaches[at][1].node))
    with ThreadPoolExecutor(workers) as pool:  # the drawing holds no lock
        drawn = {at: pool.submit(draw_station, *reaches[at]) for at in largest_first}
        return [band for at in range(len(reaches)) for band in drawn[at].result()]
