"""One person's data are found and erased in every table that has them, and nobody else's."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.entry.person import (
    ERASED,
    WhichPerson,
    erase_person,
    find_person,
    list_telling_fields,
)
from gis_service.errors import InputError
from gis_service.incidents import intake
from gis_service.incidents.reporting import NewIncident
from gis_service.records import RECORDS
from gis_service.search.entries import refresh
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import SIDE, SOUTH, WEST, publish_nine, thrown_away

PHONE = "13911112222"
HERE = sa.func.ST_SetSRID(sa.func.ST_MakePoint(WEST + SIDE / 2, SOUTH + SIDE / 2), 4490)


@pytest.fixture
def connection(store: Store) -> Iterator[sa.Connection]:
    with thrown_away(store) as connection:
        publish_nine(connection)
        yield connection


@pytest.fixture
def ids(connection: sa.Connection) -> dict[str, int]:
    """Li Si in every table, and somebody else of the same name beside each."""

    def add(table: sa.Table, **values: Any) -> int:
        key = next(iter(table.primary_key))
        return int(connection.execute(sa.insert(table).values(values).returning(key)).scalar_one())

    now = datetime(2026, 3, 1, tzinfo=UTC)
    found = {}
    for name, phone in (("", PHONE), ("_other", "13900000000")):
        found[f"household{name}"] = add(
            t.household, key=f"h{name}", head_name="李四", phone=f"{phone}、0731-1234567", people=2,
            care_tags=["lives_alone"], point=HERE, street="东街",
        )  # fmt: skip
        found[f"officer{name}"] = add(
            t.officer, key=f"o{name}", name="李四", phone=phone, valid="[2024-01-01,)"
        )
        found[f"premises{name}"] = add(
            t.premises, key=f"p{name}", name="店", kind="shop", grade="C", responsible_name="李四",
            phone=phone, point=HERE,
        )  # fmt: skip
        found[f"incident{name}"] = add(
            t.incident, key=f"i{name}", kind="dispute", reported_at=now, reporter_name="李四",
            reporter_phone=phone, reporter_email="li@example.org", text="吵架", point=HERE,
        )  # fmt: skip
        connection.execute(
            sa.insert(t.incident_photo).values(
                incident_id=found[f"incident{name}"], sha256=f"{len(found):064x}", width=1,
                height=1, bytes=1, actor_id=1,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(t.entry_change).values(
                actor_id=1, request_key=f"key-{name}", action="change", object_kind="household",
                object_id=found[f"household{name}"], before={"head_name": "李四"},
            )
        )  # fmt: skip
        draft = NewIncident(kind="dispute", text="吵", reporter_name="李四", reporter_phone=phone,
                            lon=0, lat=0, channel="open311")  # fmt: skip
        found[f"token{name}"] = intake.keep_waiting(connection, SYSTEM, draft)  # type: ignore[assignment]
    return found


def rows(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_every_masked_or_named_field_of_a_kind_is_one_that_tells() -> None:
    telling = {
        kind.name: {one.name for one in list_telling_fields(kind)} for kind in RECORDS.values()
    }
    assert {name: fields for name, fields in telling.items() if fields} == {
        "household": {"head_name", "phone", "care_tags"},
        "officer": {"name", "phone"},
        "premises": {"responsible_name", "phone"},
        "incident": {"reporter_name", "reporter_phone"},
    }


def test_a_telephone_finds_every_row_of_the_person(
    connection: sa.Connection, ids: dict[str, int]
) -> None:
    found = find_person(connection, SYSTEM, WhichPerson(phone=PHONE), "find")
    assert found.counts == {
        "household": 1, "officer": 1, "premises": 1, "incident": 1, "waiting_report": 1, "photo": 1,
        "undo_copy": 1,
    }  # fmt: skip
    assert {(row.kind, row.id) for row in found.rows} == {
        (kind, ids[kind]) for kind in ("household", "officer", "premises", "incident")
    }
    assert find_person(connection, SYSTEM, WhichPerson(phone=PHONE[:-1]), "find").counts == {}


def test_a_name_finds_namesakes_and_erases_nobody(
    connection: sa.Connection, ids: dict[str, int]
) -> None:
    assert len(find_person(connection, SYSTEM, WhichPerson(name="李四"), "find").rows) == 8
    with pytest.raises(InputError) as caught:
        erase_person(connection, SYSTEM, WhichPerson(name="李四"))
    assert caught.value.key == "entry.name_alone"
    with pytest.raises(InputError):
        find_person(connection, SYSTEM, WhichPerson(), "find")


def test_what_is_erased_stands_nowhere_any_more_and_the_other_stays(
    connection: sa.Connection, ids: dict[str, int]
) -> None:
    found = erase_person(connection, SYSTEM, WhichPerson(phone=PHONE))
    assert found.rows[0].values["head_name"] == "李四"  # as it was
    tables = (t.household, t.officer, t.premises, t.incident, t.entry_change, t.incident_intake)
    everything = {table.name: rows(connection, table) for table in tables}
    everything["event"] = rows(connection, t.event)
    told = json.dumps(everything, ensure_ascii=False, default=str)
    assert PHONE not in told
    assert told.count("李四") == 6  # of the other one
    (household,) = (r for r in everything["household"] if r["household_id"] == ids["household"])
    assert (household["head_name"], household["phone"], household["care_tags"]) == ("", "", [])
    assert (household["people"], household["street"]) == (2, "东街")
    (officer,) = (r for r in everything["officer"] if r["officer_id"] == ids["officer"])
    assert (officer["name"], officer["phone"]) == (ERASED, "")
    (incident,) = (r for r in everything["incident"] if r["incident_id"] == ids["incident"])
    assert (incident["reporter_name"], incident["reporter_email"]) == ("", "")


def test_the_record_keeps_that_it_was_erased_with_digests(
    connection: sa.Connection, ids: dict[str, int]
) -> None:
    erase_person(connection, SYSTEM, WhichPerson(household_key="h"))
    events = [row for row in rows(connection, t.event) if row["action"] == "erase"]
    (asked,) = (row for row in events if row["object_kind"] == "person")
    assert asked["after"]["household_key"].startswith("digest:")
    (done,) = (row for row in events if row["object_kind"] == "household")
    assert done["object_id"] == str(ids["household"])
    assert all(value.startswith("digest:") for value in done["before"].values())
    assert done["after"] == {"head_name": "", "phone": "", "care_tags": []}


def test_an_officer_is_no_longer_found_by_the_name(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        grids = publish_nine(connection).grid_ids
        values = {"key": "o", "name": "令狐冲", "phone": PHONE, "valid": "[2024-01-01,)"}
        new = sa.insert(t.officer).values(values).returning(t.officer.c.officer_id)
        duty = {"officer_id": connection.execute(new).scalar_one(), "grid_id": grids["g00"]}
        duty |= {"role": "officer", "post": "A", "valid": "[2024-07-01,)"}
        connection.execute(sa.insert(t.grid_duty).values(duty))
    refresh(store)

    def words() -> str:
        with store.transaction(SYSTEM) as connection:
            return str(rows(connection, t.search_person))

    assert "令狐冲" in words()
    with store.transaction(SYSTEM) as connection:
        erase_person(connection, SYSTEM, WhichPerson(officer_key="o"))
    refresh(store)
    assert "令狐冲" not in words()
