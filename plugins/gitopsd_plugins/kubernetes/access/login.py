"""The headers that say who asks: bearer token, basic login, impersonation. Secrets stay inside; nothing here is printed."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gitopsd.plugin import Misconfigured
from gitopsd_plugins.kubernetes.access import kubefile
from gitopsd_plugins.kubernetes.access.execplugin import ExecPlugin
from gitopsd_plugins.kubernetes.access.kubefile import UserEntry

Token = Callable[[], Awaitable[str]]


@dataclass(slots=True)
class TokenFile:
    """A token that somebody else renews in its file; read again when the file changes."""

    path: Path
    _stamp: tuple[int, int, int] = (0, 0, 0)
    _kept: str = ""

    async def token(self) -> str:
        """The token as it stands in the file now."""
        return self._read()

    def expire(self) -> None:
        """Read the file again even if it looks unchanged."""
        self._stamp = (0, 0, 0)

    def _read(self) -> str:
        try:
            found = self.path.stat()
        except OSError as error:
            raise Misconfigured(f"token file {self.path} cannot be read: {error.strerror}") from error
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp != self._stamp:
            self._kept = kubefile.read_bytes(self.path, "token file").decode("utf-8", "replace").strip()
            self._stamp = stamp
        if not self._kept:
            raise Misconfigured(f"token file {self.path} is empty")
        return self._kept


def fixed(token: str) -> Token:
    """A token that never changes."""

    async def give() -> str:
        return token

    return give


def from_plugin(plugin: ExecPlugin) -> Token:
    """The token of an exec plugin; '' where it answers with a certificate."""

    async def give() -> str:
        return (await plugin.credential()).token

    return give


def headers(
    token: Token | None, basic: tuple[str, str] | None, impersonation: Sequence[tuple[str, str]]
) -> Callable[[], Awaitable[Mapping[str, str]]] | None:
    """What is asked at each request; None where there is nothing to say. One name may come with several values."""
    if token is None and basic is None and not impersonation:
        return None

    async def give() -> Mapping[str, str]:
        from multidict import CIMultiDict

        found: CIMultiDict[str] = CIMultiDict(impersonation)
        bearer = await token() if token is not None else ""
        if bearer:
            found["Authorization"] = f"Bearer {bearer}"
        elif basic is not None:
            login = base64.b64encode(f"{basic[0]}:{basic[1]}".encode()).decode("ascii")
            found["Authorization"] = f"Basic {login}"
        return found

    return give


def impersonation(user: UserEntry) -> Sequence[tuple[str, str]]:
    """As whom to act. Raises `Misconfigured` for groups or the like without a user, which the server refuses too."""
    groups, extra = user.as_groups or [], user.as_user_extra or {}
    if not user.as_:
        if groups or extra or user.as_uid:
            raise Misconfigured("kubeconfig: as-groups, as-uid and as-user-extra need `as`, the user to act as")
        return ()
    found = [("Impersonate-User", user.as_)]
    if user.as_uid:
        found.append(("Impersonate-Uid", user.as_uid))
    found += [("Impersonate-Group", group) for group in groups]
    found += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for key, values in extra.items() for value in values]
    return found
