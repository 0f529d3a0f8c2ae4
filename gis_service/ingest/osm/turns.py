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


def turns(
    relations: Iterable[Relation],
    edges: pd.DataFrame,
    same: Mapping[int, int],
    way_stride: int,
    closed: Collection[int] = (),
) -> tuple[pd.DataFrame, list[Note]]:
    """
    Find the edges that restrictions speak of.

    A restriction is applied if it holds for cars at all hours and is about one node where its ways
    begin or end. It is kept with a reason where it leads over ways (``via_way``), holds at times
    only (``conditional``) or for some vehicles (``vehicle``), spares cars (``excepted``), names a
    way that passes through its node, or nothing a restriction can be about (``unclear``), or names
    roads that are not here (``not_here``).

    Parameters
    ----------
    relations
        Of type ``restriction``.
    edges
        ``road_edges``.
    same
        Nodes that were joined to another one.
    way_stride
        ``edge_id`` is the way's id times this and more.
    closed
        Nodes that no motor vehicle passes: the same as a restriction from every edge into every
        other one, of the kind ``tables.BARRIER_TURN`` and with the node's id for the relation's.

    Returns
    -------
    frame, notes
        ``road_turns``, and how many there are and are not applied.
    """
    ends: dict[tuple[int, int], list[int]] = {}
    for edge, source, target in zip(
        edges["edge_id"].tolist(),
        edges["source_node"].tolist(),
        edges["target_node"].tolist(),
        strict=True,
    ):
        for node in {source, target}:
            ends.setdefault((edge // way_stride, node), []).append(edge)
    rows = [row for relation in relations for row in _rows(relation, ends, same)]
    restrictions, barriers = len(rows), 0
    for node, here in sorted(_edges_at(edges, closed).items()):
        pairs = [(one, other) for one in sorted(here) for other in sorted(here) if one != other]
        barriers += bool(pairs)
        rows += [(node, BARRIER_TURN, one, node, other, None) for one, other in pairs]
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


def _edges_at(edges: pd.DataFrame, closed: Collection[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for end in ("source_node", "target_node"):
        there = edges[edges[end].isin(list(closed))]
        for node, edge in zip(there[end].tolist(), there["edge_id"].tolist(), strict=True):
            if edge not in found.setdefault(node, []):
                found[node].append(edge)
    return found


def _rows(
    relation: Relation, ends: Mapping[tuple[int, int], list[int]], same: Mapping[int, int]
) -> list[Row]:
    kind, why_not = _kind(relation.tags)
    if kind is None:
        return []
    by_role: dict[str, list[tuple[str, int]]] = {"from": [], "via": [], "to": []}
    for member, ref, role in relation.members:
        by_role.setdefault(role, []).append((member, ref))
    via = by_role["via"]
    why_not = why_not or ("via_way" if any(member == "w" for member, _ in via) else None)
    if why_not is None and (len(via) != 1 or via[0][0] != "n"):
        why_not = "unclear"
    pairs = [(one, other) for _, one in by_role["from"] for _, other in by_role["to"]]
    if why_not is not None or not pairs:
        return [(relation.id, kind, None, None, None, why_not or "unclear")]
    node = same.get(via[0][1], via[0][1])
    return [_row(relation.id, kind, node, pair, ends) for pair in pairs]


def _row(
    relation_id: int,
    kind: str,
    node: int,
    ways: tuple[int, int],
    ends: Mapping[tuple[int, int], list[int]],
) -> Row:
    found = [ends.get((way, node), []) for way in ways]
    if not all(found):
        return relation_id, kind, None, None, None, "not_here"
    if kind == "no_u_turn" and ways[0] == ways[1] and len(found[0]) == 1:
        return relation_id, kind, found[0][0], node, found[0][0], None
    if any(len(edges) != 1 for edges in found):
        return relation_id, kind, None, None, None, "unclear"
    return relation_id, kind, found[0][0], node, found[1][0], None


def _kind(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Read what is restricted, and why it is not for all cars at all hours."""
    if tags.get("restriction", "").startswith(_KINDS):
        spared = {word.strip() for word in tags.get("except", "").split(";")}
        if spared & _CARS:
            return tags["restriction"], "excepted"
        at_times = {"day_on", "day_off", "hour_on", "hour_off"} & tags.keys()
        return tags["restriction"], "conditional" if at_times else None
    for key, value in tags.items():
        word = value.split("@")[0].strip()
        if key.startswith("restriction") and word.startswith(_KINDS):
            return word, "conditional" if key.endswith(":conditional") else "vehicle"
    return None, None
