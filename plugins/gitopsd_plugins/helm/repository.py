"""A HelmRepository as the sources work with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gitopsd.plugin import Declared, SourceIntent, SpecError, digest, spec
from gitopsd.plugin.sources import fields
from gitopsd_plugins.helm.repository_spec import Document, RepositorySpec

FAILED = "Failed"
"""Flux's reason for an index that cannot be fetched."""

FORMAT = 1
"""Grows when the same index would give another tree: then every artifact is fetched again."""

_CONTROL = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`url` without a slash at its end; secrets are (namespace, name), None without one."""

    url: str
    oci: bool = False
    secret: tuple[str, str] | None = None
    certificates: tuple[str, str] | None = None
    pass_credentials: bool = False
    insecure: bool = False
    provider: str = ""
    """The cloud that lends the login for a registry; '' for none. A login in a Secret comes before it."""

    def __str__(self) -> str:
        return self.url

    @property
    def index(self) -> str:
        """Where the index is."""
        return f"{self.url}/index.yaml"


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    namespace = declared.ref.namespace
    repository = Repository(
        url=_url(found),
        oci=found.type == "oci",
        secret=(namespace, found.secret_ref.name) if found.secret_ref else None,
        certificates=(namespace, found.cert_secret_ref.name) if found.cert_secret_ref else None,
        pass_credentials=found.pass_credentials,
        insecure=found.insecure,
        provider=found.provider if found.type == "oci" and found.provider != "generic" else "",
    )
    return SourceIntent(
        ref=declared.ref,
        spec=repository,
        # The revision is the digest of the index itself. An OCI registry is what its declaration says.
        content=digest.of_value({"format": FORMAT, **({"url": found.url} if repository.oci else {})}),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        bare=repository.oci,
        suspended=found.suspend,
        warnings=found.warnings,
    )


def _url(found: RepositorySpec) -> str:
    if _CONTROL.search(found.url):
        raise _error("holds blanks or control characters")
    try:
        parts = urlsplit(found.url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise _error(f"cannot be read: {error}") from error
    allowed = ("oci",) if found.type == "oci" else ("http", "https")
    if parts.scheme not in allowed or not parts.hostname:
        hint = "; set spec.type to oci" if parts.scheme == "oci" else ""
        raise _error(f"must begin with {' or '.join(f'{name}://' for name in allowed)} and name a host{hint}")
    if parts.username is not None:
        raise _error("must hold no user and no password; put them into spec.secretRef")
    if parts.fragment or parts.query:
        raise _error("must have no ? and no #")
    return found.url.rstrip("/")


def _error(what: str) -> SpecError:
    return SpecError(f"the url {what}", path=("spec", "url"), reason="URLInvalid")
