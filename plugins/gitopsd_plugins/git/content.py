"""From a Git commit to a tree in the store: what changed is read, checked and put; what did not is neither.

Content is taken as it lies in Git, without any end-of-line conversion. The whole list of names is looked at, since ignore
rules may stand in any directory; files are read only where the store does not know their object name yet. Everything
that comes from a repository is hostile: sizes, counts, depths and names are limits or errors.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gitopsd.plugin import Changes, Content, Digest, Entry, File, Intake, Link, Rejected, Stored
from gitopsd.plugin.tree import MAX_DEPTH
from gitopsd_plugins.git import ignore
from gitopsd_plugins.git.objects import GitObjects
from gitopsd_plugins.git.order import FetchOrder, Limits
from gitopsd_plugins.git.reference import FAILED

BATCH_FILES = 512
BATCH_BYTES = 8 << 20
MAX_NAME = 255
MAX_PATH = 4096
MAX_LINK = 4096
LFS = b"version https://git-lfs.github.com/spec/"
LFS_POINTER = 1024

_GITLINK = 0o160000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """A file, link or submodule: its mode and object name."""

    mode: int
    oid: str

    @property
    def key(self) -> str:
        return f"git:{self.oid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a commit names, and the texts of its ignore files by directory."""

    leaves: Mapping[str, _Leaf]
    ignores: Mapping[str, str] = field(repr=False)

    @property
    def submodules(self) -> tuple[str, ...]:
        """Paths of other repositories, which are left out."""
        return tuple(path for path, leaf in self.leaves.items() if leaf.mode == _GITLINK)


def listing(objects: GitObjects, commit: str, limits: Limits) -> Listing:
    """Everything a commit names. Raises `Rejected` for what no artifact may hold."""
    leaves: dict[str, _Leaf] = {}
    entries = lru_cache(maxsize=1024)(objects.entries)  # a tree that is named a thousand times is read once
    todo = [("", objects.tree_of(commit), 0)]
    count = 0
    while todo:
        prefix, oid, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise Rejected(f"{_shown(prefix)}: deeper than {MAX_DEPTH} directories", reason=FAILED)
        names: set[str] = set()
        for raw, mode, child in entries(oid):
            name = _checked(raw, prefix, names)
            count += 1
            if count > limits.entries:
                raise Rejected(f"more than {limits.entries} files and folders in the repository", reason=FAILED)
            if stat.S_ISDIR(mode):
                todo.append((f"{prefix}{name}/", child, depth + 1))
            else:
                leaves[prefix + name] = _Leaf(mode=mode, oid=child)
    return Listing(leaves=leaves, ignores=dict(_ignores(objects, leaves)))


def put(objects: GitObjects, order: FetchOrder, found: Listing, base: Listing | None, intake: Intake) -> Stored:
    """Put a commit's files into the store, as changes against the base where its rules were the same."""
    rules = ignore.rules(found.ignores, order.ignore)
    changed, gone, against = _difference(found, base, order.tree)
    kept = {
        path: leaf for path, leaf in changed.items() if leaf.mode != _GITLINK and not rules.excludes(path.split("/"))
    }
    entries: dict[str, Entry | None] = {path: None for path in gone if not rules.excludes(path.split("/"))}
    entries.update(_Reader(objects, intake, order.limits).entries(kept))
    stored = intake.put(Changes(entries=entries, base=against))
    if stored.size > order.limits.total:
        raise Rejected(f"more than {order.limits.total >> 20} MiB of files; narrow spec.ignore", reason=FAILED)
    return stored


def _difference(
    found: Listing, base: Listing | None, tree: str
) -> tuple[Mapping[str, _Leaf], Sequence[str], Digest | None]:
    """What to write, what to remove, and against which tree."""
    if base is None or base.ignores != found.ignores:
        return found.leaves, (), None
    changed = {path: leaf for path, leaf in found.leaves.items() if base.leaves.get(path) != leaf}
    gone = [path for path, leaf in base.leaves.items() if path not in found.leaves and leaf.mode != _GITLINK]
    turned = any(
        _GITLINK in {leaf.mode, base.leaves[path].mode} for path, leaf in changed.items() if path in base.leaves
    )
    if turned or _files_and_folders_swap(changed, gone):
        return found.leaves, (), None
    return changed, gone, Digest(tree)


def _files_and_folders_swap(changed: Mapping[str, _Leaf], gone: Sequence[str]) -> bool:
    """True where a name is a file on one side and a folder on the other: rare enough to write the whole tree."""
    files = set(gone) | set(changed)
    return any(parent in files for path in files for parent in _parents(path))


def _parents(path: str) -> Iterator[str]:
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


