"""Whatever is sent, no documented GET breaks: 200, or a problem below 500."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ODD = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1", "3", "9" * 30, "1e400", "nan", "%", "_", "\\", "'", "\x00", "base"]
    ),
    st.sampled_from(
        ["2026-01-01", "0001-01-01", "9999-12-31", "112.9,28.7,113,28.8", "-inf,0,1,1"]
    ),
    st.sampled_from(
        ["open", "households", "fire-20", "service-15:clinic", "too_far", "low", "full"]
    ),
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
)


def gets(client: TestClient) -> list[tuple[str, list[dict[str, Any]]]]:
    described = client.get("/api/openapi.json").json()
    return [
        (path, methods["get"].get("parameters", []))
        for path, methods in described["paths"].items()
        if "get" in methods
    ]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_parameter_breaks_a_get(client: TestClient, data: st.DataObject) -> None:
    path, parameters = data.draw(st.sampled_from(gets(client)))
    query: dict[str, str] = {}
    for parameter in parameters:
        value = data.draw(ODD, label=parameter["name"])
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(value, safe="") or "0")
        elif parameter["in"] == "query" and data.draw(st.booleans()):
            query[parameter["name"]] = value
    answer = client.get(f"{path}?{urlencode(query)}")
    assert answer.status_code < 500, (path, query, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("offset", [10_000_000, 0])
def test_a_page_far_behind_the_last_is_empty_or_full(client: TestClient, offset: int) -> None:
    answer = client.get(f"/api/grids?offset={offset}").json()
    assert answer["total"] == 13
    assert len(answer["items"]) == (0 if offset else 13)
