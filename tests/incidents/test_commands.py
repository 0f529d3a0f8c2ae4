"""``gis-service incidents`` says what the store says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gis_service.commands import incidents as commands
from gis_service.errors import InputError
from gis_service.store import Store
from tests.incidents.conftest import middle

LON, LAT = middle("g00")


@pytest.fixture(autouse=True)
def opened(store: Store, grid_ids: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def open_store() -> Iterator[Store]:
        yield store

    monkeypatch.setattr("gis_service.store.open_store", open_store)


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(commands.incidents_app, list(words))
    assert done.exit_code == code, done.output
    return done.stdout


def test_a_table_goes_in_once_and_what_is_wrong_is_told_by_its_row(tmp_path: Path) -> None:
    file = tmp_path / "热线.csv"
    rows = [
        "编号,事件类别,内容,上报时间,lon,lat",
        f"H-1,垃圾堆放,桶满,2026-03-02 09:00,{LON},{LAT}",
        f"H-2,外星人,来了,2026-03-02 09:00,{LON},{LAT}",
        f"H-3,noise,,gestern,{LON},{LAT}",
    ]
    file.write_text("\n".join(rows) + "\n", "utf-8")
    told = json.loads(run("import", str(file), "--crs", "wgs84", "--json", code=2))
    assert (len(told["new"]), told["known"]) == (1, 0)
    assert [(one["row"], one["field"]) for one in told["refused"]] == [
        (3, "kind"),
        (4, "reported_at"),
    ]
    again = json.loads(run("import", str(file), "--crs", "wgs84", "--json", code=2))
    assert (again["new"], again["known"]) == ([], 1)
    listed = json.loads(run("overdue", "--json"))
    assert [(one["key"], one["due_on"]) for one in listed["items"]] == [("H-1", "2026-03-05")]
    assert "text" not in listed["items"][0]
    assert "H-1" in run("overdue", "--pass-up")
    assert run("overdue", "--soon") == ""


def test_the_calendar_is_shown_and_edited() -> None:
    run("calendar", "set", "2027-01-01", "--off", "--reason", "元旦")
    days = json.loads(run("calendar", "show", "2026-12-31", "2027-01-02", "--json"))
    assert [one["source"] for one in days] == ["published", "county", "weekdays"]
    assert days[1]["reason"] == "元旦"
    run("calendar", "year", "2027", "--complete")
    run("calendar", "clear", "2027-01-01")
    (day,) = json.loads(run("calendar", "show", "2027-01-01", "--json"))
    assert (day["is_working"], day["source"]) == (True, "published")
    run("calendar", "year", "2027", "--open")


def test_a_day_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(commands.incidents_app, ["calendar", "show", "morgen"])
    assert isinstance(done.exception, InputError)
