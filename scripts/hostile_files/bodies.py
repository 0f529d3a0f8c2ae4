"""Bodies and requests that are longer, deeper or other than they say."""

import gzip
import json
from collections.abc import Callable
from random import Random

from scripts.hostile_files.case import Make, hostile

_MB = 1024 * 1024
_HOST = "Host: 127.0.0.1"
_JSON = "Content-Type: application/json"


def _body(name: str, to: str) -> Callable[[Make], Make]:
    return hostile(name, "http", to)


def _request(line: str, *heads: str, body: bytes = b"", length: bool = True) -> bytes:
    said = [f"{line} HTTP/1.1", _HOST, "Connection: close", *heads]
    if length:
        said.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*said, "", ""]).encode() + body


def _chunked(line: str, *heads: str, piece: bytes, count: int) -> bytes:
    chunk = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    head = _request(line, *heads, "Transfer-Encoding: chunked", length=False)
    return head + chunk * count + b"0\r\n\r\n"


_IMPORT = "POST /api/imports"
_LOCATE = "POST /api/locate"
_INCIDENT = "POST /api/incidents"
_PLAN = "POST /api/plans"


def _on_each(name: str, body: bytes) -> None:
    """Send one body of JSON to each of the addresses that take one."""
    for line in (_IMPORT, _LOCATE, _INCIDENT, _PLAN):
        to = line.partition(" ")[2]
        hostile(f"{name} to {to}", "http", to)(
            lambda _, line=line: _request(line, _JSON, body=body)  # type: ignore[misc]
        )


_on_each("JSON 100,000 deep", b"[" * 100_000 + b"]" * 100_000)
_on_each("JSON objects 100,000 deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
_on_each("NUL and lone surrogates", rb'{"upload": "\u0000", "kind": "\ud800", "text": "\udfff"}')
_on_each("a number of 400 digits", b'{"lon": ' + b"9" * 400 + b', "lat": 1e999, "dry_run": true}')
_on_each("5,000 digits more than Python reads", b'{"lon": ' + b"9" * 5000 + b"}")
_on_each("no JSON at all", b"\xff\xfe\x00\x01<xml/>")
_on_each("NaN and infinity", b'{"lon": NaN, "lat": -Infinity}')


@_body("40 MB of JSON in chunks", "/api/imports")
def _chunked_json(_: Random) -> bytes:
    return _chunked(_IMPORT, _JSON, piece=b" " * _MB, count=40)


@_body("40 MB of JSON in chunks to be located", "/api/locate")
def _chunked_locate(_: Random) -> bytes:
    return _chunked(_LOCATE, _JSON, piece=b" " * _MB, count=40)


@_body("chunks of one byte, 200,000 of them", "/api/incidents")
def _small_chunks(_: Random) -> bytes:
    return _chunked(_INCIDENT, _JSON, piece=b" ", count=200_000)


@_body("a chunk whose length is no number", "/api/incidents")
def _wrong_chunk(_: Random) -> bytes:
    head = _request(_INCIDENT, _JSON, "Transfer-Encoding: chunked", length=False)
    return head + b"zz\r\nabc\r\n0\r\n\r\n"


@_body("a length of 900 TB", "/api/incidents")
def _long_length(_: Random) -> bytes:
    return _request(_INCIDENT, _JSON, f"Content-Length: {9 * 10**14}", body=b"{}", length=False)


@_body("a length below nothing", "/api/incidents")
def _negative_length(_: Random) -> bytes:
    return _request(_INCIDENT, _JSON, "Content-Length: -1", body=b"{}", length=False)


@_body("two lengths", "/api/incidents")
def _two_lengths(_: Random) -> bytes:
    return _request(
        _INCIDENT, _JSON, "Content-Length: 2", "Content-Length: 20", body=b"{}", length=False
    )


@_body("a length and chunks", "/api/incidents")
def _length_and_chunks(_: Random) -> bytes:
    return _chunked(_INCIDENT, _JSON, "Content-Length: 3", piece=b"{}", count=1)


@_body("a packed body of 100 MB", "/api/incidents")
def _packed_body(_: Random) -> bytes:
    body = gzip.compress(bytes(100 * _MB))
    return _request(_INCIDENT, _JSON, "Content-Encoding: gzip", body=body)


@_body("a head of 1 MB", "/health")
def _long_head(_: Random) -> bytes:
    return _request("GET /health", "X-Long: " + "a" * _MB)


@_body("an address of 60 kB", "/api/search")
def _long_address(_: Random) -> bytes:
    return _request("GET /api/search?q=" + "a" * 60_000)


@_body("5,000 parameters", "/api/search")
def _many_parameters(_: Random) -> bytes:
    return _request("GET /api/search?" + "&".join(f"q={i}" for i in range(5_000)))


@_body("NUL and half a sign in the address", "/api/search")
def _odd_address(_: Random) -> bytes:
    return _request("GET /api/search?q=%00%ff%ed%a0%80")


def _form(*parts: bytes, end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + end


_FORM = "Content-Type: multipart/form-data; boundary=x"
_FILE = b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


@_body("a form that does not end", "/api/imports/uploads")
def _open_form(_: Random) -> bytes:
    return _request("POST /api/imports/uploads", _FORM, body=_form(_FILE + b"a,b", end=b""))


@_body("a form of 20,000 parts", "/api/imports/uploads")
def _many_parts(_: Random) -> bytes:
    part = b'Content-Disposition: form-data; name="a"\r\n\r\nb'
    return _request("POST /api/imports/uploads", _FORM, body=_form(*[part] * 20_000))


@_body("a form whose part has a head of 2 MB", "/api/imports/uploads")
def _long_part_head(_: Random) -> bytes:
    part = b"X: " + b"a" * (2 * _MB) + b"\r\n" + _FILE + b"a"
    return _request("POST /api/imports/uploads", _FORM, body=_form(part))


@_body("a form without a boundary", "/api/imports/uploads")
def _no_boundary(_: Random) -> bytes:
    return _request("POST /api/imports/uploads", "Content-Type: multipart/form-data", body=b"--x")


@_body("a field of 30 MB instead of a file", "/api/imports/uploads")
def _field_for_file(_: Random) -> bytes:
    part = b'Content-Disposition: form-data; name="file"\r\n\r\n' + b"a" * (30 * _MB)
    return _request("POST /api/imports/uploads", _FORM, body=_form(part))


@_body("a file of no bytes under a name of HTML", "/api/imports/uploads")
def _empty_file(_: Random) -> bytes:
    name = "<script>alert(1)</script>.csv"
    part = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return _request("POST /api/imports/uploads", _FORM, body=_form(part))


@_body("places in a list of 100,000", "/api/locate")
def _many_places(_: Random) -> bytes:
    body = json.dumps([{"lon": 112.91, "lat": 28.71}] * 100_000).encode()
    return _request(_LOCATE, _JSON, body=body)


@_body("something that is no HTTP", "/")
def _no_http(random: Random) -> bytes:
    return random.randbytes(10_000) + b"\r\n\r\n"
