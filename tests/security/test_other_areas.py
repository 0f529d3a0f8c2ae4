"""Ids of another area, in every path, query and body: nothing of what they name comes back.

Everything personal of the other grid holds a mark. Where somebody may not know that a thing
exists, the answer is word for word that to an id which nothing has.
"""

import io
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from PIL import Image

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.access.actor import find_actor
from gis_service.grids.assignment import assign_new
from gis_service.incidents import intake
from gis_service.incidents.reporting import NewIncident
from gis_service.records import RECORDS, list_entered
from gis_service.search.entries import refresh
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.api.conftest import SmallCounty, TestClient, middle
from tests.security.doors import Door, app_without_data, fill, list_doors

MARK: Final = "禤"
"""In every name, text and note of the other grid; masks leave the first character."""
PHONE: Final = "19977776666"
NOBODYS: Final = 987_654_321
ROLES: Final = ("grid_officer", "village_head", "town_office")
LON, LAT = middle("g11")
KNOWN_TO_ALL: Final = frozenset(
    {"grid_id", "run_id", "facility_id", "version_id", "a", "b", "scheme", "building", "facility"}
)
"""Grids, runs, facilities, buildings and versions are no secret; what they tell may be."""

DOCUMENT = app_without_data().openapi()
DOORS = [door for door in list_doors() if door.path.startswith("/api") and "live" not in door.path]
NAMED = ("{z}", "{layer}", "{name}", "{day}", "{year}")
"""Tiles, layers, example files and days are nobody's."""
WITH_IDS = [
    door for door in DOORS if "{" in door.path and not any(one in door.path for one in NAMED)
]
READS = [door for door in DOORS if door.method == "GET" and "{z}" not in door.path]


@dataclass
class Foreign:
    """What lies in another area, by the name that a path, a query or a body has for its id."""

    client: TestClient
    actors: dict[str, int]
    ids: dict[str, Any] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)

    def ask(self, role: str, method: str, address: str, body: Any = None) -> Any:
        """Ask as a role."""
        headers = {
            "X-Gis-Actor": str(self.actors[role]),
            "Idempotency-Key": uuid.uuid4().hex,
            "If-Match": '"1"',
        }
        return self.client.request(method, address, json=body, headers=headers)


def insert(connection: sa.Connection, table: sa.Table, **values: Any) -> int:
    key = next(iter(table.primary_key.columns))
    return int(connection.scalar(sa.insert(table).values(**values).returning(key)) or 0)


def place() -> np.ndarray:
    return np.array([shapely.Point(LON, LAT)], dtype=object)


def add_records(connection: sa.Connection, grid_ids: dict[str, int]) -> dict[str, int]:
    """One record of every kind in the other grid."""
    today = connection.scalar(sa.select(sa.func.gis_today()))
    assert isinstance(today, date)
    home = {"house_number": f"{MARK}9号", "room": MARK, "head_name": f"{MARK}某", "phone": PHONE}
    shop = {"name": f"{MARK}店", "responsible_name": f"{MARK}四", "phone": PHONE, "kind": "shop"}
    days = {"found_on": today, "due_on": today}
    rows: dict[str, dict[str, Any]] = {
        "household": {"street": "东街", "people": 2, "care_tags": ["lives_alone"], **home},
        "premises": {"grade": "C", **shop},
        "hazard": {"kind": "other", "grade": "major", "status": "found", "note": MARK, **days},
        "building": {},
        "facility": {"kind": "clinic", "name": "卫生室"},
    }
    ids = {}
    for kind, values in rows.items():
        table = t.metadata.tables[RECORDS[kind].table if kind in RECORDS else kind]
        columns = {name: [value] for name, value in values.items()}
        copy_rows(connection, table, {"key": ["foreign"], **columns, "point": place()})
        key = next(iter(table.primary_key.columns))
        ids[kind] = int(connection.scalar(sa.select(key).where(table.c.key == "foreign")) or 0)
    ids["officer"] = insert(
        connection, t.officer, key="foreign", name=f"{MARK}三", phone=PHONE, valid="[2024-01-01,)"
    )
    ids["duty"] = insert(
        connection, t.grid_duty, officer_id=ids["officer"], grid_id=grid_ids["g11"],
        role="officer", post="B", valid="[2024-07-01,)",
    )  # fmt: skip
    ids["leave"] = insert(
        connection, t.leave, officer_id=ids["officer"], valid="[2025-01-01,2025-02-01)"
    )
    assign_new(connection)
    return ids


