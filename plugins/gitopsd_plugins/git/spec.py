"""What users write in a GitRepository: every field of Flux's v1, and the legacy ones that tutorials still show."""

from __future__ import annotations

from typing import Any, Literal

from gitopsd.plugin import Spec
from gitopsd.plugin.sources.fields import Duration, Local, Timeout, outranked


class RefSpec(Spec, frozen=True, kw_only=True):
    """Which commit; where several are given: commit, name, tag, semver, branch, in this order."""

    branch: str = ""
    tag: str = ""
    semver: str = ""
    name: str = ""
    commit: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those that another one comes before; a branch beside a commit is where that has to be."""
        ordered = {"commit": self.commit, "name": self.name, "tag": self.tag, "semver": self.semver}
        return outranked("spec.ref", ordered if self.commit else {**ordered, "branch": self.branch})


class Verification(Spec, frozen=True, kw_only=True):
    """Signatures to check."""

    secret_ref: Local
    mode: Literal["HEAD", "head", "Tag", "TagAndHEAD"] = "HEAD"


class Include(Spec, frozen=True, kw_only=True):
    """Another GitRepository's files, copied in."""

    repository: Local
    from_path: str = ""
    to_path: str = ""


class RepositorySpec(Spec, frozen=True, kw_only=True):
    """The spec of a GitRepository."""

    url: str
    interval: Duration
    secret_ref: Local | None = None
    provider: Literal["generic", "aws", "azure", "github"] = "generic"
    service_account_name: str = ""
    timeout: Timeout = "60s"
    ref: RefSpec | None = None
    verify: Verification | None = None
    proxy_secret_ref: Local | None = None
    ignore: str | None = None
    suspend: bool = False
    recurse_submodules: bool = False
    include: tuple[Include, ...] = ()
    sparse_checkout: tuple[str, ...] = ()
    git_implementation: str = ""
    access_from: dict[str, Any] | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has no effect: fields of older Flux versions, and refs beside others."""
        found = {
            "spec.gitImplementation": bool(self.git_implementation),
            "spec.accessFrom": self.access_from is not None,
        }
        legacy = tuple(f"{name} has had no effect since Flux v2; remove it" for name, used in found.items() if used)
        return (*legacy, *(self.ref.warnings if self.ref else ()))


class Document(Spec, frozen=True, kw_only=True):
    """A whole GitRepository document."""

    api_version: Literal[
        "source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2", "source.toolkit.fluxcd.io/v1beta1"
    ]
    kind: Literal["GitRepository"]
    metadata: dict[str, Any]
    spec: RepositorySpec
    status: dict[str, Any] | None = None
