"""A GitRepository as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitopsd.plugin import Declared, SourceIntent, SpecError, digest, spec
from gitopsd.plugin.sources import fields, semver
from gitopsd_plugins.git import address, reference, verification
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.reference import Wanted
from gitopsd_plugins.git.spec import Document, RefSpec, RepositorySpec
from gitopsd_plugins.git.spec import Verification as VerificationSpec
from gitopsd_plugins.git.verification import Mode

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
class Repository:
    """A repository and what to bring of it; None for what is not asked for."""

    address: Address
    wanted: Wanted
    secret: Secret | None = None
    ignore: str | None = field(default=None, repr=False)
    verify: Verify | None = None


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    namespace = declared.ref.namespace
    wanted = _wanted(found.ref or RefSpec())
    repository = Repository(
        address=address.read(found.url, beside=None if declared.parent else Path(declared.place.file).parent),
        wanted=wanted,
        secret=(namespace, found.secret_ref.name) if found.secret_ref else None,
        ignore=found.ignore,
        verify=_verify(found.verify, wanted, namespace) if found.verify else None,
    )
    return SourceIntent(
        ref=declared.ref,
        spec=repository,
        content=digest.of_value(_rules(found)),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        suspended=found.suspend,
        unsupported=found.unsupported,
        warnings=found.warnings,
    )


def _rules(found: RepositorySpec) -> dict[str, Any]:
    """What decides the tree and its standing beside the revision, which names the commit, and so every byte."""
    rules: dict[str, Any] = {"format": FORMAT, "ignore": found.ignore}
    if found.verify:
        rules["verify"] = [found.verify.mode.upper(), found.verify.secret_ref.name]
    return rules


def _verify(found: VerificationSpec, wanted: Wanted, namespace: str) -> Verify:
    mode: Mode = "HEAD" if found.mode == "head" else found.mode
    if not verification.fits(mode, wanted):
        raise SpecError(verification.NO_TAG, path=("spec", "verify", "mode"), reason=verification.INVALID_MODE)
    return Verify(mode=mode, secret=(namespace, found.secret_ref.name))


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
