"""What a process that only serves a sandbox does with itself while it starts, and what it does without."""

from __future__ import annotations

import json
import subprocess
import sys

CHECKED = """
import gc, json
from gitopsd_plugins.sandbox import process

seen = [gc.isenabled()]
with process.starting():
    seen.append(gc.isenabled())
print(json.dumps([*seen, gc.isenabled()]))
"""
LOADED = """
import json, sys
from gitopsd_plugins.sandbox import server
from gitopsd_plugins.sandbox.access import certificates

print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_only_a_start_does_without_collections() -> None:
    assert json.loads(subprocess.check_output([sys.executable, "-c", CHECKED])) == [True, False, True]


def test_a_server_loads_no_client() -> None:
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", LOADED]))
    assert "uvicorn" in loaded
    assert not {"aiohttp", "yarl", "anyio", "h11"}.intersection(loaded)
