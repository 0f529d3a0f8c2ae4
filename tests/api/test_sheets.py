"""Sheets over HTTP: the form asked for, as far as the reader sees."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import SmallCounty

BEGINS = {"pdf": b"%PDF-", "png": b"\x89PNG", "html": b"<!DOCTYPE html>"}


@pytest.mark.parametrize(
    ("form", "media"),
    [("pdf", "application/pdf"), ("png", "image/png"), ("html", "text/html; charset=utf-8")],
)
def test_a_sheet_comes_in_the_form_asked_for(
    client: TestClient, small_county: SmallCounty, form: str, media: str
) -> None:
    answer = client.get(f"/api/grids/{small_county.grid_ids['g11']}/sheet?format={form}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media
    assert answer.content.startswith(BEGINS[form])
    assert f".{form}" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_reader_finds_on_it_what_he_may_see(
    client: TestClient, small_county: SmallCounty, as_actor: Callable[[str], dict[str, str]]
) -> None:
    address = f"/api/grids/{small_county.grid_ids['g11']}/sheet?format=html&lang=en"
    office = client.get(address, headers=as_actor("county_office")).text
    visitor = client.get(address, headers=as_actor("visitor")).text
    assert "孙三" in office
    assert "孙三" not in visitor
    assert "Officers are not shown" in visitor


@pytest.mark.parametrize(
    ("query", "status"),
    [("format=docx", 422), ("paper=A0", 422), ("at=yesterday", 422), ("at=1990-01-01", 404)],
)
def test_what_cannot_be_printed_is_told(
    client: TestClient, small_county: SmallCounty, query: str, status: int
) -> None:
    answer = client.get(f"/api/grids/{small_county.grid_ids['g11']}/sheet?{query}")
    assert answer.status_code == status


def test_a_grid_that_is_not_there_is_not_printed(client: TestClient) -> None:
    assert client.get("/api/grids/999999/sheet").status_code == 404
