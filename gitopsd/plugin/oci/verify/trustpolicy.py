"""Notation's trustpolicy.json: which statement is for a repository, whom it trusts, and what of a signature must hold. Pure.

The rules are the Notary Project's, version 1.0. A document that breaks one is refused whole, whatever it is about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from gitopsd.plugin.oci.verify import names

ALL = "*"
STORES = ("ca", "signingAuthority", "tsa")
_KINDS = ("authenticity", "authenticTimestamp", "expiry", "revocation")
"""What is looked at besides integrity, which always has to hold."""
_LEVELS = {
    "strict": dict.fromkeys(_KINDS, "enforce"),
    "permissive": {**dict.fromkeys(_KINDS, "log"), "authenticity": "enforce"},
    "audit": dict.fromkeys(_KINDS, "log"),
}
_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
_DOMAIN = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_SCOPE = re.compile(rf"{_DOMAIN}(?:/[a-z0-9._-]+)+")


class PolicyError(ValueError):
    """A trust policy that cannot be used. The message says what is wrong in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What holds for a repository. `actions`: enforce, log or skip for each kind of check; none where all is skipped."""

    name: str
    actions: Mapping[str, str]
    stores: frozenset[str] = frozenset()
    """Types of trust stores, of `STORES`; all of them hold the certificates of the Secret."""
    identities: tuple[Mapping[str, str], ...] = ()
    """Subjects as attribute -> value; empty for any."""
    late_stamp: bool = False
    """A time stamp is asked for only once a certificate has ended."""

    @property
    def skips(self) -> bool:
        """True where signatures are not looked at."""
        return not self.actions


class _Verification(msgspec.Struct, frozen=True, kw_only=True):
    level: str = ""
    override: dict[str, str] = {}
    verify_timestamp: str = msgspec.field(default="", name="verifyTimestamp")


class _Statement(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    name: str = ""
    signature_verification: _Verification = _Verification()
    trust_stores: list[str] | None = None
    trusted_identities: list[str] | None = None
    registry_scopes: list[str] | None = None


class _Document(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    version: str = ""
    trust_policies: list[_Statement] | None = None


def read(data: bytes, repository: str) -> Statement:
    """The statement for a repository (`host/path`). Raises `PolicyError` for a wrong document, or one without such."""
    try:
        found = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise PolicyError(f"is no trust policy: {error}") from error
    if found.version != "1.0":
        raise PolicyError(f"is of version {found.version!r}; 1.0 is known")
    statements = {made.name: made for made in map(_statement, found.trust_policies or ())}
    if not statements or len(statements) != len(found.trust_policies or ()):
        raise PolicyError("needs trustPolicies, each with a name of its own")
    scopes = _scopes(found.trust_policies or ())
    name = scopes.get(repository, scopes.get(ALL))
    if name is None:
        raise PolicyError(f"has no statement for {repository}; name it in registryScopes, or {ALL!r}")
    return statements[name]


def _scopes(statements: Sequence[_Statement]) -> Mapping[str, str]:
    """Statement by scope."""
    found: dict[str, str] = {}
    for statement in statements:
        scopes = statement.registry_scopes or []
        if not scopes:
            raise PolicyError(f"{_at(statement)} has no registryScopes")
        if ALL in scopes and len(scopes) > 1:
            raise PolicyError(f"{_at(statement)} has {ALL!r} beside other registryScopes")
        for scope in scopes:
            if scope != ALL and not _SCOPE.fullmatch(scope):
                raise PolicyError(
                    f"{_at(statement)} has the scope {scope[:200]!r}; write HOST/REPOSITORY, no tag, no scheme"
                )
            if scope in found:
                raise PolicyError(f"has the scope {scope!r} twice")
            found[scope] = statement.name
    return found


def _statement(found: _Statement) -> Statement:
    if not found.name:
        raise PolicyError("has a statement without a name")
    how, stores, identities = found.signature_verification, found.trust_stores or [], found.trusted_identities or []
    if how.verify_timestamp not in {"", "always", "afterCertExpiry"}:
        raise PolicyError(f"{_at(found)} has verifyTimestamp {how.verify_timestamp!r}; use always or afterCertExpiry")
    if how.level == "skip":
        if how.override:
            raise PolicyError(f"{_at(found)} has the level skip, which nothing can override")
        return Statement(name=found.name, actions={})  # stores and identities beside it do nothing, as in Flux
    actions = _actions(found)
    if not stores or not identities:
        raise PolicyError(f"{_at(found)} needs trustStores and trustedIdentities")
    return Statement(
        name=found.name,
        actions=actions,
        stores=frozenset(_store(found, text) for text in stores),
        identities=_identities(found, identities),
        late_stamp=how.verify_timestamp == "afterCertExpiry",
    )


def _actions(found: _Statement) -> Mapping[str, str]:
    how = found.signature_verification
    if how.level not in _LEVELS:
        raise PolicyError(f"{_at(found)} has the level {how.level!r}; use {', '.join(_LEVELS)} or skip")
    for kind, action in how.override.items():
        if kind not in _KINDS:
            raise PolicyError(f"{_at(found)} overrides {kind!r}; use {', '.join(_KINDS)}")
        if action not in ("enforce", "log", "skip") or (action == "skip" and kind != "revocation"):
            raise PolicyError(
                f"{_at(found)} overrides {kind} by {action!r}; use enforce or log; revocation may be skip"
            )
    return {**_LEVELS[how.level], **how.override}


def _store(found: _Statement, text: str) -> str:
    kind, _, name = text.partition(":")
    if kind not in STORES or not _NAME.fullmatch(name):
        raise PolicyError(
            f"{_at(found)} has the trust store {text[:100]!r}; write TYPE:NAME, TYPE of {', '.join(STORES)}"
        )
    return kind


def _identities(found: _Statement, texts: Sequence[str]) -> tuple[Mapping[str, str], ...]:
    if ALL in texts:
        if len(texts) > 1:
            raise PolicyError(f"{_at(found)} has {ALL!r} beside other trustedIdentities")
        return ()
    subjects = []
    for text in texts:
        kind, colon, subject = text.partition(":")
        if not colon:
            raise PolicyError(
                f"{_at(found)} has the trusted identity {text[:100]!r}; write x509.subject: C=.., ST=.., O=.."
            )
        if kind == "x509.subject":
            try:
                subjects.append(names.read(subject.strip()))
            except ValueError as error:
                raise PolicyError(f"{_at(found)} has the trusted identity {text[:200]!r}, which {error}") from error
    if not subjects:
        raise PolicyError(f"{_at(found)} has no trusted identity of the kind x509.subject, and no other is known")
    for one in subjects:
        if any(names.covers(one, other) for other in subjects if other is not one):
            raise PolicyError(f"{_at(found)} has trustedIdentities of which one covers another")
    return tuple(subjects)


def _at(found: _Statement) -> str:
    return f"statement {found.name[:80]!r}"
