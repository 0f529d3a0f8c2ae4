"""The serving locator follows what is published."""

import time

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.publication.grid_table import publish_table as publish
from gis_service.grids.answers.answering import AnswerService
from gis_service.grids.versions import today
from gis_service.snapshot import Snapshot
from gis_service.store.engine import Store
from tests.support import SIDE, SOUTH, WEST, nine, publish_nine


def test_a_publication_is_noticed_within_a_second(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        first = publish_nine(connection)
    service = AnswerService(store, Snapshot())
    before = service.current(SYSTEM, "base")
    assert before.version.version_id == first.version.version_id
    assert service.current(SYSTEM, "base") is before
    with store.transaction(SYSTEM) as connection:
        tessellation, drafts = nine()
        second = publish(
            connection, SYSTEM, "base", tessellation, drafts.assign(name="新"),
            today(connection), "第二版", known=first.grid_ids,
        )  # fmt: skip
    time.sleep(1.05)
    after = service.current(SYSTEM, "base")
    assert after.version.version_id == second.version.version_id
    middle = WEST + SIDE / 2, SOUTH + SIDE / 2
    with store.transaction(SYSTEM) as connection:
        in_store = connection.execute(
            sa.select(sa.func.gis_grid_at(sa.func.ST_SetSRID(sa.func.ST_MakePoint(*middle), 4490)))
        ).scalar_one()
    assert after.locator is not None
    assert after.locator.locate(*middle).grid_id.tolist() == [in_store]
