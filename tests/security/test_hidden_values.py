"""A value that is hidden from somebody changes no answer to them, not by its length either."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.search.entries import refresh
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty
from tests.api.test_traces import asked, gets

ROLES = ("visitor", "analyst", "auditor")
MOVES = (
    "/health",
    "/api/record",
    "/api/record.csv",
    "/api/record/state",
    "/api/versions/{a}/compare/{b}.gpkg",
)
"""They tell when they were asked."""
HOUSEHOLD = {"head_name": "王大明", "phone": "13899995678"}
REPORTER = {"reporter_name": "张四", "reporter_phone": "13900004321"}
"""As long as what was there, and with the same signs where a mask leaves them."""

Told = dict[tuple[str, str], tuple[int, bytes]]


@pytest.fixture
def everything(
    client: TestClient, small_county: SmallCounty, as_actor: Callable[[str], dict[str, str]]
) -> Callable[[], Told]:
    """What every GET tells each role; tags of figures count changes, whatever the values are."""
    ids = {"grid_id": small_county.grid_ids["g11"], "a": 1, "b": 1, "run_id": 1}

    def ask() -> Told:
        told = {}
        for path, parameters in gets(client):
            for role in ROLES if path not in MOVES else ():
                answer = client.get(asked(path, parameters, 0, ids), headers=as_actor(role))
                told[path, role] = (answer.status_code, answer.content)
        return told

    return ask


def test_a_hidden_value_changes_no_answer(store: Store, everything: Callable[[], Told]) -> None:
    refresh(store)
    everything()  # what is kept for the next question
    before = everything()
    assert sum(status == 200 for status, _ in before.values()) > 80
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.household).values(HOUSEHOLD))
        connection.execute(sa.update(t.incident).values(REPORTER))
    refresh(store)
    after = everything()
    assert [key for key in before if before[key] != after[key]] == []
