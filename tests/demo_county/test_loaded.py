"""The demo county from its files to its figures: loaded as scripts/run loads it, then measured."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service import main_job
from gis_service.access import SYSTEM, Actor
from gis_service.access.actor import list_demo_actors
from gis_service.api.app import create_app
from gis_service.coverage.runs import runs
from gis_service.entry.reading import list_records
from gis_service.grids.answers import people, tallies
from gis_service.grids.reading import find_scheme
from gis_service.grids.versions import read_versions
from gis_service.ingest.readers.frames import CountyFrames
from gis_service.maps.sheets import sheet
from gis_service.snapshot import Snapshot
from gis_service.store import tables as t
from gis_service.store.engine import Store
from scripts.load_demo_county import load
from tests.api.conftest import TestClient
from tests.demo_county.plans import find_whole_reads, recording


@pytest.fixture(scope="module")
def loaded(store: Store, county: CountyFrames) -> Store:
    assert load(store, lambda _boundaries: county)
    return store


@pytest.fixture(scope="module")
def result(loaded: Store, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    file = tmp_path_factory.mktemp("map") / "map.html"
    return main_job.main_job(loaded, file, lambda _line: None)


def test_the_levels_are_those_of_the_county(result: Mapping[str, Any]) -> None:
    assert result["grids"] == {"top": 15, "middle": 138, "base": 1094}


def test_every_household_has_its_grid(result: Mapping[str, Any]) -> None:
    assert 195_000 <= result["households"] <= 205_000
    assert result["assigned_share"] == 1.0


@pytest.mark.parametrize("standard", ["service-15", "fire-20"])
def test_figures_add_up_and_are_neither_none_nor_all(
    result: Mapping[str, Any], standard: str
) -> None:
    figures = result["coverage"][standard]
    assert figures["of"] == "households"
    for one in (figures, *figures["kinds"].values()):
        parts = [one[name] for name in ("covered", "too_far", "unreachable", "off_network")]
        assert sum(parts) == one["n"] == result["households"]
        assert one["share"] == one["covered"] / one["n"]
    assert 0 < figures["share"] < 1


def test_every_row_equals_the_rule_in_the_database(
    loaded: Store, result: Mapping[str, Any]
) -> None:
    """Polygon by polygon in PostGIS, the lowest id where several hold the point."""
    state, level = t.grid_state, t.grid_level
    with loaded.transaction(SYSTEM) as connection:
        scheme_id = read_versions(connection)[0].scheme_id
        lowest = sa.select(sa.func.max(level.c.rank)).where(level.c.scheme_id == scheme_id)
        for kind in ("building", "premises", "hazard", "incident"):
            table = t.metadata.tables[kind]
            identity = table.c[f"{kind}_id"]
            rule = (
                sa.select(identity.label("id"), sa.func.min(state.c.grid_id).label("grid_id"))
                .select_from(state)
                .join(table, sa.func.ST_Intersects(state.c.geom, table.c.point))
                .where(
                    state.c.scheme_id == scheme_id,
                    state.c.rank == lowest.scalar_subquery(),
                    state.c.valid.op("@>")(sa.func.gis_today()),
                )
                .group_by(identity)
                .subquery()
            )
            differing = connection.execute(
                sa.select(sa.func.count())
                .select_from(table.outerjoin(rule, rule.c.id == identity))
                .where(table.c.base_grid_id.is_distinct_from(rule.c.grid_id))
            ).scalar_one()
            assert differing == 0, kind
        follows = connection.execute(
            sa.select(sa.func.count())
            .select_from(t.household.join(t.building))
            .where(t.household.c.base_grid_id.is_distinct_from(t.building.c.base_grid_id))
        ).scalar_one()
        assert follows == 0


def test_the_redrawn_village_has_a_history(loaded: Store, result: Mapping[str, Any]) -> None:
    with loaded.transaction(SYSTEM) as connection:
        days = [version.effective_day for version in read_versions(connection)]
        assert [day.isoformat() for day in days] == ["2024-07-01", "2025-07-01"]
        moved = connection.execute(
            sa.select(sa.func.count())
            .select_from(t.assignment)
            .where(
                t.assignment.c.object_kind == "household",
                sa.func.upper(t.assignment.c.valid) == days[1],
            )
        ).scalar_one()
        assert moved > 50
        retired = connection.execute(sa.select(sa.func.count()).select_from(t.grid_successor))
        assert retired.scalar_one() == 2


def test_today_on_the_row_is_what_the_history_says(
    loaded: Store, result: Mapping[str, Any]
) -> None:
    with loaded.transaction(SYSTEM) as connection:
        base = sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.is_base)
        for kind in t.OBJECT_KINDS:
            table = t.metadata.tables[kind]
            held = connection.execute(
                sa.select(sa.func.count())
                .select_from(table)
                .join(
                    t.assignment,
                    (t.assignment.c.object_id == table.c[f"{kind}_id"])
                    & (t.assignment.c.object_kind == kind)
                    & (t.assignment.c.scheme_id == base.scalar_subquery())
                    & t.assignment.c.valid.op("@>")(sa.func.gis_today()),
                )
                .where(t.assignment.c.grid_id.is_not_distinct_from(table.c.base_grid_id))
            ).scalar_one()
            everything = connection.execute(sa.select(sa.func.count()).select_from(table))
            assert held == everything.scalar_one(), kind


def test_loading_again_keeps_what_is_there(loaded: Store) -> None:
    assert not load(loaded)


def test_the_map_is_one_file_that_links_nothing(result: Mapping[str, Any]) -> None:
    document = Path(result["map"]).read_text("utf-8")
    assert len(document) < 15_000_000
    assert "<script src=" not in document
    assert "<link" not in document


# --- what is asked all day ---------------------------------------------------------------------

GREAT = {"household", "building", "membership", "coverage_household", "coverage_figure"}
"""Tables that no question about one grid may go through whole."""


def _grids(connection: sa.Connection, scheme: str = "base") -> dict[int, int]:
    """One grid of each level, by rank; not the first, which may be a special one."""
    state, of = t.grid_state.c, t.grid_scheme.c
    rows = connection.execute(
        sa.select(state.rank, sa.func.array_agg(state.grid_id, type_=sa.ARRAY(sa.BigInteger)))
        .join(t.grid_scheme, of.scheme_id == state.scheme_id)
        .where(of.code == scheme, state.valid.op("@>")(sa.func.gis_today()))
        .group_by(state.rank)
    )
    return {rank: sorted(ids)[len(ids) // 2] for rank, ids in rows}


def _plainly_in(connection: sa.Connection, kind: str, grid_id: int) -> list[int]:
    """The objects of a grid by the plain words: those whose assignment of today is below it."""
    statement = """
        WITH RECURSIVE below (id) AS (
            SELECT CAST(:grid AS bigint) UNION ALL
            SELECT state.grid_id FROM grid_state AS state JOIN below ON parent_grid_id = id
            WHERE valid @> gis_today()
        ), today AS MATERIALIZED (
            SELECT object_id, grid_id FROM assignment
            WHERE object_kind = :kind AND valid @> gis_today()
        )
        SELECT object_id FROM today WHERE grid_id IN (SELECT id FROM below) ORDER BY object_id
    """
    return list(connection.scalars(sa.text(statement), {"kind": kind, "grid": grid_id}))


@pytest.fixture(scope="module")
def analysed(loaded: Store, result: Mapping[str, Any]) -> Store:
    """A bare ANALYZE would skip every table: the service's role owns none."""
    with loaded.transaction(SYSTEM) as connection:
        connection.execute(sa.select(sa.func.gis_analyze()))
    return loaded


