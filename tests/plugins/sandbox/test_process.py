"""What a process that only serves a sandbox does with itself while it starts, and leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys

CHECKED = """
import gc, json, os, ssl
from gitopsd_plugins.sandbox import process

def trusted():
    return ssl.create_default_context().cert_store_stats()["x509_ca"]

def seen():
    return {"authorities": trusted(), "environment": os.environ.get("SSL_CERT_FILE"), "collects": gc.isenabled()}

before = seen()
with process.starting():
    during = seen()
print(json.dumps([before, during, seen()]))
"""


def test_only_a_start_does_without_the_authorities_of_the_system_and_without_collections() -> None:
    before, during, after = json.loads(subprocess.check_output([sys.executable, "-c", CHECKED]))
    assert (during["authorities"], during["collects"]) == (0, False)
    assert after == before
    assert before["collects"]
