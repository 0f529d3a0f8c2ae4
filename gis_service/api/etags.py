"""Answers kept compressed under a tag: sent as they are, and not at all to whoever holds them."""

import gzip
from typing import Final

from fastapi import Request, Response
from starlette.background import BackgroundTask

from gis_service.maps.page.answer_cache import matches_etag

ASK_FIRST: Final = "private, no-cache"


def takes_gzip(request: Request) -> bool:
    """Tell whether a client reads what is compressed."""
    return "gzip" in request.headers.get("accept-encoding", "")


def strong_tag(request: Request, name: str) -> str:
    """Name the very bytes that are sent."""
    return f'"{name}{"" if takes_gzip(request) else "-plain"}"'


def send_tagged(
    request: Request,
    packed: bytes,
    tag: str,
    *,
    media_type: str = "application/json",
    keep: str = ASK_FIRST,
    then: BackgroundTask | None = None,
) -> Response:
    """Send what is kept compressed."""
    headers = {"ETag": tag, "Cache-Control": keep, "Vary": "Accept-Encoding"}
    if matches_etag(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers, background=then)
    if not packed:
        return Response(status_code=204, headers=headers, background=then)
    if takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
    else:
        packed = gzip.decompress(packed)
    return Response(packed, headers=headers, media_type=media_type, background=then)
