"""Every role asks every route for its own area, another and none; a table holds what is told.

The table is ``roles_and_routes.txt``: status, number of rows, and a letter for the fields that hold
something (``~``: masked). Whoever changes what a role is told sees it there, in the same commit;
``GIS_WRITE_TABLE=1`` writes it anew. The rules below hold whatever the table says.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.api.app import ROUTERS
from gis_service.coverage.runs import runs
from gis_service.grids.assignment import assign_new
from gis_service.incidents.intake import keep_waiting
from gis_service.incidents.reporting import NewIncident
from gis_service.roles import LOCAL_ROLES, ROLES
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, TestClient, middle, small_county
from tests.security.asking import AREAS, ASKED, NOT_ASKED, Area, Asked, fill
from tests.support import SIDE, SOUTH, WEST

__all__ = ["small_county"]

TABLE: Final = Path(__file__).with_name("roles_and_routes.txt")
OF_AREA: Final[Mapping[Area, str]] = {"own": "g00", "other": "g11", "none": ""}
SEES_NOBODY: Final = ("administrator", "auditor", "display", "visitor")
IN_AN_AREA: Final = ("planner", "dispatcher", "analyst")
"""Roles of the whole county, asked once more with an area only."""

COLUMNS: Final = frozenset({"GET /api/examples", "GET /api/imports/kinds"})
"""They name columns of files and hold nobody."""

IN_CLEAR: Final = ("王小明", "13812345678", "张三", "13987654321", "13611112222")
"""Heads of households, reporters and those responsible for premises, as the store has them."""
REVEALING: Final = frozenset(
    {
        "POST /api/entry/{kind}/{record_id}/reveal",
        "POST /api/incidents/{incident_id}/reporter",
    }
)
"""They ask for a reason and record who looked."""

PERSONAL: Final = frozenset(
    {
        "head_name", "care_tags", "room", "house_number", "group_number", "reporter_name",
        "reporter_phone", "reporter_email", "responsible_name", "officers", "officer",
    }
)  # fmt: skip


# --- the county, and who asks ---------------------------------------------------------------------


@dataclass
class Places:
    """What there is to ask for, by area."""

    store: Store
    names: dict[Area, dict[str, Any]]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def fresh(self, kind: str, area: Area) -> dict[str, Any]:
        """Make one more of a kind that a request may change or remove."""
        number = next(self.numbers)
        names = {"key": f"asked-{number}", "version": "1", "fresh": 999_999}
        with self.store.transaction(SYSTEM) as connection:
            if kind == "try":  # as if nobody had tried before, who would have to wait
                connection.execute(sa.delete(t.sign_in_failure))
            elif kind == "intake":
                report = NewIncident("dispute", *_place(area), address="东街9号")
                names["token"] = keep_waiting(connection, SYSTEM, report)
            elif kind in ("household", "incident"):
                names["fresh"] = _insert(connection, kind, f"fresh-{number}", _place(area))
                assign_new(connection)
            elif kind == "job":
                names["fresh"] = _insert_job(connection)
            elif kind == "account":
                names["fresh"] = _insert_account(connection, str(names["key"]))
            elif kind == "plan":
                names["fresh"] = _insert_plan(connection)
        if kind == "household":
            names["version"] = self._version(names["fresh"])
        return names

    def _version(self, household_id: Any) -> str:
        with self.store.transaction(SYSTEM) as connection:
            return str(
                connection.scalar(
                    sa.text("SELECT xmin::text FROM household WHERE household_id = :id"),
                    {"id": household_id},
                )
            )


def _place(area: Area) -> tuple[float, float]:
    return middle(OF_AREA[area]) if OF_AREA[area] else (WEST - SIDE, SOUTH)


def _insert(connection: sa.Connection, kind: str, key: str, place: tuple[float, float]) -> Any:
    table = t.metadata.tables[kind]
    made_up: dict[str, dict[str, Any]] = {
        "household": {
            "street": "东街", "house_number": "9号", "head_name": "王小明",
            "phone": "13812345678", "people": 3, "care_tags": ["lives_alone"],
        },
        "incident": {
            "kind": "dispute", "text": "楼道堆物",
            "reported_at": datetime.now(UTC) - timedelta(hours=5),
            "reporter_name": "张三", "reporter_phone": "13987654321",
        },
        "premises": {
            "name": f"店{key}", "kind": "shop", "grade": "C",
            "responsible_name": "周店主", "phone": "13611112222",
        },
        "hazard": {
            "kind": "fire_exit_blocked", "grade": "major", "status": "found",
            "found_on": date(2026, 1, 5), "due_on": date(2026, 2, 5), "note": "周店主",
        },
    }  # fmt: skip
    point = f"SRID=4490;POINT({place[0]} {place[1]})"
    return connection.scalar(
        sa.insert(table)
        .values(key=key, point=point, **made_up[kind])
        .returning(table.primary_key.columns[0])
    )


def _insert_job(connection: sa.Connection) -> Any:
    return connection.scalar(
        sa.insert(t.job)
        .values(kind="coverage_run", actor_id=1, arguments={})
        .returning(t.job.c.job_id)
    )


def _insert_account(connection: sa.Connection, login: str) -> Any:
    actor_id = connection.scalar(
        sa.insert(t.actor)
        .values(name="问", name_en="", role="analyst")
        .returning(t.actor.c.actor_id)
    )
    connection.execute(sa.insert(t.account).values(actor_id=actor_id, login=login, made_by=1))
    return actor_id


def _insert_plan(connection: sa.Connection) -> Any:
    version = connection.execute(
        sa.select(t.grid_version.c.version_id, t.grid_version.c.scheme_id).limit(1)
    ).one()
    return connection.scalar(
        sa.insert(t.plan)
        .values(
            scheme_id=version.scheme_id,
            base_version_id=version.version_id,
            title="asked",
            author_id=1,
        )
        .returning(t.plan.c.plan_id)
    )


@pytest.fixture(scope="module")
def places(store: Store, small_county: SmallCounty) -> Places:
    """Something of each kind in each area."""
    places = Places(store, {})
    with store.transaction(SYSTEM) as connection:
        ids = {
            (kind, area): _insert(connection, kind, f"{kind}-{area}", _place(area))
            for kind in ("household", "incident", "premises", "hazard")
            for area in AREAS
        }
        assign_new(connection)
        outsider = connection.scalar(
            sa.insert(t.officer)
            .values(key="o9", name="李四", phone="13700000009", valid="[2024-01-01,)")
            .returning(t.officer.c.officer_id)
        )
        assert outsider
        for area in AREAS:
            connection.execute(
                sa.insert(t.incident_photo).values(
                    incident_id=ids["incident", area],
                    sha256="a" * 64,
                    width=1,
                    height=1,
                    bytes=1,
                    actor_id=1,
                )
            )
        everywhere = {
            "job": _insert_job(connection),
            "plan": _insert_plan(connection),
            "grid_version": connection.scalar(sa.select(t.grid_version.c.version_id).limit(1)),
            "tomorrow": str(date.today() + timedelta(days=1)),  # noqa: DTZ011 (a day, any)
            "upload": "0" * 32,
            "photo": "a" * 64,
            "import": 999_999,
            "change": 999_999,
        }
    everywhere["run"] = runs.measure(store, SYSTEM, "service-15", "normal")["run_id"]
    officers = {"own": "钱二", "other": "孙三", "none": "李四"}
    for area in AREAS:
        lon, lat = _place(area)
        grid_id = small_county.grid_ids.get(OF_AREA[area], 999_999)
        places.names[area] = {
            **everywhere,
            **{kind: number for (kind, where), number in ids.items() if where == area},
            "lon": lon,
            "lat": lat,
            "bbox": f"{lon - SIDE / 3},{lat - SIDE / 3},{lon + SIDE / 3},{lat + SIDE / 3}",
            "grid": grid_id,
            "grid_text": str(grid_id),
            "officer_name": officers[area],
        }
    return places


@pytest.fixture(scope="module")
def readers(store: Store, small_county: SmallCounty) -> dict[str, dict[str, str]]:
    """The headers of an actor of each role; local ones and a few more answer for g00 only."""
    own = [small_county.grid_ids["g00"]]
    rows: list[tuple[str, list[int] | None]] = [
        (role, own if role in LOCAL_ROLES else None) for role in ROLES
    ]
    rows += [(f"{role} of an area", own) for role in IN_AN_AREA]
    with store.transaction(SYSTEM) as connection:
        numbers = connection.scalars(
            sa.insert(t.actor).returning(t.actor.c.actor_id, sort_by_parameter_order=True),
            [
                {
                    "name": label,
                    "name_en": label,
                    "role": label.partition(" ")[0],
                    "is_demo": True,
                    "areas": areas,
                }
                for label, areas in rows
            ],
        ).all()
    return {
        label: {"X-Gis-Actor": str(number)}
        for (label, _), number in zip(rows, numbers, strict=True)
    }


@pytest.fixture(scope="module")
def app(store: Store) -> FastAPI:
    return create_app(store, loopback_only=True)


# --- what was told --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """A status, how many rows, and which fields hold something."""

    status: int
    rows: int | None = None
    fields: frozenset[str] = frozenset()
    kind: str = ""
    in_clear: bool = False


def _read(answer: httpx.Response) -> Told:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    in_clear = any(value.encode() in answer.content for value in IN_CLEAR)
    if not answer.is_success or not answer.content or kind != "application/json":
        return Told(
            answer.status_code, kind="" if kind.endswith("json") else kind, in_clear=in_clear
        )
    body = answer.json()
    items = body
    if isinstance(body, dict):
        listed = [name for name in ("items", "features", "places", "rows") if name in body]
        items = body[listed[0]] if listed else None
    rows = len(items) if isinstance(items, list) else None
    return Told(answer.status_code, rows, frozenset(_fields(body)), in_clear=in_clear)


def _fields(value: Any, path: str = "") -> Iterator[str]:
    """Name the places of an answer that hold something; ids as names become #."""
    if isinstance(value, dict):
        for name, item in value.items():
            step = "#" if re.fullmatch(r"-?\d+", name) else name
            yield from _fields(item, f"{path}.{step}" if path else step)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, path)
    elif value not in (None, "", 0):
        yield f"{path}~" if isinstance(value, str) and "**" in value else path


