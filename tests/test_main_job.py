"""What the main job does by the calendar."""

import sqlalchemy as sa

from gis_service import due
from gis_service.access import SYSTEM
from gis_service.coverage.standards.book import standard_book
from gis_service.store import tables as t
from gis_service.store.engine import Store
from tests.support import publish_nine


def submitted(store: Store) -> list[str]:
    with store.transaction(SYSTEM) as connection:
        rows = connection.execute(sa.select(t.job.c.arguments).order_by(t.job.c.job_id)).scalars()
        return [arguments["standard"] for arguments in rows]


def in_main_job() -> list[str]:
    return [code for code, one in standard_book().standards.items() if one.in_main_job]


def test_boundaries_that_take_over_are_measured_once(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        publish_nine(connection)
        connection.execute(sa.update(t.grid_version).values(applied_at=None))
    due.apply_what_is_due(store)
    assert len(in_main_job()) >= 2
    assert submitted(store) == in_main_job()
    due.apply_what_is_due(store)
    assert submitted(store) == in_main_job()
