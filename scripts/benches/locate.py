"""Points to grids: a million in memory, ten million beside the database's rule, and what it takes.

Peers: shapely polygon by polygon, ``geopandas.sjoin``, PostGIS going polygon by polygon. Indexes
are made outside the clock on both sides, but for the row that measures making ours. One core on
both sides: a query of the database is worked by one process.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.geodesy import GeometryArray
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import (
    Version,
    find_lowest_rank,
    find_version_in_force,
    read_polygons,
)
from gis_service.store import Store
from scripts.benches import locate_server as server
from scripts.benches.context import Context
from scripts.benches.framework import (
    LONG_S,
    Limit,
    Row,
    Side,
    compare,
    percentile,
    plain,
    row,
)
from scripts.benches.processes import AloneRun, in_child, one_core, run_alone
from scripts.hard_points import all_hard_points

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POINTS: Final = 1_000_000
MANY: Final = 10_000_000
BATCH: Final = 2_500_000
HARD_PER_KIND: Final = 4_000
TIMES: Final = 10
"""The large area is this many counties wide and as many high: about 100,000 grids."""
CSV_PAIRS: Final = 3
INDEX_MB: Final = 64.0
SCRATCH: Final = "gis_bench_locate"

LATERAL: Final = """
    SELECT inside.number, min(grid.grid_id) AS grid_id
    FROM grid
    CROSS JOIN LATERAL (
        SELECT number FROM place WHERE place.point && grid.geom AND ST_Intersects(grid.geom, point)
    ) AS inside
    GROUP BY inside.number
"""
RULE: Final = LATERAL.replace("ST_Intersects(grid.geom, point)", "gis_holds(grid.geom, point)")
_ONE_BY_ONE: Final = """
    SELECT given.number, min(grid.grid_id)
    FROM unnest(CAST(:lon AS float8[]), CAST(:lat AS float8[]))
         WITH ORDINALITY AS given (lon, lat, number)
    CROSS JOIN LATERAL (SELECT ST_SetSRID(ST_MakePoint(lon, lat), 4490) AS point) AS place
    JOIN grid ON grid.geom && place.point AND gis_holds(grid.geom, place.point)
    GROUP BY given.number
"""


@dataclass(frozen=True)
class Work:
    """
    The county's grids and a million points, and every side's index of them.

    Attributes
    ----------
    store
        With the county.
    grid_ids, shapes
        Its base grids.
    """

    store: Store
    grid_ids: Ids
    shapes: GeometryArray

    @cached_property
    def points(self) -> tuple[Floats, Floats]:
        """Points evenly over the county's box."""
        return self.uniform(POINTS, seed=4)

    @cached_property
    def locator(self) -> Locator:
        """Our index."""
        return Locator(self.grid_ids, self.shapes)

    def uniform(self, n: int, seed: int) -> tuple[Floats, Floats]:
        """
        Draw points.

        Parameters
        ----------
        n
            How many.
        seed
            Of the draw.

        Returns
        -------
        lon, lat
            Evenly over the county's box.
        """
        random = np.random.default_rng(seed)
        west, south, east, north = shapely.total_bounds(self.shapes)
        return random.uniform(west, east, n), random.uniform(south, north, n)

    def ours(self) -> Ids:
        """
        Locate the million.

        Returns
        -------
        array of int
            Grid ids.
        """
        return self.locator.locate(*self.points).grid_id


def run(context: Context) -> list[Row]:
    """
    Measure.

    Parameters
    ----------
    context
        Its surroundings.

    Returns
    -------
    list of Row
        Those that are wanted.
    """
    store = context.county_store
    context.print_versions("geopandas", "pandas", "sqlalchemy", "psycopg2-binary")
    context.print_server_version(store)
    with store.transaction(SYSTEM) as connection:
        version = find_version_in_force(connection)
        work = Work(store, *read_polygons(connection, version.scheme_id, version.effective_day))
    context.say(f"an index of {work.locator.nbytes / 1e6:.1f} MB")
    rows: dict[str, Callable[[], Row]] = {
        "shapely": lambda: beside_shapely(work),
        "sjoin": lambda: beside_sjoin(work),
        "postgis": lambda: beside_postgis(context, work),
        "rule": lambda: beside_the_rule(context, work),
        "build": lambda: building(work),
        "growth": lambda: growth(work),
        "csv": lambda: csv_file(context, work),
    }
    over_http = {"http": (1, 1.8, 2_000), "http-1000": (1_000, 3.0, 32)}
    with one_core():
        measured = [measure() for name, measure in rows.items() if context.wants(name)]
    return measured + [
        over_loopback(context, work, version, *kind)
        for name, kind in over_http.items()
        if context.wants(name)
    ]


