"""Turn restrictions out of OpenStreetMap relations: which edge, which node, which edge.

What cannot be applied is kept with the reason, never dropped. Pure: relations and edges in, a frame
out.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import pandas as pd

from gis_service.ingest.osm.scan import Relation
from gis_service.ingest.readers.frames import COLUMNS, Note
from gis_service.store.tables import BARRIER_TURN

_KINDS: Final = ("no_", "only_")
_CARS: Final = frozenset({"motorcar", "motor_vehicle", "vehicle"})

Row = tuple[int, str, int | None, int | None, int | None, str | None]


def find_turns(
    relations: Iterable[Relation],
    edges: pd.DataFrame,
    same_node: Mapping[int, int],
    way_stride: int,
    closed_nodes: Collection[int] = (),
) -> tuple[pd.DataFrame, list[Note]]:
    """Find the edges that restrictions speak of: ``road_turns``, and notes."""
    # A restriction is applied if it holds for cars at all hours and is about one node where its
    # ways begin or end. It is kept with a reason where it leads over ways (``via_way``), holds at
    # times only (``conditional``) or for some vehicles (``vehicle``), spares cars (``excepted``),
    # names a way that passes through its node, or nothing a restriction can be about
    # (``unclear``), or names roads that are not here (``not_here``). Nodes that no motor vehicle
    # passes (``closed_nodes``) are the same as a restriction from every edge into every other
    # one, of the kind ``tables.BARRIER_TURN`` and with the node's id for the relation's.
    ends: dict[tuple[int, int], list[int]] = {}
    for edge, source, target in zip(
        edges["edge_id"].tolist(),
        edges["source_node"].tolist(),
        edges["target_node"].tolist(),
        strict=True,
    ):
        for node in {source, target}:
            ends.setdefault((edge // way_stride, node), []).append(edge)
    rows = [row for relation in relations for row in _make_rows(relation, ends, same_node)]
    restrictions, barriers = len(rows), 0
    for node, edges_here in sorted(_find_edges_at(edges, closed_nodes).items()):
        pairs = [
            (source_edge, target_edge)
            for source_edge in sorted(edges_here)
            for target_edge in sorted(edges_here)
            if source_edge != target_edge
        ]
        barriers += bool(pairs)
        rows += [
            (node, BARRIER_TURN, source_edge, node, target_edge, None)
            for source_edge, target_edge in pairs
        ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS["road_turns"])).astype(
        dict.fromkeys(("from_edge", "via_node", "to_edge"), "Int64") | {"why_not": object}
    )
    notes = []
    if restrictions:
        unapplied = int(frame["why_not"].notna().sum())
        values = {"n": restrictions, "applied": restrictions - unapplied, "not": unapplied}
        notes.append(Note("ingest.osm_turns", values))
    if barriers:
        notes.append(Note("ingest.osm_barriers", {"n": barriers}))
    return frame, notes


def _find_edges_at(edges: pd.DataFrame, closed_nodes: Collection[int]) -> dict[int, list[int]]:
    edges_of_node: dict[int, list[int]] = {}
    for end in ("source_node", "target_node"):
        edges_there = edges[edges[end].isin(list(closed_nodes))]
        for node, edge in zip(
            edges_there[end].tolist(), edges_there["edge_id"].tolist(), strict=True
        ):
            if edge not in edges_of_node.setdefault(node, []):
                edges_of_node[node].append(edge)
    return edges_of_node


def _make_rows(
    relation: Relation, ends: Mapping[tuple[int, int], list[int]], same_node: Mapping[int, int]
) -> list[Row]:
    kind, why_not = _read_kind(relation.tags)
    if kind is None:
        return []
    by_role: dict[str, list[tuple[str, int]]] = {"from": [], "via": [], "to": []}
    for member, ref, role in relation.members:
        by_role.setdefault(role, []).append((member, ref))
    via = by_role["via"]
    why_not = why_not or ("via_way" if any(member == "w" for member, _ in via) else None)
    if why_not is None and (len(via) != 1 or via[0][0] != "n"):
        why_not = "unclear"
    pairs = [(from_way, to_way) for _, from_way in by_role["from"] for _, to_way in by_role["to"]]
    if why_not is not None or not pairs:
        return [(relation.id, kind, None, None, None, why_not or "unclear")]
    node = same_node.get(via[0][1], via[0][1])
    return [_make_row(relation.id, kind, node, pair, ends) for pair in pairs]


def _make_row(
    relation_id: int,
    kind: str,
    node: int,
    ways: tuple[int, int],
    ends: Mapping[tuple[int, int], list[int]],
) -> Row:
    edges_of_way = [ends.get((way, node), []) for way in ways]
    if not all(edges_of_way):
        return relation_id, kind, None, None, None, "not_here"
    if kind == "no_u_turn" and ways[0] == ways[1] and len(edges_of_way[0]) == 1:
        return relation_id, kind, edges_of_way[0][0], node, edges_of_way[0][0], None
    if any(len(edges) != 1 for edges in edges_of_way):
        return relation_id, kind, None, None, None, "unclear"
    return relation_id, kind, edges_of_way[0][0], node, edges_of_way[1][0], None


def _read_kind(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Read what is restricted, and why it is not for all cars at all hours."""
    if tags.get("restriction", "").startswith(_KINDS):
        excepted = {word.strip() for word in tags.get("except", "").split(";")}
        if excepted & _CARS:
            return tags["restriction"], "excepted"
        at_times = {"day_on", "day_off", "hour_on", "hour_off"} & tags.keys()
        return tags["restriction"], "conditional" if at_times else None
    for key, value in tags.items():
        word = value.split("@")[0].strip()
        if key.startswith("restriction") and word.startswith(_KINDS):
            return word, "conditional" if key.endswith(":conditional") else "vehicle"
    return None, None
