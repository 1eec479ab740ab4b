"""Content that the store finds damaged or gone: the artifact leaves service, and its source fetches it again.

Once for each content in a row, so that a failing disk keeps nobody busy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from gitopsd.model.errors import NotReady, Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.remote import Remote
from gitopsd.reconcile.world import World

REASONS = frozenset({"ContentDamaged", "ContentMissing"})


@contextmanager
def fetched_again(
    reader: ObjectRef, sources: Collection[ObjectRef], world: World, remotes: Iterable[Remote] = ()
) -> Iterator[None]:
    """Let the sources of what is read in here fetch again what is lost. Raises `NotReady` then, so that their news wakes the reader."""
    try:
        yield
    except Transient as error:
        before = world.board.outcomes.get(reader)
        if error.reason not in REASONS or (before is not None and str(error) in before.message):
            raise
        world.elsewhere.forget(remotes)
        for source in sources:
            world.board.artifacts.pop(source, None)
            world.wake(source, str(error))
        raise NotReady(f"{reader}: waits for {', '.join(map(str, sources))}: {error}", reason=error.reason) from error
