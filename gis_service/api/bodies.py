"""Bodies read as they come, and refused as soon as they are too large."""

from fastapi import Request

from gis_service.errors import Place, TooLargeError


async def read_limited(request: Request, most_bytes: int) -> bytes:
    """
    Read a body.

    Parameters
    ----------
    request
        Whose.
    most_bytes
        How long it may be.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    TooLargeError
        It is longer; the rest is not read.
    """
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > most_bytes:
        raise _too_large(most_bytes)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise _too_large(most_bytes)
        parts.append(part)
    return b"".join(parts)


def _too_large(most_bytes: int) -> TooLargeError:
    most_mb = round(most_bytes / 1_048_576, 2)
    return TooLargeError("incidents.too_large", place=Place(field="body"), most_mb=f"{most_mb:g}")
