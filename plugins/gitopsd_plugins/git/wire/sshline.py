"""A connection to an ssh server: the identity of the Secret, host keys of its known_hosts, and nothing of the machine.

No agent, no ~/.ssh, no ssh binary. A host that known_hosts does not name is refused: there is no first use to trust. The
connection itself, a line, carries any number of commands.
"""

from __future__ import annotations

import logging
import socket
from io import StringIO

import paramiko

from gitopsd.plugin import GitopsdError, Rejected
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.sources import access, network
from gitopsd_plugins.git.order import Remote
from gitopsd_plugins.git.reference import FAILED
from gitopsd_plugins.git.wire import connections, known_hosts, lsrefs
from gitopsd_plugins.git.wire.known_hosts import PORT, HostKey, MalformedLine

_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_WEAK = {"pubkeys": ["ssh-rsa"], "keys": ["ssh-rsa", "ssh-dss"]}
"""Signatures with SHA-1."""


def open_line(remote: Remote) -> paramiko.Transport:
    """A connection whose host is known and that took our key; the caller closes it. Raises `Rejected` or `HostFailed`."""
    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        # Without a handler, Python would print paramiko's tracebacks of refused connections; the errors say it all.
        logger.addHandler(logging.NullHandler())
    place = remote.address
    host = known_hosts.name(place.host, place.port or PORT)
    trusted = _trusted(remote, host)
    identity = _identity(remote)
    line = _greeted(remote, _connected(remote), trusted)
    try:
        _check_host(line, remote, host, trusted)
        line.auth_publickey(remote.access.user, identity)
    except BaseException as error:
        line.close()
        if isinstance(error, paramiko.AuthenticationException):
            raise Rejected(
                f"{place} refused the key of {remote.access.user!r}; check identity in spec.secretRef, and that the "
                "server knows its public key",
                reason=access.FAILED,
            ) from error
        if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
            raise broken(remote, error) from error
        raise
    return line


def open_channel(line: paramiko.Transport, remote: Remote, command: str) -> paramiko.Channel:
    """Start a command, which may speak protocol 2. Raises errors of paramiko where the line is broken."""
    channel = line.open_session(timeout=remote.timeout)
    channel.settimeout(remote.timeout)
    channel.set_environment_variable("GIT_PROTOCOL", "version=2")
    channel.exec_command(command)
    return channel


def broken(remote: Remote, error: BaseException) -> HostFailed:
    """The other side ended it, or does not speak as it should."""
    return HostFailed(
        f"{remote.address}: cannot be reached by ssh: {str(error)[:200] or type(error).__name__}", reason=FAILED
    )


def _connected(remote: Remote) -> socket.socket:
    place = remote.address
    try:
        return connections.connect(remote, place.port or PORT)
    except OSError as error:
        raise _unreachable(remote, error) from error


def _unreachable(remote: Remote, error: OSError) -> GitopsdError:
    place = str(remote.address)
    if isinstance(error, socket.gaierror):
        return network.unknown(place, reason=FAILED)
    if isinstance(error, TimeoutError):
        return network.silent(place, remote.timeout, reason=FAILED, slow=lsrefs.SLOW)
    return network.unreachable(place, error, reason=FAILED)


def _greeted(remote: Remote, connection: socket.socket, trusted: tuple[HostKey, ...]) -> paramiko.Transport:
    line = paramiko.Transport(connection, disabled_algorithms=_WEAK)
    line.banner_timeout = line.auth_timeout = line.channel_timeout = remote.timeout
    options = line.get_security_options()
    # What known_hosts holds is asked for first: a host shows one key only, and has to be known by that one.
    known = {name for key in trusted for name in (_RSA if key.type == "ssh-rsa" else (key.type,))}
    options.key_types = tuple(sorted(options.key_types, key=lambda name: name not in known))
    try:
        line.start_client(timeout=remote.timeout)
    except (paramiko.SSHException, EOFError, OSError) as error:
        line.close()
        raise broken(remote, error) from error
    return line


def _check_host(line: paramiko.Transport, remote: Remote, host: str, trusted: tuple[HostKey, ...]) -> None:
    shown = line.get_remote_server_key()
    key = HostKey(type=shown.get_name(), blob=shown.asbytes())
    if key in trusted:
        return
    if any(known.type == key.type for known in trusted):
        raise Rejected(
            f"the host of {remote.address} shows another key than known_hosts holds ({key.type} {key.fingerprint}): somebody "
            "may listen in; if the server has a new key, put it into known_hosts in spec.secretRef",
            reason=FAILED,
        )
    raise Rejected(
        f"the host of {remote.address} shows a key ({key.type} {key.fingerprint}) that known_hosts does not hold for {host}; "
        "compare it with the server's own and add it to known_hosts in spec.secretRef",
        reason=FAILED,
    )


def _trusted(remote: Remote, host: str) -> tuple[HostKey, ...]:
    try:
        return known_hosts.keys(remote.access.known_hosts, host)
    except MalformedLine as error:
        raise _unreadable(f"known_hosts, {error}") from error


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
