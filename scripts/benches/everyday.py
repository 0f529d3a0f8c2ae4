"""What is asked all day: every request of the page, alone and with 50 callers at once.

Each stands beside the leanest SQL that gives the same rows (``everyday_sql``), and its rows are
compared with it. What a request costs above the SQL is HTTP, who asks and what they may see, the
form of the answer, and its compression. Then the mix of a busy day, and more callers than the
service lets in.
"""

import gzip
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.plans import life as plan_life
from gis_service.coverage.runs import runs
from gis_service.grids.reading import find_scheme
from gis_service.maps.sheets import sheet
from gis_service.maps.tiles import cutting, shapes, tile_sets, tiles
from gis_service.search import queries as searching
from gis_service.search.entries import refresh
from gis_service.search.wording import normalise
from gis_service.store import Store
from scripts.benches.context import Context
from scripts.benches.everyday_load import Answer, Ask, Client, Load
from scripts.benches.everyday_server import Served, serving
from scripts.benches.everyday_sql import INDEXES, Sql
from scripts.benches.framework import PAIRS, Limit, Row, percentile, row, told
from scripts.benches.tiles import place_of

SCRATCH: Final = "gis_bench_everyday"
CALLERS: Final = 50
MANY: Final = 200
STANDARDS: Final = ("service-15", "fire-20")
PAGE: Final = 500
"""Rows of a page of homes, as the map asks for them."""

_OFFSET_PAGES: Final = (0, PAGE, 4 * PAGE)
_CALLERS_S: Final = 2.0
_MIX_S: Final = 20.0
_MANY_S: Final = 60.0
_RANDOM: Final = 20261130
_TILE_CACHE_MB: Final = 64.0

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Asked:
    """
    One request beside its SQL.

    Attributes
    ----------
    ask
        Over HTTP.
    sql
        Gives the same rows; None where no SQL does.
    rows
        Finds them in the answer's JSON, or in its bytes.
    """

    ask: Ask
    sql: Callable[[], Rows] | None
    rows: Callable[[Any], Rows]


@dataclass(frozen=True)
class Work:
    """
    A kind of request.

    Attributes
    ----------
    name
        For ``--only``.
    what
        For people.
    batches
        What is asked in a pass; what is cold is another one each time.
    most_ms
        What it may take alone; None is twice the SQL and 5 ms.
    is_bytes
        Whether the answer is no JSON.
    peer
        What the SQL does.
    """

    name: str
    what: str
    batches: Iterator[Sequence[Asked]]
    most_ms: float | None = None
    is_bytes: bool = False
    peer: str = "prepared SQL"
    has_limit: bool = True


