"""Certificates that were taken back, by lists that the user gave. Nobody is asked: what is not in a list is not known. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gitopsd.plugin.oci.verify.proof import Refused

if TYPE_CHECKING:
    from cryptography import x509


def check(chain: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList], now: datetime) -> None:
    """Raises `Refused` for a revoked certificate, and for one that names a service to ask and is in no list's reach."""
    for certificate, issuer in itertools.pairwise(chain):
        name = repr(certificate.subject.rfc4514_string()[:200])
        covering = [found for found in lists if _covers(found, issuer, now)]
        if any(found.get_revoked_certificate_by_serial_number(certificate.serial_number) for found in covering):
            raise Refused(f"has the certificate {name}, which is revoked")
        if not covering and _names_service(certificate):
            raise Refused(
                f"has the certificate {name}, of which nobody knows whether it is revoked: no service is asked; put the "
                "authority's list into the Secret as NAME.crl, or override revocation in the trust policy by log or skip"
            )


def _covers(found: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime) -> bool:
    """Whether the list is the issuer's, and of now."""
    if found.issuer != issuer.subject or not found.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]  # any key
        return False
    ends = found.next_update_utc
    return found.last_update_utc <= now and (ends is None or now <= ends)


def _names_service(certificate: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    for extension in certificate.extensions:
        match extension.value:
            case x509.CRLDistributionPoints():
                return True
            case x509.AuthorityInformationAccess() as access:
                if any(found.access_method == AuthorityInformationAccessOID.OCSP for found in access):
                    return True
    return False
