"""A Bucket as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gitopsd.plugin import Declared, SourceIntent, SpecError, digest, spec
from gitopsd.plugin.sources import fields
from gitopsd_plugins.bucket.spec import BucketSpec, Document

FAILED = "BucketOperationFailed"
"""Flux's reason for a failure that names none itself."""

FORMAT = 1
"""Grows when the same objects and rules would give another tree: then every artifact is fetched again."""

_NAME = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._\-]{0,254}")
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]+(?:/[A-Za-z0-9._\-]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bucket and the way to it. `url` is the endpoint with its scheme; secrets are (namespace, name), None without one."""

    provider: str
    url: str
    bucket: str
    region: str = ""
    prefix: str = ""
    ignore: str | None = field(default=None, repr=False)
    secret: tuple[str, str] | None = None
    certificates: tuple[str, str] | None = None
    proxy: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f'bucket "{self.bucket}" at {self.url}'


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    _check(found)
    namespace = declared.ref.namespace
    place = Place(
        provider=found.provider,
        url=_url(found),
        bucket=found.bucket_name,
        region=found.region,
        prefix=found.prefix,
        ignore=found.ignore,
        secret=(namespace, found.secret_ref.name) if found.secret_ref else None,
        certificates=(namespace, found.cert_secret_ref.name) if found.cert_secret_ref else None,
        proxy=(namespace, found.proxy_secret_ref.name) if found.proxy_secret_ref else None,
    )
    return SourceIntent(
        ref=declared.ref,
        spec=place,
        # The revision names every object that is kept, by the version that this bucket gave it.
        content=digest.of_value({"format": FORMAT, "place": [place.provider, place.url, place.bucket]}),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        suspended=found.suspend,
        unsupported=found.unsupported,
        warnings=found.warnings,
    )


def _check(found: BucketSpec) -> None:
    """What Flux's own schema refuses, and names that no object store has."""
    if not _NAME.fullmatch(found.bucket_name):
        raise SpecError(f"{found.bucket_name[:80]!r} cannot be the name of a bucket", path=("spec", "bucketName"))
    if found.cert_secret_ref and found.provider != "generic":
        raise SpecError("is for the provider generic only", path=("spec", "certSecretRef"))
    if found.service_account_name and found.provider == "generic":
        raise SpecError("is not for the provider generic", path=("spec", "serviceAccountName"))
    if found.service_account_name and found.secret_ref:
        raise SpecError("cannot be set beside secretRef", path=("spec", "serviceAccountName"))
    if found.sts and (found.provider, found.sts.provider) not in {("aws", "aws"), ("generic", "ldap")}:
        raise SpecError(
            "must be aws for the provider aws, ldap for generic; other buckets have none",
            path=("spec", "sts", "provider"),
            reason="InvalidSTSConfiguration",
        )
    if "\0" in found.prefix or ".." in found.prefix.split("/"):
        raise SpecError("cannot be the beginning of an object's name", path=("spec", "prefix"))


def _url(found: BucketSpec) -> str:
    """The endpoint with its scheme. Plain http only where `insecure` says so."""
    scheme, colon, rest = found.endpoint.partition("://")
    if not colon:
        scheme, rest = "http" if found.insecure else "https", found.endpoint
    if scheme not in {"http", "https"} or not _HOST.fullmatch(rest):
        raise SpecError("must be HOST, HOST:PORT or https://HOST", path=("spec", "endpoint"), reason="URLInvalid")
    if scheme == "http" and not found.insecure:
        raise SpecError("is not encrypted; set spec.insecure to allow it", path=("spec", "endpoint"))
    url = f"{scheme}://{rest}".rstrip("/")
    try:
        urlsplit(url).port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise SpecError(f"cannot be read: {error}", path=("spec", "endpoint"), reason="URLInvalid") from error
    return url
