"""A GitRepository as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from gitopsd.plugin import (
    Declared,
    ObjectRef,
    PathError,
    Rejected,
    Remote,
    SourceIntent,
    SpecError,
    UsageError,
    digest,
    spec,
    tree,
)
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.sources import fields, semver
from gitopsd_plugins.git import address, reference
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.reference import Wanted
from gitopsd_plugins.git.signatures import verification
from gitopsd_plugins.git.signatures.verification import Mode
from gitopsd_plugins.git.spec import Document, RefSpec, RepositorySpec
from gitopsd_plugins.git.spec import Include as IncludeSpec
from gitopsd_plugins.git.spec import Verification as VerificationSpec

EVERYTHING = "!*"
"""Ignore rules that leave nothing out."""
FORMAT = 1
"""Grows when the same commit and rules would give another tree: then every artifact is fetched again."""


Secret = tuple[str, str]
"""The namespace and name of a Secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Which signatures are asked for, and the Secret with the keys that count."""

    mode: Mode
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """What of another repository's artifact is copied in, and where to; paths from the root without `.` and `..`."""

    source: ObjectRef
    from_path: str
    to_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository and what to bring of it; None for what is not asked for."""

    address: Address
    wanted: Wanted
    secret: Secret | None = None
    proxy: Secret | None = None
    provider: str = "generic"
    account: Account | None = None
    """The service account whose identity in the cloud is used; None for this process's own."""
    ignore: str | None = field(default=None, repr=False)
    verify: Verify | None = None
    sparse: tuple[str, ...] = ()
    """Directories to bring, from the root without `.` and `..`; all without any."""
    include: tuple[Include, ...] = ()
    submodules: bool = False


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    namespace = declared.ref.namespace
    wanted = _wanted(found.ref or RefSpec())
    repository = Repository(
        address=address.read(found.url, beside=None if declared.parent else Path(declared.place.file).parent),
        wanted=wanted,
        secret=(namespace, found.secret_ref.name) if found.secret_ref else None,
        proxy=(namespace, found.proxy_secret_ref.name) if found.proxy_secret_ref else None,
        provider=found.provider,
        account=_account(found, namespace),
        ignore=found.ignore,
        verify=_verify(found.verify, wanted, namespace) if found.verify else None,
        sparse=_sparse(found.sparse_checkout),
        include=tuple(_include(index, include, declared.ref) for index, include in enumerate(found.include)),
        submodules=found.recurse_submodules,
    )
    return SourceIntent(
        ref=declared.ref,
        spec=repository,
        content=digest.of_value(_rules(found)),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        reads=tuple(dict.fromkeys(include.source for include in repository.include)),
        blends=bool(repository.include),
        suspended=found.suspend,
        warnings=found.warnings,
    )


def _account(found: RepositorySpec, namespace: str) -> Account | None:
    if not found.service_account_name:
        return None
    if found.provider not in {"aws", "azure"}:
        raise SpecError("is for the providers aws and azure only", path=("spec", "serviceAccountName"))
    return Account(namespace=namespace, name=found.service_account_name)


def _rules(found: RepositorySpec) -> dict[str, Any]:
    """What decides the tree and its standing beside the revision, which names the commit, and so every byte."""
    rules: dict[str, Any] = {"format": FORMAT, "ignore": found.ignore}
    if found.verify:
        rules["verify"] = [found.verify.mode.upper(), found.verify.secret_ref.name]
    if found.sparse_checkout:
        rules["sparse"] = found.sparse_checkout
    if found.include:
        rules["include"] = [[i.repository.name, i.from_path, i.to_path] for i in found.include]
    if found.recurse_submodules:
        rules["submodules"] = True
    return rules


def _sparse(found: tuple[str, ...]) -> tuple[str, ...]:
    paths = [_path(path, ("spec", "sparseCheckout", index)) for index, path in enumerate(found)]
    return () if "" in paths else tuple(dict.fromkeys(paths))


def _include(index: int, found: IncludeSpec, ref: ObjectRef) -> Include:
    at = ("spec", "include", index)
    to_path = _path(found.to_path or found.repository.name, (*at, "toPath"))
    if not to_path:
        raise SpecError("the root is taken by the repository itself; name a folder", path=(*at, "toPath"))
    return Include(
        source=replace(ref, name=found.repository.name),
        from_path=_path(found.from_path, (*at, "fromPath")),
        to_path=to_path,
    )


def _path(text: str, at: tuple[str | int, ...]) -> str:
    try:
        path = tree.normal(text)
    except PathError as error:
        raise SpecError(str(error), path=at) from error
    if path.split("/")[0] == ".git":
        raise SpecError(f"{text!r} is Git's own folder", path=at)
    return path


def _verify(found: VerificationSpec, wanted: Wanted, namespace: str) -> Verify:
    mode: Mode = "HEAD" if found.mode == "head" else found.mode
    if not verification.fits(mode, wanted):
        raise SpecError(verification.NO_TAG, path=("spec", "verify", "mode"), reason=verification.INVALID_MODE)
    return Verify(mode=mode, secret=(namespace, found.secret_ref.name))


def of_address(remote: Remote, ref: ObjectRef) -> SourceIntent:
    """An address that a render asks for. Raises `Rejected` for what is no address of a repository, or no revision of one."""
    try:
        place = address.read(remote.url, beside=None)
        wanted = reference.asked(remote.revision or "HEAD")
    except (SpecError, UsageError) as error:
        raise Rejected(f"{ref}: {error}") from error
    return SourceIntent(
        ref=ref,
        spec=Repository(address=place, wanted=wanted, ignore=EVERYTHING),
        content=digest.of_value({"format": FORMAT, "ignore": EVERYTHING}),
        interval=timedelta(),
        timeout=timedelta(seconds=60),
    )


def _wanted(ref: RefSpec) -> Wanted:
    for name in ("branch", "tag"):
        value = getattr(ref, name)
        if value and not reference.is_ref(value):
            raise SpecError(f"{value!r} is not a name that Git allows", path=("spec", "ref", name))
    name = ref.name.removesuffix(reference.PEELED)
    if name and not (reference.is_ref(name) and (name.startswith("refs/") or name == "HEAD")):
        raise SpecError(f"{ref.name!r} is not a full ref such as refs/heads/main", path=("spec", "ref", "name"))
    if ref.commit and not reference.is_oid(ref.commit):
        raise SpecError(f"{ref.commit!r} is not a commit of 40 hex digits", path=("spec", "ref", "commit"))
    if ref.semver:
        try:
            semver.constraint(ref.semver)
        except semver.VersionError as error:
            raise SpecError(str(error), path=("spec", "ref", "semver")) from error
    return Wanted(branch=ref.branch, tag=ref.tag, semver=ref.semver, name=ref.name, commit=ref.commit)
