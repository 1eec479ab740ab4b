"""A Bucket as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gitopsd.plugin import Declared, SourceIntent, SpecError, digest, spec
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.sources import fields
from gitopsd_plugins.bucket.spec import BucketSpec, Document

FAILED = "BucketOperationFailed"
"""Flux's reason for a failure that names none itself."""

FORMAT = 1
"""Grows when the same objects and rules would give another tree: then every artifact is fetched again."""

_NAME = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._\-]{0,254}")
_STS = re.compile(r"https://(?:[a-z0-9-]+\.)?sts(?:-fips)?(?:\.[a-z0-9-]+)?(?:\.vpce)?\.amazonaws\.com(?:\.cn)?/?")
"""Amazon's own: nobody else gets a token that is made out to it."""
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]+(?:/[A-Za-z0-9._\-]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenService:
    """Who lends keys for the bucket: at a URL; secrets are (namespace, name), None without one."""

    endpoint: str
    secret: tuple[str, str] | None = None
    certificates: tuple[str, str] | None = None


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
    account: Account | None = None
    """The service account whose identity in the cloud is used; None for this process's own."""
    sts: TokenService | None = None

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
        secret=_secret(namespace, found.secret_ref),
        certificates=_secret(namespace, found.cert_secret_ref),
        proxy=_secret(namespace, found.proxy_secret_ref),
        account=Account(namespace=namespace, name=found.service_account_name) if found.service_account_name else None,
        sts=_sts(found, namespace),
    )
    return SourceIntent(
        ref=declared.ref,
        spec=place,
        # The revision names every object that is kept, by the version that this bucket gave it.
        content=digest.of_value({"format": FORMAT, "place": [place.provider, place.url, place.bucket]}),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        suspended=found.suspend,
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
    if "\0" in found.prefix or ".." in found.prefix.split("/"):
        raise SpecError("cannot be the beginning of an object's name", path=("spec", "prefix"))


def _secret(namespace: str, named: fields.Local | None) -> tuple[str, str] | None:
    return (namespace, named.name) if named else None


def _sts(found: BucketSpec, namespace: str) -> TokenService | None:
    it = found.sts
    if it is None:
        return None
    if (found.provider, it.provider) not in {("aws", "aws"), ("generic", "ldap")}:
        raise _about_sts("must be aws for the provider aws, ldap for generic; other buckets have none", "provider")
    if it.provider == "aws" and (it.secret_ref or it.cert_secret_ref):
        raise _about_sts("is for the provider ldap only", "secretRef" if it.secret_ref else "certSecretRef")
    if it.provider == "aws" and not _STS.fullmatch(it.endpoint):
        raise _about_sts("must be https://sts.REGION.amazonaws.com, or an endpoint of a VPC for it", "endpoint")
    if it.provider == "ldap" and not it.secret_ref:
        raise _about_sts("is needed: username and password in the directory", "secretRef")
    if it.provider == "ldap" and not _is_address(it.endpoint, insecure=found.insecure):
        raise _about_sts("must be https://HOST; http:// needs spec.insecure", "endpoint")
    return TokenService(
        endpoint=it.endpoint,
        secret=_secret(namespace, it.secret_ref),
        certificates=_secret(namespace, it.cert_secret_ref),
    )


def _is_address(text: str, *, insecure: bool) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    schemes = {"https", "http"} if insecure else {"https"}
    return parts.scheme in schemes and bool(parts.hostname) and port != 0 and parts.username is None


def _about_sts(what: str, field: str) -> SpecError:
    return SpecError(what, path=("spec", "sts", field), reason="InvalidSTSConfiguration")


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
