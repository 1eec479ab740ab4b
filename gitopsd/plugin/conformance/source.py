"""What every source promises, as tests that use nothing but the roles.

Subclass it and give it the fixture `upstream`:

    class TestMySource(SourceSuite):
        @pytest.fixture
        def upstream(self, tmp_path):
            intake = CountingIntake(...)            # around any `Intake`; the context's work must use it too
            return Upstream(source=MySource(), ctx=..., intake=intake, intent=..., lost=..., publish=...)

A source whose trees are not the files that were published says in `made` what they are instead: an index, a chart. One whose
document says what to fetch, or that reads other sources, gives intent and context anew in `now`.

Needs pytest and pytest-asyncio.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from gitopsd.model.declared import SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import GitopsdError, Transient
from gitopsd.model.tree import Artifact, Changes, File, Folder, Node, Revision
from gitopsd.plugin.context import Context
from gitopsd.plugin.roles import Source
from gitopsd.plugin.tree import Content, Intake, Stored

# ruff: noqa: D102 - the name of a test states the promise

FIRST: Mapping[str, bytes | None] = {
    "deploy/app.yaml": b"kind: Deployment\n",
    "deploy/with blank/crlf.yaml": b"a: 1\r\n",
    "deploy/empty.yaml": b"",
    "other/same.yaml": b"kind: Deployment\n",
}
SECOND: Mapping[str, bytes | None] = {
    "deploy/app.yaml": b"kind: Job\n",
    "deploy/empty.yaml": None,
    "new.yaml": b"b: 2\n",
}


class CountingIntake:
    """An intake that counts what it is given: bytes in `added`, trees in `puts`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.added: list[bytes] = []
        self.puts: list[Changes] = []

    def node(self, digest: Digest) -> Node:
        """The entries of one directory."""
        return self._intake.node(digest)

    def blob(self, digest: Digest) -> bytes:
        """The bytes of one file."""
        return self._intake.blob(digest)

    def known(self, keys: Sequence[str]) -> Mapping[str, File]:
        """Which of these native ids are in the store already."""
        return self._intake.known(keys)

    def add(self, contents: Iterable[Content]) -> Sequence[File]:
        """Keep bytes, and count them."""
        given = list(contents)
        self.added += [content.data for content in given]
        return self._intake.add(given)

    def put(self, changes: Changes) -> Stored:
        """Make a tree, and count it."""
        self.puts.append(changes)
        return self._intake.put(changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A source under test. `publish` changes what is behind `intent` (None removes a file); nothing answers at `lost`.

    `made` are the files of the tree that it makes of published ones, a pure function; `now` is asked before each look.
    """

    source: Source
    ctx: Context
    intake: CountingIntake
    intent: SourceIntent
    lost: SourceIntent
    publish: Callable[[Mapping[str, bytes | None]], None]
    secrets: Sequence[str] = field(default=(), repr=False)
    """Credentials that `intent` and `lost` are opened with: no message may hold one."""
    made: Callable[[Mapping[str, bytes]], Mapping[str, bytes]] = dict
    now: Callable[[], Awaitable[tuple[SourceIntent, Context]]] | None = None

    async def resolve(self) -> Revision:
        """The revision of what is published."""
        intent, ctx = await self._now()
        return await self.source.resolve(intent, ctx)

    async def fetch(self, revision: Revision, base: Artifact | None = None) -> Stored:
        """Exactly this revision."""
        intent, ctx = await self._now()
        return await self.source.fetch(intent, revision, base, ctx)

    async def sync(self, base: Artifact | None = None) -> tuple[Revision, Stored]:
        """Resolve and fetch."""
        revision = await self.resolve()
        return revision, await self.fetch(revision, base)

    async def seek(self) -> None:
        """Resolve and fetch where nothing answers; a source may ask at either step first."""
        revision = await self.source.resolve(self.lost, self.ctx)
        await self.source.fetch(self.lost, revision, None, self.ctx)

    def files(self, tree: Digest, prefix: str = "") -> Mapping[str, bytes]:
        """The regular files of a stored tree."""
        found: dict[str, bytes] = {}
        for name, entry in self.intake.node(tree).items():
            if isinstance(entry, Folder):
                found.update(self.files(entry.digest, f"{prefix}{name}/"))
            elif isinstance(entry, File):
                found[prefix + name] = self.intake.blob(entry.digest)
        return found

    async def _now(self) -> tuple[SourceIntent, Context]:
        return await self.now() if self.now else (self.intent, self.ctx)

    def artifact(self, revision: Revision, stored: Stored) -> Artifact:
        """What the core would keep of a fetch."""
        return Artifact(
            source=self.intent.ref,
            revision=revision,
            tree=stored.tree,
            size=stored.size,
            files=stored.files,
            stored=datetime(2026, 1, 1, tzinfo=UTC),
            spec=self.intent.content,
        )


@pytest.mark.asyncio
class SourceSuite:
    """The promises. Subclasses provide the fixture `upstream`."""

    @pytest.fixture
    def upstream(self) -> Upstream:
        """A source, and what is behind it."""
        raise NotImplementedError("override the fixture `upstream`")

    async def test_equal_content_resolves_to_an_equal_revision(self, upstream: Upstream) -> None:
        upstream.publish(FIRST)

        first = await upstream.resolve()
        second = await upstream.resolve()

        assert first == second
        assert Revision.parse(str(first)) == first

    async def test_changed_content_resolves_to_another_revision(self, upstream: Upstream) -> None:
        upstream.publish(FIRST)
        first = await upstream.resolve()

        upstream.publish(SECOND)

        assert await upstream.resolve() != first

    async def test_fetched_tree_holds_what_was_published_byte_by_byte(self, upstream: Upstream) -> None:
        upstream.publish(FIRST)

        _, stored = await upstream.sync()

        expected = upstream.made(_after(FIRST))
        assert upstream.files(stored.tree) == expected
        assert stored.files == len(expected)
        assert stored.size == sum(map(len, expected.values()))

    async def test_changes_against_a_base_give_the_same_tree_as_a_fetch_from_nothing(self, upstream: Upstream) -> None:
        upstream.publish(FIRST)
        base = upstream.artifact(*await upstream.sync())
        upstream.publish(SECOND)

        revision, onto_base = await upstream.sync(base)
        from_nothing = await upstream.fetch(revision)

        assert upstream.files(onto_base.tree) == upstream.made(_after(FIRST, SECOND))
        assert onto_base == from_nothing

    async def test_unchanged_content_is_neither_read_nor_added_again(self, upstream: Upstream) -> None:
        upstream.publish(FIRST)
        _, first = await upstream.sync()
        upstream.intake.added.clear()

        _, second = await upstream.sync()

        assert second == first
        assert upstream.intake.added == []

    async def test_next_revision_adds_what_changed_only(self, upstream: Upstream) -> None:
        upstream.publish(FIRST)
        base = upstream.artifact(*await upstream.sync())
        upstream.intake.added.clear()
        upstream.publish(SECOND)

        await upstream.sync(base)

        before = upstream.made(_after(FIRST)).values()
        fresh = set(upstream.made(_after(FIRST, SECOND)).values()).difference(before)
        assert len(upstream.intake.added) == len(set(upstream.intake.added))
        assert set(upstream.intake.added) <= fresh

    async def test_place_that_does_not_answer_is_transient(self, upstream: Upstream) -> None:
        with pytest.raises(Transient):
            await upstream.seek()

    async def test_messages_name_the_object_and_hold_no_credentials(self, upstream: Upstream) -> None:
        with pytest.raises(GitopsdError) as caught:
            await upstream.seek()

        assert str(upstream.lost.ref) in str(caught.value)
        shown = f"{caught.value!s} {caught.value!r} {upstream.intent!r} {upstream.lost!r}"
        assert not [secret for secret in upstream.secrets if secret in shown]


def _after(*changes: Mapping[str, bytes | None]) -> Mapping[str, bytes]:
    """What is published once all of these were."""
    files = {path: data for change in changes for path, data in change.items()}
    return {path: data for path, data in files.items() if data is not None}
