"""A GitRepository as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitopsd.plugin import (
    Declared,
    ObjectRef,
    Rejected,
    Remote,
    SourceIntent,
    SpecError,
    UsageError,
    digest,
    spec,
)
from gitopsd.plugin.sources import fields, semver
from gitopsd_plugins.git import address, reference
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.reference import Wanted
from gitopsd_plugins.git.spec import Document, RefSpec

EVERYTHING = "!*"
"""Ignore rules that leave nothing out."""
FORMAT = 1
"""Grows when the same commit and rules would give another tree: then every artifact is fetched again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`secret` is (namespace, name), None without one."""

    address: Address
    wanted: Wanted
    secret: tuple[str, str] | None = None
    ignore: str | None = field(default=None, repr=False)


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    repository = Repository(
        address=address.read(found.url, beside=None if declared.parent else Path(declared.place.file).parent),
        wanted=_wanted(found.ref or RefSpec()),
        secret=(declared.ref.namespace, found.secret_ref.name) if found.secret_ref else None,
        ignore=found.ignore,
    )
    return SourceIntent(
        ref=declared.ref,
        spec=repository,
        # The revision names the commit, and the commit names every byte: only the rules can change the tree beside it.
        content=digest.of_value({"format": FORMAT, "ignore": found.ignore}),
        interval=fields.interval(found.interval),
        timeout=fields.timeout(found.timeout),
        suspended=found.suspend,
        unsupported=found.unsupported,
        warnings=found.warnings,
    )


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
