"""Compile what roads are travelled with before anybody waits for it: some seconds, once a machine.

Knows nothing of the store: four drawn streets around a square go through the compiled functions.
"""

import numpy as np
import pandas as pd
import shapely

from gis_service.coverage.areas.station_reach import Reacher
from gis_service.coverage.areas.street_cells import StreetCells
from gis_service.coverage.measuring.measurement import prepare_setup
from gis_service.coverage.network.graph import RoadNetwork
from gis_service.coverage.standards.book import standard_book
from gis_service.coverage.travel.routes import Router


def compile_all() -> None:
    """Route over the streets, and draw what is reached along them, once."""
    book = standard_book()
    standard, nowhere = book.standard("fire-20"), np.empty(0)
    setup = prepare_setup(_draw_square(), book, standard, book.scenario("normal"), nowhere, nowhere)
    cells = StreetCells(setup.profiled, book.place)
    lon, lat = np.array([112.901]), np.array([28.7001])
    stations = setup.snapper.snap(lon, lat, book.place.snap_cap_m.value)
    reacher = Reacher(setup.profiled, standard.direction, book.place, setup.graph)
    cells.draw_area(
        cells.find_minutes(reacher.reach_together(stations, np.zeros(1), 20.0)), None, 10.0
    )
    router = Router(setup.profiled, book.place)
    router.measure_minutes(
        router.find_ways_to(112.905, 28.7001), router.snap(lon, lat), np.zeros(1)
    )


def _draw_square() -> RoadNetwork:
    corners = np.array([(112.90, 28.70), (112.91, 28.70), (112.91, 28.71), (112.90, 28.71)])
    begin, end = np.arange(4), np.roll(np.arange(4), -1)
    nodes = {"node_id": begin, "lon": corners[:, 0], "lat": corners[:, 1]}
    no, yes = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    edges = {
        "edge_id": begin,
        "source_node": begin,
        "target_node": end,
        "road_class": np.full(4, "residential"),
        "oneway": np.zeros(4, dtype=np.int64),
        "maxspeed_kmh": np.full(4, np.nan),
        "bridge": no,
        "tunnel": no,
        "dual_carriageway": no,
        "foot": yes,
        "motor": yes,
        "length_m": np.full(4, 1000.0),
        "geometry": shapely.linestrings(np.stack([corners[begin], corners[end]], axis=1)),
    }
    none = np.empty(0, dtype=np.int64)
    turns = {"kind": none.astype(str), "from_edge": none, "via_node": none, "to_edge": none}
    return RoadNetwork.from_frames(*(pd.DataFrame(columns) for columns in (nodes, edges, turns)))


if __name__ == "__main__":
    compile_all()
