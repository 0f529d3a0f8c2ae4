"""How a phone or a computer comes to trust the private authority, and its certificate to download.

Answered over plain HTTP too: until a phone trusts the authority, https is a warning to it. The
fingerprint is there to be compared with what ``gis-service cert`` printed on the server.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from gis_service.api.dependencies import LanguageDep
from gis_service.certificates import Certificate, fingerprint
from gis_service.errors import NotFoundError
from gis_service.maps.page.grid_map import content_policy
from gis_service.maps.page.plain_page import render_trust

CERTIFICATE_TYPE = "application/x-x509-ca-cert"

router = APIRouter(include_in_schema=False)


@router.get("/trust", response_class=HTMLResponse)
def trust_page(request: Request, language: LanguageDep) -> HTMLResponse:
    """Give the page; where no private authority is used it says so, and what to do."""
    authority = _authority(request)
    document = render_trust(language, None if authority is None else fingerprint(authority))
    headers = {
        "Content-Security-Policy": content_policy(document),
        "Cache-Control": "no-store",
        "Content-Language": language,
    }
    return HTMLResponse(document, 404 if authority is None else 200, headers)


@router.get("/trust/ca.crt", response_class=Response)
def authority_certificate(request: Request) -> Response:
    """Give the authority's certificate; its key is not where the service can read it."""
    authority = _authority(request)
    if authority is None:
        raise NotFoundError("tls.no_authority")
    headers = {
        "Content-Disposition": 'attachment; filename="grid-map-ca.crt"',
        "Cache-Control": "no-store",
    }
    return Response(authority, media_type=CERTIFICATE_TYPE, headers=headers)


def _authority(request: Request) -> bytes | None:
    certificate: Certificate | None = request.app.state.certificate
    return None if certificate is None else certificate.authority