Table = dict[str, dict[str, dict[Area, Told]]]


@pytest.fixture(scope="module")
def table(app: FastAPI, places: Places, readers: dict[str, dict[str, str]]) -> Table:
    """Ask everything, what changes nothing first."""
    table: Table = {}
    with TestClient(
        app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 50000)
    ) as client:
        for route in sorted(ASKED, key=lambda route: not route.startswith("GET")):
            asked = ASKED[route]
            table[route] = {
                label: {
                    area: _ask(client, route, asked, places, area, headers)
                    for area in (AREAS[:1] if asked.everywhere else AREAS)
                }
                for label, headers in readers.items()
            }
    return table


def _ask(
    client: TestClient,
    route: str,
    asked: Asked,
    places: Places,
    area: Area,
    headers: Mapping[str, str],
) -> Told:
    names = {**places.names[area], **places.fresh(asked.fresh, area)}
    content = asked.content.decode() if asked.content is not None else None
    answer = client.request(
        route.partition(" ")[0],
        fill(asked.path, names),
        json=fill(asked.body, names),
        files=asked.files,
        content=None if content is None else fill(content, names).encode(),
        headers={**fill(asked.headers, names), **headers},
    )
    client.cookies.clear()
    return _read(answer)


# --- the table ------------------------------------------------------------------------------------


