"""What the database itself refuses in the history of assignments."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gis_service.boundaries.publication.publishing import Published
from gis_service.grids import assignment
from gis_service.store import tables as t
from gis_service.store.engine import Store
from tests.support import SIDE, SOUTH, WEST, add_buildings, publish_nine, thrown_away

NEVER = 999_999_999


@pytest.fixture
def connection(store: Store) -> Iterator[sa.Connection]:
    """A transaction that is thrown away."""
    with thrown_away(store) as connection:
        yield connection


@pytest.fixture
def county(connection: sa.Connection) -> Published:
    published = publish_nine(connection)
    add_buildings(connection, [(WEST + SIDE / 2, SOUTH + SIDE / 2)])
    assignment.assign_new(connection)
    return published


def insert(connection: sa.Connection, days: str, cohort_id: int) -> None:
    row = connection.execute(sa.select(t.membership).limit(1)).mappings().one()
    values = {**row, "valid": sa.cast(days, t.membership.c.valid.type), "cohort_id": cohort_id}
    del values["since"]
    connection.execute(sa.insert(t.membership).values(values))


def test_an_assignment_to_a_cohort_that_is_not_there_is_refused(
    connection: sa.Connection, county: Published
) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="which is not there"):
        insert(connection, "[2001-01-01,2002-01-01)", NEVER)


def test_an_assignment_to_a_cohort_of_another_scheme_is_refused(
    connection: sa.Connection, county: Published
) -> None:
    scheme = connection.execute(
        sa.insert(t.grid_scheme)
        .values(code="other", name="另一套", name_en="Other", code_layout=[6], size_rule={})
        .returning(t.grid_scheme.c.scheme_id)
    ).scalar_one()
    foreign = connection.execute(
        sa.insert(t.cohort).values(scheme_id=scheme).returning(t.cohort.c.cohort_id)
    ).scalar_one()
    with pytest.raises(sa.exc.IntegrityError, match="which is not there"):
        insert(connection, "[2001-01-01,2002-01-01)", foreign)


def test_two_assignments_of_an_object_never_hold_on_one_day(
    connection: sa.Connection, county: Published
) -> None:
    cohort_id = connection.scalar(sa.select(t.cohort.c.cohort_id))
    assert cohort_id is not None
    insert(connection, "[2001-01-01,2002-01-01)", cohort_id)
    with pytest.raises(sa.exc.IntegrityError, match="on one day"):
        insert(connection, "[2001-12-31,2002-06-01)", cohort_id)


def test_a_cohort_is_never_in_two_grids_on_one_day(
    connection: sa.Connection, county: Published
) -> None:
    of = connection.execute(sa.select(t.cohort_grid)).mappings().first()
    assert of is not None
    with pytest.raises(sa.exc.IntegrityError, match="ex_cohort_grid_cohort_valid"):
        connection.execute(
            sa.insert(t.cohort_grid).values(
                {**of, "valid": sa.cast("[2001-01-01,2002-01-01)", t.cohort_grid.c.valid.type)}
            )
        )


def _new_grid(connection: sa.Connection, county: Published) -> int:
    """A grid without a code, so that nothing else keeps it."""
    made: int = connection.execute(
        sa.insert(t.grid)
        .values(scheme_id=county.version.scheme_id, rank=3, kind="ordinary")
        .returning(t.grid.c.grid_id)
    ).scalar_one()
    return made


def test_a_grid_with_objects_cannot_be_deleted(
    connection: sa.Connection, county: Published
) -> None:
    held = _new_grid(connection, county)
    connection.execute(sa.update(t.cohort_grid).values(grid_id=held))
    with pytest.raises(sa.exc.IntegrityError, match="cohort_grid"):
        connection.execute(sa.delete(t.grid).where(t.grid.c.grid_id == held))


def test_a_grid_that_is_the_nearest_of_objects_cannot_be_deleted(
    connection: sa.Connection, county: Published
) -> None:
    near = _new_grid(connection, county)
    outside = {"cohort_id": None, "method": "outside", "nearest_grid_id": near, "distance_m": 1.0}
    connection.execute(sa.update(t.membership).values(outside))
    with pytest.raises(sa.exc.IntegrityError, match="assigned to a grid that is deleted"):
        connection.execute(sa.delete(t.grid).where(t.grid.c.grid_id == near))
