"""The example files can be fetched from the running service, and nothing else can."""

import pytest
from fastapi.testclient import TestClient

from gis_service.ingest.importing import list_kinds


def test_every_kind_of_file_has_an_example_to_download(client: TestClient) -> None:
    listed = client.get("/api/examples").json()
    assert set(listed) == set(list_kinds())
    for address in listed.values():
        answer = client.get(address)
        assert answer.status_code == 200
        assert "attachment" in answer.headers["content-disposition"]
        assert answer.text.strip()


@pytest.mark.parametrize("name", ["operator.md", "..%2Foperator.md", "nothing.csv", "%2e%2e"])
def test_no_other_file_is_given(client: TestClient, name: str) -> None:
    assert client.get(f"/api/examples/{name}").status_code == 404
