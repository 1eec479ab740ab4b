"""An OCIRepository as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gitopsd.plugin import Declared, SourceIntent, SpecError, digest, spec
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.oci import Repository, reference
from gitopsd.plugin.oci.verify import Asked
from gitopsd.plugin.oci.verify import spec as asking
from gitopsd.plugin.sources import fields, semver
from gitopsd_plugins.oci.spec import Document, LayerSelector, RefSpec, RepositorySpec

FORMAT = 1
"""Grows when the same artifact and rules would give another tree: then every one is fetched again."""

Name = tuple[str, str]
"""A Secret by namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which artifact: a digest, else the highest tag that `semver` allows and `pattern` matches, else a tag."""

    digest: str = ""
    semver: str = ""
    pattern: str = ""
    tag: str = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRepository:
    """Everything that decides what is fetched, and how. Secrets by (namespace, name), None without one."""

    place: Repository
    wanted: Wanted
    layer: str = ""
    """The media type of the layer; '' for the first one."""
    copy: bool = False
    ignore: str | None = field(default=None, repr=False)
    insecure: bool = False
    provider: str = ""
    """The cloud that lends the login; '' for none. A login in a Secret comes before it."""
    account: Account | None = None
    """The service account whose identity in the cloud is used, or whose imagePullSecrets; None for this process's own identity."""
    login: Name | None = None
    trust: Name | None = None
    proxy: Name | None = None
    verify: Asked | None = None
    """Who has to have signed; None for no check."""


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    layer = found.layer_selector or LayerSelector()
    namespace = declared.ref.namespace
    repository = OciRepository(
        place=_place(found.url),
        wanted=_wanted(found.ref or RefSpec()),
        layer=layer.media_type,
        copy=layer.operation == "copy",
        ignore=found.ignore,
        insecure=found.insecure,
        provider="" if found.provider == "generic" else found.provider,
        account=Account(namespace=namespace, name=found.service_account_name) if found.service_account_name else None,
        login=_name(namespace, found.secret_ref),
        trust=_name(namespace, found.cert_secret_ref),
        proxy=_name(namespace, found.proxy_secret_ref),
        verify=asking.read(found.verify, namespace),
    )
    return SourceIntent(
        ref=declared.ref,
        spec=repository,
        content=_content(repository),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        suspended=found.suspend,
        warnings=_warnings(found),
    )


def _content(repository: OciRepository) -> digest.Digest:
    """The revision names every byte; beside it only the rules can change the tree, and who has to have signed it."""
    signed = [str(repository.place), *repository.verify.facts] if repository.verify else None
    rules = {"ignore": repository.ignore, "layer": repository.layer, "copy": repository.copy}
    return digest.of_value({"format": FORMAT, "signed": signed, **rules})


def _name(namespace: str, secret: fields.Local | None) -> Name | None:
    return (namespace, secret.name) if secret else None


def _place(url: str) -> Repository:
    try:
        found = reference.read(url)
    except reference.ReferenceFormatError as error:
        raise SpecError(str(error), path=("spec", "url")) from error
    if found.tag or found.digest:
        raise SpecError("has a tag or a digest; write it into spec.ref", path=("spec", "url"))
    return found.repository


def _wanted(ref: RefSpec) -> Wanted:
    if ref.digest and not reference.is_digest(ref.digest):
        raise SpecError(f"{ref.digest!r} is no digest such as sha256:...", path=("spec", "ref", "digest"))
    if ref.tag and not reference.is_tag(ref.tag):
        raise SpecError(f"{ref.tag!r} is no tag", path=("spec", "ref", "tag"))
    if ref.semver:
        try:
            semver.constraint(ref.semver)
        except semver.VersionError as error:
            raise SpecError(str(error), path=("spec", "ref", "semver")) from error
    try:
        re.compile(ref.semver_filter)
    except (re.error, OverflowError, RecursionError) as error:
        raise SpecError(f"is no regular expression: {error}", path=("spec", "ref", "semverFilter")) from error
    return Wanted(digest=ref.digest, semver=ref.semver, pattern=ref.semver_filter, tag=ref.tag or "latest")


def _warnings(found: RepositorySpec) -> tuple[str, ...]:
    ref, layer = found.ref or RefSpec(), found.layer_selector or LayerSelector()
    copied = "spec.ignore has no effect with spec.layerSelector.operation copy, as in Flux"
    unused = {
        "spec.ref.semverFilter has no effect without spec.ref.semver": bool(ref.semver_filter and not ref.semver),
        copied: found.ignore is not None and layer.operation == "copy",
    }
    told = tuple(text for text, so in unused.items() if so)
    outranked = fields.outranked("spec.ref", {"digest": ref.digest, "semver": ref.semver, "tag": ref.tag})
    return (*told, *outranked, *asking.warnings(found.verify))
