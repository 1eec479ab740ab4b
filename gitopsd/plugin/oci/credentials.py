"""Logins for registries, as Docker's configuration file keeps them and Kubernetes reads them. Pure.

The entry that fits best decides: the host may be a pattern (`*.example.org`), a path narrows it to repositories.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gitopsd.plugin.oci.reference import Repository

KEYS = (".dockerconfigjson", ".dockercfg")
"""The keys of a Secret that holds such a file: the type of today, and the one before it."""


class CredentialError(ValueError):
    """A file that cannot be used. The message says why, and never what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One login: name and password, or a token that is exchanged (`identity`) or sent as it is (`bearer`)."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)


class _Entry(msgspec.Struct, frozen=True, rename="lower"):
    auth: str | None = ""
    username: str | None = ""
    password: str | None = ""
    identitytoken: str | None = ""
    registrytoken: str | None = ""


def read(data: bytes, *, old: bool = False) -> Mapping[str, Credential]:
    """The logins of a file by the registry that they are for; `old` is the form without `auths`.

    Raises `CredentialError`.
    """
    try:
        found: Any = msgspec.json.decode(data)
        entries = found if old else found.get("auths") or {}
        return {str(place): _credential(msgspec.convert(entry, _Entry)) for place, entry in entries.items()}
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError) as error:
        raise CredentialError("is no Docker configuration in JSON with the key auths") from error


def _credential(entry: _Entry) -> Credential:
    username, password = entry.username or "", entry.password or ""
    if entry.auth:
        try:
            username, colon, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise CredentialError("holds an auth that is not base64 of NAME:PASSWORD") from error
        if not colon:
            raise CredentialError("holds an auth that is not base64 of NAME:PASSWORD")
    return Credential(
        username=username,
        password=password.rstrip("\0"),
        identity=entry.identitytoken or "",
        bearer=entry.registrytoken or "",
    )


def choose(logins: Mapping[str, Credential], repository: Repository) -> Credential | None:
    """The login for a repository; None where the file has none: then nobody is logged in."""
    fitting = [(place, login) for place, login in logins.items() if _fits(place, repository)]
    return max(fitting, key=lambda found: len(_plain(found[0])))[1] if fitting else None


def _fits(place: str, repository: Repository) -> bool:
    host, _, path = _plain(place).partition("/")
    hosts = {repository.host, repository.server}
    if repository.server == "index.docker.io":
        hosts.add("docker.io")
    if not any(_same_host(host, name) for name in hosts):
        return False
    return not path or repository.path == path or repository.path.startswith(f"{path}/")


def _plain(place: str) -> str:
    """Without what Docker writes around the name: a scheme, the API's version."""
    plain = place.removeprefix("https://").removeprefix("http://").rstrip("/")
    host, _, path = plain.partition("/")
    return host if path in {"v1", "v2"} else plain


def _same_host(pattern: str, host: str) -> bool:
    """Label by label, so that a star never stands for more than one."""
    wanted, found = pattern.split("."), host.split(".")
    return len(wanted) == len(found) and all(map(fnmatch.fnmatchcase, found, wanted))
