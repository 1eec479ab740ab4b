"""A registry on loopback and a way to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from fakes.certificate import self_signed
from fakes.registry import Registry, serving

from gitopsd.plugin import Http
from gitopsd.plugin.hosts import Hosts
from gitopsd.plugin.oci import Credential, Registries, Way, reference


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self):
        return self.time

    def pass_(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def registry():
    with serving(Registry()) as running:
        yield running


@pytest.fixture
def ctx():
    return SimpleNamespace(http=Http(), hosts=Hosts(), now=Clock())


@pytest.fixture
def ada(registry):
    return Way(credential=Credential(username=registry.username, password=registry.password))


@pytest.fixture
def registries():
    return Registries()


@pytest.fixture
def opened(registries, ctx):
    """Opens the repository of a registry."""

    @asynccontextmanager
    async def opening(registry, way=Way(), timeout=10.0):  # noqa: B008 - frozen
        repository = reference.read(registry.url).repository
        async with registries.open(repository, way, ctx, timeout=timeout) as client:
            yield client

    return opening


@pytest.fixture
def certificate(tmp_path):
    return self_signed(tmp_path / "tls")


@pytest.fixture
def other_certificate(tmp_path):
    return self_signed(tmp_path / "other-tls")
