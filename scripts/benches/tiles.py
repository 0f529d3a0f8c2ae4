"""Vector tiles beside tipg on the same tables of one PostGIS, both asked over HTTP on loopback.

The same list of places for both, zoom by zoom. *Cold* is without any tile that was cut before,
*warm* is what a reader gets after the first one; tipg keeps nothing, so both stand beside the same
work of it. Grids are simplified outside the clock, once for a version, as at publishing; tipg reads
them through a view of today's base grids. Then every tile of the county is looked at for its size.
"""

import asyncio
import math
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

import httpx
import numpy as np
import pyogrio.raw
import shapely
import sqlalchemy as sa
import uvicorn

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.maps.sheets.sheet import find_county
from gis_service.maps.tiles import cutting, shapes, tile_sets, tiles
from gis_service.store import Store
from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row, Side, compare, percentile, told

SCRATCH: Final = "gis_bench_tiles"
PLACES: Final = 8
"""Tiles asked for at each zoom."""

EXTENT: Final = 4096
LARGEST_KB: Final = cutting.MOST_BYTES / 1000
_PLAN_ZOOM: Final = 15
_WORTH_SPLITTING: Final = 30_000
"""A quarter of a tile of fewer bytes holds no more things than it: ten times more it cannot be."""

Place = tuple[int, int, int]
_VIEW: Final = (
    (
        "CREATE VIEW bench_grid AS SELECT grid_id, grid_state.code, grid_state.name, geom"
        " FROM grid_state JOIN grid_scheme USING (scheme_id)"
        " WHERE is_base AND valid @> gis_today() AND rank = 3"
    ),
    "GRANT SELECT ON bench_grid TO gis_service",
)


@dataclass(frozen=True)
class Layer:
    """
    What both sides draw.

    Attributes
    ----------
    name
        Of our layer.
    table
        Of tipg's collection.
    key
        The column that is our feature's id.
    columns
        What tipg sends along, as we do.
    zooms
        Where it is measured.
    compared_from
        From this zoom our tiles hold single things with ids; below they are put together.
    """

    name: str
    table: str
    key: str
    columns: str
    zooms: tuple[int, ...]
    compared_from: int


LAYERS: Final = (
    Layer("roads", "road_edge", "edge_id", "edge_id,road_class,name", (8, 10, 12, 14, 16), 14),
    Layer(
        "buildings", "building", "building_id", "building_id,kind,storeys,name", (14, 15, 16), 15
    ),
    Layer("grids", "bench_grid", "grid_id", "grid_id,code,name", (8, 10, 12, 14, 16), 8),
)


@dataclass
class Asker:
    """Asks one server for tiles, and remembers how long each took and how large it was."""

    client: httpx.Client
    address: Callable[[Place], str]
    seconds: list[float] = field(default_factory=list)
    largest: int = 0

    def ask(self, places: list[Place]) -> list[bytes]:
        """Ask for tiles one after the other."""
        bodies = []
        for place in places:
            began = time.perf_counter()
            answer = self.client.get(self.address(place))
            self.seconds.append(time.perf_counter() - began)
            answer.raise_for_status()
            self.largest = max(self.largest, len(answer.content))
            bodies.append(answer.content)
        return bodies


def run(context: Context) -> list[Row]:
    """
    Measure.

    Parameters
    ----------
    context
        Of the bench.

    Returns
    -------
    list of Row
        A row a layer, zoom and state, and one for the size of every tile.
    """
    context.print_versions("tipg", "asyncpg", "fastapi", "uvicorn")
    store = context.fresh_database(SCRATCH, copy_of_county=True)
    context.print_server_version(store)
    with closing(context.connect(SCRATCH)) as connection, connection.cursor() as cursor:
        for statement in _VIEW:
            cursor.execute(statement)
        cursor.execute("ANALYZE")
    with store.transaction(SYSTEM) as transaction:
        shapes.prepare_shapes(transaction)
        box = _box(transaction)
        middles = _crowded(transaction)
        _print_plans(context, transaction, middles[0])
    rows = []
    if context.wants("tipg"):
        rows += _beside_tipg(context, store, middles)
    if context.wants("sizes"):
        rows.append(_sizes(context, store, box))
    return rows


