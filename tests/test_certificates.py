"""Certificates: what ``gis-service cert`` makes is taken by clients, and what is wrong is said."""

import ipaddress
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from gis_service import certificates
from gis_service.certificates import (
    Certificate,
    Made,
    fingerprint,
    load_certificate,
    make_certificates,
    own_names,
    page_address,
)
from gis_service.errors import InputError, SetupError
from gis_service.settings import server_settings, store_settings

NAMES = ["map.county.lan", "192.168.7.9", "fd00::7"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own."""
    monkeypatch.setenv("GIS_DATA_DIR", str(tmp_path))
    store_settings.cache_clear()
    server_settings.cache_clear()
    yield tmp_path
    store_settings.cache_clear()
    server_settings.cache_clear()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, object], None]:
    """Name a certificate and a key by the settings."""

    def name(certificate: object, key: object) -> None:
        for setting, value in (("GIS_TLS_CERT", certificate), ("GIS_TLS_KEY", key)):
            if value is None:
                monkeypatch.delenv(setting, raising=False)
            else:
                monkeypatch.setenv(setting, str(value))
        server_settings.cache_clear()

    return name


def of_file(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_a_client_that_trusts_the_authority_takes_every_name(folder: Path) -> None:
    make_certificates(NAMES)
    authority, server = (of_file(folder / "tls" / name) for name in ("ca.crt", "server.crt"))
    policy = PolicyBuilder().store(Store([authority]))
    for name in ("map.county.lan", "localhost"):
        policy.build_server_verifier(x509.DNSName(name)).verify(server, [])
    for address in ("192.168.7.9", "fd00::7", "127.0.0.1", "::1"):
        subject = x509.IPAddress(ipaddress.ip_address(address))
        policy.build_server_verifier(subject).verify(server, [])
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("other.county.lan")).verify(server, [])


def test_the_authority_can_vouch_for_no_website(folder: Path) -> None:
    make_certificates(NAMES)
    authority = of_file(folder / "authority/ca.crt")
    key = serialization.load_pem_private_key((folder / "authority/ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    _, forged = certificates._make_server(["bank.example"], key, authority)
    verifier = (
        PolicyBuilder()
        .store(Store([authority]))
        .build_server_verifier(x509.DNSName("bank.example"))
    )
    with pytest.raises(VerificationError):
        verifier.verify(forged, [])


def test_times_and_files_are_as_browsers_and_careful_people_want_them(folder: Path) -> None:
    made = make_certificates(NAMES)
    server = of_file(folder / "tls/server.crt")
    lasts = server.not_valid_after_utc - server.not_valid_before_utc
    assert timedelta(days=390) < lasts <= timedelta(days=397)
    authority = of_file(folder / "authority/ca.crt")
    assert authority.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3649)
    assert made.fingerprint == fingerprint(authority.public_bytes(certificates._DER))
    for name in ("authority/ca.key", "tls/server.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "authority").stat().st_mode) == 0o700
    assert not (folder / "tls/ca.key").exists()  # what serves never holds what signs


def test_renewing_keeps_the_authority_and_takes_another_key(folder: Path) -> None:
    first = make_certificates(NAMES)
    key = (folder / "tls/server.key").read_bytes()
    again = make_certificates([*NAMES, "other.lan"])
    assert (first.new_authority, again.new_authority) == (True, False)
    assert again.fingerprint == first.fingerprint
    assert (folder / "tls/server.key").read_bytes() != key
    third = make_certificates(["maps.example.org"], new_authority=True)
    assert third.new_authority
    assert third.fingerprint != first.fingerprint


@pytest.mark.parametrize("name", ["maps.example.org", "8.8.8.8", "2001:db8::1"])
def test_a_name_outside_what_phones_would_take_is_refused(name: str) -> None:
    make_certificates(NAMES)
    with pytest.raises(InputError) as caught:
        make_certificates([name])
    assert caught.value.key == "tls.name_outside"


@pytest.mark.parametrize("name", ["", "two words", "a_b", "-a", "*.lan", "http://map.lan", "a/b"])
def test_what_is_no_name_is_said(name: str) -> None:
    with pytest.raises(InputError) as caught:
        make_certificates([name])
    assert caught.value.key == "tls.no_name"


def test_a_chinese_name_is_written_as_the_net_writes_it() -> None:
    assert make_certificates(["地图.lan"]).names[0] == "xn--wcs7d.lan"


def test_what_was_made_is_taken_without_a_setting() -> None:
    assert load_certificate() is None
    make_certificates(NAMES)
    loaded = load_certificate()
    assert loaded is not None
    assert loaded.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert set(NAMES) < set(loaded.names)
    assert loaded.authority is not None
    assert 390 <= loaded.days_left <= 396


def test_settings_win_and_know_no_authority(folder: Path, named: Callable[..., None]) -> None:
    make_certificates(NAMES)
    named(folder / "tls/server.crt", folder / "tls/server.key")
    loaded = load_certificate()
    assert loaded is not None
    assert loaded.authority is None


def test_what_is_wrong_with_named_files_is_said(folder: Path, named: Callable[..., None]) -> None:
    make_certificates(NAMES)
    certificate, key = folder / "tls/server.crt", folder / "tls/server.key"
    (folder / "words").write_text("nothing")
    locked = serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
        certificates._PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    (folder / "locked").write_bytes(locked)
    cases = {
        "tls.both_or_none": (certificate, None),
        "tls.not_absolute": ("server.crt", key),
        "tls.missing": (folder / "none", key),
        "tls.no_certificate": (folder / "words", key),
        "tls.key_does_not_fit": (certificate, folder / "authority/ca.key"),
    }
    for expected, files in cases.items():
        named(*files)
        with pytest.raises(SetupError) as caught:
            load_certificate()
        assert caught.value.key == expected
    for file in ("words", "locked"):  # and nobody is asked for the password at a terminal
        named(certificate, folder / file)
        with pytest.raises(SetupError) as caught:
            load_certificate()
        assert caught.value.key == "tls.no_key"


def test_a_key_that_may_not_be_read_is_said_with_the_account(
    folder: Path, named: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificates(NAMES)
    named(folder / "tls/server.crt", folder / "tls/server.key")

    def refuse(file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SetupError) as caught:
        load_certificate()
    assert caught.value.key == "tls.unreadable"


@pytest.mark.parametrize("days", [-400, 400])
def test_a_certificate_out_of_its_time_is_refused(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=days)

    with monkeypatch.context() as patch:
        patch.setattr(certificates, "datetime", Then)
        make_certificates(NAMES)
    with pytest.raises(SetupError) as caught:
        load_certificate()
    assert caught.value.key == "tls.out_of_time"


def test_this_machine_knows_what_it_is_called() -> None:
    names = own_names()
    assert names
    make_certificates(names, new_authority=True)
    assert set(names) <= set(getattr(load_certificate(), "names", ()))


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        ("127.0.0.1", None, "http://localhost:8000"),
        ("0.0.0.0", None, "http://localhost:8000"),
        ("192.168.1.2", None, "http://192.168.1.2:8000"),
        ("::", None, "http://localhost:8000"),
        ("fd00::7", None, "http://[fd00::7]:8000"),
        ("0.0.0.0", ("*.lan", "map.lan"), "https://map.lan:8000"),
        ("0.0.0.0", ("fd00::7",), "https://[fd00::7]:8000"),
        ("127.0.0.1", ("map.lan",), "https://localhost:8000"),
    ],
)
def test_the_address_that_is_said(host: str, names: tuple[str, ...] | None, expected: str) -> None:
    context = ssl.create_default_context()
    certificate = names and Certificate(context, names, datetime.now(UTC))
    assert page_address(host, 8000, certificate or None) == expected


def test_the_command_says_what_was_made_and_what_to_do(folder: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "gis_service", "cert", "map.county.lan"],
        env={"GIS_DATA_DIR": str(folder), "GIS_LANGUAGE": "en", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    made: Made = make_certificates(["map.county.lan"])
    assert made.fingerprint in told.stderr
    assert "http://map.county.lan:8000/trust" in told.stderr
    assert "GIS_HOST=0.0.0.0" in told.stderr
    assert "PRIVATE KEY" not in told.stderr + told.stdout
