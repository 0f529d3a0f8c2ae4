"""Street networks that OSMnx wrote as GraphML: directed edges become roads, one for both ways.

The file is read piece by piece and never expands entities. Nothing here touches the store.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

import numpy as np
import pandas as pd
import shapely
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from gis_service.coordinate_systems import CoordinateSystem, geometries_to_cgcs2000, parse_crs
from gis_service.errors import InputError
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.readers.frames import Note
from gis_service.ingest.readers.raw import check_row_count, check_vertex_count

_SPACE: Final = "{http://graphml.graphdrawing.org/xmlns}"
_TAGS: Final = (
    "highway", "name", "ref", "maxspeed", "bridge", "tunnel", "layer", "junction", "access",
    "service", "foot", "motor_vehicle", "osmid",
)  # fmt: skip
_IMPORTANCE: Final = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential",
    "living_street", "service", "track", "path", "cycleway", "footway", "pedestrian", "steps",
)  # fmt: skip


@dataclass
class _Graph:
    """A graph as the file has it; attributes by name."""

    about: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, tuple[float, float]] = field(default_factory=dict)
    edges: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


def read_graphml(
    path: Path, *, crs: CoordinateSystem | None, original_name: str | None = None
) -> FileTable:
    """Read a network."""
    name = original_name or path.name
    if not path.is_file():
        raise InputError("ingest.file_missing", file=name)
    if path.stat().st_size == 0:
        raise InputError("ingest.file_empty", file=name)
    graph = _read_graph(path, name)
    own_crs = graph.about.get("crs", "")
    if not own_crs and crs is None:
        raise InputError("roads_file.graph_without_crs", file=name)
    system = crs or parse_crs(own_crs)
    roads = _join_directions(graph, name)
    lines = np.empty(len(roads), dtype=object)
    lines[:] = [line for *_, line in roads]
    check_row_count(len(roads), name)
    check_vertex_count(int(shapely.get_num_coordinates(lines).sum()), name)
    frame = pd.DataFrame([_road_as_row(*road[:4]) for road in roads], dtype=object)
    bounds = shapely.bounds(lines)
    return FileTable(
        name=name,
        frame=frame,
        geometry=geometries_to_cgcs2000(system, lines),
        rows=np.arange(1, len(roads) + 1, dtype=np.int64),
        crs=system,
        encoding="utf-8",
        layer=None,
        raw_xy=((bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2),
        notes=[
            Note(
                "roads_file.graph_joined",
                {"nodes": len(graph.nodes), "edges": len(graph.edges), "roads": len(roads)},
            )
        ],
    )


def _read_graph(path: Path, name: str) -> _Graph:
    graph = _Graph()
    keys: dict[str, str] = {}
    try:
        for _, element in iterparse(path, events=("end",), forbid_dtd=True):
            tag = str(element.tag).removeprefix(_SPACE)
            if tag == "key":
                keys[element.get("id", "")] = element.get("attr.name", "")
            elif tag == "node":
                data = _read_data(element, keys)
                graph.nodes[element.get("id", "")] = (float(data["x"]), float(data["y"]))
                element.clear()
            elif tag == "edge":
                ends = (element.get("source", ""), element.get("target", ""))
                graph.edges.append((*ends, _read_data(element, keys)))
                element.clear()
            elif tag == "graph":
                graph.about = _read_data(element, keys)
    except DefusedXmlException as error:
        raise InputError("roads_file.graph_entities", file=name) from error
    except ParseError as error:
        raise InputError("roads_file.graph_cut", file=name, detail=str(error)) from error
    except (KeyError, ValueError) as error:
        raise InputError("roads_file.graph_without_places", file=name) from error
    if not graph.edges:
        raise InputError("roads_file.graph_empty", file=name)
    return graph


def _read_data(element: Element, keys: dict[str, str]) -> dict[str, str]:
    return {
        keys.get(item.get("key", ""), item.get("key", "")): (item.text or "").strip()
        for item in element.findall(f"{_SPACE}data")
    }


_Road = tuple[str, str, str, dict[str, str], Any]


def _join_directions(graph: _Graph, name: str) -> list[_Road]:
    """Make one road of the edges that run both ways along one line."""
    groups: dict[tuple[Any, ...], list[_Road]] = {}
    for source, target, data in graph.edges:
        if source not in graph.nodes or target not in graph.nodes:
            raise InputError("roads_file.graph_without_places", file=name)
        line = _read_line(data, graph.nodes[source], graph.nodes[target], name)
        xy = [tuple(point) for point in shapely.get_coordinates(line).tolist()]
        direction_free = min(xy, xy[::-1])
        ids = tuple(sorted(_read_value_list(data.get("osmid", ""))))
        key = (frozenset((source, target)), ids, tuple(direction_free))
        oneway = data.get("oneway", "False").casefold() in ("true", "yes", "1")
        groups.setdefault(key, []).append((source, target, "yes" if oneway else "no", data, line))
    return [road for group in groups.values() for road in _join_group(group)]


def _join_group(group: list[_Road]) -> Iterator[_Road]:
    first = min(group, key=lambda road: road[3].get("reversed", "False") == "True")
    if any(road[2] == "no" for road in group):
        yield (first[0], first[1], "no", first[3], first[4])
        return
    by_direction = {(road[0], road[1]): road for road in group}
    if len(by_direction) == 2:
        yield (first[0], first[1], "no", first[3], first[4])
        return
    yield from by_direction.values()


def _read_line(
    data: dict[str, str], start: tuple[float, float], end: tuple[float, float], name: str
) -> Any:
    if not data.get("geometry"):
        return shapely.LineString([start, end])
    line = shapely.from_wkt(data["geometry"], on_invalid="ignore")
    if line is None or line.geom_type != "LineString" or line.is_empty:
        raise InputError("roads_file.graph_without_places", file=name)
    return line


def _read_value_list(text: str) -> list[str]:
    """Read one value, or the list of values that OSMnx made of a joined road."""
    if not text.startswith("["):
        return [text] if text else []
    try:
        values = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return [text]
    return [str(value) for value in values]


def _road_as_row(source: str, target: str, oneway: str, data: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"from": source, "to": target, "oneway": oneway}
    for tag in _TAGS:
        values = _read_value_list(data.get(tag, ""))
        if tag == "highway":
            row[tag] = max(values, key=_importance_of, default=None)
        elif tag == "maxspeed":
            row[tag] = ";".join(values) or None
        elif tag == "name":
            row[tag] = " / ".join(dict.fromkeys(values)) or None
        else:
            row[tag] = values[0] if values else None
    return row


def _importance_of(highway: str) -> int:
    main_class = highway.removesuffix("_link")
    return _IMPORTANCE.index(main_class) if main_class in _IMPORTANCE else -1
