"""`spec.include`: parts of other sources' artifacts, copied to where the repository itself has nothing.

Both sides are trees in the store, so that a copy is names and digests: no byte moves, and no path can leave its tree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gitopsd.plugin import Digest, Entry, File, Folder, Intake, PathError, Rejected, Tree
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.tree import MAX_DEPTH
from gitopsd_plugins.git.content import Guests
from gitopsd_plugins.git.listing import shown
from gitopsd_plugins.git.order import Copy, Limits

FAILED = "CopyFailure"
"""Flux's reason for an include that cannot be copied."""


def gather(copies: Sequence[Copy], taken: Collection[str], limits: Limits, intake: Intake) -> Guests:
    """What is copied in, in the order of the includes. Raises `Rejected` for what is not there, or would cover something."""
    guests = Guests()
    for copy in copies:
        _check_free(copy, {*taken, *guests.entries})
        entries = dict(_copied(copy, intake))
        guests = guests.joined(Guests(entries=entries, ignores=dict(_ignores(entries, intake))))
        if len(guests.entries) > limits.entries:
            raise Rejected(
                f"{copy.name}: more than {limits.entries:,} files with all includes; narrow spec.include[].fromPath",
                reason=FAILED,
            )
    return guests


def _check_free(copy: Copy, taken: Collection[str]) -> None:
    parents = {copy.to_path[:at] for at, sign in enumerate(copy.to_path) if sign == "/"}
    for path in taken:
        if path == copy.to_path or path in parents or path.startswith(f"{copy.to_path}/"):
            raise Rejected(
                f"{copy.name} cannot be included at {copy.to_path!r}, where {shown(path)!r} is; check spec.include[].toPath",
                reason=FAILED,
            )


def _copied(copy: Copy, intake: Intake) -> Iterator[tuple[str, Entry]]:
    tree = Tree(intake, Digest(copy.tree))
    try:
        found = tree.find(copy.from_path)
    except PathError as error:
        raise Rejected(f"{copy.name}: {error}; check spec.include[].fromPath", reason=FAILED) from error
    match found:
        case None:
            raise Rejected(f"{copy.name} has no {copy.from_path!r}; check spec.include[].fromPath", reason=FAILED)
        case File():
            yield copy.to_path, found
        case Folder():
            yield from _below(found, copy.to_path, intake)


def _below(folder: Folder, prefix: str, intake: Intake) -> Iterator[tuple[str, Entry]]:
    if prefix.count("/") > MAX_DEPTH:
        raise Rejected(
            f"{shown(prefix)}: deeper than {MAX_DEPTH} directories; narrow spec.include[].fromPath", reason=FAILED
        )
    for name, entry in intake.node(folder.digest).items():
        if isinstance(entry, Folder):
            yield from _below(entry, f"{prefix}/{name}", intake)
        else:
            yield f"{prefix}/{name}", entry


def _ignores(entries: dict[str, Entry], intake: Intake) -> Iterator[tuple[str, str]]:
    for path, entry in entries.items():
        directory, _, name = path.rpartition("/")
        if name == ignore.FILE and isinstance(entry, File) and entry.size <= ignore.MAX_BYTES:
            yield directory, intake.blob(entry.digest).decode("utf-8", "replace")
