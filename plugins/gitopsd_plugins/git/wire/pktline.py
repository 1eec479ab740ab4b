"""Git's wire format, as far as a list of refs needs it: pkt-lines, the capability advertisement, refs of protocol 0 to 2.

Pure. Malformed input is one error, `WireError`; nothing here trusts a length or a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from gitopsd_plugins.git.reference import MAX_REFS, Advertised, is_oid, is_ref

AGENT = b"agent=gitopsd"
FLUSH = b"0000"
MAX_BODY = 128 << 20
"""Bytes of one list of refs."""
SERVICE = b"# service=git-upload-pack"


class WireError(ValueError):
    """The other side does not speak Git as it should; the message says in which way."""


class Mark(Enum):
    """Packets without content."""

    FLUSH = 0
    DELIMITER = 1
    END = 2


Packet = bytes | Mark
Reader = Callable[[int], bytes]
"""Reads this many bytes, fewer at the end only."""


def packets(data: bytes) -> Iterator[Packet]:
    """Take a body apart, line ends removed. Raises `WireError`, also for an ERR packet."""
    at = 0
    while at < len(data):
        try:
            length = int(data[at : at + 4], 16)
        except ValueError:
            raise WireError("a packet without a length") from None
        if length < 3:
            yield Mark(length)
            at += 4
            continue
        if length < 4 or at + length > len(data):
            raise WireError("a packet that ends early")
        line = data[at + 4 : at + length].removesuffix(b"\n")
        if line.startswith(b"ERR "):
            raise WireError(words(line[4:].decode("utf-8", "replace")))
        yield line
        at += length


def until_flush(read: Reader) -> bytes:
    """The packets of a stream up to the next flush, that included. Raises `WireError` for one that ends before."""
    found = bytearray()
    while True:
        head = read(4)
        found += head
        if head == FLUSH:
            return bytes(found)
        try:
            length = int(head, 16)
        except ValueError:
            raise WireError("a packet without a length" if head else "nothing") from None
        body = read(length - 4) if length > 4 else b""
        found += body
        if length > 4 and len(body) < length - 4:
            raise WireError("a packet that ends early")
        if len(found) > MAX_BODY:
            raise WireError(f"more than {MAX_BODY >> 20} MiB of refs")


def words(said: str) -> str:
    """What the other side says, fit for a message: one line of printable characters, not too long."""
    return "".join(character if character.isprintable() else " " for character in said).strip()[:200]


def line(content: bytes) -> bytes:
    """One packet."""
    return b"%04x%s" % (len(content) + 4, content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What `info/refs` answers: protocol 2 lists capabilities, the older ones list all refs at once."""

    version: int
    refs: dict[str, Advertised]


def advertisement(data: bytes) -> Advertisement:
    """Read the answer of `info/refs`. Raises `WireError`."""
    lines = [packet for packet in packets(data) if isinstance(packet, bytes)]
    if lines and lines[0] == SERVICE:
        lines = lines[1:]
    if lines and lines[0] == b"version 2":
        _check_format(lines[1:])
        return Advertisement(version=2, refs={})
    if lines and lines[0] == b"version 1":
        lines = lines[1:]
    return Advertisement(version=0, refs=_old_refs(lines))


def ls_refs(prefixes: Sequence[str]) -> bytes:
    """The body that asks for the refs of these prefixes, annotated tags peeled."""
    arguments = [b"peel", *(b"ref-prefix " + prefix.encode() for prefix in prefixes)]
    head = [b"command=ls-refs\n", AGENT + b"\n", b"object-format=sha1\n"]
    return b"".join([*map(line, head), b"0001", *(line(argument + b"\n") for argument in arguments), b"0000"])


def listed(data: bytes) -> dict[str, Advertised]:
    """Read the answer to `ls_refs`. Raises `WireError`."""
    refs: dict[str, Advertised] = {}
    for packet in packets(data):
        if isinstance(packet, Mark):
            continue
        oid, _, rest = packet.decode("utf-8", "replace").partition(" ")
        name, *attributes = rest.split(" ")
        peeled = next((a.removeprefix("peeled:") for a in attributes if a.startswith("peeled:")), "")
        if oid != "unborn":
            _add(refs, name, Advertised(oid=oid, peeled=peeled))
    return refs


def _old_refs(lines: Sequence[bytes]) -> dict[str, Advertised]:
    refs: dict[str, Advertised] = {}
    for index, packet in enumerate(lines):
        found, _, capabilities = packet.partition(b"\0")
        if index == 0:
            _check_format(capabilities.split(b" "))
        oid, _, name = found.decode("utf-8", "replace").partition(" ")
        if name == "capabilities^{}" or oid in {"shallow", "unshallow"}:
            continue
        if name.endswith("^{}") and (tag := refs.get(name[:-3])) is not None:
            refs[name[:-3]] = Advertised(oid=tag.oid, peeled=_checked(oid))
        else:
            _add(refs, name, Advertised(oid=oid))
    return refs


def _add(refs: dict[str, Advertised], name: str, found: Advertised) -> None:
    if not is_ref(name):
        raise WireError(f"a ref with a name that Git does not allow ({words(name)[:60]!r})")
    _checked(found.oid)
    if found.peeled:
        _checked(found.peeled)
    if len(refs) >= MAX_REFS:
        raise WireError(f"more than {MAX_REFS} refs")
    refs[name] = found


def _checked(oid: str) -> str:
    if not is_oid(oid):
        raise WireError("a ref without a SHA-1 object name")
    return oid


def _check_format(capabilities: Sequence[bytes]) -> None:
    formats = [c.removeprefix(b"object-format=") for c in capabilities if c.startswith(b"object-format=")]
    if formats and b"sha1" not in formats:
        raise WireError("a repository with SHA-256 object names, which gitopsd does not serve yet")


_THIN, _OFFSETS = b"000ethin-pack\n", b"000eofs-delta\n"


def asking_for_offsets(request: bytes) -> bytes:
    """What dulwich asks for in protocol 2, and that differences name their base by its offset, which it forgets to ask for.

    Without it each names its base by 20 bytes: a pack of small files that are alike is an eighth larger.
    """
    return request.replace(_THIN, _THIN + _OFFSETS, 1)
