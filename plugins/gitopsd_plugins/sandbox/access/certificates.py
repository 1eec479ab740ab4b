"""A certificate authority, a server certificate and those of clients, made in memory for the life of one server.

kubectl sends a token over TLS only, so a sandbox that people use needs both. Nothing here is kept: a restart makes new
ones, and the new kubeconfig carries the new authority.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The authority as PEM, for clients, and the server's TLS context, which takes clients that the authority signed."""

    authority: str
    context: ssl.SSLContext
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    def client(self, name: str, groups: Sequence[str] = ()) -> tuple[str, str]:
        """A client's certificate and key as PEM: the user is the common name, his groups are the organizations."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, "gitopsd sandbox", groups).public_key(key.public_key())
        certificate = _leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH).sign(self._key, hashes.SHA256())
        return _pem(certificate).decode(), _key_pem(key).decode()


def make(host: str) -> Certificates:
    """Certificates for `host`, localhost and the loopback addresses."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    server = _server(host, server_key, authority, authority_key)
    text = _pem(authority).decode()
    context = _context(server, server_key, text)
    return Certificates(authority=text, context=context, _certificate=authority, _key=authority_key)


def _builder(name: str, issuer: str, groups: Sequence[str] = ()) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _builder("gitopsd sandbox", "gitopsd sandbox")
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(builder: x509.CertificateBuilder, use: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    """What every certificate has that signs no others."""
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )


def _server(
    host: str, key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _leaf(_builder("sandbox", "gitopsd sandbox").public_key(key.public_key()), ExtendedKeyUsageOID.SERVER_AUTH)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    addresses = {"127.0.0.1", "::1"}
    try:
        addresses.add(str(ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    return [*names, *(x509.IPAddress(ip_address(address)) for address in sorted(addresses))]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, authority: str) -> ssl.SSLContext:
    """The server's context. The standard library reads keys from files only, so one exists for a moment (0600)."""
    text = _key_pem(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(cadata=authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.touch(mode=0o600)
        path.write_bytes(text + _pem(certificate))
        context.load_cert_chain(path)
    return context
