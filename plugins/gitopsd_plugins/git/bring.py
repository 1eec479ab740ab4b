"""Brings commits, branches and tags from a server into a cache repository, each with as little as the server allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dulwich.repo import Repo

from gitopsd.plugin import Rejected, Transient
from gitopsd_plugins.git import cache
from gitopsd_plugins.git.order import FetchOrder, Refused, Remote
from gitopsd_plugins.git.packs.objects import GitObjects
from gitopsd_plugins.git.packs.packs import Passing
from gitopsd_plugins.git.reference import FAILED, Advertised

if TYPE_CHECKING:
    from gitopsd_plugins.git.wire.transport import Connection

MAX_HISTORY = 5_000_000


def connected(remote: Remote) -> Connection:
    """A client of the repository's server. Nothing is sent yet."""
    from gitopsd_plugins.git.wire import transport  # urllib3, which a local repository never needs

    return transport.connect(remote)


def commit(repo: Repo, objects: GitObjects, given: FetchOrder, passing: Passing | None = None) -> None:
    """The commit alone; servers that refuse that give it as part of their branches' whole history.

    `passing` is shown the files of the commit alone as they come.
    """
    connection = connected(given.remote)
    haves = [oid for oid in dict.fromkeys((given.base, cache.last(repo))) if objects.has(oid)]
    limit = given.limits.download
    try:
        connection.fetch(objects, (given.commit,), haves=haves, depth=1, ref=given.ref, limit=limit, passing=passing)
    except Refused as refusal:
        if given.ref:
            connection.fetch(
                objects, (_tag(connection, given, refusal),), haves=(), depth=1, ref=given.ref, limit=limit
            )
        else:
            tips = {found.oid for found in connection.refs(("refs/heads/",)).values()}
            connection.fetch(objects, tuple(sorted(tips)), haves=(), depth=None, ref="", limit=limit)
    if not objects.has(given.commit):
        raise Rejected(
            f"commit {given.commit} not found at {given.remote.address}; check spec.ref.commit", reason=FAILED
        )


def _tag(connection: Connection, given: FetchOrder, refusal: Refused) -> str:
    """Servers of protocol 0 give a commit behind an annotated tag by the tag's own name only."""
    found = connection.refs((given.ref,)).get(given.ref)
    if found is None or found.commit != given.commit or not found.peeled:
        raise Transient(f"{refusal}; the ref may have moved meanwhile", reason=FAILED) from refusal
    return found.oid


def branch(repo: Repo, objects: GitObjects, given: FetchOrder) -> None:
    """The branch with its history, since the commit has to be part of it."""
    connection = connected(given.remote)
    ref = f"refs/heads/{given.branch}"
    tip = connection.refs((ref,)).get(ref)
    if tip is not None and not objects.has(tip.commit):
        last = cache.last(repo)
        haves = [last] if objects.has(last) else []
        connection.fetch(objects, (tip.commit,), haves=haves, depth=None, ref=ref, limit=given.limits.download)
    check_branch(objects, given, tip)


def tag(repo: Repo, objects: GitObjects, given: FetchOrder) -> str:
    """The annotated tag of the ref that was chosen, with all that it leads to; '' where it has none."""
    connection = connected(given.remote)
    found = annotated(given, connection.refs((given.ref,)).get(given.ref))
    if found and not objects.has(found):
        haves = [given.commit] if objects.has(given.commit) else []
        connection.fetch(objects, (found,), haves=haves, depth=1, ref=given.ref, limit=given.limits.download)
    return found


def annotated(given: FetchOrder, found: Advertised | None) -> str:
    """The name of the tag object behind a ref; '' for a ref that names its commit itself."""
    if found is None or found.commit != given.commit:
        raise Transient(f"{given.ref} at {given.remote.address} moved meanwhile; it is looked at again", reason=FAILED)
    return found.oid if found.oid != found.commit else ""


def check_branch(objects: GitObjects, given: FetchOrder, tip: Advertised | None) -> None:
    """Raise `Rejected` unless the commit is part of the branch that ends at `tip`."""
    place = given.remote.address
    if tip is None:
        raise Rejected(f'branch "{given.branch}" not found at {place}; check spec.ref.branch', reason=FAILED)
    todo, seen = [tip.commit], {tip.commit}
    while todo:
        at = todo.pop()
        if at == given.commit:
            return
        for parent in objects.parents(at):
            if parent not in seen and len(seen) < MAX_HISTORY:
                seen.add(parent)
                todo.append(parent)
    raise Rejected(
        f'commit {given.commit} is not part of branch "{given.branch}" at {place}; check spec.ref', reason=FAILED
    )
