"""Who gets to a place first, over HTTP: minutes, ways, whether that is in time, what is near."""

from typing import Annotated, Any, Final

from fastapi import Query, Request

from gis_service.api import examples
from gis_service.api.dependencies import FLAG, NUMBER, WHOLE, ActorDep, RecordingDep
from gis_service.api.locate import Number, System, Text, read_given_place
from gis_service.api.routing import ServiceRouter, wait_until_made
from gis_service.coverage.county.parts import ROADS, ROUTERS
from gis_service.grids.answers import locating
from gis_service.incidents import arrival

router = ServiceRouter(
    prefix="/api",
    tags=["locate"],
    first=wait_until_made(ROADS, ROUTERS),
)

Metres = Annotated[float, Query(ge=0, le=20_000, allow_inf_nan=False), NUMBER]
MetresOrNone = Annotated[float | None, Query(ge=0, le=20_000, allow_inf_nan=False), NUMBER]
First = Annotated[int, Query(ge=1, le=20, description="How many of each kind."), WHOLE]
Scenario = Annotated[
    str, Query(max_length=60, description="normal, or such as emergency_privilege.")
]

_THING: Final[dict[str, Any]] = {
    "kind": "water_source",
    "id": 17,
    "name": "东街消火栓",
    "grade": "",
    "distance_m": 120.5,
    "lon": 112.906,
    "lat": 28.706,
}
ARRIVALS: Final[dict[str, Any]] = {
    "lon": 112.906,
    "lat": 28.705,
    "status": "ok",
    "scenario": "normal",
    "off_road_m": 12.0,
    "arrivals": [
        {
            "kind": "fire_station",
            "id": 3,
            "name": "南桥消防站",
            "phone": "13800000000",
            "profile": "fire_engine",
            "minutes": 6.4,
            "turnout_minutes": 1.0,
            "road_minutes": 5.1,
            "off_road_minutes": 0.3,
            "distance_m": 3120.0,
            "off_road_m": 20.0,
            "lon": 112.93,
            "lat": 28.71,
            "route": {"type": "LineString", "coordinates": [[112.93, 28.71], [112.906, 28.705]]},
        }
    ],
    "kinds": {"fire_station": {"count": 8, "arrive": 8}},
    "fire_20": {
        "standard": "fire-20",
        "kept": True,
        "status": "covered",
        "minutes": 6.4,
        "limit_minutes": 20.0,
        "source": "county plans",
    },
    "near": {
        "radius_m": 500.0,
        "network_m": None,
        "hazards": [],
        "water_sources": [_THING],
        "premises": [],
        "households": None,
        "counts": {"hazards": 0, "water_sources": 1, "premises": 0},
    },
}


@router.get("/arrivals", responses=examples.ok(ARRIVALS))
def read_arrivals(
    request: Request,
    connection: RecordingDep,
    actor: ActorDep,
    lon: Number = None,
    lat: Number = None,
    text: Text = None,
    crs: System = None,
    first: First = 3,
    scenario: Scenario = "normal",
    radius_m: Metres = 500.0,
    network_m: MetresOrNone = None,
    routes: Annotated[bool, Query(), FLAG] = True,
) -> arrival.Arrivals:
    """Tell who gets to a place first, by which way, whether in time, and what is near it."""
    x, y, system, _ = read_given_place(lon, lat, text, crs)
    place = locating.read_place(system, x, y, lambda _lon, _lat: 0.0)
    return arrival.find_arrivals(
        connection,
        actor,
        request.app.state.snapshot,
        *place,
        first=first,
        scenario=scenario,
        radius_m=radius_m,
        network_m=network_m,
        routes=routes,
    )
