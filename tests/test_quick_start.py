"""A command begins before what it may need later is read: asserted on modules, not on a clock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from gis_service.cli import app
from gis_service.ingest.importing import list_kinds
from gis_service.ingest.kinds.options import OPTIONS

HEAVY = {
    "alembic", "fastapi", "folium", "geopandas", "numba", "numpy", "osmium", "pandas",
    "procrastinate", "psycopg2", "pydantic_settings", "pyogrio", "pypinyin", "pyproj", "scipy",
    "shapely", "sqlalchemy", "uvicorn", "weasyprint",
}  # fmt: skip
COMMAND = str(Path(sys.executable).with_name("gis-service"))
CHILD = """
import contextlib, io, json, sys
from gis_service import cli
helped = 0
for path in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        with contextlib.suppress(SystemExit):
            cli.app([*path, "--help"])
    helped += "Usage" in said.getvalue()
print(json.dumps({"helped": helped, "modules": sorted(sys.modules)}))
"""


def paths(command: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List every group and command, the whole first."""
    below = getattr(command, "commands", {})
    return [above, *(path for name, one in below.items() for path in paths(one, (*above, name)))]


def heavy_of(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} & HEAVY


def child(
    *arguments: str, program: str = sys.executable, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        env={**os.environ, "GIS_LANGUAGE": "en", **settings},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )


def test_the_help_of_every_command_reads_nothing_heavy() -> None:
    commands = paths(typer.main.get_command(app))
    assert len(commands) > 40
    told = json.loads(child("-c", CHILD, json.dumps(commands)).stdout)
    assert told["helped"] == len(commands)
    assert heavy_of(told["modules"]) == set()


@pytest.mark.parametrize("arguments", [("--help",), ("plan", "check", "--help"), ("version",)])
def test_the_real_door_reads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    told = child("-X", "importtime", "-m", "gis_service", *arguments)
    modules = [line.rpartition("|")[2].strip() for line in told.stderr.splitlines()]
    assert "gis_service.cli" in modules
    assert heavy_of(modules) == set()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gis-service pla", ["plan"]),
        ("gis-service plan ch", ["check"]),
        ("gis-service ru", ["run"]),
    ],
)
def test_a_shell_completes_a_command(words: str, expected: list[str]) -> None:
    bash = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "COMP_TYPE": "9"}
    told = child(program=COMMAND, _GIS_SERVICE_COMPLETE="complete_bash", **bash)
    assert told.stdout.split() == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_calls_this_command(shell: str) -> None:
    script = child(program=COMMAND, _GIS_SERVICE_COMPLETE=f"source_{shell}").stdout
    assert "_GIS_SERVICE_COMPLETE" in script
    assert "gis-service" in script


def test_a_file_is_checked_without_reading_the_store_or_the_compiler() -> None:
    code = "import sys, gis_service.ingest.kinds.grid_check; print(*sys.modules, sep='\\n')"
    modules = child("-c", code).stdout.splitlines()
    assert "gis_service.ingest.kinds.grid_rows" in modules
    needed = {
        "geopandas",
        "numpy",
        "pandas",
        "pydantic_settings",
        "pyogrio",
        "pyproj",
        "scipy",
        "shapely",
    }
    assert heavy_of(modules) <= needed


def test_the_light_list_of_kinds_is_the_list_of_kinds() -> None:
    assert list(OPTIONS) == list(list_kinds())
    assert {name: kind.extra for name, kind in list_kinds().items()} == OPTIONS


def test_nothing_is_written_by_a_help(tmp_path: Path) -> None:
    child("-m", "gis_service", "run", "--help", GIS_DATA_DIR=str(tmp_path / "var"))
    assert not (tmp_path / "var").exists()
