"""TLS: the certificate that the service shows, and a private authority that can make one.

A certificate comes from two files that settings name, or from ``gis-service cert``, which keeps an
authority of its own in the data folder. The key of that authority signs and is never served: it
lies in a folder that the running service does not own.
"""

import ipaddress
import os
import pwd
import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gis_service.errors import InputError, SetupError
from gis_service.settings import server_settings, service_folder, store_settings

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
WARN_DAYS: Final = 30
"""So many days before it ends the start says so."""

_AUTHORITY_YEARS: Final = 10
_SERVER_DAYS: Final = 397
"""The longest that browsers take (CA/Browser Forum, Baseline Requirements 6.3.2)."""
_CLOCK: Final = timedelta(days=1)
"""A phone's clock may be behind so much."""
_PRIVATE_DOMAINS: Final = ("localhost", "local", "lan", "internal", "home.arpa")
_PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
    "127.0.0.0/8", "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""Names that exist inside a network only (RFC 6762, 8375, 1918, 6598, 3927, 4193)."""
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Certificate:
    """
    What the service speaks TLS with.

    Attributes
    ----------
    context
        Of TLS 1.2 and newer.
    names
        Host names and addresses that it stands for, in lower case and in its order.
    ends
        When it is no longer valid.
    authority
        The certificate of the private authority in DER, where that one signed it.
    """

    context: ssl.SSLContext
    names: tuple[str, ...]
    ends: datetime
    authority: bytes | None = None

    @property
    def days_left(self) -> int:
        """Whole days until it ends."""
        return (self.ends - datetime.now(UTC)).days


@dataclass(frozen=True)
class Made:
    """
    What ``gis-service cert`` made.

    Attributes
    ----------
    names
        Of the server's certificate.
    ends
        When that has to be renewed.
    fingerprint
        Of the authority.
    new_authority
        Whether the authority is new, so that nobody trusts it yet.
    """

    names: tuple[str, ...]
    ends: datetime
    fingerprint: str
    new_authority: bool


def load_certificate() -> Certificate | None:
    """
    Load what settings name, or else what ``gis-service cert`` made.

    Returns
    -------
    Certificate or None
        None where there is neither: then plain HTTP is spoken.

    Raises
    ------
    SetupError
        A file is missing or cannot be read, the key does not fit, or its time is over.
    """
    certificate_file, key_file = server_settings().tls_cert, server_settings().tls_key
    if certificate_file is None and key_file is None:
        folder = service_folder("tls")
        if not (folder / "server.crt").exists():
            return None
        authority = x509.load_pem_x509_certificate(_read(folder / "ca.crt"))
        return _load(folder / "server.crt", folder / "server.key", authority.public_bytes(_DER))
    if certificate_file is None or key_file is None:
        raise SetupError("tls.both_or_none")
    for name, file in (("GIS_TLS_CERT", certificate_file), ("GIS_TLS_KEY", key_file)):
        if not file.is_absolute():  # the process that serves may stand in another folder
            raise SetupError("tls.not_absolute", name=name, file=file)
    return _load(certificate_file, key_file, None)


def _load(certificate_file: Path, key_file: Path, authority: bytes | None) -> Certificate:
    try:
        certificate = x509.load_pem_x509_certificates(_read(certificate_file))[0]
    except ValueError as error:
        raise SetupError("tls.no_certificate", file=certificate_file) from error
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        raise SetupError(
            "tls.out_of_time", file=certificate_file, first=first.date(), last=last.date()
        )
    _read(key_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate_file, key_file, password=lambda: b"")
    except ssl.SSLError as error:
        key = "tls.key_does_not_fit" if "KEY_VALUES_MISMATCH" in str(error) else "tls.no_key"
        raise SetupError(key, certificate=certificate_file, file=key_file) from error
    return Certificate(context, _names_of(certificate), certificate.not_valid_after_utc, authority)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except PermissionError as error:
        account = str(os.geteuid())
        with suppress(KeyError):
            account = pwd.getpwuid(os.geteuid()).pw_name
        raise SetupError("tls.unreadable", file=file, account=account) from error
    except OSError as error:
        raise SetupError("tls.missing", file=file) from error


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return (*found, *(str(ip) for ip in names.get_values_for_type(x509.IPAddress)))


def page_address(host: str, port: int, certificate: Certificate | None) -> str:
    """
    Say where the page is.

    Parameters
    ----------
    host, port
        Where the service listens.
    certificate
        What it speaks TLS with.

    Returns
    -------
    str
        Without a slash at its end; a name of the certificate where it listens on every address.
    """
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104
    if everywhere and certificate is not None:
        host = next((name for name in certificate.names if "*" not in name), host)
    elif everywhere or host in LOOPBACK_NAMES:
        host = "localhost"
    scheme = "http" if certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def fingerprint(certificate: bytes) -> str:
    """
    Give the SHA-256 of a certificate, as phones and Windows show it.

    Parameters
    ----------
    certificate
        DER.

    Returns
    -------
    str
        32 bytes in hexadecimal, with colons.
    """
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate)
    return digest.finalize().hex(":").upper()


