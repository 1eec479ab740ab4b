"""Hosts that only a text in a repository names: none is contacted that the settings do not allow. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from gitopsd.plugin import egress

SETTING = "the setting remoteResources"
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
"""What makes programs disagree about the host that is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """From which hosts content may come, as names with `*` for any part; none: from nowhere. `plain`: over http, too."""

    hosts: tuple[str, ...] = ()
    plain: bool = False

    def refusal(self, url: str) -> str:
        """Why its host may not be asked; '' when it may."""
        if not (host := host_of(url)):
            return "names no host"
        if url.startswith("http:") and not self.plain:
            return f"is http, which {SETTING}.http does not allow; use https"
        if not any(fnmatchcase(host, pattern.lower()) for pattern in self.hosts):
            return f"the host {host!r} is not among those of {SETTING}.hosts; add it there to allow it"
        if egress.of_the_link(host):
            return f"{host} is an address of this machine's own link, which is never asked for a text in a repository"
        return ""


def host_of(url: str) -> str:
    """The host in lower case; '' where not everybody would read the same one."""
    try:
        return "" if _ODD.search(url) else (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
