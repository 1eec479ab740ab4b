"""A Git repository made without git: commits from a mapping of files, tags, branches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit, Tag
from dulwich.repo import Repo

WHO = b"Ada <ada@example.org>"


@dataclass(frozen=True, slots=True)
class Link:
    target: str


@dataclass(frozen=True, slots=True)
class Program:
    text: str


@dataclass(frozen=True, slots=True)
class Submodule:
    commit: str


Sign = Callable[[bytes], bytes]
"""Makes a signature of an object's bytes."""

Content = str | bytes | Link | Program | Submodule


@dataclass
class GitRepository:
    """A bare repository; each commit states what changes, None removes a file."""

    path: Path
    files: dict[str, Content] = field(default_factory=dict)
    time: int = 1_700_000_000

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True)
        Repo.init_bare(str(self.path)).close()

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def commit(
        self,
        changes: Mapping[str, Content | None],
        *,
        branch: str = "main",
        orphan: bool = False,
        sign: Sign | None = None,
    ) -> str:
        """Commit on a branch and return the commit's name."""
        self.files = {path: c for path, c in {**self.files, **changes}.items() if c is not None}
        with Repo(str(self.path)) as repo:
            entries = [(path.encode("utf-8", "surrogateescape"), *_entry(repo, c)) for path, c in self.files.items()]
            return self.commit_tree(commit_tree(repo.object_store, entries), branch=branch, orphan=orphan, sign=sign)

    def commit_tree(self, tree: bytes, *, branch: str = "main", orphan: bool = False, sign: Sign | None = None) -> str:
        """Commit a tree that is there already."""
        self.time += 60
        ref = f"refs/heads/{branch}".encode()
        with Repo(str(self.path)) as repo:
            commit = Commit()
            commit.tree = tree
            commit.parents = [] if orphan or ref not in repo.refs else [repo.refs[ref]]
            commit.author = commit.committer = WHO
            commit.author_time = commit.commit_time = self.time
            commit.author_timezone = commit.commit_timezone = 0
            commit.message = b"a change"
            if sign:
                commit.gpgsig = sign(commit.as_raw_string()).strip()
            repo.object_store.add_object(commit)
            repo.refs[ref] = commit.id
            return commit.id.decode()

    def tag(self, name: str, commit: str, *, annotated: bool = False, sign: Sign | None = None, named: str = "") -> str:
        """Tag a commit, and return what the ref names; `named` is what the tag object calls itself, where that differs."""
        with Repo(str(self.path)) as repo:
            target = commit.encode()
            if annotated or sign:
                tag = Tag()
                tag.name, tag.tagger, tag.message = (named or name).encode(), WHO, b"a release\n"
                tag.object, tag.tag_time, tag.tag_timezone = (Commit, target), self.time, 0
                if sign:
                    tag.signature = sign(tag.as_raw_string())
                repo.object_store.add_object(tag)
                target = tag.id
            repo.refs[f"refs/tags/{name}".encode()] = target
            return target.decode()

    def branch(self, name: str, commit: str) -> None:
        with Repo(str(self.path)) as repo:
            repo.refs[f"refs/heads/{name}".encode()] = commit.encode()


def _entry(repo: Repo, content: Content) -> tuple[bytes, int]:
    match content:
        case Submodule(commit):
            return commit.encode(), 0o160000
        case Link(target):
            data, mode = target.encode(), 0o120000
        case Program(text):
            data, mode = text.encode(), 0o100755
        case str():
            data, mode = content.encode(), 0o100644
        case _:
            data, mode = content, 0o100644
    blob = Blob.from_string(data)
    repo.object_store.add_object(blob)
    return blob.id, mode
