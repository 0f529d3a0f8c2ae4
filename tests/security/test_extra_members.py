"""Members that nobody asked for (mass assignment): no body takes one, at any depth."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.records import RECORDS, list_entered
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient
from tests.security.doors import app_without_data, fill

EXTRA = (
    "role", "actor_id", "areas", "base_grid_id", "version", "version_id", "is_demo", "id", "status",
    "author_id", "origin", "signed_in", "password_hash", "household_id", "__class__", "constructor",
)  # fmt: skip
DOCUMENT = app_without_data().openapi()


def bodies() -> dict[str, dict[str, Any]]:
    """Schema of every JSON body, by method and path."""
    found = {}
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                found[f"{method.upper()} {path}"] = content["application/json"]["schema"]
    return found


BODIES = bodies()


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def objects_in(schema: Any, seen: set[int]) -> Iterator[dict[str, Any]]:
    """Every object with named members that a body may hold."""
    if isinstance(schema, list):
        for one in schema:
            yield from objects_in(one, seen)
    if not isinstance(schema, dict):
        return
    schema = resolve(schema)
    if id(schema) in seen:
        return
    seen.add(id(schema))
    if "properties" in schema:
        yield schema
    for name, inside in schema.items():
        if name in {"properties", "$defs"}:
            yield from objects_in(list(inside.values()), seen)
        elif name not in {"example", "examples", "default"}:
            yield from objects_in(inside, seen)


def test_all_bodies_are_there() -> None:
    assert len(BODIES) > 25


@pytest.mark.parametrize("body", BODIES)
def test_no_object_of_a_body_is_open(body: str) -> None:
    for found in objects_in(BODIES[body], set()):
        if body == "POST /api/locate" and "lon" in found["properties"]:
            continue  # a place of thousands: what else it carries is neither read nor sent back
        assert found.get("additionalProperties") is False, found.get("title")


@pytest.mark.parametrize("body", BODIES)
def test_a_member_that_nobody_asked_for_is_named_and_refused(client: TestClient, body: str) -> None:
    method, _, path = body.partition(" ")
    known = resolve(BODIES[body])["properties"]
    for name in (one for one in EXTRA if one not in known):
        answer = client.request(method, fill(path, {}), json={name: 1})
        assert answer.status_code == 422, (name, answer.text)
        problem = answer.json()
        assert name in {problem["field"], *(one["field"] for one in problem.get("errors", ()))}


@pytest.mark.parametrize("kind", list_entered())
def test_a_record_takes_its_own_fields_only(
    client: TestClient, store: Store, small_county: SmallCounty, kind: str
) -> None:
    fields = {field.name for field in RECORDS[kind].fields}
    before = count(store)
    for name in (*EXTRA, "key", "base_grid", "outside_m"):
        if name in fields:
            continue
        answer = client.post(
            f"/api/entry/{kind}", json={"values": {name: 1}}, headers={"Idempotency-Key": name * 4}
        )
        assert answer.status_code == 422, (name, answer.text)
    assert count(store) == before


def count(store: Store) -> list[int | None]:
    tables = [t.household, t.officer, t.premises, t.hazard, t.incident, t.building]
    with store.transaction(SYSTEM) as connection:
        return [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables
        ]


def test_a_query_makes_nobody_another(
    client: TestClient, as_actor: Callable[[str], dict[str, str]]
) -> None:
    path = "/api/actors/current?role=county_office&actor_id=2&areas=&X-Gis-Actor=2"
    assert client.get(path, headers=as_actor("grid_officer")).json()["role"] == "grid_officer"
