"""The demo county from its files to its figures: loaded as scripts/run loads it, then measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service import main_job
from gis_service.access import SYSTEM
from gis_service.grids.versions import versions
from gis_service.ingest.frames import CountyFrames
from gis_service.store import tables as t
from gis_service.store.engine import Store
from scripts.load_demo_county import load


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
        scheme_id = versions(connection)[0].scheme_id
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
        days = [version.effective_day for version in versions(connection)]
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
