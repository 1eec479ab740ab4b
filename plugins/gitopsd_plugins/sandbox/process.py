"""What a process that does nothing but serve a cluster sets for itself: it starts soon, and looks seldom for garbage.

Not for a process that does more, as a daemon whose cluster is a sandbox: it trusts no authority of the system.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_COLLECT = (50_000, 20, 20)
"""New containers before a look for cycles, and so on: what a cluster holds stays, and is no cycle. With Python's own numbers it goes
through all objects again and again, a tenth of what applies cost [measured]."""
_AUTHORITIES = "SSL_CERT_FILE"
"""Names the file that OpenSSL reads where it is told to trust whom the system trusts."""


@contextmanager
def starting() -> Iterator[None]:
    """Load the server and start it in here.

    Nothing is collected meanwhile, as what is loaded stays. The system's authorities count as none: aiohttp reads them twice when it
    is imported, a sixth of a start [measured], and a sandbox calls nobody.
    """
    before = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        gc.enable()
        if before is None:
            del os.environ[_AUTHORITIES]
        else:
            os.environ[_AUTHORITIES] = before
