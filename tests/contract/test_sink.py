"""The Kubernetes sink keeps the promises of its role, on the sandbox and on a real control plane."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Access, Context
from gitopsd.plugin.conformance.scene import Connect
from gitopsd.plugin.conformance.sink import SinkSuite
from gitopsd_plugins.kubernetes.sink import KubernetesSink


@pytest.mark.contract
class TestKubernetesSink(SinkSuite):
    @pytest.fixture
    def connect(self, access: Access, ctx: Context) -> Connect:
        return lambda actor: KubernetesSink().connect(access, actor, ctx)
