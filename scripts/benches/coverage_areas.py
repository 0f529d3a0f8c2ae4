"""Isochrone bands of 50 stations beside pgRouting's drivingDistance and ST_ConcaveHull.

The same roads of the demo county, the same minutes of every arc. Making the cells around the
streets, once for a network, is told apart. ``equal`` looks at 2,000 households drawn by chance: in
no band of ours may one be late, and outside none early, by more than the stated tolerance.
"""

import time
from typing import Any, Final

import numpy as np
import shapely

from gis_service.access import SYSTEM
from gis_service.coverage.areas.bands import Band, draw_bands
from gis_service.coverage.areas.station_reach import Reacher
from gis_service.coverage.areas.street_cells import StreetCells
from gis_service.coverage.county.queries import read_county, read_network
from gis_service.coverage.network.graph import ProfileNetwork, Snapped, Snapper, apply_profile
from gis_service.coverage.standards.book import read_standards
from gis_service.coverage.travel.travel_time import find_nearest_facility
from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row, compare, plain

ROWS: Final = ("bands",)
STATIONS: Final = 50
LIMITS: Final = (5.0, 10.0, 20.0)
SPACING_M: Final = 60.0
SAGITTA_M: Final = 5.0
"""As fine as all stations of a county together are looked at; a single one is drawn finer."""
ADDRESSES: Final = 2000
_NODE_TABLE: Final = (
    "CREATE TEMP TABLE bench_node AS SELECT row_number() OVER (ORDER BY node_id) - 1 AS id,"
    " ST_Transform(ST_SetSRID(point, 4490), 4547) AS point FROM road_node"
    " WHERE network_id = (SELECT network_id FROM road_network WHERE active)"
)
_HULLS: Final = (
    "SELECT count(*) FROM (SELECT d.from_v, l.most, ST_ConcaveHull(ST_Collect(n.point), 0.3)"
    " FROM pgr_drivingDistance('SELECT id, source, target, cost, reverse_cost FROM bench_arc',"
    " %s::bigint[], 20.0, directed => true) d"
    " JOIN bench_node n ON n.id = d.node JOIN (VALUES (5.0), (10.0), (20.0)) l (most)"
    " ON d.agg_cost <= l.most GROUP BY 1, 2) hull"
)


def run(context: Context) -> list[Row]:
    """
    Measure the bands.

    Parameters
    ----------
    context
        With the demo county and pgRouting.

    Returns
    -------
    list of Row
        One.
    """
    if not context.wants("bands"):
        return []
    book = read_standards()
    store = context.county_store
    with store.transaction(SYSTEM) as connection:
        network = read_network(connection)[1]
        county = read_county(connection, SYSTEM)
    profiled = apply_profile(
        network, book.profiles["fire_engine"], book.scenario("normal"), book.place
    )
    dice = np.random.default_rng(1)
    snapper = Snapper(profiled)
    at = dice.choice(len(county.facilities.lon), STATIONS, replace=False)
    cap_m = book.place.snap_cap_m.value
    stations = snapper.snap(county.facilities.lon[at], county.facilities.lat[at], cap_m)
    began = time.perf_counter()
    cells = StreetCells(profiled, book.place, SPACING_M, SAGITTA_M)
    cells_s = time.perf_counter() - began
    reacher = Reacher(profiled, "from_facility", book.place)

    def ours() -> list[Band]:
        return draw_bands(
            cells, list(enumerate(reacher.reach_each(stations, 1.0, max(LIMITS)))), LIMITS
        )

    picked = dice.choice(len(county.household_place), ADDRESSES, replace=False)
    place = county.household_place[picked]
    lonlat = np.column_stack((county.places.lon[place], county.places.lat[place]))
    with (
        context.connect(store.engine.url.database or "") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pgrouting CASCADE")
        cursor.execute(_NODE_TABLE)
        _write_arcs(cursor, profiled)
        nodes = profiled.network.source[stations.edge].tolist()

        def theirs() -> int:
            cursor.execute(_HULLS, (nodes,))
            return int(cursor.fetchone()[0])

        return [
            compare(
                "isochrone bands, 50 stations x 3",
                plain(ours),
                "pgRouting drivingDistance + ST_ConcaveHull",
                plain(theirs),
                agree=lambda mine, _hulls: (
                    _late_or_early(
                        mine,
                        cells,
                        snapper.snap(lonlat[:, 0], lonlat[:, 1], cap_m),
                        lonlat,
                        stations,
                    )
                    == 0
                ),
                target=5.0,
                limits=[
                    Limit("cells around the streets, once, s", cells_s),
                    Limit("tolerance, minutes", cells.tolerance_minutes),
                ],
                pairs=3,
            )
        ]


def _write_arcs(cursor: Any, profiled: ProfileNetwork) -> None:
    network = profiled.network
    cursor.execute(
        "CREATE TEMP TABLE bench_arc (id bigint PRIMARY KEY, source bigint, target bigint,"
        " cost float8, reverse_cost float8)"
    )
    costs = (
        np.where(np.isfinite(minutes), minutes, -1.0)
        for minutes in (profiled.minutes_along, profiled.minutes_against)
    )
    rows = zip(range(network.edge_count), network.source.tolist(), network.target.tolist(),
               *(cost.tolist() for cost in costs), strict=True)  # fmt: skip
    arrays = [list(column) for column in zip(*rows, strict=True)]
    cursor.execute(
        "INSERT INTO bench_arc SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::float8[], %s::float8[])",
        arrays,
    )
    cursor.execute("ANALYZE bench_arc")
    cursor.execute("ANALYZE bench_node")


def _late_or_early(
    drawn: list[Band], cells: StreetCells, placed: Snapped, lonlat: Any, stations: Snapped
) -> int:
    """Count addresses that a band claims too late or leaves out too early."""
    points = cells.to_plane(shapely.points(lonlat))
    walked, wrong = cells.rules.off_road_minutes_per_m, 0
    for station in range(len(stations)):
        minutes = find_nearest_facility(
            cells.profiled,
            placed,
            stations.take(np.array([station])),
            "from_facility",
            turnout_minutes=1.0,
            off_road_minutes_per_m=walked,
        ).minutes
        inside = np.zeros(len(points), dtype=bool)
        for band in (candidate for candidate in drawn if candidate.station == station):
            inside |= shapely.covers(band.geometry, points)
            late = inside & (minutes > band.to_minutes + cells.tolerance_minutes)
            early = ~inside & (minutes < band.to_minutes - cells.tolerance_minutes)
            wrong += int((late | early).sum())
    return wrong
