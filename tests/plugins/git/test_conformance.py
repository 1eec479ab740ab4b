"""GitRepository and its source keep what their roles promise, the source over each transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from fakes.git_repository import GitRepository
from fakes.git_server import Behaviour, http_server, ssh_server

from gitopsd.plugin import Kind
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd.plugin.conformance.source import CountingIntake, SourceSuite, Upstream
from gitopsd_plugins.git.kind import GitRepository as GitRepositoryKind

PASSWORD = "hush-hush"


def _published(repo: GitRepository):
    return repo.commit


def _upstream(world, repo, read, url, lost, *, secret="", secrets=()):
    intake = CountingIntake(world.store)
    world.work.intake = intake
    spec = {"ref": {"branch": "main"}, **({"secretRef": {"name": secret}} if secret else {})}
    return Upstream(
        source=world.source,
        ctx=replace(world.ctx, intake=intake),
        intake=intake,
        intent=read({"url": url, **spec}),
        lost=read({"url": lost, **spec}),
        publish=_published(repo),
        secrets=secrets,
    )


class TestHttp(SourceSuite):
    @pytest.fixture
    def upstream(self, world, repo, read) -> Iterator[Upstream]:
        world.secrets.data["login"] = {"username": b"ada", "password": PASSWORD.encode()}
        with http_server(repo.path, Behaviour(username="ada", password=PASSWORD)) as server:
            lost = server.url.replace("127.0.0.1", f"ada:{PASSWORD}@127.0.0.2")
            yield _upstream(world, repo, read, server.url, lost, secret="login", secrets=[PASSWORD])


class TestHttpOfOldServers(SourceSuite):
    @pytest.fixture
    def upstream(self, world, repo, read) -> Iterator[Upstream]:
        with http_server(repo.path, Behaviour(modern=False)) as server:
            yield _upstream(world, repo, read, server.url, server.url.replace("127.0.0.1", "127.0.0.2"))


class TestSsh(SourceSuite):
    @pytest.fixture
    def upstream(self, world, repo, read) -> Iterator[Upstream]:
        with ssh_server(repo.path) as server:
            identity, known_hosts = server.identity, server.known_hosts
            world.secrets.data["key"] = {"identity": identity.encode(), "known_hosts": known_hosts.encode()}
            lost = server.url.replace("127.0.0.1", "127.0.0.2")
            yield _upstream(world, repo, read, server.url, lost, secret="key", secrets=[identity])


class TestFolder(SourceSuite):
    @pytest.fixture
    def upstream(self, world, repo, read) -> Upstream:
        return _upstream(world, repo, read, repo.url, "http://127.0.0.2:1/team/app.git")


class TestGitRepository(KindSuite):
    kind: ClassVar[Kind] = GitRepositoryKind()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "repo", "namespace": "flux-system"},
        "spec": {
            "url": "https://example.com/team/app.git",
            "interval": "10m",
            "timeout": "30s",
            "ref": {"branch": "main", "semver": ">=1.0"},
            "secretRef": {"name": "login"},
            "ignore": "/docs",
            "suspend": False,
        },
    }
