"""What a commit changes of the one that was stored last. Directories that both share are not read, however many they are.

Ignore files hold below their own directory, so that only those on the way to a change have a say about it; but for one thing:
where any directory has patterns, the default sets shrink. Where that could matter, where an ignore file itself changes, or
where a name turns from a file into a directory, there is no difference, and the commit is put whole.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitopsd.plugin import Rejected
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.tree import MAX_DEPTH
from gitopsd_plugins.git import listing
from gitopsd_plugins.git.listing import SUBMODULE, Leaf, Trees
from gitopsd_plugins.git.order import FetchOrder
from gitopsd_plugins.git.packs.objects import Damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Files to write and paths to remove, both without what the rules leave out; submodules that are new or moved."""

    changed: Mapping[str, Leaf]
    gone: Sequence[str]
    submodules: tuple[str, ...]


class _Whole(Exception):  # noqa: N818 - a signal inside this file
    """What differs cannot be told from the changes alone."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A directory on both sides, by its trees' names; '' where there is none."""

    prefix: str
    before: str
    after: str
    depth: int


@dataclass(slots=True)
class _Found:
    changed: dict[str, Leaf] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)
    ignores: dict[str, str] = field(default_factory=dict)


def between(trees: Trees, given: FetchOrder) -> Difference | None:
    """How the order's commit differs from its base; None where the whole commit has to be looked at."""
    if not given.tree or given.rules.copies or given.submodules or not trees.objects.has(given.base):
        return None
    try:
        return _kept(_walked(trees, given), given)
    except (_Whole, Damaged, Rejected):
        return None  # what is wrong with the commit is said where all of it is read


def _walked(trees: Trees, given: FetchOrder) -> _Found:
    found, count = _Found(), 0
    todo = [_Pair("", trees.objects.tree_of(given.base), trees.objects.tree_of(given.commit), 0)]
    while todo:
        pair = todo.pop()
        before = dict(trees.entries(pair.before, pair.prefix)) if pair.before else {}
        after = dict(trees.entries(pair.after, pair.prefix)) if pair.after else {}
        count += len(after)
        if count > given.limits.entries or pair.depth > MAX_DEPTH:
            raise _Whole
        path = pair.prefix + ignore.FILE
        if listing.within(path, given.rules.sparse):  # one outside has no say
            found.ignores.update(listing.ignores(trees.objects, {path: after.get(ignore.FILE)}))
        for name in before.keys() | after.keys():
            was, now = before.get(name), after.get(name)
            if was != now and listing.touches(pair.prefix + name, given.rules.sparse):
                todo += _compared(pair, name, was, now, found, given.rules.sparse)
    return found


def _compared(
    pair: _Pair, name: str, was: Leaf | None, now: Leaf | None, found: _Found, sparse: Sequence[str]
) -> Iterator[_Pair]:
    """Take up what differs at a name; yields the directory to look into where it is one."""
    path = pair.prefix + name
    if name == ignore.FILE or len(path) > listing.MAX_PATH:
        raise _Whole
    folders = {stat.S_ISDIR(leaf.mode) for leaf in (was, now) if leaf}
    if len(folders) > 1:
        raise _Whole
    if True in folders:
        yield _Pair(f"{path}/", was.oid if was else "", now.oid if now else "", pair.depth + 1)
    elif listing.within(path, sparse):
        _entered(path, was, now, found)


def _entered(path: str, was: Leaf | None, now: Leaf | None, found: _Found) -> None:
    if now and now.mode == SUBMODULE:
        found.submodules.append(path)
    elif now:
        found.changed[path] = now
        return
    if was and was.mode != SUBMODULE:
        found.gone.append(path)


def _kept(found: _Found, given: FetchOrder) -> Difference:
    if given.rules.sparse and found.gone:
        raise _Whole  # whether a directory that is asked for still holds anything shows in the whole
    alone, among = (ignore.rules(found.ignores, given.rules.ignore, elsewhere=more) for more in (False, True))
    out = set()
    for path in (*found.changed, *found.gone):
        names = path.split("/")
        if alone.excludes(names) != among.excludes(names):
            raise _Whole
        if alone.excludes(names):
            out.add(path)
    return Difference(
        changed={path: leaf for path, leaf in found.changed.items() if path not in out},
        gone=[path for path in found.gone if path not in out],
        submodules=tuple(found.submodules),
    )