def _write(table: Table) -> str:
    lines = []
    for route, told in table.items():
        lines.append(f"\n{route}")
        cells = [cell for by_area in told.values() for cell in by_area.values()]
        sets = sorted(
            {cell.fields for cell in cells if cell.fields},
            key=lambda fields: (-len(fields), sorted(fields)),
        )
        letters = {fields: chr(ord("A") + place) for place, fields in enumerate(sets)}
        same: dict[str, list[str]] = {}
        for label, by_area in told.items():
            named = by_area.items() if len(by_area) > 1 else [("", by_area["own"])]
            line = "".join(f"{area} {_cell(cell, letters):<20}" for area, cell in named)
            same.setdefault(line.strip(), []).append(label)
        everybody = len(same) == 1
        lines += [
            f"  {line}  <- {'everybody' if everybody else ', '.join(labels)}"
            for line, labels in same.items()
        ]
        if len(sets) > 1:  # else there is nothing to compare
            lines += [f"  {letters[fields]}: {_differences(fields, sets[0])}" for fields in sets]
    return "\n".join(lines).lstrip() + "\n"


def _by_route(written: str) -> dict[str, str]:
    return {block.partition("\n")[0]: block for block in written.strip().split("\n\n")}


def _differences(fields: frozenset[str], most: frozenset[str]) -> str:
    """Name the fields of a set, or in what it differs from the largest."""
    if fields == most:
        return " ".join(sorted(fields))
    parts = [("A without", most - fields), ("with", fields - most)]
    return ", ".join(f"{word} {' '.join(sorted(names))}" for word, names in parts if names)