def add_actors(connection: sa.Connection, grid_ids: dict[str, int]) -> dict[str, int]:
    areas = {"grid_officer": ["g00"], "village_head": ["m0"], "town_office": ["m0"]}
    return {
        role: insert(
            connection, t.actor, name=role, name_en=role, role=role, is_demo=True,
            areas=[grid_ids[key] for key in areas[role]] if role in areas else None,
        )
        for role in (*ROLES, "county_office")
    }  # fmt: skip


def add_incident(foreign: Foreign) -> None:
    """An incident with a photo and steps, reported by the county office in the other grid."""
    report = {
        "kind": "dispute", "lon": LON, "lat": LAT, "text": MARK, "address": MARK, "note": MARK,
        "reporter_name": f"{MARK}五", "reporter_phone": PHONE, "key": "foreign",
    }  # fmt: skip
    made = foreign.ask("county_office", "POST", "/api/incidents", report)
    assert made.status_code == 201, made.text
    incident = foreign.ids["incident_id"] = made.json()["incident_id"]
    picture = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(picture, "JPEG")
    told = foreign.client.post(
        f"/api/incidents/{incident}/photos",
        content=picture.getvalue(),
        headers={
            "X-Gis-Actor": str(foreign.actors["county_office"]),
            "Content-Type": "image/jpeg",
        },
    )
    foreign.ids["sha256"] = told.json()["photo"]
    step = {"move": "accept", "note": MARK, "photos": [foreign.ids["sha256"]], "version": 1}
    told = foreign.ask("county_office", "POST", f"/api/incidents/{incident}/steps", step)
    assert told.status_code == 200, told.text


def add_work(foreign: Foreign, store: Store) -> None:
    """A file, an import with a refused row, a run, a report, a plan and a change by the office."""
    office = {"X-Gis-Actor": str(foreign.actors["county_office"])}
    lines = f"编号,名称,类型,经度,纬度\nx,卫生室,clinic,{LON},{LAT}\n{MARK},{MARK},nothing,1,1\n"
    for _ in range(2):  # one is taken in, one waits
        file = {"file": (f"{MARK}.csv", lines.encode())}
        sent = foreign.client.post("/api/imports/uploads", files=file, headers=office)
        token = foreign.ids["token"]
        foreign.ids["token"] = sent.json()["token"]
        if not token:
            asked = {"upload": foreign.ids["token"], "kind": "facilities", "crs": "cgcs2000"}
            asked |= {"dry_run": False, "accept_shift": True}
            job = foreign.ask("county_office", "POST", "/api/imports", asked).json()["job_id"]
            jobs.perform(store, job)
            done = foreign.ask("county_office", "GET", f"/api/imports/jobs/{job}").json()
            assert done["status"] == "done", done
            foreign.ids["import_id"] = done["result"]["import_id"]
    wish = {"standard": "service-15", "scenario": "normal"}
    job = foreign.ask("county_office", "POST", "/api/coverage/runs", wish).json()["job_id"]
    jobs.perform(store, job)
    run = foreign.ask("county_office", "GET", f"/api/jobs/{job}").json()["result"]["run_id"]
    foreign.ids |= {"job_id": job, "run_id": run, "a": run, "b": run}
    plan = {"scheme": "base", "title": MARK, "reason": MARK}
    made = foreign.ask("county_office", "POST", "/api/plans", plan)
    assert made.status_code == 201, made.text
    foreign.ids["plan_id"] = made.json()["plan_id"]
    path = f"/api/entry/household/{foreign.records['household']}"
    version = foreign.ask("county_office", "GET", path).json()["version"]
    changed = foreign.client.patch(
        path,
        json={"values": {"people": 3}},
        headers={**office, "If-Match": f'"{version}"', "Idempotency-Key": "foreign-change"},
    )
    assert changed.status_code == 200, changed.text
    foreign.ids["change_id"] = changed.json()["change_id"]


