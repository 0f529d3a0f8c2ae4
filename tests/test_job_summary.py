"""What ``run --once`` says: a dozen lines to a person, one line to a program."""

import json
from pathlib import Path

import pytest

from gis_service.store.engine import Store
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty, small_county
from tests.test_cli import at, run

__all__ = ["small_county"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["County:", "Grids:", "Households: ", "service-15", "fire-20", "Map as one file:",
                "Database:", "scripts/run, then http://localhost:8000", "Who may sign in:", " s"]),
        ("zh-CN", ["县：", "网格：", "住户：", "service-15", "fire-20", "单文件地图：",
                   "数据库：", "scripts/run，然后打开 http://localhost:8000", "谁可以登录：",
                   " 秒"]),
    ],
)  # fmt: skip
def test_once_tells_a_person_in_a_dozen_lines_and_a_program_in_one(
    store: Store, small_county: SmallCounty, tmp_path: Path, language: str, words: list[str]
) -> None:
    told = run("run", "--once", GIS_DATA_DIR=str(tmp_path), GIS_LANGUAGE=language, **at(store))
    assert told.returncode == 0, told.stderr
    (line,) = told.stdout.splitlines()
    result = json.loads(line)
    assert result["households"] == sum(HOUSEHOLDS_PER_GRID.values()) + 1
    lines = told.stderr.splitlines()[-13:]
    assert lines[0].startswith(words[0])
    for word in words:
        assert sum(word in one for one in lines) >= 1, word
    assert f"{result['households']:,}" in told.stderr
    assert result["map"] in told.stderr
    assert "gis_service@" not in told.stderr
