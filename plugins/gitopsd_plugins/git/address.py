"""Where a repository is: http, ssh, or a folder of this machine. Pure.

User name and password of an URL are taken out at once, so that no message, log line or cache key can hold them.
"""

from __future__ import annotations

import os.path
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from gitopsd.plugin import SpecError

INVALID = "URLInvalid"
"""Flux's reason for an address that cannot be used."""

SCP = re.compile(r"^(?:([^/@:]+)@)?([^/@:]+):(?!//)(.+)$")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_SCHEMES = ("http", "https", "ssh", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A repository's place. `url` is fit for messages; `path` is set for folders only, absolute."""

    scheme: str
    url: str
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    path: str = ""

    def __str__(self) -> str:
        return self.url

    @property
    def origin(self) -> str:
        """The host that is asked, for messages and for what is kept by host."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """True for a folder of this machine."""
        return self.scheme == "file"


def read(text: str, *, beside: Path | None) -> Address:
    """Read `spec.url`; relative folders are taken beside the declaring file, None where folders are not allowed.

    Raises `SpecError` with the form to use instead.
    """
    if text.startswith(("./", "../", "file://")):
        return _folder(text, beside)
    if _CONTROL.search(text):
        raise _error(f"the url {_masked(text)!r} holds blanks or control characters")
    scp = None if "://" in text else SCP.match(text)
    if scp is not None:
        user, host, path = scp.group(1) or "git", scp.group(2), scp.group(3).lstrip("/")
        raise _error(f"the url {text!r} is the short form of ssh; write ssh://{user}@{host}/{path}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # it would quote what it took for a port, and that may be a password
        raise _error(
            f"the url {_masked(text)!r} cannot be read; a / : ? # or @ in a password is written %2F %3A %3F %23 %40"
        ) from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise _error(f"the url {_masked(text)!r} must begin with https://, http:// or ssh:// and name a host")
    if parts.query or parts.fragment:
        raise _error(f"the url {_masked(text)!r} must have no ? and no #")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f"{quote(user)}@" if user and parts.scheme == "ssh" else ""
    netloc = f"{shown}{host}" + (f":{port}" if port else "")
    return Address(
        scheme=parts.scheme,
        url=f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}",
        host=parts.hostname,
        port=port,
        user=user,
        password=password if parts.scheme != "ssh" else "",
        path=_shell_path(parts.path) if parts.scheme == "ssh" else parts.path,
    )


def _shell_path(path: str) -> str:
    """The path as the other side's program gets it; Git decodes it as well."""
    found = unquote(path)
    if re.search(r"[\x00-\x1f\x7f]", found):
        raise _error(f"the path {path!r} holds control characters")
    return found


def _folder(text: str, beside: Path | None) -> Address:
    if beside is None:
        raise _error(f"the folder {text!r} is allowed only in declared files, not among the manifests of an app")
    if "\0" in text:
        raise _error(f"the url {text!r} holds a NUL character")
    if text.startswith("file://"):
        path = unquote(text.removeprefix("file://"))
        if not path.startswith("/"):
            raise _error(f"the url {text!r} must be absolute: file:///path/to/repository")
    else:
        path = os.path.join(beside, text)
    path = os.path.abspath(path)
    return Address(scheme="file", url=f"file://{path}", path=path)


def _masked(text: str) -> str:
    """An address that could not be read, without what may be credentials."""
    return re.sub(r"//.*@", "//***@", text, flags=re.DOTALL)


def _error(message: str) -> SpecError:
    return SpecError(message, path=("spec", "url"), reason=INVALID)