@pytest.fixture(scope="module")
def foreign(client: TestClient, store: Store, small_county: SmallCounty) -> Foreign:
    """The other grid, full of marks, and people who have nothing to do there."""
    with store.transaction(SYSTEM) as connection:
        actors = add_actors(connection, small_county.grid_ids)
        records = add_records(connection, small_county.grid_ids)
        office = find_actor(connection, actors["county_office"])
        report = NewIncident(
            "dispute", LON, LAT, text=MARK, address=MARK, reported_at=datetime.now(UTC)
        )
        waiting = intake.keep_waiting(connection, office, report)
        version = connection.scalar(sa.select(t.grid_version.c.version_id))
        later = datetime.now(UTC) + timedelta(days=1)
        session = insert(
            connection, t.session, digest=b"s" * 32, actor_id=office.actor_id, ends_at=later,
            user_agent=MARK,
        )  # fmt: skip
        key = insert(
            connection, t.api_key, digest=b"k" * 32, hint=MARK, actor_id=office.actor_id,
            scopes=["read"], made_by=office.actor_id, expires_at=later,
        )  # fmt: skip
        own = {
            "incident_id": connection.scalar(
                sa.select(t.incident.c.incident_id).where(t.incident.c.key == "i0")
            )
            or 0
        }
    refresh(store)
    foreign = Foreign(client, actors, {"token": ""}, records, own)
    foreign.ids |= {
        "grid_id": small_county.grid_ids["g11"], "household_id": records["household"],
        "facility_id": records["facility"], "version_id": version, "waiting": waiting,
        "actor_id": actors["county_office"], "session_id": session, "key_id": key,
    }  # fmt: skip
    add_incident(foreign)
    add_work(foreign, store)
    refresh(store)
    return foreign


def parameters(path: str) -> list[str]:
    return re.findall(r"\{(\w+)", path)