@pytest.mark.parametrize("scheme", ["base", "fire"])
def test_homes_of_a_grid_are_those_assigned_to_it(analysed: Store, scheme: str) -> None:
    with analysed.transaction(SYSTEM) as connection:
        for grid_id in _grids(connection, scheme).values():
            expected = _plainly_in(connection, "household", grid_id)
            rows, total = people.list_households(
                connection, SYSTEM, grid_id=grid_id, limit=500, offset=20
            )
            assert total == len(expected) > 20
            assert [row.household_id for row in rows] == expected[20:520]


def test_an_officer_sees_the_homes_of_its_areas_only(analysed: Store) -> None:
    with analysed.transaction(SYSTEM) as connection:
        grids = _grids(connection)
        officer = Actor(9, "网格员", "Officer", "grid_officer", (grids[3],))
        own = _plainly_in(connection, "household", grids[3])
        everything = people.list_households(connection, officer, limit=500)
        assert [row.household_id for row in everything[0]] == own[:500]
        assert everything[1] == len(own)
        other = _plainly_in(connection, "household", grids[1])
        found = people.list_households(connection, officer, grid_id=grids[1], limit=500)
        assert [row.household_id for row in found[0]] == sorted(set(own) & set(other))[:500]


def test_the_counts_of_a_grid_are_those_of_what_is_assigned_to_it(analysed: Store) -> None:
    kept = Snapshot()
    with analysed.transaction(SYSTEM) as connection:
        scheme = find_scheme(connection, "base")
        for grid_id in _grids(connection).values():
            homes = _plainly_in(connection, "household", grid_id)
            people_in = sa.select(sa.func.sum(t.household.c.people)).where(
                t.household.c.household_id.in_(homes)
            )
            counted = tallies.count_grid(connection, SYSTEM, scheme, grid_id)
            assert counted.households == len(homes)
            assert counted.people == connection.scalar(people_in)
            assert counted.buildings == len(_plainly_in(connection, "building", grid_id))
            assert counted.premises == len(_plainly_in(connection, "premises", grid_id))
            assert tallies.count_grid(connection, SYSTEM, scheme, grid_id, None, kept) == counted


