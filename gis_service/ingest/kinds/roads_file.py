"""Roads from a file of lines or a graph: noded into a network, which becomes the active one.

The old network stays in the store, no longer active; coverage runs that were measured on it keep
it. A network that does not lie where the county is, or where its old roads are, is held back.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import InputError
from gis_service.geodesy import length_m
from gis_service.ingest.kinds import queries
from gis_service.ingest.kinds.grid_rows import read_fields
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.off_lines import hold_back_off_lines
from gis_service.ingest.kinds.options import OPTIONS
from gis_service.ingest.kinds.road_noding import NodedRoads, node_roads
from gis_service.ingest.kinds.shifted import hold_back_shifted
from gis_service.ingest.osm import tags as osm_tags
from gis_service.ingest.readers.columns import FileField
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.readers.frames import COLUMNS, Note, Refusal
from gis_service.ingest.sandbox import client as sandbox
from gis_service.ingest.writing.write import write_roads
from gis_service.settings import number_settings
from gis_service.store import tables as t

GRAPHML: Final = (".graphml",)
FIELDS: Final = (
    FileField(
        "highway",
        ("class", "fclass", "road_class", "道路等级", "等级", "道路类型", "类型", "道路类别",
         "技术等级", "行政等级", "公路等级", "type"),
    ),
    FileField("name", ("道路名称", "名称", "路名", "路线名称", "mc", "road_name")),
    FileField("ref", ("路线编号", "道路编号", "编号", "路线代码")),
    FileField("oneway", ("单行", "单行道", "单向", "通行方向", "方向")),
    FileField("maxspeed", ("限速", "最高限速", "限速值", "maxspeed_kmh", "speed_limit", "设计速度")),  # noqa: E501 (a list of names)
    FileField("bridge", ("桥", "桥梁", "是否桥梁")),
    FileField("tunnel", ("隧道", "是否隧道")),
    FileField("layer", ("层", "高度层")),
    FileField("junction", ("环岛", "交叉口类型")),
    FileField("dual_carriageway", ("分隔", "双幅路")),
    FileField("access", ("通行权限",)),
    FileField("service", ()),
    FileField("foot", ("步行",)),
    FileField("motor_vehicle", ("机动车",)),
    FileField("from"),
    FileField("to"),
)  # fmt: skip

CLASS_WORDS: Final = {
    "高速公路": "motorway", "高速": "motorway", "国道": "trunk", "快速路": "trunk",
    "城市快速路": "trunk", "一级公路": "trunk", "一级": "trunk", "省道": "primary",
    "主干路": "primary", "主干道": "primary", "二级公路": "primary", "二级": "primary",
    "县道": "secondary", "次干路": "secondary", "次干道": "secondary", "三级公路": "secondary",
    "三级": "secondary", "乡道": "tertiary", "支路": "tertiary", "四级公路": "tertiary",
    "四级": "tertiary", "村道": "unclassified", "等外公路": "unclassified", "等外": "unclassified",
    "专用公路": "unclassified", "居住区道路": "residential", "小区道路": "residential",
    "街巷": "residential", "巷道": "residential", "内部道路": "service", "机耕路": "track",
    "机耕道": "track", "小路": "path", "人行道": "footway", "步行道": "footway",
    "自行车道": "cycleway", "台阶": "steps", "步行街": "pedestrian", "轮渡": "ferry",
    "渡口": "ferry", "汽渡": "ferry", "ferry": "ferry", "unknown": "unclassified",
}  # fmt: skip
"""Chinese words by the administrative and technical classes of JTG B01 and CJJ 37."""

_ONEWAY: Final = {
    "f": 1, "ft": 1, "正向": 1, "单向": 1, "单行": 1, "顺行": 1, "是": 1, "yes": 1, "true": 1,
    "1": 1, "t": -1, "tf": -1, "反向": -1, "逆向": -1, "-1": -1, "reverse": -1, "b": 0, "双向": 0,
    "双行": 0, "否": 0, "no": 0, "false": 0, "0": 0, "": 0, "reversible": 0, "alternating": 0,
}  # fmt: skip
_FLAGS: Final = {
    "t": "yes", "1": "yes", "是": "yes", "有": "yes", "true": "yes", "桥": "yes", "隧道": "yes",
    "f": "no", "0": "no", "否": "no", "无": "no", "false": "no", "": "no",
}  # fmt: skip
_GRADE: Final = re.compile(r"track_grade\d")
_LINES: Final = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING)
_STRIDE: Final = 10_000
_MOST_NOTES: Final = 20
_NEAR_M: Final = 20.0
_FEWEST_EDGES: Final = 50


@dataclass
class _RoadLines:
    """Lines of the file that are roads, with their attributes; one entry a line."""

    line: list[Any] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    attributes: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    unclassed: int = 0
    closed: Counter[str] = field(default_factory=Counter)


# --- rows --------------------------------------------------------------------------------------


def read_road_class(word: str | None) -> str | None:
    """Name the class of a road by a word in Chinese, of OpenStreetMap or of Geofabrik."""
    # ``unclassified`` where nothing is said; None where the word is not known.
    if word is None:
        return "unclassified"
    word = word.strip().casefold()
    if word in CLASS_WORDS:
        return CLASS_WORDS[word]
    if _GRADE.fullmatch(word):
        return "track"
    return osm_tags.find_road_class({"highway": word})


def read_attributes(row: Mapping[str, Any], class_: str) -> dict[str, Any]:
    """Read the columns of ``road_edges`` that do not depend on the place, and ``layer``."""
    tags = {name: str(value) for name, value in row.items() if value is not None}
    for flag in ("bridge", "tunnel", "dual_carriageway"):
        word = tags.get(flag, "").strip().casefold()
        tags[flag] = _FLAGS.get(word, word)
    direction = _ONEWAY.get(tags.get("oneway", "").strip().casefold())
    if direction is None or "oneway" not in tags:
        direction = osm_tags.read_oneway(tags, class_)
    bridge, tunnel = (osm_tags.says_yes(tags, flag) for flag in ("bridge", "tunnel"))
    return {
        "road_class": class_,
        "name": tags.get("name") or tags.get("ref") or "",
        "oneway": direction,
        "maxspeed_kmh": osm_tags.read_maxspeed_kmh(tags),
        "bridge": bridge,
        "tunnel": tunnel,
        "dual_carriageway": osm_tags.is_dual_carriageway(tags, class_, direction),
        "roundabout": osm_tags.is_roundabout(tags) or tags.get("junction") in ("是", "环岛"),
        "foot": osm_tags.allows_foot(tags, class_),
        "motor": osm_tags.allows_motor(tags, class_),
        "layer": _read_layer(tags.get("layer"), bridge=bridge, tunnel=tunnel),
    }


def _read_layer(text: str | None, *, bridge: bool, tunnel: bool) -> int:
    try:
        number = int(float(text)) if text else 0
    except ValueError:
        number = 0
    return number or int(bridge) - int(tunnel)


def _read_roads(table: MatchedTable) -> _RoadLines:
    given = read_fields(FIELDS, table)
    lines = _RoadLines()
    for index, row in enumerate(given.to_dict("records")):
        shape = table.geometry[index]
        word = row["highway"]
        class_ = read_road_class(None if word is None else str(word))
        if shape is None or shape.is_empty:
            lines.refusals.append(table.make_refusal(index, "ingest.row_empty", "geometry"))
        elif shapely.get_type_id(shape) not in _LINES:
            lines.refusals.append(table.make_refusal(index, "roads_file.row_no_line", "geometry"))
        elif class_ is None and str(word).strip().casefold() in _NOT_YET:
            lines.closed[str(word)] += 1
        elif class_ is None:
            known = " / ".join(
                [*t.ROAD_CLASSES, "高速公路", "国道", "省道", "县道", "乡道", "村道"]
            )
            lines.refusals.append(
                table.make_refusal(index, "ingest.row_unknown_word", "highway", allowed=known)
            )
        else:
            lines.unclassed += word is None
            values = read_attributes(row, class_)
            for part in shapely.get_parts(shape):
                lines.line.append(part)
                lines.index.append(index)
                lines.attributes.append(values)
    return lines


_NOT_YET: Final = frozenset(
    {"construction", "proposed", "planned", "abandoned", "razed", "raceway", "platform",
     "corridor", "elevator", "bus_stop", "在建", "规划", "废弃"}
)  # fmt: skip


# --- the network -------------------------------------------------------------------------------


def _take_nodes_of_graph(table: MatchedTable, lines: _RoadLines) -> NodedRoads:
    """Take the nodes that the file itself names."""
    names: dict[str, int] = {}
    places: list[tuple[float, float]] = []
    ends = []
    frame = table.frame
    for line, index in zip(lines.line, lines.index, strict=True):
        pair = []
        for column, position in (("from", 0), ("to", -1)):
            name = str(frame[column].iloc[index])
            if name not in names:
                names[name] = len(names)
                places.append(line.coords[position][:2])
            pair.append(names[name])
        ends.append(pair)
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    geometry = np.empty(len(lines.line), dtype=object)
    geometry[:] = lines.line
    count = len(geometry)
    no_crossings = np.empty((0, 2))
    return NodedRoads(
        np.array(places, dtype=float).reshape(-1, 2), np.arange(count), np.zeros(count, np.int64),
        pairs[:, 0], pairs[:, 1], geometry, 0, no_crossings, no_crossings.astype(np.int64), [],
    )  # fmt: skip


def make_frames(
    roads: NodedRoads, values: list[dict[str, Any]], index: list[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring a network into the form that is validated."""
    nodes = pd.DataFrame(
        {
            "node_id": np.arange(1, len(roads.nodes) + 1),
            "lon": roads.nodes[:, 0],
            "lat": roads.nodes[:, 1],
        }
    )
    rows = pd.DataFrame([values[line] for line in roads.line])
    row = pd.Series([index[line] for line in roads.line], dtype=np.int64)
    piece = row.groupby(row).cumcount()
    edges = rows.assign(
        edge_id=(row + 1) * _STRIDE + piece,
        source_node=roads.source + 1,
        target_node=roads.target + 1,
        geometry=pd.Series(roads.geometry, dtype=object),
    )
    edges["maxspeed_kmh"] = edges["maxspeed_kmh"].astype(float)
    return nodes, edges[list(COLUMNS["road_edges"])]