def _print_plans(context: Context, connection: sa.Connection, middle: tuple[float, float]) -> None:
    """Say how the database cuts our tiles of a crowded place; tipg's statements are its own."""
    ran: dict[str, Any] = {}

    def note(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        if "ST_AsMVT(" in statement:
            ran.setdefault(statement, values)

    sa.event.listen(connection, "before_cursor_execute", note)
    place = place_of(*middle, _PLAN_ZOOM)
    for layer in LAYERS:
        cutting.cut_tile(connection, tile_sets.find_tile_set(connection, layer.name), *place)
    sa.event.remove(connection, "before_cursor_execute", note)
    for statement, values in ran.items():
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars()
        context.say(f"--- ours\n{statement.strip()}\n" + "\n".join(f"    {row}" for row in rows))


def _box(connection: sa.Connection) -> tuple[float, float, float, float]:
    box = find_county(connection).bbox
    if box is None:
        message = "the county has no grids"
        raise ValueError(message)
    return box


def _crowded(connection: sa.Connection) -> list[tuple[float, float]]:
    """Where most buildings stand, and some places between: half town, half country."""
    rows = connection.execute(
        sa.text(
            "SELECT avg(ST_X(point)), avg(ST_Y(point)) FROM building"
            " GROUP BY floor(ST_X(point) * 50), floor(ST_Y(point) * 50)"
            " ORDER BY count(*) DESC, 1, 2"
        )
    ).all()
    half = PLACES // 2
    country = rows[half :: max(1, (len(rows) - half) // half)][:half]
    return [(float(lon), float(lat)) for lon, lat in [*rows[:half], *country]]


def place_of(lon: float, lat: float, z: int) -> Place:
    """
    Find the tile that holds a place.

    Parameters
    ----------
    lon, lat
        Degrees.
    z
        Zoom.

    Returns
    -------
    (z, x, y)
        Of the Web Mercator pyramid.
    """
    north = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return z, int((lon + 180) / 360 * 2**z), int(north * 2**z)


def _beside_tipg(context: Context, store: Store, middles: list[tuple[float, float]]) -> list[Row]:
    rows: list[Row] = []
    with (
        _ours(store) as (our_home, forget),
        _tipg(context) as their_home,
        httpx.Client(timeout=120) as client,
    ):
        for layer in LAYERS:
            for z in layer.zooms:
                places = sorted({place_of(lon, lat, z) for lon, lat in middles})
                rows += [
                    _row(client, our_home, their_home, forget, layer, z, places, state)
                    for state in ("cold", "warm")
                ]
    return rows


def _row(
    client: httpx.Client,
    our_home: str,
    their_home: str,
    forget: Callable[[], None],
    layer: Layer,
    z: int,
    places: list[Place],
    state: str,
) -> Row:
    ours = Asker(client, lambda p: f"{our_home}/api/tiles/{layer.name}/{p[0]}/{p[1]}/{p[2]}.pbf")
    theirs = Asker(
        client,
        lambda p: (
            f"{their_home}/collections/public.{layer.table}/tiles/WebMercatorQuad/{p[0]}/{p[1]}/{p[2]}"
            f"?properties={layer.columns}&limit=100000"
        ),
    )
    compared = z >= layer.compared_from
    prepare: Callable[[], None] = forget if state == "cold" else (lambda: None)
    row = compare(
        f"{layer.name}, zoom {z}, {len(places)} tiles, {state}"
        + ("" if compared else " (ours puts things together: not compared)"),
        Side(lambda _: ours.ask(places), prepare),
        "tipg",
        Side(lambda _: theirs.ask(places), lambda: None),
        agree=(lambda a, b: _same_things(layer, a, b)) if compared else None,
    )
    limits = [
        *_times("ours", ours.seconds[len(places) :]),
        *_times("tipg's", theirs.seconds[len(places) :]),
        Limit("largest tile of ours, kB", ours.largest / 1000, LARGEST_KB),
        Limit("largest tile of tipg's, kB", theirs.largest / 1000),
    ]
    return Row(**{**vars(row), "limits": limits})


def _times(whose: str, seconds: list[float]) -> Iterator[Limit]:
    yield Limit(f"median of a tile, {whose}, ms", statistics.median(seconds) * 1000)
    yield Limit(f"p99 of a tile, {whose}, ms", percentile(seconds, 0.99) * 1000)


def _same_things(layer: Layer, ours: list[bytes], theirs: list[bytes]) -> bool:
    """Whether the same things lie within each tile; what lies in its rim only does not count."""
    return all(
        _ids(one, "mvt_id") == _ids(other, layer.key)
        for one, other in zip(ours, theirs, strict=True)
    )


def _ids(body: bytes, key: str) -> set[int]:
    if not body:
        return set()
    meta, _, wkb, fields = pyogrio.raw.read(body)
    if wkb is None or not len(wkb):
        return set()
    inside = shapely.intersects(
        shapely.from_wkb(wkb), shapely.box(16, 16, EXTENT - 16, EXTENT - 16)
    )
    ids = fields[list(meta["fields"]).index(key)]
    return {int(one) for one in np.asarray(ids)[inside]}


@contextmanager
def _ours(store: Store) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run our service in a process of its own; forgetting empties memory and table."""
    port = _free_port()
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    url = store.url.render_as_string(hide_password=False)
    process = spawn.Process(target=_serve, args=(url, port, there), daemon=True)
    process.start()

    def forget() -> None:
        here.send("forget")
        here.recv()

    home = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{home}/api/schemes", process.is_alive)
        yield home, forget
    finally:
        here.send("stop")
        process.join(timeout=20)
        process.kill()


def _serve(url: str, port: int, pipe: Connection) -> None:
    store = Store(url)
    app = create_app(store, loopback_only=True)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
    server = uvicorn.Server(config)

    async def obey() -> None:
        while not server.should_exit:
            word = await asyncio.to_thread(pipe.recv)
            if word == "stop":
                server.should_exit = True
                return
            app.state.tiles = tiles.TileCache()
            with store.transaction(SYSTEM) as connection:
                connection.execute(sa.text("DELETE FROM tile"))
            pipe.send("done")

    async def both() -> None:
        await asyncio.gather(server.serve(), obey())

    asyncio.run(both())
    store.close()


@contextmanager
def _tipg(context: Context) -> Iterator[str]:
    """Run tipg by uvicorn on the same tables, with our width of the rim and no limit of things."""
    port = _free_port()
    url = context.url("gis_service", SCRATCH)
    place = str(url.query.get("host") or url.host)
    database = f"postgresql://gis_service@{place.replace('/', '%2F')}:{url.port or 5432}/{SCRATCH}"
    settings = {
        "DATABASE_URL": database,
        "TIPG_TILE_BUFFER": "64",
        "TIPG_MAX_FEATURES_PER_TILE": "100000",
        "TIPG_MAX_FEATURES_PER_QUERY": "100000",
        "TIPG_DB_TABLES": '["public.road_edge","public.building","public.bench_grid"]',
        "TIPG_CATALOG_TTL": "0",
    }
    command = (
        sys.executable, "-m", "uvicorn", "tipg.main:app",
        "--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--no-access-log",
    )  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=sys.stderr)
    home = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{home}/healthz", lambda: process.poll() is None)
        yield home
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _wait_for(address: str, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(address, timeout=10).is_success:
                return
        except httpx.TransportError:
            if not alive():
                break
        time.sleep(0.2)
    message = f"nothing answers at {address}"
    raise RuntimeError(message)


def _sizes(context: Context, store: Store, box: tuple[float, float, float, float]) -> Row:
    """Cut every tile of the county at every zoom, and find the largest."""
    limits = []
    for layer in ("ground", "county"):
        largest, number = (0, ""), 0
        with store.transaction(SYSTEM) as connection:
            found = tile_sets.find_tile_set(connection, layer)
            places = [(0, 0, 0)]
            for z in range(tiles.MAX_ZOOM + 1):
                worth = []
                for place in places:
                    size = len(cutting.cut_tile(connection, found, *place))
                    number += 1
                    largest = max(largest, (size, f"{place[0]}/{place[1]}/{place[2]}"))
                    if z < tiles.MAX_ZOOM - 1 or size > _WORTH_SPLITTING:
                        worth.append(place)
                if z < tiles.MAX_ZOOM:
                    places = [child for place in worth for child in _children(place, box)]
        context.say(f"{layer}: {number:,} tiles cut, the largest at {largest[1]}")
        limits.append(Limit(f"largest tile of {layer}, kB", largest[0] / 1000, LARGEST_KB))
        limits.append(Limit(f"tiles of {layer} cut", number))
    return told("every tile of the county, zooms 0–16", limits)


def _children(place: Place, box: tuple[float, float, float, float]) -> Iterator[Place]:
    """Quarter a tile, as far as the quarters touch the county."""
    west, south, east, north = box
    z = place[0] + 1
    _, left, top = place_of(west, north, z)
    _, right, bottom = place_of(east, south, z)
    for x in (2 * place[1], 2 * place[1] + 1):
        for y in (2 * place[2], 2 * place[2] + 1):
            if left <= x <= right and top <= y <= bottom:
                yield z, x, y
