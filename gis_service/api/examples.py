"""Examples for the OpenAPI document: one believable answer for each kind of request.

Names and codes are made up; no county has them.
"""

from collections.abc import Mapping
from typing import Any, Final

_VERSION: Final = {"version_id": 2, "effective_day": "2026-01-01", "title": "2026 年版"}
_LEVEL: Final = {"label": "基础网格", "label_en": "Base grid"}
_HEAD: Final = {
    "grid_id": 412,
    "scheme": "base",
    "code": "990101102003005",
    "code_groups": ["990101", "102", "003", "005"],
    "name": "东街三格",
    "kind": "ordinary",
    "rank": 3,
    "level": _LEVEL,
    "area_km2": 0.431207,
    "chain": [
        {"grid_id": 3, "name": "南桥镇", "code": "990101102", "rank": 1},
        {"grid_id": 57, "name": "东街社区", "code": "990101102003", "rank": 2},
        {"grid_id": 412, "name": "东街三格", "code": "990101102003005", "rank": 3},
    ],
    "version": _VERSION,
    "bbox": [112.901, 28.701, 112.911, 28.709],
}
_KIND_FIGURES: Final = {
    "n": 214,
    "covered": 201,
    "too_far": 13,
    "unreachable": 0,
    "off_network": 0,
    "share": 0.939252,
    "median_minutes": 6.2,
    "p90_minutes": 13.1,
    "worst_minutes": 17.4,
}
_COVERAGE: Final = {"service-15": {**_KIND_FIGURES, "kinds": {"clinic": _KIND_FIGURES}}}

