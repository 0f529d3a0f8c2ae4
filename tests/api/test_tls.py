"""The service speaks TLS itself: https and http on one port, and who may sign in over which."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request

from gis_service.api import create_app
from gis_service.api.guard import may_sign_in
from gis_service.api.serve import make_server
from gis_service.certificates import Certificate, fingerprint, load_certificate, make_certificates
from gis_service.settings import server_settings, store_settings
from gis_service.store import Store
from tests.api.conftest import SmallCounty, TestClient

NAMES = ["map.county.lan", "127.0.0.1"]


@contextmanager
def made_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Certificate]:
    with monkeypatch.context() as patch:
        patch.setenv("GIS_DATA_DIR", str(folder))
        store_settings.cache_clear()
        make_certificates(NAMES)
        certificate = load_certificate()
        assert certificate is not None
        yield certificate
    store_settings.cache_clear()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificate]:
    folder = tmp_path_factory.mktemp("tls")
    with pytest.MonkeyPatch.context() as patch, made_in(folder, patch) as certificate:
        yield certificate


@pytest.fixture(scope="module")
def port(store: Store, small_county: SmallCounty, certificate: Certificate) -> Iterator[int]:
    """The port of a service with a certificate of its own making."""
    app = create_app(store, loopback_only=True, certificate=certificate)
    server = make_server(app, certificate)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def trusting(certificate: Certificate) -> ssl.SSLContext:
    """A client's, after it has learnt to trust the authority, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert certificate.authority is not None
    context.load_verify_locations(cadata=certificate.authority)
    return context


def get(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    with closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode("utf-8", "replace")


def test_whoever_trusts_the_authority_reads_the_page(port: int, trusting: ssl.SSLContext) -> None:
    secure = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=20)
    answer, text = get(secure, "/api/actors/current")
    assert answer.status == 200
    assert "county_office" in text
    # A name of its own would be lost on whoever does not trust the authority any more.
    assert answer.getheader("strict-transport-security") is None


def test_whoever_does_not_trust_it_gets_nothing(port: int) -> None:
    unknowing = http.client.HTTPSConnection("127.0.0.1", port, timeout=20)
    with pytest.raises(ssl.SSLCertVerificationError):
        get(unknowing, "/api/actors/current")


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_no_older_tls_is_spoken(
    port: int, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert certificate.authority is not None
    context.load_verify_locations(cadata=certificate.authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    secure = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    if version == ssl.TLSVersion.TLSv1_1:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(secure, "/health")
    else:
        assert get(secure, "/health")[0].status == 200


def plain(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=20)


@pytest.mark.parametrize("path", ["/", "/api/actors/current?lang=en", "/sign-in", "/openthing"])
def test_plain_http_on_the_same_port_is_sent_on(port: int, path: str) -> None:
    answer, text = get(plain(port), path)
    assert answer.status == 307
    assert answer.getheader("location") == f"https://127.0.0.1:{port}{path}"
    assert text == ""


def test_what_would_change_something_is_not_sent_on(port: int) -> None:
    answer, text = get(plain(port), "/api/session?lang=en", "POST")
    assert answer.status == 403
    assert "https" in text


def test_the_way_to_trust_needs_no_trust(port: int, certificate: Certificate) -> None:
    assert certificate.authority is not None
    for language, word in (("zh-CN", "鸿蒙"), ("en", "HarmonyOS")):
        answer, text = get(plain(port), f"/trust?lang={language}")
        assert answer.status == 200
        assert word in text
        assert fingerprint(certificate.authority) in text
        assert "tls.page_" not in text
        assert "<script" not in text
    answer, _ = get(plain(port), "/trust/ca.crt")
    assert answer.getheader("content-type") == "application/x-x509-ca-cert"
    with closing(plain(port)) as connection:
        connection.request("GET", "/trust/ca.crt")
        assert connection.getresponse().read() == certificate.authority
    assert get(plain(port), "/health")[0].status == 200
    assert get(plain(port), "/static/css/page.css")[0].status == 200


def test_the_certificate_says_which_names_count(port: int, trusting: ssl.SSLContext) -> None:
    for host, expected in ((f"map.county.lan:{port}", 200), ("evil.example", 421)):
        secure = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=20)
        assert get(secure, "/api/actors/current", Host=host)[0].status == expected
    assert get(plain(port), "/", Host="evil.example")[0].status == 421  # not even sent on


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x00" * 50, b"GE"])
def test_what_is_neither_does_no_harm(port: int, trusting: ssl.SSLContext, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(sent)
        one.shutdown(socket.SHUT_WR)
        one.recv(1000)
    secure = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=20)
    assert get(secure, "/health")[0].status == 200


def test_the_silent_keep_nobody_waiting(port: int, trusting: ssl.SSLContext) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(50)]
    secure = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=20)
    assert get(secure, "/health")[0].status == 200
    for one in silent:
        one.close()


@pytest.mark.parametrize(("own", "expected"), [(True, None), (False, "max-age=8640000")])
def test_browsers_are_bound_to_https_only_by_a_certificate_that_all_trust(
    store: Store,
    small_county: SmallCounty,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    own: bool,
    expected: str | None,
) -> None:
    monkeypatch.setenv("GIS_HSTS_DAYS", "100")
    server_settings.cache_clear()
    shown = certificate if own else replace(certificate, authority=None)
    app = create_app(store, loopback_only=True, certificate=shown)
    server_settings.cache_clear()
    with TestClient(app, "https://localhost") as client:
        assert client.get("/health").headers.get("strict-transport-security") == expected
    with TestClient(app, "http://localhost") as client:
        assert "strict-transport-security" not in client.get("/health").headers


def test_without_an_authority_the_page_helps(store: Store, small_county: SmallCounty) -> None:
    with TestClient(create_app(store, loopback_only=True), "http://localhost") as client:
        page = client.get("/trust?lang=en")
        assert page.status_code == 404
        assert "gis-service cert" in page.text
        assert client.get("/trust/ca.crt").status_code == 404


# --- over what one may sign in --------------------------------------------------------------------


def request(
    scheme: str = "http", client: str = "127.0.0.1", server: str = "127.0.0.1", **headers: str
) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": "POST", "path": "/api/session", "query_string": b"",
        "scheme": scheme, "client": (client, 50000), "server": (server, 8000), "headers": raw,
    }  # fmt: skip
    return Request(scope)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GIS_TRUSTED_PROXY", "127.0.0.1")
    server_settings.cache_clear()
    yield
    server_settings.cache_clear()


def test_one_signs_in_by_https_or_on_the_machine_itself() -> None:
    assert may_sign_in(request("https", "203.0.113.9", "192.168.1.2"))
    assert may_sign_in(request())
    assert may_sign_in(request(client="::1", server="::1"))
    assert not may_sign_in(request(client="192.168.1.7", server="192.168.1.2"))
    assert not may_sign_in(request(client="192.168.1.2", server="192.168.1.2"))
    assert not may_sign_in(request(client="testclient"))


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_forwarded_proto", "forwarded", "via"])
def test_a_proxy_that_nobody_named_is_not_the_machine_itself(header: str) -> None:
    assert not may_sign_in(request(**{header: "https"}))


@pytest.mark.usefixtures("proxy")
def test_behind_a_proxy_its_word_on_the_scheme_decides() -> None:
    assert may_sign_in(request("https", "203.0.113.9"))
    assert not may_sign_in(request("http", "203.0.113.9"))
    assert not may_sign_in(request("http"))  # one that says nothing of whom it asks for
