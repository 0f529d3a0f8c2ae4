"""What guarding costs: rules by rows, and people who sign in while others work.

The peer of a query is the same query where no rule holds: asked by a superuser, who passes every
rule of the database, for the county office, to whom Python adds none; near a place by the index
over points, which rules by rows keep from being used. Beside 20 people who sign in at once a card
is read over HTTP, in turn with a time in which nobody does.
"""

import functools
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final
from unittest.mock import patch

import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor
from gis_service.access.accounts import NewAccount, make_account
from gis_service.access.actor import Origin
from gis_service.access.links import follow_link, make_link
from gis_service.coverage.standards.book import standard_book
from gis_service.grids.answers import people
from gis_service.incidents import queries
from gis_service.store import Store
from scripts.benches.context import Context
from scripts.benches.everyday_load import Ask, Client
from scripts.benches.everyday_server import serving
from scripts.benches.framework import PAIRS, Limit, Row, Side, compare, percentile, row

SCRATCH: Final = "gis_bench_guard"
AT_ONCE: Final = 20
"""So many sign in."""

_VILLAGES: Final = 20
_PLACES: Final = 20
_PAGE: Final = 500
_LIST_MS: Final = 10.0
_NEAR_DEGREES: Final = (0.0056, 0.0047)
"""500 m to each side, in the county."""
_PASSWORD: Final = "four words of a bench"  # noqa: S105
_CARDS_ALONE: Final = 400
_BATCH: Final = 10

_OFFICE: Final = replace(SYSTEM, role="county_office")

