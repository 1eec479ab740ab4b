"""Git over ssh with paramiko: the identity of the Secret, host keys of its known_hosts, and nothing of the machine.

No agent, no ~/.ssh, no ssh binary. A host that known_hosts does not name is refused: there is no first use to trust.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from io import StringIO
from socket import gaierror
from typing import Any, NoReturn

import paramiko
from dulwich.client import SSHGitClient, SSHVendor
from dulwich.config import StackedConfig
from dulwich.protocol import Protocol
from paramiko.hostkeys import HostKeyEntry

from gitopsd.plugin import GitopsdError, Rejected, Transient, egress
from gitopsd.plugin.sources import access
from gitopsd_plugins.git import connections, lsrefs
from gitopsd_plugins.git.order import Remote
from gitopsd_plugins.git.reference import FAILED

PORT = 22
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


def client(remote: Remote) -> SSHGitClient:
    """A client for one ssh address. Nothing is sent yet."""
    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        # Without a handler, Python would print paramiko's tracebacks of refused connections; the errors say it all.
        logger.addHandler(logging.NullHandler())
    place = remote.address
    return _Client(
        place.host,
        port=place.port,
        username=remote.access.user,
        vendor=_Vendor(remote),
        config=StackedConfig([]),
    )


class _Client(SSHGitClient):
    """dulwich leaves a conversation open that the server ends early; `close` ends all of them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open: list[Protocol] = []

    def _connect(self, *arguments: Any, **options: Any) -> Any:
        found = super()._connect(*arguments, **options)
        self._open.append(found[0])
        return found

    def close(self) -> None:
        """End all conversations."""
        while self._open:
            self._open.pop().close()


class _Session:
    """A command on the other side, as dulwich reads and writes it."""

    def __init__(self, connection: paramiko.SSHClient, channel: paramiko.Channel) -> None:
        self._connection = connection
        self._channel = channel
        self.stderr = channel.makefile_stderr("rb")
        self.read: Callable[[int], bytes] = channel.makefile("rb", 1 << 16).read

    def write(self, data: bytes) -> int:
        self._channel.sendall(data)
        return len(data)

    def can_read(self) -> bool:
        return self._channel.recv_ready()

    def close(self) -> None:
        self._connection.close()


class _Vendor(SSHVendor):
    """Runs one command per connection."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def run_command(self, host: str, command: bytes, *arguments: Any, **options: Any) -> Any:
        """Connect, check the host, authenticate, and start the command."""
        connection = _connected(self._remote)
        try:
            transport = connection.get_transport()
            assert transport is not None  # just connected
            channel = transport.open_session(timeout=self._remote.timeout)
            channel.settimeout(self._remote.timeout)
            channel.set_environment_variable("GIT_PROTOCOL", "version=2")
            channel.exec_command(command.decode())
        except paramiko.SSHException as error:
            connection.close()
            raise Transient(f"{self._remote.address} ended the connection: {error}", reason=FAILED) from error
        return _Session(connection, channel)


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):
    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> NoReturn:
        """Refuse, naming what the host showed."""
        place = self._remote.address
        raise Rejected(
            f"the host of {place} shows a key ({key.get_name()} {key.fingerprint}) that known_hosts does not hold for "
            f"{hostname}; compare it with the server's own and add it to known_hosts in spec.secretRef",
            reason=FAILED,
        )


def _connected(remote: Remote) -> paramiko.SSHClient:
    place, timeout = remote.address, remote.timeout
    identity = _identity(remote)
    connection = paramiko.SSHClient()
    _trust(connection, remote)
    connection.set_missing_host_key_policy(_RefuseUnknown(remote))
    try:
        socket = connections.connect(remote, place.port or PORT)
    except OSError as error:
        raise _unreachable(remote, error) from error
    try:
        connection.connect(
            place.host,
            port=place.port or PORT,
            sock=socket,
            username=remote.access.user,
            pkey=identity,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            allow_agent=False,
            look_for_keys=False,
        )
    except paramiko.BadHostKeyException as error:
        raise Rejected(
            f"the host of {place} shows another key than known_hosts holds: somebody may listen in; if the server has a "
            "new key, put it into known_hosts in spec.secretRef",
            reason=FAILED,
        ) from error
    except paramiko.AuthenticationException as error:
        raise Rejected(
            f"{place} refused the key of {remote.access.user!r}; check identity in spec.secretRef, and that the server "
            "knows its public key",
            reason=access.FAILED,
        ) from error
    except paramiko.SSHException as error:
        raise Transient(f"{place} cannot be reached by ssh: {error}", reason=FAILED) from error
    return connection


def _unreachable(remote: Remote, error: OSError) -> GitopsdError:
    place = remote.address
    if forbidden := egress.why(error):
        return lsrefs.out_of_bounds(place, forbidden)
    if isinstance(error, gaierror):
        return Transient(f"the host of {place} is not known; check spec.url and the name service", reason=FAILED)
    if isinstance(error, TimeoutError):
        return Transient(f"{place} did not answer in time; see spec.timeout", reason=FAILED)
    return lsrefs.unreachable(place, error)


def _trust(connection: paramiko.SSHClient, remote: Remote) -> None:
    hosts = connection.get_host_keys()
    for number, line in enumerate(remote.access.known_hosts.splitlines(), 1):
        if line.startswith("@"):
            raise _unreadable(f"known_hosts, line {number}: markers such as @cert-authority are not served")
        entry = HostKeyEntry.from_line(line, number) if line.strip() and not line.startswith("#") else None
        if entry is not None and entry.key is not None:
            for name in entry.hostnames or ():
                hosts.add(name, entry.key.get_name(), entry.key)


def _identity(remote: Remote) -> paramiko.PKey:
    text, passphrase = remote.access.identity, remote.access.passphrase
    for kind in _KEYS:
        try:
            return kind.from_private_key(StringIO(text), password=passphrase or None)
        except paramiko.PasswordRequiredException as error:
            raise _unreadable("identity has a passphrase; add it as the key password") from error
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    hint = ", or password is not its passphrase" if passphrase else ""
    raise _unreadable(f"identity is no private key of Ed25519, ECDSA or RSA{hint}")


def _unreadable(message: str) -> Rejected:
    return Rejected(f"spec.secretRef: {message}", reason=access.FAILED)
