"""Incidents that were there before their steps begin with one that says how they stood."""

from contextlib import closing

import sqlalchemy as sa
from alembic import command

from gis_service.store import migrate
from gis_service.store import tables as t
from gis_service.store.cluster import prepare_database
from gis_service.store.tables import INCIDENT_STATES
from tests.conftest import DatabaseServer


def test_every_incident_of_before_gets_its_first_step(database_server: DatabaseServer) -> None:
    name = database_server.create()
    with closing(database_server.connect(name)) as connection:
        prepare_database(connection)
    engine = sa.create_engine(database_server.url(None, name), poolclass=sa.pool.NullPool)
    try:
        with engine.begin() as connection:
            migrate._prepare(connection)
            config = migrate._make_config()
            config.attributes["connection"] = connection
            connection.execute(sa.text("SET LOCAL ROLE gis_owner"))
            command.upgrade(config, "0004")
            for state in INCIDENT_STATES:
                connection.execute(
                    sa.text(
                        "INSERT INTO incident (key, kind, status, reported_at, closed_at, point)"
                        " VALUES (:state, 'noise', :state, now(),"
                        " CASE WHEN :state = 'closed' THEN now() END,"
                        " ST_SetSRID(ST_MakePoint(112.9, 28.7), 4490))"
                    ),
                    {"state": state},
                )
            command.upgrade(config, "head")
            step, incident = t.incident_step.c, t.incident.c
            begun = connection.execute(
                sa.select(incident.status, incident.version, step.seq, step.move, step.to_state)
                .join(t.incident_step, step.incident_id == incident.incident_id)
                .order_by(incident.incident_id)
            ).all()
        assert [row.status for row in begun] == list(INCIDENT_STATES)
        assert all(row.to_state == row.status for row in begun)
        assert {(row.version, row.seq, row.move) for row in begun} == {(1, 1, "import")}
    finally:
        engine.dispose()
        database_server.drop(name)
