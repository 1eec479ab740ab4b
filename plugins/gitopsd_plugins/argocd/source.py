"""The repository of an Application, and what of it is followed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from gitopsd.plugin import digest

API = "source.toolkit.fluxcd.io/v1"
INTERVAL = "3m0s"
"""Argo CD's own period."""
_SCP = re.compile(r"(?P<user>[^@/\s]+)@(?P<host>[^:/\s]+):(?P<path>.+)")
_LOGIN = re.compile(
    r"(?P<scheme>https?://)(?P<login>[^/]*|[^/:@]*:(?!\d+(?:/|$))[^@]*)@(?P<rest>[^@]*)", re.I | re.S
)  # a password with a / in it, too, which no url may hold as it is
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"v?\d+\.\d+(\.\d+)?([-+].*)?")
_RANGE = re.compile(r"[*^~<>= ]|\.x\b|\|\|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One repository at one revision; Applications that follow the same share it."""

    name: str
    url: str
    ref: tuple[str, str]
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password that stood in the URL, where Flux has none: a Secret of their own."""

    @property
    def secret(self) -> str:
        """The name of the Secret."""
        return f"{self.name}-auth"

    def body(self, namespace: str) -> dict[str, Any]:
        """As a GitRepository."""
        kind, value = self.ref
        metadata = {"name": self.name, "namespace": namespace}
        return {
            "apiVersion": API,
            "kind": "GitRepository",
            "metadata": metadata,
            "spec": {
                "interval": INTERVAL,
                "url": self.url,
                "ref": {kind: value},
                **({"secretRef": {"name": self.secret}} if self.login else {}),
            },
        }

    def credentials(self, namespace: str) -> dict[str, Any]:
        """The Secret."""
        assert self.login is not None  # else there is none
        values = dict(zip(("username", "password"), self.login, strict=True))
        metadata = {"name": self.secret, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def of(source: Mapping[str, Any], head: str) -> Repository:
    """The repository of a source; `head` is the branch that HEAD stands for."""
    url, revision = str(source.get("repoURL", "")), str(source.get("targetRevision") or "HEAD")
    ref = reference(revision, head)
    plain, login = without_login(normal_url(url))
    return Repository(name=_name(f"{plain} {login}" if login else plain, ref), url=plain, ref=ref, login=login)


def reference(revision: str, head: str) -> tuple[str, str]:
    """What a targetRevision is for Flux: (branch, tag, semver, commit or name, value)."""
    if revision == "HEAD":
        return "branch", head
    if revision.startswith("refs/"):
        return "name", revision
    if _COMMIT.fullmatch(revision):
        return "commit", revision
    if _TAG.fullmatch(revision):
        return "tag", revision
    return ("semver", revision) if _RANGE.search(revision) else ("branch", revision)


def normal_url(url: str) -> str:
    """`git@host:path` as the ssh:// url that Flux wants; every other url as it is."""
    found = None if "://" in url else _SCP.fullmatch(url)
    return f"ssh://{found['user']}@{found['host']}/{found['path'].lstrip('/')}" if found else url


def without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """An http URL, and user and password that stood in it."""
    found = _LOGIN.fullmatch(url)
    if found is None:
        return url, None
    user, _, password = found["login"].partition(":")
    return found["scheme"] + found["rest"], (unquote(user), unquote(password))


def _name(url: str, ref: tuple[str, str]) -> str:
    """The last part of the url, and enough of a digest to tell revisions, hosts and logins apart."""
    last = url.partition(" ")[0].rstrip("/").removesuffix(".git").rpartition("/")[2].lower()
    plain = re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:40] or "repository"
    return f"{plain}-{digest.of_value([url, *ref]).rpartition(':')[2][:6]}"