PROBLEM: Final = {
    "type": "urn:gis-service:problem:bad-input",
    "title": "输入有误",
    "status": 422,
    "detail": "参数 limit 有误：应不大于 500。",
    "instance": "/api/grids",
    "field": "limit",
}
FILE: Final = {"type": "string", "format": "binary"}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "field": {"type": "string"},
    },
}
ACTOR: Final = {
    "actor_id": 2,
    "name": "县网格办",
    "name_en": "County office",
    "role": "county_office",
}
LINK: Final = "https://grid.example.gov.cn/sign-in#invitation-Qm9iJ3MgbGluaw"
ME: Final = {
    "actor": {"actor_id": 41, "name": "王小明", "name_en": "Wang Xiaoming", "role": "grid_officer"},
    "signed_in": True,
    "is_demo": False,
    "login": "wang.xm",
    "areas": [
        {
            "grid_id": 412,
            "name": "东街三格",
            "code": "990101102003005",
            "rank": 3,
            "bbox": [112.901, 28.701, 112.911, 28.709],
        }
    ],
    "may": ["see_household", "see_incident", "reveal_household", "enter_household"],
    "token": "5f2b…",
}
SESSION: Final = {
    "session_id": 12,
    "began_at": "2026-03-02T08:01:00+08:00",
    "seen_at": "2026-03-02T09:15:00+08:00",
    "address": "10.20.3.4",
    "user_agent": "Mozilla/5.0",
    "current": True,
}
NEW_ACCOUNT: Final[dict[str, Any]] = {
    "login": "wang.xm",
    "name": "王小明",
    "role": "grid_officer",
    "areas": [412],
    "officer_id": 7,
}
ACCOUNT: Final = {
    "actor_id": 41,
    **NEW_ACCOUNT,
    "name_en": "Wang Xiaoming",
    "has_password": False,
    "made_at": "2026-03-01T09:00:00+08:00",
    "seen_at": None,
    "ended_at": None,
    "link": LINK,
}
NEW_KEY: Final[dict[str, Any]] = {
    "name": "12345 热线",
    "role": "dispatcher",
    "scopes": ["open311"],
    "areas": None,
    "days": 365,
}
KEY: Final = {
    "key_id": 3,
    "hint": "gis_x7Qa",
    "name": "12345 热线",
    "role": "dispatcher",
    "scopes": ["open311"],
    "areas": None,
    "made_at": "2026-03-01T09:00:00+08:00",
    "expires_at": "2027-03-01T09:00:00+08:00",
    "used_at": None,
    "ended_at": None,
    "key": "gis_x7Qa…",
}
SCHEME: Final = {
    "code": "base",
    "name": "基础网格体系",
    "name_en": "Base scheme",
    "is_base": True,
    "levels": [{"rank": 3, **_LEVEL, "count": 1094}],
    "versions": [_VERSION],
}
OVERVIEW: Final = {
    "county": {"name": "云溪县", "code": "990101", "bbox": [112.7, 28.5, 113.1, 28.9]},
    "areas": None,
    "counts": {
        "households": 200123,
        "people": 612044,
        "buildings": 101200,
        "premises": 5200,
        "hazards": 640,
        "incidents": 310,
        "outside": 12,
    },
    "coverage": _COVERAGE,
    "boundaries": _VERSION,
    "data_day": "2026-01-01",
}
GRID_ROW: Final = {
    "grid_id": 412,
    "code": "990101102003005",
    "name": "东街三格",
    "kind": "ordinary",
    "rank": 3,
    "parent_grid_id": 57,
    "area_km2": 0.431207,
    "label": [112.906, 28.705],
}
AREA: Final = {
    "grid_id": 412,
    "name": "东街三格",
    "code": "990101102003005",
    "rank": 3,
    "scheme": "base",
    "bbox": [112.9, 28.7, 112.91, 28.71],
}
SHEET: Final = {
    **_HEAD,
    "officers": [
        {
            "role": "officer",
            "post": "A",
            "name": "王小明",
            "phone": "13800000000",
            "on_leave": False,
            "full_time": True,
            "officer_id": 31,
        }
    ],
    "stand_in": None,
    "counts": {
        "households": 214,
        "people": 655,
        "care_households": 11,
        "buildings": 96,
        "premises": 7,
        "hazards_open": 2,
        "hazards_major": 0,
        "incidents_open": 1,
        "incidents_month": 3,
    },
    "coverage": _COVERAGE,
}
_OFFICER: Final = {
    "role": "officer",
    "post": "A",
    "name": "王小明",
    "phone": "13800000000",
    "on_leave": False,
    "full_time": True,
    "officer_id": 31,
}
_DATES: Final = {**_VERSION, "until": None}
_CARD: Final = {
    **_HEAD,
    "chain": [
        {
            "grid_id": 57,
            "name": "东街社区",
            "code": "990101102003",
            "rank": 2,
            "level": {"label": "中网格", "label_en": "Middle grid"},
            "officers": [{**_OFFICER, "role": "head"}],
        },
        {
            "grid_id": 412,
            "name": "东街三格",
            "code": "990101102003005",
            "rank": 3,
            "level": _LEVEL,
            "officers": [_OFFICER],
        },
    ],
    "version": _DATES,
    "officers": [_OFFICER],
}
LOCATED: Final = {
    "scheme": "base",
    "scheme_name": "基础网格",
    "day": "2026-01-02",
    "version": _DATES,
    "method": "within",
    "grid": _CARD,
    "outside": False,
    "call": {"grid_id": 412, "because": "post_a", "officer": _OFFICER},
    "nearest": {
        "grid_id": 413,
        "name": "东街四格",
        "code": "990101102003006",
        "rank": 3,
        "distance_m": 12.4,
        "officers": [_OFFICER],
    },
    "distance_m": 12.4,
    "on_border": False,
    "near_border": True,
    "border_road": {"name": "东街", "distance_m": 3.2},
    "lon": 112.906,
    "lat": 28.705,
    "given": {"crs": "cgcs2000", "x": 112.906, "y": 28.705, "notes": []},
    "suggestions": [],
    "schemes": None,
}
FOUND: Final = {
    "kind": "grid",
    "id": 412,
    "name": "东街三格",
    "detail": "990101102003005",
    "lon": 112.906,
    "lat": 28.705,
    "grid_id": 412,
}
FIGURES: Final = {
    "theme": "service-15",
    "scheme": "base",
    "rank": 3,
    "unit": "%",
    "of": "15 分钟内可达的户占总户数",
    "day": "2026-01-02",
    "breaks": [20, 40, 60, 80],
    "classes": [{"label": "≥ 80 %", "min": 80, "max": None, "count": 640, "colour": "#253494"}],
    "values": {"412": 93.9},
    "class_of": {"412": 4},
    "status": "ok",
}
FEATURES: Final = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": 9,
            "geometry": {"type": "Point", "coordinates": [112.9, 28.7]},
            "properties": {"kind": "clinic", "name": "东街卫生室"},
        }
    ],
}
HOUSEHOLD: Final = {
    "household_id": 91,
    "address": "东街12号 3组 502",
    "head_name": "王**",
    "phone": "138******00",
    "people": 3,
    "base_grid_id": 412,
    "grid_name": "东街三格",
    "lon": 112.906,
    "lat": 28.705,
    "exact": True,
}
HAZARD: Final = {
    "hazard_id": 17,
    "kind": "fire_exit_blocked",
    "grade": "ordinary",
    "status": "found",
    "found_on": "2026-03-01",
    "due_on": "2026-03-15",
    "overdue": False,
    "base_grid_id": 412,
    "grid_name": "东街三格",
    "lon": 112.906,
    "lat": 28.705,
}
INCIDENT: Final = {
    "incident_id": 31,
    "key": "20260301-31",
    "kind": "dispute",
    "status": "accepted",
    "text": "楼道堆物",
    "address": "东街12号",
    "channel": "page",
    "reported_at": "2026-03-01T08:12:00+08:00",
    "closed_at": None,
    "tier": "village",
    "department": "",
    "version": 2,
    "due_on": "2026-03-04",
    "due_provisional": False,
    "pass_up_by": "2026-03-02",
    "overdue": False,
    "soon": True,
    "returns": 0,
    "flagged": False,
    "base_grid_id": 412,
    "grid_name": "东街三格",
    "lon": 112.906,
    "lat": 28.705,
}
_STEP: Final = {
    "seq": 2,
    "at": "2026-03-01T08:15:00+08:00",
    "actor": "调度员",
    "actor_en": "Dispatcher",
    "actor_role": "dispatcher",
    "move": "accept",
    "from_state": "reported",
    "to_state": "accepted",
    "tier": "village",
    "department": "",
    "note": "",
    "officer": {"officer_id": 7, "post": "A", "name": "赵一", "phone": "13700000000"},
    "due_on": "2026-03-04",
    "due_provisional": False,
    "late": None,
    "duplicate_of": None,
    "photos": [],
    "lon": None,
    "lat": None,
}
ALLOWED_MOVE: Final = {
    "move": "dispatch",
    "to": "dispatched",
    "needs_note": False,
    "needs_department": False,
    "needs_duplicate": False,
}
INCIDENT_WHOLE: Final = {
    **INCIDENT,
    "reporter_name": "张*",
    "reporter_phone": "139******21",
    "media_url": "",
    "details": {},
    "officer": _STEP["officer"],
    "steps": [_STEP],
    "allowed": [ALLOWED_MOVE],
}
STANDARD: Final = {
    "code": "fire-20",
    "name": "20分钟救援圈",
    "name_en": "20-minute rescue circle",
    "profile": "fire_engine",
    "direction": "from_facility",
    "kinds": ["fire_station"],
    "limit_minutes": {"value": 20, "source": "county plans: turnout included"},
    "turnout_minutes": {"value": 1, "source": "建标 152-2017"},
    "rule": {"value": "any", "source": "one kind of facility"},
    "target_share": {"value": 0.9, "source": "setting"},
}
RUN: Final = {
    "run_id": 4,
    "standard": "fire-20",
    "scenario": "normal",
    "version_id": 2,
    "kinds": ["fire_station"],
    "parameters": {"standard": STANDARD},
    "fingerprint": "5f0c…",
    "software_version": "0.1.0",
    "finished_at": "2026-03-01T08:12:00Z",
    "summary": {**_KIND_FIGURES, "kinds": {"fire_station": _KIND_FIGURES}},
}
PROFILE: Final = {
    "code": "walk",
    "name": "步行",
    "name_en": "On foot",
    "means": "foot",
    "obeys_oneway": {"value": False, "source": "on foot one-way does not count"},
    "obeys_maxspeed": {"value": False, "source": "setting"},
    "speed_kmh": {"residential": {"value": 4.5, "source": "setting"}},
}
SCENARIO: Final = {
    "code": "rush_hour",
    "name": "早晚高峰",
    "name_en": "Rush hour",
    "ignores_oneway": {"value": False, "source": "each profile's own rule"},
    "speed_factor": {"value": 0.7, "source": "setting"},
    "foot_speed_factor": {"value": 1.0, "source": "setting"},
}
GRID_FIGURES: Final = {
    **_KIND_FIGURES,
    "grid_id": 412,
    "code": "990101102003005",
    "name": "东街三格",
    "parent_grid_id": 57,
    "of": "households",
    "status": "ok",
}
GRID_MINUTES: Final = {
    **GRID_FIGURES,
    "kinds": {"fire_station": GRID_FIGURES},
    "stations": [
        {
            "kind": "fire_station",
            "facility_id": 7,
            "name": "南桥镇消防站",
            "households": 214,
            "median_minutes": 6.2,
            "worst_minutes": 17.4,
            "lon": 112.9,
            "lat": 28.7,
        }
    ],
}
COMPARISON: Final = {
    "a": RUN,
    "b": {**RUN, "run_id": 9},
    "comparable": True,
    "differs": ["facilities"],
    "county": {
        "households": {
            "a": {"n": 214, "covered": 180, "share": 0.841121},
            "b": {"n": 214, "covered": 201, "share": 0.939252},
            "delta": {"n": 0, "covered": 21, "share": 0.098131},
        }
    },
    "grids": [{"grid_id": 412, "name": "东街三格", "covered": 21, "gained": 21, "lost": 0}],
    "gained": 21,
    "lost": 0,
    "only_in_one": 0,
}
BLIND_SPOT: Final = {
    "name": "龙潭村",
    "households": 178,
    "people": 512,
    "worst_minutes": 31.3,
    "reason": "too_far",
    "reasons": {"too_far": 178},
    "lon": 112.73,
    "lat": 28.8,
    "bbox": [112.72, 28.79, 112.74, 28.81],
    "grid_ids": [412],
    "village_id": 57,
    "geometry": {"type": "Polygon", "coordinates": []},
}
UNREACHED: Final = {
    "household_id": 91,
    "address": "东街12号 3组 502",
    "status": "too_far",
    "minutes": 23.4,
    "kinds": {"fire_station": {"status": "too_far", "minutes": 23.4, "facility_id": 7}},
    "base_grid_id": 412,
    "grid_name": "东街三格",
    "grid_code": "990101102003005",
    "lon": 112.906,
    "lat": 28.705,
    "exact": True,
}
JOB: Final[dict[str, Any]] = {
    "job_id": 5,
    "kind": "coverage_run",
    "status": "running",
    "progress": 0.4,
    "step": "coverage.step_measuring",
    "step_text": "计算路程时间",
    "result": None,
    "error": None,
}
HEALTH: Final[dict[str, Any]] = {
    "status": "ok",
    "database": {"postgresql": "15.14", "postgis": "3.3.2"},
    "migration": {"current": "0001", "head": "0001"},
    "boundaries": [{"scheme": "base", "version": 2, "effective_day": "2026-01-01"}],
    "jobs": {"stuck": 0},
    "disk": {"status": "ok"},
}


