"""A whole coverage run beside pgRouting and SQL, and "what if" after moving one station.

Both sides start with the network loaded, ours in memory and the peer's in tables with its costs
and its index made, and end with the same figures: both standards, six populations, every kind of
facility and the rule over kinds, base grid to county. The peer may use temporary tables.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from psycopg2.extras import execute_values

from gis_service.access import SYSTEM
from gis_service.coverage.county.queries import read_county, read_network
from gis_service.coverage.measuring.measurement import measure_standard, prepare_setup
from gis_service.coverage.measuring.statistics import count_figures
from gis_service.coverage.network.graph import RoadNetwork, apply_profile
from gis_service.coverage.runs import runs
from gis_service.coverage.siting.what_if import MoveStation
from gis_service.coverage.siting.what_if_answers import answer_what_if, measure_county
from gis_service.coverage.standards.book import Standard, StandardBook, standard_book
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from scripts.benches.context import COUNTY, Context
from scripts.benches.framework import Limit, Row, compare, percentile, plain, told

ROWS: Final = ("run", "what-if")
STANDARDS: Final = ("service-15", "fire-20")
TARGET: Final = 20.0
WHAT_IF_S: Final = 0.3
MOVES: Final = 15
ORIGIN: Final = -1
"""A node of the peer's that is none of the network's."""
PLANE: Final = 990_106
"""The peer's plane in metres, by number: by its text PostGIS makes it anew for every point."""
_MINUTES: Final = ["median_minutes", "p90_minutes", "worst_minutes"]
_COUNTS: Final = ["n", "covered", "too_far", "unreachable", "off_network"]
_HUNDREDTH_OF_A_SECOND: Final = 0.01 / 60

