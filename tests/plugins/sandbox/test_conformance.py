"""The way to a sandbox keeps what every way to a cluster promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import sink_context

from gitopsd.plugin.conformance.access import AccessSuite, Way
from gitopsd_plugins.sandbox.cluster_access import SandboxAccess


class TestSandbox(AccessSuite):
    @pytest.fixture
    def way(self, tmp_path: Path) -> Way:
        spec = {"persist": str(tmp_path / "state"), "settling": 0.1}
        return Way(access=SandboxAccess(), spec=spec, ctx=sink_context.make(tmp_path), broken=[{"settling": -1}])
