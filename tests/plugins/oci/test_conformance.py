"""OCIRepository and its source keep what their roles promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from fakes.registry import layer

from gitopsd.plugin import Kind
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd.plugin.conformance.source import CountingIntake, SourceSuite, Upstream
from gitopsd_plugins.oci.kind import OCIRepository

PASSWORD = "hush-hush"


def _upstream(world, registry, read, docker_config, **spec) -> Upstream:
    intake = CountingIntake(world.store)
    world.work.intake = intake
    files: dict[str, bytes | None] = {}
    lost_host = registry.host.replace("127.0.0.1", "127.0.0.2")
    world.secrets.data["login"] = docker_config(registry.host, registry.username, PASSWORD)
    world.secrets.data["lost"] = docker_config(lost_host, registry.username, PASSWORD)

    def publish(changes: Mapping[str, bytes | None]) -> None:
        files.update(changes)
        registry.artifact(layer(files), tag="1.0.0")

    return Upstream(
        source=world.source,
        ctx=replace(world.ctx, intake=intake),
        intake=intake,
        intent=read(secretRef={"name": "login"}, **spec),
        lost=read(url=f"oci://{lost_host}/team/app", secretRef={"name": "lost"}, **spec),
        publish=publish,
        secrets=[PASSWORD],
    )


class TestTag(SourceSuite):
    @pytest.fixture
    def upstream(self, world, registry, read, docker_config) -> Upstream:
        registry.login = "bearer"
        return _upstream(world, registry, read, docker_config, ref={"tag": "1.0.0"})


class TestVersions(SourceSuite):
    @pytest.fixture
    def upstream(self, world, registry, read, docker_config) -> Upstream:
        registry.login = "basic"
        return _upstream(world, registry, read, docker_config, ref={"semver": ">=1.0.0", "semverFilter": "^1"})


class TestOCIRepository(KindSuite):
    kind: ClassVar[Kind] = OCIRepository()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "repo", "namespace": "flux-system"},
        "spec": {
            "url": "oci://ghcr.io/team/app",
            "interval": "10m",
            "timeout": "30s",
            "ref": {"tag": "v1", "semver": ">=1.0", "semverFilter": "^v", "digest": "sha256:" + "a" * 64},
            "layerSelector": {"mediaType": "text/plain", "operation": "copy"},
            "provider": "generic",
            "secretRef": {"name": "login"},
            "certSecretRef": {"name": "tls"},
            "proxySecretRef": {"name": "proxy"},
            "verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
            "ignore": "/docs",
            "insecure": False,
            "suspend": False,
        },
    }
