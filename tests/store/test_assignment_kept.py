"""What the database itself refuses in the history of assignments."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gis_service.boundaries.plans import Published
from gis_service.grids import assignment
from gis_service.store import tables as t
from gis_service.store.engine import Store
from tests.support import SIDE, SOUTH, WEST, add_buildings, publish_nine

NEVER = 999_999_999


@pytest.fixture
def connection(store: Store) -> Iterator[sa.Connection]:
    """A transaction that is thrown away."""
    with store.engine.connect() as connection:
        yield connection


@pytest.fixture
def county(connection: sa.Connection) -> Published:
    published = publish_nine(connection)
    add_buildings(connection, [(WEST + SIDE / 2, SOUTH + SIDE / 2)])
    assignment.assign_new(connection)
    return published


def insert(connection: sa.Connection, days: str, grid_id: int) -> None:
    row = connection.execute(sa.select(t.assignment).limit(1)).mappings().one()
    values = {**row, "valid": sa.cast(days, t.assignment.c.valid.type), "grid_id": grid_id}
    del values["since"]
    connection.execute(sa.insert(t.assignment).values(values))


def test_an_assignment_to_a_grid_that_is_not_there_is_refused(
    connection: sa.Connection, county: Published
) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="which is not there"):
        insert(connection, "[2001-01-01,2002-01-01)", NEVER)


def test_an_assignment_to_a_grid_of_another_scheme_is_refused(
    connection: sa.Connection, county: Published
) -> None:
    scheme = connection.execute(
        sa.insert(t.grid_scheme)
        .values(code="other", name="另一套", name_en="Other", code_layout=[6], size_rule={})
        .returning(t.grid_scheme.c.scheme_id)
    ).scalar_one()
    connection.execute(
        sa.insert(t.grid_level).values(scheme_id=scheme, rank=1, label="格", label_en="Cell")
    )
    foreign = connection.execute(
        sa.insert(t.grid)
        .values(scheme_id=scheme, rank=1, kind="ordinary")
        .returning(t.grid.c.grid_id)
    ).scalar_one()
    with pytest.raises(sa.exc.IntegrityError, match="which is not there"):
        insert(connection, "[2001-01-01,2002-01-01)", foreign)


def test_two_assignments_of_an_object_never_hold_on_one_day(
    connection: sa.Connection, county: Published
) -> None:
    grid_id = county.grid_ids["g11"]
    insert(connection, "[2001-01-01,2002-01-01)", grid_id)
    with pytest.raises(sa.exc.IntegrityError, match="on one day"):
        insert(connection, "[2001-12-31,2002-06-01)", grid_id)


def test_a_grid_with_objects_cannot_be_deleted(
    connection: sa.Connection, county: Published
) -> None:
    held = connection.execute(
        sa.insert(t.grid)
        .values(scheme_id=county.version.scheme_id, rank=3, kind="ordinary")
        .returning(t.grid.c.grid_id)
    ).scalar_one()
    insert(connection, "[2001-01-01,2002-01-01)", held)
    with pytest.raises(sa.exc.IntegrityError, match="assigned to a grid that is deleted"):
        connection.execute(sa.delete(t.grid).where(t.grid.c.grid_id == held))
