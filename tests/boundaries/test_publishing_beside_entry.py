"""Somebody enters a house while a version is published: it is placed by the new one."""

import threading
import time

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.grids import assignment
from gis_service.grids.versions import today
from gis_service.store import Store
from gis_service.store import tables as t
from tests.boundaries.test_publishing import merge, publish
from tests.support import SIDE, SOUTH, WEST, add_buildings, publish_nine


def test_who_places_a_house_waits_for_the_publication(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        named = publish_nine(connection).grid_ids
    entered: list[int] = []

    def enter() -> None:
        with store.transaction(SYSTEM) as connection:
            add_buildings(connection, [(WEST + 1.5 * SIDE, SOUTH + 1.5 * SIDE)])
            number = connection.execute(sa.select(t.building.c.building_id)).scalar_one()
            assignment.place_again(connection, "building", [number])
            entered.append(number)

    thread = threading.Thread(target=enter)
    with store.transaction(SYSTEM) as connection:
        publish(connection, [merge(named, "g11", "g12")], today(connection))
        thread.start()
        waiting = sa.text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with store.engine.connect() as other:
            while not other.scalar(waiting):
                assert thread.is_alive()
                other.rollback()
                time.sleep(0.01)
    thread.join(30)
    a = t.assignment.c
    with store.transaction(SYSTEM) as connection:
        rows = connection.execute(
            sa.select(a.grid_id)
            .where(a.object_kind == "building", a.object_id == entered[0])
            .order_by(a.valid)
        ).scalars()
        assert list(rows) == [named["g11"], named["g12"]]
