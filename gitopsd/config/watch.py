"""Notices that the declared files changed, once they have settled.

It looks at the files every few seconds instead of asking the kernel: a mounted ConfigMap changes by swapping one link of a
folder above, an editor by renaming, a network file system tells nobody. A look is one `stat` a file. Changes are told only
after one more look that saw the same, so that a half-written set is not loaded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import anyio
import anyio.to_thread

from gitopsd.config import files
from gitopsd.config.files import Unreadable

TICK = 2.0
Fingerprint = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """`loaded` is the state that is in force, `last` what the last look saw."""

    loaded: Fingerprint
    last: Fingerprint

    def then(self, seen: Fingerprint) -> tuple[Settling, bool]:
        """The next state after a look, and whether it is time to load."""
        settled = seen == self.last and seen != self.loaded
        return Settling(loaded=seen if settled else self.loaded, last=seen), settled


def fingerprint(paths: Sequence[Path], secrets: Path | None = None) -> Fingerprint:
    """What the files look like now, by their `stat`; links are followed, what cannot be read counts as it fails.

    `secrets` is the folder of secrets, whose files count, too.
    """
    lines = [line for path in paths for line in _looks(path)]
    return tuple(lines if secrets is None else [*lines, *map(_look, _kept(secrets))])


async def settled(
    paths: Sequence[Path], loaded: Fingerprint, *, secrets: Path | None = None, tick: float = TICK
) -> AsyncIterator[Fingerprint]:
    """One fingerprint for each settled change, for ever. `loaded` was taken before the files in force were read.

    A change that is undone before it settles is not told. `tick` in seconds.
    """
    state = Settling(loaded=loaded, last=loaded)
    while True:
        await anyio.sleep(tick)
        state, ready = state.then(await anyio.to_thread.run_sync(fingerprint, paths, secrets))
        if ready:
            yield state.loaded


def _looks(path: Path) -> Sequence[tuple[str, ...]]:
    try:
        return [_look(file) for file in files.find(path)]
    except Unreadable as error:
        return [(str(path), str(error))]


def _kept(folder: Path) -> list[Path]:
    """The files of a folder of secrets: NAME/KEY and NAMESPACE/NAME/KEY."""
    found = (path for pattern in ("*/*", "*/*/*") for path in folder.glob(pattern))
    return sorted(islice(found, files.MAX_FILES))


def _look(file: Path) -> tuple[str, ...]:
    try:
        status = file.stat()
    except OSError as error:
        return (str(file), type(error).__name__)
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return (str(file), *map(str, parts))
