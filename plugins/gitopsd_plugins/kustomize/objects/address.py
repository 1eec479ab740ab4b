"""What kustomize takes for an address instead of a path: a repository in one of the forms that it knows, or a file's URL. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gitopsd.plugin import Remote

_SCHEMES = ("ssh://", "https://", "http://", "file://")
_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*@")
_GITHUB = ("github.com/", "github.com:")
_UNREADABLE = re.compile(r";|%(?![0-9A-Fa-f]{2})")
"""In a query: Go reads nothing of such a one."""
_BELOW = "_git/"
"""In the addresses of Azure DevOps, what stands before the repository's name."""
UNNAMED = "notCloned"
"""What kustomize calls the root of a repository when it notes where objects come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository, the folder in it, and a revision as people call it. `certain`: written so that it can be no file."""

    clone: str
    folder: str
    revision: str
    certain: bool

    @property
    def remote(self) -> Remote:
        """What is asked for."""
        return Remote(sort="git", url=self.clone, revision=self.revision)

    @property
    def shown(self) -> str:
        """The repository for messages, without what may be a password."""
        return bare(self.clone)

    @property
    def origin(self) -> str:
        """The folder, as it is noted for the objects in it."""
        return self.folder or UNNAMED


def bare(text: str) -> str:
    """An address without what stands before an @."""
    scheme, sign, rest = text.partition("://")
    user, at, place = rest.partition("@")
    return f"{scheme}{sign}{place}" if at and "/" not in user else text


def is_url(text: str) -> bool:
    """True for what is fetched as a file first."""
    return text.lower().startswith(("http://", "https://"))


def file(url: str) -> Remote:
    """A file as it is asked for."""
    return Remote(sort="file", url=url)


def repository(text: str) -> Repository | None:
    """The repository that is meant; None for what is no address of one."""
    if text.startswith("/"):
        return None
    address, _, query = text.partition("?")
    found = _host(address)
    if found is None:
        return None
    host, rest = found
    split = _split(rest, whole=host.startswith("file://"))
    if split is None or not split[0] or posixpath.normpath(split[1].removeprefix("/")).split("/")[0] == "..":
        return None
    clone, folder, certain = split
    return Repository(
        clone=host + clone,
        folder=folder.removeprefix("/"),
        revision=_revision(query),
        certain=certain or not is_url(text),
    )


def _host(text: str) -> tuple[str, str] | None:
    """Everything up to the path, and the path. Of github.com there are two forms only, whatever is written."""
    text = text[5:] if text.lower().startswith("git::") else text
    scheme = next((s for s in _SCHEMES if text.lower().startswith(s)), "")
    text = text[len(scheme) :]
    named = _USER.match(text)
    user = named.group() if named else ""
    text = text[len(user) :]
    github = text.lower().startswith(_GITHUB)
    short = not scheme and bool(user or github)  # git@host:path, which has no scheme
    if not scheme and not short:
        return None
    if scheme == "file://":
        return scheme, user + text
    end = _end(text, short=short)
    host, rest = (text[: end + 1], text[end + 1 :]) if end >= 0 else (text, "")
    if github:
        over_ssh = scheme == "ssh://" or bool(user)
        scheme, user, host = ("", user, "github.com:") if over_ssh else ("https://", "", "github.com/")
    return (scheme + user + host, rest) if host else None


def _end(text: str, *, short: bool) -> int:
    slash, colon = text.find("/"), text.find(":") if short else -1
    return colon if short and (slash < 0 or 0 < colon < slash) else slash


def _split(path: str, *, whole: bool) -> tuple[str, str, bool] | None:
    """The repository, the folder in it, and whether something marks where the one ends."""
    if (at := path.find(_BELOW)) >= 0:
        name, _, folder = path[at + len(_BELOW) :].partition("/")
        return path[: at + len(_BELOW)] + name, folder, True
    if (at := path.find("//")) >= 0:
        return path[:at], path[at + 2 :], True
    if (at := path.find(".git")) >= 0:
        return path[: at + 4], path[at + 4 :], True
    if whole:
        return path, "", False
    parts = path.split("/")
    return ("/".join(parts[:2]), "/".join(parts[2:]), False) if len(parts) > 1 else None


def _revision(query: str) -> str:
    if _UNREADABLE.search(query):
        return ""
    found = dict(reversed(parse_qsl(query)))
    return found.get("ref") or found.get("version", "")
