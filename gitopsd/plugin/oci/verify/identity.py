"""Who a certificate of Sigstore's authority says its holder is: a subject, and who vouched for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitopsd.plugin.oci.verify.proof import Refused
from gitopsd.plugin.oci.verify.spec import Identity, expression

if TYPE_CHECKING:
    from cryptography import x509

ISSUER = "1.3.6.1.4.1.57264.1.8"
ISSUER_OLD = "1.3.6.1.4.1.57264.1.1"
OTHER_NAME = "1.3.6.1.4.1.57264.1.7"


def accepted(certificate: x509.Certificate, identities: Sequence[Identity]) -> str:
    """Who it is, in words, where one of `identities` names it or none is given. Raises `Refused`.

    The expressions match a part of the words, as in cosign.
    """
    issuer, subjects = _issuer(certificate), _subjects(certificate)
    if not subjects:
        raise Refused("has a certificate without a subject")
    if any(not text.isprintable() for text in (issuer, *subjects)):
        raise Refused("has a certificate of a subject or issuer that is no plain text")
    for subject in subjects:
        for wanted in identities:
            if expression(wanted.issuer).search(issuer) and expression(wanted.subject).search(subject):
                return f"{subject} of {issuer}"
    if identities:
        raise Refused(
            f"is by {', '.join(subjects)[:200]} of {issuer[:200]}, whom spec.verify.matchOIDCIdentity does not name"
        )
    return f"{subjects[0]} of {issuer}"


def _issuer(certificate: x509.Certificate) -> str:
    new, old = _extension(certificate, ISSUER), _extension(certificate, ISSUER_OLD)
    try:
        return _utf8(new) if new is not None else (old or b"").decode()
    except UnicodeDecodeError as error:
        raise Refused("has a certificate of an issuer that is no text") from error


def _extension(certificate: x509.Certificate, oid: str) -> bytes | None:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise Refused("has a certificate whose extensions cannot be read") from error
    return found.value if isinstance(found, x509.UnrecognizedExtension) else None


def _subjects(certificate: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    except (ValueError, x509.UnsupportedGeneralNameType) as error:
        raise Refused("has a certificate whose subject cannot be read") from error
    found = []
    for name in names:
        match name:
            case x509.RFC822Name() | x509.UniformResourceIdentifier() | x509.DNSName():
                found.append(name.value)
            case x509.IPAddress():
                found.append(str(name.value))
            case x509.OtherName() if name.type_id.dotted_string == OTHER_NAME:
                found.append(_utf8(name.value))
    return found


def _utf8(der: bytes) -> str:
    """A UTF8String of less than 64 KiB."""
    if len(der) < 2 or der[0] != 0x0C:
        raise Refused("has a certificate with a name that cannot be read")
    octets = der[1] & 0x7F if der[1] & 0x80 else 0
    size = int.from_bytes(der[2 : 2 + octets], "big") if octets else der[1]
    text = der[2 + octets :]
    if octets > 2 or len(text) != size:
        raise Refused("has a certificate with a name that cannot be read")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Refused("has a certificate with a name that is no text") from error
