"""Both built-in ways to a cluster keep what every way promises, with a sandbox at their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.plugin import Context
from gitopsd.plugin.conformance.access import AccessSuite, Way
from gitopsd_plugins.kubernetes.access.incluster import InClusterAccess
from gitopsd_plugins.kubernetes.access.kubeconfig import KubeconfigAccess
from gitopsd_plugins.sandbox.server import Running


class TestKubeconfig(AccessSuite):
    @pytest.fixture
    def way(self, cluster: Running, ctx: Context, tmp_path: Path) -> Way:
        file = tmp_path / "kubeconfig"
        file.write_text(cluster.kubeconfig())
        spec = {"path": str(file), "context": "sandbox"}
        broken = [{}, {**spec, "path": ""}, {**spec, "path": f"{file}.lost"}, {**spec, "context": "elsewhere"}]
        return Way(access=KubeconfigAccess(), spec=spec, ctx=ctx, secrets=[cluster.token], broken=broken)


class TestInCluster(AccessSuite):
    @pytest.fixture
    def way(self, cluster: Running, ctx: Context, tmp_path: Path) -> Way:
        (tmp_path / "token").write_text(cluster.token)
        (tmp_path / "ca.crt").write_bytes(b"")
        spec = {"server": cluster.url, "path": str(tmp_path)}
        broken = [{**spec, "path": str(tmp_path / "lost")}]
        return Way(access=InClusterAccess(), spec=spec, ctx=ctx, secrets=[cluster.token], broken=broken)