_WHO: Final = """
    CREATE TEMPORARY TABLE who ON COMMIT DROP AS
    SELECT 'households' AS of, household_id AS id, base_grid_id, point, 1 AS weight FROM household
    UNION ALL SELECT 'people', household_id, base_grid_id, point, people FROM household
    UNION ALL SELECT 'care_households', household_id, base_grid_id, point, 1 FROM household
        WHERE cardinality(care_tags) > 0
    UNION ALL SELECT 'buildings', building_id, base_grid_id, point, 1 FROM building
    UNION ALL SELECT 'premises', premises_id, base_grid_id, point, 1 FROM premises
    UNION ALL SELECT 'hazards', hazard_id, base_grid_id, point, 1 FROM hazard
        WHERE status <> 'closed'
"""
_PLACE: Final = """
    CREATE TEMPORARY TABLE place ON COMMIT DROP AS
    SELECT row_number() OVER () AS place_id, point, ST_Transform(point, :plane) AS at
    FROM (SELECT DISTINCT point FROM who) AS points
"""
_STANDS: Final = """
    CREATE TEMPORARY TABLE stands ON COMMIT DROP AS
    SELECT who.of, coalesce(who.base_grid_id, -1) AS base_grid_id, place.place_id, who.weight
    FROM who JOIN place USING (point)
"""
_UP: Final = """
    CREATE TEMPORARY TABLE up ON COMMIT DROP AS
    WITH RECURSIVE climbing AS (
        SELECT grid_id AS base_grid_id, rank, grid_id, parent_grid_id FROM grid_state
        WHERE scheme_id = :scheme AND valid @> gis_today()
          AND rank = (SELECT max(rank) FROM grid_state WHERE scheme_id = :scheme)
        UNION ALL
        SELECT climbing.base_grid_id, above.rank, above.grid_id, above.parent_grid_id
        FROM climbing JOIN grid_state AS above
          ON above.grid_id = climbing.parent_grid_id AND above.valid @> gis_today()
    )
    SELECT base_grid_id, rank, grid_id FROM climbing
    UNION ALL SELECT DISTINCT base_grid_id, 0::smallint, 0::bigint FROM stands
"""
_SPOT: Final = """
    CREATE TEMPORARY TABLE {spot} ON COMMIT DROP AS
    SELECT {what}, met.edge, met.off_m, met.source, met.target, met.along, met.against,
           ST_LineLocatePoint(met.at, asked.at) AS fraction
    FROM {asked} AS asked
    LEFT JOIN LATERAL (
        SELECT * FROM (
            SELECT near.*, min(off_m) OVER () AS least_m FROM (
                SELECT edge, source, target, along, against, at, at <-> asked.at AS off_m
                FROM peer_door_{profile} ORDER BY at <-> asked.at LIMIT 8
            ) AS near
        ) AS ranked
        WHERE off_m <= :cap AND off_m <= least_m + 1e-6 ORDER BY edge LIMIT 1
    ) AS met ON true
"""
_SITE: Final = """
    CREATE TEMPORARY TABLE site ON COMMIT DROP AS
    SELECT facility_id, kind, coalesce(CASE WHEN :own THEN turnout_minutes END, :turnout) AS starts,
           ST_Transform(point, :plane) AS at
    FROM facility WHERE kind = ANY(:kinds)
"""
_ARC: Final = """
    CREATE TEMPORARY TABLE arc ON COMMIT DROP AS
    SELECT kind, target AS head, starts + off_m * :rate
           + (1 - fraction) * along AS cost FROM met_site WHERE along >= 0
    UNION ALL
    SELECT kind, source, starts + off_m * :rate + fraction * against
    FROM met_site WHERE against >= 0
"""
_REACHED: Final = """
    CREATE TEMPORARY TABLE reached ON COMMIT DROP AS
    SELECT kinds.kind, far.node, far.agg_cost
    FROM (SELECT DISTINCT kind FROM arc) AS kinds
    CROSS JOIN LATERAL pgr_drivingDistance(
        'SELECT edge AS id, source, target, along AS cost, against AS reverse_cost
         FROM peer_edge_{profile}
         UNION ALL SELECT 100000000 + row_number() OVER (), {origin}, head, cost, -1 FROM arc
         WHERE kind = ' || quote_literal(kinds.kind),
        {origin}, 1e9, directed => true
    ) AS far
"""
"""From one node that leads to all stations: many with equicost come too late at some nodes."""
_WAY: Final = """
    CREATE TEMPORARY TABLE way ON COMMIT DROP AS
    SELECT spot.place_id, kinds.kind,
           least(
               CASE WHEN spot.along >= 0
                    THEN coalesce(first.agg_cost, 'Infinity') + spot.fraction * spot.along
                    ELSE 'Infinity' END,
               CASE WHEN spot.against >= 0
                    THEN coalesce(last.agg_cost, 'Infinity') + (1 - spot.fraction) * spot.against
                    ELSE 'Infinity' END,
               coalesce(beside.minutes, 'Infinity')
           ) + coalesce(spot.off_m, 0) * :rate AS minutes,
           spot.edge IS NULL AS off_network
    FROM spot
    CROSS JOIN unnest(CAST(:kinds AS text[])) AS kinds (kind)
    LEFT JOIN reached AS first ON first.kind = kinds.kind AND first.node = spot.source
    LEFT JOIN reached AS last ON last.kind = kinds.kind AND last.node = spot.target
    LEFT JOIN LATERAL (
        SELECT min(site.starts + site.off_m * :rate + CASE
            WHEN spot.fraction >= site.fraction AND spot.along >= 0
                THEN (spot.fraction - site.fraction) * spot.along
            WHEN spot.fraction <= site.fraction AND spot.against >= 0
                THEN (site.fraction - spot.fraction) * spot.against
            ELSE 'Infinity' END) AS minutes
        FROM met_site AS site WHERE site.edge = spot.edge AND site.kind = kinds.kind
    ) AS beside ON true
"""
_RULE: Final = """
    INSERT INTO way
    SELECT place_id, '', (array_agg(minutes ORDER BY minutes))[:needed], bool_or(off_network)
    FROM way GROUP BY place_id
"""
_FIGURES: Final = """
    SELECT up.rank, up.grid_id, way.kind, stands.of,
           sum(stands.weight) AS n,
           coalesce(sum(stands.weight) FILTER (WHERE way.minutes <= :limit), 0) AS covered,
           coalesce(sum(stands.weight) FILTER (
               WHERE way.minutes > :limit AND way.minutes < 'Infinity'), 0) AS too_far,
           coalesce(sum(stands.weight) FILTER (
               WHERE way.minutes = 'Infinity' AND NOT way.off_network), 0) AS unreachable,
           coalesce(sum(stands.weight) FILTER (WHERE way.off_network), 0) AS off_network
    FROM stands
    JOIN way USING (place_id)
    JOIN up USING (base_grid_id)
    GROUP BY 1, 2, 3, 4
"""
_QUANTILES: Final = """
    SELECT up.rank, up.grid_id, way.kind, stands.of,
           percentile_cont(ARRAY[0.5, 0.9, 1.0]) WITHIN GROUP (ORDER BY way.minutes) AS minutes
    FROM stands
    CROSS JOIN LATERAL generate_series(1, stands.weight)
    JOIN way USING (place_id)
    JOIN up USING (base_grid_id)
    WHERE way.minutes < 'Infinity'
    GROUP BY 1, 2, 3, 4
"""
"""Every person stands in the line: ``percentile_cont`` knows no weights."""


