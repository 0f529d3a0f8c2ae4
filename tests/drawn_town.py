"""A small town drawn as text, and the files in which a county would hand it in.

In the drawing of roads a capital letter is a junction, ``-`` and ``|`` are street between two of
them, a small letter is a home at the street and ``*`` a fire station; all else is no road. In the
drawing of land each digit is the base grid that the sign lies in. A sign is 100 metres wide and
high.
"""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import shapely

STEP_M: Final = 100.0
WEST, NORTH = 112.9, 28.7
VILLAGE: Final = "990102101201"
_LAT_STEP: Final = STEP_M / 110_822  # metres of a degree of latitude at 28.7° N, WGS 84
_LON_STEP: Final = STEP_M / (111_320 * math.cos(math.radians(NORTH)) * 1.0008)


@dataclass(frozen=True)
class DrawnTown:
    """Places of a drawing, by their letter, in degrees."""

    junctions: dict[str, tuple[float, float]]
    homes: dict[str, tuple[float, float]]
    stations: list[tuple[float, float]]
    streets: list[tuple[str, str]]
    land: dict[str, shapely.MultiPolygon]


def at(column: float, row: float) -> tuple[float, float]:
    """Put a sign of the drawing onto the ground."""
    return round(WEST + column * _LON_STEP, 9), round(NORTH - row * _LAT_STEP, 9)


def read(roads: str, land: str) -> DrawnTown:
    """Read a town from its two drawings."""
    rows, ground = _rows(roads), _rows(land)
    signs = {
        (column, row): sign
        for row, line in enumerate(rows)
        for column, sign in enumerate(line)
        if sign != " "
    }
    across, down = "\n".join(rows), "\n".join(_turned(rows))
    return DrawnTown(
        {sign: at(*place) for place, sign in signs.items() if sign.isupper()},
        {sign: at(*place) for place, sign in signs.items() if sign.islower()},
        [at(*place) for place, sign in signs.items() if sign == "*"],
        [*_streets(across, "-"), *_streets(down, "|")],
        _land(ground),
    )


def _rows(drawing: str) -> list[str]:
    lines = drawing.strip("\n").split("\n")
    width = max(map(len, lines))
    return [line.ljust(width) for line in lines]


def _turned(rows: list[str]) -> list[str]:
    return ["".join(column) for column in zip(*rows, strict=True)]


def _streets(drawing: str, street: str) -> list[tuple[str, str]]:
    """Follow each line of signs from junction to junction."""
    found = []
    for line in drawing.split("\n"):
        begin, runs = "", 0
        for sign in line:
            if sign.isupper():
                if begin and runs:
                    found.append((begin, sign))
                begin, runs = sign, 0
            elif sign == street:
                runs += 1
            elif not (begin and (sign.islower() or sign == "*")):
                begin, runs = "", 0
    return found


def _land(rows: list[str]) -> dict[str, shapely.MultiPolygon]:
    squares: dict[str, list[shapely.Polygon]] = {}
    for row, line in enumerate(rows):
        for column, digit in enumerate(line):
            corners = (*at(column - 0.5, row + 0.5), *at(column + 0.5, row - 0.5))
            squares.setdefault(digit, []).append(shapely.box(*corners))
    return {
        digit: shapely.multipolygons(
            shapely.get_parts(shapely.union_all(parts, grid_size=1e-9)).tolist()
        )
        for digit, parts in sorted(squares.items())
    }


def code_of(digit: str) -> str:
    """Give the code of a base grid."""
    return f"{VILLAGE}{int(digit):03d}"


def write(
    town: DrawnTown, folder: Path, tags: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Path]:
    """Write the town's files, by kind; ``tags`` of streets are told by their two junctions."""
    everything = shapely.union_all(list(town.land.values()), grid_size=1e-9)
    grids = [
        _grid("990102101", "示例镇", "大网格", None, everything),
        _grid(VILLAGE, "东村", "中网格", "990102101", everything),
        *(
            _grid(code_of(digit), f"东村{digit}组", "基础网格", VILLAGE, shape)
            for digit, shape in town.land.items()
        ),
    ]
    streets = [
        _feature(
            {"道路等级": "residential", **(tags or {}).get(begin + end, {})},
            shapely.LineString([town.junctions[begin], town.junctions[end]]),
        )
        for begin, end in town.streets
    ]
    homes = [[letter, "1", *place] for letter, place in town.homes.items()]
    stations = [[f"F{n}", "消防站", "消防站", *place] for n, place in enumerate(town.stations)]
    contents = {
        "grids": ("grids.geojson", _collection(grids)),
        "roads": ("roads.geojson", _collection(streets)),
        "households": ("households.csv", _table(["户编号", "人数", "经度", "纬度"], homes)),
        "facilities": (
            "facilities.csv",
            _table(["设施编号", "类型", "名称", "经度", "纬度"], stations),
        ),
    }
    files = {kind: folder / name for kind, (name, _) in contents.items()}
    for kind, (_, text) in contents.items():
        files[kind].write_text(text, "utf-8")
    return files


def _grid(code: str, name: str, level: str, parent: str | None, shape: Any) -> dict[str, Any]:
    fields = {"网格编码": code, "网格名称": name, "层级": level, "上级编码": parent}
    return _feature({**fields, "网格类型": "普通", "城乡分类": "220"}, shape)


def _feature(properties: dict[str, Any], shape: Any) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(shape))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _collection(features: list[dict[str, Any]]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def _table(header: list[str], rows: list[list[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([header, *rows])
    return file.getvalue()
