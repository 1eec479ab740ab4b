"""What runs in a worker process: listing refs where that blocks, and bringing a commit into the store.

A local folder is read where it lies; http and ssh go through a cache repository, so that the next commit costs what
changed. Nothing of a repository is ever executed: no hooks, filters or configuration of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from dulwich.errors import NotGitRepository
from dulwich.repo import Repo

from gitopsd.plugin import Intake, Misconfigured, Rejected
from gitopsd_plugins.git import bring, cached, content, copies, difference, listing, order, submodules
from gitopsd_plugins.git import folder as folders
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.content import NOBODY, Guests
from gitopsd_plugins.git.listing import Trees, Unfolding
from gitopsd_plugins.git.order import Fetched, FetchOrder, FolderOrder, ListOrder
from gitopsd_plugins.git.packs.objects import Damaged, GitObjects
from gitopsd_plugins.git.passing import Passing
from gitopsd_plugins.git.reference import FAILED, Advertised
from gitopsd_plugins.git.signatures import provenance
from gitopsd_plugins.git.signatures.provenance import Subject
from gitopsd_plugins.git.signatures.verification import TAGS
from gitopsd_plugins.git.submodules import Nest


def refs(payload: bytes, intake: Intake) -> bytes:
    """Run a `ListOrder`: the refs of these prefixes."""
    given = order.decode(payload, ListOrder)
    if given.remote.address.local:
        with _local(given.remote.address) as repo:
            return order.encode(_local_refs(repo, given.prefixes))
    return order.encode(bring.connected(given.remote).refs(given.prefixes))


def fetch(payload: bytes, intake: Intake) -> bytes:
    """Run a `FetchOrder`: the commit's tree, in the store."""
    given = order.decode(payload, FetchOrder)
    found = _once(given, intake, None)
    if isinstance(found, Nest):
        found = _once(given, intake, submodules.gather(found, intake))
    assert isinstance(found, Fetched)  # with the submodules' files there is nothing more to wait for
    return order.encode(found)


def _once(given: FetchOrder, intake: Intake, guests: Guests | None) -> Fetched | Nest:
    """The commit in the store, or what is needed to bring its submodules first, while no cache is held."""
    place = given.remote.address
    if place.local:
        with _local(place) as repo:
            return _from_folder(repo, given, intake, guests)
    return cached.through(given, lambda repo, objects: _from_server(repo, objects, given, intake, guests))


def folder(payload: bytes, intake: Intake) -> bytes:
    """Run a `FolderOrder`: the folder's files as a tree, in the store."""
    given = order.decode(payload, FolderOrder)
    found, blobs = folders.read(given.folder, given.limits, given.rules.sparse)
    copied = copies.gather(given.rules.copies, found.leaves, given.limits, intake)
    return order.encode(content.put(blobs, given, found, intake, copied))


def _from_folder(repo: Repo, given: FetchOrder, intake: Intake, guests: Guests | None) -> Fetched | Nest:
    place = given.remote.address
    objects = GitObjects(repo)
    if not objects.has(given.commit):
        raise Rejected(f"commit {given.commit} not found at {place}; check spec.ref.commit", reason=FAILED)
    try:
        if given.branch:
            ref = f"refs/heads/{given.branch}"
            bring.check_branch(objects, given, _local_refs(repo, (ref,)).get(ref))
        tag = bring.annotated(given, _local_refs(repo, (given.ref,)).get(given.ref)) if _of_tag(given) else ""
        return _stored(objects, given, intake, tag, guests)
    except Damaged as error:
        raise Rejected(f"{place} is damaged: {error}; `git fsck` there says more", reason=FAILED) from error


def _from_server(
    repo: Repo, objects: GitObjects, given: FetchOrder, intake: Intake, guests: Guests | None
) -> Fetched | Nest:
    if given.branch:
        bring.branch(repo, objects, given)
    tag = bring.tag(repo, objects, given) if _of_tag(given) else ""
    passing = _passing(objects, given, intake, tag)
    if not objects.has(given.commit):
        bring.commit(repo, objects, given, passing)
    return _stored(objects, given, intake, tag, guests, passing)


def _passing(objects: GitObjects, given: FetchOrder, intake: Intake, tag: str) -> Passing | None:
    """Takes the files of a first fetch on their way; None where other repositories have a say about them."""
    if given.tree or given.submodules or given.rules.copies:
        return None

    def begin() -> Unfolding:
        _verified(objects, given, tag)
        return Unfolding(Trees(objects), given, given.rules.sparse)

    return Passing(given, intake, objects, begin)


def _of_tag(given: FetchOrder) -> bool:
    return given.verification is not None and given.verification.of_tag and given.ref.startswith(TAGS)


def _stored(
    objects: GitObjects,
    given: FetchOrder,
    intake: Intake,
    tag: str,
    guests: Guests | None,
    passing: Passing | None = None,
) -> Fetched | Nest:
    verified = _verified(objects, given, tag)
    trees = Trees(objects)
    changes = difference.between(trees, given)
    if changes is not None:
        stored = content.change(objects, given, changes, intake)
        return Fetched(stored=stored, verified=verified, submodules=changes.submodules)
    found = passing.listing() if passing else None
    if found is None:
        found = listing.read(trees, given, given.rules.sparse)
    if given.submodules and found.submodules and guests is None:
        return Nest(order=given, found=found, modules=submodules.modules_of(objects, found))
    inner = guests or NOBODY
    copied = copies.gather(given.rules.copies, {*found.leaves, *inner.entries}, given.limits, intake)
    stored = content.put(objects, given, found, intake, inner.joined(copied), passing.taken(found) if passing else None)
    left_out = () if given.submodules else found.submodules
    return Fetched(stored=stored, verified=verified, submodules=left_out)


def _verified(objects: GitObjects, given: FetchOrder, tag: str) -> str:
    if given.verification is None:
        return ""
    commit = objects.commit(given.commit).id.decode("ascii")
    subject = Subject(
        commit=commit,
        raw_commit=objects.raw(commit),
        tag=given.ref.removeprefix(TAGS) if given.ref.startswith(TAGS) else "",
        tag_oid=tag,
        raw_tag=objects.raw(tag) if tag else b"",
    )
    if tag and objects.commit(tag).id.decode("ascii") != commit:
        raise Rejected(
            f"{given.ref} at {given.remote.address} does not lead to the commit that the server says", reason=FAILED
        )
    return provenance.check(subject, given.verification)


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
