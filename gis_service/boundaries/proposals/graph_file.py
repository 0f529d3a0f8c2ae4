"""A JSON file of graphs to part, as it is read: whole numbers, every field looked at once.

One graph, or several by name: ``k`` districts with ``low`` to ``high`` of ``population`` each,
``edges`` as pairs of atoms counted from 0, and ``fewest_cut_edges`` where somebody has proven it.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from gis_service.boundaries.proposals.graph import DistrictGraph, IntArray
from gis_service.errors import InputError, NotFoundError, Place

_MOST: Final = 2**53
"""Whole numbers beyond are not exact as floats, which JSON may read them as."""


@dataclass(frozen=True)
class GraphTask:
    """What is asked about one graph."""

    name: str
    graph: DistrictGraph
    districts: int
    low: int
    high: int
    # The fewest edges that any answer cuts, where the file says so.
    proven: int | None


def read_graph_file(path: Path) -> dict[str, GraphTask | InputError]:
    """
    Read the graphs of a file.

    Parameters
    ----------
    path
        JSON: one graph, or an object of graphs by name.

    Returns
    -------
    dict
        By name what is asked, or what is wrong with it. A graph alone has the name of the file.

    Raises
    ------
    InputError
        The file is not JSON, or holds no graph.
    NotFoundError
        There is no such file.
    """
    try:
        raw = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise NotFoundError("districts.no_file", file=path.name) from error
    except (ValueError, RecursionError) as error:
        raise InputError("districts.not_json", file=path.name, problem=str(error)) from error
    graphs = {path.stem: raw} if isinstance(raw, dict) and "edges" in raw else raw
    if not isinstance(graphs, dict) or not graphs:
        raise InputError("districts.no_graphs", file=path.name)
    return {name: _read_or_refuse(name, one) for name, one in graphs.items()}


def _read_or_refuse(name: str, raw: Any) -> GraphTask | InputError:
    try:
        return _read_graph(name, raw)
    except InputError as error:
        error.place = replace(error.place, feature=name)
        return error


def _read_graph(name: str, raw: Any) -> GraphTask:
    if not isinstance(raw, dict):
        raise InputError("districts.not_a_graph")
    for field in ("k", "low", "high", "population", "edges"):
        if field not in raw:
            raise InputError("districts.missing", field=field, place=Place(field=field))
    population = _read_list(raw["population"], "population", "districts.no_atoms")
    for row, value in enumerate(population):
        if not _is_whole(value):
            raise InputError(
                "districts.bad_population", row=row, place=Place(row=row, field="population")
            )
    edges = _read_list(raw["edges"], "edges", "districts.edges_not_pairs")
    for row, pair in enumerate(edges):
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_whole, pair))):
            raise InputError("districts.bad_edge", row=row, place=Place(row=row, field="edges"))
    return GraphTask(
        name,
        DistrictGraph(_as_array(population), _as_array(edges).reshape(-1, 2), np.ones(len(edges))),
        _read_whole(raw, "k", least=1),
        _read_whole(raw, "low"),
        _read_whole(raw, "high"),
        _read_whole(raw, "fewest_cut_edges") if "fewest_cut_edges" in raw else None,
    )


def _as_array(values: list[Any]) -> IntArray:
    return np.array(values, dtype=np.int64)


def _is_whole(value: Any, least: int = 0) -> bool:
    return type(value) is int and least <= value <= _MOST


def _read_whole(raw: dict[str, Any], field: str, least: int = 0) -> int:
    if not _is_whole(raw[field], least):
        raise InputError("districts.not_whole", field=field, least=least, place=Place(field=field))
    return int(raw[field])


def _read_list(value: Any, field: str, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(key, place=Place(field=field))
    return value
