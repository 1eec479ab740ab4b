"""Which commit a `spec.ref` names, given what the server advertises. Pure.

The order is that of Flux's code: commit, name, tag, semver, branch; `master` without any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitopsd.plugin import Rejected, Revision, UsageError
from gitopsd.plugin.sources import semver

DEFAULT_BRANCH = "master"
FAILED = "GitOperationFailed"
"""Flux's reason for all that goes wrong between it and a repository."""

MAX_REFS = 1_000_000
PEELED = "^{}"

_OID = re.compile(r"[0-9a-f]{40}")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|^[/.-]|[/.]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The fields of `spec.ref`; '' where not given."""

    branch: str = ""
    tag: str = ""
    semver: str = ""
    name: str = ""
    commit: str = ""
    either: str = ""
    """A branch or a tag, whichever there is: what a person named, never a spec."""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What to ask the server for; nothing where the answer is known."""
        if self.commit:
            return ()
        if self.name:
            return (self.name.removesuffix(PEELED),)
        if self.tag:
            return (f"refs/tags/{self.tag}",)
        if self.either:
            return (f"refs/heads/{self.either}", f"refs/tags/{self.either}")
        if self.semver:
            return ("refs/tags/",)
        return (f"refs/heads/{self.branch or DEFAULT_BRANCH}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertised:
    """One ref of the server; `peeled` is the object behind an annotated tag, '' for none."""

    oid: str
    peeled: str = ""

    @property
    def commit(self) -> str:
        """The object that it stands for in the end."""
        return self.peeled or self.oid


Refs = Mapping[str, Advertised]


def is_oid(text: str) -> bool:
    """True for 40 hex digits in lower case."""
    return _OID.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """True for text that Git allows as the name of a ref (or as the part below refs/heads/)."""
    return len(text) <= 1024 and bool(text) and text != "@" and not _BAD_REF.search(text)


def choose(wanted: Wanted, refs: Refs, url: str) -> Revision:
    """The revision in Flux's form. Raises `Rejected` that names what is missing and the field to check."""
    if wanted.commit:
        return _revision(wanted.branch, wanted.commit)
    if wanted.name:
        plain = wanted.name.removesuffix(PEELED)
        return _revision(wanted.name, _commit(refs, plain, f"ref {wanted.name!r}", "spec.ref.name", url))
    if wanted.tag:
        commit = _commit(refs, f"refs/tags/{wanted.tag}", f'tag "{wanted.tag}"', "spec.ref.tag", url)
        return _revision(wanted.tag, commit)
    if wanted.either:
        return _either(wanted.either, refs, url)
    if wanted.semver:
        return _newest(wanted.semver, refs, url)
    branch = wanted.branch or DEFAULT_BRANCH
    field = "spec.ref.branch" if wanted.branch else f"spec.ref (without it the branch is {DEFAULT_BRANCH!r})"
    return _revision(branch, _commit(refs, f"refs/heads/{branch}", f'branch "{branch}"', field, url))


def asked(text: str) -> Wanted:
    """What a person calls a revision: a commit, a full ref, a branch or a tag; also as a status shows it.

    Raises `UsageError` for what is none of these.
    """
    commit = text.rpartition("@")[2].removeprefix("sha1:").lower()
    if is_oid(commit):
        return Wanted(commit=commit)
    if not is_ref(text):
        raise UsageError(f"{text!r} is neither a commit of 40 hex digits nor a name that Git allows")
    return Wanted(name=text) if text.startswith("refs/") or text == "HEAD" else Wanted(either=text)


def _either(name: str, refs: Refs, url: str) -> Revision:
    branch, tag = refs.get(f"refs/heads/{name}"), refs.get(f"refs/tags/{name}")
    if branch and tag:
        raise Rejected(f"{name!r} is a branch and a tag at {url}; name refs/heads/{name} or refs/tags/{name}")
    if branch:
        return _revision(name, branch.commit)
    if tag:
        return _revision(f"refs/tags/{name}", tag.commit)
    raise Rejected(
        f"neither branch nor tag {name!r} at {url}; a commit is named by all of its 40 digits", reason=FAILED
    )


def _revision(name: str, commit: str) -> Revision:
    return Revision(name=name, digest=f"sha1:{commit}")


def _commit(refs: Refs, ref: str, what: str, field: str, url: str) -> str:
    if ref not in refs:
        raise Rejected(f"{what} not found at {url}; check {field}", reason=FAILED)
    return refs[ref].commit


def _newest(text: str, refs: Refs, url: str) -> Revision:
    tags: Sequence[str] = [ref.removeprefix("refs/tags/") for ref in refs if ref.startswith("refs/tags/")]
    tag = semver.constraint(text).newest(tags)
    if tag is None:
        raise Rejected(
            f'none of the {len(tags)} tags at {url} satisfies "{text}"; check spec.ref.semver, or push such a tag',
            reason=FAILED,
        )
    return _revision(tag, refs[f"refs/tags/{tag}"].commit)