def test_kept_counts_follow_the_data(analysed: Store) -> None:
    kept = Snapshot()
    with analysed.transaction(SYSTEM) as connection:
        scheme, grid_id = find_scheme(connection, "base"), _grids(connection)[3]
        before = tallies.count_grid(connection, SYSTEM, scheme, grid_id, None, kept)
        home = _plainly_in(connection, "household", grid_id)[0]
        more = sa.update(t.household).values(people=t.household.c.people + 1)
        connection.execute(more.where(t.household.c.household_id == home))
        after = tallies.count_grid(connection, SYSTEM, scheme, grid_id, None, kept)
        connection.rollback()
    assert before.people is not None
    assert (after.people, after.households) == (before.people + 1, before.households)


def test_no_question_about_a_grid_goes_through_a_table_whole(analysed: Store) -> None:
    kept = Snapshot()
    with analysed.transaction(SYSTEM) as connection:
        grids = _grids(connection)
        run = runs.find_latest_run(connection, "fire-20")
        assert run is not None
        scheme = find_scheme(connection, "base")
        tallies.count_grid(connection, SYSTEM, scheme, grids[1], None, kept)  # kept from here on
        officer = Actor(9, "网格员", "Officer", "grid_officer", (grids[3],))
        questions: dict[str, Callable[[], object]] = {
            "homes": lambda: people.list_households(
                connection, SYSTEM, grid_id=grids[3], limit=500
            ),
            "a town's": lambda: people.list_households(
                connection, SYSTEM, grid_id=grids[1], limit=500
            ),
            "an officer's": lambda: people.list_households(connection, officer, limit=500),
            "card": lambda: sheet.read_grid_sheet(connection, SYSTEM, grids[3]),
            "a town's card": lambda: sheet.read_grid_sheet(
                connection, SYSTEM, grids[1], None, kept
            ),
            "a past card": lambda: sheet.read_grid_sheet(
                connection, SYSTEM, grids[3], date(2025, 8, 1)
            ),
            "entry": lambda: list_records(connection, SYSTEM, "household", grid_id=grids[3]),
            "houses": lambda: list_records(connection, SYSTEM, "building", grid_id=grids[3]),
            "unreached": lambda: runs.list_unreached(
                connection, SYSTEM, run.run_id, grid_id=grids[3], limit=50
            ),
            "stations": lambda: runs.list_serving_stations(
                connection, SYSTEM, run.run_id, grids[3]
            ),
            "rank": lambda: runs.find_grid_rank(connection, run.run_id, grids[3]),
        }
        whole = {name: _read_whole(connection, ask) & GREAT for name, ask in questions.items()}
    assert not {name: tables for name, tables in whole.items() if tables}


def _read_whole(connection: sa.Connection, ask: Callable[[], object]) -> set[str]:
    """Name the tables that PostgreSQL would go through for any of the statements."""
    ran: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        ran.append((statement, values))

    sa.event.listen(connection, "before_cursor_execute", note)
    ask()
    sa.event.remove(connection, "before_cursor_execute", note)
    assert ran
    found: set[str] = set()
    for statement, values in ran:
        explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
        steps = [explained.scalar_one()[0]["Plan"]]
        for step in steps:  # the list grows as it is read
            steps += step.get("Plans", [])
            if step["Node Type"] == "Seq Scan":
                found.add(step["Relation Name"])
    return found


