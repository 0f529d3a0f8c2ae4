"""The page's server with a second endpoint that answers from PostGIS, and a client that loads both.

Both endpoints run in one process with one worker, read the same body, use the same officers and
write the same answer; only where a place lies is found by our index in one and by a prepared
query in the other.
"""

import asyncio
import json
import multiprocessing
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psycopg
import psycopg_pool
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gis_service.api import locate
from gis_service.api.app import create_app
from gis_service.api.dependencies import get_caller
from gis_service.grids.answers.placing import PlacesFound
from gis_service.grids.locator.locator import NO_GRID
from gis_service.store import Store

OURS: Final = "/api/locate"
PEER: Final = "/peer/locate"
CONNECTIONS: Final = 32
_POOL: Final = 8
"""Connections of the peer to its database: more than the cores that could work on them."""
_PATIENCE_S: Final = 600.0

QUERY: Final = """
    SELECT land.grid_id, land.n > 1, near.left_grid_id, near.right_grid_id, near.metres
    FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS given (lon, lat, number)
    CROSS JOIN LATERAL (SELECT ST_SetSRID(ST_MakePoint(lon, lat), 4490) AS point) AS place
    LEFT JOIN LATERAL (
        SELECT min(state.grid_id) AS grid_id, count(*) AS n FROM grid_state AS state
        WHERE state.scheme_id = %s AND state.rank = %s AND state.valid @> %s::date
          AND ST_Intersects(state.geom, place.point)
    ) AS land ON true
    LEFT JOIN LATERAL (
        SELECT left_grid_id, right_grid_id,
               ST_Distance(geom::geography, place.point::geography) AS metres
        FROM (
            SELECT left_grid_id, right_grid_id, geom FROM linework_arc
            WHERE scheme_id = %s AND valid @> %s::date
            ORDER BY geom <-> place.point LIMIT 8
        ) AS arc
        ORDER BY metres LIMIT 1
    ) AS near ON true
    ORDER BY given.number
"""


@dataclass(frozen=True)
class Load:
    """
    What a loaded endpoint did.

    Attributes
    ----------
    seconds
        From the first request to the last answer.
    latencies_s
        Of each request.
    """

    seconds: float
    latencies_s: list[float]


def _peer(url: str, scheme_id: int, rank: int) -> Any:
    """Make the peer's endpoint: as ours, but for where the places lie."""

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        # The plan for any values looks at every arc: ten times as slow as one for these values.
        await connection.set_autocommit(True)
        await connection.execute("SET plan_cache_mode = force_custom_plan")

    pool = psycopg_pool.AsyncConnectionPool(
        url,
        min_size=_POOL,
        max_size=_POOL,
        timeout=_PATIENCE_S,
        open=False,
        configure=configure,
    )

    async def answer(request: Request) -> Response:
        if pool.closed:
            await pool.open()
        asked = locate.read_places_request(await request.body())
        actor = (await get_caller(request)).actor
        ready = await locate.get_scheme_answers(request, actor, asked.scheme)
        day = ready.version.effective_day
        values = (asked.lon.tolist(), asked.lat.tolist(), scheme_id, rank, day, scheme_id, day)
        async with pool.connection() as connection:
            cursor = await connection.execute(QUERY, values, prepare=True)
            rows = await cursor.fetchall()
        grid = [NO_GRID if row[0] is None else row[0] for row in rows]
        across = [row[3] if row[2] == own else row[2] for row, own in zip(rows, grid, strict=True)]
        findings = PlacesFound(
            np.array(grid, dtype=np.int64),
            np.array([row[1] for row in rows], dtype=bool),
            np.array([NO_GRID if one is None else one for one in across], dtype=np.int64),
            np.array([row[4] for row in rows], dtype=float),
        )
        locate.check_on_earth(asked, ready)
        said = locate.write_answer(asked, ready, findings)
        return Response(said, media_type="application/json")

    return answer


def _serve(store_url: str, plain_url: str, scheme: tuple[int, int], port: int) -> None:
    store = Store(store_url)
    app = create_app(store, loopback_only=True)
    app.router.routes.insert(0, Route(PEER, _peer(plain_url, *scheme), methods=["POST"]))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


@contextmanager
def serving(store_url: str, plain_url: str, scheme: tuple[int, int]) -> Iterator[int]:
    """
    Run the server in a process of its own.

    Parameters
    ----------
    store_url, plain_url
        The county, for SQLAlchemy and for psycopg.
    scheme
        Its id and lowest rank.

    Yields
    ------
    int
        The port on loopback where it answers.

    Raises
    ------
    TimeoutError
        It does not within a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(store_url, plain_url, scheme, port), daemon=True
    )
    process.start()
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError as error:
                if time.monotonic() > until or not process.is_alive():
                    raise TimeoutError("the server does not answer") from error
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.join(20)


def bodies(points: Sequence[tuple[float, float]], per_request: int) -> list[bytes]:
    """
    Write requests.

    Parameters
    ----------
    points
        Lon, lat.
    per_request
        How many in each.

    Returns
    -------
    list of bytes
        JSON.
    """
    return [
        json.dumps({"points": points[begin : begin + per_request]}).encode()
        for begin in range(0, len(points), per_request)
    ]


def load(port: int, path: str, requests: Sequence[bytes]) -> Load:
    """
    Send requests over 32 connections, each the next one as soon as it has its answer.

    Parameters
    ----------
    port
        On loopback.
    path
        The endpoint.
    requests
        Bodies.

    Returns
    -------
    Load
        Every answer was 200.
    """
    return asyncio.run(_load(port, path, requests))


async def _load(port: int, path: str, requests: Sequence[bytes]) -> Load:
    waiting = iter(requests)
    latencies: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            began = time.perf_counter()
            await _exchange(reader, writer, path, body)
            latencies.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return Load(time.perf_counter() - began, latencies)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes
) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    said = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in said.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    answer = await reader.readexactly(length)
    if b" 200 " not in said.split(b"\r\n", 1)[0]:
        raise RuntimeError(answer[:300].decode(errors="replace"))
    return answer


def ask(port: int, path: str, body: bytes) -> dict[str, Any]:
    """
    Send one request.

    Parameters
    ----------
    port
        On loopback.
    path
        The endpoint.
    body
        JSON.

    Returns
    -------
    dict
        The answer.
    """

    async def once() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = await _exchange(reader, writer, path, body)
        writer.close()
        return answer

    answer: dict[str, Any] = json.loads(asyncio.run(once()))
    return answer


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """
    Compare two answers.

    Parameters
    ----------
    ours, theirs
        As the endpoints gave them.

    Returns
    -------
    bool
        True where every place has the same grid, and its border is as far to 5 cm and a
        thousandth: our borders are straight in lon and lat, as they are stored, and those of the
        peer's ``geography`` are great circles, a third of a metre off in the middle of 5 km.
    """
    pairs = zip(ours["answers"], theirs["answers"], strict=True)
    return all(
        one["grid_id"] == other["grid_id"]
        and one["method"] == other["method"]
        and abs(one["distance_m"] - other["distance_m"]) <= 0.05 + 0.001 * one["distance_m"]
        for one, other in pairs
    )
