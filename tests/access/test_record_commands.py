"""``gis-service audit`` and ``gis-service person`` say what the store says."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from gis_service.access import SYSTEM, record
from gis_service.commands.audit import audit_app
from gis_service.commands.person import person_app
from gis_service.errors import InputError
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import publish_nine

PHONE = "13911112222"


@pytest.fixture(scope="module")
def county(store: Store) -> Store:
    """One household, and a few events."""
    place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(112.905, 28.705), 4490)
    with store.transaction(SYSTEM) as connection:
        publish_nine(connection)
        home = {"key": "h", "head_name": "李四", "phone": PHONE, "people": 2, "point": place}
        connection.execute(sa.insert(t.household).values(home))
        for number in range(5):
            record(connection, SYSTEM, "test", "thing", number)
    return store


@pytest.fixture(autouse=True)
def opened(county: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def open_store(**_: object) -> Iterator[Store]:
        yield county

    monkeypatch.setattr("gis_service.store.open_store", open_store)


def run(app: typer.Typer, *words: str, code: int = 0, answer: str | None = None) -> str:
    done = CliRunner().invoke(app, list(words), input=answer)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def test_what_was_done_is_listed_and_exported_and_that_too(county: Store) -> None:
    lines = run(audit_app, "list", "--action", "test", "--kind", "thing").splitlines()
    assert [json.loads(line)["object_id"] for line in lines] == ["4", "3", "2", "1", "0"]
    table = run(audit_app, "export", "--action", "test", "--object", "2").removeprefix("\ufeff")
    assert [row["object_id"] for row in csv.DictReader(io.StringIO(table))] == ["2"]
    newest = [json.loads(line) for line in run(audit_app, "list", "--limit", "2").splitlines()]
    assert [event["action"] for event in newest] == ["download", "read"]
    with pytest.raises(InputError):
        run(audit_app, "list", "--since", "2026-03-01T08:00:00")


def test_the_head_is_printed_and_verified_from_elsewhere(tmp_path: Path) -> None:
    head = json.loads(run(audit_app, "head"))
    outside = f"{head['number']}:{head['hash']}"
    found = json.loads(run(audit_app, "verify", "--head", outside, "--json"))
    assert (found["faults"], found["unsealed"]) == ([], 0)
    assert found["head"] == {"number": head["number"], "hash": head["hash"]}
    file = tmp_path / "heads"
    file.write_text(f"{outside} 2026-03-01\n{head['number']}:{'0' * 64}\n", "utf-8")
    said = run(audit_app, "verify", "--head-file", str(file), code=1)
    assert str(head["number"]) in said
    later = f"{head['number'] + 9}:{'0' * 64}"
    (fault,) = json.loads(run(audit_app, "verify", "--head", later, "--json", code=1))["faults"]
    assert (fault["kind"], fault["seal_number"]) == ("cut", head["number"] + 9)
    with pytest.raises(InputError):
        run(audit_app, "verify", "--head", "12")


def test_a_person_is_found_handed_out_and_erased_after_asking() -> None:
    assert json.loads(run(person_app, "find", "--phone", PHONE)) == {"household": 1}
    handed_out = json.loads(run(person_app, "export", "--household", "h"))
    assert handed_out["rows"][0]["values"]["head_name"] == "李四"
    run(person_app, "erase", "--phone", PHONE, "--dry-run")
    run(person_app, "erase", "--phone", PHONE, code=1, answer="n\n")
    assert json.loads(run(person_app, "find", "--phone", PHONE))["household"] == 1
    run(person_app, "erase", "--phone", PHONE, answer="y\n")
    assert json.loads(run(person_app, "find", "--phone", PHONE)) == {}
    with pytest.raises(InputError):
        run(person_app, "erase", "--name", "李四", "--yes")