# --- under rules by rows -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_actors(loaded: Store) -> dict[str, Actor]:
    with loaded.transaction(SYSTEM) as connection:
        return {actor.role: actor for actor in list_demo_actors(connection)}


@pytest.fixture(scope="module")
def page(loaded: Store, result: Mapping[str, Any]) -> Iterator[TestClient]:
    with TestClient(create_app(loaded), base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture(scope="module")
def somewhere(loaded: Store, demo_actors: dict[str, Actor]) -> dict[str, Any]:
    """The officer's grid, a place in it, one of its homes and incidents, and the newest run."""
    grid_id = (demo_actors["grid_officer"].areas or (0,))[0]
    state, home, incident = t.grid_state.c, t.household.c, t.incident.c
    with loaded.transaction(SYSTEM) as connection:
        lon, lat = connection.execute(
            sa.select(sa.func.ST_X(state.label_point), sa.func.ST_Y(state.label_point)).where(
                state.grid_id == grid_id, state.valid.op("@>")(sa.func.gis_today())
            )
        ).one()
        return {
            "grid": grid_id,
            "lon": lon,
            "lat": lat,
            "run": connection.scalar(sa.select(sa.func.max(t.coverage_run.c.run_id))),
            "home": connection.scalar(
                sa.select(home.household_id).where(home.base_grid_id == grid_id).limit(1)
            ),
            "incident": connection.scalar(
                sa.select(incident.incident_id).where(incident.base_grid_id == grid_id).limit(1)
            ),
        }


_NEAR = "lon={lon}&lat={lat}"
_OF_BOTH = (
    f"arrivals?{_NEAR}&radius_m=300",
    f"incidents/duplicates?kind=dispute&{_NEAR}",
    "incidents/{incident}",
    "incidents?status=open",
    "households?grid_id={grid}",
    "search?q=东街12号",
    "coverage/runs/{run}/unreached?grid_id={grid}",
    "coverage/runs/{run}/grids/{grid}",
    "coverage/runs/{run}/households/{home}",
)
_OF_AN_OFFICER = (
    "households",
    "overview",
    "grids/{grid}",
    "hazards?status=open",
    "layers/hazards",
    "layers/incidents",
    "layers/figures?scheme=base&rank=3&theme=households",
    "coverage/runs/{run}/unreached",
    "coverage/runs/{run}/blind-spots",
    "entry/household",
    "entry/household?near={lon},{lat}",
    "entry/hazard",
    "entry/officer",
)
"""Figures and lists of the whole county go through their tables: what all of it holds is asked."""


@pytest.mark.parametrize(
    ("role", "path"),
    [("dispatcher", path) for path in _OF_BOTH]
    + [("grid_officer", path) for path in (*_OF_BOTH, *_OF_AN_OFFICER)],
)
def test_no_read_of_a_part_goes_through_a_whole_table(
    loaded: Store, page: TestClient, demo_actors: dict[str, Actor], somewhere: dict[str, Any],
    role: str, path: str,
) -> None:  # fmt: skip
    actor = demo_actors[role]
    with recording(loaded) as statements:
        answer = page.get(
            f"/api/{path.format_map(somewhere)}", headers={"X-Gis-Actor": str(actor.actor_id)}
        )
    assert answer.status_code == 200
    assert statements
    assert find_whole_reads(loaded, actor, statements) == []


@pytest.mark.parametrize("role", ["dispatcher", "grid_officer"])
@pytest.mark.parametrize("table", [t.household, t.incident, t.hazard])
def test_a_box_without_numbers_would_be_found(
    loaded: Store, demo_actors: dict[str, Actor], somewhere: dict[str, Any],
    table: sa.Table, role: str,
) -> None:  # fmt: skip
    lon, lat = somewhere["lon"], somewhere["lat"]
    box = sa.func.ST_MakeEnvelope(lon - 1e-3, lat - 1e-3, lon + 1e-3, lat + 1e-3, t.SRID)
    careless = sa.select(sa.func.count()).where(table.c.point.op("&&")(box))
    with recording(loaded) as statements, loaded.transaction(demo_actors[role]) as connection:
        connection.execute(careless)
    (found,) = find_whole_reads(loaded, demo_actors[role], statements)
    assert found.startswith(f"{table.name}: ")
