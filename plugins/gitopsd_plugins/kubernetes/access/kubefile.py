"""Kubeconfig files: decoded, merged as kubectl merges them, and the one context that was named picked out. No I/O but reading.

Of several files the first one that has a name wins; paths in a file are meant from that file's folder. `current-context` of a
user's own file is never used: a cluster is chosen by its name, or the error lists the names.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gitopsd.plugin import Misconfigured, yaml

_MAX_FILE = 4 * 1024 * 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ClusterEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """Where the server is and how it is trusted."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    extensions: list[dict[str, Any]] | None = None


class ExecEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A program that prints credentials."""

    command: str
    api_version: str = "client.authentication.k8s.io/v1beta1"
    args: list[str] | None = None
    env: list[dict[str, str]] | None = None
    install_hint: str | None = None
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"


class UserEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """Who asks."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    as_: str = msgspec.field(default="", name="as")
    as_uid: str = ""
    as_groups: list[str] | None = None
    as_user_extra: dict[str, list[str]] | None = None
    auth_provider: dict[str, Any] | None = None
    exec: ExecEntry | None = None


class ContextEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """A cluster and a user by name."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: ClusterEntry


class _NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: UserEntry | None = None


class _NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: ContextEntry


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One context with all that belongs to it. `files` are the paths that were read; folders are those of the entries."""

    files: tuple[str, ...]
    context: str
    cluster: ClusterEntry
    cluster_folder: Path
    user: UserEntry
    user_folder: Path


def choose(paths: Sequence[Path], context: str) -> Chosen:
    """The named context. Raises `Misconfigured` listing the contexts where it is not named or not there."""
    return _picked([(path, _read(path)) for path in paths], ", ".join(str(path) for path in paths), context)


def embedded(text: bytes, where: str) -> Chosen:
    """The current context of a kubeconfig that somebody keeps in a Secret, called `where`; the only one where none is current.

    It must hold all it needs: nothing of it names a file, runs a program, or trusts a server unseen. Raises `Misconfigured`.
    """
    if len(text) > _MAX_FILE:
        raise Misconfigured(f"{where} is larger than {_MAX_FILE // 2**20} MiB")
    file = _decoded(text, where)
    names = [named.name for named in file.contexts or ()]
    chosen = _picked([(Path(where), file)], where, file.current_context or (names[0] if len(names) == 1 else ""))
    _need_self_contained(chosen, where)
    return chosen


def _need_self_contained(chosen: Chosen, where: str) -> None:
    entry, user = chosen.cluster, chosen.user
    address = urlsplit(entry.server)
    refused = {
        "exec": user.exec is not None,
        "auth-provider": user.auth_provider is not None,
        "tokenFile": user.token_file,
        "client-certificate": user.client_certificate,
        "client-key": user.client_key,
        "certificate-authority": entry.certificate_authority,
        "insecure-skip-tls-verify": entry.insecure_skip_tls_verify,
        "a server without https": address.scheme == "http" and address.hostname not in LOOPBACK,
    }
    if found := [name for name, there in refused.items() if there]:
        raise Misconfigured(
            f"{where}: a kubeconfig in a Secret must hold all it needs, and may not have {', '.join(found)}; write "
            "certificates, keys and token into it"
        )


def _picked(files: Sequence[tuple[Path, _File]], where: str, context: str) -> Chosen:
    contexts = _merged((path, named.name, named.context) for path, file in files for named in file.contexts or ())
    known = ", ".join(sorted(contexts)) or "none"
    if not context:
        raise Misconfigured(f"{where}: name a context (its contexts: {known}); the current one is never taken silently")
    if context not in contexts:
        raise Misconfigured(f"{where}: there is no context {context!r} (its contexts: {known})")
    entry = contexts[context][1]
    clusters = _merged((path, named.name, named.cluster) for path, file in files for named in file.clusters or ())
    users = _merged((path, named.name, named.user or UserEntry()) for path, file in files for named in file.users or ())
    if entry.cluster not in clusters:
        raise Misconfigured(f"{where}: context {context!r} names the cluster {entry.cluster!r}, which is not there")
    if entry.user and entry.user not in users:
        raise Misconfigured(f"{where}: context {context!r} names the user {entry.user!r}, who is not there")
    cluster_file, cluster = clusters[entry.cluster]
    user_file, user = users.get(entry.user, (cluster_file, UserEntry()))
    if not cluster.server.startswith(("https://", "http://")):
        raise Misconfigured(f"{cluster_file}: cluster {entry.cluster!r} has no server address: {cluster.server!r}")
    return Chosen(
        files=tuple(str(path) for path, _ in files),
        context=context,
        cluster=cluster,
        cluster_folder=cluster_file.absolute().parent,
        user=user,
        user_folder=user_file.absolute().parent,
    )


def split(path: str) -> list[Path]:
    """The files of a path as KUBECONFIG has it: one, or several with the system's separator between them."""
    whole = Path(path).expanduser()
    if whole.exists():
        return [whole]
    return [Path(part).expanduser() for part in path.split(os.pathsep) if part]


def content(data: str, file: str, folder: Path, what: str) -> bytes:
    """Inline base64, or the file's bytes; b'' for neither. Raises `Misconfigured` naming `what`."""
    if data:
        try:
            return base64.b64decode(data, validate=False)
        except (binascii.Error, ValueError) as error:
            raise Misconfigured(f"kubeconfig: {what}-data is not base64: {error}") from error
    return read_bytes(folder / Path(file).expanduser(), what) if file else b""


def read_bytes(path: Path, what: str) -> bytes:
    """A small file. Raises `Misconfigured` naming what it was to be, and its path."""
    try:
        with path.open("rb") as file:
            found = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise Misconfigured(f"{what} {path} cannot be read: {error.strerror}") from error
    if len(found) > _MAX_FILE:
        raise Misconfigured(f"{what} {path} is larger than {_MAX_FILE // 2**20} MiB")
    return found


def _read(path: Path) -> _File:
    return _decoded(read_bytes(path, "kubeconfig"), str(path))


def _decoded(text: bytes, where: str) -> _File:
    document = yaml.read(text, file=where)
    try:
        return msgspec.convert(document or {}, _File)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{where} is not a kubeconfig: {error}") from error


def _merged(entries: Any) -> Mapping[str, tuple[Path, Any]]:
    found: dict[str, tuple[Path, Any]] = {}
    for path, name, entry in entries:
        found.setdefault(name, (path, entry))
    return found
