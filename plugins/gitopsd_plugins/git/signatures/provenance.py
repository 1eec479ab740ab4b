"""Whether a commit, or the annotated tag that leads to it, is signed by a trusted key.

Runs in a worker process, before a byte of the commit's files is read: what does not pass here never becomes an artifact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from gitopsd.plugin import VerificationFailed
from gitopsd_plugins.git.signatures import pgp, signed
from gitopsd_plugins.git.signatures.signed import Form, MalformedKey, SignatureError, Signed
from gitopsd_plugins.git.signatures.verification import INVALID_MODE, NO_TAG, Verification

if TYPE_CHECKING:
    from pysequoia import Cert

    from gitopsd_plugins.git.signatures.sshsig import PublicKey

T = TypeVar("T")
SSH_SUFFIX = ".sshpub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A commit by its name and content, and the tag that led to it: its short name, and the object ('' and b"" for none)."""

    commit: str
    raw_commit: bytes = field(repr=False)
    tag: str = ""
    tag_oid: str = ""
    raw_tag: bytes = field(default=b"", repr=False)


def check(subject: Subject, rules: Verification) -> str:
    """What was verified with which key, in Flux's words. Raises `VerificationFailed`."""
    trusted = _Trusted(rules)
    found: list[str] = []
    if rules.of_tag:
        found.append(_tag(subject, trusted))
    if rules.mode != "Tag":
        what = f"commit '{subject.commit}'"
        key = _verified(signed.commit(subject.raw_commit), what, trusted, "InvalidCommitSignature")
        found.append(f"{what} with key '{key}'")
    return "verified signature of" + "".join(f"\n\t- {line}" for line in found)


def _tag(subject: Subject, trusted: _Trusted) -> str:
    if not subject.tag:
        raise VerificationFailed(f"spec.verify.mode: {NO_TAG}", reason=INVALID_MODE)
    what = f"tag '{subject.tag}@{subject.tag_oid}'" if subject.tag_oid else f"tag '{subject.tag}'"
    content = signed.tag(subject.raw_tag)
    if content.form is Form.NONE:
        raise VerificationFailed(
            f"{what} is not signed; sign it (`git tag --sign`), or set spec.verify.mode: HEAD",
            reason="InvalidGitObject",
        )
    key = _verified(content, what, trusted, "InvalidTagSignature")
    name = _name(content.payload)
    if name != subject.tag:
        # Whoever may write refs, but not sign, could else let an older release pass for a newer one.
        raise VerificationFailed(
            f"{what} is signed, but as the tag '{name}'; make it anew", reason="InvalidTagSignature"
        )
    return f"{what} with key '{key}'"


def _name(tag: bytes) -> str:
    lines = tag.partition(b"\n\n")[0].split(b"\n")
    return next((line[4:].decode("utf-8", "replace") for line in lines if line.startswith(b"tag ")), "")


def _verified(content: Signed, what: str, trusted: _Trusted, reason: str) -> str:
    try:
        match content.form:
            case Form.SSH:
                from gitopsd_plugins.git.signatures import sshsig  # cryptography, which few repositories ask for

                return sshsig.verified(content.signature, content.payload, frozenset(trusted.ssh())).fingerprint
            case Form.PGP:
                return pgp.verified(content.signature, content.payload, trusted.pgp(), trusted.rules.now)
            case Form.NONE:
                raise SignatureError("it is not signed")
            case _:
                raise SignatureError(f"a signature of the form {content.form} cannot be verified; use OpenPGP or SSH")
    except SignatureError as error:
        said = f"signature verification of {what} failed: {error}; nothing of it is used"
        raise VerificationFailed(said + trusted.flaws, reason=reason) from error


class _Trusted:
    """The keys of the Secret, read when a signature asks for them. `flaws` are the entries that cannot be read."""

    def __init__(self, rules: Verification) -> None:
        self.rules = rules
        self.flaws = ""

    def ssh(self) -> Sequence[PublicKey]:
        """Of every entry that ends in `.sshpub`."""
        from gitopsd_plugins.git.signatures import sshsig

        found: list[PublicKey] = []
        for name, data in self._entries(ssh=True):
            try:
                found += sshsig.keys(data.decode("utf-8", "replace"))
            except MalformedKey as error:
                self._note(name, error)
        return self._some(found, f"a key that ends in {SSH_SUFFIX}")

    def pgp(self) -> Sequence[Cert]:
        """Of every other entry: `.asc` by the book, any by custom."""
        found: list[Cert] = []
        for name, data in self._entries(ssh=False):
            try:
                found += pgp.keys(data)
            except MalformedKey as error:
                self._note(name, error)
        return self._some(found, "a key that ends in .asc")

    def _entries(self, *, ssh: bool) -> list[tuple[str, bytes]]:
        return [(name, data) for name, data in sorted(self.rules.keys.items()) if name.endswith(SSH_SUFFIX) is ssh]

    def _note(self, name: str, error: MalformedKey) -> None:
        self.flaws += f"; {self.rules.label}: {name}: {error}"

    def _some(self, found: list[T], missing: str) -> list[T]:
        if not found:
            raise SignatureError(f"{self.rules.label} holds no public key for it; add {missing}")
        return found
