"""Which objects of a listing become files, and the revision that they make. Pure.

Names come from outside: one that could leave the tree, or be a file and a folder at once, is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitopsd.plugin import Rejected
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.sources.ignore import Rules
from gitopsd.plugin.tree import MAX_DEPTH
from gitopsd_plugins.bucket.order import Limits
from gitopsd_plugins.bucket.place import FAILED

MAX_NAME = 255
MAX_PATH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object of a listing; `etag` without quotes, `size` in bytes."""

    name: str
    etag: str
    size: int


def rules(file: str, spec: str | None) -> Rules:
    """The rules of a bucket: its root `.sourceignore` and `spec.ignore`, without the default sets, as in Flux."""
    return ignore.of_patterns([*ignore.read(file), *ignore.read(spec or "")])


def kept(listing: Iterable[Found], prefix: str, excluded: Rules, limits: Limits, place: str) -> Mapping[str, Found]:
    """The objects that become files, by name, sorted; `place` is for messages. Raises `Rejected` for names and sizes that no artifact may hold."""
    found = {
        entry.name: entry
        for entry in listing
        if entry.name.startswith(prefix) and entry.name != ignore.FILE and not excluded.excludes(entry.name.split("/"))
    }
    folders = {folder for name in found for folder in _folders(name)}
    for name in folders & found.keys():
        if found[name].size:
            raise Rejected(f"{shown(name)}: an object and a folder of one name; rename one", reason=FAILED)
        del found[name]  # a mark that a console left for the folder
    for entry in found.values():
        _check(entry, limits)
    if sum(entry.size for entry in found.values()) > limits.total:
        raise Rejected(
            f"{place}: more than {limits.total >> 20} MiB of objects; narrow spec.prefix or spec.ignore", reason=FAILED
        )
    return dict(sorted(found.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass")))


def revision(found: Mapping[str, Found], provider: str) -> str:
    """As Flux writes it: over a line of name and etag for each object. Azure's etags are spelt in hex there."""
    lines = hashlib.sha256()
    for name, entry in found.items():
        etag = entry.etag.encode().hex() if provider == "azure" else entry.etag
        lines.update(f"{name} {etag}\n".encode())
    return f"sha256:{lines.hexdigest()}"


def _folders(name: str) -> Iterable[str]:
    at = name.rfind("/")
    while at > 0:
        yield name[:at]
        at = name.rfind("/", 0, at)


def _check(entry: Found, limits: Limits) -> None:
    parts = entry.name.split("/")
    if {"", ".", ".."} & set(parts) or not entry.name.isprintable():
        raise Rejected(f"{shown(entry.name)}: a name that can be no path; rename the object", reason=FAILED)
    if len(parts) > MAX_DEPTH or len(entry.name) > MAX_PATH or max(len(part.encode()) for part in parts) > MAX_NAME:
        raise Rejected(
            f"{shown(entry.name)}: a name that is too long or too deep; leave it out with spec.ignore", reason=FAILED
        )
    if entry.size > limits.file:
        raise Rejected(
            f"{shown(entry.name)}: more than {limits.file >> 20} MiB; leave it out with spec.ignore", reason=FAILED
        )


def shown(name: str) -> str:
    """A name for a message: on one line, without control characters, not too long."""
    text = name if name.isprintable() else repr(name)
    return text if len(text) <= 200 else f"{text[:197]}..."
