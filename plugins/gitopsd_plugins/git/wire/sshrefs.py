"""The refs of a repository behind ssh, over a connection that stays open from one poll to the next.

A handshake costs more than all that is asked after it, and hosts count them. paramiko blocks, so polls run in threads of
this process: each of their waits has a time-out, and a cancelled one has its line cut. A line belongs to one host, user,
identity and set of known hosts; it is closed when nobody used it for a while, when it broke, and at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from gitopsd.plugin import Digest, GitopsdError, Rejected, digest
from gitopsd_plugins.git.order import Remote
from gitopsd_plugins.git.reference import FAILED, Advertised
from gitopsd_plugins.git.wire import pktline

if TYPE_CHECKING:
    import paramiko

IDLE = 900.0
"""Seconds after which an unused line is closed: more than most intervals, less than most hosts' patience."""
MAX_LINES = 64
MAX_POLLS = 16
MAX_PER_LINE = 4
"""Commands at a time over one line; OpenSSH allows ten."""


@dataclass(slots=True)
class _Line:
    """A place in the table: the connection while there is one, and when it was used last."""

    transport: paramiko.Transport | None = None
    used: float = 0.0
    busy: int = 0
    lock: Lock = field(default_factory=Lock)
    slots: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(MAX_PER_LINE))

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
            self.transport = None


class SshRefs:
    """Lists refs over ssh."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Digest, _Line] = OrderedDict()
        self._polls: anyio.CapacityLimiter | None = None

    async def list(self, remote: Remote, prefixes: Sequence[str]) -> Mapping[str, Advertised]:
        """The refs of these prefixes (servers without protocol 2: all). Raises `Transient` or `Rejected`."""
        line = self._line(remote)
        self._polls = self._polls or anyio.CapacityLimiter(MAX_POLLS)
        line.busy += 1
        try:
            async with line.slots:
                return await anyio.to_thread.run_sync(
                    partial(_listed, line, remote, tuple(prefixes)), limiter=self._polls, abandon_on_cancel=True
                )
        except anyio.get_cancelled_exc_class():
            line.close()  # the thread that waits for it ends with it
            raise
        finally:
            line.busy -= 1
            line.used = monotonic()

    async def close(self) -> None:
        """Close every line."""
        self._polls = None
        while self._lines:
            self._lines.popitem()[1].close()

    def _line(self, remote: Remote) -> _Line:
        key = _key(remote)
        line = self._lines.setdefault(key, _Line())
        self._lines.move_to_end(key)
        now = monotonic()
        for other, known in list(self._lines.items()):
            old = now - known.used > IDLE or len(self._lines) > MAX_LINES
            if old and not known.busy and known is not line:
                known.close()
                del self._lines[other]
        return line


def _key(remote: Remote) -> Digest:
    opened, place = remote.access, remote.address
    who = [opened.user, opened.identity, opened.passphrase, opened.known_hosts]
    return digest.of_value([place.host, place.port or 0, remote.proxy, *who])


def _listed(line: _Line, remote: Remote, prefixes: Sequence[str]) -> Mapping[str, Advertised]:
    """In a thread. A line that is found broken is opened anew, once: hosts end idle ones without a word."""
    import paramiko

    from gitopsd_plugins.git.wire import sshline

    fresh = False
    while True:
        with line.lock:
            if line.transport is None or not line.transport.is_active():
                line.close()
                line.transport, fresh = sshline.open_line(remote), True
            transport = line.transport
        try:
            channel = sshline.open_channel(transport, remote, _command(remote.address.path))
        except (paramiko.SSHException, EOFError, OSError) as error:
            with line.lock:
                if line.transport is transport:
                    line.close()
            if fresh:
                raise sshline.broken(remote, error) from error
            continue
        try:
            return _asked(channel, prefixes)
        except GitopsdError:
            raise
        except pktline.WireError as error:
            raise _said(remote, channel, str(error)) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise sshline.broken(remote, error) from error
        finally:
            channel.close()


def _command(path: str) -> str:
    quoted = path.replace("'", "'\\''").replace("!", "'\\!'")
    return f"git-upload-pack '{quoted}'"


def _asked(channel: paramiko.Channel, prefixes: Sequence[str]) -> Mapping[str, Advertised]:
    read = channel.makefile("rb", 1 << 16).read
    first = pktline.advertisement(pktline.until_flush(read))
    if first.version < 2:
        channel.sendall(pktline.FLUSH)
        return first.refs
    channel.sendall(pktline.ls_refs(prefixes))
    found = pktline.listed(pktline.until_flush(read))
    channel.sendall(pktline.FLUSH)
    return found


def _said(remote: Remote, channel: paramiko.Channel, error: str) -> GitopsdError:
    """What the server wrote beside the conversation says best what is wrong."""
    place = remote.address
    words = pktline.words(channel.makefile_stderr("rb").read(2000).decode("utf-8", "replace"))
    if "not found" in words.lower() or "does not appear to be a git repository" in words:
        return Rejected(f"no repository at {place} ({words}); check spec.url", reason=FAILED)
    return Rejected(f"{place} sent what Git does not allow: {words or error}", reason=FAILED)