def body_of(door: Door) -> Any:
    """Something that the door takes, as its description says."""
    operation = DOCUMENT["paths"].get(door.path, {}).get(door.method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    schema = content["schema"]
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    samples = {
        "reason": "visit", "values": {}, "rev": 1, "effective_day": "2030-01-01", "lon": LON,
        "lat": LAT, "move": "accept", "text": "x", "title": "x", "complete": True,
        "is_working": True, "reasons": {}, "edit": {"kind": "undo"},
    }  # fmt: skip
    return {name: samples.get(name, 1) for name in schema.get("required", ())}


def kinds_of(door: Door) -> list[str]:
    return sorted(list_entered()) if "{kind}" in door.path else [""]


def is_public(door: Door, kind: str) -> bool:
    names = set(parameters(door.path)) - {"kind", "decision"}
    return names <= KNOWN_TO_ALL or kind in KNOWN_TO_ALL


def values_for(door: Door, foreign: Foreign, kind: str) -> dict[str, Any]:
    values = {**foreign.ids, "kind": kind, "record_id": foreign.records.get(kind)}
    if "waiting/{token}" in door.path:
        values["token"] = foreign.ids["waiting"]
    if "versions/" in door.path:
        values |= {"a": foreign.ids["version_id"], "b": foreign.ids["version_id"]}
    return values


def plain(answer: Any, values: dict[str, Any]) -> str:
    """The body without the id itself, which is asked for and comes back in its address."""
    text: str = answer.text
    for value in sorted(map(str, values.values()), key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(value)}\b", "ID", text)
    return text


def check_no_mark(answer: Any) -> None:
    whole = answer.text + str(dict(answer.headers))
    assert MARK not in whole
    assert "\\u79a4" not in whole
    assert PHONE not in whole
    assert "199******66" not in whole


def test_the_office_sees_the_marks(foreign: Foreign) -> None:
    """Else nothing here would prove anything."""
    seen = [
        f"/api/entry/household/{foreign.records['household']}",
        f"/api/entry/officer/{foreign.records['officer']}",
        f"/api/entry/premises/{foreign.records['premises']}",
        f"/api/incidents/{foreign.ids['incident_id']}",
        f"/api/plans/{foreign.ids['plan_id']}",
        f"/api/imports/{foreign.ids['import_id']}/refusals.csv",
        f"/api/imports/uploads/{foreign.ids['token']}",
        "/api/incidents/waiting",
        f"/api/search?q={MARK}三",
    ]
    for path in seen:
        answer = foreign.ask("county_office", "GET", path)
        assert answer.status_code == 200, path
        assert MARK in answer.text, path


def test_every_id_of_a_path_is_looked_at(foreign: Foreign) -> None:
    known = {*foreign.ids, "kind", "record_id", "decision"}
    for door in WITH_IDS:
        assert set(parameters(door.path)) <= known, door.name
    assert len(WITH_IDS) > 40


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("door", WITH_IDS, ids=lambda door: door.name)
def test_an_id_of_another_area_is_an_id_of_nothing(foreign: Foreign, door: Door, role: str) -> None:
    for kind in kinds_of(door):
        there = values_for(door, foreign, kind)
        nowhere = {
            name: value if name in {"kind", *KNOWN_TO_ALL} else missing_for(value)
            for name, value in there.items()
        }
        told = foreign.ask(role, door.method, fill(door.path, there), body_of(door))
        check_no_mark(told)
        if is_public(door, kind):
            continue
        otherwise = foreign.ask(role, door.method, fill(door.path, nowhere), body_of(door))
        assert told.status_code >= 400, (kind, told.text)
        assert told.status_code == otherwise.status_code, (kind, told.text, otherwise.text)
        assert plain(told, there) == plain(otherwise, nowhere), kind


def missing_for(value: Any) -> Any:
    """An id of the same form that nothing has."""
    return NOBODYS if isinstance(value, int) else "e" * len(str(value))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("door", READS, ids=lambda door: door.name)
def test_no_list_and_no_question_tells_of_another_area(
    foreign: Foreign, door: Door, role: str
) -> None:
    operation = DOCUMENT["paths"].get(door.path, {}).get("get", {})
    queries = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    common = {
        name: value
        for name, value in {"limit": 500, "standard": "service-15", "rank": 3, "zoom": 16}.items()
        if name in queries and not (name == "limit" and "figures" in door.path)
    }
    asked: list[dict[str, Any]] = [common]
    asked += [{**common, name: foreign.ids[name]} for name in queries & foreign.ids.keys()]
    if "q" in queries:
        asked += [{**common, "q": word} for word in ("店", "某", "三", "9号", PHONE, "foreign")]
    if "lon" in queries:
        asked.append({**common, "lon": LON, "lat": LAT, "radius_m": 500, "kind": "dispute"})
    if "near_lon" in queries:
        asked.append({**common, "near_lon": LON, "near_lat": LAT})
    for kind in kinds_of(door):
        address = fill(door.path, values_for(door, foreign, kind))
        for query in asked:
            query_string = "&".join(f"{name}={value}" for name, value in query.items())
            told = foreign.ask(role, "GET", f"{address}?{query_string}")
            assert told.status_code < 500, (query, told.text)
            check_no_mark(told)


# --- ids inside bodies ----------------------------------------------------------------------------


REFERENCES = [
    (kind, one.name, one.type)
    for kind in list_entered()
    for one in RECORDS[kind].fields
    if one.refers and one.type not in KNOWN_TO_ALL | {"grid"}
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("kind", "name", "of"), REFERENCES)
def test_a_record_cannot_be_tied_to_one_of_another_area(
    foreign: Foreign, role: str, kind: str, name: str, of: str
) -> None:
    def tie(record_id: int) -> Any:
        return foreign.ask(role, "POST", f"/api/entry/{kind}", {"values": {name: record_id}})

    told, otherwise = tie(foreign.records[of]), tie(NOBODYS)
    check_no_mark(told)
    assert told.status_code == otherwise.status_code >= 400
    ids = {"foreign": foreign.records[of], "nobody": NOBODYS}
    assert plain(told, ids) == plain(otherwise, ids)


@pytest.mark.parametrize("role", ROLES)
def test_an_incident_is_no_duplicate_of_one_elsewhere(foreign: Foreign, role: str) -> None:
    path = f"/api/incidents/{foreign.own['incident_id']}/steps"
    before = foreign.ask("county_office", "GET", path.removesuffix("/steps")).json()
    for move in ("close_duplicate", "merge", "accept", "dispatch", "handle", "return"):
        body = {"move": move, "note": "x", "version": before["version"]}
        told, otherwise = (
            foreign.ask(role, "POST", path, {**body, "duplicate_of": one, "version": 77})
            for one in (foreign.ids["incident_id"], NOBODYS)
        )
        check_no_mark(told)
        assert told.status_code == otherwise.status_code >= 400
        ids = {"foreign": foreign.ids["incident_id"], "nobody": NOBODYS}
        assert plain(told, ids) == plain(otherwise, ids)


def test_nothing_was_changed_over_there(foreign: Foreign, store: Store) -> None:
    """After all of the above, the office finds everything as it was."""
    incident = foreign.ask("county_office", "GET", f"/api/incidents/{foreign.ids['incident_id']}")
    assert incident.json()["version"] == 2
    assert incident.json()["status"] == "accepted"
    for kind in ("household", "officer", "premises", "hazard"):
        path = f"/api/entry/{kind}/{foreign.records[kind]}"
        assert foreign.ask("county_office", "GET", path).status_code == 200
    upload = foreign.ask("county_office", "GET", f"/api/imports/uploads/{foreign.ids['token']}")
    assert upload.status_code == 200
    with store.transaction(SYSTEM) as connection:
        for table in (t.session, t.api_key):
            assert list(connection.scalars(sa.select(table.c.ended_at))) == [None]