# --- a million points --------------------------------------------------------------------------


def beside_shapely(work: Work) -> Row:
    """
    Measure beside shapely going polygon by polygon.

    Parameters
    ----------
    work
        The points.

    Returns
    -------
    Row
        The peer's polygons are prepared and its points sorted outside the clock.
    """
    lon, lat = work.points
    order = np.argsort(lon)
    sorted_lon, sorted_lat = lon[order], lat[order]
    shapes = work.shapes.copy()
    shapely.prepare(shapes)
    boxes = shapely.bounds(shapes)

    def theirs() -> Ids:
        found = np.full(len(lon), NO_GRID, dtype=np.int64)
        first = np.searchsorted(sorted_lon, boxes[:, 0], side="left")
        last = np.searchsorted(sorted_lon, boxes[:, 2], side="right")
        for grid_id, shape, (_, south, _, north), begin, end in zip(
            work.grid_ids, shapes, boxes, first, last, strict=True
        ):
            near = sorted_lat[begin:end]
            inside_box = np.flatnonzero((near >= south) & (near <= north)) + begin
            holds = shapely.contains_xy(shape, sorted_lon[inside_box], sorted_lat[inside_box])
            found[inside_box[holds]] = grid_id
        return found

    def in_order(found: Ids) -> Ids:
        answer = np.empty_like(found)
        answer[order] = found
        return answer

    return compare(
        f"{POINTS:,} points in {len(work.shapes):,} grids",
        plain(work.ours),
        "shapely, prepared contains_xy polygon by polygon, points sorted",
        plain(theirs),
        agree=lambda ours, found: np.array_equal(ours, in_order(found)),
        target=10,
    )


def _sjoin_side(work: Work) -> Side[Any, Any]:
    """Join the million points to the grids, the indexes of both made before."""
    lon, lat = work.points
    places = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat, crs=4490))
    grids = gpd.GeoDataFrame({"grid_id": work.grid_ids}, geometry=work.shapes.copy(), crs=4490)
    _ = places.sindex, grids.sindex
    return plain(lambda: gpd.sjoin(places, grids, how="left", predicate="intersects"))


def _lowest(joined: pd.DataFrame) -> Ids:
    lowest = joined.groupby(level=0)["grid_id"].min().fillna(NO_GRID)
    return np.asarray(lowest.to_numpy(dtype=np.int64))


def beside_sjoin(work: Work) -> Row:
    """
    Measure beside ``geopandas.sjoin``.

    Parameters
    ----------
    work
        The points.

    Returns
    -------
    Row
        The peer's frames and their indexes are made, and its table is read, outside the clock.
    """
    return compare(
        f"{POINTS:,} points in {len(work.shapes):,} grids",
        plain(work.ours),
        "geopandas.sjoin",
        _sjoin_side(work),
        agree=lambda ours, joined: np.array_equal(ours, _lowest(joined)),
        target=25,
    )


# --- beside the database -----------------------------------------------------------------------


