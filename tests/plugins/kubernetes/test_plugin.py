"""The plugin as the registry finds it."""

from __future__ import annotations

import subprocess
import sys

from gitopsd.plugin import registry


def test_the_registry_finds_sink_accesses_and_health_rules() -> None:
    found = registry.load()
    assert "kubernetes" in found.sinks
    assert {"kubeconfig", "inCluster"} <= set(found.accesses)
    assert {("", ""), ("apps", "Deployment"), ("batch", "Job")} <= set(found.health)


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    heavy = "{'aiohttp', 'cryptography', 'kubernetes_asyncio', 'multidict'}"
    program = f"import sys, gitopsd_plugins.kubernetes; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
