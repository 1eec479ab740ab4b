"""What runs in a worker process: listing refs where that blocks, and bringing a commit into the store.

A local folder is read where it lies; http and ssh go through a cache repository, so that the next commit costs what
changed. Nothing of a repository is ever executed: no hooks, filters or configuration of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.repo import Repo

from gitopsd.plugin import Intake, Misconfigured, Rejected, Transient
from gitopsd_plugins.git import cache, content, listing, order, transport
from gitopsd_plugins.git import folder as folders
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.listing import Listing
from gitopsd_plugins.git.objects import Damaged, GitObjects
from gitopsd_plugins.git.order import Fetched, FetchOrder, FolderOrder, ListOrder, Malformed, Refused
from gitopsd_plugins.git.reference import FAILED, Advertised
from gitopsd_plugins.git.transport import Connection

MAX_HISTORY = 5_000_000


def refs(payload: bytes, intake: Intake) -> bytes:
    """Run a `ListOrder`: the refs of these prefixes."""
    given = order.decode(payload, ListOrder)
    if given.remote.address.local:
        with _local(given.remote.address) as repo:
            return order.encode(_local_refs(repo, given.prefixes))
    return order.encode(transport.connect(given.remote).refs(given.prefixes))


def fetch(payload: bytes, intake: Intake) -> bytes:
    """Run a `FetchOrder`: the commit's tree, in the store."""
    given = order.decode(payload, FetchOrder)
    place = given.remote.address
    if place.local:
        with _local(place) as repo:
            return order.encode(_from_folder(repo, given, intake))
    root = Path(given.cache)
    with cache.held(root, given.remote, complete=bool(given.branch)) as folder:
        try:
            return order.encode(_through_cache(folder, given, intake))
        except (Damaged, Malformed):
            # Whether the cache or the server is to blame shows without the cache.
            cache.discard(folder)
        try:
            return order.encode(_through_cache(folder, given, intake))
        except Damaged as error:
            cache.discard(folder)
            raise Rejected(f"{place} sent a commit that cannot be read: {error}", reason=FAILED) from error


def folder(payload: bytes, intake: Intake) -> bytes:
    """Run a `FolderOrder`: the folder's files as a tree, in the store."""
    given = order.decode(payload, FolderOrder)
    found, blobs = folders.read(given.folder, given.limits)
    return order.encode(content.put(blobs, given, found, None, intake))


def _from_folder(repo: Repo, given: FetchOrder, intake: Intake) -> Fetched:
    place = given.remote.address
    objects = GitObjects(repo)
    if not objects.has(given.commit):
        raise Rejected(f"commit {given.commit} not found at {place}; check spec.ref.commit", reason=FAILED)
    try:
        if given.branch:
            _check_branch(
                objects, given, _local_refs(repo, (f"refs/heads/{given.branch}",)).get(f"refs/heads/{given.branch}")
            )
        return _stored(objects, given, intake)
    except Damaged as error:
        raise Rejected(f"{place} is damaged: {error}; `git fsck` there says more", reason=FAILED) from error


def _through_cache(folder: Path, given: FetchOrder, intake: Intake) -> Fetched:
    with cache.opened(folder, given.limits.cache) as repo:
        objects = GitObjects(repo)
        if given.branch:
            _bring_branch(repo, objects, given)
        elif not objects.has(given.commit):
            _bring(repo, objects, given)
        cache.remember(repo, given.commit)
        return _stored(objects, given, intake)


def _bring(repo: Repo, objects: GitObjects, given: FetchOrder) -> None:
    """The commit alone; servers that refuse that give it as part of their branches' whole history."""
    connection = transport.connect(given.remote)
    haves = [oid for oid in dict.fromkeys((given.base, cache.last(repo))) if objects.has(oid)]
    limit = given.limits.download
    try:
        connection.fetch(repo, (given.commit,), haves=haves, depth=1, ref=given.ref, limit=limit)
    except Refused as refusal:
        if given.ref:
            connection.fetch(repo, (_tag(connection, given, refusal),), haves=(), depth=1, ref=given.ref, limit=limit)
        else:
            tips = {found.oid for found in connection.refs(("refs/heads/",)).values()}
            connection.fetch(repo, tuple(sorted(tips)), haves=(), depth=None, ref="", limit=limit)
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


def _bring_branch(repo: Repo, objects: GitObjects, given: FetchOrder) -> None:
    """The branch with its history, since the commit has to be part of it."""
    connection = transport.connect(given.remote)
    ref = f"refs/heads/{given.branch}"
    tip = connection.refs((ref,)).get(ref)
    if tip is not None and not objects.has(tip.commit):
        last = cache.last(repo)
        haves = [last] if objects.has(last) else []
        connection.fetch(repo, (tip.commit,), haves=haves, depth=None, ref=ref, limit=given.limits.download)
    _check_branch(objects, given, tip)


def _check_branch(objects: GitObjects, given: FetchOrder, tip: Advertised | None) -> None:
    place = given.remote.address
    if tip is None:
        raise Rejected(f'branch "{given.branch}" not found at {place}; check spec.ref.branch', reason=FAILED)
    todo, seen = [tip.commit], {tip.commit}
    while todo:
        commit = todo.pop()
        if commit == given.commit:
            return
        for parent in objects.parents(commit):
            if parent not in seen and len(seen) < MAX_HISTORY:
                seen.add(parent)
                todo.append(parent)
    raise Rejected(
        f'commit {given.commit} is not part of branch "{given.branch}" at {place}; check spec.ref', reason=FAILED
    )


def _stored(objects: GitObjects, given: FetchOrder, intake: Intake) -> Fetched:
    found = listing.read(objects, given.commit, given.limits)
    base = _base(objects, given)
    return Fetched(stored=content.put(objects, given, found, base, intake), submodules=found.submodules)


def _base(objects: GitObjects, given: FetchOrder) -> Listing | None:
    """The listing of the commit that was stored last; None where it is gone, or damaged, and the whole tree is put."""
    if not given.tree or not objects.has(given.base):
        return None
    try:
        return listing.read(objects, given.base, given.limits)
    except (Damaged, Rejected):
        return None


@contextmanager
def _local(place: Address) -> Iterator[Repo]:
    """A repository of this machine: bare, or a folder with `.git` in it."""
    try:
        repo = Repo(place.path)
    except NotGitRepository as error:
        raise Misconfigured(f"no repository at {place}; check spec.url", reason=FAILED) from error
    except PermissionError as error:
        raise Rejected(f"{place} cannot be read: {error.strerror}; check its owner and mode", reason=FAILED) from error
    with closing(repo):
        yield repo


def _local_refs(repo: Repo, prefixes: tuple[str, ...]) -> dict[str, Advertised]:
    found: dict[str, Advertised] = {}
    for ref, oid in repo.refs.as_dict().items():
        name = ref.decode("utf-8", "replace")
        if name.startswith(prefixes):
            peeled = repo.get_peeled(ref).decode("ascii") if name.startswith("refs/tags/") else ""
            found[name] = Advertised(oid=oid.decode("ascii"), peeled=peeled)
    return found
