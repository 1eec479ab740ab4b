"""The fixtures of the whole-way tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from fakes.planes import control_plane as control_plane  # a fixture
from fakes.world import World
from fakes.worlds import SERVERS, of, sandboxed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these starts worker processes: a second or two, some hundred times."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world of the test's own on the sandbox."""
    async with sandboxed(tmp_path) as it:
        yield it


def on(request: pytest.FixtureRequest, folder: Path) -> AbstractAsyncContextManager[World]:
    """A world on the server that the fixture's parameter names."""
    plane = None if request.param == "sandbox" else request.getfixturevalue("control_plane")
    return of(plane, folder)


@pytest_asyncio.fixture(params=SERVERS)
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A world of the test's own on the sandbox, and on a real control plane."""
    async with on(request, tmp_path) as it:
        yield it


@pytest_asyncio.fixture(params=SERVERS)
async def remote(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> AsyncIterator[World]:
    """The other cluster, of each kind, where `world` is the one at hand."""
    (tmp_path / "remote").mkdir()
    async with on(request, tmp_path / "remote") as it:
        world.instance = it.instance
        yield it
