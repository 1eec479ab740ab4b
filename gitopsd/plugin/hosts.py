"""Manners towards hosts: not too many requests at once, none while one asked to be left alone, and no rush when it is back.

What a host says about its limits concerns every object that is fetched from it, by whatever protocol, so it is heeded per host
and not per object: `Context.hosts` is one for all sources.
While a host fails one object at a time tries it; the others are told when to come back, one after the other.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

import anyio

from gitopsd.model.errors import GitopsdError, Transient

AT_ONCE = 8
"""Requests to one host at the same time."""
SPACING = 1.0
"""Seconds between two objects that come back to a host."""
FIRST, MOST = 5.0, 300.0
"""Seconds that a host which fails is left alone: doubled with each failure in a row."""
LONGEST = 3600.0
"""Seconds that a host can send everybody away for."""
MAX_HOSTS = 1024
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{0,9})?")
_PORTS = {"http": 80, "https": 443, "ssh": 22}


class HostFailed(Transient):
    """The host did not answer, or asked to be left alone: what is true of it for every object."""


def pause(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that an answer asks to wait: `Retry-After`, or an exhausted limit (GitHub's and Azure DevOps' headers).

    None where it says nothing of that. Header names are looked up as `headers` does, which should ignore case.
    """
    seconds: float | None = None
    wanted = headers.get("Retry-After", "").strip()
    if _NUMBER.fullmatch(wanted):
        seconds = float(wanted)
    elif wanted:
        from email.utils import parsedate_to_datetime  # with it comes all of `email`, which few answers ask for

        try:
            seconds = (parsedate_to_datetime(wanted) - now).total_seconds()
        except (ValueError, TypeError):
            seconds = None
    elif headers.get("X-RateLimit-Remaining", "").strip() == "0":
        reset = headers.get("X-RateLimit-Reset", "").strip()
        seconds = float(reset) - now.timestamp() if _NUMBER.fullmatch(reset) else None
    return None if seconds is None else min(max(seconds, 0.0), LONGEST)


def name(url: str) -> str:
    """The host of a URL as it is called here: with its port where that is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.port in {None, _PORTS.get(parts.scheme)} else f"{host}:{parts.port}"


class _Host:
    """What is known of one host. Times are the event loop's."""

    def __init__(self) -> None:
        self.slots = anyio.CapacityLimiter(AT_ONCE)
        self.until = 0.0
        self.why = ""
        self.failures = 0
        self.probing = False
        self.waiting = 0
        """Objects that were told to come back after this pause."""

    def rest(self, seconds: float, why: str) -> None:
        now = anyio.current_time()
        if now >= self.until:  # else some were told to come back after this very pause, one behind the other
            self.waiting = 0
        self.until, self.why = now + seconds, why


class Hosts:
    """Every host that this process asks. Belongs to one event loop. Names are those that `name` gives."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._way = ""

    def through(self, proxy: str) -> Hosts:
        """The same hosts on the way through somebody's own proxy, `SCHEME://HOST:PORT`: where that fails, no other way has."""
        found = Hosts()
        found._hosts, found._way = self._hosts, f" through {proxy}"
        return found

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """A turn to ask this host. Raises `Transient` with the time to come back while it is left alone.

        A `HostFailed` that passes through counts against the host; any other end as an answer.
        """
        name += self._way
        host = self._host(name)
        self._check(name, host)
        async with host.slots:
            self._check(name, host)  # it may have failed for somebody else meanwhile
            probe, host.probing = host.failures > 0, host.failures > 0
            try:
                yield
            except HostFailed as error:
                self._failed(host, error)
                raise
            except GitopsdError:
                host.failures = 0
                raise
            else:
                host.failures = 0
            finally:
                if probe:
                    host.probing = False

    def heed(self, name: str, seconds: float | None) -> None:
        """The host answered, and asked to be left alone for so long; None for nothing of that."""
        if seconds:
            self._host(name + self._way).rest(seconds, "it asked for that")

    def _check(self, name: str, host: _Host) -> None:
        left = host.until - anyio.current_time()
        if left <= 0 and not host.probing:
            return
        host.waiting += 1
        after = max(left, FIRST) + host.waiting * SPACING
        raise Transient(f"{name} is left alone for {after:.0f} s: {host.why}", retry_after=after)

    def _failed(self, host: _Host, error: HostFailed) -> None:
        host.failures += 1
        asked = error.retry_after
        seconds = min(FIRST * 2.0 ** min(host.failures - 1, 10), MOST)
        host.rest(
            max(asked or 0.0, seconds), "it asked for that" if asked else f"it failed {host.failures} times in a row"
        )

    def _host(self, name: str) -> _Host:
        host = self._hosts.setdefault(name, _Host())
        self._hosts.move_to_end(name)
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.popitem(last=False)
        return host