# --- where it lies -----------------------------------------------------------------------------


def _hold_back_off_roads(
    connection: sa.Connection, table: MatchedTable, road_lines: _RoadLines
) -> None:
    """Compare with the county, then with the roads that are there."""
    rows = np.unique(np.array(road_lines.index, dtype=np.int64))
    hold_back_shifted(connection, table, rows, on_buildings=False)
    system = table.file.crs
    active_edges = queries.read_active_edges(connection)
    if system is None or len(active_edges) < _FEWEST_EDGES:
        return
    lines_in_file = np.array(road_lines.line, dtype=object)
    hold_back_off_lines(
        "roads_file.off_the_roads", table.file.name, system, lines_in_file, active_edges, _NEAR_M
    )


# --- the handler -------------------------------------------------------------------------------


def take_roads(
    connection: sa.Connection,
    actor: Actor,
    table: MatchedTable,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """Write the roads of a file as the active network."""
    del actor
    extra = options.extra
    snap_m = options.metres("snap_m", number_settings().road_snap_m, 20, "roads_file.bad_snap")
    day = options.day("data_day")
    road_lines = _read_roads(table)
    if not road_lines.line:
        first_refusal = road_lines.refusals[0].message() if road_lines.refusals else "—"
        raise InputError("roads_file.no_roads", file=table.file.name, reason=first_refusal)
    if not options.accept_shift:
        _hold_back_off_roads(connection, table, road_lines)
    progress(0.2, "roads_file.step_noding")
    if table.file.name.casefold().endswith(GRAPHML):
        noded = _take_nodes_of_graph(table, road_lines)
    else:
        layers = [values["layer"] for values in road_lines.attributes]
        node_crossings = options.is_on("node_crossings")
        noded = node_roads(road_lines.line, layers, snap_m, cross=node_crossings)
    nodes, edges = make_frames(noded, road_lines.attributes, road_lines.index)
    result = HandlerResult(
        refusals=road_lines.refusals, notes=_notes_about_roads(noded, road_lines, table, snap_m)
    )
    result.details = _details_about(noded, road_lines, table)
    progress(0.6, "roads_file.step_writing")
    if _is_active_network(connection, edges):
        result.same = len(edges)
        return result
    roads_written = write_roads(
        connection, nodes, edges, extra.get("name") or table.file.name, "file", day,
        clipped=options.is_on("clipped"),
    )  # fmt: skip
    result.refusals = [*road_lines.refusals, *roads_written.refusals]
    result.new = roads_written.edges
    result.taken = {"road_node": roads_written.nodes, "road_edge": roads_written.edges}
    result.details["network_id"] = roads_written.network_id
    progress(1.0, "roads_file.step_writing")
    return result


def _is_active_network(connection: sa.Connection, edges: pd.DataFrame) -> bool:
    """Tell whether the active network has these very edges."""
    speeds = [
        None if pd.isna(speed) else float(np.float32(speed)) for speed in edges["maxspeed_kmh"]
    ]
    columns = [
        speeds if name == "maxspeed_kmh" else edges[name].tolist() for name in queries.EDGE_COLUMNS
    ]
    wkb = shapely.to_wkb(edges["geometry"].to_numpy())
    rows = set(zip(*columns, wkb.tolist(), strict=True))
    return rows == queries.read_active_edge_rows(connection)


def _notes_about_roads(
    roads: NodedRoads, lines: _RoadLines, table: MatchedTable, snap_m: float
) -> list[Note]:
    notes = [
        Note(
            "roads_file.network",
            {
                "edges": len(roads.geometry),
                "nodes": len(roads.nodes),
                "km": f"{length_m(roads.geometry).sum() / 1000:,.1f}",
            },
        )
    ]
    if lines.unclassed:
        notes.append(Note("roads_file.unclassed", {"n": lines.unclassed}))
    if lines.closed:
        kinds = ", ".join(f"{kind} {n}" for kind, n in lines.closed.most_common())
        notes.append(Note("roads_file.closed", {"n": lines.closed.total(), "kinds": kinds}))
    if roads.joined:
        notes.append(Note("roads_file.joined", {"n": roads.joined, "snap_m": f"{snap_m:g}"}))
    if roads.lost:
        notes.append(Note("roads_file.lost", {"n": len(roads.lost), "snap_m": f"{snap_m:g}"}))
    if len(roads.crossings):
        notes.append(Note("roads_file.crossings", {"n": len(roads.crossings)}))
    for (lon, lat), pair in list(_list_crossings(roads, lines, table))[:_MOST_NOTES]:
        rows = " / ".join(str(row) for row in pair)
        notes.append(Note("roads_file.crossing", {"lon": lon, "lat": lat, "rows": rows}))
    return notes


def _list_crossings(
    roads: NodedRoads, lines: _RoadLines, table: MatchedTable
) -> Iterable[tuple[tuple[float, float], tuple[int, int]]]:
    for (lon, lat), (a, b) in zip(
        roads.crossings.tolist(), roads.crossing_lines.tolist(), strict=True
    ):
        rows = int(table.rows[lines.index[a]]), int(table.rows[lines.index[b]])
        yield (round(lon, 7), round(lat, 7)), rows


def _details_about(roads: NodedRoads, lines: _RoadLines, table: MatchedTable) -> dict[str, Any]:
    return {
        "edges": len(roads.geometry),
        "nodes": len(roads.nodes),
        "km": round(float(length_m(roads.geometry).sum()) / 1000, 3),
        "joined": roads.joined,
        "crossings": [
            {"lonlat": list(place), "rows": list(rows)}
            for place, rows in _list_crossings(roads, lines, table)
        ],
    }


def _read_graphml(path: Path, options: ImportOptions) -> FileTable:
    return sandbox.read_graphml_in_child(path, crs=options.crs, original_name=options.original_name)


KIND: Final = ImportKind(
    name="roads",
    fields=FIELDS,
    handle=take_roads,
    default_key=None,
    geometry="required",
    extra=OPTIONS["roads"],
    read=_read_graphml,
    suffixes=GRAPHML,
)
