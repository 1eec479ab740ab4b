"""The servers of the contract: the sandbox always, a real control plane where its binaries are."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from contract.wire import Wire
from fakes import scene as scenes
from fakes import sink_context
from fakes.planes import control_plane as control_plane  # a fixture
from fakes.scene import Scene

from gitopsd.plugin import Access, Context
from gitopsd_plugins.kubernetes.access.kubeconfig import KubeconfigAccess
from gitopsd_plugins.sandbox import server as sandbox
from gitopsd_plugins.sandbox.cluster import Settings


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    """What the sink uses of a context: HTTP, the time and the log."""
    return sink_context.make(tmp_path)


@pytest_asyncio.fixture(params=["sandbox", pytest.param("control-plane", marks=pytest.mark.timeout(180))])
async def access(request: pytest.FixtureRequest, ctx: Context, tmp_path: Path) -> AsyncIterator[Access]:
    """A way to one server of each kind, as its administrator."""
    if request.param == "sandbox":
        async with sandbox.serve(settings=Settings(settling=0.05, history=200)) as running:
            path = tmp_path / "kubeconfig"
            path.write_text(running.kubeconfig())
            async with KubeconfigAccess().open("sandbox", {"path": str(path), "context": "sandbox"}, ctx) as opened:
                yield opened
        return
    plane = request.getfixturevalue("control_plane")
    spec = {"path": str(plane.kubeconfig), "context": "local"}
    async with KubeconfigAccess().open("control-plane", spec, ctx) as opened:
        yield opened


@pytest_asyncio.fixture
async def scene(access: Access, ctx: Context) -> AsyncIterator[Scene]:
    """A namespace, an app, and others."""
    async with scenes.opened(access, ctx) as opened:
        yield opened


@pytest_asyncio.fixture(params=["sandbox", pytest.param("control-plane", marks=pytest.mark.timeout(180))])
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    """Bare HTTP to one server of each kind, as its administrator."""
    if request.param == "sandbox":
        async with sandbox.serve(settings=Settings(settling=0.05)) as running, running.client() as session:
            yield Wire(session)
        return
    plane = request.getfixturevalue("control_plane")
    trust = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
    trust.load_cert_chain(plane.folder / "admin.crt", plane.folder / "admin.key")
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(f"https://127.0.0.1:{plane.port}", connector=connector) as session:
        yield Wire(session)
