"""A field and a kind of record that are added to the specification are found at every door."""

import csv
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.coordinate_systems import parse_crs
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import ImportOptions, ImportOutcome
from gis_service.records import RECORDS, Field, Record
from gis_service.records.shared import PLACE, key
from gis_service.store import Store
from gis_service.store import tables as t
from scripts.data_guide import section
from tests.api.conftest import SmallCounty, middle

POWER = Field("power_kw", "whole", ("发电功率", "generator"), least=0, most=5000)
FACILITY = RECORDS["facility"]
MORE = replace(FACILITY, table="more_facility", fields=(*FACILITY.fields, POWER))
"""Facilities with one line more, and a table that has the column."""

SHELTER = Record(
    "shelter", "shelter", "shelters", ("避难场所", "Shelters"), ("点。", "Points."),
    (
        Field("kind", "choice", ("场所类型",), required=True, words={
            "square": ("广场",), "school": ("学校",),
        }),
        Field("name", "text", ("场所名称", "shelter name"), required=True, most=40),
        PLACE,
        Field("building", "building", ("楼栋编号",)),
        Field("keeper", "text", ("管理员", "keeper name"), most=20, personal=True, mask="name"),
        Field("beds", "whole", ("床位", "床位数"), required=True, least=0, most=9999, default=1),
        Field("opened_on", "day", ("启用日期",)),
        key("场所编号", "id"),
    ),
    writers=frozenset({"county_office"}),
    placed=True, removable=True, word="kind",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def migrated(owner_engine: sa.Engine, small_county: SmallCounty) -> Iterator[None]:
    """Do what a migration does, and put the new lines beside the others."""
    tables = [
        sa.Table(
            MORE.table, t.metadata, *(column._copy() for column in t.facility.c),
            sa.Column("power_kw", sa.SmallInteger),
        ),
        sa.Table(
            SHELTER.table, t.metadata, t._serial("shelter_id"),
            *(sa.Column(name, sa.Text, nullable=False, unique=name == "key")
              for name in ("key", "kind", "name", "keeper")),
            sa.Column("beds", sa.SmallInteger, nullable=False),
            sa.Column("opened_on", sa.Date),
            sa.Column("building_id", sa.BigInteger, sa.ForeignKey("building.building_id")),
            sa.Column("base_grid_id", sa.BigInteger),
            t._geometry("point", "POINT"),
        ),
    ]  # fmt: skip
    with owner_engine.begin() as connection:
        for table in tables:
            table.create(connection)
        connection.exec_driver_sql(
            "ALTER TABLE membership DROP CONSTRAINT ck_membership_object_kind_known"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECORDS, "facility", MORE)
        patch.setitem(RECORDS, "shelter", SHELTER)
        yield
    for table in tables:
        t.metadata.remove(table)


def take(store: Store, folder: Path, kind: str, row: dict[str, str]) -> ImportOutcome:
    lon, lat = middle("g00")
    file = folder / f"{kind}.csv"
    with file.open("w", encoding="utf-8", newline="") as target:
        out = csv.DictWriter(target, [*row, "经度", "纬度"])
        out.writeheader()
        out.writerow({**row, "经度": lon, "纬度": lat})
    return import_file(store, SYSTEM, kind, file, ImportOptions(crs=parse_crs("cgcs2000")))


def form(client: TestClient, kind: str, language: str) -> dict[str, Any]:
    kinds = client.get(f"/api/entry?lang={language}").json()["kinds"]
    (found,) = (one for one in kinds if one["kind"] == kind)
    return dict(found)


def add(client: TestClient, kind: str, values: dict[str, Any]) -> Any:
    lon, lat = middle("g00")
    point = {"lon": lon, "lat": lat, "crs": "cgcs2000"}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"values": {"point": point, **values}}
    return client.post(f"/api/entry/{kind}", json=body, headers=headers)


def test_the_form_has_the_field(client: TestClient) -> None:
    fields = {
        language: {one["name"]: one for one in form(client, "facility", language)["fields"]}
        for language in ("zh-CN", "en")
    }
    assert fields["zh-CN"]["power_kw"]["title"] == "发电功率"
    assert fields["en"]["power_kw"]["title"] == "power kw"
    assert fields["en"]["power_kw"]["most"] == 5000
    files = client.get("/api/imports/kinds?lang=zh-CN").json()["kinds"]
    (columns,) = (one["fields"] for one in files if one["name"] == "facilities")
    assert {"name": "power_kw", "title": "发电功率", "needed": False} in columns


def test_the_description_of_the_api_has_the_field_and_the_kind(store: Store) -> None:
    bodies = create_app(store, loopback_only=True).openapi()["components"]["schemas"]
    kinds = {one["title"]: one for one in bodies["RecordBody"]["properties"]["values"]["anyOf"]}
    power = {"type": "integer", "minimum": 0, "maximum": 5000}
    assert kinds["facility"]["properties"]["power_kw"]["anyOf"][0] == power
    assert list(kinds["shelter"]["properties"]) == [field.name for field in SHELTER.form_fields]
    assert kinds["shelter"]["properties"]["kind"]["anyOf"][0] == {"enum": ["square", "school"]}