def _cell(cell: Told, letters: Mapping[frozenset[str], str]) -> str:
    rows = "" if cell.rows is None else f" {cell.rows} rows"
    clear = " in clear" if cell.in_clear else ""
    return f"{cell.status}{rows} {letters.get(cell.fields, cell.kind)}{clear}".strip()


def test_the_table_is_what_is_told(table: Table) -> None:
    written = _write(table)
    if os.environ.get("GIS_WRITE_TABLE"):
        TABLE.write_text(written, "utf-8")
    told, expected = _by_route(written), _by_route(TABLE.read_text("utf-8"))
    assert {route: text for route, text in told.items() if expected.get(route) != text} == {}
    assert told.keys() == expected.keys()
    cells = [cell for told in table.values() for areas in told.values() for cell in areas.values()]
    good = sum(cell.status < 300 for cell in cells)
    refused = sum(cell.status in (401, 403, 404) for cell in cells)
    print(f"{len(table)} routes, {len(cells)} cells: {good} told, {refused} refused or not found")
    assert not [cell for cell in cells if cell.status >= 500 and cell.status != 503]


def test_every_route_of_the_app_is_in_the_table() -> None:
    routes = {
        f"{method} {route.path}"
        for room in ROUTERS
        for route in room.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert routes == set(ASKED) | set(NOT_ASKED)


# --- the rules ------------------------------------------------------------------------------------

MORE_THAN_A_VISITOR: Final[Mapping[str, str]] = {}
"""Routes that tell a local role more of another area than a visitor is told, and why."""


def _local(table: Table) -> list[str]:
    return [label for label in table["GET /"] if label in LOCAL_ROLES or label.endswith("area")]


def test_of_another_area_a_local_role_is_told_no_more_than_a_visitor(table: Table) -> None:
    more = {
        (route, label): sorted(cells["other"].fields - told["visitor"]["other"].fields)
        for route, told in table.items()
        if not ASKED[route].everywhere and route not in MORE_THAN_A_VISITOR
        for label, cells in told.items()
        if label in _local(table)
        if (cells["other"].rows or 0) > (told["visitor"]["other"].rows or 0)
        or cells["other"].fields - told["visitor"]["other"].fields
    }
    assert more == {}


def test_whoever_looks_after_the_service_is_told_of_no_person(table: Table) -> None:
    told_of = {
        (route, label, path)
        for route, told in table.items()
        for label in SEES_NOBODY
        for cell in told[label].values()
        for path in cell.fields
        if path.rstrip("~").rpartition(".")[2] in PERSONAL and route not in COLUMNS
    }
    assert told_of == set()


def test_a_name_or_a_phone_in_clear_comes_by_giving_a_reason_only(table: Table) -> None:
    clear = {
        (route, label, area)
        for route, told in table.items()
        for label, cells in told.items()
        for area, cell in cells.items()
        if cell.in_clear
    }
    assert {route for route, _, _ in clear} == REVEALING
    assert not [place for place in clear if place[1] in SEES_NOBODY]
    assert not [place for place in clear if place[1] in _local(table) and place[2] != "own"]


def test_the_rules_find_what_they_are_for(table: Table) -> None:
    """The county office is told of persons, and a local role of its own area."""
    told = table["GET /api/households"]
    assert told["grid_officer"]["own"].rows
    assert not told["grid_officer"]["other"].rows
    assert told["county_office"]["other"].rows
    assert PERSONAL & {
        path.split(".")[-1].rstrip("~") for path in told["county_office"]["own"].fields
    }


OFFICES: Final[Mapping[str, str]] = {
    "/api/record": "auditor", "/api/accounts": "administrator", "/api/keys": "administrator",
}  # fmt: skip


def test_no_route_waits_for_a_second_connection(
    store: Store, places: Places, readers: dict[str, dict[str, str]]
) -> None:
    """Whoever holds one and asks for another waits for ever once all callers do so."""
    narrow = Store(store.url, connections=1)
    app = create_app(narrow, loopback_only=True)
    with TestClient(
        app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 50000)
    ) as client:
        busy = [
            route
            for route, asked in ASKED.items()
            for role in [
                next((OFFICES[path] for path in OFFICES if path in route), "county_office")
            ]
            if _ask(client, route, asked, places, "own", readers[role]).status >= 500
        ]
    narrow.close()
    assert busy == []
