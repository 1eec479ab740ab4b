"""Python's collector of reference cycles, kept from holding the loop up.

By default it looks at every container again and again: with the objects of a few thousand manifests in memory each full
collection would stop the loop for hundreds of milliseconds [measured: 120 ms with 110,000 containers, half a second of a
three-second reconcile in all]. So what survived a full collection is set aside for good (`gc.freeze`), and the next one
looks only at what came since. Reference counts free what is set aside as ever; only cycles that were alive at that moment
and died later are kept, until `sweep` looks at everything, once a day.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import anyio

_THRESHOLDS = (1_000, 5, 1)
"""New containers before a young collection, young ones before a middle one, those before a full one.

With five times as many before each, a thousand apps at once had collections of 100 ms; with these the longest took 30 to 60 ms,
and all of them together as long [measured]."""
_DAY = 24 * 3600.0


@contextmanager
def tamed() -> Iterator[None]:
    """Collect in this way for as long as the context lasts; the process as a whole is meant, so only its owner may."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.callbacks.append(_set_aside)
    try:
        yield
    finally:
        gc.callbacks.remove(_set_aside)
        gc.set_threshold(*before)
        gc.unfreeze()


async def sweep(every: float = _DAY) -> None:
    """Look at everything once in so many seconds. Never returns."""
    while True:
        await anyio.sleep(every)
        gc.unfreeze()
        gc.collect()


def _set_aside(phase: str, info: Mapping[str, int]) -> None:
    if phase == "stop" and info["generation"] == 2:
        gc.freeze()