# --- the private authority ------------------------------------------------------------------------

_DER: Final = serialization.Encoding.DER
_PEM: Final = serialization.Encoding.PEM


def own_names() -> list[str]:
    """
    List what this machine is called in its network.

    Returns
    -------
    list of str
        The host name and the addresses that reach other machines; nothing is sent to find out.
    """
    names = [socket.gethostname().lower()]
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            names.append(probe.getsockname()[0])
    return [name for name in names if _is_name(name)]


def make_certificates(names: Sequence[str], *, new_authority: bool = False) -> Made:
    """
    Make a server's certificate, and the authority that signs it where there is none yet.

    Parameters
    ----------
    names
        Host names and addresses under which the service is opened; loopback's are added.
    new_authority
        Make another authority; whoever trusted the one of before has to trust the new one.

    Returns
    -------
    Made
        What is written in the data folder now.

    Raises
    ------
    InputError
        A name is none, or one that this authority may not sign for.
    """
    wanted = list(dict.fromkeys([*(_plain(name) for name in names), *sorted(LOOPBACK_NAMES)]))
    folder = store_settings().data_dir / "authority"
    if new_authority or not (folder / "ca.key").exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, authority = _make_authority(wanted)
        _write(folder / "ca.key", _key_bytes(key))
        _write(folder / "ca.crt", authority.public_bytes(_PEM))
        is_new = True
    else:
        authority = x509.load_pem_x509_certificate(_read(folder / "ca.crt"))
        loaded = serialization.load_pem_private_key(_read(folder / "ca.key"), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        key, is_new = loaded, False
    _check_permitted(authority, wanted)
    server_key, server = _make_server(wanted, key, authority)
    served = service_folder("tls")
    served.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(served / "ca.crt", authority.public_bytes(_PEM))
    _write(served / "server.key", _key_bytes(server_key))
    _write(served / "server.crt", server.public_bytes(_PEM))
    print_of = fingerprint(authority.public_bytes(_DER))
    return Made(tuple(wanted), server.not_valid_after_utc, print_of, is_new)


def _address(name: str) -> _Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_name(name: str) -> bool:
    return _address(name) is not None or (
        len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))
    )


def _plain(name: str) -> str:
    name = name.strip().lower().rstrip(".")
    if not name.isascii():
        with suppress(UnicodeError):
            name = name.encode("idna").decode()
    if not _is_name(name):
        raise InputError("tls.no_name", name=name[:80])
    address = _address(name)
    return name if address is None else str(address)


def _general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    given = [(name, _address(name)) for name in names]
    return [x509.DNSName(name) if ip is None else x509.IPAddress(ip) for name, ip in given]


def _make_authority(
    names: Sequence[str],
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make an authority whose word counts for these names and inside private networks only."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The first name tells several authorities on one phone apart.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"网格地图 {names[0][:40]}")])
    addresses = [ip for ip in map(_address, names) if ip is not None]
    domains = [name for name in names if _address(name) is None]
    networks = [ipaddress.ip_network(one) for one in (*_PRIVATE_NETWORKS, *map(str, addresses))]
    permitted = [
        *(x509.DNSName(domain) for domain in dict.fromkeys([*domains, *_PRIVATE_DOMAINS])),
        *(x509.IPAddress(network) for network in dict.fromkeys(networks)),
    ]
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _CLOCK)
        .not_valid_after(now + timedelta(days=365 * _AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return key, builder.sign(key, hashes.SHA256())


def _make_server(
    names: Sequence[str], signing: ec.EllipticCurvePrivateKey, authority: x509.Certificate
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    begins = datetime.now(UTC) - _CLOCK
    ends = min(begins + timedelta(days=_SERVER_DAYS), authority.not_valid_after_utc)
    known = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        x509.CertificateBuilder(
            authority.subject, subject, key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(begins)
        .not_valid_after(ends - timedelta(seconds=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known), critical=False
        )
    )
    return key, builder.sign(signing, hashes.SHA256())


def _check_permitted(authority: x509.Certificate, names: Iterable[str]) -> None:
    """Refuse a name that clients would refuse: outside what the authority was made for."""
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = limits.permitted_subtrees or []
    domains = [one.value for one in permitted if isinstance(one, x509.DNSName)]
    networks = [one.value for one in permitted if isinstance(one, x509.IPAddress)]
    for name in names:
        address = _address(name)
        if address is None:
            allowed = any(name == domain or name.endswith(f".{domain}") for domain in domains)
        else:
            allowed = any(
                address in network
                for network in networks
                if isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network)
            )
        if not allowed:
            raise InputError("tls.name_outside", name=name)


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(file: Path, content: bytes) -> None:
    """Put a file in place whole, readable for its owner only, through no link."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(content)
    new.replace(file)