@dataclass(frozen=True)
class Given:
    """What both sides start from."""

    store: Store
    book: StandardBook
    network: RoadNetwork
    scheme: int


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
        The whole run beside the peer, its writing, and what if.
    """
    store = context.county_store
    context.print_versions("pandas", "scipy")
    context.print_server_version(store)
    given = prepare_peer(context, store)
    rows = []
    if context.wants("run"):
        rows.append(whole_run(given))
        rows.append(writing(given))
    if context.wants("what-if"):
        rows.append(what_if(given))
    return rows


def prepare_peer(context: Context, store: Store) -> Given:
    """
    Load the network on both sides: arrays here; costs, doors and an index there.

    Parameters
    ----------
    context
        Its surroundings.
    store
        With the county.

    Returns
    -------
    Given
        For both sides.
    """
    book = standard_book()
    with store.transaction(SYSTEM) as connection:
        _, network = read_network(connection)
        scheme = connection.scalar(sa.text("SELECT scheme_id FROM grid_scheme WHERE is_base"))
    lon, lat = (round(float(np.median(axis)), 2) for axis in (network.lon, network.lat))
    plane = f"+proj=tmerc +lat_0={lat} +lon_0={lon} +k=1 +x_0=0 +y_0=0 +ellps=GRS80 +units=m"
    with closing(context.connect(COUNTY)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pgrouting")
        cursor.execute("DELETE FROM spatial_ref_sys WHERE srid = %s", (PLANE,))
        cursor.execute(
            "INSERT INTO spatial_ref_sys (srid, proj4text) VALUES (%s, %s)", (PLANE, plane)
        )
        cursor.execute("SELECT pgr_full_version()")
        context.say(f"pgRouting {cursor.fetchone()[0]}")
        for code in STANDARDS:
            _load_network(cursor, network, book, book.standard(code))
    context.say(f"{network.edge_count:,} edges, {network.node_count:,} nodes")
    return Given(store, book, network, int(scheme or 0))


def _load_network(
    cursor: Any, network: RoadNetwork, book: StandardBook, standard: Standard
) -> None:
    """Write what the profile may use, in the direction in which the standard is run."""
    name = standard.profile
    profiled = apply_profile(network, book.profiles[name], book.scenario("normal"), book.place)
    run_on = profiled.reversed() if standard.direction == "to_facility" else profiled
    roads = run_on.network
    cursor.execute(f"DROP TABLE IF EXISTS peer_edge_{name}, peer_door_{name}")
    cursor.execute(
        f"CREATE TABLE peer_edge_{name} (edge bigint, source bigint, target bigint,"
        " along float8, against float8, door boolean, line geometry)"
    )
    along, against = (
        np.where(np.isfinite(minutes), minutes, -1.0)
        for minutes in (run_on.minutes_along, run_on.minutes_against)
    )
    rows = zip(
        range(roads.edge_count),
        roads.source.tolist(),
        roads.target.tolist(),
        along.tolist(),
        against.tolist(),
        run_on.snappable.tolist(),
        shapely.to_wkb(roads.geometry, hex=True).tolist(),
        strict=True,
    )
    execute_values(cursor, f"INSERT INTO peer_edge_{name} VALUES %s", list(rows), page_size=2000)  # noqa: S608
    cursor.execute(f"DELETE FROM peer_edge_{name} WHERE along < 0 AND against < 0 AND NOT door")  # noqa: S608
    cursor.execute(
        f"CREATE TABLE peer_door_{name} AS SELECT edge, source, target, along, against,"  # noqa: S608
        f" ST_Transform(ST_SetSRID(line, 4490), %s) AS at"
        f" FROM peer_edge_{name} WHERE door",
        (PLANE,),
    )
    cursor.execute(f"ALTER TABLE peer_edge_{name} DROP COLUMN line")
    cursor.execute(f"CREATE INDEX ON peer_door_{name} USING gist (at)")
    for table in (f"peer_edge_{name}", f"peer_door_{name}"):
        cursor.execute(f"GRANT SELECT ON {table} TO PUBLIC")
        cursor.execute(f"VACUUM (ANALYZE) {table}")


# --- the whole run ------------------------------------------------------------------------------


def whole_run(given: Given) -> Row:
    """
    Measure both standards to figures in memory.

    Parameters
    ----------
    given
        The network, loaded.

    Returns
    -------
    Row
        Ours beside pgRouting and SQL.
    """
    return compare(
        "whole run: both standards, six populations, four levels, to figures in memory",
        plain(lambda: ours(given)),
        "pgRouting (from all stations at once) and SQL, temporary tables",
        plain(lambda: theirs(given)),
        agree=agree,
        target=TARGET,
        pairs=3,
    )


def ours(given: Given) -> dict[str, pd.DataFrame]:
    """
    Read who stands where, and measure and count as a run does.

    Parameters
    ----------
    given
        The network, loaded.

    Returns
    -------
    dict
        The table of figures by standard.
    """
    with given.store.transaction(SYSTEM) as connection:
        county = read_county(connection, SYSTEM)
    places, answer = county.places, {}
    for code in STANDARDS:
        standard, scenario = given.book.standard(code), given.book.scenario("normal")
        setup = prepare_setup(given.network, given.book, standard, scenario, places.lon, places.lat)
        measured = measure_standard(setup, given.book, standard, county.facilities)
        answer[code] = count_figures(
            county.hierarchy, places.base_grid, measured.list_outcomes(), places.weights
        )
    return answer


def theirs(given: Given) -> dict[str, pd.DataFrame]:
    """
    Ask the database for the same figures.

    Parameters
    ----------
    given
        Its tables are made.

    Returns
    -------
    dict
        The table of figures by standard.
    """
    answer = {}
    with given.store.transaction(SYSTEM) as connection:

        def do(statement: str, values: Mapping[str, Any] | None = None) -> Any:
            return connection.execute(sa.text(statement), values or {})

        plane = {"plane": PLANE}
        do(_WHO)
        do(_PLACE, plane)
        do("ANALYZE who")
        do("ANALYZE place")
        do(_STANDS)
        do(_UP, {"scheme": given.scheme})
        do("ANALYZE stands")
        do("ANALYZE up")
        for code in STANDARDS:
            standard, rules = given.book.standard(code), given.book.place
            cap = {"cap": rules.snap_cap_m.value}
            rate = {"rate": rules.off_road_minutes_per_m}
            kinds = {"kinds": list(standard.kinds)}
            name = standard.profile
            do(_SPOT.format(spot="spot", what="place_id", asked="place", profile=name), cap)
            own = {"own": standard.direction == "from_facility"}
            starts = {"turnout": standard.turnout_minutes.value + standard.fixed_minutes}
            do(_SITE, {**plane, **kinds, **own, **starts})
            what = "asked.facility_id, asked.kind, asked.starts"
            do(_SPOT.format(spot="met_site", what=what, asked="site", profile=name), cap)
            do("CREATE INDEX ON met_site (edge)")
            do(_ARC, rate)
            do(_REACHED.format(profile=name, origin=ORIGIN))
            do("ANALYZE spot")
            do("ANALYZE met_site")
            do("ANALYZE reached")
            do(_WAY, {**rate, **kinds})
            do(_RULE, {"needed": standard.kinds_needed})
            do("ANALYZE way")
            counted = do(_FIGURES, {"limit": standard.limit_minutes.value})
            table = pd.DataFrame(counted.all(), columns=list(counted.keys()))
            timed = do(_QUANTILES)
            rows = [(*row[:4], *row.minutes) for row in timed]
            quantiles = pd.DataFrame(rows, columns=["rank", "grid_id", "kind", "of", *_MINUTES])
            answer[code] = table.merge(quantiles, how="left", on=["rank", "grid_id", "kind", "of"])
            for table_name in ("spot", "site", "met_site", "arc", "reached", "way"):
                do(f"DROP TABLE {table_name}")
    return answer


def agree(first: Mapping[str, pd.DataFrame], second: Mapping[str, pd.DataFrame]) -> bool:
    """
    Compare all figures: counts exactly, minutes to a hundredth of a second.

    Parameters
    ----------
    first, other
        By standard.

    Returns
    -------
    bool
        Whether every row that counts anybody agrees.
    """
    return all(_same(first[code], second[code]) for code in STANDARDS)


def _same(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    keys = ["rank", "grid_id", "kind", "of"]
    ours, theirs = (
        table[table["n"] > 0]
        .astype({"kind": str, "of": str})
        .set_index(keys)[_COUNTS + _MINUTES]
        .astype(float)
        .sort_index()
        for table in (first, second)
    )
    if not ours.index.equals(theirs.index):
        return False
    near = np.isclose(
        ours[_MINUTES], theirs[_MINUTES], rtol=0, atol=_HUNDREDTH_OF_A_SECOND, equal_nan=True
    )
    return bool((ours[_COUNTS] == theirs[_COUNTS]).all(axis=None) and near.all())


def writing(given: Given) -> Row:
    """
    Tell what storing the runs takes beside measuring them.

    Parameters
    ----------
    given
        The store.

    Returns
    -------
    Row
        Seconds of both runs, and those of their writing.
    """
    whole, written = 0.0, 0.0
    for code in STANDARDS:
        marks: dict[str, float] = {}
        began = time.perf_counter()
        runs.measure(
            given.store,
            SYSTEM,
            code,
            progress=lambda _share, step, marks=marks: marks.setdefault(  # type: ignore[misc]
                step, time.perf_counter()
            ),
        )
        ended = time.perf_counter()
        whole += ended - began
        written += ended - marks["coverage.step_writing"]
    return told(
        "both runs stored, network read from the store",
        [Limit("both runs, s", whole), Limit("of it writing, s", written)],
    )


# --- what if ------------------------------------------------------------------------------------


def what_if(given: Given) -> Row:
    """
    Move one station after another, each to the county's figures, by town and by changed grid.

    Parameters
    ----------
    given
        The store.

    Returns
    -------
    Row
        Seconds by standard; the answers are compared with measuring from the roads on.
    """
    limits, equal = [], True
    for code in STANDARDS:
        snapshot = Snapshot()
        dice = np.random.default_rng(5)
        seconds = []
        with given.store.transaction(SYSTEM) as connection:
            question = (snapshot, connection, SYSTEM, code, "normal")
            prepared = measure_county(*question, given.book).prepared
            stations = prepared.facilities
            named = np.flatnonzero(np.isin(stations.kind, prepared.standard.kinds))
            for _ in range(MOVES):
                moved = int(dice.choice(named))
                change = MoveStation(
                    int(stations.facility_id[moved]),
                    float(stations.lon[moved] + dice.uniform(-0.03, 0.03)),
                    float(stations.lat[moved] + dice.uniform(-0.03, 0.03)),
                )
                began = time.perf_counter()
                answer = answer_what_if(*question, [change], given.book)
                seconds.append(time.perf_counter() - began)
        setup = prepare_setup(
            given.network,
            given.book,
            prepared.standard,
            prepared.scenario,
            prepared.places.lon,
            prepared.places.lat,
        )
        again = measure_standard(setup, given.book, prepared.standard, answer.what_if.facilities)
        equal &= np.array_equal(again.minutes, answer.what_if.measured.minutes)
        limits += [
            Limit(f"{code}: median, s", percentile(seconds, 0.5), WHAT_IF_S),
            Limit(f"{code}: slowest of {MOVES}, s", max(seconds)),
        ]
    return told("what if one station moved, to all figures", limits, equal=equal)