Answers = list[Any]


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
        Homes of villages as their heads and as the county office, what is near as a dispatcher, a
        card beside people who sign in.
    """
    context.print_versions("sqlalchemy", "psycopg2-binary", "argon2-cffi")
    store = context.county_store
    context.print_server_version(store)
    unruled = context.peer_store
    rows = []
    if context.wants("homes-head"):
        rows.append(_homes(store, unruled, "village_head"))
    if context.wants("homes-office"):
        rows.append(_homes(store, unruled, "county_office"))
    if context.wants("near"):
        rows.append(_near(store, unruled))
    unruled.close()
    if context.wants("sign-ins"):
        rows.append(_sign_ins(context))
    return rows


def _actor(store: Store, role: str, areas: tuple[int, ...] | None = None) -> Actor:
    """Make an account of a role; nobody signs in by it."""
    with store.transaction(SYSTEM) as connection:
        new = NewAccount(f"bench.{role}", role, role, areas=areas)
        actor_id = make_account(connection, SYSTEM, new).actor_id
    return Actor(actor_id, role, role, role, areas)


# --- queries --------------------------------------------------------------------------------------


def _villages(store: Store) -> list[int]:
    """Villages with homes, the same at every run."""
    query = sa.text(
        "SELECT DISTINCT state.parent_grid_id FROM grid_state AS state"
        " JOIN grid_level AS level USING (scheme_id, rank) JOIN household"
        " ON household.base_grid_id = state.grid_id WHERE state.valid @> gis_today() ORDER BY 1"
    )
    with store.transaction(SYSTEM) as connection:
        found = list(connection.scalars(query))
    return found[:: max(len(found) // _VILLAGES, 1)][:_VILLAGES]


def _list(store: Store, actors: Sequence[Actor], villages: Sequence[int]) -> Answers:
    answers = []
    for actor, village in zip(actors, villages, strict=True):
        with store.transaction(actor) as connection:
            answers.append(people.list_households(connection, actor, grid_id=village, limit=_PAGE))
    return answers


def _homes(store: Store, unruled: Store, role: str) -> Row:
    villages = _villages(unruled)
    if role == "village_head":
        head = _actor(store, role, (villages[0],))
        actors = [replace(head, areas=(village,)) for village in villages]
    else:
        actors = [_actor(store, role)] * len(villages)
    office = [_OFFICE] * len(villages)
    alone_ms = []
    for actor, village in zip(actors * PAIRS, villages * PAIRS, strict=True):
        began = time.perf_counter()
        _list(store, [actor], [village])
        alone_ms.append((time.perf_counter() - began) * 1000)
    limits = [
        Limit("a village's homes, median, ms", statistics.median(alone_ms), _LIST_MS),
        Limit(
            "sequential scans of homes and their members",
            _count_scans(store, actors, villages),
            0,
        ),
    ]
    return compare(
        f"the homes of {len(villages)} villages, up to {_PAGE} of each, as {role}",
        Side(lambda _: _list(store, actors, villages), lambda: None),
        "the same function, no rules",
        Side(lambda _: _list(unruled, office, villages), lambda: None),
        agree=lambda ours, theirs: ours == theirs,
        target=0.7,
        limits=limits,
    )


def _count_scans(store: Store, actors: Sequence[Actor], villages: Sequence[int]) -> int:
    """Count how often a large table was read whole, inside the transactions that did."""
    query = sa.text(
        "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables"
        " WHERE relname IN ('household', 'membership')"
    )
    scans = 0
    for actor, village in zip(actors, villages, strict=True):
        with store.transaction(actor) as connection:
            before = connection.scalar(query) or 0
            people.list_households(connection, actor, grid_id=village, limit=_PAGE)
            scans += int((connection.scalar(query) or 0) - before)
    return scans


def _near(store: Store, unruled: Store) -> Row:
    with unruled.transaction(SYSTEM) as connection:
        places = sa.text(
            "SELECT ST_X(point), ST_Y(point) FROM building ORDER BY building_id % 1009, building_id"
            " LIMIT :places"
        )
        centres = connection.execute(places, {"places": _PLACES}).all()
    wide, high = _NEAR_DEGREES
    boxes = [(lon - wide, lat - high, lon + wide, lat + high) for lon, lat in centres]
    tags = standard_book().arrival.care_tags.value
    dispatcher = _actor(store, "dispatcher")

    def ask(asked: Store, actor: Actor) -> Answers:
        answers = []
        for box in boxes:
            with asked.transaction(actor) as connection:
                found = (
                    queries.read_hazards_in_box(connection, actor, box),
                    queries.read_premises_in_box(connection, actor, box),
                    queries.read_households_in_box(connection, actor, box, tags),
                )
            answers += [sorted(row.id for row in rows) for rows in found]
        return answers

    return compare(
        f"hazards, premises and homes in need within 500 m of {len(boxes)} places, as dispatcher",
        Side(lambda _: ask(store, dispatcher), lambda: None),
        "the same by the index over points, no rules",
        Side(lambda _: ask(unruled, _OFFICE), _by_points, lambda given: given.stop()),
        agree=lambda ours, theirs: ours == theirs,
        target=0.5,
    )


def _by_points() -> Any:
    """Let the queries ask the spatial index, as they did before there were rules."""

    def is_in_box(table: sa.Table, box: queries.Box, care_tags: list[str] | None = None) -> Any:
        inside = queries._in_box(table.c.point, box)  # noqa: SLF001
        if care_tags is None:
            return inside
        tags = sa.cast(care_tags, sa.ARRAY(sa.Text))
        return inside & table.c.care_tags.op("&&", is_comparison=True)(tags)

    patched = patch.object(queries, "_is_in_box", is_in_box)
    patched.start()
    return patched


# --- people who sign in ---------------------------------------------------------------------------


def _make_people(store: Store) -> list[str]:
    """Make accounts whose owners have chosen a password."""
    logins = [f"bench.{number}" for number in range(AT_ONCE)]
    for login in logins:
        with store.transaction(SYSTEM) as connection:
            new = NewAccount(login, login, "analyst")
            token = make_link(connection, SYSTEM, make_account(connection, SYSTEM, new).actor_id)
        follow_link(store, token, _PASSWORD, None, Origin(), "")
    return logins


def _sign_in(port: int, logins: Sequence[str], line: Connection) -> None:
    """Let all of them sign in at once whenever the other end says so; it is told what they got."""
    asks = [
        Ask("/api/session", json.dumps({"login": login, "password": _PASSWORD}).encode())
        for login in logins
    ]
    client = Client(port)
    while line.recv():
        load = client.many(asks, len(asks))
        line.send((load.count(200, 200), load.seconds))


@contextmanager
def _signing_in(port: int, logins: Sequence[str]) -> Iterator[Connection]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_sign_in, args=(port, logins, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.send(False)  # noqa: FBT003
        process.join(20)
        process.kill()


def _sign_ins(context: Context) -> Row:
    store = context.fresh_database(SCRATCH, copy_of_county=True)
    logins = _make_people(store)
    data = context.folder / "guarded"
    data.mkdir()
    villages = _villages(Store(context.url("gis_admin", SCRATCH), pooled=False))
    cards = [Ask(f"/api/grids/{village}") for village in villages]
    url = store.url.render_as_string(hide_password=False)
    with serving(url, data) as served, _signing_in(served.port, logins) as line:
        served.wait_until_idle()
        client = Client(served.port)
        read = functools.partial(_read_cards, client, cards)
        read(_BATCH)  # unmeasured
        alone, beside, took = [], [], []
        signed_in = 0
        for _ in range(PAIRS):
            alone.append(percentile(read(_CARDS_ALONE), 0.95))
            line.send(True)  # noqa: FBT003
            times = []
            while not line.poll():
                times += read(_BATCH)
            beside.append(percentile(times, 0.95))
            number, seconds = line.recv()
            signed_in += number
            took.append(seconds)
    return row(
        f"a card's p95 while {AT_ONCE} people sign in at once",
        beside,
        "a card's p95 while nobody does",
        alone,
        equal=signed_in == AT_ONCE * PAIRS,
        target=0.5,
        limits=[
            Limit(f"all {AT_ONCE} are in, s", statistics.median(took)),
            Limit("not let in", AT_ONCE * PAIRS - signed_in, 0),
        ],
    )


def _read_cards(client: Client, cards: Sequence[Ask], number: int) -> list[float]:
    """Read cards one after the other; a refused one would be quick and is none."""
    asks = [cards[index % len(cards)] for index in range(number)]
    answers = client.each(asks)
    assert all(answer.status == 200 for answer in answers), {one.status for one in answers}
    return [answer.seconds for answer in answers]