@dataclass
class County:
    """What of the demo county is asked for; chosen by number, the same at every run."""

    store: Store
    day: Any = None
    scheme_id: int = 0
    grids: dict[int, list[int]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    places: list[tuple[float, float]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    plan_id: int = 0
    plan_rev: int = 0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


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
        A row a request, the mix, and many callers.
    """
    context.print_versions("fastapi", "uvicorn", "sqlalchemy", "psycopg2-binary")
    store = context.county_store
    context.print_server_version(store)
    county = _prepared(store)
    context.fresh_database(SCRATCH, copy_of_county=True)
    data = context.folder / "served"
    data.mkdir()
    url = store.url.render_as_string(hide_password=False)
    with closing(context.connect(SCRATCH)) as connection, serving(url, data) as served:
        with connection.cursor() as cursor:
            for statement in INDEXES:
                cursor.execute(statement)
            cursor.execute("SET jit = off")
        client = Client(served.port)
        served.wait_until_idle()
        rows = [
            _measured(context, client, work)
            for work in _works(county, client, Sql(connection))
            if context.wants(work.name)
        ]
        if context.wants("mix"):
            rows.append(_mix(context, client, served, county))
        if context.wants("many"):
            rows.append(_many(context, client, served, county))
    return rows


def _prepared(store: Store) -> County:
    """Measure coverage, fill the search and the tiles, begin a plan, choose what is asked."""
    for standard in STANDARDS:
        runs.measure(store, SYSTEM, standard)
    refresh(store)
    county = County(store)
    with store.transaction(SYSTEM) as connection:
        shapes.prepare_shapes(connection)
        scheme = find_scheme(connection, "base")
        county.scheme_id = scheme.scheme_id
        county.day = connection.scalar(sa.text("SELECT gis_today()"))
        found = connection.execute(
            sa.text(
                "SELECT rank, array_agg(grid_id ORDER BY grid_id) FROM grid_state"
                " WHERE scheme_id = :scheme AND valid @> gis_today() GROUP BY rank"
            ),
            {"scheme": scheme.scheme_id},
        )
        county.grids = {rank: list(ids) for rank, ids in found}
        for standard in STANDARDS:
            latest = runs.find_latest_run(connection, standard)
            assert latest is not None
            county.runs[standard] = latest.run_id
        places = sa.text(
            "SELECT ST_X(point), ST_Y(point) FROM building WHERE building_id % 1500 = 7"
            " ORDER BY building_id"
        )
        county.places = [(float(lon), float(lat)) for lon, lat in connection.execute(places)]
        words = sa.text(
            "SELECT DISTINCT name FROM search_entry WHERE kind IN ('grid', 'premises', 'unit',"
            " 'officer', 'facility') AND name !~ '[0-9]' AND length(name) > 2 ORDER BY name"
        )
        county.words = list(connection.scalars(words))
        county.plan_id = plan_life.create_plan(connection, SYSTEM, "base", "东街调整", "户数过多")
        box = sheet.find_county(connection).bbox
        assert box is not None
        county.box = box
        kept = tiles.TileCache()
        for layer, place in _warm_tiles(county):
            tiles.find_tile(connection, kept, tile_sets.find_tile_set(connection, layer), *place)
    chance = random.Random(_RANDOM)
    for grid_ids in county.grids.values():
        chance.shuffle(grid_ids)
    chance.shuffle(county.words)
    chance.shuffle(county.places)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    return county


# --- what is asked -------------------------------------------------------------------------------


def _get(path: str, kind: str = "", **query: object) -> Ask:
    return Ask(f"{path}?{urlencode(query, quote_via=quote)}" if query else path, None, kind)


def _works(county: County, client: Client, sql: Sql) -> Iterator[Work]:
    yield from _cards(county, sql)
    yield from _homes(county, sql)
    yield from _lists(county, sql)
    yield from _figures(county, sql)
    yield from _tiles(county, sql)
    yield from _plans(county, client, sql)
    yield Work(
        "what-if",
        "what if a fire station moved (its peer, pgRouting, is in the bench coverage)",
        itertools.repeat([Asked(ask, None, lambda _: []) for ask in _what_ifs(county)]),
        has_limit=False,
    )


def _cards(county: County, sql: Sql) -> Iterator[Work]:
    def card(grid_id: int) -> Asked:
        def rows() -> Rows:
            return [
                *sql.rows("head", grid_id, county.day),
                *sql.rows("counts", grid_id, county.day),
                *sql.rows("officers", grid_id, county.day),
                *sql.rows("shares", grid_id, sorted(county.runs.values())),
            ]

        return Asked(_get(f"/api/grids/{grid_id}"), rows, _card_rows)

    for name, rank, what in (
        ("card", 3, "the card of a base grid"),
        ("card-village", 2, "the card of a village grid"),
        ("card-town", 1, "the card of a town grid"),
    ):
        asked = [card(grid_id) for grid_id in county.grids[rank][:20]]
        yield Work(name, what, itertools.repeat(asked), 10.0)


def _card_rows(said: Any) -> Rows:
    counts = said["counts"]
    names = (
        "households", "people", "care_households", "buildings", "premises", "hazards_open",
        "hazards_major", "incidents_open", "incidents_month",
    )  # fmt: skip
    shares = [
        (one["run_id"], kind, of["n"], of["covered"])
        for one in said["coverage"].values()
        for kind, of in {"": one, **one["kinds"]}.items()
    ]
    return [
        *((one["grid_id"], one["name"], one["code"], one["rank"]) for one in said["chain"]),
        tuple(counts[name] for name in names),
        *((one["role"], one["post"], one["name"], one["phone"]) for one in said["officers"]),
        *sorted(shares),
    ]


def _homes(county: County, sql: Sql) -> Iterator[Work]:
    def homes(grid_id: int, offset: int) -> Asked:
        def rows() -> Rows:
            found = sql.rows("homes", grid_id, county.day, PAGE, offset)
            return [*sql.rows("homes_count", grid_id, county.day), *map(_home, found)]

        ask = _get("/api/households", grid_id=grid_id, limit=PAGE, offset=offset)
        return Asked(ask, rows, _homes_rows)

    for name, rank, what, most in (
        ("homes", 3, "the homes of a base grid", 15.0),
        ("homes-village", 2, "the homes of a village grid, first page", None),
    ):
        asked = [homes(grid_id, 0) for grid_id in county.grids[rank][:20]]
        yield Work(name, what, itertools.repeat(asked), most)
    asked = [homes(grid_id, offset) for grid_id in county.grids[1][:5] for offset in _OFFSET_PAGES]
    yield Work("homes-town", "the homes of a town grid, by page", itertools.repeat(asked), 40.0)


def _home(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Keep what both say openly: names and phones are masked by us."""
    return (row[0], row[5][:1], row[6][:3], *row[7:])


def _homes_rows(said: Any) -> Rows:
    names = ("household_id", "head_name", "phone", "people", "base_grid_id", "grid_name")
    rows = [(*(one[name] for name in names), one["lon"], one["lat"]) for one in said["items"]]
    return [(said["total"],), *((a, b[:1], c[:3], *rest) for a, b, c, *rest in rows)]


def _lists(county: County, sql: Sql) -> Iterator[Work]:
    def board() -> Rows:
        shown = [(row[0], row[1], row[3], row[13]) for row in sql.rows("incidents", county.day, 50)]
        return [*sql.rows("incidents_count"), *shown]

    def board_rows(said: Any) -> Rows:
        names = ("incident_id", "key", "status", "grid_name")
        return [(said["total"],), *(tuple(one[name] for name in names) for one in said["items"])]

    ask = _get("/api/incidents", status="open", limit=50)
    asked = [Asked(ask, board, board_rows)] * 10
    yield Work("incidents", "the open incidents", itertools.repeat(asked))

    def near(lon: float, lat: float) -> Asked:
        def rows(said: Any) -> Rows:
            counts = said["near"]["counts"]
            return [tuple(counts[name] for name in ("hazards", "water_sources", "premises"))]

        ask = _get("/api/arrivals", lon=lon, lat=lat)
        return Asked(ask, lambda: sql.rows("near", lon, lat), rows)

    yield Work(
        "arrivals",
        "who gets to a place first, and what is near it",
        itertools.repeat([near(*place) for place in county.places[:20]]),
        50.0,
        peer="prepared SQL of what is near alone, without ways",
    )

    def word(name: str) -> Asked:
        words = searching._bind_text(normalise(name), 20)  # noqa: SLF001 (the very same ranking)
        query = searching._entries_query(SYSTEM, spelt=False, forgiving=False)  # noqa: SLF001
        values = words | {"scheme_id": county.scheme_id}

        def rows() -> Rows:
            return [tuple(one)[:7] for one in sql.same("search", query, values)]

        def found(said: Any) -> Rows:
            names = ("kind", "id", "name", "detail", "grid_id", "lon", "lat")
            return [tuple(one[name] for name in names) for one in said]

        return Asked(_get("/api/search", q=name, scheme="base"), rows, found)

    asked = [word(name) for name in county.words[:20]]
    yield Work(
        "search",
        "the search for a name",
        itertools.repeat(asked),
        peer="our own ranking, prepared: one statement of the four that are asked",
    )


def _figures(county: County, sql: Sql) -> Iterator[Work]:
    def overview(said: Any) -> Rows:
        names = ("households", "people", "buildings", "premises", "hazards", "incidents")
        return [tuple(said["counts"][name] for name in names)]

    asked = [Asked(_get("/api/overview"), lambda: sql.rows("county", county.day), overview)] * 5
    yield Work("overview", "the county at a glance", itertools.repeat(asked))

    def by_grid() -> Rows:
        return sorted((grid, float(count)) for grid, count in sql.rows("households_by_grid"))

    def values(said: Any) -> Rows:
        return sorted((int(grid), value) for grid, value in said["values"].items() if value)

    ask = _get("/api/layers/figures", scheme="base", rank=3, theme="households")
    asked = [Asked(ask, by_grid, values)] * 5
    yield Work("figures", "households by base grid", itertools.repeat(asked))

    def shares() -> Rows:
        found = sql.rows("shares_by_grid", county.runs["fire-20"], 3)
        told = ((grid, round(100 * covered / n, 1)) for grid, n, covered in found if n)
        return sorted(one for one in told if one[1])

    ask = _get("/api/layers/figures", scheme="base", rank=3, theme="fire-20")
    asked = [Asked(ask, shares, values)] * 5
    yield Work("figures-coverage", "shares by base grid", itertools.repeat(asked))

    run_id = county.runs["fire-20"]

    def of_run() -> Rows:
        found = sql.rows("run_figures", run_id, 3, county.day)
        return [tuple(one)[:8] for one in found]

    def told_of_run(said: Any) -> Rows:
        names = (
            "grid_id", "code", "name", "n", "covered", "too_far", "unreachable", "off_network",
        )  # fmt: skip
        return [tuple(one[name] for name in names) for one in said]

    ask = _get(f"/api/coverage/runs/{run_id}/figures", rank=3)
    asked = [Asked(ask, of_run, told_of_run)] * 5
    yield Work("coverage", "the coverage of every base grid", itertools.repeat(asked))


def _warm_tiles(county: County) -> list[tuple[str, tuple[int, int, int]]]:
    west, south, east, north = county.box
    middle = ((west + east) / 2, (south + north) / 2)
    return [
        (layer, (z, x + aside, y))
        for layer in ("ground", "county")
        for z in (11, 12, 13)
        for z, x, y in (place_of(*middle, z),)
        for aside in (0, 1)
    ]


def _cold_tiles(county: County) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """List tiles of the county at zoom 14 to 16 in a mixed order, each once."""
    west, south, east, north = county.box
    all_of_them = []
    for z in (14, 15, 16):
        (_, left, top), (_, right, bottom) = place_of(west, north, z), place_of(east, south, z)
        all_of_them += [
            (layer, (z, x, y))
            for layer in ("ground", "county")
            for x in range(left, right + 1)
            for y in range(top, bottom + 1)
        ]
    random.Random(_RANDOM).shuffle(all_of_them)
    return iter(all_of_them)


def _tile_ask(layer: str, place: tuple[int, int, int], kind: str = "") -> Ask:
    z, x, y = place
    return _get(f"/api/tiles/{layer}/{z}/{x}/{y}.pbf", kind)


def _tiles(county: County, sql: Sql) -> Iterator[Work]:
    with county.store.transaction(SYSTEM) as connection:
        named = {
            layer: tile_sets.find_tile_set(connection, layer) for layer in ("ground", "county")
        }

    def kept(layer: str, place: tuple[int, int, int]) -> Asked:
        def rows() -> Rows:
            ((body,),) = sql.rows("kept_tile", named[layer].key, *place)
            return [(gzip.decompress(bytes(body)) if body else b"",)]

        return Asked(_tile_ask(layer, place), rows, lambda body: [(body,)])

    yield Work(
        "tiles-warm", "a tile that was cut before",
        itertools.repeat([kept(*one) for one in _warm_tiles(county)]), is_bytes=True,
        peer="prepared SQL: the kept tile by its key",
    )  # fmt: skip

    def cold(layer: str, place: tuple[int, int, int]) -> Asked:
        with county.store.transaction(SYSTEM) as connection:
            statements = _cutting(connection, named[layer], place)

        def rows() -> Rows:
            bodies = (sql.as_it_is(*one)[0][0] for one in statements)
            return [(b"".join(bytes(body or b"") for body in bodies),)]

        return Asked(_tile_ask(layer, place), rows, lambda body: [(body,)])

    places = _cold_tiles(county)

    def batches() -> Iterator[Sequence[Asked]]:
        while True:
            yield [cold(*place) for place in itertools.islice(places, 12)]

    yield Work(
        "tiles-cold", "a tile that nobody asked for yet, zoom 14 to 16", batches(), is_bytes=True,
        peer="the statements that cut it, as they are",
    )  # fmt: skip


def _cutting(
    connection: sa.Connection, named: tile_sets.TileSet, place: tuple[int, int, int]
) -> list[tuple[str, Any]]:
    """List the statements that cut a tile, with their values."""
    ran: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        if "ST_AsMVT(" in statement:
            ran.append((statement, values))

    sa.event.listen(connection, "before_cursor_execute", note)
    cutting.cut_tile(connection, named, *place)
    sa.event.remove(connection, "before_cursor_execute", note)
    return ran


def _what_ifs(county: County) -> list[Ask]:
    with county.store.transaction(SYSTEM) as connection:
        stations = connection.execute(
            sa.text(
                "SELECT facility_id, ST_X(point), ST_Y(point) FROM facility"
                " WHERE kind = 'fire_station' ORDER BY facility_id LIMIT 5"
            )
        ).all()
    return [
        Ask(
            "/api/coverage/what-if",
            json.dumps(
                {
                    "standard": "fire-20",
                    "scenario": "normal",
                    "changes": [
                        {"kind": "move_station", "facility_id": one, "lon": lon + 0.01, "lat": lat}
                    ],
                }
            ).encode(),
        )
        for one, lon, lat in stations
    ]


def _plans(county: County, client: Client, sql: Sql) -> Iterator[Work]:
    path = f"/api/plans/{county.plan_id}"
    opened = _json(client.each([Ask(path)])[0])

    def plan() -> Rows:
        (found,) = sql.rows("plan", county.plan_id)
        edits = sql.rows("plan_edits", county.plan_id)
        return [(*found, len(edits), len(sql.rows("plan_words", county.plan_id)))]

    def plan_rows(said: Any) -> Rows:
        names = ("plan_id", "title", "status", "base_version")
        counts = (len(said["edits"]), len(said["comments"]))
        return [(*(said[name] for name in names), said["author"]["name"], *counts)]

    asked = [Asked(Ask(path), plan, plan_rows)] * 10
    yield Work("plan", "a plan opened", itertools.repeat(asked))

    def handed_over(grid_id: int) -> Asked:
        edges = _json(client.each([_get(f"{path}/edges", grid=grid_id)])[0])
        line = edges["features"][0]["geometry"]["coordinates"]
        lon, lat = line[len(line) // 2]
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
        ring = [[lon + 0.0006 * x, lat + 0.0006 * y] for x, y in corners]
        region = {"type": "Polygon", "coordinates": [ring]}
        edit = {"kind": "give", "to": str(grid_id), "region": region}
        body = json.dumps({"rev": opened["rev"], "edit": edit}).encode()

        def rows() -> Rows:
            found = sql.rows("handed_over", json.dumps(region), grid_id)
            return [(sum(one[1] for one in found), sum(one[2] for one in found))]

        def moved(said: Any) -> Rows:
            (own,) = (one for one in said["grids"] if one["key"] == str(grid_id))
            names = ("households", "people")
            return [tuple(own["now"][name] - own["before"][name] for name in names)]

        return Asked(Ask(f"{path}/preview", body), rows, moved)

    asked = [handed_over(grid_id) for grid_id in county.grids[3][:8]]
    yield Work(
        "plan-edit", "a piece of land handed over, tried out in a plan", itertools.repeat(asked),
        100.0, peer="prepared SQL of the households in the piece alone",
    )  # fmt: skip


# --- measuring -----------------------------------------------------------------------------------


def _json(answer: Answer) -> Any:
    return json.loads(_plain(answer))


def _plain(answer: Answer) -> bytes:
    if answer.status not in {200, 204}:
        raise RuntimeError(f"{answer.status}: {answer.body[:300].decode(errors='replace')}")
    packed = b"content-encoding: gzip" in answer.head.lower()
    return gzip.decompress(answer.body) if packed and answer.body else answer.body


def _measured(context: Context, client: Client, work: Work) -> Row:
    context.say(f"{work.what} …")
    read = _plain if work.is_bytes else _json
    first = next(work.batches)
    answers = client.each([one.ask for one in first])
    equal = all(
        one.sql is not None and _alike(one.rows(read(answer)), one.sql())
        for one, answer in zip(first, answers, strict=True)
    )
    ours: list[float] = []
    theirs: list[float] = []
    for pair in range(PAIRS):
        batch = next(work.batches)
        turns = [_ask_alone(client, batch, ours), _ask_sql(batch, theirs)]
        for turn in turns if pair % 2 == 0 else reversed(turns):
            turn()
    alone_ms = statistics.median(ours) * 1000
    count = min(400, max(CALLERS * 2, int(_CALLERS_S / max(statistics.median(ours), 0.001))))
    many = list(itertools.islice((one.ask for batch in work.batches for one in batch), count))
    load = client.many(many, CALLERS)
    sql_ms = statistics.median(theirs) * 1000 if theirs else None
    most = work.most_ms
    if most is None and sql_ms is not None and work.has_limit:
        most = 2 * sql_ms + 5
    limits = [Limit("alone, ms", alone_ms, most), *_of_load(load)]
    if sql_ms is None:
        return told(work.what, limits)
    return row(work.what, ours, work.peer, theirs, equal=equal, limits=limits)


def _ask_alone(client: Client, batch: Sequence[Asked], times: list[float]) -> Callable[[], None]:
    def turn() -> None:
        answers = client.each([one.ask for one in batch])
        for answer in answers:
            _plain(answer)
        times.append(statistics.median(answer.seconds for answer in answers))

    return turn


def _ask_sql(batch: Sequence[Asked], times: list[float]) -> Callable[[], None]:
    def turn() -> None:
        seconds = []
        for one in batch:
            if one.sql is None:
                return
            began = time.perf_counter()
            one.sql()
            seconds.append(time.perf_counter() - began)
        times.append(statistics.median(seconds))

    return turn


def _alike(ours: Rows, theirs: Rows) -> bool:
    """Compare row by row; numbers to nine figures."""
    return len(ours) == len(theirs) and all(
        len(one) == len(other) and all(map(_same, one, other))
        for one, other in zip(ours, theirs, strict=True)
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return one == other or abs(float(one) - float(other)) <= 1e-9 * max(1.0, abs(float(other)))
    return bool(one == other)


def _of_load(load: Load, most_p95_ms: float | None = None) -> list[Limit]:
    taken = load.taken()
    return [
        Limit(f"p50 with {CALLERS}, ms", percentile(taken, 0.5) * 1000),
        Limit(f"p95 with {CALLERS}, ms", percentile(taken, 0.95) * 1000, most_p95_ms),
        Limit(f"requests a second with {CALLERS}", len(taken) / load.seconds),
        Limit("not taken", load.count(400, 599) + load.count(0, 0)),
    ]


def _mixed(county: County) -> Iterator[Ask]:
    """
    Give the mix of a busy day without end.

    Parameters
    ----------
    county
        What is asked for.

    Yields
    ------
    Ask
        40 % cards (of base grids, a fifth of them of the village above), 20 % searches, 10 % tiles
        that were cut before and 10 % that were not, 10 % homes of a base grid, 10 % figures.
    """
    chance = random.Random(_RANDOM)
    warm = [_tile_ask(layer, place, "tile, warm") for layer, place in _warm_tiles(county)]
    cold = _cold_tiles(county)
    next(itertools.islice(cold, 4000, 4000), None)  # behind those that were measured alone
    themes = ("households", "people", *STANDARDS)
    while True:
        what = chance.random()
        if what < 0.4:
            rank = 2 if chance.random() < 0.2 else 3
            yield _get(f"/api/grids/{chance.choice(county.grids[rank])}", "card")
        elif what < 0.6:
            yield _get("/api/search", "search", q=chance.choice(county.words), scheme="base")
        elif what < 0.7:
            yield chance.choice(warm)
        elif what < 0.8:
            found = next(cold, None)
            yield chance.choice(warm) if found is None else _tile_ask(*found, "tile, cold")
        elif what < 0.9:
            grid = chance.choice(county.grids[3])
            yield _get("/api/households", "homes", grid_id=grid, limit=PAGE)
        else:
            theme = chance.choice(themes)
            rank = chance.choice((1, 2, 3))
            yield _get("/api/layers/figures", "figures", scheme="base", rank=rank, theme=theme)


def _mix(context: Context, client: Client, served: Served, county: County) -> Row:
    context.say(f"the mix, {CALLERS} callers for {_MIX_S:g} s …")
    asks = _mixed(county)
    client.many(asks, CALLERS, seconds=3)
    before = served.cpu_s
    load = client.many(asks, CALLERS, seconds=_MIX_S)
    cpu_s = served.cpu_s - before
    taken = load.taken()
    each_ms = load.seconds / max(len(taken), 1) * 1000
    return told(
        f"the mix with {CALLERS} callers: 40 % cards, 20 % searches, 20 % tiles (half of them"
        " cold), 10 % homes, 10 % figures",
        [
            Limit("a request every … ms (150 a second)", each_ms, 1000 / 150),
            *_of_load(load, 500.0),
            Limit("processor of the server, ms a request", cpu_s / max(len(taken), 1) * 1000),
            *(
                Limit(f"p95 of {kind}, ms", percentile(load.taken(kind), 0.95) * 1000)
                for kind in sorted(load.answers)
                if load.taken(kind)
            ),
        ],
    )


def _many(context: Context, client: Client, served: Served, county: County) -> Row:
    context.say(f"{MANY} callers in the mix for {_MANY_S:g} s …")
    asks = itertools.islice(_mixed(county), 6000, None)
    client.many(asks, MANY, seconds=5)
    before_mb = served.resident_mb
    load = client.many(asks, MANY, seconds=_MANY_S)
    taken, busy = load.taken(), load.count(503, 503)
    total = max(sum(map(len, load.answers.values())), 1)
    return told(
        f"the mix with {MANY} callers for {_MANY_S:g} s",
        [
            Limit("share of 503", busy / total, 0.05),
            Limit("no answer, or another 5xx", load.count(500, 599) + load.count(0, 0) - busy, 0),
            Limit("p99 of those taken, s", percentile(taken, 0.99), 4.0),
            Limit("p50 of those taken, s", percentile(taken, 0.5)),
            Limit("requests a second", len(taken) / load.seconds),
            Limit("memory of the server before, MB", before_mb),
            Limit("memory of the server after, MB", served.resident_mb, before_mb + _TILE_CACHE_MB),
        ],
    )