class _Reader:
    """Turns leaves into entries of the store's tree, reading the bytes that it does not know."""

    def __init__(self, objects: GitObjects, intake: Intake, limits: Limits) -> None:
        self._objects = objects
        self._intake = intake
        self._limits = limits

    def entries(self, leaves: Mapping[str, _Leaf]) -> Mapping[str, Entry]:
        """One entry per path."""
        files = {path: leaf for path, leaf in leaves.items() if not stat.S_ISLNK(leaf.mode)}
        keys = list(dict.fromkeys(leaf.key for leaf in files.values()))
        known = dict(self._intake.known(keys))
        missing = {leaf.key: (leaf.oid, path) for path, leaf in files.items() if leaf.key not in known}
        for batch in self._batches(missing):
            contents = [Content(data=data, key=key) for key, data in batch]
            known.update(zip((key for key, _ in batch), self._intake.add(contents), strict=True))
        links = {path: self._link(path, leaf) for path, leaf in leaves.items() if stat.S_ISLNK(leaf.mode)}
        return {**{path: _file(known[leaf.key], leaf) for path, leaf in files.items()}, **links}

    def _batches(self, missing: Mapping[str, tuple[str, str]]) -> Iterator[list[tuple[str, bytes]]]:
        batch: list[tuple[str, bytes]] = []
        size = total = 0
        for key, (oid, path) in missing.items():
            data = self._read(oid, path)
            size, total = size + len(data), total + len(data)
            if total > self._limits.total:
                raise Rejected(f"more than {self._limits.total >> 20} MiB of files; narrow spec.ignore", reason=FAILED)
            batch.append((key, data))
            if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _read(self, oid: str, path: str) -> bytes:
        data = self._objects.blob(oid)
        if len(data) > self._limits.file:
            raise Rejected(
                f"{_shown(path)}: more than {self._limits.file >> 20} MiB; leave it out with spec.ignore", reason=FAILED
            )
        if len(data) < LFS_POINTER and data.startswith(LFS):
            raise Rejected(
                f"{_shown(path)}: a Git LFS pointer, whose content gitopsd does not fetch; "
                "commit the file itself, or leave it out with spec.ignore",
                reason=FAILED,
            )
        return data

    def _link(self, path: str, leaf: _Leaf) -> Link:
        data = self._objects.blob(leaf.oid)
        if len(data) > MAX_LINK or b"\0" in data:
            raise Rejected(f"{_shown(path)}: a symbolic link whose target is no path", reason=FAILED)
        return Link(target=_text(data, path))


def _file(found: File, leaf: _Leaf) -> File:
    return File(digest=found.digest, size=found.size, executable=bool(leaf.mode & 0o100))


def _ignores(objects: GitObjects, leaves: Mapping[str, _Leaf]) -> Iterator[tuple[str, str]]:
    for path, leaf in leaves.items():
        directory, _, name = path.rpartition("/")
        if name == ignore.FILE and stat.S_ISREG(leaf.mode):
            data = objects.blob(leaf.oid)
            if len(data) > ignore.MAX_BYTES:
                raise Rejected(f"{_shown(path)}: more than {ignore.MAX_BYTES >> 20} MiB", reason=FAILED)
            yield directory, data.decode("utf-8", "replace")


def _checked(name: bytes, prefix: str, names: set[str]) -> str:
    """A name of one directory. Names that could leave it, or pass for Git's own folder, never come from honest Git."""
    text = _text(name, prefix)
    if text in {"", ".", ".."} or "/" in text or "\0" in text or _passes_for_git(text):
        raise Rejected(f"{_shown(prefix + text)}: a name that no repository may hold", reason=FAILED)
    if len(name) > MAX_NAME or len(prefix) + len(name) > MAX_PATH:
        raise Rejected(f"{_shown(prefix + text)}: a name that is too long", reason=FAILED)
    if text in names:
        raise Rejected(f"{_shown(prefix + text)}: named twice in one directory", reason=FAILED)
    names.add(text)
    return text


def _passes_for_git(text: str) -> bool:
    """`.git` as case-blind file systems, HFS+ (ignored characters) and NTFS (short names, trailing dots) see it."""
    plain = "".join(c for c in text if c not in _INVISIBLE).casefold().split(":")[0].rstrip(". ")
    return plain in {".git", "git~1"}


_INVISIBLE = frozenset(map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)))


def _text(name: bytes, where: str) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise Rejected(
            f"{_shown(where + name.decode('utf-8', 'replace'))}: a name that is not UTF-8; rename it", reason=FAILED
        ) from error


def _shown(path: str) -> str:
    """A path for a message: on one line, without control characters, not too long."""
    text = path if path.isprintable() else repr(path)
    return text if len(text) <= 200 else f"{text[:197]}..."
