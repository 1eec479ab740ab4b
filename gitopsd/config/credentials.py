"""Where secrets come from in the file home, looked up anew at each use.

In this order: `Secret` and `ConfigMap` documents among the declared files; the secrets folder, `[NAMESPACE/]NAME/KEY`;
systemd's credentials folder, `NAME_KEY`. Where no namespace is written `flux-system` is meant, as in documents, so that no
namespace sees another one's secrets. It must not keep, log or name a value.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio.to_thread

from gitopsd.config.declared_set import DeclaredSet
from gitopsd.config.documents import NAMESPACE
from gitopsd.plugin import Misconfigured, NotReady
from gitopsd.plugin.context import UNREADABLE

MAX_VALUE = 1 << 20
MAX_KEYS = 1000

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}")
"""What Kubernetes takes as a key, less the names that a mounted volume uses for itself (`..data`)."""


class FileCredentials:
    """The `Credentials` of the file home. `declared` gives the set in force; a folder that is None is not looked at."""

    def __init__(self, declared: Callable[[], DeclaredSet], *, folder: Path | None, systemd: Path | None) -> None:
        self._declared = declared
        self._folder = folder
        self._systemd = systemd

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a Secret by key. Raises `NotReady` naming every place, `Misconfigured` for a value over 1 MiB."""
        _check(namespace, name)
        document = self._declared().secrets.get((namespace, name))
        if document is not None:
            return document.values
        values = await anyio.to_thread.run_sync(self._on_disk, namespace, name)
        if not values:
            raise NotReady(f"Secret/{namespace}/{name} not found: {self._places(namespace, name)}")
        return values

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a ConfigMap document by key. Raises `NotReady`."""
        _check(namespace, name)
        document = self._declared().config_maps.get((namespace, name))
        if document is None:
            raise NotReady(f"ConfigMap/{namespace}/{name} not found: no ConfigMap document of this name is declared")
        return document.values

    def _on_disk(self, namespace: str, name: str) -> Mapping[str, bytes]:
        for folder in self._folders(namespace, name):
            if values := _folder(folder):
                return values
        return _systemd(self._systemd, name) if self._systemd and namespace == NAMESPACE else {}

    def _folders(self, namespace: str, name: str) -> tuple[Path, ...]:
        if self._folder is None:
            return ()
        named = self._folder / namespace / name
        return (named, self._folder / name) if namespace == NAMESPACE else (named,)

    def _places(self, namespace: str, name: str) -> str:
        folders = (
            " and ".join(f"{folder}/KEY" for folder in self._folders(namespace, name)) or "no secrets folder is set"
        )
        if self._systemd is None:
            systemd = "systemd gave no credentials folder"
        elif namespace != NAMESPACE:
            systemd = f"systemd's credentials serve {NAMESPACE} only"
        else:
            systemd = f"no file {self._systemd / name}_KEY"
        return f"no Secret document of this name is declared; no files {folders}; {systemd}"


def _check(namespace: str, name: str) -> None:
    for part in (namespace, name):
        if not _NAME.fullmatch(part):
            raise Misconfigured(f"{part[:80]!r} cannot be the name of a Secret or ConfigMap")


def _folder(folder: Path) -> Mapping[str, bytes]:
    """The files of a folder by name; those of a mounted volume are links into a hidden folder beside them."""
    return {
        name: _value(folder / name) for name in _names(folder) if _KEY.fullmatch(name) and (folder / name).is_file()
    }


def _systemd(folder: Path, name: str) -> Mapping[str, bytes]:
    """systemd's credentials of one Secret; a name has no underscore, so the first one ends it."""
    files = {file.removeprefix(f"{name}_"): folder / file for file in _names(folder) if file.startswith(f"{name}_")}
    return {key: _value(file) for key, file in files.items() if _KEY.fullmatch(key) and file.is_file()}


def _names(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise NotReady(
            f"{folder} cannot be read: {(error.strerror or '').lower()}; check its owner and mode", reason=UNREADABLE
        ) from error
    if len(names) > MAX_KEYS:
        raise Misconfigured(f"{folder} holds more than {MAX_KEYS} entries; it is not a folder of secrets")
    return names


def _value(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            regular = stat.S_ISREG(os.fstat(opened.fileno()).st_mode)
            value = opened.read(MAX_VALUE + 1) if regular else b""
    except OSError as error:
        raise NotReady(
            f"{file} cannot be read: {(error.strerror or '').lower()}; check its owner and mode", reason=UNREADABLE
        ) from error
    if len(value) > MAX_VALUE:
        raise Misconfigured(f"{file} is larger than {MAX_VALUE >> 20} MiB; it is not a secret")
    return value
