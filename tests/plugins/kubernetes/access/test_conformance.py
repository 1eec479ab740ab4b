"""The built-in ways to a cluster keep what every way promises, with a sandbox at their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gitopsd.plugin import Context, NotReady
from gitopsd.plugin.conformance.access import AccessSuite, Way
from gitopsd_plugins.kubernetes.access.configmap import ConfigMapAccess
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


class Home:
    """One ConfigMap that describes the sandbox, and the token of its service account."""

    def __init__(self, cluster: Running) -> None:
        described = {"provider": "generic", "address": cluster.url, "serviceAccountName": "deployer"}
        self.configs = {"remote": {key: text.encode() for key, text in described.items()}, "empty": {}}
        self.secrets = {"deployer": {"token": cluster.token.encode()}}

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return self.configs[name]

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if name not in self.secrets:
            raise NotReady(f"Secret/{namespace}/{name} not found")
        return self.secrets[name]


class TestConfigMap(AccessSuite):
    @pytest.fixture
    def way(self, cluster: Running, ctx: Context) -> Way:
        spec = {"namespace": "team", "name": "remote"}
        there = replace(ctx, credentials=Home(cluster))
        broken = [{}, {**spec, "name": "empty"}]
        return Way(access=ConfigMapAccess(), spec=spec, ctx=there, secrets=[cluster.token], broken=broken)
