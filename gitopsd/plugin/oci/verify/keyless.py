"""Signatures without a key: a certificate of a moment says who signed, and a public log that it was in that moment.

What a worker process does of it, with the library sigstore (extra `gitopsd[sigstore]`) for bundles, and with our own
`promised` for simple signatures, which the library does not know. Nothing is asked of anybody: the roots of trust are those
that the user gave, or those that came with the library.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from gitopsd.model.errors import Misconfigured, Rejected
from gitopsd.plugin.oci.verify import cosign, fulcio, identity, promised
from gitopsd.plugin.oci.verify.cosign import Signed
from gitopsd.plugin.oci.verify.proof import Refused, plain
from gitopsd.plugin.oci.verify.spec import ROOT_FILE, Identity
from gitopsd.plugin.tree import Intake

if TYPE_CHECKING:
    from cryptography import x509
    from sigstore_models.trustroot.v1 import TrustedRoot as Document

MISSING = (
    "signatures without a key need the extra [sigstore]; install gitopsd[sigstore] (pip install 'gitopsd[sigstore]')"
)
PUBLIC = "https://tuf-repo-cdn.sigstore.dev"
"""Whose root the library carries. It is a name here; nothing is asked there."""
REASON = "VerificationError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which signatures, of what, by whom. `root` is a trusted_root.json; empty for the library's own."""

    signed: tuple[Signed, ...]
    digest: str
    identities: tuple[Identity, ...]
    root: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """By whom it is signed; '' for nobody who may, with what is wrong with each signature."""

    by: str = ""
    wrong: tuple[str, ...] = ()


def job(payload: bytes, intake: Intake) -> bytes:
    """Answer an order. Raises `Misconfigured` without the library, `Rejected` for a root that cannot be used."""
    del intake
    return msgspec.msgpack.encode(answer(msgspec.msgpack.decode(payload, type=Order)))


def answer(order: Order) -> Answer:
    """The first signature that proves it decides."""
    try:
        from sigstore.errors import Error
        from sigstore.models import TrustedRoot
        from sigstore_models.trustroot.v1 import TrustedRoot as Document
    except ImportError as error:
        raise Misconfigured(MISSING, reason=REASON) from error
    try:
        document = Document.from_json(order.root or _embedded())
        TrustedRoot(document).get_fulcio_certs()
    except (ValueError, Error) as error:
        what = f"{ROOT_FILE} of spec.verify.trustedRootSecretRef" if order.root else "the root of trust of sigstore"
        raise Rejected(f"{what} cannot be used: {_line(error)}", reason=REASON) from error
    wrong = []
    for signed in order.signed:
        if signed.digest != order.digest:
            wrong.append(f"is of {signed.digest[:80]}")
            continue
        try:
            return Answer(by=_by(signed, order, document))
        except Refused as error:
            wrong.append(str(error))
    return Answer(wrong=tuple(wrong))


def _embedded() -> bytes:
    """The root of trust of the public Sigstore as it was when the library was released; newer logs are not in it."""
    folder = importlib.resources.files("sigstore") / "_store" / quote(PUBLIC, safe="")
    try:
        return (folder / "trusted_root.json").read_bytes()
    except OSError as error:
        raise Misconfigured(
            "this version of sigstore carries no root of trust; name one in spec.verify.trustedRootSecretRef",
            reason=REASON,
        ) from error


def _by(signed: Signed, order: Order, root: Document) -> str:
    """Who signed. Raises `Refused`."""
    if signed.bundle:
        return _by_bundle(signed.bundle, order, root)
    if not signed.certificate:
        raise Refused("has no certificate: it was made with a key, so name the key in spec.verify.secretRef")
    if not signed.promise:
        raise Refused("has no proof that it is in a transparency log, and no log is asked")
    certificate = promised.certificate(signed, root)
    return identity.accepted(certificate, order.identities)


def _by_bundle(raw: bytes, order: Order, root: Document) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, ExtensionNotFound, InvalidVersion
    from sigstore.errors import Error
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier

    if b'"certificate"' not in raw and b'"x509CertificateChain"' not in raw:
        raise Refused("has no certificate: it was made with a key, so name the key in spec.verify.secretRef")
    policy = _Policy(lambda certificate: identity.accepted(certificate, order.identities))
    # What a hostile bundle makes the library stumble over is no proof either.
    hostile = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
    certificates = (ExtensionNotFound, DuplicateExtension, InvalidVersion, UnsupportedAlgorithm)
    try:
        bundle = Bundle.from_json(raw)
        trusted = TrustedRoot(fulcio.as_of(root, bundle.signing_certificate.not_valid_before_utc))
        kind, payload = Verifier(trusted_root=trusted).verify_dsse(bundle, policy)
    except (Error, *hostile, *certificates) as error:
        raise Refused(f"proves nothing: {_line(error)}") from error
    if kind != cosign.STATEMENT or cosign.about(payload) != order.digest:
        raise Refused("is of something else")
    return policy.by


class _Policy:
    """What the library asks about a certificate that is good for it."""

    def __init__(self, accepted: Callable[[x509.Certificate], str]) -> None:
        self._accepted = accepted
        self.by = ""

    def verify(self, cert: x509.Certificate) -> None:
        """Raises `Refused`, which the library lets through."""
        self.by = self._accepted(cert)


def _line(error: Exception) -> str:
    # of a list of what does not fit, the first is enough, and what was given is not repeated
    return plain(str(error).partition(" [type=")[0]) or type(error).__name__
