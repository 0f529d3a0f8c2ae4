"""Open311 GeoReport v2 over HTTP, in JSON and XML, for hotlines and citizens' apps."""

from fastapi import APIRouter

router = APIRouter(prefix="/open311", tags=["open311"], include_in_schema=False)
