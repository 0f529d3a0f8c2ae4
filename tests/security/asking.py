"""How every route is asked for something of one's own area, of another, and of none.

``ASKED`` has one entry a route; a route of the app without one fails the test. Names in braces
are filled in by area: ids of what lies there, a place in it, and the name of the area itself.
What changes or removes something gets a fresh object each time, made by ``Places.fresh``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Area = Literal["own", "other", "none"]
AREAS: Final[tuple[Area, ...]] = ("own", "other", "none")


@dataclass(frozen=True)
class Asked:
    """
    One way to ask a route.

    Attributes
    ----------
    path
        With names in braces.
    body
        JSON with names in braces, or None.
    files
        A file under a name, for forms.
    headers
        Besides those that say who asks.
    fresh
        Which object is made anew for each request.
    everywhere
        Whether it is the same for every area, so that it is asked once.
    """

    path: str
    body: Any = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fresh: str = ""
    everywhere: bool = False


def fill(value: Any, names: Mapping[str, Any]) -> Any:
    """Put what lies in an area into a text or a body; a text that is one name keeps its type."""
    if isinstance(value, str):
        if value.startswith("{") and value.endswith("}") and value.count("{") == 1:
            return names[value[1:-1]]
        return value.format_map(names) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: fill(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    return value


def _same(path: str, **options: Any) -> Asked:
    return Asked(path, everywhere=True, **options)


_IDEMPOTENT: Final = {"Idempotency-Key": "{key}"}
_POINT: Final = {"lon": "{lon}", "lat": "{lat}", "crs": "cgcs2000"}
_CHANGED: Final = {**_IDEMPOTENT, "If-Match": '"{version}"'}
_CSV: Final = "name,lon,lat\na,{lon},{lat}\n"

ASKED: Final[dict[str, Asked]] = {
    # --- where something lies
    "GET /api/locate": Asked("/api/locate?lon={lon}&lat={lat}&crs=cgcs2000"),
    "POST /api/locate": Asked("/api/locate", body={"point": ["{lon}", "{lat}"], "crs": "cgcs2000"}),
    "POST /api/assign": Asked(
        "/api/assign?crs=cgcs2000",
        content=b"name,lon,lat\na,112.5,28.5\n",
        headers={"Content-Type": "text/csv"},
        everywhere=True,
    ),
    "GET /api/arrivals": Asked("/api/arrivals?lon={lon}&lat={lat}&crs=cgcs2000"),
    "GET /api/search": Asked("/api/search?q={officer_name}"),
    # --- grids
    "GET /api/schemes": _same("/api/schemes"),
    "GET /api/overview": _same("/api/overview"),
    "GET /api/grids": _same("/api/grids?q=g"),
    "GET /api/areas": Asked("/api/areas?ids={grid}"),
    "GET /api/grids/{grid_id}": Asked("/api/grids/{grid}"),
    "GET /api/grids/{grid_id}/sheet": Asked("/api/grids/{grid}/sheet?format=html"),
    "GET /api/versions": _same("/api/versions"),
    "GET /api/versions/{a}/compare/{b}": _same(
        "/api/versions/{grid_version}/compare/{grid_version}"
    ),
    "GET /api/versions/{a}/compare/{b}.gpkg": _same(
        "/api/versions/{grid_version}/compare/{grid_version}.gpkg"
    ),
    "POST /api/versions/{version_id}/withdraw": _same(
        "/api/versions/999999/withdraw", body={"reason": "asked", "effective_day": "{tomorrow}"}
    ),
    # --- the map
    "GET /api/layers/grids": _same("/api/layers/grids?rank=3"),
    "GET /api/layers/grids/{grid_id}": Asked("/api/layers/grids/{grid}"),
    "GET /api/layers/figures": _same("/api/layers/figures?rank=3&theme=households"),
    "GET /api/layers/roads": Asked("/api/layers/roads?bbox={bbox}&zoom=16"),
    "GET /api/layers/land": Asked("/api/layers/land?bbox={bbox}"),
    "GET /api/layers/buildings": Asked("/api/layers/buildings?bbox={bbox}&zoom=17"),
    "GET /api/layers/facilities": Asked("/api/layers/facilities?bbox={bbox}"),
    "GET /api/layers/hazards": Asked("/api/layers/hazards?bbox={bbox}"),
    "GET /api/layers/incidents": Asked("/api/layers/incidents?bbox={bbox}"),
    "GET /api/layers/places": _same("/api/layers/places"),
    "GET /api/tiles/{layer}.json": _same("/api/tiles/grids.json"),
    "GET /api/tiles/{layer}/{z}/{x}/{y}.pbf": _same("/api/tiles/grids/0/0/0.pbf"),
    "GET /api/base": _same("/api/base"),
    "GET /api/base/tianditu/{layer}/{z}/{x}/{y}": _same("/api/base/tianditu/vec/1/0/0"),
    "GET /api/base/county/{z}/{x}/{y}": _same("/api/base/county/1/0/0"),
    "GET /api/base/county.pmtiles": _same("/api/base/county.pmtiles"),
    # --- people and trouble
    "GET /api/households": Asked("/api/households?grid_id={grid}"),
    "GET /api/hazards": Asked("/api/hazards?grid_id={grid}"),
    "GET /api/incidents": Asked("/api/incidents?grid_id={grid}"),
    "GET /api/incidents/kinds": _same("/api/incidents/kinds"),
    "GET /api/incidents/duplicates": Asked(
        "/api/incidents/duplicates?kind=dispute&lon={lon}&lat={lat}&crs=cgcs2000"
    ),
    "GET /api/incidents/waiting": _same("/api/incidents/waiting"),
    "GET /api/incidents/{incident_id}": Asked("/api/incidents/{incident}"),
    "GET /api/incidents/{incident_id}/allowed": Asked("/api/incidents/{incident}/allowed"),
    "GET /api/incidents/{incident_id}/photos/{sha256}": Asked(
        "/api/incidents/{incident}/photos/{photo}"
    ),
    "POST /api/incidents": Asked(
        "/api/incidents",
        body={"kind": "dispute", "text": "asked", **_POINT},
        headers=_IDEMPOTENT,
    ),
    "POST /api/incidents/import": Asked(
        "/api/incidents/import",
        body={"items": [{"kind": "dispute", "text": "asked", **_POINT}]},
        headers=_IDEMPOTENT,
    ),
    "POST /api/incidents/waiting/{token}": Asked(
        "/api/incidents/waiting/{token}", body=_POINT, fresh="intake", headers=_IDEMPOTENT
    ),
    "POST /api/incidents/{incident_id}/steps": Asked(
        "/api/incidents/{fresh}/steps",
        body={"move": "note", "note": "asked", "version": 1},
        fresh="incident",
        headers=_IDEMPOTENT,
    ),
    "POST /api/incidents/{incident_id}/reporter": Asked(
        "/api/incidents/{incident}/reporter", body={"reason": "call_back"}
    ),
    "POST /api/incidents/{incident_id}/photos": Asked(
        "/api/incidents/{incident}/photos",
        content=b"no picture",
        headers={"Content-Type": "image/jpeg"},
    ),
    "GET /api/working-days": _same("/api/working-days?first=2026-01-01&last=2026-01-31"),
    "PUT /api/working-days/{day}": _same(
        "/api/working-days/2026-03-03", body={"is_working": False, "reason": "asked"}
    ),
    "DELETE /api/working-days/{day}": _same("/api/working-days/2026-03-03"),
    "PUT /api/working-years/{year}": _same(
        "/api/working-years/2027", body={"complete": True, "reason": "asked"}
    ),
    # --- entered by hand
    "GET /api/entry": _same("/api/entry"),
    "GET /api/entry/place": Asked("/api/entry/place?lon={lon}&lat={lat}&crs=cgcs2000"),
    "GET /api/entry/{kind}": Asked("/api/entry/household?grid_id={grid}"),
    "GET /api/entry/{kind}/{record_id}": Asked("/api/entry/household/{household}"),
    "POST /api/entry/{kind}": Asked(
        "/api/entry/hazard",
        body={
            "values": {
                "kind": "fire_exit_blocked",
                "grade": "ordinary",
                "status": "found",
                "found_on": "2026-01-05",
                "due_on": "2026-02-05",
                "point": _POINT,
            }
        },
        headers=_IDEMPOTENT,
    ),
    "PATCH /api/entry/{kind}/{record_id}": Asked(
        "/api/entry/household/{fresh}",
        body={"values": {"people": 2}},
        headers=_CHANGED,
        fresh="household",
    ),
    "DELETE /api/entry/{kind}/{record_id}": Asked(
        "/api/entry/household/{fresh}", headers=_CHANGED, fresh="household"
    ),
    "POST /api/entry/{kind}/{record_id}/reveal": Asked(
        "/api/entry/household/{household}/reveal", body={"reason": "visit"}
    ),
    "POST /api/entry/undo/{change_id}": Asked("/api/entry/undo/{change}"),
    # --- coverage
    "GET /api/coverage/standards": _same("/api/coverage/standards"),
    "GET /api/coverage/scenarios": _same("/api/coverage/scenarios"),
    "GET /api/coverage/profiles": _same("/api/coverage/profiles"),
    "GET /api/coverage/runs": _same("/api/coverage/runs"),
    "GET /api/coverage/runs/{run_id}": _same("/api/coverage/runs/{run}"),
    "POST /api/coverage/runs": _same(
        "/api/coverage/runs", body={"standard": "service-15", "scenario": "normal"}
    ),
    "GET /api/coverage/runs/{run_id}/figures": _same("/api/coverage/runs/{run}/figures?rank=3"),
    "GET /api/coverage/runs/{run_id}/blind-spots": _same("/api/coverage/runs/{run}/blind-spots"),
    "GET /api/coverage/runs/{run_id}/grids/{grid_id}": Asked(
        "/api/coverage/runs/{run}/grids/{grid}"
    ),
    "GET /api/coverage/runs/{run_id}/households/{household_id}": Asked(
        "/api/coverage/runs/{run}/households/{household}"
    ),
    "GET /api/coverage/runs/{run_id}/unreached": Asked(
        "/api/coverage/runs/{run}/unreached?grid_id={grid}"
    ),
    "GET /api/coverage/compare": _same("/api/coverage/compare?a={run}&b={run}"),
    "POST /api/coverage/what-if": _same(
        "/api/coverage/what-if", body={"standard": "service-15", "changes": []}
    ),
    "GET /api/coverage/areas": _same("/api/coverage/areas?standard=service-15"),
    "GET /api/coverage/areas/{z}/{x}/{y}.pbf": _same(
        "/api/coverage/areas/0/0/0.pbf?standard=service-15"
    ),
    "GET /api/coverage/districts": _same("/api/coverage/districts?standard=service-15"),
    "GET /api/coverage/enclaves": _same("/api/coverage/enclaves?standard=service-15"),
    "POST /api/coverage/sites": _same(
        "/api/coverage/sites", body={"standard": "service-15", "problem": "max_cover", "add": 1}
    ),
    "GET /api/coverage/sites/{job_id}": _same("/api/coverage/sites/{job}"),
    # --- reports and work
    "GET /api/reports/coverage": _same("/api/reports/coverage?standard=service-15&format=html"),
    "POST /api/reports/coverage": _same("/api/reports/coverage", body={"standard": "service-15"}),
    "GET /api/reports/coverage/files/{job_id}": _same("/api/reports/coverage/files/{job}"),
    "GET /api/reports/coverage/pages": _same("/api/reports/coverage/pages?standard=fire-20"),
    "GET /api/jobs": _same("/api/jobs"),
    "GET /api/jobs/{job_id}": _same("/api/jobs/{job}"),
    "POST /api/jobs/{job_id}/cancel": _same("/api/jobs/{fresh}/cancel", fresh="job"),
    # --- files
    "GET /api/imports/kinds": _same("/api/imports/kinds"),
    "GET /api/imports": _same("/api/imports"),
    "GET /api/imports/{import_id}/refusals.csv": _same("/api/imports/{import}/refusals.csv"),
    "POST /api/imports/uploads": _same(
        "/api/imports/uploads", files={"file": ("homes.csv", b"name,lon,lat\n", "text/csv")}
    ),
    "GET /api/imports/uploads/{token}": _same("/api/imports/uploads/{upload}"),
    "DELETE /api/imports/uploads/{token}": _same("/api/imports/uploads/{upload}"),
    "GET /api/imports/uploads/{token}/refusals.csv": _same(
        "/api/imports/uploads/{upload}/refusals.csv"
    ),
    "POST /api/imports": _same(
        "/api/imports", body={"upload": "{upload}", "kind": "buildings", "dry_run": True}
    ),
    "GET /api/imports/jobs/{job_id}": _same("/api/imports/jobs/{job}"),
    "GET /api/examples": _same("/api/examples"),
    "GET /api/examples/{name}": _same("/api/examples/buildings.csv"),
    # --- plans
    "GET /api/plans": _same("/api/plans"),
    "POST /api/plans": _same("/api/plans", body={"title": "asked"}),
    "GET /api/plans/stage": _same("/api/plans/stage"),
    "GET /api/plans/{plan_id}": _same("/api/plans/{plan}"),
    "GET /api/plans/{plan_id}/faces": _same("/api/plans/{plan}/faces"),
    "GET /api/plans/{plan_id}/edges": Asked("/api/plans/{plan}/edges?grid={grid}"),
    "GET /api/plans/{plan_id}/snap": Asked("/api/plans/{plan}/snap?bbox={bbox}"),
    "GET /api/plans/{plan_id}/buildings": Asked("/api/plans/{plan}/buildings?bbox={bbox}"),
    "GET /api/plans/{plan_id}/checks": _same("/api/plans/{plan}/checks"),
    "GET /api/plans/{plan_id}/impact": _same("/api/plans/{plan}/impact"),
    "POST /api/plans/{plan_id}/preview": _same(
        "/api/plans/{plan}/preview", body={"rev": 1, "edit": {"kind": "unknown"}}
    ),
    "POST /api/plans/{plan_id}/edits": _same(
        "/api/plans/{plan}/edits", body={"rev": 1, "edit": {"kind": "unknown"}}
    ),
    "POST /api/plans/{plan_id}/undo": _same("/api/plans/{plan}/undo", body={"rev": 1}),
    "POST /api/plans/{plan_id}/redo": _same("/api/plans/{plan}/redo", body={"rev": 1}),
    "POST /api/plans/{plan_id}/propose": Asked(
        "/api/plans/{plan}/propose", body={"scope": {"grid": "{grid_text}"}}
    ),
    "GET /api/plans/{plan_id}/proposals/{job_id}": _same("/api/plans/{plan}/proposals/{job}"),
    "POST /api/plans/{plan_id}/comments": _same(
        "/api/plans/{plan}/comments", body={"text": "asked"}
    ),
    "POST /api/plans/{plan_id}/submit": _same("/api/plans/{plan}/submit", body={"warnings": {}}),
    "POST /api/plans/{plan_id}/publish": _same(
        "/api/plans/{plan}/publish", body={"effective_day": "{tomorrow}"}
    ),
    "POST /api/plans/{plan_id}/{decision}": _same(
        "/api/plans/{fresh}/discard", body={"text": "asked"}, fresh="plan"
    ),
    # --- Open311
    "GET /open311/discovery.{form}": _same("/open311/discovery.json"),
    "GET /open311/v2/services.{form}": _same("/open311/v2/services.json"),
    "GET /open311/v2/services/{code}.{form}": _same("/open311/v2/services/dispute.json"),
    "GET /open311/v2/requests.{form}": _same("/open311/v2/requests.json"),
    "GET /open311/v2/requests/{number}.{form}": Asked("/open311/v2/requests/{incident}.json"),
    "POST /open311/v2/requests.{form}": Asked(
        "/open311/v2/requests.json",
        content=b"service_code=dispute&lat={lat}&long={lon}&description=asked",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "GET /open311/v2/tokens/{token}.{form}": _same("/open311/v2/tokens/none.json"),
    "GET /open311/{rest:path}": _same("/open311/nothing"),
    "POST /open311/{rest:path}": _same("/open311/nothing"),
    # --- the record
    "GET /api/record": _same("/api/record?limit=5"),
    "GET /api/record.csv": _same("/api/record.csv?action=nothing"),
    "GET /api/record/state": _same("/api/record/state"),
    # --- the service itself
    "GET /trust": _same("/trust"),
    "GET /trust/ca.crt": _same("/trust/ca.crt"),
    "GET /health": _same("/health"),
    "GET /": _same("/"),
    "GET /sign-in": _same("/sign-in"),
    "GET /account": _same("/account"),
    "GET /people": _same("/people"),
    "GET /record": _same("/record"),
    "GET /vendor/{name}": _same("/vendor/none.js"),
    "GET /api/actors": _same("/api/actors"),
    "GET /api/actors/current": _same("/api/actors/current"),
    "POST /api/actors/current": _same("/api/actors/current", body={"actor_id": 999999}),
    "GET /api/me": _same("/api/me"),
    "POST /api/session": _same(
        "/api/session", body={"login": "nobody", "password": "nothing at all"}, fresh="try"
    ),
    "POST /api/session/link": _same(
        "/api/session/link", body={"token": "reset-nothing", "password": "nothing at all"}
    ),
    "DELETE /api/session": _same("/api/session"),
    "GET /api/sessions": _same("/api/sessions"),
    "DELETE /api/sessions/{session_id}": _same("/api/sessions/999999"),
    "POST /api/password": _same(
        "/api/password", body={"old_password": "nothing at all", "new_password": "something else"}
    ),
    "GET /api/accounts": _same("/api/accounts"),
    "POST /api/accounts": _same(
        "/api/accounts", body={"login": "{key}", "name": "问", "role": "analyst"}
    ),
    "PATCH /api/accounts/{actor_id}": _same(
        "/api/accounts/{fresh}", body={"role": "planner"}, fresh="account"
    ),
    "POST /api/accounts/{actor_id}/end": _same("/api/accounts/{fresh}/end", fresh="account"),
    "POST /api/accounts/{actor_id}/link": _same("/api/accounts/{fresh}/link", fresh="account"),
    "POST /api/accounts/list": _same(
        "/api/accounts/list", body={"csv": "login,name,role\n{key}-l,问,analyst\n"}
    ),
    "GET /api/keys": _same("/api/keys"),
    "POST /api/keys": _same(
        "/api/keys", body={"name": "{key}", "role": "analyst", "scopes": ["read"], "days": 1}
    ),
    "DELETE /api/keys/{key_id}": _same("/api/keys/999999"),
}

NOT_ASKED: Final = {
    "GET /api/live": "a stream without an end: tests/api/test_live.py",
}
