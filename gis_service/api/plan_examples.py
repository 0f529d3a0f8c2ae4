"""Answers about plans and versions as their description shows them: one small case each."""

from typing import Any, Final

_AUTHOR: Final = {"actor_id": 3, "name": "规划员", "name_en": "Planner"}
_LINE: Final = {"type": "LineString", "coordinates": [[112.91, 28.71], [112.92, 28.71]]}
_RING: Final = [[112.91, 28.71], [112.92, 28.71], [112.92, 28.72], [112.91, 28.71]]
_LAND: Final = {"type": "Polygon", "coordinates": [_RING]}
_PLAN: Final = {
    "plan_id": 1, "title": "东街拆分", "reason": "户数过多", "status": "draft", "rev": 2,
    "author": _AUTHOR, "created_at": "2026-11-23T09:00:00+08:00", "base_version": 2,
    "version_id": None,
}  # fmt: skip
_SPLIT: Final = {
    "kind": "split", "grid": "154", "keeps": "larger", "key": "new-1", "name": "东街六格",
    "line": _LINE,
}  # fmt: skip
_REVIEW: Final = {
    "actor": _AUTHOR, "at": "2026-11-23T10:00:00+08:00", "decision": "submitted", "text": "",
    "rev": 2,
}  # fmt: skip


def _collection(geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    return {"type": "FeatureCollection", "features": [feature]}


PLANS: Final = [{**_PLAN, "edit_count": 1}]
PLAN: Final = {
    **_PLAN,
    "scheme": "base",
    "base_day": "2025-07-01",
    "edits": [
        {
            "seq": 1, "edit": _SPLIT, "actor": _AUTHOR, "at": "2026-11-23T09:05:00+08:00",
            "state": "done", "summary": "拆分东街三格，新设东街六格",
        }
    ],
    "can_undo": True,
    "can_redo": False,
    "reasons": {},
    "reviews": [_REVIEW],
    "comments": [],
    "conflicts": [],
    "size_rule": {"urban": [200, 300], "rural": [80, 300]},
}  # fmt: skip
STAGE: Final = {"stage": "ready"}
FACES: Final = _collection(
    _LAND,
    key="154", name="东街三格", code="990101001001003", parent="16", households=258,
    target=[200, 300], changed=True, is_new=False,
)  # fmt: skip
EDGES: Final = _collection(_LINE, left="154", right="155", kind="street", drawn=False)
SNAP: Final = _collection(_LINE, kind="street")
BUILDINGS: Final = _collection(_LAND, building_id=8, households=4)
CHECKS: Final = {
    "errors": 0,
    "warnings": 1,
    "findings": [
        {
            "id": "size:155", "rule": "size", "severity": "warning", "keys": ["155"],
            "text": "东街二格 有 507 户，本类地区应为 200 至 300 户（规模适度）。", "place": _LAND,
        }
    ],
    "information": [],
}  # fmt: skip
IMPACT: Final = {
    "on": "2026-11-23",
    "earliest_day": "2026-11-23",
    "possible": True,
    "moved": {"buildings": 60, "households": 129, "premises": 2, "hazards": 0, "incidents": 1},
    "households": [
        {
            "from": "154", "from_name": "东街三格", "to": "new-1", "to_name": "东街六格",
            "households": 129,
        }
    ],
    "grids": {"changed": 2, "created": [{"key": "new-1", "name": "东街六格"}], "retired": []},
    "officers_to_appoint": [{"key": "new-1", "name": "东街六格"}],
}  # fmt: skip
_COSTS: Final = {
    "grids_changed": 0, "households_moved": 0, "people_moved": 0, "officers": [],
    "buildings_cut": 0, "along_streets": None, "border_m": 5123.0, "new_border_m": 0.0,
    "inside": 5, "of": 8, "compactness": 0.41,
}  # fmt: skip
PROPOSAL: Final = {
    "proposal_id": None,
    "scope": {"village": "41"},
    "today": _COSTS,
    "bounds": {"moves": 600, "border_m": None},
    "told": [{"text": "这里没有街巷可循，界线从房屋之间通过。", "place": None}],
    "answers": [
        {
            "name": "least_change",
            "costs": {
                **_COSTS,
                "grids_changed": 1, "households_moved": 612, "people_moved": 1800,
                "officers": [
                    {"grid": "154", "name": "东街三格", "officer": True, "gains": 0, "loses": 612}
                ],
                "along_streets": 0.93, "border_m": 6023.0, "new_border_m": 900.0, "inside": 8,
            },
            "faces": _collection(
                _LAND,
                key="154", name="东街三格", households=288, is_new=False, changed=True, inside=True,
            ),
            "edit": {"kind": "redraw", "grids": ["154"], "regions": {"154": _LAND}},
        }
    ],
}  # fmt: skip
VERSIONS: Final = [
    {
        "version_id": 3, "effective_day": "2026-11-23",
        "published_at": "2026-11-23T11:00:00+08:00", "published_by": _AUTHOR,
        "title": "东街拆分", "reason": "户数过多",
        "counts": {"grids": 1248, "changed": 2, "retired": 0, "moved": {"household": 129},
                   "open_incidents": 0},
        "plan_id": 1, "reviews": [_REVIEW], "withdraws": None, "withdrawn_by": None,
        "earliest_day": "2026-11-24",
    }
]  # fmt: skip
COMPARISON: Final = {
    "a": {"version_id": 2, "effective_day": "2025-07-01"},
    "b": {"version_id": 3, "effective_day": "2026-11-23"},
    "grids": [
        {
            "key": "154", "what": "land", "rank": 3, "name": "东街三格",
            "code": "990101001001003", "parent": "16", "name_before": "东街三格",
            "code_before": "990101001001003",
        }
    ],
    "households_moved": 129,
    "moved": [
        {
            "from": "154", "from_name": "东街三格", "from_code": "990101001001003",
            "to": "4598", "to_name": "东街六格", "to_code": "990101001001009",
            "households": 129, "people": 371,
        }
    ],
    "faces": _collection(_LAND, key="154", what="land", rank=3, name="东街三格"),
}  # fmt: skip
