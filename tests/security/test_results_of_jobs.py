"""What a job wrote is looked at again with the rights that its reader has on that day."""

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.access.permissions import JOB_RESULTS
from gis_service.jobs import _WORKS
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty


def test_every_kind_of_job_names_the_right_to_its_result(client: TestClient) -> None:
    del client  # by then every room has registered its work
    ours = {kind for kind, work in _WORKS.items() if work.__module__.startswith("gis_service.")}
    assert set(JOB_RESULTS) == ours


@pytest.fixture
def planner(store: Store, small_county: SmallCounty) -> Iterator[int]:
    """A demo actor whose role and areas change; gone at the end."""
    del small_county
    with store.transaction(SYSTEM) as connection:
        row = {"name": "规划", "name_en": "P", "role": "planner", "is_demo": True}
        new = sa.insert(t.actor).values(row).returning(t.actor.c.actor_id)
        actor_id = connection.execute(new).scalar_one()
    yield actor_id
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.job).where(t.job.c.actor_id == actor_id))
        connection.execute(sa.delete(t.actor).where(t.actor.c.actor_id == actor_id))


@pytest.fixture
def job_ids(store: Store, planner: int) -> dict[str, int]:
    """A job of each kind that the planner has had done."""
    with store.transaction(SYSTEM) as connection:
        return {
            kind: connection.execute(
                sa.insert(t.job)
                .values(
                    kind=kind, status="done", actor_id=planner, arguments={}, progress=1,
                    finished_at=sa.func.now(), result={"run_id": 1, "secret": "东街12号"},
                )
                .returning(t.job.c.job_id)
            ).scalar_one()
            for kind in JOB_RESULTS
        }  # fmt: skip


@pytest.mark.parametrize(
    "now",
    [
        {"role": "visitor", "areas": None},
        {"role": "auditor", "areas": None},
        {"role": "planner", "areas": "own"},
    ],
    ids=["visitor", "auditor", "planner of one grid"],
)
@pytest.mark.parametrize("kind", JOB_RESULTS)
def test_who_lost_the_right_has_lost_the_result(
    client: TestClient,
    store: Store,
    small_county: SmallCounty,
    planner: int,
    job_ids: dict[str, int],
    kind: str,
    now: dict[str, object],
) -> None:
    headers = {"X-Gis-Actor": str(planner)}
    doors = ("jobs", "imports/jobs", "coverage/sites", "reports/coverage/files")
    paths = [f"/api/{door}/{job_ids[kind]}" for door in doors]
    assert client.get(paths[0], headers=headers).json()["result"]["secret"] == "东街12号"
    values = dict(now, areas=[small_county.grid_ids["g00"]] if now["areas"] else None)
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.actor).where(t.actor.c.actor_id == planner).values(values))
    while any(job["job_id"] == job_ids[kind] for job in _list_jobs(client, headers)):
        time.sleep(0.1)  # who asks is kept for a second
    for path in paths:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 404, path
        assert "东街" not in answer.text


def _list_jobs(client: TestClient, headers: dict[str, str]) -> list[dict[str, object]]:
    items: list[dict[str, object]] = client.get("/api/jobs", headers=headers).json()["items"]
    return items
