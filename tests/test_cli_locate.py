"""The commands ``locate`` and ``assign``, as a person and as a program would call them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from gis_service import front
from gis_service.access import SYSTEM
from gis_service.boundaries.publication.grid_table import publish_table as publish
from gis_service.cli import app
from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000
from gis_service.errors import InputError, NotFoundError
from gis_service.store import Store
from tests.support import SIDE, SOUTH, WEST, nine, publish_nine

LATER = date(2025, 7, 1)


@pytest.fixture(scope="module")
def two_versions(store: Store) -> Store:
    """The drawn county, whose grids got other names on 2025-07-01."""
    with store.transaction(SYSTEM) as connection:
        first = publish_nine(connection)
        connection.execute(sa.text("SELECT set_config('gis.today', '2025-06-01', true)"))
        tessellation, drafts = nine()
        publish(
            connection, SYSTEM, "base", tessellation,
            drafts.assign(name="新" + drafts["name"]), LATER, "第二版", known=first.grid_ids,
        )  # fmt: skip
    return store


@pytest.fixture(autouse=True)
def _this_store(two_versions: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(**_: object) -> Iterator[Store]:
        yield two_versions

    monkeypatch.setattr("gis_service.store.open_store", opened)
    monkeypatch.setenv("GIS_LANGUAGE", "zh-CN")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


PLACE = (WEST + 1.5 * SIDE, SOUTH + 1.5 * SIDE)


def test_a_place_in_another_system_at_a_past_day_as_json() -> None:
    x, y = from_cgcs2000(CoordinateSystem("gcj02"), *PLACE)
    given = ["locate", str(float(x)), str(float(y)), "--crs", "gcj02", "--json"]
    before = json.loads(run(*given, "--at", "2025-03-01").stdout)
    after = json.loads(run(*given, "--at", "2025-07-01").stdout)
    assert before["grid"]["name"] == "格g11"
    assert before["version"]["until"] == "2025-07-01"
    assert after["grid"]["name"] == "新格g11"
    assert before["grid"]["grid_id"] == after["grid"]["grid_id"]


@pytest.mark.parametrize(
    "text", ["北纬28.715度 东经112.915度", "28°42′54″N 112°54′54″E", "112.915，28.715"]
)
def test_a_pasted_text_is_taken(text: str) -> None:
    found = run("locate", text)
    assert found.exit_code == 0, found.output
    assert "新格g11" in found.stdout
    assert "距边界" in found.stdout


def test_a_text_that_the_shell_took_apart_is_put_together() -> None:
    assert "新格g11" in run("locate", "N28°42′54″", "E112°54′54″").stdout


def test_west_and_south_are_no_options() -> None:
    found = json.loads(run("locate", "-70.5", "-33.4", "--json").stdout)
    assert found["outside"]
    assert found["given"]["x"] == -70.5


@pytest.mark.parametrize(
    ("arguments", "error", "key"),
    [
        (["112.9", "28.7", "--crs", "mars"], InputError, "coordinates.unknown_crs"),
        (["28.7", "112.9"], InputError, "locate.other_reading"),
        (["112.9", "28.7", "--at", "2020-01-01"], NotFoundError, "locate.before_first"),
        (["112.9", "28.7", "--scheme", "none"], NotFoundError, "grids.no_scheme"),
        (["nowhere"], InputError, "coordinates.pasted_nothing"),
    ],
)
def test_what_is_wrong_is_an_error_with_a_name(
    arguments: list[str], error: type[Exception], key: str
) -> None:
    found = run("locate", *arguments)
    assert isinstance(found.exception, error)
    assert found.exception.key == key  # type: ignore[attr-defined]  # either of the two has one


def test_a_file_is_assigned_with_its_rejects(tmp_path: Path) -> None:
    file, out = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text(f"名,经度,纬度\na,{PLACE[0]},{PLACE[1]}\nb,x,y\n", "gb18030")
    found = run("assign", str(file), "--crs", "cgcs2000", "--out", str(out), "--json")
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    assert (result["rows"], result["within"], result["refused"]) == (2, 1, 1)
    assert "新格g11" in out.read_text("gb18030")
    listed = Path(result["rejects"]).read_text("utf-8-sig")
    assert "不是坐标" in listed


def test_a_file_read_the_wrong_way_is_questioned(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text(f"lon,lat\n{PLACE[1]},{PLACE[0]}\n")
    found = run("assign", str(file), "--crs", "cgcs2000", "--out", str(tmp_path / "out.csv"))
    assert "对调" in found.stderr


def test_the_front_runs_the_two_without_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["gis-service", "locate", str(PLACE[0]), str(PLACE[1]), "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        front.main()
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["grid"]["name"] == "新格g11"
    monkeypatch.setattr(sys, "argv", ["gis-service", "version"])
    with pytest.raises(SystemExit) as ended:
        front.main()
    assert ended.value.code == 0
