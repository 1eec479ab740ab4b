"""The command line and the environment of a worker process: our own interpreter with our own code, named by constants.

No argument and no environment variable comes from content.
"""

from __future__ import annotations

import os
import sys

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from gitopsd.runtime.pool.worker_main import main; main({parent}, {nice})"
)


def line(nice: int) -> list[str]:
    """The words that start a worker of this process, at this much lower priority."""
    path = [entry for entry in sys.path if os.path.isabs(entry)]
    return [sys.executable, "-I", "-c", _PROGRAM.format(path=path, parent=os.getpid(), nice=nice)]
