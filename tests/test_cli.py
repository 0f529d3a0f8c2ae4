"""What a person at a terminal reads when something is wrong: one line, and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from gis_service.store.engine import Store

LOADER = str(Path(__file__).resolve().parents[1] / "scripts/load_demo_county.py")


def started(command: list[str], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program as a person would, in English."""
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "GIS_LANGUAGE": "en", **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run ``gis-service``."""
    return started(["-m", "gis_service", *arguments], settings)


def test_a_port_that_is_none_is_said_before_anything_is_done(tmp_path: Path) -> None:
    for told in (
        run("serve", "--port", "70000", GIS_DATA_DIR=str(tmp_path / "var")),
        run("run", GIS_PORT="eight", GIS_DATA_DIR=str(tmp_path / "var")),
    ):
        assert told.returncode == 2
        assert "Traceback" not in told.stderr
        assert "port" in told.stderr.lower()
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("command", [["-m", "gis_service", "migrate"], [LOADER]])
def test_an_address_that_is_none_is_said_without_its_password(command: list[str]) -> None:
    told = started(command, {"GIS_DATABASE_URL": "mysql://me:secret@db/gis"})
    assert told.returncode == 6
    assert told.stderr.startswith("gis-service: GIS_DATABASE_URL")
    assert "secret" not in told.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("coverage", "run", "fire-99"), 3, "There is no standard fire-99"),
        (("coverage", "run", "fire-20", "--scenario", "flood"), 3, "There is no scenario flood"),
        (("run", "--once"), 3, "No county is loaded yet"),
    ],
)
def test_what_is_not_there_is_said(
    store: Store, arguments: tuple[str, ...], code: int, said: str
) -> None:
    told = run(*arguments, **at(store))
    assert (told.returncode, told.stdout) == (code, "")
    assert said in told.stderr.splitlines()[-1]


def test_the_whole_file_of_nothing_is_said(tmp_path: Path) -> None:
    told = run("run", "--whole-file", GIS_DATA_DIR=str(tmp_path / "var"))
    assert told.returncode == 2
    assert "--region" in told.stderr
    assert not (tmp_path / "var").exists()


def test_a_file_that_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    told = run("import", "osm", str(tmp_path / "nothing.pbf"), **at(store))
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1] == (
        "gis-service: There is no file nothing.pbf. Check the path."
    )


def at(store: Store) -> dict[str, str]:
    """Settings of a server of one's own, with the owner's login for the migrations."""
    owner: sa.URL = store.url.set(username="gis_owner")
    return {
        "GIS_DATABASE_URL": store.url.render_as_string(hide_password=False),
        "GIS_DATABASE_OWNER_URL": owner.render_as_string(hide_password=False),
    }