def test_the_field_is_taken_from_a_form_and_from_a_file(
    client: TestClient, store: Store, tmp_path: Path
) -> None:
    well = {"kind": "clinic", "name": "诊所"}
    assert add(client, "facility", {**well, "power_kw": 5001}).status_code == 422
    record = add(client, "facility", {**well, "power_kw": 30}).json()["record"]
    assert record["values"]["power_kw"] == 30
    row = {"编号": "f1", "类型": "诊所", "名称": "诊所", "发电功率（千瓦）": "120"}
    assert take(store, tmp_path, "facilities", row).new == 1
    row["发电功率（千瓦）"] = "6000"
    (refusal,) = take(store, tmp_path, "facilities", row).refusals
    assert (refusal.field, refusal.key) == ("发电功率（千瓦）", "ingest.row_bad_number")
    with store.transaction(SYSTEM) as connection:
        power = t.metadata.tables[MORE.table].c.power_kw
        stored = connection.execute(sa.select(power).where(power.is_not(None)).order_by(power))
        assert stored.scalars().all() == [30, 120]


@pytest.mark.parametrize(("language", "title"), [("zh-CN", "避难场所"), ("en", "Shelters")])
def test_the_kind_has_a_form_a_file_and_a_part_of_the_guide(
    client: TestClient, language: Any, title: str
) -> None:
    found = form(client, "shelter", language)
    assert found["title"] == title
    assert [one["name"] for one in found["fields"]][-2:] == ["opened_on", "key"]
    (keeper,) = (one for one in found["fields"] if one["name"] == "keeper")
    assert keeper["masked"]
    files = client.get(f"/api/imports/kinds?lang={language}").json()["kinds"]
    (file,) = (one for one in files if one["name"] == "shelters")
    assert file["title"] == title
    told = section(SHELTER, language)
    assert told.startswith(f"## {title} `shelters`")
    assert "床位数" in told
    assert ("personal, hidden" if language == "en" else "个人信息，平时隐藏") in told


def test_the_kind_is_entered_listed_placed_masked_changed_and_taken_out(
    client: TestClient, store: Store, small_county: SmallCounty
) -> None:
    answer = add(client, "shelter", {"kind": "square", "name": "人民广场", "keeper": "王小明"})
    assert answer.status_code == 201, answer.text
    record = answer.json()["record"]
    assert record["grid"]["grid_id"] == small_county.grid_ids["g00"]
    assert (record["values"]["keeper"], record["masked"]) == ("王**", ["keeper"])
    path = f"/api/entry/shelter/{record['id']}"
    assert client.post(f"{path}/reveal", json={"reason": "visit"}).json()["values"]["keeper"] == (
        "王小明"
    )
    (listed,) = client.get("/api/entry/shelter?q=人民").json()["items"]
    assert (listed["title"], listed["word"]) == ("人民广场", "square")
    headers = {"Idempotency-Key": str(uuid.uuid4()), "If-Match": f'"{record["version"]}"'}
    changed = client.patch(path, json={"values": {"beds": 300, "keeper": "李四"}}, headers=headers)
    assert changed.json()["record"]["values"]["beds"] == 300
    events = sa.select(t.event.c.after).where(t.event.c.object_kind == "shelter")
    with store.transaction(SYSTEM) as connection:
        said = json.dumps(connection.execute(events).scalars().all(), ensure_ascii=False)
    assert "300" in said
    assert "王小明" not in said
    assert "李四" not in said
    headers = {
        "Idempotency-Key": str(uuid.uuid4()),
        "If-Match": f'"{changed.json()["record"]["version"]}"',
    }
    assert client.delete(path, headers=headers).status_code == 200
    assert client.get(path).status_code == 404


def test_those_whom_the_kind_does_not_name_may_not_enter_it(
    client: TestClient, as_actor: Any
) -> None:
    kinds = client.get("/api/entry", headers=as_actor("grid_officer")).json()["kinds"]
    assert "shelter" not in {one["kind"] for one in kinds}


def test_the_kind_comes_as_a_file_with_chinese_columns(
    client: TestClient, store: Store, tmp_path: Path, small_county: SmallCounty
) -> None:
    row = {"场所编号": "s1", "场所名称": "一中", "场所类型": "学校", "床位": "80", "管理员": "赵六",
           "启用日期": "2026年3月1日"}  # fmt: skip
    outcome = take(store, tmp_path, "shelters", row)
    assert (outcome.new, outcome.refusals) == (1, [])
    (listed,) = client.get("/api/entry/shelter?q=一中").json()["items"]
    record = client.get(f"/api/entry/shelter/{listed['id']}").json()
    assert record["values"] | {"point": None} == {
        "kind": "school", "name": "一中", "point": None, "building": None, "keeper": "赵*",
        "beds": 80, "opened_on": "2026-03-01", "key": "s1",
    }  # fmt: skip
    assert record["grid"]["grid_id"] == small_county.grid_ids["g00"]
    again = take(store, tmp_path, "shelters", row)
    assert (again.same, again.changed) == (1, 0)
    refused = take(store, tmp_path, "shelters", {**row, "场所编号": "s2", "场所类型": "洞穴"})
    assert [one.key for one in refused.refusals] == ["ingest.row_unknown_word"]