class Places:
    """
    Grids and points in a database of their own.

    Parameters
    ----------
    context
        Its surroundings.
    work
        The grids.
    """

    def __init__(self, context: Context, work: Work) -> None:
        self._context = context
        self.store = context.fresh_database(SCRATCH)
        with closing(self._context.connect(SCRATCH)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA bench; GRANT USAGE ON SCHEMA bench TO gis_service")
            cursor.execute("CREATE TABLE bench.grid (grid_id bigint, geom geometry)")
            for grid_id, wkb in zip(
                work.grid_ids.tolist(), shapely.to_wkb(work.shapes), strict=True
            ):
                cursor.execute(
                    "INSERT INTO bench.grid VALUES (%s, ST_GeomFromWKB(%s, 4490))", (grid_id, wkb)
                )
            cursor.execute("CREATE INDEX ON bench.grid USING gist (geom)")
            cursor.execute("VACUUM ANALYZE bench.grid")
            cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA bench TO gis_service")

    def fill(self, lon: Floats, lat: Floats) -> None:
        """
        Put points in the place of those that are there, with an index.

        Parameters
        ----------
        lon, lat
            Finite degrees.
        """
        layout = np.dtype(
            [
                ("fields", ">i2"),
                ("bytes_1", ">i4"), ("number", ">i8"),
                ("bytes_2", ">i4"), ("lon", ">f8"),
                ("bytes_3", ">i4"), ("lat", ">f8"),
            ]
        )  # fmt: skip
        rows = np.zeros(len(lon), dtype=layout)
        rows["fields"] = 3
        for field in ("bytes_1", "bytes_2", "bytes_3"):
            rows[field] = 8
        rows["number"], rows["lon"], rows["lat"] = np.arange(len(lon)), lon, lat
        with closing(self._context.connect(SCRATCH)) as connection, connection.cursor() as cursor:
            cursor.execute("SET search_path = bench, public")
            cursor.execute("DROP TABLE IF EXISTS place")
            cursor.execute("CREATE TEMPORARY TABLE given (number bigint, lon float8, lat float8)")
            cursor.copy_expert("COPY given FROM STDIN (FORMAT binary)", _Binary(rows))
            cursor.execute(
                "CREATE UNLOGGED TABLE place AS"
                " SELECT number, ST_SetSRID(ST_MakePoint(lon, lat), 4490) AS point FROM given"
            )
            cursor.execute("CREATE INDEX ON place USING gist (point)")
            cursor.execute("VACUUM ANALYZE place")
            cursor.execute("GRANT SELECT ON place TO gis_service")

    def begin(self) -> sa.Connection:
        """
        Open a transaction in which one process does all the work.

        Returns
        -------
        Connection
            To be given to :meth:`end`.
        """
        connection = self.store.engine.connect()
        connection.execute(sa.text("SET LOCAL search_path = bench, public"))
        connection.execute(sa.text("SET LOCAL max_parallel_workers_per_gather = 0"))
        connection.execute(sa.text("SET LOCAL work_mem = '512MB'"))
        return connection

    def end(self, connection: sa.Connection) -> None:
        """
        Leave nothing of a run.

        Parameters
        ----------
        connection
            Of :meth:`begin`.
        """
        connection.rollback()
        connection.close()

    def ask(self, query: str) -> Side[sa.Connection, object]:
        """
        Make a side of a query, its answer kept in a table.

        Parameters
        ----------
        query
            Gives number and grid.

        Returns
        -------
        Side
            Its answer is read with :meth:`answer`.
        """
        statement = sa.text(f"CREATE TEMPORARY TABLE found ON COMMIT DROP AS {query}")
        return Side(lambda connection: connection.execute(statement), self.begin, self.end)

    def answer(self, connection: sa.Connection, n: int) -> Ids:
        """
        Read what was found.

        Parameters
        ----------
        connection
            Of the run.
        n
            How many points there were.

        Returns
        -------
        array of int
            Grid ids; :data:`NO_GRID` outside.
        """
        rows = connection.execute(
            sa.text("SELECT array_agg(number), array_agg(grid_id) FROM found")
        ).one()
        found = np.full(n, NO_GRID, dtype=np.int64)
        found[np.array(rows[0], dtype=np.int64)] = rows[1]
        return found


class _Binary:
    """Rows as COPY reads them, piece by piece."""

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self._pieces = self._cut(rows)
        self._rest = b""

    @staticmethod
    def _cut(rows: npt.NDArray[Any]) -> Iterator[bytes]:
        yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
        for begin in range(0, len(rows), 100_000):
            yield rows[begin : begin + 100_000].tobytes()
        yield b"\xff\xff"

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        end = len(self._rest) if size < 0 else size
        given, self._rest = self._rest[:end], self._rest[end:]
        return given


def beside_postgis(context: Context, work: Work) -> Row:
    """
    Measure beside PostGIS going polygon by polygon.

    Parameters
    ----------
    context
        Its surroundings.
    work
        The points.

    Returns
    -------
    Row
        The peer's table, its index and its statistics are made, and its answer is read, outside
        the clock.
    """
    places = Places(context, work)
    places.fill(*work.points)
    connection = places.begin()
    context.print_plan(connection, "polygon first, LATERAL", LATERAL)
    places.end(connection)
    theirs = places.ask(LATERAL)

    def read(given: object, answer: object) -> Ids:
        if isinstance(given, sa.Connection):
            return places.answer(given, POINTS)
        return np.asarray(answer)

    return compare(
        f"{POINTS:,} points in {len(work.shapes):,} grids",
        plain(work.ours),
        "PostGIS, polygon-first LATERAL",
        theirs,
        agree=np.array_equal,
        read=read,
        target=60,
    )


def beside_the_rule(context: Context, work: Work) -> Row:
    """
    Compare ten million points and every hard one with the rule in the database.

    Parameters
    ----------
    context
        Its surroundings.
    work
        The grids.

    Returns
    -------
    Row
        The limit is no wrong answer.
    """
    places = Places(context, work)
    hard = all_hard_points(work.shapes, HARD_PER_KIND, seed=1)
    usable = np.isfinite(hard[0]) & np.isfinite(hard[1])
    usable &= (np.abs(hard[0]) < 1e6) & (np.abs(hard[1]) < 1e6)
    batches = [work.uniform(BATCH, seed=100 + number) for number in range(MANY // BATCH)]
    batches.append((hard[0][usable], hard[1][usable]))
    ours_s, theirs_s, wrong, compared = 0.0, 0.0, 0, 0
    for lon, lat in batches:
        ours, theirs, differing = _batch(places, work, lon, lat)
        ours_s, theirs_s, wrong = ours_s + ours, theirs_s + theirs, wrong + differing
        compared += len(lon)
        context.say(f"{compared:,} points compared, {wrong} wrong")
    lon, lat = hard[0][~usable], hard[1][~usable]  # no index takes these
    connection = places.begin()
    rows = connection.execute(sa.text(_ONE_BY_ONE), {"lon": lon.tolist(), "lat": lat.tolist()})
    expected = np.full(len(lon), NO_GRID, dtype=np.int64)
    for number, grid_id in rows:
        expected[number - 1] = grid_id
    places.end(connection)
    wrong += int(np.count_nonzero(work.locator.locate(lon, lat).grid_id != expected))
    compared += len(lon)
    return row(
        f"{compared:,} points, {len(hard[0]):,} of them hard, in {len(work.shapes):,} grids",
        [ours_s],
        "the rule in PostGIS (gis_holds, lowest id)",
        [theirs_s],
        equal=wrong == 0,
        limits=[Limit("wrong answers", wrong, 0)],
    )


def _batch(places: Places, work: Work, lon: Floats, lat: Floats) -> tuple[float, float, int]:
    """Locate points both ways: seconds of ours, of the rule, and how many answers differ."""
    places.fill(lon, lat)
    side = plain(lambda: work.locator.locate(lon, lat).grid_id)
    ours_s, found = side.run_and_read(lambda _, answer: answer)
    theirs_s, expected = places.ask(RULE).run_and_read(
        lambda connection, _: places.answer(connection, len(lon))
    )
    return ours_s, theirs_s, int(np.count_nonzero(found != expected))


# --- what the index takes ----------------------------------------------------------------------


def building(work: Work) -> Row:
    """
    Measure making the index beside one spatial join of a million points.

    Parameters
    ----------
    work
        The grids.

    Returns
    -------
    Row
        With the memory of the index, and what making it adds to a process that has made one.
    """
    wkb = shapely.to_wkb(work.shapes)
    built = in_child(_build_in_child, work.grid_ids, wkb, one_core=True).value
    return compare(
        f"the index of {len(work.shapes):,} grids",
        Side(
            lambda shapes: Locator(work.grid_ids, shapes),
            lambda: np.asarray(shapely.from_wkb(wkb), dtype=object),
        ),
        f"geopandas.sjoin of {POINTS:,} points",
        _sjoin_side(work),
        agree=lambda locator, joined: np.array_equal(
            locator.locate(*work.points).grid_id, _lowest(joined)
        ),
        target=1,
        limits=[
            Limit("the index, MB", work.locator.nbytes / 1e6, INDEX_MB),
            Limit("peak while it is made, MB", built, INDEX_MB),
        ],
    )


def _build_in_child(grid_ids: Ids, wkb: Any) -> float:
    """Make an index a second time, and see by how much the process grows."""
    Locator([1], [shapely.box(0, 0, 1, 1)])  # the compiled code is loaded
    shapes = np.asarray(shapely.from_wkb(wkb), dtype=object)
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = _status("VmRSS")
    locator = Locator(grid_ids, shapes)
    grown = (_status("VmHWM") - before) / 1e6
    del locator
    return grown


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def growth(work: Work) -> Row:
    """
    Measure the time of a point in a hundred counties side by side.

    Parameters
    ----------
    work
        One county.

    Returns
    -------
    Row
        As many points in both; those of the large area lie in its counties as those of the small
        one do, moved by a power of two of a degree, which loses no bit, so answers compare.
    """
    west, south, east, north = shapely.total_bounds(work.shapes)
    step_x, step_y = np.ceil((east - west) * 64) / 64, np.ceil((north - south) * 64) / 64
    n = len(work.shapes)
    # Eastward and southward from the county: there its coordinates keep their last bit.
    tiles = [
        _moved(work.shapes, i * step_x, -j * step_y) for j in range(TIMES) for i in range(TIMES)
    ]
    began = time.perf_counter()
    large = Locator(np.arange(TIMES * TIMES * n), np.concatenate(tiles))
    build_s = time.perf_counter() - began
    del tiles
    small = Locator(np.arange(n), work.shapes)
    lon, lat = work.points
    tile = np.random.default_rng(6).integers(0, TIMES * TIMES, len(lon))
    far_lon, far_lat = lon + (tile % TIMES) * step_x, lat - (tile // TIMES) * step_y

    def same(many: Ids, few: Ids) -> bool:
        expected = np.where(few == NO_GRID, NO_GRID, few + tile * n)
        return bool(np.array_equal(many, expected))

    return compare(
        f"{len(lon):,} points in {len(large.grid_ids):,} grids",
        plain(lambda: large.locate(far_lon, far_lat).grid_id),
        f"itself in {n:,} grids, same density",
        plain(lambda: small.locate(lon, lat).grid_id),
        agree=same,
        target=0.5,
        limits=[
            Limit("the large index, MB", large.nbytes / 1e6),
            Limit("making the large index, s", build_s),
        ],
    )


def _moved(shapes: GeometryArray, east: float, north: float) -> GeometryArray:
    """Move geometries, degrees."""
    return np.asarray(shapely.transform(shapes, lambda xy: xy + np.array([east, north])))


# --- over HTTP ---------------------------------------------------------------------------------


def over_loopback(
    context: Context, work: Work, version: Version, per_request: int, target: float, requests: int
) -> Row:
    """
    Load ``POST /api/locate`` and the same endpoint answering from a prepared query, in turn.

    Parameters
    ----------
    context
        Its surroundings.
    work
        The county.
    version
        In force.
    per_request
        Points in each request.
    target
        For the ratio.
    requests
        How many a run.

    Returns
    -------
    Row
        The seconds of all requests; the limit on our 99th percentile is the peer's.
    """
    url = context.url("gis_service", work.store.engine.url.database or "")
    with work.store.transaction(SYSTEM) as connection:
        scheme = (version.scheme_id, find_lowest_rank(connection, version.scheme_id))
    lon, lat = work.uniform(per_request * requests, seed=8)
    bodies = server.bodies(list(zip(lon.tolist(), lat.tolist(), strict=True)), per_request)
    plain_url = url.set(drivername="postgresql").render_as_string(hide_password=False)
    ours: list[server.Load] = []
    theirs: list[server.Load] = []
    with server.serving(url.render_as_string(hide_password=False), plain_url, scheme) as port:
        few = bodies[: max(1, len(bodies) // 20)]
        equal = all(
            server.same(server.ask(port, server.OURS, body), server.ask(port, server.PEER, body))
            for body in few
        )
        for path in (server.OURS, server.PEER):
            server.load(port, path, few * 2)  # every connection is open, every plan is made
        for pair in range(5):
            turns = [(server.OURS, ours), (server.PEER, theirs)]
            for path, loads in turns if pair % 2 == 0 else reversed(turns):
                loads.append(server.load(port, path, bodies))
            if theirs[-1].seconds > LONG_S:
                break
    p99 = [
        percentile((one for load in loads for one in load.latencies_s), 0.99) * 1000
        for loads in (ours, theirs)
    ]
    seconds = sorted(load.seconds for load in ours)[len(ours) // 2]
    return row(
        f"POST /api/locate, {per_request:,} points a request, {server.CONNECTIONS} connections",
        [load.seconds for load in ours],
        "the same endpoint, answering from one prepared PostGIS query",
        [load.seconds for load in theirs],
        equal=equal,
        target=target,
        limits=[
            Limit("p99, ms (limit: the peer's)", p99[0], p99[1]),
            Limit("requests/s", requests / seconds),
        ],
    )


# --- a file ------------------------------------------------------------------------------------


def csv_file(context: Context, work: Work) -> Row:
    """
    Put its grid behind every row of a CSV of a million, each side in a process of its own.

    Parameters
    ----------
    context
        Its surroundings.
    work
        The county and its points.

    Returns
    -------
    Row
        Once the libraries of both are read. Ours is the command with all that it does (opening
        the store, making the index, finding the columns out, five columns a row and the nearest
        grid of those outside); the peer is given its polygons and writes one column.
    """
    lon, lat = work.points
    given = context.folder / "places.csv"
    notes = np.char.add("第", np.char.add(np.arange(len(lon)).astype(str), "处"))
    frame = pd.DataFrame({"序号": np.arange(len(lon)), "经度": lon, "纬度": lat, "备注": notes})
    frame.to_csv(given, index=False, float_format="%.9f")
    url = context.url("gis_service", work.store.engine.url.database or "")
    owner = context.url("gis_admin", work.store.engine.url.database or "")
    urls = [one.render_as_string(hide_password=False) for one in (url, owner)]
    with work.store.transaction(SYSTEM) as connection:
        rows = connection.execute(
            sa.text("SELECT grid_id, code FROM grid_state WHERE gis_today() <@ valid")
        )
        codes: dict[int, str] = dict(rows.all())
    grids = context.folder / "grids.npz"
    named = [codes[grid_id] for grid_id in work.grid_ids.tolist()]
    np.savez(grids, codes=np.array(named, dtype=object), wkb=shapely.to_wkb(work.shapes))
    out = [context.folder / "ours.csv", context.folder / "theirs.csv"]
    environment = {
        **os.environ,
        "GIS_DATABASE_URL": urls[0],
        "GIS_DATABASE_OWNER_URL": urls[1],
    }
    runs: list[tuple[AloneRun, AloneRun]] = []
    for _ in range(1 + CSV_PAIRS):
        ours = run_alone("ours", given, out[0], environment=environment)
        runs.append((ours, run_alone("pandas", given, out[1], grids)))
    answers = [
        pd.read_csv(path, usecols=["grid_code"], dtype=str)["grid_code"].fillna("") for path in out
    ]
    del runs[0]  # caches were cold
    return row(
        f"a CSV of {len(lon):,} rows through gis-service assign",
        [ours.seconds for ours, _ in runs],
        "pandas.read_csv → geopandas.sjoin → to_csv",
        [theirs.seconds for _, theirs in runs],
        equal=bool(answers[0].equals(answers[1])),
        target=4,
        limits=[
            Limit(
                "peak memory, MB (limit: half the peer's)",
                max(ours.peak_mb for ours, _ in runs),
                min(theirs.peak_mb for _, theirs in runs) / 2,
            ),
            Limit(
                "the same with the starts of both processes, ratio",
                statistics.median(theirs.whole_s / ours.whole_s for ours, theirs in runs),
            ),
        ],
    )
