"""What users write into `spec.verify`, in Flux's words, and what it asks for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gitopsd.plugin.sources.fields import Local
from gitopsd.plugin.spec import Spec, SpecError

Name = tuple[str, str]
"""A Secret by namespace and name."""

ROOT_FILE = "trusted_root.json"
POLICY_FILE = "trustpolicy.json"


class Identity(Spec, frozen=True, kw_only=True):
    """Who may have signed without a key: regular expressions that match a part of the certificate's words."""

    issuer: str
    subject: str


class Verification(Spec, frozen=True, kw_only=True):
    """Signatures to check, as a HelmChart asks for them."""

    provider: Literal["cosign", "notation"] = "cosign"
    secret_ref: Local | None = None
    match_oidc_identity: tuple[Identity, ...] = msgspec.field(default=(), name="matchOIDCIdentity")

    @property
    def root(self) -> Local | None:
        """The Secret with the trusted root; a HelmChart has no field for it."""
        return None


class RootedVerification(Verification, frozen=True, kw_only=True):
    """Signatures to check, as an OCIRepository asks for them."""

    trusted_root_secret_ref: Local | None = None

    @property
    def root(self) -> Local | None:
        """The Secret with the trusted root."""
        return self.trusted_root_secret_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What has to be proved. `secret` holds keys or a trust policy; cosign without one asks for one of `identities`."""

    provider: str
    secret: Name | None = None
    identities: tuple[Identity, ...] = ()
    root: Name | None = None

    @property
    def keyless(self) -> bool:
        """True where a certificate says who signed."""
        return self.provider == "cosign" and self.secret is None

    @property
    def facts(self) -> list[Any]:
        """All that decides whether an artifact passes, for a digest."""
        return [self.provider, self.secret, [(i.issuer, i.subject) for i in self.identities], self.root]


def read(found: Verification | None, namespace: str) -> Asked | None:
    """What a document asks for; None for nothing. Raises `SpecError`."""
    if found is None:
        return None
    if found.provider == "notation" and found.secret_ref is None:
        raise SpecError(
            f"is missing: notation needs a Secret with {POLICY_FILE} and certificates", path=(*PATH, "secretRef")
        )
    for index, identity in enumerate(found.match_oidc_identity):
        _compiled(identity.issuer, (*PATH, "matchOIDCIdentity", index, "issuer"))
        _compiled(identity.subject, (*PATH, "matchOIDCIdentity", index, "subject"))
    keyless = found.provider == "cosign" and found.secret_ref is None
    return Asked(
        provider=found.provider,
        secret=(namespace, found.secret_ref.name) if found.secret_ref else None,
        identities=found.match_oidc_identity if keyless else (),
        root=(namespace, found.root.name) if keyless and found.root else None,
    )


def warnings(found: Verification | None) -> tuple[str, ...]:
    """What is set and does nothing, or less than it seems to."""
    if found is None:
        return ()
    if found.provider == "notation" or found.secret_ref:
        why = "with provider notation" if found.provider == "notation" else "beside spec.verify.secretRef"
        without = {"matchOIDCIdentity": found.match_oidc_identity, "trustedRootSecretRef": found.root}
        return tuple(f"spec.verify.{name} has no effect {why}" for name, given in without.items() if given)
    if not found.match_oidc_identity:
        return (
            "spec.verify without secretRef and matchOIDCIdentity takes a signature of anybody whom the certificate "
            "authority knows; say whose under spec.verify.matchOIDCIdentity",
        )
    return ()


PATH = ("spec", "verify")


def expression(text: str) -> re.Pattern[str]:
    """A regular expression as Go has them: `\\d`, `\\w` and `(?i)` are about ASCII. Raises `re.error` and its like."""
    return re.compile(text, re.ASCII)


def _compiled(text: str, path: tuple[str | int, ...]) -> None:
    if "[[:" in text:
        raise SpecError("has a class such as [[:alpha:]], which is not read here; write it as [A-Za-z]", path=path)
    try:
        expression(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise SpecError(f"is no regular expression: {error}", path=path) from error