def page(item: dict[str, Any]) -> dict[str, Any]:
    """
    Put one row into a page.

    Parameters
    ----------
    item
        The row.

    Returns
    -------
    dict
        As a list is answered.
    """
    return {"items": [item], "total": 1, "limit": 50, "offset": 0}


def ok(
    example: Any, media_type: str = "application/json", status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """Describe the good answer for a route's ``responses``; its schema is the model's."""
    return {status: {"content": {media_type: {"example": example}}}}


def files(examples_by_media_type: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """
    Describe a route that answers with a file.

    Parameters
    ----------
    examples_by_media_type
        Media types of the file, each with an example or what stands for one.

    Returns
    -------
    dict
        For FastAPI.
    """
    return {
        200: {
            "content": {
                media_type.partition(";")[0]: {
                    "schema": {"type": "object"} if media_type.endswith("+json") else FILE,
                    "example": example,
                }
                for media_type, example in examples_by_media_type.items()
            }
        }
    }


def problems() -> dict[int | str, dict[str, Any]]:
    """Describe what any route may answer instead; the app adds it to all of them."""
    return {
        "4XX": {
            "description": "A problem (RFC 9457).",
            "content": {"application/problem+json": {"schema": _PROBLEM, "example": PROBLEM}},
        },
        "503": {
            "description": "Too busy, or the database is away; try again.",
            "content": {"application/problem+json": {"schema": _PROBLEM}},
        },
    }
